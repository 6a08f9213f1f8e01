"""Solve a 3D-ICE stack, steady or through its slots, and answer the outputs that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from solvers.coldplate.solve import Moment, march, steady
from solvers.coldplate.stack import build
from solvers.coldplate.system import Array, Balance, System, balance, outlet_excess
from solvers.errors import SolverError
from twin.errors import NotConvergedError
from twin.plates.ice_model import IceModel
from twin.plates.ice_stack import Block, Output


@dataclass
class Answers:
    """What a run of a stack found.

    Attributes
    ----------
    probes : dict    Name -> times [s] and temperatures [K].
    maps : dict    Name of a Tmap or Pmap -> times [s] and float64[ny, nx] [K] or [W].
    temperature : float64[ny, nx, nz]    At the end. [K]
    highest : float    Highest temperature of all cells and times. [K]
    coolant_rise : float    Mixed mean at the outlet over the inlet, at the end. [K]
    balance : Balance    Of heat flows [W] when steady, of heat since the start [J] otherwise.
    steps : int
    """

    probes: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    maps: dict[str, list[tuple[float, Array]]] = field(default_factory=dict)
    temperature: Array = field(default_factory=lambda: np.zeros((0, 0, 0)))
    highest: float = -np.inf
    coolant_rise: float = 0.0
    balance: Balance = field(default_factory=lambda: Balance(0.0, 0.0, 0.0, 0.0))
    steps: int = 0


def run_ice(model: IceModel, progress: Callable[[float], None] | None = None) -> Answers:
    """Solve a stack.

    Parameters
    ----------
    model : IceModel
    progress : callable, optional    Gets the share that is done.

    Returns
    -------
    Answers

    Raises
    ------
    InputError : no block has a power.
    NotConvergedError : the solver gave no answer.
    """
    ice = model.ice
    system = build(model.stack)
    shape = system.diagonal.shape
    slots = model.slots()
    answers = Answers()
    recorder = _Recorder(model, answers)
    heats = [model.heat(slot, shape) for slot in range(slots)]
    try:
        if ice.steady:
            theta = steady(system, heats[0])
            answers.balance = balance(system, theta, heats[0])
            recorder.record(0.0, theta + system.reference, heats[0], ("step", "slot", "final"))
        else:
            theta = _transient(model, system, heats, recorder, progress)
    except SolverError as error:
        raise NotConvergedError(f"{ice.file}: {error}") from error
    answers.temperature = theta + system.reference
    answers.coolant_rise = outlet_excess(system, theta)
    return answers


def _transient(
    model: IceModel,
    system: System,
    heats: list[Array],
    recorder: _Recorder,
    progress: Callable[[float], None] | None,
) -> Array:
    ice = model.ice
    per_slot = round(ice.slot / ice.step)
    total = per_slot * len(heats)

    def each() -> Iterator[Array]:
        for heat in heats:
            for _ in range(per_slot):
                yield heat

    def visit(moment: Moment) -> None:
        instants = ["step"]
        if moment.number % per_slot == 0:
            instants.append("slot")
        if moment.number == total:
            instants.append("final")
        heat = heats[(moment.number - 1) // per_slot]
        recorder.record(moment.time, moment.theta + system.reference, heat, tuple(instants))
        recorder.answers.balance = moment.account
        recorder.answers.steps = moment.number
        if progress is not None:
            progress(moment.number / total)

    start = np.full(system.diagonal.shape, ice.initial_temperature - system.reference)
    return march(system, each(), ice.step, visit, start)


class _Recorder:
    """Answers outputs at their instants."""

    def __init__(self, model: IceModel, answers: Answers) -> None:
        self.model, self.answers = model, answers
        names: list[str] = []
        for output in model.ice.outputs:
            stem = PurePosixPath(output.path).stem or output.kind
            name = stem if stem not in names else f"{stem} {output.kind} {output.element}{output.block}"
            while name in names:
                name += "'"
            names.append(name)
        self.names = names

    def record(self, time: float, T: Array, heat: Array, instants: tuple[str, ...]) -> None:
        """Answer what is asked for at these instants."""
        self.answers.highest = max(self.answers.highest, float(T.max()))
        for name, output in zip(self.names, self.model.ice.outputs, strict=True):
            if output.instant not in instants:
                continue
            if output.kind in ("Tmap", "Pmap"):
                field_ = T if output.kind == "Tmap" else heat
                cells = self.model.cells(self.model.ice.find(output.element))
                self.answers.maps.setdefault(name, []).append((time, field_[:, :, cells].copy()))
                continue
            for suffix, value in self._values(output, T):
                self.answers.probes.setdefault(name + suffix, []).append((time, value))

    def _values(self, output: Output, T: Array) -> list[tuple[str, float]]:
        model = self.model
        element = model.ice.find(output.element)
        plane = T[:, :, model.cells(element)]
        if output.kind == "T":
            return [("", float(plane[model.place(output.x, output.y)]))]
        if output.kind == "Tcoolant":
            channel = model.stack.channel
            return [("", measure(output.quantity, [plane[-1, channel] if channel.any() else plane[-1]]))]
        blocks: tuple[Block, ...] = element.floorplan.blocks if element.floorplan else ()
        if output.kind == "Tflpel":
            blocks = tuple(block for block in blocks if block.name == output.block)
        single = output.kind == "Tflpel"
        return [
            (
                "" if single else f":{block.name}",
                measure(output.quantity, [plane[model.covered(r)] for r in block.rectangles]),
            )
            for block in blocks
        ]


def measure(quantity: str, parts: list[Array]) -> float:
    """Return maximum, minimum, average or gradient (maximum less minimum) of parts of a layer.

    The average is that of 3D-ICE: the mean over the parts of the mean over their cells.

    Parameters
    ----------
    quantity : str
    parts : list of float64    [K]

    Returns
    -------
    float    [K]
    """
    high, low = max(float(part.max()) for part in parts), min(float(part.min()) for part in parts)
    if quantity == "maximum":
        return high
    if quantity == "minimum":
        return low
    if quantity == "gradient":
        return high - low
    return float(np.mean([float(part.mean()) for part in parts]))
