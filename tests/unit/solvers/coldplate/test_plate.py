"""Cold plates: the models against each other, against the duct's own solution, and their balances."""

from __future__ import annotations

import re

import numpy as np
import pytest

from solvers.coldplate.channel_flow import Duct, profile
from solvers.coldplate.manifold import Manifold
from solvers.coldplate.plate import HeatMap, Plate, Resolution, Sheet, cell_count, covered, lattice
from solvers.coldplate.plate_solve import Coolant, march_plate, solve_plate
from solvers.coldplate.resolution import resolution_of
from solvers.coldplate.solve import steady
from solvers.coldplate.stack import Ducts, Slab, Stack, build
from solvers.coolant.duct import solve_duct
from solvers.coolant.fluids import fluid
from solvers.errors import CaseError

COPPER = 390.0, 3.45e6
MODELS = "two_resistor", "four_resistor", "correlation", "resolved"


def plate(count=4, width=0.3e-3, height=2e-3, **changes):
    made = Plate(
        width=count * 0.6e-3 + 1.4e-3,
        length=20e-3,
        duct=Duct(width, height, 20e-3),
        channels=count,
        wall=0.3e-3,
        base=Sheet(1.5e-3, *COPPER),
        fin=Sheet(height, *COPPER),
        lid=Sheet(1e-3, *COPPER),
    )
    return made._replace(**changes)


def coarse(model):
    return {
        "two_resistor": Resolution("two_resistor", 24, 8, 0, 1, 1, 2, 1, 1),
        "four_resistor": Resolution("four_resistor", 24, 1, 1, 1, 4, 3, 1, 1),
        "correlation": Resolution("correlation", 24, 1, 2, 2, 12, 3, 1, 1),
        "resolved": Resolution("resolved", 24, 8, 2, 2, 16, 3, 1, 1),
    }[model]


def water(count=4, inlet=313.15):
    return Coolant(fluid("water"), count * 3e-4, inlet)


def uniform(made, power=100.0):
    return [HeatMap(np.array([0.0, made.width]), np.array([0.0, made.length]), np.array([[power]]))]


@pytest.mark.parametrize("model", MODELS)
def test_the_heat_leaves_with_the_coolant(model):
    made, coolant = plate(), water()
    solution = solve_plate(made, coolant, uniform(made), coarse(model))
    assert solution.balance.relative < 1e-8  # the solver's tolerance, summed over cells
    # the true enthalpy, not the mean specific heat that the system carries
    outlet = solution.bulk[-1] + 0.5 * (solution.bulk[-1] - solution.bulk[-2])
    each = solution.grid.members * coolant.m_flow / solution.grid.members.sum()
    taken = each @ (coolant.fluid.enthalpy(outlet) - coolant.fluid.enthalpy(np.full(outlet.size, 313.15)))
    assert taken == pytest.approx(100.0, rel=1e-6)
    assert solution.m_flow.sum() == pytest.approx(coolant.m_flow, rel=1e-9)


def test_all_models_agree():
    made, coolant = plate(), water()
    hot = [HeatMap(np.array([1e-3, 3e-3]), np.array([6e-3, 14e-3]), np.array([[80.0]]))]
    rises = {
        model: float(solve_plate(made, coolant, hot, coarse(model)).heated_face.max()) - coolant.inlet
        for model in MODELS
    }
    for model in MODELS[:3]:
        assert rises[model] == pytest.approx(rises["resolved"], rel=0.035), rises  # what is asked


def test_isothermal_walls_have_the_nusselt_number_of_the_resolved_duct():
    """H1: heat enters evenly along the way; the walls of each plane share one temperature, planes none."""
    columns, rows, planes = 8, 16, 100
    duct, k, rate = Duct(0.3e-3, 0.6e-3, 0.2), 0.6, 0.4
    solid = Slab(0.6e-3, (1e4, 0.0, 1e4), 3e6)
    velocity = profile(duct, columns, rows)
    layer = Ducts(solid, rows, 4e6, k, None, rate * velocity / velocity.size)
    x = np.array([0.1e-3, *[duct.width / columns] * columns, 0.1e-3])
    channel = np.array([False, *[True] * columns, False])
    stack = Stack(x, np.full(planes, 0.2 / planes), (solid, layer, solid), channel, 300.0)
    system = build(stack)
    heat = np.zeros(system.diagonal.shape)
    heat[:, :, 0] = 0.01 * x / x.sum()
    theta = steady(system, heat)
    at = planes - 5  # far behind the entrance, x* above 0.3
    bulk = (theta[at, 1:-1, 1:-1] * velocity).mean()
    area = 2.0 * (duct.width + duct.height) * stack.y[at]
    nu = 0.01 / (area * (theta[at, 0].mean() - bulk)) * duct.diameter / k
    # the very same cells; the walls resist 1e-4 of what the film does, conduction along the coolant less
    assert nu == pytest.approx(solve_duct(0.5, (columns, rows)).nu_h1, rel=2e-3)


