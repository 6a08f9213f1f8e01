"""Screening: which racks are critical, which can receive, and what to try, ranked by a cheap model.

The cheap model is a matrix of influences: how every rack's hottest inlet answers to a change of a rack's
power, a cooler's set point, a cooler's fan, a racklet's fan. Because hot air finds its way round the row,
power at one rack heats its neighbours too, so the matrix is full. It starts from the room's geometry with
wide uncertainty and learns from every trial in the twin. It only ranks: what is done is decided by the trial.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from twin.allocation.cost import MOVE_COST, OVERHEAT_COST, OVERLOAD_COST, feed_load, score
from twin.allocation.plan import FAN, PUMP, SUPPLY, Candidate, Move, Setting
from twin.allocation.situation import RackSituation, Situation
from twin.model.catalog import AIR_DENSITY, AIR_HEAT_CAPACITY
from twin.model.operating import liquid_share
from twin.model.schema import Layout, Rack
from twin.racklet.cooling import liquid_heat
from twin.units import celsius, kelvin

RECIRCULATED = 0.25  # part of a rack's exhaust that reaches an inlet at its back, before any trial was seen
REACH = 1.5  # m, over which it falls by e


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far the loop may go.

    Attributes
    ----------
    supply_low, supply_high : float    Set points of coolers. [K]
    supply_step : float                Largest change of one decision. [K]
    fan_low, fan_high : float          Fan speeds of coolers. [1]
    fan_step, pump_step : float        Largest change of one decision. [1]
    pump_low, pump_high : float        [1]
    moves : int                        Most migrations of one decision.
    receiver_load : float              A receiver is filled to this part of its limit at most. [1]
    slack : float                      Cold enough to save energy: inlets this far below recommended. [K]
    """

    supply_low: float = kelvin(15.0)
    supply_high: float = kelvin(25.0)
    supply_step: float = 1.0
    fan_low: float = 0.4
    fan_high: float = 1.0
    fan_step: float = 0.1
    pump_low: float = 0.3
    pump_high: float = 1.0
    pump_step: float = 0.2
    moves: int = 3
    receiver_load: float = 0.95
    slack: float = 1.5


class Memory(Protocol):
    """What must not be touched again so soon."""

    def workload_rests(self, workload: str, now: float) -> bool:
        """Whether a workload was moved too recently to be moved again."""
        ...

    def setting_rests(self, setting: Setting, now: float) -> bool:
        """Whether a set point was changed too recently to be changed in this direction."""
        ...


class Influence:
    """How inlets answer to what the loop can change, learnt from trials.

    dT = D u, with u the changes of rack powers, cooler set points, cooler fans and racklet fans. Each row of
    D is a Gaussian whose mean and covariance are updated with every trial (recursive least squares, as in
    Ljung 1999, ch. 11), the trial counting with a deviation of 0.3 K.

    Parameters
    ----------
    layout : Layout
    """

    NOISE = 0.3  # K

    def __init__(self, layout: Layout) -> None:
        self.racks = [rack.id for rack in layout.racks]
        self.columns = (
            [f"{rack.id}.power" for rack in layout.racks]
            + [f"{cooler.id}.{SUPPLY}" for cooler in layout.coolers]
            + [f"{cooler.id}.{FAN}" for cooler in layout.coolers]
            + [f"{racklet.id}.{FAN}" for racklet in layout.racklets]
        )
        self._column = {name: i for i, name in enumerate(self.columns)}
        self._layout = layout
        n, coolers = len(self.racks), max(1, len(layout.coolers))
        self.mean = np.zeros((n, len(self.columns)))
        deviation = np.zeros_like(self.mean)
        self.mean[:, :n] = np.array([[_recirculation(to, of) for of in layout.racks] for to in layout.racks])
        deviation[:, :n] = self.mean[:, :n]
        first = n
        for value, spread in ((1.0 / coolers, 0.5 / coolers), (-4.0 / coolers, 4.0 / coolers)):
            self.mean[:, first : first + len(layout.coolers)] = value
            deviation[:, first : first + len(layout.coolers)] = spread
            first += len(layout.coolers)
        deviation[:, first:] = 0.2
        for i, racklet in enumerate(layout.racklets):
            row = self.racks.index(racklet.rack)
            self.mean[row, first + i], deviation[row, first + i] = 2.0, 3.0
        self._covariance = np.stack([np.diag(row**2) for row in deviation])

    def inputs(self, candidate: Candidate) -> np.ndarray:
        """Return u of a candidate: float64[n_columns], in W, K and fractions.

        A pump at another speed counts as the change of the heat that its rack gives to the air.
        """
        u = np.zeros(len(self.columns))
        for rack, change in candidate.power_change().items():
            u[self._column[f"{rack}.power"]] += change
        for setting in candidate.settings:
            if setting.point in self._column:
                u[self._column[setting.point]] += setting.new - setting.old
            elif setting.quantity == PUMP:
                racklet = self._layout.racklet(setting.asset)
                rack = self._layout.rack(racklet.rack)
                module, share = racklet.cooling_module, liquid_share(rack)
                taken = [
                    liquid_heat(rack.nominal_power, share, speed, module.pump_speed, module.capacity)
                    for speed in (setting.old, setting.new)
                ]
                u[self._column[f"{rack.id}.power"]] -= taken[1] - taken[0]
        return u

    def change(self, candidate: Candidate) -> np.ndarray:
        """Return the expected change of every rack's hottest inlet: float64[n_racks], in K."""
        return self.mean @ self.inputs(candidate)

    def learn(self, candidate: Candidate, change: Mapping[str, float]) -> None:
        """Take in what a trial said: change of each rack's hottest inlet against the baseline, in K."""
        u = self.inputs(candidate)
        if not u.any():
            return
        for i, rack in enumerate(self.racks):
            if rack not in change:
                continue
            spread = self._covariance[i] @ u
            gain = spread / (float(u @ spread) + self.NOISE**2)
            self.mean[i] += gain * (change[rack] - float(self.mean[i] @ u))
            self._covariance[i] -= np.outer(gain, spread)


