"""What stands in the room: racks with their slots, racklets, coolers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from twin.model.catalog import AshraeName
from twin.model.schema.quantity import (
    AirFlow,
    Facing,
    FlowFactor,
    FlowPerPower,
    Fraction,
    Height,
    Identifier,
    Length,
    MassFlow,
    Part,
    Plan,
    PositiveFraction,
    PositivePower,
    Power,
    Quantity,
    Temperature,
    ThermalMass,
    Voltage,
)
from twin.units import kelvin

U_HEIGHT = 0.04445
"""One rack unit, EIA-310. [m]."""


class FanCurve(Part):
    """Server fans that speed up with inlet temperature: factor over temperature, linear, held at the ends."""

    temperature: tuple[Temperature, ...] = Field(min_length=2, description="Inlet, ascending [degC]")
    factor: tuple[FlowFactor, ...] = Field(min_length=2, description="Flow over nominal flow [1]")

    @model_validator(mode="after")
    def _is_a_curve(self) -> FanCurve:
        if len(self.temperature) != len(self.factor):
            raise ValueError("temperature and factor must have the same length")
        if any(b <= a for a, b in zip(self.temperature, self.temperature[1:], strict=False)):
            raise ValueError("temperatures must ascend")
        return self


class RackAir(Part):
    """Air flow of a rack or a slot at nominal fan speed: fixed, or per electric power."""

    flow: AirFlow | None = Field(default=None, description="Fixed flow [m3/s]")
    per_power: FlowPerPower | None = Field(
        default=None, description="Flow per electric power [m3/s/kW]; 0.0566 is 120 cfm/kW, about 14.7 K rise"
    )
    minimum: Fraction = Field(
        default=0.3, description="Idle flow over the flow at nominal power, for per_power [1]"
    )
    curve: FanCurve | None = Field(default=None, description="Extra factor against inlet temperature")

    @model_validator(mode="after")
    def _one_law(self) -> RackAir:
        if (self.flow is None) == (self.per_power is None):
            raise ValueError("give exactly one of flow and per_power")
        return self

    def nominal_flow(self, power: float, power_nominal: float) -> float:
        """Flow at nominal fan speed and electric ``power`` [W]. [m3/s]."""
        if self.flow is not None:
            return self.flow
        per_power = self.per_power or 0.0
        return max(per_power * power, self.minimum * per_power * power_nominal)


class Slot(Part):
    """Equipment in a range of rack units, with air from front to rear."""

    u_start: int = Field(ge=1, le=60, description="Lowest unit, 1 is at the bottom")
    u_height: int = Field(ge=1, le=60)
    power: Power | None = Field(
        default=None,
        description="Nominal; without it the slot has its part, by height, of what is left of the rack's [W]",
    )
    air: RackAir | None = Field(default=None, description="Own air law; without it the rack's, by power")
    liquid_share: Fraction | None = Field(default=None, description="Own liquid share [1]")
    thermal_mass: ThermalMass | None = Field(default=None, description="Own thermal mass [J/K]")


class Rack(Part):
    """A cabinet on the raised floor; solid but for its slots, front to rear."""

    id: Identifier
    position: Plan = Field(description="Lowest corner of the footprint in x and y [m]")
    size: tuple[Length, Length, Length] = Field(
        default=(0.6, 1.2, 2.1), description="Width, depth (along facing), height [m]"
    )
    facing: Facing = Field(description="Direction in which the front, the air inlet, looks")
    units: int = Field(default=42, ge=4, le=60, description="Height of the mounting space [U]")
    power: PositivePower | None = Field(
        default=None,
        description="Nominal electric power, all of it heat; without it the sum of the slots' [W]",
    )
    rated_power: PositivePower | None = Field(
        default=None, description="The most it may draw; without it no limit but the feed's [W]"
    )
    air: RackAir = Field(default_factory=lambda: RackAir.model_validate({"per_power": 0.0566}))
    thermal_mass: ThermalMass = Field(default=150e3, description="Of the equipment; lags the exhaust [J/K]")
    liquid_share: Fraction = Field(
        default=0.0, description="Part of the heat that sits under liquid cold plates [1]"
    )
    leakage: Annotated[float, Quantity("1", 0.0, 0.5)] = Field(
        default=0.0,
        description="Flow from rear to front through unblanked units over the rack's flow [1]",
    )
    ashrae_class: AshraeName = "A1"
    feed: Identifier | None = Field(default=None, description="Power feed it hangs on")
    slots: tuple[Slot, ...] = Field(min_length=1)

    @property
    def nominal_power(self) -> float:
        """Nominal electric power. [W]."""
        return self.power if self.power is not None else sum(slot.power or 0.0 for slot in self.slots)

    @property
    def slot_powers(self) -> tuple[float, ...]:
        """Nominal power of each slot; they add up to ``nominal_power``. [W]."""
        free = [slot for slot in self.slots if slot.power is None]
        left = self.nominal_power - sum(slot.power or 0.0 for slot in self.slots)
        height = sum(slot.u_height for slot in free)
        return tuple(
            left * slot.u_height / height if slot.power is None else slot.power for slot in self.slots
        )

    @property
    def mount_base(self) -> float:
        """Height of the lowest unit above the rack's foot; the mounting space is centred. [m]."""
        return 0.5 * (self.size[2] - self.units * U_HEIGHT)


