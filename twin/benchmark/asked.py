"""What is asked of the solver's speed, beside what this machine reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from twin.benchmark.coolant import CoolantSpeed
from twin.benchmark.first_call import FirstCall
from twin.benchmark.halls import RACKLETS
from twin.benchmark.kernels import ENOUGH, KernelSpeed
from twin.benchmark.peers import Comparison
from twin.benchmark.plates import CELLS
from twin.benchmark.steady import SteadyRun
from twin.benchmark.steps import FrozenSpeed, StepSpeed, exponent, full_rooms

_NOT_SETTLED = "not settled"
_NEAR = 0.2  # a room counts for an asked size within this share of it


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes
    ----------
    name : str
    bound : str        ``at least`` or ``at most``.
    asked : float
    reached : float
    unit : str
    fault : str        Why the number does not count, whatever it is; empty if it does.
    """

    name: str
    bound: Literal["at least", "at most"]
    asked: float
    reached: float
    unit: str
    fault: str = ""

    @property
    def passed(self) -> bool:
        """Whether what is asked is reached, by a number that counts."""
        if self.fault:
            return False
        return self.reached >= self.asked if self.bound == "at least" else self.reached <= self.asked


def asked_and_reached(
    kernels: list[KernelSpeed],
    steps: list[StepSpeed],
    steady: list[SteadyRun],
    frozen: list[FrozenSpeed],
    first_call: FirstCall | None,
    peers: list[Comparison],
    coolant: CoolantSpeed | None = None,
) -> list[Figure]:
    """Return every figure that was asked for and measured.

    Parameters
    ----------
    kernels : list of KernelSpeed
    steps : list of StepSpeed
    steady : list of SteadyRun
    frozen : list of FrozenSpeed
    first_call : FirstCall, optional
    peers : list of Comparison
    coolant : CoolantSpeed, optional

    Returns
    -------
    list of Figure
    """
    figures = [*_of_peers(peers), *_of_kernels(kernels), *_of_steps(steps), *_of_steady(steady)]
    for speed in frozen:
        if _near(speed.cells, 118_800):
            name = f"frozen flow, {_size(speed.cells)} cells: times real time"
            figures.append(Figure(name, "at least", 100.0, speed.real_time_factor, ""))
    if first_call is not None:
        figures.append(Figure("first call, nothing compiled", "at most", 60.0, first_call.cold_s, "s"))
    if coolant is not None:
        figures += _of_coolant(coolant)
    return figures


def _of_peers(peers: list[Comparison]) -> Iterator[Figure]:
    asked = {"mixing_length": 30.0, "k_epsilon": 10.0}
    for peer in peers:
        closure = peer.case.split()[-1]
        fault = "" if peer.our_converged else _NOT_SETTLED
        if closure in asked:
            yield Figure(f"{peer.case}: times {peer.name}", "at least", asked[closure], peer.ratio, "", fault)
        apart = abs(peer.inlet_difference_k)
        yield Figure(f"{peer.case}: mean inlet off {peer.name}", "at most", 1.0, apart, "K", fault)


def _of_kernels(kernels: list[KernelSpeed]) -> Iterator[Figure]:
    for cells in sorted({speed.cells for speed in kernels}):
        unexplained = [s for s in kernels if s.cells == cells and s.fraction_of_triad < ENOUGH and not s.word]
        name = f"kernels below {ENOUGH:.0%} of the triad without a word, {_size(cells)} cells"
        yield Figure(name, "at most", 0.0, float(len(unexplained)), "")


def _of_steps(steps: list[StepSpeed]) -> Iterator[Figure]:
    full = full_rooms(steps)
    for cells, asked in ((118_800, 20.0), (1_000_000, 12.0)):
        for speed in full:
            if _near(speed.cells, cells):
                yield Figure(
                    f"step, {_size(speed.cells)} cells", "at least", asked, speed.mcells_per_s, "Mcell/s"
                )
    for speed in steps:
        if _near(speed.cells, 118_800):
            name = f"{speed.room}: times real time at Courant number 1, {_size(speed.cells)} cells"
            yield Figure(name, "at least", 8.0, speed.real_time_factor, "")
            name = f"{speed.room}: the same by the largest of the three directions"
            yield Figure(name, "at least", 8.0, speed.real_time_factor_of_one, "")
    growth = exponent(steps)
    if growth is not None:
        low, high = (_size(f(speed.cells for speed in full)) for f in (min, max))
        yield Figure(f"step time grows as cells to the power, {low} to {high}", "at most", 1.1, growth, "")


def _of_steady(steady: list[SteadyRun]) -> Iterator[Figure]:
    for run in steady:
        if _near(run.cells, 1_000_000):
            fault = "" if run.converged else _NOT_SETTLED
            of = f"{run.case}, {_size(run.cells)} cells"
            yield Figure(f"steady {of}", "at most", 90.0, run.wall_s, "s", fault)
            if run.bytes_per_cell is not None:
                yield Figure(f"memory of {of}", "at most", 500.0, run.bytes_per_cell, "B/cell", fault)


def _of_coolant(coolant: CoolantSpeed) -> Iterator[Figure]:
    for hall in coolant.halls:
        if hall.racklets == RACKLETS:
            of = f"coolant network of {hall.racklets} racklets"
            yield Figure(f"{of}: steady state from the last", "at most", 20.0, hall.steady_ms, "ms")
            yield Figure(f"{of}: step of 1 s, mean", "at most", 20.0, hall.step_ms, "ms")
            name = f"{of}: slowest step of 1 s, each best of three"
            yield Figure(name, "at most", 20.0, hall.slowest_ms, "ms")
            second = f"{hall.trip_steps} in {hall.trip_ms:.0f} ms"
            name = f"{of}: time step in the slowest second of a pump's trip ({second})"
            yield Figure(name, "at most", 20.0, hall.trip_ms / hall.trip_steps, "ms")
    for pipes in coolant.pipes:
        name = (
            f"{pipes.name}: prepared solve, times faster than pipeflow of {pipes.peer}, both without building"
        )
        yield Figure(name, "at least", 1.0, pipes.ratio, "")
        yield Figure(f"{pipes.name}: flows off {pipes.peer}", "at most", 0.005, pipes.flow_difference, "")
    if _near(coolant.plate.cells, CELLS):
        of = f"steady cold plate, {_size(coolant.plate.cells)} cells"
        yield Figure(of, "at most", 60.0, coolant.plate.wall_s, "s")
    compact = coolant.compact
    if compact.resolved.cells > 0.8 * CELLS:
        name = f"compact cold plate: times the resolved one, {_size(compact.resolved.cells)} cells"
        yield Figure(name, "at least", 500.0, compact.ratio, "")
    yield Figure(
        "compact cold plate: off the resolved one, of the rise", "at most", 0.035, compact.difference, ""
    )
    for stack in coolant.stacks:
        yield Figure(f"stack {stack.name}: off 3D-ICE", "at most", 0.1, stack.error_k, "K")


def _near(cells: int, asked: int) -> bool:
    return abs(cells / asked - 1) < _NEAR


def _size(cells: int) -> str:
    return f"{cells / 1e6:.2g} M" if cells >= 1e6 else f"{cells / 1e3:.0f} k"
