"""Terms of the pressure solver: masked seven-point operator, smoothers, transfers, sums.

Cells of a structured level lie flat in one array with a layer of padding, so that the neighbours of cell n
are n - sx, n + sx, n - sy, n + sy, n - 1, n + 1::

    c_z[n+1]      c_d[n] : conductance of the face between cell n - s_d and cell n; 0 where closed.
      |           (A x)_n = sum over the six faces of c (x_n - x_neighbour)
      n --c_x[n+sx]--

Padding and solids have no conductance and an inverse diagonal of 0, so they stay 0; so do held cells.

A kernel works on one slab: the sx cells that share i, at `at` = i sx. `here` is x in the slab, `west` and
`east` are x in the slabs beside it. Slabs of a sweep follow each other closely, so that a slab is still in
the cache when the next sweep, the residual and the sum over coarse cells want it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from solvers.linear.threads import options

# roots of the Chebyshev polynomial on the upper part of the spectrum of D^-1 A, [0.35, 2]
_ROOTS = 1.175 + 0.825 * np.cos(np.pi * (2 * np.arange(1, 3) - 1) / 4)
W1 = np.float32(1 / _ROOTS[0])
W2 = np.float32(1 / _ROOTS[1])


@njit(**options)
def smooth(cx, cy, cz, inverse, b, west, here, east, weight, at, sx, sy, out):
    """One damped Jacobi sweep of a slab: out = x + weight D^-1 (b - A x)."""
    lo, hi = sy, sx - sy
    first, last = at + lo, at + hi
    f, d = b[first:last], inverse[first:last]
    cw, ce = cx[first:last], cx[first + sx : last + sx]
    cs, cn = cy[first:last], cy[first + sy : last + sy]
    cb, ct = cz[first:last], cz[first + 1 : last + 1]
    xw, xe, xc, o = west[lo:hi], east[lo:hi], here[lo:hi], out[lo:hi]
    xs, xn = here[lo - sy : hi - sy], here[lo + sy : hi + sy]
    xb, xt = here[lo - 1 : hi - 1], here[lo + 1 : hi + 1]
    for m in range(hi - lo):
        near = cw[m] * xw[m] + ce[m] * xe[m] + cs[m] * xs[m] + cn[m] * xn[m] + cb[m] * xb[m] + ct[m] * xt[m]
        o[m] = xc[m] + weight * (d[m] * (f[m] + near) - xc[m])


@njit(**options)
def smooth_from_zero(inverse, b, weight, at, sx, sy, out):
    """First sweep of a correction: out = weight D^-1 b."""
    f, d, o = b[at + sy : at + sx - sy], inverse[at + sy : at + sx - sy], out[sy : sx - sy]
    for m in range(o.size):
        o[m] = weight * d[m] * f[m]


@njit(**options)
def residual(cx, cy, cz, b, west, here, east, at, sx, sy, out):
    """Set out = b - A x in a slab."""
    lo, hi = sy, sx - sy
    first, last = at + lo, at + hi
    f = b[first:last]
    cw, ce = cx[first:last], cx[first + sx : last + sx]
    cs, cn = cy[first:last], cy[first + sy : last + sy]
    cb, ct = cz[first:last], cz[first + 1 : last + 1]
    xw, xe, xc, o = west[lo:hi], east[lo:hi], here[lo:hi], out[lo:hi]
    xs, xn = here[lo - sy : hi - sy], here[lo + sy : hi + sy]
    xb, xt = here[lo - 1 : hi - 1], here[lo + 1 : hi + 1]
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
def apply(cx, cy, cz, west, here, east, at, sx, sy, out):
    """Set out = A x in a slab."""
    lo, hi = sy, sx - sy
    first, last = at + lo, at + hi
    cw, ce = cx[first:last], cx[first + sx : last + sx]
    cs, cn = cy[first:last], cy[first + sy : last + sy]
    cb, ct = cz[first:last], cz[first + 1 : last + 1]
    xw, xe, xc, o = west[lo:hi], east[lo:hi], here[lo:hi], out[lo:hi]
    xs, xn = here[lo - sy : hi - sy], here[lo + sy : hi + sy]
    xb, xt = here[lo - 1 : hi - 1], here[lo + 1 : hi + 1]
    for m in range(hi - lo):
        o[m] = (
            cw[m] * (xc[m] - xw[m])
            + ce[m] * (xc[m] - xe[m])
            + cs[m] * (xc[m] - xs[m])
            + cn[m] * (xc[m] - xn[m])
            + cb[m] * (xc[m] - xb[m])
            + ct[m] * (xc[m] - xt[m])
        )


@njit(**options)
def exact_residual(cx, cy, cz, b, x, sx, sy, out):
    """Set out = b - A x in float64, in all cells between the first and the last slab."""
    for n in range(sx, out.size - sx):
        out[n] = (
            b[n]
            + cx[n] * (x[n - sx] - x[n])
            + cx[n + sx] * (x[n + sx] - x[n])
            + cy[n] * (x[n - sy] - x[n])
            + cy[n + sy] * (x[n + sy] - x[n])
            + cz[n] * (x[n - 1] - x[n])
            + cz[n + 1] * (x[n + 1] - x[n])
        )


@njit(**options)
def restrict(one, two, both, first_y, first_z, sy, coarse_sy, row, out):
    """Sum of the cells of one slab, or of two if both = 1, in each cell of a coarse slab.

    Coarse cell J begins at fine cell first_y[J] and holds one or two; `row` is scratch.
    """
    for J in range(first_y.size - 1):
        a, b = first_y[J] + 1, first_y[J + 1]
        pair = np.float32(b - a)
        p, q = one[a * sy : (a + 1) * sy], one[b * sy : (b + 1) * sy]
        r, s = two[a * sy : (a + 1) * sy], two[b * sy : (b + 1) * sy]
        for k in range(sy):
            row[k] = p[k] + pair * q[k] + both * (r[k] + pair * s[k])
        cells, sums = row[1:sy], out[(J + 1) * coarse_sy + 1 : (J + 2) * coarse_sy - 1]
        for K in range(sums.size):
            c, d = first_z[K], first_z[K + 1] - 1
            sums[K] = cells[c] + np.float32(d - c) * cells[d]


@njit(**options)
def stretch(coarse, rows, owner_z, sy, coarse_sy, out):
    """Give each fine k the value of the coarse cell that holds it, in all rows of a coarse slab."""
    for J in range(1, rows + 1):
        row = coarse[J * coarse_sy + 1 : (J + 1) * coarse_sy - 1]
        cells = out[J * sy + 1 : (J + 1) * sy - 1]
        for k in range(cells.size):
            cells[k] = row[owner_z[k]]
        out[J * sy] = out[(J + 1) * sy - 1] = 0


@njit(**options)
def prolong(x, stretched, first_y, sy, out):
    """Set out = x + the value of the coarse cell that holds each cell of a slab."""
    out[:sy] = 0
    out[(first_y[first_y.size - 1] + 1) * sy :] = 0
    for J in range(first_y.size - 1):
        row = stretched[(J + 1) * sy : (J + 2) * sy]
        for j in range(first_y[J] + 1, first_y[J + 1] + 1):
            cells, values = out[j * sy : (j + 1) * sy], x[j * sy : (j + 1) * sy]
            for k in range(sy):
                cells[k] = values[k] + row[k]


@njit(**options)
def total(a):
    """Sum of a; float32 within a block of 1024, float64 over the blocks."""
    out = 0.0
    size = a.size
    for first in range(0, size, 1024):
        p = a[first : min(first + 1024, size)]
        part = np.float32(0)
        for m in range(p.size):
            part += p[m]
        out += part
    return out


@njit(**options)
def subtract_inside(b, inside, value, out):
    """Set out = b - value where inside > 0, else 0."""
    for n in range(out.size):
        out[n] = b[n] - value if inside[n] > 0 else np.float32(0)


@njit(**options)
def subtract_mean(region, number, count, out):
    """Take the mean over one region off a field."""
    mine = region.dtype.type(number)
    mean = 0.0
    for first in range(0, out.size, 1024):
        part, r = out[first : first + 1024], region[first : first + 1024]
        sum_of_block = np.float32(0)
        for m in range(part.size):
            sum_of_block += part[m] if r[m] == mine else np.float32(0)
        mean += sum_of_block
    value = np.float32(mean / count)
    for n in range(out.size):
        out[n] -= value if region[n] == mine else np.float32(0)


@njit(**options)
def subtract_means(b, region, open_region, count, mean, out):
    """Set out = b less its mean over each region that is not open; 0 outside. `mean` is scratch."""
    mean[:] = 0
    for n in range(out.size):
        if region[n] >= 0:
            mean[region[n]] += b[n]
    for m in range(mean.size):
        mean[m] = 0.0 if open_region[m] else mean[m] / count[m]
    for n in range(out.size):
        out[n] = b[n] - np.float32(mean[region[n]]) if region[n] >= 0 else np.float32(0)


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
def add_to_scaled(x, factor, out):
    """Set out = x + factor out."""
    f = np.float32(factor)
    for n in range(out.size):
        out[n] = x[n] + f * out[n]


@njit(**options)
def smooth_rows(start, neighbour, c, inverse, b, x, weight, lo, hi, out):
    """Damped Jacobi sweep of the rows lo to hi of an unstructured level."""
    for n in range(lo, hi):
        near = b[n]
        for m in range(start[n], start[n + 1]):
            near += c[m] * x[neighbour[m]]
        out[n] = x[n] + weight * (inverse[n] * near - x[n])


@njit(**options)
def residual_rows(start, neighbour, c, b, x, lo, hi, out):
    """Set out = b - A x in the rows lo to hi of an unstructured level."""
    for n in range(lo, hi):
        rest = b[n]
        for m in range(start[n], start[n + 1]):
            rest += c[m] * (x[neighbour[m]] - x[n])
        out[n] = rest


@njit(**options)
def gather(fine, start, member, lo, hi, out):
    """Sum of the members of the coarse cells lo to hi."""
    for n in range(lo, hi):
        total = np.float32(0)
        for m in range(start[n], start[n + 1]):
            total += fine[member[m]]
        out[n] = total


@njit(**options)
def scatter(coarse, start, member, lo, hi, out):
    """Add the values of the coarse cells lo to hi to their members."""
    for n in range(lo, hi):
        for m in range(start[n], start[n + 1]):
            out[member[m]] += coarse[n]
