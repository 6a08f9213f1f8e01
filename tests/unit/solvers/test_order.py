"""Order of accuracy of every term on smooth fields: two grids, stretched 2:1 inside the room.

Each test halves the cells of a room whose lines are x + 0.3 sin(2 pi x) / (2 pi) and asks for the order of
the rms error in the middle half of the lines. From 16 to 32 cells a second-order term shows 1.9 to 2.1: the
next term of its error is of fourth order and still some hundredths of the leading one.
"""

from __future__ import annotations

import numpy as np
import pytest

from solvers.airflow import closures, kernels
from solvers.airflow.case import AirCase, Closure, Surfaces
from solvers.airflow.face_weights import air_faces
from solvers.airflow.geometry import build_geometry, pad_state, unpad
from solvers.airflow.k_epsilon_terms import buoyant_production
from solvers.airflow.model import initial_state, prepare
from solvers.airflow.transport import make_ring, predict_momentum, relax_scalar
from solvers.airflow.wall_faces import collect_walls
from solvers.airflow.walls import Walls
from solvers.grid import make_grid
from solvers.linear.multigrid import Pressure, strides

GRIDS = (16, 32)
LEAST = 1.9
H = 1e-4  # of the differences that stand for exact derivatives: right to 1e-7 of order-1 fields


def stretched(n):
    xi = np.linspace(0, 1, n + 1)
    return xi + 0.3 * np.sin(2 * np.pi * xi) / (2 * np.pi)


def empty(*lines, surfaces=None):
    grid = make_grid(*lines)
    plates = [np.zeros(tuple(n + (d == a) for d, n in enumerate(grid.shape)), dtype=bool) for a in range(3)]
    none = np.zeros(0, dtype=np.int64)
    return AirCase(
        grid,
        np.zeros(grid.shape, dtype=bool),
        *plates,
        *(np.zeros(plate.shape, dtype=np.float32) for plate in plates),
        *(none, none, none.reshape(0, 2), none.reshape(0, 2), none, none, none),
        surfaces=surfaces,
    )


# Smooth fields. Velocities keep their sign, warmth grows along x and y and falls along z: the limiter meets
# no extremum, where it is first order by design.
def u(x, y, z):
    return 1 + 0.4 * np.sin(1.3 * x + y) + 0.3 * z


def v(x, y, z):
    return -1.2 + 0.3 * np.cos(x - 0.8 * y) - 0.2 * z**2


def w(x, y, z):
    return 0.9 + 0.3 * np.sin(y + 1.1 * z) + 0.2 * x * y


def warmth(x, y, z):
    return np.sin(0.6 * x + 0.5 * y - 0.4 * z + 0.5)


def wavy(x, y, z):
    return np.sin(2 * x + 0.4) * np.cos(1.7 * y) + np.cos(2.3 * z - 0.5 * x)


def nu(x, y, z):
    return 0.5 + 0.2 * np.sin(1.5 * x + y - z)


VELOCITY = (u, v, w)


def slope(f, axis):
    """Derivative of a field along an axis, as a field."""
    step = H * np.eye(3)[axis]

    def of(x, y, z):
        a, b, c = step
        return (f(x + a, y + b, z + c) - f(x - a, y - b, z - c)) / (2 * H)

    return of


def divergence(*fields):
    return lambda x, y, z: sum(slope(f, d)(x, y, z) for d, f in enumerate(fields))


def product(f, g):
    return lambda x, y, z: f(x, y, z) * g(x, y, z)


def diffusion(f, a=nu):
    return divergence(*(product(a, slope(f, d)) for d in range(3)))


def carried(f):
    """What the flow brings, as momentum counts it: -(u . grad) f."""
    return lambda x, y, z: -sum(VELOCITY[d](x, y, z) * slope(f, d)(x, y, z) for d in range(3))


