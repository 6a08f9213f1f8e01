"""Simulate small rooms through events: the heat account, critical times, results, kills and resumes."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from solvers.airflow.case import CP, RHO
from twin.errors import InputError
from twin.model.load import example_layout, load_layout
from twin.planning.simulate import RESULT_FILES, StoppedError, simulate
from twin.planning.transient.events import Script
from twin.planning.transient.script import read_script
from twin.planning.transient.series import first_above
from twin.units import quantity_of

CELL = 0.3
ONE_RACK = example_layout("one_rack")
TRIP = {"at": 10, "kind": "cooler_trip", "cooler": "C1"}


def script(*events, **frame):
    return Script.model_validate({**frame, "events": list(events)})


@pytest.fixture(scope="module")
def stirred():
    """A room whose coil stops cooling while its fan turns on: all air, all masses warm up together."""
    layout = load_layout(
        ONE_RACK,
        [
            "coolers[C1].coast_down=600 s",
            "coolers[C1].thermal_mass=5 kJ/K",
            "racks[R01].thermal_mass=10 kJ/K",
        ],
    )
    return simulate(layout, script(TRIP), duration=240, every=10, cell=CELL, write=False)


def test_the_account_of_heat_closes(stirred):
    heat = stirred.as_json()["balances"]
    # 6 kW of which a fifth goes to the coolant; nothing of the rest may be lost
    assert heat["released_j"] == pytest.approx(4800.0 * 240, rel=1e-9)
    # the air's own account closes to what single precision resolves of 36 m3 of air, 1e-5 K of 43 kJ/K a step
    assert heat["air_relative"] < 1e-3
    # the masses' law is of first order in time: half a step over their lag, 0.4 s over 30 s
    assert heat["energy_relative"] < 5e-3
    taken = heat["released_j"] - heat["stored_servers_j"] - heat["stored_air_j"]
    assert heat["taken_j"] == pytest.approx(taken, rel=0.05)
    # what the coil gave up its coldness for: 5 kJ/K times its own rise
    rise = stirred.series.of("C1.supply_temperature")
    assert heat["stored_coils_j"] == pytest.approx(5e3 * (rise[-1] - rise[0]), rel=1e-6)
    over = stirred.heat
    assert over["time"].tolist() == list(range(0, 241, 10))  # its rows are the outputs
    assert over["released_j"].iloc[-1] == heat["released_j"]


def test_a_room_without_cooling_warms_as_its_masses_demand(stirred):
    """Late after the trip everything rises at Q / (rho cp V + C)."""
    volume = stirred.scene.case.grid.volumes[~stirred.scene.case.solid].sum()
    rate = 4800.0 / (RHO * CP * volume + 10e3 + 5e3)
    heat = stirred.heat
    at = heat["time"].to_numpy()
    late = at >= 150.0  # after five lags of the rack and five of the coil; the air turns over once in 2 min
    stored = heat["stored_air_j"].to_numpy()[late] / (RHO * CP * volume)
    slope = np.polyfit(at[late], stored, 1)[0]
    # a room of 36 m3 that turns over in two minutes is not one temperature: 3 % of its rise
    assert slope == pytest.approx(rate, rel=0.03)
    at, outlet = stirred.series.of("time"), stirred.series.of("R01.outlet_temperature")
    late = at >= 150.0
    assert np.polyfit(at[late], outlet[late], 1)[0] == pytest.approx(rate, rel=0.1)


def test_critical_times_are_those_of_the_series(stirred):
    rack = stirred.as_json()["racks"]["R01"]
    at, hottest = stirred.series.of("time"), stirred.series.of("R01.inlet_temperature.max")
    assert rack["inlet_peak_c"] == hottest.max()
    assert rack["inlet_start_c"] < 32.0 < rack["inlet_peak_c"]
    crossing = rack["time_to_allowable_s"]
    assert 10.0 < crossing < 240.0
    assert np.interp(crossing, at, hottest) == pytest.approx(32.0, abs=1e-9)
    assert not (hottest[at < crossing] > 32.0).any()


def test_steps_say_what_limited_them(stirred):
    step = stirred.as_json()["step"]
    assert sum(step["limited_by"].values()) == stirred.as_json()["steps"]
    assert step["shortest_s"] <= step["mean_s"] <= step["longest_s"] <= step["max_dt_s"]
    assert "%" in step["why"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([20, 24, 28, 30], 17.5), ([28, 20, 20, 20], 0.0), ([20, 21, 22, 27], None), ([26, 30, 20, 30], 2.5)],
)
def test_first_above_is_linear_between_outputs(values, expected):
    assert first_above(np.array([0.0, 10.0, 20.0, 30.0]), np.array(values, float), 27.0) == expected


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run from file to folder: a load step, a slot off, tile and cooler changed."""
    place = tmp_path_factory.mktemp("simulate")
    events = place / "load.yaml"
    events.write_text(
        "name: Load\nduration: 24 s\nevery: 4 s\nevents:\n"
        "  - {at: 3, kind: rack_power, rack: R01, power: 9 kW, over: 6 s}\n"
        "  - {at: 7, kind: tile, tile: T02, state: blocked}\n"
        "  - {at: 10.5, kind: cooler_set_point, cooler: C1, temperature: 16}\n"
        "  - {at: 14, kind: rack_shutdown, rack: R01, slot: 1}\n"
    )
    result = simulate(ONE_RACK, events, cell=CELL, out=place / "result")
    return result, place


