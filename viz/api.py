"""The REST and WebSocket faces of the live source."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any

from fastapi import APIRouter, HTTPException, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, Response

from twin.errors import OutsideError
from viz.auth import NOT_OURS, ONLY_HERE, Gate
from viz.plates import PlateDesk
from viz.source import History, LiveSource

DEFAULT_SPAN = 1800.0  # s
MAXIMUM_POINTS = 32
BUCKETS = 400
SERVING = frozenset({"live", "degraded"})
VERDICTS = frozenset({"approve", "reject"})


def decision_list(source: LiveSource, stored: list[dict[str, Any]], limit: int = 50) -> list[dict[str, Any]]:
    """Join the stored decisions with those heard since, newest first.

    Parameters
    ----------
    source : LiveSource
    stored : list of dict
        From the historian.
    limit : int
        The most decisions to return.

    Returns
    -------
    list of dict
    """
    joined = {str(record.get("id")): record for record in stored} | source.decisions
    return sorted(joined.values(), key=lambda record: float(record.get("time") or 0.0), reverse=True)[:limit]


async def read_decisions(source: LiveSource, history: History, limit: int = 50) -> list[dict[str, Any]]:
    """Read the newest decisions without holding up the event loop."""
    return decision_list(source, await asyncio.to_thread(history.decisions, limit), limit)


async def read_series(
    history: History, points: list[str], span: float, end: float | None = None
) -> dict[str, Any]:
    """Read measured and predicted values of points over the last ``span`` seconds, off the event loop."""
    end = time.time() if end is None else end
    return await asyncio.to_thread(history.series, points, end - span, end, BUCKETS)


def make_router(source: LiveSource, history: History, gate: Gate, plates: PlateDesk) -> APIRouter:
    """Build the routes ``/healthz``, ``/api/*`` and ``/ws/field``.

    Parameters
    ----------
    source : LiveSource
    history : History
    gate : Gate
        Says who may decide, and whose reads may start a solve.
    plates : PlateDesk

    Returns
    -------
    APIRouter
    """
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> JSONResponse:
        body = source.health()
        return JSONResponse(body, status_code=200 if body["status"] in SERVING else 503)

    @router.get("/api/probe")
    async def probe(x: float, y: float, z: float) -> dict[str, Any]:
        if not all(math.isfinite(value) for value in (x, y, z)):
            raise HTTPException(422, "x, y and z must be finite metres")
        try:
            return source.probe((x, y, z))
        except OutsideError as error:
            raise HTTPException(503, str(error)) from error

    @router.get("/api/scene")
    async def scene() -> dict[str, Any]:
        body = source.scene()
        if body is None:
            raise HTTPException(503, source.status()["message"])
        return body

    @router.get("/api/snapshot")
    async def snapshot() -> dict[str, Any]:
        if source.snapshot is None:
            raise HTTPException(503, source.status()["message"])
        return {**source.snapshot, "state": source.status()}

    @router.get("/api/series")
    async def series(points: str, span: float = DEFAULT_SPAN, end: float | None = None) -> dict[str, Any]:
        names = [name for name in points.split(",") if name]
        if not 0 < len(names) <= MAXIMUM_POINTS or not 0 < span < math.inf:
            raise HTTPException(
                422, f"points: 1 to {MAXIMUM_POINTS} names joined by commas; span: seconds > 0"
            )
        try:
            return await read_series(history, names, span, end)
        except OutsideError as error:
            raise HTTPException(503, str(error)) from error

    @router.get("/api/plates/{branch}")
    async def plate(branch: str, request: Request, after: int = -1) -> Response:
        if not gate.admits(request.headers):
            raise HTTPException(403, NOT_OURS)
        try:
            frame = await plates.frame_after(branch, after)
        except KeyError as error:
            raise HTTPException(404, str(error.args[0])) from error
        except OutsideError as error:
            raise HTTPException(503, str(error)) from error
        return Response(frame, media_type="application/octet-stream", headers={"cache-control": "no-store"})

    @router.get("/api/plates/{branch}/probe")
    async def plate_probe(branch: str, request: Request, x: float, y: float, z: float) -> dict[str, Any]:
        if not gate.admits(request.headers):
            raise HTTPException(403, NOT_OURS)
        if not all(math.isfinite(value) for value in (x, y, z)):
            raise HTTPException(422, "x, y and z must be finite metres")
        try:
            return plates.probe(branch, (x, y, z))
        except KeyError as error:
            raise HTTPException(404, str(error.args[0])) from error
        except OutsideError as error:
            raise HTTPException(503, str(error)) from error

    @router.get("/api/decisions")
    async def decisions(limit: int = 50) -> list[dict[str, Any]]:
        try:
            return await read_decisions(source, history, max(1, min(limit, 500)))
        except OutsideError as error:
            raise HTTPException(503, str(error)) from error

    @router.post("/api/decisions/{identity}/{verdict}")
    async def decide(identity: str, verdict: str, request: Request) -> dict[str, Any]:
        if verdict not in VERDICTS:
            raise HTTPException(404, "approve or reject")
        if not gate.may_decide(request.client.host if request.client else None):
            raise HTTPException(403, ONLY_HERE)
        try:
            return await source.feed.request(verdict, id=identity)
        except OutsideError as error:
            raise HTTPException(503 if not source.feed.connected else 409, str(error)) from error

    @router.websocket("/ws/field")
    async def field(socket: WebSocket) -> None:
        await socket.accept()
        try:
            while True:
                wish = await socket.receive_json()
                number, with_field = int(wish.get("after", -1)), bool(wish.get("field", True))
                await socket.send_bytes(await source.frame_after(number, with_field=with_field))
        except (WebSocketDisconnect, RuntimeError, ValueError, AttributeError):
            return

    @router.get("/api/{path:path}")
    async def unknown(path: str) -> None:
        raise HTTPException(404, f"/api/{path} is no address of this server")

    return router
