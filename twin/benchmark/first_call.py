"""How long the first call takes: kernels compiled from nothing, and kernels loaded from the cache."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from twin.errors import OutsideError

_READY = "from solvers.airflow.model import warm_up; warm_up()"


@dataclass(frozen=True)
class FirstCall:
    """Wall time of a new process until `warm_up` is done, start of Python and imports included.

    Attributes
    ----------
    cold_s : float      With an empty cache: everything is compiled. [s]
    cached_s : float    With what the cold one left. [s]
    """

    cold_s: float
    cached_s: float


def measure_first_call() -> FirstCall:
    """Compile every kernel into a cache that does not stay, then load it.

    Returns
    -------
    FirstCall

    Raises
    ------
    OutsideError : the process failed.
    """
    with tempfile.TemporaryDirectory(prefix="racklet-cache-") as cache:
        cold_s, cached_s = (_ready_in(Path(cache)) for _ in range(2))
        return FirstCall(cold_s, cached_s)


def _ready_in(cache: Path) -> float:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _READY],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise OutsideError(f"kernels cannot be compiled in a new process: {' '.join(last)}")
    return time.perf_counter() - begun
