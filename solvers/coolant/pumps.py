"""Pumps: curves, shaft power, and how their speed changes under drive and without."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from solvers.coolant.components import Case, Vector
from solvers.errors import CaseError

_RUN_OUT = 1.8  # times the best flow, beyond which the efficiency is held
_STANDS = 1e-3  # of the nominal speed: below it stands


def fit_head(points: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Falling parabola h0 + h1 V + h2 V^2 through points of a pump's curve, by least squares.

    Parameters
    ----------
    points : sequence of (float, float)    Volume flow, pressure rise. [m3/s, Pa]

    Returns
    -------
    h0, h1, h2 : float    h1 <= 0, h2 < 0. [Pa, Pa s/m3, Pa s2/m6]

    Raises
    ------
    CaseError    Fewer than two points, or no falling curve fits.

    Check : tests/unit/solvers/coolant/test_pumps.py
    """
    V, rise = np.array(points, dtype=np.float64).reshape(-1, 2).T
    if V.size < 2 or np.ptp(V) == 0:
        raise CaseError("pump: its curve needs two points of different flow at least")
    flow, head = float(np.abs(V).max()), float(np.abs(rise).max())
    x = V / flow
    found, _ = nnls(np.column_stack([np.ones(x.size), -x, -(x**2)]), rise / max(head, 1e-300))
    if found[0] <= 0 or (found[1] == 0 and found[2] == 0):
        raise CaseError(f"pump: no falling curve fits the points {list(points)}")
    # a straight line gets a bend of a thousandth: what resists in a pump that stands
    bend = max(float(found[2]), 1e-3 * float(found[0]))
    return float(found[0]) * head, -float(found[1]) * head / flow, -bend * head / flow**2


def flow_at_no_head(head: Sequence[float] | Vector) -> float:
    """Volume flow at which a pump's rise vanishes. [m3/s].

    Parameters
    ----------
    head : (float, float, float)    See `fit_head`.

    Returns
    -------
    float
    """
    h0, h1, h2 = (float(h) for h in head)
    return (-h1 - math.sqrt(h1 * h1 - 4 * h2 * h0)) / (2 * h2)


def shaft_power(case: Case, V: Vector, rise: Vector, speed: Vector) -> Vector:
    """Power at the shafts.                                                                       (C18).

        P = V rise / eta,  eta = eta_best x (2 - x),  x = V / (speed V_best)

    which is finite at no flow: P = rise speed V_best / (eta_best (2 - x)).

    Parameters
    ----------
    case : Case
    V, rise, speed : float64[np]    Volume flow, rise of pressure, speed over nominal. [m3/s, Pa, -]

    Returns
    -------
    float64[np]    [W]

    Validity : forward flow; a turning pump that is flowed through faster than it delivers takes no power.
    Source   : parabolic efficiency, affinity laws.    Check : tests/unit/solvers/coolant/test_pumps.py
    """
    pumps = case.pumps
    turning = speed > _STANDS
    full = np.where(turning, speed, 1.0) * pumps.V_best
    x = np.clip(V / full, 0.0, _RUN_OUT)
    power = np.maximum(rise, 0.0) * full / (pumps.efficiency * (2 - x))
    return np.where(turning, power, 0.0)


def nominal_power(case: Case) -> Vector:
    """Shaft power at nominal speed and best flow. [W].

    Parameters
    ----------
    case : Case

    Returns
    -------
    float64[np]
    """
    h0, h1, h2 = case.branches.head[case.pumps.branch].T
    V = case.pumps.V_best
    return shaft_power(case, V, h0 + h1 * V + h2 * V**2, np.ones(V.size))


def next_speed(
    case: Case, speed: Vector, wanted: Vector, drive: NDArray[np.bool_], power: Vector, dt: float
) -> Vector:
    """Speeds after dt.                                                                           (C19).

        driven     towards the set point at 1 / ramp
        not        run_down ds/dt = -(P / P_nominal) / s, with P / s^3 held over the step: s / (1 + c s dt)

    Parameters
    ----------
    case : Case
    speed, wanted : float64[np]    Now; the set points. [-]
    drive : bool[np]
    power : float64[np]    At the shafts now. [W]
    dt : float    [s]

    Returns
    -------
    float64[np]

    Source : J omega domega/dt = -P.    Check : tests/unit/solvers/coolant/test_pumps.py
    """
    pumps = case.pumps
    most = dt / np.maximum(pumps.ramp, 1e-9)
    driven = speed + np.clip(wanted - speed, -most, most)
    turning = speed > _STANDS
    safe = np.where(turning, speed, 1.0)
    # bearings and seals take a fiftieth of the nominal torque, so that it stops
    c = (power / nominal_power(case) + 0.02 * safe) / safe**3 / pumps.run_down
    coasting = np.where(turning, speed / (1 + c * safe * dt), 0.0)
    return np.where(drive, driven, coasting)
