"""The snapshot: the twin's state with names and units, as people, stores and browsers see it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from solvers.airflow.model import unit_inlet_temperature, unit_inlet_temperature_max
from twin.model.catalog import ASHRAE_CLASSES, band
from twin.model.scene import Scene
from twin.runtime.engine import Engine
from twin.runtime.inputs import STALE_AFTER, Comparer, LiveInputs
from twin.units import celsius, quantity_of

TEMPERATURES = frozenset({"inlet_temperature", "outlet_temperature", "return_temperature", "temperature"})
"""Quantities of the air that the twin predicts and does not take from the sensors; they make its error."""

NAMED = 3  # missing points that a message names
RECOMMENDED_LIMIT = 27.0  # ASHRAE TC 9.9, upper recommended inlet of the classes A1-A4 [degC]

Body = dict[str, Any]


def describe_scene(scene: Scene) -> Body:
    """Return what a viewer draws and the grid that the field comes on: the feed's greeting.

    Parameters
    ----------
    scene : Scene

    Returns
    -------
    dict
        ``scene`` (list of boxes with name, kind, lo, hi, facing) and ``grid`` (face coordinates x, y, z). [m]
    """
    grid = scene.case.grid
    return {
        "layout": scene.layout.name,
        "scene": [dataclasses.asdict(box) for box in scene.boxes],
        "grid": {"x": grid.x.tolist(), "y": grid.y.tolist(), "z": grid.z.tolist()},
        "room": list(scene.layout.room.size),
        "raised_floor": scene.layout.room.raised_floor,
    }


def error_points(predictions: Mapping[str, float], loops: Collection[str] = ()) -> list[str]:
    """Return the points whose comparison makes the twin's error: air temperatures that it predicts.

    Parameters
    ----------
    predictions : mapping
    loops : collection of str    Points of the coolant loops, which are left out.
    """
    return [p for p in predictions if p not in loops and quantity_of(p).name in TEMPERATURES]


def summarise(
    engine: Engine,
    predictions: Mapping[str, float],
    inputs: LiveInputs,
    comparer: Comparer,
    now: float,
) -> Body:
    """Return the part of a snapshot's summary that follows from the twin's state and the readings.

    Parameters
    ----------
    engine : Engine
    predictions : mapping
        Point -> the twin's value now, from ``engine.predictions()``.
    inputs : LiveInputs
    comparer : Comparer
    now : float
        The wall clock. [s since epoch]

    Returns
    -------
    dict
        JSON-serialisable; numbers that are not known are None. See docs/architecture.md for the keys.
    """
    loops = engine.loops.summary()
    racks = _racks(engine, predictions, loops, inputs, now)
    coolers = _coolers(engine, predictions, inputs, now)
    error = comparer.mean_error(error_points(predictions, engine.loops.points()), now)
    hottest = max((rack["inlet_max_c"] for rack in racks.values()), default=None)
    return _clean(
        {
            "time": engine.time(),
            "wall": now,
            "layout": engine.layout.name,
            "cells": engine.scene.cells,
            "real_time_factor": engine.pace.real_time_factor,
            "degraded": _shortfall(engine, inputs, now),
            "skipped_s": engine.pace.skipped,
            "twin_error_k": error,
            "data_age_s": inputs.data_age(now),
            "racks": racks,
            "coolers": coolers,
            "loops": loops,
            "loops_fault": engine.loops.fault,
            "sensors": _sensors(predictions, inputs, comparer, now),
            "kpis": {
                "max_inlet_c": hottest,
                "racks_over_27": sum(r["inlet_max_c"] > RECOMMENDED_LIMIT for r in racks.values()),
                "it_kw": sum(r["power_w"] for r in racks.values()) / 1e3,
                "cooling_kw": sum(c["cooling_w"] for c in coolers.values()) / 1e3
                + sum(r["liquid_heat_w"] for r in racks.values()) / 1e3,
                "twin_error_k": error,
            },
        }
    )


def _shortfall(engine: Engine, inputs: LiveInputs, now: float) -> str | None:
    """Say what makes the twin less than it should be, or None."""
    missing = inputs.missing(now)
    parts = [text for text in (engine.pace.degraded, engine.loops.fault) if text]
    if missing and inputs.latest:
        named = ", ".join(missing[:NAMED]) + (
            f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        )
        parts.append(f"no readings of {named}; their last values are held")
    return "; ".join(parts) or None


def _racks(
    engine: Engine, predictions: Mapping[str, float], loops: Body, inputs: LiveInputs, now: float
) -> Body:
    scene, operating = engine.scene, engine.operating
    T_mean = unit_inlet_temperature(engine.model, engine.state)
    T_max = unit_inlet_temperature_max(engine.model, engine.state)
    V_flow = scene.unit_inputs(operating).V_flow
    to_loops: dict[str, float] = {}
    takers = (loop[kind] for loop in loops.values() for kind in ("branches", "coils"))
    for taker in (taker for group in takers for taker in group.values()):
        to_loops[taker["rack"]] = to_loops.get(taker["rack"], 0.0) + taker["liquid_heat_w"]
    racks: Body = {}
    for rack in scene.layout.racks:
        units = list(scene.rack_units[rack.id])
        weights = V_flow[units] if V_flow[units].sum() > 0 else np.ones(len(units))
        prefix = f"{rack.id}.inlet_temperature."
        at_sensors = [value for point, value in predictions.items() if point.startswith(prefix)]
        hottest = max(at_sensors, default=celsius(float(T_max[units].max())))
        measured = [
            reading.value
            for point, reading in inputs.latest.items()
            if point.startswith(prefix) and (inputs.age(point, now) or 0.0) < STALE_AFTER
        ]
        limits = ASHRAE_CLASSES[rack.ashrae_class]
        racklet = scene.layout.racklet_of(rack.id)
        alone = (
            unit.id
            for unit in scene.layout.racklets
            if unit.rack == rack.id and (not loops or scene.layout.branch_of(unit.id) is None)
        )
        own_circuits = sum(predictions.get(f"{name}.liquid_heat", 0.0) for name in alone)
        racks[rack.id] = {
            "power_w": operating.rack_power[rack.id],
            "air_flow": float(V_flow[units].sum()),
            "inlet_mean_c": celsius(float(np.average(T_mean[units], weights=weights))),
            "inlet_max_c": hottest,
            "inlet_spot_c": celsius(float(T_max[units].max())),
            "outlet_mean_c": celsius(float(np.average(engine.state.T_unit[units], weights=weights))),
            "measured_inlet_max_c": max(measured, default=None),
            "fan_speed": operating.fan_speed.get(racklet.id) if racklet else None,
            "pump_speed": operating.pump_speed.get(racklet.id) if racklet else None,
            "liquid_heat_w": to_loops.get(rack.id, 0.0) + own_circuits,
            "racklet": racklet.id if racklet else None,
            "band": band(hottest, rack.ashrae_class),
            "limits_c": [
                limits.allowable_low,
                limits.recommended_low,
                limits.recommended_high,
                limits.allowable_high,
            ],
            "age_s": inputs.age(f"{rack.id}.power", now),
        }
    return racks


def _coolers(engine: Engine, predictions: Mapping[str, float], inputs: LiveInputs, now: float) -> Body:
    return {
        cooler.id: {
            "supply_c": predictions.get(f"{cooler.id}.supply_temperature"),
            "return_c": predictions.get(f"{cooler.id}.return_temperature"),
            "air_flow": predictions.get(f"{cooler.id}.air_flow"),
            "cooling_w": predictions.get(f"{cooler.id}.cooling_power", 0.0),
            "fan_speed": engine.operating.cooler_fan_speed.get(cooler.id),
            "age_s": inputs.age(f"{cooler.id}.supply_temperature", now),
        }
        for cooler in engine.layout.coolers
    }


def _sensors(
    predictions: Mapping[str, float], inputs: LiveInputs, comparer: Comparer, now: float
) -> dict[str, Body]:
    sensors: dict[str, Body] = {}
    for point, predicted in predictions.items():
        age = inputs.age(point, now)
        met = comparer.latest.get(point)
        fresh = met is not None and age is not None and age < STALE_AFTER
        sensors[point] = {
            "predicted": predicted,
            "measured": inputs.latest[point].value if age is not None else None,
            "error": met.error if met is not None and fresh else None,
            "age_s": age,
            "unit": quantity_of(point).unit,
        }
    return sensors


def _clean(value: Any) -> Any:
    """Round for the wire and replace what JSON cannot say by None."""
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, float | np.floating):
        if not math.isfinite(value):
            return None
        return round(float(value), 4) if abs(value) >= 1.0 else float(f"{value:.4g}")
    return value
