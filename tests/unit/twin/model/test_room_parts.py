"""Ceilings, grilles, openings, ducts, envelopes, porous panels and coolers are drawn where they belong."""

import math

import numpy as np
import pytest

from solvers.airflow.case import CP, RHO
from twin.errors import InputError
from twin.model import voxel
from twin.model.catalog import tile_loss_coefficient
from twin.model.load import example_layout, load_layout
from twin.model.mesh.surfaces import rectangles
from twin.model.operating import Operating
from twin.model.scene import build_scene
from twin.model.schema import Layout
from twin.units import kelvin


def scene_of(room, cell=0.1):
    return build_scene(Layout.model_validate(room), cell)


def area(scene, axis, mask):
    """Area of the faces of one plane where ``mask`` holds. [m2]."""
    widths = [scene.case.grid.widths[a] for a in range(3) if a != axis]
    return float(np.outer(*widths)[mask].sum())


def face(scene, axis, coordinate):
    return voxel.nearest(scene.case.grid[axis], coordinate)


# -- ceiling -------------------------------------------------------------------------------------------------


@pytest.fixture
def ceiled(room):
    room["room"] |= {"size": [4.0, 3.0, 3.6], "ceiling": 3.0}
    room["coolers"][0]["return_face"] = "ceiling"
    room["grilles"] = [{"id": "G1", "position": [2.0, 2.4], "size": [1.2, 0.6], "open_area": 0.5}]
    return room


def test_a_drop_ceiling_is_closed_but_for_its_grilles(ceiled):
    scene = scene_of(ceiled)
    k = face(scene, 2, 3.0)
    open_ = ~scene.case.plate_z[:, :, k]
    assert area(scene, 2, open_) == pytest.approx(1.2 * 0.6)
    assert np.unique(scene.case.K_z[:, :, k][open_]) == pytest.approx([tile_loss_coefficient(0.5, "blevins")])
    volumes = scene.case.grid.volumes
    assert volumes[scene.ceiling_cells].sum() == pytest.approx(4.0 * 3.0 * 0.6)
    assert not (scene.ceiling_cells & scene.room_cells).any()
    assert scene.region.max() == 0  # slab to roof is one space


def test_a_leaking_ceiling_lets_air_through_everywhere(ceiled):
    ceiled["room"]["ceiling_leakage"] = 0.01
    scene = scene_of(ceiled)
    k = face(scene, 2, 3.0)
    leaks = np.isclose(scene.case.K_z[:, :, k], tile_loss_coefficient(0.01))
    assert area(scene, 2, leaks) == pytest.approx(4.0 * 3.0 - 1.2 * 0.6 - 1.0 * 0.6)  # less grille and duct


def test_a_cooler_draws_from_above_the_ceiling_through_a_duct_on_its_top(ceiled):
    scene = scene_of(ceiled)
    case, intake = scene.case, scene.case.unit_inlet[scene.cooler_units["C1"]]
    assert (case.patch_axis[intake], case.patch_side[intake]) == (2, 1)
    assert case.grid.z[case.patch_index[intake]] == pytest.approx(3.0)
    (chimney,) = [box for box in scene.boxes if box.name == "C1.duct"]
    assert (chimney.lo[2], chimney.hi[2]) == (2.5, 3.0)
    window = tuple(slice(*voxel.span(case.grid[a], chimney.lo[a], chimney.hi[a])) for a in range(3))
    assert case.solid[window].all()


def test_tiles_and_grilles_blow_jets(ceiled):
    jets = scene_of(ceiled).case.jets
    assert jets is not None
    scene = scene_of(ceiled)
    assert jets.open_area.tolist() == [0.25, 0.25, 0.5]
    assert (jets.axis == 2).all()
    assert [scene.case.grid.z[k] for k in jets.index] == pytest.approx([0.5, 0.5, 3.0])
    x, y = scene.case.grid.x, scene.case.grid.y
    sizes = [(x[hi[0]] - x[lo[0]]) * (y[hi[1]] - y[lo[1]]) for lo, hi in zip(jets.lo, jets.hi, strict=True)]
    assert sizes == pytest.approx([0.36, 0.36, 0.72])


