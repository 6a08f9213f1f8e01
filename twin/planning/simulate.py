"""Simulate a room through events: trips, load steps, doors; how hot each rack becomes and when."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from solvers.airflow.case import AirState
from twin import __version__
from twin.errors import Finding, InputError
from twin.model.scene import Scene
from twin.model.schema import Layout
from twin.planning.solve import check_moves, read_layout, use_threads
from twin.planning.transient.events import Script, time_text
from twin.planning.transient.run import Run, SimulateProgress, digest
from twin.planning.transient.script import check_script, read_script
from twin.planning.transient.series import Series
from twin.planning.transient.timeline import draw_timeline
from twin.results import default_folder, usable_folder, write_folder, write_json, write_yaml

RESULT_FILES = (
    "layout.yaml", "events.yaml", "result.json", "series.csv", "series.parquet", "heat.csv", "picture.png",
)  # fmt: skip
"""What a result folder holds, and all it may hold to be replaced."""
AFTERWARDS = 300.0
"""Time simulated after the last event, where no duration is given. [s]"""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SimulateResult:
    """A simulated room.

    Attributes
    ----------
    scene : Scene             At the end.
    state : AirState          At the end.
    series : Series           Every point over time.
    heat : DataFrame          Account of the heat over time: ``time`` [s], then totals. [J]
    summary : dict            What ``result.json`` holds.
    folder : Path or None     Where it was written.
    """

    scene: Scene
    state: AirState
    series: Series
    heat: pd.DataFrame
    summary: dict[str, Any]
    folder: Path | None

    def as_json(self) -> dict[str, Any]:
        """Return the numbers of the result, ready for JSON."""
        return self.summary


class StoppedError(KeyboardInterrupt):
    """A simulation was stopped by hand, and its checkpoint stands.

    Parameters
    ----------
    checkpoint : Path
    at : float    Simulated time of the checkpoint. [s]
    """

    def __init__(self, checkpoint: Path, at: float) -> None:
        super().__init__(
            f"stopped; the same command with --resume goes on from {time_text(at)}, where the checkpoint "
            f"{checkpoint} stands"
        )
        self.checkpoint, self.at = checkpoint, at


def simulate(
    layout: str | Path | Layout,
    events: str | Path | Script,
    duration: float | None = None,
    every: float | None = None,
    cell: float | None = None,
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    threads: int | None = None,
    progress: Callable[[SimulateProgress], None] | None = None,
    *,
    checked: Callable[[Layout], None] | None = None,
    cfl: float = 4.0,
    max_dt: float = 1.0,
    frozen: bool = False,
    checkpoint_every: float | None = None,
    resume: bool = False,
    cold: bool = False,
    write: bool = True,
) -> SimulateResult:
    """Simulate a room through events, from its steady state at nominal load.

    Parameters
    ----------
    layout : path or Layout
    events : path or Script
        An events file, or a script made in Python.
    duration, every : float, optional
        Length and output interval; the script's without them, else up to 300 s after the last event, and 5
        s, or 60 s where the flow is frozen. [s]
    cell : float, optional
        Target cell size; the layout's without it. [m]
    overrides : sequence of str
        ``path=value`` changes to a layout file.
    out : path, optional
        Result folder, as for ``solve``; without it ``results/NAME-EVENTS-xxxxxx``, one for each layout file,
        events, overrides and options.
    threads : int, optional
    progress : callable, optional
        Called with a SimulateProgress.
    checked : callable, optional
        Called with the layout when all input is found good, before the solver is needed.
    cfl : float
        Largest Courant number of a step. [1]
    max_dt : float
        Largest step. [s]
    frozen : bool
        For long horizons: freeze the flow where neither fans nor geometry nor the pattern of temperatures
        change, and move temperatures alone, implicitly. After each change the flow is followed for one
        change of air, at least 30 and at most 180 s.
    checkpoint_every : float, optional
        Simulated time between checkpoints, which lie beside the result folder until it is written; 60 s
        without it, 600 s where the flow is frozen. [s]
    resume : bool
        Go on from the checkpoint of a run that was stopped; the result equals that of a run without stop,
        bit by bit on the same machine, with any number of threads.
    cold : bool
        Settle from rest, not from the nearest stored solution.
    write : bool
        False keeps the result in memory only, without checkpoints.

    Returns
    -------
    SimulateResult

    Raises
    ------
    InputError : layout, events, an option, the folder or the checkpoint is no good.
    NotConvergedError : the room does not settle at first, or the flow diverged; nothing is written but the
        last checkpoint.
    OutsideError : the folder cannot be written.
    StoppedError : Ctrl-C after the first checkpoint; before it a plain KeyboardInterrupt.
    """
    source, loaded = read_layout(layout, overrides, cell)
    if isinstance(events, Script):
        script, named = check_script(events, loaded), ""
    else:
        script, named = read_script(Path(events), loaded), str(events)
    usual = (60.0, 600.0) if frozen else (5.0, 60.0)
    kept_every = usual[1] if checkpoint_every is None else checkpoint_every
    interval = (script.every or usual[0]) if every is None else every
    times = _times(script, duration, interval, cfl, max_dt, kept_every)
    late = [event for event in script.events if event.at > times["duration"]]
    if late:
        logger.warning(
            "%d of %d events lie after the end of the simulation at %s and do not happen: %s. Give a longer "
            "--duration to see them.",
            len(late), len(script.events), time_text(times["duration"]), "; ".join(e.text() for e in late),
        )  # fmt: skip
    use_threads(threads)
    target = kept = None
    if write:
        wanted = default_folder(
            source, *overrides, cell, duration, every, cfl, max_dt, frozen, digest(script),
            suffix=f"-{Path(named).stem or 'events'}",
        )  # fmt: skip
        target = usable_folder(wanted if out is None else Path(out), RESULT_FILES)
        kept = target.parent / f"{target.name}.checkpoint.npz"
    options = {"cell": cell, "cfl": cfl, "max_dt": max_dt, "frozen": frozen, **times}
    run = Run(loaded, script, options, kept, progress)
    check_moves(run.scene, source)
    if checked is not None:
        checked(loaded)
    try:
        if resume:
            run.resume()
        else:
            run.settle(cold)
        run.march()
    except KeyboardInterrupt as error:
        if kept is None or run.kept_at is None:
            raise
        raise StoppedError(kept, run.kept_at) from error
    summary = {
        "layout": loaded.name,
        "file": source,
        "events_file": named,
        "script": script.name,
        "overrides": list(overrides),
        "version": __version__,
        "cells": run.scene.cells,
        "cell_m": loaded.air.cell if cell is None else cell,
        "grid": list(run.scene.case.grid.shape),
        **run.summary(),
    }
    result = SimulateResult(run.scene, run.state, run.series, run.heat(), summary, target)
    if target is not None and kept is not None:
        write_folder(target, lambda draft: _fill(draft, loaded, script, result), RESULT_FILES)
        kept.unlink(missing_ok=True)
        logger.info("result in %s", target)
    return result


def _times(
    script: Script, duration: float | None, every: float, cfl: float, max_dt: float, kept: float
) -> dict[str, float]:
    """Return duration, output and checkpoint interval; every option is checked."""
    last = max((event.at + getattr(event, "over", 0.0) for event in script.events), default=0.0)
    chosen = {
        "duration": (script.duration or last + AFTERWARDS) if duration is None else duration,
        "every": every,
        "checkpoint_every": kept,
    }
    findings = [
        Finding(
            "options",
            "",
            f"--{name.replace('_', '-')}",
            f"{value:g}" if name == "cfl" else f"{value:g} s",
            "must be positive",
            "Give another",
        )
        for name, value in {**chosen, "cfl": cfl, "max_dt": max_dt}.items()
        if not 0.0 < value < math.inf
    ]
    if findings:
        raise InputError(findings)
    return chosen


def _fill(draft: Path, layout: Layout, script: Script, result: SimulateResult) -> None:
    write_yaml(layout.model_dump(mode="json", exclude_none=True), draft / "layout.yaml")
    write_yaml(script.model_dump(mode="json", exclude_none=True), draft / "events.yaml")
    write_json(result.summary, draft / "result.json")
    result.series.write(draft)
    result.heat.to_csv(draft / "heat.csv", index=False, float_format="%.9g")
    draw_timeline(result.series, result.summary, draft / "picture.png")