def test_finer_planes_change_little():
    made, coolant = plate(), water()
    rises = [
        float(
            solve_plate(made, coolant, uniform(made), coarse("two_resistor")._replace(planes=planes))
            .heated_face.mean()
        )
        - coolant.inlet
        for planes in (12, 24, 48)
    ]  # fmt: skip
    # what is left is how the entrance's film, infinite at the inlet, is averaged
    assert rises == pytest.approx([rises[2]] * 3, rel=1e-3)


def test_viscous_coolants_settle_and_hot_ones_flow_easier():
    made = plate()
    cold, hot = (
        solve_plate(made, Coolant(fluid("pao2"), 2e-3, T), uniform(made), coarse("two_resistor"))
        for T in (300.0, 330.0)
    )
    assert cold.pressure_drop > 1.5 * hot.pressure_drop
    assert cold.rounds > 2
    assert cold.reynolds.mean() < hot.reynolds.mean()


def test_a_z_manifold_cools_the_far_side_better():
    made, coolant = plate(count=12), water(12)
    manifold = Manifold("Z", 1.2e-3, 2e-3, made.pitch)
    solution = solve_plate(made, coolant, uniform(made, 300.0), coarse("four_resistor"), manifold)
    assert solution.m_flow[-1] > solution.m_flow[0]
    assert solution.bulk[-1, -1] < solution.bulk[-1, 0]
    ideal = solve_plate(made, coolant, uniform(made, 300.0), coarse("four_resistor"))
    assert solution.heated_face.max() > ideal.heated_face.max()
    assert solution.balance.relative < 1e-8


def test_chips_with_paste_are_hotter_than_the_base_and_beside_them_is_air():
    chips = np.array([[1e-3, 5e-3, 2e-3, 10e-3]])
    package = (Sheet(0.5e-3, 130.0, 1.6e6), Sheet(50e-6, 5.0, 2e6))
    bare, made = plate(), plate(package=package, chips=chips)
    heat = [HeatMap(np.array([1e-3, 3e-3]), np.array([5e-3, 15e-3]), np.array([[60.0]]))]
    resolution = coarse("four_resistor")
    without = solve_plate(bare, water(), heat, resolution)
    packed = solve_plate(made, water(), heat, resolution)
    flux = 60.0 / (2e-3 * 10e-3)
    extra = flux * (0.5e-3 / 130.0 + 50e-6 / 5.0)  # if all went straight up
    rise = packed.heated_face.max() - without.heated_face.max()
    assert 0.6 * extra < rise < 1.05 * extra  # the die spreads some of it, from its middle to its edges
    grid = lattice(made, resolution)
    share = covered(made, grid)
    assert (share * grid.y[:, None] * grid.x).sum() == pytest.approx(2e-3 * 10e-3, rel=1e-12)
    assert packed.balance.relative < 1e-8


def test_a_warm_room_heats_and_a_cold_one_cools():
    made, coolant = plate(), water()
    rises = [
        solve_plate(made._replace(above=above), coolant, uniform(made), coarse("two_resistor"))
        for above in (None, (2000.0, 250.0), (2000.0, 400.0))
    ]
    mean = [float(s.heated_face.mean()) for s in rises]
    assert mean[1] < mean[0] < mean[2]
    for solution in rises:
        assert solution.balance.relative < 1e-8


@pytest.mark.parametrize("model", MODELS)
def test_lattices_fill_the_plate_and_maps_keep_their_heat(model):
    made = plate()
    grid = lattice(made, coarse(model))
    assert grid.x.sum() == pytest.approx(made.width, rel=1e-12)
    assert grid.members.sum() == pytest.approx(4)
    item = HeatMap(np.array([0.0, 1.1e-3, 2.9e-3]), np.array([3e-3, 3.3e-3]), np.array([[5.0, 7.0]]))
    on = item.on(grid)
    assert on.sum() == pytest.approx(12.0, rel=1e-12)
    assert on[: int(3e-3 / grid.y[0])].sum() == 0.0


def test_a_transient_ends_in_the_steady_plate():
    made, coolant = plate(), water()
    solution = solve_plate(made, coolant, uniform(made), coarse("two_resistor"))
    seen = []
    theta = march_plate(solution, [1.0] * 40 + [0.5] * 40, 0.5, lambda m: seen.append(m.account.relative))
    np.testing.assert_allclose(
        theta, 0.5 * solution.theta, atol=1e-4
    )  # 20 s, many time constants; solver 1e-8
    assert seen[-1] < 1e-6


def test_no_flow_and_turbulence_in_a_resolved_profile_are_refused():
    made = plate()
    with pytest.raises(CaseError, match="must be above 0"):
        solve_plate(made, water()._replace(m_flow=0.0), uniform(made), coarse("two_resistor"))
    with pytest.raises(CaseError, match="laminar"):
        solve_plate(made, water()._replace(m_flow=0.1), uniform(made), coarse("resolved"))
    fast = solve_plate(made, water()._replace(m_flow=0.1), uniform(made), coarse("correlation"))
    assert fast.reynolds.min() > 2300.0


