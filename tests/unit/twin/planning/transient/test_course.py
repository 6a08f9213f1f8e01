"""What events do over time: profiles, the inputs of the units, the shapes of the room."""

import math

import numpy as np
import pytest

from twin.errors import InputError
from twin.model.load import example_layout, load_layout
from twin.model.scene import build_scene
from twin.planning.transient.course import Course, Profile, shaped
from twin.planning.transient.events import Script
from twin.planning.transient.script import check_script


@pytest.fixture(scope="module")
def pod():
    return load_layout(example_layout("pod_two_row"))


@pytest.fixture(scope="module")
def room():
    return load_layout(example_layout("one_rack"), ["coolers[C1].coast_down=5 s"])


def course(layout, *events):
    return Course(layout, check_script(Script.model_validate({"events": list(events)}), layout))


def inputs_of(layout, course, begin, end):
    scene = build_scene(layout, 0.3)
    return scene, course.inputs(scene, begin, end, scene.unit_inputs)


def test_a_profile_is_what_its_changes_say():
    profile = Profile(2.0)
    profile.ramp(10.0, 4.0, 20.0)
    profile.ramp(25.0, 0.0, 0.0)  # cuts the ramp off at 3.5
    assert [profile.value(t) for t in (0.0, 10.0, 20.0, 24.0, 25.0, 99.0)] == pytest.approx(
        [2.0, 2.0, 3.0, 3.4, 0.0, 0.0]
    )
    assert profile.changing(12.0)
    assert not profile.changing(5.0)
    assert not profile.changing(30.0)


@pytest.mark.parametrize(
    ("begin", "end"), [(0.0, 60.0), (3.0, 11.0), (12.0, 12.5), (24.0, 26.0), (29.0, 59.0)]
)
def test_means_are_integrals(begin, end):
    profile = Profile(2.0)
    profile.ramp(10.0, 4.0, 20.0)
    profile.decay(25.0, 4.0)
    profile.ramp(40.0, 1.0, 5.0)
    at = np.linspace(begin, end, 20_001)
    values = np.array([profile.value(t) for t in at])
    # the trapezoid's error at the jumps: half a step, 1/40000 of the length, times a jump below 4
    assert profile.mean(begin, end) == pytest.approx(np.trapezoid(values, at) / (end - begin), abs=5e-4)


def test_a_fan_coasts_down_and_its_coil_stops_cooling(room):
    tripped = course(room, {"at": 10, "kind": "cooler_trip", "cooler": "C1"})
    scene, before = inputs_of(room, tripped, 8.0, 10.0)
    unit = scene.cooler_units["C1"]
    assert (before.V_flow[unit], before.Q_max[unit]) == (pytest.approx(0.32), 12e3)
    _, after = inputs_of(room, tripped, 15.0, 15.5)
    mean = 0.32 * 5.0 / 0.5 * (math.exp(-1.0) - math.exp(-1.1))
    assert after.V_flow[unit] == pytest.approx(mean, rel=1e-9)
    assert after.Q_max[unit] == 0.0
    assert inputs_of(room, tripped, 60.0, 61.0)[1].V_flow[unit] == 0.0
    assert tripped.flows_change(12.0)
    assert not tripped.flows_change(60.0)


def test_a_cooler_comes_back_as_a_ramp(room):
    back = course(
        room,
        {"at": 0, "kind": "cooler_trip", "cooler": "C1"},
        {"at": 100, "kind": "cooler_restart", "cooler": "C1", "over": 40},
    )
    scene, half_way = inputs_of(room, back, 119.0, 121.0)
    unit = scene.cooler_units["C1"]
    assert half_way.V_flow[unit] == pytest.approx(0.16)
    assert half_way.Q_max[unit] == 12e3
    assert inputs_of(room, back, 150.0, 152.0)[1].V_flow[unit] == pytest.approx(0.32)
    assert {100.0, 140.0} <= set(back.bends)


def test_one_slot_goes_off_with_its_heat_and_its_air(room):
    off = course(room, {"at": 5, "kind": "rack_shutdown", "rack": "R01", "slot": 2})
    scene, before = inputs_of(room, off, 0.0, 2.0)
    _, after = inputs_of(room, off, 6.0, 8.0)
    first, second = scene.rack_units["R01"]
    assert after.V_flow[second] == after.Q_flow[second] == 0.0
    assert after.V_flow[first] == before.V_flow[first]
    assert after.Q_flow[first] == before.Q_flow[first]
    assert off.rack_power("R01", 6.0) == pytest.approx(3000.0)
    on = course(
        room,
        {"at": 5, "kind": "rack_shutdown", "rack": "R01"},
        {"at": 9, "kind": "rack_start", "rack": "R01"},
    )
    assert (on.rack_power("R01", 6.0), on.rack_power("R01", 9.0)) == (0.0, pytest.approx(6000.0))


