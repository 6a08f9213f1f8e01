"""What goes into the airflow solver and what comes out: plain arrays with names."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.grid import Grid

RHO = 1.204
"""Density of air at 20 degC and 101.3 kPa. [kg/m3]"""
CP = 1006.0
"""Specific heat of air. [J/(kg K)]"""
GRAVITY = 9.81
"""[m/s2]"""


class Surfaces(NamedTuple):
    """Rectangles of closed faces that are more than plain walls, which are at rest, adiabatic and no-slip.

    Attributes
    ----------
    axis, index : int64[ns]    Axis that the rectangle is normal to, face index along it.
    lo, hi : int64[ns, 2]    Half-open cell range along the two other axes, in ascending order.
    side : int64[ns]    +1: the air lies on the + side of the plane; -1: on the - side.
    T : float64[ns]    Temperature behind the surface; NaN: adiabatic. [K]
    U : float64[ns]    Conductance between surface and T; inf: the surface has that temperature. [W/(m2 K)]
    C : float64[ns]    Heat capacity of the layer at the surface; 0: none. [J/(m2 K)]
    velocity : float64[ns, 3]    Of the surface, along its plane. [m/s]
    slip : bool[ns]    No friction.
    """

    axis: NDArray[np.int64]
    index: NDArray[np.int64]  # pyright: ignore[reportIncompatibleMethodOverride]  # not the tuple's method
    lo: NDArray[np.int64]
    hi: NDArray[np.int64]
    side: NDArray[np.int64]
    T: NDArray[np.float64]
    U: NDArray[np.float64]
    C: NDArray[np.float64]
    velocity: NDArray[np.float64]
    slip: NDArray[np.bool_]


class Jets(NamedTuple):
    """Rectangles of porous faces whose holes blow jets: perforated tiles and grilles.

    Attributes
    ----------
    axis, index : int64[nj]    Axis that the rectangle is normal to, face index along it.
    lo, hi : int64[nj, 2]    Half-open cell range along the two other axes, in ascending order.
    open_area : float64[nj]    Open over gross area. [-]
    """

    axis: NDArray[np.int64]
    index: NDArray[np.int64]  # pyright: ignore[reportIncompatibleMethodOverride]  # not the tuple's method
    lo: NDArray[np.int64]
    hi: NDArray[np.int64]
    open_area: NDArray[np.float64]


class AirCase(NamedTuple):
    """Geometry and openings of a room.

    Flow is made by units that take air out of the room at one patch and give it back at another, each
    conserving volume, and by openings to the ambient. Walls are adiabatic, at rest and no-slip but where
    `surfaces` says otherwise.

    Attributes
    ----------
    grid : Grid    Face coordinates. [m]
    solid : bool[nx, ny, nz]    Cells without air.
    plate_x, plate_y, plate_z : bool[nx+1, ny, nz], bool[nx, ny+1, nz], bool[nx, ny, nz+1]
        Thin impermeable panels on faces.
    K_x, K_y, K_z : float32, the same shapes
        Loss coefficient of porous faces, dp = 0.5 rho K V|V| with the approach velocity V; 0 is free. [-]
    patch_axis : int64[np]    Axis that a patch is normal to: 0, 1, 2.
    patch_index : int64[np]    Face index along that axis.
    patch_lo, patch_hi : int64[np, 2]    Half-open cell range along the two other axes, in ascending order.
    patch_side : int64[np]
        +1: the fluid lies on the + side of the plane; -1: on the - side. The face itself is blocked.
    unit_inlet, unit_outlet : int64[nu]
        Patch where the air of a unit leaves the room, patch where it comes back; -1: the ambient.
    surfaces : Surfaces, optional    Where walls are warm, heavy, moving or without friction.
    jets : Jets, optional    Porous faces that add the momentum of their jets.
    ambient : bool[nx, ny, nz], optional
        Cells outside the room: pressure 0, temperature `UnitInputs.T_ambient`, at rest. An open face between
        one of them and a cell of the room is an opening.
    """

    grid: Grid
    solid: NDArray[np.bool_]
    plate_x: NDArray[np.bool_]
    plate_y: NDArray[np.bool_]
    plate_z: NDArray[np.bool_]
    K_x: NDArray[np.float32]
    K_y: NDArray[np.float32]
    K_z: NDArray[np.float32]
    patch_axis: NDArray[np.int64]
    patch_index: NDArray[np.int64]
    patch_lo: NDArray[np.int64]
    patch_hi: NDArray[np.int64]
    patch_side: NDArray[np.int64]
    unit_inlet: NDArray[np.int64]
    unit_outlet: NDArray[np.int64]
    surfaces: Surfaces | None = None
    jets: Jets | None = None
    ambient: NDArray[np.bool_] | None = None


class UnitInputs(NamedTuple):
    """What the units do now.

    Attributes
    ----------
    V_flow : float64[nu]    Air flow, >= 0. [m3/s]
    Q_flow : float64[nu]    Heat into the air, for units in heat mode. [W]
    T_supply : float64[nu]    NaN: heat mode; else the supply temperature that the unit cools down to. [K]
    Q_max : float64[nu]    Cooling capacity in supply mode; a unit never heats in that mode. [W]
    C : float64[nu]    Thermal mass: first-order lag C / (rho cp V_flow) of the outlet; 0 is none. [J/K]
    T_ambient : float    Temperature outside, of what openings and units without an inlet draw in. [K]
    coil : float64[nu] or None
        Of units in heat mode, a coil in the air that they heated: its effectiveness times the least capacity
        flow, over the air's. The air goes that share of the way to `T_coil`. None: no coils. [-]
    T_coil : float64[nu] or None    Coolant into the coil. [K]
    """

    V_flow: NDArray[np.float64]
    Q_flow: NDArray[np.float64]
    T_supply: NDArray[np.float64]
    Q_max: NDArray[np.float64]
    C: NDArray[np.float64]
    T_ambient: float = 293.15
    coil: NDArray[np.float64] | None = None
    T_coil: NDArray[np.float64] | None = None


def coil_heat(inputs: UnitInputs, T_inlet: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heat that coils take out of the air of their units, negative if they warm it. (E10b).

    Parameters
    ----------
    inputs : UnitInputs
    T_inlet : float64[nu]    Air into the units. [K]

    Returns
    -------
    float64[nu]    coil (rho cp V_flow (T_inlet - T_coil) + Q_flow); 0 without air or coil. [W]
    """
    if inputs.coil is None or inputs.T_coil is None:
        return np.zeros(inputs.V_flow.size)
    passing = (inputs.V_flow > 0) & np.isnan(inputs.T_supply)
    drive = RHO * CP * inputs.V_flow * (T_inlet - inputs.T_coil) + inputs.Q_flow
    return np.where(passing, inputs.coil * drive, 0.0)


