"""What a cold plate file says: plate, channels, coolant, chips and their heat, and a sweep over designs."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from solvers.coolant.fluids import FLUIDS
from twin.model.schema.quantity import Fraction, Identifier, Part, Quantity

Extent = Annotated[float, Quantity("m", 0.0, 2.0, above=0.0)]
Thickness = Annotated[float, Quantity("m", 0.0, 0.1, above=0.0)]
Width = Annotated[float, Quantity("m", 1e-5, 0.05)]
Roughness = Annotated[float, Quantity("m", 0.0, 1e-3)]
Place = Annotated[float, Quantity("m", 0.0, 2.0)]
VolumeFlow = Annotated[float, Quantity("m3/s", 0.0, 0.1, above=0.0)]
HeatLoad = Annotated[float, Quantity("W", 0.0, 1e6)]
Conductivity = Annotated[float, Quantity("W/(m K)", 0.01, 5000.0)]
HeatCapacity = Annotated[float, Quantity("J/(m3 K)", 1e3, 1e7)]
Film = Annotated[float, Quantity("W/(m2 K)", 0.0, 1e6)]
PlateTemperature = Annotated[float, Quantity("degC", -60.0, 200.0)]
LossCoefficient = Annotated[float, Quantity("1", 0.0, 100.0)]
Time = Annotated[float, Quantity("s", 0.0, 1e6, above=0.0)]
Moment = Annotated[float, Quantity("s", 0.0, 1e6)]
Pressure = Annotated[float, Quantity("Pa", 0.0, 1e7, above=0.0)]
TemperatureMargin = Annotated[float, Quantity("K", 0.0, 100.0)]
Factor = Annotated[float, Quantity("1", 0.0, 10.0)]
ModelName = Literal["two_resistor", "four_resistor", "correlation", "resolved"]


class Material(Part):
    """A solid that is not in the table."""

    conductivity: Conductivity
    heat_capacity: HeatCapacity = Field(description="Per volume [J/(m3 K)]")


class CoolantSpec(Part):
    """What flows through the plate."""

    fluid: str = Field(description=f"One of {', '.join(FLUIDS)}")
    inlet_temperature: PlateTemperature = Field(description="[degC]")
    flow: VolumeFlow = Field(description="Of the plate, at the inlet temperature, such as '1.5 l/min' [m3/s]")


class PlateBody(Part):
    """The plate itself; x runs across the channels, y along the flow."""

    width: Extent = Field(description="Across the channels, along x [m]")
    length: Extent = Field(description="Along the channels, along y [m]")
    material: str = "copper"
    base: Thickness = Field(description="Thickness below the channels [m]")
    lid: Thickness = Field(description="Thickness above them [m]")
    lid_material: str | None = Field(default=None, description="The plate's own without it")


class ChannelSpec(Part):
    """Parallel rectangular channels, centred in the width."""

    width: Width = Field(description="[m]")
    height: Width = Field(description="[m]")
    pitch: Width | None = Field(default=None, description="Of two channels; give pitch or wall [m]")
    wall: Width | None = Field(default=None, description="Between two channels [m]")
    count: int | None = Field(default=None, ge=1, le=5000, description="As many as fit without it")
    margin: Place = Field(default=1e-3, description="Solid beside the outermost channels, at least [m]")
    roughness: Roughness = Field(default=0.0, description="Height of the walls' roughness [m]")
    end_loss: LossCoefficient = Field(
        default=1.5, description="Loss coefficient of inlet and outlet together [1]"
    )
    heated_walls: Literal["four", "three"] | None = Field(
        default=None, description="Three where the lid takes no heat; by the lid's material without it"
    )
    entrance: Literal["thermal", "simultaneous", "developed"] = Field(
        default="thermal", description="What develops in the film coefficients"
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> ChannelSpec:
        if (self.pitch is None) == (self.wall is None):
            raise ValueError("give exactly one of pitch and wall")
        return self

    @property
    def between(self) -> float:
        """Wall between two channels. [m]."""
        return self.wall if self.wall is not None else (self.pitch or 0.0) - self.width


class ManifoldSpec(Part):
    """Headers across both ends of the channels."""

    arrangement: Literal["ideal", "U", "Z", "central"] = Field(
        description="Outlet at the inlet's end (U) or the other (Z), or both ports in the middle"
    )
    width: Width = Field(default=5e-3, description="Of a header's cross-section [m]")
    height: Width = Field(default=5e-3, description="Of a header's cross-section [m]")
    recovery: Fraction = Field(
        default=1.0, description="Share of momentum that leaving flow does not take along [1]"
    )


class PackageLayer(Part):
    """A layer between a chip's heat and the base: die, paste, spreader."""

    material: str
    thickness: Thickness = Field(description="[m]")


