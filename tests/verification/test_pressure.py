"""The pressure solver against sparse direct solutions, with plates, solids, resistances and openings."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.linalg import splu

from solvers.grid import make_grid
from solvers.linear.multigrid import Pressure, flat_cells


def room(shape, rng, plates=4, solids=4, lines=None):
    """Random room: fluid, face areas and resisting faces of plates and boxes on any line, odd ones too."""
    grid = make_grid(*(lines or [np.linspace(0, n * 0.1, n + 1) for n in shape]))
    fluid = np.ones(shape, dtype=bool)
    for _ in range(solids):
        lo = [int(rng.integers(0, n - 1)) for n in shape]
        fluid[
            tuple(slice(a, a + int(rng.integers(1, max(2, n // 4)))) for a, n in zip(lo, shape, strict=True))
        ] = 0
    widths = grid.widths
    area, resists = [], []
    for axis in range(3):
        a, b = (d for d in range(3) if d != axis)
        extent = [n + (d == axis) for d, n in enumerate(shape)]
        section = np.expand_dims(widths[a][:, None] * widths[b][None, :], axis)
        opened = np.zeros(extent, dtype=bool)
        inner, low, high = ([slice(None)] * 3 for _ in range(3))
        inner[axis], low[axis], high[axis] = slice(1, -1), slice(None, -1), slice(1, None)
        opened[tuple(inner)] = fluid[tuple(low)] & fluid[tuple(high)]
        porous = np.zeros(extent, dtype=bool)
        for number in range(plates):
            line = int(rng.integers(1, shape[axis]))
            box = [slice(int(lo := rng.integers(0, n // 2)), int(lo + rng.integers(1, n))) for n in shape]
            box[axis] = slice(line, line + 1)
            if number % 3 == 2:
                porous[tuple(box)] = True
            else:
                opened[tuple(box)] = False
        area.append(opened * np.broadcast_to(section, extent))
        resists.append(porous & opened)
    return grid, fluid, area, resists


def matrix(solver):
    """Fine operator of a solver as a sparse matrix over the padded cells."""
    size = solver.fluid.size
    sx, sy = solver.levels.table[0, 3:5]
    rows, columns, values = [], [], []
    for c, s in zip(
        (solver.levels.cx, solver.levels.cy, solver.levels.cz), (int(sx), int(sy), 1), strict=True
    ):
        b = np.flatnonzero(c[:size])
        for i, j, sign in ((b, b, 1), (b - s, b - s, 1), (b, b - s, -1), (b - s, b, -1)):
            rows.append(i)
            columns.append(j)
            values.append(sign * c[b].astype(np.float64))
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return coo_array(entries, shape=(size, size)).tocsr()


def reached(solver, b, tolerance=1e-6):
    """Iterations to a tolerance relative to the first residual."""
    solver.solve(b, 0.0, 0)
    solver.solve(b, tolerance * float(solver.history[0]), 60)
    return solver.iterations


@pytest.mark.parametrize("seed", range(4))
def test_held_cells_are_a_dirichlet_condition(seed):
    rng = np.random.default_rng(seed)
    shape = (13, 12, 11)
    grid, fluid, area, resists = room(shape, rng)
    held = np.zeros(shape, dtype=bool)
    held[-1, 3:9, 2:7] = fluid[-1, 3:9, 2:7]
    solver = Pressure(grid, fluid, area, resists, held)
    solver.set_resistance(rng.uniform(0.1, 3.0, solver.resisting_faces[0].size))
    cells = flat_cells(shape)
    b = np.zeros(solver.fluid.size, dtype=np.float32)
    b[cells[fluid]] = 1 + rng.normal(
        size=int(fluid.sum())
    )  # does not sum to 0: it leaves through the opening
    solver.solve(b, 0.0, 40)
    x = solver.solve(b, 1e-6 * float(solver.history[0]), 40).astype(np.float64)
    assert solver.history[-1] <= 1e-6 * solver.history[0]
    assert not x[cells[held]].any()
    open_region = solver.region[cells[held][0]]
    assert solver.region_is_open[open_region]
    free = np.flatnonzero((solver.region == open_region) & ~np.isin(np.arange(b.size), cells[held]))
    direct = splu(matrix(solver)[free][:, free].tocsc()).solve(b[free].astype(np.float64))
    # float32 residual of 1e-6, amplified by the condition of the room
    assert x[free] == pytest.approx(direct, abs=2e-4 * np.abs(direct).max())


def test_regions_without_opening_lose_their_mean():
    shape = (8, 6, 6)
    grid, fluid, area, resists = room(shape, np.random.default_rng(0), plates=0, solids=0)
    area[0][4] = 0  # a wall: two rooms, one with an opening
    held = np.zeros(shape, dtype=bool)
    held[7, 2:4, 2:4] = True
    solver = Pressure(grid, fluid, area, resists, held)
    cells = flat_cells(shape)
    assert solver.regions == 2
    assert solver.region_is_open.tolist() == [False, True]
    b = np.zeros(solver.fluid.size, dtype=np.float32)
    b[cells] = 1.0
    x = solver.solve(b, 1e-4, 40)
    assert np.abs(x[cells[:4]]).max() < 1e-6  # a constant is no source in a closed room
    outflow = matrix(solver) @ x.astype(np.float64)
    assert outflow[cells[held]].sum() == pytest.approx(-(4 * 6 * 6 - 4), rel=1e-4)  # all of it leaves


def test_all_of_a_room_may_be_held():
    shape = (4, 4, 4)
    grid, fluid, area, resists = room(shape, np.random.default_rng(0), plates=0, solids=0)
    solver = Pressure(grid, fluid, area, resists, fluid)
    b = solver.fluid.astype(np.float32)
    assert not solver.solve(b, 0.0, 3).any()
    assert solver.history[-1] == 0
