"""The emulated plant's physics: a room that is deliberately not the twin's.

It runs coarser cells, another closure constant and turbulent Prandtl number, fans, circuits and coolers that
differ from the layout by seeded factors, and set points that act with lag. What it knows is the truth; what
the world sees of it goes through `hardware_sync.agent.sensor_model`. Coolant loops march beside the air, with
differences of their own: `hardware_sync.agent.plant_loops`.

=====================  =============================================
what                   differs from the layout, one draw per object
=====================  =============================================
rack air flow          factor, normal, 1 +- 0.05
cooler air flow        factor, normal, 1 +- 0.03
heat to liquid         factor, normal, 1 +- 0.05
cooler capacity        factor, normal, 0.97 +- 0.02
cooler supply          offset, normal, 0 +- 0.3 K
=====================  =============================================

A rack's power is what its load asks for; what its fans and pump draw more or less than at nominal speed is
left out, as the layout counts their nominal draw as part of the rack's power.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardware_sync.agent.actuators import COOLER_FAN, FAN, PUMP, SUPPLY, Actuator
from hardware_sync.agent.plant_loops import PlantLoops
from hardware_sync.points import RackletState
from solvers.airflow.model import (
    advance,
    initial_state,
    prepare,
    restart,
    solve_steady,
    unit_inlet_temperature,
)
from solvers.errors import SolverError
from twin.errors import NotConvergedError
from twin.model.catalog import AIR_DENSITY, AIR_HEAT_CAPACITY
from twin.model.loop_air import first_surroundings, surroundings, with_loops
from twin.model.operating import Operating, Perturbation
from twin.model.scene import build_scene, observe
from twin.model.schema import Layout
from twin.racklet import cooling
from twin.units import celsius, kelvin

log = logging.getLogger(__name__)

COARSENING = 1.6
START_COARSENING = 1.8
START_TIME = 180.0
CLOSURE_FACTOR = 1.25
TURBULENT_PRANDTL = 0.8
CFL = 4.0
LEVEL = 0.92
FIELDS = ("u", "v", "w", "p", "T", "T_unit")


def plant_perturbation(layout: Layout, seed: int) -> Perturbation:
    """Draw how this plant differs from its layout; see the module's table."""
    rng = np.random.default_rng([seed, 77])

    def around(mean: float, deviation: float) -> float:
        return float(mean + deviation * np.clip(rng.standard_normal(), -2.5, 2.5))

    return Perturbation(
        air_flow={
            **{rack.id: around(1.0, 0.05) for rack in layout.racks},
            **{cooler.id: around(1.0, 0.03) for cooler in layout.coolers},
        },
        liquid={unit.id: around(1.0, 0.05) for unit in layout.racklets},
        capacity={cooler.id: around(0.97, 0.02) for cooler in layout.coolers},
        supply_temperature={cooler.id: around(0.0, 0.3) for cooler in layout.coolers},
    )


