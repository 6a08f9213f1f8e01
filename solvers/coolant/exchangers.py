"""Heat exchangers by effectiveness and number of transfer units."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from solvers.coolant.components import COUNTER, CROSS, PARALLEL, Exchangers, Vector
from solvers.linear.kernels import options


@njit(**options)
def _effectiveness(NTU, ratio, arrangement, out):
    for i in range(NTU.size):
        N, r = NTU[i], ratio[i]
        if arrangement[i] == PARALLEL:
            out[i] = -math.expm1(-N * (1.0 + r)) / (1.0 + r)
        elif arrangement[i] == CROSS and r > 1e-9:
            out[i] = -math.expm1(N**0.22 / r * math.expm1(-r * N**0.78))
        elif arrangement[i] == COUNTER and r > 1.0 - 1e-9:
            out[i] = N / (1.0 + N)
        elif arrangement[i] == COUNTER:
            fade = math.exp(-N * (1.0 - r))
            out[i] = (1.0 - fade) / (1.0 - r * fade)
        else:
            out[i] = -math.expm1(-N)


def effectiveness(NTU: Vector, ratio: Vector, arrangement) -> Vector:
    """Effectiveness of exchangers: heat over the most that the smaller stream could take.        (C20).

    Parameters
    ----------
    NTU : float64[n]    UA over the smaller capacity flow. [-]
    ratio : float64[n]    Smaller over larger capacity flow, 0 to 1. [-]
    arrangement : int64[n]    `components.COUNTER`, `PARALLEL` or `CROSS`.

    Returns
    -------
    float64[n]

    Validity : COUNTER, PARALLEL exact; CROSS, both unmixed, within 1 % of the series (Incropera 11.32).
    Source   : Incropera et al., Fundamentals of Heat and Mass Transfer, ch. 11.
    Check    : tests/unit/solvers/coolant/test_exchangers.py
    """
    NTU, ratio = (np.ascontiguousarray(x, dtype=np.float64) for x in (NTU, ratio))
    out = np.empty(NTU.size)
    _effectiveness(NTU, ratio, np.ascontiguousarray(arrangement, dtype=np.int64), out)
    return out


def conductance(exchangers: Exchangers, m_flow: Vector) -> Vector:
    """UA of exchangers at given flows. [W/K].                                                    (C21).

        1 / UA = resistance + sum over the sides of 1 / (UA_nominal (m_flow / m_nominal)^n)

    Parameters
    ----------
    exchangers : Exchangers
    m_flow : float64[nx, 2]    Of both sides; the sign does not matter. [kg/s]

    Returns
    -------
    float64[nx]

    Source : film coefficients go as a power of the flow; resistances in series.
    Check  : tests/unit/solvers/coolant/test_exchangers.py
    """
    part = np.maximum(np.abs(m_flow) / exchangers.m_nominal, 1e-9)
    films = 1 / (exchangers.UA * part**exchangers.exponent)
    return 1 / (exchangers.resistance + films.sum(axis=1))


def gain(exchangers: Exchangers, m_flow: Vector, C_flow: Vector) -> Vector:
    """Heat into side 1 over the difference of the inlet temperatures, T_2 - T_1. [W/K].

    Parameters
    ----------
    exchangers : Exchangers
    m_flow : float64[nx, 2]    [kg/s]
    C_flow : float64[nx, 2]    Capacity flows m cp. [W/K]

    Returns
    -------
    float64[nx]    Effectiveness times the smaller capacity flow; 0 where a side stands still.
    """
    least, most = np.abs(C_flow).min(axis=1), np.abs(C_flow).max(axis=1)
    flows = least > 0
    safe = np.where(flows, least, 1.0)
    UA = conductance(exchangers, m_flow)
    share = effectiveness(
        UA / safe, np.where(flows, safe / np.maximum(most, 1e-300), 0.0), exchangers.arrangement
    )
    return np.where(flows, share * least, 0.0)
