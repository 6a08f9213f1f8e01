"""Errors of the twin, each with the exit code of the command line.

Exception tree::

    TwinError                     exit 5
    ├── InputError                exit 2   bad layout, trace, option: carries every finding at once
    ├── NotConvergedError         exit 3   the solver gave no answer, or one that does not close
    ├── RefusedError              exit 4   a gate or the guard said no
    └── OutsideError              exit 5   device, database, port, certificate, file system
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is: an error stops the work, a warning travels with the result."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault in an input, with all that a person needs to mend it.

    Attributes
    ----------
    file : str        The file, or the option, that holds the fault.
    object : str      The object in it: ``rack 'R03'`` or ``racks[2]``.
    field : str       The field: ``racks[2].power``.
    value : str       What stands there, as text.
    rule : str        What is allowed.
    remedy : str      What to do.
    severity : Severity
    line : int        Line in the file, 1-based; 0 where there is none.
    """

    file: str
    object: str
    field: str
    value: str
    rule: str
    remedy: str
    severity: Severity = Severity.ERROR
    line: int = 0

    def __str__(self) -> str:
        """Render as one line: ``rack 'A3' (row.yaml:12, racks[2].power): 120 kW: rule. Remedy.``."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        inside = ", ".join(part for part in (place, self.field) if part)
        subject = f"{self.object} ({inside})" if self.object else inside
        value = f" {self.value}:" if self.value else ""
        return f"{subject}:{value} {self.rule}. {self.remedy}"


class TwinError(Exception):
    """Base of everything the twin raises on purpose."""

    exit_code = 5


class InputError(TwinError):
    """Bad input; holds every finding of the input, not just the first.

    Parameters
    ----------
    findings : iterable of Finding, or str
        The faults. A plain string makes a message without structure.
    """

    exit_code = 2

    def __init__(self, findings: Iterable[Finding] | str) -> None:
        if isinstance(findings, str):
            self.findings: tuple[Finding, ...] = ()
            super().__init__(findings)
        else:
            self.findings = tuple(findings)
            super().__init__("\n".join(str(finding) for finding in self.findings))


class NotConvergedError(TwinError):
    """The solver gave no answer, or one whose balances do not close."""

    exit_code = 3


class RefusedError(TwinError):
    """A gate or the guard refused an action; the message says which limit."""

    exit_code = 4


class OutsideError(TwinError):
    """Something outside failed: device, database, port, certificate, file system."""

    exit_code = 5
