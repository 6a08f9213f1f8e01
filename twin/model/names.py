"""The objects of a layout by id: their kind and where in the file they stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from twin.model.schema import Layout


class Named(NamedTuple):
    """An object with an id: what it is, its id, its path in the layout, ``racks[2]``."""

    kind: str
    id: str
    path: str


def named(layout: Layout) -> Iterator[Named]:
    """Walk every object with an id, in the order of the schema."""
    groups = (
        ("rack", layout.racks),
        ("racklet", layout.racklets),
        ("cooler", layout.coolers),
        ("loop", layout.loops),
        ("tile", layout.tiles),
        ("grille", layout.grilles),
        ("opening", layout.openings),
        ("duct", layout.ducts),
        ("containment", layout.containments),
        ("panel", layout.panels),
        ("wall", layout.walls),
        ("obstacle", layout.obstacles),
        ("feed", layout.feeds),
        ("sensor", layout.sensors),
        ("workload", layout.workloads),
    )
    for kind, items in groups:
        for n, item in enumerate(items):
            yield Named(kind, item.id, f"{kind}s[{n}]")
    for n, loop in enumerate(layout.loops):
        yield Named("CDU", loop.cdu.id, f"loops[{n}].cdu")
        for k, pump in enumerate(loop.cdu.pumps):
            yield Named("pump", pump.id, f"loops[{n}].cdu.pumps[{k}]")
        for k, branch in enumerate(loop.branches):
            yield Named("branch", branch.id, f"loops[{n}].branches[{k}]")
        for k, coil in enumerate(loop.coils):
            yield Named("coil", coil.id, f"loops[{n}].coils[{k}]")
    for n, group in enumerate(layout.containments):
        for k, panel in enumerate(group.panels):
            yield Named("panel", panel.id, f"containments[{n}].panels[{k}]")


def paths(layout: Layout) -> dict[str, str]:
    """Return the path in the layout of every id; the last where an id stands twice."""
    return {item.id: item.path for item in named(layout)}
