"""The linear operator of heat transport by a frozen flow: air, walls, units.

    m dy/dt = s - K y                                                                          (E19)

    y = [theta of the air cells | theta of the layers in walls | theta of the units' outlets]

    cell     V    dT/dt = net inflow through faces (E4, E6, E18) + h A (T_layer - T) + V_flow (T_unit - T)
    layer    C A  dT/dt = h A (T_air - T) + U A (T_behind - T)                     all over rho cp
    unit     C    dT/dt = V_flow (passes T_in + gives - T)                         all over rho cp

K [m3/s] is kept as compressed rows whose pattern stays; inputs change values of the units' rows alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from solvers.airflow.case import CP, RHO, UnitInputs
from solvers.airflow.face_weights import Faces
from solvers.airflow.model import AirModel
from solvers.airflow.units import STILL_TRANSFER
from solvers.linear.aggregation import Hierarchy
from solvers.linear.krylov import SparseSolver

_EDGE = 1e-7  # K; beyond the set point by which a cooler is at its capacity or idle
_BARE = 1e-9  # s; so short a step tells the conductance between air and layer alone

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Modes(NamedTuple):
    """What each unit makes of its inlet: T_out = passes T_in + gives.

    Attributes
    ----------
    kind : int64[nu]    0 heat, 1 at its set point, 2 at its capacity, 3 idle (air colder than the set point).
    passes : float64[nu]    0 or 1. [-]
    gives : float64[nu]    [K]
    """

    kind: Ints
    passes: Floats
    gives: Floats


class _PatchCells(NamedTuple):
    """Cells before the inlets or the outlets of the units: node, unit, share of the patch's area."""

    cell: Ints
    unit: Ints
    share: Floats


class System(NamedTuple):
    """K, s and m of one set of inputs and modes.

    Attributes
    ----------
    value, near : float64[e]    K, and K with half the second-order weights, which factorises better. [m3/s]
    source : float64[n]    [K m3/s]
    mass : float64[n]    [m3]
    """

    value: Floats
    near: Floats
    source: Floats
    mass: Floats


