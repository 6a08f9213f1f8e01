"""The processes of the live twin: each joins its parts from what the state folder says."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from hardware_sync.agent.deploy import twin_config_path
from hardware_sync.agent.plant import run_plant
from hardware_sync.guard import Guard, WriteMode
from hardware_sync.mesh.twin_side import TwinConfig, TwinMesh
from hardware_sync.platforms.simulated import SimulatedPlatform
from twin.allocation.loop import AllocationLoop
from twin.cli.live import stop_on_signals
from twin.model.load import load_layout
from twin.runtime.service import TwinService
from twin.runtime.settings import RunSettings
from twin.runtime.state import StateFolder, open_state
from twin.runtime.supervisor import die_with_parent
from twin.runtime.trial import COARSENING, TwinTrial

KEPT_DECISIONS = 200  # that the loop remembers after a restart


def _open(path: Path) -> tuple[StateFolder, RunSettings]:
    die_with_parent()
    state = open_state(path)
    return state, RunSettings.load(state)


def run_plant_process(path: Path) -> None:
    """Run the emulated plant until SIGTERM."""
    state, settings = _open(path)
    run_plant(
        Path(settings.layout),
        state.root,
        trace=settings.trace,
        overrides=settings.overrides,
        seed=settings.seed,
        horizon=settings.allocate_every,
    )


def run_web_process(path: Path) -> None:
    """Serve the page until SIGTERM."""
    from viz.app import serve

    state, settings = _open(path)
    serve(state.feed, state.history, settings.host, settings.port, layout=settings.layout)


def run_twin_process(path: Path) -> None:
    """Run the twin service with the loop until SIGTERM."""
    state, settings = _open(path)
    layout = load_layout(Path(settings.layout), settings.overrides)
    stop = threading.Event()
    stop_on_signals(stop.set)
    with TwinMesh(TwinConfig.load(twin_config_path(state.root))) as mesh:
        service = TwinService(
            layout,
            state,
            mesh.telemetry,
            cell=settings.cell,
            expected=frozenset(
                [*(unit.id for unit in layout.racklets), *(loop.cdu.id for loop in layout.loops)]
            ),
            mode=settings.mode,
            heartbeat=lambda: mesh.actuator.heartbeat(settings.mode),
        )

        def current(point: str) -> float | None:
            view = service.view()
            reading = view.latest.get(point) if view else None
            return reading.value if reading else None

        armed = WriteMode.ARMED if settings.mode == "auto" else WriteMode.READ_ONLY
        guard = Guard(mesh.config.limits, mesh.actuator, mode=armed, current=current)
        cell = COARSENING * (settings.cell or layout.air.cell)
        with contextlib.closing(TwinTrial(layout, service.view, cell=cell)) as trial:
            loop = AllocationLoop(
                layout,
                service.view,
                trial,
                guard,
                SimulatedPlatform(state.root),
                service.save_decision,
                mode=settings.mode,
                period=settings.allocate_every,
                authorise=guard.approve,
            )
            loop.restore(service.historian.decisions(KEPT_DECISIONS))
            service.run(stop, loop)
