"""What a coolant network is made of: arrays of nodes, branches, pumps, plates, exchangers and vessels.

A *node* has a pressure and a temperature, a *branch* carries a mass flow from node `a` to node `b`. Every
branch may have any of these in series, and most have one or two:

    friction over a length, a loss coefficient K, a laminar and a quadratic resistance, a pump, a check

One number per branch, its *setting*, is what an operator or a fault changes while the loop runs: the opening
of a valve, the speed of a pump, the fouling of a filter, the area of a leak. `Builder` makes these arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.coolant.fluids import Fluid

Vector = NDArray[np.float64]
Index = NDArray[np.int64]

P_AMBIENT = 101325.0
"""Pressure around the loops; all pressures are absolute. [Pa]"""

PLAIN, LINEAR, EQUAL, SPEED, FOULING, LEAK = range(6)
"""Roles of a setting: none; opening 0..1 of a valve with linear or equal-percentage characteristic; speed of
a pump over its nominal speed; resistance of a filter over that of a clean one; area of a leak [m2]."""

TANK, GAS = 0, 1
"""Kinds of vessels: open tank with a level, gas-charged accumulator."""

COUNTER, PARALLEL, CROSS = 0, 1, 2
"""Arrangements of exchangers; CROSS is one pass with both streams unmixed."""


class Branches(NamedTuple):
    """Branches, all in series per branch; 0 leaves a term out.

    Attributes
    ----------
    a, b : int64[nb]    Nodes; flow is positive from a to b.
    length, diameter, area : float64[nb]    Of the pipe; hydraulic diameter. [m, m, m2]
    roughness : float64[nb]    Absolute. [m]
    laminar : float64[nb]    Darcy f Re of laminar flow: 64 in a pipe. [-]
    loss : float64[nb]    K by the velocity in `area`. [-]
    viscous : float64[nb]    R of dp = R mu / rho m_flow. [1/m3]
    quadratic : float64[nb]    c of dp = c / rho m_flow |m_flow|, valve open or filter clean. [1/m4]
    role : int64[nb]    What the setting is.
    rangeability : float64[nb]    Of an equal-percentage valve. [-]
    one_way : bool[nb]    A check valve, or a leak.
    head : float64[nb, 3]    Pump at nominal speed: rise = head[0] + head[1] V + head[2] V^2. [Pa, m3/s]
    inertance : float64[nb]    Integral of dx / area. [1/m]
    volume : float64[nb]    Coolant inside. [m3]
    UA : float64[nb]    Heat loss to the surroundings. [W/K]
    """

    a: Index
    b: Index
    length: Vector
    diameter: Vector
    area: Vector
    roughness: Vector
    laminar: Vector
    loss: Vector
    viscous: Vector
    quadratic: Vector
    role: Index
    rangeability: Vector
    one_way: NDArray[np.bool_]
    head: Vector
    inertance: Vector
    volume: Vector
    UA: Vector


class Pumps(NamedTuple):
    """Machines behind the branches with a head.

    Attributes
    ----------
    branch : int64[np]
    V_best, efficiency : float64[np]    Flow of best efficiency at nominal speed, the best. [m3/s, -]
    run_down : float64[np]
        J omega^2 / P at nominal speed and best flow: without drive the speed halves in about this time. [s]
    ramp : float64[np]    From standstill to nominal speed under drive. [s]
    """

    branch: Index
    V_best: Vector
    efficiency: Vector
    run_down: Vector
    ramp: Vector


class Plates(NamedTuple):
    """Heated solids that give their heat to a branch: cold plates.

    Attributes
    ----------
    branch : int64[nc]
    C : float64[nc]    Heat capacity of the solid. [J/K]
    UA, m_nominal, exponent : float64[nc]
        Conductance to the coolant UA (m_flow / m_nominal)^exponent. [W/K, kg/s, -]
    """

    branch: Index
    C: Vector
    UA: Vector
    m_nominal: Vector
    exponent: Vector


class Exchangers(NamedTuple):
    """Pairs of streams that exchange heat. The second may be air, which is given, not solved.

    1 / UA = resistance + 1 / (UA_1 (m_1 / m_1 nominal)^n_1) + the same of side 2

    Attributes
    ----------
    side : int64[nx, 2]    Branches; -1 as the second: air.
    UA, m_nominal, exponent : float64[nx, 2]    Of each film. [W/K, kg/s, -]
    resistance : float64[nx]    Wall and fouling. [K/W]
    arrangement : int64[nx]
    """

    side: Index
    UA: Vector
    m_nominal: Vector
    exponent: Vector
    resistance: Vector
    arrangement: Index


class Vessels(NamedTuple):
    """Nodes that store coolant: they fix the pressure at any moment and move it over time.

    Attributes
    ----------
    node : int64[nv]
    kind : int64[nv]    TANK or GAS.
    area : float64[nv]    TANK: cross-section. [m2]
    volume : float64[nv]    TANK: up to the brim; GAS: of the shell. [m3]
    p_gas : float64[nv]    TANK: pressure above the level; GAS: precharge, with the shell empty. [Pa]
    polytropic : float64[nv]    GAS: exponent, 1 slow to 1.4 fast. [-]
    p_start : float64[nv]    Pressure at the node to begin with. [Pa]
    """

    node: Index
    kind: Index
    area: Vector
    volume: Vector
    p_gas: Vector
    polytropic: Vector
    p_start: Vector


class Case(NamedTuple):
    """A network as arrays; `network.prepare` checks and orders it.

    Attributes
    ----------
    fluids : tuple of Fluid
    fluid : int64[nn]    Which of them fills the node.
    elevation : float64[nn]    [m]
    p_fixed : float64[nn]    Pressure of boundary nodes, NaN elsewhere. [Pa]
    T_fixed : float64[nn]    Temperature of what enters from boundary nodes, NaN elsewhere. [K]
    supply : float64[nn]    Mass flow into nodes from outside, to begin with. [kg/s]
    branches, pumps, plates, exchangers, vessels
    setting : float64[nb]    To begin with.
    node_names, branch_names : tuple of str    For messages.
    """

    fluids: tuple[Fluid, ...]
    fluid: Index
    elevation: Vector
    p_fixed: Vector
    T_fixed: Vector
    supply: Vector
    branches: Branches
    pumps: Pumps
    plates: Plates
    exchangers: Exchangers
    vessels: Vessels
    setting: Vector
    node_names: tuple[str, ...]
    branch_names: tuple[str, ...]


class Inputs(NamedTuple):
    """What may change from one solve to the next; `Network.inputs` gives the start.

    Attributes
    ----------
    setting : float64[nb]    Openings, speeds, foulings, leak areas; see the roles.
    drive : bool[np]    Whether each pump has power; without, it runs down (`transient`), or stands (`solve`).
    heat : float64[nb]
        Heat into the coolant of a branch, or into the solid of its plate. A branch without volume takes it
        only while it flows. [W]
    p : float64[nn]    Pressure of boundary nodes and, in a steady solve, of vessels; ignored elsewhere. [Pa]
    T : float64[nn]    Temperature of what enters at boundary nodes; ignored elsewhere. [K]
    supply : float64[nn]    Mass flow into nodes from outside, at temperature `T`. [kg/s]
    T_ambient : float64[nb]    Around each branch. [K]
    air_flow, T_air : float64[nx]    Mass flow, inlet temperature of the air of exchangers with air. [kg/s, K]
    G_solid, T_solid_air : float64[nc]
        Second way of the plates' heat: conductance from the solid to air, and its temperature. [W/K, K]
    """

    setting: Vector
    drive: NDArray[np.bool_]
    heat: Vector
    p: Vector
    T: Vector
    supply: Vector
    T_ambient: Vector
    air_flow: Vector
    T_air: Vector
    G_solid: Vector
    T_solid_air: Vector
