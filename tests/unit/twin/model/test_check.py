"""Checks of a whole layout: each fault is found, named, and alone."""

import pytest

from twin.errors import Severity
from twin.model.check import check_layout
from twin.model.schema import Layout


def change(room, path, value):
    target = room
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value


def rack(name, x, y, **more):
    return {
        "id": name,
        "position": [x, y],
        "size": [0.6, 1.0, 2.0],
        "facing": "-y",
        "power": 1000,
        "slots": [{"u_start": 1, "u_height": 10}],
    } | more


ERRORS = {
    "racks overlap": (("racks", 1, "position"), [2.3, 1.5], "racks[1].position", "overlaps rack 'A1'"),
    "rack outside": (("racks", 1, "position"), [3.6, 1.5], "racks[1].position", "outside the room"),
    "rack too high": (("racks", 0, "size"), [0.6, 1.0, 2.6], "racks[0].position", "outside the room"),
    "cooler outside": (("coolers", 0, "position"), [-0.2, 0.5], "coolers[0].position", "outside the room"),
    "cooler in rack": (("coolers", 0, "position"), [1.8, 1.4], "coolers[0].position", "overlaps rack 'A1'"),
    "tile under rack": (("tiles", 0, "position"), [2.0, 1.2], "tiles[0].position", "under rack 'A1'"),
    "tile off the floor": (("tiles", 0, "position"), [3.9, 0.9], "tiles[0].position", "outside the room"),
    "tiles overlap": (("tiles", 1, "position"), [2.3, 0.9], "tiles[1].position", "overlaps tile 'T1'"),
    "same id": (("tiles", 1, "id"), "A1", "tiles[1].id", "rack (racks[0]) has this id"),
    "reserved id": (("tiles", 1, "id"), "plenum", "tiles[1].id", "names the plenum's pressure"),
    "racklet without rack": (("racklets", 0, "rack"), "A9", "racklets[0].rack", "no rack 'A9'"),
    "racklet on a slot": (("racklets", 0, "u_start"), 18, "racklets[0].u_start", "overlaps slot 1"),
    "racklet too high": (("racklets", 0, "u_start"), 40, "racklets[0].u_start", "has 42 U"),
    "slot too high": (("racks", 0, "slots", 1, "u_height"), 40, "racks[0].slots[1].u_start", "has 42 U"),
    "slots overlap": (("racks", 0, "slots", 1, "u_start"), 5, "racks[0].slots[1].u_start", "overlaps slot 1"),
    "units too many": (("racks", 0, "units"), 50, "racks[0].units", "do not fit"),
    "no feed": (("racks", 0, "feed"), "F1", "racks[0].feed", "no feed 'F1'"),
    "feed overloaded": (("feeds",), [{"id": "FA", "capacity": 3000}], "feeds[0].capacity", "draw 4000 W"),
    "above rating": (("racks", 0, "rated_power"), 3000, "racks[0].power", "rated 3000 W"),
    "slots disagree": (("racks", 0, "slots", 0, "power"), 9000, "racks[0].power", "add up to 9000 W"),
    "no racklet for liquid": (("racklets",), [], "racks[1].liquid_share", "needs a racklet"),
    "air racklet for liquid": (
        ("racklets", 0, "cooling_module"), {"kind": "air"}, "racks[1].liquid_share", "needs a racklet",
    ),
    "modules too weak": (
        ("racklets", 0, "power_module"), {"modules": 1}, "racklets[0].power_module", "cannot feed",
    ),
    "no capacity": (("coolers", 0, "capacity"), None, "coolers[0].capacity", "is missing"),
    "no plenum": (("room", "raised_floor"), 0, "coolers[0].supply_face", "no raised floor"),
    "same faces": (("coolers", 0, "supply_face"), "front", "coolers[0].supply_face", "is the return face"),
    "no tiles": (("tiles",), [], "tiles", "no tile lets the air out"),
    "sensor nowhere": (("sensors",), [{"id": "S1", "rack": "A9"}], "sensors[0].rack", "no rack 'A9'"),
    "sensor outside": (("sensors",), [{"id": "S1", "position": [9, 1, 1]}], "sensors[0]", "outside the room"),
    "sensor inside": (
        ("sensors",), [{"id": "S1", "position": [2.3, 2, 1]}], "sensors[0]", "inside rack 'A1'",
    ),
    "front in wall": (("racks", 0, "facing"), "+x", "racks[0]", "inside rack 'A2'"),
    "panel outside": (
        ("panels",), [{"id": "P1", "lo": [1, 0, 0], "hi": [1, 9, 1]}], "panels[0]", "outside the room",
    ),
    "obstacle in rack": (
        ("obstacles",), [{"id": "O1", "lo": [2, 2, 1], "hi": [2.2, 2.7, 2]}], "obstacles[0]", "overlaps rack",
    ),
    "obstacle on the plenum's sensor": (
        ("obstacles",), [{"id": "O1", "lo": [2.2, 1.1, 0.1], "hi": [2.4, 1.3, 0.4]}],
        "default_sensors", "plenum.pressure, under a tile, lies inside obstacle 'O1'",
    ),
    "obstacle on a rack's top sensor": (
        ("obstacles",), [{"id": "O1", "lo": [2.2, 1.2, 2.2], "hi": [2.4, 1.5, 2.4]}],
        "racks[0]", "the air before its front lies inside obstacle 'O1'",
    ),
    "workloads too big": (
        ("workloads",), [{"id": "w", "rack": "A1", "power": 5000}], "racks[0].power", "add up to 5000 W",
    ),
    "floor too high": (("room", "raised_floor"), 2.7, "room.raised_floor", "leaves no room"),
}  # fmt: skip


def prepare(room, case):
    if case == "feed overloaded":
        room["racks"][0]["feed"] = "FA"
    if case == "same faces":
        room["coolers"][0]["return_face"] = "front"
    if case == "front in wall":
        room["racks"][0]["facing"] = "-y"
    return room


@pytest.mark.parametrize("case", ERRORS)
def test_each_fault_is_found_where_it_is(room, case):
    path, value, field, words = ERRORS[case]
    change(prepare(room, case), path, value)
    findings = [
        f for f in check_layout(Layout.model_validate(room), "x.yaml") if f.severity is Severity.ERROR
    ]
    matching = [finding for finding in findings if finding.field == field and words in finding.rule]
    assert matching, findings
    assert all(finding.file == "x.yaml" and finding.remedy for finding in findings)


def test_a_sound_room_has_no_findings(room):
    assert check_layout(Layout.model_validate(room)) == []


def test_touching_is_not_overlapping(room):
    room["racks"].append(rack("A3", 3.2, 1.5))
    room["tiles"].append({"id": "T3", "position": [3.2, 0.9]})
    errors = [f for f in check_layout(Layout.model_validate(room)) if f.severity is Severity.ERROR]
    assert errors == []


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("coolers", 0, "air_flow"), 0.3, "recirculates"),
        (("coolers", 0, "capacity"), 3000, "heats up"),
        (("racklets", 0, "cooling_module"), {"capacity": 1000}, "rest goes to the room"),
    ],
)
def test_what_runs_but_badly_is_a_warning(room, path, value, words):
    change(room, path, value)
    findings = check_layout(Layout.model_validate(room))
    assert [finding.severity for finding in findings] == [Severity.WARNING]
    assert words in findings[0].rule


def test_the_air_of_a_heat_up_test_counts_what_the_liquid_leaves(room):
    room["coolers"][0]["capacity"] = 7001  # 4 kW + half of 6 kW
    assert check_layout(Layout.model_validate(room)) == []
