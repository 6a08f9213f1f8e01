"""Cold plate files: what they say, and every fault at once with file, object, field, value, rule, remedy."""

from __future__ import annotations

import numpy as np
import pytest

from twin.errors import InputError
from twin.plates.spec_reader import read_plate


def faults_of(path):
    with pytest.raises(InputError) as caught:
        read_plate(path)
    return caught.value.findings


def test_units_become_si_and_channels_are_counted(write_plate):
    case = read_plate(write_plate((", count: 8, margin: 0.5 mm", ", margin: 0.5 mm")))
    spec = case.spec
    assert spec.coolant.flow == pytest.approx(2.5e-6)
    assert spec.coolant.inlet_temperature == pytest.approx(303.15)
    assert spec.chips[0].limit == pytest.approx(353.15)
    assert case.channels == 9  # 9 of 0.4 mm and 8 walls of 0.4 mm take 6.8 of the 7 mm
    assert case.heat == pytest.approx(50.0)
    assert case.mass_flow == pytest.approx(2.5e-6 * 995.65, rel=1e-4)  # water at 30 degC, IAPWS
    pitched = read_plate(write_plate(("wall: 0.4 mm", "pitch: 0.8 mm")))
    assert pitched.spec.channels.between == pytest.approx(0.4e-3)


def test_plates_of_the_layouts_are_sound():
    from pathlib import Path

    folder = Path(__file__).parents[4] / "layouts/coldplates"
    files = sorted(folder.glob("*.yaml"))
    assert len(files) >= 2
    for path in files:
        assert read_plate(path).heat > 0.0


def test_every_fault_comes_at_once_with_all_that_mends_it(write_plate):
    path = write_plate(
        ("fluid: water", "fluid: watr"),
        ("flow: 0.15 l/min", "flow: 0.15 furlong"),
        ("wall: 0.4 mm", "pitch: 0.3 mm"),
        ("material: silicon", "material: silicium"),
        ("size: [3 mm, 8 mm]", "size: [9 mm, 8 mm]"),
        ("position: [2.5 mm, 6 mm]", "position: [2.5 mm, 60 mm]"),
        more="colour: red\n",
    )
    told = {finding.field: finding for finding in faults_of(path)}
    expected = {
        "coolant.fluid": ("coolant", "'watr'", "is no fluid that is known", "Did you mean 'water'?"),
        "coolant.flow": ("coolant", "'0.15 furlong'", "furlong", "flow"),
        "channels.pitch": ("channels", "0.3 mm", "wider than the pitch", "Widen it"),
        "package[0].material": ("package", "'silicium'", "is no material", "Did you mean 'silicon'?"),
        "chips[0].size": ("left", "9 x 8 mm", "larger than the plate of 8 x 12 mm", "shrink"),
        "probes[0].position": ("middle", "", "lies outside the plate", "Move it inside"),
        "colour": ("", "", "'colour' is unknown", ""),
    }
    assert told.keys() >= expected.keys()
    lines = path.read_text().splitlines()
    for field, (about, value, rule, remedy) in expected.items():
        finding = told[field]
        assert finding.file == str(path)
        assert finding.line > 0 and field.split(".")[-1].split("[")[0] in lines[finding.line - 1]
        assert about in finding.object and value == finding.value
        assert rule in finding.rule and remedy in finding.remedy
        assert str(finding).startswith((finding.object, str(path)))


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (
            [("inlet_temperature: 30", "inlet_temperature: -2")],
            ("coolant.inlet_temperature", "-2 degC", "freez", "Choose another"),
        ),
        (
            [("inlet_temperature: 30", "inlet_temperature: 101")],
            ("coolant.inlet_temperature", "101 degC", "boiling", "Choose another"),
        ),
        (
            [("power: 40", "power: 4 kW")],
            ("coolant.flow", "4010 W make it leave at", "boiling", "Let more flow"),
        ),
        (
            [("fluid: water", "fluid: pao2"), ("power: 40", "power: 4 kW")],
            ("coolant.flow", "flash point", "Let more flow"),
        ),
        (
            [("count: 8", "count: 30")],
            ("channels.count", "30", "the plate is 8 mm wide", "fewer or narrower"),
        ),
        (
            [("width: 0.4 mm", "width: 9 mm"), ("count: 8, ", "")],
            ("channels.width", "the plate is 8 mm wide", "narrower"),
        ),
        (
            [("{width: 0.4 mm", "{width: 8 mm"), ("count: 8, margin: 0.5 mm", "margin: 0")],
            ("channels.width", "8 mm", "without any wall", "narrower"),
        ),
        ([("wall: 0.4 mm,", "")], ("channels", "exactly one of pitch and wall")),
        ([("id: right", "id: left")], ("chips[1].id", "stands twice")),
        ([("position: [5 mm", "position: [3 mm")], ("chips[1].position", "overlaps chip 'left'", "Move one")),
        ([("power: 10", "limit: 80")], ("chips[1]", "give power, map or both")),
        ([("power: 10", "power: -10")], ("chips[1].power", "-10", "at least 0")),
        ([("width: 8 mm", "width: 8 W")], ("plate.width", "'8 W'", "m")),
        ([("name: small plate", "")], ("name", "is missing", "Add name")),
        ([("id: middle", "id: m m")], ("probes[0].id",)),
    ],
)
def test_faults(write_plate, changes, parts):
    text = "\n".join(str(finding) for finding in faults_of(write_plate(*changes)))
    for part in ("plate.yaml", *parts):
        assert part in text, text


