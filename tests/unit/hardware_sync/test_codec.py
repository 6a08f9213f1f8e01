from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware_sync import codec
from hardware_sync.codec import CodecError, Heartbeat, TelemetryMessage
from twin.ports import Command, CommandResult, Quality, Reading

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

number = st.floats(allow_nan=False, allow_infinity=False)
time = st.floats(0, 4e9).map(lambda t: round(t, 4))
reading = st.builds(Reading, st.text(), number, time, st.sampled_from(Quality))


@given(
    st.builds(TelemetryMessage, st.text(), st.integers(), st.integers(), number, st.lists(reading).map(tuple))
)
def test_telemetry_survives_the_way(message):
    assert codec.decode_telemetry(codec.encode_telemetry(message)) == message


@given(st.builds(Command, st.text(), st.text(), number, st.text(), number, number))
def test_commands_survive_the_way(command):
    assert codec.decode_command(codec.encode_command(command)) == command


@given(st.builds(CommandResult, st.text(), st.booleans(), st.text()))
def test_results_survive_the_way(result):
    assert codec.decode_result(codec.encode_result(result)) == result


def test_heartbeats_survive_the_way():
    assert codec.decode_heartbeat(codec.encode_heartbeat(Heartbeat("auto", 1.5))) == Heartbeat("auto", 1.5)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_no_number_travels_as_null(value):
    message = TelemetryMessage("K01", 1, 2, 3.0, (Reading("K01.x", value, 3.0, Quality.BAD),))
    payload = codec.encode_telemetry(message)
    assert json.loads(payload)["readings"][0][1] is None
    assert math.isnan(codec.decode_telemetry(payload).readings[0].value)


@given(st.binary())
def test_noise_is_refused_and_nothing_else_is_raised(payload):
    for decode in (codec.decode_telemetry, codec.decode_command, codec.decode_result, codec.decode_heartbeat):
        with pytest.raises(CodecError):
            decode(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"id":"a","point":"p","value":true,"reason":"","issued":0,"expires":1}',
        b'{"id":"a","point":"p","value":NaN,"reason":"","issued":0,"expires":1}',
        b'{"id":"a","point":"p","value":1e999,"reason":"","issued":0,"expires":1}',
        b'{"id":"a","point":"p","value":"1","reason":"","issued":0,"expires":1}',
        b'{"id":7,"point":"p","value":1,"reason":"","issued":0,"expires":1}',
        b'{"id":"a","point":"p","value":1,"reason":"","issued":0}',
        b"[" * 100_000,
        b" " * (codec.MAXIMUM_SIZE + 1),
    ],
)
def test_half_right_commands_are_refused(payload):
    with pytest.raises(CodecError):
        codec.decode_command(payload)


def test_a_reading_of_unknown_quality_spoils_the_message():
    payload = b'{"agent":"K01","run":1,"sequence":2,"time":3,"readings":[["p",1,2,"fine"]]}'
    with pytest.raises(CodecError, match="fine"):
        codec.decode_telemetry(payload)


def test_a_racklets_message_is_small():
    readings = tuple(Reading(f"K01.quantity_{k}.place", 123.456, 1.79e9 + k) for k in range(18))
    assert len(codec.encode_telemetry(TelemetryMessage("K01", 1, 2, 1.79e9, readings))) < 1400
