"""The watch: means over time of what is measured, and of the twin's error."""

import pytest

from twin.allocation.watch import BIAS_LIMIT, Watch
from twin.units import celsius, kelvin


@pytest.fixture
def watch(cool_room):
    return Watch(cool_room.layout, 15.0)


def run(watch, room, seconds, step=1.0):
    for _ in range(round(seconds / step)):
        room.now += step
        watch.record(room, room.now)


def test_the_hottest_sensor_is_told_by_its_mean(watch, cool_room):
    start = cool_room.now
    expected = []
    for supply in (18.0, 20.0, 19.0):
        cool_room.supply = supply
        run(watch, cool_room, 10.0)
        expected.append(cool_room.inlets(cool_room.powers(), supply, 0.7)["R01"])
    mean = watch.hottest(start, cool_room.now)["R01"]
    assert celsius(mean) == pytest.approx(sum(expected) / 3)
    assert celsius(watch.peak(start, cool_room.now)["R01"]) == pytest.approx(max(expected))
    assert celsius(watch.hottest(start, start + 10.0)["R01"]) == pytest.approx(expected[0])


def test_the_bias_is_a_slow_mean_of_the_twins_error(watch, cool_room):
    cool_room.offset = 1.0  # the twin is 1 K too warm
    run(watch, cool_room, 5.0)
    assert watch.bias()["R01"] == pytest.approx(-1.0)
    cool_room.offset = -1.0
    run(watch, cool_room, 120.0)
    assert watch.bias()["R01"] == pytest.approx(1.0 - 2.0 * 0.3679, abs=0.02)
    cool_room.offset = 50.0
    run(watch, cool_room, 600.0)
    assert watch.bias()["R01"] == -BIAS_LIMIT


def test_stale_sensors_do_not_count_and_old_values_go(watch, cool_room):
    cool_room.age["R02"] = 60.0
    run(watch, cool_room, 2000.0, step=10.0)
    assert "R02" not in watch.hottest(0.0, cool_room.now)
    assert len(watch._seen) <= 91
    assert watch.covers(cool_room.now - 890.0) and not watch.covers(cool_room.now - 1000.0)


def test_before_anything_was_seen(watch):
    assert watch.bias()["R01"] == 0.0
    assert watch.hottest(0.0, 1e9) == {} and not watch.covers(0.0)
    assert kelvin(0.0) == 273.15


def test_the_bias_of_chips_is_that_of_the_branch_that_is_hottest_beside_its_prediction(make_room):
    room = make_room(looped=True, chip_offset={"B01": -6.0, "B02": 9.0, "B03": 1.0})
    watch = Watch(room.layout, 15.0)
    run(watch, room, 5.0)
    # B01 is 6 K hotter than the twin says; cooler chips count for 5 K at most; B04 has no sensor
    assert watch.chip_bias() == pytest.approx({"R01": 6.0, "R02": -BIAS_LIMIT, "R03": -1.0, "R04": 0.0})
    room.chip_offset = {"B01": 0.0}
    run(watch, room, 120.0)
    assert watch.chip_bias()["R01"] == pytest.approx(6.0 * 0.3679, abs=0.05)
    assert watch.chip_bias()["R03"] == pytest.approx(-1.0)
