"""Developed laminar flow and heat in rectangular ducts: resolved, and by correlation, over the aspect."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.coolant.duct import refined, solve_duct
from solvers.coolant.friction import f_re
from solvers.coolant.heat_transfer import nusselt
from twin.validation.case import Case, Figure, Panel, Progress, Quantity, Result, at_most, series
from twin.validation.reference import read_reference

_FOUR = (True, True, True, True)
_HEATED = {
    "four": (_FOUR, "_num", ""),
    "three, a short wall adiabatic": ((True, True, True, False), "_3w_short", "_three_wall"),
    "three, a long wall adiabatic": ((True, False, True, True), "_3w_long", "_three_wall_long"),
}
"""Heated walls -> for the resolved duct, in the reference's names, in those of the correlation."""
_RESOLVED, _CORRELATION = 0.01, 0.002  # asked
_LEAST = 0.1  # aspect; the reference goes on to 0.05


def _run(full: bool, progress: Progress) -> Result:
    table = read_reference("rectangular_duct_laminar_fRe_Nu")
    every = table.numbers("alpha")
    use = every >= _LEAST
    aspect = every[use]
    cells = (48, 96) if full else (24, 48)
    quantities: list[Quantity] = []
    beside: list[Quantity] = []
    panels: list[Panel] = []
    for number, (walls, (heated, ending, kind)) in enumerate(_HEATED.items()):
        progress(f"{walls} walls", number / len(_HEATED))
        resolved = np.array([refined(a, cells, heated) for a in aspect])
        lines = []
        if heated == _FOUR:
            exact = table.numbers("fRe_series")[use]
            quantities += _compare("f Re", exact, resolved[:, 0], f_re(aspect))
            direct = np.array([solve_duct(a, cells).f_re for a in aspect])
            name = f"f Re resolved, {cells[0]} x {cells[1]} cells without extrapolation: largest error"
            beside.append(at_most(name, _RESOLVED, _largest(direct, exact)))
            panels.append(_panel("f Re", aspect, [("", exact, resolved[:, 0], f_re(aspect))]))
        for column, boundary in ((1, "H1"), (2, "T")):
            exact = table.numbers(f"nu_{boundary}{ending}")[use]
            line = nusselt(aspect, boundary + kind)
            name = f"Nu {boundary}, {walls}" + (" walls" if heated == _FOUR else "")
            quantities += _compare(name, exact, resolved[:, column], line)
            lines.append((boundary, exact, resolved[:, column], line))
        panels.append(_panel(f"Nu, heated walls: {walls}", aspect, lines))
    figure = Figure(
        "coolant_ducts",
        "Friction and heat transfer of developed laminar flow in rectangular ducts over the aspect.",
        tuple(panels),
    )
    grid = f"{cells[0]} x {cells[1]} cells across, Richardson's extrapolation with half of them"
    return Result(tuple(quantities), grid, tuple(beside), (figure,))


def _compare(
    name: str, exact: NDArray[np.float64], resolved: NDArray[np.float64], line: NDArray[np.float64]
) -> list[Quantity]:
    return [
        at_most(f"{name}: largest error, resolved", _RESOLVED, _largest(resolved, exact)),
        at_most(f"{name}: largest error, correlation", _CORRELATION, _largest(line, exact)),
    ]


def _largest(values: NDArray[np.float64], exact: NDArray[np.float64]) -> float:
    return float(np.abs(values / exact - 1).max())


def _panel(title: str, aspect: NDArray[np.float64], lines: list) -> Panel:
    drawn = []
    for name, exact, resolved, line in lines:
        drawn += [
            series(f"{name} correlation".strip(), aspect, line),
            series(f"{name} resolved".strip(), aspect, resolved, "cloud"),
            series(f"{name} reference".strip(), aspect, exact, "data"),
        ]
    return Panel(title, "short side / long side", "f Re" if title == "f Re" else "Nu", tuple(drawn))


CASE = Case(
    name="coolant_ducts",
    title="Laminar flow and heat transfer in micro-channels",
    source=(
        "Shah and London (1978), Laminar Flow Forced Convection in Ducts, ch. VII: exact series for f Re; Nu "
        "of H1, T and three heated walls from independent finite volumes on two grids, good to 0.1 %."
    ),
    closure="laminar, developed; finite volumes of second order (C3 to C5), polynomials (C1, C7)",
    modelled=(
        "Rectangular ducts of aspects 0.1 to 1, heated on four or three walls, with constant heat flux along "
        "the duct (H1) and with one wall temperature (T)."
    ),
    not_modelled="The entrance; its correlations are compared with marched solutions in the unit tests.",
    run=_run,
)
