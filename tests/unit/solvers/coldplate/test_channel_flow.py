"""Pressure drop and films of channels against textbook limits."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.coldplate.channel_flow import Duct, Liquid, films, pressure_drop, profile, reynolds
from solvers.coolant.friction import f_re
from solvers.coolant.heat_transfer import nusselt

WATER = 997.0, 4180.0, 0.607, 0.89e-3


def liquid(shape=(1,), mu=WATER[3]):
    return Liquid(*(np.full(shape, value) for value in (*WATER[:3], mu)))


def test_long_laminar_channels_have_the_developed_friction():
    duct = Duct(50e-6, 100e-6, 1.0)
    m_flow = np.array([2e-6])
    u = m_flow[0] / (997.0 * duct.area)
    Re = 997.0 * u * duct.diameter / WATER[3]
    expected = 2.0 * f_re(0.5) / Re * 997.0 * u**2 * 1.0 / duct.diameter
    # the entrance adds 1.3 velocity heads to a drop of some thousand
    assert pressure_drop(duct, m_flow, liquid())[0] == pytest.approx(expected, rel=1e-3)


def test_entrance_and_ends_add_velocity_heads():
    short, lossy = Duct(1e-3, 1e-3, 0.02), Duct(1e-3, 1e-3, 0.02, end_loss=1.5)
    m_flow = np.array([4e-4])
    head = 0.5 * (m_flow[0] / short.area) ** 2 / 997.0
    developed = 4.0 * f_re(1.0) / reynolds(short, m_flow, np.array(WATER[3])) * 20.0 * head
    drop = pressure_drop(short, m_flow, liquid())[0]
    assert drop > 1.05 * developed[0]
    assert pressure_drop(lossy, m_flow, liquid())[0] - drop == pytest.approx(1.5 * head, rel=1e-9)


def test_turbulent_channels_follow_blasius():
    duct = Duct(4e-3, 4e-3, 1.0)
    m_flow = np.array([20000.0 * duct.area * WATER[3] / duct.diameter])
    f = 0.316 * 20000.0**-0.25
    expected = f / duct.diameter * 0.5 * (m_flow[0] / duct.area) ** 2 / 997.0
    assert pressure_drop(duct, m_flow, liquid())[0] == pytest.approx(expected, rel=0.05)  # both fits to 5 %


def test_films_fall_to_the_developed_value_and_keep_their_mean():
    duct = Duct(0.3e-3, 3e-3, 1.0)
    m_flow, y = np.array([3e-4]), np.linspace(0.0, 1.0, 201)
    h = films(duct, m_flow, liquid((200, 1)), y)[:, 0]
    assert np.all(np.diff(h) < 0.0)
    developed = nusselt(0.1, "H1") * WATER[2] / duct.diameter
    assert h[-1] == pytest.approx(float(developed), rel=2e-3)  # the blend of entrance and limit, 5th power
    coarse = films(duct, m_flow, liquid((4, 1)), y[::50])[:, 0]
    np.testing.assert_allclose(
        coarse, h.reshape(4, 50).mean(axis=1), rtol=2e-3
    )  # four nodes over a quarter metre


def test_less_that_develops_means_lower_films():
    y, fluid, m_flow = np.linspace(0.0, 0.02, 5), liquid((4, 1)), np.array([3e-4])
    h = [
        films(Duct(0.3e-3, 3e-3, 0.02, entrance=kind), m_flow, fluid, y)[:, 0]
        for kind in ("developed", "thermal", "simultaneous")
    ]
    assert np.all(h[0] < h[1]) and np.all(h[1] < h[2])
    assert np.ptp(h[0]) == 0.0


def test_three_walls_and_more_flow():
    four, three = Duct(0.3e-3, 3e-3, 0.04), Duct(0.3e-3, 3e-3, 0.04, heated="three")
    y, fluid = np.array([0.0, 0.04]), liquid((1, 2))
    m_flow = np.array([1e-4, 4e-4])
    h = films(four, m_flow, fluid, y)[0]
    assert h[1] > h[0]
    # one short wall less: Nu 7.04 against 6.79 of the heated walls (Shah and London; the tests of nusselt)
    assert films(three, m_flow, fluid, y)[0, 0] > h[0]


def test_turbulent_films_join_laminar_ones():
    duct, y, fluid = Duct(4e-3, 4e-3, 1.0), np.array([0.0, 1.0]), liquid((1, 1))
    per = duct.area * WATER[3] / duct.diameter
    h = [films(duct, np.array([Re * per]), fluid, y)[0, 0] for Re in (2299.0, 2301.0, 3999.0, 4001.0, 2e4)]
    assert h[1] == pytest.approx(h[0], rel=0.01)  # no jump at either end of the transition
    assert h[3] == pytest.approx(h[2], rel=0.01)
    dittus = 0.023 * 2e4**0.8 * (WATER[3] * WATER[1] / WATER[2]) ** 0.4 * WATER[2] / duct.diameter
    assert h[4] == pytest.approx(dittus, rel=0.15)  # the two correlations differ by that much


def test_the_profile_carries_the_whole_flow():
    u = profile(Duct(1e-3, 2e-3, 1.0), 17, 33)
    assert u.shape == (17, 33)
    assert u.mean() == pytest.approx(1.0, rel=1e-12)
    assert u.max() == pytest.approx(1.99, rel=0.01)  # Shah and London: 1.992 at aspect 0.5
