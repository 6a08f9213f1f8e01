"""The coolant loops of a layout at work: what the chips give to coolant and air, steady and over time.

A branch's chips are one mass with heat on three ways: power in, coolant, and the air of the rack::

    C dT/dt = P - Q_coolant(flow, T, T_coolant) - G (T - T_air)

G is such that at nominal power, flow and temperatures the coolant takes the rack's liquid share. What the
coolant does not take goes to the room's air, all in the same run: a pump that stops is felt by the chips in
seconds and by the room in minutes. Servers are not throttled; the run says when chips pass their limit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.coolant import control, transient
from solvers.coolant.components import Inputs
from solvers.coolant.fluids import fluid
from solvers.coolant.network import Network, Steady, prepare, solve
from twin.model.coolant import AMBIENT_PRESSURE, LoopNetwork, build_loop
from twin.model.operating import CoolantSettings, liquid_share
from twin.model.schema import Branch, Layout, Loop
from twin.units import ZERO_CELSIUS

STEP = 0.5
"""Time for which the heat that chips give to the air is held. [s]"""
_GAIN = -0.03  # of the facility valve's range per kelvin of supply
_LEAST_OPEN = 0.02  # of the facility valve under control
_ROUNDS = 60  # to the steady state of chips and coolant
_AGREE = 1e-6  # K
_RUNS = 1e-3  # speed over the nominal one, below which a pump stands


class Coolant:
    """All loops of a layout.

    Parameters
    ----------
    layout : Layout    At least one loop.

    Attributes
    ----------
    racks : tuple of str    Racks whose chips hang on a loop.
    """

    def __init__(self, layout: Layout) -> None:
        self._loops = [_Circuit(layout, loop) for loop in layout.loops]
        self.racks = tuple(dict.fromkeys(rack for circuit in self._loops for rack in circuit.racks))

    def settle(
        self, power: Mapping[str, float], T_air: Mapping[str, float], settings: CoolantSettings
    ) -> None:
        """Find the steady state and begin there.

        Parameters
        ----------
        power : mapping    By rack: electric power. [W]
        T_air : mapping    By rack: air at its inlet. [K]
        settings : CoolantSettings
        """
        for circuit in self._loops:
            circuit.settle(power, T_air, settings)

    def advance(
        self,
        duration: float,
        power: Mapping[str, float],
        T_air: Mapping[str, float],
        settings: CoolantSettings,
    ) -> None:
        """Carry the loops on by a duration [s]; parameters as `settle`, held over it."""
        for circuit in self._loops:
            circuit.advance(duration, power, T_air, settings)

    def air_heat(self, rack: str) -> float:
        """Heat that the chips of a rack gave to its air, mean over the last `advance`. [W]."""
        return sum(circuit.air_heat(rack) for circuit in self._loops)

    def points(self) -> dict[str, float]:
        """Return the telemetry points of all loops: SI, temperatures in degC."""
        return {name: value for circuit in self._loops for name, value in circuit.points().items()}

    def summary(self) -> dict[str, Any]:
        """Return the numbers of each loop now, by its id."""
        return {circuit.loop.id: circuit.summary() for circuit in self._loops}

    def findings(self) -> list[str]:
        """Say what is wrong with the loops' present state."""
        return [f"loop '{circuit.loop.id}': {text}" for circuit in self._loops for text in circuit.findings()]

    def pack(self) -> dict[str, NDArray[np.float64]]:
        """Return all that `unpack` needs to go on bit by bit."""
        return {
            f"{circuit.loop.id}.{name}": value
            for circuit in self._loops
            for name, value in circuit.pack().items()
        }

    def unpack(self, packed: Mapping[str, NDArray[np.float64]]) -> None:
        """Take over a state from `pack`."""
        for circuit in self._loops:
            start = f"{circuit.loop.id}."
            circuit.unpack({k.removeprefix(start): v for k, v in packed.items() if k.startswith(start)})


