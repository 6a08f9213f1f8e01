"""Three networks that pandapipes solves too: a tree, two loops, two pumps side by side."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import numpy as np

from solvers.coolant.network import solve
from twin.peers import asking
from twin.peers.networks import NETWORKS, build_network
from twin.validation.case import Case, Figure, Panel, Progress, Quantity, Result, Series, at_most, series

_SHARE = 5e-3  # asked
_SMALL = 0.1  # of the largest flow: smaller ones follow the difference of two large losses


def _run(full: bool, progress: Progress) -> Result:
    progress("pandapipes", 0.0)
    stored = json.loads((files("twin.validation") / "data" / "pandapipes_networks.json").read_text("utf-8"))
    reason = asking.why_not() if full else "the quick form does not ask anew"
    theirs = stored if reason else asking.ask(NETWORKS)
    note = f"Figures of pandapipes {theirs['version']}, " + (
        f"as stored ({reason})." if reason else "solved anew in this run."
    )
    quantities: list[Quantity] = []
    beside: list[Quantity] = []
    flows: list[Series] = []
    temperatures: list[Series] = []
    for number, description in enumerate(NETWORKS):
        name = description["name"]
        progress(name, number / len(NETWORKS))
        (m, m_theirs), (T, T_theirs), p = _compare(description, theirs["results"][name])
        largest = float(np.abs(m_theirs).max())
        apart = np.abs(m - m_theirs) / np.maximum(np.abs(m_theirs), _SMALL * largest)
        span = float(np.ptp(T_theirs))
        off = float(np.abs(T - T_theirs).max()) / span
        quantities += [
            at_most(f"{name}: largest difference of a flow", _SHARE, float(apart.max())),
            at_most(f"{name}: largest difference of a temperature, over their span", _SHARE, off),
        ]
        beside.append(at_most(f"{name}: largest difference of a pressure, over their span", 0.015, p))
        flows.append(series(name, m_theirs, m, "cloud"))
        temperatures.append(series(name, T_theirs - 273.15, T - 273.15, "cloud"))
    figure = Figure(
        "coolant_pandapipes",
        "Flows of branches and temperatures of junctions, ours over those of pandapipes.",
        (
            _diagonal("Flows [kg/s]", flows),
            _diagonal("Temperatures [degC]", temperatures),
        ),
    )
    counts = (f"{len(d['junctions'])} nodes" for d in NETWORKS)
    return Result(tuple(quantities), ", ".join(counts), tuple(beside), (figure,), (note,))


def _compare(description: dict[str, Any], theirs: dict[str, Any]):
    """Flows, temperatures as (ours, theirs); largest difference of a pressure over their span."""
    network, inputs = build_network(description)
    found = solve(network, inputs)
    m = found.m_flow[[network.branch(name) for name in theirs["m_flow"]]]
    at = [network.node(name) for name in description["junctions"]]
    T_theirs = np.array([theirs["T"][name] for name in description["junctions"]])
    p_theirs = np.array([theirs["p"][name] for name in description["junctions"]])
    p = float(np.abs(found.p[at] - p_theirs).max() / np.ptp(p_theirs))
    # they leave out what friction and pumps warm: found by a run without any other heat
    source = next(T for _, T in description["grids"].values() if T is not None)
    warm = solve(*build_network(description, heated=False)).T[at] - source
    return (m, np.array(list(theirs["m_flow"].values()))), (found.T[at] - warm, T_theirs), p


def _diagonal(title: str, clouds: list[Series]) -> Panel:
    low = min(float(cloud.x.min()) for cloud in clouds)
    high = max(float(cloud.x.max()) for cloud in clouds)
    return Panel(title, "pandapipes", "ours", (series("equal", [low, high], [low, high], "dashed"), *clouds))


CASE = Case(
    name="coolant_pandapipes",
    title="Networks that pandapipes solves too",
    source="pandapipes (Lohmeier et al. 2020, Sustainability 12, 9899); twin/peers/pandapipes_script.py.",
    closure="Newton's method on pressures and flows (C14 to C16), Churchill's friction (C6), heat (C25)",
    modelled=(
        "A tree of pipes that lose heat, two loops with five outlets, two unequal pumps side by side on two "
        "heated racks; water."
    ),
    not_modelled=(
        "What friction and pumps warm is left out there and taken off here. Churchill and Colebrook differ "
        "by up to 1.5 %, so pressures are shown beside."
    ),
    run=_run,
)
