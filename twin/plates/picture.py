"""Draw a solved plate or stack on one page: hottest layer, coolant, a section, and series over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from solvers.coldplate.system import Array
from twin.plates.fields import PlateFields
from twin.units import ZERO_CELSIUS

INK, MUTED, PAPER, LINE = "#1b2530", "#5d6b7a", "#ffffff", "#c9d1d9"
_MAP = ListedColormap(colormaps["inferno"](np.linspace(0.13, 0.97, 256)))
_WATER = ListedColormap(colormaps["viridis"](np.linspace(0.05, 0.95, 256)))
_MILLI = 1e3  # mm/m
_PROBES = 6  # series that are drawn


def draw_plate(fields: PlateFields, summary: dict[str, Any], path: Path) -> None:
    """Draw temperatures as a PNG.

    Parameters
    ----------
    fields : PlateFields
    summary : dict    Numbers of the result.
    path : Path    Of the PNG.

    Raises
    ------
    OSError : the file cannot be written.
    """
    figure = Figure(figsize=(13.2, 8.6), facecolor=PAPER)
    FigureCanvasAgg(figure)
    plane, _, layer = fields.hottest
    T = fields.temperature - ZERO_CELSIUS
    left = figure.add_axes((0.06, 0.42, 0.36, 0.43))
    name = f", {fields.layers[layer]}" if fields.layers[layer] else ""
    _from_above(figure, left, fields, T[:, :, layer], f"Hottest layer{name}", _MAP)
    right = figure.add_axes((0.55, 0.42, 0.36, 0.43))
    wet = np.isfinite(fields.coolant).any(axis=(0, 1))
    lower = figure.add_axes((0.06, 0.09, 0.36, 0.22))
    _section(figure, lower, fields, T[plane], plane)
    if wet.any():
        coolant = np.ma.masked_invalid(fields.coolant[:, :, wet]).mean(axis=2)
        _from_above(figure, right, fields, coolant - ZERO_CELSIUS, "Coolant, flowing upwards", _WATER)
    else:
        _from_above(figure, right, fields, T[:, :, 0], "Lowest layer", _MAP)
    series = figure.add_axes((0.55, 0.09, 0.36, 0.22))
    if summary["steady"]:
        _along(series, fields, T, layer)
    else:
        _over_time(series, summary["probes"])
    _header(figure, summary)
    figure.savefig(path, dpi=110, facecolor=PAPER)


def _from_above(
    figure: Figure, axes: Axes, fields: PlateFields, values: Array, title: str, colours: Any
) -> None:
    mesh = axes.pcolormesh(
        fields.x * _MILLI, fields.y * _MILLI, np.ma.masked_invalid(values), cmap=colours, rasterized=True
    )
    axes.set_aspect("equal", anchor="W")
    _label(axes, title, "x, mm", "y, mm")
    _scale(figure, axes, mesh)


def _section(figure: Figure, axes: Axes, fields: PlateFields, values: Array, plane: int) -> None:
    at = 0.5 * (fields.y[plane] + fields.y[plane + 1])
    mesh = axes.pcolormesh(fields.x * _MILLI, fields.z * _MILLI, values.T, cmap=_MAP, rasterized=True)
    _label(axes, f"Section at y = {at * _MILLI:.2f} mm, height stretched", "x, mm", "z, mm")
    _scale(figure, axes, mesh)


def _along(axes: Axes, fields: PlateFields, T: Array, layer: int) -> None:
    """Draw how layer and coolant warm up along the flow."""
    y = 0.5 * (fields.y[1:] + fields.y[:-1]) * _MILLI
    width = np.diff(fields.x)
    for values, label, colour in (
        (T[:, :, layer].max(axis=1), "hottest layer, highest", "#d1383d"),
        (T[:, :, layer] @ width / width.sum(), "hottest layer, mean", "#e0a100"),
    ):
        axes.plot(y, values, color=colour, linewidth=1.6, label=label)
    wet = np.isfinite(fields.coolant)
    if wet.any():
        rows = np.where(wet, fields.coolant, 0.0).sum(axis=(1, 2)) / np.maximum(wet.sum(axis=(1, 2)), 1)
        axes.plot(y, rows - ZERO_CELSIUS, color="#3b7dd8", linewidth=1.6, label="coolant, mean")
    axes.legend(frameon=False, fontsize=8.5)
    _label(axes, "Along the flow", "y, mm", "°C")


def _over_time(axes: Axes, probes: dict[str, list[list[float]]]) -> None:
    for name in list(probes)[:_PROBES]:
        time, value = np.array(probes[name]).T
        axes.plot(time, value - ZERO_CELSIUS, linewidth=1.5, label=name)
    if probes:
        axes.legend(frameon=False, fontsize=8.5)
    _label(axes, "Probes over time", "s", "°C")


def _header(figure: Figure, summary: dict[str, Any]) -> None:
    figure.text(0.06, 0.945, summary["name"], fontsize=18, color=INK, fontweight="bold", va="center")
    drop = summary["pressure_drop_pa"]
    facts = [
        f"highest {summary['max_k'] - ZERO_CELSIUS:.1f} °C",
        f"coolant +{summary['coolant_rise_k']:.2f} K",
        "" if drop is None else f"{drop / 1e3:.1f} kPa",
        f"{summary['model']} model, {summary['cells']:,} cells in {summary['wall_s']:.2f} s",
        f"heat closes to {summary['energy_relative']:.0e}",
    ]
    figure.text(
        0.06, 0.905, "   ·   ".join(fact for fact in facts if fact), fontsize=10, color=MUTED, va="center"
    )


def _scale(figure: Figure, axes: Axes, mesh: Any) -> None:
    bar = figure.colorbar(mesh, ax=axes, fraction=0.04, pad=0.02)
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.ax.tick_params(labelsize=8, colors=MUTED, length=0)
    bar.ax.set_title("°C", fontsize=8, color=MUTED)


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontsize=10.5, color=INK, pad=7)
    axes.set_xlabel(x, fontsize=8.5, color=MUTED)
    axes.set_ylabel(y, fontsize=8.5, color=MUTED)
    axes.tick_params(labelsize=8.5, colors=MUTED, length=2.5, width=0.7)
    for spine in axes.spines.values():
        spine.set_color(LINE)
        spine.set_linewidth(0.8)
