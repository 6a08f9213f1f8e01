"""Porous faces: the drag on the flow through them, and on the velocity along perforated tiles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solvers.airflow.case import AirCase
from solvers.airflow.fluxes import SOLVED
from solvers.airflow.geometry import Geometry
from solvers.linear.kernels import options
from solvers.linear.multigrid import padded, strides

_STILL = 1e-6  # m/s, slower air along a screen has no direction


class _Screens(NamedTuple):
    """Porous faces of one axis; one entry a face.

    Attributes
    ----------
    place : int64[n]    Position in the list of all porous faces.
    face : int64[n]    Flat padded index.
    K, loss : float64[n]    Loss coefficient [-], over the distance of the cells [1/m].
    """

    place: NDArray[np.int64]
    face: NDArray[np.int64]
    K: NDArray[np.float64]
    loss: NDArray[np.float64]


class _Behind(NamedTuple):
    """Velocity points along porous faces, in the cells behind them; one entry a point.

    Attributes
    ----------
    target, before, face : int64[m]    The point, the one before the screen, the porous face. Flat, padded.
    side : float32[m]    1 above the face, -1 below. [-]
    weight, alpha : float32[m]    Half of 1 / alpha - 1 over the cell's width [1/m]; share handed on [-].
    """

    target: NDArray[np.int64]
    before: NDArray[np.int64]
    face: NDArray[np.int64]
    side: NDArray[np.float32]
    weight: NDArray[np.float32]
    alpha: NDArray[np.float32]


@njit(**options)
def screen_resistance(place, face, K, dt, field, out):
    """Set the resistance length dt K |u| of faces. [m]."""
    for m in range(face.size):
        out[place[m]] = dt * K[m] * abs(field[face[m]])


@njit(**options)
def screen_drag(face, loss, field, friction, push):
    """Add K |u| / gap to the friction [1/s] and half of it times u to the push [m/s2]. (E9)."""
    for m in range(face.size):
        n = face[m]
        rate = loss[m] * abs(field[n])
        friction[n] += np.float32(rate)
        push[n] += np.float32(0.5 * rate * field[n])


@njit(**options)
def straighten(target, before, face, side, weight, alpha, along, through, friction):
    """Add the drag on the velocity `along` screens in the cells behind them. (E11). [1/s]."""
    still, zero, one = np.float32(_STILL), np.float32(0), np.float32(1)
    for m in range(target.size):
        n = target[m]
        flow = max(side[m] * through[face[m]], zero)
        here, there = along[n], along[before[m]]
        brought = alpha[m] * max(there if here > zero else -there, zero)
        came = min(one, brought / max(abs(here), still)) if here != zero else zero
        friction[n] += weight[m] * flow * came


class PorousFaces:
    """Drag of porous faces on the flow through them, dp = 0.5 rho K u |u|. (E9).

    It is linearised about one velocity in the momentum and in the pressure equation, so that long steps
    neither oscillate nor crawl.

    Parameters
    ----------
    case : AirCase
    axis, face : int64[n]    Axis and flat padded index of the porous faces.

    Attributes
    ----------
    axis, face : int64[n]
    K : float64[n]    Loss coefficient. [-]
    """

    def __init__(self, case: AirCase, axis: NDArray[np.int64], face: NDArray[np.int64]) -> None:
        self.axis, self.face = axis, face
        self.K = np.zeros(face.size)
        gap = np.ones(face.size)
        index = [i - 1 for i in np.unravel_index(face, padded(case.grid.shape))]
        for d, K in enumerate((case.K_x, case.K_y, case.K_z)):
            of = axis == d
            self.K[of] = K[tuple(i[of] for i in index)]
            gap[of] = np.diff(case.grid.centres[d])[index[d][of] - 1]
        self._screens = []
        for d in range(3):
            of = np.flatnonzero(axis == d)
            self._screens.append(_Screens(of, face[of], self.K[of], (self.K / gap)[of]))

    def resistance(self, velocity: tuple[NDArray[np.float32], ...], dt: float) -> NDArray[np.float64]:
        """Resistance lengths dt K |u|. [m]."""
        out = np.zeros(self.face.size)
        for screens, field in zip(self._screens, velocity, strict=True):
            screen_resistance(screens.place, screens.face, screens.K, dt, field, out)
        return out

    def add_drag(
        self,
        velocity: tuple[NDArray[np.float32], ...],
        friction: tuple[NDArray[np.float32], ...],
        push: list[NDArray[np.float32]],
    ) -> None:
        """Add to the friction [1/s] and the push [m/s2]: K |u| is the slope of 0.5 K u |u|."""
        for screens, *fields in zip(self._screens, velocity, friction, push, strict=True):
            if screens.face.size:
                screen_drag(screens.face, screens.loss, *fields)


class Straightening:
    """Drag on the velocity along porous faces, in the cells behind them.

    A screen of loss coefficient K hands on the share  alpha = 1.1 / sqrt(1 + K)  of the velocity along it.
    The cell behind it gets the linear drag that leaves that share in a stream of the face's velocity. (E11)
    The drag is for the air that came through: it falls with alpha |u before| / |u behind| where the air
    behind moves faster along the face than the screen lets through, or the other way. Air that flows in from
    the sides, to feed the jets of a tile (E16), is not held up.

    Validity : 0.7 < K; below, alpha is 1 (up to K = 0.21) or the formula is extrapolated.
    Source   : Taylor and Batchelor 1949, Quart. J. Mech. Appl. Math. 2, 1 (fit 1.1 / sqrt(1 + K)).
    """

    def __init__(self, geometry: Geometry, axis: NDArray[np.int64], face: NDArray[np.int64], K) -> None:
        alpha = np.minimum(1.0, 1.1 / np.sqrt(1.0 + np.asarray(K, dtype=np.float64)))
        self._behind: list[tuple[int, int, _Behind]] = []
        for d in range(3):
            of = np.flatnonzero(axis == d)
            for c in range(3):
                if c != d and of.size:
                    self._behind.append((c, d, _points_behind(geometry, c, d, face[of], alpha[of])))

    def add(
        self, velocity: tuple[NDArray[np.float32], ...], friction: tuple[NDArray[np.float32], ...]
    ) -> None:
        """Add the drag [1/s] for the present velocity through the porous faces."""
        for c, d, behind in self._behind:
            straighten(*behind, velocity[c], velocity[d], friction[c])


def _points_behind(geometry: Geometry, c: int, d: int, face: NDArray[np.int64], alpha) -> _Behind:
    """Points of component c on both sides of porous faces normal to axis d."""
    step = (*strides(geometry.shape), 1)
    parts: list[_Behind] = []
    for side in (-1, 1):
        cell = face - (step[d] if side < 0 else 0)
        weight = 0.5 * (1 / alpha - 1) * geometry.inverse_width(d, cell)
        for target in (cell, cell + step[c]):
            solved = (geometry.components[c].code[target] & SOLVED) > 0
            of_side = np.full(solved.sum(), side, dtype=np.float32)
            behind = target[solved]
            before = behind - side * step[d]
            coefficients = (values[solved].astype(np.float32) for values in (weight, alpha))
            parts.append(_Behind(behind, before, face[solved], of_side, *coefficients))
    return _Behind(*(np.concatenate(column) for column in zip(*parts, strict=True)))
