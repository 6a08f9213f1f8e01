"""What the loop sees before it decides: every rack and cooler, and which of them cannot be relied on."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from twin.allocation.plan import FAN, PUMP, SUPPLY
from twin.model.catalog import ASHRAE_CLASSES
from twin.model.operating import Operating, liquid_share
from twin.model.schema import Cooler, Layout, Loop, Rack, Racklet
from twin.ports import Quality, Reading, Workload
from twin.units import celsius, kelvin

INLET_POSITIONS = ("bottom", "middle", "top")
SPEED_TOLERANCE = 0.03  # between a speed and its set point: sensor noise
SET_POINT_TOLERANCE = 1.5  # K, between a supply temperature and its set point: sensor and control error
SATURATED = 0.9  # part of its capacity from which a cooler may be too weak to reach its set point


class View(Protocol):
    """What the twin service knows at one instant."""

    @property
    def latest(self) -> Mapping[str, Reading]:
        """Latest reading of every point."""
        ...

    @property
    def alive(self) -> frozenset[str]:
        """Agents (racklets, coolers) that are on the mesh."""
        ...

    @property
    def operating(self) -> Operating:
        """Operating conditions that the live twin runs on."""
        ...

    @property
    def summary(self) -> Mapping[str, Any]:
        """Summary of the last snapshot: the twin's error at every sensor under ``sensors``."""
        ...

    @property
    def twin_error(self) -> float | None:
        """Mean absolute error of the live twin at its temperature sensors, in K; None if unknown."""
        ...


@dataclass(frozen=True)
class RackSituation:
    """One rack as it is.

    Attributes
    ----------
    id : str
    power, power_ahead : float       Now, and forecast over the horizon. [W]
    rating, cooling_capacity : float    Most it may draw, most its racklet can cool; inf if unknown. [W]
    inlet_recommended, inlet_allowable : float   Upper ends of the ASHRAE class. [K]
    liquid_share : float             Part of its heat that sits under cold plates. [1]
    feed : str or None
    racklet : Racklet or None
    blind : str                      Why the rack cannot be acted upon; empty if it can.
    """

    id: str
    power: float
    power_ahead: float
    rating: float
    cooling_capacity: float
    inlet_recommended: float
    inlet_allowable: float
    liquid_share: float
    feed: str | None
    racklet: Racklet | None
    blind: str = ""

    @property
    def power_limit(self) -> float:
        """Most power that feed and racklet allow, in W."""
        return min(self.rating, self.cooling_capacity)


@dataclass(frozen=True)
class LoopSituation:
    """One coolant loop as it is.

    Attributes
    ----------
    racklets : frozenset of str    Whose cold plates hang on it.
    liquid_share : mapping         By rack: part of its power that sits under plates of this loop. [1]
    heat, pump_power : float       Given to the facility's water, drawn by the pumps. [W]
    """

    racklets: frozenset[str]
    liquid_share: Mapping[str, float]
    heat: float
    pump_power: float


@dataclass(frozen=True)
class Situation:
    """The room as it is.

    Attributes
    ----------
    time : float                 [s since epoch]
    racks : dict                 Rack id -> RackSituation, in the layout's order.
    coolers : dict               Cooler id -> Cooler, those that can be set.
    blind_coolers : dict         Cooler id -> why it cannot be set.
    workloads : tuple of Workload
    operating : Operating        As now, racks' power at their forecast.
    operating_now : Operating    As now.
    set_points : dict            Writable point -> value in force. [telemetry unit]
    feeds : dict                 Feed id -> capacity. [W]
    twin_error : float or None   [K]
    loops : dict                 Loop id -> LoopSituation.
    loop_fault : str             Why the twin's loops stand still; empty while they do not.
    """

    time: float
    racks: Mapping[str, RackSituation]
    coolers: Mapping[str, Cooler]
    blind_coolers: Mapping[str, str]
    workloads: tuple[Workload, ...]
    operating: Operating
    operating_now: Operating
    set_points: Mapping[str, float]
    feeds: Mapping[str, float]
    twin_error: float | None
    loops: Mapping[str, LoopSituation] = field(default_factory=dict)
    loop_fault: str = ""

    @property
    def looped(self) -> frozenset[str]:
        """Racks whose chips hang on a loop."""
        return frozenset(rack for loop in self.loops.values() for rack in loop.liquid_share)

    @property
    def blind(self) -> dict[str, str]:
        """Racks and coolers that cannot be acted upon, and why."""
        racks = {rack.id: rack.blind for rack in self.racks.values() if rack.blind}
        return racks | dict(self.blind_coolers)


