"""The kernels of a step, caught at work: what each is given, what it must move, and how to run it again.

A step is taken once with every compiled kernel of the solver writing down its arguments, so that what is
timed is what a step does, with the arrays of a step. `MOVES` declares, beside each kernel, what it fills; the
other arrays that it is given it reads.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numba import get_num_threads
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

from solvers.airflow.case import AirState, UnitInputs
from solvers.airflow.model import AirModel
from solvers.linear import kernels as linear
from solvers.linear.levels import NX, SIZE, SLOTS, SX
from solvers.linear.levels import Work as Vectors
from solvers.linear.threads import SYNC

Array = NDArray[Any]


class Moves(NamedTuple):
    """What a kernel does to the arrays that it is given.

    Attributes
    ----------
    writes : str     Arguments that it fills anew, by name; `a.b` is a part of a tuple.
    updates : str    Arguments that it reads and changes.
    scratch : str    Arguments that it could do without: work arrays, not counted.
    along : str      Argument that lists the cells that it touches; of whole fields only these count.
    word : str       Why it is slow for the bytes that it must move, should it be.
    """

    writes: str = ""
    updates: str = ""
    scratch: str = ""
    along: str = ""
    word: str = ""


_SWEEPS = "fluxes and nine sweeps in one pass: bound by arithmetic in the cache"
_PASSES = "two sweeps and a sum in one pass: bound by arithmetic in the cache"
_CYCLE = "small levels wait for each other"
_COARSEST = "the matrix of the coarsest level: arithmetic on data in the cache"
_LIST = "follows a list of cells: no whole cache lines"
_SUMS = "adds up in order within a block, so that sums repeat"

MOVES = {
    "volume_flow": Moves("out"),
    "mixing_length_viscosity": Moves("out"),
    "vreman_viscosity": Moves("out", word="nine slopes and a root a cell"),
    "k_epsilon_viscosity": Moves("out"),
    "strain_rate": Moves("out", word="nine slopes a cell"),
    "shear_production": Moves(updates="out"),
    "buoyant_production": Moves("out"),
    "k_sources": Moves("source sink"),
    "epsilon_sources": Moves("source sink"),
    "add_bounded": Moves(updates="out"),
    "bound_epsilon": Moves(updates="out"),
    "wall_cells": Moves(updates="production epsilon", along="cell", word=_LIST),
    "log_law_friction": Moves("out", along="cell", word=_LIST),
    "log_law_conductance": Moves("out", along="cell", word=_LIST),
    "clear": Moves("out", along="cell", word=_LIST),
    "hold": Moves("source sink", along="cell", word=_LIST),
    "inflow": Moves(updates="out", along="cell", word=_LIST),
    "power_law_friction": Moves(updates="out push", along="target", word=_LIST),
    "given_friction": Moves(updates="out push", along="target", word=_LIST),
    "jet_push": Moves(updates="out", along="target", word=_LIST),
    "screen_resistance": Moves("out", along="face", word=_LIST),
    "screen_drag": Moves(updates="friction push", along="face", word=_LIST),
    "straighten": Moves(updates="friction", along="target", word=_LIST),
    "add_resistance": Moves("c", updates="total", along="face", word=_LIST),
    "invert_diagonal": Moves("inverse", along="cells", word=_LIST),
    "invert_definite": Moves(updates="a", word=_COARSEST),
    "predict_momentum": Moves(updates="phi", scratch="ring", word=_SWEEPS),
    "relax_scalar": Moves("out", scratch="ring", word=_SWEEPS),
    "heat_defect": Moves("sums", word=_SUMS),
    "add_weighted": Moves(updates="out"),
    "buoyancy": Moves(updates="out"),
    "net_outflow": Moves("out"),
    "project": Moves(updates="u v w p"),
    "courant_rate": Moves(scratch="row"),
    "stiffness": Moves(scratch="row"),
}
"""By kernel."""
PRESSURE = frozenset({"conjugate_gradients", "help_out"})
"""Kernels of the pressure solver that a step calls; measured by `pressure_works` instead."""
ITERATIONS = 4
"""Of the pressure solver that are timed together."""


class Call(NamedTuple):
    """A kernel and the arguments that it was called with."""

    kernel: Dispatcher
    arguments: tuple[Any, ...]

    @property
    def python(self) -> Callable[..., Any]:
        """The function that was compiled."""
        return self.kernel.py_func  # type: ignore[attr-defined]

    @property
    def name(self) -> str:
        """Of the kernel."""
        return self.python.__name__

    def by_name(self) -> dict[str, Any]:
        """Arguments by the names of the parameters."""
        return inspect.signature(self.python).bind(*self.arguments).arguments


class Work(NamedTuple):
    """Something to time.

    Attributes
    ----------
    name : str           Of the kernel.
    calls : int          Of it in a step; `run` and `moved` are for all of them.
    run : callable       Does it once.
    moved : int          Bytes that it must move. [B]
    threads : int        That it runs on.
    word : str           Why it is slow for these, should it be.
    fields : tuple       What it changes, to be put back before it runs again.
    """

    name: str
    calls: int
    run: Callable[[], object]
    moved: int
    threads: int
    word: str
    fields: tuple[Array, ...] = ()


def catch_kernels(model: AirModel, state: AirState, inputs: UnitInputs, dt: float) -> list[Work]:
    """Take a step and return what its kernels did, in the order of their first calls.

    Parameters
    ----------
    model : AirModel
    state : AirState      Where to start from.
    inputs : UnitInputs
    dt : float            [s]

    Returns
    -------
    list of Work
        One for each kernel, all its calls in it.
    """
    stepper = model.stepper
    stepper.load(state, inputs)
    stepper.step(dt)  # everything is compiled after this
    with _caught() as calls:
        stepper.courant()
        stepper.step(dt)
    by_name: dict[str, list[Call]] = {}
    for call in calls:
        by_name.setdefault(call.name, []).append(call)
    return [_work(name, of) for name, of in by_name.items() if name not in PRESSURE]


@contextmanager
def _caught() -> Iterator[list[Call]]:
    """Let every kernel that Python calls in the solver write down its calls."""
    calls: list[Call] = []
    places = [
        (vars(module), name, value)
        for path, module in sys.modules.items()
        if path.startswith("solvers.")
        for name, value in vars(module).items()
        if isinstance(value, Dispatcher)
    ]
    for scope, name, kernel in places:
        scope[name] = _noting(kernel, calls)
    try:
        yield calls
    finally:
        for scope, name, kernel in places:
            scope[name] = kernel


def _noting(kernel: Dispatcher, calls: list[Call]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        calls.append(Call(kernel, arguments))
        return kernel(*arguments)

    return call


def _work(name: str, calls: list[Call]) -> Work:
    fields = {id(array): array for call in calls for array in _changed(call)}

    def run() -> None:
        for call in calls:
            call.kernel(*call.arguments)

    return Work(
        name=name,
        calls=len(calls),
        run=run,
        moved=sum(moved_bytes(call) for call in calls),
        threads=1,
        word=MOVES[name].word if name in MOVES else "",
        fields=tuple(fields.values()),
    )


def moved_bytes(call: Call) -> int:
    """Bytes that a call must move: an array that is read or written once, one that is updated twice.

    Parameters
    ----------
    call : Call
        Of a kernel that `MOVES` does not know: everything counts once.

    Returns
    -------
    int
        [B]
    """
    moves, given = MOVES.get(call.name, Moves()), call.by_name()
    listed = given[moves.along].size if moves.along else None
    weights = [(moves.updates.split(), 2), (moves.writes.split(), 1), (moves.scratch.split(), 0)]
    total = 0
    for name, value in given.items():
        for part, array in _parts(name, value):
            touched = array.nbytes if listed is None else min(array.size, listed) * array.itemsize
            total += touched * next((w for names, w in weights if name in names or part in names), 1)
    return total


def _parts(name: str, value: Any) -> Iterator[tuple[str, Array]]:
    """Arrays in an argument, with their names."""
    if isinstance(value, np.ndarray):
        yield name, value
    elif isinstance(value, tuple):
        names = getattr(value, "_fields", range(len(value)))
        for part, item in zip(names, value, strict=True):
            yield from _parts(f"{name}.{part}", item)


def _changed(call: Call) -> Iterator[Array]:
    """Arrays that a call writes or updates; all of them for a kernel that `MOVES` does not know."""
    moves = MOVES.get(call.name)
    changed = [] if moves is None else f"{moves.writes} {moves.updates}".split()
    for name, value in call.by_name().items():
        for part, array in _parts(name, value):
            if moves is None or name in changed or part in changed:
                yield array


def pressure_works(model: AirModel) -> list[Work]:
    """Return the kernels of the pressure solver on the finest level, a V-cycle, and whole iterations.

    Parameters
    ----------
    model : AirModel

    Returns
    -------
    list of Work
        Kernels on one thread, iterations on all.
    """
    pressure = model.stepper.pressure
    levels = pressure.levels
    fine = levels.table[0]
    size, nx, sx = int(fine[SIZE]), int(fine[NX]), int(fine[SX])
    ring, sums = np.zeros((SLOTS, sx), dtype=np.float32), np.zeros((2, nx + 2))
    field = np.where(pressure.fluid, np.sin(np.arange(size)), 0.0).astype(np.float32)
    cg = _vectors(field, sums, ring)
    kept = (levels.x, levels.b, levels.r)
    sizes = [int(row[SIZE]) * field.itemsize for row in levels.table]
    one, below = sizes[:2]
    # conductances, 1/diagonal and b in, r out; the same and r in, x out; beside those one of the next level
    down, up = 6 * one + below, 7 * one + below
    cycle = sum(13 * here + 2 * after for here, after in pairwise(sizes))
    turned, advanced = 4 * one + 3 * one, 2 * one + 4 * one
    sync = np.zeros(SYNC, dtype=np.int64)
    threads = int(get_num_threads())

    def iterate() -> None:
        pressure.solve(field, 0.0, ITERATIONS)

    return [
        Work("descend", 1, lambda: linear.descend(levels, 0, 0, 1, ring), down, 1, _PASSES, kept),
        Work("ascend", 1, lambda: linear.ascend(levels, 0, 0, 1, ring, sums[0]), up, 1, _PASSES, kept),
        Work("turn", 1, lambda: linear.turn(levels, cg, 0.5, 0, 1, ring), turned, 1, "", kept),
        Work("advance", 1, lambda: linear.advance(levels, cg, 1e-3, 0, 1), advanced, 1, _SUMS, kept),
        Work("V-cycle", 1, lambda: linear.cycle(levels, 0, 1, ring, sums[0], sync), cycle, 1, _CYCLE, kept),
        Work("iteration", ITERATIONS, iterate, ITERATIONS * (cycle + turned + advanced), threads, _CYCLE),
    ]


def _vectors(field: Array, sums: Array, ring: Array) -> Vectors:
    """Work arrays of a solve of our own."""
    none = np.zeros(0, dtype=np.int64)
    return Vectors(
        x=np.zeros_like(field),
        direction=field.copy(),
        held=none,
        region=none,
        open=np.zeros(1, dtype=bool),
        cells=np.ones(1, dtype=np.int64),
        mean=np.zeros(1),
        sums=sums,
        weight=np.ones(1),
        scratch=ring[None],
        history=np.zeros(1),
    )
