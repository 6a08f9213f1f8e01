"""March to a settled flow, then average it.

Room flows fluctuate for ever, so the answer is a mean. After a start on a grid of half the resolution, the
fine grid marches in windows of about one change of air. The windows are averaged once the flow is settled,
which is when the inlet temperatures of three adjacent windows agree within the tolerance, or when enough
windows show scatter and no trend. The last window is drawn out until the air holds as much heat as at the
start of the averaging, so that heat closes without storage. On the way there, on both grids, the temperatures
above the supply are stretched to that closure; an averaging that follows a stretch starts anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import RHO, AirState, Balances, SteadyProgress, SteadyResult, UnitInputs
from solvers.airflow.coarsen import coarsen_case
from solvers.airflow.geometry import unpad
from solvers.airflow.model import AirModel, balances, check_state, initial_state, outflow_of, restart
from solvers.airflow.sampling_error import standard_error
from solvers.airflow.step import Stepper
from solvers.errors import CaseError, ConvergenceError
from solvers.linear.kernels import add_scaled

_log = logging.getLogger(__name__)

_REPORT_EVERY = 20  # steps
_HEAT_SETTLED = 5e-3  # |Q_in - Q_out| / Q_in of a window that counts as settled
_HEAT_NEAR = 3e-2  # of a window that is good enough to go on from
_HEAT_CLOSED = 8e-4  # of the averaging window; 1e-3 is promised
_HEAT_KEPT = 1e-2  # heat moved by the correction of E8 / Q_in
_COARSE_PAYS = 0.5  # coarse cells / cells below which a coarse start pays
_COARSE_WINDOWS = 10  # at most, on the coarse grid
_QUIET_WINDOWS = 2  # in a row that agree with the one before; a single one may be a lull
_SCATTER_WINDOWS = 6  # that fluctuate without a trend are enough
_ATTEMPTS = 3  # more to close the heat of the mean
_LARGEST_STEP = 0.5  # s
_PRESSURE = (1e-4, 3)  # tolerance and iterations while marching
_DIVERGENCE = 1e-11  # 1/s, of the mean
_PROJECTIONS = 12


class _March:
    """Windows of time on one grid; `history` and the counters run on from one grid to the next."""

    def __init__(self, model: AirModel, inputs: UnitInputs, state: AirState, cfl: float, report) -> None:
        self.model = model
        self.stepper: Stepper = model.stepper
        if self.stepper.load(state, inputs):
            self.stepper.settle_flow()
        self.stepper.walls.balanced = True
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

    def run(self, mean: _Mean, duration: float) -> None:
        """Step and average for at least `duration`."""
        while mean.time < duration:
            mean.add(self.step())
        self.stepper.check()

    def note_window(self, mean: _Mean, before: NDArray[np.float64] | None) -> None:
        """Compare a window with the one before."""
        self.closure = mean.closure
        if before is not None:
            self.drift = float(np.abs(mean.inlets - before).max(initial=0.0))

    def scale_heat(self, ratio: float) -> None:
        """Stretch the temperatures above the supply so that the coolers take what the racks give."""
        stepper, units = self.stepper, self.stepper.units
        base = units.supply_theta(stepper.theta_unit)
        if base is None or stepper.walls.conducts:
            return
        fluid = stepper.pressure.fluid
        stepper.theta[fluid] = base + (stepper.theta[fluid] - base) * np.float32(ratio)
        stepper.theta_unit = base + (stepper.theta_unit - base) * ratio
        units.set_source(stepper.theta_unit)


class _Mean:
    """Time means over a window."""

    def __init__(self, stepper: Stepper, fields: bool) -> None:
        self._stepper = stepper
        self.units = stepper.units
        self.time = 0.0
        count = stepper.units.count
        self.T_in = np.zeros(count)
        self.T_out = np.zeros(count)
        self.low = np.full(count, np.inf)
        self.high = np.full(count, -np.inf)
        self.heat_in = self.heat_out = self.corrected = 0.0
        self.error = np.zeros(count)
        self.record: list[tuple[float, NDArray[np.float64]]] = []  # dt and inlets of every step
        self.parts: list[list[NDArray[np.float32]]] = []
        self.sums = [np.zeros(stepper.size, dtype=np.float32) for _ in range(5)] if fields else []

    def add(self, dt: float) -> None:
        stepper = self._stepper
        theta_in = stepper.units.inlet_theta(stepper.theta)
        Q_in, Q_out = stepper.heat_exchanged(theta_in)
        self.time += dt
        self.corrected += dt * stepper.heat_corrected
        stepper.count_heat_anew()
        self.record.append((dt, theta_in))
        self.T_in += dt * theta_in
        self.T_out += dt * stepper.theta_unit
        np.minimum(self.low, theta_in, out=self.low)
        np.maximum(self.high, theta_in, out=self.high)
        self.heat_in += dt * Q_in
        self.heat_out += dt * Q_out
        for total, field in zip(self.sums, _fields(stepper), strict=False):
            add_scaled(field, dt, total)

    @property
    def inlets(self) -> NDArray[np.float64]:
        return self.T_in / self.time

    @property
    def closure(self) -> float:
        return _closure([self])


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
    inputs = inputs._replace(
        C=np.zeros_like(np.asarray(inputs.C, dtype=np.float64))
    )  # a mean does not feel a lag
    units = model.stepper.units
    model.stepper.set_inputs(inputs)
    _check_heat_can_leave(model.stepper)
    book = _Book(progress)
    cold = state is None
    if state is None:
        state = initial_state(model, units.start_temperature())
        state = _coarse_start(model, inputs, state, tolerance, max_time, cfl, book)
    else:
        check_state(model, state)
    march = _March(model, inputs, state, cfl, book.note)
    start = march.stepper.time
    refined = book.steps > 0
    book.begin(march, book.reached, 1.0, (2 if refined or not cold else 6) + _SCATTER_WINDOWS)
    spin_up = (2 if refined or not cold else _COARSE_WINDOWS) * march.window
    _approach(march, tolerance, min(spin_up, max_time / 2), least=1)
    mean, settled = _average(march, tolerance, start + max_time)
    result = _closed_mean(model, mean, march.stepper.time)
    book.finish(march)
    closed = _balances(model, result, inputs, mean)
    kept = closed.heat_corrected <= max(_HEAT_KEPT * max(closed.Q_in, closed.Q_out), units.heat_resolved)
    converged = settled and closed.energy_relative < 1e-3 and kept
    if not converged:
        _log.warning(
            "the mean flow is not settled after %g s: inlets drift by %.2g K, heat closes to %.2g, "
            "%.3g W of it by correction",
            march.stepper.time - start,
            march.drift,
            closed.energy_relative,
            closed.heat_corrected,
        )
    return SteadyResult(
        state=result,
        T_inlet_swing=mean.high - mean.low,
        T_inlet_error=mean.error,
        averaged_s=mean.time,
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

    def begin(self, march: _March, low: float, high: float, windows: int) -> None:
        """Start the count on a grid that takes about so many windows."""
        self.share = (low, high)
        self.start = march.stepper.time
        self.expected = windows * march.window

    def note(self, march: _March) -> None:
        """Count a step; report now and then."""
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
                f"the air flow diverged at t = {stepper.time:g} s. Lower cfl; check flows and heat of units.",
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
    coarse = AirModel(case, model.closure, model.T_ref, model.numerics)
    march = _March(coarse, inputs, restart(coarse, model, state), cfl, book.note)
    book.begin(march, 0.0, 0.2, _COARSE_WINDOWS)
    _approach(march, 5 * tolerance, min(max_time, _COARSE_WINDOWS * march.window), least=4)
    return restart(model, coarse, march.stepper.state())


def _approach(march: _March, tolerance: float, duration: float, least: int) -> None:
    """March window by window, the heat scaled to closure, until adjacent means agree or the time is over."""
    end = march.stepper.time + duration
    before: NDArray[np.float64] | None = None
    windows = 0
    while march.stepper.time < end:
        mean = _Mean(march.stepper, fields=False)
        march.run(mean, march.window)
        march.note_window(mean, before)
        windows += 1
        if windows >= least and march.drift < tolerance and march.closure < _HEAT_NEAR:
            return
        before = mean.inlets
        if mean.heat_out > 0 and mean.heat_in > 0 and 0.5 < mean.heat_in / mean.heat_out < 2:
            march.scale_heat(mean.heat_in / mean.heat_out)


def _average(march: _March, tolerance: float, end: float) -> tuple[_Mean, bool]:
    """Average a settled flow; the mean, and whether it is settled and closes in heat."""
    windows, settled = _settled_windows(march, tolerance, end)
    closed = _draw_out(march, windows)
    for _ in range(_ATTEMPTS):
        heat_in, heat_out = sum(w.heat_in for w in windows), sum(w.heat_out for w in windows)
        if closed or not settled or march.stepper.time > end or min(heat_in, heat_out) <= 0:
            break
        # a slow drift of the heat content: take it out and average anew
        march.scale_heat(heat_in / heat_out)
        march.run(_Mean(march.stepper, fields=False), march.window)
        windows, settled = _settled_windows(march, tolerance, end)
        closed = _draw_out(march, windows)
    return _joined(windows), settled and closed


def _settled_windows(march: _March, tolerance: float, end: float) -> tuple[list[_Mean], bool]:
    """Windows that agree, or that scatter without a trend."""
    windows: list[_Mean] = []
    quiet = 0
    while True:
        mean = _Mean(march.stepper, fields=True)
        march.run(mean, march.window)
        march.note_window(mean, windows[-1].inlets if windows else None)
        windows.append(mean)
        quiet = quiet + 1 if march.drift < tolerance else 0
        if len(windows) > _QUIET_WINDOWS and quiet >= _QUIET_WINDOWS and march.closure < _HEAT_SETTLED:
            return windows[-_QUIET_WINDOWS - 1 :], True
        if len(windows) >= _SCATTER_WINDOWS:
            if not _trend(windows, tolerance):
                return windows, True
            del windows[:2]
        if march.stepper.time > end:
            return windows, False


def _draw_out(march: _March, windows: list[_Mean]) -> bool:
    """Draw the last window out until the air holds the heat that it held at the start of the first.

    Windows at the beginning are dropped if that brings it about. Returns whether heat closes.
    """
    limit = march.stepper.time + 2 * march.window
    least = min(len(windows), max(3, len(windows) - 2))
    while True:
        closures = [_closure(windows[first:]) for first in range(len(windows) - least + 1)]
        first = int(np.argmin(closures))
        march.closure = closures[first]
        if march.closure < _HEAT_CLOSED or march.stepper.time > limit:
            break
        windows[-1].add(march.step())
    march.stepper.check()
    del windows[:first]
    return march.closure < _HEAT_CLOSED


def _closure(windows: list[_Mean]) -> float:
    time = sum(w.time for w in windows)
    return windows[0].units.heat_apart(
        sum(w.heat_in for w in windows) / time, sum(w.heat_out for w in windows) / time
    )


def _trend(windows: list[_Mean], tolerance: float) -> bool:
    """Whether the two halves of the windows differ by more than their scatter explains."""
    inlets = np.array([w.inlets for w in windows])
    if inlets.size == 0:
        return False
    half = len(windows) // 2
    first, second = inlets[:half], inlets[half:]
    scatter = np.sqrt(np.mean((first.var(axis=0, ddof=1) + second.var(axis=0, ddof=1)) / half))
    change = np.sqrt(np.mean((first.mean(axis=0) - second.mean(axis=0)) ** 2))
    return bool(change > max(2 * scatter, 3 * tolerance))


def _joined(windows: list[_Mean]) -> _Mean:
    """One mean over all windows, with the standard error of the inlet temperatures.

    The sums of a window are single precision; they are joined in double precision, a field at a time.
    """
    mean = windows[0]
    mean.parts = [window.sums for window in windows]
    steps, inlets = zip(*(entry for window in windows for entry in window.record), strict=True)
    mean.error = standard_error(np.array(steps), np.array(inlets))
    for other in windows[1:]:
        mean.time += other.time
        mean.T_in += other.T_in
        mean.T_out += other.T_out
        mean.low = np.minimum(mean.low, other.low)
        mean.high = np.maximum(mean.high, other.high)
        mean.heat_in += other.heat_in
        mean.heat_out += other.heat_out
        mean.corrected += other.corrected
    return mean


def _closed_mean(model: AirModel, mean: _Mean, at: float) -> AirState:
    """Mean state whose velocity is divergence-free to float64."""
    stepper = model.stepper
    shape = stepper.geometry.shape

    def joined(field: int, axis: int | None) -> NDArray[np.float64]:
        """Mean of a field over all windows; the windows' sums are given up."""
        total = np.zeros(unpad(mean.parts[0][field], axis, shape).shape)
        for sums in mean.parts:
            total += unpad(sums[field], axis, shape)
            sums[field] = np.zeros(0, dtype=np.float32)
        return total / mean.time

    last = stepper.state()
    state = AirState(
        u=joined(0, 0),
        v=joined(1, 1),
        w=joined(2, 2),
        p=(joined(3, None) * RHO).astype(np.float32),
        T=(joined(4, None) + model.T_ref).astype(np.float32),
        T_unit=mean.T_out / mean.time + model.T_ref,
        time=at,
        heat_corrected=mean.corrected / mean.time,
        k=last.k,
        epsilon=last.epsilon,
        T_surface=last.T_surface,
    )
    _remove_divergence(model, state)
    return state


