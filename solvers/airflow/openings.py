"""Openings: open faces between the room and ambient cells, and the heat that the air carries through them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import CP, RHO
from solvers.airflow.geometry import Geometry
from solvers.linear.multigrid import flat_cells, strides


class Openings:
    """Open faces to the ambient.

    Parameters
    ----------
    geometry : Geometry

    Attributes
    ----------
    axis, face : int64[n]    Axis and flat padded index of each face.
    inside : int64[n]    Flat padded index of the cell of the room.
    outward : int64[n]    +1 where the ambient lies on the + side.
    area : float64[n]    [m2]
    """

    def __init__(self, geometry: Geometry) -> None:
        columns: list[list[NDArray]] = [[np.zeros(0, dtype=np.int64)] for _ in range(4)]
        areas = [np.zeros(0)]
        if geometry.ambient is not None:
            cells, step = flat_cells(geometry.shape), (*strides(geometry.shape), 1)
            for d in range(3):
                low, high, inner = ([slice(None)] * 3 for _ in range(3))
                low[d], high[d], inner[d] = slice(None, -1), slice(1, None), slice(1, -1)
                section = geometry.open_area[d][tuple(inner)]
                for sign, (room, outside) in ((1, (low, high)), (-1, (high, low))):
                    opens = (section > 0) & geometry.ambient[tuple(outside)] & ~geometry.ambient[tuple(room)]
                    inside = cells[tuple(room)][opens]
                    columns[0].append(np.full(inside.size, d))
                    columns[1].append(inside + (step[d] if sign > 0 else 0))
                    columns[2].append(inside)
                    columns[3].append(np.full(inside.size, sign))
                    areas.append(section[opens])
        self.axis, self.face, self.inside, self.outward = (np.concatenate(column) for column in columns)
        self.area = np.concatenate(areas)

    def outflow(self, velocity: tuple[NDArray[np.floating], ...]) -> NDArray[np.float64]:
        """Volume flow out of the room through each face; `velocity` are u, v, w, flat and padded. [m3/s]."""
        through = np.zeros(self.face.size)
        for d, field in enumerate(velocity):
            of = self.axis == d
            through[of] = field[self.face[of]]
        return self.outward * self.area * through

    def heat(
        self, velocity: tuple[NDArray[np.floating], ...], theta: NDArray[np.floating], theta_ambient: float
    ) -> tuple[float, float]:
        """Heat above the ambient temperature that leaves with warm air, and that cold air brings as its lack.

        Returns
        -------
        gained, lost : float
            Into the room and out of it, both >= 0; air that comes in has the ambient temperature. [W]
        """
        carried = np.maximum(self.outflow(velocity), 0.0) * (theta[self.inside] - theta_ambient)
        lost = RHO * CP * float(np.maximum(carried, 0.0).sum())
        return RHO * CP * float(np.maximum(-carried, 0.0).sum()), lost
