"""PI controllers in steady state and through time."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.coolant.control import (
    DIFFERENCE,
    FLOW,
    PRESSURE,
    TEMPERATURE,
    act,
    controls,
    measure,
    settle,
    wind,
)
from solvers.coolant.network import solve
from solvers.coolant.transient import advance, start
from solvers.errors import ConvergenceError


def of_hall(network):
    """Supply temperature by the facility's valve, pressure over the headers by one pump."""
    return controls(
        {
            "quantity": TEMPERATURE,
            "first": network.node("supply"),
            "target": 299.15,
            "gain": -0.05,
            "time": 8.0,
            "low": 0.02,
            "output": network.branch("facility valve"),
        },
        {
            "quantity": DIFFERENCE,
            "first": network.node("supply"),
            "second": network.node("return"),
            "target": 1.6e5,
            "gain": 2e-6,
            "time": 4.0,
            "low": 0.3,
            "output": network.branch("pump 0"),
        },
    )


def test_settling_reaches_every_target(hall):
    network, inputs = hall(6)
    wanted = of_hall(network)
    found, state = settle(network, inputs, wanted)
    assert state.T[network.node("supply")] == pytest.approx(299.15, abs=1e-3)
    difference = state.p[network.node("supply")] - state.p[network.node("return")]
    assert difference == pytest.approx(1.6e5, rel=1e-5)
    assert inputs.setting[network.branch("facility valve")] == 1.0  # the given inputs are left alone
    assert 0.02 < found.setting[network.branch("facility valve")] < 1.0


def test_an_unreachable_target_ends_at_the_limit(hall):
    network, inputs = hall(3)
    wanted = of_hall(network)._replace(target=np.array([270.0, 1.6e5]))
    found, _ = settle(network, inputs, wanted)
    assert found.setting[network.branch("facility valve")] == 1.0


def test_a_gain_of_the_wrong_sign_is_reported_or_stays_at_a_limit(hall):
    network, inputs = hall(3)
    wanted = of_hall(network)
    wanted.gain[0] *= -1
    try:
        found, _ = settle(network, inputs, wanted)
    except ConvergenceError as error:
        assert "sign of its gain" in str(error)
    else:
        assert found.setting[network.branch("facility valve")] in (0.02, 1.0)


def test_control_takes_over_without_a_bump_and_comes_back_to_the_target(hall):
    network, inputs = hall(4)
    wanted = of_hall(network)
    inputs, steady = settle(network, inputs, wanted)
    state = start(network, inputs, steady, wanted)
    state = advance(network, state, inputs, 30.0, wanted)
    assert state.warmth.T[network.node("supply")] == pytest.approx(299.15, abs=0.05)
    np.testing.assert_allclose(state.setting[wanted.output], inputs.setting[wanted.output], atol=0.02)
    for i in range(16):
        inputs.heat[network.branch(f"plate {i // 4}.{i % 4}")] *= 0.5
    state = advance(network, state, inputs, 30.0, wanted)
    off = abs(state.warmth.T[network.node("supply")] - 299.15)
    state = advance(network, state, inputs, 400.0, wanted)
    assert abs(state.warmth.T[network.node("supply")] - 299.15) < 0.1 < off
    assert state.setting[wanted.output][0] < inputs.setting[wanted.output][0]  # less of the facility's water


def test_what_is_measured(hall):
    network, inputs = hall(2)
    state = solve(network, inputs)
    rows = [
        {"quantity": kind, "first": first, "second": 1, "target": 0, "gain": 1, "time": 1, "output": 0}
        for kind, first in ((TEMPERATURE, 0), (PRESSURE, 0), (DIFFERENCE, 0), (FLOW, 3))
    ]
    found = measure(controls(*rows), state.p, state.m_flow, state.T)
    np.testing.assert_allclose(found, [state.T[0], state.p[0], state.p[0] - state.p[1], state.m_flow[3]])


def test_an_output_at_its_limit_does_not_wind_up():
    it = controls({"quantity": FLOW, "first": 0, "target": 1.0, "gain": 0.5, "time": 2.0, "output": 0})
    integral = wind(it, np.array([0.6]), np.array([0.8]))
    output, integral = act(it, integral, np.array([0.8]), 0.0)
    assert float(output[0]) == pytest.approx(0.6)
    for _ in range(100):
        output, integral = act(it, integral, np.array([0.2]), 1.0)
    assert float(output[0]) == 1.0
    output, integral = act(it, integral, np.array([1.2]), 1.0)  # too much at last: it reacts at once
    assert float(output[0]) < 0.9
