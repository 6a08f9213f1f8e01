"""A layout's coolant loop as a network: nodes and elements by the layout's names.

tank - pumps in parallel - filter - exchanger - s1 -- s2 -- ... -- sn      supply header
  |                                             |     |            |       hoses, couplings, valve, plates
  +------------- return header ---------------- r1 -- r2 -- ... -- rn
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.coolant.assemblies import air_coil
from solvers.coolant.builder import Builder
from solvers.coolant.components import Case
from solvers.coolant.fluids import fluid
from solvers.coolant.terms import losses
from twin.model.catalog import AIR_DENSITY
from twin.model.schema import AirCoil, Branch, Loop, Pump

HEIGHT = 1.0
"""Of the tank up to the brim. [m]"""
_OPEN_KV = 1e4  # m3/(h sqrt(bar)), as good as no valve
_PA_PER_BAR = 1e5
_FACILITY_DROP = 50e3  # Pa over the facility's side with its valve open
_PLATE_VOLUME = 3e-4  # m3, in all plates of a branch
_WATER = 1000.0  # kg/m3, which flow coefficients are for
AMBIENT_PRESSURE = 101325.0
"""[Pa]"""


@dataclass(frozen=True)
class LoopNetwork:
    """Where the parts of a loop stand in its network.

    Attributes
    ----------
    loop : Loop
    case : Case
    pump, valve, plate, leak : dict of str to int
        Branches of the network: by pump, by branch and coil, by branch, by branch and coil.
    coil : dict of str to (int, int)    By coil: branch, and number among the exchangers.
    filter, exchanger, facility : int    Branches; ``facility`` is the control valve of the facility's water.
    tank, supply, back, facility_supply : int
        Nodes: reservoir, supply header's and return header's first, the facility's water.
    short_of_pressure : dict of str to float
        Branches whose valve is fully open and still lacks so much for the design flow. [Pa]
    """

    loop: Loop
    case: Case
    pump: dict[str, int]
    valve: dict[str, int]
    plate: dict[str, int]
    leak: dict[str, int]
    coil: dict[str, tuple[int, int]]
    filter: int
    exchanger: int
    facility: int
    tank: int
    supply: int
    back: int
    facility_supply: int
    short_of_pressure: dict[str, float]


def build_loop(loop: Loop, air_flow: Mapping[str, float] | None = None) -> LoopNetwork:
    """Build the network of a loop; its balancing valves are set so that every branch has its design flow.

    Parameters
    ----------
    loop : Loop
    air_flow : mapping, optional    By coil: nominal flow of its air; needed where there are coils. [m3/s]

    Returns
    -------
    LoopNetwork
    """
    air = air_flow or {}
    open_valves = _build(loop, {taker.id: _OPEN_KV for taker in loop.takers}, air)
    spare = _spare_pressure(open_valves)
    liquid = fluid(loop.fluid)
    density = float(liquid.density(loop.cdu.supply_temperature))
    kv = {
        taker.id: 3600.0 * taker.design_flow * math.sqrt(density / _WATER * _PA_PER_BAR / spare[taker.id])
        if spare[taker.id] > 0.0
        else _OPEN_KV
        for taker in loop.takers
    }
    lacking = {name: -left for name, left in spare.items() if left < 0.0}
    return _build(loop, kv, air, lacking)


def plate_conductance(loop: Loop, branch: Branch) -> float:
    """Conductance from chips to coolant at the design flow. [W/K].

    The mean chip temperature over the inlet's, R = 1 / (m cp (1 - exp(-UA / (m cp)))), is what the layout
    gives.
    """
    plates = branch.cold_plates
    capacity = _capacity_flow(loop, branch)
    return -capacity * math.log1p(-1.0 / (plates.resistance * capacity))


def _capacity_flow(loop: Loop, branch: Branch) -> float:
    liquid, T = fluid(loop.fluid), loop.cdu.supply_temperature
    return float(branch.design_flow * liquid.density(T) * liquid.specific_heat(T))


def _build(
    loop: Loop, kv: dict[str, float], air_flow: Mapping[str, float], lacking: dict[str, float] | None = None
) -> LoopNetwork:
    cdu, header = loop.cdu, loop.header
    liquid = fluid(loop.fluid)
    T = cdu.supply_temperature
    density = float(liquid.density(T))
    total = density * sum(taker.design_flow for taker in loop.takers)
    net = Builder(liquid)
    tank = net.node(f"{cdu.id} tank")
    tall = cdu.reservoir.volume / HEIGHT
    net.reservoir(
        tank, area=tall, height=HEIGHT, level=max(cdu.reservoir.level, 1e-3) * HEIGHT,
        p_gas=AMBIENT_PRESSURE + cdu.reservoir.pressure,
    )  # fmt: skip
    pumped, clean = net.node(f"{cdu.id} behind the pumps"), net.node(f"{cdu.id} behind the filter")
    pump = {one.id: _pump(net, one, tank, pumped) for one in cdu.pumps}
    strainer = net.filter(
        f"{cdu.id} filter", pumped, clean, _kv(total / density, density, cdu.filter.pressure_drop),
        fouling=1.0 / max(1.0 - cdu.filter.clogged, 1e-3) ** 2,
    )  # fmt: skip
    supplies = [net.node(f"{loop.id} supply {n + 1}") for n in range(len(loop.takers))]
    returns = [net.node(f"{loop.id} return {n + 1}") for n in range(len(loop.takers))]
    warm_side = net.resistance(
        f"{cdu.id} exchanger", clean, supplies[0], total, max(cdu.exchanger.pressure_drop, 1.0),
        volume=2e-3, T_nominal=T,
    )  # fmt: skip
    facility, facility_supply = _facility(net, loop, warm_side, total)
    net.pipe(
        f"{loop.id} return main",
        returns[0],
        tank,
        header.spacing,
        header.diameter,
        roughness=header.roughness,
    )
    for n in range(1, len(loop.takers)):
        pipe = (header.spacing, header.diameter)
        net.pipe(
            f"{loop.id} supply main {n}", supplies[n - 1], supplies[n], *pipe, roughness=header.roughness
        )
        net.pipe(f"{loop.id} return main {n}", returns[n], returns[n - 1], *pipe, roughness=header.roughness)
    valve, plate, leak, coil = {}, {}, {}, {}
    for taker, *ends in zip(loop.takers, supplies, returns, strict=True):
        before, after = net.node(f"{taker.id} before the plates"), net.node(f"{taker.id} behind the plates")
        hose = net.node(f"{taker.id} hose")
        half, bore = taker.hose_length / 2, taker.hose_diameter
        net.pipe(f"{taker.id} supply hose", ends[0], hose, half, bore, loss=taker.coupling_loss / 2)
        valve[taker.id] = net.valve(
            f"{taker.id} balancing valve", hose, before, kv[taker.id],
            opening=taker.valve_open, characteristic="linear",
        )  # fmt: skip
        leak[taker.id] = net.leak(f"{taker.id} leak", before)
        if isinstance(taker, AirCoil):
            coil[taker.id] = air_coil(
                net, f"{taker.id} coil", before, after, m_nominal=density * taker.design_flow,
                dp_nominal=taker.pressure_drop, UA=taker.ua, air_nominal=AIR_DENSITY * air_flow[taker.id],
            )  # fmt: skip
        else:
            plates = taker.cold_plates
            plate[taker.id] = net.cold_plate(
                f"{taker.id} plates", before, after, m_nominal=density * taker.design_flow,
                dp_nominal=plates.pressure_drop, UA=plate_conductance(loop, taker),
                UA_exponent=plates.exponent, C=plates.thermal_mass, volume=_PLATE_VOLUME, T_nominal=T,
            )  # fmt: skip
        net.pipe(f"{taker.id} return hose", after, ends[1], half, bore, loss=taker.coupling_loss / 2)
    return LoopNetwork(
        loop, net.build(), pump, valve, plate, leak, coil, strainer, warm_side, facility, tank,
        supplies[0], returns[0], facility_supply, lacking or {},
    )  # fmt: skip


def _pump(net: Builder, pump: Pump, tank: int, pumped: int) -> int:
    points = [(0.0, pump.shutoff_pressure), (pump.design_flow, pump.design_pressure)]
    slope = (pump.shutoff_pressure - pump.design_pressure) / pump.design_flow**2
    most = math.sqrt(pump.shutoff_pressure / slope)
    points += [(part * most, pump.shutoff_pressure - slope * (part * most) ** 2) for part in (0.5, 0.9)]
    return net.pump(
        pump.id, tank, pumped, points, speed=0.0 if pump.standby else 1.0, V_best=pump.design_flow,
        efficiency=pump.hydraulic_power / pump.shaft_power, run_down=max(pump.coast_down, 1e-3),
    )  # fmt: skip


def _facility(net: Builder, loop: Loop, warm_side: int, total: float) -> tuple[int, int]:
    """Lead the building's water through the other side of the exchanger, behind its control valve."""
    cdu, water = loop.cdu, fluid("water")
    flow, T = cdu.facility.flow, cdu.facility.supply_temperature
    density = float(water.density(T))
    nodes = [net.node(f"{cdu.id} facility {name}", fluid=water) for name in ("supply", "valve", "return")]
    net.boundary(nodes[0], 3e5 + _FACILITY_DROP, T)
    net.boundary(nodes[2], 3e5, T)
    valve = net.valve(
        f"{cdu.id} facility valve", nodes[0], nodes[1], _kv(flow / density, density, 0.6 * _FACILITY_DROP),
        opening=1.0, characteristic="equal",
    )  # fmt: skip
    cold_side = net.resistance(
        f"{cdu.id} facility side", nodes[1], nodes[2], flow, 0.4 * _FACILITY_DROP, volume=2e-3, T_nominal=T
    )
    film = 2.0 * cdu.exchanger.ua  # both films alike at design flow, the plate's wall left out
    net.exchange(warm_side, cold_side, UA=(film, film), m_nominal=(total, flow))
    return valve, nodes[0]


