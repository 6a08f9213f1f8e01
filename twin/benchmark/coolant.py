"""The coolant part against the clock and against its peers."""

from __future__ import annotations

from dataclasses import dataclass

from twin.benchmark.halls import RACKLETS, HallSpeed, measure_hall
from twin.benchmark.measure import Tell, run_apart
from twin.benchmark.pipes import PipesComparison, measure_pipes
from twin.benchmark.plates import (
    CELLS,
    QUICK_CELLS,
    CompactSpeed,
    PlateSpeed,
    StackSpeed,
    measure_plates,
    measure_stacks,
)
from twin.peers import asking


@dataclass(frozen=True)
class CoolantSpeed:
    """Networks and cold plates.

    Attributes
    ----------
    halls : list of HallSpeed
    pipes : list of PipesComparison
    pipes_skipped : str    Why pandapipes was not asked; empty if it was.
    plate : PlateSpeed    Fine, with films by correlation.
    compact : CompactSpeed
    stacks : list of StackSpeed
    """

    halls: list[HallSpeed]
    pipes: list[PipesComparison]
    pipes_skipped: str
    plate: PlateSpeed
    compact: CompactSpeed
    stacks: list[StackSpeed]


def measure_coolant(quick: bool, tell: Tell) -> CoolantSpeed:
    """Measure networks and cold plates, each in a process of its own.

    Parameters
    ----------
    quick : bool    Plates of 0.1 M cells in place of 1 M.
    tell : callable    Takes what is going on.

    Returns
    -------
    CoolantSpeed

    Raises
    ------
    OutsideError : a process, or pandapipes, failed.
    """
    sizes, cells = choose_sizes(quick)
    halls = [run_apart(measure_hall, size, tell=tell).value for size in sizes]
    skipped = asking.why_not()
    pipes = [] if skipped else run_apart(measure_pipes, tell=tell).value
    plate, compact = run_apart(measure_plates, cells, tell=tell).value
    stacks = run_apart(measure_stacks, tell=tell).value
    return CoolantSpeed(halls, pipes, skipped, plate, compact, stacks)


def choose_sizes(quick: bool) -> tuple[tuple[int, ...], int]:
    """Say how large the measured networks and plates are.

    Parameters
    ----------
    quick : bool

    Returns
    -------
    racklets : tuple of int    Of each hall; always with the one that is asked for.
    cells : int    Of the fine plates, about.
    """
    return ((RACKLETS,), QUICK_CELLS) if quick else ((10, RACKLETS, 160), CELLS)
