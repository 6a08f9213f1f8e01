"""One-dimensional advection and diffusion with a heat source: exact to the order of the scheme."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import CP, RHO, Closure, Numerics
from solvers.airflow.model import initial_state, prepare
from twin.validation.box import Patch, box, slip_sides, unit_inputs
from twin.validation.case import (
    Case,
    Figure,
    Panel,
    Progress,
    Quantity,
    Result,
    at_least,
    observed_orders,
    rms,
    series,
    within,
)
from twin.validation.march import march

_LENGTH = 1.0  # m
_SOURCE = (0.25, 0.5)  # m: where the heat goes in
_U = 0.2  # m/s
_PECLET = 10.0  # u L / a
_RISE = 10.0  # K, of the air at the end
_T_IN = 293.15  # K
_SCHEMES = {"central": 1.9, "limited": 1.8}  # advection: least order; a limiter clips where the slope turns


def _run(full: bool, progress: Progress) -> Result:
    grids = (16, 32, 64, 128) if full else (16, 32, 64)
    sizes = _LENGTH / np.array(grids, dtype=float)
    quantities: list[Quantity] = []
    profiles = []
    curves = []
    for at, (scheme, least) in enumerate(_SCHEMES.items()):
        solved = []
        for n in grids:
            progress(f"{scheme}, {n} cells", (at + n / (2 * grids[-1])) / len(_SCHEMES))
            solved.append(_solve(n, scheme))
        errors = [rms(T - _exact_means(T.size)) / _RISE for _, T in solved]
        profiles.append(series(f"{scheme}, {grids[0]} cells", solved[0][0], solved[0][1], "points"))
        orders = observed_orders(sizes, errors)
        quantities.append(at_least(f"{scheme} advection: observed order", least, float(orders[-1])))
        curves.append(series(scheme, sizes, errors, "points"))
        if scheme == "central":
            quantities.append(
                within(
                    "rise over the duct, heat over capacity flow", _RISE, float(solved[-1][1][-1]), 1e-3, "K"
                )
            )
    fine = np.linspace(0, _LENGTH, 400)
    profiles.append(series("exact", fine, _exact(fine), "dashed"))
    second = 0.5 * curves[0].y[-1] * (sizes / sizes[-1]) ** 2
    curves.append(series("second order", sizes, second, "dashed"))
    figure = Figure(
        "transport",
        "Temperature along the duct, and its rms error over the rise.",
        (
            Panel("Profile", "x [m]", "T - T in [K]", tuple(profiles)),
            Panel("Error", "cell [m]", "rms error / rise", tuple(curves), log=True),
        ),
    )
    return Result(tuple(quantities), f"{grids[0]} to {grids[-1]} cells, uniform", figures=(figure,))


def _exact(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve u T' = a T'' + s between u T - a T' = 0 at the inlet and T' = 0 at the outlet."""
    a = _U * _LENGTH / _PECLET
    lo, hi = _SOURCE
    heat = _U * _RISE / (hi - lo)  # K/s within the source
    m = _U / a
    # u T - a T' = H(x), the heat put in so far; beyond the source only T = rise is bounded
    T = np.full(x.shape, _RISE)
    inside = (x >= lo) & (x < hi)

    def particular(at):  # of T' = m T - heat (x - lo) / a
        return heat / _U * ((at - lo) + 1 / m)

    T[inside] = particular(x[inside]) + (_RISE - particular(hi)) * np.exp(m * (x[inside] - hi))
    before = x < lo
    at_lo = particular(lo) + (_RISE - particular(hi)) * np.exp(m * (lo - hi))
    T[before] = at_lo * np.exp(m * (x[before] - lo))
    return T


def _exact_means(n: int) -> NDArray[np.float64]:
    """Cell means by Gauss quadrature within each cell; the source's ends are cell faces."""
    nodes, weights = np.polynomial.legendre.leggauss(5)
    width = _LENGTH / n
    centre = (np.arange(n) + 0.5) * width
    points = centre[:, None] + 0.5 * width * nodes
    return (_exact(points.ravel()).reshape(points.shape) * weights).sum(axis=1) / 2


def _solve(n: int, scheme: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x = np.linspace(0, _LENGTH, n + 1)
    lo, hi = (round(end / _LENGTH * n) for end in _SOURCE)
    patches = (
        Patch(0, n, (0, 0), (1, 1), -1),
        Patch(0, 0, (0, 0), (1, 1), +1),
        Patch(2, 0, (lo, 0), (hi, 1), +1),
    )
    case = box(x, [0, 1], [0, 1], (*slip_sides(1), *slip_sides(2)), patches, ((0, 1), (-1, 2)))
    a = _U * _LENGTH / _PECLET
    model = prepare(case, Closure("laminar", nu=a, Pr=1.0), numerics=Numerics(scheme))
    heat = RHO * CP * _U * _RISE
    inputs = unit_inputs([_U, 0.0], Q_flow=[0.0, heat], T_supply=[_T_IN, np.nan])
    found = march(
        model,
        initial_state(model, T=_T_IN),
        inputs,
        lambda state: state.T[:, 0, 0].astype(np.float64) - _T_IN,
        stretch=2.0,
        tolerance=1e-6,
        longest=60.0,
        cfl=2.0,
        max_dt=0.1,
    )
    return (x[1:] + x[:-1]) / 2, found.state.T[:, 0, 0].astype(np.float64) - _T_IN


CASE = Case(
    name="transport",
    title="Advection, diffusion and a heat source in one dimension",
    source="Exact solution of u T' = a T'' + s with a source on part of the length (textbook).",
    closure="laminar; central and limited (van Leer) advection",
    modelled=(
        "A frictionless duct, Peclet number 10, heat from a unit without flow on a quarter of its length."
    ),
    not_modelled="Buoyancy has no room: the duct is one cell high.",
    run=_run,
)