class Closure(NamedTuple):
    """Turbulence closure and wall treatment.

    Attributes
    ----------
    kind : str
        ``"mixing_length"``: nu_t = constant |V| l with l the distance to the nearest wall (Chen and Xu 1998),
        power-law wall friction.
        ``"k_epsilon"``: standard model (Launder and Spalding 1974) with wall functions.
        ``"vreman"``: eddy viscosity of large-eddy simulation (Vreman 2004), power-law wall friction.
        ``"laminar"``: molecular viscosity alone, resolved walls.
    constant : float    Of the mixing length, 0.03874 in Chen and Xu (1998). [-]
    Pr_t : float    Turbulent Prandtl number. [-]
    nu : float    Kinematic viscosity of the air. [m2/s]
    Pr : float    Prandtl number of the air. [-]
    vreman : float    Constant of Vreman's model, 0.07 = 2.5 C_S^2 with C_S = 0.17. [-]
    intensity : float    Turbulence intensity of the air from units and ambient, for k_epsilon. [-]
    buoyant : bool    Whether k_epsilon counts production by buoyancy; OpenFOAM 1912 does not.
    length : float
        Length scale l of that air over the hydraulic diameter of its patch;
        epsilon = 0.09^(3/4) k^(3/2) / l. [-]
    """

    kind: str = "mixing_length"
    constant: float = 0.03874
    Pr_t: float = 0.9
    nu: float = 1.51e-5
    Pr: float = 0.71
    vreman: float = 0.07
    intensity: float = 0.05
    length: float = 0.1
    buoyant: bool = True


class Numerics(NamedTuple):
    """How the equations are discretised.

    Attributes
    ----------
    advection : str
        ``"limited"``: bounded second order (van Leer), for everything. ``"central"``: second order without
        bounds or dissipation, for large-eddy simulation and smooth laminar flow.
    """

    advection: str = "limited"


