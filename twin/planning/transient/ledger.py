"""Where the heat of a simulation went: released, stored in servers, coils, air and walls, carried away."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from solvers.airflow.case import AirState, UnitInputs
from solvers.airflow.model import AirModel
from solvers.airflow.transient import LIMITS, Passage, air_heat, joined, wall_heat

WHY = {
    "cfl": "the Courant number",
    "max_dt": "the largest step allowed",
    "growth": "a change of flow, after which steps start small",
    "event": "an event, or a ramp that begins or ends",
    "output": "an output or a checkpoint",
    "follow": "the interval at which fans follow temperatures and pressures",
    "frozen": "the error of temperatures in a frozen flow",
}
"""What can limit a step, in words."""


@dataclass
class Ledger:
    """The account of a simulation, from passage to passage.

    Attributes
    ----------
    passage : Passage           Sum of everything so far.
    stored : dict               Heat that air, walls, servers and coils took up, negative if they gave. [J]
    limits : dict               Steps by what limited them, the keys of ``WHY``.
    reshaped : float            Heat that the air gained where its geometry changed under it. [J]
    chips, chips_to_air : float
        Electric energy of the racks on coolant loops, and what of it their chips gave to the air. [J]
    rows : list                 Of the account over time.
    """

    passage: Passage = field(default_factory=Passage)
    stored: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("air", "walls", "servers", "coils"), 0.0)
    )
    limits: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WHY, 0))
    reshaped: float = 0.0
    chips: float = 0.0
    chips_to_air: float = 0.0
    rows: list[list[float]] = field(default_factory=list)

    def add(
        self,
        model: AirModel,
        before: AirState,
        after: AirState,
        inputs: UnitInputs,
        passage: Passage,
        end: str,
    ) -> None:
        """Count a passage; ``end`` is what set its end, one of ``event``, ``output`` and ``follow``."""
        self.passage = joined(self.passage, passage)
        for name, count in zip(LIMITS, passage.limited, strict=True):
            self.limits[end if name == "end" else name] += count
        self.stored["air"] += air_heat(model, after) - air_heat(model, before)
        self.stored["walls"] += wall_heat(model, after) - wall_heat(model, before)
        warmed = inputs.C * (np.asarray(after.T_unit) - np.asarray(before.T_unit))
        supply = ~np.isnan(inputs.T_supply)
        self.stored["servers"] += float(warmed[~supply].sum())
        self.stored["coils"] += float(warmed[supply].sum())

    def note(self, time: float) -> None:
        """Add a row to the account over time."""
        self.rows.append([time, *(self._totals()[name] for name in COLUMNS)])

    def as_json(self) -> dict[str, Any]:
        """Return the account: totals in J and what is left unexplained."""
        totals, passed = self._totals(), self.passage
        into_air = passed.given + passed.walls + passed.openings - passed.taken
        released = max(passed.released, 1.0)
        return {
            **{f"{name}_j": value for name, value in totals.items()},
            "corrected_j": passed.corrected,
            "reshaped_j": self.reshaped,
            "chips_j": self.chips,
            "chips_to_air_j": self.chips_to_air,
            "air_relative": abs(into_air - self.stored["air"]) / released,
            "energy_relative": abs(self._unexplained()) / released,
        }

    def table(self) -> pd.DataFrame:
        """Return the account over time: ``time`` [s], then totals since the start. [J]."""
        names = ["time", *(f"{name}_j" for name in COLUMNS)]
        return pd.DataFrame(np.array(self.rows).reshape(len(self.rows), len(names)), columns=names)

    def _totals(self) -> dict[str, float]:
        passed = self.passage
        return {
            "released": passed.released,
            "stored_servers": self.stored["servers"],
            "given": passed.given,
            "taken": passed.taken,
            "stored_coils": self.stored["coils"],
            "stored_air": self.stored["air"],
            "through_walls": passed.walls,
            "through_openings": passed.openings,
            "unexplained": self._unexplained(),
        }

    def _unexplained(self) -> float:
        """Heat that came into the room and its servers, less what is stored and what left. [J]."""
        passed = self.passage
        came = passed.released + passed.walls + passed.openings
        return came - passed.taken - self.stored["air"] - self.stored["servers"]


COLUMNS = (
    "released", "stored_servers", "given", "taken", "stored_coils", "stored_air", "through_walls",
    "through_openings", "unexplained",
)  # fmt: skip
"""Columns of the account over time, after the time."""
