"""Single-phase coolants: density, specific heat, conductivity, viscosity and enthalpy over temperature."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.coolant.fluid_data import ABOUT, TABLES, About
from solvers.errors import CaseError

_log = logging.getLogger(__name__)
_STEP = 0.5  # K, of the table that is interpolated linearly: below 1e-4 in viscosity of water
_PRESSURE = 3e5  # Pa; liquids hardly feel it, water stays liquid to 406 K
_ZERO_CELSIUS = 273.15  # K; messages are for people

FLUIDS = tuple(ABOUT)
"""Names that `fluid` knows."""


class Table(NamedTuple):
    """Properties on a uniform grid of temperatures, for compiled code; see `interpolate`.

    Attributes
    ----------
    T_first, step : float    First temperature, distance of two. [K]
    density, specific_heat, conductivity : float64[n]    [kg/m3, J/(kg K), W/(m K)]
    log_viscosity : float64[n]    Natural logarithm. [ln(Pa s)]
    enthalpy : float64[n]    Integral of the specific heat from T_first. [J/kg]
    """

    T_first: float
    step: float
    density: NDArray[np.float64]
    specific_heat: NDArray[np.float64]
    conductivity: NDArray[np.float64]
    log_viscosity: NDArray[np.float64]
    enthalpy: NDArray[np.float64]


class Fluid:
    """A liquid coolant.

    Every property takes one temperature or an array of them and gives the like. Outside of
    [T_min, T_max] it keeps the value of the nearer end, and the log says so once per fluid.

    Parameters
    ----------
    name : str
    table : Table    From T_min to T_max.
    about : About    Limits and source.

    Attributes
    ----------
    name : str
    T_min, T_max : float    Range of the data. [K]
    T_freeze : float    Freezing or pour point. [K]
    T_hot : float    Boiling point at 101.3 kPa or flash point, whichever is lower. [K]
    hot_is : str    ``"boiling"`` or ``"flash"``.
    source : str    Where the figures are from.
    table : Table

    Source : `Fluid.source`.    Check : tests/unit/solvers/coolant/test_fluids.py
    """

    def __init__(self, name: str, table: Table, about: About) -> None:
        self.name = name
        self.table = table
        self.T_min = table.T_first
        self.T_max = table.T_first + table.step * (table.density.size - 1)
        self.T_freeze, self.T_hot, self.hot_is = about.T_freeze, about.T_hot, about.hot_is
        self.source = about.source
        self._told = False

    def __repr__(self) -> str:
        return f"fluid({self.name!r})"

    def density(self, T: ArrayLike) -> NDArray[np.float64]:
        """Density. [kg/m3].

        Parameters
        ----------
        T : float or float[...]    Temperature. [K]

        Returns
        -------
        float64[...]
        """
        return self._look_up(T, self.table.density)

    def specific_heat(self, T: ArrayLike) -> NDArray[np.float64]:
        """Isobaric specific heat. [J/(kg K)].

        Parameters
        ----------
        T : float or float[...]    Temperature. [K]

        Returns
        -------
        float64[...]
        """
        return self._look_up(T, self.table.specific_heat)

    def conductivity(self, T: ArrayLike) -> NDArray[np.float64]:
        """Thermal conductivity. [W/(m K)].

        Parameters
        ----------
        T : float or float[...]    Temperature. [K]

        Returns
        -------
        float64[...]
        """
        return self._look_up(T, self.table.conductivity)

    def viscosity(self, T: ArrayLike) -> NDArray[np.float64]:
        """Dynamic viscosity. [Pa s].

        Parameters
        ----------
        T : float or float[...]    Temperature. [K]

        Returns
        -------
        float64[...]
        """
        return np.exp(self._look_up(T, self.table.log_viscosity))

    def prandtl(self, T: ArrayLike) -> NDArray[np.float64]:
        """Prandtl number mu cp / k. [-].

        Parameters
        ----------
        T : float or float[...]    Temperature. [K]

        Returns
        -------
        float64[...]
        """
        return self.viscosity(T) * self.specific_heat(T) / self.conductivity(T)

    def enthalpy(self, T: ArrayLike) -> NDArray[np.float64]:
        """Specific enthalpy: the exact integral of `specific_heat` from T_min. [J/kg].

        Parameters
        ----------
        T : float or float[...]    Temperature. [K]

        Returns
        -------
        float64[...]
        """
        T = np.asarray(T, dtype=np.float64)
        inside = np.clip(T, self.T_min, self.T_max)
        i, part = self._place(inside)
        cp, step = self.table.specific_heat, self.table.step
        h = self.table.enthalpy[i] + part * step * (cp[i] + 0.5 * part * (cp[i + 1] - cp[i]))
        return h + (T - inside) * self.specific_heat(T)

    def temperature(self, enthalpy: ArrayLike) -> NDArray[np.float64]:
        """Temperature of a specific enthalpy: the inverse of `enthalpy`. [K].

        Parameters
        ----------
        enthalpy : float or float[...]    [J/kg]

        Returns
        -------
        float64[...]
        """
        h = np.asarray(enthalpy, dtype=np.float64)
        table = self.table
        inside = np.clip(h, 0.0, table.enthalpy[-1])
        i = np.clip(np.searchsorted(table.enthalpy, inside, side="right") - 1, 0, table.density.size - 2)
        low, slope = (
            table.specific_heat[i],
            (table.specific_heat[i + 1] - table.specific_heat[i]) / table.step,
        )
        rest = inside - table.enthalpy[i]
        # rest = low d + slope d^2 / 2, the stable root
        d = 2 * rest / (low + np.sqrt(low**2 + 2 * slope * rest))
        end = np.where(h > inside, table.specific_heat[-1], table.specific_heat[0])
        return table.T_first + i * table.step + d + (h - inside) / end

    def faults(self, T: ArrayLike) -> str:
        """Say whether the liquid freezes or gets too hot; empty if all is well.

        Parameters
        ----------
        T : float or float[...]    Temperatures. [K]

        Returns
        -------
        str
        """
        T = np.asarray(T, dtype=np.float64)
        freeze, hot = self.T_freeze - _ZERO_CELSIUS, self.T_hot - _ZERO_CELSIUS
        if T.size and float(T.min()) <= self.T_freeze:
            value = float(T.min()) - _ZERO_CELSIUS
            return f"{value:.1f} degC: {self.name} freezes or stops to flow at {freeze:.1f} degC"
        if T.size and float(T.max()) >= self.T_hot:
            value = float(T.max()) - _ZERO_CELSIUS
            return f"{value:.1f} degC: above the {self.hot_is} point of {self.name}, {hot:.1f} degC"
        return ""

    def _look_up(self, T: ArrayLike, values: NDArray[np.float64]) -> NDArray[np.float64]:
        T = np.asarray(T, dtype=np.float64)
        inside = np.clip(T, self.T_min, self.T_max)
        if not self._told and bool(np.any(inside != T)):
            self._told = True
            _log.warning(
                "%s: %.1f to %.1f degC is outside of the data, %.1f to %.1f degC; it keeps the nearer end's "
                "values (said once)",
                self.name,
                *(float(value) - _ZERO_CELSIUS for value in (np.min(T), np.max(T), self.T_min, self.T_max)),
            )
        i, part = self._place(inside)
        return values[i] + part * (values[i + 1] - values[i])

    def _place(self, inside: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        at = (inside - self.T_min) / self.table.step
        i = np.minimum(at.astype(np.int64), self.table.density.size - 2)
        return i, at - i


@cache
def fluid(name: str) -> Fluid:
    """Coolant by name; see `FLUIDS`.

    Water, propylene glycol and the mineral oil are CoolProp's, which is imported here at the first call that
    needs it; the others are tables with their source in `fluid_data`.

    Parameters
    ----------
    name : str
        ``"water"``, ``"pg25"`` (25 % propylene glycol by volume), ``"hfe7200"`` (hydrofluoroether),
        ``"novec649"`` (fluoroketone), ``"pao2"`` (polyalphaolefin of MIL-PRF-87252), ``"mineral_oil"``.

    Returns
    -------
    Fluid

    Raises
    ------
    CaseError    The name is unknown.
    """
    if name not in ABOUT:
        raise CaseError(f"fluid {name!r} is unknown; known are {', '.join(FLUIDS)}")
    about = ABOUT[name]
    T = np.arange(about.T_min, about.T_max + 1e-9, _STEP)
    rows = _from_table(name, T) if name in TABLES else _from_coolprop(about.coolprop, about.fraction, T)
    density, cp, conductivity, viscosity = rows
    enthalpy = np.concatenate([[0.0], np.cumsum(0.5 * (cp[1:] + cp[:-1]) * _STEP)])
    table = Table(about.T_min, _STEP, density, cp, conductivity, np.log(viscosity), enthalpy)
    return Fluid(name, table, about)


def _from_table(name: str, T: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Density, cp, conductivity and viscosity; the shape-preserving cubic through the table's points."""
    from scipy.interpolate import PchipInterpolator  # noqa: PLC0415  a second of import, only where needed

    table = TABLES[name]
    out = []
    for points, logarithmic in (
        (table.density, False),
        (table.specific_heat, False),
        (table.conductivity, False),
        (table.viscosity, True),
    ):
        at, values = np.array(points).T
        # linear beyond the ends, which lie a few kelvin inside of the range at most
        values = np.log(values) if logarithmic else values
        line: Callable[[NDArray[np.float64]], NDArray[np.float64]]
        line = PchipInterpolator(at, values) if at.size > 2 else lambda x, a=at, v=values: np.interp(x, a, v)
        inside = line(np.clip(T, at[0], at[-1]))
        low = (values[1] - values[0]) / (at[1] - at[0]) * np.minimum(T - at[0], 0)
        high = (values[-1] - values[-2]) / (at[-1] - at[-2]) * np.maximum(T - at[-1], 0)
        value = inside + low + high
        out.append(np.exp(value) if logarithmic else value)
    return out


def _from_coolprop(name: str, fraction: float, T: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    from CoolProp.CoolProp import PT_INPUTS, AbstractState  # noqa: PLC0415  two seconds of import

    backend, _, which = name.partition("::")
    state = AbstractState(backend, which)
    if fraction:
        state.set_mass_fractions([fraction])
    rows = np.empty((4, T.size))
    for i, value in enumerate(T.tolist()):
        state.update(PT_INPUTS, _PRESSURE, value)
        rows[:, i] = state.rhomass(), state.cpmass(), state.conductivity(), state.viscosity()
    return list(rows)
