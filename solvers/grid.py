"""Rectilinear grids: three ascending lists of face coordinates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.errors import GridMismatchError


class Grid(NamedTuple):
    """Face coordinates of a rectilinear grid.

    Attributes
    ----------
    x, y, z : float64[n + 1]    Coordinates of the cell faces, strictly increasing. [m]
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    z: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of cells along x, y, z. [-]."""
        return self.x.size - 1, self.y.size - 1, self.z.size - 1

    @property
    def cells(self) -> int:
        """Number of cells, solids included. [-]."""
        nx, ny, nz = self.shape
        return nx * ny * nz

    @property
    def widths(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Cell widths along x, y, z. [m]."""
        return np.diff(self.x), np.diff(self.y), np.diff(self.z)

    @property
    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Cell centres along x, y, z. [m]."""
        return (self.x[1:] + self.x[:-1]) / 2, (self.y[1:] + self.y[:-1]) / 2, (self.z[1:] + self.z[:-1]) / 2

    @property
    def volumes(self) -> NDArray[np.float64]:
        """Cell volumes, [nx, ny, nz]. [m3]."""
        dx, dy, dz = self.widths
        return dx[:, None, None] * dy[None, :, None] * dz[None, None, :]


def make_grid(x: ArrayLike, y: ArrayLike, z: ArrayLike) -> Grid:
    """Check three lists of face coordinates and hold them as a grid.

    Parameters
    ----------
    x, y, z : array_like, [n + 1]    Face coordinates, strictly increasing, at least two each. [m]

    Returns
    -------
    Grid

    Raises
    ------
    GridMismatchError : a list is not one-dimensional, too short, not finite or not increasing.
    """
    axes = []
    for name, values in zip("xyz", (x, y, z), strict=True):
        line = np.ascontiguousarray(values, dtype=np.float64)
        if line.ndim != 1 or line.size < 2:
            raise GridMismatchError(
                f"grid.{name}: shape {line.shape}; a list of at least two face coordinates is needed."
            )
        if not np.isfinite(line).all():
            raise GridMismatchError(f"grid.{name}: face coordinates must be finite.")
        steps = np.diff(line)
        if steps.min() <= 0:
            at = int(steps.argmin())
            raise GridMismatchError(
                f"grid.{name}: coordinates must increase; {line[at]:g} is followed by {line[at + 1]:g} "
                f"at index {at + 1}."
            )
        line.flags.writeable = False
        axes.append(line)
    return Grid(*axes)
