"""A cold plate as plain arrays for a picture in 3-D, at its file's operating point or another."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.coldplate.plate import Model, Plate, cell_count, covered
from solvers.coldplate.plate_solve import Solution
from solvers.coldplate.resolution import PLANES, ROWS, resolution_of
from solvers.errors import CaseError
from twin.errors import Finding, InputError
from twin.plates.plate_run import plate_fields, plate_numbers, plate_of, solve_case, surface_values
from twin.plates.spec_reader import PlateCase, read_plate
from twin.units import ZERO_CELSIUS

VIEW_CELLS = 150_000
"""Cells that a browser paints without effort. [-]"""
_FINEST_FIRST: tuple[Model, ...] = ("correlation", "four_resistor", "two_resistor")


@dataclass(frozen=True)
class Box:
    """A part of the plate.

    Attributes
    ----------
    name : str    A chip's id, or ``base``, ``channels``, ``lid``.
    kind : str    ``chip``, ``base``, ``channels`` or ``lid``.
    low, high : tuple of float    Corners x, y, z. [m]
    highest : float    Highest temperature in it. [degC]
    limit : float or None    Highest allowed. [degC]
    """

    name: str
    kind: str
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    highest: float
    limit: float | None = None


@dataclass(frozen=True)
class PlateView:
    """What a picture of a plate needs; x across the channels, y along the flow, z upwards from the heat.

    Attributes
    ----------
    x, y, z : float32[nx + 1], float32[ny + 1], float32[nz + 1]    Lines between cells. [m]
    temperature : float32[nx, ny, nz]    NaN beside chips, where nothing is. [degC]
    coolant : float32[nx, ny, nz]    Of the coolant; NaN where none flows. [degC]
    boxes : tuple of Box    Chips, base, channels, lid.
    summary : dict    Numbers of the plate, as ``result.json`` holds them, ready for JSON.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    z: NDArray[np.float32]
    temperature: NDArray[np.float32]
    coolant: NDArray[np.float32]
    boxes: tuple[Box, ...]
    summary: dict[str, Any]


def plate_view(
    spec: PlateCase | str | Path,
    flow: float | None = None,
    inlet_temperature: float | None = None,
    power: float | None = None,
    cells: int = VIEW_CELLS,
    model: str | None = None,
) -> PlateView:
    """Solve a plate for a picture of it.

    Parameters
    ----------
    spec : PlateCase or path    Pass the case, from `read_plate`, where views follow each other.
    flow : float, optional    Of the plate, instead of the file's. [m3/s]
    inlet_temperature : float, optional    Of the coolant, instead of the file's. [K]
    power : float, optional    Of all chips together, instead of the file's; maps keep their shape. [W]
    cells : int    At most, about.
    model : str, optional    The finest that stays within the cells, without it.

    Returns
    -------
    PlateView

    Raises
    ------
    InputError : the file or the operating point is no good, or the coolant would boil, freeze or burn.
    NotConvergedError : the solver gave no answer.

    Check : tests/unit/twin/plates/test_view.py
    """
    begun = time.perf_counter()
    case = spec if isinstance(spec, PlateCase) else read_plate(Path(spec))
    case = at_operating_point(case, flow, inlet_temperature, power)
    plate = plate_of(case)
    chosen = model or finest_model(plate, cells)
    solution = solve_case(case, chosen, cells)
    fields = plate_fields(solution)
    inside = np.ones(fields.temperature.shape, dtype=bool)
    package = len(plate.package) * solution.resolution.package
    inside[:, :, :package] = (covered(plate, solution.grid) >= 0.5)[:, :, None]
    temperature = np.where(inside, fields.temperature - ZERO_CELSIUS, np.nan)
    summary = plate_numbers(case, solution)
    return PlateView(
        *(lines.astype(np.float32) for lines in (fields.x, fields.y, fields.z)),
        temperature=_columns_first(temperature),
        coolant=_columns_first(fields.coolant - ZERO_CELSIUS),
        boxes=_boxes(case, plate, solution),
        summary={**summary, "wall_s": time.perf_counter() - begun},
    )


