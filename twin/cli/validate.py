"""``racklet validate``: the verification and validation suite with its figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from twin.cli.terminal import JsonOption, err, out, prepare_kernels, print_json, reporting
from twin.errors import OutsideError

if TYPE_CHECKING:
    from twin.validation.suite import Verdict

FAILED = 3  # exit code: a case failed


def validate(
    cases: Annotated[
        list[str] | None, typer.Argument(metavar="[CASE]...", help="Names of cases; all by default.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="The grids that the project is judged by; many minutes.")
    ] = False,
    out_: Annotated[Path | None, typer.Option("--out", help="Folder for the page and its figures.")] = None,
    docs: Annotated[
        Path | None, typer.Option("--docs", help="Rewrite the page of the documentation in this folder.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Name the cases and stop.")] = False,
    json_: JsonOption = False,
) -> None:
    """Run the verification and validation suite: asked beside reached."""
    with reporting(json_):
        from twin.validation.suite import load_cases
        from twin.validation.suite import validate as run_suite

        chosen = load_cases(cases or ())
        if list_:
            names = [{"name": case.name, "title": case.title} for case in chosen]
            if json_:
                print_json({"cases": names})
            else:
                out.print("\n".join(f"{case['name']:20} {case['title']}" for case in names), markup=False)
            return
        with _progress() as bar:
            bar.remove_task(prepare_kernels(bar))
            task = bar.add_task("", total=len(chosen))
            done = 0

            def show(name: str, text: str, share: float) -> None:
                bar.update(task, description=f"{name}: {text}", completed=done + share)

            def ended(verdict: Verdict) -> None:
                nonlocal done
                done += 1
                bar.update(task, completed=done)
                word = "passed" if verdict.result.passed else "FAILED"
                err.print(f"{verdict.case.name}: {word} in {verdict.wall_s:.1f} s", markup=False)

            result = run_suite(cases or (), full, out_, docs, show, ended)
        if json_:
            print_json(result.as_json())
        else:
            for verdict in result.verdicts:
                _print_verdict(verdict)
            good = sum(verdict.result.passed for verdict in result.verdicts)
            out.print(f"{good} of {len(result.verdicts)} cases passed")
            if result.folder is not None and not result.faults:
                out.print(f"page and figures in {result.folder}", markup=False)
    for fault in result.faults:
        err.print(fault, markup=False)
    if result.faults:
        raise typer.Exit(OutsideError.exit_code)
    if not result.passed:
        raise typer.Exit(FAILED)


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_interactive,
    )


def _print_verdict(verdict: Verdict) -> None:
    from twin.validation.page import difference, number

    result = verdict.result
    table = Table(title=Text(f"{verdict.case.name}: {verdict.case.title}"), title_justify="left")
    for column in ("quantity", "asked", "reached", "unit", "rule", "off", ""):
        table.add_column(column, justify="right" if column in ("asked", "reached", "off") else "left")
    for quantity in result.quantities:
        mark = "[green]pass[/]" if quantity.passed else "[bold red]fail[/]"
        asked, reached = (number(value, quantity.rule) for value in (quantity.asked, quantity.reached))
        row = (asked, reached, quantity.unit, quantity.rule)
        table.add_row(quantity.name, *row, difference(quantity), mark)
    if result.beside:
        table.add_section()
    for quantity in result.beside:
        asked, reached = (number(value, quantity.rule) for value in (quantity.asked, quantity.reached))
        row = (asked, reached, quantity.unit, quantity.rule)
        table.add_row(f"[dim]{quantity.name}[/]", *row, difference(quantity), "[dim]beside it[/]")
    out.print(table)
    for note in (f"grid: {result.grid}", *result.notes):
        out.print(f"  {note}", markup=False)
