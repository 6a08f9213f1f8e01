"""The feed: how the twin service hands snapshots to the web process, and takes requests from it.

A Unix domain socket in the state folder, readable by its owner alone. Each frame is::

    header length  payload length   header                payload
    4 bytes, >u4   4 bytes, >u4     JSON, UTF-8           raw bytes

The header's ``type`` is ``hello`` (once per connection: scene and grid), ``snapshot`` (summary, with the
temperature field as payload), ``decision`` (a decision record that is new or has changed), ``request`` and
``reply``. A slow client misses snapshots, never the newest one, and never delays the solver.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import struct
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from twin.errors import OutsideError, TwinError
from twin.runtime.state import SOCKET_PATH_LIMIT

log = logging.getLogger(__name__)

LENGTHS = struct.Struct(">II")
MAXIMUM_HEADER = 16 * 2**20
MAXIMUM_PAYLOAD = 512 * 2**20

Header = dict[str, Any]
Handler = Callable[..., Header]


def encode_frame(header: Mapping[str, Any], payload: bytes = b"") -> bytes:
    """Pack one frame.

    Parameters
    ----------
    header : mapping
        JSON-serialisable; carries ``type``.
    payload : bytes
        Raw bytes that follow the header.

    Returns
    -------
    bytes
    """
    text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
    return LENGTHS.pack(len(text), len(payload)) + text + payload


async def read_frame(reader: asyncio.StreamReader) -> tuple[Header, bytes]:
    """Read one frame.

    Returns
    -------
    header : dict
    payload : bytes

    Raises
    ------
    asyncio.IncompleteReadError : the other side went away.
    OutsideError : the lengths are no frame's of ours.
    """
    header_length, payload_length = LENGTHS.unpack(await reader.readexactly(LENGTHS.size))
    if header_length > MAXIMUM_HEADER or payload_length > MAXIMUM_PAYLOAD:
        raise OutsideError(
            f"feed: a frame of {header_length} + {payload_length} bytes is not one of ours. "
            "Start the twin service and the web process from the same version."
        )
    header = json.loads(await reader.readexactly(header_length))
    return header, await reader.readexactly(payload_length) if payload_length else b""


class _Connection:
    """One client of the server: its queue of small frames and the one newest snapshot."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.small: list[bytes] = []
        self.snapshot: bytes | None = None
        self.wake = asyncio.Event()

    def post(self, frame: bytes, *, newest_only: bool) -> None:
        if newest_only:
            self.snapshot = frame
        else:
            self.small.append(frame)
        self.wake.set()

    async def pump(self) -> None:
        """Write what waits, as fast as the client reads."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            frames, self.small = self.small, []
            if self.snapshot is not None:
                frames.append(self.snapshot)
                self.snapshot = None
            for frame in frames:
                self.writer.write(frame)
                await self.writer.drain()


class FeedServer:
    """The twin's side of the feed; runs its own thread, so that publishing never waits.

    Parameters
    ----------
    path : Path
        The socket to listen on; a stale one of a dead service is replaced.
    hello : dict
        Sent first to every client: ``scene``, ``grid``, ``layout``, ``version``.
    handlers : mapping of str to callable
        Requests by name; called in a worker thread with the request's arguments, return the reply's body.

    Raises
    ------
    OutsideError : the socket cannot be made, or another service listens on it.
    """

    def __init__(self, path: Path, hello: Header, handlers: Mapping[str, Handler] | None = None) -> None:
        if len(str(path).encode()) > SOCKET_PATH_LIMIT:
            raise OutsideError(
                f"feed socket {path}: the path is longer than the {SOCKET_PATH_LIMIT} bytes a Unix socket "
                "may have. Choose a shorter state folder with --state."
            )
        self.path = path
        self._hello = encode_frame({"type": "hello", **hello})
        self._handlers = dict(handlers or {})
        self._connections: set[_Connection] = set()
        self._arrived: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._latest: bytes | None = None
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._failure: OSError | None = None
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise OutsideError(
                f"feed socket {path}: {self._failure}. Check that the state folder is writable and that "
                "no other twin service uses it."
            ) from self._failure

    def publish_snapshot(self, summary: Header, field: np.ndarray) -> None:
        """Send a snapshot to every client; an older one still waiting is dropped.

        Parameters
        ----------
        summary : dict
            The snapshot's summary, JSON-serialisable.
        field : float32[nx, ny, nz]
            Air temperature, NaN in solids. [degC]
        """
        array = np.ascontiguousarray(field, dtype=np.float32)
        frame = encode_frame({"type": "snapshot", "shape": array.shape, **summary}, array.tobytes())
        self._loop.call_soon_threadsafe(self._post, frame, True)

    def greet(self, hello: Header) -> None:
        """Change the greeting, and greet the clients that are there again: the grid or the scene is new."""
        frame = encode_frame({"type": "hello", **hello})
        self._loop.call_soon_threadsafe(self._regreet, frame)

    def publish(self, kind: str, body: Header) -> None:
        """Send a small message of the given type to every client; none is dropped."""
        self._loop.call_soon_threadsafe(self._post, encode_frame({"type": kind, **body}), False)

    def close(self) -> None:
        """Stop listening, drop the clients, remove the socket."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(timeout=5)

    def _post(self, frame: bytes, newest_only: bool) -> None:
        if newest_only:
            self._latest = frame
        for connection in self._connections:
            connection.post(frame, newest_only=newest_only)

    def _regreet(self, frame: bytes) -> None:
        self._hello, self._latest = frame, None
        for connection in self._connections:
            connection.snapshot = None  # one on the old grid must not follow the new greeting
            connection.post(frame, newest_only=False)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except OSError as error:
            self._failure = error
        finally:
            self._started.set()
            self._loop.close()

    async def _serve(self) -> None:
        await self._refuse_if_in_use()
        self.path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._arrive, self.path)
        self.path.chmod(0o600)
        self._started.set()
        await self._stop.wait()
        for listening in server.sockets:
            self._loop.remove_reader(listening.fileno())  # a server closed first would lose who just arrives
        await self._drop_clients()
        server.close()
        self.path.unlink(missing_ok=True)

    async def _drop_clients(self) -> None:
        """Close every connection, also one that is just being accepted and has not begun to converse."""
        await asyncio.sleep(0)  # asyncio's own task that holds an accepted socket must have begun
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)  # what the cancelled ones left to the loop: an arrival, a close

    async def _refuse_if_in_use(self) -> None:
        if not self.path.exists():
            return
        with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
            _, writer = await asyncio.open_unix_connection(self.path)
            writer.close()
            raise OSError("another twin service listens on it")

    def _arrive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._arrived[task] = writer
        task.add_done_callback(self._leave)

    def _leave(self, task: asyncio.Task[None]) -> None:
        """End the connection of a conversation that ended, or was cancelled before its first line ran."""
        self._arrived.pop(task).transport.abort()  # closing would wait for a client that does not read

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(writer)
        connection.post(self._hello, newest_only=False)
        if self._latest is not None:
            connection.post(self._latest, newest_only=True)
        self._connections.add(connection)
        pump = asyncio.ensure_future(connection.pump())
        try:
            while True:
                header, _ = await read_frame(reader)
                reply = await asyncio.to_thread(self._answer, header)
                connection.post(encode_frame(reply), newest_only=False)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            log.debug("a client of the feed left")
        finally:
            pump.cancel()
            self._connections.discard(connection)

    def _answer(self, request: Header) -> Header:
        reply: Header = {"type": "reply", "request": request.get("request")}
        handler = self._handlers.get(str(request.get("name")))
        if handler is None:
            return {**reply, "error": f"the twin service knows no request {request.get('name')!r}"}
        try:
            return {**reply, "result": handler(**request.get("arguments", {}))}
        except (TwinError, TypeError, KeyError, ValueError) as error:
            return {**reply, "error": str(error)}


