"""Jets of tiles: what the columns add up to, the jet of one tile, its pressure drop, refusals."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from solvers.airflow.case import RHO, AirCase, Closure, Jets, UnitInputs
from solvers.airflow.geometry import build_geometry
from solvers.airflow.jets import JetMomentum, jet_push
from solvers.airflow.model import advance, initial_state, prepare
from solvers.errors import CaseError
from solvers.grid import make_grid
from solvers.linear.multigrid import flat_cells, strides

V, SIGMA, TILE = 0.5, 0.25, 0.6
FLOOR = 0.6


def line(stops, cell):
    out = [stops[0]]
    for a, b in pairwise(stops):
        count = round((b - a) / cell)
        out += [a + (b - a) * i / count for i in range(1, count + 1)]
    return np.array(out)


def room(K=42.8, cell=0.15, size=4.2, top=3.6, sigma: float | None = SIGMA, duct=False):
    """Room over a plenum, or a duct of the tile's section, with one tile in the middle; one unit."""
    lo = (size - TILE) / 2
    x, z = line([0, lo, lo + TILE, size], cell), line([0, FLOOR, FLOOR + top], cell)
    nx, nz = x.size - 1, z.size - 1
    at = [int(np.abs(x - lo).argmin()), int(np.abs(x - lo - TILE).argmin())]
    floor = int(np.abs(z - FLOOR).argmin())
    plates = [np.zeros((nx + (d == 0), nx + (d == 1), nz + (d == 2)), dtype=bool) for d in range(3)]
    losses = [np.zeros(plate.shape, dtype=np.float32) for plate in plates]
    tile = np.s_[at[0] : at[1], at[0] : at[1], floor]
    plates[2][:, :, floor] = True
    plates[2][tile] = False
    losses[2][tile] = K
    jets = None
    if sigma is not None:
        lo_hi = (np.array([[at[0]] * 2]), np.array([[at[1]] * 2]))
        jets = Jets(np.array([2]), np.array([floor]), *lo_hi, np.array([sigma]))
    solid = np.zeros((nx, nx, nz), dtype=bool)
    fed = 0  # axis that the unit blows along below the floor
    lo_fed, hi_fed = [0, 0], [nx, floor]
    if duct:
        solid[:, :, :floor] = True
        solid[at[0] : at[1], at[0] : at[1], :floor] = False
        fed, lo_fed, hi_fed = 2, [at[0]] * 2, [at[1]] * 2
    case = AirCase(
        make_grid(x, x, z),
        solid,
        *plates,
        *losses,
        patch_axis=np.array([fed, 2]),
        patch_index=np.array([0, nz]),
        patch_lo=np.array([lo_fed, [0, 0]]),
        patch_hi=np.array([hi_fed, [nx, nx]]),
        patch_side=np.array([1, -1]),
        unit_inlet=np.array([1]),
        unit_outlet=np.array([0]),
        jets=jets,
    )
    return case, tile


def upside_down(case: AirCase) -> AirCase:
    """The same room on a duct mirrored in z: the tile blows down."""
    nz = case.grid.shape[2]
    assert case.jets is not None
    return case._replace(
        grid=make_grid(case.grid.x, case.grid.y, case.grid.z[-1] - case.grid.z[::-1]),
        solid=case.solid[:, :, ::-1].copy(),
        plate_z=case.plate_z[:, :, ::-1].copy(),
        K_z=case.K_z[:, :, ::-1].copy(),
        patch_index=nz - case.patch_index,
        patch_side=-case.patch_side,
        jets=case.jets._replace(index=nz - case.jets.index),
    )


def settle(case: AirCase, cfl=4.0, seconds=20.0):
    """Mean over the last fourth of a run from rest, before the jet has come back from the ceiling."""
    model = prepare(case)
    one = np.ones(1)
    inputs = UnitInputs(V * TILE**2 * one, 0 * one, np.nan * one, np.inf * one, 0 * one)
    state = advance(model, initial_state(model), inputs, 0.75 * seconds, cfl=cfl)
    w, p = 0.0, 0.0
    for _ in range(5):
        state = advance(model, state, inputs, 0.05 * seconds, cfl=cfl)
        w, p = w + state.w.astype(float) / 5, p + state.p.astype(float) / 5
    return w, p


def momentum(case: AirCase, w, height: float) -> float:
    """Flux of w momentum at a height above the tile over rho V^2 A / sigma, its direction aside."""
    k = int(np.abs(case.grid.z - height).argmin())
    widths = case.grid.widths
    area = widths[0][:, None] * widths[1][None, :]
    up = np.sign(w[:, :, k].flat[np.abs(w[:, :, k]).argmax()])
    jet = np.maximum(up * w[:, :, k], 0)
    return float((jet**2 * area).sum() / (V**2 * TILE**2 / SIGMA))


