"""The allocation loop: see, find what is critical, propose, try in the twin, commit, compare."""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from twin.allocation.commit import Committer, Outcome
from twin.allocation.events import Event, Events
from twin.allocation.gate import TimeBudget, Trial
from twin.allocation.leftovers import Leftovers
from twin.allocation.memory import LONG_AGO, LoopSettings, Memory, Mode
from twin.allocation.plan import Candidate, steps_of
from twin.allocation.planner import Planner
from twin.allocation.recall import recall
from twin.allocation.record import (
    UNOBSERVED,
    Record,
    candidate_of,
    comparison_window,
    observation,
)
from twin.allocation.screening import (
    Bounds,
    Influence,
)
from twin.allocation.situation import View, overheated_racks, stopped_coolers
from twin.allocation.watch import Watch
from twin.errors import RefusedError, TwinError
from twin.model.schema import Layout
from twin.ports import Actuator, Platform

log = logging.getLogger(__name__)


class AllocationLoop:
    """The loop of the seed, made honest; drive it with ``tick`` from one thread.

    ``approve``, ``reject`` and ``on_event`` may come from any thread; they take effect at the next tick.
    Every decision is saved when it is made and whenever its state changes; a plan is saved as ``approved``
    before its first step and after every step, so that a crash leaves no action unrecorded.

    Parameters
    ----------
    layout : Layout
    telemetry_view : callable      Returns the newest consistent view, or None while there is none.
    trial : Trial
    actuator : Actuator            Behind the guard.
    platform : Platform
    save_decision : callable       Stores a decision record, durably.
    mode : str                     ``advise`` or ``auto``.
    period : float                 Between decisions. [s]
    clock : callable               [s since epoch]
    authorise : callable, optional   Told the ids of an approved plan's commands, for a read-only guard.
    settings, bounds : optional    How careful, how far.
    """

    def __init__(
        self,
        layout: Layout,
        telemetry_view: Callable[[], View | None],
        trial: Trial,
        actuator: Actuator,
        platform: Platform,
        save_decision: Callable[[Record], None],
        mode: str = "advise",
        period: float = 300.0,
        clock: Callable[[], float] = time.time,
        authorise: Callable[[Sequence[str]], None] | None = None,
        settings: LoopSettings | None = None,
        bounds: Bounds | None = None,
        budget: TimeBudget | None = None,
    ) -> None:
        self.layout = layout
        self.mode = Mode(mode)
        self.period = period
        self.settings = settings or LoopSettings()
        self.bounds = bounds or Bounds()
        self.budget = budget or TimeBudget(period)
        self.influence = Influence(layout)
        self.memory = Memory(
            max(120.0, self.settings.workload_rest * period),
            max(300.0, self.settings.relax_rest * period),
            self.budget.longest,
        )
        self._view = telemetry_view
        self._platform = platform
        self._committer = Committer(actuator, platform, clock, authorise)
        self._save = save_decision
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: dict[str, bool] = {}
        self._events = Events(self.settings.debounce)
        self._proposal: Record | None = None
        self._watched: list[Record] = []
        self._leftovers = Leftovers(self._committer)
        self._unsaved: dict[str, Record] = {}
        self._watch = Watch(layout, self.settings.maximum_age)
        self._planner = Planner(
            layout, trial, self.memory, self.influence, self._watch, self.settings, self.bounds, self.budget
        )
        self._troubled: frozenset[Event] = frozenset()
        self._passed, self._ended = LONG_AGO, ""  # the last pass: when, and the state of its decision
        self._next: float | None = None
        self._quiet_until = LONG_AGO

    # ------------------------------------------------------------------ from any thread

    def on_event(self, kind: str, detail: str = "") -> None:
        """Hear of something that may not wait, such as ``agent_lost``.

        The loop itself raises ``inlet_over_limit`` and ``cooler_failed`` from the readings. The same event
        again within the debounce time is not heard. An event waits until a pass has dealt with it.
        """
        self._events.hear((kind, detail), self._clock())

    def approve(self, id: str) -> Record:
        """Say yes to a proposal; it is carried out at the next tick.

        Raises
        ------
        RefusedError : the proposal does not wait for an answer, or has expired.
        """
        return self._answer(id, True)

    def reject(self, id: str) -> Record:
        """Say no to a proposal.

        Raises
        ------
        RefusedError : the proposal does not wait for an answer, or has expired.
        """
        return self._answer(id, False)

    @property
    def pending(self) -> str | None:
        """Id of the proposal that waits for a person."""
        with self._lock:
            return self._proposal["id"] if self._proposal else None

    def _answer(self, id: str, yes: bool) -> Record:
        with self._lock:
            proposal = self._proposal
            if proposal is None or proposal["id"] != id:
                raise RefusedError(f"no proposal {id!r} is waiting")
            if self._clock() >= proposal["expires"]:
                raise RefusedError(f"the proposal {id!r} has expired")
            if id in self._answers:
                raise RefusedError(f"the proposal {id!r} has been answered already")
            self._answers[id] = yes
        return {"id": id, "answer": "approved" if yes else "rejected"}

    # ------------------------------------------------------------------ the loop's own thread

    def run(self, stop: threading.Event, pause: float = 1.0) -> None:
        """Tick until ``stop`` is set; a failure of one pass is logged and does not end the loop."""
        while not stop.wait(pause):
            try:
                self.tick(self._clock())
            except TwinError as error:
                log.error("allocation: %s", error)

    def tick(self, now: float) -> Record | None:
        """Do what is due, and return the decision that was made, if one was.

        Parameters
        ----------
        now : float    [s since epoch]

        Raises
        ------
        OutsideError : a decision cannot be stored, or the platform does not answer.
        """
        if self._next is None:
            self._next = now + self.period
        self._look(now)
        self._take_back_rest(now)
        self._save_rest()
        self._observe(now)
        self._settle_proposal(now)
        if now < self._quiet_until:
            return None
        events = self._events.waiting()
        if not events and (now < self._next or self._proposal is not None):
            return None
        view = self._view()
        if view is None:
            return None
        kind = "event:" + ", ".join(f"{kind} {detail}".strip() for kind, detail in events)
        try:
            decision = self._decide(view, now, kind if events else "period")
        except TwinError:
            self._quiet_until = max(self._quiet_until, now + self.settings.quiet)
            raise
        self._events.done(events)
        self._passed, self._ended = now, decision["state"]
        while self._next <= now:
            self._next += self.period
        return decision

    def decide_now(self, now: float, trigger: str = "request") -> Record | None:
        """Make one decision whatever the clock says; None while there is no view."""
        view = self._view()
        return None if view is None else self._decide(view, now, trigger)

    def _look(self, now: float) -> None:
        """Record the inlets; raise an event for each rack that is too hot, each cooler that stopped.

        Trouble that lasts is raised again, unless an answer to it waits for a person or, for a cooler,
        the last pass found that the room does without it.
        """
        view = self._view()
        if view is None:
            return
        self._watch.record(view, now)
        age = self.settings.maximum_age
        hot = overheated_racks(self.layout, view, now, age)
        stopped = stopped_coolers(self.layout, view, now, age)
        troubled = frozenset(
            [("inlet_over_limit", rack) for rack in hot] + [("cooler_failed", cooler) for cooler in stopped]
        )
        again = self._proposal is None and now >= self._passed + self.settings.event_period
        for kind, detail in sorted(troubled):
            fine = kind == "cooler_failed" and self._ended == "idle"
            if (kind, detail) not in self._troubled or (again and not fine):
                self.on_event(kind, detail)
        self._troubled = troubled

    # ------------------------------------------------------------------ deciding

    def _decide(self, view: View, now: float, trigger: str) -> Record:
        workloads = tuple(self._platform.workloads())
        if self._proposal is not None:
            self._close(self._proposal, "rejected", f"superseded by a new decision ({trigger})")
        situation = self._planner.see(view, workloads, now)
        decision, best = self._planner.plan(situation, trigger, self.mode)
        if best is None:
            return self._conclude(decision, decision["state"], decision["why"])
        if self.mode is Mode.AUTO:
            return self._commit(decision, best, now)
        decision["expires"] = now + max(120.0, self.settings.approval * self.period)
        decision["state"] = "proposed"
        with self._lock:
            self._proposal = decision
        self._store(decision)
        return decision

    # ------------------------------------------------------------------ acting

    def _commit(self, decision: Record, candidate: Candidate, now: float) -> Record:
        decision["state"] = "approved"

        def progress(outcome: Outcome) -> None:
            decision["results"] = outcome.results
            self._store(decision)

        outcome = self._committer.carry_out(steps_of(candidate), decision["why"], decision["id"], progress)
        decision["results"] = outcome.results
        self._quiet_until = self._clock() + self.settings.quiet
        self._leftovers.overtake(outcome.done)
        if outcome.failure:
            self._leftovers.add(decision, outcome.done, now)
            self.memory.note(outcome.done, now)
            self.memory.rest(candidate.moves, now)
            return self._conclude(decision, "failed", f"{decision['why']}; {outcome.failure}")
        self.memory.note(outcome.done, now)
        decision["committed_at"] = self._clock()
        self._watched.append(decision)
        return self._conclude(decision, "committed", decision["why"])

    def _take_back_rest(self, now: float) -> None:
        undone, ended = self._leftovers.retry(now)
        for setting in undone:
            self.memory.command(setting.point, setting.old, now)
        for decision, how in ended:
            self._conclude(decision, "failed", f"{decision['why']}; {how}")

    def _settle_proposal(self, now: float) -> None:
        with self._lock:
            proposal = self._proposal
            answer = self._answers.get(proposal["id"]) if proposal else None
        if proposal is None:
            return
        if answer is None:
            if now >= proposal["expires"]:
                self._close(proposal, "rejected", "expired: nobody answered in time")
            return
        if not answer:
            self._close(proposal, "rejected", "rejected by a person")
            return
        proposal["state"] = "approved"
        self._store(proposal)  # if it cannot be stored, the answer stays for the next tick
        self._forget_proposal(proposal)
        candidate = candidate_of(proposal, proposal["chosen"])
        obstacle = self._outdated(proposal, candidate, now)
        if obstacle:
            self._conclude(proposal, "refused", f"approved, but no longer possible: {obstacle}")
        else:
            self._commit(proposal, candidate, now)

    def _outdated(self, decision: Record, candidate: Candidate, now: float) -> str:
        """Say why an approved plan must not be carried out any more; empty if it may."""
        view = self._view()
        if view is None:
            return "there is no view of the room"
        try:
            workloads = tuple(self._platform.workloads())
        except TwinError as error:
            return f"the platform does not answer: {error}"
        return self._planner.outdated(decision, candidate, self._planner.see(view, workloads, now))

    def _close(self, proposal: Record, state: str, why: str) -> None:
        self._forget_proposal(proposal)
        self._conclude(proposal, state, f"{proposal['why']}; {why}")

    def _forget_proposal(self, proposal: Record) -> None:
        self._passed = max(self._passed, self._clock())  # its answer counts as one: do not ask at once again
        with self._lock:
            self._proposal = None
            self._answers.pop(proposal["id"], None)

    def _store(self, decision: Record) -> None:
        """Store a decision; what cannot be stored now is stored before anything else is decided."""
        self._unsaved[decision["id"]] = copy.deepcopy(decision)
        self._save(self._unsaved[decision["id"]])
        del self._unsaved[decision["id"]]

    def _save_rest(self) -> None:
        for id, decision in list(self._unsaved.items()):
            self._save(decision)
            del self._unsaved[id]

    def _conclude(self, decision: Record, state: str, why: str) -> Record:
        decision["state"], decision["why"] = state, why
        self._store(decision)
        log.info("decision %s: %s: %s", decision["id"], state, why)
        return decision

    # ------------------------------------------------------------------ comparing

    def _observe(self, now: float) -> None:
        """Compare what was predicted with what is measured, once the horizon of a decision has passed.

        Where nothing was measured in the time that the prediction speaks of, the present counts for as long
        again; later the decision is closed without a comparison.
        """
        for decision in [decision for decision in self._watched if now >= comparison_window(decision)[1]]:
            start, end = comparison_window(decision)
            seen = self._watch.hottest(start, end)
            if not seen and now <= end + (end - start):
                seen = self._watch.hottest(now - 1.0, now)
                if not seen:
                    continue  # no sensor can be relied on now: compare later
            self._watched.remove(decision)
            if not seen:
                decision["unobserved"] = UNOBSERVED
                self._conclude(decision, "committed", f"{decision['why']}; {UNOBSERVED}")
                continue
            decision["observed"], error = observation(decision, seen, now)
            if error is not None:
                self.memory.errors.append(error)
                if error > self.settings.distrust:
                    self.on_event("prediction_missed", decision["id"])
            self._conclude(decision, "observed", decision["why"])

    # ------------------------------------------------------------------ after a crash

    def restore(self, decisions: Iterable[Record]) -> None:
        """Rebuild the memory from stored decisions, in any order.

        Rests and set points in force come from the committed plans, proposals that have not expired wait
        again, committed plans are compared when their horizon has passed, errors and influences are learnt
        again. A plan that was broken off in the middle is closed as failed: the next pass starts from what
        is measured. Decisions that name what the layout no longer has are left out, and closed if open.

        Parameters
        ----------
        decisions : iterable of dict

        Raises
        ------
        OutsideError : a decision that had to be closed cannot be stored.
        """
        now = self._clock()
        history = recall(decisions, self.layout, self.memory, self.influence, now, self.period)
        if history.last is not None:
            self._next = max(now, history.last + self.period)
        self._watched += history.watched
        self._proposal = history.proposal
        for decision in history.closed:
            self._conclude(decision, decision["state"], decision["why"])
