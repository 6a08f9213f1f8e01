"""Units at the edges: text with a unit in, SI out; the table of telemetry quantities. The only user of pint.

Inside the twin a bare number is SI. Layout files and telemetry say temperatures in degC; :func:`kelvin` and
:func:`celsius` cross that border. ``import twin.units`` does not load pint; the first text with a unit does.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from tokenize import TokenError
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pint import UnitRegistry

ZERO_CELSIUS = 273.15
"""0 degC on the kelvin scale. [K]"""

_TEXT = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*$")
_NAME = r"°?[A-Za-zµμ_]+(?:(?:\*\*|\^)?-?\d)?"
_PRODUCT = rf"{_NAME}(?:(?:\s*[/*]\s*|\s+){_NAME})*"
# Names, small whole powers, products and quotients; no numbers, so that nothing is left to compute.
_UNIT = re.compile(rf"{_PRODUCT}(?:\s*/\s*\(\s*{_PRODUCT}\s*\))?", re.ASCII)


def kelvin(temperature: float) -> float:
    """Return a temperature given in degC in K."""
    return temperature + ZERO_CELSIUS


def celsius(temperature: float) -> float:
    """Return a temperature given in K in degC."""
    return temperature - ZERO_CELSIUS


# Known without pint, so that a layout in plain numbers loads fast.
_SI_FACTORS = MappingProxyType(
    dict.fromkeys(("1", "m", "s", "W", "K", "Pa", "V", "A", "m3/s", "kg/s", "J/K", "J/kg/K"), 1.0)
    | {"m3/s/kW": 1e-3}
)


@cache
def _registry() -> UnitRegistry:
    from pint import UnitRegistry  # noqa: PLC0415  (0.3 s, and only text with units needs it)

    registry = UnitRegistry(autoconvert_offset_to_baseunit=True, preprocessors=[_powers])
    registry.define("cfm = foot ** 3 / minute")
    return registry


def _powers(text: str) -> str:
    """Read ``m3`` and ``ft2`` the way engineers write them."""
    return re.sub(r"\b(mm|cm|m|ft|in|s)([23])\b", r"\1**\2", text)


@lru_cache(maxsize=256)
def _si_factor(unit: str) -> float:
    """Return what a value in ``unit`` is multiplied with to be SI (``degC`` is handled before)."""
    if unit in _SI_FACTORS:
        return _SI_FACTORS[unit]
    return float(_registry().Quantity(1.0, unit).to_base_units().magnitude)


def to_si(value: float, unit: str) -> float:
    """Convert a plain number in ``unit`` to SI; degC becomes K."""
    return kelvin(value) if unit == "degC" else value * _si_factor(unit)


def from_si(value: float, unit: str) -> float:
    """Convert an SI number to ``unit``, rounded to 12 digits so that it reads as it was written."""
    shown = celsius(value) if unit == "degC" else value / _si_factor(unit)
    return float(f"{shown:.12g}")


def parse_quantity(value: object, unit: str) -> float:
    """Read a number or a text with its own unit as SI.

    Parameters
    ----------
    value : float, int or str
        A plain number is in ``unit``; text may carry its own (``"12 kW"``, ``"64 degF"``).
    unit : str
        The documented unit of the field: ``"W"``, ``"m3/s"``, ``"degC"``, ``"1"`` (a fraction, also in %).

    Returns
    -------
    float
        SI; temperatures in K.

    Raises
    ------
    ValueError : not a number, not finite, an unknown unit, or a unit of another dimension.

    Examples
    --------
    >>> parse_quantity("12 kW", "W")
    12000.0
    >>> round(parse_quantity("64.4 degF", "degC"), 6)
    291.15
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"must be a number in {unit}, or text with a unit")
    if isinstance(value, int | float):
        try:
            return _finite(to_si(float(value), unit))
        except OverflowError as error:
            raise ValueError("must be finite") from error
    match = _TEXT.match(value)
    if match is None:
        raise ValueError(f"must be a number in {unit}, or text such as '{_example(unit)}'")
    number, own = float(match[1]), match[2]
    if not own:
        return _finite(to_si(number, unit))
    if own == "%":
        if unit != "1":
            raise ValueError(f"'%' is not a unit of {unit}")
        return _finite(number / 100.0)
    return _finite(_convert(number, own, unit))


def _convert(number: float, own: str, unit: str) -> float:
    from pint.errors import DimensionalityError, PintError  # noqa: PLC0415  (see _registry)

    if unit == "degC":
        own = {"C": "degC", "F": "degF"}.get(own.removeprefix("°"), own)
    unknown = f"unit '{own}' is unknown; the field is in {unit}"
    if _UNIT.fullmatch(own) is None:
        raise ValueError(unknown)
    quantity = _registry().Quantity
    try:
        target = "kelvin" if unit == "degC" else ("dimensionless" if unit == "1" else unit)
        converted = float(quantity(number, own).to(target).magnitude)
        proportional = unit == "degC" or float(quantity(0.0, own).to(target).magnitude) == 0.0
    except DimensionalityError as error:
        raise ValueError(f"unit '{own}' does not measure the same as {unit}") from error
    except (
        PintError, ArithmeticError, AttributeError, ValueError, TypeError, SyntaxError, AssertionError,
        TokenError,
    ) as error:  # fmt: skip
        raise ValueError(unknown) from error
    if not proportional:
        raise ValueError(f"unit '{own}' is a level, not a multiple of {unit}")
    return converted if unit in ("degC", "1") else converted * _si_factor(unit)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be finite")
    return value


