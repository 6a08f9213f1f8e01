"""Widths and codes of the control volumes of u, v, w and the scalars.

The grid is rectilinear, so every area, volume and distance is a number along x times one across it: a line of
nx + 3 and a plane of sx numbers replace full arrays. What is open around a control volume is one byte.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.fluxes import SOLVED
from solvers.airflow.transport import Component, Field, Metrics
from solvers.grid import Grid
from solvers.linear.multigrid import padded, strides


class Sections(NamedTuple):
    """Area of the faces of each axis, open or not: a line along x times a plane across it.

    Attributes
    ----------
    line, plane : tuple of float32[nx+3], tuple of float32[sx]    [m, m] or [-, m2]
    inverse_line, inverse_plane : the same of 1 / area
    inverse_width : tuple of float32[nx+3], float32[sx], float32[sx]    1 / cell width along x, y, z. [1/m]
    """

    line: tuple[Field, Field, Field]
    plane: tuple[Field, Field, Field]
    inverse_line: tuple[Field, Field, Field]
    inverse_plane: tuple[Field, Field, Field]
    inverse_width: tuple[Field, Field, Field]


class _Lines(NamedTuple):
    """Widths of cells, of the cells before, distance of both centres; x as lines, y and z as planes. [m]."""

    width: tuple[NDArray[np.float64], ...]
    before: tuple[NDArray[np.float64], ...]
    gap: tuple[NDArray[np.float64], ...]


def build_sections(grid: Grid) -> Sections:
    """Areas and widths of the cells of a grid."""
    (x, y, z), one = _lines(grid).width, np.ones(grid.shape[0] + 3)
    line, plane = (one, x, x), (y * z, z, y)
    return Sections(
        _three(line),
        _three(plane),
        _three(tuple(1 / a for a in line)),
        _three(tuple(1 / a for a in plane)),
        _three((1 / x, 1 / y, 1 / z)),
    )


def build_components(
    grid: Grid, room: NDArray[np.bool_], open_faces: tuple[NDArray[np.bool_], ...]
) -> tuple[Component, Component, Component, Component]:
    """Components u, v, w and the scalar of a case.

    Parameters
    ----------
    grid : Grid
    room : bool[nx, ny, nz]    Cells that are solved for.
    open_faces : bool[nx+1, ny, nz], [nx, ny+1, nz], [nx, ny, nz+1]

    Returns
    -------
    tuple of Component    u, v, w, scalar.
    """
    lines = _lines(grid)
    step = (*strides(grid.shape), 1)
    air = _pad(room, None)
    opens = [_pad(faces, d) for d, faces in enumerate(open_faces)]
    u, v, w = (Component(_momentum_code(axis, air, opens, step), _metrics(lines, axis)) for axis in range(3))
    return u, v, w, Component(_scalar_code(air, opens), _metrics(lines, None))


def _momentum_code(axis: int, air: NDArray[np.uint8], opens, step) -> NDArray[np.uint8]:
    """Faces along the component lie at cell centres, those across it on the edges between two cell faces."""
    code = opens[axis] * np.uint8(SOLVED)
    for d in range(3):
        halves = 2 * np.roll(air, step[d]) if d == axis else opens[d] + np.roll(opens[d], step[axis])
        code |= halves << np.uint8(2 * d)
    return code


def _scalar_code(air: NDArray[np.uint8], opens) -> NDArray[np.uint8]:
    code = air * np.uint8(SOLVED)
    for d in range(3):
        code |= opens[d] << np.uint8(2 * d + 1)
    return code


def _metrics(lines: _Lines, axis: int | None) -> Metrics:
    """Metrics of a component along an axis, or of the cells."""
    x, y, z = (lines.gap[d] if d == axis else lines.width[d] for d in range(3))
    # distance of neighbouring control volumes: cell centres, or along the component cell faces
    far_x, far_y, far_z = (lines.before[d] if d == axis else lines.gap[d] for d in range(3))
    one_line, one_plane = np.ones_like(x), np.ones_like(y)
    return Metrics(
        *(
            value.astype(np.float32)
            for value in (
                x,
                1 / x,
                1 / far_x,
                y * z,
                1 / (y * z),
                z / far_y,
                y / far_z,
                1 / lines.gap[0] if axis == 0 else one_line,
                one_plane if axis in (0, None) else 1 / lines.gap[axis],
            )
        )
    )


def _lines(grid: Grid) -> _Lines:
    lines: list[list[NDArray[np.float64]]] = [[], [], []]
    rows, columns = (n + 2 for n in grid.shape[1:])
    for d, cells in enumerate(grid.widths):
        width = np.pad(cells, (1, 2 if d == 0 else 1), mode="edge")
        before = np.append(width[:1], width[:-1])
        for kind, values in zip(lines, (width, before, 0.5 * (width + before)), strict=True):
            if d == 1:
                values = np.repeat(values, columns)  # noqa: PLW2901
            elif d == 2:
                values = np.tile(values, rows)  # noqa: PLW2901
            kind.append(values)
    return _Lines(*(tuple(kind) for kind in lines))


def _pad(values: NDArray[np.bool_], axis: int | None) -> NDArray[np.uint8]:
    shape = tuple(n - (d == axis) for d, n in enumerate(values.shape))
    out = np.zeros(padded((shape[0], shape[1], shape[2])), dtype=np.uint8)
    out[tuple(slice(1, n + 1) for n in values.shape)] = values
    return out.ravel()


def _three(values: tuple[NDArray[np.float64], ...]) -> tuple[Field, Field, Field]:
    x, y, z = (np.ascontiguousarray(value, dtype=np.float32) for value in values)
    return x, y, z