def test_cells_are_chosen_within_the_limit():
    made = plate(count=60, package=(Sheet(0.5e-3, 130.0, 1.6e6),) * 2)
    for model, least in (("two_resistor", 1_000), ("four_resistor", 12_000), ("correlation", 12_000),
                         ("resolved", 40_000)):  # fmt: skip
        for most in (1_000_000, 200_000, 60_000, least):
            resolution = resolution_of(made, model, most)
            assert resolution.model == model and resolution.planes >= 8
            if most > least:
                assert cell_count(made, resolution) <= most, (model, most)
            else:
                assert cell_count(made, resolution) <= 1.2 * most, (model, most)


def test_a_limit_that_the_least_grid_exceeds_is_refused_with_the_least_number():
    many = plate(count=500)
    for model in MODELS[1:]:
        with pytest.raises(
            CaseError, match=r"500 channels with the .* take \d+ cells at least; 1000"
        ) as told:
            resolution_of(many, model, 1000)
        least = int(re.search(r"take (\d+) cells", str(told.value))[1])
        assert least > 1200
        assert cell_count(many, resolution_of(many, model, least)) == least


def test_the_limit_is_used_up_where_the_section_allows_it():
    """The finest section may not fit; planes are then fewer, by less than one of them."""
    made = plate(count=124, height=4e-3, length=70e-3, package=(Sheet(0.5e-3, 130.0, 1.6e6),) * 2)
    for model, most in (("correlation", 400_000), ("resolved", 1_000_000)):
        made_of = resolution_of(made, model, most)
        assert 0.95 * most < cell_count(made, made_of) <= most
        assert made_of.columns == (4 if model == "resolved" else 1)


@pytest.mark.parametrize("model", MODELS)
def test_cells_are_counted_before_they_are_made(model):
    made = plate(package=(Sheet(0.5e-3, 130.0, 1.6e6),))
    solution = solve_plate(made, water(), uniform(made), coarse(model))
    assert cell_count(made, coarse(model)) == solution.theta.size


def test_base_and_lid_are_finest_at_the_channels():
    made = plate()
    stack = solve_plate(made, water(), uniform(made), coarse("four_resistor")._replace(lid=2)).stack
    heights = [layer.thickness for layer in stack.layers if isinstance(layer, Slab)]
    assert heights == pytest.approx([1.5e-3 * 4 / 7, 1.5e-3 * 2 / 7, 1.5e-3 / 7, 1e-3 / 3, 2e-3 / 3])


def test_spread_channels_come_to_the_resolved_ones_as_rows_grow():
    made, coolant = plate(), water()
    fine = coarse("correlation")._replace(walls=6, base=6, rows=24)
    expected = float(solve_plate(made, coolant, uniform(made), fine).heated_face.mean()) - coolant.inlet
    reached = [
        float(
            solve_plate(made, coolant, uniform(made), coarse("two_resistor")._replace(rows=rows))
            .heated_face.mean()
        )
        - coolant.inlet
        for rows in (1, 8)
    ]  # fmt: skip
    assert abs(reached[1] - expected) < abs(reached[0] - expected)
    assert reached[1] == pytest.approx(expected, rel=0.01)  # what is left: the margins are spread too


def test_fine_maps_get_finer_cells():
    made = plate(count=60)
    fields = HeatMap(np.array([0.0, 2e-3, 4e-3]), np.array([0.0, 2e-3]), np.ones((1, 2)))
    even = HeatMap(np.array([0.0, 2e-3]), np.array([0.0, 2e-3]), np.ones((1, 1)))  # a small chip
    plain, fine, small = (resolution_of(made, "two_resistor", maps=maps) for maps in ((), (fields,), (even,)))
    assert small == fine
    assert (plain.planes, plain.columns) == (16, 12)
    assert (fine.planes, fine.columns) == (20, 24)  # 20 mm / 1 mm; 37.4 mm / 1 mm, at most 24


@pytest.mark.parametrize("model", MODELS)
def test_channels_may_fill_the_whole_width(model):
    made = plate()
    made = made._replace(width=4 * 0.6e-3 - 0.3e-3)  # 4 channels and 3 walls
    assert abs(made.margin) < 1e-12
    solution = solve_plate(made, water(), uniform(made), coarse(model))
    assert np.all(solution.grid.x > 0.0)
    assert solution.grid.x.sum() == pytest.approx(made.width, rel=1e-12)
    assert solution.balance.relative < 1e-8
    wide = solve_plate(made._replace(width=made.width + 1e-7), water(), uniform(made), coarse(model))
    rises = [float(item.heated_face.max()) - 313.15 for item in (solution, wide)]
    assert rises[0] == pytest.approx(rises[1], rel=2e-3)  # 50 nm of margin on either side


def test_a_plate_without_any_wall_is_refused():
    made = plate(count=1)
    made = made._replace(width=made.duct.width)
    for model in MODELS:
        with pytest.raises(CaseError, match="takes the whole width"):
            solve_plate(made, water(1), uniform(made), coarse(model))
