"""Commit: carry a plan out step by step, and take it back when a step fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from twin.allocation.plan import Step
from twin.errors import TwinError
from twin.ports import Actuator, Command, Platform

log = logging.getLogger(__name__)

VALID = 30.0  # s, after which a command that did not arrive is void


@dataclass
class Outcome:
    """What became of a plan.

    Attributes
    ----------
    done : list of Step      Steps, or parts of one, that are in force.
    failure : str            Why it stopped; empty if all went well.
    results : list of dict   One entry a step for the decision record.
    """

    done: list[Step] = field(default_factory=list)
    failure: str = ""
    results: list[dict[str, Any]] = field(default_factory=list)


class Committer:
    """Carries steps out through an actuator and a platform.

    Parameters
    ----------
    actuator : Actuator
    platform : Platform
    clock : callable               [s since epoch]
    authorise : callable, optional
        Gets the ids of a plan's commands before they are written; for a guard that is read-only.
    """

    def __init__(
        self,
        actuator: Actuator,
        platform: Platform,
        clock: Callable[[], float],
        authorise: Callable[[Sequence[str]], None] | None = None,
    ) -> None:
        self._actuator = actuator
        self._platform = platform
        self._clock = clock
        self._authorise = authorise

    def carry_out(
        self, steps: Sequence[Step], reason: str, prefix: str, progress: Callable[[Outcome], None]
    ) -> Outcome:
        """Carry the steps out in order; stop at the first that fails and take back what was done.

        Parameters
        ----------
        steps : sequence of Step
        reason : str               For the log of devices and platform.
        prefix : str               Of the commands' ids; unique for a decision.
        progress : callable
            Called before each step with the outcome so far, to be stored; nothing is done that was not
            stored before, so a `TwinError` that it raises is a step that failed.
        """
        outcome = Outcome()
        for number, step in enumerate(steps, 1):
            done, failure = Step(), ""
            try:
                progress(outcome)
            except TwinError as error:
                failure = f"the plan could not be stored: {error}"
            else:
                done, failure = self._step(step, reason, f"{prefix}.{number}")
            if done.settings or done.moves:
                outcome.done.append(done)
            outcome.results.append({"id": step.name, "accepted": not failure, "message": failure or "done"})
            if failure:
                outcome.failure = f"{step.name}: {failure}"
                log.warning("%s: %s; taking back what was done", prefix, outcome.failure)
                outcome.done = self.take_back(outcome.done, reason, prefix, outcome.results)
                break
        return outcome

    def take_back(
        self, done: Sequence[Step], reason: str, prefix: str, results: list[dict[str, Any]]
    ) -> list[Step]:
        """Undo steps, the last first; returns those that could not be undone."""
        left: list[Step] = []
        for number, step in enumerate(reversed(done), 1):
            undone, failure = self._step(
                step.undone(), f"take back: {reason}", f"{prefix}.back{number}", doubtful=False
            )
            results.append(
                {"id": f"take back {step.name}", "accepted": not failure, "message": failure or "done"}
            )
            if failure:
                log.error("%s: %s could not be taken back: %s", prefix, step.name, failure)
                points = {setting.point for setting in undone.settings}
                moved = {move.workload for move in undone.moves}
                left.insert(
                    0,
                    Step(
                        tuple(setting for setting in step.settings if setting.point not in points),
                        tuple(move for move in step.moves if move.workload not in moved),
                    ),
                )
        return left

    def _step(self, step: Step, reason: str, prefix: str, doubtful: bool = True) -> tuple[Step, str]:
        """Carry one step out; returns the part that is in force, and what went wrong with the rest.

        ``doubtful`` says whether what is not known of a step that broke off counts as in force.
        """
        try:
            return self._write(step, reason, prefix) if step.settings else self._migrate(step, reason)
        except TwinError as error:
            return self._in_force(step, doubtful), str(error)

    def _write(self, step: Step, reason: str, prefix: str) -> tuple[Step, str]:
        now = self._clock()
        commands = [
            Command(f"{prefix}.{setting.point}", setting.point, setting.new, reason, now, now + VALID)
            for setting in step.settings
        ]
        if self._authorise is not None:
            self._authorise([command.id for command in commands])
        results = self._actuator.write(commands)
        good = {result.id for result in results if result.accepted}
        done = tuple(s for s, command in zip(step.settings, commands, strict=True) if command.id in good)
        refused = [
            f"{c.point}: {r.message}" for c, r in zip(commands, results, strict=True) if c.id not in good
        ]
        return Step(settings=done), "; ".join(refused)

    def _migrate(self, step: Step, reason: str) -> tuple[Step, str]:
        before = {load.id: load.rack for load in self._platform.workloads()}
        strayed = [
            f"{move.workload} is on {before.get(move.workload, 'no rack')}, not on {move.source}"
            for move in step.moves
            if before.get(move.workload) not in (move.source, move.target)
        ]
        if strayed:
            return Step(), "; ".join(strayed)
        results = self._platform.migrate({move.workload: move.target for move in step.moves}, reason)
        after = {load.id: load.rack for load in self._platform.workloads()}
        done = tuple(move for move in step.moves if after.get(move.workload) == move.target)
        refused = [f"{r.id}: {r.message}" for r in results if not r.accepted]
        refused += [
            f"{move.workload}: accepted, but it is on {after.get(move.workload, 'no rack')}"
            for move, result in zip(step.moves, results, strict=True)
            if result.accepted and after.get(move.workload) != move.target
        ]
        return Step(moves=done), "; ".join(refused)

    def _in_force(self, step: Step, doubtful: bool) -> Step:
        """Return what of a broken-off step is in force; of settings nothing is known."""
        unknown = step if doubtful else Step()
        if step.settings:
            return unknown
        try:
            where = {load.id: load.rack for load in self._platform.workloads()}
        except TwinError:
            return unknown
        return Step(moves=tuple(move for move in step.moves if where.get(move.workload) == move.target))
