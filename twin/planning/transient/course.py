"""The course of a room through its events: what everything runs at between two instants, and its geometry."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from solvers.airflow.case import UnitInputs
from twin.model.operating import CoolantSettings, Operating
from twin.model.scene import Scene
from twin.model.schema import Containment, Layout, Opening, Panel
from twin.planning.transient.events import (
    Ambient,
    BranchValve,
    ContainmentSwitch,
    CoolantLeak,
    CoolerFan,
    CoolerRestart,
    CoolerSetPoint,
    CoolerTrip,
    Door,
    DuctFan,
    FacilityWater,
    FilterClogs,
    PumpRestart,
    PumpTrip,
    RackletFan,
    RackletPump,
    RackPower,
    RackShutdown,
    RackStart,
    Script,
    TileChange,
)

STOPPED = 6.0
"""Time constants after which a coasting fan stands still: it has 0.25 % of its speed left. [1]"""
TIGHT = 1e7
"""Loss coefficient of a blocked tile or a shut opening: under 20 Pa it lets 2 mm/s through. [1]"""


class Profile:
    """A quantity over time: constant, linear ramps and exponential decays, one after the other.

    Parameters
    ----------
    start : float    Value at time 0 and before the first change.
    """

    def __init__(self, start: float) -> None:
        self._pieces: list[tuple[float, float, float, float]] = [(0.0, start, start, 0.0)]
        # begin, value there, value aimed at, length: > 0 a ramp, < 0 minus the time constant of a decay

    def ramp(self, at: float, target: float, over: float) -> None:
        """Go to a value from ``at`` on; a change still under way is left where it stands."""
        self._pieces.append((at, self.value(at), target, over))

    def decay(self, at: float, time_constant: float) -> None:
        """Decay to 0 from ``at`` on; at once without a time constant."""
        self._pieces.append((at, self.value(at), 0.0, -time_constant))

    def value(self, at: float) -> float:
        """Return the value at a time; at a step that after it."""
        begin, start, target, length = self._pieces[self._index(at)]
        passed = at - begin
        if length < 0.0:
            return start * math.exp(passed / length) if passed < -STOPPED * length else 0.0
        return target if passed >= length else start + (target - start) * passed / length

    def mean(self, begin: float, end: float) -> float:
        """Return the mean over an interval, exact for every kind of change."""
        if end <= begin:
            return self.value(begin)
        total, at = 0.0, begin
        for n in range(self._index(begin), len(self._pieces)):
            until = min(end, self._pieces[n + 1][0]) if n + 1 < len(self._pieces) else end
            if until > at:
                total += self._integral(self._pieces[n], at, until)
                at = until
        return total / (end - begin)

    def changing(self, at: float) -> bool:
        """Tell whether a ramp or a decay is under way just after a time."""
        begin, start, target, length = self._pieces[self._index(at)]
        reach = length if length >= 0.0 else -STOPPED * length
        return start != target and at - begin < reach

    def bends(self) -> list[float]:
        """Return the times at which something begins or ends."""
        ends = [begin + (length if length > 0.0 else -STOPPED * length) for begin, *_, length in self._pieces]
        return [*(piece[0] for piece in self._pieces), *ends]

    def _index(self, at: float) -> int:
        return max(bisect_right(self._pieces, at, key=lambda piece: piece[0]) - 1, 0)

    @staticmethod
    def _integral(piece: tuple[float, float, float, float], a: float, b: float) -> float:
        begin, start, target, length = piece
        if length < 0.0:
            stop = begin - STOPPED * length
            a, b = min(a, stop), min(b, stop)
            return start * length * (math.exp((b - begin) / length) - math.exp((a - begin) / length))
        knee = min(max(begin + length, a), b)
        ramp = 0.0
        if knee > a:
            slope = (target - start) / length
            ramp = (knee - a) * (start + slope * (0.5 * (a + knee) - begin))
        return ramp + (b - knee) * target


@dataclass(frozen=True)
class Shape:
    """What of the geometry events change: by id, whether open, whether enabled, the tile's state.

    ``ducts`` are those that events switch, in every shape: whether they run is no matter of geometry.
    """

    doors: Mapping[str, bool] = field(default_factory=dict)
    containments: Mapping[str, bool] = field(default_factory=dict)
    tiles: Mapping[str, str] = field(default_factory=dict)
    ducts: frozenset[str] = frozenset()


class Course:
    """What a script does to a layout over time.

    Parameters
    ----------
    layout : Layout
    script : Script    Sorted, its names checked.
    """

    def __init__(self, layout: Layout, script: Script) -> None:
        nominal = Operating.nominal(layout)
        self._layout = layout
        self._power = {name: Profile(power) for name, power in nominal.rack_power.items()}
        self._slot = {(rack.id, k): Profile(1.0) for rack in layout.racks for k in range(len(rack.slots))}
        self._fan = {name: Profile(speed) for name, speed in nominal.fan_speed.items()}
        self._pump = {name: Profile(speed) for name, speed in nominal.pump_speed.items()}
        self._set_point = {name: Profile(T) for name, T in nominal.cooler_supply_temperature.items()}
        self._speed = {name: Profile(speed) for name, speed in nominal.cooler_fan_speed.items()}
        self._running = {name: Profile(float(name not in nominal.failed)) for name in self._speed}
        self._coil = {name: Profile(float(name not in nominal.failed)) for name in self._speed}
        self._duct = {duct.id: Profile(float(not duct.failed)) for duct in layout.ducts}
        self._ambient = Profile(layout.air.ambient_temperature)
        cdus = [loop.cdu for loop in layout.loops]
        takers = [taker for loop in layout.loops for taker in loop.takers]
        self._drive = {pump.id: Profile(1.0) for cdu in cdus for pump in cdu.pumps}
        self._valve = {taker.id: Profile(taker.valve_open) for taker in takers}
        self._leak = {taker.id: Profile(0.0) for taker in takers}
        self._facility = {cdu.id: Profile(cdu.facility.supply_temperature) for cdu in cdus}
        self._clogged = {cdu.id: Profile(cdu.filter.clogged) for cdu in cdus}
        self.shapes: list[tuple[float, Shape]] = [(0.0, _first_shape(layout, script))]
        for event in script.events:
            self._add(event)
        flows = (self._fan, self._speed, self._running, self._power, self._slot, self._duct)
        self._flows = [profile for group in flows for profile in group.values()]
        rest = [*self._pump.values(), *self._set_point.values(), *self._coil.values(), self._ambient]
        coolant = (self._drive, self._valve, self._leak, self._facility, self._clogged)
        rest += [profile for group in coolant for profile in group.values()]
        bends = {bend for profile in (*self._flows, *rest) for bend in profile.bends()}
        bends |= {at for at, _ in self.shapes} | {event.at for event in script.events}
        self.bends = sorted(bend for bend in bends if bend > 0.0)
        """Times at which something begins or ends; no interval of constant inputs reaches over one. [s]"""

    def shape(self, at: float) -> int:
        """Return the number of the shape at a time, the index in ``shapes``."""
        return bisect_right([begin for begin, _ in self.shapes], at) - 1

    def flows_change(self, at: float) -> bool:
        """Tell whether a fan is on its way from one speed to another just after a time."""
        return any(profile.changing(at) for profile in self._flows)

    def operating(self, begin: float, end: float) -> Operating:
        """Return the means over an interval; coolers that are down by their fan speed, none as failed."""

        def means(profiles: Mapping[str, Profile]) -> dict[str, float]:
            return {name: profile.mean(begin, end) for name, profile in profiles.items()}

        running = means(self._running)
        return Operating(
            rack_power=means(self._power),
            fan_speed=means(self._fan),
            pump_speed=means(self._pump),
            cooler_supply_temperature=means(self._set_point),
            cooler_fan_speed={name: speed * running[name] for name, speed in means(self._speed).items()},
            failed=frozenset(name for name, runs in means(self._duct).items() if runs == 0.0),
            ambient_temperature=self._ambient.mean(begin, end),
        )

    def inputs(
        self, scene: Scene, begin: float, end: float, follow: Callable[[Operating], UnitInputs]
    ) -> UnitInputs:
        """Return what the units do over an interval.

        Parameters
        ----------
        scene : Scene
        begin, end : float    [s]
        follow : callable
            Gives the units' inputs for an operating point, fans at the temperatures and pressures of now.
        """
        inputs = follow(self.operating(begin, end))
        V_flow, Q_flow = inputs.V_flow.copy(), inputs.Q_flow.copy()
        for rack, units in scene.rack_units.items():
            factors = np.array([self._slot[rack, k].mean(begin, end) for k in range(len(units))])
            if (factors < 1.0).any():
                flow = V_flow[list(units)].sum()
                V_flow[list(units)] *= factors
                Q_flow[list(units)] *= factors
                if rack in scene.leakage_units and flow > 0.0:
                    V_flow[scene.leakage_units[rack]] *= V_flow[list(units)].sum() / flow
        Q_max = inputs.Q_max.copy()
        for cooler, unit in scene.cooler_units.items():
            if self._coil[cooler].mean(begin, end) == 0.0:
                Q_max[unit] = 0.0
        return inputs._replace(V_flow=V_flow, Q_flow=Q_flow, Q_max=Q_max)

    def coolant(self, begin: float, end: float) -> CoolantSettings:
        """Return what happens to the coolant loops over an interval."""
        return CoolantSettings(
            drive={name: profile.mean(begin, end) > 0.5 for name, profile in self._drive.items()},
            valve={name: profile.mean(begin, end) for name, profile in self._valve.items()},
            leak={name: profile.mean(begin, end) for name, profile in self._leak.items()},
            facility={name: profile.mean(begin, end) for name, profile in self._facility.items()},
            fouling={
                name: 1 / (1 - profile.mean(begin, end)) ** 2 for name, profile in self._clogged.items()
            },
        )

    def rack_power(self, rack: str, at: float) -> float:
        """Electric power that a rack draws at a time, slots that are off left out. [W]."""
        parts = self._layout.rack(rack).slot_powers
        whole = sum(parts)
        on = sum(part * self._slot[rack, k].value(at) for k, part in enumerate(parts))
        return self._power[rack].value(at) * (on / whole if whole > 0.0 else 1.0)

    def cooler_speed(self, cooler: str, at: float) -> float:
        """Fan speed of a cooler at a time, coasting or running up included. [1]."""
        return self._speed[cooler].value(at) * self._running[cooler].value(at)

    # -- events ----------------------------------------------------------------------------------------------

    def _add(self, event: object) -> None:
        match event:
            case RackPower():
                self._power[event.rack].ramp(event.at, event.power, event.over)
            case RackShutdown() | RackStart():
                wanted = 0.0 if isinstance(event, RackShutdown) else 1.0
                for (rack, k), profile in self._slot.items():
                    if rack == event.rack and event.slot in (None, k + 1):
                        profile.ramp(event.at, wanted, 0.0)
            case RackletFan():
                self._fan[event.racklet].ramp(event.at, event.speed, event.over)
            case RackletPump():
                self._pump[event.racklet].ramp(event.at, event.speed, event.over)
            case CoolerTrip():
                self._running[event.cooler].decay(event.at, self._layout.cooler(event.cooler).coast_down)
                self._coil[event.cooler].ramp(event.at, 0.0, 0.0)
            case CoolerRestart():
                self._running[event.cooler].ramp(event.at, 1.0, event.over)
                self._coil[event.cooler].ramp(event.at, 1.0, 0.0)
            case CoolerSetPoint():
                self._set_point[event.cooler].ramp(event.at, event.temperature, event.over)
            case CoolerFan():
                self._speed[event.cooler].ramp(event.at, event.speed, event.over)
            case DuctFan():
                self._duct[event.duct].ramp(event.at, float(event.running), 0.0)
            case PumpTrip() | PumpRestart():
                self._drive[event.pump].ramp(event.at, float(isinstance(event, PumpRestart)), 0.0)
            case BranchValve():
                self._valve[event.branch].ramp(event.at, event.open, 0.0)
            case CoolantLeak():
                self._leak[event.branch].ramp(event.at, event.area, 0.0)
            case FacilityWater():
                self._facility[event.cdu].ramp(event.at, event.temperature, event.over)
            case FilterClogs():
                self._clogged[event.cdu].ramp(event.at, event.clogged, event.over)
            case Ambient():
                self._ambient.ramp(event.at, event.temperature, event.over)
            case Door() | ContainmentSwitch() | TileChange():
                self._reshape(event)

    def _reshape(self, event: Door | ContainmentSwitch | TileChange) -> None:
        _, last = self.shapes[-1]
        match event:
            case Door():
                shape = replace(last, doors={**last.doors, event.door: event.open})
            case ContainmentSwitch():
                switched = {**last.containments, event.containment: event.enabled}
                shape = replace(last, containments=switched)
            case TileChange():
                shape = replace(last, tiles={**last.tiles, event.tile: event.state})
        if self.shapes[-1][0] == event.at:
            self.shapes[-1] = (event.at, shape)
        elif shape != last:
            self.shapes.append((event.at, shape))


def shaped(layout: Layout, shape: Shape) -> Layout:
    """Return the layout in a shape, on the same grid lines in every shape of one course.

    What an event touches stays in the layout with its lines: an open door or a containment that is away as a
    panel without resistance, a shut opening and a blocked tile with a resistance that stops nearly all air.
    """

    def panel(item: Panel, away: bool) -> Panel:
        if away or shape.doors.get(item.id, False):
            return item.model_copy(
                update={"open": False, "loss_coefficient": 0.0, "leakage": 0.0, "open_area": 0.0,
                        "cutouts": ()}
            )  # fmt: skip
        return item.model_copy(update={"open": False}) if item.id in shape.doors else item

    def containment(group: Containment) -> Containment:
        enabled = shape.containments.get(group.id, group.enabled)
        touched = group.id in shape.containments or any(item.id in shape.doors for item in group.panels)
        if not touched:
            return group
        kept = (item for item in group.panels if enabled or not item.open or item.id in shape.doors)
        panels = tuple(panel(item, away=not enabled) for item in kept)
        return group.model_copy(update={"enabled": True, "panels": panels})

    def opening(item: Opening) -> Opening:
        if item.id not in shape.doors:
            return item
        if shape.doors[item.id]:
            return item.model_copy(update={"open": True})
        tight = item.model_copy(update={"open": False}).loss
        return item.model_copy(update={"open": True, "loss_coefficient": TIGHT if tight is None else tight})

    tiles = []
    for tile in layout.tiles:
        state = shape.tiles.get(tile.id, "normal")
        change = {
            "blocked": {"loss_coefficient": TIGHT},
            "removed": {"loss_coefficient": 0.0, "open_area": 1.0},
        }
        tiles.append(tile.model_copy(update=change[state]) if state in change else tile)
    return layout.model_copy(
        update={
            "containments": tuple(containment(group) for group in layout.containments),
            "panels": tuple(panel(item, away=False) for item in layout.panels),
            "openings": tuple(opening(item) for item in layout.openings),
            "tiles": tuple(tiles),
            "ducts": tuple(
                duct.model_copy(update={"failed": False}) if duct.id in shape.ducts else duct
                for duct in layout.ducts
            ),
        }
    )


def _first_shape(layout: Layout, script: Script) -> Shape:
    """Return the shape before the first event; it names everything that an event will touch."""
    panels = [item for group in layout.containments for item in group.panels] + list(layout.panels)
    is_open = {item.id: item.open for item in (*panels, *layout.openings)}
    enabled = {group.id: group.enabled for group in layout.containments}
    doors = {event.door: is_open[event.door] for event in script.events if isinstance(event, Door)}
    switched = {
        event.containment: enabled[event.containment]
        for event in script.events
        if isinstance(event, ContainmentSwitch)
    }
    tiles = {event.tile: "normal" for event in script.events if isinstance(event, TileChange)}
    ducts = frozenset(event.duct for event in script.events if isinstance(event, DuctFan))
    return Shape(doors, switched, tiles, ducts)
