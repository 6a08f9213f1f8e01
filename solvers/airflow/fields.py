"""Padded fields of one room: in from a state, out to a state, and what heat goes through them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import CP, RHO, AirCase, AirState, Closure, UnitInputs
from solvers.airflow.geometry import Geometry, pad_state, unpad
from solvers.airflow.heat import HeatStep
from solvers.airflow.kernels import courant_rate
from solvers.airflow.openings import Openings
from solvers.airflow.turbulence import make_turbulence
from solvers.airflow.units import Units
from solvers.airflow.walls import Walls
from solvers.errors import ConvergenceError
from solvers.linear.multigrid import Pressure, flat_cells, padded, strides

_SPEED_LIMIT = 200.0  # m/s; beyond, the solution has diverged
_WARMTH_LIMIT = 150.0  # K from T_ref; far outside what Boussinesq's density holds for


class AirFields:
    """Padded fields of one case and the objects that act on them.

    Parameters
    ----------
    case : AirCase
    geometry : Geometry
    closure : Closure
    T_ref : float    Temperature of neutral buoyancy. [K]

    Attributes
    ----------
    u, v, w, p, theta : float32[padded]    Velocity [m/s], pressure over rho [m2/s2], T - T_ref [K].
    theta_unit : float64[nu]    Outlet temperature of the units less T_ref. [K]
    time : float    [s]
    units, turbulence, walls, openings, pressure, heat    What they are called.
    """

    def __init__(self, case: AirCase, geometry: Geometry, closure: Closure, T_ref: float) -> None:
        self.geometry = geometry
        self._grid = case.grid
        self.closure = closure
        self.T_ref = T_ref
        self.size = geometry.volume.size
        self.nx = geometry.shape[0]
        self.sx, self.sy = strides(geometry.shape)
        fields = [np.zeros(self.size, dtype=np.float32) for _ in range(6)]
        self.u, self.v, self.w, self.p, self.theta, self._b = fields
        self._row = np.zeros(self.sx, dtype=np.float32)
        none = np.zeros(0, dtype=np.int64)
        self._ambient = none if geometry.ambient is None else flat_cells(geometry.shape)[geometry.ambient]
        self.pressure = Pressure(
            case.grid, geometry.fluid, geometry.open_area, geometry.resists, geometry.ambient
        )
        self.units = Units(case, geometry, self.pressure.region.astype(np.int64), T_ref)
        self.turbulence = make_turbulence(case, geometry, closure)
        self.walls = Walls(case, geometry, closure, T_ref)
        self.openings = Openings(geometry, case.grid)
        # the right-hand side of the pressure is free while heat is transported
        self.heat = HeatStep(closure, self.pressure, self.openings, increment=self._b)
        self.theta_unit = np.zeros(self.units.count)
        self.time = 0.0
        self._counted_from = 0.0

    @property
    def velocity(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """u, v, w: three float32[padded]. [m/s]."""
        return self.u, self.v, self.w

    def load(self, state: AirState, inputs: UnitInputs) -> bool:
        """Take over a state and inputs; returns whether a unit's flow differs from that of the state."""
        shape = self.geometry.shape
        for axis, (field, values) in enumerate(zip(self.velocity, state[:3], strict=True)):
            field[:] = pad_state(values * self.geometry.open_faces[axis], axis, shape)
            patches = self.geometry.patches.face[self.geometry.patches.axis == axis]
            field[patches] = pad_state(values, axis, shape)[patches]
        self.p[:] = pad_state(values=state.p, axis=None, shape=shape)
        self.theta[:] = pad_state(
            np.where(self.geometry.fluid, state.T.astype(np.float64) - self.T_ref, 0), None, shape
        )
        self.p /= np.float32(RHO)
        self.p[self._ambient] = 0
        self.turbulence.load(state)
        self.walls.load_layers(state.T_surface)
        self.walls.balanced = False
        self.theta_unit = np.array(state.T_unit, dtype=np.float64) - self.T_ref
        self.time = float(state.time)
        self.count_heat_anew()
        return self.set_inputs(inputs)

    def set_inputs(self, inputs: UnitInputs) -> bool:
        """Take new inputs and set the velocities of the patches."""
        self.units.set_inputs(inputs)
        self.theta[self._ambient] = inputs.T_ambient - self.T_ref
        axis, face, velocity = self.units.face_velocities()
        moved = False
        for d, field in enumerate(self.velocity):
            of = axis == d
            moved |= not np.allclose(field[face[of]], velocity[of], rtol=1e-3, atol=1e-5)
            field[face[of]] = velocity[of]
        self.units.set_source(self.theta_unit)
        return moved

    def state(self) -> AirState:
        """Value copy of the present fields."""
        shape = self.geometry.shape
        u, v, w = (unpad(f, d, shape).copy() for d, f in enumerate(self.velocity))
        p = unpad(self.p, None, shape) * np.float32(RHO)
        T = (unpad(self.theta, None, shape).astype(np.float64) + self.T_ref).astype(np.float32)
        theta_unit = self.theta_unit + self.T_ref
        k, epsilon = (
            None if f is None else unpad(f, None, shape).copy()
            for f in (self.turbulence.k, self.turbulence.epsilon)
        )
        T_surface = self.walls.layer_temperature
        return AirState(u, v, w, p, T, theta_unit, self.time, self.heat_corrected, k, epsilon, T_surface)

    @property
    def heat_corrected(self) -> float:
        """Mean size of the heat that E8 moved since the count began. [W]."""
        passed = self.time - self._counted_from
        return RHO * CP * self.heat.corrected / passed if passed > 0 else 0.0

    def count_heat_anew(self) -> None:
        """Begin to count the corrected heat from now."""
        self.heat.count_anew()
        self._counted_from = self.time

    def heat_exchanged(self, theta_in: NDArray[np.float64]) -> tuple[float, float]:
        """Heat that units, walls and openings give to the air, and what they take out of it, now. [W].

        Parameters
        ----------
        theta_in : float64[nu]    Of the units' inlets. [K]
        """
        Q_in, Q_out = self.units.heat(self.theta_unit, theta_in)
        openings, walls = self.openings, self.walls
        return Q_in + openings.gained + walls.given, Q_out + openings.lost + walls.taken

    def courant(self) -> float:
        """Largest sum of |velocity| / width over the cells. [1/s]."""
        return float(
            courant_rate(
                *self.velocity,
                *self.geometry.sections.inverse_width,
                self.nx,
                self.sx,
                self.sy,
                self._row,
            )
        )

    def take_off_divergence(self, velocity, outflow: NDArray[np.float64], iterations: int) -> None:
        """One round of refinement: solve in single precision, correct in double precision. (E9).

        Parameters
        ----------
        velocity : sequence of three float64[nx+1, ny, nz], ...    Corrected in place. [m/s]
        outflow : float64[nx, ny, nz]    Net outflow of each cell, not 0 everywhere. [m3/s]
        iterations : int    Of the pressure.
        """
        shape, levels = self.geometry.shape, self.pressure.levels
        scale = float(np.abs(outflow).max())
        b = np.zeros(self.size, dtype=np.float32)
        unpad(b, None, shape)[...] = -outflow / scale
        x = scale * self.pressure.solve(b, 0.0, iterations).astype(np.float64)
        steps = (self.sx, self.sy, 1)
        for axis, (field, c) in enumerate(zip(velocity, (levels.cx, levels.cy, levels.cz), strict=True)):
            flow = unpad(c[: self.size] * (x - np.roll(x, steps[axis])), axis, shape)
            area = self.geometry.open_area[axis]
            np.subtract(field, np.divide(flow, area, out=np.zeros_like(area), where=area > 0), out=field)

    def check(self) -> None:
        """Raise ConvergenceError if velocity or temperature have run away."""
        fastest = max(self.velocity, key=lambda field: float(np.abs(field).max()))
        speed = float(np.abs(fastest).max())
        if not speed < _SPEED_LIMIT:
            raise self.failure(
                f"the air flow diverged: {speed:g} m/s. Lower the Courant number or the largest step, and "
                "check flows and heat of the units.",
                [speed],
                self._cell(int(np.abs(fastest).argmax())),
            )
        apart = float(np.abs(self.theta).max())
        if not apart < _WARMTH_LIMIT:
            raise self.failure(
                f"the air is {apart:.0f} K from T_ref; the buoyancy of this solver holds within "
                f"{_WARMTH_LIMIT:g} K at the very most. Check the heat of the units against their flow.",
                [apart],
                self._cell(int(np.abs(self.theta).argmax())),
            )

    def failure(
        self, what: str, history: Sequence[float], cell: tuple[int, int, int] | None = None
    ) -> ConvergenceError:
        """Error that says when and where a step failed; without `cell` the first one that holds no number."""
        if cell is None:
            broken = [np.flatnonzero(~np.isfinite(f)) for f in (*self.velocity, self.p, self.theta)]
            cell = next((self._cell(int(which[0])) for which in broken if which.size), None)
        place = None
        if cell is not None:
            x, y, z = (float(c[i]) for c, i in zip(self._grid.centres, cell, strict=True))
            place = (x, y, z)
            what += f" Worst at x = {x:.2f}, y = {y:.2f}, z = {z:.2f} m."
        return ConvergenceError(f"t = {self.time:g} s: {what}", history, place)

    def _cell(self, flat: int) -> tuple[int, int, int]:
        """Cell at or beside a place of the padded arrays."""
        shape = self.geometry.shape
        at = np.array(np.unravel_index(flat, padded(shape))) - 1
        i, j, k = np.clip(at, 0, np.array(shape) - 1).tolist()
        return i, j, k
