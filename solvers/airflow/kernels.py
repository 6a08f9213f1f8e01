"""Kernels of the air: one term each, flat padded float32 arrays, z innermost.

Every array of a model has the same padded shape; cell (i, j, k) lies at index (i+1) sx + (j+1) sy + (k+1).
u[n] is the velocity on the low-x face of cell n, v[n] on its low-y face, w[n] on its low-z face::

         w[n+1]
       +--------+         A control volume of component c (stride s_c) is centred on the low face of cell n,
       |        |         so its faces lie at cell centres along c and on cell edges across c.
    u[n]   n   u[n+sx]    F[n] : volume flow through the face between control volumes n - s and n, along +
       |        |
       +--------+
          w[n]

Implicit upwind coefficients of that face: plus[n] = max(F, 0) + G from n - s into n,
minus[n] = max(-F, 0) + G from n into n - s; G is the diffusive conductance. F = plus - minus.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solvers.linear.kernels import options

Field = NDArray[np.float32]


class Component(NamedTuple):
    """What is fixed for one transported quantity (u, v, w or T).

    Attributes
    ----------
    gx, gy, gz : float32    Area / distance of the faces of its control volumes; 0 where closed. [m]
    inverse_volume : float32    0 where the value is not solved for. [1/m3]
    inverse_gap : float32    1 / distance of the pressure points; momentum only. [1/m]
    loss : float32    K / distance on porous faces; momentum only. [1/m]
    """

    gx: Field
    gy: Field
    gz: Field
    inverse_volume: Field
    inverse_gap: Field
    loss: Field


class Scratch(NamedTuple):
    """Work arrays of one transport solve."""

    flux_x: Field
    flux_y: Field
    flux_z: Field
    plus_x: Field
    plus_y: Field
    plus_z: Field
    minus_x: Field
    minus_y: Field
    minus_z: Field
    net: Field
    near: Field
    right: Field
    scale: Field
    d: Field
    d_old: Field


@njit(inline="always")
def limited(back, ahead):
    """Van Leer's harmonic limiter: mean slope from the difference behind and the one ahead."""
    product = back * ahead
    return np.float32(2) * product / (back + ahead) if product > 0 else np.float32(0)


@njit(inline="always")
def face_value(F, west, centre_w, centre_e, east, open_w, open_face, open_e):
    """Upwind value plus half the limited slope of the upwind cell; closed faces have no slope. (E6)."""
    zero = np.float32(0)
    step = centre_e - centre_w if open_face > 0 else zero
    back = centre_w - west if open_w > 0 else zero
    ahead = east - centre_e if open_e > 0 else zero
    half = np.float32(0.5)
    from_w = centre_w + half * limited(back, step)
    from_e = centre_e - half * limited(ahead, step)
    return from_w if F > 0 else from_e


@njit(**options)
def volume_flow(u, area, out):
    """Volume flow through each face: out = u area."""
    for n in range(out.size):
        out[n] = u[n] * area[n]


@njit(**options)
def courant_rate(u, v, w, wx, wy, wz, nx, sx, sy, row):
    """Largest |u| / dx + |v| / dy + |w| / dz over the cells; `row` is scratch of length sx. [1/s]."""
    half = np.float32(0.5)
    row[:] = 0
    for i in range(1, nx + 1):
        lo = i * sx
        hi = lo + sx
        u0, u1 = u[lo:hi], u[lo + sx : hi + sx]
        v0, v1 = v[lo:hi], v[lo + sy : hi + sy]
        w0, w1 = w[lo:hi], w[lo + 1 : hi + 1]
        ax, ay, az = wx[lo:hi], wy[lo:hi], wz[lo:hi]
        for m in range(sx):
            rate = half * (
                (abs(u0[m]) + abs(u1[m])) * ax[m]
                + (abs(v0[m]) + abs(v1[m])) * ay[m]
                + (abs(w0[m]) + abs(w1[m])) * az[m]
            )
            row[m] = rate if rate > row[m] else row[m]
    largest = np.float32(0)
    for m in range(sx):
        largest = max(largest, row[m])
    return largest


