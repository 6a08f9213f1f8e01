"""Solve a cold plate; the coolant's properties, films and split among channels follow its temperature."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from solvers.coldplate import channel_flow, solve
from solvers.coldplate.channel_flow import LAMINAR, Duct, Liquid, liquid_at
from solvers.coldplate.manifold import Manifold, split
from solvers.coldplate.plate import (
    Flowing,
    HeatMap,
    Lattice,
    Plate,
    Resolution,
    Sheet,
    lattice,
    stack_of,
)
from solvers.coldplate.solve import Moment, Solver, march
from solvers.coldplate.stack import ROW, Ducts, Porous, Stack, build
from solvers.coldplate.system import Array, Balance, System, balance
from solvers.coolant.fluids import Fluid, fluid
from solvers.errors import CaseError, ConvergenceError

_ROUNDS = 20  # between temperatures and properties
_SETTLED = 1e-3  # K; how far the coolant's temperature may still be from where rounds lead
_NEAR = 0.1  # K; change below which a round is solved finely
_COARSE, _FINE = (1e-4, 1e-6), 1e-9  # tolerances of the first rounds, and of the others
_SLOWEST = 0.5  # ratio of two changes up to which they are taken for a geometric series
_MOST_MIXING = 0.5  # of the round before


class Coolant(NamedTuple):
    """What flows.

    Attributes
    ----------
    fluid : Fluid
    m_flow : float    Of the whole plate. [kg/s]
    inlet : float    [K]
    """

    fluid: Fluid
    m_flow: float
    inlet: float


class Solution(NamedTuple):
    """A solved plate.

    Attributes
    ----------
    plate : Plate
    resolution : Resolution
    grid : Lattice
    stack : Stack
    channels : int    Number of the layer with the channels.
    system : System
    heat : float64[ny, nx, nz]    [W]
    theta : float64[ny, nx, nz]    Excess over the inlet. [K]
    bulk : float64[ny, groups]    Mixed mean of the coolant. [K]
    m_flow : float64[channels]    [kg/s]
    reynolds : float64[channels]    At the mean temperature. [-]
    flowing : Flowing    Rates and films; with ``resolved`` its films are only beside it.
    pressure_drop : float    From inlet to outlet of the headers. [Pa]
    rounds : int    Solutions until the properties agreed.
    """

    plate: Plate
    resolution: Resolution
    grid: Lattice
    stack: Stack
    channels: int
    system: System
    heat: Array
    theta: Array
    bulk: Array
    m_flow: Array
    reynolds: Array
    flowing: Flowing
    pressure_drop: float
    rounds: int

    @property
    def film(self) -> Array:
        """Film coefficients, float64[ny, groups]. [W/(m2 K)]."""
        return self.flowing.film

    @property
    def temperature(self) -> Array:
        """Temperature of the cells, float64[ny, nx, nz]. [K]."""
        return self.theta + self.system.reference

    @property
    def heated_face(self) -> Array:
        """Temperature of the surface that heat enters through, float64[ny, nx]. [K]."""
        return face(self.stack, self.heat[:, :, 0], self.temperature[:, :, 0])

    @property
    def balance(self) -> Balance:
        """Where the heat goes. [W]."""
        return balance(self.system, self.theta, self.heat)


def face(stack: Stack, heat: Array, T: Array) -> Array:
    """Return the temperature of the lower face, from that of the lowest cells.

    Parameters
    ----------
    stack : Stack
    heat : float64[ny, nx]    That enters there. [W]
    T : float64[ny, nx]    Of the lowest cells. [K]

    Returns
    -------
    float64[ny, nx]    [K]
    """
    lowest = stack.layers[0]
    half = 2.0 * lowest.conductivity[2] / lowest.thickness  # type: ignore[union-attr]
    return T + heat / (half * stack.y[:, None] * stack.x)


def solve_plate(
    plate: Plate,
    coolant: Coolant,
    maps: Iterable[HeatMap],
    resolution: Resolution,
    manifold: Manifold | None = None,
    start: Array | None = None,
) -> Solution:
    """Solve the steady plate.

    Parameters
    ----------
    plate : Plate
    coolant : Coolant
    maps : iterable of HeatMap    Summed up.
    resolution : Resolution
    manifold : Manifold, optional    Without it all channels get the same flow.
    start : float64[ny, nx, nz], optional    First guess of the excess. [K]

    Returns
    -------
    Solution

    Raises
    ------
    CaseError : no flow; a single channel as wide as the plate; or turbulent flow where the model resolves the
        laminar profile.
    ConvergenceError : temperatures and properties do not agree, or see `split` and `Solver.solve`.

    Check : tests/unit/solvers/coldplate/test_plate.py
    """
    if not coolant.m_flow > 0.0:
        raise CaseError(f"the flow through the plate is {coolant.m_flow:g} kg/s; it must be above 0.")
    if not plate.has_walls:
        raise CaseError(
            f"the channel, {1e3 * plate.duct.width:g} mm, takes the whole width of the plate: without any "
            "wall base and lid do not touch. Make it narrower, or take several."
        )
    grid = lattice(plate, resolution)
    heat_map = np.zeros((grid.y.size, grid.x.size))
    for item in maps:
        heat_map += item.on(grid)
    supplied = float(heat_map.sum())
    cp = float(coolant.fluid.specific_heat(coolant.inlet))
    guess = supplied / (coolant.m_flow * cp)
    middle = (np.cumsum(grid.y) - 0.5 * grid.y) / plate.length
    bulk = coolant.inlet + guess * middle[:, None] * np.ones(grid.position.size)
    outlet = np.full(grid.position.size, coolant.inlet + guess)
    theta, m_flow = start, None
    last: tuple[Array, Array] | None = None
    solver: Solver | None = None
    history: list[float] = []
    for rounds in range(1, _ROUNDS + 1):
        flow = _flow(plate, coolant, resolution, grid, manifold, bulk, outlet, m_flow)
        stack, channels = stack_of(plate, resolution, grid, flow.flowing, coolant.inlet)
        solver = Solver(build(stack), like=solver)
        system = solver.system
        heat = np.zeros(system.diagonal.shape)
        heat[:, :, 0] = heat_map
        close = rounds > len(_COARSE) or (history and history[-1] < _NEAR)
        tolerance = _FINE if close else _COARSE[rounds - 1]
        theta = solver.solve(heat + system.held, theta, tolerance)
        new = bulk_excess(stack, channels, grid, theta, flow.flowing) + coolant.inlet
        change = float(np.max(np.abs(new - bulk)))
        history.append(change)
        m_flow = flow.m_flow
        if close and _left(history) < _SETTLED:
            bulk = new
            return Solution(
                plate, resolution, grid, stack, channels, system, heat, theta, bulk,
                flow.m_flow, flow.reynolds, flow.flowing, flow.pressure_drop, rounds,
            )  # fmt: skip
        bulk, last = _accelerated(bulk, new, last)
        outlet = bulk[-1] + system.extrapolation * (bulk[-1] - bulk[max(-2, -bulk.shape[0])])
    raise ConvergenceError(
        f"coolant temperatures still move by {history[-1]:.2g} K after {_ROUNDS} rounds with the "
        f"properties of {coolant.fluid.name}. Is it far outside of its range?",
        history,
    )


def _left(history: list[float]) -> float:
    """How far the last round is from where the rounds lead, were their changes a geometric series. [K]."""
    last = history[-1]
    if len(history) == 1 or last > _SLOWEST * history[-2]:
        return last
    ratio = last / history[-2]
    return last * ratio / (1.0 - ratio)


def _accelerated(
    old: Array, new: Array, last: tuple[Array, Array] | None
) -> tuple[Array, tuple[Array, Array]]:
    """Next guess from the last two rounds (Anderson's mixing, depth 1), and what the next one needs."""
    change = new - old
    if last is None:
        return new, (new, change)
    moved = change - last[1]
    size = float((moved * moved).sum())
    share = float((change * moved).sum()) / size if size > 0.0 else 0.0
    if abs(share) > _MOST_MIXING:
        share = 0.0
    return new - share * (new - last[0]), (new, change)


class _Flow(NamedTuple):
    flowing: Flowing
    m_flow: Array
    reynolds: Array
    pressure_drop: float


def _flow(
    plate: Plate,
    coolant: Coolant,
    resolution: Resolution,
    grid: Lattice,
    manifold: Manifold | None,
    bulk: Array,
    outlet: Array,
    start: Array | None,
) -> _Flow:
    """Split the flow and find films at the temperatures of the coolant."""
    duct, fluid = plate.duct, coolant.fluid
    at = plate.margin + 0.5 * duct.width + plate.pitch * np.arange(plate.channels)

    def of_channels(values: Array) -> Array:
        return np.interp(at, grid.position, values)

    means = Liquid(*(of_channels(values.mean(axis=0)) for values in liquid_at(fluid, bulk)))

    def drop(m_flow: Array) -> Array:
        return channel_flow.pressure_drop(duct, np.maximum(m_flow, 1e-12), means)

    inlet = liquid_at(fluid, np.asarray(coolant.inlet))
    ideal = Manifold("ideal", 1.0, 1.0, plate.pitch) if manifold is None else manifold
    density, viscosity = float(inlet.density), float(inlet.viscosity)
    m_flow, dp = split(ideal, coolant.m_flow, plate.channels, density, viscosity, drop, start)
    Re = channel_flow.reynolds(duct, m_flow, means.viscosity)
    if resolution.model == "resolved" and float(Re.max()) > LAMINAR:
        raise CaseError(
            f"Reynolds number {Re.max():.0f} in a channel: the resolved profile is laminar, "
            f"up to {LAMINAR:.0f}. Use the correlation model or less flow."
        )
    each = np.interp(grid.position, at, m_flow)
    each *= coolant.m_flow / float((each * grid.members).sum())
    rise = outlet - coolant.inlet
    steep = np.abs(rise) > 1e-6  # K
    cp = np.where(
        steep,
        (fluid.enthalpy(outlet) - fluid.enthalpy(np.full_like(outlet, coolant.inlet)))
        / np.where(steep, rise, 1.0),
        fluid.specific_heat(outlet),
    )
    local = liquid_at(fluid, bulk)
    flowing = Flowing(
        rate=each * cp,
        capacity=float((local.density * local.specific_heat).mean()),
        conductivity=float(local.conductivity.mean()),
        film=channel_flow.films(duct, each, local, grid.lines_y),
        velocity=channel_flow.profile(duct, resolution.columns, resolution.rows)
        if resolution.model == "resolved"
        else np.ones((1, 1)),
    )
    return _Flow(flowing, m_flow, Re, dp)


def bulk_excess(stack: Stack, channels: int, grid: Lattice, theta: Array, flowing: Flowing) -> Array:
    """Return the mixed-mean excess of each channel or group, plane by plane.

    Parameters
    ----------
    stack : Stack
    channels : int    Number of its layer with the channels.
    grid : Lattice
    theta : float64[ny, nx, nz]    Excess of its cells. [K]
    flowing : Flowing

    Returns
    -------
    float64[ny, groups]    [K]
    """
    layer = stack.layers[channels]
    inside = grid.channel >= 0
    if isinstance(layer, Porous):
        return theta[:, inside, stack.coolant(channels) : stack.first[channels + 1] : ROW].mean(axis=2)
    assert isinstance(layer, Ducts)
    first = stack.first[channels]
    cells = theta[:, inside, first : first + layer.rows]
    share = layer.rate / flowing.rate[grid.channel[inside]][:, None]
    mixed = (cells * share).sum(axis=2)
    groups = grid.channel[inside]
    out = np.zeros((grid.y.size, grid.position.size))
    for column in range(groups.size):
        out[:, groups[column]] += mixed[:, column]
    return out


def march_plate(
    solution: Solution,
    factors: Iterable[float],
    step: float,
    visit: Callable[[Moment], None],
    start: Array | None = None,
) -> Array:
    """Step a plate through time, with the properties and flows of a steady solution.

    Parameters
    ----------
    solution : Solution
    factors : iterable of float    Heat of each step over that of the solution. [-]
    step : float    [s]
    visit : callable    See `march`.
    start : float64[ny, nx, nz], optional    Excess at the start; 0 by default. [K]

    Returns
    -------
    float64[ny, nx, nz]    Excess at the end. [K]

    Raises
    ------
    ConvergenceError : see `Solver.solve`.
    """

    def heats() -> Iterable[Array]:
        last, heat = None, solution.heat
        for factor in factors:
            if factor != last:
                last, heat = factor, factor * solution.heat
            yield heat

    return march(solution.system, heats(), step, visit, start, second_order=True)


def warm_up() -> None:
    """Compile the kernels of plates, or load them from the cache."""
    solve.warm_up()
    sheet = Sheet(1e-3, 390.0, 3.45e6)
    made = Plate(3e-3, 1e-2, Duct(5e-4, 1e-3, 1e-2), 2, 5e-4, sheet, sheet, sheet)
    heat = [HeatMap(np.array([0.0, 3e-3]), np.array([0.0, 1e-2]), np.ones((1, 1)))]
    coolant = Coolant(fluid("water"), 1e-3, 300.0)
    headers = Manifold("Z", 5e-3, 5e-3, made.pitch)
    solve_plate(made, coolant, heat, Resolution("resolved", 2, 2, 1, 1, 2, 1, 1, 1), headers)
