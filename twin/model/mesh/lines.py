"""Grid lines that a layout asks for, the cells they make, and whether those fit into memory."""

from __future__ import annotations

import math

import psutil

from twin.errors import Finding, InputError
from twin.model import voxel
from twin.model.geometry import boxes
from twin.model.schema import CELL_SIZE, Layout

BYTES_PER_CELL = 1200
"""Peak memory of a solve, results included: measured 1.0 to 1.1 kB at 0.7 M cells. [B]"""
MEMORY_SHARE = 0.8
"""Part of the free memory that a mesh may take. [1]"""
_RANK = {
    "floor": 0, "ceiling": 0, "rack": 1, "cooler": 1, "tile": 2, "grille": 2, "wall": 2, "opening": 2,
    "duct": 2, "panel": 3, "obstacle": 4,
}  # fmt: skip


def open_sides(layout: Layout) -> frozenset[tuple[int, int]]:
    """Sides of the room that have an opening: axis, and -1 for the low or +1 for the high side."""
    return frozenset(
        (opening.axis, -1 if opening.lo[opening.axis] < 0.5 * layout.room.size[opening.axis] else 1)
        for opening in layout.openings
        if opening.loss is not None
    )


def asked_lines(layout: Layout, cell: float) -> list[list[voxel.Line]]:
    """Return the lines the objects ask for, by axis; beyond a side with an opening lies a layer outside."""
    found: list[list[voxel.Line]] = []
    sides = open_sides(layout)
    placed = boxes(layout)
    for axis in range(3):
        size = layout.room.size[axis]
        lines = [voxel.Line(0.0, -1, "room"), voxel.Line(size, -1, "room")]
        if (axis, -1) in sides:
            lines.append(voxel.Line(-cell, -1, "outside"))
        if (axis, 1) in sides:
            lines.append(voxel.Line(size + cell, -1, "outside"))
        for box in placed:
            for coordinate in {box.lo[axis], box.hi[axis]}:
                lines.append(voxel.Line(coordinate, _RANK[box.kind], f"{box.kind} '{box.name}'"))
        for panel in layout.active_panels:
            if axis != panel.axis:
                which = 0 if axis == min({0, 1, 2} - {panel.axis}) else 1
                for n, cutout in enumerate(panel.cutouts, 1):
                    owner = f"cutout {n} of panel '{panel.id}'"
                    lines += [
                        voxel.Line(coordinate, _RANK["panel"], owner)
                        for coordinate in (cutout.lo[which], cutout.hi[which])
                    ]
        found.append(lines)
    return found


def count_cells(layout: Layout, cell: float) -> int:
    """Cells a mesh would have, without making it."""
    counts = (
        voxel.cell_counts(voxel.choose_lines(lines, cell)[0], cell) for lines in asked_lines(layout, cell)
    )
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


def cell_remedy(layout: Layout, cell: float) -> str:
    """Say which target cell size to use in place of one that is too small or too large."""
    if cell > CELL_SIZE.minimum:
        return f"Use a cell of {min(CELL_SIZE.maximum, min(layout.room.size) / 10.0):.2g} m or less"
    fits = finest_cell(layout, MEMORY_SHARE * psutil.virtual_memory().available)
    return f"Use a cell of {max(fits, CELL_SIZE.minimum):g} m or more"


def check_memory(layout: Layout, cell: float) -> None:
    """Refuse a grid that does not fit.

    Raises
    ------
    InputError : the mesh needs more memory than there is; the message names the cell that fits.
    """
    available = MEMORY_SHARE * psutil.virtual_memory().available
    cells = count_cells(layout, cell)
    if cells * BYTES_PER_CELL <= available:
        return
    fits = finest_cell(layout, available)
    raise InputError(
        [
            Finding(
                layout.name,
                "room",
                "air.cell",
                f"{cell:g} m",
                f"needs {cells:,} cells and {cells * BYTES_PER_CELL / 1e9:.1f} GB; "
                f"{available / 1e9:.1f} GB are to be had",
                f"Use a cell of {fits:g} m or more",
            )
        ]
    )
