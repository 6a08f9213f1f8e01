"""From a case to the metrics, masks and patches that the kernels read, with every check on the way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from solvers.airflow.case import AirCase, Closure
from solvers.airflow.kernels import Component
from solvers.errors import CaseError, GridMismatchError
from solvers.grid import make_grid
from solvers.linear.multigrid import flat_cells, padded, strides

_Float = TypeVar("_Float", bound=np.floating)
Three = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""One array for each axis."""

KINDS = ("mixing_length", "k_epsilon", "vreman", "laminar")
_ACROSS = ((1, 2), (0, 2), (0, 1))
_WALL_SAMPLES = 6  # nearest wall faces looked at for the wall distance


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


class Geometry(NamedTuple):
    """Everything that depends on the case alone; arrays are flat and padded unless noted.

    Attributes
    ----------
    shape : tuple    nx, ny, nz.
    fluid : bool[nx, ny, nz]    Cells with air, those of the ambient beside openings included.
    ambient : bool[nx, ny, nz] or None    Cells of the ambient: nothing is solved for in them.
    open_area : tuple of float64[nx+1, ny, nz], ...    Area of the faces that let air through. [m2]
    resists : tuple of bool, the same shapes    Porous faces.
    volume : float32    Cell volume, 0 in solids and in the ambient. [m3]
    flow_area : tuple of float32    Area of open faces and of patch faces. [m2]
    area : tuple of float32    Area of open faces. [m2]
    inverse_area : tuple of float32    [1/m2]
    inverse_width : tuple of float32    1 / cell width, 0 in solids and in the ambient. [1/m]
    mixing : float32    closure constant times wall distance; 0 for laminar. [m]
    components : tuple of Component    u, v, w, T.
    patches : Patches
    """

    shape: tuple[int, int, int]
    fluid: NDArray[np.bool_]
    ambient: NDArray[np.bool_] | None
    open_area: tuple[NDArray[np.float64], ...]
    resists: tuple[NDArray[np.bool_], ...]
    volume: NDArray[np.float32]
    flow_area: Three
    area: Three
    inverse_area: Three
    inverse_width: Three
    mixing: NDArray[np.float32]
    components: tuple[Component, Component, Component, Component]
    patches: Patches


def build_geometry(case: AirCase, closure: Closure) -> Geometry:
    """Check a case and compute its metrics.

    Raises
    ------
    GridMismatchError : an array of the case has not the shape or kind that the grid asks for.
    CaseError : a patch is empty, leaves the grid, opens into a solid, has air behind it or overlaps another.
    """
    _check_shapes(case)
    if closure.kind not in KINDS:
        raise CaseError(f"closure.kind: {closure.kind!r} is unknown; take one of {', '.join(KINDS)}.")
    for name in ("constant", "Pr_t", "nu", "Pr"):
        if not getattr(closure, name) > 0:
            raise CaseError(f"closure.{name}: {getattr(closure, name)} must be positive.")
    shape = case.grid.shape
    step = (*strides(shape), 1)
    fluid, ambient = _fluid_and_ambient(case)
    plates = (case.plate_x, case.plate_y, case.plate_z)
    losses = (case.K_x, case.K_y, case.K_z)
    widths = case.grid.widths
    cross = [_cross_section(widths, axis) for axis in range(3)]
    open_area = tuple(_open_faces(fluid, ambient, plates[axis], axis) * cross[axis] for axis in range(3))
    resists = tuple((losses[axis] > 0) & (open_area[axis] > 0) for axis in range(3))
    patches = _patches(case, fluid, open_area, cross)

    width = [_spread(widths[d], d, shape) for d in range(3)]
    gap = [0.5 * (width[d] + np.roll(width[d], step[d])) for d in range(3)]
    room = fluid if ambient is None else fluid & ~ambient
    air = _pad_cells(room.astype(float), shape)
    is_open = [_pad_faces((open_area[d] > 0).astype(float), d, shape) for d in range(3)]
    passes = [a.copy() for a in is_open]
    for d in range(3):
        passes[d][patches.face[patches.axis == d]] = 1.0
    section = [width[a] * width[b] for a, b in _ACROSS]
    area = [is_open[d] * section[d] for d in range(3)]
    components = [
        _momentum(axis, step, width, gap, air, is_open, section, losses, shape) for axis in range(3)
    ]
    zero = np.zeros(air.size, dtype=np.float32)
    cell_volume = width[0] * width[1] * width[2]
    heat = Component(
        *_three(area[d] / gap[d] for d in range(3)),
        inverse_volume=_single(air / cell_volume),
        inverse_gap=zero,
        loss=zero,
    )
    mixing = zero
    if closure.kind == "mixing_length":
        mixing = _pad_cells(closure.constant * _wall_distance(case, room, open_area, patches), shape)
    return Geometry(
        shape=shape,
        fluid=fluid,
        ambient=ambient,
        open_area=open_area,
        resists=resists,
        volume=_single(air * cell_volume),
        flow_area=_three(passes[d] * section[d] for d in range(3)),
        area=_three(area),
        inverse_area=_three(is_open[d] / section[d] for d in range(3)),
        inverse_width=_three(air / width[d] for d in range(3)),
        mixing=_single(mixing),
        components=(components[0], components[1], components[2], heat),
        patches=patches,
    )


