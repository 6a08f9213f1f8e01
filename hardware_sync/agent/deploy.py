"""From a layout to running agents: names, points, limits, ports, identities; one file each.

``<state>/run/ports.json`` remembers the port of every name, so that a restarted process is found where it
was; ``<state>/run/agents/NAME.json`` is the configuration of an agent, ``<state>/run/twin.json`` that of
the twin. ``<state>/run/memory/NAME.json`` is the agent's own: what it must know after a restart; a new run
begins without.
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hardware_sync.adapters.modbus import DeviceAddress
from hardware_sync.adapters.modbus_server import CLOCK, emulated_points
from hardware_sync.agent.config import AgentConfig, AgentRole, FailSafe
from hardware_sync.guard import WriteLimit
from hardware_sync.mesh.identity import Identities, ensure_identities
from hardware_sync.mesh.session import MINIMUM_SEEDS, Peer
from hardware_sync.mesh.topics import OPERATOR, TWIN, Role
from hardware_sync.mesh.twin_side import TwinConfig
from solvers.coolant.fluids import fluid
from twin.errors import InputError, OutsideError
from twin.runtime.state import read_json, write_json
from twin.units import celsius

if TYPE_CHECKING:
    from twin.model.schema import Branch, Cooler, Layout, Loop, Rack, Racklet

log = logging.getLogger(__name__)

GATEWAY = "gateway"
PLANT = "plant"
HOST = "127.0.0.1"
PORTS = range(20000, 32000)
"""Below the range that the system hands out for outgoing connections, so that a port stays its owner's."""

LAST_PORT = 65535
FAN_LIMIT = (0.2, 1.0, 0.5, 0.05)
PUMP_LIMIT = (0.1, 1.0, 0.5, 0.05)
COOLER_FAN_LIMIT = (0.3, 1.0, 0.3, 0.02)
SUPPLY_LIMIT = (12.0, 27.0, 3.0, 0.05)
CDU_PUMP_LIMIT = (0.0, 1.0, 1.0, 0.05)
"""Minimum, maximum, step and slew of the writable points; degC for the supply set points. A CDU's pump may be
stopped at once: that is how its trip is tried."""
CDU_SUPPLY_SPAN, CDU_SUPPLY_STEP = 15.0, (3.0, 0.05)
"""How far a CDU's supply may be set from the layout's set point [K]; step and slew."""
LIQUID_MARGIN = 3.0
"""A set point stays so far from where the fluid freezes, boils or has its flash point. [K]"""


def write_configs(layout: Layout, state: Path) -> list[AgentConfig]:
    """Write the configuration of every agent and of the twin, with identities and ports; return the agents'.

    Parameters
    ----------
    layout : Layout
    state : Path         State folder; created where it is missing.

    Returns
    -------
    list of AgentConfig  Racklets, then CDUs, in the layout's order, the gateway last.

    Raises
    ------
    InputError : a racklet or CDU has a name that the mesh needs itself.
    OutsideError : the folder cannot be written, or the authority expired.
    """
    points = points_by_agent(layout)
    limits = write_limits(layout)
    names = list(points)
    cdus = {loop.cdu.id for loop in layout.loops}
    own = {racklet.id for racklet in layout.racklets} | cdus
    if reserved := own & {GATEWAY, PLANT, TWIN, OPERATOR, "authority"}:
        raise InputError(
            f"racklets or CDUs {', '.join(sorted(reserved))}: the mesh needs these names itself. Rename them."
        )
    identities = ensure_identities(state, [*names, TWIN, OPERATOR])
    try:
        folder = state / "run" / "agents"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        memory = state / "run" / "memory"
        memory.mkdir(mode=0o700, exist_ok=True)
        _remove_strangers(memory, [])
        ports = _choose_ports(state / "run" / "ports.json", [*names, TWIN, OPERATOR, PLANT])
        listen = {name: f"{HOST}:{port}" for name, port in ports.items()}
        seeds = tuple(listen[name] for name in _seed_names(names))
        site = re.sub(r"[^A-Za-z0-9_.-]+", "-", layout.name)
        fast = _fail_safe_points(layout, limits)
        agents = []
        for index, name in enumerate(names):
            agent = AgentConfig(
                name=name,
                role=_role(name, cdus),
                site=site,
                identity=identities[name],
                listen=listen[name],
                seeds=seeds,
                device=DeviceAddress(HOST, ports[PLANT], index + 1, CLOCK),
                points=emulated_points(points[name], limits),
                fail_safe=FailSafe(settings={point: 1.0 for point in points[name] if point in fast}),
                memory=memory / f"{name}.json",
            )
            agent.save(config_path(state, name))
            agents.append(agent)
        _remove_strangers(folder, names)
        _twin_config(identities, agents, limits, listen, seeds, site).save(state / "run" / "twin.json")
    except OSError as error:
        raise OutsideError(
            f"state folder ({state}): {error.strerror or error}. It must be writable by this user; choose "
            "another one or mend its permissions."
        ) from error
    return agents


