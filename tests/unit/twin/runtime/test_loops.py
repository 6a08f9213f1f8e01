"""Coolant loops in the live twin: beside the air, from readings, through checkpoints, in trials."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from solvers.airflow.case import AirState
from twin.errors import NotConvergedError
from twin.model.circuits import Coolant
from twin.model.load import example_layout, load_layout
from twin.model.operating import CoolantSettings, Operating
from twin.ports import Reading
from twin.runtime.engine import Engine, Prepared
from twin.runtime.inputs import Comparer, LiveInputs
from twin.runtime.loops import LEARNING, RETRY, STANDBY_TIME, chips_over_limit
from twin.runtime.snapshot import error_points, summarise
from twin.runtime.trial import TwinTrial
from twin.runtime.trial_worker import Runner, TrialOptions
from twin.units import kelvin, quantity_of

CELL = 0.45
NOW = 1_700_000_000.0
OPTIONS = TrialOptions()


@pytest.fixture(scope="module")
def layout():
    return load_layout(example_layout("liquid_row"))


@pytest.fixture(scope="module")
def nominal(layout):
    return Operating.nominal(layout)


@pytest.fixture(scope="module")
def kept(layout, nominal, tmp_path_factory):
    """Checkpoint of a twin that has run for a while."""
    engine = Engine(layout, CELL)
    assert "steady" in engine.start(NOW, nominal)
    run(engine, nominal, 20)
    path = tmp_path_factory.mktemp("engine") / "checkpoint.npz"
    engine.write_checkpoint(path)
    return path


@pytest.fixture
def engine(layout, nominal, kept):
    """A twin of its own for every test, from the checkpoint."""
    engine = Engine(layout, CELL)
    assert "checkpoint" in engine.start(NOW + 30.0, nominal, kept)
    return engine


def run(engine, operating, seconds):
    for _ in range(seconds):
        engine.follow(engine.time() + 1.0, operating)


def tripped(layout, nominal):
    """What the twin runs on when a pump's speed sensor says that it stands, with a sensor's noise."""
    inputs = LiveInputs(layout, nominal)
    inputs.take([Reading("L1P1.pump_speed", -0.003, NOW), Reading("L1P2.pump_speed", 0.8, NOW)])
    return inputs.operating()


def test_every_point_of_the_loops_is_predicted_and_the_air_alone_makes_the_error(engine, layout):
    predictions = engine.predictions()
    assert {"CDU1.level", "L1P2.pump_speed", "B03.chip_temperature", "K05.liquid_heat"} <= set(predictions)
    assert "K05.pump_speed" not in predictions
    assert all(quantity_of(point).unit for point in predictions)
    error = set(error_points(predictions, engine.loops.points()))
    assert "CDU1.return_temperature" not in error
    assert {"R01.outlet_temperature", "C1.return_temperature"} <= error


def test_power_is_what_liquid_and_air_get(engine, layout, nominal):
    run(engine, nominal, 60)
    body = summary(engine, layout, nominal)
    for rack in layout.racks:
        given = body["racks"][rack.id]["liquid_heat_w"] + engine.loops.coolant.air_heat(rack.id)
        # 16 W of friction in the plates; the chips' 8 kJ/K still move by a hundredth of a kelvin a second
        assert given == pytest.approx(rack.nominal_power, abs=100.0)
    loop = body["loops"]["L1"]
    assert loop["energy_relative"] < 1e-6
    liquid = sum(branch["liquid_heat_w"] for branch in loop["branches"].values())
    air = sum(cooler["cooling_w"] for cooler in body["coolers"].values())
    assert body["kpis"]["cooling_kw"] == pytest.approx((liquid + air) / 1e3, rel=1e-4)
    json.dumps(body, allow_nan=False)


def test_small_flows_keep_their_digits_on_the_wire(engine, layout, nominal):
    flow = summary(engine, layout, nominal)["loops"]["L1"]["branches"]["B01"]["flow_m3_s"]
    assert flow == pytest.approx(
        engine.loops.coolant.summary()["L1"]["branches"]["B01"]["flow_m3_s"], rel=1e-3
    )
    assert flow != round(flow, 4)


def summary(engine, layout, nominal):
    inputs = LiveInputs(layout, nominal)
    return summarise(engine, engine.predictions(), inputs, Comparer(), engine.time())


def test_a_pump_that_stands_by_its_sensor_warms_the_twins_chips(engine, layout, nominal):
    before = engine.predictions()
    run(engine, tripped(layout, nominal), 60)
    after = engine.predictions()
    assert after["L1P1.pump_speed"] < 0.01
    assert after["L1P2.pump_speed"] == pytest.approx(0.8)
    assert after["CDU1.coolant_flow"] < 0.9 * before["CDU1.coolant_flow"]
    assert after["B01.chip_temperature"] > before["B01.chip_temperature"] + 1.0
    body = summary(engine, layout, nominal)["loops"]["L1"]
    assert any("L1P1 is down" in text for text in body["findings"])
    assert not body["pumps"]["L1P1"]["on"]


def test_readings_become_the_loops_settings(layout, nominal):
    inputs = LiveInputs(layout, nominal)
    assert inputs.operating().coolant.speed == {}
    inputs.take(
        [
            Reading("L1P1.pump_speed", 0.6, NOW),
            Reading("CDU1.facility_supply_temperature", 21.5, NOW),
            Reading("CDU1.supply_temperature", 30.9, NOW),
        ]
    )
    now = inputs.operating().coolant
    assert now.speed == {"L1P1": pytest.approx(0.75)}
    assert now.drive == {"L1P1": True}
    assert now.facility == {"CDU1": pytest.approx(kelvin(21.5))}
    assert now.supply == {"CDU1": layout.loops[0].cdu.supply_temperature}
    assert "L1P1.pump_speed" in inputs.missing(NOW + 60.0)


def test_the_set_point_is_what_the_cdu_says_whatever_its_supply_does(layout, nominal):
    """A supply that a load step has made warmer is no other set point; one of half a kelvin more is."""
    inputs = LiveInputs(layout, nominal)
    inputs.take([Reading("CDU1.supply_temperature", 32.9, NOW), Reading("CDU1.valve", 0.6, NOW)])
    assert inputs.operating().coolant.supply["CDU1"] == pytest.approx(kelvin(30.0))
    inputs.take([Reading("CDU1.supply_set_point", 30.5, NOW)])
    assert inputs.operating().coolant.supply["CDU1"] == pytest.approx(kelvin(30.5))


@pytest.fixture(scope="module")
def spare():
    """The row with its second pump as standby."""
    return load_layout(example_layout("liquid_row"), ["loops[L1].cdu.pumps[L1P2].standby=true"])


@pytest.mark.parametrize(
    ("duty", "standby", "drive", "speed"),
    [
        (0.8, 0.003, {"L1P1": True}, {"L1P1": 1.0}),  # at rest: comes when it is called
        (0.8, 0.6, {"L1P1": True, "L1P2": True}, {"L1P1": 1.0, "L1P2": 0.75}),
        (0.0, 0.8, {"L1P1": False, "L1P2": True}, {"L1P1": 0.0, "L1P2": 1.0}),
        (0.0, 0.0, {"L1P1": False, "L1P2": False}, {"L1P1": 0.0, "L1P2": 0.0}),  # does not come
    ],
)
def test_a_standby_pump_runs_as_its_sensor_says(spare, duty, standby, drive, speed):
    inputs = LiveInputs(spare, Operating.nominal(spare))
    inputs.take([Reading("L1P1.pump_speed", duty, NOW), Reading("L1P2.pump_speed", standby, NOW)])
    now = inputs.operating().coolant
    assert now.drive == drive
    assert now.speed == pytest.approx(speed)


def test_a_standby_pump_that_is_called_and_does_not_come_is_an_alarm(spare):
    twin = Engine(spare, CELL)
    operating = Operating.nominal(spare)
    twin.loops.settle(twin.scene, twin.model, None, operating, twin.scene.unit_inputs(operating))

    def findings(seconds, **drive):
        now = dataclasses.replace(operating, coolant=CoolantSettings(drive=drive))
        for _ in range(seconds):
            twin.loops.advance(
                1.0, twin.scene, twin.model, twin.state, now, twin.scene.unit_inputs(operating)
            )
        return twin.loops.summary()["L1"]["findings"]

    alarm = "standby pump L1P2 was called and does not run"
    assert alarm not in findings(round(STANDBY_TIME) - 1, L1P1=False, L1P2=False)  # it may still come
    assert alarm in findings(2, L1P1=False, L1P2=False)
    assert alarm not in findings(1, L1P1=False, L1P2=True)
    assert alarm not in findings(round(STANDBY_TIME) + 1, L1P1=True, L1P2=False)


def test_a_checkpoint_has_the_loops(engine, layout, nominal, tmp_path):
    operating = dataclasses.replace(nominal, coolant=CoolantSettings(drive={"L1P1": False, "L1P2": False}))
    run(engine, operating, 10)
    path = tmp_path / "checkpoint.npz"
    engine.write_checkpoint(path)
    again = Engine(layout, CELL)
    assert "checkpoint" in again.start(engine.time() + 1.0, operating, path)
    assert again.loops.points() == engine.loops.points()
    warmer = load_layout(example_layout("liquid_row"), ["loops[L1].cdu.supply_temperature=35"])
    other = Engine(warmer, CELL)
    assert "checkpoint" in other.start(engine.time() + 1.0, Operating.nominal(warmer), path)
    assert other.loops.points()["CDU1.supply_temperature"] == pytest.approx(35.0, abs=0.01)


def test_the_air_goes_on_when_the_loops_fail_and_says_so(engine, layout, nominal):
    """The network refuses facility water of no temperature; the air does not feel it."""
    before, air = engine.loops.points(), engine.state.time
    broken = dataclasses.replace(nominal, coolant=CoolantSettings(facility={"CDU1": math.nan}))
    run(engine, broken, 3)
    assert engine.state.time == pytest.approx(air + 3.0)
    body = summary(engine, layout, nominal)
    assert "no finite number" in body["degraded"]
    assert "no finite number" in body["loops_fault"]
    assert "no finite number" in body["loops"]["L1"]["findings"][0]
    assert engine.loops.points() == before
    assert engine.loops.pack() == {}  # a state before the fault is none of now
    run(engine, nominal, round(RETRY) + 1)
    assert engine.loops.fault is None
    assert summary(engine, layout, nominal)["degraded"] is None
    run(engine, nominal, 2)
    assert engine.loops.points() != before


def test_a_checkpoint_from_loops_at_fault_has_what_was_learnt_and_no_old_state(
    engine, layout, nominal, tmp_path
):
    engine.loops.learn(60.0, {"B01.liquid_heat": 1e3}, nominal.rack_power)
    run(engine, dataclasses.replace(nominal, coolant=CoolantSettings(facility={"CDU1": math.nan})), 1)
    path = tmp_path / "checkpoint.npz"
    engine.write_checkpoint(path)
    again = Engine(layout, CELL)
    colder = dataclasses.replace(nominal, coolant=CoolantSettings(supply={"CDU1": kelvin(28.0)}))
    assert "checkpoint" in again.start(engine.time() + 1.0, colder, path)
    assert again.loops.air == engine.loops.air
    assert again.loops.points()["CDU1.supply_temperature"] == pytest.approx(28.0, abs=0.01)  # settled anew


def test_a_step_is_taken_by_air_and_loops_or_by_neither(engine, nominal):
    before, time = engine.loops.points(), engine.time()
    broken = dataclasses.replace(nominal, ambient_temperature=0.0)  # the loops do not ask for it
    for _ in range(3):
        with pytest.raises(NotConvergedError):
            engine.follow(engine.time() + 1.0, broken)
    assert engine.time() == time
    assert engine.loops.points() == before
    assert engine.loops.fault is None


def test_the_split_between_coolant_and_air_is_learnt_from_the_measured_heat(engine, layout, nominal):
    """A site whose chips give half as much again to the air: after ten minutes the twin knows."""
    site = Coolant(layout)
    truth = dataclasses.replace(nominal.coolant, air={"B02": 1.5})
    around = nominal.rack_power, dict.fromkeys(nominal.rack_power, 294.0)
    site.settle(*around, truth)
    measured = site.points()
    for _ in range(600):
        engine.follow(engine.time() + 1.0, nominal)
        said = engine.loops.points()
        # of one branch alone, so that the others must stay; a sensor of 2 % too much on the racklet's meter
        error = {
            "B02.liquid_heat": said["B02.liquid_heat"] - measured["B02.liquid_heat"],
            "K02.liquid_heat": said["K02.liquid_heat"] - 1.02 * measured["K02.liquid_heat"],
        }
        engine.loops.learn(1.0, error, nominal.rack_power)
    # 1 % of 14 kW on average is 140 W; the air beside the racks differs a little
    assert engine.loops.coolant.air_heat("R02") == pytest.approx(site.air_heat("R02"), abs=200.0)
    assert 1.3 < engine.loops.air["B02"] < 1.6
    assert engine.loops.air["B01"] == 1.0
    assert engine.operating.coolant.air == pytest.approx(engine.loops.air, rel=0.01)


def test_what_was_learnt_is_kept_and_a_stopped_loop_teaches_nothing(engine, layout, nominal, tmp_path):
    error = {"B01.liquid_heat": 1e3}
    engine.loops.learn(60.0, error, nominal.rack_power)
    learnt = engine.loops.air["B01"]
    assert 1.05 < learnt < 1.3
    engine.write_checkpoint(tmp_path / "checkpoint.npz")
    again = Engine(layout, CELL)
    again.start(engine.time() + 1.0, nominal, tmp_path / "checkpoint.npz")
    assert again.loops.air["B01"] == learnt
    stopped = dataclasses.replace(nominal, coolant=CoolantSettings(drive={"L1P1": False, "L1P2": False}))
    run(engine, stopped, 60)
    engine.loops.learn(60.0, error, nominal.rack_power)
    assert engine.loops.air["B01"] == learnt
    for _ in range(100):
        again.loops.learn(60.0, {"B01.liquid_heat": 1e6}, nominal.rack_power)
    assert again.loops.air["B01"] == 4.0  # no farther than that


def test_two_branches_of_a_rack_learn_from_their_own_heat(layout):
    """Half the rack's power each: beside all of it every branch would look idle."""
    shared = shared_rack(layout)
    operating = Operating.nominal(shared)
    twin = Engine(shared, CELL)
    twin.loops.settle(twin.scene, twin.model, None, operating, twin.scene.unit_inputs(operating))
    assert twin.loops.coolant is not None
    Q_air = twin.loops.coolant.air_heat("R01") / 2.0
    twin.loops.learn(60.0, {"B01.liquid_heat": 0.25 * Q_air}, operating.rack_power)
    # d(ln f)/dt of a quarter in 120 s; friction in the plates, 16 W, is in the coolant's heat
    assert math.log(twin.loops.air["B01"]) == pytest.approx(0.25 * 60.0 / LEARNING, rel=0.02)
    assert twin.loops.air["B07"] == 1.0
    light = dataclasses.replace(operating, rack_power={**operating.rack_power, "R01": 4.2e4})
    assert operating.rack_power["R01"] < 0.5 * light.rack_power["R01"]
    before = twin.loops.air["B01"]
    twin.loops.learn(60.0, {"B01.liquid_heat": 0.25 * Q_air}, light.rack_power)
    assert twin.loops.air["B01"] > before  # 8 kW of 21 kW is 38 %, of 42 kW it would be 19 %: too little


