"""Read an events file.

A file is YAML: ``name``, ``duration`` and ``every`` if wanted, and the list ``events``. Each event has a time
``at``, a ``kind`` and the object it happens to; times and values are in the field's unit or carry their own::

    events:
      - {at: 1 min, kind: cooler_trip, cooler: C1}
      - {at: 6 min, kind: cooler_restart, cooler: C1, over: 30 s}

All faults of a file are told at once, each with its line, the event, the field and the remedy.
"""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from twin.errors import Finding, InputError
from twin.model.schema import Layout, Part
from twin.planning.transient.events import KINDS, LONGEST, Event, RackPower, Script, time_text

_ONE = TypeAdapter(Annotated[Event, Field(discriminator="kind")])
_FRAME = ("name", "description", "duration", "every", "events")
_GROUPS = {"rack": "racks", "racklet": "racklets", "cooler": "coolers", "tile": "tiles", "duct": "ducts"}


def read_script(path: Path, layout: Layout) -> Script:
    """Read an events file and check it against the layout.

    Parameters
    ----------
    path : Path
    layout : Layout

    Returns
    -------
    Script
        Its events sorted by time, those of one time in the order of the file.

    Raises
    ------
    InputError : with every fault of the file.
    """
    return _Reader(path, layout).script()


def example_events(name: str) -> Path:
    """Return the file of an example, ``pod_cooler_trip``, in a checkout or an installed wheel.

    Raises
    ------
    InputError : there is no such example.
    """
    package = Path(str(files("twin")))
    folders = (package / "layouts" / "events", package.parent / "layouts" / "events")
    examples = {path.stem: path for folder in folders for path in folder.glob("*.yaml")}
    if name not in examples:
        rule, remedy = "is not among the examples", _nearest(name, sorted(examples), "Give a YAML file")
        raise InputError([Finding("--events", "example", "", repr(name), rule, remedy)])
    return examples[name]


def check_script(script: Script, layout: Layout, source: str = "events") -> Script:
    """Sort a script made in Python and check its names against the layout.

    Raises
    ------
    InputError : with every event whose object the layout has not.
    """
    findings = [
        Finding(source, f"event {n}", *fault)
        for n, event in enumerate(script.events, 1)
        for fault in _unknown(event, layout)
    ]
    if findings:
        raise InputError(findings)
    return script.model_copy(update={"events": tuple(sorted(script.events, key=lambda event: event.at))})


class _Reader:
    """One events file being read, with its faults."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._path, self._layout = path, layout
        self._findings: list[Finding] = []

    def script(self) -> Script:
        tree = self._tree()
        for key in tree:
            if key not in _FRAME:
                self._fault(tree, "", str(key), f"the key '{key}' is unknown", _nearest(str(key), _FRAME))
        listed = tree.get("events")
        if not isinstance(listed, list) or not listed:
            self._fault(tree, "", "events", "must be a list of events", "Add at least one event")
            listed = []
        events = [event for n, item in enumerate(listed) if (event := self._event(n, item, listed))]
        frame: dict[str, Any] = {key: tree[key] for key in _FRAME[:-1] if key in tree}
        script = Script()
        try:
            script = Script.model_validate(frame)
        except ValidationError as error:
            for fault in error.errors(include_url=False):
                self._pydantic(tree, "", fault, Script)
        if self._findings:
            raise InputError(sorted(self._findings, key=lambda finding: finding.line or 1 << 30))
        return script.model_copy(update={"events": tuple(sorted(events, key=lambda event: event.at))})

    def _tree(self) -> CommentedMap:
        def refuse(rule: str, line: int = 0) -> InputError:
            remedy = "Give a YAML file such as layouts/events/pod_cooler_trip.yaml"
            return InputError([Finding(str(self._path), "events file", "", "", rule, remedy, line=line)])

        try:
            tree = YAML(typ="rt").load(self._path.read_text(encoding="utf-8"))
        except OSError as error:
            raise refuse(f"cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise refuse("is not UTF-8 text") from error
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            rule = f"is not valid YAML: {error.problem or error.context}"
            raise refuse(rule, 0 if mark is None else mark.line + 1) from error
        except YAMLError as error:
            raise refuse(f"is not valid YAML: {error}") from error
        if not isinstance(tree, CommentedMap):
            raise refuse("must be a mapping with the key events", 1)
        return tree

    def _event(self, n: int, item: Any, listed: Any) -> Event | None:
        subject = f"event {n + 1}"
        if not isinstance(item, CommentedMap):
            line = listed.lc.item(n)[0] + 1 if isinstance(listed, CommentedSeq) else 0
            remedy = "Write {at: 1 min, kind: cooler_trip, cooler: C1}"
            self._findings.append(
                Finding(str(self._path), subject, f"events[{n}]", "", "must be a mapping", remedy, line=line)
            )
            return None
        kind = item.get("kind")
        if kind not in KINDS:
            rule = "is missing" if kind is None else "is no kind of event"
            self._fault(item, subject, "kind", rule, _nearest(str(kind or ""), list(KINDS)))
            self._common(item, subject)
            return None
        subject += f", {kind}"
        model = KINDS[str(kind)]
        try:
            event = _ONE.validate_python(dict(item))
        except ValidationError as error:
            for fault in error.errors(include_url=False):
                self._pydantic(item, subject, fault, model)
            event = None
        known = {key: value for key, value in item.items() if isinstance(value, str)}
        for field, value, rule, remedy in _unknown(event or known, self._layout):
            self._fault(item, subject, field, rule, remedy, value)
        return event

    def _common(self, item: CommentedMap, subject: str) -> None:
        """Note the faults of an event of no kind: its times and the names of its objects."""
        try:
            RackPower.model_validate({**item, "kind": "rack_power"})
        except ValidationError as error:
            for fault in error.errors(include_url=False):
                if fault["loc"][0] in ("at", "over"):
                    self._pydantic(item, subject, fault, RackPower)
        names = {key: value for key, value in item.items() if isinstance(value, str)}
        for field, value, rule, remedy in _unknown(names, self._layout):
            self._fault(item, subject, field, rule, remedy, value)

    def _pydantic(self, item: CommentedMap, subject: str, fault: Any, model: type[Part]) -> None:
        """Turn one of pydantic's faults into a finding."""
        steps = [str(step) for step in fault["loc"] if step not in KINDS]
        field = steps[0] if steps else ""
        described = model.model_fields.get(field)
        about = (described.description or field) if described is not None else field
        if fault["type"] == "extra_forbidden":
            rule, remedy = f"the key '{field}' is unknown", _nearest(field, list(model.model_fields))
        elif fault["type"] == "missing":
            rule, remedy = "is missing", f"Add {field}: {_lower(about)}" if about != field else f"Add {field}"
        elif fault["type"] == "literal_error":
            rule, remedy = f"must be {fault['ctx']['expected']}", "Choose one of them"
        elif fault["type"] == "string_pattern_mismatch":
            rule, remedy = "is no name of an object", "Give the id that the layout has"
        else:
            rule = str(fault.get("ctx", {}).get("rule") or fault["msg"])
            rule = _lower(rule).replace("input should be", "must be")
            rule = rule.replace(f" and at most {LONGEST:g} s", f" s and at most {time_text(LONGEST)}")
            remedy = f"Give `{field}`: {_lower(about)}" if about != field else f"Give `{field}`"
        self._fault(item, subject, field, rule, remedy)

    def _fault(
        self, item: CommentedMap, subject: str, field: str, rule: str, remedy: str, value: str | None = None
    ) -> None:
        held = item.get(field)
        if value is None:
            value = "" if held is None or isinstance(held, dict | list) else repr(str(held))
        at = item.lc.data.get(field) if item.lc.data else None
        line = (item.lc.line if at is None else at[0]) + 1
        self._findings.append(
            Finding(str(self._path), subject or "events file", field, value, rule, remedy, line=line)
        )


