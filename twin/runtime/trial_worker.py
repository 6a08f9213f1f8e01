"""The process in which the twin is run ahead; started by ``TwinTrial``.

It talks through one end of a socket pair, inherited as a file descriptor, and ends when the other end closes.
Requests are tuples: ``("scene", layout, cell)``, ``("state", prepared case or None, state, loops)`` and
``("run", now, candidate, horizon, options)``; answers are ``("ok", value)`` or ``("error", text)``.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import AirCase, AirState, Closure
from solvers.airflow.model import (
    AirModel,
    advance,
    initial_state,
    prepare,
    restart,
    unit_inlet_temperature_max,
)
from solvers.errors import SolverError
from twin.errors import TwinError
from twin.model.circuits import Coolant
from twin.model.loop_air import with_loops
from twin.model.operating import Operating
from twin.model.scene import Scene, build_scene, observe
from twin.model.schema import Layout
from twin.runtime.loops import chips_over_limit, felt_by_loops
from twin.units import kelvin

NICENESS = 10
INTERVAL = 5.0  # s, between samples of a trial
INLET_POSITIONS = ("bottom", "middle", "top")


@dataclass(frozen=True)
class TrialOptions:
    """How a trial is run.

    Attributes
    ----------
    cfl : float            Courant number of the time steps. [-]
    action_time : float    How long it takes until a plan is in force. [s]
    """

    cfl: float = 8.0
    action_time: float = 5.0


@dataclass(frozen=True)
class TrialResult:
    """What the twin says of a future.

    Attributes
    ----------
    inlet_mean : dict      Rack -> mean over the inlet sensors and the second half of the horizon. [K]
    inlet_max : dict       Rack -> hottest inlet sensor by its mean over the second half of the horizon. [K]
    inlet_peak : dict      Rack -> hottest spot of its whole front at any moment of that half. [K]
    cooler_power : dict    Cooler -> heat it takes, mean over the horizon. [W]
    chip_over : dict       Rack on a coolant loop -> its chips over their limit, the most in that half. [K]
    horizon, wall : float  Time looked ahead, time that took. [s]
    """

    inlet_mean: dict[str, float]
    inlet_max: dict[str, float]
    inlet_peak: dict[str, float]
    cooler_power: dict[str, float]
    chip_over: dict[str, float]
    horizon: float
    wall: float


class Runner:
    """Runs the twin ahead on a grid of its own.

    Parameters
    ----------
    layout : Layout
    cell : float    Target cell size. [m]
    """

    def __init__(self, layout: Layout, cell: float) -> None:
        self._layout = layout
        self._scene: Scene = build_scene(layout, cell)
        self._model = prepare(self._scene.case, self._scene.closure, layout.air.reference_temperature)
        self._live: AirModel | None = None
        self._state: AirState | None = None
        self._coolant = Coolant(layout) if layout.loops else None
        self._packed: Mapping[str, NDArray[Any]] = {}
        inputs = self._scene.unit_inputs(Operating.nominal(layout))
        advance(self._model, initial_state(self._model), inputs, 0.05)  # loads or compiles the kernels

    @property
    def cells(self) -> int:
        """Cells of the trial's grid."""
        return self._scene.cells

    def take(
        self,
        live: tuple[AirCase, Closure, float] | None,
        state: AirState,
        coolant: Mapping[str, NDArray[Any]],
    ) -> None:
        """Take over a state of the live twin and of its loops; its case is given when its grid has changed.

        Without a state of the loops a trial begins with steady ones.
        """
        if live is not None:
            self._live = prepare(*live)
        if self._live is None:
            raise ValueError("the live twin's grid has not been given")
        self._state = restart(self._model, self._live, state)
        self._packed = coolant

    def run(self, now: Operating, candidate: Operating, horizon: float, options: TrialOptions) -> TrialResult:
        """Run from the state taken over: ``now`` until the plan is in force, then ``candidate``.

        Parameters
        ----------
        now, candidate : Operating
        horizon : float            After the plan has come into force. [s]
        options : TrialOptions

        Raises
        ------
        ValueError : no state has been taken over.
        SolverError : the solver failed.
        """
        if self._state is None:
            raise ValueError("no state has been taken over")
        begun = time.perf_counter()
        self._begin_loops(self._state, now)
        state = self._advance(self._state, now, options.action_time, options.cfl)
        samples = max(4, math.ceil(horizon / INTERVAL))
        late: list[dict[str, float]] = []
        peak = {rack.id: -math.inf for rack in self._layout.racks}
        chips: dict[str, float] = {}
        heat = dict.fromkeys((cooler.id for cooler in self._layout.coolers), 0.0)
        for sample in range(samples):
            state = self._advance(state, candidate, horizon / samples, options.cfl)
            values = observe(self._scene, self._model, state, candidate)
            if sample >= samples // 2:
                late.append(values)
                T_front = unit_inlet_temperature_max(self._model, state)
                for rack, units in self._scene.rack_units.items():
                    peak[rack] = _highest(peak[rack], float(T_front[list(units)].max()))
                if self._coolant is not None:
                    over = chips_over_limit(self._layout, self._coolant.points())
                    chips = {rack: _highest(value, chips.get(rack, value)) for rack, value in over.items()}
            for cooler in heat:
                heat[cooler] += values.get(f"{cooler}.cooling_power", 0.0) / samples
        mean: dict[str, float] = {}
        hottest: dict[str, float] = {}
        for rack in self._layout.racks:
            points = [f"{rack.id}.inlet_temperature.{position}" for position in INLET_POSITIONS]
            sensors = [[kelvin(values[point]) for values in late] for point in points if point in late[0]]
            means = [sum(series) / len(series) for series in sensors]
            mean[rack.id] = sum(means) / len(means)
            hottest[rack.id] = _highest(*means)
            peak[rack.id] = _highest(peak[rack.id], *(value for series in sensors for value in series))
        return TrialResult(mean, hottest, peak, heat, chips, horizon, time.perf_counter() - begun)

    def _begin_loops(self, state: AirState, operating: Operating) -> None:
        """Bring the loops to where every trial begins."""
        if self._coolant is None:
            return
        if self._packed:
            self._coolant.unpack(self._packed)
            return
        inputs = self._scene.unit_inputs(operating)
        felt = felt_by_loops(self._coolant, self._scene, self._model, state, operating, inputs)
        self._coolant.settle(felt.power, felt.T_air, operating.coolant, felt.exhaust)

    def _advance(self, state: AirState, operating: Operating, duration: float, cfl: float) -> AirState:
        inputs = self._scene.unit_inputs(operating)
        if self._coolant is not None:
            felt = felt_by_loops(self._coolant, self._scene, self._model, state, operating, inputs)
            self._coolant.advance(duration, felt.power, felt.T_air, operating.coolant, felt.exhaust)
            inputs = with_loops(inputs, self._coolant, self._scene.rack_units)
        return advance(self._model, state, inputs, duration, cfl=cfl)


def _highest(*values: float) -> float:
    """Return the highest; not a number where one of them is none, which `max` may hide."""
    return float(np.max(values))


def serve(connection: Connection) -> None:
    """Answer requests until the other end closes."""
    runner: Runner | None = None
    while True:
        try:
            request = connection.recv()
        except (EOFError, OSError):
            return
        try:
            runner, value = _answer(runner, request)
            answer = ("ok", value)
        except (SolverError, TwinError, ValueError, ArithmeticError, MemoryError) as error:
            answer = ("error", f"{type(error).__name__}: {error}")
        try:
            connection.send(answer)
        except OSError:
            return


def _answer(runner: Runner | None, request: tuple[Any, ...]) -> tuple[Runner | None, Any]:
    kind, *arguments = request
    if kind == "scene":
        runner = Runner(*arguments)
        return runner, runner.cells
    if runner is None:
        raise ValueError("the scene has not been built")
    if kind == "state":
        return runner, runner.take(*arguments)
    return runner, runner.run(*arguments)


def main() -> None:
    """Serve on the file descriptor named on the command line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    os.nice(NICENESS)
    with Connection(int(sys.argv[1])) as connection:
        serve(connection)
