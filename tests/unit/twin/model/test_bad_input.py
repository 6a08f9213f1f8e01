"""Rooms that cannot be solved: each is refused before the solve, by object and field, with exit code 2."""

import math

import pytest

from twin.errors import InputError
from twin.model.load import load_layout
from twin.model.scene import build_scene


def edit(**parts):
    """Add or replace parts of the sound room: ``racks__0__power=5``."""

    def apply(room):
        for path, value in parts.items():
            *steps, last = [int(step) if step.isdigit() else step for step in path.split("__")]
            target = room
            for step in steps:
                target = target[step] if isinstance(step, int) else target.setdefault(step, {})
            target[last] = value

    return apply


def box(name, lo, hi):
    return {"id": name, "lo": lo, "hi": hi}


FREE_STANDING = {"supply_face": "front", "return_face": "top"}
SHUT_IN = [  # tight walls and a lid round the two racks
    box("west", [1.6, 0.6, 0.5], [1.6, 3.0, 2.8]),
    box("east", [3.6, 0.6, 0.5], [3.6, 3.0, 2.8]),
    box("front", [1.6, 0.6, 0.5], [3.6, 0.6, 2.8]),
    box("lid", [1.6, 0.6, 2.8], [3.6, 3.0, 2.8]),
]


def duct(**ends):
    return {"id": "D1", "air_flow": 0.3} | ends


INTO_EAST = {"lo": [4.0, 0.5, 2.6], "hi": [4.0, 0.9, 2.9]}

