"""Eddy viscosity and strain rate at cell centres, from the velocities on the faces.

Derivatives across a component's own direction are taken from cell-centre means of the velocity, as the mean
of the slopes through the two faces of the cell::

    +-------+-------+        through an open face   (here - before) / gap
    | before|  here |        through a wall         here / half a width: no slip at the wall
    +-------+-------+        else (a patch, a moving or a smooth wall, the ambient)  none

so nothing is differenced across a plate or a solid, and a linear profile has its exact slope on any grid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solvers.airflow.case import AirCase
from solvers.airflow.wall_faces import WallFaces
from solvers.linear.kernels import options
from solvers.linear.multigrid import flat_cells, padded, strides

if TYPE_CHECKING:
    from solvers.airflow.geometry import Geometry

Bytes = NDArray[np.uint8]
Field = NDArray[np.float32]

OPEN, WALL = 1, 2
"""What a face is to the velocity along it; 0: no slope is taken through it."""


class Stencil(NamedTuple):
    """Faces and widths as the kernels below read them.

    Attributes
    ----------
    side_x, side_y, side_z : uint8[padded]    OPEN, WALL or 0 of the low face of each cell.
    width_x, gap_x : float32[nx+3]
        1 / width of each layer of cells along x, 1 / distance to the centres of the layer before. [1/m]
    width_y, gap_y, width_z, gap_z : float32[sx]    The same along y and z, for one layer of cells. [1/m]
    delta : float32[3]    Widths count this much in the filter of `vreman`: 1, or 0 along an axis of one cell.
    """

    side_x: Bytes
    side_y: Bytes
    side_z: Bytes
    width_x: Field
    gap_x: Field
    width_y: Field
    gap_y: Field
    width_z: Field
    gap_z: Field
    delta: Field


def build_stencil(case: AirCase, geometry: Geometry, walls: WallFaces) -> Stencil:
    """Faces and widths of a case; walls of `collect_walls`."""
    shape = geometry.shape
    step = (*strides(shape), 1)
    size = int(np.prod(padded(shape)))
    cells = flat_cells(shape)
    outside = np.ones(size, dtype=bool)
    outside[cells[geometry.fluid if case.ambient is None else geometry.fluid & ~case.ambient]] = False
    still = np.ones(walls.cell.size, dtype=bool)
    if case.surfaces is not None:
        of = walls.surface
        moves = case.surfaces.slip | case.surfaces.velocity.any(axis=1)
        still = ~((of >= 0) & moves[of]) if moves.size else still
    sides: list[Bytes] = []
    lines: list[Field] = []
    for d in range(3):
        open_face = np.zeros(padded(shape), dtype=np.uint8)
        extent = tuple(slice(1, n + 1 + (axis == d)) for axis, n in enumerate(shape))
        open_face[extent] = geometry.open_area[d] > 0
        side = open_face.ravel()
        side[outside | np.roll(outside, step[d])] = 0
        # a thin plate has two sides: both cells see a wall in the one face
        of = still & (walls.axis == d)
        side[walls.cell[of] + np.where(walls.side[of] > 0, 0, step[d])] = WALL
        sides.append(side)
        width = np.pad(case.grid.widths[d], (1, 2 if d == 0 else 1), mode="edge")
        gap = 0.5 * (width + np.roll(width, 1))
        gap[0] = width[0]
        for line in (width, gap):
            plane = 1 / line
            if d == 1:
                plane = np.repeat(plane, step[1])
            elif d == 2:
                plane = np.tile(plane, shape[1] + 2)
            lines.append(plane.astype(np.float32))
    delta = np.array([1 if n > 1 else 0 for n in shape], dtype=np.float32)
    return Stencil(
        *(sides[0], sides[1], sides[2]), *(lines[0], lines[1], lines[2], lines[3], lines[4], lines[5]), delta
    )


@njit(inline="always")
def _slope(before, here, after, low, high, gap_low, gap_high, width):
    """Return the derivative at a cell centre along one axis; before, here, after are values."""
    zero = np.float32(0)
    wall = np.float32(2) * width * here
    below = (here - before) * gap_low if low == OPEN else (wall if low == WALL else zero)
    above = (after - here) * gap_high if high == OPEN else (-wall if high == WALL else zero)
    return np.float32(0.5) * (below + above)


@njit(inline="always")
def _around(field, lo, hi, t, a, b):
    """Return a component on both faces of a cell, then of the cells before and after it along a and b."""
    return (
        field[lo:hi],
        field[lo + t : hi + t],
        field[lo - a : hi - a],
        field[lo - a + t : hi - a + t],
        field[lo + a : hi + a],
        field[lo + a + t : hi + a + t],
        field[lo - b : hi - b],
        field[lo - b + t : hi - b + t],
        field[lo + b : hi + b],
        field[lo + b + t : hi + b + t],
    )


@njit(inline="always")
def _tensor(u, v, w, sides, scales, i_scales, m):
    """Velocity gradient of cell m of a layer: du/dx, du/dy, du/dz, dv/dx, ... [1/s]."""
    half = np.float32(0.5)
    x0, x1, y0, y1, z0, z1 = sides
    wy, gy0, gy1, wz, gz0, gz1 = scales
    wx, gx0, gx1 = i_scales
    cu, cv, cw = half * (u[0][m] + u[1][m]), half * (v[0][m] + v[1][m]), half * (w[0][m] + w[1][m])
    us, un = half * (u[2][m] + u[3][m]), half * (u[4][m] + u[5][m])
    ub, ut = half * (u[6][m] + u[7][m]), half * (u[8][m] + u[9][m])
    vw, ve = half * (v[2][m] + v[3][m]), half * (v[4][m] + v[5][m])
    vb, vt = half * (v[6][m] + v[7][m]), half * (v[8][m] + v[9][m])
    ww, we = half * (w[2][m] + w[3][m]), half * (w[4][m] + w[5][m])
    ws, wn = half * (w[6][m] + w[7][m]), half * (w[8][m] + w[9][m])
    return (
        (u[1][m] - u[0][m]) * wx,
        _slope(us, cu, un, y0[m], y1[m], gy0[m], gy1[m], wy[m]),
        _slope(ub, cu, ut, z0[m], z1[m], gz0[m], gz1[m], wz[m]),
        _slope(vw, cv, ve, x0[m], x1[m], gx0, gx1, wx),
        (v[1][m] - v[0][m]) * wy[m],
        _slope(vb, cv, vt, z0[m], z1[m], gz0[m], gz1[m], wz[m]),
        _slope(ww, cw, we, x0[m], x1[m], gx0, gx1, wx),
        _slope(ws, cw, wn, y0[m], y1[m], gy0[m], gy1[m], wy[m]),
        (w[1][m] - w[0][m]) * wz[m],
    )


@njit(inline="always")
def _sides(stencil, lo, hi, sx, sy):
    x, y, z = stencil.side_x, stencil.side_y, stencil.side_z
    return (x[lo:hi], x[lo + sx : hi + sx], y[lo:hi], y[lo + sy : hi + sy], z[lo:hi], z[lo + 1 : hi + 1])


@njit(inline="always")
def _scales(stencil, sy):
    gy, gz = stencil.gap_y, stencil.gap_z
    return stencil.width_y, gy, gy[sy:], stencil.width_z, gz, gz[1:]


@njit(**options)
def mixing_length_viscosity(u, v, w, length, nu, nx, sx, sy, out):
    """Effective viscosity at cell centres: nu + c |V| l, with length = c l. (E5)."""
    lo = sx
    hi = (nx + 1) * sx
    half, base = np.float32(0.5), np.float32(nu)
    o, c = out[lo:hi], length[lo:hi]
    u0, u1 = u[lo:hi], u[lo + sx : hi + sx]
    v0, v1 = v[lo:hi], v[lo + sy : hi + sy]
    w0, w1 = w[lo:hi], w[lo + 1 : hi + 1]
    for m in range(hi - lo):
        a, b, d = half * (u0[m] + u1[m]), half * (v0[m] + v1[m]), half * (w0[m] + w1[m])
        o[m] = base + c[m] * np.sqrt(a * a + b * b + d * d)


@njit(**options)
def strain_rate(u, v, w, stencil, nx, sx, sy, out):
    """S2 = 2 S_ij S_ij at cell centres, with S_ij = (du_i/dx_j + du_j/dx_i) / 2. [1/s2]."""
    two = np.float32(2)
    scales = _scales(stencil, sy)
    for i in range(1, nx + 1):
        lo = i * sx
        hi = lo + sx
        o = out[lo:hi]
        un, vn, wn = (
            _around(u, lo, hi, sx, sy, 1),
            _around(v, lo, hi, sy, sx, 1),
            _around(w, lo, hi, 1, sx, sy),
        )
        sides = _sides(stencil, lo, hi, sx, sy)
        i_scales = (stencil.width_x[i], stencil.gap_x[i], stencil.gap_x[i + 1])
        for m in range(sx):
            xx, xy, xz, yx, yy, yz, zx, zy, zz = _tensor(un, vn, wn, sides, scales, i_scales, m)
            o[m] = two * (xx * xx + yy * yy + zz * zz) + (xy + yx) ** 2 + (xz + zx) ** 2 + (yz + zy) ** 2


@njit(**options)
def vreman_viscosity(u, v, w, stencil, constant, nu, nx, sx, sy, out):
    """Effective viscosity at cell centres: nu + c sqrt(B_beta / alpha_ij alpha_ij). (E15).

    B_beta = sum over m < n of (Delta_m Delta_n)^2 |a_m x a_n|^2, a_m the derivative of the velocity along
    x_m: the second invariant of beta_ij = Delta_m^2 alpha_mi alpha_mj, written so that it cannot be negative
    and vanishes in a shear flow to rounding.

    Source   : Vreman 2004, Phys. Fluids 16, 3670, eqs. 5 to 8.
    Check    : tests/unit/solvers/test_turbulence.py
    """
    one, base, c = np.float32(1), np.float32(nu), np.float32(constant)
    tiny = np.float32(1e-12)
    fx, fy, fz = stencil.delta
    scales = _scales(stencil, sy)
    for i in range(1, nx + 1):
        lo = i * sx
        hi = lo + sx
        o = out[lo:hi]
        un, vn, wn = (
            _around(u, lo, hi, sx, sy, 1),
            _around(v, lo, hi, sy, sx, 1),
            _around(w, lo, hi, 1, sx, sy),
        )
        sides = _sides(stencil, lo, hi, sx, sy)
        i_scales = (stencil.width_x[i], stencil.gap_x[i], stencil.gap_x[i + 1])
        wx, wy, wz = stencil.width_x[i], stencil.width_y, stencil.width_z
        for m in range(sx):
            xx, xy, xz, yx, yy, yz, zx, zy, zz = _tensor(un, vn, wn, sides, scales, i_scales, m)
            dx, dy, dz = fx / (wx * wx), fy / (wy[m] * wy[m]), fz / (wz[m] * wz[m])
            # a_x = (xx, yx, zx), a_y = (xy, yy, zy), a_z = (xz, yz, zz)
            b_xy = (yx * zy - zx * yy) ** 2 + (zx * xy - xx * zy) ** 2 + (xx * yy - yx * xy) ** 2
            b_xz = (yx * zz - zx * yz) ** 2 + (zx * xz - xx * zz) ** 2 + (xx * yz - yx * xz) ** 2
            b_yz = (yy * zz - zy * yz) ** 2 + (zy * xz - xy * zz) ** 2 + (xy * yz - yy * xz) ** 2
            beta = dx * dy * b_xy + dx * dz * b_xz + dy * dz * b_yz
            alpha = (
                xx * xx + xy * xy + xz * xz + yx * yx + yy * yy + yz * yz + zx * zx + zy * zy + zz * zz + tiny
            )
            o[m] = base + c * np.sqrt(beta * (one / alpha))