@pytest.mark.parametrize("compiled", [True, False])
def test_a_column_gets_the_whole_push(compiled):
    # sum over the column of acceleration times volume of the point is V^2 (1/sigma - 1) times the area
    case, tile = room(cell=0.1, size=1.8, top=1.2)
    geometry = build_geometry(case, Closure(kind="laminar"))
    jets = JetMomentum(case, geometry)
    assert jets.axes == (2,)
    cells = flat_cells(geometry.shape)
    velocity = np.zeros(geometry.volume.size, dtype=np.float32)
    for flow, rows in ((0.7, slice(tile[2] + 1, tile[2] + 8)), (-0.7, slice(0, tile[2]))):
        velocity[cells[tile]] = flow
        push = np.zeros_like(velocity)
        columns = jets._columns[2]
        (jet_push if compiled else jet_push.py_func)(*columns, velocity, push)
        inside = push[cells][tile[0], tile[1], rows]
        assert (np.sign(push[push != 0]) == np.sign(flow)).all()
        assert np.count_nonzero(push) == np.count_nonzero(inside)
        # 0.1 m high points; the column in the plenum, 0.6 m high, ends at its last face above the ground
        assert np.abs(inside.sum(axis=2)) * 0.1 == pytest.approx(0.7**2 * (1 / SIGMA - 1), rel=1e-5)
    assert push[cells][tile[0], tile[1], tile[2]] == pytest.approx(0)  # pushing the tile itself is suction


def test_the_layer_does_not_depend_on_the_cells():
    # first moment of the push above the tile: the middle of its layer, half a tile up
    for cell in (0.05, 0.1, 0.15, 0.2):
        case, tile = room(cell=cell, size=1.8, top=1.2)
        geometry = build_geometry(case, Closure(kind="laminar"))
        columns = JetMomentum(case, geometry)._columns[2]
        one = (columns.face == flat_cells(geometry.shape)[tile].ravel()[0]) & (columns.side > 0)
        k = columns.target[one] % strides(geometry.shape)[1] - 1
        gap = np.full(k.size, cell)
        weight = columns.coefficient[one] * gap
        middle = (weight * (case.grid.z[k] - FLOOR)).sum() / weight.sum()
        assert middle == pytest.approx(TILE / 2, abs=0.5 * cell)  # the half cell at the tile moves up


def test_momentum_flux_of_a_tile_is_that_of_its_jets():
    # plug flow from a duct, and K too small for E11 to damp what flows in from the sides: the jets alone
    case, _ = room(K=0.2, duct=True)
    w, _ = settle(case)
    for height in (0.8, 1.0, 1.2):
        # 6 % end as suction on the floor around the jet, with cells of 0.1, 0.15 and 0.2 m alike
        assert momentum(case, w, FLOOR + height) == pytest.approx(1, abs=0.08)
    bare, _ = room(K=0.2, duct=True, sigma=None)
    w, _ = settle(bare)
    assert momentum(bare, w, FLOOR + 1.0) == pytest.approx(SIGMA, abs=0.03)  # a fully open face loses 3/4


def test_a_tile_in_the_ceiling_blows_the_same_jet_down():
    case, _ = room(K=0.2, duct=True)
    w, _ = settle(case)
    mirrored, _ = settle(upside_down(case))
    top = float(case.grid.z[-1])
    up, down = momentum(case, w, FLOOR + 1.0), momentum(upside_down(case), mirrored, top - FLOOR - 1.0)
    assert down == pytest.approx(up, rel=0.01)  # the same numbers but for rounding


def test_pressure_drop_stays_and_courant_8_is_calm():
    case, tile = room()
    bare, _ = room(sigma=None)
    drop = []
    for of, cfl in ((case, 8.0), (bare, 8.0)):
        w, p = settle(of, cfl=cfl)
        below, above = p[:, :, : tile[2]].mean(), p[:3, :3, tile[2] : tile[2] + 4].mean()
        drop.append((below - above) / (0.5 * RHO * 42.8 * V**2))
        assert w[tile] == pytest.approx(V, rel=0.1)  # even through the tile; no checkerboard
    assert drop[0] == pytest.approx(drop[1], abs=0.04)  # what suction is left, see jets.py
    assert drop[0] == pytest.approx(1.0, abs=0.08)  # dynamic pressure in the plenum is the rest


def test_refusals_name_every_jet():
    case, _ = room()
    assert case.jets is not None
    jets = Jets(*(np.repeat(values, 3, axis=0) for values in case.jets))
    jets.open_area[:] = [0.0, 0.5, 1.5]
    jets.hi[1] = 1000
    with pytest.raises(CaseError, match=r"jet 0: an open area of 0 .*jet 1: .* leaves.*jet 2: an open area"):
        prepare(case._replace(jets=jets))
    open_face = case._replace(jets=case.jets._replace(open_area=np.array([1.0])))
    geometry = build_geometry(open_face, Closure())
    assert not JetMomentum(open_face, geometry)._columns[2].coefficient.any()
    assert JetMomentum(case._replace(jets=None), geometry).axes == ()
