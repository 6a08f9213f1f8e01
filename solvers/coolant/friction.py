"""Friction in pipes and rectangular ducts: laminar, entrance and turbulent; minor losses."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from solvers.linear.kernels import options

_SERIES = np.arange(1, 42, 2)
# aspect ratio, excess pressure K(inf), constant C of Shah's entrance correlation
_ENTRANCE = np.array(
    [[0.0, 0.674, 0.000029], [0.2, 0.931, 0.000076], [0.5, 1.28, 0.00021], [1.0, 1.43, 0.00029]]
)
LAMINAR_PIPE = 64.0
"""Darcy f Re of a round pipe. [-]"""


def f_re(aspect: ArrayLike) -> NDArray[np.float64]:
    """Fanning f Re of fully developed laminar flow in a rectangular duct, on D_h = 4 A / P.            (C1).

        f Re = 24 / ((1 + a)^2 (1 - 192/pi^5 a sum_odd tanh(n pi / (2 a)) / n^5))

    Parameters
    ----------
    aspect : float or float[...]    Short over long side, 0 to 1; 0 is a pair of plates. [-]

    Returns
    -------
    float64[...]    [-]

    Validity : laminar, Re below some 2000.
    Source   : Shah and London 1978, Laminar Flow Forced Convection in Ducts, ch. VII (exact series).
    Check    : tests/unit/solvers/coolant/test_friction.py
    """
    if isinstance(aspect, float):
        return _f_re(aspect)
    return _series(np.asarray(aspect, dtype=np.float64))


@lru_cache(1024)
def _f_re(aspect: float) -> NDArray[np.float64]:
    """Of one duct: a plate asks for its own again and again."""
    return _series(np.asarray(aspect))


def _series(a: NDArray[np.float64]) -> NDArray[np.float64]:
    wide = np.maximum(a, 1e-9)[..., None]
    series = (np.tanh(_SERIES * math.pi / (2 * wide)) / _SERIES**5).sum(axis=-1)
    return 24 / ((1 + a) ** 2 * (1 - 192 / math.pi**5 * a * series))


def apparent_f_re(aspect: ArrayLike, x_plus: ArrayLike) -> NDArray[np.float64]:
    """Apparent Fanning f Re from a duct's entrance to x: friction and the growth of the profile. (C2).

        f_app Re = 3.44 / sqrt(x+) + (K / (4 x+) + f Re - 3.44 / sqrt(x+)) / (1 + C / x+^2)

    Parameters
    ----------
    aspect : float or float[...]    Short over long side, 0 to 1. [-]
    x_plus : float or float[...]    Length over D_h Re; above 0. [-]

    Returns
    -------
    float64[...]    [-]

    Validity : laminar, uniform velocity at the entrance; within 2.4 % of the numerical solutions. K and C are
               interpolated between aspect 0, 0.2, 0.5 and 1.
    Source   : Shah 1978, J. Fluids Eng. 100, 177.
    Check    : tests/unit/solvers/coolant/test_friction.py
    """
    a, x = np.asarray(aspect, dtype=np.float64), np.asarray(x_plus, dtype=np.float64)
    K, C = (np.interp(a, _ENTRANCE[:, 0], _ENTRANCE[:, column]) for column in (1, 2))
    start = 3.44 / np.sqrt(x)
    return start + (K / (4 * x) + f_re(a) - start) / (1 + C / x**2)


@njit(inline="always")
def darcy_f_re(Re, relative_roughness, laminar):
    """Churchill's f Re, which stays finite at Re = 0; there it is the laminar constant. (C6).

    Re is at least 0. Above 2000 the twelfth powers are taken of Re/2000, so that nothing overflows.
    """
    if Re < 200.0:  # the turbulent branch adds less than 1e-12 here
        return laminar
    A = (2.457 * math.log(1.0 / ((7.0 / Re) ** 0.9 + 0.27 * relative_roughness))) ** 16
    B = (37530.0 / Re) ** 16
    return 8.0 * ((laminar / 8.0) ** 12 + Re**12 / (A + B) ** 1.5) ** (1.0 / 12.0)


@njit(**options)
def _churchill(Re, relative_roughness, laminar, out):
    for i in range(Re.size):
        out[i] = darcy_f_re(Re[i], relative_roughness[i], laminar) / Re[i]


def churchill(
    Re: ArrayLike, relative_roughness: ArrayLike = 0.0, laminar: float = LAMINAR_PIPE
) -> NDArray[np.float64]:
    """Darcy friction factor over all regimes.                                                          (C6).

        f = 8 ((8/Re)^12 + (A + B)^(-3/2))^(1/12)
        A = (2.457 ln(1 / ((7/Re)^0.9 + 0.27 e/D)))^16,  B = (37530/Re)^16

    Parameters
    ----------
    Re : float or float[...]    Reynolds number on D_h, above 0. [-]
    relative_roughness : float or float[...]    e / D_h. [-]
    laminar : float
        Darcy f Re of the laminar branch: 64 in a round pipe, 4 `f_re` in a rectangular duct. [-]

    Returns
    -------
    float64[...]    [-]

    Validity : within 3 % of Colebrook from Re 4000 to 1e8; between 2000 and 4000 it is an interpolation.
    Source   : Churchill 1977, Chem. Eng. 84 (24), 91.
    Check    : tests/unit/solvers/coolant/test_friction.py
    """
    Re, rough = np.broadcast_arrays(np.asarray(Re, np.float64), np.asarray(relative_roughness, np.float64))
    out = np.empty(Re.size)
    _churchill(np.ascontiguousarray(Re).ravel(), np.ascontiguousarray(rough).ravel(), float(laminar), out)
    return out.reshape(Re.shape)


def bend_loss(radius_over_diameter: ArrayLike, angle: float = math.pi / 2) -> NDArray[np.float64]:
    """Loss coefficient of a smooth round bend by the approach velocity. [-].

        K = (0.131 + 0.163 (D/R)^3.5) angle / (pi/2)

    Parameters
    ----------
    radius_over_diameter : float or float[...]    Of the bend's centre line; 0.5 at least. [-]
    angle : float    [rad]

    Returns
    -------
    float64[...]

    Source : Weisbach 1855, as in Streeter's Handbook of Fluid Dynamics; 0.29 at R/D = 1, 0.13 at 3.
    Check  : tests/unit/solvers/coolant/test_friction.py
    """
    ratio = np.asarray(radius_over_diameter, dtype=np.float64)
    # Weisbach writes radius over pipe radius: 0.163 (r/R)^3.5 with r = D/2
    return (0.131 + 1.847 * (0.5 / ratio) ** 3.5) * angle / (math.pi / 2)


def loss_of_flow_coefficient(kv: ArrayLike) -> NDArray[np.float64]:
    """Resistance c of ``dp = c m_flow |m_flow| / rho`` of a valve or coupling with a flow coefficient Kv.

        c = 1e5 * 1000 * 3600^2 / (1000^2 Kv^2)          Kv in m3/h of water (1000 kg/m3) at 1 bar

    Parameters
    ----------
    kv : float or float[...]    [m3/(h sqrt(bar))]

    Returns
    -------
    float64[...]    [1/m4]

    Source : IEC 60534-2-1 (turbulent, incompressible).
    Check  : tests/unit/solvers/coolant/test_friction.py
    """
    return 1e5 / 1000 * (3600.0 / np.asarray(kv, dtype=np.float64)) ** 2
