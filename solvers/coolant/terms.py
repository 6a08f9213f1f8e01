"""Pressure losses and heads of branches, one compiled function a term, and their slopes."""

from __future__ import annotations

import math

from numba import njit

from solvers.coolant.components import EQUAL, FOULING, LEAK, LINEAR, SPEED
from solvers.coolant.friction import darcy_f_re
from solvers.linear.kernels import options

CLOSED = 1e10
"""Resistance of what is shut: 1 bar drives 0.01 g/s through it, so that no part of a network is ever cut off
and the matrix stays regular. [Pa s/kg]"""
SHUT = 1e-3
"""Opening below which a valve is shut. [-]"""
_EASY = 1e-3  # Pa s/kg, resistance of every branch: 1 mPa at 1 kg/s; ideal connections have a slope too
_CREEP_RE = 50.0  # below this Re a loss coefficient turns linear (Idelchik: K of fittings goes as 1/Re there)
_CREEP_DP = 0.01  # Pa, below this a valve turns linear
_DISCHARGE = 0.62  # of a sharp-edged hole (ISO 5167)
_STALL = 1e-3  # of the flow at zero head, below which a pump's curve turns linear


@njit(inline="always")
def friction_loss(m, rho, mu, length, diameter, area, roughness, laminar):
    """Loss of a pipe and its slope: dp = (f Re) mu L u / (2 D^2). (C9)."""
    Re = abs(m) * diameter / (area * mu)
    product = darcy_f_re(Re, roughness / diameter, laminar)
    factor = mu * length / (2.0 * diameter**2 * rho * area)
    # slope of f Re by its own small difference: the law is smooth
    step = 1e-4 * Re + 1e-6
    rise = (darcy_f_re(Re + step, roughness / diameter, laminar) - product) / step
    return factor * product * m, factor * (product + max(rise, 0.0) * Re)


@njit(inline="always")
def softened(x, small):
    """Give x |x| made linear where |x| is small, and its slope: x sqrt(x^2 + small^2)."""
    root = math.sqrt(x * x + small * small)
    return x * root, root + x * x / root if root > 0.0 else 0.0


@njit(inline="always")
def minor_loss(m, rho, mu, area, loss):
    """Loss of a fitting and its slope: dp = K rho u |u| / 2. (C10)."""
    creep = _CREEP_RE * mu * area / math.sqrt(4.0 * area / math.pi)
    value, slope = softened(m, creep)
    factor = loss / (2.0 * rho * area**2)
    return factor * value, factor * slope


@njit(inline="always")
def quadratic_loss(m, rho, c):
    """Loss of a valve, coupling or filter and its slope: dp = c m |m| / rho. (C11)."""
    value, slope = softened(m, math.sqrt(_CREEP_DP * rho / c))
    return c / rho * value, c / rho * slope


@njit(inline="always")
def resistance_now(role, setting, c, rangeability):
    """Quadratic resistance at a setting; negative if shut. (C12)."""
    if role in (LINEAR, EQUAL):
        if setting < SHUT:
            return -1.0
        part = setting if role == LINEAR else rangeability ** (setting - 1.0)
        return c / (part * part)
    if role == FOULING:
        return c * setting
    if role == LEAK:
        if setting <= 0.0:
            return -1.0
        return 1.0 / (2.0 * (_DISCHARGE * setting) ** 2)
    return c


@njit(inline="always")
def pump_rise(m, rho, speed, h0, h1, h2):
    """Pressure rise of a pump and its slope (affinity laws): s^2 h0 + s h1 V + h2 V |V|. (C13)."""
    V = m / rho
    value, slope = softened(V, _STALL * math.sqrt(h0 / -h2)) if h2 < 0.0 else (0.0, 0.0)
    rise = speed * speed * h0 + speed * h1 * V + h2 * value
    return rise, (speed * h1 + h2 * slope) / rho


@njit(**options)
def losses(branches, m_flow, rho, mu, setting, dp, slope):
    """Set dp to what is lost from a to b, pumps counted negative, and its slope.            (C9 to C13).

    Parameters
    ----------
    branches : Branches
    m_flow, rho, mu, setting : float64[nb]
    dp, slope : float64[nb]    Overwritten. [Pa, Pa s/kg]
    """
    for i in range(m_flow.size):
        m = m_flow[i]
        total, rate = _EASY * m, _EASY
        if branches.one_way[i] and m < 0.0:
            still = setting[i] ** 2 * branches.head[i, 0] if branches.role[i] == SPEED else 0.0
            dp[i], slope[i] = CLOSED * m - still, CLOSED
            continue
        c = resistance_now(branches.role[i], setting[i], branches.quadratic[i], branches.rangeability[i])
        if c < 0.0:
            dp[i], slope[i] = CLOSED * m, CLOSED
            continue
        if c > 0.0:
            more, rises = quadratic_loss(m, rho[i], c)
            total, rate = total + more, rate + rises
        if branches.length[i] > 0.0:
            more, rises = friction_loss(
                m,
                rho[i],
                mu[i],
                branches.length[i],
                branches.diameter[i],
                branches.area[i],
                branches.roughness[i],
                branches.laminar[i],
            )
            total, rate = total + more, rate + rises
        if branches.loss[i] > 0.0:
            more, rises = minor_loss(m, rho[i], mu[i], branches.area[i], branches.loss[i])
            total, rate = total + more, rate + rises
        if branches.viscous[i] > 0.0:
            R = branches.viscous[i] * mu[i] / rho[i]
            total, rate = total + R * m, rate + R
        if branches.role[i] == SPEED:
            more, rises = pump_rise(
                m, rho[i], setting[i], branches.head[i, 0], branches.head[i, 1], branches.head[i, 2]
            )
            total, rate = total - more, rate - rises
        dp[i], slope[i] = total, rate
