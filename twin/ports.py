"""The seam between the core and the world: what a reading and a command are, and who can deliver them.

The core sees only these types and protocols; ``hardware_sync`` implements them, ``twin.cli`` joins the two.
Times are seconds since the Unix epoch (UTC); values are SI, temperatures in degC (the telemetry table).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Quality(StrEnum):
    """Trust in a reading, after OPC UA's good, uncertain, bad."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one point at one instant.

    Attributes
    ----------
    point : str        ``<asset>.<quantity>[.<position>]``, e.g. ``R01.inlet_temperature.top``.
    value : float      SI; temperatures in degC.
    time : float       When it was measured, not when it arrived. [s since epoch]
    quality : Quality
    """

    point: str
    value: float
    time: float
    quality: Quality = Quality.GOOD


@dataclass(frozen=True, slots=True)
class Command:
    """A wish to write one point; idempotent by ``id``, void after ``expires``.

    Attributes
    ----------
    id : str           Unique; a repeated id is acknowledged and not acted on again.
    point : str        A writable point, e.g. ``K01.pump_speed`` or ``C1.supply_temperature``.
    value : float      SI; temperatures in degC.
    reason : str       Why, for people and the decision log.
    issued, expires : float   [s since epoch]
    """

    id: str
    point: str
    value: float
    reason: str
    issued: float
    expires: float


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What became of a command: accepted or not, by whom, and why not."""

    id: str
    accepted: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Workload:
    """One movable piece of load on a rack.

    Attributes
    ----------
    id : str
    rack : str         The rack it runs on now.
    demand : float     Electric power it draws now. [W]
    demand_ahead : float   Its forecast over the next allocation period, at least ``demand``'s trend. [W]
    movable : bool
    """

    id: str
    rack: str
    demand: float
    demand_ahead: float
    movable: bool = True


class Telemetry(Protocol):
    """A source of readings, and of who is there."""

    def drain(self) -> list[Reading]:
        """Return the readings that arrived since the last call, oldest first; never blocks."""
        ...

    def alive(self) -> frozenset[str]:
        """Return the names of the agents that are on the mesh now."""
        ...


class Actuator(Protocol):
    """A way to write points; every write has passed the guard."""

    def write(self, commands: Sequence[Command]) -> list[CommandResult]:
        """Carry out the commands, one result each in the same order; blocks until answered or expired."""
        ...


class Platform(Protocol):
    """A virtualization platform that can say where load runs and move it."""

    def workloads(self) -> list[Workload]:
        """Return every workload with its present rack and demand.

        Raises
        ------
        OutsideError : the platform does not answer.
        """
        ...

    def migrate(self, moves: Mapping[str, str], reason: str) -> list[CommandResult]:
        """Move workloads (id -> rack), one result each; a move that is already true is accepted.

        Raises
        ------
        OutsideError : the platform does not answer.
        """
        ...
