"""What every rack and cooler does to every inlet of a settled room, and how much air coolers capture."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.frozen import freeze, settle_frozen
from solvers.airflow.influence import capture_indices, influence
from solvers.airflow.model import unit_inlet_temperature
from solvers.errors import CaseError, ConvergenceError
from twin.errors import NotConvergedError
from twin.model.scene import Scene
from twin.planning.settle import Settled

MEANING = {
    "K/kW air": "rise of the inlet per kW that the rack gives to the air: its power less what liquid takes",
    "K/K": "rise of the inlet per rise of the cooler's supply, or of the air outside",
}
"""What the columns of the table say, by their unit."""


@dataclass(frozen=True)
class RoomInfluence:
    """Response of inlets at the flow of a settled room; it holds while the flow does.

    Attributes
    ----------
    inlets : tuple of str            Racks, then coolers: the rows.
    racks, coolers : tuple of str    The columns.
    heat : float64[inlets, racks]
        Rise of the inlet per heat of the rack into the air, not per its electric power, divided over its
        slots as it is. [K/W]
    supply : float64[inlets, coolers]
        Rise of the inlet per rise of the supply temperature; 0 for a cooler at its capacity. [K/K]
    ambient : float64[inlets]        Rise of the inlet per rise of the temperature outside. [K/K]
    capture_cold, capture_hot : dict
        By rack: share of its inlet air that comes straight from coolers, share of its exhaust that coolers
        take in straight. [1]
    difference : float
        Largest difference of a rack's inlet between the frozen flow's steady state and the mean of the
        settled flow: what freezing leaves out. [K]
    """

    inlets: tuple[str, ...]
    racks: tuple[str, ...]
    coolers: tuple[str, ...]
    heat: NDArray[np.float64]
    supply: NDArray[np.float64]
    ambient: NDArray[np.float64]
    capture_cold: dict[str, float]
    capture_hot: dict[str, float]
    difference: float

    def write(self, path: Path) -> None:
        """Write the table: a row an inlet, a column a rack, a cooler and the outside, as `MEANING` says."""
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            head = [f"{name} [K/kW air]" for name in self.racks] + [f"{name} [K/K]" for name in self.coolers]
            writer.writerow(["inlet", *head, "outside [K/K]"])
            for n, name in enumerate(self.inlets):
                values = [*(1e3 * self.heat[n]), *self.supply[n], self.ambient[n]]
                writer.writerow([name, *(f"{value:.6g}" for value in values)])

    def as_json(self) -> dict[str, Any]:
        """Return what the result says beside the table."""
        return {"file": "influence.csv", "frozen_difference_k": self.difference, "columns": dict(MEANING)}


def room_influence(scene: Scene, settled: Settled) -> RoomInfluence:
    """Freeze the mean flow of a settled room and solve for the influence of its racks and coolers.

    Parameters
    ----------
    scene : Scene
    settled : Settled

    Returns
    -------
    RoomInfluence

    Raises
    ------
    NotConvergedError : the frozen flow has no steady state.

    Source : capture indices, VanGilder and Shrivastava 2007, ASHRAE Transactions 113(1).
    """
    model, inputs = settled.model, settled.inputs
    try:
        state = settle_frozen(freeze(model, settled.result.state, inputs), inputs)
        frozen = freeze(model, state, inputs)  # its limiter at temperatures that fit the mean flow
        found = influence(frozen, inputs)
        captured = capture_indices(frozen, found, inputs)
    except (CaseError, ConvergenceError) as error:
        raise NotConvergedError(f"{scene.layout.name}: no influence of the frozen flow: {error}") from error
    racks = tuple(rack.id for rack in scene.layout.racks)
    coolers = tuple(cooler.id for cooler in scene.layout.coolers)
    V, Q = inputs.V_flow, np.maximum(inputs.Q_flow, 0.0)
    rows = [_shares(V, list(scene.rack_units[name])) for name in racks]
    rows += [_shares(V, [scene.cooler_units[name]]) for name in coolers]
    heated = [_shares(Q, list(scene.rack_units[name])) for name in racks]
    to_inlets = np.array(rows).reshape(len(rows), V.size)
    from_racks = np.array(heated).reshape(len(heated), V.size)
    moved = found.inlets(inputs) - unit_inlet_temperature(model, settled.result.state)
    apart = to_inlets[: len(racks)] @ np.where(np.isfinite(moved), moved, 0.0)
    return RoomInfluence(
        inlets=(*racks, *coolers),
        racks=racks,
        coolers=coolers,
        heat=to_inlets @ found.A @ from_racks.T,
        supply=(to_inlets @ found.B)[:, [scene.cooler_units[name] for name in coolers]],
        ambient=to_inlets @ found.a,
        capture_cold=_of_racks(captured.cold_aisle, to_inlets, racks),
        capture_hot=_of_racks(captured.hot_aisle, to_inlets, racks),
        difference=float(np.abs(apart).max(initial=0.0)),
    )


def _shares(weights: NDArray[np.float64], units: list[int]) -> NDArray[np.float64]:
    """Weights of some units, together 1; equal parts where none has any."""
    out = np.zeros(weights.size)
    own = weights[units]
    out[units] = own / own.sum() if own.sum() > 0.0 else 1.0 / len(units)
    return out


def _of_racks(
    values: NDArray[np.float64], rows: NDArray[np.float64], racks: tuple[str, ...]
) -> dict[str, float]:
    known = np.where(np.isfinite(values), values, 0.0)
    return {name: float(rows[n] @ known) for n, name in enumerate(racks)}
