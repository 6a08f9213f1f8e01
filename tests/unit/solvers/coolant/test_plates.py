"""Cold plates over a step against an ODE solver, and their steady state against exp(-NTU)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from solvers.coolant.components import Plates
from solvers.coolant.plates import coupling, march


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
def test_a_step_is_the_exact_solution(C, m, dt):
    K, mass, cp, heat, warm, T_in = 250.0, 0.1, 4000.0, 800.0, 30.0, 296.0
    out = np.empty((1, 6))
    arrays = [np.array([float(x)]) for x in (C, K, m, mass, cp, heat, warm, 310.0, 300.0)]
    march(*arrays, dt, out)

    def rate(_, x):
        solid = x[1] + heat / K if C == 0 else x[0]
        return [
            0.0 if C == 0 else (heat - K * (x[0] - x[1])) / C,
            (m * cp * (T_in - x[1]) + K * (solid - x[1]) + warm) / (mass * cp),
        ]

    start = [310.0, 300.0]
    found = solve_ivp(rate, (0, dt), start, method="LSODA", rtol=1e-11, atol=1e-11, dense_output=True)
    mean = quad(lambda t: found.sol(t)[1], 0, dt, limit=200, epsabs=1e-10)[0] / dt
    end = found.y[1, -1]
    solid = end + heat / K if C == 0 else found.y[0, -1]
    reached = out[0, 0::2] + out[0, 1::2] * T_in
    np.testing.assert_allclose(reached, [mean, end, solid], rtol=1e-8)  # of the integrator


def test_steps_can_be_split():
    values = (400.0, 250.0, 0.05, 0.1, 4000.0, 800.0, 0.0)

    def carry(T, dt):
        out = np.empty((1, 6))
        march(*(np.array([x]) for x in (*values, *T)), dt, out)
        return out[0, 4] + out[0, 5] * 296.0, out[0, 2] + out[0, 3] * 296.0

    once = carry((310.0, 300.0), 2.0)
    twice = carry(carry((310.0, 300.0), 0.6), 1.4)
    np.testing.assert_allclose(once, twice, rtol=1e-13)
