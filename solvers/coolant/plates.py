"""Cold plates: a heated solid, the coolant in it and the air beside it; steady, and exactly over a step."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solvers.coolant.components import Plates, Vector
from solvers.linear.kernels import options

_MOST_NTU = 7.0  # beyond, solid and outlet differ by less than 0.1 % of solid and inlet
_LEAST_FLOW = 0.02  # of the nominal: below it conduction takes over from the power law
_DRY = 1e-6  # of the nominal flow: below it the coolant stands, as noise of the flows must not carry heat
LEAST_MASS = 1e-3
"""Coolant in a plate that is given none. [kg]"""


def coupling(plates: Plates, m_flow: Vector, cp: Vector) -> Vector:
    """Conductance from the solid to the coolant that leaves.                                     (C23).

        K = UA (exp(NTU) - 1) / NTU,  NTU = UA / (m cp),  UA = UA_nominal (m / m_nominal)^n

    so that K (T_solid - T_out) is the heat that a wall of one temperature gives along its channels,
    m cp (1 - exp(-NTU)) (T_solid - T_in).

    Parameters
    ----------
    plates : Plates
    m_flow, cp : float64[nc]    [kg/s, J/(kg K)]

    Returns
    -------
    float64[nc]    [W/K]

    Check : tests/unit/solvers/coolant/test_plates.py
    """
    part = np.maximum(np.abs(m_flow) / plates.m_nominal, _LEAST_FLOW)
    UA = plates.UA * part**plates.exponent
    NTU = np.minimum(UA / np.maximum(np.abs(m_flow) * cp, 1e-12), _MOST_NTU)
    return UA * np.expm1(NTU) / NTU


def stands(plates: Plates, m_flow: Vector) -> NDArray[np.bool_]:
    """Whether the coolant of the plates stands.

    Parameters
    ----------
    plates : Plates
    m_flow : float64[nc]    [kg/s]

    Returns
    -------
    bool[nc]
    """
    return np.abs(m_flow) <= _DRY * plates.m_nominal


def steady_lines(
    K: Vector,
    G: Vector,
    T_air: Vector,
    heat: Vector,
    warm: Vector,
    size: Vector,
    T: Vector,
    h: Vector,
    cp: Vector,
) -> tuple[Vector, Vector]:
    """Outlet over inlet enthalpy of plates that give heat to coolant and air.                   (C28).

        heat = K (T_solid - T_out) + G (T_solid - T_air)
        m (h_out - h_in) = K (T_solid - T_out) + warm

    Parameters
    ----------
    K : float64[nc]    `coupling`. [W/K]
    G, T_air : float64[nc]    To the air; its temperature. [W/K, K]
    heat, warm : float64[nc]    Into solid, into coolant. [W]
    size : float64[nc]    Of the flow, above 0. [kg/s]
    T, h, cp : float64[nc]    Outlet that it is linear about. [K, J/kg, J/(kg K)]

    Returns
    -------
    alpha, beta : float64[nc]    [J/kg, -]

    Check : tests/unit/solvers/coolant/test_plates.py
    """
    both = K * G / (K + G)  # from the coolant to the air, through the solid
    total = size + both / cp
    return (heat * K / (K + G) + warm - both * (T - h / cp - T_air)) / total, size / total


@njit(inline="always")
def _means(z):
    """exp(z), and its means over the way from 0: (e^z - 1)/z, (e^z - 1 - z)/z^2."""
    if abs(z) < 1e-4:
        return 1.0 + z + 0.5 * z * z, 1.0 + 0.5 * z + z * z / 6.0, 0.5 + z / 6.0 + z * z / 24.0
    one = math.expm1(z)
    return one + 1.0, one / z, (one - z) / (z * z)


@njit(**options)
def march(C, K, G, m_flow, mass, cp, heat, warm, T_air, T_solid, T_coolant, dt, out):
    """Carry solid and coolant over a step with inlet temperature, heat and flow held.            (C24).

        C dT_solid/dt = heat - K (T_solid - T_coolant) - G (T_solid - T_air)
        M cp dT_coolant/dt = m cp (T_in - T_coolant) + K (T_solid - T_coolant) + warm

    Checked in tests/unit/solvers/coolant/test_plates.py.

    Parameters
    ----------
    C, K, G, m_flow, mass, cp, heat, warm : float64[nc]
        Heat capacity of the solid, `coupling`, conductance to the air, size of the flow, coolant inside and
        its specific heat, heat into the solid, heat into the coolant itself.
    T_air : float64[nc]    [K]
    T_solid, T_coolant : float64[nc]    At the start. [K]
    dt : float    [s]
    out : float64[nc, 6]
        Overwritten: mean of the coolant, its end and the solid's end, each as a part without inlet and a
        factor of T_in.
    """
    for i in range(C.size):
        w, kf, d = m_flow[i] / mass[i], K[i] / (mass[i] * cp[i]), warm[i] / (mass[i] * cp[i])
        if C[i] <= 0.0:  # the solid follows at once
            both = K[i] * G[i] / (K[i] + G[i])
            rate = w + both / (mass[i] * cp[i])
            e0, e1, e2 = _means(-rate * dt)
            d += (heat[i] * K[i] / (K[i] + G[i]) + both * T_air[i]) / (mass[i] * cp[i])
            out[i, 0], out[i, 1] = e1 * T_coolant[i] + dt * e2 * d, dt * e2 * w
            out[i, 2], out[i, 3] = e0 * T_coolant[i] + dt * e1 * d, dt * e1 * w
            out[i, 4] = (heat[i] + K[i] * out[i, 2] + G[i] * T_air[i]) / (K[i] + G[i])
            out[i, 5] = out[i, 3] * K[i] / (K[i] + G[i])
            continue
        ks, ka = K[i] / C[i], (K[i] + G[i]) / C[i]
        trace, root = ka + w + kf, math.sqrt((ka - w - kf) ** 2 + 4.0 * ks * kf)
        one, two = -2.0 * (ka * w + G[i] / C[i] * kf) / (trace + root), -0.5 * (trace + root)
        a0, a1, a2 = _means(one * dt)
        b0, b1, b2 = _means(two * dt)
        span = one - two
        # f(A) = p A + q with f(one) and f(two) met; rows: solid, coolant
        p0, p1, p2 = (a0 - b0) / span, (a1 - b1) / span, (a2 - b2) / span
        q0, q1, q2 = a0 - p0 * one, a1 - p1 * one, a2 - p2 * one
        force, diagonal = (heat[i] + G[i] * T_air[i]) / C[i], -(w + kf)
        Ts, Tc = T_solid[i], T_coolant[i]
        out[i, 0] = (
            p1 * kf * Ts + (p1 * diagonal + q1) * Tc + dt * (p2 * kf * force + (p2 * diagonal + q2) * d)
        )
        out[i, 1] = dt * (p2 * diagonal + q2) * w
        out[i, 2] = (
            p0 * kf * Ts + (p0 * diagonal + q0) * Tc + dt * (p1 * kf * force + (p1 * diagonal + q1) * d)
        )
        out[i, 3] = dt * (p1 * diagonal + q1) * w
        out[i, 4] = (q0 - p0 * ka) * Ts + p0 * ks * Tc + dt * ((q1 - p1 * ka) * force + p1 * ks * d)
        out[i, 5] = dt * p1 * ks * w