def _recirculation(to: Rack, of: Rack) -> float:
    """Prior rise of ``to``'s inlet per power of ``of``, by the way from exhaust to inlet, in K/W."""
    way = np.linalg.norm(_face(to, 1.0) - _face(of, -1.0))
    flow = of.air.nominal_flow(of.nominal_power, of.nominal_power)
    return float(RECIRCULATED * np.exp(-way / REACH) / (AIR_DENSITY * AIR_HEAT_CAPACITY * flow))


def _face(rack: Rack, side: float) -> np.ndarray:
    """Middle of a rack's front (+1) or rear (-1) in plan."""
    width, depth, _ = rack.size
    along_x = rack.facing in ("+x", "-x")
    size = np.array([depth, width] if along_x else [width, depth])
    normal = np.array([1.0, 0.0] if along_x else [0.0, 1.0]) * (1.0 if rack.facing[0] == "+" else -1.0)
    return np.array(rack.position) + 0.5 * size + side * 0.5 * depth * normal


def critical_racks(
    situation: Situation,
    inlet: Mapping[str, float],
    margin: float,
    peak: Mapping[str, float] | None = None,
) -> dict[str, str]:
    """Find the racks that need help within the horizon, and say why.

    Parameters
    ----------
    situation : Situation
    inlet : mapping    Rack -> predicted hottest inlet sensor if nothing is done, mean over time. [K]
    margin : float     Allowed for the error of the prediction. [K]
    peak : mapping, optional
        Rack -> hottest spot of its front at any moment; without it the sensors'. [K]
    """
    peak = peak or inlet
    reasons: dict[str, str] = {}
    for rack in situation.racks.values():
        hottest = inlet[rack.id]
        if peak[rack.id] + margin > rack.inlet_allowable:
            reasons[rack.id] = (
                f"inlet peaks at {celsius(peak[rack.id]):.1f} degC within {margin:.1f} K of the allowable "
                f"{celsius(rack.inlet_allowable):.0f} degC"
            )
        elif hottest > rack.inlet_recommended:
            reasons[rack.id] = (
                f"inlet {celsius(hottest):.1f} degC over the recommended "
                f"{celsius(rack.inlet_recommended):.0f} degC"
            )
        elif rack.power_ahead > rack.rating:
            reasons[rack.id] = f"power {rack.power_ahead:.0f} W over its {rack.rating:.0f} W"
        elif rack.power_ahead > rack.cooling_capacity:
            reasons[rack.id] = (
                f"power {rack.power_ahead:.0f} W over its cooling, {rack.cooling_capacity:.0f} W"
            )
    for feed, load in feed_load(situation).items():
        if load > situation.feeds[feed]:
            worst = max(
                (rack for rack in situation.racks.values() if rack.feed == feed), key=lambda r: r.power_ahead
            )
            text = f"its feed {feed} carries {load:.0f} W of {situation.feeds[feed]:.0f} W"
            reasons.setdefault(worst.id, text)
    return reasons


