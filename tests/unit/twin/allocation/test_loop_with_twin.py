"""The loop with the real twin behind it: a pod whose end racks are made hot, on coarse grids."""

from dataclasses import dataclass, replace

import pytest

from solvers.airflow.model import advance
from twin.allocation.loop import AllocationLoop
from twin.allocation.record import comparison_window
from twin.model.load import example_layout, load_layout
from twin.model.operating import Operating
from twin.ports import CommandResult, Reading, Workload
from twin.runtime.engine import Engine
from twin.runtime.trace import generated_trace
from twin.runtime.trial import TwinTrial
from twin.runtime.workloads import LoadModel
from twin.units import celsius, kelvin


@dataclass
class Pod:
    """Plant, telemetry, actuator and platform around one engine; its own physics is the solver's."""

    def __post_init__(self):
        self.layout = load_layout(example_layout("pod_two_row"))
        self.engine = Engine(self.layout, cell=0.2)
        self.loads = LoadModel(self.layout, generated_trace(self.layout, seed=3, days=0.1))
        self.placement = self.loads.placement | {
            spec.id: "R01" for spec in self.loads.workloads if spec.rack in ("R02", "R03", "R04")
        }
        self.settings = replace(Operating.nominal(self.layout), cooler_fan_speed={"C1": 0.4, "C2": 0.4})
        self.now = 1000.0
        self.saved = {}
        self.engine.start(self.now, self.operating)
        self.advance(240.0)

    @property
    def operating(self):
        return replace(self.settings, rack_power=self.loads.rack_power(self.placement, 0.0))

    def advance(self, seconds):
        self.now += seconds
        inputs = self.engine.scene.unit_inputs(self.operating)
        self.engine.state = advance(self.engine.model, self.engine.state, inputs, seconds)
        self.engine.operating = self.operating
        self.values = self.engine.predictions()
        self.values |= {f"{rack}.power": power for rack, power in self.operating.rack_power.items()}

    # view
    prepared = property(lambda self: self.engine._prepared)
    state = property(lambda self: self.engine.state)
    coolant = property(lambda self: self.engine.loops.pack())
    latest = property(lambda self: {p: Reading(p, v, self.now) for p, v in self.values.items()})
    alive = property(lambda self: frozenset(racklet.id for racklet in self.layout.racklets))
    twin_error = 0.3
    summary = property(lambda self: {"sensors": {}})

    def hottest(self):
        return max(value for point, value in self.values.items() if "inlet_temperature" in point)

    # actuator and platform
    def write(self, commands):
        for command in commands:
            asset, quantity = command.point.split(".")
            field, value = {
                "supply_temperature": ("cooler_supply_temperature", kelvin(command.value)),
                "fan_speed": ("cooler_fan_speed" if asset[0] == "C" else "fan_speed", command.value),
                "pump_speed": ("pump_speed", command.value),
            }[quantity]
            changed = dict(getattr(self.settings, field)) | {asset: value}
            self.settings = replace(self.settings, **{field: changed})
        return [CommandResult(command.id, True) for command in commands]

    def workloads(self):
        demand = {spec.id: self.loads.demand(spec.id, 0.0) for spec in self.loads.workloads}
        return [Workload(id, rack, demand[id], demand[id]) for id, rack in self.placement.items()]

    def migrate(self, moves, reason):
        self.placement |= moves
        return [CommandResult(move, True) for move in moves]

    def save(self, decision):
        self.saved[decision["id"]] = decision


def test_a_hot_end_rack_is_relieved_in_the_twin_and_then_in_the_room():
    pod = Pod()
    trial = TwinTrial(pod.layout, lambda: pod, cell=0.25)
    loop = AllocationLoop(
        pod.layout, lambda: pod, trial, pod, pod, pod.save, mode="auto", period=120.0, clock=lambda: pod.now
    )
    try:
        assert pod.hottest() > 27.0
        loop.tick(pod.now)
        pod.advance(120.0)
        decision = loop.tick(pod.now)
    finally:
        trial.close()
    assert decision["state"] == "committed", decision["why"]
    assert "R01" in decision["critical"]
    assert len(decision["candidates"]) >= 1
    assert all(c["wall_s"] < 60.0 for c in decision["candidates"])
    while pod.now < comparison_window(decision)[1]:
        pod.advance(60.0)
        loop.memory.settle = 0.0
    without = decision["baseline"]["racks"]["R01"]["inlet_max_c"]
    assert pod.values["R01.inlet_temperature.top"] < without
    loop._next = 1e18  # only compare
    loop.tick(pod.now)
    observed = pod.saved[decision["id"]]["observed"]
    assert observed["error_k"] < 1.5  # grids of 0.2 and 0.25 m in an unsteady room
    assert celsius(kelvin(observed["max_inlet_c"])) == pytest.approx(pod.hottest(), abs=0.01)
