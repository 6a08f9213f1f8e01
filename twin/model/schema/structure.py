"""What keeps the room's air apart and lets it through: panels, walls, obstacles, openings, ducts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from twin.model.catalog import TileLoss, tile_loss_coefficient
from twin.model.schema.quantity import (
    AirFlow,
    Fraction,
    Identifier,
    LossCoefficient,
    Part,
    Plan,
    Point,
    PositiveFraction,
    Quantity,
    Temperature,
)
from twin.model.schema.room import Perforated

_FLAT = 1e-9  # m; an extent below this is none

GapArea = Annotated[float, Quantity("1", 0.0, 0.5)]
Direction = Literal["+x", "-x", "+y", "-y", "+z", "-z"]


class Cutout(Perforated):
    """A perforated rectangle in a panel."""

    lo: Plan = Field(
        description="Lowest corner in the panel's plane, in the order x, y, z; z from the slab [m]"
    )
    hi: Plan = Field(description="Highest corner [m]")
    open_area: PositiveFraction = Field(default=1.0, description="Open over gross area; 1 is a hole [1]")

    @model_validator(mode="after")
    def _has_area(self) -> Cutout:
        if any(b - a < _FLAT for a, b in zip(self.lo, self.hi, strict=True)):
            raise ValueError("hi must lie above lo in both")
        return self

    @property
    def loss(self) -> float:
        """Loss coefficient K on the gross area; a bare hole has none. [1]."""
        return 0.0 if self.open_area == 1.0 and self.loss_coefficient is None else super().loss


class Panel(Part):
    """A thin plate on a plane: exactly one of the three extents is zero.

    Tight, leaking through gaps, or perforated: a perforated door, a grate, a screen.
    """

    id: Identifier
    kind: Literal["panel", "door", "roof", "curtain", "screen"] = "panel"
    lo: Point = Field(description="Lowest corner, z from the slab [m]")
    hi: Point = Field(description="Highest corner, z from the slab [m]")
    open: bool = Field(default=False, description="An open door or a drawn curtain lets air through freely")
    leakage: GapArea = Field(default=0.0, description="Open area of gaps over the panel's area [1]")
    open_area: Fraction = Field(
        default=0.0, description="Open over gross area of a perforated panel, 0 for a plain one [1]"
    )
    relation: TileLoss = Field(default="fried_idelchik", description="Loss coefficient from open_area")
    loss_coefficient: LossCoefficient | None = Field(
        default=None, description="Measured K on the panel's area; overrides leakage and open_area [1]"
    )
    cutouts: tuple[Cutout, ...] = Field(default=(), description="Perforated parts of the panel")

    @model_validator(mode="after")
    def _is_thin(self) -> Panel:
        _flat_axis(self.lo, self.hi, "a panel")
        if self.leakage > 0.0 and self.open_area > 0.0:
            raise ValueError("give leakage for gaps or open_area for perforation, not both")
        return self

    @property
    def axis(self) -> int:
        """The axis the panel is normal to: 0, 1 or 2."""
        return _flat_axis(self.lo, self.hi, "a panel")

    @property
    def loss(self) -> float | None:
        """Loss coefficient K of what lets air through, on the panel's area; None for a tight panel. [1]."""
        if self.loss_coefficient is not None:
            return self.loss_coefficient
        if self.open_area > 0.0:
            return tile_loss_coefficient(self.open_area, self.relation)
        return tile_loss_coefficient(self.leakage) if self.leakage > 0.0 else None


class Containment(Part):
    """Panels that close an aisle and are switched together."""

    id: Identifier
    enabled: bool = True
    panels: tuple[Panel, ...] = Field(min_length=1)


class Wall(Part):
    """A partition from slab to ceiling, thin, along x or y."""

    id: Identifier
    start: Plan
    end: Plan

    @model_validator(mode="after")
    def _is_straight(self) -> Wall:
        if sum(abs(b - a) < _FLAT for a, b in zip(self.start, self.end, strict=True)) != 1:
            raise ValueError(
                "a wall runs along x or along y: start and end must differ in exactly one of them"
            )
        return self


