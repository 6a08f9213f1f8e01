"""What a candidate costs: inlets that are too warm, overload, the electric power of the cooling, wear."""

from __future__ import annotations

from collections.abc import Mapping

from twin.allocation.plan import Candidate
from twin.allocation.situation import RackSituation, Situation
from twin.model.operating import Operating, cooling_power
from twin.model.schema import Racklet
from twin.racklet.cooling import liquid_heat

OVERHEAT_COST = 5.0  # kW-equivalents per K^2 above the recommended inlet
OVERLOAD_COST = 50.0  # kW-equivalents per kW above a rating, a cooling capacity or a feed
MOVE_COST = 0.3  # kW-equivalents per migration: memory copied, service disturbed
SETTING_COST = 0.02  # kW-equivalents per set point: actuators wear


def feed_load(situation: Situation, change: Mapping[str, float] | None = None) -> dict[str, float]:
    """Power on every feed over the horizon, in W."""
    load = dict.fromkeys(situation.feeds, 0.0)
    for rack in situation.racks.values():
        if rack.feed is not None:
            load[rack.feed] += rack.power_ahead + (change or {}).get(rack.id, 0.0)
    return load


def score(
    situation: Situation,
    inlet: Mapping[str, float],
    candidate: Candidate,
    margin: float,
    cooler_power: Mapping[str, float] | None = None,
) -> float:
    """Return the cost of a candidate, lower is better, in kW-equivalents.

    Sums 5 per K^2 of inlets over the recommended limit (margin included), 50 per kW of overload, the electric
    power of the cooling, and small costs of the moves and settings themselves.

    Parameters
    ----------
    situation : Situation
    inlet : mapping                     Rack -> hottest inlet with the candidate in force. [K]
    candidate : Candidate
    margin : float                      [K]
    cooler_power : mapping, optional    Heat that every cooler takes, from a trial. [W]
    """
    change = candidate.power_change()
    cost = electric_power(situation, candidate, cooler_power) / 1e3
    for rack in situation.racks.values():
        cost += OVERHEAT_COST * max(0.0, inlet[rack.id] + margin - rack.inlet_recommended) ** 2
        over = rack.power_ahead + change.get(rack.id, 0.0) - rack.power_limit
        cost += OVERLOAD_COST * max(0.0, over) / 1e3
    for feed, load in feed_load(situation, change).items():
        cost += OVERLOAD_COST * max(0.0, load - situation.feeds[feed]) / 1e3
    return cost + MOVE_COST * len(candidate.moves) + SETTING_COST * len(candidate.settings)


def electric_power(
    situation: Situation, candidate: Candidate, cooler_power: Mapping[str, float] | None = None
) -> float:
    """Estimate the electric power of the cooling, in W: see ``twin.model.operating.cooling_power``.

    Without ``cooler_power`` the coolers share the racks' heat to the air equally. A loop gives the facility
    what it gives now, and the liquid part of what its racks draw more; its pumps draw what they draw now.
    """
    operating = candidate.applied(situation.operating)
    coolers = list(situation.coolers.values())
    on_loops = {unit for loop in situation.loops.values() for unit in loop.racklets}
    alone = {
        rack.racklet.id: (rack, rack.racklet)
        for rack in situation.racks.values()
        if rack.racklet is not None and rack.racklet.id not in on_loops
    }
    liquid = {name: _liquid_heat(rack, unit, operating) for name, (rack, unit) in alone.items()}
    before = situation.operating_now.rack_power
    loop_heat = sum(
        loop.heat
        + sum(
            share * (operating.rack_power[rack] - before[rack]) for rack, share in loop.liquid_share.items()
        )
        for loop in situation.loops.values()
    )
    if cooler_power is None:
        drawn = sum(operating.rack_power[rack] for rack in situation.racks)
        air = max(0.0, drawn - sum(liquid.values()) - loop_heat)
        cooler_power = {cooler.id: air / len(coolers) for cooler in coolers}
    pumps = sum(loop.pump_power for loop in situation.loops.values())
    racklets = [unit for _, unit in alone.values()]
    return cooling_power(coolers, racklets, operating, cooler_power, liquid, loop_heat, pumps).total


def _liquid_heat(rack: RackSituation, racklet: Racklet, operating: Operating) -> float:
    module = racklet.cooling_module
    if module.kind != "liquid":
        return 0.0
    power, pump = operating.rack_power[rack.id], operating.pump(racklet)
    return liquid_heat(power, rack.liquid_share, pump, module.pump_speed, module.capacity)
