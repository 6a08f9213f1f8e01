"""The public face of the airflow solver: prepare a case once, then advance it or settle it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import (
    CP,
    RHO,
    AirCase,
    AirState,
    Balances,
    Closure,
    Numerics,
    Probe,
    SteadyProgress,
    SteadyResult,
    UnitInputs,
)
from solvers.airflow.geometry import build_geometry
from solvers.airflow.restart import move_state
from solvers.airflow.sample import cell_velocity, corners_around
from solvers.airflow.step import Stepper
from solvers.errors import CaseError, GridMismatchError

__all__ = [
    "AirModel",
    "advance",
    "balances",
    "initial_state",
    "prepare",
    "probe",
    "restart",
    "solve_steady",
    "unit_inlet_temperature",
    "unit_inlet_temperature_max",
    "warm_up",
]

_MAX_DT = 1.0  # s, where nothing moves yet
FIRST_DT = 0.2  # s
GROWTH = 1.3  # of the step, from one to the next
MASS_TOLERANCE = 1e-5  # leftover divergence over the supply flow that ends the pressure iterations
PRESSURE_ITERATIONS = 8
_COURANT = {"implicit": 4.0, "explicit": 0.5}
_EXPLICIT_LIMIT = 0.7  # Courant number, diffusion included


class AirModel:
    """A prepared case: metrics, masks, multigrid and work arrays.

    The functions of this module are pure from outside, but they work in arrays of the model: use one model
    from one thread at a time. Two models are independent.

    Attributes
    ----------
    case : AirCase
    closure : Closure
    numerics : Numerics
    T_ref : float    Temperature of neutral buoyancy. [K]
    rho, cp : float    Density [kg/m3] and specific heat [J/(kg K)] of the air.
    stepper : Stepper    The work arrays and the step; private to `solvers`.
    """

    def __init__(
        self, case: AirCase, closure: Closure, T_ref: float, numerics: Numerics | None = None
    ) -> None:
        self.case = case
        self.closure = closure
        self.numerics = numerics or Numerics()
        self.T_ref = float(T_ref)
        self.rho = RHO
        self.cp = CP
        self.stepper = Stepper(
            case, build_geometry(case, closure), closure, self.T_ref, numerics=self.numerics
        )

    @property
    def cells(self) -> int:
        """Number of cells, solids included. [-]."""
        return self.case.grid.cells

    @property
    def regions(self) -> int:
        """Number of connected fluid regions; each must balance its unit flows. [-]."""
        return self.stepper.pressure.regions


def prepare(
    case: AirCase,
    closure: Closure | None = None,
    T_ref: float = 293.15,
    numerics: Numerics | None = None,
) -> AirModel:
    """Check everything and build what every step needs; once per case.

    Parameters
    ----------
    case : AirCase
        Geometry and openings.
    closure : Closure, optional
        Mixing length of Chen and Xu (1998) by default.
    T_ref : float
        Temperature of neutral buoyancy. [K]
    numerics : Numerics, optional
        Bounded second-order advection by default.

    Returns
    -------
    AirModel

    Raises
    ------
    GridMismatchError : an array of the case has not the shape or kind that the grid asks for.
    CaseError : the openings or units cannot work; the message names the patch.
    """
    if not (math.isfinite(T_ref) and T_ref > 0):
        raise CaseError(f"T_ref: {T_ref} K is no absolute temperature.")
    numerics = numerics or Numerics()
    if numerics.advection not in ("limited", "central"):
        raise CaseError(
            f"numerics.advection: {numerics.advection!r} is unknown; take 'limited' or 'central'."
        )
    return AirModel(case, closure or Closure(), T_ref, numerics)


def initial_state(model: AirModel, T: float = 293.15) -> AirState:
    """Air at rest at one temperature.

    Parameters
    ----------
    model : AirModel
    T : float
        Temperature of the air and of the units' outlets. [K]

    Returns
    -------
    AirState
    """
    nx, ny, nz = model.case.grid.shape
    return AirState(
        u=np.zeros((nx + 1, ny, nz), dtype=np.float32),
        v=np.zeros((nx, ny + 1, nz), dtype=np.float32),
        w=np.zeros((nx, ny, nz + 1), dtype=np.float32),
        p=np.zeros((nx, ny, nz), dtype=np.float32),
        T=np.full((nx, ny, nz), T, dtype=np.float32),
        T_unit=np.full(model.case.unit_inlet.size, float(T)),
        time=0.0,
    )


def advance(
    model: AirModel,
    state: AirState,
    inputs: UnitInputs,
    duration: float,
    cfl: float | None = None,
    max_dt: float | None = None,
    on_step: Callable[[AirState], None] | None = None,
    scheme: str = "implicit",
) -> AirState:
    """Step to exactly ``state.time + duration``; the given state stays as it is.

    Second order in space where the fields are smooth. Steps are equal parts of what is left, no longer than
    the Courant number allows.

    Parameters
    ----------
    model : AirModel
    state : AirState
        Where to start; any state of this model's grid.
    inputs : UnitInputs
        What the units do during all of `duration`.
    duration : float
        [s]
    cfl : float, optional
        Largest dt (|u|/dx + |v|/dy + |w|/dz) over the cells; 4 by default. Of the explicit scheme diffusion
        counts too; 0.5 by default, 0.7 at most. [-]
    max_dt : float, optional
        Largest step; 1 s by default. [s]
    on_step : callable, optional
        Called with the state after every step; costs a copy of the fields each.
    scheme : str
        ``"implicit"``: first order in time, stable at Courant numbers above 1. ``"explicit"``: second order
        in time (Heun), for large-eddy simulation.

    Returns
    -------
    AirState
        Leftover divergence is about 1e-5 of the supply flow.

    Raises
    ------
    GridMismatchError : the state or the inputs do not fit the model.
    CaseError : the inputs are out of range or leave a closed region unbalanced.
    ConvergenceError : the solution diverged; no state is handed back.
    """
    check_state(model, state)
    if not (math.isfinite(duration) and duration >= 0):
        raise CaseError(f"duration: {duration} s must be finite and not negative.")
    if scheme not in _COURANT:
        raise CaseError(f"scheme: {scheme!r} is unknown; take 'implicit' or 'explicit'.")
    cfl = _COURANT[scheme] if cfl is None else cfl
    explicit = scheme == "explicit"
    if not 0 < cfl <= (_EXPLICIT_LIMIT if explicit else math.inf):
        most = f" and at most {_EXPLICIT_LIMIT:g}" if explicit else ""
        raise CaseError(f"cfl: {cfl} must be positive{most}.")
    limit = _MAX_DT if max_dt is None else float(max_dt)
    if not limit > 0:
        raise CaseError(f"max_dt: {max_dt} s must be positive.")
    stepper = model.stepper
    moved = stepper.load(state, inputs)
    end = state.time + duration
    if moved and duration > 0:
        stepper.settle_flow()
    dt = FIRST_DT if moved else limit
    while end - stepper.time > 1e-9 * max(1.0, abs(end)):
        rate = stepper.explicit_rate() if explicit else stepper.courant()
        dt = min(limit, cfl / rate if rate > 0 else limit, GROWTH * dt)
        left = end - stepper.time
        step = stepper.step_explicit if explicit else stepper.step
        step(left / max(1, math.ceil(left / dt - 1e-9)), MASS_TOLERANCE, PRESSURE_ITERATIONS)
        if on_step is not None:
            on_step(stepper.state())
    stepper.check()
    stepper.time = end
    return stepper.state()


def solve_steady(
    model: AirModel,
    inputs: UnitInputs,
    state: AirState | None = None,
    tolerance: float = 0.1,
    progress: Callable[[SteadyProgress], None] | None = None,
    max_time: float = 1200.0,
    cfl: float = 12.0,
) -> SteadyResult:
    """March until the flow has settled, then average it; see solvers/README.md for the recipe.

    Parameters
    ----------
    model : AirModel
    inputs : UnitInputs
        Thermal masses are ignored: a mean does not feel them.
    state : AirState, optional
        Where to go on from; without it the solve starts cold, on a grid of half the resolution.
    tolerance : float
        Difference of the unit inlet temperatures of adjacent windows below which the flow is settled. A flow
        that scatters by more without a trend is settled too; `T_inlet_error` tells how well its mean is
        known. [K]
    progress : callable, optional
        Called every 20 steps.
    max_time : float
        Simulated time on the full grid after which the solve gives up and says so in `converged`. [s]
    cfl : float
        Largest dt (|u|/dx + |v|/dy + |w|/dz) over the cells. [-]

    Returns
    -------
    SteadyResult
        Mass to 1e-6 and heat to 0.1 % where `converged`.

    Raises
    ------
    GridMismatchError : the state or the inputs do not fit the model.
    CaseError : the inputs are out of range or leave a closed region unbalanced.
    ConvergenceError : the solution diverged, or the coolers cannot take the heat.
    """
    from solvers.airflow.steady import settle  # noqa: PLC0415

    return settle(model, inputs, state, tolerance, progress, max_time, cfl)


def unit_inlet_temperature(model: AirModel, state: AirState) -> NDArray[np.float64]:
    """Area mean of the temperature over the inlet patch of each unit: what leaves the room there.

    Returns
    -------
    float64[nu]    [K]
    """
    check_state(model, state)
    return model.stepper.units.inlet_theta(_theta(model, state)) + model.T_ref


def unit_inlet_temperature_max(model: AirModel, state: AirState) -> NDArray[np.float64]:
    """Largest cell temperature over the inlet patch of each unit.

    Returns
    -------
    float64[nu]    [K]
    """
    check_state(model, state)
    return model.stepper.units.inlet_theta_max(_theta(model, state)) + model.T_ref


def balances(model: AirModel, state: AirState, inputs: UnitInputs) -> Balances:
    """How well a state conserves mass and heat.

    Parameters
    ----------
    model : AirModel
    state : AirState
    inputs : UnitInputs
        What the units do.

    Returns
    -------
    Balances
        Its docstring says what each number means.
    """
    check_state(model, state)
    stepper = model.stepper
    stepper.set_inputs(inputs)
    units = stepper.units
    outflow = outflow_of(model, state)
    theta, theta_unit = _theta(model, state), np.asarray(state.T_unit, dtype=np.float64) - model.T_ref
    leaked = units.leaked_heat(theta_unit, theta, 0.0)
    Q_in, Q_out = units.heat(theta_unit, units.inlet_theta(theta), leaked)
    if stepper.walls.conducts or stepper.openings.face.size:
        stepper.load(state, inputs)
        given, taken = stepper.heat_at_walls_and_openings()
        Q_in, Q_out = Q_in + given, Q_out + taken
    return Balances(
        mass_relative=float(np.abs(outflow).sum() / _mass_scale(model, state)),
        energy_relative=units.heat_apart(Q_in, Q_out),
        Q_in=Q_in,
        Q_out=Q_out,
        V_supply=units.V_supply,
        heat_corrected=float(state.heat_corrected),
        stored=float(inputs.Q_flow[np.isnan(inputs.T_supply)].sum()) - Q_in,
    )


def _mass_scale(model: AirModel, state: AirState) -> float:
    """Flow to compare a divergence with: supply, else all units, else what moves in the room. [m3/s]."""
    units, areas = model.stepper.units, model.stepper.geometry.open_area
    moved = (np.abs(f).astype(np.float64) * a for f, a in zip(state[:3], areas, strict=True))
    return units.V_cooled or units.V_supply or float(sum(flow.sum() for flow in moved)) or 1.0


def outflow_of(model: AirModel, state: AirState) -> NDArray[np.float64]:
    """Net volume flow out of each cell of the room for the inputs last set, float64[nx, ny, nz]. [m3/s]."""
    geometry = model.stepper.geometry
    flows = [np.asarray(f, dtype=np.float64) * a for f, a in zip(state[:3], geometry.open_area, strict=True)]
    total = np.diff(flows[0], axis=0) + np.diff(flows[1], axis=1) + np.diff(flows[2], axis=2)
    total -= model.stepper.units.inflow_cells(geometry.shape)
    if geometry.ambient is not None:
        total[geometry.ambient] = 0
    return total


def probe(model: AirModel, state: AirState, points: NDArray[np.float64]) -> Probe:
    """Trilinear samples of a state, solids ignored and nothing mixed across plates.

    Near a wall, a solid or a plate the weights of the cells that the point does not see go to the others; a
    point with no air around it reads the nearest air cell. Velocity is taken from the cell centres.

    Parameters
    ----------
    model : AirModel
    state : AirState
    points : float64[n, 3]
        Inside or outside the room; outside counts as on its boundary. [m]

    Returns
    -------
    Probe
    """
    check_state(model, state)
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise GridMismatchError(f"points: shape {points.shape}; [n, 3] is needed.")
    if not np.isfinite(points).all():
        row = int(np.argwhere(~np.isfinite(points))[0, 0])
        raise CaseError(f"points: {points[row].tolist()} in row {row}; coordinates must be finite.")
    corners = corners_around(model.case.grid, model.stepper.geometry, points)
    velocity = np.stack([corners.of(part) for part in cell_velocity(state)], axis=1)
    return Probe(T=corners.of(state.T), velocity=velocity, p=corners.of(state.p))


def restart(model_to: AirModel, model_from: AirModel, state: AirState) -> AirState:
    """Interpolate a state onto another grid of the same room; T and p do not mix across plates.

    The first step of `advance` makes the velocity divergence-free again. Layers of surfaces take the
    temperature of the nearest one of the same surface.

    Parameters
    ----------
    model_to, model_from : AirModel
        The new and the old grid; the same units in the same order.
    state : AirState
        On the old grid.

    Returns
    -------
    AirState
        On the new grid.

    Raises
    ------
    GridMismatchError : the state does not fit `model_from`, or the models have not the same number of units.
    """
    check_state(model_from, state)
    return move_state(model_to, model_from, state)


def warm_up(progress: Callable[[str, int, int], None] | None = None) -> None:
    """Compile (or load from the cache) every kernel that a live twin uses.

    Parameters
    ----------
    progress : callable, optional    Called as (kernel, number done before it, number of kernels).
    """
    from solvers.airflow.warm import compile_all  # noqa: PLC0415

    compile_all(progress)


def check_state(model: AirModel, state: AirState) -> None:
    """Raise GridMismatchError unless the arrays of a state fit the model."""
    nx, ny, nz = model.case.grid.shape
    shapes = {
        "u": (nx + 1, ny, nz),
        "v": (nx, ny + 1, nz),
        "w": (nx, ny, nz + 1),
        "p": (nx, ny, nz),
        "T": (nx, ny, nz),
        "T_unit": (model.case.unit_inlet.size,),
        "k": (nx, ny, nz),
        "epsilon": (nx, ny, nz),
    }
    for name, shape in shapes.items():
        array = getattr(state, name)
        if array is None:
            if name in ("k", "epsilon"):
                continue
            raise GridMismatchError(f"state.{name}: nothing; the grid asks for floats of {shape}.")
        if np.shape(array) != shape or array.dtype.kind != "f":
            raise GridMismatchError(
                f"state.{name}: shape {np.shape(array)}; the grid asks for floats of {shape}."
            )
        if not np.isfinite(array).all():
            at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise CaseError(f"state.{name}: {array[at]} at {at}; every value must be a finite number.")


def _theta(model: AirModel, state: AirState) -> NDArray[np.float64]:
    """Pad T - T_ref in float64."""
    nx, ny, nz = model.case.grid.shape
    out = np.zeros((nx + 3, ny + 2, nz + 2))
    out[1 : nx + 1, 1:-1, 1:-1] = np.asarray(state.T, dtype=np.float64) - model.T_ref
    return out.ravel()
