"""Advance a room in time and keep account: where the heat went, and what limited each step."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from solvers.airflow.case import CP, RHO, AirState, UnitInputs
from solvers.airflow.model import (
    FIRST_DT,
    GROWTH,
    MASS_TOLERANCE,
    PRESSURE_ITERATIONS,
    AirModel,
    check_state,
)
from solvers.airflow.step import Stepper
from solvers.errors import CaseError

LIMITS = ("cfl", "max_dt", "growth", "end")
"""What can limit a step: Courant number, largest step, growth after a change of flow, the end asked for."""


class Passage(NamedTuple):
    """What happened between two instants; passages add up with :func:`joined`.

    Attributes
    ----------
    duration : float    [s]
    limited : int64[4]    Steps by what limited them, in the order of `LIMITS`. [-]
    shortest, longest : float    Steps. [s]
    released : float    Heat of the units in heat mode, into the air or their thermal masses. [J]
    given : float    Heat that these units gave to the air. [J]
    taken : float    Heat that units in supply mode took out of the air. [J]
    walls : float    Heat out of the walls into the air. [J]
    openings : float
        Heat above the ambient's temperature that came in through openings, as it was transported; mostly
        negative. [J]
    corrected : float    Heat that the correction of E8 moved, its size. [J]
    """

    duration: float = 0.0
    limited: tuple[int, ...] = (0,) * len(LIMITS)
    shortest: float = math.inf
    longest: float = 0.0
    released: float = 0.0
    given: float = 0.0
    taken: float = 0.0
    walls: float = 0.0
    openings: float = 0.0
    corrected: float = 0.0

    @property
    def steps(self) -> int:
        """Number of steps. [-]."""
        return sum(self.limited)


def joined(first: Passage, second: Passage) -> Passage:
    """Return one passage after the other as one."""
    return Passage(
        first.duration + second.duration,
        tuple(a + b for a, b in zip(first.limited, second.limited, strict=True)),
        min(first.shortest, second.shortest),
        max(first.longest, second.longest),
        *(a + b for a, b in zip(first[4:], second[4:], strict=True)),
    )


def follow(
    model: AirModel,
    state: AirState,
    inputs: UnitInputs,
    duration: float,
    cfl: float = 4.0,
    max_dt: float = 1.0,
) -> tuple[AirState, Passage]:
    """Step to exactly ``state.time + duration`` as `solvers.airflow.model.advance` does, and keep account.

    Parameters
    ----------
    model : AirModel
    state : AirState
    inputs : UnitInputs    What the units do during all of `duration`.
    duration : float    [s]
    cfl : float    Largest dt (|u|/dx + |v|/dy + |w|/dz) over the cells. [-]
    max_dt : float    Largest step. [s]

    Returns
    -------
    AirState
    Passage

    Raises
    ------
    GridMismatchError, CaseError, ConvergenceError : as `advance`.
    """
    check_state(model, state)
    if not (math.isfinite(duration) and duration >= 0 and cfl > 0 and max_dt > 0):
        raise CaseError(f"follow: duration {duration} s, cfl {cfl} and max_dt {max_dt} s must be positive.")
    stepper = model.stepper
    moved = stepper.load(state, inputs)
    if moved and duration > 0:
        stepper.settle_flow()
    account = _Account(stepper)
    end = state.time + duration
    dt, last = FIRST_DT if moved else max_dt, math.inf
    while end - stepper.time > 1e-9 * max(1.0, abs(end)):
        rate = stepper.courant()
        allowed = (cfl / rate if rate > 0 else math.inf, max_dt, GROWTH * dt)
        dt = min(allowed)
        left = end - stepper.time
        parts = max(1, math.ceil(left / dt - 1e-9))
        cut = parts == 1 and left < 0.99 * min(dt, last)
        account.step(left / parts, len(LIMITS) - 1 if cut else allowed.index(dt))
        last = left / parts
    stepper.check()
    stepper.time = end
    return stepper.state(), account.passage(duration)


def air_heat(model: AirModel, state: AirState) -> float:
    """Heat content of the room's air above the reference temperature. [J]."""
    inside = ~model.case.solid
    if model.case.ambient is not None:
        inside &= ~model.case.ambient
    theta = np.asarray(state.T, np.float64)[inside] - model.T_ref
    return float(RHO * CP * np.dot(model.case.grid.volumes[inside], theta))


def wall_heat(model: AirModel, state: AirState) -> float:
    """Heat content of the walls' layers above the reference temperature. [J]."""
    return model.stepper.walls.stored_heat(state.T_surface)


class _Account:
    """Heat and limits of the steps of one passage."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self._limited = [0] * len(LIMITS)
        self._shortest, self._longest = math.inf, 0.0
        self._released = self._given = self._taken = self._walls = self._openings = 0.0
        inputs = stepper.units.inputs
        assert inputs is not None
        self._inputs = inputs
        self._supply = ~np.isnan(inputs.T_supply)

    def step(self, dt: float, limit: int) -> None:
        """Take a step; the air gets what the units' outlets have at its start, the inlets at its end."""
        stepper, units = self._stepper, self._stepper.units
        before = stepper.theta_unit.copy()
        leaked = units.leaked_heat(before, stepper.theta, dt) if units.leaks else 0.0
        stepper.step(dt, MASS_TOLERANCE, PRESSURE_ITERATIONS)
        theta_in = units.inlet_theta(stepper.theta)
        given, taken = units.heat(before, theta_in, leaked)
        self._released += dt * float(self._inputs.Q_flow[~self._supply].sum())
        self._given += dt * given
        self._taken += dt * taken
        if stepper.walls.conducts:
            self._walls += dt * (stepper.walls.given - stepper.walls.taken)
        self._openings += dt * (stepper.openings.gained - stepper.openings.lost)
        self._limited[limit] += 1
        self._shortest, self._longest = min(self._shortest, dt), max(self._longest, dt)

    def passage(self, duration: float) -> Passage:
        """Return the account."""
        return Passage(
            duration, tuple(self._limited), self._shortest, self._longest, self._released, self._given,
            self._taken, self._walls, self._openings, self._stepper.heat_corrected * duration,
        )  # fmt: skip
