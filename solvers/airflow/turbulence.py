"""Turbulence closures: the effective viscosity, what it is made from, and what it says about walls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import AirCase, AirState, Closure
from solvers.airflow.closures import build_stencil, mixing_length_viscosity, vreman_viscosity
from solvers.airflow.k_epsilon import Field, Flow, KEpsilon
from solvers.airflow.wall_faces import WallFaces, WallPoints, collect_walls
from solvers.linear.multigrid import strides

if TYPE_CHECKING:
    from solvers.airflow.geometry import Geometry


class Turbulence(Protocol):
    """What a step needs of a closure; one object a stepper, which may keep fields.

    Attributes
    ----------
    k, epsilon : float32[padded] or None    Turbulent kinetic energy, its dissipation. [m2/s2, m2/s3]
    """

    @property
    def k(self) -> Field | None:
        """Turbulent kinetic energy. [m2/s2]."""
        ...

    @property
    def epsilon(self) -> Field | None:
        """Dissipation rate of k. [m2/s3]."""
        ...

    def load(self, state: AirState) -> None:
        """Take over what the closure keeps; a state without it is a fresh start."""
        ...

    def viscosity(self, u: Field, v: Field, w: Field, out: Field) -> None:
        """Set the effective viscosity at the cell centres. [m2/s]."""
        ...

    def advance(self, stepper: Flow, dt: float) -> None:
        """Move what the closure keeps on by dt, after the pressure."""
        ...

    def wall_friction(self, points: WallPoints, out: Field) -> bool:
        """Set tau / (rho u) of velocity points beside walls [m/s]; False: left to the walls."""
        ...

    def wall_conductance(self, faces: WallFaces, out: NDArray[np.float64]) -> bool:
        """Set the heat conductance of walls over rho cp [m/s]; False: left to the walls."""
        ...


class Algebraic:
    """Closures that need nothing but the velocity: laminar, mixing length, Vreman. (E5, E15).

    Parameters
    ----------
    case : AirCase
    geometry : Geometry
    closure : Closure
    """

    k: None = None
    epsilon: None = None

    def __init__(self, case: AirCase, geometry: Geometry, closure: Closure) -> None:
        self._closure = closure
        self._size = (geometry.shape[0], *strides(geometry.shape))
        self._mixing = geometry.mixing
        self._stencil = None
        if closure.kind == "vreman":
            self._stencil = build_stencil(case, geometry, collect_walls(case, geometry)[1])

    def load(self, state: AirState) -> None:
        """Nothing to take over."""

    def viscosity(self, u: Field, v: Field, w: Field, out: Field) -> None:
        """Set the effective viscosity at the cell centres. (E5, E15). [m2/s]."""
        closure = self._closure
        if self._stencil is not None:
            vreman_viscosity(u, v, w, self._stencil, closure.vreman, closure.nu, *self._size, out)
        else:
            mixing_length_viscosity(u, v, w, self._mixing, closure.nu, *self._size, out)

    def advance(self, stepper: Flow, dt: float) -> None:
        """Nothing to move on."""

    def wall_friction(self, points: WallPoints, out: Field) -> bool:
        """Leave it to the walls."""
        return False

    def wall_conductance(self, faces: WallFaces, out: NDArray[np.float64]) -> bool:
        """Leave it to the walls."""
        return False


def make_turbulence(case: AirCase, geometry: Geometry, closure: Closure) -> Turbulence:
    """Closure that `closure.kind` names."""
    kind = KEpsilon if closure.kind == "k_epsilon" else Algebraic
    return kind(case, geometry, closure)
