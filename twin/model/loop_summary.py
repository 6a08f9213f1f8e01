"""What a loop says of itself: one mapping for results, snapshots and people."""

from __future__ import annotations

from typing import Any

import numpy as np

from solvers.coolant import transient
from twin.model.circuit import Circuit
from twin.units import ZERO_CELSIUS


def summary(circuit: Circuit) -> dict[str, Any]:
    """Return the numbers of a loop now.

    Parameters
    ----------
    circuit : Circuit

    Returns
    -------
    dict
        Of the CDU, facility water, pumps, branches and coils; temperatures in degC, else SI.
    """
    points, cdu, state, parts = circuit.points(), circuit.loop.cdu, circuit.state, circuit.parts
    now = transient.balance(circuit.network, state)
    stored = now.energy - circuit.begin.energy
    handled = max(abs(stored), abs(state.energy_in), float(np.abs(circuit.inputs.heat).sum()), 1e-9)
    case, T, flow = circuit.network.case, state.warmth.T, state.flow
    side = int(case.exchangers.side[0, 1])  # of the facility's water
    rho = float(circuit.fluid.density(T[parts.supply]))

    def stream(name: str, element: int) -> dict[str, Any]:
        return {
            "flow_m3_s": points[f"{name}.coolant_flow"] / rho,
            "supply_c": float(T[case.branches.a[element]]) - ZERO_CELSIUS,
            "return_c": points[f"{name}.return_temperature"],
            "liquid_heat_w": points[f"{name}.liquid_heat"],
            "pressure_drop_pa": float(flow.dp[element]),
            "valve": float(state.setting[parts.valve[name]]),
            "leak_kg_s": float(flow.m_flow[parts.leak[name]]),
        }

    return {
        "fluid": circuit.loop.fluid,
        "cdu": cdu.id,
        "supply_c": points[f"{cdu.id}.supply_temperature"],
        "return_c": points[f"{cdu.id}.return_temperature"],
        "supply_set_c": float(circuit.controls.target[0]) - ZERO_CELSIUS,
        "flow_m3_s": points[f"{cdu.id}.coolant_flow"] / rho,
        "supply_pressure_pa": points[f"{cdu.id}.supply_pressure"],
        "return_pressure_pa": points[f"{cdu.id}.return_pressure"],
        "pressure_difference_pa": points[f"{cdu.id}.supply_pressure"] - points[f"{cdu.id}.return_pressure"],
        "level": points[f"{cdu.id}.level"],
        "alarm_level": cdu.reservoir.alarm_level,
        "valve": points[f"{cdu.id}.valve"],
        "heat_w": float(state.Q_flow[side]),
        "facility": {
            "supply_c": float(T[parts.facility_supply]) - ZERO_CELSIUS,
            "return_c": float(T[circuit.behind(side)]) - ZERO_CELSIUS,
            "flow_kg_s": float(flow.m_flow[side]),
        },
        "pump_power_w": points[f"{cdu.id}.pump_power"],
        "energy_relative": abs(stored - state.energy_in) / handled if state.time else circuit.settled_to,
        "filter": {
            "pressure_drop_pa": float(flow.dp[parts.filter]),
            "fouling": float(state.setting[parts.filter]),
        },
        "pumps": {
            pump.id: {
                "speed": points[f"{pump.id}.pump_speed"],
                "on": bool(circuit.inputs.drive[k]),
                "standby": pump.standby,
                "nominal_speed": pump.speed,
                "design_flow_m3_s": pump.design_flow,
                "flow_m3_s": float(flow.m_flow[parts.pump[pump.id]]) / rho,
                "pressure_rise_pa": -float(flow.dp[parts.pump[pump.id]]),
                "power_w": float(state.power[k]),
            }
            for k, pump in enumerate(cdu.pumps)
        },
        "branches": {
            branch.id: {
                "rack": circuit.rack_of[branch.id],
                "racklet": branch.racklet,
                **stream(branch.id, parts.plate[branch.id]),
                "chip_c": points[f"{branch.id}.chip_temperature"],
                "limit_c": branch.cold_plates.limit_temperature - ZERO_CELSIUS,
                "plate_spec": branch.cold_plates.spec,
                "design_flow_m3_s": branch.design_flow,
            }
            for branch in circuit.loop.branches
        },
        "coils": {
            coil.id: {"rack": coil.rack, **stream(coil.id, parts.coil[coil.id][0])}
            for coil in circuit.loop.coils
        },
        "findings": list(circuit.findings()),
    }
