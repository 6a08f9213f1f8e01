"""The peer: what is written for it, what is read from it, and that it never outlives us."""

import re
import time

import numpy as np
import psutil
import pytest

from twin.benchmark import openfoam
from twin.benchmark.openfoam import _run, iterations_done, read_inlets, run_openfoam, why_not
from twin.benchmark.openfoam_case import MESH_STEPS, SOLVER, Listed, foam, write_case, write_fields
from twin.benchmark.peer_room import PeerRoom, racks
from twin.errors import OutsideError

installed = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def test_dictionaries_are_written_as_openfoam_reads_them():
    text = foam(
        {"a": {"b": 1, "on": True}, "c": Listed([(1.0, 2.5, 0.0), ("name", {"d": "word"}), {"e": 3}])}
    )
    tokens = text.split()
    expected = "a { b 1; on yes; } c ( (1 2.5 0) name { d word; } { e 3; } );"
    assert tokens == expected.split()


@pytest.fixture
def case(tmp_path):
    room = PeerRoom(cell=0.2)
    write_case(tmp_path, room, iterations=1500, ranks=2)
    write_fields(tmp_path, room)
    return tmp_path


def read(case, path):
    return " ".join((case / path).read_text().split())


def test_the_case_holds_every_file_that_the_solver_reads(case):
    present = {str(path.relative_to(case)) for path in case.rglob("*") if path.is_file()}
    fields = {f"0/{name}" for name in ("U", "T", "p_rgh", "p", "k", "epsilon", "nut", "alphat")}
    constant = {"transportProperties", "turbulenceProperties", "g", "fvOptions"}
    system = {
        "controlDict",
        "fvSchemes",
        "fvSolution",
        "decomposeParDict",
        "blockMeshDict",
        "createPatchDict",
    }
    system |= {f"topoSetDict.{part}" for part in ("air", "openings", "heat")}
    assert present == fields | {f"constant/{n}" for n in constant} | {f"system/{n}" for n in system}
    for path in present:
        text = (case / path).read_text()
        for left, right in ("{}", "()"):
            assert text.count(left) == text.count(right), path


def test_the_case_holds_the_numbers_of_the_room(case):
    room = PeerRoom(cell=0.2)
    assert "hex (0 1 2 3 4 5 6 7) (33 30 15) simpleGrading" in read(case, "system/blockMeshDict")
    velocity = read(case, "0/U")
    assert f'"tile_.*" {{ type fixedValue; value uniform (0 0 {room.tile_speed:.10g}); }}' in velocity
    assert f"refValue uniform {room.rack_speed:.10g};" in velocity  # out of the room, into the front
    assert f"refValue uniform {-room.rack_speed:.10g};" in velocity
    heat = read(case, "constant/fvOptions")
    assert heat.count(f"T ({room.heat:.10g} 0);") == 12
    assert read(case, "0/T").count("outletMappedUniformInlet") == 12
    assert "endTime 1500;" in read(case, "system/controlDict")
    assert "numberOfSubdomains 2;" in read(case, "system/decomposeParDict")
    assert read(case, "system/topoSetDict.air").count("action subtract;") == 12
    # 12 tiles, 24 rack faces and the return, each by two actions
    assert read(case, "system/topoSetDict.openings").count("type faceSet;") == 2 * 37
    assert len(re.findall(r"name \w+; patchInfo", read(case, "system/createPatchDict"))) == 37


def test_iterations_are_counted_from_the_log():
    assert iterations_done("") == 0
    assert iterations_done("Create time\n\nTime = 1\n\nsolving\nExecutionTime = 3 s\nTime = 27\n\nT") == 27


def write_record(folder, rack, rows):
    place = folder / "postProcessing" / f"inlet_{rack}" / "0"
    place.mkdir(parents=True)
    lines = [f"{time_}\t{value:.6e}" for time_, value in rows]
    head = f"# Region type : patch front_{rack}\n# Time        \tareaAverage(T)\n"
    (place / "surfaceFieldValue.dat").write_text(head + "\n".join(lines) + "\n")


