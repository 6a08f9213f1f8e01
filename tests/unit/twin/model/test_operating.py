"""Operating: powers, flows and heats of racks and coolers against sums done by hand."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.model.operating import (
    LIQUID_PLANT_COP,
    Operating,
    Perturbation,
    cooler_flow,
    cooling_power,
    curve_factor,
    duct_flow,
    liquid_share,
    plant_cop,
    rack_slots,
    racklet_liquid_heat,
)
from twin.model.schema import FanCurve, Layout
from twin.racklet.cooling import liquid_heat
from twin.units import kelvin


@pytest.fixture
def layout(room):
    return Layout.model_validate(room)


def total(slots, name):
    return sum(getattr(slot, name) for slot in slots)


def test_nominal_names_everything(layout):
    operating = Operating.nominal(layout)
    assert operating.rack_power == {"A1": 4000.0, "A2": 6000.0}
    assert operating.fan_speed == {"K2": 0.6}
    assert operating.pump_speed == {"K2": 0.6}
    assert operating.cooler_supply_temperature == {"C1": kelvin(18.0)}
    assert operating.cooler_fan_speed == {"C1": 0.7}
    assert operating.failed == frozenset()


def test_an_empty_operating_is_nominal(layout):
    for rack in layout.racks:
        assert rack_slots(layout, rack, Operating()) == rack_slots(layout, rack, Operating.nominal(layout))


def test_a_dry_rack_gives_all_its_heat_to_the_air_by_height(layout):
    slots = rack_slots(layout, layout.rack("A1"), Operating())
    assert [slot.air_heat for slot in slots] == pytest.approx([2000.0, 2000.0])
    assert [slot.flow for slot in slots] == pytest.approx([0.1, 0.1])
    assert total(slots, "thermal_mass") == pytest.approx(150e3)


def test_flow_per_power_follows_the_power_and_fixed_flow_does_not(layout):
    operating = Operating(rack_power={"A1": 8000.0, "A2": 12000.0})
    assert total(rack_slots(layout, layout.rack("A1"), operating), "flow") == pytest.approx(0.4)
    assert total(rack_slots(layout, layout.rack("A2"), operating), "flow") == pytest.approx(0.3)
    idle = Operating(rack_power={"A1": 0.0})
    assert total(rack_slots(layout, layout.rack("A1"), idle), "flow") == pytest.approx(0.3 * 0.2)


def test_heat_is_shared_between_liquid_and_air_and_none_is_lost(layout):
    rack = layout.rack("A2")
    for pump in (0.0, 0.3, 0.6, 1.0):
        operating = Operating(pump_speed={"K2": pump})
        slots = rack_slots(layout, rack, operating)
        expected = liquid_heat(6000.0, 0.5, pump, 0.6, 30e3)
        assert total(slots, "liquid_heat") == pytest.approx(expected)
        assert racklet_liquid_heat(layout, layout.racklet("K2"), operating) == pytest.approx(expected)
        assert total(slots, "air_heat") + total(slots, "liquid_heat") == pytest.approx(6000.0)


def test_fan_speed_is_linear_and_needs_a_racklet(layout):
    operating = Operating(fan_speed={"K2": 0.9})
    assert total(rack_slots(layout, layout.rack("A2"), operating), "flow") == pytest.approx(0.45)
    assert total(rack_slots(layout, layout.rack("A1"), operating), "flow") == pytest.approx(0.2)


def test_two_racklets_share_a_rack(room):
    room["racklets"].append({"id": "K3", "rack": "A2", "u_start": 34})
    layout = Layout.model_validate(room)
    operating = Operating(pump_speed={"K3": 0.0})
    assert racklet_liquid_heat(layout, layout.racklet("K2"), operating) == pytest.approx(1500.0)
    assert racklet_liquid_heat(layout, layout.racklet("K3"), operating) == 0.0
    assert total(rack_slots(layout, layout.rack("A2"), operating), "air_heat") == pytest.approx(4500.0)


def test_slots_may_have_laws_of_their_own(room):
    room["racks"][1]["slots"] = [
        {"u_start": 1, "u_height": 10, "power": 4000, "liquid_share": 0.75, "thermal_mass": 1000},
        {"u_start": 11, "u_height": 10, "power": 2000, "liquid_share": 0.0, "air": {"per_power": 0.1}},
    ]
    layout = Layout.model_validate(room)
    rack = layout.rack("A2")
    assert liquid_share(rack) == pytest.approx(0.5)
    wet, dry = rack_slots(layout, rack, Operating())
    assert (wet.flow, dry.flow) == (pytest.approx(0.3), pytest.approx(0.2))
    assert (wet.air_heat, wet.liquid_heat) == (pytest.approx(1000.0), pytest.approx(3000.0))
    assert (dry.air_heat, dry.liquid_heat) == (pytest.approx(2000.0), 0.0)
    assert (wet.thermal_mass, dry.thermal_mass) == (1000.0, pytest.approx(75e3))


def test_each_slot_divides_its_own_heat(room):
    room["racks"][1]["slots"] = [
        {"u_start": 1, "u_height": 10, "liquid_share": 1.0},
        {"u_start": 11, "u_height": 10, "liquid_share": 0.1},
        {"u_start": 21, "u_height": 5, "liquid_share": 0.0, "power": 1000},
    ]
    layout = Layout.model_validate(room)
    operating = Operating(pump_speed={"K2": 1.0})
    wet, damp, dry = rack_slots(layout, layout.rack("A2"), operating)
    assert (wet.air_heat, wet.liquid_heat) == (0.0, pytest.approx(2500.0))
    assert damp.liquid_heat == pytest.approx(liquid_heat(2500.0, 0.1, 1.0, 0.6, 30e3))
    assert (dry.air_heat, dry.liquid_heat) == (pytest.approx(1000.0), 0.0)
    taken = racklet_liquid_heat(layout, layout.racklet("K2"), operating)
    assert taken == pytest.approx(total((wet, damp, dry), "liquid_heat"))


def test_a_circuit_at_its_capacity_takes_less_of_every_slot(room):
    room["racklets"][0]["cooling_module"] = {"capacity": 1500}
    room["racks"][1]["slots"] = [
        {"u_start": 1, "u_height": 10, "liquid_share": 0.75},
        {"u_start": 11, "u_height": 10, "liquid_share": 0.25},
    ]
    layout = Layout.model_validate(room)
    slots = rack_slots(layout, layout.rack("A2"), Operating())
    assert [slot.liquid_heat for slot in slots] == pytest.approx([1125.0, 375.0])


unit_interval = st.floats(0.0, 1.0)


@given(
    shares=st.tuples(unit_interval, unit_interval, unit_interval),
    pumps=st.tuples(unit_interval, unit_interval),
    power=st.floats(0.0, 2e4),
    liquid=st.floats(0.0, 3.0),
    released=st.floats(0.0, 2.0),
)
def test_no_slot_ever_cools_the_air_and_no_heat_is_lost(shares, pumps, power, liquid, released):
    slots = [
        {"u_start": 1 + 10 * k, "u_height": 4 + k, "liquid_share": share} for k, share in enumerate(shares)
    ]
    rack = {"id": "A", "position": [1, 1], "facing": "-y", "power": 6000, "slots": slots}
    racklets = [{"id": f"K{k}", "rack": "A", "u_start": 33 + 4 * k} for k in range(2)]
    layout = Layout.model_validate(
        {"name": "r", "room": {"size": [3, 3, 3]}, "racks": [rack], "racklets": racklets}
    )
    operating = Operating(rack_power={"A": power}, pump_speed=dict(zip(("K0", "K1"), pumps, strict=True)))
    plant = Perturbation(liquid={"K0": liquid}, power={"A": released})
    parts = rack_slots(layout, layout.rack("A"), operating, plant)
    assert all(part.air_heat >= 0.0 and part.liquid_heat >= 0.0 for part in parts)
    assert total(parts, "air_heat") + total(parts, "liquid_heat") == pytest.approx(power * released)
    taken = sum(racklet_liquid_heat(layout, unit, operating, plant) for unit in layout.racklets)
    assert taken == pytest.approx(total(parts, "liquid_heat"))


def test_fan_curves_interpolate_and_hold_at_the_ends():
    curve = FanCurve.model_validate({"temperature": [25, 35], "factor": [1.0, 1.5]})
    at = [10.0, 25.0, 30.0, 35.0, 60.0]
    assert [curve_factor(curve, kelvin(t)) for t in at] == pytest.approx([1.0, 1.0, 1.25, 1.5, 1.5])
    assert curve_factor(curve, None) == 1.0
    assert curve_factor(None, 300.0) == 1.0


def test_a_warm_inlet_speeds_up_only_its_own_slot(room):
    room["racks"][0]["air"]["curve"] = {"temperature": [25, 35], "factor": [1.0, 1.5]}
    layout = Layout.model_validate(room)
    cold, warm = rack_slots(layout, layout.rack("A1"), Operating(), None, (kelvin(20), kelvin(40)))
    assert (cold.flow, warm.flow) == (pytest.approx(0.1), pytest.approx(0.15))


def test_coolers_turn_with_their_fan_and_stop_when_they_fail(layout):
    cooler = layout.cooler("C1")
    assert cooler_flow(cooler, Operating()) == pytest.approx(0.55)
    assert cooler_flow(cooler, Operating(cooler_fan_speed={"C1": 0.35})) == pytest.approx(0.275)
    assert cooler_flow(cooler, Operating(failed=frozenset({"C1"}))) == 0.0
    broken = layout.model_copy(update={"coolers": (cooler.model_copy(update={"failed": True}),)})
    assert Operating.nominal(broken).failed == {"C1"}


@pytest.fixture
def blower(room):
    room["coolers"][0]["fan_curve"] = {"stall_pressure": 200, "design_pressure": 50}
    return Layout.model_validate(room).cooler("C1")


def at(speed):
    return Operating(cooler_fan_speed={"C1": speed})


def test_a_fan_curve_runs_from_free_delivery_through_the_design_point_to_stall(blower):
    free = 0.55 / math.sqrt(1 - 50 / 200)
    assert cooler_flow(blower, Operating(), dp=50.0) == pytest.approx(0.55)
    assert cooler_flow(blower, Operating(), dp=0.0) == pytest.approx(free)
    assert cooler_flow(blower, Operating(), dp=150.0) == pytest.approx(0.5 * free)
    assert cooler_flow(blower, Operating(), dp=200.0) == cooler_flow(blower, Operating(), dp=900.0) == 0.0
    assert cooler_flow(blower, Operating(), dp=-1e6) == cooler_flow(blower, Operating(), dp=-200.0)


def test_a_fan_curve_follows_the_affinity_laws(blower):
    # half the speed: half the flow at a quarter of the pressure
    for dp in (0.0, 50.0, 120.0):
        full = cooler_flow(blower, Operating(), dp=dp)
        assert cooler_flow(blower, at(0.35), dp=0.25 * dp) == pytest.approx(0.5 * full)
    assert cooler_flow(blower, at(0.35)) == pytest.approx(0.275)  # no pressure given: along the affinity law
    assert cooler_flow(blower, at(0.0), dp=0.0) == 0.0


def test_a_cooler_without_a_curve_does_not_feel_pressure(layout):
    assert cooler_flow(layout.cooler("C1"), Operating(), dp=1e4) == pytest.approx(0.55)


def test_ducts_keep_their_flow_until_their_fan_fails(room):
    face = {"lo": [4.0, 0.5, 2.6], "hi": [4.0, 0.9, 2.9]}
    room["ducts"] = [{"id": "D1", "air_flow": 0.3, "discharge": face}]
    layout = Layout.model_validate(room)
    (duct,) = layout.ducts
    assert duct_flow(duct, Operating()) == 0.3
    assert duct_flow(duct, Operating(), Perturbation(air_flow={"D1": 0.9})) == pytest.approx(0.27)
    assert duct_flow(duct, Operating(failed=frozenset({"D1"}))) == 0.0
    assert Operating.nominal(layout).failed == frozenset()
    off = Layout.model_validate(room | {"ducts": [room["ducts"][0] | {"failed": True}]})
    assert Operating.nominal(off).failed == {"D1"}
    assert duct_flow(off.ducts[0], Operating.nominal(off)) == 0.0


def test_cooling_power_is_the_sum_of_its_named_parts(layout):
    cooler = layout.cooler("C1")
    operating = Operating(
        cooler_supply_temperature={"C1": kelvin(20.0)}, cooler_fan_speed={"C1": 0.35}, pump_speed={"K2": 0.9}
    )
    assert plant_cop(cooler, kelvin(20.0)) == pytest.approx(4.5 * 1.05)
    assert plant_cop(cooler, kelvin(-60.0)) == pytest.approx(4.5 * 0.5)
    parts = cooling_power(layout.coolers, layout.racklets, operating, {"C1": 7000.0}, {"K2": 3000.0})
    assert parts.air_plant == pytest.approx(7000.0 / (4.5 * 1.05))
    assert parts.cooler_fans == pytest.approx(2500.0 / 8)
    assert parts.liquid_plant == pytest.approx(3000.0 / LIQUID_PLANT_COP)
    assert parts.pumps == pytest.approx(120.0 * 1.5**3)
    assert parts.total == pytest.approx(
        sum((parts.air_plant, parts.cooler_fans, parts.liquid_plant, parts.pumps))
    )


def test_loops_add_their_heat_and_pumps(layout):
    given = (layout.coolers, layout.racklets, Operating(), {"C1": 7000.0}, {"K2": 3000.0})
    alone, both = cooling_power(*given), cooling_power(*given, loop_heat=8000.0, loop_pumps=500.0)
    assert both.liquid_plant == pytest.approx(11000.0 / LIQUID_PLANT_COP)
    assert both.pumps == pytest.approx(alone.pumps + 500.0)
    assert (both.air_plant, both.cooler_fans) == (alone.air_plant, alone.cooler_fans)


def test_heat_moved_to_liquid_is_not_free(layout):
    def total_of(air, liquid):
        return cooling_power(layout.coolers, layout.racklets, Operating(), {"C1": air}, {"K2": liquid}).total

    assert total_of(7000.0, 3000.0) < total_of(8000.0, 2000.0)
    assert total_of(7000.0, 3000.0) > total_of(7000.0, 2000.0)


def test_perturbations_are_factors_that_stand_alone(layout):
    rack = layout.rack("A2")
    base = rack_slots(layout, rack, Operating())
    plant = Perturbation(air_flow={"A2": 0.9, "C1": 1.1}, liquid={"K2": 0.8}, power={"A2": 1.02})
    other = rack_slots(layout, rack, Operating(), plant)
    assert total(other, "flow") == pytest.approx(0.9 * total(base, "flow"))
    assert total(other, "liquid_heat") == pytest.approx(0.8 * 1.02 * total(base, "liquid_heat"))
    assert total(other, "air_heat") + total(other, "liquid_heat") == pytest.approx(1.02 * 6000.0)
    assert cooler_flow(layout.cooler("C1"), Operating(), plant) == pytest.approx(1.1 * 0.55)
    assert rack_slots(layout, rack, Operating(), Perturbation()) == base


def test_operating_is_replaced_not_changed(layout):
    operating = Operating.nominal(layout)
    hotter = replace(operating, rack_power={**operating.rack_power, "A1": 9000.0})
    assert operating.rack_power["A1"] == 4000.0
    assert hotter.power(layout.rack("A1")) == 9000.0
