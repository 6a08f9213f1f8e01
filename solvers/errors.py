"""Errors of the solvers.

Exception tree::

    SolverError
    ├── GridMismatchError     an array has not the shape, dtype or order that the grid asks for
    ├── CaseError             the flow problem itself cannot have a solution
    └── ConvergenceError      iterations ended without an answer; carries the residual history
"""

from __future__ import annotations

from collections.abc import Sequence


class SolverError(Exception):
    """Base of everything the solvers raise."""


class GridMismatchError(SolverError):
    """An array has not the shape, dtype or memory order that the grid asks for."""


class CaseError(SolverError):
    """The flow problem has no solution: an unbalanced closed region, an opening into a solid."""


class ConvergenceError(SolverError):
    """The iterations ended without an answer.

    Parameters
    ----------
    message : str
        What failed to converge and what to change.
    history : sequence of float
        Residuals, one per iteration. [-]
    place : tuple of float, optional
        x, y, z of the worst cell. [m]
    """

    def __init__(
        self,
        message: str,
        history: Sequence[float] = (),
        place: tuple[float, float, float] | None = None,
    ) -> None:
        super().__init__(message)
        self.history = tuple(history)
        self.place = place
