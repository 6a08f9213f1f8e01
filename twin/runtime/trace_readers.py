"""Readers of the power recordings that a trace can be made of; each form is known by its columns.

=================  ==========================================================================
form               columns
=================  ==========================================================================
telemetry table    ``time`` (ISO 8601 or seconds) and ``<rack>.power`` in W; other points are left
Frontier CDUs      ``time`` in seconds and ``power[1]`` .. ``power[25]`` in W
SURF tasks         ``id submission_time duration cpu_count cpu_capacity`` (ms, MHz)
SURF fragments     ``id duration cpu_usage`` (ms, MHz), one row per 30 s of a task
=================  ==========================================================================

A reader gets the whole table, collects every fault in a list of findings, and returns a :class:`Recording`
or, where a fault is an error, ``None``.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from twin.errors import Finding, Severity

SURF_TASKS = frozenset({"id", "submission_time", "duration", "cpu_count", "cpu_capacity"})
SURF_FRAGMENTS = frozenset({"id", "duration", "cpu_usage"})
SURF_STEP = 30.0  # s, the length of every fragment
BINS_PER_RACK = 5  # tasks of the SURF recording are grouped into this many workloads a rack
FORMS = (
    "a telemetry table (time, R01.power, ..), frontier_cdu_power_15s.csv (time, power[1], ..), or "
    "surf_week_tasks/fragments.parquet (id, submission_time, .. / id, duration, cpu_usage)"
)
_FRONTIER_COLUMN = re.compile(r"power\[(\d+)\]")
_PARTNER_NAMES = (("tasks", "fragments"), ("fragments", "tasks"))
_NUMBER_TEXT = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_SHOWN = 5  # faults of one kind listed one by one; the rest is counted


@dataclass(frozen=True)
class Recording:
    """What a reader found, before it becomes a trace.

    Attributes
    ----------
    time : float64[n]               From the first sample, strictly increasing. [s]
    power : float64[n, n_racks]     In the order of the racks asked for. [W]
    source, scale_note : str        What was read, and how it was scaled, for people.
    groups : float64[n, n_racks, n_bins], optional   Load of each group of tasks, part of ``power``. [W]
    """

    time: np.ndarray
    power: np.ndarray
    source: str
    scale_note: str
    groups: np.ndarray | None = None


class Faults:
    """Collects the findings of one file; lists the first few of a kind and counts the rest."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.findings: list[Finding] = []

    @property
    def fatal(self) -> bool:
        """Whether an error is among the findings."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)

    def add(
        self,
        subject: str,
        value: str,
        rule: str,
        remedy: str,
        *,
        field: str = "",
        line: int = 0,
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Add one finding."""
        self.findings.append(Finding(self.file, subject, field, value, rule, remedy, severity, line))

    def add_rows(self, rows: np.ndarray, column: str, values: list[str], rule: str, remedy: str) -> None:
        """Add one finding for each of the first rows, and one for the rest.

        Parameters
        ----------
        rows : int64[k]      Row numbers, 0-based after the header.
        column : str
        values : list of str
            What stands there, for the first five rows at least.
        rule, remedy : str
        """
        for row, value in zip(rows[:_SHOWN], values, strict=False):
            self.add(f"row {int(row) + 1}", value, rule, remedy, field=column, line=int(row) + 2)
        if len(rows) > _SHOWN:
            more = f"{len(rows) - _SHOWN} more rows, the last is row {int(rows[-1]) + 1}"
            self.add(more, "", rule, remedy, field=column)


