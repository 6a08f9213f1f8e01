"""The coolant page: each loop as a diagram, the selected branch, its cold plate in 3-D."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import plotly.graph_objects as go
from dash import Dash, Input, Output, dcc, html, no_update

from twin.errors import OutsideError
from viz import ids
from viz.api import read_series
from viz.auth import Gate
from viz.figures.branch import branch_figure, branch_points
from viz.ids import attributes
from viz.pages.live import CHART_PERIOD, GRAPH, SPAN_TEXT, SPANS
from viz.plates import find_branch
from viz.source import History, LiveSource
from viz.theme import COOLANT_C

log = logging.getLogger(__name__)

NAME = "coolant"
PATH = "/coolant"
TITLE = "Coolant"
WATER = 1000.0  # kg/m3, for a coolant whose density is not known yet
LEAST_FLOW = 1e-5  # m3/s
BLANK = go.Figure(
    layout={
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "xaxis": {"visible": False},
        "yaxis": {"visible": False},
    }
)
"""What stands where the chart comes: nothing, in either theme."""
FIGURES = (
    ("heat", "Heat to facility water", "kW"),
    ("flow", "Coolant flow", "L/min"),
    ("supply", "Supply", "°C"),
    ("pressure", "Supply over return", "kPa"),
    ("pumps", "Pump power", "W"),
    ("chip", "Hottest chips", "°C"),
)
COLUMNS = (
    ("Branch", ""),
    ("Rack", ""),
    ("Flow", "L/min"),
    ("Supply", "°C"),
    ("Return", "°C"),
    ("Heat", "kW"),
    ("Chips", "°C"),
    ("Limit", "°C"),
    ("Pressure drop", "kPa"),
    ("Valve", "%"),
    ("Leak", "g/s"),
)


def layout() -> html.Div:
    """Build the page; the browser's part fills the live numbers and the diagram in."""
    return html.Div(
        [
            html.Div(
                [_loop(), html.Div([_branch(), _plate()], className="coolant-side")], className="coolant-body"
            ),
            html.Div(
                [html.Strong(id="no-loops-title"), html.P(id="no-loops-text")],
                id="no-loops",
                className="no-loops panel",
            ),
            dcc.Store(id=ids.SELECTED_BRANCH),
            dcc.Interval(id=ids.BRANCH_CLOCK, interval=CHART_PERIOD),
        ],
        className="view",
        id=ids.COOLANT,
        **attributes(data_view=NAME, data_config=json.dumps({"coolant": COOLANT_C, "columns": COLUMNS})),
    )


def _loop() -> html.Section:
    return html.Section(
        [
            html.Div(
                [
                    html.H2("Loop", id="loop-title"),
                    html.Span(id="loop-fluid", className="hint"),
                    html.Span(id="loop-state", className="pill"),
                    html.Div(id="loop-tabs"),
                    html.Div(id="loop-views"),
                ],
                className="panel-head",
            ),
            html.Dl([_figure(*figure) for figure in FIGURES], className="loop-figures"),
            html.Ul(id="loop-findings", className="loop-findings", role="status"),
            html.Div(
                [
                    html.Div(id="loop-cdu", className="loop-cdu"),
                    html.Div(
                        [
                            html.Div(id="loop-trunk", className="loop-trunk"),
                            html.Div(id="loop-ladder", className="loop-ladder"),
                        ],
                        className="loop-right",
                    ),
                ],
                id="loop-diagram",
                className="loop-diagram",
            ),
            html.Div(id="loop-table", className="loop-table"),
            html.Div(
                [
                    html.Div(id="legend-coolant", className="legend"),
                    html.Div(
                        [
                            html.Span([html.I(**attributes(data_tone=tone)), text], className="band")
                            for tone, text in (
                                ("recommended", "chips below limit"),
                                ("allowable", "less than 5 K below"),
                                ("over", "over limit"),
                            )
                        ],
                        className="bands",
                    ),
                ],
                className="dock loop-legend",
            ),
        ],
        className="panel loop",
        id="loop-panel",
    )


def _figure(name: str, label: str, unit: str) -> html.Div:
    return html.Div(
        [
            html.Dt(label),
            html.Dd([html.B("–", id=f"loop-{name}"), html.Span(unit, className="unit")]),
            html.Dd(id=f"loop-{name}-note", className="loop-note"),
        ],
        className="loop-figure",
        id=f"loop-{name}-figure",
    )


