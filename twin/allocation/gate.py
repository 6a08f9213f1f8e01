"""The gate: nothing is committed that has not been tried in the twin and found to break no limit there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from twin.allocation.cost import feed_load
from twin.allocation.plan import Candidate
from twin.allocation.situation import Situation
from twin.model.operating import Operating
from twin.units import celsius

TOLERANCE = 0.2  # K, by which an inlet outside its recommended band may be hotter than without the plan


class TrialResult(Protocol):
    """What the twin says of a future."""

    @property
    def inlet_max(self) -> Mapping[str, float]:
        """Hottest inlet sensor of every rack by its mean over the second half of the horizon, in K."""
        ...

    @property
    def inlet_peak(self) -> Mapping[str, float]:
        """Hottest spot of every rack's front at any moment of the second half of the horizon, in K."""
        ...

    @property
    def cooler_power(self) -> Mapping[str, float]:
        """Heat that every cooler takes, mean over the horizon, in W."""
        ...

    @property
    def chip_over(self) -> Mapping[str, float]:
        """Chips of every rack on a coolant loop over their limit, the most in that half, in K."""
        ...

    @property
    def wall(self) -> float:
        """Time the trial took, in s."""
        ...


class Trial(Protocol):
    """The twin, run ahead."""

    def freeze(self) -> None:
        """Take the present state; every run that follows starts from it.

        Raises
        ------
        OutsideError : there is no state, or nobody to run it.
        """
        ...

    def __call__(self, now: Operating, candidate: Operating, horizon: float) -> TrialResult:
        """Run ahead.

        Parameters
        ----------
        now : Operating          In force until the plan has been carried out.
        candidate : Operating    In force from then on.
        horizon : float          [s]

        Raises
        ------
        TwinError : the run failed; its result is unknown.
        """
        ...


@dataclass(frozen=True)
class Budget:
    """What the time allows.

    Attributes
    ----------
    horizon : float      How far each trial looks. [s]
    candidates : int     How many are tried beside the baseline.
    seconds : float      Time for all of it. [s]
    note : str           For people.
    """

    horizon: float
    candidates: int
    seconds: float
    note: str

    def to_json(self) -> dict[str, Any]:
        """Return the form of the decision record."""
        return {
            "horizon_s": round(self.horizon, 1),
            "candidates": self.candidates,
            "seconds": round(self.seconds, 1),
            "note": self.note,
        }


