"""The engine: the twin's state of air and coolant loops, kept in step with the wall clock."""

from __future__ import annotations

import hashlib
import logging
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from solvers.airflow.case import AirState
from solvers.airflow.model import (
    AirModel,
    advance,
    initial_state,
    prepare,
    restart,
    solve_steady,
    unit_inlet_temperature,
)
from solvers.errors import SolverError
from twin.errors import NotConvergedError
from twin.files import write_atomically
from twin.model.scene import Operating, Scene, build_scene, observe
from twin.model.schema import Layout
from twin.runtime.loops import LiveLoops
from twin.runtime.pace import EFFORTS, Pace

log = logging.getLogger(__name__)

START_COARSENING = 1.8  # the first state comes from a quick steady solve on cells this much larger
START_TIME = 240.0  # simulated time of that solve at most [s]
FIRST_ADVANCE = 0.05  # [s]
SHORTEST_ADVANCE = 0.05  # less is not worth a time step; it waits for the next call [s]
CHECKPOINT_VALID = 900.0  # an older checkpoint tells nothing of the room any more [s]


@dataclass(frozen=True)
class Prepared:
    """A scene with the solver's model of it."""

    scene: Scene
    model: AirModel


def prepare_scene(layout: Layout, cell: float | None = None) -> Prepared:
    """Build the scene of a layout and the solver's model of it.

    Parameters
    ----------
    layout : Layout
    cell : float, optional
        Target cell size; the layout's own without it. [m]

    Returns
    -------
    Prepared

    Raises
    ------
    InputError : the layout has no scene at this cell size.
    """
    scene = build_scene(layout, cell)
    return Prepared(scene, prepare(scene.case, scene.closure, layout.air.reference_temperature))


