"""Heat of a chip over its area: uniform, from a 3D-ICE floorplan, or from a table."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

from solvers.coldplate.plate import HeatMap
from twin.errors import Finding, InputError
from twin.plates.ice_floorplan import read_floorplan
from twin.plates.ice_syntax import Faults
from twin.plates.spec import Chip

_SHOWN = 5  # faults of one table that are named


def heat_map(chip: Chip, folder: Path, findings: list[Finding]) -> HeatMap | None:
    """Return the heat of a chip on the plate's axes.

    Parameters
    ----------
    chip : Chip
    folder : Path    That files are relative to.
    findings : list of Finding    Gets what is wrong with the map.

    Returns
    -------
    HeatMap, or None where the map is no good
    """
    (x, y), (dx, dy) = chip.position, chip.size
    if chip.map is None:
        return HeatMap(np.array([x, x + dx]), np.array([y, y + dy]), np.array([[chip.power or 0.0]]))
    path = folder / chip.map
    if path.suffix == ".flp":
        found = _from_floorplan(path, dx, dy, findings)
    elif path.suffix == ".csv":
        found = _from_table(path, dx, dy, findings)
    else:
        rule, remedy = "is neither .flp nor .csv", "Give a 3D-ICE floorplan or a table"
        findings.append(Finding(str(path), f"chip '{chip.id}'", "map", chip.map, rule, remedy))
        return None
    if found is None:
        return None
    total = float(found.power.sum())
    if chip.power is not None:
        if total <= 0.0:
            rule, remedy = "has no heat that could be scaled to the chip's power", "Give values above 0"
            findings.append(Finding(str(path), f"chip '{chip.id}'", "map", "0 W", rule, remedy))
            return None
        found = found._replace(power=found.power * (chip.power / total))
    return found._replace(x=found.x + x, y=found.y + y)


def _from_floorplan(path: Path, dx: float, dy: float, findings: list[Finding]) -> HeatMap | None:
    """Blocks on the lines of all their edges, with the power of the first slot."""
    faults = Faults(str(path))
    try:
        plan = read_floorplan(path, dx, dy, faults)
    except InputError as error:
        findings.extend(error.findings)
        return None
    if faults.findings:
        findings.extend(faults.findings)
        return None
    rectangles = [r for block in plan.blocks for r in block.rectangles]
    x = np.unique([0.0, dx, *(v for r in rectangles for v in (r.x, r.x + r.length))])
    y = np.unique([0.0, dy, *(v for r in rectangles for v in (r.y, r.y + r.width))])
    x, y = x[x <= dx * (1.0 + 1e-12)], y[y <= dy * (1.0 + 1e-12)]
    power = np.zeros((y.size - 1, x.size - 1))
    middle_x, middle_y = 0.5 * (x[1:] + x[:-1]), 0.5 * (y[1:] + y[:-1])
    area = np.diff(y)[:, None] * np.diff(x)
    for block in plan.blocks:
        flux = (block.powers[0] if block.powers else 0.0) / block.area
        for r in block.rectangles:
            inside = ((middle_y > r.y) & (middle_y < r.y + r.width))[:, None] & (
                (middle_x > r.x) & (middle_x < r.x + r.length)
            )
            power += flux * area * inside
    return HeatMap(x, y, power)


def _from_table(path: Path, dx: float, dy: float, findings: list[Finding]) -> HeatMap | None:
    """Equal fields over the chip; the first row lies at low y, the first column at low x."""

    def fault(place: str, value: str, rule: str, remedy: str, line: int = 0) -> None:
        findings.append(Finding(str(path), "heat map", place, value, rule, remedy, line=line))

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        fault("", "", f"cannot be read: {reason}", "Give a table of numbers with commas between")
        return None
    rows: list[list[float]] = []
    begun = len(findings)
    for number, cells in enumerate(csv.reader(text.splitlines()), 1):
        if not cells or cells[0].lstrip().startswith("#"):
            continue
        row = []
        for column, cell in enumerate(cells, 1):
            try:
                value = float(cell)
            except ValueError:
                value = math.nan
            if not math.isfinite(value) or value < 0.0:
                if len(findings) - begun < _SHOWN:
                    fault(
                        f"column {column}",
                        cell.strip(),
                        "must be a finite number of W, not below 0",
                        "Mend it",
                        number,
                    )
                value = 0.0
            row.append(value)
        if rows and len(row) != len(rows[0]):
            fault(
                "",
                f"{len(row)} columns",
                f"must have {len(rows[0])} columns as the first row",
                "Mend it",
                number,
            )
            return None
        rows.append(row)
    if not rows:
        fault("", "", "holds no numbers", "Give a row for each line along y")
    if len(findings) > begun:
        return None
    power = np.array(rows)
    return HeatMap(np.linspace(0.0, dx, power.shape[1] + 1), np.linspace(0.0, dy, power.shape[0] + 1), power)
