"""V-cycle and conjugate gradients against the textbook in double precision, with sparse matrices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy.sparse import coo_array, csr_array

from solvers.grid import make_grid
from solvers.linear import kernels
from solvers.linear.layout import flat_cells
from solvers.linear.levels import (
    ENTRIES,
    GROUPS,
    MAPS,
    MEMBERS,
    NX,
    NY,
    NZ,
    OFFSET,
    ROWS,
    SIZE,
    SLOTS,
    SX,
    SY,
)
from solvers.linear.multigrid import Pressure
from solvers.linear.threads import SYNC

SHAPE = (19, 16, 14)
ROOTS = 1.175 + 0.825 * np.cos(np.pi * np.array([0.25, 0.75]))  # Chebyshev's on [0.35, 2]
WEIGHTS = 1 / ROOTS
ROUNDING = 2e-5  # of the largest value: sweeps over seven-point sums in single precision, level by level


class Level(NamedTuple):
    """Operator, inverse diagonal and the sums over coarse cells of one level."""

    A: csr_array
    inverse: np.ndarray
    merge: csr_array | None


class Room:
    """A pressure solver of a stretched room with plates, solids, resistances and an opening; its matrices."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        grid = make_grid(*(np.concatenate([[0], np.cumsum(rng.uniform(0.1, 0.3, n))]) for n in SHAPE))
        fluid = np.ones(SHAPE, dtype=bool)
        fluid[4:8, 3:7, :9] = fluid[12:14, 9:, 4:6] = False
        area, resists = [], []
        for d in range(3):
            a, b = (grid.widths[e] for e in range(3) if e != d)
            section = np.expand_dims(a[:, None] * b[None, :], d)
            opened = np.zeros([n + (e == d) for e, n in enumerate(SHAPE)], dtype=bool)
            low, high, inner = ([slice(None)] * 3 for _ in range(3))
            low[d], high[d], inner[d] = slice(None, -1), slice(1, None), slice(1, -1)
            opened[tuple(inner)] = fluid[tuple(low)] & fluid[tuple(high)]
            area.append(opened * section)
            resists.append(np.zeros(opened.shape, dtype=bool))
        area[0][10, :, 5:] = area[2][3:9, 8:, 10] = 0
        resists[2][2:, :, 4] = True
        held = np.zeros(SHAPE, dtype=bool)
        held[-1, 2:6, 2:6] = True
        self.pressure = Pressure(grid, fluid, area, resists, held)
        faces = self.pressure.resisting_faces[0].size
        self.pressure.set_resistance(rng.uniform(0.05, 1.0, faces))
        self.levels, self.work = self.pressure.levels, self.pressure._work
        self.held = self.work.held
        self.cells = flat_cells(SHAPE)[fluid]
        self.textbook = [self._level(number) for number in range(self.levels.table.shape[0])]
        self.rng = rng
        self.ring = np.zeros((SLOTS, int(self.levels.table[0, SX])), dtype=np.float32)

    def part(self, array, number):
        """View of one level's values."""
        row = self.levels.table[number]
        return array[row[OFFSET] : row[OFFSET] + row[SIZE]]

    def values(self, number):
        """Random values where the level has unknowns."""
        inside = self.part(self.levels.inverse, number) > 0
        return (self.rng.normal(size=inside.size) * inside).astype(np.float32)

    def _level(self, number):
        levels, row = self.levels, self.levels.table[number]
        size = int(row[SIZE])
        inverse = self.part(levels.inverse, number).astype(float)
        if row[NX] > 0:
            one, other, c = [], [], []
            for values, s in zip((levels.cx, levels.cy, levels.cz), (row[SX], row[SY], 1), strict=True):
                own = self.part(values, number)
                n = np.flatnonzero(own)
                one, other, c = [*one, n, n - s], [*other, n - s, n], [*c, own[n], own[n]]
            pairs = np.concatenate(one), np.concatenate(other), np.concatenate(c).astype(float)
        else:
            start = levels.start[row[ROWS] : row[ROWS] + size + 1]
            entries = slice(row[ENTRIES], row[ENTRIES] + start[-1])
            one = np.repeat(np.arange(size), np.diff(start))
            pairs = one, levels.neighbour[entries], levels.c[entries].astype(float)
        one, other, c = pairs
        diagonal = np.bincount(one, c, size)
        A = coo_array(
            (np.append(diagonal, -c), (np.append(np.arange(size), one), np.append(np.arange(size), other))),
            shape=(size, size),
        )
        return Level(A.tocsr(), inverse, self._merge(number))

    def _merge(self, number):
        """Matrix that sums over the cells of each coarse cell of the next level."""
        levels = self.levels
        if number + 1 == levels.table.shape[0]:
            return None
        row, after = levels.table[number], levels.table[number + 1]
        shape = int(after[SIZE]), int(row[SIZE])
        if after[NX] > 0:
            at, owners = after[MAPS], []
            for axis in (NX, NY, NZ):
                begins = levels.maps[at : at + after[axis] + 1]
                owners.append(np.repeat(np.arange(after[axis]), np.diff(begins)))
                at += after[axis] + 1
            assert (levels.maps[at : at + row[NZ]] == owners[2]).all()
            fine = flat_cells((int(row[NX]), int(row[NY]), int(row[NZ])))
            coarse = flat_cells((int(after[NX]), int(after[NY]), int(after[NZ])))[np.ix_(*owners)]
            where = coarse.ravel(), fine.ravel()
        else:
            group = levels.group[after[GROUPS] : after[GROUPS] + after[SIZE] + 1]
            member = levels.member[after[MEMBERS] : after[MEMBERS] + group[-1]]
            where = np.repeat(np.arange(after[SIZE]), np.diff(group)), member
        return csr_array(coo_array((np.ones(where[0].size), where), shape=shape))

    def smoothed(self, number, b, x, weights):
        """Sweeps of weighted Jacobi: x += w D^-1 (b - A x)."""
        level = self.textbook[number]
        for w in weights:
            x = x + w * level.inverse * (b - level.A @ x)
        return x

    def cycle(self, b, number=0):
        """One symmetric V(2,2)-cycle from zero."""
        level = self.textbook[number]
        if level.merge is None:
            return self.levels.dense.astype(float) @ b
        x = self.smoothed(number, b, np.zeros(b.size), WEIGHTS)
        below = self.cycle(level.merge @ (b - level.A @ x), number + 1)
        x = x + (level.merge.T @ below) * (level.inverse > 0)
        return self.smoothed(number, b, x, WEIGHTS[::-1])


