"""The state folder: everything a running twin keeps on disk, private to its owner, written atomically."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from twin.errors import OutsideError
from twin.files import sweep, write_atomically

SOCKET_PATH_LIMIT = 107  # of a Unix socket on Linux [bytes]


@dataclass(frozen=True, slots=True)
class StateFolder:
    """Paths of one twin's state; made by :func:`open_state`."""

    root: Path

    @property
    def identities(self) -> Path:
        """Certificate authority and the peers' certificates."""
        return self.root / "identities"

    @property
    def run(self) -> Path:
        """What concerns the present start alone: process ids, ports, agent configurations."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.root / "logs"

    @property
    def history(self) -> Path:
        """The historian's database."""
        return self.root / "history.db"

    @property
    def feed(self) -> Path:
        """The socket between twin service and web process."""
        return self.root / "feed.sock"

    @property
    def platform_socket(self) -> Path:
        """The socket of the simulated platform, the longest path in the folder that is a socket."""
        return self.root / "platform.sock"

    @property
    def checkpoint(self) -> Path:
        """The twin's last state of the air."""
        return self.root / "checkpoint.npz"

    @property
    def processes(self) -> Path:
        """What the supervisor says of its processes."""
        return self.run / "processes.json"


def default_state(layout_name: str) -> Path:
    """Return the state folder of a layout when none is named: under the user's state directory."""
    slug = re.sub(r"[^a-z0-9]+", "-", layout_name.lower()).strip("-") or "room"
    return platformdirs.user_state_path("racklet") / slug


def open_state(root: Path) -> StateFolder:
    """Make the state folder with private permissions, or check the one that is there.

    Parameters
    ----------
    root : Path
        The folder; parents are made.

    Returns
    -------
    StateFolder

    Raises
    ------
    OutsideError : it cannot be made or written.
    """
    state = StateFolder(root.expanduser().resolve())
    if len(os.fsencode(state.platform_socket)) > SOCKET_PATH_LIMIT:
        raise OutsideError(
            f"state folder {state.root}: its path is too long for the sockets in it (Linux allows "
            f"{SOCKET_PATH_LIMIT} bytes). Name a shorter one with --state."
        )
    try:
        _refuse_foreign(state.root)
        for folder in (state.root, state.identities, state.run, state.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        with tempfile.TemporaryFile(dir=state.root) as probe:
            probe.write(b"x")
    except OSError as error:
        raise OutsideError(
            f"state folder {root}: {error.strerror or error}. It must be a folder that you own and "
            "can write; name another with --state."
        ) from error
    for folder in (state.root, state.run, state.identities):
        sweep(folder)
    return state


def _refuse_foreign(root: Path) -> None:
    """Refuse a folder that holds something else: its permissions would be changed."""
    if root.is_dir() and not (root / "run").is_dir() and any(root.iterdir()):
        raise OutsideError(
            f"state folder {root}: it holds something else. Name an empty folder, or a new one, with --state."
        )


@contextlib.contextmanager
def sole_owner(state: StateFolder) -> Iterator[None]:
    """Hold the state folder for one running twin; the lock goes with the process, however it ends.

    Raises
    ------
    OutsideError : another twin runs on this folder.
    """
    with (state.root / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise OutsideError(
                f"state folder {state.root}: a twin already runs on it (process {holder}). "
                "Stop it, or name another folder with --state."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def write_json(path: Path, body: Any) -> None:
    """Write a private JSON file atomically.

    Raises
    ------
    OutsideError : as :func:`twin.files.write_atomically`.
    """
    write_atomically(path, lambda file: file.write(json.dumps(body, indent=1).encode()))


def read_json(path: Path) -> Any:
    """Return a JSON file's content, or None where it is missing or no JSON."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
