"""The resolved duct against the reference table, its order, and what it refuses."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from solvers.coolant.duct import refined, solve_duct
from solvers.errors import CaseError

REFERENCE = next(
    (p / "shared/reference" for p in Path(__file__).resolve().parents if (p / "shared/reference").is_dir()),
    None,
)
HEATED = {"": (True,) * 4, "_3w_long": (True, False, True, True), "_3w_short": (True, True, True, False)}


@pytest.mark.skipif(REFERENCE is None, reason="shared/reference is not beside the checkout")
def test_resolved_values_are_those_of_the_reference_table():
    assert REFERENCE is not None
    lines = (REFERENCE / "rectangular_duct_laminar_fRe_Nu.csv").read_text().splitlines()
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        aspect = float(row["alpha"])
        if aspect < 0.1:  # asked from 0.1 to 1; flatter ducts need more cells along their long side
            continue
        for walls, heated in HEATED.items():
            f_re, nu_h1, nu_t = refined(aspect, (24, 48), heated)
            # asked 1 %; what Richardson leaves of 24 x 48 cells at 0.1 is 0.3 %
            assert f_re == pytest.approx(float(row["fRe_series"]), rel=3e-3)
            assert nu_h1 == pytest.approx(float(row[f"nu_H1{walls or '_num'}"]), rel=3e-3)
            assert nu_t == pytest.approx(float(row[f"nu_T{walls or '_num'}"]), rel=3e-3)


@pytest.mark.parametrize("which", ["f_re", "nu_h1", "nu_t"])
def test_the_order_is_two(which):
    errors = []
    exact = {"f_re": 14.22708, "nu_h1": 3.60795, "nu_t": 2.97700}[
        which
    ]  # Shah and London; Nu by 96^2 Richardson
    if which != "f_re":
        exact = refined(1.0, (96, 96))[("f_re", "nu_h1", "nu_t").index(which)]
    errors = [abs(getattr(solve_duct(1.0, (n, n)), which) / exact - 1) for n in (12, 24, 48)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (orders > 1.9).all() and (orders < 2.1).all()


def test_the_profile_has_mean_one_and_the_peak_of_plates():
    duct = solve_duct(0.02, (32, 64))
    assert float(duct.u.mean()) == pytest.approx(1.0, rel=1e-12)
    assert float(duct.u.max()) == pytest.approx(1.5, rel=0.02)  # plates 1.5; the ends slow 2 %
    assert solve_duct(0.5).u.shape == (32, 32)


def test_width_and_height_can_be_exchanged():
    heated = (True, False, True, True)
    one, other = solve_duct(0.25, (20, 30), heated), solve_duct(4.0, (30, 20), (True, True, True, False))
    assert one.f_re == pytest.approx(other.f_re, rel=1e-10)
    assert one.nu_h1 == pytest.approx(other.nu_h1, rel=1e-10)
    assert one.nu_t == pytest.approx(other.nu_t, rel=1e-9)


def test_every_fault_is_named_at_once():
    with pytest.raises(CaseError) as caught:
        solve_duct(-1.0, (1, 8), (False,) * 4)
    assert all(text in str(caught.value) for text in ("aspect -1.0", "cells (1, 8)", "no wall is heated"))
