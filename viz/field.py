"""The temperature field on its way to people: probed as numbers, and packed as a small texture to look at.

The twin's grid is rectilinear with lines on the objects' faces; a browser's 3-D texture is uniform. The
texture is for the eye only (the air's uint8 over 50 K is 0.2 K a step); numbers always come from `probe`.
"""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt

LOWEST_C = 5.0
SPAN_K = 50.0
STEPS = 255
VOXELS = 240_000
FRAME_LIMIT = 96_000  # bytes; the promise is 100 kB
SMALLEST_BUDGET = 4_000  # voxels; below it the picture says nothing
AXES = 3
GZIP = 31  # zlib's window bits for a gzip header


class Lines(NamedTuple):
    """Face coordinates of a rectilinear grid: float64[nx+1], [ny+1], [nz+1] [m]."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray


def grid_lines(grid: Mapping[str, Sequence[float]]) -> Lines:
    """Read the grid of a feed's greeting.

    Parameters
    ----------
    grid : mapping
        ``x``, ``y``, ``z``: face coordinates. [m]

    Returns
    -------
    Lines
    """
    return Lines(*(np.asarray(grid[axis], dtype=np.float64) for axis in "xyz"))


def centres(faces: np.ndarray) -> np.ndarray:
    """Return the cell centres float64[n] between faces float64[n+1]."""
    return 0.5 * (faces[1:] + faces[:-1])


def probe(lines: Lines, field: np.ndarray, point: Sequence[float]) -> float | None:
    """Temperature at a point, trilinear between the air cells around it.

    Parameters
    ----------
    lines : Lines
    field : float32[nx, ny, nz]
        Temperature, NaN in solids. [degC]
    point : three floats
        Place in the room. [m]

    Returns
    -------
    float or None
        [degC]; None outside the room and where no air cell is near.

    Notes
    -----
    The weights of solid cells are dropped and the others scaled up, so a wall never cools the air beside it.
    """
    inside = all(line[0] <= place <= line[-1] for line, place in zip(lines, point, strict=True))
    if not inside or not np.all(np.isfinite(point)):
        return None
    if np.isnan(field[tuple(_cell(line, place) for line, place in zip(lines, point, strict=True))]):
        return None
    corners, weights = np.zeros((1, 0), dtype=np.int64), np.ones(1)
    for line, place in zip(lines, point, strict=True):
        low, share = _bracket(centres(line), np.array([place]))
        high = min(int(low[0]) + 1, line.size - 2)
        pair = np.array([low[0], high], dtype=np.int64)
        corners = np.concatenate(
            [np.repeat(corners, 2, axis=0), np.tile(pair, len(corners))[:, None]], axis=1
        )
        weights = np.repeat(weights, 2) * np.tile([1.0 - share[0], share[0]], len(weights))
    values = field[tuple(corners.T)].astype(np.float64)
    air = ~np.isnan(values) & (weights > 0.0)
    return float(np.sum(values[air] * weights[air]) / np.sum(weights[air])) if np.any(air) else None


def _cell(line: np.ndarray, place: float) -> int:
    return min(int(np.searchsorted(line, place, side="right")) - 1, line.size - 2)


def _bracket(nodes: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower node and share of the upper one for each place; held constant outside the nodes."""
    if nodes.size == 1:
        return np.zeros(places.size, dtype=np.int64), np.zeros(places.size)
    low = np.clip(np.searchsorted(nodes, places) - 1, 0, nodes.size - 2)
    share = (places - nodes[low]) / (nodes[low + 1] - nodes[low])
    return low, np.clip(share, 0.0, 1.0)


def texture_shape(lines: Lines, cells: int, budget: int = VOXELS) -> tuple[int, int, int]:
    """Voxels along each axis: near-cubic, never more than the budget, nor more than twice the grid's cells.

    Parameters
    ----------
    lines : Lines
    cells : int
        Cells of the grid; a texture much finer than its field only costs bytes.
    budget : int
        The most voxels.

    Returns
    -------
    tuple of three int
    """
    lengths = np.array([line[-1] - line[0] for line in lines])
    edge = (float(np.prod(lengths)) / min(budget, 2 * cells)) ** (1.0 / AXES)
    counts = np.maximum(2, np.floor(lengths / edge)).astype(int)
    return int(counts[0]), int(counts[1]), int(counts[2])


