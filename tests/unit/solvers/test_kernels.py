"""The kernels' Python bodies against textbook NumPy on small random fields."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.airflow import closures, kernels
from solvers.linear import kernels as linear
from solvers.linear.multigrid import flat_cells, padded, strides

SHAPE = (3, 4, 3)
SX, SY = strides(SHAPE)
NX = SHAPE[0]
SIZE = int(np.prod(padded(SHAPE)))
CELLS = flat_cells(SHAPE)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def field(rng, inside=True):
    values = rng.normal(size=SIZE).astype(np.float32)
    if inside:
        kept = np.zeros(SIZE, dtype=np.float32)
        kept[CELLS] = values[CELLS]
        return kept
    return values


def conductances(rng):
    """Open inner faces with random conductance; closed at the walls."""
    c = [np.zeros(SIZE, dtype=np.float32) for _ in range(3)]
    c[0][CELLS[1:]] = 0.5 + rng.random(CELLS[1:].shape)
    c[1][CELLS[:, 1:]] = 0.5 + rng.random(CELLS[:, 1:].shape)
    c[2][CELLS[:, :, 1:]] = 0.5 + rng.random(CELLS[:, :, 1:].shape)
    return c


def matrix(c):
    A = np.zeros((SIZE, SIZE))
    for coefficient, s in zip(c, (SX, SY, 1), strict=True):
        for n in np.flatnonzero(coefficient):
            value = float(coefficient[n])
            A[n, n] += value
            A[n - s, n - s] += value
            A[n, n - s] -= value
            A[n - s, n] -= value
    return A


def both(kernel):
    return [kernel, kernel.py_func]


@pytest.mark.parametrize("compiled", [0, 1])
def test_operator_residual_and_sweep(rng, compiled):
    c, x, b = conductances(rng), field(rng), field(rng)
    A = matrix(c)
    diagonal = A.diagonal()
    inverse = np.divide(1, diagonal, out=np.zeros(SIZE), where=diagonal > 0).astype(np.float32)
    out = np.zeros(SIZE, dtype=np.float32)
    total = both(linear.apply)[compiled](*c, x, NX, SX, SY, out)
    assert out == pytest.approx(A @ x, abs=1e-5)
    assert total == pytest.approx(x @ A @ x, rel=1e-5)
    both(linear.residual)[compiled](*c, b, x, NX, SX, SY, out)
    assert out == pytest.approx(b - A @ x, abs=1e-5)
    both(linear.smooth)[compiled](*c, inverse, b, x, np.float32(0.7), NX, SX, SY, out)
    assert out == pytest.approx(x + 0.7 * inverse * (b - A @ x), abs=1e-5)


@pytest.mark.parametrize("compiled", [0, 1])
def test_sums(rng, compiled):
    a, b = field(rng, inside=False), field(rng, inside=False)
    assert both(linear.dot)[compiled](a, b) == pytest.approx(np.dot(a.astype(float), b), rel=1e-4)
    assert both(linear.sum_abs)[compiled](a) == pytest.approx(np.abs(a.astype(float)).sum(), rel=1e-5)


def van_leer(a, b):
    return 2 * a * b / (a + b) if a * b > 0 else 0.0


def muscl(F, p, opened):
    """Textbook face value between cells 1 and 2 of four, with closed faces flat."""
    west, left, right, east = p
    step = (right - left) * opened[1]
    if F > 0:
        return left + 0.5 * van_leer((left - west) * opened[0], step)
    return right - 0.5 * van_leer((east - right) * opened[2], step)


@pytest.mark.parametrize("compiled", [0, 1])
def test_heat_flux_of_a_face(rng, compiled):
    theta, flow = field(rng), field(rng)
    nu = np.abs(field(rng))
    g = conductances(rng)[0]
    flux, plus, minus = (np.zeros(SIZE, dtype=np.float32) for _ in range(3))
    both(kernels.scalar_face)[compiled](
        theta, flow, nu, 0.3, 1.1, g, SX, 2 * SX, (NX + 2) * SX, flux, plus, minus
    )
    for n in CELLS[1:].ravel():
        G = g[n] * (0.3 + 1.1 * 0.5 * (nu[n] + nu[n - SX]))
        opened = [float(g[n - SX] > 0), 1.0, float(g[n + SX] > 0)]
        values = [float(theta[n + k * SX]) for k in (-2, -1, 0, 1)]
        expected = flow[n] * muscl(flow[n], values, opened) - G * (theta[n] - theta[n - SX])
        assert flux[n] == pytest.approx(expected, rel=1e-4, abs=1e-5)
        assert plus[n] == pytest.approx(max(flow[n], 0) + G, rel=1e-5)
        assert minus[n] == pytest.approx(max(-flow[n], 0) + G, rel=1e-5)
    assert not flux[CELLS[0]].any()  # walls let nothing through


@pytest.mark.parametrize("compiled", [0, 1])
def test_momentum_flux_across(rng, compiled):
    # u through faces normal to y: the flow is the mean of the two v-faces beside, nu the mean of four cells
    phi, flow, nu = field(rng), field(rng), np.abs(field(rng))
    g = conductances(rng)[1]
    flux, plus, minus = (np.zeros(SIZE, dtype=np.float32) for _ in range(3))
    both(kernels.momentum_face_across)[compiled](
        phi, flow, nu, g, SY, SX, SX + SY, (NX + 2) * SX, flux, plus, minus
    )
    for n in CELLS[1:, 1:].ravel():
        F = 0.5 * (flow[n - SX] + flow[n])
        G = g[n] * 0.25 * (nu[n] + nu[n - SX] + nu[n - SY] + nu[n - SX - SY])
        opened = [float(g[n - SY] > 0), 1.0, float(g[n + SY] > 0)]
        values = [float(phi[n + k * SY]) for k in (-2, -1, 0, 1)]
        expected = F * muscl(F, values, opened) - G * (phi[n] - phi[n - SY])
        assert flux[n] == pytest.approx(expected, rel=1e-4, abs=1e-5)
        assert plus[n] - minus[n] == pytest.approx(F, abs=1e-5)


@pytest.mark.parametrize("compiled", [0, 1])
def test_viscosity_and_outflow(rng, compiled):
    u, v, w = (field(rng) for _ in range(3))
    length, out = np.abs(field(rng)), np.zeros(SIZE, dtype=np.float32)
    both(closures.mixing_length_viscosity)[compiled](u, v, w, length, 1e-5, NX, SX, SY, out)
    n = CELLS
    centre = [0.5 * (f[n] + f[n + s]) for f, s in ((u, SX), (v, SY), (w, 1))]
    assert out[n] == pytest.approx(1e-5 + length[n] * np.sqrt(sum(c**2 for c in centre)), rel=1e-5)
    areas, source = conductances(rng), field(rng)
    both(kernels.net_outflow)[compiled](u, v, w, *areas, source, NX, SX, SY, out)
    expected = source[n] + sum(
        f[n] * a[n] - f[n + s] * a[n + s] for f, a, s in zip((u, v, w), areas, (SX, SY, 1), strict=True)
    )
    assert out[n] == pytest.approx(expected, abs=1e-5)


def test_courant_rate(rng):
    u, v, w = (field(rng) for _ in range(3))
    widths = [np.full(SIZE, k, dtype=np.float32) for k in (2.0, 3.0, 4.0)]
    row = np.zeros(SX, dtype=np.float32)
    rate = kernels.courant_rate(u, v, w, *widths, NX, SX, SY, row)
    n = np.arange(SX, (NX + 1) * SX)
    expected = sum(
        0.5 * (np.abs(f[n]) + np.abs(f[n + s])) * k[0]
        for f, s, k in zip((u, v, w), (SX, SY, 1), widths, strict=True)
    )
    assert rate == pytest.approx(expected.max(), rel=1e-5)


@pytest.mark.parametrize(("back", "ahead"), [(1.0, 3.0), (-1.0, -3.0), (1.0, -1.0), (0.0, 2.0)])
def test_limiter(back, ahead):
    value = kernels.limited(np.float32(back), np.float32(ahead))
    assert value == pytest.approx(van_leer(back, ahead))
    assert abs(value) <= 2 * min(abs(back), abs(ahead)) + 1e-6  # total variation does not grow


def test_a_nan_is_not_hidden(rng):
    a = field(rng)
    a[CELLS[1, 1, 1]] = np.nan
    assert np.isnan(linear.sum_abs(a))
    assert np.isnan(linear.dot(a, a))
