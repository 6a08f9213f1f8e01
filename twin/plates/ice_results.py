"""Numbers, fields and files of a 3D-ICE stack that was solved."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from solvers.coldplate.system import Array
from solvers.coolant.friction import apparent_f_re
from twin.plates.fields import PlateFields, stack_fields
from twin.plates.ice_model import IceModel, channel_count
from twin.plates.ice_run import Answers
from twin.plates.plate_run import FLOW_TEXT
from twin.units import ZERO_CELSIUS

WATER = 4.17e6  # J/(m3 K) near 300 K
LIKE_WATER = 0.03  # relative
_WATER_CP = 4180.0  # J/(kg K)


def ice_numbers(model: IceModel, answers: Answers) -> dict[str, Any]:
    """Return the numbers of a stack, ready for JSON.

    Parameters
    ----------
    model : IceModel
    answers : Answers

    Returns
    -------
    dict
    """
    ice, account = model.ice, answers.balance
    cavity = ice.cavity if any(element.is_channel for element in ice.elements) else None
    kind = "solid" if cavity is None else {"4rm": "4-resistor"}.get(cavity.kind, "porous 2-resistor")
    flow = "none" if cavity is None else "by the heat transfer coefficients of the file"
    if model.kind == "correlation":
        kind = "conjugate"
    elif model.kind == "resolved":
        kind, flow = "resolved", FLOW_TEXT["resolved"]
    drop, note = pressure_drop(model)
    unit = "w" if ice.steady else "j"
    return {
        "spec": str(ice.file),
        "kind": "3D-ICE stack",
        "model": kind,
        "channel_flow": flow,
        "steady": ice.steady,
        "cells": int(answers.temperature.size),
        "steps": answers.steps,
        "probes": {
            name: [[round(time, 9), value] for time, value in series]
            for name, series in answers.probes.items()
        },
        "max_k": answers.highest,
        "coolant_rise_k": answers.coolant_rise,
        "pressure_drop_pa": drop,
        "pressure_drop_of": note,
        "energy_relative": account.relative,
        f"heat_{unit}": account.supplied,
        f"coolant_{unit}": account.coolant,
        f"leaked_{unit}": account.leaked,
        f"stored_{unit}": account.stored,
    }


def pressure_drop(model: IceModel) -> tuple[float | None, str]:
    """Return the pressure drop of a cavity's channels and what it rests on.

    Parameters
    ----------
    model : IceModel

    Returns
    -------
    float or None, str    [Pa]; None where the file does not say enough: pins, or a coolant that is not water.
    """
    ice = model.ice
    cavity = ice.cavity
    if cavity is None or not any(element.is_channel for element in ice.elements):
        return None, "no coolant"
    if cavity.kind == "pinfin":
        return None, "a file with pins says nothing about friction"
    if abs(cavity.heat_capacity - WATER) > LIKE_WATER * WATER:
        return None, "the file gives no viscosity, and the heat capacity is not that of water"
    width, height = cavity.channel, cavity.height
    speed = cavity.flow / (channel_count(ice, cavity) * width * height)
    density = cavity.heat_capacity / _WATER_CP
    viscosity = water_viscosity(cavity.inlet_temperature)
    diameter = 2.0 * width * height / (width + height)
    reynolds = density * speed * diameter / viscosity
    aspect = min(width, height) / max(width, height)
    f = float(apparent_f_re(aspect, ice.width / (diameter * reynolds))) / reynolds
    return (
        2.0 * f * density * speed**2 * ice.width / diameter,
        "water at the inlet temperature, laminar, with entrance",
    )


def water_viscosity(temperature: float) -> float:
    """Dynamic viscosity of water at atmospheric pressure.

    Parameters
    ----------
    temperature : float    [K]

    Returns
    -------
    float    [Pa s]

    Validity : 265 to 423 K, within 1 %.
    Source   : Kestin, Sokolov and Wakeham 1978, J. Phys. Chem. Ref. Data 7, 941.
    Check    : tests/unit/twin/plates/test_ice.py
    """
    t = temperature - ZERO_CELSIUS
    d = 20.0 - t
    return 1.002e-3 * 10.0 ** (d / (t + 96.0) * (1.2364 - 1.37e-3 * d + 5.7e-6 * d**2))


def ice_fields(model: IceModel, answers: Answers) -> PlateFields:
    """Return the temperatures at the end, a layer of cells for each layer of the stack.

    Parameters
    ----------
    model : IceModel
    answers : Answers

    Returns
    -------
    PlateFields
    """
    heat = model.heat(model.slots() - 1, answers.temperature.shape)
    names = {number: name for name, number in model.layer.items()}
    return stack_fields(model.stack, answers.temperature, heat, names)


def write_maps(maps: dict[str, list[tuple[float, Array]]], path: Path) -> None:
    """Write Tmap and Pmap as text, as 3D-ICE does: a line of numbers for each plane along y, a blank between.

    Parameters
    ----------
    maps : dict    Name -> times [s] and float64[ny, nx].
    path : Path
    """
    with path.open("w", encoding="utf-8") as file:
        for name, series in maps.items():
            for time, values in series:
                file.write(f"% {name} at {time:.6g} s\n")
                for row in values:
                    file.write("\t".join(f"{value:.4f}" for value in row) + "\n")
                file.write("\n")


def write_probes(probes: dict[str, list[list[float]]], path: Path) -> None:
    """Write probes as a table: name, time, temperature.

    Parameters
    ----------
    probes : dict    As in `ice_numbers`.
    path : Path
    """
    with path.open("w", encoding="utf-8") as file:
        file.write("probe,time_s,temperature_k\n")
        for name, series in probes.items():
            for time, value in series:
                if math.isfinite(value):
                    file.write(f"{name},{time:.9g},{value:.6f}\n")
