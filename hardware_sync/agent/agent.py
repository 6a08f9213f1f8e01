"""One racklet agent: reads its device, publishes, obeys the twin within its own limits.

When the twin that was in charge falls silent, the agent looks after its rack alone. One task polls and
publishes every period; commands are carried out one after the other between polls. The mesh reconnects by
itself; a device that is gone makes the readings bad, is logged once, and its return is logged once.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import zenoh

from hardware_sync.adapters.modbus import DeviceError, ModbusDevice
from hardware_sync.agent.config import AgentConfig
from hardware_sync.codec import (
    CodecError,
    Heartbeat,
    TelemetryMessage,
    decode_command,
    decode_heartbeat,
    encode_result,
    encode_telemetry,
)
from hardware_sync.guard import WriteLimit, check_limits
from hardware_sync.mesh.identity import check_identity
from hardware_sync.mesh.session import Peer, open_session
from hardware_sync.mesh.topics import Role, Topics
from hardware_sync.points import RackletState
from twin.errors import OutsideError, RefusedError
from twin.ports import Command, CommandResult, Quality, Reading
from twin.runtime.state import read_json, write_json

log = logging.getLogger(__name__)

REMEMBERED = 1024
FAILURES_TOLERATED = 1
"""So many reads may fail in a row before the readings are bad; until then they only grow old."""


class Agent:
    """The agent's work, to be run in an event loop by `run`.

    Parameters
    ----------
    config : AgentConfig
    """

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
        self._topics = Topics(config.site)
        self._device = ModbusDevice(config.device, config.points)
        self._device_lock = asyncio.Lock()
        self._failures = 0
        self._limits = {point.point: point.limit for point in config.points if point.limit is not None}
        self._last: dict[str, Reading] = {}
        self._results: OrderedDict[str, CommandResult] = OrderedDict()
        self._commands: asyncio.Queue[zenoh.Query] = asyncio.Queue()
        self._run = int.from_bytes(os.urandom(4), "big")
        self._sequence = 0
        self._end = math.inf
        self._supervisor = Supervisor(config.fail_safe.after)
        self._commanded: dict[str, float] = {}
        self._before_fail_safe: dict[str, float] = {}
        self._noted = Note()
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """End `run` at the next opportunity."""
        self._stop.set()

    async def run(self) -> None:
        """Join the mesh, poll, publish and obey until `stop`.

        Ends by itself when its certificate ends: the links end with it, so it must be started again with the
        one that was renewed meanwhile. Whatever unexpected befalls the obeying of commands ends it too.

        Raises
        ------
        OutsideError : the mesh cannot be joined (certificate, port), or the certificate ended and was not
            renewed.
        """
        loop = asyncio.get_running_loop()
        config = self.config
        self._end = check_identity(config.identity).timestamp()
        self._recall()
        peer = Peer(config.identity, Role.AGENT, config.site, config.listen, config.seeds)
        session = open_session(peer)
        obeying = asyncio.create_task(self._obey())
        obeying.add_done_callback(lambda _task: self.stop())
        try:
            queryable = session.declare_queryable(
                self._topics.command(config.name),
                lambda query: loop.call_soon_threadsafe(self._commands.put_nowait, query),
            )
            listener = session.declare_subscriber(
                self._topics.heartbeat, lambda sample: self._hear(sample.payload.to_bytes())
            )
            publisher = session.declare_publisher(
                self._topics.telemetry(config.name), congestion_control=zenoh.CongestionControl.DROP
            )
            token = session.liveliness().declare_token(self._topics.alive(config.name))
            await self._poll_forever(publisher)
            for declared in (token, listener, queryable):
                declared.undeclare()
            if obeying.done():
                obeying.result()  # raises: an agent that cannot obey any more must not look alive
        finally:
            obeying.cancel()
            self._device.close()
            session.close()
            log.info("%s left the mesh", config.name)

    async def _poll_forever(self, publisher: zenoh.Publisher) -> None:
        next_poll = time.monotonic()
        while not self._stop.is_set():
            if time.time() >= self._end:
                check_identity(self.config.identity)
                log.info("%s: its certificate was renewed; ends to be started with it", self.config.name)
                return
            await self._poll()
            await self._look_after()
            self._publish(publisher)
            now = time.monotonic()
            next_poll = max(next_poll + self.config.period, now)
            try:
                await asyncio.wait_for(self._stop.wait(), next_poll - now)
            except TimeoutError:
                continue

    async def _poll(self) -> None:
        try:
            async with self._device_lock:
                readings = await self._device.read()
        except DeviceError as error:
            self._failures += 1
            if self._failures == FAILURES_TOLERATED + 1:
                log.warning("%s: %s; readings are bad until it answers", self.config.name, error)
                readings = self._last.items()
                self._last = {name: replace(reading, quality=Quality.BAD) for name, reading in readings}
            return
        if self._failures > FAILURES_TOLERATED:
            log.info("%s: its device answers again", self.config.name)
        self._failures = 0
        self._last = {reading.point: reading for reading in readings}

    def _publish(self, publisher: zenoh.Publisher) -> None:
        now = time.time()
        readings = tuple(self._shown(reading) for reading in self._last.values())
        message = TelemetryMessage(self.config.name, self._run, self._sequence, now, readings)
        self._sequence += 1
        publisher.put(encode_telemetry(message))

    def _shown(self, reading: Reading) -> Reading:
        if self._supervisor.silent and reading.point == f"{self.config.name}.state":
            return replace(reading, value=float(RackletState.FAIL_SAFE))
        return reading

    def _hear(self, payload: bytes) -> None:
        try:
            self._supervisor.hear(decode_heartbeat(payload), time.monotonic())
        except CodecError as error:
            log.warning("%s: %s", self.config.name, error)

    def _recall(self) -> None:
        """Go on where the agent was when it ended: the silence of a twin in charge counts from now on."""
        if self.config.memory is None:
            return
        self._noted = Note.load(self.config.memory, self._limits)
        self._before_fail_safe = dict(self._noted.before)
        self._supervisor.resume(self._noted.in_charge, self._noted.silent, time.monotonic())
        if self._noted.silent:
            log.warning("%s: was in fail-safe when it ended, and still is", self.config.name)

    async def _remember(self) -> None:
        """Note what changed, if anything; a disk that refuses it is logged, the agent goes on."""
        silent = self._supervisor.silent
        note = Note(self._supervisor.in_charge, silent, self._before_fail_safe if silent else {})
        if self.config.memory is None or note == self._noted:
            return
        self._noted = note
        try:
            await asyncio.to_thread(note.save, self.config.memory)
        except OutsideError as error:
            log.warning("%s: %s", self.config.name, error)

    async def _look_after(self) -> None:
        """Go to fail-safe when the twin in charge falls silent; give the settings back on its return."""
        changed = self._supervisor.judge(time.monotonic())
        if changed is None:
            await self._remember()
        if changed is None and not (self._supervisor.silent and self._unsafe()):
            return
        if self._supervisor.silent:
            if changed:
                log.warning(
                    "%s: no heartbeat for %g s: fail-safe", self.config.name, self.config.fail_safe.after
                )
                self._before_fail_safe = {
                    point: self._commanded.get(point, self._last[point].value)
                    for point in self.config.fail_safe.settings
                    if point in self._last and self._last[point].quality is not Quality.BAD
                }
                await self._remember()
            await self._set_all(self.config.fail_safe.settings)
        else:
            log.info("%s: the twin is back: fail-safe ends", self.config.name)
            await self._set_all(self._before_fail_safe)
            await self._remember()

    def _unsafe(self) -> bool:
        """Say whether a fail-safe setting did not stick, for instance because the device restarted."""
        return any(
            point in self._last and abs(self._last[point].value - value) > 0.05 * max(1.0, abs(value))
            for point, value in self.config.fail_safe.settings.items()
        )

    async def _set_all(self, settings: Mapping[str, float]) -> None:
        for point, value in settings.items():
            try:
                async with self._device_lock:
                    await self._device.write(point, value)
            except DeviceError as error:
                log.warning("%s: cannot set %s to %g: %s", self.config.name, point, value, error)
                return

    async def _obey(self) -> None:
        while True:
            query = await self._commands.get()
            try:
                result = await self._carry_out(query.payload.to_bytes() if query.payload else b"")
                query.reply(query.key_expr, encode_result(result))
            except (CodecError, zenoh.ZError) as error:
                log.warning("%s: command not answered: %s", self.config.name, error)
            finally:
                query.drop()

    async def _carry_out(self, payload: bytes) -> CommandResult:
        """Decode, check and write one command.

        Raises
        ------
        CodecError : not a command at all; there is no id to answer to.
        """
        command = decode_command(payload)
        if known := self._results.get(command.id):
            return known
        try:
            self._check(command)
            async with self._device_lock:
                await self._device.write(command.point, command.value)
        except RefusedError as error:
            log.warning("%s: refused command %s: %s", self.config.name, command.id, error)
            return CommandResult(command.id, False, str(error))
        except DeviceError as error:
            return CommandResult(command.id, False, str(error))
        log.info("%s: %s = %g (%s)", self.config.name, command.point, command.value, command.reason)
        self._commanded[command.point] = command.value
        result = CommandResult(command.id, True, f"{command.point} set to {command.value:g}")
        self._results[command.id] = result
        while len(self._results) > REMEMBERED:
            self._results.popitem(last=False)
        return result

    def _check(self, command: Command) -> None:
        limit = self._limits.get(command.point)
        if limit is None:
            raise RefusedError(f"{command.point}: not a writable point of {self.config.name}")
        check_limits(limit, command, time.time())


@dataclass(frozen=True, slots=True)
class Note:
    """What an agent must know when it is started again.

    Attributes
    ----------
    in_charge : bool    The last heartbeat came from a twin in charge.
    silent : bool       The agent was in fail-safe.
    before : mapping    Writable point -> value that the fail-safe replaced.
    """

    in_charge: bool = False
    silent: bool = False
    before: Mapping[str, float] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all.

        Raises
        ------
        OutsideError : the folder cannot be written.
        """
        write_json(path, {"in_charge": self.in_charge, "silent": self.silent, "before": dict(self.before)})

    @classmethod
    def load(cls, path: Path, limits: Mapping[str, WriteLimit]) -> Note:
        """Read what `save` wrote; a missing or broken file says nothing, nor does a value out of limits."""
        data = read_json(path)
        if not isinstance(data, dict):
            return cls()
        stored = data.get("before")
        before = {
            point: float(value)
            for point, value in (stored.items() if isinstance(stored, dict) else ())
            if point in limits
            and isinstance(value, int | float)
            and limits[point].minimum <= value <= limits[point].maximum
        }
        return cls(data.get("in_charge") is True, data.get("silent") is True, before)


