"""Reading traces: the forms, the scaling, and every fault of a file at once."""

import numpy as np
import pandas as pd
import pytest

from twin.errors import InputError, Severity
from twin.model.load import example_layout, load_layout
from twin.runtime.trace import IDLE_SHARE, Trace, generated_trace, read_trace

ROWS = 20


@pytest.fixture(scope="module")
def layout():
    return load_layout(example_layout("pod_two_row"))


@pytest.fixture
def write(tmp_path):
    def write_text(text, name="trace.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write_text


def table(times=None, **columns):
    times = [str(15 * i) for i in range(ROWS)] if times is None else times
    columns = columns or {"R01.power": [str(4000 + i) for i in range(ROWS)]}
    names = [name.replace("_power", ".power") for name in columns]
    rows = zip(times, *columns.values(), strict=True)
    return "\n".join([",".join(["time", *names]), *(",".join(row) for row in rows)]) + "\n"


def faults_of(path, layout, **options):
    with pytest.raises(InputError) as caught:
        read_trace(path, layout, **options)
    return caught.value.findings


# --- telemetry tables


def test_a_table_in_seconds_is_read_as_it_is(write, layout):
    trace = read_trace(write(table()), layout)
    assert trace.racks == tuple(rack.id for rack in layout.racks)
    assert trace.time.tolist() == [15.0 * i for i in range(ROWS)]
    assert trace.power[:, 0].tolist() == [4000.0 + i for i in range(ROWS)]
    assert (trace.power[:, 1] == layout.rack("R02").nominal_power).all()
    assert any("R02" in warning and "no column" in warning for warning in trace.warnings)


@pytest.mark.parametrize("zone", ["", "Z", "+02:00"])
def test_iso_times_and_time_zones(write, layout, zone):
    times = [f"2024-03-31T00:{i:02d}:30{zone}" for i in range(ROWS)]
    trace = read_trace(write(table(times)), layout)
    assert trace.time.tolist() == [60.0 * i for i in range(ROWS)]


def test_parquet_and_csv_give_the_same(write, layout, tmp_path):
    csv = write(table())
    stamps = pd.date_range("2024-01-01", periods=ROWS, freq="15s")
    frame = pd.DataFrame({"time": stamps, "R01.power": 4000.0 + np.arange(ROWS)})
    frame.to_parquet(tmp_path / "trace.bin")
    a, b = read_trace(csv, layout), read_trace(tmp_path / "trace.bin", layout)
    assert (a.time == b.time).all() and (a.power == b.power).all()


def test_other_points_and_columns_are_left(write, layout):
    text = table(R01_power=["5"] * ROWS, **{"C1.supply_temperature": ["18"] * ROWS, "note": ["x"] * ROWS})
    assert read_trace(write(text), layout).power[0, 0] == 5.0


def test_gaps_are_held_and_reported_with_count_and_length(write, layout):
    values = [str(4000 + i) for i in range(ROWS)]
    values[5:8] = ["", "", " "]
    trace = read_trace(write(table(R01_power=values)), layout)
    assert trace.power[4:9, 0].tolist() == [4004.0, 4004.0, 4004.0, 4004.0, 4008.0]
    (warning,) = [text for text in trace.warnings if "empty" in text]
    assert "3 empty cells" in warning and "longest 60 s" in warning


def test_a_gap_at_the_start_takes_the_first_value(write, layout):
    values = ["", "", *(["700"] * (ROWS - 2))]
    assert read_trace(write(table(R01_power=values)), layout).power[0, 0] == 700.0


def test_a_gap_longer_than_allowed_is_an_error(write, layout):
    values = ["1"] * ROWS
    values[3:15] = [""] * 12
    faults = faults_of(write(table(R01_power=values)), layout, longest_gap=120.0)
    (fault,) = [fault for fault in faults if fault.severity is Severity.ERROR]
    assert "longest 195 s" in fault.value and "120 s allowed" in fault.rule


def test_missing_rows_are_a_gap_too_and_the_last_value_is_held(write, layout):
    times = [str(15 * i if i < 10 else 15 * i + 600) for i in range(ROWS)]
    trace = read_trace(write(table(times)), layout)
    assert any("jumps in time" in warning for warning in trace.warnings)
    assert trace.at(9 * 15 + 300.0)["R01"] == 4009.0
    assert faults_of(write(table(times)), layout, longest_gap=100.0)


def test_all_faults_of_a_file_come_at_once(write, layout):
    values = ["1", "abc", "nan", "inf", "-5", *(["1"] * (ROWS - 5))]
    times = [str(15 * i) for i in range(ROWS)]
    times[10], times[15] = times[9], "15"
    faults = faults_of(
        write(table(times, R01_power=values, R1_power=["1"] * ROWS, X77_power=["1"] * ROWS)), layout
    )
    found = {(fault.object, fault.field) for fault in faults}
    assert found >= {
        ("row 2", "R01.power"), ("row 3", "R01.power"), ("row 4", "R01.power"), ("row 5", "R01.power"),
        ("row 11", "time"), ("row 16", "time"),
        ("column 'R1.power'", "R1.power"), ("column 'X77.power'", "X77.power"),
    }  # fmt: skip
    assert {fault.value for fault in faults if fault.object in ("row 2", "row 3", "row 4")} == {
        "'abc'", "'nan'", "'inf'"
    }  # fmt: skip
    assert next(f for f in faults if f.object == "row 2").line == 3
    assert "Did you mean 'R1" in next(f for f in faults if "R1." in f.object).remedy
    assert all(fault.severity is Severity.ERROR for fault in faults)


def test_many_faults_of_a_kind_are_counted(write, layout):
    faults = faults_of(write(table(R01_power=["x"] * ROWS)), layout)
    assert len(faults) == 6 and "15 more rows" in faults[-1].object


def test_power_over_the_rating_is_a_warning(write, layout):
    trace = read_trace(write(table(R01_power=["13000"] * ROWS)), layout)
    assert any("12000 W that the rack may draw" in warning for warning in trace.warnings)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "0 bytes"),
        ("time,R01.power\n", "0 rows"),
        ("time,R01.power\n0,1\n", "at least two"),
        ("hello\nworld\n", "no form"),
        ("R01.power\n1\n2\n", "'time'"),
        ("time,R01.power,R01.power\n0,1,1\n1,1,1\n", "each column once"),
        ("time,R01.power\n0,1\n1,1,7\n", "as many cells"),
        ("time,R01.power\n0,1\n1\n2,2\n", "as many cells"),
        ("time,R01.power\nyesterday,1\ntoday,1\n", "ISO 8601"),
        ("time,R01.power\n0,1\n\n2,2\n", "1 cells"),
        ('time,R01.power\n"0","1\n', "CSV table"),
        (b"PAR1garbage", "Parquet"),
        (b"\xff\xfe\x00\x01", "UTF-8"),
    ],
)
def test_what_is_no_trace_says_so(write, layout, text, word):
    assert word in str(InputError(faults_of(write(text), layout)))


