"""The stated statistics of the emulated sensors, on a steady and on a moving truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hardware_sync.agent import sensor_model
from hardware_sync.agent.sensor_model import BAD, GOOD, UNCERTAIN, SensorBank, kind_of

START = 1.79e9


def run(bank: SensorBank, truth: Callable[[float], np.ndarray], seconds: float, step: float = 0.5):
    """Let time pass; return times, values, measurement times and states of all samples."""
    rows = []
    for k in range(round(seconds / step)):
        now = START + k * step
        bank.sample(now, truth(now))
        rows.append((bank.value.copy(), bank.measured.copy(), bank.status.copy(), now))
    return [np.array(column) for column in zip(*rows, strict=True)]


def test_offset_and_noise_of_temperatures_are_as_stated():
    points = [f"R{k:03}.inlet_temperature.top" for k in range(400)]
    bank = SensorBank(points, seed=1)
    value, _, _, _ = run(bank, lambda _now: np.full(400, 22.0), 120.0)
    settled = value[20:]
    assert np.allclose(settled, np.round(settled, 1))
    offset = settled.mean(axis=0) - 22.0
    assert offset.std() == pytest.approx(0.20, rel=0.15)  # 400 draws: 3.5 % standard error
    assert abs(offset.mean()) < 0.04
    # rounding to 0.1 adds a uniform error of 0.1 / sqrt(12) to the noise of 0.10
    expected = np.hypot(0.10, 0.1 / np.sqrt(12))
    assert settled.std(axis=0).mean() == pytest.approx(expected, rel=0.05)


def test_gain_and_relative_noise_of_power_are_as_stated():
    bank = SensorBank([f"R{k:03}.power" for k in range(400)], seed=2)
    value, _, _, _ = run(bank, lambda _now: np.full(400, 10_000.0), 60.0)
    settled = value[10:]
    gain = settled.mean(axis=0) / 10_000.0 - 1.0
    assert gain.std() == pytest.approx(0.008, rel=0.15)
    assert settled.std(axis=0).mean() == pytest.approx(30.0, rel=0.05)


def test_the_time_told_is_the_time_of_the_value():
    bank = SensorBank([f"R{k:02}.inlet_temperature.top" for k in range(50)], seed=3)
    value, measured, _, now = run(bank, lambda now: np.full(50, 20.0 + (now - START)), 60.0)
    late = slice(20, None)
    error = value[late] - bank.offset - (20.0 + measured[late] - START)
    assert abs(error.mean()) < 0.01
    assert error.std() == pytest.approx(np.hypot(0.10, 0.1 / np.sqrt(12)), rel=0.1)
    age = now[late, None] - measured[late]
    assert age.min() >= 1.0 - 1e-6  # the shortest delay of temperatures
    assert np.median(age) < 4.0


def test_single_samples_go_missing_as_often_as_stated():
    bank = SensorBank([f"K{k:03}.fan_speed" for k in range(200)], seed=4)
    _, measured, status, _ = run(bank, lambda _now: np.full(200, 0.6), 300.0)
    fresh = np.diff(measured, axis=0) > 0
    quiet = status[1:] == GOOD
    assert 1.0 - fresh[quiet].mean() == pytest.approx(sensor_model.MISSING, rel=0.2)


def test_gaps_begin_and_last_as_stated(monkeypatch):
    monkeypatch.setattr(sensor_model, "GAP_RATE", 1.0 / 200.0)
    bank = SensorBank([f"K{k:03}.fan_speed" for k in range(200)], seed=5)
    value, measured, status, _ = run(bank, lambda _now: np.full(200, 0.6), 1000.0)
    in_gap = status == UNCERTAIN
    # mean time without a gap 200 s, mean gap 15 s and more where one begins inside another
    assert in_gap.mean() == pytest.approx(1.0 - np.exp(-15.0 / 200.0), rel=0.15)
    both = in_gap[1:] & in_gap[:-1]
    assert (np.diff(measured, axis=0)[both] == 0).all()
    assert (np.diff(value, axis=0)[both] == 0).all()


def test_codes_are_exact_and_never_missing():
    bank = SensorBank(["K01.state", "K01.error"], seed=6)
    value, _, status, _ = run(bank, lambda _now: np.array([4.0, 0.0]), 100.0)
    assert (value[1:] == [4.0, 0.0]).all()
    assert (status[1:] == GOOD).all()


def test_a_sensor_has_no_value_before_its_first_sample():
    bank = SensorBank(["K01.fan_speed"], seed=7)
    assert np.isnan(bank.value).all()
    assert (bank.status == BAD).all()


def test_the_error_of_a_sensor_depends_on_seed_and_name_alone():
    one = SensorBank(["a.power", "b.power"], seed=8)
    other = SensorBank(["c.power", "b.power"], seed=8)
    assert one.gain[1] == other.gain[1]
    assert one.gain[1] != SensorBank(["b.power"], seed=9).gain[0]
    again = SensorBank(["a.power", "b.power"], seed=8)
    truth = np.array([5000.0, 6000.0])
    for k in range(20):
        one.sample(START + k, truth)
        again.sample(START + k, truth)
    assert (one.value == again.value).all()


def test_every_quantity_of_the_telemetry_table_has_a_sensor():
    for quantity in sensor_model.KINDS:
        assert kind_of(f"X01.{quantity}").period > 0
    with pytest.raises(ValueError, match="colour"):
        kind_of("X01.colour")


def test_a_set_point_is_shown_as_the_controller_says_it():
    bank = SensorBank(["CDU1.supply_set_point"], seed=3)
    value, _, status, _ = run(bank, lambda _now: np.array([31.237]), 600.0)
    assert np.allclose(value[2:], 31.24, rtol=0.0, atol=1e-9)
    assert (status[2:] == GOOD).all()
