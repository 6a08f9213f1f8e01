"""Jets of perforated tiles and grilles: the momentum that a fully open face loses.

A tile of open area sigma blows jets of V / sigma. Their momentum flux is rho V^2 A / sigma; the grid sees
rho V^2 A. The air behind the tile is given the difference, spread evenly over a layer of height h::

            ^  ^  ^  ^
         ---^--^--^--^---   h      acceleration  V^2 (1 / sigma - 1) / h  along the flow      (E16)
         ==  ==  ==  ==  ==        tile, V through its faces, each pushing the column behind it

h is the shorter side of the tile, or less where a closed or porous face ends the column: a length of the
jets, not of the cells. Jets grow by the air that enters between them from the sides of the layer. Where the
layer is thin, none can enter, and the push ends as suction on the tile: 22 % of it with h = 1/4 of a square
tile, 8 % with 1/2, 2 % with 3/4, none with 1 (0.1 m cells over a plenum, without E11). Without suction the
pressure drop of the tile stays that of its K, which was measured with jets. Fed by a plain duct, the momentum
flux one tile side above the tile is 0.94 rho V^2 A / sigma with cells of 0.1, 0.15 and 0.2 m alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solvers.airflow.case import AirCase
from solvers.errors import CaseError, GridMismatchError
from solvers.linear.kernels import options
from solvers.linear.multigrid import flat_cells, strides

if TYPE_CHECKING:
    from solvers.airflow.geometry import Geometry

_ACROSS = ((1, 2), (0, 2), (0, 1))


class _Columns(NamedTuple):
    """Velocity points pushed by porous faces, one entry a point and face.

    Attributes
    ----------
    target, face : int64[n]    Flat padded indices of the point and of the porous face.
    coefficient : float32[n]    Acceleration of the point over V^2. [1/m]
    side : float32[n]    +1: the point lies on the + side of the face.
    """

    target: NDArray[np.int64]
    face: NDArray[np.int64]
    coefficient: NDArray[np.float32]
    side: NDArray[np.float32]


@njit(**options)
def jet_push(target, face, coefficient, side, velocity, out):
    """Add the push of the flow through porous faces to the points behind them. (E16). [m/s2]."""
    zero = np.float32(0)
    for m in range(target.size):
        through = max(side[m] * velocity[face[m]], zero)
        out[target[m]] += side[m] * coefficient[m] * through * through


class JetMomentum:
    """Momentum of the jets of a case.

    The push follows the velocity of the step before; the drag of the tile, of the same power and far larger,
    is implicit, so the two do not oscillate together.

    Parameters
    ----------
    case : AirCase
    geometry : Geometry

    Attributes
    ----------
    axes : tuple of int    Components that `add` pushes.

    Raises
    ------
    GridMismatchError : a list of `case.jets` has not the length of the others.
    CaseError : a rectangle leaves the grid or an open area is not in (0, 1]; all faults at once.

    Source   : body force above tiles: Abdelmaksoud, Khalifa, Dang et al. 2010, ITherm; Arghode and Joshi
        2016, J. Electron. Packag. 138 (3). The height is our own, for the reason above.
    Check    : tests/unit/solvers/test_jets.py
    """

    def __init__(self, case: AirCase, geometry: Geometry) -> None:
        _check(case)
        jets = case.jets
        self._columns: dict[int, _Columns] = {}
        if jets is None:
            self.axes: tuple[int, ...] = ()
            return
        open_area = geometry.open_area
        parts: list[list[_Columns]] = [[], [], []]
        for number in range(jets.axis.size):
            for side in (1, -1):
                axis = int(jets.axis[number])
                parts[axis].append(_columns(case, geometry, open_area[axis] > 0, number, side))
        for axis, of in enumerate(parts):
            joined = _Columns(*(np.concatenate(column) for column in zip(*of, strict=True))) if of else None
            if joined is not None and joined.target.size:
                self._columns[axis] = joined
        self.axes = tuple(self._columns)

    def add(self, velocity, push) -> None:
        """Add the accelerations [m/s2] for the present velocity.

        Parameters
        ----------
        velocity, push : sequence of float32[padded]    u, v, w; of `push` only the components in `axes`.
        """
        for axis, columns in self._columns.items():
            jet_push(*columns, velocity[axis], push[axis])


def _columns(
    case: AirCase, geometry: Geometry, open_faces: NDArray[np.bool_], number: int, side: int
) -> _Columns:
    """Points on one side of a rectangle; a column shares out its push by the height a point stands for."""
    jets = case.jets
    assert jets is not None
    axis, index = int(jets.axis[number]), int(jets.index[number])
    widths, cells = case.grid.widths[axis], flat_cells(geometry.shape)
    step = (*strides(geometry.shape), 1)[axis]
    box: list[slice | int] = [0, 0, 0]
    extent = []
    for column, d in enumerate(_ACROSS[axis]):
        lo, hi = int(jets.lo[number, column]), int(jets.hi[number, column])
        box[d] = slice(lo, hi)
        extent.append(case.grid[d][hi] - case.grid[d][lo])
    height = float(min(extent))

    def row(values, at: int) -> NDArray:
        box[axis] = at
        return values[tuple(box)].ravel()

    alive = row(open_faces, index)
    low = row(cells, index) if index < geometry.shape[axis] else row(cells, index - 1) + step
    depth = np.zeros(low.size)
    layers: list[tuple[NDArray[np.bool_], int, float, float]] = []
    at, above = index, 0.0  # face line, its distance from the tile
    while above < height:
        near, far = (at, at + 1) if side > 0 else (at - 1, at - 2)  # the cells before and after the next line
        if not (0 <= near < widths.size and 0 <= far < widths.size):
            break
        at += side
        alive = alive & row(open_faces, at) & ~row(geometry.resists[axis], at)
        if not alive.any():
            break
        # the first point also stands for the half cell at the tile: pushing the tile's face is suction
        start = 0.0 if not layers else above + widths[near] / 2
        above += widths[near]
        share = min(above + widths[far] / 2, height) - start
        if share <= 0:
            break
        layers.append((alive, at - index, share, 0.5 * (widths[near] + widths[far])))
        depth += np.where(alive, share, 0.0)
    gain = 1 / float(jets.open_area[number]) - 1
    targets, faces, coefficients = [low[:0]], [low[:0]], [depth[:0]]
    for kept, offset, share, gap in layers:
        targets.append(low[kept] + offset * step)
        faces.append(low[kept])
        coefficients.append(gain * share / (depth[kept] * gap))
    target = np.concatenate(targets)
    return _Columns(
        target,
        np.concatenate(faces),
        np.concatenate(coefficients).astype(np.float32),
        np.full(target.size, side, dtype=np.float32),
    )


def _check(case: AirCase) -> None:
    jets = case.jets
    if jets is None:
        return
    count, faults = jets.axis.size, []
    for name, values in jets._asdict().items():
        wanted = (count, 2) if name in ("lo", "hi") else (count,)
        if np.shape(values) != wanted:
            raise GridMismatchError(f"case.jets.{name}: shape {np.shape(values)}; {wanted} is needed.")
    shape = case.grid.shape
    for n in range(count):
        axis, open_area = int(jets.axis[n]), float(jets.open_area[n])
        if axis not in (0, 1, 2):
            faults.append(f"jet {n}: the axis is {axis}; it must be 0, 1 or 2.")
            continue
        across = [shape[d] for d in _ACROSS[axis]]
        lo, hi = jets.lo[n], jets.hi[n]
        if not 0 <= jets.index[n] <= shape[axis] or (lo < 0).any() or (hi > across).any() or (hi <= lo).any():
            faults.append(f"jet {n}: it is empty or leaves the grid of {shape} cells.")
        if not 0 < open_area <= 1:
            faults.append(f"jet {n}: an open area of {open_area:g} is not above 0 and at most 1.")
    if faults:
        raise CaseError("case.jets: " + " ".join(faults))
