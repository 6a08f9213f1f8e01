"""One TR-BDF2 step of the temperatures in a frozen flow.

With d = 1 - 1/sqrt(2), w = sqrt(2)/4 and f(y) = (s - K y) / m, from y over dt (Hosea and Shampine 1996)::

    y1 = y + dt (d f(y) + d f(y1))                     trapezoid to 2 d dt
    y2 = y + dt (w f(y) + w f(y1) + d f(y2))           the answer; both solve with (m + d dt K)

Unknowns without mass, the outlets of light units, obey K y = s in both.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import UnitInputs
from solvers.airflow.heat_operator import HeatOperator
from solvers.errors import ConvergenceError
from solvers.linear.krylov import SparseSolver

_D = 1 - math.sqrt(0.5)
_W = math.sqrt(2) / 4
_EXACT, _FLOOR = 1e-4, 1e-5  # residual of a stage, relative and as temperature [K]; keeps heat to 1e-6
_SWITCHES = 20  # of the units' modes in one step

Floats = NDArray[np.float64]


class FrozenMarch:
    """Temperatures on their way; the flow and the inputs stay.

    Parameters
    ----------
    operator : HeatOperator
    inputs : UnitInputs
    y : float64[n]    Where to start. [K]

    Attributes
    ----------
    y : float64[n]    Where it stands; set it to go on from a step. [K]
    """

    def __init__(self, operator: HeatOperator, inputs: UnitInputs, y: Floats) -> None:
        self._operator = operator
        self._inputs = inputs
        theta_in = operator.inlet_theta(y, inputs)
        self._modes = operator.modes(inputs, theta_in)
        self._set_system()
        light = operator.moving & ~(inputs.C > 0)
        outlets = np.where(light, self._modes.passes * theta_in + self._modes.gives, y[operator.unit])
        self.y = np.concatenate([y[: operator.unit[0]], outlets]) if operator.units else y.copy()

    def step(self, dt: float) -> tuple[Floats, float]:
        """Return the unknowns after dt, and their error. [K].

        Raises
        ------
        ConvergenceError : the temperatures are not finite, or a linear system has no answer.
        """
        tried = [self._modes.kind]
        while True:
            fresh, error = self._solve(dt)
            if not np.isfinite(fresh).all():
                raise ConvergenceError(f"the temperatures of the frozen flow diverged in a step of {dt:g} s.")
            modes = self._operator.modes(self._inputs, self._operator.inlet_theta(fresh, self._inputs))
            if any(np.array_equal(modes.kind, kind) for kind in tried) or len(tried) > _SWITCHES:
                return fresh, error
            # a cooler reaches or leaves its capacity: do the step again with what holds at its end
            tried.append(modes.kind)
            self._modes = modes
            self._set_system()

    def _set_system(self) -> None:
        self._system = self._operator.system(self._inputs, self._modes)
        self._mass_norm = math.sqrt(float(np.square(self._system.mass).sum()))
        self._plain = self._operator.matrix(self._system.value)
        self._factored: tuple[float, SparseSolver] | None = None

    def _solver(self, c: float) -> SparseSolver:
        """Factors of K + m / c; kept while the step stays."""
        if self._factored is None or self._factored[0] != c:
            self._factored = c, self._operator.solver(self._system, c)
        return self._factored[1]

    def _solve(self, dt: float) -> tuple[Floats, float]:
        system, mass = self._system, self._system.mass
        c = _D * dt
        solver = self._solver(c)
        stores = mass > 0
        floor = _FLOOR * self._mass_norm / c

        def rate(y: Floats) -> Floats:
            return system.source - self._plain @ y

        def solve(right: Floats) -> Floats:
            return solver.solve(right, _EXACT, floor)

        r0 = rate(self.y)
        middle = self.y + solve(np.where(stores, 2.0, 1.0) * r0)
        r1 = rate(middle)
        gained = mass / c * (self.y - middle) + _W / _D * (r0 + r1)
        fresh = middle + solve(np.where(stores, gained, 0.0) + r1)
        r2 = rate(fresh)
        # what a third-order formula would do otherwise, with its stiff parts damped like the step itself
        third = (_W - (1 - _W) / 3) * r0 + (_W - (3 * _W + 1) / 3) * r1 + (_D - _D / 3) * r2
        return fresh, self._size(solver.approximate(np.where(stores, third / _D, 0.0)))

    def _size(self, error: Floats) -> float:
        """Largest of the inlets' errors and of the volume-weighted rms over the air. [K]."""
        op = self._operator
        volume, air = op.capacity[: op.cells], error[: op.cells]
        rms = math.sqrt(float((volume * air**2).sum() / volume.sum()))
        at = op.inlet
        inlets = np.bincount(at.unit, weights=error[at.cell] * at.share, minlength=op.units)
        return max(rms, float(np.abs(inlets).max(initial=0.0)))
