"""Sparse nonsymmetric systems A x = b in float64: BiCGStab with an incomplete LU, several b at once.

Compressed rows. The incomplete factors L U stand for A^-1 in the iteration::

        | d u . . |     ILU(0): L and U keep the pattern of A. Row i is eliminated with the rows k < i that
    A = | l d u . |     it refers to; a part `relaxation` of what falls outside the pattern goes onto the
        | . l d u |     diagonal (Chan and van der Vorst 1997).

Vectors are [n, lanes]: the matrix is read once for all of them. `lanes` is a tuple of as many zeros as
there are columns; its length is known when a kernel compiles, so the inner loops unroll.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import get_num_threads, njit
from numpy.typing import NDArray

from solvers.errors import ConvergenceError, GridMismatchError
from solvers.linear.kernels import options

_LANES = 8  # right-hand sides that share the reads of the matrix
_RESTARTS = 20  # from the true residual
_NORMAL = 1e-28  # squared cosine of residual and shadow that stops an iteration

Vector = NDArray[np.float64]


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
def factorise(start, column, value, place, diagonal, relaxation, inverse):
    """Overwrite the values of A by its incomplete factors; unit diagonal in L, 1 / diagonal of U apart.

    place : int32[n], all -1    Scratch.
    diagonal : int32[n]    Entry of the diagonal in each row; columns of a row ascend.
    """
    for i in range(start.size - 1):
        for e in range(start[i], start[i + 1]):
            place[column[e]] = e
        lost = 0.0
        for e in range(start[i], diagonal[i]):
            k = column[e]
            factor = value[e] * inverse[k]
            value[e] = factor
            for f in range(diagonal[k] + 1, start[k + 1]):
                at = place[column[f]]
                if at >= 0:
                    value[at] -= factor * value[f]
                else:
                    lost += factor * value[f]
        for e in range(start[i], start[i + 1]):
            place[column[e]] = -1
        value[diagonal[i]] -= relaxation * lost
        inverse[i] = 1.0 / value[diagonal[i]]


@njit(**options)
def precondition(start, column, value, diagonal, inverse, b, lanes, out):
    """Set out to U^-1 L^-1 b."""
    n = start.size - 1
    for i in range(n):
        for c in range(len(lanes)):
            out[i, c] = b[i, c]
        for e in range(start[i], diagonal[i]):
            a, j = value[e], column[e]
            for c in range(len(lanes)):
                out[i, c] -= a * out[j, c]
    for back in range(n):
        i = n - 1 - back
        for e in range(diagonal[i] + 1, start[i + 1]):
            a, j = value[e], column[e]
            for c in range(len(lanes)):
                out[i, c] -= a * out[j, c]
        for c in range(len(lanes)):
            out[i, c] *= inverse[i]


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
def stabilised(
    start, column, value, lower_upper, diagonal, inverse, x, work, target, iterations, lanes, sums
):
    """Improve x by BiCGStab with the preconditioner on the right (van der Vorst 1992).

    Columns are independent of each other. One that has converged rests; so does one that broke down, its
    residual being normal to its shadow: restart it with another.

    Parameters
    ----------
    work : float64[7, n, lanes]    On entry the first holds the residual, the second its shadow.
    target : float64[lanes]    Squared norm of the residual to reach.
    sums : float64[9, lanes]    Scratch.

    Returns
    -------
    int    Iterations.
    """
    r, shadow, p, v, q, t, y = work
    rr, rho, rho_old, alpha, beta, omega, minus, other, size = sums
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
        precondition(start, column, lower_upper, diagonal, inverse, p, lanes, q)
        multiply(start, column, value, q, lanes, v)
        inner(shadow, v, lanes, other)
        for c in range(len(lanes)):
            alpha[c] = rho_old[c] / other[c] if other[c] != 0.0 else 0.0
            minus[c] = -alpha[c]
        combine(x, alpha, q, lanes, x)
        combine(r, minus, v, lanes, r)
        precondition(start, column, lower_upper, diagonal, inverse, r, lanes, y)
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
    """A matrix in compressed rows with incomplete factors of itself or of one that is near it.

    Parameters
    ----------
    start, column : int32[n + 1], int32[e]    Columns ascend in each row and hold the diagonal.
    value : float64[e]    None of the diagonal may be 0.
    near : float64[e], optional    Values of the matrix to factorise, better conditioned; `value` by default.
    relaxation : float    Part of the dropped fill that goes onto the diagonal. [-]

    Attributes
    ----------
    iterations : int    Of the last solve, the slowest block.
    """

    def __init__(
        self,
        start: NDArray[np.int32],
        column: NDArray[np.int32],
        value: Vector,
        near: Vector | None = None,
        relaxation: float = 0.0,
    ) -> None:
        size = start.size - 1
        self.iterations = 0
        self._start, self._column, self._value = start, column, value
        rows = np.repeat(np.arange(size, dtype=np.int32), np.diff(start))
        self._diagonal = np.flatnonzero(rows == column).astype(np.int32)
        if self._diagonal.size != size:
            raise GridMismatchError("matrix: a row has no entry on the diagonal.")
        self._lower_upper = np.array(value if near is None else near, dtype=np.float64)
        self._inverse = np.zeros(size)
        place = np.full(size, -1, dtype=np.int32)
        factors = (self._lower_upper, place, self._diagonal, float(relaxation), self._inverse)
        factorise(start, column, *factors)

    def apply(self, x: Vector) -> Vector:
        """Return A x for one vector, [n]."""
        out = np.zeros((x.size, 1))
        multiply(self._start, self._column, self._value, np.ascontiguousarray(x).reshape(-1, 1), (0.0,), out)
        return out[:, 0]

    def approximate(self, b: Vector) -> Vector:
        """Return U^-1 L^-1 b for one vector, [n]: what A^-1 b is about."""
        out = np.zeros((b.size, 1))
        factors = (self._start, self._column, self._lower_upper, self._diagonal, self._inverse)
        precondition(*factors, np.ascontiguousarray(b.reshape(-1, 1)), (0.0,), out)
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
        columns = np.ascontiguousarray(b, dtype=np.float64).reshape(self._inverse.size, -1)
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

    def _solve_block(self, b: Vector, x: Vector, tolerance, floor, iterations: int, width: int) -> int:
        """Solve for up to `width` columns, writing into x; the iterations taken."""
        size, count = b.shape
        lanes = (0.0,) * width
        system = (self._start, self._column, self._value)
        right, answer = np.zeros((size, width)), np.zeros((size, width))
        right[:, :count], answer[:, :count] = b, x
        work, sums = np.empty((7, size, width)), np.zeros((9, width))
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
                self._lower_upper,
                self._diagonal,
                self._inverse,
                answer,
                work,
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
