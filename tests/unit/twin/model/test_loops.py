"""Coolant loops of a layout: what a file may say, and every fault by object and field."""

from __future__ import annotations

import pytest

from twin.errors import InputError
from twin.model.check import check_layout
from twin.model.load import example_layout, load_layout


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
    ],
)
def test_what_runs_badly_warns(override, said):
    findings = check_layout(load(override))
    assert any(said in str(finding) for finding in findings)
