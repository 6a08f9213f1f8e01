"""Fully developed laminar flow and heat in a rectangular duct, resolved by finite volumes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, diags_array, eye_array, kron
from scipy.sparse.linalg import splu

from solvers.errors import CaseError

Matrix = NDArray[np.float64]
_ROUNDS = 200  # of the inverse iteration for Nu_T; it gains a digit in one or two
_AGREE = 1e-12  # relative change of the eigenvalue that ends it


class Duct(NamedTuple):
    """Result of `solve_duct`.

    Attributes
    ----------
    u : float64[n_width, n_height]    Velocity over its mean. [-]
    f_re : float    Fanning friction factor times Reynolds number on D_h = 4 A / P. [-]
    nu_h1 : float    Nusselt number, axially constant heat flux, heated walls of one temperature. [-]
    nu_t : float    Nusselt number, heated walls of one temperature all along the duct. [-]
    """

    u: Matrix
    f_re: float
    nu_h1: float
    nu_t: float


def solve_duct(
    aspect: float,
    cells: tuple[int, int] = (32, 32),
    heated: tuple[bool, bool, bool, bool] = (True, True, True, True),
) -> Duct:
    """Velocity profile, f Re and Nu of a duct of width `aspect` and height 1.

    Solves   grad^2 u = -1, u = 0 on the walls                                        (C3)
             grad^2 t = -u, t = 0 on heated walls, dt/dn = 0 on others     H1         (C4)
             grad^2 t = -mu u t, the smallest mu                        T          (C5)

    Second order; cells are uniform in each direction. Errors at 24, 32 and 64 cells a side are 0.7, 0.4 and
    0.1 % in f Re; `refined` takes the leading one away.

    Parameters
    ----------
    aspect : float    Width over height; above 0. [-]
    cells : (int, int)    Across the width, across the height; 2 at least.
    heated : (bool, bool, bool, bool)    Walls at low and high width, low and high height; one at least.

    Returns
    -------
    Duct

    Raises
    ------
    CaseError    An argument is out of its range.

    Source : Shah and London 1978, Laminar Flow Forced Convection in Ducts, ch. VII.
    Check  : tests/unit/solvers/coolant/test_duct.py
    """
    _check(aspect, cells, heated)
    d_x, d_y = aspect / cells[0], 1.0 / cells[1]
    flow = splu(laplacian(cells, (d_x, d_y), (True,) * 4))
    heat = splu(laplacian(cells, (d_x, d_y), heated))
    ones = np.ones(cells[0] * cells[1])
    profile = flow.solve(ones)
    mean = float(profile.mean())
    diameter = 2 * aspect / (1 + aspect)
    u = profile / mean
    rise = heat.solve(u)
    bulk = float((u * rise).mean())
    perimeter = float(np.dot(heated, (1.0, 1.0, aspect, aspect)))
    per_wall = aspect * diameter / perimeter
    return Duct(
        u=u.reshape(cells),
        f_re=diameter**2 / (2 * mean),
        nu_h1=per_wall / bulk,
        nu_t=per_wall * _smallest(heat, u),
    )


def refined(
    aspect: float,
    cells: tuple[int, int] = (32, 32),
    heated: tuple[bool, bool, bool, bool] = (True, True, True, True),
) -> tuple[float, float, float]:
    """F Re, Nu_H1 and Nu_T by Richardson extrapolation from half the cells and all of them.

    Parameters
    ----------
    aspect : float    Width over height. [-]
    cells : (int, int)    Of the finer grid; even numbers.
    heated : (bool, bool, bool, bool)    See `solve_duct`.

    Returns
    -------
    f_re, nu_h1, nu_t : float    [-]
    """
    coarse = solve_duct(aspect, (cells[0] // 2, cells[1] // 2), heated)
    fine = solve_duct(aspect, cells, heated)
    return (
        fine.f_re + (fine.f_re - coarse.f_re) / 3,
        fine.nu_h1 + (fine.nu_h1 - coarse.nu_h1) / 3,
        fine.nu_t + (fine.nu_t - coarse.nu_t) / 3,
    )


def _smallest(heat, u: Matrix) -> float:
    """Smallest mu of grad^2 t = -mu u t; at mean u of 1 it is Q / (k A t_bulk)."""
    t, found = np.ones_like(u), 0.0
    for _ in range(_ROUNDS):
        t = heat.solve(u * t / float((u * t).mean()))
        last, found = found, 1.0 / float((u * t).mean())
        if abs(found - last) <= _AGREE * found:
            break
    return found


def laplacian(cells: tuple[int, int], widths: tuple[float, float], held: tuple[bool, ...]) -> csc_array:
    """Matrix of -grad^2 with held walls at half a cell's distance. [1/m2].

    Parameters
    ----------
    cells : (int, int)
    widths : (float, float)    Of a cell. [m]
    held : (bool, bool, bool, bool)    Walls of given value, as `heated` of `solve_duct`.

    Returns
    -------
    csc_array[cells, cells]    C order of the cells.
    """
    lines = []
    for n, d, low, high in zip(cells, widths, held[0::2], held[1::2], strict=True):
        line = 2 * eye_array(n) - eye_array(n, k=1) - eye_array(n, k=-1)
        ends = np.zeros(n)
        ends[0] += 1.0 if low else -1.0
        ends[-1] += 1.0 if high else -1.0
        lines.append((line + diags_array(ends)) / d**2)
    return csc_array(kron(lines[0], eye_array(cells[1])) + kron(eye_array(cells[0]), lines[1]))


def _check(aspect: float, cells: tuple[int, int], heated: tuple[bool, ...]) -> None:
    faults = []
    if not aspect > 0 or not np.isfinite(aspect):
        faults.append(f"aspect {aspect}: must be above 0; it is width over height")
    if min(cells) < 2:
        faults.append(f"cells {cells}: 2 at least in each direction; 24 or more for 1 %")
    if not any(heated):
        faults.append("heated: no wall is heated; give one at least")
    if faults:
        raise CaseError("duct: " + "; ".join(faults))
