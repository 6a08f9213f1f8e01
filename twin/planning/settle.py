"""Settle a room: solve for the steady flow, and again while fans follow the temperatures that they make."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import AirState, SteadyProgress, SteadyResult, UnitInputs, coil_heat
from solvers.airflow.model import AirModel, prepare, solve_steady, unit_inlet_temperature
from solvers.errors import CaseError, ConvergenceError
from twin.errors import InputError, NotConvergedError
from twin.model.circuits import Coolant
from twin.model.loop_air import first_surroundings, surroundings, with_loops
from twin.model.operating import Operating
from twin.model.scene import Scene

MASS_LIMIT = 1e-6
"""Net outflow summed over the cells, over the supply flow, above which a result does not close. [1]"""
ENERGY_LIMIT = 1e-3
"""Heat given less heat taken, over heat given, above which a result does not close. [1]"""
INLET_TOLERANCE = 0.3
"""Largest change of a slot's inlet between adjacent windows of a settled room. [K]"""
_ROUNDS = 3
_CURVE_ROUNDS = 8
_CURVE_CLOSED = 0.01
_HEAT_CLOSED = 5e-3  # of all heat that units give to the air


@dataclass(frozen=True)
class SolveProgress:
    """How far a solve is.

    Attributes
    ----------
    fraction : float          Estimated share of the work that is done, 0 to 1. [1]
    step, cells : int         Steps so far; cells of the grid in work.
    time : float              Simulated time. [s]
    drift : float             Largest change of an inlet between adjacent windows, inf at first. [K]
    energy_relative : float   Heat given less taken over heat given, inf at first. [1]
    """

    fraction: float
    step: int
    cells: int
    time: float
    drift: float
    energy_relative: float


@dataclass(frozen=True)
class Settled:
    """A settled room: the model, what its units do, the solver's answer, all steps counted, and its loops."""

    model: AirModel
    inputs: UnitInputs
    result: SteadyResult
    coolant: Coolant | None = None


def prepare_room(scene: Scene) -> AirModel:
    """Prepare the solver's model of a scene.

    Raises
    ------
    InputError : the solver refuses the case.
    """
    try:
        return prepare(scene.case, scene.closure, scene.layout.air.reference_temperature)
    except CaseError as error:
        raise InputError(f"{scene.layout.name}: {error}") from error


def settle_room(
    scene: Scene,
    model: AirModel,
    operating: Operating,
    start: AirState | None = None,
    progress: Callable[[SolveProgress], None] | None = None,
) -> Settled:
    """Solve the steady room; where fans have curves, or loops meet the air, solve again until all agree.

    Parameters
    ----------
    scene : Scene
    model : AirModel      Of the scene.
    operating : Operating
    start : AirState, optional
        Where to go on from; without it the solve starts cold.
    progress : callable, optional

    Raises
    ------
    InputError : the solver refuses the case or the operating point.
    NotConvergedError : the flow did not settle, or its balances do not close.
    """

    def report(now: SteadyProgress) -> None:
        if progress is not None:
            progress(
                SolveProgress(
                    now.fraction, now.step, now.cells, now.time, now.inlet_drift, now.energy_closure
                )
            )

    coolant = Coolant(scene.layout) if scene.layout.loops else None
    try:
        inputs = scene.unit_inputs(operating) if start is None else fans_at(scene, model, operating, start)
        inputs = _with_loops(scene, model, operating, coolant, inputs, start)
        result = _march(model, inputs, start, report)
        for rounds in count():
            wanted = fans_at(scene, model, operating, result.state)
            wanted = _with_loops(scene, model, operating, coolant, wanted, result.state)
            moved = _moved(inputs, wanted, unit_inlet_temperature(model, result.state))
            apart = np.abs(wanted.V_flow - inputs.V_flow) / np.maximum(wanted.V_flow, 1e-9)
            if apart.max() <= _CURVE_CLOSED and moved <= _HEAT_CLOSED:
                break
            if rounds == _CURVE_ROUNDS and apart.max() <= _CURVE_CLOSED:
                raise NotConvergedError(
                    f"{scene.layout.name}: the heat of the coolant loops' chips and coils and the air it "
                    f"makes do not agree after {_CURVE_ROUNDS} rounds: {moved:.1%} of it still moves. Give "
                    "the coils less conductance (ua), or the room a cooler that does not depend on them."
                )
            if rounds == _CURVE_ROUNDS:
                raise NotConvergedError(
                    f"{scene.layout.name}: the fans' flows do not agree with the temperatures and pressures "
                    f"that they make after {_CURVE_ROUNDS} rounds: {scene.unit_names[int(np.argmax(apart))]} "
                    f"by {apart.max():.1%}. Flatten the fan curves, or give the coolers more air."
                )
            mean_flow = 0.5 * (wanted.V_flow + inputs.V_flow)
            inputs = wanted._replace(V_flow=mean_flow if apart.max() > _CURVE_CLOSED else inputs.V_flow)
            result = _after(result, _march(model, inputs, result.state, report))
    except CaseError as error:
        raise InputError(f"{scene.layout.name}: {error}") from error
    except ConvergenceError as error:
        raise NotConvergedError(f"{scene.layout.name}: {scene.failure(error)}") from error
    _check_closed(scene.layout.name, result)
    return Settled(model, inputs, result, coolant)


