"""Solved rooms kept on disk, so that the next steady solve starts from the nearest of them.

A start changes how long a solve takes, not where it may end: it goes on until the flow is settled, as from
rest. The folder is bounded; what was not used for longest goes first. Whatever is wrong with it costs a cold
start, never an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from solvers.airflow.case import AirState, UnitInputs
from solvers.airflow.model import AirModel, check_state, prepare, restart
from solvers.errors import SolverError
from twin.errors import OutsideError, TwinError
from twin.files import COMMON, sweep, write_atomically
from twin.model.scene import Scene, build_scene
from twin.model.schema import Layout

MOST_BYTES = 512 * 2**20
MOST_SOLUTIONS = 64
NEAR = 0.6
"""Distance beyond which a start of the same geometry is not worth it: about where one of two coolers fails.
[1]"""
OTHER_GEOMETRY = 0.2
"""Distance that other grids, tiles or panels in the same room add. [1]"""
_FORMAT = 1
_EQUAL = 1e-6
_TEMPERATURE_SCALE = 20.0  # K of supply temperature that count like all the flow

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """Where a solve starts from.

    Attributes
    ----------
    state : AirState    On the grid of the solve.
    solution : str      Name of the stored solution.
    layout : str        Name of its layout.
    differs : str       ``nothing``, ``operation`` or ``geometry``.
    distance : float    How far it is, 0 for the same room. [1]
    """

    state: AirState
    solution: str
    layout: str
    differs: str
    distance: float

    def as_json(self) -> dict[str, Any]:
        """Return what a result says of its start."""
        return {
            "solution": self.solution,
            "layout": self.layout,
            "differs": self.differs,
            "distance": round(self.distance, 4),
        }


class Solutions:
    """The stored solutions of one folder.

    Parameters
    ----------
    folder : Path, optional    Under the user's cache directory without it.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = platformdirs.user_cache_path("racklet") / "solutions" if folder is None else folder

    def nearest(self, scene: Scene, model: AirModel, inputs: UnitInputs) -> Start | None:
        """Return the nearest stored solution on the grid of the model; None where none is near.

        Parameters
        ----------
        scene : Scene
        model : AirModel      Of the scene.
        inputs : UnitInputs   What the units shall do.
        """
        geometry, room = _geometry(scene), _room(scene)
        ranked: list[tuple[float, str, Path]] = []
        for path in self._files():
            about = _read_about(path)
            if about is None or about["room"] != room:
                continue
            same = about["geometry"] == geometry
            apart = _distance(about["inputs"], inputs)
            differs = ("operation" if apart > _EQUAL else "nothing") if same else "geometry"
            apart += 0.0 if same else OTHER_GEOMETRY + _coarser(about["cells"], scene.cells)
            if apart <= NEAR:
                ranked.append((apart, differs, path))
        for apart, differs, path in sorted(ranked, key=lambda item: item[0]):
            state = _load(path, None if differs != "geometry" else scene, model)
            if state is not None:
                with contextlib.suppress(OSError):
                    os.utime(path)
                return Start(state, path.stem, (_read_about(path) or {}).get("name", ""), differs, apart)
        return None

    def keep(self, scene: Scene, inputs: UnitInputs, state: AirState, cell: float) -> None:
        """Store a settled state; what cannot be stored is logged and forgotten.

        Parameters
        ----------
        scene : Scene
        inputs : UnitInputs    What the units did.
        state : AirState
        cell : float           Target cell size of the scene. [m]
        """
        about = {
            "format": _FORMAT,
            "name": scene.layout.name,
            "layout": scene.layout.model_dump(mode="json", exclude_none=True),
            "cell": cell,
            "cells": scene.cells,
            "geometry": _geometry(scene),
            "room": _room(scene),
            "inputs": _as_lists(inputs),
        }
        name = hashlib.sha256(f"{about['geometry']} {about['inputs']}".encode()).hexdigest()[:16]
        fields = {
            part: np.asarray(value, np.float32 if np.ndim(value) == 3 else np.float64)
            for part, value in state._asdict().items()
            if value is not None and part != "time"
        }
        text = np.frombuffer(json.dumps(about).encode(), np.uint8)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(
                self.folder / f"{name}.npz",
                lambda file: np.savez(file, allow_pickle=False, about=text, **fields),
                COMMON,
            )
            self._bound()
        except (OSError, OutsideError) as error:
            logger.info("the solution is not kept for later starts: %s", error)

    def _files(self) -> list[Path]:
        try:
            return sorted(self.folder.glob("[!.]*.npz"))
        except OSError:
            return []

    def _bound(self) -> None:
        """Remove drafts of killed processes and what was not used for longest, to keep the bounds."""
        sweep(self.folder)
        found = sorted(((path.stat(), path) for path in self._files()), key=lambda item: -item[0].st_mtime)
        total = 0
        for n, (stat, path) in enumerate(found):
            total += stat.st_size
            if n and (n >= MOST_SOLUTIONS or total > MOST_BYTES):
                path.unlink(missing_ok=True)


