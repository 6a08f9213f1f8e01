"""Compiled kernels are those of the sources, and old ones do not pile up."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import solvers
from solvers.kernel_cache import KEPT, keep_kernels, sources_digest

ROOT = Path(solvers.__file__).parents[1]
KERNEL = """
from numba import njit
from kit.terms import term

@njit(cache=True)
def kernel(x):
    return 10 * term(x)
"""
TERM = """
from numba import njit

@njit(inline="always")
def term(x):
    return x + {}
"""
CALL = """
from pathlib import Path
from solvers.kernel_cache import keep_kernels
keep_kernels(Path("kit").absolute())
from kit.kernels import kernel
print(kernel(1), sum(kernel.stats.cache_hits.values()))
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose kernel calls a function of another file, and a process that has chosen nothing."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(numba.config, "CACHE_DIR", numba.config.CACHE_DIR)  # put back after the test
    package = tmp_path / "kit"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "kernels.py").write_text(KERNEL)
    (package / "terms.py").write_text(TERM.format(1))
    return package


def call(package):
    """Call the kernel in a new process; returns its answer and how often it was found compiled."""
    done = subprocess.run(
        [sys.executable, "-c", CALL],
        cwd=package.parent,
        env={**os.environ, "PYTHONPATH": f"{package.parent}:{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    answer, found = done.stdout.split()
    return int(answer), int(found)


def test_a_function_that_changes_in_another_file_changes_the_kernel(package):
    assert call(package) == (20, 0)
    assert call(package) == (20, 1)
    (package / "terms.py").write_text(TERM.format(2))
    assert call(package) == (30, 0)  # numba alone says 20: the file of the kernel is as it was


@pytest.mark.parametrize(
    "line",
    [
        "from kit import step",
        "from kit.step import (\n    first,\n    second,\n)",
        "import kit.step",
        "def term(x):\n    from kit.step import first",
    ],
)
def test_the_digest_is_that_of_kernels_and_of_what_they_import_however_far(package, line):
    def digest(step, head):
        (package / "step.py").write_text(step)
        (package / "terms.py").write_text(head + TERM.format(1))
        return sources_digest(package)

    assert digest("first = 1", "") == digest("first = 2", "")  # nothing compiled looks at it
    assert digest("first = 1", f"{line}\n") != digest("first = 2", f"{line}\n")
    before = digest("first = 2", "")
    (package / "terms.py").rename(package / "renamed.py")
    assert sources_digest(package) != before


def test_without_sources_numba_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    assert keep_kernels(tmp_path) is None
    assert "NUMBA_CACHE_DIR" not in os.environ


def test_the_folder_lies_in_the_package_and_numba_knows_it_though_it_came_first(package):
    folder = keep_kernels(package)
    assert folder is not None and folder.is_dir()
    assert folder.parent == package / "__pycache__"
    assert os.environ["NUMBA_CACHE_DIR"] == numba.config.CACHE_DIR == str(folder)


def test_the_folder_lies_in_the_user_s_cache_where_the_package_cannot_be_written(package, tmp_path):
    (package / "__pycache__").touch()  # a file: no folder can be made there, not even by root
    folder = keep_kernels(package)
    assert folder is not None and folder.is_dir()
    assert folder.parent == tmp_path / "cache" / "racklet" / "kernels"
    assert keep_kernels(package) == folder  # as a process does that inherits the choice


def test_where_nothing_can_be_written_kernels_are_compiled_and_not_kept(package, tmp_path, monkeypatch):
    (package / "__pycache__").touch()
    (tmp_path / "cache").touch()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setenv("HOME", str(tmp_path / "cache"))  # numba would look there
    for _ in range(2):
        assert call(package) == (20, 0)
    assert list((tmp_path / "temporary").iterdir()) == []  # it went with the process


def test_a_folder_that_cannot_be_written_is_told_with_the_remedy(package, tmp_path, monkeypatch, caplog):
    (tmp_path / "mine").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "mine"))
    folder = keep_kernels(package)
    assert folder is not None and folder.is_dir()
    (told,) = caplog.messages
    assert str(tmp_path / "mine") in told and "Let NUMBA_CACHE_DIR name a folder" in told


def test_the_folder_lies_where_the_user_says(package, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "mine"))
    folder = keep_kernels(package)
    assert folder is not None and folder.parent == tmp_path / "mine"
    assert keep_kernels(package) == folder  # as a process does that inherits the choice
    (package / "terms.py").write_text(TERM.format(2))
    other = keep_kernels(package)
    assert other is not None and other != folder and other.parent == tmp_path / "mine"


def test_what_another_package_chose_for_itself_is_no_wish(package, tmp_path):
    keep_kernels(package)
    other = tmp_path / "other"
    other.mkdir()
    (other / "kernels.py").write_text(KERNEL)
    folder = keep_kernels(other)
    assert folder is not None and folder.parent == other / "__pycache__"


def test_the_oldest_folders_go_unless_a_process_holds_them(package):
    place = package / "__pycache__"
    old = [place / f"kernels-{number:016x}" for number in range(KEPT + 3)]
    for age, folder in enumerate(old):
        (folder / "airflow_1").mkdir(parents=True)
        (folder / "airflow_1" / "kernel.nbc").touch()
        os.utime(folder, (1e9 - age, 1e9 - age))
    (place / "kernels-notes").mkdir()
    handle = os.open(old[-1], os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)  # as a process that runs does
        own = keep_kernels(package)
        stay = {own, old[-1], place / "kernels-notes", *old[: KEPT - 1]}
        assert set(place.iterdir()) == stay
    finally:
        os.close(handle)
    (package / "terms.py").write_text(TERM.format(2))
    later = keep_kernels(package)  # the process that held one has ended, and this one holds two
    assert set(place.iterdir()) == {own, later, place / "kernels-notes", *old[: KEPT - 2]}


def test_the_solvers_keep_theirs_so():
    program = "import solvers, numba; from solvers.airflow import kernels as k; "
    program += "print(numba.config.CACHE_DIR, k.project._cache.cache_path)"
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    chosen, used = (Path(word) for word in done.stdout.split())
    digest = sources_digest(ROOT / "solvers")
    assert digest is not None and chosen.name == f"kernels-{digest[:16]}"
    assert used.parent == chosen
