"""Tanks and accumulators: mass over pressure, there and back."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.coolant.builder import Builder
from solvers.coolant.components import GAS, TANK, Vessels
from solvers.coolant.fluids import fluid
from solvers.coolant.vessels import (
    LAST,
    LOW,
    drawn_from,
    levels,
    pressure_of,
    start_pressure,
    stored,
    suction,
)

BOTH = Vessels(
    node=np.array([0, 1]),
    kind=np.array([TANK, GAS]),
    area=np.array([0.3, 0.0]),
    volume=np.array([0.3, 0.05]),
    p_gas=np.array([1.01e5, 1.2e5]),
    polytropic=np.array([1.0, 1.2]),
    p_start=np.array([1.05e5, 2e5]),
)
RHO = np.array([998.0, 998.0])


def test_a_tank_is_hydrostatic_and_gas_polytropic():
    p = np.array([start_pressure(1.01e5, 998.0, 0.6), 2e5])
    mass, _ = stored(BOTH, p, RHO)
    assert float(mass[0]) == pytest.approx(0.3 * 0.6 * 998)
    gas = 0.05 - float(mass[1]) / 998  # volume that is left
    assert 2e5 * gas**1.2 == pytest.approx(1.2e5 * 0.05**1.2)
    assert float(levels(BOTH, mass, RHO)[0]) == pytest.approx(0.6)


@pytest.mark.parametrize("p", [(0.6e5, 0.6e5), (1.0101e5, 1.2005e5), (1.03e5, 3e5)])
def test_slopes_are_derivatives_and_the_inverse_is_the_inverse(p):
    p = np.array(p)
    mass, slope = stored(BOTH, p, RHO)
    difference = (stored(BOTH, p + 0.1, RHO)[0] - stored(BOTH, p - 0.1, RHO)[0]) / 0.2
    np.testing.assert_allclose(slope, difference, rtol=1e-6)  # of second order in 0.1 Pa
    np.testing.assert_allclose(pressure_of(BOTH, mass, RHO), p, rtol=1e-9)


def test_an_empty_vessel_holds_its_rest_and_never_less_than_nothing():
    p = np.array([[1.5e5, 1.1e5, 0.9e5, 0.0, -1e6]] * 2)
    masses = np.array([stored(BOTH, p[:, i], RHO)[0] for i in range(5)])
    assert (masses > 0).all()
    assert (np.diff(masses, axis=0) < 0).all()
    assert (levels(BOTH, masses[2:], RHO) < LAST).all()


def test_mass_goes_on_where_the_vessel_begins_to_hold_back():
    masses = np.array([LAST * (1 + sign * 1e-6) for sign in (-1, 1)])[:, None] * RHO * BOTH.volume
    below, above = (pressure_of(BOTH, mass, RHO) for mass in masses)
    np.testing.assert_allclose(above - below, 0.0, atol=0.01)
    slopes = [stored(BOTH, p, RHO)[1] for p in (below, above)]
    np.testing.assert_allclose(*slopes, rtol=0.02)  # of gas: a chord of 1 % of the shell


def test_pumps_keep_their_head_down_to_a_low_level_and_lose_it_smoothly():
    level = np.linspace(0.0, 0.05, 501)
    part = suction(level)
    assert (part[level <= LAST] == 0.0).all()
    assert (part[level >= LOW] == 1.0).all()
    assert (np.diff(part) >= 0).all()
    assert np.abs(np.diff(part, 2)).max() < 1e-3  # no kink: 6 (step / (LOW - LAST))^2 at most


def test_pumps_draw_from_the_vessel_on_their_suction_side():
    builder = Builder(fluid("water"))
    tank, high, far, sink, other = (builder.node(name) for name in ("tank", "high", "far", "sink", "other"))
    builder.reservoir(tank, area=0.1, height=1.0, level=0.5)
    builder.boundary(far, 1e5, 293.15)
    points = [(0.0, 2e5), (1e-3, 1e5)]
    builder.pipe("pipe", tank, sink, 1.0, 0.02)
    builder.pump("out", sink, high, points)
    builder.boundary(other, 1e5, 293.15)
    builder.pump("elsewhere", far, other, points)
    builder.pipe("back", high, tank, 1.0, 0.02)
    assert drawn_from(builder.build()).tolist() == [0, -1]
