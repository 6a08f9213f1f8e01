"""The walk of the transport through the slabs against plain Jacobi sweeps over whole arrays."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.airflow.fluxes import MINUS_X, MINUS_Y, MINUS_Z, PLUS_X, PLUS_Y, PLUS_Z, RIGHT, SCALE, SOLVED
from solvers.airflow.transport import (
    Component,
    Metrics,
    make_ring,
    momentum_terms,
    predict_momentum,
    relax_scalar,
    scalar_terms,
)
from solvers.linear.multigrid import flat_cells, padded, strides

SHAPE = (11, 3, 4)  # more slabs than the ring has, so that it goes round
NX = SHAPE[0]
SX, SY = strides(SHAPE)
SIZE = int(np.prod(padded(SHAPE)))
CELLS = flat_cells(SHAPE)
STEP = (SX, SY, 1)


class Room:
    """Random fields, codes and metrics of one quantity."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.phi, self.p, self.push, self.source = (self.cells(rng.normal(size=SIZE)) for _ in range(4))
        self.nu, self.friction, self.sink = (self.cells(rng.random(SIZE)) for _ in range(3))
        self.halves = [np.zeros(SIZE, dtype=np.uint8) for _ in range(3)]
        self.flow = tuple(np.zeros(SIZE, dtype=np.float32) for _ in range(3))
        self.solved = self.cells(rng.random(SIZE) < 0.9) > 0
        code = self.solved * np.uint8(SOLVED)
        for axis, (halves, flow) in enumerate(zip(self.halves, self.flow, strict=True)):
            inner = CELLS[tuple(slice(int(d == axis), None) for d in range(3))]
            halves[inner] = rng.integers(0, 3, inner.shape)
            flow[inner] = rng.normal(size=inner.shape)
            code |= halves << np.uint8(2 * axis)
        lines = [0.5 + rng.random(NX + 3) for _ in range(3)]
        planes = [0.5 + rng.random(SX) for _ in range(4)]
        values = (lines[0], 1 / lines[0], lines[1], planes[0], 1 / planes[0], planes[1], planes[2], lines[2])
        self.component = Component(code, Metrics(*(x.astype(np.float32) for x in (*values, planes[3]))))

    @staticmethod
    def cells(values):
        out = np.zeros(SIZE, dtype=np.float32)
        out[CELLS] = values[CELLS]
        return out

    def coefficient(self, axis, n):
        """Area over distance of the low face, where it is open."""
        metrics = self.component.metrics
        i, m = n // SX, n % SX
        along = metrics.inverse_distance[i] if axis == 0 else metrics.width[i]
        plane = (metrics.area, metrics.shape_y, metrics.shape_z)[axis][m]
        return 0.5 * int(self.halves[axis][n]) * float(along) * float(plane)


def van_leer(a, b):
    return 2 * a * b / (a + b) if a * b > 0 else 0.0


def face_value(phi, halves, F, n, s):
    """Upwind value and half of van Leer's slope. (E6)."""
    p = [float(phi[k]) if k >= 0 else 0.0 for k in (n - 2 * s, n - s, n, n + s)]
    west, step, east = (
        (p[k + 1] - p[k]) * (halves[at] > 0) for k, at in enumerate((max(n - s, 0), n, n + s))
    )
    return p[1] + 0.5 * van_leer(west, step) if F > 0 else p[2] - 0.5 * van_leer(east, step)


