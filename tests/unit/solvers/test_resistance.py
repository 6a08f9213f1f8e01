"""Resistances on the coarse levels: the operators stay those of a network, whatever its size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_array

from solvers.grid import make_grid
from solvers.linear.levels import ENTRIES, NX, ROWS, SIZE
from solvers.linear.multigrid import Pressure, flat_cells, padded


def honeycomb(shape):
    """Columns of cells, some of their faces resisting; a few holes lead to the next along x and y."""
    area = [np.zeros(tuple(n + (d == a) for d, n in enumerate(shape))) for a in range(3)]
    area[0][1:-1, :, ::7] = area[1][:, 1:-1, 3::7] = 1.0
    area[2][:, :, 1:-1] = 1.0
    resists = [np.zeros(a.shape, dtype=bool) for a in area]
    resists[2][:, :, 1:-1:3] = True
    grid = make_grid(*(np.arange(n + 1.0) for n in shape))
    return Pressure(grid, np.ones(shape, dtype=bool), area, resists)


def operator(levels, number):
    """Conductances between the unknowns of an unstructured level."""
    row = levels.table[number]
    size = int(row[SIZE])
    start = levels.start[row[ROWS] : row[ROWS] + size + 1]
    entries = slice(row[ENTRIES], row[ENTRIES] + start[-1])
    rows = np.repeat(np.arange(size), np.diff(start))
    return coo_array(
        (levels.c[entries].astype(float), (rows, levels.neighbour[entries])), (size, size)
    ).tocsr()


@pytest.mark.parametrize("shape", [(12, 10, 9), (80, 45, 20)])
def test_coarse_networks_are_symmetric_and_positive(shape):
    solver = honeycomb(shape)
    levels = solver.levels
    unstructured = np.flatnonzero(levels.table[:, NX] == 0)
    if shape[0] == 80:
        # three times the square of the number of unknowns is beyond 2^31
        assert levels.table[unstructured[0], SIZE] > 26_755
    rng = np.random.default_rng(0)
    solver.set_resistance(rng.uniform(1.0, 30.0, solver.resisting_faces[0].size))
    solver.refresh()
    for number in unstructured:
        c = operator(levels, number)
        if c.nnz == 0:
            continue  # one unknown is left
        assert abs(c - c.T).max() < 1e-6 * c.max()  # rounding of single precision
        assert c.data.min() > 0
    b = np.zeros(int(np.prod(padded(shape))), dtype=np.float32)
    b[flat_cells(shape)] = rng.normal(size=shape)
    solver.solve(b, 0.0, 1)
    solver.solve(b, 1e-4 * float(solver.history[0]), 40)
    assert solver.history[-1] <= 1e-4 * solver.history[0]
