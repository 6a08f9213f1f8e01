"""Temperatures along a network, steady or over a step: what nodes mix and branches make of their inlet.

    node     sum over what comes in of m_flow (h_in - h of the node) [+ its store, the same way] = 0     (C25)
    branch   h_out = alpha + beta h_in        one line for pipes, plates, exchangers, steady or over a step

Enthalpies are balanced, temperatures are unknown; Newton's method, the specific heat as slope. A node mixes
what comes in, so that it lies between it whatever rounding is left in the flows of a loop that has stopped.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from solvers.coolant.components import Case, Inputs, Vector
from solvers.coolant.exchangers import gain
from solvers.coolant.factor import analyse, factorise, substitute
from solvers.coolant.hydraulics import Flow
from solvers.coolant.lines import STILL, Lines
from solvers.coolant.pumps import shaft_power
from solvers.errors import ConvergenceError
from solvers.linear.kernels import options

_ITERATIONS = 40
_AGREE = 1e-9  # K, last change of a temperature
MOST_RISE = 500.0
"""Rise of a branch beyond which its flow cannot take its heat: no coolant is liquid so far. [K]"""


class Thermal:
    """Solves for the temperatures of a network; ordered once.

    Parameters
    ----------
    case : Case    Checked.

    Check : tests/unit/solvers/coolant/test_thermal.py, tests/verification/test_coolant.py
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        branches, exchangers = case.branches, case.exchangers
        ends = np.column_stack([branches.a, branches.b])
        self._two = exchangers.side[:, 1] >= 0
        sides = exchangers.side[self._two]
        cross = [
            (i, j) for one, other in sides.tolist() for i in ends[one].tolist() for j in ends[other].tolist()
        ]
        pairs = np.concatenate([ends, np.array(cross, dtype=np.int64).reshape(-1, 2)])
        self._pattern = analyse(case.fluid.size, pairs)
        self._value = np.zeros(self._pattern.column.size)
        self._work = np.zeros(case.fluid.size)
        self.boundary = ~np.isnan(case.p_fixed)
        self._nodes = [(f, np.flatnonzero(case.fluid == i)) for i, f in enumerate(case.fluids)]
        of_branch = case.fluid[branches.a]
        self._branches = [(f, np.flatnonzero(of_branch == i)) for i, f in enumerate(case.fluids)]

    def of_nodes(self, name: str, values: Vector) -> Vector:
        """Property of the coolant at the nodes.

        Parameters
        ----------
        name : str    Method of `Fluid`.
        values : float64[nn]

        Returns
        -------
        float64[nn]
        """
        return _each(self._nodes, name, values)

    def of_branches(self, name: str, values: Vector) -> Vector:
        """Property of the coolant in the branches.

        Parameters
        ----------
        name : str    Method of `Fluid`.
        values : float64[nb]

        Returns
        -------
        float64[nb]
        """
        return _each(self._branches, name, values)

    def upstream(self, m_flow: Vector) -> np.ndarray:
        """Nodes that the branches are fed from.

        Parameters
        ----------
        m_flow : float64[nb]

        Returns
        -------
        int64[nb]
        """
        return np.where(m_flow >= 0, self.case.branches.a, self.case.branches.b)

    def warming(self, flow: Flow, rho: Vector, speed: Vector) -> tuple[Vector, Vector]:
        """Heat of friction in the branches, and shaft power of the pumps.

        What a pump takes and does not give as pressure warms the coolant; so does every loss of pressure.

        Parameters
        ----------
        flow : Flow
        rho : float64[nb]    [kg/m3]
        speed : float64[nb]    Settings, of which the pumps' are read.

        Returns
        -------
        float64[nb], float64[np]    [W]
        """
        V = flow.m_flow / rho
        warm = V * flow.dp
        branch = self.case.pumps.branch
        power = shaft_power(self.case, V[branch], -flow.dp[branch], speed[branch])
        warm[branch] += power
        return warm, power

    def external(self, m_flow: Vector, inputs: Inputs) -> Vector:
        """Mass flow into each node from outside of the network. [kg/s].

        Parameters
        ----------
        m_flow : float64[nb]
        inputs : Inputs

        Returns
        -------
        float64[nn]
        """
        net = np.bincount(self.case.branches.a, m_flow, minlength=self.boundary.size)
        net -= np.bincount(self.case.branches.b, m_flow, minlength=self.boundary.size)
        return np.where(self.boundary, net, inputs.supply)

    def exchange(self, m_flow: Vector, inputs: Inputs, cp: Vector) -> Vector:
        """Heat into side 1 of the exchangers over the difference of the inlet temperatures. [W/K].

        Parameters
        ----------
        m_flow : float64[nb]
        inputs : Inputs
        cp : float64[nb]    At the inlets. [J/(kg K)]

        Returns
        -------
        float64[nx]
        """
        exchangers = self.case.exchangers
        if not exchangers.resistance.size:
            return np.zeros(0)
        one, other = exchangers.side.T
        m = np.column_stack([m_flow[one], np.where(self._two, m_flow[other], inputs.air_flow)])
        still = STILL * max(float(np.abs(m_flow).max()), 1e-9)
        m[np.abs(m) <= still] = 0.0
        C = m * np.column_stack([cp[one], np.where(self._two, cp[other], AIR_CP)])
        return gain(exchangers, m, C)

    def nodes(self, m_flow: Vector, lines: Lines, G: Vector, inputs: Inputs, T: Vector) -> Vector:
        """Temperatures of the nodes.                                                              (C25).

        Parameters
        ----------
        m_flow : float64[nb]
        lines : Lines
        G : float64[nx]    From `exchange`. [W/K]
        inputs : Inputs
        T : float64[nn]    Where to start; kept where nothing flows. [K]

        Returns
        -------
        float64[nn]    [K]

        Raises
        ------
        ConvergenceError    No temperatures balance the heat.
        """
        case, pattern = self.case, self._pattern
        external = self.external(m_flow, inputs)
        h_outside = self.of_nodes("enthalpy", inputs.T)
        T, step, residual = T.copy(), np.empty_like(T), np.empty_like(T)
        nb = case.branches.a.size
        history = []
        for _ in range(_ITERATIONS):
            h, cp = self.of_nodes("enthalpy", T), self.of_nodes("specific_heat", T)
            _assemble(
                *(case.branches.a, case.branches.b, m_flow, lines.alpha, lines.beta, h, cp, T),
                *(external, h_outside, lines.kept, lines.held),
                *(case.exchangers.side, G, inputs.T_air),
                *(pattern.diagonal, pattern.off_diagonal, nb, self._value, residual),
            )
            row = factorise(pattern.start, pattern.column, pattern.middle, self._value, self._work)
            if row >= 0:
                name = case.node_names[int(pattern.order[row])]
                raise ConvergenceError(
                    f"node {name!r}: no heat leaves its circuit, so it has no temperature", history
                )
            substitute(
                *(pattern.order, pattern.start, pattern.column, pattern.middle),
                *(self._value, residual, self._work, step),
            )
            T += step
            history.append(float(np.abs(step).max()))
            if history[-1] <= _AGREE * max(1.0, float(np.abs(T).max()) * 1e-3):
                return T
        worst = case.node_names[int(np.abs(step).argmax())]
        raise ConvergenceError(
            f"network: no temperatures found in {len(history)} iterations; worst node {worst!r}, changes "
            f"{', '.join(f'{x:.2e}' for x in history[-5:])} K",
            history,
        )

    def taken(self, size: Vector, cp: Vector, heat: Vector) -> Vector:
        """Heat of the branches, 0 where the flow is too small to carry it away.

        Parameters
        ----------
        size : float64[nb]    Of the flow. [kg/s]
        cp : float64[nb]    [J/(kg K)]
        heat : float64[nb]    [W]

        Returns
        -------
        float64[nb]
        """
        away = size * cp + self.case.branches.UA
        return np.where(np.abs(heat) <= MOST_RISE * away, heat, 0.0)

    def exchanged(self, G: Vector, inputs: Inputs, T_in: Vector) -> Vector:
        """Heat into the branches from exchangers. [W].

        Parameters
        ----------
        G : float64[nx]
        inputs : Inputs
        T_in : float64[nb]    [K]

        Returns
        -------
        float64[nb]
        """
        exchangers = self.case.exchangers
        one, other = exchangers.side.T if G.size else (np.zeros(0, np.int64),) * 2
        second = np.where(self._two, T_in[other], inputs.T_air)
        Q = G * (second - T_in[one])
        out = np.bincount(one, Q, minlength=T_in.size).astype(np.float64)
        return out - np.bincount(other[self._two], Q[self._two], minlength=T_in.size)


