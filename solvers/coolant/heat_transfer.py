"""Nusselt numbers of rectangular ducts and pipes, effectiveness of heat exchangers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.coolant.friction import f_re
from solvers.errors import CaseError


class _Fit(NamedTuple):
    plates: float  # limit at aspect 0
    terms: tuple[float, ...]  # Nu = plates (1 + sum terms[i] aspect^(i + 1))


_FITS = {
    "H1": _Fit(8.23529, (-2.0614, 3.3467, -3.8830, 4.7598, -5.2666, 3.4931, -0.9505)),
    "T": _Fit(7.5407, (-2.6218, 5.0463, -4.9622, 1.1666, 2.5891, -2.5679, 0.7449)),
    "H1_three_wall": _Fit(8.23529, (-1.6412, 2.1025, -1.6837, 1.6944, -2.4332, 2.0225, -0.6280)),
    "T_three_wall": _Fit(7.5407, (-2.1214, 3.4650, -1.5513, -4.5925, 8.6813, -6.0374, 1.5574)),
    "H1_three_wall_long": _Fit(5.384615, (-2.5964, 6.1614, -7.3839, 5.2794, -2.5662, 1.0452, -0.2768)),
    "T_three_wall_long": _Fit(4.8608, (-3.6101, 12.2559, -25.6432, 36.5969, -33.7323, 17.7870, -4.0321)),
}
_BLEND = 4.5
KINDS = tuple(_FITS)
"""Boundary conditions that `nusselt` knows."""


def nusselt(
    aspect: ArrayLike,
    kind: str = "H1",
    x_star: ArrayLike | None = None,
    *,
    Pr: float | None = None,
    mean: bool = False,
) -> NDArray[np.float64]:
    """Nusselt number of laminar flow in a rectangular duct on D_h = 4 A / P, P wetted.              (C7, C8).

    The fully developed value is a polynomial through the resolved solutions of `duct`, refined to 1e-4. With
    `x_star` the thermal entrance is blended in as Muzychka and Yovanovich do, on D_h with an n that suits it:

        Nu = (Nu_developed^n + (c (f Re / x*)^(1/3))^n)^(1/n), n = 4.5, c = 0.409 (T), 0.501 (H1); mean: 3/2 c

    and with `Pr` also the growth of the velocity profile from a uniform one,

        Nu = (Nu^m + (s F(Pr) / sqrt(x*))^m)^(1/m), m = 2.27 + 1.65 Pr^(1/3); s = 1, mean: 2

    Parameters
    ----------
    aspect : float or float[...]    Short over long side, 0 to 1. [-]
    kind : str
        ``"H1"``: axially constant heat flux, heated walls of one temperature around the duct. ``"T"``: one
        temperature everywhere. ``_three_wall``: one short wall adiabatic, as in a micro-channel deeper than
        wide under an adiabatic cover; ``_three_wall_long``: one long wall adiabatic. The heat flux is that of
        the heated walls.
    x_star : float or float[...], optional    Distance from the entrance over D_h Re Pr; above 0. [-]
    Pr : float, optional
        Prandtl number, for velocity and temperature that develop together; none: developed velocity.
    mean : bool    From the entrance to x instead of at x.

    Returns
    -------
    float64[...]    [-]

    Raises
    ------
    CaseError    The kind is unknown.

    Validity : fully developed 0.05 % at aspect 0.02 to 1; thermal entrance 8 % of marched solutions for
               all kinds at aspect 0.1 to 1; growth of both 12 % (the source).
    Source   : Shah and London 1978; Muzychka and Yovanovich 2004, J. Heat Transfer 126, 54.
    Check    : tests/unit/solvers/coolant/test_heat_transfer.py
    """
    if kind not in _FITS:
        raise CaseError(f"Nusselt number of kind {kind!r} is unknown; known are {', '.join(KINDS)}")
    a = np.asarray(aspect, dtype=np.float64)
    fit = _FITS[kind]
    developed = np.asarray(fit.plates * np.polynomial.polynomial.polyval(a, (1.0, *fit.terms)), np.float64)
    if x_star is None:
        return developed
    x = np.asarray(x_star, dtype=np.float64)
    uniform_flux = kind.startswith("H1")
    leveque = (0.501 if uniform_flux else 0.409) * (1.5 if mean else 1.0) * np.cbrt(f_re(a) / x)
    Nu = (developed**_BLEND + leveque**_BLEND) ** (1 / _BLEND)
    if Pr is None:
        return Nu
    if uniform_flux:
        F = 0.886 / (1 + (1.909 * Pr ** (1 / 6)) ** 4.5) ** (2 / 9)
    else:
        F = 0.564 / (1 + (1.664 * Pr ** (1 / 6)) ** 4.5) ** (2 / 9)
    m = 2.27 + 1.65 * Pr ** (1 / 3)
    return (Nu**m + ((2.0 if mean else 1.0) * F / np.sqrt(x)) ** m) ** (1 / m)
