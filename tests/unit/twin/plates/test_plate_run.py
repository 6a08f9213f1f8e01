"""Plates of files: models, manifolds, operating over time, numbers, pictures and VTK files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from twin.errors import InputError, NotConvergedError
from twin.plates.fields import write_vtk
from twin.plates.picture import draw_plate
from twin.plates.plate_run import (
    march_case,
    plate_fields,
    plate_numbers,
    plate_of,
    solve_case,
    surface_values,
)
from twin.plates.spec_reader import read_plate

MODELS = "two_resistor", "four_resistor", "correlation", "resolved"


@pytest.mark.parametrize("model", MODELS)
def test_every_model_gives_numbers_whose_heat_closes(write_plate, model):
    case = read_plate(write_plate())
    solution = solve_case(case, model, 60_000)
    numbers = plate_numbers(case, solution)
    assert numbers["model"] == model.replace("_", "-")
    assert numbers["energy_relative"] < 1e-6  # asked of every plate
    assert numbers["heat_w"] == pytest.approx(50.0, rel=1e-12)
    water = case.fluid
    outlet = water.temperature(float(water.enthalpy(303.15)) + 50.0 / case.mass_flow)
    assert numbers["coolant_rise_k"] == pytest.approx(float(outlet) - 303.15, rel=1e-3)  # asked: 0.1 %
    assert numbers["pumping_power_w"] == pytest.approx(numbers["pressure_drop_pa"] * 2.5e-6)
    assert set(numbers["probes"]) == {"middle", "left", "right"}
    left = numbers["chips"]["left"]
    assert left["within"] == (left["max_k"] <= 353.15)
    assert left["max_k"] == numbers["probes"]["left"][0][1] > numbers["probes"]["middle"][0][1]
    json.dumps(numbers, allow_nan=False)


def test_compact_models_keep_within_3_5_percent_of_the_resolved_one(write_plate):
    case = read_plate(write_plate())
    rises = {model: float(solve_case(case, model, 300_000).heated_face.max()) - 303.15 for model in MODELS}
    for model in MODELS[:3]:
        assert rises[model] == pytest.approx(rises["resolved"], rel=0.035), rises  # asked


def test_the_file_says_the_plate(write_plate):
    case = read_plate(
        write_plate(
            ("lid: 1 mm}", "lid: 1 mm, lid_material: polycarbonate}"),
            more="ambient: {temperature: 20, above: 10}\n",
        )
    )
    plate = plate_of(case)
    assert plate.duct.heated == "three"  # a plastic lid takes no heat
    assert plate.above == pytest.approx((10.0, 293.15)) and plate.below is None
    assert [sheet.conductivity for sheet in plate.package] == [130.0, 4.0]
    assert plate.margin == pytest.approx(0.5 * (8e-3 - 8 * 0.4e-3 - 7 * 0.4e-3))
    numbers = plate_numbers(case, solve_case(case, "two_resistor"))
    assert numbers["leaked_w"] > 0.0 and numbers["energy_relative"] < 1e-6


@pytest.mark.parametrize("arrangement", ["ideal", "U", "Z", "central"])
def test_ports_of_the_manifold_shift_flow_and_heat(write_plate, arrangement):
    more = f"manifold: {{arrangement: {arrangement}, width: 1 mm, height: 1 mm}}\n"
    case = read_plate(write_plate(more=more))
    solution = solve_case(case, "four_resistor", 20_000)
    flow = solution.m_flow
    assert flow.sum() == pytest.approx(case.mass_flow, rel=1e-9)
    if arrangement == "ideal":
        assert np.ptp(flow) == 0.0
    elif arrangement == "U":
        assert np.argmax(flow) == 0 and np.argmin(flow) == 7
    elif arrangement == "Z":
        assert np.argmax(flow) == 7
    else:
        assert np.argmax(flow) in (3, 4) and min(flow[0], flow[7]) < flow[3]
    assert plate_numbers(case, solution)["flow_spread"] == pytest.approx(np.ptp(flow) / flow.mean())


TRANSIENT = "transient: {duration: 3, step: 0.05, powers: [[0, 1], [2, 0]]}\n"


def test_a_transient_follows_the_heat_and_accounts_for_it(write_plate):
    case = read_plate(write_plate(more=TRANSIENT))
    solution = solve_case(case, "two_resistor")
    shares = []
    series = march_case(case, solution, shares.append)
    assert shares[-1] == 1.0 and np.all(np.diff(shares) > 0.0)
    assert series.steps == 60
    assert series.account.supplied == pytest.approx(50.0 * 2.0, rel=1e-9)  # J in the two seconds with heat
    assert series.account.relative < 1e-6
    time, value = np.array(series.probes["left"]).T
    assert np.all(np.diff(value[time <= 2.0]) > 0.0) and np.all(np.diff(value[time > 2.1]) < 0.0)
    steady = surface_values(case, solution, solution.heated_face)["left"]
    assert 0.9 * (steady - 303.15) < value[40] - 303.15 < steady - 303.15
    numbers = plate_numbers(case, solution, series)
    assert value.max() <= numbers["max_k"] < value.max() + 0.01  # nothing is hotter than the chip's face
    assert numbers["chips"]["left"]["max_k"] == pytest.approx(value.max())
    assert numbers["coolant_rise_k"] < 0.5 * plate_numbers(case, solution)["coolant_rise_k"]  # at the end
    assert not numbers["steady"]


def test_a_steady_start_stays_until_the_heat_changes(write_plate):
    more = TRANSIENT.replace("step: 0.05,", "step: 0.05, start: steady,")
    case = read_plate(write_plate(more=more))
    solution = solve_case(case, "two_resistor")
    series = march_case(case, solution)
    steady = surface_values(case, solution, solution.heated_face)["left"]
    values = np.array(series.probes["left"])
    assert values[0, 0] == 0.0 and values[-1, 0] == 3.0
    assert values[:41, 1] == pytest.approx(np.full(41, steady), abs=1e-4)  # solver 1e-8 of each step
    assert values[-1, 1] < steady - 5.0


def test_a_hot_start_is_among_what_the_chips_reach(write_plate):
    """Without heat from the start on a plate is hottest at 0 s; its limit is broken then."""
    more = "transient: {duration: 1, step: 0.1, start: steady, powers: [[0, 0]]}\n"
    case = read_plate(write_plate(("limit: 80", "limit: 35"), more=more))
    solution = solve_case(case, "two_resistor")
    steady = surface_values(case, solution, solution.heated_face)["left"]
    numbers = plate_numbers(case, solution, march_case(case, solution))
    assert numbers["chips"]["left"]["max_k"] == pytest.approx(steady, abs=1e-9)  # the same state
    assert numbers["max_k"] >= steady
    assert any("chip 'left' reaches" in text for text in numbers["warnings"])
    begun = read_plate(write_plate(more=more.replace("start: steady", "start: inlet")))
    cold = march_case(begun, solution)
    assert cold.highest == pytest.approx(303.15) and cold.probes["left"][0] == [0.0, pytest.approx(303.15)]


def test_a_file_without_transient_says_what_to_add(write_plate):
    case = read_plate(write_plate())
    with pytest.raises(InputError, match="Add it"):
        march_case(case, solve_case(case, "two_resistor"))


def test_hot_chips_and_hot_walls_are_told(write_plate):
    case = read_plate(write_plate(("limit: 80", "limit: 35")))
    numbers = plate_numbers(case, solve_case(case, "two_resistor"))
    assert any("chip 'left' reaches" in text and "above 35" in text for text in numbers["warnings"])
    assert not numbers["chips"]["left"]["within"]


def test_boiling_in_one_channel_is_refused_with_its_temperature(write_plate):
    """The mean stays liquid, which the file's check sees; the channel in the middle of the heat does not."""
    path = write_plate(("flow: 0.15 l/min", "flow: 0.0145 l/min"), ("power: 40", "power: 59"))
    case = read_plate(path)
    with pytest.raises(InputError, match=r"coolant\.flow.*boiling.*Let more flow"):
        solve_case(case, "four_resistor", 20_000)


