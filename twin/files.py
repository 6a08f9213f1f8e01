"""Files that are whole at every moment: a kill leaves the old content or the new, never a mixture."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import psutil

from twin.errors import OutsideError

PRIVATE = 0o600
"""Permissions of a file that its owner alone reads."""
COMMON = 0o666
"""Permissions of a file for whom the umask lets."""


def write_atomically(path: Path, write: Callable[[BinaryIO], object], mode: int = PRIVATE) -> None:
    """Write a file so that a kill at any moment leaves the old content or the new, never a mixture.

    A draft beside the file is filled, made durable and moved into its place; then the folder is made durable.
    The name of the draft ends with the number of this process: `sweep` tells by it what a killed one left.

    Parameters
    ----------
    path : Path
        The file; its folder exists.
    write : callable
        Given the draft, open for bytes. What it raises goes on; the old content stands and no draft stays.
    mode : int
        Permissions of the file, less those that the umask takes.

    Raises
    ------
    OutsideError : the disk is full or the folder not writable; the message says which content stands.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise OutsideError(
            f"{path}: cannot be written: {error.strerror or error}. What stood there before stands. "
            f"See to space and permissions of {path.parent}."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    try:
        sync(path.parent)
    except OSError as error:
        raise OutsideError(
            f"{path}: is written, but may not outlive a loss of power: {error.strerror or error}."
        ) from error


def sweep(folder: Path) -> None:
    """Remove the drafts that writers left which were killed.

    Parameters
    ----------
    folder : Path    Missing or not readable: nothing is done.

    Raises
    ------
    OSError : a draft cannot be removed.
    """
    for path in folder.glob(".*.*"):
        writer = path.name.rpartition(".")[2]
        if writer.isdigit() and not psutil.pid_exists(int(writer)):
            path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Make a file or folder durable; nothing on a file system that does not know how, as some of networks.

    Parameters
    ----------
    path : Path

    Raises
    ------
    OSError : the disk refuses.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(handle)
