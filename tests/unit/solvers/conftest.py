"""Rooms that the tests of the kernels share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from solvers.airflow.case import AirCase, Closure
from solvers.airflow.geometry import Geometry, build_geometry, pad_state, unpad
from solvers.grid import make_grid
from solvers.linear.multigrid import flat_cells, strides


class Room(NamedTuple):
    """Stretched room with solids and plates, and what a textbook version needs of it.

    Attributes
    ----------
    case, geometry : AirCase, Geometry
    open : tuple of bool[nx+1, ny, nz], [nx, ny+1, nz], [nx, ny, nz+1]    Faces that let air through.
    patch : the same    Faces of patches.
    fluid : bool[nx, ny, nz]
    rng : Generator
    """

    case: AirCase
    geometry: Geometry
    open: tuple[np.ndarray, ...]
    patch: tuple[np.ndarray, ...]
    fluid: np.ndarray
    rng: np.random.Generator

    @property
    def shape(self):
        return self.geometry.shape

    @property
    def size(self):
        return self.geometry.volume.size

    @property
    def step(self):
        return (*strides(self.shape), 1)

    @property
    def extent(self):
        """Arguments nx, sx, sy of the kernels."""
        return (self.shape[0], *strides(self.shape))

    @property
    def cells(self):
        return flat_cells(self.shape)

    def zeros(self):
        return np.zeros(self.size, dtype=np.float32)

    def field(self, low=-1.0, high=1.0):
        """Random values in the cells, [nx, ny, nz]; as the kernels store them."""
        return self.rng.uniform(low, high, self.shape).astype(np.float32)

    def velocity(self):
        """Random velocities of the faces, 0 on closed ones but for patches."""
        return [
            (self.rng.uniform(-1, 1, is_open.shape) * (is_open | patch)).astype(np.float32)
            for is_open, patch in zip(self.open, self.patch, strict=True)
        ]

    def pad(self, values, axis=None):
        return pad_state(values, axis, self.shape)

    def cut(self, flat, axis=None):
        return unpad(flat, axis, self.shape).copy()

    def padded_velocity(self, velocity):
        return [pad_state(values, axis, self.shape) for axis, values in enumerate(velocity)]


def make_room(seed=0, shape=(5, 6, 7), closure="laminar", smooth=False):
    """Widths vary by up to 3 from cell to cell; boxes and plates stand anywhere, one unit blows through."""
    rng = np.random.default_rng(seed)
    lines = [np.concatenate([[0.0], np.cumsum(0.1 * rng.uniform(0.5, 1.5, n))]) for n in shape]
    solid = np.zeros(shape, dtype=bool)
    plates = [np.zeros(tuple(n + (d == a) for d, n in enumerate(shape)), dtype=bool) for a in range(3)]
    if not smooth:
        for _ in range(3):  # the first and the last layer along x stay free for the unit
            lo = [int(rng.integers(d == 0, n - 2)) for d, n in enumerate(shape)]
            hi = [a + int(rng.integers(1, 3)) for a in lo]
            hi[0] = min(hi[0], shape[0] - 1)
            solid[tuple(slice(a, b) for a, b in zip(lo, hi, strict=True))] = True
        for axis in range(3):
            for _ in range(2):
                box = [slice(lo := int(rng.integers(0, n - 2)), lo + 3) for n in shape]
                line = int(rng.integers(1, shape[axis]))
                box[axis] = slice(line, line + 1)
                plates[axis][tuple(box)] = True
    case = AirCase(
        make_grid(*lines),
        solid,
        *plates,
        *(np.zeros(plate.shape, dtype=np.float32) for plate in plates),
        patch_axis=np.array([0, 0]),
        patch_index=np.array([0, shape[0]]),
        patch_lo=np.array([[1, 1], [2, 3]]),
        patch_hi=np.array([[3, 4], [5, 5]]),
        patch_side=np.array([1, -1]),
        unit_inlet=np.array([1]),
        unit_outlet=np.array([0]),
    )
    geometry = build_geometry(case, Closure(closure))
    patch = [np.zeros(plate.shape, dtype=bool) for plate in plates]
    patch[0][0, 1:3, 1:4] = patch[0][-1, 2:5, 3:5] = True
    return Room(case, geometry, geometry.open_faces, tuple(patch), geometry.fluid, rng)


@pytest.fixture
def build_room():
    return make_room


@pytest.fixture(params=[0, 1, 2])
def any_room(request):
    return make_room(request.param)


@pytest.fixture(params=["python", "compiled"])
def pick(request):
    """Choose the compiled kernel or its Python body."""
    return (lambda kernel: kernel) if request.param == "compiled" else (lambda kernel: kernel.py_func)
