"""Solve the steady room of a layout and keep the answer as a folder: layout, numbers, fields, picture."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numba
import numpy as np
from ruamel.yaml import YAML

from solvers.airflow.case import AirState, SteadyProgress, SteadyResult, UnitInputs
from solvers.airflow.model import (
    AirModel,
    prepare,
    solve_steady,
    unit_inlet_temperature,
    unit_inlet_temperature_max,
)
from solvers.errors import CaseError, ConvergenceError
from twin import __version__
from twin.errors import Finding, InputError, NotConvergedError, OutsideError, Severity
from twin.model.catalog import band
from twin.model.check import check_layout
from twin.model.load import load_layout
from twin.model.operating import Operating, cooling_power
from twin.model.scene import Scene, build_scene
from twin.model.schema import Layout
from twin.planning.fields import write_fields
from twin.planning.metrics import SlotAir, mixed, rci_hi, rci_lo, rti, shi
from twin.planning.picture import draw_picture
from twin.racklet.cooling import rotor_power
from twin.units import ZERO_CELSIUS

MASS_LIMIT = 1e-6
"""Net outflow summed over the cells, over the supply flow, above which a result does not close. [1]"""
ENERGY_LIMIT = 1e-3
"""Heat given less heat taken, over heat given, above which a result does not close. [1]"""
INLET_TOLERANCE = 0.3
"""Largest change of a slot's inlet between adjacent windows of a settled room. [K]"""
RESULT_FILES = ("layout.yaml", "result.json", "fields.vtr", "picture.png")
"""What a result folder holds, and all it may hold to be replaced."""
TEMPERATURE_VALIDITY = 50.0
"""Distance from the reference temperature up to which air of constant density but for its weight is a fair
model: the density has changed by 15 % there. [K]"""
_ROUNDS = 3
_CURVE_ROUNDS = 8
_CURVE_CLOSED = 0.01

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SolveProgress:
    """How far a solve is.

    Attributes
    ----------
    fraction : float          Estimated share of the work that is done, 0 to 1. [1]
    step, cells : int         Steps so far; cells of the grid in work.
    time : float              Simulated time. [s]
    drift : float             Largest change of an inlet between adjacent windows, inf at first. [K]
    energy_relative : float   Heat given less taken over heat given, inf at first. [1]
    """

    fraction: float
    step: int
    cells: int
    time: float
    drift: float
    energy_relative: float


@dataclass(frozen=True)
class SolveResult:
    """A settled room.

    Attributes
    ----------
    scene : Scene
    state : AirState         Mean of the settled flow.
    summary : dict           What ``result.json`` holds.
    folder : Path or None    Where it was written.
    """

    scene: Scene
    state: AirState
    summary: dict[str, Any]
    folder: Path | None

    def as_json(self) -> dict[str, Any]:
        """Return the numbers of the result, ready for JSON."""
        return self.summary


def solve(
    layout: str | Path | Layout,
    cell: float | None = None,
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    threads: int | None = None,
    progress: Callable[[SolveProgress], None] | None = None,
    seed: int = 0,
    *,
    write: bool = True,
) -> SolveResult:
    """Solve the steady room of a layout at its nominal load.

    Parameters
    ----------
    layout : path or Layout
        A layout file, or a layout made in Python.
    cell : float, optional
        Target cell size; the layout's without it. [m]
    overrides : sequence of str
        ``path=value`` changes to a layout file.
    out : path, optional
        Result folder, replaced if it holds a result and nothing else; without it ``results/NAME``, and
        ``results/NAME-xxxxxx`` for each combination of overrides and cell size.
    threads : int, optional
        Threads of the solver; all without it.
    progress : callable, optional
        Called with a SolveProgress about every 20 steps.
    seed : int
        Kept in the result; the solver itself draws no random numbers.
    write : bool
        False keeps the result in memory only.

    Returns
    -------
    SolveResult

    Raises
    ------
    InputError : the layout, the cell size or the folder is no good.
    NotConvergedError : the flow did not settle, or its balances do not close; nothing is written.
    OutsideError : the folder cannot be written.
    """
    started = time.perf_counter()
    if isinstance(layout, Layout):
        if overrides:
            raise InputError("overrides change layout files; change a Layout in Python with model_copy.")
        source, loaded = "", layout
        findings = check_layout(loaded, loaded.name)
        if any(finding.severity is Severity.ERROR for finding in findings):
            raise InputError(findings)
        for finding in findings:
            logger.warning("%s", finding)
    else:
        source, loaded = str(layout), load_layout(layout, overrides)
    folder = None
    if write:
        folder = _usable_folder(_default_folder(source, overrides, cell) if out is None else Path(out))
    if threads is not None:
        numba.set_num_threads(max(1, min(threads, numba.config.NUMBA_NUM_THREADS)))  # type: ignore[attr-defined]

    scene = build_scene(loaded, cell)
    if not scene.unit_names:
        fault = "nothing moves the air: there is neither rack nor cooler"
        raise InputError([Finding(source or loaded.name, "layout", "racks", "", fault, "Add one of them")])
    operating = Operating.nominal(loaded)
    model, inputs, result = _settle(scene, operating, progress)
    summary = {
        "layout": loaded.name,
        "file": source,
        "overrides": list(overrides),
        "version": __version__,
        "seed": seed,
        "cells": scene.cells,
        "cell_m": loaded.air.cell if cell is None else cell,
        "grid": list(scene.case.grid.shape),
        "wall_s": round(time.perf_counter() - started, 3),
        "steps": result.steps,
        "simulated_s": result.state.time,
        **_numbers(scene, model, operating, inputs, result),
        "warnings": [str(finding) for finding in (*scene.findings, *_too_hot(scene, result.state))],
    }
    if folder is not None:
        _write_folder(folder, scene, result.state, summary)
        logger.info("result in %s", folder)
    return SolveResult(scene, result.state, summary, folder)