class Texture:
    """Turns fields of one grid into bytes for a 3-D texture.

    Air is carried into the solids first (nearest air cell), else walls and racks bleed into the picture.

    Parameters
    ----------
    lines : Lines
    budget : int
        The most voxels; lowered by itself while frames exceed ``FRAME_LIMIT``.
    span : tuple of two float
        Temperatures of the least and the greatest byte. [degC]

    Attributes
    ----------
    shape : tuple of three int   Voxels along x, y, z.
    """

    def __init__(
        self, lines: Lines, budget: int = VOXELS, span: tuple[float, float] = (LOWEST_C, LOWEST_C + SPAN_K)
    ) -> None:
        self.lines = lines
        self.budget = budget
        self.span = span
        self._solid: np.ndarray | None = None
        self._nearest: tuple[np.ndarray, ...] = ()
        self._resize()

    def shrink(self) -> bool:
        """Lower the resolution by a fifth of the voxels; False when it is at its least."""
        if self.budget <= SMALLEST_BUDGET:
            return False
        self.budget = int(min(self.budget, np.prod(self.shape)) * 0.8)
        self._resize()
        return True

    def pack(self, field: np.ndarray) -> bytes:
        """Resample, quantise and difference a field.

        Parameters
        ----------
        field : float32[nx, ny, nz]
            Temperature, NaN in solids. [degC]

        Returns
        -------
        bytes
            uint8, x fastest, differenced along x and then along y, modulo 256: a third fewer bytes.
        """
        values = self._carried_into_solids(field)
        for axis, (low, share) in enumerate(self._brackets):
            form = [1, 1, 1]
            form[axis] = -1
            part = share.astype(np.float32).reshape(form)
            high = np.minimum(low + 1, values.shape[axis] - 1)
            values = np.take(values, low, axis) * (1 - part) + np.take(values, high, axis) * part
        low_c, high_c = self.span
        levels = np.clip((values - low_c) * (STEPS / (high_c - low_c)) + 0.5, 0, STEPS).astype(np.uint8)
        rows = np.ascontiguousarray(levels.transpose(2, 1, 0))
        rows = np.diff(rows, axis=2, prepend=np.uint8(0))
        return np.diff(rows, axis=1, prepend=np.uint8(0)).tobytes()

    def _resize(self) -> None:
        cells = int(np.prod([line.size - 1 for line in self.lines]))
        self.shape = texture_shape(self.lines, cells, self.budget)
        self._brackets = [
            _bracket(centres(line), line[0] + (np.arange(count) + 0.5) * (line[-1] - line[0]) / count)
            for line, count in zip(self.lines, self.shape, strict=True)
        ]

    def _carried_into_solids(self, field: np.ndarray) -> np.ndarray:
        solid = np.isnan(field)
        if self._solid is None or not np.array_equal(solid, self._solid):
            spacing = [float(np.mean(np.diff(line))) for line in self.lines]
            nearest = distance_transform_edt(
                solid, sampling=spacing, return_distances=False, return_indices=True
            )
            self._solid, self._nearest = solid, tuple(np.asarray(nearest))
        return field[self._nearest] if solid.any() else field


def encode_frame(header: Mapping[str, Any], texture: bytes = b"") -> bytes:
    """Pack one frame for the browser: header length (4 bytes, >u4), gzip of JSON, gzip of the texture.

    Parameters
    ----------
    header : mapping
        JSON-serialisable.
    texture : bytes
        `Texture.pack`, or nothing.

    Returns
    -------
    bytes
    """
    text = gzip.compress(json.dumps(header, allow_nan=False, separators=(",", ":")).encode(), 1, mtime=0)
    if not texture:
        return struct.pack(">I", len(text)) + text
    # differences are runs of zeros and noise: run lengths and Huffman do better on them than matching
    packer = zlib.compressobj(1, zlib.DEFLATED, GZIP, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    return struct.pack(">I", len(text)) + text + packer.compress(texture) + packer.flush()


def decode_frame(frame: bytes) -> tuple[dict[str, Any], bytes]:
    """Take a frame apart, as the browser does; the inverse of `encode_frame`."""
    (length,) = struct.unpack_from(">I", frame)
    texture = frame[4 + length :]
    return json.loads(gzip.decompress(frame[4 : 4 + length])), gzip.decompress(texture) if texture else b""
