"""BiCGStab with incomplete factors against direct solves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array, diags_array, kron
from scipy.sparse.linalg import splu

from solvers.errors import ConvergenceError, GridMismatchError
from solvers.linear import krylov
from solvers.linear.krylov import SparseSolver


def upwind_square(n=20, peclet=5.0):
    """Advection and diffusion on a square, 5 points: nonsymmetric, an M-matrix."""
    line = diags_array([-(1 + peclet), 2 + peclet, -1.0], offsets=[-1, 0, 1], shape=(n, n))
    one = diags_array(np.ones(n))
    matrix = csr_array(kron(line, one) + kron(one, line))
    matrix.sort_indices()
    return matrix


def solver_of(matrix, **options):
    start, column = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32)
    return SparseSolver(start, column, matrix.data.copy(), **options)


@pytest.mark.parametrize("columns", [None, 1, 8, 11])
@pytest.mark.parametrize("relaxation", [0.0, 0.5])
def test_solves_as_a_direct_solver_does(columns, relaxation):
    matrix = upwind_square()
    shape = matrix.shape[0] if columns is None else (matrix.shape[0], columns)
    b = np.random.default_rng(0).normal(size=shape)
    solver = solver_of(matrix, relaxation=relaxation)
    x = solver.solve(b, 1e-12)
    assert x.shape == b.shape
    # condition number about 1e2, so the residual's 1e-12 is 1e-10 of the answer
    assert np.abs(x - splu(matrix.tocsc()).solve(b)).max() < 1e-10 * np.abs(x).max()
    assert 0 < solver.iterations < 40


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


def test_incomplete_factors_are_complete_where_nothing_falls_outside():
    # a tridiagonal matrix fills nothing in, so L U = A and one application solves
    matrix = csr_array(diags_array([-1.0, 3.0, -1.5], offsets=[-1, 0, 1], shape=(50, 50)))
    b = np.arange(50.0)
    found = solver_of(matrix, relaxation=0.7).approximate(b)
    assert np.abs(found - splu(matrix.tocsc()).solve(b)).max() < 1e-12 * np.abs(found).max()
    assert solver_of(matrix).apply(b) == pytest.approx(matrix @ b, rel=1e-14)


def test_kernels_as_python():
    matrix = upwind_square(4)
    solver = solver_of(matrix)
    b = np.random.default_rng(0).normal(size=(16, 2))
    lanes, out = (0.0, 0.0), np.zeros((16, 2))
    system = (solver._start, solver._column)
    krylov.multiply.py_func(*system, solver._value, b, lanes, out)
    assert out == pytest.approx(matrix @ b, rel=1e-14)
    values, inverse = solver._value.copy(), np.zeros(16)
    place = np.full(16, -1, dtype=np.int32)
    krylov.factorise.py_func(*system, values, place, solver._diagonal, 0.0, inverse)
    assert values == pytest.approx(solver._lower_upper, rel=1e-14)
    krylov.precondition.py_func(*system, values, solver._diagonal, inverse, b, lanes, out)
    assert out[:, 1] == pytest.approx(solver.approximate(b[:, 1]), rel=1e-12)


def test_no_answer_is_said():
    # a closed loop: constants give 0, so a right-hand side that does not add up to 0 has no answer
    ring = diags_array([np.ones(1), 2 * np.ones(9), np.ones(8)], offsets=[8, 0, -1], shape=(9, 9)).toarray()
    matrix = 3 * np.eye(9) - ring
    matrix -= np.diag(matrix.sum(axis=1))
    with pytest.raises(ConvergenceError, match="no answer"):
        solver_of(csr_array(matrix)).solve(np.ones(9), 1e-10)


def test_a_diagonal_is_needed():
    with pytest.raises(GridMismatchError, match="diagonal"):
        solver_of(csr_array(np.array([[0.0, 1.0], [1.0, 1.0]])))
