"""The twin's hand on the mesh: commands to the agents that own the points, and the heartbeat they live by."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

import zenoh

from hardware_sync.codec import (
    CodecError,
    Heartbeat,
    decode_result,
    encode_command,
    encode_heartbeat,
)
from hardware_sync.mesh.topics import Topics
from twin.errors import OutsideError
from twin.ports import Command, CommandResult

log = logging.getLogger(__name__)

ATTEMPT_TIMEOUT = 2.0
TIMEOUT = 5.0
PAUSE = 0.1


class MeshActuator:
    """Write points through their agents; implements `twin.ports.Actuator`.

    An unanswered command is asked again until it expires or `timeout` ends; commands are idempotent by id,
    so a lost answer does no harm.

    Parameters
    ----------
    session : zenoh.Session
        Open session of the twin.
    topics : Topics
    owners : mapping of str to str
        Writable point -> agent that owns it.
    timeout : float
        Longest wait for all answers of one `write`. [s]
    clock : callable
        Seconds since the epoch.
    """

    def __init__(
        self,
        session: zenoh.Session,
        topics: Topics,
        owners: Mapping[str, str],
        *,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._session = session
        self._topics = topics
        self._owners = dict(owners)
        self._timeout = timeout
        self._clock = clock
        self._heartbeat = session.declare_publisher(topics.heartbeat)

    def write(self, commands: Sequence[Command]) -> list[CommandResult]:
        """Send the commands to their agents, all at once, and collect one answer each, in order."""
        results: dict[str, CommandResult] = {}
        waiting = {command.id: command for command in commands}
        end = time.monotonic() + self._timeout
        while waiting:
            for command in [*waiting.values()]:
                if command.point not in self._owners:
                    results[command.id] = CommandResult(
                        command.id, False, f"{command.point}: no agent owns it"
                    )
                elif self._clock() >= command.expires:
                    results[command.id] = CommandResult(
                        command.id, False, f"{command.point}: expired before its agent answered"
                    )
            waiting = {key: command for key, command in waiting.items() if key not in results}
            left = end - time.monotonic()
            if not waiting or left <= 0:
                break
            results |= self._ask(list(waiting.values()), min(left, ATTEMPT_TIMEOUT))
            waiting = {key: command for key, command in waiting.items() if key not in results}
            if waiting:
                time.sleep(min(PAUSE, max(0.0, end - time.monotonic())))
        for command in waiting.values():
            agent = self._owners[command.point]
            results[command.id] = CommandResult(
                command.id, False, f"{command.point}: no answer from {agent} within {self._timeout:g} s"
            )
        return [results[command.id] for command in commands]

    def heartbeat(self, mode: str) -> None:
        """Tell the agents that the twin is there; to be called every second or so from the twin's own loop.

        Parameters
        ----------
        mode : str
            ``auto``: three missed heartbeats mean fail-safe at the agents. ``advise``: they do not.

        Raises
        ------
        OutsideError : the session is closed.
        """
        try:
            self._heartbeat.put(encode_heartbeat(Heartbeat(mode, self._clock())))
        except zenoh.ZError as error:
            raise OutsideError(f"mesh: the heartbeat cannot be sent: {error}") from error

    def _ask(self, commands: Sequence[Command], timeout: float) -> dict[str, CommandResult]:
        """Ask all agents at once and return the answers that came, by command id."""
        asked = []
        for command in commands:
            key = self._topics.command(self._owners[command.point])
            try:
                replies = self._session.get(
                    key, payload=encode_command(command), timeout=timeout, priority=zenoh.Priority.REAL_TIME
                )
            except zenoh.ZError as error:
                raise OutsideError(f"mesh: commands cannot be sent: {error}") from error
            asked.append((command, replies))
        answers: dict[str, CommandResult] = {}
        for command, replies in asked:
            for reply in replies:
                if reply.ok is None:
                    continue
                try:
                    result = decode_result(reply.ok.payload.to_bytes())
                except CodecError as error:
                    log.warning("answer to command %s: %s", command.id, error)
                    continue
                if result.id == command.id:
                    answers[command.id] = result
        return answers
