"""The scene: a layout on a grid, with solids, plates, porous faces, flow-through units and all their names.

:func:`build_scene` makes it once per geometry. What changes while the room runs (powers, speeds, set points)
is an :class:`Operating` and enters through :meth:`Scene.unit_inputs`; what a state of the air means for the
sensors comes out through :func:`observe`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import CP, RHO, AirCase, AirState, Closure, UnitInputs
from solvers.airflow.model import AirModel, probe, unit_inlet_temperature
from solvers.errors import ConvergenceError
from twin.errors import Finding, InputError
from twin.model.geometry import Box, Xyz, sensor_points
from twin.model.mesh import build_mesh
from twin.model.operating import (
    Operating,
    Perturbation,
    cooler_flow,
    duct_flow,
    rack_slots,
    racklet_liquid_heat,
)
from twin.model.schema import CELL_SIZE, Layout, Racklet
from twin.racklet import cooling, power
from twin.units import celsius

__all__ = ["Box", "Operating", "Perturbation", "Scene", "build_scene", "observe"]

COARSEST_CELL = 5.0 * CELL_SIZE.maximum
"""Largest target cell size of a mesh: first states and a strained twin coarsen what a layout asks for. [m]"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scene:
    """A layout on a grid.

    Attributes
    ----------
    layout : Layout
    case : AirCase                        What the airflow solver gets.
    closure : Closure
    cells : int
    unit_names : tuple of str
        By unit: ``R01.1`` (the lowest slot), ``R01.2``, ``R01.leakage``, ``C1``, ``D1``.
    rack_units : mapping                  Rack -> its slot units, in the order of the layout's slots.
    leakage_units : mapping               Rack -> its leakage unit, where it has one.
    cooler_units : mapping                Cooler -> its unit.
    duct_units : mapping                  Duct -> its unit.
    surface_names : tuple of str
        By rectangle of ``case.surfaces``: ``west``, ``slab``, ``raised_floor`` ...
    sensor_points : mapping               Point -> place of a temperature or pressure probe in the air. [m]
    boxes : tuple of Box                  For display.
    findings : tuple of Finding           Warnings of the meshing.
    room_cells : bool[nx, ny, nz]         Air between raised floor and drop ceiling.
    plenum_cells, ceiling_cells : bool[nx, ny, nz]   Air below the raised floor, above the drop ceiling.
    region : int32[nx, ny, nz]
        Number of the connected space a cell lies in, that of the air outside included; -1 in solids.
    """

    layout: Layout
    case: AirCase
    closure: Closure
    cells: int
    unit_names: tuple[str, ...]
    rack_units: Mapping[str, tuple[int, ...]]
    leakage_units: Mapping[str, int]
    cooler_units: Mapping[str, int]
    duct_units: Mapping[str, int]
    surface_names: tuple[str, ...]
    sensor_points: Mapping[str, Xyz]
    boxes: tuple[Box, ...]
    findings: tuple[Finding, ...]
    room_cells: NDArray[np.bool_]
    plenum_cells: NDArray[np.bool_]
    ceiling_cells: NDArray[np.bool_]
    region: NDArray[np.int32]

    def beside(self, place: Xyz) -> str:
        """Say what stands nearest to a place [m]: ``0.3 m from rack 'R01'``; empty where nothing does."""
        at = np.asarray(place)

        def distance(box: Box) -> float:
            lo, hi = np.asarray(box.lo), np.asarray(box.hi)
            return float(np.linalg.norm(np.maximum(np.maximum(lo - at, at - hi), 0.0)))

        near = [box for box in self.boxes if box.kind != "floor"]
        if not near:
            return ""
        box = min(near, key=distance)
        return f"{distance(box):.1f} m from {box.kind} '{box.name}'"

    def failure(self, error: ConvergenceError) -> str:
        """Say in the room's terms why a solve failed: what, where, the last residuals."""
        near = f" That is {self.beside(error.place)}." if error.place is not None and self.boxes else ""
        last = ", ".join(f"{value:.2g}" for value in error.history[-4:])
        return f"{error}{near}" + (f" Last residuals: {last}." if last else "")

    def room_pressure(self, p: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the volume mean of a pressure over the air between floor and ceiling, by connected space.

        The pressure of a closed room is known up to a constant, and each connected space has one of its own.

        Parameters
        ----------
        p : float[nx, ny, nz]
            [Pa]

        Returns
        -------
        float64[number of spaces]
            A space without air there has the mean of all its air. [Pa]
        """
        fluid = self.region >= 0
        spaces = int(self.region.max(initial=-1)) + 1
        volumes = self.case.grid.volumes
        above = np.bincount(self.region[self.room_cells], volumes[self.room_cells], spaces) > 0.0
        counted = fluid & (self.room_cells | ~above[self.region])
        where, weights = self.region[counted], volumes[counted]
        total = np.bincount(where, weights * p[counted], spaces)
        return total / np.bincount(where, weights, spaces)

    def gauge_pressure(self, p: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return a pressure relative to the room, each connected space to its own; 0 in solids.

        Parameters
        ----------
        p : float[nx, ny, nz]
            [Pa]

        Returns
        -------
        float64[nx, ny, nz]
            [Pa]
        """
        if not (self.region >= 0).any():
            return np.zeros(self.region.shape)
        return np.where(self.region >= 0, p - self.room_pressure(p)[self.region], 0.0)

    def unit_inputs(
        self,
        operating: Operating,
        perturbation: Perturbation | None = None,
        T_inlet: NDArray[np.float64] | None = None,
        dp: NDArray[np.float64] | None = None,
    ) -> UnitInputs:
        """Return flow, heat, set point, capacity and thermal mass of every unit.

        Parameters
        ----------
        operating : Operating
        perturbation : Perturbation, optional
            How a plant differs from the layout.
        T_inlet : float64[nu], optional
            Air at the units' inlets, for the fan curves of servers; without it their factor is 1. [K]
        dp : float64[nu], optional
            Pressure at the units' discharge less that at their return, for the fan curves of coolers, as
            :meth:`pressure_rise` gives it; without it a cooler has its flow at design pressure. [Pa]

        Returns
        -------
        UnitInputs
            Racks in heat mode; coolers in supply mode, a failed one with no flow. Ducts without a supply
            temperature pass the air on as it is; those with one cool down to it in supply mode, and from a
            colder outside heat up to it.

        Raises
        ------
        InputError : a power, speed, set point or pressure is not finite, or is negative where it cannot be.
        """
        findings = operating.faults()
        nu = len(self.unit_names)
        if dp is not None and (dp.shape != (nu,) or not np.isfinite(dp).all()):
            rule = f"must be {nu} finite pressure differences, one for each unit"
            findings.append(Finding("operating", "units", "dp", str(dp.shape), rule, "Check the pressures"))
        if findings:
            raise InputError(findings)
        V_flow, Q_flow, C = np.zeros(nu), np.zeros(nu), np.zeros(nu)
        T_supply, Q_max = np.full(nu, np.nan), np.zeros(nu)
        for rack in self.layout.racks:
            units = self.rack_units[rack.id]
            inlet = None if T_inlet is None else tuple(float(T_inlet[unit]) for unit in units)
            slots = rack_slots(self.layout, rack, operating, perturbation, inlet)
            for unit, slot in zip(units, slots, strict=True):
                V_flow[unit], Q_flow[unit], C[unit] = slot.flow, slot.air_heat, slot.thermal_mass
            if rack.id in self.leakage_units:
                V_flow[self.leakage_units[rack.id]] = rack.leakage * sum(slot.flow for slot in slots)
        for cooler in self.layout.coolers:
            unit = self.cooler_units[cooler.id]
            rise = None if dp is None else float(dp[unit])
            V_flow[unit] = cooler_flow(cooler, operating, perturbation, rise)
            C[unit] = cooler.thermal_mass
            T_supply[unit] = operating.set_point(cooler)
            Q_max[unit] = math.inf if cooler.supply == "fixed" else (cooler.capacity or 0.0)
            if perturbation is not None:
                T_supply[unit] += perturbation.supply_temperature.get(cooler.id, 0.0)
                Q_max[unit] *= perturbation.capacity.get(cooler.id, 1.0)
        T_ambient = operating.ambient(self.layout)
        for duct in self.layout.ducts:
            unit, wanted = self.duct_units[duct.id], duct.supply_temperature
            V_flow[unit] = duct_flow(duct, operating, perturbation)
            if wanted is None:
                continue
            if duct.intake is None and wanted > T_ambient:
                Q_flow[unit] = RHO * CP * V_flow[unit] * (wanted - T_ambient)
            else:
                T_supply[unit], Q_max[unit] = wanted, math.inf
        return UnitInputs(V_flow, Q_flow, T_supply, Q_max, C, T_ambient)

    def pressure_rise(self, p: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the pressure before the outlet of every unit less that before its inlet.

        What a cooler's fan curve is entered with. The outside has 0 Pa; a difference across two closed
        spaces means nothing, but no cooler joins two.

        Parameters
        ----------
        p : float[nx, ny, nz]
            [Pa]

        Returns
        -------
        float64[nu]
            Means over the areas of the patches. [Pa]
        """
        case = self.case
        at = np.zeros(case.patch_axis.size + 1)  # the last one is the outside
        for patch, axis in enumerate(case.patch_axis.tolist()):
            others = [a for a in range(3) if a != axis]
            layer = int(case.patch_index[patch]) - int(case.patch_side[patch] < 0)
            spans = dict(
                zip(others, zip(case.patch_lo[patch], case.patch_hi[patch], strict=True), strict=True)
            )
            window = tuple(layer if a == axis else slice(*spans[a]) for a in range(3))
            widths = [case.grid.widths[a][slice(*spans[a])] for a in others]
            at[patch] = np.average(p[window], weights=np.outer(*widths))
        return at[case.unit_outlet] - at[case.unit_inlet]

    def rack_air_heat(
        self, operating: Operating, perturbation: Perturbation | None = None
    ) -> dict[str, float]:
        """Heat every rack gives to the air. [W]."""
        return {
            rack.id: sum(slot.air_heat for slot in rack_slots(self.layout, rack, operating, perturbation))
            for rack in self.layout.racks
        }

    def liquid_heat(self, operating: Operating, perturbation: Perturbation | None = None) -> dict[str, float]:
        """Heat every racklet's coolant takes. [W]."""
        return {
            unit.id: racklet_liquid_heat(self.layout, unit, operating, perturbation)
            for unit in self.layout.racklets
        }


def build_scene(layout: Layout, cell: float | None = None) -> Scene:
    """Put a layout on a grid.

    Parameters
    ----------
    layout : Layout             One that ``load_layout`` accepted.
    cell : float, optional      Target cell size; the layout's ``air.cell`` without it. [m]

    Raises
    ------
    InputError : the cell size is not finite or out of range, the grid needs more memory than there is, an
        opening is blocked or finer than the grid, a unit takes air from a sealed space, a closed space has
        no balance of air or no way out for its heat, or a sensor stands in a dead pocket.
    """
    size = layout.air.cell if cell is None else cell
    if not CELL_SIZE.minimum <= size <= COARSEST_CELL:
        rule = f"a cell size must be at least {CELL_SIZE.minimum:g} and at most {COARSEST_CELL:g} m"
        raise InputError([Finding(layout.name, "grid", "cell", f"{size:g} m", rule, "Try 0.1 m")])
    mesh = build_mesh(layout, size)
    for finding in mesh.findings:
        logger.warning("%s", finding)
    closure = layout.air.closure
    return Scene(
        layout=layout,
        case=mesh.case,
        closure=Closure(
            kind=closure.kind,
            constant=closure.constant,
            Pr_t=closure.turbulent_prandtl,
            vreman=closure.vreman_constant,
            intensity=closure.intensity,
            length=closure.length_scale,
        ),
        cells=mesh.case.grid.cells,
        unit_names=tuple(mesh.unit_names),
        rack_units=MappingProxyType(mesh.rack_units),
        leakage_units=MappingProxyType(mesh.leakage_units),
        cooler_units=MappingProxyType(mesh.cooler_units),
        duct_units=MappingProxyType(mesh.duct_units),
        surface_names=mesh.surface_names,
        sensor_points=MappingProxyType(sensor_points(layout)),
        boxes=mesh.boxes,
        findings=tuple(mesh.findings),
        room_cells=mesh.room_cells,
        plenum_cells=mesh.plenum_cells,
        ceiling_cells=mesh.ceiling_cells,
        region=mesh.region,
    )


def observe(
    scene: Scene,
    model: AirModel,
    state: AirState,
    operating: Operating,
    dp: NDArray[np.float64] | None = None,
) -> dict[str, float]:
    """Say what every modelled sensor would read.

    Parameters
    ----------
    scene : Scene
    model : AirModel        Prepared from ``scene.case``.
    state : AirState
    operating : Operating   What the room does now.
    dp : float64[nu], optional
        What the units were given, see :meth:`Scene.unit_inputs`. [Pa]

    Returns
    -------
    dict
        Value by point in the units of the telemetry table: SI, temperatures in degC. Pressures are relative
        to the volume mean between floor and ceiling of the connected space the probe stands in.
    """
    T_inlet = unit_inlet_temperature(model, state)
    inputs = scene.unit_inputs(operating, T_inlet=T_inlet, dp=dp)
    values = _probes(scene, model, state)
    for rack in scene.layout.racks:
        units = list(scene.rack_units[rack.id])
        flow = inputs.V_flow[units]
        weights = flow if flow.sum() > 0.0 else np.ones(flow.size)
        values[f"{rack.id}.power"] = operating.power(rack)
        values[f"{rack.id}.air_flow"] = float(flow.sum())
        outlet = float(np.average(state.T_unit[units], weights=weights))
        values[f"{rack.id}.outlet_temperature"] = celsius(outlet)
    for cooler in scene.layout.coolers:
        unit = scene.cooler_units[cooler.id]
        flow, entering, leaving = float(inputs.V_flow[unit]), float(T_inlet[unit]), float(state.T_unit[unit])
        values[f"{cooler.id}.supply_temperature"] = celsius(leaving)
        values[f"{cooler.id}.return_temperature"] = celsius(entering)
        values[f"{cooler.id}.air_flow"] = flow
        values[f"{cooler.id}.fan_speed"] = operating.cooler_fan(cooler)
        values[f"{cooler.id}.cooling_power"] = model.rho * model.cp * flow * (entering - leaving)
    for unit in scene.layout.racklets:
        values |= _racklet(scene.layout, unit, operating)
    return values


def _probes(scene: Scene, model: AirModel, state: AirState) -> dict[str, float]:
    names = list(scene.sensor_points)
    if not names:
        return {}
    gauge = state._replace(p=scene.gauge_pressure(state.p).astype(np.float32))
    sample = probe(model, gauge, np.array([scene.sensor_points[name] for name in names], np.float64))
    return {
        name: float(sample.p[n]) if name.endswith(".pressure") else celsius(float(sample.T[n]))
        for n, name in enumerate(names)
    }


def _racklet(layout: Layout, unit: Racklet, operating: Operating) -> dict[str, float]:
    """Say what a racklet's own sensors would read; what its loop does is said by `twin.model.circuits`."""
    module, rack = unit.power_module, layout.rack(unit.rack)
    sharing = sum(other.rack == unit.rack for other in layout.racklets)
    delivered = power.output(
        operating.power(rack) / sharing, module.module_power * module.modules, module.output_voltage
    )
    values = {
        f"{unit.id}.fan_speed": operating.fan(unit),
        f"{unit.id}.output_power": delivered.power,
        f"{unit.id}.output_voltage": delivered.voltage,
        f"{unit.id}.output_current": delivered.current,
    }
    loop = unit.cooling_module
    if loop.kind == "liquid" and layout.branch_of(unit.id) is None:
        heat = racklet_liquid_heat(layout, unit, operating)
        flow = loop.coolant_flow * operating.pump(unit) / loop.pump_speed
        supply = celsius(loop.coolant_supply_temperature)
        values |= {
            f"{unit.id}.pump_speed": operating.pump(unit),
            f"{unit.id}.coolant_flow": flow,
            f"{unit.id}.coolant_supply_temperature": supply,
            f"{unit.id}.coolant_return_temperature": cooling.coolant_return_temperature(
                supply, heat, flow, loop.coolant_heat_capacity
            ),
            f"{unit.id}.liquid_heat": heat,
        }
    return values
