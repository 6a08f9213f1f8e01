"""Solve the cold plate of a file, steady or over time, and put its numbers together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from solvers.coldplate.channel_flow import Duct, Heated
from solvers.coldplate.manifold import Manifold
from solvers.coldplate.plate import Plate, Sheet
from solvers.coldplate.plate_solve import Coolant, Solution, face, march_plate, solve_plate
from solvers.coldplate.resolution import resolution_of
from solvers.coldplate.solve import Moment
from solvers.coldplate.system import Array, Balance, outlet_excess
from solvers.coldplate.wetted import bulk_temperature, wetted_temperatures
from solvers.errors import CaseError, SolverError
from twin.errors import Finding, InputError, NotConvergedError
from twin.plates.compact import compact_warning, smeared_chips
from twin.plates.fields import PlateFields, stack_fields
from twin.plates.spec import Chip
from twin.plates.spec_reader import PlateCase
from twin.units import celsius

_INSULATOR = 1.0  # W/(m K); a lid below it takes no heat from the channels
FLOW_TEXT = {
    "two_resistor": "by correlation, channels spread over their area, fins exact",
    "four_resistor": "by correlation, one film for each channel and plane",
    "correlation": "by correlation, one film for each channel and plane; solids resolved",
    "resolved": "resolved: laminar profile from Poisson's equation, the coolant's energy cell by cell",
}
"""How each model treats the flow in channels."""


class Series(NamedTuple):
    """What happened over time.

    Attributes
    ----------
    probes : dict    Name -> times [s] and temperatures [K], from the start at 0 s on.
    highest : float    Of the heated face, the start among it. [K]
    wetted : tuple of float    Lowest and highest of what the coolant wets. [K]
    theta : float64[ny, nx, nz]    Excess at the end. [K]
    account : Balance    Of heat since the start. [J]
    steps : int
    """

    probes: dict[str, list[list[float]]]
    highest: float
    wetted: tuple[float, float]
    theta: Array
    account: Balance
    steps: int


def plate_of(case: PlateCase) -> Plate:
    """Return the plate that the solver gets.

    Parameters
    ----------
    case : PlateCase

    Returns
    -------
    Plate
    """
    spec = case.spec
    body, channels, ambient = spec.plate, spec.channels, spec.ambient

    def sheet(material: str, thickness: float) -> Sheet:
        solid = case.solids[material]
        return Sheet(thickness, solid.conductivity, solid.heat_capacity)

    lid = sheet(body.lid_material or body.material, body.lid)
    heated: Heated = channels.heated_walls or ("three" if lid.conductivity < _INSULATOR else "four")
    packed = bool(spec.package)
    return Plate(
        width=body.width,
        length=body.length,
        duct=Duct(
            channels.width, channels.height, body.length, channels.roughness, channels.end_loss,
            heated, channels.entrance,
        ),
        channels=case.channels,
        wall=channels.between,
        base=sheet(body.material, body.base),
        fin=sheet(body.material, channels.height),
        lid=lid,
        package=tuple(sheet(layer.material, layer.thickness) for layer in spec.package),
        chips=np.array([[*chip.position, *chip.size] for chip in spec.chips] if packed else np.zeros((0, 4))),
        below=(ambient.below, ambient.temperature) if ambient and ambient.below > 0.0 else None,
        above=(ambient.above, ambient.temperature) if ambient and ambient.above > 0.0 else None,
    )  # fmt: skip


def solve_case(case: PlateCase, model: str | None = None, cells: int | None = None) -> Solution:
    """Solve the steady plate.

    Parameters
    ----------
    case : PlateCase
    model : str, optional    Instead of the file's.
    cells : int, optional    At most, about; instead of the file's.

    Returns
    -------
    Solution

    Raises
    ------
    InputError : the coolant would freeze, boil or burn in a channel, or the model does not fit the flow.
    NotConvergedError : the solver gave no answer.
    """
    spec = case.spec
    plate = plate_of(case)
    coolant = Coolant(case.fluid, case.mass_flow, spec.coolant.inlet_temperature)
    headers = spec.manifold
    manifold = None
    if headers is not None:
        manifold = Manifold(headers.arrangement, headers.width, headers.height, plate.pitch, headers.recovery)
    most = cells or spec.solver.cells
    try:
        resolution = resolution_of(plate, model or spec.solver.model, most, case.maps)
    except CaseError as error:
        where, what = ("--cells", "cells") if cells else (str(case.path), "solver.cells")
        rule, _, remedy = str(error).partition(". ")
        raise InputError([Finding(where, "cells", what, str(most), rule, remedy.rstrip("."))]) from error
    try:
        solution = solve_plate(plate, coolant, case.maps, resolution, manifold)
    except SolverError as error:
        raise NotConvergedError(f"{case.path}: {error}") from error
    fault = case.fluid.faults(solution.bulk)
    if fault:
        raise _too_hot(case, "coolant.flow", "", fault)
    return solution


def _too_hot(case: PlateCase, field: str, when: str, fault: str) -> InputError:
    where, _, rule = fault.partition(": ")
    remedy = "Let more flow, or change the channels"
    if when:
        remedy = "Let more flow, or release less heat"
    return InputError([Finding(str(case.path), "coolant", field, when + where, rule, remedy)])


def march_case(
    case: PlateCase, solution: Solution, progress: Callable[[float], None] | None = None
) -> Series:
    """Step the plate of a file through its transient.

    Parameters
    ----------
    case : PlateCase
    solution : Solution    Steady, with all of the heat.
    progress : callable, optional    Gets the share that is done.

    Returns
    -------
    Series

    Raises
    ------
    InputError : there is no transient, or the coolant would freeze, boil or burn in a channel.
    NotConvergedError : the solver gave no answer.
    """
    asked = case.spec.transient
    if asked is None:
        raise InputError(f"{case.path}: transient: is missing. Add it to step through time.")
    steps = max(round(asked.duration / asked.step), 1)
    times, shares = np.array(asked.powers).T
    # a share holds from its time on; a step takes that of its middle
    middles = (np.arange(steps) + 0.5) * asked.step
    factors = shares[np.searchsorted(times, middles, side="right") - 1]
    names = [*(probe.id for probe in case.spec.probes), *(chip.id for chip in case.spec.chips)]
    probes: dict[str, list[list[float]]] = {name: [] for name in names}
    highest = -np.inf
    account = Balance(0.0, 0.0, 0.0, 0.0)
    wetted = (np.inf, -np.inf)

    def take(time: float, theta: Array, factor: float) -> None:
        nonlocal highest, wetted
        fault = case.fluid.faults(bulk_temperature(solution, theta))
        if fault:
            raise _too_hot(case, "transient.powers", f"at {time:.6g} s ", fault)
        wet = wetted_temperatures(solution, theta)
        wetted = min(wetted[0], float(wet.min())), max(wetted[1], float(wet.max()))
        T = theta + solution.system.reference
        surface = face(solution.stack, factor * solution.heat[:, :, 0], T[:, :, 0])
        highest = max(highest, float(surface.max()))
        for name, value in surface_values(case, solution, surface).items():
            probes[name].append([time, value])

    def visit(moment: Moment) -> None:
        nonlocal account
        take(round(moment.time, 9), moment.theta, float(factors[moment.number - 1]))
        account = moment.account
        if progress is not None:
            progress(moment.number / steps)

    start = solution.theta if asked.start == "steady" else None
    # what is there before the first step counts, too: a plate may be hottest before its heat falls
    take(0.0, 0.0 * solution.theta if start is None else start, 0.0 if start is None else 1.0)
    try:
        theta = march_plate(solution, factors.tolist(), asked.step, visit, start)
    except SolverError as error:
        raise NotConvergedError(f"{case.path}: {error}") from error
    return Series(probes, highest, wetted, theta, account, steps)


def surface_values(case: PlateCase, solution: Solution, surface: Array) -> dict[str, float]:
    """Return temperatures at probes, and the highest under each chip.

    Parameters
    ----------
    case : PlateCase
    solution : Solution
    surface : float64[ny, nx]    Temperature of the surface that heat enters through. [K]

    Returns
    -------
    dict    Name -> temperature. [K]
    """
    lines = solution.grid.lines_x, solution.grid.lines_y
    values = {}
    for probe in case.spec.probes:
        column, plane = (
            min(max(int(np.searchsorted(line, at, side="right")) - 1, 0), line.size - 2)
            for line, at in zip(lines, probe.position, strict=True)
        )
        values[probe.id] = float(surface[plane, column])
    for chip in case.spec.chips:
        columns, planes = (
            _between(line, at, at + size)
            for line, at, size in zip(lines, chip.position, chip.size, strict=True)
        )
        values[chip.id] = float(surface[planes, columns].max())
    return values


def _between(lines: Array, low: float, high: float) -> slice:
    """Cells whose middle lies between two places; the nearest one where none does."""
    middle = 0.5 * (lines[1:] + lines[:-1])
    inside = np.flatnonzero((middle >= low) & (middle <= high))
    if inside.size == 0:
        nearest = int(np.argmin(np.abs(middle - 0.5 * (low + high))))
        return slice(nearest, nearest + 1)
    return slice(int(inside[0]), int(inside[-1]) + 1)


def plate_numbers(case: PlateCase, solution: Solution, series: Series | None = None) -> dict[str, Any]:
    """Return the numbers of a plate, ready for JSON.

    Parameters
    ----------
    case : PlateCase
    solution : Solution
    series : Series, optional

    Returns
    -------
    dict
    """
    spec = case.spec
    surface = solution.heated_face
    inlet = spec.coolant.inlet_temperature
    hottest = max(float(surface.max()), float(solution.temperature.max()))
    probes = {name: [[0.0, value]] for name, value in surface_values(case, solution, surface).items()}
    theta, account = solution.theta, solution.balance
    if series is not None:
        probes, hottest, theta, account = series.probes, series.highest, series.theta, series.account
    pumping = solution.pressure_drop * spec.coolant.flow
    model = solution.resolution.model
    supplied = solution.balance.supplied
    return {
        "name": spec.name,
        "spec": str(case.path),
        "kind": "cold plate",
        "model": model.replace("_", "-"),
        "channel_flow": FLOW_TEXT[model],
        "entrance": "thermal, from the velocity profile on"
        if model == "resolved"
        else spec.channels.entrance,
        "heated_walls": solution.plate.duct.heated,
        "steady": series is None,
        "cells": int(solution.theta.size),
        "grid": list(solution.theta.shape),
        "steps": 0 if series is None else series.steps,
        "rounds": solution.rounds,
        "probes": probes,
        "max_k": hottest,
        "coolant": case.fluid.name,
        "coolant_rise_k": outlet_excess(solution.system, theta),
        "pressure_drop_pa": solution.pressure_drop,
        "pressure_drop_of": "channels with entrance, ends and headers"
        if spec.manifold is not None
        else "channels with entrance and ends",
        "energy_relative": account.relative,
        "heat_w": supplied,
        "leaked_w": solution.balance.leaked,
        "thermal_resistance_k_w": (float(surface.max()) - inlet) / supplied if supplied > 0.0 else None,
        "pumping_power_w": pumping,
        "flow_m3_s": spec.coolant.flow,
        "mass_flow_kg_s": case.mass_flow,
        "channels": solution.plate.channels,
        "reynolds": [float(solution.reynolds.min()), float(solution.reynolds.max())],
        "film_w_m2_k": [float(solution.film.min()), float(solution.film.max())],
        "flow_spread": float(np.ptp(solution.m_flow) / solution.m_flow.mean()),
        "chips": _chips(case, probes),
        "warnings": _warnings(case, solution, series, probes),
    }


def _highest(chip: Chip, probes: dict[str, list[list[float]]]) -> float:
    return max(value for _, value in probes[chip.id])


def _chips(case: PlateCase, probes: dict[str, list[list[float]]]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for chip, item in zip(case.spec.chips, case.maps, strict=True):
        reached = _highest(chip, probes)
        body[chip.id] = {"power_w": float(item.power.sum()), "max_k": reached}
        if chip.limit is not None:
            body[chip.id] |= {"limit_k": chip.limit, "within": reached <= chip.limit}
    return body


def _warnings(
    case: PlateCase, solution: Solution, series: Series | None, probes: dict[str, list[list[float]]]
) -> list[str]:
    """Say what does not stop the answer but ought to be known."""
    found = []
    if solution.resolution.model == "two_resistor":
        found += compact_warning(solution.plate) + smeared_chips(case, solution)
    wet = wetted_temperatures(solution, solution.theta) if series is None else np.array(series.wetted)
    fault = case.fluid.faults(wet)
    if fault:
        found.append(f"walls of the channels: {fault}")
    for chip in case.spec.chips:
        reached = _highest(chip, probes)
        if chip.limit is not None and reached > chip.limit:
            found.append(
                f"chip '{chip.id}' reaches {celsius(reached):.1f} degC, above {celsius(chip.limit):g}"
            )
    return found


def plate_fields(solution: Solution, theta: Array | None = None) -> PlateFields:
    """Return the temperatures for pictures and files.

    Parameters
    ----------
    solution : Solution
    theta : float64[ny, nx, nz], optional    Excess to show; the steady one without it. [K]

    Returns
    -------
    PlateFields
    """
    T = solution.temperature if theta is None else theta + solution.system.reference
    package = len(solution.plate.package) * solution.resolution.package
    names = dict.fromkeys(range(package), "package")
    names |= dict.fromkeys(range(package, solution.channels), "base")
    names[solution.channels] = "channels"
    names |= dict.fromkeys(range(solution.channels + 1, len(solution.stack.layers)), "lid")
    return stack_fields(solution.stack, T, solution.heat, names)
