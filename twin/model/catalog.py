"""Published figures the model looks things up in: ASHRAE classes, perforated tile losses, air.

Each table names its source; the numbers are those of the publication, not fits of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from solvers.airflow.case import CP, RHO

AIR_DENSITY = RHO
"""Of the solver: dry air at 20 degC and 1013 hPa. [kg/m3]"""
AIR_HEAT_CAPACITY = CP
"""Of the solver: dry air at 20 degC, constant pressure. [J/(kg K)]"""


@dataclass(frozen=True, slots=True)
class AshraeClass:
    """Dry-bulb envelope of equipment at its air inlet. [degC]."""

    name: str
    recommended_low: float
    recommended_high: float
    allowable_low: float
    allowable_high: float


AshraeName = Literal["A1", "A2", "A3", "A4", "H1"]

ASHRAE_CLASSES = MappingProxyType(
    {
        "A1": AshraeClass("A1", 18.0, 27.0, 15.0, 32.0),
        "A2": AshraeClass("A2", 18.0, 27.0, 10.0, 35.0),
        "A3": AshraeClass("A3", 18.0, 27.0, 5.0, 40.0),
        "A4": AshraeClass("A4", 18.0, 27.0, 5.0, 45.0),
        "H1": AshraeClass("H1", 18.0, 22.0, 5.0, 25.0),
    }
)
"""ASHRAE TC 9.9, Thermal Guidelines for Data Processing Environments, 5th ed., 2021."""


class Band(StrEnum):
    """Where an inlet temperature lies in its class."""

    BELOW = "below"
    RECOMMENDED = "recommended"
    ALLOWABLE = "allowable"
    OVER = "over"


def band(temperature: float, ashrae_class: str = "A1") -> Band:
    """Place an inlet temperature [degC] in its ASHRAE class.

    Within the allowable but outside the recommended envelope, on either side, it is ``allowable``; outside
    the allowable it is ``below`` or ``over``.
    """
    limits = ASHRAE_CLASSES[ashrae_class]
    if temperature < limits.allowable_low:
        return Band.BELOW
    if temperature > limits.allowable_high:
        return Band.OVER
    if limits.recommended_low <= temperature <= limits.recommended_high:
        return Band.RECOMMENDED
    return Band.ALLOWABLE


TileLoss = Literal["fried_idelchik", "blevins", "idelchik_wire"]


def tile_loss_coefficient(open_area: float, relation: TileLoss = "fried_idelchik") -> float:
    """Loss coefficient K of a perforated plate, dp = 0.5 rho K V^2 with V on the gross area.

    ``fried_idelchik``   K = (1 + 0.5 (1-F)^0.75 + 1.414 (1-F)^0.375) / F^2     perforated tiles
    ``blevins``          K = (0.5 (1-F) + 1 - F^2) / F^2                         square-edged grille
    ``idelchik_wire``    K = 1.3 (1-F) + (1/F - 1)^2                             mesh of round wires

    Parameters
    ----------
    open_area : float       Open area over gross area F, 0 < F <= 1. [1]
    relation : str

    Returns
    -------
    float                   [1]

    Validity : turbulent flow through the holes (hole Reynolds number above about 1e4). Wires: Re above 300,
               by the velocity in the holes and the wire's diameter; at Re 200, 150, 100 and 50 the handbook
               multiplies by 1.08, 1.13, 1.24 and 1.44, which is left to the caller.
    Source   : Fried and Idelchik 1989 as used by Karki, Radmehr and Patankar 2003, HVAC&R Research 9(2)
               153-166 (K = 42.8 at F = 0.25); Blevins 1984; Idelchik 1994, Handbook of Hydraulic Resistance,
               diagram 8-6.    Check : tests/unit/twin/model/test_catalog.py
    """
    free = 1.0 - open_area
    if relation == "idelchik_wire":
        return 1.3 * free + (1.0 / open_area - 1.0) ** 2
    if relation == "blevins":
        return (0.5 * free + 1.0 - open_area**2) / open_area**2
    return (1.0 + 0.5 * free**0.75 + 1.414 * free**0.375) / open_area**2