def shared_rack(layout):
    """The row with a second racklet, branch and half of the heat in its first rack."""
    unit, loop = layout.racklets[0], layout.loops[0]
    other = unit.model_copy(update={"id": "K07"})
    branch = loop.branches[0].model_copy(update={"id": "B07", "racklet": "K07"})
    return layout.model_copy(
        update={
            "racklets": (*layout.racklets, other),
            "loops": (loop.model_copy(update={"branches": (*loop.branches, branch)}),),
        }
    )


def test_a_rack_with_a_coil_and_a_circuit_of_its_own_gives_heat_to_both(layout):
    doors = load_layout(example_layout("rear_doors"))
    coil = doors.loops[0].coils[0]
    unit = layout.racklets[0].model_copy(update={"id": "K99", "rack": coil.rack})
    racks = tuple(
        rack.model_copy(update={"liquid_share": 0.5}) if rack.id == coil.rack else rack
        for rack in doors.racks
    )
    both = doors.model_copy(update={"racks": racks, "racklets": (*doors.racklets, unit)})
    operating = Operating.nominal(both)
    engine = Engine(both, CELL)
    engine.start(NOW, operating)
    predictions, body = engine.predictions(), summary(engine, both, operating)
    own = predictions["K99.liquid_heat"]
    assert own == pytest.approx(min(0.5 * both.rack(coil.rack).nominal_power, unit.cooling_module.capacity))
    in_coil = body["loops"][both.loops[0].id]["coils"][coil.id]["liquid_heat_w"]
    # numbers of the summary are rounded to a tenth of a milliwatt
    assert body["racks"][coil.rack]["liquid_heat_w"] == pytest.approx(own + in_coil, abs=1e-3)
    liquid = sum(rack["liquid_heat_w"] for rack in body["racks"].values())
    air = sum(cooler["cooling_w"] for cooler in body["coolers"].values())
    assert body["kpis"]["cooling_kw"] == pytest.approx((liquid + air) / 1e3, abs=1e-3)


