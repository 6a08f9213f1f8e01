"""Power laws: published efficiency points, their inverse, droop, derating."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.racklet.power import DROOP, conversion_loss, derated, efficiency, output, output_power


@pytest.mark.parametrize(("load", "eta"), [(0.1, 0.90), (0.2, 0.94), (0.5, 0.96), (1.0, 0.91)])
def test_80_plus_titanium_points(load, eta):
    assert efficiency(load) == pytest.approx(eta, rel=1e-12)


@given(a=st.floats(0.0, 1.25), b=st.floats(0.0, 1.25))
def test_loss_is_positive_and_grows_with_load(a, b):
    low, high = sorted((a, b))
    assert 0.0 < conversion_loss(low) <= conversion_loss(high)


@given(load=st.floats(0.0, 1.25))
def test_output_power_is_the_inverse_of_the_loss(load):
    rated = 15e3
    drawn = rated * (load + conversion_loss(load))
    assert output_power(drawn, rated) == pytest.approx(load * rated, rel=1e-9, abs=1e-6)


def test_below_the_idle_loss_nothing_comes_out():
    assert output_power(50.0, 15e3) == 0.0
    assert efficiency(0.0) == 0.0


@given(drawn=st.floats(0.0, 18e3))
def test_output_is_consistent_and_droops(drawn):
    out = output(drawn, 15e3, 48.0)
    assert out.power == pytest.approx(out.voltage * out.current, abs=1e-6)
    current_rated = 15e3 / 48.0
    assert out.voltage == pytest.approx(48.0 * (1 - DROOP * out.current / current_rated))
    assert out.power <= drawn


@pytest.mark.parametrize(
    ("temperature", "left"), [(20.0, 1.0), (50.0, 1.0), (60.0, 0.75), (70.0, 0.5), (120.0, 0.0)]
)
def test_derating(temperature, left):
    assert derated(5000.0, temperature) == pytest.approx(5000.0 * left)


@pytest.mark.parametrize(
    "call", [lambda: conversion_loss(-0.1), lambda: output_power(1.0, 0.0), lambda: output(1.0, 1.0, 0.0)]
)
def test_nonsense_is_refused(call):
    with pytest.raises(ValueError, match="must"):
        call()


def test_the_laws_are_light_to_import():
    code = (
        "import sys, twin.racklet.power, twin.racklet.cooling; "
        "heavy = {'numpy', 'numba', 'pydantic', 'pint'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
