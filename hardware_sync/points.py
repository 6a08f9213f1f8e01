"""The point map: where a point lives in a device, its scale, and whether and how far it may be written.

A point map is data. It travels as JSON in the agent's configuration and is derived from the layout for
emulated hardware; for real hardware it is written beside the layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

from hardware_sync.guard import WriteLimit
from twin.errors import Finding, InputError

LAST_REGISTER = 65535


class RackletState(IntEnum):
    """Codes of the point ``<racklet>.state``."""

    OFF = 0
    RUNNING = 1
    DEGRADED = 2
    ISOLATED = 3
    FAIL_SAFE = 4
    MAINTENANCE = 5


@dataclass(frozen=True, slots=True)
class DevicePoint:
    """One point in a Modbus device.

    Attributes
    ----------
    point : str            ``K01.fan_speed``
    register : int         Holding register of the value: float32, high word first, two registers.
    scale, offset : float  Point value = raw value * scale + offset; a write goes the other way.
    age_register : int or None      uint16, how long ago the value was measured. [10 ms]
    status_register : int or None   uint16: 0 good, 1 uncertain, anything else bad.
    write_register : int or None    float32 pair of the set point; None: not writable.
    limit : WriteLimit or None      Asked for where `write_register` is given.
    """

    point: str
    register: int
    scale: float = 1.0
    offset: float = 0.0
    age_register: int | None = None
    status_register: int | None = None
    write_register: int | None = None
    limit: WriteLimit | None = None


def points_to_json(points: tuple[DevicePoint, ...]) -> list[dict[str, Any]]:
    """Turn a point map into what JSON can hold."""
    return [asdict(point) for point in points]


def points_from_json(data: list[Mapping[str, Any]], file: str) -> tuple[DevicePoint, ...]:
    """Read a point map, reporting every fault at once.

    Raises
    ------
    InputError : with all findings.
    """
    points: list[DevicePoint] = []
    findings: list[Finding] = []
    for index, entry in enumerate(data):
        name = str(entry.get("point", f"points[{index}]"))
        try:
            limit = entry.get("limit")
            fields = {**entry, "limit": WriteLimit(**limit) if limit else None}
            points.append(DevicePoint(**fields))
        except TypeError as error:
            findings.append(
                Finding(file, f"point {name!r}", f"points[{index}]", "", str(error), "Mend the point map")
            )
    findings.extend(_faults(points, file))
    if findings:
        raise InputError(findings)
    return tuple(points)


def _faults(points: list[DevicePoint], file: str) -> list[Finding]:
    findings: list[Finding] = []
    taken: dict[int, str] = {}
    seen: set[str] = set()
    for index, point in enumerate(points):

        def fault(field: str, value: object, rule: str, remedy: str, point=point, index=index) -> None:
            where = f"points[{index}].{field}"
            findings.append(Finding(file, f"point {point.point!r}", where, str(value), rule, remedy))

        if point.point in seen:
            fault("point", point.point, "is mapped twice", "Remove one")
        seen.add(point.point)
        if point.scale == 0:
            fault("scale", point.scale, "must not be 0", "Give the factor from raw value to point value")
        if point.write_register is not None and point.limit is None:
            fault("limit", "none", "a writable point needs its limits", "Add minimum, maximum, step and slew")
        widths = ((point.register, 2), (point.age_register, 1), (point.status_register, 1))
        widths += ((point.write_register, 2) if point.write_register != point.register else (None, 0),)
        for first, width in widths:
            for register in range(first or 0, (first or 0) + width) if first is not None else ():
                if not 0 <= register <= LAST_REGISTER:
                    fault("register", register, f"registers are 0 to {LAST_REGISTER}", "Mend the address")
                elif (other := taken.setdefault(register, point.point)) != point.point:
                    fault("register", register, f"is already used by {other!r}", "Mend the address")
    return findings