class PlantModel:
    """The room as it truly is, marched through time.

    Parameters
    ----------
    layout : Layout
    seed : int
        Of the perturbation.
    cell : float, optional
        Target cell size; `COARSENING` times the layout's without it. [m]

    Attributes
    ----------
    time : float      Simulated time since the model was made. [s]
    """

    def __init__(self, layout: Layout, seed: int, cell: float | None = None) -> None:
        self.layout = layout
        self._cell = cell or layout.air.cell * COARSENING
        self.perturbation = plant_perturbation(layout, seed)
        self._scene, self._model = self._prepare(self._cell)
        self._nominal = Operating.nominal(layout)
        self._power: dict[str, float] = dict(self._nominal.rack_power)
        self.loops = PlantLoops(layout, seed, self.perturbation) if layout.loops else None
        self.actuators = self._make_actuators()
        self._state = initial_state(self._model, self._coldest_supply())
        self._settle_loops(first=True)

    @property
    def cells(self) -> int:
        """Number of cells."""
        return self._scene.cells

    @property
    def time(self) -> float:
        """Simulated time. [s]."""
        return self._state.time

    def write(self, point: str, value: float) -> bool:
        """Take a set point in units of the telemetry table; False where there is no such actuator."""
        actuator = self.actuators.get(point)
        if actuator is None or not math.isfinite(value):
            return False
        actuator.target = kelvin(value) if point.endswith("temperature") else value
        return True

    def settle(self, power: Mapping[str, float]) -> None:
        """Begin with room and loops settled at these rack powers; where the solver fails, with a cold room.

        Parameters
        ----------
        power : mapping    By rack. [W]

        Raises
        ------
        NotConvergedError : the coolant loops have no steady state.
        """
        self._power = dict(power)
        scene, model = self._prepare(self._cell * START_COARSENING)
        self._settle_loops(first=True)
        inputs = scene.unit_inputs(self._operating(), self.perturbation)
        if self.loops is not None:
            inputs = with_loops(inputs, self.loops.coolant, scene.rack_units)
        try:
            settled = solve_steady(model, inputs, max_time=START_TIME, tolerance=0.5)
            self._state = restart(self._model, model, settled.state)._replace(time=0.0)
        except SolverError as error:
            log.warning("the plant begins with a cold room: %s", error)
        self._settle_loops()

    def advance(self, duration: float, power: Mapping[str, float]) -> None:
        """March on.

        Parameters
        ----------
        duration : float    [s]
        power : mapping     What the racks' equipment draws, by rack. [W]

        Raises
        ------
        NotConvergedError : the solver failed; room, loops and actuators are as before.
        """
        actuators = [(actuator, actuator.value) for actuator in self.actuators.values()]
        former, loops = self._power, None if self.loops is None else self.loops.coolant.pack()
        for actuator in self.actuators.values():
            actuator.advance(duration)
        self._power = dict(power)
        T_inlet = unit_inlet_temperature(self._model, self._state)
        inputs = self._scene.unit_inputs(self._operating(), self.perturbation, T_inlet)
        try:
            if self.loops is not None:
                felt = surroundings(
                    self.loops.coolant,
                    self._scene.rack_units,
                    self._power,
                    inputs,
                    T_inlet,
                )
                self.loops.coolant.advance(
                    duration, felt.power, felt.T_air, self.loops.settings(), felt.exhaust
                )
                inputs = with_loops(inputs, self.loops.coolant, self._scene.rack_units)
            self._state = advance(self._model, self._state, inputs, duration, cfl=CFL)
        except SolverError as error:
            for actuator, value in actuators:
                actuator.value = value
            self._power = former
            if self.loops is not None and loops is not None:
                self.loops.coolant.unpack(loops)
            raise NotConvergedError(f"emulated plant: {error}") from error

    def truth(self) -> dict[str, float]:
        """Return the true value of every point, in units of the telemetry table."""
        operating = self._operating()
        values = observe(self._scene, self._model, self._state, operating)
        T_inlet = unit_inlet_temperature(self._model, self._state)
        inputs = self._scene.unit_inputs(operating, self.perturbation, T_inlet)
        for rack in self.layout.racks:
            units = list(self._scene.rack_units[rack.id])
            flow = inputs.V_flow[units]
            values[f"{rack.id}.air_flow"] = float(flow.sum())
            if flow.sum() > 0:
                mean = float(np.average(self._state.T_unit[units], weights=flow))
                values[f"{rack.id}.outlet_temperature"] = celsius(mean)
        for cooler in self.layout.coolers:
            unit = self._scene.cooler_units[cooler.id]
            flow = float(inputs.V_flow[unit])
            drop = float(T_inlet[unit]) - float(self._state.T_unit[unit])
            values[f"{cooler.id}.air_flow"] = flow
            values[f"{cooler.id}.cooling_power"] = AIR_DENSITY * AIR_HEAT_CAPACITY * flow * drop
        values |= self._coolant(operating)
        return values if self.loops is None else values | self.loops.truth()

    def dump(self) -> dict[str, Any]:
        """Return the state as arrays, for a checkpoint."""
        arrays: dict[str, Any] = {field: getattr(self._state, field) for field in FIELDS}
        arrays["time"] = np.float64(self._state.time)
        arrays["grid"] = np.concatenate(self._scene.case.grid)
        names = sorted(self.actuators)
        arrays["actuator_names"] = np.array(names)
        arrays["actuator_values"] = np.array(
            [(self.actuators[name].value, self.actuators[name].target) for name in names]
        ).reshape(-1, 2)
        return arrays if self.loops is None else arrays | self.loops.dump()

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> bool:
        """Go on from a checkpoint; False, and nothing changed, where it is of another room or broken."""
        try:
            if not np.array_equal(arrays["grid"], np.concatenate(self._scene.case.grid)):
                return False
            fields = {field: arrays[field] for field in FIELDS}
            state = self._state._replace(**fields, time=float(arrays["time"]))
            names = [str(name) for name in arrays["actuator_names"]]
            values = np.asarray(arrays["actuator_values"], np.float64)
        except (KeyError, ValueError, TypeError):
            return False
        same = all(
            getattr(state, field).shape == getattr(self._state, field).shape
            and np.isfinite(getattr(state, field)).all()
            for field in FIELDS
        )
        if not same or values.shape != (len(names), 2) or not np.isfinite(values).all():
            return False
        if self.loops is not None and not self.loops.load(arrays):
            return False
        self._state = state
        for name, (value, target) in zip(names, values.tolist(), strict=True):
            if name in self.actuators:
                self.actuators[name].value, self.actuators[name].target = value, target
        return True

    def _prepare(self, cell: float):
        scene = build_scene(self.layout, cell)
        closure = scene.closure._replace(
            constant=scene.closure.constant * CLOSURE_FACTOR, Pr_t=TURBULENT_PRANDTL
        )
        return scene, prepare(scene.case, closure, self.layout.air.reference_temperature)

    def _make_actuators(self) -> dict[str, Actuator]:
        nominal = self._nominal
        groups = (
            (nominal.fan_speed, "fan_speed", FAN),
            (nominal.pump_speed, "pump_speed", PUMP),
            (nominal.cooler_fan_speed, "fan_speed", COOLER_FAN),
            (nominal.cooler_supply_temperature, "supply_temperature", SUPPLY),
        )
        own = {
            f"{name}.{quantity}": Actuator(value, value, *dynamics)
            for values, quantity, dynamics in groups
            for name, value in values.items()
        }
        return own if self.loops is None else own | self.loops.actuators

    def _operating(self) -> Operating:
        """Return what the room does now: powers as the load asks, actuators where they are."""

        def now(names: Mapping[str, float], quantity: str) -> dict[str, float]:
            return {name: self.actuators[f"{name}.{quantity}"].value for name in names}

        nominal = self._nominal
        return replace(
            nominal,
            rack_power=self._power,
            fan_speed=now(nominal.fan_speed, "fan_speed"),
            pump_speed=now(nominal.pump_speed, "pump_speed"),
            cooler_fan_speed=now(nominal.cooler_fan_speed, "fan_speed"),
            cooler_supply_temperature=now(nominal.cooler_supply_temperature, "supply_temperature"),
        )

    def _coolant(self, operating: Operating) -> dict[str, float]:
        values: dict[str, float] = {}
        heat_by_unit = self._scene.liquid_heat(operating, self.perturbation)
        for unit in self.layout.racklets:
            values[f"{unit.id}.state"] = float(RackletState.RUNNING)
            values[f"{unit.id}.error"] = 0.0
            loop = unit.cooling_module
            if loop.kind != "liquid" or self.layout.branch_of(unit.id) is not None:
                continue
            flow = loop.coolant_flow * operating.pump(unit) / loop.pump_speed
            supply = celsius(loop.coolant_supply_temperature)
            heat = heat_by_unit[unit.id]
            values[f"{unit.id}.fluid_level"] = LEVEL
            values[f"{unit.id}.liquid_heat"] = heat
            values[f"{unit.id}.coolant_return_temperature"] = cooling.coolant_return_temperature(
                supply, heat, flow, loop.coolant_heat_capacity
            )
        return values

    def _settle_loops(self, *, first: bool = False) -> None:
        """Begin with steady loops beside the air of now, or before there is one.

        Raises
        ------
        NotConvergedError : they have no steady state.
        """
        if self.loops is None:
            return
        coolant, units = self.loops.coolant, self._scene.rack_units
        if first:
            inputs = self._scene.unit_inputs(self._operating(), self.perturbation)
            felt = first_surroundings(coolant, units, self._power, inputs, self._model.T_ref)
        else:
            T_inlet = unit_inlet_temperature(self._model, self._state)
            inputs = self._scene.unit_inputs(self._operating(), self.perturbation, T_inlet)
            felt = surroundings(coolant, units, self._power, inputs, T_inlet)
        try:
            coolant.settle(felt.power, felt.T_air, self.loops.settings(), felt.exhaust)
        except SolverError as error:
            raise NotConvergedError(f"emulated plant, coolant loops: {error}") from error

    def _coldest_supply(self) -> float:
        set_points = self._nominal.cooler_supply_temperature.values()
        return min(set_points, default=self.layout.air.reference_temperature)
