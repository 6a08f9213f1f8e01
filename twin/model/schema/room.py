"""The room itself: its air, its shell and envelope, the holes in its floor and ceiling."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from twin.model.catalog import TileLoss, tile_loss_coefficient
from twin.model.schema.quantity import (
    CELL_SIZE,
    Height,
    Identifier,
    Length,
    LossCoefficient,
    Part,
    Plan,
    PositiveFraction,
    Quantity,
    Temperature,
)
from twin.units import kelvin

SeamArea = Annotated[float, Quantity("1", 0.0, 0.05)]
Transmittance = Annotated[float, Quantity("W/m2/K", 0.0, 1000.0, above=0.0)]
AreaThermalMass = Annotated[float, Quantity("J/m2/K", 0.0, 1e7)]


class Closure(Part):
    """Turbulence closure of the room's air."""

    kind: Literal["laminar", "mixing_length", "k_epsilon", "vreman"] = Field(
        default="mixing_length",
        description="mixing_length: Chen and Xu 1998, nu_t = constant V l; k_epsilon: standard, with wall "
        "functions; vreman: large-eddy simulation; laminar: none",
    )
    constant: Annotated[float, Quantity("1", 0.0, 0.2, above=0.0)] = Field(
        default=0.03874, description="Of mixing_length; the published constant is 0.03874 [1]"
    )
    turbulent_prandtl: Annotated[float, Quantity("1", 0.3, 2.0)] = Field(default=0.9, description="[1]")
    vreman_constant: Annotated[float, Quantity("1", 0.0, 0.2, above=0.0)] = Field(
        default=0.07, description="Of vreman; 0.07 is 2.5 C_S^2 with C_S = 0.17 [1]"
    )
    intensity: Annotated[float, Quantity("1", 0.0, 1.0, above=0.0)] = Field(
        default=0.05, description="Turbulence intensity of air that enters the room, for k_epsilon [1]"
    )
    length_scale: Annotated[float, Quantity("1", 0.0, 1.0, above=0.0)] = Field(
        default=0.1,
        description="Its length scale over the hydraulic diameter of where it enters, for k_epsilon [1]",
    )


class Air(Part):
    """How the air is computed."""

    cell: Annotated[float, CELL_SIZE] = Field(default=0.1, description="Target cell size [m]")
    reference_temperature: Temperature = Field(
        default=kelvin(20.0), description="Boussinesq reference [degC]"
    )
    ambient_temperature: Temperature = Field(
        default=kelvin(20.0), description="Outside, of what openings and ducts draw in [degC]"
    )
    closure: Closure = Field(default_factory=Closure)


class Surface(Part):
    """How heat passes a side of the room; nothing given is adiabatic.

    A temperature alone is that of the surface; with ``u_value`` it lies behind the wall. The air film inside
    is computed and not part of the U-value. Without a temperature the thermal mass only stores heat.
    """

    temperature: Temperature | None = Field(default=None, description="[degC]")
    u_value: Transmittance | None = Field(
        default=None, description="From the surface to the temperature behind it [W/m2/K]"
    )
    thermal_mass: AreaThermalMass = Field(default=0.0, description="Of the layer at the air [J/m2/K]")

    @model_validator(mode="after")
    def _is_a_law(self) -> Surface:
        if self.u_value is not None and self.temperature is None:
            raise ValueError("a u_value needs the temperature behind it")
        if self.thermal_mass > 0.0 and self.temperature is not None and self.u_value is None:
            raise ValueError(
                "a surface of given temperature stores no heat: give a u_value too, or no thermal_mass"
            )
        return self

    @property
    def is_plain(self) -> bool:
        """Whether no heat passes or stays: adiabatic without mass."""
        return self.temperature is None and self.thermal_mass == 0.0


class Envelope(Part):
    """The sides of the room by compass, east along +x, north along +y; what is left out is adiabatic."""

    west: Surface = Field(default_factory=Surface, description="The wall at x = 0")
    east: Surface = Field(default_factory=Surface, description="The wall at the room's largest x")
    south: Surface = Field(default_factory=Surface, description="The wall at y = 0")
    north: Surface = Field(default_factory=Surface, description="The wall at the room's largest y")
    slab: Surface = Field(default_factory=Surface, description="Below, at z = 0")
    roof: Surface = Field(default_factory=Surface, description="Above, at the room's height")
    raised_floor: Surface = Field(
        default_factory=Surface,
        description="Both faces of the raised floor, half of the thermal mass each; no heat goes through",
    )


class Room(Part):
    """The rectangular shell, from slab to ceiling; walls are adiabatic unless the envelope says otherwise."""

    size: tuple[Length, Length, Length] = Field(description="x, y and slab-to-ceiling height [m]")
    raised_floor: Height = Field(
        default=0.0, description="Height of the raised floor above the slab, 0 for none [m]"
    )
    floor_leakage: SeamArea = Field(
        default=0.0, description="Open area of the seams between solid floor panels over their area [1]"
    )
    ceiling: Annotated[float, Quantity("m", 0.0, 500.0)] = Field(
        default=0.0, description="Height of the drop ceiling above the slab, 0 for none [m]"
    )
    ceiling_leakage: SeamArea = Field(
        default=0.0, description="Open area of the seams between ceiling panels over their area [1]"
    )
    envelope: Envelope = Field(default_factory=Envelope)


class Perforated(Part):
    """Something with holes: a loss coefficient from its open area, or a measured one."""

    open_area: PositiveFraction = Field(default=0.56, description="Open over gross area [1]")
    relation: TileLoss = Field(default="fried_idelchik", description="Loss coefficient from open area")
    loss_coefficient: LossCoefficient | None = Field(
        default=None, description="Measured K on the gross area; overrides the relation [1]"
    )

    @property
    def loss(self) -> float:
        """Loss coefficient K on the gross area. [1]."""
        if self.loss_coefficient is not None:
            return self.loss_coefficient
        return tile_loss_coefficient(self.open_area, self.relation)


class Tile(Perforated):
    """A perforated tile or a grate in the raised floor; its holes blow jets."""

    id: Identifier
    position: Plan = Field(description="Lowest corner [m]")
    size: tuple[Length, Length] = Field(default=(0.6, 0.6), description="[m]")


class Grille(Perforated):
    """A grille in the drop ceiling, of any flow direction."""

    id: Identifier
    position: Plan = Field(description="Lowest corner [m]")
    size: tuple[Length, Length] = Field(default=(0.6, 0.6), description="[m]")
    open_area: PositiveFraction = Field(default=0.5, description="Open over gross area [1]")
    relation: TileLoss = Field(default="blevins", description="Loss coefficient from open area")
