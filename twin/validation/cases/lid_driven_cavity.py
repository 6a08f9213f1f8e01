"""Lid-driven square cavity, Re 100, 400, 1000."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import AirState, Closure, Numerics
from solvers.airflow.model import initial_state, prepare
from twin.validation.box import Wall, box, slip_sides, unit_inputs
from twin.validation.case import Case, Figure, Panel, Progress, Quantity, Result, at_most, series
from twin.validation.march import march
from twin.validation.reference import read_reference

_REYNOLDS = (100, 400, 1000)
_LIMIT = 0.02  # of the lid speed
_MISPRINT = (400, 0.9063)  # Re, x of the one misprint of table II among these columns; see the file's heading


def _run(full: bool, progress: Progress) -> Result:
    n = 128 if full else 64
    chosen = _REYNOLDS if full else _REYNOLDS[:2]
    quantities: list[Quantity] = []
    panels: list[Panel] = []
    notes: list[str] = []
    for at, reynolds in enumerate(chosen):
        progress(f"Re {reynolds}", at / len(chosen))
        line, state, note = _solve(n, reynolds)
        notes += note
        for name, (position, published), found in _profiles(reynolds, line, state):
            reached = np.interp(position, *found)
            quantities.append(
                at_most(
                    f"Re {reynolds}: largest error of {name} over the lid speed",
                    _LIMIT,
                    float(np.abs(reached - published).max()),
                )
            )
            panels.append(
                Panel(
                    f"Re {reynolds}: {name}",
                    "y" if name == "u on x = 1/2" else "x",
                    "velocity / lid speed",
                    (series("solver", *found), series("Ghia et al. 1982", position, published, "data")),
                )
            )
    figure = Figure(
        "lid_driven_cavity", f"Velocity on the centre lines of the cavity, {n} x {n} cells.", tuple(panels)
    )
    return Result(tuple(quantities), f"{n} x {n}, uniform", figures=(figure,), notes=tuple(notes))


def _solve(n: int, reynolds: float) -> tuple[NDArray[np.float64], AirState, list[str]]:
    line = np.linspace(0.0, 1.0, n + 1)
    lid = Wall(2, high=True, velocity=(1.0, 0.0, 0.0))
    case = box(line, [0.0, 1.0], line, walls=(*slip_sides(1), lid))
    model = prepare(case, Closure("laminar", nu=1.0 / reynolds), numerics=Numerics("central"))
    # the slow part is the core's spin-up, some Re / 40 turns of the lid
    found = march(
        model,
        initial_state(model),
        unit_inputs(),
        lambda state: np.concatenate(
            [state.u[n // 2, 0, :: n // 16], state.w[:: n // 16, 0, n // 2]], dtype=np.float64
        ),
        stretch=4.0,
        tolerance=1e-3,
        longest=120.0,
        cfl=2.0,
        max_dt=2.0 / n,
    )
    note = [] if found.settled else [f"Re {reynolds:g}: still changing by {found.change:.1e} per 4 L/U."]
    return line, found.state, note


def _profiles(reynolds: int, line: NDArray[np.float64], state: AirState):
    """Name, published (position, value) without misprints, found (position, value)."""
    centre = np.concatenate([[0.0], (line[1:] + line[:-1]) / 2, [1.0]])
    middle = (line.size - 1) // 2
    u = np.concatenate([[0.0], state.u[middle, 0, :], [1.0]])
    w = np.concatenate([[0.0], state.w[:, 0, middle], [0.0]])
    for name, table, column, values in (
        ("u on x = 1/2", "ghia1982_u_vertical_centreline", ("y", f"u_Re{reynolds}"), u),
        ("v on y = 1/2", "ghia1982_v_horizontal_centreline", ("x", f"v_Re{reynolds}"), w),
    ):
        reference = read_reference(table)
        position, published = (reference.numbers(key) for key in column)
        keep = np.ones(position.size, dtype=bool)
        if column[0] == "x" and reynolds == _MISPRINT[0]:
            keep = position != _MISPRINT[1]
        yield name, (position[keep], published[keep]), (centre, values)


CASE = Case(
    name="lid_driven_cavity",
    title="Lid-driven square cavity",
    source=(
        "Ghia, Ghia and Shin (1982), J. Comput. Phys. 48, 387-411, tables I and II; their misprint at Re "
        "400, x = 0.9063 is left out."
    ),
    closure="laminar, central advection, implicit steps until the profiles stand still",
    modelled="One cell deep between frictionless sides; the lid is a moving wall.",
    not_modelled="Nothing; the pressure has no say in it, and neither has heat.",
    run=_run,
)
