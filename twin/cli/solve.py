"""``racklet solve``: the steady room, its progress and its table."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from twin.cli.terminal import (
    CellOption,
    ColdOption,
    JsonOption,
    LayoutArgument,
    OutOption,
    SetOption,
    ThreadsOption,
    find_layout,
    out,
    parse,
    prepare_kernels,
    print_json,
    progress_bar,
    reporting,
)

BAND_STYLES = {"recommended": "green", "allowable": "yellow", "over": "bold red", "below": "blue"}

_DIFFERS = {"nothing": "the same room", "operation": "another load", "geometry": "another geometry"}


def solve(
    layout: LayoutArgument,
    set_: SetOption = None,
    cell: CellOption = None,
    out_: OutOption = None,
    cold: ColdOption = False,
    influence: Annotated[
        bool,
        typer.Option(
            "--influence",
            help="Also what each kW into the air and each cooler does to each inlet: influence.csv.",
        ),
    ] = False,
    threads: ThreadsOption = None,
    json_: JsonOption = False,
) -> None:
    """Solve the steady room and write a result folder."""
    with reporting(json_):
        from twin.planning.solve import solve as solve_layout

        with progress_bar() as bar:
            prepare_kernels(bar)
            task = bar.add_task("Solving", total=1.0)

            def show(progress: Any) -> None:
                bar.update(task, completed=progress.fraction, description=describe(progress))

            result = solve_layout(
                find_layout(layout),
                cell=parse("cell", cell, "m"),
                overrides=tuple(set_ or ()),
                out=out_,
                threads=threads,
                cold=cold,
                influence=influence,
                progress=show,
            )
        if json_:
            print_json(result.as_json())
        else:
            _print_solution(result)


def describe(progress: Any) -> str:
    """Say in a line how far a steady solve is."""
    text = f"Solving {progress.cells} cells: {progress.time:.0f} s simulated"
    if math.isfinite(progress.drift):
        text += f", inlets drift {progress.drift:.2f} K"
        text += f", heat closes to {100 * progress.energy_relative:.2f} %"
    return text


def started(start: dict[str, Any] | None) -> str:
    """Say what a solve started from, as its result has it."""
    if start is None:
        return "rest"
    return f"the stored solution of {start['layout']} ({_DIFFERS[start['differs']]})"


def racks_table(body: dict[str, Any], about: str, *columns: str) -> Table:
    """Return an empty table of racks, headed by the layout, its changes and what it is about."""
    changed = f" with {', '.join(body['overrides'])}" if body["overrides"] else ""
    table = Table(title=Text(f"{body['layout']}{changed}: {about}"), title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column in ("rack", "class", "band") else "right")
    return table


def _print_solution(result: Any) -> None:
    body = result.as_json()
    captured = "influence" in body
    shares = ("cold %", "hot %") if captured else ()
    table = racks_table(
        body, "rack inlets against their ASHRAE class",
        "rack", "kW", "mean degC", "max degC", "outlet degC", "swing K", "+- K", *shares, "class", "band",
    )  # fmt: skip
    for name, rack in body["racks"].items():
        table.add_row(
            name,
            f"{rack['power_w'] / 1e3:.2f}",
            f"{rack['inlet_mean_c']:.1f}",
            f"{rack['inlet_max_c']:.1f}",
            f"{rack['outlet_mean_c']:.1f}",
            f"{rack['swing_k']:.2f}",
            f"{rack['inlet_error_k']:.2f}",
            *(f"{100 * rack[f'capture_{side}']:.0f}" for side in ("cold", "hot") if captured),
            rack["ashrae_class"],
            f"[{BAND_STYLES[rack['band']]}]{rack['band']}[/]",
        )
    out.print(table)
    worst = max(body["racks"], key=lambda name: body["racks"][name]["inlet_max_c"], default=None)
    if worst is not None:
        over = [name for name, rack in body["racks"].items() if rack["band"] in ("allowable", "over")]
        out.print(
            f"hottest inlet {body['racks'][worst]['inlet_max_c']:.1f} degC at {worst}; "
            f"outside the recommended band: {', '.join(over) or 'none'}"
        )
    balances = body["balances"]
    out.print(
        f"mass closes to {balances['mass_relative']:.1e} of the supply flow, "
        f"heat to {100 * balances['energy_relative']:.3f} %"
    )
    out.print(
        f"means over {body['averaged_s']:.0f} s, in which inlets swing by the K above; +- K is the standard "
        f"error of the mean as far as that time shows"
    )
    if captured:
        rest = (
            "rack to rack in influence.csv, in K/kW air: per kW that a rack gives to the air, its power less "
            "what liquid takes"
            if len(body["racks"]) > 1
            else "what is left of each is the rack's own exhaust come back, or outside air"
        )
        out.print(
            "cold %, hot %: capture indices, the share of inlet air straight from coolers and of exhaust "
            f"straight into them; {rest}"
        )
        apart = body["influence"]["frozen_difference_k"]
        out.print(f"the frozen flow's own steady inlets lie within {apart:.2f} K of the means")
    since = started(body["started_from"])
    out.print(f"{body['cells']} cells, {body['steps']} steps from {since}, {body['wall_s']:.1f} s")
    out.print(f"results in {result.folder}")
