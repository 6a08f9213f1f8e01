"""Flows and pressures of a coolant network: prepared once, solved again and again.

    node     sum of m_flow in - sum out + supply = 0 (a vessel: what it stores)                  (C14)
    branch   p_a - p_b + rho g (z_a - z_b) = dp(m_flow) [+ inertance dm_flow/dt]                 (C15)

Newton's method on both at once. The flows are eliminated branch by branch, which leaves a symmetric system for
the pressures (Todini and Pilati 1988). Every loss grows with its flow, so the solution minimises a convex
function, the content, and a step is shortened where the content would rise: Newton then converges from
anywhere, through zero flow, reversal, and check valves that open and close.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solvers.coolant.checks import check_case, check_inputs
from solvers.coolant.components import SPEED, Case, Inputs, Vector
from solvers.coolant.factor import analyse, factorise, substitute
from solvers.coolant.terms import losses
from solvers.errors import CaseError, ConvergenceError, GridMismatchError
from solvers.linear.kernels import options

GRAVITY = 9.81
"""[m/s2]"""
_ITERATIONS = 80
_SHOWN = 5  # last iterates in an error
_CUTS = 12  # of a step, at most
_TOLERANCE = 1e-10  # of the largest flow and pressure difference


class Flow(NamedTuple):
    """Result of `solve`.

    Attributes
    ----------
    p : float64[nn]    [Pa]
    m_flow : float64[nb]    Positive from a to b. [kg/s]
    dp : float64[nb]    Lost from a to b, negative in a running pump. [Pa]
    mass_relative : float    Largest imbalance of a node over the largest flow. [-]
    iterations : int
    """

    p: Vector
    m_flow: Vector
    dp: Vector
    mass_relative: float
    iterations: int


class Storage(NamedTuple):
    """What a time step adds to the equations; `None` in a steady solve.

    Attributes
    ----------
    dt : float    [s]
    m_old : float64[nb]    Flows at its start. [kg/s]
    mass_old : float64[nv]    Coolant in the vessels at its start. [kg]
    """

    dt: float
    m_old: Vector
    mass_old: Vector


class Network:
    """A network that is ready to be solved; made by `prepare`.

    Attributes
    ----------
    case : Case
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        branches = case.branches
        self._a, self._b = branches.a, branches.b
        self._pattern = analyse(case.fluid.size, np.column_stack([branches.a, branches.b]))
        self._boundary = ~np.isnan(case.p_fixed)
        self._vessel = np.zeros(case.fluid.size, dtype=bool)
        self._vessel[case.vessels.node] = True
        self._groups = [
            (fluid, np.flatnonzero(case.fluid[branches.a] == number))
            for number, fluid in enumerate(case.fluids)
        ]
        self._node_groups = [
            (fluid, np.flatnonzero(case.fluid == number)) for number, fluid in enumerate(case.fluids)
        ]
        self._drop = case.elevation[branches.a] - case.elevation[branches.b]
        self._pumping = branches.role[case.pumps.branch] == SPEED if case.pumps.branch.size else np.zeros(0)
        self._checked: tuple[bytes, tuple[str, ...]] = (b"", ())
        nodes = case.fluid.size
        self._work = np.zeros(nodes)
        self._value = np.zeros(self._pattern.column.size)
        self._dp, self._slope, self._trial = (np.zeros(branches.a.size) for _ in range(3))

    def inputs(self) -> Inputs:
        """Inputs as the network was built: nothing heated, all pumps driven, 293.15 K around.

        Returns
        -------
        Inputs    Own arrays; change them at will.
        """
        case = self.case
        nb, nn, nx = case.setting.size, case.fluid.size, case.exchangers.resistance.size
        T = np.where(np.isnan(case.T_fixed), 293.15, case.T_fixed)
        return Inputs(
            setting=case.setting.copy(),
            drive=np.ones(case.pumps.branch.size, dtype=bool),
            heat=np.zeros(nb),
            p=np.where(np.isnan(case.p_fixed), 0.0, case.p_fixed),
            T=T,
            supply=np.zeros(nn),
            T_ambient=np.full(nb, 293.15),
            air_flow=np.zeros(nx),
            T_air=np.full(nx, 293.15),
        )

    def find_branch(self, name: str) -> int:
        """Index of a branch by its name.

        Parameters
        ----------
        name : str

        Returns
        -------
        int

        Raises
        ------
        CaseError    There is none.
        """
        if name not in self.case.branch_names:
            raise CaseError(f"branch {name!r}: the network has none of that name")
        return self.case.branch_names.index(name)

    def find_node(self, name: str) -> int:
        """Index of a node by its name.

        Parameters
        ----------
        name : str

        Returns
        -------
        int

        Raises
        ------
        CaseError    There is none.
        """
        if name not in self.case.node_names:
            raise CaseError(f"node {name!r}: the network has none of that name")
        return self.case.node_names.index(name)

    def findings(self, inputs: Inputs) -> tuple[str, ...]:
        """Say what is wrong with the present settings: a running pump whose way is shut, no drive at all.

        Parameters
        ----------
        inputs : Inputs

        Returns
        -------
        tuple of str    One a fault; looked up if openings and drives are as before.
        """
        key = (inputs.setting > 0).tobytes() + inputs.drive.tobytes()
        if self._checked[0] != key:
            self._checked = (key, check_inputs(self.case, self.running(inputs)))
        return self._checked[1]

    def running(self, inputs: Inputs) -> Vector:
        """Settings with the speed of pumps without drive at 0.

        Parameters
        ----------
        inputs : Inputs

        Returns
        -------
        float64[nb]
        """
        setting = inputs.setting.astype(np.float64)
        branch = self.case.pumps.branch
        setting[branch] = np.where(inputs.drive, setting[branch], 0.0)
        return setting

    def density(self, T: Vector) -> Vector:
        """Density in branches of given temperature. [kg/m3].

        Parameters
        ----------
        T : float64[nb]    [K]

        Returns
        -------
        float64[nb]
        """
        out = np.empty(self._a.size)
        for fluid, which in self._groups:
            out[which] = fluid.density(T[which])
        return out

    def viscosity(self, T: Vector) -> Vector:
        """Dynamic viscosity in branches of given temperature. [Pa s].

        Parameters
        ----------
        T : float64[nb]    [K]

        Returns
        -------
        float64[nb]
        """
        out = np.empty(self._a.size)
        for fluid, which in self._groups:
            out[which] = fluid.viscosity(T[which])
        return out

    def solve(
        self,
        setting: Vector,
        inputs: Inputs,
        p_vessel: Vector,
        T: Vector,
        guess: Flow | None = None,
        storage: Storage | None = None,
    ) -> Flow:
        """Flows and pressures at given settings and temperatures; the public way in is the function `solve`.

        Parameters
        ----------
        setting : float64[nb]    Speeds of pumps as they turn.
        inputs : Inputs    Its settings and drives are not read.
        p_vessel : float64[nv]    Pressure of the vessels' nodes; in a time step where to start. [Pa]
        T : float64[nb]    Mean temperature of the branches. [K]
        guess : Flow, optional
        storage : Storage, optional    A time step.

        Returns
        -------
        Flow

        Raises
        ------
        ConvergenceError    Newton's method did not converge; names the worst node.
        """
        case, branches = self.case, self.case.branches
        rho, mu = self.density(T), self.viscosity(T)
        m = np.zeros(self._a.size) if guess is None else guess.m_flow.astype(np.float64)
        p = np.where(self._boundary, inputs.p, 2e5 if guess is None else guess.p)
        p[case.vessels.node] = p_vessel
        lift = rho * GRAVITY * self._drop
        held = self._boundary | self._vessel if storage is None else self._boundary
        inertia = np.zeros(m.size) if storage is None else branches.inertance / storage.dt
        m_old = m if storage is None else storage.m_old
        vessels = _Stored(case, rho, self._vessel_density(T)) if storage is not None else None
        dp, slope, step = self._dp, self._slope, np.empty_like(p)
        history: list[tuple[float, float]] = []
        for iteration in range(_ITERATIONS):
            losses(branches, m, rho, mu, setting, dp, slope)
            dp += inertia * (m - m_old)
            slope += inertia
            error = p[self._a] - p[self._b] + lift - dp
            lack = inputs.supply - _outflow(self._a, self._b, m, p.size)
            capacity = np.zeros(p.size)
            if vessels is not None and storage is not None:
                mass, compliance = vessels.at(p)
                lack[case.vessels.node] -= (mass - storage.mass_old) / storage.dt
                capacity[case.vessels.node] = compliance / storage.dt
            lack[held] = 0.0
            scale_m, scale_p = self._scales(m, p, dp)
            history.append((float(np.abs(error).max() / scale_p), float(np.abs(lack).max() / scale_m)))
            if iteration and max(history[-1]) <= _TOLERANCE:
                dp -= inertia * (m - m_old)
                return Flow(p, m, dp.copy(), history[-1][1], iteration)
            self._step(error, lack, capacity, held, slope, step)
            change = (error + step[self._a] - step[self._b]) / slope
            part = self._shorten(change, error, m, lift, p, m_old, inertia, (rho, mu, setting))
            m = m + part * change
            p = p + part * step
        raise self._failed(history, error, lack)

    def _step(
        self,
        error: Vector,
        lack: Vector,
        capacity: Vector,
        held: NDArray[np.bool_],
        slope: Vector,
        step: Vector,
    ) -> None:
        """Set step to the change of the pressures."""
        pattern, value = self._pattern, self._value
        right = _assemble(
            *(self._a, self._b, 1.0 / slope, error, lack, capacity, held),
            *(pattern.diagonal, pattern.off_diagonal, value),
        )
        row = factorise(pattern.start, pattern.column, pattern.middle, value, self._work)
        if row >= 0:  # cannot be: every branch conducts and every part holds a pressure
            name = self.case.node_names[int(pattern.order[row])]
            raise ConvergenceError(f"node {name!r}: nothing holds its pressure; the matrix is singular")
        substitute(
            pattern.order, pattern.start, pattern.column, pattern.middle, value, right, self._work, step
        )

    def _shorten(
        self,
        change: Vector,
        error: Vector,
        m: Vector,
        lift: Vector,
        p: Vector,
        m_old: Vector,
        inertia: Vector,
        state: tuple[Vector, Vector, Vector],
    ) -> float:
        """Part of the step at which the content is near its least along it. (C16)."""
        fall = float(change @ error)
        if not fall > 0.0:  # the flows do not balance yet: take the step that makes them
            return 1.0
        low, high, at = 0.0, 1.0, 1.0
        rho, mu, setting = state
        for _ in range(_CUTS):
            trial = m + at * change
            losses(self.case.branches, trial, rho, mu, setting, self._dp, self._trial)
            here = self._dp + inertia * (trial - m_old)
            left = float(change @ (p[self._a] - p[self._b] + lift - here))
            if left > -0.5 * fall and (at == 1.0 or left < 0.5 * fall):
                return at
            if left < 0.0:
                high = at
            else:
                low = at
            at = 0.5 * (low + high)
        return at

    def _scales(self, m: Vector, p: Vector, dp: Vector) -> tuple[float, float]:
        return max(float(np.abs(m).max()), 1e-9), max(float(np.abs(dp).max()), float(np.ptp(p)), 1.0)

    def _vessel_density(self, T: Vector) -> Vector:
        case = self.case
        out = np.empty(case.vessels.node.size)
        for i, node in enumerate(case.vessels.node.tolist()):
            beside = (self._a == node) | (self._b == node)
            out[i] = float(case.fluids[case.fluid[node]].density(float(T[beside].mean())))
        return out

    def _failed(self, history: list[tuple[float, float]], error: Vector, lack: Vector) -> ConvergenceError:
        worst = np.abs(lack) / max(float(np.abs(lack).max()), 1e-300)
        if history[-1][0] >= history[-1][1]:
            node = int(self._b[np.abs(error).argmax()])
            what = f"branch {self.case.branch_names[int(np.abs(error).argmax())]!r} is off by {np.abs(error).max():.3g} Pa"
        else:
            node = int(worst.argmax())
            what = f"its flows are off by {np.abs(lack).max():.3g} kg/s"
        last = "; ".join(f"{a:.2e} Pa/Pa, {b:.2e} kg/kg" for a, b in history[-_SHOWN:])
        return ConvergenceError(
            f"network: no solution after {len(history)} iterations. Worst node {self.case.node_names[node]!r}: {what}. "
            f"Last residuals: {last}. Look at the settings around it; start from a solved state.",
            [max(pair) for pair in history],
        )


