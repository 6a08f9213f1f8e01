"""Sweeps over designs: the front, the choice, its checks, and what is written."""

from __future__ import annotations

import csv
import itertools
import json
import math

import pytest

from twin.errors import InputError
from twin.plates.pareto_picture import draw_front
from twin.plates.plate_run import plate_numbers, solve_case
from twin.plates.spec_reader import read_plate
from twin.plates.study import Design, choose, compare, pareto, write_designs
from twin.plates.variants import variant

SWEEP = """
sweep:
  width: [0.2 mm, 0.4 mm]
  wall: [0.2 mm, 0.4 mm]
  flow: [0.1 l/min, 0.3 l/min]
  checks: 2
"""


def design(pumping, resistance, margin=math.inf):
    return Design(1e-4, 1e-3, 1e-4, 1e-5, "water", 10, resistance, 300.0, 1e3, pumping, 5.0, 100.0, margin)


def test_the_front_is_what_no_other_design_beats():
    designs = [
        design(1, 5),
        design(2, 3),
        design(2, 4),
        design(3, 3),
        design(3, 2),
        design(4, 2.5),
        design(0.5, 9),
    ]
    front = pareto(designs)
    assert [(d.pumping, d.resistance) for d in front] == [(0.5, 9), (1, 5), (2, 3), (3, 2)]
    for a, b in itertools.product(designs, front):  # by definition
        assert not (
            a.pumping <= b.pumping
            and a.resistance <= b.resistance
            and (a.pumping, a.resistance) != (b.pumping, b.resistance)
        )


def test_the_choice_pumps_least_within_all_limits_and_their_margin():
    designs = [design(1, 5, -2.0), design(2, 3, 1.0), design(3, 2, 6.0), design(4, 1, 9.0)]
    assert choose(designs).pumping == 2
    assert choose(designs, margin=5.0).pumping == 3
    assert choose(designs, margin=20.0).resistance == 1  # none does: the coolest
    assert choose([design(1, 5), design(2, 3)]).resistance == 3  # no limits: the coolest


NO_COUNT = "count: 8, ", ""
NO_CHECKS = "\nsweep: {width: [0.2 mm, 0.4 mm, 0.7 mm], flow: [0.3 l/min], checks: 0}\n"


def test_a_sweep_keeps_the_number_of_channels_that_the_file_asks_for(write_plate):
    study = compare(read_plate(write_plate(more=NO_CHECKS)))
    # 8 channels of 0.7 mm and 7 walls of 0.4 mm take 8.4 of 8 mm
    assert study.skipped == {"8 channels, as the file asks, do not fit": 1}
    assert [(round(1e4 * d.width), d.channels) for d in study.designs] == [(2, 8), (4, 8)]
    assert study.as_json(1)["kept"] == {"height": "1.5 mm", "wall": "0.4 mm", "count": "8"}


def test_a_sweep_without_a_number_takes_as_many_channels_as_fit_and_says_so(write_plate):
    study = compare(read_plate(write_plate(NO_COUNT, more=NO_CHECKS)))
    # 7 mm between margins, walls of 0.4 mm
    assert [(round(1e4 * d.width), d.channels) for d in study.designs] == [(2, 12), (4, 9), (7, 6)]
    assert study.kept["count"] == "as many as fit"


def test_a_sweep_over_widths_keeps_the_pitch_of_the_file(write_plate):
    pitch = ("wall: 0.4 mm", "pitch: 0.8 mm")
    study = compare(read_plate(write_plate(pitch, more=NO_CHECKS)))
    assert [d.width + d.wall for d in study.designs] == pytest.approx([0.8e-3] * 3)
    assert [d.channels for d in study.designs] == [8, 8, 8]
    assert study.kept == {"height": "1.5 mm", "pitch": "0.8 mm", "count": "8"}
    walls = NO_CHECKS.replace("flow:", "wall: [0.3 mm], flow:")  # what is listed counts
    listed = compare(read_plate(write_plate(pitch, more=walls)))
    assert {round(1e4 * d.wall) for d in listed.designs} == {3}


def test_a_variant_gets_as_many_channels_as_fit(write_plate):
    case = read_plate(write_plate(NO_COUNT))
    made = variant(case, 0.2e-3, 1e-3, 0.3e-3, 5e-6, "pg25")
    assert made.channels == 14  # 14 of 0.2 mm and 13 walls of 0.3 mm take 6.7 of the 7 mm
    assert made.fluid.name == made.spec.coolant.fluid == "pg25"
    assert made.spec.channels.between == pytest.approx(0.3e-3)
    assert made.mass_flow == pytest.approx(5e-6 * float(made.fluid.density(303.15)))
    assert case.channels == 9  # the case itself stays


