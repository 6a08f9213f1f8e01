"""Where things are: the boxes of a layout's objects, their faces, its sensors. Metres, z from the slab."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from twin.model.schema import U_HEIGHT, Cooler, Facing, Grille, Layout, Rack, Sensor, Tile

INLET_HEIGHTS = {"bottom": 0.1, "middle": 0.5, "top": 0.9}
"""Heights of the default inlet sensors over the rack's height. [1]"""
SENSOR_DISTANCE = 0.05
"""Distance of rack sensors from the face. [m]"""

Xyz = tuple[float, float, float]
BoxKind = Literal[
    "rack", "cooler", "tile", "grille", "panel", "floor", "ceiling", "wall", "obstacle", "opening", "duct"
]


@dataclass(frozen=True, slots=True)
class Box:
    """An object as a box, for display and checks.

    Attributes
    ----------
    name : str
    kind : str
    lo, hi : (x, y, z)    Corners; a panel, tile, floor or opening has one extent of 0. [m]
    facing : str          Direction of the front; empty where there is none.
    """

    name: str
    kind: BoxKind
    lo: Xyz
    hi: Xyz
    facing: str = ""

    @property
    def is_block(self) -> bool:
        """Whether it fills space: a rack, a cooler, an obstacle, the duct on top of a cooler."""
        return all(b - a > 1e-9 for a, b in zip(self.lo, self.hi, strict=True))

    @property
    def owner(self) -> str:
        """Id of the object it belongs to: ``D1`` for ``D1.intake``."""
        return self.name.partition(".")[0]

    def overlaps(self, other: Box, tolerance: float = 1e-6) -> bool:
        """Whether the two share volume (touching faces do not count)."""
        return all(min(self.hi[a], other.hi[a]) - max(self.lo[a], other.lo[a]) > tolerance for a in range(3))

    def overlaps_in_plan(self, other: Box, tolerance: float = 1e-6) -> bool:
        """Whether the two share plan area."""
        return all(min(self.hi[a], other.hi[a]) - max(self.lo[a], other.lo[a]) > tolerance for a in range(2))


class Face(NamedTuple):
    """A face of a box: the axis it is normal to, its coordinate [m], the side (+1, -1) the air lies on."""

    axis: int
    coordinate: float
    side: int


def direction(facing: Facing | str) -> tuple[int, int]:
    """Axis (0 or 1) and sign of a facing."""
    return "xy".index(facing[1]), 1 if facing[0] == "+" else -1


def front(box: Box) -> Face:
    """Return the face the box looks out of."""
    axis, sign = direction(box.facing)
    return Face(axis, box.hi[axis] if sign > 0 else box.lo[axis], sign)


def rear(box: Box) -> Face:
    """Return the face opposite to the front."""
    axis, sign = direction(box.facing)
    return Face(axis, box.lo[axis] if sign > 0 else box.hi[axis], -sign)


def standing_box(layout: Layout, item: Rack | Cooler) -> Box:
    """Return the box of a rack or cooler on the (raised) floor."""
    width, depth, height = item.size
    axis, _ = direction(item.facing)
    extent = (depth, width) if axis == 0 else (width, depth)
    foot = layout.room.raised_floor + (item.elevation if isinstance(item, Cooler) else 0.0)
    lo = (item.position[0], item.position[1], foot)
    hi = (item.position[0] + extent[0], item.position[1] + extent[1], foot + height)
    return Box(item.id, "rack" if isinstance(item, Rack) else "cooler", lo, hi, item.facing)


def unit_height(layout: Layout, rack: Rack, unit: int) -> float:
    """Height of the lower edge of a rack unit (1 is the lowest). [m]."""
    return layout.room.raised_floor + rack.mount_base + (unit - 1) * U_HEIGHT


