"""Compact models against fins resolved by hand and against their own limits."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.coldplate.solve import steady
from solvers.coldplate.stack import Channels, Porous, Slab, Stack, build, fin, pin_film, strip_constriction
from solvers.coldplate.system import balance, outlet_excess
from solvers.errors import CaseError

SILICON = Slab(50e-6, (130.0, 130.0, 130.0), 1.6e6)
NONE = np.zeros(0, dtype=bool)


def test_a_fin_with_two_roots_equals_its_finite_differences():
    film, k, w, height, cells = 2e4, 130.0, 50e-6, 400e-6, 2000
    to_coolant, through = fin(film, k, w, height)
    d = height / cells
    link = k * w / d
    loss = 2 * film * d
    matrix = np.diag(np.full(cells, 2 * link + loss)) - link * (np.eye(cells, k=1) + np.eye(cells, k=-1))
    matrix[0, 0] = matrix[-1, -1] = 3 * link + loss  # half a cell to the root
    b = np.zeros(cells)
    b[0] = 2 * link  # the lower root at 1, the upper and the coolant at 0
    T = np.linalg.solve(matrix, b)
    into_upper = 2 * link * T[-1]
    from_lower = 2 * link * (1 - T[0])
    assert into_upper == pytest.approx(through, rel=1e-5)  # second order, 2000 cells
    assert from_lower == pytest.approx(through + to_coolant, rel=1e-5)


def porous_stack(bottom, top, through, upper_heat):
    nx, ny = 3, 20
    layer = Porous(1e-4, 2e6, 8e5, bottom, top, through, 0.0, np.full(nx, 0.01))
    plate = SILICON._replace(conductivity=(130.0, 0.0, 130.0))  # so that no plane knows of the next
    layers = (plate, layer, plate)
    stack = Stack(np.full(nx, 2e-4), np.full(ny, 2e-4), layers, np.zeros(nx, dtype=bool), 300.0)
    system = build(stack)
    heat = np.zeros(system.diagonal.shape)
    heat[:, :, 0] = 0.01
    heat[:, :, -1] = upper_heat
    return system, heat, stack


def test_two_resistors_without_walls_heat_the_coolant_from_below_alone():
    film = 4e4
    system, heat, stack = porous_stack(film, film, 0.0, 0.0)
    theta = steady(system, heat)
    area, at = 4e-8, stack.coolant(1)
    film_drop = theta[10, 1, 1] - theta[10, 1, at]
    assert film_drop == pytest.approx(0.01 / (film * area), rel=1e-6)
    assert theta[10, 1, -1] == pytest.approx(theta[10, 1, at + 1], rel=1e-9)  # nothing heats it
    assert outlet_excess(system, theta) == pytest.approx(0.01 * 20 / 0.01, rel=1e-9)
    assert balance(system, theta, heat).relative < 1e-9  # the solver's tolerance


def test_two_resistors_pass_heat_through_the_walls():
    apart, *_ = porous_stack(4e4, 4e4, 0.0, 0.0)
    joined, heat, _ = porous_stack(4e4, 4e4, 1e6, 0.0)
    assert steady(joined, heat)[:, :, 0].max() < steady(apart, heat)[:, :, 0].max()


def test_two_resistors_are_symmetric():
    system, heat, _ = porous_stack(4e4, 4e4, 3e5, 0.01)
    theta = steady(system, heat)
    np.testing.assert_allclose(theta[:, :, 0], theta[:, :, -1], rtol=1e-8)  # the solver's tolerance


def four(rate):
    x = np.array([25e-6, 50e-6, 50e-6, 50e-6, 25e-6])
    channel = np.array([False, True, False, True, False])
    wall = Slab(1e-4, SILICON.conductivity, SILICON.heat_capacity)
    layer = Channels(wall, 4.17e6, 3e4, 4e4, 5e4, rate)
    return Stack(x, np.full(10, 2e-4), (SILICON, layer, SILICON), channel, 300.0)


def test_four_resistors_share_the_heat_by_symmetry_and_by_flow():
    stack = four(np.array([0.02, 0.02]))
    system = build(stack)
    heat = np.zeros(system.diagonal.shape)
    heat[:, :, 0] = 0.02 * stack.x / stack.x.sum()
    theta = steady(system, heat)
    np.testing.assert_allclose(theta, theta[:, ::-1], rtol=1e-7)  # mirror image, to the solver's tolerance
    poor = build(four(np.array([0.01, 0.03])))
    starved = steady(poor, heat)
    assert starved[-1, 1, 1] > starved[-1, 3, 1]  # less flow, warmer coolant
    assert outlet_excess(poor, starved) == pytest.approx(outlet_excess(system, theta), rel=1e-9)


def test_a_sink_adds_half_of_the_layer_before_it():
    area, half = 4e-8, 130.0 * 4e-8 / 25e-6
    film = 1e4
    stack = Stack(np.array([2e-4]), np.array([2e-4]), (SILICON, SILICON), NONE, 300.0, top=(film, 290.0))
    system = build(stack)
    heat = np.zeros((1, 1, 2))
    heat[0, 0, 1] = 0.5
    theta = steady(system, heat)
    drop = 0.5 * (1 / (film * area) + 1 / half)
    assert theta[0, 0, 1] == pytest.approx(-10.0 + drop, rel=1e-9)
    assert theta[0, 0, 0] == pytest.approx(theta[0, 0, 1], rel=1e-9)


def test_outer_faces_halve_the_conductance_inwards():
    layers = (SILICON, SILICON)
    inside = build(Stack(np.array([2e-4]), np.array([2e-4]), layers, NONE, 300.0, top=(1e4, 300.0)))
    outside = build(
        Stack(np.array([2e-4]), np.array([2e-4]), layers, NONE, 300.0, top=(1e4, 300.0), outer_faces=True)
    )
    half = 130.0 * 4e-8 / 25e-6
    assert inside.up[0, 0, 0] == pytest.approx(half / 2)
    assert outside.up[0, 0, 0] == pytest.approx(half / 3)  # the whole layer and half of the next


def test_channels_at_the_surface_and_flows_that_do_not_fit_are_refused():
    good = four(np.array([0.02, 0.02]))
    with pytest.raises(CaseError, match="must be solid"):
        build(good._replace(layers=good.layers[1:]))
    with pytest.raises(CaseError, match="2 columns"):
        build(four(np.array([0.02])))


def test_pins_follow_the_published_form():
    # 1 / (2.527e-5 / 2.35^0.64 + 1.533e-6) at 1 m/s, by hand
    assert pin_film(1.0, staggered=False) == pytest.approx(6.18e4, rel=2e-3)
    assert pin_film(1.0, staggered=True) > pin_film(1.0, staggered=False)


def test_constriction_into_walls_equals_its_finite_differences():
    """Half a pitch wide, one deep; even heat from below, out through a strip at 0 above."""
    k, pitch, share, nx = 390.0, 0.5e-3, 0.25, 32
    nz, d = 2 * nx, 0.5 * pitch / nx
    number = np.arange(nx * nz).reshape(nz, nx)
    matrix = np.zeros((nx * nz, nx * nz))
    for a, b in ((number[:, :-1], number[:, 1:]), (number[:-1], number[1:])):
        for i, j in zip(a.ravel(), b.ravel(), strict=True):
            matrix[[i, j], [i, j]] += k
            matrix[[i, j], [j, i]] -= k
    strip = number[-1, : round(share * nx)]
    matrix[strip, strip] += 2.0 * k
    b = np.zeros(nx * nz)
    b[number[0]] = 1.0 / nx  # W per metre of depth
    T = np.linalg.solve(matrix, b)
    straight = pitch / k / (0.5 * pitch)  # one pitch deep, half of one wide
    extra = T[number[0]].mean() + 0.5 * d / k / (0.5 * pitch) - straight
    # the edge of the strip is singular: first order, 8 cells on it
    assert strip_constriction(share, pitch, k) / (0.5 * pitch) == pytest.approx(extra, rel=0.06)
    assert strip_constriction(1.0, pitch, k) == 0.0
