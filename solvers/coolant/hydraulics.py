"""Newton's method on the pressures and flows of a network.

    node     sum of m_flow in - sum out + supply = 0, or what a vessel stores                     (C14)
    branch   p_a - p_b + rho g (z_a - z_b) = dp(m_flow) + inertance dm_flow/dt                    (C15)

The flows are eliminated branch by branch, which leaves a symmetric system for the pressures (Todini and
Pilati 1988). Every loss grows with its flow, so the solution is the least of a convex function, the content,
and a step is shortened where the content would rise. Newton then converges from anywhere: through zero flow,
through reversal, and with check valves that open and close.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from solvers.coolant.components import Case, Vector
from solvers.coolant.factor import analyse, factorise, substitute
from solvers.coolant.terms import losses
from solvers.coolant.vessels import GRAVITY, stored
from solvers.errors import ConvergenceError
from solvers.linear.kernels import options

_ITERATIONS = 80
_SHOWN = 5  # last iterates in an error
_CUTS = 12  # of a step, at most
_BALANCED = 1e-9  # of the largest flow: from there on the content says how far to go
_STEP = 1e-9  # of the largest flow: a step as small as this ends the iteration
_OFF = 1e-6  # of the largest difference of pressure: what a branch may be off then


class Flow(NamedTuple):
    """Pressures and flows.

    Attributes
    ----------
    p : float64[nn]    [Pa]
    m_flow : float64[nb]    Positive from a to b. [kg/s]
    dp : float64[nb]    Lost from a to b, negative in a running pump; without inertia. [Pa]
    mass_relative : float    Largest imbalance of a node over the largest flow. [-]
    iterations : int
    """

    p: Vector
    m_flow: Vector
    dp: Vector
    mass_relative: float
    iterations: int


class Conditions(NamedTuple):
    """What a solve takes as given.

    Attributes
    ----------
    setting : float64[nb]    Speeds of pumps as they turn.
    p : float64[nn]    Of boundary nodes and vessels; elsewhere ignored. [Pa]
    supply : float64[nn]    [kg/s]
    rho, mu : float64[nb]    Of the coolant in the branches. [kg/m3, Pa s]
    rho_vessel : float64[nv]    Of the coolant in the vessels. [kg/m3]
    """

    setting: Vector
    p: Vector
    supply: Vector
    rho: Vector
    mu: Vector
    rho_vessel: Vector


class Start(NamedTuple):
    """Start of a time step; vessels then fill and empty, and flows have inertia.

    Attributes
    ----------
    dt : float    [s]
    m_flow : float64[nb]    [kg/s]
    mass : float64[nv]    Coolant in the vessels. [kg]
    """

    dt: float
    m_flow: Vector
    mass: Vector


class Hydraulics:
    """Solves a network for its flows; ordered once.

    Parameters
    ----------
    case : Case    Checked.
    iterations : int    At most.

    Source : Todini and Pilati 1988 (global gradient method); Birkhoff and Diaz 1956 (content).
    Check  : tests/unit/solvers/coolant/test_hydraulics.py, tests/verification/test_coolant.py
    """

    def __init__(self, case: Case, iterations: int = _ITERATIONS) -> None:
        self._case, self._iterations = case, iterations
        self._a, self._b = case.branches.a, case.branches.b
        self._pattern = analyse(case.fluid.size, np.column_stack([self._a, self._b]))
        self._boundary = ~np.isnan(case.p_fixed)
        self._held = self._boundary.copy()
        self._held[case.vessels.node] = True
        self._drop = case.elevation[self._a] - case.elevation[self._b]
        self._value = np.zeros(self._pattern.column.size)
        self._work = np.zeros(case.fluid.size)

    def solve(self, given: Conditions, guess: Flow | None = None, start: Start | None = None) -> Flow:
        """Flows and pressures of a steady state or at the end of an implicit time step.

        Parameters
        ----------
        given : Conditions
        guess : Flow, optional
        start : Start, optional    A time step.

        Returns
        -------
        Flow

        Raises
        ------
        ConvergenceError    Names the worst node and shows the last iterates.
        """
        case, a, b = self._case, self._a, self._b
        m = np.zeros(a.size) if guess is None else guess.m_flow.astype(np.float64)
        level = float(given.p[self._held].mean()) if guess is None else 0.0
        p = np.full(case.fluid.size, level) if guess is None else guess.p.astype(np.float64)
        held = self._held if start is None else self._boundary
        p[held] = given.p[held]
        lift = given.rho * GRAVITY * self._drop
        inertia = np.zeros(a.size) if start is None else case.branches.inertance / start.dt
        m_old = m if start is None else start.m_flow
        node = case.vessels.node
        lack, capacity, error = np.empty(p.size), np.zeros(p.size), np.zeros(a.size)
        history: list[tuple[float, float]] = []
        for iteration in range(self._iterations):
            dp, slope = self._losses(given, m)
            error = p[a] - p[b] + lift - dp - inertia * (m - m_old)
            _balance(a, b, m, given.supply, lack)
            if start is not None:
                mass, compliance = stored(case.vessels, p[node], given.rho_vessel)
                lack[node] -= (mass - start.mass) / start.dt
                capacity[node] = compliance / start.dt
            lack[held] = 0.0
            scale = max(float(np.abs(m).max()), 1e-9)
            drop = max(float(np.abs(dp).max()), float(np.ptp(p)), 1.0)
            history.append((float(np.abs(error).max()) / drop, float(np.abs(lack).max()) / scale))
            step = self._step(error, lack, capacity, held, slope + inertia)
            if step is None:
                break
            change = (error + step[a] - step[b]) / (slope + inertia)
            part, moves = 1.0, float(np.abs(change).max()) > _STEP * scale
            if history[-1][1] <= _BALANCED and moves:  # flows that stand say nothing but rounding
                part = self._shorten(given, change, m, p[a] - p[b] + lift - inertia * (m - m_old), inertia)
            m += part * change
            p += part * step
            scale = max(float(np.abs(m).max()), 1e-9)
            if iteration and part * float(np.abs(change).max()) <= _STEP * scale and history[-1][0] <= _OFF:
                dp, _ = self._losses(given, m)
                _balance(a, b, m, given.supply, lack)
                lack[self._held] = 0.0
                return Flow(p, m, dp, float(np.abs(lack).max()) / scale, iteration + 1)
        raise self._failed(history, error, lack)

    def _losses(self, given: Conditions, m: Vector) -> tuple[Vector, Vector]:
        dp, slope = np.empty_like(m), np.empty_like(m)
        losses(self._case.branches, m, given.rho, given.mu, given.setting, dp, slope)
        return dp, slope

    def _step(self, error, lack, capacity, held, slope) -> Vector | None:
        """Change of the pressures, or None where the matrix is singular."""
        pattern, value = self._pattern, self._value
        right, out = lack.copy(), np.empty_like(lack)
        _assemble(
            *(self._a, self._b, slope, error, capacity, held, pattern.diagonal, pattern.off_diagonal, value),
            right,
        )
        if factorise(pattern.start, pattern.column, pattern.middle, value, self._work) >= 0:
            return None
        substitute(
            *(pattern.order, pattern.start, pattern.column, pattern.middle, value, right, self._work, out)
        )
        return out

    def _shorten(self, given: Conditions, change: Vector, m: Vector, drive: Vector, inertia: Vector) -> float:
        """Part of the step at which the content along it is near its least. (C16)."""
        low, high, at, fall = 0.0, 1.0, 1.0, 0.0
        for _ in range(_CUTS):
            if fall == 0.0:
                fall = float(change @ (drive - self._losses(given, m)[0]))
            left = float(change @ (drive - self._losses(given, m + at * change)[0] - inertia * (at * change)))
            if left >= -0.5 * fall and (at == 1.0 or left <= 0.5 * fall):
                break
            low, high = (low, at) if left < 0.0 else (at, high)
            at = 0.5 * (low + high)
        return at

    def _failed(self, history: list[tuple[float, float]], error: Vector, lack: Vector) -> ConvergenceError:
        case = self._case
        branch = int(np.abs(error).argmax())
        if history[-1][0] >= history[-1][1]:
            node = int(self._b[branch])
            what = f"branch {case.branch_names[branch]!r} to it is off by {abs(error[branch]):.3g} Pa"
        else:
            node = int(np.abs(lack).argmax())
            what = f"its flows are off by {abs(lack[node]):.3g} kg/s"
        last = "; ".join(f"{a:.1e} of the pressure, {b:.1e} of the flow" for a, b in history[-_SHOWN:])
        return ConvergenceError(
            f"network: no flows found in {len(history)} iterations; worst node {case.node_names[node]!r}: "
            f"{what}. Last residuals: {last}. Look at the settings there, or start from a solved state",
            [max(pair) for pair in history],
        )


@njit(**options)
def _balance(a, b, m, supply, lack):
    """Set lack to what comes in and does not go out of each node. (C14)."""
    for n in range(lack.size):
        lack[n] = supply[n]
    for i in range(m.size):
        lack[a[i]] -= m[i]
        lack[b[i]] += m[i]


@njit(**options)
def _assemble(a, b, slope, error, capacity, held, diagonal, off_diagonal, value, right):
    """Fill the matrix of the changes of pressure; right holds the lack and gets the branches' part. (C15)."""
    value[:] = 0.0
    for n in range(right.size):
        value[diagonal[n]] = 1.0 if held[n] else capacity[n]
    for i in range(a.size):
        g = 1.0 / slope[i]
        if not held[a[i]]:
            value[diagonal[a[i]]] += g
            value[off_diagonal[i, 0]] -= g
            right[a[i]] -= g * error[i]
        if not held[b[i]]:
            value[diagonal[b[i]]] += g
            value[off_diagonal[i, 1]] -= g
            right[b[i]] += g * error[i]
