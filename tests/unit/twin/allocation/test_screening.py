"""Critical racks, receivers, influence and candidates."""

from dataclasses import replace

import numpy as np
import pytest

from twin.allocation.cost import electric_power, score
from twin.allocation.memory import Memory
from twin.allocation.plan import Candidate, Move, Setting, steps_of
from twin.allocation.screening import (
    Bounds,
    Influence,
    critical_racks,
    propose,
    receiving_racks,
)
from twin.allocation.situation import see
from twin.model.load import example_layout, load_layout
from twin.model.operating import LIQUID_PLANT_COP, cooling_power, plant_cop
from twin.racklet.cooling import liquid_heat
from twin.units import kelvin

HOT_RACKS = ("R02",)


def look(room):
    return see(room.layout, room, tuple(room.workloads()), {}, room.now, 15.0)


def inlets(room):
    values = room.inlets(room.powers(), room.supply, room.fan)
    return {rack: kelvin(value) for rack, value in values.items()}


def memory():
    return Memory(120.0, 300.0, 60.0)


def test_hot_overloaded_and_overfed_racks_are_critical(make_room):
    room = make_room()
    situation = look(room)
    cold = dict.fromkeys(room.racks, kelvin(20.0))
    assert critical_racks(situation, cold, 0.5) == {"R02": "power 14500 W over its 12000 W"}
    hot = cold | {"R03": kelvin(27.5), "R04": kelvin(31.8)}
    reasons = critical_racks(situation, hot, 0.5)
    assert set(reasons) == {"R02", "R03", "R04"}
    assert "recommended 27" in reasons["R03"] and "allowable 32" in reasons["R04"]


def test_receivers_have_power_thermal_room_and_data(make_room):
    room = make_room()
    cold = dict.fromkeys(room.racks, kelvin(20.0))
    room.age["R03"] = 100.0
    free = receiving_racks(look(room), cold | {"R01": kelvin(26.8)}, 0.5, Bounds(), HOT_RACKS)
    assert set(free) == {"R04"}  # R01 is too warm, R02 overloaded, R03 stale
    assert free["R04"] == pytest.approx(0.95 * 12e3 - 2500.0)


def test_hot_racks_heat_their_neighbours_in_the_prior():
    layout = load_layout(example_layout("pod_two_row"))
    influence = Influence(layout)
    gains = influence.mean[:, : len(influence.racks)]
    r02 = influence.racks.index("R02")
    row = dict(zip(influence.racks, gains[:, r02], strict=True))  # what R02's power does to the others
    assert (gains > 0).all()
    assert row["R02"] > row["R04"] > row["R06"]
    assert row["R02"] > row["R09"]  # the row across the aisle
    assert 1e-5 < row["R02"] < 1e-3  # 0.01 to 1 K/kW


def test_influence_learns_a_linear_room_from_trials(make_room):
    room = make_room()
    influence = Influence(room.layout)
    rng = np.random.default_rng(0)
    for _ in range(60):
        source, target = rng.choice(room.racks, 2, replace=False)
        watts = float(rng.uniform(500, 4000))
        candidate = Candidate("m", (Move("w", str(source), str(target), watts),))
        shift = np.array([candidate.power_change().get(rack, 0.0) for rack in room.racks])
        change = dict(zip(room.racks, (room.influence @ shift).tolist(), strict=True))
        influence.learn(candidate, change)
    candidate = Candidate("m", (Move("w", "R01", "R04", 3000.0),))
    shift = np.array([-3000.0, 0.0, 0.0, 3000.0])
    assert influence.change(candidate) == pytest.approx(room.influence @ shift, abs=0.05)


def test_a_trial_of_nothing_teaches_nothing(make_room):
    influence = Influence(make_room().layout)
    before = influence.mean.copy()
    influence.learn(Candidate("nothing"), {"R01": 5.0})
    assert (influence.mean == before).all()


