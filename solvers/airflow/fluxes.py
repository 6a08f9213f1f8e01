"""Terms of the transport of one quantity over one slab of cells: fluxes, right-hand side, one sweep.

All arrays of a room are flat and padded (see kernels.py); a slab is one layer of cells across x, `sx` entries
that begin at index `at` = i sx. What `transport.py` keeps for a slab are rows of `sx` entries of their own.

         plus, minus [n]             Implicit upwind coefficients of the low face n of a control volume:
    n-s  ---->  n                    plus[n] = max(F, 0) + G from n - s into n, minus[n] = max(-F, 0) + G
              F[n], G[n]             from n into n - s; F is the volume flow, G the diffusive conductance.

`code` packs what is open around a control volume into one byte: two bits an axis for its low face, the number
of open halves (0, 1, 2), and bit 6 where the quantity is solved for.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from solvers.linear.kernels import options

SOLVED = 1 << 6
"""Bit of a code that says that the quantity is solved for."""
_SOLVED, _HALVES = np.uint8(SOLVED), np.uint8(3)
PLUS_X, MINUS_X, PLUS_Y, MINUS_Y, PLUS_Z, MINUS_Z, RIGHT, SCALE = range(8)
"""Rows that a slab keeps until its last sweep."""


@njit(inline="always")
def limited(back, ahead):
    """Van Leer's harmonic limiter: mean slope from the difference behind and the one ahead."""
    product = back * ahead
    return np.float32(2) * product / (back + ahead) if product > 0 else np.float32(0)


@njit(inline="always")
def face_value(F, west, centre_w, centre_e, east, open_w, open_face, open_e, central):
    """Upwind value plus half the slope of the upwind cell; closed faces have no slope. (E6).

    The slope is limited; `central` takes the difference over the face instead, which makes it the mean.
    """
    zero, half = np.float32(0), np.float32(0.5)
    step = centre_e - centre_w if open_face > 0 else zero
    back = centre_w - west if open_w > 0 else zero
    ahead = east - centre_e if open_e > 0 else zero
    slope = half * (step if central else limited(back if F > 0 else ahead, step))
    return centre_w + slope if F > 0 else centre_e - slope


@njit(**options)
def momentum_face(
    phi, flow, nu, code, shift, shape, factor, s, t, central, at, first, last, flux, plus, minus
):
    """Advective and diffusive flux of a velocity component through the faces of one axis.

    The control volumes are centred on cell faces, so F is the mean of two flows. G takes the viscosity of the
    cell centre (s = t: the faces lie there) or the mean of the four around the edge.

    shape, factor : G = shape[m] factor nu_eff where all is open. [m]
    s, t : strides of the axis and of the component.
    first, last : range of the faces in the slab that begins at index `at`.
    """
    lo, hi = at + first, at + last
    west = max(lo - 2 * s, 0)  # beyond the first cell all is closed
    half, scale, zero = np.float32(0.5), np.float32(0.125 * factor), np.float32(0)
    a, b = (s, s) if s == t else (0, s + t)
    c = s if s == t else t
    f, cp, cm = flux[first:last], plus[first:last], minus[first:last]
    p0, p1, p2, p3 = phi[west : west + hi - lo], phi[lo - s : hi - s], phi[lo:hi], phi[lo + s : hi + s]
    q0, q1 = flow[lo - t : hi - t], flow[lo:hi]
    n0, n1, n2, n3 = nu[lo - a : hi - a], nu[lo - s : hi - s], nu[lo - c : hi - c], nu[lo - b : hi - b]
    k0, k1, k2, g = code[lo - s : hi - s], code[lo:hi], code[lo + s : hi + s], shape[first:last]
    for m in range(hi - lo):
        o0, o1, o2 = (k0[m] >> shift) & _HALVES, (k1[m] >> shift) & _HALVES, (k2[m] >> shift) & _HALVES
        F = half * (q0[m] + q1[m])
        G = np.float32(o1) * (scale * g[m]) * ((n0[m] + n1[m]) + (n2[m] + n3[m]))
        f[m] = F * face_value(F, p0[m], p1[m], p2[m], p3[m], o0, o1, o2, central) - G * (p2[m] - p1[m])
        cp[m] = max(F, zero) + G
        cm[m] = max(-F, zero) + G


