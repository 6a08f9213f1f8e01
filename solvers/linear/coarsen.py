"""Set-up of the coarse levels: which cells merge, and how the coarse cells are joined.

A level has a target width. Neighbouring intervals of the grid merge where their joint width stays below it,
so thin cells merge first and coarse cells become cubes: what makes point smoothing work on stretched grids.

- Structured levels keep every line that carries a closed or resisting face or ends held cells.
- Where that leaves too many cells, blocks of the grid split into the parts that are connected inside, each
  part one unknown of an unstructured level.

So coarse cells never merge across a plate. A coarse face keeps its area and gets the distance of the coarse
centres, which is what makes injection work as prolongation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solvers.linear.layout import Three, three
from solvers.linear.threads import options

SOLID, AIR, HELD = 0, 1, 2  # kinds of cells
_FEWER = 0.6  # cells of a level over those of the level above, if nothing were in the way
_KEPT = 2.5  # times as many cells that kept lines may cost before blocks split instead
_AHEAD = (1.0, 1.12, 1.26, 1.41)
_EXPONENT = 1.5
_STEP = 1.12  # of the target width, from one try to the next


class Box(NamedTuple):
    """A structured level.

    Attributes
    ----------
    lines : tuple of float64[n + 1]    Face coordinates. [m]
    kind : uint8[padded]    SOLID, AIR or HELD.
    picks : tuple of int64[n + 1]    Its lines among those of the level above; the finest level has all.
    """

    lines: Three
    kind: NDArray[np.uint8]
    picks: Three

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of cells along the axes. [-]."""
        x, y, z = self.lines
        return x.size - 1, y.size - 1, z.size - 1

    @property
    def centres(self) -> Three:
        """Middles of the intervals. [m]."""
        return three(0.5 * (line[1:] + line[:-1]) for line in self.lines)

    @property
    def gaps(self) -> Three:
        """Distance of the centres on both sides of each line; half a cell at the ends. [m]."""
        ends = ((line[:1], line[-1:]) for line in self.lines)
        return three(np.diff(np.concatenate([a, c, b])) for c, (a, b) in zip(self.centres, ends, strict=True))