# -- coolers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("supply", "back"), [("front", "rear"), ("rear", "front"), ("bottom", "rear"), ("top", "front")]
)
def test_in_row_and_overhead_coolers_blow_from_the_faces_they_name(room, supply, back):
    room["coolers"][0] |= {
        "position": [1.0, 1.5], "size": [0.6, 1.0, 0.5], "elevation": 1.4, "facing": "-y",
        "supply_face": supply, "return_face": back,
    }  # fmt: skip
    scene = scene_of(room)
    case, unit = scene.case, scene.cooler_units["C1"]
    found = {}
    for which, patch in ((supply, case.unit_outlet[unit]), (back, case.unit_inlet[unit])):
        axis = int(case.patch_axis[patch])
        found[which] = (axis, int(case.patch_side[patch]), float(case.grid[axis][case.patch_index[patch]]))
    faces = {"front": (1, -1, 1.5), "rear": (1, 1, 2.5), "bottom": (2, -1, 1.9), "top": (2, 1, 2.4)}
    assert found == {which: pytest.approx(faces[which]) for which in (supply, back)}


def test_cooler_flow_gives_way_to_pressure_through_the_scene(room):
    room["coolers"][0]["fan_curve"] = {"stall_pressure": 100}
    scene = scene_of(room)
    unit = scene.cooler_units["C1"]
    p = np.zeros(scene.case.grid.shape)
    p[scene.plenum_cells] = 75.0
    dp = scene.pressure_rise(p)
    assert dp[unit] == pytest.approx(75.0)  # blows into the plenum, draws from the room
    assert dp[list(scene.rack_units["A1"])] == pytest.approx(0.0)
    assert scene.unit_inputs(Operating(), dp=dp).V_flow[unit] == pytest.approx(0.55 * 0.5)
    assert scene.unit_inputs(Operating()).V_flow[unit] == pytest.approx(0.55)
    for wrong in (dp[:-1], np.full(dp.shape, np.nan)):
        with pytest.raises(InputError, match="finite pressure differences"):
            scene.unit_inputs(Operating(), dp=wrong)


# -- openings and ducts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("axis", "at", "lo", "hi"),
    [
        (0, 4.0, [4.0, 0.5, 0.5], [4.0, 1.4, 2.5]),
        (0, 0.0, [0.0, 2.0, 0.5], [0.0, 2.9, 2.5]),
        (1, 0.0, [3.0, 0.0, 0.5], [3.9, 0.0, 2.5]),
        (2, 3.0, [2.0, 0.5, 3.0], [3.0, 1.1, 3.0]),
        (2, 0.0, [2.0, 0.5, 0.0], [3.0, 1.1, 0.0]),
    ],
)
def test_an_opening_joins_the_room_to_a_layer_outside(room, axis, at, lo, hi):
    room["openings"] = [{"id": "O1", "lo": lo, "hi": hi, "loss_coefficient": 2.0}]
    scene = scene_of(room)
    case = scene.case
    size = math.prod(b - a for a, b in zip(lo, hi, strict=True) if b > a)
    assert case.ambient is not None
    assert case.grid.volumes[case.ambient].sum() == pytest.approx(0.1 * size)
    assert not (case.ambient & case.solid).any()
    loss = (case.K_x, case.K_y, case.K_z)[axis]
    window = tuple(face(scene, axis, at) if a == axis else slice(None) for a in range(3))
    assert area(scene, axis, np.isclose(loss[window], 2.0)) == pytest.approx(size)
    # all of the layer beyond the wall but the opening is solid, and no air outside counts as the room's
    low, high = case.grid[axis][[0, -1]]
    assert (low, high) == pytest.approx((-0.1, (4, 3, 3)[axis]) if at == 0.0 else (0.0, at + 0.1))
    assert not ((scene.room_cells | scene.plenum_cells) & case.ambient).any()
    total = case.grid.volumes[scene.room_cells | scene.plenum_cells].sum()
    assert total == pytest.approx(4 * 3 * 3 - 2 * 0.6 * 2.0 - 1.2)
    assert scene.region.max() == 0
    assert scene.findings == ()


def test_a_shut_door_is_a_wall_and_a_leaking_one_a_slit(room):
    door = {"id": "O1", "lo": [4.0, 0.5, 0.5], "hi": [4.0, 1.4, 2.5], "open": False}
    room["openings"] = [door]
    assert scene_of(room).case.ambient is None
    assert scene_of(room).cells == scene_of(room | {"openings": []}).cells
    room["openings"] = [door | {"leakage": 0.02}]
    case = scene_of(room).case
    assert case.ambient is not None
    assert case.K_x.max() == pytest.approx(tile_loss_coefficient(0.02))


