"""Result folders: found usable before the work, written whole or not at all after it."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from twin.errors import Finding, InputError, OutsideError
from twin.files import sync

logger = logging.getLogger(__name__)


def default_folder(source: str, *changes: object, suffix: str = "") -> Path:
    """Return ``results/NAME``; a run with changes gets a folder of its own beside it.

    Parameters
    ----------
    source : str        The layout file; empty for a layout made in Python.
    changes : object    What sets this run apart; values that count as nothing do not.
    suffix : str        Of every folder of this command.
    """
    name = (Path(source).stem or "layout") + suffix
    if any(changes):
        name += "-" + hashlib.sha256(repr(changes).encode()).hexdigest()[:6]
    return Path("results") / name


def usable_folder(folder: Path, allowed: Sequence[str]) -> Path:
    """Return the folder if a result may be put there; find out before the work, not after it.

    Parameters
    ----------
    folder : Path
    allowed : sequence of str
        Names of the files of such a result, ``result.json`` among them: what a folder may hold to be
        replaced.

    Raises
    ------
    InputError : it is a file, or holds something else.
    OutsideError : nothing can be written there.
    """
    try:
        target = folder.resolve()
        if target.exists() and not target.is_dir():
            raise InputError([_folder_fault(folder, "is a file", "Give another folder")])
        held = {path.name: path for path in target.iterdir()} if target.is_dir() else {}
        strange = sorted(name for name, path in held.items() if name not in allowed or not path.is_file())
        if strange or (held and "result.json" not in held):
            what = ", ".join(strange[:3]) + (", ..." if len(strange) > 3 else "")
            rule = f"holds something that is no result{': ' if what else ''}{what}"
            raise InputError([_folder_fault(folder, rule, "Give an empty or new folder")])
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise OutsideError(
            f"result folder {folder}: cannot be written: {error.strerror}. Choose another."
        ) from error
    return target


def _folder_fault(folder: Path, rule: str, remedy: str) -> Finding:
    return Finding("--out", "result folder", "", str(folder), rule, remedy)


def write_folder(target: Path, write: Callable[[Path], None], allowed: Sequence[str]) -> None:
    """Let ``write`` fill a folder beside the target, make it durable, then put it in its place.

    That is one move where there was nothing, and two where an old result stood: it goes aside, the new one
    comes. Between the two there is none; if the second fails the old one goes back.

    Parameters
    ----------
    target : Path
    write : callable    Gets the empty folder to fill.
    allowed : sequence of str    As in :func:`usable_folder`.

    Raises
    ------
    OutsideError : the disk refused; what stood there before stands.
    """
    try:
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise OutsideError(f"result folder {target}: cannot be written: {error.strerror}.") from error
    try:
        write(draft)
        draft.chmod(0o755)
        for file in (*draft.iterdir(), draft):
            sync(file)
        old = Path(f"{draft}.old")
        replaces = target.exists()
        if replaces:
            target.rename(old)
        try:
            draft.rename(target)
        except OSError:
            if replaces:
                old.rename(target)
            raise
        sync(target.parent)
        if replaces:
            _remove_result(old, allowed)
    except OSError as error:
        raise OutsideError(
            f"result folder {target}: cannot be written: {error.strerror or error}."
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _remove_result(folder: Path, allowed: Sequence[str]) -> None:
    """Remove a result folder; what came into it since it was looked at stays, with a warning."""
    try:
        for name in allowed:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
    except OSError as error:
        logger.warning("the old result stays in %s: %s", folder, error.strerror or error)


def write_json(body: dict[str, Any], path: Path) -> None:
    """Write an object as JSON; refuses NaN, which JSON has not."""
    path.write_text(json.dumps(body, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def write_yaml(data: Any, path: Path) -> None:
    """Write plain data as YAML, keys in their order."""
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = None
    writer.sort_base_mapping_type_on_output = False  # type: ignore[attr-defined]
    writer.width = 110
    with path.open("w", encoding="utf-8") as stream:
        writer.dump(data, stream)
