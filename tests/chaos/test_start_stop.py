"""Starting and stopping: Ctrl-C leaves nothing, a second start works at once, bad input starts nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

pytestmark = pytest.mark.live


def run_expecting_refusal(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "twin.cli", "run", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_ctrl_c_leaves_nothing_and_a_second_start_works_at_once(start_live, living, state_root):
    state = state_root / "stopping"
    first = start_live(state)
    first.wait_ready()
    assert len(living(state)) >= 16
    assert first.stop(signal.SIGINT) < 10.0
    assert first.process.returncode == 0
    assert living(state) == []
    assert not (state / "feed.sock").exists()

    second = start_live(state)
    second.wait_ready()
    assert second.health()["status"] in ("live", "degraded")
    second.stop()


def test_the_processes_end_with_a_killed_supervisor(start_live, living, state_root):
    state = state_root / "orphans"
    system = start_live(state)
    system.until(lambda: len(living(state)) >= 16, 60, "all processes")
    system.process.kill()
    system.until(lambda: not living(state), 20, "no orphan")


def test_a_port_in_use_is_named_before_anything_starts(state_root, living):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        state = state_root / "port"
        refused = run_expecting_refusal("pod_two_row", "--state", str(state), "--port", str(port))
    assert refused.returncode == 5
    assert str(port) in refused.stderr
    assert "--port" in refused.stderr
    assert living(state) == []


def test_a_state_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    refused = run_expecting_refusal("pod_two_row", "--state", str(tmp_path / "file"))
    assert refused.returncode == 5
    assert "--state" in refused.stderr


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("time,R01.power\n0,1000\n0,1100\n15,1200\n", "time"),
        ("time,R01.power\n30,1000\n15,1100\n45,1200\n", "time"),
        ("time,R01.power\n0,1000\n15,abc\n30,1200\n", "abc"),
        ("time,R99.power\n0,1000\n15,1100\n30,1200\n", "R99"),
    ],
)
def test_a_bad_trace_is_refused_with_file_and_fault(tmp_path, content, named):
    trace = tmp_path / "trace.csv"
    trace.write_text(content)
    state = tmp_path / "state"
    refused = run_expecting_refusal("pod_two_row", "--trace", str(trace), "--state", str(state))
    assert refused.returncode == 2
    assert "trace.csv" in refused.stderr
    assert named in refused.stderr
    assert not (state / "run" / "settings.json").exists()


def test_a_bad_layout_is_refused_with_all_faults(tmp_path):
    layout = tmp_path / "broken.yaml"
    layout.write_text("name: broken\nroom: {size: [4, 4, 3]}\nracks:\n- {id: A, postion: [9, 9]}\nsize: 3\n")
    refused = run_expecting_refusal(str(layout), "--state", str(tmp_path / "state"))
    assert refused.returncode == 2
    assert "postion" in refused.stderr
    assert "size" in refused.stderr
    assert os.listdir(tmp_path) == ["broken.yaml"]  # noqa: PTH208  # the names alone
