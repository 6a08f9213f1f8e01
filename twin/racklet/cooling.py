"""Cooling laws of a racklet: fans, pump, and how much of the rack's heat the coolant takes.

Shared by the twin, the controller and the emulated plant, which run them with constants of their own. SI
throughout; speeds are fractions of the maximum. Standard library only: a controller imports nothing else of
the twin.
"""

from __future__ import annotations

import math

NTU_NOMINAL = 1.0
"""Transfer units of a cold-plate circuit at nominal flow, where a layout does not say: 63 % effective. [1]"""
CONDUCTANCE_EXPONENT = 0.8
"""UA grows with flow to this power: turbulent convection after Dittus and Boelter 1930. [1]"""


def air_flow(flow_nominal: float, fan_speed: float, fan_speed_nominal: float) -> float:
    """Volume flow of air at a fan speed, from the first fan affinity law, V / V_nominal = n / n_nominal.

    Parameters
    ----------
    flow_nominal : float        At nominal speed. [m3/s]
    fan_speed, fan_speed_nominal : float   [1]

    Returns
    -------
    float                       [m3/s]

    Raises
    ------
    ValueError : the nominal speed is not positive, or the speed is negative.

    Validity : unchanged system curve and density.
    Source   : ASHRAE Handbook, HVAC Systems and Equipment, ch. Fans.
    Check    : tests/unit/twin/racklet/test_cooling.py
    """
    return flow_nominal * _ratio(fan_speed, fan_speed_nominal)


def rotor_power(power_nominal: float, speed: float, speed_nominal: float) -> float:
    """Shaft power of a fan or a pump, from the third affinity law, P / P_nominal = (n / n_nominal)^3.

    Parameters
    ----------
    power_nominal : float       At nominal speed. [W]
    speed, speed_nominal : float   [1]

    Returns
    -------
    float                       [W]

    Raises
    ------
    ValueError : the nominal speed is not positive, or the speed is negative.

    Validity : unchanged system curve; drives lose more at part load (real exponents are 2.5 to 3).
    Source   : as :func:`air_flow`.
    """
    return power_nominal * _ratio(speed, speed_nominal) ** 3


def effectiveness(ntu: float) -> float:
    """Effectiveness of a cold plate, whose wall keeps one temperature along the channel: 1 - exp(-NTU).

    Source : Kays and London 1984, Compact Heat Exchangers, capacity ratio 0.    Check : test_cooling.py
    """
    return -math.expm1(-ntu)


def liquid_conductance_ratio(
    pump_speed: float, pump_speed_nominal: float, ntu_nominal: float = NTU_NOMINAL
) -> float:
    """Conductance from chips to coolant inlet over its nominal value, at a pump speed.

    The circuit takes Q = eps m cp (T_chip - T_coolant), with flow m proportional to speed r and
    NTU = UA / (m cp) proportional to r^(0.8 - 1), so the ratio is r eps(NTU_nominal r^-0.2) /
    eps(NTU_nominal).

    Returns
    -------
    float                       0 at standstill, 1 at nominal speed, less than r above it. [1]

    Raises
    ------
    ValueError : the nominal speed is not positive, or the speed is negative.
    """
    r = _ratio(pump_speed, pump_speed_nominal)
    if r == 0.0:
        return 0.0
    ntu = ntu_nominal * r ** (CONDUCTANCE_EXPONENT - 1.0)
    return r * effectiveness(ntu) / effectiveness(ntu_nominal)


def liquid_heat(
    power: float,
    share: float,
    pump_speed: float,
    pump_speed_nominal: float,
    capacity: float,
    ntu_nominal: float = NTU_NOMINAL,
) -> float:
    """Heat that goes into the coolant; the rest of ``power`` goes into the air.

    Heat leaves the chips through two parallel conductances: to the coolant, g times its nominal value
    (:func:`liquid_conductance_ratio`), and to the air. At nominal speed they divide the heat as share : 1 -
    share, so

        Q_liquid = power share g / (share g + 1 - share),    at most capacity g

    Parameters
    ----------
    power : float               Electric power of the rack, all of it heat. [W]
    share : float               Part that goes into the coolant at nominal pump speed, 0 to 1. [1]
    pump_speed, pump_speed_nominal : float   [1]
    capacity : float            The most the circuit takes at nominal speed. [W]
    ntu_nominal : float         [1]

    Returns
    -------
    float                       [W]

    Raises
    ------
    ValueError : the share is not in 0..1, the nominal speed is not positive, or the speed is negative.

    Validity : quasi-steady; coolant and air enter at about the same temperature; no boiling.
    Source   : effectiveness-NTU, Kays and London 1984; UA ~ flow^0.8, Dittus and Boelter 1930.
    Check    : tests/unit/twin/racklet/test_cooling.py
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"liquid share must be in 0..1, not {share}")
    g = liquid_conductance_ratio(pump_speed, pump_speed_nominal, ntu_nominal)
    if g == 0.0 or share == 0.0:
        return 0.0
    return min(power * share * g / (share * g + (1.0 - share)), capacity * g)


def coolant_return_temperature(supply: float, heat: float, mass_flow: float, heat_capacity: float) -> float:
    """Coolant temperature behind the cold plates, T_supply + Q / (m cp); the supply itself at standstill.

    Parameters
    ----------
    supply : float              [K or degC]
    heat : float                [W]
    mass_flow : float           [kg/s]
    heat_capacity : float       [J/(kg K)]

    Returns
    -------
    float                       In the unit of ``supply``.
    """
    return supply if mass_flow <= 0.0 else supply + heat / (mass_flow * heat_capacity)


def _ratio(speed: float, speed_nominal: float) -> float:
    if speed_nominal <= 0.0:
        raise ValueError(f"nominal speed must be above 0, not {speed_nominal}")
    if speed < 0.0:
        raise ValueError(f"speed must not be negative: {speed}")
    return speed / speed_nominal
