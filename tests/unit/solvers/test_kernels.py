"""Fluxes through the faces of a slab against textbook NumPy on small random fields, compiled and not."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.airflow import fluxes
from solvers.airflow.transport import X, Y, Z
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


def both(kernel):
    return [kernel, kernel.py_func]


def van_leer(a, b):
    return 2 * a * b / (a + b) if a * b > 0 else 0.0


def muscl(F, p, opened):
    """Textbook face value between cells 1 and 2 of four, with closed faces flat."""
    west, left, right, east = p
    step = (right - left) * opened[1]
    if F > 0:
        return left + 0.5 * van_leer((left - west) * opened[0], step)
    return right - 0.5 * van_leer((east - right) * opened[2], step)


def codes(rng, solved=True):
    """Random numbers of open halves, closed beyond the cells; the code and the halves of each axis."""
    code = np.zeros(SIZE, dtype=np.uint8)
    halves = [np.zeros(SIZE, dtype=np.uint8) for _ in range(3)]
    for axis, values in enumerate(halves):
        inner = CELLS[tuple(slice(int(d == axis), None) for d in range(3))]
        values[inner] = rng.integers(0, 3, inner.shape)
        code |= values << np.uint8(2 * axis)
    code[CELLS] |= np.uint8(fluxes.SOLVED * solved)
    return code, halves


def rows(count):
    return [np.zeros(SX, dtype=np.float32) for _ in range(count)]


FACES = {0: (X, SX, SY, SX - SY), 1: (Y, SY, SY, SX), 2: (Z, 1, SY, SX - SY + 1)}
"""Shift, stride and range of the faces of each axis in a slab."""


@pytest.mark.parametrize("central", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("compiled", [0, 1])
def test_scalar_flux(rng, compiled, axis, central):
    phi, flow, nu = field(rng), field(rng), np.abs(field(rng))
    (code, halves), shape = codes(rng), 0.5 + rng.random(SX).astype(np.float32)
    (shift, s, first, last), opens = FACES[axis], halves[axis]
    flux, plus, minus = rows(3)
    for i in (1, 2, NX):
        at = i * SX
        both(fluxes.scalar_face)[compiled](
            phi, flow, nu, 0.3, 1.1, code, shift, shape, 0.7, s, central, at, first, last, flux, plus, minus
        )
        for m in range(first, last):
            n = at + m
            G = 0.5 * opens[n] * shape[m] * 0.7 * (0.3 + 1.1 * 0.5 * (nu[n] + nu[n - s]))
            F = flow[n] if opens[n] else 0.0
            expected = F * face(F, phi, opens, n, s, central) - G * (phi[n] - phi[n - s])
            assert flux[m] == pytest.approx(expected, rel=1e-4, abs=1e-5)
            assert plus[m] == pytest.approx(max(F, 0) + G, rel=1e-5)
            assert minus[m] == pytest.approx(max(-F, 0) + G, rel=1e-5)


@pytest.mark.parametrize("central", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("component", [0, 1, 2])
@pytest.mark.parametrize("compiled", [0, 1])
def test_momentum_flux(rng, compiled, component, axis, central):
    # the flow is the mean of the two faces beside, nu that of the cell centre or the mean of the four around
    phi, flow, nu = field(rng), field(rng), np.abs(field(rng))
    (code, halves), shape = codes(rng), 0.5 + rng.random(SX).astype(np.float32)
    (shift, s, first, last), opens = FACES[axis], halves[axis]
    t = (SX, SY, 1)[component]
    flux, plus, minus = rows(3)
    for i in (1, 2, NX):
        at = i * SX
        both(fluxes.momentum_face)[compiled](
            phi, flow, nu, code, shift, shape, 0.7, s, t, central, at, first, last, flux, plus, minus
        )
        for m in range(first, last):
            n = at + m
            around = nu[n - s] if s == t else (nu[n] + nu[n - s] + nu[n - t] + nu[n - s - t]) / 4
            F, G = 0.5 * (flow[n - t] + flow[n]), 0.5 * opens[n] * shape[m] * 0.7 * around
            expected = F * face(F, phi, opens, n, s, central) - G * (phi[n] - phi[n - s])
            assert flux[m] == pytest.approx(expected, rel=1e-4, abs=1e-5)
            assert plus[m] == pytest.approx(max(F, 0) + G, rel=1e-4, abs=1e-6)
            assert minus[m] == pytest.approx(max(-F, 0) + G, rel=1e-4, abs=1e-6)


def face(F, phi, opens, n, s, central):
    """Textbook face value of cell n's low face; `opens` counts open halves."""
    values = [float(phi[k]) if k >= 0 else 0.0 for k in (n - 2 * s, n - s, n, n + s)]
    opened = [float(opens[k] > 0) for k in (n - s, n, n + s)]
    if central and opened[1]:
        return 0.5 * (values[1] + values[2])
    return muscl(F, values, opened)


@pytest.mark.parametrize(("back", "ahead"), [(1.0, 3.0), (-1.0, -3.0), (1.0, -1.0), (0.0, 2.0)])
def test_limiter(back, ahead):
    value = fluxes.limited(np.float32(back), np.float32(ahead))
    assert value == pytest.approx(van_leer(back, ahead))
    assert abs(value) <= 2 * min(abs(back), abs(ahead)) + 1e-6  # total variation does not grow


def test_a_nan_is_not_hidden(rng):
    a = field(rng)
    a[CELLS[1, 1, 1]] = np.nan
    assert np.isnan(linear.sum_abs(a))
    assert np.isnan(linear.dot(a, a))
