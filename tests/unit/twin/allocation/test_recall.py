"""What the loop takes over from stored decisions, and what it leaves."""

import json

import pytest

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
