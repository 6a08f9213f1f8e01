"""Mesh a layout: grid lines on the objects' faces, solids, plates, porous faces, openings, units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import AirCase
from solvers.grid import make_grid
from twin.errors import Finding, InputError
from twin.model.geometry import Box
from twin.model.mesh.lines import BYTES_PER_CELL, MEMORY_SHARE, check_memory, count_cells, finest_cell
from twin.model.mesh.parts import draw_openings, draw_panels, draw_planes, draw_solids
from twin.model.mesh.raster import Raster
from twin.model.mesh.spaces import check_patches, check_spaces
from twin.model.mesh.surfaces import build_jets, build_surfaces
from twin.model.mesh.units import draw_cooler, draw_duct, draw_rack
from twin.model.schema import Layout

__all__ = ["BYTES_PER_CELL", "MEMORY_SHARE", "Mesh", "build_mesh", "count_cells", "finest_cell"]


@dataclass
class Mesh:
    """What the meshing found: the case, its units and surfaces by name, and what to warn of."""

    case: AirCase
    unit_names: list[str]
    rack_units: dict[str, tuple[int, ...]]
    leakage_units: dict[str, int]
    cooler_units: dict[str, int]
    duct_units: dict[str, int]
    surface_names: tuple[str, ...]
    boxes: tuple[Box, ...]
    findings: list[Finding]
    room_cells: NDArray[np.bool_]
    plenum_cells: NDArray[np.bool_]
    ceiling_cells: NDArray[np.bool_]
    region: NDArray[np.int32]


def build_mesh(layout: Layout, cell: float) -> Mesh:
    """Mesh a layout.

    Parameters
    ----------
    layout : Layout
    cell : float    Target cell size. [m]

    Raises
    ------
    InputError : the grid needs more memory than there is, a part is finer than the grid, an opening is
        blocked, a unit joins two spaces that no air path joins, or a closed space has no balance of air or
        no way out for its heat.
    """
    check_memory(layout, cell)
    raster = Raster(layout, cell)
    draw_solids(raster)
    draw_planes(raster)
    draw_openings(raster)
    draw_panels(raster)
    slots: dict[str, tuple[int, ...]] = {}
    leaks: dict[str, int] = {}
    for rack in layout.racks:
        slots[rack.id], leak = draw_rack(raster, rack)
        if leak is not None:
            leaks[rack.id] = leak
    coolers = {cooler.id: draw_cooler(raster, cooler) for cooler in layout.coolers}
    ducts = {duct.id: draw_duct(raster, duct) for duct in layout.ducts}
    raster.tell_too_fine()
    check_patches(raster)
    if not raster.errors:
        check_spaces(raster)
    if raster.errors:
        raise InputError(raster.errors)
    surfaces, surface_names = build_surfaces(raster)
    room, below, above = _storeys(raster)
    return Mesh(
        case=_case(raster)._replace(
            surfaces=surfaces,
            jets=build_jets(raster),
            ambient=raster.ambient if raster.ambient.any() else None,
        ),
        unit_names=raster.patches.names,
        rack_units=slots,
        leakage_units=leaks,
        cooler_units=coolers,
        duct_units=ducts,
        surface_names=surface_names,
        boxes=raster.boxes,
        findings=raster.findings,
        room_cells=room,
        plenum_cells=below,
        ceiling_cells=above,
        region=raster.region,
    )


def _case(raster: Raster) -> AirCase:
    patches = raster.patches
    x, y, z = raster.faces
    plate_x, plate_y, plate_z = raster.plate
    loss_x, loss_y, loss_z = raster.loss
    return AirCase(
        make_grid(x, y, z),
        raster.solid,
        plate_x,
        plate_y,
        plate_z,
        loss_x,
        loss_y,
        loss_z,
        np.array(patches.axis, np.int64),
        np.array(patches.index, np.int64),
        np.array(patches.lo, np.int64).reshape(-1, 2),
        np.array(patches.hi, np.int64).reshape(-1, 2),
        np.array(patches.side, np.int64),
        np.array(patches.inlet, np.int64),
        np.array(patches.outlet, np.int64),
    )


def _storeys(raster: Raster) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Air of the room, below the raised floor, above the drop ceiling. bool[nx, ny, nz]."""
    room = raster.layout.room
    layers = np.arange(raster.shape[2])
    floor = raster.index(2, room.raised_floor)
    ceiling = raster.index(2, room.ceiling) if room.ceiling > 0.0 else raster.inside[2][1]
    air = ~raster.solid & ~raster.ambient
    return air & (layers >= floor) & (layers < ceiling), air & (layers < floor), air & (layers >= ceiling)
