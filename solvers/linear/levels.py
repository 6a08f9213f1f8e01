"""The hierarchy and the work arrays as the kernels read them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SLOTS = 10  # slabs of scratch per thread

# columns of Levels.table
OFFSET, SIZE, NX, SX, SY, ROWS, ENTRIES, GROUPS, MEMBERS, MAPS, NY, NZ = range(12)


class Levels(NamedTuple):
    """A multigrid hierarchy as flat arrays; level l owns the slices that its table row names.

    Attributes
    ----------
    table : int64[levels, 12]
        offset and length in the cell arrays; nx (0: unstructured), sx, sy; offsets in `start`, `neighbour`,
        `group`, `member` and `maps`; ny, nz.
    cx, cy, cz : float32        Face conductances of the structured levels.
    inverse : float32           1 / diagonal; 0 in solids, padding and held cells.
    start, neighbour : int32    Compressed rows of the unstructured levels.
    c : float32                 Conductance to each neighbour.
    group, member : int32       For an unstructured level, the cells of the level above that each row holds.
    maps : int32
        For a structured level below another: where its cells begin along x, y, z in the level above, then
        which of its cells holds each cell of the level above along z.
    dense : float32[m, m]       Inverse of the coarsest level.
    x, b, r : float32           Work vectors: correction, right-hand side, residual.
    """

    table: NDArray[np.int64]
    cx: NDArray[np.float32]
    cy: NDArray[np.float32]
    cz: NDArray[np.float32]
    inverse: NDArray[np.float32]
    start: NDArray[np.int32]
    neighbour: NDArray[np.int32]
    c: NDArray[np.float32]
    group: NDArray[np.int32]
    member: NDArray[np.int32]
    maps: NDArray[np.int32]
    dense: NDArray[np.float32]
    x: NDArray[np.float32]
    b: NDArray[np.float32]
    r: NDArray[np.float32]


class Work(NamedTuple):
    """What a solve works in beside the levels.

    Attributes
    ----------
    x : float32[padded]    The solution.
    direction : float32[padded]    Of the conjugate gradients.
    held : int64[cells]    Cells that keep x = 0, ascending.
    region : int16 or int32[padded]    Number of the connected region of a cell; -1 in solids.
    open : bool[regions]    Regions with held cells.
    cells : int64[regions]    Cells of each region.
    mean : float64[regions]    Of b in each closed region, 0 in the others.
    sums : float64[2, slabs]    Sums over the slabs.
    weight : float64[1]    z . rest of the iteration before.
    scratch : float32[threads, SLOTS, sx]    Slabs of each thread.
    history : float64[most + 1]    Sum |b - A x| before each iteration.
    """

    x: NDArray[np.float32]
    direction: NDArray[np.float32]
    held: NDArray[np.int64]
    region: NDArray[np.integer]
    open: NDArray[np.bool_]
    cells: NDArray[np.int64]
    mean: NDArray[np.float64]
    sums: NDArray[np.float64]
    weight: NDArray[np.float64]
    scratch: NDArray[np.float32]
    history: NDArray[np.float64]
