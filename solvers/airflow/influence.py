"""Influence of every unit's heat and supply on every unit's inlet, by adjoints of a frozen flow.

With the units cut out of E19 the air alone is linear in what the outlets blow::

    T_in = G T_out + g T_ambient + D Q_flow + walls                                            (E20)

G[i, j] is the share of the air at inlet i that came from outlet j without passing another unit. Row i follows
from one adjoint solve  K^T lambda = inlet i  and lambda answers for any source: outlets, openings, walls. The
units close the circle in a small dense system: T_out = passes T_in + gives (E10), hence

    T_in = T0 + A Q_flow + B T_supply + a T_ambient,      A, B, a = (I - G passes)^-1 (...)    (E21)

It holds for any load at this flow while every cooler keeps its mode; `Influence.inlets` switches modes as
`settle_frozen` does. It does not hold for another flow: freeze that; keep one influence per failed cooler.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from solvers.airflow.case import CP, RHO, UnitInputs
from solvers.airflow.frozen import FrozenFlow
from solvers.airflow.heat_operator import HeatOperator, Modes
from solvers.errors import ConvergenceError

_EXACT = 1e-11  # relative residual of an adjoint solve
_BATCH = 64  # adjoints in memory at a time
_SWITCHES = 20
_ADRIFT = 1e-9  # share of its own air below which a loop of units has no way out

Floats = NDArray[np.float64]


class Influence(NamedTuple):
    """Response of the units' inlet temperatures; rows are inlets.

    Attributes
    ----------
    T0 : float64[nu]    [K]
    A : float64[nu, nu]    dT_inlet / dQ_flow; 0 in the columns of coolers. [K/W]
    B : float64[nu, nu]    dT_inlet / dT_supply; 0 but in the columns of coolers at their set point. [-]
    a : float64[nu]    dT_inlet / dT_ambient. [-]
    G : float64[nu, nu]    Share of the inlet's air that comes straight from each outlet. [-]
    g : float64[nu]    Share that comes straight from the ambient, and what walls of fixed T add to it. [-]
    D : float64[nu, nu]    T_inlet per heat of units that stand still, directly. [K/W]
    walls : float64[nu]    What walls that hold a temperature add, as theta. [K]
    kind : int64[nu]    Modes that T0, A, B, a hold for; see `heat_operator.Modes`.
    operator : HeatOperator
    """

    T0: Floats
    A: Floats
    B: Floats
    a: Floats
    G: Floats
    g: Floats
    D: Floats
    walls: Floats
    kind: NDArray[np.int64]
    operator: HeatOperator

    def inlets(self, inputs: UnitInputs) -> Floats:
        """Inlet temperatures of any loads and set points at the frozen flow, coolers at capacity included.

        Parameters
        ----------
        inputs : UnitInputs
            V_flow is not read.

        Returns
        -------
        float64[nu]    [K]

        Raises
        ------
        ConvergenceError : there is no steady state.
        """
        theta, _ = _close(self.operator, self.G, self._direct(inputs), inputs)
        return theta + self.operator.T_ref

    def holds(self, inputs: UnitInputs) -> bool:
        """Whether T0 + A Q_flow + B T_supply + a T_ambient is exact: no cooler leaves its mode."""
        _, modes = _close(self.operator, self.G, self._direct(inputs), inputs)
        return bool(np.array_equal(modes.kind, self.kind))

    def _direct(self, inputs: UnitInputs) -> Floats:
        still = np.where(np.isnan(inputs.T_supply), inputs.Q_flow, 0.0)
        return self.g * (inputs.T_ambient - self.operator.T_ref) + self.D @ still + self.walls


class CaptureIndices(NamedTuple):
    """Capture indices of racks (VanGilder and Shrivastava 2007); NaN for other units.

    Attributes
    ----------
    cold_aisle : float64[nu]    Share of the inlet's air that comes straight from coolers. [-]
    hot_aisle : float64[nu]    Share of the outlet's air that coolers take in straight. [-]
    """

    cold_aisle: Floats
    hot_aisle: Floats


def influence(frozen: FrozenFlow, inputs: UnitInputs) -> Influence:
    """Solve one adjoint an inlet and close the units' circle.

    Parameters
    ----------
    frozen : FrozenFlow
    inputs : UnitInputs
        With the flows that were frozen; says which units cool, and their modes.

    Returns
    -------
    Influence

    Raises
    ------
    CaseError : the flows are not those that were frozen.
    ConvergenceError : there is no steady state.
    """
    inputs = frozen.check(inputs)
    op = frozen.operator
    shares, g, D, walls = _air(op, inputs)
    theta = g * (inputs.T_ambient - op.T_ref) + D @ inputs.Q_flow + walls
    _, modes = _close(op, shares, theta, inputs)
    carried = RHO * CP * np.where(op.moving, op.V_flow, 1.0)
    heated = op.moving & np.isnan(inputs.T_supply)
    at_limit, at_set_point = modes.kind == 2, modes.kind == 1
    coils = np.where(heated, modes.gives - modes.passes * inputs.Q_flow / carried, 0.0)
    loop = np.eye(op.units) - shares * modes.passes * op.moving
    sources = np.column_stack(
        [
            walls + shares @ (np.where(at_limit, modes.gives, 0.0) + coils),
            g,
            shares * np.where(heated, modes.passes / carried, 0.0) + D,
            shares * at_set_point,
        ]
    )
    answer = _solved(loop, sources)
    a, A, B = answer[:, 1], answer[:, 2 : 2 + op.units], answer[:, 2 + op.units :]
    T0 = answer[:, 0] + op.T_ref * (1 - a - B.sum(axis=1))
    return Influence(T0, A, B, a, shares, g, D, walls, modes.kind, op)


def capture_indices(frozen: FrozenFlow, found: Influence, inputs: UnitInputs | None = None) -> CaptureIndices:
    """How much of each rack's air coolers give and take.

    Parameters
    ----------
    frozen : FrozenFlow
    found : Influence
        Of that flow.
    inputs : UnitInputs, optional
        Says which units are coolers: those with a supply temperature. Without it those that were in supply
        mode when `found` was made.

    Returns
    -------
    CaptureIndices
    """
    op = frozen.operator
    cools = found.kind > 0 if inputs is None else ~np.isnan(inputs.T_supply)
    cools = cools & op.moving
    rack = op.moving & ~cools
    into_coolers = (op.V_flow * cools) @ found.G
    hot = np.divide(into_coolers, op.V_flow, out=np.full(op.units, np.nan), where=rack)
    return CaptureIndices(np.where(rack, found.G @ cools.astype(float), np.nan), hot)


def _air(op: HeatOperator, inputs: UnitInputs) -> tuple[Floats, Floats, Floats, Floats]:
    """G, g, D and walls of E20: adjoint solves, a batch of inlets at a time."""
    nothing = np.zeros(op.units)
    cut = op.system(inputs, Modes(np.zeros(op.units, dtype=np.int64), nothing, nothing))
    solver = op.solver(cut, transposed=True)
    still = ~op.moving & np.isnan(inputs.T_supply)
    leaks = op.leaks(inputs)
    at, leaking = op.outlet, np.flatnonzero(leaks)
    some = (still & ~leaks)[at.unit]
    row = np.concatenate([at.cell[some], op.unit[leaks]])
    column = np.concatenate([at.unit[some], leaking])
    share = np.concatenate([at.share[some], np.ones(leaking.size)])
    beside = coo_array((share, (row, column)), shape=(op.count, op.units)).tocsr()
    shares, D = np.zeros((op.units, op.units)), np.zeros((op.units, op.units))
    g, walls = op.from_ambient.astype(float), np.zeros(op.units)
    inside = np.flatnonzero(~op.from_ambient)
    for first in range(0, inside.size, _BATCH):
        some_inlets = inside[first : first + _BATCH]
        weights = np.zeros((op.count, some_inlets.size))
        for column, inlet in enumerate(some_inlets):
            mine = op.inlet.unit == inlet
            np.add.at(weights[:, column], op.inlet.cell[mine], op.inlet.share[mine])
        adjoint = solver.solve(weights, _EXACT)
        shares[some_inlets] = adjoint[op.unit].T * np.where(op.moving, op.V_flow, 0.0)
        g[some_inlets] = op.ambient @ adjoint
        walls[some_inlets] = op.warm @ adjoint
        D[some_inlets] = (beside.T @ adjoint).T / (RHO * CP)
    return shares, g, D, walls


def _solved(matrix: Floats, right: Floats) -> Floats:
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)


def _close(op: HeatOperator, shares: Floats, direct: Floats, inputs: UnitInputs) -> tuple[Floats, Modes]:
    """Inlet theta and modes of all units together; `direct` is what comes not from units that move air."""
    modes = op.modes(inputs, None)
    for _ in range(_SWITCHES):
        loop = np.eye(op.units) - shares * modes.passes * op.moving
        if np.linalg.cond(loop) > 1 / _ADRIFT:
            break
        theta_in = _solved(loop, direct + shares @ (modes.gives * op.moving))
        fresh = op.modes(inputs, theta_in)
        if np.array_equal(fresh.kind, modes.kind):
            return theta_in, modes
        modes = fresh
    raise ConvergenceError(
        "influence: there is no steady state; the coolers cannot take the heat. Raise their capacity."
    )
