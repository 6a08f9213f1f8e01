"""Silicon heat sinks as Tuckerman and Pease made them, beside what is reported of them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from twin.plates.plate_run import plate_numbers, solve_case
from twin.plates.spec_reader import read_plate
from twin.validation.case import Case, Figure, Panel, Progress, Quantity, Result, at_most, series, within

_NEAR = 0.2  # share within which a reported value is called near; it has no say
_WAFER, _LENGTH, _HEATED = 533.0, 14.0, 10.0  # um, mm, mm: of the chip and the heater on it
_ENTRANCES = {"developed": "developed", "thermal": "temperature develops", "simultaneous": "both develop"}


class _Sink(NamedTuple):
    """What is reported of a test: um, cm3/s, W/cm2, cm2 K/W, kPa; the drop of one of them alone."""

    name: str
    width: float
    wall: float
    depth: float
    flow: float
    flux: float
    resistance: float
    drop: float | None


_TESTS = (
    _Sink("80M9 (1)", 56.0, 44.0, 320.0, 4.7, 181.0, 0.110, None),
    _Sink("81F8 (2)", 55.0, 45.0, 287.0, 6.5, 277.0, 0.113, None),
    _Sink("81F9 (3)", 50.0, 50.0, 302.0, 8.6, 790.0, 0.090, 214.0),
)


def _run(full: bool, progress: Progress) -> Result:
    cells = 600_000 if full else 60_000
    found: dict[str, list[dict[str, Any]]] = {}
    with TemporaryDirectory() as folder:
        for number, sink in enumerate(_TESTS):
            progress(f"test {sink.name}", number / len(_TESTS))
            found[sink.name] = [
                _solve(Path(folder) / "sink.yaml", sink, entrance, "correlation", cells)
                for entrance in _ENTRANCES
            ]
        progress("test 81F9 (3), flow resolved", 0.9)
        resolved = _solve(Path(folder) / "sink.yaml", _TESTS[-1], "thermal", "resolved", cells)
    closes = max(abs(body["energy_relative"]) for bodies in found.values() for body in bodies)
    beside: list[Quantity] = []
    for sink in _TESTS:
        for words, body in zip(_ENTRANCES.values(), found[sink.name], strict=True):
            name = f"{sink.name}: resistance, {words}; reported, not verified"
            beside.append(within(name, sink.resistance, body["thermal_resistance_k_w"], _NEAR, "cm2 K/W"))
        if sink.drop is not None:
            drop = found[sink.name][0]["pressure_drop_pa"] / 1e3
            beside.append(
                within(f"{sink.name}: pressure drop; reported, not verified", sink.drop, drop, _NEAR, "kPa")
            )
    last = _TESTS[-1]
    name = f"{last.name}: resistance, flow resolved; reported, not verified"
    beside.append(within(name, last.resistance, resolved["thermal_resistance_k_w"], _NEAR, "cm2 K/W"))
    place = [1.0, 2.0, 3.0]
    lines = [series("reported, not verified", place, [sink.resistance for sink in _TESTS], "data")]
    for at, words in enumerate(_ENTRANCES.values()):
        values = [found[sink.name][at]["thermal_resistance_k_w"] for sink in _TESTS]
        lines.append(series(words, place, values, "points"))
    drops = [found[sink.name][0]["pressure_drop_pa"] / 1e3 for sink in _TESTS]
    names = tuple(sink.name for sink in _TESTS)
    figure = Figure(
        "coolant_heat_sink",
        "Silicon heat sinks of Tuckerman and Pease: largest resistance and pressure drop.",
        (
            Panel("Largest resistance", "test", "R [cm2 K/W]", tuple(lines), names=names),
            Panel(
                "Pressure drop",
                "test",
                "dp [kPa]",
                (
                    series("ours", place, drops, "points"),
                    series("reported, not verified", [3.0], [214.0], "data"),
                ),
                names=names,
            ),
        ),
    )
    return Result(
        (at_most("heat that does not close, of all runs", 1e-6, closes),),
        f"up to {cells:,} cells, {round(_HEATED * 1e3 / 100)} channels",
        tuple(beside),
        (figure,),
        (
            "Geometry, flow, resistance and pressure drop are recalled from the literature and were not "
            "checked against the paper: a comparison, not a gate. 790 W/cm2 and a rise of 71 K are widely "
            "quoted. The pressure drop is that of 14 mm of channel; that of the heated 10 mm is less.",
        ),
    )


def _solve(path: Path, sink: _Sink, entrance: str, model: str, cells: int) -> dict[str, Any]:
    margin, size = 0.5 * (_LENGTH - _HEATED), f"[{_HEATED:g} mm, {_HEATED:g} mm]"
    path.write_text(
        f"""
name: silicon heat sink
coolant: {{fluid: water, inlet_temperature: 23, flow: {sink.flow * 1e-6:g}}}
plate:
  width: {_HEATED:g} mm
  length: {_LENGTH:g} mm
  material: wafer
  base: {_WAFER - sink.depth:g} um
  lid: 1 mm
  lid_material: glass
channels:
  width: {sink.width:g} um
  wall: {sink.wall:g} um
  height: {sink.depth:g} um
  margin: 0.02 mm
  heated_walls: three
  entrance: {entrance}
materials:
  wafer: {{conductivity: 140, heat_capacity: 1.66e6}}
  glass: {{conductivity: 1.1, heat_capacity: 1.8e6}}
chips:
  - {{id: heater, position: [0 mm, {margin:g} mm], size: {size}, power: {sink.flux:g}}}
""",
        encoding="utf-8",
    )
    case = read_plate(path)
    return plate_numbers(case, solve_case(case, model, cells))


CASE = Case(
    name="coolant_heat_sink",
    title="Silicon heat sinks of Tuckerman and Pease",
    source="Tuckerman and Pease (1981), IEEE Electron Device Letters 2(5), 126-129; recalled, not verified.",
    closure="conjugate finite volumes; films by correlation, three heated walls (C7, C8); flow resolved",
    modelled=(
        "Chips of 533 um silicon with channels of 50 to 56 um under a glass lid, 14 mm long, heated on "
        "10 x 10 mm, water at 23 degC; developed flow, and with the entrance of temperature and of both."
    ),
    not_modelled="The manifolds of the experiment and the growth of conductivity towards colder silicon.",
    run=_run,
)
