"""Networks and fluids that several tests share."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.coolant.builder import Builder
from solvers.coolant.fluid_data import About
from solvers.coolant.fluids import Fluid, Table, fluid
from solvers.coolant.network import prepare


@pytest.fixture
def constant_fluid():
    """A fluid whose properties do not depend on the temperature."""

    def make(name, rho, cp, k, mu):
        ones = np.ones(2)
        table = Table(
            200.0, 400.0, rho * ones, cp * ones, k * ones, np.log(mu) * ones, np.array([0.0, cp * 400.0])
        )
        return Fluid(name, table, About(200.0, 600.0, 150.0, 700.0, "boiling", "made up for a test"))

    return make


@pytest.fixture
def hall():
    """A row of racklets with four cold plates each, on a CDU with three pumps and an exchanger."""

    def make(racklets):
        coolant, water = fluid("pg25"), fluid("water")
        builder = Builder(coolant)
        supply, back = builder.node("supply"), builder.node("return")
        suction, discharge = builder.node("suction"), builder.node("discharge")
        total = 0.8 * racklets
        builder.accumulator(suction, volume=0.1, precharge=1.2e5, pressure=2e5)
        for i in range(3):
            V = total / 3 / 1000
            builder.pump(f"pump {i}", suction, discharge, [(0, 3.4e5), (V, 3e5), (2 * V, 1.6e5)], volume=2e-3)
        warm = builder.resistance("exchanger", discharge, supply, total, 4e4, volume=5e-4 * racklets)
        come, behind, go = (builder.node(f"facility {name}", fluid=water) for name in ("in", "behind", "out"))
        builder.boundary(come, 4e5, 291.15)
        builder.boundary(go, 3e5, 291.15)
        cold = builder.resistance("facility side", come, behind, total, 4e4, volume=5e-4 * racklets)
        builder.valve("facility valve", behind, go, total * 3.6 / 0.5**0.5)
        builder.exchange(warm, cold, UA=(1.5e4 * racklets,) * 2, m_nominal=(total, total))
        builder.filter("filter", back, suction, total * 3.6 / 0.1**0.5)
        plates = []
        for r in range(racklets):
            ahead, last = builder.node(f"supply {r}"), builder.node(f"return {r}")
            builder.pipe(f"header {r}", supply, ahead, 0.6, 0.15, loss=0.2)
            builder.pipe(f"collector {r}", last, back, 0.6, 0.15, loss=0.2)
            supply, back = ahead, last
            nodes = [builder.node(f"racklet {r} {part}") for part in ("valve", "hose", "in", "out", "check")]
            builder.valve(f"valve {r}", ahead, nodes[0], 6.0)
            builder.coupling(f"coupling {r}", nodes[0], nodes[1], 8.0)
            builder.pipe(f"hose {r}", nodes[1], nodes[2], 1.5, 0.02, loss=3.0, UA=0.3)
            for plate in range(4):
                name = f"plate {r}.{plate}"
                builder.cold_plate(
                    name, nodes[2], nodes[3], m_nominal=0.2, dp_nominal=3e4, UA=900.0, C=900.0, volume=5e-5
                )
                plates.append(name)
            builder.check_valve(f"check {r}", nodes[3], nodes[4], 10.0)
            builder.pipe(f"hose back {r}", nodes[4], last, 1.5, 0.02, loss=3.0, UA=0.3)
            builder.leak(f"leak {r}", nodes[2])
        network = prepare(builder.build())
        inputs = network.inputs()
        for name in plates:
            inputs.heat[network.branch(name)] = 5000.0
        return network, inputs

    return make
