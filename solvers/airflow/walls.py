"""Wall friction, and the heat that passes walls.

Surfaces (`case.Surfaces`) give their rectangles a velocity, take their friction away or let heat pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solvers.airflow.case import CP, RHO, AirCase, Closure
from solvers.airflow.wall_faces import WallFaces, WallPoints, collect_walls
from solvers.errors import GridMismatchError
from solvers.linear.kernels import options
from solvers.linear.multigrid import strides

if TYPE_CHECKING:
    from solvers.airflow.geometry import Geometry

WERNER_WENGLE = 0.0246
"""8.3^(-7/4) of the power law u+ = 8.3 y+^(1/7) for the speed at y, integrated. [-]"""


class WallFunction(Protocol):
    """What the turbulence closure says about walls; None leaves it to the law of this module."""

    def wall_friction(self, points: WallPoints, out: NDArray[np.float32]) -> bool:
        """Set tau / (rho u) of each point [m/s]; False: not this closure's business."""
        ...

    def wall_conductance(self, faces: WallFaces, out: NDArray[np.float64]) -> bool:
        """Set the heat conductance over rho cp of each face [m/s]; False: not this closure's business."""
        ...


@njit(**options)
def power_law_friction(target, laminar, turbulent, velocity, phi, out, push):
    """Add the friction of walls: the larger of nu / y and 0.0246 |u|^(3/4) (nu / y)^(1/4), times weight.

    laminar, turbulent : float32[n]    Both of them with the weight, for |u| = 1. [1/s]
    out, push : float32[padded]    Friction [1/s]; friction times the wall's velocity [m/s2].
    """
    for m in range(target.size):
        n = target[m]
        root = np.sqrt(abs(phi[n] - velocity[m]))
        rate = max(laminar[m], turbulent[m] * root * np.sqrt(root))
        out[n] += rate
        if velocity[m] != 0:
            push[n] += rate * velocity[m]


@njit(**options)
def given_friction(target, weight, rate, velocity, out, push):
    """Add the friction of walls from the closure's tau / (rho u). [m/s]."""
    for m in range(target.size):
        n = target[m]
        part = weight[m] * rate[m]
        out[n] += part
        if velocity[m] != 0:
            push[n] += part * velocity[m]