class Engine:
    """Advances the twin with the clock.

    Parameters
    ----------
    layout : Layout
    cell : float, optional
        Target cell size. [m]
    monotonic : callable
        Clock that measures effort. [s]

    Attributes
    ----------
    state : AirState         Present state; ``state.time`` is seconds since ``origin``.
    operating : Operating    What the last advance ran with.
    origin : float           Instant of ``state.time`` = 0. [s since epoch]
    pace : Pace
    loops : LiveLoops        The coolant loops beside the air.
    """

    def __init__(
        self, layout: Layout, cell: float | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.layout = layout
        self.pace = Pace()
        self._monotonic = monotonic
        self._cell = cell or layout.air.cell
        self._normal = prepare_scene(layout, self._cell)
        self._prepared = self._normal
        self._coarse: Prepared | None = None
        self.operating = Operating.nominal(layout)
        self.loops = LiveLoops(layout)
        self.origin = 0.0
        self.state = initial_state(self.model, layout.air.reference_temperature)

    @property
    def scene(self) -> Scene:
        """The scene of the present state; its grid changes with the effort."""
        return self._prepared.scene

    @property
    def model(self) -> AirModel:
        """The solver's model of the present scene."""
        return self._prepared.model

    def time(self) -> float:
        """Return the instant that the state shows. [s since epoch]."""
        return self.origin + self.state.time

    def start(self, now: float, operating: Operating, checkpoint: Path | None = None) -> str:
        """Make the first state: from the checkpoint if it is fresh and fits, else from a quick steady solve.

        Parameters
        ----------
        now : float
            The wall clock. [s since epoch]
        operating : Operating
            How the room runs.
        checkpoint : Path, optional

        Returns
        -------
        str
            Where the state came from, for people.

        Raises
        ------
        NotConvergedError : the solver gives no state for this room.
        """
        self.operating = operating
        if checkpoint is not None:
            state = self._read_checkpoint(checkpoint, now)
            if state is not None:
                return self._begin(state, now, "continued from the checkpoint")
        coarse = prepare_scene(self.layout, self._cell * START_COARSENING)
        try:
            self._settle_loops(None)
            inputs = self.loops.heated(coarse.scene.unit_inputs(operating), coarse.scene)
            quick = solve_steady(coarse.model, inputs, max_time=START_TIME, tolerance=0.3)
            self.state = restart(self.model, coarse.model, quick.state)
        except SolverError as error:
            raise NotConvergedError(f"{self.layout.name}: no first state of the air: {error}") from error
        self._settle_loops(self.state)
        return self._begin(self.state._replace(time=0.0), now, "started from a quick steady solve")

    def synchronise(self, now: float) -> None:
        """Declare that the present state shows this instant. [s since epoch]."""
        self.origin = now - self.state.time

    def follow(self, now: float, operating: Operating, longest: float = 1.0) -> float:
        """Advance towards the wall clock with these boundary conditions.

        Parameters
        ----------
        now : float
            The wall clock. [s since epoch]
        operating : Operating
        longest : float
            Advance at most this far in one call. [s]

        Returns
        -------
        float
            How far the state is behind the clock afterwards. [s]

        Raises
        ------
        NotConvergedError : the solver failed; the state of air and loops is the one before.
        """
        self.operating = operating = self.loops.corrected(operating)
        behind = now - self.time()
        duration = min(behind, longest)
        if duration < SHORTEST_ADVANCE:
            return behind
        begun, loops = self._monotonic(), self.loops.keep()
        T_inlet = unit_inlet_temperature(self.model, self.state)
        inputs = self.scene.unit_inputs(operating, T_inlet=T_inlet)
        inputs = self.loops.advance(duration, self.scene, self.model, self.state, operating, inputs)
        try:
            self.state = advance(self.model, self.state, inputs, duration, cfl=self.pace.effort.cfl)
        except SolverError as error:
            self.loops.bring_back(loops)
            raise NotConvergedError(f"{self.layout.name}: the live solve failed: {error}") from error
        spent = self._monotonic() - begun
        behind -= duration
        level = self.pace.level
        self.pace.record(self._monotonic(), duration, spent, behind + spent)
        if self.pace.level != level:
            log.warning("effort %d -> %d: %s", level, self.pace.level, self.pace.degraded or "full accuracy")
            self._fit_grid()
        skip = self.pace.excess(behind)
        if skip:
            log.warning("skipped %.1f s of simulated time: the solver cannot keep up", skip)
            self.origin += skip
            behind -= skip
        return behind

    def predictions(self) -> dict[str, float]:
        """Return every point that the twin models, now, in telemetry units."""
        return observe(self.scene, self.model, self.state, self.operating) | self.loops.points()

    def field_celsius(self) -> np.ndarray:
        """Return the air temperature, float32[nx, ny, nz], NaN in solids. [degC]."""
        return np.where(self.scene.case.solid, np.float32(np.nan), self.state.T - np.float32(273.15))

    def write_checkpoint(self, path: Path) -> None:
        """Write the state atomically, on its grid, with its instant.

        Raises
        ------
        OutsideError : the disk refused; the former checkpoint stands.
        """
        kept = {name: value for name, value in self.state._asdict().items() if value is not None}
        fields = {name: np.asarray(value) for name, value in kept.items()}
        fields |= {"instant": np.asarray(self.time()), "grid": np.asarray(self._grid_digest())}
        fields |= self.loops.dump()
        write_atomically(path, lambda file: np.savez(file, allow_pickle=False, **fields))

    def _begin(self, state: AirState, now: float, how: str) -> str:
        """Take a first state; a short advance loads the kernels before the pace is measured."""
        inputs = self.loops.heated(self.scene.unit_inputs(self.operating), self.scene)
        self.state = advance(self.model, state, inputs, FIRST_ADVANCE, cfl=self.pace.effort.cfl)
        self.synchronise(now)
        return how

    def _read_checkpoint(self, path: Path, now: float) -> AirState | None:
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                body: dict[str, Any] = {name: stored[name] for name in stored.files}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        age = now - float(body.pop("instant"))
        if str(body.pop("grid")) != self._grid_digest() or not 0 <= age < CHECKPOINT_VALID:
            log.info("the checkpoint is %.0f s old or of another grid; not used", age)
            return None
        self.loops.load(body)
        self.state = AirState(**{**body, "time": 0.0})
        if self.loops.coolant is None:
            self._settle_loops(self.state)
        return self.state

    def _settle_loops(self, state: AirState | None) -> None:
        """Begin with steady loops beside an air, or before there is one."""
        inputs = self.scene.unit_inputs(self.operating)
        self.loops.settle(self.scene, self.model, state, self.operating, inputs)

    def _grid_digest(self) -> str:
        case = self.scene.case
        digest = hashlib.sha256()
        for array in (*case.grid, case.solid, case.plate_x, case.plate_y, case.plate_z):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def _fit_grid(self) -> None:
        """Move the state onto the grid that the present effort asks for."""
        wanted = self._normal
        if self.pace.effort.coarsening > 1.0:
            if self._coarse is None:
                self._coarse = prepare_scene(self.layout, self._cell * EFFORTS[-1].coarsening)
            wanted = self._coarse
        if wanted is not self._prepared:
            self.state = restart(wanted.model, self.model, self.state)
            self._prepared = wanted
