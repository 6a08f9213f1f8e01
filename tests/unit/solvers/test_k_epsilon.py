"""k-epsilon: decay, log layer, channel, walls, buoyancy, bounds; each against what is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from solvers.airflow import k_epsilon_terms as terms
from solvers.airflow.case import RHO, AirCase, Closure, Surfaces, UnitInputs
from solvers.airflow.geometry import build_geometry, unpad
from solvers.airflow.k_epsilon import KEpsilon
from solvers.airflow.model import advance, initial_state, prepare
from solvers.grid import make_grid
from solvers.linear.multigrid import flat_cells


def box(x, y, z, smooth=(), **patches):
    """Empty room; `smooth` lists (axis, end) of the sides without friction."""
    grid = make_grid(x, y, z)
    plates = [np.zeros(tuple(n + (d == a) for d, n in enumerate(grid.shape)), dtype=bool) for a in range(3)]
    none = np.zeros(0, dtype=np.int64)
    case = AirCase(
        grid,
        np.zeros(grid.shape, dtype=bool),
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
    if not smooth:
        return case._replace(**patches)
    across = [[n for d, n in enumerate(grid.shape) if d != axis] for axis, _ in smooth]
    count = len(smooth)
    surfaces = Surfaces(
        axis=np.array([axis for axis, _ in smooth]),
        index=np.array([grid.shape[axis] * end for axis, end in smooth]),
        lo=np.zeros((count, 2), dtype=np.int64),
        hi=np.array(across),
        side=np.array([1 - 2 * end for _, end in smooth]),
        T=np.full(count, np.nan),
        U=np.zeros(count),
        C=np.zeros(count),
        velocity=np.zeros((count, 3)),
        slip=np.ones(count, dtype=bool),
    )
    return case._replace(surfaces=surfaces, **patches)


def through(nx, ny, nz):
    """Return the patches of a unit that blows in at x = 0 and takes out at the other end."""
    return {
        "patch_axis": np.array([0, 0]),
        "patch_index": np.array([0, nx]),
        "patch_lo": np.zeros((2, 2), dtype=np.int64),
        "patch_hi": np.array([[ny, nz]] * 2),
        "patch_side": np.array([1, -1]),
        "unit_inlet": np.array([1]),
        "unit_outlet": np.array([0]),
    }


def blowing(V):
    one = np.ones(1)
    return UnitInputs(V * one, 0 * one, np.nan * one, np.inf * one, 0 * one)


NO_UNITS = UnitInputs(*(np.zeros(0) for _ in range(5)))
ALL_SIDES = tuple((axis, end) for axis in range(3) for end in (0, 1))


def decayed(k0, epsilon0, t):
    """Exact decay without gradients: k0 (1 + (C2 - 1) epsilon0 t / k0)^(-1 / (C2 - 1))."""
    return k0 * (1 + (terms.C_2 - 1) * epsilon0 * t / k0) ** (-1 / (terms.C_2 - 1))


def test_homogeneous_turbulence_decays_by_the_power_law():
    line = np.linspace(0, 1, 4)
    model = prepare(box(line, line, line, smooth=ALL_SIDES), Closure(kind="k_epsilon"))
    shape = (3, 3, 3)
    k0, epsilon0 = 0.02, 0.01
    start = initial_state(model)._replace(
        k=np.full(shape, k0, dtype=np.float32), epsilon=np.full(shape, epsilon0, dtype=np.float32)
    )
    errors = []
    for dt in (0.2, 0.1):
        state = advance(model, start, NO_UNITS, 4.0, max_dt=dt)
        assert np.ptp(state.k) == pytest.approx(0, abs=1e-8)
        errors.append(abs(float(state.k[0, 0, 0]) / decayed(k0, epsilon0, 4.0) - 1))
    assert errors[1] < 0.015  # first order in time: dt epsilon / k is 0.05 at the start
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)


def test_turbulence_decays_along_a_smooth_duct_from_what_the_unit_brings():
    # plug flow: what the power law says after the time x / U; the inflow is intensity and length of the unit
    nx, U = 40, 1.0
    x, side = np.linspace(0, 8, nx + 1), np.linspace(0, 0.6, 4)
    case = box(x, side, side, smooth=((1, 0), (1, 1), (2, 0), (2, 1)), **through(nx, 3, 3))
    closure = Closure(kind="k_epsilon", intensity=0.1, length=0.2)
    model = prepare(case, closure)
    state = advance(model, initial_state(model), blowing(U * 0.36), 30.0, cfl=8)
    k0 = 1.5 * (0.1 * U) ** 2
    epsilon0 = 0.09**0.75 * k0**1.5 / (0.2 * 0.6)
    expected = decayed(k0, epsilon0, model.case.grid.centres[0] / U)
    # first-order truncation of upwinding is gone; the first cell is a mixed one: 0.2 m of 1 m decay length
    assert state.k is not None
    assert state.k[3:, 1, 1] == pytest.approx(expected[3:], rel=0.02)


def test_wall_laws_meet_and_are_the_textbook_ones():
    assert pytest.approx(math.log(9.8 * terms.SUBLAYER) / 0.41, rel=1e-9) == terms.SUBLAYER
    nu, y = np.float32(1.5e-5), np.float32(0.05)
    for kernel in (terms.log_law, terms.log_law.py_func):
        u_star = np.float32(0.05)
        y_star = 0.05 * 0.05 / 1.5e-5
        assert kernel(u_star, y, nu) == pytest.approx(0.05 * 0.41 / math.log(9.8 * y_star), rel=1e-5)
        assert kernel(np.float32(1e-3), y, nu) == pytest.approx(1.5e-5 / 0.05, rel=1e-6)
        at = np.float32(terms.SUBLAYER * 1.5e-5 / 0.05)
        below, above = (float(kernel(at * np.float32(f), y, nu)) for f in (0.999, 1.001))
        assert below == pytest.approx(above, rel=3e-3)  # continuous
    P, edge = terms.jayatilleke(0.71, 0.9)
    assert pytest.approx(9.24 * ((0.71 / 0.9) ** 0.75 - 1) * (1 + 0.28 * math.exp(-0.007 * 0.71 / 0.9))) == P
    assert 0.71 * edge == pytest.approx(0.9 * (math.log(9.8 * edge) / 0.41 + P), rel=1e-6)  # T+ is continuous
    k = np.array([0.01, 1e-7], dtype=np.float32)
    for kernel in (terms.log_law_conductance, terms.log_law_conductance.py_func):
        out = np.zeros(2)
        kernel(np.array([0, 1]), np.array([0.05, 0.05]), k, 1.5e-5, 0.71, 0.9, P, edge, out)
        u_star = 0.09**0.25 * 0.1
        T_plus = 0.9 * (math.log(9.8 * u_star * 0.05 / 1.5e-5) / 0.41 + P)
        assert out == pytest.approx([u_star / T_plus, 1.5e-5 / 0.71 / 0.05], rel=1e-6)


@pytest.mark.parametrize("compiled", [True, False])
def test_cells_beside_walls_take_the_mean_of_their_walls(compiled):
    kernel = terms.wall_cells if compiled else terms.wall_cells.py_func
    line = np.linspace(0, 0.4, 5)
    case = box(line, line, np.linspace(0, 0.8, 5))
    closure = Closure(kind="k_epsilon")
    geometry = build_geometry(case, closure)
    turbulence = KEpsilon(case, geometry, closure)
    size = geometry.volume.size
    rng = np.random.default_rng(2)
    u, v, w = (rng.normal(size=size).astype(np.float32) for _ in range(3))
    k = np.full(size, 0.01, dtype=np.float32)
    production, epsilon = np.zeros(size, dtype=np.float32), np.zeros(size, dtype=np.float32)
    sx, sy = turbulence._size[1:]
    kernel(*turbulence._wall_faces, u, v, w, k, closure.nu, sx, sy, production, epsilon)
    n = int(flat_cells(geometry.shape)[0, 1, 0])  # walls at low x (0.1 x 0.2) and low z (0.1 x 0.1)
    mean = [0.5 * (f[n] + f[n + s]) for f, s in ((u, sx), (v, sy), (w, 1))]
    u_star = 0.09**0.25 * 0.1
    made = dissipated = 0.0
    for share, y, speed in ((2 / 3, 0.05, math.hypot(mean[1], mean[2])), (1 / 3, 0.1, math.hypot(*mean[:2]))):
        tau = speed * u_star * 0.41 / math.log(9.8 * u_star * y / closure.nu)
        made += share * tau * u_star / (0.41 * y)
        dissipated += share * u_star**3 / (0.41 * y)
    assert production[n] == pytest.approx(made, rel=1e-5)
    assert epsilon[n] == pytest.approx(dissipated, rel=1e-5)
    inner = flat_cells(geometry.shape)[1:-1, 1:-1, 1:-1]
    assert not production[inner].any()


def test_channel_has_the_log_layer_and_deans_friction():
    # a duct of 60 heights between smooth sides; Re_b = U H / nu = 1e5, 20 cells across, y+ = 110
    nx, nz, U, H, nu = 60, 20, 1.0, 1.0, 1e-5
    x, z = np.linspace(0, 60, nx + 1), np.linspace(0, H, nz + 1)
    case = box(x, [0.0, 1.0], z, smooth=((1, 0), (1, 1)), **through(nx, 1, nz))
    model = prepare(case, Closure(kind="k_epsilon", nu=nu))
    moving = initial_state(model)
    moving = moving._replace(u=np.full_like(moving.u, U))
    state = advance(model, moving, blowing(U * H), 400.0, cfl=8)
    p = state.p.mean(axis=(1, 2)) / RHO
    at, then = 42, 54
    tau = (p[at] - p[then]) / (then - at) * H / 2
    u_tau = math.sqrt(tau)
    y = z[1] / 2
    assert state.k is not None
    # the cell at the wall is in equilibrium: u+ on the log law, k+ = 1 / sqrt(C_mu)
    first = float(state.u[then, 0, 0]) / u_tau
    assert first == pytest.approx(math.log(9.8 * u_tau * y / nu) / 0.41, rel=0.03)
    assert float(state.k[then, 0, 0]) / tau == pytest.approx(0.09**-0.5, rel=0.03)
    # Dean 1978, own scatter 5 %; the standard model is known to sit a little below
    assert tau / (0.5 * U**2) == pytest.approx(0.073 * (U * H / nu) ** -0.25, rel=0.08)
    assert float(state.u[then, 0, nz // 2]) == pytest.approx(1.28 * (U * H / nu) ** -0.0116 * U, rel=0.03)


def test_buoyancy_makes_turbulence_over_a_warm_floor_and_destroys_it_under_a_warm_ceiling():
    line, z = np.linspace(0, 1, 4), np.cumsum([0, 0.2, 0.3, 0.4, 0.3])
    case = box(line, line, z)
    closure = Closure(kind="k_epsilon")
    geometry = build_geometry(case, closure)
    stencil = KEpsilon(case, geometry, closure)._stencil
    size = geometry.volume.size
    cells = flat_cells(geometry.shape)
    nu_eff, epsilon = np.full(size, 1e-3 + closure.nu, np.float32), np.full(size, 1e9, np.float32)
    for slope in (-2.0, 3.0):
        theta = np.zeros(size, dtype=np.float32)
        theta[cells] = slope * case.grid.centres[2]
        for kernel in (terms.buoyant_production, terms.buoyant_production.py_func):
            out = np.zeros(size, dtype=np.float32)
            nx, sx, sy = geometry.shape[0], 30, 6
            kernel(theta, nu_eff, epsilon, stencil, 9.81 / 293.15, 0.9, closure.nu, nx, sx, sy, out)
            inner = unpad(out, None, geometry.shape)[:, :, 1:-1]
            assert inner == pytest.approx(-9.81 / 293.15 * 1e-3 / 0.9 * slope, rel=1e-4)


@pytest.mark.parametrize("compiled", [True, False])
def test_sources_are_those_of_the_equations(compiled):
    rng = np.random.default_rng(4)
    nx, sx, sy = 2, 20, 5
    size = (nx + 3) * sx
    k, e, P, vol = ((0.1 + rng.random(size)).astype(np.float32) for _ in range(4))
    G, u, v, w = (rng.normal(size=size).astype(np.float32) for _ in range(4))
    source, sink = (np.zeros(size, dtype=np.float32) for _ in range(2))
    pick = (lambda f: f) if compiled else (lambda f: f.py_func)
    pick(terms.k_sources)(k, e, P, G, vol, source, sink)
    made, gone = np.maximum(G, 0), np.maximum(-G, 0)
    assert source == pytest.approx(vol * (P + made), rel=1e-6)
    assert sink == pytest.approx(vol * (e + gone) / k, rel=1e-6)
    pick(terms.epsilon_sources)(k, e, P, G, u, v, w, vol, nx, sx, sy, source, sink)
    n = np.arange(sx, (nx + 1) * sx)
    a, b, c = 0.5 * (u[n] + u[n + sx]), 0.5 * (v[n] + v[n + sy]), 0.5 * (w[n] + w[n + 1])
    C3 = np.tanh(np.abs(c) / np.hypot(a, b))
    # tanh is a rational function good to 1 %
    assert source[n] == pytest.approx(vol[n] * e[n] / k[n] * 1.44 * (P[n] + C3 * made[n]), rel=0.015)
    assert sink[n] == pytest.approx(vol[n] / k[n] * (1.92 * e[n] + 1.44 * C3 * gone[n]), rel=0.015)


@pytest.mark.parametrize("start", ["none", "zero", "absurd"])
def test_any_start_is_survived_at_courant_8(start):
    nx = 20
    x, z = np.linspace(0, 4, nx + 1), np.linspace(0, 2, 11)
    patches = through(nx, 1, 10) | {
        "patch_lo": np.array([[0, 8], [0, 0]]),
        "patch_hi": np.array([[1, 10], [1, 2]]),
    }
    model = prepare(box(x, [0.0, 1.0], z, smooth=((1, 0), (1, 1)), **patches), Closure(kind="k_epsilon"))
    state = initial_state(model)
    shape = model.case.grid.shape
    zero = np.zeros(shape, dtype=np.float32)
    if start == "zero":
        state = state._replace(k=zero, epsilon=zero)
    elif start == "absurd":
        state = state._replace(k=zero + 100, epsilon=zero)
    state = advance(model, state, blowing(1.0), 60.0, cfl=8)
    assert state.k is not None
    assert state.epsilon is not None
    assert (state.k > 0).all()
    assert (state.epsilon > 0).all()
    nu_t = 0.09 * state.k**2 / state.epsilon
    assert nu_t.max() < 0.1  # m2/s; a jet of 2.5 m/s, 0.4 m wide, has about 0.01
    assert nu_t.max() > 1e-3
    assert state.k.max() < 2.5**2
    if start != "none":
        fresh = advance(model, initial_state(model), blowing(1.0), 60.0, cfl=8)
        assert fresh.k is not None
        assert state.k == pytest.approx(
            fresh.k, rel=0.05, abs=0.05 * float(fresh.k.max())
        )  # the start is forgotten


def test_split_advances_agree():
    nx = 10
    x, z = np.linspace(0, 2, nx + 1), np.linspace(0, 1, 6)
    model = prepare(box(x, [0.0, 1.0], z, **through(nx, 1, 5)), Closure(kind="k_epsilon"))
    inputs = blowing(0.5)
    start = advance(model, initial_state(model), inputs, 5.0, max_dt=0.1)
    whole = advance(model, start, inputs, 1.0, max_dt=0.05)
    half = advance(model, advance(model, start, inputs, 0.5, max_dt=0.05), inputs, 0.5, max_dt=0.05)
    assert whole.k is not None
    assert half.k is not None
    # the pressure is stored times rho: rounding, 1e-6 of it
    assert half.k == pytest.approx(whole.k, rel=1e-4)
    assert half.u == pytest.approx(whole.u, abs=1e-5)
