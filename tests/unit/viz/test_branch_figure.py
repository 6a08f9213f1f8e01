"""The chart of a branch, without a browser."""

import pytest

from viz.figures.branch import branch_figure, branch_points
from viz.pages.coolant import coolant_density
from viz.theme import PALETTES

WINDOW = (1000.0, 1300.0)


def series(chip: float = 55.0) -> dict[str, dict[str, list[tuple[float, float]]]]:
    times = [1000.0 + 5.0 * k for k in range(10)]
    return {
        "B01.chip_temperature": {
            "predicted": [(t, chip) for t in times],
            "measured": [(t, 55.1) for t in times],
        },
        "B01.coolant_flow": {"predicted": [(t, 0.4) for t in times], "measured": []},
    }


def test_flow_is_shown_in_litres_a_minute() -> None:
    figure = branch_figure("B01", series(), "dark", WINDOW, limit=75.0, density=1015.0)
    flow = next(trace for trace in figure.data if trace.name == "flow, twin")
    assert list(flow.y) == pytest.approx([60_000 * 0.4 / 1015.0] * 10)
    assert flow.yaxis == "y2"
    chips = next(trace for trace in figure.data if trace.name == "chips, sensor")
    assert list(chips.y) == [55.1] * 10
    assert chips.marker.color == PALETTES["dark"].positions[2]
    assert not figure.layout.shapes  # 20 K below the limit


def test_the_limit_is_drawn_when_it_is_near() -> None:
    figure = branch_figure("B01", series(chip=70.0), "light", WINDOW, limit=75.0)
    assert [shape.y0 for shape in figure.layout.shapes] == [75.0]
    low, high = figure.layout.yaxis.range
    assert low < 55.1
    assert high > 70.0


def test_without_history_it_says_so() -> None:
    figure = branch_figure("B01", {}, None, WINDOW)
    assert figure.layout.annotations[0].text == "No history yet"
    assert figure.layout.annotations[0].font.color == PALETTES["dark"].ink  # readable
    assert not any(axis.visible for axis in (figure.layout.xaxis, figure.layout.yaxis, figure.layout.yaxis2))
    assert branch_points("B01")[0] == "B01.chip_temperature"


def test_density_is_the_twin_s_mass_over_volume_flow() -> None:
    body = {
        "loops": {"L1": {"cdu": "CDU1", "flow_m3_s": 2e-3}},
        "sensors": {"CDU1.coolant_flow": {"predicted": 2.03}},
    }
    assert coolant_density(body, "L1") == pytest.approx(1015.0)
    body["loops"]["L1"]["flow_m3_s"] = 1e-9  # it stands
    assert coolant_density(body, "L1") is None
    assert coolant_density(None, "L1") is None
