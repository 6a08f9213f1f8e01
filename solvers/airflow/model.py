"""The public face of the airflow solver: prepare a case once, then advance it or settle it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import (
    AirCase,
    AirState,
    Balances,
    Closure,
    Probe,
    SteadyProgress,
    SteadyResult,
    UnitInputs,
)


class AirModel:
    """A prepared case: metrics, masks, multigrid and work arrays. Not thread-safe: one thread a model."""

    case: AirCase
    closure: Closure
    T_ref: float


def prepare(case: AirCase, closure: Closure = Closure(), T_ref: float = 293.15) -> AirModel:  # noqa: B008
    """Check everything and build what every step needs; once per case."""
    raise NotImplementedError


def initial_state(model: AirModel, T: float = 293.15) -> AirState:
    """Air at rest at one temperature."""
    raise NotImplementedError


def advance(
    model: AirModel,
    state: AirState,
    inputs: UnitInputs,
    duration: float,
    cfl: float = 4.0,
    max_dt: float | None = None,
    on_step: Callable[[AirState], None] | None = None,
) -> AirState:
    """Step to exactly ``state.time + duration``."""
    raise NotImplementedError


def solve_steady(
    model: AirModel,
    inputs: UnitInputs,
    state: AirState | None = None,
    tolerance: float = 0.1,
    progress: Callable[[SteadyProgress], None] | None = None,
    max_time: float = 1200.0,
    cfl: float = 8.0,
) -> SteadyResult:
    """March until the flow has settled, then average it."""
    raise NotImplementedError


def unit_inlet_temperature(model: AirModel, state: AirState) -> NDArray[np.float64]:
    """Area mean of the temperature over the inlet patch of each unit."""
    raise NotImplementedError


def unit_inlet_temperature_max(model: AirModel, state: AirState) -> NDArray[np.float64]:
    """Largest cell temperature over the inlet patch of each unit."""
    raise NotImplementedError


def balances(model: AirModel, state: AirState, inputs: UnitInputs) -> Balances:
    """How well a state conserves mass and heat."""
    raise NotImplementedError


def probe(model: AirModel, state: AirState, points: NDArray[np.float64]) -> Probe:
    """Trilinear samples of a state, solids ignored."""
    raise NotImplementedError


def restart(model_to: AirModel, model_from: AirModel, state: AirState) -> AirState:
    """Interpolate a state onto another grid of the same room."""
    raise NotImplementedError


def warm_up(progress: Callable[[str, int, int], None] | None = None) -> None:
    """Compile (or load from the cache) every kernel."""
    raise NotImplementedError
