"""Fluxes of heat through the faces of a frozen flow, as weights of the cells around them.

The limiter of E6 is a ratio of temperature differences, frozen at a state. With b the difference behind the
upwind cell and a the one across the face its face value is, exactly, both of

    theta_up + a b / (a + b)  =  theta_up + phi (theta_down - theta_up)            phi = b / (a + b)     (E18)
                              =  theta_up + (1 - phi) (theta_up - theta_far)

    far | up  F> down         phi <= 1/2: the first, between upwind and central
     x  |  x  |   x           phi >  1/2: the second, between upwind and linear upwind
      <-b-> <-a->

so neither weight exceeds 1/2 and each alone is a stable scheme. Air that leaves through an opening takes the
second form whatever phi is: the ambient's temperature is not that of the jet outside.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import AirState
from solvers.airflow.geometry import unpad
from solvers.airflow.model import AirModel, outflow_of
from solvers.errors import ConvergenceError
from solvers.linear.multigrid import flat_cells

_AMBIENT = -2  # number of an ambient cell
_EVEN = 1e-4  # K; smaller differences are rounding of float32 temperatures: upwind
_CLEAN = 1e-11  # divergence over the flow that projections aim at
_CLEAN_ENOUGH = 1e-7  # and must reach
_PROJECTIONS = 8

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Faces(NamedTuple):
    """Transport between air cells: K theta is the net outflow of heat over rho cp.

    Attributes
    ----------
    cells, padded : int64[n]    Index of each air cell in the raveled grid, in the padded fields.
    row, column : int64[e]    Nodes.
    value : float64[e]    [m3/s]
    near : float64[e]    The same with half the second-order weights. [m3/s]
    ambient : float64[n]    What multiplies the ambient's theta on the right-hand side. [m3/s]
    """

    cells: Ints
    padded: Ints
    row: Ints
    column: Ints
    value: Floats
    near: Floats
    ambient: Floats


def divergence_free_flows(model: AirModel, state: AirState) -> tuple[tuple[Floats, ...], float]:
    """Volume flows through the faces of a state, projected until they balance. (E9).

    Returns
    -------
    flows : tuple of float64[nx+1, ny, nz], ...    [m3/s]
    divergence : float    Sum |net outflow| over the cells / flow of the units. [-]

    Raises
    ------
    ConvergenceError : 1e-7 is not reached.
    """
    stepper = model.stepper
    geometry, pressure = stepper.geometry, stepper.pressure
    velocity = [np.array(field, dtype=np.float64) for field in state[:3]]
    for field, area in zip(velocity, geometry.open_area, strict=True):
        field[area == 0] = 0
    moved = sum(float((np.abs(f) * a).sum()) for f, a in zip(velocity, geometry.open_area, strict=True))
    scale = stepper.units.V_supply or moved
    if scale > 0:
        pressure.set_resistance(np.zeros(pressure.resisting_faces[0].size))
    divergence, history = 0.0, []
    for attempt in range(_PROJECTIONS + 1):
        outflow = outflow_of(model, state._replace(u=velocity[0], v=velocity[1], w=velocity[2]))
        divergence = float(np.abs(outflow).sum()) / scale if scale > 0 else 0.0
        history.append(divergence)
        stalled = attempt > 0 and divergence > 0.3 * history[-2]
        if divergence < _CLEAN or attempt == _PROJECTIONS or stalled:
            break
        stepper.take_off_divergence(velocity, outflow, iterations=10)
    if divergence > _CLEAN_ENOUGH:
        raise ConvergenceError(
            f"the flow to freeze keeps a divergence of {divergence:.2g} of the units' flow. Advance the "
            "state with the inputs first.",
            history,
        )
    return tuple(f * a for f, a in zip(velocity, geometry.open_area, strict=True)), divergence


def air_faces(model: AirModel, state: AirState, flows: tuple[Floats, ...]) -> Faces:
    """Weights of advection (E6, E18) and diffusion (E4) through every open face."""
    stepper, closure = model.stepper, model.closure
    geometry, shape = stepper.geometry, stepper.geometry.shape
    room = geometry.fluid.copy() if geometry.ambient is None else geometry.fluid & ~geometry.ambient
    cells = np.flatnonzero(room)
    node = np.full(shape, -1, dtype=np.int64)
    if geometry.ambient is not None:
        node[geometry.ambient] = _AMBIENT
    node.ravel()[cells] = np.arange(cells.size)
    theta = np.array(state.T, dtype=np.float64) - model.T_ref
    if geometry.ambient is not None:
        theta[geometry.ambient] = stepper.units.theta_ambient
    diffusivity = unpad(stepper.nu_eff, None, shape).astype(np.float64) / closure.Pr_t
    diffusivity += closure.nu / closure.Pr - closure.nu / closure.Pr_t
    central = stepper.numerics.advection == "central"
    entries: list[tuple[NDArray, ...]] = []
    for axis in range(3):
        area, centres = geometry.open_area[axis], model.case.grid.centres[axis]
        entries += _along(axis, area, flows[axis], centres, node, theta, diffusivity, central)
    row, column, value, near = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    outside = (row >= 0) & (column == _AMBIENT)
    sums = np.bincount(row[outside], weights=-value[outside], minlength=cells.size)
    ambient = np.asarray(sums, dtype=np.float64)
    inside = (row >= 0) & (column >= 0)
    return Faces(
        cells,
        flat_cells(shape).ravel()[cells],
        row[inside],
        column[inside],
        value[inside],
        near[inside],
        ambient,
    )


def _along(
    axis: int, area: Floats, flow: Floats, centres: Floats, node: Ints, theta: Floats, diffusivity, central
):
    """Entries of the faces normal to one axis: (row, column, value) for each weight and side."""

    def shifted(values, offset):
        """Values of the cells `offset` beyond the cell on the + side of each inner face."""
        count = values.shape[axis]
        at = np.clip(np.arange(1, count) + offset, 0, count - 1)
        return np.take(values, at, axis)

    inner = np.take(area, np.arange(1, area.shape[axis] - 1), axis)
    is_open = inner > 0
    spread = [1, 1, 1]
    spread[axis] = -1
    gap = np.broadcast_to(np.diff(centres).reshape(spread), inner.shape)[is_open]
    F = np.take(flow, np.arange(1, flow.shape[axis] - 1), axis)[is_open]
    number = [shifted(node, k)[is_open] for k in (-2, -1, 0, 1)]
    value = [shifted(theta, k)[is_open] for k in (-2, -1, 0, 1)]
    beyond = (
        np.take(area, np.arange(0, area.shape[axis] - 2), axis)[is_open] > 0,
        np.take(area, np.arange(2, area.shape[axis]), axis)[is_open] > 0,
    )
    G = inner[is_open] / gap * 0.5 * (shifted(diffusivity, -1) + shifted(diffusivity, 0))[is_open]
    ahead = F > 0
    far, up = np.where(ahead, number[0], number[3]), np.where(ahead, number[1], number[2])
    down = np.where(ahead, number[2], number[1])
    a = np.where(ahead, value[2] - value[1], value[1] - value[2])
    b = np.where(ahead, value[1] - value[0], value[2] - value[3])
    b = np.where(np.where(ahead, *beyond), b, 0.0)
    downwind, upstream = _weights(a, b, central, down == _AMBIENT)
    size = np.abs(F)
    half = 0.5
    weights = (
        (up, size * (1 - downwind + upstream) + G, size * (1 - half * (downwind - upstream)) + G),
        (down, size * downwind - G, half * size * downwind - G),
        (far, -size * upstream, -half * size * upstream),
    )
    for column, weight, near in weights:
        some = weight != 0
        for row, sign in ((up, 1), (down, -1)):
            yield row[some], column[some], sign * weight[some], sign * near[some]


def _weights(a: Floats, b: Floats, central: bool, leaves: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Weights of theta_down - theta_up and of theta_up - theta_far in the face value. (E18)."""
    none = np.zeros(a.size)
    if central:
        return np.where(leaves, 0.0, 0.5), none
    smooth = (a * b > 0) & (np.minimum(np.abs(a), np.abs(b)) > _EVEN)
    phi = np.divide(b, a + b, out=np.zeros(a.size), where=smooth)
    low = (phi <= 0.5) & ~leaves
    return np.where(low, phi, 0.0), np.where(low | ~smooth, 0.0, 1 - phi)
