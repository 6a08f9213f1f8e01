"""Coolant loops in a simulation: chips, coolant and air in one run, against what they must balance to."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from solvers.coolant.fluids import fluid
from solvers.errors import ConvergenceError
from twin.errors import InputError
from twin.model.circuits import Coolant
from twin.model.coolant import build_loop, plate_conductance
from twin.model.load import example_layout, load_layout
from twin.model.operating import CoolantSettings
from twin.planning.simulate import StoppedError, simulate
from twin.planning.transient.events import Script

CELL = 0.3


@pytest.fixture(scope="module")
def layout():
    return load_layout(example_layout("liquid_row"))


@pytest.fixture
def running(layout):
    """Loops at their nominal state."""
    loops = Coolant(layout)
    loops.settle(*surroundings(layout), CoolantSettings())
    return loops


def surroundings(layout, T_air=291.15):
    return (
        {rack.id: rack.nominal_power for rack in layout.racks},
        {rack.id: T_air for rack in layout.racks},
    )


def test_valves_are_balanced_to_the_design_flows(layout, running):
    flows = running.summary()["L1"]["branches"]
    for branch in layout.loops[0].branches:
        # the settings are for design flows everywhere at the set point; the coolant is 5 K warmer on the way
        # back, which thins it by a tenth
        assert flows[branch.id]["flow_m3_s"] == pytest.approx(branch.design_flow, rel=0.02)


def test_a_branch_that_lacks_pressure_is_named(layout):
    plates = layout.loops[0].branches[5].cold_plates.model_copy(update={"pressure_drop": 130e3})
    branch = layout.loops[0].branches[5].model_copy(update={"cold_plates": plates})
    loop = layout.loops[0].model_copy(update={"branches": (*layout.loops[0].branches[:5], branch)})
    assert set(build_loop(loop).short_of_pressure) == {"B06"}
    assert build_loop(layout.loops[0]).short_of_pressure == {}


def test_plates_have_the_resistance_of_the_layout(layout):
    loop = layout.loops[0]
    branch = loop.branches[0]
    T = loop.cdu.supply_temperature
    capacity = branch.design_flow * float(fluid("pg25").density(T) * fluid("pg25").specific_heat(T))
    ntu = plate_conductance(loop, branch) / capacity
    assert 1 / (capacity * -math.expm1(-ntu)) == pytest.approx(branch.cold_plates.resistance, rel=1e-12)


def test_at_nominal_conditions_the_coolant_takes_the_liquid_share(layout, running):
    summary = running.summary()["L1"]
    assert summary["supply_c"] == pytest.approx(30.0, abs=1e-3)
    for rack in layout.racks:
        # chips, air and flow are what the conductance was made for, but for the warmth of the coolant in the
        # plates: a per cent
        assert running.air_heat(rack.id) == pytest.approx(0.2 * rack.nominal_power, rel=0.02)
    heat = sum(branch["liquid_heat_w"] for branch in summary["branches"].values())
    air = sum(running.air_heat(rack.id) for rack in layout.racks)
    # what friction in the plates warms is in the heat to the coolant
    friction = sum(b["flow_m3_s"] * 40e3 for b in summary["branches"].values())
    assert heat + air == pytest.approx(120e3, abs=1.5 * friction)


def test_one_pump_of_two_keeps_the_chips_cool_and_none_does_not(layout, running):
    packed = running.pack()
    one, none = Coolant(layout), Coolant(layout)
    for loops, down in ((one, {"L1P1": False}), (none, {"L1P1": False, "L1P2": False})):
        loops.unpack(packed)
        for _ in range(30):
            loops.advance(2.0, *surroundings(layout), CoolantSettings(drive=down))
    assert one.points()["L1P1.pump_speed"] < 0.01 < one.points()["L1P2.pump_speed"]
    before = running.points()
    for name in ("B01", "B06"):
        rise = one.points()[f"{name}.chip_temperature"] - before[f"{name}.chip_temperature"]
        assert 1.0 < rise < 6.0
        assert none.points()[f"{name}.chip_temperature"] > 100.0
    # every loop's heat: what came in less what went out is what it stores
    assert one.summary()["L1"]["energy_relative"] < 1e-6
    assert none.summary()["L1"]["energy_relative"] < 1e-6
    assert any("no pump" in text for text in none.findings())
    # still coolant takes nothing away: the air gets what chips, and the coolant in their plates, do not store
    coolant = fluid("pg25")
    stored = 8e3 + 3e-4 * float(coolant.density(360.0) * coolant.specific_heat(360.0))
    before = none.points()["B01.chip_temperature"]
    none.advance(2.0, *surroundings(layout), CoolantSettings(drive={"L1P1": False, "L1P2": False}))
    rate = (none.points()["B01.chip_temperature"] - before) / 2.0
    assert none.air_heat("R01") + stored * rate == pytest.approx(20e3, rel=0.01)


def test_a_standby_pump_takes_over(layout):
    spare = load_layout(example_layout("liquid_row"), ["loops[L1].cdu.pumps[L1P2].standby=true"])
    loops = Coolant(spare)
    loops.settle(*surroundings(spare), CoolantSettings())
    assert loops.points()["L1P2.pump_speed"] == 0.0
    for _ in range(20):
        loops.advance(2.0, *surroundings(spare), CoolantSettings(drive={"L1P1": False}))
    assert loops.points()["L1P2.pump_speed"] == pytest.approx(0.8, rel=1e-3)


def test_a_leak_lowers_the_level(layout, running):
    level = running.points()["CDU1.level"]
    area = 2e-6
    for _ in range(5):
        running.advance(2.0, *surroundings(layout), CoolantSettings(leak={"B03": area}))
    lost = (level - running.points()["CDU1.level"]) * 0.05 * 1.018e3
    # 0.62 A sqrt(2 rho dp) for 10 s; above the return there are 40 kPa of the plates and 3 of half the hose
    pressure = running.points()["CDU1.return_pressure"] + 43e3
    assert lost == pytest.approx(0.62 * area * math.sqrt(2 * 1018 * pressure) * 10, rel=0.03)


def test_the_supply_is_held_again_soon_after_a_restart(layout, running):
    none, one = {"L1P1": False, "L1P2": False}, {"L1P2": False}
    for _ in range(30):
        running.advance(2.0, *surroundings(layout), CoolantSettings(drive=none))
    off = []
    for _ in range(60):
        running.advance(2.0, *surroundings(layout), CoolantSettings(drive=one))
        off.append(abs(running.points()["CDU1.supply_temperature"] - 30.0))
    # coolant that stood beside facility water comes first, then what chips of 120 degC have warmed
    assert max(off[5:]) < 1.5
    assert max(off[15:]) < 1.0


def test_packed_loops_go_on_bit_by_bit(layout, running):
    other = Coolant(layout)
    other.unpack(running.pack())
    down = CoolantSettings(drive={"L1P1": False}, valve={"B02": 0.4})
    for loops in (running, other):
        loops.advance(7.0, *surroundings(layout), down)
    for name, value in running.pack().items():
        np.testing.assert_array_equal(value, other.pack()[name], err_msg=name)


TRIP = Script.model_validate(
    {
        "events": [
            {"at": 4, "kind": "pump_trip", "pump": "L1P1"},
            {"at": 4, "kind": "pump_trip", "pump": "L1P2"},
        ]
    }
)


def test_what_the_coolant_leaves_goes_into_the_room(layout):
    result = simulate(layout, TRIP, duration=60, every=4, cell=CELL, write=False)
    body = result.as_json()
    # 30 K of 8 kJ/K at 16 kW are 15 s without coolant; pumps coast down, and what stands in the plates warms
    assert 4.0 + 15.0 < body["chips"]["B01"]["time_to_limit_s"] < 4.0 + 30.0
    heat = result.heat["released_j"].to_numpy()
    early, late = heat[2] - heat[1], heat[-1] - heat[-2]
    assert late > 1.8 * early  # chips of 110 degC give the air twice what those of 55 degC do
    outlet = result.series.of("R03.outlet_temperature")
    # 7 kW more in 0.3 m3/s are 18 K; servers of 60 kJ/K lag by 165 s, of which 45 have passed
    assert 2.0 < outlet[-1] - outlet[0] < 6.0
    assert body["balances"]["air_relative"] < 1e-3
    assert any("chips of R0" in text and "limit 75 °C (first seen at" in text for text in body["warnings"])
    balances = body["balances"]
    assert balances["chips_j"] == pytest.approx(120e3 * 60, rel=1e-9)
    # no rack gives air heat but from its chips, and the air's account counts the same passages
    assert balances["chips_to_air_j"] == pytest.approx(balances["released_j"], rel=1e-6)
    json.dumps(body)


def test_chips_that_were_too_hot_for_a_while_are_told_at_the_end(layout):
    events = [{"at": 2, "kind": "pump_trip", "pump": f"L1P{n}"} for n in (1, 2)]
    events += [{"at": 30, "kind": "pump_restart", "pump": f"L1P{n}"} for n in (1, 2)]
    result = simulate(
        layout, Script.model_validate({"events": events}), duration=70, every=10, cell=CELL, write=False
    )
    body = result.as_json()
    assert not body["loops"]["L1"]["findings"]  # all is well again
    (said,) = [text for text in body["warnings"] if "chips of" in text]
    (row,) = [row for row in body["alarms"] if row["name"] == "B01.chips"]
    peak = body["chips"]["B01"]["peak_c"]
    assert row["first_s"] == pytest.approx(body["chips"]["B01"]["time_to_limit_s"], abs=10.0)  # of outputs
    assert 26.0 < row["worst_s"] < 40.0 < row["last_s"] + 20.0
    assert peak - 2.0 < float(row["text"].split(") ")[1].split()[0]) < peak + 2.0  # of the next look
    assert "5 others alike" in said


def test_an_empty_tank_is_an_alarm(layout, running):
    for _ in range(30):
        running.advance(2.0, *surroundings(layout), CoolantSettings(leak={"B03": 3e-4}))
    (empty,) = [alarm for alarm in running.alarms()["L1"] if alarm.name == "empty"]
    assert "is empty since" in empty.text
    assert any("is empty since" in text for text in running.findings())


def test_a_loop_that_cannot_be_solved_is_named(layout):
    tight = layout.loops[0].model_copy(update={"id": "LX"})
    cdu = tight.cdu.model_copy(update={"pumps": ()})
    with pytest.raises(InputError, match=r"Liquid row: loop 'LX': "):
        Coolant(layout.model_copy(update={"loops": (tight.model_copy(update={"cdu": cdu}),)}))


def test_a_loop_without_an_answer_is_named(layout, running):
    # a filter of no flow at all, from one moment to the next: no step is short enough
    with pytest.raises(ConvergenceError, match=r"^loop 'L1': "):
        running.advance(2.0, *surroundings(layout), CoolantSettings(fouling={"CDU1": 1e300}))


def test_a_stopped_run_resumes_bit_by_bit(layout, tmp_path):
    def run(folder, **options):
        return simulate(
            layout,
            TRIP,
            duration=16,
            every=4,
            cell=CELL,
            out=tmp_path / folder,
            checkpoint_every=4.0,
            cold=True,
            **options,
        )

    def stop(now):
        if now.settling is None and now.time >= 9.9:
            raise KeyboardInterrupt

    whole = run("whole")
    with pytest.raises(StoppedError):
        run("parts", progress=stop)
    parts = run("parts", resume=True)
    np.testing.assert_array_equal(parts.series.array(), whole.series.array())


@pytest.mark.parametrize(
    ("overrides", "settings"),
    [
        (["racks[R01].liquid_share=0.4"], CoolantSettings()),
        (["racks[R01].liquid_share=0.3"], CoolantSettings()),
        ([], CoolantSettings(valve={"B01": 0.04})),
        ([], CoolantSettings(valve={"B01": 0.0})),
        ([], CoolantSettings(drive={"L1P1": False, "L1P2": False})),
        (["coolers[C1].supply_temperature=30", "loops[L1].cdu.supply_temperature=25"], CoolantSettings()),
    ],
)
def test_the_steady_state_is_where_a_march_leads(overrides, settings):
    odd = load_layout(example_layout("liquid_row"), overrides)
    loops, others = Coolant(odd), Coolant(odd)
    loops.settle(*surroundings(odd), settings)
    others.settle(*surroundings(odd), CoolantSettings())
    for _ in range(60):
        others.advance(60.0, *surroundings(odd), settings)
    given = loops.points()["B01.liquid_heat"] + loops.air_heat("R01")
    assert given == pytest.approx(20e3, rel=2e-3)  # and what friction adds
    settled, marched = loops.points(), others.points()
    # an hour is 20 time constants of stagnant chips; flows settle to what the step's error allows
    for name in ("B01.chip_temperature", "B02.chip_temperature"):
        assert settled[name] == pytest.approx(marched[name], abs=0.5)


def test_chips_without_flow_settle_where_the_air_takes_their_heat(layout):
    loops = Coolant(layout)
    loops.settle(*surroundings(layout), CoolantSettings(valve={"B01": 0.0}))
    nominal = 30.0 + 0.95e-3 * 16e3  # degC, at which the air takes 4 kW
    G = 4e3 / (nominal - 18.0)
    # a shut valve still passes 1e-5 of its flow
    assert loops.points()["B01.chip_temperature"] == pytest.approx(18.0 + 20e3 / G, rel=0.02)
    assert loops.air_heat("R01") == pytest.approx(20e3, rel=0.01)
    assert any("boils" in text for text in loops.findings())


def test_the_first_standby_is_broken_and_the_second_comes(layout):
    cdu = layout.loops[0].cdu
    more = [cdu.pumps[0].model_copy(update={"id": f"S{n}", "standby": True}) for n in (1, 2)]
    loop = layout.loops[0].model_copy(update={"cdu": cdu.model_copy(update={"pumps": (cdu.pumps[0], *more)})})
    loops = Coolant(layout.model_copy(update={"loops": (loop,)}))
    loops.settle(*surroundings(layout), CoolantSettings(drive={"L1P1": False, "S1": False}))
    pumps = loops.summary()["L1"]["pumps"]
    assert not pumps["S1"]["on"]
    assert pumps["S2"]["on"]


def test_a_controller_holds_its_valve_while_nothing_flows(layout, running):
    valve = running.points()["CDU1.valve"]
    off = CoolantSettings(drive={"L1P1": False, "L1P2": False})
    for _ in range(30):
        running.advance(2.0, *surroundings(layout), off)
    assert running.points()["CDU1.valve"] == pytest.approx(valve, abs=0.02)
