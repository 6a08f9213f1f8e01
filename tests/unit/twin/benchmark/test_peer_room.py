"""The room that two solvers get is the room that it says it is."""

import numpy as np
import pytest

from solvers.airflow.case import CP, RHO
from solvers.airflow.model import prepare
from twin.benchmark.peer_room import PeerRoom, mirrored, racks, tiles
from twin.errors import InputError


def test_the_standard_room_has_its_size():
    room = PeerRoom()
    assert room.cells == 118_800
    assert room.shape == (66, 60, 30)
    assert len(list(racks())) == len(list(tiles())) == 12
    assert room.rack_flow == pytest.approx(0.3396)  # 120 cfm/kW of 6 kW
    assert room.tile_speed == pytest.approx(0.7 * 0.3396 / 0.36)


def test_racks_are_solid_and_the_return_is_open_to_the_ambient():
    case = PeerRoom(cell=0.2).case()
    volume = case.grid.volumes
    inside = case.solid.copy()
    inside[-1] = False  # the layer behind the wall
    assert volume[inside].sum() == pytest.approx(12 * 0.6 * 1.2 * 2.0)
    assert case.ambient is not None
    assert volume[case.ambient].sum() == pytest.approx(2.4 * 0.6 * 0.2)
    assert not (case.ambient & case.solid).any()
    assert (case.unit_inlet[12:] == -1).all()


def test_every_patch_has_the_area_of_its_opening():
    room = PeerRoom(cell=0.2)
    model = prepare(room.case(), room.closure("mixing_length"), room.T_ref)
    area = model.stepper.geometry.patches.area
    racks_, tiles_ = area[:24], area[24:]
    assert racks_ == pytest.approx(0.6 * 2.0)
    assert tiles_ == pytest.approx(0.36)
    assert model.regions == 1


def test_heat_and_flow_are_those_of_the_peer():
    room = PeerRoom()
    inputs = room.inputs()
    rise = inputs.Q_flow[0] / (RHO * CP * inputs.V_flow[0])
    assert rise == pytest.approx(6000.0 / (1.18 * 1006.0 * 0.3396))  # the peer's density carries the heat
    assert inputs.V_flow[12:].sum() == pytest.approx(0.7 * inputs.V_flow[:12].sum())
    assert 1.0 / room.T_ref == pytest.approx(3.4e-3)
    assert np.isnan(inputs.T_supply[:12]).all()
    assert (inputs.T_supply[12:] == room.T_supply).all()


def test_fronts_face_the_aisle_and_mirror_images_swap_the_rows():
    fronts = {rack.name: rack.front.lo[1] for rack in racks()}
    assert fronts["A1"] == pytest.approx(2.4)
    assert fronts["B1"] == pytest.approx(3.6)
    values = np.arange(12.0)
    assert mirrored(values).tolist() == [*range(6, 12), *range(6)]
    assert mirrored(mirrored(values)).tolist() == values.tolist()


@pytest.mark.parametrize("cell", [0.3, 0.11])
def test_cells_that_do_not_fit_are_refused(cell):
    with pytest.raises(InputError, match="do not fit its racks"):
        PeerRoom(cell=cell)
