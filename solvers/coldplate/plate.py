"""A cold plate as arrays: base, fins, channels and lid, with chips below; its cells for each model.

    two_resistor    channels spread over their area, fins eliminated exactly (K3, K4): a few thousand cells
    four_resistor   a column of cells for each channel and each wall, films from Nusselt numbers (K2)
    correlation     the same films, the solids resolved: several columns a wall, many rows
    resolved        no films: heat is conducted in the coolant, moved by a resolved laminar velocity profile

x runs across the channels, y along the flow, z upwards; heat enters from below.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from solvers.coldplate.channel_flow import Duct
from solvers.coldplate.stack import ROW, Ducts, Layer, Porous, Slab, Stack, fin, strip_constriction
from solvers.coldplate.system import Array

Model = Literal["two_resistor", "four_resistor", "correlation", "resolved"]
AIR = 0.026, 1.2e3
"""Conductivity and heat capacity per volume of what lies beside a chip. [W/(m K), J/(m3 K)]"""
_NONE = np.zeros((0, 4))
_THIN = 1e-9  # of the width; a margin below it is none


class Sheet(NamedTuple):
    """A flat layer of one material.

    Attributes
    ----------
    thickness : float    [m]
    conductivity : float    [W/(m K)]
    heat_capacity : float    Per volume. [J/(m3 K)]
    """

    thickness: float
    conductivity: float
    heat_capacity: float


class Plate(NamedTuple):
    """A cold plate.

    Attributes
    ----------
    width, length : float    Across the channels, along them. [m]
    duct : Duct    A channel.
    channels : int    Number of channels, centred in the width.
    wall : float    Thickness of the wall between two channels. [m]
    base, fin, lid : Sheet    The fin's thickness is the height of the channels.
    package : tuple of Sheet    From the heat's surface up to the base: die, paste; empty without.
    chips : float64[n, 4]    Lower corner and size of what the package covers, the whole plate if empty. [m]
    below, above : tuple of float, optional    Film coefficient and temperature outside. [W/(m2 K), K]
    """

    width: float
    length: float
    duct: Duct
    channels: int
    wall: float
    base: Sheet
    fin: Sheet
    lid: Sheet
    package: tuple[Sheet, ...] = ()
    chips: Array = _NONE
    below: tuple[float, float] | None = None
    above: tuple[float, float] | None = None

    @property
    def pitch(self) -> float:
        """Width of a channel and a wall. [m]."""
        return self.duct.width + self.wall

    @property
    def margin(self) -> float:
        """Solid beside the outermost channels. [m]."""
        return 0.5 * (self.width - self.channels * self.pitch + self.wall)

    @property
    def has_walls(self) -> bool:
        """Whether anything solid joins base and lid."""
        return self.channels > 1 or self.margin > _THIN * self.width


class Resolution(NamedTuple):
    """How many cells a model gets.

    Attributes
    ----------
    model : str
    planes : int    Along the flow.
    columns : int    Across a channel; over all channels with ``two_resistor``.
    walls : int    Across a wall; 0 with ``two_resistor``.
    margin : int    Across each margin.
    rows : int    Over the height of the channels.
    base, lid, package : int    Over the base, the lid, each sheet of the package.
    """

    model: Model
    planes: int
    columns: int
    walls: int
    margin: int
    rows: int
    base: int
    lid: int
    package: int


class Lattice(NamedTuple):
    """Columns of a plate.

    Attributes
    ----------
    x, y : float64[nx], float64[ny]    Widths. [m]
    channel : int64[nx]    Number of the channel or group of channels of a column; -1: none.
    position : float64[groups]    Of the middle of each channel or group. [m]
    members : float64[groups]    Channels in each. [-]
    """

    x: Array
    y: Array
    channel: np.ndarray
    position: Array
    members: Array

    @property
    def lines_x(self) -> Array:
        """Lines between columns. [m]."""
        return np.concatenate([[0.0], np.cumsum(self.x)])

    @property
    def lines_y(self) -> Array:
        """Lines between planes. [m]."""
        return np.concatenate([[0.0], np.cumsum(self.y)])


class Flowing(NamedTuple):
    """What the coolant does in each channel or group of a lattice.

    Attributes
    ----------
    rate : float64[groups]    Heat capacity rate of one channel. [W/K]
    capacity : float    Heat capacity per volume. [J/(m3 K)]
    conductivity : float    [W/(m K)]
    film : float64[ny, groups]    [W/(m2 K)]
    velocity : float64[columns, rows]    Over its mean; of ``resolved`` alone. [-]
    """

    rate: Array
    capacity: float
    conductivity: float
    film: Array
    velocity: Array


def lattice(plate: Plate, resolution: Resolution) -> Lattice:
    """Lay out the columns and planes.

    Parameters
    ----------
    plate : Plate
    resolution : Resolution

    Returns
    -------
    Lattice
    """
    y = np.full(resolution.planes, plate.length / resolution.planes)
    count = plate.channels
    if resolution.model == "two_resistor":
        region = min(count * plate.pitch, plate.width)
        edge = 0.5 * (plate.width - region)
        side = np.full(
            resolution.margin if edge > _THIN * plate.width else 0, edge / max(resolution.margin, 1)
        )
        inner = np.full(resolution.columns, region / resolution.columns)
        channel = np.concatenate(
            [np.full(side.size, -1), np.arange(resolution.columns), np.full(side.size, -1)]
        )
        position = np.asarray(edge + (np.arange(resolution.columns) + 0.5) * inner, np.float64)
        members = np.full(resolution.columns, count / resolution.columns)
        return Lattice(np.concatenate([side, inner, side]), y, channel, position, members)
    width = np.full(resolution.columns, plate.duct.width / resolution.columns)
    between = np.full(resolution.walls, plate.wall / resolution.walls)
    thick = plate.margin > _THIN * plate.width  # channels may fill the whole width
    edge = np.full(resolution.margin if thick else 0, plate.margin / max(resolution.margin, 1))
    parts, numbers = [edge], [np.full(edge.size, -1)]
    for number in range(count):
        parts.append(width)
        numbers.append(np.full(width.size, number))
        solid = between if number < count - 1 else edge
        parts.append(solid)
        numbers.append(np.full(solid.size, -1))
    position = np.asarray(plate.margin + 0.5 * plate.duct.width + plate.pitch * np.arange(count), np.float64)
    return Lattice(np.concatenate(parts), y, np.concatenate(numbers), position, np.ones(count))


def cell_count(plate: Plate, resolution: Resolution) -> int:
    """Return how many cells a plate gets.

    Parameters
    ----------
    plate : Plate
    resolution : Resolution

    Returns
    -------
    int
    """
    rows = resolution.rows if resolution.model != "two_resistor" else ROW * resolution.rows + 1
    layers = rows + resolution.base + resolution.lid + len(plate.package) * resolution.package
    return lattice(plate, resolution).x.size * resolution.planes * layers


def stack_of(
    plate: Plate, resolution: Resolution, grid: Lattice, flowing: Flowing, inlet: float
) -> tuple[Stack, int]:
    """Build the stack of a plate.

    Parameters
    ----------
    plate : Plate
    resolution : Resolution
    grid : Lattice
    flowing : Flowing
    inlet : float    [K]

    Returns
    -------
    stack : Stack
    channels : int    Number of the layer with the channels.
    """
    layers: list[Layer] = []
    inside = covered(plate, grid)
    for sheet in plate.package:
        k = inside * sheet.conductivity + (1.0 - inside) * AIR[0]
        heat_capacity = inside * sheet.heat_capacity + (1.0 - inside) * AIR[1]
        slab = Slab(sheet.thickness / resolution.package, (k, k, k), heat_capacity)
        layers.extend([slab] * resolution.package)
    layers.extend(_slabs(plate.base, resolution.base)[::-1])
    channels = len(layers)
    layers.append(_channel_layer(plate, resolution, grid, flowing))
    layers.extend(_slabs(plate.lid, resolution.lid))
    stack = Stack(
        grid.x, grid.y, tuple(layers), grid.channel >= 0, inlet, bottom=plate.below, top=plate.above
    )
    return stack, channels


def covered(plate: Plate, grid: Lattice) -> Array:
    """Return the share of each column and plane that chips cover; all where no chip is given.

    Parameters
    ----------
    plate : Plate
    grid : Lattice

    Returns
    -------
    float64[ny, nx]    [-]
    """
    if plate.chips.shape[0] == 0:
        return np.ones((grid.y.size, grid.x.size))
    x, y, dx, dy = plate.chips.T
    along = _shared(grid.lines_y, y, y + dy) / grid.y[:, None]
    across = _shared(grid.lines_x, x, x + dx) / grid.x[:, None]
    return np.minimum(along @ across.T, 1.0)


def _slabs(sheet: Sheet, cells: int) -> list[Slab]:
    """Cells from the channels outwards, each twice as thick as the one before: heat gathers at the walls."""
    k = sheet.conductivity
    first = sheet.thickness / (2**cells - 1)
    return [Slab(first * 2**n, (k, k, k), sheet.heat_capacity) for n in range(cells)]


def _channel_layer(plate: Plate, resolution: Resolution, grid: Lattice, flowing: Flowing) -> Layer:
    height, k = plate.duct.height, plate.fin.conductivity
    wall = Slab(height, (k, k, k), plate.fin.heat_capacity)
    if resolution.model == "two_resistor":
        return _porous(plate, resolution.rows, grid, flowing)
    here = grid.channel[grid.channel >= 0]
    rate = flowing.rate[here][:, None] * np.ones(resolution.rows) / resolution.rows
    if resolution.model == "resolved":
        columns, rows = flowing.velocity.shape
        cell = np.arange(here.size) % columns
        rate = flowing.rate[here][:, None] * flowing.velocity[cell] / (columns * rows)
        return Ducts(wall, rows, flowing.capacity, flowing.conductivity, None, rate)
    films = flowing.film, flowing.film, flowing.film * (plate.duct.heated == "four")
    return Ducts(wall, resolution.rows, flowing.capacity, flowing.conductivity, films, rate)


def _porous(plate: Plate, rows: int, grid: Lattice, flowing: Flowing) -> Porous:
    """Films and fins of channels on the area that they take; solid beside it."""
    duct, k = plate.duct, plate.fin.conductivity
    inside = grid.channel >= 0
    pitch = grid.x[inside][0] / grid.members[0]  # a little less than the plate's where margins are thin
    share = duct.width / pitch
    to_coolant, through = fin(flowing.film, k, pitch - duct.width, duct.height / rows)
    shape = grid.y.size, grid.x.size
    bottom, top, inner = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    passing = np.full(shape, k * rows / duct.height)
    bottom[:, inside] = flowing.film * share + to_coolant / pitch
    top[:, inside] = flowing.film * share * (duct.heated == "four") + to_coolant / pitch
    inner[:, inside] = to_coolant / pitch
    passing[:, inside] = through / pitch
    rate = np.zeros(grid.x.size)
    rate[inside] = flowing.rate * grid.members
    taken = fin(flowing.film, k, pitch - duct.width, 2.0 * duct.height)[0] / pitch  # the far end gives none
    beyond = taken / (taken + flowing.film * share) - (1.0 - share)
    narrow = strip_constriction(1.0 - share, pitch, plate.base.conductivity)
    constriction = np.zeros(shape)
    constriction[:, inside] = narrow * np.maximum(beyond, 0.0) / share
    return Porous(
        height=duct.height,
        coolant_capacity=share * flowing.capacity,
        wall_capacity=(1.0 - share) * plate.fin.heat_capacity,
        bottom=bottom,
        top=top,
        through=passing,
        along=(1.0 - share) * k,
        rate=rate,
        rows=rows,
        inner=inner,
        constriction=constriction,
    )


def overlap(lines: Array, others: Array) -> Array:
    """Return the length that intervals of two sets of lines share.

    Parameters
    ----------
    lines : float64[n + 1]    Ascending. [m]
    others : float64[m + 1]    Ascending. [m]

    Returns
    -------
    float64[n, m]    [m]
    """
    return _shared(lines, others[:-1], others[1:])


def _shared(lines: Array, low: Array, high: Array) -> Array:
    """Length that the intervals between lines share with others, float64[n, m]. [m]."""
    return np.maximum(np.minimum(lines[1:, None], high) - np.maximum(lines[:-1, None], low), 0.0)


class HeatMap(NamedTuple):
    """Heat released on a rectangle of lines.

    Attributes
    ----------
    x, y : float64[nx + 1], float64[ny + 1]    Lines. [m]
    power : float64[ny, nx]    Of each field. [W]
    """

    x: Array
    y: Array
    power: Array

    def on(self, grid: Lattice) -> Array:
        """Return the heat of each column and plane; it is spread evenly over each field.

        Parameters
        ----------
        grid : Lattice

        Returns
        -------
        float64[ny, nx]    [W]
        """
        along = overlap(grid.lines_y, self.y) / np.diff(self.y)
        across = overlap(grid.lines_x, self.x) / np.diff(self.x)
        return along @ self.power @ across.T