# name: (change of the sound room, object, field, words of the rule)
FAULTS = {
    "sealed room of racks": (
        edit(panels=SHUT_IN, tiles=[{"id": "T1", "position": [0.2, 2.2]}]),
        "rack 'A1'", "racks[0]", "its heat has no way out",
    ),
    "room sealed but for a duct": (
        edit(ducts=[duct(discharge=INTO_EAST)]),
        "duct 'D1.discharge'", "ducts[0].air_flow", "0.3 m3/s more into a closed space",
    ),
    "room sucked empty": (
        edit(ducts=[duct(intake=INTO_EAST)]),
        "duct 'D1.intake'", "ducts[0].air_flow", "0.3 m3/s more out of a closed space",
    ),
    "supply without return": (
        edit(walls=[{"id": "W1", "start": [1.5, 0.0], "end": [1.5, 3.0]}]),
        "rack 'A1'", "racks[0]", "its heat has no way out",
    ),
    "supply into a plenum without tiles": (
        edit(tiles=[], room__floor_leakage=0.0), "tiles", "tiles", "no tile lets the air out",
    ),
    "supply into an aisle without a way back": (
        edit(
            panels=SHUT_IN, room__raised_floor=0.5,
            tiles=[{"id": "T1", "position": [2.0, 0.9]}],
        ),
        "cooler 'C1'", "coolers[0].supply_face", "the air has no path back",
    ),
    "return from above a ceiling without grilles": (
        edit(room__ceiling=2.7, coolers__0__return_face="ceiling"),
        "cooler 'C1'", "coolers[0].return_face", "no grille lets air in",
    ),
    "rack without flow": (
        edit(racks__0__air={"flow": 0}), "rack 'A1'", "racks[0].air.flow", "must be above 0",
    ),
    "slot that is cooked": (
        edit(racks__0__air={"flow": 0.001}),
        "slot 1 of rack 'A1'", "racks[0].air", "more than 100 K warmer",
    ),
    "slot of its own law that is cooked": (
        edit(racks__0__slots__0__air={"flow": "1e-4 m3/s"}),
        "slot 1 of rack 'A1'", "racks[0].slots[0].air", "only 0.0001 m3/s of air",
    ),
    "sensor in a dead pocket": (
        edit(
            room__size=[8.0, 3.0, 3.0], walls=[{"id": "W1", "start": [5.0, 0.0], "end": [5.0, 3.0]}],
            sensors=[{"id": "S1", "position": [7.0, 1.5, 1.5]}],
        ),
        "sensor 'S1'", "sensors[0]", "closed pocket that no air reaches",
    ),
    "thin gap between racks": (
        edit(racks__1__position=[2.62, 1.5], tiles=[{"id": "T1", "position": [2.0, 0.9]}]),
        "rack 'A1'", "racks[0].position", "the gap to rack 'A2' is thinner than the grid",
    ),
    "thin gap to a wall": (
        edit(coolers__0__position=[0.02, 0.5]),
        "cooler 'C1'", "coolers[0].position", "the gap to the west wall is thinner than the grid",
    ),
    "thin gap under the roof": (
        edit(obstacles=[box("O1", [1.0, 2.0, 2.5], [1.5, 2.5, 2.98])]),
        "obstacle 'O1'", "obstacles[0]", "the gap to the roof is thinner than the grid",
    ),
    "thin gap before a panel": (
        edit(panels=[box("P1", [2.0, 1.48, 0.5], [2.6, 1.48, 2.5])]),
        "panel 'P1'", "panels[0]", "the gap to rack 'A1' is thinner than the grid",
    ),
    "NaN boundary value": (
        edit(coolers__0__supply_temperature=math.nan),
        "cooler 'C1'", "coolers[0].supply_temperature", "must be finite",
    ),
    "infinite boundary value": (
        edit(air__ambient_temperature=math.inf), "air", "air.ambient_temperature", "must be finite",
    ),
    "NaN in the envelope": (
        edit(room__envelope={"west": {"temperature": math.nan}}),
        "room", "room.envelope.west.temperature", "must be finite",
    ),
    "grid too large": (
        edit(room__size=[400.0, 400.0, 40.0], air__cell=0.02), "room", "air.cell", "GB are to be had",
    ),
    "objects overlap": (
        edit(racks__1__position=[2.3, 1.5]), "rack 'A2'", "racks[1].position", "overlaps rack 'A1'",
    ),
    "rack through the ceiling": (
        edit(room__ceiling=2.4), "rack 'A1'", "racks[0].position", "reaches through the drop ceiling",
    ),
    "obstacle in the duct of a cooler": (
        edit(
            room__ceiling=2.8, coolers__0__return_face="ceiling", grilles=[{"id": "G1", "position": [2, 2]}],
            obstacles=[box("O1", [0.2, 0.6, 2.6], [0.6, 1.0, 2.7])],
        ),
        "obstacle 'O1'", "obstacles[0]", "overlaps duct 'C1.duct'",
    ),
    "opening blocked": (
        edit(
            openings=[box("O1", [4.0, 0.5, 0.5], [4.0, 1.5, 2.5])],
            obstacles=[box("B1", [3.5, 0.5, 0.5], [4.0, 1.0, 2.5])],
        ),
        "opening 'O1'", "openings[0]", "50% of it is blocked by obstacle 'B1'",
    ),
    "opening inside": (
        edit(openings=[box("O1", [3.9, 0.5, 0.5], [3.9, 1.5, 2.5])]),
        "opening 'O1'", "openings[0]", "on no side of the room",
    ),
    "openings overlap": (
        edit(openings=[box(f"O{n}", [4.0, n, 0.5], [4.0, n + 1.5, 2.5]) for n in (0, 1)]),
        "opening 'O1'", "openings[1]", "overlaps opening 'O0'",
    ),
    "air inlet blocked": (
        edit(obstacles=[box("B1", [2.0, 1.2, 1.0], [2.6, 1.5, 2.0])]),
        "rack 'A1'", "racks[0]", "of its air inlet is blocked by another object: obstacle 'B1'",
    ),
    "duct in free air": (
        edit(ducts=[duct(
            intake={"lo": [3.5, 0.5, 2.0], "hi": [3.5, 0.9, 2.4], "facing": "-x"}, discharge=INTO_EAST,
        )]),
        "duct 'D1.intake'", "ducts[0].intake", "hangs in free air",
    ),
    "duct with air on both sides": (
        edit(ducts=[duct(intake={"lo": [3.5, 0.5, 2.0], "hi": [3.5, 0.9, 2.4]}, discharge=INTO_EAST)]),
        "duct 'D1.intake'", "ducts[0].intake", "air lies on both sides",
    ),
    "duct in an opening": (
        edit(
            openings=[box("O1", [4.0, 0.3, 2.5], [4.0, 1.2, 3.0])],
            ducts=[duct(discharge=INTO_EAST)],
        ),
        "duct 'D1.discharge'", "ducts[0].discharge", "lies in an opening",
    ),
    "ducts on each other": (
        edit(ducts=[duct(discharge=INTO_EAST), duct(intake=INTO_EAST) | {"id": "D2"}]),
        "duct 'D2.intake'", "ducts[1]", "overlaps duct 'D1.discharge'",
    ),
    "grille without a ceiling": (
        edit(grilles=[{"id": "G1", "position": [1, 1]}]),
        "grille 'G1'", "grilles[0].position", "no drop ceiling",
    ),
    "grille on a cooler's duct": (
        edit(
            room__ceiling=2.8, coolers__0__return_face="ceiling",
            grilles=[{"id": "G1", "position": [0.3, 0.6]}],
        ),
        "grille 'G1'", "grilles[0].position", "lies on duct 'C1.duct'",
    ),
    "ceiling under the floor": (edit(room__ceiling=0.4), "room", "room.ceiling", "lies not between"),
    "overhead cooler into the plenum": (
        edit(coolers__0__elevation=0.3), "cooler 'C1'", "coolers[0].elevation", "stands on the floor",
    ),
    "cooler on its outlet": (
        edit(coolers__0__supply_face="bottom"), "cooler 'C1'", "coolers[0].supply_face", "its bottom face",
    ),
    "ceiling return without a ceiling": (
        edit(coolers__0__return_face="ceiling"),
        "cooler 'C1'", "coolers[0].return_face", "no drop ceiling",
    ),
    "cutout outside its panel": (
        edit(panels=[
            box("P1", [1.4, 0.0, 0.5], [1.4, 1.0, 2.5]) | {"cutouts": [{"lo": [0.5, 0.6], "hi": [1.5, 1.0]}]}
        ]),
        "cutout 1 of panel 'P1'", "panels[0].cutouts[0]", "outside the panel",
    ),
    "U-value without a temperature": (
        edit(room__envelope={"roof": {"u_value": 0.5}}), "room", "room.envelope.roof", "temperature behind",
    ),
    "mass behind a fixed temperature": (
        edit(room__envelope={"slab": {"temperature": 15, "thermal_mass": 1e5}}),
        "room", "room.envelope.slab", "stores no heat",
    ),
    "envelope of no floor": (
        edit(
            room__raised_floor=0, tiles=[], coolers__0__supply_face="front",
            room__envelope={"raised_floor": {"thermal_mass": 1e5}},
        ),
        "room", "room.envelope.raised_floor", "no raised floor",
    ),
    "fan that cannot blow": (
        edit(coolers__0__fan_curve={"stall_pressure": 100, "design_pressure": 120}),
        "cooler 'C1'", "coolers[0].fan_curve", "below stall_pressure",
    ),
    "duct without an end": (edit(ducts=[duct()]), "duct 'D1'", "ducts[0]", "needs an end in the room"),
}  # fmt: skip


