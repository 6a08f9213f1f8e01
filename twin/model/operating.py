"""What the room does now, and what that means for each rack and cooler: flows, heat to liquid and to air.

The twin and the emulated plant share this wiring; the plant gives a :class:`Perturbation` so that it never
has the twin's constants.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from twin.errors import Finding
from twin.model.schema import Cooler, Duct, FanCurve, Layout, Rack, Racklet
from twin.racklet import cooling

LIQUID_PLANT_COP = 20.0
"""Heat removed per electric power of the plant behind the racklets' coolant: dry coolers and facility pumps,
no chiller, as suits a supply of about 30 degC or more. A test facility of that kind was built to spend less
than 5 % of its energy on cooling (ASME IMECE2012, vol. 7, pp. 1127 ff.). [1]"""
COP_PER_KELVIN = 0.025
"""Gain of a chilled-water plant's COP per kelvin of warmer supply; rules of thumb say 2 to 4 %. [1/K]"""
_REMEDIES = {
    "rack_power": "Give the electric power in W",
    "fan_speed": "Give a fraction of the full speed",
    "pump_speed": "Give a fraction of the full speed",
    "cooler_supply_temperature": "Give the set point in K",
    "cooler_fan_speed": "Give a fraction of the full speed",
}


@dataclass(frozen=True)
class CoolantSettings:
    """What operators and faults do to the loops; names left out are as the layout says.

    Attributes
    ----------
    drive : mapping       By pump: whether it has power.
    speed : mapping       By pump: set speed over the nominal one. [1]
    valve : mapping       By branch or coil: opening of its balancing valve over its setting. [1]
    leak : mapping        By branch or coil: area of a hole before its plates. [m2]
    facility : mapping    By CDU: supply temperature of the facility's water. [K]
    fouling : mapping     By CDU: resistance of its filter over that of a clean one. [1]
    supply : mapping      By CDU: set point of its supply temperature. [K]
    air : mapping         By branch: conductance from its chips to the air over that of the layout. [1]
    """

    drive: Mapping[str, bool] = field(default_factory=dict)
    speed: Mapping[str, float] = field(default_factory=dict)
    valve: Mapping[str, float] = field(default_factory=dict)
    leak: Mapping[str, float] = field(default_factory=dict)
    facility: Mapping[str, float] = field(default_factory=dict)
    fouling: Mapping[str, float] = field(default_factory=dict)
    supply: Mapping[str, float] = field(default_factory=dict)
    air: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Operating:
    """Everything that changes while the geometry stays: SI, temperatures in K. Names left out run at nominal.

    Attributes
    ----------
    rack_power : mapping                  By rack: electric power, all of it heat. [W]
    fan_speed : mapping                   By racklet. [1]
    pump_speed : mapping                  By liquid racklet with a pump of its own: on no loop. [1]
    cooler_supply_temperature : mapping   By cooler: set point. [K]
    cooler_fan_speed : mapping            By cooler. [1]
    failed : frozenset of str             Coolers whose fan and coil are off; ducts whose fan is off.
    ambient_temperature : float           Outside; the layout's without it. [K]
    coolant : CoolantSettings             Of the coolant loops.
    """

    rack_power: Mapping[str, float] = field(default_factory=dict)
    fan_speed: Mapping[str, float] = field(default_factory=dict)
    pump_speed: Mapping[str, float] = field(default_factory=dict)
    cooler_supply_temperature: Mapping[str, float] = field(default_factory=dict)
    cooler_fan_speed: Mapping[str, float] = field(default_factory=dict)
    failed: frozenset[str] = frozenset()
    ambient_temperature: float | None = None
    coolant: CoolantSettings = field(default_factory=CoolantSettings)

    @classmethod
    def nominal(cls, layout: Layout) -> Operating:
        """Return the state the layout file describes, every name written out."""
        return cls(
            rack_power={rack.id: rack.nominal_power for rack in layout.racks},
            fan_speed={unit.id: unit.cooling_module.fan_speed for unit in layout.racklets},
            pump_speed={
                unit.id: unit.cooling_module.pump_speed
                for unit in layout.racklets
                if unit.cooling_module.kind == "liquid" and layout.branch_of(unit.id) is None
            },
            cooler_supply_temperature={cooler.id: cooler.supply_temperature for cooler in layout.coolers},
            cooler_fan_speed={cooler.id: cooler.fan_speed for cooler in layout.coolers},
            failed=frozenset(item.id for item in (*layout.coolers, *layout.ducts) if item.failed),
        )

    def power(self, rack: Rack) -> float:
        """Electric power of a rack. [W]."""
        return self.rack_power.get(rack.id, rack.nominal_power)

    def fan(self, unit: Racklet) -> float:
        """Fan speed of a racklet. [1]."""
        return self.fan_speed.get(unit.id, unit.cooling_module.fan_speed)

    def pump(self, unit: Racklet) -> float:
        """Pump speed of a racklet. [1]."""
        return self.pump_speed.get(unit.id, unit.cooling_module.pump_speed)

    def cooler_fan(self, cooler: Cooler) -> float:
        """Fan speed of a cooler, 0 where it failed. [1]."""
        if cooler.id in self.failed:
            return 0.0
        return self.cooler_fan_speed.get(cooler.id, cooler.fan_speed)

    def set_point(self, cooler: Cooler) -> float:
        """Supply set point of a cooler. [K]."""
        return self.cooler_supply_temperature.get(cooler.id, cooler.supply_temperature)

    def ambient(self, layout: Layout) -> float:
        """Temperature outside. [K]."""
        return (
            layout.air.ambient_temperature if self.ambient_temperature is None else self.ambient_temperature
        )

    def faults(self) -> list[Finding]:
        """Return a finding for every value that is negative or not finite: object, field, value."""
        rule = "must be finite and not negative"
        values = [
            (name, field, value, remedy)
            for field, remedy in _REMEDIES.items()
            for name, value in getattr(self, field).items()
        ]
        if self.ambient_temperature is not None:
            values.append(("outside", "ambient_temperature", self.ambient_temperature, "Give it in K"))
        return [
            Finding("operating", name, field, f"{value:g}", rule, remedy)
            for name, field, value, remedy in values
            if not 0.0 <= value < math.inf
        ]


