"""Solve the steady room of a layout and keep the answer as a folder: layout, numbers, fields, picture."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba

from solvers.airflow.case import AirState
from twin import __version__
from twin.errors import Finding, InputError, NotConvergedError, Severity
from twin.model.check import check_layout
from twin.model.load import load_layout
from twin.model.mesh.lines import cell_remedy
from twin.model.operating import Operating
from twin.model.scene import Scene, build_scene
from twin.model.schema import CELL_SIZE, Layout
from twin.planning.fields import write_fields
from twin.planning.influence import RoomInfluence, room_influence
from twin.planning.numbers import room_numbers, too_hot
from twin.planning.picture import draw_picture
from twin.planning.settle import Settled, SolveProgress, prepare_room, settle_room
from twin.planning.solutions import Solutions, Start
from twin.results import default_folder, usable_folder, write_folder, write_json, write_yaml

__all__ = ["RESULT_FILES", "SolveProgress", "SolveResult", "solve"]

RESULT_FILES = ("layout.yaml", "result.json", "fields.vtr", "picture.png", "influence.csv")
"""What a result folder may hold, and all it may hold to be replaced."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SolveResult:
    """A settled room.

    Attributes
    ----------
    scene : Scene
    state : AirState         Mean of the settled flow.
    summary : dict           What ``result.json`` holds.
    folder : Path or None    Where it was written.
    influence : RoomInfluence or None    Where it was asked for.
    """

    scene: Scene
    state: AirState
    summary: dict[str, Any]
    folder: Path | None
    influence: RoomInfluence | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the numbers of the result, ready for JSON."""
        return self.summary


def solve(
    layout: str | Path | Layout,
    cell: float | None = None,
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    threads: int | None = None,
    progress: Callable[[SolveProgress], None] | None = None,
    seed: int = 0,
    *,
    checked: Callable[[Layout], None] | None = None,
    cold: bool = False,
    influence: bool = False,
    write: bool = True,
) -> SolveResult:
    """Solve the steady room of a layout at its nominal load.

    Parameters
    ----------
    layout : path or Layout
        A layout file, or a layout made in Python.
    cell : float, optional
        Target cell size; the layout's without it. [m]
    overrides : sequence of str
        ``path=value`` changes to a layout file.
    out : path, optional
        Result folder, replaced if it holds a result and nothing else; without it ``results/NAME``, and
        ``results/NAME-xxxxxx`` for each combination of overrides and cell size.
    threads : int, optional
        Threads of the solver; all without it.
    progress : callable, optional
        Called with a SolveProgress about every 20 steps.
    checked : callable, optional
        Called with the layout when all input is found good, before the solver is needed.
    seed : int
        Kept in the result; the solver itself draws no random numbers.
    cold : bool
        Start from rest; without it from the nearest stored solution, which the result names as
        ``started_from``.
    influence : bool
        Also find what each rack's heat and each cooler's supply do to each inlet, at the settled flow, and
        the racks' capture indices.
    write : bool
        False keeps the result in memory only.

    Returns
    -------
    SolveResult

    Raises
    ------
    InputError : the layout, the cell size or the folder is no good.
    NotConvergedError : the flow did not settle, or its balances do not close; nothing is written.
    OutsideError : the folder cannot be written.
    """
    started = time.perf_counter()
    source, loaded = read_layout(layout, overrides, cell)
    folder = None
    if write:
        wanted = default_folder(source, *overrides, cell) if out is None else Path(out)
        folder = usable_folder(wanted, RESULT_FILES)
    use_threads(threads)
    scene = build_scene(loaded, cell)
    check_moves(scene, source)
    if checked is not None:
        checked(loaded)
    operating = Operating.nominal(loaded)
    settled, start = start_and_settle(scene, operating, cell, cold=cold, progress=progress)
    state = settled.result.state
    found = room_influence(scene, settled) if influence else None
    loops = () if settled.coolant is None else settled.coolant.findings()
    summary = {
        "layout": loaded.name,
        "file": source,
        "overrides": list(overrides),
        "version": __version__,
        "seed": seed,
        "cells": scene.cells,
        "cell_m": loaded.air.cell if cell is None else cell,
        "grid": list(scene.case.grid.shape),
        "wall_s": round(time.perf_counter() - started, 3),
        "steps": settled.result.steps,
        "simulated_s": state.time,
        "started_from": None if start is None else start.as_json(),
        **room_numbers(scene, settled, operating, found),
        "warnings": [str(finding) for finding in (*scene.findings, *too_hot(scene, state), *loops)],
    }
    if folder is not None:
        write_folder(folder, lambda draft: _fill(draft, scene, state, summary, found), RESULT_FILES)
        logger.info("result in %s", folder)
    return SolveResult(scene, state, summary, folder, found)


def read_layout(
    layout: str | Path | Layout, overrides: Sequence[str], cell: float | None = None
) -> tuple[str, Layout]:
    """Return the file, empty without one, and the checked layout; a cell size has the range of ``air.cell``.

    Raises
    ------
    InputError : the layout or the cell size is no good, or overrides are given for a layout made in Python.
    """
    if not isinstance(layout, Layout):
        loaded = load_layout(layout, overrides, settles=True)
        _check_cell(loaded, cell)
        return str(layout), loaded
    if overrides:
        raise InputError("overrides change layout files; change a Layout in Python with model_copy.")
    findings = check_layout(layout, layout.name, settles=True)
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise InputError(findings)
    for finding in findings:
        logger.warning("%s", finding)
    _check_cell(layout, cell)
    return "", layout


def _check_cell(layout: Layout, cell: float | None) -> None:
    if cell is not None and not CELL_SIZE.minimum <= cell <= CELL_SIZE.maximum:
        rule, remedy = f"must be {CELL_SIZE.range_text}", cell_remedy(layout, cell)
        raise InputError([Finding("--cell", "grid", "air.cell", f"{cell:g} m", rule, remedy)])


def use_threads(threads: int | None) -> None:
    """Set the threads of the solver; None leaves them."""
    if threads is not None:
        numba.set_num_threads(max(1, min(threads, numba.config.NUMBA_NUM_THREADS)))  # type: ignore[attr-defined]


def check_moves(scene: Scene, source: str) -> None:
    """Raise InputError for a room in which nothing moves the air."""
    if not scene.unit_names:
        fault = "nothing moves the air: there is neither rack nor cooler"
        raise InputError(
            [Finding(source or scene.layout.name, "layout", "racks", "", fault, "Add one of them")]
        )


def start_and_settle(
    scene: Scene,
    operating: Operating,
    cell: float | None,
    *,
    cold: bool,
    progress: Callable[[SolveProgress], None] | None,
) -> tuple[Settled, Start | None]:
    """Settle a room from the nearest stored solution and store the answer; returns also the start.

    A start from which the flow does not settle is given up for a cold one.

    Raises
    ------
    InputError, NotConvergedError : as :func:`twin.planning.settle.settle_room`.
    """
    solutions = Solutions()
    model = prepare_room(scene)
    start = None if cold else solutions.nearest(scene, model, scene.unit_inputs(operating))
    try:
        settled = settle_room(scene, model, operating, None if start is None else start.state, progress)
    except NotConvergedError as error:
        if start is None:
            raise
        logger.info("from the stored solution %s: %s; again from rest", start.solution, error)
        start = None
        settled = settle_room(scene, model, operating, None, progress)
    size = scene.layout.air.cell if cell is None else cell
    solutions.keep(scene, settled.inputs, settled.result.state, size)
    return settled, start


def _fill(
    draft: Path, scene: Scene, state: AirState, summary: dict[str, Any], found: RoomInfluence | None = None
) -> None:
    write_yaml(scene.layout.model_dump(mode="json", exclude_none=True), draft / "layout.yaml")
    write_json(summary, draft / "result.json")
    write_fields(scene, state, draft / "fields.vtr")
    draw_picture(scene, state, summary, draft / "picture.png")
    if found is not None:
        found.write(draft / "influence.csv")