@njit(**options)
def scalar_face(
    phi,
    flow,
    nu,
    molecular,
    turbulent,
    code,
    shift,
    shape,
    factor,
    s,
    central,
    at,
    first,
    last,
    flux,
    plus,
    minus,
):
    """Advective and diffusive flux of a scalar through the open faces of one axis; see `momentum_face`.

    molecular, turbulent : the diffusivity is molecular + turbulent nu_eff. [m2/s, -]
    """
    lo, hi = at + first, at + last
    west = max(lo - 2 * s, 0)
    scale, zero = np.float32(0.5 * factor), np.float32(0)
    a0, a1 = np.float32(molecular), np.float32(0.5 * turbulent)
    f, cp, cm = flux[first:last], plus[first:last], minus[first:last]
    p0, p1, p2, p3 = phi[west : west + hi - lo], phi[lo - s : hi - s], phi[lo:hi], phi[lo + s : hi + s]
    q, n0, n1 = flow[lo:hi], nu[lo - s : hi - s], nu[lo:hi]
    k0, k1, k2, g = code[lo - s : hi - s], code[lo:hi], code[lo + s : hi + s], shape[first:last]
    for m in range(hi - lo):
        o0, o1, o2 = (k0[m] >> shift) & _HALVES, (k1[m] >> shift) & _HALVES, (k2[m] >> shift) & _HALVES
        F = q[m] if o1 > 0 else zero
        G = np.float32(o1) * (scale * g[m]) * (a0 + a1 * (n0[m] + n1[m]))
        f[m] = F * face_value(F, p0[m], p1[m], p2[m], p3[m], o0, o1, o2, central) - G * (p2[m] - p1[m])
        cp[m] = max(F, zero) + G
        cm[m] = max(-F, zero) + G


@njit(**options)
def momentum_system(phi, p, friction, push, code, metrics, dt, implicit, i, t, sx, sy, fluxes, rows, rows_e):
    """Right-hand side and scale of the delta form  d = right + scale sum(coefficient d_neighbour). (E7).

    Momentum in advective form: what flows in counts with its velocity less the one that is there.

    friction : of walls, tiles and porous faces, implicit [1/s]; push : explicit acceleration [m/s2].
    implicit : 1, or 0 to leave the transport explicit; `scale` is then of no use.
    fluxes : through the x faces on both sides, the y and the z faces; rows, rows_e : of slab i and of i + 1.
    """
    lo, hi, first, last = i * sx + sy, (i + 1) * sx - sy, sy, sx - sy
    step, one, zero, weight = np.float32(dt), np.float32(1), np.float32(0), np.float32(implicit)
    width, gap = metrics.inverse_width[i], metrics.inverse_gap_x[i]
    right, scale = rows[RIGHT, first:last], rows[SCALE, first:last]
    c, p0, p1 = phi[lo:hi], p[lo - t : hi - t], p[lo:hi]
    drag, a, k = friction[lo:hi], push[lo:hi], code[lo:hi]
    area, steep = metrics.inverse_area[first:last], metrics.inverse_gap[first:last]
    fx0, fx1, fy0, fy1, fz0, fz1 = _both_sides(fluxes, first, last, sy)
    px0, mx0, px1, mx1 = _of_x(rows, rows_e, first, last)
    py0, my0, py1, my1, pz0, mz0, pz1, mz1 = _of_y_and_z(rows, first, last, sy)
    for m in range(hi - lo):
        into = (px0[m] + mx1[m]) + (py0[m] + my1[m]) + (pz0[m] + mz1[m])
        outof = (mx0[m] + px1[m]) + (my0[m] + py1[m]) + (mz0[m] + pz1[m])
        net = (fx0[m] - fx1[m]) + (fy0[m] - fy1[m]) + (fz0[m] - fz1[m]) + c[m] * (outof - into)
        inverse_volume = width * area[m]
        rate = net * inverse_volume - (p1[m] - p0[m]) * (gap * steep[m]) + a[m] - drag[m] * c[m]
        solved = step if k[m] & _SOLVED != 0 else zero
        gain = solved / (one + step * (weight * into * inverse_volume + drag[m]))
        right[m] = gain * rate
        scale[m] = gain * inverse_volume


