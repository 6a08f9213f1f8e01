"""Write the fields of a solved room as a VTK file, for ParaView and its like. Needs no display."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkRectilinearGrid
from vtkmodules.vtkIOXML import vtkXMLRectilinearGridWriter

from solvers.airflow.case import AirState
from solvers.airflow.sample import cell_velocity
from twin.errors import OutsideError
from twin.model.scene import Scene
from twin.units import ZERO_CELSIUS


def write_fields(scene: Scene, state: AirState, path: Path) -> None:
    """Write temperature, velocity, pressure and solids of a state as a VTK rectilinear grid.

    Parameters
    ----------
    scene : Scene
    state : AirState
    path : Path
        Ends in ``.vtr``. Cell data: ``temperature`` [degC], ``velocity`` [m/s] (mean of the cell's faces),
        ``pressure`` [Pa] (relative to the room, see ``Scene.gauge_pressure``), ``solid`` (1 in solids, where
        the rest means nothing).

    Raises
    ------
    OutsideError : the file cannot be written.
    """
    grid = vtkRectilinearGrid()
    nx, ny, nz = scene.case.grid.shape
    grid.SetDimensions(nx + 1, ny + 1, nz + 1)
    for set_axis, faces in zip(
        (grid.SetXCoordinates, grid.SetYCoordinates, grid.SetZCoordinates), scene.case.grid, strict=True
    ):
        set_axis(numpy_to_vtk(np.array(faces, np.float64), deep=True))
    fields = {
        "temperature": _flat(np.asarray(state.T, np.float64) - ZERO_CELSIUS).astype(np.float32),
        "velocity": np.stack([_flat(part) for part in cell_velocity(state)], axis=-1).astype(np.float32),
        "pressure": _flat(scene.gauge_pressure(state.p)).astype(np.float32),
        "solid": _flat(scene.case.solid).astype(np.uint8),
    }
    for name, values in fields.items():
        array = numpy_to_vtk(np.ascontiguousarray(values), deep=True)
        array.SetName(name)
        grid.GetCellData().AddArray(array)
    writer = vtkXMLRectilinearGridWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(grid)
    if not writer.Write():
        raise OutsideError(f"{path}: the fields could not be written; is the disk full?")


def _flat(values: NDArray) -> NDArray:
    """Order cells as VTK does, x fastest."""
    return values.transpose(2, 1, 0).ravel()
