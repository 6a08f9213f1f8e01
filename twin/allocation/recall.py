"""Recall: what the loop knew before it was stopped, from the decisions that were stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from twin.allocation.memory import Memory
from twin.allocation.plan import FAN, PUMP, SUPPLY, Candidate, steps_of
from twin.allocation.record import Record, candidate_of
from twin.allocation.screening import Influence
from twin.model.schema import Layout

AWAY = 900.0  # s without decisions; after such a time actuators may have gone back to their nominal values


@dataclass
class History:
    """What is still to be done with the stored decisions.

    Attributes
    ----------
    last : float or None      When the last decision was made. [s since epoch]
    watched : list of dict    Committed plans whose prediction has not been compared yet.
    proposal : dict or None   The proposal that waits for a person.
    closed : list of dict     Decisions that were open and are not any more, to be stored.
    """

    last: float | None = None
    watched: list[Record] = field(default_factory=list)
    proposal: Record | None = None
    closed: list[Record] = field(default_factory=list)

    def close(self, decision: Record, state: str, why: str) -> None:
        """Close a decision that is open."""
        decision["state"], decision["why"] = state, f"{decision['why']}; {why}"
        self.closed.append(decision)


def recall(
    decisions: Iterable[Record],
    layout: Layout,
    memory: Memory,
    influence: Influence,
    now: float,
    period: float,
) -> History:
    """Rebuild memory and influences from stored decisions.

    What points were set to is forgotten wherever no decision was made for 900 s or four periods, whichever
    is longer: nobody knows what became of the set points meanwhile, so what is measured counts. Decisions
    that name a rack, or a point to be set, that the layout does not have say nothing of this room: nothing
    is learnt from them, and those that are open are closed.

    Parameters
    ----------
    decisions : iterable of dict    In any order.
    layout : Layout
    memory : Memory                 Filled.
    influence : Influence           Taught.
    now : float                     [s since epoch]
    period : float                  Between decisions. [s]
    """
    history = History()
    away = max(AWAY, 4.0 * period)
    for decision in sorted(decisions, key=lambda record: record["time"]):
        if history.last is not None and decision["time"] > history.last + away:
            memory.forget_commands()
        history.last = decision["time"]
        missing = missing_assets(decision, layout)
        if missing:
            _leave_out(decision, f"the layout has changed: no {', '.join(missing)}", history)
        else:
            _learn_again(decision, influence)
            _take_in(decision, memory, now, history)
    if history.last is not None and now > history.last + away:
        memory.forget_commands()
    return history


def missing_assets(decision: Record, layout: Layout) -> list[str]:
    """Name the racks and writable points in a decision's candidates that the layout does not have."""
    known = {rack.id for rack in layout.racks}
    known |= {f"{cooler.id}.{quantity}" for cooler in layout.coolers for quantity in (SUPPLY, FAN)}
    known |= {f"{racklet.id}.{FAN}" for racklet in layout.racklets}
    known |= {f"{r.id}.{PUMP}" for r in layout.racklets if r.cooling_module.kind == "liquid"}
    named: set[str] = set()
    for entry in decision["candidates"]:
        named |= {move[end] for move in entry["moves"] for end in ("from", "to")}
        named |= {setting["point"] for setting in entry["settings"]}
    return sorted(named - known)


def _leave_out(decision: Record, why: str, history: History) -> None:
    if decision["state"] == "proposed":
        history.close(decision, "rejected", why)
    elif decision["state"] == "approved":
        history.close(decision, "failed", f"broken off by a restart; {why}")
    elif decision["state"] == "committed" and not decision.get("unobserved"):
        decision["unobserved"] = f"not compared: {why}"
        history.close(decision, "committed", decision["unobserved"])


def _take_in(decision: Record, memory: Memory, now: float, history: History) -> None:
    state = decision["state"]
    if decision.get("committed_at") is not None:
        memory.note(steps_of(_chosen(decision)), decision["committed_at"])
    if state == "failed":
        memory.rest(_chosen(decision).moves, decision["time"])
    elif state == "committed" and not decision.get("unobserved"):
        history.watched.append(decision)
    elif state == "observed" and decision["observed"]["error_k"] is not None:
        memory.errors.append(decision["observed"]["error_k"])
    elif state == "approved":
        done = sum(result["accepted"] for result in decision["results"])
        memory.note(steps_of(_chosen(decision))[:done], decision["time"])
        history.close(decision, "failed", f"broken off after {done} steps by a restart")
    elif state == "proposed":
        if now < decision["expires"]:
            history.proposal = decision
        else:
            history.close(decision, "rejected", "expired during a restart")


def _chosen(decision: Record) -> Candidate:
    return candidate_of(decision, decision["chosen"])


def _learn_again(decision: Record, influence: Influence) -> None:
    baseline = (decision.get("baseline") or {}).get("racks", {})
    for entry in decision["candidates"]:
        if entry["predicted"] is not None:
            change = {
                rack: values["inlet_max_c"] - baseline[rack]["inlet_max_c"]
                for rack, values in entry["predicted"]["racks"].items()
                if rack in baseline
            }
            influence.learn(candidate_of(decision, entry["id"]), change)
