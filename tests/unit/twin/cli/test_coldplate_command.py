"""``racklet coldplate``: one JSON object, a result folder, errors with their exit code."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from twin.cli.commands import app
from twin.plates.run import StudyResult

RUNNER = CliRunner()
STACK = """
material silicon : thermal conductivity 1.30e-04 ; volumetric heat capacity 1.63566e-12 ;
microchannel 2rm :
   height 100 ; channel length 50 ; wall length 50 ; wall material silicon ; coolant flow rate 48 ;
   coolant heat transfer coefficient 5e-8 ; coolant volumetric heat capacity 4.17e-12 ;
   coolant incoming temperature 300.0 ;
dimensions : chip length 10000, width 10000 ; cell length 1000, width 1000 ;
die lower : layer 48 silicon ; source 2 silicon ;
die upper : source 2 silicon ; layer 48 silicon ;
stack : die die2 upper floorplan "all.flp" ; channel gap ; die die1 lower floorplan "all.flp" ;
solver : steady ; initial temperature 300 ;
output : T (die1, 5000, 4800, "node1.txt", final) ; Tmap (die1, "map.txt", final) ;
"""


PLATE = """
name: small plate
coolant: {fluid: water, inlet_temperature: 30, flow: 0.15 l/min}
plate: {width: 8 mm, length: 12 mm, base: 1 mm, lid: 1 mm}
channels: {width: 0.4 mm, height: 1.5 mm, wall: 0.4 mm, margin: 0.5 mm}
chips: [{id: chip, position: [1 mm, 2 mm], size: [3 mm, 8 mm], power: 40, limit: 80}]
solver: {model: four_resistor, cells: 20000}
plates: 3
sweep: {width: [0.3 mm, 0.4 mm], flow: [0.1 l/min, 0.2 l/min], checks: 1}
"""


@pytest.fixture
def plate(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(PLATE)
    return tmp_path


@pytest.fixture
def stack(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "all.flp").write_text("all : position 0, 0 ; dimension 10000, 10000 ; power values 50 ;")
    (tmp_path / "two.stk").write_text(STACK)
    return tmp_path


def test_a_stack_gives_its_numbers_and_files(stack):
    result = RUNNER.invoke(app, ["coldplate", "two.stk", "--json"])
    assert result.exit_code == 0, result.output
    body = json.loads(result.stdout)
    assert body["energy_relative"] < 1e-6
    assert body["coolant_rise_k"] == pytest.approx(100.0 / (0.8e-6 * 4.17e6), rel=1e-6)
    ((time, value),) = body["probes"]["node1"]
    assert time == 0.0 and 300.0 < value < body["max_k"]
    assert {"pressure_drop_pa", "wall_s", "cells", "model", "channel_flow"} <= body.keys()
    folder = stack / "results/two"
    assert {file.name for file in folder.iterdir()} == {
        "spec.stk", "result.json", "fields.vtr", "picture.png", "probes.csv", "maps.txt"
    }  # fmt: skip
    assert json.loads((folder / "result.json").read_text()) == body
    assert len((folder / "maps.txt").read_text().split("\n")[1].split("\t")) == 10
    again = RUNNER.invoke(app, ["coldplate", "two.stk", "--json"])
    assert again.exit_code == 0  # replaces its own result


def test_the_vtk_file_holds_the_temperatures(stack):
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOXML import vtkXMLRectilinearGridReader

    body = json.loads(RUNNER.invoke(app, ["coldplate", "two.stk", "--json"]).stdout)
    reader = vtkXMLRectilinearGridReader()
    reader.SetFileName(str(stack / "results/two/fields.vtr"))
    reader.Update()
    grid = reader.GetOutput()
    assert grid.GetDimensions() == (11, 11, 6)
    T = vtk_to_numpy(grid.GetCellData().GetArray("temperature")) + 273.15
    assert T.max() == pytest.approx(body["max_k"], abs=1e-3)  # float32
    heat = vtk_to_numpy(grid.GetCellData().GetArray("heat"))
    assert heat.sum() * 1e-3 * 1e-3 * 2e-6 == pytest.approx(100.0, rel=1e-5)


def test_bad_input_is_one_object_with_every_finding(stack):
    text = (stack / "two.stk").read_text()
    (stack / "two.stk").write_text(text.replace("flow rate 48", "flow rate 0").replace("steady ;", "soon ;"))
    result = RUNNER.invoke(app, ["coldplate", "two.stk", "--json"])
    assert result.exit_code == 2
    findings = json.loads(result.stdout)["error"]["findings"]
    assert {finding["value"] for finding in findings} >= {"0", "soon"}
    assert not (stack / "results").exists() or not list((stack / "results").iterdir())


def test_other_files_are_refused(stack):
    result = RUNNER.invoke(app, ["coldplate", "two.txt", "--json"])
    assert result.exit_code == 2
    assert "neither .stk nor .yaml" in json.loads(result.stdout)["error"]["message"]


def test_for_people_it_prints_a_table(stack):
    result = RUNNER.invoke(app, ["coldplate", "two.stk"])
    assert result.exit_code == 0
    for part in ("node1", "coolant +", "heat closes to", "porous 2-resistor", "results"):
        assert part in result.stdout


@pytest.mark.parametrize("model", ["two_resistor", "four_resistor", "correlation", "resolved"])
def test_a_plate_is_solved_by_every_model(plate, model):
    arguments = ["coldplate", "small.yaml", "--model", model, "--cells", "30000", "--out", "here", "--json"]
    result = RUNNER.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    body = json.loads(result.stdout)
    assert body["model"] == model.replace("_", "-")
    assert body["energy_relative"] < 1e-6
    needed = {"probes", "max_k", "coolant_rise_k", "pressure_drop_pa", "energy_relative", "wall_s"}
    assert needed <= body.keys()
    files = {file.name for file in (plate / "here").iterdir()}
    assert files == {"spec.yaml", "result.json", "fields.vtr", "picture.png", "probes.csv"}


def test_a_sweep_writes_its_designs_and_says_what_to_build(plate):
    result = RUNNER.invoke(app, ["coldplate", "small.yaml", "--sweep"])
    assert result.exit_code == 0, result.output
    folder = plate / "results/small-sweep"
    assert {file.name for file in folder.iterdir()} == {
        "spec.yaml", "result.json", "fields.vtr", "picture.png", "probes.csv", "designs.csv", "pareto.png"
    }  # fmt: skip
    body = json.loads((folder / "result.json").read_text())
    chosen = body["study"]["chosen"]
    assert len((folder / "designs.csv").read_text().splitlines()) == 1 + body["study"]["designs"] == 5
    for part in (
        "chosen",
        "4 designs compared",
        f"Build: {chosen['channels']} channels",
        "3 such plates",
        "channels: as many as fit; of the file: height 1.5 mm, wall 0.4 mm",
        "Designs on the front, by",
    ):
        assert part in result.stdout, result.stdout
    assert body["channels"] == chosen["channels"] and body["flow_m3_s"] == chosen["flow_m3_s"]
    assert body["energy_relative"] < 1e-6 and {"probes", "max_k", "wall_s"} <= body.keys()


def test_a_sweep_says_that_it_keeps_the_number_of_channels(plate):
    (plate / "small.yaml").write_text(PLATE.replace("wall: 0.4 mm,", "pitch: 0.8 mm, count: 7,"))
    result = RUNNER.invoke(app, ["coldplate", "small.yaml", "--sweep"])
    assert result.exit_code == 0, result.output
    assert "channels: 7, as the file asks; of the file: height 1.5 mm, pitch 0.8 mm" in result.stdout
    body = json.loads((plate / "results/small-sweep/result.json").read_text())
    assert body["channels"] == 7 and body["study"]["kept"]["pitch"] == "0.8 mm"


def test_a_plate_for_people_has_its_operation_and_limits_and_a_transient_its_times(plate):
    shown = RUNNER.invoke(app, ["coldplate", "small.yaml"]).stdout
    for part in (
        "small plate: four-resistor model",
        "limit degC",
        "40 W, water at 0.15 l/min",
        "K/kW; pumping",
    ):
        assert part in shown, shown
    assert "at s" not in shown and "at the end" not in shown
    (plate / "small.yaml").write_text(PLATE + "transient: {duration: 0.3, step: 0.1}")
    shown = RUNNER.invoke(app, ["coldplate", "small.yaml"]).stdout
    for part in ("at s", "last degC", "at the end", "(steady, all heat)"):
        assert part in shown, shown
    body = json.loads((plate / "results/small/result.json").read_text())
    assert [time for time, _ in body["probes"]["chip"]] == [0.0, 0.1, 0.2, 0.3]  # no digits of rounding


def test_the_function_is_the_command(plate):
    import twin

    result = twin.coldplate("small.yaml", sweep=True, model="two_resistor", write=False)
    assert isinstance(result, StudyResult)
    assert result.folder is None and not (plate / "results").exists()
    assert result.study.chosen in result.study.designs
    assert result.as_json()["model"] == "two-resistor"


def test_a_stack_has_no_sweep(stack):
    result = RUNNER.invoke(app, ["coldplate", "two.stk", "--sweep", "--json"])
    assert result.exit_code == 2
    (finding,) = json.loads(result.stdout)["error"]["findings"]
    assert finding["file"] == "--sweep" and "no designs to compare" in finding["rule"]


def test_ctrl_c_leaves_nothing_half_written(plate):
    """The real program gets a real signal while it compares many designs."""
    import os
    import signal
    import subprocess
    import sys
    import time
    from pathlib import Path

    widths = ", ".join(f"{0.2 + 1e-4 * n:.4f} mm" for n in range(3000))
    text = PLATE.replace("width: [0.3 mm, 0.4 mm]", f"width: [{widths}]")
    (plate / "small.yaml").write_text(text)
    root = str(Path(__file__).parents[4])
    command = [sys.executable, "-m", "twin.cli", "coldplate", "small.yaml", "--sweep", "--json"]
    run = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": root}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    results = plate / "results"
    while not results.exists() and run.poll() is None:  # made right before the work
        time.sleep(0.05)
    time.sleep(0.5)
    run.send_signal(signal.SIGINT)
    output, errors = run.communicate(timeout=60)
    assert run.returncode == 130, errors.decode()
    assert json.loads(output)["error"]["exit_code"] == 130
    assert list(results.iterdir()) == []
