"""Flow and films in the parallel channels of a plate: pressure drop, heat transfer, velocity profile.

K6   dp = (4 f_app) L / D_h rho u^2 / 2 + K rho u^2 / 2         f_app: C2, in all regimes through C6
K7   h = Nu k / D_h, Nu the mean over each cell of the developing flow (C7, C8); turbulent: Gnielinski
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numba import njit

from solvers.coldplate.system import Array
from solvers.coolant.duct import solve_duct
from solvers.coolant.fluids import Fluid
from solvers.coolant.friction import apparent_f_re, darcy_f_re
from solvers.coolant.heat_transfer import nusselt
from solvers.linear.kernels import options

LAMINAR = 2300.0
"""Reynolds number up to which channel flow is taken for laminar. [-]"""
_NODES = tuple(zip(*np.polynomial.legendre.leggauss(4), strict=True))  # of the quadrature in each cell
_TURBULENT = 4000.0  # from which Gnielinski holds; between the two, a straight line

Heated = Literal["four", "three"]
Entrance = Literal["thermal", "simultaneous", "developed"]


class Duct(NamedTuple):
    """A rectangular channel.

    Attributes
    ----------
    width, height, length : float    [m]
    roughness : float    Height of the wall's roughness. [m]
    end_loss : float    Loss coefficient of inlet and outlet together, by the velocity in the channel. [-]
    heated : str    ``four`` walls, or ``three`` where the lid takes no heat.
    entrance : str
        What develops in the films: ``thermal``, temperature alone (cautious: films are lower);
        ``simultaneous``, velocity too; ``developed``, nothing.
    """

    width: float
    height: float
    length: float
    roughness: float = 0.0
    end_loss: float = 0.0
    heated: Heated = "four"
    entrance: Entrance = "thermal"

    @property
    def area(self) -> float:
        """Cross-section. [m2]."""
        return self.width * self.height

    @property
    def diameter(self) -> float:
        """Hydraulic diameter 4 A / P. [m]."""
        return 2.0 * self.area / (self.width + self.height)

    @property
    def aspect(self) -> float:
        """Short over long side. [-]."""
        return min(self.width, self.height) / max(self.width, self.height)


class Liquid(NamedTuple):
    """Properties of the coolant in each channel.

    Attributes
    ----------
    density, specific_heat, conductivity, viscosity : float64[...]    [kg/m3, J/(kg K), W/(m K), Pa s]
    """

    density: Array
    specific_heat: Array
    conductivity: Array
    viscosity: Array

    @property
    def prandtl(self) -> Array:
        """Prandtl number. [-]."""
        return self.viscosity * self.specific_heat / self.conductivity


def liquid_at(fluid: Fluid, T: Array) -> Liquid:
    """Return the properties at temperatures.

    Parameters
    ----------
    fluid : Fluid
    T : float64[...]    [K]

    Returns
    -------
    Liquid
    """
    return Liquid(fluid.density(T), fluid.specific_heat(T), fluid.conductivity(T), fluid.viscosity(T))


def reynolds(duct: Duct, m_flow: Array, viscosity: Array) -> Array:
    """Reynolds number on the hydraulic diameter.

    Parameters
    ----------
    duct : Duct
    m_flow : float64[...]    Of one channel. [kg/s]
    viscosity : float64[...]    [Pa s]

    Returns
    -------
    float64[...]    [-]
    """
    return np.abs(m_flow) * duct.diameter / (duct.area * viscosity)


def pressure_drop(duct: Duct, m_flow: Array, liquid: Liquid) -> Array:
    """Pressure drop of each channel.                                                                   (K6).

    Parameters
    ----------
    duct : Duct
    m_flow : float64[channels]    Above 0. [kg/s]
    liquid : Liquid    Means along each channel.

    Returns
    -------
    float64[channels]    [Pa]

    Source : Shah 1978 (entrance), Churchill 1977 (all regimes).
    Check  : tests/unit/solvers/coldplate/test_channel_flow.py
    """
    Re = reynolds(duct, m_flow, liquid.viscosity)
    dynamic = 0.5 * (m_flow / duct.area) ** 2 / liquid.density
    laminar = 4.0 * apparent_f_re(duct.aspect, duct.length / (duct.diameter * Re))
    f = np.empty(Re.shape)
    _friction(Re, duct.roughness / duct.diameter, laminar, f)
    return (f * duct.length / duct.diameter + duct.end_loss) * dynamic


@njit(**options)
def _friction(Re, relative_roughness, laminar, out):
    for i in range(Re.size):
        out[i] = darcy_f_re(Re[i], relative_roughness, laminar[i]) / Re[i]


def films(duct: Duct, m_flow: Array, liquid: Liquid, y: Array) -> Array:
    """Film coefficients along each channel, means over the cells between the lines y.                  (K7).

    Parameters
    ----------
    duct : Duct
    m_flow : float64[channels]    Above 0. [kg/s]
    liquid : Liquid    Of each cell and channel, float64[ny, channels].
    y : float64[ny + 1]    Distances from the inlet. [m]

    Returns
    -------
    float64[ny, channels]    [W/(m2 K)]

    Validity : laminar, H1, with the entrance that the duct says; Re above 4000 smooth Gnielinski.
    Source   : Muzychka and Yovanovich 2004; Gnielinski 1976, Int. Chem. Eng. 16, 359.
    Check    : tests/unit/solvers/coldplate/test_channel_flow.py
    """
    kind = "H1" if duct.heated == "four" else "H1_three_wall"
    Re = reynolds(duct, m_flow, liquid.viscosity)
    Pr = liquid.prandtl
    per = duct.diameter * Re * Pr  # x = x* times this
    number = float(Pr.mean()) if duct.entrance == "simultaneous" else None
    root = np.sqrt(y)[:, None]  # Nu grows as 1 / sqrt(x) at the inlet, so that Nu dx = 2 s Nu ds is smooth
    half = 0.5 * (root[1:] - root[:-1])
    Nu = np.zeros(Re.shape)
    for node, weight in _NODES:
        s = root[:-1] + half * (1.0 + node)
        Nu += weight * half * 2.0 * s * nusselt(duct.aspect, kind, s**2 / per, Pr=number)
    Nu /= root[1:] ** 2 - root[:-1] ** 2
    if duct.entrance == "developed":
        Nu = np.full(Re.shape, float(nusselt(duct.aspect, kind)))
    share = np.clip((Re - LAMINAR) / (_TURBULENT - LAMINAR), 0.0, 1.0)
    if np.any(share > 0.0):
        rough = np.maximum(Re, _TURBULENT)
        f = (0.79 * np.log(rough) - 1.64) ** -2 / 8.0
        turbulent = f * (rough - 1000.0) * Pr / (1.0 + 12.7 * np.sqrt(f) * (Pr ** (2.0 / 3.0) - 1.0))
        Nu = (1.0 - share) * Nu + share * np.maximum(turbulent, Nu)
    return Nu * liquid.conductivity / duct.diameter


def profile(duct: Duct, columns: int, rows: int) -> Array:
    """Velocity of fully developed laminar flow over its mean, on uniform cells.

    Parameters
    ----------
    duct : Duct
    columns, rows : int    Across the width and the height.

    Returns
    -------
    float64[columns, rows]    [-]
    """
    return solve_duct(duct.width / duct.height, (columns, rows)).u
