"""3D-ICE stacks with cells inside walls and channels, against the values of 3D-ICE itself."""

from __future__ import annotations

import pytest

from twin.errors import InputError
from twin.plates.ice_model import build_ice
from twin.plates.ice_reader import read_stack
from twin.plates.ice_refined import refine_ice
from twin.plates.ice_results import ice_numbers
from twin.plates.ice_run import run_ice

PRINTED = {"node1": 324.541, "node2": 311.165}  # 4rm, steady; as in test_ice
INLET = 300.0


def check(model, answers, cells):
    numbers = ice_numbers(model, answers)
    assert numbers["coolant_rise_k"] == pytest.approx(29.957, rel=1e-3)  # asked: 0.1 %
    assert numbers["energy_relative"] < 1e-6
    assert model.stack.x.sum() == pytest.approx(10e-3, rel=1e-9)
    assert answers.temperature.size <= 1.25 * cells  # "about"
    return numbers


def test_resolved_solids_keep_within_3_5_percent_of_the_rise(write_stack):
    model = refine_ice(read_stack(write_stack("4rm", 50)), "correlation", 150_000)
    answers = run_ice(model)
    for name, expected in PRINTED.items():
        rise = answers.probes[name][0][1] - INLET
        assert rise == pytest.approx(expected - INLET, rel=0.035)  # asked
    assert check(model, answers, 150_000)["model"] == "conjugate"


def test_resolved_channels_keep_within_3_5_percent_but_at_the_inlet(write_stack):
    """node2 lies at the inlet, where a resolved flow develops and cools better than the file's even film."""
    path = write_stack("4rm", 50)
    compact = run_ice(build_ice(read_stack(path)))
    model = refine_ice(read_stack(path), "resolved", 1_000_000)
    answers = run_ice(model)
    assert answers.probes["node1"][0][1] - INLET == pytest.approx(PRINTED["node1"] - INLET, rel=0.035)
    assert answers.highest - INLET == pytest.approx(compact.highest - INLET, rel=0.035)
    assert 0.4 < (answers.probes["node2"][0][1] - INLET) / (PRINTED["node2"] - INLET) < 0.8
    assert check(model, answers, 1_000_000)["model"] == "resolved"


@pytest.mark.parametrize(
    ("stack", "kind", "changes", "rule"),
    [
        ("top", "resolved", (), "no channels that could be resolved"),
        ("pinfin", "resolved", (), "no channels that could be resolved"),
        ("2rm", "correlation", (), "no heat transfer coefficient of the side"),
        (
            "4rm",
            "resolved",
            ("capacity 4.172638e-12", "capacity 1.2e-12"),
            "is not the heat capacity of water",
        ),
        ("4rm", "resolved", ("flow rate 48", "flow rate 4800"), "is turbulent"),
    ],
)
def test_what_cannot_be_resolved_is_refused(write_stack, stack, kind, changes, rule):
    path = write_stack(stack, 50)
    if changes:
        text = path.read_text()
        assert changes[0] in text
        path.write_text(text.replace(*changes))
    with pytest.raises(InputError) as caught:
        refine_ice(read_stack(path), kind, 100_000)
    (finding,) = caught.value.findings
    assert rule in finding.rule and finding.remedy and finding.file == str(path)
