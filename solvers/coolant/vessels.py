"""Reservoirs and accumulators: coolant stored as a function of the pressure at the node."""

from __future__ import annotations

import numpy as np

from solvers.coolant.components import GAS, Vector, Vessels

GRAVITY = 9.81
"""[m/s2]"""


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

    Below the gas pressure both go on along their slope there: a negative mass says that the vessel has run
    empty, which `levels` reports, and keeps the equations solvable.

    Parameters
    ----------
    vessels : Vessels
    p, rho : float64[nv]    At their nodes. [Pa, kg/m3]

    Returns
    -------
    mass, slope : float64[nv]    [kg, kg/Pa]

    Source : polytropic gas; hydrostatics.    Check : tests/unit/solvers/coolant/test_vessels.py
    """
    gas = vessels.kind == GAS
    tank_slope = vessels.area / GRAVITY
    n = vessels.polytropic
    above = np.maximum(p / vessels.p_gas, 1.0)
    gas_mass = rho * vessels.volume * (1 - above ** (-1 / n))
    gas_slope = rho * vessels.volume / (n * vessels.p_gas) * above ** (-1 / n - 1)
    below = np.minimum(p - vessels.p_gas, 0.0)
    return (
        np.where(gas, gas_mass + gas_slope * below, tank_slope * (p - vessels.p_gas)),
        np.where(gas, gas_slope, tank_slope),
    )


def pressure_of(vessels: Vessels, mass: Vector, rho: Vector) -> Vector:
    """Pressure at the nodes for given masses: the inverse of `stored`. [Pa].

    Parameters
    ----------
    vessels : Vessels
    mass, rho : float64[nv]    [kg, kg/m3]

    Returns
    -------
    float64[nv]
    """
    gas = vessels.kind == GAS
    n = vessels.polytropic
    part = np.where(gas, mass / (rho * np.maximum(vessels.volume, 1e-300)), 0.0)
    filled = np.clip(part, 0.0, 1 - 1e-9)
    empty = np.minimum(part, 0.0) * n * vessels.p_gas
    tank = vessels.p_gas + mass * GRAVITY / np.maximum(vessels.area, 1e-300)
    return np.where(gas, vessels.p_gas * (1 - filled) ** -n + empty, tank)


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
