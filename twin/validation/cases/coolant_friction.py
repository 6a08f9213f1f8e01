"""Churchill's friction factor: its check values, and over the Moody chart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.coolant.friction import churchill
from twin.validation.case import Case, Figure, Panel, Progress, Result, at_most, series, within
from twin.validation.reference import read_reference

_CHECK = 0.018462624566280075  # at Re 1e5, roughness 1e-4: CalebBell/fluids, tests of friction.py
_COLUMNS = (
    ("f(RR=0)", 0.0),
    ("f(RR=1.78e-5)", 1.78e-5),
    ("f(RR=3.16e-4)", 3.16e-4),
    ("f(RR=5.62e-3)", 5.62e-3),
)
_TURBULENT = 1e4  # Re from which the chart's turbulent lines are compared


def _run(full: bool, progress: Progress) -> Result:
    progress("friction factors", 0.0)
    Re = np.geomspace(1.0, 1e8, 400 if full else 200)
    roughness = np.array([0.0, 1e-6, 1e-4, 1e-2, 5e-2])
    every, rough = (grid.ravel() for grid in np.meshgrid(Re, roughness))
    apart = np.abs(churchill(every, rough) / _plain(every, rough) - 1)
    slow = np.geomspace(1e-3, 199.0, 50)
    quantities = (
        within("f at Re 1e5, roughness 1e-4", _CHECK, float(churchill(1e5, 1e-4)), 1e-6),
        at_most("largest error against the formula in 80 bits, Re 1 to 1e8", 1e-6, float(apart.max())),
        at_most(
            "largest error against 64 / Re below Re 200",
            1e-6,
            float(np.abs(churchill(slow) * slow / 64 - 1).max()),
        ),
    )
    chart = read_reference("moody_darcy_friction")
    lines, beside = [series("64 / Re", Re[Re < 4e3], 64 / Re[Re < 4e3], "dashed")], []
    at = chart.numbers("Re_H")
    for column, rough_wall in _COLUMNS:
        known = ~np.isnan(chart.numbers(column))
        x, y = at[known], chart.numbers(column)[known]
        lines += [
            series(f"Churchill, e/D {rough_wall:g}", Re[Re > 500], churchill(Re[Re > 500], rough_wall)),
            series(f"Colebrook, e/D {rough_wall:g}", x[::6], y[::6], "data"),
        ]
        use = x >= _TURBULENT
        off = float(np.abs(churchill(x[use], rough_wall) / y[use] - 1).max())
        beside.append(
            at_most(f"largest difference from Colebrook above Re 1e4, e/D {rough_wall:g}", 0.03, off)
        )
    panel = Panel("Moody chart", "Re", "Darcy friction factor", tuple(lines), log=True)
    figure = Figure("coolant_friction", "Churchill's friction factor over the Moody chart.", (panel,))
    return Result(quantities, f"{every.size} pairs of Re and roughness", tuple(beside), (figure,))


def _plain(Re: NDArray[np.float64], roughness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take the published formula as it stands, in extended precision."""
    R, e = Re.astype(np.longdouble), roughness.astype(np.longdouble)
    A = (np.longdouble(2.457) * np.log(1 / ((7 / R) ** np.longdouble(0.9) + np.longdouble(0.27) * e))) ** 16
    B = (37530 / R) ** 16
    f = 8 * ((8 / R) ** 12 + (A + B) ** np.longdouble(-1.5)) ** (1 / np.longdouble(12))
    return f.astype(np.float64)


CASE = Case(
    name="coolant_friction",
    title="Friction factor of pipes",
    source=(
        "Churchill (1977), Chem. Eng. 84(24), 91-92; check value of CalebBell/fluids; Moody chart after "
        "Colebrook, firemodels/exp."
    ),
    closure="Churchill's formula (C6), one for laminar, transitional and turbulent flow",
    modelled="Pipes of Re 1e-3 to 1e8, smooth to a roughness of 5 %.",
    not_modelled="The difference between Churchill and Colebrook is shown, not judged: they are two fits.",
    run=_run,
)
