"""Every kernel of a step and of the pressure: how long it takes, beside the time its bytes need.

A kernel must at least read each array that it looks at and write each that it fills, once. That many bytes
over its time is a bandwidth, to be compared with that of the memory triad. Small rooms fit into the
processor's cache, where a kernel may beat the triad; a kernel that does much arithmetic for each byte falls
behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from twin.benchmark.measure import Memory, Tell, cache_size, timed
from twin.benchmark.rooms import Room, courant_rate, set_going
from twin.benchmark.works import Work, catch_kernels, pressure_works

ENOUGH = 0.4
"""Fraction of the triad's bandwidth that a kernel should have, or a word why not. [1]"""
CLOSURES = ("mixing_length", "k_epsilon", "vreman")
"""Whose kernels are timed."""
_CFL = 4.0


@dataclass(frozen=True)
class KernelSpeed:
    """How fast a kernel is.

    Attributes
    ----------
    name : str
    cells : int                  Of the room, solids included.
    threads : int                That it ran on; the triad that it is compared with ran on as many.
    calls : int                  Of it in a step.
    ms : float                   Of all these calls, fastest repetition. [ms]
    mbytes : float               What it must move: arrays read and written, once each. [MB]
    gb_s : float                 That over the time. [GB/s]
    fraction_of_triad : float    [1]
    in_cache : bool              These arrays fit into the last-level cache: the triad is no bound.
    word : str                   Why the fraction is below `ENOUGH`, where it is.
    """

    name: str
    cells: int
    threads: int
    calls: int
    ms: float
    mbytes: float
    gb_s: float
    fraction_of_triad: float
    in_cache: bool
    word: str


def measure_kernels(room: Room, memory: Memory, tell: Tell) -> list[KernelSpeed]:
    """Time every kernel of a room's step, whatever its closure.

    Parameters
    ----------
    room : Room
    memory : Memory    Measured in the same run.
    tell : callable    Takes what is going on.

    Returns
    -------
    list of KernelSpeed
        In the order of the step; what the first closure of `CLOSURES` needs comes first.
    """
    speeds: dict[str, KernelSpeed] = {}
    for closure in CLOSURES:
        built, model, state = set_going(replace(room, closure=closure), f"kernels of {closure}", tell)
        works = catch_kernels(model, state, built.inputs, _CFL / courant_rate(built, state))
        for work in (*works, *pressure_works(model)):
            if work.name not in speeds:
                tell(f"kernels: {built.cells:,} cells, {work.name}")
                speeds[work.name] = _measure(work, built.cells, memory)
    return list(speeds.values())


def _measure(work: Work, cells: int, memory: Memory) -> KernelSpeed:
    kept = [field.copy() for field in work.fields]

    def put_back() -> None:
        for field, values in zip(work.fields, kept, strict=True):
            field[...] = values

    shortest = timed(work.run, seconds=0.3, least=5, before=put_back).best
    put_back()
    gb_s = work.moved / shortest / 1e9
    fraction = gb_s / (memory.gb_s if work.threads > 1 else memory.one_thread_gb_s)
    return KernelSpeed(
        name=work.name,
        cells=cells,
        threads=work.threads,
        calls=work.calls,
        ms=1e3 * shortest,
        mbytes=work.moved / 1e6,
        gb_s=gb_s,
        fraction_of_triad=fraction,
        in_cache=work.moved < cache_size(),
        word=work.word if fraction < ENOUGH else "",
    )
