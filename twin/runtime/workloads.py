"""Workloads: the movable part of the racks' power, with a demand of their own that follows the trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twin.runtime.trace import IDLE_SHARE, Trace, rack_nominals

if TYPE_CHECKING:
    from twin.model.schema import Layout

HISTORY = 9  # past values a forecast looks at
DAMPING = 0.7  # of the trend, per step ahead: a trend of server load rarely lasts


@dataclass(frozen=True, slots=True)
class WorkloadSpec:
    """One movable workload.

    Attributes
    ----------
    id : str           ``W01.1``: first workload that started on ``R01``; the name stays when it moves.
    rack : str         The rack it starts on.
    share : float      Its mean share of that rack's dynamic power. [1]
    movable : bool
    """

    id: str
    rack: str
    share: float
    movable: bool = True


class LoadModel:
    """Demand of every workload over time.

    A rack's power is an idle part, which stays, and a dynamic part, which its workloads carry:
    idle = min(idle share * nominal power, lowest power in the trace), so that the dynamic part is never
    negative.
    The dynamic part of rack r belongs to the workloads that start there, in shares
    w_i(t) = k_i (1 + 0.3 sin(2 pi t / T_i + phi_i)) / sum, seeded: the layout's own workloads of that rack,
    or 4 to 6 unequal ones. A trace that knows its groups of tasks gives them, with their own demand,
    instead. Where a workload runs has no influence on what it asks for.

    Parameters
    ----------
    layout : Layout
    trace : Trace
    seed : int             Of the shares.
    idle_share : float     Idle power over nominal power. [1]
    """

    def __init__(self, layout: Layout, trace: Trace, seed: int = 0, idle_share: float = IDLE_SHARE) -> None:
        self.trace = trace
        nominal = rack_nominals(layout)
        self._racks = trace.racks
        rating = np.array([nominal[rack] for rack in trace.racks])
        self._idle = np.minimum(idle_share * rating, trace.power.min(axis=0))
        rng = np.random.default_rng(seed)
        self.workloads = _specs(layout, trace, rng)
        self._index = {spec.id: i for i, spec in enumerate(self.workloads)}
        self._rack_of = np.array([trace.racks.index(spec.rack) for spec in self.workloads])
        self._weight = np.array([spec.share for spec in self.workloads])
        self._period = rng.uniform(1200.0, 7200.0, len(self._weight))
        self._phase = rng.uniform(0.0, 2.0 * np.pi, len(self._weight))

    @property
    def placement(self) -> dict[str, str]:
        """Where every workload starts: workload id -> rack."""
        return {spec.id: spec.rack for spec in self.workloads}

    def demand(self, id: str, t: float) -> float:
        """Power that a workload asks for at an instant, in W.

        Raises
        ------
        KeyError : no such workload.
        """
        return float(self.demands(np.array([t]))[0, self._index[id]])

    def demands(self, t: np.ndarray) -> np.ndarray:
        """Power of every workload, in the order of ``workloads``.

        Parameters
        ----------
        t : float64[m]    Times from the start of the trace. [s]

        Returns
        -------
        float64[m, n_workloads]    [W]
        """
        dynamic = np.maximum(self.trace.power_at(t) - self._idle, 0.0)
        if self.trace.groups is None:
            wave = 1.0 + 0.3 * np.sin(2.0 * np.pi * np.asarray(t)[:, None] / self._period + self._phase)
            part = self._weight * wave
        else:
            groups = self.trace.groups_at(t).reshape(len(t), -1)
            part = groups + 1e-12 * self._weight
        total = np.zeros_like(dynamic)
        np.add.at(total.T, self._rack_of, part.T)
        return part / total[:, self._rack_of] * dynamic[:, self._rack_of]

    def demand_ahead(self, id: str, t: float, horizon: float) -> float:
        """Forecast of a workload's demand, from its past alone.

        Mixes three forecasts, weighted by the inverse of their own squared errors over the latest past at
        the same horizon: the last value, the mean of the last values, and a damped trend. Never looks at
        the trace after ``t``.

        Parameters
        ----------
        id : str
        t : float          Now, from the start of the trace. [s]
        horizon : float    How far ahead. [s]

        Returns
        -------
        float    [W]
        """
        return self.demands_ahead(t, horizon)[id]

    def demands_ahead(self, t: float, horizon: float) -> dict[str, float]:
        """Forecasts of all workloads at once; see ``demand_ahead``, in W."""
        step = max(horizon / 2.0, self.trace.step)
        ahead = max(1, round(horizon / step))
        count = HISTORY + ahead + 3
        times = np.maximum(t - step * np.arange(count)[::-1], 0.0)
        past = self.demands(times)
        experts = _experts(past, ahead)
        error = np.zeros((len(experts), past.shape[1]))
        for back in range(ahead, ahead + HISTORY - 3):
            known = past[: count - back]
            if len(known) < 3:
                break
            error += (_experts(known, ahead) - past[count - 1 - back + ahead]) ** 2
        weight = 1.0 / (error + 1.0)
        mixed = (experts * weight).sum(axis=0) / weight.sum(axis=0)
        return dict(zip((spec.id for spec in self.workloads), np.maximum(mixed, 0.0).tolist(), strict=True))

    def idle_power(self, rack: str) -> float:
        """Power of a rack that carries no workload, in W."""
        return float(self._idle[self._racks.index(rack)])

    def rack_power(self, placement: Mapping[str, str], t: float) -> dict[str, float]:
        """Power of every rack with the workloads where ``placement`` says.

        Parameters
        ----------
        placement : mapping    Workload id -> rack; ids left out are on their first rack.
        t : float              From the start of the trace. [s]

        Returns
        -------
        dict    Rack -> power. [W]

        Raises
        ------
        KeyError : a workload or a rack is unknown.
        """
        power = dict(zip(self._racks, self._idle.tolist(), strict=True))
        unknown = set(placement) - self._index.keys()
        if unknown:
            raise KeyError(f"no workload {sorted(unknown)[0]!r}")
        for spec, demand in zip(self.workloads, self.demands(np.array([t]))[0].tolist(), strict=True):
            power[placement.get(spec.id, spec.rack)] += demand
        return power


def _specs(layout: Layout, trace: Trace, rng: np.random.Generator) -> tuple[WorkloadSpec, ...]:
    """Name the workloads: the layout's own on racks that have some, 4 to 6 on the others, or the trace's."""
    specs: list[WorkloadSpec] = []
    for i, rack in enumerate(trace.racks):
        own = [workload for workload in layout.workloads if workload.rack == rack]
        stem = rack[1:] if rack.startswith("R") and rack[1:].isdigit() else rack
        count = int(rng.integers(4, 7))
        weight = rng.dirichlet(np.full(count, 3.0)) * 0.9 + 0.1 / count
        if trace.groups is not None:
            mean = trace.groups[:, i].mean(axis=0)
            weight = mean / mean.sum() if mean.sum() > 0 else np.full(len(mean), 1.0 / len(mean))
        elif own:
            total = sum(workload.power for workload in own)
            weight = np.array([workload.power / total if total > 0 else 1.0 / len(own) for workload in own])
            specs += [
                WorkloadSpec(workload.id, rack, share, workload.movable)
                for workload, share in zip(own, weight.tolist(), strict=True)
            ]
            continue
        specs += [WorkloadSpec(f"W{stem}.{j}", rack, share) for j, share in enumerate(weight.tolist(), 1)]
    return tuple(specs)


def _experts(past: np.ndarray, ahead: int) -> np.ndarray:
    """Three forecasts from past[k, n], oldest first: the last value, the recent mean, a damped trend."""
    last = past[-1]
    recent = past[-min(4, len(past)) :]
    slope = (recent[-1] - recent[0]) / max(len(recent) - 1, 1)
    damped = slope * sum(DAMPING**k for k in range(1, ahead + 1))
    return np.stack([last, recent.mean(axis=0), last + damped])
