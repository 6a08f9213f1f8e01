"""Read a layout file, apply ``path=value`` overrides, report every fault of both at once, with its line."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from twin.errors import Finding, InputError, Severity
from twin.model.check import check_layout
from twin.model.mesh import build_mesh
from twin.model.schema import Layout, Quantity

OVERRIDE_SOURCE = "--set"
"""Stands for the file in findings about overrides."""
_PLACED = re.compile(
    r"position|size|intake|discharge|_face|elevation|^(room|tile|grille|opening|panel|wall|obst|cont)"
)
"""Fields that place things: with a fault in one, what meshing finds would be no more than its echo."""
_STEP = re.compile(r"\[([^\[\]]*)\]|([^.\[\]]+)|(.)")
_Path = tuple[str | int, ...]

logger = logging.getLogger(__name__)


def load_layout(path: str | Path, overrides: Sequence[str] = ()) -> Layout:
    """Read, override and check a layout.

    Parameters
    ----------
    path : path
        A YAML file.
    overrides : sequence of str
        ``path=value``: ``racks[R03].power=12 kW``, ``racks.R03.power=12 kW``, ``coolers[0].failed=true``.
        Objects are named by id or counted from 0; the value is read like YAML.

    Returns
    -------
    Layout
        Warnings are logged; ``check_layout`` gives them again.

    Raises
    ------
    InputError : with every fault that can be told from the rest: syntax, unknown and repeated keys, units,
        ranges, ids, references, geometry. A faulty layout whose objects all have their place is meshed too,
        for its closed spaces, blocked openings or a grid too large; a sound one when its scene is built.
    """
    source = _read(Path(path))
    for override in overrides:
        _override(source, override)
    layout, dropped = _validate(source)
    if layout is not None:
        source.add_all(check_layout(layout, source.file, dropped))
    errors = [finding for finding in source.findings if finding.severity is Severity.ERROR]
    if errors and layout is not None and not dropped and not any(_PLACED.search(e.field) for e in errors):
        source.add_all(_faults_of_space(layout))
        errors = [finding for finding in source.findings if finding.severity is Severity.ERROR]
    if errors or layout is None:
        raise InputError(sorted(errors, key=lambda finding: (finding.line or 1 << 30, finding.field)))
    for finding in source.findings:
        logger.warning("%s", finding)
    return layout


def _faults_of_space(layout: Layout) -> list[Finding]:
    """Return what meshing finds wrong: sealed spaces, blocked openings, a grid too large."""
    racks = {rack.id for rack in layout.racks}
    placed = tuple(s for s in layout.sensors if s.rack is None or s.rack in racks)
    try:
        build_mesh(layout.model_copy(update={"sensors": placed}), layout.air.cell)
    except InputError as error:
        return list(error.findings)
    return []


def example_layout(name: str) -> Path:
    """Return the file of an example layout, in a checkout or an installed wheel.

    Parameters
    ----------
    name : str
        ``pod_two_row``, ``one_rack``, ``peer_room``, ``fm_mockup``.

    Returns
    -------
    Path

    Raises
    ------
    InputError : there is no such example.
    """
    package = Path(str(files("twin")))
    folders = [folder for folder in (package / "layouts", package.parent / "layouts") if folder.is_dir()]
    for folder in folders:
        found = folder / f"{name.removesuffix('.yaml')}.yaml"
        if found.is_file():
            return found
    known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
    raise InputError(
        [
            Finding(
                "layouts",
                "example layout",
                "",
                repr(name),
                "is not among the examples",
                f"Use {_either(known)}",
            )
        ]
    )


@dataclass
class _Source:
    """A file being read: plain data, the line of every path, which paths an override set, and the faults."""

    file: str
    tree: Any = None
    lines: dict[_Path, int] = field(default_factory=dict)
    overridden: set[_Path] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    kept: dict[str, list[int]] = field(default_factory=dict)
    _yaml: YAML = field(default_factory=lambda: YAML(typ="safe", pure=True))

    def scalar(self, node: Node) -> Any:
        """Value of a scalar node, by YAML 1.2."""
        return self._yaml.constructor.construct_object(node, deep=True)

    def original(self, path: _Path) -> _Path:
        """Path in the file of a path in the data that faulty objects were left out of."""
        if len(path) > 1 and isinstance(path[1], int) and path[0] in self.kept:
            return (path[0], self.kept[str(path[0])][path[1]], *path[2:])
        return path

    def line(self, path: _Path) -> int:
        """Line of a path or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)

    def add(self, path: _Path, value: str, rule: str, remedy: str) -> None:
        """Add a fault of the thing at ``path``."""
        finding = Finding(self.file, _subject(self.tree, path), _dotted(path), value, rule, remedy)
        self.findings.append(self._placed(finding, path))

    def add_all(self, findings: Sequence[Finding]) -> None:
        """Add findings of the checks, each with its line."""
        for finding in findings:
            path = self.original(_undotted(finding.field))
            self.findings.append(self._placed(replace(finding, field=_dotted(path)), path))

    def _placed(self, finding: Finding, path: _Path) -> Finding:
        if any(path[:n] in self.overridden for n in range(1, len(path) + 1)):
            return replace(finding, file=OVERRIDE_SOURCE, line=0)
        return replace(finding, line=self.line(path))


