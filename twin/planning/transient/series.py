"""What a simulation leaves over time: the series of every point, and when each rack becomes critical."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solvers.airflow.case import AirState, UnitInputs
from solvers.airflow.model import AirModel, unit_inlet_temperature, unit_inlet_temperature_max
from twin.model.catalog import ASHRAE_CLASSES
from twin.model.operating import Operating
from twin.model.scene import Scene, observe
from twin.model.schema import Layout
from twin.planning.metrics import mixed
from twin.planning.transient.course import Course
from twin.units import ZERO_CELSIUS

_DIGITS = 7  # significant, as many as single precision has


class Series:
    """Values of every point at the output times, as they come.

    Attributes
    ----------
    columns : list of str    ``time`` [s], then the points; see ``twin.units`` for their quantities.
    rows : list of float64[columns]
    """

    def __init__(self, columns: list[str] | None = None, rows: NDArray[np.float64] | None = None) -> None:
        self.columns = columns or []
        self.rows = [] if rows is None else list(rows)

    def add(self, values: dict[str, float]) -> None:
        """Add a row; a point that the first row did not have is left out, one that is missing is NaN."""
        if not self.columns:
            self.columns = list(values)
        self.rows.append(np.array([values.get(name, math.nan) for name in self.columns], np.float64))

    def array(self) -> NDArray[np.float64]:
        """Return all rows, float64[n, columns]."""
        return np.array(self.rows, np.float64).reshape(len(self.rows), len(self.columns))

    def of(self, point: str) -> NDArray[np.float64]:
        """Return one column."""
        return self.array()[:, self.columns.index(point)]

    def write(self, folder: Path) -> None:
        """Write ``series.csv`` and ``series.parquet``, the telemetry table: SI, temperatures in degC."""
        table = pd.DataFrame(self.array(), columns=self.columns)
        table.to_csv(folder / "series.csv", index=False, float_format=f"%.{_DIGITS}g")
        table.to_parquet(folder / "series.parquet", index=False)


def read_points(
    scene: Scene,
    model: AirModel,
    state: AirState,
    inputs: UnitInputs,
    operating: Operating,
    course: Course,
) -> dict[str, float]:
    """Return every point of the telemetry table at a state, ``time`` first.

    Beside what sensors would read there are the mean and the maximum over each rack's inlet,
    ``R01.inlet_temperature.mean`` and ``.max``. A cooler that stands still supplies nothing: its supply
    temperature is NaN.

    Parameters
    ----------
    scene : Scene
    model : AirModel
    state : AirState
    inputs : UnitInputs     What the units did up to the state.
    operating : Operating   The operating point of that time.
    course : Course
    """
    at = state.time
    T_in = unit_inlet_temperature(model, state) - ZERO_CELSIUS
    T_max = unit_inlet_temperature_max(model, state) - ZERO_CELSIUS
    T_out = np.asarray(state.T_unit) - ZERO_CELSIUS
    V = inputs.V_flow
    values: dict[str, float] = {"time": at}
    for rack in scene.layout.racks:
        units = list(scene.rack_units[rack.id])
        values[f"{rack.id}.inlet_temperature.mean"] = mixed(T_in[units], V[units])
        values[f"{rack.id}.inlet_temperature.max"] = float(T_max[units].max())
        values[f"{rack.id}.outlet_temperature"] = mixed(T_out[units], V[units])
        values[f"{rack.id}.air_flow"] = float(V[units].sum())
        values[f"{rack.id}.power"] = course.rack_power(rack.id, at)
    for cooler in scene.layout.coolers:
        unit = scene.cooler_units[cooler.id]
        values[f"{cooler.id}.supply_temperature"] = float(T_out[unit]) if V[unit] > 0.0 else math.nan
        values[f"{cooler.id}.return_temperature"] = float(T_in[unit])
        values[f"{cooler.id}.air_flow"] = float(V[unit])
        values[f"{cooler.id}.fan_speed"] = course.cooler_speed(cooler.id, at)
        taken = model.rho * model.cp * V[unit] * (T_in[unit] - T_out[unit])
        values[f"{cooler.id}.cooling_power"] = float(taken)
    for point, value in observe(scene, model, state, operating).items():
        values.setdefault(point, value)
    return values


def racks_over_time(layout: Layout, series: Series) -> dict[str, dict[str, Any]]:
    """Say of every rack how hot its inlet becomes and when it first passes the limits of its class.

    The times are those at which the maximum over the inlet first exceeds the upper recommended and allowable
    limit, linear between outputs; None where it does not.
    """
    time = series.of("time")
    racks: dict[str, dict[str, Any]] = {}
    for rack in layout.racks:
        limits = ASHRAE_CLASSES[rack.ashrae_class]
        hottest = series.of(f"{rack.id}.inlet_temperature.max")
        peak = int(np.argmax(hottest))
        racks[rack.id] = {
            "ashrae_class": rack.ashrae_class,
            "recommended_c": limits.recommended_high,
            "allowable_c": limits.allowable_high,
            "inlet_start_c": float(hottest[0]),
            "inlet_peak_c": float(hottest[peak]),
            "peak_at_s": float(time[peak]),
            "inlet_end_c": float(hottest[-1]),
            "time_to_recommended_s": first_above(time, hottest, limits.recommended_high),
            "time_to_allowable_s": first_above(time, hottest, limits.allowable_high),
        }
    return racks


def chips_over_time(layout: Layout, series: Series) -> dict[str, dict[str, Any]]:
    """Say of the chips on every coolant branch how hot they become and when they first pass their limit."""
    time = series.of("time")
    chips: dict[str, dict[str, Any]] = {}
    for loop in layout.loops:
        for branch in loop.branches:
            T = series.of(f"{branch.id}.chip_temperature")
            limit = branch.cold_plates.limit_temperature - ZERO_CELSIUS
            peak = int(np.argmax(T))
            chips[branch.id] = {
                "rack": layout.racklet(branch.racklet).rack,
                "limit_c": limit,
                "start_c": float(T[0]),
                "peak_c": float(T[peak]),
                "peak_at_s": float(time[peak]),
                "end_c": float(T[-1]),
                "time_to_limit_s": first_above(time, T, limit),
            }
    return chips


def first_above(time: NDArray[np.float64], values: NDArray[np.float64], limit: float) -> float | None:
    """Return when values first exceed a limit, linear between samples; None if they never do. [s]."""
    over = np.flatnonzero(values > limit)
    if over.size == 0:
        return None
    n = int(over[0])
    if n == 0:
        return float(time[0])
    rise = values[n] - values[n - 1]
    return float(time[n - 1] + (time[n] - time[n - 1]) * (limit - values[n - 1]) / rise)
