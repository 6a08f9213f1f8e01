"""Coolant loops of a layout: what a file may say, and every fault by object and field."""

from __future__ import annotations

import re

import numpy as np
import pytest

from solvers.coolant.pumps import shaft_power
from twin.errors import InputError
from twin.model.check import check_layout
from twin.model.coolant import build_loop
from twin.model.load import example_layout, load_layout
from twin.model.schema import Pump


def load(*overrides: str):
    return load_layout(example_layout("liquid_row"), overrides)


def test_the_liquid_row_is_sound():
    layout = load()
    assert check_layout(layout) == []
    loop, branch = layout.branch_of("K03")
    assert (loop.id, branch.id) == ("L1", "B03")
    assert layout.branch_of("K99") is None


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("loops[L1].cdu.supply_temperature=18", "facility water of 20 degC cannot cool it"),
        ("loops[L1].cdu.facility.supply_temperature=-8", "pg25 freezes at -10.1 degC"),
        ("loops[L1].cdu.facility.supply_temperature=-1", "facility's water freezes at 0.0 degC"),
        ("loops[L1].cdu.supply_temperature=-5", "cannot cool it so far"),
        ("loops[L1].cdu.filter.clogged=0.99", "blocked from 0.98 on: it isolates the pumps"),
        ("loops[L1].fluid=novec649", "boils at 49.1 degC, and chips may reach 75 degC"),
        ("loops[L1].branches[B02].racklet=K01", "is fed by more than one branch"),
        ("loops[L1].branches[B02].racklet=K9", "there is no racklet with this id"),
        ("loops[L1].cdu.exchanger.pressure_drop=150e3", "plates or coils, exchanger and filter alone take"),
        ("loops[L1].branches[B01].design_flow=0.01", "less than 40 % of"),
        ("loops[L1].branches[B01].cold_plates.resistance=5e-4", "own warming at its design flow"),
        ("loops[L1].branches[B01].cold_plates.spec=nowhere.yaml", "no such file beside the layout"),
        ("racklets[K02].cooling_module.kind=air", "its cooling module is not liquid"),
        (
            "loops[L1].cdu.pumps[L1P1].shutoff_pressure=100e3",
            "design_pressure must lie below shutoff_pressure",
        ),
    ],
)
def test_a_fault_is_named(override, said):
    with pytest.raises(InputError, match=said):
        load(override)


def test_chips_that_no_plate_of_the_kind_could_cool_are_refused():
    with pytest.raises(InputError, match=r"would reach 25630 degC.*75 degC need at most 0\.0028 K/W"):
        load("loops[L1].branches[B01].cold_plates.resistance=1.6")


def test_chips_over_boiling_are_warned_of_with_the_liquid():
    findings = check_layout(load("loops[L1].branches[B04].cold_plates.resistance=5e-3"))
    (said,) = [str(finding) for finding in findings if "over their limit" in str(finding)]
    assert "pg25 boils at 100.9 degC" in said


def written(tmp_path, *changes):
    text = (
        example_layout("liquid_row").read_text().replace("spec: coldplates/racklet_30kw.yaml", "spec: null")
    )
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "room.yaml"
    path.write_text(text)
    return path


def test_a_fault_of_an_anchor_is_told_once_with_all_its_users(tmp_path):
    path = written(tmp_path, ("resistance: 0.95e-3", "resistance: 1.6"))
    with pytest.raises(InputError) as caught:
        load_layout(path)
    (found,) = caught.value.findings
    assert found.object == "branch 'B01', 'B02', 'B03', 'B04', 'B05', 'B06'"
    assert found.field == "loops[0].branches[0].cold_plates.resistance"
    assert found.line > 0


def test_an_unknown_key_under_an_anchor_is_told_once_of_branches(tmp_path):
    path = written(tmp_path, ("thermal_mass: 8e3", "thermal_mas: 8e3"))
    with pytest.raises(InputError) as caught:
        load_layout(path)
    (found,) = caught.value.findings
    assert found.object == "branch 'B01', 'B02', 'B03', 'B04', 'B05', 'B06'"
    assert found.remedy == "Did you mean 'thermal_mass'?"


def test_faults_that_are_written_twice_are_told_twice(tmp_path):
    path = written(tmp_path, ("racklet: K02", "racklet: K8"), ("racklet: K03", "racklet: K8"))
    with pytest.raises(InputError) as caught:
        load_layout(path)
    missing = [f.object for f in caught.value.findings if "there is no racklet" in f.rule]
    assert missing == ["branch 'B02'", "branch 'B03'"]


