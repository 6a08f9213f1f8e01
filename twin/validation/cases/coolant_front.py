"""A temperature front along a pipe: it arrives after the time its mass takes, and smears over one step."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from solvers.coolant.builder import Builder
from solvers.coolant.fluids import fluid
from solvers.coolant.network import prepare, solve
from solvers.coolant.transient import advance, start
from twin.validation.case import Case, Figure, Panel, Progress, Quantity, Result, at_most, series, within

_LENGTH, _BORE, _FLOW = 40.0, 0.03, 0.5  # m, m, kg/s
_T, _STEP = 300.0, 10.0  # K
_END = 90.0  # s
_EDGE = 1e-3  # of the step: what lies between counts as smeared
_PIPES = 10


def _run(full: bool, progress: Progress) -> Result:
    steps = (0.1, 0.3, 1.0, 3.1) if full else (0.3, 1.0, 3.1)
    quantities: list[Quantity] = []
    beside: list[Quantity] = []
    panels: list[Panel] = []
    delay = _delay()
    for pipes in (1, _PIPES):
        lines = [series("exact", [0.0, delay, delay, _END], [0.0, 0.0, 1.0, 1.0], "dashed")]
        for number, dt in enumerate(steps):
            progress(f"{pipes} pipes, steps of {dt:g} s", number / len(steps) / 2 + (pipes > 1) / 2)
            times, risen = _outlet(dt, pipes)
            arrival = times[-1] - float((risen * np.diff(times, prepend=0.0)).sum())
            smeared = int(np.count_nonzero((risen > _EDGE) & (risen < 1 - _EDGE)))
            of = f"{pipes} pipe{'s' if pipes > 1 else ''}, steps of {dt:g} s"
            # 1e-4 is what friction warms: it changes with the viscosity as the front passes
            quantities.append(within(f"{of}: arrival", delay, arrival, 1e-4, "s"))
            quantities.append(at_most(f"{of}: steps that the front smears over", pipes, smeared))
            if pipes > 1:
                over = float(max(risen.max() - 1, -np.diff(risen).min())) * _STEP * 1e3
                beside.append(at_most(f"{of}: overshoot, of parcels that were joined", 0.25, over, "mK"))
            shown = (times > delay - 12) & (times < delay + 12)
            lines.append(series(f"steps of {dt:g} s", times[shown], risen[shown], "points"))
        name = "One pipe of 40 m" if pipes == 1 else f"{pipes} pipes of {_LENGTH / pipes:g} m"
        panels.append(Panel(name, "t [s]", "rise at the outlet / step", tuple(lines)))
    figure = Figure(
        "coolant_front", "A front of 10 K at the outlet, each point the mean over a step.", tuple(panels)
    )
    return Result(tuple(quantities), "parcels, 48 a pipe at most", tuple(beside), (figure,))


def _delay() -> float:
    """Mass in the pipe over the flow; a pipe holds its coolant at the density of 293.15 K. [s]."""
    return _LENGTH * math.pi * _BORE**2 / 4 * float(fluid("water").density(293.15)) / _FLOW


def _outlet(dt: float, pipes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the steps and the outlet's rise over that of the inlet, means over each step.

    What leaves is known from the energy that came in less what left, so that it is the mean however a step
    was divided.
    """
    builder = Builder(fluid("water"))
    nodes = [builder.node(f"node {i}") for i in range(pipes + 2)]
    builder.boundary(nodes[-1], 1e5, _T)
    builder.demand(nodes[0], -_FLOW, _T)
    for i in range(pipes):
        builder.pipe(f"pipe {i}", nodes[i], nodes[i + 1], _LENGTH / pipes, _BORE)
    builder.valve("end", nodes[-2], nodes[-1], 10.0)
    network = prepare(builder.build())
    inputs = network.inputs()
    state = start(network, inputs, solve(network, inputs))
    inputs.T[nodes[0]] = _T + _STEP
    times, came = [0.0], [0.0]
    while state.time < _END - 1e-9:
        state = advance(network, state, inputs, dt)
        times.append(state.time)
        came.append(state.energy_in)
    power = np.diff(came) / np.diff(times)
    return np.array(times[1:]), (power[0] - power) / (power[0] - power[-1])


CASE = Case(
    name="coolant_front",
    title="A temperature front along a pipe",
    source=(
        "Exact: the mass flow is given, so the front arrives when as much has come in as the pipe holds, "
        "rho V over m_flow, at whatever speed the coolant moves. rho is that of 293.15 K, at which a "
        "pipe's mass is set once: 998.3 kg/m3; with the 996.6 of 300 K it would come 0.17 % sooner."
    ),
    closure="plug flow by parcels (C22)",
    modelled="A step of 10 K at the inlet of 40 m of pipe, in one piece and in ten; steps of 0.1 s to 3 s.",
    not_modelled=(
        "Dispersion by the velocity profile, heat stored in the pipe's wall, and expansion: the mass in a "
        "pipe stays as it warms; that of a real pipe is 0.2 % less at 300 K, 0.5 % at 310 K."
    ),
    run=_run,
)
