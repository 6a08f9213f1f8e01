"""What `racklet bench` hands out: figures, JSON, tables, files."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from twin.benchmark.asked import Figure, asked_and_reached
from twin.benchmark.bench import PARTS, BenchResult, bench, check_target, choose_parts, write_result
from twin.benchmark.first_call import FirstCall
from twin.benchmark.kernels import KernelSpeed
from twin.benchmark.measure import Memory
from twin.benchmark.openfoam import OpenFoamRun
from twin.benchmark.peers import compare
from twin.benchmark.rooms import CONTAINED, LAYOUT, Room, build, courant_rate, room_of
from twin.benchmark.steady import SteadyRun, measure_steady
from twin.benchmark.steps import SIZES, FrozenSpeed, StepSpeed, exponent, measure_steps
from twin.cli.bench import _print
from twin.cli.commands import app
from twin.errors import InputError
from twin.model.mesh import count_cells

PEER = np.array([299.0, 300.0, 301.0, 302.0, 303.0, 304.0] * 2) + np.repeat([0.0, 1.0], 6)
"""Inlets of an uneven room: row B is 1 K warmer."""


def steady(T_inlet, cells=118_800, case="peer_room mixing_length", wall_s=5.0, converged=True):
    units = np.concatenate([T_inlet, np.full(12, 291.15)])
    swing = np.concatenate([np.full(12, 0.4), np.full(12, 9.0)])  # only the racks' counts beside a peer
    return SteadyRun(case, cells, 2, wall_s, 0.5, 900, 40.0, converged, 320.0, 1e-4, units, swing)


def peer():
    return OpenFoamRun("1912", 2, 1500, 101_520, 200.0, 600, PEER, np.full(12, 2.5))


def write(result, capsys):
    _print(result)
    return capsys.readouterr().out


@pytest.fixture
def result():
    runs = [steady(PEER + 0.5), steady(PEER - 0.25, case="peer_room k_epsilon", wall_s=12.5)]
    kernel = KernelSpeed("apply", 118_800, 1, 3, 0.2, 4.0, 20.0, 0.5, True, "")
    return BenchResult(
        memory=Memory(40.0, 25.0, 2),
        kernels=[kernel],
        steps=[
            StepSpeed("pod", 120_000, 5.0, 24.0, 9.0, 30.0, 14.0),
            StepSpeed("pod", 1_000_000, 80.0, 12.5, 2.0, 7.0, 3.0),
            StepSpeed("peer_room", 120_600, 4.0, 30.0, 11.0, 37.0, 16.0),
        ],
        steady=[*runs, steady(PEER, 950_000, "pod_two_row", 80.0)],
        frozen=[FrozenSpeed("pod", 120_000, 0.1, 5.0, 20.0, 250.0)],
        first_call=FirstCall(40.0, 1.0),
        peers=[compare(peer(), run) for run in runs],
        skipped="",
        quick=False,
    )


def test_a_comparison_is_of_the_racks_alone_and_knows_the_mirror_image():
    found = compare(peer(), steady(np.concatenate([PEER[6:], PEER[:6]]) + 0.5))
    assert found.ratio == pytest.approx(40.0)
    assert found.inlet_difference_k == pytest.approx(0.5)
    assert found.rack_difference_k == pytest.approx(0.5)  # of the mirror image; 1.1 K otherwise
    assert found.our_swing_k == pytest.approx(0.4)
    assert found.inlets_c["A1"] == pytest.approx(25.85)
    assert found.our_inlets_c["B6"] == pytest.approx(31.35)


def test_the_object_has_the_keys_that_others_rely_on(result):
    body = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert body["triad_gb_s"] == 40.0
    assert {"name", "cells", "ms", "gb_s", "fraction_of_triad"} <= body["kernels"][0].keys()
    assert {"cells", "mcells_per_s", "real_time_factor"} <= body["step"][0].keys()
    assert {"case", "cells", "wall_s", "bytes_per_cell"} <= body["steady"][0].keys()
    assert {"name", "case", "wall_s", "ratio", "inlet_difference_k"} <= body["peers"][0].keys()
    assert (body["peers"][0]["ranks"], body["peers"][0]["our_threads"]) == (2, 2)
    assert {"name", "bound", "asked", "reached", "unit", "fault", "pass"} == body["asked_reached"][0].keys()
    assert body["step_exponent"] == pytest.approx(np.log(16) / np.log(1_000_000 / 120_000))


def test_every_figure_of_the_issue_is_there(result):
    figures = {re.sub(r",.*", "", figure.name): figure for figure in result.figures}
    assert len(result.figures) == 16
    assert figures["pod: times real time at Courant number 1"].reached == 9.0
    assert figures["peer_room: times real time at Courant number 1"].reached == 11.0
    assert not [figure for figure in result.figures if figure.name.startswith("step, 121")]
    fast, slower = result.figures[0], result.figures[2]
    assert (fast.asked, fast.reached, fast.passed) == (30.0, 40.0, True)
    assert (slower.asked, slower.reached, slower.passed) == (10.0, 16.0, True)
    assert figures["memory of pod_two_row"].reached == 320.0
    assert figures["first call"].passed
    assert not Figure("x", "at most", 1.0, 1.1, "").passed


def test_what_did_not_settle_does_not_count_however_fast_it_was(result, capsys):
    lost = [
        steady(PEER, wall_s=1.0, converged=False),
        steady(PEER, 950_000, "pod_two_row", 10.0, converged=False),
    ]
    result = replace(result, steady=lost, peers=[compare(peer(), lost[0])], kernels=[], steps=[], frozen=[])
    result = replace(result, first_call=None)
    assert len(result.figures) == 4  # ratio and inlets beside the peer; time and memory of a million cells
    assert all(figure.reached != figure.asked and not figure.passed for figure in result.figures)
    body = result.as_json()
    assert [row["converged"] for row in body["steady"]] == [False, False]
    assert body["peers"][0]["our_converged"] is False
    assert {row["fault"] for row in body["asked_reached"]} == {"not settled"}
    shown = write(result, capsys)
    assert shown.count("no not settled") == 4
    assert shown.count("settled)") == 3  # two settled rooms, and one of them beside the peer


def test_a_slow_kernel_needs_a_word():
    slow = KernelSpeed("smooth", 118_800, 1, 1, 1.0, 4.0, 4.0, 0.1, False, "")
    (figure,) = asked_and_reached([slow], [], [], [], None, [])
    assert not figure.passed
    (figure,) = asked_and_reached([KernelSpeed(**{**vars(slow), "word": "why"})], [], [], [], None, [])
    assert figure.passed


def test_the_exponent_is_that_of_the_sizes():
    speeds = [StepSpeed("pod", n, 1e-5 * n**1.05, 1.0, 1.0, 1.0, 1.0) for n in (100_000, 300_000, 1_000_000)]
    assert exponent(speeds) == pytest.approx(1.05)
    assert exponent([*speeds, StepSpeed("peer_room", 120_600, 9.0, 1.0, 1.0, 1.0, 1.0)]) == pytest.approx(
        1.05
    )
    assert exponent(speeds[:1]) is None


def test_the_tables_show_what_was_reached(result, capsys):
    shown = write(result, capsys)
    for word in (
        "40.0 GB/s",
        "apply",
        "OpenFOAM 1912: 1500 iterations on 2 processes, the last 600 averaged; ours on 2 threads",
        "250 times real time",
        "Asked and reached",
    ):
        assert word in shown


def test_a_small_room_is_stepped_and_timed():
    told = []
    room = Room("one_rack", 0.4)
    speed = measure_steps(room, told.append)
    assert speed.cells == build(room).cells
    assert speed.mcells_per_s == pytest.approx(speed.cells / speed.ms / 1e3)
    assert speed.real_time_factor_cfl_4 > speed.real_time_factor > 0
    assert len(told) == 2


def test_a_small_room_is_settled_by_as_many_threads_as_are_given():
    run = measure_steady(Room("peer_room", 0.2), lambda text: None, threads=2)
    assert run.threads == 2
    assert run.wall_s > run.setup_s > 0


def test_the_courant_rate_is_that_of_the_fastest_cell():
    from solvers.airflow.model import initial_state

    built = build(Room("peer_room", 0.2))
    state = initial_state(built.prepare())
    state.u[3:5, 4, 5] = 0.6  # both faces of cell 3, 4, 5
    state.w[3, 4, 5] = -0.2  # one of them
    assert courant_rate(built, state) == pytest.approx(0.6 / 0.2 + 0.1 / 0.2)


def test_rooms_have_about_the_cells_that_are_asked_for():
    assert abs(build(room_of(20_000)).cells / 20_000 - 1) < 0.15


def test_no_cell_size_comes_nearer_to_the_number_of_cells_asked_for():
    room = room_of(SIZES[0], LAYOUT, CONTAINED)
    reached = count_cells(room.layout(), room.cell)
    layout = room.layout()
    sizes = np.linspace(0.8 * room.cell, 1.3 * room.cell, 301)
    apart = [abs(np.log(count_cells(layout, size) / SIZES[0])) for size in sizes]
    assert abs(np.log(reached / SIZES[0])) <= min(apart)


def test_a_quick_run_leaves_the_peer_out_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr("twin.benchmark.bench.PARTS", ("peers",))  # nothing else, for time's sake
    found = bench(quick=True)
    assert found.peers == [] and "--peer asks for it" in found.skipped
    shown = " ".join(write(found, capsys).split())
    assert "no peer: left out of a quick run" in shown and "a million cells and more are left out" in shown
    assert found.as_json()["peers_skipped"] == found.skipped


def test_naming_the_peer_runs_it_in_a_quick_run_too(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")  # where it cannot be found, which is as far as it gets here
    assert "OpenFOAM is not installed" in bench(["peers"], quick=True).skipped


def test_parts_and_peer_are_what_was_asked_for():
    assert choose_parts(None, None, False) == (list(PARTS), "")
    assert choose_parts(["step", "kernels"], None, True) == (["kernels", "step"], "")
    assert choose_parts(["step"], True, True) == (["step", "peers"], "")
    assert choose_parts(None, True, True) == (list(PARTS), "")
    assert choose_parts(["peers"], False, False) == (["peers"], "left out as asked")


def test_strange_parts_and_places_are_refused_before_the_work(tmp_path):
    with pytest.raises(InputError, match=r"no part speed\. Take of kernels, step"):
        bench(["speed"])
    with pytest.raises(InputError, match="is a folder"):
        check_target(tmp_path)
    with pytest.raises(InputError, match="there is no folder"):
        check_target(tmp_path / "none" / "bench.json")
    told = CliRunner().invoke(app, ["bench", "speed", "--json"])
    assert told.exit_code == 2
    assert json.loads(told.stdout)["error"]["exit_code"] == 2


def test_the_file_is_the_object_and_no_draft_stays(tmp_path, result):
    target = tmp_path / "bench.json"
    target.write_text("old")
    write_result(target, result.as_json())
    assert json.loads(target.read_text()) == json.loads(json.dumps(result.as_json()))
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json"]
