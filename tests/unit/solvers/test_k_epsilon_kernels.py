"""Kernels of the k-epsilon model, each against its equation written cell by cell in double precision."""

from __future__ import annotations

import math

import numpy as np
import pytest

from solvers.airflow import k_epsilon_terms as terms
from solvers.airflow.closures import build_stencil
from solvers.airflow.wall_faces import collect_walls

NU, PR_T = 1.5e-5, 0.9
BETA_G = 9.81 / 293.15
ROUNDING = 1e-6  # some ten roundings of 6e-8 each in single precision


def positive(rng, size, low=-6.0, high=0.0):
    """Values over many decades, as k and epsilon have them."""
    return (10.0 ** rng.uniform(low, high, size)).astype(np.float32)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def test_eddy_viscosity(rng, pick):
    k, epsilon = positive(rng, 500), positive(rng, 500)
    out = np.zeros(500, dtype=np.float32)
    pick(terms.k_epsilon_viscosity)(k, epsilon, NU, out)
    expected = [NU + 0.09 * float(a) ** 2 / float(e) for a, e in zip(k, epsilon, strict=True)]
    assert out == pytest.approx(expected, rel=ROUNDING)


def test_shear_production_is_bounded(rng, pick):
    S2, epsilon, nu_t = positive(rng, 500, -2, 3), positive(rng, 500), positive(rng, 500, -4, -1)
    nu_eff, out = (NU + nu_t).astype(np.float32), S2.copy()
    pick(terms.shear_production)(nu_eff, epsilon, NU, out)
    bounded = 0
    for n in range(500):
        made, most = (float(nu_eff[n]) - NU) * float(S2[n]), 10.0 * float(epsilon[n])
        bounded += made > most
        # nu_eff - nu loses digits where nu_t is a few nu: 1e-4 over 1.5e-5 costs one
        assert out[n] == pytest.approx(min(made, most), rel=2 * ROUNDING)
    assert 50 < bounded < 450  # both branches are met


@pytest.mark.parametrize("seed", [0, 1])
def test_buoyant_production_sees_no_plate(build_room, pick, seed):
    room = build_room(seed)
    z = room.case.grid.centres[2]
    theta, nu_t, epsilon = room.field(-5, 5), room.field(1e-4, 1e-2), room.field(1e-5, 1e-2)
    nu_eff = (NU + nu_t).astype(np.float32)
    stencil = build_stencil(room.case, room.geometry, collect_walls(room.case, room.geometry)[1])
    out = room.zeros()
    fields = [room.pad(values) for values in (theta, nu_eff, epsilon)]
    pick(terms.buoyant_production)(*fields, stencil, BETA_G, PR_T, NU, *room.extent, out)
    found = room.cut(out)
    for i, j, k in np.argwhere(room.fluid):
        slope = 0.0
        for side in (0, 1):
            if room.open[2][i, j, k + side]:
                low, high = k - 1 + side, k + side
                slope += 0.5 * float(theta[i, j, high] - theta[i, j, low]) / (z[high] - z[low])
        made = -BETA_G * float(nu_eff[i, j, k] - np.float32(NU)) / PR_T * slope
        most = 10.0 * float(epsilon[i, j, k])
        # differences of values of 5 K that may nearly cancel
        assert found[i, j, k] == pytest.approx(min(max(made, -most), most), rel=1e-5, abs=1e-6 * most)


def test_sources_and_sinks_per_volume(rng, pick):
    # dk/dt = P + G - epsilon: what makes k goes into the source, what takes it into the sink, per k
    size = 300
    k, epsilon, P, V = (positive(rng, size) for _ in range(4))
    G = rng.normal(size=size).astype(np.float32) * P
    source, sink = np.zeros((2, size), dtype=np.float32)
    pick(terms.k_sources)(k, epsilon, P, G, V, source, sink)
    for n in range(size):
        rate = float(V[n]) * (float(P[n]) + float(G[n]) - float(epsilon[n]))
        scale = float(V[n]) * (float(P[n]) + abs(float(G[n])) + float(epsilon[n]))
        assert source[n] - float(sink[n]) * float(k[n]) == pytest.approx(rate, abs=ROUNDING * scale)
        assert source[n] >= 0
        assert sink[n] >= 0


