"""Events of a simulation: what may happen to a room, when, and to which of its objects."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from twin.model.schema import Part, Quantity
from twin.model.schema.quantity import Fraction, Identifier, Power, Temperature
from twin.units import celsius

LONGEST = 30 * 86400.0
"""Longest simulation. [s]"""
Time = Annotated[float, Quantity("s", 0.0, LONGEST)]
Interval = Annotated[float, Quantity("s", 0.1, LONGEST)]


class _Event(Part):
    at: Time = Field(description="When it begins, from the start of the simulation [s]")


class _Ramped(_Event):
    over: Time = Field(default=0.0, description="How long it takes, 0 is at once [s]")


class _Switched(_Event):
    rack: Identifier
    slot: int | None = Field(
        default=None, ge=1, description="Of the rack's slots in the order of the layout, from 1"
    )

    @property
    def place(self) -> str:
        """The rack, or one of its slots, in words."""
        return f"rack {self.rack}" + ("" if self.slot is None else f" slot {self.slot}")


class _Speed(_Ramped):
    speed: Fraction = Field(description="New speed over the full one [1]")


class RackPower(_Ramped):
    """A rack's electric power changes, at once or as a ramp."""

    kind: Literal["rack_power"]
    rack: Identifier
    power: Power = Field(description="New electric power [W]")

    def text(self) -> str:
        """Say it in words."""
        return f"rack {self.rack} to {self.power / 1e3:g} kW{_over(self.over)}"


class RackShutdown(_Switched):
    """A rack, or one of its slots, is switched off: power and fans."""

    kind: Literal["rack_shutdown"]

    def text(self) -> str:
        """Say it in words."""
        return f"{self.place} off"


class RackStart(_Switched):
    """A rack, or one of its slots, is switched on again."""

    kind: Literal["rack_start"]

    def text(self) -> str:
        """Say it in words."""
        return f"{self.place} on"


class RackletFan(_Speed):
    """The fans of a rack follow its racklet to another speed."""

    kind: Literal["racklet_fan"]
    racklet: Identifier

    def text(self) -> str:
        """Say it in words."""
        return f"racklet {self.racklet} fans to {self.speed:.0%}{_over(self.over)}"


class RackletPump(_Speed):
    """A racklet's coolant pump goes to another speed; 0 stops it."""

    kind: Literal["racklet_pump"]
    racklet: Identifier

    def text(self) -> str:
        """Say it in words."""
        return f"racklet {self.racklet} pump to {self.speed:.0%}{_over(self.over)}"


class CoolerTrip(_Event):
    """A cooler loses power and chilled water: its fan coasts down, the water in its coil cools on."""

    kind: Literal["cooler_trip"]
    cooler: Identifier

    def text(self) -> str:
        """Say it in words."""
        return f"cooler {self.cooler} trips"


class CoolerRestart(_Ramped):
    """A cooler comes back: cooling at once, the fan as a ramp up to its speed."""

    kind: Literal["cooler_restart"]
    cooler: Identifier

    def text(self) -> str:
        """Say it in words."""
        return f"cooler {self.cooler} restarts{_over(self.over)}"


class CoolerSetPoint(_Ramped):
    """A cooler gets another supply set point."""

    kind: Literal["cooler_set_point"]
    cooler: Identifier
    temperature: Temperature = Field(description="New supply set point [degC]")

    def text(self) -> str:
        """Say it in words."""
        return f"cooler {self.cooler} set to {celsius(self.temperature):g} degC{_over(self.over)}"


class CoolerFan(_Speed):
    """A cooler's fan goes to another speed."""

    kind: Literal["cooler_fan"]
    cooler: Identifier

    def text(self) -> str:
        """Say it in words."""
        return f"cooler {self.cooler} fan to {self.speed:.0%}{_over(self.over)}"


class Door(_Event):
    """A door, panel or curtain, or an opening in an outer wall, is opened or closed."""

    kind: Literal["door"]
    door: Identifier = Field(description="A panel of a containment, a free panel or an opening")
    open: bool

    def text(self) -> str:
        """Say it in words."""
        return f"{self.door} {'opened' if self.open else 'closed'}"


class ContainmentSwitch(_Event):
    """A containment is put up or taken away."""

    kind: Literal["containment"]
    containment: Identifier
    enabled: bool

    def text(self) -> str:
        """Say it in words."""
        return f"containment {self.containment} {'closed' if self.enabled else 'taken away'}"