class _Circuit:
    """One loop: its network, its control, its chips."""

    def __init__(self, layout: Layout, loop: Loop) -> None:
        self.loop = loop
        self._fluid = fluid(loop.fluid)
        self.parts: LoopNetwork = build_loop(loop)
        self.network: Network = prepare(self.parts.case)
        self.controls = control.controls(
            {
                "quantity": control.TEMPERATURE, "first": self.parts.supply,
                "target": loop.cdu.supply_temperature,
                "gain": _GAIN, "time": max(loop.cdu.valve_time, 1.0), "low": _LEAST_OPEN, "high": 1.0,
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
        self.conductance = np.array(
            [self._to_air(layout, branch, T_air) for branch in loop.branches], np.float64
        )
        self.plates = np.array([self.parts.plate[branch.id] for branch in loop.branches])
        self.inputs: Inputs = self.network.inputs()
        self.state: transient.State
        self._air_heat = np.zeros(len(loop.branches))
        self._begin = transient.Balance(0.0, 0.0)

    def settle(
        self, power: Mapping[str, float], T_air: Mapping[str, float], settings: CoolantSettings
    ) -> None:
        self._set(settings)
        given, air = self._given(power, T_air)
        steady: Steady | None = None
        to_air, chips = np.zeros(given.size), np.full(given.size, math.nan)
        for _ in range(_ROUNDS):
            self.inputs.heat[self.plates] = given - to_air
            self.inputs, steady = control.settle(
                self.network, self.inputs, self.controls, steady, strict=False
            )
            settled = steady.T_solid
            to_air = self.conductance * (settled - air)
            if np.abs(settled - chips).max() <= _AGREE:
                break
            chips = settled
        assert steady is not None
        self._air_heat = to_air
        self.state = transient.start(self.network, self.inputs, steady, self.controls)
        self._begin = transient.balance(self.network, self.state)

    def advance(
        self,
        duration: float,
        power: Mapping[str, float],
        T_air: Mapping[str, float],
        settings: CoolantSettings,
    ) -> None:
        self._set(settings)
        given, air = self._given(power, T_air)
        steps = max(1, math.ceil(duration / STEP - 1e-9))
        total = np.zeros(given.size)
        for _ in range(steps):
            to_air = self.conductance * (self.state.warmth.T_solid - air)
            self.inputs.heat[self.plates] = given - to_air
            self.state = transient.advance(
                self.network, self.state, self.inputs, duration / steps, self.controls
            )
            total += to_air
        self._air_heat = total / steps

    def air_heat(self, rack: str) -> float:
        return sum(
            float(heat)
            for branch, heat in zip(self.loop.branches, self._air_heat, strict=True)
            if self.rack_of[branch.id] == rack
        )

    def points(self) -> dict[str, float]:
        state, parts, cdu = self.state, self.parts, self.loop.cdu
        T = state.warmth.T - ZERO_CELSIUS
        m = state.flow.m_flow
        p = state.flow.p - AMBIENT_PRESSURE
        rho = float(self._fluid.density(state.warmth.T[parts.supply]))
        values = {
            f"{cdu.id}.supply_temperature": float(T[parts.supply]),
            f"{cdu.id}.return_temperature": float(T[parts.back]),
            f"{cdu.id}.coolant_flow": float(m[parts.exchanger] / rho),
            f"{cdu.id}.supply_pressure": float(p[parts.supply]),
            f"{cdu.id}.return_pressure": float(p[parts.back]),
            f"{cdu.id}.level": float(state.level[0]),
            f"{cdu.id}.valve": float(state.setting[parts.facility]),
        }
        for pump, speed in zip(cdu.pumps, state.speed, strict=True):
            values[f"{pump.id}.pump_speed"] = float(speed) * pump.speed
        for k, branch in enumerate(self.loop.branches):
            values[f"{branch.id}.coolant_flow"] = float(m[parts.valve[branch.id]] / rho)
            values[f"{branch.id}.chip_temperature"] = float(state.warmth.T_solid[k]) - ZERO_CELSIUS
            values[f"{branch.id}.liquid_heat"] = float(state.Q_flow[self.plates[k]])
        return values

    def summary(self) -> dict[str, Any]:
        points, cdu = self.points(), self.loop.cdu
        now = transient.balance(self.network, self.state)
        stored = now.energy - self._begin.energy
        handled = max(abs(stored), abs(self.state.energy_in), float(np.abs(self.inputs.heat).sum()))
        return {
            "fluid": self.loop.fluid,
            "supply_c": points[f"{cdu.id}.supply_temperature"],
            "return_c": points[f"{cdu.id}.return_temperature"],
            "flow_m3_s": points[f"{cdu.id}.coolant_flow"],
            "pressure_difference_pa": points[f"{cdu.id}.supply_pressure"]
            - points[f"{cdu.id}.return_pressure"],
            "level": points[f"{cdu.id}.level"],
            "pump_power_w": float(self.state.power.sum()),
            "energy_relative": abs(stored - self.state.energy_in) / max(handled, 1e-9),
            "branches": {
                branch.id: {
                    "rack": self.rack_of[branch.id],
                    "flow_m3_s": points[f"{branch.id}.coolant_flow"],
                    "chip_c": points[f"{branch.id}.chip_temperature"],
                    "limit_c": branch.cold_plates.limit_temperature - ZERO_CELSIUS,
                    "liquid_heat_w": points[f"{branch.id}.liquid_heat"],
                }
                for branch in self.loop.branches
            },
        }

    def findings(self) -> tuple[str, ...]:
        return (*self.network.findings(self.inputs), *self.network.hot_and_cold(self.state.warmth.T))

    def pack(self) -> dict[str, NDArray[np.float64]]:
        packed = _flatten("state", self.state)
        packed |= _flatten("inputs", self.inputs) | _flatten("begin", self._begin)
        return packed | {"air_heat": self._air_heat.copy()}

    def unpack(self, packed: Mapping[str, NDArray[np.float64]]) -> None:
        self.inputs = _rebuild("inputs", self.inputs, packed)
        if not hasattr(self, "state"):
            cold = self.network.inputs()  # of any state, for its form
            self.state = transient.start(self.network, cold, solve(self.network, cold), self.controls)
        self.state = _rebuild("state", self.state, packed)
        self._begin = _rebuild("begin", self._begin, packed)
        self._air_heat = packed["air_heat"].copy()

    def _given(self, power, T_air) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Power under the plates of each branch and the air beside them. [W, K]."""
        racks = [self.rack_of[branch.id] for branch in self.loop.branches]
        given = [power[rack] * self.part[b.id] for rack, b in zip(racks, self.loop.branches, strict=True)]
        return np.array(given), np.array([T_air[rack] for rack in racks])

    def _to_air(self, layout: Layout, branch: Branch, T_air: float) -> float:
        """Conductance from the chips of a branch to the air. [W/K]."""
        rack = layout.rack(self.rack_of[branch.id])
        power, share = rack.nominal_power * self.part[branch.id], liquid_share(rack)
        chips = self.loop.cdu.supply_temperature + branch.cold_plates.resistance * share * power
        return (1.0 - share) * power / max(chips - T_air, 1.0)

    def _set(self, settings: CoolantSettings) -> None:
        """Bring what operators and faults do into the network's inputs; standby pumps follow failed ones."""
        parts, cdu, inputs = self.parts, self.loop.cdu, self.inputs
        down = sum(not settings.drive.get(pump.id, True) for pump in cdu.pumps if not pump.standby)
        for k, pump in enumerate(cdu.pumps):
            called = not pump.standby or down > 0
            if pump.standby and down > 0:
                down -= 1
            speed = settings.speed.get(pump.id, 1.0) if called else 0.0
            inputs.drive[k] = settings.drive.get(pump.id, True) and speed > _RUNS
            inputs.setting[parts.pump[pump.id]] = speed
        for branch in self.loop.branches:
            inputs.setting[parts.valve[branch.id]] = settings.valve.get(branch.id, branch.valve_open)
            inputs.setting[parts.leak[branch.id]] = settings.leak.get(branch.id, 0.0)
        clogged = 1.0 / max(1.0 - cdu.filter.clogged, 1e-3) ** 2
        inputs.setting[parts.filter] = settings.fouling.get(cdu.id, clogged)
        inputs.T[parts.facility_supply] = settings.facility.get(cdu.id, cdu.facility.supply_temperature)


def _nominal_air(layout: Layout) -> float:
    """Air that cools the chips at nominal conditions: what the coolers supply. [K]."""
    supplies = [cooler.supply_temperature for cooler in layout.coolers]
    return sum(supplies) / len(supplies) if supplies else layout.air.reference_temperature


def _parts(value: Any) -> tuple[str, ...]:
    """Return the names of the parts of a named tuple; none of anything else."""
    return getattr(value, "_fields", ())


def _flatten(name: str, value: Any) -> dict[str, NDArray]:
    """Return the arrays in nested named tuples, by their path."""
    flat: dict[str, NDArray] = {}
    for part in _parts(value):
        flat |= _flatten(f"{name}.{part}", getattr(value, part))
    return flat if _parts(value) else {name: np.array(value)}


def _rebuild(name: str, like: Any, packed: Mapping[str, NDArray]) -> Any:
    """Return a value of the form of another from the arrays of `_flatten`."""
    if _parts(like):
        return type(like)(*(_rebuild(f"{name}.{part}", getattr(like, part), packed) for part in _parts(like)))
    found = packed[name]
    return found.copy() if isinstance(like, np.ndarray) else type(like)(found.item())
