"""How the flow splits among parallel channels between two headers.

    K8   P_in(i) - P_out(i) = a q_i + b q_i^2
         dP/ds = -f / D rho V^2 / 2 - r rho d(V^2)/ds        along each header, V from the flow that is left

The term with r is the momentum that the leaving (or joining) flow does not take along: pressure rises along
the dividing header and falls along the combining one. With the outlet at the inlet's end (U) both pressures
rise alike away from it, and friction alone favours the near channels; with it at the other end (Z) they part,
and the far channels get more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from solvers.coldplate.system import Array
from solvers.coolant.friction import churchill, f_re
from solvers.errors import ConvergenceError

Arrangement = Literal["ideal", "U", "Z"]
_ROUNDS = 400
_LEAST = 0.05  # share of a correction
_AGREE = 1e-8  # relative change of a flow that ends it


class Manifold(NamedTuple):
    """Two headers across the ends of the channels.

    Attributes
    ----------
    arrangement : str    ``ideal``: all channels alike; ``U``: outlet at the inlet's end; ``Z``: at the other.
    width, height : float    Of each header's cross-section. [m]
    pitch : float    Distance of two channels. [m]
    recovery : float    r of K8; 1: leaving flow takes no momentum along the header. [-]
    """

    arrangement: Arrangement
    width: float
    height: float
    pitch: float
    recovery: float = 1.0


def split(
    manifold: Manifold,
    total: float,
    count: int,
    density: float,
    viscosity: float,
    drop: Callable[[Array], Array],
    start: Array | None = None,
) -> tuple[Array, float]:
    """Split a flow among channels.

    Parameters
    ----------
    manifold : Manifold
    total : float    [kg/s]
    count : int    Channels.
    density, viscosity : float    In the headers. [kg/m3, Pa s]
    drop : callable    Flows of the channels [kg/s] -> their pressure drops [Pa].
    start : float64[count], optional    First guess. [kg/s]

    Returns
    -------
    m_flow : float64[count]    [kg/s]
    dp : float    From the inlet of the first header to the outlet of the second. [Pa]

    Raises
    ------
    ConvergenceError : the headers are so narrow that flows do not settle, or a channel would run backwards.

    Source : momentum balance as in Bajura and Jones 1976, J. Fluids Eng. 98, 654.
    Check  : tests/unit/solvers/coldplate/test_manifold.py
    """
    q = np.full(count, total / count) if start is None else start * (total / start.sum())
    if manifold.arrangement == "ideal" or count == 1:
        q = np.full(count, total / count)
        return q, float(np.mean(drop(q)))
    share = 1.0  # of each correction; halved when corrections grow
    history: list[float] = []
    for _ in range(_ROUNDS):
        dp = drop(q)
        slope = (drop(q * 1.001) - dp) / (0.001 * q)
        b = np.maximum(slope - dp / q, 0.0) / q
        a = dp / q - b * q
        offset = _headers(manifold, q, density, viscosity)
        new = _flows(a, b, offset, total)
        change = float(np.max(np.abs(new - q)) * count / total)
        if history and change > 0.9 * history[-1]:
            share = max(0.5 * share, _LEAST)
        history.append(change)
        q = q + share * (new - q)
        if not np.all(np.isfinite(q)) or np.any(q <= 0.0):
            break
        if change < _AGREE:
            dp = drop(q)
            return q, float(np.mean(dp - _headers(manifold, q, density, viscosity)))
    raise ConvergenceError(
        f"the flow does not settle among {count} channels between headers of {manifold.width * 1e3:g} x "
        f"{manifold.height * 1e3:g} mm: a channel would run backwards or swing. Widen the headers.",
        history,
    )


def _headers(manifold: Manifold, q: Array, density: float, viscosity: float) -> Array:
    """P_in(i) - P_out(i) less the one of inlet and outlet. [Pa]."""
    area = manifold.width * manifold.height
    diameter = 2.0 * area / (manifold.width + manifold.height)
    sides = manifold.width / manifold.height
    laminar = 4.0 * float(f_re(min(sides, 1.0 / sides)))

    def terms(flow: Array) -> tuple[Array, Array]:
        """Head r rho V^2 of a flow, and its friction over one pitch."""
        V = flow / (density * area)
        Re = np.maximum(density * V * diameter / viscosity, 1e-6)
        loss = churchill(Re, 0.0, laminar) * manifold.pitch / diameter * 0.5 * density * V**2
        return manifold.recovery * density * V**2, loss

    def from_left(steps: Array, loss: Array) -> Array:
        """Sum up steps at channels and losses between them; a channel sees half of its own step."""
        return np.cumsum(steps) - 0.5 * steps + np.cumsum(loss) - loss[0]

    coming = np.cumsum(q[::-1])[::-1]  # flow that reaches channel i from the left
    head, loss = terms(coming)
    steps = head - np.append(head[1:], 0.0)
    inlet = from_left(steps, -loss)
    if manifold.arrangement == "U":
        return inlet - from_left(steps, loss)
    head, loss = terms(np.cumsum(q))  # flow that leaves channel i to the right
    steps = head - np.concatenate([[0.0], head[:-1]])
    return inlet - from_left(steps[::-1], loss[::-1])[::-1]


def _flows(a: Array, b: Array, offset: Array, total: float) -> Array:
    """Flows with a q + b q^2 = P + offset that sum up to the total, P found by Newton."""
    P = float(np.mean(a) * total / a.size + np.mean(b) * (total / a.size) ** 2)
    q = np.zeros_like(a)
    for _ in range(100):
        rest = np.maximum(P + offset, 0.0)
        root = np.sqrt(a**2 + 4.0 * b * rest)
        q = 2.0 * rest / (a + root)
        step = (total - q.sum()) / np.sum(1.0 / np.maximum(root, 1e-300))
        P += step
        if abs(step) <= 1e-14 * abs(P):
            break
    return q