class Walls:
    """Wall friction and heat through surfaces of one case.

    Parameters
    ----------
    case : AirCase
    geometry : Geometry
    closure : Closure
    T_ref : float    [K]

    Attributes
    ----------
    points : tuple of WallPoints    Of u, v, w.
    faces : WallFaces    All walls, axis after axis.
    thermal : int64[m]    Which faces let heat pass, surface after surface in the order of the faces.
    layers : int64[l]    Which of the thermal faces have a heat capacity.
    theta : float64[l]    Temperature of those layers less T_ref. [K]
    given, taken : float    Heat that warm walls gave to the air and cold ones took in the last step. [W]
    moving : bool    Whether a surface moves.
    balanced : bool    Layers are in balance with what lies beside them, as in a steady mean.
    """

    def __init__(self, case: AirCase, geometry: Geometry, closure: Closure, T_ref: float) -> None:
        self._closure = closure
        self._T_ref = T_ref
        self.points, self.faces = collect_walls(case, geometry)
        self._scaled = [_scaled(points, closure) for points in self.points]
        self._rate = [np.zeros(points.target.size, dtype=np.float32) for points in self.points]
        self.moving = any(points.velocity.any() for points in self.points)
        self._set_thermal(case)
        self.given = self.taken = 0.0
        self.balanced = False

    def friction(self, velocity, friction, push, law: WallFunction | None = None) -> None:
        """Set the friction [1/s] and the push of moving walls [m/s2] of every component.

        Parameters
        ----------
        velocity, friction : tuple of float32[padded]    u, v, w; overwritten.
        push : tuple of float32[padded]    Added to; left alone where no wall moves.
        law : WallFunction, optional    The closure's own law.
        """
        for c, points in enumerate(self.points):
            friction[c][:] = 0
            if law is not None and law.wall_friction(points, self._rate[c]):
                given_friction(
                    points.target, points.weight, self._rate[c], points.velocity, friction[c], push[c]
                )
                continue
            laminar, turbulent = self._scaled[c]
            power_law_friction(
                points.target, laminar, turbulent, points.velocity, velocity[c], friction[c], push[c]
            )

    # -- heat ------------------------------------------------------------------------------------------------

    def load_layers(self, T: NDArray[np.float64] | None) -> None:
        """Take over the temperature of the layers [K]; without it what lies behind them, else T_ref."""
        if T is None:
            self.theta = np.where(np.isnan(self._behind), 0.0, self._behind)[self.layers]
        elif np.shape(T) != (self.layers.size,):
            raise GridMismatchError(
                f"state.T_surface: shape {np.shape(T)}; there are {self.layers.size} layers."
            )
        else:
            self.theta = np.asarray(T, dtype=np.float64) - self._T_ref

    @property
    def layer_temperature(self) -> NDArray[np.float64] | None:
        """Temperature of the layers; None if there are none. [K]."""
        return self.theta + self._T_ref if self.layers.size else None

    @property
    def layer_faces(self) -> WallFaces:
        """Faces with a layer, in the order of the state's T_surface."""
        return self._thermal_faces.take(self.layers)

    @property
    def conducts(self) -> bool:
        """Whether any wall lets heat pass."""
        return bool(self.thermal.size)

    def exchange(
        self, theta: NDArray[np.floating], velocity, nu_eff, dt: float, law: WallFunction | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Heat that walls give to the cells beside them: source - sink theta, over rho cp.

        The layer is eliminated implicitly: C (T - T_old) / dt = U (T_behind - T) + h (T_air - T).

        Parameters
        ----------
        theta : float32[padded]    Of the air, before the step. [K]
        velocity : tuple of float32[padded]    [m/s]
        nu_eff : float32[padded]    [m2/s]
        dt : float    Length of the step. [s]
        law : WallFunction, optional

        Returns
        -------
        cell : int64[m]    Flat padded index, one entry a face.
        source : float64[m]    [K m3/s]
        sink : float64[m]    [m3/s]
        """
        faces = self._thermal_faces
        film = self._film(velocity, nu_eff, law) * (RHO * CP)  # W/(m2 K)
        U, stored = self._U, np.zeros(film.size)
        if not self.balanced:
            stored[self.layers] = self._C[self.layers] / dt
        behind = np.where(U > 0, self._behind, 0.0)
        fixed = np.isinf(U)
        U = np.where(fixed, 0.0, U)
        kept = np.zeros(film.size)
        kept[self.layers] = self.theta
        total = stored + U + film
        self._offer, self._film_now, self._total = stored * kept + U * behind, film, total
        through = np.where(fixed, film, film * (stored + U) / np.where(total > 0, total, 1.0))
        source = np.where(
            fixed, film * behind, film * (stored * kept + U * behind) / np.where(total > 0, total, 1.0)
        )
        scale = faces.area / (RHO * CP)
        self._source, self._sink = source * scale, through * scale
        return faces.cell, self._source, self._sink

    def finish(self, theta: NDArray[np.floating]) -> None:
        """Move the layers on with the air after the step, and count the heat that the walls gave."""
        air = theta[self._thermal_faces.cell].astype(np.float64)
        heat = RHO * CP * (self._source - self._sink * air)
        self.given, self.taken = float(np.maximum(heat, 0).sum()), float(np.maximum(-heat, 0).sum())
        where = self.layers
        self.theta = (self._offer + self._film_now * air)[where] / self._total[where]

    def stored_heat(self, T: NDArray[np.float64] | None) -> float:
        """Heat content above T_ref of layers of these temperatures [K]; 0 without layers. [J]."""
        if T is None or not self.layers.size:
            return 0.0
        area = self._thermal_faces.area[self.layers]
        return float((self._C[self.layers] * area * (np.asarray(T) - self._T_ref)).sum())

    def _film(self, velocity, nu_eff, law: WallFunction | None) -> NDArray[np.float64]:
        """Conductance between air and surface over rho cp. [m/s].

        laminar a / y; mixing length (nu / Pr + nu_t / Pr_t) / y of the near cell, as Chen and Xu (1998);
        vreman the analogy of Colburn with the power law, tau / (rho u) Pr^(-2/3).
        """
        faces, closure = self._thermal_faces, self._closure
        out = np.zeros(faces.cell.size)
        if law is not None and law.wall_conductance(faces, out):
            return out
        molecular = closure.nu / closure.Pr
        if closure.kind == "laminar":
            return molecular / faces.y
        if closure.kind == "mixing_length":
            eddy = nu_eff[faces.cell].astype(np.float64) - closure.nu
            return (molecular + eddy / closure.Pr_t) / faces.y
        speed = _speed_along(faces, velocity, self._strides)
        shear = WERNER_WENGLE * speed**0.75 * (closure.nu / faces.y) ** 0.25
        return np.maximum(molecular / faces.y, shear * closure.Pr ** (-2 / 3))

    def _set_thermal(self, case: AirCase) -> None:
        surfaces, faces = case.surfaces, self.faces
        self._strides = (*strides(case.grid.shape), 1)
        none = np.zeros(0)
        if surfaces is None:
            self.thermal = self.layers = np.zeros(0, dtype=np.int64)
            self._behind = self._U = self._C = none
            self._thermal_faces = faces.take(self.thermal)
            self.theta = none
            self._source = self._sink = self._offer = self._film_now = self._total = none
            return
        heavy = surfaces.C > 0
        warm = ~np.isnan(surfaces.T) & (surfaces.U > 0)
        passes = np.flatnonzero((faces.surface >= 0) & (heavy | warm)[faces.surface])
        self.thermal = passes[np.argsort(faces.surface[passes], kind="stable")]
        self._thermal_faces = faces.take(self.thermal)
        of = self._thermal_faces.surface
        self._behind = surfaces.T[of] - self._T_ref
        self._U = np.where(warm[of], surfaces.U[of], 0.0)
        self._C = surfaces.C[of]
        self.layers = np.flatnonzero((self._C > 0) & ~np.isinf(self._U))
        self.load_layers(None)
        self._source = self._sink = np.zeros(of.size)
        self._offer = self._film_now = self._total = np.ones(of.size)


def _scaled(points: WallPoints, closure: Closure) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    y, weight = points.y.astype(np.float64), points.weight.astype(np.float64)
    laminar = weight * closure.nu / y
    turbulent = weight * WERNER_WENGLE * (closure.nu / y) ** 0.25
    if closure.kind == "laminar":
        turbulent[:] = 0
    return laminar.astype(np.float32), turbulent.astype(np.float32)


def _speed_along(faces: WallFaces, velocity, step) -> NDArray[np.float64]:
    """Speed along the wall at the centre of the cell beside each face. [m/s]."""
    squares = np.zeros(faces.cell.size)
    for c, field in enumerate(velocity):
        mean = 0.5 * (field[faces.cell].astype(np.float64) + field[faces.cell + step[c]])
        squares += np.where(faces.axis == c, 0.0, mean**2)
    return np.sqrt(squares)