# -- YAML -> plain data --------------------------------------------------------------------------------------


def _read(path: Path) -> _Source:
    source = _Source(str(path))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise InputError(
            [
                Finding(
                    str(path), "layout file", "", "", f"cannot be read: {reason}", "Give a YAML layout file"
                )
            ]
        ) from error
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        rule = f"is not valid YAML: {error.problem or error.context}"
        line = 0 if mark is None else mark.line + 1
        raise InputError(
            [Finding(str(path), "layout file", "", "", rule, "Mend the syntax", line=line)]
        ) from error
    except YAMLError as error:
        raise InputError(
            [Finding(str(path), "layout file", "", "", f"is not valid YAML: {error}", "Mend the syntax")]
        ) from error
    source.tree = _plain(node, (), source, frozenset())
    if not isinstance(source.tree, dict):
        raise InputError(
            [Finding(str(path), "layout file", "", "", "must be a mapping with the keys name, room, racks",
                     "See layouts/one_rack.yaml", line=1)]
        )  # fmt: skip
    return source


def _plain(node: Node | None, path: _Path, source: _Source, above: frozenset[int]) -> Any:
    """Turn a node tree into plain data; note lines, repeated keys and anchors that hold themselves."""
    if node is None:
        return None
    source.lines.setdefault(path, node.start_mark.line + 1)
    if id(node) in above:
        source.findings.append(
            Finding(source.file, "", _dotted(path), "", "an alias must not hold itself", "Write it out",
                    line=node.start_mark.line + 1)
        )  # fmt: skip
        return None
    above |= {id(node)}
    if isinstance(node, SequenceNode):
        return [_plain(child, (*path, n), source, above) for n, child in enumerate(node.value)]
    if not isinstance(node, MappingNode):
        return source.scalar(node)
    result: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            for part in value_node.value if isinstance(value_node, SequenceNode) else [value_node]:
                inherited = _plain(part, path, source, above)
                merged = {**inherited, **merged} if isinstance(inherited, dict) else merged
            continue
        key = str(source.scalar(key_node)) if isinstance(key_node, ScalarNode) else "?"
        here = (*path, key)
        if key in result:
            source.findings.append(
                Finding(source.file, "", _dotted(here), "", f"the key '{key}' stands twice in one object",
                        f"Keep one of lines {source.lines[here]} and {key_node.start_mark.line + 1}",
                        line=key_node.start_mark.line + 1)
            )  # fmt: skip
            continue
        source.lines[here] = key_node.start_mark.line + 1
        result[key] = _plain(value_node, here, source, above)
    return {**merged, **result}


# -- overrides -----------------------------------------------------------------------------------------------


