"""The command line: the composition root, the only module that knows every part and the only one that prints.

Each command is a few lines around a function of the same name; what fails leaves with the exit codes of
:mod:`twin.errors`: 0 done, 2 bad input, 3 not converged, 4 refused, 5 something outside failed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from twin import __version__
from twin.errors import InputError, TwinError

app = typer.Typer(
    name="racklet",
    help="Racklet Twin: the live digital twin of a room of racks, and its control system.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_err = Console(stderr=True, highlight=False)
_out = Console(highlight=False, width=None if sys.stdout.isatty() else 140)

LayoutArgument = Annotated[
    Path, typer.Argument(metavar="LAYOUT", help="Layout file, or the name of an example.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a field of the layout; may be repeated."),
]
CellOption = Annotated[str | None, typer.Option("--cell", help="Target cell size, e.g. 0.1 or '10 cm'.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
StateOption = Annotated[
    Path | None, typer.Option("--state", help="State folder; default: under the user's state directory.")
]


def main() -> None:
    """Run the command line."""
    app()


@contextlib.contextmanager
def _reporting() -> Iterator[None]:
    """Turn our errors into a message and an exit code; everything else is a bug and shows its trace."""
    try:
        yield
    except TwinError as error:
        _err.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        _err.print("interrupted; nothing half-written stays behind", style="yellow")
        raise typer.Exit(130) from None


def _log_to_stderr(level: int = logging.INFO) -> None:
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    logging.getLogger("numba").setLevel(logging.WARNING)


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=_err,
        transient=True,
    )


def _find_layout(layout: Path) -> Path:
    from twin.model.load import example_layout

    return layout if layout.exists() or layout.suffix else example_layout(str(layout))


def _parse(option: str, text: str | None, unit: str) -> float | None:
    from twin.units import parse_quantity

    if text is None:
        return None
    try:
        return parse_quantity(text, unit)
    except ValueError as error:
        raise InputError(f"--{option} {text!r}: {error}") from error


def _version(show: bool) -> None:
    if show:
        _out.print(f"racklet {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


# --- solve ------------------------------------------------------------------------------------------------


@app.command()
def solve(
    layout: LayoutArgument,
    set_: SetOption = None,
    cell: CellOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Result folder; default under results/.")] = None,
    json_: JsonOption = False,
) -> None:
    """Solve the steady room and write a result folder."""
    with _reporting():
        from twin.planning.solve import solve as solve_layout

        with _progress() as bar:
            kernels = bar.add_task("Preparing kernels", total=None)
            _compile(bar, kernels)
            task = bar.add_task("Solving", total=1.0)

            def show(progress: Any) -> None:
                bar.update(task, completed=progress.fraction, description=_describe(progress))

            result = solve_layout(
                _find_layout(layout),
                cell=_parse("cell", cell, "m"),
                overrides=tuple(set_ or ()),
                out=out,
                progress=show,
            )
        if json_:
            print(json.dumps(result.as_json()))
        else:
            _print_solution(result)


def _describe(progress: Any) -> str:
    text = f"Solving {progress.cells} cells: {progress.time:.0f} s simulated"
    if math.isfinite(progress.drift):
        text += f", inlets drift {progress.drift:.2f} K"
        text += f", heat closes to {100 * progress.energy_relative:.2f} %"
    return text


def _print_solution(result: Any) -> None:
    body = result.as_json()
    changed = f" with {', '.join(body['overrides'])}" if body["overrides"] else ""
    title = Text(f"{body['layout']}{changed}: rack inlets against their ASHRAE class")
    table = Table(title=title, title_justify="left")
    for column in ("rack", "kW", "mean degC", "max degC", "outlet degC", "swing K", "class", "band"):
        table.add_column(column, justify="left" if column in ("rack", "class", "band") else "right")
    colours = {"recommended": "green", "allowable": "yellow", "over": "bold red", "below": "blue"}
    for name, rack in body["racks"].items():
        table.add_row(
            name,
            f"{rack['power_w'] / 1e3:.2f}",
            f"{rack['inlet_mean_c']:.1f}",
            f"{rack['inlet_max_c']:.1f}",
            f"{rack['outlet_mean_c']:.1f}",
            f"{rack['swing_k']:.2f}",
            rack["ashrae_class"],
            f"[{colours[rack['band']]}]{rack['band']}[/]",
        )
    _out.print(table)
    worst = max(body["racks"], key=lambda name: body["racks"][name]["inlet_max_c"], default=None)
    if worst is not None:
        over = [name for name, rack in body["racks"].items() if rack["band"] in ("allowable", "over")]
        _out.print(
            f"hottest inlet {body['racks'][worst]['inlet_max_c']:.1f} degC at {worst}; "
            f"outside the recommended band: {', '.join(over) or 'none'}"
        )
    balances = body["balances"]
    _out.print(
        f"mass closes to {balances['mass_relative']:.1e} of the supply flow, "
        f"heat to {100 * balances['energy_relative']:.3f} %"
    )
    _out.print(f"{body['cells']} cells, {body['steps']} steps, {body['wall_s']:.1f} s")
    _out.print(f"results in {result.folder}")


def _compile(bar: Progress, task: Any) -> None:
    from solvers.airflow.model import warm_up

    def show(kernel: str, done: int, total: int) -> None:
        bar.update(task, description=f"Preparing kernels: {kernel}", completed=done, total=total)

    warm_up(show)


# --- run --------------------------------------------------------------------------------------------------


@app.command()
def run(
    layout: LayoutArgument = Path("pod_two_row"),
    trace: Annotated[
        Path | None, typer.Option("--trace", help="Recording that drives the racks: CSV or Parquet.")
    ] = None,
    allocate_every: Annotated[
        str, typer.Option("--allocate-every", help="Period of the loop, e.g. 30s, '5 min'.")
    ] = "5 min",
    mode: Annotated[
        Literal["advise", "auto"], typer.Option(help="advise proposes, auto commits.")
    ] = "advise",
    set_: SetOption = None,
    cell: CellOption = None,
    seed: Annotated[int, typer.Option(help="Of everything random in the emulated plant.", min=0)] = 1,
    state: StateOption = None,
    host: Annotated[str, typer.Option(help="Address the page is served on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port the page is served on.", min=1, max=65535)] = 8050,
    json_: JsonOption = False,
) -> None:
    """Run the live twin and serve its page."""
    with _reporting():
        from twin.cli.live import run as run_live
        from twin.runtime.settings import RunSettings

        settings = RunSettings(
            layout=str(_find_layout(layout).resolve()),
            overrides=tuple(set_ or ()),
            cell=_parse("cell", cell, "m"),
            trace=None if trace is None else str(trace.resolve()),
            allocate_every=_parse("allocate-every", allocate_every, "s") or 0.0,
            mode=mode,
            seed=seed,
            host=host,
            port=port,
        )
        run_live(settings, state, _LiveScreen(json_))


class _LiveScreen:
    """What ``racklet run`` shows: progress on standard error, the address on standard output."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._progress: Progress | None = None
        self._task: Any = None

    def say(self, text: str) -> None:
        """Print a line."""
        _err.print(text, markup=False, soft_wrap=True)

    def step(self, text: str, done: int | None = None, total: int | None = None) -> None:
        """Show what is going on now."""
        if self._progress is None:
            self._progress = _progress()
            self._progress.start()
            self._task = self._progress.add_task(text, total=total)
        self._progress.update(self._task, description=text, completed=done, total=total)

    def settle(self) -> None:
        """Stop showing progress."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def ready(self, body: dict[str, Any]) -> None:
        """Tell that the page is there."""
        self.settle()
        if self._as_json:
            print(json.dumps(body), flush=True)
        else:
            print(f"Racklet Twin is live: {body['url']}", flush=True)
            print(f"Ctrl-C stops it. Logs: {body['logs']}", flush=True)


# --- processes of the live twin; each also starts alone ---------------------------------------------------


@app.command()
def agent(config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The agent's JSON file.")]) -> None:
    """Run a racklet controller on the mesh."""
    with _reporting():
        from hardware_sync.agent.agent import run_agent

        _log_to_stderr()
        run_agent(config)


@app.command(hidden=True)
def plant(state: Annotated[Path, typer.Argument()]) -> None:
    """Run the emulated plant of a state folder."""
    with _reporting():
        from twin.cli.processes import run_plant_process

        _log_to_stderr()
        run_plant_process(state)


@app.command(hidden=True)
def service(state: Annotated[Path, typer.Argument()]) -> None:
    """Run the twin service of a state folder."""
    with _reporting():
        from twin.cli.processes import run_twin_process

        _log_to_stderr()
        run_twin_process(state)


@app.command(hidden=True)
def web(state: Annotated[Path, typer.Argument()]) -> None:
    """Run the web process of a state folder."""
    with _reporting():
        from twin.cli.processes import run_web_process

        _log_to_stderr()
        run_web_process(state)


# --- doctor -----------------------------------------------------------------------------------------------


@app.command()
def doctor(
    state: StateOption = None,
    port: Annotated[int, typer.Option(help="Port the page would be served on.", min=1, max=65535)] = 8050,
    json_: JsonOption = False,
) -> None:
    """Say what this machine has and lacks, with the remedy."""
    with _reporting():
        from twin.runtime.doctor import as_json
        from twin.runtime.doctor import doctor as examine

        checks = examine(state, port)
        body = as_json(checks)
        if json_:
            print(json.dumps(body))
        else:
            table = Table(box=None, pad_edge=False)
            for column in ("", "what", "found", "remedy"):
                table.add_column(column)
            marks = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "missing": "[bold red]missing[/]"}
            for check in checks:
                table.add_row(marks[check.status], check.name, check.found, check.remedy)
            _out.print(table)
        if not body["ready"]:
            raise typer.Exit(5)
