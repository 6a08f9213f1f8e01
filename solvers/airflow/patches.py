"""Patches of a case as lists of faces, with every check on the way."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import AirCase
from solvers.errors import CaseError
from solvers.linear.multigrid import flat_cells, strides

_ACROSS = ((1, 2), (0, 2), (0, 1))


class Patches(NamedTuple):
    """Openings as lists of faces, patch after patch.

    Attributes
    ----------
    cell : int64[faces]    Flat padded index of the air cell beside the face.
    face : int64[faces]    Flat padded index of the face, in the array of its axis.
    axis : int64[faces]    Axis that the face is normal to.
    owner : int64[faces]    Patch that the face belongs to.
    share : float64[faces]    Area of the face over the area of its patch. [-]
    side : int64[faces]    +1: air on the + side of the face.
    area : float64[np]    Area of each patch. [m2]
    """

    cell: NDArray[np.int64]
    face: NDArray[np.int64]
    axis: NDArray[np.int64]
    owner: NDArray[np.int64]
    share: NDArray[np.float64]
    side: NDArray[np.int64]
    area: NDArray[np.float64]


def find_patches(
    case: AirCase, fluid: NDArray[np.bool_], open_faces: tuple[NDArray[np.bool_], ...]
) -> Patches:
    """Faces of all patches, one after the other.

    Raises
    ------
    CaseError : a patch is empty, leaves the grid, opens into a solid, has air behind it or overlaps another;
        a unit has no patch or shares one.
    """
    shape = fluid.shape
    cells = flat_cells(shape)
    step, widths = (*strides(shape), 1), case.grid.widths
    columns: list[tuple[NDArray, ...]] = []
    areas = np.zeros(case.patch_axis.size)
    taken: dict[tuple[int, int, int], int] = {}
    for number in range(case.patch_axis.size):
        axis, index = int(case.patch_axis[number]), int(case.patch_index[number])
        side = int(case.patch_side[number])
        lo, hi = case.patch_lo[number], case.patch_hi[number]
        cells_named = f"cells {lo.tolist()} to {hi.tolist()}"
        name = f"patch {number} (axis {axis}, face {index}, {cells_named}, side {side:+d})"
        if axis not in (0, 1, 2) or side not in (-1, 1):
            raise CaseError(f"{name}: the axis must be 0, 1 or 2 and the side +1 or -1.")
        first, second = _ACROSS[axis]
        row = index if side > 0 else index - 1
        inside = (
            0 <= row < shape[axis] and (lo >= 0).all() and hi[0] <= shape[first] and hi[1] <= shape[second]
        )
        if not inside or (hi <= lo).any():
            raise CaseError(f"{name}: it is empty or leaves the grid of {shape} cells.")
        box: list[slice | int] = [0, 0, 0]
        box[first], box[second] = slice(int(lo[0]), int(hi[0])), slice(int(lo[1]), int(hi[1]))
        box[axis] = row
        if not fluid[tuple(box)].all():
            count = int((~fluid[tuple(box)]).sum())
            raise CaseError(
                f"{name}: {count} of its faces open into a solid. Move it or free the cells before it."
            )
        cell = cells[tuple(box)].ravel()
        box[axis] = index
        behind = index - 1 if side > 0 else index
        box[axis] = behind
        if 0 <= behind < shape[axis] and fluid[tuple(box)].any():
            raise CaseError(f"{name}: there is air behind it. Put a solid behind the patch.")
        box[axis] = index
        a, b = (widths[d][box[d]] for d in (first, second))
        area = (a[:, None] * b[None, :]).ravel()
        face = cell + (0 if side > 0 else step[axis])
        for one in face.tolist():
            other = taken.setdefault((axis, one, side), number)
            if other != number:
                raise CaseError(f"{name}: it overlaps patch {other}. A face belongs to one patch.")
        areas[number] = area.sum()
        columns.append(
            (
                cell,
                face,
                np.full(cell.size, axis),
                np.full(cell.size, number),
                area / areas[number],
                np.full(cell.size, side),
            )
        )
    _check_units(case)
    if not columns:
        none = np.zeros(0, dtype=np.int64)
        return Patches(none, none, none, none, np.zeros(0), none, areas)
    return Patches(*(np.concatenate(column) for column in zip(*columns, strict=True)), area=areas)


def _check_units(case: AirCase) -> None:
    used: dict[int, str] = {}
    for kind, list_of in (("inlet", case.unit_inlet), ("outlet", case.unit_outlet)):
        for unit, patch in enumerate(list_of.tolist()):
            if patch == -1:
                continue  # the ambient
            if not 0 <= patch < case.patch_axis.size:
                raise CaseError(
                    f"unit {unit}: its {kind} is patch {patch}, but there are {case.patch_axis.size} patches "
                    "(-1 is the ambient)."
                )
            if patch in used:
                raise CaseError(
                    f"unit {unit}: its {kind} is patch {patch}, which is already the {used[patch]}."
                )
            used[patch] = f"{kind} of unit {unit}"
