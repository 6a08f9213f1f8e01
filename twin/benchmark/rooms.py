"""Rooms to measure in: of a wanted number of cells, with a flow to start from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from solvers.airflow.case import AirCase, AirState, Closure, UnitInputs
from solvers.airflow.model import AirModel, advance, initial_state, prepare, restart
from twin.benchmark.measure import Tell
from twin.benchmark.peer_room import PeerRoom
from twin.model.load import example_layout, load_layout
from twin.model.mesh import count_cells
from twin.model.operating import Operating
from twin.model.scene import build_scene
from twin.model.schema import Layout

LAYOUT = "pod_two_row"
"""Plenum, tiles with jets, racks with slots, coolers: what a room has."""
CONTAINED = ("containments[cold_aisle].enabled=true",)
"""Closes its cold aisle, so that doors, roof and their leaks are there as well."""
PEER = "peer_room"
_START_CELLS = 30_000  # of the grid on which a flow is set going
_START_TIME = 20.0  # s of that
_FINE_STEPS = 10  # steps on the grid itself, to get rid of what interpolation brings
_CFL = 4.0
_TRIED = 400  # cell sizes, a thousandth or two apart


@dataclass(frozen=True)
class Room:
    """What to build; small enough to hand to another process.

    Attributes
    ----------
    name : str                 `PEER`, or an example layout.
    cell : float               Target cell size. [m]
    closure : str, optional    Turbulence closure; the layout's without it.
    overrides : tuple of str   Changes to the layout.
    """

    name: str
    cell: float
    closure: str | None = None
    overrides: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Name for people: the room, what is special about it, and its closure."""
        contained = "contained" if self.overrides == CONTAINED else " ".join(self.overrides)
        return " ".join(part for part in (self.name, contained, self.closure) if part)

    def layout(self) -> Layout:
        """Read the layout."""
        return load_layout(example_layout(self.name), self.overrides)


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
    layout = room.layout()
    scene = build_scene(layout, room.cell)
    closure = scene.closure if room.closure is None else scene.closure._replace(kind=room.closure)
    T_ref = layout.air.reference_temperature
    return Built(scene.case, closure, scene.unit_inputs(Operating.nominal(layout)), T_ref, T_ref)


def room_of(cells: int, name: str = LAYOUT, overrides: tuple[str, ...] = ()) -> Room:
    """Choose the cell size that gives an example layout the number of cells nearest to the one asked for.

    Grid lines fall on the faces of the objects, so numbers of cells come in leaps: of the contained pod
    103,168 and 130,152 stand on either side of 118,800, and nothing between them.

    Parameters
    ----------
    cells : int               [-]
    name : str                Of the layout.
    overrides : tuple of str  Changes to it.

    Returns
    -------
    Room
    """
    layout = Room(name, 1.0, overrides=overrides).layout()
    guess = (math.prod(layout.room.size) / cells) ** (1 / 3)
    # grids have cells smaller than asked for
    tried: list[float] = np.round(guess * np.geomspace(0.8, 1.6, _TRIED), 5).tolist()
    cell = min(tried, key=lambda one: abs(math.log(count_cells(layout, one) / cells)))
    return Room(name, cell, overrides=overrides)


def set_going(room: Room, what: str, tell: Tell) -> tuple[Built, AirModel, AirState]:
    """Build a room and set its air going, to be measured.

    Parameters
    ----------
    room : Room
    what : str         Is to be measured, in words.
    tell : callable    Takes what is going on.

    Returns
    -------
    Built, AirModel, AirState
    """
    built = build(room)
    tell(f"{what}: {built.cells:,} cells, setting the air going")
    model = built.prepare()
    return built, model, moving_air(room, built, model)


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
        start = room_of(_START_CELLS, room.name, room.overrides)
        coarse = build(replace(start, closure=room.closure))
        source = coarse.prepare()
    state = advance(source, initial_state(source, coarse.T_start), coarse.inputs, _START_TIME, cfl=_CFL)
    if source is not model:
        state = restart(model, source, state)
    dt = _CFL / courant_rate(built, state)
    return advance(model, state, built.inputs, _FINE_STEPS * dt, cfl=_CFL)


def courant_rate(built: Built, state: AirState, of_one: bool = False) -> float:
    """Courant number of a step of one second: largest |u|/dx + |v|/dy + |w|/dz over the cells. [1/s].

    Parameters
    ----------
    built : Built
    state : AirState    On its grid.
    of_one : bool       Take the largest of the three instead of their sum.

    Returns
    -------
    float
    """
    total = np.zeros(built.case.grid.shape)
    for axis, (field, width) in enumerate(zip(state[:3], built.case.grid.widths, strict=True)):
        low, high = (np.abs(np.take(field, rows, axis)) for rows in _sides(width.size))
        spread = [1, 1, 1]
        spread[axis] = -1
        rate = 0.5 * (low + high) / width.reshape(spread)
        total = np.maximum(total, rate) if of_one else total + rate
    return float(total[~built.case.solid].max())


def _sides(count: int) -> tuple[range, range]:
    """Numbers of the low and of the high faces of a line of cells."""
    return range(count), range(1, count + 1)
