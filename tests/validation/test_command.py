"""``racklet validate`` as people and programs call it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from twin.cli.commands import app
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
    page = (tmp_path / "page" / "validation.md").read_text()
    assert "Laminar duct flow" in page and "Not modelled" in page
    assert (tmp_path / "page" / "duct.png").stat().st_size > 1000


def test_a_case_that_fails_leaves_with_3(call, monkeypatch):
    bad = Case("duct", "t", "s", "c", "m", "n", lambda full, progress: Result((at_most("e", 1, 2),), "1"))
    monkeypatch.setattr(suite, "load_cases", lambda names=(): (bad,))
    done = call("duct", "--json")
    assert done.exit_code == 3
    assert json.loads(done.stdout)["failed"] == 1


def test_bad_input_leaves_with_2(call, tmp_path):
    done = call("trie", "--json")
    assert done.exit_code == 2
    assert json.loads(done.stdout)["error"]["findings"][0]["value"] == "trie"
    (tmp_path / "file").write_text("")
    assert call("duct", "--out", str(tmp_path / "file")).exit_code == 5


def test_cases_can_be_listed(call):
    done = call("--list", "--json")
    assert [case["name"] for case in json.loads(done.stdout)["cases"]] == list(suite.MODULES)
