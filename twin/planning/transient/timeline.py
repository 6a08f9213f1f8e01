"""Draw a simulation on one page: rack inlets over time with limits and events, supply air, heat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from twin.planning.picture import INK, MUTED, PAPER
from twin.planning.transient.events import time_text
from twin.planning.transient.series import Series

NAMED = 6
"""Racks drawn in colour and by name, the hottest; the others are grey."""
_AXES = ((4 * 86400.0, "days", 86400.0), (4 * 3600.0, "h", 3600.0), (300.0, "min", 60.0))
"""From which length on the axis counts what, and how long that is. [s]"""
_WIDTH = 15.0
_LINE = 0.02  # of the figure's height, from one name beside the curves to the next
_CHARACTERS = 165  # of a line at the foot


def draw_timeline(series: Series, summary: dict[str, Any], path: Path) -> None:
    """Draw the picture of a simulation as a PNG.

    Parameters
    ----------
    series : Series
    summary : dict    What ``result.json`` holds.
    path : Path

    Raises
    ------
    OSError : the file cannot be written.
    """
    figure = Figure(figsize=(_WIDTH, 9.6), facecolor=PAPER)
    FigureCanvasAgg(figure)
    unit, length = _axis(float(series.of("time")[-1]))
    time = series.of("time") / length
    chips = None
    if summary["chips"]:
        chips = figure.add_axes((0.055, 0.64, 0.83, 0.23))
        inlets = figure.add_axes((0.055, 0.385, 0.83, 0.185))
        _chips(chips, time, series, summary)
    else:
        inlets = figure.add_axes((0.055, 0.40, 0.83, 0.47))
    supply = figure.add_axes((0.055, 0.085, 0.375, 0.235))
    heat = figure.add_axes((0.51, 0.085, 0.375, 0.235))
    _inlets(inlets, time, series, summary)
    _supply(supply, time, series, summary)
    _heat(heat, time, series, summary)
    for axes in (chips, inlets, supply, heat):
        if axes is None:
            continue
        axes.set_xlim(time[0], time[-1] if time[-1] > time[0] else time[0] + 1.0)
        axes.set_xlabel(f"Time, {unit}", fontsize=8.5, color=MUTED, labelpad=2)
        for spine in axes.spines.values():
            spine.set_color("#c9d1d9")
        axes.tick_params(labelsize=8.5, colors=MUTED, length=2.5)
        axes.grid(axis="y", color="#e6eaee", linewidth=0.7)
        axes.set_axisbelow(True)
    _events(inlets if chips is None else chips, summary, length)
    _header(figure, summary)
    figure.savefig(path, dpi=110, facecolor=PAPER)


def _axis(duration: float) -> tuple[str, float]:
    """Return the unit of the time axis and its length. [s]."""
    return next(((unit, length) for most, unit, length in _AXES if duration > most), ("s", 1.0))


def _inlets(axes: Axes, time: np.ndarray, series: Series, summary: dict[str, Any]) -> None:
    racks = summary["racks"]
    axes.set_title("Rack inlets, hottest point of each", loc="left", fontsize=10.5, color=INK, pad=18)
    axes.set_ylabel("°C", fontsize=8.5, color=MUTED)
    if not racks:
        return
    order = sorted(racks, key=lambda name: -racks[name]["inlet_peak_c"])
    colours = colormaps["turbo"](np.linspace(0.95, 0.12, max(min(NAMED, len(order)), 2)))
    curves = {name: series.of(f"{name}.inlet_temperature.max") for name in order}
    for name in order[NAMED:]:
        axes.plot(time, curves[name], color="#b8c2cc", linewidth=0.9, zorder=2)
    labels = []
    for name, colour in zip(order[:NAMED], colours, strict=False):
        axes.plot(time, curves[name], color=colour, linewidth=1.7, zorder=3)
        labels.append((float(curves[name][-1]), name, colour))
    low, high = min(c.min() for c in curves.values()), max(c.max() for c in curves.values())
    shown = {(values["recommended_c"], "recommended") for values in racks.values()}
    shown |= {(values["allowable_c"], "allowable") for values in racks.values()}
    near = [(value, word) for value, word in sorted(shown) if value < high + 4.0]
    top = max([high, *(value for value, _ in near)]) + 1.2
    bottom = low - 1.2
    for value, word in near:
        colour = "#e0a100" if word == "recommended" else "#d1383d"
        axes.axhline(value, color=colour, linewidth=1.1, linestyle=(0, (5, 3)), zorder=1)
        classes = {rack["ashrae_class"] for rack in racks.values() if rack[f"{word}_c"] == value}
        text = f"{'/'.join(sorted(classes))} {word} {value:g} °C"
        label = axes.text(
            time[-1],
            value + 0.008 * (top - bottom),
            f"{text} ",
            fontsize=8.5,
            color=colour,
            ha="right",
            zorder=4,
        )
        label.set_bbox({"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.8})
    axes.set_ylim(bottom, top)
    _labels(axes, labels, len(order) - NAMED, (bottom, top))


def _chips(axes: Axes, time: np.ndarray, series: Series, summary: dict[str, Any]) -> None:
    """Draw chips, coolant and the flow: what a pump does to them."""
    chips = summary["chips"]
    axes.set_title(
        "Chips on cold plates; coolant supply and return dashed", loc="left", fontsize=10.5, color=INK, pad=18
    )
    axes.set_ylabel("°C", fontsize=8.5, color=MUTED)
    order = sorted(chips, key=lambda name: -chips[name]["peak_c"])
    colours = colormaps["turbo"](np.linspace(0.95, 0.12, max(min(NAMED, len(order)), 2)))
    curves = {name: series.of(f"{name}.chip_temperature") for name in order}
    for name in order[NAMED:]:
        axes.plot(time, curves[name], color="#b8c2cc", linewidth=0.9, zorder=2)
    labels = []
    for name, colour in zip(order[:NAMED], colours, strict=False):
        axes.plot(time, curves[name], color=colour, linewidth=1.7, zorder=3)
        labels.append((float(curves[name][-1]), name, colour))
    lowest = min(values.min() for values in curves.values())
    for suffix, colour in ((".supply_temperature", "#3b7dd8"), (".return_temperature", "#d1383d")):
        for name in (c for c in series.columns if c.endswith(suffix) and _is_loop(c, summary)):
            values = series.of(name)
            lowest = min(lowest, values.min())
            axes.plot(time, values, color=colour, linewidth=1.2, linestyle=(0, (4, 2)), zorder=2)
    highest = max(values.max() for values in curves.values())
    for limit in sorted({values["limit_c"] for values in chips.values()}):
        if limit < highest + 15.0:
            highest = max(highest, limit)
            axes.axhline(limit, color="#d1383d", linewidth=1.1, linestyle=(0, (5, 3)), zorder=1)
            axes.text(
                time[-1],
                limit,
                f"limit {limit:g} °C ",
                fontsize=8.5,
                color="#d1383d",
                ha="right",
                va="bottom",
            )
    span = max(highest - lowest, 1.0)
    limits = (lowest - 0.06 * span, highest + 0.1 * span)
    axes.set_ylim(limits)
    _labels(axes, labels, len(order) - NAMED, limits)


def _is_loop(column: str, summary: dict[str, Any]) -> bool:
    return column.partition(".")[0] in summary["cdus"]


def _labels(axes: Axes, labels: list, others: int, limits: tuple[float, float]) -> None:
    """Name the curves at their right ends, apart enough to be read."""
    gap = _LINE / axes.get_position().height * (limits[1] - limits[0])
    places, at = [], -np.inf
    for value in sorted(label[0] for label in labels):
        at = max(value, at + gap)
        places.append(at)
    over = max(at - limits[1], 0.0)  # a heap at the top goes down as one
    for place, (value, name, colour) in zip(places, sorted(labels, key=lambda label: label[0]), strict=True):
        axes.annotate(
            f"{name}  {value:.1f}", (1.005, place - over), xycoords=("axes fraction", "data"), fontsize=9,
            color=colour, va="center", fontweight="bold", annotation_clip=False,
        )  # fmt: skip
    if others > 0:
        axes.text(1.005, -0.06, f"grey: {others} more", transform=axes.transAxes, fontsize=8.5, color=MUTED)


def _events(axes: Axes, summary: dict[str, Any], unit: float) -> None:
    """Mark the events by number; the foot of the picture says what they are."""
    together: dict[float, list[str]] = {}
    for n, event in enumerate(summary["events"], 1):
        together.setdefault(event["at_s"] / unit, []).append(str(n))
    for at, numbers in together.items():
        if at <= axes.get_xlim()[1]:
            axes.axvline(at, color=INK, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
            axes.annotate(
                ", ".join(numbers), (at, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 8), color=PAPER,
                textcoords="offset points", fontsize=8, ha="center", va="center",
                bbox={"boxstyle": "circle,pad=0.22", "facecolor": INK, "edgecolor": "none"},
            )  # fmt: skip


def _supply(axes: Axes, time: np.ndarray, series: Series, summary: dict[str, Any]) -> None:
    axes.set_title(
        "Air of the coolers: supply while they blow, and return dashed", loc="left", fontsize=10.5, color=INK
    )
    axes.set_ylabel("°C", fontsize=8.5, color=MUTED)
    names = summary["coolers"][:NAMED]
    colours = colormaps["viridis"](np.linspace(0.1, 0.8, len(names)))
    for name, colour in zip(names, colours, strict=True):
        axes.plot(time, series.of(f"{name}.supply_temperature"), color=colour, linewidth=1.6, label=name)
        axes.plot(
            time, series.of(f"{name}.return_temperature"), color=colour, linewidth=1.0, linestyle=(0, (4, 2))
        )
    if names:
        axes.legend(fontsize=8.5, frameon=False, loc="best", ncols=2, labelcolor=INK)


def _heat(axes: Axes, time: np.ndarray, series: Series, summary: dict[str, Any]) -> None:
    takers = [
        name for loop in summary["loops"].values() for kind in ("branches", "coils") for name in loop[kind]
    ]
    title = "Electric power of the racks, heat to the coolers" + (" and to the coolant" if takers else "")
    axes.set_title(title, loc="left", fontsize=10.5, color=INK)
    axes.set_ylabel("kW", fontsize=8.5, color=MUTED)
    for suffix, colour, label in ((".power", "#d1383d", "racks"), (".cooling_power", "#3b7dd8", "coolers")):
        points = [name for name in series.columns if name.endswith(suffix)]
        if points:
            total = sum(series.of(name) for name in points) / 1e3
            axes.plot(time, total, color=colour, linewidth=1.6, label=label)
    if takers:
        total = sum(series.of(f"{name}.liquid_heat") for name in takers) / 1e3
        axes.plot(time, total, color="#1a9988", linewidth=1.6, label="coolant")
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.legend(fontsize=8.5, frameon=False, loc="best", labelcolor=INK)


def _header(figure: Figure, summary: dict[str, Any]) -> None:
    title = f"{summary['layout']}: {summary['script']}" if summary["script"] else summary["layout"]
    figure.text(0.055, 0.962, title, fontsize=19, color=INK, fontweight="bold", va="center")
    changed = ", ".join(summary["overrides"])
    line = (
        f"{summary['cells']:,} cells, {summary['steps']:,} steps, {summary['wall_s']:.1f} s for "
        f"{time_text(summary['simulated_s'])} simulated.  Heat closes to "
        f"{summary['balances']['energy_relative']:.2%}." + (f"  {changed}" if changed else "")
    )
    figure.text(0.055, 0.925, line, fontsize=9, color=MUTED, va="center")
    critical = [
        (values["time_to_allowable_s"], f"{name} is the first to pass its allowable limit")
        for name, values in summary["racks"].items()
        if values["time_to_allowable_s"] is not None
    ]
    critical += [
        (values["time_to_limit_s"], f"chips of {name} are the first to pass their limit")
        for name, values in summary["chips"].items()
        if values["time_to_limit_s"] is not None
    ]
    if critical:
        first, word = min(critical)
        begun = min((event["at_s"] for event in summary["events"]), default=0.0)
        text = f"at {first:.0f} s"
        if begun < first:
            word += f", {first - begun:.0f} s after the first event"
    else:
        text, word = "none", f"above its allowable limit within {time_text(summary['simulated_s'])}"
    figure.text(0.885, 0.962, text, fontsize=14, color=INK, fontweight="bold", va="center", ha="right")
    figure.text(0.885, 0.93, word, fontsize=9, color=MUTED, va="center", ha="right")
    events = "   ".join(f"{n} {event['text']}" for n, event in enumerate(summary["events"], 1))
    shown = events if len(events) <= _CHARACTERS else events[: _CHARACTERS - 1] + "…"
    figure.text(0.055, 0.018, f"Events:  {shown}", fontsize=8.5, color=INK)
    figure.text(0.985, 0.018, f"Racklet Twin {summary['version']}", fontsize=8.5, color=MUTED, ha="right")
