"""What the commands share: consoles, option types, progress, and how errors leave.

With ``--json`` a command prints one object on standard output, also when it fails: ``{"error": {...}}`` with
``kind``, ``message``, ``exit_code`` and, for bad input, every finding. The exit code is the same without.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from twin.errors import InputError, TwinError

err = Console(stderr=True, highlight=False)
"""For people: progress, warnings, errors."""
out = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
"""For results."""

LOADING_TIME = 4.0
"""Time after which kernels that are not ready are taken to be compiled, not loaded. [s]"""
INTERRUPTED = 130  # exit code after Ctrl-C

LayoutArgument = Annotated[
    Path, typer.Argument(metavar="LAYOUT", help="Layout file, or the name of an example.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a field of the layout; may be repeated."),
]
CellOption = Annotated[str | None, typer.Option("--cell", help="Target cell size, e.g. 0.1 or '10 cm'.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Result folder; default under results/.")]
ThreadsOption = Annotated[int | None, typer.Option("--threads", help="Threads; default all.", min=1)]
ColdOption = Annotated[
    bool, typer.Option("--cold", help="Start from rest, not from the nearest stored solution.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
StateOption = Annotated[
    Path | None, typer.Option("--state", help="State folder; default: under the user's state directory.")
]


class _Prefixed(logging.Formatter):
    """A record that no handler takes, headed by its level: ``warning: ...``."""

    def format(self, record: logging.LogRecord) -> str:
        """Head the message."""
        return f"{record.levelname.lower()}: {super().format(record)}"


@contextlib.contextmanager
def reporting(as_json: bool = False) -> Iterator[None]:
    """Turn our errors into a message and an exit code; everything else is a bug and shows its trace.

    Parameters
    ----------
    as_json : bool
        Also print the error as an object on standard output.

    Raises
    ------
    typer.Exit : with the error's exit code, or 130 after Ctrl-C.
    """
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Prefixed())
    try:
        yield
    except TwinError as error:
        err.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        if as_json:
            print_json({"error": error_as_json(error)})
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt as stop:  # the planning's own says what stands; a plain one says nothing
        message = str(stop) or "interrupted; nothing half-written stays behind"
        err.print(message, style="yellow", markup=False, soft_wrap=True)
        if as_json:
            print_json({"error": {"kind": "Interrupted", "message": message, "exit_code": INTERRUPTED}})
        raise typer.Exit(INTERRUPTED) from None


def error_as_json(error: TwinError) -> dict[str, Any]:
    """Return what ``--json`` prints of an error: kind, message, exit code, findings of bad input."""
    body: dict[str, Any] = {
        "kind": type(error).__name__,
        "message": str(error),
        "exit_code": error.exit_code,
    }
    if isinstance(error, InputError) and error.findings:
        body["findings"] = [dataclasses.asdict(finding) for finding in error.findings]
    return body


def print_json(body: dict[str, Any]) -> None:
    """Print one object on one line of standard output; refuses NaN, which JSON has not."""
    print(json.dumps(body, allow_nan=False), flush=True)


def log_to_stderr(level: int = logging.INFO) -> None:
    """Send log records of this level and above to standard error."""
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    logging.getLogger("numba").setLevel(logging.WARNING)


def progress_bar() -> Progress:
    """Return a progress display on standard error that disappears when it is done; none but on a terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_interactive,
    )


@contextlib.contextmanager
def telling_of_compilation(patience: float = LOADING_TIME) -> Iterator[None]:
    """Say in one line what takes so long, where no progress display shows it and kernels are not just loaded.

    Parameters
    ----------
    patience : float    Longest time that loading compiled kernels takes. [s]
    """
    if err.is_interactive:
        yield
        return
    line = threading.Timer(patience, err.print, ["compiling kernels, up to a minute"])
    line.daemon = True
    line.start()
    try:
        yield
    finally:
        line.cancel()


def prepare_kernels(bar: Progress, *, loops: bool = False) -> TaskID:
    """Compile or load the solver's kernels, shown as a task of the display; returns the task."""
    from solvers.airflow.model import warm_up

    task = bar.add_task("Preparing kernels", total=None)

    def show(kernel: str, done: int, total: int) -> None:
        bar.update(task, description=f"Preparing kernels: {kernel}", completed=done, total=total)

    with telling_of_compilation():
        warm_up(show)
        if loops:
            from solvers.coolant.warm import warm_up as warm_up_loops

            warm_up_loops(show)
    return task


def find_layout(layout: Path) -> Path:
    """Return the layout file: the path itself, or the example of that name."""
    from twin.model.load import example_layout

    return layout if layout.exists() or layout.suffix else example_layout(str(layout))


def parse(option: str, text: str | None, unit: str) -> float | None:
    """Read an option's quantity in SI; None stays None.

    Raises
    ------
    InputError : the text is no such quantity; the message names the option.
    """
    from twin.units import parse_quantity

    if text is None:
        return None
    try:
        return parse_quantity(text, unit)
    except ValueError as error:
        raise InputError(f"--{option} {text!r}: {error}") from error
