"""Standard errors of means of correlated series, against the spread of many such means."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.airflow import sampling_error
from solvers.airflow.sampling_error import standard_error

STEP = 0.4  # s


def decaying(rng, steps, tau, series=12):
    """Random series whose correlation is exp(-t / tau), of variance 1."""
    a = np.exp(-STEP / tau)
    x = np.empty((steps, series))
    x[0] = rng.normal(size=series)
    for n in range(1, steps):
        x[n] = a * x[n - 1] + np.sqrt(1 - a * a) * rng.normal(size=series)
    return x


def swinging(rng, steps, period, series=12):
    """Oscillations of random phase and slowly wandering frequency, of variance 1."""
    wander = np.cumsum(0.02 * rng.normal(size=(steps, 1)), axis=0) + rng.uniform(0, 2 * np.pi)
    phase = 2 * np.pi * STEP * np.arange(steps)[:, None] / period + wander
    return np.sqrt(2) * np.sin(phase + rng.uniform(0, 2 * np.pi, series))


def errors(make, seconds, records=60):
    """Rms of the means of many records, which should be 0; rms of what is said; share within twice that."""
    rng, steps = np.random.default_rng(1), round(seconds / STEP)
    means, said = [], []
    for _ in range(records):
        x = make(rng, steps)
        means.append(x.mean(axis=0))
        said.append(standard_error(np.full(steps, STEP), x))
    means, said = np.abs(means), np.array(said)
    return np.sqrt((means**2).mean()), np.sqrt((said**2).mean()), (means < 2 * said).mean()


@pytest.mark.parametrize(("tau", "low"), [(1.0, 0.7), (5.0, 0.65), (20.0, 0.65), (60.0, 0.55)])
def test_correlated_series(tau, low):
    # 100 s: from 100 to 2 correlation times; the scatter of six windows alone says 0.95, 0.85, 0.55, 0.3
    true, said, covered = errors(lambda rng, steps: decaying(rng, steps, tau), 100.0)
    assert low < said / true < 1.4
    assert covered > 0.7


@pytest.mark.parametrize(("seconds", "least", "most"), [(30.0, 0.6, 1.5), (250.0, 0.6, 2.5)])
def test_oscillations(seconds, least, most):
    # a period of 100 s: a record of 30 s sees a drift, one of 250 s the oscillation that averages out
    true, said, _ = errors(lambda rng, steps: swinging(rng, steps, 100.0), seconds)
    assert least < said / true < most


def test_independent_values_have_the_textbook_s_error():
    rng = np.random.default_rng(3)
    said = standard_error(np.ones(4000), rng.normal(size=(4000, 40)))
    # 16 batches tell the scatter to 18 %, of 40 series together to 3 %; three batch sizes, the largest
    assert np.sqrt((said**2).mean()) == pytest.approx(1 / np.sqrt(4000), rel=0.25)


def test_uneven_steps_count_by_their_length():
    # the same record in long and in short steps
    rng = np.random.default_rng(5)
    x = decaying(rng, 200, 10.0)
    dt = rng.uniform(0.1, 0.9, 200)
    once = standard_error(dt, x)
    assert standard_error(np.repeat(dt / 3, 3), np.repeat(x, 3, axis=0)) == pytest.approx(once, rel=1e-9)


def test_what_says_nothing():
    assert standard_error(np.ones(100), np.full((100, 3), 7.0)).tolist() == [0, 0, 0]
    assert standard_error(np.ones(5), np.random.default_rng(0).normal(size=(5, 2))).tolist() == [0, 0]
    assert standard_error(np.ones(50), np.zeros((50, 0))).shape == (0,)
    still = np.random.default_rng(0).normal(size=(100, 2)) * [1, 0]
    found = standard_error(np.ones(100), still)
    assert found[0] > 0 and found[1] == 0  # a still inlet has no error because another one swings


def test_variance_of_a_mean_over_a_time():
    # sigma^2 m: the double integral of exp(-|t - s| / tau) over the record
    t = (np.arange(400) + 0.5) / 400
    for x in (0.02, 0.3, 2.0):
        double = np.exp(-np.abs(t[:, None] - t) / x).mean()
        assert sampling_error._averaged(x) == pytest.approx(double, rel=2e-3)  # midpoint rule
    # and of n values of an autoregression: the double sum
    a = np.array([1.1, -0.5, 0.1])
    rho = [1.0]
    rng = np.random.default_rng(0)
    x = np.zeros((400_000, 1))
    noise = rng.normal(size=400_000)
    for n in range(3, 400_000):
        x[n] = a @ x[n - 3 : n, 0][::-1] + noise[n]
    rho += [float((x[k:] * x[:-k]).mean() / x.var()) for k in range(1, 16)]
    expected = np.mean([[rho[abs(i - j)] for i in range(16)] for j in range(16)])
    # 4e5 values of a correlation time of 3 tell rho to 0.004
    assert sampling_error._share_of_mean(a, 16) == pytest.approx(expected, abs=0.004)
    assert sampling_error._burg(x[1000:], 3) == pytest.approx(a, abs=0.01)
