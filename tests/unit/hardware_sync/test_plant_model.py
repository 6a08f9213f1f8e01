"""The plant's physics: not the twin's room, but a sound one."""

from __future__ import annotations

import numpy as np
import pytest

from hardware_sync.agent.actuators import Actuator
from hardware_sync.agent.deploy import points_by_agent
from hardware_sync.agent.plant_model import PlantModel, plant_perturbation
from twin.model.load import example_layout, load_layout
from twin.model.operating import Operating
from twin.model.scene import build_scene


@pytest.fixture(scope="module")
def layout():
    return load_layout(example_layout("one_rack"))


@pytest.fixture(scope="module")
def settled(layout):
    """Make a room that has run for a minute at nominal power."""
    model = PlantModel(layout, seed=1)
    model.settle({rack.id: rack.nominal_power for rack in layout.racks})
    march(model, layout, 60.0)
    return model


def march(model, layout, seconds, factor=1.0):
    power = {rack.id: factor * rack.nominal_power for rack in layout.racks}
    for _ in range(round(seconds)):
        model.advance(1.0, power)


def test_an_actuator_lags_and_never_overshoots():
    actuator = Actuator(0.5, 1.0, lag=2.0, slew=10.0)
    actuator.advance(2.0)
    assert actuator.value == pytest.approx(1.0 - 0.5 / np.e)
    fine = Actuator(0.5, 1.0, lag=2.0, slew=10.0)
    for _ in range(200):
        fine.advance(0.01)
    assert fine.value == pytest.approx(actuator.value)
    actuator.advance(1000.0)
    assert actuator.value == pytest.approx(1.0)


def test_an_actuator_moves_no_faster_than_its_slew():
    actuator = Actuator(0.2, 1.0, lag=0.1, slew=0.1)
    actuator.advance(2.0)
    assert actuator.value == pytest.approx(0.4)


def test_the_plant_is_not_the_room_of_its_layout(layout):
    perturbation = plant_perturbation(layout, 1)
    assert perturbation == plant_perturbation(layout, 1)
    assert perturbation != plant_perturbation(layout, 2)
    assert all(0.85 < factor < 1.15 and factor != 1.0 for factor in perturbation.air_flow.values())
    plant, twin = PlantModel(layout, 1), build_scene(layout)
    assert plant.cells < 0.6 * twin.cells


def test_the_truth_has_every_point_of_the_agents(layout, settled):
    truth = settled.truth()
    asked = {point for points in points_by_agent(layout).values() for point in points}
    assert asked <= set(truth)
    assert all(np.isfinite(value) for value in truth.values())


def test_heat_that_goes_in_comes_out(layout, settled):
    truth = settled.truth()
    into_air = sum(truth[f"{rack.id}.power"] for rack in layout.racks)
    into_air -= sum(truth.get(f"{racklet.id}.liquid_heat", 0.0) for racklet in layout.racklets)
    removed = sum(truth[f"{cooler.id}.cooling_power"] for cooler in layout.coolers)
    # a minute after a quick settling the room still stores or gives a little
    assert removed == pytest.approx(into_air, rel=0.15)


def test_the_measured_air_flow_is_the_perturbed_one(layout, settled):
    scene = build_scene(layout)
    factor = plant_perturbation(layout, 1).air_flow["R01"]
    nominal = scene.unit_inputs(Operating.nominal(layout)).V_flow[list(scene.rack_units["R01"])].sum()
    assert settled.truth()["R01.air_flow"] / nominal == pytest.approx(factor, rel=1e-6)


def test_a_faster_fan_moves_more_air(layout):
    model = PlantModel(layout, seed=1)
    march(model, layout, 30.0)
    before = model.truth()
    assert model.write("K01.fan_speed", 1.0)
    march(model, layout, 30.0)
    after = model.truth()
    assert after["K01.fan_speed"] == pytest.approx(1.0, abs=1e-3)
    assert after["R01.air_flow"] / before["R01.air_flow"] == pytest.approx(
        1.0 / before["K01.fan_speed"], rel=0.01
    )


def test_a_set_point_that_is_none_is_not_taken(layout):
    model = PlantModel(layout, seed=1)
    assert not model.write("K01.state", 1.0)
    assert not model.write("K01.fan_speed", float("nan"))
    assert model.write("C1.supply_temperature", 20.0)
    assert model.actuators["C1.supply_temperature"].target == pytest.approx(293.15)


def test_a_checkpoint_goes_on_exactly(layout, settled, tmp_path):
    path = tmp_path / "plant.npz"
    with path.open("wb") as file:
        np.savez(file, **settled.dump())
    other = PlantModel(layout, seed=1)
    with np.load(path, allow_pickle=False) as stored:
        assert other.load({name: stored[name] for name in stored.files})
    assert other.truth() == pytest.approx({**settled.truth(), **own_power(other, settled)})


def own_power(other, settled):
    """Power comes from the load, not from the checkpoint."""
    asked, had = other.truth(), settled.truth()
    return {
        point: asked[point] for point in had if "power" in point or "output" in point or "liquid" in point
    }


@pytest.mark.parametrize("spoil", ["grid", "T", "actuator_values"])
def test_a_checkpoint_of_another_room_or_a_broken_one_is_refused(layout, settled, spoil):
    arrays = settled.dump()
    arrays[spoil] = arrays[spoil][:-1] if spoil != "T" else np.full_like(arrays["T"], np.nan)
    model = PlantModel(layout, seed=1)
    before = model.truth()
    assert not model.load(arrays)
    assert not model.load({})
    assert model.truth() == before