def pad_state(
    values: NDArray[np.floating], axis: int | None, shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Flat padded float32 copy of a cell field (axis None) or of a face field."""
    if axis is None:
        return _single(_pad_cells(values, shape))
    return _single(_pad_faces(values, axis, shape))


def unpad(flat: NDArray[_Float], axis: int | None, shape: tuple[int, int, int]) -> NDArray[_Float]:
    """View of the cells, or of the faces along an axis, of a flat padded array."""
    extent = [slice(1, n + 1 + (d == axis)) for d, n in enumerate(shape)]
    return flat.reshape(padded(shape))[tuple(extent)]


def _single(values: NDArray) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, dtype=np.float32)


def _three(values: Iterable[NDArray]) -> Three:
    x, y, z = (_single(value) for value in values)
    return x, y, z


def _pad_cells(values: NDArray, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    out = np.zeros(padded(shape))
    out[1 : shape[0] + 1, 1:-1, 1:-1] = values
    return out.ravel()


def _pad_faces(values: NDArray, axis: int, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    out = np.zeros(padded(shape))
    unpad(out, axis, shape)[...] = values
    return out.ravel()


def _spread(widths: NDArray[np.float64], axis: int, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    """Cell widths along one axis for every padded cell; the padding repeats the outer cells."""
    line = np.pad(widths, (1, 2 if axis == 0 else 1), mode="edge")
    spread = [1, 1, 1]
    spread[axis] = -1
    return np.ascontiguousarray(np.broadcast_to(line.reshape(spread), padded(shape))).ravel()


def _cross_section(widths, axis: int) -> NDArray[np.float64]:
    a, b = (widths[d] for d in _ACROSS[axis])
    return np.expand_dims(a[:, None] * b[None, :], axis)


def _fluid_and_ambient(case: AirCase) -> tuple[NDArray[np.bool_], NDArray[np.bool_] | None]:
    """Cells with air, and those of the ambient; ambient cells beside no opening are left out of both."""
    solid = case.solid.astype(bool)
    ambient = None
    if case.ambient is not None and case.ambient.any():
        ambient = case.ambient & ~solid
        beside = np.zeros(ambient.shape, dtype=bool)
        for axis, plate in enumerate((case.plate_x, case.plate_y, case.plate_z)):
            low, high, inner = ([slice(None)] * 3 for _ in range(3))
            low[axis], high[axis], inner[axis] = slice(None, -1), slice(1, None), slice(1, -1)
            before, after = tuple(low), tuple(high)
            free = ~plate[tuple(inner)] & ~solid[before] & ~solid[after]
            beside[before] |= free & ~case.ambient[after]
            beside[after] |= free & ~case.ambient[before]
        solid |= case.ambient & ~beside
        ambient &= beside
    fluid = ~solid
    if not (fluid if ambient is None else fluid & ~ambient).any():
        raise CaseError("case.solid: every cell is solid; there is no air to solve for.")
    return fluid, ambient


def _open_faces(fluid, ambient, plate: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Faces that let air through; those between two ambient cells are not solved for and count as closed."""
    out = np.zeros(plate.shape, dtype=bool)
    low, high, inner = ([slice(None)] * 3 for _ in range(3))
    low[axis], high[axis], inner[axis] = slice(None, -1), slice(1, None), slice(1, -1)
    out[tuple(inner)] = fluid[tuple(low)] & fluid[tuple(high)] & ~plate[tuple(inner)]
    if ambient is not None:
        out[tuple(inner)] &= ~(ambient[tuple(low)] & ambient[tuple(high)])
    return out


def _momentum(axis, step, width, gap, air, is_open, section, losses, shape) -> Component:
    t = step[axis]
    g = [np.zeros(0)] * 3
    g[axis] = np.roll(air * section[axis] / width[axis], t)
    for d in _ACROSS[axis]:
        third = 3 - axis - d
        edge = 0.5 * (is_open[d] + np.roll(is_open[d], t))
        g[d] = edge * gap[axis] * width[third] / gap[d]
    solved = is_open[axis]
    loss = _pad_faces(losses[axis], axis, shape) * solved / gap[axis]
    return Component(
        _single(g[0]),
        _single(g[1]),
        _single(g[2]),
        inverse_volume=_single(solved / (gap[axis] * section[axis])),
        inverse_gap=_single(solved / gap[axis]),
        loss=_single(loss),
    )


def _patches(case: AirCase, fluid, open_area, cross) -> Patches:
    shape = fluid.shape
    cells = flat_cells(shape)
    step = (*strides(shape), 1)
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
        if (open_area[axis][tuple(box)] > 0).any():
            raise CaseError(f"{name}: there is air behind it. Put a solid or a plate behind the patch.")
        box[axis] = 0
        area = np.broadcast_to(cross[axis], (*(1 if d == axis else n for d, n in enumerate(shape)),))[
            tuple(box)
        ].ravel()
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


def _check_shapes(case: AirCase) -> None:
    make_grid(*case.grid)
    nx, ny, nz = case.grid.shape
    faces = ((nx + 1, ny, nz), (nx, ny + 1, nz), (nx, ny, nz + 1))
    wanted: dict[str, tuple[tuple[int, ...], str]] = {"solid": ((nx, ny, nz), "b")}
    for axis, letter in enumerate("xyz"):
        wanted[f"plate_{letter}"] = (faces[axis], "b")
        wanted[f"K_{letter}"] = (faces[axis], "f")
    count = (case.patch_axis.size,)
    for name in ("patch_axis", "patch_index", "patch_side"):
        wanted[name] = (count, "i")
    if case.ambient is not None:
        wanted["ambient"] = ((nx, ny, nz), "b")
    wanted["patch_lo"] = wanted["patch_hi"] = ((*count, 2), "i")
    wanted["unit_inlet"] = wanted["unit_outlet"] = ((case.unit_inlet.size,), "i")
    for name, (shape, kind) in wanted.items():
        array = getattr(case, name)
        if count == (0,) and array.size == 0:
            continue
        if array.shape != shape or array.dtype.kind != kind:
            raise GridMismatchError(
                f"case.{name}: {array.dtype} of shape {array.shape}; "
                f"the grid asks for kind '{kind}' of shape {shape}."
            )
    for letter in "xyz":
        loss = getattr(case, f"K_{letter}")
        if not (np.isfinite(loss).all() and (loss >= 0).all()):
            raise CaseError(f"case.K_{letter}: loss coefficients must be finite and not negative.")


def _wall_distance(case: AirCase, fluid, open_area, patches: Patches) -> NDArray[np.float64]:
    """Distance of each cell centre to the nearest closed face that touches air; 0 in solids. [m]."""
    shape = fluid.shape
    middles, halves = [], []
    for axis in range(3):
        touches = np.zeros(open_area[axis].shape, dtype=bool)
        low, high = [slice(None)] * 3, [slice(None)] * 3
        low[axis], high[axis] = slice(1, None), slice(None, -1)
        touches[tuple(low)] |= fluid
        touches[tuple(high)] |= fluid
        closed = touches & (open_area[axis] == 0)
        flat = np.zeros(int(np.prod(padded(shape))))
        flat[patches.face[patches.axis == axis]] = 1
        opening = unpad(flat, axis, shape)
        index = np.argwhere(closed & (opening == 0))
        middle = np.zeros(index.shape)
        half = np.zeros(index.shape)
        for d in range(3):
            if d == axis:
                middle[:, d] = case.grid[d][index[:, d]]
            else:
                middle[:, d] = case.grid.centres[d][index[:, d]]
                half[:, d] = case.grid.widths[d][index[:, d]] / 2
        middles.append(middle)
        halves.append(half)
    middle, half = np.concatenate(middles), np.concatenate(halves)
    distance = np.zeros(shape)
    if middle.shape[0] == 0:
        return distance
    centres = case.grid.centres
    cells = np.argwhere(fluid)
    points = np.stack([centres[d][cells[:, d]] for d in range(3)], axis=1)
    _, near = KDTree(middle).query(points, k=min(_WALL_SAMPLES, middle.shape[0]))
    near = near.reshape(points.shape[0], -1)
    outside = np.maximum(np.abs(points[:, None, :] - middle[near]) - half[near], 0.0)
    distance[fluid] = np.sqrt((outside**2).sum(axis=2)).min(axis=1)
    return distance
