"""The grid while a layout is being drawn on it: cells, faces, patches, and what was found wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twin.errors import Finding, Severity
from twin.model import voxel
from twin.model.geometry import Box, boxes
from twin.model.mesh.lines import asked_lines
from twin.model.names import paths
from twin.model.schema import Layout

OUTSIDE = -1
"""Stands for a patch where a unit exchanges air with the outside."""
Ranges = list[tuple[int, int]]


@dataclass
class Patches:
    """Patches and units while they are being collected."""

    axis: list[int] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    lo: list[tuple[int, int]] = field(default_factory=list)
    hi: list[tuple[int, int]] = field(default_factory=list)
    side: list[int] = field(default_factory=list)
    owner: list[tuple[Box, str]] = field(default_factory=list)
    inlet: list[int] = field(default_factory=list)
    outlet: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def add(self, axis: int, index: int, ranges: Ranges, side: int, owner: tuple[Box, str]) -> int:
        """Add a patch; ``ranges`` are the half-open cell ranges of x, y, z. Return its number."""
        others = [ranges[a] for a in range(3) if a != axis]
        self.axis.append(axis)
        self.index.append(index)
        self.lo.append((others[0][0], others[1][0]))
        self.hi.append((others[0][1], others[1][1]))
        self.side.append(side)
        self.owner.append(owner)
        return len(self.axis) - 1

    def unit(self, name: str, inlet: int, outlet: int) -> int:
        """Join two patches to a unit; return its number."""
        self.names.append(name)
        self.inlet.append(inlet)
        self.outlet.append(outlet)
        return len(self.names) - 1

    def layer(self, patch: int) -> int:
        """Index along its axis of the cells a patch blows into or draws from."""
        return self.index[patch] - (self.side[patch] < 0)

    def cells(self, patch: int) -> tuple[slice | int, ...]:
        """Index of the cells a patch blows into or draws from."""
        return self._window(patch, self.layer(patch))

    def faces(self, patch: int) -> tuple[slice | int, ...]:
        """Index of the faces of a patch."""
        return self._window(patch, self.index[patch])

    def _window(self, patch: int, index: int) -> tuple[slice | int, ...]:
        ranges = iter(zip(self.lo[patch], self.hi[patch], strict=True))
        return tuple(index if a == self.axis[patch] else slice(*next(ranges)) for a in range(3))


class Raster:
    """A layout on a grid, drawn part by part.

    Attributes
    ----------
    boxes, box_of                   The layout's objects, and by name.
    faces : list of float64[n+1]    Grid lines by axis. [m]
    inside : list of (int, int)     Cell range of the room by axis; beyond it lies the outside.
    solid, ambient : bool[nx, ny, nz]
    plate, loss                     Bool and float32 face arrays by axis.
    jets : list of (k, x range, y range, open area)    Of tiles and grilles.
    """

    def __init__(self, layout: Layout, cell: float) -> None:
        self.layout = layout
        self.cell = cell
        self.findings: list[Finding] = []
        self.too_fine: list[tuple[str, float]] = []
        self.boxes = boxes(layout)
        self.box_of = {box.name: box for box in self.boxes}
        self.paths = paths(layout)
        self.faces: list[NDArray[np.float64]] = []
        for axis, lines in enumerate(asked_lines(layout, cell)):
            kept, moved = voxel.choose_lines(lines, cell)
            self.faces.append(voxel.fill_lines(kept, cell))
            self.findings += [_moved(layout.name, axis, move) for move in moved]
        self.inside = [self.span(a, 0.0, layout.room.size[a]) for a in range(3)]
        nx, ny, nz = shape = (self.faces[0].size - 1, self.faces[1].size - 1, self.faces[2].size - 1)
        shapes = (nx + 1, ny, nz), (nx, ny + 1, nz), (nx, ny, nz + 1)
        self.solid = np.ones(shape, bool)
        self.solid[self.room] = False
        self.ambient = np.zeros(shape, bool)
        self.plate = tuple(np.zeros(each, bool) for each in shapes)
        self.loss = tuple(np.zeros(each, np.float32) for each in shapes)
        self.region = np.full(shape, -1, np.int32)
        self.patches = Patches()
        self.jets: list[tuple[int, tuple[int, int], tuple[int, int], float]] = []

    @property
    def room(self) -> tuple[slice, slice, slice]:
        """Index of the cells of the room."""
        x, y, z = (slice(*part) for part in self.inside)
        return x, y, z

    @property
    def shape(self) -> tuple[int, int, int]:
        """Cells by axis."""
        nx, ny, nz = self.solid.shape
        return nx, ny, nz

    def index(self, axis: int, coordinate: float) -> int:
        """Return the face nearest to a coordinate."""
        return voxel.nearest(self.faces[axis], coordinate)

    def span(self, axis: int, lo: float, hi: float) -> tuple[int, int]:
        """Return the half-open cell range between two coordinates."""
        return voxel.span(self.faces[axis], lo, hi)

    def ranges(self, box: Box) -> Ranges:
        """Return the half-open cell ranges of a box."""
        return [self.span(axis, box.lo[axis], box.hi[axis]) for axis in range(3)]

    def volumes(self) -> NDArray[np.float64]:
        """Volume of every cell. float64[nx, ny, nz] [m3]."""
        dx, dy, dz = (np.diff(face) for face in self.faces)
        return dx[:, None, None] * dy[None, :, None] * dz[None, None, :]

    def blocker(self, window: tuple[slice | int, ...]) -> str:
        """Name what fills cells of a window; the room's wall where no object does."""
        for box in self.boxes:
            if box.is_block and all(
                lo < _stop(part) and _start(part) < hi
                for (lo, hi), part in zip(self.ranges(box), window, strict=True)
            ):
                return f"{box.kind} '{box.name}'"
        return "the wall of the room"

    def error(self, box: Box, rule: str, remedy: str, field: str = "", value: str = "") -> None:
        """Note a fault of an object, once."""
        path = self.paths.get(box.owner, "")
        where = ".".join(part for part in (path, field) if part)
        self.error_at(f"{box.kind} '{box.name}'", where, value, rule, remedy)

    def error_at(self, subject: str, field: str, value: str, rule: str, remedy: str) -> None:
        """Note a fault of anything, once."""
        finding = Finding(self.layout.name, subject, field, value, rule, remedy)
        if finding not in self.findings:
            self.findings.append(finding)

    def warn(self, subject: str, value: str, rule: str, remedy: str) -> None:
        """Note what works but may not be meant."""
        self.findings.append(Finding(self.layout.name, subject, "", value, rule, remedy, Severity.WARNING))

    def tell_too_fine(self) -> None:
        """Note the slots that no cell is left for as one fault, with the cell that shows the smallest."""
        if not self.too_fine:
            return
        names = [name for name, _ in self.too_fine]
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        finest = min(height for _, height in self.too_fine)
        rule = f"finer than the cells of {self.cell:g} m: {shown}"
        self.error_at("grid", "air.cell", f"{self.cell:g} m", rule, f"Use a cell of {finest:.2g} m or less")

    @property
    def errors(self) -> list[Finding]:
        """The faults that stop the work."""
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]


def _start(part: slice | int) -> int:
    return part.start if isinstance(part, slice) else part


def _stop(part: slice | int) -> int:
    return part.stop if isinstance(part, slice) else part + 1


def _moved(file: str, axis: int, move: voxel.Moved) -> Finding:
    return Finding(
        file,
        move.owner,
        "xyz"[axis],
        f"{move.asked:.3f} m",
        f"lies closer than {voxel.SLIVER:g} cells to a face of {move.neighbour} "
        f"and was drawn at {move.given:.3f} m",
        "Use a smaller cell if the gap matters",
        Severity.WARNING,
    )
