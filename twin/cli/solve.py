"""``racklet solve``: the steady room, its progress and its table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.progress import TaskID
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

SPARED = ("swing K", "outlet degC", "+- K", "class", "hot %", "cold %")
"""Columns that a narrow terminal goes without, in this order."""
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
            tasks: list[TaskID] = []

            def prepare(found: Any) -> None:
                prepare_kernels(bar, loops=bool(found.loops))
                tasks.append(bar.add_task("Solving", total=1.0))

            def show(progress: Any) -> None:
                bar.update(tasks[0], completed=progress.fraction, description=describe(progress))

            result = solve_layout(
                find_layout(layout),
                cell=parse("cell", cell, "m"),
                overrides=tuple(set_ or ()),
                out=out_,
                threads=threads,
                cold=cold,
                influence=influence,
                progress=show,
                checked=prepare,
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


def fitting_table(
    body: dict[str, Any], about: str, columns: Sequence[str], rows: Sequence[Sequence[str]], console: Console
) -> tuple[Table, tuple[str, ...]]:
    """Return the table of racks that the console has room for, and the columns left out of it.

    Heads first break over two lines, then the columns of `SPARED` go, one by one.
    """
    table, dropped = Table(), ()
    attempts = [(False, 0), *((True, count) for count in range(len(SPARED) + 1))]
    for broken, count in attempts:
        dropped = tuple(name for name in SPARED[:count] if name in columns)
        table = racks_table(body, about, *(name for name in columns if name not in dropped))
        if broken:
            for column in table.columns:
                column.header = str(column.header).replace(" ", "\n")
        for row in rows:
            cells = zip(columns, row, strict=True)
            table.add_row(*(cell for name, cell in cells if name not in dropped))
        if Measurement.get(console, console.options.update(width=1000), table).maximum <= console.width:
            break
    return table, dropped


def print_loops(loops: dict[str, Any], *, findings: bool = True) -> None:
    """Print a line for each coolant loop, and what is wrong with it now."""
    for name, loop in loops.items():
        out.print(
            f"{name}: {loop['fluid']}, supply {loop['supply_c']:.1f}, return {loop['return_c']:.1f} degC, "
            f"{1e3 * loop['flow_m3_s']:.2f} l/s, {1e-3 * loop['heat_w']:.1f} kW to the facility, "
            f"pumps {loop['pump_power_w']:.0f} W, level {loop['level']:.0%}; "
            f"its heat closes to {100 * loop['energy_relative']:.1g} %"
        )
        for text in loop["findings"] if findings else ():
            out.print(f"[yellow]{name}: {text}[/]")


def _print_takers(loops: dict[str, Any]) -> None:
    table = Table(title=Text("coolant branches"), title_justify="left")
    for column in (
        "branch",
        "rack",
        "flow l/s",
        "drop kPa",
        "in degC",
        "out degC",
        "heat kW",
        "chip degC",
        "limit",
    ):
        table.add_column(column, justify="left" if column in ("branch", "rack") else "right")
    for loop in loops.values():
        for name, taker in (*loop["branches"].items(), *loop["coils"].items()):
            chip = taker.get("chip_c")
            hot = chip is not None and chip > taker["limit_c"]
            table.add_row(
                name, taker["rack"], f"{1e3 * taker['flow_m3_s']:.3f}",
                f"{1e-3 * taker['pressure_drop_pa']:.1f}", f"{taker['supply_c']:.1f}",
                f"{taker['return_c']:.1f}", f"{1e-3 * taker['liquid_heat_w']:.2f}",
                "coil" if chip is None else f"[bold red]{chip:.1f}[/]" if hot else f"{chip:.1f}",
                "" if chip is None else f"{taker['limit_c']:.0f}",
            )  # fmt: skip
    out.print(table)


def _print_solution(result: Any) -> None:
    body = result.as_json()
    captured = "influence" in body
    shares = ("cold %", "hot %") if captured else ()
    columns = (
        "rack", "kW", "mean degC", "max degC", "outlet degC", "swing K", "+- K", *shares, "class", "band",
    )  # fmt: skip
    rows = [
        (
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
        for name, rack in body["racks"].items()
    ]
    table, dropped = fitting_table(body, "rack inlets against their ASHRAE class", columns, rows, out)
    out.print(table)
    if dropped:
        out.print(f"not shown in {out.width} columns: {', '.join(dropped)}; result.json has them")
    worst = max(body["racks"], key=lambda name: body["racks"][name]["inlet_max_c"], default=None)
    if worst is not None:
        over = [name for name, rack in body["racks"].items() if rack["band"] in ("allowable", "over")]
        out.print(
            f"hottest inlet {body['racks'][worst]['inlet_max_c']:.1f} degC at {worst}; "
            f"outside the recommended band: {', '.join(over) or 'none'}"
        )
    if body["loops"]:
        _print_takers(body["loops"])
        print_loops(body["loops"])
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
