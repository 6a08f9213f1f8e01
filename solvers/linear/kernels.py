"""Kernels of the pressure solver: masked seven-point operator, smoothers, V-cycle, conjugate gradients.

Cells of a structured level lie flat in one array with a layer of padding, so that the neighbours of cell n
are n - sx, n + sx, n - sy, n + sy, n - 1, n + 1 and one loop runs over everything::

    c_z[n+1]      c_d[n] : conductance of the face between cell n - s_d and cell n; 0 where closed.
      |           (A x)_n = sum over the six faces of c (x_n - x_neighbour)
      n --c_x[n+sx]--

Padding and solids have no conductance and an inverse diagonal of 0, so they stay 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

FAST = {"reassoc", "contract", "nsz", "arcp"}
options = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": FAST}

# roots of the Chebyshev polynomial on the upper part of the spectrum of D^-1 A, [0.35, 2]
_ROOTS = 1.175 + 0.825 * np.cos(np.pi * (2 * np.arange(1, 3) - 1) / 4)
W1 = np.float32(1 / _ROOTS[0])
W2 = np.float32(1 / _ROOTS[1])


class Levels(NamedTuple):
    """A multigrid hierarchy as flat arrays; level l owns the slice that its table row names.

    Attributes
    ----------
    table : int64[levels, 5]    offset, length, nx (0: unstructured), sx, sy.
    cx, cy, cz : float32        Face conductances of the structured levels.
    inverse : float32           1 / diagonal; 0 in solids and padding.
    parent : int32              Index of the cell of the next level that a cell belongs to; -1 for none.
    csr : int64[levels, 2]      Offsets of an unstructured level in `start` and in `neighbour`.
    start, neighbour : int32    Compressed rows of the unstructured levels.
    c : float32                 Conductance to each neighbour.
    dense : float32[m, m]       Inverse of the coarsest level.
    x, b, r : float32           Work vectors: correction, right-hand side, residual.
    """

    table: NDArray[np.int64]
    cx: NDArray[np.float32]
    cy: NDArray[np.float32]
    cz: NDArray[np.float32]
    inverse: NDArray[np.float32]
    parent: NDArray[np.int32]
    csr: NDArray[np.int64]
    start: NDArray[np.int32]
    neighbour: NDArray[np.int32]
    c: NDArray[np.float32]
    dense: NDArray[np.float32]
    x: NDArray[np.float32]
    b: NDArray[np.float32]
    r: NDArray[np.float32]


@njit(**options)
def smooth(cx, cy, cz, inverse, b, x, weight, nx, sx, sy, out):
    """One damped Jacobi sweep: out = x + weight D^-1 (b - A x)."""
    lo = sx
    hi = (nx + 1) * sx
    o, f, d, xc = out[lo:hi], b[lo:hi], inverse[lo:hi], x[lo:hi]
    xw, xe = x[lo - sx : hi - sx], x[lo + sx : hi + sx]
    xs, xn = x[lo - sy : hi - sy], x[lo + sy : hi + sy]
    xb, xt = x[lo - 1 : hi - 1], x[lo + 1 : hi + 1]
    cw, ce = cx[lo:hi], cx[lo + sx : hi + sx]
    cs, cn = cy[lo:hi], cy[lo + sy : hi + sy]
    cb, ct = cz[lo:hi], cz[lo + 1 : hi + 1]
    for m in range(hi - lo):
        near = cw[m] * xw[m] + ce[m] * xe[m] + cs[m] * xs[m] + cn[m] * xn[m] + cb[m] * xb[m] + ct[m] * xt[m]
        o[m] = xc[m] + weight * (d[m] * (f[m] + near) - xc[m])


@njit(**options)
def smooth_from_zero(inverse, b, weight, out):
    """First sweep of a correction: out = weight D^-1 b."""
    for n in range(out.size):
        out[n] = weight * inverse[n] * b[n]


@njit(**options)
def residual(cx, cy, cz, b, x, nx, sx, sy, out):
    """Set out = b - A x."""
    lo = sx
    hi = (nx + 1) * sx
    o, f, xc = out[lo:hi], b[lo:hi], x[lo:hi]
    xw, xe = x[lo - sx : hi - sx], x[lo + sx : hi + sx]
    xs, xn = x[lo - sy : hi - sy], x[lo + sy : hi + sy]
    xb, xt = x[lo - 1 : hi - 1], x[lo + 1 : hi + 1]
    cw, ce = cx[lo:hi], cx[lo + sx : hi + sx]
    cs, cn = cy[lo:hi], cy[lo + sy : hi + sy]
    cb, ct = cz[lo:hi], cz[lo + 1 : hi + 1]
    for m in range(hi - lo):
        o[m] = (
            f[m]
            + cw[m] * (xw[m] - xc[m])
            + ce[m] * (xe[m] - xc[m])
            + cs[m] * (xs[m] - xc[m])
            + cn[m] * (xn[m] - xc[m])
            + cb[m] * (xb[m] - xc[m])
            + ct[m] * (xt[m] - xc[m])
        )


@njit(**options)
def apply(cx, cy, cz, x, nx, sx, sy, out):
    """Set out = A x; returns x . A x."""
    lo = sx
    hi = (nx + 1) * sx
    o, xc = out[lo:hi], x[lo:hi]
    xw, xe = x[lo - sx : hi - sx], x[lo + sx : hi + sx]
    xs, xn = x[lo - sy : hi - sy], x[lo + sy : hi + sy]
    xb, xt = x[lo - 1 : hi - 1], x[lo + 1 : hi + 1]
    cw, ce = cx[lo:hi], cx[lo + sx : hi + sx]
    cs, cn = cy[lo:hi], cy[lo + sy : hi + sy]
    cb, ct = cz[lo:hi], cz[lo + 1 : hi + 1]
    for m in range(hi - lo):
        o[m] = (
            cw[m] * (xc[m] - xw[m])
            + ce[m] * (xc[m] - xe[m])
            + cs[m] * (xc[m] - xs[m])
            + cn[m] * (xc[m] - xn[m])
            + cb[m] * (xc[m] - xb[m])
            + ct[m] * (xc[m] - xt[m])
        )
    return dot(x, out)


@njit(**options)
def dot(a, b):
    """Sum of a b; float32 within a block of 1024, float64 over the blocks."""
    total = 0.0
    size = a.size
    for first in range(0, size, 1024):
        last = min(first + 1024, size)
        p, q = a[first:last], b[first:last]
        part = np.float32(0)
        for m in range(last - first):
            part += p[m] * q[m]
        total += part
    return total


@njit(**options)
def sum_abs(a):
    """Sum of |a|; float32 within a block of 1024, float64 over the blocks."""
    total = 0.0
    size = a.size
    for first in range(0, size, 1024):
        p = a[first : min(first + 1024, size)]
        part = np.float32(0)
        for m in range(p.size):
            part += abs(p[m])
        total += part
    return total


@njit(**options)
def add_scaled(x, factor, out):
    """Add factor x to out."""
    f = np.float32(factor)
    for n in range(out.size):
        out[n] += f * x[n]


@njit(**options)
def restrict(fine, parent, out):
    """Sum of the cells of each parent."""
    out[:] = 0
    for n in range(parent.size):
        p = parent[n]
        if p >= 0:
            out[p] += fine[n]


@njit(**options)
def prolong(coarse, parent, out):
    """Add each parent's value to its cells."""
    for n in range(parent.size):
        p = parent[n]
        if p >= 0:
            out[n] += coarse[p]


