"""Meshing: lines on faces, volumes and areas that add up, openings where they belong, memory."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import InputError, Severity
from twin.model import voxel
from twin.model.catalog import tile_loss_coefficient
from twin.model.geometry import boxes
from twin.model.load import example_layout, load_layout
from twin.model.mesh import BYTES_PER_CELL, build_mesh, count_cells, finest_cell
from twin.model.operating import Operating
from twin.model.scene import build_scene
from twin.model.schema import Layout

# -- lines -------------------------------------------------------------------------------------------------


@given(
    coordinates=st.lists(st.floats(0.0, 10.0), max_size=12),
    cell=st.floats(0.05, 0.5),
)
def test_lines_cover_the_room_with_cells_near_the_target(coordinates, cell):
    lines = [voxel.Line(0.0, -1, "room"), voxel.Line(10.0, -1, "room")]
    lines += [voxel.Line(c, 1, f"rack {n}") for n, c in enumerate(coordinates)]
    kept, moved = voxel.choose_lines(lines, cell)
    faces = voxel.fill_lines(kept, cell)
    widths = np.diff(faces)
    assert (faces[0], faces[-1]) == (0.0, 10.0)
    assert widths.min() >= min(voxel.SLIVER * cell, 10.0) * (1 - 1e-9)
    assert widths.max() <= 1.5 * cell * (1 + 1e-9)
    assert faces.size - 1 == voxel.cell_counts(kept, cell).sum()
    for line in lines:
        off = abs(faces[voxel.nearest(faces, line.coordinate)] - line.coordinate)
        assert off < voxel.SLIVER * cell
        assert off <= 1e-3 or any(move.owner == line.owner for move in moved)


def test_the_more_important_line_stays():
    lines = [voxel.Line(1.00, 3, "panel"), voxel.Line(1.02, 1, "rack")]
    kept, moved = voxel.choose_lines(lines, 0.1)
    assert kept == [1.02]
    assert moved == [voxel.Moved("panel", 1.00, 1.02, "rack")]


# -- rooms -------------------------------------------------------------------------------------------------


@pytest.fixture
def mesh(room):
    return build_mesh(Layout.model_validate(room), 0.1)


def volume(mesh, mask):
    return float(mesh.case.grid.volumes[mask].sum())


def test_solids_have_the_volume_of_racks_and_coolers(mesh):
    assert volume(mesh, mesh.case.solid) == pytest.approx(2 * 0.6 * 1.0 * 2.0 + 1.0 * 0.6 * 2.0, rel=1e-12)


def test_room_and_plenum_divide_the_air(mesh):
    assert not (mesh.room_cells & mesh.plenum_cells).any()
    assert ((mesh.room_cells | mesh.plenum_cells) == ~mesh.case.solid).all()
    assert volume(mesh, mesh.plenum_cells) == pytest.approx(4.0 * 3.0 * 0.5)


def test_tiles_open_the_floor_and_nothing_else_does(mesh):
    case, k = mesh.case, voxel.nearest(mesh.case.grid.z, 0.5)
    dx, dy, _ = case.grid.widths
    opening = ~case.plate_z[:, :, k]
    assert float((dx[:, None] * dy[None, :])[opening].sum()) == pytest.approx(2 * 0.36)
    assert np.unique(case.K_z[:, :, k][opening]) == pytest.approx([42.758], abs=1e-3)
    assert not case.plate_z[:, :, :k].any()
    assert not case.plate_z[:, :, k + 1 :].any()
    assert not case.plate_x.any()
    assert not case.plate_y.any()
    assert case.K_z[:, :, :k].max() == case.K_z[:, :, k + 1 :].max() == case.K_x.max() == 0.0


def areas(mesh, patch):
    case = mesh.case
    widths = [case.grid.widths[a] for a in range(3) if a != case.patch_axis[patch]]
    return math.prod(
        float(w[a:b].sum())
        for w, a, b in zip(widths, case.patch_lo[patch], case.patch_hi[patch], strict=True)
    )


def test_openings_lie_on_the_right_faces(mesh):
    case = mesh.case
    assert mesh.unit_names == ["A1.1", "A1.2", "A2.1", "C1"]
    assert (mesh.rack_units, mesh.cooler_units) == ({"A1": (0, 1), "A2": (2,)}, {"C1": 3})
    for unit in (0, 1, 2):
        front, rear = case.unit_inlet[unit], case.unit_outlet[unit]
        assert (case.patch_axis[front], case.patch_side[front]) == (1, -1)
        assert case.grid.y[case.patch_index[front]] == pytest.approx(1.5)
        assert (case.patch_axis[rear], case.patch_side[rear]) == (1, 1)
        assert case.grid.y[case.patch_index[rear]] == pytest.approx(2.5)
    intake, supply = case.unit_inlet[3], case.unit_outlet[3]
    assert (case.patch_axis[intake], case.patch_side[intake]) == (2, 1)
    assert case.grid.z[case.patch_index[intake]] == pytest.approx(2.5)
    assert (case.patch_axis[supply], case.patch_side[supply]) == (2, -1)
    assert case.grid.z[case.patch_index[supply]] == pytest.approx(0.5)
    assert areas(mesh, intake) == pytest.approx(0.6)
    # 20 U = 0.889 m drawn to the nearest 0.1 m cell edges
    assert areas(mesh, case.unit_inlet[2]) == pytest.approx(0.6 * 0.889, abs=0.6 * 0.05)


def test_slots_stack_without_overlap(mesh):
    lower, upper = (mesh.case.unit_inlet[unit] for unit in (0, 1))
    assert mesh.case.patch_hi[lower, 1] == mesh.case.patch_lo[upper, 1]


@pytest.mark.parametrize("facing", ["+x", "-x", "+y", "-y"])
def test_every_facing_blows_from_front_to_rear(room, facing):
    rack = room["racks"][0] | {"facing": facing, "size": [0.6, 0.8, 1.9], "position": [1.7, 1.7]}
    room |= {"racks": [rack], "racklets": []}
    mesh = build_mesh(Layout.model_validate(room), 0.1)
    case, axis = mesh.case, "xy".index(facing[1])
    sign = 1 if facing[0] == "+" else -1
    front, rear = case.unit_inlet[0], case.unit_outlet[0]
    assert case.patch_axis[front] == case.patch_axis[rear] == axis
    assert (case.patch_side[front], case.patch_side[rear]) == (sign, -sign)
    depth = case.grid[axis][case.patch_index[front]] - case.grid[axis][case.patch_index[rear]]
    assert depth == pytest.approx(sign * 0.8)


def random_room(seed):
    """Two rows of racks at random pitches, off any grid, in a room that is sound by construction."""
    rng = np.random.default_rng(seed)
    racks, x = [], 1.6
    for n in range(rng.integers(1, 6)):
        facing = ("+y", "-y")[rng.integers(2)]
        width, depth = rng.uniform(0.55, 0.8), rng.uniform(0.8, 1.2)
        racks.append(
            {
                "id": f"R{n}",
                "position": [x, rng.uniform(1.4, 3.0)],
                "facing": facing,
                "size": [width, depth, rng.uniform(1.95, 2.3)],
                "power": 3000,
                "leakage": rng.uniform(0.01, 0.1),
                "slots": [{"u_start": 1, "u_height": int(rng.integers(6, 20))}],
            }
        )
        x += width + rng.uniform(0.3, 0.6)
    return {
        "name": "random",
        "room": {"size": [8, 6, 3.2], "raised_floor": 0.4, "floor_leakage": 0.005},
        "racks": racks,
        "coolers": [{"id": "C1", "position": [0, 0], "facing": "+x", "air_flow": 1, "capacity": "20 kW"}],
        "tiles": [{"id": "T1", "position": [rng.uniform(0, 7), rng.uniform(4.6, 5.4)], "open_area": 0.3}],
    }


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), cell=st.sampled_from([0.08, 0.1, 0.13, 0.2]))
def test_sound_random_rooms_mesh_and_add_up(seed, cell):
    layout = Layout.model_validate(random_room(seed))
    mesh = build_mesh(layout, cell)
    case = mesh.case
    assert count_cells(layout, cell) == case.solid.size
    # a face moves by less than SLIVER cells, so each extent of a box by less than twice that
    for box in (box for box in mesh.boxes if box.is_block):
        drawn = [voxel.span(case.grid[a], box.lo[a], box.hi[a]) for a in range(3)]
        assert case.solid[tuple(slice(*part) for part in drawn)].all()
        for a, (lo, hi) in enumerate(drawn):
            width = case.grid[a][hi] - case.grid[a][lo]
            assert abs(width - (box.hi[a] - box.lo[a])) < 2 * voxel.SLIVER * cell
    solids = sum(math.prod(drawn_size(case, box)) for box in mesh.boxes if box.is_block)
    assert volume(mesh, case.solid) == pytest.approx(solids, rel=1e-9)  # none shares a cell with another
    k = voxel.nearest(case.grid.z, 0.4)
    assert (case.plate_z[:, :, k] == case.solid[:, :, k]).all()  # a leaking floor is open but under objects
    assert len(mesh.unit_names) == 2 * len(layout.racks) + 1
    for patch in range(case.patch_axis.size):
        axis, side, index = case.patch_axis[patch], case.patch_side[patch], case.patch_index[patch]
        ranges = iter(zip(case.patch_lo[patch], case.patch_hi[patch], strict=True))
        spans = [slice(*next(ranges)) if a != axis else None for a in range(3)]
        before = tuple(index - (side < 0) if a == axis else spans[a] for a in range(3))
        behind = tuple(index - (side > 0) if a == axis else spans[a] for a in range(3))
        assert case.solid[before].size > 0
        assert not case.solid[before].any()
        assert case.solid[behind].all()


def drawn_size(case, box):
    spans = [voxel.span(case.grid[a], box.lo[a], box.hi[a]) for a in range(3)]
    return [float(case.grid[a][hi] - case.grid[a][lo]) for a, (lo, hi) in enumerate(spans)]


# -- trouble -----------------------------------------------------------------------------------------------


def refused(layout, cell=0.1):
    with pytest.raises(InputError) as caught:
        build_scene(layout, cell)
    return str(caught.value)


def test_a_mesh_beyond_memory_names_the_cell_that_fits(room):
    words = refused(
        Layout.model_validate(room | {"room": {"size": [400, 300, 5], "raised_floor": 0.5}}), 0.01
    )
    layout = Layout.model_validate(room)
    assert "GB are to be had" in words
    assert "Use a cell of" in words
    fits = finest_cell(layout, 50e6)
    assert (
        count_cells(layout, fits) * BYTES_PER_CELL <= 50e6 < count_cells(layout, 0.97 * fits) * BYTES_PER_CELL
    )


def test_a_front_against_another_rack_is_blocked(room):
    room["racks"][0] |= {"facing": "+x", "size": [1.0, 0.6, 2.0]}
    assert "100% of its air inlet is blocked" in refused(Layout.model_validate(room))


def test_a_rear_in_the_wall_is_named(room):
    room["racks"][0]["position"] = [2.0, 2.0]
    assert "rack 'A1'" in refused(Layout.model_validate(room))
    assert "air outlet lies in the wall" in refused(Layout.model_validate(room))


@pytest.mark.parametrize("leakage", [0.0, 0.01])
def test_a_panel_over_the_front_is_named(room, leakage):
    room["panels"] = [{"id": "P1", "lo": [2.0, 1.5, 0.5], "hi": [2.6, 1.5, 2.5], "leakage": leakage}]
    assert "a panel or wall covers its air inlet" in refused(Layout.model_validate(room))


@pytest.mark.parametrize("leakage", [0.0, 0.01])
@pytest.mark.parametrize(
    ("faces", "lo", "hi", "role"),
    [
        ({"supply_face": "front"}, [0.6, 0.5, 0.5], [0.6, 1.5, 2.5], "front opening"),
        ({"return_face": "front"}, [0.6, 1.2, 0.5], [0.6, 1.5, 1.5], "front opening"),
        ({}, [0.0, 0.5, 2.5], [0.3, 0.9, 2.5], "opening on top"),
    ],
)
def test_a_panel_over_any_part_of_a_coolers_opening_is_named(room, faces, lo, hi, role, leakage):
    room["coolers"][0] |= faces
    room["panels"] = [{"id": "P1", "lo": lo, "hi": hi, "leakage": leakage}]
    words = refused(Layout.model_validate(room))
    assert f"cooler 'C1' (Test room, coolers[0]): a panel or wall covers its {role}" in words


def test_a_panel_that_only_touches_an_opening_covers_nothing(room):
    room["panels"] = [{"id": "P1", "lo": [1.4, 1.5, 0.5], "hi": [2.0, 1.5, 2.5]}]
    assert build_scene(Layout.model_validate(room), 0.1).findings == ()


def test_a_plenum_without_a_way_out_is_named(room):
    room["tiles"] = []
    words = refused(Layout.model_validate(room))
    assert "cooler 'C1'" in words
    assert "one closed space" in words


def test_a_wall_from_slab_to_ceiling_parts_room_and_plenum(room):
    room["walls"] = [{"id": "W1", "start": [1.5, 0.0], "end": [1.5, 3.0]}]
    assert "cooler 'C1'" in refused(Layout.model_validate(room))
    room["tiles"].append({"id": "T3", "position": [0.8, 1.8], "open_area": 0.25})
    words = refused(Layout.model_validate(room))
    assert "rack 'A1'" in words
    assert "rack 'A2'" in words
    assert "its heat has no way out" in words
    room["openings"] = [{"id": "O1", "lo": [4.0, 0.5, 0.6], "hi": [4.0, 1.5, 2.6]}]
    scene = build_scene(Layout.model_validate(room), 0.1)
    assert scene.case.plate_x[voxel.nearest(scene.case.grid.x, 1.5)].all()


def test_units_are_named_from_the_bottom_whatever_the_order_of_the_file(room):
    room["racks"][0]["slots"] = [{"u_start": u, "u_height": 8} for u in (21, 1, 11)]
    mesh = build_mesh(Layout.model_validate(room), 0.1)
    case = mesh.case
    assert [mesh.unit_names[unit] for unit in mesh.rack_units["A1"]] == ["A1.3", "A1.1", "A1.2"]
    heights = {name: int(case.patch_lo[case.unit_inlet[n], 1]) for n, name in enumerate(mesh.unit_names)}
    assert heights["A1.1"] < heights["A1.2"] < heights["A1.3"]


def test_a_slot_finer_than_the_grid_still_gets_a_cell(room):
    room["racks"][0]["slots"] = [{"u_start": u, "u_height": 1} for u in (1, 10, 20)]
    mesh = build_mesh(Layout.model_validate(room), 0.2)
    for unit in mesh.rack_units["A1"]:
        assert (
            mesh.case.patch_hi[mesh.case.unit_inlet[unit], 1]
            - mesh.case.patch_lo[mesh.case.unit_inlet[unit], 1]
            == 1
        )


def test_slots_that_need_the_same_cell_are_named(room):
    room["racks"][0]["slots"] = [{"u_start": u, "u_height": 1} for u in (1, 2, 3)]
    assert "finer than the cells" in refused(Layout.model_validate(room), 0.2)


def test_a_sliver_is_closed_with_a_warning(room):
    room["racks"][1]["position"] = [2.62, 1.5]
    scene = build_scene(Layout.model_validate(room), 0.1)
    assert {finding.severity for finding in scene.findings} == {Severity.WARNING}
    assert "rack 'A2'" in str(scene.findings[0])
    assert "2.620 m" in str(scene.findings[0])
    assert [box.lo[0] for box in scene.boxes if box.name == "A2"] == [2.62]


def test_an_obstacle_thinner_than_the_grid_is_named(room):
    room["obstacles"] = [{"id": "O1", "lo": [1.5, 2.5, 1.0], "hi": [1.52, 2.9, 2.0]}]
    assert "thinner than the grid" in refused(Layout.model_validate(room))


def test_leakage_runs_from_rear_to_front_in_free_units(room):
    room["racks"][0]["leakage"] = 0.1
    scene = build_scene(Layout.model_validate(room), 0.1)
    unit = scene.leakage_units["A1"]
    assert scene.unit_names[unit] == "A1.leakage"
    inlet = scene.case.unit_inlet[unit]
    assert scene.case.patch_side[inlet] == 1  # the rack looks along -y: its rear has air on the + side
    used = max(int(scene.case.patch_hi[scene.case.unit_inlet[u], 1]) for u in scene.rack_units["A1"])
    assert scene.case.patch_lo[inlet, 1] >= used
    inputs = scene.unit_inputs(Operating())
    assert inputs.V_flow[unit] == pytest.approx(0.1 * inputs.V_flow[list(scene.rack_units["A1"])].sum())
    assert inputs.Q_flow[unit] == inputs.C[unit] == 0.0


def test_leakage_of_a_full_rack_is_refused(room):
    room["racks"][0] |= {"leakage": 0.1, "slots": [{"u_start": 1, "u_height": 42}]}
    assert "leakage needs free rack units" in refused(Layout.model_validate(room))


def test_floor_leakage_opens_every_free_panel_of_the_floor(room):
    room["room"]["floor_leakage"] = 0.003
    case = build_mesh(Layout.model_validate(room), 0.1).case
    k = voxel.nearest(case.grid.z, 0.5)
    opening = ~case.plate_z[:, :, k]
    assert (opening == ~case.solid[:, :, k]).all()
    assert case.K_z[:, :, k].max() > 1e5


CLOSED = "containments[cold_aisle].enabled=true"


def test_a_closed_containment_leaks_only_where_it_says():
    tight = [f"containments[cold_aisle].panels[{n}].leakage=0" for n in (0, 1)]
    case = build_mesh(load_layout(example_layout("pod_two_row"), [CLOSED, *tight]), 0.12).case
    roof, west, east = (
        voxel.nearest(case.grid.z, 2.7),
        voxel.nearest(case.grid.x, 1.8),
        voxel.nearest(case.grid.x, 5.4),
    )
    dx, dy, dz = case.grid.widths
    assert float((dx[:, None] * dy[None, :])[case.plate_z[:, :, roof]].sum()) == pytest.approx(3.6 * 1.2)
    assert float((dy[:, None] * dz[None, :])[case.plate_x[west]].sum()) == pytest.approx(1.2 * 2.1)
    assert not case.plate_x[east].any()
    leaking = case.K_x[east] > 0
    assert float((dy[:, None] * dz[None, :])[leaking].sum()) == pytest.approx(1.2 * 2.1)
    assert case.K_x[east][leaking] == pytest.approx(tile_loss_coefficient(0.02))
    assert case.K_x[west].max() == 0.0


def test_an_airtight_containment_is_refused():
    # Racks and coolers move fixed flows: without any leak the closed aisle could not balance them.
    tight = [f"containments[cold_aisle].panels[{n}].leakage=0" for n in range(3)]
    layout = load_layout(example_layout("pod_two_row"), [CLOSED, *tight])
    assert "give a panel some leakage" in refused(layout, 0.12)


def test_regions_part_at_plates_and_solids():
    solid = np.zeros((4, 3, 3), bool)
    solid[3] = True
    plate = [np.zeros((5, 3, 3), bool), np.zeros((4, 4, 3), bool), np.zeros((4, 3, 4), bool)]
    plate[0][2] = True
    region = voxel.regions(solid, *plate)
    assert region[:2].max() == region[:2].min() != region[2].max() == region[2].min()
    assert (region[3] == -1).all()
    plate[0][2, 1, 1] = False
    assert np.unique(voxel.regions(solid, *plate)).tolist() == [-1, 0]


def test_the_pod_is_big_enough_and_quick_to_build():
    scene = build_scene(load_layout(example_layout("pod_two_row")))
    assert scene.cells >= 60_000
    assert scene.findings == ()
    names = [name for name in scene.unit_names if name.startswith("R")]
    assert len(names) == 36
    assert len([box for box in boxes(scene.layout) if box.kind == "tile"]) == 12