def _override(source: _Source, text: str) -> None:
    """Set one ``path=value`` in the plain data, or note why it cannot be."""

    def refuse(rule: str, remedy: str) -> None:
        source.findings.append(Finding(OVERRIDE_SOURCE, "", text, "", rule, remedy))

    name, equals, value_text = text.partition("=")
    steps = _steps(name.strip())
    if not equals or not steps:
        refuse("must read path=value", "For example racks[R03].power=12 kW")
        return
    try:
        value = YAML(typ="safe", pure=True).load(value_text)
    except YAMLError:
        refuse(f"the value '{value_text}' is not valid YAML", "Put it into quotes")
        return
    target: Any = source.tree
    path: _Path = ()
    for depth, step in enumerate(steps):
        last = depth == len(steps) - 1
        key = _find(target, step)
        if key is None and isinstance(target, dict) and not isinstance(step, int):
            key = step
            if not last:
                if _model_at((*path, step)) is None:
                    refuse(
                        f"'{step}' is unknown in {_dotted(path) or 'the layout'}",
                        _suggest(step, _fields(path)),
                    )
                    return
                target[step] = {}
        if key is None:
            known = (
                [str(item.get("id")) for item in target if isinstance(item, dict)]
                if isinstance(target, list)
                else []
            )
            refuse(f"'{step}' is not in {_dotted(path) or 'the layout'}", _suggest(str(step), known))
            return
        path = (*path, key)
        if last:
            target[key] = value
        else:
            # Aliased parts were read as separate objects, so setting one leaves the others alone.
            target = target[key]
    source.overridden.add(path)


def _steps(name: str) -> list[str | int]:
    """Split ``racks[R03].slots[0].power`` into its parts; empty when it cannot be read."""
    found: list[str | int] = []
    for match in _STEP.finditer(name):
        bracket, word, other = match.groups()
        if other is not None and other != ".":
            return []
        part = bracket if bracket is not None else word
        if part is None:
            continue
        part = part.strip().strip("\"'")
        if not part:
            return []
        found.append(int(part) if part.isdigit() else part)
    return found


def _find(target: Any, step: str | int) -> str | int | None:
    """Key of a step in a mapping or of the object with that id in a list; None where there is none."""
    if isinstance(target, dict):
        return step if step in target else None
    if isinstance(target, list):
        if isinstance(step, int):
            return step if step < len(target) else None
        return next(
            (n for n, item in enumerate(target) if isinstance(item, dict) and item.get("id") == step), None
        )
    return None


# -- plain data -> Layout ------------------------------------------------------------------------------------


def _validate(source: _Source) -> tuple[Layout | None, frozenset[str]]:
    """Validate; on faults, note them, leave the faulty objects out and try again to check the rest too.

    Returns the layout, or None where its frame is faulty, and the ids of objects left out.
    """
    data = deepcopy(source.tree)
    source.kept = {key: list(range(len(value))) for key, value in data.items() if isinstance(value, list)}
    dropped: set[str] = set()
    while True:
        try:
            return Layout.model_validate(data), frozenset(dropped)
        except ValidationError as error:
            faults = error.errors(include_url=False)
        unusable: set[_Path] = set()
        for fault in faults:
            path = fault["loc"]
            if fault["type"] == "too_short" and any(
                len(other["loc"]) > len(path) for other in faults if other["loc"][: len(path)] == path
            ):
                continue  # counted without its faulty items
            _note(source, fault, source.original(path))
            if fault["type"] == "extra_forbidden":
                del _at(data, path[:-1])[path[-1]]
            else:
                unusable.add(path[:2])
        if any(path[:1] in ((), ("room",), ("name",)) for path in unusable):
            return None, frozenset(dropped)
        for key in {str(path[0]) for path in unusable}:
            numbers = {path[1] for path in unusable if path[0] == key and len(path) > 1}
            value = data.pop(key)
            if isinstance(value, list) and numbers:
                data[key] = [item for n, item in enumerate(value) if n not in numbers]
                source.kept[key] = [at for n, at in enumerate(source.kept[key]) if n not in numbers]
                dropped.update(_ids([value[n] for n in numbers if isinstance(n, int)]))
            else:
                dropped.update(_ids(value))


def _at(data: Any, path: _Path) -> Any:
    for step in path:
        data = data[step]
    return data


