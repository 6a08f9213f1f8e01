"""Checkpoints of a simulation: all that a run needs to go on as if it had never stopped.

A file is written beside the old one and then takes its place, so a kill at any moment leaves a whole one. It
fits one layout, one script and one set of options, which it carries.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.airflow.case import AirState
from solvers.airflow.transient import Passage
from twin.errors import Finding, InputError
from twin.files import COMMON, write_atomically
from twin.planning.transient.ledger import Ledger
from twin.planning.transient.series import Series

VERSION = 4


@dataclass(frozen=True)
class Checkpoint:
    """Where a simulation stands.

    Attributes
    ----------
    identity : dict   What makes it this simulation: digests of layout and events, version, options.
    state : AirState
    series : Series
    ledger : Ledger
    about : dict      What the result says of the start, and the wall time spent so far.
    coolant : dict    Arrays of the coolant loops; empty without loops.
    """

    identity: dict[str, Any]
    state: AirState
    series: Series
    ledger: Ledger
    about: dict[str, Any]
    coolant: dict[str, NDArray] = field(default_factory=dict)

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
        fields |= {f"coolant.{name}": value for name, value in self.coolant.items()}
        about = {
            "version": VERSION,
            "identity": self.identity,
            "columns": self.series.columns,
            "ledger": dataclasses.asdict(self.ledger) | {"passage": list(self.ledger.passage)},
            "about": self.about,
        }
        text = np.frombuffer(json.dumps(about).encode(), np.uint8)
        write_atomically(
            path,
            lambda file: np.savez(file, allow_pickle=False, head=text, rows=self.series.array(), **fields),
            COMMON,
        )


def read_checkpoint(path: Path, identity: dict[str, Any]) -> Checkpoint:
    """Read a checkpoint that fits.

    Parameters
    ----------
    path : Path
    identity : dict    Of the simulation that resumes, as in `Checkpoint`.

    Raises
    ------
    InputError : there is none, it is damaged, of another version, or of another simulation; says
        what differs.
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
    apart = _apart(head["identity"], identity)
    if apart:
        raise refuse(
            f"belongs to another simulation: {apart}",
            "Give what it was started with, or run without --resume",
        )
    parts, coolant = (
        {name.removeprefix(start): value for name, value in fields.items() if name.startswith(start)}
        for start in ("state.", "coolant.")
    )
    for name in ("time", "heat_corrected"):
        parts[name] = float(parts[name])
    ledger = dict(head["ledger"])
    passage = ledger.pop("passage")
    passage[1] = tuple(passage[1])
    return Checkpoint(
        identity,
        AirState(**parts),
        Series(head["columns"], fields["rows"]),
        Ledger(passage=Passage(*passage), **ledger),
        head["about"],
        coolant,
    )


def _apart(stored: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Say what differs between two identities; empty where nothing does."""

    def said(name: str) -> str:
        if name in ("layout", "events"):
            return f"another {name}" if name == "layout" else "other events"
        was, now = (_shown(side.get(name)) for side in (stored, wanted))
        option = name if name == "version" else f"--{name.replace('_', '-')}"
        return f"{option} is {now}, was {was}"

    names = [*stored, *(name for name in wanted if name not in stored)]
    return "; ".join(said(name) for name in names if stored.get(name) != wanted.get(name))


def _shown(value: Any) -> str:
    if value is None:
        return "not given"
    return f"{value:g}" if isinstance(value, float) else str(value)
