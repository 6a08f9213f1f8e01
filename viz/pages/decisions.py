"""The list of decisions: what the loop saw, tried in the twin, did, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from dash import html

from viz import ids
from viz.ids import attributes

STATE_TEXT = {
    "proposed": "Proposed",
    "approved": "Approved",
    "committed": "Committed",
    "rejected": "Rejected",
    "refused": "Refused",
    "observed": "Observed",
    "failed": "Failed",
    "idle": "All well",
}
NO_ACTION = "No action"
IDLE = "idle"
Record = Mapping[str, Any]


def decision_list(decisions: Sequence[Record], barred: str = "") -> list[Any]:
    """Build the list, newest first as given.

    Parameters
    ----------
    decisions : sequence of mapping
        Decision records.
    barred : str
        Why this visitor may not answer proposals; empty for one who may.

    Returns
    -------
    list
        Dash components; one that says so where there is no decision.
    """
    if not decisions:
        return [
            html.Div(
                [
                    html.Strong("No decisions yet"),
                    html.P("The loop looks at the room every few minutes, and on events."),
                ],
                className="empty",
            )
        ]
    runs = [(state, list(run)) for state, run in groupby(decisions, key=lambda record: record.get("state"))]
    return [
        item
        for state, run in runs
        for item in ([idle_item(run)] if state == IDLE else [decision_item(record, barred) for record in run])
    ]


def idle_item(run: Sequence[Record]) -> html.Div:
    """Build one line for looks at the room, newest first, that found nothing to do."""
    newest, oldest = run[0], run[-1]
    since = f" Checked {len(run)} times since {clock(oldest.get('time'))}." if len(run) > 1 else ""
    return html.Div(
        [
            html.Span(clock(newest.get("time")), className="decision-time"),
            html.Span(_sentence(newest.get("why")) + since, className="decision-idle"),
            html.Span(STATE_TEXT[IDLE], className="pill", **attributes(data_state=IDLE)),
        ],
        key=str(oldest.get("id")),
        className="decision idle",
    )


def decision_item(record: Record, barred: str = "") -> html.Details:
    """Build one expandable decision; a proposal has buttons, or says why there are none (``barred``)."""
    identity, state = str(record.get("id")), str(record.get("state", ""))
    chosen = chosen_candidate(record)
    head = html.Summary(
        [
            html.Span(clock(record.get("time")), className="decision-time"),
            html.Span(describe(chosen), className="decision-what", title=describe(chosen)),
            html.Span(STATE_TEXT.get(state, state), className="pill", **attributes(data_state=state)),
            html.Span(outcome(record, chosen), className="decision-outcome"),
        ]
    )
    return html.Details(
        [head, html.Div(_body(record, chosen, barred), className="decision-body")],
        key=identity,
        className="decision",
    )


def chosen_candidate(record: Record) -> Record | None:
    """Return the candidate that was chosen; None where the loop left things as they are."""
    candidates = record.get("candidates") or []
    return (
        next((c for c in candidates if c.get("id") == record.get("chosen")), None)
        if record.get("chosen")
        else None
    )


def describe(candidate: Record | None) -> str:
    """Say what a candidate does: ``move w12 R03 → R07; C1 supply 18 → 17 °C``."""
    if candidate is None:
        return NO_ACTION
    moves = candidate.get("moves") or []
    parts = [f"{move['workload']} {move['from']} → {move['to']}" for move in moves[:2]]
    if len(moves) > len(parts):
        parts.append(f"{len(moves) - len(parts)} more moves")
    parts += _settings(candidate.get("settings") or [])
    return "; ".join(parts) or NO_ACTION


def _settings(settings: Sequence[Record]) -> list[str]:
    """Say settings in words; the same change of many devices is one."""
    groups: dict[tuple[str, Any, Any], list[str]] = {}
    for setting in settings:
        asset, _, quantity = str(setting.get("point", "")).partition(".")
        groups.setdefault((quantity, setting.get("from"), setting.get("to")), []).append(asset)
    said = []
    for (quantity, before, after), assets in groups.items():
        if "temperature" in quantity:
            names, change = ("supply", "supply set points"), f"{_number(before, 1)} → {_number(after, 1)} °C"
        else:
            name = quantity.replace("_speed", "").replace("_", " ")
            names = (name, f"{name}s")
            change = f"{_percent(before)} → {_percent(after)}"
        alone = len(assets) == 1
        said.append(f"{assets[0]} {names[0]} {change}" if alone else f"{len(assets)} {names[1]} {change}")
    return said


def outcome(record: Record, chosen: Record | None) -> str:
    """Say what was predicted and seen: ``28.4 → 26.9 °C predicted · 27.0 °C observed``."""
    before = (record.get("baseline") or {}).get("max_inlet_c")
    predicted = ((chosen or {}).get("predicted") or {}).get("max_inlet_c")
    observed = (record.get("observed") or {}).get("max_inlet_c")
    if predicted is None and before is None:
        return _sentence(record.get("why"))
    if predicted is None:
        text = f"max inlet {_number(before, 1)} °C"
    else:
        text = f"{_number(before, 1)} → {_number(predicted, 1)} °C predicted"
    return text if observed is None else f"{text} · {_number(observed, 1)} °C observed"


def _body(record: Record, chosen: Record | None, barred: str) -> list[Any]:
    observed = record.get("observed") or {}
    facts = [
        ("Trigger", str(record.get("trigger", "")).replace("event:", "event: ")),
        ("Critical racks", ", ".join(record.get("critical") or []) or "none"),
        ("Can take load", ", ".join(record.get("receivers") or []) or "none"),
    ]
    if chosen is not None:
        predicted = chosen.get("predicted") or {}
        facts.append(("Air cooling, predicted", f"{_number(predicted.get('cooling_kw'), 1)} kW"))
    if observed:
        facts.append(
            ("Prediction error", f"{_number(observed.get('error_k'), 2)} K at {clock(observed.get('time'))}")
        )
    why = _sentence(record.get("why")) or "No reason was given."
    body: list[Any] = [html.P(why, className="decision-why", title=why)]
    if record.get("state") == "proposed":
        body.append(html.P(barred, className="barred") if barred else _answers(str(record.get("id"))))
    body.append(
        html.Dl(
            [part for name, value in facts for part in (html.Dt(name), html.Dd(value))], className="pairs"
        )
    )
    candidates = record.get("candidates") or []
    if candidates:
        body.append(html.Div(f"{len(candidates)} tried in the twin", className="eyebrow"))
        body.append(
            html.Ul([_candidate(c, record.get("chosen")) for c in candidates], className="candidates")
        )
    results = [result for result in record.get("results") or [] if not _accepted(result)]
    body += [html.P(f"Not carried out: {_message(result)}", className="decision-fault") for result in results]
    return body


def _answers(identity: str) -> html.Div:
    def button(verb: str, style: str) -> html.Button:
        name = {"type": ids.DECIDE, "verb": verb, "decision": identity}
        return html.Button(verb.capitalize(), id=name, className=f"button {style}")

    return html.Div([button("approve", "primary"), button("reject", "")], className="actions")


def _candidate(candidate: Record, chosen: str | None) -> html.Li:
    predicted = (candidate.get("predicted") or {}).get("max_inlet_c")
    refused = candidate.get("verdict") == "refused"
    mark = "chosen" if candidate.get("id") == chosen else "refused" if refused else "accepted"
    return html.Li(
        [
            html.Span(mark, className="mark", **attributes(data_mark=mark)),
            html.Span(describe(candidate), className="candidate-what"),
            html.Span(f"{_number(predicted, 1)} °C", className="candidate-value"),
            html.Span(_sentence(candidate.get("why")), className="candidate-why"),
        ]
    )


def _sentence(text: Any) -> str:
    words = str(text or "").strip().rstrip(".")
    return f"{words[:1].upper()}{words[1:]}.".replace(" degC", " °C") if words else ""


def _accepted(result: Any) -> bool:
    return bool(result.get("accepted", True)) if isinstance(result, Mapping) else True


def _message(result: Record) -> str:
    return f"{result.get('id', '')} {result.get('message', '')}".strip()


def _number(value: Any, digits: int) -> str:
    return "–" if value is None else f"{float(value):.{digits}f}".replace("-", "−")


def _percent(value: Any) -> str:
    return "–" if value is None else f"{100 * float(value):.0f} %"


def clock(time: Any) -> str:
    """Local wall-clock time of an epoch time, ``HH:MM:SS``; a dash for None."""
    if time is None:
        return "–"
    return datetime.fromtimestamp(float(time), UTC).astimezone().strftime("%H:%M:%S")
