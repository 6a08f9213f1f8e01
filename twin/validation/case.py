"""What a case of the suite is, and what it answers: numbers asked beside numbers reached, and figures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Progress = Callable[[str, float], None]
"""Called with what is going on and the share of the case that is done, 0..1."""


HOLDS = "is so"
"""Rule of a quantity that is 1 for yes or 0 for no."""


@dataclass(frozen=True)
class Quantity:
    """One number of a case beside what was asked of it.

    Attributes
    ----------
    name : str
    asked : float    The published value, or the limit.
    reached : float    What the solver gives.
    unit : str    ``"-"`` for none.
    rule : str    How near is near enough, in words: ``within 1 %``, ``at most``, ``at least``, or `HOLDS`.
    passed : bool
    """

    name: str
    asked: float
    reached: float
    unit: str
    rule: str
    passed: bool


def within(name: str, asked: float, reached: float, share: float, unit: str = "-") -> Quantity:
    """Compare with a published value: pass if they differ by no more than a share of it.

    Parameters
    ----------
    name : str
    asked, reached : float
    share : float
        Of |asked|. [-]
    unit : str

    Returns
    -------
    Quantity
    """
    passed = abs(reached - asked) <= share * abs(asked)
    return Quantity(name, float(asked), float(reached), unit, f"within {100 * share:g} %", bool(passed))


def at_most(name: str, limit: float, reached: float, unit: str = "-") -> Quantity:
    """Compare with an upper limit; not a number fails.

    Parameters
    ----------
    name : str
    limit, reached : float
    unit : str

    Returns
    -------
    Quantity
    """
    return Quantity(name, float(limit), float(reached), unit, "at most", bool(reached <= limit))


def at_least(name: str, limit: float, reached: float, unit: str = "-") -> Quantity:
    """Compare with a lower limit; not a number fails.

    Parameters
    ----------
    name : str
    limit, reached : float
    unit : str

    Returns
    -------
    Quantity
    """
    return Quantity(name, float(limit), float(reached), unit, "at least", bool(reached >= limit))


def holds(name: str, true: bool) -> Quantity:
    """State what is so or is not: 1 asked, 1 or 0 reached.

    Parameters
    ----------
    name : str
    true : bool

    Returns
    -------
    Quantity
    """
    return Quantity(name, 1.0, float(true), "-", HOLDS, bool(true))


@dataclass(frozen=True)
class Series:
    """Points of a plot.

    Attributes
    ----------
    label : str
    x, y : float64[n]
    kind : str
        ``"line"``, ``"dashed"``, ``"points"`` (line with marks), ``"cloud"`` (marks) or ``"data"`` (circles).
    """

    label: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    kind: str = "line"


def series(label: str, x: ArrayLike, y: ArrayLike, kind: str = "line") -> Series:
    """Return points of a plot from anything that NumPy takes.

    Parameters
    ----------
    label : str
    x, y : array_like, [n]
    kind : str

    Returns
    -------
    Series
    """
    return Series(label, np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64), kind)


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes
    ----------
    title, x_label, y_label : str
    series : tuple of Series
    log : bool    Both axes logarithmic.
    names : tuple of str    Of the ticks at x = 1, 2, ...; numbers if there are none.
    legend_below : bool    Below the axes, where lines fill them.
    """

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    log: bool = False
    names: tuple[str, ...] = ()
    legend_below: bool = False


@dataclass(frozen=True)
class Figure:
    """A picture as data; :mod:`twin.validation.chart` draws it.

    Attributes
    ----------
    name : str    Of the file, without ending.
    caption : str
    panels : tuple of Panel
    """

    name: str
    caption: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Result:
    """What a case answers.

    Attributes
    ----------
    quantities : tuple of Quantity    The verdict; every one must pass.
    grid : str    Cells, in words.
    beside : tuple of Quantity    Shown beside the verdict, without a say in it: other closures, finer views.
    figures : tuple of Figure
    notes : tuple of str    What a reader should know of this run.
    """

    quantities: tuple[Quantity, ...]
    grid: str
    beside: tuple[Quantity, ...] = ()
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every quantity passed; a result without quantities has not."""
        return bool(self.quantities) and all(quantity.passed for quantity in self.quantities)


@dataclass(frozen=True)
class Case:
    """One validation case.

    Attributes
    ----------
    name, title : str
    source : str    Publication of the figures.
    closure : str    Closure and numerics of the verdict.
    modelled, not_modelled : str    What the set-up holds and what it leaves out.
    run : callable    ``run(full, progress) -> Result``; not `full` is the quick form for the test run.
    """

    name: str
    title: str
    source: str
    closure: str
    modelled: str
    not_modelled: str
    run: Callable[[bool, Progress], Result]


def observed_orders(sizes: ArrayLike, errors: ArrayLike) -> NDArray[np.float64]:
    """Order of accuracy between neighbouring grids, log(e1 / e2) / log(h1 / h2).

    Parameters
    ----------
    sizes : array_like, [n]
        Cell sizes. [m]
    errors : array_like, [n]
        Error norms on them.

    Returns
    -------
    float64[n - 1]
    """
    h, e = np.asarray(sizes, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    return np.log(e[:-1] / e[1:]) / np.log(h[:-1] / h[1:])


def rms(values: ArrayLike) -> float:
    """Root of the mean square.

    Parameters
    ----------
    values : array_like

    Returns
    -------
    float
    """
    return math.sqrt(float(np.mean(np.square(np.asarray(values, dtype=np.float64)))))
