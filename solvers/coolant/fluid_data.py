"""Figures of the coolants of `fluids`: limits and sources of all, tables of those that CoolProp lacks.

CoolProp has an entry ``INCOMP::HFE``, but its conductivity is 0.97 W/(m K), fourteen times that of any
hydrofluoroether, and its viscosity and density are off as well (CoolProp issue 1492, open since 2017), so
the hydrofluoroether here is a table. CoolProp 8.0 has density and specific heat of Novec 649, but neither
viscosity nor conductivity.
"""

from __future__ import annotations

from typing import NamedTuple

Points = tuple[tuple[float, float], ...]


class About(NamedTuple):
    """Limits and source of a fluid.

    Attributes
    ----------
    T_min, T_max : float    Range of the data. [K]
    T_freeze : float    Freezing or pour point. [K]
    T_hot : float    Boiling point at 101.3 kPa or flash point. [K]
    hot_is : str    Which of the two.
    source : str
    coolprop : str    Backend and name there; empty for a table.
    fraction : float    Mass fraction of the solute there. [-]
    """

    T_min: float
    T_max: float
    T_freeze: float
    T_hot: float
    hot_is: str
    source: str
    coolprop: str = ""
    fraction: float = 0.0


class Rows(NamedTuple):
    """Points (temperature, value) of the four properties. [K; kg/m3, J/(kg K), W/(m K), Pa s]."""

    density: Points
    specific_heat: Points
    conductivity: Points
    viscosity: Points


ABOUT = {
    "water": About(
        *(273.16, 372.66, 273.15, 373.12, "boiling"),
        "CoolProp 8 HEOS::Water (IAPWS-95; Huber et al. 2009, 2012) at 0.3 MPa",
        "HEOS::Water",
    ),
    "pg25": About(
        *(264.15, 372.65, 263.0, 374.0, "boiling"),
        "CoolProp 8 INCOMP::MPG (Melinder 2010), 25.7 % propylene glycol by mass, which is 25 % by volume; "
        "inhibitors not counted",
        "INCOMP::MPG",
        0.257,
    ),
    "hfe7200": About(
        *(273.15, 345.15, 135.0, 349.15, "boiling"),
        "ethoxy-nonafluorobutane. Density, viscosity: Rausch et al. 2015, J. Chem. Eng. Data 60, 3759. "
        "Conductivity: Warrier and Teja 2011. Specific heat: 3M, 1220 J/(kg K) at 25 degC, with the slope "
        "that 3M gives for HFE-7100, 2.00 J/(kg K2). Boiling and pour point: 3M",
    ),
    "novec649": About(
        *(243.15, 322.15, 165.0, 322.20, "boiling"),
        "dodecafluoro-2-methylpentan-3-one, FK-5-1-12, at 0.2 MPa. Density, specific heat: McLinden et al. "
        "2015, J. Chem. Eng. Data 60, 3646 (CoolProp 8). Viscosity: Wen et al. 2017, the same 62, 3603. "
        "Conductivity: Perkins et al. 2018, doi 10.1021/acs.jced.8b00132",
    ),
    "pao2": About(
        *(233.15, 373.15, 208.15, 423.15, "flash"),
        "polyalphaolefin of 2 mm2/s, MIL-PRF-87252. Density, specific heat, conductivity: sheet of Royco "
        "602. Viscosity: 5.1 mm2/s at 40 degC, 1.7 at 100 (the specification asks 5.0 and 1.65 at least), by "
        "Walther's equation (ASTM D341), which gives 293 at -40 (300 allowed). Flash, pour point: its limits",
    ),
    "mineral_oil": About(
        *(263.15, 393.15, 230.0, 447.0, "flash"),
        "CoolProp 8 INCOMP::PNF2 (Paratherm NF, hydrotreated mineral oil, maker's data of 2013); flash and "
        "pour point: the maker",
        "INCOMP::PNF2",
    ),
}

# log10(log10(nu + 0.7)) = A - B log10(T), nu in mm2/s, through the two points in `ABOUT`, times the density
_PAO_VISCOSITY: Points = (
    (233.15, 0.24372),
    (253.15, 0.048654),
    (273.15, 0.016066),
    (293.15, 0.0072362),
    (313.15, 0.0039739),
    (333.15, 0.0024904),
    (353.15, 0.0017109),
    (373.15, 0.0012563),
)

TABLES = {
    "hfe7200": Rows(
        density=(
            *((273.15, 1478.07), (283.15, 1456.13), (293.15, 1433.91), (303.15, 1411.31)),
            *((313.15, 1388.26), (323.15, 1364.68), (333.15, 1340.47), (343.15, 1315.57), (353.15, 1289.87)),
        ),
        specific_heat=((273.15, 1170.0), (353.15, 1330.0)),
        conductivity=((278.8, 0.0712), (300.6, 0.0644), (314.1, 0.0616), (328.3, 0.0590), (344.1, 0.0563)),
        viscosity=(  # kinematic of the source times density
            *((273.15, 0.6631e-6 * 1478.07), (283.15, 0.5563e-6 * 1456.13), (293.15, 0.4824e-6 * 1433.91)),
            *((303.15, 0.4292e-6 * 1411.31), (313.15, 0.3822e-6 * 1388.26), (323.15, 0.3429e-6 * 1364.68)),
            *((333.15, 0.3125e-6 * 1340.47), (343.15, 0.2826e-6 * 1315.57), (353.15, 0.2564e-6 * 1289.87)),
        ),
    ),
    "novec649": Rows(
        density=(
            *((243.15, 1759.1), (253.15, 1731.8), (263.15, 1704.1), (273.15, 1676.0), (283.15, 1647.3)),
            *((293.15, 1618.0), (303.15, 1587.8), (313.15, 1556.8), (323.15, 1524.5)),
        ),
        specific_heat=(
            *((243.15, 1090.6), (253.15, 1089.1), (263.15, 1089.2), (273.15, 1091.0), (283.15, 1094.2)),
            *((293.15, 1099.0), (303.15, 1105.2), (313.15, 1113.0), (323.15, 1122.2)),
        ),
        conductivity=(
            *((243.15, 0.06791), (253.15, 0.06605), (263.15, 0.06419), (273.15, 0.06233), (283.15, 0.06048)),
            *((293.15, 0.05862), (303.15, 0.05678), (313.15, 0.05493), (323.15, 0.05309)),
        ),
        viscosity=(
            *((243.15, 1595.2e-6), (253.15, 1315.2e-6), (263.15, 1097.0e-6), (273.15, 924.1e-6)),
            *(
                (283.15, 785.2e-6),
                (293.15, 672.2e-6),
                (303.15, 579.2e-6),
                (313.15, 501.9e-6),
                (323.15, 437.0e-6),
            ),
        ),
    ),
    "pao2": Rows(
        density=((233.15, 832.8), (273.15, 806.0), (373.15, 739.0), (463.15, 677.0)),
        specific_heat=((255.15, 2050.0), (311.15, 2260.0), (422.15, 2640.0)),
        conductivity=((255.15, 0.146), (311.15, 0.141), (533.15, 0.119)),
        viscosity=_PAO_VISCOSITY,
    ),
}
