"""Perforated tiles straighten the air: the velocity along a porous face is largely lost in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.geometry import Geometry
from solvers.linear.multigrid import strides


class Straightening:
    """Drag on the velocity along porous faces, in the cells behind them.

    A screen of loss coefficient K hands on the share  alpha = 1.1 / sqrt(1 + K)  of the velocity along it.
    The cell behind it gets the linear drag that leaves that share in a stream of the face's velocity. (E11)

    Validity : 0.7 < K; below, alpha is 1 (up to K = 0.21) or the formula is extrapolated.
    Source   : Taylor and Batchelor 1949, Quart. J. Mech. Appl. Math. 2, 1 (fit 1.1 / sqrt(1 + K)).
    """

    def __init__(self, geometry: Geometry, axis: NDArray[np.int64], face: NDArray[np.int64], K) -> None:
        step = (*strides(geometry.shape), 1)
        alpha = np.minimum(1.0, 1.1 / np.sqrt(1.0 + np.asarray(K, dtype=np.float64)))
        gain = 1 / alpha - 1
        self._face = [face[axis == d] for d in range(3)]
        # per component: target face, axis of the porous face, its position in that axis' list, side, gain
        self._targets: list[
            list[tuple[NDArray[np.int64], int, NDArray[np.int64], int, NDArray[np.float64]]]
        ] = []
        for c in range(3):
            entries = []
            for d in range(3):
                of = np.flatnonzero(axis == d)
                if d == c or of.size == 0:
                    continue
                for side in (-1, 1):
                    cell = face[of] - (step[d] if side < 0 else 0)
                    for target in (cell, cell + step[c]):
                        solved = geometry.components[c].inverse_volume[target] > 0
                        weight = 0.5 * gain[of] * geometry.inverse_width[d][cell]
                        entries.append((target[solved], d, np.flatnonzero(solved), side, weight[solved]))
            self._targets.append(entries)

    def add(
        self, velocity: tuple[NDArray[np.float32], ...], friction: tuple[NDArray[np.float32], ...]
    ) -> None:
        """Add the drag [1/s] for the present velocity through the porous faces."""
        through = [field[face] for field, face in zip(velocity, self._face, strict=True)]
        for c, entries in enumerate(self._targets):
            for target, d, which, side, weight in entries:
                behind = np.maximum(side * through[d][which], 0.0)
                np.add.at(friction[c], target, (weight * behind).astype(np.float32))