@njit(**options)
def momentum_face_along(phi, flow, nu, g, s, lo, hi, flux, plus, minus):
    """Advective and diffusive flux of a component through the faces normal to itself (at cell centres)."""
    half, zero = np.float32(0.5), np.float32(0)
    f, cp, cm = flux[lo:hi], plus[lo:hi], minus[lo:hi]
    p0, p1, p2, p3 = phi[lo - 2 * s : hi - 2 * s], phi[lo - s : hi - s], phi[lo:hi], phi[lo + s : hi + s]
    q0, q1 = flow[lo - s : hi - s], flow[lo:hi]
    n0 = nu[lo - s : hi - s]
    g0, g1, g2 = g[lo - s : hi - s], g[lo:hi], g[lo + s : hi + s]
    for m in range(hi - lo):
        F = half * (q0[m] + q1[m])
        G = g1[m] * n0[m]
        f[m] = F * face_value(F, p0[m], p1[m], p2[m], p3[m], g0[m], g1[m], g2[m]) - G * (p2[m] - p1[m])
        cp[m] = max(F, zero) + G
        cm[m] = max(-F, zero) + G


@njit(**options)
def momentum_face_across(phi, flow, nu, g, s, t, lo, hi, flux, plus, minus):
    """Fluxes through the faces normal to another axis (at cell edges); t is the stride of the component."""
    half, quarter, zero = np.float32(0.5), np.float32(0.25), np.float32(0)
    f, cp, cm = flux[lo:hi], plus[lo:hi], minus[lo:hi]
    p0, p1, p2, p3 = phi[lo - 2 * s : hi - 2 * s], phi[lo - s : hi - s], phi[lo:hi], phi[lo + s : hi + s]
    q0, q1 = flow[lo - t : hi - t], flow[lo:hi]
    n0, n1, n2, n3 = nu[lo - s - t : hi - s - t], nu[lo - s : hi - s], nu[lo - t : hi - t], nu[lo:hi]
    g0, g1, g2 = g[lo - s : hi - s], g[lo:hi], g[lo + s : hi + s]
    for m in range(hi - lo):
        F = half * (q0[m] + q1[m])
        G = g1[m] * quarter * ((n0[m] + n1[m]) + (n2[m] + n3[m]))
        f[m] = F * face_value(F, p0[m], p1[m], p2[m], p3[m], g0[m], g1[m], g2[m]) - G * (p2[m] - p1[m])
        cp[m] = max(F, zero) + G
        cm[m] = max(-F, zero) + G


@njit(**options)
def scalar_face(phi, flow, nu, molecular, turbulent, g, s, lo, hi, flux, plus, minus):
    """Advective and diffusive flux of a scalar; diffusivity = molecular + turbulent nu_eff."""
    half, zero = np.float32(0.5), np.float32(0)
    a0, a1 = np.float32(molecular), np.float32(turbulent)
    f, cp, cm = flux[lo:hi], plus[lo:hi], minus[lo:hi]
    p0, p1, p2, p3 = (
        phi[lo - 2 * s : hi - 2 * s],
        phi[lo - s : hi - s],
        phi[lo:hi],
        phi[lo + s : hi + s],
    )
    q1 = flow[lo:hi]
    n0, n1 = nu[lo - s : hi - s], nu[lo:hi]
    g0, g1, g2 = g[lo - s : hi - s], g[lo:hi], g[lo + s : hi + s]
    for m in range(hi - lo):
        F = q1[m] if g1[m] > 0 else zero
        G = g1[m] * (a0 + a1 * half * (n0[m] + n1[m]))
        f[m] = F * face_value(F, p0[m], p1[m], p2[m], p3[m], g0[m], g1[m], g2[m]) - G * (p2[m] - p1[m])
        cp[m] = max(F, zero) + G
        cm[m] = max(-F, zero) + G


