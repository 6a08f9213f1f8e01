"""Faults that only show when a layout's parts are held against each other: places, references, sums."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from twin.errors import Finding, Severity
from twin.model.geometry import Box, boxes, sensor_points
from twin.model.operating import liquid_share
from twin.model.schema import U_HEIGHT, Containment, Layout, Rack

_TOLERANCE = 1e-6


def check_layout(layout: Layout, file: str = "", dropped: frozenset[str] = frozenset()) -> list[Finding]:
    """Hold a layout's parts against each other.

    Parameters
    ----------
    layout : Layout
    file : str                   Names the layout in the findings.
    dropped : frozenset of str   Ids that exist in the file but could not be read: no fault to refer to them.

    Returns
    -------
    list of Finding
        Errors and warnings, without lines; empty for a sound layout.
    """
    check = _Check(layout, file, dropped)
    for rule in (
        check.ids,
        check.references,
        check.racks,
        check.racklets,
        check.coolers,
        check.places,
        check.overlaps,
        check.tiles,
        check.feeds,
        check.flows,
        check.workloads,
    ):
        rule()
    return check.findings


class _Check:
    """The rules, each a method; a fault goes into ``findings``."""

    def __init__(self, layout: Layout, file: str, dropped: frozenset[str]) -> None:
        self.layout = layout
        self.file = file
        self.dropped = dropped
        self.findings: list[Finding] = []
        self.fields = dict(_fields(layout))
        known_racks = {rack.id for rack in layout.racks}
        self.racks_by_id = {rack.id: rack for rack in layout.racks}
        placeable = layout.model_copy(
            update={"sensors": tuple(s for s in layout.sensors if s.rack is None or s.rack in known_racks)}
        )
        self.placed = placeable
        self.boxes = [box for box in boxes(layout) if box.kind != "floor"]

    # -- names -----------------------------------------------------------------------------------------------

    def ids(self) -> None:
        seen: dict[str, str] = {}
        for kind, name, field in _named(self.layout):
            if name in seen:
                self._error(
                    f"{kind} '{name}'",
                    f"{field}.id",
                    name,
                    f"{seen[name]} has this id already",
                    "Ids are unique",
                )
            else:
                seen[name] = f"{kind} ({field})"
        self._error_if(
            "plenum" in seen,
            "layout",
            "",
            "plenum",
            "the id 'plenum' names the plenum's pressure",
            "Choose another",
        )

    def references(self) -> None:
        racks = [rack.id for rack in self.layout.racks]
        feeds = [feed.id for feed in self.layout.feeds]
        wanted = [
            *((f"rack '{r.id}'", f"racks[{n}].feed", r.feed, feeds, "feed")
              for n, r in enumerate(self.layout.racks)),
            *((f"racklet '{k.id}'", f"racklets[{n}].rack", k.rack, racks, "rack")
              for n, k in enumerate(self.layout.racklets)),
            *((f"sensor '{s.id}'", f"sensors[{n}].rack", s.rack, racks, "rack")
              for n, s in enumerate(self.layout.sensors)),
            *((f"workload '{w.id}'", f"workloads[{n}].rack", w.rack, racks, "rack")
              for n, w in enumerate(self.layout.workloads)),
        ]  # fmt: skip
        for subject, field, name, known, kind in wanted:
            if name is not None and name not in known and name not in self.dropped:
                choice = f"Use one of {', '.join(known)}" if known else f"Add a {kind} with this id"
                self._error(subject, field, name, f"there is no {kind} '{name}'", choice)

    # -- objects ---------------------------------------------------------------------------------------------

    def racks(self) -> None:
        for n, rack in enumerate(self.layout.racks):
            subject, field = f"rack '{rack.id}'", f"racks[{n}]"
            if rack.units * U_HEIGHT > rack.size[2] + _TOLERANCE:
                self._error(
                    subject, f"{field}.units", f"{rack.units} U",
                    f"{rack.units * U_HEIGHT:.2f} m of rack units do not fit into {rack.size[2]:g} m",
                    "Raise the rack or take fewer units",
                )  # fmt: skip
            self._rack_units(n, rack)
            self._rack_power(n, rack)
            share = liquid_share(rack)
            served = any(
                k.rack == rack.id and k.cooling_module.kind == "liquid" for k in self.layout.racklets
            )
            if share > 0.0 and not served and not self.dropped:
                self._error(
                    subject, f"{field}.liquid_share", f"{share:g}",
                    "heat under cold plates needs a racklet with a liquid cooling module in the rack",
                    "Add a racklet, or set liquid_share to 0",
                )  # fmt: skip

    def _rack_units(self, n: int, rack: Rack) -> None:
        taken = [
            (f"racks[{n}].slots[{k}]", f"slot {k + 1}", slot.u_start, slot.u_start + slot.u_height)
            for k, slot in enumerate(rack.slots)
        ]
        taken += [
            (f"racklets[{k}]", f"racklet '{unit.id}'", unit.u_start, unit.u_start + unit.u_height)
            for k, unit in enumerate(self.layout.racklets)
            if unit.rack == rack.id
        ]
        for field, subject, start, end in taken:
            if end - 1 > rack.units:
                self._error(
                    f"{subject} of rack '{rack.id}'", f"{field}.u_start", f"U{start} to U{end - 1}",
                    f"the rack has {rack.units} U", "Move it down",
                )  # fmt: skip
        for (_, other, a0, a1), (field, subject, b0, b1) in combinations(taken, 2):
            if a0 < b1 and b0 < a1:
                self._error(
                    f"{subject} of rack '{rack.id}'", f"{field}.u_start", f"U{b0} to U{b1 - 1}",
                    f"overlaps {other} at U{a0} to U{a1 - 1}", "Give each its own rack units",
                )  # fmt: skip

    def _rack_power(self, n: int, rack: Rack) -> None:
        subject, field = f"rack '{rack.id}'", f"racks[{n}].power"
        given = sum(slot.power or 0.0 for slot in rack.slots)
        free = any(slot.power is None for slot in rack.slots)
        if rack.power is None and free:
            self._error(
                subject, field, "", "is missing, and not every slot has a power", "Give the rack's power"
            )
        elif rack.power is not None and (given > rack.power + 1.0 or (not free and given < rack.power - 1.0)):
            self._error(
                subject, field, f"{rack.power:g} W", f"its slots add up to {given:g} W",
                "Give either the rack's power or the slots', or make them agree",
            )  # fmt: skip
        elif rack.nominal_power <= 0.0:
            self._error(
                subject, field, "0 W", "a rack draws power", "Give a power above 0, or leave the rack out"
            )
        if rack.rated_power is not None and rack.nominal_power > rack.rated_power:
            self._error(
                subject, field, f"{rack.nominal_power:g} W",
                f"exceeds the rack's rated {rack.rated_power:g} W",
                "Lower it or raise rated_power",
            )  # fmt: skip

    def racklets(self) -> None:
        for n, unit in enumerate(self.layout.racklets):
            rack = self.racks_by_id.get(unit.rack)
            if rack is None:
                continue
            subject = f"racklet '{unit.id}'"
            sharing = sum(other.rack == rack.id for other in self.layout.racklets)
            rating = unit.power_module.module_power * unit.power_module.modules
            if rack.nominal_power / sharing > rating:
                self._error(
                    subject, f"racklets[{n}].power_module", f"{rating:g} W",
                    f"cannot feed the {rack.nominal_power / sharing:g} W that rack '{rack.id}' takes from it",
                    "Add modules, or lower the rack's power",
                )  # fmt: skip
            heat = (
                rack.nominal_power
                / sharing
                * (liquid_share(rack) if unit.cooling_module.kind == "liquid" else 1.0)
            )
            if heat > unit.cooling_module.capacity:
                self._warn(
                    subject, f"racklets[{n}].cooling_module.capacity", f"{unit.cooling_module.capacity:g} W",
                    f"is less than the {heat:g} W of rack '{rack.id}'; the rest goes to the room",
                    "Raise it, or lower the rack's power",
                )  # fmt: skip

    def coolers(self) -> None:
        for n, cooler in enumerate(self.layout.coolers):
            subject, field = f"cooler '{cooler.id}'", f"coolers[{n}]"
            if cooler.supply == "controlled" and cooler.capacity is None:
                self._error(
                    subject, f"{field}.capacity", "", "is missing: a controlled supply needs a limit",
                    "Give the sensible capacity, or set supply to fixed",
                )  # fmt: skip
            if cooler.supply_face == "plenum" and self.layout.room.raised_floor <= 0.0:
                self._error(
                    subject, f"{field}.supply_face", "plenum", "the room has no raised floor",
                    "Give room.raised_floor, or set supply_face to front",
                )  # fmt: skip
            if cooler.supply_face == cooler.return_face:
                self._error(
                    subject,
                    f"{field}.supply_face",
                    cooler.supply_face,
                    "is the return face too",
                    "Choose another face",
                )

    # -- places ----------------------------------------------------------------------------------------------

    def places(self) -> None:
        size = self.layout.room.size
        floor = self.layout.room.raised_floor
        if floor > 0.0 and floor > 0.8 * size[2]:
            self._error(
                "room", "room.raised_floor", f"{floor:g} m",
                f"leaves no room under the ceiling at {size[2]:g} m",
                "The room's height counts from the slab",
            )  # fmt: skip
        for box in self.boxes:
            out = [
                f"{'xyz'[a]} from {box.lo[a]:g} to {box.hi[a]:g}, the room from 0 to {size[a]:g}"
                for a in range(3)
                if box.lo[a] < -_TOLERANCE or box.hi[a] > size[a] + _TOLERANCE
            ]
            if out:
                self._error_of(
                    box, "position", "; ".join(out), "lies outside the room [m]", "Move it into the room"
                )
        named: set[str] = set()
        for point, place in sensor_points(self.placed).items():
            name = point.partition(".")[0]
            if name not in named and self._sensor(name, place):
                named.add(name)  # of a rack's three the first misplaced one speaks for all

    def _sensor(self, name: str, place: tuple[float, float, float]) -> bool:
        """Whether the place of a sensor is wrong; if so there is a finding."""
        derived = not self.fields.get(name, "").startswith("sensors")
        size = self.layout.room.size
        inner = next(
            (box for box in self.boxes if box.kind in ("rack", "cooler", "obstacle") and _inside(place, box)),
            None,
        )
        if any(place[a] < 0.0 or place[a] > size[a] for a in range(3)):
            rule = "lies outside the room"
        elif inner is not None:
            rule = f"lies inside {inner.kind} '{inner.name}'"
        else:
            return False
        field = self.fields.get(name, "")
        if name == "plenum":
            subject, field, rule, remedy = (
                "room",
                "default_sensors",
                f"the place of plenum.pressure, under a tile, {rule}",
                "Move what is there, or set default_sensors to false and place sensors of your own",
            )
        elif derived:
            subject, rule, remedy = (
                f"rack '{name}'",
                f"the air before its front {rule}",
                "Turn or move the rack",
            )
        else:
            subject, remedy = f"sensor '{name}'", "Move it into the air"
        at = f"({place[0]:g}, {place[1]:g}, {place[2]:g})"
        self._error(subject, field, at, rule, remedy)
        return True

    def overlaps(self) -> None:
        blocks = [box for box in self.boxes if box.kind in ("rack", "cooler", "obstacle")]
        for first, second in combinations(blocks, 2):
            if first.overlaps(second):
                self._error_of(
                    second, "position", _extent(second),
                    f"overlaps {first.kind} '{first.name}' at {_extent(first)}",
                    "Move one of them",
                )  # fmt: skip

    def tiles(self) -> None:
        tiles = [box for box in self.boxes if box.kind == "tile"]
        floor = self.layout.room.raised_floor
        if tiles and floor <= 0.0:
            for tile in tiles:
                self._error_of(
                    tile, "", "", "lies in no floor: the room has no raised floor", "Give room.raised_floor"
                )
            return
        standing = [
            box for box in self.boxes
            if box.kind in ("rack", "cooler", "obstacle") and box.lo[2] <= floor + _TOLERANCE < box.hi[2]
        ]  # fmt: skip
        for tile in tiles:
            for box in standing:
                if tile.overlaps_in_plan(box):
                    self._error_of(
                        tile, "position", _extent(tile),
                        f"lies under {box.kind} '{box.name}' at {_extent(box)}",
                        "Move the tile or what stands on it",
                    )  # fmt: skip
        for first, second in combinations(tiles, 2):
            if first.overlaps_in_plan(second):
                self._error_of(
                    second, "position", _extent(second), f"overlaps tile '{first.name}' at {_extent(first)}",
                    "Move one of them",
                )  # fmt: skip

    # -- sums ------------------------------------------------------------------------------------------------

    def feeds(self) -> None:
        for n, feed in enumerate(self.layout.feeds):
            drawn = sum(rack.nominal_power for rack in self.layout.racks if rack.feed == feed.id)
            if drawn > feed.capacity:
                self._error(
                    f"feed '{feed.id}'", f"feeds[{n}].capacity", f"{feed.capacity:g} W",
                    f"its racks draw {drawn:g} W", "Raise the capacity or move racks to another feed",
                )  # fmt: skip

    def flows(self) -> None:
        running = [cooler for cooler in self.layout.coolers if not cooler.failed]
        racks = sum(_nominal_flow(rack) for rack in self.layout.racks)
        supply = sum(cooler.air_flow for cooler in running)
        if racks > 0.0 and self.layout.coolers and supply < 0.9 * racks:
            self._warn(
                "coolers", "coolers", f"{supply:.2f} m3/s",
                f"the racks draw {racks:.2f} m3/s: the missing air recirculates hot",
                "Raise the coolers' air flow",
            )  # fmt: skip
        heat = sum(rack.nominal_power * (1.0 - liquid_share(rack)) for rack in self.layout.racks)
        limited = all(cooler.supply == "controlled" for cooler in running)
        capacity = sum(cooler.capacity or 0.0 for cooler in running)
        if limited and self.layout.coolers and capacity < heat:
            self._warn(
                "coolers", "coolers", f"{capacity:g} W",
                f"the air takes {heat:g} W: the room heats up without end",
                "Raise the capacity or lower the load",
            )  # fmt: skip
        if racks > 0.0 and not self.layout.coolers and not self.dropped:
            self._warn("coolers", "coolers", "", "nothing cools the room", "Add a cooler")
        through_floor = any(cooler.supply_face == "plenum" for cooler in running)
        leaking = self.layout.room.floor_leakage > 0.0
        if through_floor and not self.layout.tiles and not leaking and not self.dropped:
            self._error(
                "tiles",
                "tiles",
                "",
                "the coolers blow into the plenum and no tile lets the air out",
                "Add tiles",
            )

    def workloads(self) -> None:
        for rack in self.layout.racks:
            placed = sum(work.power for work in self.layout.workloads if work.rack == rack.id)
            if placed > rack.nominal_power + 1.0:
                self._error(
                    f"rack '{rack.id}'", f"{self.fields[rack.id]}.power", f"{rack.nominal_power:g} W",
                    f"its workloads add up to {placed:g} W", "Raise the rack's power or move workloads",
                )  # fmt: skip

    # -- findings --------------------------------------------------------------------------------------------

    def _error(self, subject: str, field: str, value: str, rule: str, remedy: str) -> None:
        self.findings.append(Finding(self.file, subject, field, value, rule, remedy))

    def _error_if(self, wrong: bool, subject: str, field: str, value: str, rule: str, remedy: str) -> None:
        if wrong:
            self._error(subject, field, value, rule, remedy)

    def _error_of(self, box: Box, field: str, value: str, rule: str, remedy: str) -> None:
        base = self.fields.get(box.name, "")
        has_position = box.kind in ("rack", "cooler", "tile") and field
        self._error(
            f"{box.kind} '{box.name}'", f"{base}.{field}" if has_position else base, value, rule, remedy
        )

    def _warn(self, subject: str, field: str, value: str, rule: str, remedy: str) -> None:
        self.findings.append(Finding(self.file, subject, field, value, rule, remedy, Severity.WARNING))


def _named(layout: Layout) -> Iterator[tuple[str, str, str]]:
    """Every object with an id: its kind, its id, its path."""
    groups = (
        ("rack", layout.racks),
        ("racklet", layout.racklets),
        ("cooler", layout.coolers),
        ("tile", layout.tiles),
        ("containment", layout.containments),
        ("panel", layout.panels),
        ("wall", layout.walls),
        ("obstacle", layout.obstacles),
        ("feed", layout.feeds),
        ("sensor", layout.sensors),
        ("workload", layout.workloads),
    )
    for kind, items in groups:
        for n, item in enumerate(items):
            yield kind, item.id, f"{kind}s[{n}]"
            if isinstance(item, Containment):
                for k, panel in enumerate(item.panels):
                    yield "panel", panel.id, f"containments[{n}].panels[{k}]"


def _fields(layout: Layout) -> Iterator[tuple[str, str]]:
    for _, name, field in _named(layout):
        yield name, field


def _nominal_flow(rack: Rack) -> float:
    powers = rack.slot_powers
    own = sum(slot.air.nominal_flow(p, p) for slot, p in zip(rack.slots, powers, strict=True) if slot.air)
    common = sum(p for slot, p in zip(rack.slots, powers, strict=True) if slot.air is None)
    return own + (
        rack.air.nominal_flow(common, common) if any(slot.air is None for slot in rack.slots) else 0.0
    )


def _inside(place: tuple[float, float, float], box: Box) -> bool:
    return all(box.lo[a] + _TOLERANCE < place[a] < box.hi[a] - _TOLERANCE for a in range(3))


def _extent(box: Box) -> str:
    return ", ".join(
        f"{'xyz'[a]} {box.lo[a]:g}..{box.hi[a]:g}" for a in range(2 if box.kind == "tile" else 3)
    )
