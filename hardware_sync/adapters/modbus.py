"""Modbus TCP client: reads and writes the points of a device through its point map.

Values are float32 in two registers, high word first. A device may tell the time of a measurement: a device
clock (float64 seconds since the epoch in four registers) and an age per value; without them the time of
the read counts.
"""

from __future__ import annotations

import logging
import math
import struct
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pymodbus import FramerType, ModbusException
from pymodbus.client import AsyncModbusTcpClient

from hardware_sync.points import DevicePoint
from twin.errors import OutsideError
from twin.ports import Quality, Reading

log = logging.getLogger(__name__)

CHUNK = 120
CLOCK_WORDS = 4
AGE_UNIT = 0.01
QUALITY_OF_STATUS = {0: Quality.GOOD, 1: Quality.UNCERTAIN}


class DeviceError(OutsideError):
    """A device does not answer, or refuses."""


@dataclass(frozen=True, slots=True)
class DeviceAddress:
    """Where a device is.

    Attributes
    ----------
    host : str
    port : int
    id : int                     Modbus device (unit) id.
    clock_register : int or None First of four registers with the device's clock, float64. [s since epoch]
    """

    host: str
    port: int
    id: int = 1
    clock_register: int | None = None


class ModbusDevice:
    """One device read and written through its point map. For one task at a time.

    Parameters
    ----------
    address : DeviceAddress
    points : iterable of DevicePoint
    timeout : float
        Of one request, and of connecting. [s]
    """

    def __init__(
        self, address: DeviceAddress, points: Iterable[DevicePoint], *, timeout: float = 0.4
    ) -> None:
        self.address = address
        self.points = tuple(points)
        self._by_name = {point.point: point for point in self.points}
        self._timeout = timeout
        self._client: AsyncModbusTcpClient | None = None
        self._ranges = _ranges(self.points, address.clock_register)

    async def read(self) -> list[Reading]:
        """Read all points, connecting first where needed.

        Raises
        ------
        DeviceError : no answer in time, or an exception answer.
        """
        words: dict[int, int] = {}
        for first, count in self._ranges:
            answer = await self._request("read_holding_registers", first, count=count)
            if len(answer.registers) != count:
                raise self._failure(f"asked for {count} registers, got {len(answer.registers)}")
            words.update(zip(range(first, first + count), answer.registers, strict=True))
        now = time.time()
        if self.address.clock_register is not None:
            now = _float64(words, self.address.clock_register)
        return [_reading(point, words, now) for point in self.points]

    async def write(self, point: str, value: float) -> None:
        """Write the set point of one writable point.

        Raises
        ------
        DeviceError : not writable, no answer in time, or an exception answer.
        """
        mapped = self._by_name.get(point)
        if mapped is None or mapped.write_register is None:
            raise self._failure(f"{point} cannot be written")
        raw = (value - mapped.offset) / mapped.scale
        words = list(struct.unpack(">2H", struct.pack(">f", raw)))
        await self._request("write_registers", mapped.write_register, words)

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def _request(self, method: str, *arguments, **options):
        client = await self._connected()
        try:
            answer = await getattr(client, method)(*arguments, **options, device_id=self.address.id)
        except (ModbusException, OSError, TimeoutError) as error:
            self.close()
            raise self._failure(str(error).removeprefix("Modbus Error: ")) from error
        if answer.isError():
            raise self._failure(f"refuses {method} of register {arguments[0]}: {answer}")
        return answer

    async def _connected(self) -> AsyncModbusTcpClient:
        if self._client is not None and self._client.connected:
            return self._client
        self.close()
        client = AsyncModbusTcpClient(
            self.address.host,
            port=self.address.port,
            framer=FramerType.SOCKET,
            timeout=self._timeout,
            retries=0,
            reconnect_delay=0,
        )
        try:
            connected = await client.connect()
        except (ModbusException, OSError, TimeoutError) as error:
            raise self._failure(str(error)) from error
        if not connected:
            client.close()
            raise self._failure("does not accept connections")
        self._client = client
        return client

    def _failure(self, what: str) -> DeviceError:
        address = self.address
        return DeviceError(f"device {address.id} at {address.host}:{address.port}: {what}")


def _ranges(points: tuple[DevicePoint, ...], clock_register: int | None) -> list[tuple[int, int]]:
    """Cover all registers with the fewest contiguous reads of at most `CHUNK` registers."""
    spans = [(point.register, 2) for point in points]
    spans += [(point.age_register, 1) for point in points if point.age_register is not None]
    spans += [(point.status_register, 1) for point in points if point.status_register is not None]
    if clock_register is not None:
        spans.append((clock_register, CLOCK_WORDS))
    ranges: list[tuple[int, int]] = []
    for first, width in sorted(spans):
        if ranges:
            start, count = ranges[-1]
            if first <= start + count and first + width - start <= CHUNK:
                ranges[-1] = (start, max(count, first + width - start))
                continue
        ranges.append((first, width))
    return ranges


def _reading(point: DevicePoint, words: Mapping[int, int], now: float) -> Reading:
    (raw,) = struct.unpack(">f", struct.pack(">2H", words[point.register], words[point.register + 1]))
    quality = Quality.GOOD
    if point.status_register is not None:
        quality = QUALITY_OF_STATUS.get(words[point.status_register], Quality.BAD)
    if not math.isfinite(raw):
        quality = Quality.BAD
    age = words[point.age_register] * AGE_UNIT if point.age_register is not None else 0.0
    return Reading(point.point, raw * point.scale + point.offset, now - age, quality)


def _float64(words: Mapping[int, int], first: int) -> float:
    packed = struct.pack(">4H", *(words[first + k] for k in range(CLOCK_WORDS)))
    return struct.unpack(">d", packed)[0]
