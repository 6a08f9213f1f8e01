"""One time step of the air: heat, momentum, pressure, turbulence, units; implicit or explicit."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray

from solvers.airflow.case import GRAVITY, AirCase, AirState, Closure, Numerics, UnitInputs
from solvers.airflow.fields import AirFields
from solvers.airflow.geometry import Geometry
from solvers.airflow.jets import JetMomentum
from solvers.airflow.kernels import (
    average,
    buoyancy,
    net_outflow,
    project,
    soften_drag,
    stiffness,
    volume_flow,
)
from solvers.airflow.tiles import PorousFaces, Straightening
from solvers.airflow.transport import Ring, make_ring, predict_momentum, relax_scalar
from solvers.errors import CaseError

_DIVERGED = (
    "the air flow diverged (step {:g} s): a field is not finite. Lower the Courant number or the largest "
    "step, and check flows and heat of the units."
)
_LEFTOVER = 1e-2  # divergence over the flow of the units that a step may not leave
_HARD_ITERATIONS = 60  # of the pressure before that is an error
_AN_INSTANT = 1e-9  # s, in which no layer of a wall warms


class Stepper(AirFields):
    """Fields of one case and the step that moves them on.

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
    nu_eff : float32[padded]    Effective viscosity at cell centres. [m2/s]
    flow : tuple of float32[padded]    Volume flow through the faces at the start of a step. [m3/s]
    friction : tuple of float32[padded]    Drag of walls, tiles and porous faces on u, v, w, implicit. [1/s]
    push : list of float32[padded]
        Explicit acceleration of u, v, w; components that need none share one array of zeros, see
        `need_push`. [m/s2]
    sweeps : int    Jacobi sweeps of the present step. [-]
    body_force : tuple of 3 float32[padded] or None
        Further accelerations of u, v, w; call `need_push(0, 1, 2)` first. For manufactured solutions. [m/s2]
    heat_source : float32[padded] or None    Further heat over rho cp of each cell. [K m3/s]
    divergence : float    Left by the last projection, over the flow of the units. [-]
    iterations : int    Of the pressure in the last step. [-]
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
        super().__init__(case, geometry, closure, T_ref)
        self.numerics = numerics or Numerics()
        if self.numerics.advection not in ("limited", "central"):
            raise CaseError(f"numerics.advection: {self.numerics.advection!r}; take 'limited' or 'central'.")
        self.central = self.numerics.advection == "central"
        self.sweeps = self.most_sweeps = most_sweeps
        fields = [np.zeros(self.size, dtype=np.float32) for _ in range(9)]
        self.flow = (fields[0], fields[1], fields[2])
        self.friction = (fields[3], fields[4], fields[5])
        self.nu_eff, self._still, lift = fields[6:]
        self.push = [self._still, self._still, lift]
        self.body_force: tuple[NDArray[np.float32], ...] | None = None
        self.heat_source: NDArray[np.float32] | None = None
        self._before: list[NDArray[np.float32]] = []
        self._rings = [make_ring(most_sweeps, self.sx) for _ in range(2)]
        self._porous = PorousFaces(case, *self.pressure.resisting_faces)
        self._straightening = Straightening(geometry, self._porous.axis, self._porous.face, self._porous.K)
        self.jets = JetMomentum(case, geometry)
        self.need_push(*np.unique(self._porous.axis).tolist(), *self.jets.axes)
        if self.walls.moving:
            self.need_push(0, 1, 2)
        self._pool = ThreadPoolExecutor(1) if get_num_threads() > 1 and self.size > 20_000 else None
        self.divergence = 0.0
        self.iterations = 0

    def load(self, state: AirState, inputs: UnitInputs) -> bool:
        """Take over a state and inputs; returns whether a unit's flow differs from that of the state.

        All that follows depends on these alone, to the last bit.
        """
        moved = super().load(state, inputs)
        self.pressure.set_resistance(self._porous.resistance(self.velocity, 1.0))
        self.pressure.refresh()
        return moved

    def step(self, dt: float, tolerance: float = 1e-5, iterations: int = 4) -> None:
        """Move everything on by dt, implicitly: stable at any Courant number, first order in time. (E1-E10).

        Parameters
        ----------
        dt : float    [s]
        tolerance : float    Leftover divergence over the flow of the units to stop at. [-]
        iterations : int    Of the pressure, at most. [-]

        Raises
        ------
        ConvergenceError : a field is not finite any more, the pressure or the heat do not close.
        """
        leaked = self._leak(dt)
        rate = self._flow_and_forces(dt)
        if not math.isfinite(rate):
            raise self.failure(_DIVERGED.format(dt), [rate])
        self.sweeps = min(self.most_sweeps, 2 + math.ceil(dt * rate))
        restore = self._warm_walls(dt)
        try:
            self._side_by_side(lambda: self._horizontal(dt), lambda: self._heat_and_vertical(dt))
        finally:
            restore()
        self._project(dt, tolerance, iterations)
        self.turbulence.advance(self, dt)
        self._finish_units(dt, leaked)
        self.time += dt

    def step_explicit(self, dt: float, tolerance: float = 1e-5, iterations: int = 8) -> None:
        """Move everything on by dt by Heun's method: second order, for dt <= 0.7 / `explicit_rate`. (E17).

        The mean of the start and of two steps of forward Euler, each projected (Shu and Osher 1988). Friction
        is implicit and its two stages agree to second order, see `soften_drag`; heat that leaves into units
        and walls is implicit to first order, outlets lag by a step. Parameters as `step`.

        Raises
        ------
        ConvergenceError : as `step`.
        """
        if not self._before:
            self._before = [np.zeros(self.size, dtype=np.float32) for _ in range(4)]
            self.need_push(0, 1, 2)
        leaked = self._leak(dt)
        moving = (*self.velocity, self.theta)
        for kept, field in zip(self._before, moving, strict=True):
            kept[:] = field
        for _ in range(2):
            self._stage(dt, tolerance, iterations)
        for kept, field in zip(self._before, moving, strict=True):
            average(kept, field)
        self.turbulence.advance(self, dt)
        self._finish_units(dt, leaked)
        self.time += dt

    def explicit_rate(self) -> float:
        """Rate that limits an explicit step, advection and diffusion together. [1/s]."""
        self.turbulence.viscosity(*self.velocity, self.nu_eff)
        return self._stiffness()

    def _stage(self, dt: float, tolerance: float, iterations: int) -> None:
        """One step of forward Euler with a projection."""
        self._side_by_side(self.update_flow, self.update_forces)
        buoyancy(self.theta, GRAVITY / self.T_ref, self.push[2])
        restore = self._warm_walls(dt)
        resistance = self._porous.resistance(self.velocity, dt)
        for field, friction, push in zip(self.velocity, self.friction, self.push, strict=True):
            soften_drag(field, dt, friction, push)

        def horizontal() -> None:
            for axis in (0, 1):
                self._predict(axis, dt, which=0, sweeps=0)

        def heat_and_vertical() -> None:
            self.heat.step(self, dt, 0)
            self._predict(2, dt, which=1, sweeps=0)

        try:
            self._side_by_side(horizontal, heat_and_vertical)
        finally:
            restore()
        self.pressure.set_resistance(resistance)
        self._project(dt, tolerance, iterations)

    def _leak(self, dt: float) -> NDArray[np.float64] | float:
        """Heat that units which stand still give to the air. [W]."""
        if not self.units.leaks:
            return 0.0
        leaked = self.units.leaked_heat(self.theta_unit, self.theta, dt)
        self.units.set_source(self.theta_unit, leaked)
        return leaked

    def _finish_units(self, dt: float, leaked: NDArray[np.float64] | float) -> None:
        """Wall layers and the units' outlets after the air."""
        if self.walls.conducts:
            self.walls.finish(self.theta)
        theta_in = self.units.inlet_theta(self.theta)
        self.theta_unit = self.units.outlet_theta(self.theta_unit, theta_in, dt, leaked)
        self.units.set_source(self.theta_unit)

    def _side_by_side(self, one: Callable[[], None], other: Callable[[], None]) -> None:
        """Run two parts of a step, on two threads where there are two."""
        if self._pool is None:
            one()
            other()
            return
        first = self._pool.submit(one)
        try:
            other()
        finally:
            first.result()  # whatever happens, nobody writes on

    def _flow_and_forces(self, dt: float) -> float:
        """Flows, viscosity, forces and resistances of the present velocity; returns the stiffness. [1/s]."""
        rate = math.nan

        def flow() -> None:
            nonlocal rate
            self.update_flow()
            rate = self._stiffness()
            self.pressure.set_resistance(self._porous.resistance(self.velocity, dt))

        self._side_by_side(flow, self.update_forces)
        return rate

    def _stiffness(self) -> float:
        """Largest sum of the transport coefficients of a cell over its volume. [1/s]."""
        closure = self.closure
        return float(
            stiffness(
                *self.velocity,
                self.nu_eff,
                1 / min(closure.Pr, closure.Pr_t),
                *self.geometry.sections.inverse_width,
                self.nx,
                self.sx,
                self.sy,
                self._row,
            )
        )

    def need_push(self, *axes: int) -> None:
        """Give components an array of explicit accelerations of their own; zero at the start of each step."""
        for axis in axes:
            if self.push[axis] is self._still:
                self.push[axis] = np.zeros(self.size, dtype=np.float32)

    def update_flow(self) -> None:
        """Volume flows through the faces and viscosity of the present velocity."""
        sections = self.geometry.sections
        for d, field in enumerate(self.velocity):
            volume_flow(field, sections.line[d], sections.plane[d], self.nx, self.sx, self.flow[d])
        self.turbulence.viscosity(*self.velocity, self.nu_eff)

    def update_forces(self) -> None:
        """Friction of walls and tiles, and pushes, of the present velocity. (E11)."""
        velocity = self.velocity
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

    def heat_at_walls_and_openings(self) -> tuple[float, float]:
        """Heat that walls and openings give to the air of the loaded state, and what they take. [W]."""
        openings, walls = self.openings, self.walls
        velocity = self.velocity
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

    def _horizontal(self, dt: float) -> None:
        for axis in (0, 1):
            self._predict(axis, dt, which=0, sweeps=self.sweeps)

    def _heat_and_vertical(self, dt: float) -> None:
        self.heat.step(self, dt, self.sweeps)
        buoyancy(self.theta, GRAVITY / self.T_ref, self.push[2])
        self._predict(2, dt, which=1, sweeps=self.sweeps)

    def _predict(self, axis: int, dt: float, which: int, sweeps: int) -> None:
        """Momentum of one component in one of two rings; no sweeps: explicit."""
        predict_momentum(
            self.velocity[axis],
            self.p,
            self.flow,
            self.nu_eff,
            self.geometry.components[axis],
            self.friction[axis],
            self.push[axis],
            self.central,
            self._ring(which, sweeps),
            dt,
            sweeps,
            1.0 if sweeps else 0.0,
            axis,
            self.nx,
            self.sx,
            self.sy,
        )

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
        velocity = self.velocity
        cell, source, sink = self.walls.exchange(self.theta, velocity, self.nu_eff, dt, self.turbulence)
        before = units.source[cell], units.sink[cell]
        np.add.at(units.source, cell, source.astype(np.float32))
        np.add.at(units.sink, cell, sink.astype(np.float32))

        def restore() -> None:
            units.source[cell], units.sink[cell] = before
            if alone is not None:
                units.source[:] = alone

        return restore

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
        """Solve for the increment of a scalar in one implicit step with the flow of `update_flow`. (E7, E8).

        d(phi)/dt V = fluxes + source - sink phi, in conservation form; walls and patches let nothing through.

        Parameters
        ----------
        phi : float32[padded]    Stays as it is.
        source, sink : float32[padded]    Per cell [phi m3/s]; per cell and phi, >= 0, implicit [m3/s].
        molecular, turbulent : float    The diffusivity is molecular [m2/s] + turbulent [-] nu_eff.
        dt : float    [s]
        sweeps : int    Of Jacobi. [-]
        implicit : float    1, or 0 without sweeps.
        onward : bool    Go on from the increment in `out`.
        out : float32[padded]    Increment, 0 in the ambient; overwritten.
        which : int    Work arrays to use: 0 or 1, one for each thread.
        """
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

    def settle_flow(self, tolerance: float = 1e-6, iterations: int = 40) -> None:
        """Make the velocity divergence-free for the present unit flows, leaving the pressure alone."""
        self.pressure.set_resistance(np.zeros(self._porous.face.size))
        keep = self.p.copy()
        self._project(1.0, tolerance, iterations)
        self.p[:] = keep

    def _project(self, dt: float, tolerance: float, iterations: int) -> None:
        geometry, units, nx, sx, sy = self.geometry, self.units, self.nx, self.sx, self.sy
        sections, code = geometry.sections, geometry.components[3].code
        net_outflow(
            *self.velocity,
            code,
            sections.line,
            sections.plane,
            units.inflow,
            nx,
            sx,
            sy,
            self._b,
        )
        moved = units.V_supply or self._moved_flow()
        target = tolerance * moved
        x = self.pressure.solve(self._b, target, iterations)
        limit = _LEFTOVER * moved
        if limit > 0 and self.pressure.history[-1] > limit:
            x = self.pressure.solve(self._b, target, _HARD_ITERATIONS)
        history = self.pressure.history
        if not np.isfinite(history).all() or not np.isfinite(self.heat.missed).all():
            raise self.failure(_DIVERGED.format(dt), history.tolist())
        if history[-1] > limit > 0:
            raise self.failure(
                f"the pressure did not converge (step {dt:g} s): a divergence of "
                f"{history[-1] / moved:.2g} of the flow is left. Lower the Courant number, "
                "or take out slits of the grid that nearly cut off a part of the room.",
                history.tolist(),
                self.pressure.worst_cell,
            )
        levels, size = self.pressure.levels, self.size
        project(
            *self.velocity,
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
        self.divergence = float(history[-1]) / (moved or 1.0)

    def _moved_flow(self) -> float:
        """Flow through the faces of one axis, the largest of the three, where no unit moves air. [m3/s]."""
        sections = self.geometry.sections
        return max(
            float(np.dot(np.abs(field).reshape(-1, self.sx) @ plane, line))
            for field, plane, line in zip(self.velocity, sections.plane, sections.line, strict=True)
        )