def test_a_rule_of_a_pump_comes_with_its_remedy():
    with pytest.raises(InputError) as caught:
        load("loops[L1].cdu.pumps[L1P1].shutoff_pressure=100e3")
    (found,) = caught.value.findings
    assert found.object == "pump 'L1P1'"
    assert found.remedy.startswith("Raise shutoff_pressure or lower design_pressure")


def doors(*overrides: str, settles: bool = False):
    return load_layout(example_layout("rear_doors"), overrides, settles=settles)


def test_two_coils_in_the_air_of_one_rack_are_refused_with_both_names():
    with pytest.raises(InputError, match="coils 'D01' and 'D02' both cool the air of this rack") as caught:
        doors("loops[L1].coils[D02].rack=R01")
    assert [f.field for f in caught.value.findings] == ["loops[0].coils[1].rack"]


def test_a_room_whose_heat_is_all_behind_coils_needs_no_cooler():
    layout = doors("coolers=[]", "tiles=[]", settles=True)
    assert layout.coolers == ()


def test_a_room_cooled_by_doors_in_part_is_refused_with_all_of_its_heat():
    only = "[{id: D01, rack: R01, design_flow: 6e-4, ua: 1400}]"
    with pytest.raises(InputError, match="nothing cools the room, whose air takes 72000 W"):
        doors("coolers=[]", "tiles=[]", f"loops[L1].coils={only}", settles=True)


@pytest.mark.parametrize(("power", "rule"), [("150", "at most 90%"), ("4000", "at least 5%")])
def test_a_pump_whose_power_fits_no_pump_is_refused(power, rule):
    with pytest.raises(InputError, match=rf"pump 'L1P1'.*168 W.*{rule}"):
        load(f"loops[L1].cdu.pumps[L1P1].power={power}")


@pytest.mark.parametrize("power", [300.0, 900.0])
def test_a_pump_takes_its_power_at_the_design_point(power):
    loop = load(f"loops[L1].cdu.pumps[L1P1].power={power}").loops[0]
    case = build_loop(loop).case
    pump, one = loop.cdu.pumps[0], np.ones(2)
    V, rise = pump.design_flow * one, pump.design_pressure * one
    assert shaft_power(case, V, rise, one)[0] == pytest.approx(power)


def test_without_a_power_a_pump_has_an_efficiency_of_60_percent():
    pump = Pump(id="P", design_flow=1e-3, design_pressure=1.2e5, shutoff_pressure=2e5)
    assert pump.shaft_power == pytest.approx(200.0)


def test_an_empty_tank_is_refused():
    with pytest.raises(InputError, match=r"pumps draw gas from a tank that holds less than 0\.02"):
        load("loops[L1].cdu.reservoir.level=0.01")


def test_a_set_point_above_boiling_is_named_by_its_field():
    with pytest.raises(InputError, match=r"novec649 boils at 49\.1 degC") as caught:
        load("loops[L1].fluid=novec649", "loops[L1].cdu.supply_temperature=55")
    assert "cdu.supply_temperature" in {f.field.split("].")[-1] for f in caught.value.findings}


def test_a_branch_whose_coolant_would_boil_is_named():
    with pytest.raises(InputError, match=r"pg25 would leave at \d+ degC, above its boiling point"):
        load("loops[L1].branches[B01].design_flow=2e-5", "loops[L1].branches[B01].cold_plates.resistance=0.1")


def test_all_faults_at_once():
    shut = [f"loops[L1].branches[B0{n}].valve_open=0" for n in range(1, 7)]
    with pytest.raises(InputError) as caught:
        load(*shut, "loops[L1].cdu.pumps[L1P1].standby=true", "loops[L1].cdu.pumps[L1P2].standby=true")
    text = str(caught.value)
    assert "the valves isolate pump 'L1P1', 'L1P2'" in text
    assert "no pump runs" in text


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("loops[L1].branches[B04].cold_plates.resistance=4e-3", "over their limit of 75 degC"),
        ("loops[L1].cdu.reservoir.level=0.3", "below its alarm level"),
        ("loops[L1].cdu.facility.flow=0.8", "the exchanger gives 39.7 degC at best"),
        ("loops[L1].branches[B06].hose_diameter=0.008", "its balancing valve fully open it lacks"),
        ("loops[L1].branches[B06].hose_diameter=0.008", r"branch 'B06' .* it lacks \d+ Pa"),
    ],
)
def test_what_runs_badly_warns(override, said):
    findings = check_layout(load(override))
    assert any(re.search(said, str(finding)) for finding in findings)
