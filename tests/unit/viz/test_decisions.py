"""The list of decisions, from records as the loop writes them."""

import json

import plotly.utils

from viz import ids
from viz.pages.decisions import chosen_candidate, decision_item, decision_list, describe, outcome

MOVE = {"workload": "w17", "from": "R09", "to": "R12", "power_w": 1800.0}
SETTING = {"point": "C1.supply_temperature", "from": 18.0, "to": 17.0}
FAN = {"point": "K03.fan_speed", "from": 0.6, "to": 0.75}
ACCEPTED = {
    "id": "a",
    "moves": [MOVE],
    "settings": [SETTING, FAN],
    "predicted": {"max_inlet_c": 26.4},
    "verdict": "accepted",
    "why": "holds",
}
RECORD = {
    "id": "d1",
    "time": 1000.0,
    "trigger": "event:R09",
    "mode": "advise",
    "state": "proposed",
    "baseline": {"max_inlet_c": 28.1},
    "critical": ["R09"],
    "receivers": ["R12"],
    "candidates": [ACCEPTED],
    "chosen": "a",
    "why": "R09 is hot",
    "committed_at": None,
    "results": [],
    "observed": None,
}


def text_of(component: object) -> str:
    return json.dumps(component, cls=plotly.utils.PlotlyJSONEncoder, ensure_ascii=False)


def test_what_a_candidate_does_is_said_in_words() -> None:
    assert describe(ACCEPTED) == "w17 R09 → R12; C1 supply 18.0 → 17.0 °C; K03 fan 60 % → 75 %"
    pumps = [{"point": f"K{i:02d}.pump_speed", "from": 0.6, "to": 0.8} for i in range(12)]
    assert describe({"settings": pumps}) == "12 pumps 60 % → 80 %"
    supplies = [{"point": f"C{i}.supply_temperature", "from": 19.0, "to": 19.5} for i in (1, 2)]
    assert describe({"settings": supplies}) == "2 supply set points 19.0 → 19.5 °C"
    assert describe(None) == "No action"
    assert describe({"moves": [MOVE] * 5}) == "w17 R09 → R12; w17 R09 → R12; 3 more moves"


def test_outcome_compares_before_predicted_and_observed() -> None:
    assert outcome(RECORD, ACCEPTED) == "28.1 → 26.4 °C predicted"
    assert (
        outcome({**RECORD, "observed": {"max_inlet_c": 26.6}}, ACCEPTED)
        == "28.1 → 26.4 °C predicted · 26.6 °C observed"
    )
    assert outcome({**RECORD, "chosen": None}, None) == "max inlet 28.1 °C"
    blind = {"baseline": None, "why": "the twin has not been compared with any sensor yet"}
    assert outcome(blind, None) == "The twin has not been compared with any sensor yet."


def test_only_a_proposal_can_be_answered() -> None:
    assert ids.DECIDE in text_of(decision_item(RECORD))
    for state in ("approved", "committed", "rejected", "refused", "observed", "failed"):
        assert ids.DECIDE not in text_of(decision_item({**RECORD, "state": state}))


def test_who_may_not_answer_is_told_why() -> None:
    text = text_of(decision_list([RECORD], "Only there."))
    assert ids.DECIDE not in text
    assert "Only there." in text


def test_a_refused_command_is_shown() -> None:
    record = {
        **RECORD,
        "results": [
            {"id": "m1", "accepted": False, "message": "R12 is full"},
            {"id": "m2", "accepted": True},
        ],
    }
    text = text_of(decision_item(record))
    assert "R12 is full" in text
    assert "m2" not in text


def test_every_part_of_the_record_may_be_missing() -> None:
    assert "No reason was given." in text_of(decision_item({"id": "x"}))
    assert chosen_candidate({"chosen": "zz", "candidates": [ACCEPTED]}) is None


def test_empty_list_says_what_will_come() -> None:
    assert "No decisions yet" in text_of(decision_list([]))


def test_a_run_of_quiet_checks_is_one_line() -> None:
    quiet = [
        {"id": f"q{i}", "time": 1000.0 - i, "state": "idle", "why": "all inlets are within limits"}
        for i in range(3)
    ]
    shown = decision_list([*quiet, RECORD, quiet[0]])
    assert len(shown) == 3
    assert "All inlets are within limits. Checked 3 times since" in text_of(shown[0])
    assert "Checked" not in text_of(shown[2])
