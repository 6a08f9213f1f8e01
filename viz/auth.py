"""Who may talk to the page: what changes something, and WebSockets, must come from the page itself.

The page has no accounts yet; it binds to this machine alone. A browser still lets any site's script call it,
so a foreign ``Origin`` is refused, and so is a ``Host`` that is not ours (a name rebound to this address).
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


class Gate:
    """Judges the Host and Origin headers.

    Parameters
    ----------
    names : tuple of str
        Host names under which the page may be reached, beside this machine's own and plain addresses.
    """

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        own = socket.gethostname().lower()
        self.names = frozenset({"localhost", own, own.split(".")[0], *(name.lower() for name in names)})

    def knows_host(self, host: str | None) -> bool:
        """Say whether a Host header names this server: an address, or one of its names."""
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
            Lower-case names; ``host`` and ``origin`` are read.

        Returns
        -------
        bool
        """
        host, origin = headers.get("host"), headers.get("origin")
        if not self.knows_host(host):
            return False
        return origin is None or urlsplit(origin).netloc == host


class HostFilter:
    """ASGI middleware: answers 421 to requests for a host that is not ours, and keeps the page out of frames.

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
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if not self.gate.knows_host(Headers(scope=scope).get("host")):
            refusal = PlainTextResponse("This server is not the host you asked for.\n", status_code=421)
            await refusal(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SAFE_HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)
