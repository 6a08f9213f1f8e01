"""Compile every kernel on a room of a few cells, one after the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from solvers.airflow import closures, kernels, tiles, transport
from solvers.airflow.case import AirCase, Closure, Jets, Surfaces, UnitInputs
from solvers.airflow.frozen import advance_frozen, freeze, settle_frozen
from solvers.airflow.model import AirModel, advance, initial_state, prepare
from solvers.grid import make_grid
from solvers.linear import kernels as linear
from solvers.linear.multigrid import warm_up as warm_up_pressure


def compile_all(progress: Callable[[str, int, int], None] | None) -> None:
    """Work of `solvers.airflow.model.warm_up`; see there."""
    case, inputs = tiny_case()
    model = prepare(case)
    state = initial_state(model)
    model.stepper.load(state, inputs)
    stages = _stages(model, inputs)
    for number, (name, run) in enumerate(stages):
        if progress is not None:
            progress(name, number, len(stages))
        run()
    advance(model, state, inputs, 0.1, max_dt=0.1)
    if progress is not None:
        progress("ready", len(stages), len(stages))


def public_kernels() -> tuple:
    """Return the kernels that Python calls; each has one signature after `warm_up` and ever after."""
    return (
        kernels.volume_flow,
        closures.mixing_length_viscosity,
        kernels.courant_rate,
        kernels.stiffness,
        transport.predict_momentum,
        transport.relax_scalar,
        kernels.average,
        kernels.soften_drag,
        kernels.add_weighted,
        kernels.heat_defect,
        kernels.buoyancy,
        kernels.net_outflow,
        kernels.project,
        tiles.screen_resistance,
        tiles.screen_drag,
        tiles.straighten,
        linear.conjugate_gradients,
    )


def tiny_case() -> tuple[AirCase, UnitInputs]:
    """Room of 6 x 5 x 6 cells with a plate, a tile and one unit below it."""
    nx, ny, nz = 6, 5, 6
    grid = make_grid(np.linspace(0, 1.2, nx + 1), np.linspace(0, 1, ny + 1), np.linspace(0, 1.2, nz + 1))
    plates = [np.zeros((nx + (d == 0), ny + (d == 1), nz + (d == 2)), dtype=bool) for d in range(3)]
    losses = [np.zeros(plate.shape, dtype=np.float32) for plate in plates]
    plates[2][:, :, 2] = True
    plates[2][4:, :, 2] = False
    losses[2][4:, :, 2] = 20.0
    case = AirCase(
        grid,
        np.zeros((nx, ny, nz), dtype=bool),
        *plates,
        *losses,
        patch_axis=np.array([0, 0]),
        patch_index=np.array([0, 0]),
        patch_lo=np.array([[0, 4], [0, 0]]),
        patch_hi=np.array([[ny, 6], [ny, 2]]),
        patch_side=np.array([1, 1]),
        unit_inlet=np.array([0]),
        unit_outlet=np.array([1]),
    )
    one = np.ones(1)
    return case, UnitInputs(0.1 * one, 500.0 * one, np.nan * one, np.inf * one, 0 * one)


def _stages(model: AirModel, inputs: UnitInputs) -> list[tuple[str, Callable[[], object]]]:
    stepper = model.stepper
    return [
        ("pressure", warm_up_pressure),
        ("divergence", stepper.settle_flow),
        ("Courant number", stepper.courant),
        ("viscosity", stepper.update_flow),
        ("heat", lambda: stepper.heat.relax(stepper, 0.01, stepper.sweeps)),
        ("momentum", lambda: stepper.step(0.01)),
        ("explicit step", lambda: stepper.step_explicit(0.01)),
        ("k-epsilon and jets", lambda: _one_step(model, inputs, "k_epsilon")),
        ("Vreman", lambda: _one_step(model, inputs, "vreman")),
        ("frozen flow", lambda: _freeze(model, inputs)),
    ]


def _one_step(model: AirModel, inputs: UnitInputs, kind: str) -> None:
    """One step with another closure, a tile that blows jets and a warm floor."""
    case = model.case
    nx, ny, _ = case.grid.shape
    one = np.ones(1)
    floor = Surfaces(
        *(np.array(values) for values in ([2], [0], [[0, 0]], [[nx, ny]], [1])),
        T=300.0 * one,
        U=np.inf * one,
        C=0 * one,
        velocity=np.zeros((1, 3)),
        slip=np.zeros(1, dtype=bool),
    )
    tile = Jets(*(np.array(values) for values in ([2], [2], [[4, 0]], [[nx, ny]])), open_area=0.25 * one)
    other = prepare(case._replace(surfaces=floor, jets=tile), Closure(kind))
    other.stepper.load(initial_state(other), inputs)
    other.stepper.step(0.01)


def _freeze(model: AirModel, inputs: UnitInputs) -> None:
    """Steady state, a step and several adjoints of a frozen flow, as `influence` solves them."""
    cooled = inputs._replace(T_supply=np.full(1, 290.0))
    frozen = freeze(model, initial_state(model), cooled)
    state = settle_frozen(frozen, cooled)
    advance_frozen(frozen, state, cooled, 1.0)
    op = frozen.operator
    system = op.system(cooled, op.modes(cooled, None))
    op.solver(system, transposed=True).solve(np.ones((op.count, 2)))
