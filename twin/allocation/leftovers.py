"""Leftovers: what of failed plans could not be taken back at once, tried again until it is given up."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from twin.allocation.commit import Committer
from twin.allocation.plan import Setting, Step
from twin.allocation.record import Record

log = logging.getLogger(__name__)

FIRST_PAUSE = 1.0  # s, after which taking back is tried again; every further pause is twice as long
LONGEST_PAUSE = 60.0  # s
GIVEN_UP = 900.0  # s


@dataclass
class Leftover:
    """What is left of one failed plan.

    Attributes
    ----------
    decision : dict
    steps : list of Step    In force, and to be taken back.
    since, due : float      When the plan failed, when the next attempt is due. [s since epoch]
    pause : float           After the next attempt. [s]
    """

    decision: Record
    steps: list[Step]
    since: float
    due: float
    pause: float


class Leftovers:
    """Steps in force that ought not to be.

    Parameters
    ----------
    committer : Committer
    """

    def __init__(self, committer: Committer) -> None:
        self._committer = committer
        self._waiting: list[Leftover] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, decision: Record, steps: Iterable[Step], now: float) -> None:
        """Take on what could not be taken back of a decision's plan."""
        steps = list(steps)
        if steps:
            first = Leftover(decision, steps, now, now + FIRST_PAUSE, 2.0 * FIRST_PAUSE)
            self._waiting.append(first)

    def overtake(self, steps: Iterable[Step]) -> None:
        """Leave alone what a newer plan has set or moved."""
        steps = list(steps)
        points = {setting.point for step in steps for setting in step.settings}
        moved = {move.workload for step in steps for move in step.moves}
        for leftover in self._waiting:
            rest = [
                Step(
                    tuple(setting for setting in step.settings if setting.point not in points),
                    tuple(move for move in step.moves if move.workload not in moved),
                )
                for step in leftover.steps
            ]
            leftover.steps = [step for step in rest if step.settings or step.moves]
        self._waiting = [leftover for leftover in self._waiting if leftover.steps]

    def retry(self, now: float) -> tuple[list[Setting], list[tuple[Record, str]]]:
        """Try again what is due.

        The pause between attempts grows from 1 s to 60 s; after 15 minutes what is left is given up.

        Returns
        -------
        undone : list of Setting    As they were set by the failed plan; their old values are in force now.
        ended : list of (dict, str)    Decisions of which nothing is left to be tried, and how that came.
        """
        undone: list[Setting] = []
        ended: list[tuple[Record, str]] = []
        for leftover in [leftover for leftover in self._waiting if now >= leftover.due]:
            stamp = datetime.fromtimestamp(now, UTC).strftime("B%Y%m%dT%H%M%S.%f")[:-3]
            prefix = f"{stamp}.{leftover.decision['id']}"
            results: list[dict[str, Any]] = []
            before = leftover.steps
            leftover.steps = self._committer.take_back(
                before, "left over from a failed plan", prefix, results
            )
            left = {setting for step in leftover.steps for setting in step.settings}
            undone += [setting for step in before for setting in step.settings if setting not in left]
            leftover.due, leftover.pause = now + leftover.pause, min(LONGEST_PAUSE, 2.0 * leftover.pause)
            if not leftover.steps:
                self._waiting.remove(leftover)
                ended.append((leftover.decision, f"taken back after {now - leftover.since:.0f} s"))
            elif now >= leftover.since + GIVEN_UP:
                self._waiting.remove(leftover)
                why = "; ".join(result["message"] for result in results if not result["accepted"])
                what = " and ".join(step.name for step in leftover.steps)
                text = f"{what} could not be taken back for {now - leftover.since:.0f} s, given up: {why}"
                log.error("%s: %s", leftover.decision["id"], text)
                ended.append((leftover.decision, text))
        return undone, ended