def test_a_study_solves_all_and_checks_some(write_plate, tmp_path):
    case = read_plate(write_plate(NO_COUNT, more=SWEEP))
    shares = []
    study = compare(case, shares.append)
    assert len(study.designs) == 8 and not study.skipped
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)
    assert len({(d.width, d.wall, d.flow) for d in study.designs}) == 8
    assert set(study.front) <= set(study.designs)
    assert len(study.checks) == 2 and study.checks[0].design == study.chosen
    for check in study.checks:
        assert abs(check.difference) < 0.035  # asked of the compact model
        assert check.model == "resolved"
    one = study.designs[0]
    again = solve_case(one.of(case), "two_resistor")
    assert float(again.heated_face.max()) == pytest.approx(one.highest, abs=1e-9)
    assert one.pumping == pytest.approx(again.pressure_drop * one.flow)
    body = study.as_json(plates=3)
    assert body["total_flow_m3_s"] == pytest.approx(3 * study.chosen.flow)
    assert body["total_heat_w"] == pytest.approx(150.0)
    json.dumps(body, allow_nan=False)

    write_designs(study, tmp_path / "designs.csv")
    rows = list(csv.DictReader((tmp_path / "designs.csv").read_text().splitlines()))
    assert len(rows) == 8
    assert sum(row["on_front"] == "True" for row in rows) == len(study.front)
    assert float(rows[0]["width_m"]) == one.width and float(rows[0]["pumping_w"]) == one.pumping

    draw_front(study, "small plate", tmp_path / "pareto.png")
    assert (tmp_path / "pareto.png").stat().st_size > 20_000  # an empty page takes some 5 kB


def test_more_flow_and_narrower_channels_cool_better_and_cost_more(write_plate):
    study = compare(read_plate(write_plate(NO_COUNT, more=SWEEP.replace("checks: 2", "checks: 0"))))
    found = {(round(1e4 * d.width), round(1e4 * d.wall), round(6e7 * d.flow)): d for d in study.designs}
    assert found[2, 2, 300].resistance < found[2, 2, 100].resistance
    assert found[2, 2, 300].pumping > found[2, 2, 100].pumping
    assert found[2, 2, 100].resistance < found[4, 4, 100].resistance
    assert found[2, 2, 100].pressure_drop > found[4, 4, 100].pressure_drop
    assert study.checks == ()


def test_what_cannot_be_built_or_breaks_a_limit_is_left_out_with_its_reason(write_plate):
    sweep = """
sweep:
  width: [0.05 mm, 0.4 mm, 9 mm]
  flow: [0.05 l/min, 0.3 l/min]
  pressure_limit: 2 kPa
  outlet_limit: 40
  checks: 0
"""
    study = compare(read_plate(write_plate(NO_COUNT, more=sweep)))
    assert study.skipped == {
        "too deep for its width": 2,
        "no channel fits": 2,
        "coolant leaves above the limit": 1,
    }
    assert [d.width for d in study.designs] == [0.4e-3]
    pitch = sweep.replace("width: [0.05 mm, 0.4 mm, 9 mm]", "width: [0.4 mm]\n  pitch: [0.3 mm, 0.8 mm]")
    study = compare(read_plate(write_plate(NO_COUNT, more=pitch)))
    assert study.skipped == {"channel wider than the pitch": 2, "coolant leaves above the limit": 1}


def test_no_sweep_and_no_design_left_are_told(write_plate):
    with pytest.raises(InputError, match=r"sweep.*is missing"):
        compare(read_plate(write_plate()))
    more = "sweep: {flow: [0.3 l/min], pressure_limit: 1, checks: 0}\n"
    with pytest.raises(InputError, match=r"no design is left \(1: pressure drop above the limit\).*Widen"):
        compare(read_plate(write_plate(more=more)))


def test_a_sweep_without_heat_is_refused_and_a_plate_without_it_has_no_resistance(write_plate):
    path = write_plate(("power: 40", "power: 0"), ("power: 10", "power: 0"), more=SWEEP)
    with pytest.raises(InputError, match=r"chips.*0 W: designs cannot be compared.*Give the chips power"):
        compare(read_plate(path))
    case = read_plate(path)
    numbers = plate_numbers(case, solve_case(case, "two_resistor"))
    assert numbers["thermal_resistance_k_w"] is None
    assert numbers["max_k"] == pytest.approx(303.15)