@njit(**options)
def momentum_net(phi, scratch, nx, sx, sy):
    """Net inflow of momentum in advective form, and the sum of the neighbours' coefficients."""
    lo = sx
    hi = (nx + 1) * sx
    net, near, c = scratch.net[lo:hi], scratch.near[lo:hi], phi[lo:hi]
    fx0, fx1 = scratch.flux_x[lo:hi], scratch.flux_x[lo + sx : hi + sx]
    fy0, fy1 = scratch.flux_y[lo:hi], scratch.flux_y[lo + sy : hi + sy]
    fz0, fz1 = scratch.flux_z[lo:hi], scratch.flux_z[lo + 1 : hi + 1]
    px0, px1 = scratch.plus_x[lo:hi], scratch.plus_x[lo + sx : hi + sx]
    py0, py1 = scratch.plus_y[lo:hi], scratch.plus_y[lo + sy : hi + sy]
    pz0, pz1 = scratch.plus_z[lo:hi], scratch.plus_z[lo + 1 : hi + 1]
    mx0, mx1 = scratch.minus_x[lo:hi], scratch.minus_x[lo + sx : hi + sx]
    my0, my1 = scratch.minus_y[lo:hi], scratch.minus_y[lo + sy : hi + sy]
    mz0, mz1 = scratch.minus_z[lo:hi], scratch.minus_z[lo + 1 : hi + 1]
    for m in range(hi - lo):
        into = (px0[m] + mx1[m]) + (py0[m] + my1[m]) + (pz0[m] + mz1[m])
        outof = (mx0[m] + px1[m]) + (my0[m] + py1[m]) + (mz0[m] + pz1[m])
        near[m] = into
        net[m] = (fx0[m] - fx1[m]) + (fy0[m] - fy1[m]) + (fz0[m] - fz1[m]) + c[m] * (outof - into)


@njit(**options)
def momentum_system(phi, p, component, friction, push, lift, scratch, dt, t, nx, sx):
    """Right-hand side and scale of the delta form  d = right + scale sum(coefficient d_neighbour). (E7).

    friction : drag of walls and tiles [1/s]; push, lift : explicit accelerations, lift of buoyancy [m/s2].
    t : the stride of the component.
    """
    lo = sx
    hi = (nx + 1) * sx
    step, half, one = np.float32(dt), np.float32(0.5), np.float32(1)
    right, scale = scratch.right[lo:hi], scratch.scale[lo:hi]
    net, near = scratch.net[lo:hi], scratch.near[lo:hi]
    c, p0, p1, a, b = phi[lo:hi], p[lo - t : hi - t], p[lo:hi], push[lo:hi], lift[lo:hi]
    iv, ih = component.inverse_volume[lo:hi], component.inverse_gap[lo:hi]
    wall, loss = friction[lo:hi], component.loss[lo:hi]
    for m in range(hi - lo):
        drag = loss[m] * abs(c[m])
        rate = net[m] * iv[m] - (p1[m] - p0[m]) * ih[m] + a[m] + b[m] - (wall[m] + half * drag) * c[m]
        solved = one if iv[m] > 0 else np.float32(0)
        diagonal = one + step * (near[m] * iv[m] + wall[m] + drag)
        right[m] = solved * step * rate / diagonal
        scale[m] = step * iv[m] / diagonal


@njit(**options)
def scalar_system(phi, source, sink, component, scratch, dt, nx, sx, sy):
    """Right-hand side and scale for a scalar, in conservation form. (E8).

    source : of the scalar times the volume of the cell [phi m3/s]; sink : the same per phi [m3/s], implicit.
    Heat: inflow times its temperature plus heat / (rho cp); outflow into units.
    """
    lo = sx
    hi = (nx + 1) * sx
    step, one = np.float32(dt), np.float32(1)
    right, scale = scratch.right[lo:hi], scratch.scale[lo:hi]
    c, q, s, iv = phi[lo:hi], source[lo:hi], sink[lo:hi], component.inverse_volume[lo:hi]
    fx0, fx1 = scratch.flux_x[lo:hi], scratch.flux_x[lo + sx : hi + sx]
    fy0, fy1 = scratch.flux_y[lo:hi], scratch.flux_y[lo + sy : hi + sy]
    fz0, fz1 = scratch.flux_z[lo:hi], scratch.flux_z[lo + 1 : hi + 1]
    px1, py1, pz1 = (
        scratch.plus_x[lo + sx : hi + sx],
        scratch.plus_y[lo + sy : hi + sy],
        scratch.plus_z[lo + 1 : hi + 1],
    )
    mx0, my0, mz0 = scratch.minus_x[lo:hi], scratch.minus_y[lo:hi], scratch.minus_z[lo:hi]
    for m in range(hi - lo):
        net = (fx0[m] - fx1[m]) + (fy0[m] - fy1[m]) + (fz0[m] - fz1[m]) + q[m] - s[m] * c[m]
        outof = (mx0[m] + px1[m]) + (my0[m] + py1[m]) + (mz0[m] + pz1[m]) + s[m]
        diagonal = one + step * outof * iv[m]
        right[m] = step * iv[m] * net / diagonal
        scale[m] = step * iv[m] / diagonal


