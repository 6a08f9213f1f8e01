"""Kernels over the whole room: flows, buoyancy, divergence, pressure correction, heat sums.

Every array of a model is flat and padded alike; cell (i, j, k) lies at index (i+1) sx + (j+1) sy + (k+1).
u[n] is the velocity on the low-x face of cell n, v[n] on its low-y face, w[n] on its low-z face::

         w[n+1]
       +--------+         A control volume of component c (stride s_c) is centred on the low face of cell n,
       |        |         so its faces lie at cell centres along c and on cell edges across c.
    u[n]   n   u[n+sx]
       |        |         Velocities of closed faces are 0, but for those of patches, which units set.
       +--------+
          w[n]

An area or a width is a number along x, `line[i]`, times one across it, `plane[m]` with m counted in the slab
(see metrics.py). What transports u, v, w and the scalars stands in fluxes.py and transport.py.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from solvers.linear.kernels import options

_OPEN_X, _OPEN_Y, _OPEN_Z = np.uint8(2), np.uint8(8), np.uint8(32)  # bits of a scalar's code


@njit(**options)
def volume_flow(u, line, plane, nx, sx, out):
    """Volume flow through each face, those of patches included: out = u area."""
    for i in range(nx + 2):
        lo = i * sx
        o, c, length = out[lo : lo + sx], u[lo : lo + sx], line[i]
        for m in range(sx):
            o[m] = c[m] * (length * plane[m])


@njit(**options)
def courant_rate(u, v, w, wx, wy, wz, nx, sx, sy, row):
    """Largest |u| / dx + |v| / dy + |w| / dz over the cells; `row` is scratch of length sx. [1/s].

    wx : 1 / width along x of each slab; wy, wz : across it, for one slab. [1/m]
    """
    half = np.float32(0.5)
    row[:] = 0
    for i in range(1, nx + 1):
        lo = i * sx
        hi = lo + sx
        ax = wx[i]
        u0, u1 = u[lo:hi], u[lo + sx : hi + sx]
        v0, v1 = v[lo:hi], v[lo + sy : hi + sy]
        w0, w1 = w[lo:hi], w[lo + 1 : hi + 1]
        for m in range(sx):
            rate = half * (
                (abs(u0[m]) + abs(u1[m])) * ax
                + (abs(v0[m]) + abs(v1[m])) * wy[m]
                + (abs(w0[m]) + abs(w1[m])) * wz[m]
            )
            row[m] = rate if rate > row[m] else row[m]
    largest = np.float32(0)
    for m in range(sx):
        largest = max(largest, row[m])
    return largest


@njit(**options)
def stiffness(u, v, w, nu, factor, wx, wy, wz, nx, sx, sy, row):
    """Largest sum of the transport coefficients of a cell over its volume; as `courant_rate`. [1/s].

    factor : of nu in the largest diffusivity. [-]
    """
    half, two = np.float32(0.5), np.float32(2 * factor)
    row[:] = 0
    for i in range(1, nx + 1):
        lo = i * sx
        hi = lo + sx
        ax = wx[i]
        u0, u1 = u[lo:hi], u[lo + sx : hi + sx]
        v0, v1 = v[lo:hi], v[lo + sy : hi + sy]
        w0, w1, n = w[lo:hi], w[lo + 1 : hi + 1], nu[lo:hi]
        for m in range(sx):
            ay, az = wy[m], wz[m]
            moved = (abs(u0[m]) + abs(u1[m])) * ax + (abs(v0[m]) + abs(v1[m])) * ay
            moved += (abs(w0[m]) + abs(w1[m])) * az
            rate = half * moved + two * n[m] * (ax * ax + ay * ay + az * az)
            row[m] = rate if rate > row[m] else row[m]
    largest = np.float32(0)
    for m in range(sx):
        largest = max(largest, row[m])
    return largest


@njit(**options)
def average(x, out):
    """Set out to the mean of x and out."""
    half = np.float32(0.5)
    for n in range(out.size):
        out[n] = half * (x[n] + out[n])


@njit(**options)
def soften_drag(phi, dt, friction, push):
    """Implicit drag that is second order in time over the two stages of Heun's method. (E17).

    A stage of pure drag, z = dt friction, should leave 1 / (1 + z + z^2) of phi, which is 1 - z to second
    order and small where z is large. The share z / (1 + z) of the friction, implicit, does so; the rest is
    explicit and goes into `push`.
    """
    step, one = np.float32(dt), np.float32(1)
    for n in range(friction.size):
        z = step * friction[n]
        part = z / (one + z)
        push[n] -= friction[n] * (one - part) * phi[n]
        friction[n] *= part


@njit(**options)
def buoyancy(theta, factor, out):
    """Add the acceleration of the faces normal to z: factor = g / T_ref times the mean beside. (E3)."""
    f = np.float32(0.5 * factor)
    top = theta.size
    o, t0, t1 = out[1:top], theta[: top - 1], theta[1:top]
    for m in range(top - 1):
        o[m] += f * (t0[m] + t1[m])


@njit(**options)
def heat_defect(theta, source, sink, volume, d, dt, cell, region, main, block, sums):
    """Heat that the increment d misses, and sum |d| (volume + dt sink), region by region.

    The sweeps stop short of the exact solution; the caller gives the heat that they miss back in proportion
    to |d|, so that what the room gains is what the units bring. float64 over blocks of `block` cells.

    cell, region : cells outside the largest region `main`, and the region of each.
    sums : float64[regions, 2]    Missed heat / (rho cp), weight; overwritten. [K m3]
    """
    step = np.float32(dt)
    sums[:] = 0
    for lo in range(0, d.size, block):
        hi = min(lo + block, d.size)
        q, s, c, dd, vol = source[lo:hi], sink[lo:hi], theta[lo:hi], d[lo:hi], volume[lo:hi]
        part, total = np.float32(0), np.float32(0)
        for m in range(hi - lo):
            held = vol[m] + step * s[m]
            part += step * (q[m] - s[m] * c[m]) - held * dd[m]
            total += held * abs(dd[m])
        sums[main, 0] += part
        sums[main, 1] += total
    for m in range(cell.size):
        n, r = cell[m], region[m]
        held = volume[n] + step * sink[n]
        part = step * (source[n] - sink[n] * theta[n]) - held * d[n]
        total = held * abs(d[n])
        sums[main, 0] -= part
        sums[main, 1] -= total
        sums[r, 0] += part
        sums[r, 1] += total


@njit(**options)
def add_weighted(d, share, cell, region, main, out):
    """Add the increment d + share |d| to out; share : float32[regions], cells as `heat_defect`."""
    f = share[main]
    for n in range(out.size):
        out[n] += d[n] + f * abs(d[n])
    for m in range(cell.size):
        n = cell[m]
        out[n] += (share[region[m]] - f) * abs(d[n])


@njit(**options)
def net_outflow(u, v, w, code, lines, planes, source, nx, sx, sy, out):
    """Set out = what units bring in less the volume flow out of each cell. (E2).

    code : of the scalars, see fluxes.py: flow through patches is not counted, `source` has it.
    lines, planes : of the areas, three each.
    """
    zero = np.float32(0)
    first, last = sy, sx - sy
    for i in range(1, nx + 1):
        lo, hi = i * sx + first, i * sx + last
        o, q = out[lo:hi], source[lo:hi]
        u0, u1, k, k1 = u[lo:hi], u[lo + sx : hi + sx], code[lo:hi], code[lo + sx : hi + sx]
        v0, v1, k2 = v[lo:hi], v[lo + sy : hi + sy], code[lo + sy : hi + sy]
        w0, w1, k3 = w[lo:hi], w[lo + 1 : hi + 1], code[lo + 1 : hi + 1]
        x, y, z = planes[0][first:last], planes[1][first:last], planes[2][first:last]
        a, b, c = lines[0][i], lines[1][i], lines[2][i]
        for m in range(hi - lo):
            along_x = (u0[m] if k[m] & _OPEN_X != 0 else zero) - (u1[m] if k1[m] & _OPEN_X != 0 else zero)
            along_y = (v0[m] if k[m] & _OPEN_Y != 0 else zero) - (v1[m] if k2[m] & _OPEN_Y != 0 else zero)
            along_z = (w0[m] if k[m] & _OPEN_Z != 0 else zero) - (w1[m] if k3[m] & _OPEN_Z != 0 else zero)
            o[m] = q[m] + (along_x * (a * x[m]) + along_y * (b * y[m]) + along_z * (c * z[m]))


@njit(**options)
def correct(c, inverse_line, inverse_plane, x, s, nx, sx, out):
    """Subtract the pressure step from a component: out -= c / area (x_n - x_{n-s}). (E9)."""
    for i in range(1, nx + 1):
        lo, hi, length = i * sx, (i + 1) * sx, inverse_line[i]
        o, k, x0, x1 = out[lo:hi], c[lo:hi], x[lo - s : hi - s], x[lo:hi]
        for m in range(sx):
            o[m] -= k[m] * (length * inverse_plane[m]) * (x1[m] - x0[m])


@njit(**options)
def project(u, v, w, p, cx, cy, cz, inverse_lines, inverse_planes, x, dt, nx, sx, sy):
    """Correct the velocity with the solved potential x and add x / dt to the pressure. (E9)."""
    correct(cx, inverse_lines[0], inverse_planes[0], x, sx, nx, sx, u)
    correct(cy, inverse_lines[1], inverse_planes[1], x, sy, nx, sx, v)
    correct(cz, inverse_lines[2], inverse_planes[2], x, 1, nx, sx, w)
    f = np.float32(1 / dt)
    for n in range(p.size):
        p[n] += f * x[n]
