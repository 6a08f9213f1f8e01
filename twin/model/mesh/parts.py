"""Draw what keeps air apart and what lets it through: solids, floor, ceiling, walls, panels, openings."""

from __future__ import annotations

import numpy as np

from twin.model.catalog import tile_loss_coefficient
from twin.model.geometry import Box
from twin.model.mesh.raster import Raster
from twin.model.schema import Grille, Opening, Panel, Tile

_ACROSS = ((1, 2), (0, 2), (0, 1))


def draw_solids(raster: Raster) -> None:
    """Fill the cells of racks, coolers with their ducts, and obstacles."""
    for box in raster.boxes:
        if not box.is_block:
            continue
        ranges = raster.ranges(box)
        if any(lo == hi for lo, hi in ranges) and box.kind != "duct":
            raster.error(
                box, "thinner than the grid can show", "Use a smaller cell, or a panel for a thin part"
            )
        raster.solid[tuple(slice(*part) for part in ranges)] = True


def draw_openings(raster: Raster) -> None:
    """Open outer walls to a layer of outside air."""
    for opening in raster.layout.openings:
        if opening.loss is not None:
            _draw_opening(raster, opening, opening.loss)


def _draw_opening(raster: Raster, opening: Opening, loss: float) -> None:
    box = Box(opening.id, "opening", opening.lo, opening.hi)
    axis, ranges = opening.axis, raster.ranges(box)
    if any(lo == hi for a, (lo, hi) in enumerate(ranges) if a != axis):
        raster.error(box, f"finer than the cells of {raster.cell:g} m", "Use a smaller cell")
        return
    face = ranges[axis][0]
    low = face == raster.inside[axis][0]
    outer, inner = (face - 1, face) if low else (face, face - 1)
    window = [slice(*part) for part in ranges]
    beyond = tuple(slice(outer, outer + 1) if a == axis else part for a, part in enumerate(window))
    before = tuple(inner if a == axis else part for a, part in enumerate(window))
    at = tuple(face if a == axis else part for a, part in enumerate(window))
    blocked = float(np.mean(raster.solid[before]))
    if blocked > 0.0:
        raster.error(
            box, f"{blocked:.0%} of it is blocked by {raster.blocker(before)}", "Leave air before it"
        )
    raster.solid[beyond] = False
    raster.ambient[beyond] = True
    raster.loss[axis][at] = loss


def draw_planes(raster: Raster) -> None:
    """Close the raised floor and the drop ceiling but for seams, tiles and grilles."""
    room = raster.layout.room
    if room.raised_floor > 0.0:
        _draw_plane(raster, room.raised_floor, room.floor_leakage, "tile", raster.layout.tiles)
    if room.ceiling > 0.0:
        _draw_plane(raster, room.ceiling, room.ceiling_leakage, "grille", raster.layout.grilles)


def _draw_plane(
    raster: Raster, height: float, leakage: float, kind: str, holes: tuple[Tile, ...] | tuple[Grille, ...]
) -> None:
    k = raster.index(2, height)
    at = (*raster.room[:2], k)
    plate, loss = raster.plate[2], raster.loss[2]
    if leakage > 0.0:
        open_ = ~(raster.solid[:, :, k] | raster.solid[:, :, k - 1])[raster.room[:2]]
        plate[at] = ~open_
        loss[at] = np.where(open_, tile_loss_coefficient(leakage), 0.0)
    else:
        plate[at] = True
    for hole, box in zip(holes, (b for b in raster.boxes if b.kind == kind), strict=True):
        x, y, _ = raster.ranges(box)
        if x[0] == x[1] or y[0] == y[1]:
            raster.error(box, f"finer than the cells of {raster.cell:g} m", "Use a smaller cell")
            continue
        plate[slice(*x), slice(*y), k] = False
        loss[slice(*x), slice(*y), k] = hole.loss
        raster.jets.append((k, x, y, hole.open_area))


def draw_panels(raster: Raster) -> None:
    """Draw walls, then panels with their cutouts; what lies on a tile adds to its loss."""
    for box in raster.boxes:
        if box.kind == "wall":
            axis = next(a for a in range(3) if box.hi[a] - box.lo[a] < 1e-9)
            _close(raster, box, axis)
    for panel, box in zip(
        raster.layout.active_panels, (b for b in raster.boxes if b.kind == "panel"), strict=True
    ):
        _draw_panel(raster, panel, box)


def _close(raster: Raster, box: Box, axis: int) -> None:
    at = _face_window(raster, box, axis)
    raster.plate[axis][at] = True
    raster.loss[axis][at] = 0.0


def _face_window(raster: Raster, box: Box, axis: int) -> tuple[slice | int, ...]:
    return tuple(part[0] if a == axis else slice(*part) for a, part in enumerate(raster.ranges(box)))


def _draw_panel(raster: Raster, panel: Panel, box: Box) -> None:
    axis = panel.axis
    at = _face_window(raster, box, axis)
    plate, loss = raster.plate[axis], raster.loss[axis]
    closes = np.full(plate[at].shape, panel.loss is None)
    adds = np.full(plate[at].shape, panel.loss or 0.0, np.float32)
    corner = [lo for a, (lo, _) in enumerate(raster.ranges(box)) if a != axis]
    for n, cutout in enumerate(panel.cutouts, 1):
        spans = [
            raster.span(a, max(lo, panel.lo[a]), min(hi, panel.hi[a]))
            for a, lo, hi in zip(_ACROSS[axis], cutout.lo, cutout.hi, strict=True)
        ]
        if any(lo == hi for lo, hi in spans):
            raster.warn(
                f"panel '{panel.id}'",
                f"cutout {n}",
                f"is finer than the cells of {raster.cell:g} m and was left out",
                "Use a smaller cell if it matters",
            )
            continue
        hole = tuple(slice(lo - at0, hi - at0) for (lo, hi), at0 in zip(spans, corner, strict=True))
        closes[hole], adds[hole] = False, cutout.loss
    plate[at] |= closes
    loss[at] = np.where(plate[at], 0.0, loss[at] + adds)
