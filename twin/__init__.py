"""Racklet Twin: digital twin and control system for server racks with racklets.

One function per command, with the same name and arguments; each is imported when it is first used, so that
``import twin`` costs nothing::

    twin.solve(layout, ...)      steady room: inlets, balances, result folder
    twin.coldplate(spec, ...)    a cold plate or a 3D-ICE stack: temperatures, pressure drop, result folder
    twin.simulate(layout, ...)   the room through events: time to critical, balances, result folder
    twin.doctor(...)             what this machine has and lacks
    twin.load_layout(path, ...)  read and check a layout file
    twin.validate(cases, ...)    the validation suite: numbers asked beside numbers reached
    twin.bench(parts, ...)       speed of the solver on this machine, against its memory and a peer
    twin.example_layout(name)    where an example layout lies
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twin.benchmark.bench import bench
    from twin.model.load import example_layout, load_layout
    from twin.planning.simulate import simulate
    from twin.planning.solve import solve
    from twin.plates.run import coldplate
    from twin.runtime.doctor import doctor
    from twin.validation.suite import validate

__version__ = "0.1.0"
__all__ = ["bench", "coldplate", "doctor", "example_layout", "load_layout", "simulate", "solve", "validate"]

_HOME = {
    "bench": "twin.benchmark.bench",
    "coldplate": "twin.plates.run",
    "doctor": "twin.runtime.doctor",
    "example_layout": "twin.model.load",
    "load_layout": "twin.model.load",
    "simulate": "twin.planning.simulate",
    "solve": "twin.planning.solve",
    "validate": "twin.validation.suite",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'twin' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
