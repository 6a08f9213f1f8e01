"""Power laws of a racklet: conversion loss over load, voltage droop, thermal derating.

Standard library only, like :mod:`twin.racklet.cooling`. The losses are part of the rack's electric power, so
they are heat that the rack's air already carries.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

_LOAD = (0.1, 0.2, 0.5, 1.0)
_EFFICIENCY = (0.90, 0.94, 0.96, 0.91)
# Loss over rated output at the published points; the loss itself is what is smooth and monotonic in load.
_LOSS = tuple(x * (1.0 / eta - 1.0) for x, eta in zip(_LOAD, _EFFICIENCY, strict=True))

DROOP = 0.01
"""Fall of the output voltage from no load to full load, by which paralleled modules share current. [1]"""
DERATING_START = 50.0
"""Air temperature up to which a module gives its full rating. [degC]"""
DERATING_PER_KELVIN = 0.025
"""Rating lost per kelvin above it: half is left at 70 degC. [1/K]"""


class Output(NamedTuple):
    """What leaves a power module: power [W], voltage [V], current [A]."""

    power: float
    voltage: float
    current: float


def conversion_loss(load: float) -> float:
    """Loss of a converter over its rated output, at ``load`` = output over rated output.

    Linear between the points that 80 PLUS Titanium asks of 230 V redundant supplies (90, 94, 96 and 91 % at
    10, 20, 50 and 100 % load); the first segment goes on to the idle loss, the last beyond full load.

    Parameters
    ----------
    load : float                0 to about 1.25. [1]

    Returns
    -------
    float                       [1]

    Raises
    ------
    ValueError : the load is negative.

    Source : CLEAResult, 80 PLUS Certified Power Supplies, Titanium, 230 V internal redundant.
    Check  : tests/unit/twin/racklet/test_power.py
    """
    if load < 0.0:
        raise ValueError(f"load must not be negative: {load}")
    k = next((k for k in range(1, len(_LOAD) - 1) if load <= _LOAD[k]), len(_LOAD) - 1)
    slope = (_LOSS[k] - _LOSS[k - 1]) / (_LOAD[k] - _LOAD[k - 1])
    return _LOSS[k - 1] + slope * (load - _LOAD[k - 1])


def efficiency(load: float) -> float:
    """Output over input power at ``load`` = output over rated output; 0 at no load. [1].

    Raises
    ------
    ValueError : the load is negative.

    Source : :func:`conversion_loss`.
    """
    return 0.0 if load == 0.0 else load / (load + conversion_loss(load))


def output_power(input_power: float, rated: float) -> float:
    """Output of modules of total rating ``rated`` that draw ``input_power``: the inverse of the loss. [W].

    Input below the idle loss gives 0.

    Raises
    ------
    ValueError : the rating is not positive.
    """
    if rated <= 0.0:
        raise ValueError(f"rating must be above 0, not {rated}")
    drawn = input_power / rated
    points = [(0.0, conversion_loss(0.0)), *((x, x + y) for x, y in zip(_LOAD, _LOSS, strict=True))]
    for (x0, d0), (x1, d1) in pairwise(points):
        if drawn <= d1 or x1 == _LOAD[-1]:
            return max(0.0, x0 + (x1 - x0) * (drawn - d0) / (d1 - d0)) * rated
    raise AssertionError("the last segment always answers")


def output(input_power: float, rated: float, voltage_nominal: float) -> Output:
    """Output power, voltage and current of droop-controlled modules.

    V = V_nominal (1 - DROOP I / I_rated) and P = V I, solved for the smaller current.

    Parameters
    ----------
    input_power : float         AC power drawn. [W]
    rated : float               Rated output of all modules. [W]
    voltage_nominal : float     Set point at no load. [V]

    Raises
    ------
    ValueError : a rating or the voltage is not positive.

    Source : droop (primary) control of paralleled converters, Guerrero et al. 2011, IEEE Trans. Ind.
    Electron. 58(1).
    """
    if voltage_nominal <= 0.0:
        raise ValueError(f"nominal voltage must be above 0, not {voltage_nominal}")
    power = output_power(input_power, rated)
    current_rated = rated / voltage_nominal
    x = power / rated
    per_unit = (1.0 - math.sqrt(max(0.0, 1.0 - 4.0 * DROOP * x))) / (2.0 * DROOP)
    return Output(power, voltage_nominal * (1.0 - DROOP * per_unit), per_unit * current_rated)


def derated(rated: float, temperature: float) -> float:
    """Rating left at an air temperature [degC]: full to 50 degC, then 2.5 % less per kelvin. [W].

    Source : the shape usual in data sheets of rack power supplies (full to 50 degC, half at 70 degC); a
    module's own sheet goes before it.
    """
    return rated * min(1.0, max(0.0, 1.0 - DERATING_PER_KELVIN * (temperature - DERATING_START)))
