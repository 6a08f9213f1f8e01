"""``racklet simulate``: a room through events, its progress and its table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import TaskID
from rich.text import Text

from twin.cli.solve import describe, print_loops, racks_table, started
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


def simulate(
    layout: LayoutArgument,
    events: Annotated[
        Path,
        typer.Option(
            "--events", metavar="FILE", help="What happens, and when: YAML, or the name of an example."
        ),
    ],
    duration: Annotated[
        str | None, typer.Option("--duration", help="Time simulated, e.g. '10 min'; default the file's.")
    ] = None,
    every: Annotated[
        str | None, typer.Option("--every", help="Interval of the output; default the file's, else 5 s.")
    ] = None,
    set_: SetOption = None,
    cell: CellOption = None,
    out_: OutOption = None,
    cfl: Annotated[float, typer.Option("--cfl", help="Largest Courant number of a step.")] = 4.0,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="Freeze the flow between events: for long horizons.")
    ] = False,
    checkpoint_every: Annotated[
        str | None, typer.Option("--checkpoint-every", help="Simulated time between checkpoints.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint of a run that was stopped.")
    ] = False,
    cold: ColdOption = False,
    threads: ThreadsOption = None,
    json_: JsonOption = False,
) -> None:
    """Simulate a room through events and write a result folder."""
    with reporting(json_):
        from twin.planning.simulate import simulate as simulate_layout
        from twin.planning.transient.events import time_text
        from twin.planning.transient.script import example_events

        file = events if events.exists() or events.suffix else example_events(str(events))

        with progress_bar() as bar:
            tasks: list[TaskID] = []

            def prepare(found: Any) -> None:
                prepare_kernels(bar, loops=bool(found.loops))
                tasks.append(bar.add_task("Settling the room", total=1.0))

            def show(now: Any) -> None:
                task = tasks[0]
                if now.settling is not None:
                    bar.update(task, completed=now.settling.fraction, description=describe(now.settling))
                    return
                text = f"Simulated {time_text(now.time)} of {time_text(now.duration)}, "
                text += f"{now.speed:.1f}x real time"
                if now.hottest:
                    text += f", {now.hottest} at {now.inlet:.1f} degC"
                bar.update(task, completed=now.time, total=now.duration, description=text)

            result = simulate_layout(
                find_layout(layout),
                file,
                duration=parse("duration", duration, "s"),
                every=parse("every", every, "s"),
                cell=parse("cell", cell, "m"),
                overrides=tuple(set_ or ()),
                out=out_,
                threads=threads,
                progress=show,
                checked=prepare,
                cfl=cfl,
                frozen=frozen,
                checkpoint_every=parse("checkpoint-every", checkpoint_every, "s"),
                resume=resume,
                cold=cold,
            )
        if json_:
            print_json(result.as_json())
        else:
            _print_result(result)


def _print_chips(body: dict[str, Any], whole: str) -> None:
    table = racks_table(
        body, "chips on cold plates", "branch", "rack", "start degC", "peak degC", "at s", "end degC",
        "limit", "flow l/s", "heat kW",
    )  # fmt: skip
    now = {name: branch for loop in body["loops"].values() for name, branch in loop["branches"].items()}
    for name, chip in body["chips"].items():
        table.add_row(
            name, chip["rack"], f"{chip['start_c']:.1f}", f"{chip['peak_c']:.1f}",
            _when(chip["peak_at_s"], body["simulated_s"]), f"{chip['end_c']:.1f}",
            _critical(chip["time_to_limit_s"], whole, "bold red"),
            f"{1e3 * now[name]['flow_m3_s']:.3f}", f"{1e-3 * now[name]['liquid_heat_w']:.1f}",
        )  # fmt: skip
    out.print(table)


def _when(at: float, end: float) -> str:
    """Say when a peak was, and whether the end cut it off."""
    return f"{at:.0f}" if at < end else f"{at:.0f}, rising"


def _print_result(result: Any) -> None:
    from twin.planning.transient.events import time_text

    body = result.as_json()
    whole = time_text(body["simulated_s"])
    table = racks_table(
        body, "when the hottest point of each inlet is critical, from the start",
        "rack", "class", "start degC", "peak degC", "at s", "end degC", "recommended", "allowable",
    )  # fmt: skip
    for name, rack in body["racks"].items():
        table.add_row(
            name,
            rack["ashrae_class"],
            f"{rack['inlet_start_c']:.1f}",
            f"{rack['inlet_peak_c']:.1f}",
            _when(rack["peak_at_s"], body["simulated_s"]),
            f"{rack['inlet_end_c']:.1f}",
            _critical(rack["time_to_recommended_s"], whole, "yellow"),
            _critical(rack["time_to_allowable_s"], whole, "bold red"),
        )
    out.print(table)
    if body["chips"]:
        _print_chips(body, whole)
    print_loops(body["loops"], findings=False)
    for text in body["warnings"]:
        out.print(Text(text, style="yellow"))
    for event in body["events"]:
        out.print(f"{event['at_s']:7.0f} s  {event['text']}", markup=False)
    _print_heat(body)
    out.print(f"steps limited: {body['step']['why']}")
    out.print(
        f"{body['cells']} cells, {body['steps']} steps, {body['wall_s']:.1f} s: "
        f"{body['real_time_factor']:.1f}x real time, settling included"
    )
    start = body["start"]
    out.print(f"settled before the first event: {start['steps']} steps from {started(start['started_from'])}")
    out.print(f"results in {result.folder}")


def _print_heat(body: dict[str, Any]) -> None:
    """Say where the heat went: of the air, and of the chips on coolant loops."""
    balances, loops = body["balances"], body["loops"].values()
    heat = {name.removesuffix("_j"): value / 1e6 for name, value in balances.items() if name.endswith("_j")}
    takers = "coolers and coils" if any(loop["coils"] for loop in loops) else "coolers"
    out.print(
        f"{heat['released']:.2f} MJ released into the air, {heat['taken']:.2f} MJ taken from it by {takers}, "
        f"{heat['stored_air']:+.2f} MJ in the air, {heat['stored_servers']:+.2f} MJ in servers; "
        f"the account closes to {100 * balances['energy_relative']:.2f} %"
    )
    if heat["chips"] > 0.0:
        under = heat["chips"] - heat["chips_to_air"]
        out.print(
            f"racks on coolant loops drew {heat['chips']:.2f} MJ: {heat['chips_to_air']:.2f} MJ of it went "
            f"into the air, {under:.2f} MJ into chips, plates and coolant"
        )


def _critical(time: float | None, whole: str, style: str) -> str:
    if time is None:
        return f"not within {whole}"
    return f"[{style}]{f'{time:.0f} s' if time > 0.0 else 'from the start'}[/]"
