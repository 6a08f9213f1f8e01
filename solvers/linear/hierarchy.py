"""Builds the levels of the pressure solver from a grid and its open faces."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from solvers.grid import Grid
from solvers.linear import coarsen
from solvers.linear.aggregate import Parts, merge_parts, split_blocks
from solvers.linear.coarsen import AIR, HELD, Box
from solvers.linear.layout import Three, cells_of, padded, strides, three
from solvers.linear.levels import (
    ENTRIES,
    GROUPS,
    MAPS,
    MEMBERS,
    NX,
    NY,
    NZ,
    OFFSET,
    ROWS,
    SIZE,
    SX,
    SY,
    Levels,
)
from solvers.linear.threads import options

_STRUCTURED = 1000  # cells of air below which blocks split
_SHRINKS = 0.85  # a structured level has at most that share of the cells above


class Resisting(NamedTuple):
    """Resisting faces of the grid.

    Attributes
    ----------
    axis, flat : int64[faces]    Axis and flat padded index.
    cell : int64[faces, 3]    Cell on their + side.
    area : float64[faces]    [m2]
    """

    axis: NDArray[np.int64]
    flat: NDArray[np.int64]
    cell: NDArray[np.int64]
    area: NDArray[np.float64]


class Hierarchy(NamedTuple):
    """What `build` returns: the levels and how they came about."""

    levels: Levels
    boxes: list[Box]
    parts: list[Parts]
    resisting: Resisting
    region: NDArray[np.integer]  # [padded], -1 in solids
    regions: int


def build(grid: Grid, fluid: NDArray[np.bool_], area, resists, held: NDArray[np.bool_] | None) -> Hierarchy:
    """Build all levels, without resistances and without the inverse of the coarsest."""
    shape = fluid.shape
    kind = np.zeros(int(np.prod(padded(shape))), dtype=np.uint8)
    cells_of(kind, shape)[...] = fluid
    if held is not None:
        cells_of(kind, shape)[held & fluid] = HELD
    lines = three(np.asarray(line, dtype=np.float64) for line in grid)
    finest = Box(lines, kind, three(np.arange(line.size) for line in lines))
    c = _fine_conductances(finest, area)
    resisting = _resisting_faces(shape, area, resists)
    region, regions = _regions(c, kind, shape)
    boxes, keep, limit = _structured(finest, c, resisting)
    c = _all_conductances(boxes, c)
    parts = _unstructured(boxes, c, keep, limit, resisting)
    return Hierarchy(_assemble(boxes, parts, c), boxes, parts, resisting, region, regions)


def _size(box: Box) -> int:
    return int(np.prod(padded(box.shape)))


def _fine_conductances(box: Box, area) -> Three:
    out = []
    for axis, gap in enumerate(box.gaps):
        c = np.zeros(_size(box), dtype=np.float32)
        inner, high, spread = [slice(None)] * 3, [slice(None)] * 3, [1, 1, 1]
        inner[axis], high[axis], spread[axis] = slice(1, -1), slice(1, None), -1
        target = cells_of(c, box.shape)[tuple(high)]
        np.divide(area[axis][tuple(inner)], gap[1:-1].reshape(spread), out=target, casting="same_kind")
        out.append(c)
    return three(out)


def _resisting_faces(shape: tuple[int, int, int], area, resists) -> Resisting:
    step = (*strides(shape), 1)
    index, axes, areas = [], [], []
    for axis in range(3):
        inner = [slice(None)] * 3
        inner[axis] = slice(1, -1)
        found = np.argwhere(resists[axis][tuple(inner)])
        found[:, axis] += 1
        opened = area[axis][tuple(found.T)]
        found, opened = found[opened > 0], opened[opened > 0]
        index.append(found)
        axes.append(np.full(found.shape[0], axis))
        areas.append(np.asarray(opened, dtype=np.float64))
    at = np.concatenate(index)
    return Resisting(np.concatenate(axes), (at + 1) @ np.array(step), at, np.concatenate(areas))


def _regions(c: Three, kind, shape: tuple[int, int, int]) -> tuple[NDArray[np.integer], int]:
    one = three(np.zeros(n, dtype=np.int32) for n in shape)
    label = np.empty(kind.size, dtype=np.int32)
    none = np.zeros(0, dtype=np.uint8)
    count = coarsen.connect_cells(*c, kind, none, HELD, *one, *shape, *strides(shape), label)
    return label.astype(np.int16 if count < 2**15 else np.int32), count


def _structured(finest: Box, c: Three, resisting: Resisting) -> tuple[list[Box], Three, float]:
    """Levels that drop whole lines; also the lines that had to stay, and the last target width."""
    keep = three(np.zeros(line.size, dtype=bool) for line in finest.lines)
    shape = finest.shape
    coarsen.lines_in_use(*c, finest.kind, *shape, *strides(shape), *keep)
    for axis in range(3):
        keep[axis][[0, -1]] = True
        keep[axis][resisting.cell[resisting.axis == axis, axis]] = True
    boxes, limit = [finest], 0.0
    while np.count_nonzero(boxes[-1].kind == AIR) > _STRUCTURED:
        box = boxes[-1]
        wider, kept, free = coarsen.next_lines(box.lines, keep, limit)
        new = kept[0].size - 1, kept[1].size - 1, kept[2].size - 1
        if np.prod(new) > _SHRINKS * np.prod(box.shape) or not coarsen.kept_lines_pay(kept, free):
            break
        limit = wider
        keep = three(mask[pick] for mask, pick in zip(keep, kept, strict=True))
        kind = np.zeros(int(np.prod(padded(new))), dtype=np.uint8)
        cells_of(kind, new)[...] = cells_of(box.kind, box.shape)[np.ix_(*[pick[:-1] for pick in kept])]
        lines = three(line[pick] for line, pick in zip(box.lines, kept, strict=True))
        boxes.append(Box(lines, kind, three(kept)))
    return boxes, keep, limit


def _all_conductances(boxes: list[Box], fine: Three) -> Three:
    """Conductances of all structured levels, one behind the other."""
    total = sum(_size(box) for box in boxes)
    out = []
    for axis in range(3):
        c = np.zeros(total, dtype=np.float32)
        c[: fine[axis].size] = fine[axis]
        out.append(c)
    at = 0
    for above, box in pairwise(boxes):
        begin = at + _size(above)
        end = begin + _size(box)
        for axis in range(3):
            (x0, x1), (y0, y1), (z0, z1) = (
                (pick[:-1], pick[:-1] + 1 if d == axis else pick[1:]) for d, pick in enumerate(box.picks)
            )
            ratio = above.gaps[axis][box.picks[axis]] / box.gaps[axis]
            source, target = out[axis][at:begin], out[axis][begin:end]
            of_faces = (x0, x1, y0, y1, z0, z1, ratio.astype(np.float32), axis)
            coarsen.coarse_faces(source, *of_faces, *strides(above.shape), *strides(box.shape), target)
        at = begin
    return three(out)


def _unstructured(boxes: list[Box], c: Three, keep: Three, limit: float, resisting: Resisting) -> list[Parts]:
    """Levels whose blocks split into connected parts, from the last structured level on."""
    box = boxes[-1]
    index = resisting.cell
    for other in boxes[1:]:
        index = np.stack([coarsen.owners(pick)[index[:, d]] for d, pick in enumerate(other.picks)], axis=1)
    marks = np.zeros(0, dtype=np.uint8)
    if index.size:
        marks = np.zeros(_size(box), dtype=np.uint8)
        np.bitwise_or.at(
            marks,
            (index + 1) @ np.array([*strides(box.shape), 1]),
            np.uint8(1) << resisting.axis.astype(np.uint8),
        )
    own = three(a[a.size - _size(box) :] for a in c)
    return merge_parts(split_blocks(box, own, marks, keep, limit))


def _assemble(boxes: list[Box], parts: list[Parts], c: Three) -> Levels:
    table = np.zeros((len(boxes) + len(parts), 12), dtype=np.int64)
    total = sum(_size(box) for box in boxes)
    inverse = np.zeros(total + sum(p.size for p in parts), dtype=np.float32)
    maps: list[NDArray] = []
    at = mapped = 0
    for row, box in zip(table, boxes, strict=False):
        shape, size = box.shape, _size(box)
        row[[OFFSET, SIZE, NX, NY, NZ, MAPS]] = at, size, *shape, mapped
        row[[SX, SY]] = strides(shape)
        own = slice(at, at + size)
        coarsen.invert_diagonal(*three(a[own] for a in c), box.kind, shape[0], *strides(shape), inverse[own])
        if at > 0:
            maps += [*box.picks, coarsen.owners(box.picks[2])]
            mapped += sum(m.size for m in maps[-4:])
        at += size
    starts: list[NDArray] = []
    ends: list[NDArray] = []
    conductance: list[NDArray] = []
    groups: list[NDArray] = []
    members: list[NDArray] = []
    rows = entries = grouped = held_by = 0
    for row, part in zip(table[len(boxes) :], parts, strict=True):
        row[[OFFSET, SIZE, ROWS, ENTRIES, GROUPS, MEMBERS]] = at, part.size, rows, entries, grouped, held_by
        of_faces = part.area / part.distance
        diagonal = np.bincount(np.repeat(np.arange(part.size), np.diff(part.start)), of_faces, part.size)
        np.divide(1.0, diagonal, out=inverse[at : at + part.size], where=diagonal > 0, casting="same_kind")
        starts.append(part.start)
        ends.append(part.neighbour)
        conductance.append(of_faces)
        groups.append(part.group)
        members.append(part.member)
        at += part.size
        rows += part.start.size
        entries += part.neighbour.size
        grouped += part.group.size
        held_by += part.member.size
    return Levels(
        table,
        *c,
        inverse,
        start=np.concatenate(starts).astype(np.int32),
        neighbour=np.concatenate(ends).astype(np.int32),
        c=np.concatenate(conductance).astype(np.float32),
        group=np.concatenate(groups).astype(np.int32),
        member=np.concatenate(members).astype(np.int32),
        maps=np.concatenate([np.zeros(0), *maps]).astype(np.int32),
        dense=np.zeros((parts[-1].size, parts[-1].size), dtype=np.float32),
        x=np.zeros(at, dtype=np.float32),
        b=np.zeros(at, dtype=np.float32),
        r=np.zeros(at, dtype=np.float32),
    )


def invert_coarsest(levels: Levels) -> None:
    """Set levels.dense, on the complement of the constants of each region without held cells."""
    row = levels.table[-1]
    size = int(row[SIZE]) - 1  # the last place stands for held cells
    start = levels.start[row[ROWS] : row[ROWS] + size + 1]
    near = levels.neighbour[row[ENTRIES] : row[ENTRIES] + start[-1]]
    c = levels.c[row[ENTRIES] : row[ENTRIES] + start[-1]].astype(np.float64)
    one = np.repeat(np.arange(size), np.diff(start))
    levels.dense[:] = 0
    if size == 0:
        return
    matrix = np.diag(np.bincount(one, c, size))
    inside = near < size
    np.subtract.at(matrix, (one[inside], near[inside]), c[inside])
    _, label = connected_components(csr_array(matrix != 0), directed=False)
    same = label[:, None] == label[None, :]
    closed = ~np.isin(label, label[one[~inside]])
    scale = max(float(matrix.diagonal().max()), 1e-30)
    null = np.where(closed[:, None], same / same.sum(axis=1), 0)
    matrix += scale * null
    invert_definite(matrix)
    levels.dense[:size, :size] = matrix - null / scale


@njit(**options)
def invert_definite(a):
    """Invert a symmetric positive definite matrix in place, by elimination without pivots.

    A library's threads would go on spinning for some thirty milliseconds and take a core from the next steps.

    Source : Bauer and Reinsch 1971, in Wilkinson and Reinsch, Linear Algebra, I/3 (Gauss-Jordan).
    """
    size = a.shape[0]
    for k in range(size):
        pivot = 1.0 / a[k, k]
        row = a[k]
        row[k] = 1.0
        for j in range(size):
            row[j] *= pivot
        for i in range(size):
            if i != k:
                other, factor = a[i], a[i, k]
                other[k] = 0.0
                for j in range(size):
                    other[j] -= factor * row[j]
