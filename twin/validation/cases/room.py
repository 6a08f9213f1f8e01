"""The rooms of the examples: balances, divergence, and a grid-refinement study of the two-row pod."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import SteadyProgress, SteadyResult
from solvers.airflow.model import AirModel, outflow_of, prepare, solve_steady, unit_inlet_temperature
from twin.model.load import example_layout, load_layout
from twin.model.scene import Operating, Scene, build_scene
from twin.units import ZERO_CELSIUS
from twin.validation.case import (
    Case,
    Figure,
    Panel,
    Progress,
    Quantity,
    Result,
    at_most,
    holds,
    rms,
    series,
)

_ENERGY = 1e-3  # of the heat given
_DIVERGENCE = 1e-10  # 1/s
_TOLERANCE = 0.1  # K, of the inlets from window to window
_ROUNDS = 3  # solves that go on where one ends unsettled
_SIZES = (0.3, 0.15, 0.075)  # m: each half the one before
_QUICK = (0.3, 0.2)


class _Room(NamedTuple):
    """A settled room."""

    scene: Scene
    model: AirModel
    result: SteadyResult


def _settle(name: str, cell: float, share) -> _Room:
    scene = build_scene(load_layout(example_layout(name)), cell)
    model = prepare(scene.case, scene.closure, scene.layout.air.reference_temperature)
    inputs = scene.unit_inputs(Operating.nominal(scene.layout))

    def report(now: SteadyProgress) -> None:
        share(now.fraction)

    result = solve_steady(model, inputs, tolerance=_TOLERANCE, progress=report)
    for _ in range(_ROUNDS - 1):
        if result.converged:
            break
        result = solve_steady(model, inputs, result.state, tolerance=_TOLERANCE, progress=report)
    return _Room(scene, model, result)


def _run(full: bool, progress: Progress) -> Result:
    sizes = _SIZES if full else _QUICK
    quantities: list[Quantity] = []
    beside: list[Quantity] = []
    pods: list[_Room] = []
    work = [("one_rack", 0.15), *(("pod_two_row", size) for size in sizes)]
    weights = np.cumsum([0.0, *(size**-3.5 for _, size in work)])
    weights /= weights[-1]
    for at, (name, size) in enumerate(work):

        def share(part: float, at: int = at, name: str = name, size: float = size) -> None:
            progress(f"{name}, {size:g} m cells", weights[at] + part * (weights[at + 1] - weights[at]))

        share(0.0)
        room = _settle(name, size, share)
        label = f"{name} at {size:g} m ({room.scene.cells} cells)"
        balances = room.result.balances
        quantities += [
            holds(f"{label}: settled to {_TOLERANCE:g} K", room.result.converged),
            at_most(f"{label}: energy imbalance over the heat given", _ENERGY, balances.energy_relative),
            at_most(f"{label}: largest |div u|, float64", _DIVERGENCE, _divergence(room), "1/s"),
        ]
        moved = balances.heat_corrected / balances.Q_in
        beside.append(at_most(f"{label}: heat put right by E8 over the heat given", 1e-2, moved))
        if name == "pod_two_row":
            pods.append(room)
    notes, figure = _study(pods)
    grid = "one_rack 0.15 m; pod_two_row " + ", ".join(f"{size:g} m" for size in sizes)
    return Result(tuple(quantities), grid, tuple(beside), (figure,), notes)


def _divergence(room: _Room) -> float:
    """Largest net outflow of an air cell over its volume, in float64, units' flows counted. [1/s]."""
    outflow = outflow_of(room.model, room.result.state) / room.scene.case.grid.volumes
    return float(np.abs(outflow[~room.scene.case.solid]).max())


