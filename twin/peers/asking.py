"""pandapipes beside our networks, in an interpreter of its own: its pandapower wants pandas below 3."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twin.errors import OutsideError

VARIABLE = "RACKLET_PANDAPIPES"
"""Environment variable that names an interpreter with pandapipes."""
_SCRIPT = Path(__file__).with_name("pandapipes_script.py")
_HOME = Path(__file__).parents[2] / ".peers/bin/python"
_LACKS_IT = 3  # exit code
_HAS_IT = f"import importlib.util as u, sys; sys.exit(0 if u.find_spec('pandapipes') else {_LACKS_IT})"
_REMEDY = f"Let {VARIABLE} name a Python with pandapipes, or unset it and run `make .peers/.synced`"
_LONGEST_LOOK = 30.0  # s; it takes a fraction of one
_LONGEST = 300.0  # s; it takes a few, most of them to import


def interpreter() -> Path | None:
    """Find an interpreter that has pandapipes.

    Returns
    -------
    Path or None    What RACKLET_PANDAPIPES names, or ``.peers/bin/python`` of the checkout.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    return _HOME if _HOME.exists() else None


def why_not() -> str:
    """Say why pandapipes cannot be asked; empty if it can."""
    python = interpreter()
    if python is None:
        return f"pandapipes is not installed: `make .peers/.synced` does it, or {VARIABLE} names its Python"
    named = f"{VARIABLE}={python}" if os.environ.get(VARIABLE) else str(python)
    try:
        subprocess.run(
            [str(python), "-c", _HAS_IT], capture_output=True, text=True, check=True, timeout=_LONGEST_LOOK
        )
    except subprocess.CalledProcessError as error:
        fault = f"{named}: has no pandapipes" if error.returncode == _LACKS_IT else f"{named}: is no Python"
    except subprocess.TimeoutExpired:
        fault = f"{named}: gave no answer in {_LONGEST_LOOK:g} s"
    except OSError as error:
        fault = f"{named}: cannot be run: {error.strerror or error}"
    else:
        return ""
    return f"{fault}. {_REMEDY}"


def ask(networks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Let pandapipes solve networks.

    Parameters
    ----------
    networks : sequence of dict    As in `networks`.

    Returns
    -------
    dict
        ``version``; ``results`` by name: ``m_flow`` [kg/s] and ``T_out`` [K] by branch, ``p`` [Pa] and ``T``
        [K] by junction, ``wall_s``, the shortest of its solves after the first. [s]

    Raises
    ------
    OutsideError : there is no such interpreter, it failed, or it took too long.
    """
    python = interpreter()
    if python is None:
        raise OutsideError(why_not())
    try:
        done = subprocess.run(
            [str(python), str(_SCRIPT)],
            input=json.dumps(list(networks)),
            capture_output=True,
            text=True,
            check=True,
            timeout=_LONGEST,
        )
        return json.loads(done.stdout)
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:] or ["it said nothing"]
        raise OutsideError(f"{python}: pandapipes failed: {last[0]}") from error
    except subprocess.TimeoutExpired as error:
        raise OutsideError(f"{python}: pandapipes gave no answer in {_LONGEST:g} s") from error
    except json.JSONDecodeError as error:
        raise OutsideError(f"{python}: the answer of pandapipes cannot be read: {error}") from error
    except OSError as error:
        raise OutsideError(f"{python}: cannot be run: {error.strerror or error}") from error
