"""Which set points the loop takes to be in force."""

import pytest

from twin.allocation.memory import SETTLING, Memory
from twin.allocation.plan import Setting, Step
from twin.allocation.situation import see
from twin.model.load import example_layout, load_layout
from twin.ports import Reading

SUPPLY = "C1.supply_temperature"


def believed(room, memory, point=SUPPLY):
    loads = tuple(room.workloads())
    situation = see(
        room.layout, room, loads, memory.commanded, room.now, 15.0, memory.settling(room.now)
    )  # fmt: skip
    return situation.set_points[point]


def commanded(room, value):
    memory = Memory(120.0, 300.0, 60.0)
    memory.note([Step(settings=(Setting(SUPPLY, 18.0, value),))], room.now)
    return memory


def test_a_command_is_believed_until_the_readings_must_show_it(make_room):
    room = make_room(supply=18.0)
    memory = commanded(room, 22.0)
    room.now += SETTLING - 1.0
    assert believed(room, memory) == 22.0
    room.now += 2.0
    assert believed(room, memory) == 18.0


@pytest.mark.parametrize("noise", [-1.4, 1.4])
def test_sensor_noise_does_not_move_a_set_point(make_room, noise):
    room = make_room(supply=22.0 + noise)
    memory = commanded(room, 22.0)
    room.now += 1000.0
    assert believed(room, memory) == 22.0


class FullRoom:
    """A room whose cooler reports the heat that it takes."""

    def __init__(self, room, heat):
        self._room, self._heat = room, heat

    def __getattr__(self, name):
        return getattr(self._room, name)

    @property
    def latest(self):
        point = "C1.cooling_power"
        return self._room.latest | {point: Reading(point, self._heat, self._room.now)}


@pytest.mark.parametrize(
    ("heat", "measured", "expected"),
    [(79e3, 21.0, 18.0), (40e3, 21.0, 21.0), (79e3, 15.0, 15.0)],
)
def test_a_supply_that_is_too_warm_at_full_load_still_has_its_set_point(make_room, heat, measured, expected):
    room = FullRoom(make_room(supply=measured), heat)
    memory = commanded(room, 18.0)
    memory.commanded_at[SUPPLY] -= 1000.0
    assert believed(room, memory) == expected


def test_a_racklet_on_a_loop_has_no_pump_to_set(make_room):
    """The CDU's pumps serve it; those of a racklet with its own circuit can be set as before."""
    room = make_room(kind="liquid")
    loads = tuple(room.workloads())
    own = see(room.layout, room, loads, {}, room.now, 15.0)
    assert {f"K{i:02d}.pump_speed" for i in range(1, 5)} < set(own.set_points)
    loops = load_layout(example_layout("liquid_row")).loops[0]
    branch = loops.branches[0].model_copy(update={"racklet": "K02"})
    loop = loops.model_copy(update={"branches": (branch,)})
    looped = room.layout.model_copy(update={"loops": (loop,)})
    situation = see(looped, room, loads, {}, room.now, 15.0)
    assert "K02.pump_speed" not in situation.set_points
    assert "K01.pump_speed" in situation.set_points
