"""Checkpoints of a simulation: all that a run needs to go on as if it had never stopped.

A file is written beside the old one and then takes its place, so a kill at any moment leaves a whole one. It
fits one layout, one script and one set of options, whose digest it carries.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from solvers.airflow.case import AirState
from solvers.airflow.transient import Passage
from twin.errors import Finding, InputError
from twin.planning.results import write_atomically
from twin.planning.transient.ledger import Ledger
from twin.planning.transient.series import Series

VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """Where a simulation stands.

    Attributes
    ----------
    digest : str      Of layout, script and options.
    state : AirState
    series : Series
    ledger : Ledger
    about : dict      What the result says of the start, and the wall time spent so far.
    """

    digest: str
    state: AirState
    series: Series
    ledger: Ledger
    about: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write the file atomically.

        Raises
        ------
        OutsideError : the disk refused; the former checkpoint stands.
        """
        fields = {
            f"state.{name}": np.asarray(value)
            for name, value in self.state._asdict().items()
            if value is not None
        }
        about = {
            "version": VERSION,
            "digest": self.digest,
            "columns": self.series.columns,
            "ledger": dataclasses.asdict(self.ledger) | {"passage": list(self.ledger.passage)},
            "about": self.about,
        }
        text = np.frombuffer(json.dumps(about).encode(), np.uint8)
        write_atomically(
            path,
            lambda file: np.savez(file, allow_pickle=False, head=text, rows=self.series.array(), **fields),
        )


def read_checkpoint(path: Path, digest: str) -> Checkpoint:
    """Read a checkpoint that fits.

    Raises
    ------
    InputError : there is none, it is damaged, of another version, or of another simulation.
    """

    def refuse(rule: str, remedy: str) -> InputError:
        return InputError([Finding("--resume", "checkpoint", "", str(path), rule, remedy)])

    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            head = json.loads(bytes(stored["head"]))
            fields = {name: stored[name] for name in stored.files if name != "head"}
    except FileNotFoundError as error:
        raise refuse("there is none", "Run without --resume; a finished run leaves no checkpoint") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise refuse("cannot be read", "Run without --resume") from error
    if head.get("version") != VERSION:
        raise refuse("was written by another version", "Run without --resume")
    if head["digest"] != digest:
        raise refuse(
            "belongs to another simulation: layout, events or options differ",
            "Give those that it was started with, or run without --resume",
        )
    parts = {name.removeprefix("state."): value for name, value in fields.items() if name != "rows"}
    for name in ("time", "heat_corrected"):
        parts[name] = float(parts[name])
    ledger = dict(head["ledger"])
    passage = ledger.pop("passage")
    passage[1] = tuple(passage[1])
    return Checkpoint(
        digest,
        AirState(**parts),
        Series(head["columns"], fields["rows"]),
        Ledger(passage=Passage(*passage), **ledger),
        head["about"],
    )