def test_a_faster_pump_counts_as_less_heat_to_the_air(make_room):
    room = make_room(kind="liquid")
    influence = Influence(room.layout)
    u = influence.inputs(Candidate("pump", (), (Setting("K02.pump_speed", 0.6, 0.8),)))
    assert u[influence.columns.index("R02.power")] < -50.0
    assert np.count_nonzero(u) == 1


def test_candidates_respect_limits_rests_and_blindness(make_room):
    room = make_room()
    situation, influence, rests = look(room), Influence(room.layout), memory()
    rests.moved["W02.5"] = room.now - 10.0
    candidates = propose(
        situation, inlets(room), influence, rests, Bounds(moves=2), 0.3, HOT_RACKS, calm=False
    )
    assert {c.id for c in candidates} >= {"migrate", "cool", "migrate and cool"}
    for candidate in candidates:
        assert len(candidate.moves) <= 2
        assert all(move.workload != "W02.5" and move.source == "R02" for move in candidate.moves)
        for setting in candidate.settings:
            assert setting.cools
            assert 15.0 <= setting.new <= 25.0 or setting.quantity != "supply_temperature"
            assert 0.4 <= setting.new <= 1.0 or setting.quantity != "fan_speed"
    room.age["C1.supply_temperature"] = 99.0
    without = propose(look(room), inlets(room), influence, memory(), Bounds(), 0.3, HOT_RACKS, calm=False)
    assert not any(c.settings for c in without)


def test_the_second_candidate_shares_nothing_with_the_first_where_that_is_possible(make_room):
    room = make_room()
    first, second, *_ = propose(
        look(room), inlets(room), Influence(room.layout), memory(), Bounds(), 0.3, HOT_RACKS, calm=False
    )
    assert not set(first.moves) & set(second.moves)


def test_unmovable_workloads_stay(make_room):
    room = make_room()
    loads = tuple(
        type(load)(load.id, load.rack, load.demand, load.demand, False) for load in room.workloads()
    )
    situation = see(room.layout, room, loads, {}, room.now, 15.0)
    found = propose(
        situation, inlets(room), Influence(room.layout), memory(), Bounds(), 0.3, HOT_RACKS, calm=False
    )
    assert not any(candidate.moves for candidate in found)


def test_energy_is_saved_only_when_it_is_cold_and_has_been_calm(make_room, cool_room):
    influence = Influence(cool_room.layout)
    found = propose(look(cool_room), inlets(cool_room), influence, memory(), Bounds(), 0.3, (), calm=True)
    assert found and all(not s.cools for c in found for s in c.settings) and not any(c.moves for c in found)
    assert (
        propose(look(cool_room), inlets(cool_room), influence, memory(), Bounds(), 0.3, (), calm=False) == []
    )
    warm = dict.fromkeys(cool_room.racks, kelvin(26.0))
    assert propose(look(cool_room), warm, influence, memory(), Bounds(), 0.3, (), calm=True) == []


def test_feeds_are_limits_too(make_room):
    room = make_room()
    data = room.layout.model_dump()
    data["feeds"] = [{"id": "F1", "capacity": 10000}]
    for rack in data["racks"]:
        rack["feed"] = "F1" if rack["id"] in ("R01", "R04") else None
    room.layout = type(room.layout).model_validate(data)
    cold = dict.fromkeys(room.racks, kelvin(20.0))
    free = receiving_racks(look(room), cold, 0.5, Bounds(), ())
    assert free["R04"] == pytest.approx(10000.0 - 5000.0 - 2500.0)
    room.demand["W01.1"] += 4000.0
    assert "feed F1" in critical_racks(look(room), cold, 0.5)["R01"]


