"""A stand-in twin for the page's tests: a plausible field and summary, through the real feed and historian.

Run: ``python tests/browser/producer.py STATE [--cells N] [--rate HZ]``; ends on SIGTERM.
"""

from __future__ import annotations

import argparse
import math
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.browser.loops import Loops
from twin.model.catalog import band
from twin.ports import Reading
from twin.runtime.feed import FeedServer
from twin.runtime.historian import Historian

ROOM = (8.4, 6.6, 3.6)
FLOOR = 0.6
RACK = (0.6, 1.2, 2.0)
SUPPLY_C = 18.0
POWERS = {
    f"R{i:02d}": power
    for i, power in enumerate((4.2, 6.1, 9.8, 5.4, 7.0, 3.1, 5.0, 8.4, 12.6, 6.6, 4.9, 2.2), 1)
}
ZONES = {"bottom": 0.3, "middle": 1.0, "top": 1.75}


def boxes() -> list[dict[str, Any]]:
    """Two rows of six racks around a cold aisle of twelve tiles, a cooler at each end."""
    made = [_box("floor", "floor", (0, 0, FLOOR - 0.04), (ROOM[0], ROOM[1], FLOOR), "")]
    for i in range(6):
        x = 2.4 + 0.6 * i
        for row, (y, facing) in enumerate(((1.5, "+y"), (3.9, "-y"))):
            low = (x, y, FLOOR)
            made.append(
                _box(
                    f"R{i + 1 + 6 * row:02d}",
                    "rack",
                    low,
                    tuple(a + b for a, b in zip(low, RACK, strict=True)),
                    facing,
                )
            )
        for column in range(2):
            y = 2.7 + 0.6 * column
            made.append(
                _box(
                    f"T{2 * i + column + 1:02d}", "tile", (x, y, FLOOR - 0.04), (x + 0.6, y + 0.6, FLOOR), ""
                )
            )
    for rack in [box for box in made if box["kind"] == "rack"]:  # a 4U racklet below the top of each
        low, high = FLOOR + 37 * 0.04445, FLOOR + 41 * 0.04445
        lo, hi = (*rack["lo"][:2], low), (*rack["hi"][:2], high)
        made.append(_box(f"K{rack['name'][1:]}", "racklet", lo, hi, rack["facing"]))
    made.append(_box("C1", "cooler", (0.3, 2.4, FLOOR), (1.5, 4.2, FLOOR + 1.95), "+x"))
    made.append(_box("C2", "cooler", (7.2, 2.4, FLOOR), (8.1, 4.2, FLOOR + 1.95), "-x"))
    made.append(_box("D1", "panel", (2.4, 2.7, FLOOR), (2.4, 3.9, FLOOR + 2.0), ""))
    return made


def _box(name: str, kind: str, lo: tuple[float, ...], hi: tuple[float, ...], facing: str) -> dict[str, Any]:
    return {"name": name, "kind": kind, "lo": list(lo), "hi": list(hi), "facing": facing}


class Room:
    """The synthetic air: cold aisle, plumes behind racks, layers under the ceiling, slow eddies."""

    def __init__(self, cells: int) -> None:
        edge = (math.prod(ROOM) / cells) ** (1 / 3)
        counts = [max(4, round(length / edge)) for length in ROOM]
        self.lines = [np.linspace(0, length, count + 1) for length, count in zip(ROOM, counts, strict=True)]
        self.boxes = boxes()
        self.x, self.y, self.z = np.meshgrid(
            *[0.5 * (f[1:] + f[:-1]) for f in self.lines], indexing="ij", sparse=True
        )
        self.solid = np.zeros(counts, dtype=bool)
        for box in self.boxes:
            if box["kind"] in {"rack", "cooler"}:
                (x0, y0, z0), (x1, y1, z1) = box["lo"], box["hi"]
                self.solid |= (
                    (self.x > x0)
                    & (self.x < x1)
                    & (self.y > y0)
                    & (self.y < y1)
                    & (self.z > z0)
                    & (self.z < z1)
                )

    def temperature(self, time: float, heat: float = 1.0) -> np.ndarray:
        """Return the field float32[nx, ny, nz] [degC], NaN in solids."""
        x, y, z = self.x, self.y, self.z
        outside = 1 / (1 + np.exp(-(np.abs(y - 3.3) - 0.62) / 0.12))
        ends = 1 / (1 + np.exp(-(np.abs(x - 4.2) - 1.9) / 0.25))
        aisle = 1 - (1 - outside) * (1 - ends)
        spill = np.exp(-(((x - 3.9) / 0.55) ** 2)) * (1 + 0.15 * math.sin(time / 11))
        over = 1 / (1 + np.exp(-(z - FLOOR - 1.8 + 0.3 * spill) / 0.16))
        warm = 1 - (1 - aisle) * (1 - np.clip(0.6 + 0.35 * spill, 0, 0.98) * over)
        hot = 8.0 + 3.2 * (z - FLOOR) / 3
        plume = 0.0
        for box in self.boxes:
            if box["kind"] == "rack":
                middle = 0.5 * (box["lo"][0] + box["hi"][0])
                rear = box["lo"][1] - 0.25 if box["facing"] == "+y" else box["hi"][1] + 0.25
                height = FLOOR + 1.1 + 0.05 * math.sin(time / 7 + middle)
                plume = plume + POWERS[box["name"]] * 1.3 * np.exp(
                    -(((x - middle) / 0.38) ** 2) - ((y - rear) / 0.5) ** 2 - ((z - height) / 0.95) ** 2
                )
        eddies = sum(
            0.35 * np.sin(a * x + 0.3 * time + a) * np.sin(b * y - 0.4 * time) * np.cos(c * z + 0.2 * time)
            for a, b, c in ((3.1, 4.3, 2.2), (6.7, 5.1, 7.3), (11.0, 9.0, 12.0))
        )
        field = SUPPLY_C + 0.4 + warm * (hot * (1 + 0.35 * spill) * heat + eddies) + plume * heat
        field = np.where(z < FLOOR, SUPPLY_C - 0.2 + 0.1 * eddies, field).astype(np.float32)
        field[self.solid] = np.nan
        return field

    def at(self, field: np.ndarray, place: tuple[float, float, float]) -> float:
        """Return the nearest cell's value."""
        index = tuple(
            min(int(np.searchsorted(f, p)) - 1, f.size - 2) for f, p in zip(self.lines, place, strict=True)
        )
        return float(field[index])


