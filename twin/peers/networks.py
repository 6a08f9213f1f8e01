"""Three networks that pandapipes solves too: a tree, two loops, two pumps. SI, as JSON would have them.

junctions    names
grids        name -> pressure, temperature of what comes in (none where it only leaves) [Pa, K]
pipes        name -> from, to, length, diameter, roughness, conductance to the surroundings [m, W/(m2 K)]
heaters      name -> from, to, diameter, loss coefficient, heat [m, -, W]
pumps        name -> from, to, points of the curve [m3/s, Pa]
sinks        junction -> what leaves [kg/s]
"""

from __future__ import annotations

import math
from typing import Any

from solvers.coolant.builder import Builder
from solvers.coolant.components import Inputs
from solvers.coolant.fluids import fluid
from solvers.coolant.network import Network, prepare

_ROUGH = 1e-4  # m: rough enough that Churchill and Colebrook agree to 0.5 % at these Reynolds numbers
_U = 8.0  # W/(m2 K)

TREE: dict[str, Any] = {
    "name": "tree",
    "T_start": 330.0,
    "T_ambient": 290.0,
    "junctions": ["source", "a", "b", "c", "d", "e", "f"],
    "grids": {"source": [4e5, 340.0]},
    "pipes": {
        "trunk": ["source", "a", 60.0, 0.06, _ROUGH, _U],
        "left": ["a", "b", 40.0, 0.05, _ROUGH, _U],
        "right": ["a", "c", 50.0, 0.05, _ROUGH, _U],
        "left end": ["b", "d", 30.0, 0.04, _ROUGH, _U],
        "left side": ["b", "e", 35.0, 0.04, _ROUGH, _U],
        "right end": ["c", "f", 30.0, 0.04, _ROUGH, _U],
    },
    "heaters": {},
    "pumps": {},
    "sinks": {"c": 0.8, "d": 1.1, "e": 0.9, "f": 1.2},
}

LOOPS: dict[str, Any] = {
    "name": "two loops",
    "T_start": 330.0,
    "T_ambient": 290.0,
    "junctions": ["source", "a", "b", "c", "d", "e", "f"],
    "grids": {"source": [5e5, 335.0]},
    "pipes": {
        "feed": ["source", "a", 30.0, 0.08, _ROUGH, _U],
        "ab": ["a", "b", 80.0, 0.05, _ROUGH, _U],
        "bc": ["b", "c", 60.0, 0.05, _ROUGH, _U],
        "ad": ["a", "d", 70.0, 0.06, _ROUGH, _U],
        "be": ["b", "e", 60.0, 0.04, _ROUGH, _U],
        "cf": ["c", "f", 60.0, 0.04, _ROUGH, _U],
        "de": ["d", "e", 80.0, 0.05, _ROUGH, _U],
        "ef": ["e", "f", 60.0, 0.05, _ROUGH, _U],
    },
    "heaters": {},
    "pumps": {},
    "sinks": {"b": 0.7, "c": 1.2, "d": 0.6, "e": 0.9, "f": 1.3},
}

_STRONG = [[0.0, 2.5e5], [2e-3, 2.2e5], [4e-3, 1.3e5]]
_WEAK = [[0.0, 2.4e5], [2e-3, 2.1e5], [4e-3, 1.2e5]]

PUMPS: dict[str, Any] = {
    "name": "two pumps",
    "T_start": 300.0,
    "T_ambient": 290.0,
    "junctions": ["suction", "discharge", "rack 1", "rack 1 out", "rack 2", "rack 2 out", "back", "end"],
    "grids": {"suction": [2e5, 300.0], "end": [2e5, None]},
    "pipes": {
        "to rack 1": ["discharge", "rack 1", 20.0, 0.04, _ROUGH, _U],
        "to rack 2": ["discharge", "rack 2", 30.0, 0.04, _ROUGH, _U],
        "from rack 1": ["rack 1 out", "back", 20.0, 0.04, _ROUGH, _U],
        "from rack 2": ["rack 2 out", "back", 30.0, 0.04, _ROUGH, _U],
        "main": ["back", "end", 10.0, 0.06, _ROUGH, _U],
    },
    "heaters": {
        "plates 1": ["rack 1", "rack 1 out", 0.03, 8.0, 60e3],
        "plates 2": ["rack 2", "rack 2 out", 0.03, 8.0, 45e3],
    },
    "pumps": {"pump 1": ["suction", "discharge", _STRONG], "pump 2": ["suction", "discharge", _WEAK]},
    "sinks": {},
}

NETWORKS = [TREE, LOOPS, PUMPS]


def build_network(description: dict[str, Any], *, heated: bool = True) -> tuple[Network, Inputs]:
    """Build a network of ours from a description.

    Parameters
    ----------
    description : dict    One of `NETWORKS`.
    heated : bool
        Whether heaters heat and pipes lose heat; without, friction and pumps alone warm, which pandapipes
        leaves out.

    Returns
    -------
    Network, Inputs
    """
    builder = Builder(fluid("water"))
    at = {name: builder.node(name) for name in description["junctions"]}
    for name, (p, T) in description["grids"].items():
        builder.boundary(at[name], p, description["T_start"] if T is None else T)
    for name, (a, b, length, diameter, roughness, U) in description["pipes"].items():
        UA = U * math.pi * diameter * length * heated
        builder.pipe(name, at[a], at[b], length, diameter, roughness=roughness, UA=UA)
    heat = {}
    for name, (a, b, diameter, loss, Q) in description["heaters"].items():
        heat[builder.fitting(name, at[a], at[b], diameter, loss)] = Q * heated
    for name, (a, b, points) in description["pumps"].items():
        builder.pump(name, at[a], at[b], points, check=False)
    for name, m_flow in description["sinks"].items():
        builder.demand(at[name], m_flow)
    network = prepare(builder.build())
    inputs = network.inputs()
    inputs.T_ambient[:] = description["T_ambient"]
    for branch, Q in heat.items():
        inputs.heat[branch] = Q
    return network, inputs