def test_the_folder_holds_what_it_says(folder):
    result, place = folder
    assert {file.name for file in (place / "result").iterdir()} == set(RESULT_FILES)
    assert sorted(file.name for file in place.iterdir()) == ["load.yaml", "result"]  # no checkpoint is left
    stored = json.loads((place / "result" / "result.json").read_text())
    assert stored == json.loads(json.dumps(result.as_json()))
    assert [event["text"] for event in stored["events"]][1:3] == [
        "tile T02 blocked",
        "cooler C1 set to 16 degC",
    ]
    again = read_script(place / "result" / "events.yaml", load_layout(place / "result" / "layout.yaml"))
    assert [event.at for event in again.events] == [3.0, 7.0, 10.5, 14.0]
    from matplotlib.image import imread

    assert imread(place / "result" / "picture.png").shape[1] > 1400


def test_the_series_is_a_telemetry_table(folder):
    result, place = folder
    table = pd.read_csv(place / "result" / "series.csv")
    assert list(table.columns) == result.series.columns
    # a row just before and one just after each event
    assert list(table["time"]) == [0, 2.999, 3, 4, 6.999, 7, 8, 10.499, 10.5, 12, 13.999, 14, 16, 20, 24]
    for point in table.columns[1:]:
        assert quantity_of(point).name  # every point is in the unit table
    output = table[table["time"] % 4 == 0]
    assert output["R01.power"].tolist() == pytest.approx([6e3, 6.5e3, 8.5e3, 9e3, 4.5e3, 4.5e3, 4.5e3])
    shut = table[(table["time"] > 13.0) & (table["time"] < 15.0)]
    assert shut["R01.power"].tolist() == pytest.approx([9e3, 4.5e3])  # a step, not a ramp
    assert shut["R01.air_flow"].iloc[1] == pytest.approx(shut["R01.air_flow"].iloc[0] / 2)
    assert shut["R01.outlet_temperature"].notna().all()
    columnar = pd.read_parquet(place / "result" / "series.parquet")
    assert columnar["R01.inlet_temperature.mean"].to_numpy() == pytest.approx(
        table["R01.inlet_temperature.mean"].to_numpy(), rel=1e-6
    )
    flow = table["R01.air_flow"]
    assert flow.iloc[-1] == pytest.approx(flow.iloc[0] / 2)  # the other slot's fans run on


def test_events_limit_steps_and_the_geometry_changes_without_heat(folder):
    body = folder[0].as_json()
    assert body["step"]["limited_by"].get("event", 0) > 0
    # the tile's face closes on the same cells: the state is taken over as it is, to a rounding of float32
    assert abs(body["balances"]["reshaped_j"]) < 1e-4 * body["balances"]["released_j"]


COMMAND = """
import sys
from twin.planning.simulate import simulate
def show(now):
    print(now.time, flush=True)
simulate(sys.argv[1], sys.argv[2], cell=0.6, out=sys.argv[3], checkpoint_every=8.0, threads=1, cold=True,
         progress=show)
"""