class PowerModule(Part):
    """AC in, DC out, built of equal modules; one more than needed is N+1, twice as many 2N."""

    input_voltage: Literal[120, 208, 230, 240, 400, 415, 480] = 240
    phases: Literal[1, 3] = 1
    output_voltage: Voltage = Field(default=48.0, description="DC set point [V]")
    module_power: PositivePower = Field(default=5000.0, description="Rating of one base module [W]")
    modules: int = Field(default=3, ge=1, le=24)


class CoolingModule(Part):
    """Heat removal of a racklet: liquid cold plates, or direct-to-chip air with the rack's fans only."""

    kind: Literal["liquid", "air"] = "liquid"
    capacity: PositivePower = Field(
        default=30e3, description="The most it can take at nominal pump (liquid) or fan (air) speed [W]"
    )
    fan_speed: PositiveFraction = Field(
        default=0.6, description="Nominal fan speed, at which the rack has its nominal flow [1]"
    )
    pump_speed: PositiveFraction = Field(default=0.6, description="Nominal pump speed, liquid only [1]")
    coolant_flow: MassFlow = Field(default=0.2, description="At nominal pump speed, liquid only [kg/s]")
    coolant_heat_capacity: Annotated[float, Quantity("J/kg/K", 500.0, 4300.0)] = Field(
        default=3900.0, description="3900 is PG25 near 30 degC, liquid only [J/kg/K]"
    )
    coolant_supply_temperature: Temperature = Field(
        default=kelvin(30.0), description="Into the cold plates, liquid only [degC]"
    )
    fan_power: Power = Field(
        default=300.0, description="Of all fans of the rack at nominal speed; part of the rack's power [W]"
    )
    pump_power: Power = Field(default=120.0, description="At nominal speed, liquid only [W]")


class Racklet(Part):
    """A 2U or 4U power and cooling unit in a rack."""

    id: Identifier
    rack: Identifier
    u_start: int = Field(ge=1, le=60)
    u_height: Literal[2, 4] = 4
    power_module: PowerModule = Field(default_factory=PowerModule)
    cooling_module: CoolingModule = Field(default_factory=CoolingModule)


class CoolerFanCurve(Part):
    """How a cooler's flow gives way to pressure: a parabola from free delivery to stall.

    At fan speed n over the nominal one n0, with r = n / n0 and the pressure difference dp from return to
    discharge, V = V_free sqrt(r^2 - dp / stall_pressure); V is ``air_flow`` at n0 and ``design_pressure``.
    """

    stall_pressure: Annotated[float, Quantity("Pa", 0.0, 5000.0, above=0.0)] = Field(
        description="Pressure difference at nominal fan speed that stops the flow [Pa]"
    )
    design_pressure: Annotated[float, Quantity("Pa", 0.0, 5000.0)] = Field(
        default=0.0, description="Pressure difference at which the flow is air_flow at nominal fan speed [Pa]"
    )

    @model_validator(mode="after")
    def _can_blow(self) -> CoolerFanCurve:
        if self.design_pressure >= self.stall_pressure:
            raise ValueError("design_pressure must lie below stall_pressure")
        return self


class Cooler(Part):
    """A CRAH, CRAC, in-row or overhead cooler: a solid block with a return and a supply face."""

    id: Identifier
    position: Plan = Field(description="Lowest corner of the footprint in x and y [m]")
    size: tuple[Length, Length, Length] = Field(
        default=(1.8, 0.9, 2.0), description="Width, depth (along facing), height [m]"
    )
    elevation: Height = Field(
        default=0.0, description="Of the foot above the (raised) floor, for overhead coolers [m]"
    )
    facing: Facing = Field(description="Direction in which the front looks")
    return_face: Literal["top", "front", "rear", "bottom", "ceiling"] = Field(
        default="top", description="ceiling draws through a duct on top from above the drop ceiling"
    )
    supply_face: Literal["plenum", "front", "rear", "top", "bottom"] = Field(
        default="plenum",
        description="plenum blows down through the raised floor; the others into the room",
    )
    air_flow: AirFlow = Field(description="At nominal fan speed [m3/s]")
    fan_curve: CoolerFanCurve | None = Field(
        default=None, description="Without it the flow does not depend on pressure"
    )
    coast_down: Annotated[float, Quantity("s", 0.0, 600.0)] = Field(
        default=0.0, description="Time constant of the fan's speed after a trip, 0 stops at once [s]"
    )
    fan_speed: PositiveFraction = Field(default=0.7, description="Nominal fan speed [1]")
    fan_power: Power = Field(default=2500.0, description="At nominal fan speed [W]")
    supply: Literal["controlled", "fixed"] = Field(
        default="controlled",
        description="controlled holds the set point up to the capacity; fixed holds it at any load",
    )
    supply_temperature: Temperature = Field(default=kelvin(18.0), description="Set point [degC]")
    capacity: PositivePower | None = Field(
        default=None, description="Sensible, needed where supply is controlled [W]"
    )
    thermal_mass: ThermalMass = Field(
        default=40e3, description="Of the coil and its water; lags the supply [J/K]"
    )
    cop: Annotated[float, Quantity("1", 1.0, 50.0)] = Field(
        default=4.5, description="Heat removed per electric power of the chilled-water plant [1]"
    )
    failed: bool = Field(default=False, description="Fan and coil off")
