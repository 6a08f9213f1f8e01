"""Our networks beside pandapipes, warm, in one run: it in its interpreter, ours in this process.

Both get a network that is already built. Ours is timed without `prepare` (the ordering of the equations, once
for a network), pandapipes without `create_...`; its `pipeflow` makes its internal tables anew in every call.
Both solve hydraulics and heat; ours starts from nothing known each time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solvers.coolant.network import prepare, solve
from twin.benchmark.measure import Tell, timed
from twin.peers import asking
from twin.peers.networks import NETWORKS, build_network

OURS = "solve() of a prepared network, from nothing known: hydraulics and heat; the shortest of many"
"""What is timed of ours."""
THEIRS = "pipeflow() of a built network, its internal tables included: the shortest of five after one more"
"""What is timed of pandapipes."""


@dataclass(frozen=True)
class PipesComparison:
    """One network, flows and temperatures.

    Attributes
    ----------
    name : str             The network.
    peer : str             The peer and its version.
    wall_ms : float        Of the peer: the shortest of five solves after the first. [ms]
    our_wall_ms : float    Of ours, from nothing known: the shortest of many after the first. [ms]
    ratio : float          The peer's over ours. [1]
    flow_difference : float    Largest difference of a flow over the largest flow. [1]
    our_prepare_ms : float     Of ours, once for a network, not in `our_wall_ms`. [ms]
    ours, theirs : str         What is timed.
    """

    name: str
    peer: str
    wall_ms: float
    our_wall_ms: float
    ratio: float
    flow_difference: float
    our_prepare_ms: float
    ours: str = OURS
    theirs: str = THEIRS


def measure_pipes(tell: Tell) -> list[PipesComparison]:
    """Solve the networks that pandapipes solves too.

    Parameters
    ----------
    tell : callable    Takes what is going on.

    Returns
    -------
    list of PipesComparison

    Raises
    ------
    OutsideError : pandapipes failed.
    """
    tell("pandapipes: three networks")
    theirs = asking.ask(NETWORKS)
    found = []
    for description in NETWORKS:
        name = description["name"]
        tell(f"the same in ours: {name}")
        network, inputs = build_network(description)
        ordering = timed(lambda network=network: prepare(network.case), 0.1)
        ours = timed(lambda network=network, inputs=inputs: solve(network, inputs), 0.3)
        answer = theirs["results"][name]
        m = solve(network, inputs).m_flow[[network.branch(branch) for branch in answer["m_flow"]]]
        m_theirs = np.array(list(answer["m_flow"].values()))
        apart = float(np.abs(m - m_theirs).max() / np.abs(m_theirs).max())
        found.append(
            PipesComparison(
                name,
                f"pandapipes {theirs['version']}",
                1e3 * answer["wall_s"],
                1e3 * ours.best,
                answer["wall_s"] / ours.best,
                apart,
                1e3 * ordering.best,
            )
        )
    return found
