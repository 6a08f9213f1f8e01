"""Metrics against sums done by hand."""

import math

import pytest

from twin.planning.metrics import SlotAir, mixed, rci_hi, rci_lo, rti, shi


def slot(inlet, outlet=35.0, flow=0.1, name="A1"):
    return SlotAir(inlet, outlet, flow, name)


def test_rci_is_100_inside_the_recommended_envelope():
    slots = [slot(18.0), slot(22.0), slot(27.0)]
    assert rci_hi(slots) == rci_lo(slots) == 100.0


def test_rci_counts_what_lies_outside():
    slots = [slot(20.0), slot(29.5), slot(16.5), slot(22.0)]
    assert rci_hi(slots) == pytest.approx(100 * (1 - 2.5 / (4 * 5)))
    assert rci_lo(slots) == pytest.approx(100 * (1 - 1.5 / (4 * 3)))
    assert rci_hi([slot(60.0)]) < 0.0


def test_rci_takes_each_rack_by_its_class():
    assert rci_hi([slot(24.5, name="H1")]) == pytest.approx(100 * (1 - 2.5 / 3))
    assert rci_hi([slot(24.5), slot(29.0, name="A2")]) == pytest.approx(100 * (1 - 2 / (5 + 8)))


def test_shi_is_the_share_of_the_rise_before_the_racks():
    assert shi([slot(18.0), slot(18.0)], 18.0) == 0.0
    # flows 0.1 and 0.3: (0.1*0 + 0.3*4) / (0.1*17 + 0.3*21)
    assert shi([slot(18.0, 35.0, 0.1), slot(22.0, 39.0, 0.3)], 18.0) == pytest.approx(1.2 / 8.0)


def test_rti_tells_bypass_from_recirculation():
    slots = [slot(20.0, 32.0, 0.2), slot(20.0, 38.0, 0.1)]  # mean rise 14 K
    assert rti(slots, 18.0, 32.0) == pytest.approx(100.0)
    assert rti(slots, 18.0, 25.0) == pytest.approx(50.0)


def test_still_air_has_no_index():
    assert math.isnan(shi([slot(20.0, 30.0, 0.0)], 18.0))
    assert math.isnan(rti([slot(20.0, 30.0, 0.0)], 18.0, 30.0))


def test_mixing_weighs_by_flow():
    assert mixed([20.0, 30.0], [0.3, 0.1]) == pytest.approx(22.5)
    assert mixed([20.0, 30.0], [0.0, 0.0]) == 25.0
