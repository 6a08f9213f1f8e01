"""Sensors of the emulated plant: what a real instrument makes of a true value.

A reading is   round((x(t - d) (1 + g) + b + s n) / q) q,   taken every p seconds, with

* b, g   offset and gain error, drawn once per sensor from normal distributions of the stated deviations and
         kept for its life (also over restarts: they depend on seed and name alone),
* n      standard normal noise, new for every sample; s = max(noise, relative noise |x|),
* d      delay, drawn once per sensor, uniform in 0.5 to 1.5 times the stated one,
* q      quantisation.

Single samples go missing with the stated probability (the old value stays and grows old); gaps, in which a
sensor says "uncertain" and shows its last value, begin as a Poisson process and last exponentially long.

===================  =======  =========  ========  ==========  =======  ======  ======
kind                 noise    rel noise  offset    gain error  quantum  delay   period
===================  =======  =========  ========  ==========  =======  ======  ======
temperature [degC]   0.10     0          0.20      0           0.1      2.0 s   1.0 s
power [W]            5        0.003      0         0.008       1        0.5 s   0.5 s
flow of air [m3/s]   0        0.01       0         0.02        0.001    1.0 s   1.0 s
pressure [Pa]        0.3      0          0.4       0.01        0.1      0.5 s   0.5 s
speed, level [1]     0.002    0          0.003     0           0.001    0.2 s   0.5 s
coolant flow [kg/s]  0        0.008      0         0.015       0.001    0.5 s   0.5 s
coolant [Pa]         100      0.001      500       0.0025      100      0.2 s   0.5 s
chips [degC]         0.25     0          0.5       0           0.5      1.0 s   1.0 s
heat [W]             0        0.015      0         0.02        1        2.0 s   1.0 s
voltage [V]          0.02     0          0         0.002       0.01     0.2 s   0.5 s
current [A]          0.05     0.002      0         0.005       0.01     0.2 s   0.5 s
code                 0        0          0         0           1        0       0.5 s
set point [degC]     0        0          0         0           0.01     0       0.5 s
===================  =======  =========  ========  ==========  =======  ======  ======

All but codes and set points, which a controller says of itself: 0.5 % of single samples missing, one gap in
12 h a sensor on average, 15 s long on average.
The figures are of the order of the data sheets of room sensors (Pt1000 class B with 0.1 K display, PDU meters
of class 1, hot-wire and vortex flow meters); chosen, not measured.

Check : tests/unit/hardware_sync/test_sensor_model.py
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MISSING = 0.005
GAP_RATE = 1.0 / (12 * 3600.0)
GAP_LENGTH = 15.0
GOOD, UNCERTAIN, BAD = 0, 1, 2


@dataclass(frozen=True, slots=True)
class SensorKind:
    """Statistics of one kind of sensor; see the module's table for the meaning."""

    noise: float
    relative_noise: float
    offset: float
    gain_error: float
    quantum: float
    delay: float
    period: float


TEMPERATURE = SensorKind(0.10, 0.0, 0.20, 0.0, 0.1, 2.0, 1.0)
POWER = SensorKind(5.0, 0.003, 0.0, 0.008, 1.0, 0.5, 0.5)
AIR_FLOW = SensorKind(0.0, 0.01, 0.0, 0.02, 0.001, 1.0, 1.0)
PRESSURE = SensorKind(0.3, 0.0, 0.4, 0.01, 0.1, 0.5, 0.5)
SPEED = SensorKind(0.002, 0.0, 0.003, 0.0, 0.001, 0.2, 0.5)
COOLANT_FLOW = SensorKind(0.0, 0.008, 0.0, 0.015, 0.001, 0.5, 0.5)
COOLANT_PRESSURE = SensorKind(100.0, 0.001, 500.0, 0.0025, 100.0, 0.2, 0.5)
CHIP = SensorKind(0.25, 0.0, 0.5, 0.0, 0.5, 1.0, 1.0)
HEAT = SensorKind(0.0, 0.015, 0.0, 0.02, 1.0, 2.0, 1.0)
VOLTAGE = SensorKind(0.02, 0.0, 0.0, 0.002, 0.01, 0.2, 0.5)
CURRENT = SensorKind(0.05, 0.002, 0.0, 0.005, 0.01, 0.2, 0.5)
CODE = SensorKind(0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.5)
SET_POINT = SensorKind(0.0, 0.0, 0.0, 0.0, 0.01, 0.0, 0.5)
_SAID = (CODE, SET_POINT)  # by a controller of itself, not measured

KINDS = {
    "temperature": TEMPERATURE,
    "inlet_temperature": TEMPERATURE,
    "outlet_temperature": TEMPERATURE,
    "supply_temperature": TEMPERATURE,
    "return_temperature": TEMPERATURE,
    "coolant_supply_temperature": TEMPERATURE,
    "coolant_return_temperature": TEMPERATURE,
    "power": POWER,
    "output_power": POWER,
    "air_flow": AIR_FLOW,
    "pressure": PRESSURE,
    "fan_speed": SPEED,
    "pump_speed": SPEED,
    "fluid_level": SPEED,
    "coolant_flow": COOLANT_FLOW,
    "facility_supply_temperature": TEMPERATURE,
    "supply_set_point": SET_POINT,
    "chip_temperature": CHIP,
    "supply_pressure": COOLANT_PRESSURE,
    "return_pressure": COOLANT_PRESSURE,
    "level": SPEED,
    "valve": SPEED,
    "pump_power": POWER,
    "liquid_heat": HEAT,
    "cooling_power": HEAT,
    "output_voltage": VOLTAGE,
    "output_current": CURRENT,
    "state": CODE,
    "error": CODE,
}


