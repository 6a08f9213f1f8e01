"""The twin service: readings in, the twin in step with the clock, snapshots and history out."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray

from solvers.airflow.case import AirState
from twin.errors import NotConvergedError, OutsideError, TwinError
from twin.model.scene import Operating
from twin.model.schema import Layout
from twin.ports import Reading, Telemetry
from twin.runtime.engine import Engine, Prepared
from twin.runtime.feed import FeedServer
from twin.runtime.historian import Historian
from twin.runtime.inputs import Comparer, LiveInputs
from twin.runtime.snapshot import describe_scene, summarise
from twin.runtime.state import StateFolder, read_json

log = logging.getLogger(__name__)

PERIOD = 0.4  # of snapshots: at least two a second reach the page [s]
PREDICTION_PERIOD = 1.0  # of what the historian keeps of the twin's values [s]
SUMMARY_PERIOD = 10.0  # of the summaries it keeps [s]
CHECKPOINT_PERIOD = 10.0  # [s]
PRUNE_PERIOD = 3600.0  # [s]
KEEP = 3 * 86400.0  # readings and predictions stay this long: about 1 GB a day for the pod [s]
CLOCK_STEP = 1.0  # the wall clock was set when it moves this much against the monotonic one [s]
DATA_STALE = 10.0  # without readings for this long the twin runs on memory alone [s]
FIRST_READINGS = 6.0  # wait at most this long for the racks' powers before the first state [s]
BACKLOG = 2000  # batches that may wait for a slow disk before the oldest is given up


class Decider(Protocol):
    """The loop that proposes and commits moves; runs in a thread of its own."""

    def tick(self, now: float) -> object:
        """Do what is due."""
        ...

    def on_event(self, kind: str, detail: str = "") -> None:
        """Hear of something that may not wait for the next period."""
        ...

    def approve(self, id: str) -> dict[str, Any]:
        """Commit a proposal."""
        ...

    def reject(self, id: str) -> dict[str, Any]:
        """Drop a proposal."""
        ...


@dataclass(frozen=True)
class View:
    """What the twin knows at one instant, consistent, for the loop.

    Attributes
    ----------
    time : float                Instant of the state. [s since epoch]
    prepared : Prepared         Scene and model that the state belongs to.
    state : AirState
    operating : Operating
    latest : mapping            Point -> newest sound reading.
    alive : frozenset of str    Agents on the mesh.
    twin_error : float or None  Mean absolute error of the air temperatures now. [K]
    summary : dict              The last snapshot's summary.
    coolant : mapping           State of the coolant loops as arrays; empty without loops.
    """

    time: float
    prepared: Prepared
    state: AirState
    operating: Operating
    latest: Mapping[str, Reading]
    alive: frozenset[str]
    twin_error: float | None
    summary: dict[str, Any]
    coolant: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class TwinService:
    """The live twin as a process.

    Parameters
    ----------
    layout : Layout
    state : StateFolder
    telemetry : Telemetry
    cell : float, optional
        Target cell size. [m]
    expected : frozenset of str
        Agents that ought to be there.
    mode : str
        ``advise`` or ``auto``, shown to people.
    heartbeat : callable, optional
        Called once a second while the twin is in step: it tells the agents that somebody is in charge.
    clock : callable
        Wall clock. [s since epoch]
    """

    def __init__(
        self,
        layout: Layout,
        state: StateFolder,
        telemetry: Telemetry,
        cell: float | None = None,
        expected: frozenset[str] = frozenset(),
        mode: str = "advise",
        heartbeat: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.layout = layout
        self.expected = expected
        self.mode = mode
        self._state = state
        self._telemetry = telemetry
        self._heartbeat = heartbeat
        self._clock = clock
        self._engine = Engine(layout, cell)
        self._inputs = LiveInputs(layout, Operating.nominal(layout))
        self._comparer = Comparer()
        self.historian = Historian(state.history)
        self._recorder = _Recorder(self.historian)
        self._feed: FeedServer | None = None
        self._decider: Decider | None = None
        self._sequence = 0
        self._decisions = 0
        self._view: View | None = None
        self._alive: frozenset[str] = frozenset()
        self._greeted: object = None
        self._due: dict[str, float] = {}
        self._offset: float | None = None

    def view(self) -> View | None:
        """Return the newest consistent view, or None before the first snapshot."""
        return self._view

    def save_decision(self, decision: dict[str, Any]) -> None:
        """Store a decision and tell the page; returns when it is stored.

        Raises
        ------
        OutsideError : the historian refused.
        """
        self.historian.save_decision(decision)
        self._decisions += 1
        if self._feed is not None:
            self._feed.publish("decision", {"decision": decision})

    def run(self, stop: threading.Event, decider: Decider | None = None) -> None:
        """Run until ``stop`` is set.

        Parameters
        ----------
        stop : threading.Event
        decider : Decider, optional
            The allocation loop; ticked once a second in a thread of its own.

        Raises
        ------
        NotConvergedError : the solver failed.
        OutsideError : socket or database cannot be used.
        """
        self._decider = decider
        handlers = {"approve": decider.approve, "reject": decider.reject} if decider else {}
        self._feed = FeedServer(self._state.feed, describe_scene(self._engine.scene), handlers)
        self._greeted = self._engine.scene
        self._recorder.start()
        ticker = threading.Thread(target=self._tick, args=(stop,), name="allocation", daemon=True)
        try:
            self._begin(stop)
            if decider is not None:
                ticker.start()
            due = time.monotonic()
            while not stop.is_set():
                self._step()
                if decider is not None and not ticker.is_alive():
                    raise OutsideError("the allocation loop ended by an unexpected error; its trace is above")
                due = max(due + PERIOD, time.monotonic())
                stop.wait(due - time.monotonic())
            self._engine.write_checkpoint(self._state.checkpoint)
        except NotConvergedError:
            self._state.checkpoint.unlink(missing_ok=True)  # the next start must not begin from it
            raise
        finally:
            stop.set()
            self._recorder.close()
            self._feed.close()
            if ticker.is_alive():
                ticker.join(timeout=2.0)
            self.historian.close()

    def _begin(self, stop: threading.Event) -> None:
        """Wait shortly for the racks' powers, then make the first state."""
        wanted = {f"{rack.id}.power" for rack in self.layout.racks}
        deadline = time.monotonic() + FIRST_READINGS
        while time.monotonic() < deadline and not stop.is_set() and not wanted <= self._inputs.latest.keys():
            self._take_readings()
            stop.wait(0.1)
        how = self._engine.start(self._clock(), self._inputs.operating(), self._state.checkpoint)
        self._engine.synchronise(self._clock())  # the first state took its time; it is meant for now
        log.info("%s: %d cells, %s", self.layout.name, self._engine.scene.cells, how)

    def _step(self) -> None:
        now = self._watch_clock()
        readings = self._take_readings()
        operating, before = self._inputs.operating(), self._engine.time()
        lag = self._engine.follow(now, operating)
        if self._engine.scene is not self._greeted and self._feed is not None:
            self._feed.greet(describe_scene(self._engine.scene))
            self._greeted = self._engine.scene
        predictions = self._engine.predictions()
        self._comparer.remember(self._engine.time(), predictions)
        self._comparer.compare(readings)
        passed = max(0.0, self._engine.time() - before)
        self._engine.loops.learn(passed, self._comparer.fresh_errors(now), operating.rack_power)
        self._publish(predictions, now, lag)
        if self._heartbeat is not None and self._is_due("heartbeat", 1.0):
            self._heartbeat()
        if self._is_due("prediction", PREDICTION_PERIOD):
            instant = self._engine.time()
            self._recorder.put(lambda store: store.append_predictions(instant, predictions))
        if self._is_due("checkpoint", CHECKPOINT_PERIOD):
            self._write_checkpoint()
        if self._is_due("prune", PRUNE_PERIOD):
            self._recorder.put(lambda store: store.prune(now - KEEP))

    def _watch_clock(self) -> float:
        """Return the wall clock; when it was set, or the machine slept, shift the twin with it."""
        now = self._clock()
        offset = now - time.monotonic()
        step = 0.0 if self._offset is None else offset - self._offset
        self._offset = offset
        if abs(step) > CLOCK_STEP:
            log.warning(
                "the clock moved by %+.1f s; the twin moves with it, earlier readings are dropped", step
            )
            self._engine.synchronise(self._engine.time() + step)
            self._inputs = LiveInputs(self.layout, Operating.nominal(self.layout))
            self._comparer = Comparer()
        return now

    def _take_readings(self) -> list[Reading]:
        readings = self._telemetry.drain()
        if readings:
            self._inputs.take(readings)
            self._recorder.put(lambda store: store.append_readings(readings))
        return readings

    def _publish(self, predictions: Mapping[str, float], now: float, lag: float) -> None:
        engine = self._engine
        self._sequence += 1
        self._watch_agents()
        summary = summarise(engine, predictions, self._inputs, self._comparer, now)
        names = {name: name in self._alive for name in sorted(self.expected | self._alive)}
        summary |= {
            "sequence": self._sequence,
            "mode": self.mode,
            "status": self._status(summary, lag),
            "lag_s": round(max(0.0, lag), 3),
            "agents": {
                "alive": len(self._alive & self.expected),
                "expected": len(self.expected),
                "names": names,
            },
            "decisions_sequence": self._decisions,
            "processes": read_json(self._state.processes) or {},
        }
        self._view = View(
            time=engine.time(),
            prepared=Prepared(engine.scene, engine.model),
            state=engine.state,
            operating=engine.operating,
            latest=dict(self._inputs.latest),
            alive=self._alive,
            twin_error=summary["twin_error_k"],
            summary=summary,
            coolant=engine.loops.pack(),
        )
        if self._feed is not None:
            self._feed.publish_snapshot(summary, engine.field_celsius())
        if self._is_due("summary", SUMMARY_PERIOD):
            kept = {k: v for k, v in summary.items() if k not in ("sensors", "processes")}
            self._recorder.put(lambda store: store.append_summary(kept))

    def _status(self, summary: Mapping[str, Any], lag: float) -> str:
        if self._engine.pace.real_time_factor == 0.0:
            return "starting"
        age = summary["data_age_s"]
        if age is None or age > DATA_STALE:
            return "stale"
        return "degraded" if summary["degraded"] or lag > self._engine.pace.settings.allowed_lag else "live"

    def _watch_agents(self) -> None:
        alive = self._telemetry.alive()
        for name in sorted(self._alive - alive):
            log.warning("agent %s left the mesh", name)
            if self._decider is not None and name in self.expected:
                self._decider.on_event("agent_lost", name)
        for name in sorted(alive - self._alive):
            log.info("agent %s joined the mesh", name)
        self._alive = alive

    def _write_checkpoint(self) -> None:
        try:
            self._engine.write_checkpoint(self._state.checkpoint)
        except OutsideError as error:
            log.warning("%s", error)

    def _is_due(self, what: str, period: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + period
        return True

    def _tick(self, stop: threading.Event) -> None:
        """Tick the loop in its own thread; a failure of the loop must not stop the twin."""
        while self._decider is not None and not stop.wait(1.0):
            try:
                self._decider.tick(self._clock())
            except TwinError as error:
                log.error("allocation: %s", error)


class _Recorder:
    """Writes to the historian in a thread of its own, so that a slow disk does not slow the twin."""

    def __init__(self, historian: Historian) -> None:
        self._historian = historian
        self._queue: queue.Queue[Callable[[Historian], object] | None] = queue.Queue(BACKLOG)
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._failing = False

    def start(self) -> None:
        self._thread.start()

    def put(self, work: Callable[[Historian], object]) -> None:
        """Queue a write; when the disk has been too slow for too long the oldest is given up, and said so."""
        while True:
            try:
                self._queue.put_nowait(work)
                return
            except queue.Full:
                self._queue.get_nowait()
                log.error("historian: too slow; a batch was given up")

    def close(self) -> None:
        """Write what waits, then stop."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            try:
                work(self._historian)
            except OutsideError as error:
                if not self._failing:
                    log.error("%s", error)
                self._failing = True
            else:
                if self._failing:
                    log.warning("historian: writing again")
                self._failing = False