def see(
    layout: Layout,
    view: View,
    workloads: tuple[Workload, ...],
    commanded: Mapping[str, float],
    now: float,
    maximum_age: float,
    settling: Collection[str] = (),
) -> Situation:
    """Build the situation from the latest readings.

    A rack is blind - nothing is moved to or from it and nothing is set on it - where its power or all of its
    inlet sensors are missing, bad, not finite or older than ``maximum_age``, or where its agent is away.
    A cooler is blind where its supply temperature is, or where it has failed.

    Parameters
    ----------
    layout : Layout
    view : View
    workloads : tuple of Workload    What the platform says.
    commanded : mapping              Writable point -> last value that was accepted. [telemetry unit]
    now : float                      [s since epoch]
    maximum_age : float              [s]
    settling : collection of str     Points whose last command the readings need not show yet.
    """
    readings, operating = view.latest, view.operating
    stopped = stopped_coolers(layout, view, now, maximum_age)
    operating = replace(operating, failed=operating.failed | stopped)

    def reliable(point: str) -> float | None:
        reading = readings.get(point)
        return None if reading_fault(reading, now, maximum_age) or reading is None else reading.value

    racks: dict[str, RackSituation] = {}
    for rack in layout.racks:
        racklet = layout.racklet_of(rack.id)
        points = inlet_points(rack.id)
        measured = reliable(f"{rack.id}.power")
        blind = ""
        if racklet is not None and racklet.id not in view.alive:
            blind = f"agent {racklet.id} is away"
        elif measured is None:
            blind = f"{rack.id}.power: {reading_fault(readings.get(f'{rack.id}.power'), now, maximum_age)}"
        elif all(reliable(point) is None for point in points):
            blind = f"{points[-1]}: {reading_fault(readings.get(points[-1]), now, maximum_age)}"
        power = operating.power(rack) if measured is None else measured
        growth = sum(load.demand_ahead - load.demand for load in workloads if load.rack == rack.id)
        limits = ASHRAE_CLASSES[rack.ashrae_class]
        racks[rack.id] = RackSituation(
            rack.id,
            power,
            max(0.0, power + growth),
            rack.rated_power or math.inf,
            cooling_capacity(rack, racklet),
            kelvin(limits.recommended_high),
            kelvin(limits.allowable_high),
            liquid_share(rack),
            rack.feed,
            racklet,
            blind,
        )

    blind_coolers: dict[str, str] = {}
    for cooler in layout.coolers:
        point = f"{cooler.id}.supply_temperature"
        if cooler.id in operating.failed:
            blind_coolers[cooler.id] = "moves no air" if cooler.id in stopped else "has failed"
        elif reason := reading_fault(readings.get(point), now, maximum_age):
            blind_coolers[cooler.id] = f"{point}: {reason}"
    full = {
        cooler.id
        for cooler in layout.coolers
        if cooler.capacity is not None
        and (reliable(f"{cooler.id}.cooling_power") or 0.0) >= SATURATED * cooler.capacity
    }
    set_points = _set_points(layout, operating, commanded, settling, full)
    supply = {cooler.id: kelvin(set_points[f"{cooler.id}.{SUPPLY}"]) for cooler in layout.coolers}
    operating = replace(operating, cooler_supply_temperature=supply)
    return Situation(
        now,
        racks,
        {cooler.id: cooler for cooler in layout.coolers if cooler.id not in blind_coolers},
        blind_coolers,
        workloads,
        replace(operating, rack_power={rack.id: rack.power_ahead for rack in racks.values()}),
        replace(operating, rack_power={rack.id: rack.power for rack in racks.values()}),
        set_points,
        {feed.id: feed.capacity for feed in layout.feeds},
        view.twin_error,
        {loop.id: _loop(layout, loop, operating, view.summary.get("loops", {})) for loop in layout.loops},
        view.summary.get("loops_fault") or "",
    )


def _loop(layout: Layout, loop: Loop, operating: Operating, live: Mapping[str, Any]) -> LoopSituation:
    """Heat and pump power as the live twin has them; as the layout says where it has none."""
    share: dict[str, float] = {}
    for branch in loop.branches:
        rack = layout.rack(layout.racklet(branch.racklet).rack)
        units = [unit for unit in layout.racklets if unit.rack == rack.id]
        partners = sum(unit.cooling_module.kind == "liquid" for unit in units)
        share[rack.id] = share.get(rack.id, 0.0) + liquid_share(rack) / max(partners, 1)
    known = live.get(loop.id, {})
    heat, pumps = known.get("heat_w"), known.get("pump_power_w")
    if heat is None:
        heat = sum(part * operating.power(layout.rack(rack)) for rack, part in share.items())
    if pumps is None:
        pumps = sum(pump.shaft_power for pump in loop.cdu.pumps if not pump.standby)
    return LoopSituation(frozenset(branch.racklet for branch in loop.branches), share, heat, pumps)