def test_rear_doors_take_heat_out_of_the_live_twins_air():
    doors = load_layout(example_layout("rear_doors"))
    operating = Operating.nominal(doors)
    engine = Engine(doors, CELL)
    engine.start(NOW, operating)
    run(engine, operating, 60)
    body = summary(engine, doors, operating)
    coils = body["loops"][doors.loops[0].id]["coils"]
    rack = doors.loops[0].coils[0].rack
    taken = next(coil["liquid_heat_w"] for coil in coils.values() if coil["rack"] == rack)
    assert body["racks"][rack]["liquid_heat_w"] == taken > 0.3 * doors.rack(rack).nominal_power
    assert body["kpis"]["it_kw"] == pytest.approx(body["kpis"]["cooling_kw"], rel=0.1)  # room still warms


@dataclass
class Present:
    prepared: Prepared
    state: AirState
    coolant: dict = field(default_factory=dict)


def test_a_trial_goes_on_from_the_loops_state_and_sees_chips_over_their_limit(engine, layout, nominal):
    """In this process: what a worker does is the same code, its process is tried in test_trial."""
    runner = Runner(layout, 0.5)
    case = engine.scene.case, engine.scene.closure, layout.air.reference_temperature
    runner.take(case, engine.state, engine.loops.pack())
    calm = runner.run(nominal, nominal, 40.0, OPTIONS)
    assert set(calm.chip_over) == {rack.id for rack in layout.racks}
    live = chips_over_limit(layout, engine.loops.points())
    # nothing changes, so that the chips stay where they are but for the coarser air beside them
    assert calm.chip_over["R01"] == pytest.approx(live["R01"], abs=0.5)
    assert runner.run(nominal, nominal, 40.0, OPTIONS).chip_over == calm.chip_over
    down = dataclasses.replace(nominal, coolant=CoolantSettings(drive={"L1P1": False, "L1P2": False}))
    assert min(runner.run(nominal, down, 120.0, OPTIONS).chip_over.values()) > 0.0
    loaded = dataclasses.replace(nominal, rack_power=nominal.rack_power | {"R02": 40e3})
    busy = runner.run(nominal, loaded, 120.0, OPTIONS).chip_over
    assert busy["R02"] > calm.chip_over["R02"] + 15.0
    assert busy["R01"] < calm.chip_over["R01"] + 5.0


def test_a_worker_gets_the_loops(engine, layout, nominal):
    present = Present(Prepared(engine.scene, engine.model), engine.state, engine.loops.pack())
    trial = TwinTrial(layout, lambda: present, cell=0.6)
    try:
        trial.freeze()
        result = trial(nominal, nominal, 20.0)
    finally:
        trial.close()
    assert np.isfinite(list(result.chip_over.values())).all()
    assert len(result.chip_over) == 6


def test_chips_of_no_temperature_are_not_hidden_by_others_of_their_rack(layout):
    shared = shared_rack(layout)
    branches = [branch for loop in shared.loops for branch in loop.branches]
    points = {f"{branch.id}.chip_temperature": 60.0 for branch in branches}
    limit = branches[0].cold_plates.limit_temperature
    for name in ("B01", "B07"):
        over = chips_over_limit(shared, points | {f"{name}.chip_temperature": math.nan})
        assert math.isnan(over["R01"])
        assert over["R02"] == pytest.approx(kelvin(60.0) - limit)
