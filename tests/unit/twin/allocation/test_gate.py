"""The gate's verdicts and the division of time."""

import math
from dataclasses import dataclass, field, replace

import pytest

from twin.allocation.gate import Inlets, TimeBudget, judge
from twin.allocation.plan import Candidate, Move
from twin.allocation.situation import see
from twin.units import kelvin


@pytest.fixture
def situation(make_room):
    room = make_room()
    return see(room.layout, room, tuple(room.workloads()), {}, room.now, 15.0)


def inlets(**hot):
    values = {f"R{i:02d}": kelvin(22.0) for i in range(1, 5)} | {r: kelvin(t) for r, t in hot.items()}
    return Inlets(values, dict(values))


MOVE = Candidate("migrate", (Move("W02.1", "R02", "R01", 3000.0),))


@pytest.mark.parametrize(
    ("hot", "before", "margin", "saving", "accepted"),
    [
        (26.9, 22.0, 0.5, False, True),
        (27.05, 26.9, 0.5, False, True),  # over the recommended, but by less than the tolerance hotter
        (27.3, 26.9, 0.5, False, False),
        (28.0, 29.0, 0.5, False, True),  # better than without
        (31.6, 31.5, 0.5, False, False),  # within the margin of the allowable and hotter than without
        (31.6, 31.7, 0.5, False, True),
        (33.0, 34.0, 0.5, False, True),
        (26.4, 22.0, 0.5, True, True),
        (26.6, 22.0, 0.5, True, False),  # saves energy into the margin
        (26.6, 26.8, 0.5, True, False),
        (float("nan"), 22.0, 0.5, False, False),
        (float("inf"), 22.0, 0.5, False, False),
    ],
)
def test_temperature_limits(situation, hot, before, margin, saving, accepted):
    verdict = judge(situation, Candidate("x"), inlets(R03=hot), inlets(R03=before), margin, saving)
    assert verdict.accepted is accepted
    assert "R03" in verdict.why


def test_a_short_peak_over_the_allowable_limit_is_refused(situation):
    calm, peaking = inlets(), inlets()
    peaking.peak["R04"] = kelvin(32.5)
    verdict = judge(situation, Candidate("x"), peaking, calm, 0.3, False)
    assert not verdict.accepted and "R04 peaks at 32.5" in verdict.why


@pytest.fixture
def looped(make_room):
    room = make_room(looped=True)
    return see(room.layout, room, tuple(room.workloads()), {}, room.now, 15.0)


def chips(**over):
    return {f"R{i:02d}": -20.0 for i in range(1, 5)} | over


@pytest.mark.parametrize(
    ("over", "before", "accepted"),
    [
        (-5.0, -20.0, True),
        (-0.35, -20.0, True),
        (-0.25, -20.0, False),  # within the margin
        (0.5, -20.0, False),
        (3.0, 5.0, True),  # better than without
        (5.1, 5.0, True),  # hotter by less than the tolerance
        (5.5, 5.0, False),
        (math.nan, -20.0, False),
        (-20.0, math.nan, False),
        (math.inf, -20.0, False),
    ],
)
def test_chips_over_their_limit_or_unknown_are_refused(looped, over, before, accepted):
    plan, without = (replace(inlets(), chips=chips(R02=value)) for value in (over, before))
    verdict = judge(looped, Candidate("x"), plan, without, 0.3, False)
    assert verdict.accepted is accepted
    assert accepted or "chips of R02" in verdict.why


def test_a_rack_on_a_loop_that_a_trial_leaves_out_is_refused(looped):
    verdict = judge(looped, Candidate("x"), inlets(), replace(inlets(), chips=chips()), 0.3, False)
    assert not verdict.accepted and "chips of R01: the trial gives no temperature" in verdict.why


@dataclass
class Trial:
    inlet_max: dict
    inlet_peak: dict
    chip_over: dict
    cooler_power: dict = field(default_factory=dict)
    wall: float = 1.0


def test_chips_of_a_trial_are_corrected_by_the_twins_error():
    inlet = {"R01": 295.0, "R02": 295.0}
    found = Inlets.of(Trial(inlet, inlet, {"R01": -3.0, "R02": -3.0}), {"R01": 1.0}, {"R01": 2.5})
    assert found.chips == {"R01": -0.5, "R02": -3.0}
    assert found.hottest == {"R01": 296.0, "R02": 295.0}


def test_power_limits_of_the_receiver(situation):
    assert judge(situation, MOVE, inlets(), inlets(), 0.3, False).accepted
    heavy = Candidate("migrate", (Move("W02.1", "R02", "R01", 7500.0),))
    verdict = judge(situation, heavy, inlets(), inlets(), 0.3, False)
    assert not verdict.accepted and "limit is 12000 W" in verdict.why


def test_all_faults_are_named(situation):
    verdict = judge(situation, Candidate("x"), inlets(R01=30.0, R04=29.0), inlets(), 0.3, False)
    assert "R01" in verdict.why and "R04" in verdict.why


def test_the_budget_without_a_measurement_says_so():
    budget = TimeBudget(300.0).divide()
    assert "(assumed)" in budget.note
    assert budget.horizon == 300.0 and budget.candidates == 4  # 150 s / (0.1 * 300 s) less the baseline


@pytest.mark.parametrize("period", [15.0, 30.0, 60.0, 300.0])
@pytest.mark.parametrize("cost", [0.001, 0.02, 0.1])
def test_the_budget_is_kept_wherever_it_can_be(period, cost):
    budget = TimeBudget(period)
    budget.record(100.0, 100.0 * cost)
    for event in (False, True):
        part = budget.divide(event)
        assert 1 <= part.candidates <= budget.most
        assert part.horizon >= budget.shortest
        spent = cost * part.horizon * (part.candidates + 1)
        assert spent <= part.seconds * 1.001 or "more than the time allowed" in part.note
        if cost * budget.shortest * 2 <= part.seconds:
            assert spent <= part.seconds * 1.001


def test_thirty_seconds_allow_a_baseline_and_two_candidates_at_what_trials_cost():
    budget = TimeBudget(30.0)
    budget.record(120.0, 120.0 * 0.03)  # measured on two shared cores
    part = budget.divide()
    assert part.candidates >= 2 and part.horizon >= 120.0


def test_a_slow_machine_looks_less_far_with_fewer_candidates():
    budget = TimeBudget(30.0)
    budget.record(100.0, 30.0)
    part = budget.divide()
    assert part.candidates == 1 or part.horizon < 120.0


def test_the_cost_follows_the_latest_trials():
    budget = TimeBudget(30.0)
    budget.record(100.0, 1.0)
    for _ in range(8):
        budget.record(100.0, 3.0)
    assert budget.cost == pytest.approx(0.03, rel=0.01)
