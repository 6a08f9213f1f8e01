"""Temperatures that the coolant has and meets: its mixed means, and the walls that it wets."""

from __future__ import annotations

import numpy as np

from solvers.coldplate.plate_solve import Solution, bulk_excess
from solvers.coldplate.stack import Ducts, Slab
from solvers.coldplate.system import Array


def bulk_temperature(solution: Solution, theta: Array) -> Array:
    """Return the mixed means of the coolant at some excess temperatures.

    Parameters
    ----------
    solution : Solution
    theta : float64[ny, nx, nz]    Excess of its cells, as in a transient. [K]

    Returns
    -------
    float64[ny, groups]    [K]
    """
    grid, flowing = solution.grid, solution.flowing
    return bulk_excess(solution.stack, solution.channels, grid, theta, flowing) + solution.system.reference


def wetted_temperatures(solution: Solution, theta: Array) -> Array:
    """Return the temperatures of the channels' cells, and of their floors and lids where those have faces.

    Parameters
    ----------
    solution : Solution
    theta : float64[ny, nx, nz]    Excess of its cells, as in a transient. [K]

    Returns
    -------
    float64[n]
        Of coolant and walls; the faces follow from the heat through them and the solid's half cell. [K]

    Check : tests/unit/solvers/coldplate/test_wetted.py
    """
    stack, at = solution.stack, solution.channels
    first, end = stack.first[at], stack.first[at + 1]
    parts = [theta[:, :, first:end].ravel()]
    if isinstance(stack.layers[at], Ducts):
        parts += [_face(solution, theta, at - 1, first - 1, first).ravel()]
        parts += [_face(solution, theta, at + 1, end, end - 1).ravel()]
    return np.concatenate(parts) + solution.system.reference


def _face(solution: Solution, theta: Array, layer: int, solid: int, coolant: int) -> Array:
    """Excess of the face between a cell of solid and one of coolant, float64[ny, channel columns]. [K]."""
    stack, wet = solution.stack, solution.grid.channel >= 0
    slab = stack.layers[layer]
    assert isinstance(slab, Slab)
    through = solution.system.up[:, wet, min(solid, coolant)] * (
        theta[:, wet, solid] - theta[:, wet, coolant]
    )
    k = np.broadcast_to(slab.conductivity[2], (stack.y.size, stack.x.size))[:, wet]
    half = 2.0 * k * stack.y[:, None] * stack.x[wet] / slab.thickness
    return theta[:, wet, solid] - through / half
