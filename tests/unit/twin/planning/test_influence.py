"""Influence of racks and coolers on inlets, against direct solves of the frozen room."""

import csv
import json

import numpy as np
import pytest

from solvers.airflow.frozen import freeze, settle_frozen
from solvers.airflow.model import unit_inlet_temperature
from twin.model.load import example_layout, load_layout
from twin.model.operating import Operating
from twin.model.scene import build_scene
from twin.planning.influence import MEANING, room_influence
from twin.planning.settle import prepare_room, settle_room
from twin.planning.solve import solve


@pytest.fixture(scope="module")
def room():
    layout = load_layout(example_layout("one_rack"))
    scene = build_scene(layout, 0.3)
    settled = settle_room(scene, prepare_room(scene), Operating.nominal(layout))
    return scene, settled, room_influence(scene, settled)


def test_it_is_what_the_frozen_room_answers(room):
    scene, settled, found = room
    model, inputs = settled.model, settled.inputs
    frozen = freeze(model, settle_frozen(freeze(model, settled.result.state, inputs), inputs), inputs)

    def inlet(changed):
        T = unit_inlet_temperature(model, settle_frozen(frozen, changed))
        units = list(scene.rack_units["R01"])
        return np.average(T[units], weights=inputs.V_flow[units])

    base = inlet(inputs)
    rack = list(scene.rack_units["R01"])
    more = inputs.Q_flow.copy()
    more[rack] += 1000.0 * inputs.Q_flow[rack] / inputs.Q_flow[rack].sum()
    # direct solves to 1e-10 of a spread of 20 K, temperatures of 300 K in double precision
    assert inlet(inputs._replace(Q_flow=more)) - base == pytest.approx(1e3 * found.heat[0, 0], abs=1e-6)
    warmer = inputs.T_supply.copy()
    warmer[scene.cooler_units["C1"]] += 2.0
    assert inlet(inputs._replace(T_supply=warmer)) - base == pytest.approx(2.0 * found.supply[0, 0], abs=1e-6)


def test_all_temperatures_follow_the_one_supply(room):
    """With one cooler at its set point and adiabatic walls there is nothing else to follow."""
    _, _, found = room
    assert found.supply[:, 0] == pytest.approx(1.0, abs=1e-8)
    assert found.ambient == pytest.approx(0.0, abs=1e-8)
    assert (found.heat >= 0.0).all()


def test_capture_indices_are_shares(room):
    _, _, found = room
    # what the rack does not draw from the cooler it draws from its own exhaust: the rest of its inlet's rise
    assert 0.0 < found.capture_cold["R01"] < 1.0
    assert 0.0 < found.capture_hot["R01"] < 1.0
    assert found.difference < 0.5  # the mean flow's own temperatures against the mean of the temperatures


def test_solve_writes_table_and_metrics(tmp_path):
    result = solve(example_layout("one_rack"), cell=0.3, out=tmp_path / "r", influence=True)
    body = result.as_json()
    assert result.influence is not None
    assert json.loads((tmp_path / "r" / "result.json").read_text())["influence"] == {
        "file": "influence.csv",
        "frozen_difference_k": result.influence.difference,
        "columns": dict(MEANING),
    }
    with (tmp_path / "r" / "influence.csv").open() as stream:
        head, *rows = list(csv.reader(stream))
    assert head == ["inlet", "R01 [K/kW air]", "C1 [K/K]", "outside [K/K]"]
    assert all(any(name.endswith(f"[{unit}]") for unit in MEANING) for name in head[1:])
    assert [row[0] for row in rows] == ["R01", "C1"]
    assert float(rows[0][1]) == pytest.approx(1e3 * result.influence.heat[0, 0], rel=1e-5)
    rack = body["racks"]["R01"]
    assert body["metrics"]["CAPTURE_COLD"] == pytest.approx(rack["capture_cold"])
    assert body["metrics"]["CAPTURE_HOT"] == pytest.approx(rack["capture_hot"])
    again = solve(example_layout("one_rack"), cell=0.3, out=tmp_path / "r")
    assert "influence" not in again.as_json()
    assert not (tmp_path / "r" / "influence.csv").exists()