def test_a_missing_file(layout, tmp_path):
    (fault,) = faults_of(tmp_path / "none.csv", layout)
    assert "No such file" in fault.value


# --- recordings, made here in the published form


def frontier(columns=25, rows=50):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"time": 15.0 * np.arange(rows)})
    for i in range(columns):
        frame[f"power[{i + 1}]"] = 1e6 * (0.5 + 0.4 * rng.random(rows)) * (1 + 0.01 * i)
    frame["OA Wetbulb Temp"] = 5.0
    return frame


def test_frontier_columns_keep_their_relative_variation(write, layout):
    frame = frontier()
    trace = read_trace(write(frame.to_csv(index=False), "whatever.csv"), layout)
    for i, rack in enumerate(layout.racks):
        column = frame[f"power[{i + 1}]"].to_numpy()
        assert trace.power[:, i] == pytest.approx(column / column.max() * rack.nominal_power, rel=1e-12)
    assert "nominal power" in trace.scale_note


def test_more_racks_than_frontier_columns_use_them_again_later(write, layout):
    trace = read_trace(write(frontier(columns=5, rows=600).to_csv(index=False)), layout)
    relative = trace.power / np.array([rack.nominal_power for rack in layout.racks])
    assert relative[240:, 5] == pytest.approx(relative[:-240, 0])  # one hour of 15 s


def surf(tmp_path, tasks=40):
    rng = np.random.default_rng(1)
    length = rng.integers(2, 60, tasks)
    start = np.sort(rng.integers(0, 200, tasks)) * 30_000 + 1_665_093_600_000 + rng.integers(0, 29_000, tasks)
    start.sort()
    frame = pd.DataFrame(
        {
            "id": np.arange(100, 100 + tasks), "submission_time": start, "duration": length * 30_000,
            "cpu_count": 16, "cpu_capacity": 33_600.0, "mem_capacity": 100_000,
        }
    )  # fmt: skip
    pieces = pd.DataFrame(
        {
            "id": np.repeat(frame.id.to_numpy(), length),
            "duration": 30_000,
            "cpu_usage": rng.uniform(0, 33_600, length.sum()),
        }
    )
    frame.to_parquet(tmp_path / "my_tasks.parquet")
    pieces.to_parquet(tmp_path / "my_fragments.parquet")
    return frame, pieces


