"""Run OpenFOAM on the peer room and read what it found."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from twin.benchmark.openfoam_case import MESH_STEPS, SOLVER, write_case, write_fields
from twin.benchmark.peer_room import PeerRoom, racks
from twin.errors import OutsideError

DEBIAN_HOME = Path("/usr/share/openfoam")
"""Where Debian's package `openfoam` keeps the files that the tools look up."""
_LOOK = 5.0  # s between two looks at the log; they must not take time from the one who writes it
_LOOK_AT = 2**16  # bytes at the end of the log, many iterations
_PATIENCE = 5.0  # s for a process to end when asked to
_LOG_TAIL = 12  # lines of the log that an error shows
_TIME_LINE = re.compile(r"^Time = (\d+)\s*$", re.MULTILINE)
_CELLS_NOTE = re.compile(rb"nCells:\s*(\d+)")
_BUILD_LINE = re.compile(r"^Build\s*:\s*OPENFOAM=(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class OpenFoamRun:
    """What OpenFOAM found in the peer room.

    Attributes
    ----------
    version : str          Of OpenFOAM; empty if it does not say.
    ranks : int            Processes.
    iterations : int       Done.
    cells : int            Of the mesh, racks cut out.
    wall_s : float         Of the solver alone. [s]
    averaged : int         Iterations at the end that the means and swings are over.
    T_inlet : float64[12]  Mean inlet temperature by rack. [K]
    swing : float64[12]    Largest less smallest over these iterations. [K]
    """

    version: str
    ranks: int
    iterations: int
    cells: int
    wall_s: float
    averaged: int
    T_inlet: NDArray[np.float64]
    swing: NDArray[np.float64]


def why_not() -> str | None:
    """Say why OpenFOAM cannot be run here; None if it can."""
    tools = {step[0] for step in MESH_STEPS} | {SOLVER, "decomposePar", "mpirun"}
    missing = sorted(tool for tool in tools if shutil.which(tool) is None)
    if not missing:
        return None
    return f"OpenFOAM is not installed (no {', '.join(missing)}); on Debian: apt-get install openfoam"


def run_openfoam(
    room: PeerRoom,
    iterations: int = 1500,
    ranks: int = 2,
    averaged: int = 600,
    progress: Callable[[str, int, int], None] | None = None,
) -> OpenFoamRun:
    """Mesh and solve the peer room in a folder of its own that does not stay.

    Parameters
    ----------
    room : PeerRoom
    iterations : int    [-]
    ranks : int         Processes. [-]
    averaged : int      Iterations at the end to average the inlets over. [-]
    progress : callable, optional
        Called as (what is going on, iterations done, iterations).

    Returns
    -------
    OpenFoamRun

    Raises
    ------
    OutsideError : a tool failed; the message holds the end of its log.
    """
    tell = progress or (lambda text, done, total: None)
    with tempfile.TemporaryDirectory(prefix="racklet-openfoam-") as home:
        folder, log = Path(home), Path(home) / "log"
        tell("OpenFOAM: mesh", 0, iterations)
        write_case(folder, room, iterations, ranks)
        for step in MESH_STEPS:
            _run(step, folder, log)
        write_fields(folder, room)
        command: tuple[str, ...] = (SOLVER,)
        if ranks > 1:
            _run(("decomposePar", "-force"), folder, log)
            command = ("mpirun", "--oversubscribe", "-np", str(ranks), SOLVER, "-parallel")
        begun = time.perf_counter()
        solver_log = Path(home) / "log.solver"
        _run(command, folder, solver_log, lambda done: tell("OpenFOAM: solving", done, iterations))
        wall_s = time.perf_counter() - begun
        text = solver_log.read_text(errors="replace")
        done = iterations_done(text)
        if done < iterations:
            raise OutsideError(
                f"OpenFOAM stopped after {done} of {iterations} iterations:\n{_tail(solver_log)}"
            )
        T_inlet, swing = read_inlets(folder, iterations - averaged)
        build = _BUILD_LINE.search(text)
        return OpenFoamRun(
            version=build.group(1) if build else "",
            ranks=ranks,
            iterations=iterations,
            cells=_count_cells(folder),
            wall_s=wall_s,
            averaged=min(averaged, iterations),
            T_inlet=T_inlet,
            swing=swing,
        )


def _count_cells(folder: Path) -> int:
    """Cells of the mesh, from the note in its files."""
    note = _CELLS_NOTE.search((folder / "constant/polyMesh/owner").read_bytes())
    return int(note.group(1)) if note else 0


def iterations_done(log: str) -> int:
    """Return the number of the last iteration that a solver's log tells of; 0 before the first."""
    found = _TIME_LINE.findall(log)
    return int(found[-1]) if found else 0


def read_inlets(folder: Path, after: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read mean and swing of every rack's inlet temperature.

    Parameters
    ----------
    folder : Path    The case.
    after : int      Only iterations beyond this one count. [-]

    Returns
    -------
    mean, swing : float64[12]    By rack; swing is the largest less the smallest value. [K]

    Raises
    ------
    OutsideError : a rack has no record, or none after that iteration.
    """
    means, swings = [], []
    for rack in racks():
        place = folder / "postProcessing" / f"inlet_{rack.name}"
        files = sorted(place.rglob("*.dat"))
        rows = [row for file in files for row in np.atleast_2d(np.loadtxt(file, comments="#", ndmin=2))]
        values = np.array([row[1] for row in rows if row[0] > after])
        if values.size == 0:
            raise OutsideError(
                f"OpenFOAM left no inlet temperature of rack {rack.name} after iteration {after}."
            )
        means.append(values.mean())
        swings.append(np.ptp(values))
    return np.array(means), np.array(swings)


def _run(
    command: tuple[str, ...], folder: Path, log: Path, iterated: Callable[[int], None] | None = None
) -> None:
    """Run a tool, its output to a log; end it with all its children if this process is interrupted."""
    with log.open("a", encoding="utf-8") as stream:
        try:
            tool = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=_environment(),
            )
        except OSError as error:
            raise OutsideError(f"{command[0]} cannot be started: {error.strerror}.") from error
        ended = threading.Thread(target=tool.wait, daemon=True)  # asleep until the tool ends
        ended.start()
        try:
            while ended.is_alive():
                ended.join(_LOOK)
                if iterated is not None:
                    iterated(iterations_done(_end_of(log)))
        finally:
            _end(tool)
    if tool.returncode != 0:
        raise OutsideError(f"{command[0]} failed with exit code {tool.returncode}:\n{_tail(log)}")


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    if "WM_PROJECT_DIR" not in environment and DEBIAN_HOME.is_dir():
        environment["WM_PROJECT_DIR"] = str(DEBIAN_HOME)
        environment["FOAM_ETC"] = str(DEBIAN_HOME / "etc")
    if os.geteuid() == 0:  # Open MPI refuses to run as root unless told twice
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return environment


def _end(tool: subprocess.Popen[bytes]) -> None:
    """Make sure that a tool and what it started are gone."""
    if tool.poll() is not None:
        return
    try:
        top = psutil.Process(tool.pid)
        processes = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        processes = []
    for process in processes:
        _signal(process.terminate)
    _, alive = psutil.wait_procs(processes, timeout=_PATIENCE)
    for process in alive:
        _signal(process.kill)
    tool.wait()


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return


def _end_of(log: Path) -> str:
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _LOOK_AT))
        return stream.read().decode(errors="replace")


def _tail(log: Path) -> str:
    return "\n".join(_end_of(log).splitlines()[-_LOG_TAIL:])
