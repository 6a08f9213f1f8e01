"""The emulated plant's coolant loops: as the twin's in kind, not in their numbers.

=====================  =============================================
what                   differs from the layout, one draw per object
=====================  =============================================
pump speed             factor, normal, 0.98 +- 0.01: slip that no speed sensor sees
pump curve             factor, normal, 1 +- 0.1, on what it loses from shut-off to design flow
balancing valve        opening, factor, normal, 0.95 +- 0.02
filter                 part of its area that is clogged, uniform, 0.05 to 0.2
exchanger              factor on UA, normal, 0.93 +- 0.03
cold plates            factor on what their resistance is over the coolant's own warming, 1 / (m cp),
                       normal, 1 +- 0.05; on the mass, normal, 1 +- 0.1
coils in exhaust air   factor on UA, normal, 0.95 +- 0.03
heat to liquid         factor on the rack's share, that of `plant_perturbation`
facility water         offset, normal, 0 +- 0.5 K
=====================  =============================================

The balancing valves were set on the layout's network without slip and clogging, as on a real site: what has
changed since moves the flows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardware_sync.agent.actuators import PUMP, SUPPLY, Actuator
from solvers.coolant.fluids import fluid
from twin.model.circuits import Coolant
from twin.model.operating import CoolantSettings, Perturbation
from twin.model.schema import Branch, Layout, Loop, Rack
from twin.units import celsius

STOPPED = 0.02
"""Set speed below which a pump's drive is off: it coasts. [1]"""
_PREFIX = "loops."


@dataclass(frozen=True)
class LoopPerturbation:
    """How a plant's loops differ from their layout, beside what its own layout says.

    Attributes
    ----------
    slip : mapping       By pump: true speed over what its sensor says. [1]
    valve : mapping      By branch and coil: factor on the opening of its balancing valve. [1]
    fouling : mapping    By CDU: resistance of its filter over that of a clean one. [1]
    facility : mapping   By CDU: temperature of the building's water. [K]
    """

    slip: Mapping[str, float]
    valve: Mapping[str, float]
    fouling: Mapping[str, float]
    facility: Mapping[str, float]


def perturbed_loops(layout: Layout, seed: int, room: Perturbation) -> tuple[Layout, LoopPerturbation]:
    """Draw how this plant's loops differ; see the module's table.

    Parameters
    ----------
    layout : Layout
    seed : int
    room : Perturbation    Its factors on the heat to liquid count for racks on a loop.

    Returns
    -------
    Layout              Loops and racks as they are in this plant.
    LoopPerturbation    What the layout cannot say.
    """
    rng = np.random.default_rng([seed, 78])

    def around(mean: float, deviation: float) -> float:
        return float(mean + deviation * np.clip(rng.standard_normal(), -2.5, 2.5))

    def with_other_plates(branch: Branch, volumetric: float) -> Branch:
        plates = branch.cold_plates
        least = 1.0 / (volumetric * branch.design_flow)  # no plate is better than the coolant's own warming
        other = {
            "resistance": least + around(1.0, 0.05) * (plates.resistance - least),
            "thermal_mass": around(1.0, 0.1) * plates.thermal_mass,
        }
        return branch.model_copy(update={"cold_plates": plates.model_copy(update=other)})

    def changed(loop: Loop) -> Loop:
        liquid, T = fluid(loop.fluid), loop.cdu.supply_temperature
        volumetric = float(liquid.density(T) * liquid.specific_heat(T))
        pumps = tuple(
            pump.model_copy(
                update={
                    "shutoff_pressure": pump.design_pressure
                    + around(1.0, 0.1) * (pump.shutoff_pressure - pump.design_pressure)
                }
            )
            for pump in loop.cdu.pumps
        )
        exchanger = loop.cdu.exchanger.model_copy(update={"ua": around(0.93, 0.03) * loop.cdu.exchanger.ua})
        branches = tuple(with_other_plates(branch, volumetric) for branch in loop.branches)
        coils = tuple(coil.model_copy(update={"ua": around(0.95, 0.03) * coil.ua}) for coil in loop.coils)
        cdu = loop.cdu.model_copy(update={"pumps": pumps, "exchanger": exchanger})
        return loop.model_copy(update={"cdu": cdu, "branches": branches, "coils": coils})

    loops = tuple(changed(loop) for loop in layout.loops)
    cdus = [loop.cdu for loop in layout.loops]
    branches = [branch for loop in layout.loops for branch in loop.branches]
    units = {layout.racklet(branch.racklet).rack: branch.racklet for branch in branches}
    racks = tuple(
        _with_share(rack, room.liquid.get(units[rack.id], 1.0)) if rack.id in units else rack
        for rack in layout.racks
    )
    perturbation = LoopPerturbation(
        slip={pump.id: around(0.98, 0.01) for cdu in cdus for pump in cdu.pumps},
        valve={taker.id: around(0.95, 0.02) for loop in layout.loops for taker in loop.takers},
        fouling={
            cdu.id: 1.0 / ((1.0 - cdu.filter.clogged) * (1.0 - float(rng.uniform(0.05, 0.2)))) ** 2
            for cdu in cdus
        },
        facility={cdu.id: cdu.facility.supply_temperature + around(0.0, 0.5) for cdu in cdus},
    )
    return layout.model_copy(update={"loops": loops, "racks": racks}), perturbation