@njit(**options)
def smooth_rows(start, neighbour, c, inverse, b, x, weight, out):
    """Damped Jacobi sweep of an unstructured level."""
    for n in range(out.size):
        near = b[n]
        for m in range(start[n], start[n + 1]):
            near += c[m] * x[neighbour[m]]
        out[n] = x[n] + weight * (inverse[n] * near - x[n])


@njit(**options)
def residual_rows(start, neighbour, c, b, x, out):
    """Set out = b - A x on an unstructured level."""
    for n in range(out.size):
        rest = b[n]
        for m in range(start[n], start[n + 1]):
            rest += c[m] * (x[neighbour[m]] - x[n])
        out[n] = rest


@njit(**options)
def cycle(levels):
    """One symmetric V(2,2)-cycle for A x = b of level 0, from x = 0; the answer is left in levels.x.

    Chebyshev pairs of Jacobi sweeps smooth, sums restrict, injection prolongs, a dense inverse ends it.
    """
    table = levels.table
    last = table.shape[0] - 1
    for level in range(last):
        first, size, nx, sx, sy = table[level]
        end = first + size
        x, b, r = levels.x[first:end], levels.b[first:end], levels.r[first:end]
        d = levels.inverse[first:end]
        smooth_from_zero(d, b, W1, r)
        if nx > 0:
            cx, cy, cz = levels.cx[first:end], levels.cy[first:end], levels.cz[first:end]
            smooth(cx, cy, cz, d, b, r, W2, nx, sx, sy, x)
            residual(cx, cy, cz, b, x, nx, sx, sy, r)
        else:
            row, entry = levels.csr[level]
            start, near, c = levels.start[row : row + size + 1], levels.neighbour[entry:], levels.c[entry:]
            smooth_rows(start, near, c, d, b, r, W2, x)
            residual_rows(start, near, c, b, x, r)
        after = table[level + 1, 0]
        restrict(r, levels.parent[first:end], levels.b[after : after + table[level + 1, 1]])
    first, size = table[last, 0], table[last, 1]
    for n in range(size):
        value = np.float32(0)
        row_of_inverse, rhs = levels.dense[n], levels.b[first : first + size]
        for m in range(size):
            value += row_of_inverse[m] * rhs[m]
        levels.x[first + n] = value
    for up in range(last):
        level = last - 1 - up
        first, size, nx, sx, sy = table[level]
        end = first + size
        x, b, r = levels.x[first:end], levels.b[first:end], levels.r[first:end]
        d = levels.inverse[first:end]
        after = table[level + 1, 0]
        prolong(levels.x[after : after + table[level + 1, 1]], levels.parent[first:end], x)
        if nx > 0:
            cx, cy, cz = levels.cx[first:end], levels.cy[first:end], levels.cz[first:end]
            smooth(cx, cy, cz, d, b, x, W2, nx, sx, sy, r)
            smooth(cx, cy, cz, d, b, r, W1, nx, sx, sy, x)
        else:
            row, entry = levels.csr[level]
            start, near, c = levels.start[row : row + size + 1], levels.neighbour[entry:], levels.c[entry:]
            smooth_rows(start, near, c, d, b, x, W2, r)
            smooth_rows(start, near, c, d, b, r, W1, x)


