"""Losses of single branches against textbook formulas; their slopes; zero flow, reversal, shut."""

from __future__ import annotations

import math

import numpy as np
import pytest

from solvers.coolant.builder import Builder
from solvers.coolant.fluids import fluid
from solvers.coolant.friction import churchill
from solvers.coolant.terms import CLOSED, losses

WATER = fluid("water")
RHO, MU = 998.2, 1.0016e-3


def branch(add, m, setting=None, rho=RHO, mu=MU):
    """Loss and slope of one branch that `add` puts into a network."""
    builder = Builder(WATER)
    a, b = builder.node("a"), builder.node("b")
    builder.boundary(a, 2e5, 293.15)
    builder.boundary(b, 1e5, 293.15)
    add(builder, a, b)
    case = builder.build()
    m = np.atleast_1d(np.asarray(m, dtype=np.float64))
    many = type(case.branches)(*(np.repeat(column, m.size, axis=0) for column in case.branches))
    settings = np.full(m.size, case.setting[0] if setting is None else setting)
    dp, slope = np.empty(m.size), np.empty(m.size)
    losses(many, m, np.full(m.size, rho), np.full(m.size, mu), settings, dp, slope)
    return dp, slope


def pipe(builder, a, b):
    builder.pipe("pipe", a, b, 10.0, 0.02, roughness=2e-5)


def test_a_pipe_loses_what_darcy_and_churchill_say():
    m = np.array([0.01, 0.1, 1.0, 5.0])
    area = math.pi * 0.02**2 / 4
    u = m / (RHO * area)
    f = churchill(RHO * u * 0.02 / MU, 1e-3)
    dp, _ = branch(pipe, m)
    # the resistance that every branch has, 1e-3 Pa s/kg, is the difference
    np.testing.assert_allclose(dp, f * 10 / 0.02 * RHO * u**2 / 2 + 1e-3 * m, rtol=1e-12)


def test_a_creeping_pipe_is_hagen_and_poiseuille():
    m = 1e-6
    dp, slope = branch(pipe, m)
    assert float(dp[0]) == pytest.approx(
        128 * MU * 10 * m / (math.pi * 0.02**4 * RHO), rel=2e-4
    )  # 1e-3 Pa s/kg
    assert float(slope[0]) == pytest.approx(float(dp[0]) / m, rel=1e-6)


@pytest.mark.parametrize(
    "add",
    [
        pipe,
        lambda builder, a, b: builder.channel("c", a, b, 0.05, 2e-4, 1e-3, count=50, loss=1.5),
        lambda builder, a, b: builder.fitting("f", a, b, 0.02, 2.5),
        lambda builder, a, b: builder.valve("v", a, b, 4.0, opening=0.4),
        lambda builder, a, b: builder.pump("p", a, b, [(0, 3e5), (1e-3, 2e5)], check=False),
        lambda builder, a, b: builder.cold_plate("c", a, b, m_nominal=0.1, dp_nominal=2e4, UA=100.0),
    ],
    ids=["pipe", "channel", "fitting", "valve", "pump", "plate"],
)
def test_slopes_are_the_derivatives_and_losses_rise_with_the_flow(add):
    m = np.concatenate([-np.geomspace(2.0, 1e-4, 30), np.geomspace(1e-4, 2.0, 30)])
    dp, slope = branch(add, m)
    step = 1e-5 * np.abs(m)
    difference = (branch(add, m + step)[0] - branch(add, m - step)[0]) / (2 * step)
    # the slope of the friction factor is a difference of 1e-4 itself: 1e-3 in the transition
    np.testing.assert_allclose(slope, difference, rtol=5e-3, atol=1e-2)
    assert (np.diff(dp) > 0).all()
    assert (slope > 0).all()


def test_losses_without_pumps_are_odd():
    m = np.geomspace(1e-6, 2, 20)
    np.testing.assert_allclose(branch(pipe, -m)[0], -branch(pipe, m)[0], rtol=1e-14)


