"""Design files of cold plates as the page reads them: one case a file, read anew when a file has changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from solvers.errors import SolverError
from twin.errors import InputError, NotConvergedError, TwinError

if TYPE_CHECKING:
    from twin.plates.spec_reader import PlateCase

MOST_CASES = 16
FLUIDS = {
    "water": "water",
    "pg25": "PG25",
    "hfe7200": "HFE-7200",
    "novec649": "Novec 649",
    "pao2": "PAO 2",
    "mineral_oil": "mineral oil",
}
LOG = "The log of the web process says more."

Stamp = tuple[tuple[str, int], ...]
"""Files and when each was written; -1 for one that is not there."""


class Known(NamedTuple):
    """A case, and its files as they were when it was read."""

    stamp: Stamp
    case: PlateCase


def stamp_of(files: tuple[Path, ...]) -> Stamp:
    """Return when each file was written, to tell a change by."""
    found = []
    for file in files:
        try:
            found.append((str(file), file.stat().st_mtime_ns))
        except OSError:
            found.append((str(file), -1))
    return tuple(found)


def files_of(case: PlateCase) -> tuple[Path, ...]:
    """Return all files that a case is read from: its own, and those of its heat maps."""
    maps = [chip.map for chip in case.spec.chips if chip.map is not None]
    return case.path, *(case.path.parent / name for name in dict.fromkeys(maps))


class PlateCases:
    """The design files that branches name.

    Parameters
    ----------
    folder : Path
        Of the layout; paths are relative to it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, Known] = {}

    def stamp(self, name: str) -> Stamp:
        """Return what tells whether a design, or a map that it names, has changed since it was read."""
        known = self._known.get(name)
        files = (self.folder / name,) if known is None else tuple(Path(file) for file, _ in known.stamp)
        return stamp_of(files)

    def read(self, name: str) -> Known:
        """Return a design and its files' stamp, read anew where one of its files has changed.

        Raises
        ------
        InputError : with every fault of the file and its maps.
        """
        from twin.plates.spec_reader import read_plate  # noqa: PLC0415  a page without plates needs no solver

        known = self._known.get(name)
        before = self.stamp(name)
        if known is not None and known.stamp == before:
            return known
        case = read_plate(self.folder / name)
        if files_of(case) != tuple(Path(file) for file, _ in before):  # it names other maps than were known
            before = stamp_of(files_of(case))
            case = read_plate(self.folder / name)
        made = Known(before, case)  # of before it was read: a change meanwhile is read again
        self._known.pop(name, None)
        self._known[name] = made
        while len(self._known) > MOST_CASES:
            del self._known[next(iter(self._known))]
        return made


def other_fluid(case: PlateCase, carried: str | None) -> str:
    """Say that a loop carries another coolant than a design is made for, or nothing.

    Parameters
    ----------
    case : PlateCase
    carried : str or None
        The loop's coolant; None where the twin does not say.

    Returns
    -------
    str
    """
    designed = case.spec.coolant.fluid
    if carried is None or carried == designed:
        return ""
    names = (FLUIDS.get(name, name) for name in (designed, carried))
    return "The plates are designed for {}, the loop carries {}: a picture would mislead.".format(*names)


def uncovered(error: InputError) -> str:
    """Say that a sound design does not stand what its branch does now: a flow, a coolant that would boil.

    Parameters
    ----------
    error : InputError

    Returns
    -------
    str
    """
    told = "; ".join(f"{fault.field} {fault.value}: {fault.rule}" for fault in error.findings)
    return f"The design does not cover what the branch does now. {told or LOG}"


def plain(error: TwinError | SolverError) -> str:
    """Put an error into an operator's sentence, without the server's paths.

    Parameters
    ----------
    error : TwinError or SolverError

    Returns
    -------
    str
    """
    if isinstance(error, InputError):
        count = "is faulty" if len(error.findings) < 2 else f"has {len(error.findings)} faults"
        return f"The design file of these plates cannot be read or {count}. {LOG}"
    if isinstance(error, NotConvergedError | SolverError):
        return f"The solver found no answer for this plate at what flows now. {LOG}"
    return f"The plate could not be solved. {LOG}"
