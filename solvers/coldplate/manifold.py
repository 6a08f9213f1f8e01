"""How the flow splits among parallel channels between two headers.

    K8   P_in(i) - P_out(i) = dp(q_i)
         dP/ds = -f / D rho V^2 / 2 - r rho d(V^2)/ds        along each header, V from the flow that is left

The term with r is the momentum that the leaving (or joining) flow does not take along: pressure rises along
the dividing header and falls along the combining one. r = 1 - beta / 2 with beta, the axial velocity of that
flow over the mean of the header (Bassiouny and Martin 1984, Chem. Eng. Sci. 39, 693 and 701: their 2 - beta
stands before V dV). r = 1: it leaves or joins square to the header; r = 1/2: Bernoulli. One r holds for both
headers. With the outlet at the inlet's end (U) both pressures
rise alike away from it, and friction alone favours the near channels; with it at the other end (Z) they part,
and the far channels get more. Ports in the middle of both headers (central) feed two halves, each a U.

Between neighbours K8 ties three header flows W together, so that Newton's method has a tridiagonal matrix::

    dp(q_i+1) - dp(q_i) = (P_in - P_out)(i+1) - (P_in - P_out)(i),    q_i = W_i - W_i+1
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numba import njit

from solvers.coldplate.system import Array
from solvers.coolant.friction import darcy_f_re, f_re
from solvers.errors import ConvergenceError
from solvers.linear.kernels import options

Arrangement = Literal["ideal", "U", "Z", "central"]
_ROUNDS = 60
_AGREE = 1e-6  # relative change of a flow that ends it; the next were some 1e-9
_KEPT = 0.2  # of a channel's flow, at least, in a step
_STILL = 1e-9  # of the mean flow; a channel below it would run backwards
_NUDGE = 1e-3  # relative step of slopes


class Manifold(NamedTuple):
    """Two headers across the ends of the channels.

    Attributes
    ----------
    arrangement : str
        ``ideal``: all channels alike; ``U``: outlet at the inlet's end; ``Z``: at the other; ``central``:
        both in the middle.
    width, height : float    Of each header's cross-section. [m]
    pitch : float    Distance of two channels. [m]
    recovery : float    r of K8; 1: leaving flow takes no momentum along the header, 1/2: Bernoulli. [-]
    """

    arrangement: Arrangement
    width: float
    height: float
    pitch: float
    recovery: float = 1.0


Drop = Callable[[Array], Array]


def split(
    manifold: Manifold,
    total: float,
    count: int,
    density: float,
    viscosity: float,
    drop: Drop,
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

    Source : momentum balance as in Bajura and Jones 1976, J. Fluids Eng. 98, 654; Bassiouny and Martin 1984.
    Check  : tests/unit/solvers/coldplate/test_manifold.py
    """
    q = np.full(count, total / count)
    if manifold.arrangement == "ideal" or count == 1:
        return q, float(np.mean(drop(q)))
    if start is not None:
        q = start * (total / start.sum())
    headers = _Headers(manifold, density, viscosity)
    if manifold.arrangement == "central":
        return _halves(headers, q, drop)
    return _ladder(headers, q, drop)


class _Headers:
    """Momentum and friction of flows in headers."""

    def __init__(self, manifold: Manifold, density: float, viscosity: float) -> None:
        self.manifold, self.density, self.viscosity = manifold, density, viscosity
        self.crossing = manifold.arrangement == "Z"
        self.area = manifold.width * manifold.height
        self.diameter = 2.0 * self.area / (manifold.width + manifold.height)
        sides = manifold.width / manifold.height
        self.laminar = 4.0 * float(f_re(min(sides, 1.0 / sides)))

    def head(self, flow: Array) -> Array:
        """Return r rho V^2. [Pa]."""
        return self.manifold.recovery * flow**2 / (self.density * self.area**2)

    def loss(self, flow: Array) -> tuple[Array, Array]:
        """Return the friction over one pitch, and its slope. [Pa, Pa s/kg]."""
        out, slope = np.empty(flow.size), np.empty(flow.size)
        per_flow = self.diameter / (self.area * self.viscosity)  # Re over the flow
        scale = self.manifold.pitch * self.viscosity / (2.0 * self.density * self.diameter**2 * self.area)
        header_loss(flow, per_flow, self.laminar, scale, out, slope)
        return out, slope

    def steps(self, W: Array) -> tuple[Array, Array, Array, Array]:
        """Return what P_in - P_out gains from each channel to the next. [Pa].

        And how that changes with the header flow before, at and behind. [Pa s/kg]
        """
        loss, slope = self.loss(W[1:-1])
        if not self.crossing:
            zero = np.zeros(loss.size)
            return -2.0 * loss, zero, -2.0 * slope, zero
        head, other = self.head(W), self.head(W[0] - W)
        joined, falling = self.loss(W[0] - W[1:-1])
        gain = 0.5 * (head[:-2] - head[2:] + other[2:] - other[:-2]) - loss + joined
        both = np.full(loss.size, float(self.head(W[:1])[0]) / W[0])  # W and W0 - W together
        return gain, both, -slope - falling, -both

    def first(self, W: Array) -> float:
        """Return P_in - P_out at the first channel, less that of inlet and outlet. [Pa]."""
        if not self.crossing:
            return 0.0
        head = self.head(np.array([W[0], W[1], W[0] - W[1]]))
        return float(0.5 * (head[2] - head[1] - head[0]) - np.sum(self.loss(W[0] - W[1:-1])[0]))