def test_a_killed_run_resumes_bit_by_bit(tmp_path):
    events = tmp_path / "trip.yaml"
    events.write_text(
        "duration: 34 s\nevery: 3 s\nevents:\n"
        "  - {at: 5, kind: cooler_trip, cooler: C1}\n"
        "  - {at: 16, kind: tile, tile: T01, state: removed}\n"
        "  - {at: 21, kind: cooler_restart, cooler: C1, over: 10 s}\n"
    )
    curve = "{stall_pressure: 60 Pa, design_pressure: 8 Pa}"
    layout = tmp_path / "room.yaml"
    text = ONE_RACK.read_text().replace(
        "    air_flow: 0.32\n", f"    air_flow: 0.32\n    fan_curve: {curve}\n"
    )
    layout.write_text(text.replace("coast_down: 10 s", "coast_down: 4 s"))

    options = {"cell": 0.6, "checkpoint_every": 8.0, "cold": True}
    simulate(layout, events, out=tmp_path / "whole", **options)
    command = [sys.executable, "-c", COMMAND, str(layout), str(events), str(tmp_path / "killed")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as killed:
        assert killed.stdout is not None
        for line in killed.stdout:
            if float(line) >= 17.0:  # the last checkpoint is the one at 16 s, as the tile is taken out
                killed.send_signal(signal.SIGKILL)
                break
        killed.wait(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed").exists()
    assert (tmp_path / "killed.checkpoint.npz").exists()
    told = []
    simulate(layout, events, out=tmp_path / "killed", resume=True, progress=told.append, **options)
    assert told[0].time > 16.0  # it did not begin anew
    for name in ("series.csv", "series.parquet", "heat.csv", "events.yaml"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    first, second = (json.loads((tmp_path / n / "result.json").read_text()) for n in ("whole", "killed"))
    for timing in ("wall_s", "real_time_factor"):
        first.pop(timing), second.pop(timing)
    assert first == second


def test_a_checkpoint_of_another_simulation_is_refused(tmp_path, caplog):
    events = tmp_path / "trip.yaml"
    events.write_text("duration: 4 s\nevents: [{at: 1, kind: cooler_trip, cooler: C1}]\n")
    with pytest.raises(InputError, match="there is none"):
        simulate(ONE_RACK, events, cell=0.3, out=tmp_path / "r", resume=True)

    def stop(now):
        if now.time > 2.0:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        simulate(ONE_RACK, events, cell=0.3, out=tmp_path / "r", progress=stop)
    kept = tmp_path / "r.checkpoint.npz"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.checkpoint.npz", "trip.yaml"]
    with pytest.raises(InputError, match=r"another simulation: --cfl is 3, was 4; --duration is 9, was 4\."):
        simulate(ONE_RACK, events, duration=9.0, cfl=3.0, cell=0.3, out=tmp_path / "r", resume=True)
    with pytest.raises(InputError, match=r"another simulation: another layout; other events\."):
        hotter = ["racks[R01].power=7 kW"]
        simulate(ONE_RACK, script(TRIP, duration=4), 4.0, None, 0.3, hotter, tmp_path / "r", resume=True)
    half = kept.read_bytes()[: kept.stat().st_size // 2]
    kept.write_bytes(half)
    with pytest.raises(InputError, match="cannot be read"):
        simulate(ONE_RACK, events, cell=0.3, out=tmp_path / "r", resume=True)
    caplog.clear()
    simulate(ONE_RACK, events, cell=0.3, out=tmp_path / "r")
    assert not kept.exists()
    assert (tmp_path / "r.checkpoint.old.npz").read_bytes() == half  # nothing is thrown away unasked
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert str(kept) in said
    assert "--resume" in said


def test_ctrl_c_says_what_stands(tmp_path):
    def stop(now, at):
        if now.settling is None and now.time > at:
            raise KeyboardInterrupt

    def run(at):
        simulate(
            ONE_RACK, script(TRIP), 20, 5, 0.3, out=tmp_path / "r", checkpoint_every=4,
            progress=lambda now: stop(now, at),
        )  # fmt: skip

    with pytest.raises(StoppedError, match=r"--resume goes on from 4 s, .*r\.checkpoint\.npz stands"):
        run(5.0)
    assert (tmp_path / "r.checkpoint.npz").exists()

    def at_once(now):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        simulate(ONE_RACK, script(TRIP), cell=0.3, out=tmp_path / "s", cold=True, progress=at_once)
    assert not str(caught.value)  # it was settling: there is nothing to go on from
    assert not (tmp_path / "s.checkpoint.npz").exists()


def test_what_changes_a_result_changes_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    events = tmp_path / "trip.yaml"
    seen = []
    for at, options in ((5, {}), (6, {}), (5, {"frozen": True}), (5, {"every": 2}), (5, {"cfl": 2.0})):
        events.write_text(f"duration: 4 s\nevents: [{{at: {at}, kind: cooler_trip, cooler: C1}}]\n")
        with pytest.raises(InputError, match="there is none") as caught:
            simulate(ONE_RACK, events, cell=0.3, resume=True, **options)
        seen.append(caught.value.findings[0].value)
    assert len(set(seen)) == len(seen)
    assert all("one_rack-trip-" in name for name in seen)


def test_a_cooler_that_stands_still_supplies_nothing(tmp_path):
    layout = load_layout(ONE_RACK, ["coolers[C1].coast_down=0"])
    result = simulate(layout, script({**TRIP, "at": 3}), 6, 5, 0.3, out=tmp_path / "r")
    assert result.series.of("time").tolist() == pytest.approx([0, 2.999, 3, 5, 6])
    supply = result.series.of("C1.supply_temperature")
    assert np.isnan(supply).tolist() == [False, False, True, True, True]
    assert result.series.of("C1.cooling_power")[1:3].tolist() == [pytest.approx(4.8e3, rel=0.1), 0.0]
    assert pd.read_csv(tmp_path / "r" / "series.csv")["C1.supply_temperature"].isna().sum() == 3


def test_server_fans_follow_the_air(tmp_path):
    curve = "racks[R01].air.curve={temperature: [15, 35], factor: [1.0, 2.0]}"
    layout = load_layout(ONE_RACK, [curve, "racks[R01].thermal_mass=5 kJ/K"])
    result = simulate(layout, script(TRIP), duration=60, every=10, cell=0.3, write=False)
    nominal = 600 * 0.3048**3 / 60
    for row in (0, -1):
        flow = result.series.of("R01.air_flow")[row]
        inlet = result.series.of("R01.inlet_temperature.mean")[row]
        # within what the air warms by in the two seconds that a flow is held
        assert flow == pytest.approx(nominal * (1.0 + (inlet - 15.0) / 20.0), rel=0.02)
    assert result.series.of("R01.air_flow")[-1] > 1.05 * result.series.of("R01.air_flow")[0]


LOAD_STEP = {"at": 60, "kind": "rack_power", "rack": "R01", "power": "9 kW"}
TILE = {"at": 420, "kind": "tile", "tile": "T02", "state": "blocked"}


def test_a_frozen_flow_tells_the_same_story_faster():
    layout = load_layout(ONE_RACK, ["racks[R01].thermal_mass=60 kJ/K"])
    options = {"duration": 480, "every": 60, "cell": CELL, "write": False}
    followed = simulate(layout, script(LOAD_STEP), **options)
    frozen = simulate(layout, script(LOAD_STEP), frozen=True, **options)
    # the load changes no fan; the flow that goes on wanders by some 0.1 K about the one that is frozen
    for point in ("R01.inlet_temperature.mean", "R01.outlet_temperature"):
        assert np.abs(frozen.series.of(point) - followed.series.of(point)).max() < 0.3
    rise = frozen.series.of("R01.outlet_temperature")
    assert rise[-1] > rise[0] + 4.0
    assert frozen.as_json()["step"]["limited_by"]["frozen"] > 0
    assert frozen.as_json()["steps"] < 0.5 * followed.as_json()["steps"]
    # the trapezoid of inlets and outlets over steps whose temperatures are good to 0.02 K
    assert frozen.as_json()["balances"]["energy_relative"] < 5e-3


def test_a_frozen_run_resumes_bit_by_bit(tmp_path):
    events = script(LOAD_STEP, {**TILE, "at": 130})
    options = {
        "duration": 240,
        "every": 30,
        "cell": 0.3,
        "frozen": True,
        "checkpoint_every": 50,
        "cold": True,
    }
    whole = simulate(ONE_RACK, events, out=tmp_path / "whole", **options)

    def stop(now):
        if now.time > 210.0:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        simulate(ONE_RACK, events, out=tmp_path / "stopped", progress=stop, **options)
    resumed = simulate(ONE_RACK, events, out=tmp_path / "stopped", resume=True, **options)
    assert np.array_equal(resumed.series.array(), whole.series.array())
    assert np.array_equal(resumed.state.T, whole.state.T)
    assert resumed.as_json()["balances"] == whole.as_json()["balances"]
    limits = whole.as_json()["step"]["limited_by"]
    assert limits["frozen"] > 0
    assert limits["cfl"] > 0  # after the tile the flow was followed


def test_options_are_checked_before_anything_is_solved(tmp_path):
    began = time.perf_counter()
    for option in ({"duration": -1.0}, {"every": float("nan")}, {"cfl": 0.0}, {"checkpoint_every": 0.0}):
        with pytest.raises(InputError, match="must be positive"):
            simulate(ONE_RACK, script(TRIP), cell=0.3, out=tmp_path / "r", **option)
    with pytest.raises(InputError, match="no such cooler"):
        simulate(ONE_RACK, script({**TRIP, "cooler": "C7"}), out=tmp_path / "r")
    assert time.perf_counter() - began < 10.0
    assert list(tmp_path.iterdir()) == []


def test_a_room_that_cannot_settle_writes_nothing(tmp_path):
    layout = load_layout(ONE_RACK, ["coolers[C1].failed=true"])
    with pytest.raises(InputError, match="heats up without end; failed: 'C1'"):
        simulate(layout, script(TRIP), cell=0.3, out=tmp_path / "r")
    assert list(tmp_path.iterdir()) == []