def _example(unit: str) -> str:
    examples = {
        "W": "12 kW",
        "m3/s": "2400 cfm",
        "degC": "64 degF",
        "m": "600 mm",
        "1": "25 %",
        "J/K": "120 kJ/K",
    }
    return examples.get(unit, f"1 {unit}")


@dataclass(frozen=True, slots=True)
class TelemetryQuantity:
    """One row of the telemetry table: what ``<asset>.<name>[.<position>]`` means.

    Attributes
    ----------
    name : str           The quantity's part of the point name.
    unit : str           SI, temperatures in degC, ``1`` for fractions and codes.
    description : str
    writable : bool      A command may set it.
    minimum, maximum : float   The physically possible band; a reading outside is bad. [unit]
    """

    name: str
    unit: str
    description: str
    writable: bool = False
    minimum: float = -math.inf
    maximum: float = math.inf


_TABLE = (
    TelemetryQuantity("power", "W", "Electric power drawn, all of it heat", minimum=0.0, maximum=1e6),
    TelemetryQuantity("air_flow", "m3/s", "Volume flow of air through the unit", minimum=0.0, maximum=100.0),
    TelemetryQuantity("inlet_temperature", "degC", "Air at the rack's front", minimum=-20.0, maximum=80.0),
    TelemetryQuantity(
        "outlet_temperature", "degC", "Air leaving the rack, flow-weighted", minimum=-20.0, maximum=110.0
    ),
    TelemetryQuantity("temperature", "degC", "Air at a free-standing sensor", minimum=-20.0, maximum=110.0),
    TelemetryQuantity(
        "supply_temperature",
        "degC",
        "Air leaving the cooler, coolant leaving the CDU; its set point when written",
        True,
        -40.0,
        110.0,
    ),
    TelemetryQuantity(
        "return_temperature",
        "degC",
        "Air entering the cooler, coolant on its way back to the CDU",
        minimum=-20.0,
        maximum=150.0,
    ),
    TelemetryQuantity("cooling_power", "W", "Heat the cooler takes from the air", minimum=-1e6, maximum=1e7),
    TelemetryQuantity("pressure", "Pa", "Static pressure relative to the room", minimum=-1e4, maximum=1e4),
    TelemetryQuantity("fan_speed", "1", "Fan speed as a fraction of its maximum", True, 0.0, 1.0),
    TelemetryQuantity("pump_speed", "1", "Pump speed as a fraction of its maximum", True, 0.0, 1.0),
    TelemetryQuantity(
        "coolant_supply_temperature", "degC", "Coolant into the cold plates", minimum=-20.0, maximum=110.0
    ),
    TelemetryQuantity(
        "coolant_return_temperature", "degC", "Coolant out of the cold plates", minimum=-20.0, maximum=150.0
    ),
    TelemetryQuantity("coolant_flow", "kg/s", "Coolant mass flow", minimum=0.0, maximum=100.0),
    TelemetryQuantity("fluid_level", "1", "Reservoir level as a fraction of full", minimum=0.0, maximum=1.0),
    TelemetryQuantity("liquid_heat", "W", "Heat taken by the coolant", minimum=-1e5, maximum=1e6),
    TelemetryQuantity(
        "chip_temperature",
        "degC",
        "Mean of the chips on a branch's cold plates",
        minimum=-20.0,
        maximum=250.0,
    ),
    TelemetryQuantity(
        "facility_supply_temperature",
        "degC",
        "The building's water into the CDU",
        minimum=-20.0,
        maximum=110.0,
    ),
    TelemetryQuantity(
        "supply_set_point",
        "degC",
        "Supply temperature that a CDU's control holds now; written as supply_temperature",
        minimum=-40.0,
        maximum=110.0,
    ),
    TelemetryQuantity("supply_pressure", "Pa", "Of the coolant over ambient", minimum=-1.1e5, maximum=1e7),
    TelemetryQuantity("return_pressure", "Pa", "Of the coolant over ambient", minimum=-1.1e5, maximum=1e7),
    TelemetryQuantity("level", "1", "Of a CDU's reservoir, part of full", minimum=0.0, maximum=1.0),
    TelemetryQuantity("valve", "1", "Opening of a CDU's facility valve", minimum=0.0, maximum=1.0),
    TelemetryQuantity("pump_power", "W", "Drawn by a CDU's pumps", minimum=0.0, maximum=1e6),
    TelemetryQuantity("output_power", "W", "Power module's output", minimum=0.0, maximum=1e6),
    TelemetryQuantity("output_voltage", "V", "Power module's output", minimum=0.0, maximum=1000.0),
    TelemetryQuantity("output_current", "A", "Power module's output", minimum=0.0, maximum=1e5),
    TelemetryQuantity("state", "1", "State code of the controller"),
    TelemetryQuantity("error", "1", "Error code of the controller; 0 is none"),
)

QUANTITIES = MappingProxyType({quantity.name: quantity for quantity in _TABLE})
"""Every telemetry quantity by name; the one unit table."""


def quantity_of(point: str) -> TelemetryQuantity:
    """Return the quantity of a point name.

    Raises
    ------
    ValueError : the name has not the form ``<asset>.<quantity>[.<position>]``, or the quantity is unknown.
    """
    parts = point.split(".")
    if len(parts) not in (2, 3) or not all(parts):
        raise ValueError(f"point '{point}' must read <asset>.<quantity>[.<position>]")
    if parts[1] not in QUANTITIES:
        raise ValueError(f"point '{point}': quantity '{parts[1]}' is unknown; known: {', '.join(QUANTITIES)}")
    return QUANTITIES[parts[1]]
