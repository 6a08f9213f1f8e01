from __future__ import annotations

import numpy as np
import pytest

from solvers.errors import GridMismatchError
from solvers.grid import make_grid


def test_sizes():
    grid = make_grid([0, 1, 3], [0, 2], [0, 1, 2, 4])
    assert grid.shape == (2, 1, 3)
    assert grid.cells == 6
    assert grid.volumes.sum() == pytest.approx(3 * 2 * 4)
    assert grid.centres[2] == pytest.approx([0.5, 1.5, 3.0])


@pytest.mark.parametrize(
    ("line", "says"),
    [([0], "at least two"), ([0, 1, 1], "must increase"), ([0, np.nan], "finite"), ([[0, 1]], "shape")],
)
def test_bad_lines(line, says):
    with pytest.raises(GridMismatchError, match=says):
        make_grid(line, [0, 1], [0, 1])


def test_lines_cannot_be_changed():
    grid = make_grid([0, 1], [0, 1], [0, 1])
    with pytest.raises(ValueError, match="read-only"):
        grid.x[0] = 5
