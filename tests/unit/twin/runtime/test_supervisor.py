"""The supervisor brings back what dies and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import psutil
import pytest

from twin.runtime.state import open_state, read_json
from twin.runtime.supervisor import ProcessSpec, Supervisor

SLEEPER = ProcessSpec("sleeper", ("-c", "import time; time.sleep(600)"))
PARENT = ProcessSpec(
    "parent",
    (
        "-c",
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "time.sleep(600)",
    ),
)
STUBBORN = ProcessSpec(
    "stubborn", ("-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)")
)


def until(condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


@pytest.fixture
def supervise(tmp_path):
    running = []

    def start(*specs):
        events = []
        supervisor = Supervisor(specs, open_state(tmp_path / "state"), events.append)
        thread = threading.Thread(target=supervisor.run)
        thread.start()
        running.append((supervisor, thread))
        until(lambda: all(body["running"] for body in supervisor.status().values()))
        return supervisor, thread, events

    yield start
    for supervisor, thread in running:
        supervisor.stop()
        thread.join(10)


def test_a_killed_process_comes_back_and_is_reported(supervise):
    supervisor, _, events = supervise(SLEEPER)
    pid = supervisor.status()["sleeper"]["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: supervisor.status()["sleeper"]["pid"] not in (None, pid))
    assert supervisor.status()["sleeper"]["restarts"] == 1
    assert "sleeper was killed by SIGKILL" in events[0]


def test_children_of_a_killed_process_do_not_live_on(supervise):
    supervisor, _, _ = supervise(PARENT)
    process = psutil.Process(supervisor.status()["parent"]["pid"])
    until(process.children)
    child = process.children()[0]
    process.kill()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_stop_ends_everything_also_what_ignores_sigterm(supervise, tmp_path):
    supervisor, thread, _ = supervise(SLEEPER, PARENT, STUBBORN)
    parent = psutil.Process(supervisor.status()["parent"]["pid"])
    until(parent.children)
    time.sleep(0.3)  # the stubborn one needs a moment to become stubborn
    pids = [body["pid"] for body in supervisor.status().values()] + [parent.children()[0].pid]
    supervisor.stop()
    thread.join(10)
    assert not thread.is_alive()
    until(lambda: not any(psutil.pid_exists(pid) and _alive(pid) for pid in pids))
    status = read_json(tmp_path / "state" / "run" / "processes.json")
    assert not any(body["running"] for body in status.values())


def test_a_process_that_keeps_dying_is_not_started_in_a_frenzy(supervise):
    supervisor, _, _ = supervise(SLEEPER, ProcessSpec("dying", ("-c", "raise SystemExit(3)")))
    time.sleep(2.0)
    assert 1 <= supervisor.status()["dying"]["restarts"] <= 4


def test_processes_end_with_a_killed_supervisor(tmp_path):
    child = textwrap.dedent(
        """
        import time
        from twin.runtime.supervisor import die_with_parent
        die_with_parent()
        time.sleep(600)
        """
    )
    program = textwrap.dedent(
        f"""
        from pathlib import Path
        from twin.runtime.state import open_state
        from twin.runtime.supervisor import ProcessSpec, Supervisor
        Supervisor([ProcessSpec("child", ("-c", {child!r}))], open_state(Path({str(tmp_path)!r}))).run()
        """
    )
    supervisor = subprocess.Popen([sys.executable, "-c", program])
    until(lambda: (read_json(tmp_path / "run" / "processes.json") or {}).get("child", {}).get("pid"))
    pid = read_json(tmp_path / "run" / "processes.json")["child"]["pid"]
    time.sleep(1.0)  # past the child's imports
    supervisor.kill()
    supervisor.wait()
    until(lambda: not psutil.pid_exists(pid) or not _alive(pid))


def _stand_in_the_way(path):
    """Put a folder where the file belongs: a writer finds no place for it, as on a full disk."""
    path.unlink(missing_ok=True)
    try:
        path.mkdir()
    except FileExistsError:  # the supervisor was quicker
        return False
    return True


def _alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_full_disk_stops_nothing(supervise, tmp_path):
    supervisor, thread, events = supervise(SLEEPER)
    pid = supervisor.status()["sleeper"]["pid"]
    run = tmp_path / "state" / "run"
    until(lambda: _stand_in_the_way(run / "processes.json"))
    until(lambda: any("processes.json" in event for event in events))
    time.sleep(2.0)
    assert thread.is_alive()
    assert supervisor.status()["sleeper"]["pid"] == pid
    assert sum("processes.json" in event for event in events) == 1
    (run / "processes.json").rmdir()
    until((run / "processes.json").is_file)


def test_the_cpu_of_what_a_process_started_counts(supervise):
    busy = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'while True: pass'])"
    supervisor, _, _ = supervise(ProcessSpec("busy", ("-c", busy)))
    until(lambda: supervisor.status()["busy"]["cpu_percent"] > 20.0)
