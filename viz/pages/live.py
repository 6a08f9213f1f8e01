"""The live page: the room, its racks, the selected one, the decisions."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import plotly.graph_objects as go
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update

from twin.errors import OutsideError
from viz import ids
from viz.api import VERDICTS, read_decisions, read_series
from viz.auth import ONLY_HERE, Gate
from viz.figures.history import history_figure, inlet_points
from viz.figures.room import plan_figure, room_figure
from viz.ids import attributes
from viz.pages.decisions import decision_list
from viz.source import History, LiveSource
from viz.theme import ISOSURFACES_C, LIMITS_C, RECOMMENDED_C, SHOWN_C

log = logging.getLogger(__name__)

NAME = "live"
PATH = "/"
TITLE = "Live"
SPANS = {"5m": 300.0, "30m": 1800.0, "6h": 21600.0}
SPAN_TEXT = {"5m": "5 min", "30m": "30 min", "6h": "6 h"}
CHART_PERIOD = 4000  # ms
FALLBACK_PERIOD = 5000  # ms; plotly takes more than a second for a 3-D update
DECISIONS_SHOWN = 40
GRAPH: Any = {"displayModeBar": False, "responsive": True, "scrollZoom": False}
BANDS = ("below", "recommended", "allowable", "over")


def layout() -> html.Div:
    """Build the page; the browser's part fills the live numbers in."""
    return html.Div(
        [_kpis(), html.Div([_racks(), _room(), _side()], className="body"), *_stores()],
        className="view",
        **attributes(data_view=NAME),
    )


def _stores() -> list[Any]:
    names = (ids.SELECTED_RACK, ids.DECISIONS_SEEN, ids.SCENE_NUMBER, ids.VIEWER_MODE)
    clocks = [
        dcc.Interval(id=ids.CHART_CLOCK, interval=CHART_PERIOD),
        dcc.Interval(id=ids.FALLBACK_CLOCK, interval=FALLBACK_PERIOD),
    ]
    return [*(dcc.Store(id=name) for name in names), *clocks]


def _kpis() -> html.Section:
    figures = (
        ("inlet", "Max rack inlet", "°C"),
        ("over", f"Racks over {RECOMMENDED_C[1]:.0f} °C", ""),
        ("it", "IT load", "kW"),
        ("cooling", "Heat removed, air and liquid", "kW"),
        ("error", "Twin error", "K"),
    )
    return html.Section(
        [_kpi(*figure) for figure in figures], className="kpis", **attributes(aria_label="Key figures")
    )


def _kpi(name: str, label: str, unit: str) -> html.Div:
    return html.Div(
        [
            html.Div(label, className="kpi-label"),
            html.Div(
                [
                    html.Span("–", id=f"kpi-{name}-value", className="kpi-value"),
                    html.Span(unit, className="unit"),
                ],
                className="kpi-figure",
            ),
            html.Div(id=f"kpi-{name}-note", className="kpi-note"),
            html.Div(id=f"kpi-{name}-spark", className="kpi-spark"),
        ],
        id=f"kpi-{name}",
        className="kpi",
    )


def _racks() -> html.Section:
    return html.Section(
        [
            html.Div(
                [html.H2("Racks"), html.Span("hottest first", className="hint")], className="panel-head"
            ),
            html.Div(
                [html.Span("Rack"), html.Span("Inlet max, °C"), html.Span("kW")],
                className="row-head",
                **attributes(aria_hidden="true"),
            ),
            html.Div(
                id="rack-list",
                className="rack-list",
                role="listbox",
                **attributes(aria_label="Racks by inlet temperature"),
            ),
            html.Div(
                [html.H2("Coolers"), html.Span("supply → return, °C", className="hint")],
                className="panel-head coolers-head",
            ),
            html.Ul(id="cooler-list", className="cooler-list"),
        ],
        className="panel racks",
        id="racks-panel",
    )


def _room() -> html.Section:
    config = {
        "limits": LIMITS_C,
        "shown": SHOWN_C,
        "isosurfaces": ISOSURFACES_C,
    }
    return html.Section(
        [
            html.Div(
                [
                    html.H2("Room"),
                    html.Div(id="viewer-surfaces", className="surfaces"),
                    html.Div(id="viewer-views"),
                ],
                className="panel-head",
            ),
            html.Div(
                [
                    html.Div(id="viewer-canvas", className="viewer-canvas"),
                    html.Div(
                        [
                            html.P(
                                "This browser has no WebGL 2: a simpler picture of the same data.",
                                className="fallback-note",
                            ),
                            dcc.Graph(
                                id=ids.FALLBACK, figure=go.Figure(), config=GRAPH, className="fallback-graph"
                            ),
                        ],
                        className="fallback",
                    ),
                    html.Div(
                        [
                            html.Div(className="waiting-mark"),
                            html.Strong("Waiting for the twin", id="waiting-title"),
                            html.P(id="waiting-text"),
                        ],
                        id="waiting",
                        className="waiting",
                    ),
                ],
                className="viewer-stage",
            ),
            html.Div(
                [
                    html.Div(id="viewer-slices", className="slices"),
                    html.Div(
                        [
                            html.Div(id="legend-air", className="legend legend-air"),
                            html.Div(
                                [
                                    html.Div("Rack inlet, °C (ASHRAE)", className="legend-title"),
                                    html.Div(
                                        [
                                            html.Span(
                                                [
                                                    html.I(**attributes(data_band=band)),
                                                    html.Span(band, id=f"band-{band}"),
                                                ],
                                                className="band",
                                            )
                                            for band in BANDS
                                        ],
                                        className="bands",
                                    ),
                                ],
                                className="legend legend-bands",
                            ),
                        ],
                        className="legends",
                    ),
                ],
                className="dock",
            ),
        ],
        className="panel room",
        id=ids.VIEWER,
        **attributes(data_config=json.dumps(config)),
    )


