"""Read a cold plate file and check it: every fault at once, named by file, object and field."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from solvers.coldplate.plate import HeatMap
from solvers.coolant.fluids import FLUIDS, Fluid, fluid
from twin.errors import InputError
from twin.model.schema.quantity import Quantity
from twin.model.source import Location, Source, read_source
from twin.plates.heat_maps import heat_map
from twin.plates.materials import MATERIALS, Solid
from twin.plates.spec import PlateSpec
from twin.units import celsius

_EDGE = 1e-9  # m; what counts as outside
_ROUNDS = 8  # of mending a faulty file to see the rest of its faults
_CHIP = {"id": "none", "position": [0, 0], "size": [1e-3, 1e-3], "power": 0}
_USABLE: dict[str, Any] = {
    "name": "none",
    "coolant": {"fluid": "water", "inlet_temperature": 20, "flow": 1e-5},
    "plate": {"width": 0.05, "length": 0.05, "base": 1e-3, "lid": 1e-3},
    "channels": {"width": 1e-4, "height": 1e-3, "wall": 1e-4},
    "chips": [_CHIP],
}


@dataclass(frozen=True)
class PlateCase:
    """A checked cold plate file.

    Attributes
    ----------
    path : Path
    spec : PlateSpec
    fluid : Fluid
    solids : dict    Material -> its properties.
    maps : tuple of HeatMap    One a chip.
    channels : int    Number of channels.
    """

    path: Path
    spec: PlateSpec
    fluid: Fluid
    solids: dict[str, Solid]
    maps: tuple[HeatMap, ...]
    channels: int

    @property
    def heat(self) -> float:
        """Heat of all chips. [W]."""
        return sum(float(item.power.sum()) for item in self.maps)

    @property
    def mass_flow(self) -> float:
        """Of the plate. [kg/s]."""
        coolant = self.spec.coolant
        return coolant.flow * float(self.fluid.density(coolant.inlet_temperature))


def read_plate(path: Path) -> PlateCase:
    """Read and check a cold plate file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    PlateCase

    Raises
    ------
    InputError : with every fault of the file and of the maps that it names.
    """
    try:
        source = read_source(path)
    except InputError as error:
        kind = "cold plate file"
        raise InputError(
            [replace(f, object=kind, remedy=f.remedy.replace("layout file", kind)) for f in error.findings]
        ) from error
    spec, mended = _validate(source)
    case = None if spec is None else _Checker(source, spec, path.parent, mended).check(path)
    if source.findings or case is None:
        raise InputError(sorted(source.findings, key=lambda finding: finding.line))
    return case


class _Checker:
    """What pydantic cannot see: names, places, fluids, maps."""

    def __init__(self, source: Source, spec: PlateSpec, folder: Path, mended: frozenset[str]) -> None:
        self.source, self.spec, self.folder, self.mended = source, spec, folder, mended
        self.solids = {**MATERIALS}
        for name, material in spec.materials.items():
            self.solids[name] = Solid(material.conductivity, material.heat_capacity, "the file itself")

    def check(self, path: Path) -> PlateCase | None:
        spec = self.spec
        self._materials()
        count = self._channels() if not _touches(self.mended, "channels", "plate.width") else 1
        self._chips()
        liquid = self._fluid(("coolant", "fluid"), spec.coolant.fluid)
        for n, name in enumerate(spec.sweep.fluid if spec.sweep else ()):
            self._fluid(("sweep", "fluid", n), name)
        begun = len(self.source.findings)
        maps = [heat_map(chip, self.folder, self.source.findings) for chip in spec.chips]
        whole = tuple(item for item in maps if item is not None)
        if liquid is None or len(whole) < len(maps) or len(self.source.findings) > begun:
            return None
        case = PlateCase(path, spec, liquid, self.solids, whole, count)
        if not _touches(self.mended, "coolant", "chips"):
            self._temperatures(case)
        return case

    def _materials(self) -> None:
        spec = self.spec
        named: list[tuple[Location, str]] = [(("plate", "material"), spec.plate.material)]
        if spec.plate.lid_material is not None:
            named.append((("plate", "lid_material"), spec.plate.lid_material))
        named += [(("package", n, "material"), layer.material) for n, layer in enumerate(spec.package)]
        for where, name in named:
            if name not in self.solids:
                remedy = f"{_suggest(name, list(self.solids))} Or describe it under materials"
                self.source.add(where, repr(name), "is no material that is known", remedy)

    def _channels(self) -> int:
        spec = self.spec
        channels, width = spec.channels, spec.plate.width
        if channels.between <= 0.0:
            rule = f"the channel, {1e3 * channels.width:g} mm, is wider than the pitch"
            self.source.add(("channels", "pitch"), f"{1e3 * (channels.pitch or 0.0):g} mm", rule, "Widen it")
            return 1
        pitch = channels.width + channels.between
        fits = int((width - 2.0 * channels.margin + channels.between) / pitch + 1e-9)
        count = channels.count or fits
        taken = count * pitch - channels.between
        if fits < 1 or taken > width + _EDGE:
            rule = f"{max(count, 1)} channels take {1e3 * max(taken, channels.width):g} mm, the plate is"
            rule += f" {1e3 * width:g} mm wide"
            where: Location = ("channels", "count") if channels.count else ("channels", "width")
            self.source.add(where, str(count), rule, "Take fewer or narrower ones")
        elif count == 1 and channels.width > width - _EDGE:
            rule = (
                "one channel takes the whole width of the plate: without any wall base and lid do not touch"
            )
            shown = f"{1e3 * channels.width:g} mm"
            self.source.add(("channels", "width"), shown, rule, "Make it narrower, or take several")
        return max(count, 1)

    def _chips(self) -> None:
        spec = self.spec
        size = spec.plate.width, spec.plate.length
        seen: set[str] = set()
        for n, chip in enumerate(spec.chips):
            ends = [place + extent for place, extent in zip(chip.position, chip.size, strict=True)]
            shown = " x ".join(f"{1e3 * value:g}" for value in chip.size)
            outside = any(end > limit + _EDGE for end, limit in zip(ends, size, strict=True))
            if outside and not _touches(self.mended, "plate.width", "plate.length"):
                plate = " x ".join(f"{1e3 * value:g}" for value in size)
                rule = f"the power map, with its corner, is larger than the plate of {plate} mm"
                self.source.add(("chips", n, "size"), f"{shown} mm", rule, "Move or shrink it")
            for other in spec.chips[:n]:
                if all(
                    min(a + s, b + t) - max(a, b) > _EDGE
                    for a, s, b, t in zip(chip.position, chip.size, other.position, other.size, strict=True)
                ):
                    self.source.add(("chips", n, "position"), "", f"overlaps chip '{other.id}'", "Move one")
            if chip.id in seen:
                self.source.add(("chips", n, "id"), chip.id, "stands twice", "Give each its own")
            seen.add(chip.id)
        for n, probe in enumerate(spec.probes):
            outside = any(place > limit + _EDGE for place, limit in zip(probe.position, size, strict=True))
            if outside and not _touches(self.mended, "plate.width", "plate.length"):
                self.source.add(("probes", n, "position"), "", "lies outside the plate", "Move it inside")
            if probe.id in seen:
                self.source.add(("probes", n, "id"), probe.id, "stands twice", "Give each its own")
            seen.add(probe.id)

    def _fluid(self, where: Location, name: str) -> Fluid | None:
        if name not in FLUIDS:
            self.source.add(where, repr(name), "is no fluid that is known", _suggest(name, FLUIDS))
            return None
        liquid = fluid(name)
        inlet = self.spec.coolant.inlet_temperature
        fault = "" if _touches(self.mended, "coolant.inlet_temperature") else liquid.faults(inlet)
        if fault:
            at: Location = ("coolant", "inlet_temperature") if where[0] == "coolant" else where
            self.source.add(at, f"{celsius(inlet):g} degC", fault.partition(": ")[2], "Choose another")
            return None
        return liquid

    def _temperatures(self, case: PlateCase) -> None:
        """Check that the coolant stays liquid and cold enough: its mean at the outlet, at least."""
        coolant, liquid = self.spec.coolant, case.fluid
        enthalpy = float(liquid.enthalpy(coolant.inlet_temperature)) + case.heat / case.mass_flow
        outlet = float(liquid.temperature(enthalpy))
        fault = liquid.faults(outlet)
        if fault:
            rule = f"{case.heat:g} W make it leave at {celsius(outlet):.1f} degC, {fault.partition(': ')[2]}"
            self.source.add(("coolant", "flow"), f"{coolant.flow:g} m3/s", rule, "Let more flow")


# -- faults of pydantic --------------------------------------------------------------------------------------


def _validate(source: Source) -> tuple[PlateSpec | None, frozenset[str]]:
    """Validate; on faults, note them, put something usable in their place and go on, to find the rest too.

    Returns the spec, and what was mended, as ``coolant.flow``: what is wrong there is no fault of the file.
    """
    data = deepcopy(source.tree)
    mended: set[str] = set()
    source.kept = {key: list(range(len(value))) for key, value in data.items() if isinstance(value, list)}
    for _ in range(_ROUNDS):
        try:
            return PlateSpec.model_validate(data), frozenset(mended)
        except ValidationError as error:
            faults = error.errors(include_url=False)
        before = set(mended)
        lost: dict[str, set[int]] = {}
        for fault in faults:
            path = tuple(fault["loc"])
            if not _touches(before, str(path[0])):
                _note(source, fault, source.original(path))
            if fault["type"] == "extra_forbidden":
                _at(data, path[:-1]).pop(path[-1], None)
            elif len(path) > 1 and isinstance(data.get(path[0]), list) and isinstance(path[1], int):
                lost.setdefault(str(path[0]), set()).add(path[1])
            else:
                mended.add(_mend(data, path))
        for part, numbers in lost.items():
            mended.add(part)
            left = [item for n, item in enumerate(data[part]) if n not in numbers]
            data[part] = left or deepcopy(_USABLE.get(part, []))
            source.kept[part] = [at for n, at in enumerate(source.kept[part]) if n not in numbers]
    return None, frozenset(mended)


def _mend(data: dict[str, Any], path: Location) -> str:
    """Put something usable where a fault is, the whole part where it is the part's; returns its name."""
    part = str(path[0])
    if len(path) > 1 and isinstance(data.get(part), dict):
        key, usable = str(path[1]), _USABLE.get(part)
        if isinstance(usable, dict) and key in usable:
            data[part][key] = usable[key]
        else:
            data[part].pop(key, None)
        return f"{part}.{key}"
    if part in _USABLE:
        data[part] = deepcopy(_USABLE[part])
    else:
        data.pop(part, None)
    return part


