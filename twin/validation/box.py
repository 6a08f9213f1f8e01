"""Boxes of air with walls, openings and heaters: what the cases of the suite are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.airflow.case import AirCase, Surfaces, UnitInputs
from solvers.grid import Grid, make_grid


class Wall(NamedTuple):
    """One whole side of a box that is more than a plain wall.

    Attributes
    ----------
    axis : int    Axis that the side is normal to.
    high : bool    The side at the end of that axis; else the one at its start.
    T : float    Temperature behind it; NaN: adiabatic. [K]
    velocity : tuple    Along its plane. [m/s]
    slip : bool    No friction.
    """

    axis: int
    high: bool
    T: float = math.nan
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    slip: bool = False


class Patch(NamedTuple):
    """An opening of a unit; `face` is its index along the axis, the rest as in `AirCase`."""

    axis: int
    face: int
    lo: tuple[int, int]
    hi: tuple[int, int]
    side: int


def slip_sides(axis: int) -> tuple[Wall, Wall]:
    """Both sides normal to an axis without friction: what makes a case two-dimensional.

    Parameters
    ----------
    axis : int

    Returns
    -------
    tuple of Wall
    """
    return Wall(axis, False, slip=True), Wall(axis, True, slip=True)


def box(
    x: ArrayLike,
    y: ArrayLike,
    z: ArrayLike,
    walls: Sequence[Wall] = (),
    patches: Sequence[Patch] = (),
    units: Sequence[tuple[int, int]] = (),
) -> AirCase:
    """Empty box.

    Parameters
    ----------
    x, y, z : array_like
        Face coordinates. [m]
    walls : sequence of Wall
        Sides that are not adiabatic, at rest and no-slip.
    patches : sequence of Patch
    units : sequence of (int, int)
        Inlet patch and outlet patch of each unit; -1 is the ambient.

    Returns
    -------
    AirCase
    """
    grid = make_grid(x, y, z)
    nx, ny, nz = grid.shape
    plates = [np.zeros((nx + (d == 0), ny + (d == 1), nz + (d == 2)), dtype=bool) for d in range(3)]
    losses = [np.zeros(plate.shape, dtype=np.float32) for plate in plates]
    inlets, outlets = np.array(units, dtype=np.int64).reshape(-1, 2).T
    return AirCase(
        grid,
        np.zeros(grid.shape, dtype=bool),
        *plates,
        *losses,
        patch_axis=np.array([p.axis for p in patches], dtype=np.int64),
        patch_index=np.array([p.face for p in patches], dtype=np.int64),
        patch_lo=np.array([p.lo for p in patches], dtype=np.int64).reshape(-1, 2),
        patch_hi=np.array([p.hi for p in patches], dtype=np.int64).reshape(-1, 2),
        patch_side=np.array([p.side for p in patches], dtype=np.int64),
        unit_inlet=inlets.copy(),
        unit_outlet=outlets.copy(),
        surfaces=surfaces(grid, walls) if walls else None,
    )


def surfaces(grid: Grid, walls: Sequence[Wall]) -> Surfaces:
    """Sides of the grid as surfaces of a case.

    Parameters
    ----------
    grid : Grid
    walls : sequence of Wall

    Returns
    -------
    Surfaces
    """
    shape = grid.shape
    across = [[n for d, n in enumerate(shape) if d != wall.axis] for wall in walls]
    return Surfaces(
        axis=np.array([wall.axis for wall in walls], dtype=np.int64),
        index=np.array([shape[wall.axis] if wall.high else 0 for wall in walls], dtype=np.int64),
        lo=np.zeros((len(walls), 2), dtype=np.int64),
        hi=np.array(across, dtype=np.int64).reshape(-1, 2),
        side=np.array([-1 if wall.high else 1 for wall in walls], dtype=np.int64),
        T=np.array([wall.T for wall in walls], dtype=np.float64),
        U=np.full(len(walls), np.inf),
        C=np.zeros(len(walls)),
        velocity=np.array([wall.velocity for wall in walls], dtype=np.float64).reshape(-1, 3),
        slip=np.array([wall.slip for wall in walls], dtype=bool),
    )


def unit_inputs(
    V_flow: Sequence[float] = (),
    Q_flow: float | Sequence[float] = 0.0,
    T_supply: float | Sequence[float] = math.nan,
    T_ambient: float = 293.15,
) -> UnitInputs:
    """Return inputs of units without thermal mass and with any capacity.

    Parameters
    ----------
    V_flow : sequence of float
        [m3/s]
    Q_flow, T_supply : float or sequence of float
        One value, or one for each unit. [W], [K]
    T_ambient : float
        [K]

    Returns
    -------
    UnitInputs
    """
    V = np.array(V_flow, dtype=np.float64)
    one = np.ones(V.size)
    Q, T = (np.asarray(values, dtype=np.float64) * one for values in (Q_flow, T_supply))
    return UnitInputs(V, Q, T, np.inf * one, 0.0 * one, T_ambient)


def clustered(n: int, length: float, ratio: float) -> NDArray[np.float64]:
    """Face coordinates from 0 to `length`, finer towards both ends.

    x = L/2 (1 + tanh(a s) / tanh(a)), s in -1..1; a makes the middle cell `ratio` times the end one.

    Parameters
    ----------
    n : int
        Number of cells.
    length : float
        [m]
    ratio : float
        Widest cell over narrowest, at least 1. [-]

    Returns
    -------
    float64[n + 1]
    """
    s = np.linspace(-1.0, 1.0, n + 1)
    low, high = 1e-6, 10.0
    a = low
    for _ in range(60):
        a = (low + high) / 2
        widths = np.diff(np.tanh(a * s))
        low, high = (a, high) if widths.max() / widths.min() < ratio else (low, a)
    line = length / 2 * (1 + np.tanh(a * s) / np.tanh(a))
    line[0], line[-1] = 0.0, length
    return line
