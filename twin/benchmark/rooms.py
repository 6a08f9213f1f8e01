"""Rooms to measure in: of a wanted number of cells, with a flow to start from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from solvers.airflow.case import AirCase, AirState, Closure, UnitInputs
from solvers.airflow.model import AirModel, advance, initial_state, prepare, restart
from twin.benchmark.peer_room import PeerRoom
from twin.model.load import example_layout, load_layout
from twin.model.mesh import count_cells
from twin.model.operating import Operating
from twin.model.scene import build_scene

LAYOUT = "pod_two_row"
"""Plenum, tiles, racks with slots and leakage, coolers: what a full room has."""
PEER = "peer_room"
_START_CELLS = 30_000  # of the grid on which a flow is set going
_START_TIME = 20.0  # s of that
_FINE_STEPS = 10  # steps on the grid itself, to get rid of what interpolation brings
_CFL = 4.0


@dataclass(frozen=True)
class Room:
    """What to build; small enough to hand to another process.

    Attributes
    ----------
    name : str                 `PEER`, or an example layout.
    cell : float               Target cell size. [m]
    closure : str, optional    Turbulence closure; the layout's without it.
    """

    name: str
    cell: float
    closure: str | None = None

    @property
    def label(self) -> str:
        """Name for people: the room and its closure."""
        return self.name if self.closure is None else f"{self.name} {self.closure}"


class Built(NamedTuple):
    """A room on its grid.

    Attributes
    ----------
    case : AirCase
    closure : Closure
    inputs : UnitInputs    At nominal load.
    T_ref : float          [K]
    T_start : float        Of the air at the start. [K]
    """

    case: AirCase
    closure: Closure
    inputs: UnitInputs
    T_ref: float
    T_start: float

    @property
    def cells(self) -> int:
        """Cells of the grid, solids included."""
        return self.case.grid.cells

    def prepare(self) -> AirModel:
        """Return the model of the solver."""
        return prepare(self.case, self.closure, self.T_ref)


def build(room: Room) -> Built:
    """Put a room on its grid.

    Parameters
    ----------
    room : Room

    Returns
    -------
    Built

    Raises
    ------
    InputError : the layout or the cell size is no good.
    """
    if room.name == PEER:
        peer = PeerRoom(cell=room.cell)
        closure = peer.closure(room.closure or "mixing_length")
        return Built(peer.case(), closure, peer.inputs(), peer.T_ref, peer.T_supply)
    layout = load_layout(example_layout(room.name))
    scene = build_scene(layout, room.cell)
    closure = scene.closure if room.closure is None else scene.closure._replace(kind=room.closure)
    T_ref = layout.air.reference_temperature
    return Built(scene.case, closure, scene.unit_inputs(Operating.nominal(layout)), T_ref, T_ref)


def room_of(cells: int, name: str = LAYOUT) -> Room:
    """Choose the cell size that gives an example layout about so many cells.

    Parameters
    ----------
    cells : int    [-]
    name : str     Of the layout.

    Returns
    -------
    Room
    """
    layout = load_layout(example_layout(name))
    fine, coarse = 0.01, 1.0
    while coarse / fine > 1.002:
        middle = math.sqrt(fine * coarse)
        if count_cells(layout, middle) > cells:
            fine = middle
        else:
            coarse = middle
    below, above = (abs(math.log(count_cells(layout, cell) / cells)) for cell in (coarse, fine))
    return Room(name, round(coarse if below <= above else fine, 5))


def moving_air(room: Room, built: Built, model: AirModel) -> AirState:
    """Return a flow that is under way, though not settled: steps cost what they cost in a room in use.

    Parameters
    ----------
    room : Room
    built : Built      Of that room.
    model : AirModel   Of that.

    Returns
    -------
    AirState
    """
    coarse, source = built, model
    if built.cells > 2 * _START_CELLS and room.name != PEER:
        coarse = build(Room(room.name, room_of(_START_CELLS, room.name).cell, room.closure))
        source = coarse.prepare()
    state = advance(source, initial_state(source, coarse.T_start), coarse.inputs, _START_TIME, cfl=_CFL)
    if source is not model:
        state = restart(model, source, state)
    dt = _CFL / courant_rate(built, state)
    return advance(model, state, built.inputs, _FINE_STEPS * dt, cfl=_CFL)


def courant_rate(built: Built, state: AirState) -> float:
    """Courant number of a step of one second: largest |u|/dx + |v|/dy + |w|/dz over the cells. [1/s].

    Parameters
    ----------
    built : Built
    state : AirState    On its grid.

    Returns
    -------
    float
    """
    total = np.zeros(built.case.grid.shape)
    for axis, (field, width) in enumerate(zip(state[:3], built.case.grid.widths, strict=True)):
        low, high = (np.abs(np.take(field, rows, axis)) for rows in _sides(width.size))
        spread = [1, 1, 1]
        spread[axis] = -1
        total += 0.5 * (low + high) / width.reshape(spread)
    return float(total[~built.case.solid].max())


def _sides(count: int) -> tuple[range, range]:
    """Numbers of the low and of the high faces of a line of cells."""
    return range(count), range(1, count + 1)
