"""The whole benchmark: `racklet bench`.

Everything of ours that is timed runs in a process of its own, one at a time, so that no waiting thread of one
measurement takes time from the next, nor from the peer.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solvers.errors import SolverError
from twin import __version__
from twin.benchmark import openfoam
from twin.benchmark.asked import Figure, asked_and_reached
from twin.benchmark.coolant import CoolantSpeed, measure_coolant
from twin.benchmark.first_call import FirstCall, measure_first_call
from twin.benchmark.kernels import KernelSpeed, measure_kernels
from twin.benchmark.measure import Memory, measure_memory, processor, run_apart
from twin.benchmark.peer_room import PeerRoom
from twin.benchmark.peers import Comparison, compare
from twin.benchmark.rooms import CONTAINED, LAYOUT, PEER, Room, room_of
from twin.benchmark.steady import SteadyRun, measure_steady
from twin.benchmark.steps import (
    SIZES,
    FrozenSpeed,
    StepSpeed,
    exponent,
    measure_frozen,
    measure_steps,
)
from twin.errors import InputError, NotConvergedError
from twin.files import COMMON, write_atomically

PARTS = ("kernels", "step", "steady", "frozen", "coolant", "first-call", "peers")
"""What can be asked for; the memory triad is always measured."""
PEER_CELL = 0.1
"""Of the room that both solvers get: 118,800 cells. [m]"""
CLOSURES = ("mixing_length", "k_epsilon")
"""Of ours, against the peer."""
RANKS = 2
"""Processes of the peer, and threads of ours beside it."""

Progress = Callable[[str, int, int], None]
"""Takes what is going on, how many parts are done, how many there are."""


@dataclass(frozen=True)
class BenchResult:
    """What was measured; lists are empty where a part was not asked for.

    Attributes
    ----------
    memory : Memory
    kernels : list of KernelSpeed
    steps : list of StepSpeed
    steady : list of SteadyRun
    frozen : list of FrozenSpeed
    first_call : FirstCall, optional
    peers : list of Comparison
    skipped : str        Why there are no peers; empty if there are, or none were asked for.
    quick : bool         Whether the long measurements were left out.
    coolant : CoolantSpeed, optional    Networks and cold plates.
    """

    memory: Memory
    kernels: list[KernelSpeed]
    steps: list[StepSpeed]
    steady: list[SteadyRun]
    frozen: list[FrozenSpeed]
    first_call: FirstCall | None
    peers: list[Comparison]
    skipped: str
    quick: bool
    coolant: CoolantSpeed | None = None

    @property
    def figures(self) -> list[Figure]:
        """What is asked beside what was reached."""
        return asked_and_reached(
            self.kernels, self.steps, self.steady, self.frozen, self.first_call, self.peers, self.coolant
        )

    def as_json(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return {
            "version": __version__,
            "processor": processor(),
            "threads": self.memory.threads,
            "quick": self.quick,
            "triad_gb_s": self.memory.gb_s,
            "triad_one_thread_gb_s": self.memory.one_thread_gb_s,
            "kernels": [dataclasses.asdict(speed) for speed in self.kernels],
            "step": [dataclasses.asdict(speed) for speed in self.steps],
            "step_exponent": exponent(self.steps),
            "steady": [_steady_json(run) for run in self.steady],
            "frozen": [dataclasses.asdict(speed) for speed in self.frozen],
            "coolant": None if self.coolant is None else dataclasses.asdict(self.coolant),
            "first_call": None if self.first_call is None else dataclasses.asdict(self.first_call),
            "peers": [dataclasses.asdict(peer) for peer in self.peers],
            "peers_skipped": self.skipped,
            "asked_reached": [
                dataclasses.asdict(figure) | {"pass": figure.passed} for figure in self.figures
            ],
        }


def _steady_json(run: SteadyRun) -> dict[str, Any]:
    """Return a settled room without what every unit breathes."""
    kept = dataclasses.asdict(run)
    del kept["T_inlet"], kept["swing"]
    return kept | {"swing_k": float(run.swing.max())}


def bench(
    parts: Sequence[str] | None = None,
    peer: bool | None = None,
    quick: bool = False,
    progress: Progress | None = None,
) -> BenchResult:
    """Measure how fast the solver is on this machine.

    Parameters
    ----------
    parts : sequence of str, optional
        Of `PARTS`; all of them by default.
    peer : bool, optional
        Whether to run OpenFOAM (minutes), which is the part ``peers``; by default where that is named, and
        unless `quick` where no part is. Where it is left out, as where OpenFOAM is not installed, the result
        says why.
    quick : bool
        Leave out rooms of a million cells and more.
    progress : callable, optional
        Called as (what is going on, parts done, parts).

    Returns
    -------
    BenchResult

    Raises
    ------
    InputError : there is no such part.
    NotConvergedError : a room did not settle.
    OutsideError : a process failed.
    """
    wanted, without_peer = choose_parts(parts, peer, quick)
    try:
        return _Run(wanted, without_peer, quick, progress).all()
    except SolverError as error:
        raise NotConvergedError(f"bench: {error}") from error


def full_room(cells: int) -> Room:
    """Return the room with all objects, of about so many cells."""
    return room_of(cells, LAYOUT, CONTAINED)


def choose_parts(parts: Sequence[str] | None, peer: bool | None, quick: bool) -> tuple[list[str], str]:
    """Say what a benchmark measures.

    Parameters
    ----------
    parts : sequence of str, optional
    peer : bool, optional
    quick : bool
        As in `bench`.

    Returns
    -------
    wanted : list of str    In the order of `PARTS`.
    without_peer : str      Why the peer does not run though it is among them; empty if it does.

    Raises
    ------
    InputError : there is no such part.
    """
    asked = [*(parts or PARTS), *(["peers"] if peer else [])]
    strange = sorted(set(asked) - set(PARTS))
    if strange:
        raise InputError(f"bench: there is no part {', '.join(strange)}. Take of {', '.join(PARTS)}.")
    without_peer = ""
    if peer is False:
        without_peer = "left out as asked"
    elif peer is None and quick and not parts:
        without_peer = "left out of a quick run; --peer asks for it"
    return [part for part in PARTS if part in asked], without_peer


class _Run:
    """One benchmark while it goes on."""

    def __init__(self, wanted: list[str], without_peer: str, quick: bool, progress: Progress | None) -> None:
        self.wanted = wanted
        self.without_peer = without_peer
        self.quick = quick
        self.progress = progress
        self.done = 0
        self.settled: dict[tuple[Room, int], SteadyRun] = {}

    def all(self) -> BenchResult:
        memory: Memory = run_apart(measure_memory, tell=self.tell).value
        kernels: list[KernelSpeed] = []
        steps: list[StepSpeed] = []
        frozen: list[FrozenSpeed] = []
        first_call, coolant, peers, skipped = None, None, [], ""
        sizes = [size for size in SIZES if not self.quick or size < 1_000_000]
        for part in self.wanted:
            if part == "kernels":
                for size in sizes[:1] if self.quick else (SIZES[0], 1_000_000):
                    found = run_apart(measure_kernels, full_room(size), memory, tell=self.tell)
                    kernels += found.value
            elif part == "step":
                for room in (*map(full_room, sizes), Room(PEER, PEER_CELL)):
                    steps.append(run_apart(measure_steps, room, tell=self.tell).value)
            elif part == "steady":
                for room in self.rooms():
                    self.settle(room, memory.threads)
            elif part == "frozen":
                frozen.append(run_apart(measure_frozen, full_room(SIZES[0]), tell=self.tell).value)
            elif part == "coolant":
                coolant = measure_coolant(self.quick, self.tell)
            elif part == "first-call":
                self.tell("first call: compiling every kernel, then loading it")
                first_call = measure_first_call()
            else:
                peers, skipped = self.compare()
            self.done += 1
        return BenchResult(
            memory,
            kernels,
            steps,
            list(self.settled.values()),
            frozen,
            first_call,
            peers,
            skipped,
            self.quick,
            coolant,
        )

    def rooms(self) -> list[Room]:
        """Rooms to settle."""
        peer = [Room(PEER, PEER_CELL, closure) for closure in CLOSURES]
        large = [] if self.quick else [room_of(1_000_000)]
        return [*peer, room_of(SIZES[0], LAYOUT), *large]

    def settle(self, room: Room, threads: int) -> SteadyRun:
        """Settle a room, once in a run for each number of threads."""
        key = room, threads
        if key not in self.settled:
            self.settled[key] = measure_steady(room, self.tell, threads)
        return self.settled[key]

    def compare(self) -> tuple[list[Comparison], str]:
        """Compare with OpenFOAM, or say why not; as many threads of ours as it has processes."""
        reason = self.without_peer or openfoam.why_not()
        if reason:
            return [], reason
        ours = [self.settle(Room(PEER, PEER_CELL, closure), RANKS) for closure in CLOSURES]

        def show(text: str, done: int, total: int) -> None:
            self.tell(f"{text}, iteration {done} of {total}" if done else text)

        theirs = openfoam.run_openfoam(PeerRoom(cell=PEER_CELL), ranks=RANKS, progress=show)
        return [compare(theirs, run) for run in ours], ""

    def tell(self, text: str) -> None:
        if self.progress is not None:
            self.progress(text, self.done, len(self.wanted))


def check_target(path: Path) -> None:
    """Find out before the work whether a file can be written after it.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError : there is no such folder, or the file is a folder.
    """
    if path.is_dir():
        raise InputError(f"--out {path}: is a folder. Give the name of a file.")
    if not path.absolute().parent.is_dir():
        raise InputError(f"--out {path}: there is no folder {path.parent}. Make it first.")


def write_result(path: Path, body: dict[str, Any]) -> None:
    """Write a result as JSON, all of it or none.

    Parameters
    ----------
    path : Path
    body : dict    What `BenchResult.as_json` gives.

    Raises
    ------
    OutsideError : it cannot be written.
    """
    text = json.dumps(body, indent=1, allow_nan=False) + "\n"
    write_atomically(path.absolute(), lambda file: file.write(text.encode()), COMMON)
