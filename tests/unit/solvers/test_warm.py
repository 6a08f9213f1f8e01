"""After `warm_up` nothing is compiled any more, whatever a room holds."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from numba.core import event

from solvers.airflow.case import AirCase, Closure, Jets, Surfaces, UnitInputs
from solvers.airflow.frozen import advance_frozen, freeze, settle_frozen
from solvers.airflow.influence import capture_indices, influence
from solvers.airflow.model import advance, initial_state, prepare, restart, solve_steady, warm_up
from solvers.grid import make_grid

NAN = float("nan")


class Compilations(event.Listener):
    """Names of the kernels that are compiled while it listens; what comes from the cache is not."""

    def __init__(self):
        self.names = []

    def on_start(self, event):
        kernel = event.data["dispatcher"].py_func
        self.names.append(f"{kernel.__module__}.{kernel.__name__} {event.data['args']}")

    def on_end(self, event):
        pass


def full_room(cells=1):
    """Rack, cooler, tile with jets, warm and heavy walls, plate, solid, opening; `cells` times as fine."""
    shape = tuple(n * cells for n in (8, 6, 6))
    nx, ny, nz = shape
    grid = make_grid(*(np.linspace(0, 0.2 * n / cells, n + 1) for n in shape))
    plates = [np.zeros(tuple(n + (d == a) for d, n in enumerate(shape)), dtype=bool) for a in range(3)]
    losses = [np.zeros(plate.shape, dtype=np.float32) for plate in plates]
    plates[2][:, :, 2 * cells] = True
    tile = np.s_[3 * cells : 5 * cells, 2 * cells : 4 * cells, 2 * cells]
    plates[2][tile] = False
    losses[2][tile] = 20.0
    plates[2][nx - cells :, :, 2 * cells] = False
    solid = np.zeros(shape, dtype=bool)
    solid[cells : 2 * cells, :cells, nz - cells :] = True
    ambient = np.zeros(shape, dtype=bool)
    ambient[nx - 1, -cells:, -cells:] = True
    plates[0][nx - 1, -cells:, -cells:] = False
    one = np.ones(1)
    wall = Surfaces(
        *(np.array(values) for values in ([1, 1], [0, ny], [[0, 0], [0, 0]], [[nx, nz], [nx, nz]], [1, -1])),
        T=np.array([300.0, NAN]), U=np.array([5.0, 0.0]), C=np.array([0.0, 500.0]),
        velocity=np.zeros((2, 3)), slip=np.zeros(2, dtype=bool),
    )  # fmt: skip
    jets = Jets(
        *(
            np.array(values)
            for values in ([2], [2 * cells], [[3 * cells, 2 * cells]], [[5 * cells, 4 * cells]])
        ),
        open_area=0.25 * one,
    )
    half = 3 * cells
    patches = [
        (0, 0, (0, 3 * cells), (half, 5 * cells), +1),
        (0, 0, (half, 3 * cells), (ny, 5 * cells), +1),
        (0, 0, (0, 0), (half, 2 * cells), +1),
        (0, 0, (half, 0), (ny, 2 * cells), +1),
    ]
    columns = [np.array(column) for column in zip(*patches, strict=True)]
    case = AirCase(
        grid, solid, *plates, *losses, *columns, np.array([0, 1]), np.array([2, 3]), wall, jets, ambient
    )
    inputs = UnitInputs(
        np.array([0.05, 0.06]), np.array([300.0, 0.0]), np.array([NAN, 291.15]), np.full(2, np.inf),
        np.array([1000.0, 0.0]), 295.0,
    )  # fmt: skip
    return case, inputs


@pytest.fixture(scope="module")
def compiled():
    """What a tour of the solver compiles after the warm-up."""
    warm_up()
    heard = Compilations()
    with event.install_listener("numba:compile", heard):
        case, inputs = full_room()
        for kind in ("mixing_length", "k_epsilon", "vreman", "laminar"):
            model = prepare(case, Closure(kind))
            for scheme in ("implicit", "explicit"):
                state = advance(model, initial_state(model), inputs, 0.2, max_dt=0.05, scheme=scheme)
        model = prepare(case)
        result = solve_steady(model, inputs, max_time=20.0)
        finer = prepare(full_room(cells=2)[0])
        advance(finer, restart(finer, model, result.state), inputs, 0.1)
        frozen = freeze(model, state, inputs)
        settle_frozen(frozen, inputs)
        advance_frozen(frozen, state, inputs, 5.0)
        capture_indices(frozen, influence(frozen, inputs), inputs)
    return [name for name in heard.names if name.startswith("solvers.")]


def test_nothing_is_compiled_after_the_warm_up(compiled):
    assert compiled == []


def test_the_listener_hears_what_is_compiled():
    heard = Compilations()
    with event.install_listener("numba:compile", heard):
        assert njit(lambda x: x + 1)(1) == 2
    assert any("lambda" in name for name in heard.names)
