"""The historian keeps what it acknowledged, also when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from twin.errors import OutsideError
from twin.ports import Quality, Reading
from twin.runtime.historian import Historian

WRITER = """
import sys
from twin.ports import Reading
from twin.runtime.historian import Historian
store = Historian(sys.argv[1])
for n in range(100000):
    store.append_readings([Reading(f"R{k:02d}.power", float(n), float(n)) for k in range(5)])
    print(n, flush=True)
"""


@pytest.fixture
def historian(tmp_path):
    store = Historian(tmp_path / "history.db")
    yield store
    store.close()


def test_series_means_per_bucket_and_leaves_bad_readings_out(historian):
    readings = [Reading("R01.power", float(n), float(t)) for t, n in enumerate([1, 3, 5, 7])]
    historian.append_readings([*readings, Reading("R01.power", 1e9, 2.5, Quality.BAD)])
    historian.append_predictions(1.0, {"R01.power": 2.0})

    curves = historian.series(["R01.power", "nobody.power"], 0.0, 4.0, buckets=2)

    assert curves["R01.power"]["measured"] == [(0.5, 2.0), (2.5, 6.0)]
    assert curves["R01.power"]["predicted"] == [(1.0, 2.0)]
    assert curves["nobody.power"] == {"measured": [], "predicted": []}


def test_a_reading_sent_twice_is_stored_once(historian):
    for value in (1.0, 2.0):
        historian.append_readings([Reading("R01.power", value, 10.0)])
    assert historian.series(["R01.power"], 0, 20)["R01.power"]["measured"] == [(10.0, 2.0)]


def test_decisions_come_newest_first_and_are_replaced_by_id(historian):
    for number, state in [(1, "proposed"), (2, "proposed"), (1, "committed")]:
        historian.save_decision({"id": f"d{number}", "time": float(number), "state": state, "why": "x"})
    assert [(d["id"], d["state"]) for d in historian.decisions()] == [("d2", "proposed"), ("d1", "committed")]


def test_prune_deletes_the_old_alone(historian):
    historian.append_readings([Reading("R01.power", 1.0, t) for t in (1.0, 2.0, 3.0)])
    historian.append_summary({"time": 1.0})
    historian.append_summary({"time": 5.0})
    assert historian.prune(before=2.5) == 3
    assert historian.summaries(0, 10) == [{"time": 5.0}]
    assert historian.series(["R01.power"], 0, 10)["R01.power"]["measured"] == [(3.0, 1.0)]


def test_kill_loses_nothing_acknowledged(tmp_path):
    path = tmp_path / "history.db"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = -1
    while acknowledged < 40:
        acknowledged = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged = max([acknowledged, *(int(line) for line in writer.stdout.read().split())])
    writer.wait()
    writer.stdout.close()

    store = Historian(path)
    for rack in range(5):
        curve = store.series([f"R{rack:02d}.power"], 0, acknowledged, buckets=2000)
        kept = {value for _, value in curve[f"R{rack:02d}.power"]["measured"]}
        assert kept >= set(map(float, range(acknowledged + 1)))
    store.close()


def test_readers_see_what_a_writer_commits_and_cannot_write(historian, tmp_path):
    historian.append_readings([Reading("R01.power", 1.0, 1.0)])
    reader = Historian(tmp_path / "history.db", read_only=True)
    assert reader.points() == ["R01.power"]
    with pytest.raises(OutsideError, match="cannot write"):
        reader.append_summary({"time": 1.0})
    reader.close()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OutsideError, match=r"nowhere/history\.db.*--state"):
        Historian(tmp_path / "nowhere" / "history.db")
