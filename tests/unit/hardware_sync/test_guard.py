from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from hardware_sync.guard import APPROVAL_VALID, REMEMBERED, Guard, WriteLimit, WriteMode
from twin.ports import Command, CommandResult

FAN = WriteLimit("K01.fan_speed", 0.2, 1.0, 0.4, 0.05)
NOW = 1000.0


class Device:
    """A thing that can be written, and fails when told to."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {"K01.fan_speed": 0.6}
        self.writes = 0
        self.broken = False

    def write(self, commands: Sequence[Command]) -> list[CommandResult]:
        results = []
        for command in commands:
            if not self.broken:
                self.values[command.point] = command.value
                self.writes += 1
            results.append(CommandResult(command.id, not self.broken, "broken" if self.broken else ""))
        return results


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def make(mode: WriteMode = WriteMode.ARMED) -> tuple[Guard, Device, Clock]:
    device, clock = Device(), Clock()
    return Guard([FAN], device, mode=mode, current=device.values.get, clock=clock), device, clock


def command(
    value: float, id: str = "a", point: str = "K01.fan_speed", start: float = NOW, life: float = 60.0
):
    return Command(id, point, value, "test", start, start + life)


def test_a_guard_is_read_only_until_told_otherwise():
    device = Device()
    guard = Guard([FAN], device, clock=Clock())
    (result,) = guard.write([command(0.7)])
    assert not result.accepted
    assert "read-only" in result.message
    assert device.writes == 0


def test_an_approved_command_passes_a_read_only_guard_once():
    guard, device, _ = make(WriteMode.READ_ONLY)
    guard.approve(["a"])
    first, other = guard.write([command(0.7, "a"), command(0.7, "b")])
    assert first.accepted
    assert not other.accepted
    assert device.values["K01.fan_speed"] == 0.7
    (again,) = guard.write([command(0.7, "a")])
    assert again.accepted
    assert device.writes == 1


def test_approval_does_not_lift_the_limits():
    guard, device, _ = make(WriteMode.READ_ONLY)
    guard.approve(["a"])
    (result,) = guard.write([command(1.2, "a")])
    assert not result.accepted
    assert device.writes == 0


def test_an_approval_ends_with_its_command():
    guard, device, clock = make(WriteMode.READ_ONLY)
    guard.approve(["a", "b"])
    (late,) = guard.write([command(0.7, "a", start=NOW - 61)])
    assert "expired" in late.message
    (again,) = guard.write([command(0.7, "a")])
    assert "read-only" in again.message
    clock.now += APPROVAL_VALID
    (forgotten,) = guard.write([command(0.7, "b", start=clock.now)])
    assert "read-only" in forgotten.message
    assert device.writes == 0


def test_a_refused_command_keeps_its_approval_while_it_is_fresh():
    guard, device, _ = make(WriteMode.READ_ONLY)
    guard.approve(["a"])
    assert not guard.write([command(1.2, "a")])[0].accepted
    assert guard.write([command(0.7, "a")])[0].accepted
    assert device.writes == 1


def test_approvals_that_nobody_uses_do_not_pile_up():
    guard, _, clock = make(WriteMode.READ_ONLY)
    for k in range(3 * REMEMBERED):
        guard.approve([f"c{k}"])
    assert len(guard._approved) == REMEMBERED
    assert guard.write([command(0.7, f"c{3 * REMEMBERED - 1}")])[0].accepted
    clock.now += APPROVAL_VALID
    guard.approve(["last"])
    assert list(guard._approved) == ["last"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (command(1.01), "outside 0.2 to 1"),
        (command(0.1), "outside 0.2 to 1"),
        (command(math.nan), "not a finite number"),
        (command(math.inf), "not a finite number"),
        (command(0.7, point="K01.state"), "not a writable point"),
        (command(0.7, start=NOW - 61), "expired"),
        (command(0.7, start=NOW + 10), "future"),
        (command(0.15 + 0.86), "outside"),
    ],
)
def test_what_is_wrong_is_refused_with_its_reason_and_no_effect(wrong, said):
    guard, device, _ = make()
    (result,) = guard.write([wrong])
    assert not result.accepted
    assert said in result.message
    assert wrong.point in result.message
    assert device.writes == 0


def test_a_first_step_is_judged_by_the_value_in_force():
    guard, device, _ = make()
    device.values["K01.fan_speed"] = 0.3
    (far,) = guard.write([command(0.8, "a")])
    assert not far.accepted
    assert "from 0.3 to 0.8 is too fast" in far.message
    (near,) = guard.write([command(0.7, "b")])
    assert near.accepted


def test_the_allowance_grows_with_time_after_a_write():
    guard, device, clock = make()
    assert guard.write([command(0.8, "a")])[0].accepted
    assert not guard.write([command(0.6, "b")])[0].accepted
    clock.now += 4.0
    assert guard.write([command(0.6, "c")])[0].accepted
    clock.now += 1.0
    assert guard.write([command(0.6, "d", start=clock.now)])[0].accepted
    assert device.values["K01.fan_speed"] == 0.6


def test_several_commands_to_one_point_do_not_add_up_past_the_slew():
    guard, device, _ = make()
    results = guard.write([command(0.9, "a"), command(0.5, "b")])
    assert [result.accepted for result in results] == [True, False]
    assert device.values["K01.fan_speed"] == 0.9


def test_a_repeated_id_is_answered_and_not_acted_on():
    guard, device, _ = make()
    first = guard.write([command(0.7, "a")])
    device.values["K01.fan_speed"] = 0.5
    assert guard.write([command(0.7, "a")]) == first
    assert device.values["K01.fan_speed"] == 0.5


def test_a_failed_write_can_be_repeated():
    guard, device, _ = make()
    device.broken = True
    (failed,) = guard.write([command(0.7, "a")])
    assert (failed.accepted, failed.message) == (False, "broken")
    device.broken = False
    assert guard.write([command(0.7, "a")])[0].accepted


def test_results_come_in_the_order_of_the_commands():
    guard, _, _ = make()
    ids = ["a", "b", "c"]
    commands = [command(5.0, "a"), command(0.7, "b"), command(0.7, "c", point="x.y")]
    assert [result.id for result in guard.write(commands)] == ids
