"""Coolant loops: what they feed, what they can deliver, and whether their fluid stays liquid and safe."""

from __future__ import annotations

from collections import Counter

from solvers.coolant.fluids import fluid
from solvers.coolant.vessels import LOW
from twin.errors import Severity
from twin.model.check.loop_duty import branch_heat, check_duty
from twin.model.check.report import Report
from twin.model.schema import AirCoil, Branch, Loop
from twin.units import celsius

BLOCKED = 0.98
"""Part of a filter's area, blocked, from which it lets next to nothing through: 2500 times its loss. [1]"""
WORST_PUMP, BEST_PUMP = 0.05, 0.9
"""Efficiencies that pumps have. [1]"""
HOTTEST_CHIP = 150.0
"""Chips that are hotter at nominal power do not work: silicon is rated for 105 to 125. [degC]"""
FREEZE_MARGIN = 3.0
"""Nearer to its freezing point than this a coolant may gel at a cold spot. [K]"""


def check_loops(report: Report) -> None:
    """Each loop by itself, and what is fed twice."""
    fed = Counter(b.racklet for loop in report.layout.loops for b in loop.branches)
    _check_partners(report, fed)
    doors: dict[str, str] = {}
    for n, loop in enumerate(report.layout.loops):
        before = len(report.findings)
        _check_fluid(report, n, loop)
        _check_cdu(report, n, loop)
        _check_valves(report, n, loop)
        for k, branch in enumerate(loop.branches):
            _check_branch(report, f"loops[{n}].branches[{k}]", loop, branch, fed)
        for k, coil in enumerate(loop.coils):
            _check_coil(report, f"loops[{n}].coils[{k}]", coil, doors)
        if not report.dropped and all(f.severity is Severity.WARNING for f in report.findings[before:]):
            check_duty(report, n, loop)


def _check_fluid(report: Report, n: int, loop: Loop) -> None:
    """Every temperature that the loop can reach lies between freezing and boiling or flash point."""
    liquid, cdu = fluid(loop.fluid), loop.cdu
    places = {
        f"loops[{n}].cdu.supply_temperature": cdu.supply_temperature,
        f"loops[{n}].cdu.facility.supply_temperature": cdu.facility.supply_temperature,
    }
    for field, temperature in places.items():
        if temperature < liquid.T_freeze + FREEZE_MARGIN:
            report.error(
                f"loop '{loop.id}'", field, f"{celsius(temperature):g} degC",
                f"{loop.fluid} freezes at {celsius(liquid.T_freeze):.1f} degC; stay "
                f"{FREEZE_MARGIN:g} K above it",
                "Raise the temperature, or take a fluid that freezes lower",
            )  # fmt: skip
    facility, water = cdu.facility.supply_temperature, fluid("water")
    if facility <= water.T_freeze:
        report.error(
            f"CDU '{cdu.id}'", f"loops[{n}].cdu.facility.supply_temperature", f"{celsius(facility):g} degC",
            f"the facility's water freezes at {celsius(water.T_freeze):.1f} degC", "Raise the temperature",
        )  # fmt: skip
    what = "boils" if liquid.hot_is == "boiling" else "has its flash point"
    if cdu.supply_temperature >= liquid.T_hot:
        report.error(
            f"loop '{loop.id}'", f"loops[{n}].cdu.supply_temperature",
            f"{celsius(cdu.supply_temperature):g} degC",
            f"{loop.fluid} {what} at {celsius(liquid.T_hot):.1f} degC",
            "Lower the set point, or take another fluid",
        )  # fmt: skip
        return
    hottest = max((branch.cold_plates.limit_temperature for branch in loop.branches), default=0.0)
    if hottest > liquid.T_hot:
        report.error(
            f"loop '{loop.id}'", f"loops[{n}].fluid", loop.fluid,
            f"{what} at {celsius(liquid.T_hot):.1f} degC, and chips may reach {celsius(hottest):g} degC",
            "Lower limit_temperature of its cold plates, or take another fluid",
        )  # fmt: skip


