"""Kernels of the heat balance of cells in planes across the flow, and of its preconditioner.

A cell touches its neighbours in its plane (x, z) and the same cell of the planes before and after (y)::

    A = lower + planes + upper        planes: symmetric, banded with nz below the diagonal
    M = (lower + B) B^-1 (B + upper)  B_j = planes_j - X_j, an incomplete factorisation by planes

X_j is diagonal, with the row sums of lower_j B_j-1^-1 upper_j-1: M acts on a uniform temperature as A does,
so that what many planes share is right from the start. The planes themselves are factorised exactly (L D L'),
which is what makes thin layers and long cells harmless.
"""

from __future__ import annotations

from numba import njit

from solvers.linear.kernels import options


@njit(**options)
def gather_plane(across, up, skip, j, band):
    """Set the band of plane j: band[r, k] is the entry of row r and column r - nz + k; the diagonal is apart.

    Parameters
    ----------
    across : float64[ny, nx - 1, nz]    Conductances between neighbours along x.
    up : float64[ny, nx, nz - 1]    Along z.
    skip : float64[ny, nx, nz - 2]    From a cell to the one above its upper neighbour; or of size 0.
    j : int    Plane.
    band : float64[nx * nz, nz]    Overwritten.
    """
    nx, nz = up.shape[1], across.shape[2]
    band[:] = 0.0
    for i in range(nx):
        for h in range(nz):
            r = i * nz + h
            if h > 0:
                band[r, nz - 1] -= up[j, i, h - 1]
            if h > 1 and skip.size > 0:
                band[r, nz - 2] -= skip[j, i, h - 2]
            if i > 0:
                band[r, 0] -= across[j, i - 1, h]


@njit(**options)
def factorise_band(band, diagonal):
    """Overwrite a symmetric band by its factors L D L': L in `band`, 1 / D in `diagonal`.

    Returns
    -------
    bool    Whether all of D is above 0.
    """
    n, width = band.shape
    for r in range(n):
        first = max(0, width - r)
        for k in range(first, width):
            c = r - width + k
            s = band[r, k]
            shift = width - k
            for m in range(max(first, k - width), k):
                s -= band[r, m] * band[c, m + shift]
            band[r, k] = s
        d = diagonal[r]
        for k in range(first, width):
            s = band[r, k]
            factor = s * diagonal[r - width + k]
            d -= s * factor
            band[r, k] = factor
        if not d > 0.0:
            return False
        diagonal[r] = 1.0 / d
    return True


@njit(**options)
def solve_band(band, inverse, x):
    """Overwrite x by (L D L')^-1 x."""
    n, width = band.shape
    for r in range(min(width, n)):
        s = x[r]
        for k in range(width - r, width):
            s -= band[r, k] * x[r - width + k]
        x[r] = s
    for r in range(width, n):
        s = x[r]
        for k in range(width):
            s -= band[r, k] * x[r - width + k]
        x[r] = s
    for r in range(n):
        x[r] *= inverse[r]
    for back in range(n - width):
        r = n - 1 - back
        t = x[r]
        for k in range(width):
            x[r - width + k] -= band[r, k] * t
    for back in range(max(0, n - width), n):
        r = n - 1 - back
        t = x[r]
        for k in range(width - r, width):
            x[r - width + k] -= band[r, k] * t


@njit(**options)
def factorise(across, up, skip, diagonal, before, after, band, sums, factors, inverse):
    """Factorise all planes.

    Parameters
    ----------
    across, up, skip : float64    See `gather_plane`.
    diagonal, before, after : float64[ny, nx * nz]    Of A; its entries of the plane before and after.
    band : float64[nx * nz, nz]    Scratch.
    sums : float64[nx * nz]    Scratch.
    factors : float32 or float64[ny, nx * nz, nz]    Overwritten.
    inverse : float64[ny, nx * nz]    Overwritten.

    Returns
    -------
    int    -1, or the plane whose D is not above 0.
    """
    ny, n = diagonal.shape
    sums[:] = 0.0
    for j in range(ny):
        gather_plane(across, up, skip, j, band)
        for r in range(n):
            inverse[j, r] = diagonal[j, r] - before[j, r] * sums[r]
        if not factorise_band(band, inverse[j]):
            return j
        factors[j] = band
        if j + 1 < ny:
            sums[:] = after[j]
            solve_band(band, inverse[j], sums)
    return -1


@njit(**options)
def precondition(factors, inverse, before, after, r, work, out):
    """Set out to M^-1 r.

    Parameters
    ----------
    factors, inverse : float    Of `factorise`.
    before, after : float64[ny, nx * nz]
    r : float64[ny, nx * nz]
    work : float64[nx * nz]    Scratch.
    out : float64[ny, nx * nz]    Overwritten.
    """
    ny, n = r.shape
    for j in range(ny):
        out[j] = r[j]
        if j > 0:
            for c in range(n):
                out[j, c] -= before[j, c] * out[j - 1, c]
        solve_band(factors[j], inverse[j], out[j])
    for back in range(ny - 1):
        j = ny - 2 - back
        for c in range(n):
            work[c] = after[j, c] * out[j + 1, c]
        solve_band(factors[j], inverse[j], work)
        for c in range(n):
            out[j, c] -= work[c]


@njit(**options)
def multiply(across, up, skip, diagonal, before, after, x, out):
    """Set out to A x.

    Parameters
    ----------
    across, up, skip : float64    See `gather_plane`.
    diagonal, before, after : float64[ny, nx, nz]    Of A.
    x : float64[ny, nx, nz]
    out : float64[ny, nx, nz]    Overwritten.
    """
    ny, nx, nz = x.shape
    for j in range(ny):
        for i in range(nx):
            for h in range(nz):
                out[j, i, h] = diagonal[j, i, h] * x[j, i, h]
            if j > 0:
                for h in range(nz):
                    out[j, i, h] += before[j, i, h] * x[j - 1, i, h]
            if j + 1 < ny:
                for h in range(nz):
                    out[j, i, h] += after[j, i, h] * x[j + 1, i, h]
            if i > 0:
                for h in range(nz):
                    out[j, i, h] -= across[j, i - 1, h] * x[j, i - 1, h]
            if i + 1 < nx:
                for h in range(nz):
                    out[j, i, h] -= across[j, i, h] * x[j, i + 1, h]
            for h in range(nz - 1):
                out[j, i, h] -= up[j, i, h] * x[j, i, h + 1]
                out[j, i, h + 1] -= up[j, i, h] * x[j, i, h]
            if skip.size > 0:
                for h in range(nz - 2):
                    out[j, i, h] -= skip[j, i, h] * x[j, i, h + 2]
                    out[j, i, h + 2] -= skip[j, i, h] * x[j, i, h]
