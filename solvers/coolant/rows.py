"""Collects the rows of a coolant network's arrays: nodes, bare branches, vessels, exchangers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from solvers.coolant import components as c
from solvers.coolant.checks import check_case
from solvers.coolant.fluids import Fluid
from solvers.coolant.friction import LAMINAR_PIPE
from solvers.coolant.vessels import start_pressure
from solvers.errors import CaseError

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


class Rows:
    """Nodes and branches by their bare parameters; `Builder` adds pipes, valves, pumps and the rest.

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

    def fluid_of(self, node: int) -> Fluid:
        """Look up what fills a node.

        Parameters
        ----------
        node : int

        Returns
        -------
        Fluid
        """
        return self._fluids[self._nodes[node]["fluid"]]

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
                f"node {row['name']!r}: its pressure is fixed twice, at {row['p']:g} and {pressure:g} Pa; "
                "keep one"
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
                f"reservoir at node {self._nodes[node]['name']!r}: level {level:g} m must be above 0 and not "
                f"above the brim at {height:g} m"
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
                f"accumulator at node {self._nodes[node]['name']!r}: pressure {pressure:g} Pa must be above "
                f"the precharge {precharge:g} Pa, or it holds no coolant"
            )
        self._vessel(node, c.GAS, 0.0, volume, precharge, polytropic, pressure)

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
