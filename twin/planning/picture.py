"""Draw a solved room on one page: plan, sections through cold aisle and hottest rack, inlets by rack."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from solvers.airflow.case import AirState
from solvers.airflow.sample import cell_velocity
from twin.model.catalog import ASHRAE_CLASSES, Band
from twin.model.geometry import Box
from twin.model.scene import Scene
from twin.units import ZERO_CELSIUS

INK, MUTED, PAPER, SOLID, EDGE = "#1b2530", "#5d6b7a", "#ffffff", "#e6eaee", "#3b4856"
BAND_COLOURS = {
    Band.RECOMMENDED: "#2e9e6b",
    Band.ALLOWABLE: "#e0a100",
    Band.OVER: "#d1383d",
    Band.BELOW: "#3b7dd8",
}
_MAP = ListedColormap(colormaps["inferno"](np.linspace(0.13, 0.97, 256)))
_AXES = "xyz"

_ROW = 0.23  # in, of the table of loops
_COLUMNS = (
    ("Coolant loop", 0.0), ("supply °C", 2.6), ("return °C", 3.6), ("flow l/s", 4.6),
    ("hottest chips °C", 6.4), ("limit °C", 7.4), ("pumps kW", 8.5), ("to the facility kW", 10.0),
    ("level", 10.8),
)  # fmt: skip
"""Of the table of loops, and where each ends from the left, the first where it begins. [in]"""
CHANGES = 110  # characters of the overrides that the foot of the picture shows


class _Cut(NamedTuple):
    """A section: the axis it is normal to, its coordinate [m], its title."""

    axis: int
    at: float
    title: str


def draw_picture(scene: Scene, state: AirState, summary: dict[str, Any], path: Path) -> None:
    """Draw a solved room as a PNG.

    Parameters
    ----------
    scene : Scene
    state : AirState
    summary : dict      What ``result.json`` holds.
    path : Path         Of the PNG.

    Raises
    ------
    OSError : the file cannot be written.
    """
    T = np.ma.array(np.asarray(state.T, np.float64) - ZERO_CELSIUS, mask=scene.case.solid)
    low = float(np.floor(np.percentile(T.compressed(), 0.5)))
    high = max(low + 4.0, float(np.ceil(np.percentile(T.compressed(), 99.5))))
    cuts = _cuts(scene, summary)
    page = _Page(scene.layout.room.size, cuts, len(summary["loops"]))
    figure = Figure(figsize=(page.width, page.height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    velocity = cell_velocity(state)
    meshes = [
        _section(figure.add_axes(place), scene, T, velocity, cut, (low, high))
        for cut, place in zip(cuts, page.sections, strict=True)
    ]
    _bars(figure.add_axes(page.bars), summary)
    bar = figure.colorbar(meshes[0], cax=figure.add_axes(page.scale), orientation="horizontal")
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.ax.tick_params(labelsize=8.5, colors=MUTED, length=0)
    x, y, width, height = page.scale
    figure.text(x + width + 0.01, y + 0.5 * height, "Air, °C", fontsize=9, color=MUTED, va="center")
    _header(figure, summary, page)
    _loops(figure, summary["loops"], page)
    figure.savefig(path, dpi=110, facecolor=PAPER)


class _Page:
    """Where things go: sections to one scale in the lower row, plan and bars above. Inches, then shares."""

    def __init__(self, size: tuple[float, float, float], cuts: tuple[_Cut, _Cut, _Cut], loops: int) -> None:
        self.width, side, gap, header, foot, between = 15.0, 0.72, 0.85, 1.15, 0.95, 0.85
        self.table = foot - 0.05  # of the loops: from here up, under the sections
        if loops:
            foot += _ROW * (loops + 2)
        lengths = [size[1 - cut.axis] for cut in cuts[1:]]
        scale = min((self.width - 2 * side - gap) / sum(lengths), 4.2 / size[2])
        lower = scale * size[2]
        upper = min(4.1, 0.5 * self.width * size[1] / size[0])
        self.height = foot + lower + between + upper + header
        base = foot + lower + between
        plan = upper * size[0] / size[1]
        second = side + scale * lengths[0] + gap
        self.sections = (
            self._share(side, base, plan, upper),
            self._share(side, foot, scale * lengths[0], lower),
            self._share(second, foot, scale * lengths[1], lower),
        )
        self.bars = self._share(side + plan + gap, base, self.width - 2 * side - gap - plan, upper)
        self.scale = self._share(side, 0.34, 4.5, 0.15)
        self.left, self.right = side / self.width, 1 - side / self.width

    def _share(self, x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
        return x / self.width, y / self.height, width / self.width, height / self.height

    def up(self, inches: float) -> float:
        """Share of the height this far above the lower edge."""
        return inches / self.height

    def down(self, inches: float) -> float:
        """Share of the height this far below the upper edge."""
        return 1.0 - inches / self.height


def _cuts(scene: Scene, summary: dict[str, Any]) -> tuple[_Cut, _Cut, _Cut]:
    """Choose the plan at mid rack height, sections along the cold aisle and across the hottest rack."""
    size = scene.layout.room.size
    racks = [box for box in scene.boxes if box.kind == "rack"]
    tiles = [box for box in scene.boxes if box.kind == "tile"]
    if not racks:
        return (
            _Cut(2, 0.5 * size[2], "Plan at half height"),
            _Cut(1, 0.5 * size[1], "Section at half width"),
            _Cut(0, 0.5 * size[0], "Section at half length"),
        )
    height = 0.5 * (racks[0].lo[2] + racks[0].hi[2])
    hottest = max(summary["racks"], key=lambda name: summary["racks"][name]["inlet_max_c"])
    box = next(box for box in racks if box.name == hottest)
    deep = _AXES.index(box.facing[1])
    wide = 1 - deep
    beside = [
        tile
        for tile in tiles
        if min(abs(tile.hi[deep] - box.lo[deep]), abs(tile.lo[deep] - box.hi[deep])) < 2.0
    ]
    faces = [edge for tile in beside for edge in (tile.lo[deep], tile.hi[deep])]
    front = box.hi[deep] + 0.3 if box.facing[0] == "+" else box.lo[deep] - 0.3
    aisle = 0.5 * (min(faces) + max(faces)) if faces else front
    return (
        _Cut(2, height, f"Plan at mid rack height, z = {height:.2f} m"),
        _Cut(deep, aisle, f"Section along the cold aisle, {_AXES[deep]} = {aisle:.2f} m"),
        _Cut(wide, 0.5 * (box.lo[wide] + box.hi[wide]), f"Section through {hottest}, the hottest inlet"),
    )


def _section(
    axes: Axes,
    scene: Scene,
    T: np.ma.MaskedArray,
    velocity: tuple[NDArray[np.float64], ...],
    cut: _Cut,
    limits: tuple[float, float],
) -> Any:
    """Draw one section: temperature, objects, and the flow in its plane."""
    faces = scene.case.grid
    a, b = (axis for axis in range(3) if axis != cut.axis)
    layer = int(np.clip(np.searchsorted(faces[cut.axis], cut.at) - 1, 0, T.shape[cut.axis] - 1))
    pick = tuple(layer if axis == cut.axis else slice(None) for axis in range(3))
    mesh = axes.pcolormesh(
        faces[a], faces[b], T[pick].T, cmap=_MAP, vmin=limits[0], vmax=limits[1], rasterized=True
    )
    for box in scene.boxes:
        _outline(axes, box, cut, (a, b))
    _arrows(axes, scene, (velocity[a][pick], velocity[b][pick]), scene.case.solid[pick], (a, b))
    axes.set_xlim(faces[a][0], faces[a][-1])
    axes.set_ylim(faces[b][0], faces[b][-1])
    axes.set_aspect("equal", anchor="W")
    axes.set_title(cut.title, loc="left", fontsize=10.5, color=INK, pad=7)
    axes.set_xlabel(f"{_AXES[a]}, m", fontsize=8.5, color=MUTED, labelpad=2)
    axes.set_ylabel(f"{_AXES[b]}, m", fontsize=8.5, color=MUTED, labelpad=2)
    _quiet(axes)
    return mesh


def _outline(axes: Axes, box: Box, cut: _Cut, plane: tuple[int, int]) -> None:
    """Draw an object where the section cuts it, tiles also from above."""
    a, b = plane
    lo, hi = (box.lo[a], box.lo[b]), (box.hi[a], box.hi[b])
    is_cut = box.lo[cut.axis] <= cut.at <= box.hi[cut.axis]
    if box.kind == "tile" and cut.axis == 2:
        style = {
            "facecolor": "none",
            "edgecolor": "#ffffff",
            "linewidth": 0.9,
            "linestyle": (0, (3, 2)),
            "alpha": 0.8,
        }
        axes.add_patch(Rectangle(lo, hi[0] - lo[0], hi[1] - lo[1], **style))
    elif not is_cut:
        return
    elif box.kind in ("rack", "cooler", "obstacle"):
        axes.add_patch(
            Rectangle(
                lo, hi[0] - lo[0], hi[1] - lo[1], facecolor=SOLID, edgecolor=EDGE, linewidth=0.9, zorder=3
            )
        )
        if box.kind != "obstacle":
            middle = (0.5 * (lo[0] + hi[0]), 0.5 * (lo[1] + hi[1]))
            axes.text(*middle, box.name, ha="center", va="center", fontsize=8, color=INK, zorder=4)
    else:
        colour, width, style = (EDGE, 2.0, "-") if box.kind != "tile" else ("#ffffff", 2.6, (0, (1.2, 0.8)))
        axes.plot(
            (lo[0], hi[0]),
            (lo[1], hi[1]),
            color=colour,
            linewidth=width,
            linestyle=style,
            zorder=3 + (box.kind == "tile"),
        )


def _arrows(
    axes: Axes,
    scene: Scene,
    parts: tuple[NDArray[np.float64], NDArray[np.float64]],
    solid: NDArray[np.bool_],
    plane: tuple[int, int],
) -> None:
    """Draw the flow in the section about every 0.3 m, slow air left out."""
    centres = [scene.case.grid.centres[axis] for axis in plane]
    picks = []
    for line in centres:
        wanted = np.arange(line[0] + 0.1, line[-1], 0.3)
        picks.append(np.unique(np.abs(line[:, None] - wanted[None, :]).argmin(axis=0)))
    i, j = np.meshgrid(picks[0], picks[1], indexing="ij")
    p, q = parts[0][i, j], parts[1][i, j]
    shown = ~solid[i, j] & (np.hypot(p, q) > 0.08)
    speed = np.hypot(p, q)[shown]
    shorten = np.minimum(1.0, 1.5 / np.maximum(speed, 1e-9))
    axes.quiver(
        centres[0][i][shown], centres[1][j][shown], p[shown] * shorten, q[shown] * shorten,
        color="#ffffff", alpha=0.72, scale=4.2, scale_units="x", width=0.0019, headwidth=4,
        headlength=4.5, zorder=2,
    )  # fmt: skip


def _bars(axes: Axes, summary: dict[str, Any]) -> None:
    """Draw each rack's inlet from mean to maximum over the envelopes of its class."""
    racks = summary["racks"]
    axes.set_title(
        "Rack inlets: mean to maximum, against the ASHRAE class", loc="left", fontsize=10.5, color=INK, pad=7
    )
    _quiet(axes)
    if not racks:
        return
    classes = {values["ashrae_class"] for values in racks.values()}
    lowest = min(values["inlet_mean_c"] for values in racks.values())
    highest = max(values["inlet_max_c"] for values in racks.values())
    limits = ASHRAE_CLASSES[min(classes)]
    bottom, top = min(limits.recommended_low - 3, lowest - 1), max(limits.recommended_high + 4, highest + 1.5)
    room = len(racks) - 0.4 + 0.2 * (len(racks) + 0.2)  # the last part is for the names of the limits
    if len(classes) == 1:
        axes.axhspan(
            limits.recommended_low, limits.recommended_high, color="#2e9e6b", alpha=0.10, linewidth=0
        )
        edges = (
            (limits.recommended_low, "recommended"),
            (limits.recommended_high, "recommended"),
            (limits.allowable_high, "allowable"),
            (limits.allowable_low, "allowable"),
        )
        for value, name in edges:
            if bottom < value < top:
                axes.axhline(value, color=MUTED, linewidth=0.7, linestyle=(0, (4, 3)))
                axes.text(
                    room - 0.02 * (room + 0.6),
                    value + 0.008 * (top - bottom),
                    f"{limits.name} {name} {value:g}",
                    fontsize=8,
                    color=MUTED,
                    ha="right",
                )
    for n, values in enumerate(racks.values()):
        colour = BAND_COLOURS[Band(values["band"])]
        mean, peak = values["inlet_mean_c"], values["inlet_max_c"]
        axes.plot((n, n), (mean, peak), color=colour, linewidth=7, solid_capstyle="round", alpha=0.35)
        axes.plot(n, mean, "o", color=colour, markersize=7.5)
        axes.plot(n, peak, "_", color=colour, markersize=13, markeredgewidth=2.2)
        label = axes.text(n, peak + 0.25, f"{peak:.1f}", ha="center", va="bottom", fontsize=8.5, color=INK)
        label.set_bbox({"facecolor": PAPER, "edgecolor": "none", "alpha": 0.7, "pad": 0.8})
    axes.set_xticks(range(len(racks)), list(racks), fontsize=8.5)
    axes.set_xlim(-0.6, room)
    axes.set_ylim(bottom, top)
    axes.set_ylabel("°C", fontsize=8.5, color=MUTED)


