"""Sensor against twin over time, for one branch of a coolant loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import plotly.graph_objects as go

from viz.figures.history import Curve, broken, clock, iso
from viz.theme import figure_layout, palette

LITRES_PER_MINUTE = 60_000.0  # in a m3/s; a flow's point is in kg/s
FLOW_PART = 0.30  # of the height, below the temperatures
LEAST_SPAN_C = 4.0


class Line(NamedTuple):
    """A quantity of a branch: its point's ending, what it is called, colour number, axis, unit."""

    ending: str
    name: str
    colour: int
    axis: str
    unit: str


LINES = (
    Line("chip_temperature", "chips", 2, "y", " °C"),
    Line("return_temperature", "return", 1, "y", " °C"),
    Line("coolant_flow", "flow", 0, "y2", " L/min"),
)


def branch_points(branch: str) -> list[str]:
    """Name the points of a branch that its chart shows."""
    return [f"{branch}.{line.ending}" for line in LINES]


def branch_figure(
    branch: str,
    series: Mapping[str, Mapping[str, Curve]],
    theme: str | None,
    window: tuple[float, float],
    limit: float | None = None,
    density: float = 1000.0,
) -> go.Figure:
    """Draw chip and return temperature over the flow of a branch: dots are sensors, lines are the twin.

    Parameters
    ----------
    branch : str
    series : mapping
        Point -> ``measured`` and ``predicted`` -> [(time [s since epoch], degC or kg/s), ...].
    theme : str or None
        ``dark`` or ``light``.
    window : tuple of two float
        Start and end of the time axis. [s since epoch]
    limit : float, optional
        Of the chips; drawn where it is near. [degC]
    density : float
        Of the coolant: flows come as mass and are shown as volume. [kg/m3]

    Returns
    -------
    plotly.graph_objects.Figure
        With an annotation instead of curves where nothing is known yet.
    """
    colours = palette(theme)
    figure = go.Figure()
    values: dict[str, list[float]] = {"y": [], "y2": []}
    for line in LINES:
        curves = series.get(f"{branch}.{line.ending}", {})
        colour = colours.positions[line.colour]
        factor = LITRES_PER_MINUTE / density if line.axis == "y2" else 1.0
        for kind, style in (
            ("measured", {"mode": "markers", "marker": {"size": 3, "color": colour, "opacity": 0.55}}),
            ("predicted", {"mode": "lines", "line": {"width": 1.8, "color": colour}, "connectgaps": False}),
        ):
            curve = [(time, float(value) * factor) for time, value in curves.get(kind, ())]
            values[line.axis] += [value for _, value in curve]
            figure.add_trace(
                go.Scatter(
                    x=clock(curve),
                    y=broken(curve) if kind == "predicted" else [value for _, value in curve],
                    yaxis=line.axis,
                    name=f"{line.name}, {'twin' if kind == 'predicted' else 'sensor'}",
                    hovertemplate=f"%{{y:.2f}}{line.unit}",
                    **style,
                )
            )
    axis = {"gridcolor": colours.grid, "zeroline": False, "fixedrange": True}
    temperatures, flows = values["y"], values["y2"]
    figure.update_layout(
        **figure_layout(theme),
        hovermode="x unified",
        hoversubplots="axis",
        uirevision=branch,
        showlegend=False,
        xaxis=axis
        | {
            "range": [iso(time) for time in window],
            "nticks": 5,
            "tickformat": "%H:%M",
            "hoverformat": "%H:%M:%S",
            "anchor": "y2",
        },
        yaxis=axis
        | {
            "domain": [FLOW_PART + 0.08, 1.0],
            "ticksuffix": "°",
            "nticks": 4,
            "range": _span(temperatures, LEAST_SPAN_C, (20.0, 60.0)),
        },
        yaxis2=axis
        | {
            "domain": [0.0, FLOW_PART],
            "nticks": 3,
            "range": _span(flows, max(1.0, 0.1 * max(flows, default=0.0)), (0.0, 30.0)),
        },
    )
    if limit is not None and temperatures and max(temperatures) > limit - 10.0:
        figure.add_shape(
            type="line",
            xref="paper",
            yref="y",
            x0=0,
            x1=1,
            y0=limit,
            y1=limit,
            line={"color": colours.over, "width": 1, "dash": "dot"},
        )
    if not temperatures and not flows:
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False)
        figure.add_annotation(
            text="No history yet",
            showarrow=False,
            xref="paper",
            yref="paper",
            x=0.5,
            y=0.5,
            font={"size": 14, "color": colours.ink},
        )
    return figure


def _span(values: list[float], least: float, empty: tuple[float, float]) -> list[float]:
    """Return an axis about the values that shows at least so much: noise must not look like events."""
    if not values:
        return list(empty)
    low, high = min(values), max(values)
    pad = max(0.06 * (high - low), (least - (high - low)) / 2)
    return [low - pad, high + pad]
