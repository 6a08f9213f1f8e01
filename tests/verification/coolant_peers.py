"""Three networks that pandapipes solves too: a tree, two loops, two pumps. SI, as JSON would have them."""

from __future__ import annotations

ROUGH = 1e-4  # m: rough enough that Churchill and Colebrook agree to 0.5 % at these Reynolds numbers
U = 8.0  # W/(m2 K)

TREE = {
    "name": "tree",
    "T_start": 330.0,
    "T_ambient": 290.0,
    "junctions": ["source", "a", "b", "c", "d", "e", "f"],
    "grids": {"source": [4e5, 340.0]},
    "pipes": {
        "trunk": ["source", "a", 60.0, 0.06, ROUGH, U],
        "left": ["a", "b", 40.0, 0.05, ROUGH, U],
        "right": ["a", "c", 50.0, 0.05, ROUGH, U],
        "left end": ["b", "d", 30.0, 0.04, ROUGH, U],
        "left side": ["b", "e", 35.0, 0.04, ROUGH, U],
        "right end": ["c", "f", 30.0, 0.04, ROUGH, U],
    },
    "heaters": {},
    "pumps": {},
    "sinks": {"c": 0.8, "d": 1.1, "e": 0.9, "f": 1.2},
}

LOOPS = {
    "name": "two loops",
    "T_start": 330.0,
    "T_ambient": 290.0,
    "junctions": ["source", "a", "b", "c", "d", "e", "f"],
    "grids": {"source": [5e5, 335.0]},
    "pipes": {
        "feed": ["source", "a", 30.0, 0.08, ROUGH, U],
        "ab": ["a", "b", 80.0, 0.05, ROUGH, U],
        "bc": ["b", "c", 60.0, 0.05, ROUGH, U],
        "ad": ["a", "d", 70.0, 0.06, ROUGH, U],
        "be": ["b", "e", 60.0, 0.04, ROUGH, U],
        "cf": ["c", "f", 60.0, 0.04, ROUGH, U],
        "de": ["d", "e", 80.0, 0.05, ROUGH, U],
        "ef": ["e", "f", 60.0, 0.05, ROUGH, U],
    },
    "heaters": {},
    "pumps": {},
    "sinks": {"b": 0.7, "c": 1.2, "d": 0.6, "e": 0.9, "f": 1.3},
}

STRONG = [[0.0, 2.5e5], [2e-3, 2.2e5], [4e-3, 1.3e5]]
WEAK = [[0.0, 2.4e5], [2e-3, 2.1e5], [4e-3, 1.2e5]]

PUMPS = {
    "name": "two pumps",
    "T_start": 300.0,
    "T_ambient": 290.0,
    "junctions": ["suction", "discharge", "rack 1", "rack 1 out", "rack 2", "rack 2 out", "back", "end"],
    "grids": {"suction": [2e5, 300.0], "end": [2e5, None]},
    "pipes": {
        "to rack 1": ["discharge", "rack 1", 20.0, 0.04, ROUGH, U],
        "to rack 2": ["discharge", "rack 2", 30.0, 0.04, ROUGH, U],
        "from rack 1": ["rack 1 out", "back", 20.0, 0.04, ROUGH, U],
        "from rack 2": ["rack 2 out", "back", 30.0, 0.04, ROUGH, U],
        "main": ["back", "end", 10.0, 0.06, ROUGH, U],
    },
    "heaters": {
        "plates 1": ["rack 1", "rack 1 out", 0.03, 8.0, 60e3],
        "plates 2": ["rack 2", "rack 2 out", 0.03, 8.0, 45e3],
    },
    "pumps": {"pump 1": ["suction", "discharge", STRONG], "pump 2": ["suction", "discharge", WEAK]},
    "sinks": {},
}

NETWORKS = [TREE, LOOPS, PUMPS]
