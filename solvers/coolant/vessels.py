"""Reservoirs and accumulators: coolant stored as a function of the pressure at the node; how they run dry."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from solvers.coolant.components import GAS, LEAK, SPEED, Case, Index, Vector, Vessels

GRAVITY = 9.81
"""[m/s2]"""
LOW, LAST = 0.02, 0.01
"""Levels between which pumps lose their head, as gas comes along; below the second a vessel holds its rest
back. [-]"""
_HOLD = 1e5  # Pa, by which it does: half of the rest is out of reach of half as much


def start_pressure(p_gas: float, rho: float, level: float) -> float:
    """Pressure at the bottom of a tank. [Pa].

    Parameters
    ----------
    p_gas : float    Above the level. [Pa]
    rho : float    [kg/m3]
    level : float    [m]

    Returns
    -------
    float
    """
    return p_gas + rho * GRAVITY * level


def stored(vessels: Vessels, p: Vector, rho: Vector) -> tuple[Vector, Vector]:
    """Coolant in the vessels and its slope over pressure.                                        (C17).

        tank         M = A (p - p_gas) / g
        accumulator  M = rho (V - V (p_gas / p)^(1/n))
        nearly empty, M = u M_last, u < 1:    p - p_gas = u (p_last - p_gas) - P_hold (1 - u)^2 / u

    M_last is the mass at the level LAST, p_last its pressure. What is left below sticks ever harder: the
    pressure at the node falls until nothing more is drawn, and the mass stays above 0.

    Parameters
    ----------
    vessels : Vessels
    p, rho : float64[nv]    At their nodes. [Pa, kg/m3]

    Returns
    -------
    mass, slope : float64[nv]    Above 0. [kg, kg/Pa]

    Source : polytropic gas; hydrostatics.    Check : tests/unit/solvers/coolant/test_vessels.py
    """
    gas, n = vessels.kind == GAS, vessels.polytropic
    mass_last, rise_last = _last(vessels, rho)
    x = p - vessels.p_gas
    y = np.maximum(x, rise_last)
    above = 1 + y / vessels.p_gas
    gas_mass = rho * vessels.volume * (1 - above ** (-1 / n))
    gas_slope = rho * vessels.volume / (n * vessels.p_gas) * above ** (-1 / n - 1)
    tank = vessels.area / GRAVITY
    mass, slope = np.where(gas, gas_mass, tank * y), np.where(gas, gas_slope, tank)
    # the root of (P_hold - rise_last) u^2 - (2 P_hold - x) u + P_hold = 0 that is below 1
    half = 2 * _HOLD - np.minimum(x, rise_last)
    u = 2 * _HOLD / (half + np.sqrt(half**2 - 4 * _HOLD * (_HOLD - rise_last)))
    low = x < rise_last
    return (
        np.where(low, mass_last * u, mass),
        np.where(low, mass_last / (rise_last + _HOLD * (1 / u**2 - 1)), slope),
    )


def pressure_of(vessels: Vessels, mass: Vector, rho: Vector) -> Vector:
    """Pressure at the nodes for given masses: the inverse of `stored`. [Pa].

    Parameters
    ----------
    vessels : Vessels
    mass, rho : float64[nv]    Above 0. [kg, kg/m3]

    Returns
    -------
    float64[nv]
    """
    mass_last, rise_last = _last(vessels, rho)
    full = np.maximum(mass, mass_last)
    filled = np.minimum(full / (rho * vessels.volume), 1 - 1e-9)
    gas = vessels.p_gas * ((1 - filled) ** -vessels.polytropic - 1)
    tank = full * GRAVITY / np.maximum(vessels.area, 1e-300)
    u = np.clip(mass / mass_last, 1e-9, 1.0)
    low = u * rise_last - _HOLD * (1 - u) ** 2 / u
    return vessels.p_gas + np.where(u < 1, low, np.where(vessels.kind == GAS, gas, tank))


def _last(vessels: Vessels, rho: Vector) -> tuple[Vector, Vector]:
    """Mass at the level LAST, and its pressure above that of the gas. [kg, Pa]."""
    mass = LAST * rho * vessels.volume
    gas = vessels.p_gas * ((1 - LAST) ** -vessels.polytropic - 1)
    return mass, np.where(vessels.kind == GAS, gas, mass * GRAVITY / np.maximum(vessels.area, 1e-300))


def suction(level: Vector) -> Vector:
    """Give the part of their head that pumps keep which draw from a vessel: 1 above LOW, 0 below LAST. [-].

    Parameters
    ----------
    level : float64[...]    Of the vessel. [-]

    Returns
    -------
    float64[...]
    """
    x = np.clip((level - LAST) / (LOW - LAST), 0.0, 1.0)
    return x * x * (3 - 2 * x)


def drawn_from(case: Case) -> Index:
    """Vessel that each pump draws from: one that its suction is connected to other than through pumps.

    Parameters
    ----------
    case : Case

    Returns
    -------
    int64[np]    Number of the vessel, -1 for none.
    """
    out = np.full(case.pumps.branch.size, -1, dtype=np.int64)
    open_ = ~np.isin(case.branches.role, (SPEED, LEAK))
    ends = (case.branches.a[open_], case.branches.b[open_])
    graph = coo_array((np.ones(ends[0].size), ends), shape=(case.fluid.size,) * 2)
    _, part = connected_components(graph, directed=False)
    of_pump = part[case.branches.a[case.pumps.branch]]
    for number, node in enumerate(case.vessels.node.tolist()):
        out[of_pump == part[node]] = number
    return out


def levels(vessels: Vessels, mass: Vector, rho: Vector) -> Vector:
    """Give the filling of the vessels: 0 empty, 1 at the brim or the shell full. [-].

    Parameters
    ----------
    vessels : Vessels
    mass, rho : float64[nv]    [kg, kg/m3]

    Returns
    -------
    float64[nv]
    """
    return mass / (rho * vessels.volume)
