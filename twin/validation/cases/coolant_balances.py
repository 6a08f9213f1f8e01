"""Mass and energy of a cooling plant: at rest, and through a trip, a changeover, a leak and an hour after."""

from __future__ import annotations

import numpy as np

from solvers.coolant.assemblies import CDU, distribution_unit
from solvers.coolant.builder import Builder
from solvers.coolant.components import Inputs
from solvers.coolant.fluids import fluid
from solvers.coolant.network import Network, prepare, solve
from solvers.coolant.transient import State, advance, balance, start
from twin.validation.case import Case, Figure, Panel, Progress, Result, at_most, series

_ENERGY, _MASS = 1e-6, 1e-9  # asked
_HEAT = 8e3  # W, of each plate


def _run(full: bool, progress: Progress) -> Result:
    racks = 12 if full else 4
    network, inputs, cdu = _plant(racks)
    found = solve(network, inputs)
    steady = (
        at_most("steady: energy that does not close, over all heat", _ENERGY, found.energy_relative),
        at_most("steady: mass that does not close, over the largest flow", _MASS, found.mass_relative),
    )
    state = start(network, inputs, found)
    begun = balance(network, state)
    trace: list[tuple[float, float, float, float, float]] = []
    handled = float(inputs.heat.sum())  # W, at least

    def run(text: str, seconds: float, share: float, parts: int = 1) -> None:
        nonlocal state
        progress(text, share)
        for _ in range(parts):
            state = advance(network, state, inputs, seconds / parts)
            now = balance(network, state)
            off = abs(now.energy - begun.energy - state.energy_in) / (handled * max(state.time, 1.0))
            lost = abs(now.mass - begun.mass - state.mass_in) / begun.mass
            trace.append((state.time, off, lost, *_shown(network, state)))

    hour = 3600.0 if full else 600.0
    run("at rest", 20.0, 0.0, 4)
    inputs.drive[0] = False
    run("trip of the pump", 4.0, 0.2, 8)
    inputs.setting[cdu.pumps[1]] = 1.0
    run("standby", 20.0, 0.4, 8)
    inputs.setting[network.branch("valve 1")] = 0.3
    inputs.heat[network.branch("plate 0")] = 1.5 * _HEAT
    run("a valve and a load move", 120.0, 0.5, 8)
    inputs.setting[network.branch("leak")] = 1e-7
    run("leak", 30.0, 0.7, 4)
    inputs.setting[network.branch("leak")] = 0.0
    run("an hour after" if full else "ten minutes after", hour, 0.8, 8)
    time, energy, mass, hot, flow = np.array(trace).T
    quantities = (
        *steady,
        at_most("events: energy that does not close, over the heat so far", _ENERGY, float(energy.max())),
        at_most("events: mass that does not close, over that in the vessel", _MASS, float(mass.max())),
    )
    figure = Figure(
        "coolant_balances",
        "A pump trips at 20 s, the standby takes over at 24 s; then a valve, a load and a leak.",
        (
            Panel(
                "What does not close",
                "t [s]",
                "relative",
                (
                    series("energy", time, np.maximum(energy, 1e-17), "points"),
                    series("mass", time, np.maximum(mass, 1e-17), "points"),
                    series("energy asked", time[[0, -1]], [_ENERGY] * 2, "dashed"),
                ),
                log=True,
            ),
            Panel("Hottest plate", "t [s]", "T [degC]", (series("plate", time, hot - 273.15, "points"),)),
            Panel("Flow of all plates", "t [s]", "m_flow [kg/s]", (series("plates", time, flow, "points"),)),
        ),
    )
    grid = f"{network.case.fluid.size} nodes, {network.case.setting.size} branches, {state.steps} steps"
    return Result(quantities, grid, figures=(figure,))


def _shown(network: Network, state: State) -> tuple[float, float]:
    plates = network.case.plates.branch
    return float(state.warmth.T_solid.max()), float(state.flow.m_flow[plates].sum())


def _plant(racks: int) -> tuple[Network, Inputs, CDU]:
    """Cooling unit of two pumps, one of them standby, on the facility's water; heated plates on hoses."""
    water = fluid("water")
    builder = Builder(fluid("pg25"))
    facility = (builder.node("facility supply", fluid=water), builder.node("facility return", fluid=water))
    builder.boundary(facility[0], 3e5, 289.15)
    builder.boundary(facility[1], 2e5, 289.15)
    part = racks / 4
    cdu = distribution_unit(
        *(builder, "CDU", facility),
        points=[(0.0, 3.2e5), (2e-3 * part, 2.8e5), (4e-3 * part, 1.4e5)],
        m_nominal=(2.0 * part, 2.5 * part),
        UA=1.5e4 * part,
        vessel=0.02 * part,
        run_down=0.6,
    )
    for i in range(racks):
        come, go, out = (builder.node(f"{name} {i}") for name in ("come", "go", "out"))
        builder.pipe(f"hose {i}", cdu.supply, come, 6.0, 0.02)
        builder.cold_plate(f"plate {i}", come, go, m_nominal=0.5, dp_nominal=6e4, UA=3e3, C=2e3, volume=3e-4)
        builder.valve(f"valve {i}", go, out, 6.0)
        builder.pipe(f"hose back {i}", out, cdu.back, 6.0, 0.02)
    builder.leak("leak", cdu.supply)
    network = prepare(builder.build())
    inputs = network.inputs()
    inputs.heat[network.case.plates.branch] = _HEAT
    return network, inputs, cdu


CASE = Case(
    name="coolant_balances",
    title="Mass and energy of a cooling loop",
    source="Conservation: heat in is the enthalpy that leaves, what is stored and what is lost.",
    closure="enthalpies balanced at nodes and along branches (C22 to C26), implicit flows (C14, C15)",
    modelled=(
        "A cooling unit with two pumps, exchanger and accumulator, heated cold plates on hoses, PG25 against "
        "water: at rest, and through a pump trip, the standby's start, a valve, a load and a leak."
    ),
    not_modelled="Heat loss of the hoses to the room (it is in the unit tests).",
    run=_run,
)
