"""Unstructured levels: blocks of the grid split into the parts that are connected inside."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.linear import coarsen
from solvers.linear.layout import Three, strides, three

_DENSE = 150  # unknowns that are cheap to invert
_FEW = 0.9  # a level has at most that share of the unknowns above


_Columns = tuple[NDArray, NDArray, NDArray, NDArray, NDArray]


class Parts(NamedTuple):
    """An unstructured level.

    Attributes
    ----------
    start : int32[n + 2]    Where the faces of each unknown begin.
    neighbour : int32[faces]    Each face stands here twice, once from either side; n stands for held cells.
    axis : int8[faces]    Axis it is normal to.
    area : float64[faces]    [m2]
    distance : float64[faces]    Of the centres along the axis. [m]
    resists : bool[faces]
    centre : float64[n, 3]    [m]
    block : int32[n, 3]    Intervals of the lines that an unknown lies in.
    volume : float64[n]    [m3]
    lines : tuple of float64    Lines of the blocks. [m]
    label : int32[cells or unknowns above]    Unknown that holds each; -1 for none.
    group : int32[n + 2], member : int32    The same the other way: member[group[i] : group[i + 1]].
    limit : float    Target width. [m]
    """

    start: NDArray[np.int32]
    neighbour: NDArray[np.int32]
    axis: NDArray[np.int8]
    area: NDArray[np.float64]
    distance: NDArray[np.float64]
    resists: NDArray[np.bool_]
    centre: NDArray[np.float64]
    block: NDArray[np.int32]
    volume: NDArray[np.float64]
    lines: Three
    label: NDArray[np.int32]
    group: NDArray[np.int32]
    member: NDArray[np.int32]
    limit: float

    @property
    def size(self) -> int:
        """Unknowns and the place of held cells. [-]."""
        return self.start.size - 1


def split_blocks(box: coarsen.Box, c: Three, marks: NDArray[np.uint8], keep: Three, limit: float) -> Parts:
    """First unstructured level, from the cells of a structured one.

    Parameters
    ----------
    box : Box
    c : tuple of float32[padded]    Its conductances.
    marks : uint8[padded]    Bit d set: the low face along axis d resists. Empty: none does.
    keep : list of bool    Lines that structured levels had to keep.
    limit : float    Its target width. [m]
    """
    limit, _, picks = coarsen.next_lines(box.lines, keep, limit)
    owner = three(coarsen.owners(pick) for pick in picks)
    steps = strides(box.shape)
    label = np.empty(box.kind.size, dtype=np.int32)
    count = coarsen.connect_cells(*c, box.kind, marks, coarsen.AIR, *owner, *box.shape, *steps, label)
    group, member = _members(label, count)
    centre, volume = np.zeros((count, 3)), np.zeros(count)
    block = np.zeros((count, 3), dtype=np.int32)
    middle: Three = box.centres
    widths = three(np.diff(line) for line in box.lines)
    coarsen.centres_of_cells(label, *middle, *widths, *owner, *steps, centre, volume, block)
    outer = coarsen.count_outer_faces(*c, label, *steps)
    marker = np.full((count + 1, 3), -1, dtype=np.int32)
    start, columns = np.zeros(count + 2, dtype=np.int32), _columns(2 * outer)
    faces = coarsen.rows_of_cells(
        c, box.gaps, middle, marks, label, group, member, centre, *steps, marker, start, columns
    )
    lines = three(line[pick] for line, pick in zip(box.lines, picks, strict=True))
    faces_of = _first(columns, int(faces))
    return _without_alone(Parts(start, *faces_of, centre, block, volume, lines, label, group, member, limit))


def merge_parts(first: Parts) -> list[Parts]:
    """All unstructured levels from the first to one that is small enough to be inverted."""
    levels = [first]
    lines, block, limit = first.lines, first.block, first.limit
    across = False
    while levels[-1].size - 1 > _DENSE:
        parts = levels[-1]
        if all(line.size == 2 for line in lines):
            if across:
                break
            across = True
        none = three(np.zeros(line.size, dtype=bool) for line in lines)
        limit, _, picks = coarsen.next_lines(lines, none, limit)
        owner = three(coarsen.owners(pick) for pick in picks)
        label = np.empty(parts.size, dtype=np.int32)
        count = coarsen.connect_rows(
            parts.start, parts.neighbour, parts.resists, block, across, *owner, label
        )
        lines = three(line[pick] for line, pick in zip(lines, picks, strict=True))
        block = np.stack([owner[d][block[:, d]] for d in range(3)], axis=1)
        if count > _FEW * (parts.size - 1):
            continue
        levels.append(_merged(parts, label, count, block, lines, limit))
        block = levels[-1].block
    return levels


def _merged(parts: Parts, label, count: int, block, lines, limit: float) -> Parts:
    group, member = _members(label, count)
    own = label[:-1]
    volume = np.asarray(np.bincount(own, parts.volume, count), dtype=np.float64)
    centre = np.stack(
        [np.bincount(own, parts.volume * parts.centre[:, d], count) / volume for d in range(3)], axis=1
    )
    blocks = np.zeros((count, 3), dtype=np.int32)
    blocks[own] = block
    marker = np.full((count + 1, 3), -1, dtype=np.int32)
    start, columns = np.zeros(count + 2, dtype=np.int32), _columns(parts.neighbour.size)
    of_parts = (parts.neighbour, parts.axis, parts.area, parts.distance, parts.resists)
    faces = coarsen.rows_of_rows(
        parts.start, parts.centre, of_parts, label, group, member, centre, marker, start, columns
    )
    faces_of = _first(columns, int(faces))
    return _without_alone(Parts(start, *faces_of, centre, blocks, volume, lines, label, group, member, limit))


def _members(label: NDArray[np.int32], count: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    group = np.zeros(count + 1, dtype=np.int32)
    member = np.empty(int(np.count_nonzero(label >= 0)), dtype=np.int32)
    coarsen.list_members(label, group, member)
    return group, member


def _columns(faces: int) -> _Columns:
    floats = np.empty(faces), np.empty(faces)
    whole = np.empty(faces, dtype=np.int32), np.empty(faces, dtype=np.int8)
    return (*whole, *floats, np.empty(faces, dtype=bool))


def _first(columns: _Columns, faces: int) -> _Columns:
    a, b, c, d, e = (column[:faces].copy() for column in columns)
    return a, b, c, d, e


def _without_alone(parts: Parts) -> Parts:
    """Leave out unknowns without faces: the smoother alone does for them. Closes the lists of members."""
    count = parts.centre.shape[0]
    linked = np.diff(parts.start[:-1]) > 0
    if linked.all():
        return parts._replace(group=np.append(parts.group, parts.group[-1:]))
    number = np.cumsum(linked, dtype=np.int32) - 1
    number[~linked] = -1
    number = np.append(number, np.int32(np.count_nonzero(linked)))  # for held cells
    label = np.where(parts.label >= 0, number[parts.label], -1).astype(np.int32)
    group, member = _members(label, int(number[count]))
    start = np.concatenate([parts.start[:-2][linked], parts.start[-2:]])
    return parts._replace(
        start=start,
        neighbour=number[parts.neighbour],
        centre=parts.centre[linked],
        block=parts.block[linked],
        volume=parts.volume[linked],
        label=label,
        group=np.append(group, group[-1:]),
        member=member,
    )