def read_table(path: Path, faults: Faults) -> pd.DataFrame | None:
    """Read a CSV (every cell as text) or a Parquet file; None and a finding where it is no table."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        faults.add("", error.strerror or str(error), "the trace must be a readable file", "Check the path.")
        return None
    if not head:
        faults.add("", "0 bytes", "the trace must be a table", "Give a CSV or Parquet file with rows.")
        return None
    table = _read_parquet(path, faults) if head == b"PAR1" else _read_csv(path, faults)
    if table is not None and table.empty:
        faults.add("", "0 rows", "the trace must have at least two rows", "Give a table with samples.")
        return None
    return table


def _read_parquet(path: Path, faults: Faults) -> pd.DataFrame | None:
    try:
        return pq.read_table(path).to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        faults.add("", str(error).splitlines()[0], "the file must be whole Parquet", "Write it again.")
        return None


def _read_csv(path: Path, faults: Faults) -> pd.DataFrame | None:
    try:
        text = path.read_text(encoding="utf-8-sig").rstrip("\r\n")
        columns = [name.strip() for name in next(csv.reader(io.StringIO(text, newline="")), [])]
        repeated = sorted({name for name in columns if columns.count(name) > 1})
        if repeated:
            faults.add("", ", ".join(repeated), "each column once", "Remove the repeated column.", line=1)
            return None
        widths = _widths(text)
        wrong = np.flatnonzero(widths[1:] != len(columns))
        if len(wrong):
            values = [f"{widths[1 + row]} cells" for row in wrong[:_SHOWN]]
            rule = f"every row must have as many cells as the header, {len(columns)}"
            faults.add_rows(wrong, "", values, rule, "Mend the row, or remove it.")
            return None
        return pd.read_csv(
            io.StringIO(text), dtype=str, na_filter=False, header=0, names=columns, skip_blank_lines=False,
            index_col=False,
        )  # fmt: skip
    except UnicodeDecodeError:
        faults.add("", "not text", "the trace must be CSV (UTF-8) or Parquet", f"Give {FORMS}.")
    except (OSError, pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        faults.add("", str(error).strip(), "the trace must be a CSV table", "Mend the row.")
    return None


def _widths(text: str) -> np.ndarray:
    """Cells of every row: int64[n]."""
    if '"' in text:
        return np.array([len(row) for row in csv.reader(io.StringIO(text, newline=""))])
    return np.array([line.count(",") + 1 for line in text.splitlines()])


def read_frontier(table: pd.DataFrame, ratings: Mapping[str, float], faults: Faults) -> Recording | None:
    """Map the CDU groups of the Frontier recording to racks: rack i takes column i.

    Each column is multiplied by rating / (its own maximum), the rating being the rack's nominal power, so the
    busiest moment of a column is the rack's rating and every relative variation stays. With more racks than
    columns the columns are used again, shifted by an hour a round.
    """
    columns = sorted(
        (name for name in table.columns if _FRONTIER_COLUMN.fullmatch(name)),
        key=lambda name: int(_FRONTIER_COLUMN.fullmatch(name)[1]),  # type: ignore[index]
    )
    time = parse_time(table, faults)
    raw = parse_columns(table, columns, faults)
    if time is None or faults.fatal:
        return None
    raw = fill_gaps(time, raw, columns, faults, np.inf)
    peak = raw.max(axis=0)
    dead = [name for name, value in zip(columns, peak, strict=True) if not value > 0]
    if dead:
        faults.add("", ", ".join(dead), "a column must have power", "Remove the column that is all zero.")
        return None
    relative = raw / peak
    shift = max(1, round(3600.0 / float(np.median(np.diff(time)))))
    power = np.column_stack(
        [
            np.roll(relative[:, i % len(columns)], shift * (i // len(columns))) * rating
            for i, rating in enumerate(ratings.values())
        ]
    )
    used = peak[: min(len(ratings), len(columns))]
    factors = np.array(list(ratings.values()))[: len(used)] / used
    note = (
        f"rack i follows CDU column i; column maxima {used.min() / 1e6:.2f}-{used.max() / 1e6:.2f} MW become "
        f"the racks' nominal power (factors {factors.min():.3g}-{factors.max():.3g}), relative variation kept"
    )
    return Recording(time, power, "Frontier CDU groups, 15 s", note)


def read_surf(
    path: Path,
    table: pd.DataFrame,
    ratings: Mapping[str, float],
    idle_share: float,
    seed: int,
    faults: Faults,
) -> Recording | None:
    """Place the tasks of the SURF recording on racks and group them into workloads.

    A task starts at its submission, on the less busy of two racks drawn at random (in proportion to their
    rating), in that rack's least busy group, and stays there. Its dynamic power is in proportion to its CPU
    use; one factor for the room makes the busiest moment of the busiest rack its rating. The recording is
    cut at the last submission, after which nothing new would arrive.
    """
    is_tasks = set(table.columns) >= SURF_TASKS
    partner = _surf_partner(path, SURF_FRAGMENTS if is_tasks else SURF_TASKS, faults)
    if partner is None:
        return None
    tasks, fragments = (table, partner) if is_tasks else (partner, table)
    tasks = tasks.sort_values(["submission_time", "id"], kind="stable").reset_index(drop=True)
    if not _surf_checked(tasks, fragments, faults):
        return None

    order = np.argsort(fragments["id"].to_numpy(), kind="stable")
    ids = fragments["id"].to_numpy()[order]
    first = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    length = np.diff(np.r_[first, len(ids)])
    rank = pd.Index(tasks["id"]).get_indexer(ids[first])
    submitted = tasks["submission_time"].to_numpy(np.float64) / 1000.0
    start = np.floor((submitted - submitted[0]) / SURF_STEP).astype(np.int64)
    steps = int(start[-1]) + 1
    length_of = np.zeros(len(tasks), np.int64)
    length_of[rank] = length

    rating = np.array(list(ratings.values()))
    bin_of = _place_tasks(start, length_of, rating, np.random.default_rng(seed))
    step_of = np.repeat(start[rank] - first, length) + np.arange(len(ids))
    inside = step_of < steps
    use = fragments["cpu_usage"].to_numpy(np.float64)[order] / np.repeat(
        tasks["cpu_capacity"].to_numpy(np.float64)[rank], length
    )
    bins = len(rating) * BINS_PER_RACK
    flat = step_of * bins + np.repeat(bin_of[rank], length)
    load = np.bincount(flat[inside], weights=use[inside], minlength=steps * bins)
    load = load.reshape(steps, len(rating), BINS_PER_RACK)

    dynamic = (1.0 - idle_share) * rating
    peak = float((load.sum(axis=2) / dynamic).max())
    groups = load / peak
    power = idle_share * rating + groups.sum(axis=2)
    note = (
        f"{len(tasks)} tasks in {bins} groups; one fully used task is {1.0 / peak:.0f} W above an idle share "
        f"of {idle_share:.0%}, so that the busiest rack just reaches its nominal power"
    )
    return Recording(np.arange(steps) * SURF_STEP, power, "SURF HPC tasks, 30 s, one week", note, groups)


def _surf_partner(path: Path, needed: frozenset[str], faults: Faults) -> pd.DataFrame | None:
    named = [
        path.with_name(path.name.replace(here, there)) for here, there in _PARTNER_NAMES if here in path.name
    ]
    others = sorted(candidate for candidate in path.parent.glob("*.parquet") if candidate != path)
    for candidate in [*named, *others]:
        try:
            if candidate != path and set(pq.read_schema(candidate).names) >= needed:
                return pq.read_table(candidate).to_pandas(ignore_metadata=True)
        except (pa.ArrowException, OSError, ValueError):
            continue
    faults.add(
        "", f"no file with the columns {', '.join(sorted(needed))} in {path.parent}",
        "the SURF recording is a pair of files, tasks and fragments", "Put the other file beside this one.",
    )  # fmt: skip
    return None


def _surf_checked(tasks: pd.DataFrame, fragments: pd.DataFrame, faults: Faults) -> bool:
    def check(bad: np.ndarray, column: str, rule: str) -> None:
        if len(bad):
            faults.add_rows(
                bad, column, [f"{len(bad)} rows"] * _SHOWN, rule, "Use the recording as it was published."
            )

    check(np.flatnonzero(tasks["id"].duplicated()), "id", "each task once")
    check(np.flatnonzero(~(tasks["cpu_capacity"] > 0)), "cpu_capacity", "greater than 0")
    check(np.flatnonzero(~fragments["id"].isin(tasks["id"])), "id", "every fragment must belong to a task")
    check(
        np.flatnonzero(fragments["duration"] != SURF_STEP * 1000), "duration", "every fragment must last 30 s"
    )
    use = fragments["cpu_usage"].to_numpy(np.float64)
    check(np.flatnonzero(~(np.isfinite(use) & (use >= 0))), "cpu_usage", "finite and at least 0")
    return not faults.fatal


def _place_tasks(
    start: np.ndarray, length: np.ndarray, rating: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Bin of each task: the less busy of two random racks, then its least busy group; tasks come by start."""
    n_racks = len(rating)
    pairs = rng.choice(n_racks, size=(len(start), 2), p=rating / rating.sum())
    running = np.zeros((n_racks, BINS_PER_RACK), np.int64)
    ends: dict[int, list[int]] = {}
    bin_of = np.empty(len(start), np.int64)
    now = 0
    for task, (begin, lasts) in enumerate(zip(start.tolist(), length.tolist(), strict=True)):
        for step in range(now, begin + 1):
            for index in ends.pop(step, ()):
                running.flat[index] -= 1
        now = begin + 1
        busy = running[pairs[task]].sum(axis=1) / rating[pairs[task]]
        rack = int(pairs[task, int(np.argmin(busy))])
        index = rack * BINS_PER_RACK + int(np.argmin(running[rack]))
        bin_of[task] = index
        if lasts:
            running.flat[index] += 1
            ends.setdefault(max(begin + lasts, now), []).append(index)
    return bin_of


