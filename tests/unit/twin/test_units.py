"""Units: text in, SI out; and the telemetry table."""

import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.units import QUANTITIES, celsius, from_si, kelvin, parse_quantity, quantity_of


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        (12, "W", 12.0),
        ("12", "W", 12.0),
        ("12 kW", "W", 12e3),
        ("12kW", "W", 12e3),
        ("1.2e1 kW", "W", 12e3),
        ("2400 cfm", "m3/s", 2400 * 0.3048**3 / 60),
        ("1 m3/h", "m3/s", 1 / 3600),
        ("120 cfm/kW", "m3/s/kW", 120 * 0.3048**3 / 60 / 1000),
        (0.0566, "m3/s/kW", 5.66e-5),
        (18, "degC", 291.15),
        ("64 degF", "degC", (64 - 32) / 1.8 + 273.15),
        ("64 °F", "degC", (64 - 32) / 1.8 + 273.15),
        ("64 F", "degC", (64 - 32) / 1.8 + 273.15),
        ("18 C", "degC", 291.15),
        ("300 K", "degC", 300.0),
        ("60 cm", "m", 0.6),
        ("2 ft", "m", 0.6096),
        ("25 %", "1", 0.25),
        ("3.9 kJ/kg/K", "J/kg/K", 3900.0),
        ("3.9 kJ/(kg K)", "J/kg/K", 3900.0),
        ("3.9 kJ / (kg*K)", "J/kg/K", 3900.0),
        ("5 ft^3/min", "m3/s", 5 * 0.3048**3 / 60),
        ("5 feet**3 / minute", "m3/s", 5 * 0.3048**3 / 60),
        ("12 kW h / hour", "W", 12e3),
        ("30 s", "s", 30.0),
        ("5 min", "s", 300.0),
        ("-3 degC", "degC", 270.15),
    ],
)
def test_quantities_come_out_in_si(text, unit, expected):
    assert parse_quantity(text, unit) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        ("12 apples", "W", "'apples' is unknown"),
        ("12 m", "W", "does not measure the same as W"),
        ("12 )(", "W", "is unknown"),
        ("12 import os", "W", "is unknown"),
        ("abc", "W", "12 kW"),
        ("", "W", "12 kW"),
        ("5 %", "W", "'%' is not a unit of W"),
        (True, "W", "must be a number"),
        (None, "W", "must be a number"),
        ([1], "W", "must be a number"),
        (math.nan, "W", "finite"),
        (math.inf, "W", "finite"),
        ("1e400", "W", "finite"),
        (10**400, "W", "finite"),
        (-(10**400), "degC", "finite"),
        ("5 (", "W", "is unknown"),
        ("5 W)", "W", "is unknown"),
        ("5 1/0", "W", "is unknown"),
        ("5 0**-1", "W", "is unknown"),
        ("5 W*9**9**9**9", "W", "is unknown"),
        ("5 kW # x", "W", "is unknown"),
        ("5 kW\n", "m", "does not measure"),
        ("5 kW + W", "W", "is unknown"),
        ("5 dBm", "W", "is a level, not a multiple of W"),
        ("5 dB", "1", "is a level"),
    ],
)
def test_what_is_no_quantity_says_why(value, unit, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        parse_quantity(value, unit)


@given(text=st.text(st.characters(codec="utf-8"), max_size=12), number=st.sampled_from(["5 ", "1e3", "-2 k"]))
@settings(deadline=None)
def test_any_text_is_a_finite_number_or_a_value_error(text, number):
    for unit in ("W", "degC", "1"):
        try:
            assert math.isfinite(parse_quantity(number + text, unit))
        except ValueError as error:
            assert str(error)


@pytest.mark.parametrize("unit", ["W", "degC", "m3/s/kW", "1"])
def test_showing_undoes_parsing(unit):
    assert from_si(parse_quantity(18.7, unit), unit) == 18.7


def test_kelvin_and_celsius_are_inverse():
    assert celsius(kelvin(21.5)) == pytest.approx(21.5)
    assert kelvin(0.0) == 273.15


def test_pint_is_not_loaded_for_plain_numbers():
    code = (
        "import sys; from twin.units import parse_quantity as p; p(12, 'W'); p(18, 'degC'); "
        "p(0.05, 'm3/s/kW'); sys.exit('pint' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_telemetry_table_knows_every_point_of_the_contract():
    points = [
        "R01.power",
        "R01.inlet_temperature.top",
        "K01.pump_speed",
        "C1.supply_temperature",
        "plenum.pressure",
    ]
    assert [quantity_of(point).unit for point in points] == ["W", "degC", "1", "degC", "Pa"]
    writable = {name for name, quantity in QUANTITIES.items() if quantity.writable}
    assert writable == {"fan_speed", "pump_speed", "supply_temperature"}
    assert all(quantity.minimum < quantity.maximum for quantity in QUANTITIES.values())


@pytest.mark.parametrize("point", ["R01", "R01.", "R01.colour", "a.b.c.d", ".power"])
def test_a_wrong_point_name_is_refused(point):
    with pytest.raises(ValueError, match="point"):
        quantity_of(point)
