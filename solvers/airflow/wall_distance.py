"""Distance to the nearest wall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from solvers.airflow.patches import Patches
from solvers.grid import Grid
from solvers.linear.multigrid import padded

_SAMPLES = 6  # nearest wall faces looked at
_AT_ONCE = 50_000  # cells; bounds the memory


def wall_distance(
    grid: Grid, room: NDArray[np.bool_], open_faces: tuple[NDArray[np.bool_], ...], patches: Patches
) -> NDArray[np.float32]:
    """Distance of each cell centre to the nearest closed face beside air that is no patch.

    Parameters
    ----------
    grid : Grid
    room : bool[nx, ny, nz]    Cells with air.
    open_faces : bool[nx+1, ny, nz], [nx, ny+1, nz], [nx, ny, nz+1]
    patches : Patches

    Returns
    -------
    float32[nx, ny, nz]    0 in solids, and everywhere where there is no wall. [m]
    """
    distance = np.zeros(room.shape, dtype=np.float32)
    middle, half = _walls(grid, room, open_faces, patches)
    if middle.shape[0] == 0:
        return distance
    tree = KDTree(middle)
    cells, flat = np.flatnonzero(room), distance.reshape(-1)
    for first in range(0, cells.size, _AT_ONCE):
        some = cells[first : first + _AT_ONCE]
        index = np.unravel_index(some, room.shape)
        points = np.stack([grid.centres[d][index[d]] for d in range(3)], axis=1)
        _, near = tree.query(points, k=min(_SAMPLES, middle.shape[0]))
        near = near.reshape(points.shape[0], -1)
        outside = np.maximum(np.abs(points[:, None, :] - middle[near]) - half[near], 0.0)
        flat[some] = np.sqrt((outside**2).sum(axis=2)).min(axis=1)
    return distance


def _walls(grid: Grid, room, open_faces, patches: Patches) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middle and half extent of each wall face, [n, 3]. [m]."""
    middles, halves = [], []
    for axis in range(3):
        low, high = [slice(None)] * 3, [slice(None)] * 3
        low[axis], high[axis] = slice(1, None), slice(None, -1)
        closed = np.zeros(open_faces[axis].shape, dtype=bool)
        closed[tuple(low)] |= room
        closed[tuple(high)] |= room
        closed &= ~open_faces[axis]
        patch = np.unravel_index(patches.face[patches.axis == axis], padded(room.shape))
        closed[tuple(index - 1 for index in patch)] = False
        index = np.nonzero(closed)
        middle, half = (np.zeros((index[0].size, 3)) for _ in range(2))
        for d in range(3):
            if d == axis:
                middle[:, d] = grid[d][index[d]]
            else:
                middle[:, d] = grid.centres[d][index[d]]
                half[:, d] = grid.widths[d][index[d]] / 2
        middles.append(middle)
        halves.append(half)
    return np.concatenate(middles), np.concatenate(halves)