def _load(path: Path, onto: Scene | None, model: AirModel) -> AirState | None:
    """Read a state; one of another geometry comes over onto the grid of the model."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            about = json.loads(bytes(stored["about"]))
            fields = {name: stored[name] for name in stored.files if name != "about"}
        state = AirState(**{**fields, "time": 0.0, "heat_corrected": 0.0})
        if onto is None:
            check_state(model, state)
            return state
        scene = build_scene(Layout.model_validate(about["layout"]), about["cell"])
        old = prepare(scene.case, scene.closure, scene.layout.air.reference_temperature)
        return restart(model, old, state)
    except (
        OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, SolverError, TwinError,
    ) as error:  # fmt: skip
        logger.info("the stored solution %s is of no use: %s", path, error)
        return None


def _read_about(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            about = json.loads(bytes(stored["about"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return about if about.get("format") == _FORMAT else None


def _as_lists(inputs: UnitInputs) -> dict[str, list[float | None]]:
    """Flow, heat and set point of the units, as JSON has them."""
    return {
        "V_flow": inputs.V_flow.tolist(),
        "Q_flow": inputs.Q_flow.tolist(),
        "T_supply": [None if math.isnan(T) else T for T in inputs.T_supply.tolist()],
    }


def _distance(stored: dict[str, list[float | None]], inputs: UnitInputs) -> float:
    """Tell how far two operating points are apart: changes of flow and heat over their sums, of supply."""
    apart = 0.0
    for name in ("V_flow", "Q_flow"):
        now = getattr(inputs, name)
        then = np.array(stored[name], np.float64)
        total = max(float(np.abs(now).sum()), float(np.abs(then).sum()))
        apart += float(np.abs(now - then).sum()) / total if total > 0.0 else 0.0
    then = np.array([math.nan if T is None else T for T in stored["T_supply"]], np.float64)
    moved = np.abs(inputs.T_supply - then)
    return apart + float(np.nanmax(moved, initial=0.0)) / _TEMPERATURE_SCALE


def _coarser(stored: int, wanted: int) -> float:
    """Distance of another resolution: a half for cells of half or twice the length."""
    return 0.5 * abs(math.log2(stored / wanted)) / 3.0


def _geometry(scene: Scene) -> str:
    """Digest of the case, the closure and the reference temperature: where it is equal a state fits as is."""
    return _digest(scene.case, scene.closure, scene.layout.air.reference_temperature)


def _room(scene: Scene) -> str:
    """Digest of what must agree for a state to mean anything in another grid: shell, units, their places."""
    boxes = [asdict(box) for box in scene.boxes if box.kind in ("rack", "cooler")]
    return _digest(scene.layout.room.size, scene.unit_names, json.dumps(boxes), scene.closure.kind)


def _digest(*values: Any) -> str:
    total = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, np.ndarray):
            array: NDArray[Any] = np.ascontiguousarray(value)
            total.update(f"{array.dtype}{array.shape}".encode())
            total.update(array.tobytes())
        elif isinstance(value, list | tuple):
            total.update(f"({len(value)}".encode())
            for part in value:
                add(part)
        else:
            total.update(f"{value!r};".encode())

    add(values)
    return total.hexdigest()