AIR_CP = 1006.0
"""Specific heat of the air of coils; that of `airflow.case.CP`. [J/(kg K)]"""


def _each(groups, name: str, values: Vector) -> Vector:
    if len(groups) == 1:
        return getattr(groups[0][0], name)(values)
    out = np.empty(values.size)
    for fluid, which in groups:
        out[which] = getattr(fluid, name)(values[which])
    return out


@njit(**options)
def _assemble(
    a,
    b,
    m_flow,
    alpha,
    beta,
    h,
    cp,
    T,
    external,
    h_outside,
    kept,
    held,
    side,
    G,
    T_air,
    diagonal,
    off_diagonal,
    first_cross,
    value,
    residual,
):
    """Fill the matrix of the changes of temperature and its right-hand side. (C25)."""
    value[:] = 0.0
    for n in range(h.size):
        come = max(external[n], 0.0)
        residual[n] = come * h_outside[n] + held[n] - (come + kept[n]) * h[n]
        value[diagonal[n]] = (come + kept[n]) * cp[n]
    for i in range(a.size):
        size = abs(m_flow[i])
        up, down = (a[i], b[i]) if m_flow[i] >= 0.0 else (b[i], a[i])
        residual[down] += size * (alpha[i] + beta[i] * h[up] - h[down])
        value[diagonal[down]] += size * cp[down]
        value[off_diagonal[i, 1 if m_flow[i] >= 0.0 else 0]] -= size * beta[i] * cp[up]
    cross = first_cross
    for x in range(G.size):
        one, other = side[x, 0], side[x, 1]
        ahead = m_flow[one] >= 0.0
        up, down = (a[one], b[one]) if ahead else (b[one], a[one])
        if other < 0:
            residual[down] += beta[one] * G[x] * (T_air[x] - T[up])
            value[off_diagonal[one, 1 if ahead else 0]] += beta[one] * G[x]
            continue
        on = m_flow[other] >= 0.0
        up2, down2 = (a[other], b[other]) if on else (b[other], a[other])
        Q = G[x] * (T[up2] - T[up])
        residual[down] += beta[one] * Q
        residual[down2] -= beta[other] * Q
        value[off_diagonal[one, 1 if ahead else 0]] += beta[one] * G[x]
        value[off_diagonal[other, 1 if on else 0]] += beta[other] * G[x]
        # pairs (a or b of side 1, a or b of side 2): rows downstream, columns upstream
        value[off_diagonal[cross + 2 * (1 if ahead else 0) + (0 if on else 1), 0]] -= beta[one] * G[x]
        value[off_diagonal[cross + 2 * (0 if ahead else 1) + (1 if on else 0), 1]] -= beta[other] * G[x]
        cross += 4
    for n in range(h.size):
        if value[diagonal[n]] <= 0.0:  # nothing flows: it keeps its temperature
            value[diagonal[n]], residual[n] = 1.0, 0.0