def _default_folder(source: str, overrides: Sequence[str], cell: float | None) -> Path:
    """Return ``results/NAME``; a what-if gets a folder of its own beside it."""
    name = Path(source).stem or "layout"
    if overrides or cell is not None:
        name += "-" + hashlib.sha256(repr((*overrides, cell)).encode()).hexdigest()[:6]
    return Path("results") / name


def _settle(
    scene: Scene, operating: Operating, progress: Callable[[SolveProgress], None] | None
) -> tuple[AirModel, UnitInputs, SteadyResult]:
    """Solve, and where servers have fan curves solve again until flows and inlet temperatures agree."""

    def report(now: SteadyProgress) -> None:
        if progress is not None:
            progress(
                SolveProgress(
                    now.fraction, now.step, now.cells, now.time, now.inlet_drift, now.energy_closure
                )
            )

    try:
        model = prepare(scene.case, scene.closure, scene.layout.air.reference_temperature)
        inputs = scene.unit_inputs(operating)
        result = _march(model, inputs, None, report)
        for rounds in count():
            T_inlet = unit_inlet_temperature(model, result.state)
            wanted = scene.unit_inputs(operating, T_inlet=T_inlet)
            change = float(np.max(np.abs(wanted.V_flow - inputs.V_flow) / np.maximum(wanted.V_flow, 1e-9)))
            if change <= _CURVE_CLOSED:
                break
            if rounds == _CURVE_ROUNDS:
                raise NotConvergedError(
                    f"{scene.layout.name}: server fans and inlet temperatures do not agree after "
                    f"{_CURVE_ROUNDS} rounds. Flatten the fan curves, or give the coolers more air."
                )
            inputs = wanted._replace(V_flow=0.5 * (wanted.V_flow + inputs.V_flow))
            result = _march(model, inputs, result.state, report)
    except CaseError as error:
        raise InputError(f"{scene.layout.name}: {error}") from error
    except ConvergenceError as error:
        raise NotConvergedError(f"{scene.layout.name}: {error}") from error
    _check_closed(scene.layout.name, result)
    return model, inputs, result


def _march(
    model: AirModel, inputs: UnitInputs, state: AirState | None, report: Callable[[SteadyProgress], None]
) -> SteadyResult:
    """Settle; where a round ends unsettled, go on from where it stood, a few times."""
    result = solve_steady(model, inputs, state, tolerance=INLET_TOLERANCE, progress=report)
    for _ in range(_ROUNDS):
        if result.converged:
            break
        again = solve_steady(model, inputs, result.state, tolerance=INLET_TOLERANCE, progress=report)
        result = again._replace(steps=result.steps + again.steps, wall_s=result.wall_s + again.wall_s)
    return result


