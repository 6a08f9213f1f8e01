"""Fully developed laminar flow in a square and in a 4:1 duct: the friction factor."""

from __future__ import annotations

import numpy as np

from solvers.airflow.case import RHO, AirState, Closure, Numerics
from solvers.airflow.model import AirModel, initial_state, prepare
from twin.validation.box import Patch, box, unit_inputs
from twin.validation.case import (
    Case,
    Figure,
    Panel,
    Progress,
    Quantity,
    Result,
    holds,
    observed_orders,
    series,
    within,
)
from twin.validation.march import march
from twin.validation.reference import read_reference

_CELLS = 24  # a side; the asked grid
_RE = 10.0  # low: the flow is developed after one hydraulic diameter
_LENGTH = 6.0  # hydraulic diameters
_STATIONS = (3.0, 4.5)  # between which the pressure falls evenly; the uniform outlet is felt 1 diameter up


def _run(full: bool, progress: Progress) -> Result:
    table = read_reference("rectangular_duct_laminar_fRe_Nu")
    grids = (8, 16, _CELLS) if full else (12, _CELLS)
    quantities: list[Quantity] = []
    panels: list[Panel] = []
    for at, aspect in enumerate((1.0, 0.25)):
        exact = float(table.where("alpha", repr(aspect)).numbers("fRe_series")[0])
        reached, settled = [], []
        for n in grids:
            progress(f"{1 / aspect:g}:1 duct, {n} cells a side", (at + n / 40) / 2)
            value, calm = _f_re(n, aspect)
            reached.append(value)
            settled.append(calm)
        name = "square duct" if aspect == 1.0 else "4:1 duct"
        quantities += [
            within(f"{name}: f Re at {_CELLS} cells a side", exact, reached[-1], 0.01),
            holds(f"{name}: settled on every grid", all(settled)),
        ]
        errors = np.abs(np.array(reached) / exact - 1)
        sizes = 1.0 / np.array(grids, dtype=float)
        order = f"observed order {observed_orders(sizes, errors)[-1]:.2f}" if all(settled) else "not settled"
        panels.append(
            Panel(
                f"{name}: {order}",
                "cell / side",
                "error of f Re",
                (
                    series("solver", sizes, errors, "points"),
                    series("second order", sizes, errors[-1] * (sizes / sizes[-1]) ** 2, "dashed"),
                ),
                log=True,
            )
        )
    figure = Figure("duct", "Error of the friction factor against the exact series.", tuple(panels))
    grid = f"{_CELLS} x {_CELLS} cells across, uniform, 48 along"
    return Result(tuple(quantities), grid, figures=(figure,))


def _f_re(n: int, aspect: float) -> tuple[float, bool]:
    """Fanning friction factor times Reynolds number, on the hydraulic diameter; whether it stands still."""
    height = 1.0
    width = height / aspect
    diameter = 2 * width * height / (width + height)
    nu, U = 0.01, 0.01 * _RE / diameter
    nx = 48
    x = np.linspace(0.0, _LENGTH * diameter, nx + 1)
    openings = (Patch(0, nx, (0, 0), (n, n), -1), Patch(0, 0, (0, 0), (n, n), +1))
    case = box(x, np.linspace(0, width, n + 1), np.linspace(0, height, n + 1), (), openings, ((0, 1),))
    model = prepare(case, Closure("laminar", nu=nu), numerics=Numerics("central"))
    inputs = unit_inputs([U * width * height])
    found = march(
        model,
        initial_state(model),
        inputs,
        lambda state: np.array([_gradient(model, state, diameter)]),
        stretch=0.2 * height**2 / nu,
        tolerance=2e-4,
        longest=4 * height**2 / nu,
        cfl=4.0,
        max_dt=0.02 * height**2 / nu,
    )
    f = _gradient(model, found.state, diameter) * diameter / (2 * RHO * U**2)
    return f * (U * diameter / nu), found.settled


def _gradient(model: AirModel, state: AirState, diameter: float) -> float:
    """Fall of the pressure along the developed part. [Pa/m]."""
    at = model.case.grid.centres[0]
    inside = (at > _STATIONS[0] * diameter) & (at < _STATIONS[1] * diameter)
    areas = np.prod(np.meshgrid(*model.case.grid.widths[1:], indexing="ij"), axis=0)
    mean = (np.asarray(state.p, dtype=np.float64) * areas).sum(axis=(1, 2)) / areas.sum()
    return -float(np.polyfit(at[inside], mean[inside], 1)[0])


CASE = Case(
    name="duct",
    title="Laminar duct flow",
    source="Shah and London (1978), Laminar Flow Forced Convection in Ducts, ch. VII; Fourier series.",
    closure="laminar, central advection",
    modelled=(
        f"A duct of {_LENGTH:g} hydraulic diameters, fed uniformly, Re {_RE:g}; the friction factor is from "
        f"the pressure between {_STATIONS[0]:g} and {_STATIONS[1]:g} diameters, where the flow is developed."
    ),
    not_modelled="The length to development is not compared.",
    run=_run,
)