@pytest.fixture(scope="module")
def room():
    return Room(0)


def close(found, expected):
    return found == pytest.approx(expected, abs=ROUNDING * np.abs(expected).max())


def test_the_room_has_all_kinds_of_levels(room):
    structured = (room.levels.table[:, NX] > 0).tolist()
    assert structured.count(True) >= 2
    assert structured.count(False) >= 1
    assert room.held.size > 0
    # the inverse of the coarsest level is one: with an opening nothing is left undetermined
    last = room.textbook[-1]
    size = last.A.shape[0] - 1  # the last place stands for held cells
    product = room.levels.dense[:size, :size].astype(float) @ last.A.toarray()[:size, :size]
    assert product == pytest.approx(np.eye(size), abs=1e-3)  # condition 1e3 times 6e-8, and some


@pytest.mark.parametrize("threads", [1, 2])
def test_on_the_way_down(room, threads):
    # two sweeps from zero; the residual, summed over coarse cells
    for number in np.flatnonzero(room.levels.table[:-1, NX] > 0):
        b, level = room.values(number), room.textbook[number]
        room.part(room.levels.b, number)[:] = b
        for me in range(threads):
            kernels.descend(room.levels, int(number), me, threads, room.ring)
        x = room.smoothed(number, b.astype(float), np.zeros(b.size), WEIGHTS)
        assert close(room.part(room.levels.r, number), x)
        rest = b - level.A @ x
        if room.levels.table[number + 1, NX] > 0:
            # held cells have a residual, but no coarse cell that is solved for holds any
            solved = room.part(room.levels.inverse, number + 1) > 0
            assert close(room.part(room.levels.b, number + 1)[solved], (level.merge @ rest)[solved])
        else:
            solved = level.inverse > 0
            assert close(room.part(room.levels.x, number)[solved], rest[solved])


@pytest.mark.parametrize("threads", [1, 2])
def test_on_the_way_up(room, threads):
    # the coarse correction, two sweeps in the other order; on the finest level also x . b of each slab
    for number in np.flatnonzero(room.levels.table[:-1, NX] > 0):
        b, y, level = room.values(number), room.values(number), room.textbook[number]
        coarse = room.values(number + 1)
        room.part(room.levels.b, number)[:] = b
        room.part(room.levels.x, number + 1)[:] = coarse
        corrected = y.astype(float)
        if room.levels.table[number + 1, NX] > 0:
            corrected += (level.merge.T @ coarse.astype(float)) * (level.inverse > 0)
        room.part(room.levels.r, number)[:] = y
        sums = np.zeros(SHAPE[0] + 2)
        for me in range(threads):
            kernels.ascend(room.levels, int(number), me, threads, room.ring, sums)
        x = room.smoothed(number, b.astype(float), corrected, WEIGHTS[::-1])
        assert close(room.part(room.levels.x, number), x)
        if number == 0:
            assert sums.sum() == pytest.approx(float(x @ b), rel=1e-3)  # terms of both signs
        else:
            assert not sums.any()


