"""A file is whole whatever happens to the one who writes it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from twin.errors import OutsideError
from twin.files import COMMON, sync, write_atomically

DIES = """
import os, signal, sys
from pathlib import Path
from twin.files import write_atomically

def write(file):
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)

write_atomically(Path(sys.argv[1]), write)
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.json"
    write_atomically(path, lambda file: file.write(b"old"))
    return path


def names(path):
    return [found.name for found in path.parent.iterdir()]


def test_the_new_content_takes_the_place_of_the_old(path):
    write_atomically(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"new"
    assert names(path) == ["x.json"]


def test_a_writer_that_is_killed_leaves_the_old_content_and_a_draft_that_bears_its_number(path):
    writer = subprocess.Popen([sys.executable, "-c", DIES, str(path)])
    assert writer.wait(60) == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    (draft,) = set(names(path)) - {"x.json"}
    assert draft.startswith(".x.json.") and draft.endswith(f".{writer.pid}")


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt()])
def test_whatever_ends_the_writing_leaves_the_old_content_and_goes_on(path, error):
    def fail(file):
        file.write(b"half")
        raise error

    with pytest.raises(type(error)):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert names(path) == ["x.json"]


def test_a_disk_that_refuses_is_told_with_the_file(path):
    def fail(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutsideError, match=r"x\.json: cannot be written: No space left .* before stands"):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert names(path) == ["x.json"]
    with pytest.raises(OutsideError, match="cannot be written: No such file"):
        write_atomically(path.parent / "none" / "x.json", lambda file: file.write(b"new"))


def test_permissions_are_those_asked_for(path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    umask = os.umask(0o027)
    try:
        write_atomically(path, lambda file: file.write(b"new"), COMMON)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_two_writers_of_one_process_do_not_mix(path):
    contents = [bytes([65 + number]) * 200_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda body: write_atomically(path, lambda file: file.write(body)), contents))
    assert path.read_bytes() in contents
    assert names(path) == ["x.json"]


def test_a_file_system_without_durable_folders_is_no_error():
    folder = Path("/proc")  # one that every Linux has
    handle = os.open(folder, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Invalid argument"):
            os.fsync(handle)
    finally:
        os.close(handle)
    sync(folder)
    with pytest.raises(FileNotFoundError):
        sync(folder / "no such process")
