"""The web process from outside: sockets, sizes, time to end."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from twin.runtime.feed import FeedServer
from viz.field import decode_frame

Site = Any  # conftest.Site: test modules cannot import each other

pytestmark = pytest.mark.browser


def socket_url(site: Site) -> str:
    return site.url.replace("http", "ws", 1) + "/ws/field"


def next_frame(socket: ClientConnection, after: int) -> bytes:
    socket.send(json.dumps({"after": after, "field": True}))
    frame = socket.recv(timeout=10)
    assert isinstance(frame, bytes)
    return frame


def test_a_foreign_origin_gets_no_socket(site: Site) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        connect(socket_url(site), origin="http://evil.example")
    assert refusal.value.response.status_code == 403
    own = socket_url(site).replace("/ws/field", "/_dash-ws-callback")  # Dash opens one by itself
    rebound = {"Host": "evil.example"}
    for url in (socket_url(site), own):
        with pytest.raises(InvalidStatus) as refusal:
            connect(url, origin="http://evil.example", additional_headers=rebound)
        assert refusal.value.response.status_code == 403
    with connect(socket_url(site), origin=site.url) as socket:
        assert decode_frame(next_frame(socket, -1))[0]["type"] == "field"


def test_frames_of_240k_cells_stay_below_100_kb(new_site: Callable[[], Site]) -> None:
    site = new_site()
    site.start_twin("--cells", "240000", "--history", "5")
    with connect(socket_url(site)) as socket:
        number, sizes, sequences = -1, [], []
        while len(sizes) < 4:
            frame = next_frame(socket, number)
            header, _ = decode_frame(frame)
            number = header["number"]
            if header["type"] == "field":
                sizes.append(len(frame))
                sequences.append(header["sequence"])
        assert header["summary"]["cells"] > 230_000
    assert max(sizes) < 100_000
    assert sequences == sorted(set(sequences))


def test_one_client_costs_little_and_sigterm_ends_at_once(new_site: Callable[[], Site]) -> None:
    site = new_site()
    site.start_twin("--rate", "2.2", "--history", "5")
    process = psutil.Process(site.web.pid)
    with connect(socket_url(site)) as socket:
        watch(socket, process)
        assert site.close() < 2.0  # with the socket still open
    assert site.web.returncode in {0, -signal.SIGTERM}  # uvicorn ends by the signal it was given


def test_a_fault_while_following_the_twin_ends_the_process(new_site: Callable[[], Site]) -> None:
    site = new_site()
    twin = FeedServer(site.state / "feed.sock", {"layout": "a greeting without a grid"})
    try:
        assert site.web.wait(timeout=60) == 1  # the supervisor starts it again
    finally:
        twin.close()


def watch(socket: ClientConnection, process: psutil.Process) -> None:
    """Take frames for a while, as a browser does, and measure what that costs the server."""
    number, fields = decode_frame(next_frame(socket, -1))[0]["number"], 0
    before, start = process.cpu_times(), time.monotonic()
    while time.monotonic() - start < 8:
        header, _ = decode_frame(next_frame(socket, number))
        number = header["number"]
        fields += header["type"] == "field"
    after, wall = process.cpu_times(), time.monotonic() - start
    used = after.user + after.system - before.user - before.system
    assert fields / wall > 1.5  # the stand-in may be slow on a busy machine
    assert used / wall < 0.15
