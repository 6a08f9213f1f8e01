"""Air-management metrics of a room, each as its authors define it. Temperatures in degC, flows in m3/s."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from twin.model.catalog import ASHRAE_CLASSES


@dataclass(frozen=True)
class SlotAir:
    """Air through one slot, as the metrics need it.

    Attributes
    ----------
    inlet, outlet : float    [degC]
    flow : float             [m3/s]
    ashrae_class : str
    """

    inlet: float
    outlet: float
    flow: float
    ashrae_class: str


def rci_hi(slots: Sequence[SlotAir]) -> float:
    """Rack cooling index, high side: 100 (1 - sum max(T - T_rec, 0) / sum (T_all - T_rec)). [%].

    100 is no intake above the recommended envelope; below 0 is possible. Intakes are the slots' mean inlets.

    Source : Herrlin 2005, ASHRAE Transactions 111(2).    Check : tests/unit/twin/planning/test_metrics.py
    """
    limits = [ASHRAE_CLASSES[slot.ashrae_class] for slot in slots]
    over = sum(max(slot.inlet - lim.recommended_high, 0.0) for slot, lim in zip(slots, limits, strict=True))
    return 100.0 * (1.0 - over / sum(lim.allowable_high - lim.recommended_high for lim in limits))


def rci_lo(slots: Sequence[SlotAir]) -> float:
    """Rack cooling index, low side: 100 (1 - sum max(T_rec - T, 0) / sum (T_rec - T_all)). [%].

    Source : as :func:`rci_hi`.
    """
    limits = [ASHRAE_CLASSES[slot.ashrae_class] for slot in slots]
    under = sum(max(lim.recommended_low - slot.inlet, 0.0) for slot, lim in zip(slots, limits, strict=True))
    return 100.0 * (1.0 - under / sum(lim.recommended_low - lim.allowable_low for lim in limits))


def shi(slots: Sequence[SlotAir], supply: float) -> float:
    """Supply heat index: sum V (T_in - T_supply) / sum V (T_out - T_supply); 0 is no recirculation. [1].

    RHI, the return heat index, is 1 - SHI.

    Source : Sharma, Bash and Patel 2002, AIAA-2002-3091.
    """
    picked_up = sum(slot.flow * (slot.inlet - supply) for slot in slots)
    all_of_it = sum(slot.flow * (slot.outlet - supply) for slot in slots)
    return picked_up / all_of_it if all_of_it > 0.0 else float("nan")


def rti(slots: Sequence[SlotAir], supply: float, return_: float) -> float:
    """Return temperature index: 100 (T_return - T_supply) / rise through the equipment. [%].

    Above 100 air recirculates, below it bypasses; the rise is weighted by flow.

    Source : Herrlin 2008, ASHRAE Transactions 114(1).
    """
    flow = sum(slot.flow for slot in slots)
    rise = sum(slot.flow * (slot.outlet - slot.inlet) for slot in slots)
    return 100.0 * (return_ - supply) * flow / rise if rise > 0.0 else float("nan")


def mixed(temperatures: ArrayLike, flows: ArrayLike) -> float:
    """Flow-weighted mean temperature; the plain mean where nothing flows. [degC]."""
    weights = np.asarray(flows, np.float64)
    if weights.sum() <= 0.0:
        return float(np.mean(np.asarray(temperatures)))
    return float(np.average(np.asarray(temperatures, np.float64), weights=weights))
