"""Rectangles of the room's sides that pass or store heat, cut out around openings, patches and objects."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import Jets, Surfaces
from twin.model.mesh.raster import Raster
from twin.model.schema import Surface

_SIDES = (("west", 0, 1), ("east", 0, -1), ("south", 1, 1), ("north", 1, -1), ("slab", 2, 1), ("roof", 2, -1))


def build_surfaces(raster: Raster) -> tuple[Surfaces | None, tuple[str, ...]]:
    """Return the rectangles of the envelope that is not plain, and the side that each belongs to."""
    layout = raster.layout
    rows: list[tuple[int, int, tuple[int, int], tuple[int, int], int]] = []
    laws: list[tuple[Surface, float]] = []
    names: list[str] = []

    def add(name: str, law: Surface, axis: int, index: int, side: int, part: float) -> None:
        if law.is_plain:
            return
        for lo, hi in rectangles(_closed_faces(raster, axis, index, side)):
            rows.append((axis, index, lo, hi, side))
            laws.append((law, part))
            names.append(name)

    for name, axis, side in _SIDES:
        index = raster.inside[axis][0 if side > 0 else 1]
        add(name, getattr(layout.room.envelope, name), axis, index, side, 1.0)
    if layout.room.raised_floor > 0.0:
        k = raster.index(2, layout.room.raised_floor)
        for side in (1, -1):
            add("raised_floor", layout.room.envelope.raised_floor, 2, k, side, 0.5)
    if not rows:
        return None, ()
    axis, index, lo, hi, side = zip(*rows, strict=True)
    surfaces = Surfaces(
        np.array(axis, np.int64),
        np.array(index, np.int64),
        np.array(lo, np.int64),
        np.array(hi, np.int64),
        np.array(side, np.int64),
        np.array([np.nan if law.temperature is None else law.temperature for law, _ in laws]),
        np.array([_conductance(law) for law, _ in laws]),
        np.array([law.thermal_mass * part for law, part in laws]),
        np.zeros((len(rows), 3)),
        np.zeros(len(rows), bool),
    )
    return surfaces, tuple(names)


def _conductance(law: Surface) -> float:
    if law.temperature is None:
        return 0.0
    return np.inf if law.u_value is None else law.u_value


def _closed_faces(raster: Raster, axis: int, index: int, side: int) -> NDArray[np.bool_]:
    """Faces of a plane that are closed, have air on the given side, and belong to no patch."""
    at = tuple(index if a == axis else slice(None) for a in range(3))
    near = tuple((index if side > 0 else index - 1) if a == axis else slice(None) for a in range(3))
    air = ~raster.solid[near] & ~raster.ambient[near]
    if 0 < index < raster.shape[axis]:
        far = tuple((index - 1 if side > 0 else index) if a == axis else slice(None) for a in range(3))
        closed = raster.solid[far] | raster.plate[axis][at]
        if index not in raster.inside[axis]:
            closed = raster.plate[axis][at].copy()  # an object on the floor has a face of its own
    else:
        closed = np.ones(air.shape, bool)
    mask = air & closed
    patches = raster.patches
    for patch in range(len(patches.axis)):
        if patches.axis[patch] == axis and patches.index[patch] == index:
            (a, c), (b, d) = patches.lo[patch], patches.hi[patch]
            mask[a:b, c:d] = False
    return mask


def rectangles(mask: NDArray[np.bool_]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Cut a mask into rectangles that cover it once: lowest corner and half-open highest corner of each."""
    left = mask.copy()
    for i in range(mask.shape[0]):
        while left[i].any():
            j = int(np.argmax(left[i]))
            stop = j + int(np.argmin(np.append(left[i, j:], False)))
            whole = left[i:, j:stop].all(axis=1)
            rows = int(np.argmin(np.append(whole, False)))
            left[i : i + rows, j:stop] = False
            yield (i, j), (i + rows, stop)


def build_jets(raster: Raster) -> Jets | None:
    """Return the tiles and grilles as porous rectangles that blow jets; None without any."""
    if not raster.jets:
        return None
    k, x, y, open_area = zip(*raster.jets, strict=True)
    return Jets(
        np.full(len(k), 2, np.int64),
        np.array(k, np.int64),
        np.array([(a[0], b[0]) for a, b in zip(x, y, strict=True)], np.int64),
        np.array([(a[1], b[1]) for a, b in zip(x, y, strict=True)], np.int64),
        np.array(open_area, np.float64),
    )
