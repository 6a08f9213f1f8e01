"""Coolant networks: a front along a pipe, energy and mass through a day of events, orders of accuracy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from solvers.coolant.assemblies import distribution_unit
from solvers.coolant.builder import Builder
from solvers.coolant.control import TEMPERATURE, controls, settle
from solvers.coolant.fluids import fluid
from solvers.coolant.network import prepare, solve
from solvers.coolant.transient import advance, balance, start
from solvers.errors import CaseError

WATER = fluid("water")


def front(dt, length=40.0, m_flow=0.5):
    """Step of 10 K at the inlet of a pipe; times and mean outlet temperatures of the steps."""
    builder = Builder(WATER)
    a, b, c = (builder.node(name) for name in "abc")
    builder.boundary(c, 1e5, 300.0)
    builder.demand(a, -m_flow, 300.0)
    builder.pipe("pipe", a, b, length, 0.03)
    builder.valve("end", b, c, 10.0)
    network = prepare(builder.build())
    inputs = network.inputs()
    state = start(network, inputs, solve(network, inputs))
    inputs.T[a] = 310.0
    times, T = [], []
    while state.time < 90.0 - 1e-9:
        state = advance(network, state, inputs, dt)
        times.append(state.time)
        T.append(state.warmth.T_out[0])
    delay = length * math.pi * 0.03**2 / 4 * float(WATER.density(293.15)) / m_flow
    return np.array(times), np.array(T) - 300.0, delay


@pytest.mark.parametrize("dt", [0.1, 0.37, 1.0, 3.1])
def test_a_front_arrives_after_its_delay_and_smears_over_one_step(dt, record_property):
    times, T, delay = front(dt)
    friction = T[0]  # the pipe's own warming
    step = (T - friction) / (T[-1] - friction)
    # centre of the front: where the outlet, averaged over steps, has risen by one half on the whole
    arrival = times[-1] - float((step * np.diff(times, prepend=0.0)).sum())
    smear = float(np.count_nonzero((step > 1e-3) & (step < 1 - 1e-3))) * dt
    record_property("arrival_s", arrival)
    record_property("smear_s", smear)
    # exact: the mass in the pipe over the flow; 1e-4 is friction's warming, which changes with the viscosity
    assert arrival == pytest.approx(delay, rel=1e-4)
    assert smear <= 1.001 * dt


def test_a_front_through_ten_pipes_smears_no_more_than_ten_steps():
    builder = Builder(WATER)
    nodes = [builder.node(f"n{i}") for i in range(12)]
    builder.boundary(nodes[-1], 1e5, 300.0)
    builder.demand(nodes[0], -0.5, 300.0)
    for i in range(10):
        builder.pipe(f"pipe {i}", nodes[i], nodes[i + 1], 4.03, 0.03)
    builder.valve("end", nodes[10], nodes[11], 10.0)
    network = prepare(builder.build())
    inputs = network.inputs()
    state = start(network, inputs, solve(network, inputs))
    inputs.T[nodes[0]] = 310.0
    T = []
    for _ in range(300):
        state = advance(network, state, inputs, 0.3)
        T.append(state.warmth.T_out[9])
    step = (np.array(T) - T[0]) / (T[-1] - T[0])
    delay = 10 * 4.03 * math.pi * 0.03**2 / 4 * float(WATER.density(293.15)) / 0.5
    assert 300 * 0.3 - 0.3 * float(step.sum()) == pytest.approx(delay, rel=1e-3)
    assert 0.3 * np.count_nonzero((step > 1e-3) & (step < 1 - 1e-3)) <= 10 * 0.3
    # parcels alike to 0.5 J/kg are joined: the last of one is off by so much, the first of the next the other
    # way. Friction warms each pipe by 0.7 J/kg, so it does come to that; 1 J/kg of the step of 10 K is
    joined = 1.0 / (float(WATER.specific_heat(300.0)) * 10.0)
    assert np.diff(step).min() > -joined
    assert step.max() < 1 + joined  # and it does not add up from pipe to pipe


def plant():
    """A CDU with four heated branches on pg25 and the facility's water; nothing is lost around."""
    coolant = fluid("pg25")
    builder = Builder(coolant)
    facility = (builder.node("come", fluid=WATER), builder.node("go", fluid=WATER))
    builder.boundary(facility[0], 3e5, 289.15)
    builder.boundary(facility[1], 2e5, 289.15)
    curve = [(0.0, 3.2e5), (2e-3, 2.8e5), (4e-3, 1.4e5)]
    cdu = distribution_unit(
        builder,
        "CDU",
        facility,
        points=curve,
        m_nominal=(2.0, 2.5),
        UA=1.5e4,
        pumps=2,
        standby=1,
        run_down=0.6,
    )
    plates = []
    for i in range(4):
        come, go, out = (builder.node(f"{name} {i}") for name in ("come", "go", "out"))
        builder.pipe(f"hose {i}", cdu.supply, come, 6.0, 0.02)
        plates.append(
            builder.cold_plate(
                f"plate {i}", come, go, m_nominal=0.5, dp_nominal=6e4, UA=3e3, C=2e3, volume=3e-4
            )
        )
        builder.valve(f"valve {i}", go, out, 6.0)
        builder.pipe(f"hose back {i}", out, cdu.back, 6.0, 0.02)
    leak = builder.leak("leak", cdu.supply)
    network = prepare(builder.build())
    inputs = network.inputs()
    inputs.heat[plates] = 8e3
    return network, inputs, cdu, plates, leak


