"""Standard error of the mean of a restless series from one short record of it.

Neighbouring values are alike, so many of them tell less than as many independent ones; and the scatter about
the record's own mean leaves out how far that mean is off. With rho the correlation of the series and s the
scatter of n batch means about their mean, both in one:

    Var(mean) = sigma^2 m,   s^2 = sigma^2 (1 - m),   m = (1 + 2 sum over k < n of (1 - k / n) rho_k) / n

so the squared error is s^2 m / (1 - m). rho is that of all series of a room together, by the first that fits:

- an oscillation that the record holds 1.25 times or more: autoregression of third order, by Burg's method;
- else exp(-t / tau), with tau such that neighbouring batches differ, beside their scatter, as these do (the
  ratio of von Neumann); of 4, 8 and 16 batches the largest error.

A record cannot tell a longer oscillation from a drift, so there the error may be several times too large; and
no record shows what is slower than itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BATCHES = (4, 8, 16)
_ORDER = 3
_RESOLVED = 0.8  # period over length of the record
_SLOWEST = 1.0  # tau over length of the record; slower is a drift
_MOST = 1.2  # error over scatter; that of exp(-t / tau) with tau half the record

Floats = NDArray[np.float64]


def standard_error(dt: Floats, values: Floats) -> Floats:
    """Estimate the standard error of the time mean of each series.

    Over the true error, in a pod whose inlets swing with a period of 80 to 100 s (cells of 0.2 and 0.12 m,
    mixing length and vreman), and of random series with the correlation exp(-t / tau):

        record      30 s       60 s       90, 120 s    150, 240 s    tau 1 to 60 s, 60 and 120 s
        this        0.7-1.0    1.9-2.1    1.7-9        1.0-1.3       0.6-0.9
        6 windows   0.3-0.4    0.7-1.1    1.4-3        1.7-2.9       0.2-1.0    their scatter over sqrt(6)

    Parameters
    ----------
    dt : float64[steps]    Time for which each value stands. [s]
    values : float64[steps, series]

    Returns
    -------
    float64[series]    0 with fewer than 16 steps or without any scatter.

    Source   : von Neumann 1941, Ann. Math. Stat. 12, 367; Burg 1975 (thesis, Stanford); the bias of s as
        Anderson 1971, The Statistical Analysis of Time Series, ch. 8.
    Check    : tests/unit/solvers/test_sampling_error.py
    """
    if values.shape[1] == 0 or dt.size < max(_BATCHES):
        return np.zeros(values.shape[1])
    fine = _batch_means(dt, values, max(_BATCHES))
    scatter = fine.var(axis=0)
    if not scatter.any():
        return np.zeros(values.shape[1])
    coefficients = _burg(fine - fine.mean(axis=0), _ORDER)
    if _period(coefficients) < _RESOLVED * len(fine):
        squared = scatter * _inflation(_share_of_mean(coefficients, len(fine)))
    else:
        squared = np.max([_by_decay(_batch_means(dt, values, n)) for n in _BATCHES], axis=0)
    return np.asarray(np.sqrt(np.minimum(squared, _MOST**2 * scatter)), dtype=np.float64)


def _batch_means(dt: Floats, values: Floats, count: int) -> Floats:
    """Time means over equal parts of the record, [count, series]."""
    ends = np.concatenate([[0.0], np.cumsum(dt)])
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(dt[:, None] * values, axis=0)])
    at = np.linspace(0.0, ends[-1], count + 1)
    parts = np.diff(np.stack([np.interp(at, ends, column) for column in sums.T], axis=1), axis=0)
    return np.asarray(parts * (count / ends[-1]), dtype=np.float64)


def _inflation(m: float) -> float:
    """Squared error over s^2."""
    m = min(max(m, 0.0), 0.9)
    return m / (1 - m)


# -- exp(-t / tau) -----------------------------------------------------------------------------------------


def _by_decay(means: Floats) -> Floats:
    """Squared error if the correlation falls as exp(-t / tau)."""
    n, scatter = len(means), means.var(axis=0)
    jumps = float(np.square(np.diff(means, axis=0)).mean())
    x = _decay_time(jumps / max(float(scatter.mean()), 1e-300), n)
    return np.asarray(scatter * _averaged(x) / (_averaged(n * x) - _averaged(x)), dtype=np.float64)


def _averaged(x: float) -> float:
    """Variance of the mean over a time T, over sigma^2; x = tau / T."""
    return 2 * x * (1 + x * np.expm1(-1 / x))


def _decay_time(ratio: float, n: int) -> float:
    """Tau / T at which n batches have this ratio of squared jumps to squared scatter, by bisection."""

    def expected(x: float) -> float:
        y = n * x
        beside = (y * np.expm1(-1 / y)) ** 2  # covariance of neighbouring batches over sigma^2
        return 2 * (_averaged(y) - beside) / (_averaged(y) - _averaged(x))

    low, high = 1e-3 / n, _SLOWEST
    for _ in range(50):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if expected(middle) > ratio else (low, middle)
    return high


# -- oscillations ------------------------------------------------------------------------------------------


def _burg(x: Floats, order: int) -> Floats:
    """Coefficients a of x_t = sum a_k x_(t-k), of all columns together, by Burg's method."""
    ahead, behind, a = x.copy(), x.copy(), np.zeros(0)
    for _ in range(order):
        ahead, behind = ahead[1:], behind[:-1]
        size = float((ahead**2).sum() + (behind**2).sum())
        k = 2 * float((ahead * behind).sum()) / size if size > 0 else 0.0
        a = np.concatenate([a - k * a[::-1], [k]])
        ahead, behind = ahead - k * behind, behind - k * ahead
    return a


def _period(a: Floats) -> float:
    """Period of the slowest-fading oscillation in steps; inf if there is none."""
    roots = np.roots(np.concatenate([[1.0], -a]))
    turning = roots[roots.imag > 0]
    if turning.size == 0:
        return float("inf")
    return float(2 * np.pi / np.angle(turning[np.argmax(np.abs(turning))]))


def _share_of_mean(a: Floats, n: int) -> float:
    """Share m of n values: Var(mean) over the variance of one, with the correlation of the autoregression."""
    order = a.size
    matrix = np.eye(order)
    for i in range(order):
        for j in range(order):
            if i != j:
                matrix[i, abs(i - j) - 1] -= a[j]
    rho = [1.0, *np.linalg.solve(matrix, a).tolist()]
    while len(rho) < n:
        rho.append(float(sum(a[j] * rho[-1 - j] for j in range(order))))
    return (1 + 2 * sum((1 - k / n) * rho[k] for k in range(1, n))) / n
