"""Carrying plans out: order, failures, and the way back."""

import pytest

from twin.allocation.commit import Committer
from twin.allocation.plan import Candidate, Move, Setting, Step, steps_of
from twin.errors import OutsideError

UP = Setting("C1.fan_speed", 0.7, 0.8)
DOWN = Setting("C1.supply_temperature", 18.0, 18.5)
MOVE = Move("W02.1", "R02", "R04", 3000.0)
OTHER = Move("W02.2", "R02", "R03", 2500.0)


def carry(room, candidate, seen=None):
    committer = Committer(room, room, lambda: room.now)
    note = (lambda outcome: seen.append(len(outcome.results))) if seen is not None else (lambda outcome: None)
    return committer.carry_out(steps_of(candidate), "test", "D1", note)


def test_first_more_cooling_then_the_load_then_less_cooling(hot_room):
    seen = []
    outcome = carry(hot_room, Candidate("x", (MOVE,), (DOWN, UP)), seen)
    assert hot_room.log == ["C1.fan_speed=0.8", "W02.1->R04", "C1.supply_temperature=18.5"]
    assert not outcome.failure and [r["accepted"] for r in outcome.results] == [True, True, True]
    assert seen == [0, 1, 2]  # what is done is stored before each next step
    assert len({command.id for command in hot_room.written}) == 2


def test_half_a_step_is_taken_back_with_the_rest(hot_room):
    hot_room.stuck = {"W02.2"}
    outcome = carry(hot_room, Candidate("x", (MOVE, OTHER), (UP,)))
    assert "W02.2: cannot be moved" in outcome.failure
    assert hot_room.placement["W02.1"] == "R02" and hot_room.fan == 0.7
    assert outcome.done == []


def test_what_cannot_be_taken_back_is_told(hot_room):
    hot_room.stuck = {"W02.2"}
    migrate = hot_room.migrate

    def once(moves, reason):
        if reason.startswith("take back"):
            raise OutsideError("gone")
        return migrate(moves, reason)

    hot_room.migrate = once
    outcome = carry(hot_room, Candidate("x", (MOVE, OTHER)))
    assert outcome.done[0].moves == (MOVE,)
    assert outcome.results[-1] == {"id": "take back migrations", "accepted": False, "message": "gone"}


def test_a_device_that_breaks_off_counts_as_written_and_is_taken_back(hot_room):
    write, calls = hot_room.write, []

    def broken(commands):
        results = write(commands)
        calls.append(commands)
        if len(calls) == 1:
            raise OutsideError("mesh down")
        return results

    hot_room.write = broken
    outcome = carry(hot_room, Candidate("x", (), (UP,)))
    assert "mesh down" in outcome.failure
    assert hot_room.fan == 0.7


@pytest.mark.parametrize("place", ["R03", None])
def test_a_workload_that_has_strayed_stops_the_plan(hot_room, place):
    if place is None:
        del hot_room.placement["W02.1"]
    else:
        hot_room.placement["W02.1"] = place
    outcome = carry(hot_room, Candidate("x", (MOVE,)))
    assert "not on R02" in outcome.failure and hot_room.moves == []


def test_a_move_that_is_already_true_is_fine(hot_room):
    hot_room.placement["W02.1"] = "R04"
    outcome = carry(hot_room, Candidate("x", (MOVE,)))
    assert not outcome.failure and hot_room.moves == []


@pytest.mark.parametrize("stored", [0, 1, 2])
def test_a_plan_that_cannot_be_stored_between_its_steps_is_taken_back(hot_room, stored):
    def progress(outcome):
        if len(outcome.results) == stored:
            raise OutsideError("the disk is full")

    committer = Committer(hot_room, hot_room, lambda: hot_room.now)
    plan = Candidate("x", (MOVE,), (DOWN, UP))
    outcome = committer.carry_out(steps_of(plan), "test", "D1", progress)
    assert "could not be stored: the disk is full" in outcome.failure
    assert (hot_room.fan, hot_room.supply, hot_room.placement["W02.1"]) == (0.7, 18.0, "R02")
    assert outcome.done == []


def test_a_device_that_breaks_off_while_it_is_taken_back_counts_as_not_taken_back(hot_room):
    committer = Committer(hot_room, hot_room, lambda: hot_room.now)

    def broken(commands):
        raise OutsideError("mesh down")

    hot_room.write = broken
    step = Step(settings=(UP,))
    assert committer.take_back([step], "test", "D1", []) == [step]
