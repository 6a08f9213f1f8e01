"""What scripts get: one JSON object on standard output, errors included, and the exit code."""

import importlib
import json
import logging
import sys
import time

import pytest
from typer.testing import CliRunner

from twin.cli.commands import app, main
from twin.cli.terminal import progress_bar, reporting, telling_of_compilation
from twin.errors import InputError
from twin.model.load import example_layout
from twin.planning.simulate import simulate
from twin.planning.transient.events import Script

RUNNER = CliRunner()


def call(*arguments):
    result = RUNNER.invoke(app, list(arguments))
    lines = result.stdout.splitlines()
    return result.exit_code, [json.loads(line) for line in lines], result.stderr


@pytest.mark.parametrize(
    ("arguments", "subject", "remedy"),
    [
        (("solve", "none.yaml", "--json"), "layout file", "Give a YAML layout file"),
        (
            ("solve", "one_rack", "--json", "--set", "racks[R01].powr=3"),
            "rack 'R01'",
            "Did you mean 'power'?",
        ),
        (("simulate", "one_rack", "--events", "none.yaml", "--json"), "events file", "Give a YAML file"),
    ],
)
def test_bad_input_is_an_object_with_every_finding(arguments, subject, remedy):
    code, (body,), text = call(*arguments)
    assert code == 2
    error = body["error"]
    assert (error["kind"], error["exit_code"]) == ("InputError", 2)
    assert error["findings"][0]["object"] == subject
    assert remedy in error["findings"][0]["remedy"]
    assert error["message"] in "".join(text.splitlines()) or remedy in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["solve", "--nope", "--json"], "No such option: --nope"),
        (["simulate", "one_rack", "--json"], "Missing option '--events'"),
        (["sole", "--json"], "No such command 'sole'"),
    ],
)
def test_a_wrong_command_line_is_an_object_too(capsys, monkeypatch, arguments, message):
    monkeypatch.setattr(sys, "argv", ["racklet", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    printed = capsys.readouterr()
    assert left.value.code == 2
    assert message in json.loads(printed.out)["error"]["message"]
    assert message in printed.err


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), ([], 2), (["solve", "none.yaml"], 2)])
def test_exit_codes_leave_the_command_line(capsys, monkeypatch, arguments, code):
    monkeypatch.setattr(sys, "argv", ["racklet", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == code


def test_an_option_that_is_no_quantity_is_named():
    code, (body,), _ = call("simulate", "one_rack", "--events", "x.yaml", "--duration", "soon", "--json")
    assert code == 2
    assert body["error"]["message"].startswith("--duration 'soon'")


@pytest.mark.parametrize("change", ["coolers[C1].failed=true", "coolers[C1].capacity=2 kW", "coolers=[]"])
def test_too_little_cooling_is_bad_input_that_simulate_is_the_remedy_of(change):
    code, (body,), text = call("solve", "one_rack", "--cell", "0.3", "--set", change, "--json")
    assert code == 2
    (finding,) = body["error"]["findings"]
    assert finding["object"] == ("coolers" if change == "coolers=[]" else "cooler 'C1'")
    assert "racklet simulate" in finding["remedy"]
    assert text.count("the room") == 1  # told once, not as a warning before


def test_warnings_say_what_they_are(capsys):
    with reporting():
        logging.getLogger("twin.test").warning("rough")
    # pytest's own handlers take the record; what no handler takes goes this way
    record = logging.makeLogRecord({"msg": "rough", "levelname": "WARNING", "levelno": logging.WARNING})
    logging.lastResort.handle(record)
    assert capsys.readouterr().err == "warning: rough\n"


def test_a_redirected_run_says_that_it_compiles_and_nothing_else(capsys):
    with progress_bar() as bar, telling_of_compilation(60.0):
        bar.add_task("loading", total=None)
    assert capsys.readouterr().err == ""
    with telling_of_compilation(0.0):
        time.sleep(0.2)  # for the line's own thread
    assert capsys.readouterr().err == "compiling kernels, up to a minute\n"


def test_without_json_nothing_comes_on_standard_output():
    result = RUNNER.invoke(app, ["solve", "none.yaml"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "cannot be read" in result.stderr


def test_every_command_has_its_line_of_help():
    text = RUNNER.invoke(app, ["--help"]).stdout
    for command in ("solve", "simulate", "validate", "bench", "run", "doctor"):
        assert command in text


@pytest.mark.parametrize("command", ["twin.planning.solve.solve", "twin.planning.simulate.simulate"])
@pytest.mark.parametrize(
    "fault", [{"cell": 1e-4}, {"overrides": ["racks[R01].power=-1"]}, {"overrides": ["coolers=[]"]}]
)
def test_nothing_is_prepared_for_bad_input(command, fault, tmp_path):
    module, _, name = command.rpartition(".")
    work = getattr(importlib.import_module(module), name)
    events = tmp_path / "e.yaml"
    events.write_text("duration: 2 s\nevents: [{at: 1, kind: cooler_trip, cooler: C1}]\n")
    given = (events,) if name == "simulate" else ()
    prepared = []
    with pytest.raises(InputError):
        work(example_layout("one_rack"), *given, checked=prepared.append, write=False, **fault)
    assert prepared == []


def test_nothing_is_prepared_for_bad_events(tmp_path):
    events = tmp_path / "e.yaml"
    events.write_text("events: [{at: 1, kind: cooler_trip, cooler: C9}]\n")
    prepared = []
    with pytest.raises(InputError):
        simulate(example_layout("one_rack"), events, checked=prepared.append, write=False)
    assert prepared == []


def test_sound_input_is_handed_over_before_the_solver_is_needed(tmp_path):
    told = []
    work = simulate(
        example_layout("one_rack"), Script(), 2.0, 2.0, 0.6, checked=lambda found: told.append(found.name),
        progress=lambda now: told.append("works"), write=False, cold=True,
    )  # fmt: skip
    assert told[0] == work.scene.layout.name
    assert told.count(told[0]) == 1
