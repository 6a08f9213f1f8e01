"""Where coolant loops meet the room: chips beside the racks' air, coils in the air that leaves the racks.

Data flows one way in a step: air and powers to the loops (`surroundings`), the loops' heat and coils to the
slots (`with_loops`). A rack's slot is one stream of air: a coil takes the same share of each stream's way to
the coolant's temperature, so that hot slots give it more than cool ones. Loop and room use one law (E10b in
solvers/README.md), and a coil answers to the room's air in the midst of a march. The mass of a rack lags the
air behind its coil.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import UnitInputs
from twin.model.catalog import AIR_DENSITY, AIR_HEAT_CAPACITY
from twin.model.circuits import Coolant, Exhaust
from twin.units import ZERO_CELSIUS

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
) -> Surroundings:
    """Say what the loops feel.

    Parameters
    ----------
    coolant : Coolant
    rack_units : mapping         By rack: the units of its slots, as `Scene.rack_units`.
    power : mapping              By rack. [W]
    inputs : UnitInputs          What the units do.
    T_inlet : float[nu]          Air into the units. [K]

    Returns
    -------
    Surroundings
    """
    warm = with_loops(inputs, coolant, rack_units) if coolant.settled else inputs
    exhaust = {rack: _exhaust(warm, list(rack_units[rack]), T_inlet) for rack in coolant.coil_racks}
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
    T_inlet = np.full(inputs.V_flow.size, T_first)
    exhaust = {rack: _exhaust(inputs, list(rack_units[rack]), T_inlet) for rack in coolant.coil_racks}
    return Surroundings(power, dict.fromkeys(rack_units, T_first), exhaust)


def with_loops(
    inputs: UnitInputs, coolant: Coolant | None, rack_units: Mapping[str, tuple[int, ...]]
) -> UnitInputs:
    """Return inputs in which racks give to the air what their chips do, and coils stand behind them.

    Applied twice it does the same as once.

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
        flow = inputs.V_flow[units]
        weight = now if now.sum() > 0.0 else flow if flow.sum() > 0.0 else np.ones(len(units))
        Q_flow[units] = coolant.air_heat(rack) * weight / weight.sum()
    coil, T_coil = np.zeros(Q_flow.size), np.full(Q_flow.size, ZERO_CELSIUS)
    for rack, found in coolant.coils().items():
        coil[list(rack_units[rack])], T_coil[list(rack_units[rack])] = found
    return inputs._replace(Q_flow=Q_flow, coil=coil, T_coil=T_coil)


def _exhaust(inputs: UnitInputs, units: list[int], T_inlet: NDArray[np.floating]) -> Exhaust:
    """Air behind the servers of a rack's slots, before a coil."""
    C_flow = AIR_DENSITY * AIR_HEAT_CAPACITY * inputs.V_flow[units]
    warmer = np.where(C_flow > 0.0, inputs.Q_flow[units] / np.maximum(C_flow, _TINY), 0.0)
    return Exhaust(np.asarray(T_inlet[units], np.float64) + warmer, C_flow)
