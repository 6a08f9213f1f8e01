"""Traces: the electric power of every rack over time, recorded or generated."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twin.errors import InputError
from twin.runtime.trace_readers import (
    FORMS,
    GAP_FACTOR,
    SURF_FRAGMENTS,
    SURF_TASKS,
    Faults,
    Recording,
    read_frontier,
    read_surf,
    read_table,
    read_telemetry,
)

if TYPE_CHECKING:
    from twin.model.schema import Layout

log = logging.getLogger(__name__)

IDLE_SHARE = 0.35
"""Power of an idle rack over its nominal power: SPECpower_ssj2008 of 2017-2023 servers gives 0.2-0.45."""
LONGEST_GAP = 3600.0  # s


@dataclass(frozen=True)
class Trace:
    """Power of the racks over time.

    Between samples the power is interpolated linearly. Where rows are missing (a step of more than three
    median steps) the last value is held until the next sample. After the last sample the trace begins again,
    one median step later.

    Attributes
    ----------
    time : float64[n]               From the start, strictly increasing, the first is 0. [s]
    power : float64[n, n_racks]     Electric power. [W]
    racks : tuple of str            Names of the columns.
    source, scale_note : str        Where it comes from and how it was scaled, for people.
    groups : float64[n, n_racks, n_groups] or None   The dynamic part by groups of tasks, if known. [W]
    warnings : tuple of str         What a reader found that is not an error.
    """

    time: np.ndarray
    power: np.ndarray
    racks: tuple[str, ...]
    source: str
    scale_note: str
    groups: np.ndarray | None = None
    warnings: tuple[str, ...] = ()

    @property
    def duration(self) -> float:
        """Time after which the trace begins again: the last sample and one median step, in s."""
        return float(self.time[-1]) + self.step

    @cached_property
    def step(self) -> float:
        """Median time between samples, in s."""
        return float(np.median(np.diff(self.time)))

    def at(self, t: float, loop: bool = True) -> dict[str, float]:
        """Power of every rack at one instant.

        Parameters
        ----------
        t : float      Time from the start of the trace; before 0 the first sample counts. [s]
        loop : bool    Begin again after the end; otherwise hold the last sample.

        Returns
        -------
        dict    Rack name -> power. [W]
        """
        return dict(zip(self.racks, self.power_at(np.array([t]), loop)[0].tolist(), strict=True))

    def power_at(self, t: np.ndarray, loop: bool = True) -> np.ndarray:
        """Power of every rack at many instants.

        Parameters
        ----------
        t : float64[m]    Times from the start. [s]
        loop : bool       Begin again after the end; otherwise hold the last sample.

        Returns
        -------
        float64[m, n_racks]    [W]
        """
        return self._interpolate(self.power, t, loop)

    def groups_at(self, t: np.ndarray, loop: bool = True) -> np.ndarray:
        """Power of every group of tasks at many instants.

        Returns
        -------
        float64[m, n_racks, n_groups]    [W]

        Raises
        ------
        ValueError : the trace knows no groups.
        """
        if self.groups is None:
            raise ValueError(f"the trace '{self.source}' knows no groups of tasks")
        return self._interpolate(self.groups, t, loop)

    def _interpolate(self, values: np.ndarray, t: np.ndarray, loop: bool) -> np.ndarray:
        t = np.maximum(np.asarray(t, np.float64), 0.0)
        t = np.mod(t, self.duration) if loop else np.minimum(t, self.time[-1])
        left = np.clip(np.searchsorted(self.time, t, side="right") - 1, 0, len(self.time) - 1)
        right = np.minimum(left + 1, len(self.time) - 1)
        width = self.time[right] - self.time[left]
        moving = (width > 0) & (width <= GAP_FACTOR * self.step)
        weight = np.where(moving, (t - self.time[left]) / np.where(width > 0, width, 1.0), 0.0)
        weight = weight.reshape(-1, *(1,) * (values.ndim - 1))
        return values[left] * (1.0 - weight) + values[right] * weight


def read_trace(
    path: str | Path,
    layout: Layout,
    *,
    longest_gap: float = LONGEST_GAP,
    idle_share: float = IDLE_SHARE,
    seed: int = 0,
) -> Trace:
    """Read a recording of rack powers; its form is known by its columns.

    Parameters
    ----------
    path : str or Path       CSV or Parquet: a telemetry table, the Frontier CDU recording, or either file of
                             the SURF pair (the other is looked for beside it). See ``trace_readers``.
    layout : Layout          Gives the racks; recordings are scaled to their nominal power.
    longest_gap : float      A longer gap in a telemetry table is an error, a shorter one a warning. [s]
    idle_share : float       For recordings of tasks: idle power over nominal power. [1]
    seed : int               For recordings of tasks: their placement.

    Returns
    -------
    Trace    With what a person should know in ``warnings`` and ``scale_note``.

    Raises
    ------
    InputError : with every finding of the file at once.
    """
    path = Path(path)
    ratings = rack_nominals(layout)
    faults = Faults(str(path))
    table = read_table(path, faults)
    recording: Recording | None = None
    if table is not None:
        columns = {str(name) for name in table.columns}
        if columns >= SURF_TASKS or (columns >= SURF_FRAGMENTS and "timestamp" not in columns):
            recording = read_surf(path, table, ratings, idle_share, seed, faults)
        elif any(name.startswith("power[") for name in columns):
            recording = read_frontier(table, ratings, faults)
        elif any(name.endswith(".power") for name in columns):
            recording = read_telemetry(table, ratings, rack_ratings(layout), longest_gap, faults)
        else:
            shown = ", ".join(sorted(columns)[:8])
            faults.add("", f"columns {shown}", "no form that a trace can have", f"Give {FORMS}.", line=1)
    if recording is None or faults.fatal:
        raise InputError(faults.findings)
    for finding in faults.findings:
        log.warning("%s", finding)
    log.info("trace %s: %s; %s", path.name, recording.source, recording.scale_note)
    return Trace(
        recording.time,
        recording.power,
        tuple(ratings),
        f"{path.name} ({recording.source})",
        recording.scale_note,
        recording.groups,
        tuple(str(finding) for finding in faults.findings),
    )


def generated_trace(layout: Layout, seed: int = 0, days: float = 2.0, step: float = 15.0) -> Trace:
    """Generate rack powers with stated statistics, for runs without a recording.

    The utilisation of rack r is   x_r = m_r + d_r cos(2 pi (t - 15 h) / 24 h) + a_r + b_r,   clipped to
    [0, 1.5], and its power is   P_r = nominal_r (s + (1 - s) x_r)   with the idle share s = 0.35,
    at most what the rack may draw. The nominal power of a layout is its design load, hence the high levels.

    ======  ==============================================  ========================================
    term    law                                             rationale
    ======  ==============================================  ========================================
    m_r     uniform in 0.50-0.85, per rack                  design loads are approached, not reached:
                                                            a room runs at 0.67-0.9 of its nominal
    d_r     uniform in 0.05-0.15, peak at 15 h              day swing of interactive load, Barroso et al.
                                                            2018, ch. 5
    a_r     AR(1), standard deviation 0.06, correlation     variation of one rack around its level;
            time 600 s                                      chosen, in the order of BitBrains' machines
    b_r     Poisson bursts, 0.5 an hour a rack, height      batch jobs and surges; chosen so that the
            exponential with mean 0.20, length exponential  allocator meets some each hour on 12 racks
            with mean 900 s
    ======  ==============================================  ========================================

    Parameters
    ----------
    layout : Layout
    seed : int        The same seed gives the same trace.
    days : float      Length; whole days, so that the loop closes on the day's cycle. [d]
    step : float      Time between samples. [s]

    Notes
    -----
    Check : tests/unit/twin/runtime/test_trace.py
    """
    rng = np.random.default_rng(seed)
    ratings = rack_nominals(layout)
    n_racks, n = len(ratings), max(2, round(days * 86400.0 / step))
    time = np.arange(n) * step
    level = rng.uniform(0.50, 0.85, n_racks)
    swing = rng.uniform(0.05, 0.15, n_racks)
    day = np.cos(2.0 * np.pi * (time - 15.0 * 3600.0) / 86400.0)
    utilisation = level + swing * day[:, None] + _ar1(rng, n, n_racks, 0.06, step / 600.0)
    for rack in range(n_racks):
        for begin in np.flatnonzero(rng.random(n) < 0.5 * step / 3600.0):
            height, length = rng.exponential(0.20), rng.exponential(900.0)
            utilisation[begin : begin + max(1, round(length / step)), rack] += height
    power = np.array(list(ratings.values())) * (
        IDLE_SHARE + (1.0 - IDLE_SHARE) * np.clip(utilisation, 0.0, 1.5)
    )
    power = np.minimum(power, np.array(list(rack_ratings(layout).values())))
    note = f"seed {seed}: day cycle, AR(1) of 600 s, 0.5 bursts an hour a rack, idle share {IDLE_SHARE:.0%}"
    return Trace(time, power, tuple(ratings), "generated", note)


def _ar1(rng: np.random.Generator, n: int, columns: int, deviation: float, decay: float) -> np.ndarray:
    rho = float(np.exp(-decay))
    noise = rng.normal(0.0, deviation, (n, columns))
    out = np.empty_like(noise)
    out[0] = noise[0]
    for i in range(1, n):
        out[i] = rho * out[i - 1] + np.sqrt(1.0 - rho * rho) * noise[i]
    return out


def rack_nominals(layout: Layout) -> dict[str, float]:
    """Nominal power of every rack, what the room is designed for, in the layout's order, in W."""
    return {rack.id: rack.nominal_power for rack in layout.racks}


def rack_ratings(layout: Layout) -> dict[str, float]:
    """Most that every rack may draw, infinite where nothing is stated, in the layout's order, in W."""
    return {rack.id: rack.rated_power or float("inf") for rack in layout.racks}
