"""Racks, racklets, coolers and ducts, each by itself."""

from __future__ import annotations

from itertools import combinations

from twin.model.catalog import AIR_DENSITY, AIR_HEAT_CAPACITY
from twin.model.check.report import TOLERANCE, Report
from twin.model.operating import Operating, liquid_share, rack_slots
from twin.model.schema import U_HEIGHT, Cooler, Rack, Racklet

LARGEST_RISE = 100.0
"""Air that a slot heats by more is a fault of power or flow; servers heat theirs by 10 to 30 K. [K]"""


def check_racks(report: Report) -> None:
    """Rack units, power, air flow and liquid share of every rack."""
    for n, rack in enumerate(report.layout.racks):
        subject, field = f"rack '{rack.id}'", f"racks[{n}]"
        if rack.units * U_HEIGHT > rack.size[2] + TOLERANCE:
            report.error(
                subject, f"{field}.units", f"{rack.units} U",
                f"{rack.units * U_HEIGHT:.2f} m of rack units do not fit into {rack.size[2]:g} m",
                "Raise the rack or take fewer units",
            )  # fmt: skip
        _check_units(report, n, rack)
        _check_power(report, n, rack)
        _check_air(report, n, rack)
        served = any(k.rack == rack.id and k.cooling_module.kind == "liquid" for k in report.layout.racklets)
        share = liquid_share(rack)
        if share > 0.0 and not served and not report.dropped:
            report.error(
                subject, f"{field}.liquid_share", f"{share:g}",
                "heat under cold plates needs a racklet with a liquid cooling module in the rack",
                "Add a racklet, or set liquid_share to 0",
            )  # fmt: skip


def _check_units(report: Report, n: int, rack: Rack) -> None:
    taken = [
        (f"racks[{n}].slots[{k}]", f"slot {k + 1}", slot.u_start, slot.u_start + slot.u_height)
        for k, slot in enumerate(rack.slots)
    ]
    taken += [
        (f"racklets[{k}]", f"racklet '{unit.id}'", unit.u_start, unit.u_start + unit.u_height)
        for k, unit in enumerate(report.layout.racklets)
        if unit.rack == rack.id
    ]
    for field, subject, start, end in taken:
        if end - 1 > rack.units:
            report.error(
                f"{subject} of rack '{rack.id}'", f"{field}.u_start", f"U{start} to U{end - 1}",
                f"the rack has {rack.units} U", "Move it down",
            )  # fmt: skip
    for (_, other, a0, a1), (field, subject, b0, b1) in combinations(taken, 2):
        if a0 < b1 and b0 < a1:
            report.error(
                f"{subject} of rack '{rack.id}'", f"{field}.u_start", f"U{b0} to U{b1 - 1}",
                f"overlaps {other} at U{a0} to U{a1 - 1}", "Give each its own rack units",
            )  # fmt: skip


def _check_power(report: Report, n: int, rack: Rack) -> None:
    subject, field = f"rack '{rack.id}'", f"racks[{n}].power"
    given = sum(slot.power or 0.0 for slot in rack.slots)
    free = any(slot.power is None for slot in rack.slots)
    if rack.power is None and free:
        report.error(
            subject, field, "", "is missing, and not every slot has a power", "Give the rack's power"
        )
    elif rack.power is not None and (given > rack.power + 1.0 or (not free and given < rack.power - 1.0)):
        report.error(
            subject, field, f"{rack.power:g} W", f"its slots add up to {given:g} W",
            "Give either the rack's power or the slots', or make them agree",
        )  # fmt: skip
    elif rack.nominal_power <= 0.0:
        report.error(
            subject, field, "0 W", "a rack draws power", "Give a power above 0, or leave the rack out"
        )
    if rack.rated_power is not None and rack.nominal_power > rack.rated_power:
        report.error(
            subject, field, f"{rack.nominal_power:g} W",
            f"exceeds the rack's rated {rack.rated_power:g} W",
            "Lower it or raise rated_power",
        )  # fmt: skip


def _check_air(report: Report, n: int, rack: Rack) -> None:
    """Every slot that gives heat to the air needs air to carry it."""
    slots = rack_slots(report.layout, rack, Operating())
    for k, (slot, now) in enumerate(zip(rack.slots, slots, strict=True)):
        carried = AIR_DENSITY * AIR_HEAT_CAPACITY * now.flow * LARGEST_RISE
        if now.air_heat <= carried:
            continue
        own = slot.air is not None
        flow = "no air flow" if now.flow <= 0.0 else f"only {now.flow:.3g} m3/s of air"
        report.error(
            f"slot {k + 1} of rack '{rack.id}'",
            f"racks[{n}].slots[{k}].air" if own else f"racks[{n}].air",
            f"{now.flow:g} m3/s",
            f"{now.air_heat:g} W have {flow}: it would leave more than {LARGEST_RISE:g} K warmer",
            "Raise the air flow (0.0566 m3/s per kW is usual), or lower the power",
        )


