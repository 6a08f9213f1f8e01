"""Schema: units, dumps that load again, the generated JSON schema."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from twin.model.load import example_layout, load_layout
from twin.model.scene import build_scene
from twin.model.schema import Layout, RackAir, json_schema

EXAMPLES = ["one_rack", "pod_two_row", "peer_room", "fm_mockup"]


def test_the_json_schema_on_disk_is_fresh():
    assert (example_layout("one_rack").parent / "schema.json").read_text(encoding="utf-8") == json_schema(), (
        "run  python -m twin.model.schema layouts/schema.json"
    )


def test_the_json_schema_documents_unit_and_default():
    schema = json.loads(json_schema())
    supply = schema["$defs"]["Cooler"]["properties"]["supply_temperature"]
    assert (supply["unit"], supply["default"]) == ("degC", 18.0)
    assert schema["$defs"]["Rack"]["additionalProperties"] is False


def test_text_and_numbers_mean_the_same(room):
    plain = Layout.model_validate(room)
    room["racks"][0]["power"] = "4 kW"
    room["racks"][0]["air"]["per_power"] = "0.05 m3/s/kW"
    room["room"]["raised_floor"] = "50 cm"
    room["coolers"][0]["capacity"] = "15 kW"
    assert Layout.model_validate(room) == plain


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_dump_loads_again(name):
    layout = load_layout(example_layout(name))
    dumped = layout.model_dump(mode="json")
    again = Layout.model_validate(json.loads(json.dumps(dumped)))
    assert again.model_dump(mode="json") == dumped
    for one, other in zip(layout.coolers, again.coolers, strict=True):
        assert other.supply_temperature == pytest.approx(one.supply_temperature, abs=1e-9)


def test_new_parts_left_out_mean_what_they_meant_before(room):
    layout = Layout.model_validate(room)
    assert layout.room.ceiling == layout.room.ceiling_leakage == 0.0
    sides = type(layout.room.envelope).model_fields
    assert len(sides) == 7
    assert all(getattr(layout.room.envelope, side).is_plain for side in sides)
    assert (layout.grilles, layout.openings, layout.ducts) == ((), (), ())
    (cooler,) = layout.coolers
    assert (cooler.elevation, cooler.fan_curve, cooler.coast_down) == (0.0, None, 0.0)
    assert layout.air.closure.kind == "mixing_length"


@pytest.mark.parametrize("kind", ["laminar", "mixing_length", "k_epsilon", "vreman"])
def test_every_closure_reaches_the_solver_with_its_constants(room, kind):
    room["air"]["closure"] = {
        "kind": kind, "turbulent_prandtl": 0.85, "vreman_constant": 0.05,
        "intensity": "8 %", "length_scale": 0.07,
    }  # fmt: skip
    closure = build_scene(Layout.model_validate(room), 0.2).closure
    assert (closure.kind, closure.Pr_t, closure.vreman) == (kind, 0.85, 0.05)
    assert (closure.intensity, closure.length) == (0.08, 0.07)


def test_layouts_are_frozen(room):
    layout = Layout.model_validate(room)
    with pytest.raises(ValidationError):
        layout.racks[0].power = 1.0  # type: ignore[misc]


def test_slot_powers_fill_up_to_the_racks(room):
    room["racks"][0]["slots"] = [
        {"u_start": 1, "u_height": 10, "power": "1 kW"},
        {"u_start": 11, "u_height": 10},
        {"u_start": 21, "u_height": 20},
    ]
    assert Layout.model_validate(room).racks[0].slot_powers == pytest.approx((1000.0, 1000.0, 2000.0))


def test_a_racks_power_may_be_the_sum_of_its_slots(room):
    del room["racks"][0]["power"]
    room["racks"][0]["slots"] = [{"u_start": u, "u_height": 2, "power": 300} for u in (1, 3, 5)]
    assert Layout.model_validate(room).racks[0].nominal_power == 900.0


@given(power=st.floats(0.0, 1e5), nominal=st.floats(1.0, 1e5))
def test_flow_per_power_never_falls_below_idle(power, nominal):
    air = RackAir.model_validate({"per_power": 0.05, "minimum": 0.4})
    flow = air.nominal_flow(power, nominal)
    assert flow >= 0.4 * 5e-5 * nominal * (1 - 1e-12)
    assert flow == pytest.approx(5e-5 * max(power, 0.4 * nominal))


def test_a_containment_counts_only_when_it_is_closed():
    path = example_layout("pod_two_row")
    assert load_layout(path).active_panels == ()
    closed = load_layout(path, ["containments[cold_aisle].enabled=true"])
    assert [panel.id for panel in closed.active_panels] == ["roof", "door_west", "door_east"]
    ajar = load_layout(
        path, ["containments.cold_aisle.enabled=true", "containments.cold_aisle.panels.door_west.open=true"]
    )
    assert [panel.id for panel in ajar.active_panels] == ["roof", "door_east"]
    assert [panel.axis for panel in closed.active_panels] == [2, 0, 0]


@pytest.mark.parametrize(
    "change",
    [
        {"air": {}},
        {"air": {"flow": 0.3, "per_power": 0.05}},
        {"air": {"flow": 0.3, "curve": {"temperature": [20, 30], "factor": [1]}}},
        {"air": {"flow": 0.3, "curve": {"temperature": [30, 20], "factor": [1, 2]}}},
        {"slots": []},
        {"id": "1A"},
        {"id": "A.1"},
        {"power": "-1 kW"},
    ],
)
def test_nonsense_in_a_rack_is_refused(room, change):
    room["racks"][0] |= change
    with pytest.raises(ValidationError):
        Layout.model_validate(room)
