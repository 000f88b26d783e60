"""Which certificate authorities are trusted: the public ones, this machine's own, and those of a `ca_file`."""

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

_PEM = b"-----BEGIN CERTIFICATE-----"
_KEY = b"PRIVATE KEY-----"
_DER_SEQUENCE = b"\x30"


class CaFileError(ValueError):
    """A file of certificate authorities cannot be used; the text names the file and says why."""


@dataclass(frozen=True, slots=True)
class Authority:
    """One certificate authority of a file, by its name, and until when it can vouch for anybody."""

    name: str
    not_after: datetime


def trusting(ca_files: Iterable[Path] = ()) -> ssl.SSLContext:
    """A context that verifies every server, and trusts the authorities in these files (PEM) beside the known ones.

    Those that this machine's administrator added count as well. Each call gives a new one, as HTTP writes its own
    protocol into it, of which a mail server must not be told. Raises CaFileError.
    """
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    for ca_file in ca_files:
        _load(context, ca_file)
    return context


def authorities(ca_file: Path) -> list[Authority]:
    """The authorities in a file; a server's own certificate, which vouches for itself alone, is not among them.

    Raises CaFileError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load(context, ca_file)
    return [_authority(each) for each in context.get_ca_certs()]


def _load(context: ssl.SSLContext, ca_file: Path) -> None:
    try:
        content = ca_file.read_bytes()
        # A file without any certificate would be an error as well, and one of empty text none.
        if _PEM not in content:
            raise CaFileError(f"the ca_file {ca_file} cannot be used: {_what_else(content)}.")
        context.load_verify_locations(cafile=str(ca_file))
    except ssl.SSLError:
        raise CaFileError(
            f"the ca_file {ca_file} cannot be used: a certificate in it is damaged. Copy it anew, whole."
        ) from None
    except OSError as error:
        raise CaFileError(f"the ca_file {ca_file} cannot be used: {error.strerror}.") from None


def _what_else(content: bytes) -> str:
    if _KEY in content:
        return "it holds no certificate but a private key, which belongs to the server alone"
    if content.startswith(_DER_SEQUENCE):
        return "it holds no certificate as text (PEM); “openssl x509 -inform der -in FILE -out FILE.pem” makes it one"
    return "it holds no certificate (PEM: text that begins with -----BEGIN CERTIFICATE-----)"


def _authority(certificate: Mapping[str, Any]) -> Authority:
    named = dict(pair for part in certificate["subject"] for pair in part)
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    return Authority(named.get("commonName") or named.get("organizationName") or "without a name", until)