def _lower(text: str) -> str:
    """Return a description as it reads in a sentence."""
    return text[:1].lower() + text[1:]


def _unknown(event: Event | dict[str, str], layout: Layout) -> list[tuple[str, str, str, str]]:
    """Return field, value, rule and remedy of every name in an event that the layout has not."""
    given = event if isinstance(event, dict) else event.model_dump(mode="python")
    faults = []
    panels = [panel for group in layout.containments for panel in group.panels] + list(layout.panels)
    known = {field: [item.id for item in getattr(layout, group)] for field, group in _GROUPS.items()}
    known["pump"] = [pump.id for loop in layout.loops for pump in loop.cdu.pumps]
    known["branch"] = [taker.id for loop in layout.loops for taker in loop.takers]
    known["cdu"] = [loop.cdu.id for loop in layout.loops]
    known["containment"] = [group.id for group in layout.containments]
    known["door"] = [item.id for item in (*panels, *layout.openings)]
    for field, names in known.items():
        name = given.get(field)
        if isinstance(name, str) and name not in names:
            kind = "panel or opening" if field == "door" else field
            rule = f"the layout has no such {kind}"
            faults.append((field, repr(name), rule, _nearest(name, names, f"The layout has no {kind}s")))
    slot, rack = given.get("slot"), given.get("rack")
    if isinstance(slot, int) and isinstance(rack, str) and rack in known["rack"]:
        most = len(layout.rack(rack).slots)
        if slot > most:
            faults.append(("slot", str(slot), f"rack '{rack}' has {most} slots", "Count from 1"))
    pumped = {unit.id for unit in layout.racklets if unit.cooling_module.kind == "liquid"}
    if given.get("kind") == "racklet_pump" and given.get("racklet") in set(known["racklet"]) - pumped:
        racklet = repr(given["racklet"])
        faults.append(("racklet", racklet, "cools by air and has no pump", "Name another, or its fan"))
    racklet = given.get("racklet")
    on_loop = layout.branch_of(racklet) if isinstance(racklet, str) else None
    if given.get("kind") == "racklet_pump" and on_loop is not None:
        loop, branch = on_loop
        rule = f"gets its coolant from the pumps of {loop.cdu.id}"
        faults.append(("racklet", repr(racklet), rule, f"Use pump_trip, or branch_valve of {branch.id}"))
    return faults


def _nearest(word: str, known: list[str] | tuple[str, ...], otherwise: str = "Leave it out") -> str:
    """Suggest the known name nearest to a word, or list some of them."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return f"Did you mean '{near[0]}'?"
    if not known:
        return otherwise
    shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    return f"Use {'one of ' if len(known) > 1 else ''}{shown}"