def test_turbulence_in_a_resolved_plate_and_narrow_headers_give_no_answer(write_plate):
    case = read_plate(write_plate(("flow: 0.15 l/min", "flow: 3 l/min")))
    with pytest.raises(NotConvergedError, match="laminar"):
        solve_case(case, "resolved", 20_000)
    more = "manifold: {arrangement: Z, width: 0.05 mm, height: 0.05 mm}\n"
    with pytest.raises(NotConvergedError, match="Widen the headers"):
        solve_case(read_plate(write_plate(more=more)), "two_resistor")


def test_a_probe_reads_its_cell_and_a_chip_its_highest(write_plate):
    case = read_plate(write_plate())
    solution = solve_case(case, "two_resistor")
    grid = solution.grid
    surface = np.add.outer(1e3 * grid.lines_y[:-1], 10e3 * grid.lines_x[:-1])  # known by place
    values = surface_values(case, solution, surface)
    column = np.flatnonzero(grid.lines_x <= 2.5e-3)[-1]
    plane = np.flatnonzero(grid.lines_y <= 6e-3)[-1]
    assert values["middle"] == surface[plane, column]
    middle = 0.5 * (grid.lines_x[1:] + grid.lines_x[:-1]), 0.5 * (grid.lines_y[1:] + grid.lines_y[:-1])
    inside = np.ix_((middle[1] > 2e-3) & (middle[1] < 10e-3), (middle[0] > 1e-3) & (middle[0] < 4e-3))
    assert values["left"] == surface[inside].max()