def test_set_points_speeds_and_loads_reach_the_units(pod):
    changed = course(
        pod,
        {"at": 0, "kind": "rack_power", "rack": "R04", "power": "12 kW"},
        {"at": 0, "kind": "racklet_pump", "racklet": "K04", "speed": 0},
        {"at": 0, "kind": "racklet_fan", "racklet": "K03", "speed": 1},
        {"at": 0, "kind": "cooler_set_point", "cooler": "C1", "temperature": "60 degF"},
        {"at": 0, "kind": "cooler_fan", "cooler": "C2", "speed": "35 %"},
    )
    scene, inputs = inputs_of(pod, changed, 1.0, 2.0)
    _, nominal = inputs_of(pod, course(pod), 1.0, 2.0)
    assert inputs.Q_flow[list(scene.rack_units["R04"])].sum() == pytest.approx(12e3)  # the pump stands still
    third = list(scene.rack_units["R03"])
    assert inputs.V_flow[third] == pytest.approx(nominal.V_flow[third] / 0.6)
    assert inputs.T_supply[scene.cooler_units["C1"]] == pytest.approx(288.706, abs=1e-3)
    assert inputs.V_flow[scene.cooler_units["C2"]] == pytest.approx(1.85 / 2)


def test_every_shape_lies_on_the_same_grid_lines(pod):
    events = course(
        pod,
        {"at": 1, "kind": "containment", "containment": "cold_aisle", "enabled": True},
        {"at": 2, "kind": "door", "door": "door_west", "open": True},
        {"at": 3, "kind": "tile", "tile": "T04", "state": "blocked"},
        {"at": 4, "kind": "tile", "tile": "T05", "state": "removed"},
        {"at": 5, "kind": "containment", "containment": "cold_aisle", "enabled": False},
    )
    assert [at for at, _ in events.shapes] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert [events.shape(at) for at in (0.0, 0.5, 1.0, 4.5, 99.0)] == [0, 0, 1, 4, 5]
    scenes = [build_scene(shaped(pod, shape), 0.3) for _, shape in events.shapes]
    for scene in scenes[1:]:
        assert scene.unit_names == scenes[0].unit_names
        for lines, first in zip(scene.case.grid, scenes[0].case.grid, strict=True):
            assert np.array_equal(lines, first)
    away, closed, ajar, blocked, removed, gone = (scene.case for scene in scenes)
    x = int(np.argmin(np.abs(away.grid.x - 1.8)))
    standing = closed.K_x[x] > 0
    assert standing.any()  # the west door leaks
    assert not (away.K_x[x] > 0)[standing].any()
    assert not (ajar.K_x[x] > 0)[standing].any()
    floor = int(np.argmin(np.abs(away.grid.z - 0.6)))
    tile = tuple(int(np.argmin(np.abs(a - v))) for a, v in ((away.grid.x, 3.6), (away.grid.y, 2.4)))
    assert blocked.K_z[(*tile, floor)] == pytest.approx(1e7)
    beside = (int(np.argmin(np.abs(away.grid.x - 4.2))), tile[1], floor)
    assert (removed.K_z[beside], removed.plate_z[beside]) == (0.0, False)
    assert np.array_equal(gone.plate_z[:, :, :floor], away.plate_z[:, :, :floor])


def test_an_open_door_without_resistance_is_no_door(pod):
    closed = pod.model_copy(
        update={"containments": tuple(g.model_copy(update={"enabled": True}) for g in pod.containments)}
    )
    events = course(closed, {"at": 1, "kind": "door", "door": "door_west", "open": True})
    door = build_scene(shaped(closed, events.shapes[1][1]), 0.3).case
    west = next(panel for panel in closed.containments[0].panels if panel.id == "door_west")
    group = closed.containments[0]
    rest = tuple(panel.model_copy(update={"open": panel is west}) for panel in group.panels)
    plain = build_scene(
        closed.model_copy(update={"containments": (group.model_copy(update={"panels": rest}),)}), 0.3
    ).case
    for name in ("plate_x", "plate_y", "plate_z", "K_x", "K_y", "K_z"):
        assert np.array_equal(getattr(door, name), getattr(plain, name)), name


def test_a_script_made_in_python_is_checked_and_sorted(room):
    script = Script.model_validate(
        {
            "events": [
                {"at": 9, "kind": "cooler_trip", "cooler": "C1"},
                {"at": "1 s", "kind": "rack_shutdown", "rack": "R01"},
            ]
        }
    )
    assert [event.at for event in check_script(script, room).events] == [1.0, 9.0]
    wrong = Script.model_validate({"events": [{"at": 9, "kind": "cooler_trip", "cooler": "C9"}]})
    with pytest.raises(InputError, match="Did you mean 'C1'"):
        check_script(wrong, room)