def config_path(state: Path, name: str) -> Path:
    """Return where the configuration of an agent is."""
    return state / "run" / "agents" / f"{name}.json"


def twin_config_path(state: Path) -> Path:
    """Return where the configuration of the twin's place on the mesh is."""
    return state / "run" / "twin.json"


def read_agents(state: Path) -> list[AgentConfig]:
    """Read the configurations of all agents, in order of their device ids.

    Raises
    ------
    InputError : one of them cannot be read.
    """
    configs = [AgentConfig.load(path) for path in (state / "run" / "agents").glob("*.json")]
    return sorted(configs, key=lambda config: config.device.id)


def points_by_agent(layout: Layout) -> dict[str, list[str]]:
    """Divide the points among the agents.

    A racklet speaks for its rack and branch, a CDU for itself and its pumps, the gateway for the rest.
    """
    points: dict[str, list[str]] = {}
    spoken_for: set[str] = set()
    for racklet in layout.racklets:
        points[racklet.id] = []
        if racklet.rack not in spoken_for:
            spoken_for.add(racklet.rack)
            points[racklet.id] += rack_points(layout.rack(racklet.rack), sensors=layout.default_sensors)
        found = layout.branch_of(racklet.id)
        points[racklet.id] += racklet_points(racklet, on_loop=found is not None)
        if found is not None:
            points[racklet.id] += branch_points(found[1])
    for loop in layout.loops:
        points[loop.cdu.id] = loop_points(loop)
    rest: list[str] = []
    for rack in layout.racks:
        if rack.id not in spoken_for:
            rest += rack_points(rack, sensors=layout.default_sensors)
    for cooler in layout.coolers:
        rest += cooler_points(cooler)
    if layout.default_sensors and layout.room.raised_floor:
        rest.append("plenum.pressure")
    rest += [f"{sensor.id}.{sensor.quantity}" for sensor in layout.sensors]
    points[GATEWAY] = rest
    return points


def rack_points(rack: Rack, *, sensors: bool) -> list[str]:
    """Name the points of a rack."""
    names = ["power", "air_flow"]
    if sensors:
        names += [f"inlet_temperature.{place}" for place in ("bottom", "middle", "top")]
        names.append("outlet_temperature")
    return [f"{rack.id}.{name}" for name in names]


def racklet_points(racklet: Racklet, *, on_loop: bool = False) -> list[str]:
    """Name the points of a racklet; on a loop the CDU has the pumps and the reservoir."""
    names = ["fan_speed"]
    if racklet.cooling_module.kind == "liquid":
        names += [] if on_loop else ["pump_speed"]
        names += ["coolant_supply_temperature", "coolant_return_temperature", "coolant_flow"]
        names += ["liquid_heat"] if on_loop else ["fluid_level", "liquid_heat"]
    names += ["output_power", "output_voltage", "output_current", "state", "error"]
    return [f"{racklet.id}.{name}" for name in names]


def cooler_points(cooler: Cooler) -> list[str]:
    """Name the points of a cooler."""
    names = ("supply_temperature", "return_temperature", "air_flow", "fan_speed", "cooling_power")
    return [f"{cooler.id}.{name}" for name in names]


def branch_points(branch: Branch) -> list[str]:
    """Name the points of a loop's branch."""
    names = ("coolant_flow", "chip_temperature", "return_temperature", "liquid_heat")
    return [f"{branch.id}.{name}" for name in names]


def loop_points(loop: Loop) -> list[str]:
    """Name the points that a loop's CDU speaks for: its own, its pumps', those of coils in racks' air."""
    names = ("supply_temperature", "supply_set_point", "return_temperature", "facility_supply_temperature")
    names += ("coolant_flow", "supply_pressure", "return_pressure", "level", "valve", "pump_power")
    points = [f"{loop.cdu.id}.{name}" for name in names]
    points += [f"{pump.id}.pump_speed" for pump in loop.cdu.pumps]
    in_coils = ("coolant_flow", "return_temperature", "liquid_heat")
    return points + [f"{coil.id}.{name}" for coil in loop.coils for name in in_coils]


