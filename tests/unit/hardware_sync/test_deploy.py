from __future__ import annotations

import json
import socket

import pytest

from hardware_sync.agent.config import AgentConfig, AgentRole
from hardware_sync.agent.deploy import (
    config_path,
    read_agents,
    twin_config_path,
    write_configs,
    write_limits,
)
from hardware_sync.mesh.topics import Role
from hardware_sync.mesh.twin_side import TwinConfig
from twin.errors import InputError, OutsideError
from twin.model.load import example_layout, load_layout
from twin.units import QUANTITIES


@pytest.fixture(scope="module")
def pod():
    return load_layout(example_layout("pod_two_row"))


@pytest.fixture(scope="module")
def one_rack():
    return load_layout(example_layout("one_rack"))


def test_every_racklet_gets_an_agent_and_the_room_a_gateway(pod, tmp_path):
    agents = write_configs(pod, tmp_path)
    assert [agent.name for agent in agents] == [f"K{k:02}" for k in range(1, 13)] + ["gateway"]
    assert [agent.role for agent in agents] == [AgentRole.RACKLET] * 12 + [AgentRole.GATEWAY]
    assert read_agents(tmp_path) == agents
    assert all(AgentConfig.load(config_path(tmp_path, agent.name)) == agent for agent in agents)
    assert len({agent.listen for agent in agents}) == 13
    assert len(agents[0].seeds) >= 3
    assert {agent.device.port for agent in agents} == {agents[0].device.port}
    assert len({agent.device.id for agent in agents}) == 13


def test_every_point_is_read_by_exactly_one_agent_and_has_a_unit(pod, tmp_path):
    agents = write_configs(pod, tmp_path)
    points = [point.point for agent in agents for point in agent.points]
    assert len(points) == len(set(points))
    assert {
        "R01.power",
        "R12.inlet_temperature.top",
        "K07.pump_speed",
        "C2.fan_speed",
        "plenum.pressure",
    } < set(points)
    assert {point.split(".")[1] for point in points} <= set(QUANTITIES)


def test_the_twin_knows_who_owns_what_may_be_written(pod, tmp_path):
    agents = write_configs(pod, tmp_path)
    config = TwinConfig.load(twin_config_path(tmp_path))
    assert config.peer.role is Role.TWIN
    assert config.peer.agents == tuple(agent.name for agent in agents)
    assert config.owners["K03.fan_speed"] == "K03"
    assert config.owners["C1.supply_temperature"] == "gateway"
    assert {limit.point for limit in config.limits} == set(config.owners) == set(write_limits(pod))


def test_a_cdu_has_an_agent_and_its_loops_points_are_read_once(tmp_path):
    row = load_layout(example_layout("liquid_row"), ["loops[L1].cdu.pumps[L1P2].standby=true"])
    agents = {agent.name: agent for agent in write_configs(row, tmp_path)}
    assert list(agents) == [*(f"K{k:02}" for k in range(1, 7)), "CDU1", "gateway"]
    assert agents["CDU1"].role is AgentRole.CDU
    points = [point.point for agent in agents.values() for point in agent.points]
    assert len(points) == len(set(points))
    assert {point.split(".")[1] for point in points} <= set(QUANTITIES)
    owned = {point.point for point in agents["K02"].points}
    assert {"B02.chip_temperature", "B02.coolant_flow", "K02.liquid_heat", "R02.power"} < owned
    assert not {"K02.pump_speed", "K02.fluid_level"} & owned
    owners = TwinConfig.load(twin_config_path(tmp_path)).owners
    assert owners["L1P1.pump_speed"] == owners["CDU1.supply_temperature"] == "CDU1"
    # the standby pump is the CDU's own matter
    assert agents["CDU1"].fail_safe.settings == {"L1P1.pump_speed": 1.0}


def test_fail_safe_is_full_speed(pod, tmp_path):
    agents = {agent.name: agent for agent in write_configs(pod, tmp_path)}
    assert agents["K01"].fail_safe.settings == {"K01.fan_speed": 1.0, "K01.pump_speed": 1.0}
    assert agents["gateway"].fail_safe.settings == {"C1.fan_speed": 1.0, "C2.fan_speed": 1.0}
    assert agents["K01"].fail_safe.after == 10.0


def test_even_a_tiny_mesh_has_three_seeds(one_rack, tmp_path):
    bare = one_rack.model_copy(update={"racklets": ()})
    for layout in (one_rack, bare):
        agents = write_configs(layout, tmp_path)
        assert all(len(set(agent.seeds)) >= 3 for agent in agents)
    assert [agent.name for agent in agents] == ["gateway"]
    assert "R01.power" in {point.point for point in agents[0].points}


def test_ports_stay_when_they_are_free_and_change_when_they_are_not(one_rack, tmp_path):
    first = write_configs(one_rack, tmp_path)
    assert [agent.listen for agent in write_configs(one_rack, tmp_path)] == [agent.listen for agent in first]
    host, port = first[0].listen.split(":")
    with socket.create_server((host, int(port))):
        second = write_configs(one_rack, tmp_path)
    assert second[0].listen != first[0].listen
    assert second[1].listen == first[1].listen
    assert all(agent.seeds == second[0].seeds for agent in second)


@pytest.mark.parametrize("content", ["", "[]", '{"gateway": "x", "twin": -1}', "{"])
def test_a_broken_list_of_ports_is_made_anew(one_rack, tmp_path, content):
    write_configs(one_rack, tmp_path)
    ports = tmp_path / "run" / "ports.json"
    ports.write_text(content)
    agents = write_configs(one_rack, tmp_path)
    assert {int(agent.listen.split(":")[1]) for agent in agents} < set(json.loads(ports.read_text()).values())


def test_agents_of_an_earlier_layout_are_forgotten(pod, one_rack, tmp_path):
    write_configs(pod, tmp_path)
    agents = write_configs(one_rack, tmp_path)
    assert read_agents(tmp_path) == agents


def test_a_new_run_begins_without_the_agents_memory(one_rack, tmp_path):
    agents = write_configs(one_rack, tmp_path)
    memories = [agent.memory for agent in agents]
    assert len(set(memories)) == len(agents)
    for memory in memories:
        memory.write_text('{"in_charge": true}')
    assert read_agents(tmp_path) == agents
    write_configs(one_rack, tmp_path)
    assert not any(memory.exists() for memory in memories)


def test_a_racklet_cannot_take_the_name_of_a_role(one_rack, tmp_path):
    racklet = one_rack.racklets[0].model_copy(update={"id": "twin"})
    with pytest.raises(InputError, match="racklets or CDUs twin"):
        write_configs(one_rack.model_copy(update={"racklets": (racklet,)}), tmp_path)


def test_a_cdu_cannot_take_the_name_of_a_role(tmp_path):
    row = load_layout(example_layout("liquid_row"), ["loops[L1].cdu.id=gateway"])
    with pytest.raises(InputError, match="gateway: the mesh needs"):
        write_configs(row, tmp_path)


def test_a_state_folder_that_cannot_be_written_is_named(one_rack, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutsideError, match=str(blocked)):
        write_configs(one_rack, blocked)
