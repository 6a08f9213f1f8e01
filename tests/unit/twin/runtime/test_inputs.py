"""Readings become boundary conditions, and meet the twin's values at their own instant."""

from __future__ import annotations

import pytest

from twin.model.load import example_layout, load_layout
from twin.model.scene import Operating
from twin.ports import Quality, Reading
from twin.runtime.inputs import Comparer, LiveInputs
from twin.units import kelvin


@pytest.fixture(scope="module")
def layout():
    return load_layout(example_layout("pod_two_row"))


@pytest.fixture
def inputs(layout):
    return LiveInputs(layout, Operating.nominal(layout))


def test_readings_replace_nominal_values_and_the_rest_is_held(inputs, layout):
    nominal = Operating.nominal(layout)
    inputs.take(
        [
            Reading("R02.power", 1234.0, 10.0),
            Reading("K03.fan_speed", 0.9, 10.0),
            Reading("K04.pump_speed", 0.5, 10.0),
            Reading("C1.supply_temperature", 17.5, 10.0),
        ]
    )
    now = inputs.operating()
    assert now.rack_power["R02"] == 1234.0
    assert now.rack_power["R01"] == nominal.rack_power["R01"]
    assert now.fan_speed["K03"] == 0.9
    assert now.pump_speed["K04"] == 0.5
    assert now.cooler_supply_temperature["C1"] == pytest.approx(kelvin(17.5))
    assert now.cooler_supply_temperature["C2"] == nominal.cooler_supply_temperature["C2"]


def test_a_cooler_that_moves_no_air_has_failed(inputs):
    assert inputs.operating().failed == frozenset()
    inputs.take([Reading("C2.air_flow", 0.0, 10.0)])
    assert inputs.operating().failed == {"C2"}


def test_bad_and_late_readings_do_not_replace_newer_sound_ones(inputs):
    inputs.take([Reading("R01.power", 1.0, 10.0)])
    inputs.take([Reading("R01.power", 2.0, 11.0, Quality.BAD), Reading("R01.power", 3.0, 9.0)])
    assert inputs.latest["R01.power"].value == 1.0
    assert inputs.age("R01.power", 12.5) == pytest.approx(2.5)
    assert inputs.age("R99.power", 12.5) is None


def test_noise_around_zero_and_what_is_no_number_do_not_reach_the_solver(inputs):
    inputs.take([Reading("R01.power", -3.0, 10.0), Reading("R02.power", float("nan"), 10.0)])
    now = inputs.operating()
    assert now.rack_power["R01"] == 0.0
    assert now.rack_power["R02"] == pytest.approx(6000.0)


def test_the_age_of_the_data_is_that_of_what_the_twin_takes_as_given(inputs, layout):
    given = [f"{rack.id}.power" for rack in layout.racks]
    given += [f"{cooler.id}.supply_temperature" for cooler in layout.coolers]
    inputs.take([Reading("C1.return_temperature", 30.0, 99.0), Reading(given[0], 5e3, 99.0)])
    assert inputs.data_age(100.0) is None, "one fresh sensor does not make the room live"
    inputs.take([Reading(point, 20.0, 97.0) for point in given[1:]])
    assert inputs.data_age(100.0) == pytest.approx(3.0)
    assert inputs.missing(100.0) == []
    inputs.take([Reading(point, 20.0, 105.0) for point in given[2:]])
    assert inputs.missing(108.0) == [given[1]]


def test_a_reading_from_the_future_is_not_fresh(inputs):
    inputs.take([Reading("R01.power", 1.0, 160.0)])
    assert inputs.age("R01.power", 100.0) == pytest.approx(60.0)
    assert inputs.age("R01.power", 159.5) == 0.0


def test_a_late_reading_is_compared_with_the_twin_of_its_own_instant():
    comparer = Comparer()
    for second in range(10):
        comparer.remember(float(second), {"R01.outlet_temperature": 20.0 + second})
    comparer.compare([Reading("R01.outlet_temperature", 24.0, 3.5)])
    met = comparer.latest["R01.outlet_temperature"]
    assert (met.predicted, met.error) == (pytest.approx(23.5), pytest.approx(-0.5))


def test_what_is_too_old_bad_or_not_modelled_is_not_compared():
    comparer = Comparer()
    comparer.remember(100.0, {"R01.outlet_temperature": 20.0})
    comparer.remember(500.0, {"R01.outlet_temperature": 20.0})
    comparer.compare(
        [
            Reading("R01.outlet_temperature", 1.0, 90.0),
            Reading("R01.outlet_temperature", 1.0, 500.0, Quality.BAD),
            Reading("R01.humidity", 1.0, 500.0),
        ]
    )
    assert comparer.latest == {}
    assert comparer.mean_error(["R01.outlet_temperature"], 500.0) is None


def test_mean_error_takes_fresh_comparisons_alone():
    comparer = Comparer()
    comparer.remember(10.0, {"R01.outlet_temperature": 20.0, "R02.outlet_temperature": 20.0})
    comparer.remember(20.0, {"R01.outlet_temperature": 20.0, "R02.outlet_temperature": 20.0})
    comparer.compare(
        [Reading("R01.outlet_temperature", 21.0, 10.0), Reading("R02.outlet_temperature", 23.0, 20.0)]
    )
    points = ["R01.outlet_temperature", "R02.outlet_temperature"]
    assert comparer.mean_error(points, 14.0) == pytest.approx(2.0)
    assert comparer.mean_error(points, 22.0) == pytest.approx(3.0)
