"""What travels on the mesh: compact JSON, strict both ways.

Telemetry of one agent, one message a period::

    {"agent": "K01", "run": 81213, "sequence": 7, "time": 1790000000.25,
     "readings": [["R01.power", 5210.5, 1790000000.1, "good"], ...]}

``run`` is drawn at the agent's start and ``sequence`` counts from 0 in it, so a listener can tell a lost
message from a restart. A value that is not a number travels as ``null`` and is bad. Anything else is
refused with `CodecError`: it is never half-used.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from twin.errors import OutsideError
from twin.ports import Command, CommandResult, Quality, Reading

MAXIMUM_SIZE = 256 * 1024


class CodecError(OutsideError):
    """A message from the mesh is not what it should be."""


@dataclass(frozen=True, slots=True)
class TelemetryMessage:
    """The readings of one agent's period."""

    agent: str
    run: int
    sequence: int
    time: float
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The twin is there and in charge (``auto``) or only watching (``advise``)."""

    mode: str
    time: float


def encode_telemetry(message: TelemetryMessage) -> bytes:
    """Encode the readings of one period."""
    readings = [
        [reading.point, _finite(reading.value), round(reading.time, 4), str(reading.quality)]
        for reading in message.readings
    ]
    return _dump(
        {
            "agent": message.agent,
            "run": message.run,
            "sequence": message.sequence,
            "time": message.time,
            "readings": readings,
        }
    )


def decode_telemetry(payload: bytes) -> TelemetryMessage:
    """Decode the readings of one period.

    Raises
    ------
    CodecError : not a telemetry message.
    """
    data = _load(payload, "telemetry")
    try:
        readings = tuple(
            Reading(_text(point), _number_or_nan(value), _number(time), Quality(quality))
            for point, value, time, quality in data["readings"]
        )
        return TelemetryMessage(
            _text(data["agent"]),
            _integer(data["run"]),
            _integer(data["sequence"]),
            _number(data["time"]),
            readings,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CodecError(f"telemetry message: {error!r}") from error


def encode_command(command: Command) -> bytes:
    """Encode a command."""
    return _dump(asdict(command))


def decode_command(payload: bytes) -> Command:
    """Decode a command.

    Raises
    ------
    CodecError : not a command.
    """
    data = _load(payload, "command")
    try:
        return Command(
            id=_text(data["id"]),
            point=_text(data["point"]),
            value=_number(data["value"]),
            reason=_text(data["reason"]),
            issued=_number(data["issued"]),
            expires=_number(data["expires"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CodecError(f"command message: {error!r}") from error


def encode_result(result: CommandResult) -> bytes:
    """Encode what became of a command."""
    return _dump(asdict(result))


def decode_result(payload: bytes) -> CommandResult:
    """Decode what became of a command.

    Raises
    ------
    CodecError : not a command result.
    """
    data = _load(payload, "result")
    try:
        if not isinstance(data["accepted"], bool):
            raise TypeError("accepted is not true or false")
        return CommandResult(_text(data["id"]), data["accepted"], _text(data["message"]))
    except (KeyError, TypeError) as error:
        raise CodecError(f"result message: {error!r}") from error


def encode_heartbeat(heartbeat: Heartbeat) -> bytes:
    """Encode a heartbeat."""
    return _dump(asdict(heartbeat))


def decode_heartbeat(payload: bytes) -> Heartbeat:
    """Decode a heartbeat.

    Raises
    ------
    CodecError : not a heartbeat.
    """
    data = _load(payload, "heartbeat")
    try:
        return Heartbeat(_text(data["mode"]), _number(data["time"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CodecError(f"heartbeat message: {error!r}") from error


def _dump(data: dict[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":"), allow_nan=False).encode()


def _load(payload: bytes, kind: str) -> dict[str, Any]:
    if len(payload) > MAXIMUM_SIZE:
        raise CodecError(f"{kind} message: {len(payload)} bytes; at most {MAXIMUM_SIZE} are read")
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise CodecError(f"{kind} message: not JSON: {error}") from error
    if not isinstance(data, dict):
        raise CodecError(f"{kind} message: not an object")
    return data


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not finite")
    return number


def _number_or_nan(value: object) -> float:
    return math.nan if value is None else _number(value)


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is not an integer")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value
