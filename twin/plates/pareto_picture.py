"""Draw the designs of a sweep: thermal resistance against pumping power, and the front."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from twin.plates.picture import INK, LINE, MUTED, PAPER
from twin.plates.study import Design, Study
from twin.units import ZERO_CELSIUS

_COLOURS = ("#3b7dd8", "#2e9e6b", "#e0a100", "#8a5bd1", "#1b9aaa", "#c2571a")
_LABELS = 6  # designs of the front that get their geometry beside them


def draw_front(study: Study, name: str, path: Path) -> None:
    """Draw the designs as a PNG.

    Parameters
    ----------
    study : Study
    name : str    Of the plate.
    path : Path    Of the PNG.

    Raises
    ------
    OSError : the file cannot be written.
    """
    figure = Figure(figsize=(11.0, 7.0), facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.09, 0.1, 0.82, 0.72))
    fluids = sorted({design.fluid for design in study.designs})
    for fluid, colour in zip(fluids, _COLOURS * len(fluids), strict=False):
        here = [design for design in study.designs if design.fluid == fluid]
        axes.scatter(
            *_points(here), s=18, color=colour, alpha=0.45, linewidths=0, label=f"{fluid}, compact model"
        )
    power, resistance = _points(study.front)
    axes.plot(power, resistance, color=INK, linewidth=1.3, marker="o", markersize=4.5, label="front")
    if study.checks:
        axes.scatter(
            [check.design.pumping for check in study.checks],
            [1e3 * check.resistance for check in study.checks],
            marker="x", s=70, color="#d1383d", linewidths=1.8, zorder=4,
            label=f"checked, {study.checks[0].model}",
        )  # fmt: skip
    axes.scatter(
        *_points([study.chosen]), s=190, facecolors="none", edgecolors=INK, linewidths=1.6, label="chosen"
    )
    for at in np.unique(np.linspace(0, len(study.front) - 1, _LABELS).astype(int)):
        _label(axes, study.front[at])
    axes.set_xscale("log")
    axes.set_xlim(left=0.3 * min(power))  # room for the first label
    axes.set_xlabel("Pumping power of one plate, pressure drop times flow, W", fontsize=9.5, color=MUTED)
    axes.set_ylabel("Hottest chip over inlet per watt, K/kW", fontsize=9.5, color=MUTED)
    limit = _limit(study)
    if limit is not None:
        axes.axhline(limit[0], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.text(
            1.0, limit[0], f" {limit[1] - ZERO_CELSIUS:.0f} °C", transform=axes.get_yaxis_transform(),
            fontsize=8.5, color=MUTED, va="center",
        )  # fmt: skip
    axes.legend(frameon=False, fontsize=9)
    axes.tick_params(labelsize=9, colors=MUTED)
    axes.grid(color=LINE, linewidth=0.5, alpha=0.6)
    for spine in axes.spines.values():
        spine.set_color(LINE)
    figure.text(0.09, 0.945, name, fontsize=16, color=INK, fontweight="bold", va="center")
    chosen = study.chosen
    line = (
        f"{len(study.designs)} designs. Chosen: {chosen.text}: {1e3 * chosen.resistance:.1f} K/kW, "
        f"{chosen.highest - ZERO_CELSIUS:.1f} °C at {chosen.pressure_drop / 1e3:.2f} kPa"
    )
    figure.text(0.09, 0.89, line, fontsize=9.5, color=MUTED, va="center")
    figure.savefig(path, dpi=110, facecolor=PAPER)


def _points(designs: tuple[Design, ...] | list[Design]) -> tuple[list[float], list[float]]:
    return [d.pumping for d in designs], [1e3 * d.resistance for d in designs]


def _label(axes, design: Design) -> None:
    text = f"{1e3 * design.width:g}/{1e3 * design.wall:g} x {1e3 * design.height:g} mm"
    axes.annotate(
        text, (design.pumping, 1e3 * design.resistance), xytext=(-5, -11), textcoords="offset points",
        fontsize=7.5, color=MUTED, ha="right",
    )  # fmt: skip


def _limit(study: Study) -> tuple[float, float] | None:
    """Resistance at which the hottest chip meets its limit, and that limit; none without. [K/kW, K]."""
    chosen = study.chosen
    if not chosen.margin < np.inf:
        return None
    inlet = chosen.highest - chosen.resistance * study.heat
    limit = chosen.highest + chosen.margin
    return 1e3 * (limit - inlet) / study.heat, limit
