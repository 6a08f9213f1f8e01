"""Colours and limits of what is drawn: the ASHRAE bands, the air's scale, plotly's look in both themes.

The page's own colours stand in ``assets/page.css``; the figures repeat what they need of them here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

RECOMMENDED_C = (18.0, 27.0)  # ASHRAE TC 9.9 (2021), all air classes
ALLOWABLE_C = (15.0, 32.0)  # class A1
LIMITS_C = (ALLOWABLE_C[0], *RECOMMENDED_C, ALLOWABLE_C[1])  # where a rack's summary has none of its class
ISOSURFACES_C = (27.0, 32.0)
SHOWN_C = (12.0, 42.0)  # the air's scale: fixed, so that a colour means the same all day
AIR_SCALE = "thermal"
COOLANT_C = (10.0, 60.0)  # the coolant's scale, fixed too
FONT = "Inter Variable, system-ui, -apple-system, Segoe UI, Roboto, sans-serif"


class Palette(NamedTuple):
    """Colours of a theme as figures need them."""

    ink: str
    muted: str
    grid: str
    surface: str
    accent: str
    below: str
    recommended: str
    allowable: str
    over: str
    solid: str
    positions: tuple[str, str, str]  # bottom, middle, top


PALETTES = {
    "dark": Palette(
        ink="#e6ebf2",
        muted="#93a1b3",
        grid="#263140",
        surface="#141b24",
        accent="#5aa9ff",
        below="#5aa9ff",
        recommended="#2fbf8f",
        allowable="#f2b035",
        over="#f0564a",
        solid="#3a4757",
        positions=("#6cb6ff", "#c49bff", "#ffad5c"),
    ),
    "light": Palette(
        ink="#16202c",
        muted="#5b6978",
        grid="#e1e7ed",
        surface="#ffffff",
        accent="#0b63ce",
        below="#2f7fd6",
        recommended="#12805c",
        allowable="#a86a00",
        over="#c62f25",
        solid="#b4bfca",
        positions=("#0b63ce", "#7a3fd1", "#c25e00"),
    ),
}


def palette(theme: str | None) -> Palette:
    """Return the palette of a theme; dark where the name is unknown."""
    return PALETTES.get(theme or "dark", PALETTES["dark"])


def band_of(temperature: float | None, limits: Sequence[float] = LIMITS_C) -> str:
    """Name the ASHRAE band of an inlet temperature, as the twin does.

    Parameters
    ----------
    temperature : float or None
        [degC]
    limits : sequence of four floats
        Of the rack's class: allowable low, recommended low, recommended high, allowable high. [degC]

    Returns
    -------
    str
        below, recommended, allowable (on either side of recommended), over; or unknown.
    """
    if temperature is None or math.isnan(temperature):
        return "unknown"
    if temperature < limits[0]:
        return "below"
    if temperature > limits[3]:
        return "over"
    return "recommended" if limits[1] <= temperature <= limits[2] else "allowable"


def figure_layout(theme: str | None) -> dict[str, Any]:
    """Return the part of a plotly layout that every figure shares."""
    colours = palette(theme)
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 11, "color": colours.muted},
        "hoverlabel": {
            "bgcolor": colours.surface,
            "bordercolor": colours.grid,
            "font": {"family": FONT, "color": colours.ink, "size": 12},
        },
        "margin": {"l": 36, "r": 8, "t": 8, "b": 24},
    }
