"""What the solver refuses, and the small public functions."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.airflow import step
from solvers.airflow.case import AirCase, Closure
from solvers.airflow.coarsen import coarsen_case
from solvers.airflow.model import (
    advance,
    balances,
    initial_state,
    prepare,
    probe,
    restart,
    solve_steady,
    unit_inlet_temperature,
    warm_up,
)
from solvers.airflow.warm import public_kernels, tiny_case
from solvers.errors import CaseError, ConvergenceError, GridMismatchError
from solvers.grid import make_grid


@pytest.fixture
def tiny():
    return tiny_case()


def replaced(array, index, value):
    out = array.copy()
    out[index] = value
    return out


@pytest.mark.parametrize("name", ["solid", "plate_x", "K_z", "patch_lo", "patch_side"])
def test_wrong_shape_is_refused(tiny, name):
    case, _ = tiny
    with pytest.raises(GridMismatchError, match=name):
        prepare(case._replace(**{name: getattr(case, name)[:-1]}))


def test_wrong_kind_is_refused(tiny):
    case, _ = tiny
    with pytest.raises(GridMismatchError, match="solid"):
        prepare(case._replace(solid=case.solid.astype(float)))


def test_patch_faults_name_the_patch(tiny):
    case, _ = tiny
    with pytest.raises(CaseError, match=r"patch 1 .*leaves the grid"):
        prepare(case._replace(patch_hi=replaced(case.patch_hi, 1, [5, 7])))
    with pytest.raises(CaseError, match=r"patch 0 .*into a solid"):
        prepare(case._replace(solid=replaced(case.solid, (0, 0, 5), True)))
    with pytest.raises(CaseError, match=r"patch 0 .*air behind"):
        prepare(case._replace(patch_index=np.array([3, 0])))
    with pytest.raises(CaseError, match=r"patch 1 .*overlaps patch 0"):
        prepare(case._replace(patch_lo=replaced(case.patch_lo, 0, [0, 1])))
    with pytest.raises(CaseError, match="unit 0: its outlet is patch 0"):
        prepare(case._replace(unit_outlet=np.array([0])))
    with pytest.raises(CaseError, match="unit 0: its inlet is patch 9"):
        prepare(case._replace(unit_inlet=np.array([9])))


def test_unbalanced_region_names_its_patches(tiny):
    case, inputs = tiny
    closed = case._replace(plate_z=replaced(case.plate_z, np.s_[:, :, 2], True))
    model = prepare(closed)
    assert model.regions == 2
    with pytest.raises(CaseError, match=r"patches \[0\] bring -0.1 m3/s"):
        advance(model, initial_state(model), inputs, 1.0)


def test_a_patch_over_two_regions_is_counted_face_by_face(tiny):
    case, inputs = tiny
    # the inlet begins below the plate at z index 2 and reaches above it; the outlet is below
    spanning = case._replace(
        plate_z=replaced(case.plate_z, np.s_[:, :, 2], True),
        patch_lo=np.array([[2, 1], [0, 0]]),
        patch_hi=np.array([[5, 6], [2, 2]]),
    )
    model = prepare(spanning)
    assert model.regions == 2
    with pytest.raises(CaseError, match=r"m3/s net into it"):
        advance(model, initial_state(model), inputs, 1.0)


def test_a_divergence_that_stays_raises(tiny, monkeypatch):
    case, inputs = tiny
    model = prepare(case)
    model.stepper.load(initial_state(model), inputs)
    monkeypatch.setattr(step, "_HARD_ITERATIONS", 0)
    with pytest.raises(ConvergenceError, match="pressure did not converge"):
        model.stepper.step(0.1, iterations=0)
    monkeypatch.undo()
    model.stepper.load(initial_state(model), inputs)
    model.stepper.step(0.1, iterations=0)  # the spare iterations see to it
    assert model.stepper.divergence < 1e-2


def test_air_far_from_the_reference_raises(tiny):
    case, inputs = tiny
    model = prepare(case)
    with pytest.raises(ConvergenceError, match="K from T_ref"):
        advance(model, initial_state(model), inputs._replace(Q_flow=np.array([200e3])), 5.0)


def test_a_room_without_heat_settles(tiny):
    case, inputs = tiny
    model = prepare(case)
    cooler = inputs._replace(Q_flow=np.zeros(1), T_supply=np.array([291.15]))
    noisy = initial_state(model, 291.15)
    noisy = noisy._replace(
        T=noisy.T + np.float32(3e-5) * (np.arange(noisy.T.size) % 2).reshape(noisy.T.shape)
    )
    assert balances(model, noisy, cooler).energy_relative == 0
    result = solve_steady(model, cooler)
    assert result.converged
    assert result.balances.energy_relative == 0


def test_mass_is_compared_with_what_moves(tiny):
    case, inputs = tiny
    model = prepare(case)
    state = initial_state(model)
    state = state._replace(w=replaced(state.w, (2, 2, 4), 1.0))
    standing = balances(model, state, inputs._replace(V_flow=np.zeros(1)))
    assert standing.mass_relative == pytest.approx(2.0)  # out of one cell, into the next


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("V_flow", [-1.0], CaseError),
        ("V_flow", [np.nan], CaseError),
        ("Q_flow", [np.inf], CaseError),
        ("C", [-1.0], CaseError),
        ("V_flow", [1.0, 1.0], GridMismatchError),
    ],
)
def test_bad_inputs(tiny, name, value, error):
    case, inputs = tiny
    model = prepare(case)
    with pytest.raises(error, match=name):
        advance(model, initial_state(model), inputs._replace(**{name: np.array(value)}), 1.0)


def test_bad_closure_and_state(tiny):
    case, inputs = tiny
    with pytest.raises(CaseError, match="k_omega"):
        prepare(case, Closure("k_omega"))
    model = prepare(case)
    state = initial_state(model)
    with pytest.raises(GridMismatchError, match=r"state\.T"):
        advance(model, state._replace(T=state.T[1:]), inputs, 1.0)
    with pytest.raises(CaseError, match="duration"):
        advance(model, state, inputs, -1.0)


def test_a_nan_is_refused_by_name(tiny):
    case, inputs = tiny
    model = prepare(case)
    state = initial_state(model)
    with pytest.raises(CaseError, match=r"state.u: nan at \(2, 2, 4\)"):
        advance(model, state._replace(u=replaced(state.u, (2, 2, 4), np.nan)), inputs, 0.5)
    with pytest.raises(CaseError, match=r"points: .* in row 1"):
        probe(model, state, np.array([[0.1, 0.1, 0.1], [0.1, np.nan, 0.1]]))


def test_a_failure_raises_and_does_not_spoil_the_model(tiny):
    case, inputs = tiny
    model = prepare(case)
    state = initial_state(model)
    clean = advance(model, state, inputs, 0.5)
    with pytest.raises(ConvergenceError, match="Courant"):
        advance(model, state._replace(T=replaced(state.T, (2, 2, 4), 1e30)), inputs, 0.5)
    again = advance(model, state, inputs, 0.5)
    assert all(np.array_equal(a, b) for a, b in zip(again[:5], clean[:5], strict=True))


def test_a_patch_needs_a_solid_behind_it(tiny):
    """A plate alone is no good: the flow of the patch would drag the air behind it along."""
    case, _ = tiny
    plate = case.plate_x.copy()
    plate[3] = True
    moved = case._replace(plate_x=plate, patch_index=np.array([3, 0]))
    with pytest.raises(CaseError, match="Put a solid behind"):
        prepare(moved)


def test_a_still_unit_that_blows_outside_keeps_its_temperature(tiny):
    case, inputs = tiny
    ambient = np.zeros(case.solid.shape, dtype=bool)
    ambient[-1] = True
    case = case._replace(ambient=ambient, unit_outlet=np.array([-1]))
    model = prepare(case)
    still = inputs._replace(V_flow=np.zeros(1), C=np.array([200.0]))
    assert np.isfinite(advance(model, initial_state(model), still, 1.0).T_unit).all()


def test_no_new_signature_after_warm_up(tiny):
    heard = []
    warm_up(lambda name, number, count: heard.append((name, number, count)))
    assert heard[-1][1] == heard[-1][2] == len(heard) - 1
    case, inputs = tiny
    model = prepare(case, Closure("mixing_length", Pr_t=1))
    state = advance(model, initial_state(model, 300), inputs, 1, cfl=2, max_dt=1)
    solve_steady(model, inputs._replace(Q_flow=np.zeros(1)), max_time=60)
    assert state.time == 1
    assert [len(kernel.signatures) for kernel in public_kernels()] == [1] * len(public_kernels())


def test_supply_mode_cools_to_capacity_and_never_heats(tiny):
    case, inputs = tiny
    model = prepare(case)
    start = initial_state(model, 303.15)
    cooling = inputs._replace(Q_flow=np.zeros(1), T_supply=np.array([290.15]), Q_max=np.array([400.0]))
    state = advance(model, start, cooling, 1.0)
    book = balances(model, state, cooling)
    assert book.Q_out == pytest.approx(400.0, rel=1e-4)  # at capacity
    plenty = advance(model, start, cooling._replace(Q_max=np.array([np.inf])), 1.0)
    assert plenty.T_unit == pytest.approx(290.15)
    cold = advance(model, initial_state(model, 285.15), cooling, 1.0)
    assert cold.T_unit == pytest.approx(285.15)


def test_unit_without_flow_leaves_its_heat_at_the_outlet(tiny):
    case, inputs = tiny
    model = prepare(case)
    state = advance(model, initial_state(model), inputs._replace(V_flow=np.zeros(1)), 2.0, max_dt=0.05)
    stored = model.rho * model.cp * ((state.T.astype(float) - 293.15) * case.grid.volumes).sum()
    assert stored == pytest.approx(500.0 * 2.0, rel=1e-3)


def test_heavy_unit_without_flow_warms_itself_and_then_the_air(tiny):
    case, inputs = tiny
    model = prepare(case)
    heavy = inputs._replace(V_flow=np.zeros(1), Q_flow=np.array([100.0]), C=np.array([200.0]))
    start = initial_state(model)
    state = advance(model, start, heavy, 5.0)
    book = balances(model, state, heavy)
    assert book.Q_in + book.stored == pytest.approx(100.0)
    assert 1 < book.Q_in < 99
    in_air = model.rho * model.cp * ((state.T.astype(float) - 293.15) * case.grid.volumes).sum()
    in_unit = 200.0 * (state.T_unit[0] - 293.15)
    assert in_air + in_unit == pytest.approx(500.0, rel=1e-3)  # nothing is lost, whatever the step
    # after many C / (U A) unit and air of the closed room warm alike, so that they share by heat capacity
    late = advance(model, start, heavy, 300.0)
    given = []
    for _ in range(10):  # the air turns over and over, so one instant says little
        late = advance(model, late, heavy, 20.0)
        given.append(balances(model, late, heavy).Q_in)
    air = model.rho * model.cp * case.grid.volumes.sum()
    assert np.mean(given) == pytest.approx(100.0 * air / (air + 200.0), rel=0.01)


def test_coarse_case_keeps_every_object(tiny):
    case, _ = tiny
    coarse = coarsen_case(case)
    assert coarse.grid.cells < case.grid.cells
    assert set(coarse.grid.z) <= set(case.grid.z)
    old, new = prepare(case).stepper.geometry, prepare(coarse).stepper.geometry
    assert new.patches.area == pytest.approx(old.patches.area)
    tile = [g.open_area[2][:, :, index].sum() for g, index in ((old, 2), (new, 1))]
    assert tile[0] == pytest.approx(tile[1])


def test_probe_reads_linear_fields_exactly_and_ignores_solids(tiny):
    case, _ = tiny
    case = case._replace(solid=replaced(case.solid, (3, 2, 4), True))
    model = prepare(case)
    state = initial_state(model)
    x, y, z = np.meshgrid(*case.grid.centres, indexing="ij")
    linear = (280 + 3 * x - 2 * y + z).astype(np.float32)
    state = state._replace(T=np.where(case.solid, np.float32(1e6), linear))
    points = np.array([[0.31, 0.52, 0.53], [0.9, 0.33, 1.02]])
    assert pytest.approx(280 + points @ [3, -2, 1], abs=1e-3) == probe(model, state, points).T
    inside_solid = probe(model, state, np.array([[0.7, 0.5, 0.9]])).T[0]
    assert 280 < inside_solid < 285
    with pytest.raises(GridMismatchError, match="points"):
        probe(model, state, np.zeros(3))


@pytest.fixture
def split():
    """Unit cube with a plate half way up: 40 degC below it, 20 degC above."""

    def build(cells):
        line = np.linspace(0, 1, cells + 1)
        plates = [
            np.zeros((cells + (d == 0), cells + (d == 1), cells + (d == 2)), dtype=bool) for d in range(3)
        ]
        plates[2][:, :, cells // 2] = True
        none, pairs = np.zeros(0, dtype=np.int64), np.zeros((0, 2), dtype=np.int64)
        losses = [np.zeros(plate.shape, dtype=np.float32) for plate in plates]
        solid = np.zeros((cells, cells, cells), dtype=bool)
        grid = make_grid(line, line, line)
        return prepare(AirCase(grid, solid, *plates, *losses, none, none, pairs, pairs, none, none, none))

    model = build(10)
    state = initial_state(model)
    T = np.full(state.T.shape, 293.15, dtype=np.float32)
    T[:, :, :5] = 313.15
    return build, model, state._replace(T=T)


def test_probe_does_not_mix_across_a_plate(split):
    _, model, state = split
    z = np.array([0.45, 0.49, 0.499, 0.501, 0.51, 0.55])
    points = np.stack([np.full(6, 0.52), np.full(6, 0.47), z], axis=1)
    assert pytest.approx(np.where(z < 0.5, 313.15, 293.15), abs=1e-4) == probe(model, state, points).T


def test_probe_sees_around_the_edge_of_a_plate(split):
    build, _, state = split
    model = build(10)
    model.case.plate_z[5:, :, 5] = False  # half a plate: beside its edge the corner behind it is in sight
    model = prepare(model.case)
    at_edge = probe(model, state, np.array([[0.49, 0.5, 0.52], [0.3, 0.5, 0.52], [0.8, 0.5, 0.52]])).T
    assert 293.15 + 1 < at_edge[0] < 313.15
    assert at_edge[1] == pytest.approx(293.15, abs=1e-4)
    assert at_edge[2] == pytest.approx(293.15 + 20 * 0.3, abs=1e-4)


def test_restart_does_not_mix_across_a_plate(split):
    build, model, state = split
    fine = restart(build(20), model, state)
    assert np.abs(fine.T[:, :, :10] - 313.15).max() < 1e-4
    assert np.abs(fine.T[:, :, 10:] - 293.15).max() < 1e-4


def test_restart_on_the_same_grid_changes_nothing(tiny):
    case, inputs = tiny
    model = prepare(case)
    state = advance(model, initial_state(model), inputs, 2.0)
    again = restart(prepare(case), model, state)
    assert pytest.approx(state.T, abs=1e-4) == again.T
    inner = np.s_[1:-1]
    assert again.u[inner] == pytest.approx(state.u[inner], abs=1e-6)
    assert unit_inlet_temperature(model, again) == pytest.approx(
        unit_inlet_temperature(model, state), abs=1e-4
    )


def test_a_failed_step_names_time_place_and_residuals(tiny):
    case, inputs = tiny
    model = prepare(case)
    state = initial_state(model)
    u = state.u.copy()
    u[3, 2, 4] = 1e30
    with pytest.raises(ConvergenceError, match=r"t = .*Worst at x = .* m\.") as caught:
        advance(model, state._replace(u=u), inputs, 1.0)
    assert caught.value.place is not None
    assert caught.value.history
