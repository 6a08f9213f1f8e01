"""Where the compact model of a cold plate was checked against the resolved one, and what lies outside."""

from __future__ import annotations

import numpy as np

from solvers.coldplate.plate import Plate
from solvers.coldplate.plate_solve import Solution
from twin.plates.spec_reader import PlateCase

AGREED = 0.035
"""Difference of the compact rise from the resolved one that is asked within the checked range. [-]"""
FEWEST_CHANNELS = 20
"""Channels from which the compact model was checked. [-]"""


def outside_compact(plate: Plate) -> str:
    """Say why the compact model was not checked for a plate; empty within its range.

    Parameters
    ----------
    plate : Plate

    Returns
    -------
    str

    Check : docs/coldplates.md (How each model was checked), tests/unit/twin/plates/test_compact.py
    """
    reasons = []
    if plate.base.thickness < plate.pitch / 3.0:
        reasons.append(
            f"the base, {1e3 * plate.base.thickness:.3g} mm, is thinner than a third of the pitch, "
            f"{1e3 * plate.pitch:.3g} mm"
        )
    if plate.channels < FEWEST_CHANNELS:
        reasons.append(f"{plate.channels} channels are fewer than {FEWEST_CHANNELS}")
    return "; ".join(reasons)


def compact_warning(plate: Plate) -> list[str]:
    """Warn where the compact model was not checked for a plate.

    Parameters
    ----------
    plate : Plate

    Returns
    -------
    list of str    One text, or none.
    """
    reason = outside_compact(plate)
    if not reason:
        return []
    return [
        f"outside the checked range of two_resistor: {reason}; its rise may be 10 % too low. "
        "Use four_resistor or correlation"
    ]


def smeared_chips(case: PlateCase, solution: Solution) -> list[str]:
    """Warn of chips that the compact model's cells smear: those of fewer than two cells.

    Parameters
    ----------
    case : PlateCase
    solution : Solution    By the compact model.

    Returns
    -------
    list of str    One text a chip.
    """
    grid = solution.grid
    inside = grid.channel >= 0
    cell = float(np.max(grid.x[inside])), float(np.max(grid.y))
    return [
        f"chip '{chip.id}', {1e3 * chip.size[0]:g} x {1e3 * chip.size[1]:g} mm, is less than two cells of "
        f"two_resistor, {1e3 * cell[0]:.2g} x {1e3 * cell[1]:.2g} mm: its rise may be 10 % off. "
        "Use four_resistor or correlation"
        for chip in case.spec.chips
        if any(size < 1.999 * length for size, length in zip(chip.size, cell, strict=True))
    ]
