"""Cooling laws: affinity, effectiveness-NTU, the split of heat between coolant and air."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twin.racklet.cooling import (
    air_flow,
    coolant_return_temperature,
    effectiveness,
    liquid_conductance_ratio,
    liquid_heat,
    rotor_power,
)


def test_fans_follow_the_affinity_laws():
    assert air_flow(0.4, 0.9, 0.6) == pytest.approx(0.6)
    assert rotor_power(100.0, 0.9, 0.6) == pytest.approx(100.0 * 1.5**3)
    assert air_flow(0.4, 0.0, 0.6) == 0.0


@pytest.mark.parametrize(("ntu", "expected"), [(0.0, 0.0), (1.0, 1 - math.exp(-1)), (50.0, 1.0)])
def test_effectiveness_at_capacity_ratio_zero(ntu, expected):
    assert effectiveness(ntu) == pytest.approx(expected, abs=1e-12)


def test_conductance_written_out_by_hand():
    # NTU = 1 at nominal; at half flow NTU = 0.5^-0.2 = 1.1487, eps = 0.68297
    expected = 0.5 * (1 - math.exp(-(0.5**-0.2))) / (1 - math.exp(-1))
    assert liquid_conductance_ratio(0.3, 0.6) == pytest.approx(expected, rel=1e-12)
    assert liquid_conductance_ratio(0.6, 0.6) == 1.0
    assert liquid_conductance_ratio(0.0, 0.6) == 0.0


def test_at_nominal_speed_the_share_is_the_share():
    assert liquid_heat(8000.0, 0.3, 0.6, 0.6, 20e3) == pytest.approx(2400.0)


def test_the_capacity_limits():
    assert liquid_heat(30e3, 0.9, 0.6, 0.6, 20e3) == pytest.approx(20e3)
    assert liquid_heat(30e3, 0.9, 0.3, 0.6, 20e3) == pytest.approx(20e3 * liquid_conductance_ratio(0.3, 0.6))


speeds = st.floats(0.0, 1.0)
shares = st.floats(0.0, 1.0)


@example(power=1e4, share=1.0, speed=1.7e-221, more=0.0)
@given(power=st.floats(0.0, 1e5), share=shares, speed=speeds, more=speeds)
def test_heat_is_bounded_and_grows_with_the_pump(power, share, speed, more):
    slow, fast = sorted((speed, more))
    a, b = (liquid_heat(power, share, s, 0.6, 20e3) for s in (slow, fast))
    assert 0.0 <= a <= b * (1 + 1e-12) + 1e-9
    assert b <= power * (1 + 1e-12)


@given(share=shares, speed=speeds)
def test_a_standing_pump_takes_nothing_and_no_share_needs_none(share, speed):
    assert liquid_heat(5000.0, share, 0.0, 0.6, 20e3) == 0.0
    assert liquid_heat(5000.0, 0.0, speed, 0.6, 20e3) == 0.0


def test_coolant_carries_the_heat():
    assert coolant_return_temperature(30.0, 3900.0, 0.1, 3900.0) == pytest.approx(40.0)
    assert coolant_return_temperature(30.0, 3900.0, 0.0, 3900.0) == 30.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: air_flow(1.0, 0.5, 0.0),
        lambda: rotor_power(1.0, -0.1, 0.6),
        lambda: liquid_heat(1.0, 1.1, 0.6, 0.6, 1e3),
        lambda: liquid_heat(1.0, 0.5, -0.6, 0.6, 1e3),
    ],
)
def test_nonsense_is_refused(call):
    with pytest.raises(ValueError, match=r"must"):
        call()
