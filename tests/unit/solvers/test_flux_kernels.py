"""Parts of the transport, each on its own: face values, the delta form, one sweep, the walk of the sweeps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from solvers.airflow import fluxes, transport
from solvers.airflow.fluxes import MINUS_X, MINUS_Y, MINUS_Z, PLUS_X, PLUS_Y, PLUS_Z, RIGHT, SCALE, SOLVED
from solvers.airflow.transport import Metrics, make_ring

NX, NY, NZ = 4, 3, 5
SY, SX = NZ + 2, (NY + 2) * (NZ + 2)
SIZE = (NX + 3) * SX
WORKED = range(SY, SX - SY)
"""The entries of a slab that are worked on: all rows but the padding before and after."""
DT = 0.3
ROUNDING = 1e-6  # some ten roundings of 6e-8 each in single precision


@pytest.fixture
def rng():
    return np.random.default_rng(21)


def normal(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def uniform(rng, *shape):
    return (0.5 + rng.random(shape)).astype(np.float32)


@pytest.mark.parametrize("central", [False, True])
def test_face_value(rng, pick, central):
    # upwind value + half of the harmonic mean of the differences behind and over the face; none where closed
    kernel = pick(fluxes.face_value)
    for _ in range(300):
        F, west, left, right, east = normal(rng, 5).astype(float)
        opened = rng.integers(0, 3, 3)
        if rng.random() < 0.5:  # a monotone stretch, for which the limiter does something
            west, left, right, east = np.sort([west, left, right, east])
        step = (right - left) * (opened[1] > 0)
        behind = (left - west) * (opened[0] > 0) if F > 0 else (east - right) * (opened[2] > 0)
        slope = 2 * behind * step / (behind + step) if behind * step > 0 else 0.0
        upwind, sign = (left, 1) if F > 0 else (right, -1)
        expected = upwind + sign * 0.5 * (step if central else slope)
        found = kernel(*(np.float32(x) for x in (F, west, left, right, east)), *opened, central)
        assert found == pytest.approx(expected, rel=5 * ROUNDING, abs=5 * ROUNDING)
        if not central:
            assert min(left, right) - ROUNDING <= found <= max(left, right) + ROUNDING  # bounded


class Face(NamedTuple):
    """What a face does to a cell: inward flux, coefficients of the neighbour and of the cell itself."""

    flux: float
    into: float
    outof: float


class Slab:
    """Random fluxes, coefficients and metrics of a slab, and what the six faces of a cell make of them."""

    def __init__(self, rng, i=2):
        self.i = i
        self.code = (rng.random(SIZE) < 0.9) * np.uint8(SOLVED)
        lines, planes = [uniform(rng, NX + 3) for _ in range(4)], [uniform(rng, SX) for _ in range(5)]
        self.metrics = Metrics(*lines[:3], *planes[:4], lines[3], planes[4])
        self.rows, self.rows_e = np.abs(normal(rng, 2, 8, SX))
        self.fluxes = tuple(normal(rng, 4, SX))

    def faces(self, m):
        west, east, y, z = self.fluxes
        rows, rows_e = self.rows, self.rows_e
        found = [
            (west[m], rows[PLUS_X, m], rows[MINUS_X, m]),
            (-east[m], rows_e[MINUS_X, m], rows_e[PLUS_X, m]),
        ]
        for plus, minus, s, flux in ((PLUS_Y, MINUS_Y, SY, y), (PLUS_Z, MINUS_Z, 1, z)):
            found.append((flux[m], rows[plus, m], rows[minus, m]))
            found.append((-flux[m + s], rows[minus, m + s], rows[plus, m + s]))
        return [Face(*map(float, values)) for values in found]

    def inverse_volume(self, m):
        return float(self.metrics.inverse_width[self.i]) * float(self.metrics.inverse_area[m])


@pytest.mark.parametrize("implicit", [0.0, 1.0])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_delta_form_of_momentum(rng, pick, axis, implicit):
    # V du/dt = sum F (u_face - u) - V (dp/dx - push + friction u): inflow counts less what is there
    slab, t = Slab(rng), (SX, SY, 1)[axis]
    phi, p, push = normal(rng, 3, SIZE)
    friction = uniform(rng, SIZE)
    pick(fluxes.momentum_system)(
        phi, p, friction, push, slab.code, slab.metrics, DT, implicit, slab.i, t, SX, SY,
        slab.fluxes, slab.rows, slab.rows_e,
    )  # fmt: skip
    metrics = slab.metrics
    for m in WORKED:
        n, faces, per_volume = slab.i * SX + m, slab.faces(m), slab.inverse_volume(m)
        u, into = float(phi[n]), sum(face.into for face in faces)
        net = sum(face.flux + u * (face.outof - face.into) for face in faces)
        gradient = (float(p[n]) - float(p[n - t])) * float(
            metrics.inverse_gap_x[slab.i] * metrics.inverse_gap[m]
        )
        rate = net * per_volume - gradient + float(push[n]) - float(friction[n]) * u
        damping = 1 + DT * (implicit * into * per_volume + float(friction[n]))
        solved = float(slab.code[n] > 0)
        # sums of some twenty numbers of order 1 to 10
        assert slab.rows[RIGHT, m] == pytest.approx(solved * DT * rate / damping, abs=20 * ROUNDING)
        assert slab.rows[SCALE, m] == pytest.approx(solved * DT * per_volume / damping, rel=5 * ROUNDING)


@pytest.mark.parametrize("implicit", [0.0, 1.0])
def test_delta_form_of_a_scalar(rng, pick, implicit):
    # V dtheta/dt = sum of inward fluxes + source - sink theta, in conservation form
    slab = Slab(rng)
    phi, source = normal(rng, 2, SIZE)
    sink = uniform(rng, SIZE)
    pick(fluxes.scalar_system)(
        phi, source, sink, slab.code, slab.metrics, DT, implicit, slab.i, SX, SY,
        slab.fluxes, slab.rows, slab.rows_e,
    )  # fmt: skip
    for m in WORKED:
        n, faces, per_volume = slab.i * SX + m, slab.faces(m), slab.inverse_volume(m)
        net = sum(face.flux for face in faces) + float(source[n]) - float(sink[n]) * float(phi[n])
        outof = sum(face.outof for face in faces)
        damping = 1 + DT * (implicit * outof + float(sink[n])) * per_volume
        solved = float(slab.code[n] > 0)
        assert slab.rows[RIGHT, m] == pytest.approx(
            solved * DT * net * per_volume / damping, abs=20 * ROUNDING
        )  # sums of some ten numbers of order 1 to 5
        assert slab.rows[SCALE, m] == pytest.approx(solved * DT * per_volume / damping, rel=5 * ROUNDING)


def test_one_sweep(rng, pick):
    # d = right + scale times the sum of what the neighbours' increments bring in
    slab = Slab(rng)
    before, here, after = normal(rng, 3, SX)
    out = np.zeros(SX, dtype=np.float32)
    pick(fluxes.jacobi)(slab.rows, slab.rows_e, before, here, after, SX, SY, out)
    for m in WORKED:
        neighbours = [before[m], after[m], here[m - SY], here[m + SY], here[m - 1], here[m + 1]]
        brought = sum(f.into * float(d) for f, d in zip(slab.faces(m), neighbours, strict=True))
        expected = float(slab.rows[RIGHT, m]) + float(slab.rows[SCALE, m]) * brought
        assert out[m] == pytest.approx(expected, abs=20 * ROUNDING)  # six products of order 1


@pytest.mark.parametrize("onward", [False, True])
@pytest.mark.parametrize("sweeps", [1, 2, 5])
def test_sweeps_that_follow_each_other_through_the_room(rng, pick, sweeps, onward):
    # slab by slab, each sweep one behind the other, against sweep by sweep over all slabs
    ring = make_ring(max(sweeps, NX), SX)  # long enough to hold all slabs at once
    inside = np.zeros(SX, dtype=bool)
    inside.reshape(NY + 2, NZ + 2)[1:-1, 1:-1] = True
    given = normal(rng, NX + 2, SX) * inside
    d = np.zeros((NX + 2, SX))
    for i in range(1, NX + 1):
        ring.rows[i, :, :SX] = 0.3 * np.abs(normal(rng, 8, SX)) * inside
        ring.rows[i, RIGHT, :SX] = normal(rng, SX) * inside
        d[i] = given[i] if onward else ring.rows[i, RIGHT, :SX]
        ring.d[0, i, :SX] = given[i]
    rows = ring.rows[: NX + 2, :, :SX].astype(float)
    for _ in range(sweeps):
        old, d = d, np.zeros_like(d)
        for i in range(1, NX + 1):
            for m in np.flatnonzero(inside):
                near = rows[i, PLUS_X, m] * old[i - 1, m] + rows[i + 1, MINUS_X, m] * old[i + 1, m]
                near += rows[i, PLUS_Y, m] * old[i, m - SY] + rows[i, MINUS_Y, m + SY] * old[i, m + SY]
                near += rows[i, PLUS_Z, m] * old[i, m - 1] + rows[i, MINUS_Z, m + 1] * old[i, m + 1]
                d[i, m] = rows[i, RIGHT, m] + rows[i, SCALE, m] * near
    for tick in range(NX + sweeps + 1):
        pick(transport.sweep_behind)(ring, tick, sweeps, onward, NX, SX, SY)
    for i in range(1, NX + 1):
        row = pick(transport.increment)(ring, i, sweeps)
        assert row[:SX] == pytest.approx(d[i], rel=20 * ROUNDING, abs=20 * ROUNDING)


def test_slabs_beyond_the_room_are_empty(rng, pick):
    ring = make_ring(2, SX)
    for array in ring:
        array[:] = 1
    pick(transport.clear)(ring, 6)  # 5 slabs: place 1
    assert not ring.rows[1, RIGHT].any()
    assert not ring.d[:, 1].any()
    assert ring.d[:, [0, 2, 3, 4]].all()
    assert ring.rows[1, SCALE].all()
    assert pick(transport.increment)(ring, 6, 0) is not None
    ring.rows[1, RIGHT] = 5
    assert (pick(transport.increment)(ring, 6, 0) == 5).all()  # without sweeps: the right-hand side itself
