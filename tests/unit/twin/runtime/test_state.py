"""The state folder is private, has one owner, and its files are whole."""

from __future__ import annotations

import stat

import pytest

from twin.errors import OutsideError
from twin.files import write_atomically
from twin.runtime.state import default_state, open_state, read_json, sole_owner, write_json


def test_the_folder_and_its_parts_are_private(tmp_path):
    state = open_state(tmp_path / "a" / "b")
    for folder in (state.root, state.identities, state.run, state.logs):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "state").write_text("")
    with pytest.raises(OutsideError, match=r"state.*--state"):
        open_state(tmp_path / "state")


def test_a_second_owner_is_refused_and_told_who_has_it(tmp_path):
    state = open_state(tmp_path)
    with sole_owner(state), pytest.raises(OutsideError, match="already runs"), sole_owner(state):
        pass
    with sole_owner(state):
        pass


def test_what_cannot_be_written_leaves_the_old_content(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_torn_file_reads_as_nothing(tmp_path):
    (tmp_path / "x.json").write_text('{"a": ')
    assert read_json(tmp_path / "x.json") is None
    assert read_json(tmp_path / "missing.json") is None


def test_the_default_folder_is_named_by_the_layout():
    assert default_state("Two-row pod, v2").name == "two-row-pod-v2"
    assert default_state("++").name == "room"


def test_a_folder_that_holds_something_else_is_left_as_it_is(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    tmp_path.chmod(0o755)
    with pytest.raises(OutsideError, match="something else"):
        open_state(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_what_a_killed_writer_left_is_swept_and_what_is_being_written_is_not(tmp_path):
    state = open_state(tmp_path / "state")
    left = state.root / ".checkpoint.npz.1a2b3c4d.999999999"  # no process has such a number
    left.write_text("half")

    def write(file):
        open_state(tmp_path / "state")
        file.write(b"[1]")

    write_atomically(state.run / "ports.json", write)
    assert not left.exists()
    assert read_json(state.run / "ports.json") == [1]


def test_a_path_too_long_for_sockets_is_named(tmp_path):
    with pytest.raises(OutsideError, match="too long"):
        open_state(tmp_path / ("x" * 120))
    assert list(tmp_path.iterdir()) == []
