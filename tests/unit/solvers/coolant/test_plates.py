"""Cold plates over a step against an ODE solver, and their steady state against exp(-NTU).

With a second way of the heat, to air beside the plate: closed forms with flow and without.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from solvers.coolant.builder import Builder
from solvers.coolant.components import Plates
from solvers.coolant.network import prepare, solve
from solvers.coolant.plates import coupling, march
from solvers.coolant.transient import advance, balance, start
from solvers.errors import GridMismatchError


def test_coupling_gives_the_heat_of_a_wall_of_one_temperature():
    plates = Plates(*(np.array([x]) for x in (0, 500.0, 300.0, 0.05, 0.4)))
    cp, m = np.array([4000.0]), np.array([0.08])
    K = float(coupling(plates, m, cp)[0])
    UA = 300.0 * (0.08 / 0.05) ** 0.4
    share = 1 - math.exp(-UA / (0.08 * 4000))
    # with T_in = 0 and T_solid = 1: outlet = share, heat = m cp share = K (1 - share)
    assert K * (1 - share) == pytest.approx(0.08 * 4000 * share)


@pytest.mark.parametrize("C", [0.0, 400.0])
@pytest.mark.parametrize("m", [0.0, 0.05])
@pytest.mark.parametrize("dt", [1e-3, 0.7, 50.0])
@pytest.mark.parametrize("G", [0.0, 40.0])
def test_a_step_is_the_exact_solution(C, m, dt, G):
    K, mass, cp, heat, warm, T_in = 250.0, 0.1, 4000.0, 800.0, 30.0, 296.0
    out = np.empty((1, 6))
    T_air = 291.0
    arrays = [np.array([float(x)]) for x in (C, K, G, m, mass, cp, heat, warm, T_air, 310.0, 300.0)]
    march(*arrays, dt, out)

    def follows(coolant):
        return (heat + K * coolant + G * T_air) / (K + G)

    def rate(_, x):
        solid = follows(x[1]) if C == 0 else x[0]
        return [
            0.0 if C == 0 else (heat - K * (x[0] - x[1]) - G * (x[0] - T_air)) / C,
            (m * cp * (T_in - x[1]) + K * (solid - x[1]) + warm) / (mass * cp),
        ]

    start = [310.0, 300.0]
    found = solve_ivp(rate, (0, dt), start, method="LSODA", rtol=1e-11, atol=1e-11, dense_output=True)
    mean = quad(lambda t: found.sol(t)[1], 0, dt, limit=200, epsabs=1e-10)[0] / dt
    end = found.y[1, -1]
    solid = follows(end) if C == 0 else found.y[0, -1]
    reached = out[0, 0::2] + out[0, 1::2] * T_in
    np.testing.assert_allclose(reached, [mean, end, solid], rtol=1e-8)  # of the integrator


def test_steps_can_be_split():
    values = (400.0, 250.0, 30.0, 0.05, 0.1, 4000.0, 800.0, 0.0, 291.0)

    def carry(T, dt):
        out = np.empty((1, 6))
        march(*(np.array([x]) for x in (*values, *T)), dt, out)
        return out[0, 4] + out[0, 5] * 296.0, out[0, 2] + out[0, 3] * 296.0

    once = carry((310.0, 300.0), 2.0)
    twice = carry(carry((310.0, 300.0), 0.6), 1.4)
    np.testing.assert_allclose(once, twice, rtol=1e-13)


CP, UA, G, P = 4000.0, 300.0, 25.0, 900.0
T_IN, T_AIR = 300.0, 296.0


@pytest.fixture
def plate(constant_fluid):
    """Give a plate between two boundaries, fed with a flow; its network and inputs."""

    def make(m, C=400.0, volume=1e-4):
        builder = Builder(constant_fluid("test", 1000.0, CP, 0.6, 1e-3))
        a, b = builder.node("in"), builder.node("out")
        builder.demand(a, -0.05, T_IN)
        builder.boundary(b, 1e5, T_IN)
        builder.cold_plate(
            "plate", a, b, m_nominal=0.05, dp_nominal=1.0, UA=UA, UA_exponent=0.0, C=C, volume=volume
        )
        network = prepare(builder.build())
        inputs = network.inputs()
        inputs.heat[0], inputs.supply[0] = P, m
        inputs.G_solid[0], inputs.T_solid_air[0] = G, T_AIR
        return network, inputs

    return make


def between(m):
    """P = K (T - T_in) + G (T - T_air), K = m cp (1 - exp(-UA / (m cp))): the plate's temperature."""
    K = m * CP * -math.expm1(-UA / (m * CP))
    return (P + K * T_IN + G * T_AIR) / (K + G)


