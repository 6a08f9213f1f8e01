"""The planner: one pass from what is seen to what is best, tried in the twin; it touches nothing outside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from twin.allocation.gate import TimeBudget, Trial
from twin.allocation.memory import LoopSettings, Memory, Mode
from twin.allocation.plan import Candidate
from twin.allocation.record import Record, entry_of
from twin.allocation.review import Attempt, Review
from twin.allocation.screening import (
    Bounds,
    Influence,
    critical_racks,
    propose,
    receiving_racks,
)
from twin.allocation.situation import Situation, View, see
from twin.allocation.watch import Watch
from twin.errors import TwinError
from twin.model.schema import Layout
from twin.ports import Workload


class Planner:
    """Decides what is best; the loop decides whether and when it is done.

    Parameters
    ----------
    layout : Layout
    trial : Trial
    memory : Memory           Read, but for ``settle``.
    influence : Influence     Taught by every trial.
    watch : Watch
    settings : LoopSettings
    bounds : Bounds
    budget : TimeBudget       Told what every trial cost.
    """

    def __init__(
        self,
        layout: Layout,
        trial: Trial,
        memory: Memory,
        influence: Influence,
        watch: Watch,
        settings: LoopSettings,
        bounds: Bounds,
        budget: TimeBudget,
    ) -> None:
        self.layout = layout
        self._trial = trial
        self.memory = memory
        self.influence = influence
        self._watch = watch
        self.settings = settings
        self.bounds = bounds
        self.budget = budget

    def see(self, view: View, workloads: tuple[Workload, ...], now: float) -> Situation:
        """Build the situation at an instant [s since epoch]."""
        commanded, settling = self.memory.commanded, self.memory.settling(now)
        return see(self.layout, view, workloads, commanded, now, self.settings.maximum_age, settling)

    def plan(self, situation: Situation, trigger: str, mode: Mode) -> tuple[Record, Candidate | None]:
        """Find what is critical, propose, and try in the twin.

        Parameters
        ----------
        situation : Situation
        trigger : str    ``period`` or ``event:...``
        mode : Mode      For the record.

        Returns
        -------
        decision : dict
        best : Candidate or None    What to do; None where the decision has ended, as its state and why say.
        """
        margin = self.margin(situation)
        decision: Record = {
            "id": datetime.fromtimestamp(situation.time, UTC).strftime("D%Y%m%dT%H%M%S.%f")[:-3],
            "time": situation.time,
            "trigger": trigger,
            "mode": mode.value,
            "state": "idle",
            "baseline": None,
            "critical": [],
            "receivers": [],
            "candidates": [],
            "chosen": None,
            "why": "",
            "committed_at": None,
            "results": [],
            "observed": None,
            "blind": situation.blind,
            "margin_k": round(margin, 2),
        }
        obstacle = self._obstacle(situation)
        if obstacle:
            return _ended(decision, "refused", obstacle)
        budget = self.budget.divide(event=trigger.startswith("event"))
        decision["budget"] = budget.to_json()
        self.memory.settle = budget.horizon
        try:
            review = self._review(situation, margin, budget.horizon)
        except TwinError as error:
            return _ended(decision, "refused", f"nothing is done without the twin: {error}")
        inlet = review.without.hottest
        decision["baseline"] = review.record
        critical = critical_racks(situation, inlet, margin, review.without.peak)
        decision["critical"] = list(critical)
        decision["receivers"] = list(receiving_racks(situation, inlet, margin, self.bounds, critical))
        candidates = propose(
            situation,
            inlet,
            self.influence,
            self.memory,
            self.bounds,
            margin,
            critical,
            self._calm(situation),
        )
        best = self._best(decision, review, candidates[: budget.candidates], saving=not critical)
        if best is None:
            need = "; ".join(f"{rack}: {why}" for rack, why in critical.items())
            if critical:
                what = "no candidate passed the gate" if candidates else "nothing may be moved or set now"
                return _ended(decision, "refused", f"{what} ({need})")
            fine = "all inlets and powers are within their limits"
            return _ended(decision, "idle", f"{fine}; nothing to save" if candidates else fine)
        decision["chosen"] = best.id
        reasons = "; ".join(critical.values()) or "energy"
        decision["why"] = f"{best.why} ({reasons})"
        return decision, best

    def outdated(self, decision: Record, candidate: Candidate, situation: Situation) -> str:
        """Say why an approved plan must not be carried out any more; empty if it may.

        A plan older than a minute is tried in the twin again.
        """
        where = {load.id: load.rack for load in situation.workloads}
        change = candidate.power_change()
        for move in candidate.moves:
            if where.get(move.workload) != move.source:
                return f"{move.workload} is no longer on {move.source}"
        for name, more in change.items():
            rack = situation.racks[name]
            if rack.blind:
                return f"{name}: {rack.blind}"
            if more > 0 and rack.power_ahead + more > rack.power_limit:
                return f"{name} would draw {rack.power_ahead + more:.0f} W of {rack.power_limit:.0f} W"
        for setting in candidate.settings:
            if setting.asset in situation.blind_coolers:
                return f"{setting.asset}: {situation.blind_coolers[setting.asset]}"
        obstacle = self._obstacle(situation)
        if obstacle or situation.time - decision["time"] < self.settings.recheck:
            return obstacle
        horizon = entry_of(decision, candidate.id)["horizon_s"]
        try:
            review = self._review(situation, self.margin(situation), horizon)
        except TwinError as error:
            return f"it could not be tried in the twin again: {error}"
        attempt = review.attempt(candidate, saving=not decision["critical"])
        return "" if attempt.verdict.accepted else f"tried again: {attempt.verdict.why}"

    def margin(self, situation: Situation) -> float:
        """Return the allowance for the prediction's error, from the live twin's and past ones, in K."""
        past = sum(self.memory.errors) / len(self.memory.errors) if self.memory.errors else 0.0
        error = situation.twin_error if situation.twin_error is not None else self.settings.margin_high
        return min(self.settings.margin_high, max(self.settings.margin_low, error, past))

    def _calm(self, situation: Situation) -> bool:
        """Whether every inlet was measured, and cold enough to save energy, over the last minutes."""
        now = situation.time
        peak = self._watch.peak(now - self.settings.calm_time, now)
        return self._watch.covers(now - self.settings.calm_least) and all(
            rack.id in peak and peak[rack.id] + self.bounds.slack <= rack.inlet_recommended
            for rack in situation.racks.values()
        )

    def _obstacle(self, situation: Situation) -> str:
        blind = [rack for rack in situation.racks.values() if rack.blind]
        if len(blind) > self.settings.blind_share * len(situation.racks):
            return (
                f"{len(blind)} of {len(situation.racks)} racks cannot be relied on "
                f"({blind[0].id}: {blind[0].blind}); no action"
            )
        if situation.loop_fault:
            return f"the twin's view of the chips is old: {situation.loop_fault}; no action"
        if situation.twin_error is None:
            return "the twin has not been compared with any sensor yet; no action"
        if situation.twin_error > self.settings.distrust:
            return f"the twin is off by {situation.twin_error:.1f} K; it is not trusted; no action"
        return ""

    def _review(self, situation: Situation, margin: float, horizon: float) -> Review:
        bias, chips = self._watch.bias(), self._watch.chip_bias()
        return Review(situation, self._trial, self.budget, bias, chips, margin, horizon)

    def _best(
        self, decision: Record, review: Review, candidates: Sequence[Candidate], saving: bool
    ) -> Candidate | None:
        """Try each candidate in the twin and return the best that breaks no limit and is worth it."""
        best: Attempt | None = None
        for candidate in candidates:
            attempt = review.attempt(candidate, saving)
            self.influence.learn(candidate, attempt.change)
            decision["candidates"].append(attempt.record)
            if not attempt.verdict.accepted:
                continue
            if attempt.cost >= review.cost - self.settings.gain:
                attempt.record["why"] += "; not worth it"
            elif best is None or attempt.cost < best.cost:
                best = attempt
        return best.candidate if best else None


def _ended(decision: Record, state: str, why: str) -> tuple[Record, None]:
    decision["state"], decision["why"] = state, why
    return decision, None
