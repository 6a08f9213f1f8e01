"""A simulation under way: the march from event to event, what is noted, checkpoints and how they resume."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from solvers.airflow.case import AirState, UnitInputs
from solvers.airflow.model import AirModel, restart, unit_inlet_temperature
from solvers.airflow.transient import air_heat, follow
from solvers.errors import CaseError, ConvergenceError
from twin import __version__
from twin.errors import InputError, NotConvergedError, OutsideError
from twin.model.circuits import Coolant
from twin.model.loop_air import Surroundings, surroundings, with_loops
from twin.model.operating import Operating
from twin.model.scene import Scene, build_scene
from twin.model.schema import Layout, Part
from twin.planning.numbers import room_numbers, too_hot
from twin.planning.settle import SolveProgress, fans_at, prepare_room
from twin.planning.solve import start_and_settle
from twin.planning.transient.alarms import AlarmLog
from twin.planning.transient.checkpoint import Checkpoint, read_checkpoint
from twin.planning.transient.course import Course, Shape, shaped
from twin.planning.transient.events import Script
from twin.planning.transient.ledger import WHY, Ledger
from twin.planning.transient.series import Series, chips_over_time, racks_over_time, read_points
from twin.planning.transient.stretch import LONGEST, Ice, settling_time

CHUNK = 2.0
"""Longest time for which flows, powers and set points are held; then fans look again. [s]"""
CHANGING = 1.0
"""The same while a fan is on its way to another speed. [s]"""
_RELAXATION = 0.5  # of a cooler's flow towards what its fan curve says, from one look to the next
_TINY = 1e-6  # s; instants nearer than this are one
_BEFORE = 1e-3  # s, by which the row just before an event lies before it
_RESOLVED = 1e-6  # of a time: what the table's digits tell apart

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SimulateProgress:
    """How far a simulation is.

    Attributes
    ----------
    settling : SolveProgress or None    While the room settles, how far that is.
    time, duration : float              Simulated time and the whole of it. [s]
    speed : float                       Simulated over real time, of late. [1]
    hottest : str                       The rack with the hottest inlet; empty without racks.
    inlet : float                       That inlet. [degC]
    """

    settling: SolveProgress | None
    time: float = 0.0
    duration: float = 0.0
    speed: float = math.nan
    hottest: str = ""
    inlet: float = math.nan


class Run:
    """A simulation under way.

    Parameters
    ----------
    layout : Layout
    script : Script       Sorted, its names checked.
    options : dict        ``cell``, ``cfl``, ``max_dt``, ``frozen``, ``duration``, ``every`` and
        ``checkpoint_every``; a resumed run must share them.
    kept : Path or None   The checkpoint's file; None keeps none.
    progress : callable, optional

    Attributes
    ----------
    state : AirState      Of now.
    series : Series       So far.
    kept_at : float or None    Simulated time of this run's last checkpoint. [s]

    Raises
    ------
    InputError : the layout has no scene, or none in a shape that the events give it.
    """

    def __init__(
        self,
        layout: Layout,
        script: Script,
        options: dict[str, Any],
        kept: Path | None,
        progress: Callable[[SimulateProgress], None] | None,
    ) -> None:
        self._layout, self._script, self._options, self._kept = layout, script, options, kept
        self._progress = progress
        self._course = Course(layout, script)
        self._coolant: Coolant | None = Coolant(layout) if layout.loops else None
        self._cell: float | None = options["cell"]
        self._duration: float = options["duration"]
        self._scenes = [self._scene_of(at, shape) for at, shape in self._course.shapes]
        self._shape = 0
        self._began = time.perf_counter()
        self._spent = 0.0
        self._about: dict[str, Any] = {}
        self._curved = np.array(
            [self.scene.cooler_units[c.id] for c in layout.coolers if c.fan_curve is not None], np.int64
        )
        self._yield = np.ones(self._curved.size)  # of the flow at design pressure
        self.series, self._ledger, self._alarms = Series(), Ledger(), AlarmLog()
        self._model: AirModel
        self._ice: Ice
        self.state: AirState
        self.kept_at: float | None = None

    @property
    def scene(self) -> Scene:
        """The scene of now."""
        return self._scenes[self._shape]

    def settle(self, cold: bool) -> None:
        """Solve the steady room before the first event and take its state."""

        def show(now: SolveProgress) -> None:
            if self._progress is not None:
                self._progress(SimulateProgress(now))

        self._prepare()
        operating = Operating.nominal(self._layout)
        settled, start = start_and_settle(self.scene, operating, self._cell, cold=cold, progress=show)
        numbers = room_numbers(self.scene, settled, operating)
        self._about = {
            "start": {
                "steps": settled.result.steps,
                "averaged_s": settled.result.averaged_s,
                "balances": numbers["balances"],
                "started_from": None if start is None else start.as_json(),
            }
        }
        flow, plain = settled.inputs.V_flow, self.scene.unit_inputs(operating).V_flow
        some = plain[self._curved] > 0.0
        self._yield[some] = (flow[self._curved] / np.where(some, plain[self._curved], 1.0))[some]
        self.state = _single(settled.result.state)._replace(time=0.0, heat_corrected=0.0)
        self._ledger.note(0.0)
        self._coolant = settled.coolant
        if self._coolant is not None:
            self._alarms.note(0.0, self._coolant.alarms())
        self._observe(self._inputs(0.0, 0.0))
        self._keep_old()
        self._checkpoint()

    def resume(self) -> None:
        """Take over where the checkpoint stands."""
        if self._kept is None:
            raise InputError("resume needs a result folder: checkpoints lie beside it.")
        stored = read_checkpoint(self._kept, self._identity())
        self._prepare()
        self.kept_at = stored.state.time
        self.state, self.series, self._ledger = stored.state, stored.series, stored.ledger
        self._about, self._spent = stored.about, stored.about["wall_s"]
        self._yield = np.array(stored.about["yield"], np.float64)
        self._alarms = AlarmLog(stored.about["alarms"])
        flow = stored.about["V_flow"]
        self._ice.until = stored.about["followed_until"]
        self._ice.V_flow = None if flow is None else np.array(flow)
        self._shape = stored.about["shape"]
        self._model = prepare_room(self.scene)
        if self._coolant is not None:
            self._coolant.unpack(stored.coolant)

    def march(self) -> None:
        """Advance to the end of the simulation."""
        begun = (time.perf_counter(), self.state.time)
        while self.state.time < self._duration - _TINY:
            begin = self.state.time
            self._reshape(self._course.shape(begin))
            try:
                end, inputs = self._advance(begin)
            except CaseError as error:
                raise InputError(f"{self._layout.name}, {begin:.1f} s: {error}") from error
            except ConvergenceError as error:
                said = self.scene.failure(error)
                raise NotConvergedError(f"{self._layout.name}, {begin:.1f} s: {said}") from error
            outputs = _is_multiple(end, self._options["every"]) or end >= self._duration - _TINY
            if outputs:
                self._ledger.note(end)
            if any(abs(event.at - end) < _TINY for event in self._script.events):
                self._observe_event(inputs)
            elif outputs:
                self._observe(inputs)
            if _is_multiple(end, self._options["checkpoint_every"]):
                self._checkpoint()
                self._model = prepare_room(self.scene)  # as a resumed run does: a used model remembers
                self._ice.thaw()
            self._tell(begun)

    def _advance(self, begin: float) -> tuple[float, UnitInputs]:
        """Go on to the end of the next interval of constant inputs; returns it and them."""
        before = self.state
        if self._options["frozen"] and not self._course.flows_change(begin):
            end, why = self._next(begin, LONGEST)
            inputs = self._inputs(begin, end)
            if self._ice.holds(self._model, before, inputs):
                inputs = self._cool(begin, end, inputs)
                after, passage, steps = self._ice.advance(self._model, before, inputs, end - begin)
                self.state = _single(after)._replace(time=end)
                self._ledger.limits["frozen"] += steps
                self._ledger.add(self._model, before, self.state, inputs, passage, why)
                return end, inputs
        end, why = self._next(begin, CHANGING if self._course.flows_change(begin) else CHUNK)
        inputs = self._cool(begin, end, self._inputs(begin, end))
        self.state, passage = follow(
            self._model, before, inputs, end - begin, self._options["cfl"], self._options["max_dt"]
        )
        self.state = self.state._replace(time=end)
        self._ledger.add(self._model, before, self.state, inputs, passage, why)
        self._ice.V_flow = inputs.V_flow.copy()
        if self._course.flows_change(begin):
            self._ice.thaw(end + self._ice.settling)
        if self._options["frozen"]:
            self._ice.note(self.state, end - begin)
        return end, inputs

    def heat(self) -> pd.DataFrame:
        """Return the account of the heat over time; see `Ledger.table`."""
        return self._ledger.table()

    def summary(self) -> dict[str, Any]:
        """Return what the result says beside its names."""
        racks = racks_over_time(self._layout, self.series)
        passed, steps = self._ledger.passage, sum(self._ledger.limits.values())
        wall = self._spent + time.perf_counter() - self._began
        warnings = [*self.scene.findings, *too_hot(self.scene, self.state)]
        loops = {} if self._coolant is None else self._coolant.summary()
        warnings += self._alarms.texts()
        if self._coolant is not None:
            now = [
                f"loop '{loop}': {alarm.text}"
                for loop, said in self._coolant.alarms().items()
                for alarm in said
                if alarm.passes
            ]
            warnings += [text for text in self._coolant.findings() if text not in now]
        return {
            "wall_s": round(wall, 3),
            "steps": steps,
            "simulated_s": self._duration,
            "every_s": self._options["every"],
            "real_time_factor": round(self._duration / max(wall, 1e-9), 2),
            "step": {
                "cfl": self._options["cfl"],
                "max_dt_s": self._options["max_dt"],
                "mean_s": passed.duration / max(steps, 1),
                "shortest_s": passed.shortest if passed.steps else 0.0,
                "longest_s": passed.longest,
                "limited_by": {name: n for name, n in self._ledger.limits.items() if n},
                "why": self._why(),
            },
            "events": [
                {"at_s": event.at, "text": event.text()}
                for event in self._script.events
                if event.at <= self._duration
            ],
            "racks": racks,
            "loops": loops,
            "cdus": [loop.cdu.id for loop in self._layout.loops],
            "alarms": self._alarms.as_json(),
            "chips": chips_over_time(self._layout, self.series),
            "coolers": [cooler.id for cooler in self._layout.coolers],
            "start": self._about["start"],
            "balances": self._ledger.as_json(),
            "warnings": [str(finding) for finding in warnings],
        }

    # -- parts -----------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Prepare the solver; up to here the run looks for faults only."""
        self._model = prepare_room(self.scene)
        flow = self.scene.unit_inputs(Operating.nominal(self._layout)).V_flow
        self._ice = Ice(settling_time(self._model, flow))

    def _scene_of(self, at: float, shape: Shape) -> Scene:
        try:
            return build_scene(shaped(self._layout, shape), self._cell)
        except InputError as error:
            if at == 0.0:
                raise
            raise InputError(f"after the events at {at:g} s: {error}") from error

    def _inputs(self, begin: float, end: float) -> UnitInputs:
        return self._with_chips(self._course.inputs(self.scene, begin, end, self._with_fans))

    def _cool(self, begin: float, end: float, inputs: UnitInputs) -> UnitInputs:
        """Carry the coolant loops over an interval; returns the inputs with the heat of their chips."""
        if self._coolant is None:
            return inputs
        felt = self._loops_feel(0.5 * (begin + end), inputs)
        self._coolant.advance(
            end - begin, felt.power, felt.T_air, self._course.coolant(begin, end), felt.exhaust
        )
        self._alarms.note(end, self._coolant.alarms())
        for rack in self._coolant.racks:
            self._ledger.chips += (end - begin) * felt.power[rack]
            self._ledger.chips_to_air += (end - begin) * self._coolant.air_heat(rack)
        return self._with_chips(inputs)

    def _with_chips(self, inputs: UnitInputs) -> UnitInputs:
        return with_loops(inputs, self._coolant, self.scene.rack_units)

    def _loops_feel(self, at: float, inputs: UnitInputs) -> Surroundings:
        """Power of every rack at a time and the air about the loops."""
        assert self._coolant is not None
        T_in = unit_inlet_temperature(self._model, self.state)
        power = {rack.id: self._course.rack_power(rack.id, at) for rack in self._layout.racks}
        return surroundings(self._coolant, self.scene.rack_units, power, inputs, T_in)

    def _with_fans(self, operating: Operating) -> UnitInputs:
        """Return what the units do with fans at the state of now; coolers' flows are half way there."""
        now = fans_at(self.scene, self._model, operating, self.state)
        if not self._curved.size:
            return now
        plain = self.scene.unit_inputs(operating).V_flow[self._curved]
        wanted = np.divide(now.V_flow[self._curved], plain, out=np.ones(plain.size), where=plain > 0.0)
        self._yield += _RELAXATION * (wanted - self._yield)
        now.V_flow[self._curved] = plain * self._yield
        return now

    def _next(self, begin: float, most: float) -> tuple[float, str]:
        """Return the end of the next interval of constant inputs, at most so long, and what sets it."""
        ends = [(_after(begin, most), "follow")]
        ends += [(at, "event") for at in self._course.bends if at > begin + _TINY][:1]
        ends += [(_after(begin, self._options[name]), "output") for name in ("every", "checkpoint_every")]
        ends.append((self._duration, "output"))
        end, why = min(ends, key=lambda item: item[0])
        # an instant that several ask for is one, whichever rounding they have
        return next(((at, name) for at, name in ends[1:] if abs(at - end) < _TINY), (end, why))

    def _reshape(self, number: int) -> None:
        """Take the state over into another geometry."""
        if number == self._shape:
            return
        old, heat = self._model, air_heat(self._model, self.state)
        self._shape = number
        self._model = prepare_room(self.scene)
        self.state = _single(restart(self._model, old, self.state))
        self._ledger.reshaped += air_heat(self._model, self.state) - heat
        self._ice.thaw(self.state.time + self._ice.settling)

    def _observe(self, inputs: UnitInputs, at: float | None = None) -> None:
        """Add a row of the state of now, as of a time: that of the state without one."""
        state = self.state if at is None else self.state._replace(time=at)
        now = self._course.operating(state.time, state.time)
        values = read_points(self.scene, self._model, state, inputs, now, self._course)
        self.series.add(values if self._coolant is None else values | self._coolant.points())

    def _observe_event(self, inputs: UnitInputs) -> None:
        """Add a row just before an event and one just after it, so that a step reads as a step."""
        at = self.state.time
        before = at - max(_BEFORE, _RESOLVED * at)
        if before > self.series.rows[-1][0]:
            self._observe(inputs, before)
        flows = self._yield.copy()  # a look ahead must not move the coolers along their curves
        after = self._inputs(at, at)
        self._yield = flows
        self._observe(after)

    def _checkpoint(self) -> None:
        if self._kept is None:
            return
        self._about |= {
            "shape": self._shape,
            "yield": self._yield.tolist(),
            "followed_until": self._ice.until,
            "alarms": self._alarms.rows,
            "V_flow": None if self._ice.V_flow is None else self._ice.V_flow.tolist(),
        }
        self._about["wall_s"] = self._spent + time.perf_counter() - self._began
        coolant = {} if self._coolant is None else self._coolant.pack()
        stand = Checkpoint(self._identity(), self.state, self.series, self._ledger, self._about, coolant)
        stand.write(self._kept)
        self.kept_at = self.state.time

    def _keep_old(self) -> None:
        """Put the checkpoint of an earlier run aside; this run begins anew."""
        if self._kept is None or not self._kept.exists():
            return
        old = self._kept.with_name(self._kept.name.removesuffix(".npz") + ".old.npz")
        try:
            self._kept.replace(old)
        except OSError as error:
            raise OutsideError(f"{self._kept}: cannot be put aside: {error.strerror}") from error
        logger.warning(
            "%s is the checkpoint of a run that was stopped, and this run begins anew: it is kept as %s. "
            "Give --resume to go on from a checkpoint, or --out for a result of its own.",
            self._kept, old.name,
        )  # fmt: skip

    def _identity(self) -> dict[str, Any]:
        """Return what a resumed run must share: layout, events, version, options."""
        return {
            "layout": digest(self._layout),
            "events": digest(self._script),
            "version": __version__,
            **self._options,
        }

    def _tell(self, begun: tuple[float, float]) -> None:
        if self._progress is None:
            return
        speed = (self.state.time - begun[1]) / max(time.perf_counter() - begun[0], 1e-9)
        hottest, inlet = "", math.nan
        for rack in self._layout.racks:
            value = self.series.rows[-1][self.series.columns.index(f"{rack.id}.inlet_temperature.max")]
            if not inlet >= value:
                hottest, inlet = rack.id, float(value)
        self._progress(SimulateProgress(None, self.state.time, self._duration, speed, hottest, inlet))

    def _why(self) -> str:
        """Say in words what the steps were limited by."""
        total = max(sum(self._ledger.limits.values()), 1)
        parts = sorted(((n, name) for name, n in self._ledger.limits.items() if n), reverse=True)
        return "; ".join(f"{n / total:.0%} by {WHY[name]}" for n, name in parts)


def digest(part: Part) -> str:
    """Return a digest of what a layout or a script says, however its file is written."""
    return hashlib.sha256(part.model_dump_json().encode()).hexdigest()


def _after(begin: float, step: float) -> float:
    """Return the next multiple of a step after an instant. [s]."""
    return step * (math.floor(begin / step + _TINY) + 1)


def _is_multiple(at: float, step: float) -> bool:
    return abs(at - step * round(at / step)) < _TINY


def _single(state: AirState) -> AirState:
    """Return a state as checkpoints hold it: fields in single precision, at time as it is."""
    fields = {
        name: np.asarray(value, np.float32)
        for name, value in state._asdict().items()
        if value is not None and np.ndim(value) == 3
    }
    return state._replace(**fields)
