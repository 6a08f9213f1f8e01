"""The pace falls back visibly when the solver is slow, and comes back when it is fast again."""

from __future__ import annotations

import pytest

from twin.runtime.pace import EFFORTS, Pace


def follow(pace: Pace, speed_at_full_accuracy: float, seconds: float, period: float = 0.5) -> float:
    """Simulate a solver whose speed follows from the effort; return the final lag [s]."""
    now = lag = 0.0
    while now < seconds:
        effort = pace.effort
        speed = speed_at_full_accuracy * (effort.cfl / EFFORTS[0].cfl) * effort.coarsening**4
        duration = min(lag + period, 1.0)
        spent = duration / speed
        elapsed = max(period, spent)
        now += elapsed
        lag = max(0.0, lag + elapsed - duration)
        pace.record(now, duration, spent, lag)
        lag -= pace.excess(lag)
    return lag


def test_a_fast_solver_keeps_full_accuracy():
    pace = Pace()
    assert follow(pace, 10.0, 120.0) < 1.0
    assert (pace.level, pace.degraded, pace.skipped) == (0, None, 0.0)
    assert pace.real_time_factor == pytest.approx(10.0)


def test_a_slow_solver_takes_larger_steps_and_says_so():
    pace = Pace()
    assert follow(pace, 0.6, 120.0) < 2.0
    assert pace.level == 1
    assert pace.degraded is not None
    assert "time steps" in pace.degraded


def test_a_very_slow_solver_coarsens_the_grid():
    pace = Pace()
    assert follow(pace, 0.2, 200.0) < 2.0
    assert pace.level == 2
    assert pace.skipped == 0.0


def test_a_hopeless_solver_skips_time_and_counts_it():
    pace = Pace()
    follow(pace, 0.01, 300.0)
    assert pace.level == len(EFFORTS) - 1
    assert pace.skipped > 50.0


def test_full_accuracy_comes_back_when_the_machine_is_free_again():
    pace = Pace()
    follow(pace, 0.2, 100.0)
    assert pace.level == 2
    follow(pace, 20.0, 2000.0)
    assert (pace.level, pace.degraded) == (0, None)
