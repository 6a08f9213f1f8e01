"""Where the suite keeps what its cases reached: ``results.json`` beside the figures, whole or not at all."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from twin.errors import Finding, InputError, OutsideError
from twin.files import COMMON, write_atomically

_STORE = "results.json"
_KEYS = {
    "passed": bool,
    "full": bool,
    "wall_s": (int, float),
    "grid": str,
    "quantities": list,
    "beside": list,
    "figures": list,
    "notes": list,
}
_QUANTITY = {
    "name": str,
    "asked": (int, float, type(None)),
    "reached": (int, float, type(None)),
    "unit": str,
    "rule": str,
    "passed": bool,
}
_FIGURE = {"name": str, "caption": str}


def check_folder(folder: Path, figures: str) -> None:
    """Find out before the first case whether its results can be written.

    Parameters
    ----------
    folder : Path
        Of the page; made if there is none.
    figures : str
        Folder of the figures, relative to `folder`; made likewise.

    Raises
    ------
    OutsideError : nothing can be written there.
    InputError : what ran before cannot be read.
    """
    try:
        for place in (folder, folder / figures):
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place):
                pass
    except OSError as error:
        raise OutsideError(
            f"folder {folder}: cannot be written: {error.strerror or error}. Choose another."
        ) from error
    read_store(folder / figures)


def read_store(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the records of the cases that ran before, by name; none if there is no file.

    Parameters
    ----------
    folder : Path
        Of the figures.

    Returns
    -------
    dict
        Name -> record.

    Raises
    ------
    InputError : the file is damaged.
    OutsideError : it cannot be read.
    """
    path = folder / _STORE
    try:
        held = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise OutsideError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise _damaged(path, "", f"is no JSON: {error}") from error
    if not isinstance(held, dict):
        raise _damaged(path, "", "holds no object of cases")
    for name, body in held.items():
        if not _is_record(body):
            raise _damaged(path, name, "is no record of a case")
    return held


def write_store(folder: Path, records: dict[str, dict[str, Any]]) -> None:
    """Write the records of the cases.

    Parameters
    ----------
    folder : Path
        Of the figures.
    records : dict
        Name -> record; numbers that JSON has not must be None.

    Raises
    ------
    OutsideError : it cannot be written; the old file stands.
    """
    write_text(folder / _STORE, json.dumps(records, indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file, all of it or none.

    Parameters
    ----------
    path : Path
    text : str

    Raises
    ------
    OutsideError : as :func:`twin.files.write_atomically`.
    """
    write_atomically(path, lambda file: file.write(text.encode()), COMMON)


def _is_record(body: object) -> bool:
    return (
        isinstance(body, dict)
        and _has(body, _KEYS)
        and all(_has(row, _QUANTITY) for row in (*body["quantities"], *body["beside"]))
        and all(_has(figure, _FIGURE) for figure in body["figures"])
        and all(isinstance(note, str) for note in body["notes"])
    )


def _has(body: object, kinds: dict[str, Any]) -> bool:
    return isinstance(body, dict) and all(isinstance(body.get(key, ...), kind) for key, kind in kinds.items())


def _damaged(path: Path, field: str, rule: str) -> InputError:
    remedy = "Delete the file, or bring it back from version control; the cases it held have to run again"
    return InputError([Finding(str(path), "results of the suite", field, "", rule, remedy)])
