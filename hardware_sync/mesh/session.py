"""Join the mesh: an encrypted, mutually authenticated Zenoh peer with access control by certificate name."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

import zenoh

from hardware_sync.mesh.identity import Identity, check_identity
from hardware_sync.mesh.topics import Role, Topics, access_control
from twin.errors import InputError, OutsideError

log = logging.getLogger(__name__)

LEASE_MS = 2000
RETRY_MS = {"period_init_ms": 200, "period_max_ms": 1000, "period_increase_factor": 1.5}
MINIMUM_SEEDS = 3


@dataclass(frozen=True, slots=True)
class Peer:
    """How one peer takes part in the mesh.

    Attributes
    ----------
    identity : Identity
    role : Role
    site : str
    listen : str                 ``127.0.0.1:7501``
    seeds : tuple of str         Listen addresses of at least three peers; its own may be among them. Only
                                 seeds are tried again and again after a link broke.
    agents : tuple of str        Names of all agents; the twin and the operator need them.
    """

    identity: Identity
    role: Role
    site: str
    listen: str
    seeds: tuple[str, ...]
    agents: tuple[str, ...] = ()


def open_session(peer: Peer) -> zenoh.Session:
    """Open the session of a peer; it goes on looking for its seeds in the background.

    Raises
    ------
    OutsideError : a certificate is not valid now, the port is taken, or the transport cannot start.
    InputError : there are fewer than three seeds.
    """
    end = check_identity(peer.identity)
    try:
        session = zenoh.open(session_config(peer))
    except zenoh.ZError as error:
        raise OutsideError(
            f"mesh peer {peer.identity.name!r} cannot listen on {peer.listen}: {_first_line(error)}. Another "
            "process may hold the port: stop it, or choose another port."
        ) from error
    log.info("%s joined the mesh on %s; its certificate ends %s", peer.identity.name, peer.listen, end)
    return session


def session_config(peer: Peer) -> zenoh.Config:
    """Build the Zenoh configuration of a peer.

    Raises
    ------
    InputError : there are fewer than three seeds.
    """
    if len(set(peer.seeds)) < MINIMUM_SEEDS:
        raise InputError(
            f"mesh peer {peer.identity.name!r}: {len(set(peer.seeds))} seeds; at least {MINIMUM_SEEDS} are "
            "asked, or a peer that was cut off may stay out. Name more peers."
        )
    identity = peer.identity
    seeds = [f"tls/{seed}" for seed in peer.seeds if seed != peer.listen]
    settings = {
        "mode": "peer",
        "listen/endpoints": [f"tls/{peer.listen}"],
        "listen/exit_on_failure": True,
        "listen/timeout_ms": 2000,
        "listen/retry": RETRY_MS,
        "connect/endpoints": seeds,
        "connect/exit_on_failure": False,
        "connect/timeout_ms": -1,
        "connect/retry": RETRY_MS,
        "open/return_conditions": {"connect_scouted": False, "declares": False},
        "scouting/multicast/enabled": False,
        "scouting/gossip/enabled": True,
        "transport/shared_memory/enabled": False,
        "transport/link/protocols": ["tls"],
        "transport/link/tx/lease": LEASE_MS,
        "transport/link/rx/max_message_size": 1 << 20,
        "transport/link/tls": {
            "root_ca_certificate": str(identity.authority),
            "listen_private_key": str(identity.key),
            "listen_certificate": str(identity.certificate),
            "connect_private_key": str(identity.key),
            "connect_certificate": str(identity.certificate),
            "enable_mtls": True,
            "verify_name_on_connect": True,
            "close_link_on_expiration": True,
        },
        "access_control": access_control(Topics(peer.site), peer.role, identity.name, peer.agents),
        "adminspace/enabled": False,
    }
    config = zenoh.Config()
    for key, value in settings.items():
        config.insert_json5(key, json.dumps(value))
    return config


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
