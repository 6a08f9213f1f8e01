"""The two published recordings themselves, where the shared data folder is at hand."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from twin.model.load import example_layout, load_layout
from twin.runtime.trace import read_trace
from twin.runtime.workloads import LoadModel

DATA = Path(os.environ.get("RACKLET_SHARED_DATA", Path(__file__).resolve().parents[5] / "shared" / "data"))
NAMES = ("frontier_cdu_power_15s.csv", "surf_week_tasks.parquet", "surf_week_fragments.parquet")

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the recordings are not at {DATA}")


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_read_quickly_and_drives_the_racks(name):
    layout = load_layout(example_layout("pod_two_row"))
    begun = time.perf_counter()
    trace = read_trace(DATA / name, layout)
    assert time.perf_counter() - begun < 3.0
    nominal = np.array([rack.nominal_power for rack in layout.racks])
    assert (trace.power.max(axis=0) <= nominal * (1 + 1e-12)).all()
    assert (trace.power.min(axis=0) > 0).all()
    assert np.isfinite(trace.power).all()
    assert trace.duration > 86_000.0
    model = LoadModel(layout, trace)
    for t in (0.0, 12_345.6, 5e5):
        power, expected = model.rack_power(model.placement, t), trace.at(t)
        assert power == pytest.approx(expected, rel=1e-12)


def test_frontier_is_scaled_column_by_column():
    layout = load_layout(example_layout("pod_two_row"))
    trace = read_trace(DATA / NAMES[0], layout)
    assert trace.power.shape == (5761, 12)
    nominal = np.array([rack.nominal_power for rack in layout.racks])
    assert trace.power.max(axis=0) == pytest.approx(nominal)
    assert trace.power[0, 0] == pytest.approx(nominal[0] * 1013384.988 / 1070477.1, rel=1e-6)
