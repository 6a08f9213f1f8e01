from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from hardware_sync.mesh.identity import (
    check_identity,
    ensure_identities,
    local_addresses,
    renew_identities,
)
from twin.errors import OutsideError


def certificate(path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_identities_are_private_named_and_signed_by_their_own_authority(tmp_path):
    identities = ensure_identities(tmp_path / "state", ["K01", "twin"])
    assert identities.folder.stat().st_mode & 0o777 == 0o700
    authority = certificate(identities.authority)
    for name in ("K01", "twin"):
        identity = identities[name]
        assert identity.key.stat().st_mode & 0o777 == 0o600
        issued = certificate(identity.certificate)
        issued.verify_directly_issued_by(authority)
        assert issued.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == name
        names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
        assert addresses == {str(ipaddress.ip_address(address)) for address in local_addresses()}
        assert "127.0.0.1" in addresses
    assert (identities.folder / "authority.key").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in identities.folder.iterdir()} == {
        f"{stem}.{kind}" for stem in ("authority", "K01", "twin") for kind in ("crt", "key")
    }


def test_identities_are_reused_and_new_names_join(tmp_path):
    first = ensure_identities(tmp_path, ["K01"])
    before = first["K01"].certificate.read_bytes()
    second = ensure_identities(tmp_path, ["K01", "K02"])
    assert second["K01"].certificate.read_bytes() == before
    assert check_identity(second["K02"]) > datetime.now(UTC)


@pytest.mark.parametrize("lifetime", [timedelta(seconds=-1), timedelta(seconds=30)])
def test_what_expired_or_is_about_to_is_renewed(tmp_path, lifetime):
    first = ensure_identities(tmp_path, ["K01"], lifetime=lifetime)
    before = first["K01"].certificate.read_bytes()
    second = ensure_identities(tmp_path, ["K01"])
    assert second["K01"].certificate.read_bytes() != before
    left = check_identity(second["K01"]) - datetime.now(UTC)
    assert left > timedelta(days=29)


def test_what_ends_soon_is_renewed_while_peers_run_and_named(tmp_path):
    identities = ensure_identities(tmp_path, ["K02", "twin"])
    identities = ensure_identities(tmp_path, ["K01"], lifetime=timedelta(minutes=2))
    before = {path.name: path.read_bytes() for path in identities.folder.iterdir()}
    assert renew_identities(tmp_path) == {"K01"}
    after = {path.name: path.read_bytes() for path in identities.folder.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"K01.crt", "K01.key"}
    assert check_identity(identities["K01"]) > datetime.now(UTC) + timedelta(days=29)
    certificate(identities["K01"].certificate).verify_directly_issued_by(certificate(identities.authority))
    assert renew_identities(tmp_path) == frozenset()


def test_what_still_has_a_third_of_its_life_stays(tmp_path):
    ensure_identities(tmp_path, ["K01"], lifetime=timedelta(minutes=3))
    assert renew_identities(tmp_path) == frozenset()


def test_a_renewal_that_was_cut_off_is_done_again(tmp_path):
    identities = ensure_identities(tmp_path, ["K01", "K02", "K03"])
    identities["K01"].key.write_bytes(identities["K02"].key.read_bytes())
    identities["K03"].key.unlink()
    assert renew_identities(tmp_path) == {"K01", "K03"}
    check_identity(identities["K03"])


def test_one_broken_certificate_does_not_keep_the_others_from_renewal(tmp_path, caplog):
    identities = ensure_identities(tmp_path, ["K01", "K02"], lifetime=timedelta(seconds=-1))
    identities["K01"].certificate.write_text("hello")
    assert renew_identities(tmp_path) == {"K02"}
    assert "K01.crt): not a PEM certificate" in caplog.text


def test_without_the_authoritys_key_nothing_is_renewed_or_made(tmp_path):
    assert renew_identities(tmp_path) == frozenset()
    assert not (tmp_path / "identities").exists()
    identities = ensure_identities(tmp_path, ["K01"], lifetime=timedelta(seconds=-1))
    (identities.folder / "authority.key").unlink()
    before = identities["K01"].certificate.read_bytes()
    assert renew_identities(tmp_path) == frozenset()
    assert identities["K01"].certificate.read_bytes() == before


def test_a_new_address_is_added(tmp_path):
    before = ensure_identities(tmp_path, ["K01"])["K01"].certificate.read_bytes()
    again = ensure_identities(tmp_path, ["K01"], addresses=["192.0.2.77"])["K01"]
    assert again.certificate.read_bytes() != before
    names = certificate(again.certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert ipaddress.ip_address("192.0.2.77") in names.value.get_values_for_type(x509.IPAddress)


def test_a_swapped_certificate_is_replaced(tmp_path):
    ours = ensure_identities(tmp_path / "a", ["K01", "K02"])
    theirs = ensure_identities(tmp_path / "b", ["K01"])
    for forged in (theirs["K01"].certificate, ours["K02"].certificate):
        ours["K01"].certificate.write_bytes(forged.read_bytes())
        mended = ensure_identities(tmp_path / "a", ["K01", "K02"])["K01"]
        issued = certificate(mended.certificate)
        issued.verify_directly_issued_by(certificate(ours.authority))
        assert issued.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "K01"


def test_an_expired_certificate_is_refused_with_file_dates_and_remedy(tmp_path):
    identity = ensure_identities(tmp_path, ["K01"], lifetime=timedelta(seconds=-1))["K01"]
    with pytest.raises(OutsideError) as caught:
        check_identity(identity)
    text = str(caught.value)
    assert str(identity.certificate) in text
    assert f"{datetime.now(UTC):%Y-%m-%d}" in text
    assert "has expired" in text
    assert "racklet run" in text


def test_a_certificate_of_the_future_is_refused(tmp_path):
    identity = ensure_identities(tmp_path, ["K01"])["K01"]
    with pytest.raises(OutsideError, match="not valid yet"):
        check_identity(identity, datetime.now(UTC) - timedelta(days=1))


def test_an_expired_authority_is_refused_everywhere(tmp_path):
    identity = ensure_identities(tmp_path, ["K01"])["K01"]
    with pytest.raises(OutsideError, match=r"authority\.crt\): has expired.*delete the folder"):
        check_identity(identity, datetime.now(UTC) + timedelta(days=4000))


def test_a_key_that_others_can_read_is_refused(tmp_path):
    identity = ensure_identities(tmp_path, ["K01"])["K01"]
    identity.key.chmod(0o644)
    with pytest.raises(OutsideError, match=r"K01\.key\): mode 0644"):
        check_identity(identity)


def test_a_missing_or_broken_file_is_named(tmp_path):
    identity = ensure_identities(tmp_path, ["K01"])["K01"]
    identity.certificate.write_text("hello")
    with pytest.raises(OutsideError, match=r"K01\.crt\): not a PEM certificate"):
        check_identity(identity)
    identity.certificate.unlink()
    with pytest.raises(OutsideError, match=r"K01\.crt"):
        check_identity(identity)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutsideError, match="must be writable"):
        ensure_identities(blocked, ["K01"])


@pytest.mark.parametrize("name", ["", "../K01", "a b", "authority", "-x"])
def test_a_name_that_is_none_is_refused(tmp_path, name):
    with pytest.raises(OutsideError, match="not a name"):
        ensure_identities(tmp_path, [name])
    assert not (tmp_path / "identities").exists()
