"""Scene: inputs of units by name, sensors in the air, what the sensors would read."""

from typing import Any

import numpy as np
import pytest

from solvers.airflow.case import AirState
from twin.errors import InputError
from twin.model.load import example_layout, load_layout
from twin.model.operating import Operating, Perturbation
from twin.model.scene import build_scene
from twin.model.schema import Layout
from twin.units import kelvin, quantity_of


@pytest.fixture(scope="module")
def pod():
    return build_scene(load_layout(example_layout("pod_two_row")))


def test_inputs_of_the_nominal_pod(pod):
    inputs = pod.unit_inputs(Operating.nominal(pod.layout))
    racks = [unit for units in pod.rack_units.values() for unit in units]
    coolers = list(pod.cooler_units.values())
    assert inputs.V_flow[racks].sum() == pytest.approx(72 * 0.045)
    assert inputs.Q_flow[racks].sum() == pytest.approx(0.7 * 72e3)
    assert 1.05 < inputs.V_flow[coolers].sum() / inputs.V_flow[racks].sum() < 1.15
    assert np.isnan(inputs.T_supply[racks]).all()
    assert inputs.T_supply[coolers] == pytest.approx([kelvin(19.0)] * 2)
    assert inputs.Q_max[coolers] == pytest.approx([60e3] * 2)
    assert (inputs.C > 0).all()


def test_inputs_follow_what_happens(pod):
    nominal = pod.unit_inputs(Operating())
    r3, c1 = list(pod.rack_units["R03"]), pod.cooler_units["C1"]
    operating = Operating(
        rack_power={"R03": 14e3},
        fan_speed={"K03": 0.3},
        cooler_supply_temperature={"C1": kelvin(16.0)},
        failed=frozenset({"C2"}),
    )
    inputs = pod.unit_inputs(operating)
    assert inputs.Q_flow[r3].sum() == pytest.approx(2 * nominal.Q_flow[r3].sum())
    assert inputs.V_flow[r3].sum() == pytest.approx(2 * 0.5 * nominal.V_flow[r3].sum())
    assert inputs.T_supply[c1] == pytest.approx(kelvin(16.0))
    assert inputs.V_flow[pod.cooler_units["C2"]] == 0.0
    others = [u for name, units in pod.rack_units.items() if name != "R03" for u in units]
    assert (inputs.Q_flow[others] == nominal.Q_flow[others]).all()


def test_a_perturbed_plant_is_another_room(pod):
    plant = Perturbation(
        air_flow={"R01": 0.95, "C1": 1.05}, capacity={"C1": 0.9}, supply_temperature={"C1": 0.4}
    )
    inputs, base = pod.unit_inputs(Operating(), plant), pod.unit_inputs(Operating())
    c1 = pod.cooler_units["C1"]
    assert inputs.V_flow[c1] == pytest.approx(1.05 * base.V_flow[c1])
    assert inputs.Q_max[c1] == pytest.approx(0.9 * base.Q_max[c1])
    assert inputs.T_supply[c1] == pytest.approx(base.T_supply[c1] + 0.4)
    assert inputs.V_flow[pod.rack_units["R01"][0]] == pytest.approx(
        0.95 * base.V_flow[pod.rack_units["R01"][0]]
    )


def test_a_fixed_supply_has_no_limit():
    scene = build_scene(load_layout(example_layout("one_rack"), ["coolers[C1].supply=fixed"]))
    assert np.isinf(scene.unit_inputs(Operating()).Q_max[scene.cooler_units["C1"]])


def test_heat_flow_and_liquid_by_name(pod):
    operating = Operating(pump_speed={"K01": 0.0})
    air, liquid = pod.rack_air_heat(operating), pod.liquid_heat(operating)
    assert (air["R01"], liquid["K01"]) == (pytest.approx(5000.0), 0.0)
    assert air["R02"] + liquid["K02"] == pytest.approx(6000.0)


def test_default_sensors_stand_in_the_air_before_the_fronts(pod):
    points = pod.sensor_points
    assert len(points) == 12 * 3 + 1
    x, y, z = points["R01.inlet_temperature.top"]
    assert (x, y) == (pytest.approx(2.1), pytest.approx(2.45))
    assert z == pytest.approx(0.6 + 0.9 * 2.1)
    assert points["R07.inlet_temperature.bottom"][1] == pytest.approx(3.55)
    grid = pod.case.grid
    for place in points.values():
        cell = tuple(int(np.searchsorted(grid[a], place[a])) - 1 for a in range(3))
        assert not pod.case.solid[cell]
    assert points["plenum.pressure"][2] < pod.layout.room.raised_floor


