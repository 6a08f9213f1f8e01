"""Exchangers against the limits and the definition of effectiveness."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_bvp

from solvers.coolant.components import COUNTER, CROSS, PARALLEL, Exchangers
from solvers.coolant.exchangers import conductance, effectiveness, gain


def one(NTU, ratio, arrangement):
    return float(effectiveness(np.array([NTU]), np.array([ratio]), np.array([arrangement]))[0])


@pytest.mark.parametrize("arrangement", [COUNTER, PARALLEL, CROSS])
def test_limits(arrangement):
    assert one(1e-6, 0.5, arrangement) == pytest.approx(1e-6, rel=1e-3)  # cross: N^0.22 (N^0.78) = N
    assert one(2.0, 0.0, arrangement) == pytest.approx(1 - math.exp(-2.0), rel=1e-9)
    assert one(1.0, 1.0, arrangement) < one(1.0, 0.5, arrangement) < one(1.0, 0.0, arrangement)


@pytest.mark.parametrize(("arrangement", "sign"), [(COUNTER, -1), (PARALLEL, 1)])
def test_closed_forms_solve_their_equations(arrangement, sign):
    NTU, ratio = 1.7, 0.6

    def slope(_, T):
        return np.stack([NTU * (T[1] - T[0]), sign * ratio * NTU * (T[0] - T[1])])

    def ends(left, right):
        return np.array([left[0], (right if sign < 0 else left)[1] - 1])

    x = np.linspace(0, 1, 40)
    found = solve_bvp(slope, ends, x, np.zeros((2, 40)), tol=1e-9)
    assert one(NTU, ratio, arrangement) == pytest.approx(float(found.y[0, -1]), rel=1e-6)


def test_equal_streams_in_counterflow():
    assert one(3.0, 1.0, COUNTER) == pytest.approx(0.75)
    assert one(3.0, 1 - 1e-8, COUNTER) == pytest.approx(0.75, rel=1e-6)


def test_crossflow_is_near_the_series_of_mason():
    # Kays and London, table 2.6: both unmixed, NTU 2, ratio 1: 0.614; NTU 1, ratio 0.5: 0.549
    assert one(2.0, 1.0, CROSS) == pytest.approx(0.614, rel=0.01)
    assert one(1.0, 0.5, CROSS) == pytest.approx(0.549, rel=0.01)


def exchangers():
    return Exchangers(
        side=np.array([[0, 1]]),
        UA=np.array([[4e3, 6e3]]),
        m_nominal=np.array([[0.5, 0.8]]),
        exponent=np.array([[0.7, 0.6]]),
        resistance=np.array([1e-5]),
        arrangement=np.array([COUNTER]),
    )


def test_conductance_adds_films_and_wall_and_follows_the_flow():
    it = exchangers()
    assert float(conductance(it, np.array([[0.5, -0.8]]))[0]) == pytest.approx(1 / (1 / 4e3 + 1 / 6e3 + 1e-5))
    slow = float(conductance(it, np.array([[0.25, 0.8]]))[0])
    assert slow == pytest.approx(1 / (1 / (4e3 * 0.5**0.7) + 1 / 6e3 + 1e-5))


def test_a_stream_that_stands_still_exchanges_nothing():
    it = exchangers()
    C = np.array([[2000.0, 0.0]])
    assert float(gain(it, np.array([[0.5, 0.0]]), C)[0]) == 0.0
