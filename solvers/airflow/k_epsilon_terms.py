"""Kernels of the standard k-epsilon model: eddy viscosity, sources, wall functions, bounds."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from solvers.airflow.closures import OPEN
from solvers.linear.kernels import options

C_MU, C_1, C_2 = 0.09, 1.44, 1.92
SIGMA_K, SIGMA_EPSILON = 1.0, 1.3
KAPPA, E_SMOOTH = 0.41, 9.8
"""Launder and Spalding 1974; the log law u+ = ln(E y+) / kappa of a smooth wall. [-]"""
MOST_PRODUCTION = 10.0
"""Production over dissipation that is allowed (Menter 1994 has 10 to 20; equilibrium is 1). [-]"""
MOST_VISCOSITY = 1e5
"""nu_t / nu that is allowed. [-]"""
K_FLOOR, EPSILON_FLOOR = 1e-10, 1e-13
LEAST_SHARE = 0.1
"""Of k and epsilon that a step leaves at least. [-]"""
HOLD = 1e4
"""Rate at which epsilon of a cell beside a wall is drawn to its value, times 1 / dt. [-]"""

_C25, _C75 = C_MU**0.25, C_MU**0.75


def sublayer_edge() -> float:
    """Y* where u+ = y+ meets the log law; 11.5 with kappa = 0.41 and E = 9.8. [-]."""
    y = 11.0
    for _ in range(30):
        y = math.log(E_SMOOTH * y) / KAPPA
    return y


def jayatilleke(Pr: float, Pr_t: float) -> tuple[float, float]:
    """Resistance P of the sublayer to heat and y* where the two branches of T+ meet.

    P = 9.24 ((Pr / Pr_t)^(3/4) - 1) (1 + 0.28 exp(-0.007 Pr / Pr_t))

    Source : Jayatilleke 1969, Prog. Heat Mass Transfer 1, 193.
    """
    ratio = Pr / Pr_t
    P = 9.24 * (ratio**0.75 - 1) * (1 + 0.28 * math.exp(-0.007 * ratio))
    y = 11.0
    for _ in range(60):
        y = max(Pr_t / Pr * (math.log(E_SMOOTH * y) / KAPPA + P), 2.0 / E_SMOOTH)
    return P, y


SUBLAYER = sublayer_edge()


@njit(inline="always")
def log_law(u_star, y, nu):
    """Friction tau / (rho u) at distance y: u* kappa / ln(E y*), in the sublayer nu / y. (E13). [m/s]."""
    y_star = u_star * y / nu
    if y_star > SUBLAYER:
        return u_star * np.float32(KAPPA) / np.log(np.float32(E_SMOOTH) * y_star)
    return nu / y


@njit(**options)
def k_epsilon_viscosity(k, epsilon, nu, out):
    """Effective viscosity nu + C_mu k^2 / epsilon. (E12)."""
    base, c = np.float32(nu), np.float32(C_MU)
    for n in range(out.size):
        out[n] = base + c * k[n] * (k[n] / epsilon[n])


@njit(**options)
def shear_production(nu_eff, epsilon, nu, out):
    """Turn S2 into the production of k, nu_t S2, at most MOST_PRODUCTION epsilon. [m2/s3]."""
    base, most = np.float32(nu), np.float32(MOST_PRODUCTION)
    for n in range(out.size):
        made, limit = (nu_eff[n] - base) * out[n], most * epsilon[n]
        out[n] = made if made < limit else limit


@njit(**options)
def buoyant_production(theta, nu_eff, epsilon, stencil, beta_g, Pr_t, nu, nx, sx, sy, out):
    """G_b = -beta g nu_t / Pr_t dT/dz, between -MOST_PRODUCTION and + MOST_PRODUCTION epsilon. [m2/s3]."""
    half, zero, base = np.float32(0.5), np.float32(0), np.float32(nu)
    factor, most = np.float32(-beta_g / Pr_t), np.float32(MOST_PRODUCTION)
    gap_low, gap_high = stencil.gap_z, stencil.gap_z[1:]
    for i in range(1, nx + 1):
        lo = i * sx
        hi = lo + sx
        o, nt, e = out[lo:hi], nu_eff[lo:hi], epsilon[lo:hi]
        below, here, above = theta[lo - 1 : hi - 1], theta[lo:hi], theta[lo + 1 : hi + 1]
        z0, z1 = stencil.side_z[lo:hi], stencil.side_z[lo + 1 : hi + 1]
        for m in range(sx):
            a = (here[m] - below[m]) * gap_low[m] if z0[m] == OPEN else zero
            b = (above[m] - here[m]) * gap_high[m] if z1[m] == OPEN else zero
            made, limit = factor * (nt[m] - base) * half * (a + b), most * e[m]
            o[m] = min(max(made, -limit), limit)


@njit(**options)
def k_sources(k, epsilon, shear, buoyant, volume, source, sink):
    """Set source and sink of k: V (P + G_b+) and V (epsilon + G_b-) / k. [m5/s3, m3/s]."""
    zero = np.float32(0)
    for n in range(source.size):
        made, gone = max(buoyant[n], zero), max(-buoyant[n], zero)
        source[n] = volume[n] * (shear[n] + made)
        sink[n] = volume[n] * (epsilon[n] + gone) / k[n]


@njit(**options)
def epsilon_sources(k, epsilon, shear, buoyant, u, v, w, volume, nx, sx, sy, source, sink):
    """Set source and sink of epsilon: V epsilon/k C_1 (P + C_3 G_b+) and V (C_2 epsilon + C_1 C_3 G_b-) / k.

    C_3 = tanh |w| / |horizontal velocity|: 1 in plumes, 0 in horizontal layers (Henkes et al. 1991).
    """
    half, zero, one = np.float32(0.5), np.float32(0), np.float32(1)
    tiny, c1, c2 = np.float32(1e-12), np.float32(C_1), np.float32(C_2)
    lo, hi = sx, (nx + 1) * sx
    q, s, kk, e, p, b, vol = (
        source[lo:hi],
        sink[lo:hi],
        k[lo:hi],
        epsilon[lo:hi],
        shear[lo:hi],
        buoyant[lo:hi],
        volume[lo:hi],
    )
    u0, u1 = u[lo:hi], u[lo + sx : hi + sx]
    v0, v1 = v[lo:hi], v[lo + sy : hi + sy]
    w0, w1 = w[lo:hi], w[lo + 1 : hi + 1]
    for m in range(hi - lo):
        x, y, z = half * (u0[m] + u1[m]), half * (v0[m] + v1[m]), half * (w0[m] + w1[m])
        r2 = z * z / (x * x + y * y + tiny)
        # tanh r = r (15 + r^2) / (15 + 6 r^2) to 1 %, Pade; 1 beyond its maximum
        tanh = min(one, np.sqrt(r2) * (np.float32(15) + r2) / (np.float32(15) + np.float32(6) * r2))
        c3 = one if r2 > np.float32(9) else tanh
        rate = vol[m] / kk[m]
        q[m] = rate * e[m] * c1 * (p[m] + c3 * max(b[m], zero))
        s[m] = rate * (c2 * e[m] + c1 * c3 * max(-b[m], zero))


@njit(**options)
def wall_cells(cell, axis, share, y, slide, u, v, w, k, nu, sx, sy, production, epsilon):
    """Production of k and epsilon in the cells beside walls, means over their walls. (E13).

    tau / rho times u* / (kappa y) outside the sublayer, else none;
    epsilon = max(u*^3 / (kappa y), 2 nu k / y^2).

    cell, axis, share, y : of each wall face: its cell, the axis normal to it, its share of the cell's walls,
    distance of the cell centre. slide : float32[n, 3], velocity of the wall.
    production, epsilon : float32[padded], to be zero in those cells; added to.
    """
    half, nu = np.float32(0.5), np.float32(nu)
    kappa, c25, c75 = np.float32(KAPPA), np.float32(_C25), np.float32(_C75)
    for m in range(cell.size):
        n = cell[m]
        x = np.float32(0) if axis[m] == 0 else half * (u[n] + u[n + sx]) - slide[m, 0]
        t = np.float32(0) if axis[m] == 1 else half * (v[n] + v[n + sy]) - slide[m, 1]
        z = np.float32(0) if axis[m] == 2 else half * (w[n] + w[n + 1]) - slide[m, 2]
        speed = np.sqrt(x * x + t * t + z * z)
        root = np.sqrt(k[n])
        u_star = c25 * root
        if u_star * y[m] > nu * np.float32(SUBLAYER):
            production[n] += share[m] * log_law(u_star, y[m], nu) * speed * u_star / (kappa * y[m])
        epsilon[n] += share[m] * max(
            c75 * k[n] * root / (kappa * y[m]), np.float32(2) * nu * k[n] / (y[m] * y[m])
        )


@njit(**options)
def clear(cell, out):
    """Set out to 0 in some cells."""
    for m in range(cell.size):
        out[cell[m]] = 0


@njit(**options)
def hold(cell, value, volume, rate, source, sink):
    """Replace source and sink in some cells so that a step ends at the value there."""
    for m in range(cell.size):
        n = cell[m]
        strength = np.float32(rate) * volume[n]
        source[n] = strength * value[n]
        sink[n] = strength


@njit(**options)
def inflow(cell, carried, out):
    """Add what units bring into some cells, or the flow that they take."""
    for m in range(cell.size):
        out[cell[m]] += carried[m]


@njit(**options)
def add_bounded(increment, floor, out):
    """Add the increment of a step; at least LEAST_SHARE of the old value stays, and the floor."""
    share, least = np.float32(LEAST_SHARE), np.float32(floor)
    for n in range(out.size):
        out[n] = max(out[n] + increment[n], share * out[n], least)


@njit(**options)
def bound_epsilon(k, length, nu, out):
    """Raise epsilon until nu_t <= MOST_VISCOSITY nu and C_mu^(3/4) k^(3/2) / epsilon <= length."""
    a, b = np.float32(C_MU / (MOST_VISCOSITY * nu)), np.float32(_C75 / length)
    for n in range(out.size):
        kk = k[n]
        out[n] = max(out[n], a * kk * kk, b * kk * np.sqrt(kk))


@njit(**options)
def log_law_friction(cell, other, y, k, nu, out):
    """Friction tau / (rho u) of velocity points beside walls, with the mean k of the two cells. (E13)."""
    c25, half, base = np.float32(_C25), np.float32(0.5), np.float32(nu)
    for m in range(cell.size):
        u_star = c25 * np.sqrt(half * (k[cell[m]] + k[other[m]]))
        out[m] = log_law(u_star, y[m], base)


@njit(**options)
def log_law_conductance(cell, y, k, nu, Pr, Pr_t, P, edge, out):
    """Conductance of walls over rho cp: u* / (Pr_t (ln(E y*) / kappa + P)), nu / (Pr y) inside. (E14)."""
    for m in range(cell.size):
        u_star = _C25 * math.sqrt(k[cell[m]])
        y_star = u_star * y[m] / nu
        if y_star > edge:
            out[m] = u_star / (Pr_t * (math.log(E_SMOOTH * y_star) / KAPPA + P))
        else:
            out[m] = nu / (Pr * y[m])
