"""Settled rooms: how long they take and how much memory."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray

from solvers.airflow.case import SteadyProgress
from solvers.airflow.model import solve_steady, unit_inlet_temperature
from twin.benchmark.measure import Tell, run_apart
from twin.benchmark.rooms import Room, build

TOLERANCE = 0.1
"""Difference of adjacent means of the inlet temperatures at which a room is settled. [K]"""


@dataclass(frozen=True)
class SteadyRun:
    """A settled room.

    Attributes
    ----------
    case : str                       The room and its closure.
    cells : int                      Solids included.
    threads : int                    Of the solver.
    wall_s : float                   From the case to settled inlets: set-up and solve. [s]
    setup_s : float                  Of that, the set-up. [s]
    steps : int                      On all grids. [-]
    averaged_s : float               Simulated time that the means are over. [s]
    converged : bool                 False: the time is that of giving up, the inlets are no answer.
    bytes_per_cell : float or None   Peak memory beyond program and kernels. [B]
    energy_relative : float          Heat given less taken, over heat given. [1]
    T_inlet : float64[nu]            Mean inlet temperature by unit. [K]
    swing : float64[nu]              Largest less smallest inlet temperature while averaging. [K]
    """

    case: str
    cells: int
    threads: int
    wall_s: float
    setup_s: float
    steps: int
    averaged_s: float
    converged: bool
    bytes_per_cell: float | None
    energy_relative: float
    T_inlet: NDArray[np.float64]
    swing: NDArray[np.float64]


def measure_steady(room: Room, tell: Tell, threads: int | None = None) -> SteadyRun:
    """Settle a room in a process of its own, so that its memory can be told.

    Parameters
    ----------
    room : Room
    tell : callable           Takes what is going on.
    threads : int, optional   Of the solver; all by default. [-]

    Returns
    -------
    SteadyRun
    """
    found, memory = run_apart(_settle, room, tell=tell, threads=threads)
    return SteadyRun(**found, bytes_per_cell=memory / found["cells"] if memory else None)


def _settle(room: Room, tell: Tell) -> dict[str, object]:
    built = build(room)

    def show(now: SteadyProgress) -> None:
        tell(f"steady: {room.label}, {now.cells:,} cells, {now.time:.0f} s simulated")

    begun = time.perf_counter()
    model = built.prepare()
    setup_s = time.perf_counter() - begun
    result = solve_steady(model, built.inputs, tolerance=TOLERANCE, progress=show)
    wall_s = time.perf_counter() - begun
    return {
        "case": room.label,
        "cells": built.cells,
        "threads": get_num_threads(),
        "wall_s": wall_s,
        "setup_s": setup_s,
        "steps": result.steps,
        "averaged_s": result.averaged_s,
        "converged": result.converged,
        "energy_relative": result.balances.energy_relative,
        "T_inlet": unit_inlet_temperature(model, result.state),
        "swing": result.T_inlet_swing,
    }
