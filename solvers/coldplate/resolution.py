"""Choose the cells of a plate for a model, within a number of cells."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from solvers.coldplate.plate import HeatMap, Plate, Resolution, cell_count
from solvers.errors import CaseError

PLANES = 24
"""Along the flow, at least, unless that takes too many cells. [-]"""
ROWS = 8
"""Over the height of channels whose solids are resolved, at least, unless that takes too many cells. [-]"""
_SPREAD = 3.5e-3  # m; cells of spread channels, unless heat has finer fields
_FEWEST = 8  # planes
_OVER = 1.2  # times the limit that the least grid may take


def resolution_of(
    plate: Plate, model: str, most: int = 1_000_000, maps: Iterable[HeatMap] = ()
) -> Resolution:
    """Choose cells for a model.

    Parameters
    ----------
    plate : Plate
    model : str
    most : int
        Cells at most. Where the grid that the model would like exceeds it, planes are left out first, then
        rows and layers; the least grid may take a fifth more.
    maps : iterable of HeatMap    Spread channels get two cells a chip or field, up to 24 each way.

    Returns
    -------
    Resolution

    Raises
    ------
    CaseError : the least grid of the model exceeds the limit by more than a fifth.
    """
    if model == "two_resistor":
        return _within(plate, [_spread(plate, maps)], most)
    planes = _between(round(plate.length / 1e-3), PLANES, 96)
    if model == "four_resistor":
        made = Resolution("four_resistor", planes, 1, 1, 1, 5, 3, 1, 2)
        return _within(plate, [made, made._replace(rows=3, base=2, package=1)], most)
    fine = model == "resolved"
    name = "resolved" if fine else "correlation"
    liked = []
    for columns in (16, 12, 10, 8, 6, 4):
        rows = _between(round(columns * min(plate.duct.height / plate.duct.width, 3.0)), ROWS, 40)
        across, walls = columns if fine else 1, max(2, columns // 3)
        liked.append(Resolution(name, planes, across, walls, 3, rows, 4, 2, 2))
    last = liked[-1]
    for made in liked[:-1]:
        if cell_count(plate, made) <= most:
            return made
    fewer = last._replace(rows=ROWS, base=3)
    least = fewer._replace(walls=1, margin=1, rows=4 if fine else 2, base=2, lid=1, package=1)
    return _within(plate, [last, fewer, least], most)


def _within(plate: Plate, ladder: list[Resolution], most: int) -> Resolution:
    """Take the finest section that leaves enough planes; of the last one as many planes as there may be."""
    for made in ladder:
        planes = most // cell_count(plate, made._replace(planes=1))
        if planes >= min(PLANES, made.planes):
            return made._replace(planes=min(planes, made.planes))
    least = ladder[-1]
    section = cell_count(plate, least._replace(planes=1))
    if least.model == "two_resistor":
        planes = _FEWEST + 4
        columns = _between(least.columns * most // (section * planes), 6, least.columns)
        least = least._replace(columns=columns)
        section = cell_count(plate, least._replace(planes=1))
    if section * _FEWEST > _OVER * most:
        raise CaseError(
            f"{plate.channels} channels with the {least.model} model take {section * _FEWEST} cells "
            f"at least; {most} are allowed. Allow as many, or take another model."
        )
    return least._replace(planes=max(most // section, _FEWEST))


def _spread(plate: Plate, maps: Iterable[HeatMap]) -> Resolution:
    fields = list(maps)
    field_x = min((float(np.diff(item.x).min()) for item in fields), default=np.inf)
    field_y = min((float(np.diff(item.y).min()) for item in fields), default=np.inf)
    planes = _between(round(plate.length / min(_SPREAD, 0.5 * field_y)), 16, 24)
    columns = _between(round(plate.width / min(_SPREAD, 0.5 * field_x)), 12, 24)
    rows = _between(round(0.4 * plate.duct.height / plate.duct.width), 1, 2)
    return Resolution("two_resistor", planes, columns, 0, 1, rows, 1, 1, 1)


def _between(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))
