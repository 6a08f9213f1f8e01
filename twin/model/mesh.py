"""Mesh a layout: grid lines on the objects' faces, solids, plates, porous faces, openings, units."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import psutil
from numpy.typing import NDArray

from solvers.airflow.case import AirCase
from solvers.grid import make_grid
from twin.errors import Finding, InputError, Severity
from twin.model import voxel
from twin.model.catalog import tile_loss_coefficient
from twin.model.geometry import Box, Face, boxes, front, rear, standing_box, unit_height
from twin.model.schema import U_HEIGHT, Cooler, Layout, Rack

BYTES_PER_CELL = 1200
"""Peak memory of a solve, results included: measured 1.0 to 1.1 kB at 0.7 M cells. [B]"""
MEMORY_SHARE = 0.8
"""Part of the free memory that a mesh may take. [1]"""
_INTO_PLENUM = "supply into the plenum"  # the one opening that a plate, the floor, is cut for
_RANK = {"floor": 0, "rack": 1, "cooler": 1, "tile": 2, "wall": 2, "panel": 3, "obstacle": 4}


@dataclass
class Mesh:
    """What the meshing found: the case, its units by name, and what to warn of."""

    case: AirCase
    unit_names: list[str]
    rack_units: dict[str, tuple[int, ...]]
    leakage_units: dict[str, int]
    cooler_units: dict[str, int]
    boxes: tuple[Box, ...]
    findings: list[Finding]
    room_cells: NDArray[np.bool_]
    plenum_cells: NDArray[np.bool_]
    region: NDArray[np.int32]


@dataclass
class _Patches:
    """Openings and units while they are being collected."""

    axis: list[int] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    lo: list[tuple[int, int]] = field(default_factory=list)
    hi: list[tuple[int, int]] = field(default_factory=list)
    side: list[int] = field(default_factory=list)
    owner: list[tuple[str, str]] = field(default_factory=list)
    inlet: list[int] = field(default_factory=list)
    outlet: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def add(
        self, axis: int, index: int, ranges: list[tuple[int, int]], side: int, owner: tuple[str, str]
    ) -> int:
        """Add an opening; ``ranges`` are the half-open cell ranges of x, y, z. Return its number."""
        others = [ranges[a] for a in range(3) if a != axis]
        self.axis.append(axis)
        self.index.append(index)
        self.lo.append((others[0][0], others[1][0]))
        self.hi.append((others[0][1], others[1][1]))
        self.side.append(side)
        self.owner.append(owner)
        return len(self.axis) - 1

    def unit(self, name: str, inlet: int, outlet: int) -> int:
        """Join two openings to a unit; return its number."""
        self.names.append(name)
        self.inlet.append(inlet)
        self.outlet.append(outlet)
        return len(self.names) - 1

    def window(self, patch: int) -> tuple[slice | int, ...]:
        """Index of the cells an opening blows into or draws from."""
        layer = self.index[patch] if self.side[patch] > 0 else self.index[patch] - 1
        ranges = iter(zip(self.lo[patch], self.hi[patch], strict=True))
        return tuple(layer if a == self.axis[patch] else slice(*next(ranges)) for a in range(3))


def build_mesh(layout: Layout, cell: float) -> Mesh:
    """Mesh a layout.

    Parameters
    ----------
    layout : Layout
    cell : float    Target cell size. [m]

    Raises
    ------
    InputError : the grid needs more memory than there is, a part is finer than the grid, an opening is
    blocked,
        or a unit joins two spaces that no air path joins.
    """
    mesher = _Mesher(layout, cell)
    mesher.solids()
    mesher.plates()
    for rack in layout.racks:
        mesher.rack(rack)
    for cooler in layout.coolers:
        mesher.cooler(cooler)
    mesher.check_openings()
    mesher.check_spaces()
    errors = [finding for finding in mesher.findings if finding.severity is Severity.ERROR]
    if errors:
        raise InputError(errors)
    return mesher.mesh()


def count_cells(layout: Layout, cell: float) -> int:
    """Cells a mesh would have, without making it."""
    counts = (voxel.cell_counts(voxel.choose_lines(lines, cell)[0], cell) for lines in _asked_lines(layout))
    return math.prod(int(count.sum()) for count in counts)


def finest_cell(layout: Layout, memory: float) -> float:
    """Return the smallest target cell size whose mesh fits into ``memory`` bytes, to three digits. [m]."""
    low, high = 1e-3, max(layout.room.size)
    while high / low > 1.005:
        middle = math.sqrt(low * high)
        if count_cells(layout, middle) * BYTES_PER_CELL > memory:
            low = middle
        else:
            high = middle
    return math.ceil(high * 1000.0) / 1000.0


def _asked_lines(layout: Layout) -> list[list[voxel.Line]]:
    """Return the lines the objects ask for, by axis."""
    found: list[list[voxel.Line]] = []
    for axis in range(3):
        lines = [voxel.Line(0.0, -1, "room"), voxel.Line(layout.room.size[axis], -1, "room")]
        for box in boxes(layout):
            for coordinate in {box.lo[axis], box.hi[axis]}:
                lines.append(voxel.Line(coordinate, _RANK[box.kind], f"{box.kind} '{box.name}'"))
        found.append(lines)
    return found


class _Mesher:
    def __init__(self, layout: Layout, cell: float) -> None:
        self.layout = layout
        self.cell = cell
        self.findings: list[Finding] = []
        self.boxes = boxes(layout)
        self._check_memory()
        faces = []
        for axis, lines in enumerate(_asked_lines(layout)):
            kept, moved = voxel.choose_lines(lines, cell)
            faces.append(voxel.fill_lines(kept, cell))
            self.findings += [self._moved(axis, move) for move in moved]
        self.faces = faces
        nx, ny, nz = (face.size - 1 for face in faces)
        self.solid = np.zeros((nx, ny, nz), bool)
        self.plate = (
            np.zeros((nx + 1, ny, nz), bool),
            np.zeros((nx, ny + 1, nz), bool),
            np.zeros((nx, ny, nz + 1), bool),
        )
        self.loss = (
            np.zeros((nx + 1, ny, nz), np.float32),
            np.zeros((nx, ny + 1, nz), np.float32),
            np.zeros((nx, ny, nz + 1), np.float32),
        )
        self.region = np.full(self.solid.shape, -1, np.int32)
        self.patches = _Patches()
        self.rack_units: dict[str, tuple[int, ...]] = {}
        self.leakage_units: dict[str, int] = {}
        self.cooler_units: dict[str, int] = {}

    def mesh(self) -> Mesh:
        patches = self.patches
        case = AirCase(
            make_grid(*self.faces),
            self.solid,
            *self.plate,
            *self.loss,
            np.array(patches.axis, np.int64),
            np.array(patches.index, np.int64),
            np.array(patches.lo, np.int64).reshape(-1, 2),
            np.array(patches.hi, np.int64).reshape(-1, 2),
            np.array(patches.side, np.int64),
            np.array(patches.inlet, np.int64),
            np.array(patches.outlet, np.int64),
        )
        above = np.zeros(self.solid.shape, bool)
        above[:, :, self._floor() :] = True
        return Mesh(
            case,
            patches.names,
            self.rack_units,
            self.leakage_units,
            self.cooler_units,
            self.boxes,
            self.findings,
            above & ~self.solid,
            ~above & ~self.solid,
            self.region,
        )

    def solids(self) -> None:
        for box in self.boxes:
            if box.kind in ("rack", "cooler", "obstacle"):
                ranges = self._ranges(box)
                if any(lo == hi for lo, hi in ranges):
                    self._error(
                        box,
                        "thinner than the grid can show",
                        "Use a smaller cell, or a panel for a thin part",
                    )
                self.solid[tuple(slice(*part) for part in ranges)] = True

    def plates(self) -> None:
        self._floor_plane()
        for box in self.boxes:
            if box.kind in ("wall", "panel"):
                self._thin(box)

    def rack(self, rack: Rack) -> None:
        box = standing_box(self.layout, rack)
        foot, top = self._span(2, box.lo[2], box.hi[2])
        taken: list[tuple[int, int]] = []
        units = []
        for number, slot in enumerate(rack.slots, 1):
            lo = unit_height(self.layout, rack, slot.u_start)
            k = self._free_range(lo, lo + slot.u_height * U_HEIGHT, (foot, top), taken)
            if k is None:
                self._error(
                    box, f"slot {number} is finer than the cells of {self.cell:g} m", "Use a smaller cell"
                )
                continue
            taken.append(k)
            units.append(self._through(f"{rack.id}.{number}", box, k))
        self.rack_units[rack.id] = tuple(units)
        if rack.leakage > 0.0:
            self._leakage(rack, box, (foot, top), taken)

    def cooler(self, cooler: Cooler) -> None:
        box = standing_box(self.layout, cooler)
        intake = self._cooler_opening(box, cooler.return_face)
        supply = self._cooler_opening(box, cooler.supply_face)
        self.cooler_units[cooler.id] = self.patches.unit(cooler.id, intake, supply)

    def check_openings(self) -> None:
        nx, ny, nz = self.solid.shape
        for patch, (owner, role) in enumerate(self.patches.owner):
            axis, side = self.patches.axis[patch], self.patches.side[patch]
            layer = self.patches.index[patch] - (side < 0)
            box = next(box for box in self.boxes if box.name == owner)
            if not 0 <= layer < (nx, ny, nz)[axis]:
                self._error(box, f"its {role} lies in the wall of the room", "Leave air before it")
                continue
            window = self.patches.window(patch)
            blocked = float(np.mean(self.solid[window]))
            if blocked > 0.0:
                self._error(
                    box, f"{blocked:.0%} of its {role} is blocked by another object", "Leave air before it"
                )
            elif role != _INTO_PLENUM and self._covered(patch):
                self._error(box, f"a panel or wall covers its {role}", f"Move it off the {box.kind}'s face")

    def check_spaces(self) -> None:
        if any(finding.severity is Severity.ERROR for finding in self.findings):
            return
        region = self.region = voxel.regions(self.solid, *self.plate)
        used = set()
        for name, inlet, outlet in zip(
            self.patches.names, self.patches.inlet, self.patches.outlet, strict=True
        ):
            drawn, blown = (set(np.unique(region[self.patches.window(p)])) for p in (inlet, outlet))
            used |= drawn | blown
            if len(drawn | blown) > 1:
                box = next(box for box in self.boxes if box.name == name.split(".")[0])
                self._error(
                    box,
                    "draws air from one closed space and blows it into another",
                    "Join them: add a perforated tile, open a door, or give a panel some leakage",
                )
        volumes = np.bincount(region[~self.solid], weights=self._volumes()[~self.solid])
        for number, volume in enumerate(volumes):
            if number not in used:
                where = [self.faces[a][index[0]] for a, index in enumerate(np.nonzero(region == number))]
                self._warn(
                    "room",
                    f"{volume:.3g} m3 at ({where[0]:.2f}, {where[1]:.2f}, {where[2]:.2f})",
                    "no air reaches this closed pocket",
                    "Nothing to do if it is meant; its temperature means nothing",
                )

    # -- parts -----------------------------------------------------------------------------------------------

    def _floor(self) -> int:
        return voxel.nearest(self.faces[2], self.layout.room.raised_floor)

    def _floor_plane(self) -> None:
        room = self.layout.room
        if room.raised_floor <= 0.0:
            return
        k = self._floor()
        plate, loss = self.plate[2], self.loss[2]
        if room.floor_leakage > 0.0:
            open_ = ~(self.solid[:, :, k] | self.solid[:, :, k - 1])
            plate[:, :, k] = ~open_
            loss[:, :, k] = np.where(open_, tile_loss_coefficient(room.floor_leakage), 0.0)
        else:
            plate[:, :, k] = True
        for tile, box in zip(self.layout.tiles, (b for b in self.boxes if b.kind == "tile"), strict=True):
            (i0, i1), (j0, j1), _ = self._ranges(box)
            if i0 == i1 or j0 == j1:
                self._error(box, f"finer than the cells of {self.cell:g} m", "Use a smaller cell")
            plate[i0:i1, j0:j1, k] = False
            loss[i0:i1, j0:j1, k] = tile.loss

    def _thin(self, box: Box) -> None:
        axis = next(a for a in range(3) if box.hi[a] - box.lo[a] < 1e-9)
        ranges = self._ranges(box)
        index = tuple(part[0] if a == axis else slice(*part) for a, part in enumerate(ranges))
        panels = {panel.id: panel for panel in self.layout.active_panels}
        leakage = panels[box.name].leakage if box.kind == "panel" else 0.0
        if leakage > 0.0:
            free = ~self.plate[axis][index]
            self.loss[axis][index] = np.where(free, tile_loss_coefficient(leakage), 0.0)
        else:
            self.plate[axis][index] = True
            self.loss[axis][index] = 0.0

    def _through(self, name: str, box: Box, k: tuple[int, int], reverse: bool = False) -> int:
        """Add a unit from front to rear (or back) of a rack over the cell layers ``k``."""
        intake = self._opening(box, front(box), "air inlet", k)
        outlet = self._opening(box, rear(box), "air outlet", k)
        return self.patches.unit(name, outlet, intake) if reverse else self.patches.unit(name, intake, outlet)

    def _leakage(self, rack: Rack, box: Box, limits: tuple[int, int], taken: list[tuple[int, int]]) -> None:
        occupied = [(slot.u_start, slot.u_start + slot.u_height) for slot in rack.slots]
        occupied += [(r.u_start, r.u_start + r.u_height) for r in self.layout.racklets if r.rack == rack.id]
        edges = sorted([(0, 1), *occupied, (rack.units + 1, rack.units + 1)])
        lo, hi = max(((a[1], b[0]) for a, b in pairwise(edges)), key=lambda gap: gap[1] - gap[0])
        if hi > lo:
            bottom, top = (unit_height(self.layout, rack, unit) for unit in (lo, hi))
            k = self._free_range(bottom, top, limits, taken)
            if k is not None:
                self.leakage_units[rack.id] = self._through(f"{rack.id}.leakage", box, k, reverse=True)
                return
        self._error(
            box, "leakage needs free rack units of at least one cell", "Set leakage to 0, or free some units"
        )

    def _cooler_opening(self, box: Box, which: str) -> int:
        if which == "plenum":
            return self._opening(box, Face(2, box.lo[2], -1), _INTO_PLENUM)
        if which == "top":
            return self._opening(box, Face(2, box.hi[2], 1), "return on top")
        return self._opening(box, front(box) if which == "front" else rear(box), f"{which} opening")

    def _opening(self, box: Box, face: Face, role: str, k: tuple[int, int] | None = None) -> int:
        ranges = self._ranges(box)
        if k is not None:
            ranges[2] = k
        index = voxel.nearest(self.faces[face.axis], face.coordinate)
        return self.patches.add(face.axis, index, ranges, face.side, (box.name, role))

    def _free_range(
        self, lo: float, hi: float, limits: tuple[int, int], taken: list[tuple[int, int]]
    ) -> tuple[int, int] | None:
        """Cell layers nearest to a height range, at least one, clear of those taken; else None."""
        k0, k1 = (min(max(k, limits[0]), limits[1]) for k in self._span(2, lo, hi))
        if k0 == k1:
            k0 = int(np.searchsorted(self.faces[2], 0.5 * (lo + hi), side="right")) - 1
            k1 = k0 + 1
        if k0 < limits[0] or k1 > limits[1] or any(k0 < b and a < k1 for a, b in taken):
            return None
        return k0, k1

    def _covered(self, patch: int) -> bool:
        """Whether a plate, tight or leaking, lies on any face of an opening."""
        axis, index = self.patches.axis[patch], self.patches.index[patch]
        window = tuple(index if a == axis else part for a, part in enumerate(self.patches.window(patch)))
        return bool((self.plate[axis][window] | (self.loss[axis][window] > 0.0)).any())

    # -- small things ----------------------------------------------------------------------------------------

    def _span(self, axis: int, lo: float, hi: float) -> tuple[int, int]:
        return voxel.span(self.faces[axis], lo, hi)

    def _ranges(self, box: Box) -> list[tuple[int, int]]:
        return [self._span(axis, box.lo[axis], box.hi[axis]) for axis in range(3)]

    def _volumes(self) -> NDArray[np.float64]:
        dx, dy, dz = (np.diff(face) for face in self.faces)
        return dx[:, None, None] * dy[None, :, None] * dz[None, None, :]

    def _check_memory(self) -> None:
        available = MEMORY_SHARE * psutil.virtual_memory().available
        cells = count_cells(self.layout, self.cell)
        if cells * BYTES_PER_CELL <= available:
            return
        fits = finest_cell(self.layout, available)
        raise InputError(
            [
                Finding(
                    self.layout.name,
                    "room",
                    "air.cell",
                    f"{self.cell:g} m",
                    f"needs {cells:,} cells and {cells * BYTES_PER_CELL / 1e9:.1f} GB; "
                    f"{available / 1e9:.1f} GB are to be had",
                    f"Use a cell of {fits:g} m or more",
                )
            ]
        )

    def _moved(self, axis: int, move: voxel.Moved) -> Finding:
        return Finding(
            self.layout.name,
            move.owner,
            "xyz"[axis],
            f"{move.asked:.3f} m",
            f"lies closer than {voxel.SLIVER:g} cells to another face and was drawn at {move.given:.3f} m",
            "Use a smaller cell if the gap matters",
            Severity.WARNING,
        )

    def _error(self, box: Box, rule: str, remedy: str) -> None:
        finding = Finding(self.layout.name, f"{box.kind} '{box.name}'", "", "", rule, remedy)
        if finding not in self.findings:
            self.findings.append(finding)

    def _warn(self, subject: str, value: str, rule: str, remedy: str) -> None:
        self.findings.append(Finding(self.layout.name, subject, "", value, rule, remedy, Severity.WARNING))
