"""Compare designs of a cold plate: resistance against pumping power, the front, and what to build."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from solvers.coldplate.channel_flow import LAMINAR
from twin.errors import Finding, InputError, NotConvergedError
from twin.plates.compact import AGREED, compact_warning, outside_compact
from twin.plates.plate_run import plate_of, solve_case, surface_values
from twin.plates.spec import Sweep
from twin.plates.spec_reader import PlateCase
from twin.plates.variants import cannot_be_made, kept, variant, variants

logger = logging.getLogger(__name__)

_CHECK_CELLS = 1_500_000  # of a design that is solved finely
_CHOICES = 6  # designs that are chosen, checked and found wanting, at most


@dataclass(frozen=True)
class Design:
    """A geometry with its coolant, and what it reaches.

    Attributes
    ----------
    width, height, wall : float    Of channels and walls. [m]
    flow : float    Of the plate. [m3/s]
    fluid : str
    channels : int
    resistance : float    Hottest chip over the inlet, per watt of the plate. [K/W]
    highest : float    Hottest chip. [K]
    pressure_drop : float    [Pa]
    pumping : float    Pressure drop times flow. [W]
    coolant_rise : float    [K]
    reynolds : float    Highest of all channels. [-]
    margin : float    Least distance of a chip to its limit; inf without limits. [K]
    """

    width: float
    height: float
    wall: float
    flow: float
    fluid: str
    channels: int
    resistance: float
    highest: float
    pressure_drop: float
    pumping: float
    coolant_rise: float
    reynolds: float
    margin: float

    def of(self, case: PlateCase) -> PlateCase:
        """Return a case with this design."""
        return variant(case, self.width, self.height, self.wall, self.flow, self.fluid)

    @property
    def text(self) -> str:
        """Say it in a line."""
        return (
            f"{self.channels} channels of {1e3 * self.width:g} x {1e3 * self.height:g} mm, walls of "
            f"{1e3 * self.wall:g} mm, {self.fluid} at {6e4 * self.flow:.3g} l/min"
        )


@dataclass(frozen=True)
class Check:
    """A design of the front, solved finely.

    Attributes
    ----------
    design : Design    By the compact model.
    model : str    That it was checked with.
    fine : Design    The same by that model.
    cells : int
    """

    design: Design
    model: str
    fine: Design
    cells: int

    @property
    def resistance(self) -> float:
        """By the finer model. [K/W]."""
        return self.fine.resistance

    @property
    def difference(self) -> float:
        """Compact over fine, less 1. [-]."""
        return self.design.resistance / self.resistance - 1.0


@dataclass(frozen=True)
class Study:
    """All designs of a sweep.

    Attributes
    ----------
    designs : tuple of Design    That can be made and keep the pressure limit.
    front : tuple of Design    Those that no other beats in both, by rising pumping power.
    checks : tuple of Check
    chosen : Design
        Least pumping power among those within all limits; else least resistance. By the finer model where
        that differs by more than 3.5 % or breaks a limit; its numbers here are the compact model's.
    skipped : dict    Reason -> number of designs that were left out.
    heat : float    Of a plate. [W]
    kept : dict    What the lists do not say, as all designs have it.
    warnings : tuple of str    What ought to be known of the comparison.
    """

    designs: tuple[Design, ...]
    front: tuple[Design, ...]
    checks: tuple[Check, ...]
    chosen: Design
    skipped: dict[str, int]
    heat: float
    kept: dict[str, str]
    warnings: tuple[str, ...] = ()

    @property
    def best(self) -> Design:
        """The chosen design, by the finer model where it was checked."""
        return next((check.fine for check in self.checks if check.design == self.chosen), self.chosen)

    def as_json(self, plates: int) -> dict[str, Any]:
        """Return the numbers of the study, ready for JSON.

        Parameters
        ----------
        plates : int    In parallel, for totals.

        Returns
        -------
        dict
        """
        return {
            "designs": len(self.designs),
            "skipped": self.skipped,
            "kept": self.kept,
            "front": [_plain(design) for design in self.front],
            "checks": [
                {
                    "design": _plain(check.design),
                    "model": check.model,
                    "cells": check.cells,
                    "resistance_k_w": check.resistance,
                    "highest_k": check.fine.highest,
                    "margin_k": _plain(check.fine)["margin_k"],
                    "difference": check.difference,
                }
                for check in self.checks
            ],
            "chosen": _plain(self.chosen),
            "chosen_text": self.chosen.text,
            "chosen_fine": _plain(self.best) if self.best is not self.chosen else None,
            "warnings": list(self.warnings),
            "plates": plates,
            "total_heat_w": self.heat * plates,
            "total_flow_m3_s": self.chosen.flow * plates,
            "total_pumping_w": self.chosen.pumping * plates,
        }


def compare(case: PlateCase, progress: Callable[[float], None] | None = None) -> Study:
    """Solve all designs of a file's sweep with the compact model, and some of the front finely.

    Parameters
    ----------
    case : PlateCase
    progress : callable, optional    Gets the share that is done.

    Returns
    -------
    Study

    Raises
    ------
    InputError : the file has no sweep, its chips no heat, or none of its designs can be built.
    NotConvergedError : a check gave no answer.
    """
    asked = case.spec.sweep
    if asked is None:
        rule, remedy = "is missing", "Add it: width, height, wall, flow, each a list"
        raise InputError([Finding(str(case.path), "sweep", "sweep", "", rule, remedy)])
    if not case.heat > 0.0:
        rule, remedy = "designs cannot be compared: no chip has heat", "Give the chips power"
        raise InputError([Finding(str(case.path), "sweep", "chips", "0 W", rule, remedy)])
    cases = variants(case)
    share = 0.5 / len(cases) if asked.checks else 1.0 / len(cases)
    skipped: dict[str, int] = {}
    designs: list[Design] = []
    for number, item in enumerate(cases, 1):
        made = _judge(item, asked)
        if isinstance(made, Design):
            designs.append(made)
        else:
            skipped[made] = skipped.get(made, 0) + 1
        if progress is not None:
            progress(number * share)
    if not designs:
        told = ", ".join(f"{count}: {reason}" for reason, count in skipped.items())
        rule, remedy = f"no design is left ({told})", "Widen the lists or the limits"
        raise InputError([Finding(str(case.path), "sweep", "sweep", "", rule, remedy)])
    front = pareto(designs)
    chosen = choose(designs, asked.margin)
    picks = _spread(front, chosen, asked.checks)
    checks: list[Check] = []
    for number, design in enumerate(picks, 1):
        checks.append(_check(design.of(case), design))
        if progress is not None:
            progress(0.5 + 0.5 * number / len(picks))
    warnings = _outside(case, designs)
    if checks:
        first, chosen = chosen, _choose_again(case, designs, checks, asked.margin)
        if chosen != first:
            text = f"{first.text} was chosen by the compact model, but not by the finer one"
            warnings.append(text)
    checks.sort(key=lambda check: check.design != chosen)
    return Study(
        tuple(designs), front, tuple(checks), chosen, skipped, case.heat, kept(case),
        (*warnings, *compact_warning(plate_of(chosen.of(case)))),
    )  # fmt: skip


def _outside(case: PlateCase, designs: list[Design]) -> list[str]:
    """Count the designs that the compact model was not checked for."""
    count = sum(bool(outside_compact(plate_of(design.of(case)))) for design in designs)
    if count == 0:
        return []
    return [
        f"{count} of {len(designs)} designs are outside the checked range of the compact model (base at "
        "least a third of the pitch, 20 channels or more): their resistance may be 10 % too low"
    ]


def _choose_again(case: PlateCase, designs: list[Design], checks: list[Check], margin: float) -> Design:
    """Choose by the finer model where that differs too much; checks gets what is checked for it.

    Designs that are not checked are corrected by the difference of the last one that was chosen.
    """
    chosen = checks[0].design
    for _ in range(_CHOICES):
        check = next((item for item in checks if item.design == chosen), None)
        if check is None:
            check = _check(chosen.of(case), chosen)
            checks.append(check)
        broken = check.fine.margin < margin <= chosen.margin
        if chosen == checks[0].design and abs(check.difference) <= AGREED and not broken:
            return chosen
        fine = {item.design: item.fine for item in checks}
        inlet = case.spec.coolant.inlet_temperature
        judged = [fine.get(item) or _corrected(item, check, inlet) for item in designs]
        best = designs[judged.index(choose(judged, margin))]
        if best == chosen:
            return chosen
        chosen = best
    reached = [check.fine for check in checks]
    return checks[reached.index(choose(reached, margin))].design


def _corrected(design: Design, check: Check, inlet: float) -> Design:
    """Take a design's rise to differ from the finer model's as that of a checked one."""
    more = (check.resistance / check.design.resistance - 1.0) * (design.highest - inlet)
    ratio = check.resistance / check.design.resistance
    return replace(
        design,
        resistance=ratio * design.resistance,
        highest=design.highest + more,
        margin=design.margin - more,
    )


def _judge(case: PlateCase, asked: Sweep) -> Design | str:
    """Solve a design, or say why it is left out."""
    reason = cannot_be_made(case, asked.aspect_limit)
    if reason:
        return reason
    try:
        design, _ = _solve(case, "two_resistor")
    except InputError as error:
        logger.info("%s", error)
        return "coolant too hot"
    except NotConvergedError as error:
        logger.info("%s", error)
        return "headers too narrow"
    if asked.pressure_limit is not None and design.pressure_drop > asked.pressure_limit:
        return "pressure drop above the limit"
    outlet = case.spec.coolant.inlet_temperature + design.coolant_rise
    if asked.outlet_limit is not None and outlet > asked.outlet_limit:
        return "coolant leaves above the limit"
    return design


def pareto(designs: list[Design]) -> tuple[Design, ...]:
    """Return the designs that no other beats in resistance and in pumping power.

    Parameters
    ----------
    designs : list of Design

    Returns
    -------
    tuple of Design    By rising pumping power.
    """
    front: list[Design] = []
    for design in sorted(designs, key=lambda d: (d.pumping, d.resistance)):
        if not front or design.resistance < front[-1].resistance:
            front.append(design)
    return tuple(front)


def choose(designs: list[Design], margin: float = 0.0) -> Design:
    """Return the design of least pumping power that keeps every limit; without any, that of least resistance.

    Parameters
    ----------
    designs : list of Design
    margin : float    That chips keep to their limits, at least. [K]

    Returns
    -------
    Design
    """
    good = [design for design in designs if margin <= design.margin < math.inf]
    if good:
        return min(good, key=lambda design: (design.pumping, design.resistance))
    return min(designs, key=lambda design: design.resistance)


def write_designs(study: Study, path: Path) -> None:
    """Write all designs as a table.

    Parameters
    ----------
    study : Study
    path : Path
    """
    rows = [_plain(design) | {"on_front": design in study.front} for design in study.designs]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _plain(design: Design) -> dict[str, Any]:
    body = asdict(design)
    body["margin"] = None if math.isinf(design.margin) else design.margin
    units = {
        "width": "m", "height": "m", "wall": "m", "flow": "m3_s", "resistance": "k_w", "highest": "k",
        "pressure_drop": "pa", "pumping": "w", "coolant_rise": "k", "margin": "k",
    }  # fmt: skip
    return {f"{key}_{units[key]}" if key in units else key: value for key, value in body.items()}


def _solve(case: PlateCase, model: str, cells: int | None = None) -> tuple[Design, int]:
    """Solve a design; also says how many cells it took."""
    solution = solve_case(case, model, cells)
    spec, channels = case.spec, case.spec.channels
    chips = surface_values(case, solution, solution.heated_face)
    highest = max(chips[chip.id] for chip in spec.chips)
    margins = [chip.limit - chips[chip.id] for chip in spec.chips if chip.limit is not None]
    design = Design(
        width=channels.width,
        height=channels.height,
        wall=channels.between,
        flow=spec.coolant.flow,
        fluid=spec.coolant.fluid,
        channels=case.channels,
        resistance=(highest - spec.coolant.inlet_temperature) / case.heat,
        highest=highest,
        pressure_drop=solution.pressure_drop,
        pumping=solution.pressure_drop * spec.coolant.flow,
        coolant_rise=float(solution.balance.coolant / abs(solution.system.rate).sum()),
        reynolds=float(solution.reynolds.max()),
        margin=min(margins, default=math.inf),
    )
    return design, int(solution.theta.size)


def _check(case: PlateCase, design: Design) -> Check:
    model = "resolved" if design.reynolds <= LAMINAR else "correlation"
    fine, cells = _solve(case, model, _CHECK_CELLS)
    return Check(design, model, fine, cells)


def _spread(front: tuple[Design, ...], chosen: Design, count: int) -> list[Design]:
    """Take the chosen design and others evenly along the front."""
    if count == 0:
        return []
    others = [design for design in front if design != chosen]
    picks = min(count - 1, len(others))
    at = [round((n + 0.5) * len(others) / picks - 0.5) for n in range(picks)] if picks else []
    return [chosen, *(others[n] for n in sorted(set(at)))]
