"""A mail server of our own on loopback (aiosmtpd), with STARTTLS or TLS, log-in, refusals and dropped lines."""

import asyncio
import shutil
import ssl
import subprocess
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Certificate:
    """A certificate for 127.0.0.1 that only itself vouches for."""

    cert_file: Path
    key_file: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert_file, self.key_file)
        return context


def make_certificate(folder: Path, name: str = f"IP:{HOST}") -> Certificate:
    openssl = shutil.which("openssl")
    assert openssl is not None, "these tests make their certificate with openssl"
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=sitewatch test", "-addext", f"subjectAltName={name}"]
    files = ["-keyout", str(made.key_file), "-out", str(made.cert_file)]
    subprocess.run([openssl, "req", "-x509", *curve, *names, *files], check=True, capture_output=True)
    return made


@dataclass(frozen=True)
class Mail:
    """One accepted mail."""

    recipients: tuple[str, ...]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.raw, policy=SMTP_POLICY)
        assert isinstance(parsed, EmailMessage)
        return parsed


class FakeSmtp:
    """Use as a context manager; set the attributes to make it misbehave from then on."""

    def __init__(
        self,
        certificate: Certificate | None = None,
        *,
        implicit_tls: bool = False,
        login: tuple[str, str] | None = None,
    ) -> None:
        self.accepted: list[Mail] = []
        self.changed = threading.Condition()
        self.on_request: Callable[[], None] = lambda: None
        self.on_accepted: Callable[[], None] = lambda: None
        self.refuse_recipients: Mapping[str, str] = {}
        self.refuse_data: str | None = None
        self.refuse_sender: str | None = None
        self.hang = False
        self.drop_in_data = False
        self.drop_after_data = False
        self._context = certificate.context() if certificate else None
        self._implicit_tls = implicit_tls
        self.login = login
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._ready = threading.Event()
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def wait_for(self, count: int, timeout_s: float = 30) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: len(self.accepted) >= count, timeout_s)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        encrypted = self._context if self._implicit_tls else None
        server = self._loop.run_until_complete(
            self._loop.create_server(self._session, HOST, 0, ssl=encrypted)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in (tasks := asyncio.all_tasks(self._loop)):
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _session(self) -> Any:
        # aiosmtpd warns of passwords without TLS; the tests want just that server.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _Session(
                self,
                hostname="fake.example.org",
                loop=self._loop,
                tls_context=None if self._implicit_tls else self._context,
                auth_require_tls=self._context is not None and not self._implicit_tls,
                auth_exclude_mechanism=() if self.login else ("PLAIN", "LOGIN"),
                authenticator=self._authenticate if self.login else None,
                auth_required=self.login is not None,
            )

    def _authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        if given == self.login:
            return AuthResult(success=True)
        # Some servers repeat what they were told; nothing of it may reach a log.
        return AuthResult(
            success=False, handled=False, message=f"535 5.7.8 no such log-in: {given[0]} {given[1]}"
        )

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802 — aiosmtpd's name
        self.on_request()
        if self.refuse_sender:
            return self.refuse_sender
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802 — aiosmtpd's name
        if address in self.refuse_recipients:
            return self.refuse_recipients[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 — aiosmtpd's name
        if self.refuse_data:
            return self.refuse_data
        with self.changed:
            self.accepted.append(Mail(tuple(envelope.rcpt_tos), bytes(envelope.content)))
            self.changed.notify_all()
        self.on_accepted()
        if self.drop_after_data:
            server.transport.abort()
        return "250 accepted"


class _Session(SMTP):
    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 — aiosmtpd's name
        if self.event_handler.hang:
            await asyncio.Event().wait()
        await super().smtp_EHLO(hostname)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 — aiosmtpd's name
        if not self.event_handler.drop_in_data:
            await super().smtp_DATA(arg)
            return
        await self.push("354 go on")
        await self._reader.read(10)
        transport: Any = self.transport
        transport.abort()
