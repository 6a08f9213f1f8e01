"""Pressure equation of a room: multigrid-preconditioned conjugate gradients.

Coarse cells never merge across a plate, a solid, a resistance or the end of held cells; see `coarsen`.
A face has the conductance c = area / (distance + resistance).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray

from solvers.errors import ConvergenceError
from solvers.grid import Grid, make_grid
from solvers.linear.coarsen import AIR, HELD, drop_lines
from solvers.linear.hierarchy import build, invert_coarsest
from solvers.linear.kernels import conjugate_gradients
from solvers.linear.layout import flat_cells, padded, strides
from solvers.linear.levels import SLOTS, Work
from solvers.linear.resistance import find_resistors, resist
from solvers.linear.terms import exact_residual
from solvers.linear.threads import SYNC

__all__ = ["Pressure", "drop_lines", "flat_cells", "padded", "strides", "warm_up"]

_STALE = 2.0  # times or part of what distance + resistance was that makes the coarse levels follow
_MOST_ITERATIONS = 200
_MOST_THREADS = 8
_REFINE = 1e-5  # by which one round of refinement reduces the residual, float32 can do no more
_REFINE_ITERATIONS = 40
_ROUNDS = 20
_ALONE = 15_000  # cells below which a second thread does not pay


class Pressure:
    """Pressure equation  sum over faces of c (x - x_neighbour) = b  on the fluid cells of a grid.

    Parameters
    ----------
    grid : Grid
    fluid : bool[nx, ny, nz]    Cells with air.
    area : float[nx+1, ny, nz], [nx, ny+1, nz], [nx, ny, nz+1]    Open area of each face; 0 is closed. [m2]
    resists : bool, the same shapes    Faces that carry a resistance now or later.
    held : bool[nx, ny, nz], optional    Fluid cells where x = 0 is given: the ambient beyond an opening.

    Attributes
    ----------
    shape : tuple    nx, ny, nz.
    levels : Levels    What the kernels read; cx, cy, cz begin with the conductances of the grid itself. [m]
    region : int16 or int32[padded]    Number of the connected fluid region of a cell; -1 in solids.
    regions : int    Number of connected fluid regions.
    region_is_open : bool[regions]    Regions with held cells: b need not sum to 0 there.
    region_cells : int64[regions]    Cells of each region.
    fluid : bool[padded]
    resisting_faces : tuple of int64[faces]    Axis and flat padded index of the faces that may resist.
    iterations : int    Of the last solve.
    """

    def __init__(
        self, grid: Grid, fluid: NDArray[np.bool_], area, resists, held: NDArray[np.bool_] | None = None
    ) -> None:
        built = build(grid, fluid, area, resists, held)
        kind = built.boxes[0].kind
        self.levels = built.levels
        self.region, self.regions = built.region, built.regions
        self.fluid = kind > 0
        self.resisting_faces = built.resisting.axis, built.resisting.flat
        self.iterations = 0
        self.shape = fluid.shape
        self._area = built.resisting.area
        self._resistors = find_resistors(built)
        self._resistance = np.zeros(self._area.size)
        self._resistance_used = self._resistance
        self._distance = np.empty(self._area.size)
        for face, gap in zip(self._resistors[0].face, self._resistors[0].distance, strict=True):
            self._distance[face] = gap
        self._held = np.flatnonzero(kind == HELD)
        self._threads = get_num_threads() if fluid.size >= _ALONE else 1
        self._pool: ThreadPoolExecutor | None = None
        self._helpers: list[Future] = []
        self.region_is_open = np.zeros(self.regions, dtype=bool)
        self.region_is_open[self.region[self._held]] = True
        self.region_cells = np.bincount(self.region[kind == AIR], minlength=self.regions)
        slabs, sx = fluid.shape[0] + 2, strides(fluid.shape)[0]
        self._work = Work(
            x=np.zeros(kind.size, dtype=np.float32),
            direction=np.zeros(kind.size, dtype=np.float32),
            held=self._held,
            region=self.region,
            open=self.region_is_open,
            cells=np.maximum(self.region_cells, 1),
            mean=np.zeros(self.regions),
            sums=np.zeros((2, slabs)),
            weight=np.zeros(1),
            scratch=np.zeros((min(self._threads, _MOST_THREADS), SLOTS, sx), dtype=np.float32),
            history=np.zeros(_MOST_ITERATIONS + 1),
        )
        invert_coarsest(self.levels)

    def set_resistance(self, resistance: NDArray[np.float64]) -> None:
        """Set the resistance lengths of the resisting faces.

        Coarse levels follow only when some face has changed a lot: they precondition, no more.

        Parameters
        ----------
        resistance : float64[resisting faces]    dt K |u| of each face. [m]
        """
        if self._area.size == 0:
            return
        self._resistance = np.asarray(resistance, dtype=np.float64)
        drift = (self._distance + self._resistance) / (self._distance + self._resistance_used)
        if max(drift.max(), 1 / drift.min()) > _STALE:
            self.refresh()
        else:
            resist(self.levels, 0, self._resistors[0], self._area, self._resistance)

    def refresh(self) -> None:
        """Let every level follow the resistances."""
        self._resistance_used = self._resistance.copy()
        for number, resistors in enumerate(self._resistors):
            resist(self.levels, number, resistors, self._area, self._resistance)
        invert_coarsest(self.levels)

    def solve(self, b: NDArray[np.float32], tolerance: float, iterations: int) -> NDArray[np.float32]:
        """Solve for x; the mean of b over each region without held cells is removed first.

        Parameters
        ----------
        b : float32[padded]    Right-hand side; 0 in padding and solids.
        tolerance : float    Stop when sum |b - A x| is below, or below 1e-7 sum |b|; the unit of b.
        iterations : int    At most so many, and 200.

        Returns
        -------
        float32[padded]    The solver's own array: use it before the next call.
        """
        threads = min(self._work.scratch.shape[0], get_num_threads())
        sync = np.zeros(SYNC, dtype=np.int64)
        most = min(int(iterations), _MOST_ITERATIONS)

        def take_part(leads: bool) -> int:
            return conjugate_gradients(
                self.levels, self._work, b, float(tolerance), most, threads, sync, leads
            )

        self._call_helpers(threads - 1, take_part)
        self.iterations = take_part(True)
        return self._work.x

    def solve_exact(self, b: NDArray[np.float64], tolerance: float = 1e-12) -> NDArray[np.float64]:
        """Solve in double precision: refine by float32 solutions for the float64 residual.

        Flows corrected by `flows` of the answer are free of divergence to `tolerance`.

        Parameters
        ----------
        b : float64[padded]    Right-hand side; its mean over each region without held cells is removed first.
        tolerance : float    Of sum |b - A x|, relative to sum |b|. [-]

        Returns
        -------
        float64[padded]

        Raises
        ------
        ConvergenceError : the residual does not fall any more; the message names the worst cell.

        Source : Wilkinson 1963; Higham 2002, ch. 12.    Check : tests/verification/test_pressure.py
        """
        size = self.fluid.size
        operator = self.levels.cx[:size], self.levels.cy[:size], self.levels.cz[:size]
        sx, sy = strides(self.shape)
        b = np.where(self.fluid, b, 0.0)
        inside = self.region[self.fluid]
        mean = np.bincount(inside, b[self.fluid], self.regions) / self._work.cells
        mean[self.region_is_open] = 0
        b[self.fluid] -= mean[inside]
        b[self._held] = 0
        x, rest = np.zeros(size), b.copy()
        history = [float(np.abs(rest).sum())]
        while not history[-1] <= tolerance * history[0]:
            if len(history) > _ROUNDS or not np.isfinite(history[-1]):
                raise ConvergenceError(
                    f"the pressure does not reach {tolerance:g} in double precision: {history[-1]:.3g} of "
                    f"{history[0]:.3g} is left after {_ROUNDS} rounds, most of it in cell {self.worst_cell}. "
                    "Take out slits of the grid that nearly cut off a part of the room.",
                    history,
                )
            scale = history[-1] / size
            part = self.solve((rest / scale).astype(np.float32), _REFINE * size, _REFINE_ITERATIONS)
            x += scale * part.astype(np.float64)
            exact_residual(*operator, b, x, sx, sy, rest)
            rest[self._held] = 0
            history.append(float(np.abs(rest).sum()))
        return x

    def flows(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Flow c (x_below - x) through the low face of each cell along x, y, z, in double precision.

        Parameters
        ----------
        x : float64[padded]

        Returns
        -------
        three float64[padded]    Their sum out of a cell is A x.
        """
        out = []
        for c, step in zip(self.levels[1:4], (*strides(self.shape), 1), strict=True):
            flow = np.zeros(x.size)
            np.subtract(x[:-step], x[step:], out=flow[step:])
            flow *= c[: x.size]
            out.append(flow)
        return tuple(out)

    def _call_helpers(self, count: int, take_part: Callable[[bool], int]) -> None:
        """Send other threads to help; one that is not there in time is not waited for."""
        if count == 0 or not all(helper.done() for helper in self._helpers):
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(count, thread_name_prefix="pressure")
        self._helpers = [self._pool.submit(take_part, False) for _ in range(count)]

    @property
    def history(self) -> NDArray[np.float64]:
        """Sum |b - A x| at the start and after each iteration of the last solve."""
        return self._work.history[: self.iterations + 1]

    @property
    def worst_cell(self) -> tuple[int, int, int]:
        """Cell (i, j, k) with the largest |b - A x| after the last solve."""
        rest = self.levels.b[: self.fluid.size]
        i, j, k = np.unravel_index(int(np.abs(rest).argmax()), padded(self.shape))
        return int(i) - 1, int(j) - 1, int(k) - 1


def warm_up() -> None:
    """Compile (or load from the cache) every kernel of the pressure solver on a room of 10,000 cells."""
    shape = 30, 20, 16
    grid = make_grid(*(np.linspace(0, 1, n + 1) for n in shape))
    fluid = np.ones(shape, dtype=bool)
    area = [np.ones([n + (d == axis) for d, n in enumerate(shape)]) for axis in range(3)]
    # so many plates that blocks split, and split blocks merge once more
    area[0][3::4, 3:, :] = area[1][3:, 3::4, :] = area[2][:, 5:, 1::4] = 0
    resists = [np.zeros(a.shape, dtype=bool) for a in area]
    resists[2][:, :4, 9] = True
    held = np.zeros(shape, dtype=bool)
    held[-1, :3, :3] = True
    pressure = Pressure(grid, fluid, area, resists, held)
    pressure.set_resistance(np.ones(pressure.resisting_faces[0].size))
    b = np.zeros(pressure.fluid.size)
    b[flat_cells(shape)[3, 3, 3]] = 1
    pressure.solve_exact(b, 1e-3)
