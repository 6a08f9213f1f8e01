"""Temperatures of a network that stay as they are: nodes, branches, plates between coolant and air."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.coolant.checks import check_sinks
from solvers.coolant.components import Index, Inputs, Vector
from solvers.coolant.hydraulics import Flow
from solvers.coolant.lines import Lines, carrying, plain_lines
from solvers.coolant.plates import coupling, stands, steady_lines
from solvers.coolant.thermal import MOST_RISE, Thermal
from solvers.errors import CaseError, ConvergenceError

_ITERATIONS = 40
_SETTLED = 1e-6  # K, change by the specific heat and the exchangers' conductance of one round


class Temperatures(NamedTuple):
    """Steady temperatures.

    Attributes
    ----------
    T : float64[nn]    Of the nodes. [K]
    T_in, T_out : float64[nb]    Of the branches, along the flow. [K]
    T_solid : float64[nc]    Of the plates. [K]
    Q_flow : float64[nb]    Heat into the coolant of the branches, friction and exchange included. [W]
    power : float64[np]    At the pumps' shafts. [W]
    Q_air : float64[nc]    From the plates to the air beside them. [W]
    energy_relative : float
        What comes in with heat and flow and does not go out, over all heat that changes hands. [-]
    idle : int64[...]
        Branches that are heated, hardly flow and have no air to give their heat to: it is left out.
    """

    T: Vector
    T_in: Vector
    T_out: Vector
    T_solid: Vector
    Q_flow: Vector
    power: Vector
    Q_air: Vector
    energy_relative: float
    idle: Index


class _Ways(NamedTuple):
    """Ways of the heat: of each branch that its flow takes; plates with coolant and air, with air only."""

    heat: Vector
    both: Index
    dry: NDArray[np.bool_]


class _Found(NamedTuple):
    """Lines, exchangers' conductance, nodes, outlets, cp at the inlets."""

    lines: Lines
    G: Vector
    T: Vector
    T_out: Vector
    cp: Vector


def equilibrium(
    thermal: Thermal, flow: Flow, rho: Vector, setting: Vector, inputs: Inputs, T: Vector
) -> Temperatures:
    """Temperatures that stay as they are.

    Parameters
    ----------
    thermal : Thermal
    flow : Flow
    rho, setting : float64[nb]
    inputs : Inputs
    T : float64[nn]    Where to start; kept where nothing flows. [K]

    Returns
    -------
    Temperatures

    Raises
    ------
    CaseError    A circuit is heated and has no way to give the heat away.
    ConvergenceError    Specific heats, or plates between coolant and air, do not settle.

    Check : tests/unit/solvers/coolant/test_thermal.py, tests/unit/solvers/coolant/test_plates.py
    """
    case = thermal.case
    warm, power = thermal.warming(flow, rho, setting)
    m = carrying(flow.m_flow)
    size, up, none = np.abs(m), thermal.upstream(m), np.zeros(T.size)
    around = thermal.of_branches("enthalpy", inputs.T_ambient)
    ways = _ways(thermal, size, T[up], inputs, warm)
    faults = check_sinks(case, m, inputs, ways.heat)
    if faults:
        raise CaseError("network: " + "; ".join(faults))
    on = case.plates.branch[ways.both]
    given = (inputs.G_solid[ways.both], inputs.T_solid_air[ways.both], inputs.heat[on], warm[on], size[on])
    T_out = T[up]
    for _ in range(_ITERATIONS):
        cp = thermal.of_branches("specific_heat", T[up])
        alpha, beta = plain_lines(size, case.branches.UA / cp, ways.heat, around)
        if on.size:
            K = coupling(case.plates, m[case.plates.branch], cp[case.plates.branch])[ways.both]
            h, slope = (thermal.of_branches(name, T_out)[on] for name in ("enthalpy", "specific_heat"))
            alpha[on], beta[on] = steady_lines(K, *given, T_out[on], h, slope)
        lines, G = Lines(alpha, beta, none, none), thermal.exchange(m, inputs, cp)
        last, T = T, thermal.nodes(m, lines, G, inputs, T)
        change = float(np.abs(T - last).max())
        if on.size:
            last, T_out = T_out, _outlets(thermal, m, _Found(lines, G, T, T_out, cp), inputs)[2]
            change = max(change, float(np.abs(T_out - last)[on].max()))
        if change <= _SETTLED:
            return _result(thermal, m, _Found(lines, G, T, T_out, cp), inputs, ways, warm, power)
    raise ConvergenceError(f"network: temperatures do not settle in {_ITERATIONS} rounds")