def _kv(V_flow: float, density: float, dp: float) -> float:
    """Flow coefficient that lets a flow [m3/s] through at a pressure drop [Pa]. [m3/(h sqrt(bar))]."""
    return 3600.0 * V_flow * math.sqrt(density / _WATER * _PA_PER_BAR / max(dp, 1.0))


def _spare_pressure(network: LoopNetwork) -> dict[str, float]:
    """Pressure that is left for each balancing valve at design flows everywhere. [Pa]."""
    loop, case = network.loop, network.case
    names = {name: n for n, name in enumerate(case.branch_names)}
    density = float(fluid(loop.fluid).density(loop.cdu.supply_temperature))
    working = [pump for pump in loop.cdu.pumps if not pump.standby]
    wanted = {taker.id: density * taker.design_flow for taker in loop.takers}
    m = np.zeros(case.setting.size)
    total, capacity = sum(wanted.values()), sum(pump.design_flow for pump in working)
    for pump in working:
        m[network.pump[pump.id]] = total * pump.design_flow / capacity
    m[[network.filter, network.exchanger, names[f"{loop.id} return main"]]] = total
    rest = total
    for n, taker in enumerate(loop.takers):
        for part in ("supply hose", "balancing valve", "return hose", "plates", "coil"):
            if f"{taker.id} {part}" in names:
                m[names[f"{taker.id} {part}"]] = wanted[taker.id]
        if n > 0:
            m[[names[f"{loop.id} {way} main {n}"] for way in ("supply", "return")]] = rest
        rest -= wanted[taker.id]
    dp = _losses(network, m)
    common = dp[[network.filter, network.exchanger, names[f"{loop.id} return main"]]].sum()
    rise = -max(dp[network.pump[pump.id]] for pump in working)
    spare, mains = {}, 0.0
    for n, taker in enumerate(loop.takers):
        if n > 0:
            mains += float(sum(dp[names[f"{loop.id} {way} main {n}"]] for way in ("supply", "return")))
        own = sum(
            float(dp[names[f"{taker.id} {part}"]])
            for part in ("supply hose", "return hose", "plates", "coil")
            if f"{taker.id} {part}" in names
        )
        spare[taker.id] = float(rise - common - mains - own)
    return spare


def _losses(network: LoopNetwork, m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pressure losses of all elements at given mass flows, the coolant at its set point. [Pa]."""
    loop, case = network.loop, network.case
    liquid, T = fluid(loop.fluid), loop.cdu.supply_temperature
    rho, mu = np.full(m.size, float(liquid.density(T))), np.full(m.size, float(liquid.viscosity(T)))
    dp, slope = np.zeros(m.size), np.zeros(m.size)
    losses(case.branches, m, rho, mu, case.setting, dp, slope)
    return dp
