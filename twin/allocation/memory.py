"""What the loop remembers, and how careful and patient it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from twin.allocation.plan import Move, Setting, Step

LONG_AGO = -1e18
SETTLING = 120.0  # s, after which a supply temperature shows its new set point: valve, coil and sensor


class Mode(StrEnum):
    """Who has the last word: a person (advise) or the loop (auto)."""

    ADVISE = "advise"
    AUTO = "auto"


@dataclass(frozen=True)
class LoopSettings:
    """How careful and how patient the loop is.

    Attributes
    ----------
    maximum_age : float        Readings older than this make a rack or cooler blind. [s]
    margin_low, margin_high : float    Bounds of the allowance for the prediction's error. [K]
    distrust : float           With a larger error of the live twin nothing is done. [K]
    gain : float               A plan must be better than doing nothing by this. [kW-equivalents]
    workload_rest : float      A workload that was moved stays for this many periods, at least 120 s.
    relax_rest : float         Cooling that was raised is not lowered for this many periods, at least 300 s.
    debounce : float           The same event again within this time is not heard. [s]
    event_period : float       Trouble that lasts is an event again so long after the last pass. [s]
    approval : float           A proposal is void after this many periods, at least 120 s.
    calm_time, calm_least : float   Energy is saved only if no inlet sensor was warm over the first time; the
                               loop must have watched for the second, shorter, one. [s]
    quiet : float              After a plan nothing is decided until the readings show it, and a pass that
                               broke off is not tried again sooner. [s]
    recheck : float            An approved proposal older than this is tried in the twin again. [s]
    blind_share : float        With a larger part of the racks blind nothing is done. [1]
    """

    maximum_age: float = 15.0
    margin_low: float = 0.3
    margin_high: float = 2.0
    distrust: float = 5.0
    gain: float = 0.05
    workload_rest: float = 3.0
    relax_rest: float = 6.0
    debounce: float = 30.0
    event_period: float = 60.0
    approval: float = 2.0
    calm_time: float = 300.0
    calm_least: float = 120.0
    quiet: float = 10.0
    recheck: float = 60.0
    blind_share: float = 0.5


@dataclass
class Memory:
    """What the loop remembers between decisions; all of it can be rebuilt from the decisions themselves.

    Attributes
    ----------
    moved : dict        Workload -> when it was moved last, or its move was refused. [s since epoch]
    raised, lowered : dict    Point -> when its cooling was raised or lowered last. [s since epoch]
    commanded : dict    Writable point -> last value that was accepted. [telemetry unit]
    commanded_at : dict    Writable point -> when that was. [s since epoch]
    errors : deque      Errors of the latest predictions. [K]
    """

    workload_rest: float
    relax_rest: float
    settle: float
    moved: dict[str, float] = field(default_factory=dict)
    raised: dict[str, float] = field(default_factory=dict)
    lowered: dict[str, float] = field(default_factory=dict)
    commanded: dict[str, float] = field(default_factory=dict)
    commanded_at: dict[str, float] = field(default_factory=dict)
    errors: deque[float] = field(default_factory=lambda: deque(maxlen=5))

    def workload_rests(self, workload: str, now: float) -> bool:
        """Whether a workload was moved too recently to be moved again."""
        return now < self.moved.get(workload, LONG_AGO) + self.workload_rest

    def setting_rests(self, setting: Setting, now: float) -> bool:
        """Whether it is too early to change a set point in this direction.

        More cooling waits until the point's last change in that direction has had its effect. Less cooling
        waits twice as long after any other lowering in the room, and long after any raising: one step of
        saving at a time, and none soon after cooling was needed.
        """
        if setting.cools:
            return now < self.raised.get(setting.point, LONG_AGO) + self.settle
        last_raised = max(self.raised.values(), default=LONG_AGO)
        last_lowered = max(self.lowered.values(), default=LONG_AGO)
        return now < last_raised + self.relax_rest or now < last_lowered + 2.0 * self.settle

    def rest(self, moves: Iterable[Move], now: float) -> None:
        """Leave workloads alone for a while, whose move was refused."""
        for move in moves:
            self.moved[move.workload] = now

    def note(self, steps: Iterable[Step], now: float) -> None:
        """Remember what was carried out."""
        for step in steps:
            for move in step.moves:
                self.moved[move.workload] = now
            for setting in step.settings:
                (self.raised if setting.cools else self.lowered)[setting.point] = now
                self.command(setting.point, setting.new, now)

    def command(self, point: str, value: float, now: float) -> None:
        """Remember what a point was set to, in its telemetry unit."""
        self.commanded[point], self.commanded_at[point] = value, now

    def settling(self, now: float) -> frozenset[str]:
        """Return the points that were set so lately that readings need not show it yet."""
        return frozenset(point for point, at in self.commanded_at.items() if now < at + SETTLING)

    def forget_commands(self) -> None:
        """Forget what the points were set to; what is measured counts from now on."""
        self.commanded.clear()
        self.commanded_at.clear()
