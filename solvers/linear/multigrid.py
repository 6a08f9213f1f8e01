"""Geometric multigrid for masked, stretched grids with thin plates and resistances on faces.

Coarse cells never merge across a plate, a solid or a resistance. Two stages see to that:

1. structured levels drop every second grid line, except the lines that carry a closed or resisting face;
2. once only those lines are left, blocks of 2 x 2 x 2 cells split into the parts that are connected inside
   the block, each part one unknown, until a dense inverse is cheap.

A face has the conductance c = area / (distance + resistance); coarse faces keep area and resistance and
get the distance of the coarse centres, which is what makes injection work as prolongation.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from solvers.grid import Grid
from solvers.linear.kernels import Levels, conjugate_gradients

_DENSE = 150  # unknowns below which the coarsest level is inverted
_STALE = 0.7  # change of log(distance + resistance) that makes the coarse levels follow
_STRUCTURED = 1000  # cells below which dropping lines stops paying


class _Faces(NamedTuple):
    """Open faces of a level: cell a on the - side, b on the + side."""

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    axis: NDArray[np.int64]
    area: NDArray[np.float64]
    distance: NDArray[np.float64]
    resists: NDArray[np.bool_]


class _Level(NamedTuple):
    """One level: its cells, its faces, and where they go on the next level."""

    size: int
    shape: tuple[int, int, int] | None  # None: unstructured
    faces: _Faces
    held: NDArray[np.bool_]  # cells whose value is given: 0
    parent: NDArray[np.int64]  # cell of the next level, -1 for none
    group: NDArray[np.int64]  # face of the next level, -1 inside a coarse cell


def strides(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Distances sx, sy of neighbours along x and y in the flat padded array. [-]."""
    return (shape[1] + 2) * (shape[2] + 2), shape[2] + 2


