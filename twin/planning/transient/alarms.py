"""What the coolant loops passed on the way of a simulation: when first, when last, how far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twin.model.circuits import Alarm


class AlarmLog:
    """Limits that loops passed, each from its first to its last moment with the worst of it.

    Parameters
    ----------
    rows : sequence of dict, optional
        Of an earlier log, `rows`, to go on from.

    Attributes
    ----------
    rows : list of dict
        ``loop``, ``name``, ``text`` of the worst moment, ``first_s``, ``worst_s``, ``last_s`` [s], ``value``.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]] = ()) -> None:
        self.rows = [dict(row) for row in rows]

    def note(self, time: float, alarms: Mapping[str, Sequence[Alarm]]) -> None:
        """Take down what loops say at a time [s]; what has no limit, a pump at rest, is left out."""
        for loop, said in alarms.items():
            for alarm in said:
                if alarm.passes:
                    self._note(time, loop, alarm)

    def as_json(self) -> list[dict[str, Any]]:
        """Return the rows in the order of their beginning, without the values that they are compared by."""
        rows = sorted(self.rows, key=lambda row: row["first_s"])
        return [{name: value for name, value in row.items() if name != "value"} for row in rows]

    def texts(self) -> list[str]:
        """Say each kind in a line: the worst of it, when it was first seen, worst and last, and how many."""
        kinds: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in sorted(self.rows, key=lambda row: row["first_s"]):
            kinds.setdefault((row["loop"], row["name"].rpartition(".")[2]), []).append(row)
        return [_line(loop, rows) for (loop, _), rows in kinds.items()]

    def _note(self, time: float, loop: str, alarm: Alarm) -> None:
        row = next((r for r in self.rows if (r["loop"], r["name"]) == (loop, alarm.name)), None)
        if row is None:
            row = {"loop": loop, "name": alarm.name, "first_s": time, "value": -float("inf")}
            self.rows.append(row)
        row["last_s"] = time
        if alarm.value > row["value"]:
            row |= {"value": alarm.value, "worst_s": time, "text": alarm.text}


def _line(loop: str, rows: Sequence[Mapping[str, Any]]) -> str:
    worst = max(rows, key=lambda row: row["value"])
    first, last = min(row["first_s"] for row in rows), max(row["last_s"] for row in rows)
    others = f"; {len(rows) - 1} other{'s' if len(rows) > 2 else ''} alike" if len(rows) > 1 else ""
    return (
        f"loop '{loop}': {worst['text']} (first seen at {first:.0f} s, worst at {worst['worst_s']:.0f} s, "
        f"last at {last:.0f} s{others})"
    )
