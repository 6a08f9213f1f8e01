"""One implicit time step of the air: momentum, heat, pressure, units."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray

from solvers.airflow.case import CP, GRAVITY, RHO, AirCase, AirState, Closure, Numerics, UnitInputs
from solvers.airflow.geometry import Geometry, pad_state, unpad
from solvers.airflow.heat import HeatStep
from solvers.airflow.jets import JetMomentum
from solvers.airflow.kernels import add, buoyancy, courant_rate, net_outflow, project, stiffness, volume_flow
from solvers.airflow.openings import Openings
from solvers.airflow.tiles import PorousFaces, Straightening
from solvers.airflow.transport import Ring, make_ring, predict_momentum, relax_scalar
from solvers.airflow.turbulence import make_turbulence
from solvers.airflow.units import Units
from solvers.airflow.walls import Walls
from solvers.errors import CaseError, ConvergenceError
from solvers.linear.multigrid import Pressure, flat_cells, padded, strides

_SPEED_LIMIT = 200.0  # m/s; beyond, the solution has diverged
_WARMTH_LIMIT = 150.0  # K from T_ref; far outside what Boussinesq's density holds for
_LEFTOVER = 1e-2  # divergence over the flow of the units that a step may not leave
_HARD_ITERATIONS = 60  # of the pressure before that is an error
_AN_INSTANT = 1e-9  # s, in which no layer of a wall warms


class Stepper:
    """Padded fields of one case and the step that moves them on.

    Holds the work arrays, so one thread at a time may use it.

    Parameters
    ----------
    case : AirCase
    geometry : Geometry
    closure : Closure
    T_ref : float    Temperature of neutral buoyancy. [K]
    most_sweeps : int    Jacobi sweeps of the implicit transport at most. [-]
    numerics : Numerics    How the equations are discretised.

    Attributes
    ----------
    u, v, w, p, theta : float32[padded]    Velocity [m/s], pressure over rho [m2/s2], T - T_ref [K].
    nu_eff : float32[padded]    Effective viscosity at cell centres. [m2/s]
    flow : tuple of float32[padded]    Volume flow through the faces at the start of a step. [m3/s]
    friction : tuple of float32[padded]    Drag of walls and tiles on u, v, w, implicit. [1/s]
    push : list of float32[padded]
        Explicit acceleration of u, v, w besides buoyancy; components that need none share one array of
        zeros, see `need_push`. [m/s2]
    turbulence, walls, units    What they are called; their hooks stand in `step`.
    sweeps : int    Jacobi sweeps of the present step. [-]
    body_force : tuple of 3 float32[padded] or None
        Further accelerations of u, v, w; call `need_push(0, 1, 2)` first. For manufactured solutions. [m/s2]
    heat_source : float32[padded] or None    Further heat over rho cp of each cell. [K m3/s]
    """

    def __init__(
        self,
        case: AirCase,
        geometry: Geometry,
        closure: Closure,
        T_ref: float,
        most_sweeps: int = 9,
        numerics: Numerics | None = None,
    ) -> None:
        self.numerics = numerics or Numerics()
        if self.numerics.advection not in ("limited", "central"):
            raise CaseError(f"numerics.advection: {self.numerics.advection!r}; take 'limited' or 'central'.")
        self.central = self.numerics.advection == "central"
        self.geometry = geometry
        self.closure = closure
        self.T_ref = T_ref
        self.sweeps = self.most_sweeps = most_sweeps
        self.pressure = Pressure(
            case.grid, geometry.fluid, geometry.open_area, geometry.resists, geometry.ambient
        )
        self.units = Units(case, geometry, self.pressure.region, T_ref)
        size = geometry.volume.size
        self.size = size
        self.nx = geometry.shape[0]
        self.sx, self.sy = strides(geometry.shape)
        fields = [np.zeros(size, dtype=np.float32) for _ in range(15)]
        self.u, self.v, self.w, self.p, self.theta = fields[:5]
        self.flow = (fields[5], fields[6], fields[7])
        self.friction = (fields[8], fields[9], fields[10])
        self.nu_eff, self._still, lift, self._b = fields[11:15]
        self.push = [self._still, self._still, lift]
        none = np.zeros(0, dtype=np.int64)
        self._ambient = none if geometry.ambient is None else flat_cells(geometry.shape)[geometry.ambient]
        self._row = np.zeros(self.sx, dtype=np.float32)
        self._rings = [make_ring(most_sweeps, self.sx) for _ in range(2)]
        self.openings = Openings(geometry, case.grid)
        # the right-hand side of the pressure is free while heat and scalars are transported
        self.heat = HeatStep(closure, self.pressure, self.openings, increment=self._b)
        self._counted_from = 0.0
        self.theta_unit = np.zeros(self.units.count)
        self.time = 0.0
        self.divergence = 0.0
        self.iterations = 0
        self._porous = PorousFaces(case, *self.pressure.resisting_faces)
        self.need_push(*np.unique(self._porous.axis).tolist())
        self._straightening = Straightening(geometry, self._porous.axis, self._porous.face, self._porous.K)
        self.body_force: tuple[NDArray[np.float32], ...] | None = None
        self.heat_source: NDArray[np.float32] | None = None
        self.turbulence = make_turbulence(case, geometry, closure)
        self.jets = JetMomentum(case, geometry)
        self.need_push(*self.jets.axes)
        self.walls = Walls(case, geometry, closure, T_ref)
        if self.walls.moving:
            self.need_push(0, 1, 2)
        self._pool = ThreadPoolExecutor(1) if get_num_threads() > 1 and size > 20_000 else None

    def load(self, state: AirState, inputs: UnitInputs) -> bool:
        """Take over a state and inputs; returns whether a unit's flow differs from that of the state."""
        shape = self.geometry.shape
        for axis, (field, values) in enumerate(zip((self.u, self.v, self.w), state[:3], strict=True)):
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
        for d, field in enumerate((self.u, self.v, self.w)):
            of = axis == d
            moved |= not np.allclose(field[face[of]], velocity[of], rtol=1e-3, atol=1e-5)
            field[face[of]] = velocity[of]
        self.units.set_source(self.theta_unit)
        return moved

    def state(self) -> AirState:
        """Value copy of the present fields."""
        shape = self.geometry.shape
        u, v, w = (unpad(f, d, shape).copy() for d, f in enumerate((self.u, self.v, self.w)))
        p = unpad(self.p, None, shape) * np.float32(RHO)
        T = (unpad(self.theta, None, shape).astype(np.float64) + self.T_ref).astype(np.float32)
        theta_unit = self.theta_unit + self.T_ref
        k, epsilon = (
            None if f is None else unpad(f, None, shape).copy()
            for f in (self.turbulence.k, self.turbulence.epsilon)
        )
        T_surface = self.walls.layer_temperature
        return AirState(u, v, w, p, T, theta_unit, self.time, self.heat_corrected, k, epsilon, T_surface)

    def need_push(self, *axes: int) -> None:
        """Give components an array of explicit accelerations of their own; zero at the start of each step."""
        for axis in axes:
            if self.push[axis] is self._still:
                self.push[axis] = np.zeros(self.size, dtype=np.float32)

    @property
    def heat_corrected(self) -> float:
        """Mean size of the heat that E8 moved since the count began. [W]."""
        passed = self.time - self._counted_from
        return RHO * CP * self.heat.corrected / passed if passed > 0 else 0.0

    def count_heat_anew(self) -> None:
        """Begin to count the corrected heat from now."""
        self.heat.corrected, self._counted_from = 0.0, self.time

    def heat_exchanged(self, theta_in: NDArray[np.float64]) -> tuple[float, float]:
        """Heat that units, walls and openings give to the air, and what they take out of it, now. [W].

        Parameters
        ----------
        theta_in : float64[nu]    Of the units' inlets. [K]
        """
        Q_in, Q_out = self.units.heat(self.theta_unit, theta_in)
        openings, walls = self.openings, self.walls
        return Q_in + openings.gained + walls.given, Q_out + openings.lost + walls.taken

    def heat_at_walls_and_openings(self) -> tuple[float, float]:
        """Heat that walls and openings give to the air of the loaded state, and what they take. [W]."""
        openings, walls = self.openings, self.walls
        velocity = (self.u, self.v, self.w)
        self.update_flow()
        if walls.conducts:
            walls.exchange(self.theta, velocity, self.nu_eff, _AN_INSTANT, self.turbulence)
            walls.finish(self.theta)
        if openings.face.size:
            carried = openings.carry(
                self.theta, self._still, self.flow, self.nu_eff, self.closure, self.central
            )
            openings.count(carried, self.flow, self.units.theta_ambient)
        return openings.gained + walls.given, openings.lost + walls.taken

    def courant(self) -> float:
        """Largest sum of |velocity| / width over the cells. [1/s]."""
        return float(
            courant_rate(
                *(self.u, self.v, self.w),
                *self.geometry.sections.inverse_width,
                self.nx,
                self.sx,
                self.sy,
                self._row,
            )
        )

    def step(self, dt: float, tolerance: float = 1e-5, iterations: int = 4) -> None:
        """Move everything on by dt. (E1-E10).

        Raises
        ------
        ConvergenceError : a field is not finite any more.
        """
        leaked: NDArray[np.float64] | float = 0.0
        if self.units.leaks:
            leaked = self.units.leaked_heat(self.theta_unit, self.theta, dt)
            self.units.set_source(self.theta_unit, leaked)
        self.update_flow()
        self.sweeps = self._sweeps_for(dt)
        self.update_forces()
        restore = self._warm_walls(dt)
        resistance = self._porous.resistance((self.u, self.v, self.w), dt)
        if self._pool is None:
            self._horizontal(dt)
            self._heat_and_vertical(dt)
        else:
            other = self._pool.submit(self._horizontal, dt)
            self._heat_and_vertical(dt)
            other.result()
        self.pressure.set_resistance(resistance)
        self._project(dt, tolerance, iterations)
        self.turbulence.advance(self, dt)
        if self.walls.conducts:
            self.walls.finish(self.theta)
        restore()
        theta_in = self.units.inlet_theta(self.theta)
        self.theta_unit = self.units.outlet_theta(self.theta_unit, theta_in, dt, leaked)
        self.units.set_source(self.theta_unit)
        self.time += dt

    def _sweeps_for(self, dt: float) -> int:
        """Sweeps that leave an error of about 1 % of a step's change: a stiff step needs more. [-]."""
        closure = self.closure
        rate = stiffness(
            *(self.u, self.v, self.w, self.nu_eff),
            1 / min(closure.Pr, closure.Pr_t),
            *self.geometry.sections.inverse_width,
            self.nx,
            self.sx,
            self.sy,
            self._row,
        )
        return min(self.most_sweeps, 2 + math.ceil(dt * float(rate)))

    def update_flow(self) -> None:
        """Volume flows through the faces and viscosity of the present velocity."""
        velocity, sections = (self.u, self.v, self.w), self.geometry.sections
        for d, field in enumerate(velocity):
            volume_flow(field, sections.line[d], sections.plane[d], self.nx, self.sx, self.flow[d])
        self.turbulence.viscosity(*velocity, self.nu_eff)

    def update_forces(self) -> None:
        """Friction of walls and tiles, and pushes, of the present velocity. (E11)."""
        velocity = (self.u, self.v, self.w)
        for push in self.push:
            if push is not self._still:
                push[:] = 0
        self.walls.friction(velocity, self.friction, self.push, self.turbulence)
        self._straightening.add(velocity, self.friction)
        self._porous.add_drag(velocity, self.friction, self.push)
        self.jets.add(velocity, self.push)
        if self.body_force is not None:
            for push, force in zip(self.push, self.body_force, strict=True):
                np.add(push, force, out=push)

    def transport_scalar(
        self,
        phi: NDArray[np.float32],
        source: NDArray[np.float32],
        sink: NDArray[np.float32],
        molecular: float,
        turbulent: float,
        dt: float,
    ) -> None:
        """Advance a scalar by one implicit step with the flow of `update_flow`. (E7, E8).

        d(phi)/dt V = fluxes + source - sink phi, in conservation form; walls and patches let nothing through.

        Parameters
        ----------
        phi : float32[padded]    Overwritten; held in the ambient.
        source : float32[padded]    Per cell. [phi m3/s]
        sink : float32[padded]    Per cell, >= 0, implicit. [m3/s]
        molecular, turbulent : float    The diffusivity is molecular [m2/s] + turbulent [-] nu_eff.
        dt : float    [s]
        """
        self.relax_scalar(
            phi, source, sink, molecular, turbulent, dt, self.sweeps, 1.0, False, self._b, which=0
        )
        add(self._b, phi)

    def settle_flow(self, tolerance: float = 1e-6, iterations: int = 40) -> None:
        """Make the velocity divergence-free for the present unit flows, leaving the pressure alone."""
        self.pressure.set_resistance(np.zeros(self._porous.face.size))
        keep = self.p.copy()
        self._project(1.0, tolerance, iterations)
        self.p[:] = keep

    def _horizontal(self, dt: float) -> None:
        for axis, field in enumerate((self.u, self.v)):
            self._predict(field, axis, dt, which=0)

    def _warm_walls(self, dt: float) -> Callable[[], None]:
        """Add the heat that passes walls to the units' sources and sinks; the answer takes it out again."""
        units = self.units
        alone = None
        if self.heat_source is not None:
            alone = units.source.copy()
            units.source += self.heat_source
        if not self.walls.conducts:

            def put_back() -> None:
                if alone is not None:
                    units.source[:] = alone

            return put_back
        velocity = (self.u, self.v, self.w)
        cell, source, sink = self.walls.exchange(self.theta, velocity, self.nu_eff, dt, self.turbulence)
        before = units.source[cell], units.sink[cell]
        np.add.at(units.source, cell, source.astype(np.float32))
        np.add.at(units.sink, cell, sink.astype(np.float32))

        def restore() -> None:
            units.source[cell], units.sink[cell] = before
            if alone is not None:
                units.source[:] = alone

        return restore

    def _heat_and_vertical(self, dt: float) -> None:
        self.heat.step(self, dt, self.sweeps)
        buoyancy(self.theta, GRAVITY / self.T_ref, self.push[2])
        self._predict(self.w, 2, dt, which=1)

    def _predict(self, field: NDArray[np.float32], axis: int, dt: float, which: int) -> None:
        predict_momentum(
            field,
            self.p,
            self.flow,
            self.nu_eff,
            self.geometry.components[axis],
            self.friction[axis],
            self.push[axis],
            self.central,
            self._ring(which, self.sweeps),
            dt,
            self.sweeps,
            1.0,
            axis,
            self.nx,
            self.sx,
            self.sy,
        )

    def relax_scalar(
        self,
        phi: NDArray[np.float32],
        source: NDArray[np.float32],
        sink: NDArray[np.float32],
        molecular: float,
        turbulent: float,
        dt: float,
        sweeps: int,
        implicit: float,
        onward: bool,
        out: NDArray[np.float32],
        which: int = 1,
    ) -> None:
        """Solve for the increment of a scalar, see `solvers.airflow.transport`, in one of two rings."""
        relax_scalar(
            phi,
            self.flow,
            self.nu_eff,
            molecular,
            turbulent,
            self.geometry.components[3],
            source,
            sink,
            self.central,
            self._ring(which, sweeps),
            dt,
            sweeps,
            implicit,
            onward,
            self.nx,
            self.sx,
            self.sy,
            out,
        )

    def _ring(self, which: int, sweeps: int) -> Ring:
        """Work arrays of one of the two threads, for at least so many sweeps."""
        if self._rings[which].rows.shape[0] < sweeps + 3:
            self._rings[which] = make_ring(sweeps, self.sx)
        return self._rings[which]

    def _project(self, dt: float, tolerance: float, iterations: int) -> None:
        geometry, units, nx, sx, sy = self.geometry, self.units, self.nx, self.sx, self.sy
        sections, code = geometry.sections, geometry.components[3].code
        net_outflow(
            *(self.u, self.v, self.w),
            code,
            sections.line,
            sections.plane,
            units.inflow,
            nx,
            sx,
            sy,
            self._b,
        )
        target = tolerance * units.V_supply
        if units.V_supply == 0:
            target = tolerance * max(float(np.abs(f).sum(dtype=np.float64)) for f in self.flow)
        x = self.pressure.solve(self._b, target, iterations)
        limit = _LEFTOVER * units.V_supply
        if limit > 0 and self.pressure.history[-1] > limit:
            x = self.pressure.solve(self._b, target, _HARD_ITERATIONS)
        history = self.pressure.history
        if not np.isfinite(history).all() or not np.isfinite(self.heat.missed).all():
            raise ConvergenceError(
                f"the air flow diverged at t = {self.time:g} s (step {dt:g} s): a field is not finite. "
                "Lower the Courant number or the largest step, and check flows and heat of the units.",
                history.tolist(),
            )
        if history[-1] > limit > 0:
            raise ConvergenceError(
                f"the pressure did not converge at t = {self.time:g} s (step {dt:g} s): a divergence of "
                f"{history[-1] / units.V_supply:.2g} of the units' flow is left. Lower the Courant number, "
                "or take out slits of the grid that nearly cut off a part of the room.",
                history.tolist(),
            )
        levels, size = self.pressure.levels, self.size
        project(
            self.u,
            self.v,
            self.w,
            self.p,
            levels.cx[:size],
            levels.cy[:size],
            levels.cz[:size],
            sections.inverse_line,
            sections.inverse_plane,
            x,
            dt,
            nx,
            sx,
            sy,
        )
        self.iterations = self.pressure.iterations
        scale = units.V_supply if units.V_supply > 0 else 1.0
        self.divergence = float(history[-1]) / scale

    def check(self) -> None:
        """Raise ConvergenceError if velocity or temperature have run away."""
        rate = max(float(np.abs(f).max()) for f in (self.u, self.v, self.w))
        if not rate < _SPEED_LIMIT:
            raise ConvergenceError(
                f"the air flow diverged at t = {self.time:g} s: {rate:g} m/s. Lower the Courant number or "
                "the largest step, and check flows and heat of the units.",
                [rate],
            )
        apart = float(np.abs(self.theta).max())
        if not apart < _WARMTH_LIMIT:
            cell = np.unravel_index(int(np.abs(self.theta).argmax()), padded(self.geometry.shape))
            where = [int(i) - 1 for i in cell]
            raise ConvergenceError(
                f"the air of cell {where} is {apart:.0f} K from T_ref at t = {self.time:g} s; the buoyancy "
                f"of this solver holds within {_WARMTH_LIMIT:g} K at the very most. Check the heat of the "
                "units against their flow.",
                [apart],
            )
