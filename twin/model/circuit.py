"""The coolant loops of a layout at work: what the chips give to coolant and air, steady and over time.

A branch's chips are one mass with heat on three ways: power in, coolant, and the air of the rack::

    C dT/dt = P - Q_coolant(flow, T, T_coolant) - G (T - T_air)

G is such that at nominal power, flow and temperatures the coolant takes the rack's liquid share; warmer or
colder air moves that split. What the
coolant does not take goes to the room's air, all in the same run: a pump that stops is felt by the chips in
seconds and by the room in minutes. Servers are not throttled; the run says when chips pass their limit.

A coil takes heat out of the air that leaves a rack, cell by cell: see `twin.model.loop_air`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.coolant import control, transient
from solvers.coolant.components import Inputs
from solvers.coolant.exchangers import gain
from solvers.coolant.fluids import fluid
from solvers.coolant.network import Network, prepare, solve
from twin.model.catalog import AIR_HEAT_CAPACITY
from twin.model.coolant import AMBIENT_PRESSURE, LoopNetwork, build_loop
from twin.model.operating import CoolantSettings, Operating, liquid_share, rack_slots
from twin.model.packing import flatten, rebuild
from twin.model.schema import AirCoil, Branch, Layout, Loop
from twin.units import ZERO_CELSIUS

_SLOPE = (
    -25.0
)  # K of supply over the facility valve's range, measured with one pump of the liquid row; 20 with two
_DELAY = 2.0  # s, from the valve's move to the supply's, measured there
_LEAD = (
    0.375  # proportional part of the loop's gain: over 2 to the limit of what answers at once after a delay
)
_LEAST_OPEN = 0.02  # of the facility valve under control
_LEAST_WARMER = 10.0  # K, of chips over air, to give it heat by conduction
_MOST_BY_AIR = 0.5  # of the conductance to the coolant: air beside a plate is no heat sink
_RUNS = 1e-3  # speed over the nominal one, below which a pump stands
_OFF_TARGET = 1.0  # K, by which a supply is not held
_ALL_OPEN = 0.99


class Exhaust(NamedTuple):
    """The air that leaves the slots of a rack, before a coil.

    Attributes
    ----------
    T : float64[slots]         [K]
    C_flow : float64[slots]    Capacity flow rho cp V. [W/K]
    """

    T: NDArray[np.float64]
    C_flow: NDArray[np.float64]


class Coil(NamedTuple):
    """What a coil does to the air of a rack.

    Attributes
    ----------
    share : float    Of the way from the air's temperature to `T_in` that the air goes. [-]
    T_in : float     Coolant into the coil. [K]
    """

    share: float
    T_in: float


class Alarm(NamedTuple):
    """What an operator must hear of a loop.

    Attributes
    ----------
    name : str        What it is about, the same for as long as it lasts.
    value : float     How bad it is, comparable under one name: larger is worse.
    text : str
    passes : bool     A value has passed its limit; False of a part that is out of work.
    """

    name: str
    value: float
    text: str
    passes: bool = True


class Circuit:
    """One loop: its network, its control, its chips.

    Parameters
    ----------
    layout : Layout
    loop : Loop    One of the layout's.

    Attributes
    ----------
    rack_of : dict              Rack of each branch.
    racks : tuple of str        Racks whose chips hang on it.
    begin : Balance             Of the start, and
    settled_to : float          how well heat closed there. [1]
    """

    def __init__(self, layout: Layout, loop: Loop) -> None:
        self.loop = loop
        self.fluid = fluid(loop.fluid)
        self.parts: LoopNetwork = build_loop(
            loop, {coil.id: _nominal_air_flow(layout, coil) for coil in loop.coils}
        )
        self.network: Network = prepare(self.parts.case)
        # a gain with delay, by SIMC (Skogestad 2003): gain / time = 1 / (slope (closed loop's time + delay))
        integral_time = _LEAD * (max(loop.cdu.valve_time, 1.0) + _DELAY)
        self.controls = control.controls(
            {
                "quantity": control.TEMPERATURE, "first": self.parts.supply,
                "target": loop.cdu.supply_temperature,
                "gain": _LEAD / _SLOPE, "time": integral_time, "low": _LEAST_OPEN, "high": 1.0,
                "output": self.parts.facility,
            }
        )  # fmt: skip
        racklets = {unit.id: unit for unit in layout.racklets}
        self.rack_of = {branch.id: racklets[branch.racklet].rack for branch in loop.branches}
        self.racks = tuple(dict.fromkeys(self.rack_of.values()))
        partners = {
            rack: sum(unit.rack == rack and unit.cooling_module.kind == "liquid" for unit in layout.racklets)
            for rack in self.racks
        }
        self.part = {name: 1.0 / partners[rack] for name, rack in self.rack_of.items()}
        T_air = _nominal_air(layout)
        split = [self._to_air(layout, branch, T_air) for branch in loop.branches]
        self.conductance, self._beside = np.array(split, np.float64).reshape(-1, 2).T
        self.plates = np.array([self.parts.plate[branch.id] for branch in loop.branches], np.int64)
        self.inputs: Inputs = self.network.inputs()
        self.state: transient.State
        self._air_heat = np.zeros(len(loop.branches))
        self._held = False
        self.begin = transient.Balance(0.0, 0.0)
        self.settled_to = 0.0

    def settle(
        self,
        power: Mapping[str, float],
        T_air: Mapping[str, float],
        settings: CoolantSettings,
        exhaust: Mapping[str, Exhaust],
    ) -> None:
        """Find the steady state and begin there; parameters as of `twin.model.circuits.Coolant`."""
        self._set(settings)
        self._blow(exhaust)
        beside = self._heat(power, T_air)
        self.inputs, steady = control.settle(self.network, self.inputs, self.controls, strict=False)
        self._air_heat, self._held = steady.Q_air + beside, False
        self.state = transient.start(self.network, self.inputs, steady, self.controls)
        self.begin = transient.balance(self.network, self.state)
        self.settled_to = steady.energy_relative

    def advance(
        self,
        duration: float,
        power: Mapping[str, float],
        T_air: Mapping[str, float],
        settings: CoolantSettings,
        exhaust: Mapping[str, Exhaust],
    ) -> None:
        """Carry the loop on by a duration [s]."""
        self._set(settings)
        self._blow(exhaust)
        beside = self._heat(power, T_air)
        state, controls = self.state, self.controls
        if not self.inputs.drive.any():  # a controller without flow holds its valve
            controls = controls._replace(gain=np.zeros_like(controls.gain))
            state = state._replace(integral=state.setting[controls.output])
        elif self._held:
            measured = control.measure(controls, state.flow.p, state.flow.m_flow, state.warmth.T)
            state = state._replace(integral=control.wind(controls, state.setting, measured))
        self._held = not self.inputs.drive.any()
        self.state = transient.advance(self.network, state, self.inputs, duration, controls)
        self._air_heat = self.state.Q_air + beside

    def air_heat(self, rack: str) -> float:
        """Heat that chips gave to the air of a rack, mean over the last `advance`. [W]."""
        return sum(
            float(heat)
            for branch, heat in zip(self.loop.branches, self._air_heat, strict=True)
            if self.rack_of[branch.id] == rack
        )

    def _blow(self, exhaust: Mapping[str, Exhaust]) -> None:
        """Lead the air of the racks over the coils."""
        for coil in self.loop.coils:
            number, air = self.parts.coil[coil.id][1], exhaust.get(coil.rack)
            C_flow = 0.0 if air is None else float(air.C_flow.sum())
            self.inputs.air_flow[number] = C_flow / AIR_HEAT_CAPACITY
            if air is not None and C_flow > 0.0:
                self.inputs.T_air[number] = float(air.T @ air.C_flow) / C_flow

    def coils(self) -> dict[str, Coil]:
        """Return what the coils do to the air of their racks, by rack."""
        found: dict[str, Coil] = {}
        if not self.loop.coils:
            return found
        exchangers, T, m = self.network.case.exchangers, self.state.warmth.T, self.state.flow.m_flow
        rates = np.zeros((len(exchangers.arrangement), 2))
        capacities = np.zeros_like(rates)
        for coil in self.loop.coils:
            branch, number = self.parts.coil[coil.id]
            before = float(T[self.network.case.branches.a[branch]])
            rates[number] = abs(m[branch]), self.inputs.air_flow[number]
            capacities[number] = float(self.fluid.specific_heat(before)), AIR_HEAT_CAPACITY
        capacities *= rates
        through = gain(exchangers, rates, capacities)
        for coil in self.loop.coils:
            branch, number = self.parts.coil[coil.id]
            C_air = capacities[number, 1]
            share = float(through[number] / C_air) if C_air > 0.0 else 0.0
            found[coil.rack] = Coil(share, float(T[self.network.case.branches.a[branch]]))
        return found

    def _coil_heat(self, branch: int) -> float:
        flow = self.state.flow
        rho = float(self.fluid.density(self.state.warmth.T[self.parts.supply]))
        return float(self.state.Q_flow[branch] - abs(flow.m_flow[branch] * flow.dp[branch]) / rho)

    def points(self) -> dict[str, float]:
        """Return the telemetry points of the loop: SI, temperatures in degC."""
        state, parts, cdu = self.state, self.parts, self.loop.cdu
        T = state.warmth.T - ZERO_CELSIUS
        m = state.flow.m_flow
        p = state.flow.p - AMBIENT_PRESSURE
        values = {
            f"{cdu.id}.supply_temperature": float(T[parts.supply]),
            f"{cdu.id}.return_temperature": float(T[parts.back]),
            f"{cdu.id}.facility_supply_temperature": float(T[parts.facility_supply]),
            f"{cdu.id}.coolant_flow": float(m[parts.exchanger]),
            f"{cdu.id}.supply_pressure": float(p[parts.supply]),
            f"{cdu.id}.return_pressure": float(p[parts.back]),
            f"{cdu.id}.level": float(state.level[0]),
            f"{cdu.id}.valve": float(state.setting[parts.facility]),
            f"{cdu.id}.pump_power": float(state.power.sum()),
        }
        for pump, speed in zip(cdu.pumps, state.speed, strict=True):
            values[f"{pump.id}.pump_speed"] = float(speed) * pump.speed
        for k, branch in enumerate(self.loop.branches):
            plate, flow = self.plates[k], float(m[parts.valve[branch.id]])
            back, heat = float(T[self.behind(plate)]), float(state.Q_flow[plate])
            before = float(T[self.network.case.branches.a[plate]])
            values |= {
                f"{branch.id}.coolant_flow": flow,
                f"{branch.id}.chip_temperature": float(state.warmth.T_solid[k]) - ZERO_CELSIUS,
                f"{branch.id}.return_temperature": back,
                f"{branch.id}.liquid_heat": heat,
                f"{branch.racklet}.coolant_flow": flow,
                f"{branch.racklet}.coolant_supply_temperature": before,
                f"{branch.racklet}.coolant_return_temperature": back,
                f"{branch.racklet}.liquid_heat": heat,
            }
        for coil in self.loop.coils:
            n = parts.coil[coil.id][0]
            values[f"{coil.id}.coolant_flow"] = float(m[n])
            values[f"{coil.id}.return_temperature"] = float(T[self.behind(n)])
            values[f"{coil.id}.liquid_heat"] = self._coil_heat(n)
        return values

    def behind(self, branch: int) -> int:
        """Node that a branch flows into at design."""
        return int(self.network.case.branches.b[branch])

    def findings(self) -> tuple[str, ...]:
        """Say what is wrong with the loop's present state."""
        said = self.network.findings(self.inputs), self.network.hot_and_cold(self.state.warmth.T)
        alarms = (alarm.text for alarm in self.alarms())
        return (*alarms, *(text for group in said for text in group))

    def alarms(self) -> tuple[Alarm, ...]:
        """Say what an operator must hear: pumps that are down, the tank, the supply, chips, boiling."""
        cdu, state = self.loop.cdu, self.state
        alarms = [
            Alarm(pump.id, 0.0, f"pump {pump.id} is down", passes=False)
            for pump, runs in zip(cdu.pumps, self.inputs.drive.tolist(), strict=True)
            if not runs and not pump.standby
        ]
        level = float(state.level[0])
        if level < cdu.reservoir.alarm_level:
            text = f"level {level:.0%} in {cdu.id}, alarm at {cdu.reservoir.alarm_level:.0%}"
            alarms.append(Alarm("level", -level, text))
        alarms += [Alarm("empty", 0.0, text) for text in transient.findings(self.network, state)]
        supply, wanted = float(state.warmth.T[self.parts.supply]), float(self.controls.target[0])
        valve = float(state.setting[self.parts.facility])
        if self.inputs.drive.any() and supply > wanted + _OFF_TARGET and valve >= _ALL_OPEN:
            text = (
                f"supply {supply - ZERO_CELSIUS:.1f} °C, set {wanted - ZERO_CELSIUS:.1f} °C: "
                f"the facility's valve of {cdu.id} is fully open"
            )
            alarms.append(Alarm("supply", supply - wanted, text))
        for branch, T in zip(self.loop.branches, state.warmth.T_solid.tolist(), strict=True):
            limit = branch.cold_plates.limit_temperature
            if limit < T:
                chips = f"chips of {self.rack_of[branch.id]} ({branch.id})"
                text = f"{chips} {T - ZERO_CELSIUS:.1f} °C, limit {limit - ZERO_CELSIUS:.0f} °C"
                alarms.append(Alarm(f"{branch.id}.chips", T, text))
            if self.fluid.T_hot < T and self.fluid.hot_is == "boiling":
                text = (
                    f"{self.loop.fluid} boils at {self.fluid.T_hot - ZERO_CELSIUS:.1f} °C: under chips of "
                    f"{T - ZERO_CELSIUS:.0f} °C in {branch.id} it may, and what follows is not modelled"
                )
                alarms.append(Alarm(f"{branch.id}.boiling", T, text))
        return tuple(alarms)

    def pack(self) -> dict[str, NDArray[np.float64]]:
        """Return all that `unpack` needs to go on bit by bit."""
        packed = flatten("state", self.state)
        packed |= flatten("inputs", self.inputs) | flatten("begin", self.begin)
        packed |= {"air_heat": self._air_heat.copy(), "settled_to": np.array(self.settled_to)}
        return packed | {"held": np.array(self._held)}

    def unpack(self, packed: Mapping[str, NDArray[np.float64]]) -> None:
        """Take over a state from `pack`."""
        self.inputs = rebuild("inputs", self.inputs, packed)
        if not hasattr(self, "state"):
            cold = self.network.inputs()  # of any state, for its form
            self.state = transient.start(self.network, cold, solve(self.network, cold), self.controls)
        self.state = rebuild("state", self.state, packed)
        self.begin = rebuild("begin", self.begin, packed)
        self._air_heat = packed["air_heat"].copy()
        self.settled_to = float(packed["settled_to"])
        self._held = bool(packed["held"])

    def _heat(self, power: Mapping[str, float], T_air: Mapping[str, float]) -> NDArray[np.float64]:
        """Put heat under the plates and air beside them; returns what goes straight to the air. [W]."""
        racks = [self.rack_of[branch.id] for branch in self.loop.branches]
        drawn = np.array([power[r] * self.part[b.id] for r, b in zip(racks, self.loop.branches, strict=True)])
        beside = self._beside * drawn
        self.inputs.heat[self.plates] = drawn - beside
        self.inputs.T_solid_air[:] = [T_air[rack] for rack in racks]
        return beside

    def _to_air(self, layout: Layout, branch: Branch, T_air: float) -> tuple[float, float]:
        """Conductance from the chips of a branch to the air, and the share that never reaches the plates.

        Together they give the air what the liquid does not take at nominal power. Chips that are not much
        warmer than the air cannot give it their share by conduction: the rest is of parts beside the plates.
        """
        rack = layout.rack(self.rack_of[branch.id])
        power, share = rack.nominal_power * self.part[branch.id], liquid_share(rack)
        chips = self.loop.cdu.supply_temperature + branch.cold_plates.resistance * share * power
        G = (1.0 - share) * power / max(chips - T_air, _LEAST_WARMER)
        G = min(G, _MOST_BY_AIR / branch.cold_plates.resistance)
        left = (1.0 - share) * power - G * (chips - T_air)
        return G, left / power if power > 0.0 else 0.0

    def _set(self, settings: CoolantSettings) -> None:
        """Bring what operators and faults do into the network's inputs; standby pumps follow failed ones."""
        factors = [settings.air.get(branch.id, 1.0) for branch in self.loop.branches]
        self.inputs.G_solid[:] = self.conductance * np.array(factors, np.float64)
        parts, cdu, inputs = self.parts, self.loop.cdu, self.inputs
        driven = {pump.id: settings.drive.get(pump.id, True) for pump in cdu.pumps}
        down = sum(not driven[pump.id] for pump in cdu.pumps if not pump.standby)
        for k, pump in enumerate(cdu.pumps):
            called = not pump.standby
            if pump.standby and driven[pump.id] and down > 0:
                called, down = True, down - 1
            speed = settings.speed.get(pump.id, 1.0 if called else 0.0)
            inputs.drive[k] = driven[pump.id] and speed > _RUNS
            inputs.setting[parts.pump[pump.id]] = speed
        for taker in self.loop.takers:
            inputs.setting[parts.valve[taker.id]] = settings.valve.get(taker.id, taker.valve_open)
            inputs.setting[parts.leak[taker.id]] = settings.leak.get(taker.id, 0.0)
        clogged = 1.0 / max(1.0 - cdu.filter.clogged, 1e-3) ** 2
        inputs.setting[parts.filter] = settings.fouling.get(cdu.id, clogged)
        self.controls.target[0] = settings.supply.get(cdu.id, cdu.supply_temperature)
        inputs.T[parts.facility_supply] = settings.facility.get(cdu.id, cdu.facility.supply_temperature)


def _nominal_air(layout: Layout) -> float:
    """Air that cools the chips at nominal conditions: what the coolers supply. [K]."""
    supplies = [cooler.supply_temperature for cooler in layout.coolers]
    return sum(supplies) / len(supplies) if supplies else layout.air.reference_temperature


def _nominal_air_flow(layout: Layout, coil: AirCoil) -> float:
    """Air of the rack before a coil at nominal conditions. [m3/s]."""
    slots = rack_slots(layout, layout.rack(coil.rack), Operating.nominal(layout))
    return sum(slot.flow for slot in slots)
