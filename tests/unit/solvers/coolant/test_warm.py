"""After `warm_up` nothing is left to compile."""

from __future__ import annotations

import subprocess
import sys

LOOK = """
import pkgutil, importlib, solvers.coolant
from solvers.coolant.warm import warm_up
told = []
warm_up(lambda *words: told.append(words))
assert [done for _, done, _ in told] == list(range(told[0][2])), told
cold = set()
for info in pkgutil.iter_modules(solvers.coolant.__path__, "solvers.coolant."):
    module = importlib.import_module(info.name)
    for name, value in vars(module).items():
        inlined = getattr(value, "targetoptions", {}).get("inline") == "always"
        if hasattr(value, "py_func") and value.py_func.__module__ == info.name and not inlined:
            cold |= set() if value.signatures else {f"{info.name}.{name}"}
assert not cold, cold
"""


def test_every_kernel_is_ready_after_it():
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
