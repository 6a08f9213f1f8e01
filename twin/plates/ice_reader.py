"""Read 3D-ICE's stack files (.stk) with their floorplans; every fault is found at once, named with its line.

What 3D-ICE knows and is not modelled here (pluggable heat sinks, layouts of layers, grids that are not
uniform) is refused like a statement that nobody knows: nothing is ignored.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from twin.errors import Finding, InputError
from twin.plates.ice_floorplan import read_floorplan
from twin.plates.ice_parts import MICRO, Parts
from twin.plates.ice_stack import Element, Floorplan, IceStack, Output
from twin.plates.ice_syntax import NOT_MODELLED, Faults, Section, Statement, match, read_sections

_FITS = 1e-6  # relative; how well cells must fill the chip and steps a slot
_SECTIONS = (
    "material, top heat sink, bottom heat sink, microchannel 4rm, microchannel 2rm, pinfin, dimensions, "
    "layer, die, stack, solver, output"
)
_MEASURE = "<q:maximum|minimum|average|gradient>"
_OUTPUTS = (
    "<kind:T> ( <of:word> , <x:number> , <y:number> , <path:path> )",
    f"<kind:Tflp|Tflpel|Tcoolant> ( <of:word> , <path:path> , {_MEASURE} )",
    "<kind:Tmap|Pmap> ( <of:word> , <path:path> )",
)
_INSTANT = 3  # words of ', step )' at the end of an output


def read_stack(path: Path) -> IceStack:
    """Read a stack and the floorplans that it names.

    Parameters
    ----------
    path : Path
        A .stk file. Floorplans are looked for beside it, in the working folder and in the folders above it.

    Returns
    -------
    IceStack

    Raises
    ------
    InputError : with every fault of the stack and its floorplans.
    """
    return _Reader(path).read()


class _Reader:
    """One file being read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults = Faults(str(path))
        self.parts = Parts(self.faults)
        self.dimensions: dict[str, float] = {}
        self.solver: dict[str, float] = {}
        self.elements: list[Element] = []
        self.outputs: list[Output] = []
        self.elsewhere: list[Finding] = []

    def read(self) -> IceStack:
        """Read all sections; those that refer to others come last."""
        later: dict[str, list[Section]] = {"stack": [], "output": []}
        for section in read_sections(self.path, self.faults):
            heading = section.heading.text
            if heading in later:
                later[heading].append(section)
            elif heading == "dimensions":
                self._dimensions(section)
            elif heading == "solver":
                self._solver(section)
            elif not self.parts.take(section):
                self._unknown(section)
        for section in later["stack"]:
            self._stack(section)
        for section in later["output"]:
            for statement in section.statements:
                self._output(statement)
        self.parts.check_materials()
        self._check()
        findings = sorted(self.faults.findings, key=lambda finding: finding.line or math.inf)
        if findings or self.elsewhere:
            raise InputError([*findings, *self.elsewhere])
        return IceStack(
            file=self.path,
            materials=self.parts.materials,
            elements=tuple(self.elements),
            length=self.dimensions["chip length"],
            width=self.dimensions["chip width"],
            cell_length=self.dimensions["cell length"],
            cell_width=self.dimensions["cell width"],
            initial_temperature=self.solver["initial"],
            cavity=self.parts.cavity,
            top=self.parts.sinks.get("top"),
            bottom=self.parts.sinks.get("bottom"),
            step=self.solver.get("step", 0.0),
            slot=self.solver.get("slot", 0.0),
            outputs=tuple(self.outputs),
        )

    def _unknown(self, section: Section) -> None:
        text, line = section.heading.text, section.heading.line
        if any(token.text in NOT_MODELLED for token in section.heading.tokens):
            rule, remedy = "is a part of 3D-ICE that is not modelled here", "Give a heat transfer coefficient"
        else:
            rule, remedy = "is a section that is not known", f"Known are {_SECTIONS}"
            if section.heading.tokens[-1].line > line:
                remedy = "Is a ';' missing in it?"
        self.faults.add("heading", "", text, rule, remedy, line)

    # -- frame -----------------------------------------------------------------------------------------------

    def _dimensions(self, section: Section) -> None:
        for statement in section.statements:
            got = match(statement, "<of:chip|cell> length <length:number> , width <width:number>")
            if got is None:
                if statement.text != "non-uniform false":
                    self.faults.unknown("dimensions", statement, "chip length, width; cell length, width")
                continue
            for key in ("length", "width"):
                name, value = f"{got['of']} {key}", float(got[key])
                self.faults.above_zero("dimensions", name, value, statement.line)
                self.dimensions[name] = MICRO * value
        for of in ("chip", "cell"):
            if f"{of} length" not in self.dimensions:
                self.faults.missing("dimensions", f"{of} length", section.heading.line)

    def _solver(self, section: Section) -> None:
        kind = False
        for statement in section.statements:
            if statement.text == "steady":
                kind = True
            elif got := match(statement, "transient step <step:number> , slot <slot:number>"):
                kind = True
                for name in ("step", "slot"):
                    self.solver[name] = float(got[name])
                    self.faults.above_zero("solver", name, float(got[name]), statement.line)
                self._check_slot(statement.line)
            elif got := match(statement, "initial temperature <a:number>"):
                self.solver["initial"] = float(got["a"])
                self.faults.above_zero("solver", "initial temperature", float(got["a"]), statement.line)
            elif not match(statement, "numofcores <a:number>"):  # a hint to another program's threads
                self.faults.unknown("solver", statement, "steady, transient step, slot; initial temperature")
        if not kind:
            rule = "says neither steady nor transient"
            self.faults.add("solver", "", "", rule, "Add 'steady ;'", section.heading.line)
        if "initial" not in self.solver:
            self.faults.missing("solver", "initial temperature", section.heading.line)

    def _check_slot(self, line: int) -> None:
        step, slot = self.solver["step"], self.solver["slot"]
        if not (math.isfinite(step) and math.isfinite(slot) and min(step, slot) > 0.0):
            return
        steps = slot / step
        if abs(steps - round(steps)) > _FITS * steps or round(steps) < 1:
            rule = f"must be a whole number of steps of {step:g} s"
            self.faults.add("solver", "slot", slot, rule, "Change one of them", line)

    # -- stack -----------------------------------------------------------------------------------------------

    def _stack(self, section: Section) -> None:
        for statement in section.statements:
            if got := match(statement, "layer <name:word> <of:word>"):
                layer = self._known(self.parts.layers, "layer", got, statement)
                element = None if layer is None else Element(str(got["name"]), layer=layer)
            elif got := match(statement, "channel <name:word>"):
                element = Element(str(got["name"]))
                if self.parts.cavity is None:
                    rule = "has no microchannel or pinfin section that is whole"
                    self.faults.add(f"channel '{element.name}'", "", "", rule, "Add one", statement.line)
            elif got := match(statement, "die <name:word> <of:word> floorplan <path:path>"):
                die = self._known(self.parts.dies, "die", got, statement)
                plan = self._floorplan(str(got["path"]), statement)
                whole = die is not None and plan is not None
                element = Element(str(got["name"]), die=die, floorplan=plan) if whole else None
            else:
                self.faults.unknown("stack", statement, "layer, channel, die")
                continue
            if element is None:
                continue
            if any(other.name == element.name for other in self.elements):
                rule = "stands twice"
                self.faults.add("stack", "", element.name, rule, "Name each element once", statement.line)
            self.elements.append(element)

    def _known(
        self, table: dict[str, Any], kind: str, got: dict[str, str | float], statement: Statement
    ) -> Any:
        if got["of"] in table:
            return table[str(got["of"])]
        remedy = f"Use one of {', '.join(table)}" if table else f"Describe it in a section '{kind}'"
        subject = f"stack element '{got['name']}'"
        self.faults.add(subject, kind, got["of"], f"is no {kind}", remedy, statement.line)
        return None

    def _floorplan(self, given: str, statement: Statement) -> Floorplan | None:
        length, width = (self.dimensions.get(f"chip {key}") for key in ("length", "width"))
        if length is None or width is None:
            return None
        folders = [self.path.parent, Path(), *self.path.resolve().parent.parents]
        path = next((folder / given for folder in folders if (folder / given).is_file()), None)
        if path is None:
            remedy = "Put it beside the stack or into the working folder"
            self.faults.add("stack", "floorplan", given, "is not there", remedy, statement.line)
            return None
        faults = Faults(str(path))
        plan = read_floorplan(path, length, width, faults)
        self.elsewhere.extend(finding for finding in faults.findings if finding not in self.elsewhere)
        return plan

    # -- output ----------------------------------------------------------------------------------------------

    def _output(self, statement: Statement) -> None:
        tokens, line = statement.tokens, statement.line
        texts = [token.text for token in tokens]
        instant: Any = "step"
        if len(texts) > _INSTANT and texts[-1] == ")" and texts[-2] in ("step", "slot", "final"):
            instant = texts[-2]
            tokens = (*tokens[:-_INSTANT], tokens[-1])
        plain = Statement(tokens)
        got = next((got for pattern in _OUTPUTS if (got := match(plain, pattern)) is not None), None)
        if got is None:
            self.faults.unknown("output", statement, "T, Tmap, Tflp, Tflpel, Tcoolant, Pmap")
            return
        kind, name = str(got["kind"]), str(got["of"])
        block = ""
        if kind == "Tflpel":
            name, _, block = name.partition(".")
        element = next((element for element in self.elements if element.name == name), None)
        if element is None:
            names = ", ".join(element.name for element in self.elements)
            remedy = f"Use one of {names}" if names else "Mend the stack first"
            self.faults.add("output", kind, name, "is no element of the stack", remedy, line)
            return
        wanted = {"Tflp": "a die", "Tflpel": "a die", "Pmap": "a die", "Tcoolant": "a channel"}.get(kind)
        if (wanted == "a die" and element.die is None) or (wanted == "a channel" and not element.is_channel):
            self.faults.add("output", kind, name, f"must be {wanted}", f"Name {wanted} of the stack", line)
            return
        blocks = [item.name for item in element.floorplan.blocks] if element.floorplan else []
        if kind == "Tflpel" and block not in blocks:
            remedy = f"Use one of {', '.join(blocks)}"
            self.faults.add("output", kind, f"{name}.{block}", "is no block of its die", remedy, line)
            return
        x, y = MICRO * float(got.get("x", 0.0)), MICRO * float(got.get("y", 0.0))
        size = self.dimensions
        if not (0.0 <= x <= size.get("chip length", x) and 0.0 <= y <= size.get("chip width", y)):
            place = f"({got['x']:g}, {got['y']:g})"
            self.faults.add("output", kind, place, "lies outside the chip", "Move it inside", line)
        quantity: Any = got.get("q", "average")
        self.outputs.append(Output(kind, name, str(got["path"]), instant, block, x, y, quantity))

    # -- what belongs together -------------------------------------------------------------------------------

    def _check(self) -> None:
        for name, there in (
            ("dimensions", self.dimensions), ("solver", self.solver), ("stack", self.elements)
        ):  # fmt: skip
            if not there:
                self.faults.add(name, "", "", "the section is missing", f"Add '{name} :'")
        channels = [element for element in self.elements if element.is_channel]
        for element in channels:
            if element in (self.elements[0], self.elements[-1]):
                rule = "lies at the surface of the stack"
                self.faults.add(f"channel '{element.name}'", "", "", rule, "Put a layer or a die beyond it")
        if self.elements and "step" not in self.solver and not channels and not self.parts.sinks:
            rule = "has neither channels nor heat sinks: heat cannot leave, so nothing becomes steady"
            self.faults.add("stack", "", "", rule, "Add one")
        if self.dimensions.keys() >= {"chip width", "cell width"}:
            self._check_cells(bool(channels))

    def _check_cells(self, flows: bool) -> None:
        cavity = self.parts.cavity
        four = cavity if flows and cavity is not None and cavity.kind == "4rm" else None
        for name in ("width",) if four is not None else ("width", "length"):
            whole, part = self.dimensions[f"chip {name}"], self.dimensions[f"cell {name}"]
            count = whole / part if part > 0.0 else math.nan
            if math.isfinite(count) and count > 0.0 and abs(count - round(count)) > _FITS * count:
                rule = f"does not fill the chip's {whole / MICRO:g} um in whole cells"
                self.faults.add("dimensions", f"cell {name}", part / MICRO, rule, "Choose a divisor")
        if four is None:
            return
        rest = self.dimensions["chip length"] - four.first_wall - four.last_wall - four.channel
        count = rest / (four.channel + four.wall)
        if not (count > -_FITS and abs(count - round(count)) <= _FITS * max(count, 1.0)):
            rule = "first wall, channels, walls and last wall do not fill the chip's length"
            self.faults.add("microchannel 4rm", "channel length", four.channel / MICRO, rule, "Change them")
