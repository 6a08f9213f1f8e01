"""Nested named tuples of arrays as one flat mapping, for checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _parts(value: Any) -> tuple[str, ...]:
    """Return the names of the parts of a named tuple; none of anything else."""
    return getattr(value, "_fields", ())


def flatten(name: str, value: Any) -> dict[str, NDArray]:
    """Return the arrays in nested named tuples, by their path."""
    flat: dict[str, NDArray] = {}
    for part in _parts(value):
        flat |= flatten(f"{name}.{part}", getattr(value, part))
    return flat if _parts(value) else {name: np.array(value)}


def rebuild(name: str, like: Any, packed: Mapping[str, NDArray]) -> Any:
    """Return a value of the form of another from the arrays of `flatten`."""
    if _parts(like):
        return type(like)(*(rebuild(f"{name}.{part}", getattr(like, part), packed) for part in _parts(like)))
    found = packed[name]
    return found.copy() if isinstance(like, np.ndarray) else type(like)(found.item())