@dataclass(frozen=True)
class Perturbation:
    """How a plant differs from its layout: factors and offsets by name, 1 and 0 where a name is left out.

    Attributes
    ----------
    air_flow : mapping              By rack and cooler: factor on the flow. [1]
    liquid : mapping                By racklet: factor on the heat to liquid. [1]
    power : mapping                 By rack: factor on the heat released. [1]
    capacity : mapping              By cooler: factor on the capacity. [1]
    supply_temperature : mapping    By cooler: offset of what is held from the set point. [K]
    """

    air_flow: Mapping[str, float] = field(default_factory=dict)
    liquid: Mapping[str, float] = field(default_factory=dict)
    power: Mapping[str, float] = field(default_factory=dict)
    capacity: Mapping[str, float] = field(default_factory=dict)
    supply_temperature: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SlotFlow:
    """Air and heat of one slot: flow [m3/s], heat to the air [W], heat to liquid [W], thermal mass [J/K]."""

    flow: float
    air_heat: float
    liquid_heat: float
    thermal_mass: float


def curve_factor(curve: FanCurve | None, temperature: float | None) -> float:
    """Flow factor of server fans at an inlet temperature [K]; 1 without a curve or a temperature. [1]."""
    if curve is None or temperature is None:
        return 1.0
    points = list(zip(curve.temperature, curve.factor, strict=True))
    if temperature <= points[0][0]:
        return points[0][1]
    for (t0, f0), (t1, f1) in pairwise(points):
        if temperature <= t1:
            return f0 + (f1 - f0) * (temperature - t0) / (t1 - t0)
    return points[-1][1]


def racklet_liquid_heat(
    layout: Layout, unit: Racklet, operating: Operating, perturbation: Perturbation | None = None
) -> float:
    """Heat one racklet's coolant takes; racklets of one rack serve equal parts of its power. [W]."""
    return sum(_heat_from_slots(layout, unit, operating, perturbation or Perturbation()))


