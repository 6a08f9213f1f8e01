"""A small real mesh in one process: own authority, agents in threads, emulated devices on Modbus TCP."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zenoh

from hardware_sync.adapters.modbus import DeviceAddress
from hardware_sync.adapters.modbus_server import EmulatedDevice, emulated_points, serve_devices
from hardware_sync.agent.agent import Agent
from hardware_sync.agent.config import AgentConfig, AgentRole, FailSafe
from hardware_sync.guard import WriteLimit
from hardware_sync.mesh.identity import ensure_identities
from hardware_sync.mesh.session import Peer, open_session
from hardware_sync.mesh.topics import OPERATOR, TWIN, Role, Topics
from hardware_sync.mesh.twin_side import TwinConfig, TwinMesh
from twin.ports import Command

SITE = "test"
AGENTS = ("K01", "K02", "K03", "K04")


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait until a condition is true, at most `timeout` seconds."""

    def wait(condition: Callable[[], object], timeout: float = 10.0, what: str = "") -> None:
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"not within {timeout:g} s: {what or condition}")
            time.sleep(0.02)

    return wait


PORTS = itertools.count(12000 + os.getpid() % 7000)


def free_port() -> int:
    """Find a port below those the system gives to outgoing connections, or one of them would take it."""
    for port in PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("the count never ends")


def points_of(name: str) -> list[str]:
    return [f"{name}.fan_speed", f"{name}.pump_speed", f"{name}.state", f"R{name[1:]}.power"]


def limits_of(name: str) -> dict[str, WriteLimit]:
    names = (f"{name}.fan_speed", f"{name}.pump_speed")
    return {point: WriteLimit(point, 0.2, 1.0, 0.5, 1.0) for point in names}


class Devices:
    """The emulated devices of all agents behind one Modbus server, in a thread."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.port = free_port()
        self.written: dict[str, float] = {}
        self.by_name: dict[str, EmulatedDevice] = {}
        for index, name in enumerate(names):
            device = EmulatedDevice(index + 1, emulated_points(points_of(name), limits_of(name)), self._write)
            now = time.time()
            device.update(f"{name}.fan_speed", 0.6, now)
            device.update(f"{name}.pump_speed", 0.5, now)
            device.update(f"{name}.state", 1.0, now)
            device.update(f"R{name[1:]}.power", 5000.0 + index, now)
            self.by_name[name] = device
        self._thread: threading.Thread | None = None

    def _write(self, point: str, value: float) -> bool:
        self.written[point] = value
        self.by_name[point.partition(".")[0]].update(point, value, time.time())
        return True

    def start(self) -> None:
        ready = threading.Event()

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self._end = asyncio.Event()
            server = await serve_devices("127.0.0.1", self.port, self.by_name.values())
            ready.set()
            await self._end.wait()
            await server.shutdown()
            await asyncio.sleep(0)

        self._thread = threading.Thread(target=asyncio.run, args=(serve(),))
        self._thread.start()
        assert ready.wait(5)

    def stop(self) -> None:
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()
            self._thread = None


class RunningAgent:
    """An agent in a thread of this process."""

    def __init__(self, config: AgentConfig) -> None:
        ready = threading.Event()

        async def run() -> None:
            self._agent = Agent(config)
            self._loop = asyncio.get_running_loop()
            ready.set()
            await self._agent.run()

        self._thread = threading.Thread(target=asyncio.run, args=(run(),))
        self._thread.start()
        assert ready.wait(5)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._agent.stop)
            self._thread.join()


class MeshLab:
    """Identities, ports and configurations of a small mesh, and what a test started on it."""

    def __init__(self, folder: Path, agents: tuple[str, ...] = AGENTS) -> None:
        self.folder = folder
        (folder / "memory").mkdir()
        self.agents = agents
        self.topics = Topics(SITE)
        names = [*agents, TWIN, OPERATOR, "stranger"]
        self.identities = ensure_identities(folder, names)
        self.listen = {name: f"127.0.0.1:{free_port()}" for name in names}
        self.seeds = tuple(self.listen[name] for name in agents[:3])
        self.devices = Devices(agents)
        self._open: list[Callable[[], object]] = []

    def config(self, name: str, *, silence: float = 10.0, period: float = 0.1) -> AgentConfig:
        device = self.devices.by_name[name]
        limits = limits_of(name)
        return AgentConfig(
            name=name,
            role=AgentRole.RACKLET,
            site=SITE,
            identity=self.identities[name],
            listen=self.listen[name],
            seeds=self.seeds,
            device=DeviceAddress("127.0.0.1", self.devices.port, device.id, 0),
            points=device.points,
            period=period,
            fail_safe=FailSafe(silence, dict.fromkeys(limits, 1.0)),
            memory=self.folder / "memory" / f"{name}.json",
        )

    def start_devices(self) -> Devices:
        self.devices.start()
        self._open.append(self.devices.stop)
        return self.devices

    def start_agent(self, name: str, **options: float) -> RunningAgent:
        agent = RunningAgent(self.config(name, **options))
        self._open.append(agent.stop)
        return agent

    def spawn_agent(self, name: str) -> subprocess.Popen[bytes]:
        path = self.folder / f"{name}.json"
        self.config(name).save(path)
        return self.spawn(path)

    def spawn(self, path: Path) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-m", "hardware_sync.agent", str(path)])

        def end() -> None:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGCONT)
                process.kill()
            process.wait()

        self._open.append(end)
        return process

    def twin_peer(self) -> Peer:
        return Peer(self.identities[TWIN], Role.TWIN, SITE, self.listen[TWIN], self.seeds, self.agents)

    def join_twin(self) -> TwinMesh:
        limits = {point: limit for name in self.agents for point, limit in limits_of(name).items()}
        owners = {point: point.split(".")[0] for point in limits}
        mesh = TwinMesh(TwinConfig(self.twin_peer(), owners, tuple(limits.values())))
        self._open.append(mesh.close)
        return mesh

    def join(self, peer: Peer) -> zenoh.Session:
        return self.join_with(lambda: open_session(peer))

    def join_with(self, opened: Callable[[], zenoh.Session]) -> zenoh.Session:
        session = opened()
        self._open.append(lambda: session.is_closed() or session.close())
        return session

    def close(self) -> None:
        for close in reversed(self._open):
            close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[MeshLab]:
    lab = MeshLab(tmp_path)
    yield lab
    lab.close()


@pytest.fixture
def command() -> Callable[..., Command]:
    """Make a fresh command that is good for 10 s."""
    count = iter(range(1_000_000))

    def make(point: str, value: float, *, id: str = "", lifetime: float = 10.0, issued: float = math.nan):
        start = time.time() if math.isnan(issued) else issued
        return Command(id or f"c{next(count)}", point, value, "test", start, start + lifetime)

    return make
