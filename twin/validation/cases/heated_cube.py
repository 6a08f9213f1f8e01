"""Differentially heated cube, Ra 1e4 and 1e5: the mean Nusselt number."""

from __future__ import annotations

import numpy as np

from twin.validation.box import clustered
from twin.validation.case import Case, Figure, Panel, Progress, Quantity, Result, series, within
from twin.validation.cases.heated_cavity import T_REF, WARMTH, nusselt, solve_cavity
from twin.validation.reference import read_reference

_RAYLEIGH = ("1e4", "1e5")
_SHARE = 0.01


def _run(full: bool, progress: Progress) -> Result:
    chosen = _RAYLEIGH if full else _RAYLEIGH[:1]
    n = 44 if full else 20
    line = clustered(n, 1.0, 3.5)
    table = read_reference("cubic_cavity_natural_convection")
    quantities: list[Quantity] = []
    beside: list[Quantity] = []
    profiles = []
    notes: list[str] = []
    for at, Ra in enumerate(chosen):

        def share(part: float, at: int = at, Ra: str = Ra) -> None:
            progress(f"Ra {Ra}", (at + part) / len(chosen))

        model, alpha, found = solve_cavity(float(Ra), line, line, (), share)
        asked = table.where("Ra", Ra)
        hot, volume = nusselt(model, found.state, alpha)
        tric = float(asked.numbers("nu_tric2000")[0])
        quantities.append(within(f"Ra {Ra}: mean Nu of the hot wall", tric, hot, _SHARE))
        beside += [
            within(f"Ra {Ra}: mean Nu over the volume", tric, volume, _SHARE),
            within(
                f"Ra {Ra}: against Fusegi et al. 1991", float(asked.numbers("nu_fusegi1991")[0]), hot, _SHARE
            ),
        ]
        if not found.settled:
            notes.append(f"Ra {Ra}: still changing by {found.change:.1e} a stretch.")
        middle = n // 2
        T = np.asarray(found.state.T[:, middle, middle], dtype=np.float64)
        profiles.append(series(f"Ra {Ra}", model.case.grid.centres[0], (T - T_REF) / WARMTH + 0.5))
    figure = Figure(
        "heated_cube",
        "Temperature through the middle of the cube; no profile is published with the Nusselt numbers.",
        (Panel("Temperature on the axis", "x / L", "(T - T cold) / dT", tuple(profiles)),),
    )
    return Result(
        tuple(quantities), f"{n}^3, clustered at the walls 3.5 : 1", tuple(beside), (figure,), tuple(notes)
    )


CASE = Case(
    name="heated_cube",
    title="Differentially heated cube",
    source=(
        "Tric, Labrosse and Betrouni (2000), Int. J. Heat Mass Transfer 43, 4043-4056; beside it Fusegi, "
        "Hyun, Kuwahara and Farouk (1991), ibid. 34, 1543-1557."
    ),
    closure="laminar, central advection, implicit steps until the Nusselt numbers stand still",
    modelled="All six walls no-slip, two opposite ones isothermal, the others adiabatic.",
    not_modelled="Ra 1e6: its published four-digit value could not be verified at its source.",
    run=_run,
)
