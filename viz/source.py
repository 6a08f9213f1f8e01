"""The live source: what the web process knows of the twin, its age, and its frames for browsers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from twin.errors import OutsideError
from twin.runtime.feed import FeedClient
from viz.field import FRAME_LIMIT, Lines, Texture, encode_frame, grid_lines, probe

log = logging.getLogger(__name__)

STALE_AFTER = 3.0  # s without a snapshot; the twin makes one every half second
HEARTBEAT = 1.0  # s; a browser hears from us at least this often
DECISIONS_KEPT = 200
NOT_UP = "Its service is not up yet. A first start compiles the solver, which takes a minute."
SOLVING = "It settles the room's air before it goes live."
STOPPED = "The twin has stopped sending; the picture is its last."
GONE = "The twin service is gone; the picture is its last. It restarts by itself."
NO_READINGS = "No fresh readings from the racks: the twin goes on without them and drifts."


class History(Protocol):
    """What the page reads of the historian."""

    def series(self, points: list[str], start: float, end: float, buckets: int = ...) -> dict[str, Any]:
        """Return measured and predicted values of points between two times."""
        ...

    def decisions(self, limit: int = ...) -> list[dict[str, Any]]:
        """Return the newest decisions, newest first."""
        ...


class LiveSource:
    """The newest snapshot of the twin and everything the page derives from it.

    Parameters
    ----------
    feed_path : Path
        The twin service's socket.
    stale_after : float
        Seconds without a snapshot after which the page must not be trusted as live.

    Attributes
    ----------
    decisions : dict
        Decision records that came over the feed, by id.
    frame_bytes : int
        Size of the last field frame.
    """

    def __init__(self, feed_path: Path, stale_after: float = STALE_AFTER) -> None:
        self.feed = FeedClient(feed_path, on_message=self._take)
        self.stale_after = stale_after
        self.decisions: dict[str, dict[str, Any]] = {}
        self.frame_bytes = 0
        self._scene_number = 0
        self._decisions_heard = 0
        self._lines: Lines | None = None
        self._texture: Texture | None = None
        self._heard = 0.0  # monotonic time of the last snapshot: the wall clock may be set back
        self._changed = asyncio.Condition()
        self._encoding = asyncio.Lock()
        self._frame: tuple[int, bytes] = (-1, b"")
        self._number = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def snapshot(self) -> dict[str, Any] | None:
        """The last summary, however old."""
        return self.feed.snapshot

    async def run(self) -> None:
        """Follow the twin for as long as the task lives."""
        await self.feed.run()

    def status(self) -> dict[str, Any]:
        """Say how far the picture can be trusted.

        Returns
        -------
        dict
            ``status`` (starting, live, degraded, stale), ``data_age_s`` or None, ``connected``, ``message``.
        """
        summary = self.feed.snapshot
        if summary is None:
            message = SOLVING if self.feed.connected else NOT_UP
            return {
                "status": "starting",
                "data_age_s": None,
                "connected": self.feed.connected,
                "message": message,
            }
        silence = time.monotonic() - self._heard
        known = summary.get("data_age_s")
        age = None if known is None else float(known) + silence
        status, message = str(summary.get("status", "live")), str(summary.get("degraded") or "")
        if silence > self.stale_after:
            status, message = "stale", STOPPED if self.feed.connected else GONE
        elif status == "stale":
            message = message or NO_READINGS
        elif status == "degraded":
            message = message or f"The twin runs {float(summary.get('lag_s') or 0.0):.1f} s behind the clock."
        elif status == "live" and message:
            status = "degraded"
        return {"status": status, "data_age_s": age, "connected": self.feed.connected, "message": message}

    def health(self) -> dict[str, Any]:
        """Return the body of ``GET /healthz``; see DESIGN.md section 4."""
        state, summary = self.status(), self.feed.snapshot or {}
        agents = summary.get("agents") or {}
        return {
            "status": state["status"],
            "data_age_s": state["data_age_s"],
            "real_time_factor": summary.get("real_time_factor"),
            "twin_error_k": summary.get("twin_error_k"),
            "agents": {"alive": agents.get("alive", 0), "expected": agents.get("expected", 0)},
            "cells": summary.get("cells", 0),
            "message": state["message"],
        }

    def scene(self) -> dict[str, Any] | None:
        """Return boxes, room and grid size for drawing; None before the twin's first greeting."""
        hello = self.feed.hello
        if hello is None or self._lines is None:
            return None
        scene = hello.get("scene") or []
        boxes = scene.get("boxes", []) if isinstance(scene, Mapping) else scene
        lo = [float(line[0]) for line in self._lines]
        hi = [float(line[-1]) for line in self._lines]
        return {
            "number": self._scene_number,
            "layout": hello.get("layout", ""),
            "boxes": boxes,
            "lo": lo,
            "hi": hi,
            "cells": [line.size - 1 for line in self._lines],
        }

    def field(self) -> tuple[Lines, np.ndarray] | None:
        """Return the grid and the newest field of it [degC]; None where there is none."""
        field, lines = self.feed.field, self._lines
        if field is None or lines is None or field.shape != tuple(line.size - 1 for line in lines):
            return None  # a restarted twin has greeted with another grid, and its field is on the way
        return lines, field

    def probe(self, point: tuple[float, float, float]) -> dict[str, Any]:
        """Return the twin's temperature at a point, from the full field.

        Raises
        ------
        OutsideError : the twin has sent no field yet.
        """
        newest = self.field()
        if newest is None or self.feed.snapshot is None:
            raise OutsideError("probe: the twin has sent no field yet. Wait until the page says LIVE.")
        value = probe(*newest, point)
        return {
            "sequence": self.feed.snapshot.get("sequence"),
            "time": self.feed.snapshot.get("time"),
            "point": list(point),
            "temperature_c": None if value is None else round(value, 3),
        }

    async def frame_after(self, number: int, *, with_field: bool, patience: float = HEARTBEAT) -> bytes:
        """Wait for a frame newer than the client's, or give a sign of life.

        Parameters
        ----------
        number : int
            The frame the client has painted; -1 for none.
        with_field : bool
            Whether it wants the texture.
        patience : float
            How long to wait before the sign of life. [s]

        Returns
        -------
        bytes
            A frame of type ``field``, or ``status`` where there is nothing new or no texture was asked for.
        """
        async with self._changed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait_for(lambda: self._number > number), patience)
        fresh = self._number > number and self.feed.snapshot is not None
        if fresh and with_field and self.field() is not None:
            return await self._field_frame()
        return encode_frame(self._header("status", with_summary=fresh))

    async def _field_frame(self) -> bytes:
        """Encode the newest field once, whoever asks."""
        async with self._encoding:
            if self._frame[0] != self._number:
                number, header, texture, newest = (
                    self._number,
                    self._header("field"),
                    self._texture,
                    self.field(),
                )
                if texture is None or newest is None:
                    return encode_frame({**header, "type": "status"})
                frame = await asyncio.to_thread(fit_frame, header, texture, newest[1])
                self._frame = (number, frame)
                self.frame_bytes = len(frame)
            return self._frame[1]

    def _header(self, kind: str, *, with_summary: bool = True) -> dict[str, Any]:
        summary = self.feed.snapshot or {}
        return {
            "type": kind,
            "number": self._number,
            "sequence": summary.get("sequence"),
            "time": summary.get("time"),
            "scene": self._scene_number,
            "decisions": self._decisions_heard,
            "state": self.status(),
            "summary": {key: value for key, value in summary.items() if key != "type"}
            if with_summary
            else None,
        }

    def _take(self, header: dict[str, Any], _payload: bytes) -> None:
        kind = header.get("type")
        if kind == "hello":
            self._lines = grid_lines(header["grid"])
            self._texture = Texture(self._lines)
            self._scene_number += 1
        elif kind == "snapshot":
            self._heard = time.monotonic()
        elif kind == "decision":
            self._decisions_heard += 1
            record = header.get("decision", header)
            self.decisions[str(record.get("id"))] = {key: record[key] for key in record if key != "type"}
            for identity in list(self.decisions)[:-DECISIONS_KEPT]:
                del self.decisions[identity]
        if kind in {"hello", "snapshot", "decision"}:
            self._number += 1
            task = asyncio.get_running_loop().create_task(self._wake())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def fit_frame(header: dict[str, Any], texture: Texture, field: np.ndarray) -> bytes:
    """Encode a frame, at a lower resolution where it would be too large.

    Parameters
    ----------
    header : dict
        Gets ``shape`` (voxels) and ``range`` [degC].
    texture : Texture
        Stays at the resolution that fitted.
    field : float32[nx, ny, nz]
        [degC].

    Returns
    -------
    bytes
        At most ``FRAME_LIMIT`` unless the smallest texture exceeds it.
    """
    while True:
        header |= {"shape": texture.shape, "range": list(texture.span)}
        frame = encode_frame(header, texture.pack(field))
        if len(frame) <= FRAME_LIMIT or not texture.shrink():
            return frame
        log.info("a frame of %d bytes is too large: texture lowered to %s voxels", len(frame), texture.shape)