class FeedClient:
    """The web process's side of the feed; reconnects for as long as it runs.

    Parameters
    ----------
    path : Path
        The socket of the twin service.
    on_message : callable, optional
        Called in the event loop with (header, payload) of every hello, snapshot and decision.
    retry : float
        Pause between attempts to connect. [s]

    Attributes
    ----------
    connected : bool
    hello : dict or None              The last greeting.
    snapshot : dict or None           The last summary.
    field : float32[nx, ny, nz] or None   The last temperature field, NaN in solids. [degC]
    received : float                  When the last snapshot arrived. [s since epoch]
    """

    def __init__(
        self, path: Path, on_message: Callable[[Header, bytes], None] | None = None, retry: float = 0.5
    ) -> None:
        self.path = path
        self.connected = False
        self.hello: Header | None = None
        self.snapshot: Header | None = None
        self.field: np.ndarray | None = None
        self.received = 0.0
        self._on_message = on_message
        self._retry = retry
        self._writer: asyncio.StreamWriter | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Header]] = {}

    async def run(self) -> None:
        """Connect, listen, reconnect; ends only by cancellation."""
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(self.path)
            except OSError:
                await asyncio.sleep(self._retry)
                continue
            self.connected = True
            log.info("connected to the twin service")
            try:
                while True:
                    self._take(*await read_frame(reader))
            except (asyncio.IncompleteReadError, ConnectionError):
                log.warning("the twin service went away; reconnecting every %g s", self._retry)
            finally:
                self.connected = False
                self._writer.close()
                self._writer = None
                self._give_up_waiting()
            await asyncio.sleep(self._retry)

    async def request(self, name: str, patience: float = 10.0, **arguments: Any) -> Header:
        """Ask the twin service for something.

        Parameters
        ----------
        name : str
            The request's name, e.g. ``approve``.
        patience : float
            How long to wait for the answer. [s]
        **arguments
            Handed to the service's handler.

        Returns
        -------
        dict
            The answer's body.

        Raises
        ------
        OutsideError : not connected, no answer in time, or the service refused; the message says which.
        """
        if self._writer is None:
            raise OutsideError(f"{name}: the twin service is not running. It restarts by itself; try again.")
        number = next(self._numbers)
        future: asyncio.Future[Header] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._writer.write(
            encode_frame({"type": "request", "request": number, "name": name, "arguments": arguments})
        )
        try:
            reply = await asyncio.wait_for(future, patience)
        except TimeoutError as error:
            raise OutsideError(f"{name}: no answer from the twin service within {patience:g} s.") from error
        finally:
            self._waiting.pop(number, None)
        if "error" in reply:
            raise OutsideError(f"{name}: {reply['error']}")
        return reply["result"]

    def _take(self, header: Header, payload: bytes) -> None:
        kind = header.get("type")
        if kind == "reply":
            future = self._waiting.get(header.get("request", 0))
            if future is not None and not future.done():
                future.set_result(header)
            return
        if kind == "hello":
            self.hello = header
        elif kind == "snapshot":
            self.snapshot = header
            self.field = np.frombuffer(payload, dtype=np.float32).reshape(header["shape"])
            self.received = time.time()
        if self._on_message is not None:
            self._on_message(header, payload)

    def _give_up_waiting(self) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_result({"error": "the twin service went away before it answered"})
