"""The live system end to end: it starts, follows, decides, and survives a kill -9 of each part."""

from __future__ import annotations

import itertools
import os
import signal
import stat
import time

import pytest

from twin.runtime.historian import Historian

pytestmark = pytest.mark.live

SETTLED = ("live", "degraded")


def test_it_is_live_with_every_agent(live_system):
    health = live_system.until(
        lambda: (h := live_system.health())["status"] == "live" and h["agents"]["alive"] == 12 and h,
        30,
        "live with 12 agents",
    )
    assert health["agents"]["expected"] == 12
    assert health["cells"] >= 60_000
    assert health["data_age_s"] < 3.0
    assert health["real_time_factor"] >= 1.0
    assert live_system.ready["wall_s"] < 120.0


def test_snapshots_come_at_two_hertz(live_system):
    first = live_system.get("/api/snapshot")
    time.sleep(5.0)
    last = live_system.get("/api/snapshot")
    rate = (last["sequence"] - first["sequence"]) / (last["wall"] - first["wall"])
    assert rate > 1.8
    assert last["lag_s"] < 2.0


def test_the_twin_is_compared_with_the_plants_sensors(live_system):
    snapshot = live_system.until(
        lambda: (s := live_system.get("/api/snapshot"))["twin_error_k"] is not None and s, 20, "an error"
    )
    compared = [s for s in snapshot["sensors"].values() if s["error"] is not None]
    assert len(compared) > 60
    assert any(abs(s["error"]) > 1e-3 for s in compared), "the plant is not the twin"
    assert snapshot["twin_error_k"] < 5.0


def test_the_state_folder_is_private(live_system):
    assert stat.S_IMODE(live_system.state.stat().st_mode) == 0o700
    keys = list((live_system.state / "identities").rglob("*key*"))
    assert keys
    assert all(stat.S_IMODE(key.stat().st_mode) & 0o077 == 0 for key in keys)


def test_the_loop_decides_and_keeps_its_decisions(live_system):
    decisions = live_system.until(lambda: live_system.get("/api/decisions"), 90, "a decision")
    decision = decisions[-1]
    assert decision["mode"] == "auto"
    assert decision["baseline"] is not None or decision["state"] == "refused"


def restarted(system, name, before):
    now = system.processes()[name]
    return now["running"] and now["restarts"] > before and now["pid"]


@pytest.mark.parametrize("name", ["agent-K05", "web", "plant", "twin"])
def test_a_killed_process_comes_back_and_the_others_go_on(live_system, name):
    live_system.until(lambda: live_system.health()["status"] in SETTLED, 60, "live before the kill")
    before = live_system.processes()
    os.kill(before[name]["pid"], signal.SIGKILL)
    live_system.until(lambda: restarted(live_system, name, before[name]["restarts"]), 15, f"{name} again")
    live_system.until(
        lambda: (h := live_system.health())["status"] in SETTLED and h["agents"]["alive"] == 12,
        45,
        f"live after {name} came back",
    )
    after = live_system.processes()
    for other in before.keys() - {name}:
        assert after[other]["pid"] == before[other]["pid"], f"{other} did not go on"


def test_a_killed_agent_is_shown(live_system):
    live_system.until(lambda: live_system.health()["status"] == "live", 60, "live before the kill")
    pid = live_system.processes()["agent-K07"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        live_system.until(
            lambda: live_system.get("/api/snapshot")["agents"]["names"].get("K07") is False, 15, "K07 away"
        )
        assert live_system.health()["agents"]["alive"] == 11
    finally:
        os.kill(pid, signal.SIGCONT)
    live_system.until(lambda: live_system.health()["agents"]["alive"] == 12, 20, "K07 back")


def test_history_has_no_hole_but_the_outage(live_system):
    end = time.time()
    store = Historian(live_system.state / "history.db", read_only=True)
    curve = store.series(["R02.power"], end - 15.0, end - 1.0, buckets=2000)["R02.power"]["measured"]
    store.close()
    times = [t for t, _ in curve]
    assert len(times) >= 10
    assert max(b - a for a, b in itertools.pairwise(times)) < 3.0
