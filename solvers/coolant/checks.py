"""What is wrong with a network or its settings: every fault at once, each named."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from solvers.coolant.components import EQUAL, FOULING, LEAK, LINEAR, PLAIN, SPEED, Case, Index, Inputs, Vector
from solvers.coolant.terms import SHUT

_FASTEST = 1.5  # times the nominal speed; more is a unit that was mistaken
_SHOWN = 4  # names in a list


def check_case(case: Case) -> list[str]:
    """Faults of a network that no setting can mend.

    Parameters
    ----------
    case : Case

    Returns
    -------
    list of str    One a fault: what, which, why, what to do.
    """
    faults = _shapes(case)
    if faults:
        return faults
    faults += _numbers(case)
    faults += _ends(case)
    faults += _shorts(case)
    if not faults:  # parts of a network make sense once it hangs together
        faults += _parts(case)
    return faults


def check_settings(case: Case, setting: Vector) -> list[str]:
    """Find settings that are no numbers or out of range.

    Parameters
    ----------
    case : Case
    setting : float64[nb]

    Returns
    -------
    list of str    One a fault.
    """
    role = case.branches.role
    highest = np.full(setting.size, np.inf)
    highest[np.isin(role, (LINEAR, EQUAL))] = 1.0
    highest[role == SPEED] = _FASTEST
    lowest = np.where(role == FOULING, 1.0, 0.0)
    bad = (role != 0) & ~((setting >= lowest) & (setting <= highest))
    words = {LINEAR: "opening", EQUAL: "opening", SPEED: "speed", FOULING: "fouling", LEAK: "leak area"}
    return [
        f"{case.branch_names[i]!r}: {words[int(role[i])]} {setting[i]:g} is outside of {lowest[i]:g} to "
        f"{highest[i]:g}"
        for i in np.flatnonzero(bad).tolist()
    ]


def check_pumps(case: Case, setting: Vector) -> list[str]:
    """Find running pumps that nothing can flow through: valves shut, or check valves the wrong way.

    Parameters
    ----------
    case : Case
    setting : float64[nb]    Pumps without drive at 0.

    Returns
    -------
    list of str    One a pump.
    """
    branches = case.branches
    running = (branches.role == SPEED) & (setting > 0)
    if not running.any():
        return []
    valve = np.isin(branches.role, (LINEAR, EQUAL))
    shut = (valve & (setting < SHUT)) | ((branches.role == LEAK) & (setting <= 0))
    a, b = _merged(case)
    both = ~shut & ~running & ~branches.one_way
    start = np.concatenate([a[~shut], b[both]])
    end = np.concatenate([b[~shut], a[both]])
    graph = coo_array((np.ones(start.size), (start, end)), shape=(case.fluid.size,) * 2)
    _, part = connected_components(graph, directed=True, connection="strong")
    cut = running & (part[a] != part[b])
    closed = [case.branch_names[i] for i in np.flatnonzero(valve & (setting < SHUT)).tolist()]
    return [
        f"pump {case.branch_names[i]!r} runs at {setting[i]:.0%} with no way from its outlet back to its "
        f"inlet; shut valves: {_some(closed) if closed else 'none, so look at the check valves'}. Open one "
        "or stop the pump"
        for i in np.flatnonzero(cut).tolist()
    ]


def check_drives(case: Case, setting: Vector, inputs: Inputs) -> list[str]:
    """Heated circuits that nothing drives at present: all their pumps stand.

    Parameters
    ----------
    case : Case
    setting : float64[nb]    Pumps without drive at 0.
    inputs : Inputs

    Returns
    -------
    list of str    One a circuit.
    """
    number, part, _ = _circuits(case)
    running = (case.branches.role == SPEED) & (setting > 0)
    driven = np.zeros(number, dtype=bool)
    driven[part[case.branches.a[running]]] = True
    held = np.bincount(part[_held(case)], minlength=number)
    fed = np.zeros(number, dtype=bool)
    fed[part[inputs.supply != 0]] = True
    heated = np.zeros(number, dtype=bool)
    heated[part[case.branches.a[inputs.heat != 0]]] = True
    stands = np.flatnonzero(heated & ~driven & ~fed & (held < 2))
    return [
        f"circuit of {_some(_inside(case, part, which))}: it is heated and no pump of it runs"
        for which in stands.tolist()
    ]


def check_sinks(case: Case, m_flow: Vector, inputs: Inputs, heat: Vector) -> list[str]:
    """Circuits that are heated and cannot give the heat away: they have no steady temperature.

    Parameters
    ----------
    case : Case
    m_flow : float64[nb]
    inputs : Inputs
    heat : float64[nb]    Into the coolant, friction included. [W]

    Returns
    -------
    list of str    One a circuit.
    """
    branches, exchangers, nn = case.branches, case.exchangers, case.fluid.size
    moves = m_flow != 0
    two = exchangers.side[:, 1] >= 0
    pairs = exchangers.side[two]
    pairs = pairs[moves[pairs].all(axis=1)] if pairs.size else pairs
    start = np.concatenate([branches.a[moves], branches.a[pairs[:, 0]]])
    end = np.concatenate([branches.b[moves], branches.a[pairs[:, 1]]])
    number, part = connected_components(
        coo_array((np.ones(start.size), (start, end)), shape=(nn, nn)), directed=False
    )
    cooled = np.zeros(number, dtype=bool)
    cooled[part[branches.a[moves & (branches.UA > 0)]]] = True
    plated = case.plates.branch[inputs.G_solid > 0]
    cooled[part[branches.a[plated[moves[plated]]]]] = True
    air = exchangers.side[~two, 0][inputs.air_flow[~two] > 0]
    cooled[part[branches.a[air[moves[air]]]]] = True
    net = np.bincount(branches.a, m_flow, minlength=nn) - np.bincount(branches.b, m_flow, minlength=nn)
    comes = np.where(np.isnan(case.p_fixed), inputs.supply, net)
    cooled[part[comes > 1e-9 * max(float(np.abs(m_flow).max()), 1e-9)]] = True
    heat = np.where(moves, heat, 0.0)
    warmed = np.bincount(part[branches.a], np.abs(heat), minlength=number) > 0
    return [
        f"circuit of {_some(_inside(case, part, which))}: it is heated (friction included) and has no "
        "exchanger, no loss to the surroundings and no fresh coolant; it would warm for ever"
        for which in np.flatnonzero(warmed & ~cooled).tolist()
    ]


def _merged(case: Case) -> tuple[Index, Index]:
    """Give the ends of branches, all boundary nodes made one: what leaves at one may come in at another."""
    node = np.arange(case.fluid.size)
    boundary = np.flatnonzero(~np.isnan(case.p_fixed))
    node[boundary] = boundary[0] if boundary.size else 0
    return node[case.branches.a], node[case.branches.b]


def _shapes(case: Case) -> list[str]:
    faults = []
    nn, nb = case.fluid.size, case.branches.a.size
    if nb == 0:
        return ["no branches"]
    for names, what in ((case.node_names, "node"), (case.branch_names, "branch")):
        double = (
            sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        )
        faults += [f"{what} {name!r}: the name is given twice" for name in double]
    if len(case.node_names) != nn or len(case.branch_names) != nb:
        faults.append("there must be as many names as nodes and branches")
    ends = np.stack([case.branches.a, case.branches.b])
    if ends.min() < 0 or ends.max() >= nn:
        faults.append(f"branches lead to nodes outside of 0 to {nn - 1}")
    elif len(case.branch_names) == nb:
        faults += [
            f"branch {case.branch_names[i]!r}: leads from node {case.node_names[ends[0, i]]!r} to itself"
            for i in np.flatnonzero(ends[0] == ends[1]).tolist()
        ]
        other = case.fluid[ends[0]] != case.fluid[ends[1]]
        faults += [
            f"branch {case.branch_names[i]!r}: joins {case.fluids[case.fluid[ends[0, i]]].name} and "
            f"{case.fluids[case.fluid[ends[1, i]]].name}; use an exchanger"
            for i in np.flatnonzero(other).tolist()
        ]
    return faults


def _numbers(case: Case) -> list[str]:
    branches, names = case.branches, case.branch_names
    faults = []
    for field, lowest in (
        ("length", 0),
        ("loss", 0),
        ("viscous", 0),
        ("quadratic", 0),
        ("volume", 0),
        ("UA", 0),
    ):
        values = getattr(branches, field)
        faults += [
            f"branch {names[i]!r}: {field} {values[i]:g} must not be below {lowest}"
            for i in np.flatnonzero(~(values >= lowest)).tolist()
        ]
    sized = (branches.length > 0) | (branches.loss > 0)
    for field in ("diameter", "area"):
        values = getattr(branches, field)
        faults += [
            f"branch {names[i]!r}: {field} {values[i]:g} must be above 0"
            for i in np.flatnonzero(sized & ~(values > 0)).tolist()
        ]
    head = branches.head
    wrong = (branches.role == SPEED) & ~((head[:, 0] > 0) & (head[:, 1] <= 0) & (head[:, 2] < 0))
    faults += [
        f"pump {names[i]!r}: its rise {head[i, 0]:g} {head[i, 1]:+g} V {head[i, 2]:+g} V^2 must be above 0 "
        "at no flow and fall with it; give points of the falling part of its curve"
        for i in np.flatnonzero(wrong).tolist()
    ]
    for number, (one, two) in enumerate(case.exchangers.side.tolist()):
        if one == two or not (case.exchangers.UA[number] > 0).all():
            faults.append(f"exchanger at branch {names[one]!r}: needs two sides and films with UA above 0")
    for number, branch in enumerate(case.plates.branch.tolist()):
        if not (
            case.plates.UA[number] > 0 and case.plates.C[number] >= 0 and case.plates.m_nominal[number] > 0
        ):
            faults.append(f"cold plate {names[branch]!r}: UA and nominal flow must be above 0, C not below")
    return faults + check_settings(case, case.setting)


def _ends(case: Case) -> list[str]:
    tight = case.branches.role != LEAK
    count = np.bincount(case.branches.a[tight], minlength=case.fluid.size)
    count += np.bincount(case.branches.b[tight], minlength=case.fluid.size)
    leaks = np.zeros(case.fluid.size, dtype=bool)
    leaks[case.branches.b[~tight]] = True
    held = _held(case)
    faults = [
        f"node {case.node_names[i]!r}: nothing is connected to it"
        for i in np.flatnonzero((count == 0) & ~leaks).tolist()
    ]
    for i in np.flatnonzero((count == 1) & ~held & (case.supply == 0)).tolist():
        at = np.flatnonzero(tight & ((case.branches.a == i) | (case.branches.b == i)))[0]
        faults.append(
            f"branch {case.branch_names[at]!r}: its end at node {case.node_names[i]!r} is open. Connect it, "
            "or make the node a boundary"
        )
    return faults


def _shorts(case: Case) -> list[str]:
    """Boundaries of different pressure joined by a branch that resists nothing."""
    branches, p = case.branches, case.p_fixed
    between = p[branches.a] - p[branches.b]
    plain = (branches.length == 0) & (branches.role == PLAIN) & ~branches.one_way
    for field in ("loss", "viscous", "quadratic"):
        plain &= getattr(branches, field) == 0
    return [
        f"branch {case.branch_names[i]!r}: joins nodes {case.node_names[branches.a[i]]!r} and "
        f"{case.node_names[branches.b[i]]!r} whose pressures are fixed {abs(between[i]):g} Pa "
        "apart, and resists nothing"
        for i in np.flatnonzero(plain & ~np.isnan(between) & (between != 0)).tolist()
    ]


def _parts(case: Case) -> list[str]:
    """Faults of each circuit: no pressure, two pressures, nothing that drives."""
    branches, nn = case.branches, case.fluid.size
    number, part, degree = _circuits(case)
    boundary = ~np.isnan(case.p_fixed)
    vessel = np.zeros(nn, dtype=bool)
    vessel[case.vessels.node] = True
    pressure = np.where(boundary, case.p_fixed, 0.0)
    pressure[case.vessels.node] = case.vessels.p_start
    faults = [
        f"node {case.node_names[i]!r}: both a boundary and a vessel fix its pressure; keep one"
        for i in np.flatnonzero(boundary & vessel).tolist()
    ]
    pumped = np.zeros(number, dtype=bool)
    pumped[part[branches.a[branches.role == SPEED]]] = True
    for which in range(number):
        inside = part == which
        if degree[inside].max() == 0:  # where leaks go to
            continue
        held = np.flatnonzero(inside & (boundary | vessel))
        name = _some(_inside(case, part, which))
        if held.size == 0:
            faults.append(f"circuit of {name}: nothing holds its pressure; add a vessel or a boundary")
        pins = np.flatnonzero(inside & (vessel | (boundary & (degree > 1))))
        if pins.size > 1 and vessel[pins].any():  # boundaries alone may be the mains of an open circuit
            listed = ", ".join(f"{case.node_names[i]!r} at {pressure[i]:.0f} Pa" for i in pins.tolist())
            faults.append(
                f"circuit of {name}: its pressure is fixed {pins.size} times, at {listed}. Keep one; the "
                "others would feed or drain the circuit for ever"
            )
        if not pumped[which] and held.size < 2 and not case.supply[inside].any():
            faults.append(f"circuit of {name}: no pump and no difference of pressure drives it; add a pump")
    return faults


def _circuits(case: Case) -> tuple[int, Index, Index]:
    """Count connected parts; also the part of each node and its branches. Leaks connect nothing."""
    nn, tight = case.fluid.size, case.branches.role != LEAK
    ends = (case.branches.a[tight], case.branches.b[tight])
    graph = coo_array((np.ones(ends[0].size), ends), shape=(nn, nn))
    number, part = connected_components(graph, directed=False)
    return number, part, np.bincount(np.concatenate(ends), minlength=nn)


def _inside(case: Case, part: Index, which: int) -> list[str]:
    return [case.branch_names[i] for i in np.flatnonzero(part[case.branches.a] == which).tolist()]


def _held(case: Case) -> NDArray[np.bool_]:
    held = ~np.isnan(case.p_fixed)
    held[case.vessels.node] = True
    return held


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
