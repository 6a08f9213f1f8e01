"""Temperatures of wetted walls: faces between the solid's cells and the coolant."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.coldplate.channel_flow import Duct
from solvers.coldplate.plate import HeatMap, Plate, Resolution, Sheet
from solvers.coldplate.plate_solve import Coolant, solve_plate
from solvers.coldplate.wetted import bulk_temperature, wetted_temperatures
from solvers.coolant.fluids import fluid

COPPER = 390.0, 3.45e6


def solved(resolution, k=COPPER[0]):
    sheet = Sheet(1e-3, k, COPPER[1])
    made = Plate(4e-3, 10e-3, Duct(0.5e-3, 1e-3, 10e-3), 4, 0.5e-3, sheet, sheet, sheet)
    heat = HeatMap(np.array([0.0, 4e-3]), np.array([0.0, 10e-3]), np.array([[40.0]]))
    return solve_plate(made, Coolant(fluid("water"), 2e-3, 303.15), [heat], resolution)


@pytest.mark.parametrize(
    "resolution",
    [
        Resolution("correlation", 12, 1, 2, 2, 8, 3, 2, 1),
        Resolution("resolved", 12, 4, 2, 2, 8, 3, 2, 1),
    ],
)
def test_the_floor_of_a_channel_is_hotter_than_all_cells_of_its_layer(resolution):
    """The floor stands between base and coolant; heat through either half of it is the same."""
    solution = solved(resolution, k=5.0)  # steep from the base upwards
    first, end = (solution.stack.first[solution.channels + n] for n in (0, 1))
    cells = solution.temperature[:, :, first:end]
    reached = wetted_temperatures(solution, solution.theta)
    base = solution.temperature[:, solution.grid.channel >= 0, first - 1]
    assert cells.max() < reached.max() < base.max()
    faces = reached[cells.size : cells.size + base.size].reshape(base.shape)
    coolant = solution.temperature[:, solution.grid.channel >= 0, first]
    slab = solution.stack.layers[solution.channels - 1]
    below = 5.0 / (0.5 * slab.thickness) * (base - faces)
    if resolution.model == "correlation":
        above = solution.film[:, solution.grid.channel[solution.grid.channel >= 0]] * (faces - coolant)
    else:
        above = solution.flowing.conductivity / (0.5 * 1e-3 / 8) * (faces - coolant)
    np.testing.assert_allclose(below, above, rtol=1e-9)  # rounding of differences of kelvins


@pytest.mark.parametrize("model", ["two_resistor", "correlation"])
def test_the_bulk_of_the_steady_state_is_the_solutions_own(model):
    resolution = Resolution(model, 12, 1, 2, 2, 8, 3, 2, 1)
    if model == "two_resistor":
        resolution = Resolution(model, 12, 4, 0, 1, 1, 1, 1, 1)
    solution = solved(resolution)
    np.testing.assert_allclose(bulk_temperature(solution, solution.theta), solution.bulk, atol=1e-9)
    np.testing.assert_array_equal(bulk_temperature(solution, 0.0 * solution.theta), 303.15)
