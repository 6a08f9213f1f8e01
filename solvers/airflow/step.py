"""One implicit time step of the air: momentum, heat, pressure, units."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray

from solvers.airflow.case import CP, GRAVITY, RHO, AirCase, AirState, Closure, Numerics, UnitInputs
from solvers.airflow.geometry import Geometry, pad_state, unpad
from solvers.airflow.jets import JetMomentum
from solvers.airflow.kernels import (
    Scratch,
    add,
    add_weighted,
    buoyancy,
    courant_rate,
    heat_defect,
    net_outflow,
    predict_momentum,
    project,
    relax_on,
    relax_scalar,
    volume_flow,
)
from solvers.airflow.openings import Openings
from solvers.airflow.tiles import Straightening
from solvers.airflow.turbulence import make_turbulence
from solvers.airflow.units import Units
from solvers.airflow.walls import Walls
from solvers.errors import CaseError, ConvergenceError
from solvers.linear.multigrid import Pressure, flat_cells, padded, strides

_SPEED_LIMIT = 200.0  # m/s; beyond, the solution has diverged
_WARMTH_LIMIT = 150.0  # K from T_ref; far outside what Boussinesq's density holds for
_LEFTOVER = 1e-2  # divergence over the flow of the units that a step may not leave
_HARD_ITERATIONS = 60  # of the pressure before that is an error
_MISSED = 0.1  # share of the heat changing hands that the sweeps may miss; 0.02 at Courant number 12
_MORE_SWEEPS = 20  # times the usual sweeps before a step is given up
_AN_INSTANT = 1e-9  # s, in which no layer of a wall warms
_ROUNDING = 1e-6  # of the heat handled, in single precision


class Stepper:
    """Padded fields of one case and the step that moves them on.

    Holds the work arrays, so one thread at a time may use it.

    Parameters
    ----------
    case : AirCase
    geometry : Geometry
    closure : Closure
    T_ref : float    Temperature of neutral buoyancy. [K]
    sweeps : int    Jacobi sweeps of the implicit transport, even. [-]
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
        sweeps: int = 8,
        numerics: Numerics | None = None,
    ) -> None:
        self.numerics = numerics or Numerics()
        if self.numerics.advection not in ("limited", "central"):
            raise CaseError(f"numerics.advection: {self.numerics.advection!r}; take 'limited' or 'central'.")
        self.geometry = geometry
        self.closure = closure
        self.T_ref = T_ref
        self.sweeps = sweeps
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
        self.nu_eff, self._lift, self._still, self._b = fields[11:15]
        self.push = [self._still] * 3
        none = np.zeros(0, dtype=np.int64)
        self._ambient = none if geometry.ambient is None else flat_cells(geometry.shape)[geometry.ambient]
        self._row = np.zeros(self.sx, dtype=np.float32)
        self._scratch = [
            Scratch(*(np.zeros(size, dtype=np.float32) for _ in Scratch._fields)) for _ in range(2)
        ]
        self._sums = np.zeros(2)
        self._corrected = 0.0  # K m3
        self._counted_from = 0.0
        self.theta_unit = np.zeros(self.units.count)
        self.time = 0.0
        self.divergence = 0.0
        self.iterations = 0
        self._loss = self._porous_losses()
        self._straightening = Straightening(geometry, *self.pressure.resisting_faces, self._loss)
        self.body_force: tuple[NDArray[np.float32], ...] | None = None
        self.heat_source: NDArray[np.float32] | None = None
        self.turbulence = make_turbulence(case, geometry, closure)
        self.jets = JetMomentum(case, geometry)
        self.need_push(*self.jets.axes)
        self.walls = Walls(case, geometry, closure, T_ref)
        self.openings = Openings(geometry, case.grid)
        if self.walls.moving:
            self.need_push(0, 1, 2)
        self._pool = ThreadPoolExecutor(1) if get_num_threads() > 1 and size > 20_000 else None

    def load(self, state: AirState, inputs: UnitInputs) -> bool:
        """Take over a state and inputs; returns whether a unit's flow differs from that of the state."""
        shape = self.geometry.shape
        for axis, (field, values) in enumerate(zip((self.u, self.v, self.w), state[:3], strict=True)):
            field[:] = pad_state(values, axis, shape)
            field[self.geometry.flow_area[axis] == 0] = 0
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
        return RHO * CP * self._corrected / passed if passed > 0 else 0.0

    def count_heat_anew(self) -> None:
        """Begin to count the corrected heat from now."""
        self._corrected, self._counted_from = 0.0, self.time

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
            openings.count(self._carried(self._still), self.flow, self.units.theta_ambient)
        return openings.gained + walls.given, openings.lost + walls.taken

    def _carried(self, d: NDArray[np.float32]) -> NDArray[np.float64]:
        """Heat over rho cp that leaves through each face of the openings. [K m3/s]."""
        central = self.numerics.advection == "central"
        return self.openings.carry(self.theta, d, self.flow, self.nu_eff, self.closure, central)

    def courant(self) -> float:
        """Largest sum of |velocity| / width over the cells. [1/s]."""
        return float(
            courant_rate(
                self.u, self.v, self.w, *self.geometry.inverse_width, self.nx, self.sx, self.sy, self._row
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
        self.update_forces()
        restore = self._warm_walls(dt)
        # drag of porous faces: linearised about one velocity in the momentum and in the pressure equation
        resistance = self._resistance(dt)
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

    def update_flow(self) -> None:
        """Volume flows through the faces and viscosity of the present velocity."""
        velocity = (self.u, self.v, self.w)
        for field, area, out in zip(velocity, self.geometry.flow_area, self.flow, strict=True):
            volume_flow(field, area, out)
        self.turbulence.viscosity(*velocity, self.nu_eff)

    def update_forces(self) -> None:
        """Friction of walls and tiles, and pushes, of the present velocity. (E11)."""
        velocity = (self.u, self.v, self.w)
        for push in self.push:
            if push is not self._still:
                push[:] = 0
        self.walls.friction(velocity, self.friction, self.push, self.turbulence)
        self._straightening.add(velocity, self.friction)
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
        scratch = self._scratch[0]
        self._relax_scalar(phi, source, sink, molecular, turbulent, scratch, dt)
        add(scratch.d, phi)

    def settle_flow(self, tolerance: float = 1e-6, iterations: int = 40) -> None:
        """Make the velocity divergence-free for the present unit flows, leaving the pressure alone."""
        self.pressure.set_resistance(self._resistance(0.0))
        keep = self.p.copy()
        self._project(1.0, tolerance, iterations)
        self.p[:] = keep

    def _horizontal(self, dt: float) -> None:
        for axis, field in enumerate((self.u, self.v)):
            self._predict(field, axis, self._still, self._scratch[0], dt)

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
        self.step_heat(dt)
        buoyancy(self.theta, GRAVITY / self.T_ref, self._lift)
        self._predict(self.w, 2, self._lift, self._scratch[1], dt)

    def step_heat(self, dt: float) -> None:
        """Advance the temperature alone. (E8)."""
        units, closure = self.units, self.closure
        molecular = closure.nu / closure.Pr - closure.nu / closure.Pr_t
        scratch = self._scratch[1]
        self._relax_scalar(self.theta, units.source, units.sink, molecular, 1 / closure.Pr_t, scratch, dt)
        self._sum_heat(dt)
        self._add_heat(scratch, dt)

    def _relax_scalar(
        self, phi, source, sink, molecular: float, turbulent: float, scratch, dt: float
    ) -> None:
        relax_scalar(
            phi,
            *self.flow,
            self.nu_eff,
            molecular,
            turbulent,
            self.geometry.components[3],
            source,
            sink,
            scratch,
            dt,
            self.sweeps,
            self.nx,
            self.sx,
            self.sy,
        )

    def _predict(self, field, axis: int, lift, scratch: Scratch, dt: float) -> None:
        predict_momentum(
            field,
            self.p,
            *self.flow,
            self.nu_eff,
            self.geometry.components[axis],
            self.friction[axis],
            self.push[axis],
            lift,
            scratch,
            dt,
            self.sweeps,
            axis,
            self.nx,
            self.sx,
            self.sy,
        )

    def _add_heat(self, scratch: Scratch, dt: float) -> None:
        """Add the temperature increment, with the heat that the sweeps missed, region by region. (E8).

        Sweeps on where they missed more than `_MISSED` of the heat that changed hands.

        Raises
        ------
        ConvergenceError : more sweeps do not help; the heat operator is not conservative.
        """
        missed, weight = self._missed_heat(scratch.d, dt)
        for _ in range(_MORE_SWEEPS):
            astray = np.abs(missed) > _MISSED * weight
            if not astray.any() or not (np.abs(missed) > self._heat_noise(dt))[astray].any():
                break
            self.sweep_heat_on(dt)
            missed, weight = self._missed_heat(scratch.d, dt)
        else:
            watts = RHO * CP / dt * float(np.abs(missed).max())
            raise ConvergenceError(
                f"the heat of the air does not close at t = {self.time:g} s (step {dt:g} s): the transport "
                f"misses {watts:.3g} W. Lower the Courant number or the largest step.",
                [watts],
            )
        self._corrected += float(np.abs(missed).sum())
        if self.openings.face.size:
            self.openings.count(self._carried(scratch.d), self.flow, self.units.theta_ambient)
        share = np.clip(np.divide(missed, weight, out=np.zeros_like(missed), where=weight > 0), -0.5, 0.5)
        if share.size == 1:
            add_weighted(scratch.d, float(share[0]), self.theta)
            return
        region, fluid = self.pressure.region, self.pressure.fluid
        inside = scratch.d[fluid]
        self.theta[fluid] += inside + share.astype(np.float32)[region[fluid]] * np.abs(inside)

    def sweep_heat_on(self, dt: float) -> None:
        """Relax the increment of the last heat step further and sum up anew what it misses."""
        relax_on(self._scratch[1], self.sweeps, self.nx, self.sx, self.sy)
        self._sum_heat(dt)

    def _sum_heat(self, dt: float) -> None:
        """Sum up what the increment of the heat step misses."""
        units, volume, d = self.units, self.geometry.volume, self._scratch[1].d
        heat_defect(self.theta, units.source, units.sink, volume, d, dt, self.sx, self._sums)

    def _missed_heat(self, d: NDArray[np.float32], dt: float) -> tuple[NDArray[np.float64], ...]:
        """Heat / (rho cp) that the increment misses and the sum of |d| volume, region by region. [K m3]."""
        if self.pressure.regions == 1:
            return self._sums[:1] - dt * self._carried(d).sum(), self._sums[1:].copy()
        region, fluid = self.pressure.region, self.pressure.fluid
        held = self.geometry.volume[fluid] + dt * self.units.sink[fluid].astype(np.float64)
        gain = dt * (self.units.source[fluid] - self.units.sink[fluid] * self.theta[fluid].astype(np.float64))
        inside, of = d[fluid], region[fluid]
        count = self.pressure.regions
        missed, weight = (
            np.asarray(np.bincount(of, weights=values, minlength=count), dtype=np.float64)
            for values in (gain - held * inside, held * np.abs(inside))
        )
        if self.openings.face.size:
            of = region[self.openings.inside]
            missed -= dt * np.bincount(of, weights=self._carried(d), minlength=count)
        return missed, weight

    def _heat_noise(self, dt: float) -> NDArray[np.float64]:
        """Heat / (rho cp) that single precision cannot tell from none, region by region. [K m3]."""
        units, fluid = self.units, self.pressure.fluid
        theta = np.abs(self.theta[fluid].astype(np.float64))
        handled = (self.geometry.volume[fluid] + dt * units.sink[fluid]) * theta
        handled += dt * np.abs(units.source[fluid])
        region = self.pressure.region[fluid]
        total = np.bincount(region, weights=handled, minlength=self.pressure.regions)
        return np.asarray(_ROUNDING * total, dtype=np.float64)

    def _porous_losses(self) -> NDArray[np.float64]:
        axis, face = self.pressure.resisting_faces
        return np.array(
            [
                self.geometry.components[a].loss[f] / self.geometry.components[a].inverse_gap[f]
                for a, f in zip(axis.tolist(), face.tolist(), strict=True)
            ]
        )

    def _resistance(self, dt: float) -> NDArray[np.float64]:
        """Resistance lengths dt K |u| of the porous faces. [m]."""
        axis, face = self.pressure.resisting_faces
        speed = np.zeros(face.size)
        for d, field in enumerate((self.u, self.v, self.w)):
            of = axis == d
            speed[of] = np.abs(field[face[of]])
        return dt * self._loss * speed

    def _project(self, dt: float, tolerance: float, iterations: int) -> None:
        geometry, units, nx, sx, sy = self.geometry, self.units, self.nx, self.sx, self.sy
        net_outflow(self.u, self.v, self.w, *geometry.area, units.inflow, nx, sx, sy, self._b)
        target = tolerance * units.V_supply
        if units.V_supply == 0:
            target = tolerance * max(float(np.abs(f).sum(dtype=np.float64)) for f in self.flow)
        x = self.pressure.solve(self._b, target, iterations)
        limit = _LEFTOVER * units.V_supply
        if limit > 0 and self.pressure.history[-1] > limit:
            x = self.pressure.solve(self._b, target, _HARD_ITERATIONS)
        history = self.pressure.history
        if not np.isfinite(history).all() or not np.isfinite(self._sums).all():
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
            *geometry.inverse_area,
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
