"""Implicit transport of one quantity in one walk through memory.

The delta form  d = right + scale sum(coefficient d_neighbour)  needs some nine Jacobi sweeps. A sweep of a
slab needs the sweep before of that slab and of the two beside it, so the sweeps follow the fluxes through the
room, each one slab behind the other (temporal blocking)::

    slab     i-m   ...   i-2      i-1       i        i+1
             sweep m     sweep 2  sweep 1   right,   fluxes      at tick i
             -> phi                         scale    (x faces)

What a slab needs lives in a ring of a few slabs that stays in the cache; the fields pass once. Two rows of d
take turns: sweep m reads those of sweep m - 1 and overwrites those of m - 2, which m - 1 has left behind.
A finished increment is added to phi at least one slab behind the fluxes, which still read the old values.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solvers.airflow.fluxes import (
    MINUS_X,
    MINUS_Y,
    MINUS_Z,
    PLUS_X,
    PLUS_Y,
    PLUS_Z,
    RIGHT,
    jacobi,
    momentum_face,
    momentum_system,
    scalar_face,
    scalar_system,
)
from solvers.linear.kernels import options

Field = NDArray[np.float32]
X, Y, Z = np.uint8(0), np.uint8(2), np.uint8(4)
"""Where the bits of an axis begin in a code."""


class Metrics(NamedTuple):
    """Widths of the control volumes of one quantity: a line along x times a plane across it.

    Attributes
    ----------
    width : float32[nx+3]    Along x. [m]
    inverse_width, inverse_distance : float32[nx+3]
        1 / width, 1 / distance to the control volume before. [1/m]
    area : float32[sx]    Across x. [m2]
    inverse_area : float32[sx]    [1/m2]
    shape_y, shape_z : float32[sx]
        Area of the faces of an axis per width along x and per distance of the control volumes. [-]
    inverse_gap_x, inverse_gap : float32[nx+3], float32[sx]
        Their product is 1 / distance of the pressure points; momentum only. [1/m]
    """

    width: Field
    inverse_width: Field
    inverse_distance: Field
    area: Field
    inverse_area: Field
    shape_y: Field
    shape_z: Field
    inverse_gap_x: Field
    inverse_gap: Field


class Component(NamedTuple):
    """What is fixed for one transported quantity (u, v, w or a scalar).

    Attributes
    ----------
    code : uint8[padded]    What is open around each control volume, see fluxes.py.
    metrics : Metrics
    """

    code: NDArray[np.uint8]
    metrics: Metrics


class Ring(NamedTuple):
    """Work arrays of one transport solve, for a few slabs.

    Attributes
    ----------
    rows : float32[slabs, 8, sx]    Coefficients, right-hand side and scale.
    d : float32[2, slabs, sx]    Increments of even and odd sweeps.
    flux : float32[4, sx]    Through the x faces of even and odd slabs, the y faces, the z faces.
    """

    rows: Field
    d: Field
    flux: Field


def make_ring(sweeps: int, sx: int) -> Ring:
    """Ring for so many sweeps; the rows are a little apart so that they do not meet in the cache's sets."""
    slabs, lines = sweeps + 3, -(-sx // 16)
    row = 16 * (lines + 1 - lines % 2)
    return Ring(*(np.zeros((*rows, row), dtype=np.float32) for rows in ((slabs, 8), (2, slabs), (4,))))


@njit(**options)
def clear(ring, i):
    """Slabs beyond the room have no increment."""
    slot = i % ring.rows.shape[0]
    ring.rows[slot, RIGHT] = 0
    ring.d[0, slot] = 0
    ring.d[1, slot] = 0


@njit(**options)
def sweep_behind(ring, tick, sweeps, onward, nx, sx, sy):
    """Sweep m on slab tick - m; the first reads the right-hand side, or given increments if `onward`."""
    slabs = ring.rows.shape[0]
    for m in range(max(1, tick - nx), min(sweeps, tick - 1) + 1):
        i = tick - m
        w, here, e = (i - 1) % slabs, i % slabs, (i + 1) % slabs
        rows, rows_e, out = ring.rows[here], ring.rows[e], ring.d[m % 2, here]
        if m == 1 and not onward:
            jacobi(rows, rows_e, ring.rows[w, RIGHT], rows[RIGHT], rows_e[RIGHT], sx, sy, out)
        else:
            old = ring.d[(m - 1) % 2]
            jacobi(rows, rows_e, old[w], old[here], old[e], sx, sy, out)


@njit(**options)
def increment(ring, i, sweeps):
    """Row of the finished increment of a slab."""
    slot = i % ring.rows.shape[0]
    return ring.rows[slot, RIGHT] if sweeps == 0 else ring.d[sweeps % 2, slot]


@njit(**options)
def momentum_terms(phi, p, flow, nu, component, friction, push, central, ring, dt, implicit, i, t, sx, sy):
    """Fluxes, right-hand side and scale of slab i; of its neighbour i + 1 the x faces between them."""
    code, metrics = component.code, component.metrics
    slabs, at, e = ring.rows.shape[0], i * sx, i + 1
    rows, rows_e = ring.rows[i % slabs], ring.rows[e % slabs]
    fluxes = ring.flux[i % 2], ring.flux[e % 2], ring.flux[2], ring.flux[3]
    momentum_face(
        phi, flow[0], nu, code, X, metrics.area, metrics.inverse_distance[e], sx, t, central,
        at + sx, sy, sx - sy, fluxes[1], rows_e[PLUS_X], rows_e[MINUS_X],
    )  # fmt: skip
    if i == 0:
        return
    momentum_face(
        phi, flow[1], nu, code, Y, metrics.shape_y, metrics.width[i], sy, t, central,
        at, sy, sx, fluxes[2], rows[PLUS_Y], rows[MINUS_Y],
    )  # fmt: skip
    momentum_face(
        phi, flow[2], nu, code, Z, metrics.shape_z, metrics.width[i], 1, t, central,
        at, sy, sx - sy + 1, fluxes[3], rows[PLUS_Z], rows[MINUS_Z],
    )  # fmt: skip
    momentum_system(phi, p, friction, push, code, metrics, dt, implicit, i, t, sx, sy, fluxes, rows, rows_e)


@njit(**options)
def scalar_terms(
    phi, flow, nu, molecular, turbulent, component, source, sink, central, ring, dt, implicit, i, sx, sy
):
    """Fluxes, right-hand side and scale of slab i; of its neighbour i + 1 the x faces between them."""
    code, metrics = component.code, component.metrics
    slabs, at, e = ring.rows.shape[0], i * sx, i + 1
    rows, rows_e = ring.rows[i % slabs], ring.rows[e % slabs]
    fluxes = ring.flux[i % 2], ring.flux[e % 2], ring.flux[2], ring.flux[3]
    scalar_face(
        phi, flow[0], nu, molecular, turbulent, code, X, metrics.area, metrics.inverse_distance[e], sx,
        central, at + sx, sy, sx - sy, fluxes[1], rows_e[PLUS_X], rows_e[MINUS_X],
    )  # fmt: skip
    if i == 0:
        return
    scalar_face(
        phi, flow[1], nu, molecular, turbulent, code, Y, metrics.shape_y, metrics.width[i], sy, central,
        at, sy, sx, fluxes[2], rows[PLUS_Y], rows[MINUS_Y],
    )  # fmt: skip
    scalar_face(
        phi, flow[2], nu, molecular, turbulent, code, Z, metrics.shape_z, metrics.width[i], 1, central,
        at, sy, sx - sy + 1, fluxes[3], rows[PLUS_Z], rows[MINUS_Z],
    )  # fmt: skip
    scalar_system(phi, source, sink, code, metrics, dt, implicit, i, sx, sy, fluxes, rows, rows_e)


@njit(**options)
def predict_momentum(
    phi, p, flow, nu, component, friction, push, central, ring, dt, sweeps, implicit, axis, nx, sx, sy
):
    """Advance one velocity component by its momentum equation with the old pressure. (E7).

    Parameters
    ----------
    phi, p : float32[padded]    Component, overwritten; pressure over rho. [m/s, m2/s2]
    flow : three float32[padded]    Volume flow through the faces. [m3/s]
    nu : float32[padded]    Effective viscosity of the cells. [m2/s]
    component : Component
    friction, push : float32[padded]    Implicit drag [1/s], explicit acceleration [m/s2].
    central : bool    Central differences instead of limited ones.
    ring : Ring    Of at least sweeps + 3 slabs.
    sweeps : int    Jacobi sweeps from d = right. [-]
    implicit : float    1; 0 with no sweeps: the transport is explicit, only friction is implicit.
    dt : float    [s]
    axis : int    Of the component.
    nx, sx, sy : int    Slabs of cells, and the strides of the padded arrays.
    """
    t = sx if axis == 0 else (sy if axis == 1 else 1)
    lag = max(sweeps, 1)
    clear(ring, 0)
    for tick in range(nx + lag + 1):
        if tick <= nx:
            momentum_terms(
                phi, p, flow, nu, component, friction, push, central, ring, dt, implicit, tick, t, sx, sy
            )
        elif tick == nx + 1:
            clear(ring, tick)
        sweep_behind(ring, tick, sweeps, False, nx, sx, sy)
        done = tick - lag
        if done >= 1:
            d, out = increment(ring, done, sweeps), phi[done * sx : (done + 1) * sx]
            for m in range(sy, sx - sy):
                out[m] += d[m]


@njit(**options)
def relax_scalar(
    phi, flow, nu, molecular, turbulent, component, source, sink, central, ring, dt, sweeps, implicit, onward,
    nx, sx, sy, out,
):  # fmt: skip
    """Solve for the increment of a scalar; phi stays as it is. (E8).

    Parameters as `predict_momentum`, and

    molecular, turbulent : float    The diffusivity is molecular + turbulent nu. [m2/s, -]
    source, sink : float32[padded]    What comes into each cell [phi m3/s], what leaves per phi [m3/s].
    onward : bool    Go on from the increment in `out`.
    out : float32[padded]    Increment; overwritten.
    """
    slabs, lag = ring.rows.shape[0], max(sweeps, 1)
    clear(ring, 0)
    for tick in range(nx + lag + 1):
        if tick <= nx:
            scalar_terms(
                phi, flow, nu, molecular, turbulent, component, source, sink, central, ring, dt, implicit,
                tick, sx, sy,
            )  # fmt: skip
            if onward and tick >= 1:
                ring.d[0, tick % slabs, sy : sx - sy] = out[tick * sx + sy : (tick + 1) * sx - sy]
        elif tick == nx + 1:
            clear(ring, tick)
        sweep_behind(ring, tick, sweeps, onward, nx, sx, sy)
        done = tick - lag
        if done >= 1:
            d, o = increment(ring, done, sweeps), out[done * sx : (done + 1) * sx]
            for m in range(sy, sx - sy):
                o[m] = d[m]
