"""Eddy viscosity and strain rate against textbook NumPy, on a stretched grid with a plate and a solid."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from solvers.airflow import closures
from solvers.airflow.case import AirCase, Closure
from solvers.airflow.geometry import build_geometry, pad_state, unpad
from solvers.airflow.turbulence import make_turbulence
from solvers.airflow.wall_faces import collect_walls
from solvers.grid import make_grid
from solvers.linear.multigrid import padded, strides

SHAPE = (4, 5, 6)
NU = 1.5e-5
SIZE = (SHAPE[0], *strides(SHAPE))


def room(walls=True):
    """Return a case; with a plate and a solid inside, or none."""
    line = [np.cumsum([0.0, *(0.1 * 1.2**i for i in range(n))]) for n in SHAPE]
    plates = [np.zeros(tuple(n + (d == a) for d, n in enumerate(SHAPE)), dtype=bool) for a in range(3)]
    solid = np.zeros(SHAPE, dtype=bool)
    if walls:
        plates[2][1:3, 2, 3] = True
        solid[3, 4, :2] = True
    none = np.zeros(0, dtype=np.int64)
    return AirCase(
        make_grid(*line),
        solid,
        *plates,
        *(np.zeros(plate.shape, dtype=np.float32) for plate in plates),
        patch_axis=none,
        patch_index=none,
        patch_lo=none.reshape(0, 2),
        patch_hi=none.reshape(0, 2),
        patch_side=none,
        unit_inlet=none,
        unit_outlet=none,
    )


def faces(case, values):
    """Face velocities from three functions of x, y, z; 0 on closed faces unless there are no walls."""
    out = []
    for axis, value in enumerate(values):
        at = [case.grid[d] if d == axis else case.grid.centres[d] for d in range(3)]
        out.append(value(*np.meshgrid(*at, indexing="ij")))
    return out


def gradient(case, geometry, velocity):
    """Textbook velocity gradient at the cell centres: [nx, ny, nz, component, direction]."""
    centres, widths = case.grid.centres, case.grid.widths
    out = np.zeros((*SHAPE, 3, 3))
    mean = []
    for c, u in enumerate(velocity):
        low = np.take(u, range(SHAPE[c]), axis=c)
        high = np.take(u, range(1, SHAPE[c] + 1), axis=c)
        mean.append(0.5 * (low + high))
        shape = [1, 1, 1]
        shape[c] = -1
        out[..., c, c] = (high - low) / widths[c].reshape(shape)
    for cell in np.argwhere(geometry.fluid):
        for c in range(3):
            for d in range(3):
                if c == d:
                    continue
                slopes = []
                for side in (0, 1):
                    face = cell.copy()
                    face[d] += side
                    other = cell.copy()
                    other[d] += 2 * side - 1
                    here = mean[c][tuple(cell)]
                    if geometry.open_area[d][tuple(face)] > 0:
                        gap = centres[d][other[d]] - centres[d][cell[d]]
                        slopes.append((mean[c][tuple(other)] - here) / gap)
                    else:  # no slip, half a width away
                        slopes.append((1 - 2 * side) * here / (0.5 * widths[d][cell[d]]))
                out[(*cell, c, d)] = np.mean(slopes)
    return out


def vreman_textbook(case, g, constant):
    """Vreman 2004, eqs. 5 to 8, as they are printed."""
    out = np.zeros(SHAPE)
    for cell in np.ndindex(SHAPE):
        alpha = g[cell].T  # alpha_ij = du_j / dx_i
        delta2 = np.array([case.grid.widths[d][cell[d]] ** 2 for d in range(3)])
        beta = np.einsum("m,mi,mj->ij", delta2, alpha, alpha)
        B = (
            beta[0, 0] * beta[1, 1]
            - beta[0, 1] ** 2
            + beta[0, 0] * beta[2, 2]
            - beta[0, 2] ** 2
            + beta[1, 1] * beta[2, 2]
            - beta[1, 2] ** 2
        )
        norm = (alpha**2).sum()
        out[cell] = constant * np.sqrt(max(B, 0) / norm) if norm > 0 else 0
    return out


def padded_velocity(velocity):
    return [pad_state(u.astype(np.float32), axis, SHAPE) for axis, u in enumerate(velocity)]


def stencil_of(case, geometry):
    return closures.build_stencil(case, geometry, collect_walls(case, geometry)[1])


@pytest.fixture
def noise():
    """Random velocities in the room with walls; 0 on closed faces."""
    case = room()
    geometry = build_geometry(case, Closure(kind="laminar"))
    rng = np.random.default_rng(3)
    velocity = [rng.normal(size=area.shape) * (area > 0) for area in geometry.open_area]
    return case, geometry, velocity


@pytest.mark.parametrize("compiled", [True, False])
def test_strain_rate_is_the_textbook_one(noise, compiled):
    case, geometry, velocity = noise
    g = gradient(case, geometry, velocity)
    S = 0.5 * (g + np.swapaxes(g, -1, -2))
    kernel = closures.strain_rate if compiled else closures.strain_rate.py_func
    out = np.zeros(np.prod(padded(SHAPE)), dtype=np.float32)
    kernel(*padded_velocity(velocity), stencil_of(case, geometry), *SIZE, out)
    expected = 2 * (S**2).sum(axis=(-1, -2))
    fluid = geometry.fluid
    # single precision: a few roundings of 6e-8 in sums of squares
    assert unpad(out, None, SHAPE)[fluid] == pytest.approx(expected[fluid], rel=2e-6)


@pytest.mark.parametrize("compiled", [True, False])
def test_vreman_is_the_textbook_one(noise, compiled):
    case, geometry, velocity = noise
    expected = vreman_textbook(case, gradient(case, geometry, velocity), 0.07)
    kernel = closures.vreman_viscosity if compiled else closures.vreman_viscosity.py_func
    out = np.zeros(np.prod(padded(SHAPE)), dtype=np.float32)
    kernel(*padded_velocity(velocity), stencil_of(case, geometry), 0.07, NU, *SIZE, out)
    fluid = geometry.fluid
    assert unpad(out, None, SHAPE)[fluid] == pytest.approx(NU + expected[fluid], rel=1e-5)  # rounding


@pytest.mark.parametrize(("along", "across"), list(permutations(range(3), 2)))
def test_vreman_vanishes_in_shear(along, across):
    # a flow along one axis that varies along another: no eddy viscosity, walls and all
    case = room(walls=False)
    closure = Closure(kind="vreman", nu=NU)
    turbulence = make_turbulence(case, build_geometry(case, closure), closure)
    still = lambda x, y, z: 0 * x  # noqa: E731
    values = [still, still, still]
    values[along] = lambda *at: 3 * at[across] + 0.2
    out = np.zeros(np.prod(padded(SHAPE)), dtype=np.float32)
    turbulence.viscosity(*padded_velocity(faces(case, values)), out)
    inner = unpad(out, None, SHAPE)
    cut = [slice(None)] * 3
    cut[along] = slice(1, -1)  # the ends of the flow are walls too
    assert inner[tuple(cut)] == pytest.approx(NU, rel=1e-6)


def test_linear_fields_have_exact_strain():
    # between the walls the slopes of a linear field are exact on a stretched grid
    case = room(walls=False)
    geometry = build_geometry(case, Closure(kind="laminar"))
    A = np.random.default_rng(5).normal(size=(3, 3))
    values = [lambda x, y, z, row=row: row[0] * x + row[1] * y + row[2] * z for row in A]
    out = np.zeros(np.prod(padded(SHAPE)), dtype=np.float32)
    closures.strain_rate(*padded_velocity(faces(case, values)), stencil_of(case, geometry), *SIZE, out)
    S = 0.5 * (A + A.T)
    inner = unpad(out, None, SHAPE)[1:-1, 1:-1, 1:-1]
    assert inner == pytest.approx(2 * (S**2).sum(), rel=1e-5)


def test_mixing_length_and_laminar():
    case = room()
    rng = np.random.default_rng(1)
    for kind in ("mixing_length", "laminar"):
        closure = Closure(kind=kind, nu=NU)
        geometry = build_geometry(case, closure)
        velocity = [rng.normal(size=area.shape) * (area > 0) for area in geometry.open_area]
        out = np.zeros(np.prod(padded(SHAPE)), dtype=np.float32)
        turbulence = make_turbulence(case, geometry, closure)
        turbulence.viscosity(*padded_velocity(velocity), out)
        speed2 = sum(
            (0.5 * (np.take(u, range(n), axis=d) + np.take(u, range(1, n + 1), axis=d))) ** 2
            for d, (u, n) in enumerate(zip(velocity, SHAPE, strict=True))
        )
        length = unpad(geometry.mixing, None, SHAPE)  # constant times distance; 0 if laminar
        assert unpad(out, None, SHAPE) == pytest.approx(NU + length * np.sqrt(speed2), rel=1e-6)
        assert (length.max() > 0) == (kind == "mixing_length")
        assert turbulence.k is None
        assert turbulence.epsilon is None