def test_inlets_are_averaged_over_the_last_iterations(tmp_path):
    for number, rack in enumerate(racks()):
        write_record(tmp_path, rack.name, [(10, 400.0), (20, 290.0 + number), (30, 292.0 + number)])
    mean, swing = read_inlets(tmp_path, after=10)
    assert mean == pytest.approx(291.0 + np.arange(12))
    assert swing == pytest.approx(2.0)
    assert read_inlets(tmp_path, after=20)[1] == pytest.approx(0.0)
    with pytest.raises(OutsideError, match="no inlet temperature of rack A1 after iteration 30"):
        read_inlets(tmp_path, after=30)


def test_a_tool_that_fails_is_named_with_the_end_of_its_log(tmp_path):
    with pytest.raises(OutsideError, match=r"(?s)sh failed with exit code 3:.*no mesh"):
        _run(("sh", "-c", "echo no mesh; exit 3"), tmp_path, tmp_path / "log")
    with pytest.raises(OutsideError, match="no-such-tool cannot be started"):
        _run(("no-such-tool",), tmp_path, tmp_path / "log")


def test_the_log_is_looked_at_while_the_tool_runs_and_the_end_is_seen_at_once(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(openfoam, "_LOOK", 30.0)
    begun = time.monotonic()
    _run(("sh", "-c", "echo Time = 7"), tmp_path, tmp_path / "log", seen.append)
    assert time.monotonic() - begun < 20.0  # far less: it does not sleep until the next look
    assert seen == [7]
    monkeypatch.setattr(openfoam, "_LOOK", 0.05)
    _run(("sh", "-c", "echo Time = 8; sleep 1; echo Time = 9"), tmp_path, tmp_path / "log", seen.append)
    assert seen[-1] == 9 and 8 in seen


def test_a_solver_that_stops_early_is_told_before_its_records_are_missed(tmp_path, monkeypatch):
    """Tools of a few lines in the place of OpenFOAM's: the mesh is nothing, the solver gives up."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in {step[0] for step in MESH_STEPS} | {SOLVER}:
        tool = tools / name
        tool.write_text("#!/bin/sh\n" + ("echo 'Time = 3'; echo diverged\n" if name == SOLVER else "true\n"))
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    with pytest.raises(OutsideError, match=r"(?s)stopped after 3 of 9 iterations.*diverged"):
        run_openfoam(PeerRoom(cell=0.2), iterations=9, ranks=1, averaged=5)


def test_an_interruption_ends_the_tool_and_what_it_started(tmp_path, monkeypatch):
    monkeypatch.setattr(openfoam, "_LOOK", 0.05)
    started = []

    def interrupt(_):
        if not started:
            here = psutil.Process()
            started.extend(child for child in here.children(recursive=True) if child.name() == "sleep")
            if len(started) == 2:
                raise KeyboardInterrupt
            started.clear()

    with pytest.raises(KeyboardInterrupt):
        _run(("sh", "-c", "sleep 60 & sleep 60 & wait"), tmp_path, tmp_path / "log", interrupt)
    deadline = time.monotonic() + 5.0
    while any(child.is_running() for child in started) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(child.is_running() for child in started)


@installed
def test_openfoam_runs_a_coarse_room():
    told = []
    room = PeerRoom(cell=0.2)
    run = run_openfoam(room, iterations=5, averaged=5, progress=lambda *news: told.append(news))
    # 33 x 30 x 15 less 12 racks of 3 x 6 x 10
    assert run.cells == 14_850 - 12 * 180
    assert (run.iterations, run.averaged, run.ranks) == (5, 5, 2)
    assert run.version
    assert run.wall_s > 0
    assert ((run.T_inlet > room.T_supply - 0.1) & (run.T_inlet < room.T_supply + 15.0)).all()
    assert told[0] == ("OpenFOAM: mesh", 0, 5)
