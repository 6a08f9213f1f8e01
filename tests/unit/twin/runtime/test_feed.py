"""The feed greets, delivers the newest snapshot, answers, and comes back after a restart of the service."""

from __future__ import annotations

import asyncio
import gc
import socket
import stat
import time

import numpy as np
import pytest

from twin.errors import OutsideError
from twin.runtime.feed import FeedClient, FeedServer


def ask(**arguments):
    if arguments.get("id") == "wrong":
        raise OutsideError("no such proposal")
    return {"asked": arguments}


@pytest.fixture
def socket_path(tmp_path):
    return tmp_path / "feed.sock"


@pytest.fixture
def server(socket_path):
    server = FeedServer(socket_path, {"layout": "pod"}, {"approve": ask})
    yield server
    server.close()


async def until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # it watches state that has no event
            await asyncio.sleep(0.005)


def converse(path, scenario, **options):
    async def main():
        client = FeedClient(path, retry=0.05, **options)
        task = asyncio.create_task(client.run())
        try:
            return await scenario(client)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return asyncio.run(main())


def test_a_client_is_greeted_and_gets_the_newest_snapshot(server, socket_path):
    field = np.full((2, 3, 4), 21.5, np.float32)
    field[0, 0, 0] = np.nan
    server.publish_snapshot({"sequence": 1}, np.zeros((2, 3, 4)))
    server.publish_snapshot({"sequence": 2}, field)

    async def scenario(client):
        await until(lambda: client.snapshot is not None and client.snapshot["sequence"] == 2)
        assert client.hello["layout"] == "pod"
        np.testing.assert_array_equal(client.field, field)

    converse(socket_path, scenario)
    assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600


def test_a_new_grid_is_greeted_before_its_first_snapshot(server, socket_path):
    heard = []

    async def scenario(client):
        await until(lambda: client.hello is not None)
        server.publish_snapshot({"sequence": 1}, np.zeros((2, 2, 2)))
        server.greet({"layout": "coarse"})
        server.publish_snapshot({"sequence": 2}, np.zeros((1, 1, 1)))
        await until(lambda: client.snapshot is not None and client.snapshot["sequence"] == 2)

    converse(socket_path, scenario, on_message=lambda header, _: heard.append(header))
    greeting = next(i for i, h in enumerate(heard) if h.get("layout") == "coarse")
    assert all(h["sequence"] == 2 for h in heard[greeting + 1 :] if h["type"] == "snapshot")


def test_requests_are_answered_or_refused_with_the_reason(server, socket_path):
    async def scenario(client):
        await until(lambda: client.connected)
        assert await client.request("approve", id="d1") == {"asked": {"id": "d1"}}
        with pytest.raises(OutsideError, match="no such proposal"):
            await client.request("approve", id="wrong")
        with pytest.raises(OutsideError, match="knows no request 'dance'"):
            await client.request("dance")

    converse(socket_path, scenario)


def test_a_client_survives_the_service_and_finds_the_next_one(socket_path):
    async def scenario(client):
        with pytest.raises(OutsideError, match="not running"):
            await client.request("approve", id="d1")
        first = FeedServer(socket_path, {"layout": "first"})
        await until(lambda: client.connected)
        first.close()
        await until(lambda: not client.connected)
        second = FeedServer(socket_path, {"layout": "second"})
        await until(lambda: client.hello is not None and client.hello["layout"] == "second")
        second.close()

    converse(socket_path, scenario)


def test_a_second_service_on_the_same_socket_is_refused(server, socket_path):
    with pytest.raises(OutsideError, match="another twin service"):
        FeedServer(socket_path, {})


def test_a_socket_left_by_a_killed_service_is_replaced(socket_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(socket_path))
    FeedServer(socket_path, {}).close()
    assert not socket_path.exists()


def test_a_path_too_long_for_a_socket_is_named(tmp_path):
    with pytest.raises(OutsideError, match="shorter state folder"):
        FeedServer(tmp_path / ("x" * 120), {})


def test_clients_that_arrive_as_the_service_ends_leave_no_open_socket(tmp_path):
    for number in range(200):
        path = tmp_path / f"{number}.sock"
        server = FeedServer(path, {})
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            server.close()
    gc.collect()  # an open one is a ResourceWarning, and warnings are errors


def test_a_client_that_does_not_read_is_dropped_as_the_service_ends(server, socket_path):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(socket_path))
        client.recv(1)  # the service knows it
        server.publish_snapshot({}, np.zeros((64, 64, 512)))  # 8 MB, more than a socket holds
        time.sleep(0.2)
        server.close()
        while client.recv(2**20):  # what was under way, then the end
            pass
    gc.collect()
