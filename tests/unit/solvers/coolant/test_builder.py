"""Networks that cannot be: every fault is found at once and named; settings that stop the flow."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.coolant.builder import Builder
from solvers.coolant.components import Branches
from solvers.coolant.fluids import fluid
from solvers.coolant.network import prepare, solve
from solvers.errors import CaseError, GridMismatchError

CURVE = [(0.0, 2e5), (1e-3, 1.5e5), (2e-3, 0.4e5)]


def loop(parallel=False):
    """Pump, pipe, plate, valve and coil in a ring."""
    builder = Builder(fluid("water"))
    a, b, c, d = (builder.node(name) for name in ("suction", "discharge", "hot", "cold"))
    builder.accumulator(a, volume=0.02, precharge=1.2e5, pressure=2e5)
    builder.pump("pump", a, b, CURVE)
    if parallel:
        builder.pump("spare", a, b, CURVE)
    builder.pipe("pipe", b, c, 5.0, 0.025)
    builder.cold_plate("plate", c, d, m_nominal=0.5, dp_nominal=2e4, UA=2e3, C=500.0, volume=1e-4)
    builder.valve("valve", d, a, 10.0)
    return builder


def faults(builder):
    with pytest.raises(CaseError) as caught:
        builder.build()
    return str(caught.value)


def test_a_sound_network_has_columns_of_equal_length():
    case = loop().build()
    assert {column.shape[0] for column in case.branches} == {4}
    assert case.branches._fields == Branches._fields
    assert prepare(case).findings(prepare(case).inputs()) == ()


def test_open_ends_and_lonely_nodes_are_named():
    builder = loop()
    end = builder.node("end of nothing")
    builder.pipe("stub", 2, end, 1.0, 0.02)
    builder.node("lonely")
    text = faults(builder)
    assert "'stub'" in text and "'end of nothing'" in text and "open" in text
    assert "'lonely'" in text


def test_all_faults_come_at_once():
    builder = loop()
    builder.pipe("thin", 1, 2, 1.0, 0.0)
    builder.pipe("short", 1, 2, -1.0, 0.02)
    builder.pipe("round", 1, 1, 1.0, 0.02)
    builder.pipe("pipe", 1, 2, 1.0, 0.02)
    builder.valve("odd", 1, 2, 3.0, characteristic="quick")
    builder.cold_plate("wild", 1, 2, m_nominal=0.5, dp_nominal=2e4, UA=1.0, exponent=3.0)
    text = faults(builder)
    # names and ends are looked at first: with those wrong, the rest cannot be
    for part in ("'pipe': the name is given twice", "'round': leads from", "'odd'", "'wild': exponent 3"):
        assert part in text
    builder = loop()
    builder.pipe("thin", 1, 2, 1.0, 0.0)
    builder.pipe("short", 1, 2, -1.0, 0.02)
    builder.valve("wide", 1, 2, 3.0, opening=1.2)
    text = faults(builder)
    for part in ("'thin': diameter", "'short': length -1", "'wide': opening 1.2"):
        assert part in text


def test_two_pressures_in_conflict_are_named():
    builder = loop()
    builder.reservoir(3, area=0.1, height=1.0, level=0.5)
    text = faults(builder)
    assert "fixed 2 times" in text and "'suction' at 200000 Pa" in text and "'cold'" in text
    builder = loop()
    builder.boundary(0, 1e5, 293.15)
    assert "both a boundary and a vessel" in faults(builder)
    builder = loop()
    port = builder.node("port")
    builder.boundary(port, 1e5, 293.15)
    builder.boundary(port, 2e5, 293.15)
    builder.pipe("fill", port, 0, 1.0, 0.01)
    assert "'port': its pressure is fixed twice, at 100000 and 200000 Pa" in faults(builder)


def test_boundaries_joined_by_nothing_are_named():
    builder = Builder(fluid("water"))
    a, b = builder.node("a"), builder.node("b")
    builder.boundary(a, 2e5, 293.15)
    builder.boundary(b, 1e5, 293.15)
    builder.branch("wire", a, b)
    assert "'wire'" in faults(builder) and "resists nothing" in faults(builder)


def test_mains_of_an_open_circuit_are_no_conflict():
    builder = Builder(fluid("water"))
    a, b = builder.node("a"), builder.node("b")
    builder.boundary(a, 2e5, 293.15)
    builder.boundary(b, 1e5, 293.15)
    builder.pipe("one", a, b, 10.0, 0.02)
    builder.pipe("two", a, b, 10.0, 0.02)
    assert builder.build().branches.a.size == 2


def test_a_circuit_without_pump_or_pressure_is_named():
    builder = Builder(fluid("water"))
    a, b = builder.node("a"), builder.node("b")
    builder.pipe("there", a, b, 1.0, 0.02)
    builder.pipe("back", b, a, 1.0, 0.02)
    text = faults(builder)
    assert "nothing holds its pressure" in text and "no pump" in text and "'there', 'back'" in text


def test_fluids_do_not_mix():
    builder = loop()
    other = builder.node("oil", fluid=fluid("mineral_oil"))
    builder.pipe("mix", 1, other, 1.0, 0.02)
    builder.pipe("mix back", other, 2, 1.0, 0.02)
    text = faults(builder)
    assert "'mix': joins water and mineral_oil" in text and "'mix back'" in text


def test_vessels_that_cannot_be_are_named():
    builder = loop()
    builder.accumulator(3, volume=0.02, precharge=3e5, pressure=2e5)
    builder.reservoir(2, area=0.1, height=1.0, level=1.5)
    text = faults(builder)
    assert "precharge 300000" in text and "level 1.5" in text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"valve": 0.0}, "'pump' runs at 100% with no way from its outlet"),
        ({"valve": 1.5}, "'valve': opening 1.5"),
        ({"pump": -0.1}, "'pump': speed -0.1"),
        ({"pump": 0.0}, "heated and no pump of it runs"),
    ],
)
def test_settings_that_stop_the_flow_are_found_before_solving(change, expected):
    network = prepare(loop().build())
    inputs = network.inputs()
    inputs.heat[network.branch("plate")] = 100.0
    for name, setting in change.items():
        inputs.setting[network.branch(name)] = setting
    with pytest.raises(CaseError, match="network") as caught:
        solve(network, inputs)
    assert expected in str(caught.value)
    found = solve(network, inputs, thermal=False, strict=False)  # live: it goes on and says so
    assert any(expected in text for text in found.findings)


def test_a_pump_may_be_isolated_by_a_check_valve_the_wrong_way():
    builder = Builder(fluid("water"))
    a, b = builder.node("a"), builder.node("b")
    builder.accumulator(a, volume=0.02, precharge=1.2e5, pressure=2e5)
    builder.pump("pump", a, b, CURVE)
    builder.check_valve("wrong", a, b, 5.0)
    network = prepare(builder.build())
    assert "look at the check valves" in network.findings(network.inputs())[0]


def test_the_second_pump_is_no_way_back():
    network = prepare(loop(parallel=True).build())
    inputs = network.inputs()
    inputs.setting[network.branch("valve")] = 0.0
    assert len(network.findings(inputs)) == 2


def test_a_heated_circuit_without_a_sink_has_no_steady_state():
    network = prepare(loop().build())
    inputs = network.inputs()
    inputs.heat[network.branch("plate")] = 100.0
    with pytest.raises(CaseError, match="would warm for ever"):
        solve(network, inputs)


@pytest.mark.parametrize(("T", "expected"), [(275.0, "freezes"), (372.0, "boiling point")])
def test_freezing_and_boiling_coolant_is_named_with_its_node(T, expected):
    builder = Builder(fluid("water"))
    a, b, c = (builder.node(name) for name in ("in", "middle", "out"))
    builder.boundary(a, 2e5, T)
    builder.boundary(c, 1e5, T)
    builder.pipe("first", a, b, 5.0, 0.02)
    builder.pipe("second", b, c, 5.0, 0.02)
    network = prepare(builder.build())
    inputs = network.inputs()
    inputs.heat[0] = 3e4 if T > 300 else -3e4
    with pytest.raises(CaseError) as caught:
        solve(network, inputs)
    text = str(caught.value)
    assert expected in text and "'middle'" in text and "'out'" in text and "'in'" not in text
    assert len(solve(network, inputs, strict=False).findings) == 2


def test_inputs_of_wrong_size_or_without_number_are_refused():
    network = prepare(loop().build())
    inputs = network.inputs()
    with pytest.raises(GridMismatchError, match=r"heat: \(2,\) is not \(4,\)"):
        solve(network, inputs._replace(heat=np.zeros(2)))
    inputs.T_ambient[3] = np.nan
    with pytest.raises(GridMismatchError, match=r"T_ambient\[3\]"):
        solve(network, inputs)


def test_unknown_names_are_refused():
    network = prepare(loop().build())
    with pytest.raises(CaseError, match="pumpe"):
        network.branch("pumpe")
    with pytest.raises(CaseError, match="nowhere"):
        network.node("nowhere")
