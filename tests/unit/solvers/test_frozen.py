"""Heat transport by a frozen flow: exactness, balances, time, limits, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.linalg import splu

from solvers.airflow import face_weights
from solvers.airflow.case import CP, RHO, AirCase, Closure, Surfaces, UnitInputs
from solvers.airflow.frozen import advance_frozen, freeze, settle_frozen
from solvers.airflow.model import advance, initial_state, prepare, unit_inlet_temperature
from solvers.errors import CaseError, ConvergenceError
from solvers.grid import make_grid

NAN = np.nan


def box(shape, size, patches, units, **more):
    """Empty room; patches are (axis, index, lo, hi, side), units are (inlet patch, outlet patch)."""
    grid = make_grid(*(np.linspace(0, length, n + 1) for n, length in zip(shape, size, strict=True)))
    nx, ny, nz = shape
    plates = [np.zeros((nx + (d == 0), ny + (d == 1), nz + (d == 2)), dtype=bool) for d in range(3)]
    losses = [np.zeros(plate.shape, dtype=np.float32) for plate in plates]
    columns = [np.array(column) for column in zip(*patches, strict=True)]
    inlets, outlets = (np.array(column) for column in zip(*units, strict=True))
    return AirCase(grid, np.zeros(shape, dtype=bool), *plates, *losses, *columns, inlets, outlets, **more)


def cooled_room(**more):
    """Rack at the far wall, cooler at the near one; each takes air high or low and gives it back apart."""
    patches = [
        (0, 8, (0, 0), (6, 2), -1),
        (0, 8, (0, 4), (6, 6), -1),
        (0, 0, (0, 4), (6, 6), +1),
        (0, 0, (0, 0), (6, 2), +1),
    ]
    return box((8, 6, 6), (1.6, 1.2, 1.2), patches, [(0, 1), (2, 3)], **more)


def given(V_flow=0.1, Q_flow=600.0, T_supply=291.15, Q_max=np.inf, C=0.0):
    return UnitInputs(
        np.full(2, V_flow),
        np.array([Q_flow, 0.0]),
        np.array([NAN, T_supply]),
        np.array([np.inf, Q_max]),
        np.array([C, 0.0]),
    )


def duct(n=20, closure=None):
    """Straight duct of one cell across, a closed loop through its one unit."""
    patches = [(0, n, (0, 0), (1, 1), -1), (0, 0, (0, 0), (1, 1), +1)]
    return prepare(box((n, 1, 1), (2, 10, 10), patches, [(0, 1)]), closure or Closure("laminar"))


def through(n=20):
    """Duct that air from outside flows through: unit 0 blows in, unit 1 out."""
    patches = [(0, 0, (0, 0), (1, 1), +1), (0, n, (0, 0), (1, 1), -1)]
    return prepare(box((n, 1, 1), (2, 10, 10), patches, [(-1, 0), (1, -1)]), Closure("laminar"))


@pytest.fixture(scope="module")
def room():
    model = prepare(cooled_room())
    inputs = given()
    return model, inputs, advance(model, initial_state(model, 293.15), inputs, 60.0)


@pytest.fixture(scope="module")
def frozen(room):
    model, inputs, state = room
    return freeze(model, state, inputs)


def system_of(frozen, inputs):
    op = frozen.operator
    found = op.system(inputs, op.modes(inputs, None))
    return op, found, op.matrix(found.value).toarray()


def test_weights_give_the_limited_face_value():
    rng = np.random.default_rng(0)
    far, up, down = rng.normal(size=(3, 1000))
    a, b = down - up, up - far
    downwind, upstream = face_weights._weights(a, b, central=False, leaves=np.zeros(1000, dtype=bool))
    limited = np.where(a * b > 0, a * b / np.where(a + b == 0, 1, a + b), 0.0)
    # E6: theta_up + half of the harmonic mean 2 a b / (a + b); differences below 1e-4 K count as none
    assert up + downwind * a + upstream * b == pytest.approx(up + limited, abs=1e-4)
    assert max(downwind.max(), upstream.max()) <= 0.5
    assert ((downwind == 0) | (upstream == 0)).all()
    downwind, upstream = face_weights._weights(a, b, central=False, leaves=np.ones(1000, dtype=bool))
    assert (downwind == 0).all()
    assert up + upstream * b == pytest.approx(up + limited, abs=1e-4)


def test_the_operator_is_the_solver_s_own(room, frozen):
    # short steps of the solver from the frozen state against the operator's: float32 temperatures are
    # 3e-5 K apart, and in 0.1 s the limiter and the flow move by a part in 1e2
    model, _, state = room
    hot = given(Q_flow=20e3)
    # `advance` blows out what the step before made; start it with what the operator starts with
    inlet = unit_inlet_temperature(model, state)
    state = state._replace(T_unit=inlet + np.array([20e3 / (RHO * CP * 0.1), 291.15 - inlet[1]]))
    real = advance(model, state, hot, 0.1, max_dt=0.005)
    found = advance_frozen(frozen, state, hot, 0.1, dt=0.005)
    change = np.abs(real.T - state.T.astype(np.float64)).max()
    assert change > 1.0
    assert np.abs(found.T - real.T).max() < 0.02 * change


def test_settles_as_a_direct_solver_does(frozen):
    inputs = given()
    _, system, K = system_of(frozen, inputs)
    exact = splu(frozen.operator.matrix(system.value).tocsc()).solve(system.source)
    found = frozen.pack(settle_frozen(frozen, inputs))
    assert np.abs(found - exact).max() < 1e-9 * np.ptp(exact)
    assert np.linalg.eigvals(K).real.min() > 0  # nothing grows


def test_heat_and_constants_are_kept(frozen):
    inputs = given()
    op, _, K = system_of(frozen, inputs)
    air = K[: op.cells, : op.cells]
    taken = np.zeros(op.cells)
    np.add.at(taken, op.inlet.cell, op.V_flow[op.inlet.unit] * op.inlet.share)
    # columns: what leaves a cell arrives in others or in a unit; rounding of sums of 0.1 m3/s
    assert np.abs(air.sum(axis=0) - taken).max() < 1e-15
    # rows: a uniform temperature stays; the flow's divergence is 1e-11 of 0.2 m3/s
    assert np.abs(K[: op.cells].sum(axis=1)).max() < 1e-11
    state = settle_frozen(frozen, inputs)
    rise = state.T_unit - unit_inlet_temperature(frozen.model, state)
    assert RHO * CP * 0.1 * rise == pytest.approx([600.0, -600.0], rel=1e-9)


def test_a_transient_keeps_heat(frozen):
    hot = given(Q_flow=2000.0)
    gained = []
    start = settle_frozen(frozen, given())
    advance_frozen(frozen, start, hot, 30.0, dt=0.05, on_step=gained.append)
    volume = frozen.operator.capacity[: frozen.operator.cells]
    heat = [float((volume * s.T.ravel()[frozen.operator.index]).sum()) for s in [start, *gained]]
    drop = [float((unit_inlet_temperature(frozen.model, s) - s.T_unit).sum()) * 0.1 for s in gained]
    came = -np.cumsum(drop) * 0.05
    # E13 in the steps' rectangle rule: first order in 0.05 s against times of 10 s
    assert heat[-1] - heat[0] == pytest.approx(came[-1], rel=5e-3)
    assert heat[-1] > heat[0] + 1.0


@pytest.mark.parametrize("C", [0.0, 3000.0])
def test_follows_advance_where_the_flow_is_steady(C):
    # slow air in a laminar duct with diffusion to speak of; both at steps well below the changes
    model = duct(closure=Closure("laminar", nu=1e-2))
    one = np.ones(1)
    start = UnitInputs(2 * one, 0 * one, NAN * one, np.inf * one, C * one)
    state = advance(model, initial_state(model), start, 5.0)
    hot = start._replace(Q_flow=4000 * one)
    frozen = freeze(model, advance(model, state, hot, 40.0, max_dt=0.2), hot)
    real = advance(model, state, hot, 60.0, max_dt=0.05)
    found = advance_frozen(frozen, state, hot, 60.0, dt=1.0)
    rise = float(np.ptp(real.T)) + abs(float(real.T.mean()) - 293.15)
    assert rise > 0.5
    # `advance` is first order in time, 0.05 s against 60 s, and the limiter is frozen at one profile
    assert np.abs(found.T - real.T).max() < 0.02 * rise
    assert found.T_unit == pytest.approx(real.T_unit, abs=0.02 * rise)
    assert found.time == real.time


def test_second_order_in_time(room, frozen):
    _, inputs, _ = room
    heavy = given(Q_flow=2000.0, C=2000.0)
    start = settle_frozen(frozen, inputs)
    fine = advance_frozen(frozen, start, heavy, 32.0, dt=0.125)
    errors = []
    for dt in (4.0, 2.0, 1.0):
        coarse = advance_frozen(frozen, start, heavy, 32.0, dt=dt)
        errors.append(np.abs(coarse.T - fine.T).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert orders.min() > 1.8, (errors, orders)
    free = advance_frozen(frozen, start, heavy, 32.0, tolerance=0.01)
    assert np.abs(free.T - fine.T).max() < 0.05  # some ten steps of 0.01 K that do not add up in full
    assert 5 < frozen.steps < 40
    again = advance_frozen(frozen, advance_frozen(frozen, start, heavy, 16.0, dt=2.0), heavy, 16.0, dt=2.0)
    whole = advance_frozen(frozen, start, heavy, 32.0, dt=2.0)
    assert np.abs(again.T - whole.T).max() < 1e-9  # a state holds all there is to go on from


def test_a_unit_s_lag_is_exact():
    # air from outside at a constant temperature: T_out = T_in + rise (1 - exp(-t rho cp V / C))
    model = through()
    inputs = UnitInputs(
        np.full(2, 1.0),
        np.array([6000.0, 0.0]),
        np.full(2, NAN),
        np.full(2, np.inf),
        np.array([12e3, 0.0]),
        290.0,
    )
    state = advance(model, initial_state(model, 290.0), inputs, 1.0)
    state = state._replace(T=np.full_like(state.T, 290.0), T_unit=np.full(2, 290.0))
    frozen = freeze(model, state, inputs)
    found = advance_frozen(frozen, state, inputs, 20.0, dt=0.5)
    rate = RHO * CP * 1.0 / 12e3
    rise = 6000.0 / (RHO * CP)
    # second order: (0.5 rate)^2 / 12 of the rise is 2e-4
    assert found.T_unit[0] - 290.0 == pytest.approx(rise * -np.expm1(-20.0 * rate), rel=5e-4)
    settled = settle_frozen(frozen, inputs)
    assert settled.T_unit[0] - 290.0 == pytest.approx(rise, rel=1e-9)
    assert np.abs(settled.T - 290.0 - rise).max() < 1e-8


def test_a_cooler_at_its_capacity(frozen):
    # twice the heat holds the set point; two thirds of it never balance
    inputs = given(Q_flow=600.0, Q_max=1200.0)
    assert settle_frozen(frozen, inputs).T_unit[1] == pytest.approx(291.15, abs=1e-9)
    weak = given(Q_flow=600.0, Q_max=400.0)
    with pytest.raises(ConvergenceError, match="no steady state"):
        settle_frozen(frozen, weak)
    state = settle_frozen(frozen, inputs)
    later = advance_frozen(frozen, state, weak, 120.0)
    drop = unit_inlet_temperature(frozen.model, later)[1] - later.T_unit[1]
    assert drop == pytest.approx(400.0 / (RHO * CP * 0.1), rel=1e-4)  # residual of a step
    mean = float((later.T - state.T).mean())
    volume = 1.6 * 1.2 * 1.2
    # 200 W too much from the first second on, less the air that first goes round through the cooler
    assert mean == pytest.approx(200.0 * 120.0 / (RHO * CP * volume), rel=0.02)
    # with its capacity back the room cools to the set point again
    back = advance_frozen(frozen, later, inputs, 900.0)
    assert np.abs(back.T - state.T).max() < 0.05


def walls(T, U, C, shape=(8, 6, 6)):
    """Floor of a room as one surface."""
    one = np.ones(1)
    return Surfaces(
        np.array([2]),
        np.array([0]),
        np.array([[0, 0]]),
        np.array([[shape[0], shape[1]]]),
        np.array([1]),
        T * one,
        U * one,
        C * one,
        np.zeros((1, 3)),
        np.zeros(1, dtype=bool),
    )


@pytest.mark.parametrize(("U", "C"), [(5.0, 0.0), (5.0, 2000.0), (np.inf, 0.0)])
def test_walls_take_the_heat(U, C):
    # no cooler: all the rack's heat goes through the floor
    case = box((8, 6, 6), (1.6, 1.2, 1.2), [(0, 8, (0, 0), (6, 2), -1), (0, 8, (0, 4), (6, 6), -1)], [(0, 1)])
    model = prepare(case._replace(surfaces=walls(283.15, U, C)))
    one = np.ones(1)
    inputs = UnitInputs(0.1 * one, 100 * one, NAN * one, np.inf * one, 0 * one)
    state = advance(model, initial_state(model, 293.15), inputs, 10.0)
    frozen = freeze(model, state, inputs)
    settled = settle_frozen(frozen, inputs)
    op = frozen.operator
    _, system, K = system_of(frozen, inputs)
    y = frozen.pack(settled)
    assert np.abs(K @ y - system.source).max() < 1e-11
    # heat behind the walls, face by face
    if C > 0:
        layers = settled.T_surface
        assert layers is not None
        assert 5.0 * 1.6 * 1.2 * float((layers - 283.15).mean()) == pytest.approx(100.0, rel=1e-9)
        later = advance_frozen(frozen, settled, inputs, 600.0)
        assert np.abs(later.T - settled.T).max() < 5e-5  # five times the floor of a stage
        assert layers.shape == (48,)
        start = settled._replace(T_surface=np.full(48, 293.15))
        gone = advance_frozen(frozen, start, inputs, 30.0)
        assert gone.T_surface is not None
        assert np.abs(gone.T_surface - layers).max() < 0.95 * np.abs(293.15 - layers).max()
    else:
        sunk = np.zeros(op.cells)
        sunk[:] = K[: op.cells, : op.cells].sum(axis=0)
        np.add.at(sunk, op.inlet.cell, -op.V_flow[op.inlet.unit] * op.inlet.share)
        heat = RHO * CP * float((sunk * y[: op.cells] - op.warm[: op.cells]).sum())
        assert heat == pytest.approx(100.0, rel=1e-8)


def test_a_standing_unit_leaks():
    # thermal mass without flow: U A (T_unit - T_air) = Q at last, and all of Q reaches the cooler
    model = prepare(
        box(
            (8, 6, 6),
            (1.6, 1.2, 1.2),
            [
                (0, 8, (0, 0), (6, 2), -1),
                (0, 8, (0, 4), (6, 6), -1),
                (0, 0, (0, 4), (6, 6), +1),
                (0, 0, (0, 0), (6, 2), +1),
            ],
            [(0, 1), (2, 3)],
        )
    )
    inputs = given(C=5000.0)._replace(V_flow=np.array([0.0, 0.1]), Q_flow=np.array([50.0, 0.0]))
    frozen = freeze(model, advance(model, initial_state(model), inputs, 20.0), inputs)
    settled = settle_frozen(frozen, inputs)
    at = frozen.operator.outlet
    mine = at.unit == 0
    beside = float((frozen.pack(settled)[at.cell[mine]] * at.share[mine]).sum()) + 293.15
    assert 10.0 * 1.2 * 0.4 * (settled.T_unit[0] - beside) == pytest.approx(50.0, rel=1e-9)
    taken = unit_inlet_temperature(model, settled)[1] - settled.T_unit[1]
    assert RHO * CP * 0.1 * taken == pytest.approx(50.0, rel=1e-8)
    light = inputs._replace(C=np.zeros(2))  # without mass the heat goes straight into the air
    taken = unit_inlet_temperature(model, settle_frozen(frozen, light))[1] - 291.15
    assert RHO * CP * 0.1 * taken == pytest.approx(50.0, rel=1e-8)


def test_openings_bring_the_ambient_s_air():
    # unit 0 blows in what leaves through an opening at the other end of a duct
    n = 12
    ambient = np.zeros((n, 1, 1), dtype=bool)
    ambient[-1] = True
    case = box((n, 1, 1), (1.2, 1, 1), [(0, 0, (0, 0), (1, 1), +1)], [(-1, 0)], ambient=ambient)
    model = prepare(case, Closure("laminar"))
    one = np.ones(1)
    inputs = UnitInputs(0.2 * one, 500 * one, NAN * one, np.inf * one, 0 * one, T_ambient=280.0)
    state = advance(model, initial_state(model, 280.0), inputs, 2.0)
    frozen = freeze(model, state, inputs)
    settled = settle_frozen(frozen, inputs)
    rise = 500.0 / (RHO * CP * 0.2)
    # but for conduction against the flow, 2e-5 m2/s against 0.2 m/s and 0.1 m
    assert settled.T[:-1] == pytest.approx(280.0 + rise, rel=1e-4)
    assert settled.T[-1] == pytest.approx(280.0)
    other = settle_frozen(frozen, inputs._replace(T_ambient=290.0))
    assert np.abs(other.T - settled.T - 10.0).max() < 1e-8


def test_refusals(frozen, room):
    _, inputs, state = room
    with pytest.raises(CaseError, match=r"V_flow\[0\]: 0\.2 m3/s.*frozen at 0\.1"):
        settle_frozen(frozen, given(V_flow=0.2))
    with pytest.raises(CaseError, match="duration"):
        advance_frozen(frozen, state, inputs, -1.0)
    with pytest.raises(CaseError, match="dt: 0"):
        advance_frozen(frozen, state, inputs, 1.0, dt=0.0)
    assert advance_frozen(frozen, state, inputs, 0.0).time == state.time


def test_a_jerky_flow_is_projected_first(room):
    model, inputs, state = room
    rng = np.random.default_rng(0)
    torn = state._replace(u=state.u * (1 + 0.01 * rng.normal(size=state.u.shape)).astype(np.float32))
    assert freeze(model, torn, inputs).divergence < 1e-9
