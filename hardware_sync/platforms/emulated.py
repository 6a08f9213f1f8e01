"""The emulated virtualization platform: runs inside the plant, moves workloads, forgets nothing.

It listens on a Unix socket and speaks JSON lines::

    {"method": "workloads"}
        {"result": [{"id", "rack", "demand", "demand_ahead", "movable"}, ...]}
    {"method": "migrate", "moves": {"W01.1": "R05"}, "reason": "..."}
        {"result": [{"id", "accepted", "message"}, ...]}
    anything else
        {"error": "..."}

A live migration takes `MIGRATION_BASE` seconds and `MIGRATION_PER_WATT` for every watt of demand (memory
follows size); the workload draws its power on the old rack until then, and the answer comes when the last
move is done. The placement and the moves under way are in ``platform.json``, written atomically before
anything is answered, so a kill loses nothing: a move that was under way goes on after the restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from twin.errors import OutsideError
from twin.ports import CommandResult, Workload
from twin.runtime.state import write_json

log = logging.getLogger(__name__)

MIGRATION_BASE = 2.0
MIGRATION_PER_WATT = 0.001
MAXIMUM_LINE = 1 << 20
TICK = 0.1


class Load(Protocol):
    """What the platform asks about the workloads' demand."""

    def placement(self) -> Mapping[str, str]:
        """Return where every workload starts: id -> rack."""
        ...

    def movable(self, id: str) -> bool:
        """Say whether a workload can be moved."""
        ...

    def demand(self, now: float) -> Mapping[str, float]:
        """Return the power every workload asks for; `now` is in seconds since the epoch. [W]."""
        ...

    def demand_ahead(self, now: float) -> Mapping[str, float]:
        """Return the forecast of the same over the next allocation period. [W]."""
        ...

    def idle_power(self, rack: str) -> float:
        """Return what a rack draws without workloads. [W]."""
        ...

    def rating(self, rack: str) -> float:
        """Return the most a rack may draw. [W]."""
        ...

    def racks(self) -> tuple[str, ...]:
        """Return the racks."""
        ...


@dataclass(frozen=True, slots=True)
class Migration:
    """A move under way.

    Attributes
    ----------
    workload, source, target : str
    begun, done : float    [s since epoch]
    reason : str
    """

    workload: str
    source: str
    target: str
    begun: float
    done: float
    reason: str


