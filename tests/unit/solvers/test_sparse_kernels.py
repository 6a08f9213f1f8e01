"""Kernels of the sparse solver against dense matrices; double precision, several right-hand sides."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from solvers.linear import aggregation, krylov
from solvers.linear.aggregation import Hierarchy

LANES = (0.0,) * 8  # as many as SparseSolver takes at a time
WIDTH = len(LANES)
SIDE = 7
ROUNDING = 1e-12  # sums of some ten products in double precision, times a condition of some hundred


@pytest.fixture
def rng():
    return np.random.default_rng(4)


class System:
    """Upwind advection and diffusion on a cube with random conductances: nonsymmetric, an M-matrix."""

    def __init__(self, rng, side=SIDE):
        n = side**3
        index = np.arange(n).reshape(side, side, side)
        self.full = np.zeros((n, n))
        for axis in range(3):
            low, high = np.moveaxis(index, axis, 0)[:-1].ravel(), np.moveaxis(index, axis, 0)[1:].ravel()
            spread, carried = rng.uniform(0.2, 1, low.size), rng.uniform(0, 3, low.size)
            np.add.at(self.full, (low, low), spread + carried)
            np.add.at(self.full, (high, high), spread)
            self.full[low, high] -= spread
            self.full[high, low] -= spread + carried
        self.full[np.arange(n), np.arange(n)] += 0.05
        matrix = csr_array(self.full)
        matrix.sort_indices()
        self.start, self.column = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32)
        self.value = matrix.data.copy()
        self.rows = np.repeat(np.arange(n), np.diff(self.start))
        self.diagonal = np.flatnonzero(self.rows == self.column).astype(np.int32)
        self.position = np.stack(np.unravel_index(np.arange(n), (side, side, side)), axis=1)

    def incomplete(self):
        """L and U of ILU(0), straight from the textbook: Gauss without what falls outside the pattern."""
        found, inside = self.full.copy(), self.full != 0
        for i in range(len(found)):
            for k in np.flatnonzero(inside[i, :i]):
                found[i, k] /= found[k, k]
                found[i, k + 1 :] -= found[i, k] * found[k, k + 1 :] * inside[i, k + 1 :]
        return np.tril(found, -1) + np.eye(len(found)), np.triu(found)

    def factors(self, pick):
        value, inverse = self.value.copy(), np.zeros(self.start.size - 1)
        place = np.full(inverse.size, -1, dtype=np.int32)
        pick(aggregation.factorise)(self.start, self.column, value, place, self.diagonal, inverse)
        return value, inverse, place


@pytest.fixture
def system(rng):
    return System(rng, 4)


def test_product(system, rng, pick):
    x, out = rng.normal(size=(64, WIDTH)), np.full((64, WIDTH), 7.0)
    pick(krylov.multiply)(system.start, system.column, system.value, x, LANES, out)
    assert out == pytest.approx(system.full @ x, abs=ROUNDING)


def test_vector_updates(rng, pick):
    x, y, p, v = rng.normal(size=(4, 20, WIDTH))
    a, b, out = *rng.normal(size=(2, WIDTH)), np.full(WIDTH, 7.0)
    pick(krylov.inner)(x, y, LANES, out)
    assert out == pytest.approx([x[:, c] @ y[:, c] for c in range(WIDTH)], abs=ROUNDING)
    found = np.zeros((20, WIDTH))
    pick(krylov.combine)(x, a, y, LANES, found)
    assert found == pytest.approx(x + a * y, abs=ROUNDING)
    expected = x + a * (p - b * v)
    pick(krylov.next_direction)(x, p, v, a, b, LANES)
    assert p == pytest.approx(expected, abs=ROUNDING)


def test_incomplete_factors(system, pick):
    low, up = system.incomplete()
    value, inverse, place = system.factors(pick)
    expected = np.where(
        system.rows > system.column, low[system.rows, system.column], up[system.rows, system.column]
    )
    assert value == pytest.approx(expected, rel=ROUNDING, abs=ROUNDING)
    assert inverse == pytest.approx(1 / np.diag(up), rel=ROUNDING)
    assert (place == -1).all()  # ready for the next matrix


def test_correction_by_incomplete_factors(system, rng, pick):
    low, up = system.incomplete()
    r, x = rng.normal(size=(2, 64, WIDTH))
    value, inverse, _ = system.factors(lambda kernel: kernel)
    expected = x + np.linalg.solve(low @ up, r - system.full @ x)
    pick(aggregation.correct)(
        system.start,
        system.column,
        system.value,
        value,
        system.diagonal,
        inverse,
        r,
        LANES,
        x,
        np.zeros((64, WIDTH)),
    )
    assert x == pytest.approx(expected, abs=ROUNDING * np.abs(expected).max())


def test_transfers_and_the_coarsest_level(rng, pick):
    parent = np.array([0, 0, 2, 1, 2, 2], dtype=np.int32)
    merge = np.zeros((3, 6))
    merge[parent, np.arange(6)] = 1
    fine, coarse, dense = rng.normal(size=(6, WIDTH)), np.full((3, WIDTH), 7.0), rng.normal(size=(3, 3))
    pick(aggregation.gather)(parent, fine, LANES, coarse)
    assert coarse == pytest.approx(merge @ fine, abs=ROUNDING)
    out = np.full((6, WIDTH), 7.0)
    pick(aggregation.spread)(parent, coarse, LANES, out)
    assert out == pytest.approx(merge.T @ coarse, abs=ROUNDING)
    answer = np.full((3, WIDTH), 7.0)
    pick(aggregation.apply_dense)(dense, coarse, LANES, answer)
    assert answer == pytest.approx(dense @ coarse, abs=ROUNDING)


def textbook_cycle(levels, b, A, number=0):
    """Sum down, spread up, one correction with the incomplete factors of each Galerkin matrix."""
    a, m = levels.table[number, :2]
    if number + 1 == levels.table.shape[0]:
        return np.linalg.solve(A, b)
    merge = np.zeros((int(levels.table[number + 1, 1]), m))
    merge[levels.parent[a : a + m], np.arange(m)] = 1
    x = merge.T @ textbook_cycle(levels, merge @ b, merge @ A @ merge.T, number + 1)
    found, inside = A.copy(), A != 0
    for i in range(m):
        for k in np.flatnonzero(inside[i, :i]):
            found[i, k] /= found[k, k]
            found[i, k + 1 :] -= found[i, k] * found[k, k + 1 :] * inside[i, k + 1 :]
    low, up = np.tril(found, -1) + np.eye(m), np.triu(found)
    return x + np.linalg.solve(up, np.linalg.solve(low, b - A @ x))


@pytest.fixture
def large(rng):
    system = System(rng)
    hierarchy = Hierarchy(system.start, system.column, system.position, np.zeros(SIDE**3, dtype=np.int64))
    assert len(hierarchy.sizes) >= 3
    return system, hierarchy, hierarchy.levels_of(system.value)


def test_the_cycle(large, rng, pick):
    system, hierarchy, levels = large
    b, out = rng.normal(size=(SIDE**3, WIDTH)), np.zeros((SIDE**3, WIDTH))
    scratch = np.zeros((3, sum(hierarchy.sizes), WIDTH))
    pick(aggregation.cycle)(levels, b, LANES, *scratch, out)
    expected = textbook_cycle(levels, b, system.full)
    assert out == pytest.approx(
        expected, abs=100 * ROUNDING * np.abs(expected).max()
    )  # inverse of the coarsest


def test_stabilised_conjugate_gradients(large, rng, pick):
    # van der Vorst 1992 with the preconditioner on the right, one column after the other
    system, hierarchy, levels = large
    n, steps = SIDE**3, 4
    b = rng.normal(size=(n, WIDTH))
    shadow = b + rng.normal(size=b.shape)
    x, work, sums = np.zeros((n, WIDTH)), np.zeros((7, n, WIDTH)), np.zeros((9, WIDTH))
    work[0], work[1] = b, shadow
    scratch = np.zeros((3, sum(hierarchy.sizes), WIDTH))
    done = pick(krylov.stabilised)(
        system.start,
        system.column,
        system.value,
        levels,
        x,
        work,
        scratch,
        np.zeros(WIDTH),
        steps,
        LANES,
        sums,
    )
    assert done == steps
    for c in range(WIDTH):
        r, found = b[:, c].copy(), np.zeros(n)
        rho = alpha = omega = 1.0
        p = v = np.zeros(n)
        for _ in range(steps):
            before, rho = rho, shadow[:, c] @ r
            beta = rho / before * alpha / omega
            p = r + beta * (p - omega * v)
            y = textbook_cycle(levels, p, system.full)
            v = system.full @ y
            alpha = rho / (shadow[:, c] @ v)
            s = r - alpha * v
            z = textbook_cycle(levels, s, system.full)
            t = system.full @ z
            omega = (t @ s) / (t @ t)
            found += alpha * y + omega * z
            r = s - omega * t
        # rounding grows by the ratio of the residuals, 1e4 in four steps
        assert x[:, c] == pytest.approx(found, abs=1e-8 * np.abs(found).max())
        assert np.linalg.norm(r) < 1e-2 * np.linalg.norm(b[:, c])


def test_a_column_that_has_arrived_rests(large, rng):
    system, hierarchy, levels = large
    b = rng.normal(size=(SIDE**3, WIDTH))
    x, work, sums = np.zeros(b.shape), np.zeros((7, *b.shape)), np.zeros((9, WIDTH))
    work[0] = work[1] = b
    target = np.zeros(WIDTH)
    target[1] = 1e9
    scratch = np.zeros((3, sum(hierarchy.sizes), WIDTH))
    krylov.stabilised(
        system.start, system.column, system.value, levels, x, work, scratch, target, 3, LANES, sums
    )
    assert not x[:, 1].any()
    assert x[:, [0, 2]].any(axis=0).all()