def _touches(mended: AbstractSet[str], *names: str) -> bool:
    """Whether one of these, a part of one or what it is a part of was mended."""
    return any(
        item == name or item.startswith(f"{name}.") or name.startswith(f"{item}.")
        for item in mended
        for name in names
    )


def _at(data: Any, path: Location) -> Any:
    for step in path:
        data = data[step]
    return data


def _note(source: Source, fault: ErrorDetails, path: Location) -> None:
    """Turn one of pydantic's faults into a finding."""
    kind, context = fault["type"], fault.get("ctx", {})
    model = _model_at(path[:-1])
    known = list(model.model_fields) if model is not None else []
    if kind == "extra_forbidden":
        source.add(path, "", f"the key '{path[-1]}' is unknown", _suggest(str(path[-1]), known))
        return
    about = _about(model, path)
    if kind == "missing":
        source.add(path, "", "is missing", f"Add {about}")
        return
    rule = str(context.get("rule") or context.get("error") or fault["msg"])
    rule = rule[0].lower() + rule[1:]
    if kind == "literal_error":
        rule = f"must be {context['expected']}"
    elif rule.startswith("input should be"):
        rule = "must be" + rule.removeprefix("input should be")
    shown = "" if isinstance(fault["input"], dict | list) else repr(fault["input"])
    source.add(path, shown, rule, f"Give {about}" if about else "Mend it")


def _model_at(path: Location) -> type[BaseModel] | None:
    model: type[BaseModel] | None = PlateSpec
    for step in path:
        if isinstance(step, int) or model is None:
            continue
        described = model.model_fields.get(step)
        leaves = [] if described is None else list(_leaves(described.annotation))
        model = next((t for t in leaves if isinstance(t, type) and issubclass(t, BaseModel)), None)
    return model


def _leaves(annotation: Any) -> list[Any]:
    inner = get_args(annotation)
    return [annotation] if not inner else [leaf for part in inner for leaf in _leaves(part)]


def _about(model: type[BaseModel] | None, path: Location) -> str:
    """Describe what belongs at a path."""
    name = next((str(step) for step in reversed(path) if isinstance(step, str)), "")
    described = None if model is None else model.model_fields.get(name)
    if described is None:
        return name
    parts = (*described.metadata, *_leaves(described.annotation))
    ranges = [part.range_text for part in parts if isinstance(part, Quantity)]
    text = ", ".join(part for part in (described.description or "", *ranges[:1]) if part)
    return f"{name} ({text})" if text else name


def _suggest(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"Did you mean '{near[0]}'?" if near else f"Use one of {', '.join(known)}."
