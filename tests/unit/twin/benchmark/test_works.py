"""Kernels are caught as a step calls them, and their bytes are those of their arrays."""

import inspect
import sys

import numpy as np
import pytest
from numba import njit

from solvers.airflow.model import initial_state, warm_up
from twin.benchmark.kernels import measure_kernels
from twin.benchmark.measure import Memory
from twin.benchmark.peer_room import PeerRoom
from twin.benchmark.rooms import CONTAINED, LAYOUT, PEER, Room, build, moving_air
from twin.benchmark.works import (
    ITERATIONS,
    MOVES,
    PRESSURE,
    Call,
    Moves,
    catch_kernels,
    moved_bytes,
    pressure_works,
)

WORD = 4


@pytest.fixture(scope="module")
def caught():
    warm_up()
    room = Room(PEER, 0.2)
    built = build(room)
    model = built.prepare()
    return model, catch_kernels(model, moving_air(room, built, model), built.inputs, 0.05)


def by_name(works):
    return {work.name: work for work in works}


ROOMS = [Room(PEER, 0.2, "k_epsilon"), Room(PEER, 0.2, "vreman"), Room(LAYOUT, 0.3, overrides=CONTAINED)]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.label)
def test_every_kernel_of_a_step_is_declared(room):
    built = build(room)
    model = built.prepare()
    state = initial_state(model, built.T_start)
    assert set(by_name(catch_kernels(model, state, built.inputs, 0.05))) <= set(MOVES)


def test_the_kernels_of_a_step_are_caught(caught):
    _, works = caught
    names = set(by_name(works))
    assert names <= set(MOVES)
    assert {"predict_momentum", "volume_flow", "project", "net_outflow"} <= names
    assert not names & PRESSURE


@pytest.mark.parametrize("name", sorted(MOVES))
def test_what_is_declared_are_parameters_of_the_kernel(name):
    solver = [module for path, module in sys.modules.items() if path.startswith("solvers.")]
    kernels = [vars(module)[name] for module in solver if name in vars(module)]
    moves = MOVES[name]
    named = set(f"{moves.writes} {moves.updates} {moves.scratch} {moves.along}".split())
    assert any(named <= inspect.signature(kernel.py_func).parameters.keys() for kernel in kernels)


def test_bytes_are_those_of_the_arrays(caught):
    model, works = caught
    size = model.stepper.size
    found = by_name(works)
    sections = model.stepper.geometry.sections
    areas = sum(array.nbytes for array in (*sections.line, *sections.plane))
    # three components: velocity and areas read, flow written
    assert found["volume_flow"].moved == 3 * 2 * WORD * size + areas
    assert found["volume_flow"].calls == 3
    # u, v, w, p updated; three conductances and the potential read
    assert found["project"].moved == (2 * 4 + 3 + 1) * WORD * size + areas
    # the velocity read; widths are lines; its scratch row does not count
    assert found["courant_rate"].moved == 3 * WORD * size + sum(a.nbytes for a in sections.inverse_width)
    # of a component: itself updated; pressure, flow, viscosity, friction and push read; a byte of code
    lines = sum(sum(a.nbytes for a in c.metrics) for c in model.stepper.geometry.components[:3])
    assert found["predict_momentum"].moved == 3 * (2 + 1 + 3 + 1 + 2) * WORD * size + 3 * size + lines


def test_lists_of_cells_count_the_cells_alone(caught):
    model, works = caught
    listed = sum(points.target.size for points in model.stepper.walls.points)
    per_point = 8 + 3 * WORD + WORD  # index, three coefficients, the velocity there
    filled = 2 * 2 * WORD  # friction and push, read and written
    assert by_name(works)["power_law_friction"].moved == listed * (per_point + filled)


@njit
def _sample(a, both, spare, out):
    out[:] = a + both.x


def test_parts_of_tuples_are_declared_by_name(monkeypatch):
    from collections import namedtuple

    pair = namedtuple("pair", "x y")
    arrays = [np.zeros(n, dtype=np.float32) for n in (10, 20, 30, 40, 50)]
    call = Call(_sample, (arrays[0], pair(arrays[1], arrays[2]), arrays[3], arrays[4]))
    assert moved_bytes(call) == WORD * 150  # unknown: everything once
    monkeypatch.setitem(MOVES, "_sample", Moves("out", "both.y", "spare both"))
    assert moved_bytes(call) == WORD * (10 + 2 * 30 + 50)


def test_what_was_caught_runs_again_and_puts_fields_back(caught):
    model, works = caught
    before = model.stepper.u.copy()
    for work in works:
        kept = [field.copy() for field in work.fields]
        work.run()
        for field, values in zip(work.fields, kept, strict=True):
            field[...] = values
    assert (model.stepper.u == before).all()


def test_the_solver_is_as_it_was_after_the_catch(caught):
    from solvers.airflow import step

    assert hasattr(step.volume_flow, "py_func")  # the kernel itself, not what noted its calls


def test_the_parts_of_the_pressure_run(caught):
    model, _ = caught
    works = pressure_works(model)
    for work in works:
        work.run()
        assert work.moved >= 6 * WORD * model.stepper.size
    parts = {work.name: work.moved for work in works}
    # an iteration is a cycle, a turn of the direction and an advance
    assert parts["iteration"] == ITERATIONS * (parts["V-cycle"] + parts["turn"] + parts["advance"])
    assert parts["V-cycle"] > parts["descend"] + parts["ascend"]


def test_speeds_follow_from_bytes_and_times():
    speeds = measure_kernels(Room(PEER, 0.2), Memory(40.0, 20.0, 2), lambda text: None)
    assert PeerRoom(cell=0.2).cells < speeds[0].cells  # the layer behind the wall
    for speed in speeds:
        assert speed.gb_s == pytest.approx(speed.mbytes / speed.ms)
        triad = 20.0 if speed.threads == 1 else 40.0
        assert speed.fraction_of_triad == pytest.approx(speed.gb_s / triad)