class AirState(NamedTuple):
    """Air of the room at one time; a pure value.

    Attributes
    ----------
    u, v, w : float32[nx+1, ny, nz], [nx, ny+1, nz], [nx, ny, nz+1]
        Velocity on the faces, along + axes. Steady results carry float64 so that mass closes to 1e-6. [m/s]
    p : float32[nx, ny, nz]    Pressure less the hydrostatic one, defined up to a constant per region. [Pa]
    T : float32[nx, ny, nz]    Temperature. [K]
    T_unit : float64[nu]    Outlet temperature of the units. [K]
    time : float    [s]
    heat_corrected : float
        Heat that the correction of E8 moved while this state was made, its size averaged over that time. [W]
    k, epsilon : float32[nx, ny, nz], optional
        Turbulent kinetic energy [m2/s2] and its dissipation rate [m2/s3]; k_epsilon only.
    T_surface : float64[surface faces], optional
        Temperature of the layer at each face of a surface with heat capacity, in the order of
        `solvers.airflow.walls`. [K]
    """

    u: NDArray[np.floating]
    v: NDArray[np.floating]
    w: NDArray[np.floating]
    p: NDArray[np.floating]
    T: NDArray[np.floating]
    T_unit: NDArray[np.float64]
    time: float
    heat_corrected: float = 0.0
    k: NDArray[np.floating] | None = None
    epsilon: NDArray[np.floating] | None = None
    T_surface: NDArray[np.float64] | None = None


class Balances(NamedTuple):
    """How well a state conserves mass and heat.

    Attributes
    ----------
    mass_relative : float
        Sum over the cells of |net volume flow out of the cell| over the supply flow, float64 sums of the
        state as it is stored (float32 fields cannot go below about 1e-6; steady results store float64). The
        supply flow is that of the units in supply mode (coolers); without any, that of all units; without
        flow, the sum over the faces of the flow in the room. [-]
    energy_relative : float
        |Q_in - Q_out| / Q_in; 0 where both are less than the air flow carries at 1e-4 K, which float32
        temperatures do not tell from none. For a mean steady state both are means over the averaging window
        and nothing is excused as storage; for an instant the difference is what the air stores. It compares
        what the units give and take, so it tells how settled a state is, not how well the transport keeps
        heat. [-]
    Q_in : float    Heat that units in heat mode give to the air. [W]
    Q_out : float    Heat that units in supply mode take out of it. [W]
    V_supply : float    Air flow through all units. [m3/s]
    heat_corrected : float
        How well the transport keeps heat: the rate at which the implicit sweeps lost or made heat, before E8
        put it right; mean size over the run that made the state (steady: over the averaging). [W]
    stored : float
        Heat that the thermal masses of the units in heat mode take up: their Q_flow less Q_in. A steady mean
        has none but what its window's ends differ by. [W]
    """

    mass_relative: float
    energy_relative: float
    Q_in: float
    Q_out: float
    V_supply: float
    heat_corrected: float = 0.0
    stored: float = 0.0


class Probe(NamedTuple):
    """Trilinear samples of a state.

    Attributes
    ----------
    T : float64[n]    [K]
    velocity : float64[n, 3]    [m/s]
    p : float64[n]    [Pa]
    """

    T: NDArray[np.float64]
    velocity: NDArray[np.float64]
    p: NDArray[np.float64]


class SteadyProgress(NamedTuple):
    """Where a steady solve stands.

    Attributes
    ----------
    step : int    Time steps so far, all grids together. [-]
    time : float    Simulated time. [s]
    cells : int    Cells of the grid in work. [-]
    residuals : dict
        ``mass``: leftover divergence after the projection over the supply flow;
        ``velocity``: rms change of the velocity over a step / rms velocity; ``temperature``: rms change over
        a step [K].
    inlet_drift : float
        Largest change of a unit's inlet temperature between the last two window means; inf at first. [K]
    energy_closure : float    |Q_in - Q_out| / Q_in of the last window; inf at first. [-]
    fraction : float    Estimate of the share of the work that is done, 0..1. [-]
    """

    step: int
    time: float
    cells: int
    residuals: dict[str, float]
    inlet_drift: float
    energy_closure: float
    fraction: float


class SteadyResult(NamedTuple):
    """Mean of a settled flow.

    Attributes
    ----------
    state : AirState
        Mean over the averaging window; velocities float64, divergence-free. k, epsilon and the layers of
        surfaces are those of its last instant.
    T_inlet_swing : float64[nu]    Max - min of the inlet temperature over the averaging window. [K]
    T_inlet_error : float64[nu]    Standard error of the mean inlet temperature, see `sampling_error`. [K]
    averaged_s : float    Length of the averaging window. [s]
    balances : Balances    Of the mean state.
    history : tuple of SteadyProgress    One entry per report.
    wall_s : float    [s]
    steps : int    [-]
    converged : bool    False: `max_time` came before the flow settled.
    """

    state: AirState
    T_inlet_swing: NDArray[np.float64]
    T_inlet_error: NDArray[np.float64]
    averaged_s: float
    balances: Balances
    history: tuple[SteadyProgress, ...]
    wall_s: float
    steps: int
    converged: bool