@pytest.mark.parametrize(
    ("more", "parts"),
    [
        ("sweep: {checks: 1}", ("sweep", "list at least one of width")),
        ("sweep: {wall: [1 mm], pitch: [2 mm]}", ("sweep", "list wall or pitch, not both")),
        ("sweep: {fluid: [water, wine]}", ("sweep.fluid[1]", "'wine'", "is no fluid")),
        ("transient: {duration: 1, step: 2}", ("transient", "must not exceed the duration")),
        ("transient: {duration: 1, step: 0.1, powers: [[0.1, 1]]}", ("transient", "must begin at 0 s")),
        ("manifold: {arrangement: V}", ("manifold.arrangement", "'U', 'Z' or 'central'")),
        ("ambient: {temperature: 25, above: -1}", ("ambient.above", "at least 0")),
        ("solver: {model: exact}", ("solver.model", "'two_resistor'")),
    ],
)
def test_faults_of_parts_that_may_be_left_out(write_plate, more, parts):
    text = "\n".join(str(finding) for finding in faults_of(write_plate(more=more + "\n")))
    for part in ("plate.yaml", *parts):
        assert part in text, text


def mapped(write_plate, name):
    return write_plate(("power: 40, limit: 80", f"map: {name}, limit: 80"))


def test_a_table_gives_its_fields_and_a_power_scales_it(write_plate, tmp_path):
    (tmp_path / "map.csv").write_text("# W\n1, 2, 3\n4, 5, 6\n")
    item = read_plate(mapped(write_plate, "map.csv")).maps[0]
    np.testing.assert_allclose(item.power, [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_allclose(item.x, [1e-3, 2e-3, 3e-3, 4e-3])
    np.testing.assert_allclose(item.y, [2e-3, 6e-3, 10e-3])
    scaled = read_plate(write_plate(("power: 40", "power: 42, map: map.csv"))).maps[0]
    np.testing.assert_allclose(scaled.power, [[2, 4, 6], [8, 10, 12]])


def test_a_floorplan_gives_its_blocks(write_plate, tmp_path):
    (tmp_path / "map.flp").write_text(
        "core : position 0, 0 ; dimension 1000, 2000 ; power values 8 ;\n"
        "cache : position 1000, 2000 ; dimension 2000, 6000 ; power values 6 ;\n"
    )
    item = read_plate(mapped(write_plate, "map.flp")).maps[0]
    assert item.power.sum() == pytest.approx(14.0)
    np.testing.assert_allclose(item.x, [1e-3, 2e-3, 4e-3])
    np.testing.assert_allclose(item.y, [2e-3, 4e-3, 10e-3])
    np.testing.assert_allclose(item.power, [[8, 0], [0, 6]])


@pytest.mark.parametrize(
    ("name", "text", "parts"),
    [
        ("map.csv", "1, 2\n3\n", ("map.csv:2", "1 columns", "must have 2 columns", "Mend it")),
        ("map.csv", "1, x\n3, -4\n", ("map.csv:1", "column 2", "x", "map.csv:2", "-4", "not below 0")),
        ("map.csv", "# nothing\n", ("map.csv", "holds no numbers")),
        ("map.csv", None, ("map.csv", "cannot be read")),
        ("map.txt", "", ("map.txt", "chip 'left'", "is neither .flp nor .csv")),
        (
            "map.flp",
            "hot : position 2000, 0 ; dimension 2000, 2000 ; power values 8 ;",
            ("map.flp:1", "block 'hot'", "the power map is larger than the die of 3000 x 8000 um"),
        ),
    ],
)
def test_faults_of_maps(write_plate, tmp_path, name, text, parts):
    if text is not None:
        (tmp_path / name).write_text(text)
    told = "\n".join(str(finding) for finding in faults_of(mapped(write_plate, name)))
    for part in parts:
        assert part in told, told


def test_a_map_without_heat_cannot_be_scaled(write_plate, tmp_path):
    (tmp_path / "map.csv").write_text("0, 0\n")
    (finding,) = faults_of(write_plate(("power: 40", "power: 40, map: map.csv")))
    assert "has no heat that could be scaled" in finding.rule


def test_a_file_that_is_not_there_is_called_a_cold_plate_file(tmp_path):
    (finding,) = faults_of(tmp_path / "none.yaml")
    assert finding.object == "cold plate file"
