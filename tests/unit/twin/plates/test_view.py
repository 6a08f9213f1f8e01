"""A plate's picture in 3-D: arrays that belong together, at any operating point."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from twin.errors import InputError
from twin.plates.plate_run import plate_of
from twin.plates.spec_reader import read_plate
from twin.plates.view import at_operating_point, finest_model, plate_view


def test_arrays_belong_together_and_nothing_is_beside_the_chips(write_plate):
    view = plate_view(write_plate(), cells=20_000)
    shape = view.x.size - 1, view.y.size - 1, view.z.size - 1
    assert view.temperature.shape == view.coolant.shape == shape
    assert all(a.dtype == np.float32 for a in (view.x, view.y, view.z, view.temperature, view.coolant))
    assert view.temperature.size <= 20_000
    assert (view.x[-1], view.y[-1], view.z[-1]) == pytest.approx((8e-3, 12e-3, 4.05e-3), rel=1e-6)  # float32
    # beside chips is nothing: the area that is there, layer by layer, is theirs within half a cell's edge
    area = np.diff(view.x)[:, None] * np.diff(view.y)
    covered = (np.isfinite(view.temperature[:, :, 0]) * area).sum()
    assert covered == pytest.approx(3e-3 * 8e-3 + 2e-3 * 4e-3, rel=0.1)
    package = int(np.searchsorted(view.z, 0.55e-3 * 0.999))
    assert np.isfinite(view.temperature[:, :, package:]).all()
    wet = np.isfinite(view.coolant)
    assert 0.1 < wet.mean() < 0.5
    assert wet[:, :, view.z[:-1] > 1.5e-3].any()
    assert view.coolant[wet].min() >= 30.0 - 1e-3  # nothing is colder than the inlet; float32
    # along the flow the coolant warms up
    mean = np.nanmean(view.coolant[:, :, np.asarray(wet.any(axis=(0, 1)))], axis=(0, 2))
    assert np.all(np.diff(mean) > 0.0)


def test_boxes_are_the_chips_and_the_plates_layers(write_plate):
    view = plate_view(write_plate(), model="two_resistor")
    boxes = {box.name: box for box in view.boxes}
    assert list(boxes) == ["left", "right", "base", "channels", "lid"]
    assert boxes["left"].low == pytest.approx((1e-3, 2e-3, 0.0))
    assert boxes["left"].high == pytest.approx((4e-3, 10e-3, 0.55e-3))
    assert boxes["left"].limit == pytest.approx(80.0) and boxes["right"].limit is None
    heights = [(boxes[name].low[2], boxes[name].high[2]) for name in ("base", "channels", "lid")]
    assert np.array(heights) == pytest.approx(
        np.array([[0.55e-3, 1.55e-3], [1.55e-3, 3.05e-3], [3.05e-3, 4.05e-3]])
    )
    assert boxes["left"].highest > boxes["base"].highest > boxes["channels"].highest > boxes["lid"].highest
    assert boxes["left"].highest + 273.15 == pytest.approx(view.summary["chips"]["left"]["max_k"])
    json.dumps(view.summary, allow_nan=False)


def test_the_operating_point_of_the_loop_replaces_that_of_the_file(write_plate):
    case = read_plate(write_plate())
    points: list[dict[str, Any]] = [
        {},
        {"flow": 2.5e-6, "inlet_temperature": 303.15, "power": 50.0},
        {"inlet_temperature": 313.15},
        {"power": 100.0},
        {"flow": 1.25e-6},
    ]
    file, same, hot, twice, less = (plate_view(case, model="two_resistor", **point) for point in points)
    np.testing.assert_array_equal(file.temperature, same.temperature)
    rise = np.nanmax(file.temperature) - 30.0
    assert np.nanmax(hot.temperature) - 40.0 == pytest.approx(rise, rel=0.02)  # properties alone
    assert np.nanmax(twice.temperature) - 30.0 == pytest.approx(2.0 * rise, rel=0.05)  # properties alone
    assert twice.summary["chips"]["right"]["power_w"] == pytest.approx(20.0)
    assert less.summary["coolant_rise_k"] == pytest.approx(2.0 * file.summary["coolant_rise_k"], rel=1e-3)
    assert case.heat == pytest.approx(50.0)  # the case itself stays


def test_the_model_follows_the_cells(write_plate):
    plate = plate_of(read_plate(write_plate()))
    assert finest_model(plate, 1_000_000) == "correlation"
    assert finest_model(plate, 10_000) == "four_resistor"
    assert finest_model(plate, 3_000) == "two_resistor"
    for cells in (10_000, 100_000):
        view = plate_view(read_plate(write_plate()), cells=cells)
        assert view.summary["cells"] <= cells
        assert view.summary["model"] == finest_model(plate, cells).replace("_", "-")


def test_a_bad_operating_point_is_told_at_once(write_plate):
    case = read_plate(write_plate())
    with pytest.raises(InputError) as caught:
        at_operating_point(case, flow=0.0, inlet_temperature=270.0, power=-1.0)
    text = str(caught.value)
    for part in ("plate.yaml", "flow", "0 m3/s", "above 0", "-3.15 degC", "freez", "-1 W", "not below 0"):
        assert part in text, part
    with pytest.raises(InputError, match="no temperature"):
        at_operating_point(case, inlet_temperature=float("nan"))
    with pytest.raises(InputError, match=r"coolant\.flow"):
        plate_view(case, flow=1e-7, model="two_resistor")  # boils
