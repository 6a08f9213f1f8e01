"""Preconditioner of sparse nonsymmetric systems: aggregation multigrid, smoothed by incomplete LU.

Blocks of 2 x 2 x 2 cells become one unknown of the next level, split where a plate or a solid divides them;
coarse matrices are the sums of what is inside (Galerkin with injection)::

    r_l+1 = sum of r_l over each aggregate        down: nothing is smoothed, so the residual is r itself
    x_l   = x_l+1 of the aggregate                up
    x_l  += U^-1 L^-1 (r_l - A_l x_l)             one sweep with the incomplete factors L U of A_l

The factors carry heat along the flow, the coarse levels spread it over the room: iterations do not grow with
the grid nor with the time step. Vectors are [n, lanes]: the matrix is read once for all columns. `lanes` is a
tuple of as many zeros; its length is known when a kernel compiles, so the inner loops unroll.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from solvers.errors import GridMismatchError
from solvers.linear.kernels import options

_COARSEST = 50  # unknowns of a level that need none below
_PAYS = 0.7  # unknowns of the next level over those of this one

Vector = NDArray[np.float64]
Index = NDArray[np.int32]
Ints = NDArray[np.int64]


class Cycle(NamedTuple):
    """All levels as flat arrays; rows of `table` say where each begins.

    Attributes
    ----------
    table : int64[levels, 4]    First unknown, unknowns, first entry, first of `start`.
    start, column, diagonal : int32    Compressed rows; entries count from the first of the level.
    parent : int32    Unknown of the next level, counted from its first.
    value : float64    A of each level.
    lower_upper, inverse : float64    Its incomplete factors; 1 / diagonal of U.
    dense : float64[m, m]    Inverse of the coarsest level.
    """

    table: Ints
    start: Index
    column: Index
    diagonal: Index
    parent: Index
    value: Vector
    lower_upper: Vector
    inverse: Vector
    dense: Vector


@njit(**options)
def factorise(start, column, value, place, diagonal, inverse):
    """Overwrite A by its incomplete factors ILU(0): L and U keep the pattern of A.

    Row i is eliminated with the rows k < i that it refers to; L has a unit diagonal.

    Parameters
    ----------
    start, column : int32    Columns of a row ascend.
    value : float64[e]    Overwritten.
    place : int32[n]    Scratch, all -1.
    diagonal : int32[n]    Entry of the diagonal in each row.
    inverse : float64[n]    1 / diagonal of U; overwritten.
    """
    for i in range(start.size - 1):
        for e in range(start[i], start[i + 1]):
            place[column[e]] = e
        for e in range(start[i], diagonal[i]):
            k = column[e]
            factor = value[e] * inverse[k]
            value[e] = factor
            for f in range(diagonal[k] + 1, start[k + 1]):
                at = place[column[f]]
                if at >= 0:
                    value[at] -= factor * value[f]
        for e in range(start[i], start[i + 1]):
            place[column[e]] = -1
        inverse[i] = 1.0 / value[diagonal[i]]


@njit(**options)
def correct(start, column, value, lower_upper, diagonal, inverse, r, lanes, x, d):
    """Add U^-1 L^-1 (r - A x) to x; d is scratch."""
    n = start.size - 1
    for i in range(n):
        for c in range(len(lanes)):
            d[i, c] = r[i, c]
        for e in range(start[i], diagonal[i]):
            a, low, j = value[e], lower_upper[e], column[e]
            for c in range(len(lanes)):
                d[i, c] -= a * x[j, c] + low * d[j, c]
        for e in range(diagonal[i], start[i + 1]):
            a, j = value[e], column[e]
            for c in range(len(lanes)):
                d[i, c] -= a * x[j, c]
    for back in range(n):
        i = n - 1 - back
        for e in range(diagonal[i] + 1, start[i + 1]):
            u, j = lower_upper[e], column[e]
            for c in range(len(lanes)):
                d[i, c] -= u * d[j, c]
        for c in range(len(lanes)):
            d[i, c] *= inverse[i]
    for i in range(n):
        for c in range(len(lanes)):
            x[i, c] += d[i, c]


@njit(**options)
def gather(parent, r, lanes, out):
    """Sum r over each aggregate; out is overwritten."""
    out[:] = 0.0
    for i in range(parent.size):
        j = parent[i]
        for c in range(len(lanes)):
            out[j, c] += r[i, c]


@njit(**options)
def spread(parent, coarse, lanes, out):
    """Give each unknown the value of its aggregate."""
    for i in range(parent.size):
        j = parent[i]
        for c in range(len(lanes)):
            out[i, c] = coarse[j, c]


@njit(**options)
def apply_dense(dense, r, lanes, out):
    """Multiply by the inverse of the coarsest level."""
    for i in range(r.shape[0]):
        for c in range(len(lanes)):
            out[i, c] = 0.0
        for j in range(r.shape[0]):
            a = dense[i, j]
            for c in range(len(lanes)):
                out[i, c] += a * r[j, c]


@njit(**options)
def cycle(levels, b, lanes, r, x, d, out):
    """Set out to about A^-1 b; r, x and d are scratch for all levels, [unknowns, lanes]."""
    last = levels.table.shape[0] - 1
    for level in range(last):
        a, m = levels.table[level, 0], levels.table[level, 1]
        fine = b if level == 0 else r[a : a + m]
        gather(levels.parent[a : a + m], fine, lanes, r[a + m : a + m + levels.table[level + 1, 1]])
    for up in range(last + 1):
        level = last - up
        a, m, e, s = levels.table[level]
        right, answer = (b, out) if level == 0 else (r[a : a + m], x[a : a + m])
        if up == 0:
            apply_dense(levels.dense, right, lanes, answer)
            continue
        end = levels.table[level + 1, 2]
        spread(levels.parent[a : a + m], x[a + m :], lanes, answer)
        correct(
            levels.start[s : s + m + 1],
            levels.column[e:end],
            levels.value[e:end],
            levels.lower_upper[e:end],
            levels.diagonal[a : a + m],
            levels.inverse[a : a + m],
            right,
            lanes,
            answer,
            d[a : a + m],
        )


class _Level(NamedTuple):
    """Pattern of one level, and where its unknowns and entries go on the next."""

    start: Index
    column: Index
    diagonal: Index
    parent: Ints
    slot: Ints


class Hierarchy:
    """Levels of a pattern of compressed rows; `levels_of` fills in values.

    Parameters
    ----------
    start, column : int32[n + 1], int32[e]    Columns ascend in each row and hold the diagonal.
    position : int64[n, 3]    Indices of the cell that each unknown belongs to. [-]
    kind : int64[n]
        0: unknowns that share a block merge where the pattern joins them; 1: they merge in any case;
        2: they never merge.

    Attributes
    ----------
    sizes : list of int    Unknowns of each level. [-]
    space : tuple, optional    Work arrays of the solver.

    Raises
    ------
    GridMismatchError : a row has no entry on the diagonal.
    """

    def __init__(self, start: Index, column: Index, position: Ints, kind: Ints) -> None:
        self.sizes: list[int] = []
        self.space: tuple[Vector, Vector] | None = None
        self._levels: list[_Level] = []
        while True:
            size = start.size - 1
            self.sizes.append(size)
            rows = np.repeat(np.arange(size), np.diff(start))
            diagonal = np.flatnonzero(rows == column)
            if diagonal.size != size:
                raise GridMismatchError("matrix: a row has no entry on the diagonal.")
            parent = _aggregates(rows, column, position // 2, kind)
            count = int(parent.max(initial=-1)) + 1
            if size <= _COARSEST or count > _PAYS * size:
                none = np.zeros(0, dtype=np.int64)
                self._levels.append(_Level(start, column, diagonal.astype(np.int32), none, none))
                break
            keys, slot = np.unique(parent[rows] * count + parent[column], return_inverse=True)
            self._levels.append(_Level(start, column, diagonal.astype(np.int32), parent, slot))
            start = np.concatenate([[0], np.cumsum(np.bincount(keys // count, minlength=count))]).astype(
                np.int32
            )
            column = (keys % count).astype(np.int32)
            first = np.zeros(count, dtype=np.int64)
            first[parent[::-1]] = np.arange(size)[::-1]
            position, kind = position[first] // 2, kind[first]
        self._allocate()

    def levels_of(self, value: Vector) -> Cycle:
        """Sum up coarse matrices and factorise each level.

        Parameters
        ----------
        value : float64[e]    Of the pattern.
        """
        values = [np.asarray(value, dtype=np.float64)]
        for level, below in zip(self._levels[:-1], self._levels[1:], strict=True):
            sums = np.bincount(level.slot, weights=values[-1], minlength=below.column.size)
            values.append(np.asarray(sums, dtype=np.float64))
        flat = np.concatenate(values)
        factors, inverse = flat.copy(), np.zeros(int(sum(self.sizes)))
        for number, level in enumerate(self._levels):
            a, m, e, _ = self._table[number]
            place = np.full(m, -1, dtype=np.int32)
            entries = factors[e : e + level.column.size]
            factorise(level.start, level.column, entries, place, level.diagonal, inverse[a : a + m])
        pattern = (self._table, self._start, self._column, self._diagonal, self._parent)
        last, size = self._levels[-1], self.sizes[-1]
        dense = np.zeros((size, size))
        dense[np.repeat(np.arange(size), np.diff(last.start)), last.column] = values[-1]
        return Cycle(*pattern, flat, factors, inverse, _inverse(dense))

    def _allocate(self) -> None:
        entries = np.cumsum([0] + [level.column.size for level in self._levels[:-1]])
        unknowns = np.cumsum([0, *self.sizes[:-1]])
        starts = unknowns + np.arange(len(self.sizes))
        self._table = np.stack([unknowns, np.array(self.sizes), entries, starts], axis=1).astype(np.int64)
        self._start, self._column, self._diagonal, self._parent = (
            np.concatenate([np.asarray(level[field], dtype=np.int32) for level in self._levels])
            for field in range(4)
        )


def _inverse(dense: Vector) -> Vector:
    """Inverse of the coarsest level; the pseudo-inverse where no temperature is held."""
    try:
        found = np.linalg.inv(dense)
    except np.linalg.LinAlgError:
        found = np.linalg.pinv(dense)
    return np.asarray(found, dtype=np.float64)


def _aggregates(rows: Ints, column: Index, block: Ints, kind: Ints) -> Ints:
    """Return the number of the aggregate of each unknown, in the order of their first members."""
    size = kind.size
    span = block.max(axis=0, initial=0) + 1
    key = ((kind * span[0] + block[:, 0]) * span[1] + block[:, 1]) * span[2] + block[:, 2]
    key = np.where(kind == 2, -1 - np.arange(size), key)
    joined = (key[rows] == key[column]) & (kind[rows] == 0)
    one, other = rows[joined], column[joined]
    loose = np.flatnonzero(kind == 1)
    _, first, which = np.unique(key[loose], return_index=True, return_inverse=True)
    one, other = (
        np.concatenate([one, loose]),
        np.concatenate([other, loose[first[which]] if loose.size else loose]),
    )
    graph = coo_array((np.ones(one.size, dtype=np.int8), (one, other)), shape=(size, size))
    count, label = connected_components(graph, directed=False)
    earliest = np.full(count, size)
    np.minimum.at(earliest, label, np.arange(size))
    rank = np.empty(count, dtype=np.int64)
    rank[np.argsort(earliest)] = np.arange(count)
    return rank[label]
