"""Split of the flow among channels between headers."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.coldplate.manifold import Manifold, header_loss, solve_tridiagonal, split
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


@pytest.mark.parametrize("arrangement", ["U", "Z", "central"])
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


@pytest.mark.parametrize("recovery", [0.5, 1.0])
def test_a_z_without_friction_has_flows_on_a_straight_line(recovery):
    """Closed form of K8: d(P_in - P_out) = -2 r rho V0 dV, and channels that lose b q^2 give q linear along.

    Its ends differ by r rho V0^2 / (b q^2) of the mean; more recovery means more for the last channels.
    """
    count, mean, b, rho, side = 400, 1e-3, 1.4e9, 1000.0, 25e-3
    manifold = Manifold("Z", side, side, 0.6e-3, recovery)
    q, _ = split(manifold, count * mean, count, rho, 1e-12, lambda q: b * q**2)
    V0 = count * mean / (rho * side**2)
    apart = recovery * rho * V0**2 / (b * mean**2)
    assert 0.1 < apart < 0.6  # far from even, nowhere still
    place = (np.arange(count) + 0.5) / count - 0.5
    # channels one by one against a continuum: of the order of 1 / count; smooth headers hardly resist
    np.testing.assert_allclose(q / mean, 1.0 + apart * place, atol=0.05 * apart)
    assert np.all(np.diff(q) > 0.0)


@pytest.mark.parametrize("recovery", [0.5, 1.0])
def test_friction_favours_the_first_channels_of_a_u_whatever_the_momentum(recovery):
    """Headers alike: momentum cancels in P_in - P_out of a U, and friction takes from that on and on."""
    u, _ = flows("U", recovery=recovery)
    other, _ = flows("U", recovery=0.0)
    assert np.all(np.diff(u) < 0.0) and u[0] > 1.005 * u[-1]
    np.testing.assert_allclose(u, other, rtol=1e-9)  # where the rounds end


def test_wide_headers_approach_the_ideal_and_the_drop_contains_the_headers():
    narrow, dp = flows("Z")
    wide, ideal = flows("Z", width=0.2)
    np.testing.assert_allclose(wide, 0.001, rtol=1e-4)  # velocity heads fall with the square of the width
    assert np.ptp(narrow) > np.ptp(wide)
    assert ideal == pytest.approx(float(drop(np.array(0.001))), rel=1e-3)
    assert dp > ideal


def test_headers_that_turn_a_channel_around_are_refused():
    with pytest.raises(ConvergenceError, match="Widen the headers"):
        flows("Z", width=0.1e-3)


@pytest.mark.parametrize("recovery", [0.0, 0.6, 1.0])
def test_a_z_balances_pressure_along_every_way_through(recovery):
    """P_in(i) - dp(q_i) = P_out(i), summed up channel by channel from K8; in a laminar header."""
    count, area, side, pitch, rho, mu = 12, 16e-6, 4e-3, 0.6e-3, 1000.0, 1e-2
    q, dp = flows("Z", count=count, total=0.01, mu=mu, recovery=recovery)
    laminar = 4.0 * 14.22708  # f Re of a square duct, Shah and London
    friction = laminar * mu / (2.0 * side**2 * rho * area) * pitch  # Pa s/kg over one pitch
    before, after = np.cumsum(q[::-1])[::-1], np.cumsum(q)
    inlet, outlet = np.zeros(count), np.zeros(count)
    for i in range(count):
        behind = before[i + 1] if i + 1 < count else 0.0
        coming = after[i - 1] if i > 0 else 0.0
        # momentum up to the middle of this channel, and friction of each pitch
        inlet[i] = recovery * (before[0] ** 2 - 0.5 * (before[i] ** 2 + behind**2)) / (rho * area**2)
        inlet[i] -= friction * before[1 : i + 1].sum()
        outlet[i] = recovery * (0.5 * (after[i] ** 2 + coming**2) - after[-1] ** 2) / (rho * area**2)
        outlet[i] *= -1.0
        outlet[i] += friction * after[i:-1].sum()
    np.testing.assert_allclose(drop(q), dp + inlet - outlet, rtol=1e-6)  # digits of f Re


def test_central_ports_feed_two_halves_alike():
    q, dp = flows("central")
    np.testing.assert_allclose(q, q[::-1], rtol=1e-9)  # to where it ends
    half, same = flows("U", count=20, total=0.02)
    np.testing.assert_allclose(q[20:], half, rtol=1e-8)
    assert dp == pytest.approx(same, rel=1e-8)
    assert np.all(np.diff(q[20:]) < 0.0)


def test_central_halves_that_differ_meet_one_pressure():
    def uneven(q):
        return drop(q) * np.where(np.arange(q.size) < 20, 1.5, 1.0)  # as if the left were colder

    manifold = Manifold("central", 4e-3, 4e-3, 0.6e-3)
    q, dp = split(manifold, 0.04, 40, 1000.0, 1e-3, uneven)
    assert q.sum() == pytest.approx(0.04, rel=1e-12)
    assert q[:20].sum() < q[20:].sum()
    # both channels at the ports see the ports' pressure
    assert uneven(q)[[19, 20]] == pytest.approx([dp, dp], rel=1e-8)


def test_many_channels_and_a_start_nearby_settle():
    for arrangement in ("U", "Z", "central"):
        q, _ = flows(arrangement, width=12e-3, count=2000, total=0.4)
        again, _ = split(
            Manifold(arrangement, 12e-3, 4e-3, 0.6e-3), 0.4, 2000, 1000.0, 1e-3, drop, q * (1 + 1e-6)
        )
        np.testing.assert_allclose(again, q, rtol=1e-7)


@pytest.mark.parametrize("solve", [solve_tridiagonal, solve_tridiagonal.py_func])
def test_a_tridiagonal_system_is_solved(solve):
    """-x'' = 1 with 0 at both ends: x = i (n + 1 - i) / 2, exact in differences too."""
    n = 9
    x = np.ones(n)
    assert not solve(np.full(n, -1.0), np.full(n, 2.0), np.full(n, -1.0), x)
    i = np.arange(1, n + 1)
    np.testing.assert_allclose(x, i * (n + 1 - i) / 2.0, rtol=1e-12)  # rounding
    assert solve(np.zeros(2), np.zeros(2), np.zeros(2), np.ones(2))


@pytest.mark.parametrize("loss", [header_loss, header_loss.py_func])
def test_the_loss_of_a_laminar_header_is_poiseuilles(loss):
    """f = 64 / Re in a round pipe: dp = 128 mu L m / (pi rho D^4), a straight line."""
    mu, rho, D, pitch = 1e-2, 900.0, 4e-3, 0.6e-3
    area = np.pi * D**2 / 4.0
    flow = np.array([0.0, 1e-4, 2e-3])
    out, slope = np.empty(3), np.empty(3)
    scale = pitch * mu / (2.0 * rho * D**2 * area)
    loss(flow, D / (area * mu), 64.0, scale, out, slope)
    line = 128.0 * mu * pitch / (np.pi * rho * D**4)
    np.testing.assert_allclose(out[1:], line * flow[1:], rtol=1e-12)  # rounding
    assert out[0] < 1e-6 * out[1]  # nothing without flow, but for the least Reynolds number
    np.testing.assert_allclose(slope, line, rtol=1e-9)  # difference over 1e-3: rounding grows by 1e3
