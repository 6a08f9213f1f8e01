"""What the rules share: the layout, its objects as boxes, and the findings so far."""

from __future__ import annotations

from twin.errors import Finding, Severity
from twin.model.geometry import Box, boxes
from twin.model.names import paths
from twin.model.schema import Layout

TOLERANCE = 1e-6
"""Coordinates closer than this are the same. [m]"""


class Report:
    """A layout under check.

    Attributes
    ----------
    layout : Layout
    dropped : frozenset of str    Ids in the file that could not be read.
    settles : bool                Whether it must have a steady state.
    placed : Layout               Without the sensors of racks that do not exist.
    boxes : list of Box           Every object but the floor and the ceiling.
    paths : dict                  Path in the layout by id.
    findings : list of Finding
    """

    def __init__(self, layout: Layout, file: str, dropped: frozenset[str], settles: bool = False) -> None:
        self.layout = layout
        self.file = file
        self.dropped = dropped
        self.settles = settles
        self.findings: list[Finding] = []
        self.paths = paths(layout)
        self.racks = {rack.id: rack for rack in layout.racks}
        self.placed = layout.model_copy(
            update={"sensors": tuple(s for s in layout.sensors if s.rack is None or s.rack in self.racks)}
        )
        self.boxes = [box for box in boxes(layout) if box.kind not in ("floor", "ceiling")]

    def error(self, subject: str, field: str, value: str, rule: str, remedy: str) -> None:
        """Note a fault."""
        self.findings.append(Finding(self.file, subject, field, value, rule, remedy))

    def warn(self, subject: str, field: str, value: str, rule: str, remedy: str) -> None:
        """Note what runs, but badly."""
        self.findings.append(Finding(self.file, subject, field, value, rule, remedy, Severity.WARNING))

    def error_of(self, box: Box, value: str, rule: str, remedy: str) -> None:
        """Note a fault of where an object is."""
        self.error(f"{box.kind} '{box.name}'", self.path_of(box), value, rule, remedy)

    def path_of(self, box: Box) -> str:
        """Path of what places an object: ``racks[2].position``, ``ducts[0].intake``."""
        base = self.paths.get(box.owner, "")
        if box.kind == "duct" and not box.is_block:
            return f"{base}.{box.name.partition('.')[2]}"
        return f"{base}.position" if box.kind in ("rack", "cooler", "tile", "grille", "duct") else base


def extent(box: Box) -> str:
    """Say where an object is."""
    axes = 2 if box.kind in ("tile", "grille") else 3
    return ", ".join(f"{'xyz'[a]} {box.lo[a]:g}..{box.hi[a]:g}" for a in range(axes))