def receiving_racks(
    situation: Situation, inlet: Mapping[str, float], margin: float, bounds: Bounds, critical: Collection[str]
) -> dict[str, float]:
    """Find the racks with excess capacity: how much more power each may take, in W.

    A receiver has reliable data, is not critical, has room below its rating and cooling capacity, and an
    inlet that stays under the recommended limit, the margin included.
    """
    free: dict[str, float] = {}
    load = feed_load(situation)
    for rack in situation.racks.values():
        if rack.blind or rack.id in critical or inlet[rack.id] + margin > rack.inlet_recommended:
            continue
        room = bounds.receiver_load * rack.power_limit - rack.power_ahead
        if rack.feed is not None:
            room = min(room, situation.feeds[rack.feed] - load[rack.feed])
        if room > 0:
            free[rack.id] = room
    return free


def propose(
    situation: Situation,
    inlet: Mapping[str, float],
    influence: Influence,
    memory: Memory,
    bounds: Bounds,
    margin: float,
    critical: Collection[str],
    calm: bool,
) -> list[Candidate]:
    """Propose candidates, the most promising first.

    Parameters
    ----------
    situation : Situation
    inlet : mapping          Rack -> predicted hottest inlet if nothing is done. [K]
    influence : Influence
    memory : Memory
    bounds : Bounds
    margin : float           [K]
    critical : collection    The racks that need help.
    calm : bool              Whether the room has been cold enough for long enough to save energy.

    Returns
    -------
    list of Candidate        Distinct; the second is another kind of answer than the first.
    """
    found: list[Candidate] = []
    if critical:
        moves = _migrations(situation, inlet, influence, memory, bounds, margin, critical)
        up = _cooling_up(situation, bounds, critical)
        found += [
            Candidate("migrate", moves, (), f"relieve {', '.join(critical)}"),
            Candidate("cool", (), up, f"more cooling for {', '.join(critical)}"),
            Candidate("migrate and cool", moves, up, f"relieve and cool {', '.join(critical)}"),
            Candidate("migrate one", moves[:1], (), f"relieve {', '.join(critical)} with one move"),
            Candidate("pump", (), _of(up, PUMP), f"more liquid cooling for {', '.join(critical)}"),
            Candidate("colder supply", (), _of(up, SUPPLY), f"colder air for {', '.join(critical)}"),
            Candidate("faster coolers", (), _of(up, FAN), f"more air for {', '.join(critical)}"),
        ]
    elif calm and all(
        inlet[r.id] + margin + bounds.slack <= r.inlet_recommended for r in situation.racks.values()
    ):
        down = _cooling_down(situation, bounds)
        found += [
            Candidate("warmer supply", (), _of(down, SUPPLY), "all inlets are cold: save chiller power"),
            Candidate("slower coolers", (), _of(down, FAN), "all inlets are cold: save fan power"),
        ]
    rested = [_rested(candidate, memory, situation.time) for candidate in found]
    distinct = {(c.moves, c.settings): c for c in reversed(rested) if c.moves or c.settings}
    base = score(situation, inlet, Candidate("nothing"), margin)
    scored = []
    for candidate in reversed(distinct.values()):
        change = influence.change(candidate)
        expected = {rack: inlet[rack] + float(change[i]) for i, rack in enumerate(influence.racks)}
        gain = base - score(situation, expected, candidate, margin)
        if gain > 0 or critical:
            scored.append((gain, candidate))
    scored.sort(key=lambda pair: -pair[0])
    return _unlike_first([candidate for _, candidate in scored])


def _unlike_first(ranked: list[Candidate]) -> list[Candidate]:
    """Put the best candidate that shares nothing with the first second: both may not fail for one reason."""
    if not ranked:
        return ranked
    first = ranked[0]
    for candidate in ranked[1:]:
        if not set(candidate.moves) & set(first.moves) and not set(candidate.settings) & set(first.settings):
            return [first, candidate, *(other for other in ranked[1:] if other is not candidate)]
    for candidate in ranked[1:]:
        if not set(candidate.moves) & set(first.moves):
            return [first, candidate, *(other for other in ranked[1:] if other is not candidate)]
    return ranked