def test_a_whole_cycle(room):
    b, sums = room.values(0), np.zeros(SHAPE[0] + 2)
    room.part(room.levels.b, 0)[:] = b
    kernels.cycle(room.levels, 0, 1, room.ring, sums, np.zeros(SYNC, dtype=np.int64))
    expected = room.cycle(b.astype(float))
    assert close(room.part(room.levels.x, 0), expected)
    assert sums.sum() == pytest.approx(float(expected @ b), rel=1e-5)


@pytest.mark.parametrize("beta", [0.0, 0.7])
@pytest.mark.parametrize("threads", [1, 2])
def test_next_direction_and_its_image(room, beta, threads):
    z, old, work = room.values(0), room.values(0), room.work
    room.part(room.levels.x, 0)[:] = z
    work.direction[:] = old
    rings = [room.ring, room.ring.copy()]
    sx = int(room.levels.table[0, SX])
    for me in range(threads):  # the halo of a thread: the slabs beside its own, before anyone turns them
        first, end = SHAPE[0] * me // threads + 1, SHAPE[0] * (me + 1) // threads + 1
        if threads > 1:  # cells that one coarse cell holds stay together
            first, end = kernels._slabs.py_func(room.levels, 0, me, threads)
        rings[me][SLOTS - 2] = old[(first - 1) * sx : first * sx]
        rings[me][SLOTS - 1] = old[end * sx : (end + 1) * sx]
    for me in range(threads):
        kernels.turn(room.levels, work, beta, me, threads, rings[me])
    direction = z + beta * old.astype(float)
    image = room.textbook[0].A @ direction
    image[room.held] = 0
    assert close(work.direction, direction)
    assert close(room.part(room.levels.r, 0), image)
    assert work.sums[1].sum() == pytest.approx(float(direction @ image), rel=1e-5)


def test_a_step_along_the_direction(room):
    work, levels = room.work, room.levels
    for array in (work.direction, work.x, room.part(levels.b, 0), room.part(levels.r, 0)):
        array[:] = room.values(0)
    x, rest = (
        work.x + 0.3 * work.direction.astype(float),
        room.part(levels.b, 0) - 0.3 * room.part(levels.r, 0).astype(float),
    )
    kernels.advance(levels, work, 0.3, 0, 1)
    assert close(work.x, x)
    assert close(room.part(levels.b, 0), rest)
    assert work.sums[0].sum() == pytest.approx(np.abs(rest).sum(), rel=1e-5)


def test_conjugate_gradients_are_the_textbook_s(room):
    b = room.values(0)
    A, rest = room.textbook[0].A, b.astype(float)
    x, direction, before, history = np.zeros(b.size), np.zeros(b.size), np.inf, [np.abs(rest).sum()]
    for _ in range(6):
        z = room.cycle(rest)
        weight = z @ rest
        direction = z + weight / before * direction
        image = A @ direction
        image[room.held] = 0
        step, before = weight / (direction @ image), weight
        x, rest = x + step * direction, rest - step * image
        history.append(np.abs(rest).sum())
    sync = np.zeros(SYNC, dtype=np.int64)
    done = kernels.conjugate_gradients(room.levels, room.work, b, 0.0, 6, 1, sync, True)
    assert done == 6
    # each iteration feels the rounding of those before
    assert room.work.history[:7] == pytest.approx(history, rel=2e-3)
    assert history[-1] < 1e-3 * history[0]
    assert room.work.x == pytest.approx(x, abs=1e-4 * np.abs(x).max())
    halfway = 0.5 * (history[2] + history[3])
    sync[:] = 0
    assert kernels.conjugate_gradients(room.levels, room.work, b, halfway, 6, 1, sync, True) == 3


@pytest.mark.parametrize("regions", [1, 2, 9])
def test_the_start_takes_means_off_closed_regions(regions):
    # rooms in a row, the last one with an opening; few regions and many take different paths
    shape = (2 * regions, 3, 3)
    area = [np.ones([n + (e == d) for e, n in enumerate(shape)]) for d in range(3)]
    area[0][::2] = 0
    held = np.zeros(shape, dtype=bool)
    if regions > 1:
        held[-1, -1, -1] = True
    none = [np.zeros(a.shape, dtype=bool) for a in area]
    grid = make_grid(*(np.arange(n + 1.0) for n in shape))
    solver = Pressure(grid, np.ones(shape, dtype=bool), area, none, held)
    b = np.zeros(solver.fluid.size, dtype=np.float32)
    cells = flat_cells(shape)
    b[cells] = np.random.default_rng(0).normal(size=shape) + 1
    kernels.begin.py_func(solver.levels, solver._work, b)
    expected = b[cells].astype(float)
    for number in range(regions):
        room = slice(2 * number, 2 * number + 2)
        if regions == 1 or number < regions - 1:
            expected[room] -= expected[room].mean()
    expected[held] = 0
    assert solver.levels.b[cells] == pytest.approx(expected, abs=1e-6)  # sums of 18 floats
    assert solver._work.sums[0].sum() == pytest.approx(np.abs(expected).sum(), rel=1e-6)
    assert not solver._work.x.any()