def read_telemetry(
    table: pd.DataFrame,
    ratings: Mapping[str, float],
    limits: Mapping[str, float],
    longest_gap: float,
    faults: Faults,
) -> Recording | None:
    """Read rack powers from a telemetry table; racks that it leaves out stay at their rating."""
    columns = [str(name) for name in table.columns if str(name).endswith(".power")]
    for name in columns:
        rack = name.removesuffix(".power")
        if rack not in ratings:
            near = difflib.get_close_matches(rack, ratings, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Racks are {', '.join(ratings)}."
            faults.add(f"column {name!r}", "", f"no rack {rack!r} in the layout", hint, field=name, line=1)
    known = [name for name in columns if name.removesuffix(".power") in ratings]
    time = parse_time(table, faults)
    values = parse_columns(table, known, faults)
    if time is None or faults.fatal:
        return None
    values = fill_gaps(time, values, known, faults, longest_gap)
    for j, name in enumerate(known):
        rating = limits[name.removesuffix(".power")]
        over = np.flatnonzero(values[:, j] > rating * (1 + 1e-9))
        if len(over):
            worst = values[over, j].max()
            faults.add(
                f"column {name!r}", f"{len(over)} samples, up to {worst:.0f} W",
                f"over the {rating:.0f} W that the rack may draw", "They are used as they are.",
                field=name, severity=Severity.WARNING,
            )  # fmt: skip
    missing = [rack for rack in ratings if f"{rack}.power" not in known]
    if missing:
        faults.add(
            f"racks {', '.join(missing)}", "", "the table has no column for them",
            "They stay at the layout's nominal power.", severity=Severity.WARNING,
        )  # fmt: skip
    index = {name.removesuffix(".power"): j for j, name in enumerate(known)}
    power = np.column_stack(
        [values[:, index[rack]] if rack in index else np.full(len(time), ratings[rack]) for rack in ratings]
    )
    return (
        None
        if faults.fatal
        else Recording(time, power, "telemetry table", "in watts as recorded, not scaled")
    )


def parse_time(table: pd.DataFrame, faults: Faults) -> np.ndarray | None:
    """Read the column ``time`` as seconds from its first row; finds unparsable, unsorted and repeated times.

    Returns
    -------
    float64[n], or None where a fault was found. [s]
    """
    if "time" not in table.columns:
        faults.add("", ", ".join(map(str, table.columns[:6])), "a column 'time' is needed", "Add it.", line=1)
        return None
    raw = pd.Series(table["time"])
    text: pd.Series = raw.astype(str).str.strip()
    if pd.api.types.is_datetime64_any_dtype(raw):
        seconds = _epoch_seconds(pd.to_datetime(raw, utc=True, errors="coerce"))
    else:
        seconds = np.asarray(pd.to_numeric(text, errors="coerce"), np.float64)
        numeric = np.asarray(text.str.fullmatch(_NUMBER_TEXT.pattern), bool)
        if numeric.mean() < 0.5:
            seconds = _epoch_seconds(pd.to_datetime(text, utc=True, errors="coerce", format="ISO8601"))
    bad = np.flatnonzero(~np.isfinite(seconds))
    if len(bad):
        faults.add_rows(
            bad, "time", [repr(text.iloc[i]) for i in bad[:_SHOWN]],
            "a time must be ISO 8601 or a number of seconds, all rows alike",
            "Correct the cell, or remove the row.",
        )  # fmt: skip
        return None
    if len(seconds) < 2:
        faults.add(
            "", f"{len(seconds)} row", "at least two samples are needed", "Give a longer trace.", field="time"
        )
        return None
    step = np.diff(seconds)
    for rows, rule, remedy in (
        (np.flatnonzero(step == 0) + 1, "the same time as the row before", "Remove the duplicate row."),
        (np.flatnonzero(step < 0) + 1, "earlier than the row before", "Sort the rows by time."),
    ):
        faults.add_rows(rows, "time", [repr(text.iloc[i]) for i in rows[:_SHOWN]], rule, remedy)
    return None if (step <= 0).any() else seconds - seconds[0]


def _epoch_seconds(stamps: pd.Series) -> np.ndarray:
    seconds = stamps.dt.tz_localize(None).to_numpy("datetime64[us]")
    return np.where(np.isnat(seconds), np.nan, seconds.astype(np.int64) / 1e6)


def parse_columns(table: pd.DataFrame, columns: list[str], faults: Faults) -> np.ndarray:
    """Read power columns as numbers; an empty cell is a gap (NaN), any other non-number is a fault.

    Returns
    -------
    float64[n, n_columns]    NaN where a cell is empty or faulty. [W]
    """
    values = np.full((len(table), len(columns)), np.nan)
    for j, name in enumerate(columns):
        raw = pd.Series(table[name])
        if pd.api.types.is_numeric_dtype(raw) and not pd.api.types.is_bool_dtype(raw):
            # Parquet: a null is a gap; pandas shows a float NaN in the same way, so both are gaps here
            numbers, empty = raw.to_numpy(np.float64, na_value=np.nan), np.asarray(raw.isna())
            shown = raw
        else:
            text: pd.Series = raw.astype(str).str.strip()
            empty = np.asarray(text == "") | np.asarray(raw.isna())
            numbers = np.asarray(pd.to_numeric(text, errors="coerce"), np.float64)
            shown = text
            shown = text
        for rows, rule in (
            (np.flatnonzero(~np.isfinite(numbers) & ~empty), "a power must be a finite number in W"),
            (np.flatnonzero(numbers < 0), "a power must not be negative"),
        ):
            faults.add_rows(
                rows,
                name,
                [repr(shown.iloc[i]) for i in rows[:_SHOWN]],
                rule,
                "Correct the cell, or leave it empty.",
            )
        values[:, j] = np.where(empty, np.nan, numbers)
    return values


def fill_gaps(
    time: np.ndarray, values: np.ndarray, columns: list[str], faults: Faults, longest_gap: float
) -> np.ndarray:
    """Hold the last value over empty cells (the first value before them at the start) and report the gaps.

    A gap longer than ``longest_gap`` seconds, a column without any value, and rows missing for longer than
    ``longest_gap`` are errors.
    """
    filled = values.copy()
    for j, name in enumerate(columns):
        known = np.flatnonzero(~np.isnan(values[:, j]))
        if len(known) == 0:
            faults.add(
                f"column {name!r}", "", "no value in the whole column", "Remove the column.", field=name
            )
            continue
        if len(known) == len(time):
            continue
        source = np.maximum.accumulate(np.where(np.isnan(values[:, j]), -1, np.arange(len(time))))
        filled[:, j] = values[np.where(source < 0, known[0], source), j]
        edges = np.r_[time[0], time[known], time[-1]]
        longest = float(np.diff(edges).max())
        _report_gap(
            faults, f"column {name!r}", name, f"{len(time) - len(known)} empty cells", longest, longest_gap
        )  # fmt: skip
    step = np.diff(time)
    jumps = np.flatnonzero(step > GAP_FACTOR * np.median(step))
    if len(jumps):
        where = f"{len(jumps)} jumps in time, the first after row {jumps[0] + 1}"
        _report_gap(faults, "rows", "time", where, float(step.max()), longest_gap)
    return filled


GAP_FACTOR = 3.0  # a step of more than this many median steps is a gap


def _report_gap(faults: Faults, subject: str, field: str, what: str, longest: float, limit: float) -> None:
    severity = Severity.ERROR if longest > limit else Severity.WARNING
    rule = f"longer than the {limit:.0f} s allowed" if longest > limit else "the last value is held"
    remedy = "Fill the gap, cut the trace, or allow longer gaps." if longest > limit else "Nothing to do."
    faults.add(subject, f"{what}, longest {longest:.0f} s", rule, remedy, field=field, severity=severity)