def _migrations(
    situation: Situation,
    inlet: Mapping[str, float],
    influence: Influence,
    memory: Memory,
    bounds: Bounds,
    margin: float,
    critical: Collection[str],
) -> tuple[Move, ...]:
    """Pick up to ``bounds.moves`` moves, each time the one that lowers the score the most."""
    racks = list(situation.racks.values())
    index = {rack.id: i for i, rack in enumerate(racks)}
    room = receiving_racks(situation, inlet, margin, bounds, critical)
    loads = [
        load
        for load in situation.workloads
        if load.movable
        and load.rack in index
        and not situation.racks[load.rack].blind
        and load.demand_ahead > 0
        and not memory.workload_rests(load.id, situation.time)
    ]
    gain = influence.mean[:, : len(racks)]
    temperature = np.array([inlet[rack.id] for rack in racks])
    power = np.array([rack.power_ahead for rack in racks])
    recommended = np.array([rack.inlet_recommended for rack in racks]) - margin
    limit = np.array([rack.power_limit for rack in racks])

    def cost(T: np.ndarray, P: np.ndarray) -> float:
        hot = OVERHEAT_COST * np.square(np.maximum(0.0, T - recommended)).sum()
        return float(hot + OVERLOAD_COST * np.maximum(0.0, P - limit).sum() / 1e3)

    moves: list[Move] = []
    for _ in range(bounds.moves):
        best_cost, best = cost(temperature, power) - MOVE_COST, None
        for load in loads:
            source = index[load.rack]
            for target, free in room.items():
                to = index[target]
                if to == source or load.demand_ahead > free:
                    continue
                shift = np.zeros(len(racks))
                shift[source], shift[to] = -load.demand_ahead, load.demand_ahead
                after = temperature + gain @ shift
                if after[to] > recommended[to]:
                    continue
                reached = cost(after, power + shift)
                if reached < best_cost - 1e-9:
                    best_cost, best = reached, (load, target, after, power + shift)
        if best is None:
            break
        load, target, temperature, power = best
        moves.append(Move(load.id, load.rack, target, load.demand_ahead))
        room[target] -= load.demand_ahead
        loads.remove(load)
    return tuple(moves)


def _cooling_up(situation: Situation, bounds: Bounds, critical: Iterable[str]) -> tuple[Setting, ...]:
    """Colder supply, faster cooler fans, and faster pumps where the critical racks have them."""
    settings: list[Setting] = []
    for cooler in situation.coolers:
        settings += _change(
            situation, f"{cooler}.{SUPPLY}", -bounds.supply_step, celsius(bounds.supply_low), None
        )
        settings += _change(situation, f"{cooler}.{FAN}", bounds.fan_step, None, bounds.fan_high)
    for name in critical:
        rack: RackSituation = situation.racks[name]
        if (
            rack.racklet is not None
            and not rack.blind
            and f"{rack.racklet.id}.{PUMP}" in situation.set_points
        ):
            point = f"{rack.racklet.id}.{PUMP}"
            settings += _change(situation, point, bounds.pump_step, None, bounds.pump_high)
    return tuple(settings)


def _cooling_down(situation: Situation, bounds: Bounds) -> tuple[Setting, ...]:
    """Half the steps of cooling up, towards less."""
    settings: list[Setting] = []
    for cooler in situation.coolers:
        high = celsius(bounds.supply_high)
        settings += _change(situation, f"{cooler}.{SUPPLY}", 0.5 * bounds.supply_step, None, high)
        settings += _change(situation, f"{cooler}.{FAN}", -0.5 * bounds.fan_step, bounds.fan_low, None)
    return tuple(settings)


def _change(
    situation: Situation, point: str, step: float, low: float | None, high: float | None
) -> list[Setting]:
    old = situation.set_points[point]
    new = round(old + step, 3)
    new = new if low is None else max(new, low)
    new = new if high is None else min(new, high)
    return [Setting(point, old, new)] if (new - old) * step > 0.1 * step * step else []


def _of(settings: Iterable[Setting], quantity: str) -> tuple[Setting, ...]:
    return tuple(setting for setting in settings if setting.quantity == quantity)


def _rested(candidate: Candidate, memory: Memory, now: float) -> Candidate:
    settings = tuple(setting for setting in candidate.settings if not memory.setting_rests(setting, now))
    return Candidate(candidate.id, candidate.moves, settings, candidate.why)