def _header(figure: Figure, summary: dict[str, Any], page: _Page) -> None:
    metrics, balances = summary["metrics"], summary["balances"]
    figure.text(
        page.left, page.down(0.42), summary["layout"], fontsize=19, color=INK, fontweight="bold", va="center"
    )
    shown = (
        (f"{metrics['total_kw']:.1f} kW", "IT power"),
        (f"{metrics['liquid_kw']:.1f} kW", "to liquid"),
        (f"{metrics['cooling_electric_kw']:.1f} kW", "cooling, electric"),
        (_number(metrics.get("RCI_HI"), "%"), "RCI of means"),
        (_number(metrics.get("SHI"), "", 2), "SHI"),
        (_number(metrics.get("RTI"), "%"), "RTI"),
    )
    for n, (value, name) in enumerate(shown):
        x = page.right - 0.083 * (len(shown) - n - 1)
        figure.text(
            x, page.down(0.37), value, fontsize=12.5, color=INK, fontweight="bold", va="center", ha="right"
        )
        figure.text(x, page.down(0.64), name, fontsize=9, color=MUTED, va="center", ha="right")
    line = (
        f"{summary['cells']:,} cells, {summary['steps']:,} steps, {summary['wall_s']:.1f} s.  Mass closes to "
        f"{balances['mass_relative']:.0e} of the supply flow, heat to {balances['energy_relative']:.2%}."
    )
    figure.text(page.left, page.down(0.72), line, fontsize=9, color=MUTED, va="center")
    figure.text(
        page.right,
        0.34 / page.height,
        "  ·  ".join([*_changes(summary["overrides"]), f"Racklet Twin {summary['version']}"]),
        fontsize=8.5,
        color=MUTED,
        ha="right",
    )


