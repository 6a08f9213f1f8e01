"""Client of the emulated virtualization platform; implements `twin.ports.Platform`."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twin.errors import OutsideError
from twin.ports import CommandResult, Workload

SOCKET = "platform.sock"
TIMEOUT = 30.0
RETRY = 0.2
MAXIMUM_LINE = 1 << 20


class SimulatedPlatform:
    """Ask and move the workloads of the emulated plant. Safe to use from several threads.

    Moves are idempotent, so a request whose answer was lost because the plant restarted is asked again until
    `timeout` ends.

    Parameters
    ----------
    state : Path       State folder; the platform's socket in it is ``platform.sock``.
    timeout : float    Longest wait for an answer; a migration takes a few seconds. [s]
    """

    def __init__(self, state: Path, *, timeout: float = TIMEOUT) -> None:
        self._path = state / SOCKET
        self._timeout = timeout
        self._lock = threading.Lock()

    def workloads(self) -> list[Workload]:
        """Return every workload with its present rack and demand.

        Raises
        ------
        OutsideError : the platform does not answer.
        """
        try:
            return [Workload(**workload) for workload in self._ask({"method": "workloads"}, timeout=2.0)]
        except TypeError as error:
            raise self._failure(f"an answer that is none: {error}") from error

    def migrate(self, moves: Mapping[str, str], reason: str) -> list[CommandResult]:
        """Move workloads (id -> rack) and wait until they run there; one result each, in order.

        Raises
        ------
        OutsideError : the platform does not answer within the time.
        """
        if not moves:
            return []
        request = {"method": "migrate", "moves": dict(moves), "reason": reason}
        try:
            return [CommandResult(**result) for result in self._ask(request, self._timeout)]
        except TypeError as error:
            raise self._failure(f"an answer that is none: {error}") from error

    def _ask(self, request: Mapping[str, Any], timeout: float) -> list[dict[str, Any]]:
        end = time.monotonic() + timeout
        with self._lock:
            while True:
                left = end - time.monotonic()
                try:
                    return self._ask_once(request, max(left, 0.05))
                except OSError as error:
                    if end - time.monotonic() <= RETRY:
                        raise self._failure(error.strerror or str(error) or "no answer in time") from error
                    time.sleep(RETRY)

    def _ask_once(self, request: Mapping[str, Any], timeout: float) -> list[dict[str, Any]]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(self._path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline(MAXIMUM_LINE)
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the connection broke before the answer")
        try:
            answer = json.loads(line)
            if "error" in answer:
                raise self._failure(str(answer["error"]))
            return list(answer["result"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._failure(f"an answer that is none: {error!r}") from error

    def _failure(self, what: str) -> OutsideError:
        return OutsideError(
            f"simulated platform ({self._path}): {what}. The emulated plant serves it: is it running?"
        )
