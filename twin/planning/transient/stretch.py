"""How a simulation gets from one instant to the next: with the flow followed, or with the flow frozen.

Frozen, only temperatures move: of air, slots, coils and walls, implicitly and in long steps. That holds while
fans, geometry and the pattern of temperatures stay as they are. Where one of them changes the flow is
followed again for a while, and then its mean over the second half of that is frozen.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import CP, RHO, AirState, UnitInputs, coil_heat
from solvers.airflow.frozen import FrozenFlow, advance_frozen, freeze
from solvers.airflow.model import AirModel, unit_inlet_temperature
from solvers.airflow.transient import Passage, air_heat

SHORTEST_SETTLING, LONGEST_SETTLING = 30.0, 180.0
"""Bounds of the time for which the flow is followed after it has changed; in between it is a change of air.
[s]"""
FLOW_TOLERANCE = 0.05
"""Change of a unit's flow, over the largest flow, that a frozen flow does not see. [1]"""
PATTERN_TOLERANCE = 2.0
"""Change of an inlet or outlet temperature against the mean of all, from which on buoyancy counts. [K]"""
_MEANS = ("u", "v", "w", "p", "T")  # what is averaged before it is frozen
LONGEST = 60.0
"""Longest time for which inputs are held while the flow is frozen. [s]"""


@dataclass
class Ice:
    """When the flow may be frozen, and the frozen flow.

    Attributes
    ----------
    settling : float         Time for which the flow is followed after it has changed. [s]
    until : float            The flow is followed up to here. [s]
    V_flow : float64[nu]     Flows of the units that it was followed with last; None at first. [m3/s]
    """

    settling: float
    until: float = 0.0
    V_flow: NDArray[np.float64] | None = None
    _flow: FrozenFlow | None = None
    _pattern: NDArray[np.float64] | None = None
    _sums: list[NDArray[np.float64]] = field(default_factory=list)
    _summed: float = 0.0

    def holds(self, model: AirModel, state: AirState, inputs: UnitInputs) -> bool:
        """Tell whether the flow may be frozen now; where it may not it is followed for a while."""
        if self.V_flow is None:
            self.V_flow = inputs.V_flow.copy()
        largest = max(float(self.V_flow.max(initial=0.0)), 1e-9)
        moved = float(np.abs(inputs.V_flow - self.V_flow).max(initial=0.0)) > FLOW_TOLERANCE * largest
        if self._pattern is not None and not moved:
            change = _pattern(model, state) - self._pattern
            moved = float(np.abs(change).max(initial=0.0)) > PATTERN_TOLERANCE
        if moved:
            self.thaw(state.time + self.settling)
            self.V_flow = inputs.V_flow.copy()
        return state.time >= self.until - 1e-6

    def thaw(self, until: float | None = None) -> None:
        """Forget the frozen flow; with a time, follow the flow at least up to there."""
        self._flow = self._pattern = None
        self._sums, self._summed = [], 0.0
        if until is not None:
            self.until = max(self.until, until)

    def note(self, state: AirState, duration: float) -> None:
        """Count the end of an interval in which the flow was followed into the mean that will be frozen."""
        if state.time <= self.until - 0.5 * self.settling:
            return
        fields = [np.asarray(getattr(state, name), np.float64) for name in _MEANS]
        if not self._sums:
            self._sums = [np.zeros_like(values) for values in fields]
        for total, values in zip(self._sums, fields, strict=True):
            np.add(total, duration * values, out=total)
        self._summed += duration

    def advance(
        self, model: AirModel, state: AirState, inputs: UnitInputs, duration: float
    ) -> tuple[AirState, Passage, int]:
        """Move the temperatures on; returns the state, its account and the number of steps.

        Raises
        ------
        CaseError, ConvergenceError : as `solvers.airflow.frozen.advance_frozen`.
        """
        assert self.V_flow is not None
        held = inputs._replace(V_flow=self.V_flow)
        if self._flow is None:
            means = dict(zip(_MEANS, (total / self._summed for total in self._sums), strict=False))
            self._flow = freeze(model, state._replace(**means), held)
            self._pattern = _pattern(model, state)
        account = _Rates(model, held, state)
        after = advance_frozen(self._flow, state, held, duration, on_step=account.add)
        return after, account.passage(state, after), self._flow.steps


def settling_time(model: AirModel, V_flow: NDArray[np.float64]) -> float:
    """Return a change of air: the room's volume over half the flow of its units, within bounds. [s]."""
    volume = float(model.case.grid.volumes[~model.case.solid].sum())
    through = 0.5 * float(V_flow.sum())
    return float(np.clip(volume / max(through, 1e-9), SHORTEST_SETTLING, LONGEST_SETTLING))


class _Rates:
    """Heat of the units over frozen steps, by the trapezoidal rule."""

    def __init__(self, model: AirModel, inputs: UnitInputs, state: AirState) -> None:
        self._model, self._inputs = model, inputs
        self._supply = ~np.isnan(inputs.T_supply)
        self._last = (state.time, *self._rates(state))
        self._given = self._taken = 0.0

    def add(self, state: AirState) -> None:
        """Count a step that ends at a state."""
        given, taken = self._rates(state)
        half = 0.5 * (state.time - self._last[0])
        self._given += half * (given + self._last[1])
        self._taken += half * (taken + self._last[2])
        self._last = (state.time, given, taken)

    def passage(self, before: AirState, after: AirState) -> Passage:
        """Return the account; what walls and openings let through follows from the rest."""
        duration = after.time - before.time
        model = self._model
        walls = 0.0
        if model.stepper.walls.conducts or model.case.ambient is not None:
            walls = air_heat(model, after) - air_heat(model, before) - self._given + self._taken
        released = duration * float(self._inputs.Q_flow[~self._supply].sum())
        return Passage(
            duration=duration, released=released, given=self._given, taken=self._taken, walls=walls
        )

    def _rates(self, state: AirState) -> tuple[float, float]:
        T_in = unit_inlet_temperature(self._model, state)
        rise = np.asarray(state.T_unit) - T_in
        heat = RHO * CP * self._inputs.V_flow * rise
        still = (self._inputs.V_flow == 0.0) & (self._inputs.C == 0.0) & ~self._supply
        given = float(heat[~self._supply].sum() + self._inputs.Q_flow[still].sum())
        coils = float(coil_heat(self._inputs, T_in).sum())
        return given + coils, coils - float(heat[self._supply].sum())


def _pattern(model: AirModel, state: AirState) -> NDArray[np.float64]:
    """Inlet and outlet temperatures of the units against the mean of all inlets. [K]."""
    T_in = unit_inlet_temperature(model, state)
    if T_in.size == 0:
        return T_in
    return np.concatenate([T_in, np.asarray(state.T_unit)]) - T_in.mean()
