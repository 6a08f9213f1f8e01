"""Stacks of chips with channels between them, against the expected values of 3D-ICE's own test suite."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from twin.peers.stacks import STACKS, write_stack
from twin.plates.ice_model import build_ice
from twin.plates.ice_reader import read_stack
from twin.plates.ice_refined import refine_ice
from twin.plates.ice_run import Answers, run_ice
from twin.validation.case import Case, Figure, Panel, Progress, Quantity, Result, at_most, series, within
from twin.validation.reference import find_stack, read_reference

_COMPACT, _CONJUGATE, _BULK = 0.1, 0.035, 1e-3  # K, of the rise, of the bulk rise: asked
_RISE = 100.0 / (48e-6 / 60.0 * 4.172638e6)  # K: 100 W into 48 ml/min
_INLET = 300.0  # K
_SLOT = 0.08  # s, four periods of 20 ms with the same power
_STEP = 0.002  # s

_FILES = ("mc4rm_steady", "mc2rm_steady", "mc4rm_transient")


def _run(full: bool, progress: Progress) -> Result:
    quantities: list[Quantity] = []
    beside: list[Quantity] = []
    with TemporaryDirectory() as folder:
        place = Path(folder)
        for number, kind in enumerate(STACKS):
            progress(f"{kind}, steady", 0.1 * number)
            quantities += _steady(write_stack(place, kind), kind)
        progress("mc4rm, conjugate", 0.5)
        cells = 1_000_000 if full else 100_000
        conjugate, resolved = _refined(write_stack(place, "mc4rm"), cells)
        quantities, beside = [*quantities, *conjugate], resolved
        progress("over time", 0.7)
        other, _ = _transient(write_stack(place, "mc2rm", _transient_words()), "mc2rm")
        apart, panels = _transient(write_stack(place, "mc4rm", _transient_words()), "mc4rm")
        quantities += [apart, other]
    originals, note = _originals(progress)
    figure = Figure(
        "coolant_stacks", "Two dies with channels between them: 50 W each, off for 80 ms, on again.", panels
    )
    grid = f"4rm 200 x 50 x 5 cells; conjugate up to {cells:,} cells"
    return Result((*quantities, *originals), grid, tuple(beside), (figure,), (note,))


def _transient_words() -> str:
    return f"transient step {_STEP:g}, slot {_SLOT:g} ;"


def _solve(path: Path) -> Answers:
    return run_ice(build_ice(read_stack(path)))


def _probes(answers: Answers) -> list[list[tuple[float, float]]]:
    """Histories of the two nodes, whatever the file calls them."""
    return [next(s for name, s in answers.probes.items() if name.endswith(f"node{n}")) for n in (1, 2)]


def _expected(kind: str) -> tuple[float, float]:
    table = read_reference("3dice_steady_regression")
    rows = table.where("floorplan", kind) if "sink" in kind else table.where("case", kind)
    return tuple(float(rows.numbers(f"T_node{n}_K")[0]) for n in (1, 2))  # type: ignore[return-value]


def _apart(answers: Answers, expected: tuple[float, float]) -> float:
    return max(abs(s[0][1] - T) for s, T in zip(_probes(answers), expected, strict=True))


def _steady(path: Path, kind: str) -> list[Quantity]:
    answers = _solve(path)
    found = [
        at_most(f"{kind}, steady: larger error of two nodes", _COMPACT, _apart(answers, _expected(kind)), "K")
    ]
    if kind in ("mc4rm", "mc2rm"):
        found.append(
            within(f"{kind}, steady: bulk rise of the coolant", _RISE, answers.coolant_rise, _BULK, "K")
        )
        found.append(at_most(f"{kind}, steady: heat that does not close", 1e-6, answers.balance.relative))
    return found


def _refined(path: Path, cells: int) -> tuple[list[Quantity], list[Quantity]]:
    """Cells inside walls and channels: with the films of the file, and without any."""
    ice, expected = read_stack(path), _expected("mc4rm")
    rise = max(expected) - _INLET
    films = run_ice(refine_ice(ice, "correlation", cells))
    free = run_ice(refine_ice(ice, "resolved", cells))
    name = "larger difference of two nodes, over the rise"
    return (
        [
            at_most(
                f"mc4rm, conjugate with the films of the file: {name}",
                _CONJUGATE,
                _apart(films, expected) / rise,
            ),
            within("mc4rm, conjugate: bulk rise of the coolant", _RISE, films.coolant_rise, _BULK, "K"),
        ],
        [at_most(f"mc4rm, flow resolved, no film given: {name}", _CONJUGATE, _apart(free, expected) / rise)],
    )


def _transient(path: Path, kind: str) -> tuple[Quantity, tuple[Panel, ...]]:
    answers = _solve(path)
    table = read_reference("3dice_transient_background_regression").where("case", kind)
    largest, panels = 0.0, []
    for n, history in enumerate(_probes(answers), start=1):
        time, T = np.array(history).T
        t, expected = table.numbers("t_s"), table.numbers(f"T_node{n}_K")
        off = np.abs(np.interp(t, time, T) - expected)
        largest = max(largest, float(off.max()))
        lines = (series("ours", 1e3 * time, T), series("3D-ICE", 1e3 * t[::4], expected[::4], "data"))
        panels.append(Panel(f"node {n}", "t [ms]", "T [K]", lines))
    return at_most(
        f"{kind}, transient: largest error of two nodes, all steps", _COMPACT, largest, "K"
    ), tuple(panels)


def _originals(progress: Progress) -> tuple[list[Quantity], str]:
    """Run the files of the suite itself where they lie beside the checkout."""
    found: list[Quantity] = []
    for number, case in enumerate(_FILES):
        path = find_stack(f"3dice_{case}_2dies_background.stk")
        if path is None:
            continue
        progress(path.name, 0.8 + 0.06 * number)
        kind = case.split("_", maxsplit=1)[0]
        if "transient" in case:
            found.append(_transient(path, kind)[0])
        else:
            found += _steady(path, kind)
    found = [
        Quantity(f"file of the suite: {q.name}", q.asked, q.reached, q.unit, q.rule, q.passed) for q in found
    ]
    if not found:
        return found, "Not run: the files of the suite themselves, which are not beside the checkout."
    return found, "The files of the suite themselves were found beside the checkout and were run too."


CASE = Case(
    name="coolant_stacks",
    title="Chip stacks with channels: 3D-ICE's expected values",
    source=(
        "Sridhar et al. (2010), 3D-ICE, ICCAD; expected values of esl-epfl/3d-ice, test/*/output_*.txt, "
        "commit 39d2a7ad: another compact model, not measurements."
    ),
    closure="4-resistor, porous 2-resistor; conjugate finite volumes with cells inside walls and channels",
    modelled=(
        "Two dies of 50 um silicon, 10 x 10 mm, 50 W each, on a layer of 100 channels of 50 x 100 um, of "
        "channels as a porous layer, of pins, or under one heat sink; written as the reference tells them."
    ),
    not_modelled=(
        "The films of the file are not those of developed flow: with the flow resolved and no film given the "
        "colder node differs, which is shown beside."
    ),
    run=_run,
)
