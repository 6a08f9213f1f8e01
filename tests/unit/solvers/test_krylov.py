"""BiCGStab with aggregation multigrid against direct solves and textbook loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array, diags_array, kron
from scipy.sparse.linalg import splu

from solvers.errors import ConvergenceError, GridMismatchError
from solvers.linear import aggregation
from solvers.linear.aggregation import Hierarchy
from solvers.linear.krylov import SparseSolver


def upwind_square(n=20, peclet=5.0):
    """Advection and diffusion on a square, 5 points: nonsymmetric, an M-matrix."""
    line = diags_array([-(1 + peclet), 2 + peclet, -1.0], offsets=(-1, 0, 1), shape=(n, n))
    one = diags_array(np.ones(n))
    matrix = csr_array(kron(line, one) + kron(one, line))
    matrix.sort_indices()
    return matrix


def square_positions(n):
    i, j = np.divmod(np.arange(n * n), n)
    return np.stack([i, j, 0 * i], axis=1)


def solver_of(matrix, position=None, kind=None):
    start, column = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32)
    size = matrix.shape[0]
    if position is None:
        position = square_positions(round(size**0.5))
    hierarchy = Hierarchy(start, column, position, np.zeros(size, dtype=np.int64) if kind is None else kind)
    return SparseSolver(hierarchy, start, column, matrix.data.copy())


@pytest.mark.parametrize("columns", [None, 1, 8, 11])
def test_solves_as_a_direct_solver_does(columns):
    matrix = upwind_square()
    shape = matrix.shape[0] if columns is None else (matrix.shape[0], columns)
    b = np.random.default_rng(0).normal(size=shape)
    solver = solver_of(matrix)
    x = solver.solve(b, 1e-12)
    assert x.shape == b.shape
    # condition number about 1e2, so the residual's 1e-12 is 1e-10 of the answer
    assert np.abs(x - splu(matrix.tocsc()).solve(b)).max() < 1e-10 * np.abs(x).max()
    assert 0 < solver.iterations < 20


def test_iterations_hardly_grow_with_the_grid():
    counts = []
    for n in (20, 40, 80):
        solver = solver_of(upwind_square(n, peclet=0.05))
        solver.solve(np.ones(n * n), 1e-8)
        counts.append(solver.iterations)
    # diffusion alone is the worst case of aggregation; without coarse levels the count doubles each time
    assert counts[-1] < 2.5 * counts[0], counts


def test_columns_that_need_nothing_rest():
    b = np.random.default_rng(0).normal(size=(400, 3))
    b[:, 1] = 0
    x = solver_of(upwind_square()).solve(b)
    assert (x[:, 1] == 0).all()
    assert np.abs(x[:, 0]).max() > 0


def test_a_good_start_needs_no_iteration():
    solver = solver_of(upwind_square())
    b = np.ones(400)
    x = solver.solve(b, 1e-10)
    solver.solve(b, 1e-9, start=x)
    assert solver.iterations == 0
    solver.solve(b, 1e-10, floor=1e3)
    assert solver.iterations == 0


def test_a_source_in_one_cell_does_not_break_the_iteration():
    b = np.zeros(400)
    b[-1] = 1.0  # everything else lies upstream
    matrix = upwind_square()
    x = solver_of(matrix).solve(b, 1e-12)
    assert np.abs(matrix @ x - b).max() < 1e-11


def test_factors_are_complete_where_nothing_falls_outside():
    # a tridiagonal matrix fills nothing in, so L U = A and one application solves
    matrix = csr_array(diags_array([-1.0, 3.0, -1.5], offsets=(-1, 0, 1), shape=(50, 50)))
    b = np.arange(50.0)
    position = np.stack([np.arange(50), 0 * np.arange(50), 0 * np.arange(50)], axis=1)
    solver = solver_of(matrix, position)
    assert np.abs(solver.approximate(b) - splu(matrix.tocsc()).solve(b)).max() < 1e-12 * 50
    assert solver.apply(b) == pytest.approx(matrix @ b, rel=1e-14)


def test_blocks_split_where_nothing_joins_them():
    # a row of 8 cells with a plate in the middle of a block, two layers in one block, two units
    size = 12
    pairs = [(0, 1), (1, 2), (3, 4), (4, 5), (5, 6), (6, 7), (0, 8), (1, 9), (0, 10), (7, 11)]
    full = np.eye(size) * 9
    for a, b in pairs:
        full[a, b] = full[b, a] = -1
    rows, columns = np.nonzero(full)
    block = np.zeros((size, 3), dtype=np.int64)
    block[:8, 0] = np.arange(8) // 2
    kind = np.repeat([0, 1, 2], [8, 2, 2])
    found = aggregation._aggregates(rows, columns.astype(np.int32), block, kind)
    assert found.tolist() == [0, 0, 1, 2, 3, 3, 4, 4, 5, 5, 6, 7]


def test_coarse_matrices_are_sums():
    matrix = upwind_square(20)
    start, column = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32)
    hierarchy = Hierarchy(start, column, square_positions(20), np.zeros(400, dtype=np.int64))
    assert hierarchy.sizes == [400, 100, 25]
    levels = hierarchy.levels_of(matrix.data)
    inject = np.zeros((400, 100))
    inject[np.arange(400), levels.parent[:400]] = 1.0
    first, last = levels.table[1, 2], levels.table[2, 2]
    begin = levels.table[1, 3]
    coarse = csr_array(
        (levels.value[first:last], levels.column[first:last], levels.start[begin : begin + 101]),
        shape=(100, 100),
    )
    assert coarse.toarray() == pytest.approx(inject.T @ matrix.toarray() @ inject, abs=1e-12)


def test_no_answer_is_said():
    # a closed loop: constants give 0, so a right-hand side that does not add up to 0 has no answer
    matrix = csr_array(np.diag(3.0 * np.ones(16)) - np.roll(np.diag(3.0 * np.ones(16)), 1, axis=0))
    with pytest.raises(ConvergenceError, match="no answer"):
        solver_of(matrix).solve(np.ones(16), 1e-10)


def test_a_diagonal_is_needed():
    with pytest.raises(GridMismatchError, match="diagonal"):
        solver_of(csr_array(np.array([[0.0, 1.0], [1.0, 1.0]])), np.zeros((2, 3), dtype=np.int64))
