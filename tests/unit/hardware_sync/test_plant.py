from __future__ import annotations

import pytest

from hardware_sync.agent.plant import TraceLoad
from twin.model.load import example_layout, load_layout
from twin.runtime.trace import generated_trace
from twin.runtime.workloads import LoadModel

START = 1_000_000.0


@pytest.fixture(scope="module")
def layout():
    return load_layout(example_layout("one_rack"))


@pytest.fixture(scope="module")
def model(layout):
    return LoadModel(layout, generated_trace(layout, 3), 3)


@pytest.mark.parametrize(("horizon", "speed"), [(30.0, 1.0), (300.0, 1.0), (300.0, 4.0), (900.0, 1.0)])
def test_the_forecast_looks_as_far_ahead_as_it_is_told(layout, model, horizon, speed):
    load = TraceLoad(layout, model, START, speed, horizon)
    assert load.demand_ahead(START + 3600.0) == model.demands_ahead(3600.0 * speed, horizon * speed)


def test_a_forecast_never_serves_longer_than_it_looks_ahead(layout, model):
    load = TraceLoad(layout, model, START, 1.0, 10.0)
    load.demand_ahead(START + 3600.0)
    assert load.demand_ahead(START + 3606.0) == model.demands_ahead(3606.0, 10.0)
