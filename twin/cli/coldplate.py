"""``racklet coldplate``: a cold plate or a chip stack, its progress and its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from twin.cli.terminal import JsonOption, OutOption, out, print_json, progress_bar, reporting
from twin.units import ZERO_CELSIUS

_ROWS = 24  # probes that are shown


def coldplate(
    spec: Annotated[
        Path, typer.Argument(metavar="SPEC", help="Cold plate in YAML, or a 3D-ICE stack (.stk).")
    ],
    model: Annotated[
        Literal["two_resistor", "four_resistor", "correlation", "resolved"] | None,
        typer.Option(help="Instead of the YAML file's."),
    ] = None,
    cells: Annotated[int | None, typer.Option(help="Cells at most, about.", min=1000)] = None,
    out_: OutOption = None,
    json_: JsonOption = False,
) -> None:
    """Solve a cold plate or a 3D-ICE stack and write a result folder."""
    with reporting(json_):
        from solvers.coldplate.solve import warm_up
        from twin.plates.run import coldplate as solve_plate

        with progress_bar() as bar:
            task = bar.add_task("Preparing kernels", total=None)
            warm_up()
            bar.update(task, description="Solving", total=1.0)
            result = solve_plate(spec, out_, model, cells, lambda share: bar.update(task, completed=share))
        if json_:
            print_json(result.as_json())
        else:
            _print_plate(result)


def _print_plate(result: Any) -> None:
    body = result.as_json()
    table = Table(title=Text(f"{body['name']}: {body['model']} model"), title_justify="left")
    for column in ("probe", "first degC", "highest degC", "at s", "last degC"):
        table.add_column(column, justify="left" if column == "probe" else "right")
    for name, series in list(body["probes"].items())[:_ROWS]:
        time, value = max(series, key=lambda moment: moment[1])
        cells = (series[0][1], value, None, series[-1][1])
        shown = [f"{time:.6g}" if cell is None else f"{cell - ZERO_CELSIUS:.2f}" for cell in cells]
        table.add_row(name, *shown)
    if body["probes"]:
        out.print(table)
    if len(body["probes"]) > _ROWS:
        out.print(f"{len(body['probes']) - _ROWS} more in probes.csv")
    drop = body["pressure_drop_pa"]
    shown = "not known" if drop is None else f"{drop / 1e3:.2f} kPa"
    highest = body["max_k"] - ZERO_CELSIUS
    out.print(f"highest temperature {highest:.2f} degC, coolant +{body['coolant_rise_k']:.3f} K")
    out.print(f"pressure drop {shown} ({body['pressure_drop_of']})")
    out.print(f"flow in channels: {body['channel_flow']}")
    out.print(f"heat closes to {body['energy_relative']:.1e}; {body['cells']} cells, {body['wall_s']:.2f} s")
    out.print(f"results in {result.folder}", markup=False)