@njit(**options)
def jacobi(scratch, d, nx, sx, sy, out):
    """One sweep: out = right + scale sum(coefficient d_neighbour)."""
    lo = sx
    hi = (nx + 1) * sx
    o, right, scale = out[lo:hi], scratch.right[lo:hi], scratch.scale[lo:hi]
    dw, de = d[lo - sx : hi - sx], d[lo + sx : hi + sx]
    ds, dn = d[lo - sy : hi - sy], d[lo + sy : hi + sy]
    db, du = d[lo - 1 : hi - 1], d[lo + 1 : hi + 1]
    px, mx = scratch.plus_x[lo:hi], scratch.minus_x[lo + sx : hi + sx]
    py, my = scratch.plus_y[lo:hi], scratch.minus_y[lo + sy : hi + sy]
    pz, mz = scratch.plus_z[lo:hi], scratch.minus_z[lo + 1 : hi + 1]
    for m in range(hi - lo):
        near = px[m] * dw[m] + mx[m] * de[m] + py[m] * ds[m] + my[m] * dn[m] + pz[m] * db[m] + mz[m] * du[m]
        o[m] = right[m] + scale[m] * near


@njit(**options)
def relax(scratch, sweeps, nx, sx, sy):
    """Jacobi sweeps, an even number of them, from d = right; the answer is in scratch.d."""
    jacobi(scratch, scratch.right, nx, sx, sy, scratch.d)
    for _ in range(sweeps // 2):
        jacobi(scratch, scratch.d, nx, sx, sy, scratch.d_old)
        jacobi(scratch, scratch.d_old, nx, sx, sy, scratch.d)


@njit(**options)
def relax_on(scratch, sweeps, nx, sx, sy):
    """Further Jacobi sweeps on scratch.d, an even number of them."""
    for _ in range(sweeps // 2):
        jacobi(scratch, scratch.d, nx, sx, sy, scratch.d_old)
        jacobi(scratch, scratch.d_old, nx, sx, sy, scratch.d)


@njit(**options)
def add(x, out):
    """Add x to out."""
    for n in range(out.size):
        out[n] += x[n]


@njit(**options)
def predict_momentum(
    phi,
    p,
    flow_x,
    flow_y,
    flow_z,
    nu,
    component,
    friction,
    push,
    lift,
    scratch,
    dt,
    sweeps,
    axis,
    nx,
    sx,
    sy,
):
    """Advance one velocity component by its momentum equation with the old pressure. (E7)."""
    top = (nx + 2) * sx
    t = sx if axis == 0 else (sy if axis == 1 else 1)
    if axis == 0:
        momentum_face_along(
            phi, flow_x, nu, component.gx, sx, 2 * sx, top, scratch.flux_x, scratch.plus_x, scratch.minus_x
        )
    else:
        momentum_face_across(
            phi, flow_x, nu, component.gx, sx, t, 2 * sx, top, scratch.flux_x, scratch.plus_x, scratch.minus_x
        )
    if axis == 1:
        momentum_face_along(
            phi, flow_y, nu, component.gy, sy, sx, top, scratch.flux_y, scratch.plus_y, scratch.minus_y
        )
    else:
        momentum_face_across(
            phi,
            flow_y,
            nu,
            component.gy,
            sy,
            t,
            sx + sy,
            top,
            scratch.flux_y,
            scratch.plus_y,
            scratch.minus_y,
        )
    if axis == 2:
        momentum_face_along(
            phi, flow_z, nu, component.gz, 1, sx, top, scratch.flux_z, scratch.plus_z, scratch.minus_z
        )
    else:
        momentum_face_across(
            phi, flow_z, nu, component.gz, 1, t, sx + 1, top, scratch.flux_z, scratch.plus_z, scratch.minus_z
        )
    momentum_net(phi, scratch, nx, sx, sy)
    momentum_system(phi, p, component, friction, push, lift, scratch, dt, t, nx, sx)
    relax(scratch, sweeps, nx, sx, sy)
    add(scratch.d, phi)


@njit(**options)
def relax_scalar(
    phi,
    flow_x,
    flow_y,
    flow_z,
    nu,
    molecular,
    turbulent,
    component,
    source,
    sink,
    scratch,
    dt,
    sweeps,
    nx,
    sx,
    sy,
):
    """Solve for the increment of a scalar, left in scratch.d; phi stays as it is. (E8)."""
    top = (nx + 2) * sx
    x, y, z = component.gx, component.gy, component.gz
    a, b, of = molecular, turbulent, scratch
    scalar_face(phi, flow_x, nu, a, b, x, sx, 2 * sx, top, of.flux_x, of.plus_x, of.minus_x)
    scalar_face(phi, flow_y, nu, a, b, y, sy, sx + sy, top, of.flux_y, of.plus_y, of.minus_y)
    scalar_face(phi, flow_z, nu, a, b, z, 1, sx + 1, top, of.flux_z, of.plus_z, of.minus_z)
    scalar_system(phi, source, sink, component, scratch, dt, nx, sx, sy)
    relax(scratch, sweeps, nx, sx, sy)


@njit(**options)
def heat_defect(theta, source, sink, volume, d, dt, block, sums):
    """Heat that the increment d misses, and sum |d| (volume + dt sink); float64 over the blocks.

    The sweeps stop short of the exact solution; the caller gives the heat that they miss back in proportion
    to |d|, so that what the room gains is what the units bring. Writes into `sums`: missed heat / (rho cp)
    [K m3], sum of |d| volume [K m3].
    """
    missed = 0.0
    weight = 0.0
    step = np.float32(dt)
    for lo in range(0, d.size, block):
        hi = min(lo + block, d.size)
        q, s, c, dd, vol = source[lo:hi], sink[lo:hi], theta[lo:hi], d[lo:hi], volume[lo:hi]
        part, total = np.float32(0), np.float32(0)
        for m in range(hi - lo):
            held = vol[m] + step * s[m]
            part += step * (q[m] - s[m] * c[m]) - held * dd[m]
            total += held * abs(dd[m])
        missed += part
        weight += total
    sums[0] = missed
    sums[1] = weight


@njit(**options)
def add_weighted(d, share, out):
    """Add the increment d + share |d| to out."""
    f = np.float32(share)
    for n in range(out.size):
        out[n] += d[n] + f * abs(d[n])


@njit(**options)
def buoyancy(theta, factor, out):
    """Acceleration on the faces normal to z: factor = g / T_ref times the mean of the cells beside. (E3)."""
    f = np.float32(0.5 * factor)
    top = theta.size
    o, t0, t1 = out[1:top], theta[: top - 1], theta[1:top]
    for m in range(top - 1):
        o[m] = f * (t0[m] + t1[m])


@njit(**options)
def net_outflow(u, v, w, ax, ay, az, source, nx, sx, sy, out):
    """Set out = what units bring in less the volume flow out of each cell. (E2)."""
    lo = sx
    hi = (nx + 1) * sx
    o, q = out[lo:hi], source[lo:hi]
    u0, u1, a0, a1 = u[lo:hi], u[lo + sx : hi + sx], ax[lo:hi], ax[lo + sx : hi + sx]
    v0, v1, b0, b1 = v[lo:hi], v[lo + sy : hi + sy], ay[lo:hi], ay[lo + sy : hi + sy]
    w0, w1, c0, c1 = w[lo:hi], w[lo + 1 : hi + 1], az[lo:hi], az[lo + 1 : hi + 1]
    for m in range(hi - lo):
        o[m] = (
            q[m]
            + (u0[m] * a0[m] - u1[m] * a1[m])
            + (v0[m] * b0[m] - v1[m] * b1[m])
            + (w0[m] * c0[m] - w1[m] * c1[m])
        )


@njit(**options)
def correct(c, inverse_area, x, s, lo, hi, out):
    """Subtract the pressure step from a component: out -= c / area (x_n - x_{n-s}). (E9)."""
    o, k, a, x0, x1 = out[lo:hi], c[lo:hi], inverse_area[lo:hi], x[lo - s : hi - s], x[lo:hi]
    for m in range(hi - lo):
        o[m] -= k[m] * a[m] * (x1[m] - x0[m])


@njit(**options)
def project(u, v, w, p, cx, cy, cz, ix, iy, iz, x, dt, nx, sx, sy):
    """Correct the velocity with the solved potential x and add x / dt to the pressure. (E9)."""
    top = (nx + 1) * sx
    correct(cx, ix, x, sx, sx, top, u)
    correct(cy, iy, x, sy, sx, top, v)
    correct(cz, iz, x, 1, sx, top, w)
    f = np.float32(1 / dt)
    for n in range(p.size):
        p[n] += f * x[n]