def summary(
    room: Room, field: np.ndarray, sequence: int, now: float, noise: np.random.Generator, mode: str
) -> dict[str, Any]:
    """Build a summary of the shape the twin service sends."""
    racks, sensors = {}, {}
    for box in room.boxes:
        if box["kind"] != "rack":
            continue
        name, middle = box["name"], 0.5 * (box["lo"][0] + box["hi"][0])
        front = box["hi"][1] + 0.08 if box["facing"] == "+y" else box["lo"][1] - 0.08
        inlets = {zone: room.at(field, (middle, front, FLOOR + height)) for zone, height in ZONES.items()}
        measured = {zone: value + float(noise.normal(0.15, 0.12)) for zone, value in inlets.items()}
        for zone in ZONES:
            sensors[f"{name}.inlet_temperature.{zone}"] = {
                "predicted": inlets[zone],
                "measured": measured[zone],
                "error": inlets[zone] - measured[zone],
                "age_s": 0.6,
                "unit": "degC",
            }
        power = POWERS[name] * 1000 * (1 + 0.03 * math.sin(now / 9 + middle))
        mean = sum(inlets.values()) / 3
        liquid = 0.35 * power
        flow = 0.05 * power / 1000
        racks[name] = {
            "power_w": power,
            "air_flow": flow,
            "inlet_mean_c": mean,
            "inlet_max_c": max(inlets.values()),
            "outlet_mean_c": mean + (power - liquid) / (1206 * flow),
            "measured_inlet_max_c": max(measured.values()),
            "fan_speed": 0.62,
            "racklet": f"K{name[1:]}",
            "pump_speed": 0.5,
            "liquid_heat_w": liquid,
            "band": band(max(inlets.values())),
            "limits_c": [15.0, 18.0, 27.0, 32.0],
            "age_s": 0.6,
        }
    errors = [abs(sensor["error"]) for sensor in sensors.values()]
    it = sum(rack["power_w"] for rack in racks.values()) / 1000
    error = sum(errors) / len(errors)
    hottest = [rack["inlet_max_c"] for rack in racks.values()]
    processes = {
        name: {"running": True, "restarts": 0, "pid": 1, "cpu_percent": cpu}
        for name, cpu in (("twin", 61.0), ("plant", 38.0), ("web", 6.0))
    }
    processes |= {
        f"agent-K{i:02d}": {"running": True, "restarts": 0, "pid": 1, "cpu_percent": 0.7}
        for i in range(1, 13)
    }
    return {
        "sequence": sequence,
        "time": now,
        "wall": now,
        "layout": "pod_two_row",
        "cells": int(field.size),
        "real_time_factor": 1.0,
        "degraded": None,
        "status": "live",
        "mode": mode,
        "twin_error_k": error,
        "data_age_s": 0.6,
        "agents": {"alive": 12, "expected": 12, "names": {f"K{i:02d}": True for i in range(1, 13)}},
        "racks": racks,
        "sensors": sensors,
        "coolers": {
            name: {
                "supply_c": SUPPLY_C,
                "return_c": 29.4,
                "air_flow": 2.1,
                "cooling_w": it * 325,
                "fan_speed": 0.7,
                "age_s": 0.7,
            }
            for name in ("C1", "C2")
        },
        "kpis": {
            "max_inlet_c": max(hottest),
            "racks_over_27": sum(v > 27 for v in hottest),
            "it_kw": it,
            "cooling_kw": it * 0.65,
            "twin_error_k": error,
        },
        "decisions_sequence": 3,
        "processes": processes,
    }


