"""Flow-through units: what they take from the room and what they give back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import CP, RHO, AirCase, UnitInputs, coil_heat
from solvers.airflow.geometry import Geometry
from solvers.errors import CaseError, GridMismatchError
from solvers.linear.multigrid import flat_cells, padded

_STILL = 1e-6  # m3/s below which a unit counts as standing still
STILL_TRANSFER = 10.0  # W/(m2 K); Incropera, Fundamentals of Heat and Mass Transfer, table 1.1: 2 to 25
_RESOLVED = 1e-4  # K; float32 temperatures near 300 K are 3e-5 K apart


class Units:
    """Sources and sinks of the units on the grid, for the inputs last set.

    Parameters
    ----------
    case : AirCase
    geometry : Geometry
    region : int64[padded]    Connected fluid region of each cell.
    T_ref : float    Temperature that theta counts from. [K]

    Attributes
    ----------
    V_supply : float    Air flow through all units. [m3/s]
    V_cooled : float    Air flow through the units in supply mode. [m3/s]
    inflow : float32[padded]    Volume that enters a cell from its patches, less what leaves. [m3/s]
    sink : float32[padded]    Volume that leaves a cell into units, and conductance of its walls. [m3/s]
    source : float32[padded]
        Inflow times its theta, plus heat / (rho cp), plus wall conductance times the wall's theta. [K m3/s]
    theta_ambient : float    Of the outside. [K]
    """

    def __init__(self, case: AirCase, geometry: Geometry, region: NDArray[np.int64], T_ref: float) -> None:
        self._case = case
        self._patches = geometry.patches
        self._region = region
        self._T_ref = T_ref
        self.count = case.unit_inlet.size
        unit_of_inlet = np.full(case.patch_axis.size, -1)
        unit_of_outlet = np.full(case.patch_axis.size, -1)
        for unit_of, patch in ((unit_of_inlet, case.unit_inlet), (unit_of_outlet, case.unit_outlet)):
            unit_of[patch[patch >= 0]] = np.flatnonzero(patch >= 0)
        self._from_ambient, self._to_ambient = case.unit_inlet < 0, case.unit_outlet < 0
        self._open_regions = np.zeros(0, dtype=np.int64)
        if case.ambient is not None:
            self._open_regions = np.unique(region[flat_cells(geometry.shape)[case.ambient & geometry.fluid]])
        owner = self._patches.owner
        self._inlet = unit_of_inlet[owner] if owner.size else np.zeros(0, dtype=np.int64)
        self._outlet = unit_of_outlet[owner] if owner.size else np.zeros(0, dtype=np.int64)
        self._is_inlet = np.flatnonzero(self._inlet >= 0)
        self._is_outlet = np.flatnonzero(self._outlet >= 0)
        size = geometry.volume.size
        self.inflow = np.zeros(size, dtype=np.float32)
        self.sink = np.zeros(size, dtype=np.float32)
        self.source = np.zeros(size, dtype=np.float32)
        self._inflow_cells = np.zeros(0, dtype=np.int64)
        self._inflow_exact = np.zeros(0)
        self.theta_ambient = 0.0
        self.V_supply = 0.0
        self.V_cooled = 0.0
        self.inputs: UnitInputs | None = None

    def set_inputs(self, inputs: UnitInputs) -> bool:
        """Take new inputs; returns whether a flow has changed.

        Raises
        ------
        GridMismatchError : an array has not one value per unit.
        CaseError : a value is out of range, or a closed region does not balance.
        """
        old = self.inputs
        if old is inputs:
            return False
        for name, values in zip(UnitInputs._fields[:5], inputs[:5], strict=True):
            if np.shape(values) != (self.count,):
                raise GridMismatchError(
                    f"inputs.{name}: shape {np.shape(values)}; there are {self.count} units."
                )
        fresh = UnitInputs(
            *(np.array(values, dtype=np.float64) for values in inputs[:5]), T_ambient=float(inputs.T_ambient)
        )
        fresh = fresh._replace(**self._coils(inputs))
        if not (np.isfinite(fresh.V_flow).all() and (fresh.V_flow >= 0).all()):
            raise CaseError(
                f"inputs.V_flow: flows must be finite and not negative, got {fresh.V_flow.tolist()}."
            )
        if not np.isfinite(fresh.Q_flow).all() or np.isinf(fresh.T_supply).any():
            raise CaseError(
                "inputs.Q_flow and inputs.T_supply: every value must be finite (T_supply may be NaN)."
            )
        if not ((fresh.C >= 0).all() and np.isfinite(fresh.C).all()):
            raise CaseError("inputs.C: thermal masses must be finite and not negative.")
        supply = ~np.isnan(fresh.T_supply)
        if not (fresh.Q_max[supply] >= 0).all():
            raise CaseError("inputs.Q_max: units in supply mode need a capacity >= 0 (inf is allowed).")
        if not (np.isfinite(fresh.T_ambient) and fresh.T_ambient > 0):
            raise CaseError(f"inputs.T_ambient: {fresh.T_ambient} K is no absolute temperature.")
        flow = np.where(fresh.V_flow > _STILL, fresh.V_flow, 0.0)
        fresh = fresh._replace(V_flow=flow)
        moved = old is None or not np.array_equal(old.V_flow, flow)
        if moved:
            self._check_regions(flow)
            self._set_flows(flow)
        self.inputs = fresh
        self.theta_ambient = fresh.T_ambient - self._T_ref
        self._supply = supply
        self._moving = flow > 0
        self.V_cooled = float(flow[supply].sum())
        capacity = np.where(supply & self._moving, fresh.Q_max, 0.0)
        safe = np.where(self._moving, flow, 1.0)
        self._drop = capacity / (RHO * CP * safe)
        assert fresh.coil is not None
        assert fresh.T_coil is not None
        self._coil = np.where(supply | ~self._moving, 0.0, fresh.coil)
        self._theta_coil = fresh.T_coil - self._T_ref
        self._rise = np.where(supply, 0.0, fresh.Q_flow) / (RHO * CP * safe)
        self._rate = np.divide(RHO * CP * safe, fresh.C, out=np.full(self.count, np.inf), where=fresh.C > 0)
        # heat of units that stand still goes into the air before their outlet
        still = np.where(~self._moving & ~supply & (fresh.C == 0), fresh.Q_flow, 0.0) / (RHO * CP)
        which = self._is_outlet
        area = np.zeros(self.count)
        inside = ~self._to_ambient
        area[inside] = self._patches.area[self._case.unit_outlet[inside]]
        self._leaks = ~self._moving & ~supply & (fresh.C > 0) & ~self._to_ambient
        self._conductance = np.where(self._leaks, STILL_TRANSFER * area, 0.0)
        self._deposit = still[self._outlet[which]] * self._patches.share[which]
        self._carried = flow[self._outlet[which]] * self._patches.share[which]
        return moved

    def _coils(self, inputs: UnitInputs) -> dict[str, NDArray[np.float64]]:
        """Coils as arrays, checked."""
        none = {"coil": np.zeros(self.count), "T_coil": np.full(self.count, self._T_ref)}
        given = {name: getattr(inputs, name) for name in none}
        found = {
            name: none[name] if v is None else np.array(v, dtype=np.float64) for name, v in given.items()
        }
        for name, values in found.items():
            if values.shape != (self.count,):
                raise GridMismatchError(f"inputs.{name}: shape {values.shape}; there are {self.count} units.")
        if not ((found["coil"] >= 0).all() and (found["coil"] <= 1).all()):
            raise CaseError("inputs.coil: shares must lie in 0..1.")
        if not (np.isfinite(found["T_coil"]).all() and (found["T_coil"] > 0).all()):
            raise CaseError("inputs.T_coil: temperatures must be finite and above 0 K.")
        return found

    def face_velocities(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Axis, flat index and velocity along + of every patch face."""
        patches = self._patches
        assert self.inputs is not None
        flow = np.zeros(patches.owner.size)
        flow[self._is_outlet] = self.inputs.V_flow[self._outlet[self._is_outlet]]
        flow[self._is_inlet] = -self.inputs.V_flow[self._inlet[self._is_inlet]]
        area = patches.area[patches.owner] if patches.owner.size else flow
        return patches.axis, patches.face, patches.side * flow / area

    def inflow_cells(self, shape: tuple[int, int, int]) -> NDArray[np.float64]:
        """Volume that enters each cell from its patches, [nx, ny, nz]. [m3/s]."""
        out = np.zeros(padded(shape))
        out.ravel()[self._inflow_cells] = self._inflow_exact
        return out[1 : shape[0] + 1, 1:-1, 1:-1]

    def inlet_theta(self, theta: NDArray[np.floating]) -> NDArray[np.float64]:
        """Area mean of theta over the inlet of each unit; the ambient's where that lies outside. [K]."""
        which = self._is_inlet
        values = theta[self._patches.cell[which]].astype(np.float64) * self._patches.share[which]
        sums = np.bincount(self._inlet[which], weights=values, minlength=self.count)
        return np.where(self._from_ambient, self.theta_ambient, sums)

    def pressure_rise(self, p: NDArray[np.floating]) -> NDArray[np.float64]:
        """Area mean of the pressure at the outlet of each unit less that at its inlet; 0 is the ambient's."""
        out = np.zeros(self.count)
        for which, unit, sign in ((self._is_outlet, self._outlet, 1), (self._is_inlet, self._inlet, -1)):
            values = p[self._patches.cell[which]].astype(np.float64) * self._patches.share[which]
            out += sign * np.bincount(unit[which], weights=values, minlength=self.count)
        return out

    def inlet_theta_max(self, theta: NDArray[np.floating]) -> NDArray[np.float64]:
        """Largest theta over the inlet of each unit. [K]."""
        which = self._is_inlet
        out = np.full(self.count, -np.inf)
        np.maximum.at(out, self._inlet[which], theta[self._patches.cell[which]].astype(np.float64))
        return np.where(self._from_ambient, self.theta_ambient, out)

    def set_source(self, theta_unit: NDArray[np.float64], leaked: NDArray[np.float64] | None = None) -> None:
        """Spread what the outlets give back, and what still units leak [W], over the cells before them."""
        which = self._is_outlet
        cells = self._patches.cell[which]
        self.source[cells] = 0
        given = self._carried * theta_unit[self._outlet[which]] + self._deposit
        if leaked is not None:
            given += leaked[self._outlet[which]] / (RHO * CP) * self._patches.share[which]
        np.add.at(self.source, cells, given)

    @property
    def leaks(self) -> bool:
        """Whether a unit with thermal mass stands still and warms the air before its outlet."""
        return bool(self._leaks.any())

    def leaked_heat(
        self, theta_unit: NDArray[np.float64], theta: NDArray[np.floating], dt: float
    ) -> NDArray[np.float64]:
        """Heat that still units with thermal mass give to the air before their outlets over dt. (E10). [W].

        ``C dT/dt = Q_flow - U A (T - T_air)`` solved exactly with T_air held; dt = 0 is the rate of now.
        """
        inputs = self.inputs
        assert inputs is not None
        which = self._is_outlet
        values = theta[self._patches.cell[which]].astype(np.float64) * self._patches.share[which]
        beside = np.bincount(self._outlet[which], weights=values, minlength=self.count)
        conductance = np.where(self._leaks, self._conductance, 1.0)
        excess = theta_unit - beside - inputs.Q_flow / conductance
        passed = dt * conductance / np.where(self._leaks, inputs.C, 1.0)
        mean = np.divide(-np.expm1(-passed), passed, out=np.ones(self.count), where=passed > 0)
        return np.where(self._leaks, inputs.Q_flow + conductance * excess * mean, 0.0)

    def outlet_theta(
        self,
        theta_unit: NDArray[np.float64],
        theta_in: NDArray[np.float64],
        dt: float,
        leaked: NDArray[np.float64] | float = 0.0,
    ) -> NDArray[np.float64]:
        """Outlet temperatures after dt: heat or cooling of the inlet air, lagged by thermal mass. (E10).

        A coil stands before the mass: it feels the heat of now, and what it does is lagged as the heat is.
        """
        inputs = self.inputs
        assert inputs is not None
        cooled = np.minimum(theta_in, np.maximum(inputs.T_supply - self._T_ref, theta_in - self._drop))
        warmed = theta_in + self._rise
        warmed -= self._coil * (warmed - self._theta_coil)
        target = np.where(self._supply, cooled, warmed)
        reached = target + (theta_unit - target) * np.exp(-dt * self._rate)
        heavy = inputs.C > 0
        still = theta_unit + np.where(
            heavy & ~self._supply, (inputs.Q_flow - leaked) * dt / np.where(heavy, inputs.C, 1.0), 0.0
        )
        return np.where(self._moving, reached, np.where(heavy, still, theta_in))

    def heat(
        self,
        theta_unit: NDArray[np.float64],
        theta_in: NDArray[np.float64],
        leaked: NDArray[np.float64] | float = 0.0,
    ) -> tuple[float, float]:
        """Heat given to the air by heat-mode units, taken by supply-mode units and coils. [W]."""
        inputs = self.inputs
        assert inputs is not None
        back = np.where(self._to_ambient, self.theta_ambient, theta_unit)
        given = RHO * CP * inputs.V_flow * (back - theta_in)
        still = np.where(~self._moving & (inputs.C == 0), inputs.Q_flow, 0.0)
        taken = self._supply | self._to_ambient
        by_coils = np.where(taken, 0.0, coil_heat(inputs, theta_in + self._T_ref))
        gained = float((given + still + leaked + by_coils)[~taken].sum())
        return gained, float(by_coils.sum() - given[taken].sum())

    @property
    def heat_resolved(self) -> float:
        """Heat that the stored temperatures do not tell from none. [W]."""
        return RHO * CP * self.V_supply * _RESOLVED + 1e-3

    def heat_apart(self, Q_in: float, Q_out: float) -> float:
        """|Q_in - Q_out| / Q_in; 0 where both are below what the stored temperature resolves. [-]."""
        largest = max(abs(Q_in), abs(Q_out))
        if largest <= self.heat_resolved:
            return 0.0
        return abs(Q_in - Q_out) / (abs(Q_in) if abs(Q_in) > 0 else largest)

    def heat_and_capacity(self) -> tuple[float, float]:
        """Heat of the heat-mode units and cooling capacity of the supply-mode units that move air. [W].

        Of units with a coil none counts: how much of theirs gets into the room the temperatures tell.
        """
        inputs = self.inputs
        assert inputs is not None
        heat = float(inputs.Q_flow[~self._supply & (self._coil == 0.0)].sum())
        return heat, float(inputs.Q_max[self._supply & self._moving].sum())

    def start_temperature(self) -> float:
        """Temperature to start a steady solve from: the mean supply, else T_ref. [K]."""
        inputs = self.inputs
        assert inputs is not None
        blow = self._supply & self._moving
        if not blow.any():
            return self._T_ref
        return float(np.average(inputs.T_supply[blow], weights=inputs.V_flow[blow]))

    def supply_theta(self, theta_unit: NDArray[np.float64]) -> float | None:
        """Flow-weighted outlet theta of the supply-mode units; None if one of them is at its limit. [K]."""
        inputs = self.inputs
        assert inputs is not None
        blow = self._supply & self._moving
        if not blow.any() or (np.abs(theta_unit - (inputs.T_supply - self._T_ref))[blow] > 0.1).any():
            return None
        return float(np.average(theta_unit[blow], weights=inputs.V_flow[blow]))

    def _set_flows(self, flow: NDArray[np.float64]) -> None:
        patches = self._patches
        leave, enter = self._is_inlet, self._is_outlet
        out = flow[self._inlet[leave]] * patches.share[leave]
        into = flow[self._outlet[enter]] * patches.share[enter]
        cells = np.concatenate([patches.cell[enter], patches.cell[leave]])
        self._inflow_cells, place = np.unique(cells, return_inverse=True)
        self._inflow_exact = np.bincount(place, weights=np.concatenate([into, -out]))
        self.inflow[:] = self.sink[:] = 0
        self.inflow[self._inflow_cells] = self._inflow_exact
        np.add.at(self.sink, patches.cell[leave], out)
        self.V_supply = float(flow.sum())

    def _check_regions(self, flow: NDArray[np.float64]) -> None:
        """Each closed region must get as much air as it gives."""
        patches = self._patches
        room = self._region[patches.cell]
        through = np.zeros(patches.owner.size)
        enter, leave = self._is_outlet, self._is_inlet
        through[enter] = flow[self._outlet[enter]] * patches.share[enter]
        through[leave] = -flow[self._inlet[leave]] * patches.share[leave]
        net = np.bincount(room, weights=through)
        total = np.bincount(room, weights=np.abs(through))
        closed = ~np.isin(np.arange(net.size), self._open_regions)
        astray = np.flatnonzero((closed & (np.abs(net) > 1e-6 * np.maximum(total, _STILL)))[room])
        if astray.size:
            number = int(room[astray[0]])
            members = np.unique(patches.owner[room == number]).tolist()
            raise CaseError(
                f"closed air region {number}: patches {members} bring {net[number]:+.6g} m3/s net into it; "
                "it must be 0. Give it an opening (a leak, a tile) or match the flows of its units."
            )
