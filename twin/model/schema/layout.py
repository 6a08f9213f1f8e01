"""The root of a layout, and what belongs to no other part: feeds, sensors, workloads."""

from __future__ import annotations

import json
from typing import Literal, TypeVar

from pydantic import Field, model_validator

from twin.model.schema.equipment import Cooler, Rack, Racklet
from twin.model.schema.loops import Branch, Loop
from twin.model.schema.quantity import Height, Identifier, Part, Point, PositivePower, Power
from twin.model.schema.room import Air, Grille, Room, Tile
from twin.model.schema.structure import Containment, Duct, Obstacle, Opening, Panel, Wall
from twin.units import from_si


class Feed(Part):
    """A power feed; the racks on it must not exceed it."""

    id: Identifier
    capacity: PositivePower = Field(description="[W]")


class Sensor(Part):
    """An extra sensor; its point is ``<id>.temperature`` or ``<id>.pressure``.

    It stands at ``position``, or 5 cm before a face of ``rack`` at ``height`` above the rack's foot.
    """

    id: Identifier
    quantity: Literal["temperature", "pressure"] = "temperature"
    position: Point | None = Field(default=None, description="z from the slab [m]")
    rack: Identifier | None = None
    face: Literal["inlet", "outlet"] = "inlet"
    height: Height = Field(default=1.0, description="Above the rack's foot [m]")

    @model_validator(mode="after")
    def _one_place(self) -> Sensor:
        if (self.position is None) == (self.rack is None):
            raise ValueError("give exactly one of position and rack")
        return self


class Workload(Part):
    """A piece of load at the start; a trace or a platform tells the twin how it goes on."""

    id: Identifier
    rack: Identifier
    power: Power = Field(description="Part of the rack's nominal power [W]")
    movable: bool = True


class Layout(Part):
    """A room with everything in it. Ids are unique over the whole layout."""

    name: str = Field(min_length=1, max_length=80)
    description: str = ""
    room: Room
    air: Air = Field(default_factory=Air)
    racks: tuple[Rack, ...] = ()
    racklets: tuple[Racklet, ...] = ()
    coolers: tuple[Cooler, ...] = ()
    loops: tuple[Loop, ...] = Field(default=(), description="Of coolant")
    tiles: tuple[Tile, ...] = ()
    grilles: tuple[Grille, ...] = Field(default=(), description="In the drop ceiling")
    openings: tuple[Opening, ...] = Field(default=(), description="In outer walls, to the outside")
    ducts: tuple[Duct, ...] = ()
    containments: tuple[Containment, ...] = ()
    panels: tuple[Panel, ...] = Field(default=(), description="Thin plates outside any containment")
    walls: tuple[Wall, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    feeds: tuple[Feed, ...] = ()
    default_sensors: bool = Field(
        default=True, description="Rack inlets (bottom, middle, top) and outlets, coolers and plenum pressure"
    )
    sensors: tuple[Sensor, ...] = ()
    workloads: tuple[Workload, ...] = ()

    def rack(self, name: str) -> Rack:
        """Return the rack with this id; KeyError if there is none."""
        return _named(self.racks, name)

    def racklet(self, name: str) -> Racklet:
        """Return the racklet with this id; KeyError if there is none."""
        return _named(self.racklets, name)

    def cooler(self, name: str) -> Cooler:
        """Return the cooler with this id; KeyError if there is none."""
        return _named(self.coolers, name)

    def branch_of(self, racklet: str) -> tuple[Loop, Branch] | None:
        """Return the loop and the branch that feed a racklet's cold plates; None where it has its own."""
        return next(
            ((loop, branch) for loop in self.loops for branch in loop.branches if branch.racklet == racklet),
            None,
        )

    def racklet_of(self, rack: str) -> Racklet | None:
        """Return the first racklet in a rack, the one whose fans and pump serve it; None if there is none."""
        return next((racklet for racklet in self.racklets if racklet.rack == rack), None)

    @property
    def active_panels(self) -> tuple[Panel, ...]:
        """Every panel that stands now: of enabled containments and free ones, less the open ones."""
        contained = (panel for group in self.containments if group.enabled for panel in group.panels)
        return tuple(panel for panel in (*contained, *self.panels) if not panel.open)


_Named = TypeVar("_Named", Rack, Racklet, Cooler)


def _named(objects: tuple[_Named, ...], name: str) -> _Named:
    for item in objects:
        if item.id == name:
            return item
    raise KeyError(name)


def json_schema() -> str:
    """Return the layout's JSON schema as text, stable between runs."""
    schema = Layout.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    for part in (schema, *schema["$defs"].values()):
        for field in part.get("properties", {}).values():
            if "unit" in field and field.get("default") is not None:
                field["default"] = from_si(field["default"], field["unit"])
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
