"""Taking back what could not be taken back at once."""

import pytest

from twin.allocation.commit import Committer
from twin.allocation.leftovers import GIVEN_UP, LONGEST_PAUSE, Leftovers
from twin.allocation.plan import Move, Setting, Step
from twin.errors import OutsideError

FAN = Setting("C1.fan_speed", 0.7, 0.8)
SUPPLY = Setting("C1.supply_temperature", 18.0, 17.0)
MOVE = Move("W02.1", "R02", "R04", 3000.0)


def after_failed_plan(room, *steps):
    room.fan, room.supply = 0.8, 17.0
    leftovers = Leftovers(Committer(room, room, lambda: room.now))
    leftovers.add({"id": "D1", "why": "test"}, steps, room.now)
    return leftovers


def test_what_cannot_be_taken_back_is_tried_ever_less_often_and_given_up(hot_room):
    tried, start = [], hot_room.now

    def broken(commands):
        tried.append(hot_room.now)
        raise OutsideError("the mesh is down")

    hot_room.write = broken
    leftovers = after_failed_plan(hot_room, Step(settings=(FAN,)))
    ended = []
    while len(leftovers):
        hot_room.now += 1.0
        undone, done = leftovers.retry(hot_room.now)
        assert undone == []
        ended += done
        assert hot_room.now < start + GIVEN_UP + 2 * LONGEST_PAUSE
    assert len(tried) < 25
    assert tried[0] == start + 1.0 and tried[-1] >= start + GIVEN_UP
    ((decision, how),) = ended
    assert decision["id"] == "D1"
    assert "cooling up could not be taken back for" in how and "given up: the mesh is down" in how


def test_what_broke_off_while_it_was_taken_back_is_tried_again(hot_room):
    leftovers = after_failed_plan(hot_room, Step(settings=(FAN, SUPPLY)))
    write, failures = hot_room.write, [1, 2]

    def broken(commands):
        if failures:
            failures.pop()
            raise OutsideError("the mesh is down")
        return write(commands)

    hot_room.write = broken
    undone, ended = [], []
    for _ in range(10):
        hot_room.now += 1.0
        more, done = leftovers.retry(hot_room.now)
        undone, ended = undone + more, ended + done
    assert undone == [FAN, SUPPLY]
    assert (hot_room.fan, hot_room.supply) == (0.7, 18.0)
    assert ended == [({"id": "D1", "why": "test"}, "taken back after 7 s")]


def test_only_what_was_undone_is_said_to_be(hot_room):
    leftovers = after_failed_plan(hot_room, Step(settings=(FAN, SUPPLY)))
    hot_room.refuse = {SUPPLY.point}
    hot_room.now += 1.0
    assert leftovers.retry(hot_room.now) == ([FAN], [])
    hot_room.refuse = set()
    hot_room.now += 2.0
    assert leftovers.retry(hot_room.now)[0] == [SUPPLY]


@pytest.mark.parametrize("newer", [Step(settings=(Setting(FAN.point, 0.8, 0.9),)), Step(moves=(MOVE,))])
def test_what_a_newer_plan_has_done_is_left_alone(hot_room, newer):
    leftovers = after_failed_plan(hot_room, Step(settings=(FAN,)), Step(moves=(MOVE,)))
    hot_room.placement[MOVE.workload] = "R04"
    leftovers.overtake([newer])
    hot_room.now += 1.0
    leftovers.retry(hot_room.now)
    assert hot_room.fan == (0.8 if newer.settings else 0.7)
    assert hot_room.placement[MOVE.workload] == ("R04" if newer.moves else "R02")
    assert len(leftovers) == 0