def _ways(thermal: Thermal, size: Vector, T_in: Vector, inputs: Inputs, warm: Vector) -> _Ways:
    case, G = thermal.case, inputs.G_solid
    cp = thermal.of_branches("specific_heat", T_in)
    on, heat = case.plates.branch, inputs.heat + warm
    taken = thermal.taken(size, cp, heat)
    still = stands(case.plates, size[on]) | (np.abs(heat[on]) > MOST_RISE * ((size * cp)[on] + G))
    leg = G > 0.0
    taken[on[leg]] = np.where(still, 0.0, heat[on])[leg]
    return _Ways(taken, np.flatnonzero(leg & ~still), leg & still)


def _outlets(thermal: Thermal, m: Vector, found: _Found, inputs: Inputs) -> tuple[Vector, Vector, Vector]:
    """Enthalpies into and out of the branches along the flow, temperature of the latter. [J/kg, J/kg, K]."""
    size, T_in = np.abs(m), found.T[thermal.upstream(m)]
    h_in = thermal.of_branches("enthalpy", T_in)
    entry = h_in + thermal.exchanged(found.G, inputs, T_in) / np.where(size > 0, size, np.inf)
    h_out = np.where(size > 0, found.lines.alpha + found.lines.beta * entry, h_in)
    return h_in, h_out, thermal.of_branches("temperature", h_out)


def _result(
    thermal: Thermal, m: Vector, found: _Found, inputs: Inputs, ways: _Ways, warm: Vector, power: Vector
) -> Temperatures:
    plates, T = thermal.case.plates, found.T
    h_in, h_out, T_out = _outlets(thermal, m, found, inputs)
    T_in, on = T[thermal.upstream(m)], plates.branch
    Q_flow = np.abs(m) * (h_out - h_in)
    K, G, T_air, heat = coupling(plates, m[on], found.cp[on]), inputs.G_solid, inputs.T_solid_air, inputs.heat
    T_solid = (heat[on] + K * T_out[on] + G * T_air) / (K + G)
    T_solid = np.where(ways.dry, T_air + heat[on] / np.where(ways.dry, G, 1.0), T_solid)
    Q_air = G * (T_solid - T_air)
    external = thermal.external(m, inputs)
    h_node = thermal.of_nodes("enthalpy", T)
    h_passing = np.where(external > 0, thermal.of_nodes("enthalpy", inputs.T), h_node)
    through = float((external * h_passing + _from_vessels(thermal, m, inputs) * h_node).sum() + Q_flow.sum())
    left = heat + warm + thermal.exchanged(found.G, inputs, T_in) - Q_flow  # of a plate: what its air takes
    through += float((left[on] - Q_air)[ways.both].sum())
    # against one reference, so that what flows through does not hide what is heated
    handled = float(np.abs(Q_flow).sum() + np.abs(Q_air).sum()) + 1.0
    idle = np.flatnonzero((ways.heat == 0.0) & (heat != 0.0))
    idle = np.setdiff1d(idle, on[ways.dry])
    return Temperatures(T, T_in, T_out, T_solid, Q_flow, power, Q_air, abs(through) / handled, idle)


def _from_vessels(thermal: Thermal, m: Vector, inputs: Inputs) -> Vector:
    """Mass flow out of vessels into their nodes, at the nodes' temperature: what a leak takes. [kg/s]."""
    branches, node = thermal.case.branches, thermal.case.vessels.node
    out = np.zeros(inputs.supply.size)
    net = np.bincount(branches.a, m, minlength=out.size) - np.bincount(branches.b, m, minlength=out.size)
    out[node] = (net - inputs.supply)[node]
    return out
