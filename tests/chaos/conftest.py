"""The whole live system as a user starts it, for tests that break it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

RUN = (sys.executable, "-m", "twin.cli", "run")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class LiveSystem:
    """``racklet run`` as a child process, with what a test asks of it."""

    def __init__(self, state: Path, *options: str, layout: str = "pod_two_row") -> None:
        self.state = state
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.errors = (state.parent / f"run-{port}.err").open("w+")
        self.process = subprocess.Popen(
            [*RUN, layout, "--state", str(state), "--port", str(port), "--json", *options],
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        self.started = time.monotonic()

    def wait_ready(self) -> dict:
        line = self.process.stdout.readline()
        assert line, f"it never became live:\n{Path(self.errors.name).read_text()}\n{self.tail()}"
        return json.loads(line) | {"wall_s": time.monotonic() - self.started}

    def tail(self) -> str:
        return "\n".join(
            f"--- {log.name}\n" + "\n".join(log.read_text().splitlines()[-8:])
            for log in sorted((self.state / "logs").glob("*.log"))
        )

    def health(self) -> dict:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=3) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)
        except OSError:
            return {"status": "unreachable"}

    def get(self, path: str):
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            return json.load(answer)

    def processes(self) -> dict:
        return json.loads((self.state / "run" / "processes.json").read_text())

    def until(self, condition, seconds: float, what: str):
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, (
                f"{what}: not within {seconds} s; {self.health()}\n{self.tail()}"
            )
            time.sleep(0.1)
        return found

    def stop(self, number: int = signal.SIGINT) -> float:
        """Stop as Ctrl-C does; return how long it took [s]."""
        begun = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(30)
        self.process.stdout.close()
        self.errors.close()
        return time.monotonic() - begun


def processes_of(state: Path) -> list[psutil.Process]:
    """Every process whose command line names the state folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(state) in line and process.pid != os.getpid() and process.info["status"] != "zombie":
            found.append(process)
    return found


@pytest.fixture(scope="session")
def state_root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("live")


@pytest.fixture(scope="module")
def live_system(state_root):
    """One system with racks that are too hot, in mode auto, shared by tests that look at it or break it."""
    trace = state_root / "hot.csv"
    power = [11_000 if rack in (3, 4, 9) else 6_000 for rack in range(1, 13)]
    lines = ["time," + ",".join(f"R{rack:02d}.power" for rack in range(1, 13))]
    lines += [f"{time}," + ",".join(map(str, power)) for time in range(0, 3600, 15)]
    trace.write_text("\n".join(lines))
    options = ("--mode", "auto", "--allocate-every", "20s", "--trace", str(trace))
    system = LiveSystem(state_root / "state", *options)
    system.ready = system.wait_ready()
    yield system
    system.stop()


@pytest.fixture
def start_live():
    """Start a system; whatever the test leaves running is stopped."""
    started = []

    def start(state: Path, *options: str, layout: str = "pod_two_row") -> LiveSystem:
        started.append(LiveSystem(state, *options, layout=layout))
        return started[-1]

    yield start
    for system in started:
        system.stop()


@pytest.fixture(scope="session")
def living():
    """Return the processes that work on a state folder."""
    return processes_of