class HeatOperator:
    """Everything of E19 that belongs to the flow.

    Parameters
    ----------
    model : AirModel    With the state loaded and its viscosity computed.
    faces : Faces
    V_flow : float64[nu]    Of the units. [m3/s]

    Attributes
    ----------
    cells, layers, units : int    Numbers of unknowns of each kind. [-]
    index : int64[cells]    Place of each cell in the raveled grid.
    V_flow : float64[nu]    [m3/s]
    capacity : float64[n]    Volume of cells, C A / (rho cp) of layers; 0 for units. [m3]
    from_ambient : bool[nu]    The inlet lies in the ambient.
    outlet_area : float64[nu]    0 for units that blow into the ambient. [m2]
    """

    def __init__(self, model: AirModel, faces: Faces, V_flow: Floats) -> None:
        stepper, case = model.stepper, model.case
        patches = stepper.geometry.patches
        self.T_ref = model.T_ref
        self.V_flow = V_flow.copy()
        self.index = faces.cells
        self.cells, self.units = faces.cells.size, V_flow.size
        cell_of = np.full(stepper.size, -1, dtype=np.int64)
        cell_of[faces.padded] = np.arange(self.cells)
        walls = _Walls(model, cell_of, self.cells)
        self.layers = walls.capacity.size
        self.count = self.cells + self.layers + self.units
        none = np.zeros(self.count - self.cells)
        self.ambient = np.concatenate([faces.ambient, none])
        self.warm = np.concatenate([walls.warm, walls.warm_layer, np.zeros(self.units)])
        volumes = case.grid.volumes.ravel()[faces.cells]
        self.capacity = np.concatenate([volumes, walls.capacity, np.zeros(self.units)])
        self.from_ambient = case.unit_inlet < 0
        blows = case.unit_outlet >= 0
        self.outlet_area = np.zeros(self.units)
        self.outlet_area[blows] = patches.area[case.unit_outlet[blows]]
        self.inlet = _patch_cells(patches, case.unit_inlet, cell_of)
        self.outlet = _patch_cells(patches, case.unit_outlet, cell_of)
        taken = V_flow[self.inlet.unit] * self.inlet.share
        row = np.concatenate([faces.row, walls.row, self.inlet.cell])
        column = np.concatenate([faces.column, walls.column, self.inlet.cell])
        value = np.concatenate([faces.value, walls.value, taken])
        near = np.concatenate([faces.near, walls.value, taken])
        self._set_pattern(row, column, value, near)
        self._hierarchies: dict[bool, Hierarchy] = {}
        index = np.concatenate([faces.cells, faces.cells[walls.beside]])
        position = np.stack(np.unravel_index(index, case.grid.shape), axis=1)
        self._position = np.concatenate([position, np.zeros((self.units, 3), dtype=np.int64)])
        self._kind = np.repeat([0, 1, 2], [self.cells, self.layers, self.units])

    @property
    def unit(self) -> Ints:
        """Unknowns of the units, [nu]."""
        return np.arange(self.count - self.units, self.count)

    @property
    def moving(self) -> NDArray[np.bool_]:
        """Which units move air, [nu]."""
        return self.V_flow > 0

    def leaks(self, inputs: UnitInputs) -> NDArray[np.bool_]:
        """Which units stand still, store heat and pass it on through their outlet; [nu]. (E10)."""
        heated = np.isnan(inputs.T_supply) & (inputs.C > 0)
        return ~self.moving & heated & (self.outlet_area > 0)

    def modes(self, inputs: UnitInputs, theta_in: Floats | None) -> Modes:
        """Modes of the units; without inlet temperatures all coolers hold their set point. (E10)."""
        supply = ~np.isnan(inputs.T_supply) & self.moving
        carried = RHO * CP * np.where(self.moving, self.V_flow, 1.0)
        at = np.where(supply, inputs.T_supply - self.T_ref, 0.0)
        drop = np.where(supply, inputs.Q_max, 0.0) / carried
        kind = np.where(supply, 1, 0)
        if theta_in is not None:
            kind[supply & (theta_in - drop > at + _EDGE)] = 2
            kind[supply & (theta_in < at - _EDGE)] = 3
        heated = np.isnan(inputs.T_supply) & self.moving
        rise = np.where(heated, inputs.Q_flow, 0.0) / carried
        passes = (kind != 1).astype(float)
        if inputs.coil is not None and inputs.T_coil is not None:
            coil = np.where(heated, inputs.coil, 0.0)
            rise = (1.0 - coil) * rise + coil * (inputs.T_coil - self.T_ref)
            passes -= coil
        gives = np.select([kind == 0, kind == 1, kind == 2], [rise, at, -drop], 0.0)
        return Modes(kind, passes, gives)

    def system(self, inputs: UnitInputs, modes: Modes) -> System:
        """Fill in what units do. (E19)."""
        leaks, moving = self.leaks(inputs), self.moving
        heated = np.isnan(inputs.T_supply)
        theta_ambient = inputs.T_ambient - self.T_ref
        scale = np.where(moving, self.V_flow, 1.0)  # a unit that does nothing reads T_out = T_in
        passes = np.where(moving, modes.passes * self.V_flow, np.where(leaks, 0.0, 1.0))
        passed_on = np.where(leaks, STILL_TRANSFER * self.outlet_area / (RHO * CP), 0.0)
        carried = np.where(moving, self.V_flow, 0.0)
        out, into = self.outlet, self.inlet
        beside = passed_on[out.unit] * out.share
        changes = np.concatenate(
            [
                np.where(leaks, passed_on, scale),
                -passes[into.unit] * into.share,
                -(carried + passed_on)[out.unit] * out.share,
                -beside,
                beside,
            ]
        )
        added = _sums(self._slot, changes, self._value.size)
        source = self.ambient * theta_ambient + self.warm
        still = np.where(~moving & heated & ~leaks, inputs.Q_flow, 0.0) / (RHO * CP)
        np.add.at(source, out.cell, still[out.unit] * out.share)
        source[self.unit] = np.where(moving, self.V_flow * modes.gives, 0.0)
        source[self.unit] += np.where(self.from_ambient, passes * theta_ambient, 0.0)
        source[self.unit[leaks]] = inputs.Q_flow[leaks] / (RHO * CP)
        mass = self.capacity.copy()
        mass[self.unit] = np.where(moving | leaks, inputs.C, 0.0) / (RHO * CP)
        return System(self._value + added, self._near + added, source, mass)

    def matrix(self, value: Floats) -> csr_array:
        """Return values of the pattern as a sparse matrix."""
        return csr_array((value, self._column, self._start), shape=(self.count, self.count))

    def solver(self, system: System, c: float = np.inf, transposed: bool = False) -> SparseSolver:
        """Factorise K + m / c, or its transpose; c in s."""
        value, near = system.value.copy(), system.near.copy()
        value[self._diagonal] += system.mass / c
        near[self._diagonal] += system.mass / c
        start, column = self._start, self._column
        if transposed:
            other = self.matrix(np.arange(value.size, dtype=np.float64)).tocsc()
            start, column = other.indptr.astype(np.int32), other.indices.astype(np.int32)
            order = other.data.astype(np.int64)
            value, near = value[order], near[order]
        if transposed not in self._hierarchies:
            self._hierarchies[transposed] = Hierarchy(start, column, self._position, self._kind)
        return SparseSolver(self._hierarchies[transposed], start, column, value, near)

    def inlet_theta(self, y: Floats, inputs: UnitInputs) -> Floats:
        """Area mean over the inlet of each unit; [nu]. [K]."""
        into = self.inlet
        mean = _sums(into.unit, y[into.cell] * into.share, self.units)
        return np.where(self.from_ambient, inputs.T_ambient - self.T_ref, mean)

    def _set_pattern(self, row: Ints, column: Ints, value: Floats, near: Floats) -> None:
        unit, out, into = self.unit, self.outlet, self.inlet
        fixed = row.size
        rows = [row, unit, unit[into.unit], out.cell, unit[out.unit], out.cell]
        columns = [column, unit, into.cell, unit[out.unit], out.cell, out.cell]
        r, c = np.concatenate(rows), np.concatenate(columns)
        pattern = csr_array(coo_array((np.ones(r.size), (r, c)), shape=(self.count, self.count)))
        pattern.sort_indices()
        self._start, self._column = pattern.indptr.astype(np.int32), pattern.indices.astype(np.int32)
        keys = np.repeat(np.arange(self.count), np.diff(pattern.indptr)) * self.count + pattern.indices
        slot = np.searchsorted(keys, r * self.count + c)
        self._value, self._near = (_sums(slot[:fixed], v, keys.size) for v in (value, near))
        self._slot = slot[fixed:]
        self._diagonal = np.searchsorted(keys, np.arange(self.count) * (self.count + 1))


