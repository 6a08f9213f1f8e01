"""Modbus TCP server that emulated hardware answers with: values, their age and status, set points.

Registers of a device: its clock (float64) in 0..3, then four per point from 8 on (value as float32, age in
10 ms, status), and the set points as float32 pairs from 2000 on, in the order of the writable points.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable, Iterable, Mapping

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from hardware_sync.adapters.modbus import AGE_UNIT, CLOCK_WORDS, DeviceError
from hardware_sync.guard import WriteLimit
from hardware_sync.points import DevicePoint

CLOCK = 0
FIRST = 8
SET_POINTS = 2000


def emulated_points(names: Iterable[str], limits: Mapping[str, WriteLimit]) -> tuple[DevicePoint, ...]:
    """Lay points out in registers; those with a limit are writable."""
    points = []
    writable = 0
    for index, name in enumerate(names):
        first = FIRST + 4 * index
        limit = limits.get(name)
        points.append(
            DevicePoint(
                name,
                first,
                age_register=first + 2,
                status_register=first + 3,
                write_register=SET_POINTS + 2 * writable if limit else None,
                limit=limit,
            )
        )
        writable += limit is not None
    return tuple(points)


class EmulatedDevice:
    """The registers of one emulated device; the server renders them when they are read.

    Parameters
    ----------
    id : int
        Modbus device id.
    points : iterable of DevicePoint
        As `emulated_points` lays them out.
    on_write : callable
        ``on_write(point, value) -> bool``, called for every set point that arrives; False refuses it.
    """

    def __init__(
        self,
        id: int,
        points: Iterable[DevicePoint],
        on_write: Callable[[str, float], bool],
    ) -> None:
        self.id = id
        self.points = tuple(points)
        self._on_write = on_write
        self._values: dict[str, tuple[float, float, int]] = {}
        self._set_points = {
            point.write_register: point for point in self.points if point.write_register is not None
        }

    def update(self, point: str, value: float, measured: float, status: int = 0) -> None:
        """Set what a point reads from now on: raw value in the point's unit, time of measurement, status."""
        self._values[point] = (value, measured, status)

    def render(self, registers: list[int], start: int, now: float) -> None:
        """Write clock, values, ages and states into the registers, which begin at address `start`."""
        registers[0 - start : CLOCK_WORDS - start] = struct.unpack(">4H", struct.pack(">d", now))
        for point in self.points:
            value, measured, status = self._values.get(point.point, (math.nan, now, 2))
            raw = (value - point.offset) / point.scale
            age = min(65535, max(0, round((now - measured) / AGE_UNIT)))
            first = point.register - start
            registers[first : first + 4] = struct.unpack(">4H", struct.pack(">fHH", raw, age, status))

    def accept(self, address: int, words: list[int]) -> bool:
        """Take set points from a write request; False, and nothing taken, where one is wrong."""
        taken: list[tuple[str, float]] = []
        if len(words) % 2:
            return False
        for k in range(0, len(words), 2):
            point = self._set_points.get(address + k)
            if point is None:
                return False
            (raw,) = struct.unpack(">f", struct.pack(">2H", words[k], words[k + 1]))
            if not math.isfinite(raw):
                return False
            taken.append((point.point, raw * point.scale + point.offset))
        refused = [point for point, value in taken if not self._on_write(point, value)]
        return not refused


async def serve_devices(
    host: str, port: int, devices: Iterable[EmulatedDevice], clock: Callable[[], float] = time.time
):
    """Start a Modbus TCP server for emulated devices in the running event loop and return it.

    Stop it with ``await server.shutdown()``.

    Raises
    ------
    DeviceError : the port is taken.
    """
    server = ModbusTcpServer([_sim_device(device, clock) for device in devices], address=(host, port))
    try:
        await server.serve_forever(background=True)
    except RuntimeError as error:
        raise DeviceError(
            f"Modbus server: port {host}:{port} is taken. Stop its owner or choose another."
        ) from error
    return server


def _sim_device(device: EmulatedDevice, clock: Callable[[], float]):
    last = max(point.register + 4 for point in device.points)
    writable = [point.write_register for point in device.points if point.write_register is not None]
    blocks = [SimData(0, count=last, values=0, datatype=DataType.REGISTERS, readonly=True)]
    if writable:
        first = min(writable)
        count = max(writable) + 2 - first
        blocks.append(SimData(first, count=count, values=0, datatype=DataType.REGISTERS))

    async def action(function, start, address, count, registers, words):
        if words is None:
            device.render(registers, start, clock())
        elif not device.accept(address, list(words)):
            return ExcCodes.ILLEGAL_VALUE
        return None

    return SimDevice(id=device.id, simdata=blocks, action=action)