def test_the_outside_has_its_temperature(room):
    room["air"]["ambient_temperature"] = 31
    scene = scene_of(room)
    assert scene.unit_inputs(Operating()).T_ambient == pytest.approx(kelvin(31.0))
    assert scene.unit_inputs(Operating(ambient_temperature=280.0)).T_ambient == 280.0
    with pytest.raises(InputError, match="ambient_temperature"):
        scene.unit_inputs(Operating(ambient_temperature=np.nan))


@pytest.fixture
def ducted(room):
    room["ducts"] = [
        {"id": "IN", "air_flow": 0.3, "discharge": {"lo": [4.0, 0.5, 2.5], "hi": [4.0, 0.9, 2.9]}},
        {"id": "OUT", "air_flow": 0.3, "intake": {"lo": [2.0, 0.4, 3.0], "hi": [2.6, 0.8, 3.0]}},
        {
            "id": "MIX", "air_flow": 0.1,
            "intake": {"lo": [1.2, 2.4, 2.6], "hi": [1.4, 2.4, 2.8]},
            "discharge": {"lo": [1.2, 2.6, 2.8], "hi": [1.4, 2.8, 2.8]},
        },
    ]  # fmt: skip
    room["obstacles"] = [{"id": "BOX", "lo": [1.2, 2.4, 2.6], "hi": [1.4, 2.8, 2.8]}]
    return room


def test_ducts_join_walls_ceiling_obstacles_and_the_outside(ducted):
    scene = scene_of(ducted)
    case = scene.case
    inlet, outlet = (
        {name: int(ends[unit]) for name, unit in scene.duct_units.items()}
        for ends in (case.unit_inlet, case.unit_outlet)
    )
    assert inlet["IN"] == outlet["OUT"] == -1
    sides = [
        (int(case.patch_axis[p]), int(case.patch_side[p]))
        for p in (outlet["IN"], inlet["OUT"], inlet["MIX"], outlet["MIX"])
    ]
    assert sides == [(0, -1), (2, -1), (1, -1), (2, 1)]
    assert case.ambient is None  # fans, not openings
    inputs = scene.unit_inputs(Operating())
    assert inputs.V_flow[[scene.duct_units[n] for n in ("IN", "OUT", "MIX")]] == pytest.approx(
        [0.3, 0.3, 0.1]
    )
    failed = scene.unit_inputs(Operating(failed=frozenset({"IN", "OUT"})))
    assert failed.V_flow[scene.duct_units["IN"]] == failed.V_flow[scene.duct_units["OUT"]] == 0.0


@pytest.mark.parametrize(("outside", "heats"), [(35.0, False), (5.0, True)])
def test_make_up_air_comes_in_at_its_temperature(ducted, outside, heats):
    ducted["ducts"][0]["supply_temperature"] = 18
    ducted["air"]["ambient_temperature"] = outside
    scene = scene_of(ducted)
    unit, inputs = scene.duct_units["IN"], scene.unit_inputs(Operating())
    if heats:
        assert np.isnan(inputs.T_supply[unit])
        assert inputs.Q_flow[unit] == pytest.approx(RHO * CP * 0.3 * 13.0)
    else:
        assert inputs.T_supply[unit] == pytest.approx(kelvin(18.0))
        assert inputs.Q_max[unit] == math.inf


def test_a_duct_in_a_panel_needs_a_side(room):
    wall = {"id": "P1", "lo": [3.6, 0.0, 0.5], "hi": [3.6, 2.8, 3.0]}
    ends = {"lo": [3.6, 0.5, 2.0], "hi": [3.6, 0.9, 2.4]}
    room["panels"] = [wall]
    room["ducts"] = [{"id": "D1", "air_flow": 0.2, "intake": ends | {"facing": "-x"},
                      "discharge": {"lo": [4.0, 0.5, 2.0], "hi": [4.0, 0.9, 2.4]}}]  # fmt: skip
    scene = scene_of(room)
    case = scene.case
    assert case.patch_side[case.unit_inlet[scene.duct_units["D1"]]] == -1


# -- envelope ------------------------------------------------------------------------------------------------


def test_an_adiabatic_room_has_no_surfaces(room):
    scene = scene_of(room)
    assert scene.case.surfaces is None
    assert scene.surface_names == ()


