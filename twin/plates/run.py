"""Solve a cold plate or a chip stack from its file and keep the answer as a folder."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from solvers.coldplate.plate_solve import Solution
from solvers.coldplate.system import Array
from twin import __version__
from twin.errors import Finding, InputError
from twin.plates.fields import PlateFields, write_vtk
from twin.plates.ice_model import build_ice
from twin.plates.ice_reader import read_stack
from twin.plates.ice_refined import refine_ice
from twin.plates.ice_results import ice_fields, ice_numbers, write_maps, write_probes
from twin.plates.ice_run import run_ice
from twin.plates.plate_run import Series, march_case, plate_fields, plate_numbers, solve_case
from twin.plates.spec_reader import PlateCase, read_plate
from twin.plates.study import Study, compare, write_designs
from twin.results import default_folder, usable_folder, write_folder, write_json

__all__ = ["RESULT_FILES", "PlateResult", "StudyResult", "coldplate"]

RESULT_FILES = (
    "spec.stk", "spec.yaml", "result.json", "fields.vtr", "picture.png", "probes.csv", "maps.txt",
    "designs.csv", "pareto.png",
)  # fmt: skip
"""What a result folder may hold, and all it may hold to be replaced."""

_CELLS = 1_000_000  # of a stack that is resolved, at most

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlateResult:
    """A solved plate or stack.

    Attributes
    ----------
    fields : PlateFields
    summary : dict           What ``result.json`` holds.
    maps : dict              Name of a map -> times [s] and float64[ny, nx].
    folder : Path or None    Where it was written.
    """

    fields: PlateFields
    summary: dict[str, Any]
    maps: dict[str, list[tuple[float, Array]]] = field(default_factory=dict)
    folder: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the numbers of the result, ready for JSON."""
        return self.summary


