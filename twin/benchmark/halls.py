"""A hall's coolant network to time: racklets with four cold plates each, on one cooling unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import get_num_threads

from solvers.coolant.builder import Builder
from solvers.coolant.components import Inputs
from solvers.coolant.fluids import fluid
from solvers.coolant.network import Network, Steady, prepare, solve
from solvers.coolant.transient import State, advance, start
from twin.benchmark.measure import Tell, timed

RACKLETS = 40
"""Of the hall that is asked for."""
STEP = 1.0
"""Step of the live twin. [s]"""
_PLATES = 4  # of a racklet
_HEAT = 5e3  # W, of a plate
_FLOW = 0.8  # kg/s, of a racklet
_STEPS = 60


@dataclass(frozen=True)
class HallSpeed:
    """How long a hall's network takes.

    Attributes
    ----------
    racklets, nodes, branches, threads : int
    prepare_ms, first_ms : float    Ordering of the equations; the first steady state. [ms]
    steady_ms : float      A steady state from the last one, all heats and a valve changed. [ms]
    step_ms : float        A step of 1 s, heats changing; the mean of all. [ms]
    slowest_ms : float     The slowest of them, each the best of three. [ms]
    trip_ms : float        The slowest second around the trip of a pump, in many time steps. [ms]
    trip_steps : int       Time steps in it.
    energy_relative, mass_relative : float    Of the steady state. [-]
    """

    racklets: int
    nodes: int
    branches: int
    threads: int
    prepare_ms: float
    first_ms: float
    steady_ms: float
    step_ms: float
    slowest_ms: float
    trip_ms: float
    trip_steps: int
    energy_relative: float
    mass_relative: float


def measure_hall(racklets: int, tell: Tell) -> HallSpeed:
    """Time the network of a hall.

    Parameters
    ----------
    racklets : int
    tell : callable    Takes what is going on.

    Returns
    -------
    HallSpeed
    """
    tell(f"network of {racklets} racklets: steady states")
    builder = hall(racklets)
    case = builder.build()
    ordering = timed(lambda: prepare(case), 0.2, 2)
    network = prepare(case)
    inputs = network.inputs()
    plates = network.case.plates.branch
    inputs.heat[plates] = _HEAT
    first = timed(lambda: solve(network, inputs), 0.3, 2)
    found = [solve(network, inputs)]
    random = np.random.default_rng(1)
    valve = network.branch("valve 0")

    def change() -> None:
        inputs.heat[plates] = _HEAT * random.uniform(0.5, 1.0, plates.size)
        inputs.setting[valve] = random.uniform(0.5, 1.0)

    def again() -> None:
        found[0] = solve(network, inputs, found[0])

    steady = timed(again, 1.0, 20, before=change)
    tell(f"network of {racklets} racklets: steps")
    steps = _march(network, inputs, found[0], change)
    tell(f"network of {racklets} racklets: trip of a pump")
    trip, trip_steps = _trip(network, inputs, found[0])
    return HallSpeed(
        racklets,
        network.case.fluid.size,
        network.case.setting.size,
        get_num_threads(),
        1e3 * ordering.best,
        1e3 * first.best,
        1e3 * steady.median,
        1e3 * float(np.mean(steps)),
        1e3 * float(np.max(steps)),
        1e3 * trip,
        trip_steps,
        found[0].energy_relative,
        found[0].mass_relative,
    )


def _march(network: Network, inputs: Inputs, steady: Steady, change) -> list[float]:
    """Time steps of 1 s, heats and a valve changed before each. [s]."""
    state = start(network, inputs, steady)
    taken = []
    for _ in range(_STEPS):
        change()
        last: list[State] = [state]

        def step(last: list[State] = last, state: State = state) -> None:
            last[0] = advance(network, state, inputs, STEP)

        taken.append(timed(step, 0.0, 3).best)  # of three: the network's time, not another's turn
        state = last[0]
    return taken


def _trip(network: Network, inputs: Inputs, steady: Steady) -> tuple[float, int]:
    """Slowest of ten seconds after a pump loses its drive [s], and its time steps."""
    state = start(network, inputs, steady)
    drive = inputs.drive.copy()
    drive[0] = False
    tripped = inputs._replace(drive=drive)
    slowest = 0.0, 1
    for _ in range(10):
        now = state
        taken = timed(lambda now=now: advance(network, now, tripped, STEP), 0.0, 1).best
        state = advance(network, state, tripped, STEP)
        slowest = max(slowest, (taken, state.steps - now.steps))
    return slowest


def hall(racklets: int) -> Builder:
    """Build the network of a hall: headers in a row, hoses, couplings, valves, plates, checks, leaks.

    Parameters
    ----------
    racklets : int

    Returns
    -------
    Builder
    """
    water = fluid("water")
    builder = Builder(fluid("pg25"))
    supply, back = builder.node("supply"), builder.node("return")
    suction, discharge = builder.node("suction"), builder.node("discharge")
    total = _FLOW * racklets
    builder.accumulator(suction, volume=0.1, precharge=1.2e5, pressure=2e5)
    V = total / 3 / 1000
    for i in range(3):
        builder.pump(f"pump {i}", suction, discharge, [(0, 3.4e5), (V, 3e5), (2 * V, 1.6e5)])
    warm = builder.resistance("exchanger", discharge, supply, total, 4e4, volume=5e-4 * racklets)
    come, behind, go = (builder.node(f"facility {name}", fluid=water) for name in ("in", "behind", "out"))
    builder.boundary(come, 4e5, 291.15)
    builder.boundary(go, 3e5, 291.15)
    cold = builder.resistance("facility side", come, behind, total, 4e4, volume=5e-4 * racklets)
    builder.valve("facility valve", behind, go, total * 3.6 / 0.5**0.5)
    builder.exchange(warm, cold, UA=(1.5e4 * racklets, 1.5e4 * racklets), m_nominal=(total, total))
    builder.filter("filter", back, suction, total * 3.6 / 0.1**0.5)
    for r in range(racklets):
        ahead, last = builder.node(f"supply {r}"), builder.node(f"return {r}")
        builder.pipe(f"header {r}", supply, ahead, 0.6, 0.15, loss=0.2)
        builder.pipe(f"collector {r}", last, back, 0.6, 0.15, loss=0.2)
        supply, back = ahead, last
        nodes = [builder.node(f"racklet {r} {part}") for part in ("valve", "hose", "in", "out", "check")]
        builder.valve(f"valve {r}", ahead, nodes[0], 6.0)
        builder.coupling(f"coupling {r}", nodes[0], nodes[1], 8.0)
        builder.pipe(f"hose {r}", nodes[1], nodes[2], 1.5, 0.02, loss=3.0, UA=0.3)
        for plate in range(_PLATES):
            builder.cold_plate(
                f"plate {r}.{plate}",
                *(nodes[2], nodes[3]),
                m_nominal=_FLOW / _PLATES,
                dp_nominal=3e4,
                UA=900.0,
                C=900.0,
                volume=5e-5,
            )
        builder.check_valve(f"check {r}", nodes[3], nodes[4], 10.0)
        builder.pipe(f"hose back {r}", nodes[4], last, 1.5, 0.02, loss=3.0, UA=0.3)
        builder.leak(f"leak {r}", nodes[2])
    return builder