class TileChange(_Event):
    """A tile is blocked (tight but for a hair), put back as it was, or taken out."""

    kind: Literal["tile"]
    tile: Identifier
    state: Literal["blocked", "normal", "removed"]

    def text(self) -> str:
        """Say it in words."""
        words = {"blocked": "blocked", "normal": "as it was", "removed": "taken out"}
        return f"tile {self.tile} {words[self.state]}"


class DuctFan(_Event):
    """The fan of a duct stops or runs."""

    kind: Literal["duct"]
    duct: Identifier
    running: bool

    def text(self) -> str:
        """Say it in words."""
        return f"duct {self.duct} {'runs' if self.running else 'stops'}"


class PumpTrip(_Event):
    """A pump of a CDU loses power and runs down; a standby pump takes over."""

    kind: Literal["pump_trip"]
    pump: Identifier

    def text(self) -> str:
        """Say it in words."""
        return f"pump {self.pump} trips"


class PumpRestart(_Event):
    """A pump of a CDU has power again and runs up."""

    kind: Literal["pump_restart"]
    pump: Identifier

    def text(self) -> str:
        """Say it in words."""
        return f"pump {self.pump} restarts"


class BranchValve(_Event):
    """The balancing valve of a branch or a coil is set to another opening; 0 shuts it."""

    kind: Literal["branch_valve"]
    branch: Identifier
    open: Fraction = Field(description="Opening over the balanced setting [1]")

    def text(self) -> str:
        """Say it in words."""
        return f"valve of {self.branch} to {self.open:.0%}"


class CoolantLeak(_Event):
    """A hole opens before the plates of a branch, or a coil; area 0 mends it."""

    kind: Literal["coolant_leak"]
    branch: Identifier
    area: Annotated[float, Quantity("mm2", 0.0, 1000.0)] = Field(description="Of the hole [mm2]")

    def text(self) -> str:
        """Say it in words."""
        return f"{self.branch} leaks, {self.area * 1e6:g} mm2" if self.area > 0.0 else f"{self.branch} mended"


class FacilityWater(_Ramped):
    """The facility's water for a CDU comes at another temperature."""

    kind: Literal["facility_water"]
    cdu: Identifier
    temperature: Temperature = Field(description="New supply temperature [degC]")

    def text(self) -> str:
        """Say it in words."""
        return f"facility water of {self.cdu} to {celsius(self.temperature):g} degC{_over(self.over)}"


class FilterClogs(_Ramped):
    """The filter of a CDU clogs."""

    kind: Literal["filter_clogs"]
    cdu: Identifier
    clogged: Annotated[float, Quantity("1", 0.0, 0.97)] = Field(description="Blocked part of its area [1]")

    def text(self) -> str:
        """Say it in words."""
        return f"filter of {self.cdu} clogs to {self.clogged:.0%}{_over(self.over)}"


class Ambient(_Ramped):
    """The temperature outside changes, of what openings and ducts draw in."""

    kind: Literal["ambient"]
    temperature: Temperature = Field(description="New temperature outside [degC]")

    def text(self) -> str:
        """Say it in words."""
        return f"outside to {celsius(self.temperature):g} degC{_over(self.over)}"


Event = (
    RackPower | RackShutdown | RackStart | RackletFan | RackletPump | CoolerTrip | CoolerRestart
    | CoolerSetPoint | CoolerFan | Door | ContainmentSwitch | TileChange | DuctFan | Ambient
    | PumpTrip | PumpRestart | BranchValve | CoolantLeak | FacilityWater | FilterClogs
)  # fmt: skip
KINDS: dict[str, type[_Event]] = {
    get_args(kind.model_fields["kind"].annotation)[0]: kind for kind in get_args(Event)
}


class Script(Part):
    """What happens in a simulation, in the order of time.

    Attributes
    ----------
    name : str
    duration, every : float or None    Length of the simulation, interval of its output. [s]
    events : tuple of Event
    """

    name: str = ""
    description: str = ""
    duration: Interval | None = None
    every: Interval | None = None
    events: tuple[Annotated[Event, Field(discriminator="kind")], ...] = ()


def time_text(seconds: float) -> str:
    """Say a length of time in a unit that suits it: ``90 s``, ``12 min``, ``3 h``, ``30 days``."""
    for unit, length in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if abs(seconds) >= 3.0 * length and (length > 60.0 or seconds % 6.0 == 0.0):  # min: tenths only
            return f"{seconds / length:.4g} {unit}"
    return f"{seconds:.5g} s"


def _over(seconds: float) -> str:
    return f" over {time_text(seconds)}" if seconds > 0.0 else ""
