"""Standard k-epsilon model with wall functions: k and epsilon of a case, and the step that moves them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray

from solvers.airflow import k_epsilon_terms as terms
from solvers.airflow.case import GRAVITY, AirCase, AirState, Closure
from solvers.airflow.closures import build_stencil, strain_rate
from solvers.airflow.wall_faces import WallFaces, WallPoints, collect_walls
from solvers.linear.multigrid import flat_cells, strides

if TYPE_CHECKING:
    from solvers.airflow.geometry import Geometry
    from solvers.airflow.units import Units

Field = NDArray[np.float32]
_SPEED = 1.0  # m/s, of the air that a room without flow is taken to have been stirred with


class Flow(Protocol):
    """What the k-epsilon equations read of the step that they are part of."""

    u: Field
    v: Field
    w: Field
    theta: Field
    nu_eff: Field
    T_ref: float
    units: Units

    sweeps: int

    def relax_scalar(
        self,
        phi: Field,
        source: Field,
        sink: Field,
        molecular: float,
        turbulent: float,
        dt: float,
        sweeps: int,
        implicit: float,
        onward: bool,
        out: Field,
        which: int = 1,
    ) -> None:
        """See `solvers.airflow.step.Stepper.relax_scalar`."""
        ...


class KEpsilon:
    """Standard k-epsilon model with wall functions. (E12 to E14).

    Production is taken from the full strain rate at cell centres and limited to 10 epsilon; every sink is
    implicit, a step leaves at least a tenth of k and epsilon, and nu_t and the length scale are bounded, so
    that any start and any step are survived. The balance of k and epsilon at steady state is that of the
    equations wherever no bound acts.

    Buoyancy makes and destroys k (G_b); `closure.buoyant=False` leaves it out, as OpenFOAM's `kEpsilon` does.

    Air from units and from outside brings k = 1.5 (intensity U)^2 and epsilon = C_mu^(3/4) k^(3/2) / l with
    its speed U and l = length 4 A / P of the patch; outside are the flow-weighted means of all units.

    Parameters
    ----------
    case : AirCase
    geometry : Geometry
    closure : Closure

    Source   : Launder and Spalding 1974, Comput. Methods Appl. Mech. Eng. 3, 269; Rodi 1980 (buoyancy).
    Check    : tests/unit/solvers/test_turbulence.py, tests/unit/solvers/test_k_epsilon.py
    """

    def __init__(self, case: AirCase, geometry: Geometry, closure: Closure) -> None:
        self._closure = closure
        self._case = case
        self._geometry = geometry
        self._buoyant = closure.buoyant
        self._size = (geometry.shape[0], *strides(geometry.shape))
        _, walls = collect_walls(case, geometry)
        self._stencil = build_stencil(case, geometry, walls)
        self._set_walls(walls)
        self._P, self._edge = terms.jayatilleke(closure.Pr, closure.Pr_t)
        extent = [line[-1] - line[0] for line, n in zip(case.grid, geometry.shape, strict=True) if n > 1]
        self._length = float(min(extent, default=1.0))
        self._inside = flat_cells(geometry.shape)[geometry.fluid]
        self._outside = np.zeros(0, dtype=np.int64)
        if geometry.ambient is not None:
            self._outside = flat_cells(geometry.shape)[geometry.ambient]
        self._diameter = _hydraulic_diameters(case)
        size = geometry.volume.size
        self.k: Field = np.full(size, terms.K_FLOOR, dtype=np.float32)
        self.epsilon: Field = np.full(size, terms.EPSILON_FLOOR, dtype=np.float32)
        work = [np.zeros(size, dtype=np.float32) for _ in range(7)]
        self._shear, self._buoyancy, self._wall_epsilon = work[:3]
        self._of_k, self._of_epsilon = (work[3], work[4]), (work[5], work[6])  # source, sink
        self._pool = ThreadPoolExecutor(1) if get_num_threads() > 1 and size > 20_000 else None
        self._seen: object = None
        self._start_anew()

    def viscosity(self, u: Field, v: Field, w: Field, out: Field) -> None:
        """Set the effective viscosity at the cell centres. (E12). [m2/s]."""
        terms.k_epsilon_viscosity(self.k, self.epsilon, self._closure.nu, out)

    def load(self, state: AirState) -> None:
        """Take over k and epsilon; a state that has none, or no turbulence at all, starts like the inflow."""
        self._seen = None
        if state.k is None or state.epsilon is None or not np.max(state.k) > terms.K_FLOOR:
            self._start_anew()
            return
        self._fresh = False
        fluid = self._geometry.fluid
        self.k[self._inside] = np.maximum(state.k[fluid], terms.K_FLOOR)
        self.epsilon[self._inside] = np.maximum(state.epsilon[fluid], terms.EPSILON_FLOOR)
        self._bound()

    def advance(self, stepper: Flow, dt: float) -> None:
        """Move k and epsilon one implicit step on with the flow of the step.

        Both see the production, the dissipation and the walls of the same moment.
        """
        self._set_inflow(stepper.units)
        nu, volume = self._closure.nu, self._geometry.volume
        k, epsilon, shear, buoyancy = self.k, self.epsilon, self._shear, self._buoyancy
        strain_rate(stepper.u, stepper.v, stepper.w, self._stencil, *self._size, shear)
        terms.shear_production(stepper.nu_eff, epsilon, nu, shear)
        self._set_wall_cells(stepper)
        if self._buoyant:
            terms.buoyant_production(
                stepper.theta,
                stepper.nu_eff,
                epsilon,
                self._stencil,
                GRAVITY / stepper.T_ref,
                self._closure.Pr_t,
                nu,
                *self._size,
                buoyancy,
            )
        terms.k_sources(k, epsilon, shear, buoyancy, volume, *self._of_k)
        terms.epsilon_sources(
            *(k, epsilon, shear, buoyancy, stepper.u, stepper.v, stepper.w, volume),
            *self._size,
            *self._of_epsilon,
        )
        self._exchange_with_units(dt)
        # production is spent; its arrays take the increments
        if self._pool is None:
            self._relax_k(stepper, dt, shear)
            self._relax_epsilon(stepper, dt, buoyancy)
        else:
            other = self._pool.submit(self._relax_k, stepper, dt, shear)
            self._relax_epsilon(stepper, dt, buoyancy)
            other.result()
        terms.add_bounded(shear, terms.K_FLOOR, k)
        terms.add_bounded(buoyancy, terms.EPSILON_FLOOR, epsilon)
        if not self._buoyant:
            buoyancy[:] = 0
        self._bound()

    def wall_friction(self, points: WallPoints, out: Field) -> bool:
        """Set tau / (rho u) of velocity points beside walls by the log law. (E13). [m/s]."""
        terms.log_law_friction(points.cell, points.other, points.y, self.k, self._closure.nu, out)
        return True

    def wall_conductance(self, faces: WallFaces, out: NDArray[np.float64]) -> bool:
        """Set the heat conductance of walls over rho cp by Jayatilleke's law. (E14). [m/s]."""
        closure = self._closure
        terms.log_law_conductance(
            faces.cell, faces.y, self.k, closure.nu, closure.Pr, closure.Pr_t, self._P, self._edge, out
        )
        return True

    def _exchange_with_units(self, dt: float) -> None:
        """Add what units bring and take to the sources; epsilon beside walls is given."""
        for (source, sink), brought in ((self._of_k, self._k_in), (self._of_epsilon, self._epsilon_in)):
            terms.inflow(self._enters, brought, source)
            terms.inflow(self._leaves, self._taken, sink)
        volume = self._geometry.volume
        terms.hold(self._walled, self._wall_epsilon, volume, terms.HOLD / dt, *self._of_epsilon)

    def _relax_k(self, stepper: Flow, dt: float, out: Field) -> None:
        nu, sigma = self._closure.nu, terms.SIGMA_K
        molecular, turbulent = nu - nu / sigma, 1 / sigma
        stepper.relax_scalar(
            self.k, *self._of_k, molecular, turbulent, dt, stepper.sweeps, 1.0, False, out, which=0
        )

    def _relax_epsilon(self, stepper: Flow, dt: float, out: Field) -> None:
        nu, sigma = self._closure.nu, terms.SIGMA_EPSILON
        molecular, turbulent = nu - nu / sigma, 1 / sigma
        stepper.relax_scalar(
            self.epsilon,
            *self._of_epsilon,
            molecular,
            turbulent,
            dt,
            stepper.sweeps,
            1.0,
            False,
            out,
            which=1,
        )

    def _set_wall_cells(self, stepper: Flow) -> None:
        terms.clear(self._walled, self._shear)
        terms.clear(self._walled, self._wall_epsilon)
        terms.wall_cells(
            *self._wall_faces,
            stepper.u,
            stepper.v,
            stepper.w,
            self.k,
            self._closure.nu,
            *self._size[1:],
            self._shear,
            self._wall_epsilon,
        )

    def _set_walls(self, walls: WallFaces) -> None:
        surfaces = self._case.surfaces
        slide = np.zeros((walls.cell.size, 3), dtype=np.float32)
        rough = np.ones(walls.cell.size, dtype=bool)
        if surfaces is not None and surfaces.slip.size:
            on = walls.surface >= 0
            slide[on] = surfaces.velocity[walls.surface[on]]
            rough = ~(on & surfaces.slip[walls.surface])
        cell, area = walls.cell[rough], walls.area[rough]
        total = np.bincount(cell, weights=area, minlength=1)
        share = (area / total[cell]).astype(np.float32) if cell.size else area.astype(np.float32)
        y = walls.y[rough].astype(np.float32)
        self._wall_faces = (cell, walls.axis[rough], share, y, slide[rough])
        self._walled = np.unique(cell)

    def _set_inflow(self, units: Units) -> None:
        """Set what units bring and take, for their present flows; also the start of a room without a past."""
        if units.inputs is self._seen:
            return
        assert units.inputs is not None
        self._seen = units.inputs
        case, patches, flow = self._case, self._geometry.patches, units.inputs.V_flow
        given, taken = np.zeros(case.patch_axis.size), np.zeros(case.patch_axis.size)
        for through, patch in ((given, case.unit_outlet), (taken, case.unit_inlet)):
            through[patch[patch >= 0]] = flow[patch >= 0]
        speed = given / np.maximum(patches.area, 1e-12) if given.size else given
        k, epsilon = self._inflow_values(speed, self._diameter)
        enters, leaves = given[patches.owner] > 0, taken[patches.owner] > 0
        carried = (given[patches.owner] * patches.share)[enters]
        of = patches.owner[enters]
        self._enters, self._leaves = patches.cell[enters], patches.cell[leaves]
        self._k_in = (carried * k[of]).astype(np.float32)
        self._epsilon_in = (carried * epsilon[of]).astype(np.float32)
        self._taken = (taken[patches.owner] * patches.share)[leaves].astype(np.float32)
        if given.sum() > 0:
            mean = (float(np.average(k, weights=given)), float(np.average(epsilon, weights=given)))
        else:
            mean = self._still_values()
        self.k[self._outside], self.epsilon[self._outside] = mean
        if self._fresh:
            self._fresh = False
            self.k[self._inside], self.epsilon[self._inside] = mean
            self._bound()

    def _inflow_values(self, speed, diameter) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        closure = self._closure
        k = np.maximum(1.5 * (closure.intensity * speed) ** 2, terms.K_FLOOR)
        return k, terms.C_MU**0.75 * k**1.5 / (closure.length * diameter)

    def _still_values(self) -> tuple[float, float]:
        k, epsilon = self._inflow_values(np.array(_SPEED), np.array(self._length))
        return float(k), float(epsilon)

    def _start_anew(self) -> None:
        """Take a stirred room; the first step puts the air of the units in its place."""
        self._fresh = True
        self.k[self._inside], self.epsilon[self._inside] = self._still_values()

    def _bound(self) -> None:
        terms.bound_epsilon(self.k, self._length, self._closure.nu, self.epsilon)


def _hydraulic_diameters(case: AirCase) -> NDArray[np.float64]:
    """4 A / P of the rectangle of each patch. [m]."""
    out = np.ones(case.patch_axis.size)
    for number, axis in enumerate(case.patch_axis.tolist()):
        across = [d for d in range(3) if d != axis]
        a, b = (
            case.grid[d][case.patch_hi[number, column]] - case.grid[d][case.patch_lo[number, column]]
            for column, d in enumerate(across)
        )
        out[number] = 2 * a * b / (a + b)
    return out
