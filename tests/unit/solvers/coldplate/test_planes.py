"""Kernels of the planes against dense matrices, compiled and not."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.coldplate import planes

SHAPE = 3, 4, 3


def random_system(skips: bool, seed: int = 0):
    """Symmetric planes, nonsymmetric between them; diagonally dominant."""
    rng = np.random.default_rng(seed)
    ny, nx, nz = SHAPE
    across, up = rng.random((ny, nx - 1, nz)), rng.random((ny, nx, nz - 1))
    skip = rng.random((ny, nx, nz - 2)) if skips else np.zeros((ny, nx, 0))
    before, after = rng.random(SHAPE) - 0.6, rng.random(SHAPE) - 0.4
    before[0] = after[-1] = 0.0
    diagonal = 9.0 + rng.random(SHAPE)
    return across, up, skip, diagonal, before, after


def dense(across, up, skip, diagonal, before, after):
    """Write A out."""
    ny, nx, nz = SHAPE
    matrix = np.zeros((ny, nx, nz, ny, nx, nz))
    for j in range(ny):
        for i in range(nx):
            for k in range(nz):
                matrix[j, i, k, j, i, k] = diagonal[j, i, k]
                if j > 0:
                    matrix[j, i, k, j - 1, i, k] = before[j, i, k]
                if j + 1 < ny:
                    matrix[j, i, k, j + 1, i, k] = after[j, i, k]
                if i > 0:
                    matrix[j, i, k, j, i - 1, k] = matrix[j, i - 1, k, j, i, k] = -across[j, i - 1, k]
                if k > 0:
                    matrix[j, i, k, j, i, k - 1] = matrix[j, i, k - 1, j, i, k] = -up[j, i, k - 1]
                if k > 1 and skip.size:
                    matrix[j, i, k, j, i, k - 2] = matrix[j, i, k - 2, j, i, k] = -skip[j, i, k - 2]
    return matrix.reshape(ny * nx * nz, -1)


@pytest.mark.parametrize("skips", [False, True])
@pytest.mark.parametrize("multiply", [planes.multiply, planes.multiply.py_func])
def test_multiply_is_the_matrix(multiply, skips):
    system = random_system(skips)
    x, out = np.random.default_rng(1).random(SHAPE), np.empty(SHAPE)
    multiply(*system, x, out)
    # rounding of a dozen terms of order 10
    np.testing.assert_allclose(out.reshape(-1), dense(*system) @ x.reshape(-1), atol=1e-13)


@pytest.mark.parametrize("gather", [planes.gather_plane, planes.gather_plane.py_func])
def test_a_gathered_band_is_the_lower_triangle_of_its_plane(gather):
    system = random_system(skips=True)
    across, up, skip, *_ = system
    ny, nx, nz = SHAPE
    n, j = nx * nz, 1
    band = np.full((n, nz), np.nan)
    gather(across, up, skip, j, band)
    plane = dense(*system)[j * n : (j + 1) * n, j * n : (j + 1) * n]
    for r in range(n):
        for k in range(nz):
            expected = plane[r, r - nz + k] if r - nz + k >= 0 else 0.0
            assert band[r, k] == expected  # copied, nothing is computed
    without = np.empty((n, nz))
    gather(across, up, np.zeros((ny, nx, 0)), j, without)
    assert np.count_nonzero(band) - np.count_nonzero(without) == nx * (nz - 2)  # only links over a cell


@pytest.mark.parametrize("compiled", [True, False])
def test_a_band_is_factorised_as_a_matrix_is_inverted(compiled):
    factorise = planes.factorise_band if compiled else planes.factorise_band.py_func
    solve = planes.solve_band if compiled else planes.solve_band.py_func
    rng = np.random.default_rng(2)
    n, width = 9, 3
    band = rng.random((n, width)) - 0.5
    diagonal = 4.0 + rng.random(n)
    matrix = np.diag(diagonal)
    for r in range(n):
        for k in range(max(0, width - r), width):
            matrix[r, r - width + k] = matrix[r - width + k, r] = band[r, k]
    b = rng.random(n)
    x = b.copy()
    assert factorise(band, diagonal)
    solve(band, diagonal, x)
    np.testing.assert_allclose(x, np.linalg.solve(matrix, b), rtol=1e-12)  # rounding, well conditioned


def test_a_band_that_is_not_positive_is_refused():
    assert not planes.factorise_band(np.zeros((2, 1)), np.array([1.0, -1.0]))
    assert not planes.factorise_band(np.zeros((2, 1)), np.array([1.0, np.nan]))


def factors_of(system, compiled=True):
    ny, nx, nz = SHAPE
    across, up, skip, diagonal, before, after = system
    flat = (ny, nx * nz)
    factors, inverse = np.empty((*flat, nz)), np.empty(flat)
    factorise = planes.factorise if compiled else planes.factorise.py_func
    failed = factorise(
        across, up, skip, diagonal.reshape(flat), before.reshape(flat), after.reshape(flat),
        np.empty((nx * nz, nz)), np.empty(nx * nz), factors, inverse,
    )  # fmt: skip
    assert failed == -1
    return factors, inverse, before.reshape(flat), after.reshape(flat)


@pytest.mark.parametrize("compiled", [True, False])
def test_the_preconditioner_is_exact_for_a_uniform_temperature(compiled):
    system = random_system(skips=True)
    parts = factors_of(system, compiled)
    flat = parts[1].shape
    ones = np.ones(SHAPE)
    b = (dense(*system) @ ones.reshape(-1)).reshape(flat)
    out = np.empty(flat)
    precondition = planes.precondition if compiled else planes.precondition.py_func
    precondition(*parts, b, np.empty(flat[1]), out)
    np.testing.assert_allclose(out, 1.0, rtol=1e-12)  # by construction of the row sums


def test_planes_without_neighbours_are_solved_exactly():
    across, up, skip, diagonal, before, after = random_system(skips=True)
    system = across, up, skip, diagonal, 0.0 * before, 0.0 * after
    parts = factors_of(system)
    b, out = np.random.default_rng(3).random(parts[1].shape), np.empty(parts[1].shape)
    planes.precondition(*parts, b, np.empty(b.shape[1]), out)
    np.testing.assert_allclose(out.reshape(-1), np.linalg.solve(dense(*system), b.reshape(-1)), rtol=1e-12)


def test_a_plane_that_cannot_be_factorised_is_numbered():
    across, up, skip, diagonal, before, after = random_system(skips=False)
    diagonal[1] = -1.0
    ny, nx, nz = SHAPE
    flat = (ny, nx * nz)
    failed = planes.factorise(
        across, up, skip, diagonal.reshape(flat), before.reshape(flat), after.reshape(flat),
        np.empty((nx * nz, nz)), np.empty(nx * nz), np.empty((*flat, nz)), np.empty(flat),
    )  # fmt: skip
    assert failed == 1
