"""March a flow until a number that the case asks for stands still, or average one that never does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import AirState, UnitInputs
from solvers.airflow.model import AirModel, advance


class Steps(TypedDict, total=False):
    """How `advance` steps: its arguments of the same names."""

    cfl: float
    max_dt: float
    scheme: str


class Marched(NamedTuple):
    """Where a march ended.

    Attributes
    ----------
    state : AirState
    change : float    Last relative change of the monitor over a stretch of time. [-]
    settled : bool    The change fell below the tolerance before the time was over.
    """

    state: AirState
    change: float
    settled: bool


def march(
    model: AirModel,
    state: AirState,
    inputs: UnitInputs,
    monitor: Callable[[AirState], NDArray[np.float64]],
    stretch: float,
    tolerance: float,
    longest: float,
    progress: Callable[[float], None] | None = None,
    **steps: Unpack[Steps],
) -> Marched:
    """Advance in equal stretches of time until two in a row change the monitor by less than the tolerance.

    Parameters
    ----------
    model : AirModel
    state : AirState
        Where to start.
    inputs : UnitInputs
    monitor : callable
        State -> the numbers to watch.
    stretch : float
        [s]
    tolerance : float
        Largest change of a number over a stretch, relative to the largest of them. [-]
    longest : float
        Time after which to stop anyway. [s]
    progress : callable, optional
        Called with the share of `longest` that is over.
    **steps
        Passed on to `advance`: cfl, max_dt, scheme.

    Returns
    -------
    Marched
    """
    end = state.time + longest
    before = monitor(state)
    calm, change = 0, np.inf
    while calm < 2 and state.time < end - 1e-9 * longest:
        state = advance(model, state, inputs, stretch, **steps)
        now = monitor(state)
        change = float(np.abs(now - before).max() / max(np.abs(now).max(), 1e-30))
        calm = calm + 1 if change < tolerance else 0
        before = now
        if progress is not None:
            progress(min(1.0, 1 - (end - state.time) / longest))
    return Marched(state, change, calm >= 2)


def average(
    model: AirModel,
    state: AirState,
    inputs: UnitInputs,
    settle: float,
    duration: float,
    samples: int,
    sample: Callable[[AirState], NDArray[np.float64]],
    progress: Callable[[float], None] | None = None,
    **steps: Unpack[Steps],
) -> NDArray[np.float64]:
    """Let a flow settle for a time, then average what the case asks for over another.

    Parameters
    ----------
    model : AirModel
    state : AirState
        Where to start.
    inputs : UnitInputs
    settle, duration : float
        [s]
    samples : int
        Number of samples in `duration`, evenly spaced; the flow settles in pieces of the same length.
    sample : callable
        State -> the numbers to average.
    progress : callable, optional
        Called with the share that is over.
    **steps
        Passed on to `advance`: cfl, max_dt, scheme.

    Returns
    -------
    float64
        Mean of the samples, of their shape.
    """
    piece = duration / samples
    ahead = max(1, round(settle / piece))
    for number in range(ahead):
        if progress is not None:
            progress(number / (ahead + samples))
        state = advance(model, state, inputs, settle / ahead, **steps)
    total = np.zeros_like(sample(state))
    for number in range(samples):
        if progress is not None:
            progress((ahead + number) / (ahead + samples))
        state = advance(model, state, inputs, piece, **steps)
        total += sample(state)
    return total / samples