def test_sensors_of_the_file_join_or_replace_the_default_ones():
    scene = build_scene(load_layout(example_layout("one_rack")))
    assert scene.sensor_points["S01.temperature"] == (1.2, 1.5, 2.6)
    assert scene.sensor_points["S02.temperature"] == pytest.approx((2.1, 2.85, 0.4 + 1.8))
    bare = build_scene(load_layout(example_layout("one_rack"), ["default_sensors=false"]))
    assert set(bare.sensor_points) == {"S01.temperature", "S02.temperature"}


def test_a_room_without_floor_plenum_works(room):
    room["room"]["raised_floor"] = 0
    room["tiles"] = []
    room["coolers"][0] |= {"supply_face": "front", "return_face": "top"}
    scene = build_scene(Layout.model_validate(room))
    assert not scene.plenum_cells.any()
    assert "plenum.pressure" not in scene.sensor_points
    assert "floor" not in {box.kind for box in scene.boxes}


def test_an_in_row_cooler_works(room):
    room["coolers"].append(
        {
            "id": "C2", "position": [3.2, 1.5], "size": [0.3, 1.0, 2.0], "facing": "-y",
            "return_face": "rear",
            "supply_face": "front", "air_flow": 0.4, "capacity": "10 kW",
        }
    )  # fmt: skip
    case = build_scene(Layout.model_validate(room)).case
    assert (case.patch_side[case.unit_outlet[-1]], case.patch_side[case.unit_inlet[-1]]) == (-1, 1)


def test_scenes_do_not_depend_on_the_order_of_meshing(pod):
    again = build_scene(pod.layout)
    assert (again.case.solid == pod.case.solid).all()
    assert again.unit_names == pod.unit_names


def test_the_cell_of_the_layout_is_the_default(room):
    room["air"]["cell"] = 0.2
    layout = Layout.model_validate(room)
    assert build_scene(layout).cells == build_scene(layout, 0.2).cells < build_scene(layout, 0.1).cells


def test_boxes_are_those_of_the_layout(pod):
    kinds = [box.kind for box in pod.boxes]
    assert (kinds.count("rack"), kinds.count("cooler"), kinds.count("tile"), kinds.count("floor")) == (
        12,
        2,
        12,
        1,
    )
    rack = next(box for box in pod.boxes if box.name == "R07")
    assert (rack.lo, rack.hi, rack.facing) == ((1.8, 3.6, 0.6), pytest.approx((2.4, 4.8, 2.7)), "-y")


def state_of(scene, T):
    nx, ny, nz = scene.case.grid.shape
    z = np.zeros
    return AirState(
        z((nx + 1, ny, nz)), z((nx, ny + 1, nz)), z((nx, ny, nz + 1)), z((nx, ny, nz)),
        np.full((nx, ny, nz), T),
        np.full(len(scene.unit_names), T), 0.0,
    )  # fmt: skip


def test_observe_reads_every_point_with_its_unit():
    from solvers.airflow.model import prepare
    from twin.model.scene import observe

    scene = build_scene(load_layout(example_layout("one_rack")))
    model = prepare(scene.case, scene.closure)
    state = state_of(scene, 295.15)
    state.T[:, :, scene.case.grid.z[:-1] > 1.4] = 300.15
    state.p[scene.plenum_cells] = 12.0
    state.p[scene.room_cells] = 2.0
    state.T_unit[list(scene.rack_units["R01"])] = (305.15, 307.15)
    state.T_unit[scene.cooler_units["C1"]] = 291.15
    values = observe(scene, model, state, Operating())
    assert set(values) >= set(scene.sensor_points)
    for point in values:
        quantity = quantity_of(point)
        assert quantity.minimum <= values[point] <= quantity.maximum, point
    assert values["R01.inlet_temperature.bottom"] == pytest.approx(22.0, abs=1e-3)
    assert values["R01.inlet_temperature.top"] == pytest.approx(27.0, abs=1e-3)
    assert values["R01.outlet_temperature"] == pytest.approx(33.0, abs=1e-3)  # two equal slots
    assert values["plenum.pressure"] == pytest.approx(10.0, abs=1e-6)
    assert values["C1.return_temperature"] == pytest.approx(27.0, abs=1e-3)
    assert values["C1.supply_temperature"] == pytest.approx(18.0, abs=1e-9)
    assert values["C1.cooling_power"] == pytest.approx(model.rho * model.cp * 0.32 * 9.0, rel=1e-4)
    assert values["K01.liquid_heat"] == pytest.approx(0.2 * 6000.0)
    rise = values["K01.coolant_return_temperature"] - values["K01.coolant_supply_temperature"]
    assert rise == pytest.approx(1200.0 / (0.2 * 3900.0))
    assert values["K01.output_power"] == pytest.approx(
        values["K01.output_voltage"] * values["K01.output_current"]
    )
    assert values["K01.output_power"] < values["R01.power"] == 6000.0


