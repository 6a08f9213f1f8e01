"""Who may talk to the page, and who may decide.

The page has no accounts. Whoever reaches its address may look at everything, so it listens on this machine
alone unless told otherwise. Approving and rejecting is for this machine's own users (loopback) even then,
unless whoever serves the page allows more.

A browser lets any site's script call the page from a user's own machine. So whatever is not a plain read
(every method but GET and HEAD, Dash's callbacks among them, and every WebSocket) is refused with a foreign
``Origin``, and everything is refused for a ``Host`` name that is not ours (a name rebound to this address).
Programs other than browsers send no ``Origin``; they pass. A read that starts work is judged likewise;
a browser sends no ``Origin`` with some reads, so there its ``Sec-Fetch-Site`` counts
(https://www.w3.org/TR/fetch-metadata/).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_HEADERS = {
    "content-security-policy": "frame-ancestors 'none'; base-uri 'none'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}  # an approval must not be clicked through somebody's frame
READS = frozenset({"GET", "HEAD"})
OWN_SITE = frozenset({"same-origin", "none"})  # none: typed into the address bar
FOREIGN = 4403  # WebSocket close code; before the handshake is over it reads as HTTP 403
NOT_OURS = "This request does not come from the page."
ONLY_HERE = (
    "Only the machine that runs the twin may approve or reject. Open the page there, or by SSH tunnel."
)


class Gate:
    """Judges the Host and Origin headers, and where a client is.

    Parameters
    ----------
    names : tuple of str
        Host names under which the page may be reached, beside this machine's own and plain addresses.
    allow_remote_approval : bool
        Let clients on other machines approve and reject: anybody who reaches the page.
    """

    def __init__(self, names: tuple[str, ...] = (), *, allow_remote_approval: bool = False) -> None:
        self.allow_remote_approval = allow_remote_approval
        own = socket.gethostname().lower()
        self.names = frozenset({"localhost", own, own.split(".")[0], *(name.lower() for name in names)})

    def knows_host(self, host: str | None) -> bool:
        """Say whether a Host header names this server: any plain address, or one of its names.

        Every address passes, this machine's or not: it keeps out no client, only names that somebody else
        points at this machine, and an address cannot be pointed elsewhere.
        """
        name = urlsplit(f"//{host}").hostname if host else None
        if name is None:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.lower() in self.names
        return True

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Say whether a request comes from our own page, or from no browser at all.

        Parameters
        ----------
        headers : mapping
            Lower-case names; ``host`` and ``origin`` are read, without the latter ``sec-fetch-site``.

        Returns
        -------
        bool
        """
        host, origin = headers.get("host"), headers.get("origin")
        if not self.knows_host(host):
            return False
        if origin is None:
            return headers.get("sec-fetch-site", "none") in OWN_SITE
        return urlsplit(origin).netloc == host

    def may_decide(self, client: str | None) -> bool:
        """Say whether a client may approve and reject.

        Parameters
        ----------
        client : str or None
            Its address. Behind a proxy on this machine it is the one the proxy forwards
            (``X-Forwarded-For``); a proxy that forwards none makes all its visitors local.

        Returns
        -------
        bool
        """
        return self.allow_remote_approval or is_loopback(client)


def is_loopback(address: str | None) -> bool:
    """Say whether an address is this machine's own loopback; what is no address is not."""
    try:
        known = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    mapped = known.ipv4_mapped if isinstance(known, ipaddress.IPv6Address) else None
    return (mapped or known).is_loopback


class HostFilter:
    """ASGI middleware: refuses hosts that are not ours and what foreign pages ask for; bars framing.

    A request for another host gets 421; a foreign one that is no plain read, or a WebSocket, gets 403.

    Parameters
    ----------
    app : ASGI application
    gate : Gate
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app = app
        self.gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is meant for us."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["type"] == "websocket":
            if self.gate.admits(headers):
                await self.app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": FOREIGN})
            return
        if not self.gate.knows_host(headers.get("host")):
            refusal = PlainTextResponse("This server is not the host you asked for.\n", status_code=421)
            await refusal(scope, receive, send)
            return
        if scope["method"] not in READS and not self.gate.admits(headers):
            refusal = PlainTextResponse(f"{NOT_OURS}\n", status_code=403)
            await refusal(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SAFE_HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)