def _ladder(headers: _Headers, q: Array, drop: Drop) -> tuple[Array, float]:
    """Split a flow that comes in at the first channel; the guess q holds the total."""
    if q.size == 1:
        return q, float(drop(q)[0])
    W = np.append(np.cumsum(q[::-1])[::-1], 0.0)
    history: list[float] = []
    for _ in range(_ROUNDS):
        if not float(q.min()) > _STILL * W[0] / q.size:
            break
        dp = drop(q)
        slope = (drop(q * (1.0 + _NUDGE)) - dp) / (_NUDGE * q)
        gain, before, at, behind = headers.steps(W)
        change = gain - dp[1:] + dp[:-1]
        failed = solve_tridiagonal(
            -slope[:-1] - before, slope[1:] + slope[:-1] - at, -slope[1:] - behind, change
        )
        if failed or not np.all(np.isfinite(change)):
            break
        moved = -np.diff(np.concatenate([[0.0], change, [0.0]]))
        share = min(1.0, 1.0 / max(float(np.max(-moved / q)) / (1.0 - _KEPT), 1e-300))
        W[1:-1] += share * change
        q = W[:-1] - W[1:]
        history.append(float(np.max(np.abs(moved))) * q.size / W[0])
        if history[-1] < _AGREE:
            return q, float(drop(q)[0]) - headers.first(W)
    manifold = headers.manifold
    raise ConvergenceError(
        f"the flow does not settle among {q.size} channels between headers of {manifold.width * 1e3:g} x "
        f"{manifold.height * 1e3:g} mm: a channel would run backwards or swing. Widen the headers.",
        history,
    )


def _halves(headers: _Headers, q: Array, drop: Drop) -> tuple[Array, float]:
    """Split a flow that comes in and leaves between two halves, by the secant of their shares."""
    total, half = float(q.sum()), q.size // 2
    share = float(q[:half].sum()) / total
    last: tuple[float, float] | None = None
    history: list[float] = []

    def side(part: Array, amount: float, left: bool) -> tuple[Array, float]:
        """Solve one half; the left one is seen from the middle, reversed."""
        around = slice(None, None, -1) if left else slice(None)

        def of_half(flow: Array) -> Array:
            whole = q.copy()
            at = whole[:half] if left else whole[half:]
            at[:] = flow[around]
            dp = drop(whole)
            return (dp[:half] if left else dp[half:])[around]

        found, pressure = _ladder(headers, part[around] * (amount / part.sum()), of_half)
        return found[around], pressure

    for _ in range(_ROUNDS):
        left, low = side(q[:half], share * total, left=True)
        right, high = side(q[half:], (1.0 - share) * total, left=False)
        q = np.concatenate([left, right])
        miss = (low - high) / (low + high)
        history.append(abs(miss))
        if abs(miss) < _AGREE:
            return q, 0.5 * (low + high)
        slope = 1.0 / share if last is None else (miss - last[1]) / (share - last[0])
        last = share, miss
        share = min(max(share - miss / slope, 0.5 * share), 0.5 * (1.0 + share))
    raise ConvergenceError("the flow does not settle between the two halves of the channels.", history)


@njit(**options)
def header_loss(flow, per_flow, laminar, scale, out, slope):
    """Friction over one pitch of a header: scale (f Re) flow, Re = per_flow flow.

    Checked in tests/unit/solvers/coldplate/test_manifold.py.

    Parameters
    ----------
    flow : float64[n]    Not below 0. [kg/s]
    per_flow : float    Reynolds number over flow. [s/kg]
    laminar : float    Darcy f Re of the laminar header. [-]
    scale : float    Pressure over f Re times flow. [Pa s/kg]
    out, slope : float64[n]    Overwritten: loss, and its derivative by a difference. [Pa, Pa s/kg]
    """
    for i in range(flow.size):
        Re = max(per_flow * flow[i], 1e-6)
        nudged = Re * (1.0 + 1e-3)
        here = scale * darcy_f_re(Re, 0.0, laminar) * Re / per_flow
        there = scale * darcy_f_re(nudged, 0.0, laminar) * nudged / per_flow
        out[i] = here
        slope[i] = (there - here) * per_flow / (nudged - Re)


@njit(**options)
def solve_tridiagonal(lower, diagonal, upper, x):
    """Overwrite x by the solution of a tridiagonal system with this right-hand side, without pivoting.

    Checked in tests/unit/solvers/coldplate/test_manifold.py.

    Parameters
    ----------
    lower, diagonal, upper : float64[n]
        Row i holds lower[i], diagonal[i], upper[i]; lower[0] and upper[n - 1] do not count. Overwritten.
    x : float64[n]    Right-hand side; overwritten.

    Returns
    -------
    bool    Whether a pivot is 0 or NaN.
    """
    n = x.size
    for i in range(n):
        if i > 0:
            factor = lower[i] / diagonal[i - 1]
            diagonal[i] -= factor * upper[i - 1]
            x[i] -= factor * x[i - 1]
        if not abs(diagonal[i]) > 0.0:
            return True
    x[n - 1] /= diagonal[n - 1]
    for back in range(n - 1):
        i = n - 2 - back
        x[i] = (x[i] - upper[i] * x[i + 1]) / diagonal[i]
    return False
