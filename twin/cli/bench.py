"""``racklet bench``: how fast the solver is on this machine, in tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from twin.cli.terminal import JsonOption, err, out, print_json, progress_bar, reporting

if TYPE_CHECKING:
    from twin.benchmark.bench import BenchResult
    from twin.benchmark.coolant import CoolantSpeed

_PARTS = "kernels, step, steady, frozen, coolant, first-call, peers; without any: all of them."
_COUNTED = 1_000_000  # cells at which the kernels are held against the triad


def bench(
    parts: Annotated[list[str] | None, typer.Argument(metavar="[PART...]", help=_PARTS)] = None,
    peer: Annotated[
        bool | None,
        typer.Option(
            "--peer/--no-peer",
            help="Run OpenFOAM beside ours; minutes. Default: where peers is named, else unless --quick.",
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out a million cells and more.")] = False,
    out_: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Also write the JSON object to a file.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Time kernels, steps and rooms on all cores: against memory, against the clock, against OpenFOAM."""
    with reporting(json_):
        from twin.benchmark.bench import bench as measure
        from twin.benchmark.bench import check_target, write_result

        if out_ is not None:
            check_target(out_)
        with progress_bar() as bar:
            task = bar.add_task("Benchmark", total=None)

            def show(text: str, done: int, total: int) -> None:
                bar.update(task, description=text, completed=done, total=total)

            result = measure(parts, peer=peer, quick=quick, progress=show)
        body = result.as_json()
        if out_ is not None:
            write_result(out_, body)
        if json_:
            print_json(body)
            return
        _print(result)
        if out_ is not None:
            err.print(f"written to {out_}", markup=False)


def _print(result: BenchResult) -> None:
    body, memory = result.as_json(), result.memory
    out.print(
        f"{body['processor'] or 'processor'}, {_threads(memory.threads)}; memory triad "
        f"{memory.gb_s:.1f} GB/s, on one thread {memory.one_thread_gb_s:.1f} GB/s"
    )
    for cells in sorted({speed.cells for speed in result.kernels}):
        _print_kernels(result, cells)
    if result.steps:
        _print_steps(result)
    if result.steady:
        _print_steady(result)
    for speed in result.frozen:
        out.print(
            f"frozen flow, {speed.cells:,} cells: {speed.real_time_factor:,.0f} times real time "
            f"(steps of {speed.dt_s:.3g} s, {speed.ms:.1f} ms each; {speed.setup_s:.1f} s to set up)"
        )
    if result.coolant is not None:
        _print_coolant(result.coolant)
    if result.first_call is not None:
        first = result.first_call
        out.print(
            f"first call: {first.cold_s:.1f} s to compile every kernel, {first.cached_s:.1f} s to load it"
        )
    if result.peers:
        _print_peers(result)
    if result.skipped:
        out.print(f"no peer: {result.skipped}", style="yellow", markup=False)
    if result.quick:
        out.print("quick: rooms of a million cells and more are left out", style="yellow")
    _print_figures(result)


def _threads(count: int) -> str:
    return f"{count} thread{'' if count == 1 else 's'}"


def _print_kernels(result: BenchResult, cells: int) -> None:
    from twin.benchmark.kernels import ENOUGH

    table = _table(
        f"Kernels, {cells:,} cells", "kernel", "calls", "threads", "ms", "MB", "GB/s", "of triad", "why"
    )
    for speed in result.kernels:
        if speed.cells == cells:
            word = speed.word or ("fits in the cache" if speed.in_cache else "")
            table.add_row(
                speed.name,
                f"{speed.calls}",
                f"{speed.threads}",
                f"{speed.ms:.3f}",
                f"{speed.mbytes:.1f}",
                f"{speed.gb_s:.1f}",
                f"{speed.fraction_of_triad:.2f}",
                word,
            )
    out.print(table)
    out.print(
        "of triad: against the triad on one thread where the kernel runs on one, else on all"
        + (
            f"; what fits in the cache is not bound by it: the {ENOUGH:.0%} asked count at {_COUNTED:,} cells"
            if cells < _COUNTED
            else ""
        )
    )


def _print_steps(result: BenchResult) -> None:
    table = _table(
        "Steps of a whole room; CFL is dt times the largest |u|/dx + |v|/dy + |w|/dz",
        "room",
        "cells",
        "ms",
        "Mcell/s",
        "times real time, CFL 1",
        "CFL 4",
        "largest direction 1",
    )
    for speed in result.steps:
        table.add_row(
            speed.room,
            f"{speed.cells:,}",
            f"{speed.ms:.1f}",
            f"{speed.mcells_per_s:.1f}",
            f"{speed.real_time_factor:.1f}",
            f"{speed.real_time_factor_cfl_4:.1f}",
            f"{speed.real_time_factor_of_one:.1f}",
        )
    out.print(table)