@njit(**options)
def conjugate_gradients(levels, x, direction, image, held, tolerance, iterations, history):
    """Solve A x = b by multigrid-preconditioned conjugate gradients; b is levels.b of level 0, x starts at 0.

    The cells of the list `held` keep x = 0; they must have b = 0, an inverse diagonal of 0 and no parent.
    Stops when sum |b - A x| <= tolerance or after `iterations`. On return levels.b of level 0 is the
    residual and history[i] is sum |b - A x| after i iterations. Returns the number of iterations.
    """
    size, nx, sx, sy = levels.table[0, 1], levels.table[0, 2], levels.table[0, 3], levels.table[0, 4]
    cx, cy, cz = levels.cx[:size], levels.cy[:size], levels.cz[:size]
    rest, z = levels.b[:size], levels.x[:size]
    x[:] = 0
    history[0] = sum_abs(rest)
    weight = 0.0
    for i in range(iterations):
        if not history[i] > tolerance:
            return i
        cycle(levels)
        weight_old, weight = weight, dot(rest, z)
        if i == 0:
            direction[:] = z
        else:
            beta = np.float32(weight / weight_old)
            for n in range(size):
                direction[n] = z[n] + beta * direction[n]
        curvature = apply(cx, cy, cz, direction, nx, sx, sy, image)
        for n in held:
            image[n] = 0
        if not curvature > 0.0:
            return i
        step = weight / curvature
        add_scaled(direction, step, x)
        add_scaled(image, -step, rest)
        history[i + 1] = sum_abs(rest)
    return iterations
