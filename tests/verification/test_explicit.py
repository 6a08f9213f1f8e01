"""Heun's method, restarts and openings of the step."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.airflow.case import RHO, AirCase, Closure, Numerics, Surfaces, UnitInputs
from solvers.airflow.geometry import build_geometry
from solvers.airflow.kernels import soften_drag
from solvers.airflow.model import advance, initial_state, prepare
from solvers.airflow.step import Stepper
from solvers.airflow.warm import tiny_case
from solvers.grid import make_grid

NONE = np.zeros(0)
NO_UNITS = UnitInputs(NONE, NONE, NONE, NONE, NONE)


def surfaces(rows):
    """Smooth walls; rows are (axis, index, lo, hi, side)."""
    one = np.ones(len(rows))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return Surfaces(
        *columns, np.nan * one, 0 * one, 0 * one, np.zeros((len(rows), 3)), np.ones(len(rows), dtype=bool)
    )


def smooth_box(lines, patches=(), units=()):
    """Empty room with smooth walls; patches as rows of surfaces, units are (inlet, outlet)."""
    grid = make_grid(*lines)
    n = grid.shape
    across = ((1, 2), (0, 2), (0, 1))
    walls = [
        (d, n[d] * (side < 0), (0, 0), tuple(n[e] for e in across[d]), side)
        for d in range(3)
        for side in (1, -1)
    ]
    plates = [np.zeros(tuple(m + (e == d) for e, m in enumerate(n)), dtype=bool) for d in range(3)]
    columns = [np.array(column) for column in zip(*patches, strict=True)] or [
        np.zeros(shape, dtype=np.int64) for shape in ((0,), (0,), (0, 2), (0, 2), (0,))
    ]
    inlets, outlets = (np.array([unit[k] for unit in units], dtype=np.int64) for k in range(2))
    return AirCase(
        grid,
        np.zeros(n, dtype=bool),
        *plates,
        *(np.zeros(plate.shape, dtype=np.float32) for plate in plates),
        *columns,
        inlets,
        outlets,
        surfaces=surfaces(walls),
    )


def vortices(n=16):
    """Vortices and a warm patch in a smooth box, with their stepper."""
    line = np.linspace(0, 1, n + 1)
    case, closure = smooth_box((line, [0.0, 1.0], line)), Closure("laminar", nu=2e-3)
    stepper = Stepper(case, build_geometry(case, closure), closure, 293.15, numerics=Numerics("central"))
    x, z = line[:, None], line[None, :]
    psi = np.sin(np.pi * x) * np.sin(np.pi * z) + 0.5 * np.sin(2 * np.pi * x) * np.sin(np.pi * z)
    middle = 0.5 * (line[1:] + line[:-1])
    T = 293.15 + 5 * np.cos(np.pi * middle)[:, None] * np.cos(2 * np.pi * middle)
    state = initial_state(prepare(case, closure))._replace(
        u=(np.diff(psi, axis=1) * n / 6)[:, None, :].astype(np.float32),
        w=(-np.diff(psi, axis=0) * n / 6)[:, None, :].astype(np.float32),
        T=T[:, None, :].astype(np.float32),
    )
    return stepper, state


def run(stepper, state, steps, duration):
    stepper.load(state, NO_UNITS)
    for _ in range(steps):
        stepper.step_explicit(duration / steps, 1e-7, 30)
    return stepper.u.copy(), stepper.theta.copy()


def test_heun_is_second_order_in_time():
    stepper, state = vortices()
    exact = run(stepper, state, 320, 1.0)
    errors = []
    for steps in (20, 40, 80):  # Courant numbers 0.8 to 0.2
        found = run(stepper, state, steps, 1.0)
        errors.append([np.abs(a - b).max() for a, b in zip(found, exact, strict=True)])
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert orders.min() > 1.8, (errors, orders)


def test_drag_is_second_order_and_stable_over_both_stages():
    for rate, steps, accuracy in ((1.0, (10, 20, 40), None), (1e4, (10,), 0.01)):
        errors = []
        for count in steps:
            dt = 1 / count
            u = np.ones(1, dtype=np.float32)
            for _ in range(count):
                start = u.copy()
                for _ in range(2):
                    friction, push = np.full(1, rate, dtype=np.float32), np.zeros(1, dtype=np.float32)
                    soften_drag.py_func(u, dt, friction, push)
                    u = u + dt * (push - friction * u) / (1 + dt * friction)
                u = 0.5 * (start + u)
            errors.append(abs(float(u[0]) - np.exp(-rate)))
        if accuracy is None:
            assert np.log2(errors[0] / errors[1]) > 1.8 and np.log2(errors[1] / errors[2]) > 1.8
        else:
            assert errors[0] < accuracy


@pytest.mark.parametrize("explicit", [False, True])
def test_a_restart_is_bit_equal(explicit):
    case, inputs = tiny_case()
    model, other = prepare(case), prepare(case)
    state = advance(model, initial_state(model), inputs, 1.0)

    def go(stepper):
        stepper.load(state, inputs)
        for _ in range(5):
            (stepper.step_explicit if explicit else stepper.step)(0.02)
        return stepper.state()

    first = go(model.stepper)
    advance(
        model, state, inputs._replace(V_flow=3 * inputs.V_flow), 2.0
    )  # leaves its traces in the work arrays
    for again in (go(model.stepper), go(other.stepper)):
        for a, b in zip(first[:6], again[:6], strict=True):
            assert np.array_equal(a, b)


def test_explicit_and_implicit_steps_agree():
    case, inputs = tiny_case()
    model = prepare(case)
    state = advance(model, initial_state(model), inputs, 5.0, max_dt=0.02)
    ends = []
    for scheme in ("step", "step_explicit"):
        model.stepper.load(state, inputs)
        for _ in range(200):
            getattr(model.stepper, scheme)(0.005)
        ends.append(model.stepper.state())
    assert model.stepper.explicit_rate() * 0.005 < 0.7
    # both errors are of the order of a step: 0.005 s of some seconds
    assert np.abs(ends[0].T - ends[1].T).max() < 0.05
    assert np.abs(ends[0].u - ends[1].u).max() < 5e-3


def test_air_sucked_in_through_an_opening_obeys_bernoulli():
    n, speed = 8, 2.0
    lines = np.linspace(-0.25, 2, n + 2), [0.0, 0.5], [0.0, 0.5]
    case = smooth_box(lines, patches=[(0, n + 1, (0, 0), (1, 1), -1)], units=[(0, -1)])
    ambient = np.zeros(case.grid.shape, dtype=bool)
    ambient[0] = True
    model = prepare(case._replace(ambient=ambient), Closure("laminar"))
    one = np.ones(1)
    inputs = UnitInputs(0.25 * speed * one, 0 * one, np.nan * one, np.inf * one, 0 * one, T_ambient=285.0)
    state = advance(model, initial_state(model, 293.15), inputs, 20.0)
    assert state.u[1:-1, 0, 0] == pytest.approx(np.full(n, speed), rel=1e-4)
    # nothing slows it down behind the opening: the pressure there is less by 0.5 rho u^2; what the pressure
    # iterations leave, 1e-5 of the flow a step, is some 2e-3 of that
    assert state.p[1:, 0, 0] == pytest.approx(np.full(n, -0.5 * RHO * speed**2), rel=3e-3)
    assert state.p[0, 0, 0] == 0
    assert state.T[1:] == pytest.approx(np.full((n, 1, 1), 285.0), abs=1e-3)
    assert state.heat_corrected < 1.0  # W, of 5 kW that the opening brings
