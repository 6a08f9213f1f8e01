"""Cold plates to time: a fine one, the compact model beside the resolved one, and the stacks of 3D-ICE."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from numba import get_num_threads

from solvers.coldplate.plate_solve import warm_up
from twin.benchmark.measure import Tell, timed
from twin.model.load import example_layout
from twin.peers.stacks import NODES, write_stack
from twin.plates.ice_model import build_ice
from twin.plates.ice_reader import read_stack
from twin.plates.ice_run import run_ice
from twin.plates.plate_run import solve_case
from twin.plates.spec_reader import read_plate

SPEC = "coldplates/racklet_30kw"
"""Of the examples: the plate that is timed."""
CELLS = 1_000_000
QUICK_CELLS = 120_000
COMPACT = "two_resistor"


@dataclass(frozen=True)
class PlateSpeed:
    """A cold plate's steady state.

    Attributes
    ----------
    model : str
    cells, threads : int
    wall_s : float    [s]
    rise_k : float    Hottest point of the heated face over the inlet. [K]
    energy_relative : float    [-]
    """

    model: str
    cells: int
    threads: int
    wall_s: float
    rise_k: float
    energy_relative: float


@dataclass(frozen=True)
class CompactSpeed:
    """The compact model beside a resolved one.

    Attributes
    ----------
    resolved, compact : PlateSpeed
    ratio : float    Wall time of the resolved over that of the compact one. [-]
    difference : float    Of the rises, over the resolved one. [-]
    """

    resolved: PlateSpeed
    compact: PlateSpeed
    ratio: float
    difference: float


@dataclass(frozen=True)
class StackSpeed:
    """A stack of 3D-ICE's own test suite.

    Attributes
    ----------
    name : str
    cells, threads : int
    wall_s : float    Steady, from the file to the answers. [s]
    error_k : float    Larger error of two nodes against what 3D-ICE expects. [K]
    """

    name: str
    cells: int
    threads: int
    wall_s: float
    error_k: float


def measure_stacks(tell: Tell) -> list[StackSpeed]:
    """Time the steady stacks of 3D-ICE's suite and hold them against its expected values.

    Parameters
    ----------
    tell : callable    Takes what is going on.

    Returns
    -------
    list of StackSpeed
    """
    found = []
    with TemporaryDirectory() as folder:
        for kind, expected in NODES.items():
            tell(f"3D-ICE's stack {kind}")
            path = write_stack(Path(folder), kind)
            answers = run_ice(build_ice(read_stack(path)))
            wall = timed(lambda path=path: run_ice(build_ice(read_stack(path))), 0.5, 2).median
            reached = [series[0][1] for series in answers.probes.values()]
            error = max(abs(T - asked) for T, asked in zip(reached, expected, strict=True))
            found.append(StackSpeed(kind, answers.temperature.size, get_num_threads(), wall, error))
    return found


def measure_plates(cells: int, tell: Tell) -> tuple[PlateSpeed, CompactSpeed]:
    """Time a plate by films and with its flow resolved, and the compact model beside it.

    Parameters
    ----------
    cells : int    Of the fine ones, about.
    tell : callable    Takes what is going on.

    Returns
    -------
    PlateSpeed, CompactSpeed    Conjugate with films by correlation; the compact model beside the resolved.
    """
    warm_up()
    tell("cold plate: compact model")
    compact = measure_plate(COMPACT, 20_000, repeat=True)
    tell(f"cold plate: conjugate, about {cells:,} cells")
    conjugate = measure_plate("correlation", cells)
    tell(f"cold plate: flow resolved, about {cells:,} cells")
    resolved = measure_plate("resolved", cells)
    ratio = resolved.wall_s / compact.wall_s
    difference = abs(compact.rise_k / resolved.rise_k - 1)
    return conjugate, CompactSpeed(resolved, compact, ratio, difference)


def measure_plate(model: str, cells: int, *, repeat: bool = False) -> PlateSpeed:
    """Time the steady state of the example plate, from its file's values to temperatures.

    Parameters
    ----------
    model : str    One of `twin.plates.spec.ModelName`.
    cells : int    At most, about.
    repeat : bool    Take the median of several; otherwise it is solved once.

    Returns
    -------
    PlateSpeed
    """
    case = read_plate(example_layout(SPEC))
    begun = time.perf_counter()
    found = solve_case(case, model, cells)
    wall = time.perf_counter() - begun
    if repeat:
        wall = timed(lambda: solve_case(case, model, cells), 1.0).median
    rise = float(found.heated_face.max()) - case.spec.coolant.inlet_temperature
    return PlateSpeed(
        model, int(found.theta.size), get_num_threads(), wall, rise, abs(found.balance.relative)
    )
