"""A network through time: from the milliseconds of a pump trip to hours.

Rigid columns of coolant with inertia, pumps that run up and down, vessels that fill and empty, leaks, and
heat with its delay. Implicit Euler; the step follows the difference of one step and two halves, so that a
trip is taken in milliseconds and a quiet hour in what the caller asks for.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from solvers.coolant.components import Inputs, Vector
from solvers.coolant.control import Controls, act, measure, wind
from solvers.coolant.delay import Heats, Warmth
from solvers.coolant.hydraulics import Flow, Start
from solvers.coolant.network import Network, Steady
from solvers.coolant.pumps import next_speed
from solvers.coolant.vessels import levels, pressure_of, stored, suction
from solvers.errors import ConvergenceError

_LEAST = 1e-5  # s, step below which something is wrong
_QUIET = 0.005  # of the flows' scale and of a speed: change in a step that needs no second look
_PART = 0.02  # of a vessel's mass when full, that its error is measured by
_FULL = 1e3  # kg/m3, to measure what is in a vessel by
_GROW, _SHRINK = 3.0, 0.2
_WARM = 0.3  # K, change of a node in a step that makes the next one shorter
_FRONT = 0.2  # s, no shorter for that reason: a front changes a node at once in the shortest step
_CONTROLLED = 1.0  # s, longest step under control


class State(NamedTuple):
    """State of a network at a moment.

    Attributes
    ----------
    time : float    [s]
    flow : Flow    Pressures and flows.
    speed : float64[np]    Of the pumps over the nominal. [-]
    mass : float64[nv]    Coolant in the vessels. [kg]
    level : float64[nv]    Their filling: 0 empty, 1 full. [-]
    dry_since : float64[nv]
        When the pumps that draw from a vessel lost half of their head; infinite while they have it. [s]
    warmth : Warmth    Temperatures of nodes, plates, parcels.
    Q_flow : float64[nb]    Heat into the coolant of the branches, mean of the last step. [W]
    power : float64[np]    At the shafts. [W]
    Q_air : float64[nc]    From the plates to the air beside them, mean over the last `advance`. [W]
    setting : float64[nb]
        As used last: speeds as they turn, controlled valves as they stand. Of a pump that draws from an empty
        vessel the speed that would give the head that is left to it.
    integral : float64[k]    Of the controls.
    dt : float    Step to try next. [s]
    steps : int    Since the start.
    scale : float    What errors of the flows are measured by: the largest so far, or that of a pump. [kg/s]
    energy_in, mass_in : float
        Heat and coolant that came in from outside since the start, less what left. [J, kg]
    """

    time: float
    flow: Flow
    speed: Vector
    mass: Vector
    level: Vector
    dry_since: Vector
    warmth: Warmth
    Q_flow: Vector
    power: Vector
    Q_air: Vector
    setting: Vector
    integral: Vector
    dt: float
    steps: int
    scale: float
    energy_in: float
    mass_in: float


class Balance(NamedTuple):
    """Stored heat and mass, to be compared with `State.energy_in` and `mass_in`.

    Attributes
    ----------
    energy : float    [J]
    mass : float    Of the vessels; everything else is always full. [kg]
    """

    energy: float
    mass: float


def start(network: Network, inputs: Inputs, steady: Steady, controls: Controls | None = None) -> State:
    """State at time 0 from a steady one.

    Parameters
    ----------
    network : Network
    inputs : Inputs    Of that steady state.
    steady : Steady
    controls : Controls, optional

    Returns
    -------
    State
    """
    case = network.case
    delay = network.delay
    setting = network.speeds(inputs)
    rho = network.thermal.of_nodes("density", steady.T)[case.vessels.node]
    mass, _ = stored(case.vessels, steady.p[case.vessels.node], rho)
    flow = Flow(steady.p, steady.m_flow, steady.dp, steady.mass_relative, 0)
    warmth = delay.begin(steady.T, steady.T_in, steady.T_out, steady.T_solid, steady.m_flow)
    integral = np.zeros(0)
    if controls is not None:
        integral = wind(controls, setting, measure(controls, flow.p, flow.m_flow, steady.T))
    return State(
        *(
            0.0,
            flow,
            setting[case.pumps.branch],
            mass,
            levels(case.vessels, mass, rho),
            np.full(mass.size, np.inf),
            warmth,
            steady.Q_flow,
        ),
        *(steady.power, steady.Q_air, setting, integral, 1.0, 0, _scale(network, steady), 0.0, 0.0),
    )


def balance(network: Network, state: State) -> Balance:
    """Heat and coolant stored in a network.

    Parameters
    ----------
    network : Network
    state : State

    Returns
    -------
    Balance
    """
    return Balance(network.delay.content(state.warmth, state.mass), float(state.mass.sum()))


def findings(network: Network, state: State) -> tuple[str, ...]:
    """Say which vessels are empty, since when, and which pumps turn in gas for it; see `State.dry_since`.

    Parameters
    ----------
    network : Network
    state : State

    Returns
    -------
    tuple of str    One a vessel.
    """
    case, said = network.case, []
    for number in np.flatnonzero(np.isfinite(state.dry_since)).tolist():
        pumps = case.pumps.branch[network.draws == number].tolist()
        names = " and ".join(repr(case.branch_names[i]) for i in pumps)
        said.append(
            f"{case.node_names[case.vessels.node[number]]!r} is empty since {state.dry_since[number]:.0f} s"
            + (f": nothing is delivered by {names}, which draw gas from it" if pumps else "")
            + "; close the leak and fill it"
        )
    return tuple(said)


def advance(
    network: Network,
    state: State,
    inputs: Inputs,
    dt: float,
    controls: Controls | None = None,
    tolerance: float = 2e-3,
) -> State:
    """Carry a state on by dt in as many steps as it takes.

    Parameters
    ----------
    network : Network
    state : State
    inputs : Inputs    Held over dt; settings that `controls` moves are theirs.
    dt : float    [s]
    controls : Controls, optional
    tolerance : float    Error of the flows a step, over the largest flow. [-]

    Returns
    -------
    State

    Raises
    ------
    ConvergenceError    A step as short as 10 microseconds does not converge.
    GridMismatchError    An input has the wrong size.

    Validity : no water hammer: the coolant is incompressible, its columns are rigid.
    Check    : tests/unit/solvers/coolant/test_transient.py, tests/verification/test_coolant.py
    """
    network.check_shapes(inputs)
    started, end = state.time, state.time + dt
    first, to_air = state.steps, np.zeros(network.case.plates.C.size)
    while end - state.time > 1e-9 * max(dt, 1e-6):
        left = end - state.time
        step = min(state.dt, left if controls is None else min(left, _CONTROLLED))
        if left < 2 * step:  # no crumbs at the end
            step = left if left <= step * 1.001 else 0.5 * left
        begun = state.time
        state = _step(network, state, inputs, step, controls, tolerance)
        to_air += state.Q_air * (state.time - begun)
        if state.steps - first > 1_000_000:
            raise ConvergenceError(f"network: a million steps and still at {state.time:.6g} s")
    took = end - started
    return state._replace(time=end, Q_air=to_air / took if took > 0 else state.Q_air)


def _scale(network: Network, steady: Steady) -> float:
    case = network.case
    rho = network.thermal.of_nodes("density", steady.T)[case.branches.a[case.pumps.branch]]
    pumped = float((rho * case.pumps.V_best).max(initial=0.0))
    return max(float(np.abs(steady.m_flow).max()), pumped, 1e-6)


class _Moved(NamedTuple):
    flow: Flow
    speed: Vector
    mass: Vector
    setting: Vector
    rho: Vector


def _step(
    network: Network, state: State, inputs: Inputs, dt: float, controls: Controls | None, tolerance: float
) -> State:
    """One accepted step, of dt or shorter."""
    wanted, integral = network.speeds(inputs), state.integral
    while True:
        if controls is not None:
            found = measure(controls, state.flow.p, state.flow.m_flow, state.warmth.T)
            wanted[controls.output], integral = act(controls, state.integral, found, dt)
        parts, following = _try(network, state, inputs, wanted, dt, tolerance)
        if parts:
            return _warm(network, state, inputs, parts, dt, following, integral)
        dt = following
        if dt < _LEAST:
            raise ConvergenceError(f"network: no step of {_LEAST:g} s converges at {state.time:.6g} s")


def _try(
    network: Network, state: State, inputs: Inputs, wanted: Vector, dt: float, tolerance: float
) -> tuple[list[_Moved], float]:
    """Flows after dt in one step or two; none if dt is too long. Also the step to try next."""
    begin = _Moved(state.flow, state.speed, state.mass, state.setting, np.zeros(0))
    try:
        whole = _move(network, begin, state, inputs, wanted, dt)
        scale = max(state.scale, float(np.abs(whole.flow.m_flow).max()))
        change = float(np.abs(whole.flow.m_flow - state.flow.m_flow).max()) / scale
        turn = float(np.abs(whole.speed - state.speed).max()) if state.speed.size else 0.0
        turn = max(turn, float(np.abs(_suction(network, whole) - _suction(network, begin)).max(initial=0.0)))
        if max(change, turn) <= min(_QUIET, 2.5 * tolerance):
            return [whole], dt * _GROW
        half = _move(network, begin, state, inputs, wanted, 0.5 * dt)
        last = _move(network, half, state, inputs, wanted, 0.5 * dt)
    except ConvergenceError:
        return [], dt * _SHRINK
    error = float(np.abs(last.flow.m_flow - whole.flow.m_flow).max()) / scale
    if state.mass.size:
        off = np.abs(last.mass - whole.mass) / (_PART * _FULL * network.case.vessels.volume)
        error = max(error, float(off.max()))
    if state.speed.size:
        error = max(error, float(np.abs(last.speed - whole.speed).max()))
    error = max(error, float(np.abs(_suction(network, last) - _suction(network, whole)).max(initial=0.0)))
    factor = 0.9 * math.sqrt(tolerance / max(error, 1e-12))
    if error > tolerance:
        return [], dt * max(_SHRINK, min(factor, 0.7))
    return [half, last], dt * min(_GROW, max(factor, 0.5))


def _move(network: Network, begin: _Moved, state: State, inputs: Inputs, wanted: Vector, dt: float) -> _Moved:
    """Speeds, flows and vessels after dt."""
    case = network.case
    branch = case.pumps.branch
    setting = wanted.copy()
    speed = begin.speed
    if branch.size:
        drive = inputs.drive
        power = state.power if begin.rho.size == 0 else _power(network, begin)
        speed = next_speed(case, begin.speed, wanted[branch], drive, power, dt)
        setting[branch] = speed * np.sqrt(_suction(network, begin))  # which the head goes with the square of
    T_branch = 0.5 * (state.warmth.T_in + state.warmth.T_out)
    given = network.conditions(setting, inputs, T_branch, state.warmth.T)
    flow = network.hydraulics.solve(given, begin.flow, Start(dt, begin.flow.m_flow, begin.mass))
    node = case.vessels.node
    net = inputs.supply[node].astype(np.float64)
    for end, sign in ((case.branches.b, 1.0), (case.branches.a, -1.0)):
        net += sign * np.bincount(end, flow.m_flow, minlength=case.fluid.size)[node]
    return _Moved(flow, speed, begin.mass + dt * net, setting, given.rho)


def _suction(network: Network, moved: _Moved) -> Vector:
    """Part of its head that every pump has, by what its vessel holds."""
    vessels, draws = network.case.vessels, network.draws
    if not moved.mass.size:
        return np.ones(draws.size)
    part = suction(moved.mass / (_FULL * vessels.volume))
    return np.where(draws >= 0, part[draws], 1.0)


def _power(network: Network, moved: _Moved) -> Vector:
    return network.thermal.warming(moved.flow, moved.rho, moved.setting)[1]


def _warm(
    network: Network,
    state: State,
    inputs: Inputs,
    parts: list[_Moved],
    dt: float,
    following: float,
    integral: Vector,
) -> State:
    """Temperatures after the flows of a step, and the state they make together."""
    delay, warmth, mass = network.delay, state.warmth, state.mass
    given = carried = came = 0.0
    heats: Heats | None = None
    to_air = np.zeros(network.case.plates.C.size)
    for part in parts:
        masses = (mass, part.mass)
        warmth, heats = delay.step(warmth, part.flow, part.rho, part.setting, inputs, masses, dt / len(parts))
        given, carried = given + heats.given, carried + heats.carried
        to_air += heats.Q_air / len(parts)
        came += float(network.thermal.external(part.flow.m_flow, inputs).sum()) * dt / len(parts)
        mass = part.mass
    assert heats is not None
    last = parts[-1]
    warmer = float(np.abs(warmth.T - state.warmth.T).max())
    if warmer > _WARM:
        following = min(following, max(dt * max(_SHRINK, _WARM / warmer), _FRONT))
    rho = network.thermal.of_nodes("density", warmth.T)[network.case.vessels.node]
    p = last.flow.p.copy()
    node, level = network.case.vessels.node, levels(network.case.vessels, mass, rho)
    p[node] = pressure_of(network.case.vessels, mass, rho)
    dry = np.minimum(state.dry_since, state.time + dt)
    dry[suction(level) > 0.5] = np.inf
    return State(
        *(
            state.time + dt,
            last.flow._replace(p=p),
            last.speed,
            mass,
            level,
            dry,
        ),
        *(warmth, heats.Q_flow, heats.power, to_air, last.setting, integral, following, state.steps + 1),
        *(
            max(state.scale, float(np.abs(last.flow.m_flow).max())),
            state.energy_in + given + carried,
            state.mass_in + came,
        ),
    )
