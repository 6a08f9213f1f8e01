"""Our networks beside pandapipes, warm, in one run: it in its interpreter, ours in this process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solvers.coolant.network import solve
from twin.benchmark.measure import Tell, timed
from twin.peers import asking
from twin.peers.networks import NETWORKS, build_network


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
    """

    name: str
    peer: str
    wall_ms: float
    our_wall_ms: float
    ratio: float
    flow_difference: float


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
            )
        )
    return found