class Grid:
    """Stretched cube of n^3 cells and what the kernels read of it."""

    def __init__(self, n):
        self.case = empty(*(stretched(n) for _ in range(3)))
        self.geometry = build_geometry(self.case, Closure("laminar"))
        self.shape = self.geometry.shape
        self.sx, self.sy = strides(self.shape)
        self.extent = (n, self.sx, self.sy)
        self.zero = np.zeros(self.geometry.volume.size, dtype=np.float32)
        self.velocity = [self.sample(f, axis) for axis, f in enumerate(VELOCITY)]
        sections = self.geometry.sections
        self.flow = tuple(self.zero.copy() for _ in range(3))
        for d in range(3):
            kernels.volume_flow(
                self.velocity[d], sections.line[d], sections.plane[d], n, self.sx, self.flow[d]
            )

    def points(self, axis):
        """Coordinates of the cell centres, or of the faces normal to an axis."""
        grid = self.case.grid
        return np.meshgrid(*(grid[d] if d == axis else grid.centres[d] for d in range(3)), indexing="ij")

    def sample(self, f, axis=None):
        return pad_state(f(*self.points(axis)).astype(np.float32), axis, self.shape)

    def error(self, found, exact, axis=None):
        middle = (slice(self.shape[0] // 4, -(self.shape[0] // 4)),) * 3
        difference = unpad(found, axis, self.shape) - exact(*self.points(axis))
        return float(np.sqrt((difference[middle] ** 2).mean()))

    def scalar_rate(self, f, a, central, flow=None):
        """d(f)/dt of the transport alone, diffusivity a nu."""
        out = self.zero.copy()
        relax_scalar(
            self.sample(f), flow or self.flow, self.sample(nu), 0.0, a, self.geometry.components[3],
            self.zero, self.zero, central, make_ring(0, self.sx), 1.0, 0, 0.0, False, *self.extent, out,
        )  # fmt: skip
        return out

    def momentum_rate(self, f, p, viscosity, flow, axis, central):
        """d(f)/dt of a component: what a step of 1 s adds, without sweeps."""
        before = self.sample(f, axis)
        after = before.copy()
        predict_momentum(
            after, p, flow, viscosity, self.geometry.components[axis], self.zero, self.zero, central,
            make_ring(0, self.sx), 1.0, 0, 0.0, axis, *self.extent,
        )  # fmt: skip
        return after - before


@pytest.fixture(scope="module")
def grids():
    return [Grid(n) for n in GRIDS]


def check_order(errors, least=LEAST):
    order = np.log2(errors[0] / errors[1])
    assert order > least, (errors, order)
    assert errors[1] > 0


@pytest.mark.parametrize("central", [False, True])
def test_advection_of_a_scalar(grids, central):
    exact = divergence(*(product(f, warmth) for f in VELOCITY))
    check_order([g.error(-g.scalar_rate(warmth, 0.0, central), exact) for g in grids])


def test_diffusion_of_a_scalar(grids):
    still = (grids[0].zero,) * 3, (grids[1].zero,) * 3
    check_order(
        [
            g.error(g.scalar_rate(wavy, 1.0, False, flow), diffusion(wavy))
            for g, flow in zip(grids, still, strict=True)
        ]
    )


@pytest.mark.parametrize("central", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_advection_of_momentum(grids, axis, central):
    # carries a smooth monotone shape instead of the component itself: the same term, no extremum
    rates = [g.momentum_rate(warmth, g.zero, g.zero, g.flow, axis, central) for g in grids]
    check_order([g.error(rate, carried(warmth), axis) for g, rate in zip(grids, rates, strict=True)])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_diffusion_of_momentum(grids, axis):
    rates = [g.momentum_rate(wavy, g.zero, g.sample(nu), (g.zero,) * 3, axis, False) for g in grids]
    check_order([g.error(rate, diffusion(wavy), axis) for g, rate in zip(grids, rates, strict=True)])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_pressure_gradient(grids, axis):
    rates = [
        g.momentum_rate(lambda x, y, z: 0 * x, g.sample(wavy), g.zero, (g.zero,) * 3, axis, False)
        for g in grids
    ]
    exact = slope(wavy, axis)
    check_order([g.error(-rate, exact, axis) for g, rate in zip(grids, rates, strict=True)])


def test_buoyancy(grids):
    errors = []
    for g in grids:
        out = g.zero.copy()
        kernels.buoyancy(g.sample(wavy), 2.0, out)
        errors.append(g.error(out, lambda x, y, z: 2.0 * wavy(x, y, z), axis=2))
    check_order(errors)


def test_divergence(grids):
    errors = []
    for g in grids:
        out, sections = g.zero.copy(), g.geometry.sections
        code = g.geometry.components[3].code
        kernels.net_outflow(*g.velocity, code, sections.line, sections.plane, g.zero, *g.extent, out)
        volume = np.where(g.geometry.volume > 0, g.geometry.volume, 1)
        errors.append(g.error(-out / volume, divergence(*VELOCITY)))
    check_order(errors)


def gradient(x, y, z):
    """du_i / dx_j, [3, 3, ...]."""
    return np.array([[slope(f, d)(x, y, z) for d in range(3)] for f in VELOCITY])


def strain2(x, y, z):
    g = gradient(x, y, z)
    S = 0.5 * (g + g.swapaxes(0, 1))
    return 2 * (S**2).sum(axis=(0, 1))


def test_strain_rate(grids):
    errors = []
    for g in grids:
        out = g.zero.copy()
        stencil = closures.build_stencil(g.case, g.geometry, collect_walls(g.case, g.geometry)[1])
        closures.strain_rate(*g.velocity, stencil, *g.extent, out)
        errors.append(g.error(out, strain2))
    check_order(errors)


def test_speed_of_the_mixing_length(grids):
    errors = []
    for g in grids:
        out = g.zero.copy()
        closures.mixing_length_viscosity(*g.velocity, g.sample(nu), 0.1, *g.extent, out)
        speed = lambda x, y, z: np.sqrt(sum(f(x, y, z) ** 2 for f in VELOCITY))  # noqa: E731
        errors.append(g.error(out, lambda x, y, z: 0.1 + nu(x, y, z) * speed(x, y, z)))  # noqa: B023
    check_order(errors)


def test_production_by_buoyancy(grids):
    errors = []
    for g in grids:
        out, plenty = g.zero.copy(), np.full_like(g.zero, 1e9)
        stencil = closures.build_stencil(g.case, g.geometry, collect_walls(g.case, g.geometry)[1])
        buoyant_production(g.sample(wavy), g.sample(nu), plenty, stencil, 0.4, 0.9, 0.1, *g.extent, out)
        exact = lambda x, y, z: -0.4 / 0.9 * (nu(x, y, z) - 0.1) * slope(wavy, 2)(x, y, z)  # noqa: E731
        errors.append(g.error(out, exact))
    check_order(errors)


@pytest.mark.parametrize("moving", [True, False])
def test_heat_of_a_frozen_flow(grids, moving):
    # E18 in double precision: K theta is the net outflow of heat, by the flow or by diffusion
    errors = []
    a = 1e-12 if moving else 1.0
    exact = divergence(*(product(f, warmth) for f in VELOCITY)) if moving else diffusion(warmth)
    for g in grids:
        model = prepare(g.case, Closure("laminar", nu=a, Pr=1.0, Pr_t=1.0))
        model.stepper.nu_eff[:] = 0 if moving else g.sample(nu)
        theta = warmth(*g.points(None))
        state = initial_state(model)._replace(T=theta + model.T_ref)
        flows = tuple(moving * f(*g.points(d)) * g.geometry.open_area[d] for d, f in enumerate(VELOCITY))
        faces = air_faces(model, state, flows)
        net = np.bincount(faces.row, faces.value * theta.ravel()[faces.column], minlength=theta.size)
        rate = pad_state((net / g.case.grid.volumes.ravel()).reshape(g.shape), None, g.shape)
        errors.append(g.error(rate if moving else -rate, exact))
    check_order(errors)


def test_pressure_equation():
    # no flow through the walls: the potential cos(pi x) cos(2 pi y) cos(pi z) up to a constant
    def potential(x, y, z):
        return np.cos(np.pi * x) * np.cos(2 * np.pi * y) * np.cos(np.pi * z)

    errors = []
    for n in GRIDS:
        g = Grid(n)
        solver = Pressure(g.case.grid, g.geometry.fluid, g.geometry.open_area, g.geometry.resists)
        volume = g.geometry.volume
        # -lap x = b; A x is the outflow of grad x
        found = solver.solve_exact(6 * np.pi**2 * g.sample(potential).astype(float) * volume, 1e-10)
        exact = potential(*g.points(None))
        difference = unpad(found, None, g.shape) - exact
        errors.append(np.abs(difference - difference.mean()).max())
    check_order(errors)


def between_two_walls(n, closure, wall=np.nan):
    """Room whose fields vary along z alone, with its walls; both ends may have a temperature."""
    z = stretched(n)
    nx, lines = 3, (np.linspace(0, 3, 4), np.array([0.0, 1.0]), z)
    rows = [(1, 0, (0, 0), (nx, n), +1, True), (1, 1, (0, 0), (nx, n), -1, True)]
    rows += [(2, 0, (0, 0), (nx, 1), +1, False), (2, n, (0, 0), (nx, 1), -1, False)]
    axis, index, lo, hi, side, slip = (np.array(column) for column in zip(*rows, strict=True))
    T_wall = np.array([np.nan, np.nan, wall, wall])
    surfaces = Surfaces(
        axis,
        index,
        lo,
        hi,
        side,
        T_wall,
        np.where(np.isnan(T_wall), 0.0, np.inf),
        np.zeros(4),
        np.zeros((4, 3)),
        slip,
    )
    case = empty(*lines, surfaces=surfaces)
    geometry = build_geometry(case, closure)
    return case, geometry, Walls(case, geometry, closure, 293.15)


def test_wall_friction_of_laminar_flow():
    # plane Poiseuille flow between two walls, driven by 1 m/s2: u = z (1 - z) / (2 nu)
    viscosity = 0.5
    errors = []
    for n in GRIDS:
        closure = Closure("laminar", nu=viscosity)
        case, geometry, walls = between_two_walls(n, closure)
        sx, sy = strides(geometry.shape)
        zero = np.zeros(geometry.volume.size, dtype=np.float32)
        friction, push = tuple(zero.copy() for _ in range(3)), (zero.copy(),) * 3
        walls.friction((zero,) * 3, friction, push)
        A = np.zeros((n, n))
        for column in range(n):
            u_field = np.zeros((4, 1, n), dtype=np.float32)
            u_field[:, 0, column] = 1
            before = pad_state(u_field, 0, geometry.shape)
            after = before.copy()
            predict_momentum(
                after, zero, (zero,) * 3, zero + np.float32(viscosity), geometry.components[0], friction[0],
                zero, False, make_ring(0, sx), 1.0, 0, 0.0, 0, geometry.shape[0], sx, sy,
            )  # fmt: skip
            damping = 1 + unpad(friction[0], 0, geometry.shape)[1, 0]  # friction is implicit, dt = 1
            A[:, column] = unpad(after - before, 0, geometry.shape)[1, 0] * damping
        z = case.grid.centres[2]
        found = np.linalg.solve(A, -np.ones(n))
        errors.append(np.abs(found - z * (1 - z) / (2 * viscosity)).max())
    check_order(errors)


def test_heat_at_walls_of_given_temperature():
    # heated evenly between two walls of one temperature: theta = q z (1 - z) / (2 a) above theirs
    a, q, warm = 0.5, 3.0, 300.0
    errors = []
    for n in GRIDS:
        closure = Closure("laminar", nu=a, Pr=1.0)
        case, geometry, walls = between_two_walls(n, closure, warm)
        sx, sy = strides(geometry.shape)
        zero = np.zeros(geometry.volume.size, dtype=np.float32)
        cell, given, taken = walls.exchange(zero, (zero,) * 3, zero + np.float32(a), 1e9)
        source, sink = zero.astype(float), zero.astype(float)
        np.add.at(source, cell, given)
        np.add.at(sink, cell, taken)
        A = np.zeros((n, n))
        for column in range(n):
            theta = np.zeros(geometry.shape, dtype=np.float32)
            theta[:, 0, column] = 1
            out = zero.copy()
            relax_scalar(
                pad_state(theta, None, geometry.shape), (zero,) * 3, zero, a, 0.0, geometry.components[3],
                zero, zero, False, make_ring(0, sx), 1.0, 0, 0.0, False, geometry.shape[0], sx, sy, out,
            )  # fmt: skip
            A[:, column] = unpad(out, None, geometry.shape)[1, 0]
        z, volume = case.grid.centres[2], case.grid.volumes[1, 0]
        b = q + unpad(source, None, geometry.shape)[1, 0] / volume
        found = np.linalg.solve(A - np.diag(unpad(sink, None, geometry.shape)[1, 0] / volume), -b)
        errors.append(np.abs(found - (warm - 293.15) - q * z * (1 - z) / (2 * a)).max())
    check_order(errors)
