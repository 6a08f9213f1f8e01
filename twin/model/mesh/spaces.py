"""Check that air can move: patches that are free, units whose air finds its way back, pockets without any."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.model import voxel
from twin.model.geometry import Box, sensor_points
from twin.model.mesh.raster import OUTSIDE, Raster
from twin.model.mesh.units import FROM_CEILING, INTO_PLENUM
from twin.model.schema import Duct

_THROUGH_A_PLATE = (INTO_PLENUM, FROM_CEILING)  # patches that a plate, floor or ceiling, is cut for
_DUCT_ENDS = ("intake", "discharge")
_UNBALANCED = 1e-6  # of the flow: what the solver takes as even


def check_patches(raster: Raster) -> None:
    """Find patches in walls, behind objects or panels, on top of each other."""
    patches = raster.patches
    taken = [np.full(plate.shape, -1, np.int32) for plate in raster.plate]
    for patch, (box, role) in enumerate(patches.owner):
        axis = patches.axis[patch]
        start, stop = raster.inside[axis]
        if not start <= patches.layer(patch) < stop:
            raster.error(box, f"its {role} lies in the wall of the room", "Leave air before it")
            continue
        window = patches.cells(patch)
        blocked = float(np.mean(raster.solid[window])) if raster.solid[window].size else 0.0
        if blocked > 0.0:
            raster.error(
                box,
                f"{blocked:.0%} of its {role} is blocked by another object: {raster.blocker(window)}",
                "Leave air before it",
            )
        elif role in _DUCT_ENDS:
            _check_duct_end(raster, patch, box, role)
        elif role not in _THROUGH_A_PLATE and _covered(raster, patch):
            raster.error(box, f"a panel or wall covers its {role}", f"Move it off the {box.kind}'s face")
        faces = patches.faces(patch)
        others = np.unique(taken[axis][faces])
        for other in others[others >= 0]:
            first = patches.owner[int(other)][0]
            raster.error(box, f"overlaps {first.kind} '{first.name}' on the grid", "Move one of them")
        taken[axis][faces] = patch


def _covered(raster: Raster, patch: int) -> bool:
    """Whether a plate, tight or leaking, lies on any face of a patch."""
    axis, faces = raster.patches.axis[patch], raster.patches.faces(patch)
    return bool((raster.plate[axis][faces] | (raster.loss[axis][faces] > 0.0)).any())


def _check_duct_end(raster: Raster, patch: int, box: Box, end: str) -> None:
    """Tell an end of a duct that lies on nothing, or in an opening."""
    patches = raster.patches
    axis, index = patches.axis[patch], patches.index[patch]
    if index in (0, raster.shape[axis]):
        return
    layer = index - (patches.side[patch] > 0)
    behind = tuple(layer if a == axis else part for a, part in enumerate(patches.cells(patch)))
    if raster.ambient[behind].any():
        raster.error(box, "lies in an opening", "Move it onto the wall", end)
        return
    faces = patches.faces(patch)
    held = raster.solid[behind] | raster.plate[axis][faces] | (raster.loss[axis][faces] > 0.0)
    if not held.all():
        raster.error(
            box, "hangs in free air", "Put it on a wall, floor, ceiling, panel or face of an obstacle", end
        )


def check_spaces(raster: Raster) -> None:
    """Find units that pump from one closed space into another, heat without a way out, dead pockets."""
    region = raster.region = voxel.regions(raster.solid, *raster.plate)
    spaces = int(region.max(initial=-1)) + 1
    open_ = np.zeros(spaces, bool)
    open_[np.unique(region[raster.ambient])] = True
    drawn, blown, moving = _join(raster, open_)
    _check_ducts(raster, drawn, blown, open_)
    cooled = _cooled(raster, drawn, blown, moving, open_)
    _check_heat(raster, drawn, cooled)
    used = open_.copy()
    for parts in (*drawn, *blown):
        used[sorted(parts - {OUTSIDE})] = True
    dead = np.flatnonzero(~used)
    _check_sensors(raster, dead)
    volumes = np.bincount(region[region >= 0], weights=raster.volumes()[region >= 0], minlength=spaces)
    for number in dead:
        where = [raster.faces[a][index[0]] for a, index in enumerate(np.nonzero(region == number))]
        raster.warn(
            "room",
            f"{volumes[number]:.3g} m3 at ({where[0]:.2f}, {where[1]:.2f}, {where[2]:.2f})",
            "no air reaches this closed pocket",
            "Nothing to do if it is meant; its temperature means nothing",
        )


Spaces = list[set[int]]


def _join(raster: Raster, open_: NDArray[np.bool_]) -> tuple[Spaces, Spaces, list[bool]]:
    """Return the spaces that each unit draws from and blows into, and whether it is one that moves air.

    Racks and coolers must draw and blow within one space, or within spaces that the outside joins.
    """
    layout, patches = raster.layout, raster.patches
    still = {item.id for item in (*layout.coolers, *layout.ducts) if item.failed}
    ducts = {duct.id for duct in layout.ducts}
    drawn, blown, moving = [], [], []
    for name, inlet, outlet in zip(patches.names, patches.inlet, patches.outlet, strict=True):
        ends = [_spaces_of(raster, patch) for patch in (inlet, outlet)]
        drawn.append(ends[0])
        blown.append(ends[1])
        owner = name.partition(".")[0]
        moving.append(owner not in still)
        joined = {OUTSIDE if open_[space] else space for space in ends[0] | ends[1] if space >= 0}
        if owner not in ducts and len(joined) > 1:
            box = raster.box_of[owner]
            raster.error(
                box,
                "draws air from one closed space and blows it into another: the air has no path back",
                "Join them: add a perforated tile or a grille, open a door, or give a panel some leakage",
                "supply_face" if box.kind == "cooler" else "",
            )
    return drawn, blown, moving


def _spaces_of(raster: Raster, patch: int) -> set[int]:
    if patch == OUTSIDE:
        return {OUTSIDE}
    return {int(space) for space in np.unique(raster.region[raster.patches.cells(patch)])} - {-1}


def _check_ducts(raster: Raster, drawn: Spaces, blown: Spaces, open_: NDArray[np.bool_]) -> None:
    """Tell ducts that bring more into a closed space than ducts draw out, or less."""
    ducts = {duct.id: duct for duct in raster.layout.ducts if not duct.failed}
    net = np.zeros(open_.size)
    total = np.zeros(open_.size)
    members: dict[int, list[tuple[Duct, str]]] = {}
    for unit, name in enumerate(raster.patches.names):
        duct = ducts.get(name)
        if duct is None or drawn[unit] == blown[unit]:
            continue
        for end, sign, spaces in (("discharge", 1.0, blown[unit]), ("intake", -1.0, drawn[unit])):
            for space in spaces - {OUTSIDE}:
                net[space] += sign * duct.air_flow
                total[space] += duct.air_flow
                members.setdefault(space, []).append((duct, end))
    for space, ends in members.items():
        if open_[space] or abs(net[space]) <= _UNBALANCED * total[space]:
            continue
        way = "into a closed space that lets none out" if net[space] > 0.0 else "out of a closed space"
        for duct, end in ends:
            box = raster.box_of[f"{duct.id}.{end}"]
            raster.error(
                box,
                f"the ducts bring {abs(net[space]):.4g} m3/s more {way}",
                "Add an opening, or match what ducts blow in and draw out",
                "air_flow",
                f"{duct.air_flow:g} m3/s",
            )


def _cooled(
    raster: Raster, drawn: Spaces, blown: Spaces, moving: list[bool], open_: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Spaces whose heat has a way out: by a cooler, a duct, an opening or a wall of given temperature."""
    layout = raster.layout
    cooled = open_.copy()
    coolers = {cooler.id for cooler in layout.coolers}
    ducts = {duct.id for duct in layout.ducts}
    for unit, name in enumerate(raster.patches.names):
        if moving[unit] and (name in coolers or (name in ducts and drawn[unit] != blown[unit])):
            cooled[sorted((drawn[unit] | blown[unit]) - {OUTSIDE})] = True
    envelope = layout.room.envelope
    if any(getattr(envelope, side).temperature is not None for side in type(envelope).model_fields):
        cooled[:] = True
    return cooled