def drop_lines(keep: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Every second line between those that must stay; [lines of the coarse grid]."""
    return merge_intervals(np.arange(keep.size, dtype=np.float64), keep, 2.0)


def merge_intervals(line: NDArray[np.float64], keep: NDArray[np.bool_], limit: float) -> NDArray[np.int64]:
    """Lines that stay when neighbouring intervals merge in pairs no wider than limit; [lines]."""
    stay, i, last = [0], 0, line.size - 1
    limit *= 1 + 1e-6
    while i < last:
        pair = i + 2 <= last and not keep[i + 1] and line[i + 2] - line[i] <= limit
        i += 2 if pair else 1
        stay.append(i)
    return np.array(stay)


def next_lines(lines: Three, keep: Three, limit: float) -> tuple[float, Three, Three]:
    """Lines of the next level: its target width, those that stay if `keep` binds, and if it does not."""
    widest = 2 * max(float(np.diff(line).max()) for line in lines)
    limit = limit or min(float(np.diff(line).min()) for line in lines)
    cells = _cells(lines)
    while _free_cells(lines, limit) > _FEWER * cells and limit < widest:
        limit *= _STEP
    # a little wider where that merges many more: grids of nearly equal cells
    limit *= min(_AHEAD, key=lambda factor: _free_cells(lines, factor * limit) * factor**_EXPONENT)
    picks = _free_lines(lines, limit)
    kept = three(merge_intervals(line, mask, limit) for line, mask in zip(lines, keep, strict=True))
    return limit, kept, picks


def _free_lines(lines: Three, limit: float) -> Three:
    return three(merge_intervals(line, np.zeros(line.size, dtype=bool), limit) for line in lines)


def _free_cells(lines, limit: float) -> int:
    return _cells(_free_lines(lines, limit))


def kept_lines_pay(kept: Three, picks: Three) -> bool:
    """Whether a structured level is small enough beside one whose blocks split."""
    return _cells(kept) <= _KEPT * _cells(picks)


def _cells(lines) -> int:
    return (lines[0].size - 1) * (lines[1].size - 1) * (lines[2].size - 1)


def owners(pick: NDArray[np.int64]) -> NDArray[np.int32]:
    """Coarse interval that holds each fine one."""
    return np.repeat(np.arange(pick.size - 1, dtype=np.int32), np.diff(pick))


@njit(**options)
def lines_in_use(cx, cy, cz, kind, nx, ny, nz, sx, sy, keep_x, keep_y, keep_z):
    """Mark lines on which a closed face touches air, or held cells end."""
    for i in range(nx + 1):
        for j in range(ny + 1):
            for k in range(nz + 1):
                n = (i + 1) * sx + (j + 1) * sy + k + 1
                here = kind[n]
                if j < ny and k < nz and (here != kind[n - sx] or (here == AIR and cx[n] == 0)):
                    keep_x[i] = True
                if i < nx and k < nz and (here != kind[n - sy] or (here == AIR and cy[n] == 0)):
                    keep_y[j] = True
                if i < nx and j < ny and (here != kind[n - 1] or (here == AIR and cz[n] == 0)):
                    keep_z[k] = True


@njit(**options)
def coarse_faces(
    fine, begin_x, end_x, begin_y, end_y, begin_z, end_z, ratio, axis, sx, sy, to_sx, to_sy, out
):
    """Sum the fine faces of each coarse one, times ratio[line]: same area over a longer distance."""
    for i in range(begin_x.size):
        for j in range(begin_y.size):
            for k in range(begin_z.size):
                total = np.float32(0)
                for a in range(begin_x[i], end_x[i]):
                    for b in range(begin_y[j], end_y[j]):
                        for c in range(begin_z[k], end_z[k]):
                            total += fine[(a + 1) * sx + (b + 1) * sy + c + 1]
                line = i if axis == 0 else (j if axis == 1 else k)
                out[(i + 1) * to_sx + (j + 1) * to_sy + k + 1] = total * ratio[line]


@njit(**options)
def invert_diagonal(cx, cy, cz, kind, nx, sx, sy, out):
    """Set out = 1 / sum of the six conductances of a cell; 0 in held cells and where nothing is open."""
    for n in range(sx, (nx + 1) * sx):
        total = cx[n] + cx[n + sx] + cy[n] + cy[n + sy] + cz[n] + cz[n + 1]
        out[n] = np.float32(1) / total if total > 0 and kind[n] == AIR else np.float32(0)


@njit(**options)
def _root(label, n):
    while label[n] != n:
        label[n] = label[label[n]]
        n = label[n]
    return n


@njit(**options)
def _unite(label, a, b):
    a, b = _root(label, a), _root(label, b)
    if a < b:
        label[b] = a
    else:
        label[a] = b


@njit(**options)
def _number(label):
    """Replace roots by consecutive numbers; -1 stays. Returns how many there are."""
    count = 0
    for n in range(label.size):
        if label[n] == n:
            count += 1
            label[n] = -1 - count  # numbered roots, told from indices by their sign
        elif label[n] >= 0:
            label[n] = label[_first(label, n)]
    for n in range(label.size):
        if label[n] < -1:
            label[n] = -2 - label[n]
    return count


@njit(**options)
def _first(label, n):
    """Root of a tree whose root is numbered already."""
    while label[n] >= 0:
        n = label[n]
    return n


@njit(**options)
def connect_cells(cx, cy, cz, kind, resisting, most, ox, oy, oz, nx, ny, nz, sx, sy, label):
    """Give each connected part of each block (ox, oy, oz) of cells a number; the rest gets -1.

    Open faces connect cells of air and, if `most` is HELD, held cells. Faces marked in
    `resisting` (bit d for axis d) do not.
    """
    label[:] = -1
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                n = (i + 1) * sx + (j + 1) * sy + k + 1
                if kind[n] == SOLID or kind[n] > most:
                    continue
                label[n] = n
                bits = resisting[n] if resisting.size > 0 else 0
                if cx[n] > 0 and ox[i] == ox[i - 1] and not bits & 1 and kind[n - sx] <= most:
                    _unite(label, n, n - sx)
                if cy[n] > 0 and oy[j] == oy[j - 1] and not bits & 2 and kind[n - sy] <= most:
                    _unite(label, n, n - sy)
                if cz[n] > 0 and oz[k] == oz[k - 1] and not bits & 4 and kind[n - 1] <= most:
                    _unite(label, n, n - 1)
    return _number(label)


@njit(**options)
def connect_rows(start, neighbour, resists, block, across, ox, oy, oz, label):
    """Give each connected part of each block of unknowns a number; the place of held cells gets -1."""
    size = label.size - 1
    for n in range(size):
        label[n] = n
    label[size] = -1
    for n in range(size):
        for m in range(start[n], start[n + 1]):
            other = neighbour[m]
            if other < n and (across or not resists[m]):
                same = ox[block[n, 0]] == ox[block[other, 0]] and oy[block[n, 1]] == oy[block[other, 1]]
                if same and oz[block[n, 2]] == oz[block[other, 2]]:
                    _unite(label, n, other)
    return _number(label)


@njit(**options)
def list_members(label, start, member):
    """Sort cells by their label: those of label g are member[start[g] : start[g + 1]]; -1 is left out."""
    start[:] = 0
    for n in range(label.size):
        if label[n] >= 0:
            start[label[n] + 1] += 1
    for g in range(start.size - 1):
        start[g + 1] += start[g]
    for n in range(label.size):
        if label[n] >= 0:
            member[start[label[n]]] = n
            start[label[n]] += 1
    for g in range(start.size - 1, 0, -1):
        start[g] = start[g - 1]
    start[0] = 0


@njit(**options)
def centres_of_cells(label, x, y, z, dx, dy, dz, ox, oy, oz, sx, sy, centre, volume, block):
    """Volume, centre of volume and block of every part."""
    for i in range(x.size):
        for j in range(y.size):
            for k in range(z.size):
                g = label[(i + 1) * sx + (j + 1) * sy + k + 1]
                if g < 0:
                    continue
                part = dx[i] * dy[j] * dz[k]
                volume[g] += part
                centre[g, 0] += part * x[i]
                centre[g, 1] += part * y[j]
                centre[g, 2] += part * z[k]
                block[g, 0], block[g, 1], block[g, 2] = ox[i], oy[j], oz[k]
    for g in range(volume.size):
        for d in range(3):
            centre[g, d] /= volume[g]


@njit(**options)
def _add_face(g, h, axis, area, distance, resists, marker, first, faces, columns):
    """Add a fine face to the coarse face from g to h; returns the number of coarse faces."""
    neighbour, axes, areas, distances, resisting = columns
    m = marker[h, axis]
    if m < first:
        m = marker[h, axis] = faces
        neighbour[m], axes[m], areas[m], distances[m], resisting[m] = h, axis, 0.0, 0.0, False
        faces += 1
    areas[m] += area
    distances[m] = max(distances[m], distance)
    resisting[m] |= resists
    return faces


@njit(**options)
def _set_distances(g, first, faces, centre, columns):
    """Coarse faces reach from centre to centre, but never less far than their fine faces."""
    neighbour, axes, _, distances, _ = columns
    for m in range(first, faces):
        if neighbour[m] < centre.shape[0]:
            apart = abs(centre[g, axes[m]] - centre[neighbour[m], axes[m]])
            distances[m] = max(distances[m], apart)


@njit(**options)
def rows_of_cells(c, gap, middle, resisting, label, group, member, centre, sx, sy, marker, start, columns):
    """Faces between the parts of the cells of a structured level; gap: distances at its lines."""
    count = group.size - 1
    faces = np.int64(0)  # a plain 0 is a type of its own: _add_face would be compiled once more
    for g in range(count):
        first = faces
        for at in range(group[g], group[g + 1]):
            n = member[at]
            for axis in range(3):
                s = sx if axis == 0 else (sy if axis == 1 else 1)
                line = (n // sx if axis == 0 else (n % sx // sy if axis == 1 else n % sy)) - 1
                for side in range(2):
                    f = n + side * s
                    h = label[f - s if side == 0 else f]
                    if c[axis][f] > 0 and h != g:
                        distance = far = gap[axis][line + side]
                        if h < 0:  # a held cell: it stays where it is
                            h = count
                            far += abs(centre[g, axis] - middle[axis][line])
                        bit = resisting.size > 0 and (resisting[f] >> axis) & 1 == 1
                        area = c[axis][f] * distance
                        faces = _add_face(g, h, axis, area, far, bit, marker, first, faces, columns)
        start[g + 1] = faces
        _set_distances(g, first, faces, centre, columns)
    start[count + 1] = faces
    return faces


@njit(**options)
def rows_of_rows(fine, fine_centre, fine_columns, label, group, member, centre, marker, start, columns):
    """Faces between the parts of an unstructured level."""
    other, axes, area, distance, resists = fine_columns
    count = group.size - 1
    faces = np.int64(0)
    for g in range(count):
        first = faces
        for at in range(group[g], group[g + 1]):
            n = member[at]
            for e in range(fine[n], fine[n + 1]):
                h, axis, far = label[other[e]], np.int64(axes[e]), distance[e]
                if h == g:
                    continue
                if h < 0:
                    h = count
                    far += abs(centre[g, axis] - fine_centre[n, axis])
                faces = _add_face(g, h, axis, area[e], far, resists[e], marker, first, faces, columns)
        start[g + 1] = faces
        _set_distances(g, first, faces, centre, columns)
    start[count + 1] = faces
    return faces


@njit(**options)
def count_outer_faces(cx, cy, cz, label, sx, sy):
    """Count the open faces of a structured level between different parts."""
    count = 0
    for n in range(sx, label.size - sx):
        count += cx[n] > 0 and label[n] != label[n - sx]
        count += cy[n] > 0 and label[n] != label[n - sy]
        count += cz[n] > 0 and label[n] != label[n - 1]
    return count
