"""The parts of a 3D-ICE stack file that stand for themselves: materials, sinks, channels, layers and dies."""

from __future__ import annotations

from twin.plates.ice_stack import Cavity, Die, Layer, Material, Sink
from twin.plates.ice_syntax import Faults, Section, Statement, match

MICRO = 1e-6
"""Metres in a micrometre. [m]"""
_PER_LENGTH = 1e6  # W/(m K) per W/(um K)
_PER_AREA = 1e12  # W/(m2 K) per W/(um2 K)
_PER_VOLUME = 1e18  # J/(m3 K) per J/(um3 K)
_FLOW = 1e-6 / 60.0  # m3/s per ml/min

_COOLANT = {
    "coolant volumetric heat capacity": "coolant volumetric heat capacity <a:number>",
    "coolant incoming temperature": "coolant incoming temperature <a:number>",
}
_CHANNEL = {
    "height": "height <a:number>",
    "channel length": "channel length <a:number>",
    "wall length": "wall length <a:number>",
    "wall material": "wall material <a:word>",
    "coolant flow rate": "coolant flow rate <a:number>",
    **_COOLANT,
}
_PIN = {
    "height": "height <a:number>",
    "pin diameter": "pin diameter <a:number>",
    "pin pitch": "pin pitch <a:number>",
    "pin distribution": "pin distribution <a:inline|staggered>",
    "pin material": "pin material <a:word>",
    "darcy velocity": "darcy velocity <a:number>",
    **_COOLANT,
}
_FILM = "coolant heat transfer coefficient"
_FILMS = {
    "4rm": f"{_FILM} side <side:number> , top <top:number> , bottom <bottom:number>",
    "2rm": f"{_FILM} top <top:number> , bottom <bottom:number>",
}

Found = dict[str, str | float]


