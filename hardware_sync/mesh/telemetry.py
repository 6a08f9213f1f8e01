"""The twin's ear on the mesh: readings as they arrive, who is there, and what was lost on the way."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

import zenoh

from hardware_sync.codec import CodecError, TelemetryMessage, decode_telemetry
from hardware_sync.mesh.topics import Topics
from twin.ports import Reading

log = logging.getLogger(__name__)

MAXIMUM_WAITING = 200_000
LOSS_REPORT_PERIOD = 60.0


@dataclass(slots=True)
class AgentLink:
    """What is known about the messages of one agent.

    Attributes
    ----------
    run, sequence : int      Of the last message.
    received, lost, refused : int   Messages.
    arrived : float          When the last one came. [s since epoch]
    """

    run: int = -1
    sequence: int = -1
    received: int = 0
    lost: int = 0
    refused: int = 0
    arrived: float = 0.0


class MeshTelemetry:
    """Readings and liveliness of all agents; implements `twin.ports.Telemetry`.

    Messages that were lost on the way are logged, at most once a minute for all agents together.

    Parameters
    ----------
    session : zenoh.Session
        Open session of the twin or the operator.
    topics : Topics
    clock : callable
        Monotonic. [s]
    """

    def __init__(
        self, session: zenoh.Session, topics: Topics, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._unreported: Counter[str] = Counter()
        self._report_due = -math.inf
        self._lock = threading.Lock()
        self._waiting: deque[Reading] = deque(maxlen=MAXIMUM_WAITING)
        self._alive: set[str] = set()
        self._links: dict[str, AgentLink] = {}
        self._telemetry_prefix = topics.telemetry("")
        self._alive_prefix = topics.alive("")
        self._subscriber = session.declare_subscriber(topics.telemetry(), self._on_telemetry)
        self._watch = session.liveliness().declare_subscriber(topics.alive(), self._on_alive, history=True)

    def drain(self) -> list[Reading]:
        """Return the readings that arrived since the last call, oldest measurement first; never blocks."""
        with self._lock:
            readings = list(self._waiting)
            self._waiting.clear()
        readings.sort(key=lambda reading: reading.time)
        return readings

    def alive(self) -> frozenset[str]:
        """Return the agents on the mesh now; a killed one leaves in milliseconds, a hung one in 2 s."""
        with self._lock:
            return frozenset(self._alive)

    def links(self) -> dict[str, AgentLink]:
        """Return a copy of the message counts per agent."""
        with self._lock:
            return {
                name: AgentLink(link.run, link.sequence, link.received, link.lost, link.refused, link.arrived)
                for name, link in self._links.items()
            }

    def close(self) -> None:
        """Stop listening."""
        self._subscriber.undeclare()
        self._watch.undeclare()

    def _on_telemetry(self, sample: zenoh.Sample) -> None:
        agent = str(sample.key_expr).removeprefix(self._telemetry_prefix)
        try:
            message = decode_telemetry(sample.payload.to_bytes())
            if message.agent != agent:
                raise CodecError(
                    f"telemetry message on the key of {agent!r} claims to be from {message.agent!r}"
                )
        except CodecError as error:
            self._refuse(agent, error)
            return
        with self._lock:
            self._waiting.extend(message.readings)
            report = self._count(agent, message)
        if report:
            log.warning("telemetry messages were lost: %s", report)

    def _count(self, agent: str, message: TelemetryMessage) -> str:
        """Count one message; return what to say about losses, if it is time to say it."""
        link = self._links.setdefault(agent, AgentLink())
        if link.run == message.run and message.sequence > link.sequence + 1:
            lost = message.sequence - link.sequence - 1
            link.lost += lost
            self._unreported[agent] += lost
        link.run, link.sequence = message.run, message.sequence
        link.received += 1
        link.arrived = time.time()
        now = self._clock()
        if not self._unreported or now < self._report_due:
            return ""
        report = ", ".join(f"{name} {count}" for name, count in sorted(self._unreported.items()))
        self._unreported.clear()
        self._report_due = now + LOSS_REPORT_PERIOD
        return report

    def _refuse(self, agent: str, error: CodecError) -> None:
        with self._lock:
            link = self._links.setdefault(agent, AgentLink())
            link.refused += 1
            first = link.refused == 1
        if first:
            log.warning("refuse telemetry from %s: %s", agent, error)

    def _on_alive(self, sample: zenoh.Sample) -> None:
        agent = str(sample.key_expr).removeprefix(self._alive_prefix)
        joined = sample.kind == zenoh.SampleKind.PUT
        with self._lock:
            changed = (agent in self._alive) is not joined
            if joined:
                self._alive.add(agent)
            else:
                self._alive.discard(agent)
        if changed:
            log.info("%s %s the mesh", agent, "joined" if joined else "left")
