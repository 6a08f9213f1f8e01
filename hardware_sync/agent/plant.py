"""The emulated hardware of a whole room as one process: physics, sensors, Modbus devices, platform.

It stands where racklets, coolers and a cluster would stand: agents read and write it over Modbus TCP and know
no difference, the allocator moves its workloads over ``<state>/platform.sock``. It keeps step with the wall
clock; after a kill it goes on from ``<state>/plant.npz`` with the clock's time.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
import signal
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numba
import numpy as np

from hardware_sync.adapters.modbus_server import EmulatedDevice, serve_devices
from hardware_sync.agent.deploy import read_agents
from hardware_sync.agent.plant_model import PlantModel
from hardware_sync.agent.sensor_model import SensorBank
from hardware_sync.platforms.emulated import EmulatedPlatform, serve_platform
from hardware_sync.platforms.simulated import SOCKET
from twin.errors import InputError, NotConvergedError, OutsideError
from twin.files import write_atomically
from twin.model.load import load_layout
from twin.model.schema import Layout
from twin.runtime.state import read_json, write_json
from twin.runtime.trace import Trace, generated_trace, rack_ratings, read_trace
from twin.runtime.workloads import LoadModel

log = logging.getLogger(__name__)

PERIOD = 0.5
CHECKPOINT_PERIOD = 5.0
CHECKPOINT_VALID = 900.0
LONGEST_STEP = 2.0
LONGEST_LAG = 30.0
HORIZON = 300.0
FORECAST_PERIOD = 15.0
UNREADABLE = (OSError, EOFError, ValueError, TypeError, KeyError, RuntimeError, zipfile.BadZipFile)
"""What `numpy.load` raises for a file that is empty, torn, or has a flipped bit anywhere."""


class TraceLoad:
    """The workloads' demand by the wall clock; implements `hardware_sync.platforms.emulated.Load`.

    Parameters
    ----------
    layout : Layout
    model : LoadModel
    start : float     Instant at which the trace begins. [s since epoch]
    speed : float     Seconds of the trace per second of the clock. [1]
    horizon : float   How far the forecast looks ahead, by the clock. [s]
    """

    def __init__(
        self, layout: Layout, model: LoadModel, start: float, speed: float, horizon: float = HORIZON
    ) -> None:
        self._model = model
        self._ratings = rack_ratings(layout)
        self._movable = {spec.id: spec.movable for spec in model.workloads}
        self._ids = tuple(self._movable)
        self._start, self._speed, self._horizon = start, speed, horizon
        self._forecast_period = min(FORECAST_PERIOD, horizon / 2.0)
        self._forecast: tuple[float, dict[str, float]] = (-np.inf, {})

    def placement(self) -> Mapping[str, str]:
        """Return where every workload starts: id -> rack."""
        return self._model.placement

    def movable(self, id: str) -> bool:
        """Say whether a workload can be moved."""
        return self._movable[id]

    def demand(self, now: float) -> dict[str, float]:
        """Return the power every workload asks for. [W]."""
        values = self._model.demands(np.array([self._trace_time(now)]))[0]
        return dict(zip(self._ids, values.tolist(), strict=True))

    def demand_ahead(self, now: float) -> dict[str, float]:
        """Return the forecast of the same over the horizon, renewed every 15 s or twice in it. [W]."""
        made, forecast = self._forecast
        if not made <= now < made + self._forecast_period:
            forecast = self._model.demands_ahead(self._trace_time(now), self._horizon * self._speed)
            self._forecast = (now, forecast)
        return forecast

    def idle_power(self, rack: str) -> float:
        """Return what a rack draws without workloads. [W]."""
        return self._model.idle_power(rack)

    def rating(self, rack: str) -> float:
        """Return the most a rack may draw. [W]."""
        return self._ratings[rack]

    def racks(self) -> tuple[str, ...]:
        """Return the racks."""
        return tuple(self._ratings)

    def _trace_time(self, now: float) -> float:
        return max(0.0, now - self._start) * self._speed


class Plant:
    """Everything of the plant but the event loop.

    Parameters
    ----------
    layout : Layout
    state : Path          State folder with the agents' configurations.
    load_model : LoadModel
    speed : float         Simulated seconds per second of the clock. [1]
    seed : int            Of perturbation and sensors.
    cell : float, optional   Target cell size. [m]
    horizon : float       How far the forecast of the workloads looks ahead. [s]
    clock : callable      Seconds since the epoch.
    """

    def __init__(
        self,
        layout: Layout,
        state: Path,
        load_model: LoadModel,
        *,
        speed: float = 1.0,
        seed: int = 0,
        cell: float | None = None,
        horizon: float = HORIZON,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.speed = speed
        self._clock = clock
        self._checkpoint = state / "plant.npz"
        agents = read_agents(state)
        if not agents:
            raise InputError(
                f"emulated plant ({state}): no agents are configured. Start it with 'racklet run'."
            )
        self.address = (agents[0].device.host, agents[0].device.port)
        self.devices = [EmulatedDevice(agent.device.id, agent.points, self._write) for agent in agents]
        digest = load_digest(layout, load_model.trace, speed, seed)
        start = trace_start(state / "plant.json", digest, clock())
        load = TraceLoad(layout, load_model, start, speed, horizon)
        self.platform = EmulatedPlatform(state / "platform.json", load, clock)
        self.model = PlantModel(layout, seed, cell)
        self._points = [point.point for device in self.devices for point in device.points]
        self._sensors = SensorBank(self._points, seed)
        self._ratings = rack_ratings(layout)
        self._saved = clock()
        self._now = self._begin()
        self.step()  # all kernels are there before anybody asks, and before a signal has to wait for one

    def step(self) -> None:
        """Bring the physics up to the clock and let the sensors sample.

        A plant that was away or cannot keep up catches up by steps of at most `LONGEST_STEP`; what is more
        than `LONGEST_LAG` is skipped, and said.

        Raises
        ------
        NotConvergedError : the solver failed. The checkpoint is gone then, for it may be what led there: the
            plant that is started next begins settled.
        """
        now = self._clock()
        lag = now - self._now
        if lag > LONGEST_LAG or lag < 0:
            log.warning("the plant skips %.1f s to be in step with the clock again", lag)
            self._now, lag = now - PERIOD, PERIOD
        step = min(lag, LONGEST_STEP)
        try:
            self.model.advance(step * self.speed, self._power(now))
        except NotConvergedError:
            self._forget()
            raise
        self._now += step

    def measure(self) -> None:
        """Let the sensors sample the truth and show it in the devices' registers."""
        truth = self.model.truth()
        now = self._clock()
        self._sensors.sample(now, np.array([truth.get(point, np.nan) for point in self._points]))
        sensors = self._sensors
        shown = zip(sensors.value.tolist(), sensors.measured.tolist(), sensors.status.tolist(), strict=True)
        for device in self.devices:
            for point in device.points:
                device.update(point.point, *next(shown))

    def save_when_due(self) -> None:
        """Write the checkpoint when it is time for one."""
        if not 0 <= self._clock() - self._saved < CHECKPOINT_PERIOD:
            self.save()

    def save(self) -> None:
        """Write the checkpoint; a disk that refuses it is logged, the plant goes on."""
        self._saved = self._clock()
        buffer = io.BytesIO()
        np.savez(buffer, wall=np.float64(self._now), **self.model.dump())
        try:
            write_atomically(self._checkpoint, lambda file: file.write(buffer.getvalue()))
        except OutsideError as error:
            log.warning("plant checkpoint: %s", error)

    def _write(self, point: str, value: float) -> bool:
        return self.model.write(point, value)

    def _power(self, now: float) -> dict[str, float]:
        """Return what the racks draw: their workloads' demand, capped at the rating. [W]."""
        return {
            rack: min(power, self._ratings[rack]) for rack, power in self.platform.rack_power(now).items()
        }

    def _begin(self) -> float:
        now = self._clock()
        try:
            with self._checkpoint.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            age = now - float(arrays.pop("wall"))
        except FileNotFoundError:
            age, arrays = np.inf, {}
        except UNREADABLE as error:
            log.warning("plant checkpoint (%s) is of no use: %s", self._checkpoint, error)
            age, arrays = np.inf, {}
        if 0 <= age < CHECKPOINT_VALID and self.model.load(arrays):
            log.info("plant: %d cells, goes on from %.0f s ago", self.model.cells, age)
            return now - age if age < LONGEST_LAG else now
        self.model.settle(self._power(now))
        log.info("plant: %d cells, begins settled", self.model.cells)
        return self._clock()

    def _forget(self) -> None:
        try:
            self._checkpoint.unlink(missing_ok=True)
        except OSError as error:
            log.warning("plant checkpoint (%s) cannot be removed: %s", self._checkpoint, error)