class Obstacle(Part):
    """A solid block: a column, a cabinet, a cable tray, a pipe bundle in the plenum."""

    id: Identifier
    lo: Point = Field(description="Lowest corner, z from the slab [m]")
    hi: Point = Field(description="Highest corner, z from the slab [m]")

    @model_validator(mode="after")
    def _has_volume(self) -> Obstacle:
        if any(b - a < _FLAT for a, b in zip(self.lo, self.hi, strict=True)):
            raise ValueError("hi must lie above lo in x, y and z")
        return self


class Opening(Part):
    """An opening in an outer wall, the slab or the roof: a door to a corridor, a window, a return shaft.

    Air passes either way by the pressure of the room against 0 Pa outside, and comes in at
    ``air.ambient_temperature``.
    """

    id: Identifier
    lo: Point = Field(description="Lowest corner, on a side of the room, z from the slab [m]")
    hi: Point = Field(description="Highest corner, z from the slab [m]")
    open: bool = Field(default=True, description="A closed door lets through only its leakage")
    leakage: GapArea = Field(default=0.0, description="Open area of gaps over its area while closed [1]")
    open_area: PositiveFraction = Field(
        default=1.0, description="Open over gross area while open; 1 is free [1]"
    )
    relation: TileLoss = Field(default="blevins", description="Loss coefficient from open_area below 1")
    loss_coefficient: LossCoefficient | None = Field(
        default=None, description="Measured K on its area while open; overrides the relation [1]"
    )

    @model_validator(mode="after")
    def _is_thin(self) -> Opening:
        _flat_axis(self.lo, self.hi, "an opening")
        return self

    @property
    def axis(self) -> int:
        """The axis the opening is normal to: 0, 1 or 2."""
        return _flat_axis(self.lo, self.hi, "an opening")

    @property
    def loss(self) -> float | None:
        """Loss coefficient K on its area; None where it is closed and tight. [1]."""
        if not self.open:
            return tile_loss_coefficient(self.leakage) if self.leakage > 0.0 else None
        if self.loss_coefficient is not None:
            return self.loss_coefficient
        return 0.0 if self.open_area == 1.0 else tile_loss_coefficient(self.open_area, self.relation)


class DuctFace(Part):
    """The end of a duct: a rectangle on a wall, floor, ceiling, panel or on the face of an obstacle."""

    lo: Point = Field(description="Lowest corner, z from the slab [m]")
    hi: Point = Field(description="Highest corner [m]")
    facing: Direction | None = Field(
        default=None,
        description="Direction in which the air before it lies; needed only where air lies on both sides",
    )

    @model_validator(mode="after")
    def _is_thin(self) -> DuctFace:
        axis = _flat_axis(self.lo, self.hi, "the end of a duct")
        if self.facing is not None and "xyz".index(self.facing[1]) != axis:
            raise ValueError(f"the rectangle is normal to {'xyz'[axis]}: facing must be along it")
        return self

    @property
    def axis(self) -> int:
        """The axis the face is normal to: 0, 1 or 2."""
        return _flat_axis(self.lo, self.hi, "the end of a duct")


class Duct(Part):
    """A fan that moves a given flow from an intake to a discharge; either may be the outside."""

    id: Identifier
    air_flow: AirFlow = Field(description="[m3/s]")
    intake: DuctFace | None = Field(default=None, description="Without it the duct draws from outside")
    discharge: DuctFace | None = Field(default=None, description="Without it the duct blows outside")
    supply_temperature: Temperature | None = Field(
        default=None,
        description="What a make-up air unit blows in; from inside it only cools, from outside it heats too. "
        "Without it the air keeps its temperature [degC]",
    )
    failed: bool = Field(default=False, description="Fan off")

    @model_validator(mode="after")
    def _has_an_end(self) -> Duct:
        if self.intake is None and self.discharge is None:
            raise ValueError("give intake, discharge or both: a duct needs an end in the room")
        return self


def _flat_axis(lo: Point, hi: Point, what: str) -> int:
    """Return the axis a rectangle is normal to; ValueError where it is no rectangle."""
    if any(b < a for a, b in zip(lo, hi, strict=True)):
        raise ValueError("hi must not lie below lo")
    flat = [a for a in range(3) if hi[a] - lo[a] < _FLAT]
    if len(flat) != 1:
        raise ValueError(f"{what} is a rectangle: exactly one of its three extents must be zero")
    return flat[0]
