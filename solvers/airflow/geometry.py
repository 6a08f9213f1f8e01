"""From a case to the metrics, masks and patches that the kernels read, with every check on the way."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import AirCase, Closure
from solvers.airflow.metrics import Sections, build_components, build_sections
from solvers.airflow.patches import Patches, find_patches
from solvers.airflow.transport import Component
from solvers.airflow.wall_distance import wall_distance
from solvers.errors import CaseError, GridMismatchError
from solvers.grid import Grid, make_grid
from solvers.linear.multigrid import padded

_Float = TypeVar("_Float", bound=np.floating)
Three = tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]
"""One array for each axis, of its faces: bool[nx+1, ny, nz], [nx, ny+1, nz], [nx, ny, nz+1]."""

KINDS = ("mixing_length", "k_epsilon", "vreman", "laminar")
_ACROSS = ((1, 2), (0, 2), (0, 1))


class Geometry(NamedTuple):
    """Everything that depends on the case alone; arrays are flat and padded unless noted.

    Attributes
    ----------
    grid : Grid
    shape : tuple    nx, ny, nz.
    fluid : bool[nx, ny, nz]    Cells with air, those of the ambient beside openings included.
    ambient : bool[nx, ny, nz] or None    Cells of the ambient: nothing is solved for in them.
    open_faces : Three    Faces that let air through.
    resists : Three    Those of them that are porous.
    volume : float32    Cell volume, 0 in solids and in the ambient. [m3]
    mixing : float32    closure constant times wall distance; 0 for laminar, empty for the others. [m]
    components : tuple of Component    u, v, w, scalars.
    sections : Sections    Areas of all faces, widths of all cells.
    patches : Patches
    """

    grid: Grid
    shape: tuple[int, int, int]
    fluid: NDArray[np.bool_]
    ambient: NDArray[np.bool_] | None
    open_faces: Three
    resists: Three
    volume: NDArray[np.float32]
    mixing: NDArray[np.float32]
    components: tuple[Component, Component, Component, Component]
    sections: Sections
    patches: Patches

    @property
    def room(self) -> NDArray[np.bool_]:
        """Cells with air that are solved for, [nx, ny, nz]."""
        return self.fluid if self.ambient is None else self.fluid & ~self.ambient

    @property
    def open_area(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Area of the faces that let air through, 0 elsewhere; computed anew each time. [m2]."""
        x, y, z = (faces * _cross_section(self.grid, d) for d, faces in enumerate(self.open_faces))
        return x, y, z

    def inverse_width(self, axis: int, cell: NDArray[np.int64]) -> NDArray[np.float64]:
        """1 / width along an axis of cells (flat padded indices), 0 outside the room. [1/m]."""
        values, sx = self.sections.inverse_width[axis], self.sections.plane[0].size
        return np.where(self.volume[cell] > 0, values[cell // sx if axis == 0 else cell % sx], 0.0)


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
    for name in ("constant", "Pr_t", "nu", "Pr", "vreman", "intensity", "length"):
        if not 0 < getattr(closure, name) < np.inf:
            raise CaseError(f"closure.{name}: {getattr(closure, name)} must be positive and finite.")
    shape = case.grid.shape
    fluid, ambient = _fluid_and_ambient(case)
    plates = (case.plate_x, case.plate_y, case.plate_z)
    x, y, z = (_open_faces(fluid, ambient, plates[axis], axis) for axis in range(3))
    open_faces = (x, y, z)
    patches = find_patches(case, fluid, open_faces)
    room = fluid if ambient is None else fluid & ~ambient
    distance = np.zeros(0, dtype=np.float32)
    if closure.kind == "mixing_length":
        distance = pad_state(wall_distance(case.grid, room, open_faces, patches), None, shape)
    elif closure.kind == "laminar":
        distance = np.zeros(int(np.prod(padded(shape))), dtype=np.float32)
    dx, dy, dz = (line.astype(np.float32) for line in case.grid.widths)
    return Geometry(
        grid=case.grid,
        shape=shape,
        fluid=fluid,
        ambient=ambient,
        open_faces=open_faces,
        resists=((case.K_x > 0) & x, (case.K_y > 0) & y, (case.K_z > 0) & z),
        volume=pad_state(room * (dx[:, None, None] * (dy[:, None] * dz)), None, shape),
        mixing=distance * np.float32(closure.constant),
        components=build_components(case.grid, room, open_faces),
        sections=build_sections(case.grid),
        patches=patches,
    )


def pad_state(
    values: NDArray[np.floating], axis: int | None, shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Flat padded float32 copy of a cell field (axis None) or of a face field."""
    out = np.zeros(padded(shape), dtype=np.float32)
    unpad(out, axis, shape)[...] = values
    return out.reshape(-1)


def unpad(flat: NDArray[_Float], axis: int | None, shape: tuple[int, int, int]) -> NDArray[_Float]:
    """View of the cells, or of the faces along an axis, of a flat padded array."""
    extent = [slice(1, n + 1 + (d == axis)) for d, n in enumerate(shape)]
    return flat.reshape(padded(shape))[tuple(extent)]


def _cross_section(grid: Grid, axis: int) -> NDArray[np.float64]:
    a, b = (grid.widths[d] for d in _ACROSS[axis])
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
