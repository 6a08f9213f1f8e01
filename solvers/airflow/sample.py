"""Samples of a state between its cell centres, never across a solid or a plate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from solvers.airflow.case import AirState
from solvers.airflow.geometry import Geometry
from solvers.grid import Grid


class Corners(NamedTuple):
    """The eight cells around each point and what each counts.

    Attributes
    ----------
    cells : int64[3, 8, n]    Their indices.
    weights : float64[8, n]    Sum 1 over the corners; 0 for a cell that the point does not see.
    """

    cells: NDArray[np.int64]
    weights: NDArray[np.float64]

    def of(self, field: NDArray[np.floating]) -> NDArray[np.float64]:
        """Sample a cell field, [n]."""
        values = field[tuple(self.cells)].astype(np.float64)
        # a cell without weight may hold anything, also a NaN
        return np.where(self.weights > 0, self.weights * values, 0.0).sum(axis=0)


def corners_around(grid: Grid, geometry: Geometry, points: NDArray[np.float64]) -> Corners:
    """Trilinear weights of the cells that a point sees.

    A corner counts if a walk of at most three steps leads to it from the cell that holds the point, through
    open faces all the way; so nothing mixes across a plate. The weights of the others go to those that count.
    A point in a solid starts from the air cell with the largest weight; one with no air around it reads
    the nearest air cell.

    Parameters
    ----------
    grid : Grid
    geometry : Geometry
    points : float64[n, 3]
        Outside the room counts as on its boundary. [m]

    Returns
    -------
    Corners
    """
    count = points.shape[0]
    low, high = (np.zeros((3, count), dtype=np.int64) for _ in range(2))
    start = np.zeros((3, count), dtype=np.int64)  # 1 where the cell of the point is the high one
    part = np.zeros((3, count))
    for d, centres in enumerate(grid.centres):
        at = np.clip(points[:, d], centres[0], centres[-1])
        low[d] = np.clip(np.searchsorted(centres, at) - 1, 0, max(centres.size - 2, 0))
        high[d] = np.minimum(low[d] + 1, centres.size - 1)
        part[d] = (at - centres[low[d]]) / np.where(high[d] > low[d], centres[high[d]] - centres[low[d]], 1.0)
        start[d] = (high[d] > low[d]) & (at >= grid[d][high[d]])
    bits = np.array([[(corner >> d) & 1 for corner in range(8)] for d in range(3)])
    cells = np.where(bits[:, :, None] == 1, high[:, None, :], low[:, None, :])
    weights = np.prod(np.where(bits[:, :, None] == 1, part[:, None, :], 1 - part[:, None, :]), axis=0)
    air = geometry.fluid[tuple(cells)]
    everyone = np.arange(count)
    first = start[0] + 2 * start[1] + 4 * start[2]
    first = np.where(air[first, everyone], first, np.argmax(np.where(air, weights, -1.0), axis=0))
    seen = _seen(geometry, cells, high, air, first)
    weights = weights * seen
    total = weights.sum(axis=0)
    lost = np.flatnonzero(total < 1e-9)
    if lost.size:
        index = np.argwhere(geometry.fluid)
        centres = np.stack([c[index[:, d]] for d, c in enumerate(grid.centres)], axis=1)
        _, nearest = KDTree(centres).query(points[lost])
        cells[:, 0, lost] = index[nearest].T
        weights[:, lost] = 0.0
        weights[0, lost] = total[lost] = 1.0
    return Corners(cells, weights / total)


def cell_velocity(state: AirState) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Velocity at cell centres, the mean of opposite faces: three float64[nx, ny, nz]. [m/s]."""
    u, v, w = (np.asarray(part, dtype=np.float64) for part in state[:3])
    return 0.5 * (u[1:] + u[:-1]), 0.5 * (v[:, 1:] + v[:, :-1]), 0.5 * (w[:, :, 1:] + w[:, :, :-1])


def _seen(geometry: Geometry, cells, high, air, first) -> NDArray[np.bool_]:
    """Whether open faces join each corner to the first one, bool[8, n]."""
    everyone = np.arange(first.size)
    seen = np.zeros(air.shape, dtype=bool)
    seen[first, everyone] = air[first, everyone]
    for away in (1, 2, 4, 3, 5, 6, 7):  # axes, as bits, along which a corner lies off the first one
        corner = first ^ away
        for d in range(3):
            if not away >> d & 1:
                continue
            before = corner ^ (1 << d)
            face = cells[:, corner, everyone]
            face[d] = high[d]
            is_open = geometry.open_faces[d][tuple(face)]
            seen[corner, everyone] |= seen[before, everyone] & is_open
    return seen
