"""Differentially heated square cavity, Ra 1e3 to 1e6: Nusselt numbers and peak velocities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import GRAVITY, AirState, Closure, Numerics
from solvers.airflow.model import AirModel, initial_state, prepare
from twin.validation.box import Wall, box, clustered, slip_sides, unit_inputs
from twin.validation.case import (
    Case,
    Figure,
    Panel,
    Progress,
    Quantity,
    Result,
    Series,
    series,
    within,
)
from twin.validation.march import Marched, march
from twin.validation.reference import read_reference

T_REF = 293.15  # K
WARMTH = 10.0  # K between the walls
PRANDTL = 0.71
_NU_SHARE, _VELOCITY_SHARE = 0.01, 0.02
_RAYLEIGH = ("1e3", "1e4", "1e5", "1e6")


class Cavity(NamedTuple):
    """A heated cavity of unit size at a Rayleigh number; x = 0 is hot, z is up.

    Attributes
    ----------
    model : AirModel
    alpha : float    Thermal diffusivity that gives the Rayleigh number. [m2/s]
    found : Marched
    """

    model: AirModel
    alpha: float
    found: Marched


def solve_cavity(
    Ra: float,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    walls: tuple[Wall, ...],
    progress,
    courant: float = 1.0,
) -> Cavity:
    """March a cavity of unit size with hot wall x = 0 and cold wall x = 1 to rest.

    Parameters
    ----------
    Ra : float
        Rayleigh number g beta dT L^3 / (nu alpha). [-]
    x, y : float64[n + 1]
        Face coordinates; x serves for z too. [m]
    walls : tuple of Wall
        Sides beside the two heated ones that are more than plain walls.
    progress : callable
        Called with the share that is done, 0..1.
    courant : float
        Courant number of the steps. [-]

    Returns
    -------
    Cavity
    """
    alpha = float(np.sqrt(GRAVITY / T_REF * WARMTH / (Ra * PRANDTL)))
    hot = Wall(0, high=False, T=T_REF + WARMTH / 2)
    cold = Wall(0, high=True, T=T_REF - WARMTH / 2)
    case = box(x, y, x, (hot, cold, *walls))
    model = prepare(case, Closure("laminar", nu=PRANDTL * alpha, Pr=PRANDTL), T_REF, Numerics("central"))
    unit = 1.0 / alpha  # L^2 / alpha
    # boundary layers settle at the walls' pace, stratification at that of the flow through them: Ra^(1/4)
    spin_up = 0.6 / Ra**0.25 * unit * 8
    found = march(
        model,
        initial_state(model, T_REF),
        unit_inputs(),
        lambda state: np.array([*nusselt(model, state, alpha), _peaks(model, state, alpha)[0][0]]),
        stretch=spin_up / 12,
        tolerance=3e-4,
        longest=4 * spin_up,
        progress=progress,
        cfl=courant,
        max_dt=spin_up / 400,
    )
    return Cavity(model, alpha, found)


def nusselt(model: AirModel, state: AirState, alpha: float) -> tuple[float, float]:
    """Mean Nusselt numbers of a cavity of unit size: over the hot wall, and over the volume.

    Parameters
    ----------
    model : AirModel
    state : AirState
    alpha : float
        [m2/s]

    Returns
    -------
    hot wall, volume : float
    """
    grid = model.case.grid
    dx, dy, dz = grid.widths
    T = np.asarray(state.T, dtype=np.float64) - T_REF
    u = np.asarray(state.u, dtype=np.float64)
    area = dy[:, None] * dz
    depth = dy.sum() * dz.sum()
    wall = (WARMTH / 2 - T[0]) / (0.5 * dx[0])
    hot = float((wall * area).sum() / depth / WARMTH)
    # heat through the faces normal to x, averaged over the planes between the cells
    gap = np.diff(grid.centres[0])
    flux = u[1:-1] * (T[1:] + T[:-1]) / 2 / alpha - np.diff(T, axis=0) / gap[:, None, None]
    through = (flux * area).sum(axis=(1, 2)) / depth / WARMTH
    return hot, float((through * gap).sum() / gap.sum())


def _peaks(model: AirModel, state: AirState, alpha: float) -> tuple[tuple[float, float], ...]:
    """Largest u on x = 1/2 and w on z = 1/2 over alpha / L, and where; parabola through three points."""
    grid = model.case.grid
    middle_x, middle_z = grid.shape[0] // 2, grid.shape[2] // 2
    u = np.asarray(state.u[middle_x, 0, :], dtype=np.float64) / alpha
    w = np.asarray(state.w[:, 0, middle_z], dtype=np.float64) / alpha
    return _peak(grid.centres[2], u), _peak(grid.centres[0], w)


def _peak(at: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[float, float]:
    top = int(np.clip(values.argmax(), 1, values.size - 2))
    a, b, c = np.polyfit(at[top - 1 : top + 2], values[top - 1 : top + 2], 2)
    if a == 0:
        return float(values[top]), float(at[top])
    return float(c - b * b / (4 * a)), float(-b / (2 * a))


def _run(full: bool, progress: Progress) -> Result:
    chosen = _RAYLEIGH if full else _RAYLEIGH[:3]
    table = read_reference("devahldavis1983_square_cavity")
    quantities: list[Quantity] = []
    beside: list[Quantity] = []
    profiles: list[tuple[Series, Series]] = []
    notes: list[str] = []
    for at, Ra in enumerate(chosen):
        n = (80 if Ra == "1e6" else 64) if full else 40

        def share(part: float, at: int = at, Ra: str = Ra) -> None:
            progress(f"Ra {Ra}", (at + part) / len(chosen))

        cavity = solve_cavity(float(Ra), clustered(n, 1.0, 4.0), np.array([0.0, 1.0]), slip_sides(1), share)
        row = table.where("Ra", Ra)
        asked = {name: float(row.numbers(name)[0]) for name in row.columns if name != "Ra"}
        model, alpha, found = cavity
        hot, volume = nusselt(model, found.state, alpha)
        (u, z_u), (w, x_w) = _peaks(model, found.state, alpha)
        quantities += [
            within(f"Ra {Ra}: mean Nu", asked["nu_mean"], volume, _NU_SHARE),
            within(f"Ra {Ra}: Nu of the hot wall", asked["nu_hot_wall"], hot, _NU_SHARE),
            within(f"Ra {Ra}: largest u on x = 1/2", asked["u_max"], u, _VELOCITY_SHARE, "alpha/L"),
            within(f"Ra {Ra}: largest v on y = 1/2", asked["v_max"], w, _VELOCITY_SHARE, "alpha/L"),
        ]
        beside += [
            within(f"Ra {Ra}: y of the largest u", asked["y_at_u_max"], z_u, _VELOCITY_SHARE, "L"),
            within(f"Ra {Ra}: x of the largest v", asked["x_at_v_max"], x_w, _VELOCITY_SHARE, "L"),
        ]
        if not found.settled:
            notes.append(f"Ra {Ra}: still changing by {found.change:.1e} a stretch.")
        profiles.append(_profile(Ra, cavity))
    lines = [line for pair in profiles for line in pair]
    figure = Figure(
        "heated_cavity",
        "Profiles through the middle of the cavity; circles mark the published peaks.",
        (
            Panel("Temperature on y = 1/2", "x / L", "(T - T cold) / dT", tuple(lines[1::2])),
            Panel(
                "Vertical velocity on y = 1/2, over its published peak",
                "x / L",
                "v / v max",
                (
                    *lines[::2],
                    series(
                        "de Vahl Davis 1983, peaks",
                        [float(table.where("Ra", Ra).numbers("x_at_v_max")[0]) for Ra in chosen],
                        np.ones(len(chosen)),
                        "data",
                    ),
                ),
            ),
        ),
    )
    grid = "64 x 64 (Ra 1e6: 80 x 80), clustered at the walls 4 : 1" if full else "40 x 40, clustered 4 : 1"
    return Result(tuple(quantities), grid, tuple(beside), (figure,), tuple(notes))


def _profile(Ra: str, cavity: Cavity) -> tuple[Series, Series]:
    table = read_reference("devahldavis1983_square_cavity").where("Ra", Ra)
    model, alpha, found = cavity
    grid = model.case.grid
    middle = grid.shape[2] // 2
    w = np.asarray(found.state.w[:, 0, middle], dtype=np.float64) / alpha / table.numbers("v_max")[0]
    T = np.asarray(found.state.T[:, 0, middle - 1 : middle + 1], dtype=np.float64).mean(axis=1)
    name = f"Ra {Ra}"
    x = grid.centres[0]
    return series(name, x, w), series(name, x, (T - T_REF) / WARMTH + 0.5)


CASE = Case(
    name="heated_cavity",
    title="Differentially heated square cavity",
    source="de Vahl Davis (1983), Int. J. Numer. Meth. Fluids 3, 249-264; Pr 0.71.",
    closure="laminar, central advection, implicit steps until Nusselt numbers and velocities stand still",
    modelled="One cell deep between frictionless sides; isothermal side walls, adiabatic floor and ceiling.",
    not_modelled="Nothing beyond Boussinesq, which is what the benchmark is defined with.",
    run=_run,
)
