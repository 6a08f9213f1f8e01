"""Solids of cold plates and packages: conductivity and heat capacity near 330 K."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple


class Solid(NamedTuple):
    """A material.

    Attributes
    ----------
    conductivity : float    [W/(m K)]
    heat_capacity : float    Per volume. [J/(m3 K)]
    source : str
    """

    conductivity: float
    heat_capacity: float
    source: str


_INCROPERA = "Incropera et al. 2011, Fundamentals of Heat and Mass Transfer, tables A.1 to A.3"

MATERIALS = MappingProxyType(
    {
        "copper": Solid(395.0, 3.45e6, f"pure, {_INCROPERA}"),
        "aluminium": Solid(170.0, 2.45e6, f"alloy as 6061, {_INCROPERA}"),
        "silicon": Solid(130.0, 1.66e6, f"at 330 to 340 K, {_INCROPERA}"),
        "stainless_steel": Solid(15.1, 3.98e6, f"AISI 304, {_INCROPERA}"),
        "aluminium_nitride": Solid(170.0, 2.4e6, "makers' sheets of substrates, 170 W/(m K) grade"),
        "indium": Solid(82.0, 1.70e6, "CRC Handbook of Chemistry and Physics, 97th edition"),
        "thermal_paste": Solid(4.0, 2.4e6, "makers' sheets, 3 to 6 W/(m K); give your own where you know it"),
        "polycarbonate": Solid(0.20, 1.44e6, "makers' sheets"),
    }
)
"""Known by name in a spec."""
