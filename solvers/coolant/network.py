"""Coolant networks: prepared once, then solved as often as settings, heats and boundaries change.

    network = prepare(builder.build())
    inputs = network.inputs()                     arrays to write into: openings, speeds, heat ...
    state = solve(network, inputs)                a steady state
    state = solve(network, inputs, state)         the next one, from the last: a millisecond

`transient` carries a state through time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from solvers.coolant.checks import check_case, check_drives, check_pumps, check_settings
from solvers.coolant.components import Case, Index, Inputs, Vector
from solvers.coolant.delay import Delay
from solvers.coolant.equilibrium import Temperatures, equilibrium
from solvers.coolant.hydraulics import Conditions, Flow, Hydraulics
from solvers.coolant.lines import carrying
from solvers.coolant.thermal import Thermal
from solvers.coolant.vessels import drawn_from
from solvers.errors import CaseError, ConvergenceError, GridMismatchError

_T_START = 293.15
_ROUNDS = 30  # of flow and temperature in turn
_AGREE = 1e-6  # K, change of the temperatures that ends them
_SHOWN = 8  # of nodes with the same fault


class Steady(NamedTuple):
    """Steady state of a network.

    Attributes
    ----------
    p : float64[nn]    [Pa]
    m_flow : float64[nb]    Positive from a to b. [kg/s]
    dp : float64[nb]    Lost from a to b, negative in a running pump. [Pa]
    T : float64[nn]    Of the nodes. [K]
    T_in, T_out : float64[nb]    Of the branches, along the flow. [K]
    T_solid : float64[nc]    Of the cold plates. [K]
    Q_flow : float64[nb]    Heat into the coolant of each branch, friction included. [W]
    power : float64[np]    At the pumps' shafts. [W]
    Q_air : float64[nc]    From the cold plates to the air beside them. [W]
    mass_relative, energy_relative : float    Imbalance of mass and energy. [-]
    iterations : int    Of Newton's method on the flows, all rounds.
    findings : tuple of str    What is wrong with this state; see `Network.findings`, `Network.hot_and_cold`.
    """

    p: Vector
    m_flow: Vector
    dp: Vector
    T: Vector
    T_in: Vector
    T_out: Vector
    T_solid: Vector
    Q_flow: Vector
    power: Vector
    Q_air: Vector
    mass_relative: float
    energy_relative: float
    iterations: int
    findings: tuple[str, ...]


class Network:
    """A network that is ready to be solved; made by `prepare`.

    Attributes
    ----------
    case : Case
    hydraulics : Hydraulics
    thermal : Thermal
    delay : Delay
    draws : int64[np]    Vessel that each pump draws from, or -1.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.hydraulics = Hydraulics(case)
        self.thermal = Thermal(case)
        self.delay = Delay(case, self.thermal)
        self.draws = drawn_from(case)
        self._branch = {name: i for i, name in enumerate(case.branch_names)}
        self._node = {name: i for i, name in enumerate(case.node_names)}
        self._seen: tuple[bytes, tuple[str, ...]] = (b"", ())

    def inputs(self) -> Inputs:
        """Give inputs as the network was built: nothing heated, all pumps driven, 293.15 K around.

        Returns
        -------
        Inputs    Own arrays, to be written into.
        """
        case = self.case
        nb, nx, nc = case.setting.size, case.exchangers.resistance.size, case.plates.C.size
        p = np.where(np.isnan(case.p_fixed), 0.0, case.p_fixed)
        p[case.vessels.node] = case.vessels.p_start
        return Inputs(
            setting=case.setting.copy(),
            drive=np.ones(case.pumps.branch.size, dtype=bool),
            heat=np.zeros(nb),
            p=p,
            T=np.where(np.isnan(case.T_fixed), _T_START, case.T_fixed),
            supply=case.supply.copy(),
            T_ambient=np.full(nb, _T_START),
            air_flow=np.zeros(nx),
            T_air=np.full(nx, _T_START),
            G_solid=np.zeros(nc),
            T_solid_air=np.full(nc, _T_START),
        )

    def branch(self, name: str) -> int:
        """Index of a branch.

        Parameters
        ----------
        name : str

        Returns
        -------
        int

        Raises
        ------
        CaseError    There is none of that name.
        """
        return _find(self._branch, name, "branch")

    def node(self, name: str) -> int:
        """Index of a node.

        Parameters
        ----------
        name : str

        Returns
        -------
        int

        Raises
        ------
        CaseError    There is none of that name.
        """
        return _find(self._node, name, "node")

    def speeds(self, inputs: Inputs) -> Vector:
        """Give settings with the speed of pumps without drive at 0.

        Parameters
        ----------
        inputs : Inputs

        Returns
        -------
        float64[nb]
        """
        setting = np.array(inputs.setting, dtype=np.float64)
        branch = self.case.pumps.branch
        setting[branch] = np.where(inputs.drive, setting[branch], 0.0)
        return setting

    def findings(self, inputs: Inputs) -> tuple[str, ...]:
        """Say what is wrong with the settings: out of range, a pump without a way, nothing that drives.

        Parameters
        ----------
        inputs : Inputs

        Returns
        -------
        tuple of str    One a fault. Looked up if the settings are those of the call before.
        """
        setting = self.speeds(inputs)
        key = setting.tobytes() + (inputs.supply != 0).tobytes() + (inputs.heat != 0).tobytes()
        if self._seen[0] != key:
            faults = check_settings(self.case, inputs.setting)
            faults += check_pumps(self.case, setting)
            faults += check_drives(self.case, setting, inputs)
            self._seen = (key, tuple(faults))
        return self._seen[1]

    def hot_and_cold(self, T: Vector) -> tuple[str, ...]:
        """Say where coolant freezes, boils or passes its flash point.

        Parameters
        ----------
        T : float64[nn]    Of the nodes. [K]

        Returns
        -------
        tuple of str    One a node, eight of a kind and how many more there are.
        """
        found: list[str] = []
        for number, fluid in enumerate(self.case.fluids):
            here = np.flatnonzero(self.case.fluid == number)
            for wrong in (T[here] <= fluid.T_freeze, T[here] >= fluid.T_hot):
                names = here[wrong].tolist()
                found += [f"node {self.case.node_names[i]!r}: {fluid.faults(T[i])}" for i in names[:_SHOWN]]
                if len(names) > _SHOWN:
                    found.append(f"and {len(names) - _SHOWN} more nodes")
        return tuple(found)

    def idle(self, branches: Index, inputs: Inputs) -> tuple[str, ...]:
        """Say which branches are heated and hardly flow, so that they have no steady temperature.

        Parameters
        ----------
        branches : int64[...]    From `Temperatures.idle`.
        inputs : Inputs

        Returns
        -------
        tuple of str    One a branch, eight and how many more there are.
        """
        names = branches.tolist()
        found = [
            f"branch {self.case.branch_names[i]!r}: heated by {inputs.heat[i]:g} W and hardly anything flows "
            "through it, so it has no steady temperature; open its valve, run a pump, or follow it over time"
            for i in names[:_SHOWN]
        ]
        more = len(names) - _SHOWN
        return tuple([*found, f"and {more} more branches"] if more > 0 else found)

    def conditions(self, setting: Vector, inputs: Inputs, T_branch: Vector, T: Vector) -> Conditions:
        """Collect what the flows depend on.

        Parameters
        ----------
        setting : float64[nb]    Speeds of pumps as they turn.
        inputs : Inputs
        T_branch : float64[nb]    Mean temperature of the branches. [K]
        T : float64[nn]    [K]

        Returns
        -------
        Conditions
        """
        thermal = self.thermal
        rho = thermal.of_branches("density", T_branch)
        mu = thermal.of_branches("viscosity", T_branch)
        node = self.case.vessels.node
        rho_vessel = thermal.of_nodes("density", T)[node] if node.size else np.zeros(0)
        return Conditions(setting, inputs.p, inputs.supply, rho, mu, rho_vessel)

    def check_shapes(self, inputs: Inputs) -> None:
        """Refuse inputs of wrong size, without number, or with a negative conductance.

        Parameters
        ----------
        inputs : Inputs

        Raises
        ------
        GridMismatchError    Names every field that is wrong.
        """
        nb, nn, nx = self.case.setting.size, self.case.fluid.size, self.case.exchangers.resistance.size
        nc, pumps = self.case.plates.C.size, self.case.pumps.branch.size
        sizes = (nb, pumps, nb, nn, nn, nn, nb, nx, nx, nc, nc)
        faults = [
            f"{field}: {np.shape(value)} is not ({size},)"
            for field, value, size in zip(Inputs._fields, inputs, sizes, strict=True)
            if np.shape(value) != (size,)
        ]
        faults += [
            f"{field}[{int(np.flatnonzero(~np.isfinite(value))[0])}]: no finite number"
            for field, value in zip(Inputs._fields, inputs, strict=True)
            if not faults and not np.isfinite(value).all()
        ]
        faults += [
            f"G_solid[{i}]: {inputs.G_solid[i]:g} W/K must not be below 0"
            for i in (np.flatnonzero(inputs.G_solid < 0).tolist() if not faults else [])
        ]
        if faults:
            raise GridMismatchError("inputs of the network: " + "; ".join(faults))


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


