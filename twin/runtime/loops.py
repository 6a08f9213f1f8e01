"""The coolant loops of the live twin, kept in step beside its air, and what they learn from the sensors.

Where their solve fails the air goes on with the heat that chips gave at last, the summary says so, and the
loops are tried again from a steady state a little later.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import AirState, UnitInputs
from solvers.airflow.model import AirModel, unit_inlet_temperature
from solvers.errors import SolverError
from twin.model.circuits import Coolant
from twin.model.loop_air import Surroundings, first_surroundings, surroundings, with_loops
from twin.model.operating import Operating
from twin.model.scene import Scene
from twin.model.schema import Layout
from twin.units import celsius

log = logging.getLogger(__name__)

RETRY = 10.0
"""Time for which loops that failed are left alone. [s]"""
LEARNING = 120.0
"""Time in which an error of the heat to the coolant is taken out. [s]"""
STANDBY_TIME = 10.0
"""Time in which a standby pump that is called must have started. [s]"""
_FACTORS = (0.25, 4.0)  # between which a learnt factor stays [1]
_FASTEST = 0.5  # of the heat to the air: larger errors are learnt no faster
_WORKING = 0.3  # part of a rack's power that its coolant must take for its heat to tell something
_PREFIX = "loops."
_DIGEST = "loops"
_AIR = "loops_air"

Packed = dict[str, NDArray[Any]]


def felt_by_loops(
    coolant: Coolant,
    scene: Scene,
    model: AirModel,
    state: AirState | None,
    operating: Operating,
    inputs: UnitInputs,
) -> Surroundings:
    """Return what the loops feel of racks and room in a state of the air, or before there is one."""
    power = {rack.id: operating.power(rack) for rack in scene.layout.racks}
    if state is None:
        return first_surroundings(coolant, scene.rack_units, power, inputs, model.T_ref)
    T_inlet = unit_inlet_temperature(model, state)
    return surroundings(coolant, scene.rack_units, power, inputs, T_inlet)


class Kept(NamedTuple):
    """All that `LiveLoops.advance` changes."""

    running: bool
    fault: str | None
    pause: float
    silent: dict[str, float]
    packed: Packed


class LiveLoops:
    """All loops of a layout, live.

    Parameters
    ----------
    layout : Layout    One without loops is fine: nothing happens then.

    Attributes
    ----------
    fault : str or None    Why the loops do not go on; None while they do.
    air : dict             By branch: learnt factor on the conductance from its chips to the air. [1]
    """

    def __init__(self, layout: Layout) -> None:
        self.fault: str | None = None
        self._layout = layout
        self._coolant = Coolant(layout) if layout.loops else None
        self.air = {branch.id: 1.0 for loop in layout.loops for branch in loop.branches}
        self._digest = hashlib.sha256(layout.model_dump_json().encode()).hexdigest()
        liquid = Counter(unit.rack for unit in layout.racklets if unit.cooling_module.kind == "liquid")
        self._part = {rack: 1.0 / number for rack, number in liquid.items()}
        self._running = False
        self._pause = 0.0
        self._silent: dict[str, float] = {}

    @property
    def coolant(self) -> Coolant | None:
        """The loops, once they have a state."""
        return self._coolant if self._running else None

    def settle(
        self, scene: Scene, model: AirModel, state: AirState | None, operating: Operating, inputs: UnitInputs
    ) -> None:
        """Begin with steady loops beside an air, or before there is one; a failure is noted, not raised."""
        if self._coolant is None:
            return
        felt = felt_by_loops(self._coolant, scene, model, state, operating, inputs)
        try:
            self._coolant.settle(felt.power, felt.T_air, operating.coolant, felt.exhaust)
        except SolverError as error:
            self._note(error)
            return
        self._running = True
        self._clear()

    def advance(
        self,
        duration: float,
        scene: Scene,
        model: AirModel,
        state: AirState,
        operating: Operating,
        inputs: UnitInputs,
    ) -> UnitInputs:
        """Carry the loops on beside the air of a step's begin.

        Parameters
        ----------
        duration : float    [s]
        scene, model, state
            Of the air.
        operating : Operating
        inputs : UnitInputs

        Returns
        -------
        UnitInputs    With what chips give to the air and coils take from it.
        """
        if self._coolant is None:
            return inputs
        self._watch_standbys(duration, operating)
        if self.fault is not None:
            self._pause -= duration
            if self._pause <= 0.0:
                self.settle(scene, model, state, operating, inputs)
        elif self._running:
            felt = felt_by_loops(self._coolant, scene, model, state, operating, inputs)
            try:
                self._coolant.advance(duration, felt.power, felt.T_air, operating.coolant, felt.exhaust)
            except SolverError as error:
                self._note(error)
        return self.heated(inputs, scene)

    def corrected(self, operating: Operating) -> Operating:
        """Return operating conditions with what has been learnt of the loops."""
        if not self.air:
            return operating
        return replace(operating, coolant=replace(operating.coolant, air=dict(self.air)))

    def learn(self, duration: float, error: Mapping[str, float], power: Mapping[str, float]) -> None:
        """Learn how readily chips give heat to the air, from how far the coolant's heat is off.

            d(ln f)/dt = (Q_twin - Q_measured) / (Q_air LEARNING)

        What the coolant takes less than the twin says goes to the air, for power is measured too. All heat is
        the branch's own: its racklet's part of the rack's power, less what its coolant takes.

        Parameters
        ----------
        duration : float    [s]
        error : mapping     Points of fresh comparisons: predicted less measured.
        power : mapping     By rack: electric power. [W]
        """
        coolant = self.coolant
        if coolant is None or self.fault is not None:
            return
        points = coolant.points()
        for loop in self._layout.loops:
            for branch in loop.branches:
                rack = self._layout.racklet(branch.racklet).rack
                found = [
                    error[p] for name in (branch.id, branch.racklet) if (p := f"{name}.liquid_heat") in error
                ]
                given, taken = power[rack] * self._part[rack], points[f"{branch.id}.liquid_heat"]
                Q_air = given - taken
                if not found or Q_air <= 0.0 or taken < _WORKING * given:
                    continue
                off = min(max(sum(found) / len(found) / Q_air, -_FASTEST), _FASTEST)
                factor = self.air[branch.id] * math.exp(off * duration / LEARNING)
                self.air[branch.id] = min(max(factor, _FACTORS[0]), _FACTORS[1])

    def heated(self, inputs: UnitInputs, scene: Scene) -> UnitInputs:
        """Return inputs with what the loops' chips and coils do to the air at last."""
        return with_loops(inputs, self.coolant, scene.rack_units)

    def points(self) -> dict[str, float]:
        """Return the twin's value of every point of the loops, in units of the telemetry table."""
        return {} if self.coolant is None else self.coolant.points()

    def summary(self) -> dict[str, Any]:
        """Return the numbers of each loop for the snapshot, by its id."""
        if self.coolant is None:
            return {}
        body = self.coolant.summary()
        for loop in body.values():
            for name, branch in loop["branches"].items():
                branch["air_factor"] = self.air[name]
            said = [] if self.fault is None else [self.fault]
            late = (name for name in loop["pumps"] if self._silent.get(name, 0.0) >= STANDBY_TIME)
            said += [f"standby pump {name} was called and does not run" for name in late]
            loop["findings"] = [*said, *loop["findings"]]
        return body

    def pack(self) -> Packed:
        """Return the present state of the loops as arrays; none while there is none, or it stands still."""
        return {} if self.coolant is None or self.fault is not None else dict(self.coolant.pack())

    def keep(self) -> Kept:
        """Return all that `advance` changes, for `bring_back`."""
        packed = {} if self.coolant is None else dict(self.coolant.pack())
        return Kept(self._running, self.fault, self._pause, dict(self._silent), packed)

    def bring_back(self, kept: Kept) -> None:
        """Undo what `advance` did since `keep`."""
        self._running, self.fault, self._pause, self._silent, packed = kept
        if self._coolant is not None and packed:
            self._coolant.unpack(packed)

    def dump(self) -> Packed:
        """Return the same for a checkpoint: every name marked, and what layout it is of."""
        if self.coolant is None:
            return {}
        packed = {f"{_PREFIX}{name}": value for name, value in self.pack().items()}
        return packed | {_DIGEST: np.asarray(self._digest), _AIR: np.array(list(self.air.values()))}

    def load(self, stored: dict[str, Any]) -> None:
        """Take what `dump` gave out of a checkpoint, and go on from it where it is of this layout.

        Parameters
        ----------
        stored : dict    Arrays by name; those of the loops are removed.
        """
        digest, air = str(stored.pop(_DIGEST, "")), np.asarray(stored.pop(_AIR, ()))
        names = [name for name in stored if name.startswith(_PREFIX)]
        packed = {name.removeprefix(_PREFIX): stored.pop(name) for name in names}
        if self._coolant is None or digest != self._digest:
            return
        if air.size == len(self.air):
            self.air = dict(zip(self.air, air.tolist(), strict=True))
        if not packed:  # they stood still when the checkpoint was written
            return
        try:
            self._coolant.unpack(packed)
        except (KeyError, ValueError, TypeError) as error:
            log.info("the checkpoint of the coolant loops is not used: %s", error)
            return
        self._running = True
        self._clear()

    def _watch_standbys(self, duration: float, operating: Operating) -> None:
        """Count for how long standby pumps have stood although pumps of their CDU fail."""
        drive, before = operating.coolant.drive, self._silent
        self._silent = {}
        for loop in self._layout.loops:
            missing = sum(not drive.get(p.id, True) for p in loop.cdu.pumps if not p.standby)
            missing -= sum(drive.get(p.id, True) for p in loop.cdu.pumps if p.standby)
            for pump in loop.cdu.pumps:
                if pump.standby and not drive.get(pump.id, True) and missing > 0:
                    self._silent[pump.id] = before.get(pump.id, 0.0) + duration
                    missing -= 1

    def _note(self, error: SolverError) -> None:
        self._pause = RETRY
        if self.fault is None:
            log.warning("%s, coolant loops: %s; the air goes on without them", self._layout.name, error)
        self.fault = f"the coolant loops stand still: {error}"

    def _clear(self) -> None:
        if self.fault is not None:
            log.warning("%s: the coolant loops run again", self._layout.name)
        self.fault = None


def chips_over_limit(layout: Layout, points: Mapping[str, float]) -> dict[str, float]:
    """Return how far the hottest chips of every rack on a loop are over their limit, negative below it.

    Parameters
    ----------
    layout : Layout
    points : mapping    The loops' points. [degC]

    Returns
    -------
    dict    By rack. [K]
    """
    over: dict[str, float] = {}
    for loop in layout.loops:
        for branch in loop.branches:
            rack = layout.racklet(branch.racklet).rack
            value = points[f"{branch.id}.chip_temperature"] - celsius(branch.cold_plates.limit_temperature)
            over[rack] = float(np.maximum(over.get(rack, value), value))  # not a number stays one
    return over
