"""Kernels of walls, screens and eddy viscosity against walks over the cells of a room."""

from __future__ import annotations

import math

import numpy as np
import pytest

from solvers.airflow import closures, tiles, walls
from solvers.airflow.case import Closure
from solvers.airflow.wall_faces import collect_walls
from solvers.linear.multigrid import padded

NU = 1.5e-5
ROUNDING = 1e-6  # some ten roundings of 6e-8 each in single precision
AXES = np.eye(3, dtype=int)


def walls_of(room, c, point):
    """Walls along a velocity point: (those of its two cells that have the wall, distance y)."""
    found = []
    for d in (e for e in range(3) if e != c):
        for side in (0, 1):
            beside = []
            for cell in (point - AXES[c], point):
                face = tuple(cell + side * AXES[d])
                if not (room.open[d][face] or room.patch[d][face]):
                    beside.append(tuple(cell))
            if beside:
                found.append((beside, 0.5 * room.case.grid.widths[d][point[d]]))
    return found


def textbook_friction(room, law):
    """Friction of each velocity point: law(c, point, cells, y) over the cell width, half for one cell."""
    out = [np.zeros(is_open.shape) for is_open in room.open]
    for c in range(3):
        for point in np.argwhere(room.open[c]):
            for beside, y in walls_of(room, c, point):
                share = len(beside) / 2
                out[c][tuple(point)] += share * law(c, tuple(point), beside, y) / (2 * y)
    return out


def test_power_law_friction(any_room, pick):
    room, velocity = any_room, any_room.velocity()
    laminar_faces = 0

    def law(c, point, beside, y):
        nonlocal laminar_faces
        u = abs(float(velocity[c][point]))
        viscous, power = NU / y, 0.0246 * u**0.75 * (NU / y) ** 0.25
        laminar_faces += viscous > power
        return max(viscous, power)

    velocity[2] *= np.float32(1e-4)  # slow enough for the viscous branch
    expected = textbook_friction(room, law)
    points = collect_walls(room.case, room.geometry)[0]
    for c in range(3):
        of, out, push = points[c], room.zeros(), room.zeros()
        y, weight = of.y.astype(float), of.weight.astype(float)
        laminar = (weight * NU / y).astype(np.float32)
        turbulent = (weight * 0.0246 * (NU / y) ** 0.25).astype(np.float32)
        phi = room.pad(velocity[c], c)
        pick(walls.power_law_friction)(of.target, laminar, turbulent, of.velocity, phi, out, push)
        assert room.cut(out, c) == pytest.approx(expected[c], rel=3 * ROUNDING)  # six walls add up
        assert not push.any()  # no wall moves
    assert laminar_faces > 10


def test_moving_walls_drag_to_their_own_velocity(pick):
    # friction (u_wall - u): with u = u_wall nothing is left; a point may lie beside several walls
    target = np.array([4, 7, 4])
    laminar, turbulent = np.array([[1.0, 2.0, 3.0], [9.0, 8.0, 0.1]], dtype=np.float32)
    velocity, phi = np.array([0.3, 0.0, -0.2], dtype=np.float32), np.linspace(-1, 1, 9).astype(np.float32)
    out, push = np.ones((2, 9), dtype=np.float32)
    pick(walls.power_law_friction)(target, laminar, turbulent, velocity, phi, out, push)
    friction, shove = np.ones(9), np.ones(9)
    for n, a, b, V in zip(target, laminar, turbulent, velocity, strict=True):
        rate = max(float(a), float(b) * abs(float(phi[n]) - float(V)) ** 0.75)
        friction[n] += rate
        shove[n] += rate * float(V)
    assert out == pytest.approx(friction, rel=ROUNDING)
    assert push == pytest.approx(shove, rel=ROUNDING)


