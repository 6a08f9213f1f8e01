"""What an agent must know to start: one JSON file, written by `hardware_sync.agent.deploy` or by hand.

::

    {"name": "K01", "role": "racklet", "site": "pod", "listen": "127.0.0.1:7501",
     "seeds": ["127.0.0.1:7501", "127.0.0.1:7502", "127.0.0.1:7503"],
     "identity": {"certificate": "...", "key": "...", "authority": "..."},
     "device": {"host": "127.0.0.1", "port": 7600, "id": 1, "clock_register": 0},
     "points": [{"point": "K01.fan_speed", "register": 32, "write_register": 2000,
                 "limit": {"point": "K01.fan_speed", "minimum": 0.2, "maximum": 1, "step": 0.5, "slew": 0.05},
                 ...}, ...],
     "period": 0.5,
     "fail_safe": {"after": 10, "settings": {"K01.fan_speed": 1, "K01.pump_speed": 1}},
     "memory": "../memory/K01.json"}

Paths are relative to the file. Nothing here needs more than the standard library: agents start by the dozen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from hardware_sync.adapters.modbus import DeviceAddress
from hardware_sync.mesh.identity import Identity
from hardware_sync.points import DevicePoint, points_from_json, points_to_json
from twin.errors import Finding, InputError
from twin.runtime.state import write_json

HEARTBEATS_LOST = 10.0


class AgentRole(StrEnum):
    """What an agent stands for: a racklet and its rack, a CDU, or the room's coolers and plenum."""

    RACKLET = "racklet"
    CDU = "cdu"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class FailSafe:
    """What an agent sets by itself when the twin that is in charge falls silent.

    Attributes
    ----------
    after : float        Silence that counts. [s]
    settings : mapping   Writable point -> value.
    """

    after: float = HEARTBEATS_LOST
    settings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """Everything one agent process needs; see the module's example.

    ``memory`` is the file in which the agent keeps whether a twin is in charge and what its fail-safe
    replaced; without it a restarted agent knows neither.
    """

    name: str
    role: AgentRole
    site: str
    identity: Identity
    listen: str
    seeds: tuple[str, ...]
    device: DeviceAddress
    points: tuple[DevicePoint, ...]
    period: float = 0.5
    fail_safe: FailSafe = FailSafe()
    memory: Path | None = None

    def save(self, path: Path) -> None:
        """Write the configuration, whole or not at all.

        Raises
        ------
        OutsideError : the folder cannot be written.
        """
        data = {
            "name": self.name,
            "role": str(self.role),
            "site": self.site,
            "listen": self.listen,
            "seeds": list(self.seeds),
            "identity": {
                "certificate": str(self.identity.certificate),
                "key": str(self.identity.key),
                "authority": str(self.identity.authority),
            },
            "device": asdict(self.device),
            "points": points_to_json(self.points),
            "period": self.period,
            "fail_safe": {"after": self.fail_safe.after, "settings": dict(self.fail_safe.settings)},
        }
        if self.memory is not None:
            data["memory"] = str(self.memory)
        write_json(path, data)

    @classmethod
    def load(cls, path: Path) -> AgentConfig:
        """Read a configuration.

        Raises
        ------
        InputError : the file cannot be read, or something in it is missing or wrong.
        """
        data = load_json(path)
        try:
            identity = data["identity"]
            files = {key: path.parent / str(identity[key]) for key in ("certificate", "key", "authority")}
            safe = data.get("fail_safe", {})
            config = cls(
                name=str(data["name"]),
                role=AgentRole(data["role"]),
                site=str(data["site"]),
                identity=Identity(str(data["name"]), **files),
                listen=str(data["listen"]),
                seeds=tuple(str(seed) for seed in data["seeds"]),
                device=DeviceAddress(**data["device"]),
                points=points_from_json(data["points"], str(path)),
                period=float(data.get("period", 0.5)),
                fail_safe=FailSafe(
                    float(safe.get("after", HEARTBEATS_LOST)),
                    {str(point): float(value) for point, value in safe.get("settings", {}).items()},
                ),
                memory=path.parent / str(data["memory"]) if "memory" in data else None,
            )
        except KeyError as error:
            raise InputError([_fault(path, str(error.args[0]), "is missing", "Add it")]) from error
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError([_fault(path, "", str(error), "Mend the file")]) from error
        writable = {point.point for point in config.points if point.write_register is not None}
        unknown = sorted(set(config.fail_safe.settings) - writable)
        if unknown:
            raise InputError(
                [
                    _fault(path, "fail_safe.settings", f"{name} is not writable", "Remove it")
                    for name in unknown
                ]
            )
        if config.period <= 0:
            raise InputError([_fault(path, "period", "must be above 0 s", "Use 0.5")])
        return config


def load_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises
    ------
    InputError : the file cannot be read or holds something else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError([_fault(path, "", error.strerror or str(error), "Name a readable file")]) from error
    except ValueError as error:
        raise InputError([_fault(path, "", f"not JSON: {error}", "Mend the file")]) from error
    if not isinstance(data, dict):
        raise InputError([_fault(path, "", "not a JSON object", "Mend the file")])
    return data


def _fault(path: Path, field: str, rule: str, remedy: str) -> Finding:
    return Finding(str(path), "", field, "", rule, remedy)