def test_surf_tasks_become_rack_power_and_either_file_will_do(layout, tmp_path):
    frame, pieces = surf(tmp_path)
    a = read_trace(tmp_path / "my_tasks.parquet", layout)
    b = read_trace(tmp_path / "my_fragments.parquet", layout)
    assert (a.power == b.power).all()
    nominal = np.array([rack.nominal_power for rack in layout.racks])
    idle = IDLE_SHARE * nominal
    assert (a.power >= idle - 1e-9).all() and (a.power <= nominal + 1e-9).all()
    assert (a.power / nominal).max() == pytest.approx(1.0)
    # the room's dynamic power is the tasks' total CPU use, step by step, times one factor
    begin = (frame.submission_time.to_numpy() - frame.submission_time[0]) // 30_000
    step = np.concatenate(
        [begin[i] + np.arange(n) for i, n in enumerate((frame.duration // 30_000).to_numpy())]
    )
    use = np.bincount(step, pieces.cpu_usage / 33_600.0)[: len(a.time)]
    dynamic = (a.power - idle).sum(axis=1)
    watts = dynamic[use > 0] / use[use > 0]
    assert watts == pytest.approx(watts[0], rel=1e-9)
    assert f"{watts[0]:.0f} W" in a.scale_note
    assert a.groups is not None
    assert a.groups.sum(axis=2) == pytest.approx(a.power - idle, abs=1e-6)


def test_surf_without_its_partner(layout, tmp_path):
    surf(tmp_path)
    (tmp_path / "my_fragments.parquet").unlink()
    (fault,) = faults_of(tmp_path / "my_tasks.parquet", layout)
    assert "pair of files" in fault.rule


def test_surf_with_wrong_fragments_reports_all_of_it(layout, tmp_path):
    _, pieces = surf(tmp_path)
    pieces.loc[3, "cpu_usage"] = np.nan
    pieces.loc[4, "duration"] = 5
    pieces.loc[5, "id"] = 7
    pieces.to_parquet(tmp_path / "my_fragments.parquet")
    faults = faults_of(tmp_path / "my_tasks.parquet", layout)
    assert {(f.object, f.field) for f in faults} == {
        ("row 4", "cpu_usage"), ("row 5", "duration"), ("row 6", "id")
    }  # fmt: skip


# --- looking up


def make_trace(time, power):
    return Trace(np.array(time, float), np.array(power, float)[:, None], ("A",), "test", "")


def test_between_samples_it_is_linear_and_at_samples_exact():
    trace = make_trace([0, 10, 20], [1, 3, 7])
    assert [trace.at(t)["A"] for t in (0, 5, 10, 15, 20)] == [1, 2, 3, 5, 7]


def test_it_loops_one_step_after_the_end_or_holds():
    trace = make_trace([0, 10, 20], [1, 3, 7])
    assert trace.duration == 30.0
    assert trace.at(30.0)["A"] == 1.0 and trace.at(65.0)["A"] == 2.0
    assert trace.at(25.0)["A"] == 7.0
    assert trace.at(1e9, loop=False)["A"] == 7.0
    assert trace.at(-5.0)["A"] == 1.0


def test_many_instants_at_once_are_the_same_as_one_by_one():
    trace = make_trace([0, 10, 20, 100, 110], [1, 3, 7, 2, 2])
    t = np.linspace(-10, 300, 97)
    assert trace.power_at(t)[:, 0].tolist() == [trace.at(x)["A"] for x in t]


# --- the generator


def test_the_generator_has_the_statistics_it_states(layout):
    trace = generated_trace(layout, seed=4, days=20.0, step=60.0)
    nominal = np.array([rack.nominal_power for rack in layout.racks])
    use = (trace.power / nominal - IDLE_SHARE) / (1.0 - IDLE_SHARE)
    assert use.min() >= 0.0 and (trace.power <= 12e3).all()
    # bursts: 0.5 an hour of 900 s and 0.20 add 0.5 * 0.25 * 0.20 = 0.025 to the level of 0.50-0.85
    assert use.mean(axis=0).min() > 0.50 and use.mean(axis=0).max() < 0.90
    assert use.mean() == pytest.approx(0.675 + 0.025, abs=0.06)  # 12 draws of +-0.175
    median = np.median(use.reshape(20, 1440, -1), axis=0)  # a median day is free of bursts
    hours = np.arange(1440) / 60.0
    swing = (median * np.cos(2 * np.pi * (hours - 15) / 24)[:, None]).mean(axis=0) * 2
    assert (swing > 0.03).all() and (swing < 0.17).all()
    rest = use.reshape(20, 1440, -1) - median
    quiet = rest.reshape(-1, rest.shape[2])
    spread = np.median(np.abs(quiet), axis=0) / 0.6745  # robust against bursts
    assert spread == pytest.approx(0.06, abs=0.02)
    bursts = (use - np.tile(median, (20, 1))) > 0.3
    starts = (bursts[1:] & ~bursts[:-1]).sum() / (20 * 24 * len(nominal))
    assert 0.03 < starts < 0.5  # exp(-0.3/0.2) = 22 % of 0.5 an hour, noise splitting some


def test_the_generator_is_seeded(layout):
    a, b, c = (generated_trace(layout, seed=seed, days=0.1) for seed in (1, 1, 2))
    assert (a.power == b.power).all() and not (a.power == c.power).all()
