"""The coolant part of the benchmark: what it measures on small networks and stacks, what it hands out."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from twin.benchmark.bench import BenchResult
from twin.benchmark.coolant import CoolantSpeed, choose_sizes, compare_pipes
from twin.benchmark.halls import HallSpeed, hall, measure_hall
from twin.benchmark.measure import Memory
from twin.benchmark.pipes import PipesComparison
from twin.benchmark.plates import CompactSpeed, PlateSpeed, StackSpeed, measure_plate, measure_stacks
from twin.cli.bench import _print

SPEED = CoolantSpeed(
    halls=[
        HallSpeed(10, 77, 127, 2, 3.0, 4.0, 2.0, 3.0, 5.0, 30.0, 10, 1e-15, 1e-15),
        HallSpeed(40, 287, 487, 2, 9.0, 9.0, 5.0, 6.0, 25.0, 90.0, 30, 1e-15, 1e-15),
    ],
    pipes=[PipesComparison("tree", "pandapipes 0.16.0", 20.0, 2.0, 10.0, 0.001, 0.5)],
    pipes_skipped="",
    plate=PlateSpeed("correlation", 950_000, 2, 5.0, 36.8, 1e-10),
    compact=CompactSpeed(
        PlateSpeed("resolved", 1_150_000, 2, 6.0, 36.8, 1e-10),
        PlateSpeed("two_resistor", 4840, 2, 0.01, 36.0, 1e-10),
        600.0,
        0.02,
    ),
    stacks=[StackSpeed("mc4rm", 50_250, 2, 0.03, 4e-4)],
)


def result(speed):
    return BenchResult(Memory(40.0, 25.0, 2), [], [], [], [], None, [], "", False, speed)


def test_every_figure_that_is_asked_is_there():
    figures = {figure.name: figure for figure in result(SPEED).figures}
    assert len(figures) == 10
    steady = figures["coolant network of 40 racklets: steady state from the last"]
    slowest = figures["coolant network of 40 racklets: slowest step of 1 s, each best of three"]
    mean = figures["coolant network of 40 racklets: step of 1 s, mean"]
    (trip,) = (figure for name, figure in figures.items() if "a pump's trip (30 in 90 ms)" in name)
    assert (mean.reached, slowest.reached, trip.reached) == (6.0, 25.0, 3.0)
    assert (steady.asked, steady.passed, slowest.passed) == (20.0, True, False)
    (pipes,) = (figure for name, figure in figures.items() if "faster" in name)
    assert pipes.reached == 10.0
    for words in ("tree: prepared solve", "pipeflow of pandapipes 0.16.0", "both without building"):
        assert words in pipes.name
    assert figures["steady cold plate, 950 k cells"].asked == 60.0
    assert figures["compact cold plate: times the resolved one, 1.1 M cells"].asked == 500.0
    assert figures["compact cold plate: off the resolved one, of the rise"].asked == 0.035
    assert figures["stack mc4rm: off 3D-ICE"].asked == 0.1


def test_a_small_plate_does_not_count_for_the_large_one():
    small = replace(SPEED, plate=replace(SPEED.plate, cells=500_000))
    assert not [f for f in result(small).figures if f.name.startswith("steady cold plate")]


def test_the_object_and_the_tables_hold_it(capsys):
    body = json.loads(json.dumps(result(SPEED).as_json(), allow_nan=False))
    assert body["coolant"]["halls"][1]["steady_ms"] == 5.0
    assert body["coolant"]["compact"]["ratio"] == 600.0
    (pipes,) = body["coolant"]["pipes"]
    assert "prepared" in pipes["ours"] and "pipeflow" in pipes["theirs"] and pipes["our_prepare_ms"] == 0.5
    assert result(None).as_json()["coolant"] is None
    _print(result(SPEED))
    shown = capsys.readouterr().out
    for words in ("Coolant networks of halls", "beside pandapipes 0.16.0", "600 times faster than resolved"):
        assert words in shown
    _print(result(replace(SPEED, pipes=[], pipes_skipped="not installed")))
    assert "no pandapipes: not installed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("named", "fault"), [("nowhere/python", "cannot be run"), (sys.executable, "has no pandapipes")]
)
def test_without_a_usable_pandapipes_the_rest_goes_on_and_says_why(named, fault, monkeypatch, tmp_path):
    python = Path(named)
    if named == sys.executable:  # nothing of an environment around it
        python = tmp_path / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
        python.chmod(0o755)
    monkeypatch.setenv("RACKLET_PANDAPIPES", str(python))
    pipes, skipped = compare_pipes(lambda text: None)
    assert pipes == []
    for part in (f"RACKLET_PANDAPIPES={python}", fault, "Let RACKLET_PANDAPIPES name", "make .peers/.synced"):
        assert part in skipped


def test_a_pandapipes_that_breaks_is_told_and_does_not_stop_the_rest(monkeypatch, tmp_path):
    python = tmp_path / "python"  # has it, as far as can be seen, and fails when it is asked
    python.write_text('#!/bin/sh\n[ "$1" = -c ] && exit 0\necho "no module named numpy" >&2\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setenv("RACKLET_PANDAPIPES", str(python))
    pipes, skipped = compare_pipes(lambda text: None)
    assert pipes == [] and "pandapipes failed: no module named numpy" in skipped


def test_a_small_hall_is_timed():
    told = []
    speed = measure_hall(2, told.append)
    assert (speed.racklets, speed.branches) == (2, len(hall(2).build().branch_names))
    assert speed.slowest_ms >= speed.step_ms > 0 and speed.steady_ms > 0
    assert speed.energy_relative < 1e-6 and speed.mass_relative < 1e-9  # asked of every state
    assert len(told) == 3


def test_stacks_are_held_against_what_3d_ice_expects():
    found = measure_stacks(lambda text: None)
    assert [stack.name for stack in found] == ["mc4rm", "mc2rm"]
    assert all(stack.error_k < 1e-3 for stack in found)  # printed with three decimals


def test_a_plate_is_solved_from_its_file():
    speed = measure_plate("two_resistor", 20_000, repeat=True)
    assert 30.0 < speed.rise_k < 45.0  # dies of 40 to 85 degC: what the file asks
    assert speed.energy_relative < 1e-6 and speed.wall_s > 0


def test_a_quick_run_has_one_hall_and_a_smaller_plate():
    assert choose_sizes(True) == ((40,), 120_000)
    assert choose_sizes(False) == ((10, 40, 160), 1_000_000)
