"""Porous faces: the drag on the flow through them, and on the velocity along perforated tiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import AirCase
from solvers.airflow.fluxes import SOLVED
from solvers.airflow.geometry import Geometry
from solvers.linear.multigrid import padded, strides


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
        self._loss = self.K / gap

    def resistance(self, velocity: tuple[NDArray[np.float32], ...], dt: float) -> NDArray[np.float64]:
        """Resistance lengths dt K |u|. [m]."""
        return dt * self.K * np.abs(self._through(velocity))

    def add_drag(
        self,
        velocity: tuple[NDArray[np.float32], ...],
        friction: tuple[NDArray[np.float32], ...],
        push: list[NDArray[np.float32]],
    ) -> None:
        """Add to the friction [1/s] and the push [m/s2]: K |u| is the slope of 0.5 K u |u|."""
        through = self._through(velocity)
        rate = self._loss * np.abs(through)
        for d in range(3):
            of = self.axis == d
            friction[d][self.face[of]] += rate[of]
            push[d][self.face[of]] += (0.5 * rate * through)[of]

    def _through(self, velocity: tuple[NDArray[np.float32], ...]) -> NDArray[np.float64]:
        through = np.zeros(self.face.size)
        for d, field in enumerate(velocity):
            of = self.axis == d
            through[of] = field[self.face[of]]
        return through


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
        step = (*strides(geometry.shape), 1)
        alpha = np.minimum(1.0, 1.1 / np.sqrt(1.0 + np.asarray(K, dtype=np.float64)))
        gain = 1 / alpha - 1
        self._face = [face[axis == d] for d in range(3)]
        # per component: target face, the one before the screen, axis of the porous face, its position in that
        # axis' list, side, gain, alpha
        self._targets: list[list[tuple]] = []
        for c in range(3):
            entries = []
            for d in range(3):
                of = np.flatnonzero(axis == d)
                if d == c or of.size == 0:
                    continue
                for side in (-1, 1):
                    cell = face[of] - (step[d] if side < 0 else 0)
                    for target in (cell, cell + step[c]):
                        solved = (geometry.components[c].code[target] & SOLVED) > 0
                        weight = 0.5 * gain[of] * geometry.inverse_width(d, cell)
                        behind = target[solved]
                        before = behind - side * step[d]
                        share = alpha[of][solved]
                        entries.append(
                            (behind, before, d, np.flatnonzero(solved), side, weight[solved], share)
                        )
            self._targets.append(entries)

    def add(
        self, velocity: tuple[NDArray[np.float32], ...], friction: tuple[NDArray[np.float32], ...]
    ) -> None:
        """Add the drag [1/s] for the present velocity through the porous faces."""
        through = [field[face] for field, face in zip(velocity, self._face, strict=True)]
        for c, entries in enumerate(self._targets):
            for target, before, d, which, side, weight, alpha in entries:
                flow = np.maximum(side * through[d][which], 0.0)
                here = velocity[c][target].astype(np.float64)
                brought = alpha * np.maximum(np.sign(here) * velocity[c][before], 0.0)
                came = np.minimum(1.0, brought / np.maximum(np.abs(here), 1e-6))
                np.add.at(friction[c], target, (weight * flow * came).astype(np.float32))
