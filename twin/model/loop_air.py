"""Where coolant loops meet the room: chips beside the racks' air, coils in the air that leaves the racks.

Data flows one way in a step: air and powers to the loops (`surroundings`), the loops' heat to the slots
(`with_loops`). A rack's slot is one stream of air. Before a coil it has the temperature that the servers
gave it, behind it that of the slot's outlet cells; the coil's heat is shared out by m cp (T - T_in).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import UnitInputs
from twin.model.catalog import AIR_DENSITY, AIR_HEAT_CAPACITY
from twin.model.circuits import Coolant, Exhaust

_TINY = 1e-30


class Surroundings(NamedTuple):
    """What the loops feel of racks and room.

    Attributes
    ----------
    power : mapping      By rack: electric power. [W]
    T_air : mapping      By rack: air at its inlet. [K]
    exhaust : mapping    By rack with coils: the air before them.
    """

    power: Mapping[str, float]
    T_air: Mapping[str, float]
    exhaust: Mapping[str, Exhaust]


def surroundings(
    coolant: Coolant,
    rack_units: Mapping[str, tuple[int, ...]],
    power: Mapping[str, float],
    inputs: UnitInputs,
    T_inlet: NDArray[np.floating],
    T_unit: NDArray[np.floating],
) -> Surroundings:
    """Say what the loops feel.

    Parameters
    ----------
    coolant : Coolant
    rack_units : mapping         By rack: the units of its slots, as `Scene.rack_units`.
    power : mapping              By rack. [W]
    inputs : UnitInputs          What the units do; of it the air flows.
    T_inlet, T_unit : float[nu]  Air into and out of the units. [K]

    Returns
    -------
    Surroundings
    """
    exhaust: dict[str, Exhaust] = {}
    for rack in coolant.coil_racks:
        units = list(rack_units[rack])
        C_flow = AIR_DENSITY * AIR_HEAT_CAPACITY * inputs.V_flow[units]
        cooled = np.where(C_flow > 0.0, coolant.coil_heat(rack) / np.maximum(C_flow, _TINY), 0.0)
        exhaust[rack] = Exhaust(np.asarray(T_unit[units], np.float64) + cooled, C_flow)
    T_air = {rack: float(np.mean(T_inlet[list(units)])) for rack, units in rack_units.items()}
    return Surroundings(power, T_air, exhaust)


def first_surroundings(
    coolant: Coolant,
    rack_units: Mapping[str, tuple[int, ...]],
    power: Mapping[str, float],
    inputs: UnitInputs,
    T_otherwise: float,
) -> Surroundings:
    """Guess what the loops feel before there is a state of the air: racks draw what coolers supply.

    Parameters
    ----------
    coolant, rack_units, power
        As `surroundings`.
    inputs : UnitInputs    What the units do, racks with the heat before coils.
    T_otherwise : float    Air of a room without coolers. [K]

    Returns
    -------
    Surroundings
    """
    T_first = float(np.nanmin(inputs.T_supply, initial=T_otherwise))
    exhaust: dict[str, Exhaust] = {}
    for rack in coolant.coil_racks:
        units = list(rack_units[rack])
        C_flow = AIR_DENSITY * AIR_HEAT_CAPACITY * inputs.V_flow[units]
        warmer = np.where(C_flow > 0.0, inputs.Q_flow[units] / np.maximum(C_flow, _TINY), 0.0)
        exhaust[rack] = Exhaust(T_first + warmer, C_flow)
    return Surroundings(power, dict.fromkeys(rack_units, T_first), exhaust)


def with_loops(
    inputs: UnitInputs, coolant: Coolant | None, rack_units: Mapping[str, tuple[int, ...]]
) -> UnitInputs:
    """Return inputs in which racks give to the air what their chips do, less what their coils take.

    Parameters
    ----------
    inputs : UnitInputs
    coolant : Coolant or None    None leaves the inputs as they are.
    rack_units : mapping         By rack: the units of its slots.

    Returns
    -------
    UnitInputs
        A rack's slots share the heat of its chips as theirs was before, by their air if they had none.
    """
    if coolant is None:
        return inputs
    Q_flow = inputs.Q_flow.copy()
    for rack in coolant.racks:
        units = list(rack_units[rack])
        now = Q_flow[units]
        weight = now if now.sum() > 0.0 else inputs.V_flow[units]
        Q_flow[units] = coolant.air_heat(rack) * weight / max(weight.sum(), _TINY)
    for rack in coolant.coil_racks:
        Q_flow[list(rack_units[rack])] -= coolant.coil_heat(rack)
    return inputs._replace(Q_flow=Q_flow)
