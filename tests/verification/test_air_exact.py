"""The airflow solver against exact solutions and conservation laws."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.airflow.case import CP, RHO, AirCase, Closure, Surfaces, UnitInputs
from solvers.airflow.fluxes import scalar_face
from solvers.airflow.model import advance, balances, initial_state, prepare, unit_inlet_temperature
from solvers.airflow.transport import Z
from solvers.errors import ConvergenceError
from solvers.grid import make_grid
from solvers.linear.multigrid import flat_cells, padded, strides

NO_PATCH = np.zeros(0, dtype=np.int64)
NO_UNITS = UnitInputs(*(np.zeros(0) for _ in range(5)))


def box(x, y, z, patches=(), units=()):
    """Empty room; patches are (axis, index, lo, hi, side), units are (inlet patch, outlet patch)."""
    grid = make_grid(x, y, z)
    nx, ny, nz = grid.shape
    plates = [np.zeros((nx + (d == 0), ny + (d == 1), nz + (d == 2)), dtype=bool) for d in range(3)]
    losses = [np.zeros(plate.shape, dtype=np.float32) for plate in plates]
    if patches:
        columns = [np.array(column) for column in zip(*patches, strict=True)]
        inlets, outlets = (np.array(column) for column in zip(*units, strict=True))
    else:
        columns = [NO_PATCH, NO_PATCH, np.zeros((0, 2), int), np.zeros((0, 2), int), NO_PATCH]
        inlets = outlets = NO_PATCH
    return AirCase(grid, np.zeros(grid.shape, dtype=bool), *plates, *losses, *columns, inlets, outlets)


def still(count, V_flow, Q_flow, C=0.0):
    one = np.ones(count)
    return UnitInputs(V_flow * one, Q_flow * one, np.nan * one, np.inf * one, C * one)


def duct(n=20, K_at=None, K=0.0, closure=None):
    """Straight duct of one cell across; the air enters at x = 0 and leaves at the other end."""
    case = box(
        np.linspace(0, 2, n + 1),
        [0, 10],
        [0, 10],
        patches=[(0, n, (0, 0), (1, 1), -1), (0, 0, (0, 0), (1, 1), +1)],
        units=[(0, 1)],
    )
    if K_at is not None:
        case.K_x[K_at] = K
    return prepare(case, closure or Closure("laminar"))


def test_diffusion_is_second_order():
    # hot above cold: at rest, the exact solution decays as exp(-a pi^2 t)
    errors = []
    for n in (4, 8, 16):
        z = np.linspace(0, 1, n + 1)
        model = prepare(box([0, 1, 2], [0, 1, 2], z), Closure("laminar", nu=0.01, Pr=1.0))
        cells = -(np.diff(np.sin(np.pi * z)) / np.diff(z)) / np.pi  # cell means of -cos(pi z)
        state = initial_state(model)._replace(
            T=np.broadcast_to(293.15 + 10 * cells, (2, 2, n)).astype(np.float32)
        )
        state = advance(model, state, NO_UNITS, 4.0, max_dt=0.01)
        exact = 293.15 + 10 * cells * np.exp(-0.01 * np.pi**2 * 4.0)
        errors.append(np.abs(state.T[0, 0] - exact).max())
        assert np.abs(state.w).max() < 1e-4  # stable stratification stays at rest
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert orders.min() > 1.8, (errors, orders)


@pytest.mark.parametrize("direction", [1, -1])
def test_advection_is_second_order_where_smooth(direction):
    errors = []
    for n in (32, 64, 128):
        shape = (1, 1, n)
        sx, sy = strides(shape)
        x = (np.arange(n) + 0.5) / n
        size = int(np.prod(padded(shape)))
        theta, flow = (np.zeros(size, dtype=np.float32) for _ in range(2))
        code, one = np.zeros(size, dtype=np.uint8), np.ones(sx, dtype=np.float32)
        cells = flat_cells(shape).ravel()
        theta[cells] = np.sin(x)  # monotone on [0, 1]: no extremum for the limiter to clip
        flow[cells[1:]] = direction
        code[cells[1:]] = 2 << Z
        flux, plus, minus = (np.zeros(sx, dtype=np.float32) for _ in range(3))
        nothing = np.zeros(size, dtype=np.float32)
        scalar_face(
            theta, flow, nothing, 0.0, 0.0, code, Z, one, 1.0, 1, False, sx, sy, 2 * sy, flux, plus, minus
        )
        inner = slice(3, -3)
        exact = direction * np.sin(np.arange(1, n) / n)
        errors.append(np.abs(flux[cells[1:] - sx] - exact)[inner].max())
    assert np.log2(np.array(errors[:-1]) / errors[1:]).min() > 1.8, errors


def patchy_room():
    """Closed room with a plate and air of random warmth."""
    rng = np.random.default_rng(1)
    case = box(np.linspace(0, 2, 13), np.linspace(0, 1.5, 10), np.linspace(0, 2.4, 15) ** 1.1)
    case.plate_z[3:, :, 7] = True
    model = prepare(case)
    T = (293.15 + 10 * rng.random(case.grid.shape)).astype(np.float32)
    return model, initial_state(model)._replace(T=T)


def heat_defect(model, state, sweeps, dt):
    """Share of the heat changing hands that one step misses before it is put right."""
    stepper = model.stepper
    stepper.load(state, NO_UNITS)
    stepper.update_flow()
    stepper.heat.relax(stepper, dt, sweeps)
    return abs(stepper.heat.missed[0]) / stepper.heat.weight[0]


def test_the_sweeps_keep_heat_without_a_correction():
    model, state = patchy_room()
    state = advance(model, state, NO_UNITS, 2.0)
    by_sweeps = [heat_defect(model, state, sweeps, 0.8) for sweeps in (3, 9, 33)]
    assert by_sweeps[0] > 100 * by_sweeps[1]
    assert by_sweeps[2] < 1e-8  # rounding
    by_step = [heat_defect(model, state, 3, dt) for dt in (0.8, 0.2, 0.05)]
    assert by_step[0] > 20 * by_step[1] > 400 * by_step[2]


def test_heat_of_a_closed_room_is_kept():
    model, state = patchy_room()
    case = model.case
    volumes = case.grid.volumes
    before = ((state.T.astype(float) - 293.15) * volumes).sum()
    after = advance(model, state, NO_UNITS, 5.0)
    assert np.abs(after.w).max() > 0.05  # it does convect
    change = ((after.T.astype(float) - 293.15) * volumes).sum() - before
    assert abs(change / before) < 1e-6
    # the balance holds by correction; a wrong operator shows in what was corrected, of some 10 kW exchanged
    assert after.heat_corrected < 0.5
    assert balances(model, after, NO_UNITS).heat_corrected == after.heat_corrected


def test_a_leaking_heat_operator_is_seen():
    model, state = patchy_room()
    width = model.stepper.geometry.components[3].metrics.inverse_width
    width[: width.size // 2] *= 1.3
    assert advance(model, state, NO_UNITS, 5.0).heat_corrected > 1.0
    width[: width.size // 2] *= 3  # the hot half, below
    T = np.full(model.case.grid.shape, 293.15, dtype=np.float32)
    T[:6] = 303.15
    state = initial_state(model)._replace(T=T)
    with pytest.raises(ConvergenceError, match="heat of the air does not close"):
        advance(model, state, NO_UNITS, 5.0)


def test_room_warms_by_what_the_unit_gives():
    case = box(
        np.linspace(0, 2, 11),
        np.linspace(0, 2, 11),
        np.linspace(0, 2, 11),
        patches=[(0, 0, (2, 0), (8, 4), +1), (0, 10, (2, 4), (8, 8), -1)],
        units=[(0, 1)],
    )
    model = prepare(case)
    inputs = still(1, 0.3, 2000.0)
    state = advance(model, initial_state(model), inputs, 20.0, max_dt=0.05)
    stored = RHO * CP * ((state.T.astype(float) - 293.15) * case.grid.volumes).sum()
    # a unit holds the air of one step: the first step brings no heat yet, the last inlet air is inside
    inside = RHO * CP * 0.3 * 0.05 * (unit_inlet_temperature(model, state)[0] - 293.15)
    assert stored == pytest.approx(2000.0 * (20.0 - 0.05) - inside, rel=2e-5)
    rise = state.T_unit - unit_inlet_temperature(model, state)
    assert rise == pytest.approx(2000.0 / (RHO * CP * 0.3), rel=1e-5)
    assert balances(model, state, inputs).mass_relative < 2e-5


def test_thermal_mass_lags_the_outlet():
    model = duct()
    C = 5000.0
    inputs = still(1, 50.0, 20e3, C)
    state = advance(model, initial_state(model), inputs, 0.05)
    rise = state.T_unit[0] - 293.15
    target = 20e3 / (RHO * CP * 50.0)
    assert rise == pytest.approx(target * (1 - np.exp(-0.05 * RHO * CP * 50.0 / C)), rel=1e-3)


@pytest.mark.parametrize("V", [50.0, 150.0])
def test_pressure_drop_of_a_porous_face(V):
    K = 30.0
    model = duct(K_at=10, K=K)
    state = advance(model, initial_state(model), still(1, V, 0.0), 3.0)
    drop = float(state.p[9, 0, 0] - state.p[10, 0, 0])
    velocity = V / 100.0
    assert drop == pytest.approx(0.5 * RHO * K * velocity**2, rel=0.01)
    assert state.u[1:-1, 0, 0] == pytest.approx(np.full(19, velocity), rel=1e-5)


def test_long_steps_reach_the_same_drop():
    # implicit drag in momentum and pressure: a step far beyond h / (K |u|) neither oscillates nor crawls
    model = duct(K_at=10, K=40.0)
    state = advance(model, initial_state(model), still(1, 100.0, 0.0), 6.0, cfl=50.0, max_dt=1.0)
    assert float(state.p[9, 0, 0] - state.p[10, 0, 0]) == pytest.approx(0.5 * RHO * 40.0, rel=0.01)


def test_nothing_crosses_a_plate():
    patches = [
        (0, 0, (0, 0), (4, 2), +1),
        (0, 8, (0, 2), (4, 4), -1),
        (0, 0, (0, 4), (4, 6), +1),
        (0, 8, (0, 6), (4, 8), -1),
    ]
    lines = np.linspace(0, 1.6, 9), np.linspace(0, 0.8, 5), np.linspace(0, 1.6, 9)
    case = box(*lines, patches=patches, units=[(0, 1), (2, 3)])
    case.plate_z[:, :, 4] = True
    model = prepare(case)
    assert model.regions == 2
    state = initial_state(model)
    T = np.array(state.T)
    T[:, :, :4] = 303.15
    state = state._replace(T=T, T_unit=np.array([303.15, 293.15]))
    state = advance(model, state, still(2, 0.2, 0.0), 10.0)
    assert np.abs(state.T[:, :, :4] - 303.15).max() < 1e-3
    assert np.abs(state.T[:, :, 4:] - 293.15).max() < 1e-3
    assert np.abs(state.u).max() > 0.2


def test_axes_are_equivalent():
    patches = [(0, 0, (1, 1), (4, 3), +1), (0, 8, (2, 4), (5, 6), -1)]
    lines = np.linspace(0, 1.6, 9), np.linspace(0, 1.2, 7), np.linspace(0, 1.4, 8)
    along_x = box(*lines, patches=patches, units=[(0, 1)])
    along_y = box(
        lines[1], lines[0], lines[2], patches=[(1, *fields[1:]) for fields in patches], units=[(0, 1)]
    )
    inputs = still(1, 0.15, 800.0)
    one, other = (
        advance(model, initial_state(model), inputs, 5.0, max_dt=0.05)
        for model in (prepare(along_x), prepare(along_y))
    )
    assert np.abs(one.T - other.T.transpose(1, 0, 2)).max() < 2e-3
    assert np.abs(one.u - other.v.transpose(1, 0, 2)).max() < 1e-3
    assert np.abs(one.w - other.w.transpose(1, 0, 2)).max() < 1e-3


def test_two_advances_are_one():
    case = box(
        np.linspace(0, 1.6, 9),
        np.linspace(0, 1.2, 7),
        np.linspace(0, 1.4, 8),
        patches=[(0, 0, (1, 1), (4, 3), +1), (0, 8, (2, 4), (5, 6), -1)],
        units=[(0, 1)],
    )
    model, inputs = prepare(case), still(1, 0.15, 800.0)
    start = advance(model, initial_state(model), inputs, 2.0)
    keep = [np.array(field) for field in start[:5]]
    once = advance(model, start, inputs, 0.4, max_dt=0.05)
    twice = advance(model, advance(model, start, inputs, 0.2, max_dt=0.05), inputs, 0.2, max_dt=0.05)
    assert once.time == pytest.approx(start.time + 0.4) and twice.time == pytest.approx(once.time)
    # the stored temperature is float32 and absolute: 3e-5 K is its last digit
    assert np.abs(once.T - twice.T).max() < 2e-4
    assert np.abs(once.u - twice.u).max() < 1e-5
    for field, kept in zip(start[:5], keep, strict=True):
        assert np.array_equal(field, kept)  # advance leaves its input alone


def test_lid_driven_cavity():
    """Ghia, Ghia and Shin 1982, J. Comput. Phys. 48, 387, table I and II, Re = 100."""
    y = np.array([0.0547, 0.1016, 0.1719, 0.2813, 0.4531, 0.5, 0.6172, 0.7344, 0.8516, 0.9531])
    u = np.array(
        [-0.03717, -0.06434, -0.1015, -0.15662, -0.2109, -0.20581, -0.13641, 0.00332, 0.23151, 0.68717]
    )
    x = np.array([0.0625, 0.0938, 0.1563, 0.2266, 0.5, 0.8047, 0.8594, 0.9063, 0.9453])
    v = np.array([0.09233, 0.12317, 0.16077, 0.17507, 0.05454, -0.24533, -0.22445, -0.16914, -0.10313])
    n, nu = 32, 0.01
    line = np.linspace(0, 1, n + 1)
    lid = Surfaces(
        *(np.array(values) for values in ([1], [n], [[0, 0]], [[n, 1]], [-1])),
        T=np.full(1, np.nan),
        U=np.zeros(1),
        C=np.zeros(1),
        velocity=np.array([[1.0, 0.0, 0.0]]),
        slip=np.array([False]),
    )
    model = prepare(box(line, line, [0, 1000])._replace(surfaces=lid), Closure("laminar", nu=nu))
    state = advance(model, initial_state(model), NO_UNITS, 25.0, cfl=2.0, max_dt=0.04)
    middle = (line[1:] + line[:-1]) / 2
    at_u = np.interp(y, middle, state.u[n // 2, :, 0])
    at_v = np.interp(x, middle, state.v[:, n // 2, 0])
    # second order at 32 cells: 1 % of the lid speed
    assert np.abs(at_u - u).max() < 0.012
    assert np.abs(at_v - v).max() < 0.012