def _check_cdu(report: Report, n: int, loop: Loop) -> None:
    cdu, subject = loop.cdu, f"CDU '{loop.cdu.id}'"
    if cdu.supply_temperature <= cdu.facility.supply_temperature:
        report.error(
            subject, f"loops[{n}].cdu.supply_temperature", f"{celsius(cdu.supply_temperature):g} degC",
            f"facility water of {celsius(cdu.facility.supply_temperature):g} degC cannot cool it so far",
            "Raise the set point above it, or lower the facility's supply temperature",
        )  # fmt: skip
    wanted = sum(taker.design_flow for taker in loop.takers)
    working = [pump for pump in cdu.pumps if not pump.standby]
    if not working:
        report.error(
            subject, f"loops[{n}].cdu.pumps", "all standby", "no pump runs", "Set standby: false on one"
        )
        return
    given = sum(pump.design_flow for pump in working)
    if given < 0.4 * wanted:
        report.error(
            subject, f"loops[{n}].cdu.pumps", f"{given:.3g} m3/s",
            f"the pumps that run give less than 40 % of the {wanted:.3g} m3/s that branches and coils want",
            "Add a pump, raise design_flow, or lower the branches' design flows",
        )  # fmt: skip
    needed = max(
        *(branch.cold_plates.pressure_drop for branch in loop.branches),
        *(coil.pressure_drop for coil in loop.coils),
        0.0,
    )
    needed += cdu.exchanger.pressure_drop + cdu.filter.pressure_drop
    highest = max(pump.shutoff_pressure for pump in working)
    if needed >= highest:
        report.error(
            subject, f"loops[{n}].cdu.pumps", f"{highest:g} Pa",
            f"plates or coils, exchanger and filter alone take {needed:g} Pa at their design flows",
            "Raise shutoff_pressure and design_pressure, or take wider plates",
        )  # fmt: skip
    for k, pump in enumerate(cdu.pumps):
        efficiency = pump.hydraulic_power / max(pump.shaft_power, 1e-9)
        if not WORST_PUMP <= efficiency <= BEST_PUMP:
            bound = f"at most {BEST_PUMP:.0%}" if efficiency > BEST_PUMP else f"at least {WORST_PUMP:.0%}"
            report.error(
                f"pump '{pump.id}'", f"loops[{n}].cdu.pumps[{k}].power", f"{pump.shaft_power:g} W",
                f"its design flow and pressure are {pump.hydraulic_power:.0f} W: an efficiency of "
                f"{efficiency:.1%}, and pumps have {bound}",
                "Give the power at nominal speed and design flow, or leave it out",
            )  # fmt: skip
    if cdu.filter.clogged >= BLOCKED:
        report.error(
            subject, f"loops[{n}].cdu.filter.clogged", f"{cdu.filter.clogged:g}",
            f"a filter is blocked from {BLOCKED:g} on: it isolates the pumps", "Clean the filter",
        )  # fmt: skip
    tank = cdu.reservoir
    if tank.level < LOW:
        report.error(
            subject, f"loops[{n}].cdu.reservoir.level", f"{tank.level:g}",
            f"pumps draw gas from a tank that holds less than {LOW:g} of its volume", "Fill the reservoir",
        )  # fmt: skip
    elif tank.level <= tank.alarm_level:
        report.warn(
            subject, f"loops[{n}].cdu.reservoir.level", f"{tank.level:g}",
            f"lies at or below its alarm level of {tank.alarm_level:g}", "Fill the reservoir",
        )  # fmt: skip


def _check_valves(report: Report, n: int, loop: Loop) -> None:
    if all(taker.valve_open == 0.0 for taker in loop.takers):
        pumps = ", ".join(f"'{pump.id}'" for pump in loop.cdu.pumps)
        report.error(
            f"loop '{loop.id}'", f"loops[{n}].{'branches' if loop.branches else 'coils'}[0].valve_open", "0",
            f"every balancing valve is shut: the valves isolate pump {pumps}",
            "Open a valve, or leave the loop out",
        )  # fmt: skip


def _check_branch(report: Report, field: str, loop: Loop, branch: Branch, fed: Counter[str]) -> None:
    subject, layout = f"branch '{branch.id}'", report.layout
    racklets = {unit.id: unit for unit in layout.racklets}
    if branch.racklet not in report.dropped:
        unit = racklets.get(branch.racklet)
        if unit is None:
            report.error(
                subject, f"{field}.racklet", branch.racklet, "there is no racklet with this id",
                f"Use one of {', '.join(racklets)}" if racklets else "Add a racklet with this id",
            )  # fmt: skip
        elif unit.cooling_module.kind != "liquid":
            report.error(
                subject, f"{field}.racklet", branch.racklet, "its cooling module is not liquid",
                "Set cooling_module.kind to liquid, or leave the branch out",
            )  # fmt: skip
        elif unit.rack in report.racks:
            _check_plates(report, field, loop, branch)
        if fed[branch.racklet] > 1:
            report.error(
                subject, f"{field}.racklet", branch.racklet, "is fed by more than one branch",
                "Name the racklet that this branch feeds, or leave the branch out",
            )  # fmt: skip


