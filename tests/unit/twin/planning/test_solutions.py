"""Stored solutions: nearer starts, the same answers, a bounded folder that never gets in the way."""

import numpy as np
import pytest

from twin.model.load import example_layout
from twin.planning import solutions
from twin.planning.solutions import Solutions
from twin.planning.solve import solve

ONE_RACK = example_layout("one_rack")
CELL = 0.3


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Solutions()


def settle(power="6 kW", cell=CELL, **options):
    return solve(
        ONE_RACK, cell=cell, overrides=[f"racks[R01].power={power}"], write=False, **options
    ).as_json()


def test_a_near_start_gives_the_same_answer_in_fewer_steps(store):
    cold = settle("7 kW", cold=True)
    for path in store.folder.glob("*.npz"):
        path.unlink()
    assert settle("6 kW")["started_from"] is None
    warm = settle("7 kW")
    assert warm["started_from"]["differs"] == "operation"
    assert 0.0 < warm["started_from"]["distance"] < 0.6
    assert warm["steps"] < cold["steps"]
    for name in ("inlet_mean_c", "inlet_max_c", "outlet_mean_c"):
        first, second = cold["racks"]["R01"], warm["racks"]["R01"]
        # what either run leaves open: the drift a settled room may have, and three standard errors
        known = 0.3 + 3.0 * (first["inlet_error_k"] + second["inlet_error_k"])
        assert second[name] == pytest.approx(first[name], abs=known)


def test_the_same_room_is_known_again(store):
    first = settle()
    again = settle()
    assert again["started_from"]["differs"] == "nothing"
    assert again["steps"] < first["steps"]
    assert len(list(store.folder.glob("*.npz"))) == 1
    assert again["racks"]["R01"]["inlet_mean_c"] == pytest.approx(
        first["racks"]["R01"]["inlet_mean_c"], abs=0.1
    )


def test_another_grid_of_the_room_is_a_start_too(store):
    settle(cell=0.36)
    other = settle()
    assert other["started_from"]["differs"] == "geometry"
    assert settle(cold=True)["started_from"] is None


def test_a_far_load_is_no_start(store):
    settle("3 kW")
    assert settle("10 kW")["started_from"] is None


def test_a_damaged_store_costs_a_cold_start_only(store, caplog):
    settle()
    (path,) = store.folder.glob("*.npz")
    path.write_bytes(path.read_bytes()[:1000])
    assert settle()["started_from"] is None
    store.folder.chmod(0o500)
    try:
        settle("7 kW")
    finally:
        store.folder.chmod(0o700)


def test_the_folder_stays_within_its_bounds(store, monkeypatch):
    result = solve(ONE_RACK, cell=0.3, write=False)
    scene, state = result.scene, result.state
    monkeypatch.setattr(solutions, "MOST_SOLUTIONS", 3)
    from twin.model.operating import Operating

    inputs = scene.unit_inputs(Operating.nominal(scene.layout))
    (store.folder / ".0123.npz.1a2b3c4d.999999999").touch()  # of a killed process: none has such a number
    for n in range(6):
        store.keep(scene, inputs._replace(Q_flow=inputs.Q_flow + n), state, 0.3)
    assert len(list(store.folder.glob("*.npz"))) == 3
    assert not list(store.folder.glob(".*"))


def test_a_stored_state_comes_back_as_it_was(store):
    result = solve(ONE_RACK, cell=0.3, write=False)
    (path,) = store.folder.glob("*.npz")
    with np.load(path) as stored:
        assert np.array_equal(stored["T"], result.state.T.astype(np.float32))
        assert np.array_equal(stored["u"], result.state.u.astype(np.float32))
