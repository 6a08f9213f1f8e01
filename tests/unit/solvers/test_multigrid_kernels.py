"""Terms of the pressure solver against textbook NumPy on small random fields, compiled and not."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from solvers.linear import coarsen, resistance, terms, threads
from solvers.linear.coarsen import AIR, HELD, SOLID
from solvers.linear.layout import flat_cells, padded, strides

SHAPE = (3, 5, 4)
SX, SY = strides(SHAPE)
SIZE = int(np.prod(padded(SHAPE)))
CELLS = flat_cells(SHAPE)
STEPS = (SX, SY, 1)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def both(kernel):
    return [kernel, kernel.py_func]


def field(rng):
    out = np.zeros(SIZE, dtype=np.float32)
    out[CELLS] = rng.normal(size=SHAPE)
    return out


def conductances(rng):
    """Inner faces with a random conductance, a third of them closed."""
    out = []
    for axis in range(3):
        inner = CELLS[tuple(slice(int(d == axis), None) for d in range(3))]
        c = np.zeros(SIZE, dtype=np.float32)
        c[inner] = rng.random(inner.shape) * (rng.random(inner.shape) > 0.3)
        out.append(c)
    return out


def matrix(c):
    A = np.zeros((SIZE, SIZE))
    for coefficient, s in zip(c, STEPS, strict=True):
        for n in np.flatnonzero(coefficient):
            value = float(coefficient[n])
            A[n, n] += value
            A[n - s, n - s] += value
            A[n, n - s] -= value
            A[n - s, n] -= value
    return A


def by_slab(run):
    """Whole field from a kernel that fills one slab: run(at, slab below, slab, slab above, out)."""
    out = np.zeros(SIZE, dtype=np.float32)
    for i in range(1, SHAPE[0] + 1):
        run(
            i * SX,
            lambda f, i=i: [f[(i + d) * SX : (i + d + 1) * SX] for d in (-1, 0, 1)],
            out[i * SX : (i + 1) * SX],
        )
    return out


@pytest.mark.parametrize("compiled", [0, 1])
def test_operator_residual_and_sweeps(rng, compiled):
    c, x, b = conductances(rng), field(rng), field(rng)
    A = matrix(c)
    diagonal = A.diagonal()
    inverse = np.divide(1, diagonal, out=np.zeros(SIZE), where=diagonal > 0).astype(np.float32)
    x[inverse == 0] = 0  # cells without open faces are never anything else
    weight = np.float32(0.7)

    def run(kernel, *given):
        f = both(kernel)[compiled]
        return by_slab(lambda at, near, out: f(*given, *near(x), at, SX, SY, out))

    assert run(terms.apply, *c) == pytest.approx(A @ x, abs=1e-5)  # float32 rounding
    assert run(terms.residual, *c, b) == pytest.approx(b - A @ x, abs=1e-5)
    smooth = both(terms.smooth)[compiled]
    found = by_slab(lambda at, near, out: smooth(*c, inverse, b, *near(x), weight, at, SX, SY, out))
    assert found[CELLS] == pytest.approx((x + 0.7 * inverse * (b - A @ x))[CELLS], abs=1e-5)
    first = both(terms.smooth_from_zero)[compiled]
    found = by_slab(lambda at, _, out: first(inverse, b, weight, at, SX, SY, out))
    assert found == pytest.approx(0.7 * inverse * b, abs=1e-5)


@pytest.mark.parametrize("compiled", [0, 1])
def test_exact_residual(rng, compiled):
    c = conductances(rng)
    b, x, out = np.zeros((3, SIZE))
    b[CELLS], x[CELLS] = rng.normal(size=(2, *SHAPE))
    both(terms.exact_residual)[compiled](*c, b, x, SX, SY, out)
    assert out == pytest.approx(b - matrix(c) @ x, abs=1e-14)


@pytest.mark.parametrize("compiled", [0, 1])
@pytest.mark.parametrize("pair", [False, True])
def test_transfer_between_slabs(rng, compiled, pair):
    first_y, first_z = np.array([0, 2, 3, 5], dtype=np.int32), np.array([0, 1, 3, 4], dtype=np.int32)
    owner_z = np.array([0, 1, 1, 2], dtype=np.int32)
    fine = [np.zeros((SHAPE[1] + 2, SHAPE[2] + 2), dtype=np.float32) for _ in range(2)]
    for slab in fine:
        slab[1:-1, 1:-1] = rng.normal(size=SHAPE[1:])
    coarse = np.zeros((5, 5), dtype=np.float32)
    row = np.zeros(SX, dtype=np.float32)
    both(terms.restrict)[compiled](
        fine[0].ravel(), fine[1].ravel(), np.float32(pair), first_y, first_z, SY, 5, row, coarse.ravel()
    )
    inside = (fine[0] + pair * fine[1])[1:-1, 1:-1]
    expected = np.add.reduceat(np.add.reduceat(inside, first_y[:-1], axis=0), first_z[:-1], axis=1)
    assert coarse[1:-1, 1:-1] == pytest.approx(expected, abs=1e-5)
    stretched, out = np.full((2, SX), np.float32(9))
    both(terms.stretch)[compiled](coarse.ravel(), 3, owner_z, SY, 5, stretched)
    both(terms.prolong)[compiled](fine[0].ravel(), stretched, first_y, SY, out)
    up = np.repeat(coarse[1:-1, 1:-1], [2, 1, 2], axis=0)[:, owner_z]
    expected = fine[0] + np.pad(up, 1)
    assert out.reshape(expected.shape) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("compiled", [0, 1])
def test_sums_and_updates(rng, compiled):
    a, b = rng.normal(size=(2, 3000)).astype(np.float32)
    assert both(terms.dot)[compiled](a, b) == pytest.approx(np.dot(a.astype(float), b), rel=1e-4)
    assert both(terms.sum_abs)[compiled](a) == pytest.approx(np.abs(a.astype(float)).sum(), rel=1e-5)
    assert both(terms.total)[compiled](a) == pytest.approx(a.sum(dtype=float), abs=1e-3)
    assert np.isnan(both(terms.dot)[compiled](a * np.float32(np.nan), b))
    assert np.isnan(both(terms.sum_abs)[compiled](a * np.float32(np.nan)))
    out = b.copy()
    both(terms.add_scaled)[compiled](a, 0.3, out)
    assert out == pytest.approx(b + 0.3 * a, abs=1e-6)
    out = b.copy()
    both(terms.add_to_scaled)[compiled](a, 0.3, out)
    assert out == pytest.approx(a + 0.3 * b, abs=1e-6)


@pytest.mark.parametrize("compiled", [0, 1])
def test_means_by_region(rng, compiled):
    b = rng.normal(size=2500).astype(np.float32)
    region = rng.integers(-1, 3, b.size).astype(np.int16)
    cells = np.array([np.count_nonzero(region == m) for m in range(3)])
    open_region = np.array([False, True, False])
    expected = np.where(region >= 0, b, 0).astype(float)
    for m in (0, 2):
        expected[region == m] -= expected[region == m].mean()
    out, mean = np.zeros_like(b), np.zeros(3)
    both(terms.subtract_means)[compiled](b, region, open_region, cells, mean, out)
    assert out == pytest.approx(expected, abs=1e-6)
    both(terms.subtract_inside)[compiled](b, (region >= 0).astype(np.float32), np.float32(0), out)
    for m in (0, 2):
        both(terms.subtract_mean)[compiled](region, m, cells[m], out)
    assert out == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("compiled", [0, 1])
def test_unstructured_terms(rng, compiled):
    size = 9
    A = np.zeros((size, size))
    start, neighbour, c = [0], [], []
    for a in range(size):
        for b in range(size):
            if a != b and (a * b) % 4 == 1:
                A[a, a] += 0.5
                A[a, b] -= 0.5
                neighbour.append(b)
                c.append(0.5)
        start.append(len(neighbour))
    rows = np.array(start, np.int32), np.array(neighbour, np.int32), np.array(c, np.float32)
    inverse = np.divide(1, A.diagonal(), out=np.zeros(size), where=A.diagonal() > 0).astype(np.float32)
    x, b = rng.normal(size=(2, size)).astype(np.float32)
    x[inverse == 0] = 0
    out = np.zeros(size, dtype=np.float32)
    for lo, hi in ((0, 4), (4, size)):
        both(terms.smooth_rows)[compiled](*rows, inverse, b, x, np.float32(0.7), lo, hi, out)
    assert out == pytest.approx(x + 0.7 * inverse * (b - A @ x), abs=1e-6)
    for lo, hi in ((0, 4), (4, size)):
        both(terms.residual_rows)[compiled](*rows, b, x, lo, hi, out)
    assert out == pytest.approx(b - A @ x, abs=1e-6)
    group, member = np.array([0, 3, 3, 5], np.int32), np.array([8, 1, 2, 7, 4], np.int32)
    sums = np.zeros(3, dtype=np.float32)
    both(terms.gather)[compiled](x, group, member, 0, 3, sums)
    assert sums == pytest.approx([x[[8, 1, 2]].sum(), 0, x[[7, 4]].sum()], abs=1e-6)
    out = x.copy()
    both(terms.scatter)[compiled](sums, group, member, 0, 3, out)
    assert out[[1, 7, 0]] == pytest.approx([x[1] + sums[0], x[7] + sums[2], x[0]], abs=1e-6)


@pytest.mark.parametrize("compiled", [0, 1])
def test_resistances(rng, compiled):
    # a face of a level is the sum of its parts: area / (distance + resistance), area / distance before
    face, into = np.array([2, 0, 1, 2, 3]), np.array([0, 1, 0, 2, 1])
    distance, area, length = rng.uniform(0.1, 1, 5), rng.uniform(0.5, 1, 4), np.array([0.0, 3.0, 0.2, 1e9])
    free = rng.uniform(1, 2, 3)  # the parts without resistance
    total, slot, c = free.copy(), np.array([7, 4, 5]), np.full(9, 5, dtype=np.float32)
    for m in range(5):
        total[into[m]] += area[face[m]] / distance[m]
    both(resistance.add_resistance)[compiled](total, slot, face, into, distance, area, length, c)
    expected = free.copy()
    for m in range(5):
        expected[into[m]] += area[face[m]] / (distance[m] + length[face[m]])
    assert c[slot] == pytest.approx(expected, rel=1e-6)  # rounded to single precision
    assert np.count_nonzero(c == 5) == 6


@pytest.mark.parametrize("compiled", [0, 1])
def test_diagonal_of_some_cells(rng, compiled):
    c, inverse = conductances(rng), np.full(SIZE, 7.0, dtype=np.float32)
    some = CELLS[1:, 2:4, 1:3].ravel()
    diagonal = matrix(c).diagonal()
    some = some[diagonal[some] > 0]
    both(resistance.invert_diagonal)[compiled](some, *c, SX, SY, inverse)
    assert inverse[some] == pytest.approx(1 / diagonal[some], rel=1e-6)  # six floats add up
    assert np.count_nonzero(inverse == 7) == SIZE - some.size


def test_intervals_merge_up_to_a_width():
    line = np.array([0, 1, 2, 3, 4, 8, 9, 10.0])
    free = np.zeros(line.size, dtype=bool)
    assert coarsen.merge_intervals(line, free, 2.0).tolist() == [0, 2, 4, 5, 7]
    kept = free.copy()
    kept[1] = True
    assert coarsen.merge_intervals(line, kept, 2.0).tolist() == [0, 1, 3, 4, 5, 7]
    assert coarsen.drop_lines(kept).tolist() == [0, 1, 3, 5, 7]
    assert coarsen.owners(np.array([0, 2, 3])).tolist() == [0, 0, 1]


@pytest.mark.parametrize("compiled", [0, 1])
def test_lines_in_use(rng, compiled):
    c = [np.zeros(SIZE, dtype=np.float32) for _ in range(3)]
    kind = np.zeros(SIZE, dtype=np.uint8)
    kind[CELLS] = AIR
    for axis in range(3):
        c[axis][CELLS[tuple(slice(int(d == axis), None) for d in range(3))]] = 1
    kind[CELLS[2, :, 3]] = HELD  # a held strip: its faces stay open
    c[1][CELLS[0, 2, 0]] = 0  # a plate
    kind[CELLS[0, 4, 1]] = SOLID
    keep = [np.zeros(n + 1, dtype=bool) for n in SHAPE]
    for axis, s in enumerate(STEPS):
        c[axis][CELLS[0, 4, 1]] = c[axis][CELLS[0, 4, 1] + s] = 0
    both(coarsen.lines_in_use)[compiled](*c, kind, *SHAPE, SX, SY, *keep)
    assert [np.flatnonzero(k).tolist() for k in keep] == [[0, 1, 2, 3], [0, 2, 4, 5], [0, 1, 2, 3, 4]]


@pytest.mark.parametrize("compiled", [0, 1])
def test_connected_parts(rng, compiled):
    c = conductances(rng)
    kind = np.zeros(SIZE, dtype=np.uint8)
    kind[CELLS] = AIR
    one = [np.zeros(n, dtype=np.int32) for n in SHAPE]
    label = np.empty(SIZE, dtype=np.int32)
    none = np.zeros(0, dtype=np.uint8)
    count = both(coarsen.connect_cells)[compiled](*c, kind, none, HELD, *one, *SHAPE, SX, SY, label)
    reach = (
        np.linalg.matrix_power(
            (matrix(c) != 0)[np.ix_(CELLS.ravel(), CELLS.ravel())] + np.eye(CELLS.size), 60
        )
        > 0
    )
    found = label[CELLS.ravel()]
    assert (found[:, None] == found[None, :])[reach].all()
    assert not (found[:, None] == found[None, :])[~reach].any()
    assert sorted(set(found.tolist())) == list(range(count))
    group, member = np.zeros(count + 1, np.int32), np.zeros(CELLS.size, np.int32)
    both(coarsen.list_members)[compiled](label, group, member)
    for g in range(count):
        assert member[group[g] : group[g + 1]].tolist() == np.flatnonzero(label == g).tolist()


def test_threads_meet_and_the_late_are_not_waited_for():
    sync = np.zeros(threads.SYNC, dtype=np.int64)
    assert threads.call_round(sync, 1, 8) == 1  # nobody is there yet
    seen = []

    def help_out():
        me, last = threads.join(sync), 0
        while True:
            last, count = threads.next_round(sync, me, last)
            if last < 0:
                return
            seen.append((last, count))
            threads.meet(sync, count)

    helper = threading.Thread(target=help_out)
    helper.start()
    deadline = time.monotonic() + 10
    while sync[16] == 0 and time.monotonic() < deadline:
        time.sleep(0.001)
    for number in (2, 3):
        assert threads.call_round(sync, number, 8) == 2
        threads.meet(sync, 2)
    threads.dismiss(sync)
    helper.join(10)
    assert not helper.is_alive()
    assert seen == [(2, 2), (3, 2)]