def _branch() -> html.Section:
    keys = [html.Span([html.I(**attributes(data_position=p)), text]) for p, text in
            (("top", "chips, °C"), ("middle", "return, °C"), ("bottom", "flow, L/min"))]  # fmt: skip
    return html.Section(
        [
            html.Div(
                [
                    html.H2("Branch", id="branch-title"),
                    html.Span(id="branch-band", className="pill"),
                    html.Span(id="branch-place", className="hint"),
                ],
                className="panel-head",
            ),
            html.Div("Select a branch in the diagram.", id="branch-empty", className="empty"),
            html.Div(
                [
                    html.Dl(id="branch-facts", className="facts branch-facts"),
                    html.Div(
                        [
                            html.Div(
                                [*keys, html.Span("line: twin · dots: sensor", className="hint")],
                                className="chart-legend",
                            ),
                            dcc.RadioItems(
                                id=ids.BRANCH_SPAN,
                                options=[{"label": text, "value": key} for key, text in SPAN_TEXT.items()],
                                value="5m",
                                className="segmented",
                                labelClassName="segment",
                                inputClassName="segment-input",
                            ),
                        ],
                        className="chart-head",
                    ),
                    html.Div(
                        dcc.Graph(id=ids.BRANCH_CHART, figure=BLANK, config=GRAPH),
                        className="chart branch-chart",
                    ),
                ],
                id="branch-detail",
                className="rack-detail",
                hidden=True,
            ),
        ],
        className="panel",
        id="branch-panel",
    )


def _plate() -> html.Section:
    return html.Section(
        [
            html.Div(
                [
                    html.H2("Cold plate", id="plate-title"),
                    html.Div(id="plate-views", hidden=True),
                ],
                className="panel-head",
            ),
            html.Div(
                [
                    html.Div(id="plate-canvas", className="viewer-canvas"),
                    html.Div(id="plate-state", className="plate-caption", role="status"),
                    html.Div(
                        [html.Strong(id="plate-waiting-title"), html.P(id="plate-waiting-text")],
                        id="plate-waiting",
                        className="waiting",
                    ),
                ],
                className="viewer-stage",
            ),
            html.Div(id="plate-note", className="plate-note", role="note"),
            html.Div(
                [
                    html.Div(
                        html.Span("Cut, mm", className="legend-title"),
                        id="plate-cuts",
                        className="slices cuts",
                    ),
                    html.Div(
                        [
                            html.Div(id="legend-plate", className="legend"),
                            html.Span(id="plate-numbers", className="hint"),
                        ],
                        className="legends",
                    ),
                ],
                className="dock plate-dock",
                id="plate-dock",
                hidden=True,
            ),
        ],
        className="panel plate",
        id="plate-panel",
    )


def coolant_density(summary: dict[str, Any] | None, loop: str) -> float | None:
    """Return the density of a loop's coolant from the twin's mass and volume flow; None while it stands.

    Parameters
    ----------
    summary : dict or None
    loop : str

    Returns
    -------
    float or None
        [kg/m3].
    """
    body = ((summary or {}).get("loops") or {}).get(loop) or {}
    point = ((summary or {}).get("sensors") or {}).get(f"{body.get('cdu')}.coolant_flow") or {}
    volume, mass = body.get("flow_m3_s"), point.get("predicted")
    if volume is None or mass is None or abs(volume) < LEAST_FLOW or mass / volume <= 0.0:
        return None
    return float(mass / volume)


def register(app: Dash, source: LiveSource, history: History, gate: Gate) -> None:
    """Attach the page's callbacks to the application.

    Parameters
    ----------
    app : Dash
    source : LiveSource
    history : History
    gate : Gate
        Not asked: the page only shows.
    """
    densities: dict[str, float] = {}

    @app.callback(
        Output(ids.BRANCH_CHART, "figure"),
        Input(ids.SELECTED_BRANCH, "data"),
        Input(ids.BRANCH_SPAN, "value"),
        Input(ids.THEME, "data"),
        Input(ids.BRANCH_CLOCK, "n_intervals"),
    )
    async def draw_chart(branch: str | None, span: str, theme: str | None, _clock: int | None) -> Any:
        if not branch:
            return no_update
        seconds, end = SPANS.get(span, SPANS["5m"]), time.time()
        found = find_branch(source.snapshot, branch)
        limit = found[1].get("limit_c") if found else None
        loop = found[0] if found else ""
        densities[loop] = coolant_density(source.snapshot, loop) or densities.get(loop, WATER)
        try:
            series = await read_series(history, branch_points(branch), seconds, end)
        except OutsideError as error:
            log.warning("%s", error)
            return no_update
        return branch_figure(branch, series, theme, (end - seconds, end), limit, densities[loop])
