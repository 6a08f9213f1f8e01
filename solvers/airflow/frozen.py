"""Heat transport by a frozen flow: its steady state, and transients of any length.

Where velocity, viscosity and the units' flows stand still the heat equation (E4) is linear, `HeatOperator`
says how. Its columns add up to what leaves through units, openings and walls, so heat is kept to the accuracy
of the linear solver. What coolers do at their capacity is the only thing that is not linear.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from solvers.airflow.case import AirState, UnitInputs
from solvers.airflow.face_weights import air_faces, divergence_free_flows
from solvers.airflow.frozen_march import FrozenMarch
from solvers.airflow.heat_operator import HeatOperator, Modes, System
from solvers.airflow.model import AirModel, check_state
from solvers.errors import CaseError, ConvergenceError

__all__ = ["FrozenFlow", "advance_frozen", "freeze", "settle_frozen"]

_EXACT = 1e-12  # relative residual of a steady solve
_SWITCHES = 20  # of the units' modes before a solve is given up
_STEP_TOLERANCE = 0.05  # K
_FIRST_STEP, _LARGEST_STEP = 10.0, 60.0  # s
_SHORTEST_STEP = 1e-3  # s
_GROWTH, _KEEP = 2.5, 1.25  # of the step at most; below which it stays

Floats = NDArray[np.float64]


class FrozenFlow:
    """Linear heat transport of one flow; made by `freeze`.

    Attributes
    ----------
    model : AirModel
    state : AirState    The state that the flow was taken from.
    operator : HeatOperator
    divergence : float    Sum |net outflow| over the cells / flow of the units; what is left. [-]
    steps : int    Time steps of the last `advance_frozen`. [-]
    """

    def __init__(self, model: AirModel, state: AirState, operator: HeatOperator, divergence: float) -> None:
        self.model = model
        self.state = state
        self.operator = operator
        self.divergence = divergence
        self.steps = 0
        self._layers = model.stepper.walls.theta.copy()

    def check(self, inputs: UnitInputs) -> UnitInputs:
        """Return the inputs as the units take them.

        Raises
        ------
        GridMismatchError, CaseError : they are out of range, or not for the flows that were frozen.
        """
        units = self.model.stepper.units
        units.set_inputs(inputs)
        assert units.inputs is not None
        frozen, now = self.operator.V_flow, units.inputs.V_flow
        apart = np.abs(now - frozen) > 1e-9 * float(frozen.max(initial=0.0))
        if apart.any():
            unit = int(np.argmax(apart))
            raise CaseError(
                f"inputs.V_flow[{unit}]: {now[unit]:g} m3/s, but the flow was frozen at {frozen[unit]:g} "
                "m3/s. Advance the air to the new flow and freeze that."
            )
        return units.inputs

    def pack(self, state: AirState) -> Floats:
        """Unknowns of a state: theta of cells, layers and units. [K]."""
        check_state(self.model, state)
        op, T_ref = self.operator, self.model.T_ref
        cells = state.T.ravel()[op.index].astype(np.float64) - T_ref
        layers = self._layers if state.T_surface is None else state.T_surface - T_ref
        return np.concatenate([cells, layers, state.T_unit - T_ref])

    def unpack(self, y: Floats, time: float, T_ambient: float) -> AirState:
        """State with the frozen flow and the temperatures of y; T in float64."""
        op, case, T_ref = self.operator, self.model.case, self.model.T_ref
        T = np.array(self.state.T, dtype=np.float64)
        T.ravel()[op.index] = y[: op.cells] + T_ref
        if case.ambient is not None:
            T[case.ambient] = T_ambient
        layers = y[op.cells : op.cells + op.layers] + T_ref if op.layers else None
        return self.state._replace(
            T=T, T_unit=y[op.unit] + T_ref, time=time, heat_corrected=0.0, T_surface=layers
        )


def freeze(model: AirModel, state: AirState, inputs: UnitInputs) -> FrozenFlow:
    """Write down the heat transport of a state as a linear operator.

    Second-order fluxes stay: the limiter of E6 is frozen at the state's temperature (E18), so that there
    the operator gives the fluxes of `advance`. Leftover divergence is projected out first.

    Parameters
    ----------
    model : AirModel
    state : AirState
        Velocity, turbulence, and the temperature at which the limiter is frozen. Best is a steady mean. The
        mean of a fluctuating temperature is not what its mean flow would make; freezing once more at the
        answer of `settle_frozen` takes out the overshoots of some 0.3 K that this can leave in single cells.
    inputs : UnitInputs
        Flows of the units; the other inputs may change later.

    Returns
    -------
    FrozenFlow

    Raises
    ------
    GridMismatchError : the state or the inputs do not fit the model.
    CaseError : the inputs are out of range or leave a closed region unbalanced.
    ConvergenceError : the flow cannot be made free of divergence.
    """
    check_state(model, state)
    stepper = model.stepper
    stepper.load(state, inputs)
    stepper.update_flow()
    flows, divergence = divergence_free_flows(model, state)
    assert stepper.units.inputs is not None
    operator = HeatOperator(model, air_faces(model, state, flows), stepper.units.inputs.V_flow)
    return FrozenFlow(model, state, operator, divergence)


def settle_frozen(frozen: FrozenFlow, inputs: UnitInputs) -> AirState:
    """Steady temperatures of a frozen flow, to 1e-10 of their spread.

    Parameters
    ----------
    frozen : FrozenFlow
    inputs : UnitInputs
        With the flows that were frozen. Coolers hold their set point, or what their capacity allows.

    Returns
    -------
    AirState
        T in float64.

    Raises
    ------
    CaseError : the flows are not those that were frozen.
    ConvergenceError : there is no steady state, because heat cannot leave.
    """
    inputs = frozen.check(inputs)
    op = frozen.operator
    modes = op.modes(inputs, None)
    y: Floats | None = None
    for _ in range(_SWITCHES):
        system = op.system(inputs, modes)
        check_heat_can_leave(op, inputs, system, modes)
        y = op.solver(system).solve(system.source, _EXACT, start=y)
        fresh = op.modes(inputs, op.inlet_theta(y, inputs))
        if np.array_equal(fresh.kind, modes.kind):
            return frozen.unpack(y, frozen.state.time, inputs.T_ambient)
        modes = fresh
    raise ConvergenceError(
        f"the coolers switch between set point and capacity without end ({_SWITCHES} times). "
        "Their capacity is just the heat of the room: change either by a little."
    )


def advance_frozen(
    frozen: FrozenFlow,
    state: AirState,
    inputs: UnitInputs,
    duration: float,
    dt: float | None = None,
    tolerance: float = _STEP_TOLERANCE,
    on_step: Callable[[AirState], None] | None = None,
) -> AirState:
    """Temperatures after `duration` while the flow stays frozen; air, units, coils and walls implicit.

    TR-BDF2 (Bank et al. 1985): second order, and damped so strongly that a load step does not ring however
    long the step is against the time that air takes through a cell. Without `dt` the step follows the
    embedded third-order error estimate (Hosea and Shampine 1996) of the inlet temperatures and of the room's
    rms: short after an event, long while temperatures creep, at most 60 s.

    Parameters
    ----------
    frozen : FrozenFlow
    state : AirState
        Temperatures to start from; its velocity is not used.
    inputs : UnitInputs
        What the units do during all of `duration`, with the flows that were frozen.
    duration : float
        [s]
    dt : float, optional
        Longest of equal steps; by default the error decides. [s]
    tolerance : float
        Error of one step. [K]
    on_step : callable, optional
        Called with the state after every step.

    Returns
    -------
    AirState
        With the frozen velocity; T in float64.

    Raises
    ------
    CaseError : the flows are not those that were frozen, or a number is out of range.
    ConvergenceError : the temperatures diverge.
    """
    inputs = frozen.check(inputs)
    if not (math.isfinite(duration) and duration >= 0):
        raise CaseError(f"duration: {duration} s must be finite and not negative.")
    for name, value in (("dt", dt), ("tolerance", tolerance)):
        if value is not None and not value > 0:
            raise CaseError(f"{name}: {value} must be positive.")
    march = FrozenMarch(frozen.operator, inputs, frozen.pack(state))
    end = state.time + duration
    now, step = float(state.time), dt or _FIRST_STEP
    frozen.steps = 0
    while end - now > 1e-9 * max(1.0, abs(end)):
        left = end - now
        part = left / max(1, math.ceil(left / step - 1e-9))
        fresh, error = march.step(part)
        if dt is None:
            factor = 0.9 * (tolerance / max(error, 1e-12)) ** (1 / 3)
            if error > tolerance and part > _SHORTEST_STEP:
                step = part * max(0.2, factor)
                continue
            if factor > _KEEP:
                step = min(_LARGEST_STEP, max(step, part * min(_GROWTH, factor)))
        march.y = fresh
        now += part
        frozen.steps += 1
        if on_step is not None:
            on_step(frozen.unpack(fresh, now, inputs.T_ambient))
    return frozen.unpack(march.y, end, inputs.T_ambient)


def check_heat_can_leave(op: HeatOperator, inputs: UnitInputs, system: System, modes: Modes) -> None:
    """Raise ConvergenceError unless every connected part of the operator holds a given temperature."""
    _, part = connected_components(op.matrix(np.where(system.value != 0, 1.0, 0.0)), directed=False)
    held = (op.ambient != 0) | (op.warm != 0)
    anchors = op.moving & ((modes.passes < 1.0) | op.from_ambient)
    held[op.unit[anchors]] = True
    adrift = ~np.isin(part, part[held])
    adrift[op.unit[~op.moving]] = False
    if adrift.any():
        heat = float(inputs.Q_flow[np.isnan(inputs.T_supply)].sum())
        raise ConvergenceError(
            f"no steady state: of {heat:g} W some cannot leave: every cooler there is at its "
            "capacity, idle or stands still, and neither a wall nor an opening holds a temperature. Raise "
            "the capacity, or follow the rise in time with advance_frozen."
        )
