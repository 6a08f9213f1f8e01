"""The temperature's step: implicit transport, and the heat that its sweeps miss put right. (E8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import CP, RHO, Closure
from solvers.airflow.kernels import add_weighted, heat_defect
from solvers.airflow.openings import Openings
from solvers.errors import ConvergenceError
from solvers.linear.multigrid import Pressure

if TYPE_CHECKING:
    from solvers.airflow.step import Stepper

_MISSED = 0.1  # share of the heat changing hands that the sweeps may miss; 0.02 at Courant number 12
_MORE_SWEEPS = 20  # times the usual sweeps before a step is given up
_ROUNDING = 1e-6  # of the heat handled, in single precision


class HeatStep:
    """Moves the temperature on and keeps account of the heat, region by region.

    The sweeps stop short of the exact solution. What they miss goes back in proportion to |increment|, so
    that each region gains what units and walls give to it and what comes in through its openings. (E8)

    Parameters
    ----------
    closure : Closure
    pressure : Pressure    For its regions.
    openings : Openings
    increment : float32[padded]    Work array.

    Attributes
    ----------
    missed, weight : float64[regions]    Of the last step: heat / (rho cp) missed, sum |d| volume. [K m3]
    corrected : float    Size of all the heat / (rho cp) that was put right since the count began. [K m3]
    """

    def __init__(
        self, closure: Closure, pressure: Pressure, openings: Openings, increment: NDArray[np.float32]
    ) -> None:
        self._diffusivity = closure.nu / closure.Pr - closure.nu / closure.Pr_t, 1 / closure.Pr_t
        self.increment = increment
        self._fluid = pressure.fluid
        of = np.asarray(pressure.region)
        self._main = int(np.argmax(pressure.region_cells))
        self._cell = np.flatnonzero(pressure.fluid & (of != self._main)).astype(np.int32)
        self._region = of[self._cell].astype(np.int32)
        self._openings = openings
        self._region_of_opening = of[openings.inside]
        self._carried = np.zeros(openings.face.size)
        self._sums = np.zeros((pressure.regions, 2))
        self.corrected = 0.0

    @property
    def missed(self) -> NDArray[np.float64]:
        """Heat / (rho cp) that the sweeps of the last step missed, region by region. [K m3]."""
        return self._sums[:, 0]

    @property
    def weight(self) -> NDArray[np.float64]:
        """Heat / (rho cp) that changed hands in the last step, region by region. [K m3]."""
        return self._sums[:, 1]

    def count_anew(self) -> None:
        """Forget the steps before, those of a failed solve too."""
        self.corrected = 0.0
        self._sums[:] = 0

    def step(self, stepper: Stepper, dt: float, sweeps: int) -> None:
        """Advance the temperature of a stepper by dt; without sweeps explicitly.

        Sweeps on where the sweeps missed more than `_MISSED` of the heat that changed hands.

        Raises
        ------
        ConvergenceError : more sweeps do not help; the heat operator is not conservative.
        """
        self.relax(stepper, dt, sweeps)
        for _ in range(_MORE_SWEEPS):
            missed = np.abs(self.missed)
            astray = missed > _MISSED * self.weight
            if not astray.any() or not (missed > self._noise(stepper, dt))[astray].any():
                break
            self.relax(stepper, dt, sweeps, onward=True)
        else:
            watts = RHO * CP / dt * float(np.abs(self.missed).max())
            raise ConvergenceError(
                f"the heat of the air does not close at t = {stepper.time:g} s (step {dt:g} s): the "
                f"transport misses {watts:.3g} W. Lower the Courant number or the largest step.",
                [watts],
            )
        missed, weight = self.missed, self.weight
        self.corrected += float(np.abs(missed).sum())
        if self._openings.face.size:
            self._openings.count(self._carried, stepper.flow, stepper.units.theta_ambient)
        share = np.clip(np.divide(missed, weight, out=np.zeros_like(missed), where=weight > 0), -0.5, 0.5)
        add_weighted(
            self.increment, share.astype(np.float32), self._cell, self._region, self._main, stepper.theta
        )

    def relax(self, stepper: Stepper, dt: float, sweeps: int, onward: bool = False) -> None:
        """Solve for the increment and sum up what it misses; the temperature stays as it is."""
        units, theta = stepper.units, stepper.theta
        implicit = 1.0 if sweeps else 0.0
        stepper.relax_scalar(
            theta, units.source, units.sink, *self._diffusivity, dt, sweeps, implicit, onward, self.increment
        )
        heat_defect(
            theta,
            units.source,
            units.sink,
            stepper.geometry.volume,
            self.increment,
            dt,
            self._cell,
            self._region,
            self._main,
            stepper.sx,
            self._sums,
        )
        if self._openings.face.size:
            self._carried = self._openings.carry(
                theta,
                self.increment if implicit else np.zeros_like(theta),
                stepper.flow,
                stepper.nu_eff,
                stepper.closure,
                stepper.central,
            )
            of = self._region_of_opening
            self.missed[:] -= dt * np.bincount(of, weights=self._carried, minlength=self.missed.size)

    def _noise(self, stepper: Stepper, dt: float) -> NDArray[np.float64]:
        """Heat / (rho cp) that single precision cannot tell from none, region by region. [K m3]."""
        units, fluid = stepper.units, self._fluid
        theta = np.abs(stepper.theta[fluid].astype(np.float64))
        handled = (stepper.geometry.volume[fluid] + dt * units.sink[fluid]) * theta
        handled += dt * np.abs(units.source[fluid])
        region = stepper.pressure.region[fluid]
        total = np.bincount(region, weights=handled, minlength=self._sums.shape[0])
        return np.asarray(_ROUNDING * total, dtype=np.float64)
