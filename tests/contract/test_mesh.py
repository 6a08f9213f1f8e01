"""The mesh with real Zenoh sessions over mutual TLS: what arrives, who is refused, who is missed."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import timedelta

import pytest
import zenoh

from hardware_sync.codec import TelemetryMessage, decode_result, encode_command, encode_telemetry
from hardware_sync.mesh.identity import Identity, ensure_identities, renew_identities
from hardware_sync.mesh.session import Peer, open_session, session_config
from hardware_sync.mesh.telemetry import MeshTelemetry
from hardware_sync.mesh.topics import Role, Topics
from hardware_sync.mesh.twin_side import TwinMesh
from twin.errors import InputError, OutsideError
from twin.ports import Quality, Reading


def without_access_control(peer: Peer) -> zenoh.Session:
    """Open a session as somebody would who changed his own configuration."""
    config = session_config(peer)
    config.insert_json5("access_control", json.dumps({"enabled": False}))
    return zenoh.open(config)


def messages_from(twin: TwinMesh, name: str) -> int:
    """Count the messages that came from an agent."""
    link = twin.telemetry.links().get(name)
    return link.received if link else 0


def test_telemetry_of_all_agents_arrives_and_nothing_is_lost(lab, eventually):
    lab.start_devices()
    for name in lab.agents:
        lab.start_agent(name)
    twin = lab.join_twin()
    eventually(lambda: twin.telemetry.alive() == set(lab.agents))
    seen: dict[str, Reading] = {}

    def all_there() -> bool:
        seen.update((reading.point, reading) for reading in twin.telemetry.drain())
        links = twin.telemetry.links()
        return len(links) == 4 and all(link.received >= 5 for link in links.values())

    eventually(all_there)
    assert {link.lost for link in twin.telemetry.links().values()} == {0}
    for index, name in enumerate(lab.agents):
        reading = seen[f"R{name[1:]}.power"]
        assert reading.value == 5000.0 + index
        assert reading.quality is Quality.GOOD
        assert abs(reading.time - time.time()) < 30


def test_lost_messages_are_said_once_a_minute(lab, eventually, caplog):
    twin, clock = lab.join(lab.twin_peer()), [0.0]
    telemetry = MeshTelemetry(twin, lab.topics, clock=lambda: clock[0])
    peer = Peer(
        lab.identities["K01"], Role.AGENT, "test", lab.listen["K01"], (lab.listen["twin"], *lab.seeds)
    )
    agent = lab.join(peer)
    publisher = agent.declare_publisher(lab.topics.telemetry("K01"))
    eventually(lambda: publisher.matching_status.matching)

    def send(sequence: int) -> None:
        publisher.put(encode_telemetry(TelemetryMessage("K01", 1, sequence, time.time(), ())))

        def arrived() -> bool:
            link = telemetry.links().get("K01")
            return link is not None and link.sequence == sequence

        eventually(arrived)

    def said() -> list[str]:
        return [record.getMessage() for record in caplog.records if "were lost" in record.getMessage()]

    for sequence in (0, 1, 4, 5, 7, 9):
        send(sequence)
    assert said() == ["telemetry messages were lost: K01 2"]
    clock[0] = 61.0
    send(10)
    assert said()[1:] == ["telemetry messages were lost: K01 2"]
    clock[0] = 200.0
    send(11)
    assert len(said()) == 2
    assert telemetry.links()["K01"].lost == 4
    telemetry.close()


def test_a_command_reaches_the_device_and_only_once(lab, eventually, command):
    devices = lab.start_devices()
    lab.start_agent("K01")
    twin = lab.join_twin()
    eventually(lambda: "K01" in twin.telemetry.alive())
    first = command("K01.fan_speed", 0.8)
    (result,) = twin.actuator.write([first])
    assert result.accepted, result.message
    assert devices.written["K01.fan_speed"] == pytest.approx(0.8, abs=1e-6)
    devices.written.clear()
    (again,) = twin.actuator.write([first])
    assert again.accepted
    assert devices.written == {}

    def shown() -> bool:
        readings = twin.telemetry.drain()
        return any(r.point == "K01.fan_speed" and abs(r.value - 0.8) < 1e-6 for r in readings)

    eventually(shown)


def test_the_agent_refuses_what_its_own_limits_forbid(lab, eventually, command):
    devices = lab.start_devices()
    lab.start_agent("K01")
    twin = lab.join_twin()
    eventually(lambda: "K01" in twin.telemetry.alive())
    results = twin.actuator.write(
        [
            command("K01.fan_speed", 1.4),
            command("K01.state", 1.0),
            command("K01.fan_speed", 0.7, lifetime=-1.0),
            command("K01.fan_speed", 0.7, issued=time.time() + 60),
        ]
    )
    assert [result.accepted for result in results] == [False] * 4
    assert "outside 0.2 to 1" in results[0].message
    assert "no agent owns it" in results[1].message
    assert "expired" in results[2].message
    assert "future" in results[3].message
    assert devices.written == {}


def test_garbage_on_the_command_key_is_survived(lab, eventually, command):
    lab.start_devices()
    lab.start_agent("K01")
    twin = lab.join_twin()
    eventually(lambda: "K01" in twin.telemetry.alive())
    for payload in (b"", b"\xff\x00", b"[]", b'{"id": 1}', b'{"id":"x","point":"K01.fan_speed","value":NaN}'):
        replies = twin._session.get(lab.topics.command("K01"), payload=payload, timeout=1.0)
        assert not [reply for reply in replies if reply.ok]
    (result,) = twin.actuator.write([command("K01.fan_speed", 0.7)])
    assert result.accepted


def test_a_command_to_an_agent_that_is_gone_says_so(lab, command):
    twin = lab.join_twin()
    started = time.monotonic()
    (result,) = twin.actuator.write([command("K01.fan_speed", 0.7, lifetime=1.0)])
    assert not result.accepted
    assert "K01.fan_speed" in result.message
    assert time.monotonic() - started < 3.0


def test_a_plain_stranger_is_refused(lab):
    lab.join_twin()
    config = zenoh.Config()
    for key, value in {
        "mode": "peer",
        "listen/endpoints": [],
        "connect/endpoints": [f"tcp/{lab.listen['twin']}"],
        "connect/timeout_ms": 500,
        "connect/exit_on_failure": True,
        "scouting/multicast/enabled": False,
    }.items():
        config.insert_json5(key, json.dumps(value))
    with pytest.raises(zenoh.ZError):
        zenoh.open(config)


def test_a_stranger_without_a_certificate_is_refused(lab):
    twin = lab.join(lab.twin_peer())
    peer = Peer(
        lab.identities["stranger"],
        Role.TWIN,
        "test",
        lab.listen["stranger"],
        (lab.listen["twin"], "a:1", "b:1"),
    )
    config = session_config(peer)
    config.insert_json5("connect/endpoints", json.dumps([f"tls/{lab.listen['twin']}"]))
    config.insert_json5("connect/timeout_ms", "700")
    config.insert_json5("connect/exit_on_failure", "true")
    config.insert_json5("listen/endpoints", "[]")
    authority = str(lab.identities.authority)
    config.insert_json5(
        "transport/link/tls", json.dumps({"root_ca_certificate": authority, "enable_mtls": False})
    )
    with pytest.raises(zenoh.ZError):
        zenoh.open(config)
    assert not twin.info.peers_zid()


def test_a_certificate_of_another_authority_is_refused(lab, tmp_path_factory):
    twin = lab.join_twin()
    foreign = ensure_identities(tmp_path_factory.mktemp("foreign"), ["K01"])["K01"]
    thief = Identity("K01", foreign.certificate, foreign.key, lab.identities.authority)
    seeds = (lab.listen["twin"], *lab.seeds[1:])
    session = lab.join_with(
        lambda: without_access_control(Peer(thief, Role.AGENT, "test", lab.listen["K01"], seeds))
    )
    session.liveliness().declare_token(lab.topics.alive("K01"))
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        session.put(lab.topics.telemetry("K01"), b"x")
        time.sleep(0.1)
    assert not session.info.peers_zid()
    assert not twin._session.info.peers_zid()
    assert not twin.telemetry.alive()
    assert not twin.telemetry.links()


def test_an_own_certificate_with_another_name_can_neither_listen_nor_command(lab, eventually, command):
    devices = lab.start_devices()
    for name in lab.agents[:3]:
        lab.start_agent(name)
    twin = lab.join_twin()
    stranger = lab.join_with(
        lambda: without_access_control(
            Peer(lab.identities["stranger"], Role.TWIN, "test", lab.listen["stranger"], lab.seeds)
        )
    )
    heard: list[str] = []
    keep = [
        stranger.declare_subscriber(
            lab.topics.telemetry(), lambda sample: heard.append(str(sample.key_expr))
        ),
        stranger.declare_subscriber("racklet/**", lambda sample: heard.append(str(sample.key_expr))),
        stranger.liveliness().declare_subscriber(
            "racklet/**", lambda sample: heard.append("token"), history=True
        ),
    ]
    eventually(lambda: len(stranger.info.peers_zid()) == 4)
    eventually(lambda: twin.telemetry.alive() == set(lab.agents[:3]))
    payload = encode_command(command("K01.fan_speed", 0.9))
    replies = list(stranger.get(lab.topics.command("K01"), payload=payload, timeout=1.0))
    assert not [reply for reply in replies if reply.ok]
    forged = TelemetryMessage("K01", 1, 1, time.time(), (Reading("R01.power", 1.0, time.time()),))
    away = {"allowed_destination": zenoh.Locality.REMOTE}
    stranger.put(lab.topics.telemetry("K01"), encode_telemetry(forged), **away)
    stranger.put(lab.topics.heartbeat, b'{"mode":"auto","time":1}', **away)
    received = messages_from(twin, "K01")
    eventually(lambda: messages_from(twin, "K01") > received + 5)
    assert all(reading.value != 1.0 for reading in twin.telemetry.drain() if reading.point == "R01.power")
    assert heard == []
    assert devices.written == {}
    assert len(keep) == 3


def test_an_agent_can_neither_read_command_nor_speak_for_another(lab, eventually, command):
    devices = lab.start_devices()
    for name in lab.agents[:3]:
        lab.start_agent(name)
    twin = lab.join_twin()
    traitor = lab.join_with(
        lambda: without_access_control(
            Peer(lab.identities["K04"], Role.AGENT, "test", lab.listen["K04"], lab.seeds)
        )
    )
    heard: list[str] = []
    keep = traitor.declare_subscriber(
        lab.topics.telemetry(), lambda sample: heard.append(str(sample.key_expr))
    )
    eventually(lambda: len(traitor.info.peers_zid()) == 4)
    payload = encode_command(command("K01.fan_speed", 0.9))
    assert not [r for r in traitor.get(lab.topics.command("K01"), payload=payload, timeout=1.0) if r.ok]
    now = time.time()
    for name in ("K01", "K04"):
        reading = Reading(f"R{name[1:]}.power", 1.0, now)
        forged = encode_telemetry(TelemetryMessage(name, 1, 0, now, (reading,)))
        traitor.put(lab.topics.telemetry(name), forged, allowed_destination=zenoh.Locality.REMOTE)
    arrived: list[Reading] = []

    def own_arrived() -> bool:
        arrived.extend(twin.telemetry.drain())
        return any(reading.point == "R04.power" for reading in arrived)

    eventually(own_arrived)
    assert all(reading.value != 1.0 for reading in arrived if reading.point == "R01.power")
    assert heard == []
    assert devices.written == {}
    keep.undeclare()


def test_the_operator_reads_but_cannot_command(lab, eventually, command):
    devices = lab.start_devices()
    lab.start_agent("K01")
    peer = Peer(
        lab.identities["operator"], Role.OPERATOR, "test", lab.listen["operator"], lab.seeds, lab.agents
    )
    operator = lab.join_with(lambda: without_access_control(peer))
    heard: list[str] = []
    keep = operator.declare_subscriber(
        lab.topics.telemetry(), lambda sample: heard.append(str(sample.key_expr))
    )
    eventually(lambda: heard)
    payload = encode_command(command("K01.fan_speed", 0.9))
    assert not [r for r in operator.get(lab.topics.command("K01"), payload=payload, timeout=1.0) if r.ok]
    assert devices.written == {}
    keep.undeclare()


def test_a_killed_agent_is_missed_at_once_and_welcomed_back(lab, eventually):
    lab.start_devices()
    for name in lab.agents[1:]:
        lab.start_agent(name)
    process = lab.spawn_agent("K01")
    twin = lab.join_twin()
    eventually(lambda: twin.telemetry.alive() == set(lab.agents))
    process.kill()
    process.wait()
    eventually(lambda: "K01" not in twin.telemetry.alive(), timeout=1.0)
    assert twin.telemetry.alive() == set(lab.agents[1:])
    lab.spawn_agent("K01")
    eventually(lambda: "K01" in twin.telemetry.alive(), timeout=5.0)
    received = messages_from(twin, "K01")
    eventually(lambda: messages_from(twin, "K01") > received)
    assert twin.telemetry.links()["K01"].lost == 0


def test_a_hung_agent_is_missed_and_comes_back_when_it_resumes(lab, eventually):
    lab.start_devices()
    lab.start_agent("K02")
    process = lab.spawn_agent("K01")
    twin = lab.join_twin()
    eventually(lambda: twin.telemetry.alive() == {"K01", "K02"})
    os.kill(process.pid, signal.SIGSTOP)
    eventually(lambda: twin.telemetry.alive() == {"K02"}, timeout=4.0)
    os.kill(process.pid, signal.SIGCONT)
    eventually(lambda: twin.telemetry.alive() == {"K01", "K02"}, timeout=5.0)
    received = messages_from(twin, "K01")
    eventually(lambda: messages_from(twin, "K01") > received)


def test_a_restarted_twin_has_the_picture_again(lab, eventually):
    lab.start_devices()
    for name in lab.agents:
        lab.start_agent(name)
    first = lab.join_twin()
    eventually(lambda: first.telemetry.alive() == set(lab.agents))
    first.close()
    second = lab.join_twin()
    eventually(lambda: second.telemetry.alive() == set(lab.agents), timeout=5.0)
    eventually(lambda: len(second.telemetry.links()) == 4, timeout=5.0)


def test_sigterm_ends_an_agent_in_less_than_a_second(lab, eventually):
    lab.start_devices()
    process = lab.spawn_agent("K01")
    twin = lab.join_twin()
    eventually(lambda: "K01" in twin.telemetry.alive())
    started = time.monotonic()
    process.terminate()
    assert process.wait(5) == 0
    assert time.monotonic() - started < 1.0
    eventually(lambda: not twin.telemetry.alive(), timeout=1.0)


def test_an_expired_certificate_is_named_with_its_dates(lab, tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    identity = ensure_identities(folder, ["K01"], lifetime=timedelta(seconds=-1))["K01"]
    peer = Peer(identity, Role.AGENT, "test", lab.listen["K01"], lab.seeds)
    with pytest.raises(OutsideError, match=r"K01\.crt\): has expired: valid .* UTC, now .*racklet run"):
        open_session(peer)


def test_an_agent_whose_certificate_ends_leaves_and_says_why(lab, eventually, capfd):
    lab.start_devices()
    lab.start_agent("K02")
    for file in (lab.identities["K01"].certificate, lab.identities["K01"].key):
        file.unlink()
    ensure_identities(lab.folder, ["K01"], lifetime=timedelta(seconds=3))
    process = lab.spawn_agent("K01")
    twin = lab.join_twin()
    eventually(lambda: twin.telemetry.alive() == {"K01", "K02"})
    assert process.wait(10) == 5
    eventually(lambda: twin.telemetry.alive() == {"K02"})
    said = capfd.readouterr().err
    assert "K01.crt): has expired" in said
    assert "Traceback" not in said


def test_an_agent_ends_with_its_certificate_and_comes_back_with_the_renewed_one(lab, eventually, capfd):
    lab.start_devices()
    for file in (lab.identities["K01"].certificate, lab.identities["K01"].key):
        file.unlink()
    ensure_identities(lab.folder, ["K01"], lifetime=timedelta(seconds=4))
    process = lab.spawn_agent("K01")
    twin = lab.join_twin()
    eventually(lambda: twin.telemetry.alive() == {"K01"})
    assert renew_identities(lab.folder) == {"K01"}
    assert process.wait(10) == 0
    assert "certificate was renewed" in capfd.readouterr().err
    lab.spawn_agent("K01")
    eventually(lambda: messages_from(twin, "K01") and twin.telemetry.alive() == {"K01"})


def test_a_taken_port_is_named(lab):
    lab.join_twin()
    peer = Peer(lab.identities["K01"], Role.AGENT, "test", lab.listen["twin"], lab.seeds)
    with pytest.raises(OutsideError, match=lab.listen["twin"]):
        open_session(peer)


def test_fewer_than_three_seeds_are_refused(lab):
    peer = Peer(lab.identities["K01"], Role.AGENT, "test", lab.listen["K01"], lab.seeds[:2])
    with pytest.raises(InputError, match="at least 3"):
        open_session(peer)


def test_results_name_the_command_they_belong_to(lab, eventually, command):
    lab.start_devices()
    lab.start_agent("K01")
    twin = lab.join_twin()
    eventually(lambda: "K01" in twin.telemetry.alive())
    asked = command("K01.pump_speed", 0.9)
    replies = twin._session.get(lab.topics.command("K01"), payload=encode_command(asked), timeout=2.0)
    (reply,) = [reply.ok for reply in replies if reply.ok]
    assert decode_result(reply.payload.to_bytes()).id == asked.id
    assert Topics("test").command("K01") == str(reply.key_expr)
