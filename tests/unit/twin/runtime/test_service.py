"""The twin service follows readings, survives a clock that is set, and says what it lacks."""

from __future__ import annotations

import threading
import time

import pytest

from twin.errors import OutsideError
from twin.model.load import example_layout, load_layout
from twin.ports import Reading
from twin.runtime.historian import Historian
from twin.runtime.service import TwinService
from twin.runtime.state import open_state


class Room:
    """A source of readings and a clock that a test can set."""

    def __init__(self, layout):
        self.layout = layout
        self.shift = 0.0
        self.silent = frozenset()

    def clock(self):
        return time.time() + self.shift

    def drain(self):
        now = self.clock()
        values = {f"{rack.id}.power": 3000.0 for rack in self.layout.racks}
        values |= {f"{cooler.id}.supply_temperature": 19.0 for cooler in self.layout.coolers}
        values |= {f"{rack.id}.inlet_temperature.middle": 20.0 for rack in self.layout.racks}
        return [
            Reading(point, value, now - 0.2) for point, value in values.items() if point not in self.silent
        ]

    def alive(self):
        return frozenset({"K01"})


class Loop:
    """An allocation loop that does nothing, or breaks."""

    def __init__(self):
        self.broken = False
        self.events = []

    def tick(self, now):
        if self.broken:
            raise ZeroDivisionError("a bug")

    def on_event(self, kind, detail=""):
        self.events.append((kind, detail))

    def approve(self, id):
        return {"id": id}

    reject = approve


@pytest.fixture(scope="module")
def layout():
    return load_layout(example_layout("one_rack"))


@pytest.fixture
def running(layout, tmp_path):
    room, loop, stop, failures = Room(layout), Loop(), threading.Event(), []
    service = TwinService(
        layout,
        open_state(tmp_path / "state"),
        room,
        cell=0.25,
        expected=frozenset({"K01", "K02"}),
        clock=room.clock,
    )

    def run():
        try:
            service.run(stop, loop)
        except OutsideError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield service, room, loop, failures, tmp_path / "state"
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def summary_when(service, condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while True:
        view = service.view()
        if view is not None and condition(view.summary):
            return view.summary
        assert time.monotonic() < deadline, view and {k: v for k, v in view.summary.items() if k != "sensors"}
        time.sleep(0.05)


def test_it_follows_the_clock_and_knows_its_error(running):
    service, room, *_ = running
    first = summary_when(service, lambda s: s["status"] == "live" and s["twin_error_k"] is not None)
    later = summary_when(service, lambda s: s["sequence"] > first["sequence"] + 5)
    assert later["time"] == pytest.approx(room.clock(), abs=1.5)
    assert later["agents"]["alive"] == 1
    assert later["agents"]["names"] == {"K01": True, "K02": False}


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_a_clock_that_is_set_moves_the_twin_with_it(running, step):
    service, room, *_ = running
    summary_when(service, lambda s: s["status"] == "live")
    room.shift = step
    after = summary_when(service, lambda s: abs(s["time"] - room.clock()) < 1.5 and s["status"] == "live")
    assert after["degraded"] is None
    assert after["skipped_s"] == 0.0
    assert summary_when(service, lambda s: s["sequence"] > after["sequence"] + 3)["data_age_s"] < 2.0


def test_missing_readings_are_named_and_all_missing_is_stale(running, layout):
    service, room, *_ = running
    summary_when(service, lambda s: s["status"] == "live")
    room.silent = frozenset({"C1.supply_temperature"})
    assert "C1.supply_temperature" in summary_when(service, lambda s: s["degraded"])["degraded"]
    room.silent |= {f"{rack.id}.power" for rack in layout.racks}
    summary_when(service, lambda s: s["status"] == "stale")


def test_what_was_read_is_in_the_historian_when_it_has_stopped(running):
    service, _, _, _, state = running
    summary_when(service, lambda s: s["sequence"] > 6)
    time.sleep(1.5)
    store = Historian(state / "history.db", read_only=True)
    now = time.time()
    curves = store.series(["R01.inlet_temperature.middle"], now - 60, now)["R01.inlet_temperature.middle"]
    store.close()
    assert len(curves["measured"]) >= 3
    assert len(curves["predicted"]) >= 1


def test_a_bug_in_the_loop_ends_the_service_so_that_it_is_started_again(running, recwarn):
    service, _, loop, failures, _ = running
    summary_when(service, lambda s: s["status"] == "live")
    threading.excepthook, kept = (lambda _: None), threading.excepthook
    loop.broken = True
    deadline = time.monotonic() + 10
    while not failures and time.monotonic() < deadline:
        time.sleep(0.05)
    threading.excepthook = kept
    assert "allocation loop ended" in str(failures[0])