def _heat_from_slots(
    layout: Layout, unit: Racklet, operating: Operating, perturbation: Perturbation
) -> tuple[float, ...]:
    """Heat one racklet's coolant takes from each slot of its rack, in the file's order. [W].

    Every slot divides its own heat between its cold plates and the air, so none gives more than it has; a
    circuit at its capacity takes less of each in the same proportion.
    """
    rack, module = layout.rack(unit.rack), unit.cooling_module
    if module.kind != "liquid":
        return (0.0,) * len(rack.slots)
    partners = sum(
        other.rack == unit.rack and other.cooling_module.kind == "liquid" for other in layout.racklets
    )
    released = perturbation.power.get(rack.id, 1.0) / partners
    powers = [power * released for power in _slot_powers(rack, operating)]
    speeds = operating.pump(unit), module.pump_speed
    wanted = [
        cooling.liquid_heat(power, _slot_share(rack, k), *speeds, math.inf) for k, power in enumerate(powers)
    ]
    total, most = sum(wanted), module.capacity * cooling.liquid_conductance_ratio(*speeds)
    factor = (most / total if total > most else 1.0) * perturbation.liquid.get(unit.id, 1.0)
    return tuple(min(heat * factor, power) for heat, power in zip(wanted, powers, strict=True))


def _slot_powers(rack: Rack, operating: Operating) -> list[float]:
    """Electric power of each slot: its nominal part of what the rack draws. [W]."""
    drawn = operating.power(rack)
    return [drawn * part for part in _parts(rack.slot_powers, [slot.u_height for slot in rack.slots])]


def liquid_share(rack: Rack) -> float:
    """Part of a rack's nominal heat that sits under cold plates, slots weighed by power. [1]."""
    total = sum(rack.slot_powers)
    if total <= 0.0:
        return rack.liquid_share
    return sum(_slot_share(rack, k) * power for k, power in enumerate(rack.slot_powers)) / total


def rack_slots(
    layout: Layout,
    rack: Rack,
    operating: Operating,
    perturbation: Perturbation | None = None,
    inlet_temperature: tuple[float, ...] | None = None,
) -> tuple[SlotFlow, ...]:
    """Air flow and heat of each slot of a rack, in the order of the layout.

    Parameters
    ----------
    layout : Layout
    rack : Rack
    operating : Operating
    perturbation : Perturbation, optional
    inlet_temperature : tuple of float, optional
        Air at each slot, for fan curves; without it their factor is 1. [K]
    """
    perturbation = perturbation or Perturbation()
    unit = layout.racklet_of(rack.id)
    speed = 1.0 if unit is None else cooling.air_flow(1.0, operating.fan(unit), unit.cooling_module.fan_speed)
    speed *= perturbation.air_flow.get(rack.id, 1.0)

    nominal = rack.slot_powers
    powers = _slot_powers(rack, operating)
    released = perturbation.power.get(rack.id, 1.0)
    taken = [
        _heat_from_slots(layout, other, operating, perturbation)
        for other in layout.racklets
        if other.rack == rack.id
    ]

    common = [k for k, slot in enumerate(rack.slots) if slot.air is None]
    common_flow = rack.air.nominal_flow(sum(powers[k] for k in common), sum(nominal[k] for k in common))
    common_parts = _parts([nominal[k] for k in common], [rack.slots[k].u_height for k in common])
    flows = dict(zip(common, (common_flow * part for part in common_parts), strict=True))
    height = sum(slot.u_height for slot in rack.slots)

    result = []
    for k, slot in enumerate(rack.slots):
        law = slot.air or rack.air
        flow = flows[k] if slot.air is None else slot.air.nominal_flow(powers[k], nominal[k])
        temperature = None if inlet_temperature is None else inlet_temperature[k]
        heat = powers[k] * released
        to_liquid = min(sum(heats[k] for heats in taken), heat)
        mass = slot.thermal_mass
        result.append(
            SlotFlow(
                flow * speed * curve_factor(law.curve, temperature),
                heat - to_liquid,
                to_liquid,
                rack.thermal_mass * slot.u_height / height if mass is None else mass,
            )
        )
    return tuple(result)


def cooler_flow(
    cooler: Cooler, operating: Operating, perturbation: Perturbation | None = None, dp: float | None = None
) -> float:
    """Air flow of a cooler, by the affinity laws and its fan curve.

    V = V_free sqrt(r^2 - dp / dp_stall), with r the fan speed over the nominal one and V_free such that the
    nominal fan gives ``air_flow`` at its design pressure. A cooler without a curve has V = r air_flow.

    Parameters
    ----------
    cooler : Cooler
    operating : Operating
    perturbation : Perturbation, optional
    dp : float, optional
        Pressure at the discharge less that at the return; without it the design pressure that goes with the
        speed, r^2 times the nominal one. [Pa]

    Returns
    -------
    float
        0 where the fan stalls or stands; it never blows backwards. A pressure that helps counts up to the
        stall pressure of the speed. [m3/s]

    Validity : a fan whose curve is near a parabola; a fan that stands lets no air through (closed damper).
    Source   : affinity laws, ASHRAE Handbook, HVAC Systems and Equipment, ch. Fans.
    Check    : tests/unit/twin/model/test_operating.py
    """
    factor = 1.0 if perturbation is None else perturbation.air_flow.get(cooler.id, 1.0)
    at_design = factor * cooling.air_flow(cooler.air_flow, operating.cooler_fan(cooler), cooler.fan_speed)
    curve = cooler.fan_curve
    if curve is None or dp is None or at_design <= 0.0:
        return at_design
    speed = operating.cooler_fan(cooler) / cooler.fan_speed
    share = max(dp / (curve.stall_pressure * speed**2), -1.0)
    if share >= 1.0:
        return 0.0
    return at_design * math.sqrt((1.0 - share) / (1.0 - curve.design_pressure / curve.stall_pressure))


