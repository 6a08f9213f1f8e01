"""Workloads: they carry the trace exactly, go where they are put, and are forecast from the past alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.model.load import example_layout, load_layout
from twin.runtime.trace import Trace, generated_trace
from twin.runtime.workloads import LoadModel

LAYOUT = load_layout(example_layout("pod_two_row"))
TRACE = generated_trace(LAYOUT, seed=2, days=0.5)
MODEL = LoadModel(LAYOUT, TRACE, seed=5)
IDS = [spec.id for spec in MODEL.workloads]
RACKS = list(TRACE.racks)


@settings(max_examples=50, deadline=None)
@given(t=st.floats(0.0, 2e5))
def test_where_they_start_they_reproduce_the_trace(t):
    assert MODEL.rack_power(MODEL.placement, t) == pytest.approx(TRACE.at(t), rel=1e-12)


@settings(max_examples=50, deadline=None)
@given(t=st.floats(0.0, 2e5), places=st.lists(st.sampled_from(RACKS), min_size=len(IDS), max_size=len(IDS)))
def test_power_is_conserved_wherever_they_are(t, places):
    power = MODEL.rack_power(dict(zip(IDS, places, strict=True)), t)
    assert sum(power.values()) == pytest.approx(sum(TRACE.at(t).values()), rel=1e-12)
    assert all(power[rack] >= MODEL.idle_power(rack) - 1e-9 for rack in RACKS)


def test_a_move_takes_the_demand_along_and_nothing_else():
    t, load = 5000.0, MODEL.workloads[0]
    before = MODEL.rack_power(MODEL.placement, t)
    after = MODEL.rack_power(MODEL.placement | {load.id: "R09"}, t)
    demand = MODEL.demand(load.id, t)
    assert before[load.rack] - after[load.rack] == pytest.approx(demand)
    assert after["R09"] - before["R09"] == pytest.approx(demand)
    assert all(after[rack] == pytest.approx(before[rack]) for rack in RACKS if rack not in (load.rack, "R09"))


def test_four_to_six_unequal_workloads_a_rack():
    for rack in RACKS:
        shares = [spec.share for spec in MODEL.workloads if spec.rack == rack]
        assert 4 <= len(shares) <= 6
        assert sum(shares) == pytest.approx(1.0)
        assert max(shares) > 1.1 * min(shares) > 0.0
    assert len(set(IDS)) == len(IDS)


def test_the_seed_makes_the_shares():
    assert LoadModel(LAYOUT, TRACE, seed=5).workloads == MODEL.workloads
    assert LoadModel(LAYOUT, TRACE, seed=6).workloads != MODEL.workloads


def test_the_layouts_own_workloads_are_used():
    layout = load_layout(
        example_layout("pod_two_row"),
        ["workloads=[{id: WEB, rack: R01, power: 3 kW}, {id: DB, rack: R01, power: 1 kW, movable: false}]"],
    )
    model = LoadModel(layout, TRACE)
    own = [spec for spec in model.workloads if spec.rack == "R01"]
    assert [(spec.id, spec.share, spec.movable) for spec in own] == [("WEB", 0.75, True), ("DB", 0.25, False)]
    assert model.rack_power(model.placement, 99.0) == pytest.approx(TRACE.at(99.0), rel=1e-12)


def test_a_trace_of_tasks_gives_its_groups():
    rng = np.random.default_rng(0)
    groups = rng.uniform(0.0, 300.0, (50, len(RACKS), 3)) * (rng.random((50, len(RACKS), 3)) < 0.7)
    power = 2000.0 + groups.sum(axis=2)
    trace = Trace(30.0 * np.arange(50), power, TRACE.racks, "tasks", "", groups)
    model = LoadModel(LAYOUT, trace, idle_share=0.2)
    assert len(model.workloads) == 3 * len(RACKS)
    for k in (0, 7, 33):
        assert model.rack_power(model.placement, 30.0 * k) == pytest.approx(trace.at(30.0 * k), rel=1e-12)
        busy = groups[k].sum(axis=1) > 0
        demand = model.demands(np.array([30.0 * k]))[0].reshape(len(RACKS), 3)
        share = demand / demand.sum(axis=1, keepdims=True)
        assert share[busy] == pytest.approx(groups[k][busy] / groups[k][busy].sum(axis=1, keepdims=True))


def test_a_forecast_never_looks_ahead():
    t = 200 * TRACE.step  # at a sample, so that interpolation does not look at the next one
    power = TRACE.power.copy()
    power[201:] = power[201:][::-1] * 0.5
    changed = LoadModel(LAYOUT, Trace(TRACE.time, power, TRACE.racks, "", ""), seed=5)
    object.__setattr__(changed, "_idle", MODEL._idle)
    assert changed.demands_ahead(t, 300.0) == pytest.approx(MODEL.demands_ahead(t, 300.0), rel=1e-12)
    assert changed.demand(IDS[0], t + 300.0) != pytest.approx(MODEL.demand(IDS[0], t + 300.0), rel=1e-3)


def ramp(slope, noise=0.0):
    time = 15.0 * np.arange(400)
    rng = np.random.default_rng(0)
    power = 4000.0 + slope * time[:, None] + noise * rng.standard_normal((400, len(RACKS)))
    return Trace(time, power, TRACE.racks, "", "")


def test_a_steady_load_is_forecast_as_steady_and_a_ramp_as_rising():
    flat = LoadModel(LAYOUT, ramp(0.0), idle_share=0.2)
    load = flat.workloads[0].id
    assert flat.demand_ahead(load, 3000.0, 300.0) == pytest.approx(flat.demand(load, 3000.0), rel=0.15)
    rising = LoadModel(LAYOUT, ramp(1.0), idle_share=0.2)
    total_now = sum(rising.demands(np.array([3000.0]))[0])
    total_ahead = sum(rising.demands_ahead(3000.0, 300.0).values())
    truth = sum(rising.demands(np.array([3300.0]))[0])
    assert total_now < total_ahead < 1.05 * truth


def test_a_forecast_is_about_as_good_as_persistence_on_noise_and_never_negative():
    errors, naive = [], []
    for t in np.arange(6000.0, 40000.0, 600.0):
        ahead = MODEL.demands_ahead(t, 300.0)
        now, then = MODEL.demands(np.array([t, t + 300.0]))
        values = np.array([ahead[id] for id in IDS])
        assert (values >= 0).all()
        errors.append(np.abs(values - then).mean())
        naive.append(np.abs(now - then).mean())
    assert np.mean(errors) < 1.05 * np.mean(naive)


def test_at_the_very_start_there_is_a_forecast_too():
    assert MODEL.demand_ahead(IDS[0], 0.0, 300.0) == pytest.approx(MODEL.demand(IDS[0], 0.0), rel=0.5)


def test_unknown_names():
    with pytest.raises(KeyError):
        MODEL.demand("nobody", 0.0)
    with pytest.raises(KeyError, match="nobody"):
        MODEL.rack_power({"nobody": "R01"}, 0.0)
    with pytest.raises(KeyError):
        MODEL.rack_power({IDS[0]: "X"}, 0.0)
