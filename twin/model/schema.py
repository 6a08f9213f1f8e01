"""The layout: what a room file may say, field by field, with unit, range and default.

``Layout`` is the root. Inside Python every number is SI (temperatures in K); in a file a plain number is in
the unit that the field documents (temperatures in degC), and text carries its own unit. ``model_dump()``
writes the file's units (to 12 digits), so a dumped layout loads again.

Positions are the room's metres: x and y in plan, z upwards from the structural slab, so that a raised floor
of 0.6 m is the plane z = 0.6. Racks, coolers and tiles stand on (or lie in) that plane and give x and y only.

``python -m twin.model.schema FILE`` writes the JSON schema; ``layouts/schema.json`` is made that way.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import PydanticCustomError, core_schema

from twin.model.catalog import AshraeName, TileLoss, tile_loss_coefficient
from twin.units import from_si, kelvin, parse_quantity

U_HEIGHT = 0.04445
"""One rack unit, EIA-310. [m]."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """Type annotation of a number with a unit: parses, converts to SI, checks the range.

    Attributes
    ----------
    unit : str                    Unit of a plain number in a file.
    minimum, maximum : float      Allowed range, inclusive. [unit]
    above : float                 Lower bound, exclusive. [unit]
    """

    unit: str
    minimum: float = -math.inf
    maximum: float = math.inf
    above: float = -math.inf

    @property
    def range_text(self) -> str:
        """Say the range in words: ``above 0 and at most 20 m``."""
        low = f"above {self.above:g}" if self.above >= self.minimum else f"at least {self.minimum:g}"
        parts = [low] if max(self.above, self.minimum) > -math.inf else []
        if self.maximum < math.inf:
            parts.append(f"at most {self.maximum:g}")
        return " and ".join(parts) + ("" if self.unit == "1" else f" {self.unit}")

    def parse(self, value: object) -> float:
        """Return ``value`` in SI, or raise the pydantic error that the loader turns into a finding."""
        try:
            parsed = parse_quantity(value, self.unit)
        except ValueError as error:
            raise PydanticCustomError("quantity", "{rule}", {"rule": str(error)}) from error
        shown = from_si(parsed, self.unit)
        if shown < self.minimum or shown > self.maximum or shown <= self.above:
            raise PydanticCustomError("quantity_range", "{rule}", {"rule": f"must be {self.range_text}"})
        return parsed

    def show(self, value: float) -> float:
        """Return an SI value in the field's unit."""
        return from_si(value, self.unit)

    def __get_pydantic_core_schema__(
        self, source: type[Any], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.parse, serialization=core_schema.plain_serializer_function_ser_schema(self.show)
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        number: dict[str, Any] = {"type": "number"}
        if self.above >= self.minimum and self.above > -math.inf:
            number["exclusiveMinimum"] = self.above
        elif self.minimum > -math.inf:
            number["minimum"] = self.minimum
        if self.maximum < math.inf:
            number["maximum"] = self.maximum
        return {"anyOf": [number, {"type": "string"}], "unit": self.unit}


Coordinate = Annotated[float, Quantity("m", -1.0, 500.0)]
Length = Annotated[float, Quantity("m", 0.0, 500.0, above=0.0)]
Height = Annotated[float, Quantity("m", 0.0, 10.0)]
Power = Annotated[float, Quantity("W", 0.0, 1e7)]
PositivePower = Annotated[float, Quantity("W", 0.0, 1e7, above=0.0)]
AirFlow = Annotated[float, Quantity("m3/s", 0.0, 200.0, above=0.0)]
FlowPerPower = Annotated[float, Quantity("m3/s/kW", 0.005, 0.5)]
Temperature = Annotated[float, Quantity("degC", -20.0, 80.0)]
Fraction = Annotated[float, Quantity("1", 0.0, 1.0)]
PositiveFraction = Annotated[float, Quantity("1", 0.0, 1.0, above=0.0)]
FlowFactor = Annotated[float, Quantity("1", 0.1, 5.0)]
LossCoefficient = Annotated[float, Quantity("1", 0.0, 1e7)]
ThermalMass = Annotated[float, Quantity("J/K", 0.0, 1e9)]
Voltage = Annotated[float, Quantity("V", 0.0, 1000.0, above=0.0)]
MassFlow = Annotated[float, Quantity("kg/s", 0.0, 100.0, above=0.0)]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")]
Facing = Literal["+x", "-x", "+y", "-y"]
Plan = tuple[Coordinate, Coordinate]
Point = tuple[Coordinate, Coordinate, Coordinate]


CELL_SIZE = Quantity("m", 0.01, 1.0)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Closure(_Part):
    """Turbulence closure of the room's air."""

    kind: Literal["mixing_length"] = Field(
        default="mixing_length", description="Chen and Xu 1998: nu_t = constant V l"
    )
    constant: Annotated[float, Quantity("1", 0.0, 0.2, above=0.0)] = Field(
        default=0.03874, description="The published constant is 0.03874 [1]"
    )
    turbulent_prandtl: Annotated[float, Quantity("1", 0.3, 2.0)] = Field(default=0.9, description="[1]")


class Air(_Part):
    """How the air is computed."""

    cell: Annotated[float, CELL_SIZE] = Field(default=0.1, description="Target cell size [m]")
    reference_temperature: Temperature = Field(
        default=kelvin(20.0), description="Boussinesq reference [degC]"
    )
    closure: Closure = Field(default_factory=Closure)


class Room(_Part):
    """The rectangular shell, from slab to ceiling; walls, slab and ceiling are adiabatic."""

    size: tuple[Length, Length, Length] = Field(description="x, y and slab-to-ceiling height [m]")
    raised_floor: Height = Field(
        default=0.0, description="Height of the raised floor above the slab, 0 for none [m]"
    )
    floor_leakage: Annotated[float, Quantity("1", 0.0, 0.05)] = Field(
        default=0.0, description="Open area of the seams between solid floor panels over their area [1]"
    )


class FanCurve(_Part):
    """Server fans that speed up with inlet temperature: factor over temperature, linear, held at the ends."""

    temperature: tuple[Temperature, ...] = Field(min_length=2, description="Inlet, ascending [degC]")
    factor: tuple[FlowFactor, ...] = Field(min_length=2, description="Flow over nominal flow [1]")

    @model_validator(mode="after")
    def _is_a_curve(self) -> FanCurve:
        if len(self.temperature) != len(self.factor):
            raise ValueError("temperature and factor must have the same length")
        if any(b <= a for a, b in zip(self.temperature, self.temperature[1:], strict=False)):
            raise ValueError("temperatures must ascend")
        return self


class RackAir(_Part):
    """Air flow of a rack or a slot at nominal fan speed: fixed, or per electric power."""

    flow: AirFlow | None = Field(default=None, description="Fixed flow [m3/s]")
    per_power: FlowPerPower | None = Field(
        default=None, description="Flow per electric power [m3/s/kW]; 0.0566 is 120 cfm/kW, about 14.7 K rise"
    )
    minimum: Fraction = Field(
        default=0.3, description="Idle flow over the flow at nominal power, for per_power [1]"
    )
    curve: FanCurve | None = Field(default=None, description="Extra factor against inlet temperature")

    @model_validator(mode="after")
    def _one_law(self) -> RackAir:
        if (self.flow is None) == (self.per_power is None):
            raise ValueError("give exactly one of flow and per_power")
        return self

    def nominal_flow(self, power: float, power_nominal: float) -> float:
        """Flow at nominal fan speed and electric ``power`` [W]. [m3/s]."""
        if self.flow is not None:
            return self.flow
        per_power = self.per_power or 0.0
        return max(per_power * power, self.minimum * per_power * power_nominal)


class Slot(_Part):
    """Equipment in a range of rack units, with air from front to rear."""

    u_start: int = Field(ge=1, le=60, description="Lowest unit, 1 is at the bottom")
    u_height: int = Field(ge=1, le=60)
    power: Power | None = Field(
        default=None,
        description="Nominal; without it the slot has its part, by height, of what is left of the rack's [W]",
    )
    air: RackAir | None = Field(default=None, description="Own air law; without it the rack's, by power")
    liquid_share: Fraction | None = Field(default=None, description="Own liquid share [1]")
    thermal_mass: ThermalMass | None = Field(default=None, description="Own thermal mass [J/K]")


class Rack(_Part):
    """A cabinet on the raised floor; solid but for its slots, front to rear."""

    id: Identifier
    position: Plan = Field(description="Lowest corner of the footprint in x and y [m]")
    size: tuple[Length, Length, Length] = Field(
        default=(0.6, 1.2, 2.1), description="Width, depth (along facing), height [m]"
    )
    facing: Facing = Field(description="Direction in which the front, the air inlet, looks")
    units: int = Field(default=42, ge=4, le=60, description="Height of the mounting space [U]")
    power: PositivePower | None = Field(
        default=None,
        description="Nominal electric power, all of it heat; without it the sum of the slots' [W]",
    )
    rated_power: PositivePower | None = Field(
        default=None, description="The most it may draw; without it no limit but the feed's [W]"
    )
    air: RackAir = Field(default_factory=lambda: RackAir.model_validate({"per_power": 0.0566}))
    thermal_mass: ThermalMass = Field(default=150e3, description="Of the equipment; lags the exhaust [J/K]")
    liquid_share: Fraction = Field(
        default=0.0, description="Part of the heat that sits under liquid cold plates [1]"
    )
    leakage: Annotated[float, Quantity("1", 0.0, 0.5)] = Field(
        default=0.0,
        description="Flow from rear to front through unblanked units over the rack's flow [1]",
    )
    ashrae_class: AshraeName = "A1"
    feed: Identifier | None = Field(default=None, description="Power feed it hangs on")
    slots: tuple[Slot, ...] = Field(min_length=1)

    @property
    def nominal_power(self) -> float:
        """Nominal electric power. [W]."""
        return self.power if self.power is not None else sum(slot.power or 0.0 for slot in self.slots)

    @property
    def slot_powers(self) -> tuple[float, ...]:
        """Nominal power of each slot; they add up to ``nominal_power``. [W]."""
        free = [slot for slot in self.slots if slot.power is None]
        left = self.nominal_power - sum(slot.power or 0.0 for slot in self.slots)
        height = sum(slot.u_height for slot in free)
        return tuple(
            left * slot.u_height / height if slot.power is None else slot.power for slot in self.slots
        )

    @property
    def mount_base(self) -> float:
        """Height of the lowest unit above the rack's foot; the mounting space is centred. [m]."""
        return 0.5 * (self.size[2] - self.units * U_HEIGHT)


class PowerModule(_Part):
    """AC in, DC out, built of equal modules; one more than needed is N+1, twice as many 2N."""

    input_voltage: Literal[120, 208, 230, 240, 400, 415, 480] = 240
    phases: Literal[1, 3] = 1
    output_voltage: Voltage = Field(default=48.0, description="DC set point [V]")
    module_power: PositivePower = Field(default=5000.0, description="Rating of one base module [W]")
    modules: int = Field(default=3, ge=1, le=24)


class CoolingModule(_Part):
    """Heat removal of a racklet: liquid cold plates, or direct-to-chip air with the rack's fans only."""

    kind: Literal["liquid", "air"] = "liquid"
    capacity: PositivePower = Field(
        default=30e3, description="The most it can take at nominal pump (liquid) or fan (air) speed [W]"
    )
    fan_speed: PositiveFraction = Field(
        default=0.6, description="Nominal fan speed, at which the rack has its nominal flow [1]"
    )
    pump_speed: PositiveFraction = Field(default=0.6, description="Nominal pump speed, liquid only [1]")
    coolant_flow: MassFlow = Field(default=0.2, description="At nominal pump speed, liquid only [kg/s]")
    coolant_heat_capacity: Annotated[float, Quantity("J/kg/K", 500.0, 4300.0)] = Field(
        default=3900.0, description="3900 is PG25 near 30 degC, liquid only [J/kg/K]"
    )
    coolant_supply_temperature: Temperature = Field(
        default=kelvin(30.0), description="Into the cold plates, liquid only [degC]"
    )
    fan_power: Power = Field(
        default=300.0, description="Of all fans of the rack at nominal speed; part of the rack's power [W]"
    )
    pump_power: Power = Field(default=120.0, description="At nominal speed, liquid only [W]")


class Racklet(_Part):
    """A 2U or 4U power and cooling unit in a rack."""

    id: Identifier
    rack: Identifier
    u_start: int = Field(ge=1, le=60)
    u_height: Literal[2, 4] = 4
    power_module: PowerModule = Field(default_factory=PowerModule)
    cooling_module: CoolingModule = Field(default_factory=CoolingModule)


class Cooler(_Part):
    """A CRAH, CRAC or in-row cooler: a solid block on the raised floor with a return and a supply face."""

    id: Identifier
    position: Plan = Field(description="Lowest corner of the footprint in x and y [m]")
    size: tuple[Length, Length, Length] = Field(
        default=(1.8, 0.9, 2.0), description="Width, depth (along facing), height [m]"
    )
    facing: Facing = Field(description="Direction in which the front looks")
    return_face: Literal["top", "front", "rear"] = "top"
    supply_face: Literal["plenum", "front", "rear"] = Field(
        default="plenum",
        description="plenum blows down through the raised floor; front or rear into the room",
    )
    air_flow: AirFlow = Field(description="At nominal fan speed [m3/s]")
    fan_speed: PositiveFraction = Field(default=0.7, description="Nominal fan speed [1]")
    fan_power: Power = Field(default=2500.0, description="At nominal fan speed [W]")
    supply: Literal["controlled", "fixed"] = Field(
        default="controlled",
        description="controlled holds the set point up to the capacity; fixed holds it at any load",
    )
    supply_temperature: Temperature = Field(default=kelvin(18.0), description="Set point [degC]")
    capacity: PositivePower | None = Field(
        default=None, description="Sensible, needed where supply is controlled [W]"
    )
    thermal_mass: ThermalMass = Field(
        default=40e3, description="Of the coil and its water; lags the supply [J/K]"
    )
    cop: Annotated[float, Quantity("1", 1.0, 50.0)] = Field(
        default=4.5, description="Heat removed per electric power of the chilled-water plant [1]"
    )
    failed: bool = Field(default=False, description="Fan and coil off")


class Tile(_Part):
    """A perforated tile in the raised floor."""

    id: Identifier
    position: Plan = Field(description="Lowest corner [m]")
    size: tuple[Length, Length] = Field(default=(0.6, 0.6), description="[m]")
    open_area: PositiveFraction = Field(default=0.56, description="Open over gross area [1]")
    relation: TileLoss = Field(default="fried_idelchik", description="Loss coefficient from open area")
    loss_coefficient: LossCoefficient | None = Field(
        default=None, description="Measured K on the gross area; overrides the relation [1]"
    )

    @property
    def loss(self) -> float:
        """Loss coefficient K on the gross area. [1]."""
        if self.loss_coefficient is not None:
            return self.loss_coefficient
        return tile_loss_coefficient(self.open_area, self.relation)


class Panel(_Part):
    """A thin plate on a plane: exactly one of the three extents is zero."""

    id: Identifier
    kind: Literal["panel", "door", "roof", "curtain"] = "panel"
    lo: Point = Field(description="Lowest corner, z from the slab [m]")
    hi: Point = Field(description="Highest corner, z from the slab [m]")
    open: bool = Field(default=False, description="An open door or a drawn curtain lets air through freely")
    leakage: Annotated[float, Quantity("1", 0.0, 0.5)] = Field(
        default=0.0, description="Open area of gaps over the panel's area [1]"
    )

    @model_validator(mode="after")
    def _is_thin(self) -> Panel:
        if any(b < a for a, b in zip(self.lo, self.hi, strict=True)):
            raise ValueError("hi must not lie below lo")
        if sum(b - a < 1e-9 for a, b in zip(self.lo, self.hi, strict=True)) != 1:
            raise ValueError("a panel is a rectangle: exactly one of its three extents must be zero")
        return self

    @property
    def axis(self) -> int:
        """The axis the panel is normal to: 0, 1 or 2."""
        return next(a for a in range(3) if self.hi[a] - self.lo[a] < 1e-9)


class Containment(_Part):
    """Panels that close an aisle and are switched together."""

    id: Identifier
    enabled: bool = True
    panels: tuple[Panel, ...] = Field(min_length=1)


class Wall(_Part):
    """A partition from slab to ceiling, thin, along x or y."""

    id: Identifier
    start: Plan
    end: Plan

    @model_validator(mode="after")
    def _is_straight(self) -> Wall:
        if sum(abs(b - a) < 1e-9 for a, b in zip(self.start, self.end, strict=True)) != 1:
            raise ValueError(
                "a wall runs along x or along y: start and end must differ in exactly one of them"
            )
        return self


class Obstacle(_Part):
    """A solid block: a column, a cabinet, a cable tray, a pipe bundle in the plenum."""

    id: Identifier
    lo: Point = Field(description="Lowest corner, z from the slab [m]")
    hi: Point = Field(description="Highest corner, z from the slab [m]")

    @model_validator(mode="after")
    def _has_volume(self) -> Obstacle:
        if any(b - a < 1e-9 for a, b in zip(self.lo, self.hi, strict=True)):
            raise ValueError("hi must lie above lo in x, y and z")
        return self


class Feed(_Part):
    """A power feed; the racks on it must not exceed it."""

    id: Identifier
    capacity: PositivePower = Field(description="[W]")


class Sensor(_Part):
    """An extra sensor; its point is ``<id>.temperature`` or ``<id>.pressure``.

    It stands at ``position``, or 5 cm before a face of ``rack`` at ``height`` above the rack's foot.
    """

    id: Identifier
    quantity: Literal["temperature", "pressure"] = "temperature"
    position: Point | None = Field(default=None, description="z from the slab [m]")
    rack: Identifier | None = None
    face: Literal["inlet", "outlet"] = "inlet"
    height: Height = Field(default=1.0, description="Above the rack's foot [m]")

    @model_validator(mode="after")
    def _one_place(self) -> Sensor:
        if (self.position is None) == (self.rack is None):
            raise ValueError("give exactly one of position and rack")
        return self


class Workload(_Part):
    """A piece of load at the start; a trace or a platform tells the twin how it goes on."""

    id: Identifier
    rack: Identifier
    power: Power = Field(description="Part of the rack's nominal power [W]")
    movable: bool = True


class Layout(_Part):
    """A room with everything in it. Ids are unique over the whole layout."""

    name: str = Field(min_length=1, max_length=80)
    description: str = ""
    room: Room
    air: Air = Field(default_factory=Air)
    racks: tuple[Rack, ...] = ()
    racklets: tuple[Racklet, ...] = ()
    coolers: tuple[Cooler, ...] = ()
    tiles: tuple[Tile, ...] = ()
    containments: tuple[Containment, ...] = ()
    panels: tuple[Panel, ...] = Field(default=(), description="Thin plates outside any containment")
    walls: tuple[Wall, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    feeds: tuple[Feed, ...] = ()
    default_sensors: bool = Field(
        default=True, description="Rack inlets (bottom, middle, top) and outlets, coolers and plenum pressure"
    )
    sensors: tuple[Sensor, ...] = ()
    workloads: tuple[Workload, ...] = ()

    def rack(self, name: str) -> Rack:
        """Return the rack with this id; KeyError if there is none."""
        return _named(self.racks, name)

    def racklet(self, name: str) -> Racklet:
        """Return the racklet with this id; KeyError if there is none."""
        return _named(self.racklets, name)

    def cooler(self, name: str) -> Cooler:
        """Return the cooler with this id; KeyError if there is none."""
        return _named(self.coolers, name)

    def racklet_of(self, rack: str) -> Racklet | None:
        """Return the first racklet in a rack, the one whose fans and pump serve it; None if there is none."""
        return next((racklet for racklet in self.racklets if racklet.rack == rack), None)

    @property
    def active_panels(self) -> tuple[Panel, ...]:
        """Every panel that stands now: of enabled containments and free ones, less the open ones."""
        contained = (panel for group in self.containments if group.enabled for panel in group.panels)
        return tuple(panel for panel in (*contained, *self.panels) if not panel.open)


_Named = TypeVar("_Named", Rack, Racklet, Cooler)


def _named(objects: tuple[_Named, ...], name: str) -> _Named:
    for item in objects:
        if item.id == name:
            return item
    raise KeyError(name)


def json_schema() -> str:
    """Return the layout's JSON schema as text, stable between runs."""
    schema = Layout.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    for part in (schema, *schema["$defs"].values()):
        for field in part.get("properties", {}).values():
            if "unit" in field and field.get("default") is not None:
                field["default"] = from_si(field["default"], field["unit"])
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json_schema(), encoding="utf-8")
