"""A room that two solvers can be given alike: two rows of racks at one cold aisle, a return high on a wall.

::

    y=6.0 +----------------------------+
          |        hot aisle B         |
          |     B1 B2 B3 B4 B5 B6      |     racks 0.6 x 1.2 x 2.0 m, fronts to the cold aisle
          |     tiles b1 ... b6        +     tiles 0.6 x 0.6 m, blowing up
          |     tiles a1 ... a6        | return, 2.4 x 0.6 m, open to the ambient
          |     A1 A2 A3 A4 A5 A6      +
          |        hot aisle A         |
    y=0.0 +----------------------------+
         x=0                         6.6

A rack is a solid box that draws air in through its whole front and gives it back through its whole rear.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import CP, RHO, AirCase, Closure, UnitInputs
from solvers.grid import make_grid
from twin.errors import InputError

Point = tuple[float, float, float]

SIZE: Point = (6.6, 6.0, 3.0)
"""[m]"""
RACK: Point = (0.6, 1.2, 2.0)
"""Width, depth, height of a rack. [m]"""
TILE = 0.6
"""Width of a tile. [m]"""
PER_KILOWATT = 0.0566
"""Air flow of a rack, 120 cfm per kW. [m3/(s kW)]"""
DENSITY = 1.18
"""Of the air that carries the heat. [kg/m3]"""
EXPANSION = 3.4e-3
"""Thermal expansion coefficient. [1/K]"""
VISCOSITY = 1.55e-5
"""[m2/s]"""
PRANDTL, PRANDTL_TURBULENT = 0.71, 0.85
INTENSITY, MIXING_LENGTH = 0.05, 0.06
"""Of the turbulence in what tiles and racks blow: share of the tiles' velocity, and length. [-], [m]"""
AMBIENT = 300.0
"""Temperature of air that comes in through the return. [K]"""
_FIRST_X, _ROW_A, _ROW_B, _AISLE = 1.2, 1.2, 3.6, 2.4


class Rectangle(NamedTuple):
    """An opening: corners of a rectangle that is flat along one axis. [m]."""

    name: str
    lo: Point
    hi: Point


class PeerRack(NamedTuple):
    """A rack: the corners of its box and which side draws. [m]."""

    name: str
    lo: Point
    hi: Point
    facing: int  # of the front along y, +1 or -1

    @property
    def front(self) -> Rectangle:
        """The face that draws air in."""
        return self._face(f"front_{self.name}", self.facing)

    @property
    def rear(self) -> Rectangle:
        """The face that gives it back."""
        return self._face(f"back_{self.name}", -self.facing)

    def _face(self, name: str, side: int) -> Rectangle:
        y = self.hi[1] if side > 0 else self.lo[1]
        return Rectangle(name, (self.lo[0], y, self.lo[2]), (self.hi[0], y, self.hi[2]))


RETURN = Rectangle("return", (SIZE[0], 1.8, 2.0), (SIZE[0], 4.2, 2.6))


def racks() -> Iterator[PeerRack]:
    """Go through the racks, row A first."""
    for row, y, facing in (("A", _ROW_A, +1), ("B", _ROW_B, -1)):
        for number in range(6):
            lo = (_FIRST_X + number * RACK[0], y, 0.0)
            yield PeerRack(f"{row}{number + 1}", lo, (lo[0] + RACK[0], y + RACK[1], RACK[2]), facing)


def tiles() -> Iterator[Rectangle]:
    """Go through the tiles, pair by pair along the aisle."""
    for number in range(6):
        for row, y in (("a", _AISLE), ("b", _AISLE + TILE)):
            x = _FIRST_X + number * TILE
            yield Rectangle(f"tile_{row}{number + 1}", (x, y, 0.0), (x + TILE, y + TILE, 0.0))


