"""Flat padded arrays: cell (i, j, k) lies at (i+1) sx + (j+1) sy + (k+1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_T = TypeVar("_T")
Three = tuple[NDArray, NDArray, NDArray]
"""One array for each axis."""


def three(values: Iterable[_T]) -> tuple[_T, _T, _T]:
    """Make a tuple of three, one for each axis."""
    x, y, z = values
    return x, y, z


def strides(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Distances sx, sy of neighbours along x and y in the flat padded array. [-]."""
    return (shape[1] + 2) * (shape[2] + 2), shape[2] + 2


def padded(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Shape of a padded field: one layer around, two above along x so that every stencil stays inside."""
    return shape[0] + 3, shape[1] + 2, shape[2] + 2


def flat_cells(shape: tuple[int, int, int]) -> NDArray[np.int64]:
    """Flat padded index of every cell, [nx, ny, nz]."""
    sx, sy = strides(shape)
    i, j, k = (np.arange(1, n + 1) for n in shape)
    return i[:, None, None] * sx + j[None, :, None] * sy + k[None, None, :]


def cells_of(flat: NDArray, shape: tuple[int, int, int]) -> NDArray:
    """View of the cells [nx, ny, nz] of a flat padded array."""
    return flat.reshape(padded(shape))[1:-2, 1:-1, 1:-1]
