"""Whether a coolant loop that is sound can do its duty: hold its supply, drive every branch."""

from __future__ import annotations

import numpy as np

from solvers.coolant.components import COUNTER, CROSS
from solvers.coolant.fluids import fluid
from twin.model.catalog import AIR_DENSITY, AIR_HEAT_CAPACITY
from twin.model.check.report import Report
from twin.model.operating import Operating, liquid_share, rack_slots
from twin.model.schema import AirCoil, Branch, Loop
from twin.units import celsius

_HELD = 0.3
"""Nearer to its set point than this a supply is held: properties at one temperature say no more. [K]"""


def check_duty(report: Report, n: int, loop: Loop) -> None:
    """Warn of a supply that cannot be held at nominal heat and of branches that lack pressure."""
    _check_exchanger(report, n, loop)
    _check_pressures(report, n, loop)


def branch_heat(report: Report, branch: Branch) -> float:
    """Heat into the plates of a branch at nominal power. [W]."""
    rack = report.racks[next(u.rack for u in report.layout.racklets if u.id == branch.racklet)]
    sharing = sum(
        unit.rack == rack.id and unit.cooling_module.kind == "liquid" for unit in report.layout.racklets
    )
    return rack.nominal_power * liquid_share(rack) / max(sharing, 1)


def _check_exchanger(report: Report, n: int, loop: Loop) -> None:
    """At full facility flow the exchanger must take the nominal heat at the supply's set point."""
    cdu, liquid, water = loop.cdu, fluid(loop.fluid), fluid("water")
    T, T_facility = cdu.supply_temperature, cdu.facility.supply_temperature
    heat = sum(branch_heat(report, branch) for branch in loop.branches)
    heat += sum(_coil_heat(report, loop, coil) for coil in loop.coils)
    heat += sum(pump.shaft_power for pump in cdu.pumps if not pump.standby)
    C_loop = sum(taker.design_flow for taker in loop.takers)
    C_loop *= float(liquid.density(T) * liquid.specific_heat(T))
    C_facility = cdu.facility.flow * float(water.specific_heat(T_facility))
    taken = _gain(cdu.exchanger.ua, C_loop, C_facility, COUNTER)
    # heat = taken (T_return - T_facility), T_return = T_supply + heat / C_loop
    best = T_facility + heat / taken - heat / C_loop
    if best > T + _HELD:
        report.warn(
            f"CDU '{cdu.id}'", f"loops[{n}].cdu.supply_temperature", f"{celsius(T):g} degC",
            f"at {heat:.3g} W and with the facility's valve fully open the exchanger gives "
            f"{celsius(best):.1f} degC at best",
            f"Raise the facility's flow ({cdu.facility.flow:g} kg/s) or the exchanger's ua "
            f"({cdu.exchanger.ua:g} W/K), lower the facility's temperature, or raise the set point",
        )  # fmt: skip


def _check_pressures(report: Report, n: int, loop: Loop) -> None:
    """Every branch must get its design flow with its balancing valve open."""
    from twin.model.coolant import build_loop  # noqa: PLC0415  loads compiled kernels, where there are loops

    short = build_loop(loop, {coil.id: 1.0 for coil in loop.coils}).short_of_pressure
    for kind, takers in (("branches", loop.branches), ("coils", loop.coils)):
        for k, taker in enumerate(takers):
            if taker.id in short:
                report.warn(
                    f"{'branch' if kind == 'branches' else 'coil'} '{taker.id}'",
                    f"loops[{n}].{kind}[{k}].design_flow", f"{taker.design_flow:g} m3/s",
                    "with all design flows and its balancing valve fully open it lacks "
                    f"{short[taker.id]:.0f} Pa",
                    "Raise design_pressure of the pumps, widen hoses, header or plates, or lower the flow",
                )  # fmt: skip


def _coil_heat(report: Report, loop: Loop, coil: AirCoil) -> float:
    """Heat that a coil takes out of its rack's air at nominal power, the coolant at its set point. [W]."""
    layout, liquid, T = report.layout, fluid(loop.fluid), loop.cdu.supply_temperature
    slots = rack_slots(layout, report.racks[coil.rack], Operating())
    C_air = AIR_DENSITY * AIR_HEAT_CAPACITY * sum(slot.flow for slot in slots)
    if C_air <= 0.0:
        return 0.0
    supplies = [cooler.supply_temperature for cooler in layout.coolers]
    T_air = sum(supplies) / len(supplies) if supplies else layout.air.reference_temperature
    T_air += sum(slot.air_heat for slot in slots) / C_air
    C_coil = coil.design_flow * float(liquid.density(T) * liquid.specific_heat(T))
    return max(0.0, _gain(coil.ua, C_coil, C_air, CROSS) * (T_air - T))


def _gain(ua: float, C_one: float, C_other: float, arrangement: int) -> float:
    """Heat of an exchanger over the difference of its inlet temperatures. [W/K]."""
    from solvers.coolant.exchangers import effectiveness  # noqa: PLC0415  as above

    least, most = sorted((C_one, C_other))
    share = effectiveness(np.array([ua / least]), np.array([least / most]), np.array([arrangement]))
    return float(share[0]) * least