def _with_share(rack: Rack, factor: float) -> Rack:
    """Return a rack whose cold plates cover more or less of its heat, at most all of it."""
    slots = tuple(
        slot
        if slot.liquid_share is None
        else slot.model_copy(update={"liquid_share": min(1.0, factor * slot.liquid_share)})
        for slot in rack.slots
    )
    return rack.model_copy(update={"liquid_share": min(1.0, factor * rack.liquid_share), "slots": slots})


class PlantLoops:
    """The loops of the plant, beside its air.

    Parameters
    ----------
    layout : Layout    At least one loop.
    seed : int         Of the perturbation.
    room : Perturbation

    Attributes
    ----------
    coolant : Coolant
    perturbation : LoopPerturbation
    actuators : dict    By point: pump speeds [1] and supply set points of the CDUs [K].
    """

    def __init__(self, layout: Layout, seed: int, room: Perturbation) -> None:
        own, self.perturbation = perturbed_loops(layout, seed, room)
        self.coolant = Coolant(own)
        self._cdus = [loop.cdu for loop in layout.loops]
        self._takers = [taker for loop in layout.loops for taker in loop.takers]
        self._digest = hashlib.sha256(own.model_dump_json().encode()).hexdigest()
        pumps = [pump for cdu in self._cdus for pump in cdu.pumps]
        self._nominal = {pump.id: pump.speed for pump in pumps}
        first = {pump.id: 0.0 if pump.standby else pump.speed for pump in pumps}
        self.actuators = {
            f"{name}.pump_speed": Actuator(speed, speed, *PUMP) for name, speed in first.items()
        }
        self.actuators |= {
            f"{cdu.id}.supply_temperature": Actuator(cdu.supply_temperature, cdu.supply_temperature, *SUPPLY)
            for cdu in self._cdus
        }

    def settings(self) -> CoolantSettings:
        """Return what operators, wear and the building do to the loops now.

        A standby pump whose set speed is 0 is its CDU's own matter: it starts when another one fails.
        """
        off = self.perturbation
        at_rest = {
            pump.id
            for cdu in self._cdus
            for pump in cdu.pumps
            if pump.standby and self.actuators[f"{pump.id}.pump_speed"].target <= STOPPED
        }
        speed = {name: self.actuators[f"{name}.pump_speed"] for name in self._nominal if name not in at_rest}
        return CoolantSettings(
            drive={name: actuator.target > STOPPED for name, actuator in speed.items()},
            speed={
                name: off.slip[name] * actuator.value / self._nominal[name]
                for name, actuator in speed.items()
            },
            valve={taker.id: off.valve[taker.id] * taker.valve_open for taker in self._takers},
            facility=off.facility,
            fouling=off.fouling,
            supply={cdu.id: self.actuators[f"{cdu.id}.supply_temperature"].value for cdu in self._cdus},
        )

    def truth(self) -> dict[str, float]:
        """Return the true value of every point of the loops, in units of the telemetry table."""
        values = self.coolant.points()
        for name, slip in self.perturbation.slip.items():
            values[f"{name}.pump_speed"] /= slip
        for cdu in self._cdus:
            set_point = self.actuators[f"{cdu.id}.supply_temperature"].value
            values[f"{cdu.id}.supply_set_point"] = celsius(set_point)
        return values

    def dump(self) -> dict[str, NDArray[Any]]:
        """Return the state as arrays, for a checkpoint."""
        packed = {f"{_PREFIX}{name}": value for name, value in self.coolant.pack().items()}
        return packed | {"loops": np.array(self._digest)}

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> bool:
        """Go on from a checkpoint; False, and nothing changed, where it is of other loops or broken."""
        packed = {k.removeprefix(_PREFIX): v for k, v in arrays.items() if k.startswith(_PREFIX)}
        present = self.coolant.pack()
        if str(arrays.get("loops")) != self._digest or packed.keys() != present.keys():
            return False
        alike = all(  # a time that has not come is infinite
            packed[name].shape == value.shape and not np.isnan(packed[name]).any()
            for name, value in present.items()
        )
        if alike:
            self.coolant.unpack(packed)
        return alike
