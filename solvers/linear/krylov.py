"""Sparse nonsymmetric systems A x = b in float64: BiCGStab with `aggregation`, several b at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import get_num_threads, njit

from solvers.errors import ConvergenceError
from solvers.linear.aggregation import Hierarchy, Index, Vector, cycle
from solvers.linear.kernels import options

_LANES = 8  # right-hand sides that share the reads of the matrix
_RESTARTS = 20  # from the true residual
_NORMAL = 1e-28  # squared cosine of residual and shadow that stops an iteration


@njit(**options)
def multiply(start, column, value, x, lanes, out):
    """Set out to A x."""
    for i in range(start.size - 1):
        for c in range(len(lanes)):
            out[i, c] = 0.0
        for e in range(start[i], start[i + 1]):
            a, j = value[e], column[e]
            for c in range(len(lanes)):
                out[i, c] += a * x[j, c]


@njit(**options)
def inner(x, y, lanes, out):
    """Set out[c] to x[:, c] . y[:, c]."""
    for c in range(len(lanes)):
        out[c] = 0.0
    for i in range(x.shape[0]):
        for c in range(len(lanes)):
            out[c] += x[i, c] * y[i, c]


@njit(**options)
def combine(x, a, y, lanes, out):
    """Set out to x + a y."""
    for i in range(x.shape[0]):
        for c in range(len(lanes)):
            out[i, c] = x[i, c] + a[c] * y[i, c]


@njit(**options)
def next_direction(r, p, v, beta, omega, lanes):
    """Set p to r + beta (p - omega v)."""
    for i in range(r.shape[0]):
        for c in range(len(lanes)):
            p[i, c] = r[i, c] + beta[c] * (p[i, c] - omega[c] * v[i, c])


@njit(**options)
def stabilised(start, column, value, levels, x, work, scratch, target, iterations, lanes, sums):
    """Improve x by BiCGStab with the preconditioner on the right (van der Vorst 1992).

    Columns are independent of each other. One that has converged rests; so does one that broke down, its
    residual being normal to its shadow: restart it with another.

    Parameters
    ----------
    start, column : int32    Pattern of A.
    value : float64[e]    A.
    levels : Cycle    Of the preconditioner.
    x : float64[n, lanes]    Where to start; overwritten by the answer.
    work : float64[7, n, lanes]    On entry the first holds the residual, the second its shadow.
    scratch : float64[3, unknowns of all levels, lanes]
    target : float64[lanes]    Squared norm of the residual to reach.
    iterations : int    At most.
    lanes : tuple of float    As long as there are columns.
    sums : float64[9, lanes]    Scratch.

    Returns
    -------
    int    Iterations.
    """
    # unpacked, the parts would lose their layout: slower, and compiled a second time
    r, shadow, p, v, q, t, y = work[0], work[1], work[2], work[3], work[4], work[5], work[6]
    rr, rho, rho_old, alpha, beta = sums[0], sums[1], sums[2], sums[3], sums[4]
    omega, minus, other, size = sums[5], sums[6], sums[7], sums[8]
    inner(r, r, lanes, rr)
    inner(shadow, shadow, lanes, size)
    p[:] = 0.0
    v[:] = 0.0
    for c in range(len(lanes)):
        rho_old[c] = alpha[c] = omega[c] = 1.0
    for iteration in range(iterations):
        inner(shadow, r, lanes, rho)
        busy = False
        for c in range(len(lanes)):
            works = rr[c] > target[c] and rho[c] * rho[c] > _NORMAL * size[c] * rr[c]
            works = works and rho_old[c] != 0.0 and omega[c] != 0.0
            beta[c] = rho[c] / rho_old[c] * alpha[c] / omega[c] if works else 0.0
            rho_old[c] = rho[c] if works else 0.0
            busy = busy or works
        if not busy:
            return iteration
        next_direction(r, p, v, beta, omega, lanes)
        cycle(levels, p, lanes, scratch[0], scratch[1], scratch[2], q)
        multiply(start, column, value, q, lanes, v)
        inner(shadow, v, lanes, other)
        for c in range(len(lanes)):
            alpha[c] = rho_old[c] / other[c] if other[c] != 0.0 else 0.0
            minus[c] = -alpha[c]
        combine(x, alpha, q, lanes, x)
        combine(r, minus, v, lanes, r)
        cycle(levels, r, lanes, scratch[0], scratch[1], scratch[2], y)
        multiply(start, column, value, y, lanes, t)
        inner(t, t, lanes, other)
        inner(t, r, lanes, omega)
        for c in range(len(lanes)):
            omega[c] = omega[c] / other[c] if other[c] > 0.0 and alpha[c] != 0.0 else 0.0
            minus[c] = -omega[c]
        combine(x, omega, y, lanes, x)
        combine(r, minus, t, lanes, r)
        inner(r, r, lanes, rr)
    return iterations


class SparseSolver:
    """A matrix and its preconditioner; solvers of one hierarchy share work arrays: one thread at a time.

    Parameters
    ----------
    hierarchy : Hierarchy    Of the pattern.
    start, column : int32[n + 1], int32[e]    The pattern.
    value : float64[e]
    near : float64[e], optional    Values that the preconditioner is made of; `value` by default.

    Attributes
    ----------
    iterations : int    Of the last solve, the slowest block.
    """

    def __init__(
        self, hierarchy: Hierarchy, start: Index, column: Index, value: Vector, near: Vector | None = None
    ) -> None:
        self.iterations = 0
        self._start, self._column, self._value = start, column, value
        self._levels = hierarchy.levels_of(value if near is None else near)
        self._hierarchy = hierarchy

    def apply(self, x: Vector) -> Vector:
        """Return A x for one vector, [n]."""
        out = np.zeros((x.size, 1))
        multiply(self._start, self._column, self._value, np.ascontiguousarray(x).reshape(-1, 1), (0.0,), out)
        return out[:, 0]

    def approximate(self, b: Vector) -> Vector:
        """Return about A^-1 b for one vector, [n]: one application of the preconditioner."""
        out, (_, scratch) = np.zeros((b.size, 1)), self._space(1)
        right = np.ascontiguousarray(b).reshape(-1, 1)
        cycle(self._levels, right, (0.0,), scratch[0], scratch[1], scratch[2], out)
        return out[:, 0]

    def solve(
        self,
        b: Vector,
        tolerance: float = 1e-10,
        floor: float = 0.0,
        start: Vector | None = None,
        iterations: int = 1000,
    ) -> Vector:
        """Solve A x = b.

        Parameters
        ----------
        b : float64[n] or float64[n, m]
        tolerance : float    |b - A x| / |b| to reach, Euclidean, column by column. [-]
        floor : float    Or |b - A x|, where that is larger. [unit of b]
        start : float64, shape of b, optional    First guess; 0 by default.
        iterations : int    At most, per block of columns.

        Returns
        -------
        float64, shape of b

        Raises
        ------
        ConvergenceError : a column has not converged; its history holds |b - A x| / |b| of each restart.
        """
        columns = np.ascontiguousarray(b, dtype=np.float64).reshape(self._start.size - 1, -1)
        x = (
            np.zeros_like(columns)
            if start is None
            else np.array(start, dtype=np.float64).reshape(columns.shape)
        )
        width = 1 if columns.shape[1] == 1 else _LANES
        blocks = [slice(at, at + width) for at in range(0, columns.shape[1], width)]

        def run(block: slice) -> int:
            return self._solve_block(columns[:, block], x[:, block], tolerance, floor, iterations, width)

        if len(blocks) > 1 and get_num_threads() > 1:
            with ThreadPoolExecutor(get_num_threads()) as pool:
                counts = list(pool.map(run, blocks))
        else:
            counts = [run(block) for block in blocks]
        self.iterations = max(counts, default=0)
        return x.reshape(np.shape(b))

    def _space(self, width: int) -> tuple[Vector, Vector]:
        """Work arrays; those of one column are kept, for fresh memory costs as much as an iteration."""
        if width > 1 or self._hierarchy.space is None:
            size = self._start.size - 1
            fresh = np.zeros((9, size, width)), np.zeros((3, sum(self._hierarchy.sizes), width))
            if width > 1:
                return fresh
            self._hierarchy.space = fresh
        return self._hierarchy.space

    def _solve_block(self, b: Vector, x: Vector, tolerance, floor, iterations: int, width: int) -> int:
        """Solve for up to `width` columns, writing into x; the iterations taken."""
        size, count = b.shape
        lanes = (0.0,) * width
        system = (self._start, self._column, self._value)
        work, scratch = self._space(width)
        right, answer, sums = work[7], work[8], np.zeros((9, width))
        right[:, count:] = answer[:, count:] = 0.0
        right[:, :count], answer[:, :count] = b, x
        noise = np.random.default_rng(0)
        norm = np.sqrt(np.einsum("ij,ij->j", right, right))
        answer[:, norm == 0] = 0.0
        target = np.maximum(tolerance * norm, floor) ** 2
        history, done = [], 0
        for _ in range(_RESTARTS):
            multiply(*system, answer, lanes, work[0])
            np.subtract(right, work[0], out=work[0])
            left = np.einsum("ij,ij->j", work[0], work[0])
            history.append(float(np.max(np.sqrt(left) / np.where(norm > 0, norm, 1.0))))
            if not np.isfinite(left).all():
                break
            if (left <= target).all():
                x[:] = answer[:, :count]
                return done
            if done >= iterations:
                break
            # a shadow of a few cells alone is soon normal to what the flow carries out of them
            work[1] = work[0] + np.sqrt(left / size) * noise.standard_normal((size, width))
            done += stabilised(
                *system,
                self._levels,
                answer,
                work[:7],
                scratch,
                0.5 * target,
                iterations - done,
                lanes,
                sums,
            )
        raise ConvergenceError(
            f"a linear system of {size} unknowns stopped at |b - A x| / |b| = {history[-1]:.2g} after {done} "
            f"iterations; {tolerance:.2g} was asked. It may have no answer: check that heat can leave.",
            history,
        )
