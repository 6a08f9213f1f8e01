"""The twin's place on the mesh, as one file and one object."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from hardware_sync.guard import WriteLimit
from hardware_sync.mesh.actuator import MeshActuator
from hardware_sync.mesh.identity import Identity
from hardware_sync.mesh.session import Peer, open_session
from hardware_sync.mesh.telemetry import MeshTelemetry
from hardware_sync.mesh.topics import Role, Topics
from twin.errors import InputError, OutsideError
from twin.runtime.state import write_json

log = logging.getLogger(__name__)

RELEASED = "released"


@dataclass(frozen=True, slots=True)
class TwinConfig:
    """What the twin must know to join.

    Attributes
    ----------
    peer : Peer
    owners : mapping     Writable point -> agent that owns it.
    limits : tuple of WriteLimit
        Of all writable points, for the guard.
    """

    peer: Peer
    owners: Mapping[str, str]
    limits: tuple[WriteLimit, ...]

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all.

        Raises
        ------
        OutsideError : the folder cannot be written.
        """
        peer, identity = self.peer, self.peer.identity
        data = {
            "name": identity.name,
            "role": str(peer.role),
            "site": peer.site,
            "listen": peer.listen,
            "seeds": list(peer.seeds),
            "agents": list(peer.agents),
            "identity": {
                "certificate": str(identity.certificate),
                "key": str(identity.key),
                "authority": str(identity.authority),
            },
            "owners": dict(self.owners),
            "limits": [
                [limit.point, limit.minimum, limit.maximum, limit.step, limit.slew] for limit in self.limits
            ],
        }
        write_json(path, data)

    @classmethod
    def load(cls, path: Path) -> TwinConfig:
        """Read what `save` wrote.

        Raises
        ------
        InputError : the file cannot be read, or something in it is missing or wrong.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            files = {key: path.parent / data["identity"][key] for key in ("certificate", "key", "authority")}
            peer = Peer(
                Identity(data["name"], **files),
                Role(data["role"]),
                data["site"],
                data["listen"],
                tuple(data["seeds"]),
                tuple(data["agents"]),
            )
            return cls(peer, dict(data["owners"]), tuple(WriteLimit(*limit) for limit in data["limits"]))
        except OSError as error:
            raise InputError(
                f"mesh configuration ({path}): {error.strerror}. Start 'racklet run'."
            ) from error
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"mesh configuration ({path}): {error!r}. Delete it and start again.") from error


class TwinMesh:
    """The twin's session with what it hears and what it can say.

    Attributes
    ----------
    telemetry : MeshTelemetry
    actuator : MeshActuator      Writes whatever it is told: wrap it in a `hardware_sync.guard.Guard`.
    config : TwinConfig

    Raises
    ------
    OutsideError : a certificate is not valid now, or the port is taken.
    """

    def __init__(self, config: TwinConfig) -> None:
        self.config = config
        topics = Topics(config.peer.site)
        self._session = open_session(config.peer)
        self.telemetry = MeshTelemetry(self._session, topics)
        self.actuator = MeshActuator(self._session, topics, config.owners)

    def close(self) -> None:
        """Give up charge, so that agents keep their settings, and leave the mesh."""
        if self._session.is_closed():
            return
        try:
            self.actuator.heartbeat(RELEASED)
        except OutsideError as error:
            log.warning("%s", error)
        self.telemetry.close()
        self._session.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the mesh."""
        self.close()
