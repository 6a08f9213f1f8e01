"""Steady and transient solutions of a system of planes: GMRES with the factorised planes before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from solvers.coldplate import planes
from solvers.coldplate.system import Array, Balance, System, check_outlet, coolant_heat
from solvers.errors import CaseError, ConvergenceError

_BASIS = 30  # vectors until GMRES starts anew
_ITERATIONS = 400
_SINGLE = 200_000  # cells from which factors are kept in single precision: half the memory to read
GAMMA = 1.0 - np.sqrt(0.5)
"""Of the two-stage scheme of second order, L-stable (Alexander 1977)."""


class Solver:
    """A system, with or without storage, and its factorised planes.

    Parameters
    ----------
    system : System
    step : float, optional    Adds capacity / step to the diagonal. [s]
    like : Solver, optional
        Of a system that differs little: its factors are taken, so that none are computed anew. They only
        precondition; the solution is that of this system.

    Attributes
    ----------
    system : System
    iterations : int    Of the last solve.

    Raises
    ------
    CaseError : the heat cannot leave, or a plane cannot be factorised: a conductance is negative or NaN.
    """

    def __init__(self, system: System, step: float | None = None, like: Solver | None = None) -> None:
        if step is None:
            check_outlet(system)
        self.iterations = 0
        self.system = system
        self._shape = system.diagonal.shape
        self._diagonal = system.diagonal if step is None else system.diagonal + system.capacity / step
        if like is not None and like._shape == self._shape:
            self._before, self._after = like._before, like._after
            self._factors, self._inverse, self._work = like._factors, like._inverse, like._work
        else:
            self._factorise()

    def _factorise(self) -> None:
        s = self.system
        ny, nx, nz = self._shape
        flat = ny, nx * nz
        self._before, self._after = s.before.reshape(flat), s.after.reshape(flat)
        kind = np.float32 if ny * nx * nz > _SINGLE else np.float64
        self._factors = np.empty((*flat, nz), dtype=kind)
        self._inverse = np.empty(flat)
        self._work = np.empty(nx * nz)
        failed = planes.factorise(
            s.across, s.up, s.skip, self._diagonal.reshape(flat), self._before, self._after,
            np.empty((nx * nz, nz)), self._work, self._factors, self._inverse,
        )  # fmt: skip
        if failed >= 0:
            raise CaseError(
                f"plane {failed} of the cells cannot be factorised: is a conductance negative or NaN?"
            )

    def apply(self, theta: Array) -> Array:
        """Return A theta.

        Parameters
        ----------
        theta : float64[ny, nx, nz]    [K]

        Returns
        -------
        float64[ny, nx, nz]    [W]
        """
        s, out = self.system, np.empty(self._shape)
        planes.multiply(s.across, s.up, s.skip, self._diagonal, s.before, s.after, theta, out)
        return out

    def _approximate(self, r: Array) -> Array:
        out = np.empty(self._inverse.shape)
        planes.precondition(
            self._factors, self._inverse, self._before, self._after, r.reshape(out.shape), self._work, out
        )
        return out.reshape(-1)

    def solve(
        self, b: Array, start: Array | None = None, tolerance: float = 1e-9, floor: float = 0.0
    ) -> Array:
        """Solve A theta = b by GMRES, preconditioned on the right.

        Parameters
        ----------
        b : float64[ny, nx, nz]    [W]
        start : float64[ny, nx, nz], optional    First guess. [K]
        tolerance : float    |b - A theta| / |b| to reach, Euclidean. [-]
        floor : float    Or |b - A theta|, where that is larger. [W]

        Returns
        -------
        float64[ny, nx, nz]    [K]

        Raises
        ------
        ConvergenceError : it has not converged; the history holds |b - A theta| / |b|.
        """
        x = np.zeros(self._shape) if start is None else start.copy()
        norm = float(np.linalg.norm(b))
        target = max(tolerance * norm, floor)
        self.iterations = 0
        history: list[float] = []
        while True:
            r = (b - self.apply(x) if start is not None or history else b).reshape(-1)
            left = float(np.linalg.norm(r))
            if left <= target:
                return x
            if not np.isfinite(left) or self.iterations >= _ITERATIONS:
                break
            history.append(left / norm)
            x += self._cycle(r, left, 0.5 * target, history, norm).reshape(self._shape)
        raise ConvergenceError(
            f"the heat balance of {x.size} cells stopped at |b - A T| / |b| = {left / norm:.2g} after "
            f"{self.iterations} iterations; {tolerance:.2g} was asked. Is a conductance or flow NaN?",
            history,
        )

    def _cycle(self, r: Array, left: float, target: float, history: list[float], norm: float) -> Array:
        """One cycle of GMRES; the correction of the solution."""
        basis = np.empty((_BASIS + 1, r.size))
        basis[0] = r / left
        triangle = np.zeros((_BASIS + 1, _BASIS))
        turned = np.zeros(_BASIS + 1)
        turned[0] = left
        turns: list[tuple[float, float]] = []
        count = 0
        while count < _BASIS and abs(turned[count]) > target:
            k = count
            w = self.apply(self._approximate(basis[k]).reshape(self._shape)).reshape(-1)
            h = basis[: k + 1] @ w
            w -= h @ basis[: k + 1]
            again = basis[: k + 1] @ w
            w -= again @ basis[: k + 1]
            column = np.append(h + again, np.linalg.norm(w))
            basis[k + 1] = w / column[-1] if column[-1] > 0.0 else 0.0
            for at, (c, s) in enumerate(turns):
                column[at], column[at + 1] = (
                    c * column[at] + s * column[at + 1],
                    c * column[at + 1] - s * column[at],
                )
            length = float(np.hypot(column[k], column[k + 1]))
            c, s = (column[k] / length, column[k + 1] / length) if length > 0.0 else (1.0, 0.0)
            turns.append((c, s))
            column[k], column[k + 1] = length, 0.0
            triangle[: k + 2, k] = column
            turned[k], turned[k + 1] = c * turned[k], -s * turned[k]
            count += 1
            self.iterations += 1
            history.append(abs(turned[count]) / norm)
            if not np.isfinite(turned[count]) or length == 0.0:
                break
        y = np.linalg.solve(triangle[:count, :count], turned[:count])
        return self._approximate(y @ basis[:count])


def steady(system: System, heat: Array, start: Array | None = None, tolerance: float = 1e-9) -> Array:
    """Return the steady excess temperatures.

    Parameters
    ----------
    system : System
    heat : float64[ny, nx, nz]    Released in the cells. [W]
    start : float64[ny, nx, nz], optional    First guess. [K]
    tolerance : float    Of `Solver.solve`. [-]

    Returns
    -------
    float64[ny, nx, nz]    [K]

    Raises
    ------
    CaseError, ConvergenceError : see `Solver`.
    """
    return Solver(system).solve(heat + system.held, start, tolerance)


class Moment(NamedTuple):
    """State at the end of a step.

    Attributes
    ----------
    number : int    Of the step, from 1.
    time : float    [s]
    theta : float64[ny, nx, nz]    Excess of the cells; valid until the next step. [K]
    account : Balance    Of all steps so far. [J]
    """

    number: int
    time: float
    theta: Array
    account: Balance


def march(
    system: System,
    heats: Iterable[Array],
    step: float,
    visit: Callable[[Moment], None],
    start: Array | None = None,
    second_order: bool = False,
    tolerance: float = 1e-8,
) -> Array:
    """Step through time, implicit.

    Parameters
    ----------
    system : System
    heats : iterable of float64[ny, nx, nz]    Released in each step; the same array while it lasts. [W]
    step : float    [s]
    visit : callable    Called with the `Moment` at the end of each step.
    start : float64[ny, nx, nz], optional    Excess at the start; 0 by default. [K]
    second_order : bool    Two stages a step, second order; else backward Euler.
    tolerance : float    |residual| of a step over its |right-hand side|. [-]

    Returns
    -------
    float64[ny, nx, nz]    Excess at the end. [K]

    Raises
    ------
    CaseError, ConvergenceError : see `Solver`.
    """
    share = GAMMA if second_order else 1.0
    solver = Solver(system, share * step)
    inertia = system.capacity / (share * step)
    weights = (1.0 - GAMMA, GAMMA) if second_order else (1.0,)
    theta = np.zeros(system.capacity.shape) if start is None else start.copy()
    past: list[Array] = []
    supplied = coolant = leaked = stored = scale = 0.0
    held = float(system.held.sum())
    last: Array | None = None
    for number, heat in enumerate(heats, 1):
        source = heat + system.held
        if heat is not last:
            past.clear()
            last = heat
        scale = max(scale, float(np.linalg.norm(source)))
        total = float(heat.sum())
        slope, base, new = None, theta, theta
        for stage, weight in enumerate(weights):
            if slope is not None:
                base = theta + (1.0 - GAMMA) * step * slope
            b = inertia * base + source
            guess = _extrapolated(past, theta) if stage == 0 else base
            new = solver.solve(b, guess, tolerance, tolerance * scale)
            slope = (new - base) / (share * step)
            supplied += weight * step * total
            coolant += weight * step * coolant_heat(system, new)
            leaked += weight * step * (float((system.leak * new).sum()) - held)
            stored += weight * step * float((system.capacity * slope).sum())
        past.append(theta)
        del past[:-2]
        theta = new
        visit(Moment(number, number * step, theta, Balance(supplied, coolant, leaked, stored)))
    return theta


def _extrapolated(past: list[Array], theta: Array) -> Array:
    """First guess of a step from the ones before: constant, linear, quadratic."""
    if not past:
        return theta
    if len(past) == 1:
        return 2.0 * theta - past[0]
    return 3.0 * theta - 3.0 * past[-1] + past[-2]


def warm_up() -> None:
    """Compile the kernels, or load them from the cache."""
    one = np.ones((2, 2, 2))
    zero = np.zeros((2, 2, 0))
    rate = np.ones((2, 2))
    system = System(
        np.ones((2, 1, 2)),
        np.ones((2, 2, 1)),
        zero,
        9.0 * one,
        0.0 * one,
        0.0 * one,
        one,
        rate,
        0.0,
        one,
        one,
        300.0,
    )
    Solver(system).solve(one)
    flat = np.ones((2, 4))
    factors, inverse = np.empty((2, 4, 2), dtype=np.float32), np.empty((2, 4))
    planes.factorise(
        system.across, system.up, zero, 9.0 * flat, 0.0 * flat, 0.0 * flat, np.empty((4, 2)), np.empty(4),
        factors, inverse,
    )  # fmt: skip
    planes.precondition(factors, inverse, 0.0 * flat, 0.0 * flat, flat, np.empty(4), np.empty((2, 4)))
