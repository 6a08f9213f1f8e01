"""Read a layout file, apply ``path=value`` overrides, report every fault of both at once, with its line."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from twin.errors import Finding, InputError, Severity
from twin.model.check import check_layout
from twin.model.mesh import build_mesh
from twin.model.mesh.lines import cell_remedy
from twin.model.schema import CELL_SIZE, Layout, Quantity
from twin.model.source import OVERRIDE_SOURCE, Location, Source, dotted, read_source, split_path
from twin.units import parse_quantity

_PLACED = re.compile(
    r"position|size|intake|discharge|_face|elevation|^(room|tile|grille|opening|panel|wall|obst|cont)"
)
"""Fields that place things: with a fault in one, what meshing finds would be no more than its echo."""

logger = logging.getLogger(__name__)


def load_layout(path: str | Path, overrides: Sequence[str] = (), *, settles: bool = False) -> Layout:
    """Read, override and check a layout.

    Parameters
    ----------
    path : path
        A YAML file.
    overrides : sequence of str
        ``path=value``: ``racks[R03].power=12 kW``, ``racks.R03.power=12 kW``, ``coolers[0].failed=true``.
        Objects are named by id or counted from 0; the value is read like YAML.
    settles : bool
        The room must have a steady state: too little cooling is a fault, not a warning.

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
    source = read_source(Path(path))
    for override in overrides:
        _override(source, override)
    layout, dropped = _validate(source)
    if layout is not None:
        source.add_all(list(_missing_specs(layout, source.file)))
        source.add_all(check_layout(layout, source.file, dropped, settles))
        source.findings = [_with_cell(layout, source, finding) for finding in source.findings]
    errors = [finding for finding in source.findings if finding.severity is Severity.ERROR]
    if errors and layout is not None and not dropped and not any(_PLACED.search(e.field) for e in errors):
        source.add_all(_faults_of_space(layout, source.file))
    found = source.once()
    errors = [finding for finding in found if finding.severity is Severity.ERROR]
    if errors or layout is None:
        raise InputError(sorted(errors, key=lambda finding: (finding.line or 1 << 30, finding.field)))
    for finding in found:
        logger.warning("%s", finding)
    return layout


def _missing_specs(layout: Layout, file: str) -> Iterator[Finding]:
    """Name the design files of cold plates that are not beside the layout."""
    folder = Path(file).parent
    for n, loop in enumerate(layout.loops):
        for k, branch in enumerate(loop.branches):
            spec = branch.cold_plates.spec
            if spec is not None and not (folder / spec).is_file():
                yield Finding(
                    file, f"branch '{branch.id}'", f"loops[{n}].branches[{k}].cold_plates.spec", spec,
                    "there is no such file beside the layout",
                    "Give the path of a cold plate's design, or leave the field out",
                )  # fmt: skip


def _with_cell(layout: Layout, source: Source, finding: Finding) -> Finding:
    """Name the cell size that fits, in the fault of one that is out of range."""
    if finding.field != "air.cell" or not finding.rule.startswith(f"must be {CELL_SIZE.range_text}"):
        return finding
    return replace(finding, remedy=cell_remedy(layout, parse_quantity(source.tree["air"]["cell"], "m")))


def _faults_of_space(layout: Layout, file: str) -> list[Finding]:
    """Return what meshing finds wrong: sealed spaces, blocked openings, a grid too large."""
    racks = {rack.id for rack in layout.racks}
    placed = tuple(s for s in layout.sensors if s.rack is None or s.rack in racks)
    try:
        build_mesh(layout.model_copy(update={"sensors": placed}), layout.air.cell)
    except InputError as error:
        return [replace(finding, file=file) for finding in error.findings]
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


# -- overrides -----------------------------------------------------------------------------------------------


def _override(source: Source, text: str) -> None:
    """Set one ``path=value`` in the plain data, or note why it cannot be."""

    def refuse(rule: str, remedy: str) -> None:
        source.findings.append(Finding(OVERRIDE_SOURCE, "", text, "", rule, remedy))

    name, equals, value_text = text.partition("=")
    steps = split_path(name.strip())
    if not equals or not steps:
        refuse("must read path=value", "For example racks[R03].power=12 kW")
        return
    try:
        value = YAML(typ="safe", pure=True).load(value_text)
    except YAMLError:
        refuse(f"the value '{value_text}' is not valid YAML", "Put it into quotes")
        return
    target: Any = source.tree
    path: Location = ()
    for depth, step in enumerate(steps):
        last = depth == len(steps) - 1
        key = _find(target, step)
        if key is None and isinstance(target, dict) and not isinstance(step, int):
            key = step
            if not last:
                if _model_at((*path, step)) is None:
                    refuse(
                        f"'{step}' is unknown in {dotted(path) or 'the layout'}",
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
            remedy = f"Use {_either(known)}" if known else "Leave it out"
            refuse(f"'{step}' is not in {dotted(path) or 'the layout'}", remedy)
            return
        path = (*path, key)
        if last:
            target[key] = value
        else:
            # Aliased parts were read as separate objects, so setting one leaves the others alone.
            target = target[key]
    source.overridden.add(path)


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


def _validate(source: Source) -> tuple[Layout | None, frozenset[str]]:
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
        unusable: set[Location] = set()
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


def _at(data: Any, path: Location) -> Any:
    for step in path:
        data = data[step]
    return data


def _note(source: Source, fault: ErrorDetails, path: Location) -> None:
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
    own, _, remedy = rule.partition(". ") if kind == "value_error" else (rule, "", "")
    remedy = remedy or (f"Give {about}" if about else "Change what the rule names")
    shown = "" if isinstance(fault["input"], dict | list) else repr(fault["input"])
    source.add(path, shown, own, remedy)


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


def _model_at(path: Location) -> type[BaseModel] | None:
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


def _fields(path: Location) -> list[str]:
    model = _model_at(path)
    return [] if model is None else list(model.model_fields)


def _about(path: Location) -> str:
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
