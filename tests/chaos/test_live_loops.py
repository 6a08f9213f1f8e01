"""A live row on a coolant loop: a pump that stops, a killed CDU agent, a killed twin."""

from __future__ import annotations

import os
import signal

import pytest

from hardware_sync.agent.panel import main as panel

pytestmark = pytest.mark.live


def test_a_stopped_pump_is_felt_and_the_loop_outlives_kills(start_live, tmp_path):
    state = tmp_path / "state"
    system = start_live(state, layout="liquid_row")
    system.ready = system.wait_ready()
    system.until(
        lambda: (h := system.health())["status"] == "live" and h["agents"]["alive"] == 7, 60, "seven agents"
    )

    def loop():
        return system.get("/api/snapshot")["loops"]["L1"]

    def sensor(point):
        return system.get("/api/snapshot")["sensors"][point]

    system.until(lambda: sensor("B01.chip_temperature")["error"] is not None, 30, "a comparison of chips")
    before = {p: sensor(p) for p in ("CDU1.coolant_flow", "B01.chip_temperature")}
    # the plant's pumps slip and its filter is clogged; its plates are not those of the layout
    assert 0.0 < before["CDU1.coolant_flow"]["error"] < 0.15 * before["CDU1.coolant_flow"]["measured"]
    assert abs(before["B01.chip_temperature"]["error"]) < 10.0
    assert loop()["findings"] == []

    assert panel([str(state), "L1P1.pump_speed", "0"]) == 0
    system.until(lambda: "pump L1P1 is down" in loop()["findings"], 60, "the twin hears of the pump")
    assert not loop()["pumps"]["L1P1"]["on"]
    for side in ("measured", "predicted"):
        system.until(
            lambda side=side: sensor("CDU1.coolant_flow")[side] < 0.85 * before["CDU1.coolant_flow"][side],
            30,
            f"less flow {side}",
        )

    for name in ("agent-CDU1", "twin"):
        was = system.processes()[name]
        os.kill(was["pid"], signal.SIGKILL)
        system.until(
            lambda name=name, was=was: system.processes()[name]["restarts"] > was["restarts"],
            30,
            f"{name} again",
        )
    # the twin goes on from its checkpoint, in which the pump stands
    system.until(
        lambda: (h := system.health())["status"] == "live" and h["agents"]["alive"] == 7, 90, "live again"
    )
    assert "pump L1P1 is down" in loop()["findings"]
    assert panel([str(state), "L1P1.pump_speed", "0.8"]) == 0
    system.until(lambda: loop()["findings"] == [], 60, "the pump runs again")
