"""The command line: the composition root, the only module that knows every part and the only one that prints.

Each command is a few lines around a function of the same name, the longer ones in files of their own
(``twin/cli/solve.py`` and so on); what fails leaves with the exit codes of :mod:`twin.errors`: 0 done, 2 bad
input, 3 not converged, 4 refused, 5 something outside failed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.progress import Progress
from rich.table import Table

from twin import __version__
from twin.cli.bench import bench
from twin.cli.coldplate import coldplate
from twin.cli.simulate import simulate
from twin.cli.solve import solve
from twin.cli.terminal import (
    INTERRUPTED,
    CellOption,
    JsonOption,
    LayoutArgument,
    SetOption,
    StateOption,
    err,
    find_layout,
    log_to_stderr,
    out,
    parse,
    print_json,
    progress_bar,
    reporting,
)
from twin.cli.validate import validate

app = typer.Typer(
    name="racklet",
    help="Racklet Twin: the live digital twin of a room of racks, and its control system.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


_UsageError: type[Any] = typer.BadParameter.__bases__[0]  # typer does not export it


def main() -> None:
    """Run the command line; with ``--json`` a wrong command line is told as an object too."""
    try:
        code = app(standalone_mode=False)
    except _UsageError as error:  # pyright: ignore[reportGeneralTypeIssues]
        error.show()
        if "--json" in sys.argv:
            message = error.format_message()
            print_json({"error": {"kind": "UsageError", "message": message, "exit_code": error.exit_code}})
        sys.exit(error.exit_code)
    except typer.Abort:
        sys.exit(INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


def _version(show: bool) -> None:
    if show:
        out.print(f"racklet {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


# --- a command each, in files of their own ----------------------------------------------------------------

app.command()(bench)
app.command()(solve)
app.command()(simulate)
app.command()(coldplate)
app.command()(validate)


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
    with reporting(json_):
        from twin.cli.live import run as run_live
        from twin.runtime.settings import RunSettings

        settings = RunSettings(
            layout=str(find_layout(layout).resolve()),
            overrides=tuple(set_ or ()),
            cell=parse("cell", cell, "m"),
            trace=None if trace is None else str(trace.resolve()),
            allocate_every=parse("allocate-every", allocate_every, "s") or 0.0,
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
        err.print(text, markup=False, soft_wrap=True)

    def step(self, text: str, done: int | None = None, total: int | None = None) -> None:
        """Show what is going on now."""
        if self._progress is None:
            self._progress = progress_bar()
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
            print_json(body)
        else:
            print(f"Racklet Twin is live: {body['url']}", flush=True)
            print(f"Ctrl-C stops it. Logs: {body['logs']}", flush=True)


# --- processes of the live twin; each also starts alone ---------------------------------------------------


@app.command()
def agent(config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The agent's JSON file.")]) -> None:
    """Run a racklet controller on the mesh."""
    with reporting():
        from hardware_sync.agent.agent import run_agent

        log_to_stderr()
        run_agent(config)


@app.command(hidden=True)
def plant(state: Annotated[Path, typer.Argument()]) -> None:
    """Run the emulated plant of a state folder."""
    with reporting():
        from twin.cli.processes import run_plant_process

        log_to_stderr()
        run_plant_process(state)


@app.command(hidden=True)
def service(state: Annotated[Path, typer.Argument()]) -> None:
    """Run the twin service of a state folder."""
    with reporting():
        from twin.cli.processes import run_twin_process

        log_to_stderr()
        run_twin_process(state)


@app.command(hidden=True)
def web(state: Annotated[Path, typer.Argument()]) -> None:
    """Run the web process of a state folder."""
    with reporting():
        from twin.cli.processes import run_web_process

        log_to_stderr()
        run_web_process(state)


# --- doctor -----------------------------------------------------------------------------------------------


@app.command()
def doctor(
    state: StateOption = None,
    port: Annotated[int, typer.Option(help="Port the page would be served on.", min=1, max=65535)] = 8050,
    json_: JsonOption = False,
) -> None:
    """Say what this machine has and lacks, with the remedy."""
    with reporting(json_):
        from twin.runtime.doctor import as_json
        from twin.runtime.doctor import doctor as examine

        checks = examine(state, port)
        body = as_json(checks)
        if json_:
            print_json(body)
        else:
            table = Table(box=None, pad_edge=False)
            for column in ("", "what", "found", "remedy"):
                table.add_column(column)
            marks = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "missing": "[bold red]missing[/]"}
            for check in checks:
                table.add_row(marks[check.status], check.name, check.found, check.remedy)
            out.print(table)
        if not body["ready"]:
            raise typer.Exit(5)
