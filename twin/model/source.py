"""A layout file as plain data with the line of everything, so that every fault can name its place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from twin.errors import Finding, InputError

OVERRIDE_SOURCE = "--set"
"""Stands for the file in findings about overrides."""
_STEP = re.compile(r"\[([^\[\]]*)\]|([^.\[\]]+)|(.)")
Location = tuple[str | int, ...]


@dataclass
class Source:
    """A file being read: plain data, line and node of every path, paths an override set, and the faults."""

    file: str
    tree: Any = None
    lines: dict[Location, int] = field(default_factory=dict)
    overridden: set[Location] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    kept: dict[str, list[int]] = field(default_factory=dict)
    nodes: dict[Location, Node] = field(default_factory=dict)
    _yaml: YAML = field(default_factory=lambda: YAML(typ="safe", pure=True))

    def scalar(self, node: Node) -> Any:
        """Value of a scalar node, by YAML 1.2."""
        return self._yaml.constructor.construct_object(node, deep=True)

    def original(self, path: Location) -> Location:
        """Path in the file of a path in the data that faulty objects were left out of."""
        if len(path) > 1 and isinstance(path[1], int) and path[0] in self.kept:
            return (path[0], self.kept[str(path[0])][path[1]], *path[2:])
        return path

    def line(self, path: Location) -> int:
        """Line of a path or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)

    def add(self, path: Location, value: str, rule: str, remedy: str) -> None:
        """Add a fault of the thing at ``path``."""
        finding = Finding(self.file, subject_of(self.tree, path), dotted(path), value, rule, remedy)
        self.findings.append(self._placed(finding, path))

    def add_all(self, findings: Sequence[Finding]) -> None:
        """Add findings of the checks, each with its line."""
        for finding in findings:
            path = self.original(undotted(finding.field))
            self.findings.append(self._placed(replace(finding, field=dotted(path)), path))

    def once(self) -> list[Finding]:
        """Return the faults, those of one thing that anchors and aliases use in many places as one."""
        groups: dict[Any, list[Finding]] = {}
        times: Counter[Any] = Counter()
        for n, finding in enumerate(self.findings):
            written = self._written(finding) or n
            nth = times[written, finding.field]  # several of one field are several faults
            times[written, finding.field] += 1
            groups.setdefault((written, nth), []).append(finding)
        return [_as_one(findings) for findings in groups.values()]

    def _written(self, finding: Finding) -> Any:
        """Return what in the file a finding is about and what it says; None of what an override set."""
        path = undotted(finding.field)
        if finding.file != self.file or not finding.line:
            return None
        at = path
        while at and at not in self.nodes:
            at = at[:-1]
        said = (finding.value, finding.rule, finding.remedy, finding.severity)
        return (id(self.nodes[at]), path[len(at) :], said) if at else None

    def _placed(self, finding: Finding, path: Location) -> Finding:
        if any(path[:n] in self.overridden for n in range(1, len(path) + 1)):
            return replace(finding, file=OVERRIDE_SOURCE, line=0)
        return replace(finding, line=self.line(path))


def read_source(path: Path) -> Source:
    """Read a YAML file.

    Raises
    ------
    InputError : the file cannot be read, is not YAML, or is no mapping.
    """
    source = Source(str(path))
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


def _plain(node: Node | None, path: Location, source: Source, above: frozenset[int]) -> Any:
    """Turn a node tree into plain data; note lines, repeated keys and anchors that hold themselves."""
    if node is None:
        return None
    source.lines.setdefault(path, node.start_mark.line + 1)
    source.nodes[path] = node
    if id(node) in above:
        source.findings.append(
            Finding(source.file, "", dotted(path), "", "an alias must not hold itself", "Write it out",
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
                Finding(source.file, "", dotted(here), "", f"the key '{key}' stands twice in one object",
                        f"Keep one of lines {source.lines[here]} and {key_node.start_mark.line + 1}",
                        line=key_node.start_mark.line + 1)
            )  # fmt: skip
            continue
        source.lines[here] = key_node.start_mark.line + 1
        result[key] = _plain(value_node, here, source, above)
    return {**merged, **result}


def _as_one(findings: list[Finding]) -> Finding:
    """Return the first of some findings that say the same, with the places of all."""
    first, others = findings[0], list(dict.fromkeys(f.object for f in findings))
    if len(others) < 2:
        return first
    kinds = {name.partition(" ")[0] for name in others}
    short = [name.partition(" ")[2] for name in others[1:]] if len(kinds) == 1 else others[1:]
    return replace(first, object=", ".join([others[0], *short]))


def dotted(path: Location) -> str:
    """Write a path like ``racks[2].power``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def undotted(text: str) -> Location:
    """Read a path like ``racks[2].power``."""
    return tuple(split_path(text))


def split_path(name: str) -> list[str | int]:
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


def singular(name: str) -> str:
    """Name one of a list: ``rack`` of racks, ``branch`` of branches."""
    return name.removesuffix("es") if name.endswith("ches") else name.removesuffix("s")


def subject_of(tree: Any, path: Location) -> str:
    """Name the innermost object with an id around a path: ``rack 'R03'``; else ``racks[2]``."""
    subject = ""
    for n, step in enumerate(path):
        if not isinstance(tree, dict | list) or (isinstance(tree, dict) and step not in tree):
            break
        tree = tree[step]  # type: ignore[index]
        if isinstance(step, int):
            kind = singular(str(path[n - 1]))
            named = isinstance(tree, dict) and isinstance(tree.get("id"), str)
            subject = f"{kind} '{tree['id']}'" if named else (subject or dotted(path[: n + 1]))
    return subject or (str(path[0]) if path else "layout")
