"""Steady temperatures against hand calculation; energy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from solvers.coolant.builder import Builder
from solvers.coolant.components import COUNTER, PARALLEL
from solvers.coolant.exchangers import effectiveness
from solvers.coolant.fluids import fluid
from solvers.coolant.network import prepare, solve
from solvers.errors import CaseError

WATER = fluid("water")


def line(*adders, p=(2e5, 1e5), T=300.0, liquid=WATER):
    """Elements in a row between two boundaries."""
    builder = Builder(liquid)
    last = builder.node("n0")
    builder.boundary(last, p[0], T)
    for number, add in enumerate(adders):
        node = builder.node(f"n{number + 1}")
        add(builder, last, node)
        last = node
    builder.boundary(last, p[1], T)
    return prepare(builder.build())


def test_a_heated_pipe_warms_by_its_enthalpy_and_its_friction():
    network = line(lambda b, i, j: b.pipe("p", i, j, 20.0, 0.02))
    inputs = network.inputs()
    inputs.heat[0] = 2e4
    found = solve(network, inputs)
    m, rho = found.m_flow[0], float(WATER.density(0.5 * (300 + found.T_out[0])))
    rise = float(WATER.enthalpy(found.T_out[0]) - WATER.enthalpy(300.0))
    assert m * rise == pytest.approx(2e4 + m / rho * 1e5, rel=1e-6)  # 1e-6: density at the mean temperature
    assert found.energy_relative < 1e-9
    assert found.mass_relative < 1e-12


def test_a_pipe_in_warm_air_takes_heat_by_exp_of_ntu():
    network = line(lambda b, i, j: b.pipe("p", i, j, 20.0, 0.01, UA=200.0), p=(1.02e5, 1e5), T=290.0)
    inputs = network.inputs()
    inputs.T_ambient[:] = 310.0
    found = solve(network, inputs)
    C = found.m_flow[0] * float(WATER.specific_heat(290.0))
    # friction adds 5 mK, the specific heat changes by 1e-3 on the way
    assert (310 - found.T_out[0]) / 20 == pytest.approx(math.exp(-200 / C), rel=3e-3)


def test_a_plate_is_warmer_than_its_coolant_by_its_effectiveness():
    def add(b, i, j):
        b.cold_plate("c", i, j, m_nominal=0.05, dp_nominal=1e5, UA=120.0, UA_exponent=0.5, C=300.0)

    network = line(add)
    inputs = network.inputs()
    inputs.heat[0] = 500.0
    found = solve(network, inputs)
    m = found.m_flow[0]
    C = m * float(WATER.specific_heat(found.T_in[0]))
    UA = 120.0 * (m / 0.05) ** 0.5
    expected = 300 + 500 / (C * (1 - math.exp(-UA / C)))
    # friction warms the coolant too: 1e5 Pa / (rho cp) = 24 mK of 5.5 K
    assert found.T_solid[0] == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("arrangement", [COUNTER, PARALLEL])
def test_two_streams_exchange_by_their_effectiveness(arrangement):
    builder = Builder(WATER)
    glycol = fluid("pg25")
    ends = [builder.node(name) for name in ("a", "b")] + [
        builder.node(name, fluid=glycol) for name in ("c", "d")
    ]
    for node, p, T in zip(ends, (2e5, 1e5, 1e5, 2e5), (320.0, 320.0, 290.0, 290.0), strict=True):
        builder.boundary(node, p, T)
    hot = builder.resistance("hot", ends[0], ends[1], 0.4, 1e5)
    cold = builder.resistance("cold", ends[2], ends[3], 0.6, 1e5)  # drawn against its flow
    builder.exchange(
        *(hot, cold),
        UA=(6e3, 6e3),
        m_nominal=(0.4, 0.6),
        exponent=(0.0, 0.0),
        resistance=1e-5,
        arrangement=arrangement,
    )
    network = prepare(builder.build())
    found = solve(network, network.inputs())
    C = np.abs(found.m_flow) * [float(WATER.specific_heat(320.0)), float(glycol.specific_heat(290.0))]
    NTU = 1 / (2 / 6e3 + 1e-5) / C.min()
    share = effectiveness(np.array([NTU]), np.array([C.min() / C.max()]), np.array([arrangement]))
    Q = float(share[0]) * C.min() * 30
    friction = np.abs(found.m_flow * found.dp) / np.array([993.0, 1021.0])
    assert found.Q_flow[hot] == pytest.approx(-Q + friction[0], rel=1e-5)
    assert found.Q_flow[cold] == pytest.approx(Q + friction[1], rel=1e-5)
    assert found.energy_relative < 1e-9


def test_air_gives_its_heat_to_a_coil():
    builder = Builder(WATER)
    a, b = builder.node("a"), builder.node("b")
    builder.boundary(a, 2e5, 290.0)
    builder.boundary(b, 1e5, 290.0)
    coil = builder.resistance("coil", a, b, 0.5, 1e5)
    number = builder.exchange(coil, None, UA=(5e3, 2e3), m_nominal=(0.5, 1.2), exponent=(0.8, 0.5))
    network = prepare(builder.build())
    inputs = network.inputs()
    assert solve(network, inputs).Q_flow[coil] == pytest.approx(0.5 * 1e5 / 998, rel=0.02)  # no air: friction
    inputs.air_flow[number], inputs.T_air[number] = 1.2, 310.0
    found = solve(network, inputs)
    assert 0.5 * 1.2 * 1006 * 20 < found.Q_flow[coil] < 1.2 * 1006 * 20


def test_mixing_keeps_the_enthalpy():
    builder = Builder(WATER)
    cold, hot, mix, out = (builder.node(name) for name in ("cold", "hot", "mix", "out"))
    builder.boundary(cold, 2e5, 285.0)
    builder.boundary(hot, 2e5, 345.0)
    builder.boundary(out, 1e5, 300.0)
    builder.valve("1", cold, mix, 3.0)
    builder.valve("2", hot, mix, 5.0)
    builder.valve("3", mix, out, 9.0)
    network = prepare(builder.build())
    found = solve(network, network.inputs())
    V = found.m_flow[:2] / [float(WATER.density(285.0)), float(WATER.density(345.0))]
    expected = (
        found.m_flow[0] * float(WATER.enthalpy(285.0))
        + found.m_flow[1] * float(WATER.enthalpy(345.0))
        + V @ found.dp[:2]
    ) / found.m_flow[2]
    assert float(WATER.enthalpy(found.T[mix])) == pytest.approx(expected, rel=1e-7)


def test_supplies_bring_their_temperature():
    builder = Builder(WATER)
    a, b = builder.node("a"), builder.node("b")
    builder.boundary(b, 1e5, 290.0)
    builder.demand(a, -0.3, temperature=320.0)
    builder.pipe("p", a, b, 1.0, 0.03)
    network = prepare(builder.build())
    found = solve(network, network.inputs())
    assert found.m_flow[0] == pytest.approx(0.3)
    assert found.T[a] == pytest.approx(320.0, abs=1e-6)


def test_pump_power_ends_as_heat():
    builder = Builder(WATER)
    a, b, c = (builder.node(name) for name in "abc")
    builder.accumulator(a, volume=0.02, precharge=1.2e5, pressure=2e5)
    builder.pump("pump", a, b, [(0, 2e5), (2e-3, 0.4e5)], efficiency=0.5)
    builder.valve("valve", b, c, 5.0)
    builder.pipe("coil", c, a, 10.0, 0.02, UA=50.0)
    network = prepare(builder.build())
    inputs = network.inputs()
    found = solve(network, inputs)
    lost = -(found.Q_flow.sum() - 0.0)
    # what the coil gives to the air is the shaft power, all of it; Q_flow adds up to nothing in a closed loop
    assert abs(lost) < 1e-6 * found.power[0]
    given = found.Q_flow[network.branch("pump")] + found.Q_flow[network.branch("valve")]
    V = found.m_flow[0] / float(WATER.density(found.T[c]))
    assert given + V * found.dp[2] == pytest.approx(found.power[0], rel=1e-4)  # density at one temperature
    assert found.T.mean() > inputs.T_ambient[0]


def test_a_hall_closes_its_energy(hall):
    network, inputs = hall(12)
    found = solve(network, inputs)
    assert found.energy_relative < 1e-9  # asked 1e-6
    assert found.mass_relative < 1e-12  # asked 1e-9
    into = found.Q_flow[network.branch("facility side")]
    friction = found.power.sum()
    loss = inputs.T_ambient[0] - found.T.mean()
    assert into == pytest.approx(inputs.heat.sum() + friction, rel=0.01)
    assert abs(loss) < 10


def test_a_branch_without_flow_keeps_its_temperature():
    network = line(lambda b, i, j: b.pipe("p", i, j, 5.0, 0.02), p=(1e5, 1e5))
    found = solve(network, network.inputs())
    assert found.T_out[0] == pytest.approx(300.0)


def test_shut_in_plates_are_named(hall):
    network, inputs = hall(4)
    inputs.setting[network.branch("valve 2")] = 0.0
    with pytest.raises(CaseError, match=r"'plate 2\.0': heated by 5000 W and hardly anything flows"):
        solve(network, inputs)


def test_plates_that_boil_are_named(hall):
    network, inputs = hall(4)
    inputs.heat[network.branch("plate 2.0")] = 4e5
    with pytest.raises(CaseError, match="above the boiling point"):
        solve(network, inputs)


def test_heat_is_taken_where_the_flow_or_the_surroundings_carry_it_away():
    network = line(lambda b, i, j: b.pipe("p", i, j, 5.0, 0.02, UA=2.0))
    cp = np.array([4180.0])
    for size, heat, taken in ((1e-3, 2000.0, True), (1e-6, 2000.0, False), (0.0, 900.0, True)):
        found = network.thermal.taken(np.array([size]), cp, np.array([heat]))
        # 500 K times what 1 K more carries away: m cp + UA
        assert found[0] == (heat if taken else 0.0)


def test_a_leak_in_a_closed_loop_leaves_the_temperatures_whole(hall):
    network, inputs = hall(3)
    tight = solve(network, inputs)
    inputs.setting[network.branch("leak 1")] = 2e-5
    leaking = solve(network, inputs)
    assert leaking.m_flow[network.branch("leak 1")] > 0.1
    # the vessel makes the leak up at its node's temperature: nothing jumps, energy closes
    np.testing.assert_allclose(leaking.T, tight.T, atol=2.0)  # the plates beside it get less flow
    assert leaking.energy_relative < 1e-9
