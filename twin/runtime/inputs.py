"""Inputs: the newest readings as boundary conditions of the twin, and how old they are."""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from twin.ports import Quality, Reading
from twin.units import celsius, kelvin

if TYPE_CHECKING:
    from twin.model.operating import CoolantSettings, Operating
    from twin.model.schema import Cdu, Layout

STALE_AFTER = 5.0  # a reading older than this is shown as stale; its value is held [s]
MISSING_AFTER = 10.0  # a value the twin takes as given is missed after this [s]
CLOCK_SKEW = 1.0  # clocks of the room may differ by this [s]
STOPPED = 0.02  # a cooler that moves less of its nominal air flow than this has failed [1]
PUMP_STOPPED = 0.02  # a pump that turns slower than this has no drive [1]
REMEMBERED = 120.0  # predictions are kept this long, to meet late readings [s]


class LiveInputs:
    """The newest sound reading of every point, turned into what the solver needs.

    Parameters
    ----------
    layout : Layout
    operating : Operating
        Held wherever nothing has been read yet.
    """

    def __init__(self, layout: Layout, operating: Operating) -> None:
        self.latest: dict[str, Reading] = {}
        self._layout = layout
        self._nominal = operating
        self._given = [f"{rack.id}.power" for rack in layout.racks]
        self._given += [f"{cooler.id}.supply_temperature" for cooler in layout.coolers]
        self._given += [f"{pump.id}.pump_speed" for loop in layout.loops for pump in loop.cdu.pumps]

    def take(self, readings: Iterable[Reading]) -> None:
        """Keep the newest reading of each point; bad ones, and older than the known, are left out."""
        for reading in readings:
            known = self.latest.get(reading.point)
            sound = reading.quality is not Quality.BAD and math.isfinite(reading.value)
            if sound and (known is None or reading.time >= known.time):
                self.latest[reading.point] = reading

    def age(self, point: str, now: float) -> float | None:
        """Return how old the newest sound reading of a point is [s], or None if there is none.

        A reading from the future, by more than clocks may differ, is as wrong as an old one.
        """
        reading = self.latest.get(point)
        if reading is None:
            return None
        age = now - reading.time
        return max(0.0, age) if age > -CLOCK_SKEW else -age

    def data_age(self, now: float) -> float | None:
        """Return the median age of what the twin takes as given [s], or None before the first reading."""
        ages = [self.age(point, now) for point in self._given]
        known = sorted(age for age in ages if age is not None)
        if len(known) <= len(ages) // 2:
            return None
        return known[len(ages) // 2]

    def missing(self, now: float) -> list[str]:
        """Return the points the twin takes as given that were not read for ten seconds."""
        ages = {point: self.age(point, now) for point in self._given}
        return [point for point, age in ages.items() if age is None or age > MISSING_AFTER]

    def operating(self) -> Operating:
        """Return how the room runs now: readings where there are some, nominal values elsewhere."""
        nominal = self._nominal
        stopped = frozenset(
            cooler.id
            for cooler in self._layout.coolers
            if self._value(f"{cooler.id}.air_flow", cooler.air_flow) < STOPPED * cooler.air_flow
        )
        return dataclasses.replace(
            nominal,
            rack_power=self._values(nominal.rack_power, "power"),
            fan_speed=self._values(nominal.fan_speed, "fan_speed"),
            pump_speed=self._values(nominal.pump_speed, "pump_speed"),
            cooler_fan_speed=self._values(nominal.cooler_fan_speed, "fan_speed"),
            cooler_supply_temperature={
                cooler: kelvin(self._value(f"{cooler}.supply_temperature", celsius(value)))
                for cooler, value in nominal.cooler_supply_temperature.items()
            },
            failed=nominal.failed | stopped,
            coolant=self._coolant(),
        )

    def _coolant(self) -> CoolantSettings:
        """Return how the coolant loops run: pumps as they turn, water as it comes, set points as CDUs say."""
        cdus = [loop.cdu for loop in self._layout.loops]
        turning = {pump: speed for cdu in cdus for pump, speed in self._turning(cdu).items()}
        nominal = {pump.id: pump.speed for cdu in cdus for pump in cdu.pumps}
        supply = {cdu.id: cdu.supply_temperature for cdu in cdus}
        return dataclasses.replace(
            self._nominal.coolant,
            drive={name: speed > PUMP_STOPPED for name, speed in turning.items()},
            speed={name: speed / nominal[name] for name, speed in turning.items()},
            facility=self._read_kelvin(supply, "facility_supply_temperature"),
            supply=supply | self._read_kelvin(supply, "supply_set_point"),
        )

    def _turning(self, cdu: Cdu) -> dict[str, float]:
        """Return the speed of a CDU's pumps where it was read. [1].

        A standby pump that rests while all others run is left out: it still comes when it is called.
        """
        read = {
            pump.id: max(0.0, self.latest[point].value)
            for pump in cdu.pumps
            if (point := f"{pump.id}.pump_speed") in self.latest
        }
        stands = {pump for pump, speed in read.items() if speed <= PUMP_STOPPED}
        if any(pump.id in stands and not pump.standby for pump in cdu.pumps):
            return read
        at_rest = {pump.id for pump in cdu.pumps if pump.standby and pump.id in stands}
        return {pump: speed for pump, speed in read.items() if pump not in at_rest}

    def _read_kelvin(self, assets: Iterable[str], quantity: str) -> dict[str, float]:
        """Return a temperature of assets where it was read. [K]."""
        return {
            asset: kelvin(self.latest[point].value)
            for asset in assets
            if (point := f"{asset}.{quantity}") in self.latest
        }

    def _values(self, nominal: Mapping[str, float], quantity: str) -> dict[str, float]:
        """Powers and speeds: a sensor's noise around zero must not make them negative."""
        return {
            asset: max(0.0, self._value(f"{asset}.{quantity}", value)) for asset, value in nominal.items()
        }

    def _value(self, point: str, otherwise: float) -> float:
        reading = self.latest.get(point)
        return otherwise if reading is None else reading.value


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """A measured value beside the twin's at the instant of the measurement.

    Attributes
    ----------
    measured, predicted : float   Telemetry units.
    time : float                  Instant of the measurement. [s since epoch]
    """

    measured: float
    predicted: float
    time: float

    @property
    def error(self) -> float:
        """Predicted less measured."""
        return self.predicted - self.measured


class Comparer:
    """Meets readings, which come late, with what the twin said for their instant."""

    def __init__(self) -> None:
        self.latest: dict[str, Comparison] = {}
        self._times: list[float] = []
        self._values: list[Mapping[str, float]] = []

    def remember(self, time: float, predictions: Mapping[str, float]) -> None:
        """Keep the twin's values of an instant [s since epoch]; the oldest go after two minutes."""
        self._times.append(time)
        self._values.append(predictions)
        old = bisect.bisect_left(self._times, time - REMEMBERED)
        del self._times[:old], self._values[:old]

    def compare(self, readings: Iterable[Reading]) -> None:
        """Compare readings with the remembered predictions, linear in time; too old ones are left out."""
        for reading in readings:
            if reading.quality is Quality.BAD:
                continue
            predicted = self._at(reading.time, reading.point)
            if predicted is not None:
                self.latest[reading.point] = Comparison(reading.value, predicted, reading.time)

    def mean_error(self, points: Iterable[str], now: float) -> float | None:
        """Return the mean absolute error over fresh comparisons of these points, or None without any."""
        errors = [
            abs(found.error)
            for point in points
            if (found := self.latest.get(point)) is not None and now - found.time < STALE_AFTER
        ]
        return float(np.mean(errors)) if errors else None

    def fresh_errors(self, now: float) -> dict[str, float]:
        """Return the error of every point whose comparison is fresh: predicted less measured."""
        return {point: found.error for point, found in self.latest.items() if now - found.time < STALE_AFTER}

    def _at(self, time: float, point: str) -> float | None:
        if not self._times or time < self._times[0] or point not in self._values[-1]:
            return None
        after = bisect.bisect_left(self._times, time)
        if after >= len(self._times):
            return self._values[-1][point]
        if after == 0:
            return self._values[0].get(point)
        t0, t1 = self._times[after - 1], self._times[after]
        v0, v1 = self._values[after - 1].get(point), self._values[after].get(point)
        if v0 is None or v1 is None:
            return None
        return v0 + (v1 - v0) * (time - t0) / (t1 - t0) if t1 > t0 else v1
