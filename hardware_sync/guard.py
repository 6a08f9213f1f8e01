"""The guard: every write passes here, and read-only is what it starts with.

A command goes through when the guard is armed (or the command was approved by a person), the point is
writable, the value is finite and inside the point's limits, the change is not faster than the point may
move, and the command is fresh. Everything else is refused with the reason. A refused command has no effect
at all.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from twin.errors import RefusedError
from twin.ports import Actuator, Command, CommandResult

log = logging.getLogger(__name__)

CLOCK_TOLERANCE = 2.0
REMEMBERED = 4096
APPROVAL_VALID = 300.0


@dataclass(frozen=True, slots=True)
class WriteLimit:
    """What may be written to one point.

    Attributes
    ----------
    point : str
    minimum, maximum : float   Inclusive; unit of the point.
    step : float               Largest change by one command; unit of the point.
    slew : float               Growth of that allowance after a write; unit of the point per second.
    """

    point: str
    minimum: float
    maximum: float
    step: float
    slew: float


class WriteMode(StrEnum):
    """Whether writes go through."""

    READ_ONLY = "read_only"
    ARMED = "armed"


def check_limits(limit: WriteLimit, command: Command, now: float) -> None:
    """Check what needs no memory: a finite value inside the limits, and a command that has not expired.

    Raises
    ------
    RefusedError : with the reason.
    """
    if not math.isfinite(command.value):
        raise RefusedError(f"{command.point}: {command.value} is not a finite number")
    if not limit.minimum <= command.value <= limit.maximum:
        raise RefusedError(
            f"{command.point}: {command.value:g} is outside {limit.minimum:g} to {limit.maximum:g}"
        )
    if now >= command.expires:
        raise RefusedError(f"{command.point}: the command expired {now - command.expires:.1f} s ago")
    if command.issued > now + CLOCK_TOLERANCE:
        raise RefusedError(
            f"{command.point}: issued {command.issued - now:.1f} s in the future; check the clocks"
        )


class Guard:
    """Check commands against limits, slew, expiry and mode, and hand the good ones to an actuator.

    Implements `twin.ports.Actuator`. Safe to use from several threads.

    Parameters
    ----------
    limits : iterable of WriteLimit
        The writable points; nothing else can be written.
    actuator : Actuator
        Where good commands go.
    mode : WriteMode
        ``READ_ONLY`` refuses all but approved commands.
    current : callable
        ``current(point)`` returns the value in force now or None; the slew of a first write is judged by it.
    clock : callable
        Seconds since the epoch.
    """

    def __init__(
        self,
        limits: Iterable[WriteLimit],
        actuator: Actuator,
        *,
        mode: WriteMode = WriteMode.READ_ONLY,
        current: Callable[[str], float | None] = lambda _point: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.limits: Mapping[str, WriteLimit] = {limit.point: limit for limit in limits}
        self.mode = mode
        self._actuator = actuator
        self._current = current
        self._clock = clock
        self._lock = threading.Lock()
        self._written: dict[str, tuple[float, float]] = {}
        self._answered: OrderedDict[str, CommandResult] = OrderedDict()
        self._approved: OrderedDict[str, float] = OrderedDict()

    def approve(self, ids: Iterable[str]) -> None:
        """Let the commands with these ids through once although the guard is read-only; a person said yes.

        An approval ends with its command: when that was carried out or has expired, and after
        `APPROVAL_VALID` seconds at the latest. Of very many the oldest are dropped first.
        """
        with self._lock:
            now = self._clock()
            for id in ids:
                self._approved[id] = now
                self._approved.move_to_end(id)
            while self._approved:
                oldest = next(iter(self._approved))
                if len(self._approved) <= REMEMBERED and self._is_approved(oldest, now):
                    break
                del self._approved[oldest]

    def check(self, command: Command) -> None:
        """Check one command as `write` would, without effect.

        Raises
        ------
        RefusedError : with the reason.
        """
        now = self._clock()
        limit = self.limits.get(command.point)
        if limit is None:
            raise RefusedError(f"{command.point}: not a writable point")
        if self.mode is WriteMode.READ_ONLY and not self._is_approved(command.id, now):
            raise RefusedError(f"{command.point}: writes are off (read-only); approve it, or arm the guard")
        check_limits(limit, command, now)
        self._check_slew(limit, command, now)

    def write(self, commands: Sequence[Command]) -> list[CommandResult]:
        """Carry out the commands that pass; one result each in the same order.

        A repeated id gets the answer it got before and is not acted on again.
        """
        results: dict[int, CommandResult] = {}
        passed: list[tuple[int, Command]] = []
        with self._lock:
            now = self._clock()
            for index, command in enumerate(commands):
                if known := self._answered.get(command.id):
                    results[index] = known
                    continue
                try:
                    self.check(command)
                except RefusedError as error:
                    log.warning("refused command %s: %s", command.id, error)
                    if now >= command.expires:
                        self._approved.pop(command.id, None)
                    results[index] = CommandResult(command.id, False, str(error))
                    continue
                self._written[command.point] = (command.value, now)
                passed.append((index, command))
        if passed:
            answers = self._actuator.write([command for _, command in passed])
            with self._lock:
                for (index, command), answer in zip(passed, answers, strict=True):
                    results[index] = answer
                    if answer.accepted:
                        self._remember(answer)
                    else:
                        self._written.pop(command.point, None)
        return [results[index] for index in range(len(commands))]

    def _is_approved(self, id: str, now: float) -> bool:
        return 0.0 <= now - self._approved.get(id, -math.inf) < APPROVAL_VALID

    def _check_slew(self, limit: WriteLimit, command: Command, now: float) -> None:
        value, since = self._written.get(limit.point, (None, -math.inf))
        allowed = min(limit.step, limit.slew * max(0.0, now - since))
        if allowed >= limit.step:
            value = self._current(limit.point)
        if value is None or value == command.value:
            return
        if abs(command.value - value) > allowed * (1 + 1e-9):
            raise RefusedError(
                f"{command.point}: a change from {value:g} to {command.value:g} is too fast; {allowed:.3g} "
                f"is allowed now, {limit.slew:g} more each second up to {limit.step:g}"
            )

    def _remember(self, result: CommandResult) -> None:
        self._approved.pop(result.id, None)
        self._answered[result.id] = result
        while len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