def _check_heat(raster: Raster, drawn: Spaces, cooled: NDArray[np.bool_]) -> None:
    """Tell racks that stand in a closed space while the cooling is elsewhere."""
    if not cooled.any():
        return  # a room without any cooling is told apart when the layout is checked
    for unit, name in enumerate(raster.patches.names):
        owner = name.partition(".")[0]
        box = raster.box_of.get(owner)
        spaces = sorted(drawn[unit] - {OUTSIDE})
        if box is not None and box.kind == "rack" and spaces and not cooled[spaces].any():
            raster.error(
                box,
                "stands in a closed space that no cooler, duct or opening serves: its heat has no way out",
                "Join the space to the room, or give it cooling",
            )


def _check_sensors(raster: Raster, dead: NDArray[np.intp]) -> None:
    """Tell sensors of the layout that stand in a pocket that no air reaches."""
    points = sensor_points(raster.layout)
    for sensor in raster.layout.sensors:
        place = points[f"{sensor.id}.{sensor.quantity}"]
        cell = tuple(
            min(max(int(np.searchsorted(raster.faces[a], place[a])) - 1, 0), raster.shape[a] - 1)
            for a in range(3)
        )
        if raster.region[cell] in dead:
            raster.error_at(
                f"sensor '{sensor.id}'",
                raster.paths[sensor.id],
                f"({place[0]:g}, {place[1]:g}, {place[2]:g})",
                "stands in a closed pocket that no air reaches",
                "Move it, or join the pocket to the room",
            )
