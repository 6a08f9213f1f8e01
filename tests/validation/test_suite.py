"""Every case of the validation suite in its quick form, and what the suite makes of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from twin.errors import InputError
from twin.validation.case import (
    Case,
    Figure,
    Panel,
    Result,
    at_least,
    at_most,
    observed_orders,
    series,
    within,
)
from twin.validation.cases import coolant_stacks, order
from twin.validation.chart import draw
from twin.validation.page import write_page
from twin.validation.reference import find_stack, read_reference
from twin.validation.suite import MODULES, Validation, Verdict, load_cases, validate

# What the mock-up misses on the coarse grid of its quick form; see docs/validation.md. The flow is
# unsteady, its mean over a finite time: other rounding takes another path to it. 5 % leaves room for that and
# is a fifth of what the pressures may be off; a larger change is one of the solver or the layout, and belongs
# on the page.
KNOWN_FAILS = {
    "data_centre_mockup": {
        "mixing_length: pressure, subfloor less cold aisle": pytest.approx(14.70, rel=0.05),
        "mixing_length: rms error of the speed at 65 points": pytest.approx(0.579, rel=0.05),
    }
}


@pytest.mark.parametrize("name", MODULES)
def test_case_reaches_what_is_known_in_its_quick_form(name):
    result = validate([name]).verdicts[0].result
    missed = {quantity.name: quantity.reached for quantity in result.quantities if not quantity.passed}
    assert missed == KNOWN_FAILS.get(name, {}), result.notes
    assert result.quantities and result.grid and result.figures


def test_rules():
    assert within("Nu", 2.0, 2.0199, 0.01).passed and not within("Nu", 2.0, 2.021, 0.01).passed
    assert within("slope", -0.5, -0.51, 0.05).passed and not within("slope", -0.5, 0.5, 0.05).passed
    assert at_most("error", 1.0, 1.0).passed and not at_most("error", 1.0, 1.01).passed
    assert at_least("order", 1.9, 2.0).passed and not at_least("order", 1.9, 1.8).passed
    for rule in (
        lambda v: within("a", 1.0, v, 0.1),
        lambda v: at_most("a", 1, v),
        lambda v: at_least("a", 1, v),
    ):
        assert not rule(np.nan).passed
    assert not Result((), "").passed


def test_order_of_a_power():
    h = np.array([0.1, 0.05, 0.02])
    assert observed_orders(h, 3 * h**2.5) == pytest.approx([2.5, 2.5])


@pytest.mark.parametrize("what", ["force_x", "force_z", "heat"])
def test_the_manufactured_forcing_is_what_the_equations_leave(what):
    exact, d = order._Exact(), 1e-4
    x, z = np.meshgrid(np.linspace(0.1, 0.9, 7), np.linspace(0.15, 0.95, 6), indexing="ij")

    def slope(f, along):
        dx, dz = (d, 0) if along == "x" else (0, d)
        return (f(x + dx, z + dz) - f(x - dx, z - dz)) / (2 * d)

    def laplace(f):
        return (f(x + d, z) + f(x - d, z) + f(x, z + d) + f(x, z - d) - 4 * f(x, z)) / d**2

    assert np.abs(slope(exact.u, "x") + slope(exact.w, "z")).max() < 1e-7  # rounding of the differences
    phi, diffusivity = {
        "force_x": (exact.u, exact.nu),
        "force_z": (exact.w, exact.nu),
        "heat": (exact.theta, exact.nu / exact.Pr),
    }[what]
    left = exact.u(x, z) * slope(phi, "x") + exact.w(x, z) * slope(phi, "z") - diffusivity * laplace(phi)
    if what != "heat":
        left += slope(exact.p, what[-1]) / order.RHO
    if what == "force_z":
        left -= order.GRAVITY / order._T_REF * exact.theta(x, z)
    # second differences of step d: d^2 pi^4 of the field
    assert getattr(exact, what)(x, z) == pytest.approx(left, abs=1e-5)


def test_stacks_that_are_not_beside_the_checkout_are_said_not_to_run(monkeypatch):
    monkeypatch.setattr(coolant_stacks, "find_stack", lambda name: None)
    found, note = coolant_stacks._originals(lambda text, share: None)
    assert found == [] and note.startswith("Not run: the files of the suite")
    assert find_stack("no_such_stack.stk") is None


def test_references_name_their_publication():
    table = read_reference("devahldavis1983_square_cavity")
    assert "de Vahl Davis" in table.heading[0]
    assert table.where("Ra", "1e5").numbers("nu_mean")[0] == 4.519
    assert read_reference("betts_bokhari2000_tall_cavity_Ra0p86e6").where("y_over_H", "0.5").columns["x_mm"]


def test_a_wrong_name_is_refused_with_all_of_them():
    with pytest.raises(InputError, match=r"ghia.*is no case.*lid_driven_cavity") as caught:
        load_cases(["ghia", "duct", "trie"])
    assert [finding.value for finding in caught.value.findings] == ["ghia", "trie"]


def test_the_page_takes_any_name_and_any_number(tmp_path):
    from twin.validation.page import record

    result = Result((at_most("largest |div u|", 1.0, np.inf), at_most("e", 1.0, np.nan)), "1")
    case = Case("one", "One", "s", "c", "m", "n", lambda full, progress: result)
    page = write_page(tmp_path, ".", (case,), {"one": record(case, result, 1.0, full=True)}).read_text()
    assert r"| largest \|div u\| | 1 | none | - | at most | **fail** |" in page
    held = json.loads((tmp_path / "results.json").read_text())
    assert [row["reached"] for row in held["one"]["quantities"]] == [None, None]
    assert write_page(tmp_path, ".", (case,), {}).read_text() == page


def a_case(name, passed):
    figure = Figure(
        f"{name}_figure", "What it shows.", (Panel("a", "x", "y", (series("s", [1, 2], [1, 2]),)),)
    )
    quantities = (at_most("error", 1.0, 0.5 if passed else np.inf, "K"),)
    result = Result(quantities, "8 x 8", (at_most("other", 1.0, 2.0),), (figure,), ("A note.",))
    return Case(
        name, name.title(), "Someone 1900", "laminar", "all", "nothing", lambda full, progress: result
    ), result


def test_json_tells_asked_and_reached():
    verdicts = tuple(Verdict(*a_case(name, ok), 1.0) for name, ok in (("one", True), ("two", False)))
    body = Validation(verdicts, full=False, folder=None).as_json()
    assert (body["passed"], body["failed"]) == (1, 1)
    assert {"name", "quantity", "asked", "reached", "unit", "pass"} <= body["cases"][0].keys()
    assert body["cases"][1]["reached"] is None  # infinite: JSON has no such number
    json.dumps(body, allow_nan=False)


def test_the_page_keeps_what_ran_before(tmp_path):
    from twin.validation.page import record

    (tmp_path / "validation").mkdir()
    one, other = a_case("one", True), a_case("two", False)
    cases = (one[0], other[0])
    write_page(tmp_path, "validation", cases, {"one": record(*one, 1.0, full=True)})
    page = write_page(tmp_path, "validation", cases, {"two": record(*other, 2.0, full=False)}).read_text()
    assert "| [One](#one) | pass |" in page and "| [Two](#two) | **fail** (quick form) |" in page
    assert "![What it shows.](validation/one_figure.png)" in page
    for figure in one[1].figures:
        assert draw(figure, tmp_path).stat().st_size > 1000