def _check_closed(name: str, result: SteadyResult) -> None:
    closed = result.balances
    last = result.history[-1] if result.history else None
    if not result.converged:
        drift = math.inf if last is None else last.inlet_drift
        raise NotConvergedError(
            f"{name}: the flow did not settle in {result.state.time:.0f} s of simulated time: inlets still "
            f"drift by {drift:.2f} K (asked: {INLET_TOLERANCE:g} K) and heat closes to "
            f"{closed.energy_relative:.2%} (asked: {ENERGY_LIMIT:.1%}). "
            "Check supply against rack flow, or use a coarser cell."
        )
    if not closed.mass_relative <= MASS_LIMIT or not closed.energy_relative <= ENERGY_LIMIT:
        raise NotConvergedError(
            f"{name}: balances do not close: mass {closed.mass_relative:.1e} (asked: {MASS_LIMIT:g}), "
            f"heat {closed.energy_relative:.2%} (asked: {ENERGY_LIMIT:.1%})."
        )


def _too_hot(scene: Scene, state: AirState) -> list[Finding]:
    """Say where the air is further from the reference temperature than its model is made for."""
    reference = scene.layout.air.reference_temperature
    units = dict(zip(scene.unit_names, state.T_unit.tolist(), strict=True))
    air = np.asarray(state.T, np.float64)[~scene.case.solid]
    places = {f"outlet of {name}": T for name, T in units.items()}
    places |= {"coldest air": float(air.min()), "hottest air": float(air.max())}
    place, T = max(places.items(), key=lambda item: abs(item[1] - reference))
    if abs(T - reference) <= TEMPERATURE_VALIDITY:
        return []
    return [
        Finding(
            scene.layout.name, place, "", f"{T - ZERO_CELSIUS:.0f} degC",
            f"is more than {TEMPERATURE_VALIDITY:g} K from the reference temperature of "
            f"{reference - ZERO_CELSIUS:g} degC: the numbers of this result are rough",
            "Check power against air flow, or set air.reference_temperature",
            Severity.WARNING,
        )
    ]  # fmt: skip


def _numbers(
    scene: Scene, model: AirModel, operating: Operating, inputs: UnitInputs, result: SteadyResult
) -> dict[str, Any]:
    """Gather racks, coolers, balances and metrics of a settled room."""
    T_in = unit_inlet_temperature(model, result.state) - ZERO_CELSIUS
    T_in_max = unit_inlet_temperature_max(model, result.state) - ZERO_CELSIUS
    T_out = result.state.T_unit - ZERO_CELSIUS
    V = inputs.V_flow
    layout = scene.layout
    racks: dict[str, Any] = {}
    slots: list[SlotAir] = []
    for rack in layout.racks:
        units = list(scene.rack_units[rack.id])
        hottest = float(T_in_max[units].max())
        racks[rack.id] = {
            "inlet_mean_c": mixed(T_in[units], V[units]),
            "inlet_max_c": hottest,
            "outlet_mean_c": mixed(T_out[units], V[units]),
            "swing_k": float(result.T_inlet_swing[units].max()),
            "air_flow": float(V[units].sum()),
            "power_w": operating.power(rack),
            "air_heat_w": float(inputs.Q_flow[units].sum()),
            "ashrae_class": rack.ashrae_class,
            "band": band(hottest, rack.ashrae_class).value,
        }
        slots += [SlotAir(T_in[u], T_out[u], V[u], rack.ashrae_class) for u in units]
    coolers = {
        cooler.id: {
            "supply_c": float(T_out[unit]),
            "return_c": float(T_in[unit]),
            "air_flow": float(V[unit]),
            "cooling_w": float(model.rho * model.cp * V[unit] * (T_in[unit] - T_out[unit])),
            "fan_w": rotor_power(cooler.fan_power, operating.cooler_fan(cooler), cooler.fan_speed),
        }
        for cooler, unit in ((cooler, scene.cooler_units[cooler.id]) for cooler in layout.coolers)
    }
    closed = result.balances
    return {
        "racks": racks,
        "coolers": coolers,
        "balances": {
            "mass_relative": closed.mass_relative,
            "energy_relative": closed.energy_relative,
            "heat_in_w": closed.Q_in,
            "heat_out_w": closed.Q_out,
        },
        "metrics": _metrics(scene, operating, slots, racks, coolers),
    }


