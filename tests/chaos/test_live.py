"""The live system end to end: it starts, follows, decides, and survives a kill -9 of each part."""

from __future__ import annotations

import itertools
import os
import signal
import stat
import subprocess
import sys
import time

import psutil
import pytest

from twin.allocation.gate import TOLERANCE
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


def test_a_second_twin_on_the_same_state_folder_is_refused(live_system):
    command = [sys.executable, "-m", "twin.cli", "run", "pod_two_row", "--state", str(live_system.state)]
    refused = subprocess.run(
        [*command, "--port", "8057"], capture_output=True, text=True, timeout=120, check=False
    )
    assert refused.returncode == 5
    assert "already runs" in refused.stderr


def decided(system, *states):
    return [d for d in system.get("/api/decisions") if d["state"] in states and d["chosen"]]


def test_a_plan_is_tried_in_the_twin_and_committed(live_system):
    """The racks are too hot from the start: the first passes have something to do."""
    decision = live_system.until(
        lambda: decided(live_system, "committed", "observed"), 120, "a committed plan"
    )[-1]
    (chosen,) = [c for c in decision["candidates"] if c["id"] == decision["chosen"]]
    assert decision["mode"] == "auto"
    assert decision["critical"]
    assert chosen["verdict"] == "accepted"
    assert chosen["wall_s"] > 0.0
    # the gate lets no rack become hotter than it would be without the plan, but for what a mean is known by
    assert chosen["predicted"]["max_inlet_c"] < decision["baseline"]["max_inlet_c"] + TOLERANCE
    assert decision["results"]
    assert all(result["accepted"] for result in decision["results"])


def kill(system, name):
    """Kill a process and wait until the supervisor has started it again; return how things were before."""
    system.until(lambda: system.health()["status"] in SETTLED, 60, "live before the kill")
    before = system.processes()
    os.kill(before[name]["pid"], signal.SIGKILL)
    system.until(
        lambda: (now := system.processes()[name])["restarts"] > before[name]["restarts"] and now["running"],
        15,
        f"{name} again",
    )
    return before


def check_the_others_went_on(system, name, before):
    after = system.processes()
    for other in before.keys() - {name}:
        assert after[other]["pid"] == before[other]["pid"], f"{other} did not go on"


@pytest.mark.parametrize(
    ("process", "agent", "spoken"),
    [
        ("agent-K05", "K05", lambda s: s["racks"]["R05"]["age_s"]),
        ("agent-gateway", "gateway", lambda s: s["coolers"]["C1"]["age_s"]),
    ],
)
def test_a_killed_agent_comes_back(live_system, process, agent, spoken):
    before = kill(live_system, process)
    killed = time.time()
    live_system.until(
        lambda: (
            (s := live_system.get("/api/snapshot"))["agents"]["names"].get(agent)
            and spoken(s) is not None
            and s["wall"] - spoken(s) > killed
        ),
        20,
        f"{agent} speaks again",
    )
    check_the_others_went_on(live_system, process, before)


def test_a_killed_trial_worker_is_replaced(live_system):
    twin = psutil.Process(live_system.processes()["twin"]["pid"])

    def worker():
        alive = [child for child in twin.children() if child.status() != psutil.STATUS_ZOMBIE]
        return next((child for child in alive if "trial_worker" in " ".join(child.cmdline())), None)

    first = live_system.until(worker, 60, "a trial worker")
    first.kill()
    second = live_system.until(lambda: (w := worker()) and w.pid != first.pid and w, 90, "another worker")
    assert second.is_running()
    assert twin.is_running(), "the twin went on"


def test_a_killed_web_process_comes_back(live_system):
    before = kill(live_system, "web")
    live_system.until(lambda: live_system.health()["status"] in SETTLED, 30, "the page again")
    check_the_others_went_on(live_system, "web", before)


def test_a_killed_plant_comes_back(live_system):
    before = kill(live_system, "plant")
    killed = time.time()
    live_system.until(
        lambda: (s := live_system.get("/api/snapshot"))["wall"] - s["data_age_s"] > killed, 40, "new readings"
    )
    live_system.until(lambda: live_system.health()["status"] in SETTLED, 20, "live again")
    check_the_others_went_on(live_system, "plant", before)


def test_a_killed_twin_is_shown_and_comes_back(live_system):
    sequence = live_system.get("/api/snapshot")["sequence"]
    before = kill(live_system, "twin")
    live_system.until(lambda: live_system.health()["status"] == "stale", 15, "the page says stale")
    live_system.until(
        lambda: (h := live_system.health())["status"] in SETTLED and h["agents"]["alive"] == 12,
        45,
        "live again",
    )
    assert live_system.get("/api/snapshot")["sequence"] < sequence, "that is the old twin's"
    assert "continued from the checkpoint" in (live_system.state / "logs" / "twin.log").read_text()
    check_the_others_went_on(live_system, "twin", before)


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


def times_in_history(system, start, end):
    store = Historian(system.state / "history.db", read_only=True)
    curve = store.series(["R02.power"], start, end, buckets=2000)["R02.power"]["measured"]
    store.close()
    return [t for t, _ in curve]


def test_history_has_no_hole_but_the_outage(live_system):
    live_system.until(lambda: live_system.health()["status"] in SETTLED, 60, "live")
    begun = time.time()
    time.sleep(5.0)
    killed = time.time()
    os.kill(live_system.processes()["twin"]["pid"], signal.SIGKILL)
    live_system.until(lambda: live_system.health()["status"] == "stale", 15, "stale")
    live_system.until(lambda: live_system.health()["status"] in SETTLED, 45, "live again")
    back = time.time()
    time.sleep(6.0)
    before = times_in_history(live_system, begun, killed)
    after = times_in_history(live_system, back, time.time() - 1.0)
    for times, start, end in ((before, begun, killed), (after, back, time.time() - 1.0)):
        assert len(times) >= 4, "two readings a second"
        assert max(b - a for a, b in itertools.pairwise([start, *times, end])) < 3.0


def test_a_plan_is_compared_with_the_plant_also_after_a_kill_of_the_twin(live_system):
    decision = live_system.until(lambda: decided(live_system, "observed"), 240, "a plan compared")[-1]
    (chosen,) = [c for c in decision["candidates"] if c["id"] == decision["chosen"]]
    assert len(decision["observed"]["racks"]) == 12
    assert decision["observed"]["max_inlet_c"] == pytest.approx(chosen["predicted"]["max_inlet_c"], abs=5.0)