def test_score_prefers_cool_racks_and_little_power(make_room):
    room = make_room()
    situation, nothing = look(room), Candidate("nothing")
    cold = dict.fromkeys(room.racks, kelvin(20.0))
    assert score(situation, cold | {"R01": kelvin(28.0)}, nothing, 0.0) == pytest.approx(
        score(situation, cold, nothing, 0.0) + 5.0
    )
    warmer = Candidate("save", (), (Setting("C1.supply_temperature", 18.0, 20.0),))
    faster = Candidate("cool", (), (Setting("C1.fan_speed", 0.7, 0.8),))
    assert electric_power(situation, warmer) < electric_power(situation, nothing)
    extra = 2500.0 * ((0.8 / 0.7) ** 3 - 1.0)
    assert electric_power(situation, faster) == pytest.approx(electric_power(situation, nothing) + extra)


def test_cooling_power_charges_the_heat_that_goes_to_liquid(make_room):
    situation = look(make_room(kind="liquid"))
    power = situation.operating.rack_power
    racklets = [rack.racklet for rack in situation.racks.values() if rack.racklet is not None]
    liquid = {unit.id: liquid_heat(power[unit.rack], 0.3, 0.6, 0.6, 30e3) for unit in racklets}
    air = sum(power.values()) - sum(liquid.values())
    taken = dict.fromkeys(situation.coolers, air / len(situation.coolers))
    parts = cooling_power(situation.coolers.values(), racklets, situation.operating, taken, liquid)
    assert parts.liquid_plant == pytest.approx(0.3 * sum(power.values()) / LIQUID_PLANT_COP)
    assert electric_power(situation, Candidate("nothing")) == pytest.approx(parts.total)


def test_racks_on_a_loop_cost_what_its_exchanger_and_pumps_do(make_room):
    """Liquid share 0.3; the live twin's exchanger takes 9 kW and its pumps draw 650 W."""
    room = make_room(looped=True, loops={"L1": {"heat_w": 9000.0, "pump_power_w": 650.0}})
    situation, nothing = look(room), Candidate("nothing")
    cooler, operating = room.layout.cooler("C1"), situation.operating
    fans = cooling_power([cooler], [], operating, {"C1": 0.0}, {}).total
    expected = fans + 9000.0 / LIQUID_PLANT_COP + 650.0
    assert electric_power(situation, nothing, {"C1": 0.0}) == pytest.approx(expected)
    air = sum(room.powers().values()) - 9000.0
    without = electric_power(situation, nothing) - expected
    assert without == pytest.approx(air / plant_cop(cooler, operating.set_point(cooler)))
    less = {**operating.rack_power, "R02": operating.rack_power["R02"] - 3000.0}
    grown = replace(situation, operating_now=replace(operating, rack_power=less))
    more = electric_power(grown, nothing, {"C1": 0.0}) - expected
    assert more == pytest.approx(0.3 * 3000.0 / LIQUID_PLANT_COP)


def test_a_loop_that_the_twin_does_not_show_costs_what_the_layout_says(make_room):
    room = make_room(looped=True)
    situation = look(room)
    heat = 0.3 * sum(room.powers().values())
    fans = cooling_power([room.layout.cooler("C1")], [], situation.operating, {"C1": 0.0}, {}).total
    expected = fans + heat / LIQUID_PLANT_COP + 700.0
    assert electric_power(situation, Candidate("nothing"), {"C1": 0.0}) == pytest.approx(expected)


def test_steps_are_ordered_and_can_be_undone():
    up, down = Setting("C1.fan_speed", 0.7, 0.8), Setting("C2.supply_temperature", 18.0, 19.0)
    move = Move("w", "A", "B", 1.0)
    steps = steps_of(Candidate("x", (move,), (down, up)))
    assert [step.name for step in steps] == ["cooling up", "migrations", "cooling down"]
    assert steps[0].undone().settings == (Setting("C1.fan_speed", 0.8, 0.7),)
    assert steps[1].undone().moves == (Move("w", "B", "A", 1.0),)
    assert all(step.undone().undone() == step for step in steps)