def refused(room, write):
    with pytest.raises(InputError) as caught:
        build_scene(load_layout(write(room)))
    assert caught.value.exit_code == 2
    return caught.value.findings


def test_the_room_is_sound_before_it_is_spoilt(room, write):
    assert build_scene(load_layout(write(room))).findings == ()


@pytest.mark.parametrize("case", FAULTS)
def test_each_fault_is_found_before_the_solve_and_named(room, write, case):
    spoil, subject, field, words = FAULTS[case]
    spoil(room)
    findings = refused(room, write)
    matching = [f for f in findings if (f.object, f.field) == (subject, field) and words in f.rule]
    assert matching, [str(finding) for finding in findings]
    assert all(finding.remedy for finding in findings)


def test_faults_of_the_file_and_of_its_spaces_come_at_once(room, write):
    room["racks"][0]["rated_power"] = 3000
    room["coolers"][0]["capacity"] = None
    room["ducts"] = [duct(discharge=INTO_EAST)]
    room["sensors"] = [{"id": "S1", "rack": "A9"}]
    findings = refused(room, write)
    assert {finding.field for finding in findings} >= {
        "racks[0].power", "coolers[0].capacity", "ducts[0].air_flow", "sensors[0].rack",
    }  # fmt: skip
    assert all(finding.line > 0 for finding in findings)


def test_misplaced_objects_have_no_echo(room, write):
    room["racks"][1]["position"] = [2.3, 1.5]
    assert {finding.field for finding in refused(room, write)} == {"racks[1].position"}


def test_a_gap_of_one_thin_cell_is_a_warning(room, write, caplog):
    room["coolers"][0]["position"] = [0.06, 0.5]
    scene = build_scene(load_layout(write(room)))
    assert "the gap to the west wall is thinner than a cell of 0.1 m" in caplog.text
    assert scene.findings == ()


def test_a_coarser_mesh_of_a_sound_layout_is_not_refused(room, write):
    room["coolers"][0]["position"] = [0.1, 0.5]
    assert build_scene(load_layout(write(room)), 0.3).findings  # the gap closes there, with a warning


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ({"kind": "liquid", "capacity": 1000}, "under cold plates of rack 'A2'; the rest goes to the room"),
        ({"kind": "air", "capacity": 1000}, "gives to the air; its fans cannot hold"),
    ],
)
def test_a_weak_racklet_is_told_by_its_kind(room, write, caplog, kind, words):
    room["racklets"][0]["cooling_module"] = kind
    if kind["kind"] == "air":
        room["racks"][1]["liquid_share"] = 0
    load_layout(write(room))
    assert words in caplog.text
