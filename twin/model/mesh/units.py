"""Flow-through units: slots and leakage of racks, coolers, ducts, each from one patch to another."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from twin.model.geometry import Box, Face, front, rear, standing_box, unit_height
from twin.model.mesh.raster import OUTSIDE, Raster
from twin.model.schema import U_HEIGHT, Cooler, Duct, DuctFace, Rack

INTO_PLENUM = "supply into the plenum"
FROM_CEILING = "return from the ceiling plenum"


def draw_rack(raster: Raster, rack: Rack) -> tuple[tuple[int, ...], int | None]:
    """Add the units of a rack's slots, in the file's order but named from the bottom, and of its leakage."""
    box = standing_box(raster.layout, rack)
    limits = raster.span(2, box.lo[2], box.hi[2])
    numbers = {k: n for n, k in enumerate(sorted(range(len(rack.slots)), key=_start_of(rack)), 1)}
    taken: list[tuple[int, int]] = []
    units = []
    for k, slot in enumerate(rack.slots):
        lo = unit_height(raster.layout, rack, slot.u_start)
        layers = _free_range(raster, lo, lo + slot.u_height * U_HEIGHT, limits, taken)
        if layers is None:
            raster.too_fine.append((f"slot {k + 1} of rack '{rack.id}'", slot.u_height * U_HEIGHT))
            continue
        taken.append(layers)
        units.append(_through(raster, f"{rack.id}.{numbers[k]}", box, layers))
    leak = _draw_leakage(raster, rack, box, limits, taken) if rack.leakage > 0.0 else None
    return tuple(units), leak


def draw_cooler(raster: Raster, cooler: Cooler) -> int:
    """Add the unit of a cooler."""
    box = standing_box(raster.layout, cooler)
    intake = _cooler_patch(raster, cooler, box, cooler.return_face)
    supply = _cooler_patch(raster, cooler, box, cooler.supply_face)
    return raster.patches.unit(cooler.id, intake, supply)


def draw_duct(raster: Raster, duct: Duct) -> int:
    """Add the unit of a duct; an end that is not given lies outside."""
    ends = (("intake", duct.intake), ("discharge", duct.discharge))
    intake, discharge = (
        OUTSIDE if face is None else _duct_patch(raster, duct, end, face) for end, face in ends
    )
    return raster.patches.unit(duct.id, intake, discharge)


def _start_of(rack: Rack):
    return lambda k: rack.slots[k].u_start


def _through(raster: Raster, name: str, box: Box, layers: tuple[int, int], reverse: bool = False) -> int:
    """Add a unit from front to rear (or back) of a rack over some cell layers."""
    intake = _patch(raster, box, front(box), "air inlet", layers)
    outlet = _patch(raster, box, rear(box), "air outlet", layers)
    return raster.patches.unit(name, *((outlet, intake) if reverse else (intake, outlet)))


def _draw_leakage(
    raster: Raster, rack: Rack, box: Box, limits: tuple[int, int], taken: list[tuple[int, int]]
) -> int | None:
    """Add a unit from rear to front through the largest gap between what fills the rack."""
    occupied = [(slot.u_start, slot.u_start + slot.u_height) for slot in rack.slots]
    occupied += [(r.u_start, r.u_start + r.u_height) for r in raster.layout.racklets if r.rack == rack.id]
    edges = sorted([(0, 1), *occupied, (rack.units + 1, rack.units + 1)])
    lo, hi = max(((a[1], b[0]) for a, b in pairwise(edges)), key=lambda gap: gap[1] - gap[0])
    if hi > lo:
        bottom, top = (unit_height(raster.layout, rack, unit) for unit in (lo, hi))
        layers = _free_range(raster, bottom, top, limits, taken)
        if layers is not None:
            return _through(raster, f"{rack.id}.leakage", box, layers, reverse=True)
    raster.error(
        box,
        "leakage needs free rack units of at least one cell",
        "Set leakage to 0, or free some units",
        "leakage",
    )
    return None


def _cooler_patch(raster: Raster, cooler: Cooler, box: Box, which: str) -> int:
    faces = {
        "plenum": (Face(2, box.lo[2], -1), INTO_PLENUM),
        "bottom": (Face(2, box.lo[2], -1), "opening at the bottom"),
        "top": (Face(2, box.hi[2], 1), "opening on top"),
        "ceiling": (Face(2, raster.layout.room.ceiling, 1), FROM_CEILING),
        "front": (front(box), "front opening"),
        "rear": (rear(box), "rear opening"),
    }
    return _patch(raster, box, *faces[which])


def _duct_patch(raster: Raster, duct: Duct, end: str, face: DuctFace) -> int:
    box = raster.box_of[f"{duct.id}.{end}"]
    axis, ranges = face.axis, raster.ranges(box)
    if any(lo == hi for a, (lo, hi) in enumerate(ranges) if a != axis):
        raster.error(box, f"finer than the cells of {raster.cell:g} m", "Use a smaller cell", end)
    at = ranges[axis][0]
    side = _duct_side(raster, box, axis, at, end) if face.facing is None else _sign(face.facing)
    return raster.patches.add(axis, at, ranges, side, (box, end))


def _duct_side(raster: Raster, box: Box, axis: int, at: int, end: str) -> int:
    """Side of a duct's end on which the air lies: the one less filled."""
    if at in raster.inside[axis]:
        return 1 if at == raster.inside[axis][0] else -1
    window = [slice(lo, max(hi, lo + 1)) for lo, hi in raster.ranges(box)]
    filled = []
    for layer in (at - 1, at):
        window[axis] = slice(layer, layer + 1)
        filled.append(float(np.mean(raster.solid[tuple(window)])))
    if filled[0] == filled[1]:
        raster.error(
            box, "air lies on both sides of it", "Say facing, the direction in which its air lies", end
        )
    return 1 if filled[0] > filled[1] else -1


def _sign(facing: str) -> int:
    return 1 if facing[0] == "+" else -1


def _patch(raster: Raster, box: Box, face: Face, role: str, layers: tuple[int, int] | None = None) -> int:
    ranges = raster.ranges(box)
    if layers is not None:
        ranges[2] = layers
    index = raster.index(face.axis, face.coordinate)
    return raster.patches.add(face.axis, index, ranges, face.side, (box, role))


def _free_range(
    raster: Raster, lo: float, hi: float, limits: tuple[int, int], taken: list[tuple[int, int]]
) -> tuple[int, int] | None:
    """Cell layers nearest to a height range, at least one, clear of those taken; else None."""
    k0, k1 = (min(max(k, limits[0]), limits[1]) for k in raster.span(2, lo, hi))
    if k0 == k1:
        k0 = int(np.searchsorted(raster.faces[2], 0.5 * (lo + hi), side="right")) - 1
        k1 = k0 + 1
    if k0 < limits[0] or k1 > limits[1] or any(k0 < b and a < k1 for a, b in taken):
        return None
    return k0, k1
