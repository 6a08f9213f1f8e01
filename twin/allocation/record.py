"""The decision record: what is kept of a decision, and read back after a restart.

The keys are those that the page and the historian rely on; ``budget``, ``blind``, ``margin_k``, ``expires``,
``unobserved`` and a candidate's ``score`` come on top. A committed decision with ``unobserved`` is closed: it
was carried out, and for the reason given there it is never compared with what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.allocation.gate import TrialResult
from twin.allocation.plan import Candidate, Move, Setting
from twin.units import celsius

Record = dict[str, Any]

UNOBSERVED = "not compared: nothing was measured in the time that the prediction speaks of"


def predicted(inlet: Mapping[str, float], result: TrialResult, electric_power: float) -> Record:
    """Return what a trial says: inlets [K] corrected by the sensors, electric power of the cooling [W]."""
    return {
        "max_inlet_c": round(celsius(max(inlet.values())), 2),
        "racks": {rack: {"inlet_max_c": round(celsius(value), 2)} for rack, value in inlet.items()},
        "cooling_kw": round(sum(result.cooler_power.values()) / 1e3, 3),
        "electric_kw": round(electric_power / 1e3, 3),
    }


def entry_of(decision: Record, id: str) -> Record:
    """Return the record of one of the decision's candidates."""
    return next(entry for entry in decision["candidates"] if entry["id"] == id)


def candidate_of(decision: Record, id: str) -> Candidate:
    """Return one of the decision's candidates as it was proposed."""
    entry = entry_of(decision, id)
    return Candidate(
        id,
        tuple(Move.from_json(move) for move in entry["moves"]),
        tuple(Setting.from_json(setting) for setting in entry["settings"]),
        decision["why"],
    )


def comparison_window(decision: Record) -> tuple[float, float]:
    """Return the time that a committed prediction speaks of, the second half of its horizon. [s]."""
    horizon = entry_of(decision, decision["chosen"])["horizon_s"]
    return decision["committed_at"] + 0.5 * horizon, decision["committed_at"] + horizon


def observation(decision: Record, seen: Mapping[str, float], now: float) -> tuple[Record, float | None]:
    """Compare what was predicted with what was measured.

    Parameters
    ----------
    decision : dict    Committed.
    seen : mapping     Rack -> hottest inlet, for one rack at least. [K]
    now : float        [s since epoch]

    Returns
    -------
    observed : dict          For the decision.
    error : float or None    Mean over the racks; None if no rack is in both. [K]
    """
    measured = {rack: celsius(value) for rack, value in seen.items()}
    racks = entry_of(decision, decision["chosen"])["predicted"]["racks"]
    expected = {rack: values["inlet_max_c"] for rack, values in racks.items()}
    errors = [abs(measured[rack] - expected[rack]) for rack in measured if rack in expected]
    error = sum(errors) / len(errors) if errors else None
    observed: Record = {
        "time": now,
        "max_inlet_c": round(max(measured.values()), 2),
        "racks": {rack: {"inlet_max_c": round(value, 2)} for rack, value in measured.items()},
        "error_k": None if error is None else round(error, 3),
    }
    return observed, error