class _Stored:
    """Coolant in the vessels as a function of the pressure at their nodes."""

    def __init__(self, case: Case, rho: Vector, rho_vessel: Vector) -> None:
        self._vessels, self._rho = case.vessels, rho_vessel

    def at(self, p: Vector) -> tuple[Vector, Vector]:
        from solvers.coolant.vessels import stored  # noqa: PLC0415

        return stored(self._vessels, p[self._vessels.node], self._rho)


def prepare(case: Case) -> Network:
    """Check a network and order its equations.

    Parameters
    ----------
    case : Case

    Returns
    -------
    Network

    Raises
    ------
    CaseError    The network cannot be solved; names every fault.
    """
    faults = check_case(case)
    if faults:
        raise CaseError("network: " + "; ".join(faults))
    return Network(case)


@njit(**options)
def _outflow(a, b, m, nodes):
    out = np.zeros(nodes)
    for i in range(m.size):
        out[a[i]] += m[i]
        out[b[i]] -= m[i]
    return out


@njit(**options)
def _assemble(a, b, conductance, error, lack, capacity, held, diagonal, off_diagonal, value):
    """Fill the matrix of the pressures' changes and return its right-hand side. (C14, C15)."""
    right = lack.copy()
    value[:] = 0.0
    for n in range(lack.size):
        value[diagonal[n]] = 1.0 if held[n] else capacity[n]
    for i in range(a.size):
        g = conductance[i]
        if not held[a[i]]:
            value[diagonal[a[i]]] += g
            value[off_diagonal[i, 0]] -= g
            right[a[i]] -= g * error[i]
        if not held[b[i]]:
            value[diagonal[b[i]]] += g
            value[off_diagonal[i, 1]] -= g
            right[b[i]] += g * error[i]
    return right