def _inlets(room: _Room) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean inlet of each rack [degC] and the standard error of that mean [K]."""
    T = unit_inlet_temperature(room.model, room.result.state) - ZERO_CELSIUS
    units = [list(room.scene.rack_units[rack.id]) for rack in room.scene.layout.racks]
    error = room.result.T_inlet_error
    return np.array([T[u].mean() for u in units]), np.array([rms(error[u]) for u in units])


def _study(pods: list[_Room]) -> tuple[tuple[str, ...], Figure]:
    """Compare the rack inlets of successive grids; say the order, or why there is none."""
    inlets, errors = zip(*(_inlets(pod) for pod in pods), strict=True)
    racks = [rack.id for rack in pods[0].scene.layout.racks]
    sizes = [(np.mean(pod.scene.case.grid.volumes)) ** (1 / 3) for pod in pods]
    steps = [rms(fine - coarse) for coarse, fine in pairwise(inlets)]
    doubt = [float(np.hypot(rms(a), rms(b))) for a, b in pairwise(errors)]
    words = [
        f"Rack inlets from {a.scene.cells} to {b.scene.cells} cells: rms change {step:.2f} K, "
        f"its sampling error {noise:.2f} K."
        for a, b, step, noise in zip(pods[:-1], pods[1:], steps, doubt, strict=True)
    ]
    unsettled = [pod.scene.cells for pod in pods if not pod.result.converged]
    if unsettled:
        words.append(f"Not settled to {_TOLERANCE:g} K: {', '.join(map(str, unsettled))} cells.")
    if len(steps) > 1 and unsettled:
        words.append("There is no observed order: not every grid settled.")
    elif len(steps) > 1:
        order = float(np.log(steps[-2] / steps[-1]) / np.log(sizes[-2] / sizes[-1]))
        if steps[-1] <= 2 * doubt[-1]:
            words.append(
                "There is no observed order: the last change is within twice its sampling error, so it tells "
                f"nothing of the grid any more (the bare ratio would give {order:.2f})."
            )
        elif order < 0.5:
            words.append(
                f"There is no observed order (the bare ratio gives {order:.2f}): the changes do not shrink "
                "with the cells. The flow is unsteady and takes other paths where cells resolve new "
                "eddies, and mixing length ties the viscosity to speeds that change with the grid."
            )
        else:
            words.append(
                f"Observed order {order:.2f} (rms over the racks); by Richardson the finest grid is "
                f"{steps[-1] / (2 ** max(order, 0.5) - 1):.2f} K from the limit."
            )
    lines = [
        series(f"{size:.2g} m, {pod.scene.cells:,} cells", np.arange(1, len(racks) + 1), T, "points")
        for pod, size, T in zip(pods, sizes, inlets, strict=True)
    ]
    means = [float(T.mean()) for T in inlets]
    hottest = [float(T.max()) for T in inlets]
    panels = (
        Panel(
            "Rack inlets by grid",
            "",
            "mean inlet [degC]",
            tuple(lines),
            names=tuple(racks),
            legend_below=True,
        ),
        Panel(
            "Refinement",
            "mean cell [m]",
            "inlet [degC]",
            (
                series("mean of the racks", sizes, means, "points"),
                series("hottest rack", sizes, hottest, "points"),
            ),
            legend_below=True,
        ),
    )
    return tuple(words), Figure("room", "Grid-refinement study of pod_two_row.", panels)


CASE = Case(
    name="room",
    title="Rooms: balances and grid refinement",
    source="Conservation laws; layouts/one_rack.yaml and layouts/pod_two_row.yaml.",
    closure="mixing_length (the closure of the layouts), limited advection, steady means",
    modelled=(
        "Every rack, tile, cooler and plate of the layouts. The balance compares the heat that racks give "
        "with the heat that coolers take over the averaging window, nothing excused as storage. Divergence "
        "is summed anew in float64 over the faces of every air cell."
    ),
    not_modelled=(
        "What the layouts do not say. The study holds the objects fixed and lets every cell shrink; walls, "
        "plates and openings lie on cell faces of all three grids."
    ),
    run=_run,
)
