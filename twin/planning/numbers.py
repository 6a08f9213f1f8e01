"""What a settled room says in numbers: racks, coolers, balances, metrics, and where its model is strained."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from solvers.airflow.case import AirState
from solvers.airflow.model import unit_inlet_temperature, unit_inlet_temperature_max
from twin.errors import Finding, Severity
from twin.model.catalog import band
from twin.model.operating import LIQUID_PLANT_COP, Operating, cooling_power
from twin.model.scene import Scene
from twin.planning.influence import RoomInfluence
from twin.planning.metrics import SlotAir, mixed, rci_hi, rci_lo, rti, shi
from twin.planning.settle import Settled
from twin.racklet.cooling import rotor_power
from twin.units import ZERO_CELSIUS

TEMPERATURE_VALIDITY = 50.0
"""Distance from the reference temperature up to which air of constant density but for its weight is a fair
model: the density has changed by 15 % there. [K]"""


def too_hot(scene: Scene, state: AirState) -> list[Finding]:
    """Say where the air is further from the reference temperature than its model is made for."""
    reference = scene.layout.air.reference_temperature
    units = dict(zip(scene.unit_names, state.T_unit.tolist(), strict=True))
    air = np.asarray(state.T, np.float64)[~scene.case.solid]
    places = {f"outlet of {name}": T for name, T in units.items()}
    places |= {"coldest air": float(air.min()), "hottest air": float(air.max())}
    place, T = max(places.items(), key=lambda item: abs(item[1] - reference))
    if abs(T - reference) <= TEMPERATURE_VALIDITY:
        return []
    return [
        Finding(
            scene.layout.name, place, "", f"{T - ZERO_CELSIUS:.0f} degC",
            f"is more than {TEMPERATURE_VALIDITY:g} K from the reference temperature of "
            f"{reference - ZERO_CELSIUS:g} degC: the numbers of this result are rough",
            "Check power against air flow, or set air.reference_temperature",
            Severity.WARNING,
        )
    ]  # fmt: skip


def room_numbers(
    scene: Scene, settled: Settled, operating: Operating, influence: RoomInfluence | None = None
) -> dict[str, Any]:
    """Gather racks, coolers, balances and metrics of a settled room, and how well they are known.

    Returns
    -------
    dict
        ``racks``, ``coolers``, ``ducts``, ``loops``, ``balances``, ``metrics`` and ``averaged_s``. Of a rack
        ``swing_k`` is the range over that time of the inlet temperature of its liveliest slot,
        ``inlet_error_k`` the standard error of the mean of its least certain one as far as that time shows:
        slower swings are not in it. Of the balances ``heat_corrected_w`` is the heat that the transport moved
        to stay conservative, ``stored_w`` what masses take up while they are averaged. With an influence
        racks also have ``capture_cold`` and ``capture_hot``, and the metrics their means.
    """
    model, inputs, result = settled.model, settled.inputs, settled.result
    T_in = unit_inlet_temperature(model, result.state) - ZERO_CELSIUS
    T_in_max = unit_inlet_temperature_max(model, result.state) - ZERO_CELSIUS
    T_out = result.state.T_unit - ZERO_CELSIUS
    V = inputs.V_flow
    layout = scene.layout
    racks: dict[str, Any] = {}
    slots: list[SlotAir] = []
    for rack in layout.racks:
        units = list(scene.rack_units[rack.id])
        hottest = float(T_in_max[units].max())
        racks[rack.id] = {
            "inlet_mean_c": mixed(T_in[units], V[units]),
            "inlet_max_c": hottest,
            "outlet_mean_c": mixed(T_out[units], V[units]),
            "swing_k": float(result.T_inlet_swing[units].max()),
            "inlet_error_k": float(result.T_inlet_error[units].max()),
            "air_flow": float(V[units].sum()),
            "power_w": operating.power(rack),
            "air_heat_w": float(inputs.Q_flow[units].sum()),
            "ashrae_class": rack.ashrae_class,
            "band": band(hottest, rack.ashrae_class).value,
        }
        slots += [SlotAir(T_in[u], T_out[u], V[u], rack.ashrae_class) for u in units]
        if influence is not None:
            racks[rack.id]["capture_cold"] = influence.capture_cold[rack.id]
            racks[rack.id]["capture_hot"] = influence.capture_hot[rack.id]
    coolers = {
        cooler.id: {
            "supply_c": float(T_out[unit]),
            "return_c": float(T_in[unit]),
            "air_flow": float(V[unit]),
            "cooling_w": float(model.rho * model.cp * V[unit] * (T_in[unit] - T_out[unit])),
            "fan_w": rotor_power(cooler.fan_power, operating.cooler_fan(cooler), cooler.fan_speed),
        }
        for cooler, unit in ((cooler, scene.cooler_units[cooler.id]) for cooler in layout.coolers)
    }
    ducts = {
        name: {
            "air_flow": float(V[unit]),
            "intake_c": float(T_in[unit]),
            "discharge_c": float(T_out[unit]),
            "heat_w": float(model.rho * model.cp * V[unit] * (T_out[unit] - T_in[unit])),
        }
        for name, unit in scene.duct_units.items()
    }
    loops = {} if settled.coolant is None else settled.coolant.summary()
    metrics = _metrics(scene, operating, slots, racks, coolers, loops)
    more: dict[str, Any] = {}
    if influence is not None:
        flows = [rack["air_flow"] for rack in racks.values()]
        for side in ("cold", "hot"):
            values = [rack[f"capture_{side}"] for rack in racks.values()]
            metrics[f"CAPTURE_{side.upper()}"] = mixed(values, flows) if values else None
        more["influence"] = influence.as_json()
    closed = result.balances
    return {
        "racks": racks,
        "coolers": coolers,
        "ducts": ducts,
        "balances": {
            "mass_relative": closed.mass_relative,
            "energy_relative": closed.energy_relative,
            "heat_in_w": closed.Q_in,
            "heat_out_w": closed.Q_out,
            "heat_corrected_w": closed.heat_corrected,
            "stored_w": closed.stored,
        },
        "averaged_s": result.averaged_s,
        "converged": result.converged,
        "loops": loops,
        "metrics": metrics,
        **more,
    }


def _metrics(
    scene: Scene,
    operating: Operating,
    slots: list[SlotAir],
    racks: dict[str, Any],
    coolers: dict[str, Any],
    loops: dict[str, Any],
) -> dict[str, float | None]:
    """Air-management metrics and powers; None where a metric has no meaning."""
    it = sum(values["power_w"] for values in racks.values())
    layout, liquid = scene.layout, scene.liquid_heat(operating)
    alone = [unit for unit in layout.racklets if layout.branch_of(unit.id) is None]
    takers = [
        taker for loop in loops.values() for kind in ("branches", "coils") for taker in loop[kind].values()
    ]
    looped = sum(taker["liquid_heat_w"] for taker in takers)
    rejected = sum(loop["heat_w"] for loop in loops.values())
    taken = {name: values["cooling_w"] for name, values in coolers.items()}
    electric = cooling_power(layout.coolers, alone, operating, taken, liquid)
    electric = replace(
        electric,
        liquid_plant=electric.liquid_plant + rejected / LIQUID_PLANT_COP,
        pumps=electric.pumps + sum(loop["pump_power_w"] for loop in loops.values()),
    )
    metrics: dict[str, float] = {
        "total_kw": it / 1e3,
        "liquid_kw": (sum(liquid[unit.id] for unit in alone) + looped) / 1e3,
        "air_kw": sum(values["air_heat_w"] for values in racks.values()) / 1e3,
        "fan_kw": electric.cooler_fans / 1e3,
        "pump_kw": electric.pumps / 1e3,
        "air_plant_kw": electric.air_plant / 1e3,
        "liquid_plant_kw": electric.liquid_plant / 1e3,
        "cooling_electric_kw": electric.total / 1e3,
    }
    if slots:
        metrics |= {"RCI_HI": rci_hi(slots), "RCI_LO": rci_lo(slots)}
    flows = [values["air_flow"] for values in coolers.values()]
    if slots and sum(flows) > 0.0:
        supply = mixed([values["supply_c"] for values in coolers.values()], flows)
        returned = mixed([values["return_c"] for values in coolers.values()], flows)
        metrics["SHI"] = shi(slots, supply)
        metrics["RHI"] = 1.0 - metrics["SHI"]
        metrics["RTI"] = rti(slots, supply, returned)
    return {name: float(value) if math.isfinite(value) else None for name, value in metrics.items()}
