"""Coils in the air that leaves the racks: rear doors on a loop, with the room they cool."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.coolant import exchangers
from solvers.coolant.components import CROSS
from solvers.coolant.fluids import fluid
from twin.errors import InputError
from twin.model.circuits import Coolant, Exhaust
from twin.model.load import example_layout, load_layout
from twin.model.operating import CoolantSettings
from twin.planning.simulate import simulate
from twin.planning.solve import solve
from twin.planning.transient.events import Script

CELL = 0.3


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
    assert loops.coil_heat("R01").sum() == pytest.approx(coil["liquid_heat_w"], rel=1e-12)


def test_hot_slots_give_a_coil_more_than_cool_ones(layout):
    air = exhausts(layout)
    air["R02"] = Exhaust(np.array([300.0, 310.0]), np.array([500.0, 500.0]))
    heat = settled(layout, air).coil_heat("R02")
    T_in = 273.15 + 18.0
    assert heat[1] / heat[0] == pytest.approx((310.0 - T_in) / (300.0 - T_in), rel=1e-3)


def test_without_air_a_coil_takes_nothing(layout):
    assert np.all(settled(layout, exhausts(layout, C_flow=0.0)).coil_heat("R01") == 0.0)


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