class Chip(Part):
    """A rectangle that releases heat below the plate; uniform, or by a map."""

    id: Identifier
    position: tuple[Place, Place] = Field(description="Lower corner on the plate, x and y [m]")
    size: tuple[Extent, Extent] = Field(description="Along x and y [m]")
    power: HeatLoad | None = Field(default=None, description="A map is scaled to it where both are given [W]")
    map: str | None = Field(
        default=None, description="A 3D-ICE floorplan (.flp) or a table of W (.csv, first row at low y)"
    )
    limit: PlateTemperature | None = Field(default=None, description="Highest allowed temperature [degC]")

    @model_validator(mode="after")
    def _has_heat(self) -> Chip:
        if self.power is None and self.map is None:
            raise ValueError("give power, map or both")
        return self


class Probe(Part):
    """A point of the surface that heat enters through."""

    id: Identifier
    position: tuple[Place, Place] = Field(description="[m]")


class Ambient(Part):
    """What surrounds the plate; perfectly insulated without it."""

    temperature: PlateTemperature = Field(description="[degC]")
    above: Film = Field(default=0.0, description="Film coefficient on the lid [W/(m2 K)]")
    below: Film = Field(default=0.0, description="Under the plate and its chips [W/(m2 K)]")


class SolverSpec(Part):
    """Model and cells."""

    model: ModelName = "correlation"
    cells: int = Field(default=400_000, ge=1000, le=20_000_000, description="At most, about")


class Transient(Part):
    """Heat over time, from a plate at the inlet temperature or from its steady state."""

    duration: Time = Field(description="[s]")
    step: Time = Field(description="[s]")
    start: Literal["inlet", "steady"] = "inlet"
    powers: tuple[tuple[Moment, Factor], ...] = Field(
        default=((0.0, 1.0),), min_length=1, description="From when on, share of the heat that is released"
    )

    @model_validator(mode="after")
    def _ascends(self) -> Transient:
        times = [time for time, _ in self.powers]
        if times[0] != 0.0 or any(b <= a for a, b in pairwise(times)):
            raise ValueError("powers must begin at 0 s and ascend")
        if self.step > self.duration:
            raise ValueError("the step must not exceed the duration")
        return self


class Sweep(Part):
    """Designs to compare: all combinations of what is listed; the spec's own value where nothing is."""

    width: tuple[Width, ...] = Field(default=(), description="Of a channel [m]")
    height: tuple[Width, ...] = Field(default=(), description="Of a channel [m]")
    wall: tuple[Width, ...] = Field(default=(), description="Between two channels [m]")
    pitch: tuple[Width, ...] = Field(default=(), description="Instead of wall [m]")
    flow: tuple[VolumeFlow, ...] = Field(default=(), description="Of the plate [m3/s]")
    fluid: tuple[str, ...] = ()
    pressure_limit: Pressure | None = Field(default=None, description="Designs above it are left out [Pa]")
    outlet_limit: PlateTemperature | None = Field(
        default=None, description="Designs whose coolant leaves above it are left out [degC]"
    )
    margin: TemperatureMargin = Field(
        default=0.0, description="That chips of the chosen design keep to their limits [K]"
    )
    aspect_limit: Annotated[float, Quantity("1", 0.1, 200.0)] = Field(
        default=25.0, description="Height over width that can be made, of channel and wall [1]"
    )
    checks: int = Field(default=3, ge=0, le=20, description="Designs on the front that are solved finely")

    @model_validator(mode="after")
    def _not_both(self) -> Sweep:
        if self.wall and self.pitch:
            raise ValueError("list wall or pitch, not both")
        if not any((self.width, self.height, self.wall, self.pitch, self.flow, self.fluid)):
            raise ValueError("list at least one of width, height, wall, pitch, flow and fluid")
        return self


class PlateSpec(Part):
    """A cold plate file."""

    name: str = Field(min_length=1, max_length=80)
    description: str = ""
    coolant: CoolantSpec
    plate: PlateBody
    channels: ChannelSpec
    manifold: ManifoldSpec | None = None
    package: tuple[PackageLayer, ...] = Field(
        default=(), description="From the heat upwards, under every chip"
    )
    chips: tuple[Chip, ...] = Field(min_length=1)
    probes: tuple[Probe, ...] = ()
    ambient: Ambient | None = None
    materials: dict[str, Material] = Field(default_factory=dict)
    solver: SolverSpec = Field(default_factory=SolverSpec)
    transient: Transient | None = None
    sweep: Sweep | None = None
    plates: int = Field(
        default=1, ge=1, le=1000, description="Such plates in parallel, for the study's totals"
    )
