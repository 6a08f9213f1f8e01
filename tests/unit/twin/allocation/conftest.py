"""A toy room for the loop's tests: layout, linear physics, telemetry, actuator and platform, all stated.

Physics, a test double for the air: inlet_r = supply + sum_s D[r, s] P_s + F (n - fan), instantly, with
D = 0.6 K/kW on the diagonal and 0.15 K/kW for direct neighbours, F = -6 K per unit of cooler fan speed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from twin.allocation.loop import AllocationLoop
from twin.errors import OutsideError
from twin.model.operating import Operating
from twin.model.schema import Layout
from twin.ports import Command, CommandResult, Quality, Reading, Workload
from twin.units import celsius, kelvin


def toy_loop(n: int) -> dict:
    """A loop with a branch B01, B02, ... to every racklet of the toy room."""
    pump = {"id": "L1P1", "design_flow": 5e-4 * n, "design_pressure": 1.2e5, "shutoff_pressure": 1.6e5}
    return {
        "id": "L1",
        "cdu": {
            "id": "CDU1", "pumps": [pump | {"power": 700}], "exchanger": {"ua": 5000},
            "facility": {"flow": 2.0},
        },
        "branches": [
            {
                "id": f"B{i:02d}", "racklet": f"K{i:02d}", "design_flow": 4e-4,
                "cold_plates": {"resistance": 0.002},
            }
            for i in range(1, n + 1)
        ],
    }  # fmt: skip


def make_layout(n: int = 4, rating: float = 12e3, kind: str = "air", *, looped: bool = False) -> Layout:
    return Layout.model_validate(
        {
            "name": "toy",
            "room": {"size": [8, 6, 3]},
            "racks": [
                {
                    "id": f"R{i:02d}", "position": [1 + 0.6 * i, 2], "facing": "+y", "power": 6000,
                    "rated_power": rating, "slots": [{"u_start": 1, "u_height": 40}],
                    "liquid_share": 0.3 if kind == "liquid" else 0.0,
                }
                for i in range(1, n + 1)
            ],
            "racklets": [
                {"id": f"K{i:02d}", "rack": f"R{i:02d}", "u_start": 1, "cooling_module": {"kind": kind}}
                for i in range(1, n + 1)
            ],
            "coolers": [
                {
                    "id": "C1", "position": [6, 0.2], "facing": "+y", "air_flow": 4.0, "capacity": 80000,
                    "supply_temperature": 18, "supply_face": "front",
                }
            ],
            "loops": [toy_loop(n)] if looped else [],
        }
    )  # fmt: skip


@dataclass
class Result:
    inlet_max: dict[str, float]
    inlet_peak: dict[str, float]
    cooler_power: dict[str, float]
    wall: float
    chip_over: dict[str, float] = field(default_factory=dict)


@dataclass
class Room:
    """The plant: what is really in force, with every role the loop needs."""

    layout: Layout
    loads: dict[str, list[float]]  # workload demands by home rack [W]
    idle: float = 2000.0
    now: float = 1000.0
    supply: float = 18.0
    fan: float = 0.7
    air_flow: float = 4.0
    pump: dict[str, float] = field(default_factory=dict)
    placement: dict[str, str] = field(default_factory=dict)
    age: dict[str, float] = field(default_factory=dict)
    quality: dict[str, Quality] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)
    refuse: set[str] = field(default_factory=set)
    stuck: set[str] = field(default_factory=set)
    twin_error: float | None = 0.3
    trial_wall: float = 1.0
    trial_broken: bool = False
    penalty: dict[str, float] = field(default_factory=dict)  # K per kW arriving at a rack, in trials only
    offset: float = 0.0  # K, the trial's bias against the plant
    loops_fault: str | None = None
    loops: dict = field(default_factory=dict)  # as in a snapshot's summary
    chip_over: dict[str, float] = field(default_factory=dict)  # K, by rack, in trials
    chip_rise: float = 0.0  # K per kW arriving at a rack
    chip_offset: dict[str, float] = field(default_factory=dict)  # K, by branch: the twin's less the plant's
    written: list[Command] = field(default_factory=list)
    moves: list[tuple[str, str, str]] = field(default_factory=list)
    trials: list[tuple[Operating, float]] = field(default_factory=list)
    saved: dict[str, dict] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.racks = [rack.id for rack in self.layout.racks]
        self.demand = {}
        for rack, demands in self.loads.items():
            for i, demand in enumerate(demands):
                self.demand[f"W{rack[1:]}.{i + 1}"] = demand
                self.placement.setdefault(f"W{rack[1:]}.{i + 1}", rack)
        n = len(self.racks)
        self.influence = 0.6e-3 * np.eye(n) + 0.15e-3 * (np.eye(n, k=1) + np.eye(n, k=-1))

    # physics
    def inlets(self, power: Mapping[str, float], supply: float, fan: float) -> dict[str, float]:
        vector = np.array([power[rack] for rack in self.racks])
        values = supply + self.influence @ vector - 6.0 * (fan - 0.7)
        return dict(zip(self.racks, values.tolist(), strict=True))

    def powers(self) -> dict[str, float]:
        power = dict.fromkeys(self.racks, self.idle)
        for load, rack in self.placement.items():
            power[rack] += self.demand[load]
        return power

    def hottest(self) -> float:
        return max(self.inlets(self.powers(), self.supply, self.fan).values())

    # view
    @property
    def latest(self) -> dict[str, Reading]:
        values = {f"{rack}.power": power for rack, power in self.powers().items()}
        for rack, inlet in self.inlets(self.powers(), self.supply, self.fan).items():
            values |= {
                f"{rack}.inlet_temperature.{p}": inlet - d
                for p, d in (("top", 0.0), ("middle", 0.5), ("bottom", 1.0))
            }
        values |= {"C1.supply_temperature": self.supply, "C1.air_flow": self.air_flow}
        return {
            point: Reading(
                point, value,
                self.now - self.age.get(point, self.age.get(point.split(".")[0], 1.0)),
                self.quality.get(point, Quality.GOOD),
            )
            for point, value in values.items()
        }  # fmt: skip

    @property
    def summary(self) -> dict:
        sensors = {point: {"error": self.offset} for point in self.latest if "inlet" in point}
        for branch, error in self.chip_offset.items():
            sensors[f"{branch}.chip_temperature"] = {"error": error}
        return {"sensors": sensors, "loops": self.loops, "loops_fault": self.loops_fault}

    @property
    def alive(self) -> frozenset[str]:
        return frozenset(racklet.id for racklet in self.layout.racklets) - self.away

    @property
    def operating(self) -> Operating:
        nominal = Operating.nominal(self.layout)
        return Operating(
            self.powers(),
            dict(nominal.fan_speed),
            dict(nominal.pump_speed) | self.pump,
            {"C1": kelvin(self.supply)},
            {"C1": self.fan},
        )

    # trial
    def freeze(self) -> None:
        if self.trial_broken:
            raise OutsideError("the worker died")

    def __call__(self, now: Operating, candidate: Operating, horizon: float) -> Result:
        self.trials.append((candidate, horizon))
        supply, fan = celsius(candidate.cooler_supply_temperature["C1"]), candidate.cooler_fan_speed["C1"]
        end = self.inlets(candidate.rack_power, supply, fan)
        for rack, penalty in self.penalty.items():
            end[rack] += penalty * max(0.0, candidate.rack_power[rack] - now.rack_power[rack]) / 1e3
        heat = sum(candidate.rack_power.values())
        return Result(
            {rack: kelvin(value + self.offset) for rack, value in end.items()},
            {rack: kelvin(value + self.offset) for rack, value in end.items()},
            {"C1": heat},
            self.trial_wall,
            {
                rack: over + self.chip_rise * (candidate.rack_power[rack] - now.rack_power[rack]) / 1e3
                for rack, over in self.chip_over.items()
            },
        )  # fmt: skip

    # actuator
    def write(self, commands: Sequence[Command]) -> list[CommandResult]:
        results = []
        for command in commands:
            if command.point in self.refuse:
                results.append(CommandResult(command.id, False, "the guard says no"))
                continue
            self.written.append(command)
            self.log.append(f"{command.point}={command.value:g}")
            if command.point == "C1.supply_temperature":
                self.supply = command.value
            elif command.point == "C1.fan_speed":
                self.fan = command.value
            elif command.point.endswith("pump_speed"):
                self.pump[command.point.split(".")[0]] = command.value
            results.append(CommandResult(command.id, True))
        return results

    # platform
    def workloads(self) -> list[Workload]:
        return [Workload(id, rack, self.demand[id], self.demand[id]) for id, rack in self.placement.items()]

    def migrate(self, moves: Mapping[str, str], reason: str) -> list[CommandResult]:
        results = []
        for load, target in moves.items():
            if load in self.stuck:
                results.append(CommandResult(load, False, "cannot be moved"))
                continue
            if self.placement[load] != target:
                self.moves.append((load, self.placement[load], target))
                self.log.append(f"{load}->{target}")
            self.placement[load] = target
            results.append(CommandResult(load, True))
        return results

    def save(self, decision: dict) -> None:
        self.saved[decision["id"]] = decision

    def loop(self, **options) -> AllocationLoop:
        settings = {"mode": "auto", "period": 30.0} | options
        return AllocationLoop(
            self.layout, lambda: self, self, self, self, self.save, clock=lambda: self.now, **settings
        )

    def pass_time(self, loop: AllocationLoop, seconds: float) -> dict | None:
        self.now += seconds
        return loop.tick(self.now)


HOT = {"R01": [1000] * 3, "R02": [3000, 2500, 2000, 1500, 3500], "R03": [500, 500], "R04": [500]}
COOL = {"R01": [1000, 1000], "R02": [1000, 500], "R03": [500], "R04": [500]}


@pytest.fixture
def make_room():
    """A toy room by its loads: ``make_room(hot)``; with HOT, R02 is at 27.9 degC."""

    def make(
        loads: Mapping[str, list[float]] = HOT,
        kind: str = "air",
        rating: float = 12e3,
        *,
        looped: bool = False,
        **options,
    ) -> Room:
        layout = make_layout(max(4, len(loads)), rating, "liquid" if looped else kind, looped=looped)
        return Room(layout, dict(loads), **options)

    return make


@pytest.fixture
def hot_room(make_room) -> Room:
    return make_room(HOT)


@pytest.fixture
def cool_room(make_room) -> Room:
    return make_room(COOL)