@njit(**options)
def scalar_system(phi, source, sink, code, metrics, dt, implicit, i, sx, sy, fluxes, rows, rows_e):
    """Right-hand side and scale for a scalar, in conservation form; see `momentum_system`. (E8).

    source : of the scalar in the cell [phi m3/s]; sink : the same per phi [m3/s], implicit.
    Heat: inflow times its temperature plus heat / (rho cp); outflow into units.
    """
    lo, hi, first, last = i * sx + sy, (i + 1) * sx - sy, sy, sx - sy
    step, one, zero, weight = np.float32(dt), np.float32(1), np.float32(0), np.float32(implicit)
    width = metrics.inverse_width[i]
    right, scale = rows[RIGHT, first:last], rows[SCALE, first:last]
    c, q, s, k = phi[lo:hi], source[lo:hi], sink[lo:hi], code[lo:hi]
    area = metrics.inverse_area[first:last]
    fx0, fx1, fy0, fy1, fz0, fz1 = _both_sides(fluxes, first, last, sy)
    _, mx0, px1, _ = _of_x(rows, rows_e, first, last)
    _, my0, py1, _, _, mz0, pz1, _ = _of_y_and_z(rows, first, last, sy)
    for m in range(hi - lo):
        net = (fx0[m] - fx1[m]) + (fy0[m] - fy1[m]) + (fz0[m] - fz1[m]) + q[m] - s[m] * c[m]
        outof = (mx0[m] + px1[m]) + (my0[m] + py1[m]) + (mz0[m] + pz1[m])
        inverse_volume = width * area[m]
        solved = step if k[m] & _SOLVED != 0 else zero
        gain = solved * inverse_volume / (one + step * (weight * outof + s[m]) * inverse_volume)
        right[m] = gain * net
        scale[m] = gain


@njit(**options)
def jacobi(rows, rows_e, d_w, d, d_e, sx, sy, out):
    """One sweep over a slab: out = right + scale sum(coefficient d_neighbour)."""
    first, last = sy, sx - sy
    o, right, scale = out[first:last], rows[RIGHT, first:last], rows[SCALE, first:last]
    dw, de = d_w[first:last], d_e[first:last]
    ds, dn = d[: last - sy], d[first + sy : last + sy]
    db, du = d[first - 1 : last - 1], d[first + 1 : last + 1]
    px, _, _, mx = _of_x(rows, rows_e, first, last)
    py, _, _, my, pz, _, _, mz = _of_y_and_z(rows, first, last, sy)
    for m in range(last - first):
        near = (
            (px[m] * dw[m] + mx[m] * de[m])
            + (py[m] * ds[m] + my[m] * dn[m])
            + (pz[m] * db[m] + mz[m] * du[m])
        )
        o[m] = right[m] + scale[m] * near


@njit(inline="always")
def _both_sides(fluxes, first, last, sy):
    """Fluxes through the low and the high x, y and z faces of each cell."""
    x_w, x_e, y, z = fluxes
    return (
        x_w[first:last],
        x_e[first:last],
        y[first:last],
        y[first + sy : last + sy],
        z[first:last],
        z[first + 1 : last + 1],
    )


@njit(inline="always")
def _of_x(rows, rows_e, first, last):
    """Plus and minus of the low and the high x faces of each cell."""
    return (
        rows[PLUS_X, first:last],
        rows[MINUS_X, first:last],
        rows_e[PLUS_X, first:last],
        rows_e[MINUS_X, first:last],
    )


@njit(inline="always")
def _of_y_and_z(rows, first, last, sy):
    """Plus and minus of the low and the high faces of each cell, y before z."""
    return (
        rows[PLUS_Y, first:last],
        rows[MINUS_Y, first:last],
        rows[PLUS_Y, first + sy : last + sy],
        rows[MINUS_Y, first + sy : last + sy],
        rows[PLUS_Z, first:last],
        rows[MINUS_Z, first:last],
        rows[PLUS_Z, first + 1 : last + 1],
        rows[MINUS_Z, first + 1 : last + 1],
    )
