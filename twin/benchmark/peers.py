"""Our solver beside OpenFOAM, on the same room, in the same run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.benchmark.openfoam import OpenFoamRun
from twin.benchmark.peer_room import mirrored, racks
from twin.benchmark.steady import SteadyRun
from twin.units import ZERO_CELSIUS


@dataclass(frozen=True)
class Comparison:
    """One of our closures against the peer.

    Attributes
    ----------
    name : str                         The peer and its version.
    case : str                         The room and our closure.
    wall_s : float                     Of the peer's solver: all its iterations, its mesh not counted. [s]
    our_wall_s : float                 From the case to settled inlets, set-up included. [s]
    ratio : float                      The peer's wall time over ours. [1]
    inlet_difference_k : float         Mean of our rack inlets less mean of the peer's. [K]
    rack_difference_k : float          Root mean square over the racks, against the peer's room or its mirror
                                       image, whichever is nearer. [K]
    iterations, averaged, ranks : int  Of the peer: done, averaged over, processes. [-]
    our_threads : int                  Of our solver.
    our_converged : bool               False: ours gave up before the inlets were settled; the ratio says
                                       nothing.
    swing_k, our_swing_k : float       Largest swing of an inlet, over these iterations and over our
                                       averaging. [K]
    our_averaged_s : float             [s]
    inlets_c, our_inlets_c : dict      Mean inlet temperature by rack. [degC]
    """

    name: str
    case: str
    wall_s: float
    our_wall_s: float
    ratio: float
    inlet_difference_k: float
    rack_difference_k: float
    iterations: int
    averaged: int
    ranks: int
    our_threads: int
    our_converged: bool
    swing_k: float
    our_swing_k: float
    our_averaged_s: float
    inlets_c: dict[str, float]
    our_inlets_c: dict[str, float]


def compare(peer: OpenFoamRun, ours: SteadyRun) -> Comparison:
    """Put two runs of the peer room side by side.

    Parameters
    ----------
    peer : OpenFoamRun
    ours : SteadyRun    Of the same room: its first units are the racks.

    Returns
    -------
    Comparison
    """
    count = peer.T_inlet.size
    inlets = ours.T_inlet[:count]
    apart = (inlets - reference for reference in (peer.T_inlet, mirrored(peer.T_inlet)))
    return Comparison(
        name=f"OpenFOAM {peer.version}".strip(),
        case=ours.case,
        wall_s=peer.wall_s,
        our_wall_s=ours.wall_s,
        ratio=peer.wall_s / ours.wall_s,
        inlet_difference_k=float(inlets.mean() - peer.T_inlet.mean()),
        rack_difference_k=min(float(np.sqrt(np.square(one).mean())) for one in apart),
        iterations=peer.iterations,
        averaged=peer.averaged,
        ranks=peer.ranks,
        our_threads=ours.threads,
        our_converged=ours.converged,
        swing_k=float(peer.swing.max()),
        our_swing_k=float(ours.swing[:count].max()),
        our_averaged_s=ours.averaged_s,
        inlets_c=_by_rack(peer.T_inlet),
        our_inlets_c=_by_rack(inlets),
    )


def _by_rack(T: NDArray[np.float64]) -> dict[str, float]:
    return {
        rack.name: round(value - ZERO_CELSIUS, 3) for rack, value in zip(racks(), T.tolist(), strict=True)
    }
