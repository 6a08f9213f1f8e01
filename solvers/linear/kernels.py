"""V-cycle and conjugate gradients on a hierarchy, by one thread or several. See `terms` for the terms.

Each thread owns a run of slabs (or rows) of every large level and sweeps over it once per pass. What it
needs from the slabs of another it computes for itself, from arrays that the pass leaves alone. Sums are
taken slab by slab, so a solution does not depend on the number of threads, to the last bit.
"""

from __future__ import annotations

import numpy as np
from numba import njit

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
from solvers.linear.terms import (
    W1,
    W2,
    add_scaled,
    add_to_scaled,
    apply,
    dot,
    gather,
    prolong,
    residual,
    residual_rows,
    restrict,
    scatter,
    smooth,
    smooth_from_zero,
    smooth_rows,
    stretch,
    subtract_inside,
    subtract_mean,
    subtract_means,
    sum_abs,
    total,
)
from solvers.linear.threads import call_round, dismiss, join, meet, next_round, options

inner = {**options, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""For functions that only compiled code calls: half the time to compile."""

_ROUNDING = 1e-7  # of sum |b|: beyond, rounding feeds the constants of closed regions
_ASTRAY = 100.0  # times the best residual at which rounding has taken over
_FEW = 8  # regions that are looked for one by one
_LARGE = 3000  # cells from which a level is shared between threads


@njit(**inner)
def _map(levels, level):
    """Where the coarse cells of the level below begin along x, y, z, and the coarse cell of each fine k."""
    row, fine = levels.table[level + 1], levels.table[level]
    at = row[MAPS]
    y = at + row[NX] + 1
    z = y + row[NY] + 1
    k = z + row[NZ] + 1
    return levels.maps[at:y], levels.maps[y:z], levels.maps[z:k], levels.maps[k : k + fine[NZ]]


@njit(**inner)
def _slabs(levels, level, me, threads):
    """First and past-the-last slab of a thread; cells that one coarse cell holds stay together."""
    nx = levels.table[level, NX]
    coarse = levels.table[level + 1, NX] if level + 1 < levels.table.shape[0] else 0
    if coarse == 0:
        return nx * me // threads + 1, nx * (me + 1) // threads + 1
    at = levels.table[level + 1, MAPS]
    first, last = coarse * me // threads, coarse * (me + 1) // threads
    return levels.maps[at + first] + 1, levels.maps[at + last] + 1


@njit(**inner)
def _clear(ring, sx, sy):
    """Zero the outer rows of the scratch slabs: another level may have left something there."""
    for slot in range(7):
        ring[slot, :sy] = 0
        ring[slot, sx - sy : sx] = 0


@njit(**options)
def descend(levels, level, me, threads, ring):
    """Two sweeps from zero and the residual, in one pass over the slabs of a thread.

    Leaves the correction in levels.r, and the residual, summed over coarse cells, in levels.b of the next
    level; where that is unstructured, the residual in levels.x.
    """
    row = levels.table[level]
    first, end, nx, sx, sy = row[OFFSET], row[OFFSET] + row[SIZE], row[NX], row[SX], row[SY]
    cx, cy, cz, d = (
        levels.cx[first:end],
        levels.cy[first:end],
        levels.cz[first:end],
        levels.inverse[first:end],
    )
    b, y, rest = levels.b[first:end], levels.r[first:end], levels.x[first:end]
    after = levels.table[level + 1]
    coarse = levels.b[after[OFFSET] : after[OFFSET] + after[SIZE]]
    structured = after[NX] > 0
    lo, hi = _slabs(levels, level, me, threads)
    _clear(ring, sx, sy)
    i = 0  # coarse slab
    begins, begins_y, begins_z, _ = _map(levels, level)
    if structured:
        while begins[i + 1] < lo:
            i += 1
    for s in range(lo - 2, hi + 2):
        if 1 <= s <= nx:
            smooth_from_zero(d, b, W1, s * sx, sx, sy, ring[s % 3][:sx])
        else:
            ring[(s + 3) % 3][:sx] = 0
        t = s - 1
        if t < lo - 1:
            continue
        twice = y[t * sx : (t + 1) * sx]
        if t < lo or t >= hi:
            twice = ring[3 if t < lo else 4][:sx]
        if 1 <= t <= nx:
            west, here, east = ring[(t + 2) % 3], ring[t % 3], ring[(t + 1) % 3]
            smooth(cx, cy, cz, d, b, west, here, east, W2, t * sx, sx, sy, twice)
        else:
            twice[:] = 0
        t = s - 2
        if t < lo:
            continue
        west = ring[3][:sx] if t == lo else y[(t - 1) * sx : t * sx]
        east = ring[4][:sx] if t == hi - 1 else y[(t + 1) * sx : (t + 2) * sx]
        here = y[t * sx : (t + 1) * sx]
        if not structured:
            residual(cx, cy, cz, b, west, here, east, t * sx, sx, sy, rest[t * sx : (t + 1) * sx])
            continue
        if begins[i + 1] < t:
            i += 1
        pair, second = begins[i + 1] - begins[i], t - 1 - begins[i]
        residual(cx, cy, cz, b, west, here, east, t * sx, sx, sy, ring[5 + second][:sx])
        if second == pair - 1:
            slab = coarse[(i + 1) * after[SX] : (i + 2) * after[SX]]
            both = np.float32(second)
            restrict(ring[5], ring[5 + second], both, begins_y, begins_z, sy, after[SY], ring[7], slab)


@njit(**options)
def ascend(levels, level, me, threads, ring, sums):
    """Coarse correction and two sweeps, in one pass; from levels.r to levels.x.

    On the finest level the sums of x b over each slab are left in `sums`.
    """
    row = levels.table[level]
    first, end, nx, sx, sy = row[OFFSET], row[OFFSET] + row[SIZE], row[NX], row[SX], row[SY]
    cx, cy, cz, d = (
        levels.cx[first:end],
        levels.cy[first:end],
        levels.cz[first:end],
        levels.inverse[first:end],
    )
    b, y, x = levels.b[first:end], levels.r[first:end], levels.x[first:end]
    after = levels.table[level + 1]
    coarse = levels.x[after[OFFSET] : after[OFFSET] + after[SIZE]]
    structured = after[NX] > 0
    lo, hi = _slabs(levels, level, me, threads)
    _clear(ring, sx, sy)
    i = -1
    begins, begins_y, _, owner_z = _map(levels, level)
    for s in range(lo - 2, hi + 2):
        if not 1 <= s <= nx:
            ring[(s + 3) % 3][:sx] = 0
        elif structured:
            if i < 0 or begins[i + 1] < s:
                while begins[i + 1] < s:
                    i += 1
                slab = coarse[(i + 1) * after[SX] : (i + 2) * after[SX]]
                stretch(slab, after[NY], owner_z, sy, after[SY], ring[6])
            prolong(y[s * sx : (s + 1) * sx], ring[6], begins_y, sy, ring[s % 3][:sx])
        else:
            ring[s % 3][:sx] = y[s * sx : (s + 1) * sx]
        t = s - 1
        if t < lo - 1:
            continue
        if 1 <= t <= nx:
            west, here, east = ring[(t + 2) % 3], ring[t % 3], ring[(t + 1) % 3]
            smooth(cx, cy, cz, d, b, west, here, east, W2, t * sx, sx, sy, ring[3 + t % 3][:sx])
        else:
            ring[3 + t % 3][:sx] = 0
        t = s - 2
        if t < lo:
            continue
        out = x[t * sx : (t + 1) * sx]
        west, here, east = ring[3 + (t + 2) % 3], ring[3 + t % 3], ring[3 + (t + 1) % 3]
        smooth(cx, cy, cz, d, b, west, here, east, W1, t * sx, sx, sy, out)
        if level == 0:
            sums[t] = dot(out, b[t * sx : (t + 1) * sx])


@njit(**inner)
def _share(size, me, threads):
    return size * me // threads, size * (me + 1) // threads


@njit(**inner, inline="always")
def down(levels, level, me, threads, ring, sync):
    """Smooth a level and hand its residual to the next."""
    row, after = levels.table[level], levels.table[level + 1]
    first, end, nx = row[OFFSET], row[OFFSET] + row[SIZE], row[NX]
    if nx > 0:
        descend(levels, level, me, threads, ring)
        meet(sync, threads)
        if after[NX] > 0:
            return
        rest = levels.x[first:end]
    else:
        lo, hi = _share(row[SIZE], me, threads)
        x, b, r = levels.x[first:end], levels.b[first:end], levels.r[first:end]
        d, c = levels.inverse[first:end], levels.c[row[ENTRIES] :]
        start, near = levels.start[row[ROWS] :], levels.neighbour[row[ENTRIES] :]
        for n in range(lo, hi):
            r[n] = W1 * d[n] * b[n]
        meet(sync, threads)
        smooth_rows(start, near, c, d, b, r, W2, lo, hi, x)
        meet(sync, threads)
        residual_rows(start, near, c, b, x, lo, hi, r)
        meet(sync, threads)
        rest = r
    lo, hi = _share(after[SIZE], me, threads)
    coarse = levels.b[after[OFFSET] : after[OFFSET] + after[SIZE]]
    gather(rest, levels.group[after[GROUPS] :], levels.member[after[MEMBERS] :], lo, hi, coarse)
    meet(sync, threads)


@njit(**inner, inline="always")
def up(levels, level, me, threads, ring, sums, sync):
    """Add the correction of the next level to a level and smooth it."""
    row, after = levels.table[level], levels.table[level + 1]
    first, end, nx = row[OFFSET], row[OFFSET] + row[SIZE], row[NX]
    if after[NX] == 0:
        lo, hi = _share(after[SIZE], me, threads)
        coarse = levels.x[after[OFFSET] : after[OFFSET] + after[SIZE]]
        out = levels.r[first:end] if nx > 0 else levels.x[first:end]
        scatter(coarse, levels.group[after[GROUPS] :], levels.member[after[MEMBERS] :], lo, hi, out)
        meet(sync, threads)
    if nx > 0:
        ascend(levels, level, me, threads, ring, sums)
    else:
        lo, hi = _share(row[SIZE], me, threads)
        x, b, r = levels.x[first:end], levels.b[first:end], levels.r[first:end]
        d, c = levels.inverse[first:end], levels.c[row[ENTRIES] :]
        start, near = levels.start[row[ROWS] :], levels.neighbour[row[ENTRIES] :]
        smooth_rows(start, near, c, d, b, x, W2, lo, hi, r)
        meet(sync, threads)
        smooth_rows(start, near, c, d, b, r, W1, lo, hi, x)
    meet(sync, threads)


@njit(**inner)
def _invert(levels):
    """Exact correction of the coarsest level."""
    row = levels.table[levels.table.shape[0] - 1]
    first, size = row[OFFSET], row[SIZE]
    b = levels.b[first : first + size]
    for n in range(size):
        value = np.float32(0)
        inverse = levels.dense[n]
        for m in range(size):
            value += inverse[m] * b[m]
        levels.x[first + n] = value


@njit(**options, inline="always")
def cycle(levels, me, threads, ring, sums, sync):
    """One symmetric V(2,2)-cycle for A x = b of level 0, from x = 0; the answer is left in levels.x.

    Chebyshev pairs of Jacobi sweeps smooth, sums restrict, injection prolongs, a dense inverse ends it. Small
    levels are left to the leader.
    """
    last = levels.table.shape[0] - 1
    for level in range(last):
        crew = threads if levels.table[level, SIZE] >= _LARGE else 1
        if me < crew:
            down(levels, level, me, crew, ring, sync)
    if me == 0:
        _invert(levels)
    for level in range(last - 1, -1, -1):
        crew = threads if levels.table[level, SIZE] >= _LARGE else 1
        if crew > 1 and (level == last - 1 or levels.table[level + 1, SIZE] < _LARGE):
            meet(sync, crew)  # the others have waited for the leader
        if me < crew:
            up(levels, level, me, crew, ring, sums, sync)


@njit(**options)
def turn(levels, work, beta, me, threads, ring):
    """Set direction = z + beta direction and its image A direction; sums of their product over slabs."""
    row = levels.table[0]
    size, nx, sx, sy = row[SIZE], row[NX], row[SX], row[SY]
    cx, cy, cz = levels.cx[:size], levels.cy[:size], levels.cz[:size]
    z, image, direction = levels.x[:size], levels.r[:size], work.direction
    lo, hi = _slabs(levels, 0, me, threads)
    n = 0
    while n < work.held.size and work.held[n] < lo * sx:
        n += 1
    for s in range(lo - 1, hi + 1):
        new = direction[s * sx : (s + 1) * sx]
        if s < lo or s >= hi:
            new = ring[SLOTS - 2 if s < lo else SLOTS - 1][:sx]
        if not 1 <= s <= nx:
            new[:] = 0
        elif beta == 0.0:
            new[:] = z[s * sx : (s + 1) * sx]
        else:
            add_to_scaled(z[s * sx : (s + 1) * sx], beta, new)
        t = s - 1
        if t < lo:
            continue
        west = ring[SLOTS - 2][:sx] if t == lo else direction[(t - 1) * sx : t * sx]
        east = ring[SLOTS - 1][:sx] if t == hi - 1 else direction[(t + 1) * sx : (t + 2) * sx]
        here, out = direction[t * sx : (t + 1) * sx], image[t * sx : (t + 1) * sx]
        apply(cx, cy, cz, west, here, east, t * sx, sx, sy, out)
        while n < work.held.size and work.held[n] < (t + 1) * sx:
            image[work.held[n]] = 0
            n += 1
        work.sums[1, t] = dot(here, out)


@njit(**inner, inline="always")
def keep_halo(levels, work, me, threads, ring):
    """Copy the slabs of the old direction beside those of a thread, before their owner turns them."""
    sx = levels.table[0, SX]
    lo, hi = _slabs(levels, 0, me, threads)
    ring[SLOTS - 2][:sx] = work.direction[(lo - 1) * sx : lo * sx]
    ring[SLOTS - 1][:sx] = work.direction[hi * sx : (hi + 1) * sx]


@njit(**options)
def advance(levels, work, step, me, threads):
    """Add step direction to x and take its image off the rest; sum |rest| slab by slab."""
    sx = levels.table[0, SX]
    lo, hi = _slabs(levels, 0, me, threads)
    for s in range(lo, hi):
        rest = levels.b[s * sx : (s + 1) * sx]
        add_scaled(work.direction[s * sx : (s + 1) * sx], step, work.x[s * sx : (s + 1) * sx])
        add_scaled(levels.r[s * sx : (s + 1) * sx], -step, rest)
        work.sums[0, s] = sum_abs(rest)


@njit(**inner, inline="always")
def iterate(levels, work, me, threads, sync):
    """One iteration of the conjugate gradients by all threads; returns z . rest, or 0 at a breakdown."""
    ring = work.scratch[me]
    sums = work.sums
    keep_halo(levels, work, me, threads, ring)
    cycle(levels, me, threads, ring, sums[0], sync)
    weight = sums[0].sum()
    beta = weight / work.weight[0]
    turn(levels, work, beta, me, threads, ring)
    meet(sync, threads)
    curvature = sums[1].sum()
    if not curvature > 0.0:
        return 0.0
    advance(levels, work, weight / curvature, me, threads)
    return weight


@njit(**inner)
def begin(levels, work, b):
    """Start from x = 0: rest = b less its mean over each closed region, 0 in held cells."""
    size, sx, nx = levels.table[0, SIZE], levels.table[0, SX], levels.table[0, NX]
    rest, inside = levels.b[:size], levels.inverse[:size]
    work.x[:] = 0
    if work.open.size == 1:
        subtract_inside(b, inside, np.float32(0 if work.open[0] else total(b) / work.cells[0]), rest)
    elif work.open.size <= _FEW:
        subtract_inside(b, inside, np.float32(0), rest)
        for m in range(work.open.size):
            if not work.open[m]:
                subtract_mean(work.region, m, work.cells[m], rest)
    else:
        subtract_means(b, work.region, work.open, work.cells, work.mean, rest)
    for n in work.held:
        rest[n] = 0
    work.sums[:] = 0
    for s in range(1, nx + 1):
        work.sums[0, s] = sum_abs(rest[s * sx : (s + 1) * sx])


@njit(**options)
def conjugate_gradients(levels, work, b, tolerance, iterations, threads, sync, leads):
    """Solve A x = b by multigrid-preconditioned conjugate gradients, from x = 0.

    Stops when sum |b - A x| <= tolerance, at the end of single precision or after `iterations`. On return
    work.x is the solution, levels.b of level 0 the residual and work.history[i] is sum |b - A x| after i
    iterations. One thread leads and gets the number of iterations; up to threads - 1 others may call this
    with leads = False at any time before its end.
    """
    history = work.history
    me = number = done = 0
    enough = best = 0.0
    if leads:
        begin(levels, work, b)
        history[0] = best = work.sums[0].sum()
        enough = max(tolerance, _ROUNDING * best)
        work.weight[0] = np.inf
    else:
        me = join(sync)
    while True:
        if leads:
            if not (done < iterations and history[done] > enough and history[done] < _ASTRAY * best):
                break
            number += 1
            here = call_round(sync, number, threads)
        else:
            number, here = next_round(sync, me, number)
            if number < 0:
                return 0
        weight = iterate(levels, work, me, here, sync)
        meet(sync, here)
        if leads:
            if not weight > 0.0:
                break
            work.weight[0] = weight
            done += 1
            history[done] = work.sums[0].sum()
            best = min(best, history[done])
    dismiss(sync)
    return done