def write_limits(layout: Layout) -> dict[str, WriteLimit]:
    """Give every writable point its limits."""
    limits: list[WriteLimit] = []
    for racklet in layout.racklets:
        limits.append(WriteLimit(f"{racklet.id}.fan_speed", *FAN_LIMIT))
        if racklet.cooling_module.kind == "liquid" and layout.branch_of(racklet.id) is None:
            limits.append(WriteLimit(f"{racklet.id}.pump_speed", *PUMP_LIMIT))
    for cooler in layout.coolers:
        limits.append(WriteLimit(f"{cooler.id}.supply_temperature", *SUPPLY_LIMIT))
        limits.append(WriteLimit(f"{cooler.id}.fan_speed", *COOLER_FAN_LIMIT))
    for loop in layout.loops:
        limits.append(_supply_limit(loop))
        limits += [WriteLimit(f"{pump.id}.pump_speed", *CDU_PUMP_LIMIT) for pump in loop.cdu.pumps]
    return {limit.point: limit for limit in limits}


def _supply_limit(loop: Loop) -> WriteLimit:
    """Around what the layout sets, where the fluid stays liquid; the layout's own value may always be set."""
    liquid, nominal = fluid(loop.fluid), loop.cdu.supply_temperature
    low = max(nominal - CDU_SUPPLY_SPAN, liquid.T_freeze + LIQUID_MARGIN)
    high = min(nominal + CDU_SUPPLY_SPAN, liquid.T_hot - LIQUID_MARGIN)
    low, high = (round(celsius(T), 6) for T in (min(low, nominal), max(high, nominal)))
    return WriteLimit(f"{loop.cdu.id}.supply_temperature", low, high, *CDU_SUPPLY_STEP)


def _fail_safe_points(layout: Layout, limits: Iterable[str]) -> set[str]:
    """Fans and pumps, which an agent alone runs at full speed; a standby pump is its CDU's own matter."""
    standby = {f"{pump.id}.pump_speed" for loop in layout.loops for pump in loop.cdu.pumps if pump.standby}
    fast = {point for point in limits if point.rpartition(".")[2] in ("fan_speed", "pump_speed")}
    return fast - standby


def _role(name: str, cdus: Collection[str]) -> AgentRole:
    if name == GATEWAY:
        return AgentRole.GATEWAY
    return AgentRole.CDU if name in cdus else AgentRole.RACKLET


def _seed_names(names: list[str]) -> list[str]:
    """Choose who everybody looks for: three agents, gateway, twin; in a tiny mesh the operator too."""
    seeds = list(dict.fromkeys([*names[:3], names[-1], TWIN]))
    return seeds if len(seeds) >= MINIMUM_SEEDS else [*seeds, OPERATOR]


def _twin_config(
    identities: Identities,
    agents: list[AgentConfig],
    limits: dict[str, WriteLimit],
    listen: dict[str, str],
    seeds: tuple[str, ...],
    site: str,
) -> TwinConfig:
    owners = {
        point.point: agent.name
        for agent in agents
        for point in agent.points
        if point.write_register is not None
    }
    names = tuple(agent.name for agent in agents)
    peer = Peer(identities[TWIN], Role.TWIN, site, listen[TWIN], seeds, names)
    return TwinConfig(peer, owners, tuple(limits.values()))


def _choose_ports(path: Path, names: Iterable[str]) -> dict[str, int]:
    """Give every name its old port where that is free, else a new one, and remember."""
    stored = read_json(path)
    ports = stored.items() if isinstance(stored, dict) else ()
    old = {name: port for name, port in ports if isinstance(port, int) and 0 < port <= LAST_PORT}
    names = list(names)
    chosen = {name: old[name] for name in names if name in old and _is_free(old[name])}
    taken = set(old.values())
    start = PORTS.start + sum(str(path).encode()) * 37 % (len(PORTS) // 2)
    candidates = (port for port in range(start, PORTS.stop) if port not in taken and _is_free(port))
    for name in names:
        if name not in chosen:
            port = next(candidates, None)
            if port is None:
                raise OutsideError(f"ports: none is free between {start} and {PORTS.stop}. Stop something.")
            chosen[name] = port
    write_json(path, chosen)
    return {name: chosen[name] for name in names}


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _remove_strangers(folder: Path, names: list[str]) -> None:
    """Remove the files of agents that are not among the names."""
    for path in folder.glob("*.json"):
        if path.stem not in names:
            path.unlink()