class EmulatedPlatform:
    """Placement of the workloads, the moves under way, and the rules of capacity.

    Parameters
    ----------
    path : Path        ``platform.json``; read where it exists.
    load : Load
    clock : callable   Seconds since the epoch.

    Raises
    ------
    OutsideError : the file is there but cannot be read or written.
    """

    def __init__(self, path: Path, load: Load, clock: Callable[[], float]) -> None:
        self._path = path
        self._load = load
        self._clock = clock
        self._placement = dict(load.placement())
        self._migrations: dict[str, Migration] = {}
        self._restore()
        self._save()

    @property
    def placement(self) -> Mapping[str, str]:
        """Where every workload runs now."""
        return self._placement

    @property
    def migrations(self) -> Mapping[str, Migration]:
        """The moves under way, by workload."""
        return self._migrations

    def rack_power(self, now: float) -> dict[str, float]:
        """Power of every rack with the present placement. [W]."""
        demand = self._load.demand(now)
        power = {rack: self._load.idle_power(rack) for rack in self._load.racks()}
        for workload, rack in self._placement.items():
            power[rack] += demand[workload]
        return power

    def workloads(self) -> list[Workload]:
        """Return every workload with its present rack and demand."""
        now = self._clock()
        demand, ahead = self._load.demand(now), self._load.demand_ahead(now)
        return [
            Workload(
                id,
                rack,
                demand[id],
                ahead[id],
                self._load.movable(id) and id not in self._migrations,
            )
            for id, rack in self._placement.items()
        ]

    def begin(self, moves: Mapping[str, str], reason: str) -> dict[str, CommandResult]:
        """Begin moves and return what is known at once: refusals, and moves that are already true.

        The others are under way when this returns, and on disk.

        Raises
        ------
        OutsideError : the state cannot be written; no move was begun.
        """
        now = self._clock()
        answers: dict[str, CommandResult] = {}
        begun: dict[str, Migration] = {}
        for workload, target in moves.items():
            refusal = self._refusal(workload, target, {**self._migrations, **begun}, now)
            if refusal:
                answers[workload] = CommandResult(workload, False, refusal)
            elif self._under_way(workload, target):
                continue
            elif self._placement[workload] == target:
                answers[workload] = CommandResult(workload, True, f"{workload} is on {target} already")
            else:
                duration = MIGRATION_BASE + MIGRATION_PER_WATT * self._load.demand(now)[workload]
                begun[workload] = Migration(
                    workload, self._placement[workload], target, now, now + duration, reason
                )
        if begun:
            former = self._migrations
            self._migrations = {**former, **begun}
            try:
                self._save()
            except OutsideError:
                self._migrations = former
                raise
            for move in begun.values():
                log.info("migrate %s from %s to %s: %s", move.workload, move.source, move.target, reason)
        return answers

    def settle(self) -> None:
        """Complete the moves whose time has come.

        Raises
        ------
        OutsideError : the state cannot be written; the moves stay under way.
        """
        now = self._clock()
        done = [move for move in self._migrations.values() if move.done <= now]
        if not done:
            return
        former = self._placement, self._migrations
        self._placement = {**self._placement, **{move.workload: move.target for move in done}}
        self._migrations = {key: move for key, move in self._migrations.items() if move.done > now}
        try:
            self._save()
        except OutsideError:
            self._placement, self._migrations = former
            raise
        for move in done:
            log.info("%s runs on %s now", move.workload, move.target)

    def outcome(self, workload: str, target: str) -> CommandResult | None:
        """Say what became of a move, or None while it is under way."""
        if self._under_way(workload, target):
            return None
        if self._placement.get(workload) == target:
            return CommandResult(workload, True, f"{workload} runs on {target}")
        return CommandResult(workload, False, f"{workload} went to {self._placement.get(workload)} instead")

    def _under_way(self, workload: str, target: str) -> bool:
        move = self._migrations.get(workload)
        return move is not None and move.target == target

    def _refusal(self, workload: str, target: str, migrations: Mapping[str, Migration], now: float) -> str:
        """Say why a move cannot be, or nothing where it can."""
        if workload not in self._placement:
            return f"no workload {workload!r}"
        if target not in self._load.racks():
            return f"no rack {target!r}"
        if self._placement[workload] == target and workload not in migrations:
            return ""
        if not self._load.movable(workload):
            return f"{workload} is pinned to {self._placement[workload]}"
        move = migrations.get(workload)
        if move is not None:
            return "" if move.target == target else f"{workload} is on its way to {move.target}"
        demand = self._load.demand(now)
        coming = sum(demand[other.workload] for other in migrations.values() if other.target == target)
        power = self.rack_power(now)[target] + coming + demand[workload]
        rating = self._load.rating(target)
        if power > rating:
            return f"{target} would draw {power:.0f} W of its {rating:.0f} W with {workload}"
        return ""

    def _restore(self) -> None:
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
            placement = {str(key): str(rack) for key, rack in data["placement"].items()}
            migrations = [Migration(**move) for move in data["migrations"]]
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise OutsideError(
                f"platform state ({self._path}): {error!r}. Delete it to begin with the first placement."
            ) from error
        racks = set(self._load.racks())
        known = {key for key in self._placement if placement.get(key) in racks}
        self._placement |= {key: placement[key] for key in known}
        self._migrations = {
            move.workload: move for move in migrations if move.workload in known and move.target in racks
        }

    def _save(self) -> None:
        migrations = [asdict(move) for move in self._migrations.values()]
        write_json(self._path, {"placement": self._placement, "migrations": migrations})


async def serve_platform(platform: EmulatedPlatform, path: Path) -> asyncio.Server:
    """Answer for the platform on a Unix socket that only this user can open.

    Raises
    ------
    OutsideError : the socket cannot be made.
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108 - a socket that nobody serves any more; nothing to wait for
        server = await asyncio.start_unix_server(
            lambda reader, writer: _serve(platform, reader, writer), str(path), limit=MAXIMUM_LINE
        )
        os.chmod(path, 0o600)  # noqa: PTH101
    except OSError as error:
        raise OutsideError(f"platform socket ({path}): {error.strerror or error}.") from error
    return server


async def _serve(
    platform: EmulatedPlatform, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        while line := await reader.readline():
            answer = await _answer(platform, line)
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
    except (ConnectionError, ValueError) as error:
        log.debug("platform client left: %s", error)
    finally:
        writer.close()


async def _answer(platform: EmulatedPlatform, line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
        method = request["method"]
        if method == "workloads":
            return {"result": [asdict(workload) for workload in platform.workloads()]}
        if method == "migrate":
            moves = {str(key): str(rack) for key, rack in request["moves"].items()}
            return {"result": [asdict(r) for r in await _migrate(platform, moves, str(request["reason"]))]}
        return {"error": f"no method {method!r}"}
    except OutsideError as error:
        return {"error": str(error)}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return {"error": f"not a request: {error!r}"}


async def _migrate(platform: EmulatedPlatform, moves: dict[str, str], reason: str) -> list[CommandResult]:
    answers = platform.begin(moves, reason)
    while len(answers) < len(moves):
        for workload, target in moves.items():
            if workload not in answers and (answer := platform.outcome(workload, target)):
                answers[workload] = answer
        if len(answers) < len(moves):
            await asyncio.sleep(TICK)
    return [answers[workload] for workload in moves]
