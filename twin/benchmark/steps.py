"""Time steps of a whole room, all objects in it, against the clock."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from solvers.airflow.case import AirState
from solvers.airflow.frozen import advance_frozen, freeze
from solvers.airflow.model import AirModel, advance
from twin.benchmark.measure import Tell, timed
from twin.benchmark.rooms import PEER, Built, Room, courant_rate, set_going

SIZES = (118_800, 300_000, 1_000_000, 3_000_000)
"""Cells. The first is the size of the peer room."""
_STEPS = 10  # in a timed piece
_HORIZON = 300.0  # s, of a transient in a frozen flow
_LOAD_STEP = 1.2  # on the heat of every unit


@dataclass(frozen=True)
class StepSpeed:
    """How fast the steps of a room are.

    The Courant number is dt times the largest |u| / dx + |v| / dy + |w| / dz over the cells of the air, with
    the mean speeds of the two faces of a cell: the sum over the three directions, the strictest definition in
    use. By the largest of the three alone, the same step has a number up to three times smaller.

    Attributes
    ----------
    room : str
    cells : int                       Of the grid, solids included; the peer room has a layer of 1,800 behind
                                      a wall beyond its 118,800.
    ms : float                        Of a step at Courant number 4. [ms]
    mcells_per_s : float              Million cells stepped on in a second, at Courant number 4.
    real_time_factor : float          Simulated over wall time at Courant number 1. [1]
    real_time_factor_cfl_4 : float    The same at 4. [1]
    real_time_factor_of_one : float   At Courant number 1 by the largest of the three directions. [1]
    """

    room: str
    cells: int
    ms: float
    mcells_per_s: float
    real_time_factor: float
    real_time_factor_cfl_4: float
    real_time_factor_of_one: float


def measure_steps(room: Room, tell: Tell) -> StepSpeed:
    """Time the steps of a room.

    Parameters
    ----------
    room : Room
    tell : callable    Takes what is going on.

    Returns
    -------
    StepSpeed
    """
    built, model, state = set_going(room, "steps", tell)
    tell(f"steps: {built.cells:,} cells")
    rate, rate_of_one = (courant_rate(built, state, of_one) for of_one in (False, True))
    dt_1, dt_4, dt_one = 1.0 / rate, 4.0 / rate, 1.0 / rate_of_one
    wall_1, wall_4, wall_one = (_step_time(built, model, state, dt) for dt in (dt_1, dt_4, dt_one))
    return StepSpeed(
        room=room.label,
        cells=built.cells,
        ms=1e3 * wall_4,
        mcells_per_s=built.cells / wall_4 / 1e6,
        real_time_factor=dt_1 / wall_1,
        real_time_factor_cfl_4=dt_4 / wall_4,
        real_time_factor_of_one=dt_one / wall_one,
    )


def _step_time(built: Built, model: AirModel, state: AirState, dt: float) -> float:
    """Wall time of a step of a length. [s]."""

    def go() -> None:
        # the limit on the step rules, so that there are as many steps as are counted
        advance(model, state, built.inputs, _STEPS * dt, cfl=16.0, max_dt=dt)

    return timed(go, seconds=1.5, least=5).best / _STEPS


def exponent(speeds: list[StepSpeed]) -> float | None:
    """Power of the size with which the time of a step grows, by least squares; None below two sizes.

    Parameters
    ----------
    speeds : list of StepSpeed
        Rooms that differ in more than their size do not count; see `full_rooms`.

    Returns
    -------
    float or None
    """
    full = full_rooms(speeds)
    if len(full) < 2:
        return None
    size, time = (np.log([getattr(speed, name) for speed in full]) for name in ("cells", "ms"))
    return float(np.polyfit(size, time, 1)[0])


def full_rooms(speeds: list[StepSpeed]) -> list[StepSpeed]:
    """Return the speeds of the room with all objects, in all its sizes: not those of the peer room.

    Parameters
    ----------
    speeds : list of StepSpeed

    Returns
    -------
    list of StepSpeed
    """
    return [speed for speed in speeds if speed.room != PEER]


@dataclass(frozen=True)
class FrozenSpeed:
    """How fast the temperature moves on in a flow that stands still.

    Attributes
    ----------
    room : str
    cells : int                 Solids included.
    setup_s : float             To freeze the flow. [s]
    dt_s : float                Mean length of a step. [s]
    ms : float                  Of a step. [ms]
    real_time_factor : float    Simulated over wall time. [1]
    """

    room: str
    cells: int
    setup_s: float
    dt_s: float
    ms: float
    real_time_factor: float


def measure_frozen(room: Room, tell: Tell) -> FrozenSpeed:
    """Freeze a flow, raise the heat of every unit by a fifth, and follow the temperature for five minutes.

    Parameters
    ----------
    room : Room
    tell : callable    Takes what is going on.

    Returns
    -------
    FrozenSpeed
    """
    built, model, state = set_going(room, "frozen flow", tell)
    tell(f"frozen flow: {built.cells:,} cells, {_HORIZON:g} s of a load step")
    begun = time.perf_counter()
    frozen = freeze(model, state, built.inputs)
    setup_s = time.perf_counter() - begun
    inputs = built.inputs._replace(Q_flow=_LOAD_STEP * built.inputs.Q_flow)
    timing = timed(lambda: advance_frozen(frozen, state, inputs, _HORIZON), seconds=1.0, least=2)
    steps = max(frozen.steps, 1)
    return FrozenSpeed(
        room=room.label,
        cells=built.cells,
        setup_s=setup_s,
        dt_s=_HORIZON / steps,
        ms=1e3 * timing.best / steps,
        real_time_factor=_HORIZON / timing.best,
    )
