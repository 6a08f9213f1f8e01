"""Clocks, triad and processes of their own."""

import numpy as np
import pytest
from numba import get_num_threads

from solvers.errors import CaseError
from twin.benchmark.measure import cache_size, measure_memory, run_apart, timed, triad
from twin.errors import OutsideError


def test_the_fastest_and_the_median_of_all_repetitions():
    calls = []
    timing = timed(lambda: calls.append(1), seconds=0.0, least=7)
    assert timing.repeats == 7
    assert len(calls) == 8  # one before the clock starts
    assert 0 <= timing.best <= timing.median


def test_the_triad_is_a_triad():
    b, c = np.arange(1000, dtype=np.float32), np.ones(1000, dtype=np.float32)
    out = np.zeros_like(b)
    triad(b, c, 3.0, out)
    assert (out == b + 3).all()


def test_the_bandwidth_is_that_of_a_computer():
    told = []
    memory = measure_memory(told.append, size=2**20, seconds=0.05)
    assert 0.1 < memory.gb_s < 5000  # a machine of 1990 and one of no time soon
    assert memory.threads >= 1
    assert told == ["memory triad"]


def test_the_cache_is_smaller_than_the_arrays_of_the_triad():
    assert 0 <= cache_size() < 3 * 4 * 2**24 * 8


def test_a_process_of_its_own_tells_result_progress_and_memory():
    told = []
    found = run_apart(measure_memory, tell=told.append)
    assert found.value.gb_s > 0
    assert told[-1] == "memory triad"
    assert told[0] == "preparing kernels: pressure" and told[-2] == "preparing kernels: ready"
    # three arrays of 64 MiB and little more
    assert 3 * 2**26 <= found.memory < 3.6 * 2**26


@pytest.mark.parametrize("threads", [1, 2])
def test_a_process_of_its_own_has_the_threads_it_is_given(threads):
    assert run_apart(_threads, threads=threads).value == threads


def test_errors_come_back_and_deaths_are_told():
    with pytest.raises(CaseError, match="kept"):
        run_apart(_refuse)
    with pytest.raises(OutsideError, match="died with exit code"):
        run_apart(_break)


def _threads(tell):
    return get_num_threads()


def _refuse(tell):
    raise CaseError("kept")


def _break(tell):
    raise RuntimeError("a bug")
