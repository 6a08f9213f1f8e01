"""Bad stack files: every fault at once, with its line; nothing is ignored."""

from __future__ import annotations

import pytest

from twin.errors import InputError
from twin.plates.ice_reader import read_stack


def faults_of(path):
    with pytest.raises(InputError) as caught:
        read_stack(path)
    return caught.value.findings


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_units_become_si(write_stack):
    ice = read_stack(write_stack("4rm", 50))
    assert ice.cavity is not None
    assert ice.materials["silicon"].conductivity == pytest.approx((130.0,) * 3)
    assert ice.materials["silicon"].heat_capacity == pytest.approx(1.63566e6)
    assert (ice.cavity.height, ice.cavity.first_wall) == pytest.approx((1e-4, 25e-6))
    assert ice.cavity.flow == pytest.approx(8e-7)
    assert ice.cavity.side == pytest.approx(2.7132e4)
    assert [element.name for element in ice.elements] == ["die2", "gap", "die1"]
    assert ice.elements[0].die is not None and ice.elements[0].die.source == 0
    assert ice.steady


def test_anisotropic_materials_layers_sinks_and_one_film_for_all(write_stack):
    path = write_stack("4rm", 50)
    change(path, "conductivity 1.30e-04", "conductivity 1e-4, 2e-4, 3e-4")
    change(path, "side 2.7132e-8, top 4.7132e-8, bottom 5.7132e-8", "4e-8")
    change(path, "die lower :", "layer board : height 20 ; material silicon ;\ndie lower : layer board ;")
    change(path, "solver", "   layer under board ;\nsolver")
    change(path, "dimensions", "conventional heat sink : heat transfer coefficient 1e-9 ; ambient temperature 310 ;\ndimensions")  # fmt: skip  # noqa: E501
    ice = read_stack(path)
    assert ice.materials["silicon"].conductivity == pytest.approx((100.0, 200.0, 300.0))
    assert ice.cavity is not None and ice.cavity.side == ice.cavity.top == pytest.approx(4e4)
    assert ice.elements[-1].layer is not None and ice.elements[-1].layer.height == pytest.approx(2e-5)
    assert ice.elements[2].die is not None and len(ice.elements[2].die.layers) == 3
    assert ice.top is not None and (ice.top.coefficient, ice.top.temperature) == pytest.approx((1e3, 310.0))


def test_unknown_statements_are_named_with_line_and_text(write_stack):
    path = write_stack("2rm")
    change(path, "dimensions :", "dimensions :\n  cell colour blue ;")
    change(path, "solver :", "paint :\n  coats 2 ;\nsolver :")
    change(path, "output :", 'output :\n  Tflux (die1, "x.txt", step) ;')
    findings = faults_of(path)
    lines = path.read_text().splitlines()
    told = {finding.value: finding for finding in findings}
    for text in ("cell colour blue", "paint", 'Tflux (die1, "x.txt", step)'):
        assert "not known" in told[text].rule
        assert text.split()[0] in lines[told[text].line - 1]
    assert len(findings) == 3


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("width 200 ;", "width 200 ; non-uniform true ;", "non-uniform true"),
        ('floorplan "background.flp" ;', 'floorplan "background.flp" discretization 4 5 ;', "discretization"),
        (
            "dimensions :",
            "top pluggable heat sink : material silicon ;\ndimensions :",
            "top pluggable heat sink",
        ),
        ("output :", 'output : T3d ("all.vtk", final) ;', "T3d"),
    ],
)
def test_parts_that_are_not_modelled_are_refused_by_name(write_stack, old, new, value):
    path = write_stack("2rm")
    change(path, old, new)
    finding = next(f for f in faults_of(path) if value in f.value)
    assert "not modelled" in finding.rule
    assert finding.line > 0


def test_every_fault_of_stack_and_floorplan_comes_at_once(write_stack, tmp_path):
    path = write_stack("2rm")
    (tmp_path / "background.flp").write_text(
        "a : position 0, 0 ; dimension 10100, 10000 ; power values 50, nan ;\n"
        "b : position 9000, 9000 ; dimension 500, 500 ; power values 1, x ;\n"
    )
    change(path, "conductivity 1.30e-04", "conductivity -1")
    change(path, "wall material silicon", "wall material copper")
    change(path, "coolant flow rate 48", "coolant flow rate 0")
    change(path, "initial temperature 300", "initial temperature nan")
    change(path, "T (die1, 5000, 4800", "T (die9, 5000, 4800")
    text = "\n".join(str(finding) for finding in faults_of(path))
    for part in (
        "thermal conductivity): -1: must be finite and above 0",
        "material): copper: is no material of the file. Use one of silicon",
        "coolant flow rate): 0: must be finite and above 0",
        "initial temperature): nan",
        "die9: is no element of the stack. Use one of die2, gap, die1",
        "block 'a'",
        "the power map is larger than the die of 10000 x 10000 um",
        "must be finite and not below 0 W",
        "must be numbers with commas between",
        "overlaps block 'a'",
    ):
        assert part in text, part


@pytest.mark.parametrize(
    ("kind", "old", "new", "rule"),
    [
        ("4rm", "wall length 50", "wall length 33", "do not fill the chip's length"),
        ("2rm", "cell length 200", "cell length 300", "does not fill the chip's 10000 um"),
        ("pinfin", "pin diameter 50", "pin diameter 120", "must be below the pitch"),
        ("2rm", "steady ;", "transient step 0.002, slot 0.003 ;", "whole number of steps"),
        ("2rm", "steady ;", "", "says neither steady nor transient"),
        ("2rm", "channel gap ;", "channel gap ; channel gap ;", "stands twice"),
        ("2rm", "source 2 silicon ; layer 48", "layer 2 silicon ; layer 48", "exactly one source layer"),
        ("2rm", '"background.flp"', '"nowhere.flp"', "is not there"),
        ("2rm", "die die2 upper", "die die2 middle", "is no die"),
        ("2rm", "height 100 ;", "", "is missing"),
        ("2rm", "(die1, 5000", "(die1, 50000", "lies outside the chip"),
        ("top", "top heat sink :", "bottom cold sink :", "is a section that is not known"),
        ("2rm", "initial temperature 300 ;", "initial temperature 300", "is a section that is not known"),
    ],
)
def test_faults(write_stack, kind, old, new, rule):
    path = write_stack(kind)
    change(path, old, new)
    assert any(rule in finding.rule for finding in faults_of(path))


def test_a_steady_stack_without_sink_is_refused(write_stack):
    path = write_stack("top")
    text = path.read_text()
    path.write_text(text.replace("top heat sink : heat transfer coefficient 1e-7 ; temperature 300 ;", ""))
    assert any("heat cannot leave" in finding.rule for finding in faults_of(path))


def test_a_file_that_is_not_there(tmp_path):
    (finding,) = faults_of(tmp_path / "none.stk")
    assert "cannot be read" in finding.rule


def test_comments_of_both_kinds_are_skipped_and_lines_still_count(write_stack):
    path = write_stack("2rm")
    change(path, "dimensions :", "/* two\nlines */ dimensions : // wrong ; here\n nonsense ;")
    (finding,) = faults_of(path)
    assert finding.value == "nonsense"
    assert "nonsense" in path.read_text().splitlines()[finding.line - 1]


def test_a_missing_end_is_named(write_stack):
    path = write_stack("2rm")
    path.write_text(path.read_text().rstrip().rstrip(";"))
    assert any("no ';' at its end" in finding.rule for finding in faults_of(path))