def test_a_step_leaves_a_tenth_and_the_floor(rng, pick):
    old, increment = positive(rng, 300), rng.normal(size=300).astype(np.float32)
    out = old.copy()
    pick(terms.add_bounded)(increment, 1e-3, out)
    expected = [max(float(a) + float(d), 0.1 * float(a), 1e-3) for a, d in zip(old, increment, strict=True)]
    # a sum of two numbers that nearly cancel is exact to the rounding of the larger
    assert out == pytest.approx(expected, rel=ROUNDING, abs=1e-7)
    assert {"floor", "tenth", "sum"} == {
        "floor" if e == 1e-3 else "tenth" if e == 0.1 * a else "sum"
        for e, a in zip(expected, old.astype(float), strict=True)
    }


def test_bounds_of_epsilon(rng, pick):
    k, epsilon, length = positive(rng, 300, -6, 2), positive(rng, 300, -12, 0), 3.0
    out = epsilon.copy()
    pick(terms.bound_epsilon)(k, length, NU, out)
    for n in range(300):
        most_viscous = 0.09 * float(k[n]) ** 2 / (1e5 * NU)
        longest = 0.09**0.75 * float(k[n]) ** 1.5 / length
        assert out[n] == pytest.approx(max(float(epsilon[n]), most_viscous, longest), rel=ROUNDING)
        assert 0.09 * k[n] ** 2 / out[n] <= 1e5 * NU * (1 + ROUNDING)
    assert (out == epsilon).any()
    assert (out > epsilon).any()


def test_lists_of_cells(rng, pick):
    # a cell may stand in the list of units more than once, in the list of wall cells only once
    cell = np.array([3, 7, 3, 11])
    carried = rng.random(4).astype(np.float32)
    before = rng.random(20).astype(np.float32)
    out, expected = before.copy(), before.astype(float)
    pick(terms.inflow)(cell, carried, out)
    for n, value in zip(cell, carried, strict=True):
        expected[n] += value
    assert out == pytest.approx(expected, rel=ROUNDING)
    once = np.array([2, 5, 6])
    pick(terms.clear)(once, out)
    expected[once] = 0
    assert out == pytest.approx(expected, rel=ROUNDING)
    value, volume = positive(rng, 20), positive(rng, 20)
    source, sink = before.copy(), before.copy()
    pick(terms.hold)(once, value, volume, terms.HOLD / 0.1, source, sink)
    for n in range(20):
        if n in once:
            # (old + dt source / V) / (1 + dt sink / V): a step of 0.1 s from any start ends there
            reached = (5.0 * value[n] + 0.1 * source[n] / volume[n]) / (1 + 0.1 * sink[n] / volume[n])
            assert reached == pytest.approx(float(value[n]), rel=5 / terms.HOLD)
        else:
            assert source[n] == sink[n] == before[n]


def friction_factor(u_star, y):
    """Textbook tau / (rho u): the log law beyond the y* where it meets u+ = y+, else nu / y."""
    y_star = u_star * y / NU
    edge = 11.53  # of ln(9.8 y) / 0.41 = y, four digits
    return 0.41 * u_star / math.log(9.8 * y_star) if y_star > edge else NU / y


def test_log_law_of_velocity_points(rng, pick):
    size, points = 60, 200
    k = positive(rng, size, -9, -1)
    cell, other = rng.integers(0, size, (2, points))
    y = rng.uniform(0.005, 0.2, points).astype(np.float32)
    out = np.zeros(points, dtype=np.float32)
    pick(terms.log_law_friction)(cell, other, y, k, NU, out)
    logarithmic = 0
    for m in range(points):
        mean = 0.5 * (float(k[cell[m]]) + float(k[other[m]]))
        u_star = 0.09**0.25 * math.sqrt(mean)
        logarithmic += u_star * y[m] / NU > 11.53
        # the two laws meet: within 1e-3 of the edge either may be taken
        assert out[m] == pytest.approx(friction_factor(u_star, float(y[m])), rel=2e-5)
    assert 20 < logarithmic < 180


