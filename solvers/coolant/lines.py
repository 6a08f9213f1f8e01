"""Branches as lines: the enthalpy at the outlet over that at the inlet, and what is too slow to carry any."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from solvers.coolant.components import Vector

STILL = 1e-9
"""Flow below which nothing is carried, over the largest. [-]"""


class Lines(NamedTuple):
    """Outlet enthalpy of the branches as a line of the inlet's, and what nodes store.

    Attributes
    ----------
    alpha, beta : float64[nb]    h_out = alpha + beta h_in. [J/kg, -]
    kept, held : float64[nn]    Mass over dt that a node's store mixes in; that times its enthalpy. [kg/s, W]
    """

    alpha: Vector
    beta: Vector
    kept: Vector
    held: Vector


def carrying(m_flow: Vector) -> Vector:
    """Give the flows, with those set to 0 that are too small to carry anything.

    Parameters
    ----------
    m_flow : float64[nb]    [kg/s]

    Returns
    -------
    float64[nb]
    """
    size = np.abs(m_flow)
    return np.where(size > STILL * max(float(size.max()), 1e-9), m_flow, 0.0)


def plain_lines(size: Vector, loss: Vector, heat: Vector, around: Vector) -> tuple[Vector, Vector]:
    """Outlet over inlet enthalpy of branches in a steady state or without volume.                (C26).

        h_out = around + heat / loss + (h_in - around - heat / loss) exp(-loss / m_flow)

    Parameters
    ----------
    size : float64[nb]    Size of the flow; alpha and beta mean nothing where it is 0. [kg/s]
    loss : float64[nb]    UA / cp. [kg/s]
    heat : float64[nb]    Spread along the branch. [W]
    around : float64[nb]    Enthalpy at the temperature around. [J/kg]

    Returns
    -------
    alpha, beta : float64[nb]
    """
    safe = np.where(size > 0, size, 1.0)
    NTU = loss / safe
    share = np.where(NTU > 1e-9, -np.expm1(-NTU) / np.maximum(NTU, 1e-9), 1.0)
    return -np.expm1(-NTU) * around + share * heat / safe, np.exp(-NTU)
