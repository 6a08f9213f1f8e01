"""How fast the air moves on; generous bounds, since the machine may be shared. `-s` shows the figures."""

from __future__ import annotations

import time

import pytest

from solvers.airflow.model import advance, initial_state, prepare, warm_up


def best(action, repeats):
    shortest = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


@pytest.fixture(scope="module")
def running(build_pod):
    warm_up()
    case, inputs = build_pod(0.13)
    model = prepare(case)
    return model, inputs, advance(model, initial_state(model, 291.15), inputs, 5.0)


def test_one_step_of_a_pod(running):
    # 8 ms is asked for 60,000 cells on one quiet core; four times that passes here
    model, _, _ = running
    assert model.cells > 60_000
    seconds = best(lambda: model.stepper.step(0.1), 30)
    assert seconds < 4 * 8e-3 * model.cells / 60_000


def test_real_time_factor(running):
    # 10 is asked at Courant number 4 on one quiet core
    model, inputs, state = running
    seconds = best(lambda: advance(model, state, inputs, 1.0), 5)
    assert 1.0 / seconds > 2.5


def test_kernels_against_memory(running):
    # a Jacobi sweep reads and writes 16 arrays: faster than 1 GB/s even on a busy core
    model, _, _ = running
    stepper = model.stepper
    seconds = best(stepper.update_flow, 20)
    moved = 4 * stepper.size * (3 * 3 + 6)
    assert moved / seconds > 1e9
