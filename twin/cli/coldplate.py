"""``racklet coldplate``: a cold plate or a chip stack, its progress and its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from twin.cli.terminal import (
    JsonOption,
    OutOption,
    out,
    print_json,
    progress_bar,
    reporting,
    telling_of_compilation,
)
from twin.units import ZERO_CELSIUS

_ROWS = 24  # probes or designs that are shown


def coldplate(
    spec: Annotated[
        Path, typer.Argument(metavar="SPEC", help="Cold plate in YAML, or a 3D-ICE stack (.stk).")
    ],
    model: Annotated[
        Literal["two_resistor", "four_resistor", "correlation", "resolved"] | None,
        typer.Option(help="Instead of the YAML file's."),
    ] = None,
    cells: Annotated[int | None, typer.Option(help="Cells at most, about.", min=1000)] = None,
    sweep: Annotated[
        bool,
        typer.Option("--sweep", help="Compare the designs of the file's sweep and choose one: pareto.png."),
    ] = False,
    out_: OutOption = None,
    json_: JsonOption = False,
) -> None:
    """Solve a cold plate or a 3D-ICE stack, or compare designs of a plate; writes a result folder."""
    with reporting(json_):
        from solvers.coldplate.plate_solve import warm_up
        from twin.plates.run import StudyResult
        from twin.plates.run import coldplate as solve_plate

        with progress_bar() as bar:
            task = bar.add_task("Preparing kernels", total=None)
            with telling_of_compilation():
                warm_up()
            bar.update(task, description="Comparing designs" if sweep else "Solving", total=100)
            result = solve_plate(
                spec, out_, model, cells, sweep,
                progress=lambda share: bar.update(task, completed=round(100 * share)),
            )  # fmt: skip
        if json_:
            print_json(result.as_json())
            return
        if isinstance(result, StudyResult):
            _print_study(result.as_json()["study"])
        _print_plate(result)


def _print_study(study: dict[str, Any]) -> None:
    out.print(Text("Designs on the front, by pumping power", style="italic"))
    table = Table()
    for column in (
        "", "channels", "width mm", "wall mm", "height mm", "fluid", "flow l/min", "kPa", "pump W", "K/kW",
        "chip degC", "checked",
    ):  # fmt: skip
        table.add_column(column, justify="left" if column in ("", "fluid") else "right")
    checked = [(check["design"], check["difference"]) for check in study["checks"]]
    rows = study["front"]
    if study["chosen"] not in rows:
        rows = sorted([*rows, study["chosen"]], key=lambda design: design["pumping_w"])
    for design in _thinned(rows, study["chosen"], [item for item, _ in checked]):
        difference = next((value for item, value in checked if item == design), None)
        table.add_row(
            "chosen" if design == study["chosen"] else "",
            str(design["channels"]),
            *(f"{1e3 * design[key]:g}" for key in ("width_m", "wall_m", "height_m")),
            design["fluid"],
            f"{6e4 * design['flow_m3_s']:.3g}",
            f"{design['pressure_drop_pa'] / 1e3:.3g}",
            f"{design['pumping_w']:.2g}",
            f"{1e3 * design['resistance_k_w']:.2f}",
            f"{design['highest_k'] - ZERO_CELSIUS:.1f}",
            "" if difference is None else f"{100 * difference:+.1f} %",
        )
    out.print(table)
    left = ", ".join(f"{count}: {reason}" for reason, count in study["skipped"].items())
    out.print(f"{study['designs']} designs compared" + (f"; left out: {left}" if left else ""))
    kept = ", ".join(f"{part} {text}" for part, text in study["kept"].items() if part != "count")
    channels = study["kept"]["count"]
    if channels != "as many as fit":
        channels = f"{channels}, as the file asks"
    out.print(f"channels: {channels}" + (f"; of the file: {kept}" if kept else ""))
    chosen = study["chosen"]
    margin = "" if chosen["margin_k"] is None else f", {chosen['margin_k']:.1f} K below the limit"
    text = f"{study['chosen_text']}; hottest chip {chosen['highest_k'] - ZERO_CELSIUS:.1f} degC{margin}"
    out.print(Text(f"Build: {text}", style="bold"))
    if study["plates"] > 1:
        out.print(
            f"{study['plates']} such plates: {study['total_heat_w'] / 1e3:.4g} kW, "
            f"{6e4 * study['total_flow_m3_s']:.3g} l/min, {study['total_pumping_w']:.2g} W to the coolant"
        )


def _thinned(rows: list[dict], chosen: dict, checked: list[dict]) -> list[dict]:
    """Rows for one screen: some evenly along the front, with what was chosen or checked."""
    step = max(1, -(-len(rows) // _ROWS))
    return [row for n, row in enumerate(rows) if n % step == 0 or row == chosen or row in checked]


def _print_plate(result: Any) -> None:
    body = result.as_json()
    out.print(Text(f"{body['name']}: {body['model']} model", style="italic"))
    over_time = not body["steady"]
    table = Table()
    columns = ("first degC", "highest degC", "at s", "last degC") if over_time else ("degC",)
    for column in ("probe", *columns, *(("limit degC",) if _limits(body) else ())):
        table.add_column(column, justify="left" if column == "probe" else "right")
    for name, series in list(body["probes"].items())[:_ROWS]:
        time, value = max(series, key=lambda moment: moment[1])
        cells = (series[0][1], value, None, series[-1][1]) if over_time else (value,)
        shown = [f"{time:.6g}" if cell is None else f"{cell - ZERO_CELSIUS:.2f}" for cell in cells]
        limit = _limits(body).get(name)
        table.add_row(name, *shown, "" if limit is None else f"{limit - ZERO_CELSIUS:.4g}")
    if body["probes"]:
        out.print(table)
    if len(body["probes"]) > _ROWS:
        out.print(f"{len(body['probes']) - _ROWS} more in probes.csv")
    drop = body["pressure_drop_pa"]
    shown = "not known" if drop is None else f"{drop / 1e3:.2f} kPa"
    highest = body["max_k"] - ZERO_CELSIUS
    if "mass_flow_kg_s" in body:
        _print_operation(body)
    when = " at the end" if over_time else ""
    out.print(f"highest temperature {highest:.2f} degC, coolant +{body['coolant_rise_k']:.3f} K{when}")
    out.print(f"pressure drop {shown} ({body['pressure_drop_of']})")
    out.print(f"flow in channels: {body['channel_flow']}")
    out.print(
        f"heat closes to {body['energy_relative']:.1e}; {body['cells']:,} cells, {body['wall_s']:.2f} s"
    )
    out.print(f"results in {result.folder}", markup=False)


def _limits(body: dict[str, Any]) -> dict[str, float]:
    """Highest allowed temperature of each chip that has one. [K]."""
    return {name: chip["limit_k"] for name, chip in body.get("chips", {}).items() if "limit_k" in chip}


def _print_operation(body: dict[str, Any]) -> None:
    """Heat, flow, resistance and pumping power of a plate; a transient's at all of its heat."""
    at = "" if body["steady"] else " (steady, all heat)"
    text = f"{body['heat_w']:.4g} W, {body['coolant']} at {6e4 * body['flow_m3_s']:.3g} l/min"
    text += f", {body['channels']} channels"
    if body["thermal_resistance_k_w"] is not None:
        text += f"; {1e3 * body['thermal_resistance_k_w']:.2f} K/kW{at}"
    out.print(f"{text}; pumping {body['pumping_power_w']:.2g} W")
