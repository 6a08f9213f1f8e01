"""Each small term of a branch by itself, against its closed form; its slope against the limit it has."""

from __future__ import annotations

import math

import pytest

from solvers.coolant.components import EQUAL, FOULING, LEAK, LINEAR, PLAIN
from solvers.coolant.friction import darcy_f_re
from solvers.coolant.terms import (
    SHUT,
    friction_loss,
    minor_loss,
    pump_rise,
    quadratic_loss,
    resistance_now,
    softened,
)

RHO, MU = 1000.0, 1e-3
EXACT = 1e-12  # rounding


def test_softened_is_the_signed_square_far_out_and_linear_near_zero():
    assert softened(3.0, 0.0) == (9.0, 6.0)
    assert softened(-3.0, 0.0) == (-9.0, 6.0)
    assert softened(0.0, 0.0) == (0.0, 0.0)
    value, slope = softened(3.0, 4.0)  # 3 sqrt(9 + 16); root + x^2 / root
    assert (value, slope) == pytest.approx((15.0, 5.0 + 9.0 / 5.0), rel=EXACT)
    value, slope = softened(1e-6, 4.0)
    assert (value / 1e-6, slope) == pytest.approx((4.0, 4.0), rel=EXACT)


def test_f_re_is_the_laminar_constant_and_then_churchill():
    assert darcy_f_re(0.0, 1e-3, 64.0) == 64.0
    assert darcy_f_re(150.0, 0.0, 56.9) == 56.9
    Re, rough = 1e5, 1e-4
    A = (2.457 * math.log(1 / ((7 / Re) ** 0.9 + 0.27 * rough))) ** 16
    B = (37530 / Re) ** 16
    f = 8 * ((8 / Re) ** 12 + (A + B) ** -1.5) ** (1 / 12)
    assert darcy_f_re(Re, rough, 64.0) == pytest.approx(f * Re, rel=EXACT)


def test_laminar_friction_is_hagen_and_poiseuille_and_its_slope_is_constant():
    D, L = 2e-3, 0.5
    area = math.pi * D**2 / 4
    m = 1e-4  # Re = 4 m / (pi D mu) = 64
    resistance = 128 * MU * L / (math.pi * D**4 * RHO)
    dp, slope = friction_loss(m, RHO, MU, L, D, area, 0.0, 64.0)
    assert (dp, slope) == pytest.approx((resistance * m, resistance), rel=EXACT)
    assert friction_loss(-m, RHO, MU, L, D, area, 0.0, 64.0)[0] == -dp
    assert friction_loss(0.0, RHO, MU, L, D, area, 0.0, 64.0) == pytest.approx((0.0, resistance), rel=EXACT)


def test_turbulent_friction_is_darcy_and_weisbach():
    D, L, m = 0.02, 10.0, 1.0
    area = math.pi * D**2 / 4
    u, Re = m / (RHO * area), m * D / (area * MU)
    dp, slope = friction_loss(m, RHO, MU, L, D, area, 2e-5, 64.0)
    f = darcy_f_re(Re, 1e-3, 64.0) / Re
    assert dp == pytest.approx(f * L / D * RHO * u**2 / 2, rel=EXACT)
    assert 1.8 * dp / m < slope < 2.0 * dp / m  # between Blasius' power 1.75 and the fully rough 2


def test_a_fitting_is_its_coefficient_times_the_dynamic_pressure_and_linear_below_re_50():
    D, K = 0.02, 2.5
    area = math.pi * D**2 / 4
    creep = 50 * MU * area / D
    m = 1000 * creep
    dp, slope = minor_loss(m, RHO, MU, area, K)
    # the linear part is 1e-6 / 2 of it there
    assert dp == pytest.approx(K * m**2 / (2 * RHO * area**2), rel=1e-6)
    assert slope == pytest.approx(2 * dp / m, rel=1e-5)
    dp, slope = minor_loss(1e-3 * creep, RHO, MU, area, K)
    assert slope == pytest.approx(K * creep / (2 * RHO * area**2), rel=1e-5)


def test_a_valve_is_quadratic_and_linear_below_a_hundredth_of_a_pascal():
    c = 2e8
    dp, slope = quadratic_loss(0.5, RHO, c)
    # the linear part: 0.01 Pa beside 50 kPa
    assert (dp, slope) == pytest.approx((c * 0.25 / RHO, 2 * c * 0.5 / RHO), rel=1e-6)
    small = math.sqrt(0.01 * RHO / c)
    assert quadratic_loss(1e-4 * small, RHO, c)[1] == pytest.approx(c / RHO * small, rel=1e-6)


@pytest.mark.parametrize(
    ("role", "setting", "expected"),
    [
        (PLAIN, 0.3, 8.0),
        (LINEAR, 0.5, 8.0 / 0.25),
        (LINEAR, 0.5 * SHUT, -1.0),
        (EQUAL, 1.0, 8.0),
        (EQUAL, 0.5, 8.0 * 50.0),
        (EQUAL, 0.0, -1.0),
        (FOULING, 7.0, 56.0),
        (LEAK, 0.0, -1.0),
        (LEAK, 2.0, 1 / (2 * (0.62 * 2.0) ** 2)),
    ],
)
def test_the_resistance_follows_the_setting(role, setting, expected):
    # equal percentage: opening R^(s - 1), so c / opening^2 = c R at one half for R = 50
    assert resistance_now(role, setting, 8.0, 50.0) == pytest.approx(expected, rel=EXACT)


def test_a_pump_follows_its_parabola_and_the_affinity_laws():
    h0, h1, h2 = 3e5, -1e7, -4e10
    V = 2e-3
    rise, slope = pump_rise(RHO * V, RHO, 1.0, h0, h1, h2)
    # the linear part near no flow: 1e-3 of the flow at no head, half its square in parts
    assert rise == pytest.approx(h0 + h1 * V + h2 * V**2, rel=1e-5)
    assert slope * RHO == pytest.approx(h1 + 2 * h2 * V, rel=1e-5)
    half = pump_rise(RHO * V / 2, RHO, 0.5, h0, h1, h2)[0]
    assert half == pytest.approx(rise / 4, rel=1e-5)
    assert pump_rise(0.0, RHO, 0.8, h0, h1, h2)[0] == pytest.approx(0.64 * h0, rel=EXACT)