def make_load(layout: Layout, trace: str | Path | None, seed: int) -> LoadModel:
    """Make what drives the racks from a recording, or from a generated one; `racklet run` shows the same.

    Parameters
    ----------
    layout : Layout
    trace : path, optional
        Recording; a generated one without it.
    seed : int
        Of the trace and of the workloads.

    Raises
    ------
    InputError : the recording is wrong.
    """
    recording = read_trace(trace, layout, seed=seed) if trace else generated_trace(layout, seed)
    return LoadModel(layout, recording, seed)


def run_plant(
    layout_path: str | Path,
    state_dir: str | Path,
    trace: str | Path | None = None,
    speed: float = 1.0,
    seed: int = 0,
    *,
    overrides: Sequence[str] = (),
    cell: float | None = None,
    horizon: float = HORIZON,
) -> None:
    """Run the emulated plant until SIGTERM or SIGINT, on one thread.

    Start it with ``NUMBA_NUM_THREADS=1`` in the environment, so that no thread pool is made at all.

    Parameters
    ----------
    layout_path : path
    state_dir : path
        State folder; `hardware_sync.agent.deploy.write_configs` was there before.
    trace : path, optional
        Recording that drives the racks; a generated one without it.
    speed : float
        Simulated seconds per second of the clock. [1]
    seed : int
        Of trace, workloads, perturbation and sensors.
    overrides : sequence of str
        ``path=value`` for the layout.
    cell : float, optional
        Target cell size; 1.6 times the layout's without it. [m]
    horizon : float
        How far the forecast of the workloads looks ahead: until the next allocation. [s]

    Raises
    ------
    InputError : layout or trace is wrong, or no agents are configured.
    OutsideError : port or socket taken, state folder not writable.
    NotConvergedError : the solver failed.
    """
    numba.set_num_threads(1)
    layout = load_layout(layout_path, overrides)
    plant = Plant(
        layout,
        Path(state_dir),
        make_load(layout, trace, seed),
        speed=speed,
        seed=seed,
        cell=cell,
        horizon=horizon,
    )
    asyncio.run(_serve(plant, Path(state_dir)))


