"""Compact models of a stack of layers with channels between them: four resistors a channel cell, or two.

K2   four resistors: a cell of coolant meets its walls through films, h_side A to either side, h_bottom A
     below and h_top A above; a cell is as wide as the channel or the wall between two.
K3   two resistors: channels and walls are spread over the layer. Per area, the coolant meets the lower
     wall through h_bottom, the upper one through h_top; the walls between channels join the two.
K4   a wall of thickness w and height H between channels, film h on both sides, is a fin with two roots.
     With m = sqrt(2 h / (k w)) each root gives k w m tanh(m H / 2) to the coolant and k w m / sinh(m H)
     passes between them, per length of wall and kelvin.
K9   the way from an even flux into walls of share a of the pitch p resists p / (pi k) ln(1 / sin(pi a / 2)),
     for what they take beyond their share of the area
K5   pins: 1 / h = 2.527e-5 / (u + 1.35)^n + 1.533e-6, u the Darcy velocity; n = 0.64 inline, 1.52 staggered
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from solvers.coldplate.system import Array, Cells, Leak, Scheme, System, assemble
from solvers.errors import CaseError

WALLS, COOLANT, ROW = 1, 2, 3
"""Layers of cells of a row of a `Porous`: a surface, walls, coolant; a surface lies above all rows. [-]"""
_MIXED = 1e4  # conductance inside mixed coolant, over that of its films


class Slab(NamedTuple):
    """A solid layer.

    Attributes
    ----------
    thickness : float    [m]
    conductivity : tuple of float or float64[ny, nx]    Along x, y, z. [W/(m K)]
    heat_capacity : float or float64[ny, nx]    Per volume. [J/(m3 K)]
    """

    thickness: float
    conductivity: tuple[float | Array, float | Array, float | Array]
    heat_capacity: float | Array


class Channels(NamedTuple):
    """A layer of channels along y, four resistors each; which columns they are says the stack.

    Attributes
    ----------
    wall : Slab    Height and what the walls between are made of.
    coolant_capacity : float    Heat capacity per volume. [J/(m3 K)]
    side, bottom, top : float or float64[ny, channels]    Film coefficients of the four faces. [W/(m2 K)]
    rate : float64[channels]    Heat capacity rate of each channel, positive along +y. [W/K]
    """

    wall: Slab
    coolant_capacity: float
    side: float | Array
    bottom: float | Array
    top: float | Array
    rate: Array


class Ducts(NamedTuple):
    """A layer of channels along y, several cells high; which columns they are says the stack.

    Either each channel is several columns wide and heat is conducted in the coolant, cell by cell, with the
    velocity of a resolved profile; or it is one column with films to its walls. Laminar coolant does not mix
    over the height of a deep channel, so its rows only conduct to each other, unless it is said to be mixed.

    Attributes
    ----------
    wall : Slab    Height of all cells together, and what the walls between are made of.
    rows : int    Cells over the height.
    coolant_capacity : float    Heat capacity per volume. [J/(m3 K)]
    conductivity : float    Of the coolant, with films over its height alone; inf: it is mixed. [W/(m K)]
    films : tuple or None
        Of mixed coolant, to the side, below and above; float or float64[ny, channels]. [W/(m2 K)]
    rate : float64[columns that are channels, rows]    Heat capacity rate of each cell, along +y. [W/K]
    """

    wall: Slab
    rows: int
    coolant_capacity: float
    conductivity: float
    films: tuple[float | Array, float | Array, float | Array] | None
    rate: Array


class Porous(NamedTuple):
    """A layer of channels or pins spread over its area, two resistors; or several rows of such.

    Attributes
    ----------
    height : float    Of all rows together. [m]
    coolant_capacity, wall_capacity : float    Heat capacities per volume of the layer. [J/(m3 K)]
    bottom, top : float or float64[ny, nx]    Film coefficients on the layer's area. [W/(m2 K)]
    through : float or float64[ny, nx]    Conductance of a row's walls from below to above. [W/(m2 K)]
    along : float    Conductivity of the layer along y by the walls between. [W/(m K)]
    rate : float64[nx]    Heat capacity rate over each column, positive along +y. [W/K]
    rows : int    Rows over the height; their coolant does not mix.
    inner : float or float64[ny, nx]    Film coefficient, as `bottom`, where two rows meet. [W/(m2 K)]
    constriction : float or float64[ny, nx]    Resistance of the way into the walls' lower roots. [m2 K/W]
    """

    height: float
    coolant_capacity: float
    wall_capacity: float
    bottom: float | Array
    top: float | Array
    through: float | Array
    along: float
    rate: Array
    rows: int = 1
    inner: float | Array = 0.0
    constriction: float | Array = 0.0


Layer = Slab | Channels | Ducts | Porous


class Stack(NamedTuple):
    """Layers from below, on columns along x and planes along y.

    Attributes
    ----------
    x, y : float64[nx], float64[ny]    Widths of the columns, depths of the planes. [m]
    layers : tuple    From the lowest.
    channel : bool[nx]    Columns that are channels in a layer of `Channels`.
    inlet : float    Temperature of the coolant at the inlet. [K]
    bottom, top : tuple of float, optional    Film coefficient and temperature outside. [W/(m2 K), K]
    outer_faces : bool
        Whether the unknowns of the lowest and highest layer lie on their outer faces instead of in their
        middle, where nothing is beyond.
    scheme : str    Of the coolant along y, see `assemble`.
    """

    x: Array
    y: Array
    layers: tuple[Layer, ...]
    channel: np.ndarray
    inlet: float
    bottom: tuple[float, float] | None = None
    top: tuple[float, float] | None = None
    outer_faces: bool = False
    scheme: Scheme = "central"

    @property
    def first(self) -> tuple[int, ...]:
        """Where the cells of each layer begin, and their number. [-]."""
        counts = []
        for layer in self.layers:
            if isinstance(layer, Porous):
                counts.append(ROW * layer.rows + 1)
            else:
                counts.append(layer.rows if isinstance(layer, Ducts) else 1)
        return (0, *(int(n) for n in np.cumsum(counts)))

    def coolant(self, number: int) -> int:
        """Return the lowest layer of cells that holds the coolant of a layer, or the cells of a slab.

        Parameters
        ----------
        number : int    Of the layer.

        Returns
        -------
        int
        """
        return self.first[number] + (COOLANT if isinstance(self.layers[number], Porous) else 0)


def build(stack: Stack) -> System:
    """Assemble the heat balance of a stack.

    Parameters
    ----------
    stack : Stack

    Returns
    -------
    System    Arrays are [ny, nx, nz], nz the layers of cells.

    Raises
    ------
    CaseError : a layer of channels is the lowest or the highest, or columns and channels disagree.

    Source : Sridhar et al. 2010, ICCAD (four resistors) and THERMINIC (two); K5 as in their program's guide.
    Check  : tests/unit/solvers/coldplate/test_stack.py, tests/unit/twin/plates/test_ice.py
    """
    if not all(isinstance(stack.layers[at], Slab) for at in (0, -1)):
        raise CaseError("the lowest and the highest layer of a stack must be solid.")
    shape = stack.y.size, stack.x.size, stack.first[-1]
    cells = Cells(*(np.zeros(shape) for _ in range(5)))
    rate = np.zeros(shape[1:])
    porous = any(isinstance(layer, Porous) for layer in stack.layers)
    skip = np.zeros((*shape[:2], shape[2] - 2 if porous else 0))
    area = stack.y[:, None] * stack.x
    for number, layer in enumerate(stack.layers):
        at = stack.first[number]
        if isinstance(layer, Slab):
            _fill_slab(cells, at, layer, stack)
        elif isinstance(layer, Channels):
            _fill_channels(cells, rate, at, layer, stack)
        elif isinstance(layer, Ducts):
            _fill_ducts(cells, rate, at, layer, stack)
        else:
            _fill_porous(cells, rate, skip, at, layer, stack)
    leaks = []
    for edge, (film, layer) in enumerate(((stack.bottom, 0), (stack.top, -1))):
        inner, outer = (cells.top, cells.bottom) if edge == 0 else (cells.bottom, cells.top)
        half = outer[:, :, layer]
        if film is not None:
            film_conductance = film[0] * area
            leaks.append(Leak(half * film_conductance / (half + film_conductance), film[1], layer))
        elif stack.outer_faces:
            inner[:, :, layer] *= 0.5
    return assemble(cells, rate, stack.inlet, tuple(leaks), skip if porous else None, stack.scheme)


def _fill_slab(cells: Cells, at: int, slab: Slab, stack: Stack) -> None:
    x, y, height = stack.x, stack.y[:, None], slab.thickness
    kx, ky, kz = slab.conductivity
    cells.side[:, :, at] = 2.0 * kx * height * y / x
    cells.along[:, :, at] = 2.0 * ky * height * x / y
    cells.bottom[:, :, at] = cells.top[:, :, at] = 2.0 * kz * x * y / height
    cells.capacity[:, :, at] = slab.heat_capacity * height * x * y


def _fill_channels(cells: Cells, rate: Array, at: int, channels: Channels, stack: Stack) -> None:
    _fill_slab(cells, at, channels.wall, stack)
    here = np.flatnonzero(stack.channel)
    if here.size == 0 or channels.rate.shape != here.shape:
        raise CaseError(
            f"{here.size} columns of the stack are channels, the flow is that of {channels.rate.size}."
        )
    x, y, height = stack.x[here], stack.y[:, None], channels.wall.thickness
    cells.side[:, here, at] = channels.side * height * y
    cells.bottom[:, here, at] = channels.bottom * x * y
    cells.top[:, here, at] = channels.top * x * y
    cells.along[:, here, at] = 0.0
    cells.capacity[:, here, at] = channels.coolant_capacity * height * x * y
    rate[here, at] = channels.rate


def _fill_ducts(cells: Cells, rate: Array, at: int, ducts: Ducts, stack: Stack) -> None:
    here = np.flatnonzero(stack.channel)
    if ducts.rate.shape != (here.size, ducts.rows):
        raise CaseError(
            f"{here.size} columns and {ducts.rows} rows are channels, the flow is {ducts.rate.shape}."
        )
    d = ducts.wall.thickness / ducts.rows
    solid = ducts.wall._replace(thickness=d)
    x, y = stack.x[here], stack.y[:, None]
    for row in range(ducts.rows):
        layer = at + row
        _fill_slab(cells, layer, solid, stack)
        rate[here, layer] = ducts.rate[:, row]
        cells.capacity[:, here, layer] = ducts.coolant_capacity * d * x * y
        if ducts.films is None:
            cells.side[:, here, layer] = 2.0 * ducts.conductivity * d * y / x
            cells.along[:, here, layer] = 2.0 * ducts.conductivity * d * x / y
            cells.bottom[:, here, layer] = cells.top[:, here, layer] = 2.0 * ducts.conductivity * x * y / d
            continue
        side, bottom, top = ducts.films
        mixed = 2.0 * min(ducts.conductivity / d, 1e99) * x * y
        if math.isinf(ducts.conductivity):
            mixed = _MIXED * side * (ducts.wall.thickness + x) * y
        cells.side[:, here, layer] = side * d * y
        cells.along[:, here, layer] = 0.0
        cells.bottom[:, here, layer] = bottom * x * y if row == 0 else mixed
        cells.top[:, here, layer] = top * x * y if row == ducts.rows - 1 else mixed


def _fill_porous(cells: Cells, rate: Array, skip: Array, at: int, porous: Porous, stack: Stack) -> None:
    """Surfaces have no capacity; only the halves between cells count."""
    x, y, height = stack.x, stack.y[:, None], porous.height / porous.rows
    area = x * y
    huge = 1e18 * area  # a surface: the half conductance on its other side is the whole one
    cells.top[:, :, at] = huge
    cells.bottom[:, :, at] = area / np.maximum(porous.constriction, 1e-18)
    for row in range(porous.rows):
        below = at + ROW * row
        walls, coolant, above = below + WALLS, below + COOLANT, below + ROW
        cells.bottom[:, :, above] = cells.top[:, :, above] = huge
        cells.bottom[:, :, walls] = 2.0 * porous.through * area
        skip[:, :, walls] = 2.0 * porous.through * area
        cells.along[:, :, walls] = 2.0 * porous.along * height * x / y
        cells.capacity[:, :, walls] = porous.wall_capacity * height * area
        skip[:, :, below] = (porous.bottom if row == 0 else porous.inner) * area
        cells.top[:, :, coolant] = (porous.top if row == porous.rows - 1 else porous.inner) * area
        cells.capacity[:, :, coolant] = porous.coolant_capacity * height * area
        rate[:, coolant] = porous.rate / porous.rows


def fin(film: float | Array, conductivity: float, thickness: float, height: float) -> tuple[Array, Array]:
    """Conductances of a wall between two channels from plate to plate, per length of wall.             (K4).

    Parameters
    ----------
    film : float or float64[...]    Film coefficient on both sides. [W/(m2 K)]
    conductivity : float    Of the wall. [W/(m K)]
    thickness, height : float    Of the wall. [m]

    Returns
    -------
    to_coolant, through : float64[...]    From either root to the coolant; from root to root. [W/(m K)]

    Source : Incropera and DeWitt, extended surfaces; the exact solution with both roots' temperatures given.
    Check  : tests/unit/solvers/coldplate/test_stack.py
    """
    h = np.asarray(film, dtype=np.float64)
    m = np.sqrt(2.0 * h / (conductivity * thickness))
    strength = conductivity * thickness * m
    return strength * np.tanh(0.5 * m * height), strength / np.sinh(m * height)


def strip_constriction(share: float, pitch: float, conductivity: float) -> float:
    """Resistance of heat that comes evenly from far away into walls, were all of it to go through them. (K9).

        R = pitch / (pi k) ln(1 / sin(pi a / 2)),    a the walls' share of the pitch

    Parameters
    ----------
    share : float    Above 0, up to 1. [-]
    pitch : float    [m]
    conductivity : float    Of the base. [W/(m K)]

    Returns
    -------
    float    On the whole area. [m2 K/W]

    Validity : base thicker than a third of the pitch, roots of one temperature.
    Source   : conformal map of strips in a half space; Mikic and Rohsenow 1966, MIT report 4542-41.
    Check    : tests/unit/solvers/coldplate/test_stack.py
    """
    return pitch / (math.pi * conductivity) * math.log(1.0 / math.sin(0.5 * math.pi * share))


def pin_film(darcy_velocity: float, staggered: bool) -> float:
    """Film coefficient of a layer of pins, on the layer's area.                                         (K5).

    Parameters
    ----------
    darcy_velocity : float    Flow over the gross cross-section. [m/s]
    staggered : bool    Pins staggered instead of in line.

    Returns
    -------
    float    [W/(m2 K)]

    Validity : circular pins of 50 um at a pitch of 100 um, 100 um high, water.
    Source   : correlation of the 3D-ICE program for pin fins, after Brunschwiler et al. 2009.
    """
    return 1.0 / (2.527e-5 / math.pow(darcy_velocity + 1.35, 1.52 if staggered else 0.64) + 1.533e-6)
