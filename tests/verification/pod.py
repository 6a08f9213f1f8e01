"""A pod as plain arrays: raised floor, 2 rows x 6 racks around a cold aisle, 12 tiles, 2 coolers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from solvers.airflow.case import AirCase, UnitInputs
from solvers.grid import make_grid

FLOOR, TOP = 0.6, 2.6
ROOM = (6.6, 6.0, 3.5)
ROWS = ((1.2, 2.4), (3.6, 4.8))
FIRST, WIDTH = 1.5, 0.6
RACKS = 12


def snapped(stops, cell):
    """Face coordinates with lines on every stop and cells of about the given size."""
    line = [stops[0]]
    for a, b in pairwise(stops):
        count = max(1, round((b - a) / cell))
        line.extend(a + (b - a) * np.arange(1, count + 1) / count)
    return np.array(line)


def build_pod(cell=0.2, power=5000.0, K=30.0, contained=False, supply=291.15, flow_per_kw=0.09):
    """Case and inputs; the coolers move a tenth more air than the racks unless the cold aisle is closed."""
    edges = [round(FIRST + WIDTH * i, 6) for i in range(7)]
    grid = make_grid(
        snapped([0.0, 0.3, 1.2, *edges, ROOM[0]], cell),
        snapped([0.0, 0.9, 1.2, 2.1, 2.4, 3.0, 3.6, 3.9, 4.8, 5.1, ROOM[1]], cell),
        snapped([0.0, FLOOR, 2.4, TOP, ROOM[2]], cell),
    )
    at = [lambda value, line=line: int(np.argmin(np.abs(line - value))) for line in grid]
    nx, ny, nz = grid.shape
    solid = np.zeros(grid.shape, dtype=bool)
    plates = [np.zeros((nx + (d == 0), ny + (d == 1), nz + (d == 2)), dtype=bool) for d in range(3)]
    losses = [np.zeros(plate.shape, dtype=np.float32) for plate in plates]
    floor, top = at[2](FLOOR), at[2](TOP)
    plates[2][:, :, floor] = True
    aisle = slice(at[1](ROWS[0][1]), at[1](ROWS[1][0]))
    row = slice(at[0](edges[0]), at[0](edges[-1]))
    plates[2][row, aisle, floor] = False
    losses[2][row, aisle, floor] = K
    patches, inlets, outlets = [], [], []

    def patch(*fields):
        patches.append(fields)
        return len(patches) - 1

    for front_is_high, (back, front) in ((True, ROWS[0]), (False, ROWS[1])):
        j0, j1 = at[1](back), at[1](front)
        for a, b in pairwise(edges):
            lo, hi = (at[0](a), floor), (at[0](b), top)
            solid[lo[0] : hi[0], j0:j1, floor:top] = True
            high, low = patch(1, j1, lo, hi, +1), patch(1, j0, lo, hi, -1)
            inlets.append(high if front_is_high else low)
            outlets.append(low if front_is_high else high)
    if contained:
        plates[0][row.start, aisle, floor:top] = plates[0][row.stop, aisle, floor:top] = True
        plates[2][row, aisle, top] = True
    crown = at[2](2.4)
    for y0, y1 in ((0.9, 2.1), (3.9, 5.1)):
        lo, hi = (at[0](0.3), at[1](y0)), (at[0](1.2), at[1](y1))
        solid[lo[0] : hi[0], lo[1] : hi[1], floor:crown] = True
        inlets.append(patch(2, crown, lo, hi, +1))
        outlets.append(patch(2, floor, lo, hi, -1))
    axis, index, low, high, side = (np.array(column) for column in zip(*patches, strict=True))
    case = AirCase(
        grid, solid, *plates, *losses, axis, index, low, high, side, np.array(inlets), np.array(outlets)
    )
    V_flow = np.full(RACKS + 2, flow_per_kw * power / 1000)
    V_flow[RACKS:] = (1.0 if contained else 1.1) * V_flow[:RACKS].sum() / 2
    Q_flow = np.full(RACKS + 2, power)
    Q_flow[RACKS:] = 0
    T_supply = np.full(RACKS + 2, np.nan)
    T_supply[RACKS:] = supply
    return case, UnitInputs(V_flow, Q_flow, T_supply, np.full(RACKS + 2, 60e3), np.zeros(RACKS + 2))
