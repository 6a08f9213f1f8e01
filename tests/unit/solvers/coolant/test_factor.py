"""The sparse LU against numpy's dense solver."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.coolant.factor import analyse, factorise, substitute


def assemble(size, pairs, rng):
    pattern = analyse(size, pairs)
    value, dense = np.zeros(pattern.column.size), np.zeros((size, size))
    for (i, j), (upper, lower) in zip(pairs, pattern.off_diagonal, strict=True):
        one, other = -rng.random(2)
        value[upper] += one
        value[lower] += other
        dense[i, j] += one
        dense[j, i] += other
    for i in range(size):
        value[pattern.diagonal[i]] = dense[i, i] = 0.1 - dense[i].sum()
    return pattern, value, dense


@pytest.mark.parametrize("seed", range(4))
def test_solutions_are_those_of_the_dense_matrix(seed):
    rng = np.random.default_rng(seed)
    size = 60
    tree = np.column_stack([rng.integers(0, np.arange(1, size)), np.arange(1, size)])
    links = rng.integers(0, size, (25, 2))
    pairs = np.concatenate(
        [tree, tree[:5], links[links[:, 0] != links[:, 1]]]
    )  # some twice: parallel branches
    pattern, value, dense = assemble(size, pairs, rng)
    b, work, x = rng.standard_normal(size), np.zeros(size), np.empty(size)
    assert factorise(pattern.start, pattern.column, pattern.middle, value, work) == -1
    substitute(pattern.order, pattern.start, pattern.column, pattern.middle, value, b, work, x)
    np.testing.assert_allclose(x, np.linalg.solve(dense, b), rtol=1e-10)  # rounding, condition below 1e3
    assert not work.any()


def test_a_tree_has_no_fill():
    size = 200
    pairs = np.column_stack([np.arange(1, size) // 2, np.arange(1, size)])
    pattern = analyse(size, pairs)
    assert pattern.column.size == size + 2 * (size - 1)


def test_a_singular_matrix_names_its_row():
    pairs = np.array([[0, 1], [1, 2]])
    pattern = analyse(3, pairs)
    value = np.zeros(pattern.column.size)
    value[pattern.off_diagonal] = -1.0
    value[pattern.diagonal] = [1.0, 2.0, 1.0]  # nothing held: the constant is free
    assert factorise(pattern.start, pattern.column, pattern.middle, value, np.zeros(3)) == 2


def test_loops_and_compiled_code_agree():
    rng = np.random.default_rng(9)
    pairs = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [0, 2]])
    pattern, value, _ = assemble(4, pairs, rng)
    again, work = value.copy(), np.zeros(4)
    factorise(pattern.start, pattern.column, pattern.middle, value, work)
    factorise.py_func(pattern.start, pattern.column, pattern.middle, again, work)
    np.testing.assert_allclose(value, again, rtol=1e-14)