def check_racklets(report: Report) -> None:
    """Racklets can feed and cool their rack."""
    for n, unit in enumerate(report.layout.racklets):
        rack = report.racks.get(unit.rack)
        if rack is None:
            continue
        subject = f"racklet '{unit.id}'"
        sharing = sum(other.rack == rack.id for other in report.layout.racklets)
        rating = unit.power_module.module_power * unit.power_module.modules
        drawn = rack.nominal_power / sharing
        if drawn > rating:
            report.error(
                subject, f"racklets[{n}].power_module", f"{rating:g} W",
                f"cannot feed the {drawn:g} W that rack '{rack.id}' takes from it",
                "Add modules, or lower the rack's power",
            )  # fmt: skip
        _check_cooling(report, n, unit, rack, drawn)


def _check_cooling(report: Report, n: int, unit: Racklet, rack: Rack, drawn: float) -> None:
    module = unit.cooling_module
    if module.kind == "liquid":
        heat = drawn * liquid_share(rack)
        rule = f"is less than the {heat:g} W under cold plates of rack '{rack.id}'; the rest goes to the room"
    else:
        heat = drawn * (1.0 - liquid_share(rack))
        rule = (
            f"is less than the {heat:g} W that rack '{rack.id}' gives to the air; its fans cannot hold the "
            "servers' temperature"
        )
    if heat > module.capacity:
        report.warn(
            f"racklet '{unit.id}'", f"racklets[{n}].cooling_module.capacity", f"{module.capacity:g} W", rule,
            "Raise it, or lower the rack's power",
        )  # fmt: skip


def check_coolers(report: Report) -> None:
    """Coolers have a limit, two different faces, and the plenum that they blow into or draw from."""
    for n, cooler in enumerate(report.layout.coolers):
        subject, field = f"cooler '{cooler.id}'", f"coolers[{n}]"
        if cooler.supply == "controlled" and cooler.capacity is None:
            report.error(
                subject, f"{field}.capacity", "", "is missing: a controlled supply needs a limit",
                "Give the sensible capacity, or set supply to fixed",
            )  # fmt: skip
        if cooler.supply_face == cooler.return_face:
            report.error(
                subject, f"{field}.supply_face", cooler.supply_face, "is the return face too",
                "Choose another face",
            )  # fmt: skip
        _check_floor_side(report, n, cooler)
        _check_ceiling_side(report, n, cooler)


def _check_floor_side(report: Report, n: int, cooler: Cooler) -> None:
    subject, field = f"cooler '{cooler.id}'", f"coolers[{n}]"
    if cooler.supply_face == "plenum" and report.layout.room.raised_floor <= 0.0:
        report.error(
            subject, f"{field}.supply_face", "plenum", "the room has no raised floor",
            "Give room.raised_floor, or set supply_face to front",
        )  # fmt: skip
    if cooler.supply_face == "plenum" and cooler.elevation > 0.0:
        report.error(
            subject, f"{field}.elevation", f"{cooler.elevation:g} m",
            "a cooler that blows into the plenum stands on the floor",
            "Set elevation to 0, or blow down into the room with supply_face: bottom",
        )  # fmt: skip
    for which in ("supply_face", "return_face"):
        if getattr(cooler, which) == "bottom" and cooler.elevation <= 0.0:
            report.error(
                subject, f"{field}.{which}", "bottom", "the cooler stands on its bottom face",
                "Give its elevation above the floor, or choose another face",
            )  # fmt: skip


def _check_ceiling_side(report: Report, n: int, cooler: Cooler) -> None:
    room = report.layout.room
    if cooler.return_face != "ceiling":
        return
    subject, field = f"cooler '{cooler.id}'", f"coolers[{n}].return_face"
    if room.ceiling <= 0.0:
        report.error(
            subject, field, "ceiling", "the room has no drop ceiling",
            "Give room.ceiling, or set return_face to top",
        )  # fmt: skip
    elif not report.layout.grilles and room.ceiling_leakage <= 0.0 and not report.dropped:
        report.error(
            subject, field, "ceiling", "it draws from above the ceiling and no grille lets air in",
            "Add grilles",
        )  # fmt: skip


def check_ducts(report: Report) -> None:
    """Tell ducts whose ends are one."""
    for n, duct in enumerate(report.layout.ducts):
        if duct.intake is not None and duct.intake == duct.discharge:
            report.error(
                f"duct '{duct.id}'", f"ducts[{n}].discharge", "", "is the intake too", "Move one of them"
            )
