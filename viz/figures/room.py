"""The room for browsers without WebGL 2: plotly in 3-D, and a plan where there is no WebGL at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from viz.field import Lines, centres
from viz.theme import AIR_SCALE, LIMITS_C, SHOWN_C, Palette, band_of, figure_layout, palette

HEIGHT_ABOVE_FLOOR = 1.2  # m; about the middle of a rack
Box = Mapping[str, Any]

_CORNERS = np.array([[i & 1, (i >> 1) & 1, i >> 2] for i in range(8)])
_FACES = np.array(
    [
        *([0, 2, 3], [0, 3, 1], [4, 5, 7], [4, 7, 6], [0, 1, 5], [0, 5, 4]),
        *([2, 6, 7], [2, 7, 3], [0, 4, 6], [0, 6, 2], [1, 3, 7], [1, 7, 5]),
    ]
)


def floor_height(boxes: Sequence[Box]) -> float:
    """Return the height of the raised floor [m]; 0 without one."""
    return max((float(box["hi"][2]) for box in boxes if box["kind"] == "floor"), default=0.0)


def level_slice(lines: Lines, field: np.ndarray, height: float) -> np.ndarray:
    """Return the layer of cells float32[nx, ny] at a height [m] of a field [nx, ny, nz]."""
    layer = int(np.clip(np.searchsorted(lines.z, height) - 1, 0, field.shape[2] - 1))
    return field[:, :, layer]


def _colour(box: Box, racks: Mapping[str, Any], colours: Palette) -> str:
    if box["kind"] != "rack":
        return colours.grid if box["kind"] == "cooler" else colours.solid
    rack = racks.get(box["name"], {})
    band = band_of(rack.get("inlet_max_c"), rack.get("limits_c") or LIMITS_C)
    return getattr(colours, band, colours.solid)


def _label(box: Box, racks: Mapping[str, Any]) -> str:
    inlet = racks.get(box["name"], {}).get("inlet_max_c")
    return str(box["name"]) if inlet is None else f"{box['name']} · inlet max {inlet:.1f} °C"


def room_figure(
    boxes: Sequence[Box],
    racks: Mapping[str, Any],
    theme: str | None,
    air: tuple[Lines, np.ndarray] | None = None,
) -> go.Figure:
    """Draw racks, coolers and tiles as solids, with one level slice of the air.

    Parameters
    ----------
    boxes : sequence of mapping
        ``name``, ``kind``, ``lo``, ``hi`` [m] of the scene.
    racks : mapping
        Rack -> summary with ``inlet_max_c``, and ``limits_c`` of its class.
    theme : str or None
    air : (Lines, float32[nx, ny, nz]), optional
        Grid and temperature [degC].

    Returns
    -------
    plotly.graph_objects.Figure
    """
    colours = palette(theme)
    figure = go.Figure()
    for box in boxes:
        if box["kind"] not in {"rack", "cooler", "tile", "obstacle"}:
            continue
        lo, hi = np.asarray(box["lo"], dtype=float), np.asarray(box["hi"], dtype=float)
        corners = lo + _CORNERS * np.maximum(hi - lo, 0.01)
        figure.add_trace(
            go.Mesh3d(
                x=corners[:, 0],
                y=corners[:, 1],
                z=corners[:, 2],
                i=_FACES[:, 0],
                j=_FACES[:, 1],
                k=_FACES[:, 2],
                color=_colour(box, racks, colours),
                flatshading=True,
                name=str(box["name"]),
                hovertemplate=_label(box, racks) + "<extra></extra>",
            )
        )
    if air is not None:
        lines, field = air
        height = floor_height(boxes) + HEIGHT_ABOVE_FLOOR
        layer = level_slice(lines, field, height)
        figure.add_trace(
            go.Surface(
                x=centres(lines.x),
                y=centres(lines.y),
                z=np.full(layer.T.shape, height),
                surfacecolor=layer.T,
                cmin=SHOWN_C[0],
                cmax=SHOWN_C[1],
                colorscale=AIR_SCALE,
                opacity=0.9,
                name="air",
                colorbar={"title": {"text": "Air, °C"}, "thickness": 10, "len": 0.6, "outlinewidth": 0},
                hovertemplate="%{surfacecolor:.1f} °C<extra>air</extra>",
            )
        )
    axis = {"showbackground": False, "gridcolor": colours.grid, "title": "", "zeroline": False}
    figure.update_layout(
        **{**figure_layout(theme), "margin": {"l": 0, "r": 0, "t": 0, "b": 0}},
        uirevision="room",
        showlegend=False,
        scene={
            "aspectmode": "data",
            "xaxis": axis,
            "yaxis": axis,
            "zaxis": axis,
            "camera": {"eye": {"x": -1.25, "y": -1.5, "z": 1.1}},
        },
    )
    return figure


def plan_figure(
    boxes: Sequence[Box],
    racks: Mapping[str, Any],
    theme: str | None,
    air: tuple[Lines, np.ndarray] | None = None,
) -> go.Figure:
    """Draw the same as a plan: a heat map of the air with the racks on it; needs no WebGL.

    Parameters are those of `room_figure`.
    """
    colours = palette(theme)
    figure = go.Figure()
    if air is not None:
        lines, field = air
        layer = level_slice(lines, field, floor_height(boxes) + HEIGHT_ABOVE_FLOOR)
        figure.add_trace(
            go.Heatmap(
                x=centres(lines.x),
                y=centres(lines.y),
                z=layer.T,
                zmin=SHOWN_C[0],
                zmax=SHOWN_C[1],
                colorscale=AIR_SCALE,
                colorbar={"title": {"text": "Air, °C"}, "thickness": 10, "outlinewidth": 0},
                hovertemplate="%{z:.1f} °C<extra></extra>",
            )
        )
    for box in boxes:
        if box["kind"] not in {"rack", "cooler"}:
            continue
        (x0, y0, _), (x1, y1, _) = box["lo"], box["hi"]
        figure.add_shape(
            type="rect",
            x0=x0,
            x1=x1,
            y0=y0,
            y1=y1,
            fillcolor=_colour(box, racks, colours),
            line={"color": colours.ink, "width": 1},
        )
        figure.add_annotation(
            x=(x0 + x1) / 2,
            y=(y0 + y1) / 2,
            text=str(box["name"]),
            showarrow=False,
            font={"size": 10, "color": "#0d1219"},
        )
    figure.update_layout(**figure_layout(theme), uirevision="plan")
    figure.update_xaxes(gridcolor=colours.grid, zeroline=False, constrain="domain")
    figure.update_yaxes(gridcolor=colours.grid, zeroline=False, scaleanchor="x")
    return figure
