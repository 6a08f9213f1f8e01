"""``racklet run``: checks all that can be checked, then starts the processes and keeps them running."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from hardware_sync.agent.deploy import config_path, points_by_agent, write_configs
from hardware_sync.mesh.identity import renew_identities
from hardware_sync.mesh.topics import OPERATOR, TWIN
from solvers.airflow.model import warm_up as warm_up_air
from solvers.coldplate.plate_solve import warm_up as warm_up_plates
from solvers.coolant.warm import warm_up as warm_up_loops
from twin.cli.terminal import telling_of_compilation
from twin.errors import Finding, InputError, OutsideError
from twin.model.load import load_layout
from twin.model.scene import build_scene
from twin.model.schema import Layout
from twin.runtime.settings import RunSettings
from twin.runtime.state import StateFolder, default_state, open_state, sole_owner
from twin.runtime.supervisor import ProcessSpec, Supervisor
from twin.runtime.trace import generated_trace, read_trace

ONE_THREAD = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
START_LIMIT = 120.0  # a start that takes longer is remarked on [s]
RENEW_PERIOD = 600.0  # of looking at the certificates' ends [s]
RESTART_PAUSE = 5.0  # between peers that are started anew for a new certificate [s]
SHORTEST_PERIOD = 10.0  # of the loop: a trial in the twin takes seconds [s]


class Screen(Protocol):
    """Where ``run`` tells what it does."""

    def say(self, text: str) -> None:
        """Tell something that stays."""
        ...

    def step(self, text: str, done: int | None = None, total: int | None = None) -> None:
        """Show what is going on."""
        ...

    def settle(self) -> None:
        """Nothing is going on any more."""
        ...

    def ready(self, body: dict[str, Any]) -> None:
        """Tell that the page is there."""
        ...


def run(settings: RunSettings, state_path: Path | None, screen: Screen) -> None:
    """Run the live twin until Ctrl-C or SIGTERM.

    Parameters
    ----------
    settings : RunSettings
    state_path : Path or None
        State folder; None takes the one of the layout's name under the user's state directory.
    screen : Screen

    Raises
    ------
    InputError : layout, trace or an option is wrong; nothing was started.
    OutsideError : port in use, state folder not writable, certificate expired; nothing was started.
    """
    from viz.app import check_port

    layout = load_layout(Path(settings.layout), settings.overrides)
    _check_settings(settings)
    place = state_path or default_state(layout.name)
    if (place / "run").is_dir():
        with sole_owner(open_state(place)):  # a twin that runs already holds the port too: say that first
            pass
    check_port(settings.host, settings.port)
    cells = build_scene(layout, settings.cell).cells
    if settings.trace:
        trace = read_trace(Path(settings.trace), layout, seed=settings.seed)
    else:
        trace = generated_trace(layout, settings.seed)
    state = open_state(place)
    with sole_owner(state):
        screen.say(f"Layout {layout.name}: {cells} cells in the twin")
        screen.say(f"Load: {trace.source}. {trace.scale_note}")
        for warning in trace.warnings:
            screen.say(f"warning: {warning}")
        with telling_of_compilation():
            for warm_up in (warm_up_air, warm_up_loops) if layout.loops else (warm_up_air,):
                warm_up(lambda kernel, done, total: screen.step(f"Preparing kernels: {kernel}", done, total))
            if any(branch.cold_plates.spec for loop in layout.loops for branch in loop.branches):
                screen.step("Preparing kernels: cold plates")
                warm_up_plates()
        settings.save(state)
        write_configs(layout, state.root)
        screen.step("Starting the processes")
        _supervise(settings, layout, state, screen)


def _check_settings(settings: RunSettings) -> None:
    if settings.allocate_every < SHORTEST_PERIOD:
        raise InputError(
            [
                Finding(
                    "command line",
                    "",
                    "--allocate-every",
                    f"{settings.allocate_every:g} s",
                    f"must be at least {SHORTEST_PERIOD:g} s: every candidate is tried in the twin first",
                    "Choose a longer period",
                )
            ]
        )


def _specs(layout: Layout, state: StateFolder) -> list[ProcessSpec]:
    folder = str(state.root)
    specs = [ProcessSpec("plant", ("-m", "twin.cli", "plant", folder), ONE_THREAD)]
    for name in points_by_agent(layout):
        path = str(config_path(state.root, name))
        specs.append(ProcessSpec(f"agent-{name}", ("-m", "hardware_sync.agent", path), ONE_THREAD))
    specs.append(ProcessSpec("twin", ("-m", "twin.cli", "service", folder), ONE_THREAD))
    specs.append(ProcessSpec("web", ("-m", "twin.cli", "web", folder), ONE_THREAD))
    return specs


def _supervise(settings: RunSettings, layout: Layout, state: StateFolder, screen: Screen) -> None:
    supervisor = Supervisor(_specs(layout, state), state, screen.say)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores it
            signal.signal(number, lambda *_: supervisor.stop())
    url = f"http://{_reachable(settings.host)}:{settings.port}"
    over = threading.Event()
    threading.Thread(target=_renew, args=(state, supervisor, over, screen), daemon=True).start()
    body = {"url": url, "state": str(state.root), "logs": str(state.logs), "pid": os.getpid()}
    watcher = threading.Thread(target=_announce, args=(url, over, screen, body), daemon=True)
    watcher.start()
    try:
        supervisor.run()
    finally:
        over.set()
        watcher.join(timeout=2.0)
        screen.settle()
        screen.say("All processes have ended.")


def _renew(state: StateFolder, supervisor: Supervisor, over: threading.Event, screen: Screen) -> None:
    """Renew certificates before they end, and start their peers anew, one by one."""
    while not over.wait(RENEW_PERIOD):
        try:
            renewed = renew_identities(state.root)
        except OutsideError as error:
            screen.say(f"warning: {error}")
            continue
        for name in sorted(renewed - {OPERATOR}):
            supervisor.restart({name if name == TWIN else f"agent-{name}"})
            over.wait(RESTART_PAUSE)


def _announce(url: str, over: threading.Event, screen: Screen, body: dict[str, Any]) -> None:
    """Wait until the page serves a live field, then tell its address."""
    begun = time.monotonic()
    late = False
    while not over.wait(0.3):
        health = _health(url)
        if health.get("status") in ("live", "degraded"):
            seconds = round(time.monotonic() - begun, 1)
            screen.ready({**body, "seconds": seconds, "cells": health.get("cells")})
            return
        if time.monotonic() - begun > START_LIMIT and not late:
            late = True
            screen.say(f"Not live after {START_LIMIT:g} s; page {url}, logs {body['logs']}. Waiting on.")
        screen.step(f"Starting the processes: {health.get('status', 'no page yet')}")


def _health(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2.0) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            try:
                return json.load(error)
            except ValueError:
                return {}
    except (OSError, ValueError):
        return {}


def _reachable(host: str) -> str:
    if host in ("0.0.0.0", "::", ""):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def stop_on_signals(stop: Callable[[], object]) -> None:
    """Call ``stop`` on SIGTERM and SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())