async def _serve(plant: Plant, state: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    plant.measure()
    devices = await serve_devices(*plant.address, plant.devices)
    platform = await serve_platform(plant.platform, state / SOCKET)
    log.info("plant serves %d devices on %s:%d", len(plant.devices), *plant.address)
    settling = asyncio.create_task(_settle_forever(plant))
    try:
        while not stop.is_set():
            begun = loop.time()
            await asyncio.to_thread(plant.step)
            plant.measure()
            await asyncio.to_thread(plant.save_when_due)
            try:
                await asyncio.wait_for(stop.wait(), max(0.0, PERIOD - (loop.time() - begun)))
            except TimeoutError:
                continue
    finally:
        settling.cancel()
        platform.close()
        await devices.shutdown()
    plant.save()  # in good order alone: what ended with an error must not be gone on from


async def _settle_forever(plant: Plant) -> None:
    while True:
        try:
            plant.platform.settle()
        except OutsideError as error:
            log.warning("%s", error)
        await asyncio.sleep(0.2)


def load_digest(layout: Layout, trace: Trace, speed: float, seed: int) -> str:
    """Return what tells one course of the load from another: room, recording, speed and seed."""
    digest = hashlib.sha256()
    for part in (layout.model_dump_json(), trace.source, f"{speed!r} {seed}"):
        digest.update(part.encode() + b"\0")
    for array in (trace.time, trace.power):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def trace_start(path: Path, digest: str, now: float) -> float:
    """Return when the trace began: kept in a file, so that a restart does not begin it again.

    Parameters
    ----------
    path : Path
    digest : str     See `load_digest`; the trace begins anew when it is another one than before.
    now : float      [s since epoch]

    Raises
    ------
    OutsideError : the file cannot be written.
    """
    stored = read_json(path)
    if isinstance(stored, dict) and stored.get("load") == digest:
        start = stored.get("trace_start")
        if isinstance(start, int | float) and start <= now:
            return float(start)
    log.info("the trace begins now")
    write_json(path, {"trace_start": now, "load": digest})
    return now
