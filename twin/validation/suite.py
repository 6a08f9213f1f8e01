"""Run cases and gather their verdicts; one case that fails does not keep the others from running."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solvers.errors import SolverError
from twin.errors import Finding, InputError, TwinError
from twin.validation.case import Case, Result, holds
from twin.validation.chart import draw
from twin.validation.page import finite, record, write_page
from twin.validation.store import check_folder

MODULES = (
    "lid_driven_cavity",
    "heated_cavity",
    "heated_cube",
    "duct",
    "order",
    "transport",
    "ventilated_room",
    "tall_cavity",
    "plume",
    "data_centre_mockup",
    "room",
    "coolant_ducts",
    "coolant_friction",
    "coolant_operating_points",
    "coolant_balances",
    "coolant_front",
    "coolant_pandapipes",
    "coolant_stacks",
    "coolant_heat_sink",
)
"""Modules of `twin.validation.cases`, one case each, from the exact to the measured."""


@dataclass(frozen=True)
class Verdict:
    """A case that has run.

    Attributes
    ----------
    case : Case
    result : Result
    wall_s : float    [s]
    """

    case: Case
    result: Result
    wall_s: float


@dataclass(frozen=True)
class Validation:
    """What `validate` answers.

    Attributes
    ----------
    verdicts : tuple of Verdict
    full : bool
    folder : Path or None    Where figures and page lie.
    faults : tuple of str    What could not be written there, and why.
    """

    verdicts: tuple[Verdict, ...]
    full: bool
    folder: Path | None
    faults: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every case passed."""
        return all(verdict.result.passed for verdict in self.verdicts)

    def as_json(self) -> dict[str, Any]:
        """Return the object that ``racklet validate --json`` prints."""
        quantities = [
            {
                "name": verdict.case.name,
                "quantity": quantity.name,
                "asked": finite(quantity.asked),
                "reached": finite(quantity.reached),
                "unit": quantity.unit,
                "rule": quantity.rule,
                "pass": quantity.passed,
            }
            for verdict in self.verdicts
            for quantity in verdict.result.quantities
        ]
        passed = sum(verdict.result.passed for verdict in self.verdicts)
        return {
            "cases": quantities,
            "passed": passed,
            "failed": len(self.verdicts) - passed,
            "quantities_passed": sum(row["pass"] for row in quantities),
            "quantities_failed": sum(not row["pass"] for row in quantities),
            "notes": {verdict.case.name: list(verdict.result.notes) for verdict in self.verdicts},
            "faults": list(self.faults),
            "full": self.full,
            "wall_s": {verdict.case.name: round(verdict.wall_s, 2) for verdict in self.verdicts},
        }


def load_cases(names: Sequence[str] = ()) -> tuple[Case, ...]:
    """Return the cases of these names, all of them by default, in the order of the suite.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    tuple of Case

    Raises
    ------
    InputError : there is no case of a name; names every one that is wrong.
    """
    unknown = [name for name in names if name not in MODULES]
    if unknown:
        rule = f"is no case; there are {', '.join(MODULES)}"
        raise InputError(
            [Finding("validate", "case", "CASE", name, rule, "Name one of them, or none") for name in unknown]
        )
    return tuple(
        importlib.import_module(f"twin.validation.cases.{module}").CASE
        for module in MODULES
        if not names or module in names
    )


def validate(
    cases: Sequence[str] = (),
    full: bool = False,
    out: str | Path | None = None,
    docs: str | Path | None = None,
    progress: Callable[[str, str, float], None] | None = None,
    verdict: Callable[[Verdict], None] | None = None,
) -> Validation:
    """Run the verification and validation suite.

    Parameters
    ----------
    cases : sequence of str
        Names; all by default.
    full : bool
        The grids that the project is judged by; else a quick form on coarser grids.
    out : path, optional
        Folder for the page ``validation.md`` and its figures.
    docs : path, optional
        Folder of the documentation: the page goes there, the figures into ``validation/`` beside it.
    progress : callable, optional
        Called with case, what it does, and the share of it that is done.
    verdict : callable, optional
        Called with each case as it ends.

    Returns
    -------
    Validation

    Raises
    ------
    InputError : there is no case of a name, or what ran before cannot be read.
    OutsideError : the folder cannot be written. A fault after the first case stands in the answer instead.
    """
    chosen = load_cases(cases)
    targets = [
        (Path(path), figures) for path, figures in ((out, "."), (docs, "validation")) if path is not None
    ]
    for folder, figures in targets:
        check_folder(folder, figures)
    verdicts: list[Verdict] = []
    faults: dict[str, None] = {}
    for case in chosen:
        started = time.perf_counter()
        result = _run(case, full, progress)
        verdicts.append(Verdict(case, result, time.perf_counter() - started))
        for folder, figures in targets:
            fault = _write(folder, figures, verdicts[-1], full)
            faults |= {fault: None} if fault else {}
        if verdict is not None:
            verdict(verdicts[-1])
    return Validation(tuple(verdicts), full, targets[-1][0] if targets else None, tuple(faults))


def _run(case: Case, full: bool, progress: Callable[[str, str, float], None] | None) -> Result:
    def report(text: str, share: float) -> None:
        if progress is not None:
            progress(case.name, text, share)

    report("starting", 0.0)
    try:
        return case.run(full, report)
    except (SolverError, TwinError) as error:
        return Result((holds("runs to its end", False),), grid="", notes=(f"The case gave up: {error}",))


def _write(folder: Path, figures: str, verdict: Verdict, full: bool) -> str:
    """Write a case as soon as it ends, so that nothing later can lose it; return what went wrong."""
    try:
        for figure in verdict.result.figures:
            draw(figure, folder / figures)
        body = record(verdict.case, verdict.result, verdict.wall_s, full)
        write_page(folder, figures, load_cases(), {verdict.case.name: body})
    except OSError as error:
        return f"folder {folder}: cannot be written: {error.strerror or error}. Choose another."
    except TwinError as error:
        return str(error)
    return ""