@pytest.mark.parametrize("m", [0.05, 0.02, 0.2])
def test_heat_is_shared_by_coolant_and_air(plate, m):
    network, inputs = plate(m)
    found = solve(network, inputs)
    T = between(m)
    # friction gives 2 mW at most
    assert found.T_solid[0] == pytest.approx(T, abs=1e-5)
    assert found.Q_air[0] == pytest.approx(G * (T - T_AIR), abs=1e-3)
    assert found.Q_flow[0] + found.Q_air[0] == pytest.approx(P, abs=3e-3)
    assert found.energy_relative < 1e-9


def test_without_flow_air_takes_all_heat(plate):
    network, inputs = plate(0.0)
    found = solve(network, inputs, strict=False)
    assert found.T_solid[0] == pytest.approx(T_AIR + P / G, abs=1e-9)
    assert found.Q_air[0] == pytest.approx(P, abs=1e-9)
    assert found.Q_flow[0] == 0.0
    assert not any("no steady temperature" in text for text in found.findings)
    inputs.G_solid[0] = 0.0
    left_out = solve(network, inputs, strict=False)
    assert any("no steady temperature" in text for text in left_out.findings)


def test_a_trickle_comes_near_to_no_flow(plate):
    network, inputs = plate(1e-5)
    found = solve(network, inputs, strict=False)  # what trickles boils
    assert found.T_solid[0] == pytest.approx(between_trickle(1e-5), abs=1e-2)
    assert abs(found.T_solid[0] - (T_AIR + P / G)) < 0.1


def between_trickle(m):
    """Give the temperature where the coolant leaves as warm as the plate."""
    return (P + m * CP * T_IN + G * T_AIR) / (m * CP + G)


@pytest.mark.parametrize("m", [0.0, 0.03])
def test_a_steady_plate_beside_air_stays_and_comes_back(plate, m):
    network, inputs = plate(m)
    found = solve(network, inputs, strict=False)
    state = start(network, inputs, found)
    stays = advance(network, state, inputs, 30.0)
    assert stays.warmth.T_solid[0] == pytest.approx(found.T_solid[0], abs=1e-4)
    assert stays.Q_air[0] == pytest.approx(found.Q_air[0], rel=1e-5)
    inputs.heat[0] = 0.0
    state = advance(network, stays, inputs, 60.0)
    inputs.heat[0] = P
    state = advance(network, state, inputs, 3600.0)
    assert state.warmth.T_solid[0] == pytest.approx(found.T_solid[0], abs=1e-3)


def test_solid_cools_to_the_air_by_an_exponential(plate):
    """Without coolant: C dT/dt = -G (T - T_air)."""
    network, inputs = plate(0.0, C=4000.0, volume=0.0)
    state = start(network, inputs, solve(network, inputs, strict=False))
    inputs.heat[0] = 0.0
    C = 4000.0 + 1e-3 * CP  # the gram of coolant that a plate without volume holds goes along
    for _ in range(3):
        before = balance(network, state)
        state = advance(network, state, inputs, 50.0)
    rise = P / G * math.exp(-150.0 * G / C)
    # the coolant lags by C_coolant / K of the time constant: 1e-4
    assert state.warmth.T_solid[0] - T_AIR == pytest.approx(rise, rel=1e-3)
    mean = P / G * C / (G * 50.0) * (math.exp(-100.0 * G / C) - math.exp(-150.0 * G / C))
    assert state.Q_air[0] == pytest.approx(G * mean, rel=1e-3)
    assert balance(network, state).energy - before.energy == pytest.approx(-50.0 * state.Q_air[0], rel=1e-9)


@pytest.mark.parametrize("C", [0.0, 400.0])
def test_heat_to_air_is_in_the_balance_of_energy(plate, C):
    network, inputs = plate(0.04, C)
    state = start(network, inputs, solve(network, inputs))
    before = balance(network, state)
    inputs.heat[0], inputs.supply[0], inputs.T_solid_air[0] = 3000.0, 0.01, 310.0
    for dt in (0.1, 1.0, 30.0):
        state = advance(network, state, inputs, dt)
    after = balance(network, state)
    assert state.Q_air[0] > 100.0
    # linear in everything: rounding of 1e7 J stored
    assert after.energy - before.energy == pytest.approx(state.energy_in, abs=1e-2, rel=1e-8)


def test_a_negative_conductance_is_refused(plate):
    network, inputs = plate(0.04)
    inputs.G_solid[0] = -1.0
    with pytest.raises(GridMismatchError, match=r"G_solid.*must not be below 0"):
        solve(network, inputs)
