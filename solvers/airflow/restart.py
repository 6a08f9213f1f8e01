"""Carry a state over to another grid of the same room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from solvers.airflow.case import AirState
from solvers.airflow.sample import corners_around
from solvers.airflow.wall_faces import wall_centres
from solvers.errors import GridMismatchError
from solvers.grid import Grid

if TYPE_CHECKING:
    from solvers.airflow.model import AirModel

_BLOCK = 50_000  # cells


def move_state(model_to: AirModel, model_from: AirModel, state: AirState) -> AirState:
    """Do the work of `solvers.airflow.model.restart`; see there."""
    if model_to.case.unit_inlet.size != model_from.case.unit_inlet.size:
        raise GridMismatchError(
            f"restart: {model_from.case.unit_inlet.size} units cannot become {model_to.case.unit_inlet.size}."
        )
    old, new = model_from.case.grid, model_to.case.grid
    fluid = model_to.stepper.geometry.fluid
    cells = {name: getattr(state, name) for name in ("T", "p", "k", "epsilon")}
    sampled = _sampled(model_from, new, fluid, {n: f for n, f in cells.items() if f is not None})
    faces = []
    for axis, field in enumerate(state[:3]):
        source = [old[d] if d == axis else old.centres[d] for d in range(3)]
        target = [new[d] if d == axis else new.centres[d] for d in range(3)]
        values = _interpolate(np.asarray(field, dtype=np.float64), source, target)
        values *= model_to.stepper.geometry.open_area[axis] > 0
        faces.append(values.astype(np.float32))
    return AirState(
        *faces,
        p=sampled["p"],
        T=sampled["T"],
        T_unit=np.array(state.T_unit, dtype=np.float64),
        time=state.time,
        k=sampled.get("k"),
        epsilon=sampled.get("epsilon"),
        T_surface=_layers(model_to, model_from, state),
    )


def _sampled(
    model: AirModel, grid: Grid, fluid: NDArray[np.bool_], fields: dict[str, NDArray[np.floating]]
) -> dict[str, NDArray[np.float32]]:
    """Sample cell fields of a model at the air cells of another grid; solids take the nearest of them.

    Goes through the cells in blocks: the eight corners of a point take 300 bytes.
    """
    out = {name: np.zeros(fluid.shape, dtype=np.float32) for name in fields}
    cells = np.flatnonzero(fluid)
    for first in range(0, cells.size, _BLOCK):
        block = cells[first : first + _BLOCK]
        index = np.unravel_index(block, fluid.shape)
        points = np.stack([c[i] for c, i in zip(grid.centres, index, strict=True)], axis=1)
        corners = corners_around(model.case.grid, model.stepper.geometry, points)
        for name, field in fields.items():
            out[name].ravel()[block] = corners.of(field)
    return {name: _fill_solids(values, fluid) for name, values in out.items()}


def _layers(model_to: AirModel, model_from: AirModel, state: AirState) -> NDArray[np.float64] | None:
    """Temperature of the layers of surfaces: that of the nearest old layer of the same surface. [K]."""
    if state.T_surface is None:
        return None
    old, new = model_from.stepper.walls, model_to.stepper.walls
    if not new.layers.size or not old.layers.size:
        return None
    places = []
    for model, walls in ((model_from, old), (model_to, new)):
        faces = walls.layer_faces
        middle = np.stack(wall_centres(model.case, faces), axis=1)
        places.append(np.column_stack([middle, 1e6 * faces.surface]))  # surfaces lie far apart
    _, nearest = KDTree(places[0]).query(places[1])
    return np.asarray(state.T_surface, dtype=np.float64)[nearest]


def _fill_solids(values: NDArray[np.float32], fluid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give each solid cell the value of the nearest air cell, counted in cells."""
    from scipy.ndimage import distance_transform_edt  # noqa: PLC0415

    nearest = np.asarray(distance_transform_edt(~fluid, return_distances=False, return_indices=True))
    return values[nearest[0], nearest[1], nearest[2]]


def _interpolate(values: NDArray[np.float64], source, target) -> NDArray[np.float64]:
    """Linear interpolation axis by axis; constant beyond the outer points."""
    for axis in range(3):
        points = source[axis]
        at = np.clip(target[axis], points[0], points[-1])
        low = np.clip(np.searchsorted(points, at) - 1, 0, max(points.size - 2, 0))
        high = np.minimum(low + 1, points.size - 1)
        weight = (at - points[low]) / np.where(high > low, points[high] - points[low], 1.0)
        shape = [1, 1, 1]
        shape[axis] = -1
        weight = weight.reshape(shape)
        values = np.take(values, low, axis) * (1 - weight) + np.take(values, high, axis) * weight
    return values
