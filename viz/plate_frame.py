"""A solved cold plate as the browser gets it: a texture, boxes, numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from viz.field import Lines, Texture
from viz.source import fit_frame

if TYPE_CHECKING:
    from twin.plates.view import PlateView

HEIGHT_FACTOR = 4.0  # a plate is flat; it is shown taller, and its texture is made for that
MOST_COLUMNS = 90  # across the channels in the texture
STEP_C = 5.0  # ends of the colour scale are multiples of it
LEAST_HEAT = 20.0  # W of one plate; below it a resistance is a quotient of noise


def averaged(lines: np.ndarray, field: np.ndarray, most: int = MOST_COLUMNS) -> tuple[np.ndarray, np.ndarray]:
    """Merge neighbouring columns of a plate, fins with the channels between them, until there are few enough.

    A texture that is coarser than the channels would show stripes that are not there.

    Parameters
    ----------
    lines : float64[nx + 1]
        Faces across the channels. [m]
    field : float32[nx, ny, nz]
        NaN where nothing is. [degC]
    most : int
        Columns that may be left.

    Returns
    -------
    tuple of float64[mx + 1] and float32[mx, ny, nz]
    """
    columns = field.shape[0]
    if columns <= most:
        return lines, field
    first = np.arange(0, columns, 2 * math.ceil(columns / most / 2))
    width = np.diff(lines)[:, None, None]
    known = np.isfinite(field)
    weight = np.add.reduceat(np.where(known, width, 0.0), first, axis=0)
    total = np.add.reduceat(np.where(known, field * width, 0.0), first, axis=0)
    with np.errstate(invalid="ignore"):
        merged = (total / np.where(weight > 0.0, weight, np.nan)).astype(np.float32)
    return np.append(lines[first], lines[-1]), merged


def mean_chip(view: PlateView) -> float | None:
    """Return the mean temperature of a plate's chips, weighted by power, as a loop's model knows them.

    Parameters
    ----------
    view : PlateView

    Returns
    -------
    float or None
        [degC]; None where no chip has heat.
    """
    middle = [0.5 * (lines[1:] + lines[:-1]) for lines in (view.x, view.y)]
    area = np.outer(np.diff(view.x), np.diff(view.y))
    heated = view.temperature[:, :, 0]
    total = weight = 0.0
    for box in view.boxes:
        power = view.summary["chips"][box.name]["power_w"] if box.kind == "chip" else 0.0
        across, along = (
            (line >= box.low[axis]) & (line <= box.high[axis]) for axis, line in enumerate(middle)
        )
        under = np.outer(across, along) & np.isfinite(heated)
        if power > 0.0 and under.any():
            total += power * float(np.average(heated[under], weights=area[under]))
            weight += power
    return total / weight if weight > 0.0 else None


def resistances(
    view: PlateView, inlet_c: float, heat: float, chip_c: float | None
) -> dict[str, float | None]:
    """Compare the plate with what the loop's model takes it for: mean chip over inlet, per heat.

    Parameters
    ----------
    view : PlateView
    inlet_c : float
        Of the coolant. [degC]
    heat : float
        Of the plate. [W]
    chip_c : float or None
        Mean chip of the loop's model. [degC]

    Returns
    -------
    dict
        ``mean_c`` [degC], ``mean_resistance_k_w`` of the plate, ``loop_resistance_k_w`` of one plate by the
        loop's model; None where unknown.
    """
    mean = mean_chip(view)
    by_plate, by_loop = (
        None if chip is None or heat < LEAST_HEAT else (chip - inlet_c) / heat for chip in (mean, chip_c)
    )
    return {
        "mean_c": _rounded(mean, 3),
        "mean_resistance_k_w": _rounded(by_plate, 6),
        "loop_resistance_k_w": _rounded(by_loop, 6),
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)


def plate_frame(header: dict[str, Any], view: PlateView) -> bytes:
    """Encode a plate for the browser, as the room's air is.

    Parameters
    ----------
    header : dict
        Its ``type`` becomes ``field``; gets ``shape``, ``range`` [degC], ``lo``, ``hi`` [m],
        ``height_factor``, ``boxes`` and ``numbers``.
    view : PlateView

    Returns
    -------
    bytes
    """
    lines = Lines(*(np.asarray(line, dtype=np.float64) for line in (view.x, view.y, view.z)))
    low, high = float(np.nanmin(view.temperature)), float(np.nanmax(view.temperature))
    span = (
        math.floor(low / STEP_C) * STEP_C,
        max(math.ceil(high / STEP_C), math.floor(low / STEP_C) + 1) * STEP_C,
    )
    across, shown = averaged(lines.x, view.temperature)
    texture = Texture(lines._replace(x=across, z=lines.z * HEIGHT_FACTOR), span=span)
    chips = {box.name: box for box in view.boxes if box.kind == "chip"}
    numbers = view.summary
    body = header | {
        "type": "field",
        "lo": [float(line[0]) for line in lines],
        "hi": [float(line[-1]) for line in lines],
        "height_factor": HEIGHT_FACTOR,
        "boxes": [
            {"name": box.name, "kind": box.kind, "lo": list(box.low), "hi": list(box.high),
             "highest_c": round(box.highest, 3), "limit_c": box.limit}
            for box in view.boxes
        ],
        "numbers": {
            "name": numbers["name"],
            "model": numbers["model"],
            "cells": numbers["cells"],
            "coolant": numbers["coolant"],
            "hottest": max(chips, key=lambda name: chips[name].highest, default=None),
            "hottest_c": round(max((box.highest for box in chips.values()), default=high), 3),
            "coolant_rise_k": round(float(numbers["coolant_rise_k"]), 3),
            "pressure_drop_pa": round(float(numbers["pressure_drop_pa"]), 1),
            "thermal_resistance_k_w": _rounded(numbers["thermal_resistance_k_w"], 6),
            "warnings": [str(text) for text in numbers["warnings"]],
            "wall_s": round(float(numbers["wall_s"]), 3),
        },
    }  # fmt: skip
    return fit_frame(body, texture, shown)