class Supervisor:
    """Whether the twin that is in charge can still be heard.

    Only a twin that said ``auto`` is in charge; when it falls silent for `after` seconds the agent is on
    its own until the next heartbeat of any mode.

    Parameters
    ----------
    after : float    [s]
    """

    def __init__(self, after: float) -> None:
        self._after = after
        self._heard: float | None = None
        self.in_charge = False
        self.silent = False

    def resume(self, in_charge: bool, silent: bool, now: float) -> None:
        """Go on as an agent that was started again; `now` is monotonic. [s]."""
        self.in_charge, self.silent = in_charge, silent
        if silent:
            self._heard = -math.inf
        elif in_charge:
            self._heard = now

    def hear(self, heartbeat: Heartbeat, now: float) -> None:
        """Take in a heartbeat; `now` is monotonic. [s]."""
        self._heard, self.in_charge = now, heartbeat.mode == "auto"

    def judge(self, now: float) -> bool | None:
        """Return True when silence begins, False when it ends, else None; `now` is monotonic."""
        heard = self._heard
        if heard is None:
            return None
        lost = now - heard > self._after
        if not self.silent and lost and self.in_charge:
            self.silent = True
            return True
        if self.silent and not lost:
            self.silent = False
            return False
        return None


def run_agent(config_path: str | Path) -> None:
    """Run one agent until SIGTERM or SIGINT.

    Parameters
    ----------
    config_path : path
        JSON file, see `hardware_sync.agent.config`.

    Raises
    ------
    InputError : the configuration is wrong.
    OutsideError : certificate expired, port taken.
    """
    config = AgentConfig.load(Path(config_path))
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # it repeats each period what is said once here
    asyncio.run(_until_signalled(config))


async def _until_signalled(config: AgentConfig) -> None:
    agent = Agent(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, agent.stop)
    await agent.run()
