"""Walls: friction against the textbook, heat through them against exact solutions, faults."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.airflow.case import CP, RHO, AirCase, Closure, Surfaces, UnitInputs
from solvers.airflow.geometry import build_geometry
from solvers.airflow.model import advance, initial_state, prepare, restart, unit_inlet_temperature
from solvers.airflow.walls import WERNER_WENGLE, Walls
from solvers.errors import CaseError
from solvers.grid import make_grid

CONDUCTIVITY = RHO * CP * Closure().nu / Closure().Pr  # W/(m K)
LAMINAR = Closure(kind="laminar")
NO_UNITS = UnitInputs(*(np.zeros(0) for _ in range(5)))


def surfaces(*rows):
    """Rows of (axis, index, lo, hi, side, T, U, C, velocity, slip)."""
    axis, index, lo, hi, side, T, U, C, velocity, slip = zip(*rows, strict=True)
    whole = [np.array(column, dtype=np.int64) for column in (axis, index, lo, hi, side)]
    real = [np.array(column, dtype=np.float64) for column in (T, U, C, velocity)]
    return Surfaces(*whole, *real, np.array(slip))


def box(shape, size, walls=None):
    """Return a closed room of equal cells without openings."""
    nx, ny, nz = shape
    grid = make_grid(*(np.linspace(0, length, n + 1) for length, n in zip(size, shape, strict=True)))
    plates = [np.zeros((nx + (d == 0), ny + (d == 1), nz + (d == 2)), dtype=bool) for d in range(3)]
    none = np.zeros(0, dtype=np.int64)
    return AirCase(
        grid,
        np.zeros(shape, dtype=bool),
        *plates,
        *(np.zeros(p.shape, dtype=np.float32) for p in plates),
        none,
        none,
        none.reshape(0, 2),
        none.reshape(0, 2),
        none,
        none,
        none,
        surfaces=walls,
    )


def wall(axis, index, across, side, T=np.nan, U=0.0, C=0.0, velocity=(0.0, 0.0, 0.0), slip=False):
    return (axis, index, (0, 0), across, side, T, U, C, velocity, slip)


def test_friction_is_the_larger_of_viscous_and_power_law():
    closure = Closure()
    case = box((4, 3, 5), (2.0, 1.5, 2.5))
    walls = Walls(case, build_geometry(case, closure), closure, 293.15)
    size = build_geometry(case, closure).volume.size
    rng = np.random.default_rng(0)
    velocity = [rng.normal(size=size).astype(np.float32) for _ in range(3)]
    friction = [np.ones(size, dtype=np.float32) for _ in range(3)]
    walls.friction(velocity, friction, [np.zeros(size, dtype=np.float32)] * 3)
    # u between cells (0, 0, 0) and (1, 0, 0): walls below in y and in z, cells of 0.5 m, y = 0.25 m
    n = 2 * 5 * 7 + 7 + 1
    speed = abs(float(velocity[0][n]))
    rate = max(closure.nu / 0.25, WERNER_WENGLE * speed**0.75 * (closure.nu / 0.25) ** 0.25) / 0.5
    assert friction[0][n] == pytest.approx(2 * rate, rel=1e-5)  # single precision
    inner = 2 * 5 * 7 + 2 * 7 + 3  # beside no wall
    assert friction[0][inner] == 0


def test_a_half_wet_point_feels_half():
    closure = LAMINAR
    case = box((4, 3, 3), (2.0, 1.5, 1.5))
    solid = case.solid.copy()
    solid[1, :, 1] = True  # a block beside u at the low-x face of cell (1, 1, 0)... only one of its two cells
    case = case._replace(solid=solid)
    geometry = build_geometry(case, closure)
    walls = Walls(case, geometry, closure, 293.15)
    size = geometry.volume.size
    zero = [np.zeros(size, dtype=np.float32) for _ in range(3)]
    friction = [np.zeros(size, dtype=np.float32) for _ in range(3)]
    walls.friction(zero, friction, zero)
    n = 2 * 25 + 2 * 5 + 1  # u between cells (0, 1, 0) and (1, 1, 0): floor under both, block over one
    assert friction[0][n] == pytest.approx(1.5 * closure.nu / 0.25 / 0.5, rel=1e-5)


def test_slip_has_no_friction():
    closure = Closure()
    rows = [wall(1, 0, (4, 5), +1, slip=True), wall(1, 3, (4, 5), -1, slip=True)]
    rows += [wall(2, 0, (4, 3), +1, slip=True), wall(2, 5, (4, 3), -1, slip=True)]
    case = box((4, 3, 5), (2.0, 1.5, 2.5), surfaces(*rows))
    geometry = build_geometry(case, closure)
    walls = Walls(case, geometry, closure, 293.15)
    assert walls.points[0].target.size == 0
    assert walls.points[1].target.size > 0


def test_moving_wall_drags_the_air_along():
    """Couette flow between a wall at rest and one that moves: linear, to the accuracy of single precision."""
    n, speed = 8, 0.1
    rows = [wall(2, n, (4, 4), -1, velocity=(speed, 0.0, 0.0))]
    rows += [wall(1, 0, (4, n), +1, slip=True), wall(1, 4, (4, n), -1, slip=True)]
    case = box((4, 4, n), (40.0, 0.04, 0.01), surfaces(*rows))
    model = prepare(case, LAMINAR)
    walls = model.stepper.walls
    size = model.stepper.size
    zero = [np.zeros(size, dtype=np.float32) for _ in range(3)]
    push = [np.zeros(size, dtype=np.float32) for _ in range(3)]
    walls.friction(zero, zero, push)
    assert walls.moving
    y = 0.5 * 0.01 / n
    assert push[0].max() == pytest.approx(LAMINAR.nu / y / (0.01 / n) * speed, rel=1e-5)


def test_conduction_between_two_isothermal_walls_is_linear():
    """Still air, hot above: the temperature is linear and the heat k A dT / L passes."""
    n, L = 8, 0.1
    hot, cold = 294.15, 292.15
    rows = [wall(2, 0, (3, 3), +1, T=cold, U=np.inf), wall(2, n, (3, 3), -1, T=hot, U=np.inf)]
    case = box((3, 3, n), (0.3, 0.3, L), surfaces(*rows))
    model = prepare(case, LAMINAR)
    state = advance(model, initial_state(model, 293.5), NO_UNITS, 4e3)
    z = model.case.grid.centres[2]
    exact = cold + (hot - cold) * z / L
    assert np.abs(state.T - exact).max() < 1e-3  # of 2 K; single precision stores 3e-5 K
    Q_flow = CONDUCTIVITY * 0.09 * (hot - cold) / L
    walls = model.stepper.walls
    assert walls.given == pytest.approx(Q_flow, rel=5e-3)
    assert walls.taken == pytest.approx(Q_flow, rel=5e-3)


def test_u_value_is_in_series_with_the_air():
    """Heated from one side through a wall of U: the surface takes the share of the resistances."""
    n, L, U = 4, 0.1, 1.0
    rows = [wall(2, 0, (3, 3), +1, T=292.15, U=np.inf), wall(2, n, (3, 3), -1, T=294.15, U=U)]
    case = box((3, 3, n), (0.3, 0.3, L), surfaces(*rows))
    model = prepare(case, LAMINAR)
    state = advance(model, initial_state(model, 293.15), NO_UNITS, 8e3)
    q = 2.0 / (L / CONDUCTIVITY + 1 / U)
    exact = 292.15 + q * model.case.grid.centres[2] / CONDUCTIVITY
    assert np.abs(state.T - exact).max() < 1e-3


def test_a_heavy_wall_keeps_the_heat():
    """What the air loses the layer gains; both end at the mixing temperature."""
    C, size = 400.0, (0.2, 0.2, 0.2)
    rows = [wall(2, 0, (4, 4), +1, C=C)]
    case = box((4, 4, 4), size, surfaces(*rows))
    model = prepare(case, LAMINAR)
    start = initial_state(model, 303.15)._replace(T_surface=np.full(16, 293.15))
    state = advance(model, start, NO_UNITS, 3e4, max_dt=200.0)
    air, layer = RHO * CP * 0.008, C * 0.04
    mixed = (air * 303.15 + layer * 293.15) / (air + layer)
    assert state.T_surface is not None
    assert state.T.mean() == pytest.approx(mixed, abs=5e-3)
    assert state.T_surface.mean() == pytest.approx(mixed, abs=5e-3)


def test_layers_move_to_another_grid():
    rows = [wall(2, 0, (4, 4), +1, C=100.0)]
    coarse = prepare(box((4, 4, 4), (0.2, 0.2, 0.2), surfaces(*rows)), LAMINAR)
    fine = prepare(box((8, 8, 8), (0.2, 0.2, 0.2), surfaces(wall(2, 0, (8, 8), +1, C=100.0))), LAMINAR)
    T = 290.0 + np.arange(16.0)
    state = initial_state(coarse)._replace(T_surface=T)
    moved = restart(fine, coarse, state)
    assert moved.T_surface is not None
    assert moved.T_surface.reshape(4, 2, 4, 2)[:, 0, :, 0].ravel() == pytest.approx(T)


def test_faults_are_named_all_at_once():
    rows = [
        wall(2, 0, (4, 4), +1, T=-5.0, U=1.0),
        wall(2, 0, (9, 4), +1, U=-1.0),
        wall(0, 0, (4, 4), 1, C=np.nan),
    ]
    rows.append(wall(1, 0, (4, 4), +1, velocity=(0.0, 1.0, 0.0)))
    with pytest.raises(CaseError) as caught:
        prepare(box((4, 4, 4), (1.0, 1.0, 1.0), surfaces(*rows)))
    text = str(caught.value)
    for part in (
        "surface 0: T",
        "surface 1: it leaves",
        "surface 1: U",
        "surface 2: C",
        "surface 3: its velocity",
    ):
        assert part in text


def test_units_from_outside_take_the_ambient_temperature():
    case = box((4, 4, 4), (1.0, 1.0, 1.0))
    ambient = np.zeros((4, 4, 4), dtype=bool)
    ambient[3] = True
    plate = case.plate_x.copy()
    plate[3, 1:] = True
    case = case._replace(
        ambient=ambient,
        plate_x=plate,
        patch_axis=np.array([2]),
        patch_index=np.array([0]),
        patch_lo=np.array([[0, 0]]),
        patch_hi=np.array([[2, 2]]),
        patch_side=np.array([1]),
        unit_inlet=np.array([-1]),
        unit_outlet=np.array([0]),
    )
    one = np.ones(1)
    inputs = UnitInputs(0.05 * one, 0 * one, 288.15 * one, np.inf * one, 0 * one, T_ambient=300.0)
    model = prepare(case)
    state = advance(model, initial_state(model, 293.15), inputs, 60.0)
    assert unit_inlet_temperature(model, state) == pytest.approx([300.0])
    assert state.T[:3].mean() < 289.0  # flushed four times over, while warm air comes in above
    outflow = (state.u[3] * model.stepper.geometry.open_area[0][3]).sum()
    assert outflow == pytest.approx(0.05, rel=1e-4)