def _moved(before: UnitInputs, after: UnitInputs, T_inlet: NDArray[np.float64]) -> float:
    """Change of the heat that units give to air of a temperature, over all of it, coils counted. [1]."""
    heat = [inputs.Q_flow - coil_heat(inputs, T_inlet) for inputs in (before, after)]
    return float(np.abs(heat[1] - heat[0]).sum() / max(np.abs(before.Q_flow).sum(), 1e-9))


def _with_loops(
    scene: Scene,
    model: AirModel,
    operating: Operating,
    coolant: Coolant | None,
    inputs: UnitInputs,
    state: AirState | None,
) -> UnitInputs:
    """Settle the loops in the air of a state, or in what coolers supply, and give the racks their heat."""
    if coolant is None:
        return inputs
    power = {rack.id: operating.power(rack) for rack in scene.layout.racks}
    if state is None:
        felt = first_surroundings(coolant, scene.rack_units, power, inputs, model.T_ref)
    else:
        T_inlet = unit_inlet_temperature(model, state)
        felt = surroundings(coolant, scene.rack_units, power, inputs, T_inlet)
    try:
        coolant.settle(felt.power, felt.T_air, operating.coolant, felt.exhaust)
    except ConvergenceError as error:
        raise NotConvergedError(f"{scene.layout.name}: {error}") from error
    return with_loops(inputs, coolant, scene.rack_units)


def fans_at(scene: Scene, model: AirModel, operating: Operating, state: AirState) -> UnitInputs:
    """Return what the units do where fans follow a state: servers its temperatures, coolers its pressures."""
    T_inlet = unit_inlet_temperature(model, state)
    curved = any(cooler.fan_curve is not None for cooler in scene.layout.coolers)
    return scene.unit_inputs(operating, T_inlet=T_inlet, dp=scene.pressure_rise(state.p) if curved else None)


def _march(
    model: AirModel, inputs: UnitInputs, state: AirState | None, report: Callable[[SteadyProgress], None]
) -> SteadyResult:
    """Settle; where a round ends unsettled, go on from where it stood, a few times."""
    result = solve_steady(model, inputs, state, tolerance=INLET_TOLERANCE, progress=report)
    for _ in range(_ROUNDS):
        if result.converged:
            break
        again = solve_steady(model, inputs, result.state, tolerance=INLET_TOLERANCE, progress=report)
        result = _after(result, again)
    return result


def _after(first: SteadyResult, again: SteadyResult) -> SteadyResult:
    """Return the later result with the work of both."""
    return again._replace(steps=first.steps + again.steps, wall_s=first.wall_s + again.wall_s)


def _check_closed(name: str, result: SteadyResult) -> None:
    closed = result.balances
    last = result.history[-1] if result.history else None
    if not result.converged:
        drift = math.inf if last is None else last.inlet_drift
        raise NotConvergedError(
            f"{name}: the flow did not settle in {result.state.time:.0f} s of simulated time: inlets still "
            f"drift by {drift:.2f} K (asked: {INLET_TOLERANCE:g} K) and heat closes to "
            f"{closed.energy_relative:.2%} (asked: {ENERGY_LIMIT:.1%}). "
            "Check supply against rack flow, or use a coarser cell."
        )
    if not closed.mass_relative <= MASS_LIMIT or not closed.energy_relative <= ENERGY_LIMIT:
        raise NotConvergedError(
            f"{name}: balances do not close: mass {closed.mass_relative:.1e} (asked: {MASS_LIMIT:g}), "
            f"heat {closed.energy_relative:.2%} (asked: {ENERGY_LIMIT:.1%})."
        )
