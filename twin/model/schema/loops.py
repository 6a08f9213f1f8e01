"""Coolant loops: a CDU with pumps and exchanger, a header along the racks, a branch to each racklet."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from twin.model.schema.quantity import (
    Fraction,
    Identifier,
    Length,
    MassFlow,
    Part,
    PositiveFraction,
    Power,
    Quantity,
    Temperature,
    ThermalMass,
)
from twin.units import kelvin

FluidName = Literal["water", "pg25", "hfe7200", "novec649", "pao2", "mineral_oil"]
VolumeFlow = Annotated[float, Quantity("m3/s", 0.0, 1.0, above=0.0)]
PressureDifference = Annotated[float, Quantity("Pa", 0.0, 2e6)]
PositivePressure = Annotated[float, Quantity("Pa", 0.0, 2e6, above=0.0)]
Bore = Annotated[float, Quantity("m", 0.002, 0.5)]
Roughness = Annotated[float, Quantity("m", 0.0, 0.005)]
Conductance = Annotated[float, Quantity("W/K", 0.0, 1e7, above=0.0)]
Resistance = Annotated[float, Quantity("K/W", 0.0, 10.0, above=0.0)]
Volume = Annotated[float, Quantity("m3", 0.0, 50.0, above=0.0)]
Seconds = Annotated[float, Quantity("s", 0.0, 600.0)]

EFFICIENCY = 0.6
"""Of a pump whose power is not given: a good one of its size. [1]"""


class Pump(Part):
    """A centrifugal pump: a parabola from shut-off to design point, moved by the affinity laws.

    dp = shutoff_pressure n^2 - (shutoff_pressure - design_pressure) (V / design_flow)^2 with n the speed over
    ``speed``. A check valve behind it keeps the others from turning it.
    """

    id: Identifier
    design_flow: VolumeFlow = Field(description="At nominal speed [m3/s]")
    design_pressure: PositivePressure = Field(description="Rise at the design flow [Pa]")
    shutoff_pressure: PositivePressure = Field(description="Rise against a closed valve [Pa]")
    speed: PositiveFraction = Field(default=0.8, description="Nominal speed [1]")
    power: Power | None = Field(
        default=None, description="At nominal speed and design flow; left out: at an efficiency of 60 % [W]"
    )
    coast_down: Seconds = Field(default=2.0, description="Time constant of the rotor after a trip [s]")
    standby: bool = Field(default=False, description="Starts when another pump of its CDU fails")

    @model_validator(mode="after")
    def _falls(self) -> Pump:
        if self.design_pressure >= self.shutoff_pressure:
            raise ValueError(
                "design_pressure must lie below shutoff_pressure. Raise shutoff_pressure or lower "
                "design_pressure: a pump's pressure falls with its flow"
            )
        return self

    @property
    def hydraulic_power(self) -> float:
        """What the coolant gets as pressure and flow at the design point. [W]."""
        return self.design_flow * self.design_pressure

    @property
    def shaft_power(self) -> float:
        """At nominal speed and design flow. [W]."""
        return self.hydraulic_power / EFFICIENCY if self.power is None else self.power


class LiquidExchanger(Part):
    """Plate exchanger to the facility's water, counterflow, effectiveness from NTU."""

    ua: Conductance = Field(description="At design flow on both sides [W/K]")
    pressure_drop: PressureDifference = Field(
        default=30e3, description="On the loop's side at design flow [Pa]"
    )


class FacilityWater(Part):
    """What the building gives to a CDU; a control valve holds the loop's supply temperature."""

    supply_temperature: Temperature = Field(default=kelvin(20.0), description="[degC]")
    flow: MassFlow = Field(description="Through the exchanger with the valve fully open [kg/s]")


class Filter(Part):
    """A strainer; it clogs over time."""

    pressure_drop: PressureDifference = Field(default=10e3, description="Clean, at design flow [Pa]")
    clogged: Fraction = Field(default=0.0, description="Part of its area that is blocked [1]")


class Reservoir(Part):
    """The open tank of the CDU; the loop's lowest pressure stands above it."""

    volume: Volume = Field(default=0.05, description="When full [m3]")
    level: Fraction = Field(default=0.7, description="At the start, part of the volume [1]")
    alarm_level: Fraction = Field(default=0.4, description="Below it the loop warns [1]")
    pressure: PressureDifference = Field(default=50e3, description="Above the air outside [Pa]")


