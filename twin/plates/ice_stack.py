"""A 3D-ICE stack as data, in SI units."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Quantity = Literal["maximum", "minimum", "average", "gradient"]
Instant = Literal["step", "slot", "final"]


@dataclass(frozen=True)
class Material:
    """A solid.

    Attributes
    ----------
    conductivity : tuple of float    Along x, y, z. [W/(m K)]
    heat_capacity : float    Per volume. [J/(m3 K)]
    """

    conductivity: tuple[float, float, float]
    heat_capacity: float


@dataclass(frozen=True)
class Sink:
    """Film coefficient [W/(m2 K)] to a temperature [K] above or below the stack."""

    coefficient: float
    temperature: float


@dataclass(frozen=True)
class Cavity:
    """What fills every ``channel`` of a stack.

    Attributes
    ----------
    kind : str    ``4rm``, ``2rm`` or ``pinfin``.
    height : float    [m]
    channel, wall, first_wall, last_wall : float    Widths along x; 0 with pins. [m]
    diameter, pitch : float    Of the pins; 0 with channels. [m]
    staggered : bool    Pins.
    material : str    Of walls or pins.
    side, bottom, top : float    Film coefficients; 0 with pins. [W/(m2 K)]
    flow : float    Of a cavity, with channels. [m3/s]
    darcy_velocity : float    With pins. [m/s]
    heat_capacity : float    Of the coolant, per volume. [J/(m3 K)]
    inlet_temperature : float    [K]
    """

    kind: str
    height: float
    material: str
    heat_capacity: float
    inlet_temperature: float
    channel: float = 0.0
    wall: float = 0.0
    first_wall: float = 0.0
    last_wall: float = 0.0
    diameter: float = 0.0
    pitch: float = 0.0
    staggered: bool = False
    side: float = 0.0
    bottom: float = 0.0
    top: float = 0.0
    flow: float = 0.0
    darcy_velocity: float = 0.0


@dataclass(frozen=True)
class Layer:
    """Thickness [m] and material of a solid layer."""

    height: float
    material: str


@dataclass(frozen=True)
class Die:
    """Layers from the upper one down, and which of them releases the heat."""

    layers: tuple[Layer, ...]
    source: int


@dataclass(frozen=True)
class Rectangle:
    """Lowest corner and size in the plane of a die. [m]."""

    x: float
    y: float
    length: float
    width: float


@dataclass(frozen=True)
class Block:
    """An element of a floorplan.

    Attributes
    ----------
    rectangles : tuple of Rectangle
    powers : tuple of float    One a slot. [W]
    """

    name: str
    rectangles: tuple[Rectangle, ...]
    powers: tuple[float, ...]
    line: int

    @property
    def area(self) -> float:
        """Area of all rectangles. [m2]."""
        return sum(r.length * r.width for r in self.rectangles)


@dataclass(frozen=True)
class Floorplan:
    """Blocks of a die."""

    file: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Element:
    """An element of the stack: a layer, a die or a channel; exactly one of the first two, or none."""

    name: str
    layer: Layer | None = None
    die: Die | None = None
    floorplan: Floorplan | None = None

    @property
    def is_channel(self) -> bool:
        """Whether coolant flows here."""
        return self.layer is None and self.die is None


@dataclass(frozen=True)
class Output:
    """A request for temperatures.

    Attributes
    ----------
    kind : str    ``T Tflp Tflpel Tmap Tcoolant Pmap``.
    element, block : str    Of the stack; of its floorplan.
    x, y : float    With T. [m]
    path : str    As the file gives it.
    quantity : str    With Tflp, Tflpel and Tcoolant.
    """

    kind: str
    element: str
    path: str
    instant: Instant
    block: str = ""
    x: float = 0.0
    y: float = 0.0
    quantity: Quantity = "average"


@dataclass(frozen=True)
class IceStack:
    """All that a .stk file and its floorplans say.

    Attributes
    ----------
    file : Path
    materials : dict    By name.
    elements : tuple of Element    From the uppermost down.
    length, width : float    Of the chip, along x and along y, the way the coolant flows. [m]
    cell_length, cell_width : float    [m]
    step, slot : float    Of a transient; 0 when steady. [s]
    initial_temperature : float    [K]
    """

    file: Path
    materials: dict[str, Material]
    elements: tuple[Element, ...]
    length: float
    width: float
    cell_length: float
    cell_width: float
    initial_temperature: float
    cavity: Cavity | None = None
    top: Sink | None = None
    bottom: Sink | None = None
    step: float = 0.0
    slot: float = 0.0
    outputs: tuple[Output, ...] = ()

    @property
    def steady(self) -> bool:
        """Whether a steady state is asked for."""
        return self.step == 0.0

    def find(self, name: str) -> Element:
        """Return an element by its name.

        Parameters
        ----------
        name : str

        Returns
        -------
        Element
        """
        return next(element for element in self.elements if element.name == name)
