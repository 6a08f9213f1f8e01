"""March to a settled flow, then average it.

Room flows fluctuate for ever, so the answer is a mean: over a window that starts once the inlet temperatures of
two adjacent windows agree and that ends when the air holds as much heat as at its start.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import RHO, AirState, SteadyProgress, SteadyResult, UnitInputs
from solvers.airflow.coarsen import coarsen_case
from solvers.airflow.geometry import unpad
from solvers.airflow.model import AirModel, balances, check_state, initial_state, outflow_of, restart
from solvers.airflow.step import Stepper
from solvers.errors import CaseError, ConvergenceError

_log = logging.getLogger(__name__)

_REPORT_EVERY = 20  # steps
_HEAT_SETTLED = 5e-3  # |Q_in - Q_out| / Q_in of a window that counts as settled
_HEAT_CLOSED = 8e-4  # of the averaging window; 1e-3 is promised
_COARSE_PAYS = 0.5  # coarse cells / cells below which a coarse start pays
_LARGEST_STEP = 0.5  # s
_PRESSURE = (1e-4, 3)  # tolerance and iterations while marching
_MASS_CLOSED = 1e-7


class _March:
    """Windows of time on one grid; `history` and the counters run on from one grid to the next."""

    def __init__(self, model: AirModel, inputs: UnitInputs, state: AirState, cfl: float, report) -> None:
        self.model = model
        self.stepper: Stepper = model.stepper
        if self.stepper.load(state, inputs):
            self.stepper.settle_flow()
        self.cfl = cfl
        self.report = report
        self.dt = 0.2
        volume = float(self.stepper.geometry.volume.sum(dtype=np.float64))
        supply = self.stepper.units.V_supply / 2  # half of the units blow what the other half takes
        self.window = float(np.clip(volume / supply, 8.0, 20.0)) if supply > 0 else 20.0
        self.drift = self.closure = np.inf

    def step(self) -> float:
        stepper = self.stepper
        rate = stepper.courant()
        self.dt = min(_LARGEST_STEP, self.cfl / rate if rate > 0 else _LARGEST_STEP, 1.3 * self.dt)
        stepper.step(self.dt, *_PRESSURE)
        self.report(self)
        return self.dt

    def run(self, mean: _Mean, least: float, until: Callable[[_Mean], bool]) -> None:
        """Step and average for at least `least` seconds and until the mean satisfies `until`."""
        while mean.time < least or not until(mean):
            mean.add(self.step())
        self.stepper.check()

    def scale_heat(self, ratio: float) -> None:
        """Stretch the temperatures above the supply so that the coolers take what the racks give."""
        stepper, units = self.stepper, self.stepper.units
        base = units.supply_theta(stepper.theta_unit)
        if base is None:
            return
        fluid = stepper.pressure.fluid
        stepper.theta[fluid] = base + (stepper.theta[fluid] - base) * np.float32(ratio)
        stepper.theta_unit = base + (stepper.theta_unit - base) * ratio
        units.set_source(stepper.theta_unit)


class _Mean:
    """Time means over a window."""

    def __init__(self, stepper: Stepper, fields: bool) -> None:
        self._stepper = stepper
        self.time = 0.0
        count = stepper.units.count
        self.T_in = np.zeros(count)
        self.T_out = np.zeros(count)
        self.low = np.full(count, np.inf)
        self.high = np.full(count, -np.inf)
        self.heat_in = self.heat_out = 0.0
        self.sums = [np.zeros(stepper.size) for _ in range(5)] if fields else []

    def add(self, dt: float) -> None:
        stepper = self._stepper
        theta_in = stepper.units.inlet_theta(stepper.theta)
        Q_in, Q_out = stepper.units.heat(stepper.theta_unit, theta_in)
        self.time += dt
        self.T_in += dt * theta_in
        self.T_out += dt * stepper.theta_unit
        np.minimum(self.low, theta_in, out=self.low)
        np.maximum(self.high, theta_in, out=self.high)
        self.heat_in += dt * Q_in
        self.heat_out += dt * Q_out
        for total, field in zip(self.sums, _fields(stepper), strict=False):
            total += dt * field

    @property
    def inlets(self) -> NDArray[np.float64]:
        return self.T_in / self.time

    @property
    def closure(self) -> float:
        scale = max(abs(self.heat_in), abs(self.heat_out))
        return abs(self.heat_in - self.heat_out) / scale if scale > 1e-6 * self.time else 0.0


def settle(
    model: AirModel,
    inputs: UnitInputs,
    state: AirState | None,
    tolerance: float,
    progress: Callable[[SteadyProgress], None] | None,
    max_time: float,
    cfl: float,
) -> SteadyResult:
    """Work of `solvers.airflow.model.solve_steady`; see there."""
    if not (tolerance > 0 and max_time > 0 and cfl > 0):
        raise CaseError("solve_steady: tolerance, max_time and cfl must be positive.")
    started = time.perf_counter()
    model.stepper.set_inputs(inputs)
    _check_heat_can_leave(model.stepper.units)
    book = _Book(progress)
    if state is None:
        state = initial_state(model, model.stepper.units.start_temperature())
        state = _coarse_start(model, inputs, state, tolerance, max_time, cfl, book)
    else:
        check_state(model, state)
    book.share = (book.reached, 1.0)
    march = _March(model, inputs, state, cfl, book.note)
    mean, converged = _settle_and_average(march, tolerance, max_time)
    result = _closed_mean(model, mean, march.stepper.time)
    book.finish(march)
    closed = balances(model, result, inputs)
    converged = converged and closed.energy_relative < 1e-3
    if not converged:
        _log.warning("the flow did not settle within %g s of simulated time", max_time)
    return SteadyResult(
        state=result,
        T_inlet_swing=mean.high - mean.low,
        balances=closed,
        history=tuple(book.history),
        wall_s=time.perf_counter() - started,
        steps=book.steps,
        converged=converged,
    )


class _Book:
    """History, step count and progress over all grids of one solve."""

    def __init__(self, progress: Callable[[SteadyProgress], None] | None) -> None:
        self.history: list[SteadyProgress] = []
        self.steps = 0
        self.reached = 0.0
        self.share = (0.0, 1.0)
        self.expected = 100.0  # s of simulated time on the grid in work
        self.start = 0.0
        self._progress = progress
        self._old: tuple[NDArray[np.float32], ...] | None = None

    def note(self, march: _March) -> None:
        self.steps += 1
        phase = self.steps % _REPORT_EVERY
        if phase == _REPORT_EVERY - 1:
            self._old = tuple(f.copy() for f in _fields(march.stepper))
        elif phase == 0 and self._old is not None and self._old[0].size == march.stepper.size:
            self._report(march)

    def _report(self, march: _March, done: bool = False) -> None:
        stepper = march.stepper
        residuals = {"mass": stepper.divergence}
        if self._old is not None and self._old[0].size == stepper.size:
            now = _fields(stepper)
            change = sum(float(np.square(a - b).sum()) for a, b in zip(now[:3], self._old[:3], strict=True))
            size = sum(float(np.square(a).sum()) for a in now[:3])
            residuals["velocity"] = (change / max(size, 1e-30)) ** 0.5
            cells = int(stepper.pressure.fluid.sum())
            residuals["temperature"] = (float(np.square(now[4] - self._old[4]).sum()) / cells) ** 0.5
        if not all(np.isfinite(value) for value in residuals.values()):
            raise ConvergenceError(
                f"the air flow diverged at t = {stepper.time:g} s. Lower cfl, and check flows and heat of the units.",
                [entry.residuals["mass"] for entry in self.history],
            )
        low, high = self.share
        part = min(0.97, (stepper.time - self.start) / self.expected)
        self.reached = max(self.reached, 1.0 if done else low + (high - low) * part)
        entry = SteadyProgress(
            self.steps,
            stepper.time,
            march.model.cells,
            residuals,
            float(march.drift),
            float(march.closure),
            self.reached,
        )
        self.history.append(entry)
        if self._progress is not None:
            self._progress(entry)

    def finish(self, march: _March) -> None:
        self._report(march, done=True)


def _fields(stepper: Stepper) -> tuple[NDArray[np.float32], ...]:
    return stepper.u, stepper.v, stepper.w, stepper.p, stepper.theta


def _coarse_start(model: AirModel, inputs, state, tolerance, max_time, cfl, book: _Book) -> AirState:
    """Settle on a grid of half the resolution first, where it is cheap."""
    case = coarsen_case(model.case)
    if case.grid.cells > _COARSE_PAYS * model.cells:
        return state
    coarse = AirModel(case, model.closure, model.T_ref)
    book.share = (0.0, 0.2)
    march = _March(coarse, inputs, restart(coarse, model, state), cfl, book.note)
    _settle(march, 3 * tolerance, max_time)
    book.start = march.stepper.time
    return restart(model, coarse, march.stepper.state())


def _settle(march: _March, tolerance: float, max_time: float) -> bool:
    """March window by window until adjacent means agree; returns False if `max_time` comes first."""
    end = march.stepper.time + max_time
    before: NDArray[np.float64] | None = None
    windows = 0
    while march.stepper.time < end:
        mean = _Mean(march.stepper, fields=False)
        march.run(mean, march.window, lambda _: True)
        march.closure = mean.closure
        if before is not None and before.size:
            march.drift = float(np.abs(mean.inlets - before).max())
        elif before is not None:
            march.drift = 0.0
        if march.drift < tolerance and march.closure < _HEAT_SETTLED:
            return True
        before = mean.inlets
        windows += 1
        if windows <= 4 and mean.heat_out > 0 and 0.005 < mean.closure < 0.5:
            march.scale_heat(mean.heat_in / mean.heat_out)
    return False


def _settle_and_average(march: _March, tolerance: float, max_time: float) -> tuple[_Mean, bool]:
    converged = _settle(march, tolerance, max_time)
    mean = _Mean(march.stepper, fields=True)
    march.run(mean, march.window, lambda m: m.closure < _HEAT_CLOSED or m.time > 10 * march.window)
    march.closure = mean.closure
    return mean, converged and mean.closure < _HEAT_CLOSED


def _closed_mean(model: AirModel, mean: _Mean, at: float) -> AirState:
    """Mean state whose velocity is divergence-free to float64."""
    stepper = model.stepper
    geometry, shape = stepper.geometry, stepper.geometry.shape
    u, v, w, p, theta = (total / mean.time for total in mean.sums)
    state = AirState(
        u=unpad(u, 0, shape).copy(),
        v=unpad(v, 1, shape).copy(),
        w=unpad(w, 2, shape).copy(),
        p=(unpad(p, None, shape) * RHO).astype(np.float32),
        T=(unpad(theta, None, shape) + model.T_ref).astype(np.float32),
        T_unit=mean.T_out / mean.time + model.T_ref,
        time=at,
    )
    supply = stepper.units.V_supply
    stepper.pressure.set_resistance(np.zeros(stepper.pressure.resisting_faces[0].size))
    levels, size = stepper.pressure.levels, stepper.size
    for _ in range(6):
        outflow = outflow_of(model, state)
        if supply == 0 or np.abs(outflow).sum() < _MASS_CLOSED * supply:
            break
        b = np.zeros(size, dtype=np.float32)
        unpad(b, None, shape)[...] = -outflow
        x = stepper.pressure.solve(b, 0.0, 8).astype(np.float64)
        for axis, (field, c) in enumerate(zip(state[:3], (levels.cx, levels.cy, levels.cz), strict=True)):
            stride = (stepper.sx, stepper.sy, 1)[axis]
            change = c[:size] * geometry.inverse_area[axis] * (x - np.roll(x, stride))
            field -= unpad(change, axis, shape)
    return state


def _check_heat_can_leave(units) -> None:
    heat, capacity = units.heat_and_capacity()
    if heat > capacity:
        raise ConvergenceError(
            f"no steady state: the units give {heat:g} W to the air and those in supply mode can take {capacity:g} W. "
            "Raise the cooling capacity, give the coolers a flow, or use advance() for the rise of temperature.",
        )
