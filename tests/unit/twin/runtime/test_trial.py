"""Trials with the real solver in a real worker process, on a coarse grid."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from solvers.airflow.case import AirState
from twin.errors import OutsideError
from twin.model.load import example_layout, load_layout
from twin.model.operating import Operating
from twin.runtime.engine import Engine, Prepared
from twin.runtime.trial import TwinTrial

HORIZON = 60.0


@dataclass
class Present:
    prepared: Prepared
    state: AirState
    coolant: dict = field(default_factory=dict)


@pytest.fixture(scope="module")
def layout():
    return load_layout(example_layout("one_rack"))


@pytest.fixture(scope="module")
def present(layout):
    engine = Engine(layout, cell=0.2)
    engine.start(0.0, Operating.nominal(layout))
    return Present(engine._prepared, engine.state)


@pytest.fixture(scope="module")
def trial(layout, present):
    trial = TwinTrial(layout, lambda: present, cell=0.25)
    yield trial
    trial.close()


def test_more_power_is_hotter_and_colder_supply_is_colder(layout, trial):
    now = Operating.nominal(layout)
    (rack,) = now.rack_power
    trial.freeze()
    same = trial(now, now, HORIZON)
    colder = trial(
        now,
        replace(
            now, cooler_supply_temperature={c: T - 4.0 for c, T in now.cooler_supply_temperature.items()}
        ),
        HORIZON,
    )
    hotter = trial(now, replace(now, rack_power={rack: 1.5 * now.rack_power[rack]}), HORIZON)
    assert colder.inlet_mean[rack] < same.inlet_mean[rack] - 0.2  # the top recirculates, the rest follows
    assert sum(hotter.cooler_power.values()) > sum(same.cooler_power.values())
    assert same.inlet_mean[rack] <= same.inlet_max[rack] <= same.inlet_peak[rack]
    assert 280.0 < same.inlet_max[rack] < 320.0
    assert same.horizon == HORIZON and same.wall > 0.0


def test_trials_from_one_state_are_repeatable_and_leave_it_alone(layout, trial, present):
    now = Operating.nominal(layout)
    before = present.state.T.copy()
    trial.freeze()
    first, second = trial(now, now, HORIZON), trial(now, now, HORIZON)
    assert first.inlet_max == second.inlet_max
    assert (before == present.state.T).all()


def test_a_killed_worker_is_reported_and_replaced(layout, trial):
    now = Operating.nominal(layout)
    trial.freeze()
    killed = trial.worker_id
    threading.Timer(0.3, os.kill, (killed, signal.SIGKILL)).start()
    with pytest.raises(OutsideError, match="died"):
        trial(now, now, 1e5)
    assert trial(now, now, HORIZON).inlet_max
    assert trial.worker_id != killed


def test_a_trial_can_be_cancelled_and_given_up(layout, trial):
    now = Operating.nominal(layout)
    trial.freeze()
    threading.Timer(0.3, trial.cancel).start()
    begun = time.monotonic()
    with pytest.raises(OutsideError, match="cancelled"):
        trial(now, now, 1e5)
    assert time.monotonic() - begun < 5.0
    trial.freeze()
    assert trial(now, now, HORIZON).inlet_max
    trial._limit, kept = 0.5, trial._limit
    with pytest.raises(OutsideError, match="given up"):
        trial(now, now, 1e5)
    trial._limit = kept


def test_a_trial_that_the_solver_or_the_scene_cannot_do_is_an_error(layout, trial):
    now = Operating.nominal(layout)
    trial.freeze()
    with pytest.raises(OutsideError, match="failed"):
        trial(now, replace(now, rack_power={rack: float("nan") for rack in now.rack_power}), HORIZON)
    assert trial(now, now, HORIZON).inlet_max  # the worker is still there


def test_without_a_state_there_is_no_trial(layout):
    trial = TwinTrial(layout, lambda: None)
    with pytest.raises(OutsideError, match="no state yet"):
        trial.freeze()
    with pytest.raises(OutsideError, match="freeze"):
        trial(Operating(), Operating(), HORIZON)
    assert trial.worker_id is None


def test_closing_leaves_no_process(layout, present):
    trial = TwinTrial(layout, lambda: present, cell=0.25)
    trial.start()
    worker = trial.worker_id
    trial.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_the_worker_ends_when_its_parent_is_killed(tmp_path):
    script = (
        "import time; from twin.model.load import *; from twin.runtime.trial import TwinTrial\n"
        "trial = TwinTrial(load_layout(example_layout('one_rack')), lambda: None, cell=0.3); trial.start()\n"
        "print(trial.worker_id, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        worker = int(parent.stdout.readline())
        os.kill(worker, 0)
        parent.kill()
    deadline = time.monotonic() + 10.0
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()