def _note(source: _Source, fault: ErrorDetails, path: _Path) -> None:
    """Turn one of pydantic's faults into a finding."""
    kind, context = fault["type"], fault.get("ctx", {})
    about = _about(path)
    if kind == "extra_forbidden":
        source.add(path, "", f"the key '{path[-1]}' is unknown", _suggest(str(path[-1]), _fields(path[:-1])))
        return
    if kind == "missing":
        source.add(
            path, "", "is missing", f"Add {about}" if about else "Add it; layouts/schema.json describes it"
        )
        return
    rule = str(context.get("rule") or context.get("error") or fault["msg"])
    rule = rule[0].lower() + rule[1:]
    if kind == "literal_error":
        rule, about = f"must be {context['expected']}", about or "one of them"
    elif kind == "string_pattern_mismatch":
        rule = "must be a name: a letter, then letters, digits, _ or -, at most 40 characters"
    elif kind == "model_type":
        rule = f"must be an object with the keys {', '.join(_fields(path))}"
    elif kind == "tuple_type":
        rule = "must be a list"
    elif rule.startswith("input should be"):
        rule = "must be" + rule.removeprefix("input should be")
    shown = "" if isinstance(fault["input"], dict | list) else repr(fault["input"])
    source.add(path, shown, rule, f"Give {about}" if about else "Mend it")


def _ids(item: Any) -> Iterator[str]:
    """Every id in some plain data."""
    if isinstance(item, dict):
        if isinstance(item.get("id"), str):
            yield item["id"]
        for child in item.values():
            yield from _ids(child)
    elif isinstance(item, list):
        for child in item:
            yield from _ids(child)


# -- what the schema says of a path --------------------------------------------------------------------------


def _leaves(annotation: Any) -> Iterator[Any]:
    """Walk the types inside tuples, unions and Annotated, quantities included."""
    arguments = get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _leaves(argument)


def _model_at(path: _Path) -> type[BaseModel] | None:
    """Model that describes the object at a path; None where there is none."""
    model: type[BaseModel] = Layout
    for step in path:
        if isinstance(step, int):
            continue
        described = model.model_fields.get(step)
        inner = [] if described is None else [t for t in _leaves(described.annotation) if _is_model(t)]
        if not inner:
            return None
        model = inner[0]
    return model


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _fields(path: _Path) -> list[str]:
    model = _model_at(path)
    return [] if model is None else list(model.model_fields)


def _about(path: _Path) -> str:
    """Describe what belongs at a path: ``power: Nominal electric power [W], above 0 and at most 1e+07 W``."""
    names = [step for step in path if isinstance(step, str)]
    model = _model_at(tuple(names[:-1])) if names else None
    described = None if model is None else model.model_fields.get(names[-1])
    if described is None:
        return ""
    quantities = [
        part for part in (*described.metadata, *_leaves(described.annotation)) if isinstance(part, Quantity)
    ]
    parts = [described.description or "", quantities[0].range_text if quantities else ""]
    text = ", ".join(part for part in parts if part)
    return f"{names[-1]} ({text})" if text else ""


# -- words ---------------------------------------------------------------------------------------------------


def _suggest(word: str, known: Sequence[str]) -> str:
    """Suggest the known name nearest to a word, or list them."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"Did you mean '{near[0]}'?"
    return f"Use {_either(known)}" if known else "Leave it out"


def _either(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"one of {', '.join(words)}"


def _dotted(path: _Path) -> str:
    """Write a path like ``racks[2].power``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _undotted(text: str) -> _Path:
    return tuple(_steps(text))


def _subject(tree: Any, path: _Path) -> str:
    """Name the innermost object with an id around a path: ``rack 'R03'``; else ``racks[2]``."""
    subject = ""
    for n, step in enumerate(path):
        if not isinstance(tree, dict | list) or (isinstance(tree, dict) and step not in tree):
            break
        tree = tree[step]  # type: ignore[index]
        if isinstance(step, int):
            kind = str(path[n - 1]).removesuffix("s")
            named = isinstance(tree, dict) and isinstance(tree.get("id"), str)
            subject = f"{kind} '{tree['id']}'" if named else (subject or _dotted(path[: n + 1]))
    return subject or (str(path[0]) if path else "layout")