def _side() -> html.Div:
    return html.Div([_rack_panel(), _decisions_panel()], className="side")


def _rack_panel() -> html.Section:
    legend = [html.Span([html.I(**attributes(data_position=p)), p]) for p in ("bottom", "middle", "top")]
    return html.Section(
        [
            html.Div(
                [
                    html.H2("Rack", id="rack-title"),
                    html.Span(id="rack-band", className="pill"),
                    html.Span(id="rack-agent", className="hint"),
                ],
                className="panel-head",
            ),
            html.Div("Select a rack in the picture or in the list.", id="rack-empty", className="empty"),
            html.Div(
                [
                    html.Dl(id="rack-facts", className="facts"),
                    html.Div(
                        [
                            html.Span("Inlet temperature, °C", className="eyebrow"),
                            dcc.RadioItems(
                                id=ids.CHART_SPAN,
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
                        [*legend, html.Span("line: twin · dots: sensor", className="hint")],
                        className="chart-legend",
                    ),
                    html.Div(dcc.Graph(id=ids.CHART, figure=go.Figure(), config=GRAPH), className="chart"),
                ],
                id="rack-detail",
                className="rack-detail",
                hidden=True,
            ),
        ],
        className="panel rack",
        id="rack-panel",
    )


def _decisions_panel() -> html.Section:
    return html.Section(
        [
            html.Div(
                [html.H2("Decisions"), html.Span(id=ids.DECISION_ANSWER, className="hint", role="status")],
                className="panel-head",
            ),
            html.Div(id=ids.DECISION_LIST, className="decision-list"),
        ],
        className="panel decisions",
        id="decisions-panel",
    )


def register(app: Dash, source: LiveSource, history: History, gate: Gate) -> None:
    """Attach the page's callbacks to the application.

    Parameters
    ----------
    app : Dash
    source : LiveSource
    history : History
    gate : Gate
        Says who may decide.
    """
    app.clientside_callback(
        ClientsideFunction("racklet", "mount"), Output(ids.MOUNTED, "data"), Input(ids.VIEWER, "id")
    )

    @app.callback(
        Output(ids.CHART, "figure"),
        Input(ids.SELECTED_RACK, "data"),
        Input(ids.CHART_SPAN, "value"),
        Input(ids.THEME, "data"),
        Input(ids.CHART_CLOCK, "n_intervals"),
    )
    async def draw_chart(rack: str | None, span: str, theme: str | None, _clock: int | None) -> Any:
        if not rack:
            return no_update
        seconds, end = SPANS.get(span, SPANS["5m"]), time.time()
        try:
            series = await read_series(history, inlet_points(rack), seconds, end)
        except OutsideError as error:
            log.warning("%s", error)
            return no_update
        return history_figure(rack, series, theme, (end - seconds, end))

    @app.callback(
        Output(ids.FALLBACK, "figure"),
        Input(ids.VIEWER_MODE, "data"),
        Input(ids.SCENE_NUMBER, "data"),
        Input(ids.THEME, "data"),
        Input(ids.FALLBACK_CLOCK, "n_intervals"),
    )
    async def draw_fallback(
        mode: str | None, _scene: int | None, theme: str | None, _clock: int | None
    ) -> Any:
        scene = source.scene()
        if mode not in {"plotly", "plan"} or scene is None:
            return no_update
        draw = room_figure if mode == "plotly" else plan_figure
        return draw(scene["boxes"], (source.snapshot or {}).get("racks", {}), theme, source.field())

    @app.callback(
        Output(ids.DECISION_LIST, "children"),
        Input(ids.DECISIONS_SEEN, "data"),
        Input(ids.DECISION_ANSWER, "children"),
    )
    async def list_decisions(_seen: str | None, _answer: str | None) -> Any:
        barred = "" if gate.may_decide(ctx.remote) else ONLY_HERE
        try:
            return decision_list(await read_decisions(source, history, DECISIONS_SHOWN), barred)
        except OutsideError as error:
            log.warning("%s", error)
            return no_update

    @app.callback(
        Output(ids.DECISION_ANSWER, "children"),
        Input({"type": ids.DECIDE, "verb": ALL, "decision": ALL}, "n_clicks"),
        State(ids.DECISION_ANSWER, "children"),
        prevent_initial_call=True,
    )
    async def decide(clicks: list[int | None], _before: str | None) -> Any:
        trigger = ctx.triggered_id
        if not isinstance(trigger, dict) or trigger["verb"] not in VERDICTS or not any(clicks):
            return no_update
        if not gate.may_decide(ctx.remote):
            return ONLY_HERE
        try:
            await source.feed.request(trigger["verb"], id=trigger["decision"])
        except OutsideError as error:
            return str(error)
        return f"{'Approved' if trigger['verb'] == 'approve' else 'Rejected'}."
