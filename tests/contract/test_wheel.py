"""The wheel is whole: installed away from the sources it finds its layouts, its page and its commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    built, target = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def python(installed, *arguments):
    """Run Python away from the sources with the installed wheel before everything else."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=installed,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    ).stdout


def test_it_holds_what_it_needs_and_not_what_built_it(installed):
    names = {str(path.relative_to(installed)) for path in installed.rglob("*")}
    assert {"twin/layouts/pod_two_row.yaml", "twin/layouts/one_rack.yaml", "solvers/grid.py"} <= names
    assert any(name.startswith("viz/") and name.endswith(".js") for name in names)
    assert any(name.endswith(("licenses/LICENSE", "LICENSE")) for name in names)
    assert not any("node_modules" in name or name.startswith("tests") for name in names)


def test_a_layout_is_found_by_name_from_the_wheel(installed):
    program = (
        "import twin, json; path = twin.example_layout('pod_two_row');"
        "print(json.dumps([str(path), twin.load_layout(path).name, twin.__file__]))"
    )
    path, name, origin = json.loads(python(installed, "-c", program))
    assert Path(origin).is_relative_to(installed)
    assert Path(path).is_relative_to(installed)
    assert name == "Two-row pod"


def test_the_command_line_starts(installed):
    assert json.loads(python(installed, "-m", "twin.cli", "doctor", "--json"))["ready"] is True
