"""Figures, without a browser."""

import numpy as np
import pytest

from twin.model.catalog import ASHRAE_CLASSES, band
from viz.field import Lines
from viz.figures.history import history_figure, inlet_points
from viz.figures.room import floor_height, level_slice, plan_figure, room_figure
from viz.theme import PALETTES, band_of

BOXES = [
    {"name": "floor", "kind": "floor", "lo": [0, 0, 0.6], "hi": [4, 3, 0.6], "facing": ""},
    {"name": "R01", "kind": "rack", "lo": [1, 1, 0.6], "hi": [1.6, 2, 2.6], "facing": "+y"},
    {"name": "C1", "kind": "cooler", "lo": [0, 1, 0.6], "hi": [0.5, 2, 2.5], "facing": "+x"},
    {"name": "T1", "kind": "tile", "lo": [1, 2, 0.6], "hi": [1.6, 2.6, 0.6], "facing": ""},
]
RACKS = {"R01": {"inlet_max_c": 28.5}}
LINES = Lines(np.linspace(0, 4, 9), np.linspace(0, 3, 7), np.linspace(0, 3, 7))


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [
        (14.9, "below"),
        (17.9, "allowable"),
        (18.0, "recommended"),
        (27.0, "recommended"),
        (27.1, "allowable"),
        (32.1, "over"),
        (None, "unknown"),
    ],
)
def test_bands_follow_ashrae(temperature: float | None, expected: str) -> None:
    assert band_of(temperature) == expected


@pytest.mark.parametrize("name", ["A1", "A2", "A4", "H1"])
@pytest.mark.parametrize("temperature", [4.0, 16.0, 18.0, 23.0, 26.0, 33.0, 46.0])
def test_bands_are_those_of_the_twin_for_every_class(name: str, temperature: float) -> None:
    of = ASHRAE_CLASSES[name]
    limits = (of.allowable_low, of.recommended_low, of.recommended_high, of.allowable_high)
    assert band_of(temperature, limits) == band(temperature, name)


def test_a_rack_is_painted_by_the_limits_of_its_class() -> None:
    racks = {"R01": {"inlet_max_c": 24.0, "limits_c": [5.0, 18.0, 22.0, 25.0]}}
    rack = next(trace for trace in room_figure(BOXES, racks, "dark").data if trace.name == "R01")
    assert rack.color == PALETTES["dark"].allowable


def test_history_draws_sensor_as_dots_and_twin_as_line() -> None:
    series = {
        point: {"measured": [(0.0, 22.0), (5.0, 22.5)], "predicted": [(0.0, 22.1)]}
        for point in inlet_points("R01")
    }
    figure = history_figure("R01", series, "dark", (0.0, 10.0))
    assert [trace.mode for trace in figure.data] == ["markers", "lines"] * 3
    assert [trace.name for trace in figure.data][:2] == ["bottom, sensor", "bottom, twin"]
    assert list(figure.data[0].y) == [22.0, 22.5]
    low, high = figure.layout.yaxis.range
    assert low < 22.0
    assert high > 22.5
    assert high - low >= 4.0  # noise must not look like weather
    assert not figure.layout.annotations


def test_an_outage_is_a_gap_in_the_twin_s_line() -> None:
    times = [*range(10), *range(60, 70)]
    series = {inlet_points("R01")[0]: {"measured": [], "predicted": [(float(t), 20.0) for t in times]}}
    line = history_figure("R01", series, "dark", (0.0, 70.0)).data[1]
    assert [i for i, value in enumerate(line.y) if value is None] == [10]


def test_history_says_so_where_there_is_none() -> None:
    figure = history_figure("R01", {}, "light", (0.0, 10.0))
    assert "No history" in figure.layout.annotations[0].text


def test_history_shows_the_recommended_limit_only_near_it() -> None:
    def limits(value: float) -> int:
        series = {inlet_points("R01")[2]: {"measured": [], "predicted": [(0.0, value)]}}
        return len(history_figure("R01", series, "dark", (0.0, 10.0)).layout.shapes)

    assert limits(22.0) == 0
    assert limits(27.4) == 1


def test_level_slice_takes_the_layer_at_the_height() -> None:
    field = np.broadcast_to(np.arange(6.0), (8, 6, 6)).astype(np.float32)
    assert np.all(level_slice(LINES, field, 1.7) == 3.0)
    assert np.all(level_slice(LINES, field, 99.0) == 5.0)


def test_room_draws_racks_coolers_tiles_and_the_air() -> None:
    field = np.full((8, 6, 6), 24.0, dtype=np.float32)
    figure = room_figure(BOXES, RACKS, "dark", (LINES, field))
    assert [trace.name for trace in figure.data] == ["R01", "C1", "T1", "air"]
    assert figure.data[0].color == PALETTES["dark"].allowable
    assert floor_height(BOXES) == 0.6
    assert figure.data[-1].z[0][0] == pytest.approx(1.8)


def test_plan_needs_no_3d_trace() -> None:
    figure = plan_figure(BOXES, RACKS, "light", (LINES, np.full((8, 6, 6), 24.0, dtype=np.float32)))
    assert [trace.type for trace in figure.data] == ["heatmap"]
    assert [annotation.text for annotation in figure.layout.annotations] == ["R01", "C1"]
    assert plan_figure(BOXES, {}, "light").data == ()