class SensorBank:
    """All sensors of the plant at once.

    Parameters
    ----------
    points : sequence of str
        Points to be measured; the quantity in the name chooses the kind.
    seed : int

    Attributes
    ----------
    points : tuple of str
    value : float64[n]     What each sensor shows; NaN before its first sample.
    measured : float64[n]  When that was sampled. [s since epoch]
    status : int64[n]      0 good, 1 uncertain, 2 bad (never sampled).

    Raises
    ------
    ValueError : a point has a quantity without a kind.
    """

    def __init__(self, points: Sequence[str], seed: int) -> None:
        self.points = tuple(points)
        kinds = [kind_of(point) for point in self.points]
        draws = np.array(
            [np.random.default_rng([seed, zlib.crc32(point.encode())]).random(4) for point in self.points]
        ).reshape(-1, 4)
        radius, angle = np.sqrt(-2.0 * np.log1p(-draws[:, 0])), 2.0 * np.pi * draws[:, 1]  # Box and Muller

        def column(name: str) -> NDArray[np.float64]:
            return np.array([getattr(kind, name) for kind in kinds], np.float64)

        self.offset = column("offset") * radius * np.cos(angle)
        self.gain = 1.0 + column("gain_error") * radius * np.sin(angle)
        self.delay = column("delay") * (0.5 + draws[:, 2])
        self._noise, self._relative_noise = column("noise"), column("relative_noise")
        self._quantum, self._period = column("quantum"), column("period")
        self._fallible = np.array([kind not in _SAID for kind in kinds])
        self._phase = draws[:, 3] * self._period
        count = len(self.points)
        self.value = np.full(count, np.nan)
        self.measured = np.zeros(count)
        self.status = np.full(count, BAD)
        self._rng = np.random.default_rng(seed)
        self._history: list[tuple[float, NDArray[np.float64]]] = []
        self._last = -np.inf
        self._gap_end = np.full(count, -np.inf)

    def sample(self, now: float, true: NDArray[np.float64]) -> None:
        """Let time pass to `now` with the true values `true`, and sample the sensors that are due.

        Parameters
        ----------
        now : float            Later than in the call before. [s since epoch]
        true : float64[n]      Unit of the points.
        """
        elapsed = now - self._last if np.isfinite(self._last) else 0.0
        self._history.append((now, true.copy()))
        while len(self._history) > 2 and self._history[1][0] <= now - self.delay.max(initial=0.0):
            self._history.pop(0)
        count = len(self.points)
        begins = self._fallible & (self._rng.random(count) < -np.expm1(-GAP_RATE * elapsed))
        self._gap_end = np.where(begins, now + self._rng.exponential(GAP_LENGTH, count), self._gap_end)
        in_gap = now < self._gap_end
        tick = np.floor((now - self._phase) / self._period)
        due = tick > np.floor((self._last - self._phase) / self._period)
        missing = self._fallible & (self._rng.random(count) < MISSING)
        read = due & ~missing & ~in_gap
        shown = self._shown(now)
        self.value[read] = shown[read]
        self.measured[read] = (now - self.delay)[read]
        ever = np.isfinite(self.value)
        self.status = np.where(ever, np.where(in_gap, UNCERTAIN, GOOD), BAD)
        self._last = now

    def _shown(self, now: float) -> NDArray[np.float64]:
        x = self._delayed(now)
        noise = np.maximum(self._noise, self._relative_noise * np.abs(x))
        shown = x * self.gain + self.offset + noise * self._rng.standard_normal(len(self.points))
        return np.round(shown / self._quantum) * self._quantum

    def _delayed(self, now: float) -> NDArray[np.float64]:
        times = np.array([time for time, _ in self._history])
        values = np.stack([value for _, value in self._history])
        wanted = now - self.delay
        right = np.clip(np.searchsorted(times, wanted), 0, len(times) - 1)
        left = np.maximum(right - 1, 0)
        width = times[right] - times[left]
        weight = np.clip((wanted - times[left]) / np.where(width > 0, width, 1.0), 0.0, 1.0)
        column = np.arange(len(self.points))
        return values[left, column] * (1.0 - weight) + values[right, column] * weight


def kind_of(point: str) -> SensorKind:
    """Return the kind of sensor that measures a point.

    Raises
    ------
    ValueError : no kind measures its quantity.
    """
    quantity = point.split(".")[1] if "." in point else ""
    if quantity not in KINDS:
        raise ValueError(f"{point}: no kind of sensor measures {quantity!r}")
    return KINDS[quantity]