def stopped_coolers(layout: Layout, view: View, now: float, maximum_age: float) -> frozenset[str]:
    """Find the coolers that move less than 5 % of their nominal air by a reading that can be relied on."""
    stopped = set()
    for cooler in layout.coolers:
        flow = view.latest.get(f"{cooler.id}.air_flow")
        if (
            flow is not None
            and not reading_fault(flow, now, maximum_age)
            and flow.value < 0.05 * cooler.air_flow
        ):
            stopped.add(cooler.id)
    return frozenset(stopped)


def overheated_racks(layout: Layout, view: View, now: float, maximum_age: float) -> frozenset[str]:
    """Find the racks with an inlet sensor over the allowable limit, by a reading that can be relied on."""
    over = set()
    for rack in layout.racks:
        limit = ASHRAE_CLASSES[rack.ashrae_class].allowable_high
        for point in inlet_points(rack.id):
            reading = view.latest.get(point)
            if reading is not None and not reading_fault(reading, now, maximum_age) and reading.value > limit:
                over.add(rack.id)
    return frozenset(over)


def cooling_capacity(rack: Rack, racklet: Racklet | None) -> float:
    """Most power of a rack that its racklet can cool at nominal speed, in W.

    A liquid circuit takes the rack's liquid share; air takes the rest and is judged by inlet temperatures.
    """
    if racklet is None:
        return math.inf
    if racklet.cooling_module.kind == "air":
        return racklet.cooling_module.capacity
    share = liquid_share(rack)
    return racklet.cooling_module.capacity / share if share > 0 else math.inf


def inlet_points(rack: str) -> tuple[str, ...]:
    """Return the names of a rack's inlet sensors."""
    return tuple(f"{rack}.inlet_temperature.{position}" for position in INLET_POSITIONS)


def reading_fault(reading: Reading | None, now: float, maximum_age: float) -> str:
    """Say why a reading cannot be relied on; empty if it can."""
    if reading is None:
        return "never read"
    if reading.quality is not Quality.GOOD:
        return f"quality {reading.quality.value}"
    if not math.isfinite(reading.value):
        return "not a number"
    age = now - reading.time
    return f"{age:.0f} s old" if age > maximum_age else ""


def _set_points(
    layout: Layout,
    operating: Operating,
    commanded: Mapping[str, float],
    settling: Collection[str],
    full: Collection[str],
) -> dict[str, float]:
    """Value in force of every writable point.

    It is the last one commanded, else the layout's, as long as the measurement agrees; otherwise the
    measurement, to half a kelvin or a hundredth of the speed. So sensor noise never creeps into set points.
    The measurement says nothing while a command is settling, nor of a supply that is too warm because its
    cooler is ``full``, at the end of its capacity.
    """

    def in_force(point: str, nominal: float, measured: float) -> float:
        supply = point.endswith(SUPPLY)
        tolerance, step = (SET_POINT_TOLERANCE, 0.5) if supply else (SPEED_TOLERANCE, 0.01)
        assumed = commanded.get(point, nominal)
        weak = supply and point.split(".", 1)[0] in full and measured > assumed
        if abs(measured - assumed) <= tolerance or point in settling or weak:
            return assumed
        return round(measured / step) * step

    values: dict[str, float] = {}
    for cooler in layout.coolers:
        point, nominal = f"{cooler.id}.{SUPPLY}", celsius(cooler.supply_temperature)
        values[point] = in_force(point, nominal, celsius(operating.set_point(cooler)))
        point = f"{cooler.id}.{FAN}"
        values[point] = in_force(point, cooler.fan_speed, operating.cooler_fan(cooler))
    for racklet in layout.racklets:
        point, module = f"{racklet.id}.{FAN}", racklet.cooling_module
        values[point] = in_force(point, module.fan_speed, operating.fan(racklet))
        if module.kind == "liquid" and layout.branch_of(racklet.id) is None:
            point = f"{racklet.id}.{PUMP}"
            values[point] = in_force(point, module.pump_speed, operating.pump(racklet))
    return values
