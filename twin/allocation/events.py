"""Events that may not wait for the next period."""

from __future__ import annotations

import threading
from collections.abc import Collection

from twin.allocation.memory import LONG_AGO

Event = tuple[str, str]
"""Kind and detail, such as ``("cooler_failed", "C1")``."""


class Events:
    """Events that wait to be dealt with; they stay until they are. May be used from any thread.

    Parameters
    ----------
    debounce : float    The same event again within this time is not heard. [s]
    """

    def __init__(self, debounce: float) -> None:
        self._debounce = debounce
        self._lock = threading.Lock()
        self._waiting: list[Event] = []
        self._heard: dict[Event, float] = {}

    def hear(self, event: Event, now: float) -> None:
        """Take in an event at an instant [s since epoch]."""
        with self._lock:
            if event not in self._waiting and now - self._heard.get(event, LONG_AGO) >= self._debounce:
                self._heard[event] = now
                self._waiting.append(event)

    def waiting(self) -> tuple[Event, ...]:
        """Return the events that have not been dealt with, in the order in which they were heard."""
        with self._lock:
            return tuple(self._waiting)

    def done(self, events: Collection[Event]) -> None:
        """Say that these events have been dealt with."""
        with self._lock:
            self._waiting = [event for event in self._waiting if event not in events]
