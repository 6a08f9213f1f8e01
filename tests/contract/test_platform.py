"""The simulated platform over its socket, with its process killed in the middle of a move."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hardware_sync.platforms.emulated import EmulatedPlatform
from hardware_sync.platforms.simulated import SimulatedPlatform
from twin.errors import OutsideError

SERVER = """
import asyncio, sys, time
from pathlib import Path
from hardware_sync.platforms import emulated

class Load:
    def placement(self): return {"W1": "R1", "W2": "R1", "W3": "R2", "W4": "R2"}
    def movable(self, id): return id != "W4"
    def demand(self, now): return {"W1": 1000.0, "W2": 500.0, "W3": 2000.0, "W4": 100.0}
    def demand_ahead(self, now): return {"W1": 1100.0, "W2": 500.0, "W3": 1900.0, "W4": 100.0}
    def idle_power(self, rack): return 500.0
    def rating(self, rack): return 4000.0
    def racks(self): return ("R1", "R2", "R3")

async def main():
    state = Path(sys.argv[1])
    emulated.MIGRATION_BASE, emulated.MIGRATION_PER_WATT = float(sys.argv[2]), 0.0
    platform = emulated.EmulatedPlatform(state / "platform.json", Load(), time.time)
    await emulated.serve_platform(platform, state / "platform.sock")
    while True:
        platform.settle()
        await asyncio.sleep(0.02)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.fixture
def serve(tmp_path):
    processes = []

    def start(duration: float = 0.2) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", SERVER, str(tmp_path), str(duration)])
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def placement(platform: SimulatedPlatform) -> dict[str, str]:
    return {workload.id: workload.rack for workload in platform.workloads()}


def test_workloads_say_where_they_run_and_what_they_draw(serve, tmp_path):
    serve()
    (first, *_, last) = SimulatedPlatform(tmp_path).workloads()
    assert (first.id, first.rack, first.demand, first.demand_ahead, first.movable) == (
        "W1",
        "R1",
        1000.0,
        1100.0,
        True,
    )
    assert not last.movable
    assert (tmp_path / "platform.sock").stat().st_mode & 0o777 == 0o600


def test_a_move_takes_its_time_and_is_true_when_it_is_answered(serve, tmp_path):
    serve(0.5)
    platform = SimulatedPlatform(tmp_path)
    platform.workloads()
    started = time.monotonic()
    (result,) = platform.migrate({"W1": "R3"}, "test")
    assert result.accepted
    assert time.monotonic() - started >= 0.5
    assert placement(platform)["W1"] == "R3"
    (again,) = platform.migrate({"W1": "R3"}, "test")
    assert again.accepted
    assert "already" in again.message


def test_what_cannot_be_moved_is_refused_with_its_reason(serve, tmp_path):
    serve()
    platform = SimulatedPlatform(tmp_path)
    before = placement(platform)
    moves = {"W9": "R1", "W1": "R9", "W4": "R3", "W3": "R1"}
    results = platform.migrate(moves, "test")
    assert [result.id for result in results] == list(moves)
    said = [result.message for result in results]
    assert said[0] == "no workload 'W9'"
    assert said[1] == "no rack 'R9'"
    assert said[2] == "W4 is pinned to R2"
    assert results[3].accepted
    (full,) = platform.migrate({"W2": "R3"}, "test")
    assert full.accepted
    assert placement(platform) == {**before, "W3": "R1", "W2": "R3"}


def test_the_rating_of_a_rack_holds_with_moves_under_way(serve, tmp_path):
    serve()
    platform = SimulatedPlatform(tmp_path)
    # R2 draws 500 + 2000 + 100 W of 4000 W: W1 (1000) fits, W2 (500) with it does not
    first, second = platform.migrate({"W1": "R2", "W2": "R2"}, "test")
    assert first.accepted
    assert not second.accepted
    assert second.message == "R2 would draw 4100 W of its 4000 W with W2"


def test_a_move_under_way_goes_on_after_a_kill_and_its_caller_gets_the_answer(serve, tmp_path, eventually):
    process = serve(1.0)
    platform = SimulatedPlatform(tmp_path)
    assert placement(platform)["W1"] == "R1"
    results = []
    caller = threading.Thread(target=lambda: results.extend(platform.migrate({"W1": "R3"}, "test")))
    caller.start()
    state = tmp_path / "platform.json"
    eventually(lambda: json.loads(state.read_text())["migrations"])
    process.kill()
    process.wait()
    assert json.loads(state.read_text())["placement"]["W1"] == "R1"
    serve(1.0)
    caller.join(20)
    assert [result.accepted for result in results] == [True]
    assert placement(platform)["W1"] == "R3"


def test_a_finished_move_survives_a_kill(serve, tmp_path):
    process = serve(0.0)
    platform = SimulatedPlatform(tmp_path)
    assert platform.migrate({"W2": "R3"}, "test")[0].accepted
    process.kill()
    process.wait()
    serve(0.0)
    assert placement(platform) == {"W1": "R1", "W2": "R3", "W3": "R2", "W4": "R2"}


def test_a_platform_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OutsideError, match=r"platform\.sock"):
        SimulatedPlatform(tmp_path, timeout=0.3).migrate({"W1": "R1"}, "test")


def test_nonsense_on_the_socket_is_answered_and_survived(serve, tmp_path):
    serve()
    platform = SimulatedPlatform(tmp_path)
    platform.workloads()
    for line in (
        b"\xff\xfe\n",
        b"[]\n",
        b"{}\n",
        b'{"method": "dance"}\n',
        b'{"method": "migrate", "moves": 3}\n',
    ):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(tmp_path / "platform.sock"))
            connection.sendall(line)
            with connection.makefile("rb") as stream:
                assert "error" in json.loads(stream.readline())
    assert len(platform.workloads()) == 4


@pytest.mark.parametrize("content", ["{", "[]", '{"placement": {}}'])
def test_a_broken_state_file_is_named_and_kept(tmp_path, content):
    path = tmp_path / "platform.json"
    path.write_text(content)

    class Load:
        """A load of nothing."""

        placement = staticmethod(dict)
        racks = staticmethod(tuple)

    with pytest.raises(OutsideError, match=r"platform\.json"):
        EmulatedPlatform(Path(path), Load(), time.time)
    assert path.read_text() == content