def _check_coil(report: Report, field: str, coil: AirCoil, doors: dict[str, str]) -> None:
    """Look that its rack exists and no other coil is there; notes it in ``doors``, coils by rack."""
    other = doors.setdefault(coil.rack, coil.id)
    if other != coil.id:
        report.error(
            f"coil '{coil.id}'", f"{field}.rack", coil.rack,
            f"coils '{other}' and '{coil.id}' both cool the air of this rack, each as if it were alone",
            "Give each rack one coil; two in a row are one with their ua added up",
        )  # fmt: skip
    racks = {rack.id for rack in report.layout.racks}
    if coil.rack not in racks and coil.rack not in report.dropped:
        report.error(
            f"coil '{coil.id}'", f"{field}.rack", coil.rack, "there is no rack with this id",
            f"Use one of {', '.join(sorted(racks))}" if racks else "Add a rack with this id",
        )  # fmt: skip


def _check_plates(report: Report, field: str, loop: Loop, branch: Branch) -> None:
    """Chips stay below their limit at nominal power."""
    plates = branch.cold_plates
    liquid = fluid(loop.fluid)
    inlet = loop.cdu.supply_temperature
    least = 1.0 / float(branch.design_flow * liquid.density(inlet) * liquid.specific_heat(inlet))
    if plates.resistance <= least:
        report.error(
            f"branch '{branch.id}'", f"{field}.cold_plates.resistance", f"{plates.resistance:g} K/W",
            f"the coolant's own warming at its design flow already gives {least:.3g} K/W",
            "Raise the resistance (mean chip over inlet temperature per heat), or the design flow",
        )  # fmt: skip
        return
    heat = branch_heat(report, branch)
    outlet = inlet + least * heat
    if outlet >= liquid.T_hot:
        what = "boiling" if liquid.hot_is == "boiling" else "flash"
        report.error(
            f"branch '{branch.id}'", f"{field}.design_flow", f"{branch.design_flow:g} m3/s",
            f"with {heat:g} W {loop.fluid} would leave at {celsius(outlet):.0f} degC, above its {what} point "
            f"of {celsius(liquid.T_hot):.1f} degC",
            "Raise the design flow, or lower the supply temperature",
        )  # fmt: skip
        return
    chip = celsius(inlet + plates.resistance * heat)
    limit = celsius(plates.limit_temperature)
    value = f"{plates.resistance:g} K/W"
    if chip > HOTTEST_CHIP:
        report.error(
            f"branch '{branch.id}'", f"{field}.cold_plates.resistance", value,
            f"with {heat:g} W the chips would reach {chip:.0f} degC; none works above {HOTTEST_CHIP:g} degC",
            f"Give mean chip over inlet temperature per heat of all plates: {limit:g} degC need at most "
            f"{max(limit - celsius(inlet), 0.0) / max(heat, 1.0):.2g} K/W; or put less heat under them",
        )  # fmt: skip
    elif chip > limit:
        boils = liquid.hot_is == "boiling" and chip > celsius(liquid.T_hot)
        also = (
            f"; {loop.fluid} boils at {celsius(liquid.T_hot):.1f} degC and may do so under them"
            if boils
            else ""
        )
        report.warn(
            f"branch '{branch.id}'", f"{field}.cold_plates.resistance", value,
            f"with {heat:g} W the chips reach {chip:.0f} degC, over their limit of {limit:g} degC{also}",
            "Lower the resistance or the supply temperature, or put less heat under the plates",
        )  # fmt: skip


def _check_partners(report: Report, fed: Counter[str]) -> None:
    """Look that the liquid racklets of one rack hang on loops, all of them or none."""
    for n, unit in enumerate(report.layout.racklets):
        if fed[unit.id] or unit.cooling_module.kind != "liquid":
            continue
        partner = next(
            (other.id for other in report.layout.racklets if other.rack == unit.rack and fed[other.id]), None
        )
        if partner is not None:
            report.error(
                f"racklet '{unit.id}'", f"racklets[{n}]", "no branch",
                f"racklet '{partner}' in the same rack hangs on a loop, this one on none",
                "Give it a branch, or make it an air racklet",
            )  # fmt: skip