def test_energy_and_mass_close_in_steady_state():
    network, inputs, cdu, plates, _ = plant()
    found = solve(network, inputs)
    facility = float(found.Q_flow[cdu.exchanger.second] + found.Q_flow[cdu.valve])
    friction = abs(found.m_flow[cdu.valve] / 999.0 * 1e5)  # the facility's own pressure
    brought = inputs.heat[plates].sum() + found.power.sum()
    # its own friction is known here to the density of its water at one temperature
    assert facility - friction == pytest.approx(brought, abs=0.02 * friction)
    # asked 1e-6: heat in = what the flows carry out
    assert found.energy_relative < 1e-6
    assert found.mass_relative < 1e-9


def test_energy_and_mass_close_through_a_day_of_events():
    network, inputs, cdu, plates, leak = plant()
    state = start(network, inputs, solve(network, inputs))
    begun = balance(network, state)

    def run(seconds):
        nonlocal state
        state = advance(network, state, inputs, seconds)
        now = balance(network, state)
        # asked: energy 1e-6 of what came in, mass 1e-9 of what there is
        assert now.energy - begun.energy == pytest.approx(state.energy_in, rel=1e-6, abs=1e-6 * 3.2e4)
        assert now.mass - begun.mass == pytest.approx(state.mass_in, abs=1e-9 * begun.mass)

    run(60.0)
    inputs.drive[0] = False  # trip
    run(0.02)
    run(2.0)
    inputs.setting[cdu.pumps[1]] = 1.0  # the standby takes over
    run(20.0)
    inputs.setting[network.branch("valve 2")] = 0.3
    inputs.heat[plates[1]] = 1.2e4
    run(600.0)
    inputs.setting[leak] = 1e-7
    run(30.0)
    inputs.setting[leak] = 0.0
    run(3600.0)
    assert state.speed[1] == 1.0 and state.speed[0] == 0.0
    steady = solve(network, inputs._replace(p=np.where(network.case.p_fixed > 0, inputs.p, state.flow.p)))
    np.testing.assert_allclose(state.warmth.T, steady.T, atol=0.01)  # an hour later all is at rest


def test_a_trip_warms_the_plates_in_seconds_and_the_standby_brings_them_back():
    network, inputs, cdu, *_ = plant()
    state = start(network, inputs, solve(network, inputs))
    cool = float(state.warmth.T_solid.max())
    inputs.drive[0] = False
    state = advance(network, state, inputs, 8.0)
    hot = float(state.warmth.T_solid.max())
    inputs.setting[cdu.pumps[1]] = 1.0
    state = advance(network, state, inputs, 120.0)
    again = float(state.warmth.T_solid.max())
    assert hot - cool > 8.0  # 8 kW into 2 kJ/K and 0.3 kg: 2.5 K/s once the flow is gone
    assert again == pytest.approx(cool, abs=0.5)


