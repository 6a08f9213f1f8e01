"""Loading: every fault at once, each with its place and remedy; overrides with the same care."""

import logging

import pytest

from twin.errors import InputError
from twin.model.load import example_layout, load_layout


def faults(path, *overrides):
    with pytest.raises(InputError) as caught:
        load_layout(path, overrides)
    assert caught.value.exit_code == 2
    return {finding.field: finding for finding in caught.value.findings}


@pytest.mark.parametrize("name", ["fm_mockup", "one_rack", "peer_room", "pod_two_row"])
def test_the_examples_are_sound_and_quiet(name, caplog):
    with caplog.at_level(logging.WARNING):
        load_layout(example_layout(name))
    assert not caplog.records


def test_an_unknown_example_lists_the_known_ones():
    with pytest.raises(InputError, match="fm_mockup, liquid_row, one_rack, peer_room, pod_two_row"):
        example_layout("nowhere")


def test_all_faults_of_a_file_come_at_once_with_their_lines(write):
    path = write(
        """\
name: Bad
room:
  size: [6, 5, 3]
  raised_flor: 0.6
racks:
  - {id: A1, position: [1, 1], facing: "+y", pwer: 5 kW, slots: [{u_start: 1, u_height: 10}]}
  - id: A2
    position: [3, 1]
    facing: north
    power: 5 apples
    slots: [{u_start: 1}]
  - {id: A3, position: [5.8, 1], facing: "+y", power: 5 kW, slots: [{u_start: 1, u_height: 99}]}
coolers:
  - id: C1
    id: C2
    position: [0, 0]
    facing: "+x"
    supply_face: front
    air_flow: 12 kg
    capacity: 10 kW
racklets:
  - {id: K1, rack: A9, u_start: 37}
  - {id: K2, rack: A2, u_start: 37}
tiles:
  - {id: T1, position: [3, 3], open_area: 250 %}
"""
    )
    found = faults(path)
    lines = {field: finding.line for field, finding in found.items()}
    assert lines == {
        "room.raised_flor": 4,
        "racks[0].pwer": 6,
        "racks[0].power": 6,
        "racks[1].facing": 9,
        "racks[1].power": 10,
        "racks[1].slots[0].u_height": 11,
        "racks[2].slots[0].u_height": 12,
        "coolers[0].id": 15,
        "coolers[0].air_flow": 19,
        "racklets[0].rack": 22,
        "tiles[0].open_area": 25,
    }
    assert found["room.raised_flor"].remedy == "Did you mean 'raised_floor'?"
    assert found["racks[1].power"].object == "rack 'A2'"
    assert found["racks[1].power"].value == "'5 apples'"
    assert "lines 14 and 15" in found["coolers[0].id"].remedy
    assert "does not measure the same as m3/s" in found["coolers[0].air_flow"].rule
    assert "at most 1" in found["tiles[0].open_area"].rule
    assert all(str(path) in str(finding) for finding in found.values())
    # K2 refers to a rack that exists but could not be read: that is no second fault
    assert "racklets[1].rack" not in found


def test_geometry_is_checked_beside_faulty_objects_at_the_right_place(room, write):
    room["racks"].insert(0, {"id": "bad"})
    room["racks"][2]["position"] = [2.1, 1.5]
    found = faults(write(room))
    assert found["racks[2].position"].object == "rack 'A2'"
    assert "overlaps rack 'A1'" in found["racks[2].position"].rule


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: x\nroom: [1,2\nracks: {\n", "not valid YAML"),
        ("just text", "must be a mapping"),
        ("", "must be a mapping"),
        ("- 1\n- 2\n", "must be a mapping"),
        ("name: &a [*a]\n", "must not hold itself"),
        ("name: x\n\troom: 1\n", "not valid YAML"),
        ("name: x\nroom: !!python/object:os.system {}\n", "room"),
    ],
)
def test_broken_files_say_so(write, text, words):
    with pytest.raises(InputError, match=words):
        load_layout(write(text))


def test_a_missing_file_and_a_folder_and_bytes_say_so(tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            load_layout(path)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(InputError, match="UTF-8"):
        load_layout(tmp_path / "bytes.yaml")


def test_anchors_and_merge_keys_work(write, room):
    path = write(
        """\
name: Anchors
room: {size: [6, 5, 3]}
racks:
  - &base
    id: A1
    position: [1, 1]
    facing: "+y"
    power: 5 kW
    slots: [{u_start: 1, u_height: 10}]
  - <<: *base
    id: A2
    position: [1.6, 1]
    power: 6 kW
coolers:
  - {id: C1, position: [4, 4], facing: "-y", supply_face: front, air_flow: 1, capacity: 20 kW}
"""
    )
    layout = load_layout(path)
    assert [(rack.id, rack.power) for rack in layout.racks] == [("A1", 5000.0), ("A2", 6000.0)]


# -- overrides -----------------------------------------------------------------------------------------------


def test_overrides_reach_every_depth(room, write):
    path = write(room)
    layout = load_layout(
        path,
        [
            "racks[A2].power=7 kW",
            "racks.A1.power=5e3",
            "racks[0].slots[1].u_height=12",
            "coolers[C1].failed=true",
            'coolers[C1].supply_temperature="68 degF"',
            "air.closure.constant=0.05",
            "racks[A1].position=[1.9, 1.5]",
            "tiles[T1].open_area=40 %",
        ],
    )
    assert layout.rack("A2").power == 7000.0
    assert layout.rack("A1").power == 5000.0
    assert layout.rack("A1").slots[1].u_height == 12
    assert layout.coolers[0].failed
    assert layout.coolers[0].supply_temperature == pytest.approx(293.15)
    assert layout.air.closure.constant == 0.05
    assert layout.rack("A1").position == (1.9, 1.5)
    assert layout.tiles[0].open_area == 0.4


def test_an_override_of_an_alias_changes_one_object(write):
    path = example_layout("pod_two_row")
    layout = load_layout(path, ["racks[R03].air.per_power=0.05"])
    assert layout.rack("R03").air.per_power == pytest.approx(5e-5)
    assert layout.rack("R04").air.per_power == pytest.approx(4.5e-5)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("nonsense", "must read path=value"),
        ("=3", "must read path=value"),
        ("racks[A1]..power=3", "unknown"),
        ("racks[A9].power=3", r"'A9' is not in racks.*A1, A2"),
        ("racks[7].power=3", r"'7' is not in racks"),
        ("rom.size=3", "Did you mean 'room'"),
        ("racks[A1].pwer=3", "Did you mean 'power'"),
        ("racks[A1].power=3 kg", r"--set, racks\[0\].power.*does not measure"),
        ("racks[A1].power=[1", "not valid YAML"),
        ("racks[A1].power.x=1", "is not in"),
        ("air.closure.kind=magic", r"--set, air.closure.kind.*mixing_length"),
        ("racks[A1].position=[9, 9]", r"--set, racks\[0\].position.*outside the room"),
    ],
)
def test_faults_of_overrides_name_the_option(room, write, override, words):
    if override == "racks[A1]..power=3":
        assert load_layout(write(room), [override]).racks[0].power == 3.0  # a doubled dot is harmless
        return
    with pytest.raises(InputError, match=words) as caught:
        load_layout(write(room), [override])
    assert "--set" in str(caught.value)


def test_faults_of_file_and_overrides_come_together(room, write):
    room["racks"][0]["power"] = "4 kg"
    found = faults(write(room), "coolers[C1].capacity=1 m", "racks[A9].power=3")
    assert set(found) == {"racks[0].power", "coolers[0].capacity", "racks[A9].power=3"}