def decisions(now: float) -> list[dict[str, Any]]:
    """One decision of each kind the page must be able to show."""
    move = {"workload": "w17", "from": "R09", "to": "R12", "power_w": 1800}
    setting = {"point": "C1.supply_temperature", "from": 18.0, "to": 17.0}
    tried = [
        {
            "id": "a",
            "moves": [move],
            "settings": [],
            "predicted": {"max_inlet_c": 26.4, "cooling_kw": 47.9},
            "verdict": "accepted",
            "why": "every inlet stays below 27 °C for 10 min",
            "horizon_s": 600,
            "wall_s": 4.1,
        },
        {
            "id": "b",
            "moves": [],
            "settings": [setting],
            "predicted": {"max_inlet_c": 26.9, "cooling_kw": 49.3},
            "verdict": "accepted",
            "why": "holds, but costs 1.4 kW more cooling",
            "horizon_s": 600,
            "wall_s": 4.0,
        },
        {
            "id": "c",
            "moves": [{**move, "to": "R08"}],
            "settings": [],
            "predicted": {"max_inlet_c": 28.3, "cooling_kw": 48.0},
            "verdict": "refused",
            "why": "R08 would reach 28.3 °C, above the limit of 27 °C",
            "horizon_s": 600,
            "wall_s": 4.2,
        },
    ]
    base = {
        "mode": "advise",
        "baseline": {"max_inlet_c": 28.1, "racks": {}},
        "critical": ["R09", "R03"],
        "receivers": ["R12", "R06", "R01"],
        "candidates": tried,
        "committed_at": None,
        "results": [],
        "observed": None,
    }
    return [
        {
            **base,
            "id": "d1",
            "time": now - 640,
            "trigger": "period",
            "state": "observed",
            "chosen": "b",
            "why": "Lower supply brought R09 under 27 °C without a move.",
            "committed_at": now - 600,
            "observed": {"time": now - 330, "max_inlet_c": 27.0, "racks": {}, "error_k": 0.14},
        },
        {
            **base,
            "id": "d2",
            "time": now - 340,
            "trigger": "period",
            "state": "refused",
            "chosen": None,
            "why": "Every candidate breaks a limit in the twin; nothing is changed.",
        },
        {
            **base,
            "id": "d3",
            "time": now - 40,
            "trigger": "event:R09 inlet above 27 °C",
            "state": "proposed",
            "chosen": "a",
            "why": "R09 is critical at 28.1 °C; R12 has 3.9 kW of free capacity and the coolest inlet.",
        },
    ]


def main() -> None:
    """Produce until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("state", type=Path)
    parser.add_argument("--cells", type=int, default=60_000)
    parser.add_argument("--rate", type=float, default=2.5)
    parser.add_argument("--history", type=float, default=400.0, help="seconds of past to make up")
    parser.add_argument("--degraded", default=None)
    parser.add_argument("--loops", type=Path, default=None, help="layout whose coolant loops run beside")
    arguments = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    room, noise, mode = Room(arguments.cells), np.random.default_rng(7), "advise"
    loops = None if arguments.loops is None else Loops(arguments.loops, arguments.state / "faults.json")

    def observed(air: Room, field: np.ndarray, sequence: int, now: float) -> dict[str, Any]:
        body = summary(air, field, sequence, now, noise, mode)
        wet = {"loops": {}, "sensors": {}} if loops is None else loops.summary(now, noise)
        return body | {"loops": wet["loops"], "sensors": body["sensors"] | wet["sensors"]}

    historian = Historian(arguments.state / "history.db")
    known = {record["id"]: record for record in decisions(time.time())}
    for record in known.values():
        historian.save_decision(record)

    def decide(state: str) -> Any:
        def handler(id: str) -> dict[str, Any]:
            if id not in known or known[id]["state"] != "proposed":
                raise KeyError(f"decision {id} is not waiting for an answer")
            known[id] = {**known[id], "state": state}
            historian.save_decision(known[id])
            server.publish("decision", {"decision": known[id]})
            return known[id]

        return handler

    server = FeedServer(
        arguments.state / "feed.sock",
        {
            "scene": room.boxes,
            "grid": dict(zip("xyz", [f.tolist() for f in room.lines], strict=True)),
            "layout": "pod_two_row",
            "version": "test",
        },
        {"approve": decide("approved"), "reject": decide("rejected")},
    )
    coarse = Room(4000)
    for back in np.arange(arguments.history, 0, -5.0):
        then = time.time() - float(back)
        store(historian, observed(coarse, coarse.temperature(then), 0, then))
    sequence = 0
    while not stop.wait(max(0.01, 1 / arguments.rate - 0.03)):
        sequence += 1
        now = time.time()
        field = room.temperature(now)
        body = observed(room, field, sequence, now) | {"degraded": arguments.degraded}
        server.publish_snapshot(body, field)
        if sequence % 3 == 0:
            store(historian, body)
    server.close()
    historian.close()


def store(historian: Historian, body: dict[str, Any]) -> None:
    """Keep what was measured and predicted, as the twin service does."""
    historian.append_readings(
        Reading(point, sensor["measured"], body["time"]) for point, sensor in body["sensors"].items()
    )
    historian.append_predictions(
        body["time"], {point: sensor["predicted"] for point, sensor in body["sensors"].items()}
    )


if __name__ == "__main__":
    main()
