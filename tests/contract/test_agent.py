"""An agent with a real Modbus server behind it and a real mesh before it."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from hardware_sync.adapters.modbus import DeviceAddress, DeviceError, ModbusDevice
from hardware_sync.agent.agent import Note
from hardware_sync.agent.config import AgentConfig
from hardware_sync.guard import WriteLimit
from hardware_sync.points import DevicePoint
from twin.errors import InputError
from twin.ports import Quality


def read_once(device: ModbusDevice):
    async def read():
        try:
            return await device.read()
        finally:
            device.close()
            await asyncio.sleep(0)

    return asyncio.run(read())


def test_a_device_is_read_with_value_time_and_quality(lab):
    devices = lab.start_devices()
    now = time.time()
    devices.by_name["K02"].update("K02.pump_speed", 0.25, now - 3.0, status=1)
    devices.by_name["K02"].update("K02.state", 2.0, now, status=2)
    config = lab.config("K02")
    readings = {r.point: r for r in read_once(ModbusDevice(config.device, config.points))}
    assert readings["R02.power"].value == 5001.0
    assert readings["R02.power"].quality is Quality.GOOD
    assert readings["K02.pump_speed"].value == 0.25
    assert readings["K02.pump_speed"].quality is Quality.UNCERTAIN
    assert readings["K02.pump_speed"].time == pytest.approx(now - 3.0, abs=0.02)
    assert readings["K02.state"].quality is Quality.BAD


def test_scale_and_offset_apply_to_reads_and_writes(lab):
    devices = lab.start_devices()
    mapped = lab.config("K01").points[0]
    percent = replace(mapped, scale=100.0, offset=-10.0)

    async def use():
        device = ModbusDevice(DeviceAddress("127.0.0.1", devices.port, 1), [percent])
        try:
            (reading,) = await device.read()
            await device.write("K01.fan_speed", 60.0)
        finally:
            device.close()
            await asyncio.sleep(0)
        return reading

    assert asyncio.run(use()).value == pytest.approx(0.6 * 100 - 10, abs=1e-4)
    assert devices.written["K01.fan_speed"] == pytest.approx(0.7, abs=1e-6)


@pytest.mark.parametrize("point", [DevicePoint("K01.x", 500), DevicePoint("K01.x", 65534)])
def test_an_address_the_device_does_not_have_is_said(lab, point):
    devices = lab.start_devices()
    device = ModbusDevice(DeviceAddress("127.0.0.1", devices.port, 1), [point])
    with pytest.raises(DeviceError, match=f"register {point.register}"):
        read_once(device)


def test_a_device_that_is_not_there_is_said(lab):
    config = lab.config("K01")
    with pytest.raises(DeviceError, match=f"127.0.0.1:{lab.devices.port}"):
        read_once(ModbusDevice(config.device, config.points))


def test_a_write_to_a_measured_register_is_refused(lab):
    devices = lab.start_devices()
    config = lab.config("K01")
    forged = replace(config.points[3], write_register=config.points[3].register)

    async def write():
        device = ModbusDevice(config.device, [forged])
        try:
            await device.write(forged.point, 1.0)
        finally:
            device.close()
            await asyncio.sleep(0)

    with pytest.raises(DeviceError, match="refuses"):
        asyncio.run(write())
    assert devices.written == {}


def test_an_agent_outlives_its_device_and_says_so_once(lab, eventually, caplog):
    devices = lab.start_devices()
    lab.start_agent("K01")
    twin = lab.join_twin()
    seen: dict[str, Quality] = {}

    def quality(wanted: Quality) -> bool:
        seen.update((reading.point, reading.quality) for reading in twin.telemetry.drain())
        return seen.get("R01.power") is wanted

    with caplog.at_level(logging.INFO, logger="hardware_sync.agent.agent"):
        eventually(lambda: quality(Quality.GOOD))
        devices.stop()
        eventually(lambda: quality(Quality.BAD))
        sequence = twin.telemetry.links()["K01"].sequence
        eventually(lambda: twin.telemetry.links()["K01"].sequence > sequence + 3)
        devices.start()
        eventually(lambda: quality(Quality.GOOD))
    said = [record.getMessage() for record in caplog.records]
    assert sum("readings are bad until it answers" in text for text in said) == 1
    assert sum("answers again" in text for text in said) == 1


def test_a_command_while_the_device_is_gone_fails_and_can_be_repeated(lab, eventually, command):
    devices = lab.start_devices()
    lab.start_agent("K01")
    twin = lab.join_twin()
    eventually(lambda: "K01" in twin.telemetry.alive())
    devices.stop()
    asked = command("K01.fan_speed", 0.9)
    (result,) = twin.actuator.write([asked])
    assert not result.accepted
    assert "device 1 at 127.0.0.1" in result.message
    devices.start()

    def repeated() -> bool:
        return twin.actuator.write([asked])[0].accepted

    eventually(repeated)
    assert devices.written["K01.fan_speed"] == pytest.approx(0.9, abs=1e-6)


def test_an_agent_that_can_no_longer_obey_ends_with_a_trace(lab, eventually, command, capfd):
    lab.start_devices()
    config = lab.config("K01")
    tiny = replace(config.points[0], scale=1e-40)  # no float32 holds what this asks to be written
    path = lab.folder / "K01.json"
    replace(config, points=(tiny, *config.points[1:])).save(path)
    process = lab.spawn(path)
    twin = lab.join_twin()
    eventually(lambda: "K01" in twin.telemetry.alive())
    (result,) = twin.actuator.write([command(tiny.point, 0.9, lifetime=1.0)])
    assert not result.accepted
    assert process.wait(5) == 1
    said = capfd.readouterr().err
    assert "Traceback" in said
    assert "OverflowError" in said
    eventually(lambda: not twin.telemetry.alive())


def test_silence_of_the_twin_in_charge_means_fail_safe_until_it_returns(lab, eventually):
    devices = lab.start_devices()
    lab.start_agent("K01", silence=0.5, period=0.05)
    twin = lab.join_twin()
    eventually(lambda: "K01" in twin.telemetry.alive())

    def beat_until(condition) -> None:
        def step() -> bool:
            twin.actuator.heartbeat("auto")
            return condition()

        eventually(step)

    beat_until(lambda: twin.telemetry.links().get("K01") and twin.telemetry.links()["K01"].received > 5)
    assert devices.written == {}
    eventually(lambda: devices.written.get("K01.fan_speed") == devices.written.get("K01.pump_speed") == 1.0)
    shown: dict[str, float] = {}

    def state(wanted: float) -> bool:
        shown.update((reading.point, reading.value) for reading in twin.telemetry.drain())
        return shown.get("K01.state") == wanted

    eventually(lambda: state(4.0))
    beat_until(lambda: devices.written["K01.fan_speed"] < 0.7 and devices.written["K01.pump_speed"] < 0.7)
    assert devices.written["K01.fan_speed"] == pytest.approx(0.6, abs=1e-6)
    assert devices.written["K01.pump_speed"] == pytest.approx(0.5, abs=1e-6)
    beat_until(lambda: state(1.0))


def test_a_twin_that_only_watches_or_leaves_in_order_is_not_missed(lab, eventually):
    devices = lab.start_devices()
    lab.start_agent("K01", silence=0.3, period=0.05)
    twin = lab.join_twin()
    eventually(lambda: "K01" in twin.telemetry.alive())
    twin.actuator.heartbeat("auto")
    twin.close()
    again = lab.join_twin()
    eventually(lambda: "K01" in again.telemetry.links())
    again.actuator.heartbeat("advise")
    received = again.telemetry.links()["K01"].received
    eventually(lambda: again.telemetry.links()["K01"].received > received + 20)
    assert devices.written == {}


def test_an_agent_restarted_in_fail_safe_gives_the_settings_back_on_the_twins_return(lab, eventually):
    devices = lab.start_devices()
    agent = lab.start_agent("K01", silence=0.5, period=0.05)
    twin = lab.join_twin()

    def beat_until(condition) -> None:
        def step() -> bool:
            twin.actuator.heartbeat("auto")
            return condition()

        eventually(step)

    beat_until(lambda: twin.telemetry.links().get("K01") and twin.telemetry.links()["K01"].received > 5)
    eventually(lambda: devices.written.get("K01.fan_speed") == devices.written.get("K01.pump_speed") == 1.0)
    agent.stop()
    devices.by_name["K01"].update("K01.fan_speed", 0.3, time.time())
    lab.start_agent("K01", silence=0.5, period=0.05)
    shown: dict[str, float] = {}

    def show() -> dict[str, float]:
        shown.update((reading.point, reading.value) for reading in twin.telemetry.drain())
        return shown

    eventually(lambda: show().get("K01.fan_speed") == 1.0 and shown["K01.state"] == 4.0)
    beat_until(lambda: devices.written["K01.fan_speed"] < 0.7 and devices.written["K01.pump_speed"] < 0.7)
    assert devices.written == pytest.approx({"K01.fan_speed": 0.6, "K01.pump_speed": 0.5}, abs=1e-6)


@pytest.mark.parametrize(("mode", "missed"), [("auto", True), ("advise", False), ("released", False)])
def test_an_agent_restarted_without_a_twin_misses_the_one_that_was_in_charge(lab, eventually, mode, missed):
    devices = lab.start_devices()
    agent = lab.start_agent("K01", silence=3.0, period=0.05)
    twin = lab.join_twin()
    eventually(lambda: "K01" in twin.telemetry.alive())
    note = lab.folder / "memory" / "K01.json"

    def noted(in_charge: bool) -> bool:
        return note.exists() and json.loads(note.read_text())["in_charge"] is in_charge

    twin.actuator.heartbeat("auto")
    eventually(lambda: noted(True))
    twin.actuator.heartbeat(mode)
    eventually(lambda: noted(missed))
    agent.stop()
    lab.start_agent("K01", silence=0.3, period=0.05)
    received = twin.telemetry.links()["K01"].received
    eventually(lambda: twin.telemetry.links()["K01"].received > received + 20)
    assert bool(devices.written) is missed


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"in_charge": 1, "silent": "x", "before": [1]}', '{"before": {"K01.fan_speed": 9}}'],
)
def test_a_broken_memory_says_nothing(tmp_path, content):
    path = tmp_path / "K01.json"
    path.write_text(content)
    assert Note.load(path, {"K01.fan_speed": WriteLimit("K01.fan_speed", 0.2, 1.0, 0.5, 0.05)}) == Note()


def test_an_agent_keeps_out_heavy_imports():
    code = "import sys, hardware_sync.agent.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    heavy = {"numba", "pandas", "numpy", "pydantic", "scipy", "typer", "sqlalchemy", "twin.model.schema"}
    assert heavy.isdisjoint(done.stdout.split())


def test_a_configuration_survives_writing_and_reading(lab):
    config = lab.config("K01")
    path = lab.folder / "K01.json"
    config.save(path)
    assert AgentConfig.load(path) == config


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"period": 0.1', '"period": 0', "period"),
        ('"seeds"', '"seed"', "seeds"),
        ('"role": "racklet"', '"role": "king"', "king"),
        ('"register": 12', '"register": 8', "already used by 'K01.fan_speed'"),
        ('"scale": 1.0', '"scale": 0', "must not be 0"),
        ('"K01.fan_speed": 1.0', '"K01.state": 1.0', "K01.state is not writable"),
        ("{", "", "not JSON"),
    ],
)
def test_a_wrong_configuration_names_file_and_fault(lab, old, new, said):
    path = lab.folder / "K01.json"
    lab.config("K01").save(path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        AgentConfig.load(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_bad_configuration_ends_with_exit_code_2(tmp_path):
    path = tmp_path / "missing.json"
    done = subprocess.run(
        [sys.executable, "-m", "hardware_sync.agent", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert str(path) in done.stderr
    assert "Traceback" not in done.stderr
