"""Temperatures of a plate or stack on its lines, and the VTK file of them. Needs no display."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from solvers.coldplate.stack import COOLANT, ROW, WALLS, Porous, Slab, Stack
from solvers.coldplate.system import Array
from twin.errors import OutsideError
from twin.units import ZERO_CELSIUS


@dataclass(frozen=True)
class PlateFields:
    """What is known in each cell.

    Attributes
    ----------
    x, y, z : float64[nx + 1], float64[ny + 1], float64[nz + 1]
        Lines across the channels, along the flow, upwards; from 0. [m]
    temperature : float64[ny, nx, nz]    Of the solid, or of the coolant where a cell holds nothing else. [K]
    coolant : float64[ny, nx, nz]    Of the coolant; NaN where none is. [K]
    heat : float64[ny, nx, nz]    Released. [W]
    layers : tuple of str    Name of each layer of cells.
    """

    x: Array
    y: Array
    z: Array
    temperature: Array
    coolant: Array
    heat: Array
    layers: tuple[str, ...]

    @property
    def hottest(self) -> tuple[int, int, int]:
        """Plane, column and layer of the hottest cell."""
        at = np.unravel_index(int(np.argmax(self.temperature)), self.temperature.shape)
        return int(at[0]), int(at[1]), int(at[2])


def stack_fields(stack: Stack, T: Array, heat: Array, names: dict[int, str]) -> PlateFields:
    """Return the temperatures of a stack; spread channels show their walls, and the coolant beside.

    Parameters
    ----------
    stack : Stack
    T : float64[ny, nx, nz]    Of its cells. [K]
    heat : float64[ny, nx, nz]    [W]
    names : dict    Number of a layer of the stack -> its name.

    Returns
    -------
    PlateFields
    """
    heights: list[float] = []
    layers: list[str] = []
    solid, liquid, released = [], [], []
    for number, layer in enumerate(stack.layers):
        at, end = stack.first[number], stack.first[number + 1]
        cells = T[:, :, at:end]
        none = np.full(cells.shape, np.nan)
        if isinstance(layer, Slab):
            height, shown, coolant = layer.thickness, cells, none
        elif isinstance(layer, Porous):
            height, shown, coolant = layer.height, cells[:, :, WALLS::ROW], cells[:, :, COOLANT::ROW]
            coolant = np.where((np.asarray(layer.rate) != 0.0)[:, None], coolant, np.nan)
        else:
            height, shown = layer.wall.thickness, cells
            coolant = np.where(stack.channel[:, None], cells, np.nan)
        rows = shown.shape[2]
        heights.extend([height / rows] * rows)
        layers.extend([names.get(number, "")] * rows)
        solid.append(shown)
        liquid.append(coolant)
        released.append(np.zeros(shown.shape) if isinstance(layer, Porous) else heat[:, :, at:end])
    return PlateFields(
        *(np.concatenate([[0.0], np.cumsum(widths)]) for widths in (stack.x, stack.y, np.array(heights))),
        temperature=np.concatenate(solid, axis=2),
        coolant=np.concatenate(liquid, axis=2),
        heat=np.concatenate(released, axis=2),
        layers=tuple(layers),
    )


def write_vtk(fields: PlateFields, path: Path) -> None:
    """Write temperatures as a VTK rectilinear grid.

    Parameters
    ----------
    fields : PlateFields
    path : Path
        Ends in ``.vtr``. Cell data: ``temperature`` [degC], ``coolant_temperature`` [degC], NaN without
        coolant, ``heat`` [W/m3] released in the cell.

    Raises
    ------
    OutsideError : the file cannot be written.
    """
    from vtkmodules.util.numpy_support import numpy_to_vtk  # noqa: PLC0415  (half a second, only where needed)
    from vtkmodules.vtkCommonDataModel import vtkRectilinearGrid  # noqa: PLC0415
    from vtkmodules.vtkIOXML import vtkXMLRectilinearGridWriter  # noqa: PLC0415

    grid = vtkRectilinearGrid()
    grid.SetDimensions(fields.x.size, fields.y.size, fields.z.size)
    for set_axis, lines in zip(
        (grid.SetXCoordinates, grid.SetYCoordinates, grid.SetZCoordinates),
        (fields.x, fields.y, fields.z),
        strict=True,
    ):
        set_axis(numpy_to_vtk(np.array(lines, np.float64), deep=True))
    volume = np.diff(fields.y)[:, None, None] * np.diff(fields.x)[:, None] * np.diff(fields.z)
    for name, values in (
        ("temperature", fields.temperature - ZERO_CELSIUS),
        ("coolant_temperature", fields.coolant - ZERO_CELSIUS),
        ("heat", fields.heat / volume),
    ):
        array = numpy_to_vtk(_flat(values).astype(np.float32), deep=True)
        array.SetName(name)
        grid.GetCellData().AddArray(array)
    writer = vtkXMLRectilinearGridWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(grid)
    if not writer.Write():
        raise OutsideError(f"{path}: the fields could not be written; is the disk full?")


def _flat(values: Array) -> NDArray:
    """Order cells as VTK does, x fastest."""
    return np.ascontiguousarray(values.transpose(2, 0, 1)).ravel()
