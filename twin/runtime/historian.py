"""The historian: what was measured, what the twin predicted, what was decided.

SQLAlchemy over SQLite in WAL mode. A call that returns has committed with ``synchronous=FULL``: neither
a kill -9 nor a power cut takes it back. One process writes, any number read.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import SQLAlchemyError

from twin.errors import OutsideError
from twin.ports import Quality, Reading

SCHEMA_VERSION = 1
MAXIMUM_BUCKETS = 2000

_QUALITY_CODE = {Quality.GOOD: 0, Quality.UNCERTAIN: 1, Quality.BAD: 2}
_metadata = sa.MetaData()

_meta = sa.Table(
    "meta",
    _metadata,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("value", sa.String, nullable=False),
)
_points = sa.Table(
    "point",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String, unique=True, nullable=False),
)


def _series_table(name: str, *extra: sa.Column[Any]) -> sa.Table:
    return sa.Table(
        name,
        _metadata,
        sa.Column("point_id", sa.ForeignKey("point.id"), primary_key=True),
        sa.Column("time", sa.Float, primary_key=True),
        sa.Column("value", sa.Float, nullable=True),
        *extra,
        sqlite_with_rowid=False,
    )


_readings = _series_table("reading", sa.Column("quality", sa.SmallInteger, nullable=False))
_predictions = _series_table("prediction")
_summaries = sa.Table(
    "summary",
    _metadata,
    sa.Column("time", sa.Float, primary_key=True),
    sa.Column("body", sa.String, nullable=False),
    sqlite_with_rowid=False,
)
_decisions = sa.Table(
    "decision",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("time", sa.Float, nullable=False, index=True),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("body", sa.String, nullable=False),
)

Record = dict[str, Any]
Curve = list[tuple[float, float]]


class Historian:
    """A store of readings, predictions, summaries and decisions.

    Parameters
    ----------
    url : str or Path
        The path of an SQLite file, which is made, or an SQLite URL of SQLAlchemy.
    read_only : bool
        Open an existing file for queries alone.

    Raises
    ------
    OutsideError : the database cannot be opened, or was written by a newer version.
    """

    def __init__(self, url: str | Path, *, read_only: bool = False) -> None:
        text = str(url)
        self.url = text if "://" in text else f"sqlite:///{text}"
        self._engine = sa.create_engine(self.url, connect_args={"timeout": 10, "check_same_thread": False})
        self._point_ids: dict[str, int] = {}
        self._lock = threading.Lock()
        event.listen(self._engine, "connect", _reader_pragmas if read_only else _writer_pragmas)
        try:
            if not read_only:
                _metadata.create_all(self._engine)
            self._check_version(write=not read_only)
        except SQLAlchemyError as error:
            raise OutsideError(
                f"historian {self.url}: {_cause(error)}. Check that the folder exists, is writable and has "
                "room, or name another with --state."
            ) from error

    def append_readings(self, readings: Iterable[Reading]) -> int:
        """Store readings; one that is there already (same point and time) is replaced.

        Parameters
        ----------
        readings : iterable of Reading

        Returns
        -------
        int
            How many were committed.

        Raises
        ------
        OutsideError : the database refused; nothing of this call was stored.
        """
        rows = [(r.point, r.time, r.value, {"quality": _QUALITY_CODE[r.quality]}) for r in readings]
        return self._append(_readings, rows)

    def append_predictions(self, time: float, values: Mapping[str, float]) -> int:
        """Store what the twin says the points are at an instant.

        Parameters
        ----------
        time : float
            The instant. [s since epoch]
        values : mapping of point to float
            SI, temperatures in degC.

        Returns
        -------
        int
            How many were committed.

        Raises
        ------
        OutsideError : the database refused; nothing of this call was stored.
        """
        return self._append(_predictions, [(point, time, value, {}) for point, value in values.items()])

    def append_summary(self, summary: Record) -> None:
        """Store a snapshot's summary under its ``time``.

        Raises
        ------
        OutsideError : the database refused.
        """
        body = json.dumps(summary, separators=(",", ":"))
        self._write(lambda c: c.execute(_upsert(_summaries), [{"time": summary["time"], "body": body}]))

    def save_decision(self, decision: Record) -> None:
        """Store a decision record, or replace the one of the same ``id``.

        Raises
        ------
        OutsideError : the database refused.
        """
        row = {key: decision[key] for key in ("id", "time", "state")}
        row["body"] = json.dumps(decision, separators=(",", ":"))
        self._write(lambda c: c.execute(_upsert(_decisions), [row]))

    def decisions(self, limit: int = 50) -> list[Record]:
        """Return the newest decisions, newest first."""
        query = sa.select(_decisions.c.body).order_by(_decisions.c.time.desc()).limit(limit)
        return [json.loads(body) for (body,) in self._read(query)]

    def summaries(self, start: float, end: float) -> list[Record]:
        """Return the summaries between two instants [s since epoch], oldest first."""
        query = sa.select(_summaries.c.body).where(_summaries.c.time.between(start, end))
        return [json.loads(body) for (body,) in self._read(query.order_by(_summaries.c.time))]

    def points(self) -> list[str]:
        """Return the names of all points that were ever stored, sorted."""
        return [name for (name,) in self._read(sa.select(_points.c.name).order_by(_points.c.name))]

    def series(
        self, points: Sequence[str], start: float, end: float, buckets: int = 500
    ) -> dict[str, dict[str, Curve]]:
        """Return curves for a chart: mean per bucket of what was measured and predicted.

        Parameters
        ----------
        points : sequence of str
            Names; unknown ones give empty curves.
        start, end : float
            The window. [s since epoch]
        buckets : int
            Most values per curve, at most 2000.

        Returns
        -------
        dict
            Point -> ``measured`` and ``predicted`` -> [(time, mean), ...], oldest first. Readings of
            bad quality are left out.

        Raises
        ------
        OutsideError : the database cannot be read.
        """
        width = max(end - start, 1e-3) / max(1, min(buckets, MAXIMUM_BUCKETS))
        sound = _readings.c.quality < _QUALITY_CODE[Quality.BAD]
        measured = self._curves(_readings, points, start, end, width, sound)
        predicted = self._curves(_predictions, points, start, end, width, sa.true())
        return {p: {"measured": measured.get(p, []), "predicted": predicted.get(p, [])} for p in points}

    def prune(self, before: float) -> int:
        """Delete readings, predictions and summaries before an instant [s since epoch]; keep decisions.

        One point at a time, by the primary key, so that other writers wait for milliseconds at most.
        """
        deleted = self._write(lambda c: c.execute(sa.delete(_summaries).where(_summaries.c.time < before)))
        count = deleted.rowcount
        for (point,) in self._read(sa.select(_points.c.id)):
            for table in (_readings, _predictions):
                old = sa.delete(table).where(table.c.point_id == point, table.c.time < before)
                count += self._write(lambda c, old=old: c.execute(old).rowcount)
        return count

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()

    def _append(self, table: sa.Table, rows: Sequence[tuple[str, float, float, Record]]) -> int:
        if not rows:
            return 0
        with self._lock:
            ids = self._ids({row[0] for row in rows})
            values = [{"point_id": ids[p], "time": t, "value": v, **extra} for p, t, v, extra in rows]
            self._write(lambda connection: connection.execute(_upsert(table), values))
        return len(rows)

    def _ids(self, names: set[str]) -> dict[str, int]:
        """Return the ids of the points, making the missing ones."""
        missing = sorted(names - self._point_ids.keys())
        if missing:
            insert = sqlite.insert(_points).on_conflict_do_nothing()
            self._write(lambda c: c.execute(insert, [{"name": name} for name in missing]))
            self._point_ids = {name: key for key, name in self._read(sa.select(_points.c.id, _points.c.name))}
        return self._point_ids

    def _curves(
        self,
        table: sa.Table,
        points: Sequence[str],
        start: float,
        end: float,
        width: float,
        condition: sa.ColumnElement[bool],
    ) -> dict[str, Curve]:
        bucket = sa.cast((table.c.time - start) / width, sa.Integer)
        query = (
            sa.select(_points.c.name, sa.func.avg(table.c.time), sa.func.avg(table.c.value))
            .join(_points, _points.c.id == table.c.point_id)
            .where(_points.c.name.in_(points), table.c.time.between(start, end), condition)
            .group_by(_points.c.name, bucket)
            .order_by(_points.c.name, bucket)
        )
        curves: dict[str, Curve] = {}
        for name, time, value in self._read(query):
            if value is not None:
                curves.setdefault(name, []).append((time, value))
        return curves

    def _check_version(self, *, write: bool) -> None:
        found = self._read(sa.select(_meta.c.value).where(_meta.c.key == "schema_version"))
        if not found and write:
            insert = sqlite.insert(_meta).on_conflict_do_nothing()
            row = {"key": "schema_version", "value": str(SCHEMA_VERSION)}
            self._write(lambda c: c.execute(insert, [row]))
        elif found and int(found[0][0]) > SCHEMA_VERSION:
            raise OutsideError(
                f"historian {self.url}: its schema version {found[0][0]} is newer than this program's "
                f"{SCHEMA_VERSION}. Update the program, or name another state folder."
            )

    def _read(self, query: sa.Select[*tuple[Any, ...]]) -> Sequence[Any]:
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).all()
        except SQLAlchemyError as error:
            raise OutsideError(f"historian {self.url}: cannot read: {_cause(error)}.") from error

    def _write(self, work: Any) -> Any:
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise OutsideError(
                f"historian {self.url}: cannot write: {_cause(error)}. Check the disk's free room."
            ) from error


def _upsert(table: sa.Table) -> sa.Insert:
    """Insert, or replace the row of the same primary key."""
    insert = sqlite.insert(table)
    changed = {c.name: insert.excluded[c.name] for c in table.columns if not c.primary_key}
    return insert.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=changed)


def _writer_pragmas(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _reader_pragmas(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA query_only=1")


def _cause(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error)
