"""Fields of a layout: numbers with a unit and a range, names, places, and the base of every part."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from twin.units import from_si, parse_quantity


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


class Part(BaseModel):
    """Base of everything in a layout: frozen, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
