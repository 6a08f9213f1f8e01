"""The layout: what a room file may say, field by field, with unit, range and default.

``Layout`` is the root. Inside Python every number is SI (temperatures in K); in a file a plain number is in
the unit that the field documents (temperatures in degC), and text carries its own unit. ``model_dump()``
writes the file's units (to 12 digits), so a dumped layout loads again.

Positions are the room's metres: x and y in plan, z upwards from the structural slab, so that a raised floor
of 0.6 m is the plane z = 0.6. Racks, coolers and tiles stand on (or lie in) that plane and give x and y only.

``python -m twin.model.schema FILE`` writes the JSON schema; ``layouts/schema.json`` is made that way.
"""

from twin.model.schema.equipment import (
    U_HEIGHT,
    Cooler,
    CoolerFanCurve,
    CoolingModule,
    FanCurve,
    PowerModule,
    Rack,
    RackAir,
    Racklet,
    Slot,
)
from twin.model.schema.layout import Feed, Layout, Sensor, Workload, json_schema
from twin.model.schema.loops import AirCoil, Branch, Cdu, ColdPlates, Loop, Pump
from twin.model.schema.quantity import CELL_SIZE, Facing, Part, Quantity
from twin.model.schema.room import Air, Closure, Envelope, Grille, Perforated, Room, Surface, Tile
from twin.model.schema.structure import (
    Containment,
    Cutout,
    Duct,
    DuctFace,
    Obstacle,
    Opening,
    Panel,
    Wall,
)

__all__ = [
    "CELL_SIZE",
    "U_HEIGHT",
    "Air",
    "AirCoil",
    "Branch",
    "Cdu",
    "Closure",
    "ColdPlates",
    "Containment",
    "Cooler",
    "CoolerFanCurve",
    "CoolingModule",
    "Cutout",
    "Duct",
    "DuctFace",
    "Envelope",
    "Facing",
    "FanCurve",
    "Feed",
    "Grille",
    "Layout",
    "Loop",
    "Obstacle",
    "Opening",
    "Panel",
    "Part",
    "Perforated",
    "PowerModule",
    "Pump",
    "Quantity",
    "Rack",
    "RackAir",
    "Racklet",
    "Room",
    "Sensor",
    "Slot",
    "Surface",
    "Tile",
    "Wall",
    "Workload",
    "json_schema",
]
