"""Kernels over the whole room against loops over its cells and faces, in double precision."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.airflow import jets, kernels
from solvers.linear.multigrid import Pressure

ROUNDING = 1e-6  # some ten roundings of 6e-8 each in single precision
AXES = np.eye(3, dtype=int)


def area(room, axis, cell):
    """Cross-section of a cell normal to an axis. [m2]."""
    a, b = (room.case.grid.widths[d][cell[d]] for d in range(3) if d != axis)
    return a * b


def test_volume_flow(any_room, pick):
    room = any_room
    for axis, u in enumerate(room.velocity()):
        sections, out = room.geometry.sections, room.zeros()
        pick(kernels.volume_flow)(
            room.pad(u, axis), sections.line[axis], sections.plane[axis], *room.extent[:2], out
        )
        found = room.cut(out, axis)
        for face in np.ndindex(u.shape):
            beside = np.minimum(face, np.array(room.shape) - 1)  # the last face lies behind the last cell
            assert found[face] == pytest.approx(float(u[face]) * area(room, axis, beside), rel=ROUNDING)


def test_rates_that_limit_a_step(any_room, pick):
    # |u| / dx + ... of a cell's mean speeds; with the diffusion to six neighbours as far as the cell is wide
    room, velocity, nu_eff = any_room, any_room.velocity(), any_room.field(1e-4, 1e-2)
    factor, courant, stiff = 1.4, 0.0, 0.0
    for cell in np.ndindex(room.shape):
        widths = [room.case.grid.widths[d][cell[d]] for d in range(3)]
        speeds = [
            0.5 * (abs(float(u[cell])) + abs(float(u[tuple(cell + AXES[d])]))) for d, u in enumerate(velocity)
        ]
        moved = sum(u / h for u, h in zip(speeds, widths, strict=True))
        spread = sum(2 * factor * float(nu_eff[cell]) / h**2 for h in widths)
        courant, stiff = max(courant, moved), max(stiff, moved + spread)
    widths, row = room.geometry.sections.inverse_width, np.zeros(room.step[0], dtype=np.float32)
    padded = room.padded_velocity(velocity)
    found = pick(kernels.courant_rate)(*padded, *widths, *room.extent, row)
    assert found == pytest.approx(courant, rel=ROUNDING)
    found = pick(kernels.stiffness)(*padded, room.pad(nu_eff), factor, *widths, *room.extent, row)
    assert found == pytest.approx(stiff, rel=ROUNDING)
    assert stiff > 1.02 * courant  # the diffusion counts


def test_average_and_soft_drag(any_room, pick):
    room = any_room
    x, out = room.pad(room.field()), room.pad(room.field())
    expected = [(float(a) + float(b)) / 2 for a, b in zip(x, out, strict=True)]
    pick(kernels.average)(x, out)
    assert out == pytest.approx(expected, rel=ROUNDING, abs=1e-7)  # cancels to the rounding of the larger
    phi, dt = room.pad(room.field()), 0.3
    friction, push = room.pad(room.field(0, 50)), room.pad(room.field())
    before = friction.copy(), push.copy()
    pick(kernels.soften_drag)(phi, dt, friction, push)
    for n in np.flatnonzero(before[0]):
        z = dt * float(before[0][n])
        # one stage of pure drag leaves phi / (1 + z + z^2): 1 - z to second order, small where z is large
        stage = (float(phi[n]) + dt * (float(push[n]) - float(before[1][n]))) / (1 + dt * float(friction[n]))
        assert stage == pytest.approx(float(phi[n]) / (1 + z + z * z), abs=20 * ROUNDING)  # push is up to 50


def test_buoyancy(any_room, pick):
    # g / T_ref times the mean of the temperatures below and above the face, added to what is there
    room, factor = any_room, 9.81 / 293.15
    theta, before = room.field(-10, 10), room.velocity()[2]
    out = room.pad(before, 2)
    pick(kernels.buoyancy)(room.pad(theta), factor, out)
    found = room.cut(out, 2)
    for i, j, k in np.argwhere(room.open[2]):
        mean = (float(theta[i, j, k - 1]) + float(theta[i, j, k])) / 2
        # two sums of numbers of 1 m/s2 that may cancel
        assert found[i, j, k] == pytest.approx(float(before[i, j, k]) + factor * mean, abs=ROUNDING)


def test_net_outflow(any_room, pick):
    # through open faces alone: what passes a patch is in the source already
    room, velocity, source = any_room, any_room.velocity(), any_room.field()
    out, sections = room.zeros(), room.geometry.sections
    code = room.geometry.components[3].code
    pick(kernels.net_outflow)(
        *room.padded_velocity(velocity),
        code,
        sections.line,
        sections.plane,
        room.pad(source),
        *room.extent,
        out,
    )
    found = room.cut(out)
    for cell in np.argwhere(room.fluid):
        net = float(source[tuple(cell)])
        for d, u in enumerate(velocity):
            for side, sign in ((0, 1), (1, -1)):
                face = tuple(cell + side * AXES[d])
                net += sign * float(u[face]) * room.open[d][face] * area(room, d, cell)
        assert found[tuple(cell)] == pytest.approx(net, abs=2 * ROUNDING)  # of a source of 1


def test_correction_and_projection(any_room, pick):
    # u -= (x_n - x_before) / distance on open faces, p += x / dt; c = area / distance
    room, dt = any_room, 0.07
    case, sections = room.case, room.geometry.sections
    pressure = Pressure(case.grid, room.fluid, room.geometry.open_area, room.geometry.resists)
    c = [conductance[: room.size] for conductance in pressure.levels[1:4]]
    x, p, velocity = room.field() * room.fluid, room.field(), room.velocity()
    padded, pressed, potential = room.padded_velocity(velocity), room.pad(p), room.pad(x)
    expected = []
    for d, u in enumerate(velocity):
        after = u.astype(float)
        for face in np.argwhere(room.open[d]):
            high, low = tuple(face), tuple(face - AXES[d])
            distance = case.grid.centres[d][high[d]] - case.grid.centres[d][low[d]]
            after[high] -= (float(x[high]) - float(x[low])) / distance
        expected.append(after)
    one = padded[1].copy()
    inverse = sections.inverse_line, sections.inverse_plane
    pick(kernels.correct)(c[1], inverse[0][1], inverse[1][1], potential, room.step[1], *room.extent[:2], one)
    assert room.cut(one, 1) == pytest.approx(expected[1], rel=5 * ROUNDING, abs=2e-5)
    pick(kernels.project)(*padded, pressed, *c, *inverse, potential, dt, *room.extent)
    for d in range(3):
        # differences of 1 m2/s over 0.05 m, each rounded: 20 m/s times 1e-6
        assert room.cut(padded[d], d) == pytest.approx(expected[d], rel=5 * ROUNDING, abs=2e-5)
    found = room.cut(pressed)
    assert found[room.fluid] == pytest.approx((p + x.astype(float) / dt)[room.fluid], abs=30 * ROUNDING)


def test_heat_that_a_step_misses_goes_back_by_region(any_room, pick):
    # V dtheta = dt (source - sink (theta + dtheta)) in each region; what is missed is shared by |dtheta|
    room, dt = any_room, 0.4
    region = room.rng.integers(0, 3, room.shape)
    theta, d, source, sink = room.field(-5, 5), room.field(), room.field(), room.field(0, 0.01)
    d *= room.fluid
    volume = room.case.grid.volumes * room.fluid
    main, rows = 1, [np.flatnonzero((region != 1) & room.fluid)]
    cell = room.cells.ravel()[rows[0]].astype(np.int32)
    of = region.ravel()[rows[0]].astype(np.int32)
    fields = [room.pad(values * room.fluid) for values in (theta, source, sink, volume)]
    sums = np.full((3, 2), 7.0)
    pick(kernels.heat_defect)(*fields, room.pad(d), dt, cell, of, main, room.step[0], sums)
    expected = np.zeros((3, 2))
    for n in np.argwhere(room.fluid):
        at = tuple(n)
        gained = dt * (float(source[at]) - float(sink[at]) * (float(theta[at]) + float(d[at])))
        expected[region[at], 0] += gained - volume[at] * float(d[at])
        expected[region[at], 1] += (volume[at] + dt * float(sink[at])) * abs(float(d[at]))
    # some 200 terms of 0.4 summed in blocks of single precision
    assert sums == pytest.approx(expected, abs=3e-5)
    share = np.array([0.3, -0.2, 0.1], dtype=np.float32)
    out = room.pad(theta)
    pick(kernels.add_weighted)(room.pad(d), share, cell, of, main, out)
    wanted = theta + d.astype(float) + np.abs(d) * share[region]
    assert room.cut(out)[room.fluid] == pytest.approx(wanted[room.fluid], abs=2e-6)  # of 5 K


def test_jets_push_along_the_flow(pick):
    # a = coefficient V^2, away from the face and only on the side that the air flows to
    rng = np.random.default_rng(8)
    target, face = rng.integers(0, 30, (2, 50))
    coefficient, side = (
        rng.uniform(0.1, 4, 50).astype(np.float32),
        rng.choice([-1.0, 1.0], 50).astype(np.float32),
    )
    velocity = rng.normal(size=30).astype(np.float32)
    out, expected = np.zeros(30, dtype=np.float32), np.zeros(30)
    pick(jets.jet_push)(target, face, coefficient, side, velocity, out)
    for n, f, a, s in zip(target, face, coefficient, side, strict=True):
        if s * velocity[f] > 0:
            expected[n] += float(s) * float(a) * float(velocity[f]) ** 2
    assert out == pytest.approx(expected, rel=5 * ROUNDING, abs=5 * ROUNDING)