def test_a_fitting_has_its_loss_coefficient_at_speed():
    m = 0.5
    u = m / (RHO * math.pi * 0.02**2 / 4)
    dp, _ = branch(lambda builder, a, b: builder.fitting("f", a, b, 0.02, 2.5), m)
    assert float(dp[0]) == pytest.approx(2.5 * RHO * u**2 / 2, rel=1e-5)  # linear below Re 50, here Re is 3e4


@pytest.mark.parametrize(("characteristic", "part"), [("linear", 0.25), ("equal", 50.0**-0.75)])
def test_a_valve_has_its_flow_coefficient(characteristic, part):
    def add(builder, a, b):
        builder.valve("v", a, b, 4.0, characteristic=characteristic)

    m = 0.3
    dp, _ = branch(add, m, setting=0.25, rho=1000.0)
    expected = 1e5 * (m * 3.6 / (4.0 * part)) ** 2
    assert float(dp[0]) == pytest.approx(expected, rel=1e-6)


def test_what_is_shut_hardly_conducts():
    def check(builder, a, b):
        builder.check_valve("c", a, b, 4.0)

    def valve(builder, a, b):
        builder.valve("v", a, b, 4.0)

    dp, slope = branch(check, [-1e-5, 0.0, 0.3])
    assert float(dp[0]) == pytest.approx(-1e-5 * CLOSED)
    assert float(dp[1]) == 0.0
    assert float(slope[2]) < 1e6
    assert float(branch(valve, 1e-5, setting=0.0)[0][0]) == pytest.approx(1e-5 * CLOSED)


def test_a_clogged_filter_loses_in_proportion_and_a_leak_is_a_hole():
    def strainer(builder, a, b):
        builder.filter("f", a, b, 10.0)

    def leak(builder, a, _):
        builder.pipe("p", a, _, 1.0, 0.02)
        builder.leak("l", a)

    clean, clogged = (float(branch(strainer, 0.5, setting=x)[0][0]) for x in (1.0, 7.0))
    assert clogged == pytest.approx(7 * clean, rel=1e-4)  # both linear below 0.01 Pa
    builder = Builder(WATER)
    a, b = builder.node("a"), builder.node("b")
    builder.boundary(a, 2e5, 293.15)
    builder.boundary(b, 1e5, 293.15)
    leak(builder, a, b)
    case = builder.build()
    dp, slope = np.empty(2), np.empty(2)
    m = np.array([0.1, 0.05])
    losses(case.branches, m, np.full(2, RHO), np.full(2, MU), np.array([1.0, 1e-5]), dp, slope)
    # m = 0.62 A sqrt(2 rho dp), a sharp-edged orifice
    assert 0.62 * 1e-5 * math.sqrt(2 * RHO * float(dp[1])) == pytest.approx(0.05, rel=1e-6)


def test_pumps_follow_the_affinity_laws():
    def add(builder, a, b):
        builder.pump("p", a, b, [(0, 3e5), (1e-3, 2.6e5), (2e-3, 1.4e5)], check=False)

    m = np.array([0.2, 0.8, 1.5])
    full, _ = branch(add, m)
    half, _ = branch(add, 0.5 * m, setting=0.5)
    # heads by speed squared, flows by speed; the linear part near no flow does not scale
    np.testing.assert_allclose(half, full / 4, rtol=1e-5)


def test_the_compiled_losses_are_those_of_the_plain_function():
    builder = Builder(WATER)
    a, b = builder.node("a"), builder.node("b")
    builder.boundary(a, 2e5, 293.15)
    builder.boundary(b, 1e5, 293.15)
    builder.pipe("p", a, b, 1.0, 0.02, loss=2.0)
    builder.pump("m", b, a, [(0, 3e5), (1e-3, 2e5)])
    builder.valve("v", a, b, 4.0)
    case = builder.build()
    m, ones = np.array([0.2, 0.1, -0.3]), np.ones(3)
    one, two = (np.empty((2, 3)) for _ in range(2))
    losses(case.branches, m, RHO * ones, MU * ones, ones, *one)
    losses.py_func(case.branches, m, RHO * ones, MU * ones, ones, *two)
    np.testing.assert_allclose(one, two, rtol=1e-12)