class _Walls:
    """Heat through walls: entries of K, conductance to what lies behind, the cell beside each layer."""

    def __init__(self, model: AirModel, cell_of: Ints, cells: int) -> None:
        stepper, surfaces = model.stepper, model.case.surfaces
        walls = stepper.walls
        self.warm = np.zeros(cells)
        self.row = self.column = self.beside = np.zeros(0, dtype=np.int64)
        self.value = self.warm_layer = self.capacity = np.zeros(0)
        if not walls.conducts or surfaces is None:
            return
        velocity = (stepper.u, stepper.v, stepper.w)
        at, given, taken = walls.exchange(stepper.theta, velocity, stepper.nu_eff, _BARE, stepper.turbulence)
        at = cell_of[at]
        light = np.ones(at.size, dtype=bool)
        light[walls.layers] = False
        np.add.at(self.warm, at[light], given[light])
        layer = cells + np.arange(walls.layers.size)
        beside, film = at[walls.layers], taken[walls.layers]
        self.beside = beside
        of = walls.thermal[walls.layers]
        surface, area = walls.faces.surface[of], walls.faces.area[of] / (RHO * CP)
        behind = surfaces.T[surface] - model.T_ref
        U = np.where(np.isnan(behind), 0.0, surfaces.U[surface]) * area
        self.row = np.concatenate([at, beside, layer, layer])
        self.column = np.concatenate([at, layer, beside, layer])
        self.value = np.concatenate([taken, -film, -film, film + U])
        self.warm_layer = U * np.where(np.isnan(behind), 0.0, behind)
        self.capacity = surfaces.C[surface] * area


def _sums(group: Ints, values: Floats, count: int) -> Floats:
    """Sum of the values of each group."""
    return np.asarray(np.bincount(group, weights=values, minlength=count), dtype=np.float64)


def _patch_cells(patches, patch_of_unit: Ints, cell_of: Ints) -> _PatchCells:
    unit_of = np.full(patches.area.size, -1, dtype=np.int64)
    has = patch_of_unit >= 0
    unit_of[patch_of_unit[has]] = np.flatnonzero(has)
    which = np.flatnonzero(unit_of[patches.owner] >= 0) if patches.owner.size else np.zeros(0, dtype=np.int64)
    return _PatchCells(cell_of[patches.cell[which]], unit_of[patches.owner[which]], patches.share[which])
