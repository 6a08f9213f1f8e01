"""Resistances on faces of the grid, on all levels: c = area / (distance + resistance)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solvers.linear.aggregate import Parts
from solvers.linear.coarsen import AIR, Box, owners
from solvers.linear.hierarchy import Hierarchy
from solvers.linear.layout import strides
from solvers.linear.levels import ENTRIES, OFFSET, SX, SY, Levels
from solvers.linear.threads import options


class Resistors(NamedTuple):
    """Faces of one level that contain resisting faces of the grid.

    Attributes
    ----------
    slot : list of int64[m]    Where they stand in cx, cy, cz, c of the levels.
    base : list of float64[m]    Their conductance without resistance. [m]
    face, into : list of int64[parts]    Resisting face of the grid; which of the m it is part of.
    distance : list of float64[parts]    [m]
    cells : int64[k]    Cells whose diagonal they change, as indices of `inverse`.
    owner, entry : int64[...]    On an unstructured level: which of the cells an entry of `c` belongs to.
    """

    slot: list[NDArray[np.int64]]
    base: list[NDArray[np.float64]]
    face: list[NDArray[np.int64]]
    into: list[NDArray[np.int64]]
    distance: list[NDArray[np.float64]]
    cells: NDArray[np.int64]
    owner: NDArray[np.int64]
    entry: NDArray[np.int64]


def find_resistors(built: Hierarchy) -> list[Resistors]:
    """Find the resisting faces on every level, the finest first."""
    resisting, levels = built.resisting, built.levels
    cell = resisting.cell
    out = []
    number = 0
    for number, box in enumerate(built.boxes):
        if number > 0:
            cell = np.stack([owners(pick)[cell[:, d]] for d, pick in enumerate(box.picks)], axis=1)
        out.append(_in_box(levels, number, box, resisting.axis, cell))
    step = np.array([*strides(built.boxes[-1].shape), 1])
    high = (cell + 1) @ step
    low = high - step[resisting.axis]
    for further, parts in enumerate(built.parts, start=number + 1):
        label = parts.label.astype(np.int64)  # pairs of unknowns are numbered beyond 32 bits
        low, high = (np.where(n >= 0, label[n], -1) for n in (low, high))
        out.append(_in_parts(levels, further, parts, resisting.axis, low, high))
    return out


def _in_box(levels: Levels, number: int, box: Box, axis, cell) -> Resistors:
    first = int(levels.table[number, OFFSET])
    step = np.array([*strides(box.shape), 1])
    flat = (cell + 1) @ step
    slots, bases, faces, parts, distances, cells = [], [], [], [], [], []
    for d, c in enumerate((levels.cx, levels.cy, levels.cz)):
        face = np.flatnonzero(axis == d)
        own, into = np.unique(flat[face], return_inverse=True)
        slots.append(first + own)
        bases.append(c[first + own].astype(np.float64))
        faces.append(face)
        parts.append(into)
        distances.append(box.gaps[d][cell[face, d]])
        cells += [own, own - step[d]]
    every = np.unique(np.concatenate(cells))
    none = np.zeros(0, dtype=np.int64)
    return Resistors(slots, bases, faces, parts, distances, first + every[box.kind[every] == AIR], none, none)


def _in_parts(levels: Levels, number: int, parts: Parts, axis, low, high) -> Resistors:
    """Both entries of each face; low and high are the unknowns on its sides, -1 where that is held."""
    row = levels.table[number]
    held = parts.size - 1
    rows = np.repeat(np.arange(parts.size), np.diff(parts.start))
    key = (rows * parts.size + parts.neighbour) * 3 + parts.axis
    order = np.argsort(key)
    one, other = np.concatenate([low, high]), np.concatenate([high, low])
    outer = np.flatnonzero((one != other) & (one >= 0))
    wanted = (one[outer] * parts.size + np.where(other < 0, held, other)[outer]) * 3 + np.tile(axis, 2)[outer]
    entry = order[np.searchsorted(key[order], wanted)]
    own, into = np.unique(entry, return_inverse=True)
    touched = np.unique(rows[own])
    of_touched = np.isin(rows, touched)
    return Resistors(
        slot=[row[ENTRIES] + own],
        base=[(parts.area / parts.distance)[own]],
        face=[outer % low.size if low.size else outer],
        into=[into],
        distance=[parts.distance[entry]],
        cells=row[OFFSET] + touched,
        owner=np.searchsorted(touched, rows[of_touched]),
        entry=row[ENTRIES] + np.flatnonzero(of_touched),
    )


@njit(**options)
def add_resistance(total, slot, face, into, distance, area, resistance, c):
    """Set c to the total [m] and what resistances take off its parts: area / (distance + resistance).

    total : float64[m]    Conductance without resistance; overwritten. float32 would lose what a closed face
                          still lets through.
    """
    for m in range(face.size):
        n, gap = face[m], distance[m]
        total[into[m]] += area[n] * (1 / (gap + resistance[n]) - 1 / gap)
    for m in range(slot.size):
        c[slot[m]] = np.float32(total[m])


@njit(**options)
def invert_diagonal(cells, cx, cy, cz, sx, sy, inverse):
    """Set 1 / sum of the conductances around cells. [1/m]."""
    for m in range(cells.size):
        n = cells[m]
        inverse[n] = 1 / (cx[n] + cx[n + sx] + cy[n] + cy[n + sy] + cz[n] + cz[n + 1])


def resist(levels: Levels, number: int, resistors: Resistors, area, resistance: NDArray[np.float64]) -> None:
    """Set conductances and diagonal of one level.

    Parameters
    ----------
    levels : Levels    Overwritten where this level's conductances lie.
    number : int    Of the level.
    resistors : Resistors    Of this level.
    area, resistance : float64[resisting faces]    [m2], [m]
    """
    arrays = (levels.cx, levels.cy, levels.cz) if len(resistors.slot) == 3 else (levels.c,)
    for c, slot, base, face, into, distance in zip(arrays, *resistors[:5], strict=True):
        add_resistance(base.copy(), slot, face, into, distance, area, resistance, c)
    n = resistors.cells
    if len(arrays) == 1:
        levels.inverse[n] = 1 / np.bincount(resistors.owner, levels.c[resistors.entry], n.size)
    else:
        sx, sy = levels.table[number, [SX, SY]]
        invert_diagonal(n, levels.cx, levels.cy, levels.cz, sx, sy, levels.inverse)
