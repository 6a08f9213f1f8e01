"""Sensor against twin over time, for one rack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median

import plotly.graph_objects as go

from viz.theme import RECOMMENDED_C, figure_layout, palette

SHORTEST_GAP = 5.0  # s
GAP_FACTOR = 4.0  # of the usual distance between values
POSITIONS = ("bottom", "middle", "top")

Curve = Sequence[Sequence[float]]


def inlet_points(rack: str) -> list[str]:
    """Name the three inlet sensors of a rack, bottom first."""
    return [f"{rack}.inlet_temperature.{position}" for position in POSITIONS]


def history_figure(
    rack: str,
    series: Mapping[str, Mapping[str, Curve]],
    theme: str | None,
    window: tuple[float, float],
) -> go.Figure:
    """Draw the inlet temperatures of a rack: dots are sensors, lines are the twin.

    Parameters
    ----------
    rack : str
    series : mapping
        Point -> ``measured`` and ``predicted`` -> [(time [s since epoch], degC), ...].
    theme : str or None
        ``dark`` or ``light``.
    window : tuple of two float
        Start and end of the time axis. [s since epoch]

    Returns
    -------
    plotly.graph_objects.Figure
        With an annotation instead of curves where nothing is known yet.
    """
    colours = palette(theme)
    figure = go.Figure()
    values: list[float] = []
    for position, point, colour in zip(POSITIONS, inlet_points(rack), colours.positions, strict=True):
        curves = series.get(point, {})
        measured, predicted = list(curves.get("measured", ())), list(curves.get("predicted", ()))
        values += [float(value) for _, value in (*measured, *predicted)]
        figure.add_trace(
            go.Scatter(
                x=clock(measured),
                y=[value for _, value in measured],
                mode="markers",
                marker={"size": 3, "color": colour, "opacity": 0.55},
                name=f"{position}, sensor",
                showlegend=False,
                hovertemplate="%{y:.2f} °C",
            )
        )
        figure.add_trace(
            go.Scatter(
                x=clock(predicted),
                y=broken(predicted),
                mode="lines",
                connectgaps=False,
                line={"width": 1.8, "color": colour},
                name=f"{position}, twin",
                showlegend=False,
                hovertemplate="%{y:.2f} °C",
            )
        )
    figure.update_layout(**figure_layout(theme), hovermode="x unified", uirevision=rack, showlegend=False)
    figure.update_xaxes(
        range=[iso(time) for time in window],
        gridcolor=colours.grid,
        zeroline=False,
        nticks=5,
        tickformat="%H:%M",
        hoverformat="%H:%M:%S",
        fixedrange=True,
    )
    figure.update_yaxes(
        gridcolor=colours.grid, zeroline=False, ticksuffix="°", nticks=5, fixedrange=True, range=_span(values)
    )
    if values and max(values) > RECOMMENDED_C[1] - 1.5:
        figure.add_hline(y=RECOMMENDED_C[1], line={"color": colours.allowable, "width": 1, "dash": "dot"})
    if not values:
        figure.add_annotation(
            text="No history of this rack yet",
            showarrow=False,
            xref="paper",
            yref="paper",
            x=0.5,
            y=0.5,
            font={"size": 12, "color": colours.muted},
        )
    return figure


def clock(curve: Curve) -> list[str]:
    """Return the times of a curve as local wall-clock text."""
    return [iso(point[0]) for point in curve]


def broken(curve: Curve) -> list[float | None]:
    """Return the values of a curve, with None for the first after a gap: an outage must look like one."""
    steps = [later[0] - earlier[0] for earlier, later in pairwise(curve)]
    gap = max(SHORTEST_GAP, GAP_FACTOR * median(steps)) if steps else SHORTEST_GAP
    return [None if i and steps[i - 1] > gap else point[1] for i, point in enumerate(curve)]


def iso(time: float) -> str:
    """Return local wall-clock time, as people in the room read it."""
    return datetime.fromtimestamp(time, UTC).astimezone().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def _span(values: Sequence[float]) -> list[float]:
    """Return an axis that shows at least 4 K, so that sensor noise does not look like weather."""
    if not values:
        return [18.0, 28.0]
    low, high = min(values), max(values)
    pad = max(0.5, (4.0 - (high - low)) / 2)
    return [low - pad, high + pad]
