"""``racklet validate`` as people and programs call it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from solvers.errors import ConvergenceError
from twin.cli.commands import app
from twin.errors import OutsideError
from twin.validation import suite
from twin.validation.case import Case, Result, at_most


@pytest.fixture
def call():
    return lambda *words: CliRunner().invoke(app, ["validate", *words])


def test_json_is_one_object_and_the_page_is_written(call, tmp_path):
    done = call("duct", "--json", "--out", str(tmp_path / "page"))
    assert done.exit_code == 0, done.output
    body = json.loads(done.stdout)
    assert (body["passed"], body["failed"], body["full"]) == (1, 0, False)
    assert all(row["name"] == "duct" and row["pass"] for row in body["cases"])
    assert (body["quantities_passed"], body["quantities_failed"]) == (len(body["cases"]), 0)
    assert body["notes"] == {"duct": []} and body["faults"] == []
    page = (tmp_path / "page" / "validation.md").read_text()
    assert "Laminar duct flow" in page and "Not modelled" in page
    assert "| Turbulent plume | not run |" in page
    assert (tmp_path / "page" / "duct.png").stat().st_size > 1000


def test_a_case_that_fails_leaves_with_3(call, monkeypatch):
    bad = Case("duct", "t", "s", "c", "m", "n", lambda full, progress: Result((at_most("e", 1, 2),), "1"))
    monkeypatch.setattr(suite, "load_cases", lambda names=(): (bad,))
    done = call("duct", "--json")
    assert done.exit_code == 3
    assert json.loads(done.stdout)["failed"] == 1


def never_runs(name):
    def run(full, progress):
        raise AssertionError("the folder is looked at before the first case")

    return Case(name, "t", "s", "c", "m", "n", run)


@pytest.mark.parametrize("held", ["{", "[]", '{"duct": {}}', '{"duct": {"passed": true}}', b"\xff"], ids=str)
def test_a_damaged_store_is_refused_before_the_first_case(call, monkeypatch, tmp_path, held):
    monkeypatch.setattr(suite, "load_cases", lambda names=(): (never_runs("duct"),))
    store = tmp_path / "results.json"
    store.write_bytes(held if isinstance(held, bytes) else held.encode())
    done = call("duct", "--json", "--out", str(tmp_path))
    assert done.exit_code == 2, done.output
    finding = json.loads(done.stdout)["error"]["findings"][0]
    assert finding["file"] == str(store) and "Delete the file" in finding["remedy"]


def test_a_folder_that_cannot_be_written_is_refused_before_the_first_case(call, monkeypatch, tmp_path):
    monkeypatch.setattr(suite, "load_cases", lambda names=(): (never_runs("duct"),))
    (tmp_path / "file").write_text("")
    assert call("duct", "--docs", str(tmp_path / "file")).exit_code == 5


def test_what_was_reached_is_printed_though_the_page_cannot_be_written(call, monkeypatch, tmp_path):
    def run(full, progress):
        (tmp_path / "page" / "validation.md").mkdir(parents=True)  # no file can take its place
        return Result((at_most("e", 1, 0.5),), "1")

    monkeypatch.setattr(suite, "load_cases", lambda names=(): (Case("duct", "t", "s", "c", "m", "n", run),))
    done = call("duct", "--json", "--out", str(tmp_path / "page"))
    assert done.exit_code == 5
    body = json.loads(done.stdout)
    assert body["passed"] == 1 and "cannot be written" in body["faults"][0]
    assert json.loads((tmp_path / "page" / "results.json").read_text())["duct"]["passed"]


@pytest.mark.parametrize("error", [OutsideError("no such file"), ConvergenceError("no answer")])
def test_a_case_that_gives_up_fails_alone_and_what_ran_before_is_kept(call, monkeypatch, tmp_path, error):
    def run(full, progress):
        raise error

    good = Case("order", "t", "s", "c", "m", "n", lambda full, progress: Result((at_most("e", 1, 0.5),), "1"))
    bad = Case("duct", "t", "s", "c", "m", "n", run)
    monkeypatch.setattr(suite, "load_cases", lambda names=(): (good, bad))
    done = call("--json", "--out", str(tmp_path))
    assert done.exit_code == 3
    body = json.loads(done.stdout)
    assert (body["passed"], body["failed"]) == (1, 1)
    assert str(error) in body["notes"]["duct"][0]
    assert json.loads((tmp_path / "results.json").read_text()).keys() == {"order", "duct"}


def test_bad_input_leaves_with_2(call, tmp_path):
    done = call("trie", "--json")
    assert done.exit_code == 2
    assert json.loads(done.stdout)["error"]["findings"][0]["value"] == "trie"
    (tmp_path / "file").write_text("")
    assert call("duct", "--out", str(tmp_path / "file")).exit_code == 5


def test_cases_can_be_listed(call):
    done = call("--list", "--json")
    assert [case["name"] for case in json.loads(done.stdout)["cases"]] == list(suite.MODULES)
