"""Openings: open faces between the room and ambient cells, and the heat that the air carries through them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import CP, RHO, Closure
from solvers.airflow.geometry import Geometry
from solvers.airflow.wall_faces import cell_index
from solvers.grid import Grid
from solvers.linear.multigrid import flat_cells, strides


class Openings:
    """Open faces to the ambient.

    Parameters
    ----------
    geometry : Geometry
    grid : Grid

    Attributes
    ----------
    axis, face : int64[n]    Axis and flat padded index of each face.
    inside : int64[n]    Flat padded index of the cell of the room.
    outward : int64[n]    +1 where the ambient lies on the + side.
    area : float64[n]    [m2]
    gained, lost : float
        Heat above the ambient temperature that came in and that left in the last step, both >= 0. [W]
    """

    def __init__(self, geometry: Geometry, grid: Grid) -> None:
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
        self.gained = self.lost = 0.0
        self._step = np.array([*strides(geometry.shape), 1])
        at = cell_index(self.inside, geometry.shape)
        self._conductance = np.zeros(self.face.size)
        self._open_behind = np.zeros(self.face.size, dtype=bool)
        for d in range(3):
            of = self.axis == d
            behind = [i[of] for i in at]
            behind[d] = behind[d] + (self.outward[of] < 0)
            self._open_behind[of] = geometry.open_area[d][tuple(behind)] > 0
            centres = grid.centres[d]
            gap = np.abs(centres[at[d][of] + self.outward[of]] - centres[at[d][of]])
            self._conductance[of] = self.area[of] / gap

    def outflow(self, flow: tuple[NDArray[np.floating], ...]) -> NDArray[np.float64]:
        """Volume flow out of the room through each face; `flow` is that through all faces, padded. [m3/s]."""
        F = np.zeros(self.face.size)
        for d, field in enumerate(flow):
            of = self.axis == d
            F[of] = field[self.face[of]]
        return self.outward * F

    def carry(self, theta, d, flow, nu_eff, closure: Closure, central: bool) -> NDArray[np.float64]:
        """Heat over rho cp that leaves the room through each face, as the transport of E4 has it. [K m3/s].

        Parameters
        ----------
        theta, d : float32[padded]    Temperature at the start of the step, its increment (before E8). [K]
        flow : tuple of float32[padded]    Volume flow through the faces. [m3/s]
        nu_eff : float32[padded]    [m2/s]
        closure : Closure
        central : bool    Whether face values are means, not upwind with a limited slope.
        """
        F = self.outflow(flow)
        step = self._step[self.axis]
        out, back = self.inside + self.outward * step, self.inside - self.outward * step
        inside, outside = theta[self.inside].astype(np.float64), theta[out].astype(np.float64)
        across = outside - inside
        behind = np.where(self._open_behind, inside - theta[back], 0.0)
        product = behind * across
        slope = np.where(product > 0, 2 * product / np.where(product > 0, behind + across, 1.0), 0.0)
        leaving = np.where(F > 0, inside + 0.5 * (across if central else slope), outside)
        if central:
            leaving = 0.5 * (inside + outside)
        nu = 0.5 * (nu_eff[self.inside].astype(np.float64) + nu_eff[out])
        G = self._conductance * (closure.nu / closure.Pr + (nu - closure.nu) / closure.Pr_t)
        return F * leaving - G * across + (np.maximum(F, 0.0) + G) * d[self.inside]

    def count(self, carried: NDArray[np.float64], flow, theta_ambient: float) -> None:
        """Note the heat of a step: what leaves above the ambient temperature is lost, below it gained."""
        heat = RHO * CP * (carried - self.outflow(flow) * theta_ambient)
        self.lost, self.gained = float(np.maximum(heat, 0).sum()), float(np.maximum(-heat, 0).sum())
