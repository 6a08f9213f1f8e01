"""Coolant loops for the stand-in twin: the model's own, in step with the clock, with faults from a file."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from twin.model.circuits import Coolant
from twin.model.load import load_layout
from twin.model.operating import CoolantSettings

AIR_K = 293.15
LONGEST = 5.0  # s of one step; what a stopped stand-in missed is left out
NOISE = {"temperature": 0.1, "flow": 2e-6, "pressure": 300.0, "heat": 60.0}


class Loops:
    """The loops of a layout.

    Parameters
    ----------
    layout : Path
    faults : Path
        JSON of `CoolantSettings`, read at every step: ``{"drive": {"L1P1": false}}``; may not exist.
    """

    def __init__(self, layout: Path, faults: Path) -> None:
        loaded = load_layout(layout)
        self.coolant = Coolant(loaded)
        self.nominal = {rack.id: rack.nominal_power for rack in loaded.racks}
        self.faults = faults
        self.time: float | None = None
        self.air = dict.fromkeys(self.nominal, AIR_K)
        self.coolant.settle(self._power(0.0), self.air, CoolantSettings())

    def _power(self, time: float) -> dict[str, float]:
        return {
            name: power * (1 + 0.08 * math.sin(time / 40 + k))
            for k, (name, power) in enumerate(self.nominal.items())
        }

    def summary(self, time: float, noise: np.random.Generator) -> dict[str, Any]:
        """Carry the loops on to a time; return their part of a summary: ``loops`` and ``sensors``."""
        settings = CoolantSettings(**json.loads(self.faults.read_text())) if self.faults.exists() else None
        step = 0.0 if self.time is None else min(LONGEST, time - self.time)
        self.time = time
        if step > 0.0:
            self.coolant.advance(step, self._power(time), self.air, settings or CoolantSettings())
        sensors = {}
        for point, value in self.coolant.points().items():
            spread = next((size for name, size in NOISE.items() if name in point), 1e-3)
            measured = value + float(noise.normal(0.0, spread))
            sensors[point] = {
                "predicted": value, "measured": measured, "error": value - measured, "age_s": 0.6, "unit": "",
            }  # fmt: skip
        return {"loops": self.coolant.summary(), "sensors": sensors}
