"""Coolants against published figures of each; ranges and limits."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from solvers.coolant.fluids import FLUIDS, fluid
from solvers.errors import CaseError

# T [K], density, specific heat, conductivity, viscosity; relative tolerances of the four
PUBLISHED = {
    # IAPWS tables at 25 degC and 0.1 MPa: 997.05, 4181.4, 0.6065, 0.8900 mPa s; 0.3 MPa adds 1e-4
    "water": (298.15, 997.05, 4181.4, 0.6065, 0.8900e-3, (2e-4, 3e-4, 1e-3, 1e-3)),
    # ASHRAE Fundamentals 2009, 31: 25 % propylene glycol by volume at 20 degC, read between 20 and 30 %
    "pg25": (293.15, 1020.0, 3930.0, 0.475, 2.4e-3, (5e-3, 0.02, 0.04, 0.1)),
    # 3M's sheet at 25 degC: 1420, 1220, 0.069, 0.58 mPa s; the measured ones used here differ from the sheet
    "hfe7200": (298.15, 1420.0, 1220.0, 0.069, 0.61e-3, (5e-3, 1e-3, 0.06, 0.07)),
    # 3M's sheet at 25 degC: 1600, 1103, 0.059, 0.64 mPa s
    "novec649": (298.15, 1600.0, 1103.0, 0.059, 0.64e-3, (5e-3, 2e-3, 0.03, 0.03)),
    # Xu, Yang and Hammouda 2011 measured 0.143 at room temperature; Sleiti 2007 has 779 kg/m3 at 41 degC
    "pao2": (314.25, 779.0, 2270.0, 0.1425, 4.0e-3, (5e-3, 5e-3, 0.02, 0.05)),
    # maker's sheet at 100 degF: 873 kg/m3, 0.46 cal/(g K), 20 mm2/s
    "mineral_oil": (311.0, 873.0, 1930.0, 0.104, 18.0e-3, (5e-3, 0.01, 0.02, 0.1)),
}


@pytest.mark.parametrize("name", FLUIDS)
def test_properties_are_near_independent_figures(name):
    T, *expected, tolerances = PUBLISHED[name]
    it = fluid(name)
    found = (it.density(T), it.specific_heat(T), it.conductivity(T), it.viscosity(T))
    for value, figure, tolerance in zip(found, expected, tolerances, strict=True):
        assert float(value) == pytest.approx(figure, rel=tolerance)


@pytest.mark.parametrize("name", FLUIDS)
def test_properties_are_smooth_and_behave_as_liquids_do(name):
    it = fluid(name)
    T = np.linspace(it.T_min, it.T_max, 300)
    assert (np.diff(it.viscosity(T)) < 0).all()
    if name != "water":  # heaviest at 4 degC
        assert (np.diff(it.density(T)) < 0).all()
    for values in (it.density(T), it.specific_heat(T), it.conductivity(T)):
        assert (np.abs(np.diff(values)) / values[1:] < 5e-3).all()  # no jump over a 300th of the range
    assert it.T_freeze <= it.T_min < it.T_max <= it.T_hot
    assert it.source


@pytest.mark.parametrize("name", FLUIDS)
def test_enthalpy_is_the_integral_of_the_specific_heat_and_can_be_inverted(name):
    it = fluid(name)
    T = np.linspace(it.T_min, it.T_max, 4001)
    cp = it.specific_heat(T)
    integral = np.concatenate([[0], np.cumsum(0.5 * (cp[1:] + cp[:-1]) * np.diff(T))])
    np.testing.assert_allclose(it.enthalpy(T), integral, rtol=1e-6, atol=1.0)  # a trapezoid across kinks
    np.testing.assert_allclose(it.temperature(it.enthalpy(T)), T, rtol=0, atol=1e-9)  # rounding
    beyond = np.array([it.T_min - 5, it.T_max + 5])
    np.testing.assert_allclose(it.temperature(it.enthalpy(beyond)), beyond, atol=1e-9)


def test_out_of_range_is_said_once_and_the_end_is_held(caplog):
    fluid.cache_clear()
    it = fluid("novec649")
    with caplog.at_level(logging.WARNING):
        first = float(it.density(400.0))
        it.viscosity(np.array([300.0, 410.0]))
    assert first == float(it.density(it.T_max))
    assert len(caplog.records) == 1
    message = caplog.records[0].getMessage()
    assert "novec649" in message and "126.9" in message and "49.0 degC" in message


def test_freezing_and_boiling_are_named():
    assert "freezes" in fluid("water").faults([300.0, 273.0])
    assert fluid("water").faults(263.15).startswith("-10.0 degC: water freezes or stops to flow at")
    assert "boiling point" in fluid("novec649").faults(323.0)
    assert "flash point" in fluid("pao2").faults(np.array([430.0]))
    assert fluid("water").faults([280.0, 340.0]) == ""


def test_an_unknown_fluid_names_the_known():
    with pytest.raises(CaseError, match="novec649"):
        fluid("galden")
