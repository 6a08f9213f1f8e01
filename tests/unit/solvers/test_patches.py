"""Patches back to back: refused on a thin plate, apart on a solid one cell thick."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.airflow.case import CP, RHO, AirCase, Closure, UnitInputs
from solvers.airflow.geometry import build_geometry
from solvers.airflow.model import advance, balances, initial_state, prepare, unit_inlet_temperature
from solvers.errors import CaseError
from solvers.grid import make_grid

SHAPE = (9, 4, 4)
MIDDLE = 4


def halves(left, right, thick):
    """Two rooms with a unit each, split by a plate or a solid layer at x index 4; outlets on both its sides.

    left, right : cells (lo, hi) along y and z of the patches on the two sides.
    """
    grid = make_grid(*(np.linspace(0, 0.2 * n, n + 1) for n in SHAPE))
    plates = [np.zeros(tuple(n + (d == a) for d, n in enumerate(SHAPE)), dtype=bool) for a in range(3)]
    solid = np.zeros(SHAPE, dtype=bool)
    if thick:
        solid[MIDDLE] = True
    else:
        plates[0][MIDDLE] = True
    patches = [
        (0, MIDDLE, *left, -1),
        (0, MIDDLE + thick, *right, +1),
        (0, 0, (0, 0), (4, 4), +1),
        (0, SHAPE[0], (0, 0), (4, 4), -1),
    ]
    columns = [np.array(column) for column in zip(*patches, strict=True)]
    losses = [np.zeros(plate.shape, dtype=np.float32) for plate in plates]
    return AirCase(grid, solid, *plates, *losses, *columns, np.array([2, 3]), np.array([0, 1]))


PLACES = [(((0, 0), (2, 4)), ((0, 0), (2, 4))), (((0, 0), (2, 4)), ((1, 1), (4, 3)))]
"""The same rectangle on both sides, and two that overlap in part."""


@pytest.mark.parametrize(("left", "right"), PLACES)
def test_both_sides_of_a_plate_are_refused(left, right):
    # a face has one velocity: two patches cannot share it, and one alone would drag the air behind it along
    with pytest.raises(CaseError, match=r"patch 0 .*side -1\): there is air behind it. Put a solid behind"):
        prepare(halves(left, right, thick=False))


@pytest.mark.parametrize(("left", "right"), PLACES)
def test_both_sides_of_a_layer_of_solid_are_apart(left, right):
    case = halves(left, right, thick=True)
    patches = build_geometry(case, Closure("laminar")).patches
    assert np.unique(patches.face).size == patches.face.size  # no face belongs to two
    model = prepare(case, Closure("laminar"))
    inputs = UnitInputs(
        np.array([0.05, 0.08]), np.array([100.0, -40.0]), np.full(2, np.nan), np.full(2, np.inf), np.zeros(2)
    )
    state = advance(model, initial_state(model, 293.15), inputs, 10.0)
    for unit, (index, sign, box) in enumerate(((MIDDLE, -1, left), (MIDDLE + 1, 1, right))):
        (j0, k0), (j1, k1) = box
        blown = state.u[index, j0:j1, k0:k1]
        V = inputs.V_flow[unit]
        assert sign * blown == pytest.approx(V / (0.04 * blown.size), rel=1e-6)  # rounding of one velocity
        assert state.u[index].sum() == pytest.approx(blown.sum(), rel=1e-6)  # and nothing beside the patch
        rise = state.T_unit[unit] - unit_inlet_temperature(model, state)[unit]
        assert RHO * CP * V * rise == pytest.approx(inputs.Q_flow[unit], rel=1e-3)  # 1e-4 K of 1 K
    assert balances(model, state, inputs).mass_relative < 1e-5
    assert state.T[:MIDDLE].mean() > 293.2
    assert state.T[MIDDLE + 1 :].mean() < 293.13  # neither side feels the other