def surface_areas(scene):
    surfaces = scene.case.surfaces
    found = {}
    for n, name in enumerate(scene.surface_names):
        others = [a for a in range(3) if a != surfaces.axis[n]]
        size = math.prod(
            float(scene.case.grid[a][hi] - scene.case.grid[a][lo])
            for a, lo, hi in zip(others, surfaces.lo[n], surfaces.hi[n], strict=True)
        )
        key = (name, int(surfaces.side[n]))
        found[key] = found.get(key, 0.0) + size
    return found


def test_surfaces_cover_the_sides_less_what_lies_on_them(room):
    glass = {"temperature": 5, "u_value": 1.2, "thermal_mass": 2e4}
    room["room"]["envelope"] = {
        "west": {"temperature": 25}, "east": glass, "slab": {"temperature": 12, "u_value": 0.3},
        "roof": {"thermal_mass": 1e5}, "raised_floor": {"thermal_mass": 4e4},
    }  # fmt: skip
    room["openings"] = [{"id": "O1", "lo": [4.0, 0.5, 0.5], "hi": [4.0, 1.4, 2.5]}]
    room["ducts"] = [
        {"id": "D1", "air_flow": 0.2, "discharge": {"lo": [2.0, 0.4, 3.0], "hi": [2.6, 0.8, 3.0]}}
    ]
    scene = scene_of(room)
    surfaces = scene.case.surfaces
    racks, cooler, tiles = 2 * 0.6 * 1.0, 1.0 * 0.6, 2 * 0.36
    assert surface_areas(scene) == pytest.approx(
        {
            # the cooler, 0.6 deep along x and 1 m wide, stands against the west wall
            ("west", 1): 3.0 * 3.0 - 1.0 * 2.0,
            ("east", -1): 3.0 * 3.0 - 0.9 * 2.0,
            ("slab", 1): 4.0 * 3.0,
            ("roof", -1): 4.0 * 3.0 - 0.6 * 0.4,
            ("raised_floor", 1): 4.0 * 3.0 - racks - cooler - tiles,
            ("raised_floor", -1): 4.0 * 3.0 - cooler - tiles,  # the cooler blows through its footprint
        }
    )
    law = {name: (surfaces.T[n], surfaces.U[n], surfaces.C[n]) for n, name in enumerate(scene.surface_names)}
    assert law["west"] == (pytest.approx(kelvin(25)), math.inf, 0.0)
    assert law["east"] == (pytest.approx(kelvin(5)), pytest.approx(1.2), 2e4)
    assert law["roof"] == (pytest.approx(math.nan, nan_ok=True), 0.0, 1e5)
    assert law["raised_floor"][2] == 2e4  # half on each face
    assert not surfaces.slip.any()
    assert not surfaces.velocity.any()


def test_rectangles_cover_a_mask_once():
    rng = np.random.default_rng(1)
    for _ in range(50):
        mask = rng.random((7, 9)) < 0.7
        count = np.zeros(mask.shape, int)
        for (a, b), (c, d) in rectangles(mask):
            count[a:c, b:d] += 1
        assert (count == mask).all()
    assert len(list(rectangles(np.ones((5, 6), bool)))) == 1


# -- panels --------------------------------------------------------------------------------------------------


def test_a_panel_on_a_tile_adds_to_its_loss(room):
    room["panels"] = [{"id": "P1", "lo": [2.0, 0.9, 0.5], "hi": [2.6, 1.5, 0.5], "open_area": 0.4}]
    scene = scene_of(room)
    k = face(scene, 2, 0.5)
    i, j = face(scene, 0, 2.0), face(scene, 1, 0.9)
    both = tile_loss_coefficient(0.25) + tile_loss_coefficient(0.4)
    assert scene.case.K_z[i, j, k] == pytest.approx(both)
    assert scene.case.K_z[face(scene, 0, 2.6), j, k] == pytest.approx(tile_loss_coefficient(0.25))


