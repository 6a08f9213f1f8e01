"""A 3D-ICE stack with cells inside its walls and channels, with the file's films or without any."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from solvers.coldplate.channel_flow import LAMINAR, Duct, profile
from solvers.coldplate.stack import Ducts, Slab, Stack
from solvers.coolant.fluids import fluid
from twin.errors import Finding, InputError
from twin.plates.ice_model import IceModel, channel_count, flowing, stack_layers
from twin.plates.ice_results import LIKE_WATER, WATER
from twin.plates.ice_stack import Cavity, IceStack

_FINEST, _COARSEST = 24, 4  # cells across a channel, were it resolved


class _Cells(NamedTuple):
    columns: int
    walls: int
    rows: int


def refine_ice(ice: IceStack, kind: str, cells: int) -> IceModel:
    """Lay a stack out with cells inside its walls and channels.

    With ``correlation`` the coolant keeps the films of the file and is mixed over each channel's height. With
    ``resolved`` it has none: heat is conducted in it and moved by the laminar profile. The file gives no
    conductivity of its coolant: one with the heat capacity of water is taken for water, another is refused.

    Parameters
    ----------
    ice : IceStack
    kind : str    ``correlation`` or ``resolved``.
    cells : int    At most, about.

    Returns
    -------
    IceModel

    Raises
    ------
    InputError : the stack has no channels, no films for them, a coolant that is not water, or turbulence.
    """
    cavity = flowing(ice)
    if cavity is None or cavity.kind == "pinfin":
        raise _refusal(ice, "", "the stack has no channels that could be resolved", "Leave --model out")
    if kind == "correlation" and cavity.side == 0.0:
        raise _refusal(ice, cavity.kind, "gives no heat transfer coefficient of the side", "Use a 4rm stack")
    count = channel_count(ice, cavity)
    size = _choose(ice, cavity, count, kind, cells)
    ends = (0.5 * cavity.wall,) * 2 if cavity.kind == "2rm" else (cavity.first_wall, cavity.last_wall)
    parts, mask = [np.full(size.walls, ends[0] / size.walls)], [np.zeros(size.walls, dtype=bool)]
    for number in range(count):
        wall = cavity.wall if number < count - 1 else ends[1]
        parts += [
            np.full(size.columns, cavity.channel / size.columns),
            np.full(size.walls, wall / size.walls),
        ]
        mask += [np.ones(size.columns, dtype=bool), np.zeros(size.walls, dtype=bool)]
    layers, numbers = stack_layers(ice, _ducts(ice, cavity, count, kind, size))
    stack = Stack(
        x=np.concatenate(parts),
        y=np.full(round(ice.width / ice.cell_width), ice.cell_width),
        layers=layers,
        channel=np.concatenate(mask),
        inlet=cavity.inlet_temperature,
        bottom=None if ice.bottom is None else (ice.bottom.coefficient, ice.bottom.temperature),
        top=None if ice.top is None else (ice.top.coefficient, ice.top.temperature),
    )
    return IceModel(ice, stack, numbers, kind)


def _refusal(ice: IceStack, value: str, rule: str, remedy: str) -> InputError:
    return InputError([Finding(str(ice.file), "stack", "", value, rule, remedy)])


def _choose(ice: IceStack, cavity: Cavity, count: int, kind: str, cells: int) -> _Cells:
    """Take the finest cells that stay within the limit."""
    planes = round(ice.width / ice.cell_width)
    layers = sum(len(element.die.layers) if element.die else 1 for element in ice.elements)
    aspect = min(max(cavity.height / cavity.channel, 0.5), 3.0)
    size = _Cells(1, 1, 1)
    for fine in range(_FINEST, _COARSEST - 1, -2):
        across = fine if kind == "resolved" else 1
        size = _Cells(across, max(2, fine // 3), max(_COARSEST, round(fine * aspect)))
        if count * (size.columns + size.walls) * (size.rows + layers - 1) * planes <= cells:
            break
    return size


def _ducts(ice: IceStack, cavity: Cavity, count: int, kind: str, size: _Cells) -> Ducts:
    material = ice.materials[cavity.material]
    wall = Slab(cavity.height, material.conductivity, material.heat_capacity)
    rate = cavity.heat_capacity * cavity.flow / count
    if kind == "correlation":
        shares = np.full((count, size.rows), rate / size.rows)
        films = cavity.side, cavity.bottom, cavity.top
        return Ducts(wall, size.rows, cavity.heat_capacity, np.inf, films, shares)
    if abs(cavity.heat_capacity - WATER) > LIKE_WATER * WATER:
        rule = "J/(m3 K) is not the heat capacity of water, and the file gives no conductivity"
        raise _refusal(ice, f"{cavity.heat_capacity:.4g}", rule, "Use the file's own model")
    water, T = fluid("water"), cavity.inlet_temperature
    duct = Duct(cavity.channel, cavity.height, ice.width)
    viscosity = float(water.viscosity(T)) / float(water.density(T))
    Re = cavity.flow / count / duct.area * duct.diameter / viscosity
    if Re > LAMINAR:
        rule = "is turbulent; the resolved profile is laminar"
        raise _refusal(ice, f"Re = {Re:.0f}", rule, "Use the file's own model")
    velocity = profile(duct, size.columns, size.rows) / (size.columns * size.rows)
    shares = np.tile(rate * velocity, (count, 1))
    return Ducts(wall, size.rows, cavity.heat_capacity, float(water.conductivity(T)), None, shares)