class TimeBudget:
    """Divides the allocation period into trials, from what trials have cost so far.

    A trial costs wall time in proportion to its horizon. Half the period (for an event at most 15 s) is
    spent on the baseline and up to ``most`` candidates that look one period ahead, but 120 s at least and
    ``longest`` at most; if that is too much, first the number of candidates falls to two, then the horizon to
    ``shortest``, then the number to one.

    Parameters
    ----------
    period : float      Between decisions. [s]
    longest, shortest : float   Horizon. [s]
    most : int          Candidates.
    cost : float        Wall time per second of horizon, before any trial was seen. [1]
    """

    def __init__(
        self,
        period: float,
        longest: float = 300.0,
        shortest: float = 40.0,
        most: int = 5,
        cost: float = 0.1,
    ) -> None:
        self.period = period
        self.longest = min(longest, max(120.0, period))
        self.shortest = shortest
        self.most = most
        self.cost = cost
        self._measured = False

    def record(self, horizon: float, wall: float) -> None:
        """Learn the cost from a trial that took ``wall`` seconds for ``horizon`` seconds."""
        seen = wall / max(horizon, 1e-6)
        self.cost = 0.5 * self.cost + 0.5 * seen if self._measured else seen
        self._measured = True

    def divide(self, event: bool = False) -> Budget:
        """Return how many candidates with which horizon fit."""
        seconds = min(0.5 * self.period, 15.0) if event else 0.5 * self.period
        trials = seconds / max(self.cost, 1e-9)  # seconds of horizon that fit
        horizon = self.longest
        candidates = int(trials / horizon) - 1
        if candidates < 2:
            candidates = 2
            horizon = trials / 3.0
        if horizon < self.shortest:
            horizon = self.shortest
            candidates = max(1, int(trials / horizon) - 1)
        candidates = min(candidates, self.most)
        late = self.cost * horizon * (candidates + 1) > seconds * 1.001
        note = (
            f"{candidates} candidates and the baseline, {horizon:.0f} s ahead each, "
            f"{self.cost:.3f} s of work per second{' (measured)' if self._measured else ' (assumed)'}"
            + ("; more than the time allowed" if late else "")
        )
        return Budget(horizon, candidates, seconds, note)


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a candidate.

    Attributes
    ----------
    accepted : bool
    why : str
    """

    accepted: bool
    why: str


def corrected(inlet: Mapping[str, float], correction: Mapping[str, float]) -> dict[str, float]:
    """Return inlets of a trial with the live twin's bias taken off, in K.

    A trial starts from the live twin, whose error at a rack lasts longer than the horizon.
    """
    return {rack: value + correction.get(rack, 0.0) for rack, value in inlet.items()}


@dataclass(frozen=True)
class Inlets:
    """Inlets and chips of a trial, corrected, as the gate judges them.

    Attributes
    ----------
    hottest : dict    Rack -> hottest sensor by its mean over the second half of the horizon. [K]
    peak : dict       Rack -> hottest spot of the whole front at any moment of it. [K]
    chips : dict      Rack on a coolant loop -> its chips over their limit, the most in it. [K]
    """

    hottest: dict[str, float]
    peak: dict[str, float]
    chips: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        result: TrialResult,
        correction: Mapping[str, float],
        chip_correction: Mapping[str, float] = MappingProxyType({}),
    ) -> Inlets:
        """Correct a trial's inlets and chips by the twin's bias there."""
        return cls(
            corrected(result.inlet_max, correction),
            corrected(result.inlet_peak, correction),
            corrected(result.chip_over, chip_correction),
        )


def _chip_fault(rack: str, inlets: Inlets, baseline: Inlets, margin: float) -> str:
    """Say what is wrong with the chips of a rack on a loop; empty if nothing is."""
    over, before = (trial.chips.get(rack, math.nan) for trial in (inlets, baseline))
    if not (math.isfinite(over) and math.isfinite(before)):
        return f"chips of {rack}: the trial gives no temperature"
    if over + margin > 0.0 and over > before + TOLERANCE:
        return (
            f"chips of {rack} {over:+.1f} K over their limit ({before:+.1f} K without, margin {margin:.1f} K)"
        )
    return ""


def judge(
    situation: Situation,
    candidate: Candidate,
    inlets: Inlets,
    baseline: Inlets,
    margin: float,
    saving: bool,
) -> Verdict:
    """Say whether a candidate breaks a limit in its trial.

    No spot of a rack's front may at any moment be over its allowable limit, the margin included, unless it is
    so without the plan and the plan does not make it hotter. At the sensors, in the mean over time, it may
    not be over the recommended limit unless it is so without the plan and not hotter by more than 0.2 K. A
    plan that only saves energy must leave every inlet under the recommended limit, the margin included. Chips
    on a coolant loop may not be over their limit, the margin included, unless they are so without the plan
    and not hotter by more than 0.2 K; nor may a trial say nothing of them. Power may not exceed a rack's
    limit or a feed where it did not before.

    Parameters
    ----------
    situation : Situation
    candidate : Candidate
    inlets, baseline : Inlets    With and without the plan.
    margin : float               [K]
    saving : bool                The plan only saves energy.
    """
    faults: list[str] = []
    change = candidate.power_change()
    for rack in situation.racks.values():
        hot, before = inlets.hottest[rack.id], baseline.hottest[rack.id]
        peak, peak_before = inlets.peak[rack.id], baseline.peak[rack.id]
        shown = f"{rack.id} {celsius(hot):.1f} degC ({celsius(before):.1f} without)"
        if not (hot < float("inf") and peak < float("inf")):
            faults.append(f"{rack.id}: the trial gives no temperature")
        elif peak + margin > rack.inlet_allowable and peak > peak_before:
            shown = f"{rack.id} peaks at {celsius(peak):.1f} degC ({celsius(peak_before):.1f} without)"
            faults.append(f"{shown}, allowable is {celsius(rack.inlet_allowable):.0f} less {margin:.1f}")
        elif hot > rack.inlet_recommended and hot > before + TOLERANCE:
            faults.append(f"{shown}, recommended is {celsius(rack.inlet_recommended):.0f}")
        elif saving and hot + margin > rack.inlet_recommended:
            faults.append(f"{shown}, too warm to save energy (margin {margin:.1f} K)")
        if rack.id in situation.looped | inlets.chips.keys() and (
            fault := _chip_fault(rack.id, inlets, baseline, margin)
        ):
            faults.append(fault)
        more = change.get(rack.id, 0.0)
        if more > 0 and rack.power_ahead + more > rack.power_limit:
            over = rack.power_ahead + more
            faults.append(f"{rack.id} {over:.0f} W, limit is {rack.power_limit:.0f} W")
    before_load = feed_load(situation)
    for feed, load in feed_load(situation, change).items():
        if load > situation.feeds[feed] and load > before_load[feed] + 1.0:
            faults.append(f"feed {feed} {load:.0f} W, limit is {situation.feeds[feed]:.0f} W")
    if faults:
        return Verdict(False, "; ".join(faults))
    hottest = max(inlets.hottest, key=lambda rack: inlets.hottest[rack])
    return Verdict(
        True,
        f"no limit broken; hottest inlet {celsius(inlets.hottest[hottest]):.1f} degC at {hottest} "
        f"({celsius(max(baseline.hottest.values())):.1f} without)",
    )