def test_the_vtk_file_is_read_back(write_plate, tmp_path):
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOXML import vtkXMLRectilinearGridReader

    case = read_plate(write_plate())
    solution = solve_case(case, "four_resistor", 20_000)
    fields = plate_fields(solution)
    write_vtk(fields, tmp_path / "plate.vtr")
    reader = vtkXMLRectilinearGridReader()
    reader.SetFileName(str(tmp_path / "plate.vtr"))
    reader.Update()
    grid = reader.GetOutput()
    ny, nx, nz = fields.temperature.shape
    assert grid.GetDimensions() == (nx + 1, ny + 1, nz + 1)
    assert grid.GetBounds() == pytest.approx((0.0, 8e-3, 0.0, 12e-3, 0.0, 4.05e-3))
    data = {
        name: vtk_to_numpy(grid.GetCellData().GetArray(name)).reshape(nz, ny, nx).transpose(1, 2, 0)
        for name in ("temperature", "coolant_temperature", "heat")
    }
    np.testing.assert_allclose(data["temperature"] + 273.15, fields.temperature, atol=1e-4)  # float32
    np.testing.assert_array_equal(np.isnan(data["coolant_temperature"]), np.isnan(fields.coolant))
    volume = np.diff(fields.y)[:, None, None] * np.diff(fields.x)[:, None] * np.diff(fields.z)
    assert (data["heat"] * volume).sum() == pytest.approx(50.0, rel=1e-5)
    assert set(fields.layers) == {"package", "base", "channels", "lid"}


def test_steady_and_transient_are_drawn(write_plate, tmp_path):
    case = read_plate(write_plate(more=TRANSIENT))
    solution = solve_case(case, "two_resistor")
    series = march_case(case, solution)
    for name, part in (("steady", None), ("series", series)):
        summary = {**plate_numbers(case, solution, part), "wall_s": 1.0}
        path = tmp_path / f"{name}.png"
        draw_plate(plate_fields(solution, None if part is None else part.theta), summary, path)
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 20_000  # an empty page takes some 5 kB


def test_heat_on_finer_lines_is_the_same_heat(write_plate):
    case = read_plate(write_plate())
    item = case.maps[0]
    finer = item._replace(
        x=np.linspace(item.x[0], item.x[1], 4), power=np.full((1, 3), item.power[0, 0] / 3.0)
    )
    a, b = (
        solve_case(replace(case, maps=(one, case.maps[1])), "four_resistor", 20_000).heated_face
        for one in (item, finer)
    )
    np.testing.assert_allclose(a, b, rtol=1e-9)  # solver


def test_a_limit_of_cells_that_cannot_be_kept_is_refused_by_name(write_plate):
    changes = (
        ("count: 8", "count: 70"),
        ("width: 0.4 mm", "width: 0.05 mm"),
        ("wall: 0.4 mm", "wall: 0.05 mm"),
    )
    case = read_plate(write_plate(*changes, more="solver: {cells: 1000}\n"))
    with pytest.raises(InputError, match=r"solver\.cells.*1000.*cells at least.*take another model"):
        solve_case(case, "resolved")
    with pytest.raises(InputError, match=r"--cells.*70 channels"):
        solve_case(case, "correlation", 1001)
    assert solve_case(case, "two_resistor").theta.size <= 1000


def test_a_transient_that_boils_is_refused_with_its_time(write_plate):
    more = "transient: {duration: 6, step: 0.1, powers: [[0, 1], [1, 10]]}\n"
    case = read_plate(write_plate(("flow: 0.15", "flow: 0.1"), more=more))
    solution = solve_case(case, "two_resistor")  # all is well at the heat of the file
    with pytest.raises(InputError, match=r"transient\.powers.*at \d.* s .*boiling point.*less heat") as told:
        march_case(case, solution)
    time = float(str(told.value).split("at ")[1].split(" s")[0])
    assert 1.0 < time < 6.0


def test_walls_that_boil_over_time_are_told_although_the_steady_ones_do_not(write_plate):
    more = "transient: {duration: 1.5, step: 0.05, powers: [[0, 1], [0.5, 5]]}\n"
    case = read_plate(write_plate(more=more))
    solution = solve_case(case, "two_resistor")
    assert not any("walls" in text for text in plate_numbers(case, solution)["warnings"])
    series = march_case(case, solution)
    assert any("walls of the channels" in text for text in plate_numbers(case, solution, series)["warnings"])
