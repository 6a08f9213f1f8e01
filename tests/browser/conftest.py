"""A stand-in twin, the real web process and a real Chromium."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

ROOT = Path(__file__).parents[2]
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--disable-sync",
    "--disable-quic",
]
SERVE = (
    "import sys, pathlib; from viz.app import serve; state = pathlib.Path(sys.argv[1]); "
    "serve(state / 'feed.sock', state / 'history.db', port=0, on_ready=lambda url: print(url, flush=True), "
    "layout='layouts/liquid_row.yaml')"
)
PATIENCE = 120.0  # s; only a hang takes so long: a busy machine starts Python, and fills a history, slowly
ENDING = 60.0  # s; a solve of a plate that is under way ends first


class Site:
    """A twin's stand-in and its web process, with one state folder.

    Parameters
    ----------
    state : Path
    """

    def __init__(self, state: Path) -> None:
        self.state = state
        self.producer: subprocess.Popen[bytes] | None = None
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self.web = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(state)], cwd=ROOT, env=environment, stdout=subprocess.PIPE
        )
        assert self.web.stdout is not None
        self.url = self.web.stdout.readline().decode().strip()

    def start_twin(self, *arguments: str) -> None:
        """Start the stand-in and wait until the web process has its snapshot."""
        command = [sys.executable, str(ROOT / "tests/browser/producer.py"), str(self.state), *arguments]
        self.producer = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})

        def up() -> bool:
            for name, process in (("stand-in", self.producer), ("web process", self.web)):
                assert process is not None
                assert process.poll() is None, f"the {name} ended with {process.returncode}"
            return self.health()[0] == 200

        wait_until(up, "the twin's stand-in is up")

    def health(self) -> tuple[int, dict[str, Any]]:
        """Return status code and body of /healthz."""
        with contextlib.suppress(httpx.TransportError):
            reply = httpx.get(f"{self.url}/healthz", timeout=5)
            return reply.status_code, reply.json()
        return 0, {}

    def stop_twin(self) -> None:
        """Kill the stand-in as a crash would."""
        if self.producer is not None:
            self.producer.kill()
            self.producer.wait()
            self.producer = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold the stand-in still, so that the newest snapshot stays the newest."""
        assert self.producer is not None
        self.producer.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        try:
            yield
        finally:
            self.producer.send_signal(signal.SIGCONT)

    def close(self) -> float:
        """Stop everything; return the seconds that the web process took to end."""
        self.stop_twin()
        started = time.monotonic()
        self.web.terminate()
        try:
            self.web.wait(timeout=ENDING)
        finally:
            self.web.kill()
            self.web.wait()
            if self.web.stdout is not None:
                self.web.stdout.close()
        return time.monotonic() - started


def wait_until(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Wait for a condition, or fail saying which."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, f"not within {patience:g} s: {what}"
        time.sleep(0.05)


@pytest.fixture
def new_site(tmp_path: Path) -> Iterator[Callable[[], Site]]:
    """Make sites of its own for a test."""
    sites: list[Site] = []

    def make() -> Site:
        state = tmp_path / f"s{len(sites)}"
        state.mkdir()
        sites.append(Site(state))
        return sites[-1]

    yield make
    for site in sites:
        site.close()


@pytest.fixture(scope="module")
def site_maker(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Site]:
    """Make sites that outlive a test; whoever makes one closes it."""
    return lambda: Site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with a running twin, shared by tests that leave it as it was."""
    shared = Site(tmp_path_factory.mktemp("site"))
    try:
        shared.start_twin("--rate", "5")
        yield shared
    finally:
        shared.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real Chromium with software WebGL."""
    path = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
    if path is None:
        pytest.fail("no Chromium found: apt-get install chromium libegl1 libegl-mesa0 libgl1-mesa-dri")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


class Visit:
    """A page in its own context, with what it said and asked for."""

    def __init__(self, browser: Browser, url: str, size: tuple[int, int], theme: Any, query: str) -> None:
        self.context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=theme)
        self.page: Page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.said.append(f"page error: {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(f"{url}/{query}")

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.said.append(f"{message.type}: {message.text}")

    def painted(self) -> Page:
        """Wait for a first field on the screen."""
        self.page.wait_for_function("window.rackletViewer && window.rackletViewer.stats.painted > 0")
        return self.page


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Visit]]:
    """Open pages; every context is closed after the test."""
    visits: list[Visit] = []

    def open_page(
        site: Site, size: tuple[int, int] = (1280, 760), theme: str = "dark", query: str = ""
    ) -> Visit:
        visits.append(Visit(chromium, site.url, size, theme, query))
        return visits[-1]

    yield open_page
    for made in visits:
        made.context.close()