@dataclass(frozen=True)
class PeerRoom:
    """What the room is asked to do.

    Attributes
    ----------
    cell : float      Cell size; a whole part of 0.6 m that fits height and depth of the room. [m]
    power : float     Of each rack. [W]
    supply : float    Flow of all tiles over the flow of all racks. [1]
    T_supply : float  Of the tiles; also where the peer's air is neutral. [K]
    """

    cell: float = 0.1
    power: float = 6000.0
    supply: float = 0.7
    T_supply: float = 291.15

    def __post_init__(self) -> None:
        edges = (*SIZE, *RACK, TILE, RETURN.lo[1], RETURN.lo[2])
        counts = np.array(edges) / self.cell
        if not np.allclose(counts, np.round(counts), atol=1e-6):
            raise InputError(
                f"peer room: cells of {self.cell:g} m do not fit its racks. Try 0.2, 0.1 or 0.05."
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Cells along x, y, z, racks included."""
        nx, ny, nz = (round(length / self.cell) for length in SIZE)
        return nx, ny, nz

    @property
    def cells(self) -> int:
        """Cells of the box, racks included."""
        return int(np.prod(self.shape))

    @property
    def rack_flow(self) -> float:
        """Air through a rack. [m3/s]."""
        return self.power / 1e3 * PER_KILOWATT

    @property
    def rack_speed(self) -> float:
        """Mean velocity through a rack's front and rear. [m/s]."""
        return self.rack_flow / (RACK[0] * RACK[2])

    @property
    def tile_speed(self) -> float:
        """Mean velocity above a tile. [m/s]."""
        return self.supply * self.rack_flow / TILE**2

    @property
    def heat(self) -> float:
        """Heat of a rack over density and specific heat. [K m3/s]."""
        return self.power / (DENSITY * CP)

    def closure(self, kind: str) -> Closure:
        """Return a closure with the air's properties."""
        return Closure(
            kind=kind,
            nu=VISCOSITY,
            Pr=PRANDTL,
            Pr_t=PRANDTL_TURBULENT,
            intensity=INTENSITY,
            length=MIXING_LENGTH / TILE,
        )

    @property
    def T_ref(self) -> float:  # noqa: N802 - the symbol of the solver
        """Reference temperature that gives the air the expansion coefficient of the room. [K]."""
        return 1.0 / EXPANSION

    def case(self) -> AirCase:
        """Return the room for our solver: units 0 to 11 are the racks, 12 to 23 the tiles.

        Behind the wall with the return lies one layer of cells more, ambient where the return is.
        """
        return _Builder(self).case()

    def inputs(self) -> UnitInputs:
        """Return what the units do: racks heat, tiles supply air from outside at one temperature."""
        nr, nt = len(list(racks())), len(list(tiles()))
        flow = np.concatenate([np.full(nr, self.rack_flow), np.full(nt, self.supply * self.rack_flow)])
        heat = np.concatenate([np.full(nr, RHO * CP * self.heat), np.zeros(nt)])
        T_supply = np.concatenate([np.full(nr, np.nan), np.full(nt, self.T_supply)])
        unlimited, none = np.full(nr + nt, np.inf), np.zeros(nr + nt)
        return UnitInputs(flow, heat, T_supply, unlimited, none, T_ambient=AMBIENT)


class _Builder:
    """Collects the patches of a room on its grid."""

    def __init__(self, room: PeerRoom) -> None:
        self.cell = room.cell
        nx, ny, nz = room.shape
        self.shape = (nx + 1, ny, nz)
        self.patches: list[tuple[int, int, list[int], list[int], int]] = []

    def case(self) -> AirCase:
        nx, ny, nz = self.shape
        solid, ambient = (np.zeros(self.shape, dtype=bool) for _ in range(2))
        solid[-1] = True
        y, z = (self._range(RETURN, axis) for axis in (1, 2))
        solid[-1, y, z] = False
        ambient[-1, y, z] = True
        inlets, outlets = [], []
        for rack in racks():
            solid[tuple(self._range(rack, axis) for axis in range(3))] = True
            inlets.append(self._patch(rack.front, 1, rack.facing))
            outlets.append(self._patch(rack.rear, 1, -rack.facing))
        for tile in tiles():
            inlets.append(-1)
            outlets.append(self._patch(tile, 2, +1))
        faces = [(nx + 1, ny, nz), (nx, ny + 1, nz), (nx, ny, nz + 1)]
        axis, index, lo, hi, side = zip(*self.patches, strict=True)
        return AirCase(
            make_grid(*(self.cell * np.arange(n + 1) for n in self.shape)),
            solid,
            *(np.zeros(shape, dtype=bool) for shape in faces),
            *(np.zeros(shape, dtype=np.float32) for shape in faces),
            patch_axis=np.array(axis),
            patch_index=np.array(index),
            patch_lo=np.array(lo),
            patch_hi=np.array(hi),
            patch_side=np.array(side),
            unit_inlet=np.array(inlets),
            unit_outlet=np.array(outlets),
            ambient=ambient,
        )

    def _patch(self, face: Rectangle, axis: int, side: int) -> int:
        across = [self._range(face, d) for d in range(3) if d != axis]
        self.patches.append(
            (axis, self._line(face.lo[axis]), [r.start for r in across], [r.stop for r in across], side)
        )
        return len(self.patches) - 1

    def _range(self, box: Rectangle | PeerRack, axis: int) -> slice:
        return slice(self._line(box.lo[axis]), self._line(box.hi[axis]))

    def _line(self, coordinate: float) -> int:
        return round(coordinate / self.cell)


def mirrored(inlets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Exchange the two rows: the room is its own mirror image, and a flow may settle into either.

    Parameters
    ----------
    inlets : float64[12]    By rack, row A first.

    Returns
    -------
    float64[12]
    """
    return np.concatenate([inlets[6:], inlets[:6]])
