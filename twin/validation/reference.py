"""Published figures: CSV files in ``data/`` whose ``#`` lines name the publication and the misprints."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Reference(NamedTuple):
    """A table of published figures.

    Attributes
    ----------
    heading : tuple of str    The ``#`` lines: citation, where it was checked, units, misprints.
    columns : dict    Name -> text of each row.
    """

    heading: tuple[str, ...]
    columns: dict[str, list[str]]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as numbers; an empty field is NaN.

        Parameters
        ----------
        name : str

        Returns
        -------
        float64[rows]
        """
        return np.array([float(text) if text else np.nan for text in self.columns[name]])

    def where(self, name: str, value: str) -> Reference:
        """Return the rows that hold a text in a column.

        Parameters
        ----------
        name, value : str

        Returns
        -------
        Reference
        """
        keep = [row for row, text in enumerate(self.columns[name]) if text == value]
        return Reference(self.heading, {key: [c[row] for row in keep] for key, c in self.columns.items()})


def read_reference(name: str) -> Reference:
    """Read a table of published figures.

    Parameters
    ----------
    name : str
        Of the file in ``twin/validation/data``, without ending.

    Returns
    -------
    Reference
    """
    lines = (files("twin.validation") / "data" / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    heading = tuple(line.lstrip("# ") for line in lines if line.startswith("#"))
    rows = list(csv.reader(line for line in lines if line and not line.startswith("#")))
    names, body = rows[0], rows[1:]
    return Reference(heading, {key: [row[at].strip() for row in body] for at, key in enumerate(names)})


def find_stack(name: str) -> Path | None:
    """Find a stack of 3D-ICE's own test suite, which is not part of this project.

    Parameters
    ----------
    name : str    Of the file.

    Returns
    -------
    Path or None    In ``shared/reference/stacks`` beside or above the checkout, or the present folder.
    """
    here = (*Path(__file__).resolve().parents, Path.cwd(), *Path.cwd().parents)
    paths = (folder / "shared/reference/stacks" / name for folder in here)
    return next((path for path in paths if path.is_file()), None)
