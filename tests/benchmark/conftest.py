"""Cases that the benchmarks share."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def build_pod():
    spec = importlib.util.spec_from_file_location(
        "racklet_pod", Path(__file__).parents[1] / "verification" / "pod.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build_pod
