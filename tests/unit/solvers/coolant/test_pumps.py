"""Pump curves, shaft power, run-up and run-down."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.coolant.builder import Builder
from solvers.coolant.fluids import fluid
from solvers.coolant.pumps import fit_head, flow_at_no_head, next_speed, nominal_power, shaft_power
from solvers.errors import CaseError


def case(**values):
    builder = Builder(fluid("water"))
    a, b = builder.node("a"), builder.node("b")
    builder.boundary(a, 2e5, 293.15)
    builder.pipe("p", b, a, 1.0, 0.02)
    builder.pump("pump", a, b, [(0, 3e5), (2e-3, 2e5)], **values)
    return builder.build()


def test_a_falling_parabola_is_found_again():
    h0, h1, h2 = 3e5, -2e7, -3e10
    V = np.linspace(0, 2e-3, 5)
    found = fit_head([(float(v), float(h0 + h1 * v + h2 * v * v)) for v in V])
    np.testing.assert_allclose(found, (h0, h1, h2), rtol=1e-9)
    V0 = flow_at_no_head(found)
    assert h0 + h1 * V0 + h2 * V0**2 == pytest.approx(0, abs=1e-3)


def test_a_curve_with_a_hump_becomes_a_falling_one():
    head = fit_head([(0, 2.9e5), (5e-4, 3e5), (1e-3, 2.8e5), (2e-3, 1.5e5)])
    assert head[0] > 0 and head[1] <= 0 and head[2] < 0


@pytest.mark.parametrize("points", [[(0.0, 1e5)], [(1e-3, 1e5), (1e-3, 2e5)], [(0, -1e5), (1e-3, -2e5)]])
def test_points_without_a_falling_curve_are_refused(points):
    with pytest.raises(CaseError, match="pump"):
        fit_head(points)


def test_shaft_power_is_hydraulic_power_over_efficiency_and_goes_by_speed_cubed():
    it = case(efficiency=0.65, V_best=1e-3)
    V, rise = np.array([1e-3]), np.array([2.5e5])
    full = shaft_power(it, V, rise, np.ones(1))
    assert float(full[0]) == pytest.approx(1e-3 * 2.5e5 / 0.65)
    half = shaft_power(it, 0.5 * V, 0.25 * rise, np.array([0.5]))
    assert float(half[0]) == pytest.approx(float(full[0]) / 8)
    still = shaft_power(it, np.zeros(1), rise, np.ones(1))
    assert 0 < float(still[0]) < float(full[0])
    assert float(shaft_power(it, V, rise, np.zeros(1))[0]) == 0


def test_a_pump_without_drive_runs_down_hyperbolically():
    it = case(run_down=0.8)
    speed, P = np.ones(1), nominal_power(it)
    dt, steps = 0.01, 160
    for _ in range(steps):
        speed = next_speed(it, speed, np.ones(1), np.array([False]), P * speed**3, dt)
    # with torque by speed squared: s = 1 / (1 + t / run_down), exact in every step; friction takes 2 % on top
    assert float(speed[0]) == pytest.approx(1 / (1 + 1.6 / 0.8), rel=0.06)
    assert float(speed[0]) < 1 / (1 + 1.6 / 0.8)
    for _ in range(6000):
        speed = next_speed(it, speed, np.ones(1), np.array([False]), P * speed**3, dt)
    assert float(speed[0]) == 0.0


def test_drive_moves_the_speed_along_its_ramp():
    it = case(ramp=2.0)
    drive, zero = np.array([True]), np.zeros(1)
    assert float(next_speed(it, zero, np.ones(1), drive, zero, 0.5)[0]) == pytest.approx(0.25)
    assert float(next_speed(it, np.ones(1), np.full(1, 0.9), drive, zero, 0.5)[0]) == pytest.approx(0.9)
