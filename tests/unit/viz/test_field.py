"""The field as numbers and as a texture."""

import numpy as np
import pytest

from viz.field import (
    FRAME_LIMIT,
    LOWEST_C,
    SPAN_K,
    STEPS,
    Lines,
    Texture,
    centres,
    decode_frame,
    encode_frame,
    grid_lines,
    probe,
    texture_shape,
)

STRETCHED = Lines(
    np.array([0.0, 0.3, 0.7, 1.2, 1.5, 2.0]),
    np.array([0.0, 0.5, 0.8, 1.6]),
    np.array([0.0, 0.6, 1.0, 1.4, 2.2]),
)


def linear(lines: Lines) -> np.ndarray:
    x, y, z = np.meshgrid(*[centres(line) for line in lines], indexing="ij")
    return (20 + 3 * x - 2 * y + 1.5 * z).astype(np.float32)


def unpacked(packed: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    rows = np.frombuffer(packed, dtype=np.uint8).reshape(shape[::-1])
    rows = np.cumsum(rows, axis=1, dtype=np.uint8)
    return np.cumsum(rows, axis=2, dtype=np.uint8).transpose(2, 1, 0) * (SPAN_K / STEPS) + LOWEST_C


def test_probe_is_exact_for_a_linear_field_on_a_stretched_grid() -> None:
    for point in ((0.9, 0.7, 0.9), (0.31, 1.1, 1.7), (1.6, 0.4, 0.4)):
        expected = 20 + 3 * point[0] - 2 * point[1] + 1.5 * point[2]
        assert probe(STRETCHED, linear(STRETCHED), point) == pytest.approx(
            expected, abs=1e-5
        )  # float32 field


def test_probe_ignores_solids_beside_the_point_and_knows_inside_from_outside() -> None:
    field = np.full((5, 3, 4), 24.0, dtype=np.float32)
    field[2] = np.nan
    assert probe(STRETCHED, field, (0.69, 0.7, 0.9)) == pytest.approx(24.0)
    assert probe(STRETCHED, field, (0.9, 0.7, 0.9)) is None  # in the solid
    assert probe(STRETCHED, field, (2.1, 0.7, 0.9)) is None  # outside the room
    assert probe(STRETCHED, field, (float("nan"), 0.7, 0.9)) is None
    assert probe(STRETCHED, field, (0.0, 0.0, 0.0)) == pytest.approx(24.0)  # a corner of the room


def test_texture_keeps_the_budget_and_the_room_s_proportions() -> None:
    lines = Lines(*(np.linspace(0, length, 100) for length in (8.4, 6.6, 3.6)))
    shape = texture_shape(lines, 970_299, 240_000)
    assert np.prod(shape) <= 240_000
    edges = np.array([8.4, 6.6, 3.6]) / shape
    assert edges.max() / edges.min() < 1.1  # near-cubic; whole voxels allow no better


def test_texture_holds_the_field_to_half_a_step() -> None:
    lines = Lines(*(np.linspace(0, 2, 21) for _ in range(3)))
    texture = Texture(lines, budget=8000)
    field = linear(lines)
    got = unpacked(texture.pack(field), texture.shape)
    x, y, z = np.meshgrid(*[(np.arange(n) + 0.5) * 2 / n for n in texture.shape], indexing="ij")
    expected = 20 + 3 * x - 2 * y + 1.5 * z
    inside = (slice(1, -1),) * 3  # the field is held constant beyond the outermost cell centres
    assert np.abs(got - expected)[inside].max() < 0.51 * SPAN_K / STEPS


def test_texture_carries_air_into_solids_without_new_values() -> None:
    lines = Lines(*(np.linspace(0, 2, 21) for _ in range(3)))
    field = np.full((20, 20, 20), 22.0, dtype=np.float32)
    field[8:12, 8:12, :] = np.nan
    got = unpacked(Texture(lines, budget=8000).pack(field), Texture(lines, budget=8000).shape)
    assert np.all(np.abs(got - 22.0) <= SPAN_K / STEPS)


def test_texture_shrinks_until_it_fits() -> None:
    lines = Lines(*(np.linspace(0, 2, 61) for _ in range(3)))
    texture = Texture(lines)
    before = np.prod(texture.shape)
    assert texture.shrink()
    assert np.prod(texture.shape) < 0.85 * before
    while texture.shrink():
        pass
    assert np.prod(texture.shape) > 1000  # it stops while there is still a picture


def test_frame_round_trip() -> None:
    header, texture = decode_frame(encode_frame({"type": "field", "number": 3}, b"\x01\x02"))
    assert header == {"type": "field", "number": 3}
    assert texture == b"\x01\x02"


def test_frame_is_smaller_than_promised_for_turbulent_air_of_240k_cells() -> None:
    edge = (8.4 * 6.6 * 3.6 / 240_000) ** (1 / 3)
    lines = Lines(*(np.linspace(0, length, round(length / edge) + 1) for length in (8.4, 6.6, 3.6)))
    x, y, z = np.meshgrid(*[centres(line) for line in lines], indexing="ij")
    eddies = sum(
        np.sin(a * x + a) * np.sin(1.3 * a * y) * np.cos(1.7 * a * z) / a ** (5 / 3)
        for a in (2.0, 5.0, 11.0, 23.0)
    )
    texture = Texture(lines)
    frame = encode_frame({}, texture.pack((24 + 8 * eddies).astype(np.float32)))
    assert len(decode_frame(frame)[1]) > 200_000
    assert len(frame) < FRAME_LIMIT


def test_grid_lines_reads_a_greeting() -> None:
    lines = grid_lines({"x": [0, 1], "y": [0, 2, 3], "z": [0, 4]})
    assert [line.size for line in lines] == [2, 3, 2]