def solve(
    network: Network,
    inputs: Inputs,
    guess: Steady | None = None,
    *,
    thermal: bool = True,
    strict: bool = True,
) -> Steady:
    """Find the steady state: flows, pressures and temperatures that agree.

    Parameters
    ----------
    network : Network
    inputs : Inputs
    guess : Steady, optional    A state near it; the last one, in live use.
    thermal : bool
        Whether to solve for the temperatures; without, they are those of the guess or 293.15 K.
    strict : bool    Whether findings are errors. Otherwise they come with the result.

    Returns
    -------
    Steady

    Raises
    ------
    CaseError
        A finding, if strict: settings out of range, a running pump whose way is shut, nothing that drives a
        circuit, coolant that freezes, boils or passes its flash point. A heated circuit without a way to give
        its heat away.
    ConvergenceError    No solution was found; names the worst node and shows the last iterates.
    GridMismatchError    An input has the wrong size.
    """
    network.check_shapes(inputs)
    findings = network.findings(inputs)
    _raise(findings, strict)
    setting = network.speeds(inputs)
    T, T_branch, flow = _begin(network, inputs, guess)
    found: Temperatures | None = None
    iterations, change = 0, 0.0
    for _ in range(_ROUNDS):
        given = network.conditions(setting, inputs, T_branch, T)
        flow = network.hydraulics.solve(given, flow)
        iterations += flow.iterations
        if not thermal:
            break
        found = equilibrium(network.thermal, flow, given.rho, setting, inputs, T)
        mean = 0.5 * (found.T_in + found.T_out)
        change = float(np.abs(mean - T_branch).max())
        T, T_branch = found.T, mean
        if change <= _AGREE:
            break
    else:
        raise ConvergenceError(
            f"network: flow and temperature do not agree after {_ROUNDS} rounds; they still change by "
            f"{change:.2e} K"
        )
    if found is None:
        found = _isothermal(network, inputs, flow, T)
    hot = (*network.idle(found.idle, inputs), *network.hot_and_cold(found.T)) if thermal else ()
    _raise(hot, strict)
    return Steady(
        *(flow.p, flow.m_flow, flow.dp, found.T, found.T_in, found.T_out, found.T_solid, found.Q_flow),
        *(found.power, found.Q_air, flow.mass_relative, found.energy_relative, iterations, (*findings, *hot)),
    )


