"""The emulated plant as a process: read and written over Modbus, killed and back."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import pytest

from hardware_sync.adapters.modbus import DeviceError, ModbusDevice
from hardware_sync.agent.config import AgentRole
from hardware_sync.agent.deploy import write_configs
from hardware_sync.agent.panel import main as panel
from hardware_sync.platforms.simulated import SimulatedPlatform
from twin.model.load import example_layout, load_layout
from twin.ports import Quality

PLANT = """
import sys
from hardware_sync.agent.plant import run_plant
run_plant(*sys.argv[1:3], cell=float(sys.argv[3]) if sys.argv[3:] else None)
"""
PATIENCE = 180.0
"""Kernels may have to be compiled first. [s]"""


def plant_of(name, state, *cell):
    """Configure the agents of a layout; yields what starts its plant, and them."""
    path = example_layout(name)
    agents = write_configs(load_layout(path), state)
    processes = []

    def start() -> subprocess.Popen[bytes]:
        environment = {**os.environ, "NUMBA_NUM_THREADS": "1"}
        command = [sys.executable, "-c", PLANT, str(path), str(state), *cell]
        process = subprocess.Popen(command, env=environment)
        processes.append(process)
        return process

    yield start, agents
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def plant(tmp_path):
    yield from plant_of("one_rack", tmp_path)


@pytest.fixture
def liquid_plant(tmp_path):
    """A row on a coolant loop, its air on large cells."""
    yield from plant_of("liquid_row", tmp_path, "0.32")


def use(config, work):
    """Do something with a device in an event loop of its own."""

    async def within():
        device = ModbusDevice(config.device, config.points)
        try:
            return await work(device)
        finally:
            device.close()
            await asyncio.sleep(0)

    return asyncio.run(within())


def read(config):
    return {r.point: r for r in use(config, lambda device: device.read())}


def answers(config) -> bool:
    try:
        return read(config)["R01.power"].quality is Quality.GOOD
    except DeviceError:
        return False


def test_the_plant_lives_obeys_and_survives_a_kill(plant, eventually, tmp_path):
    start, agents = plant
    racklet, gateway = agents[0], agents[-1]
    process = start()
    eventually(lambda: process.poll() is not None or answers(racklet), PATIENCE, "the plant answers")
    assert process.poll() is None
    first = read(racklet) | read(gateway)
    assert set(first) == {point.point for agent in agents for point in agent.points}
    eventually(lambda: all(r.quality is Quality.GOOD for r in read(racklet).values()), 30.0)
    assert first["R01.power"].value > 500.0
    assert 10.0 < first["R01.inlet_temperature.middle"].value < 40.0
    assert first["R01.outlet_temperature"].value > first["R01.inlet_temperature.middle"].value
    assert first["C1.return_temperature"].value > first["C1.supply_temperature"].value

    nominal = first["K01.fan_speed"].value
    use(racklet, lambda device: device.write("K01.fan_speed", 1.0))
    eventually(lambda: read(racklet)["K01.fan_speed"].value > 0.95, 30.0)
    flow = first["R01.air_flow"].value / nominal
    eventually(lambda: read(racklet)["R01.air_flow"].value == pytest.approx(flow, rel=0.15), 30.0)
    now = read(racklet)
    assert -0.5 < time.time() - now["R01.power"].time < 10.0

    workloads = SimulatedPlatform(tmp_path).workloads()
    assert sum(workload.demand for workload in workloads) < now["R01.power"].value
    eventually((tmp_path / "plant.npz").exists, 30.0)
    written = (tmp_path / "plant.npz").stat().st_mtime_ns
    eventually(lambda: (tmp_path / "plant.npz").stat().st_mtime_ns > written, 30.0)

    process.kill()
    process.wait()
    again = start()
    eventually(lambda: again.poll() is not None or answers(racklet), PATIENCE, "the plant is back")
    back = read(racklet)
    assert back["K01.fan_speed"].value > 0.95
    assert back["R01.inlet_temperature.middle"].value == pytest.approx(
        now["R01.inlet_temperature.middle"].value, abs=3.0
    )
    assert [w.id for w in SimulatedPlatform(tmp_path).workloads()] == [w.id for w in workloads]
    again.terminate()
    assert again.wait(20) == 0


def test_a_cdu_is_a_device_with_pumps_that_can_be_stopped(liquid_plant, eventually, tmp_path):
    start, agents = liquid_plant
    by_name = {agent.name: agent for agent in agents}
    cdu, racklet = by_name["CDU1"], by_name["K01"]
    assert cdu.role is AgentRole.CDU
    process = start()
    eventually(lambda: process.poll() is not None or answers(racklet), PATIENCE, "the plant answers")
    assert process.poll() is None
    eventually(lambda: all(r.quality is Quality.GOOD for r in read(cdu).values()), 30.0)
    first = read(cdu) | read(racklet)
    assert 25.0 < first["CDU1.supply_temperature"].value < first["CDU1.return_temperature"].value < 60.0
    assert first["CDU1.supply_pressure"].value > first["CDU1.return_pressure"].value > 0.0
    assert 0.5 < first["CDU1.level"].value < 1.0
    assert first["B01.coolant_flow"].value == pytest.approx(first["K01.coolant_flow"].value, rel=0.1)
    assert first["B01.chip_temperature"].value > first["B01.return_temperature"].value
    assert "K01.pump_speed" not in first

    assert panel([str(tmp_path), "L1P1.pump_speed", "0"]) == 0
    use(cdu, lambda device: device.write("CDU1.supply_temperature", 33.0))
    # a pump coasts for some seconds; two thirds of the flow remain with one of two
    eventually(lambda: read(cdu)["L1P1.pump_speed"].value < 0.05, 60.0)
    eventually(lambda: read(cdu)["CDU1.coolant_flow"].value < 0.85 * first["CDU1.coolant_flow"].value, 20.0)
    assert read(cdu)["L1P2.pump_speed"].value > 0.7
    eventually(lambda: read(cdu)["CDU1.supply_temperature"].value > 30.5, 90.0)


@pytest.mark.parametrize(
    ("point", "value", "said"),
    [
        ("K01.pump_speed", "0", "Writable: C1.fan_speed"),
        ("L1P1.pump_speed", "1.5", "outside 0 to 1"),
        ("L1P1.pump_speed", "fast", "not a number"),
        ("L1P1.pump_speed", "0", "does not accept connections"),
    ],
)
def test_the_panel_refuses_what_it_cannot_set(liquid_plant, tmp_path, caplog, point, value, said):
    assert panel([str(tmp_path), point, value]) > 0
    assert said in caplog.text