def system(room, flows, conductances, extra, damping, dt, implicit, advective):
    """Delta form of E7 or E8 in double precision: coefficients, right-hand side and scale of the cells."""
    flux, plus, minus = (np.zeros((3, SIZE)) for _ in range(3))
    for axis, s in enumerate(STEP):
        top = NX + 1 if axis == 0 else NX
        for n in range(SX + SY, (top + 1) * SX - (0 if axis == 1 else SY - 1)):
            F, G = flows(axis, n), conductances(axis, n)
            value = face_value(room.phi, room.halves[axis], F, n, s)
            flux[axis, n] = F * value - G * (room.phi[n] - float(room.phi[n - s]))
            plus[axis, n], minus[axis, n] = max(F, 0) + G, max(-F, 0) + G
    cells = np.flatnonzero(room.solved)
    metrics = room.component.metrics
    inverse_volume = metrics.inverse_width[cells // SX] * metrics.inverse_area[cells % SX].astype(float)
    net = sum(flux[a, cells] - flux[a, cells + s] for a, s in enumerate(STEP))
    into = sum(plus[a, cells] + minus[a, cells + s] for a, s in enumerate(STEP))
    outof = sum(minus[a, cells] + plus[a, cells + s] for a, s in enumerate(STEP))
    if advective:
        net = net + room.phi[cells] * (outof - into)
        rate, diagonal = net * inverse_volume + extra[cells], into * inverse_volume + damping[cells]
        rate = rate - damping[cells] * room.phi[cells]
    else:
        rate = (net + extra[cells] - damping[cells] * room.phi[cells]) * inverse_volume
        diagonal = (outof + damping[cells]) * inverse_volume
    if not implicit:
        diagonal = damping[cells] * (1 if advective else inverse_volume)
    return plus, minus, cells, dt * rate / (1 + dt * diagonal), dt * inverse_volume / (1 + dt * diagonal)


def delta(room, flows, conductances, extra, damping, dt, sweeps, advective):
    """Increment of E7 or E8 by Jacobi sweeps over whole arrays, in double precision."""
    plus, minus, cells, right, scale = system(
        room, flows, conductances, extra, damping, dt, sweeps > 0, advective
    )
    d = np.zeros(SIZE)
    d[cells] = right
    for _ in range(sweeps):
        near = sum(
            plus[a, cells] * d[cells - s] + minus[a, cells + s] * d[cells + s] for a, s in enumerate(STEP)
        )
        d[cells] = right + scale * near
    return d


def momentum_of(room, axis):
    """Flows, conductances and explicit accelerations of a component, for `system`."""
    metrics, t = room.component.metrics, STEP[axis]

    def flow(of, n):
        return 0.5 * (float(room.flow[of][n - t]) + float(room.flow[of][n]))

    def conductance(of, n):
        s = STEP[of]
        around = (n - s,) if s == t else (n, n - s, n - t, n - s - t)
        return room.coefficient(of, n) * float(np.mean([room.nu[k] for k in around]))

    n = np.arange(SIZE)
    steep = metrics.inverse_gap_x[n // SX].astype(float) * metrics.inverse_gap[n % SX]
    extra = room.push - (room.p - np.roll(room.p, t)) * steep
    return flow, conductance, extra, room.friction.astype(float)


def scalar_of(room):
    """Flows, conductances and sources of a scalar, for `system`."""

    def flow(axis, n):
        return float(room.flow[axis][n]) * (room.halves[axis][n] > 0)

    def conductance(axis, n):
        mean = 0.5 * (float(room.nu[n]) + float(room.nu[n - STEP[axis]]))
        return room.coefficient(axis, n) * (0.2 + 0.7 * mean)

    return flow, conductance, room.source.astype(float), room.sink.astype(float)


def check_slabs(ring, found, d_of):
    """Compare what a ring holds of each slab with the delta form of whole arrays."""
    plus, minus, cells, right, scale = found
    for i in range(1, NX + 1):
        d_of(i)
        at = cells[cells // SX == i]
        rows, m = ring.rows[i % ring.rows.shape[0]], at % SX
        assert rows[RIGHT, m] == pytest.approx(right[cells // SX == i], abs=1e-5)  # single precision
        assert rows[SCALE, m] == pytest.approx(scale[cells // SX == i], rel=1e-5)
        for axis, (of_plus, of_minus) in enumerate(((PLUS_X, MINUS_X), (PLUS_Y, MINUS_Y), (PLUS_Z, MINUS_Z))):
            assert rows[of_plus, m] == pytest.approx(plus[axis, at], abs=1e-5)
            assert rows[of_minus, m] == pytest.approx(minus[axis, at], abs=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_terms_of_a_slab_of_momentum(axis, pick):
    room, dt, ring = Room(axis), 0.05, make_ring(1, SX)

    def terms(i):
        pick(momentum_terms)(
            room.phi, room.p, room.flow, room.nu, room.component, room.friction, room.push, False, ring, dt,
            1.0, i, STEP[axis], SX, SY,
        )  # fmt: skip

    terms(0)
    check_slabs(ring, system(room, *momentum_of(room, axis), dt, True, advective=True), terms)


def test_terms_of_a_slab_of_a_scalar(pick):
    room, dt, ring = Room(9), 0.05, make_ring(1, SX)

    def terms(i):
        pick(scalar_terms)(
            room.phi, room.flow, room.nu, 0.2, 0.7, room.component, room.source, room.sink, False, ring, dt,
            1.0, i, SX, SY,
        )  # fmt: skip

    terms(0)
    check_slabs(ring, system(room, *scalar_of(room), dt, True, advective=False), terms)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sweeps", [0, 1, 4, 9])
def test_momentum_in_slabs_is_momentum_in_whole_arrays(axis, sweeps):
    room, dt = Room(axis), 0.05
    d = delta(room, *momentum_of(room, axis), dt, sweeps, advective=True)
    phi = room.phi.copy()
    predict_momentum(
        phi, room.p, room.flow, room.nu, room.component, room.friction, room.push, False,
        make_ring(sweeps, SX), dt, sweeps, 1.0 if sweeps else 0.0, axis, NX, SX, SY,
    )  # fmt: skip
    assert phi == pytest.approx(room.phi + d, abs=1e-5)  # single precision
    assert np.abs(d).max() > 0.1


def solve_scalar(room, sweeps, dt, ring=None, onward=False, out=None):
    out = np.zeros(SIZE, dtype=np.float32) if out is None else out
    relax_scalar(
        room.phi, room.flow, room.nu, 0.2, 0.7, room.component, room.source, room.sink, False,
        ring or make_ring(sweeps, SX), dt, sweeps, 1.0 if sweeps else 0.0, onward, NX, SX, SY, out,
    )  # fmt: skip
    return out


@pytest.mark.parametrize("sweeps", [0, 1, 4, 9])
def test_a_scalar_in_slabs_is_one_in_whole_arrays(sweeps):
    room, dt = Room(7), 0.05
    d = delta(room, *scalar_of(room), dt, sweeps, advective=False)
    before = room.phi.copy()
    assert solve_scalar(room, sweeps, dt) == pytest.approx(d, abs=1e-5)
    assert np.array_equal(room.phi, before)
    assert np.abs(d).max() > 0.1


def test_going_on_is_sweeping_more():
    room, dt = Room(3), 0.2
    out = solve_scalar(room, 4, dt)
    solve_scalar(room, 3, dt, onward=True, out=out)
    assert np.array_equal(out, solve_scalar(room, 7, dt))


def test_the_ring_may_hold_more_than_is_needed_and_remembers_nothing():
    room, ring = Room(5), make_ring(12, SX)
    first = solve_scalar(room, 3, 0.1, ring)
    solve_scalar(Room(6), 12, 1.0, ring)
    assert np.array_equal(solve_scalar(room, 3, 0.1, ring), first)
    assert np.array_equal(solve_scalar(room, 3, 0.1), first)