def test_given_friction(any_room, pick):
    room = any_room

    def law(c, point, beside, y):
        # what a closure says: the mean over the cells that have the wall, any number will do
        return sum(math.sin(9 * sum(cell) + y) + 2 for cell in beside) / len(beside)

    expected = textbook_friction(room, law)
    points = collect_walls(room.case, room.geometry)[0]
    for c in range(3):
        of, out, push = points[c], room.zeros(), room.zeros()
        index = [np.stack(np.unravel_index(n, padded(room.shape))) - 1 for n in (of.cell, of.other)]
        rate = sum(np.sin(9 * cell.sum(axis=0) + of.y.astype(float)) + 2 for cell in index) / 2
        pick(walls.given_friction)(of.target, of.weight, rate.astype(np.float32), of.velocity, out, push)
        # the sine's argument is good to 1e-8, its value to 1e-6 of 1
        assert room.cut(out, c) == pytest.approx(expected[c], rel=5 * ROUNDING)
        assert not push.any()
    target, one = np.array([1, 1]), np.ones(2, dtype=np.float32)
    out, push = np.zeros((2, 3), dtype=np.float32)
    pick(walls.given_friction)(target, 2 * one, 3 * one, np.array([0.5, 0.0], dtype=np.float32), out, push)
    assert out.tolist() == [0, 12, 0]
    assert push.tolist() == [0, 3, 0]  # only one of the two walls moves


def test_mixing_length_viscosity(build_room, pick):
    room = build_room(4, closure="mixing_length")
    velocity, out = room.velocity(), room.zeros()
    pick(closures.mixing_length_viscosity)(
        *room.padded_velocity(velocity), room.geometry.mixing, NU, *room.extent, out
    )
    found, length = room.cut(out), room.cut(room.geometry.mixing)
    distance = textbook_wall_distance(room)
    for cell in np.argwhere(room.fluid):
        speed = math.hypot(
            *(0.5 * (float(u[tuple(cell)]) + float(u[tuple(cell + AXES[d])])) for d, u in enumerate(velocity))
        )
        assert found[tuple(cell)] == pytest.approx(NU + float(length[tuple(cell)]) * speed, rel=3 * ROUNDING)
    over = length[room.fluid] / Closure().constant / distance[room.fluid] - 1
    # the distance looks at the six wall faces whose middles are nearest: where faces differ 3:1 in size the
    # nearest may be a seventh, in a few cells
    assert over.min() > -3 * ROUNDING
    assert np.count_nonzero(over > 1e-5) < 0.02 * over.size
    assert over.mean() < 2e-3


def textbook_wall_distance(room):
    """Distance of each cell centre to the nearest point of all closed faces beside air, one by one."""
    grid, rectangles = room.case.grid, []
    for d in range(3):
        for face in np.argwhere(~room.open[d] & ~room.patch[d]):
            beside = [face - AXES[d], face]
            inside = [c for c in beside if (c >= 0).all() and (c < room.shape).all() and room.fluid[tuple(c)]]
            if inside:
                low = [grid[e][face[e]] for e in range(3)]
                high = [grid[e][face[e] + (e != d)] for e in range(3)]
                rectangles.append((low, high))
    low, high = (np.array(corners) for corners in zip(*rectangles, strict=True))
    out = np.zeros(room.shape)
    for cell in np.argwhere(room.fluid):
        centre = np.array([grid.centres[d][cell[d]] for d in range(3)])
        apart = np.maximum(np.maximum(low - centre, centre - high), 0)
        out[tuple(cell)] = np.sqrt((apart**2).sum(axis=1).min())
    return out