def _metrics(
    scene: Scene, operating: Operating, slots: list[SlotAir], racks: dict[str, Any], coolers: dict[str, Any]
) -> dict[str, float | None]:
    """Air-management metrics and powers; None where a metric has no meaning."""
    it = sum(values["power_w"] for values in racks.values())
    layout, liquid = scene.layout, scene.liquid_heat(operating)
    taken = {name: values["cooling_w"] for name, values in coolers.items()}
    electric = cooling_power(layout.coolers, layout.racklets, operating, taken, liquid)
    metrics: dict[str, float] = {
        "total_kw": it / 1e3,
        "liquid_kw": sum(liquid.values()) / 1e3,
        "air_kw": sum(values["air_heat_w"] for values in racks.values()) / 1e3,
        "fan_kw": electric.cooler_fans / 1e3,
        "pump_kw": electric.pumps / 1e3,
        "air_plant_kw": electric.air_plant / 1e3,
        "liquid_plant_kw": electric.liquid_plant / 1e3,
        "cooling_electric_kw": electric.total / 1e3,
    }
    if slots:
        metrics |= {"RCI_HI": rci_hi(slots), "RCI_LO": rci_lo(slots)}
    flows = [values["air_flow"] for values in coolers.values()]
    if slots and sum(flows) > 0.0:
        supply = mixed([values["supply_c"] for values in coolers.values()], flows)
        returned = mixed([values["return_c"] for values in coolers.values()], flows)
        metrics["SHI"] = shi(slots, supply)
        metrics["RHI"] = 1.0 - metrics["SHI"]
        metrics["RTI"] = rti(slots, supply, returned)
    return {name: float(value) if math.isfinite(value) else None for name, value in metrics.items()}


# -- the folder ----------------------------------------------------------------------------------------------


def _usable_folder(folder: Path) -> Path:
    """Return the folder if a result may be put there; find out before the solve, not after it."""
    try:
        target = folder.resolve()
        if target.exists() and not target.is_dir():
            raise InputError([_folder_fault(folder, "is a file", "Give another folder")])
        held = {path.name: path for path in target.iterdir()} if target.is_dir() else {}
        strange = sorted(
            name for name, path in held.items() if name not in RESULT_FILES or not path.is_file()
        )
        if strange or (held and "result.json" not in held):
            what = ", ".join(strange[:3]) + (", ..." if len(strange) > 3 else "")
            rule = f"holds something that is no result{': ' if what else ''}{what}"
            raise InputError([_folder_fault(folder, rule, "Give an empty or new folder")])
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise OutsideError(
            f"result folder {folder}: cannot be written: {error.strerror}. Choose another."
        ) from error
    return target


def _folder_fault(folder: Path, rule: str, remedy: str) -> Finding:
    return Finding("--out", "result folder", "", str(folder), rule, remedy)


def _write_folder(target: Path, scene: Scene, state: AirState, summary: dict[str, Any]) -> None:
    """Write everything beside the target, make it durable, then put it in its place.

    That is one move where there was nothing, and two where an old result stood: it goes aside, the new one
    comes. Between the two there is none; if the second fails the old one goes back.
    """
    try:
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise OutsideError(f"result folder {target}: cannot be written: {error.strerror}.") from error
    try:
        with (draft / "layout.yaml").open("w", encoding="utf-8") as stream:
            _dump_yaml(scene.layout.model_dump(mode="json", exclude_none=True), stream)
        (draft / "result.json").write_text(
            json.dumps(summary, indent=1, allow_nan=False) + "\n", encoding="utf-8"
        )
        write_fields(scene, state, draft / "fields.vtr")
        draw_picture(scene, state, summary, draft / "picture.png")
        draft.chmod(0o755)
        for file in (*draft.iterdir(), draft):
            _sync(file)
        old = Path(f"{draft}.old")
        replaces = target.exists()
        if replaces:
            target.rename(old)
        try:
            draft.rename(target)
        except OSError:
            if replaces:
                old.rename(target)
            raise
        _sync(target.parent)
        if replaces:
            _remove_result(old)
    except OSError as error:
        raise OutsideError(
            f"result folder {target}: cannot be written: {error.strerror or error}."
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _remove_result(folder: Path) -> None:
    """Remove a result folder; what came into it since it was looked at stays, with a warning."""
    try:
        for name in RESULT_FILES:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
    except OSError as error:
        logger.warning("the old result stays in %s: %s", folder, error.strerror or error)


def _dump_yaml(data: Any, stream: Any) -> None:
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = None
    writer.sort_base_mapping_type_on_output = False  # type: ignore[attr-defined]
    writer.width = 110
    writer.dump(data, stream)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
