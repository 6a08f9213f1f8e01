"""The seam between the asynchronous world and the core: a table of the latest reading of every point."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from twin.ports import Quality, Reading


class LatestReadings:
    """Latest reading of every point, safe to use from several threads.

    A reading that was measured before the one held is dropped, so late arrivals never turn the clock back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readings: dict[str, Reading] = {}

    def update(self, readings: Iterable[Reading]) -> None:
        """Take readings in; of each point the one measured last stays."""
        with self._lock:
            for reading in readings:
                held = self._readings.get(reading.point)
                if held is None or reading.time >= held.time:
                    self._readings[reading.point] = reading

    def get(self, point: str) -> Reading | None:
        """Return the latest reading of a point, or None if there never was one."""
        with self._lock:
            return self._readings.get(point)

    def snapshot(self) -> dict[str, Reading]:
        """Return a copy of the whole table."""
        with self._lock:
            return dict(self._readings)

    def values(self, now: float, maximum_age: float) -> dict[str, float]:
        """Return the values that can be relied on: not bad and not older than `maximum_age`.

        Parameters
        ----------
        now : float            [s since epoch]
        maximum_age : float    [s]
        """
        return {
            point: reading.value
            for point, reading in self.snapshot().items()
            if reading.quality is not Quality.BAD and now - reading.time <= maximum_age
        }

    def age(self, now: float) -> float:
        """Return the age of the newest reading that is not bad; infinite where there is none. [s]."""
        times = [reading.time for reading in self.snapshot().values() if reading.quality is not Quality.BAD]
        return now - max(times) if times else float("inf")
