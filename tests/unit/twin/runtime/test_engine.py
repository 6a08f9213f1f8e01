"""The engine follows the clock, predicts every point, and goes on from its checkpoint."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from twin.model.load import example_layout, load_layout
from twin.model.scene import Operating
from twin.ports import Reading
from twin.runtime.engine import Engine
from twin.runtime.inputs import Comparer, LiveInputs
from twin.runtime.snapshot import describe_scene, error_points, summarise

CELL = 0.2
NOW = 1_700_000_000.0


@pytest.fixture(scope="module")
def layout():
    return load_layout(example_layout("one_rack"))


@pytest.fixture(scope="module")
def engine(layout):
    engine = Engine(layout, CELL)
    assert "steady" in engine.start(NOW, Operating.nominal(layout))
    return engine


def test_it_follows_the_clock_in_bounded_steps(engine, layout):
    begun = engine.time()
    behind = engine.follow(begun + 0.7, Operating.nominal(layout))
    assert behind == pytest.approx(0.0, abs=1e-6)
    assert engine.time() == pytest.approx(begun + 0.7)
    assert engine.follow(begun + 5.7, Operating.nominal(layout), longest=1.0) == pytest.approx(4.0)
    assert engine.follow(begun, Operating.nominal(layout)) < 0.0
    assert engine.time() == pytest.approx(begun + 1.7)


def test_more_power_makes_a_hotter_exhaust(engine, layout):
    nominal = Operating.nominal(layout)
    rack = layout.racks[0].id
    before = engine.predictions()[f"{rack}.outlet_temperature"]
    hotter = dataclasses.replace(nominal, rack_power={rack: 1.5 * nominal.rack_power[rack]})
    for _ in range(120):
        engine.follow(engine.time() + 1.0, hotter)
    assert engine.predictions()[f"{rack}.outlet_temperature"] > before + 0.5


def test_a_fresh_checkpoint_is_gone_on_from(engine, layout, tmp_path):
    path = tmp_path / "checkpoint.npz"
    engine.write_checkpoint(path)
    again = Engine(layout, CELL)
    assert "checkpoint" in again.start(engine.time() + 30.0, Operating.nominal(layout), path)
    np.testing.assert_allclose(again.state.T, engine.state.T, atol=0.1)  # a short first advance apart
    again.follow(again.time() + 0.5, Operating.nominal(layout))
    assert np.isfinite(again.state.T).all()


@pytest.mark.parametrize("case", ["old", "other grid", "torn"])
def test_a_checkpoint_that_does_not_fit_is_left(engine, layout, tmp_path, case):
    path = tmp_path / "checkpoint.npz"
    engine.write_checkpoint(path)
    now, cell = engine.time() + 1.0, CELL
    if case == "old":
        now += 3600.0
    elif case == "other grid":
        cell = 0.25
    else:
        path.write_bytes(path.read_bytes()[:1000])
    assert "steady" in Engine(layout, cell).start(now, Operating.nominal(layout), path)


def test_a_snapshot_names_everything_and_is_plain_json(engine, layout):
    import json

    inputs, comparer = LiveInputs(layout, Operating.nominal(layout)), Comparer()
    predictions = engine.predictions()
    now = engine.time()
    point = error_points(predictions)[0]
    comparer.remember(now, predictions)
    reading = Reading(point, predictions[point] - 1.5, now)
    inputs.take([reading])
    comparer.compare([reading])

    body = summarise(engine, predictions, inputs, comparer, now)
    json.dumps(body, allow_nan=False)
    assert body["twin_error_k"] == pytest.approx(1.5, abs=1e-3)
    assert body["sensors"][point]["error"] == pytest.approx(1.5, abs=1e-3)
    assert set(body["racks"]) == {rack.id for rack in layout.racks}
    kpis = body["kpis"]
    assert kpis["it_kw"] == pytest.approx(sum(r["power_w"] for r in body["racks"].values()) / 1e3, rel=1e-3)
    assert kpis["max_inlet_c"] == max(r["inlet_max_c"] for r in body["racks"].values())

    greeting = describe_scene(engine.scene)
    field = engine.field_celsius()
    assert field.shape == tuple(len(greeting["grid"][axis]) - 1 for axis in "xyz")
    assert field.dtype == np.float32
    assert np.isnan(field).any()
    assert np.nanmin(field) > 5.0
    assert np.nanmax(field) < 80.0


def test_a_slow_machine_moves_the_state_to_a_coarser_grid_and_back(layout):
    class Clock:
        """Every look at the clock takes as long as the work is said to."""

        now, cost = 0.0, 5.0

        def __call__(self):
            self.now += self.cost
            return self.now

    clock = Clock()
    engine = Engine(layout, CELL, monotonic=clock)
    engine.start(NOW, Operating.nominal(layout))
    wall = NOW
    while engine.pace.level < 2:
        wall += 5.0
        engine.follow(wall, Operating.nominal(layout))
    coarse = engine.scene.cells
    assert "coarser grid" in engine.pace.degraded
    clock.cost = 0.01
    for _ in range(100_000):
        wall = engine.time() + 0.5
        engine.follow(wall, Operating.nominal(layout))
        clock.now += 5.0
        if engine.pace.level == 0:
            break
    assert engine.pace.degraded is None
    assert engine.scene.cells > 2 * coarse
