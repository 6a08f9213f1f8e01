"""Parts of several elements: pumps in parallel, three-way valves, manifolds, coils, a CDU with control."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.coolant import assemblies
from solvers.coolant.builder import Builder
from solvers.coolant.control import DIFFERENCE, TEMPERATURE, controls, settle
from solvers.coolant.fluids import fluid
from solvers.coolant.network import prepare, solve

CURVE = [(0.0, 3.2e5), (2e-3, 2.8e5), (4e-3, 1.4e5)]


def test_n_plus_one_pumps_carry_on_without_one():
    builder = Builder(fluid("water"))
    a, b = builder.node("a"), builder.node("b")
    builder.accumulator(a, volume=0.02, precharge=1.2e5, pressure=2e5)
    pumps = assemblies.parallel_pumps(builder, "pump", a, b, CURVE, count=3, standby=1)
    builder.valve("load", b, a, 10.0)
    network = prepare(builder.build())
    inputs = network.inputs()
    two = solve(network, inputs, thermal=False)
    assert two.m_flow[pumps[2]] == pytest.approx(0, abs=1e-4)
    inputs.drive[0] = False
    inputs.setting[pumps[2]] = 1.0  # the standby takes over
    again = solve(network, inputs, two, thermal=False)
    assert again.m_flow[3] == pytest.approx(two.m_flow[3], rel=1e-3)  # what shut checks let by
    assert again.m_flow[pumps[0]] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("position", [0.0, 0.3, 1.0])
def test_a_three_way_valve_shares_its_flow(position):
    builder = Builder(fluid("water"))
    common, a, b, end = (builder.node(name) for name in ("common", "a", "b", "end"))
    builder.boundary(common, 2e5, 293.15)
    builder.boundary(end, 1e5, 293.15)
    valve = assemblies.three_way_valve(builder, "mixer", common, a, b, 4.0)
    builder.pipe("from a", a, end, 0.1, 0.1)
    builder.pipe("from b", b, end, 0.1, 0.1)
    network = prepare(builder.build())
    inputs = network.inputs()
    assemblies.turn(inputs, valve, position)
    found = solve(network, inputs, thermal=False, strict=False)
    share = found.m_flow[valve[0]] / found.m_flow[list(valve)].sum()
    assert share == pytest.approx(position, abs=2e-3)  # linear ports of equal Kv; the pipes lose 10 Pa


def test_a_manifold_shares_unevenly_and_a_return_the_other_way_evens_it():
    spreads = []
    for reverse in (False, True):
        builder = Builder(fluid("water"))
        a, b = builder.node("a"), builder.node("b")
        builder.boundary(a, 2e5, 293.15)
        builder.boundary(b, 1.8e5, 293.15)
        there = assemblies.manifold(builder, "supply", a, 8, 0.1, 0.03)
        back = assemblies.manifold(builder, "return", b, 8, 0.1, 0.03, collects=True)
        ports = [builder.valve(f"port {i}", there[i], back[-1 - i if reverse else i], 4.0) for i in range(8)]
        network = prepare(builder.build())
        m = solve(network, network.inputs(), thermal=False).m_flow[ports]
        spreads.append(np.ptp(m) / m.mean())
    assert spreads[0] > 0.05
    assert spreads[1] < 0.5 * spreads[0]  # Tichelmann


def test_a_coil_cools_the_air_of_a_rack():
    builder = Builder(fluid("water"))
    a, b = builder.node("a"), builder.node("b")
    builder.boundary(a, 1.3e5, 290.0)
    builder.boundary(b, 1e5, 290.0)
    branch, number = assemblies.air_coil(
        builder, "rear door", a, b, m_nominal=0.6, dp_nominal=3e4, UA=1500.0, air_nominal=1.0
    )
    network = prepare(builder.build())
    inputs = network.inputs()
    inputs.air_flow[number], inputs.T_air[number] = 1.0, 310.0
    found = solve(network, inputs)
    NTU, C = 1500 / 1006, 1006 / (0.6 * 4187)  # crossflow, about
    assert found.Q_flow[branch] == pytest.approx(1006 * 20 * (1 - np.exp(-NTU)) * (1 - 0.25 * C), rel=0.1)


def test_a_cdu_holds_its_supply_temperature_and_pressure():
    coolant, water = fluid("pg25"), fluid("water")
    builder = Builder(coolant)
    facility = (builder.node("come", fluid=water), builder.node("go", fluid=water))
    builder.boundary(facility[0], 3e5, 289.15)
    builder.boundary(facility[1], 2e5, 289.15)
    cdu = assemblies.distribution_unit(
        builder, "CDU", facility, points=CURVE, m_nominal=(2.0, 2.5), UA=1.5e4, pumps=2, standby=1
    )
    racks = [
        builder.cold_plate(f"rack {i}", cdu.supply, cdu.back, m_nominal=0.5, dp_nominal=1e5, UA=3e3)
        for i in range(4)
    ]
    network = prepare(builder.build())
    inputs = network.inputs()
    inputs.heat[racks] = 1e4
    wanted = controls(
        {
            "quantity": TEMPERATURE, "first": cdu.supply, "target": 297.15, "gain": -0.05, "time": 10.0,
            "low": 0.02, "output": cdu.valve,
        },
        {
            "quantity": DIFFERENCE, "first": cdu.supply, "second": cdu.back, "target": 0.9e5, "gain": 1e-6,
            "time": 5.0, "low": 0.3, "output": cdu.pumps[0],
        },
    )  # fmt: skip
    found, state = settle(network, inputs, wanted)
    assert state.T[cdu.supply] == pytest.approx(297.15, abs=1e-3)
    assert state.p[cdu.supply] - state.p[cdu.back] == pytest.approx(0.9e5, rel=1e-4)
    assert state.p[cdu.suction] == 2e5
    assert state.Q_flow[cdu.exchanger.second] == pytest.approx(4e4 + state.power.sum(), rel=0.01)
    assert not state.findings
    # a clogging filter takes pressure: the pump speeds up to hold it
    found.setting[cdu.filter] = 4.0
    dirty, _ = settle(network, found, wanted, state)
    assert dirty.setting[cdu.pumps[0]] > found.setting[cdu.pumps[0]]
