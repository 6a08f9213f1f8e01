"""Steady and transient heat balances against dense solves and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from solvers.coldplate.solve import Solver, march, steady
from solvers.coldplate.system import Cells, Leak, Scheme, assemble, balance, outlet_excess, series
from solvers.errors import CaseError, ConvergenceError, GridMismatchError

SHAPE = 7, 5, 3


def block(scheme: Scheme = "central", leak=0.0, flow=0.3):
    """Cells with random conductances; one column of coolant each way."""
    rng = np.random.default_rng(0)
    cells = Cells(*(0.1 + rng.random(SHAPE) for _ in range(5)))
    rate = np.zeros(SHAPE[1:])
    rate[1, 1], rate[3, 1] = flow, -0.5 * flow
    leaks = (Leak(np.full(SHAPE[:2], leak), 310.0, -1),) if leak else ()
    return assemble(cells, rate, 300.0, leaks, scheme=scheme)


def matrix_of(system):
    """A, column by column; without storage."""
    solver = Solver(system)
    size = system.diagonal.size
    columns = [solver.apply(column.reshape(SHAPE)).reshape(-1) for column in np.eye(size)]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("scheme", ["central", "central_held", "upwind"])
@pytest.mark.parametrize("leak", [0.0, 0.2])
def test_steady_equals_a_dense_solve_and_the_heat_closes(scheme, leak):
    system = block(scheme, leak)
    heat = np.random.default_rng(1).random(SHAPE)
    theta = steady(system, heat, tolerance=1e-12)
    exact = np.linalg.solve(matrix_of(system), (heat + system.held).reshape(-1))
    np.testing.assert_allclose(theta.reshape(-1), exact, rtol=1e-9)  # 1e-12 times the condition
    assert balance(system, theta, heat).relative < 1e-11  # the tolerance, summed over cells


def test_without_heat_all_is_at_the_inlet_and_coolant_columns_sum_to_their_flow():
    system = block()
    assert np.all(steady(system, np.zeros(SHAPE)) == 0.0)
    sums = matrix_of(system).sum(axis=0)  # what leaves the block per kelvin of each cell
    expected = np.zeros(SHAPE)
    expected[-1, 1, 1], expected[-2, 1, 1] = 1.5 * 0.3, -0.5 * 0.3  # the outlets' temperature is extrapolated
    expected[0, 3, 1], expected[1, 3, 1] = 1.5 * 0.15, -0.5 * 0.15
    np.testing.assert_allclose(sums.reshape(SHAPE), expected, atol=1e-14)  # rounding


def test_coolant_that_is_heated_uniformly_warms_up_linearly():
    ny, rate = 10, 2.0
    zero, one = np.zeros((ny, 1, 1)), np.ones((ny, 1, 1))
    system = assemble(Cells(zero, zero, zero, zero, one), np.full((1, 1), rate), 300.0)
    theta = steady(system, one)
    middles = (np.arange(ny) + 0.5) / rate
    np.testing.assert_allclose(theta[:, 0, 0], middles, rtol=1e-9)  # exact for a line
    assert outlet_excess(system, theta) == pytest.approx(ny / rate, rel=1e-12)


def test_single_precision_factors_reach_the_same_answer(monkeypatch):
    system, heat = block(), np.ones(SHAPE)
    exact = steady(system, heat)
    monkeypatch.setattr("solvers.coldplate.solve._SINGLE", 0)
    solver = Solver(system)
    np.testing.assert_allclose(solver.solve(heat), exact, rtol=1e-7)  # both to 1e-9 of the residual
    assert solver.iterations > 0


def test_heat_that_cannot_leave_is_refused():
    with pytest.raises(CaseError, match="heat cannot leave"):
        steady(block(flow=0.0), np.ones(SHAPE))


def test_nan_is_refused_and_not_solved():
    system = block()
    broken = system._replace(diagonal=np.full(SHAPE, np.nan))
    with pytest.raises(CaseError, match="plane 0"):
        Solver(broken)
    with pytest.raises(ConvergenceError, match="NaN"):
        steady(system, np.full(SHAPE, np.nan))


def test_arrays_that_do_not_belong_together_are_refused():
    cells = Cells(*(np.ones(SHAPE) for _ in range(5)))
    with pytest.raises(GridMismatchError, match="side"):
        assemble(cells._replace(side=np.ones((1, 1, 1))), np.zeros(SHAPE[1:]), 300.0)
    with pytest.raises(GridMismatchError, match="rate"):
        assemble(cells, np.zeros((2, 2)), 300.0)


def test_conductances_in_series():
    a = np.array([0.0, 2.0, 0.0])
    np.testing.assert_array_equal(series(a, np.array([0.0, 2.0, 5.0])), [0.0, 1.0, 0.0])


def lumped():
    """One cell of 2 J/K that loses 4 W/K: time constant 0.5 s."""
    zero = np.zeros((1, 1, 1))
    cells = Cells(zero, zero, zero, zero, np.full((1, 1, 1), 2.0))
    return assemble(cells, np.zeros((1, 1)), 300.0, (Leak(np.full((1, 1), 4.0), 300.0, 0),))


@pytest.mark.parametrize(("second_order", "order"), [(False, 1.0), (True, 2.0)])
def test_steps_have_their_order(second_order, order):
    errors = []
    for steps in (20, 40):
        seen = []
        march(
            lumped(), [np.full((1, 1, 1), 8.0)] * steps, 1.0 / steps, seen.append,
            second_order=second_order, tolerance=1e-13,
        )  # fmt: skip
        exact = 2.0 * (1.0 - math.exp(-2.0))
        errors.append(abs(seen[-1].theta[0, 0, 0] - exact))
        assert seen[-1].account.relative < 1e-12  # nothing is lost, whatever the step
        assert seen[-1].time == pytest.approx(1.0)
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.1)  # next term of the expansion


@pytest.mark.parametrize("second_order", [False, True])
def test_a_transient_ends_in_the_steady_state_and_its_account_closes(second_order):
    system, heat = block(leak=0.2), np.random.default_rng(1).random(SHAPE)
    seen = []
    theta = march(system, [heat] * 60, 5.0, seen.append, second_order=second_order)
    np.testing.assert_allclose(theta, steady(system, heat), rtol=1e-6)  # 60 steps of several time constants
    assert seen[-1].account.relative < 1e-7  # tolerance 1e-8 a step
    assert len(seen) == 60


def test_a_change_of_heat_starts_anew():
    system, heat = block(), np.ones(SHAPE)
    seen = []
    march(system, [heat] * 5 + [np.zeros(SHAPE)] * 5, 1.0, lambda moment: seen.append(moment.theta.max()))
    assert np.argmax(seen) == 4
    assert seen[-1] < seen[4]


def test_factors_of_a_system_nearby_change_the_way_not_the_answer():
    near, system = block(flow=0.3), block(flow=0.33)
    heat = np.random.default_rng(1).random(SHAPE)
    borrowed = Solver(system, like=Solver(near))
    theta = borrowed.solve(heat, tolerance=1e-12)
    np.testing.assert_allclose(theta, steady(system, heat, tolerance=1e-12), rtol=1e-9)  # solver, conditioned
    assert borrowed.system is system
