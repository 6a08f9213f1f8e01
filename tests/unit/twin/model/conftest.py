"""A small sound room in plain data, to be changed by each test."""

import copy

import pytest
from ruamel.yaml import YAML

ROOM = {
    "name": "Test room",
    "room": {"size": [4.0, 3.0, 3.0], "raised_floor": 0.5},
    "air": {"cell": 0.1},
    "racks": [
        {
            "id": "A1",
            "position": [2.0, 1.5],
            "size": [0.6, 1.0, 2.0],
            "facing": "-y",
            "power": 4000,
            "air": {"per_power": 0.05},
            "slots": [{"u_start": 1, "u_height": 10}, {"u_start": 11, "u_height": 10}],
        },
        {
            "id": "A2",
            "position": [2.6, 1.5],
            "size": [0.6, 1.0, 2.0],
            "facing": "-y",
            "power": 6000,
            "air": {"flow": 0.3},
            "liquid_share": 0.5,
            "slots": [{"u_start": 1, "u_height": 20}],
        },
    ],
    "racklets": [{"id": "K2", "rack": "A2", "u_start": 30}],
    "coolers": [
        {
            "id": "C1",
            "position": [0.0, 0.5],
            "size": [1.0, 0.6, 2.0],
            "facing": "+x",
            "air_flow": 0.55,
            "capacity": 15000,
        }
    ],
    "tiles": [
        {"id": "T1", "position": [2.0, 0.9], "open_area": 0.25},
        {"id": "T2", "position": [2.6, 0.9], "open_area": 0.25},
    ],
}


@pytest.fixture
def room():
    return copy.deepcopy(ROOM)


@pytest.fixture
def write(tmp_path):
    """Write plain data or text as a layout file."""

    def write_file(data, name="room.yaml"):
        path = tmp_path / name
        if isinstance(data, str):
            path.write_text(data)
        else:
            with path.open("w") as stream:
                YAML(typ="safe", pure=True).dump(data, stream)
        return path

    return write_file