def duct_flow(duct: Duct, operating: Operating, perturbation: Perturbation | None = None) -> float:
    """Air flow of a duct, 0 where its fan failed. [m3/s]."""
    if duct.id in operating.failed:
        return 0.0
    return duct.air_flow * (1.0 if perturbation is None else perturbation.air_flow.get(duct.id, 1.0))


@dataclass(frozen=True)
class CoolingPower:
    """Electric power of cooling, by part.

    Attributes
    ----------
    air_plant : float      Chilled-water plant for the heat that the coolers take. [W]
    cooler_fans : float    [W]
    liquid_plant : float   Plant for the heat that the coolant of racklets and loops takes. [W]
    pumps : float          Coolant pumps of racklets and loops. [W]
    """

    air_plant: float
    cooler_fans: float
    liquid_plant: float
    pumps: float

    @property
    def total(self) -> float:
        """The sum of the parts. [W]."""
        return self.air_plant + self.cooler_fans + self.liquid_plant + self.pumps


def cooling_power(
    coolers: Iterable[Cooler],
    racklets: Iterable[Racklet],
    operating: Operating,
    cooler_heat: Mapping[str, float],
    liquid_heat: Mapping[str, float],
    loop_heat: float = 0.0,
    loop_pumps: float = 0.0,
) -> CoolingPower:
    """Return the electric power that cooling draws. Fans of servers and racks are part of the racks' power.

    Parameters
    ----------
    coolers : iterable of Cooler
    racklets : iterable of Racklet    With a circuit and pump of their own; those on a loop are left out.
    operating : Operating
    cooler_heat : mapping    By cooler: heat it takes from the air. [W]
    liquid_heat : mapping    By racklet: heat its coolant takes. [W]
    loop_heat : float        That the loops' exchangers give to the facility's water. [W]
    loop_pumps : float       Electric power of the loops' pumps. [W]

    Returns
    -------
    CoolingPower

    Validity : fans and pumps after the cube law; plants at steady state, outdoor conditions left out.
    Check    : tests/unit/twin/model/test_operating.py
    """
    coolers = tuple(coolers)
    liquid = [unit for unit in racklets if unit.cooling_module.kind == "liquid"]
    return CoolingPower(
        air_plant=sum(cooler_heat[c.id] / plant_cop(c, operating.set_point(c)) for c in coolers),
        cooler_fans=sum(
            cooling.rotor_power(c.fan_power, operating.cooler_fan(c), c.fan_speed) for c in coolers
        ),
        liquid_plant=(sum(liquid_heat[unit.id] for unit in liquid) + loop_heat) / LIQUID_PLANT_COP,
        pumps=loop_pumps
        + sum(
            cooling.rotor_power(
                unit.cooling_module.pump_power, operating.pump(unit), unit.cooling_module.pump_speed
            )
            for unit in liquid
        ),
    )


def plant_cop(cooler: Cooler, supply: float) -> float:
    """COP of the chilled-water plant behind a cooler at a supply temperature [K]. [1]."""
    return cooler.cop * max(0.5, 1.0 + COP_PER_KELVIN * (supply - cooler.supply_temperature))


def _slot_share(rack: Rack, k: int) -> float:
    own = rack.slots[k].liquid_share
    return rack.liquid_share if own is None else own


def _parts(weights: tuple[float, ...] | list[float], fallback: list[int]) -> list[float]:
    """Shares that add up to 1, by weight; by ``fallback`` where all weights are 0."""
    used = weights if sum(weights) > 0.0 else fallback
    total = sum(used)
    return [weight / total for weight in used]