def boxes(layout: Layout) -> tuple[Box, ...]:
    """Return every object of a layout as a box.

    The ends of a duct are ``D1.intake`` and ``D1.discharge``, the duct on top of a cooler that draws from
    above the drop ceiling is ``C1.duct``. Openings that are shut and tight are left out.
    """
    size, floor, ceiling = layout.room.size, layout.room.raised_floor, layout.room.ceiling
    found = [standing_box(layout, item) for item in (*layout.racks, *layout.coolers)]
    found += [box for cooler in layout.coolers if (box := ceiling_duct(layout, cooler)) is not None]
    found += [_hole(item, "tile", floor) for item in layout.tiles]
    found += [_hole(item, "grille", ceiling) for item in layout.grilles]
    found += [Box(panel.id, "panel", panel.lo, panel.hi) for panel in layout.active_panels]
    for wall in layout.walls:
        lo, hi = sorted((wall.start, wall.end))
        found.append(Box(wall.id, "wall", (lo[0], lo[1], 0.0), (hi[0], hi[1], size[2])))
    found += [Box(item.id, "obstacle", item.lo, item.hi) for item in layout.obstacles]
    found += [Box(item.id, "opening", item.lo, item.hi) for item in layout.openings if item.loss is not None]
    for duct in layout.ducts:
        for end, face in (("intake", duct.intake), ("discharge", duct.discharge)):
            if face is not None:
                found.append(Box(f"{duct.id}.{end}", "duct", face.lo, face.hi, face.facing or ""))
    if floor > 0.0:
        found.append(Box("floor", "floor", (0.0, 0.0, floor), (size[0], size[1], floor)))
    if ceiling > 0.0:
        found.append(Box("ceiling", "ceiling", (0.0, 0.0, ceiling), (size[0], size[1], ceiling)))
    return tuple(found)


def _hole(item: Tile | Grille, kind: BoxKind, height: float) -> Box:
    (x, y), (dx, dy) = item.position, item.size
    return Box(item.id, kind, (x, y, height), (x + dx, y + dy, height))


def ceiling_duct(layout: Layout, cooler: Cooler) -> Box | None:
    """Return the duct from the top of a cooler to the drop ceiling that it draws through; None without."""
    box, ceiling = standing_box(layout, cooler), layout.room.ceiling
    if cooler.return_face != "ceiling" or ceiling - box.hi[2] < 1e-9:
        return None
    return Box(f"{cooler.id}.duct", "duct", (*box.lo[:2], box.hi[2]), (*box.hi[:2], ceiling))


def sensor_points(layout: Layout) -> dict[str, Xyz]:
    """Return the place of every temperature and pressure probe in the air, by point name."""
    points: dict[str, Xyz] = {}
    if layout.default_sensors:
        for rack in layout.racks:
            for place, part in INLET_HEIGHTS.items():
                at = before_face(layout, rack, "inlet", part * rack.size[2])
                points[f"{rack.id}.inlet_temperature.{place}"] = at
        if layout.room.raised_floor > 0.0:
            points["plenum.pressure"] = _plenum_point(layout)
    for sensor in layout.sensors:
        points[f"{sensor.id}.{sensor.quantity}"] = _place(layout, sensor)
    return points


def before_face(layout: Layout, rack: Rack, which: str, height: float) -> Xyz:
    """Return the point 5 cm before the middle of a rack's inlet or outlet face, at a height [m]."""
    box = standing_box(layout, rack)
    face = front(box) if which == "inlet" else rear(box)
    at = [0.5 * (box.lo[a] + box.hi[a]) for a in range(3)]
    at[face.axis] = face.coordinate + face.side * SENSOR_DISTANCE
    at[2] = box.lo[2] + height
    return (at[0], at[1], at[2])


def _place(layout: Layout, sensor: Sensor) -> Xyz:
    if sensor.position is not None:
        return sensor.position
    return before_face(layout, layout.rack(sensor.rack or ""), sensor.face, sensor.height)


def _plenum_point(layout: Layout) -> Xyz:
    """Return the point at half the plenum's height under the tile nearest to the tiles' centroid.

    The room's middle without tiles; the first in the file of tiles that are equally near.
    """
    size, floor = layout.room.size, layout.room.raised_floor
    tiles = [box for box in boxes(layout) if box.kind == "tile"]
    if not tiles:
        return (0.5 * size[0], 0.5 * size[1], 0.5 * floor)
    centres = [(0.5 * (box.lo[0] + box.hi[0]), 0.5 * (box.lo[1] + box.hi[1])) for box in tiles]
    areas = [(box.hi[0] - box.lo[0]) * (box.hi[1] - box.lo[1]) for box in tiles]
    centroid = [
        sum(area * at[a] for area, at in zip(areas, centres, strict=True)) / sum(areas) for a in (0, 1)
    ]
    x, y = min(centres, key=lambda at: round(math.dist(at, centroid), 6))
    return (x, y, 0.5 * floor)
