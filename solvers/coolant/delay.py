"""One thermal step of a network: parcels move, plates and vessels warm, nodes mix."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from solvers.coolant import plates as plate
from solvers.coolant.components import TANK, Case, Index, Inputs, Vector
from solvers.coolant.hydraulics import Flow
from solvers.coolant.lines import Lines, carrying, plain_lines
from solvers.coolant.plugs import PARCELS, flow_in, flow_out
from solvers.coolant.thermal import Thermal


class Warmth(NamedTuple):
    """What remembers heat between two steps.

    Attributes
    ----------
    T : float64[nn]    Of the nodes. [K]
    T_in, T_out : float64[nb]    Of the branches along the flow, means of the last step. [K]
    T_solid, h_plate : float64[nc]    Of the plates: solid, coolant inside. [K, J/kg]
    h_vessel : float64[nv]    Of the coolant in vessels. [J/kg]
    parcel_mass, parcel_h : float64[pipes, PARCELS]    From end a to end b. [kg, J/kg]
    parcels : int64[pipes]
    """

    T: Vector
    T_in: Vector
    T_out: Vector
    T_solid: Vector
    h_plate: Vector
    h_vessel: Vector
    parcel_mass: Vector
    parcel_h: Vector
    parcels: Index


class Heats(NamedTuple):
    """Heat of a step.

    Attributes
    ----------
    given : float
        Into coolant and solids: heat, friction, exchange with air; less what is lost around and to air. [J]
    carried : float    Enthalpy that came in from outside less what left. [J]
    Q_flow : float64[nb]    Heat into the coolant of the branches, mean of the step. [W]
    power : float64[np]    At the pumps' shafts. [W]
    Q_air : float64[nc]    From the plates to the air beside them, mean of the step. [W]
    """

    given: float
    carried: float
    Q_flow: Vector
    power: Vector
    Q_air: Vector


class Delay:
    """Advances temperatures with transport delay; ordered once.

    Parameters
    ----------
    case : Case
    thermal : Thermal
    """

    def __init__(self, case: Case, thermal: Thermal) -> None:
        self._case, self._thermal = case, thermal
        plated = np.zeros(case.setting.size, dtype=bool)
        plated[case.plates.branch] = True
        self.pipes = np.flatnonzero((case.branches.volume > 0) & ~plated)
        fluid = case.fluid[case.branches.a]
        self._rho = np.array([float(case.fluids[i].density(293.15)) for i in fluid])
        self.inside = (self._rho * case.branches.volume)[self.pipes]
        of_plate = (self._rho * case.branches.volume)[case.plates.branch]
        self.in_plate = np.maximum(of_plate, plate.LEAST_MASS)
        self._plain = np.ones(case.setting.size, dtype=bool)
        self._plain[self.pipes] = self._plain[case.plates.branch] = False
        self._lossy = (case.branches.UA > 0) & ~plated
        self._sides = np.zeros(case.setting.size, dtype=bool)
        self._sides[case.exchangers.side[case.exchangers.side >= 0]] = True

    def begin(self, T: Vector, T_in: Vector, T_out: Vector, T_solid: Vector, m_flow: Vector) -> Warmth:
        """Fill pipes and plates as in a steady state.

        Parameters
        ----------
        T : float64[nn]
        T_in, T_out : float64[nb]
        T_solid : float64[nc]
        m_flow : float64[nb]

        Returns
        -------
        Warmth
        """
        case, thermal, pipes = self._case, self._thermal, self.pipes
        h_out = thermal.of_branches("enthalpy", T_out)[pipes]
        # exchangers give their heat at the entry, all others along the way
        h_in = np.where(self._sides[pipes], h_out, thermal.of_branches("enthalpy", T_in)[pipes])
        first, last = np.where(m_flow[pipes] >= 0, (h_in, h_out), (h_out, h_in))
        count = 8
        mass, h = np.zeros((pipes.size, PARCELS)), np.zeros((pipes.size, PARCELS))
        mass[:, :count] = (self.inside / count)[:, None]
        place = (np.arange(count) + 0.5) / count
        h[:, :count] = first[:, None] + (last - first)[:, None] * place
        # what stands in a plate is as warm as the plate
        T_plate, on = T_out.copy(), case.plates.branch
        T_plate[on] = np.where(plate.stands(case.plates, m_flow[on]), T_solid, T_out[on])
        return Warmth(
            *(T.copy(), T_in.copy(), T_out.copy(), T_solid.copy()),
            thermal.of_branches("enthalpy", T_plate)[on],
            thermal.of_nodes("enthalpy", T)[case.vessels.node],
            *(mass, h, np.full(pipes.size, count, dtype=np.int64)),
        )

    def content(self, warmth: Warmth, mass: Vector) -> float:
        """Heat stored, from where the enthalpies are 0. [J].

        Parameters
        ----------
        warmth : Warmth
        mass : float64[nv]    In the vessels. [kg]

        Returns
        -------
        float
        """
        held = np.arange(PARCELS) < warmth.parcels[:, None]
        pipes = float((warmth.parcel_mass * warmth.parcel_h)[held].sum())
        solids = float((self._case.plates.C * warmth.T_solid).sum())
        vessels = float((np.maximum(mass, 0.0) * warmth.h_vessel).sum())
        return pipes + solids + vessels + float((self.in_plate * warmth.h_plate).sum())

    def step(
        self,
        warmth: Warmth,
        flow: Flow,
        rho: Vector,
        speed: Vector,
        inputs: Inputs,
        masses: tuple[Vector, Vector],
        dt: float,
    ) -> tuple[Warmth, Heats]:
        """Advance by dt with the flow held.

        Parameters
        ----------
        warmth : Warmth
        flow : Flow
        rho : float64[nb]    [kg/m3]
        speed : float64[nb]    Settings, of which the pumps' are read.
        inputs : Inputs
        masses : (float64[nv], float64[nv])    In the vessels, before and after. [kg]
        dt : float    [s]

        Returns
        -------
        Warmth, Heats
        """
        case, thermal, pipes = self._case, self._thermal, self.pipes
        warm, power = thermal.warming(flow, rho, speed)
        m = carrying(flow.m_flow)
        size, moving = np.abs(m), m != 0
        safe = np.where(moving, size, 1.0)
        up = thermal.upstream(m)
        cp = thermal.of_branches("specific_heat", warmth.T[up])
        around = thermal.of_branches("enthalpy", inputs.T_ambient)
        # a branch without volume takes no heat that its flow cannot carry away
        takes = ~self._plain | ((thermal.taken(size, cp, inputs.heat + warm) != 0.0) & moving)
        heat, warm = np.where(takes, inputs.heat, 0.0), np.where(takes, warm, 0.0)
        alpha, beta = plain_lines(size, case.branches.UA / cp, heat + warm, around)
        mass, h, count = warmth.parcel_mass.copy(), warmth.parcel_h.copy(), warmth.parcels.copy()
        a_in, b_in, a_out, b_out = (np.empty(pipes.size) for _ in range(4))
        before = _sums(mass, h, count)
        flow_out(
            *(mass, h, count, m[pipes], dt, (heat + warm)[pipes] / self.inside),
            *(case.branches.UA[pipes] / (self.inside * cp[pipes]), around[pipes], a_out, b_out, a_in, b_in),
        )
        alpha[pipes], beta[pipes] = a_out, b_out
        on = case.plates.branch
        marched, level, T_level, cp_plate, K = self._plates(warmth, size, inputs, heat, warm, dt)
        alpha[on] = (
            level + cp_plate * (marched[:, 0] + marched[:, 1] * T_level - T_level) - marched[:, 1] * level
        )
        beta[on] = marched[:, 1]
        kept, held, vessel_in = self._vessels(warmth, masses, dt)
        G = thermal.exchange(m, inputs, cp)
        T = thermal.nodes(m, Lines(alpha, beta, kept, held), G, inputs, warmth.T)
        h_node = thermal.of_nodes("enthalpy", T)
        T_in, h_in = T[up], h_node[up]
        exchanged = thermal.exchanged(G, inputs, T_in)
        entry = h_in + np.where(moving, exchanged / safe, 0.0)
        h_out = np.where(moving, alpha + beta * entry, h_in)
        flow_in(mass, h, count, m[pipes], self.inside, a_in + b_in * entry[pipes])
        T_entry = T_level + (entry[on] - level) / cp_plate
        h_plate = level + cp_plate * (marched[:, 2] + marched[:, 3] * T_entry - T_level)
        T_solid = marched[:, 4] + marched[:, 5] * T_entry
        # mean of the solid by its own balance
        given_up = heat[on] + K * (marched[:, 0] + marched[:, 1] * T_entry - inputs.T_solid_air)
        Q_air = inputs.G_solid * (given_up - case.plates.C * (T_solid - warmth.T_solid) / dt)
        Q_air /= K + inputs.G_solid
        h_vessel = self._mixed(warmth, masses, vessel_in, h_node, dt)
        # heat by branch: what is stored and carried on; the coolant of plates and pipes included
        Q_flow = size * (h_out - h_in)
        Q_flow[pipes] += (_sums(mass, h, count) - before) / dt
        Q_flow[on] += self.in_plate * (h_plate - warmth.h_plate) / dt
        external = thermal.external(m, inputs)
        h_passing = np.where(external > 0, thermal.of_nodes("enthalpy", inputs.T), h_node)
        air = case.exchangers.side[:, 1] < 0 if G.size else np.zeros(0, dtype=bool)
        from_air = (
            float((G * (inputs.T_air - T_in[case.exchangers.side[:, 0]]))[air].sum()) if G.size else 0.0
        )
        lost = float((heat + warm + exchanged - Q_flow)[self._lossy].sum())
        given = float(heat.sum() + warm.sum() - Q_air.sum()) + from_air - lost
        # what stands still has the temperature of what it holds
        h_end = h_out.copy()
        h_end[pipes] = np.where(moving[pipes], h_out[pipes], _sums(mass, h, count) / self.inside)
        h_end[on] = np.where(moving[on], h_out[on], h_plate)
        T_out = thermal.of_branches("temperature", h_end)
        return (
            Warmth(T, T_in, T_out, T_solid, h_plate, h_vessel, mass, h, count),
            Heats(given * dt, float((external * h_passing).sum()) * dt, Q_flow, power, Q_air),
        )

    def _plates(self, warmth: Warmth, size: Vector, inputs: Inputs, heat: Vector, warm: Vector, dt: float):
        """March of the plates; enthalpy, temperature and specific heat that it is linear about; coupling."""
        case, on = self._case, self._case.plates.branch
        full = np.zeros(case.setting.size)
        full[on] = warmth.h_plate
        T_level = self._thermal.of_branches("temperature", full)
        cp = self._thermal.of_branches("specific_heat", T_level)[on]
        T_level = T_level[on]
        K = plate.coupling(case.plates, size[on], cp)
        out = np.empty((on.size, 6))
        plate.march(
            *(case.plates.C, K, inputs.G_solid, size[on], self.in_plate, cp, heat[on], warm[on]),
            *(inputs.T_solid_air, warmth.T_solid, T_level, dt, out),
        )
        return out, warmth.h_plate, T_level, cp, K

    def _vessels(
        self, warmth: Warmth, masses: tuple[Vector, Vector], dt: float
    ) -> tuple[Vector, Vector, Vector]:
        """Mass over dt that vessels mix into their nodes, its heat over dt, and what flows into vessels."""
        case = self._case
        kept, held = np.zeros(case.fluid.size), np.zeros(case.fluid.size)
        before = np.maximum(masses[0], 0.0)
        into = (masses[1] - masses[0]) / dt
        tank = case.vessels.kind == TANK
        node = case.vessels.node
        # a tank mixes with what passes; an accumulator hangs on its line and only breathes
        kept[node] = np.where(tank, before / dt, np.maximum(-into, 0.0))
        held[node] = kept[node] * warmth.h_vessel
        return kept, held, into

    def _mixed(
        self, warmth: Warmth, masses: tuple[Vector, Vector], into: Vector, h_node: Vector, dt: float
    ) -> Vector:
        case = self._case
        here = h_node[case.vessels.node]
        comes = np.maximum(into, 0.0) * dt
        part = comes / np.maximum(np.maximum(masses[0], 0.0) + comes, 1e-12)
        breathed = warmth.h_vessel + part * (here - warmth.h_vessel)
        return np.where(case.vessels.kind == TANK, here, breathed)


def _sums(mass: Vector, h: Vector, count: Index) -> Vector:
    return np.where(np.arange(mass.shape[1]) < count[:, None], mass * h, 0.0).sum(axis=1)
