"""Who may join the mesh: an own certificate authority and one certificate per peer, by common name.

The state folder holds ``identities/`` (0700): ``authority.crt``, ``authority.key``, and ``<name>.crt``,
``<name>.key`` per peer (keys 0600). Every file is written beside its place and renamed, so a kill leaves the
old or the new one. The mesh knows no revocation list: a certificate is short-lived instead, renewed when a
third of its life is left (`ensure_identities` before the start, `renew_identities` while peers run), and its
links end with it. A running peer takes up a renewed certificate when it is started again.

A machine that holds the authority's key renews what expired; a peer that has only its own certificate refuses
to start with an expired one and says so.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from twin.errors import OutsideError
from twin.files import write_atomically

log = logging.getLogger(__name__)

LIFETIME = timedelta(days=30)
AUTHORITY_LIFETIME = timedelta(days=3650)
CLOCK_SKEW = timedelta(minutes=5)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_AUTHORITY = "authority"


@dataclass(frozen=True, slots=True)
class Identity:
    """The files one peer needs to join.

    Attributes
    ----------
    name : str               Common name in the certificate.
    certificate, key : Path  PEM; the key is readable by its owner alone.
    authority : Path         PEM certificate of the authority that peers must be signed by.
    """

    name: str
    certificate: Path
    key: Path
    authority: Path


@dataclass(frozen=True, slots=True)
class Identities:
    """All identities of one state folder, by common name."""

    folder: Path
    authority: Path
    peers: Mapping[str, Identity]

    def __getitem__(self, name: str) -> Identity:
        """Return the identity of one peer."""
        return self.peers[name]


def ensure_identities(
    state: Path,
    names: Iterable[str],
    *,
    lifetime: timedelta = LIFETIME,
    addresses: Iterable[str] = (),
) -> Identities:
    """Make sure that every named peer has a valid certificate; create, reuse or renew.

    Parameters
    ----------
    state : Path
        State folder; ``identities/`` in it is created with mode 0700.
    names : iterable of str
        Common names: ``K01``, ``gateway``, ``twin``, ``operator``.
    lifetime : timedelta
        Validity of a new peer certificate; renewed when less than a third is left.
    addresses : iterable of str
        Addresses beside 127.0.0.1 and this machine's own that peers listen on; mesh locators are addresses,
        so they must stand in the certificate.

    Raises
    ------
    OutsideError : the folder cannot be written, or the authority expired or cannot be read.
    """
    folder = state / "identities"
    names = tuple(dict.fromkeys(names))
    for name in names:
        if not _NAME.fullmatch(name) or name == _AUTHORITY:
            raise OutsideError(
                f"identity {name!r}: not a name for a peer. Use letters, digits, '_', '-', '.'."
            )
    with _writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        authority, authority_key = _ensure_authority(folder)
        hosts = _hosts(addresses)
        for name in names:
            _ensure_peer(folder, name, authority, authority_key, hosts, lifetime)
    authority_path = folder / f"{_AUTHORITY}.crt"
    peers = {
        name: Identity(name, folder / f"{name}.crt", folder / f"{name}.key", authority_path) for name in names
    }
    return Identities(folder, authority_path, peers)


def renew_identities(
    state: Path, *, lifetime: timedelta = LIFETIME, addresses: Iterable[str] = ()
) -> frozenset[str]:
    """Renew every certificate of the state folder that has less than a third of its life left.

    To be called about every hour while peers run. A running peer goes on with what it read at its start:
    restart those that are named, one by one. A certificate that misses its key, or does not belong to it or
    to the authority, is renewed too; one that cannot be read is logged and left, the others are renewed.

    Parameters
    ----------
    state : Path
        State folder. Where it has no authority's key nothing can be renewed, and nothing is made.
    lifetime : timedelta
        Validity of a new certificate.
    addresses : iterable of str
        As for `ensure_identities`; a new address alone renews nothing here.

    Returns
    -------
    frozenset of str    Common names whose certificate and key are new: ``K01``, ``gateway``, ``twin``, ...

    Raises
    ------
    OutsideError : the folder cannot be read or written, or the authority expired or cannot be read.
    """
    folder = state / "identities"
    renewed: list[str] = []
    with _writing(folder):
        if not (folder / f"{_AUTHORITY}.key").exists():
            return frozenset()
        authority, authority_key = _ensure_authority(folder)
        hosts = _hosts(addresses)
        for name in sorted({path.stem for path in folder.glob("*.crt")} - {_AUTHORITY}):
            certificate_path, key_path = folder / f"{name}.crt", folder / f"{name}.key"
            try:
                reason = _flaw(certificate_path, key_path, name, authority)
            except OutsideError as error:
                log.warning("cannot renew %s: %s", name, error)
                continue
            if reason:
                log.info("renew the certificate of %s: %s", name, reason)
                _issue(certificate_path, key_path, name, authority, authority_key, hosts, lifetime)
                renewed.append(name)
    return frozenset(renewed)


def check_identity(identity: Identity, now: datetime | None = None) -> datetime:
    """Check that an identity can be used now, and return when it ends.

    Raises
    ------
    OutsideError : a file is missing or unreadable, a key is open to others, or a certificate is not valid
        now; the message names the file, the dates and the remedy.
    """
    now = now or datetime.now(UTC)
    end = datetime.max.replace(tzinfo=UTC)
    for path in (identity.authority, identity.certificate):
        certificate = _read_certificate(path)
        _check_dates(path, certificate, now)
        end = min(end, certificate.not_valid_after_utc)
    try:
        mode = identity.key.stat().st_mode & 0o777
    except OSError as error:
        raise OutsideError(
            f"identity key ({identity.key}): {error.strerror}. Start 'racklet run' to create it."
        ) from error
    if mode & 0o077:
        raise OutsideError(
            f"identity key ({identity.key}): mode {mode:04o} lets others read it; 0600 is asked. "
            "chmod 600 it, or delete it and its certificate to have a new one made."
        )
    return end


def local_addresses() -> tuple[str, ...]:
    """Return this machine's own addresses, loopback first, without a network call."""
    found = ["127.0.0.1", "::1"]
    for entries in psutil.net_if_addrs().values():
        for entry in entries:
            if entry.family in (socket.AF_INET, socket.AF_INET6):
                found.append(entry.address.split("%")[0])
    return tuple(dict.fromkeys(found))


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Say what to do when the folder of the identities cannot be read or written."""
    try:
        yield
    except OSError as error:
        raise OutsideError(
            f"identities ({folder}): {error.strerror or error}. The state folder must be writable by this "
            "user; choose another one or mend its permissions."
        ) from error


def _hosts(addresses: Iterable[str]) -> frozenset[str]:
    return frozenset(str(ipaddress.ip_address(address)) for address in (*local_addresses(), *addresses))


def _ensure_authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate_path, key_path = folder / f"{_AUTHORITY}.crt", folder / f"{_AUTHORITY}.key"
    if not (certificate_path.exists() and key_path.exists()):
        _create_authority(certificate_path, key_path)
        log.info("created a certificate authority in %s", folder)
    certificate = _read_certificate(certificate_path)
    _check_dates(certificate_path, certificate, datetime.now(UTC))
    key = _read_key(key_path)
    if key.public_key() != certificate.public_key():
        raise OutsideError(
            f"authority ({key_path}): the key does not belong to {certificate_path.name}. Delete the folder "
            f"{folder} to make new identities for everyone."
        )
    return certificate, key


def _create_authority(certificate_path: Path, key_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _common_name(f"racklet authority {os.urandom(4).hex()}")
    now = datetime.now(UTC)
    usage = _key_usage(signs_certificates=True)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(key_path, key)
    _write_certificate(certificate_path, certificate)


def _ensure_peer(
    folder: Path,
    name: str,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    hosts: frozenset[str],
    lifetime: timedelta,
) -> None:
    certificate_path, key_path = folder / f"{name}.crt", folder / f"{name}.key"
    if certificate_path.exists() and key_path.exists():
        reason = _why_renew(certificate_path, key_path, name, authority, hosts)
        if not reason:
            key_path.chmod(0o600)
            return
        log.info("renew the certificate of %s: %s", name, reason)
    _issue(certificate_path, key_path, name, authority, authority_key, hosts, lifetime)


def _why_renew(
    certificate_path: Path, key_path: Path, name: str, authority: x509.Certificate, hosts: frozenset[str]
) -> str:
    """Say why a certificate cannot stay for a peer that starts now, or return nothing if it can."""
    if flaw := _flaw(certificate_path, key_path, name, authority):
        return flaw
    certificate = _read_certificate(certificate_path)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    held = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    missing = hosts - held
    return f"this machine has new addresses {', '.join(sorted(missing))}" if missing else ""


def _flaw(certificate_path: Path, key_path: Path, name: str, authority: x509.Certificate) -> str:
    """Say what is wrong with a certificate by itself, its age before all; nothing if it is good."""
    certificate = _read_certificate(certificate_path)
    if not key_path.exists():
        return "its key is missing"
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return "it is not signed by this authority"
    if certificate.public_key() != _read_key(key_path).public_key():
        return "its key is another one"
    if certificate.subject != _common_name(name):
        return "it bears another name"
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    if left < life / 3:
        return f"it ends at {certificate.not_valid_after_utc.isoformat()}"
    return ""


def _issue(
    certificate_path: Path,
    key_path: Path,
    name: str,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    hosts: frozenset[str],
    lifetime: timedelta,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    alternatives: list[x509.GeneralName] = [x509.DNSName(name), x509.DNSName("localhost")]
    alternatives += [x509.IPAddress(ipaddress.ip_address(host)) for host in sorted(hosts)]
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_common_name(name))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(min(now + lifetime, authority.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write_key(key_path, key)
    _write_certificate(certificate_path, certificate)


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _check_dates(path: Path, certificate: x509.Certificate, now: datetime) -> None:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if start <= now < end:
        return
    state = "has expired" if now >= end else "is not valid yet"
    remedy = (
        f"delete the folder {path.parent} and start 'racklet run' to make new identities"
        if path.stem == _AUTHORITY
        else "start 'racklet run' where the authority's key is, to have it renewed"
    )
    raise OutsideError(
        f"certificate ({path}): {state}: valid {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC, now "
        f"{now:%Y-%m-%d %H:%M} UTC. Check this machine's clock, or {remedy}."
    )


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise OutsideError(
            f"certificate ({path}): {error.strerror}. Start 'racklet run' to create it."
        ) from error
    except ValueError as error:
        raise OutsideError(
            f"certificate ({path}): not a PEM certificate. Delete it to have a new one made."
        ) from error


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise OutsideError(
            f"identity key ({path}): not a PEM key. Delete it to have a new one made."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise OutsideError(
            f"identity key ({path}): not an elliptic-curve key. Delete it to have a new one made."
        )
    return key


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_atomically(path, lambda file: file.write(content), 0o600)


def _write_certificate(path: Path, certificate: x509.Certificate) -> None:
    content = certificate.public_bytes(Encoding.PEM)
    write_atomically(path, lambda file: file.write(content), 0o644)
