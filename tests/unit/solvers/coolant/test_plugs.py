"""Parcels in pipes: order, conservation, heat along the way, joining."""

from __future__ import annotations

import math

import numpy as np
import pytest

from solvers.coolant.plugs import PARCELS, flow_in, flow_out


class Pipe:
    """One pipe of 10 kg, filled with h = 0."""

    def __init__(self, gain=0.0, rate=0.0, around=0.0):
        self.mass, self.h = np.zeros((1, PARCELS)), np.zeros((1, PARCELS))
        self.mass[0, 0], self.count = 10.0, np.array([1])
        self.law = [np.array([x]) for x in (gain, rate, around)]

    def step(self, m, dt, h_in):
        alpha, beta, a_in, b_in = (np.empty(1) for _ in range(4))
        flow_out(self.mass, self.h, self.count, np.array([m]), dt, *self.law, alpha, beta, a_in, b_in)
        flow_in(self.mass, self.h, self.count, np.array([m]), np.array([10.0]), a_in + b_in * h_in)
        return float(alpha[0] + beta[0] * h_in)

    def content(self):
        n = self.count[0]
        return float((self.mass[0, :n] * self.h[0, :n]).sum())


def test_a_front_arrives_when_its_mass_has_passed():
    pipe = Pipe()
    left = [pipe.step(1.0, 0.5, 1e4) for _ in range(30)]
    assert left[:20] == [0.0] * 20  # 10 kg at 1 kg/s
    assert left[20:] == [1e4] * 10


def test_a_front_between_two_steps_is_shared_and_no_more():
    pipe = Pipe()
    left = [pipe.step(1.0, 0.7, 1e4) for _ in range(20)]
    assert left[13] == 0.0  # until 9.8 kg
    assert left[14] == pytest.approx(1e4 * (10.5 - 10.0) / 0.7)
    assert left[15] == pytest.approx(1e4)


@pytest.mark.parametrize("dt", [0.3, 3.0, 25.0])
@pytest.mark.parametrize(("gain", "rate"), [(0.0, 0.0), (50.0, 0.0), (20.0, 0.01)])
def test_heat_is_conserved_and_the_steady_state_exact(dt, gain, rate):
    pipe = Pipe(gain, rate, around=-500.0)
    h_in, m = 2000.0, 0.8
    for _ in range(200):
        before = pipe.content()
        out = pipe.step(m, dt, h_in)
        if rate == 0.0:  # what was given is in the pipe or has left
            assert pipe.content() - before == pytest.approx(
                (m * (h_in - out) + gain * 10.0) * dt, rel=1e-9, abs=1e-6
            )
    time = 10.0 / m
    level = -500.0 + gain / rate if rate else 0.0
    expected = level + (h_in - level) * math.exp(-rate * time) if rate else h_in + gain * time
    # parcels are alike inside: (rate t)^2 / 12 of what is lost; 1e-9 where nothing is
    spread = (rate * min(dt, time)) ** 2 / 12 * abs(h_in - level)
    assert out == pytest.approx(expected, rel=1e-9, abs=spread)


def test_reversal_gives_back_what_went_in():
    pipe = Pipe()
    values = [100.0, 900.0, 300.0]
    for value in values:
        pipe.step(2.0, 1.0, value)
    assert [pipe.step(-2.0, 1.0, 0.0) for _ in values] == pytest.approx(values[::-1])


def test_standing_coolant_warms_by_itself():
    pipe = Pipe(gain=30.0, rate=0.02, around=100.0)
    pipe.step(0.0, 40.0, 0.0)
    assert pipe.content() / 10 == pytest.approx((100 + 1500) * (1 - math.exp(-0.8)))


def test_a_full_pipe_joins_neighbours_and_keeps_the_heat():
    pipe, rng = Pipe(), np.random.default_rng(1)
    given = 0.0
    for _ in range(3 * PARCELS):
        h_in = float(rng.uniform(0, 1e4))
        given += 0.05 * (h_in - pipe.step(0.05, 1.0, h_in))
        assert pipe.count[0] <= PARCELS
        assert float(pipe.mass[0, : pipe.count[0]].sum()) == pytest.approx(10.0, rel=1e-12)
    assert pipe.content() == pytest.approx(given, rel=1e-9)


def test_compiled_and_plain_functions_agree():
    state = []
    for out, into in ((flow_out, flow_in), (flow_out.py_func, flow_in.py_func)):
        pipe = Pipe(5.0, 0.01, 50.0)
        for m, dt, h_in in ((1.0, 3.0, 500.0), (-0.7, 2.0, 900.0), (2.0, 9.0, 100.0)):
            alpha, beta, a_in, b_in = (np.empty(1) for _ in range(4))
            out(pipe.mass, pipe.h, pipe.count, np.array([m]), dt, *pipe.law, alpha, beta, a_in, b_in)
            into(pipe.mass, pipe.h, pipe.count, np.array([m]), np.array([10.0]), a_in + b_in * h_in)
        state.append((pipe.mass, pipe.h, pipe.count.copy()))
    for one, other in zip(*state, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
