"""Tanks and accumulators: mass over pressure, there and back."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.coolant.components import GAS, TANK, Vessels
from solvers.coolant.vessels import GRAVITY, levels, pressure_of, start_pressure, stored

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


@pytest.mark.parametrize("p", [(1.0e5, 1.0e5), (1.01e5, 1.2e5), (1.03e5, 3e5)])
def test_slopes_are_derivatives_and_the_inverse_is_the_inverse(p):
    p = np.array(p)
    mass, slope = stored(BOTH, p, RHO)
    difference = (stored(BOTH, p + 1.0, RHO)[0] - stored(BOTH, p - 1.0, RHO)[0]) / 2
    np.testing.assert_allclose(
        slope, difference, rtol=1e-5
    )  # of second order in 1 Pa, and a kink at the precharge
    np.testing.assert_allclose(pressure_of(BOTH, mass, RHO), p, rtol=1e-9)
    assert float(slope[0]) == pytest.approx(0.3 / GRAVITY)


def test_an_empty_vessel_has_a_negative_mass_and_level():
    mass, _ = stored(BOTH, np.array([0.9e5, 0.9e5]), RHO)
    assert (mass < 0).all()
    assert (levels(BOTH, mass, RHO) < 0).all()