def _remove_divergence(model: AirModel, state: AirState) -> None:
    """Project the velocity in place until no cell has more divergence than double precision tells from none.

    Each round solves in single precision for what is left and takes it off in double precision.
    """
    stepper = model.stepper
    stepper.pressure.set_resistance(np.zeros(stepper.pressure.resisting_faces[0].size))
    volume = model.case.grid.volumes
    for _ in range(_PROJECTIONS):
        outflow = outflow_of(model, state)
        if np.abs(outflow / volume).max() < _DIVERGENCE:
            break
        stepper.take_off_divergence(state[:3], outflow, iterations=8)


def _balances(model: AirModel, state: AirState, inputs: UnitInputs, mean: _Mean) -> Balances:
    """Balances of the mean; what walls and openings exchange is a mean itself, not that of the mean state."""
    stepper = model.stepper
    closed = balances(model, state, inputs)
    if not stepper.walls.conducts and not stepper.openings.face.size:
        return closed
    Q_in, Q_out = mean.heat_in / mean.time, mean.heat_out / mean.time
    return closed._replace(Q_in=Q_in, Q_out=Q_out, energy_relative=stepper.units.heat_apart(Q_in, Q_out))


def _check_heat_can_leave(stepper: Stepper) -> None:
    if stepper.openings.face.size or stepper.walls.conducts:
        return  # some of it may leave there
    heat, capacity = stepper.units.heat_and_capacity()
    if heat > capacity:
        raise ConvergenceError(
            f"no steady state: units give {heat:g} W to the air, those in supply mode take {capacity:g} W. "
            "Raise the capacity, give the coolers a flow, or follow the rise of temperature in time.",
        )
