"""Every kernel of the networks compiled, or loaded from the cache, before somebody waits for it."""

from __future__ import annotations

from collections.abc import Callable

from solvers.coolant.builder import Builder
from solvers.coolant.fluids import fluid
from solvers.coolant.friction import churchill
from solvers.coolant.network import prepare, solve
from solvers.coolant.transient import advance, start

_STAGES = ("friction", "flows and temperatures", "steps in time")


def warm_up(progress: Callable[[str, int, int], None] | None = None) -> None:
    """Compile (or load from the cache) every kernel that a network uses.

    Parameters
    ----------
    progress : callable, optional    Called as (what is compiled, number done before it, number of stages).
    """

    def tell(stage: int) -> None:
        if progress is not None:
            progress(f"coolant {_STAGES[stage]}", stage, len(_STAGES))

    tell(0)
    churchill(1e4)
    tell(1)
    builder = Builder(fluid("water"))
    a, b, c, d = (builder.node(name) for name in "abcd")
    builder.boundary(c, 2e5, 290.0)
    builder.boundary(d, 1e5, 290.0)
    builder.accumulator(a, volume=0.01, precharge=1e5, pressure=2e5)
    builder.pump("pump", a, b, [(0.0, 2e5), (1e-3, 1e5)])
    plate = builder.cold_plate("plate", b, a, m_nominal=0.5, dp_nominal=2e4, UA=1e3, C=1e3)
    builder.pipe("pipe", c, d, 1.0, 0.02)
    builder.exchange(0, 2, UA=(1e3, 1e3), m_nominal=(0.5, 0.5))
    network = prepare(builder.build())
    inputs = network.inputs()
    inputs.heat[plate] = 1e3
    found = solve(network, inputs)
    tell(2)
    advance(network, start(network, inputs, found), inputs, 0.1)