def halves(room):
    """Join a walled-off half to the room that nothing but its own still air fills."""
    room["room"]["size"] = [8.0, 3.0, 3.0]
    room["walls"] = [{"id": "W1", "start": [4.0, 0.0], "end": [4.0, 3.0]}]
    return room


def test_pressures_are_relative_to_their_own_space(room):
    from solvers.airflow.model import prepare
    from twin.model.scene import observe

    room["tiles"] += [{"id": "T3", "position": [6.0, 0.9]}]
    room["sensors"] = [{"id": "P1", "quantity": "pressure", "position": [7.0, 1.5, 1.5]}]
    room["ducts"] = [
        {
            "id": "D1",
            "air_flow": 0.2,
            "intake": {"lo": [5.0, 0.0, 1.0], "hi": [5.6, 0.0, 1.6]},
            "discharge": {"lo": [5.0, 3.0, 1.0], "hi": [5.6, 3.0, 1.6]},
        }
    ]
    scene = build_scene(Layout.model_validate(halves(room)), 0.2)
    state = state_of(scene, 295.15)
    far = scene.case.grid.centres[0] > 4.0
    state.p[scene.room_cells] = 2.0
    state.p[scene.plenum_cells] = 12.0
    state.p[far] = 500.0  # the other space's constant is its own
    values = observe(scene, prepare(scene.case, scene.closure), state, Operating())
    assert values["plenum.pressure"] == pytest.approx(10.0, abs=1e-4)
    assert values["P1.pressure"] == pytest.approx(0.0, abs=1e-4)
    gauge = scene.gauge_pressure(state.p)
    assert gauge[far][scene.room_cells[far]] == pytest.approx(0.0, abs=1e-4)
    assert gauge[~far][scene.plenum_cells[~far]] == pytest.approx(10.0, abs=1e-4)
    assert (gauge[scene.case.solid] == 0.0).all()


def test_a_plenum_shut_off_from_the_room_is_relative_to_itself(room):
    room["tiles"] = []
    room["coolers"][0] |= {"supply_face": "front"}
    scene = build_scene(Layout.model_validate(room), 0.2)
    state = state_of(scene, 295.15)
    state.p[scene.plenum_cells] = 7.0
    assert scene.gauge_pressure(state.p) == pytest.approx(0.0)


def test_the_plenum_sensor_stands_under_a_tile(room):
    x, y, z = build_scene(Layout.model_validate(room), 0.2).sensor_points["plenum.pressure"]
    assert (x, y, z) == pytest.approx((2.3, 1.2, 0.25))
    room["tiles"].append({"id": "T3", "position": [6.0, 0.9]})
    x, y, _ = build_scene(Layout.model_validate(halves(room)), 0.2).sensor_points["plenum.pressure"]
    assert (x, y) == pytest.approx((2.9, 1.2))


@pytest.mark.parametrize("cell", [0.0, -0.1, 1e-320, 1e-4, 9.0, np.nan, np.inf, -np.inf])
def test_an_unusable_cell_size_is_an_input_error(room, cell):
    with pytest.raises(InputError, match=r"a cell size must be at least 0\.01 and at most 5 m"):
        build_scene(Layout.model_validate(room), cell)


@pytest.mark.parametrize(
    ("field", "name", "value"),
    [
        ("cooler_supply_temperature", "C1", np.nan),
        ("cooler_supply_temperature", "C1", np.inf),
        ("cooler_supply_temperature", "C1", -1.0),
        ("rack_power", "R03", -5000.0),
        ("rack_power", "R03", np.nan),
        ("fan_speed", "K03", np.nan),
        ("pump_speed", "K03", -0.1),
        ("cooler_fan_speed", "C2", np.inf),
    ],
)
def test_values_that_no_room_has_are_refused(pod, field, name, value):
    changed: dict[str, Any] = {field: {name: value}}
    with pytest.raises(InputError) as caught:
        pod.unit_inputs(Operating(**changed))
    (finding,) = caught.value.findings
    assert (finding.object, finding.field, finding.value) == (name, field, f"{value:g}")
