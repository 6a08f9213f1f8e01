"""Split of the flow among channels between headers."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.coldplate.manifold import Manifold, split
from solvers.errors import ConvergenceError


def drop(q):
    return 2e7 * q + 1e10 * q**2


def flows(arrangement, width=4e-3, count=40, recovery=1.0, total=0.04, mu=1e-3):
    manifold = Manifold(arrangement, width, 4e-3, 0.6e-3, recovery)
    return split(manifold, total, count, 1000.0, mu, drop)


def test_ideal_headers_give_all_channels_the_same():
    q, dp = flows("ideal")
    np.testing.assert_array_equal(q, 0.001)
    assert dp == pytest.approx(float(drop(np.array(0.001))))


@pytest.mark.parametrize("arrangement", ["U", "Z"])
def test_the_flow_is_kept(arrangement):
    q, _ = flows(arrangement)
    assert q.sum() == pytest.approx(0.04, rel=1e-9)  # the rounds end at 1e-9
    assert np.all(q > 0.0)


def test_momentum_favours_far_channels_of_a_z_and_friction_near_ones_of_a_u():
    z, _ = flows("Z", mu=1e-7)  # hardly any friction
    assert np.all(np.diff(z) > 0.0)
    u, _ = flows("U")
    assert np.all(np.diff(u) < 0.0)
    without, _ = flows("U", mu=1e-12, recovery=0.5)
    np.testing.assert_allclose(
        without, 0.001, rtol=2e-3
    )  # momentum alone cancels in a U; friction is rough-free


def test_a_z_without_momentum_is_symmetric():
    q, _ = flows("Z", recovery=0.0)
    np.testing.assert_allclose(q, q[::-1], rtol=1e-7)  # the rounds end at 1e-9
    assert q[0] > q[20]


def test_wide_headers_approach_the_ideal_and_the_drop_contains_the_headers():
    narrow, dp = flows("Z")
    wide, ideal = flows("Z", width=0.2)
    np.testing.assert_allclose(wide, 0.001, rtol=1e-4)  # velocity heads fall with the square of the width
    assert np.ptp(narrow) > np.ptp(wide)
    assert ideal == pytest.approx(float(drop(np.array(0.001))), rel=1e-3)
    assert dp > ideal


def test_headers_that_turn_a_channel_around_are_refused():
    with pytest.raises(ConvergenceError, match="Widen the headers"):
        flows("Z", width=0.3e-3)
