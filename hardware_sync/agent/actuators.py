"""Set points of the emulated plant that act with lag."""

from __future__ import annotations

import math
from dataclasses import dataclass

FAN = (2.0, 0.1)
PUMP = (1.5, 0.2)
COOLER_FAN = (5.0, 0.05)
SUPPLY = (30.0, 0.2)
"""Lag [s] and slew [1/s, K/s for the supply] of the actuators: orders of magnitude of drives and valves."""


@dataclass(slots=True)
class Actuator:
    """A set point that acts with lag: first order with time constant `lag`, at most `slew` a second.

    Attributes
    ----------
    value, target : float
    lag : float       [s]
    slew : float      Unit of the value per second.
    """

    value: float
    target: float
    lag: float
    slew: float

    def advance(self, duration: float) -> None:
        """Move towards the target for `duration` seconds."""
        step = (self.target - self.value) * -math.expm1(-duration / self.lag)
        most = self.slew * duration
        self.value += min(max(step, -most), most)
