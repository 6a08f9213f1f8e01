"""Nusselt numbers against the reference table and against a marched thermal entrance."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import diags_array
from scipy.sparse.linalg import splu

from solvers.coolant.duct import laplacian, solve_duct
from solvers.coolant.heat_transfer import KINDS, nusselt
from solvers.errors import CaseError

REFERENCE = next(
    (p / "shared/reference" for p in Path(__file__).resolve().parents if (p / "shared/reference").is_dir()),
    None,
)
COLUMNS = {
    "H1": "nu_H1_num",
    "T": "nu_T_num",
    "H1_three_wall": "nu_H1_3w_short",
    "T_three_wall": "nu_T_3w_short",
    "H1_three_wall_long": "nu_H1_3w_long",
    "T_three_wall_long": "nu_T_3w_long",
}


@pytest.mark.skipif(REFERENCE is None, reason="shared/reference is not beside the checkout")
@pytest.mark.parametrize("kind", KINDS)
def test_developed_values_are_those_of_the_reference_table(kind):
    assert REFERENCE is not None
    lines = (REFERENCE / "rectangular_duct_laminar_fRe_Nu.csv").read_text().splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    aspect = np.array([float(row["alpha"]) for row in rows])
    expected = np.array([float(row[COLUMNS[kind]]) for row in rows])
    # asked 0.2 %; table and polynomial are good to 0.05 % each
    np.testing.assert_allclose(nusselt(aspect, kind), expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("kind", "plates"),
    [("H1", 140 / 17), ("T", 7.5407), ("H1_three_wall_long", 70 / 13), ("T_three_wall_long", 4.8608)],
)
def test_flat_ducts_are_plates(kind, plates):
    # exact solutions: plates heated on both sides, on one side
    assert float(nusselt(0.0, kind)) == pytest.approx(plates, rel=1e-5)


@pytest.mark.parametrize("aspect", [1.0, 0.3])
@pytest.mark.parametrize("kind", ["T", "H1", "T_three_wall"])
def test_the_entrance_follows_a_marched_solution(aspect, kind):
    x_star, local, mean = march(aspect, kind)
    use = x_star > 4e-3  # nearer to the entrance 30 cells do not resolve the boundary layer
    # stated 8 %; 1 % is the error of the marched solution on this grid
    np.testing.assert_allclose(nusselt(aspect, kind, x_star[use]), local[use], rtol=0.09)
    np.testing.assert_allclose(nusselt(aspect, kind, x_star[use], mean=True), mean[use], rtol=0.09)


def march(aspect, kind):
    """Graetz's problem on a grid: developed velocity, uniform entrance temperature, implicit in x."""
    cells = (30, 30)
    heated = (True, True, True, "three" not in kind)
    u = solve_duct(aspect, cells).u.ravel()
    matrix = laplacian(cells, (aspect / cells[0], 1 / cells[1]), heated)
    wall = np.asarray(matrix.sum(axis=1)).ravel()  # what heated walls of temperature 1 give
    diameter = 2 * aspect / (1 + aspect)
    edges = np.concatenate([[0.0], np.geomspace(1e-4, 0.3, 60)]) * diameter**2  # x in units of u_mean / alpha
    scale = aspect * diameter / float(np.dot(heated, (1, 1, aspect, aspect)))
    t, total, places, local, mean = np.zeros(u.size), 0.0, [], [], []
    for low, high in pairwise(edges):
        dx = high - low
        solve = splu((matrix + diags_array(u / dx)).tocsc()).solve
        base, per_wall = solve(u * t / dx), solve(wall)
        # constant heat: the mean of u t rises by 1 a length
        T_heat = ((u * t).mean() + dx - (u * base).mean()) / (u * per_wall).mean()
        T_wall = T_heat if kind == "H1" else 1.0
        old, t = (u * t).mean(), base + T_wall * per_wall
        local.append(scale * ((u * t).mean() - old) / dx / (T_wall - (u * t).mean()))
        total += local[-1] * dx
        mean.append(total / high)
        places.append(high / diameter**2)
    return np.array(places), np.array(local), np.array(mean)


def test_developing_velocity_raises_the_nusselt_number_and_fades():
    x = np.array([1e-3, 1e-2, 1.0])
    plain, combined = nusselt(0.5, "H1", x), nusselt(0.5, "H1", x, Pr=5.0)
    assert (combined[:2] > plain[:2]).all()
    assert combined[2] == pytest.approx(plain[2], rel=1e-3)
    assert float(nusselt(0.5, "H1", 100.0)) == pytest.approx(float(nusselt(0.5, "H1")), rel=1e-4)


def test_an_unknown_kind_names_the_known():
    with pytest.raises(CaseError, match="H1_three_wall_long"):
        nusselt(0.5, "H2")
