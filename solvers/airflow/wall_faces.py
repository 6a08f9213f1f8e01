"""Find the walls of a room: every closed face beside air that is no patch.

Each wall slows the velocity points beside it::

        o----u----o        u lies on a face between two cells; the wall below both of them wets it in full,
        |    .    |        the wall below one of them by half.
        ===========        y : distance of the velocity point from the wall, half a cell width
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import AirCase
from solvers.errors import CaseError, GridMismatchError
from solvers.linear.multigrid import flat_cells, padded, strides

if TYPE_CHECKING:
    from solvers.airflow.geometry import Geometry

_ACROSS = ((1, 2), (0, 2), (0, 1))


class WallPoints(NamedTuple):
    """Velocity points of one component beside walls, one entry a point and wall.

    Attributes
    ----------
    target : int64[n]    Flat padded index of the velocity.
    cell, other : int64[n]    Cells with the wall on both sides of the point; twice the one if one has it.
    y : float32[n]    Distance from the wall. [m]
    weight : float32[n]    Wetted share over the cell width: friction [1/s] per tau / (rho u) [m/s]. [1/m]
    velocity : float32[n]    Of the wall, along the component. [m/s]
    """

    target: NDArray[np.int64]
    cell: NDArray[np.int64]
    other: NDArray[np.int64]
    y: NDArray[np.float32]
    weight: NDArray[np.float32]
    velocity: NDArray[np.float32]


class WallFaces(NamedTuple):
    """Closed faces beside air cells.

    Attributes
    ----------
    cell : int64[n]    Flat padded index of the air cell.
    axis : int64[n]    Axis that the face is normal to.
    side : int64[n]    +1: the air lies on the + side.
    area : float64[n]    [m2]
    y : float64[n]    Distance of the cell centre. [m]
    surface : int64[n]    Surface that the face belongs to; -1: a plain wall.
    """

    cell: NDArray[np.int64]
    axis: NDArray[np.int64]
    side: NDArray[np.int64]
    area: NDArray[np.float64]
    y: NDArray[np.float64]
    surface: NDArray[np.int64]

    def take(self, which: NDArray[np.int64]) -> WallFaces:
        """Return some of the faces."""
        columns: tuple[Any, ...] = tuple(self)
        return WallFaces(*(column[which] for column in columns))


def _surface_of_faces(case: AirCase, geometry: Geometry) -> dict[tuple[int, int], NDArray[np.int64]]:
    """Map each face, by axis, side and air cell (flat padded), to its surface; -1 is none."""
    surfaces = case.surfaces
    if surfaces is None:
        return {}
    _check(case)
    shape, cells = geometry.shape, flat_cells(geometry.shape)
    found: dict[tuple[int, int], NDArray[np.int64]] = {}
    for number in range(surfaces.axis.size):
        axis, side = int(surfaces.axis[number]), int(surfaces.side[number])
        row = int(surfaces.index[number]) - (side < 0)
        if not 0 <= row < shape[axis]:
            continue
        box: list[slice | int] = [0, 0, 0]
        for column, d in enumerate(_ACROSS[axis]):
            box[d] = slice(int(surfaces.lo[number, column]), int(surfaces.hi[number, column]))
        box[axis] = row
        where = found.setdefault((axis, side), np.full(int(np.prod(padded(shape))), -1, dtype=np.int64))
        where[cells[tuple(box)].ravel()] = number
    return found


def _check(case: AirCase) -> None:
    """Raise if a surface leaves the grid or has a value out of range; all faults at once."""
    surfaces = case.surfaces
    assert surfaces is not None
    count = surfaces.axis.size
    shapes = {"lo": (count, 2), "hi": (count, 2), "velocity": (count, 3)}
    for name, values in surfaces._asdict().items():
        if np.shape(values) != shapes.get(name, (count,)):
            raise GridMismatchError(
                f"case.surfaces.{name}: shape {np.shape(values)}; {shapes.get(name, (count,))} is needed."
            )
    shape, faults = case.grid.shape, []
    for n in range(count):
        axis = int(surfaces.axis[n])
        name = f"surface {n}"
        if axis not in (0, 1, 2) or int(surfaces.side[n]) not in (-1, 1):
            faults.append(f"{name}: the axis must be 0, 1 or 2 and the side +1 or -1.")
            continue
        across = [shape[d] for d in _ACROSS[axis]]
        lo, hi = surfaces.lo[n], surfaces.hi[n]
        if not 0 <= surfaces.index[n] <= shape[axis] or (lo < 0).any() or (hi > across).any():
            faults.append(f"{name}: it leaves the grid of {shape} cells.")
        if np.isinf(surfaces.T[n]) or (not np.isnan(surfaces.T[n]) and not surfaces.T[n] > 0):
            faults.append(f"{name}: T = {surfaces.T[n]} K must be an absolute temperature, or NaN.")
        if not surfaces.U[n] >= 0:
            faults.append(f"{name}: U = {surfaces.U[n]} W/(m2 K) must not be negative; inf is allowed.")
        if not 0 <= surfaces.C[n] < np.inf:
            faults.append(f"{name}: C = {surfaces.C[n]} J/(m2 K) must be finite and not negative.")
        if not np.isfinite(surfaces.velocity[n]).all() or surfaces.velocity[n, axis] != 0:
            faults.append(f"{name}: its velocity must be finite and lie in its plane.")
    if faults:
        raise CaseError("case.surfaces: " + " ".join(faults))


def collect_walls(case: AirCase, geometry: Geometry) -> tuple[tuple[WallPoints, ...], WallFaces]:
    """Find all walls, and the velocity points of u, v, w beside them.

    Raises
    ------
    GridMismatchError, CaseError : a surface does not fit the grid, or a value of it is out of range.
    """
    surface = _surface_of_faces(case, geometry)
    shape = geometry.shape
    step = (*strides(shape), 1)
    size = int(np.prod(padded(shape)))
    air = np.zeros(size, dtype=bool)
    room = geometry.fluid if case.ambient is None else geometry.fluid & ~case.ambient
    air[flat_cells(shape)[room]] = True
    widths = case.grid.widths
    points: list[list[WallPoints]] = [[], [], []]
    faces: list[WallFaces] = []
    solved = [_flat_faces(geometry.open_area[c] > 0, shape, c) for c in range(3)]
    for d in range(3):
        passes = solved[d].copy()
        patches = geometry.patches
        passes[patches.face[patches.axis == d]] = True
        for side in (+1, -1):
            face_of = 0 if side > 0 else step[d]
            cell = np.flatnonzero(air)
            cell = cell[~passes[cell + face_of]]
            at = cell_index(cell, shape)
            y = 0.5 * widths[d][at[d]]
            a, b = _ACROSS[d]
            area = widths[a][at[a]] * widths[b][at[b]]
            number = surface.get((d, side))
            of = np.full(cell.size, -1, dtype=np.int64) if number is None else number[cell]
            faces.append(WallFaces(cell, np.full(cell.size, d), np.full(cell.size, side), area, y, of))
            for c in _ACROSS[d]:
                points[c].append(_points(case, cell, y, of, c, step[c], solved[c]))
    return tuple(WallPoints(*_joined(parts)) for parts in points), WallFaces(*_joined(faces))


def _points(case: AirCase, cell, y, surface, c: int, t: int, solved) -> WallPoints:
    """Points of component c beside walls of one direction: one entry where both cells share the wall."""
    surfaces = case.surfaces
    velocity = np.zeros(cell.size)
    rough = np.ones(cell.size, dtype=bool)
    if surfaces is not None:
        on = surface >= 0
        velocity[on] = surfaces.velocity[surface[on], c]
        rough[on] = ~surfaces.slip[surface[on]]
    cell, y, velocity = cell[rough], y[rough], velocity[rough]
    order = np.argsort(cell)
    cell, y, velocity = cell[order], y[order], velocity[order]
    behind = np.searchsorted(cell, cell - t)  # the neighbour on the low side, where it is in the list
    found = np.minimum(behind, max(cell.size - 1, 0))
    pair = (cell[found] == cell - t) & (velocity[found] == velocity) if cell.size else np.zeros(0, bool)
    has_high = np.zeros(cell.size, dtype=bool)
    has_high[found[pair]] = True
    kept = []
    for which, target, back, share in (
        (pair, cell, t, 1.0),
        (~pair, cell, 0, 0.5),
        (~has_high, cell + t, 0, 0.5),
    ):
        use = np.flatnonzero(which)
        use = use[solved[target[use]]]
        near = y[use]
        numbers = (near, 0.5 * share / near, velocity[use])
        kept.append((target[use], cell[use], cell[use] - back, *(x.astype(np.float32) for x in numbers)))
    return WallPoints(*_joined(kept))


def _joined(parts: Sequence[Sequence[NDArray[Any]]]) -> list[NDArray[Any]]:
    """Join lists of columns, column by column."""
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def wall_centres(case: AirCase, faces: WallFaces) -> tuple[NDArray[np.float64], ...]:
    """Return x, y, z of the centres of wall faces. [m]."""
    at = cell_index(faces.cell, case.grid.shape)
    out = [centres[i] for centres, i in zip(case.grid.centres, at, strict=True)]
    for d in range(3):
        on = faces.axis == d
        out[d] = np.where(on, out[d] - faces.side * faces.y, out[d])
    return tuple(out)


def _flat_faces(values: NDArray[np.bool_], shape: tuple[int, int, int], axis: int) -> NDArray[np.bool_]:
    out = np.zeros(padded(shape), dtype=bool)
    out[tuple(slice(1, n + 1 + (d == axis)) for d, n in enumerate(shape))] = values
    return out.ravel()


def cell_index(cell: NDArray[np.int64], shape: tuple[int, int, int]) -> tuple[NDArray[np.int64], ...]:
    """Return the indices i, j, k of flat padded cells."""
    sx, sy = strides(shape)
    return cell // sx - 1, cell % sx // sy - 1, cell % sy - 1