class Parts:
    """What a file describes before it stacks it.

    Parameters
    ----------
    faults : Faults    Gets all that is wrong.

    Attributes
    ----------
    materials, layers, dies, sinks : dict    By name; sinks by ``top`` and ``bottom``.
    cavity : Cavity or None
    """

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.materials: dict[str, Material] = {}
        self.layers: dict[str, Layer] = {}
        self.dies: dict[str, Die] = {}
        self.sinks: dict[str, Sink] = {}
        self.cavity: Cavity | None = None
        self._used: list[tuple[str, str, int]] = []  # material, by what, line

    def take(self, section: Section) -> bool:
        """Read a section if it is one of these.

        Parameters
        ----------
        section : Section

        Returns
        -------
        bool    Whether it was.
        """
        for pattern, read in (
            ("material <name:word>", self._material),
            ("<side:top|bottom> heat sink", self._sink),
            ("conventional heat sink", self._sink),
            ("heat sink", self._sink),
            ("microchannel <kind:4rm|2rm>", self._microchannel),
            ("pinfin", self._pins),
            ("layer <name:word>", self._layer),
            ("die <name:word>", self._die),
        ):
            found = match(section.heading, pattern)
            if found is not None:
                read(section, found)
                return True
        return False

    def check_materials(self) -> None:
        """Note materials that are used and not described."""
        for name, user, line in self._used:
            if name not in self.materials:
                remedy = f"Use one of {', '.join(self.materials)}" if self.materials else "Describe it"
                self.faults.add(user, "material", name, "is no material of the file", remedy, line)

    def _twice(self, subject: str, there: bool, line: int) -> None:
        if there:
            self.faults.add(subject, "", "", "is described twice", "Keep one", line)

    def _material(self, section: Section, found: Found) -> None:
        name, line = str(found["name"]), section.heading.line
        subject = f"material '{name}'"
        conductivity: tuple[float, ...] = ()
        capacity = None
        for statement in section.statements:
            if got := match(statement, "thermal conductivity <x:number>"):
                conductivity = (float(got["x"]),) * 3
                self.faults.above_zero(subject, "thermal conductivity", conductivity[0], statement.line)
            elif got := match(statement, "thermal conductivity <x:number> , <y:number> , <z:number>"):
                conductivity = tuple(float(got[axis]) for axis in "xyz")
                for value in conductivity:
                    self.faults.above_zero(subject, "thermal conductivity", value, statement.line)
            elif got := match(statement, "volumetric heat capacity <c:number>"):
                capacity = float(got["c"])
                self.faults.above_zero(subject, "volumetric heat capacity", capacity, statement.line)
            else:
                self.faults.unknown(subject, statement, "thermal conductivity, volumetric heat capacity")
        if not conductivity:
            self.faults.missing(subject, "thermal conductivity", line)
        if capacity is None:
            self.faults.missing(subject, "volumetric heat capacity", line)
        self._twice(subject, name in self.materials, line)
        x, y, z = (_PER_LENGTH * value for value in conductivity or (1.0, 1.0, 1.0))
        self.materials[name] = Material((x, y, z), _PER_VOLUME * (capacity or 0.0))

    def _sink(self, section: Section, found: Found) -> None:
        side, line = str(found.get("side", "top")), section.heading.line
        subject = f"{side} heat sink"
        coefficient = temperature = None
        for statement in section.statements:
            if got := match(statement, "heat transfer coefficient <a:number>"):
                coefficient = float(got["a"])
                self.faults.above_zero(subject, "heat transfer coefficient", coefficient, statement.line)
                continue
            got = match(statement, "temperature <a:number>") or match(
                statement, "ambient temperature <a:number>"
            )
            if got is None:
                self.faults.unknown(subject, statement, "heat transfer coefficient, temperature")
                continue
            temperature = float(got["a"])
            self.faults.above_zero(subject, "temperature", temperature, statement.line)
        if coefficient is None:
            self.faults.missing(subject, "heat transfer coefficient", line)
        if temperature is None:
            self.faults.missing(subject, "temperature", line)
        self._twice(subject, side in self.sinks, line)
        self.sinks[side] = Sink(_PER_AREA * (coefficient or 0.0), temperature or 0.0)

    def _microchannel(self, section: Section, found: Found) -> None:
        kind, line = str(found["kind"]), section.heading.line
        subject = f"microchannel {kind}"
        films: dict[str, float] = {}
        ends: dict[str, float] = {}
        rest: list[Statement] = []
        for statement in section.statements:
            if got := match(statement, f"{_FILM} <all:number>"):
                films = dict.fromkeys(("side", "top", "bottom"), float(got["all"]))
            elif got := match(statement, _FILMS[kind]):
                films = {side: float(value) for side, value in got.items()}
            elif kind == "4rm" and (got := match(statement, "<end:first|last> wall length <a:number>")):
                ends[str(got["end"])] = float(got["a"])
                self.faults.above_zero(subject, f"{got['end']} wall length", float(got["a"]), statement.line)
                continue
            else:
                rest.append(statement)
                continue
            for side, value in films.items():
                self.faults.above_zero(subject, f"{_FILM} {side}", value, statement.line)
        values = self.faults.values(rest, _CHANNEL, subject, line)
        if not films:
            self.faults.missing(subject, _FILM, line)
        if values is None:
            return
        wall = float(values["wall length"])
        self._set_cavity(
            Cavity(
                kind=kind,
                height=MICRO * float(values["height"]),
                material=str(values["wall material"]),
                heat_capacity=_PER_VOLUME * float(values["coolant volumetric heat capacity"]),
                inlet_temperature=float(values["coolant incoming temperature"]),
                channel=MICRO * float(values["channel length"]),
                wall=MICRO * wall,
                first_wall=MICRO * ends.get("first", wall),
                last_wall=MICRO * ends.get("last", wall),
                side=_PER_AREA * films.get("side", 0.0),
                bottom=_PER_AREA * films.get("bottom", 0.0),
                top=_PER_AREA * films.get("top", 0.0),
                flow=_FLOW * float(values["coolant flow rate"]),
            ),
            section,
        )

    def _pins(self, section: Section, found: Found) -> None:
        line = section.heading.line
        values = self.faults.values(section.statements, _PIN, "pinfin", line)
        if values is None:
            return
        diameter, pitch = float(values["pin diameter"]), float(values["pin pitch"])
        if diameter >= pitch:
            rule = f"must be below the pitch of {pitch:g} um"
            self.faults.add("pinfin", "pin diameter", diameter, rule, "Mend it", line)
        self._set_cavity(
            Cavity(
                kind="pinfin",
                height=MICRO * float(values["height"]),
                material=str(values["pin material"]),
                heat_capacity=_PER_VOLUME * float(values["coolant volumetric heat capacity"]),
                inlet_temperature=float(values["coolant incoming temperature"]),
                diameter=MICRO * diameter,
                pitch=MICRO * pitch,
                staggered=values["pin distribution"] == "staggered",
                darcy_velocity=MICRO * float(values["darcy velocity"]),
            ),
            section,
        )

    def _set_cavity(self, cavity: Cavity, section: Section) -> None:
        text, line = section.heading.text, section.heading.line
        if self.cavity is not None:
            self.faults.add(text, "", "", "a stack has one kind of channel", "Keep one", line)
        self._used.append((cavity.material, text, line))
        self.cavity = cavity

    def _layer(self, section: Section, found: Found) -> None:
        name, line = str(found["name"]), section.heading.line
        subject = f"layer '{name}'"
        patterns = {"height": "height <a:number>", "material": "material <a:word>"}
        values = self.faults.values(section.statements, patterns, subject, line)
        self._twice(subject, name in self.layers, line)
        if values is not None:
            self.layers[name] = Layer(MICRO * float(values["height"]), str(values["material"]))
            self._used.append((str(values["material"]), subject, line))

    def _die(self, section: Section, found: Found) -> None:
        name, line = str(found["name"]), section.heading.line
        subject = f"die '{name}'"
        layers: list[Layer] = []
        sources: list[int] = []
        for statement in section.statements:
            got = match(statement, "<kind:layer|source> <height:number> <material:word>")
            if got is not None:
                self.faults.above_zero(subject, str(got["kind"]), float(got["height"]), statement.line)
                layer = Layer(MICRO * float(got["height"]), str(got["material"]))
                self._used.append((layer.material, subject, statement.line))
            else:
                got = match(statement, "<kind:layer|source> <of:word>")
                if got is None:
                    self.faults.unknown(subject, statement, "layer, source")
                    continue
                layer = self.layers.get(str(got["of"]))
                if layer is None:
                    remedy = "Describe it above the die"
                    self.faults.add(
                        subject, str(got["kind"]), got["of"], "is no layer", remedy, statement.line
                    )
                    continue
            if got["kind"] == "source":
                sources.append(len(layers))
            layers.append(layer)
        if len(sources) != 1:
            rule = "a die has exactly one source layer"
            self.faults.add(subject, "source", len(sources), rule, "Mend it", line)
        self._twice(subject, name in self.dies, line)
        self.dies[name] = Die(tuple(layers), sources[0] if sources else 0)