def finest_model(plate: Plate, cells: int) -> Model:
    """Return the finest model with films that stays within a number of cells.

    Parameters
    ----------
    plate : Plate
    cells : int

    Returns
    -------
    str
    """
    for model in _FINEST_FIRST[:-1]:
        try:
            made = resolution_of(plate, model, cells)
        except CaseError:
            continue
        few = made.planes < PLANES or (model == "correlation" and made.rows < ROWS)
        if not few and cell_count(plate, made) <= cells:
            return model
    return _FINEST_FIRST[-1]


def at_operating_point(
    case: PlateCase,
    flow: float | None = None,
    inlet_temperature: float | None = None,
    power: float | None = None,
) -> PlateCase:
    """Return a case with another flow, inlet temperature and total power.

    Parameters
    ----------
    case : PlateCase
    flow : float, optional    Of the plate. [m3/s]
    inlet_temperature : float, optional    [K]
    power : float, optional    Of all chips together. [W]

    Returns
    -------
    PlateCase

    Raises
    ------
    InputError : with every value that is no good.
    """
    coolant = case.spec.coolant
    findings: list[Finding] = []

    def fault(field: str, value: str, rule: str, remedy: str) -> None:
        findings.append(Finding(str(case.path), "operating point", field, value, rule, remedy))

    if flow is not None and not (math.isfinite(flow) and flow > 0.0):
        fault("flow", f"{flow:g} m3/s", "must be finite and above 0", "Without flow no plate is steady")
    if power is not None and not (math.isfinite(power) and power >= 0.0):
        fault("power", f"{power:g} W", "must be finite and not below 0", "Give the heat of all chips")
    elif power is not None and power > 0.0 and case.heat <= 0.0:
        fault("power", f"{power:g} W", "cannot be shared: the file's chips have no heat", "Give them some")
    inlet = coolant.inlet_temperature if inlet_temperature is None else inlet_temperature
    broken = case.fluid.faults(inlet) if math.isfinite(inlet) else ": is no temperature"
    if broken:
        fault(
            "inlet_temperature",
            f"{inlet - ZERO_CELSIUS:g} degC",
            broken.partition(": ")[2],
            f"Take another temperature or fluid than {case.fluid.name}",
        )
    if findings:
        raise InputError(findings)
    changes = {"inlet_temperature": inlet, "flow": coolant.flow if flow is None else flow}
    spec = case.spec.model_copy(update={"coolant": coolant.model_copy(update=changes)})
    maps = case.maps
    if power is not None and case.heat > 0.0:
        maps = tuple(item._replace(power=item.power * (power / case.heat)) for item in maps)
    return replace(case, spec=spec, maps=maps)


def _columns_first(values: NDArray) -> NDArray[np.float32]:
    return np.ascontiguousarray(values.transpose(1, 0, 2), dtype=np.float32)


def _boxes(case: PlateCase, plate: Plate, solution: Solution) -> tuple[Box, ...]:
    """Chips below, then the plate's own layers from below."""
    chips = surface_values(case, solution, solution.heated_face)
    top = sum(sheet.thickness for sheet in plate.package)
    boxes = [
        Box(
            chip.id,
            "chip",
            (*chip.position, 0.0),
            (chip.position[0] + chip.size[0], chip.position[1] + chip.size[1], top),
            chips[chip.id] - ZERO_CELSIUS,
            None if chip.limit is None else chip.limit - ZERO_CELSIUS,
        )
        for chip in case.spec.chips
    ]
    first, at = solution.stack.first, solution.channels
    edges = len(plate.package) * solution.resolution.package, first[at], first[at + 1], first[-1]
    for number, (name, sheet) in enumerate(
        (("base", plate.base), ("channels", plate.fin), ("lid", plate.lid))
    ):
        part = solution.temperature[:, :, edges[number] : edges[number + 1]]
        high = (plate.width, plate.length, top + sheet.thickness)
        boxes.append(Box(name, name, (0.0, 0.0, top), high, float(part.max()) - ZERO_CELSIUS))
        top += sheet.thickness
    return tuple(boxes)
