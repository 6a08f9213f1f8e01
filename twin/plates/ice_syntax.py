"""Words, statements and patterns of 3D-ICE's files, so that every statement is read or named with its line.

A file is a list of sections. A section has a heading that ends with ``:`` and statements that end with ``;``.
Comments are those of C++.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from twin.errors import Finding, InputError

_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<space>\s+)|(?P<path>"[^"\n]*")|(?P<mark>[():;,])
      |(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])|[-+]?(?:nan|inf(?:inity)?)\b)
      |(?P<word>[A-Za-z0-9_][\w.-]*)|(?P<other>.)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


NOT_MODELLED = ("layout", "discretization", "plugin", "spreader", "pluggable", "T3d", "non-uniform")
"""Words of statements that 3D-ICE knows and that are not modelled here."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a file."""

    kind: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Statement:
    """Words up to ``;`` or, in a heading, ``:``."""

    tokens: tuple[Token, ...]

    @property
    def line(self) -> int:
        """Line that it begins on. [-]."""
        return self.tokens[0].line if self.tokens else 0

    @property
    def text(self) -> str:
        """What it says, blanks made single."""
        text = " ".join(token.text for token in self.tokens)
        return re.sub(r" ([,)])", r"\1", text.replace("( ", "("))


@dataclass
class Section:
    """A heading and its statements."""

    heading: Statement
    statements: list[Statement] = field(default_factory=list)


@dataclass
class Faults:
    """Findings of one file, collected while it is read."""

    file: str
    findings: list[Finding] = field(default_factory=list)

    def add(self, subject: str, where: str, value: object, rule: str, remedy: str, line: int = 0) -> None:
        """Note a fault.

        Parameters
        ----------
        subject, where, rule, remedy : str    As in `Finding`; `where` is its field.
        value : object
        line : int
        """
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        self.findings.append(Finding(self.file, subject, where, shown, rule, remedy, line=line))

    def above_zero(self, subject: str, where: str, value: float, line: int) -> None:
        """Note a number that is not above 0 or not finite.

        Parameters
        ----------
        subject, where : str
        value : float
        line : int
        """
        if not (math.isfinite(value) and value > 0.0):
            self.add(subject, where, float(value), "must be finite and above 0", "Mend it", line)

    def missing(self, subject: str, name: str, line: int) -> None:
        """Note a statement that is not there.

        Parameters
        ----------
        subject, name : str
        line : int
        """
        self.add(subject, name, "", "is missing", f"Add '{name} ... ;'", line)

    def unknown(self, subject: str, statement: Statement, known: str) -> None:
        """Note a statement that nobody reads.

        Parameters
        ----------
        subject : str
        statement : Statement
        known : str    What may stand there.
        """
        line, text = statement.line, statement.text
        if text.startswith("material") or any(token.text in NOT_MODELLED for token in statement.tokens):
            self.add(subject, "", text, "is a part of 3D-ICE that is not modelled here", "Leave it out", line)
        else:
            self.add(subject, "", text, "is a statement that is not known here", f"Known are {known}", line)

    def values(
        self, statements: list[Statement], patterns: dict[str, str], subject: str, line: int
    ) -> dict[str, str | float] | None:
        """Read statements of one value each; notes what is unknown, missing, repeated or not above 0.

        Parameters
        ----------
        statements : list of Statement
        patterns : dict    Name -> pattern with ``<a:...>``.
        subject : str
        line : int    Of the heading.

        Returns
        -------
        dict, or None where something is missing
        """
        values: dict[str, str | float] = {}
        for statement in statements:
            for name, pattern in patterns.items():
                found = match(statement, pattern)
                if found is None:
                    continue
                value = found["a"]
                if name in values:
                    self.add(subject, name, statement.text, "stands twice", "Keep one", statement.line)
                if isinstance(value, float):
                    self.above_zero(subject, name, value, statement.line)
                values[name] = value
                break
            else:
                self.unknown(subject, statement, ", ".join(patterns))
        for name in patterns:
            if name not in values:
                self.missing(subject, name, line)
        return values if len(values) == len(patterns) else None


def read_sections(path: Path, faults: Faults) -> list[Section]:
    """Split a file into its sections.

    Parameters
    ----------
    path : Path
    faults : Faults    Gets unfinished statements and such that stand before any heading.

    Returns
    -------
    list of Section

    Raises
    ------
    InputError : the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        finding = Finding(str(path), "file", "", "", f"cannot be read: {reason}", "Give a 3D-ICE file")
        raise InputError([finding]) from error
    sections: list[Section] = []
    pending: list[Token] = []
    for token in _tokens(text):
        if token.kind != "mark" or token.text not in ":;":
            pending.append(token)
            continue
        statement = Statement(tuple(pending))
        pending = []
        if not statement.tokens:
            continue
        if token.text == ":":
            sections.append(Section(statement))
        elif sections:
            sections[-1].statements.append(statement)
        else:
            rule = "stands before any heading"
            faults.add("statement", "", statement.text, rule, "Put a heading before it", statement.line)
    if pending:
        rest = Statement(tuple(pending))
        faults.add("statement", "", rest.text, "has no ';' at its end", "Close it", rest.line)
    return sections


def _tokens(text: str) -> Iterator[Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        kind, value = match.lastgroup or "other", match.group()
        if kind not in ("space", "comment"):
            yield Token(kind, value, line)
        line += value.count("\n")


# -- patterns ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.split())


def match(statement: Statement, pattern: str) -> dict[str, str | float] | None:
    """Match a statement against a pattern.

    Parameters
    ----------
    statement : Statement
    pattern : str
        Words that must stand there, and ``<name:number>``, ``<name:word>``, ``<name:path>`` or
        ``<name:one|two>`` that are read.

    Returns
    -------
    dict or None    What was read; None if the statement is another one.
    """
    tokens, parts = statement.tokens, _compiled(pattern)
    if len(tokens) != len(parts):
        return None
    found: dict[str, str | float] = {}
    for token, part in zip(tokens, parts, strict=True):
        if not part.startswith("<"):
            if token.text != part:
                return None
            continue
        name, _, kind = part[1:-1].partition(":")
        if kind == "number":
            if token.kind != "number":
                return None
            found[name] = float(token.text)
        elif kind == "path":
            if token.kind != "path":
                return None
            found[name] = token.text[1:-1]
        elif kind == "word":
            if token.kind != "word":
                return None
            found[name] = token.text
        elif token.text not in kind.split("|"):
            return None
        else:
            found[name] = token.text
    return found


def numbers(tokens: tuple[Token, ...]) -> list[float] | None:
    """Read numbers with commas between; None if that is not what stands there.

    Parameters
    ----------
    tokens : tuple of Token

    Returns
    -------
    list of float, or None
    """
    if len(tokens) % 2 == 0:
        return None
    values = []
    for at, token in enumerate(tokens):
        if at % 2 == 1:
            if token.text != ",":
                return None
        elif token.kind != "number":
            return None
        else:
            values.append(float(token.text))
    return values


def is_finite(*values: float) -> bool:
    """Whether no value is NaN or infinite.

    Parameters
    ----------
    *values : float

    Returns
    -------
    bool
    """
    return all(math.isfinite(value) for value in values)
