from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hardware_sync.agent.deploy import write_configs
from hardware_sync.agent.plant import Plant, TraceLoad, _serve, load_digest, make_load, trace_start
from twin.errors import NotConvergedError
from twin.model.load import example_layout, load_layout
from twin.runtime.trace import generated_trace, read_trace
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


def test_tasks_are_placed_by_the_seed_as_the_command_line_shows_them(tmp_path):
    pod = load_layout(example_layout("pod_two_row"))
    rng = np.random.default_rng(1)
    length = rng.integers(2, 60, 60)
    start = np.sort(rng.integers(0, 200, 60)) * 30_000 + 1_665_093_600_000
    tasks = {"id": np.arange(60), "submission_time": start, "duration": length * 30_000, "cpu_count": 16}
    pieces = {"id": np.repeat(np.arange(60), length), "duration": 30_000}
    pieces["cpu_usage"] = rng.uniform(0.0, 33_600.0, length.sum())
    pd.DataFrame({**tasks, "cpu_capacity": 33_600.0}).to_parquet(tmp_path / "a_tasks.parquet")
    pd.DataFrame(pieces).to_parquet(tmp_path / "a_fragments.parquet")
    path = tmp_path / "a_tasks.parquet"
    shown = read_trace(path, pod, seed=4)
    assert shown.scale_note != read_trace(path, pod).scale_note
    assert make_load(pod, path, 4).trace.scale_note == shown.scale_note


def test_the_trace_goes_on_after_a_restart_and_begins_anew_with_another_load(layout, model, tmp_path):
    path, trace = tmp_path / "plant.json", model.trace
    same = load_digest(layout, trace, 1.0, 3)
    assert trace_start(path, same, 100.0) == 100.0
    assert trace_start(path, same, 200.0) == 100.0
    hotter = layout.model_copy(update={"name": "another"})
    others = [
        load_digest(hotter, trace, 1.0, 3),
        load_digest(layout, replace(trace, source="another file"), 1.0, 3),
        load_digest(layout, replace(trace, power=trace.power * 0.9), 1.0, 3),
        load_digest(layout, trace, 2.0, 3),
        load_digest(layout, trace, 1.0, 4),
    ]
    assert len({same, *others}) == 6
    for k, other in enumerate(others):
        assert trace_start(path, other, 300.0 + k) == 300.0 + k
        assert trace_start(path, other, 900.0) == 300.0 + k


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"trace_start": 5.0}', '{"trace_start": "x", "load": "a"}']
)
def test_a_broken_note_of_the_start_is_made_anew(tmp_path, content):
    path = tmp_path / "plant.json"
    path.write_text(content)
    assert trace_start(path, "a", 50.0) == 50.0
    assert trace_start(path, "a", 60.0) == 50.0


@pytest.fixture
def begin(layout, model, tmp_path):
    """Make a plant of one rack in the state folder, as a start or a restart does."""
    write_configs(layout, tmp_path)
    return lambda: Plant(layout, tmp_path, model, seed=3)


def test_a_plant_begins_settled_where_its_checkpoint_is_empty_torn_or_garbage(begin, tmp_path, caplog):
    begin().save()
    checkpoint = tmp_path / "plant.npz"
    whole = checkpoint.read_bytes()
    flipped = bytearray(whole)
    flipped[whole.index(b"PK\x01\x02") + 10] ^= 8  # the method of compression, in the directory
    contents = [b"", whole[:1000], whole[:-30], b"hello" * 100, bytes(flipped)]
    for content in contents:
        checkpoint.write_bytes(content)
        caplog.clear()
        begin()
        assert "is of no use" in caplog.text
    checkpoint.write_bytes(whole)
    with caplog.at_level("INFO"):
        begin()
    assert "goes on from" in caplog.text


def test_a_checkpoint_that_the_solver_cannot_go_on_from_is_not_tried_twice(begin, tmp_path):
    begin().save()
    checkpoint = tmp_path / "plant.npz"
    with np.load(io.BytesIO(checkpoint.read_bytes())) as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["u"] = np.full_like(arrays["u"], 1e30)
    np.savez(checkpoint, **arrays)
    with pytest.raises(NotConvergedError):
        begin()
    assert not checkpoint.exists()
    begin().step()


def test_a_plant_that_fails_while_it_serves_leaves_no_checkpoint_of_its_failure(begin, tmp_path):
    plant = begin()
    plant.save()
    arrays = plant.model.dump()
    assert plant.model.load(arrays | {"u": np.full_like(arrays["u"], 1e30)})
    with pytest.raises(NotConvergedError):
        asyncio.run(_serve(plant, tmp_path))
    assert not (tmp_path / "plant.npz").exists()
