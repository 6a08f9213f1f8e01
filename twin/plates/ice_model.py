"""From a 3D-ICE stack to the compact model: columns and planes, layers, heat of the floorplans."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from solvers.coldplate.stack import Channels, Porous, Slab, Stack, pin_film
from solvers.coldplate.stack import Layer as SolverLayer
from solvers.coldplate.system import Array
from twin.errors import Finding, InputError
from twin.plates.ice_stack import Block, Cavity, Element, IceStack, Layer, Rectangle

logger = logging.getLogger(__name__)

_Cells = tuple[slice, slice]  # planes, columns


@dataclass(frozen=True)
class IceModel:
    """A stack on its cells.

    Attributes
    ----------
    ice : IceStack
    stack : Stack    What the solver gets.
    layer : dict    Element of the stack -> number of its layer in `stack`; of a die, its source layer.
    kind : str    ``file``: as it says; ``correlation``: its films, solids resolved; ``resolved``: no films.
    """

    ice: IceStack
    stack: Stack
    layer: dict[str, int]
    kind: str = "file"

    @property
    def edges(self) -> tuple[Array, Array]:
        """Lines of the columns along x and of the planes along y, from 0. [m]."""
        x, y = (np.concatenate([[0.0], np.cumsum(widths)]) for widths in (self.stack.x, self.stack.y))
        return x, y

    def cells(self, element: Element) -> int:
        """Return the layer of cells of an element: where a die's heat is released, where coolant flows.

        Parameters
        ----------
        element : Element

        Returns
        -------
        int
        """
        return self.stack.coolant(self.layer[element.name])

    def place(self, x: float, y: float) -> tuple[int, int]:
        """Return plane and column of a point; one on a line belongs to the cell after it.

        Parameters
        ----------
        x, y : float    [m]

        Returns
        -------
        int, int
        """
        lines_x, lines_y = self.edges
        near = 1e-9  # m: a coordinate in whole micrometres lies on the line that it names
        column = int(np.searchsorted(lines_x, x + near, side="right")) - 1
        plane = int(np.searchsorted(lines_y, y + near, side="right")) - 1
        return min(plane, lines_y.size - 2), min(column, lines_x.size - 2)

    def covered(self, rectangle: Rectangle) -> _Cells:
        """Return the planes and columns that a rectangle touches.

        Parameters
        ----------
        rectangle : Rectangle

        Returns
        -------
        slice, slice
        """
        first = self.place(rectangle.x, rectangle.y)
        end = [
            int(np.searchsorted(lines, to - 1e-9, side="left"))
            for lines, to in zip(
                self.edges, (rectangle.x + rectangle.length, rectangle.y + rectangle.width), strict=True
            )
        ]
        return slice(first[0], max(end[1], first[0] + 1)), slice(first[1], max(end[0], first[1] + 1))

    def shares(self, block: Block) -> list[tuple[_Cells, Array]]:
        """Return how the heat of a block falls on cells: cells and shares, by area; they sum to 1.

        Parameters
        ----------
        block : Block

        Returns
        -------
        list of (cells, float64[planes, columns])
        """
        lines_x, lines_y = self.edges
        found = []
        for r in block.rectangles:
            planes, columns = cells = self.covered(r)
            along = _overlap(lines_y[planes.start : planes.stop + 1], r.y, r.y + r.width)
            across = _overlap(lines_x[columns.start : columns.stop + 1], r.x, r.x + r.length)
            found.append((cells, along[:, None] * across / block.area))
        return found

    def slots(self) -> int:
        """Return for how many slots of time the floorplans have powers; 1 when steady.

        Returns
        -------
        int

        Raises
        ------
        InputError : no block has a power.
        """
        blocks = [(e, b) for e in self.ice.elements if e.floorplan for b in e.floorplan.blocks]
        counts = {len(block.powers) for _, block in blocks if block.powers}
        if not counts:
            rule, remedy = "no block of any floorplan has power values", "Add 'power values ... ;'"
            raise InputError([Finding(str(self.ice.file), "stack", "floorplan", "", rule, remedy)])
        silent = [f"{element.name}.{block.name}" for element, block in blocks if not block.powers]
        if silent:
            logger.warning("%s: no power values, taken for 0 W: %s", self.ice.file, ", ".join(silent[:8]))
        if len(counts) > 1 and not self.ice.steady:
            logger.warning("%s: floorplans differ in slots; ends after %d", self.ice.file, min(counts))
        return 1 if self.ice.steady else min(counts)

    def heat(self, slot: int, shape: tuple[int, int, int]) -> Array:
        """Return the heat released in each cell during a slot.

        Parameters
        ----------
        slot : int    From 0.
        shape : tuple    Of the cells.

        Returns
        -------
        float64[ny, nx, nz]    [W]
        """
        heat = np.zeros(shape)
        for element in self.ice.elements:
            if element.floorplan is None:
                continue
            at = self.cells(element)
            for block in element.floorplan.blocks:
                if not block.powers:
                    continue
                for (planes, columns), share in self.shares(block):
                    heat[planes, columns, at] += block.powers[slot] * share
        return heat


def build_ice(ice: IceStack) -> IceModel:
    """Lay a stack out on its cells.

    Parameters
    ----------
    ice : IceStack

    Returns
    -------
    IceModel
    """
    cavity = flowing(ice)
    if cavity is not None and cavity.kind == "4rm":
        pitch = cavity.channel + cavity.wall
        walls = round((ice.length - cavity.first_wall - cavity.last_wall - cavity.channel) / pitch)
        x = np.array(
            [cavity.first_wall, *[cavity.channel, cavity.wall] * walls, cavity.channel, cavity.last_wall]
        )
        channel = np.arange(x.size) % 2 == 1
    else:
        x = np.full(round(ice.length / ice.cell_length), ice.cell_length)
        channel = np.zeros(x.size, dtype=bool)
    gap = None if cavity is None else _channels(ice, cavity, x, int(channel.sum()))
    layers, number = stack_layers(ice, gap)
    stack = Stack(
        x=x,
        y=np.full(round(ice.width / ice.cell_width), ice.cell_width),
        layers=layers,
        channel=channel,
        inlet=ice.initial_temperature if cavity is None else cavity.inlet_temperature,
        bottom=None if ice.bottom is None else (ice.bottom.coefficient, ice.bottom.temperature),
        top=None if ice.top is None else (ice.top.coefficient, ice.top.temperature),
        outer_faces=True,
        scheme="central_held",
    )
    return IceModel(ice, stack, number)


def flowing(ice: IceStack) -> Cavity | None:
    """Return what flows in the channels of a stack; None where it has none.

    Parameters
    ----------
    ice : IceStack

    Returns
    -------
    Cavity or None
    """
    return ice.cavity if any(element.is_channel for element in ice.elements) else None


def stack_layers(ice: IceStack, gap: SolverLayer | None) -> tuple[tuple[SolverLayer, ...], dict[str, int]]:
    """Return the layers of a stack from below, and the number of each element's.

    Parameters
    ----------
    ice : IceStack
    gap : layer, optional    What stands for each channel.

    Returns
    -------
    tuple of layers, dict
    """
    layers: list[SolverLayer] = []
    number: dict[str, int] = {}
    for element in reversed(ice.elements):
        if element.die is not None:
            solids = element.die.layers[::-1]
            number[element.name] = len(layers) + len(solids) - 1 - element.die.source
            layers.extend(_slab(ice, layer) for layer in solids)
            continue
        number[element.name] = len(layers)
        if element.layer is not None:
            layers.append(_slab(ice, element.layer))
        elif gap is not None:
            layers.append(gap)
    return tuple(layers), number


def channel_count(ice: IceStack, cavity: Cavity) -> int:
    """Return the number of channels of a cavity.

    Parameters
    ----------
    ice : IceStack
    cavity : Cavity

    Returns
    -------
    int
    """
    pitch = cavity.channel + cavity.wall
    if cavity.kind == "4rm":
        return round((ice.length - cavity.first_wall - cavity.last_wall - cavity.channel) / pitch) + 1
    return int(ice.length / pitch + 0.5)


def _slab(ice: IceStack, layer: Layer) -> Slab:
    material = ice.materials[layer.material]
    return Slab(layer.height, material.conductivity, material.heat_capacity)


def _channels(ice: IceStack, cavity: Cavity, x: Array, count: int) -> Channels | Porous:
    material = ice.materials[cavity.material]
    if cavity.kind == "4rm":
        wall = Slab(cavity.height, material.conductivity, material.heat_capacity)
        rate = np.full(count, cavity.heat_capacity * cavity.flow / count)
        return Channels(wall, cavity.heat_capacity, cavity.side, cavity.bottom, cavity.top, rate)
    if cavity.kind == "2rm":
        porosity = cavity.channel / (cavity.channel + cavity.wall)
        channels = channel_count(ice, cavity)
        rate = cavity.heat_capacity * cavity.flow * porosity * x / (channels * cavity.channel)
        bottom, top, along = cavity.bottom, cavity.top, (1.0 - porosity) * material.conductivity[1]
    else:
        porosity = 1.0 - 0.25 * np.pi * (cavity.diameter / cavity.pitch) ** 2
        rate = cavity.heat_capacity * cavity.darcy_velocity * cavity.height * x
        bottom = top = pin_film(cavity.darcy_velocity, cavity.staggered)
        along = 0.0
    return Porous(
        height=cavity.height,
        coolant_capacity=porosity * cavity.heat_capacity,
        wall_capacity=(1.0 - porosity) * material.heat_capacity,
        bottom=bottom,
        top=top,
        through=(1.0 - porosity) * material.conductivity[2] / cavity.height,
        along=along,
        rate=rate,
    )


def _overlap(lines: Array, start: float, end: float) -> Array:
    """Length of each interval between lines that lies between start and end."""
    return np.maximum(np.minimum(lines[1:], end) - np.maximum(lines[:-1], start), 0.0)
