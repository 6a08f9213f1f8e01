"""The web process: Dash pages, REST and WebSocket in one FastAPI application, served by uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from dash import Dash, dcc, html
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from twin.errors import OutsideError
from twin.runtime.historian import Historian
from viz import ids
from viz.api import make_router
from viz.auth import Gate, HostFilter
from viz.ids import attributes
from viz.pages import coolant, live
from viz.plates import PlateDesk
from viz.source import LiveSource

log = logging.getLogger(__name__)

PAGES = (live, coolant)
GRACE = 1  # s that open connections get at the end
INDEX = """<!DOCTYPE html>
<html lang="en" data-status="starting">
<head>
{%metas%}
<meta name="color-scheme" content="dark light">
<title>{%title%}</title>
<link rel="icon" type="image/svg+xml" href="/assets/mark.svg">
<script>
document.documentElement.dataset.theme = localStorage.getItem("racklet-theme")
  || (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
document.documentElement.dataset.page = location.pathname.startsWith("/coolant") ? "coolant" : "live";
</script>
{%css%}
</head>
<body>
{%app_entry%}
<noscript>This page needs JavaScript.</noscript>
<footer>{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>"""


class LazyHistory:
    """The historian, opened when it is there: the web process may be up before the first reading is stored.

    Parameters
    ----------
    url : str or Path
    """

    def __init__(self, url: str | Path) -> None:
        self._url = url
        self._historian: Historian | None = None
        self._complained = False

    def series(self, points: list[str], start: float, end: float, buckets: int = 500) -> dict[str, Any]:
        """Return measured and predicted curves; empty ones while there is no history."""
        historian = self._open()
        return {} if historian is None else dict(historian.series(points, start, end, buckets))

    def decisions(self, limit: int = 50) -> list[dict[str, Any]]:
        """Return the newest decisions; none while there is no history."""
        historian = self._open()
        return [] if historian is None else historian.decisions(limit)

    def close(self) -> None:
        """Release the database."""
        if self._historian is not None:
            self._historian.close()

    def _open(self) -> Historian | None:
        text = str(self._url).removeprefix("sqlite:///")
        if self._historian is None and ("://" in text or Path(text).exists()):
            try:
                self._historian = Historian(self._url, read_only=True)
            except OutsideError as error:
                if not self._complained:
                    log.warning("%s", error)
                self._complained = True
        return self._historian


class PagePaths:
    """ASGI middleware: every page is the one document of "/", and its script shows the page of its address.

    Parameters
    ----------
    app : ASGI application
    paths : frozenset of str
        Addresses of pages.
    """

    def __init__(self, app: ASGIApp, paths: frozenset[str]) -> None:
        self.app = app
        self.paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the address of a page made that of the document."""
        if scope["type"] == "http" and scope["path"].rstrip("/") in self.paths:
            scope = {**scope, "path": "/", "raw_path": b"/"}
        await self.app(scope, receive, send)


def create_app(
    source: LiveSource,
    history_url: str | Path,
    names: Sequence[str] = (),
    *,
    allow_remote_approval: bool = False,
    on_failure: Callable[[BaseException], None] | None = None,
    layout: str | Path | None = None,
) -> Dash:
    """Build the application; its ASGI side is ``app.server``.

    Parameters
    ----------
    source : LiveSource
        Followed from the server's start to its end.
    history_url : str or Path
        The historian's database URL, or the path of its SQLite file.
    names : sequence of str
        Host names of the page beside this machine's own, as behind a proxy.
    allow_remote_approval : bool
        Let clients on other machines approve and reject.
    on_failure : callable, optional
        Told the error that ended the following of the source; without it the page shows its last picture.
    layout : str or Path, optional
        The layout's file: design files of cold plates are relative to it.

    Returns
    -------
    Dash
    """
    history = LazyHistory(history_url)
    gate = Gate(tuple(names), allow_remote_approval=allow_remote_approval)
    plates = PlateDesk(source, None if layout is None else Path(layout).resolve().parent)

    @contextlib.asynccontextmanager
    async def lifespan(_server: FastAPI) -> AsyncIterator[None]:
        follower = asyncio.create_task(source.run(), name="feed")
        follower.add_done_callback(ended)
        yield
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
        plates.close()
        history.close()

    def ended(follower: asyncio.Task[None]) -> None:
        error = None if follower.cancelled() else follower.exception()
        if error is not None:
            log.critical("the page no longer follows the twin", exc_info=error)
            if on_failure is not None:
                on_failure(error)

    server: Any = FastAPI(
        title="Racklet Twin", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan
    )
    server.include_router(make_router(source, history, gate, plates))
    app = Dash(
        __name__,
        server=server,
        backend="fastapi",
        title="Racklet Twin",
        update_title="",
        index_string=INDEX,
        add_log_handler=False,
        use_pages=False,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    app.backend.websocket_capability = False  # callbacks go over HTTP; the field has the one WebSocket
    server.add_middleware(PagePaths, paths=frozenset(page.PATH for page in PAGES) - {"/"})
    server.add_middleware(HostFilter, gate=gate)
    body = html.Main([_notice(), *(page.layout() for page in PAGES), *_stores()], className="page")
    app.layout = html.Div([_header(), body, _footer()], className="app")
    for page in PAGES:
        page.register(app, source, history, gate)
    return app


def _notice() -> html.Div:
    return html.Div(html.Span(id="notice-text"), id="notice", className="notice", role="alert", hidden=True)


def _stores() -> list[Any]:
    """Return what the pages share: whether the browser's part is up, and the theme."""
    return [dcc.Store(id=name) for name in (ids.MOUNTED, ids.THEME)]


def _navigation() -> html.Nav:
    """Links that the browser's part follows without loading the page anew."""
    return html.Nav(
        [
            html.A(
                page.TITLE,
                href=page.PATH,
                id=f"nav-{page.NAME}",
                className="nav-link",
                **attributes(data_page=page.NAME),
            )
            for page in PAGES
        ],
        className="nav",
        **attributes(aria_label="Pages"),
    )


def _header() -> html.Header:
    stats = (
        ("Real-time factor", "stat-factor", "How many times faster than the clock the twin can run"),
        ("Devices", "stat-agents", "Racklets and coolant units that speak: present of expected"),
        ("Mode", "stat-mode", "Advise proposes; auto commits"),
    )
    return html.Header(
        [
            html.Div(
                [
                    html.Img(src="/assets/mark.svg", alt="", className="logo"),
                    html.H1("Racklet Twin"),
                    _navigation(),
                    html.Span(id="layout-name", className="layout-name"),
                ],
                className="brand",
            ),
            html.Div(
                [
                    *(
                        html.Div(
                            [
                                html.Span(label, className="stat-label"),
                                html.Span("–", id=name, className="stat-value"),
                            ],
                            className="stat",
                            title=hint,
                        )
                        for label, name, hint in stats
                    ),
                    html.Div(
                        [
                            html.I(className="badge-dot"),
                            html.Strong("STARTING", id="badge-text"),
                            html.Span(id="badge-age"),
                        ],
                        id="badge",
                        className="badge",
                        **attributes(data_status="starting"),
                    ),
                    html.Button(
                        html.Span(className="theme-icon"),
                        id="theme-toggle",
                        className="icon-button",
                        title="Dark or light",
                    ),
                ],
                className="top-right",
            ),
        ],
        className="topbar",
    )


def _footer() -> html.Footer:
    return html.Footer(
        [
            html.Span("– cells", id="foot-cells"),
            html.Span(id="foot-picture"),
            html.Ul(
                id="foot-processes",
                className="processes",
                **attributes(aria_label="Processes and their CPU use"),
            ),
        ],
        className="statusbar",
    )


def claim_port(host: str, port: int) -> socket.socket:
    """Bind the page's address, so that a clash is known before anything starts.

    Parameters
    ----------
    host : str
    port : int
        0 for any free one.

    Returns
    -------
    socket.socket
        Bound and listening.

    Raises
    ------
    OutsideError : the port is in use, not allowed, or the host is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    claimed = socket.socket(family, socket.SOCK_STREAM)
    claimed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        claimed.bind((host, port))
        claimed.listen()  # else a second process could bind the same address
    except (OSError, OverflowError) as error:
        claimed.close()
        reason = getattr(error, "strerror", None) or error
        raise OutsideError(
            f"page address {host}:{port}: {reason}. Stop what uses the port, or choose another with --port "
            "(0 takes any free one)."
        ) from error
    return claimed


def check_port(host: str, port: int) -> None:
    """Raise OutsideError where `claim_port` would, and leave the port free."""
    claim_port(host, port).close()


def serve(
    feed_path: Path,
    history_url: str | Path,
    host: str = "127.0.0.1",
    port: int = 8050,
    names: Sequence[str] = (),
    on_ready: Any = None,
    *,
    allow_remote_approval: bool = False,
    layout: str | Path | None = None,
) -> None:
    """Serve the page until SIGTERM or SIGINT.

    Parameters
    ----------
    feed_path : Path
        The twin service's socket; it may come and go.
    history_url : str or Path
        The historian.
    host, port
        Where to listen; this machine alone by default. Whoever can reach the address sees everything.
    names : sequence of str
        Further host names of the page.
    on_ready : callable, optional
        Called with the page's address once the port is bound.
    allow_remote_approval : bool
        Let clients on other machines approve and reject too. There are no accounts: anybody who reaches the
        page may then decide.
    layout : str or Path, optional
        The layout's file: design files of cold plates are relative to it.

    Raises
    ------
    OutsideError : the port is in use.
    Exception : what ended the following of the twin; the supervisor starts the process again.
    """
    claimed = claim_port(host, port)
    failures: list[BaseException] = []

    def end(error: BaseException) -> None:
        failures.append(error)
        server.should_exit = True

    app = create_app(
        LiveSource(Path(feed_path)),
        history_url,
        names,
        allow_remote_approval=allow_remote_approval,
        on_failure=end,
        layout=layout,
    )
    config = uvicorn.Config(
        app.server,
        log_config=None,
        access_log=False,
        ws_per_message_deflate=False,  # frames are compressed already
        forwarded_allow_ips=["127.0.0.1", "::1"],  # only a proxy on this machine may name another client
        timeout_graceful_shutdown=GRACE,
        lifespan="on",
    )
    server = uvicorn.Server(config)
    address = f"http://{f'[{host}]' if ':' in host else host}:{claimed.getsockname()[1]}"
    log.info("the page is at %s", address)
    if on_ready is not None:
        on_ready(address)
    server.run(sockets=[claimed])
    if failures:
        raise failures[0]
