"""The hardware's own panel: set a point at the device, past the twin and its guard.

``python -m hardware_sync.agent.panel STATE POINT VALUE`` with the state folder of a run: 0 to the speed of a
CDU's pump stops it, as a trip would. The point's own limits hold.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from hardware_sync.adapters.modbus import ModbusDevice
from hardware_sync.agent.config import AgentConfig
from hardware_sync.agent.deploy import read_agents
from twin.errors import InputError, TwinError

log = logging.getLogger(__name__)


def set_point(state: Path, point: str, value: float) -> None:
    """Write a set point to the device that has it.

    Parameters
    ----------
    state : Path     State folder of a run.
    point : str      ``L1P1.pump_speed``
    value : float    Unit of the telemetry table.

    Raises
    ------
    InputError : no agent of the run has such a writable point, or the value is out of its limits.
    DeviceError : the device does not answer, or refuses.
    """
    agents = read_agents(state)
    limits = {p.point: (agent, p.limit) for agent in agents for p in agent.points if p.limit is not None}
    if point not in limits:
        known = ", ".join(sorted(limits)) or "none: is a run's state folder given?"
        raise InputError(f"{point}: not a writable point of {state}. Writable: {known}")
    agent, limit = limits[point]
    if not limit.minimum <= value <= limit.maximum:
        raise InputError(f"{point}: {value:g} is outside {limit.minimum:g} to {limit.maximum:g}")
    asyncio.run(_write(agent, point, value))


async def _write(agent: AgentConfig, point: str, value: float) -> None:
    device = ModbusDevice(agent.device, agent.points)
    try:
        await device.write(point, value)
    finally:
        device.close()
        await asyncio.sleep(0)


def main(arguments: list[str]) -> int:
    """Set the point that the arguments name and return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        if len(arguments) != 3:
            raise InputError("panel: give the state folder, a point and a value.")
        try:
            value = float(arguments[2])
        except ValueError as error:
            raise InputError(f"panel: {arguments[2]!r} is not a number.") from error
        set_point(Path(arguments[0]), arguments[1], value)
    except TwinError as error:
        log.error("%s", error)
        return error.exit_code
    log.info("%s set to %g", arguments[1], value)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
