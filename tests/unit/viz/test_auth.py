"""Origin and Host."""

import pytest

from viz.auth import Gate, is_loopback

GATE = Gate(("twin.example",))


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8050", "localhost:8050", "[::1]:8050", "10.0.0.7", "twin.example:443"]
)
def test_our_hosts_are_known(host: str) -> None:
    assert GATE.knows_host(host)


@pytest.mark.parametrize("host", [None, "", "evil.example:8050", "twin.example.evil"])
def test_other_hosts_are_not(host: str | None) -> None:
    assert not GATE.knows_host(host)


def test_a_request_without_origin_passes_and_a_foreign_one_does_not() -> None:
    assert GATE.admits({"host": "127.0.0.1:8050"})
    assert GATE.admits({"host": "127.0.0.1:8050", "origin": "http://127.0.0.1:8050"})
    assert not GATE.admits({"host": "127.0.0.1:8050", "origin": "http://evil.example"})
    assert not GATE.admits({"host": "127.0.0.1:8050", "origin": "http://127.0.0.1:9999"})
    assert not GATE.admits({"host": "127.0.0.1:8050", "origin": "null"})
    assert not GATE.admits({"host": "evil.example", "origin": "http://evil.example"})  # a rebound name


def test_a_read_without_origin_is_judged_by_the_site_that_makes_it() -> None:
    here = {"host": "127.0.0.1:8050"}
    assert GATE.admits(here | {"sec-fetch-site": "same-origin"})
    assert GATE.admits(here | {"sec-fetch-site": "none"})
    assert not GATE.admits(here | {"sec-fetch-site": "cross-site"})
    assert not GATE.admits(here | {"sec-fetch-site": "same-site"})  # another port of this machine
    ours = here | {"origin": "http://127.0.0.1:8050"}
    assert GATE.admits(ours | {"sec-fetch-site": "cross-site"})  # the Origin says more


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_may_decide(address: str) -> None:
    assert is_loopback(address)
    assert GATE.may_decide(address)


@pytest.mark.parametrize(
    "address", [None, "", "10.0.0.7", "fe80::1", "::ffff:10.0.0.7", "localhost", "127.0.0.1:80"]
)
def test_nobody_else_may_unless_allowed(address: str | None) -> None:
    assert not GATE.may_decide(address)
    assert Gate(allow_remote_approval=True).may_decide(address)
