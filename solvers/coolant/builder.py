"""Builds the arrays of a coolant network element by element; every element has a name for messages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from solvers.coolant import components as c
from solvers.coolant.checks import check_case
from solvers.coolant.fluids import Fluid
from solvers.coolant.friction import LAMINAR_PIPE, bend_loss, f_re, loss_of_flow_coefficient
from solvers.coolant.pumps import fit_head, flow_at_no_head
from solvers.coolant.vessels import start_pressure
from solvers.errors import CaseError

_SMOOTH = 1.5e-6  # m, drawn tube and plastic (Moody 1944)
_BRANCH: dict[str, Any] = {
    "length": 0.0,
    "diameter": 0.0,
    "area": 0.0,
    "roughness": 0.0,
    "laminar": LAMINAR_PIPE,
    "loss": 0.0,
    "viscous": 0.0,
    "quadratic": 0.0,
    "role": c.PLAIN,
    "rangeability": 1.0,
    "one_way": False,
    "head": (0.0, 0.0, 0.0),
    "inertance": 0.0,
    "volume": 0.0,
    "UA": 0.0,
}
_INDICES = {"role", "branch", "node", "kind", "side", "arrangement", "a", "b"}
_FLAGS = {"one_way"}


class Builder:
    """Collects nodes and branches; `build` checks them and gives the arrays.

    Numbers are SI. `a` and `b` are nodes as `node` returns them; flow is positive from a to b. Methods return the
    branch's index, or several.

    Parameters
    ----------
    fluid : Fluid    Of nodes that name no other.
    """

    def __init__(self, fluid: Fluid) -> None:
        self._fluids = [fluid]
        self._nodes: list[dict[str, Any]] = []
        self._branches: list[dict[str, Any]] = []
        self._lists: dict[str, list[dict[str, Any]]] = {
            "pumps": [],
            "plates": [],
            "exchangers": [],
            "vessels": [],
        }
        self._faults: list[str] = []
        self._outside: dict[int, int] = {}

    def node(self, name: str, elevation: float = 0.0, fluid: Fluid | None = None) -> int:
        """Add a node.

        Parameters
        ----------
        name : str
        elevation : float    [m]
        fluid : Fluid, optional    The builder's, if left out.

        Returns
        -------
        int
        """
        wanted = self._fluids[0] if fluid is None else fluid
        if wanted not in self._fluids:
            self._fluids.append(wanted)
        number = self._fluids.index(wanted)
        self._nodes.append(
            {"name": name, "z": elevation, "fluid": number, "p": math.nan, "T": math.nan, "supply": 0.0}
        )
        return len(self._nodes) - 1

    def boundary(self, node: int, pressure: float, temperature: float) -> None:
        """Hold the pressure of a node: a port to outside, or the reference of a closed circuit.

        Parameters
        ----------
        node : int
        pressure : float    Absolute. [Pa]
        temperature : float    Of what comes in. [K]
        """
        row = self._nodes[node]
        if not math.isnan(row["p"]) and row["p"] != pressure:
            self._faults.append(
                f"node {row['name']!r}: its pressure is fixed twice, at {row['p']:g} and {pressure:g} Pa; keep one"
            )
        row["p"], row["T"] = pressure, temperature

    def demand(self, node: int, m_flow: float, temperature: float = 293.15) -> None:
        """Take mass from a node (negative: bring it in).

        Parameters
        ----------
        node : int
        m_flow : float    Out of the network. [kg/s]
        temperature : float    Of what is brought in. [K]
        """
        self._nodes[node]["supply"] = -m_flow
        if math.isnan(self._nodes[node]["T"]):
            self._nodes[node]["T"] = temperature

    def branch(self, name: str, a: int, b: int, setting: float = 1.0, **values: Any) -> int:
        """Add a branch by its bare parameters.

        Parameters
        ----------
        name : str
        a, b : int
        setting : float
        values : float    Fields of `components.Branches`.

        Returns
        -------
        int
        """
        self._branches.append({**_BRANCH, "name": name, "a": a, "b": b, "setting": setting, **values})
        return len(self._branches) - 1

    def pipe(
        self,
        name: str,
        a: int,
        b: int,
        length: float,
        diameter: float,
        *,
        roughness: float = _SMOOTH,
        loss: float = 0.0,
        UA: float = 0.0,
        parallel: int = 1,
    ) -> int:
        """Add a round pipe or hose.

        Parameters
        ----------
        name : str
        a, b : int
        length, diameter : float    [m]
        roughness : float    Absolute. [m]
        loss : float    Sum of the loss coefficients of its bends and fittings. [-]
        UA : float    Heat loss to the surroundings. [W/K]
        parallel : int    Equal pipes side by side; area, volume and flow are those of all.

        Returns
        -------
        int
        """
        area = parallel * math.pi * diameter**2 / 4
        return self.branch(
            *(name, a, b),
            length=length,
            diameter=diameter,
            area=area,
            roughness=roughness,
            loss=loss,
            UA=UA,
            inertance=length / area if area > 0 else 0.0,
            volume=length * area,
        )

    def channel(
        self,
        name: str,
        a: int,
        b: int,
        length: float,
        width: float,
        height: float,
        *,
        count: int = 1,
        loss: float = 0.0,
    ) -> int:
        """Add equal rectangular channels side by side, laminar or turbulent.

        Parameters
        ----------
        name : str
        a, b : int
        length, width, height : float    [m]
        count : int
        loss : float    Entrance, turns and exit together. [-]

        Returns
        -------
        int
        """
        area = count * width * height
        short, long = sorted((width, height))
        return self.branch(
            *(name, a, b),
            length=length,
            diameter=2 * width * height / (width + height),
            area=area,
            laminar=4 * float(f_re(short / long)),
            loss=loss,
            inertance=length / area,
            volume=length * area,
        )

    def fitting(self, name: str, a: int, b: int, diameter: float, loss: float) -> int:
        """Add a loss coefficient: tee, entrance, reduction.

        Parameters
        ----------
        name : str
        a, b : int
        diameter : float    That its velocity is of. [m]
        loss : float    K. [-]

        Returns
        -------
        int
        """
        return self.branch(name, a, b, diameter=diameter, area=math.pi * diameter**2 / 4, loss=loss)

    def bend(
        self, name: str, a: int, b: int, diameter: float, radius: float, angle: float = math.pi / 2
    ) -> int:
        """Add a smooth bend: its loss and the friction of its length.

        Parameters
        ----------
        name : str
        a, b : int
        diameter, radius : float    Of the pipe, of its centre line. [m]
        angle : float    [rad]

        Returns
        -------
        int
        """
        loss = float(bend_loss(radius / diameter, angle))
        return self.pipe(name, a, b, radius * angle, diameter, loss=loss)

    def coupling(self, name: str, a: int, b: int, kv: float) -> int:
        """Add a quick coupling, open or anything else with a fixed flow coefficient.

        Parameters
        ----------
        name : str
        a, b : int
        kv : float    [m3/(h sqrt(bar))]

        Returns
        -------
        int
        """
        return self.branch(name, a, b, quadratic=float(loss_of_flow_coefficient(kv)))

    def valve(
        self,
        name: str,
        a: int,
        b: int,
        kv: float,
        *,
        opening: float = 1.0,
        characteristic: str = "equal",
        rangeability: float = 50.0,
    ) -> int:
        """Add a balancing, control or stop valve; its setting is the opening.

        Parameters
        ----------
        name : str
        a, b : int
        kv : float    Fully open. [m3/(h sqrt(bar))]
        opening : float    0 to 1.
        characteristic : str    ``"equal"`` percentage or ``"linear"``.
        rangeability : float    Largest over smallest controllable flow coefficient.

        Returns
        -------
        int
        """
        if characteristic not in ("equal", "linear"):
            self._faults.append(
                f"valve {name!r}: characteristic {characteristic!r} must be 'equal' or 'linear'"
            )
        return self.branch(
            *(name, a, b, opening),
            quadratic=float(loss_of_flow_coefficient(kv)),
            role=c.EQUAL if characteristic == "equal" else c.LINEAR,
            rangeability=rangeability,
        )

    def check_valve(self, name: str, a: int, b: int, kv: float) -> int:
        """Add a valve that lets flow from a to b only.

        Parameters
        ----------
        name : str
        a, b : int
        kv : float    Open. [m3/(h sqrt(bar))]

        Returns
        -------
        int
        """
        return self.branch(name, a, b, quadratic=float(loss_of_flow_coefficient(kv)), one_way=True)

    def filter(self, name: str, a: int, b: int, kv: float, *, fouling: float = 1.0) -> int:
        """Add a filter or strainer; its setting is its resistance over that of a clean one.

        Parameters
        ----------
        name : str
        a, b : int
        kv : float    Clean. [m3/(h sqrt(bar))]
        fouling : float    1 and above.

        Returns
        -------
        int
        """
        return self.branch(name, a, b, fouling, quadratic=float(loss_of_flow_coefficient(kv)), role=c.FOULING)

    def pump(
        self,
        name: str,
        a: int,
        b: int,
        points: Sequence[tuple[float, float]],
        *,
        speed: float = 1.0,
        efficiency: float = 0.6,
        V_best: float | None = None,
        check: bool = True,
        run_down: float = 0.5,
        ramp: float = 2.0,
        inertance: float = 0.0,
        volume: float = 0.0,
    ) -> int:
        """Add a pump from a (suction) to b; its setting is its speed over the nominal one.

        Parameters
        ----------
        name : str
        a, b : int
        points : sequence of (float, float)
            Volume flow and pressure rise at nominal speed, two at least; a falling parabola is fitted. [m3/s, Pa]
        speed : float    0 to 1.5.
        efficiency : float    Best, of shaft power. [-]
        V_best : float, optional    Where; half of the flow at no head, if left out. [m3/s]
        check : bool    Whether a check valve keeps flow from going back.
        run_down, ramp : float    See `components.Pumps`. [s]
        inertance : float    [1/m]
        volume : float    [m3]

        Returns
        -------
        int
        """
        head = fit_head(points)
        number = self.branch(
            *(name, a, b, speed), role=c.SPEED, head=head, one_way=check, inertance=inertance, volume=volume
        )
        if V_best is None:
            V_best = 0.5 * flow_at_no_head(head)
        self._lists["pumps"].append(
            {
                "branch": number,
                "V_best": V_best,
                "efficiency": efficiency,
                "run_down": run_down,
                "ramp": ramp,
            }
        )
        return number

    def cold_plate(
        self,
        name: str,
        a: int,
        b: int,
        *,
        m_nominal: float,
        dp_nominal: float,
        UA: float,
        exponent: float = 1.5,
        UA_exponent: float = 0.4,
        C: float = 0.0,
        volume: float = 0.0,
        T_nominal: float = 298.15,
        inertance: float = 0.0,
    ) -> int:
        """Add a cold plate: a resistance fitted to one point and its exponent, and a heated solid.

            dp = (2 - n) dp_nominal (mu m)/(mu m)_nominal + (n - 1) dp_nominal (m / m_nominal)^2

        which has value and slope of dp_nominal (m / m_nominal)^n at the point.

        Parameters
        ----------
        name : str
        a, b : int
        m_nominal, dp_nominal : float    [kg/s, Pa]
        UA : float    Conductance from the solid to the coolant at nominal flow. [W/K]
        exponent : float    n, 1 (laminar) to 2. [-]
        UA_exponent : float    UA goes as m_flow to this. [-]
        C : float    Heat capacity of the solid. [J/K]
        volume : float    Coolant inside. [m3]
        T_nominal : float    Of the coolant at the point. [K]
        inertance : float    [1/m]

        Returns
        -------
        int
        """
        if not 1 <= exponent <= 2:
            self._faults.append(f"cold plate {name!r}: exponent {exponent:g} must be 1 to 2")
        if not (m_nominal > 0 and dp_nominal > 0):
            self._faults.append(f"cold plate {name!r}: nominal flow and loss must be above 0")
            m_nominal = dp_nominal = 1.0
        fluid = self._fluids[self._nodes[a]["fluid"]]
        rho, mu = float(fluid.density(T_nominal)), float(fluid.viscosity(T_nominal))
        number = self.branch(
            *(name, a, b),
            viscous=(2 - exponent) * dp_nominal * rho / (mu * m_nominal),
            quadratic=(exponent - 1) * dp_nominal * rho / m_nominal**2,
            volume=volume,
            inertance=inertance,
        )
        self._lists["plates"].append(
            {"branch": number, "C": C, "UA": UA, "m_nominal": m_nominal, "exponent": UA_exponent}
        )
        return number

    def exchange(
        self,
        first: int,
        second: int | None,
        *,
        UA: tuple[float, float],
        m_nominal: tuple[float, float],
        exponent: tuple[float, float] = (0.7, 0.7),
        resistance: float = 0.0,
        arrangement: int = c.COUNTER,
    ) -> int:
        """Let the coolants of two branches exchange heat; without a second it is air.

        Parameters
        ----------
        first : int    Branch.
        second : int or None    Branch, or air: `Inputs.air_flow`, `T_air`.
        UA : (float, float)    Conductance of each film at its nominal flow. [W/K]
        m_nominal : (float, float)    [kg/s]
        exponent : (float, float)    Of the films with flow; 0.7 in plates, 0.5 to 0.6 over fins. [-]
        resistance : float    Of wall and fouling. [K/W]
        arrangement : int    `components.COUNTER`, `PARALLEL` or `CROSS`.

        Returns
        -------
        int    Number of the exchanger.
        """
        self._lists["exchangers"].append(
            {
                "side": (first, -1 if second is None else second),
                "UA": UA,
                "m_nominal": m_nominal,
                "exponent": exponent,
                "resistance": resistance,
                "arrangement": arrangement,
            }
        )
        return len(self._lists["exchangers"]) - 1

    def resistance(
        self,
        name: str,
        a: int,
        b: int,
        m_nominal: float,
        dp_nominal: float,
        *,
        volume: float = 0.0,
        T_nominal: float = 298.15,
    ) -> int:
        """Add a quadratic resistance by one point: the side of an exchanger, a coil.

        Parameters
        ----------
        name : str
        a, b : int
        m_nominal, dp_nominal : float    [kg/s, Pa]
        volume : float    [m3]
        T_nominal : float    Of the coolant at the point. [K]

        Returns
        -------
        int
        """
        rho = float(self._fluids[self._nodes[a]["fluid"]].density(T_nominal))
        return self.branch(name, a, b, quadratic=dp_nominal * rho / m_nominal**2, volume=volume)

    def reservoir(
        self, node: int, *, area: float, height: float, level: float, p_gas: float = c.P_AMBIENT
    ) -> None:
        """Put an open tank at a node, its bottom at the node's elevation.

        Parameters
        ----------
        node : int
        area : float    Cross-section. [m2]
        height, level : float    Of the brim, of the coolant to begin with. [m]
        p_gas : float    Above the level. [Pa]
        """
        if not 0 < level <= height:
            self._faults.append(
                f"reservoir at node {self._nodes[node]['name']!r}: level {level:g} m must be above 0 and not above the "
                f"brim at {height:g} m"
            )
        rho = float(self._fluids[self._nodes[node]["fluid"]].density(293.15))
        self._vessel(node, c.TANK, area, area * height, p_gas, 1.0, start_pressure(p_gas, rho, level))

    def accumulator(
        self, node: int, *, volume: float, precharge: float, pressure: float, polytropic: float = 1.2
    ) -> None:
        """Put a gas-charged accumulator (expansion vessel) at a node.

        Parameters
        ----------
        node : int
        volume : float    Of the shell. [m3]
        precharge : float    Gas pressure with no coolant in it. [Pa]
        pressure : float    To begin with. [Pa]
        polytropic : float    1 slow to 1.4 fast. [-]
        """
        if not pressure > precharge > 0:
            self._faults.append(
                f"accumulator at node {self._nodes[node]['name']!r}: pressure {pressure:g} Pa must be above the "
                f"precharge {precharge:g} Pa, or it holds no coolant"
            )
        self._vessel(node, c.GAS, 0.0, volume, precharge, polytropic, pressure)

    def leak(self, name: str, node: int, *, pressure: float = c.P_AMBIENT) -> int:
        """Make a node able to leak; its setting is the area of the hole, 0 to begin with. Air does not come in.

        Parameters
        ----------
        name : str
        node : int
        pressure : float    Outside. [Pa]

        Returns
        -------
        int
        """
        key = self._nodes[node]["fluid"]
        if key not in self._outside:
            fluid = self._fluids[key]
            outside = self.node(f"outside of {fluid.name}", self._nodes[node]["z"], fluid)
            self.boundary(outside, pressure, 293.15)
            self._outside[key] = outside
        return self.branch(name, node, self._outside[key], 0.0, role=c.LEAK, one_way=True)

    def build(self) -> c.Case:
        """Give the arrays.

        Returns
        -------
        Case

        Raises
        ------
        CaseError    Names every fault of the network.
        """
        nodes, rows = self._nodes, self._branches
        case = c.Case(
            fluids=tuple(self._fluids),
            fluid=np.array([row["fluid"] for row in nodes], dtype=np.int64),
            elevation=np.array([row["z"] for row in nodes], dtype=np.float64),
            p_fixed=np.array([row["p"] for row in nodes], dtype=np.float64),
            T_fixed=np.array([row["T"] for row in nodes], dtype=np.float64),
            supply=np.array([row["supply"] for row in nodes], dtype=np.float64),
            branches=c.Branches(**{key: _column(rows, key) for key in c.Branches._fields}),
            pumps=c.Pumps(**{key: _column(self._lists["pumps"], key) for key in c.Pumps._fields}),
            plates=c.Plates(**{key: _column(self._lists["plates"], key) for key in c.Plates._fields}),
            exchangers=_exchangers(self._lists["exchangers"]),
            vessels=c.Vessels(**{key: _column(self._lists["vessels"], key) for key in c.Vessels._fields}),
            setting=np.array([row["setting"] for row in rows], dtype=np.float64),
            node_names=tuple(row["name"] for row in nodes),
            branch_names=tuple(row["name"] for row in rows),
        )
        faults = self._faults + check_case(case)
        if faults:
            raise CaseError("network: " + "; ".join(faults))
        return case

    def _vessel(
        self,
        node: int,
        kind: int,
        area: float,
        volume: float,
        p_gas: float,
        polytropic: float,
        p_start: float,
    ) -> None:
        self._lists["vessels"].append(
            {
                "node": node,
                "kind": kind,
                "area": area,
                "volume": volume,
                "p_gas": p_gas,
                "polytropic": polytropic,
                "p_start": p_start,
            }
        )


def _column(rows: list[dict[str, Any]], key: str) -> Any:
    kind = np.int64 if key in _INDICES else np.bool_ if key in _FLAGS else np.float64
    return np.array([row[key] for row in rows], dtype=kind)


def _exchangers(rows: list[dict[str, Any]]) -> c.Exchangers:
    pairs = {key: _column(rows, key).reshape(-1, 2) for key in ("side", "UA", "m_nominal", "exponent")}
    return c.Exchangers(
        **pairs, resistance=_column(rows, "resistance"), arrangement=_column(rows, "arrangement")
    )
