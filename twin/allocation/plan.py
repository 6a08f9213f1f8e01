"""What the loop may do: moves of workloads and settings of cooling, as candidates and as ordered steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from twin.model.operating import Operating
from twin.units import kelvin

SUPPLY = "supply_temperature"
FAN = "fan_speed"
PUMP = "pump_speed"


@dataclass(frozen=True, slots=True)
class Move:
    """One workload from one rack to another.

    Attributes
    ----------
    workload, source, target : str
    power : float    Demand of the workload over the horizon. [W]
    """

    workload: str
    source: str
    target: str
    power: float

    def to_json(self) -> dict[str, Any]:
        """Return the form of the decision record."""
        return {
            "workload": self.workload, "from": self.source, "to": self.target, "power_w": round(self.power, 1)
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Move:
        """Read the form of the decision record."""
        return cls(data["workload"], data["from"], data["to"], float(data["power_w"]))


@dataclass(frozen=True, slots=True)
class Setting:
    """One writable point from one value to another, in the unit of the telemetry table.

    Attributes
    ----------
    point : str          ``C1.supply_temperature``, ``C1.fan_speed``, ``K01.pump_speed``, ...
    old, new : float     degC or fraction.
    """

    point: str
    old: float
    new: float

    @property
    def asset(self) -> str:
        """The cooler or racklet it belongs to."""
        return self.point.split(".", 1)[0]

    @property
    def quantity(self) -> str:
        """``supply_temperature``, ``fan_speed`` or ``pump_speed``."""
        return self.point.split(".", 1)[1]

    @property
    def cools(self) -> bool:
        """Whether the change is towards more cooling: colder supply, faster fan or pump."""
        return (self.new < self.old) == (self.quantity == SUPPLY)

    def to_json(self) -> dict[str, Any]:
        """Return the form of the decision record."""
        return {"point": self.point, "from": round(self.old, 4), "to": round(self.new, 4)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Setting:
        """Read the form of the decision record."""
        return cls(data["point"], float(data["from"]), float(data["to"]))


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to do, before it has been tried.

    Attributes
    ----------
    id : str             ``migrate``, ``cool``, ``save``, ...: what kind of answer it is.
    moves : tuple of Move
    settings : tuple of Setting
    why : str            What it is meant to achieve.
    """

    id: str
    moves: tuple[Move, ...] = ()
    settings: tuple[Setting, ...] = ()
    why: str = ""

    def power_change(self) -> dict[str, float]:
        """Change of every touched rack's power, in W."""
        change: dict[str, float] = {}
        for move in self.moves:
            change[move.source] = change.get(move.source, 0.0) - move.power
            change[move.target] = change.get(move.target, 0.0) + move.power
        return change

    def applied(self, operating: Operating) -> Operating:
        """Return the operating conditions with the moves made and the settings in force."""
        power = dict(operating.rack_power)
        for rack, change in self.power_change().items():
            power[rack] = max(0.0, power[rack] + change)
        supply = dict(operating.cooler_supply_temperature)
        cooler_fan = dict(operating.cooler_fan_speed)
        fan, pump = dict(operating.fan_speed), dict(operating.pump_speed)
        for setting in self.settings:
            if setting.quantity == SUPPLY:
                supply[setting.asset] = kelvin(setting.new)
            elif setting.quantity == FAN and setting.asset in cooler_fan:
                cooler_fan[setting.asset] = setting.new
            elif setting.quantity == FAN:
                fan[setting.asset] = setting.new
            else:
                pump[setting.asset] = setting.new
        return replace(
            operating,
            rack_power=power,
            fan_speed=fan,
            pump_speed=pump,
            cooler_supply_temperature=supply,
            cooler_fan_speed=cooler_fan,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan: settings that go out together, or moves that go out together."""

    settings: tuple[Setting, ...] = ()
    moves: tuple[Move, ...] = ()

    @property
    def name(self) -> str:
        """``cooling up``, ``migrations`` or ``cooling down``."""
        if self.moves:
            return "migrations"
        return "cooling up" if self.settings[0].cools else "cooling down"

    def undone(self) -> Step:
        """Return the step that takes this one back."""
        return Step(
            tuple(Setting(setting.point, setting.new, setting.old) for setting in self.settings),
            tuple(Move(move.workload, move.target, move.source, move.power) for move in self.moves),
        )


def steps_of(candidate: Candidate) -> tuple[Step, ...]:
    """Order a candidate: first more cooling, then the load, last less cooling."""
    up = tuple(setting for setting in candidate.settings if setting.cools)
    down = tuple(setting for setting in candidate.settings if not setting.cools)
    steps = (Step(settings=up), Step(moves=candidate.moves), Step(settings=down))
    return tuple(step for step in steps if step.settings or step.moves)
