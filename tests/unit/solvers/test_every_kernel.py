"""Every compiled kernel of the solvers has a test that calls it on its own."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import solvers

PARTS = {
    "solvers.linear.kernels": {"down", "up", "iterate", "keep_halo"},
}
"""Compiled code alone calls these: they are inlined into `cycle`, `conjugate_gradients` and `factorise`,
whose tests are theirs."""


def kernels():
    """Every public kernel: the module and the name. What begins with _ is a part of the kernels beside it."""
    found = set()
    for info in pkgutil.walk_packages(solvers.__path__, "solvers."):
        module = importlib.import_module(info.name)
        found |= {
            (info.name, name)
            for name, value in vars(module).items()
            if hasattr(value, "py_func")
            and value.py_func.__module__ == info.name
            and not name.startswith("_")
        }
    return found


def imported(tree):
    """Names that a test module has imported from the solvers, and the objects."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "solvers":
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
                names[alias.asname or alias.name] = getattr(module, alias.name)
    return names


def used(path):
    """Kernels that a test module names beyond its imports."""
    tree = ast.parse(path.read_text())
    names, found = imported(tree), set()
    for node in ast.walk(tree):
        value = None
        if isinstance(node, ast.Name):
            value = names.get(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            value = getattr(names.get(node.value.id), node.attr, None)
        if hasattr(value, "py_func"):
            found.add((value.py_func.__module__, value.py_func.__name__))
    return found


def test_every_kernel_is_tested_on_its_own():
    tested = set().union(*(used(path) for path in Path(__file__).parent.rglob("test_*.py")))
    parts = {(module, name) for module, names in PARTS.items() for name in names}
    everything = kernels()
    assert len(everything) > 80  # the search finds them
    assert sorted(everything - tested - parts) == []
    assert sorted(parts - everything) == []  # no stale exception
    assert sorted(parts & tested) == []
