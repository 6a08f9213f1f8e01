"""Events files: every fault told, with line, event, field and remedy; the examples load."""

from pathlib import Path

import pytest

from twin.errors import InputError
from twin.model.load import example_layout, load_layout
from twin.planning.transient.script import example_events, read_script

EVENTS = Path(__file__).parents[5] / "layouts" / "events"


@pytest.fixture(scope="module")
def pod():
    return load_layout(example_layout("pod_two_row"))


def write(tmp_path, text):
    path = tmp_path / "events.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_load(path):
    of = {"pod": "pod_two_row", "liquid": "liquid_row"}
    layout = load_layout(example_layout(of.get(path.stem.partition("_")[0], "one_rack")))
    script = read_script(path, layout)
    assert script.events
    assert script.duration > max(event.at for event in script.events)


def test_an_example_has_a_name():
    assert example_events("pod_cooler_trip") == EVENTS / "pod_cooler_trip.yaml"
    with pytest.raises(InputError, match="Did you mean 'pod_cooler_trip'"):
        example_events("pod_cooler_trap")


def test_events_come_in_the_order_of_time(tmp_path, pod):
    path = write(
        tmp_path,
        "events:\n"
        "  - {at: 5 min, kind: cooler_restart, cooler: C1, over: 30 s}\n"
        "  - {at: 60, kind: cooler_trip, cooler: C1}\n",
    )
    script = read_script(path, pod)
    assert [(event.at, event.text()) for event in script.events] == [
        (60.0, "cooler C1 trips"),
        (300.0, "cooler C1 restarts over 30 s"),
    ]


FAULTS = [
    ("{at: 1, kind: cooler_trip, cooler: C3}", "cooler", "no such cooler", "Did you mean 'C"),
    ("{at: 1, kind: cooler_tripp, cooler: C1}", "kind", "no kind of event", "Did you mean 'cooler_trip'?"),
    ("{at: 1, cooler: C1}", "kind", "is missing", "Use one of rack_power"),
    ("{kind: cooler_trip, cooler: C1}", "at", "is missing", "Add at"),
    ("{at: 1 furlong, kind: cooler_trip, cooler: C1}", "at", "does not measure the same as s", "Give"),
    ("{at: -1, kind: cooler_trip, cooler: C1}", "at", "at least 0 s and at most 30 days", "Give `at`: when"),
    ("{at: 1, kind: rack_power, rack: R44, power: 3}", "rack", "no such rack", "Did you mean 'R04'?"),
    ("{at: 1, kind: rack_power, rack: R04, power: much}", "power", "must be a number in W", "Give"),
    ("{at: 1, kind: rack_power, rack: R04, power: 3, ower: 2}", "ower", "unknown", "Did you mean 'power'?"),
    ("{at: 1, kind: rack_shutdown, rack: R04, slot: 9}", "slot", "has 3 slots", "Count from 1"),
    ("{at: 1, kind: tile, tile: T01, state: ajar}", "state", "'blocked', 'normal' or 'removed'", "Choose"),
    ("{at: 1, kind: door, door: door_south, open: true}", "door", "no such panel", "Did you mean"),
    ("{at: 1, kind: door, door: door_west, open: maybe}", "open", "boolean", "Give"),
    ("{at: 1, kind: containment, containment: cold, enabled: true}", "containment", "no such", "cold_aisle"),
    ("{at: 1, kind: racklet_fan, racklet: K01, speed: 120 %}", "speed", "at most 1", "Give"),
    ("{at: 1, kind: duct, duct: D1, running: false}", "duct", "no such duct", "The layout has no ducts"),
    ("C1 trips", "events[0]", "must be a mapping", "Write {at"),
]


@pytest.mark.parametrize(("event", "field", "rule", "remedy"), FAULTS)
def test_a_fault_is_told_with_its_line_and_remedy(tmp_path, pod, event, field, rule, remedy):
    with pytest.raises(InputError) as caught:
        read_script(write(tmp_path, f"name: test\nevents:\n  - {event}\n"), pod)
    told = [finding for finding in caught.value.findings if finding.field == field]
    assert len(told) == 1, str(caught.value)
    assert rule in told[0].rule
    assert remedy in told[0].remedy
    assert told[0].line == 3
    assert told[0].object.startswith("event 1")
    assert len(caught.value.findings) == 1


def test_all_faults_are_told_at_once(tmp_path, pod):
    listed = "".join(f"  - {event}\n" for event, *_ in FAULTS)
    with pytest.raises(InputError) as caught:
        read_script(write(tmp_path, f"nam: test\nduration: soon\nevents:\n{listed}"), pod)
    assert len(caught.value.findings) == len(FAULTS) + 2
    lines = [finding.line for finding in caught.value.findings]
    assert lines == sorted(lines)
    assert lines[2:] == list(range(4, 4 + len(FAULTS)))


def test_an_event_of_no_kind_is_told_with_its_other_faults(tmp_path, pod):
    text = "events:\n  - {at: -5 s, kind: cooler_tripp, over: soon, cooler: C9}\n"
    with pytest.raises(InputError) as caught:
        read_script(write(tmp_path, text), pod)
    assert {finding.field for finding in caught.value.findings} == {"at", "kind", "over", "cooler"}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("[1, 2]", "must be a mapping"),
        ("events: []", "must be a list of events"),
        ("name: x", "must be a list of events"),
        ("events: {", "is not valid YAML"),
        ("events: [1]\nevents: [2]", "is not valid YAML"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, pod, text, rule):
    with pytest.raises(InputError, match=rule):
        read_script(write(tmp_path, text), pod)


def test_a_file_that_cannot_be_read_says_why(tmp_path, pod):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_script(tmp_path / "none.yaml", pod)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        read_script(tmp_path / "binary.yaml", pod)


def test_a_rack_that_is_cooled_by_air_has_no_pump(tmp_path):
    layout = load_layout(
        example_layout("one_rack"),
        ["racklets[K01].cooling_module={kind: air, capacity: 20 kW}", "racks[R01].liquid_share=0"],
    )
    with pytest.raises(InputError, match="has no pump"):
        read_script(write(tmp_path, "events: [{at: 1, kind: racklet_pump, racklet: K01, speed: 0}]"), layout)