def _print_steady(result: BenchResult) -> None:
    table = _table(
        "Settled rooms",
        "room",
        "cells",
        "threads",
        "s",
        "steps",
        "B/cell",
        "averaged s",
        "swing K",
        "heat closes to",
    )
    for run in result.steady:
        table.add_row(
            _settled(run.case, run.converged),
            f"{run.cells:,}",
            f"{run.threads}",
            f"{run.wall_s:.1f}",
            f"{run.steps}",
            "" if run.bytes_per_cell is None else f"{run.bytes_per_cell:.0f}",
            f"{run.averaged_s:.0f}",
            f"{run.swing.max():.2f}",
            f"{100 * run.energy_relative:.2f} %",
        )
    out.print(table)


def _print_peers(result: BenchResult) -> None:
    first = result.peers[0]
    title = f"Beside {first.name}: {first.iterations} iterations on {first.ranks} processes, the last "
    title += f"{first.averaged} averaged; ours on {_threads(first.our_threads)}"
    columns = ("ours", "peer", "ours s", "peer s", "times faster", "inlets K", "rack by rack K")
    table = _table(title, *columns, "our swing K", "peer's swing K")
    for peer in result.peers:
        table.add_row(
            _settled(peer.case, peer.our_converged),
            peer.name,
            f"{peer.our_wall_s:.1f}",
            f"{peer.wall_s:.1f}",
            f"{peer.ratio:.0f}",
            f"{peer.inlet_difference_k:+.2f}",
            f"{peer.rack_difference_k:.2f}",
            f"{peer.our_swing_k:.2f}",
            f"{peer.swing_k:.2f}",
        )
    out.print(table)


def _print_coolant(coolant: CoolantSpeed) -> None:
    columns = (
        "branches",
        "prepare ms",
        "first ms",
        "steady ms",
        "step of 1 s ms",
        "slowest, best of 3 ms",
        "second of a trip ms",
    )
    table = _table("Coolant networks of halls", "racklets", *columns)
    for hall in coolant.halls:
        times = (hall.prepare_ms, hall.first_ms, hall.steady_ms, hall.step_ms, hall.slowest_ms, hall.trip_ms)
        table.add_row(f"{hall.racklets}", f"{hall.branches}", *(f"{ms:.1f}" for ms in times))
    out.print(table)
    if coolant.pipes:
        first = coolant.pipes[0]
        title = f"Networks beside {first.peer}\nours: {first.ours}; theirs: {first.theirs}"
        table = _table(title, "network", "ours ms", "peer ms", "times faster", "flows off")
        for one in coolant.pipes:
            table.add_row(
                one.name,
                f"{one.our_wall_ms:.2f}",
                f"{one.wall_ms:.1f}",
                f"{one.ratio:.0f}",
                f"{100 * one.flow_difference:.2f} %",
            )
        out.print(table)
    else:
        out.print(f"no pandapipes: {coolant.pipes_skipped}", style="yellow", markup=False)
    compact = coolant.compact
    table = _table(
        "Cold plates, steady", "model", "cells", "threads", "s", "hottest over inlet K", "heat closes to"
    )
    for plate in (coolant.plate, compact.resolved, compact.compact):
        table.add_row(
            plate.model.replace("_", "-"),
            f"{plate.cells:,}",
            f"{plate.threads}",
            f"{plate.wall_s:.3g}",
            f"{plate.rise_k:.2f}",
            f"{plate.energy_relative:.1e}",
        )
    for stack in coolant.stacks:
        name = f"3D-ICE's {stack.name}, off by {stack.error_k:.4f} K"
        table.add_row(name, f"{stack.cells:,}", f"{stack.threads}", f"{stack.wall_s:.3g}", "", "")
    out.print(table)
    out.print(
        f"compact: {compact.ratio:.0f} times faster than resolved, {compact.difference:.1%} of the rise off"
    )


def _print_figures(result: BenchResult) -> None:
    figures = result.figures
    if not figures:
        return
    table = _table("Asked and reached", "figure", "asked", "reached", "unit", "")
    for figure in figures:
        mark = "[green]yes[/]" if figure.passed else f"[bold red]no[/] {figure.fault}".strip()
        table.add_row(
            figure.name, f"{figure.bound} {figure.asked:g}", f"{figure.reached:.3g}", figure.unit, mark
        )
    out.print(table)


def _settled(case: str, converged: bool) -> str:
    return case if converged else f"{case} (not settled)"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        words = column in ("kernel", "room", "network", "model", "why", "ours", "peer", "figure", "unit", "")
        table.add_column(column, justify="left" if words else "right")
    return table