def _begin(network: Network, inputs: Inputs, guess: Steady | None) -> tuple[Vector, Vector, Flow | None]:
    case = network.case
    if guess is not None:
        T_branch = 0.5 * (guess.T_in + guess.T_out)
        return guess.T, T_branch, Flow(guess.p, guess.m_flow, guess.dp, guess.mass_relative, 0)
    # each fluid starts at the mean of what comes in at its boundaries
    T = np.full(case.fluid.size, _T_START)
    for number in range(len(case.fluids)):
        here = case.fluid == number
        known = here & ~np.isnan(case.T_fixed)
        if known.any():
            T[here] = float(inputs.T[known].mean())
    return T, T[case.branches.a], None


def _isothermal(network: Network, inputs: Inputs, flow: Flow, T: Vector) -> Temperatures:
    T_in = T[network.thermal.upstream(carrying(flow.m_flow))]
    rho = network.thermal.of_branches("density", T_in)
    _, power = network.thermal.warming(flow, rho, network.speeds(inputs))
    plates = network.case.plates.branch
    none = np.zeros(plates.size)
    return Temperatures(
        T, T_in, T_in, T_in[plates], np.zeros(T_in.size), power, none, 0.0, np.zeros(0, np.int64)
    )


def _raise(findings: tuple[str, ...], strict: bool) -> None:
    if findings and strict:
        raise CaseError("network: " + "; ".join(findings))


def _find(names: dict[str, int], name: str, what: str) -> int:
    if name not in names:
        raise CaseError(f"{what} {name!r}: the network has none of that name")
    return names[name]
