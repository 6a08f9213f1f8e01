"""Settings of one start of the live twin, as the processes share them through the state folder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from twin.errors import OutsideError
from twin.runtime.state import StateFolder, read_json, write_json

Mode = Literal["advise", "auto"]


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What ``racklet run`` was asked for.

    Attributes
    ----------
    layout : str                Path of the layout file, absolute.
    overrides : tuple of str    ``path=value``, from ``--set``.
    cell : float or None        Target cell size of the twin. [m]
    trace : str or None         Recording that drives the racks, absolute; without it a generated one.
    allocate_every : float      Period of the loop. [s]
    mode : str                  ``advise`` proposes, ``auto`` commits.
    seed : int                  Of everything random in the emulated plant.
    host, port                  Where the page is served.
    """

    layout: str
    overrides: tuple[str, ...] = ()
    cell: float | None = None
    trace: str | None = None
    allocate_every: float = 300.0
    mode: Mode = "advise"
    seed: int = 1
    host: str = "127.0.0.1"
    port: int = 8050

    def save(self, state: StateFolder) -> None:
        """Write the settings into the state folder, atomically."""
        write_json(_path(state), dataclasses.asdict(self))

    @classmethod
    def load(cls, state: StateFolder) -> RunSettings:
        """Read the settings of the present start.

        Raises
        ------
        OutsideError : there are none in this state folder.
        """
        body = read_json(_path(state))
        if not isinstance(body, dict):
            raise OutsideError(f"{_path(state)}: no settings there. Start the twin with 'racklet run'.")
        return cls(**{**body, "overrides": tuple(body["overrides"])})


def _path(state: StateFolder) -> Path:
    return state.run / "settings.json"