class Cdu(Part):
    """Coolant distribution unit: pumps in parallel, exchanger, filter, reservoir, supply control."""

    id: Identifier
    pumps: tuple[Pump, ...] = Field(min_length=1)
    exchanger: LiquidExchanger
    facility: FacilityWater
    supply_temperature: Temperature = Field(default=kelvin(30.0), description="Set point [degC]")
    valve_time: Seconds = Field(default=20.0, description="Time constant of the supply control [s]")
    filter: Filter = Field(default_factory=Filter)
    reservoir: Reservoir = Field(default_factory=Reservoir)


class Header(Part):
    """Supply and return pipes along the branches, in their order, each from its neighbour to the next."""

    spacing: Length = Field(
        default=0.6, description="Between two branches, and from the CDU to the first [m]"
    )
    diameter: Bore = Field(default=0.054, description="Inside [m]")
    roughness: Roughness = Field(default=1.5e-6, description="Of the wall; drawn tube [m]")


class ColdPlates(Part):
    """The cold plates of a branch in parallel, as one: heat sits under them and leaves by conduction.

    They take UA (T_chip - T_in) eff / NTU with UA of the design flow times (V / V_design)^exponent.
    """

    pressure_drop: PositivePressure = Field(default=40e3, description="At the design flow [Pa]")
    resistance: Resistance = Field(
        description="Mean chip over inlet temperature, per heat of all plates, at the design flow [K/W]"
    )
    exponent: Annotated[float, Quantity("1", 0.0, 1.0)] = Field(
        default=0.33, description="Conductance over flow: 0.33 laminar developing, 0.8 turbulent [1]"
    )
    thermal_mass: ThermalMass = Field(default=8e3, description="Of chips, lids and plates [J/K]")
    limit_temperature: Temperature = Field(
        default=kelvin(75.0), description="Mean chip temperature at which servers throttle [degC]"
    )
    spec: str | None = Field(
        default=None, description="Design file of one plate, beside the layout: the live page shows it in 3-D"
    )


class Branch(Part):
    """What hangs between the headers: hoses, couplings, a balancing valve, a racklet's plates."""

    id: Identifier
    racklet: Identifier = Field(description="Whose cold plates it feeds")
    design_flow: VolumeFlow = Field(description="The balancing valves are set for it at nominal speed [m3/s]")
    hose_length: Length = Field(default=3.0, description="Supply and return together [m]")
    hose_diameter: Bore = Field(default=0.019, description="Inside [m]")
    coupling_loss: Annotated[float, Quantity("1", 0.0, 1000.0)] = Field(
        default=8.0, description="K of both quick couplings, on the hose's bore [1]"
    )
    valve_open: Fraction = Field(default=1.0, description="Of the balancing valve's setting; 0 shuts it [1]")
    cold_plates: ColdPlates


class AirCoil(Part):
    """A finned coil in the air that leaves a rack: a rear door, or the coil of an air-cooling racklet.

    Coolant against air in crossflow, effectiveness from NTU; every cell of air gets coolant in proportion to
    its flow and leaves with a temperature of its own.
    """

    id: Identifier
    rack: Identifier = Field(description="Whose exhaust air it cools")
    design_flow: VolumeFlow = Field(description="Of coolant; the balancing valve is set for it [m3/s]")
    ua: Conductance = Field(description="At the design flow and the rack's nominal air flow [W/K]")
    pressure_drop: PositivePressure = Field(default=30e3, description="Of the coolant at design flow [Pa]")
    hose_length: Length = Field(default=3.0, description="Supply and return together [m]")
    hose_diameter: Bore = Field(default=0.025, description="Inside [m]")
    coupling_loss: Annotated[float, Quantity("1", 0.0, 1000.0)] = Field(
        default=8.0, description="K of both quick couplings, on the hose's bore [1]"
    )
    valve_open: Fraction = Field(default=1.0, description="Of the balancing valve's setting; 0 shuts it [1]")


class Loop(Part):
    """A closed coolant loop; cold plates and coils hang on its header in this order, branches first."""

    id: Identifier
    fluid: FluidName = "pg25"
    cdu: Cdu
    header: Header = Field(default_factory=Header)
    branches: tuple[Branch, ...] = ()
    coils: tuple[AirCoil, ...] = ()

    @model_validator(mode="after")
    def _feeds(self) -> Loop:
        if not (self.branches or self.coils):
            raise ValueError("a loop needs a branch or a coil. Add branches or coils, or leave the loop out")
        return self

    @property
    def takers(self) -> tuple[Branch | AirCoil, ...]:
        """What hangs on the header, from the CDU outwards."""
        return (*self.branches, *self.coils)
