"""What loops pass on the way: kept with its times and its worst, though it is over at the end."""

import json

from twin.model.circuits import Alarm
from twin.planning.transient.alarms import AlarmLog


def chips(name, T):
    return Alarm(f"{name}.chips", T, f"chips of {name} at {T:g}")


def test_a_limit_that_was_passed_is_told_with_its_times_and_its_worst():
    log = AlarmLog()
    log.note(0.0, {"L1": ()})
    log.note(2.0, {"L1": (chips("B1", 80.0), Alarm("P1", 0.0, "pump P1 is down", passes=False))})
    log.note(4.0, {"L1": (chips("B1", 95.0), chips("B2", 77.0))})
    log.note(6.0, {"L1": (chips("B1", 78.0),)})
    log.note(8.0, {"L1": ()})
    assert log.texts() == [
        "loop 'L1': chips of B1 at 95 (first seen at 2 s, worst at 4 s, last at 6 s; 1 other alike)"
    ]
    assert [(row["name"], row["first_s"], row["worst_s"]) for row in log.as_json()] == [
        ("B1.chips", 2.0, 4.0),
        ("B2.chips", 4.0, 4.0),
    ]


def test_a_log_goes_on_from_a_checkpoint():
    log = AlarmLog()
    log.note(2.0, {"L1": (chips("B1", 80.0),)})
    again = AlarmLog(json.loads(json.dumps(log.rows)))
    for each in (log, again):
        each.note(4.0, {"L1": (chips("B1", 79.0),)})
    assert again.rows == log.rows


def test_loops_are_told_apart():
    log = AlarmLog()
    log.note(1.0, {"L1": (chips("B1", 80.0),), "L2": (chips("B1", 90.0),)})
    assert len(log.texts()) == 2
