"""What the loop takes over from stored decisions, and what it leaves."""

import json

import pytest

from twin.allocation.record import comparison_window

PERIOD = 30.0


def stored(room, **options):
    """Let a loop decide once, and return its record as the historian gives it back."""
    loop = room.loop(**options)
    loop.tick(room.now)
    return json.loads(json.dumps(room.pass_time(loop, PERIOD)))


def rename(decision, before, after):
    return json.loads(json.dumps(decision).replace(f'"{before}', f'"{after}'))


@pytest.mark.parametrize(("before", "after"), [("R02", "R05"), ("C1.", "C7."), ("C1.fan", "K01.pump")])
@pytest.mark.parametrize("mode", ["auto", "advise"])
def test_decisions_on_what_the_layout_no_longer_has_are_left_out(make_room, mode, before, after):
    room = make_room()
    decision = rename(stored(room, mode=mode), before, after)
    assert after in json.dumps(decision["candidates"])
    room.saved.clear()
    again = room.loop(mode=mode)
    mean = again.influence.mean.copy()
    again.restore([decision])
    assert (again.influence.mean == mean).all()
    assert again.memory.moved == {} and again.memory.commanded == {}
    assert again.pending is None
    if mode == "advise":
        assert room.saved[decision["id"]]["state"] == "rejected"
        assert "the layout has changed: no " in room.saved[decision["id"]]["why"]
    room.pass_time(again, PERIOD)
    room.pass_time(again, PERIOD)  # and the loop goes on


def test_a_plan_under_way_on_what_the_layout_no_longer_has_is_closed(make_room):
    room = make_room()
    decision = rename(stored(room), "R02", "R05") | {"state": "approved", "committed_at": None}
    again = room.loop()
    again.restore([decision])
    assert room.saved[decision["id"]]["state"] == "failed"
    assert "the layout has changed: no R05" in room.saved[decision["id"]]["why"]


def commanded_supply(room, value):
    """Return a committed decision that set the supply, as the historian gives it back."""
    decision = stored(room)
    candidate = next(c for c in decision["candidates"] if c["id"] == decision["chosen"])
    candidate["moves"] = []
    candidate["settings"] = [{"point": "C1.supply_temperature", "from": 21.0, "to": value}]
    return decision


def believed_supply(loop, room):
    return loop._planner.see(room, tuple(room.workloads()), room.now).set_points["C1.supply_temperature"]


@pytest.mark.parametrize("value", [22.0, 19.0])
def test_set_points_from_before_a_long_absence_are_not_believed(make_room, value):
    room = make_room()
    decision = commanded_supply(room, value)
    room.supply = 18.0  # the plant was away as well, and is back at its nominal values
    room.now += 5 * 86400.0
    again = room.loop()
    again.restore([decision])
    assert believed_supply(again, room) == 18.0
    assert again.memory.commanded == {}


def test_set_points_from_before_an_earlier_absence_are_not_believed(make_room):
    room = make_room()
    old = commanded_supply(room, 19.0)
    recent = {**stored(make_room()), "id": "D2", "time": old["time"] + 86400.0, "state": "idle"}
    recent |= {"chosen": None, "committed_at": None, "candidates": []}
    room.now = recent["time"] + 60.0
    again = room.loop()
    again.restore([recent, old])
    assert again.memory.commanded == {}


def test_set_points_are_believed_as_long_as_decisions_went_on(make_room):
    room = make_room()
    first = commanded_supply(room, 19.0)
    room.supply = 19.0
    idle = {**first, "state": "idle", "chosen": None, "committed_at": None, "candidates": []}
    later = [{**idle, "id": f"D{i}", "time": first["time"] + 300.0 * i} for i in range(1, 20)]
    room.now = later[-1]["time"] + 300.0
    again = room.loop()
    again.restore([*later, first])
    assert believed_supply(again, room) == 19.0


def test_a_plan_from_before_a_long_absence_is_not_compared_with_the_room_of_now(make_room):
    room = make_room()
    decision = stored(room)
    room.now += 5 * 86400.0
    room.supply += 3.0
    again = room.loop(period=300.0)
    again.restore([decision])
    for _ in range(3):
        room.pass_time(again, 1.0)
    record = room.saved[decision["id"]]
    assert record["state"] == "committed" and record["observed"] is None
    assert "not compared: nothing was measured" in record["why"]
    assert list(again.memory.errors) == []
    saved = json.loads(json.dumps(record))
    room.saved.clear()
    third = room.loop(period=300.0)
    third.restore([saved])
    room.pass_time(third, 1.0)
    assert decision["id"] not in room.saved  # closed once


def test_a_plan_on_what_the_layout_no_longer_has_is_not_compared(make_room):
    room = make_room()
    decision = rename(stored(room), "R02", "R05")
    again = room.loop(period=300.0)
    again.restore([decision])
    record = room.saved[decision["id"]]
    assert record["state"] == "committed"
    assert "not compared: the layout has changed: no R05" in record["why"]


@pytest.mark.parametrize(("late", "state"), [(0.0, "observed"), (1.0, "observed"), (1.1, "committed")])
def test_the_present_stands_in_for_the_window_only_for_as_long_again(make_room, late, state):
    room = make_room()
    decision = stored(room)
    start, end = comparison_window(decision)
    again = room.loop(period=300.0)
    again.restore([decision])
    room.now = end + late * (end - start)
    again.tick(room.now)
    assert room.saved[decision["id"]]["state"] == state