@dataclass(frozen=True)
class StudyResult:
    """The designs of a sweep, and the chosen one solved.

    Attributes
    ----------
    study : Study
    fields : PlateFields     Of the chosen design.
    summary : dict           What ``result.json`` holds: the chosen design's numbers, and ``study``.
    folder : Path or None    Where it was written.
    """

    study: Study
    fields: PlateFields
    summary: dict[str, Any]
    folder: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the numbers of the result, ready for JSON."""
        return self.summary


def coldplate(
    spec: str | Path,
    out: str | Path | None = None,
    model: str | None = None,
    cells: int | None = None,
    sweep: bool = False,
    progress: Callable[[float], None] | None = None,
    *,
    write: bool = True,
) -> PlateResult | StudyResult:
    """Solve a cold plate (.yaml) or a 3D-ICE stack (.stk), or compare the designs of a plate's sweep.

    Parameters
    ----------
    spec : path
    out : path, optional
        Result folder; ``results/NAME`` without it.
    model : str, optional
        ``two_resistor``, ``four_resistor``, ``correlation`` or ``resolved`` instead of the file's. For a
        stack, ``correlation`` resolves the solids between the file's own films.
    cells : int, optional
        Cells at most, about, instead of the file's.
    sweep : bool
        Solve all designs of the file's ``sweep``, choose one and solve it with the model.
    progress : callable, optional
        Called with the share that is done.
    write : bool
        False keeps the result in memory only.

    Returns
    -------
    PlateResult, or StudyResult with ``sweep``

    Raises
    ------
    InputError : the file, or the folder, is no good.
    NotConvergedError : the solver gave no answer.
    OutsideError : the folder cannot be written.
    """
    path = Path(spec)
    if path.suffix not in (".stk", ".yaml", ".yml"):
        rule, remedy = "is neither .stk nor .yaml", "Give a 3D-ICE stack or a cold plate in YAML"
        raise InputError([Finding(str(path), "spec", "", path.suffix, rule, remedy)])
    stack = path.suffix == ".stk"
    if sweep and stack:
        rule, remedy = "a 3D-ICE stack has no designs to compare", "Give a cold plate in YAML"
        raise InputError([Finding("--sweep", str(path), "", "", rule, remedy)])
    target = None
    if write:
        folder = default_folder(str(path), model, cells, suffix="-sweep" if sweep else "")
        target = usable_folder(folder if out is None else Path(out), RESULT_FILES)
    solve = _solve_stack if stack else _compare if sweep else _solve_plate
    result = solve(path, model, cells, progress)
    if target is not None:
        result = replace(result, summary={**result.summary, "folder": str(target)}, folder=target)
        write_folder(target, lambda draft: _fill(draft, path, result), RESULT_FILES)
        logger.info("result in %s", target)
    return result


def _solve_stack(
    path: Path, model: str | None, cells: int | None, progress: Callable[[float], None] | None
) -> PlateResult:
    if model not in (None, "correlation", "resolved"):
        rule = "a stack is solved as its file says, with correlation or resolved"
        raise InputError([Finding("--model", str(path), "", str(model), rule, "Leave it out")])
    begun = time.perf_counter()
    ice = read_stack(path)
    built = build_ice(ice) if model is None else refine_ice(ice, model, cells or _CELLS)
    answers = run_ice(built, progress)
    wall = time.perf_counter() - begun
    summary = {"name": path.stem, **ice_numbers(built, answers), "wall_s": wall, "version": __version__}
    return PlateResult(ice_fields(built, answers), summary, answers.maps)


def _solve_plate(
    path: Path, model: str | None, cells: int | None, progress: Callable[[float], None] | None
) -> PlateResult:
    begun = time.perf_counter()
    case = read_plate(path)
    solution = solve_case(case, model, cells)
    series = None if case.spec.transient is None else march_case(case, solution, progress)
    wall = time.perf_counter() - begun
    summary = _numbers(case, solution, series) | {"wall_s": wall, "version": __version__}
    return PlateResult(plate_fields(solution, None if series is None else series.theta), summary)


def _compare(
    path: Path, model: str | None, cells: int | None, progress: Callable[[float], None] | None
) -> StudyResult:
    begun = time.perf_counter()
    case = read_plate(path)
    study = compare(case, progress)
    chosen = study.chosen.of(case)
    solution = solve_case(chosen, model, cells)
    numbers = _numbers(chosen, solution, None)
    told = [text for text in study.warnings if text not in numbers["warnings"]]
    for text in told:
        logger.warning("%s: %s", path, text)
    summary = {
        **numbers,
        "warnings": [*numbers["warnings"], *told],
        "kind": "design study of a cold plate",
        "study": study.as_json(case.spec.plates),
        "wall_s": time.perf_counter() - begun,
        "version": __version__,
    }
    return StudyResult(study, plate_fields(solution), summary)


def _numbers(case: PlateCase, solution: Solution, series: Series | None) -> dict[str, Any]:
    numbers = plate_numbers(case, solution, series)
    for text in numbers["warnings"]:
        logger.warning("%s: %s", case.path, text)
    return numbers


def _fill(draft: Path, path: Path, result: PlateResult | StudyResult) -> None:
    from twin.plates.picture import draw_plate  # noqa: PLC0415  (a second of import, only where needed)

    shutil.copyfile(path, draft / f"spec{'.stk' if path.suffix == '.stk' else '.yaml'}")
    write_json(result.summary, draft / "result.json")
    write_probes(result.summary["probes"], draft / "probes.csv")
    if isinstance(result, StudyResult):
        from twin.plates.pareto_picture import draw_front  # noqa: PLC0415

        write_designs(result.study, draft / "designs.csv")
        draw_front(result.study, result.summary["name"], draft / "pareto.png")
    elif result.maps:
        write_maps(result.maps, draft / "maps.txt")
    write_vtk(result.fields, draft / "fields.vtr")
    draw_plate(result.fields, result.summary, draft / "picture.png")
