"""What influence says of units that cool, stand still, or draw from outside."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.linalg import splu

from solvers.airflow.case import CP, RHO, AirCase, Closure, UnitInputs
from solvers.airflow.frozen import freeze, settle_frozen
from solvers.airflow.heat_operator import Modes
from solvers.airflow.influence import capture_indices, influence
from solvers.airflow.model import advance, initial_state, prepare, unit_inlet_temperature
from solvers.errors import ConvergenceError
from solvers.grid import make_grid

NAN = np.nan


def room(units, V_flow, from_outside=False):
    """Room with patches low and high on both ends of the x axis."""
    shape = (8, 6, 6)
    grid = make_grid(np.linspace(0, 1.6, 9), np.linspace(0, 1.2, 7), np.linspace(0, 1.2, 7))
    plates = [np.zeros((8 + (d == 0), 6 + (d == 1), 6 + (d == 2)), dtype=bool) for d in range(3)]
    losses = [np.zeros(plate.shape, dtype=np.float32) for plate in plates]
    index, low = np.array([8, 8, 0, 0]), np.array([[0, 0], [0, 4], [0, 4], [0, 0]])
    inlets, outlets = (np.array(column) for column in zip(*units, strict=True))
    case = AirCase(
        grid,
        np.zeros(shape, dtype=bool),
        *plates,
        *losses,
        np.zeros(4, dtype=np.int64),
        index,
        low,
        low + np.array([6, 2]),
        np.array([-1, -1, 1, 1]),
        inlets,
        outlets,
    )
    model = prepare(case, Closure())
    count = len(units)
    inputs = UnitInputs(
        np.array(V_flow),
        np.zeros(count),
        np.full(count, NAN),
        np.full(count, np.inf),
        np.zeros(count),
        T_ambient=288.15,
    )
    state = advance(model, initial_state(model), inputs, 30.0)
    return model, freeze(model, state, inputs), inputs


@pytest.fixture(scope="module")
def cooled():
    model, frozen, inputs = room([(0, 1), (2, 3)], [0.1, 0.1])
    inputs = inputs._replace(Q_flow=np.array([800.0, 0.0]), T_supply=np.array([NAN, 290.15]))
    return model, frozen, inputs, influence(frozen, inputs)


def predicted(found, inputs):
    supply = np.nan_to_num(inputs.T_supply)
    return found.T0 + found.A @ inputs.Q_flow + found.B @ supply + found.a * inputs.T_ambient


def direct(model, frozen, inputs):
    return unit_inlet_temperature(model, settle_frozen(frozen, inputs))


def test_superposition_is_the_direct_solve(cooled):
    model, frozen, inputs, found = cooled
    for heat, supply in ((800.0, 290.15), (3000.0, 285.0), (0.0, 300.0)):
        other = inputs._replace(Q_flow=np.array([heat, 0.0]), T_supply=np.array([NAN, supply]))
        assert predicted(found, other) == pytest.approx(direct(model, frozen, other), abs=1e-8)
        assert found.inlets(other) == pytest.approx(direct(model, frozen, other), abs=1e-8)
        assert found.holds(other)


def test_a_cooler_alone_sets_the_level(cooled):
    _, _, _, found = cooled
    # the air is the coolers': 1 K more supply is 1 K more everywhere; all heat passes the cooler's inlet
    assert found.B[:, 1] == pytest.approx([1.0, 1.0], abs=1e-9)
    assert found.A[1, 0] == pytest.approx(1 / (RHO * CP * 0.1), rel=1e-9)
    assert np.abs(found.T0).max() < 1e-6  # 1 less the sums of B, times 293 K
    assert (found.A[:, 1] == 0).all()
    assert (found.a == 0).all()


def test_capture_indices_are_tracers(cooled):
    _, frozen, inputs, found = cooled
    op = frozen.operator
    indices = capture_indices(frozen, found)

    def traced(of_rack, of_cooler):
        """Inlet values of a tracer that each unit blows with a value of its own."""
        modes = Modes(np.ones(2, dtype=np.int64), np.zeros(2), np.array([of_rack, of_cooler]))
        system = op.system(inputs._replace(T_ambient=op.T_ref), modes)
        return op.inlet_theta(splu(op.matrix(system.value).tocsc()).solve(system.source), inputs)

    assert indices.cold_aisle[0] == pytest.approx(traced(0.0, 1.0)[0], abs=1e-9)
    assert indices.hot_aisle[0] == pytest.approx(traced(1.0, 0.0)[1], abs=1e-9)
    assert np.isnan(indices.cold_aisle[1])
    assert np.isnan(indices.hot_aisle[1])
    assert 0.05 < indices.cold_aisle[0] < 1
    # both flows are equal: what the rack does not get from the cooler the cooler does not get from it
    assert indices.hot_aisle[0] == pytest.approx(indices.cold_aisle[0], abs=1e-9)
    told = capture_indices(frozen, found, inputs)
    assert np.array_equal(told.cold_aisle, indices.cold_aisle, equal_nan=True)


def test_a_cooler_at_capacity(cooled):
    _, frozen, inputs, found = cooled
    weak = inputs._replace(Q_max=np.full(2, 500.0))
    assert not found.operator.from_ambient.any()
    with pytest.raises(ConvergenceError, match="no steady state"):
        influence(frozen, weak)
    with pytest.raises(ConvergenceError, match="no steady state"):
        found.inlets(weak)


def test_units_that_share_the_ambient():
    # unit 0 blows outside air in, unit 1 takes room air out: no heat stays
    model, frozen, inputs = room([(-1, 3), (0, -1)], [0.1, 0.1])
    inputs = inputs._replace(Q_flow=np.array([300.0, 0.0]))
    found = influence(frozen, inputs)
    assert predicted(found, inputs) == pytest.approx(direct(model, frozen, inputs), abs=1e-8)
    assert found.a == pytest.approx([1.0, 1.0], abs=1e-9)
    assert found.A[1, 0] == pytest.approx(1 / (RHO * CP * 0.1), rel=1e-9)
    warmer = inputs._replace(T_ambient=300.0)
    assert predicted(found, warmer) == pytest.approx(direct(model, frozen, warmer), abs=1e-8)


@pytest.mark.parametrize("C", [0.0, 4000.0])
def test_heat_of_a_unit_that_stands_still(C):
    model, frozen, inputs = room([(0, 1), (2, 3)], [0.0, 0.1])
    inputs = inputs._replace(
        Q_flow=np.array([150.0, 0.0]), T_supply=np.array([NAN, 290.15]), C=np.array([C, 0.0])
    )
    found = influence(frozen, inputs)
    assert predicted(found, inputs) == pytest.approx(direct(model, frozen, inputs), abs=1e-8)
    assert found.A[1, 0] == pytest.approx(1 / (RHO * CP * 0.1), rel=1e-9)
    assert found.inlets(inputs) == pytest.approx(direct(model, frozen, inputs), abs=1e-8)
