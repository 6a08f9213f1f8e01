"""What this machine has and lacks to run the twin, with the remedy for each lack."""

from __future__ import annotations

import ctypes.util
import importlib.metadata
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

Status = Literal["ok", "missing", "warning"]

MINIMUM_MEMORY = 4 * 2**30
MINIMUM_DISK = 2 * 2**30
PACKAGES = (
    "numba",
    "numpy",
    "scipy",
    "pydantic",
    "eclipse-zenoh",
    "sqlalchemy",
    "dash",
    "pymodbus",
    "vtk",
    "cryptography",
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "firefox")

OPENFOAM = (
    "buoyantBoussinesqSimpleFoam",
    "blockMesh",
    "topoSet",
    "subsetMesh",
    "createPatch",
    "decomposePar",
    "mpirun",
)
"""Tools that the comparison with OpenFOAM runs, the solver first."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at.

    Attributes
    ----------
    name : str       What.
    status : str     ``ok``; ``missing`` stops the twin; ``warning`` takes something away.
    found : str      What is there.
    remedy : str     What to do, empty when ok.
    """

    name: str
    status: Status
    found: str
    remedy: str = ""


def doctor(state: Path | None = None, port: int = 8050) -> list[Check]:
    """Look at the machine.

    Parameters
    ----------
    state : Path, optional
        State folder to look at; nothing is made or changed.
    port : int
        The page's port.

    Returns
    -------
    list of Check
        Every check, good or bad, in a fixed order.
    """
    checks = [_python(), _processor(), _memory(), _disk(state or Path.home())]
    checks += _packages()
    checks += [_threading(), _port(port), _clock(), _browser(), _graphics(), _openfoam()]
    if state is not None:
        checks.append(_state(state))
    return checks


def as_json(checks: list[Check]) -> dict[str, Any]:
    """Return the checks as one JSON object: ``checks`` and ``ready``."""
    return {"ready": all(c.status != "missing" for c in checks), "checks": [asdict(c) for c in checks]}


def _python() -> Check:
    found = f"{platform.python_version()} ({sys.executable})"
    return Check("Python", "ok", found)


def _processor() -> Check:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    found = f"{cores} cores, {platform.machine()}"
    if cores < 2:
        return Check("Processor", "warning", found, "The live twin wants 2 cores; choose a larger --cell")
    return Check("Processor", "ok", found)


def _memory() -> Check:
    memory = psutil.virtual_memory()
    found = f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free"
    if memory.available < MINIMUM_MEMORY:
        return Check("Memory", "warning", found, "12 racklets and a twin want 4 GiB; close other programs")
    return Check("Memory", "ok", found)


def _disk(folder: Path) -> Check:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 2**30:.1f} GiB free at {folder}"
    if free < MINIMUM_DISK:
        return Check("Disk", "warning", found, "The historian grows by about 2 GB a day: free some room")
    return Check("Disk", "ok", found)


def _packages() -> Iterator[Check]:
    for name in PACKAGES:
        try:
            yield Check(f"Package {name}", "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Check(f"Package {name}", "missing", "not installed", "make run installs it from the lock")


def _threading() -> Check:
    try:
        import numba.np.ufunc.omppool  # noqa: F401, PLC0415  # what numba's OpenMP layer needs
    except ImportError as error:
        return Check(
            "Solver threads", "warning", f"no OpenMP: {error}", "Install libgomp1; solves run slower"
        )
    return Check("Solver threads", "ok", "OpenMP")


def _port(port: int) -> Check:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return Check("Page's port", "warning", f"{port}: {error.strerror}", "Choose another with --port")
    return Check("Page's port", "ok", f"{port} is free")


def _clock() -> Check:
    synchronised = Path("/run/systemd/timesync/synchronized").exists() or shutil.which("chronyc") is not None
    if synchronised:
        return Check("Clock", "ok", "kept in step")
    return Check(
        "Clock", "warning", "no sign of NTP", "On several machines keep clocks within 0.1 s: install chrony"
    )


def _browser() -> Check:
    for name in BROWSERS:
        path = shutil.which(name)
        if path is not None:
            return Check("Browser", "ok", path)
    return Check("Browser", "warning", "none on this machine", "Open the page from another, see --host")


def _graphics() -> Check:
    missing = [name for name in ("EGL", "GL") if ctypes.util.find_library(name) is None]
    if missing:
        found = f"lib{' and lib'.join(missing)} not found"
        return Check("Graphics", "warning", found, "For browser tests: libegl1 libegl-mesa0 libgl1-mesa-dri")
    return Check("Graphics", "ok", "EGL and GL")


def _openfoam() -> Check:
    missing = [tool for tool in OPENFOAM if shutil.which(tool) is None]
    if missing:
        found, remedy = f"no {', '.join(missing)}", "For racklet bench peers: apt-get install openfoam"
        return Check("OpenFOAM", "warning", found, remedy)
    return Check("OpenFOAM", "ok", str(shutil.which(OPENFOAM[0])))


def _state(state: Path) -> Check:
    existing = next(folder for folder in (state, *state.absolute().parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Check("State folder", "missing", str(state), f"{existing} is not a folder you can write")
    return Check("State folder", "ok", str(state))