@pytest.mark.parametrize("how", ["trip", "shut"])
def test_a_stopped_loop_warms_its_plates_alone_and_comes_back(how, caplog):
    network, inputs, _, plates, _ = plant()
    inputs.heat[plates] = 800.0
    state = start(network, inputs, solve(network, inputs))
    cool = state.warmth.T_solid.copy()
    valves = [network.branch(f"valve {i}") for i in range(4)]
    if how == "shut":  # the running pump is shut in until it is switched off
        inputs.setting[valves] = 0.0
        state = advance(network, state, inputs, 2.0)
    inputs.drive[:] = False
    low, last = float(state.warmth.T.min()), state.warmth.T_solid
    for seconds in (0.5, 5.0, 30.0, 90.0):
        state = advance(network, state, inputs, seconds)
        warmth = state.warmth
        # nothing is colder than the facility's water, nothing hotter than the chips or the shut-in pump
        most = max(float(warmth.T_solid.max()), low + 2.0 * (how == "shut"))
        for T in (warmth.T, warmth.T_in, warmth.T_out):
            assert T.min() > low - 0.1 and T.max() < most + 0.01
        assert (warmth.T_out[plates] < warmth.T_solid + 0.01).all()
        assert (warmth.T_solid > last).all()
        last = warmth.T_solid
    assert np.abs(state.flow.m_flow[plates]).max() < 1e-6
    # coolant and solid warm together: dT = Q t / (C + M cp), what flows on as the pump runs down left out
    gap = state.warmth.T_solid - state.warmth.T_out[plates]
    assert (gap > 0).all() and (gap < 0.5).all()
    M = 3e-4 * float(fluid("pg25").density(293.15))
    C = 2e3 + M * float(fluid("pg25").specific_heat(330.0))
    assert (state.warmth.T_solid - cool).mean() == pytest.approx(800.0 * state.time / C, rel=0.05)
    inputs.drive[:] = True
    inputs.setting[valves] = 1.0
    state = advance(network, state, inputs, 300.0)
    np.testing.assert_allclose(state.warmth.T_solid, cool, atol=0.02)
    assert not caplog.records  # no property was asked for outside of its data


def test_a_steady_state_without_flow_says_which_branch_is_heated():
    network, inputs, _, plates, _ = plant()
    inputs.setting[network.branch("valve 2")] = 0.0
    with pytest.raises(CaseError, match=r"'plate 2': heated by 8000 W and hardly anything flows"):
        solve(network, inputs)
    found = solve(network, inputs, strict=False)
    assert sum("hardly anything flows" in text for text in found.findings) == 1
    # the others are as they are; this one's heat is left out
    assert found.Q_flow[plates[2]] == pytest.approx(0.0, abs=1.0)
    assert found.T_out.max() < 300.0 and found.energy_relative < 1e-6
    state = advance(network, start(network, inputs, found), inputs, 1.0)
    assert 0.0 < state.warmth.T_solid[2] - found.T_solid[2] < 8e3 / 2e3


def test_a_cold_facility_and_control_hold_the_supply():
    network, inputs, cdu, *_ = plant()
    row = {"quantity": TEMPERATURE, "first": cdu.supply, "target": 296.15, "gain": -0.04, "time": 12.0}
    wanted = controls({**row, "low": 0.02, "output": cdu.valve})
    inputs, steady = settle(network, inputs, wanted)
    state = start(network, inputs, steady, wanted)
    inputs.T[network.node("come")] = 285.15  # the facility's water gets 4 K colder
    state = advance(network, state, inputs, 600.0, wanted)
    assert state.warmth.T[cdu.supply] == pytest.approx(296.15, abs=0.1)
    assert state.setting[cdu.valve] < inputs.setting[cdu.valve]


def test_the_friction_of_long_micro_channels_is_that_of_shah_and_london():
    builder = Builder(WATER)
    a, b = builder.node("a"), builder.node("b")
    builder.boundary(a, 1.2e5, 293.15)
    builder.boundary(b, 1e5, 293.15)
    builder.channel("channels", a, b, 0.04, 2e-4, 4e-4, count=100)
    network = prepare(builder.build())
    found = solve(network, network.inputs(), thermal=False)
    D, area = 2 * 2e-4 * 4e-4 / 6e-4, 100 * 2e-4 * 4e-4
    rho, mu = float(WATER.density(293.15)), float(WATER.viscosity(293.15))
    u = found.m_flow[0] / rho / area
    assert rho * u * D / mu < 800  # laminar; Churchill's turbulent part is below 1e-4 there
    assert 2 * 15.5481 * mu * u * 0.04 / D**2 == pytest.approx(2e4, rel=1e-3)
