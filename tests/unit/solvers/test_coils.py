"""Coils behind the heat of units: exact levels, influence, accounts, refusals. (E10b)."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.airflow.case import CP, RHO, AirCase, Closure, UnitInputs, coil_heat
from solvers.airflow.frozen import freeze, settle_frozen
from solvers.airflow.influence import influence
from solvers.airflow.model import advance, initial_state, prepare, solve_steady, unit_inlet_temperature
from solvers.airflow.transient import air_heat, follow
from solvers.errors import CaseError, GridMismatchError
from solvers.grid import make_grid

NAN = np.nan
T_COIL = 291.15
FLOW = 0.1
CARRIED = RHO * CP * FLOW


def room(closure=None):
    """Two racks that blow at each other, each with an inlet low and an outlet high."""
    shape = (8, 6, 6)
    grid = make_grid(np.linspace(0, 1.6, 9), np.linspace(0, 1.2, 7), np.linspace(0, 1.2, 7))
    plates = [np.zeros((8 + (d == 0), 6 + (d == 1), 6 + (d == 2)), dtype=bool) for d in range(3)]
    losses = [np.zeros(plate.shape, dtype=np.float32) for plate in plates]
    low = np.array([[0, 0], [0, 4], [0, 0], [0, 4]])
    case = AirCase(
        *(grid, np.zeros(shape, dtype=bool), *plates, *losses, np.zeros(4, dtype=np.int64)),
        *(np.array([8, 8, 0, 0]), low, low + np.array([6, 2]), np.array([-1, -1, 1, 1])),
        *(np.array([0, 2]), np.array([1, 3])),
    )
    return prepare(case, closure or Closure())


def given(share=(0.4, 0.7), Q_flow=(600.0, 200.0), C=0.0):
    none = np.full(2, NAN)
    return UnitInputs(
        *(np.full(2, FLOW), np.array(Q_flow), none, np.full(2, np.inf), np.full(2, C)),
        coil=np.array(share),
        T_coil=np.full(2, T_COIL),
    )


@pytest.fixture(scope="module")
def model():
    return room()


def test_one_coil_sets_the_level_of_a_closed_room():
    model = room()
    inputs = given(share=(0.4, 0.0), Q_flow=(600.0, 0.0))
    state = advance(model, initial_state(model, 293.15), inputs, 60.0)
    settled = settle_frozen(freeze(model, state, inputs), inputs)
    T_in = unit_inlet_temperature(model, settled)[0]
    # all 600 W leave by the coil: 0.4 (rho cp V (T_in - T_coil) + 600) = 600
    assert T_in == pytest.approx(T_COIL + 600.0 * 0.6 / (0.4 * CARRIED), abs=1e-3)
    assert coil_heat(inputs, unit_inlet_temperature(model, settled))[0] == pytest.approx(600.0, abs=0.1)


def test_a_march_settles_where_coils_take_all_heat(model):
    inputs = given()
    result = solve_steady(model, inputs, tolerance=0.1)
    taken = coil_heat(inputs, unit_inlet_temperature(model, result.state))
    assert result.converged
    # a mean of a live flow: heat closes to what settles, 0.5 % of 800 W
    assert taken.sum() == pytest.approx(800.0, rel=5e-3)


def test_influence_is_the_direct_solve(model):
    inputs = given()
    state = advance(model, initial_state(model, 293.15), inputs, 60.0)
    frozen = freeze(model, state, inputs)
    found = influence(frozen, inputs)
    for other in (inputs, given(Q_flow=(100.0, 900.0))):
        direct = unit_inlet_temperature(model, settle_frozen(frozen, other))
        by_parts = found.T0 + found.A @ other.Q_flow + found.B @ np.zeros(2) + found.a * other.T_ambient
        # single precision of the stored field
        np.testing.assert_allclose(by_parts, direct, atol=2e-3)
        np.testing.assert_allclose(found.inlets(other), direct, atol=2e-3)


@pytest.mark.parametrize("C", [0.0, 5e3])
def test_the_account_of_a_passage_closes(model, C):
    inputs = given(C=C)
    before = advance(model, initial_state(model, 300.0), inputs, 5.0)
    after, passage = follow(model, before, inputs, 20.0, 0.5)
    stored = air_heat(model, after) - air_heat(model, before)
    servers = float((inputs.C * (np.asarray(after.T_unit) - np.asarray(before.T_unit))).sum())
    assert passage.released == pytest.approx(20.0 * 800.0)
    assert passage.taken > passage.released  # air at 300 K over coolant of 291 K
    # a unit holds the air of one step: 240 W/K times 0.1 s times the few kelvins that the outlets fall
    assert passage.released == pytest.approx(stored + servers + passage.taken, abs=100.0)


@pytest.mark.parametrize("share", [-0.1, 1.1, NAN])
def test_shares_out_of_range_are_refused(model, share):
    with pytest.raises(CaseError, match=r"inputs\.coil"):
        advance(model, initial_state(model, 293.15), given(share=(share, 0.0)), 1.0)


def test_a_temperature_that_is_none_is_refused(model):
    with pytest.raises(CaseError, match=r"inputs\.T_coil"):
        wrong = given()._replace(T_coil=np.array([-5.0, T_COIL]))
        advance(model, initial_state(model, 293.15), wrong, 1.0)


def test_coils_of_another_count_are_refused(model):
    with pytest.raises(GridMismatchError, match=r"inputs\.coil"):
        advance(model, initial_state(model, 293.15), given()._replace(coil=np.zeros(3)), 1.0)
