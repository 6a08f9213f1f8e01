"""Sums: feeds, air, heat, workloads."""

from __future__ import annotations

from twin.model.check.report import Report
from twin.model.operating import Operating, rack_slots
from twin.model.schema import Layout

_IN_TIME = "; how fast a room heats up when its coolers stop tells racklet simulate, by a cooler_trip event"


def check_feeds(report: Report) -> None:
    """No feed gives more than it has."""
    for n, feed in enumerate(report.layout.feeds):
        drawn = sum(rack.nominal_power for rack in report.layout.racks if rack.feed == feed.id)
        if drawn > feed.capacity:
            report.error(
                f"feed '{feed.id}'", f"feeds[{n}].capacity", f"{feed.capacity:g} W",
                f"its racks draw {drawn:g} W", "Raise the capacity or move racks to another feed",
            )  # fmt: skip


def check_flows(report: Report) -> None:
    """Supply matches what the racks draw, cooling the heat, and the plenum has a way out."""
    layout = report.layout
    running = [cooler for cooler in layout.coolers if not cooler.failed]
    racks = sum(slot.flow for rack in layout.racks for slot in rack_slots(layout, rack, Operating()))
    supply = sum(cooler.air_flow for cooler in running) + _fresh_air(layout)
    if racks > 0.0 and layout.coolers and supply < 0.9 * racks:
        report.warn(
            "coolers", "coolers", f"{supply:.2f} m3/s",
            f"the racks draw {racks:.2f} m3/s: the missing air recirculates hot",
            "Raise the coolers' air flow",
        )  # fmt: skip
    other_ways = _other_ways_out(layout)
    behind_coils = {coil.rack for loop in layout.loops for coil in loop.coils}  # the solve tells their share
    air_heat = {
        rack.id: sum(slot.air_heat for slot in rack_slots(layout, rack, Operating())) for rack in layout.racks
    }
    heat = sum(watts for rack, watts in air_heat.items() if rack not in behind_coils)
    coils_alone = bool(behind_coils) and heat == 0.0
    limited = all(cooler.supply == "controlled" for cooler in running)
    capacity = sum(cooler.capacity or 0.0 for cooler in running)
    note = report.error if report.settles else report.warn
    if limited and layout.coolers and capacity < heat and not other_ways:
        failed = ", ".join(f"'{cooler.id}'" for cooler in layout.coolers if cooler.failed)
        note(
            f"cooler{'s' if len(layout.coolers) > 1 else ''} "
            + ", ".join(f"'{cooler.id}'" for cooler in layout.coolers),
            "coolers", f"{capacity:g} W",
            f"the air takes {heat:g} W: the room heats up without end"
            + (f"; failed: {failed}" if failed else ""),
            f"Raise the capacity{' or mend what failed' if failed else ''}, or lower the load{_IN_TIME}",
        )  # fmt: skip
    if racks > 0.0 and not (layout.coolers or other_ways or coils_alone or report.dropped):
        note(
            "coolers", "coolers", "", f"nothing cools the room, whose air takes {sum(air_heat.values()):g} W",
            f"Add a cooler{_IN_TIME}",
        )  # fmt: skip
    through_floor = any(cooler.supply_face == "plenum" for cooler in running)
    leaking = layout.room.floor_leakage > 0.0
    if through_floor and not layout.tiles and not leaking and not report.dropped:
        report.error(
            "tiles", "tiles", "", "the coolers blow into the plenum and no tile lets the air out", "Add tiles"
        )


def _fresh_air(layout: Layout) -> float:
    """Air that ducts bring from outside or cool. [m3/s]."""
    return sum(
        duct.air_flow
        for duct in layout.ducts
        if not duct.failed
        and duct.discharge is not None
        and (duct.intake is None or duct.supply_temperature is not None)
    )


def _other_ways_out(layout: Layout) -> bool:
    """Whether heat leaves the room other than by coolers: ducts, openings, walls of given temperature."""
    envelope = layout.room.envelope
    return (
        any(
            not duct.failed and (duct.intake is None or duct.discharge is None or duct.supply_temperature)
            for duct in layout.ducts
        )
        or any(opening.loss is not None for opening in layout.openings)
        or any(getattr(envelope, side).temperature is not None for side in type(envelope).model_fields)
    )


def check_workloads(report: Report) -> None:
    """Workloads fit into their rack's power."""
    for rack in report.layout.racks:
        placed = sum(work.power for work in report.layout.workloads if work.rack == rack.id)
        if placed > rack.nominal_power + 1.0:
            report.error(
                f"rack '{rack.id}'", f"{report.paths[rack.id]}.power", f"{rack.nominal_power:g} W",
                f"its workloads add up to {placed:g} W", "Raise the rack's power or move workloads",
            )  # fmt: skip
