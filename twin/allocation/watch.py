"""The watch: inlets as measured over the last minutes, and how far the twin was off there.

Room air never settles: an inlet near the end of a row swings by kelvins within a minute. What the loop
decides by are therefore means over time, for the room and for the twin alike.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twin.allocation.situation import View, inlet_points, reading_fault
from twin.model.schema import Layout
from twin.units import kelvin

KEPT = 900.0  # s of measurements
BIAS_TIME = 120.0  # s, time constant of the twin's error at a rack
BIAS_LIMIT = 5.0  # K


@dataclass
class Watch:
    """Remembers the inlet sensors and the twin's error at every rack.

    Attributes
    ----------
    layout : Layout
    maximum_age : float    Older readings do not count. [s]
    """

    layout: Layout
    maximum_age: float
    _seen: deque[tuple[float, dict[str, float]]] = field(default_factory=deque)
    _bias: dict[str, float] = field(default_factory=dict)
    _chip_bias: dict[str, float] = field(default_factory=dict)
    _last: float | None = None

    def record(self, view: View, now: float) -> None:
        """Take in the readings and the twin's errors of an instant [s since epoch]."""
        values: dict[str, float] = {}
        weight = 1.0 if self._last is None else 1.0 - math.exp(-max(0.0, now - self._last) / BIAS_TIME)
        sensors: Mapping[str, Any] = view.summary.get("sensors", {})
        for rack in self.layout.racks:
            errors = []
            for point in inlet_points(rack.id):
                reading = view.latest.get(point)
                if reading is not None and not reading_fault(reading, now, self.maximum_age):
                    values[point] = kelvin(reading.value)
                error = sensors.get(point, {}).get("error")
                if error is not None:
                    errors.append(-error)
            _follow(self._bias, rack.id, errors, weight)
        for loop in self.layout.loops:
            for branch in loop.branches:
                error = sensors.get(f"{branch.id}.chip_temperature", {}).get("error")
                _follow(self._chip_bias, branch.id, [] if error is None else [-error], weight)
        self._last = now
        self._seen.append((now, values))
        while self._seen and self._seen[0][0] < now - KEPT:
            self._seen.popleft()

    def bias(self) -> dict[str, float]:
        """Return measured less twin at every rack, mean over two minutes, 5 K at most; 0 if unknown. [K]."""
        return {
            rack.id: min(BIAS_LIMIT, max(-BIAS_LIMIT, self._bias.get(rack.id, 0.0)))
            for rack in self.layout.racks
        }

    def chip_bias(self) -> dict[str, float]:
        """Return measured less twin at the chips of every rack on a loop, mean over two minutes. [K].

        Of a rack's branches the one that is hottest beside its prediction counts; a correction towards cooler
        chips is 5 K at most; 0 if unknown.
        """
        found: dict[str, float] = {}
        for loop in self.layout.loops:
            for branch in loop.branches:
                rack = self.layout.racklet(branch.racklet).rack
                bias = max(-BIAS_LIMIT, self._chip_bias.get(branch.id, 0.0))
                found[rack] = max(found.get(rack, bias), bias)
        return found

    def hottest(self, start: float, end: float) -> dict[str, float]:
        """Return every rack's hottest inlet sensor by its mean between two instants, where known. [K]."""
        return self._over_time(start, end, lambda values: sum(values) / len(values))

    def peak(self, start: float, end: float) -> dict[str, float]:
        """Return every rack's highest inlet reading between two instants, where known. [K]."""
        return self._over_time(start, end, max)

    def covers(self, start: float) -> bool:
        """Whether the watch began at that instant [s since epoch] or before."""
        return bool(self._seen) and self._seen[0][0] <= start

    def _over_time(self, start: float, end: float, of: Any) -> dict[str, float]:
        collected: dict[str, list[float]] = {}
        for time, values in self._seen:
            if start <= time <= end:
                for point, value in values.items():
                    collected.setdefault(point, []).append(value)
        found: dict[str, float] = {}
        for rack in self.layout.racks:
            sensors = [of(collected[point]) for point in inlet_points(rack.id) if point in collected]
            if sensors:
                found[rack.id] = max(sensors)
        return found


def _follow(means: dict[str, float], name: str, values: list[float], weight: float) -> None:
    """Let a slow mean follow the mean of new values; without any it stays."""
    if values:
        new = sum(values) / len(values)
        before = means.get(name, new)
        means[name] = before + weight * (new - before)
