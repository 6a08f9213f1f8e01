"""The live source and its faces, over the real feed, in one process."""

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from twin.errors import OutsideError
from twin.runtime.feed import FeedServer
from twin.runtime.historian import Historian
from viz.api import decision_list
from viz.app import check_port, claim_port, create_app
from viz.field import FRAME_LIMIT, Lines, Texture, decode_frame, encode_frame
from viz.source import LiveSource, fit_frame

GRID = {"x": [0.0, 1.0, 2.0, 3.0], "y": [0.0, 1.0, 2.0], "z": [0.0, 1.0, 2.0]}
HELLO = {
    "scene": [{"name": "R01", "kind": "rack", "lo": [1, 0, 0], "hi": [2, 1, 2], "facing": "+y"}],
    "grid": GRID,
    "layout": "test",
}


def summary(sequence: int, **changes: Any) -> dict[str, Any]:
    body = {
        "sequence": sequence,
        "time": time.time(),
        "wall": time.time(),
        "status": "live",
        "degraded": None,
        "data_age_s": 0.5,
        "real_time_factor": 1.0,
        "twin_error_k": 0.3,
        "agents": {"alive": 11, "expected": 12},
        "cells": 12,
        "racks": {},
    }
    return body | changes


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FeedServer]:
    feed = FeedServer(tmp_path / "feed.sock", HELLO, {"approve": lambda id: {"id": id, "state": "approved"}})
    yield feed
    feed.close()


def field(value: float) -> np.ndarray:
    return np.full((3, 2, 2), value, dtype=np.float32)


async def until(condition: Any, patience: float = 5.0) -> None:
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "did not come true in time"
        await asyncio.sleep(0.01)