def test_strain_rate_of_a_random_flow_in_a_random_room(any_room, pick):
    # S2 = 2 S_ij S_ij; slopes are means over the two faces: across an open face, to no slip at a wall, none
    # through a patch
    room, velocity = any_room, any_room.velocity()
    stencil = closures.build_stencil(room.case, room.geometry, collect_walls(room.case, room.geometry)[1])
    out = room.zeros()
    pick(closures.strain_rate)(*room.padded_velocity(velocity), stencil, *room.extent, out)
    found, widths, centres = room.cut(out), room.case.grid.widths, room.case.grid.centres

    def centre(c, cell):
        return 0.5 * (float(velocity[c][tuple(cell)]) + float(velocity[c][tuple(cell + AXES[c])]))

    for cell in np.argwhere(room.fluid):
        g = np.zeros((3, 3))
        for c in range(3):
            high, low = float(velocity[c][tuple(cell + AXES[c])]), float(velocity[c][tuple(cell)])
            g[c, c] = (high - low) / widths[c][cell[c]]
            for d in (e for e in range(3) if e != c):
                for side, sign in ((0, -1), (1, 1)):
                    face, beyond = tuple(cell + side * AXES[d]), cell + sign * AXES[d]
                    if room.open[d][face]:
                        gap = abs(centres[d][beyond[d]] - centres[d][cell[d]])
                        g[c, d] += 0.5 * sign * (centre(c, beyond) - centre(c, cell)) / gap
                    elif not room.patch[d][face]:
                        g[c, d] -= 0.5 * sign * centre(c, cell) / (0.5 * widths[d][cell[d]])
        S = 0.5 * (g + g.T)
        assert found[tuple(cell)] == pytest.approx(2 * (S**2).sum(), rel=5 * ROUNDING)


def test_screens(pick):
    # dp / rho = 0.5 K u |u|: resistance length dt K |u|; friction K |u| / gap less push half of it times u
    rng = np.random.default_rng(5)
    face = np.array([3, 8, 5])
    K, loss = rng.uniform(1, 40, (2, 3))
    u, out = rng.normal(size=10).astype(np.float32), np.full(4, 9.0)
    pick(tiles.screen_resistance)(np.array([2, 0, 3]), face, K, 0.25, u, out)
    assert out == pytest.approx(
        [0.25 * K[1] * abs(u[8]), 9, 0.25 * K[0] * abs(u[3]), 0.25 * K[2] * abs(u[5])]
    )
    friction, push = rng.normal(size=(2, 10)).astype(np.float32)
    before = friction.copy(), push.copy()
    pick(tiles.screen_drag)(face, loss, u, friction, push)
    for n in range(10):
        at = loss[face == n]
        drag = float(at[0] * abs(u[n])) if at.size else 0.0
        assert friction[n] - before[0][n] == pytest.approx(drag, rel=ROUNDING, abs=3e-6)  # of sums of 40
        assert push[n] - before[1][n] == pytest.approx(0.5 * drag * u[n], rel=ROUNDING, abs=3e-6)
        # together: the drag of the linearised law at the velocity it was taken at is 0.5 K u |u| / gap
        assert drag * u[n] - 0.5 * drag * u[n] == pytest.approx(0.5 * drag * u[n])


def test_straightening(pick):
    # (1 / alpha - 1) V / (2 h) on the air that came through: alpha |before| of |here|, of the same direction
    rng, count = np.random.default_rng(6), 200
    target, before, face = rng.integers(0, 80, (3, count))
    side = rng.choice([-1.0, 1.0], count).astype(np.float32)
    weight, alpha = rng.uniform(0.1, 1, (2, count)).astype(np.float32)
    along, through = rng.normal(size=(2, 80)).astype(np.float32)
    along[:10] = 0
    friction, expected = np.zeros(80, dtype=np.float32), np.zeros(80)
    pick(tiles.straighten)(target, before, face, side, weight, alpha, along, through, friction)
    for m in range(count):
        V = max(float(side[m]) * float(through[face[m]]), 0.0)
        here, there = float(along[target[m]]), float(along[before[m]])
        share = 0.0 if here * there <= 0 else min(1.0, float(alpha[m]) * abs(there) / abs(here))
        expected[target[m]] += float(weight[m]) * V * share
    assert friction == pytest.approx(expected, rel=5 * ROUNDING, abs=1e-7)
