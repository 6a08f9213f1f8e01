"""Where compiled kernels are kept: one folder for each state of their sources.

numba compiles a kernel anew when the file of the kernel has changed. It does not look at the other files
whose functions and constants the kernel uses, and would go on with what they were. So the folder is named by
a hash of all files with kernels and of what these import of the package, and whatever changes there, every
kernel is compiled anew. It lies in the ``__pycache__`` of the package; if that cannot be written, in the
user's cache directory; or in the folder that ``NUMBA_CACHE_DIR`` names. If nothing of that can be written, it
is a temporary one that goes with the process: numba refuses to define a kernel that it can keep nowhere.

The folders used last are kept, so that going back to other sources costs nothing. Older ones are removed at
the start of a process, but none that another process uses: each holds a shared lock on its own.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import logging
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

_log = logging.getLogger(__name__)

KEPT = 4
"""Folders that stay, of some 10 MB each. [-]"""
_VARIABLE = "NUMBA_CACHE_DIR"
_NAME = re.compile(r"kernels-[0-9a-f]{16}")
_IMPORT = re.compile(r"^\s*(?:from|import)\s+([\w.]+)(?:\s+import\s+(\([^)]*\)|.*))?", re.MULTILINE)
_held: dict[Path, int] = {}  # open for as long as the process lives, and with it the lock


def keep_kernels(package: Path) -> Path | None:
    """Choose the folder for compiled kernels and tell numba; goes before the first kernel is defined.

    Parameters
    ----------
    package : Path    Folder of the sources.

    Returns
    -------
    Path or None
        The folder; None if there are no sources: then numba does as it would.

    Raises
    ------
    OSError : not even a temporary folder can be made.
    """
    digest = sources_digest(package)
    if digest is None:
        return None
    name = f"kernels-{digest[:16]}"
    places = _places(package)
    for place in places:
        with contextlib.suppress(OSError):
            _hold(place / name)
            _remove_old(place)
            return _choose(place / name)
    _log.warning(
        "compiled kernels cannot be kept in %s: this process compiles all of them, a minute's work. "
        "Let %s name a folder that can be written.",
        " nor ".join(map(str, places)),
        _VARIABLE,
    )
    place = Path(tempfile.mkdtemp(prefix="racklet-kernels-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    _hold(place / name)
    return _choose(place / name)


def _choose(folder: Path) -> Path:
    """Tell numba and the processes that this one starts."""
    os.environ[_VARIABLE] = str(folder)
    if "numba" in sys.modules:  # it has read the variable already
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    return folder


def sources_digest(package: Path) -> str | None:
    """Hash names and contents of all that makes the kernels what they are.

    Parameters
    ----------
    package : Path

    Returns
    -------
    str or None
        None if there are no sources of kernels, as in an archive.
    """
    sources = _kernel_sources(package)
    found = hashlib.sha256()
    for name, text in sources.items():
        found.update(f"{name} {len(text)} {text}".encode())
    return found.hexdigest() if sources else None


def _kernel_sources(package: Path) -> dict[str, str]:
    """Texts by module: of files with kernels, of what they import, and so on. Imports are absolute."""
    texts = {}
    for file in package.rglob("*.py"):
        name = ".".join(file.relative_to(package.parent).with_suffix("").parts)
        texts[name.removesuffix(".__init__")] = file.read_text(encoding="utf-8")
    found = [name for name, text in texts.items() if "jit" in text]
    for name in found:  # grows on the way
        for start, names in _IMPORT.findall(texts[name]):
            for one in (start, *(f"{start}.{part}" for part in re.findall(r"\w+", names))):
                if one in texts and one not in found:
                    found.append(one)
    return {name: texts[name] for name in sorted(found)}


def _places(package: Path) -> list[Path]:
    """Where the folder may lie, the best first."""
    if os.environ.get(_VARIABLE):
        given = Path(os.environ[_VARIABLE]).absolute()
        if not _NAME.fullmatch(given.name):
            return [given]
        if given.parent.name != "__pycache__":  # chosen by the process that started this one, below a wish
            return [given.parent]
    places = [package / "__pycache__"]
    with contextlib.suppress(RuntimeError):  # no home
        cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
        places.append(Path(cache) / "racklet" / "kernels")
    return places


def _hold(folder: Path) -> None:
    """Make a folder and keep it from being removed until this process ends.

    Raises
    ------
    OSError : it cannot be made or written.
    """
    while folder not in _held:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with contextlib.suppress(OSError):  # no locks on this file system: nobody can remove it either
                fcntl.flock(handle, fcntl.LOCK_SH)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), folder.stat()):  # else removed while this one waited
                    os.utime(folder)
                    tempfile.TemporaryFile(dir=folder).close()
                    _held[folder] = handle
        finally:
            if folder not in _held:
                os.close(handle)


def _remove_old(place: Path) -> None:
    """Remove all but the folders used last; those that a process holds stay."""
    with contextlib.suppress(OSError):
        found = [folder for folder in place.iterdir() if _NAME.fullmatch(folder.name)]
        for folder in sorted(found, key=lambda one: one.stat().st_mtime, reverse=True)[KEPT:]:
            _remove(folder)


def _remove(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    except OSError:  # in use, or somebody else's
        return
    finally:
        os.close(handle)
