"""A pod's frozen flow: superposition, capture, heat, speed of the transient against the clock."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.linalg import splu

from solvers.airflow.case import CP, RHO
from solvers.airflow.frozen import advance_frozen, freeze, settle_frozen
from solvers.airflow.influence import capture_indices, influence
from solvers.airflow.model import prepare, solve_steady, unit_inlet_temperature

RACKS, UNITS = 12, 14


@pytest.fixture(scope="module")
def pod(build_pod):
    case, inputs = build_pod(0.3)
    model = prepare(case)
    result = solve_steady(model, inputs)
    frozen = freeze(model, result.state, inputs)
    return model, inputs, result, frozen, influence(frozen, inputs)


def direct(pod, inputs):
    return unit_inlet_temperature(pod[0], settle_frozen(pod[3], inputs))


def predicted(found, inputs):
    supply = np.nan_to_num(inputs.T_supply)
    return found.T0 + found.A @ inputs.Q_flow + found.B @ supply + found.a * inputs.T_ambient


def test_superposition_equals_the_direct_solve(pod):
    _, inputs, _, _, found = pod
    rng = np.random.default_rng(1)
    for _ in range(4):
        Q_flow = np.where(np.arange(UNITS) < RACKS, rng.uniform(0, 9e3, UNITS), 0.0)
        T_supply = inputs.T_supply + rng.uniform(-3, 3, UNITS)
        load = inputs._replace(Q_flow=Q_flow, T_supply=T_supply, Q_max=np.full(UNITS, np.inf))
        # 1e-8 of the 10 K that racks add
        assert predicted(found, load) == pytest.approx(direct(pod, load), abs=1e-7, rel=0)
        assert np.abs(predicted(found, load) - direct(pod, load)).max() < 1e-8 * np.ptp(direct(pod, load))
        assert found.holds(load)


def test_a_cooler_that_runs_into_its_capacity(pod):
    _, inputs, _, _, found = pod
    limited = inputs._replace(Q_max=np.where(np.arange(UNITS) == RACKS, 20e3, 60e3))
    assert not found.holds(limited)
    # modes are switched in the dense system as in the direct solve
    assert found.inlets(limited) == pytest.approx(direct(pod, limited), abs=1e-7, rel=0)
    state = settle_frozen(pod[3], limited)
    drop = unit_inlet_temperature(pod[0], state)[RACKS] - state.T_unit[RACKS]
    assert RHO * CP * inputs.V_flow[RACKS] * drop == pytest.approx(20e3, rel=1e-9)


def test_equals_a_direct_factorisation(pod):
    _, inputs, _, frozen, _ = pod
    op = frozen.operator
    system = op.system(inputs, op.modes(inputs, None))
    exact = splu(op.matrix(system.value).tocsc()).solve(system.source)
    assert np.abs(frozen.pack(settle_frozen(frozen, inputs)) - exact).max() < 1e-9 * np.ptp(exact)


def test_the_mean_flow_tells_the_mean_temperature(pod):
    model, inputs, result, frozen, _ = pod
    assert frozen.divergence < 1e-10
    change = direct(pod, inputs) - unit_inlet_temperature(model, result.state)
    # what the fluctuations carry beside the mean flow; found 0.02 K
    assert np.abs(change).max() < 0.3


def test_heat_closes(pod):
    model, inputs, _, frozen, _ = pod
    state = settle_frozen(frozen, inputs)
    heat = RHO * CP * inputs.V_flow * (state.T_unit - unit_inlet_temperature(model, state))
    assert heat[:RACKS] == pytest.approx(inputs.Q_flow[:RACKS], rel=1e-9)
    assert heat.sum() == pytest.approx(0.0, abs=1e-9 * 60e3)


def test_air_is_somebody_s(pod):
    _, inputs, _, frozen, found = pod
    # all air at an inlet came from an outlet, all air of an outlet goes to an inlet
    assert found.G.sum(axis=1) == pytest.approx(np.ones(UNITS), abs=1e-9)
    assert inputs.V_flow @ found.G == pytest.approx(inputs.V_flow, rel=1e-9)
    assert found.G.min() > -1e-3  # frozen second-order weights are no M-matrix; found -3e-5
    indices = capture_indices(frozen, found)
    cold, hot = indices.cold_aisle[:RACKS], indices.hot_aisle[:RACKS]
    assert cold.max() < 1.001
    assert cold[[2, 3, 8, 9]].min() > 0.9  # middle of the aisle: fed by the tiles
    assert cold[[5, 11]].max() < cold[[2, 8]].min()  # row ends recirculate
    assert hot.min() > 0.4


def test_a_load_step_reaches_its_steady_state(pod):
    _, inputs, _, frozen, _ = pod
    cool = settle_frozen(frozen, inputs)
    hot = inputs._replace(Q_flow=1.3 * inputs.Q_flow, C=np.where(np.arange(UNITS) < RACKS, 2e5, 0.0))
    end = settle_frozen(frozen, hot)
    seen = []
    late = advance_frozen(frozen, cool, hot, 3600.0, on_step=lambda s: seen.append(s.T_unit[:RACKS].copy()))
    assert np.abs(late.T - end.T).max() < 0.02
    # heavy units rise without overshoot; 0.05 K is the tolerance of a step
    assert (np.diff(np.array(seen), axis=0) > -0.05).all()
    assert frozen.steps < 200
