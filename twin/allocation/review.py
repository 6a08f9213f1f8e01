"""A review: the future if nothing is done, and candidates tried in the twin against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from twin.allocation.cost import electric_power, score
from twin.allocation.gate import Inlets, TimeBudget, Trial, TrialResult, Verdict, judge
from twin.allocation.plan import Candidate
from twin.allocation.record import Record, predicted
from twin.allocation.situation import Situation
from twin.errors import TwinError

NOTHING = Candidate("nothing")


@dataclass(frozen=True)
class Attempt:
    """A candidate after its trial.

    Attributes
    ----------
    candidate : Candidate
    verdict : Verdict
    cost : float           As ``score``; infinite where the trial failed. [kW-equivalents]
    record : dict          For the decision.
    change : dict          Rack -> change of its hottest inlet against doing nothing. [K]
    """

    candidate: Candidate
    verdict: Verdict
    cost: float
    record: Record
    change: Mapping[str, float]


class Review:
    """Trials from one state of the twin, all with the same horizon; the first is to do nothing.

    Parameters
    ----------
    situation : Situation
    trial : Trial
    budget : TimeBudget        Told what every trial cost.
    bias, chip_bias : mapping  Rack -> measured less twin, at inlets and at chips on a loop. [K]
    margin, horizon : float    [K], [s]

    Attributes
    ----------
    without : Inlets           What comes if nothing is done.
    cost : float               Of doing nothing. [kW-equivalents]
    record : dict              The baseline for the decision.

    Raises
    ------
    TwinError : the twin cannot be run ahead.
    """

    def __init__(
        self,
        situation: Situation,
        trial: Trial,
        budget: TimeBudget,
        bias: Mapping[str, float],
        chip_bias: Mapping[str, float],
        margin: float,
        horizon: float,
    ) -> None:
        self._situation = situation
        self._trial = trial
        self._budget = budget
        self._bias, self._chip_bias = bias, chip_bias
        self._margin = margin
        self.horizon = horizon
        trial.freeze()
        baseline = self._run(NOTHING)
        self.without = Inlets.of(baseline, bias, chip_bias)
        self.cost = score(situation, self.without.hottest, NOTHING, margin, baseline.cooler_power)
        self.record = self._predicted(NOTHING, self.without, baseline)

    def attempt(self, candidate: Candidate, saving: bool) -> Attempt:
        """Try one candidate; a trial that fails is a refusal.

        Parameters
        ----------
        candidate : Candidate
        saving : bool    It only saves energy.
        """
        record: Record = {
            "id": candidate.id,
            "moves": [move.to_json() for move in candidate.moves],
            "settings": [setting.to_json() for setting in candidate.settings],
            "predicted": None,
            "verdict": "refused",
            "why": "",
            "horizon_s": round(self.horizon, 1),
            "wall_s": None,
        }
        try:
            result = self._run(candidate)
        except TwinError as error:
            record["why"] = f"the trial failed: {error}"
            return Attempt(candidate, Verdict(False, record["why"]), float("inf"), record, {})
        inlets = Inlets.of(result, self._bias, self._chip_bias)
        verdict = judge(self._situation, candidate, inlets, self.without, self._margin, saving)
        cost = score(self._situation, inlets.hottest, candidate, self._margin, result.cooler_power)
        record |= {
            "predicted": self._predicted(candidate, inlets, result),
            "verdict": "accepted" if verdict.accepted else "refused",
            "why": verdict.why,
            "wall_s": round(result.wall, 2),
            "score": round(cost, 3),
            "score_without": round(self.cost, 3),
        }
        change = {rack: inlets.hottest[rack] - self.without.hottest[rack] for rack in inlets.hottest}
        return Attempt(candidate, verdict, cost, record, change)

    def _run(self, candidate: Candidate) -> TrialResult:
        now, then = self._situation.operating_now, candidate.applied(self._situation.operating)
        result = self._trial(now, then, self.horizon)
        self._budget.record(self.horizon, result.wall)
        return result

    def _predicted(self, candidate: Candidate, inlets: Inlets, result: TrialResult) -> Record:
        power = electric_power(self._situation, candidate, result.cooler_power)
        return predicted(inlets.hottest, result, power)
