"""Catalogue: against the published tables where they are at hand, against typed-in values where not."""

import csv
from pathlib import Path

import pytest

from twin.model.catalog import ASHRAE_CLASSES, Band, band, tile_loss_coefficient

# Rows of the reference table of perforated plates: open area, Fried and Idelchik, Blevins.
ROWS = [
    (0.1, 282.123, 144.0),
    (0.25, 42.758, 21.0),
    (0.45, 12.096, 5.296),
    (0.56, 7.364, 2.89),
    (0.68, 4.617, 1.509),
]


@pytest.mark.parametrize(("open_area", "fried_idelchik", "blevins"), ROWS)
def test_tile_losses(open_area, fried_idelchik, blevins):
    # the table is rounded to three decimals
    assert tile_loss_coefficient(open_area) == pytest.approx(fried_idelchik, abs=6e-4)
    assert tile_loss_coefficient(open_area, "blevins") == pytest.approx(blevins, abs=6e-4)


def test_meshes_of_round_wires():
    # 1.3 * 0.5 + 1 and 1.3 * 0.64 + (16 / 9)^2
    assert tile_loss_coefficient(0.5, "idelchik_wire") == pytest.approx(1.65)
    assert tile_loss_coefficient(0.36, "idelchik_wire") == pytest.approx(3.9925, abs=1e-4)


def test_a_fully_open_plate():
    assert tile_loss_coefficient(1.0, "idelchik_wire") == 0.0
    assert tile_loss_coefficient(1.0) == 1.0
    assert tile_loss_coefficient(1.0, "blevins") == 0.0


REFERENCE = next(
    (p / "shared/reference" for p in Path(__file__).resolve().parents if (p / "shared/reference").is_dir()),
    None,
)


@pytest.mark.skipif(REFERENCE is None, reason="shared/reference is not beside the checkout")
def test_ashrae_classes_are_those_of_the_reference_table():
    assert REFERENCE is not None
    lines = (REFERENCE / "ashrae_tc99_air_classes.csv").read_text().splitlines()
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        ours = ASHRAE_CLASSES[row["class"]]
        theirs = tuple(float(row[key]) for key in ("rec_lo_C", "rec_hi_C", "allow_lo_C", "allow_hi_C"))
        assert theirs == (
            ours.recommended_low,
            ours.recommended_high,
            ours.allowable_low,
            ours.allowable_high,
        )


@pytest.mark.parametrize(
    ("temperature", "name", "expected"),
    [
        (14.9, "A1", Band.BELOW),
        (15.0, "A1", Band.ALLOWABLE),
        (18.0, "A1", Band.RECOMMENDED),
        (27.0, "A1", Band.RECOMMENDED),
        (27.1, "A1", Band.ALLOWABLE),
        (32.1, "A1", Band.OVER),
        (32.1, "A3", Band.ALLOWABLE),
        (23.0, "H1", Band.ALLOWABLE),
        (25.1, "H1", Band.OVER),
    ],
)
def test_bands(temperature, name, expected):
    assert band(temperature, name) is expected
