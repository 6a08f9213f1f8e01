"""Set-up of the coarse levels: each kernel against a walk over the cells with dictionaries."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np
import pytest

from solvers.linear import coarsen
from solvers.linear.coarsen import AIR, HELD, SOLID
from solvers.linear.hierarchy import invert_definite
from solvers.linear.layout import flat_cells, padded, strides

SHAPE = (5, 6, 4)
SX, SY = strides(SHAPE)
STEP = (SX, SY, 1)
SIZE = int(np.prod(padded(SHAPE)))
CELLS = flat_cells(SHAPE)
AXES = np.eye(3, dtype=int)


class Room(NamedTuple):
    """Random cells with plates, solids, held cells and resisting faces on a stretched grid."""

    c: tuple[np.ndarray, ...]
    kind: np.ndarray
    marks: np.ndarray
    widths: list[np.ndarray]
    middle: tuple[np.ndarray, ...]
    gaps: tuple[np.ndarray, ...]
    owner: list[np.ndarray]
    label: np.ndarray
    count: int


def make_room(seed):
    """Blocks of two or three cells along each axis, split into their connected parts."""
    rng = np.random.default_rng(seed)
    kind = np.zeros(SIZE, dtype=np.uint8)
    kind[CELLS] = rng.choice([SOLID, AIR, AIR, AIR, AIR, AIR, HELD], SHAPE)
    widths = [rng.uniform(0.5, 1.5, n) for n in SHAPE]
    lines = [np.concatenate([[0.0], np.cumsum(width)]) for width in widths]
    middle = tuple(0.5 * (line[1:] + line[:-1]) for line in lines)
    gaps = tuple(
        np.diff(np.concatenate([line[:1], at, line[-1:]])) for line, at in zip(lines, middle, strict=True)
    )
    c = []
    for axis, s in enumerate(STEP):
        of = np.zeros(SIZE, dtype=np.float32)
        for cell in np.ndindex(SHAPE):
            n = CELLS[cell]
            if cell[axis] > 0 and kind[n] and kind[n - s] and rng.random() > 0.3:
                of[n] = rng.uniform(0.5, 1.5)
        c.append(of)
    marks = (rng.integers(0, 8, SIZE) * (rng.random(SIZE) < 0.2)).astype(np.uint8)
    owner = [np.array(pick, dtype=np.int32) for pick in ([0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 2], [0, 0, 1, 1])]
    label = np.empty(SIZE, dtype=np.int32)
    count = coarsen.connect_cells(*c, kind, marks, AIR, *owner, *SHAPE, SX, SY, label)
    return Room(tuple(c), kind, marks, widths, middle, gaps, owner, label, count)


@pytest.fixture(params=[0, 1])
def room(request):
    return make_room(request.param)


def centres(room):
    """Volume, centre of volume and block of every part."""
    volume, moment, block = np.zeros(room.count), np.zeros((room.count, 3)), np.zeros((room.count, 3), int)
    for cell in np.ndindex(SHAPE):
        g = room.label[CELLS[cell]]
        if g >= 0:
            part = np.prod([room.widths[d][cell[d]] for d in range(3)])
            volume[g] += part
            moment[g] += part * np.array([room.middle[d][cell[d]] for d in range(3)])
            block[g] = [room.owner[d][cell[d]] for d in range(3)]
    return volume, moment / volume[:, None], block


def test_parts_are_connected_inside_their_block(room):
    # two cells share a number if a path of open, unmarked faces joins them without leaving the block
    block = {cell: tuple(room.owner[d][cell[d]] for d in range(3)) for cell in np.ndindex(SHAPE)}
    number, reached = 0, {}
    for start in np.ndindex(SHAPE):
        if room.kind[CELLS[start]] != AIR or start in reached:
            continue
        todo = [start]
        while todo:
            cell = todo.pop()
            if cell in reached:
                continue
            reached[cell] = number
            for axis, s in enumerate(STEP):
                for other, face in (
                    (tuple(cell - AXES[axis]), CELLS[cell]),
                    (tuple(cell + AXES[axis]), CELLS[cell] + s),
                ):
                    joined = room.c[axis][face] > 0 and not (room.marks[face] >> axis) & 1
                    if joined and block[other] == block[cell] and room.kind[CELLS[other]] == AIR:
                        todo.append(other)
        number += 1
    assert number == room.count
    for cell in np.ndindex(SHAPE):
        assert room.label[CELLS[cell]] == reached.get(cell, -1)


def test_volumes_centres_and_blocks(room, pick):
    centre, volume = np.zeros((room.count, 3)), np.zeros(room.count)
    block = np.zeros((room.count, 3), dtype=np.int32)
    pick(coarsen.centres_of_cells)(
        room.label, *room.middle, *room.widths, *room.owner, SX, SY, centre, volume, block
    )
    expected = centres(room)
    assert volume == pytest.approx(expected[0], rel=1e-13)  # a few roundings of double precision
    assert centre == pytest.approx(expected[1], rel=1e-13)
    assert (block == expected[2]).all()


def test_outer_faces(room, pick):
    expected = 0
    for axis, s in enumerate(STEP):
        for cell in np.ndindex(SHAPE):
            n = CELLS[cell]
            expected += bool(room.c[axis][n] > 0 and room.label[n] != room.label[n - s])
    assert pick(coarsen.count_outer_faces)(*room.c, room.label, SX, SY) == expected


class Faces(NamedTuple):
    """Columns of the coarse faces of all parts, as the kernels fill them."""

    start: np.ndarray
    columns: tuple[np.ndarray, ...]

    def found(self, faces):
        """(part, neighbour, axis) -> area, distance, whether it resists."""
        rows = np.repeat(np.arange(self.start.size - 1), np.diff(self.start))
        assert rows.size == faces
        neighbour, axis, area, distance, resists = (column[:faces] for column in self.columns)
        keys = list(zip(rows.tolist(), neighbour.tolist(), axis.tolist(), strict=True))
        assert len(set(keys)) == faces  # one face a pair and axis
        values = zip(area, distance, resists.tolist(), strict=True)
        return dict(zip(keys, values, strict=True))


def empty_faces(count, most):
    whole = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.int8)
    return Faces(
        np.zeros(count + 2, dtype=np.int32), (*whole, np.empty(most), np.empty(most), np.empty(most, bool))
    )


def members(label, count):
    group, member = np.zeros(count + 1, np.int32), np.empty(np.count_nonzero(label >= 0), np.int32)
    coarsen.list_members(label, group, member)
    return group, member


def fine_rows(room, pick):
    """Faces between the parts of the cells, by the kernel."""
    _, centre, _ = centres(room)
    outer = coarsen.count_outer_faces(*room.c, room.label, SX, SY)
    faces = empty_faces(room.count, 2 * outer)
    group, member = members(room.label, room.count)
    marker = np.full((room.count + 1, 3), -1, dtype=np.int32)
    found = pick(coarsen.rows_of_cells)(
        room.c, room.gaps, room.middle, room.marks, room.label, group, member, centre, SX, SY,
        marker, faces.start, faces.columns,
    )  # fmt: skip
    return faces, found, centre


def test_faces_between_parts_of_cells(room, pick):
    faces, count, centre = fine_rows(room, pick)
    area, far, resists = defaultdict(float), defaultdict(float), defaultdict(bool)
    for cell in np.ndindex(SHAPE):
        n = CELLS[cell]
        for axis, s in enumerate(STEP):
            for face, other, line in ((n, n - s, cell[axis]), (n + s, n + s, cell[axis] + 1)):
                g, h = int(room.label[n]), int(room.label[other])
                if g < 0 or h == g or room.c[axis][face] == 0:
                    continue
                gap = room.gaps[axis][line]
                reach = gap
                if h < 0:  # held cells stay where they are, the part moves to its centre
                    reach, h = gap + abs(centre[g, axis] - room.middle[axis][cell[axis]]), room.count
                key = (g, h, axis)
                area[key] += float(room.c[axis][face]) * gap
                far[key] = max(far[key], reach)
                resists[key] |= bool((room.marks[face] >> axis) & 1)
    check(faces.found(count), area, far, resists, centre, room.count)


def check(found, area, far, resists, centre, count):
    assert found.keys() == area.keys()
    for (g, h, axis), (a, distance, resisting) in found.items():
        apart = abs(centre[g, axis] - centre[h, axis]) if h < count else 0.0
        assert a == pytest.approx(area[g, h, axis], rel=1e-6)  # from conductances in single precision
        assert distance == pytest.approx(max(far[g, h, axis], apart), rel=1e-13)
        assert resisting == resists[g, h, axis]


def test_faces_between_parts_of_parts(room, pick):
    # parts merge at random: area adds up, the distance is that of the centres but never less than before
    fine, count, fine_centre = fine_rows(room, lambda kernel: kernel)
    volume = centres(room)[0]
    rng = np.random.default_rng(3)
    merged = np.append(rng.integers(0, 4, room.count), -1).astype(np.int32)
    merged[:4] = range(4)
    centre = np.stack(
        [
            np.average(fine_centre[merged[:-1] == g], axis=0, weights=volume[merged[:-1] == g])
            for g in range(4)
        ]
    )
    group, member = members(merged, 4)
    faces = empty_faces(4, count)
    marker = np.full((5, 3), -1, dtype=np.int32)
    columns = tuple(column[:count] for column in fine.columns)
    found = pick(coarsen.rows_of_rows)(
        fine.start, fine_centre, columns, merged, group, member, centre, marker, faces.start, faces.columns
    )
    area, far, resists = defaultdict(float), defaultdict(float), defaultdict(bool)
    for (one, other, axis), (a, distance, resisting) in fine.found(count).items():
        g, h = int(merged[one]), int(merged[other])
        if g == h:
            continue
        moved = abs(centre[g, axis] - fine_centre[one, axis]) if h < 0 else 0.0
        key = (g, h if h >= 0 else 4, axis)
        area[key] += a
        far[key] = max(far[key], distance + moved)
        resists[key] |= resisting
    check(faces.found(found), area, far, resists, centre, 4)


@pytest.mark.parametrize("across", [False, True])
def test_parts_that_merge(room, pick, across):
    # neighbours in the same coarse block join; over a resisting face only when `across`
    faces, count, _ = fine_rows(room, lambda kernel: kernel)
    block = centres(room)[2].astype(np.int32)
    owner = [np.zeros(3, dtype=np.int32), np.array([0, 0, 1], dtype=np.int32), np.zeros(2, dtype=np.int32)]
    neighbour, _, _, _, resists = (column[:count] for column in faces.columns)
    label = np.empty(room.count + 1, dtype=np.int32)
    number = pick(coarsen.connect_rows)(faces.start, neighbour, resists, block, across, *owner, label)
    same = np.eye(room.count, dtype=bool)
    for (g, h, _), (_, _, resisting) in faces.found(count).items():
        if h < room.count and (across or not resisting):
            same[g, h] = all(owner[d][block[g, d]] == owner[d][block[h, d]] for d in range(3))
    reach = np.linalg.matrix_power(same.astype(float), room.count) > 0
    assert label[-1] == -1
    assert sorted(set(label[:-1].tolist())) == list(range(number))
    assert ((label[:-1, None] == label[None, :-1]) == reach).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_coarse_faces_of_merged_lines(room, pick, axis):
    # a coarse face sums the fine faces in its plane; ratio: of the distances across it
    picks = [np.array(p) for p in ([0, 2, 3, 5], [0, 2, 4, 6], [0, 1, 3, 4])]
    to = (3, 3, 3)
    ratio = np.array([0.5, 0.7, 0.9], dtype=np.float32)
    ends = [(p[:-1], p[:-1] + 1 if d == axis else p[1:]) for d, p in enumerate(picks)]
    out = np.zeros(int(np.prod(padded(to))), dtype=np.float32)
    pick(coarsen.coarse_faces)(
        room.c[axis], *(end for pair in ends for end in pair), ratio, axis, SX, SY, *strides(to), out
    )
    cells = flat_cells(to)
    for coarse in np.ndindex(to):
        box = tuple(
            picks[d][coarse[d]] if d == axis else slice(picks[d][coarse[d]], picks[d][coarse[d] + 1])
            for d in range(3)
        )
        expected = room.c[axis][CELLS[box]].astype(float).sum() * float(ratio[coarse[axis]])
        assert out[cells[coarse]] == pytest.approx(expected, rel=1e-6)  # four floats add up
    assert np.count_nonzero(out) <= 27  # the padding stays as it was


def test_inverse_of_the_diagonal(room, pick):
    out = np.full(SIZE, 7.0, dtype=np.float32)
    pick(coarsen.invert_diagonal)(*room.c, room.kind, SHAPE[0], SX, SY, out)
    for cell in np.ndindex(SHAPE):
        n = CELLS[cell]
        total = sum(float(room.c[d][n]) + float(room.c[d][n + s]) for d, s in enumerate(STEP))
        expected = 1 / total if total > 0 and room.kind[n] == AIR else 0.0
        assert out[n] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("size", [1, 2, 37])
def test_a_definite_matrix_is_inverted(size):
    root = np.random.default_rng(size).standard_normal((size, size))
    matrix = root @ root.T + np.eye(size)
    found = matrix.copy()
    invert_definite(found)
    # double precision times the condition of the matrix, some hundreds
    np.testing.assert_allclose(found, np.linalg.inv(matrix), rtol=0, atol=1e-11)
