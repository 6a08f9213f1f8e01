"""Places: inside the room, not in each other, not too close for the grid."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from twin.model.check.report import TOLERANCE, Report, extent
from twin.model.geometry import Box, Xyz, sensor_points
from twin.model.voxel import SLIVER

TOUCHING = 1e-3
"""Objects closer than this touch: the grid joins them without a word. [m]"""
_SIDES = ("west wall", "east wall", "south wall", "north wall", "slab", "roof")


def check_storeys(report: Report) -> None:
    """Slab, raised floor, drop ceiling and roof lie above each other."""
    room = report.layout.room
    height = room.size[2]
    if room.raised_floor > 0.0 and room.raised_floor > 0.8 * height:
        report.error(
            "room", "room.raised_floor", f"{room.raised_floor:g} m",
            f"leaves no room under the roof at {height:g} m",
            "The room's height counts from the slab",
        )  # fmt: skip
    if room.ceiling > 0.0 and not room.raised_floor < room.ceiling < height:
        report.error(
            "room", "room.ceiling", f"{room.ceiling:g} m",
            f"lies not between the floor at {room.raised_floor:g} m and the roof at {height:g} m",
            "The ceiling's height counts from the slab",
        )  # fmt: skip
    if room.raised_floor <= 0.0 and not room.envelope.raised_floor.is_plain:
        report.error(
            "room", "room.envelope.raised_floor", "", "the room has no raised floor", "Give room.raised_floor"
        )
    if room.floor_leakage > 0.0 and not room.envelope.raised_floor.is_plain:
        report.warn(
            "room", "room.envelope.raised_floor", "",
            "a leaking floor lets air through everywhere: it has no surface to hold heat or a temperature",
            "Set floor_leakage to 0, or leave the surface out",
        )  # fmt: skip
    if room.ceiling > 0.0:
        for box in report.boxes:
            if box.kind in ("rack", "cooler") and box.hi[2] > room.ceiling + TOLERANCE:
                report.error_of(
                    box, f"z {box.lo[2]:g}..{box.hi[2]:g}",
                    f"reaches through the drop ceiling at {room.ceiling:g} m",
                    "Lower it, or raise the ceiling",
                )  # fmt: skip


def check_places(report: Report) -> None:
    """Objects lie in the room, sensors in its air."""
    size = report.layout.room.size
    for box in report.boxes:
        out = [
            f"{'xyz'[a]} from {box.lo[a]:g} to {box.hi[a]:g}, the room from 0 to {size[a]:g}"
            for a in range(3)
            if box.lo[a] < -TOLERANCE or box.hi[a] > size[a] + TOLERANCE
        ]
        if out:
            report.error_of(box, "; ".join(out), "lies outside the room [m]", "Move it into the room")
    named: set[str] = set()
    for point, place in sensor_points(report.placed).items():
        name = point.partition(".")[0]
        if name not in named and _sensor_is_misplaced(report, name, place):
            named.add(name)  # of a rack's three the first misplaced one speaks for all


def _sensor_is_misplaced(report: Report, name: str, place: Xyz) -> bool:
    """Whether the place of a sensor is wrong; if so there is a finding."""
    size = report.layout.room.size
    inner = next((box for box in report.boxes if box.is_block and _inside(place, box)), None)
    if any(place[a] < 0.0 or place[a] > size[a] for a in range(3)):
        rule = "lies outside the room"
    elif inner is not None:
        rule = f"lies inside {inner.kind} '{inner.name}'"
    else:
        return False
    field = report.paths.get(name, "")
    if name == "plenum":
        subject, field = "room", "default_sensors"
        rule = f"the place of plenum.pressure, under a tile, {rule}"
        remedy = "Move what is there, or set default_sensors to false and place sensors of your own"
    elif not field.startswith("sensors"):
        subject, rule, remedy = f"rack '{name}'", f"the air before its front {rule}", "Turn or move the rack"
    else:
        subject, remedy = f"sensor '{name}'", "Move it into the air"
    report.error(subject, field, f"({place[0]:g}, {place[1]:g}, {place[2]:g})", rule, remedy)
    return True


def check_overlaps(report: Report) -> None:
    """Blocks do not share space."""
    blocks = [box for box in report.boxes if box.is_block]
    for first, second in combinations(blocks, 2):
        if first.overlaps(second) and first.owner != second.owner:
            report.error_of(
                second, extent(second), f"overlaps {first.kind} '{first.name}' at {extent(first)}",
                "Move one of them",
            )  # fmt: skip


def check_gaps(report: Report) -> None:
    """Gaps between blocks, panels and walls are not so thin that the grid would close them.

    Two faces closer than ``SLIVER`` cells fall on one grid line: the gap, and the air through it, would be
    lost. Where they are less than a cell apart a single thin cell must carry the flow: a warning.
    """
    cell = report.layout.air.cell
    boxes = [box for box in report.boxes if box.is_block or box.kind in ("panel", "wall")]
    planes = _planes(report)
    if not boxes:
        return
    everything = [*boxes, *planes]
    lo = np.array([box.lo for box in everything])
    hi = np.array([box.hi for box in everything])
    for n, box in enumerate(boxes):
        across = np.minimum(hi, hi[n]) - np.maximum(lo, lo[n]) > TOLERANCE
        for axis in range(3):
            gap = lo[:, axis] - hi[n, axis]  # from this box up to the others
            down = lo[n, axis] - hi[:, axis]  # from the room's planes up to this box
            down[: len(boxes)] = -np.inf
            others = [a for a in range(3) if a != axis]
            facing = across[:, others].all(axis=1)
            near = np.maximum(gap, down)
            for other in np.flatnonzero(facing & (near > TOUCHING) & (near < cell - TOLERANCE)):
                if everything[other].owner != box.owner:
                    _note_gap(report, box, everything[other], axis, float(near[other]))


def _note_gap(report: Report, box: Box, other: Box, axis: int, gap: float) -> None:
    cell = report.layout.air.cell
    subject, field = f"{box.kind} '{box.name}'", report.path_of(box)
    what = other.name if other.kind in ("wall", "floor", "ceiling") and not other.facing else ""
    named = f"the {what}" if what in (*_SIDES, "floor", "ceiling") else f"{other.kind} '{other.name}'"
    value = f"{gap:.3g} m along {'xyz'[axis]}"
    finer = f"set air.cell to {max(0.01, gap / 2.0):.2g} m or less"
    if gap < SLIVER * cell:
        report.error(
            subject, field, value,
            f"the gap to {named} is thinner than the grid of {cell:g} m shows and would close",
            f"Close it, widen it, or {finer}",
        )  # fmt: skip
    else:
        report.warn(
            subject, field, value, f"the gap to {named} is thinner than a cell of {cell:g} m",
            f"If the air through it matters, {finer}",
        )  # fmt: skip


def _planes(report: Report) -> list[Box]:
    """Sides of the room, floor and ceiling as flat boxes."""
    room = report.layout.room
    found = []
    for n, name in enumerate(_SIDES):
        axis, at = n // 2, 0.0 if n % 2 == 0 else room.size[n // 2]
        lo = [at if a == axis else 0.0 for a in range(3)]
        hi = [at if a == axis else room.size[a] for a in range(3)]
        found.append(Box(name, "wall", (lo[0], lo[1], lo[2]), (hi[0], hi[1], hi[2])))
    for name, height in (("floor", room.raised_floor), ("ceiling", room.ceiling)):
        if height > 0.0:
            kind = "floor" if name == "floor" else "ceiling"
            found.append(Box(name, kind, (0.0, 0.0, height), (*room.size[:2], height)))
    return found


def check_holes(report: Report) -> None:
    """Tiles and grilles lie in a floor or ceiling, side by side, with nothing standing on them."""
    room = report.layout.room
    planes = (
        ("tile", room.raised_floor, "lies in no floor: the room has no raised floor", "room.raised_floor"),
        ("grille", room.ceiling, "lies in no ceiling: the room has no drop ceiling", "room.ceiling"),
    )
    for kind, height, rule, field in planes:
        holes = [box for box in report.boxes if box.kind == kind]
        if height <= 0.0:
            for hole in holes:
                report.error_of(hole, "", rule, f"Give {field}")
            continue
        blocks = [box for box in report.boxes if box.is_block and _on_plane(box, height, kind)]
        place = "under" if kind == "tile" else "on"
        for hole in holes:
            for box in blocks:
                if hole.overlaps_in_plan(box):
                    report.error_of(
                        hole, extent(hole),
                        f"lies {place} {box.kind} '{box.name}' at {extent(box)}",
                        f"Move the {kind} or what stands on it",
                    )  # fmt: skip
            for end in (box for box in report.boxes if box.kind == "duct" and not box.is_block):
                if end.lo[2] == end.hi[2] == height and hole.overlaps_in_plan(end):
                    report.error_of(
                        end,
                        extent(end),
                        f"lies on {kind} '{hole.name}' at {extent(hole)}",
                        "Move one of them",
                    )
        for first, second in combinations(holes, 2):
            if first.overlaps_in_plan(second):
                report.error_of(
                    second, extent(second), f"overlaps {kind} '{first.name}' at {extent(first)}",
                    "Move one of them",
                )  # fmt: skip
    _check_cutouts(report)


def _on_plane(box: Box, height: float, kind: str) -> bool:
    """Whether a block stands on the floor or reaches up to the ceiling."""
    if kind == "tile":
        return box.lo[2] <= height + TOLERANCE < box.hi[2]
    return box.lo[2] < height - TOLERANCE <= box.hi[2]


def _check_cutouts(report: Report) -> None:
    for panel in report.layout.active_panels:
        axes = [a for a in range(3) if a != panel.axis]
        for n, cutout in enumerate(panel.cutouts):
            outside = any(
                lo < panel.lo[a] - TOLERANCE or hi > panel.hi[a] + TOLERANCE
                for a, lo, hi in zip(axes, cutout.lo, cutout.hi, strict=True)
            )
            if outside:
                span = ", ".join(
                    f"{'xyz'[a]} {lo:g}..{hi:g}" for a, lo, hi in zip(axes, cutout.lo, cutout.hi, strict=True)
                )
                report.error(
                    f"cutout {n + 1} of panel '{panel.id}'", f"{report.paths[panel.id]}.cutouts[{n}]", span,
                    "lies outside the panel [m]", "Move it into the panel",
                )  # fmt: skip


def check_openings(report: Report) -> None:
    """Tell openings that lie on no side of the room, or in each other."""
    size = report.layout.room.size
    openings = [opening for opening in report.layout.openings if opening.loss is not None]
    for opening in openings:
        at = opening.lo[opening.axis]
        if min(abs(at), abs(size[opening.axis] - at)) > TOLERANCE:
            report.error(
                f"opening '{opening.id}'", report.paths[opening.id], f"{'xyz'[opening.axis]} = {at:g} m",
                "lies on no side of the room: an opening leads outside",
                "Move it onto a side, or make it a cutout of a panel",
            )  # fmt: skip
    boxes = [box for box in report.boxes if box.kind == "opening"]
    for first, second in combinations(boxes, 2):
        if _share_face(first, second):
            report.error_of(
                second, extent(second), f"overlaps opening '{first.name}' at {extent(first)}",
                "Move one of them",
            )  # fmt: skip


def _share_face(first: Box, second: Box) -> bool:
    """Whether two rectangles share area on one plane."""
    shared = [min(first.hi[a], second.hi[a]) - max(first.lo[a], second.lo[a]) for a in range(3)]
    return sum(part > TOLERANCE for part in shared) == 2 and min(shared) > -TOLERANCE


def _inside(place: Xyz, box: Box) -> bool:
    return all(box.lo[a] + TOLERANCE < place[a] < box.hi[a] - TOLERANCE for a in range(3))
