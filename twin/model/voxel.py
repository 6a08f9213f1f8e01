"""Grid lines and rasters: where the objects' faces fall on the grid.

Lines that objects ask for come first; those closer together than ``SLIVER`` cells become one, the more
important one staying where it is. The gaps are then filled evenly with cells as near to the target size as
they allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SLIVER = 0.35
"""Lines closer than this part of the target cell become one. [1]"""


class Line(NamedTuple):
    """A grid line that an object asks for: coordinate [m], importance (low stays put), whose face it is."""

    coordinate: float
    rank: int
    owner: str


class Moved(NamedTuple):
    """A line that had to give way to a neighbour: whose, from where, to where [m], whose neighbour."""

    owner: str
    asked: float
    given: float
    neighbour: str


def choose_lines(lines: Iterable[Line], cell: float) -> tuple[list[float], list[Moved]]:
    """Pick the lines that stand and tell which moved by more than 1 mm."""
    kept: list[Line] = []
    moved: list[Moved] = []
    for line in sorted(lines, key=lambda line: (line.rank, line.coordinate)):
        nearest = min(kept, key=lambda other: abs(other.coordinate - line.coordinate), default=None)
        if nearest is None or abs(nearest.coordinate - line.coordinate) >= SLIVER * cell:
            kept.append(line)
        elif abs(nearest.coordinate - line.coordinate) > 1e-3:
            moved.append(Moved(line.owner, line.coordinate, nearest.coordinate, nearest.owner))
    return sorted(line.coordinate for line in kept), moved


def cell_counts(kept: Sequence[float], cell: float) -> NDArray[np.int64]:
    """Cells in each gap between lines: the whole number nearest to gap over cell size, at least 1."""
    gaps = np.diff(np.asarray(kept))
    return np.maximum(1, np.rint(gaps / cell)).astype(np.int64)


def fill_lines(kept: Sequence[float], cell: float) -> NDArray[np.float64]:
    """Face coordinates: the kept lines with every gap cut into equal cells. float64[n+1]."""
    counts = cell_counts(kept, cell)
    pieces = [
        np.linspace(a, b, n, endpoint=False) for a, b, n in zip(kept[:-1], kept[1:], counts, strict=True)
    ]
    return np.concatenate([*pieces, [kept[-1]]])


def nearest(faces: NDArray[np.float64], coordinate: float) -> int:
    """Index of the face nearest to a coordinate."""
    return int(np.argmin(np.abs(faces - coordinate)))


def span(faces: NDArray[np.float64], lo: float, hi: float) -> tuple[int, int]:
    """Half-open cell range between two coordinates, each at its nearest face."""
    return nearest(faces, lo), nearest(faces, hi)


def regions(
    solid: NDArray[np.bool_],
    plate_x: NDArray[np.bool_],
    plate_y: NDArray[np.bool_],
    plate_z: NDArray[np.bool_],
) -> NDArray[np.int32]:
    """Return the number of the connected space of every cell, -1 in solids. int32[nx, ny, nz]."""
    cells = np.arange(solid.size, dtype=np.int32).reshape(solid.shape)
    inner = (plate_x[1:-1], plate_y[:, 1:-1], plate_z[:, :, 1:-1])
    starts, ends = [], []
    for axis in range(3):
        low = [slice(None)] * 3
        high = [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        a, b = tuple(low), tuple(high)
        free = ~(solid[a] | solid[b] | inner[axis])
        starts.append(cells[a][free])
        ends.append(cells[b][free])
    row, column = np.concatenate(starts), np.concatenate(ends)
    graph = coo_array((np.ones(row.size, np.int8), (row, column)), shape=(solid.size, solid.size))
    labels = connected_components(graph, directed=False)[1].reshape(solid.shape)
    fluid = np.where(solid, -1, labels)
    _, compact = np.unique(fluid[~solid], return_inverse=True)
    result = np.full(solid.shape, -1, np.int32)
    result[~solid] = compact
    return result