@pytest.mark.parametrize("seed", [0, 1])
def test_wall_cells_of_a_room(build_room, pick, seed):
    room = build_room(seed, closure="k_epsilon")
    velocity, k = room.velocity(), positive(room.rng, room.shape, -9, -1)
    faces = collect_walls(room.case, room.geometry)[1]
    total = np.bincount(faces.cell, faces.area)
    share, y = (faces.area / total[faces.cell]).astype(np.float32), faces.y.astype(np.float32)
    slide = np.zeros((faces.cell.size, 3), dtype=np.float32)
    production, epsilon = room.zeros(), room.zeros()
    pick(terms.wall_cells)(
        *(faces.cell, faces.axis, share, y, slide),
        *room.padded_velocity(velocity),
        room.pad(k),
        NU,
        *room.extent[1:],
        production,
        epsilon,
    )
    made, dissipated = textbook_wall_cells(room, velocity, k)
    # the sum over a cell's walls of terms with a logarithm and a cube of single precision
    assert room.cut(production) == pytest.approx(made, rel=3e-5, abs=1e-12)
    assert room.cut(epsilon) == pytest.approx(dissipated, rel=3e-5, abs=1e-12)


def textbook_wall_cells(room, velocity, k):
    """Means over the walls of each cell of tau u* / (kappa y) and of epsilon, by a walk over all cells."""
    widths = room.case.grid.widths
    made, dissipated = np.zeros(room.shape), np.zeros(room.shape)
    for cell in np.argwhere(room.fluid):
        centre = [
            0.5 * sum(float(velocity[d][tuple(cell + side * (np.arange(3) == d))]) for side in (0, 1))
            for d in range(3)
        ]
        here, walled, sums = float(k[tuple(cell)]), 0.0, np.zeros(2)
        for d in range(3):
            a, b = (e for e in range(3) if e != d)
            area = widths[a][cell[a]] * widths[b][cell[b]]
            for side in (0, 1):
                face = tuple(cell + side * (np.arange(3) == d))
                if room.open[d][face] or room.patch[d][face]:
                    continue
                y, u_star = 0.5 * widths[d][cell[d]], 0.09**0.25 * math.sqrt(here)
                tau = friction_factor(u_star, y) * math.hypot(centre[a], centre[b])
                log_layer = u_star * y / NU > 11.53
                walled += area
                sums[0] += area * (tau * u_star / (0.41 * y) if log_layer else 0.0)
                sums[1] += area * max(u_star**3 / (0.41 * y), 2 * NU * here / y**2)
        if walled > 0:
            made[tuple(cell)], dissipated[tuple(cell)] = sums / walled
    return made, dissipated


def test_heat_through_walls(rng, pick):
    # T+ = Pr y* in the sublayer, Pr_t (ln(9.8 y*) / 0.41 + P) beyond
    k, y = positive(rng, 100, -9, -1), rng.uniform(0.005, 0.2, 100)
    P = 9.24 * ((0.71 / PR_T) ** 0.75 - 1) * (1 + 0.28 * math.exp(-0.007 * 0.71 / PR_T))
    edge, out = 13.0, np.zeros(100)
    pick(terms.log_law_conductance)(np.arange(100), y, k, NU, 0.71, PR_T, P, edge, out)
    for n in range(100):
        u_star = 0.09**0.25 * math.sqrt(float(k[n]))
        y_star = u_star * y[n] / NU
        T_plus = PR_T * (math.log(9.8 * y_star) / 0.41 + P) if y_star > edge else 0.71 * y_star
        assert out[n] == pytest.approx(u_star / T_plus, rel=ROUNDING)  # of sqrt(k)
