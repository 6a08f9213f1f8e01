"""Coils in the air that leaves the racks: rear doors on a loop, with the room they cool."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.image import imread

from solvers.airflow.case import CP, RHO, coil_heat
from solvers.coolant import exchangers
from solvers.coolant.components import CROSS
from solvers.coolant.fluids import fluid
from twin.errors import InputError
from twin.model.circuits import Coolant, Exhaust
from twin.model.load import example_layout, load_layout
from twin.model.loop_air import with_loops
from twin.model.operating import CoolantSettings, Operating
from twin.model.scene import build_scene
from twin.planning.picture import draw_picture
from twin.planning.simulate import simulate
from twin.planning.solve import solve
from twin.planning.transient.events import Script

CELL = 0.3
NOMINAL = Operating()


@pytest.fixture(scope="module")
def layout():
    return load_layout(example_layout("rear_doors"))


def exhausts(layout, T=305.0, C_flow=500.0):
    return {rack.id: Exhaust(np.full(2, T), np.full(2, C_flow)) for rack in layout.racks}


def settled(layout, exhaust, **settings):
    loops = Coolant(layout)
    power = {rack.id: rack.nominal_power for rack in layout.racks}
    loops.settle(power, dict.fromkeys(power, 293.15), CoolantSettings(**settings), exhaust)
    return loops


def test_a_coil_takes_effectiveness_times_smaller_capacity_times_difference(layout):
    loops = settled(layout, exhausts(layout))
    body = loops.summary()["L1"]
    coil = body["coils"]["D01"]
    water = fluid("water")
    T = coil["supply_c"] + 273.15
    C_water = coil["flow_m3_s"] * float(water.density(T) * water.specific_heat(T))
    least, ratio = min(1000.0, C_water), min(1000.0, C_water) / max(1000.0, C_water)
    # at 1000 W/K of air, 0.975 of the nominal 0.85 m3/s, the air's film has 0.975^0.55 of its conductance
    film = (1000.0 / (0.85 * 1.2 * 1005.0)) ** 0.55
    UA = 1.0 / (0.2 / 1400.0 + 0.8 / (1400.0 * film))
    share = float(exchangers.effectiveness(np.array([UA / least]), np.array([ratio]), np.array([CROSS]))[0])
    assert coil["liquid_heat_w"] == pytest.approx(share * least * (305.0 - T), rel=0.02)
    assert body["heat_w"] == pytest.approx(6 * coil["liquid_heat_w"] + body["pump_power_w"], rel=0.02)
    door = loops.coils()["R01"]
    assert door.share * 1000.0 * (305.0 - door.T_in) == pytest.approx(coil["liquid_heat_w"], rel=1e-3)


def test_hot_slots_give_a_coil_more_than_cool_ones(layout):
    scene = build_scene(layout, CELL)
    inputs = with_loops(scene.unit_inputs(NOMINAL), settled(layout, exhausts(layout)), scene.rack_units)
    units = list(scene.rack_units["R02"])
    inputs.Q_flow[units] = [2e3, 10e3]
    T_in = np.full(inputs.V_flow.size, 295.0)
    heat = coil_heat(inputs, T_in)[units]
    hot = 295.0 + np.array([2e3, 10e3]) / (RHO * CP * inputs.V_flow[units])
    share = inputs.coil[units]
    np.testing.assert_allclose(heat, share * RHO * CP * inputs.V_flow[units] * (hot - 291.15), rtol=5e-3)
    assert share[0] == share[1]


def test_without_air_a_coil_takes_nothing(layout):
    loops = settled(layout, exhausts(layout, C_flow=0.0))
    assert loops.coils()["R01"].share == 0.0
    assert abs(loops.points()["D01.liquid_heat"]) < 1.0


def test_loops_applied_twice_do_what_they_do_once(layout):
    scene = build_scene(layout, CELL)
    loops = settled(layout, exhausts(layout))
    once = with_loops(scene.unit_inputs(NOMINAL), loops, scene.rack_units)
    twice = with_loops(once, loops, scene.rack_units)
    for name, value in once._asdict().items():
        np.testing.assert_array_equal(value, getattr(twice, name), err_msg=name)


def test_a_settled_room_with_doors_stays_as_it_is(layout):
    result = simulate(layout, Script(), duration=120, every=10, cell=CELL, write=False)
    doors = sum(result.series.of(f"D0{n}.liquid_heat") for n in range(1, 7))
    cooler = result.series.of("C1.cooling_power")
    np.testing.assert_allclose(doors[1:] + cooler[1:], 72e3, rtol=0.02)
    assert np.ptp(doors) < 0.03 * 72e3
    assert np.ptp(result.series.of("R03.outlet_temperature")) < 0.3


def test_doors_that_come_back_do_not_overshoot(layout):
    events = [{"at": 10, "kind": "branch_valve", "branch": f"D0{n}", "open": 0.0} for n in range(1, 7)]
    events += [{"at": 100, "kind": "branch_valve", "branch": f"D0{n}", "open": 1.0} for n in range(1, 7)]
    result = simulate(
        layout, Script.model_validate({"events": events}), duration=130, every=2, cell=CELL, write=False
    )
    time, heat = result.series.of("time"), result.series.of("D03.liquid_heat")
    before = heat[time < 10].max()
    # the air before the door is some 4 K warmer by then: 15 K over the coolant instead of 12
    assert before < heat[time > 102].max() < 1.6 * before


@pytest.mark.parametrize("power", ["1 kW", "3 kW"])
def test_doors_that_could_take_more_than_there_is(power):
    parts = [f"racks[R0{n}].power={power}" for n in range(1, 7)]
    body = solve(
        load_layout(example_layout("rear_doors"), parts), cell=CELL, cold=True, write=False
    ).as_json()
    coils = sum(coil["liquid_heat_w"] for coil in body["loops"]["L1"]["coils"].values())
    total = body["metrics"]["total_kw"] * 1e3
    assert coils == pytest.approx(total, rel=0.01)
    for rack in body["racks"].values():
        assert 17.0 < rack["inlet_mean_c"] < 21.0


def test_doors_and_cooler_share_the_heat_of_the_room(layout):
    body = solve(layout, cell=CELL, cold=True, write=False).as_json()
    coils = sum(coil["liquid_heat_w"] for coil in body["loops"]["L1"]["coils"].values())
    # what is settled: inlets to 0.3 K, the doors' heat to 0.5 % of all
    assert coils + body["coolers"]["C1"]["cooling_w"] == pytest.approx(72e3, rel=0.01)
    assert 0.6 < coils / 72e3 < 0.95
    for rack in body["racks"].values():
        assert rack["outlet_mean_c"] < rack["inlet_max_c"] + 6.0  # 11.7 K without a door
    assert body["loops"]["L1"]["energy_relative"] < 1e-6
    assert body["metrics"]["liquid_kw"] == pytest.approx(coils / 1e3)


def test_a_room_without_coolers_settles_on_its_doors(tmp_path):
    alone = load_layout(example_layout("rear_doors"), ["coolers=[]", "tiles=[]"], settles=True)
    result = solve(alone, cell=CELL, cold=True, write=False)
    body = result.as_json()
    coils = body["loops"]["L1"]["coils"]
    heat = sum(coil["liquid_heat_w"] for coil in coils.values())
    assert heat == pytest.approx(72e3, rel=0.005)  # what is settled: the doors' heat to 0.5 % of all
    assert body["balances"]["energy_relative"] < 1e-3
    assert abs(body["balances"]["stored_w"]) < 0.01 * 72e3  # all racks' heat is in the air, doors or not
    assert body["loops"]["L1"]["heat_w"] == pytest.approx(heat + body["metrics"]["pump_kw"] * 1e3, rel=0.005)
    for rack in body["racks"].values():
        # the door takes what its rack gives, so air leaves as it came; it is above the coolant of 18 degC
        assert rack["outlet_mean_c"] == pytest.approx(rack["inlet_mean_c"], abs=0.5)
        assert 18.0 < rack["inlet_mean_c"] < 30.0
    pictures = []
    for name, shown in (("with", body), ("without", body | {"loops": {}})):
        draw_picture(result.scene, result.state, shown, tmp_path / f"{name}.png")
        pictures.append(imread(tmp_path / f"{name}.png"))
    taller = pictures[0].shape[0] - pictures[1].shape[0]
    assert taller > 50  # a table of the loop under the sections
    assert pictures[0][-105 - taller : -105, :, :3].min() < 0.3  # with ink in it


def test_doors_without_pumps_let_the_heat_into_the_room(layout):
    pumps = [{"at": 10, "kind": "pump_trip", "pump": f"L1P{n}"} for n in (1, 2, 3)]
    script = Script.model_validate({"events": pumps})
    result = simulate(layout, script, duration=120, every=10, cell=CELL, write=False)
    heat = result.series.of("D03.liquid_heat")
    assert heat[0] > 7e3
    assert abs(heat[-1]) < 0.05 * heat[0]
    outlet = result.series.of("R03.outlet_temperature")
    # 9 kW more in 0.85 m3/s are 9 K; the rack's 60 kJ/K lag by a minute
    assert outlet[-1] - outlet[0] > 4.0
    assert result.as_json()["balances"]["air_relative"] < 1e-3


def test_a_coil_at_a_rack_that_is_not_there_is_named():
    with pytest.raises(InputError) as caught:
        load_layout(example_layout("rear_doors"), ["loops[L1].coils[D02].rack=R99"])
    text = str(caught.value)
    assert "coil 'D02'" in text
    assert "R99" in text
    assert "there is no rack with this id" in text


def test_a_shut_valve_stops_a_coil(layout):
    coils = settled(layout, exhausts(layout), valve={"D02": 0.0}).summary()["L1"]["coils"]
    assert abs(coils["D02"]["flow_m3_s"]) < 1e-8  # a shut valve passes 1e-5 of its flow
    assert abs(coils["D02"]["liquid_heat_w"]) < 1.0
    assert coils["D03"]["flow_m3_s"] > 6e-4