class Following:
    """A source that follows its feed inside a test."""

    def __init__(self, path: Path, **arguments: Any) -> None:
        self.source = LiveSource(path, **arguments)

    async def __aenter__(self) -> LiveSource:
        self.task = asyncio.create_task(self.source.run())
        return self.source

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def test_status_goes_starting_live_degraded_stale(server: FeedServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Following(tmp_path / "feed.sock", stale_after=0.3) as source:
            assert source.status()["status"] == "starting"
            server.publish_snapshot(summary(1), field(21.0))
            await until(lambda: source.snapshot is not None)
            assert source.status()["status"] == "live"
            assert 0.5 <= source.status()["data_age_s"] < 1.5
            server.publish_snapshot(summary(2, degraded="coarser step"), field(21.0))
            await until(lambda: source.snapshot["sequence"] == 2)
            assert source.status() | {"data_age_s": 0} == {
                "status": "degraded", "data_age_s": 0, "connected": True, "message": "coarser step",
            }  # fmt: skip
            await until(lambda: source.status()["status"] == "stale")
            assert "stopped sending" in source.status()["message"]
            server.close()
            await until(lambda: not source.feed.connected)
            assert "gone" in source.status()["message"]

    asyncio.run(scenario())


def test_a_clock_set_back_does_not_make_a_dead_twin_live(
    server: FeedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with Following(tmp_path / "feed.sock", stale_after=0.3) as source:
            server.publish_snapshot(summary(1), field(21.0))
            await until(lambda: source.snapshot is not None)
            right = time.time
            monkeypatch.setattr(time, "time", lambda: right() - 3600.0)
            await asyncio.sleep(0.4)
            assert source.status()["status"] == "stale"
            assert source.status()["data_age_s"] >= 0.9

    asyncio.run(scenario())


def test_a_frame_is_encoded_once_and_waits_for_news(server: FeedServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Following(tmp_path / "feed.sock") as source:
            server.publish_snapshot(summary(1), field(21.0))
            await until(lambda: source.snapshot is not None)
            one, two = await asyncio.gather(*[source.frame_after(-1, with_field=True) for _ in range(2)])
            assert one is two
            header, texture = decode_frame(one)
            assert (header["type"], header["sequence"], header["summary"]["cells"]) == ("field", 1, 12)
            assert len(texture) == np.prod(header["shape"])
            started = time.monotonic()
            header, texture = decode_frame(
                await source.frame_after(header["number"], with_field=True, patience=0.2)
            )
            assert 0.15 < time.monotonic() - started < 2.0
            assert (header["type"], header["summary"], texture) == ("status", None, b"")
            waiting = asyncio.create_task(source.frame_after(header["number"], with_field=False, patience=5))
            await asyncio.sleep(0.05)
            server.publish_snapshot(summary(2), field(22.0))
            header, texture = decode_frame(await waiting)
            assert (header["type"], header["sequence"], texture) == ("status", 2, b"")

    asyncio.run(scenario())


def test_a_frame_that_would_be_too_large_is_made_coarser() -> None:
    lines = Lines(*(np.linspace(0, length, count) for length, count in ((8.4, 91), (6.6, 71), (3.6, 39))))
    noise = np.random.default_rng(1).normal(24, 8, (90, 70, 38)).astype(np.float32)  # nothing packs worse
    texture = Texture(lines)
    assert len(encode_frame({}, texture.pack(noise))) > 2 * FRAME_LIMIT
    frame = fit_frame({"type": "field"}, texture, noise)
    header, body = decode_frame(frame)
    assert len(frame) <= FRAME_LIMIT
    assert len(body) == np.prod(header["shape"]) < 100_000


def test_a_new_greeting_changes_scene_and_grid(server: FeedServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Following(tmp_path / "feed.sock") as source:
            server.publish_snapshot(summary(1), field(21.0))
            await until(lambda: source.snapshot is not None)
            first = source.scene()
            assert first is not None
            server.greet(HELLO | {"grid": GRID | {"x": [0.0, 1.5, 3.0]}})
            await until(lambda: source.scene()["number"] > first["number"])
            assert source.field() is None  # the old field is not of the new grid
            with pytest.raises(OutsideError, match="no field yet"):
                source.probe((0.5, 0.5, 0.5))
            server.publish_snapshot(summary(2), np.full((2, 2, 2), 23.0, dtype=np.float32))
            await until(lambda: source.snapshot["sequence"] == 2)
            assert source.probe((0.5, 0.5, 0.5))["temperature_c"] == 23.0

    asyncio.run(scenario())


def test_rest_faces(server: FeedServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Following(tmp_path / "feed.sock") as source:
            app = create_app(source, tmp_path / "history.db")
            transport = httpx.ASGITransport(app=app.server)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8050") as client:
                health = await client.get("/healthz")
                assert (health.status_code, health.json()["status"]) == (503, "starting")
                assert (await client.get("/api/snapshot")).status_code == 503
                server.publish_snapshot(summary(1), field(21.0))
                await until(lambda: source.snapshot is not None)
                health = await client.get("/healthz")
                assert health.status_code == 200
                body = health.json()
                assert (body["status"], body["cells"], body["agents"]) == (
                    "live",
                    12,
                    {"alive": 11, "expected": 12},
                )
                assert {"data_age_s", "real_time_factor", "twin_error_k"} <= body.keys()
                probe = await client.get("/api/probe", params={"x": 0.5, "y": 1.0, "z": 1.0})
                assert probe.json()["temperature_c"] == 21.0
                assert (
                    await client.get("/api/probe", params={"x": "nan", "y": 1, "z": 1})
                ).status_code == 422
                assert (await client.get("/api/scene")).json()["boxes"][0]["name"] == "R01"
                assert (await client.get("/api/series", params={"points": "R01.power"})).status_code == 200
                assert (await client.get("/api/series", params={"points": ""})).status_code == 422
                assert (await client.get("/api/decisions")).json() == []
                assert (await client.get("/api/nothing")).status_code == 404
                assert (await client.get("/docs")).status_code == 404
                page = await client.get("/")
                assert "Racklet Twin" in page.text
                assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
                assert "http://" not in page.text.replace("http://127.0.0.1", "")
                foreign = {"origin": "http://evil.example"}
                assert (await client.post("/api/decisions/d1/approve", headers=foreign)).status_code == 403
                assert (await client.post("/api/decisions/d1/approve")).json()["state"] == "approved"
                assert (await client.post("/api/decisions/d1/sell")).status_code == 404
                assert (await client.post("/api/decisions/d1/reject")).status_code == 409
                assert (await client.get("/healthz", headers={"host": "evil.example"})).status_code == 421

    asyncio.run(scenario())


def pressed(verb: str) -> dict[str, Any]:
    """What Dash's renderer sends when a decision's button is pressed."""
    name = f'{{"decision":"d1","type":"decide","verb":"{verb}"}}'
    button = {"id": json.loads(name), "property": "n_clicks", "value": 1}
    return {
        "output": "decision-answer.children",
        "outputs": {"id": "decision-answer", "property": "children"},
        "inputs": [[button]],
        "changedPropIds": [f"{name}.n_clicks"],
        "state": [{"id": "decision-answer", "property": "children", "value": ""}],
    }


def test_decisions_are_answered_by_this_machine_s_own_page_alone(tmp_path: Path) -> None:
    asked: list[str] = []

    def approve(id: str) -> dict[str, Any]:
        asked.append(id)
        return {"id": id, "state": "approved"}

    async def press(
        app: Any, client: str, verb: str = "approve", **headers: str
    ) -> tuple[httpx.Response, ...]:
        transport = httpx.ASGITransport(app=app.server, client=(client, 5000))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8050", headers=headers
        ) as http:
            return (
                await http.post("/_dash-update-component", json=pressed(verb)),
                await http.post(f"/api/decisions/d1/{verb}"),
            )

    async def scenario() -> None:
        async with Following(tmp_path / "feed.sock") as source:
            await until(lambda: source.feed.connected)
            app = create_app(source, tmp_path / "history.db")
            replies = await press(app, "127.0.0.1", origin="http://evil.example")
            assert [reply.status_code for reply in replies] == [403, 403]
            dash, rest = await press(app, "10.0.0.7")
            assert (dash.status_code, rest.status_code) == (200, 403)
            for said in (dash.json()["response"]["decision-answer"]["children"], rest.json()["detail"]):
                assert "Only the machine that runs the twin" in said
            await press(app, "127.0.0.1", verb="destroy")
            assert asked == []  # a made-up verb reaches no handler of the twin's
            dash, rest = await press(app, "::1", origin="http://127.0.0.1:8050")
            assert dash.json()["response"]["decision-answer"]["children"] == "Approved."
            assert rest.json()["state"] == "approved"
            trusting = create_app(source, tmp_path / "history.db", allow_remote_approval=True)
            replies = await press(trusting, "10.0.0.7")
            assert [reply.status_code for reply in replies] == [200, 200]
            assert len(asked) == 4

    feed = FeedServer(
        tmp_path / "feed.sock", HELLO, {"approve": approve, "destroy": lambda id: asked.append(id) or {}}
    )
    try:
        asyncio.run(scenario())
    finally:
        feed.close()


def test_a_broken_historian_is_said_not_hidden(server: FeedServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        Historian(tmp_path / "history.db").close()
        with contextlib.closing(sqlite3.connect(tmp_path / "history.db")) as file:
            file.execute("DROP TABLE decision")
        app = create_app(LiveSource(tmp_path / "feed.sock"), tmp_path / "history.db")
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app.server), base_url="http://localhost"
        ) as client:
            reply = await client.get("/api/decisions")
            assert reply.status_code == 503
            assert "cannot read" in reply.json()["detail"]

    asyncio.run(scenario())


def test_decisions_heard_replace_those_stored(server: FeedServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Following(tmp_path / "feed.sock") as source:
            await until(lambda: source.scene() is not None)
            server.publish("decision", {"decision": {"id": "d1", "time": 5.0, "state": "committed"}})
            await until(lambda: source.decisions)
            stored = [
                {"id": "d2", "time": 9.0, "state": "observed"},
                {"id": "d1", "time": 5.0, "state": "proposed"},
            ]
            joined = decision_list(source, stored)
            assert [(record["id"], record["state"]) for record in joined] == [
                ("d2", "observed"),
                ("d1", "committed"),
            ]

    asyncio.run(scenario())


def test_a_port_in_use_is_named_with_its_remedy() -> None:
    with claim_port("127.0.0.1", 0) as claimed:
        port = claimed.getsockname()[1]
        with pytest.raises(OutsideError, match=rf"127\.0\.0\.1:{port}.*--port"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)
    with pytest.raises(OutsideError, match="page address"):
        claim_port("203.0.113.1", 0)
    with pytest.raises(OutsideError, match=r"page address.*0-65535"):
        check_port("127.0.0.1", 70_000)


def test_a_port_in_use_is_found_on_ipv6_too() -> None:
    try:
        claimed = claim_port("::1", 0)
    except OutsideError:
        pytest.skip("this machine has no IPv6 loopback")
    with claimed, pytest.raises(OutsideError, match="page address ::1"):
        check_port("::1", claimed.getsockname()[1])
