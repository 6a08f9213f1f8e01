"""A room with one of every object goes through the solver, and air and heat add up."""

import numpy as np
import pytest

from solvers.airflow.case import CP, RHO
from solvers.airflow.model import advance, balances, initial_state, prepare
from twin.model.operating import Operating
from twin.model.scene import build_scene, observe
from twin.model.schema import Layout
from twin.units import kelvin


@pytest.fixture
def full(room):
    room["room"] |= {
        "size": [5.0, 3.0, 3.6], "ceiling": 3.0,
        "envelope": {
            "west": {"temperature": 26}, "north": {"temperature": 30, "u_value": 2, "thermal_mass": 3e4},
            "roof": {"thermal_mass": 5e4}, "raised_floor": {"thermal_mass": 3e4},
        },
    }  # fmt: skip
    room["coolers"][0] |= {"return_face": "ceiling", "fan_curve": {"stall_pressure": 300}}
    room["coolers"].append(
        {
            "id": "C2", "position": [3.4, 1.5], "size": [0.6, 0.6, 0.5], "elevation": 1.9, "facing": "-y",
            "supply_face": "bottom", "return_face": "rear", "air_flow": 0.3, "capacity": "6 kW",
        }
    )  # fmt: skip
    room["grilles"] = [{"id": "G1", "position": [2.0, 2.4], "size": [1.2, 0.6]}]
    room["racks"][0]["leakage"] = 0.05
    room["panels"] = [
        {"id": "P1", "lo": [1.5, 0.0, 0.5], "hi": [1.5, 3.0, 2.5], "open_area": 0.4},
        {"id": "P2", "lo": [4.5, 0, 0.5], "hi": [4.5, 3, 3], "cutouts": [{"lo": [1, 1], "hi": [2, 2.5]}]},
    ]
    room["openings"] = [{"id": "O1", "lo": [5.0, 1.0, 0.5], "hi": [5.0, 2.0, 2.5]}]
    room["ducts"] = [
        {
            "id": "FRESH", "air_flow": 0.2, "supply_temperature": 18,
            "discharge": {"lo": [3.5, 0.0, 2.0], "hi": [4.0, 0.0, 2.5]},
        }
    ]  # fmt: skip
    room["air"]["ambient_temperature"] = 28
    return Layout.model_validate(room)


@pytest.mark.parametrize("kind", ["mixing_length", "laminar"])
def test_a_room_of_every_object_runs(full, kind):
    closure = full.air.closure.model_copy(update={"kind": kind})
    layout = full.model_copy(update={"air": full.air.model_copy(update={"closure": closure})})
    scene = build_scene(layout, 0.25)
    assert scene.closure.kind == kind
    model = prepare(scene.case, scene.closure, layout.air.reference_temperature)
    operating = Operating.nominal(layout)
    state = advance(model, initial_state(model, kelvin(24.0)), scene.unit_inputs(operating), 2.0)
    assert np.isfinite(state.T).all()
    # what the make-up duct brings in leaves through the opening
    flows = state.u[-2] if state.u.shape[0] > scene.case.grid.shape[0] else state.u[-1]
    dy, dz = scene.case.grid.widths[1], scene.case.grid.widths[2]
    out = float((flows * np.outer(dy, dz)).sum())
    assert out == pytest.approx(0.2, rel=2e-3)  # a step leaves 1e-5 of the supply flow as divergence
    assert balances(model, state, scene.unit_inputs(operating)).mass_relative < 1e-4
    dp = scene.pressure_rise(state.p)
    again = scene.unit_inputs(operating, dp=dp)
    blower = scene.cooler_units["C1"]
    # it blows through tiles and draws through a grille: less flow than free delivery
    assert 0.0 < again.V_flow[blower] < 0.55
    values = observe(scene, model, state, operating, dp)
    assert values["C1.air_flow"] == pytest.approx(float(again.V_flow[blower]))
    assert values["C1.cooling_power"] == pytest.approx(
        RHO * CP * values["C1.air_flow"] * (values["C1.return_temperature"] - values["C1.supply_temperature"])
    )
