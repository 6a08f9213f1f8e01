"""Public functions say what they take: documented parameters are those of the signature, all of them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest
from numpydoc.docscrape import NumpyDocString

import hardware_sync
import solvers
import solvers.airflow.model
import twin
import viz

PACKAGES = (twin, solvers, viz, hardware_sync)
PROGRAMS = {"twin.cli.__main__", "hardware_sync.agent.__main__", "twin.peers.pandapipes_script"}


def modules():
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name not in PROGRAMS:
                yield found.name


def public_functions(module):
    for name, item in vars(module).items():
        if name.startswith("_") or getattr(item, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(item) or hasattr(item, "py_func"):
            yield name, getattr(item, "py_func", item)
        elif inspect.isclass(item):
            for method_name, method in vars(item).items():
                if inspect.isfunction(method) and not method_name.startswith("_"):
                    yield f"{name}.{method_name}", method


def documented(function):
    sections = NumpyDocString(inspect.cleandoc(function.__doc__ or ""))
    names = [name.strip(" *") for entry in sections["Parameters"] for name in entry.name.split(",")]
    return sections, names


@pytest.mark.parametrize("name", sorted(modules()))
def test_documented_parameters_are_those_of_the_signature(name):
    module = importlib.import_module(name)
    wrong = []
    for function_name, function in public_functions(module):
        _, names = documented(function)
        if not names:
            continue
        actual = [p for p in inspect.signature(function).parameters if p not in ("self", "cls")]
        if sorted(names) != sorted(actual):
            wrong.append(f"{function_name}: documents {sorted(names)}, takes {sorted(actual)}")
    assert not wrong, "\n".join(wrong)


API = [(twin, name) for name in twin.__all__] + [
    (solvers.airflow.model, name)
    for name in ("prepare", "advance", "solve_steady", "balances", "probe", "restart", "initial_state")
]


@pytest.mark.parametrize(("module", "name"), API, ids=lambda item: getattr(item, "__name__", item))
def test_the_public_api_is_documented_in_full(module, name):
    sections, names = documented(getattr(module, name))
    assert names, "no Parameters section"
    assert sections["Returns"], "no Returns section"
