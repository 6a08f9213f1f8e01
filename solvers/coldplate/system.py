"""The heat balance of a block of cells with coolant flowing along y, from conductances and flow rates.

    K1   C dT/dt = sum over faces of G (T_neighbour - T) - W (T_out - T_in) - U (T - T_ambient) + Q

G is the series of the two half conductances of a face, W the heat capacity rate of the coolant through the
cell. Temperatures are excesses over `reference`, the temperature at the inlet.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.errors import CaseError, GridMismatchError

Array = NDArray[np.float64]
Scheme = Literal["central", "central_held", "upwind"]


class Cells(NamedTuple):
    """What a block of cells conducts and holds.

    Attributes
    ----------
    side, along, bottom, top : float64[ny, nx, nz]
        Half conductances, from the centre to the faces normal to x, to y, to the lower and the upper one. A
        cell of coolant has film conductances there. [W/K]
    capacity : float64[ny, nx, nz]    Heat capacity. [J/K]
    """

    side: Array
    along: Array
    bottom: Array
    top: Array
    capacity: Array


class Leak(NamedTuple):
    """Conductance to a surrounding temperature.

    Attributes
    ----------
    conductance : float64[ny, nx]    [W/K]
    temperature : float    [K]
    layer : int    Layer of cells that it acts on: 0 the lowest, -1 the highest.
    """

    conductance: Array
    temperature: float
    layer: int


class System(NamedTuple):
    """Linear system of K1 without storage: A theta = heat + held.

    Attributes
    ----------
    across : float64[ny, nx - 1, nz]    Conductances along x. [W/K]
    up : float64[ny, nx, nz - 1]    Along z. [W/K]
    skip : float64[ny, nx, nz - 2]    From a cell to the one above its upper neighbour; or of size 0. [W/K]
    diagonal, before, after : float64[ny, nx, nz]    Entries of A: own, plane before, plane after. [W/K]
    capacity : float64[ny, nx, nz]    [J/K]
    rate : float64[nx, nz]    Heat capacity rate of the coolant, positive along +y. [W/K]
    extrapolation : float    e in the outlet's temperature, (1 + e) T_last - e T_before_last. [-]
    leak : float64[ny, nx, nz]    Conductance to the surroundings. [W/K]
    held : float64[ny, nx, nz]    Heat that the surroundings bring into cells at `reference`. [W]
    reference : float    Temperature of the coolant at the inlet. [K]
    """

    across: Array
    up: Array
    skip: Array
    diagonal: Array
    before: Array
    after: Array
    capacity: Array
    rate: Array
    extrapolation: float
    leak: Array
    held: Array
    reference: float


class Balance(NamedTuple):
    """Where heat goes. [W].

    Attributes
    ----------
    supplied : float    Released in cells.
    coolant : float    Enthalpy rise of the coolant from inlet to outlet.
    leaked : float    Lost to the surroundings.
    stored : float    Taken up by the cells.
    """

    supplied: float
    coolant: float
    leaked: float
    stored: float

    @property
    def relative(self) -> float:
        """What is missing, over the heat that changes hands. [-]."""
        through = max(abs(self.supplied), abs(self.coolant) + abs(self.leaked), abs(self.stored))
        missing = self.supplied - self.coolant - self.leaked - self.stored
        return abs(missing) / through if through > 0.0 else 0.0


def series(a: Array, b: Array) -> Array:
    """Return the conductance of two in series, a b / (a + b); 0 where one is 0.

    Parameters
    ----------
    a, b : float64    [W/K]

    Returns
    -------
    float64, shape of a    [W/K]
    """
    total = a + b
    return np.divide(a * b, total, out=np.zeros_like(total), where=total > 0.0)


def assemble(
    cells: Cells,
    rate: Array,
    reference: float,
    leaks: tuple[Leak, ...] = (),
    skip: Array | None = None,
    scheme: Scheme = "central",
) -> System:
    """Build the system of a block of cells.

    Parameters
    ----------
    cells : Cells
    rate : float64[nx, nz]    Heat capacity rate of the coolant, positive along +y, 0 in solids. [W/K]
    reference : float    Temperature of the coolant at the inlet. [K]
    leaks : tuple of Leak
    skip : float64[ny, nx, nz - 2], optional    See `System`.
    scheme : str
        Temperature with which the coolant leaves a cell. ``central``: the mean of this and the next, at the
        outlet the line through the last two; second order, exact where the coolant warms up uniformly.
        ``central_held``: the same, at the outlet that of the last cell, which makes cells before it zigzag by
        half of a cell's rise; so does 3D-ICE. ``upwind``: that of the cell; first order, no new extremes.

    Returns
    -------
    System

    Raises
    ------
    GridMismatchError : arrays do not belong together.
    """
    shape = cells.capacity.shape
    wrong = [name for name, value in zip(cells._fields, cells, strict=True) if value.shape != shape]
    if wrong or rate.shape != shape[1:] or (skip is not None and skip.shape != (*shape[:2], shape[2] - 2)):
        raise GridMismatchError(f"cells {shape}: {wrong or 'rate or skip'} have another shape.")
    across = series(cells.side[:, :-1], cells.side[:, 1:])
    up = series(cells.top[:, :, :-1], cells.bottom[:, :, 1:])
    along = series(cells.along[:-1], cells.along[1:])
    diagonal, before, after = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    diagonal[:, :-1] += across
    diagonal[:, 1:] += across
    diagonal[:, :, :-1] += up
    diagonal[:, :, 1:] += up
    if skip is None:
        skip = np.zeros((shape[0], shape[1], 0))
    else:
        diagonal[:, :, :-2] += skip
        diagonal[:, :, 2:] += skip
    diagonal[:-1] += along
    diagonal[1:] += along
    before[1:] -= along
    after[:-1] -= along
    extrapolation = 0.0
    forth, back = np.maximum(rate, 0.0), np.maximum(-rate, 0.0)
    if scheme == "upwind" or shape[0] == 1:
        before[1:] -= forth
        after[:-1] -= back
        diagonal += forth + back
    else:
        before[1:] -= 0.5 * rate
        after[:-1] += 0.5 * rate
        diagonal[0] += 0.5 * (forth + back)
        diagonal[-1] += 0.5 * (forth + back)
        if scheme == "central":
            extrapolation = 0.5
            diagonal[-1] += extrapolation * forth
            before[-1] -= extrapolation * forth
            diagonal[0] += extrapolation * back
            after[0] -= extrapolation * back
    leak, held = np.zeros(shape), np.zeros(shape)
    for item in leaks:
        leak[:, :, item.layer] += item.conductance
        held[:, :, item.layer] += item.conductance * (item.temperature - reference)
    diagonal += leak
    alone = (diagonal == 0.0) & (before == 0.0) & (after == 0.0)
    diagonal[alone] = 1.0  # they stay at the reference
    return System(
        across, up, skip, diagonal, before, after, cells.capacity, rate, extrapolation, leak, held,
        float(reference),
    )  # fmt: skip


def check_outlet(system: System) -> None:
    """Make sure that heat can leave.

    Parameters
    ----------
    system : System

    Raises
    ------
    CaseError : there is neither flow nor a conductance to the surroundings.
    """
    if not (np.any(system.rate != 0.0) or np.any(system.leak > 0.0)):
        raise CaseError("no coolant flows and nothing conducts to the surroundings: the heat cannot leave.")


def outlet_excess(system: System, theta: Array) -> float:
    """Return the mixed-mean excess of the coolant at the outlet; 0 without flow.

    Parameters
    ----------
    system : System
    theta : float64[ny, nx, nz]    [K]

    Returns
    -------
    float    [K]
    """
    total = float(np.abs(system.rate).sum())
    return coolant_heat(system, theta) / total if total > 0.0 else 0.0


def coolant_heat(system: System, theta: Array) -> float:
    """Return the enthalpy rise of the coolant.

    Parameters
    ----------
    system : System
    theta : float64[ny, nx, nz]    [K]

    Returns
    -------
    float    [W]
    """
    forth, back = np.maximum(system.rate, 0.0), np.maximum(-system.rate, 0.0)
    out_forth, out_back = theta[-1], theta[0]
    if system.extrapolation > 0.0:
        out_forth = out_forth + system.extrapolation * (theta[-1] - theta[-2])
        out_back = out_back + system.extrapolation * (theta[0] - theta[1])
    return float((forth * out_forth).sum() + (back * out_back).sum())


def balance(system: System, theta: Array, heat: Array, stored: float = 0.0) -> Balance:
    """Return where the heat goes.

    Parameters
    ----------
    system : System
    theta : float64[ny, nx, nz]    Excess of the cells. [K]
    heat : float64[ny, nx, nz]    Released in them. [W]
    stored : float    Taken up by them. [W]

    Returns
    -------
    Balance
    """
    leaked = float((system.leak * theta).sum() - system.held.sum())
    return Balance(float(heat.sum()), coolant_heat(system, theta), leaked, stored)
