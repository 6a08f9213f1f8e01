"""Direct solution of sparse systems whose pattern never changes: LU without pivots, ordered once.

Made for networks: a few hundred unknowns, nearly trees, symmetric pattern, diagonally dominant. Ordering and
fill are found when the network is built; a solve then costs tens of microseconds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solvers.linear.kernels import options

Index = NDArray[np.int64]
Vector = NDArray[np.float64]


class Pattern(NamedTuple):
    """Ordered pattern of a sparse matrix with its fill; see `analyse`.

    Attributes
    ----------
    order : int64[n]    Unknown that is eliminated as the i-th.
    start, column : int64[n + 1], int64[e]    Rows in that order, columns ascending.
    middle : int64[n]    Where the diagonal of each row lies.
    diagonal : int64[n]    The same by unknown instead of by row.
    off_diagonal : int64[pairs, 2]    Where entries (i, j) and (j, i) of each given pair lie.
    """

    order: Index
    start: Index
    column: Index
    middle: Index
    diagonal: Index
    off_diagonal: Index


def analyse(size: int, pairs: Index) -> Pattern:
    """Order the unknowns by least degree and find the fill.

    Parameters
    ----------
    size : int    Unknowns.
    pairs : int64[pairs, 2]    Unknowns that share an equation; both directions get an entry.

    Returns
    -------
    Pattern

    Source : George and Liu 1981, Computer Solution of Large Sparse Positive Definite Systems, ch. 5.
    Check  : tests/unit/solvers/coolant/test_factor.py
    """
    beside: list[set[int]] = [set() for _ in range(size)]
    for i, j in pairs.tolist():
        if i != j:
            beside[i].add(j)
            beside[j].add(i)
    order, rows = _eliminate(beside)
    place = np.empty(size, dtype=np.int64)
    place[order] = np.arange(size)
    filled: list[list[int]] = [[] for _ in range(size)]
    for row, others in enumerate(rows):  # upper part; its mirror is the lower
        columns = [int(place[o]) for o in others]
        filled[row].extend([row, *columns])
        for column in columns:
            filled[column].append(row)
    start = np.concatenate([[0], np.cumsum([len(row) for row in filled])]).astype(np.int64)
    column = np.array([c for row in filled for c in sorted(row)], dtype=np.int64)
    where = {}
    for row in range(size):
        for at in range(start[row], start[row + 1]):
            where[row, int(column[at])] = at
    middle = np.array([where[i, i] for i in range(size)], dtype=np.int64)
    mirror = [
        (where[int(place[i]), int(place[j])], where[int(place[j]), int(place[i])]) for i, j in pairs.tolist()
    ]
    off = np.array(mirror, dtype=np.int64).reshape(-1, 2)
    return Pattern(np.array(order, dtype=np.int64), start, column, middle, middle[place], off)


def _eliminate(beside: list[set[int]]) -> tuple[list[int], list[list[int]]]:
    """Order of least degree, and who is left beside each unknown when its turn comes."""
    buckets: dict[int, set[int]] = {}
    for i, others in enumerate(beside):
        buckets.setdefault(len(others), set()).add(i)
    order, rows = [], []
    for _ in range(len(beside)):
        degree = min(d for d, members in buckets.items() if members)
        chosen = min(buckets[degree])
        buckets[degree].remove(chosen)
        others = beside[chosen]
        for o in others:
            buckets[len(beside[o])].remove(o)
        for o in others:
            beside[o].discard(chosen)
            beside[o] |= others
            beside[o].discard(o)
            buckets.setdefault(len(beside[o]), set()).add(o)
        order.append(chosen)
        rows.append(sorted(others))
    return order, rows


@njit(**options)
def factorise(start, column, middle, value, work):
    """Overwrite value by L (unit diagonal) and U, row by row.

    Parameters
    ----------
    start, column, middle : int64    Of the pattern.
    value : float64[e]    Matrix on entry, its factors on return.
    work : float64[n]    Scratch; zeros on entry and on return.

    Returns
    -------
    int    Row of the first pivot that vanishes, -1 if none.
    """
    for i in range(middle.size):
        for at in range(start[i], start[i + 1]):
            work[column[at]] = value[at]
        for at in range(start[i], middle[i]):
            k = column[at]
            factor = work[k] / value[middle[k]]
            work[k] = factor
            for other in range(middle[k] + 1, start[k + 1]):
                work[column[other]] -= factor * value[other]
        for at in range(start[i], start[i + 1]):
            value[at] = work[column[at]]
            work[column[at]] = 0.0
        if not abs(value[middle[i]]) > 0.0:
            return i
    return -1


@njit(**options)
def substitute(order, start, column, middle, value, b, work, x):
    """Set x to the solution for the right-hand side b with the factors in value.

    Parameters
    ----------
    order, start, column, middle : int64    Of the pattern.
    value : float64[e]    From `factorise`.
    b : float64[n]
    work : float64[n]    Scratch; zeros on return.
    x : float64[n]    Overwritten.
    """
    n = middle.size
    for i in range(n):
        total = b[order[i]]
        for at in range(start[i], middle[i]):
            total -= value[at] * work[column[at]]
        work[i] = total
    for i in range(n - 1, -1, -1):
        total = work[i]
        for at in range(middle[i] + 1, start[i + 1]):
            total -= value[at] * work[column[at]]
        work[i] = total / value[middle[i]]
    for i in range(n):
        x[order[i]] = work[i]
        work[i] = 0.0
