"""Controllers of a loop: PI with limits, over time and in steady state."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.coolant.components import Index, Inputs, Vector
from solvers.coolant.network import Network, Steady, solve
from solvers.errors import ConvergenceError

TEMPERATURE, PRESSURE, DIFFERENCE, FLOW = range(4)
"""What a controller measures: T or p of a node, p of a node less that of another, flow of a branch."""

_ROUNDS = 40
_NUDGE = 1e-3  # of the range of an output, to find its effect
_MOVE = 0.3  # of the range, the longest move in a round
_CUTS = 8  # of a move, at most
_AGREE = 1e-6  # of the range of an output


class Controls(NamedTuple):
    """PI controllers, each moving one setting.                                                   (C27).

        u = u_0 + K (e + integral of e dt / T_i),  e = target - measured

    Attributes
    ----------
    quantity : int64[k]    TEMPERATURE, PRESSURE, DIFFERENCE or FLOW.
    first, second : int64[k]    Node or branch; second node of a DIFFERENCE, elsewhere ignored.
    target : float64[k]    [K, Pa, Pa, kg/s]
    gain : float64[k]    K, negative where a larger output lowers what is measured. [1/K ...]
    time : float64[k]    T_i. [s]
    low, high : float64[k]    Limits of the output.
    output : int64[k]    Branch whose setting it moves.
    """

    quantity: Index
    first: Index
    second: Index
    target: Vector
    gain: Vector
    time: Vector
    low: Vector
    high: Vector
    output: Index


def controls(*rows: dict[str, float]) -> Controls:
    """Arrays of controllers from one dictionary each.

    Parameters
    ----------
    *rows : dict
        Fields of `Controls`; `second` 0, `low` 0 and `high` 1 if left out.

    Returns
    -------
    Controls
    """
    filled = [{"second": 0, "low": 0.0, "high": 1.0, **row} for row in rows]

    def whole(key: str) -> Index:
        return np.array([row[key] for row in filled], dtype=np.int64)

    def real(key: str) -> Vector:
        return np.array([row[key] for row in filled], dtype=np.float64)

    return Controls(
        *(whole("quantity"), whole("first"), whole("second"), real("target"), real("gain"), real("time")),
        *(real("low"), real("high"), whole("output")),
    )


def measure(controls: Controls, p: Vector, m_flow: Vector, T: Vector) -> Vector:
    """Read what the controllers measure.

    Parameters
    ----------
    controls : Controls
    p, T : float64[nn]    [Pa, K]
    m_flow : float64[nb]    [kg/s]

    Returns
    -------
    float64[k]
    """
    out = np.empty(controls.first.size)
    for i, (quantity, first, second) in enumerate(
        zip(controls.quantity.tolist(), controls.first.tolist(), controls.second.tolist(), strict=True)
    ):
        if quantity == TEMPERATURE:
            out[i] = T[first]
        elif quantity == FLOW:
            out[i] = m_flow[first]
        else:
            out[i] = p[first] - (p[second] if quantity == DIFFERENCE else 0.0)
    return out


def wind(controls: Controls, setting: Vector, measured: Vector) -> Vector:
    """Integrals with which the outputs are the present settings, so that control begins without a bump.

    Parameters
    ----------
    controls : Controls
    setting : float64[nb]
    measured : float64[k]

    Returns
    -------
    float64[k]
    """
    return setting[controls.output] - controls.gain * (controls.target - measured)


def act(controls: Controls, integral: Vector, measured: Vector, dt: float) -> tuple[Vector, Vector]:
    """Give outputs now and integrals after dt; an output at its limit does not wind up.             (C27).

    Parameters
    ----------
    controls : Controls
    integral : float64[k]
    measured : float64[k]
    dt : float    [s]

    Returns
    -------
    output, integral : float64[k]
    """
    error = controls.target - measured
    part = controls.gain * error
    after = integral + part * dt / controls.time
    output = np.clip(part + after, controls.low, controls.high)
    return output, output - part


def settle(
    network: Network,
    inputs: Inputs,
    controls: Controls,
    guess: Steady | None = None,
    *,
    strict: bool = True,
) -> tuple[Inputs, Steady]:
    """Find the settings with which all controllers are at their targets, or at a limit.

    Newton's method on the settings, their effect found by nudging each.

    Parameters
    ----------
    network : Network
    inputs : Inputs
    controls : Controls
    guess : Steady, optional
    strict : bool    See `network.solve`.

    Returns
    -------
    Inputs, Steady    The inputs have the settings found; those given are left alone.

    Raises
    ------
    ConvergenceError    They do not settle; names the worst controller's branch.
    """
    low, high = controls.low, controls.high
    span = high - low
    u = np.clip(inputs.setting[controls.output], low, high)
    state = solve(network, _with(inputs, controls, u), guess, strict=False)
    change = np.zeros(u.size)
    for _ in range(_ROUNDS):
        error = _errors(controls, state)
        effect = np.empty((u.size, u.size))
        for i in range(u.size):
            nudge = _NUDGE * span[i] * (1.0 if u[i] + _NUDGE * span[i] <= high[i] else -1.0)
            other = u.copy()
            other[i] += nudge
            near = solve(network, _with(inputs, controls, other), state, strict=False)
            effect[:, i] = (error - _errors(controls, near)) / nudge
        pushed = np.sign(controls.gain) * error
        free = ~(((u <= low) & (pushed <= 0)) | ((u >= high) & (pushed >= 0)))
        change = np.zeros(u.size)
        if free.any():
            part = np.linalg.lstsq(effect[np.ix_(free, free)], error[free], rcond=1e-9)[0]
            change[free] = np.clip(part, -_MOVE * span[free], _MOVE * span[free])
        u, change, state = _nearer(network, inputs, controls, (u, change, free, error), state)
        if float(np.abs(change / span).max(initial=0.0)) <= _AGREE:
            found = _with(inputs, controls, u)
            return found, solve(network, found, state, strict=strict)
    worst = network.case.branch_names[int(controls.output[int(np.abs(change / span).argmax())])]
    raise ConvergenceError(
        f"controls: no settings found in {_ROUNDS} rounds; that of {worst!r} still moves by "
        f"{np.abs(change / span).max():.2e} of its range. Look at the sign of its gain and at its limits"
    )


def _nearer(
    network: Network,
    inputs: Inputs,
    controls: Controls,
    step: tuple[Vector, Vector, NDArray[np.bool_], Vector],
    state: Steady,
) -> tuple[Vector, Vector, Steady]:
    """Move by a step, or as much of it as brings the targets nearer, weighed by the gains."""
    u, change, free, error = step
    off = float(np.abs(controls.gain * error)[free].max(initial=0.0))
    moved, near = u, state
    for _ in range(_CUTS):
        moved = np.clip(u + change, controls.low, controls.high)
        near = solve(network, _with(inputs, controls, moved), state, strict=False)
        if float(np.abs(controls.gain * _errors(controls, near))[free].max(initial=0.0)) <= off:
            break
        change = 0.5 * change
    return moved, moved - u, near


def _errors(controls: Controls, state: Steady) -> Vector:
    return controls.target - measure(controls, state.p, state.m_flow, state.T)


def _with(inputs: Inputs, controls: Controls, u: Vector) -> Inputs:
    setting = inputs.setting.copy()
    setting[controls.output] = u
    return inputs._replace(setting=setting)
