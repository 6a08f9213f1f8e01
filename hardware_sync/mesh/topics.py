"""Key expressions of the mesh, and who may do what with them.

=================================  ===================  =======================================
key                                written by           read by
=================================  ===================  =======================================
``racklet/S/telemetry/AGENT``      that agent           twin, operator
``racklet/S/alive/AGENT``          that agent           twin, operator (liveliness token)
``racklet/S/command/AGENT``        answered by it       twin (query)
``racklet/S/heartbeat``            twin                 agents
=================================  ===================  =======================================

``S`` is the site. A subscriber whose key is broader than its rule is silently never announced, so everybody
declares exactly the key expressions of this file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from twin.errors import InputError

TWIN = "twin"
OPERATOR = "operator"
_WORD = re.compile(r"[A-Za-z0-9_.-]+")


class Role(StrEnum):
    """What a peer is on the mesh."""

    AGENT = "agent"
    TWIN = "twin"
    OPERATOR = "operator"


class Topics:
    """The key expressions of one site.

    Parameters
    ----------
    site : str
        Name of the installation, one word.
    """

    def __init__(self, site: str) -> None:
        if not _WORD.fullmatch(site):
            raise InputError(f"site {site!r}: use letters, digits, '_', '-', '.' only.")
        self.site = site
        self.heartbeat = f"racklet/{site}/heartbeat"

    def telemetry(self, agent: str = "*") -> str:
        """Return the key of one agent's telemetry, or of all."""
        return f"racklet/{self.site}/telemetry/{agent}"

    def alive(self, agent: str = "*") -> str:
        """Return the key of one agent's liveliness token, or of all."""
        return f"racklet/{self.site}/alive/{agent}"

    def command(self, agent: str) -> str:
        """Return the key one agent answers commands on."""
        return f"racklet/{self.site}/command/{agent}"


def access_control(topics: Topics, role: Role, name: str, agents: Iterable[str]) -> dict[str, Any]:
    """Build the access control list of one peer: all denied but what the table above says.

    Every peer enforces its own list on what comes in and what goes out, by the common name in the other's
    certificate; so a peer that lies about its role is stopped by the others.

    Parameters
    ----------
    topics : Topics
    role : Role
    name : str             The peer's own name.
    agents : iterable of str
        Names of the agents; only the twin and the operator need them.
    """
    rules: list[dict[str, Any]] = []
    policies: list[dict[str, Any]] = []
    subjects: list[dict[str, Any]] = []

    def allow(other: str, flow: str, messages: list[str], key: str) -> None:
        rule = f"{other} {flow} {' '.join(messages)}"
        rules.append(
            {"id": rule, "permission": "allow", "flows": [flow], "messages": messages, "key_exprs": [key]}
        )
        policy = next((policy for policy in policies if policy["subjects"] == [other]), None)
        if policy is None:
            subjects.append({"id": other, "cert_common_names": [other]})
            policies.append({"subjects": [other], "rules": [rule]})
        else:
            policy["rules"].append(rule)

    def between(reader: str, agent: str, *, out: str, back: str, other: str) -> None:
        """Allow what an agent says and a reader hears; ``out`` is the direction away from the agent."""
        allow(other, out, ["put"], topics.telemetry(agent))
        allow(other, out, ["liveliness_token"], topics.alive(agent))
        allow(other, back, ["declare_subscriber"], topics.telemetry())
        allow(other, back, ["declare_liveliness_subscriber", "liveliness_query"], topics.alive())
        if reader == TWIN:
            allow(other, out, ["declare_queryable", "reply"], topics.command(agent))
            allow(other, out, ["declare_subscriber"], topics.heartbeat)
            allow(other, back, ["query"], topics.command(agent))
            allow(other, back, ["put"], topics.heartbeat)

    if role is Role.AGENT:
        for reader in (TWIN, OPERATOR):
            between(reader, name, out="egress", back="ingress", other=reader)
    else:
        for agent in agents:
            between(str(role), agent, out="ingress", back="egress", other=agent)
    return {
        "enabled": True,
        "default_permission": "deny",
        "rules": rules,
        "subjects": subjects,
        "policies": policies,
    }