@pytest.mark.parametrize(
    ("how", "loss"),
    [
        ({"open_area": 0.64}, tile_loss_coefficient(0.64)),
        ({"open_area": 0.64, "relation": "blevins"}, tile_loss_coefficient(0.64, "blevins")),
        ({"open_area": 1.0, "relation": "blevins"}, 0.0),
        ({"loss_coefficient": 3.3}, 3.3),
        ({"leakage": 0.03}, tile_loss_coefficient(0.03)),
    ],
)
def test_porous_panels_have_their_loss(room, how, loss):
    room["panels"] = [{"id": "P1", "kind": "screen", "lo": [1.5, 0.0, 0.5], "hi": [1.5, 3.0, 3.0]} | how]
    scene = scene_of(room)
    i = face(scene, 0, 1.5)
    above = slice(face(scene, 2, 0.5), None)
    assert not scene.case.plate_x[i].any()
    assert scene.case.K_x[i][:, above] == pytest.approx(loss)


def test_cutouts_open_a_tight_panel(room):
    room["panels"] = [
        {
            "id": "P1", "lo": [1.5, 0.0, 0.5], "hi": [1.5, 3.0, 3.0],
            "cutouts": [
                {"lo": [0.5, 1.0], "hi": [1.0, 2.0], "open_area": 0.5, "relation": "blevins"},
                {"lo": [1.5, 1.0], "hi": [2.0, 1.5]},
            ],
        }
    ]  # fmt: skip
    scene = scene_of(room)
    i, k0 = face(scene, 0, 1.5), face(scene, 2, 0.5)
    plate, loss = scene.case.plate_x[i], scene.case.K_x[i]
    assert area(scene, 0, plate) == pytest.approx(3.0 * 2.5 - 0.5 - 0.25)
    assert area(scene, 0, loss > 0) == pytest.approx(0.5)
    assert np.unique(loss[loss > 0]) == pytest.approx([4.0])
    assert not plate[:, :k0].any()


# -- examples ------------------------------------------------------------------------------------------------


def test_the_mock_up_has_the_areas_of_the_experiment():
    scene = build_scene(load_layout(example_layout("fm_mockup")))
    south = face(scene, 1, 2.286)  # the experiment's y = 0; the hall and the collector lie before it
    floor, ceiling = face(scene, 2, 0.8636), face(scene, 2, 4.0132)
    inside = (slice(face(scene, 0, 0.3048), face(scene, 0, 5.1816)), slice(south, None))
    tops = np.diff(scene.case.grid[0])[inside[0], None] * np.diff(scene.case.grid[1])[None, inside[1]]
    open_floor = ~scene.case.plate_z[:, :, floor][inside]
    assert (tops * open_floor).sum() == pytest.approx(2 * 0.6096 * 5.334, rel=0.02)
    # lines closer than 3.5 cm become one: areas hold to a few per cent
    open_ceiling = ~scene.case.plate_z[:, :, ceiling][inside]
    assert (tops * open_ceiling).sum() == pytest.approx(10 * 0.508**2 + 4 * 1.1176 * 0.508, rel=0.05)
    front = face(scene, 0, 0.9144)
    K_x = scene.case.K_x[front]
    assert area(scene, 0, np.isclose(K_x, 1.65)) == pytest.approx(
        14 * (0.254 * 1.5748 + 0.2032 * 0.1016), rel=0.08
    )
    bays = np.isclose(scene.case.K_y[:, south], 1.65)
    assert area(scene, 1, bays) == pytest.approx((4.7752 - 0.254) * 0.762, rel=0.02)
    assert scene.region.max() == 0
    inputs = scene.unit_inputs(Operating())
    assert inputs.V_flow[scene.duct_units["exhaust"]] == 12.8068
    assert set(scene.sensor_points) == {f"{tap}.pressure" for tap in ("SF", "CA", "HA", "CP")}


def test_the_peer_room_is_that_of_the_peer_case():
    scene = build_scene(load_layout(example_layout("peer_room")))
    case = scene.case
    assert (~case.solid & ~case.ambient).sum() == 118_800 - 12 * 6 * 12 * 20
    inputs = scene.unit_inputs(Operating())
    racks = [unit for units in scene.rack_units.values() for unit in units]
    assert inputs.V_flow[racks] == pytest.approx(6 * 0.0566)
    assert inputs.V_flow[list(scene.duct_units.values())].sum() == pytest.approx(0.7 * 12 * 6 * 0.0566)
    for unit in racks:  # the whole faces of 0.6 x 2 m, as there
        patch = case.unit_inlet[unit]
        size = case.patch_hi[patch] - case.patch_lo[patch]
        assert size.tolist() == [6, 20]
    assert case.grid.volumes[case.ambient].sum() == pytest.approx(0.1 * 2.4 * 0.6)
