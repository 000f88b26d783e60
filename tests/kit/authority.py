"""A private certificate authority as a newsroom has one, and certificates by it for servers on this machine."""

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificate:
    """What a server shows: its certificate with those between it and the authority, and its private key."""

    chain: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """What a server in this process takes."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context


class Authority:
    """A certificate authority of our own; `file` is what its users are given."""

    def __init__(self, folder: Path, name: str = "Newsroom CA") -> None:
        self._folder = folder
        self._ca = trustme.CA(organization_name=name)
        self.file = folder / f"{name.replace(' ', '-').lower()}.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def certificate(
        self,
        *names: str,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> Certificate:
        """A certificate for these names, this machine's unless others are given."""
        names = names or ("127.0.0.1", "localhost")
        issued = self._ca.issue_cert(*names, not_before=not_before, not_after=not_after)
        made = Certificate(self._folder / f"{names[0]}.chain.pem", self._folder / f"{names[0]}.key.pem")
        made.chain.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(made.key)
        return made
