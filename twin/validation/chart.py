"""Draw the figures of the cases: profiles over data."""

from __future__ import annotations

import math
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from twin.validation.case import Figure, Panel

_INK, _MUTED = "#1b2530", "#5d6b7a"
_COLOURS = ("#c8443c", "#2b6cb0", "#2e9e6b", "#b7791f", "#7b52ab", "#0f8b8d")
_COLUMNS = 3
_PANEL = (4.6, 3.7)  # inches


def draw(figure: Figure, folder: Path) -> Path:
    """Draw a figure as a PNG.

    Parameters
    ----------
    figure : Figure
    folder : Path
        Must exist.

    Returns
    -------
    Path
        Of the PNG.

    Raises
    ------
    OSError : the file cannot be written.
    """
    count = len(figure.panels)
    columns = 2 if count in (2, 4) else min(_COLUMNS, count)
    rows = math.ceil(count / columns)
    canvas = Canvas(figsize=(_PANEL[0] * columns, _PANEL[1] * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(canvas)
    for at, panel in enumerate(figure.panels):
        _draw_panel(canvas.add_subplot(rows, columns, at + 1), panel)
    path = folder / f"{figure.name}.png"
    canvas.savefig(path)
    return path


def _draw_panel(axes: Axes, panel: Panel) -> None:
    colour = 0
    for one in panel.series:
        if one.kind == "data":
            axes.plot(one.x, one.y, "o", ms=4, mfc="white", mec=_INK, mew=0.9, label=one.label, zorder=3)
            continue
        if one.kind == "cloud":
            axes.plot(one.x, one.y, "o", ms=4.5, color=_COLOURS[colour % len(_COLOURS)], label=one.label)
            colour += 1
            continue
        style = {"line": "-", "dashed": "--", "points": "o-"}[one.kind]
        shade = _MUTED if one.kind == "dashed" else _COLOURS[colour % len(_COLOURS)]
        colour += one.kind != "dashed"
        axes.plot(one.x, one.y, style, ms=4, lw=1.6, color=shade, label=one.label)
    if panel.log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.set_title(panel.title, fontsize=10, color=_INK, loc="left")
    axes.set_xlabel(panel.x_label, fontsize=9)
    axes.set_ylabel(panel.y_label, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(visible=True, which="major", color="#e6eaee", lw=0.7)
    for edge in ("top", "right"):
        axes.spines[edge].set_visible(False)
    if panel.names:
        axes.set_xticks(range(1, len(panel.names) + 1), panel.names, rotation=45)
    if panel.legend_below:
        count = len(panel.series)
        axes.legend(fontsize=7.5, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=count)
    else:
        axes.legend(fontsize=7.5, frameon=False)