def _loops(figure: Figure, loops: dict[str, Any], page: _Page) -> None:
    """Write a row for each coolant loop under the sections."""
    rows = [tuple(name for name, _ in _COLUMNS)] if loops else []
    for name, loop in loops.items():
        hottest = max(loop["branches"].items(), key=lambda item: item[1]["chip_c"], default=None)
        chips = ("", "")
        if hottest is not None:
            branch, values = hottest
            chips = (f"{values['chip_c']:.1f} at {branch}", f"{values['limit_c']:.0f}")
        rows.append(
            (
                f"{name}, {loop['fluid']}", f"{loop['supply_c']:.1f}", f"{loop['return_c']:.1f}",
                f"{1e3 * loop['flow_m3_s']:.2f}", *chips, f"{1e-3 * loop['pump_power_w']:.2f}",
                f"{1e-3 * loop['heat_w']:.1f}", f"{loop['level']:.0%}",
            )
        )  # fmt: skip
    for n, row in enumerate(rows):
        y = page.up(page.table + _ROW * (len(rows) - 1 - n))
        for (_, x), text in zip(_COLUMNS, row, strict=True):
            hot = n > 0 and x == _COLUMNS[4][1] and bool(row[5]) and float(text.split()[0]) > float(row[5])
            colour = MUTED if n == 0 else BAND_COLOURS[Band.OVER] if hot else INK
            side = "left" if x == 0.0 else "right"
            figure.text(page.left + x / page.width, y, text, fontsize=9, color=colour, ha=side, va="center")


def _changes(overrides: list[str]) -> list[str]:
    """Say what was changed in the layout, as far as a line holds."""
    text = ", ".join(overrides)
    return [text if len(text) <= CHANGES else text[: CHANGES - 1] + "…"] if text else []


def _number(value: float | None, unit: str, digits: int = 0) -> str:
    return "none" if value is None else f"{value:.{digits}f}{' ' if unit else ''}{unit}"


def _quiet(axes: Axes) -> None:
    """Take the weight out of frame and ticks."""
    for spine in axes.spines.values():
        spine.set_color("#c9d1d9")
        spine.set_linewidth(0.8)
    axes.tick_params(labelsize=8.5, colors=MUTED, length=2.5, width=0.7)
