"""Where the compact model of a cold plate was checked against the resolved one, and what lies outside."""

from __future__ import annotations

from solvers.coldplate.plate import Plate

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
