"""Following a room in time: the steps of `advance`, with an account of the heat."""

import math

import numpy as np
import pytest

from solvers.airflow.case import CP, RHO, Surfaces
from solvers.airflow.model import advance, initial_state, prepare
from solvers.airflow.transient import LIMITS, Passage, air_heat, follow, joined, wall_heat
from solvers.airflow.warm import tiny_case
from solvers.errors import CaseError


@pytest.fixture
def tiny():
    case, inputs = tiny_case()
    return case, inputs._replace(Q_flow=np.array([500.0]), T_supply=np.array([math.nan]))


def test_it_takes_the_steps_of_advance(tiny):
    case, inputs = tiny
    model = prepare(case)
    start = initial_state(model)
    plain = advance(model, start, inputs, 5.0, cfl=2.0)
    followed, passage = follow(prepare(case), start, inputs, 5.0, cfl=2.0)
    for name in ("u", "v", "w", "p", "T", "T_unit"):
        assert np.array_equal(getattr(followed, name), getattr(plain, name)), name
    assert followed.time == plain.time == 5.0
    assert passage.duration == 5.0
    assert passage.steps == sum(passage.limited) > 5


def test_heat_that_is_given_is_in_the_air(tiny):
    case, inputs = tiny
    model = prepare(case)
    start = initial_state(model)
    state, passage = follow(model, start, inputs, 20.0, max_dt=0.1)
    assert passage.released == pytest.approx(500.0 * 20.0, rel=1e-12)
    stored = air_heat(model, state) - air_heat(model, start)
    # single precision: 2e-5 K of each cell, some 1e-5 of the rise of 10 K
    assert stored == pytest.approx(passage.given, rel=1e-4)
    # the outlet lags by a step of 0.1 s, and by the first ones of up to 0.2 s while it warms most
    assert passage.given == pytest.approx(passage.released, rel=0.02)
    assert passage.taken == passage.walls == passage.openings == 0.0


def test_thermal_mass_takes_its_part(tiny):
    case, inputs = tiny
    model = prepare(case)
    start = initial_state(model)
    heavy = inputs._replace(C=np.array([2e3]))
    state, passage = follow(model, start, heavy, 20.0, max_dt=0.1)
    held = 2e3 * float(state.T_unit[0] - start.T_unit[0])
    # a lag of first order in time: half a step over the lag of C / (rho cp V) = 16 s
    assert passage.released - passage.given == pytest.approx(held, rel=5e-3)


def test_walls_give_and_take(tiny):
    case, inputs = tiny
    nx, ny = case.grid.shape[:2]
    one = np.ones(1)
    surfaces = Surfaces(
        axis=np.array([2]), index=np.array([0]), lo=np.array([[0, 0]]), hi=np.array([[nx, ny]]),
        side=np.array([1]), T=283.15 * one, U=math.inf * one, C=0 * one, velocity=np.zeros((1, 3)),
        slip=np.array([False]),
    )  # fmt: skip
    model = prepare(case._replace(surfaces=surfaces))
    start = initial_state(model)
    state, passage = follow(model, start, inputs, 20.0)
    assert passage.walls < 0.0
    stored = air_heat(model, state) - air_heat(model, start)
    assert stored == pytest.approx(passage.given + passage.walls, abs=1e-4 * passage.given)
    assert wall_heat(model, state) == 0.0


def test_steps_are_limited_by_what_is_smallest(tiny):
    case, inputs = tiny
    model = prepare(case)
    state, _ = follow(model, initial_state(model), inputs, 30.0)
    slow, fine = (
        follow(model, state, inputs, 4.0, cfl=cfl, max_dt=dt)[1] for cfl, dt in ((0.5, 9.0), (1e6, 0.1))
    )
    assert dict(zip(LIMITS, slow.limited, strict=True))["cfl"] == slow.steps
    assert dict(zip(LIMITS, fine.limited, strict=True))["max_dt"] == fine.steps == 40
    assert fine.longest == pytest.approx(0.1)
    ended = follow(model, state, inputs, 0.05, cfl=1e6, max_dt=0.1)[1]
    assert dict(zip(LIMITS, ended.limited, strict=True))["end"] == ended.steps == 1
    faster = inputs._replace(V_flow=1.5 * inputs.V_flow)
    changed = follow(model, state, faster, 1.0, cfl=1e6, max_dt=1.0)[1]
    assert dict(zip(LIMITS, changed.limited, strict=True))["growth"] > 0


def test_passages_add_up():
    first = Passage(2.0, (1, 2, 0, 1), 0.1, 0.5, released=3.0, corrected=1.0)
    second = Passage(3.0, (0, 1, 1, 0), 0.2, 0.9, released=4.0, walls=-2.0)
    both = joined(first, second)
    assert both == Passage(5.0, (1, 3, 1, 1), 0.1, 0.9, released=7.0, walls=-2.0, corrected=1.0)
    assert joined(Passage(), second) == second


@pytest.mark.parametrize("wrong", [{"duration": -1.0}, {"duration": math.nan}, {"cfl": 0.0}, {"max_dt": 0.0}])
def test_numbers_out_of_range_are_refused(tiny, wrong):
    case, inputs = tiny
    model = prepare(case)
    with pytest.raises(CaseError, match="must be positive"):
        follow(model, initial_state(model), inputs, **{"duration": 1.0, **wrong})


def test_the_account_counts_from_the_reference(tiny):
    case, _ = tiny
    model = prepare(case, T_ref=293.15)
    warm = initial_state(model, 294.15)
    volume = case.grid.volumes[~case.solid].sum()
    assert air_heat(model, warm) == pytest.approx(RHO * CP * volume, rel=1e-4)


def test_heat_that_leaves_through_an_opening_is_counted_as_it_goes():
    case, inputs = tiny_case()
    ambient = np.zeros(case.solid.shape, dtype=bool)
    ambient[-1] = True
    case = case._replace(ambient=ambient)
    model = prepare(case)
    inputs = inputs._replace(Q_flow=np.array([200.0]), T_ambient=293.15)
    state = advance(model, initial_state(model), inputs, 20.0)
    after, passage = follow(model, state, inputs, 10.0)
    stored = air_heat(model, after) - air_heat(model, state)
    assert passage.openings < 0
    # float32 temperatures hold 1e-5 of the heat in the room; the flow through the opening carries 2000 J
    assert stored == pytest.approx(passage.given + passage.openings - passage.taken, abs=20.0)
