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
from twin.errors import OutsideError
from twin.peers import asking


@dataclass(frozen=True)
class CoolantSpeed:
    """Networks and cold plates.

    Attributes
    ----------
    halls : list of HallSpeed
    pipes : list of PipesComparison
    pipes_skipped : str    Why pandapipes gave nothing; empty if it did.
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
    OutsideError : a process failed. Where pandapipes cannot be asked or fails, the result says why.
    """
    sizes, cells = choose_sizes(quick)
    halls = [run_apart(measure_hall, size, tell=tell).value for size in sizes]
    pipes, skipped = compare_pipes(tell)
    plate, compact = run_apart(measure_plates, cells, tell=tell).value
    stacks = run_apart(measure_stacks, tell=tell).value
    return CoolantSpeed(halls, pipes, skipped, plate, compact, stacks)


def compare_pipes(tell: Tell) -> tuple[list[PipesComparison], str]:
    """Compare with pandapipes, or say why not; the rest of the part does not depend on it.

    Parameters
    ----------
    tell : callable    Takes what is going on.

    Returns
    -------
    pipes : list of PipesComparison
    skipped : str    Why there are none; empty if there are.
    """
    skipped = asking.why_not()
    if skipped:
        return [], skipped
    try:
        return run_apart(measure_pipes, tell=tell).value, ""
    except OutsideError as error:
        return [], str(error)


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