def padded(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Shape of a padded field: one layer around, two above along x so that every stencil stays inside."""
    return shape[0] + 3, shape[1] + 2, shape[2] + 2


def flat_cells(shape: tuple[int, int, int]) -> NDArray[np.int64]:
    """Flat padded index of every cell, [nx, ny, nz]."""
    sx, sy = strides(shape)
    i, j, k = (np.arange(1, n + 1) for n in shape)
    return i[:, None, None] * sx + j[None, :, None] * sy + k[None, None, :]


class Pressure:
    """Pressure equation  sum over faces of c (x - x_neighbour) = b  on the fluid cells of a grid.

    Parameters
    ----------
    grid : Grid
    fluid : bool[nx, ny, nz]    Cells with air.
    area : float64[nx+1, ny, nz], [nx, ny+1, nz], [nx, ny, nz+1]    Open area of each face; 0 is closed. [m2]
    resists : bool, the same shapes    Faces that carry a resistance now or later.
    held : bool[nx, ny, nz], optional    Fluid cells where x = 0 is given: the ambient beyond an opening.

    Attributes
    ----------
    levels : Levels    What the kernels read.
    region : int64[padded]    Number of the connected fluid region of a cell; -1 in solids.
    regions : int    Number of connected fluid regions.
    region_is_open : bool[regions]    Regions with held cells: b need not sum to 0 there.
    iterations : int    Of the last solve.
    """

    def __init__(
        self, grid: Grid, fluid: NDArray[np.bool_], area, resists, held: NDArray[np.bool_] | None = None
    ) -> None:
        shape = fluid.shape
        faces = _fine_faces(grid, area, resists)
        size = int(np.prod(padded(shape)))
        self.fluid = np.zeros(size, dtype=bool)
        self.fluid[flat_cells(shape)[fluid]] = True
        self.regions, self.region = _regions(faces, self.fluid)
        self._held = np.zeros(0, dtype=np.int64) if held is None else flat_cells(shape)[held & fluid]
        self.region_is_open = np.zeros(self.regions, dtype=bool)
        self.region_is_open[self.region[self._held]] = True
        self.region_cells = np.bincount(self.region[self.fluid], minlength=self.regions)
        self.iterations = 0
        self._faces = faces
        self._levels = _coarsen(grid, fluid, faces, size, self._held)
        self._allocate()
        self._resisting = np.flatnonzero(faces.resists)
        self._resistance = np.zeros(self._resisting.size)
        self._resistance_used = np.full(self._resisting.size, -1.0)
        self._x = np.zeros(size, dtype=np.float32)
        self._direction = np.zeros(size, dtype=np.float32)
        self._image = np.zeros(size, dtype=np.float32)
        self._history = np.zeros(201)
        self.refresh()

    @property
    def resisting_faces(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Axis and flat padded index of the faces that may resist."""
        return self._faces.axis[self._resisting], self._faces.b[self._resisting]

    def set_resistance(self, resistance: NDArray[np.float64]) -> None:
        """Set the resistance lengths of the resisting faces.

        The operator follows exactly, the coarse levels only once a length has doubled or halved.

        Parameters
        ----------
        resistance : float64[resisting faces]    dt K |u| of each face. [m]
        """
        if self._resisting.size == 0:
            return
        self._resistance = resistance
        used = self._resistance_used
        distance = self._faces.distance[self._resisting]
        drift = np.abs(np.log((distance + resistance) / (distance + np.maximum(used, 0))))
        if used[0] < 0 or drift.max() > _STALE:
            self.refresh()
        else:
            self._set_fine()

    def refresh(self) -> None:
        """Compute the conductances of every level."""
        faces = self._faces
        self._resistance_used = self._resistance.copy()
        length = faces.distance.copy()
        length[self._resisting] += self._resistance
        c = faces.area / length
        for number, level in enumerate(self._levels):
            self._fill(number, level, c)
            if number + 1 < len(self._levels):
                c = _coarse_conductance(level, self._levels[number + 1].faces, c)

    def solve(self, b: NDArray[np.float32], tolerance: float, iterations: int) -> NDArray[np.float32]:
        """Solve for x; the sum of b over each region without held cells is removed first.

        Parameters
        ----------
        b : float32[padded]    Right-hand side; overwritten by the residual.
        tolerance : float    Stop when sum |b - A x| is below; the unit of b.
        iterations : int    At most so many, and 200.

        Returns
        -------
        float32[padded]    The solver's own array: use it before the next call.
        """
        rest = self.levels.b[: b.size]
        if self.region_is_open.all():
            rest[:] = b
        elif self.regions == 1:
            rest[:] = b
            rest -= self.fluid * np.float32(b.sum(dtype=np.float64) / self.region_cells[0])
        else:
            inside = self.region[self.fluid]
            mean = np.bincount(inside, weights=b[self.fluid], minlength=self.regions) / self.region_cells
            mean[self.region_is_open] = 0
            rest[:] = b
            rest[self.fluid] -= mean[inside].astype(np.float32)
        rest[self._held] = 0
        self.iterations = conjugate_gradients(
            self.levels,
            self._x,
            self._direction,
            self._image,
            self._held,
            float(tolerance),
            min(int(iterations), self._history.size - 1),
            self._history,
        )
        return self._x

    @property
    def history(self) -> NDArray[np.float64]:
        """Sum |b - A x| at the start and after each iteration of the last solve."""
        return self._history[: self.iterations + 1]

    def _allocate(self) -> None:
        sizes = [level.size for level in self._levels]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        total = int(offsets[-1])
        table = np.zeros((len(sizes), 5), dtype=np.int64)
        csr = np.zeros((len(sizes), 2), dtype=np.int64)
        structured = 0
        starts: list[NDArray[np.int64]] = []
        neighbours: list[NDArray[np.int64]] = []
        self._orders: list[NDArray[np.int64]] = []
        rows = entries = 0
        for number, level in enumerate(self._levels):
            table[number, :2] = offsets[number], level.size
            self._orders.append(np.zeros(0, dtype=np.int64))
            if level.shape is not None:
                table[number, 2:] = level.shape[0], *strides(level.shape)
                structured = int(offsets[number + 1])
                continue
            csr[number] = rows, entries
            one = np.concatenate([level.faces.a, level.faces.b])
            other = np.concatenate([level.faces.b, level.faces.a])
            order = np.argsort(one, kind="stable")
            self._orders[number] = order
            starts.append(np.concatenate([[0], np.cumsum(np.bincount(one, minlength=level.size))]))
            neighbours.append(other[order])
            rows += level.size + 1
            entries += order.size
        empty = [np.zeros(0, dtype=np.int64)]
        last = self._levels[-1].size
        self.levels = Levels(
            table=table,
            cx=np.zeros(structured, dtype=np.float32),
            cy=np.zeros(structured, dtype=np.float32),
            cz=np.zeros(structured, dtype=np.float32),
            inverse=np.zeros(total, dtype=np.float32),
            parent=np.concatenate([level.parent for level in self._levels]).astype(np.int32),
            csr=csr,
            start=np.concatenate(starts or empty).astype(np.int32),
            neighbour=np.concatenate(neighbours or empty).astype(np.int32),
            c=np.zeros(entries, dtype=np.float32),
            dense=np.zeros((last, last), dtype=np.float32),
            x=np.zeros(total, dtype=np.float32),
            b=np.zeros(total, dtype=np.float32),
            r=np.zeros(total, dtype=np.float32),
        )

    def _fill(self, number: int, level: _Level, c: NDArray[np.float64]) -> None:
        faces = level.faces
        first = int(self.levels.table[number, 0])
        diagonal = _sums(faces.a, c, level.size) + _sums(faces.b, c, level.size)
        inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
        inverse[level.held] = 0
        self.levels.inverse[first : first + level.size] = inverse
        if level.shape is not None:
            for axis, target in enumerate((self.levels.cx, self.levels.cy, self.levels.cz)):
                along = faces.axis == axis
                target[first + faces.b[along]] = c[along]
        else:
            entry = int(self.levels.csr[number, 1])
            order = self._orders[number]
            self.levels.c[entry : entry + order.size] = np.concatenate([c, c])[order]
        if number == len(self._levels) - 1:
            self.levels.dense[:] = _dense_inverse(level, c, diagonal)

    def _set_fine(self) -> None:
        faces, which = self._faces, self._resisting
        c = (faces.area[which] / (faces.distance[which] + self._resistance)).astype(np.float32)
        axis, b = faces.axis[which], faces.b[which]
        cx, cy, cz = self.levels.cx, self.levels.cy, self.levels.cz
        for d, target in enumerate((cx, cy, cz)):
            target[b[axis == d]] = c[axis == d]
        _, _, _, sx, sy = self.levels.table[0]
        cells = np.concatenate([faces.a[which], b])
        diagonal = cx[cells] + cx[cells + sx] + cy[cells] + cy[cells + sy] + cz[cells] + cz[cells + 1]
        self.levels.inverse[cells] = np.where(self._levels[0].held[cells], 0, 1 / diagonal)


def _sums(group: NDArray[np.int64], values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Sum of the values of each group."""
    return np.asarray(np.bincount(group, weights=values, minlength=count), dtype=np.float64)


def _fine_faces(grid: Grid, area, resists) -> _Faces:
    shape = grid.shape
    step = (*strides(shape), 1)
    cells = flat_cells(shape)
    parts = []
    for axis, centres in enumerate(grid.centres):
        inner = [slice(None)] * 3
        inner[axis] = slice(1, -1)
        high = [slice(None)] * 3
        high[axis] = slice(1, None)
        open_area = area[axis][tuple(inner)]
        gap_shape = [1, 1, 1]
        gap_shape[axis] = -1
        gap = np.broadcast_to(np.diff(centres).reshape(gap_shape), open_area.shape)
        is_open = open_area > 0
        b = cells[tuple(high)][is_open]
        parts.append(
            _Faces(
                b - step[axis],
                b,
                np.full(b.size, axis),
                open_area[is_open],
                gap[is_open],
                resists[axis][tuple(inner)][is_open],
            )
        )
    return _Faces(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _regions(faces: _Faces, fluid: NDArray[np.bool_]) -> tuple[int, NDArray[np.int64]]:
    graph = coo_array(
        (np.ones(faces.a.size, dtype=np.int8), (faces.a, faces.b)), shape=(fluid.size, fluid.size)
    )
    _, label = connected_components(graph, directed=False)
    names, inside = np.unique(label[fluid], return_inverse=True)
    region = np.full(fluid.size, -1, dtype=np.int64)
    region[fluid] = inside
    return names.size, region


def _coarsen(
    grid: Grid, fluid: NDArray[np.bool_], faces: _Faces, size: int, held_cells: NDArray[np.int64]
) -> list[_Level]:
    """Build all levels from the finest to the one that is inverted."""
    levels: list[_Level] = []
    held = np.zeros(size, dtype=bool)
    held[held_cells] = True
    shape = fluid.shape
    lines = [np.asarray(line) for line in grid]
    keep = lines_to_keep(fluid, faces, shape, held)
    parent: NDArray[np.int64]
    while fluid.sum() > _STRUCTURED:
        picks = [drop_lines(mask) for mask in keep]
        new_shape = (picks[0].size - 1, picks[1].size - 1, picks[2].size - 1)
        if np.prod(new_shape) > 0.75 * np.prod(shape):
            break
        owner = [np.repeat(np.arange(p.size - 1), np.diff(p)) for p in picks]
        parent = np.full(size, -1, dtype=np.int64)
        parent[flat_cells(shape)[fluid]] = flat_cells(new_shape)[np.ix_(*owner)][fluid]
        lines = [line[pick] for line, pick in zip(lines, picks, strict=True)]
        keep = [mask[pick] for mask, pick in zip(keep, picks, strict=True)]
        centres = np.zeros((int(np.prod(padded(new_shape))), 3))
        cells = flat_cells(new_shape)
        for d, x in enumerate(Grid(*lines).centres):
            spread = [1, 1, 1]
            spread[d] = -1
            centres[cells.ravel(), d] = np.broadcast_to(x.reshape(spread), new_shape).ravel()
        coarse, group = _merge(faces, parent, centres)
        levels.append(_Level(size, shape, faces, held, np.where(held, -1, parent), group))
        held = _of_parents(held, parent, centres.shape[0])
        fluid = fluid[np.ix_(*[p[:-1] for p in picks])]
        shape, size, faces = new_shape, centres.shape[0], coarse

    # number the fluid cells of the last structured level, then merge what is connected in 2 x 2 x 2 blocks
    inside = flat_cells(shape)[fluid]
    block = np.argwhere(fluid)
    box = Grid(*lines)
    centres = np.stack([c[block[:, d]] for d, c in enumerate(box.centres)], axis=1)
    volume = box.volumes[fluid]
    kept_shape: tuple[int, int, int] | None = shape
    cells = np.arange(block.shape[0])
    count = cells.size
    number = np.full(size, -1, dtype=np.int64)
    number[inside] = cells
    across_resistance = False
    while True:
        block = block // 2
        merged = _aggregate(block, number, faces, held[inside], across_resistance)
        new_count = int(merged.max()) + 1
        if new_count == count and count > _DENSE:
            if across_resistance and block.max() == 0:
                break
            across_resistance = across_resistance or block.max() == 0
            continue
        parent = np.where(number >= 0, merged[number], -1)
        weight = _sums(merged, volume, new_count)
        centres = np.stack(
            [_sums(merged, volume * centres[:, d], new_count) / weight for d in range(3)],
            axis=1,
        )
        volume = weight
        first = np.zeros(new_count, dtype=np.int64)
        first[merged] = np.arange(count)
        block = block[first]
        coarse, group = _merge(faces, parent, centres)
        levels.append(_Level(size, kept_shape, faces, held, np.where(held, -1, parent), group))
        held, inside = _of_parents(held, parent, new_count), np.arange(new_count)
        kept_shape, size, faces, count = None, new_count, coarse, new_count
        number = np.arange(count)
        if count <= _DENSE:
            break
    none = np.full(size, -1, dtype=np.int64)
    levels.append(_Level(size, None, faces, held, none, np.zeros(0, dtype=np.int64)))
    return levels


def _of_parents(held: NDArray[np.bool_], parent: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Coarse cells that are made of held cells."""
    out = np.zeros(count, dtype=bool)
    out[parent[held & (parent >= 0)]] = True
    return out


def lines_to_keep(
    fluid: NDArray[np.bool_], faces: _Faces, shape: tuple[int, int, int], held: NDArray[np.bool_]
) -> list[NDArray[np.bool_]]:
    """Grid lines where a closed or resisting face touches air, or held cells end; the outer lines too."""
    step = (*strides(shape), 1)
    cells = flat_cells(shape)
    size = int(np.prod(padded(shape)))
    masks = []
    for axis in range(3):
        free = np.zeros(size, dtype=bool)
        free[faces.b[(faces.axis == axis) & ~faces.resists]] = True
        air = np.zeros(size, dtype=bool)
        air[cells[fluid]] = True
        high = [slice(None)] * 3
        high[axis] = slice(1, None)
        b = cells[tuple(high)]
        stop = ~free[b] & (air[b] | air[b - step[axis]])
        stop |= held[b] != held[b - step[axis]]
        others = tuple(d for d in range(3) if d != axis)
        masks.append(np.concatenate([[True], stop.any(axis=others), [True]]))
    return masks


def drop_lines(keep: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Every second line between those that must stay; [lines of the coarse grid]."""
    fixed = np.flatnonzero(keep)
    pieces = [np.arange(a, b, 2) for a, b in pairwise(fixed.tolist())]
    return np.concatenate([*pieces, fixed[-1:]])


def _merge(faces: _Faces, parent: NDArray[np.int64], centres: NDArray[np.float64]):
    """Faces of the coarse level, and which of them each fine face belongs to (-1: inside a cell)."""
    a, b = parent[faces.a], parent[faces.b]
    outer = a != b
    n = centres.shape[0]
    key = (a[outer] * n + b[outer]) * 3 + faces.axis[outer]
    names, inverse = np.unique(key, return_inverse=True)
    group = np.full(a.size, -1, dtype=np.int64)
    group[outer] = inverse
    axis = names % 3
    coarse_a, coarse_b = (names // 3) // n, (names // 3) % n
    area = _sums(inverse, faces.area[outer], names.size)
    nearest = np.zeros(names.size)
    np.maximum.at(nearest, inverse, faces.distance[outer])
    distance = np.maximum(np.abs(centres[coarse_b, axis] - centres[coarse_a, axis]), nearest)
    resists = _sums(inverse, faces.resists[outer].astype(np.float64), names.size) > 0
    return _Faces(coarse_a, coarse_b, axis, area, distance, resists), group


def _aggregate(block, number, faces: _Faces, held, across_resistance: bool) -> NDArray[np.int64]:
    """Find the connected part of its block that each unknown belongs to."""
    a, b = number[faces.a], number[faces.b]
    count = held.size
    joined = (block[a] == block[b]).all(axis=1) & (held[a] == held[b])
    if not across_resistance:
        joined &= ~faces.resists
    graph = coo_array((np.ones(joined.sum(), dtype=np.int8), (a[joined], b[joined])), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _coarse_conductance(level: _Level, coarse: _Faces, c: NDArray[np.float64]) -> NDArray[np.float64]:
    """Conductance with the same areas and resistances over the distance of the coarse centres."""
    outer = level.group >= 0
    group = level.group[outer]
    stretch = (coarse.distance[group] - level.faces.distance[outer]) / level.faces.area[outer]
    return _sums(group, 1 / (1 / c[outer] + stretch), coarse.a.size)


def _dense_inverse(
    level: _Level, c: NDArray[np.float64], diagonal: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Inverse on the complement of the constants of each region without held cells; held cells get 0."""
    size, faces, held = level.size, level.faces, level.held
    matrix = np.zeros((size, size))
    np.add.at(matrix, (faces.a, faces.b), -c)
    np.add.at(matrix, (faces.b, faces.a), -c)
    matrix[np.arange(size), np.arange(size)] += diagonal
    graph = coo_array((np.ones(c.size, dtype=np.int8), (faces.a, faces.b)), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    same = label[:, None] == label[None, :]
    scale = max(float(diagonal.max(initial=0.0)), 1e-30)
    null = np.where((same & held).any(axis=1)[:, None], 0, same / same.sum(axis=1))
    matrix[held] = matrix[:, held] = 0
    matrix[held, held] = scale
    inverse = np.linalg.inv(matrix + scale * null) - null / scale
    inverse[held, held] = 0
    return inverse
