"""Email by SMTP, always encrypted unless the server is on this machine."""

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from email.utils import getaddresses, parseaddr
from ipaddress import ip_address
from typing import Any, Literal

from alerts.channels import Message, Receipt, SendError
from alerts.channels.certificates import certificate_refused
from alerts.channels.email_message import build_email, email_message_id
from alerts.channels.safe_text import one_line, server_words

SmtpSecurity = Literal["starttls", "tls", "none"]
SMTP_TIMEOUT_S = 20.0
_TIMEOUTS_IN_ALL = 3
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_LONGEST_ADDRESS = 254
"""Characters (RFC 5321, section 4.5.3.1.3, without the brackets)."""
_PERMANENT = range(500, 600)
_ANSWERS = range(200, 600)
_CLOSING = 421
"""The server closes (RFC 5321): it would do so to any mail."""
_TOO_LARGE = 552


class EmailChannel:
    """Sends each message as one mail to all recipients; `tls` verifies every certificate.

    `security` "starttls" refuses a server that does not offer it; "none" is only for a server on loopback.
    Raises ValueError, naming the setting, for what can never work.
    """

    min_interval_s = 0.0

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        *,
        security: SmtpSecurity,
        username: str | None,
        password: str | None,
        sender: str,
        recipients: Sequence[str],
        tls: ssl.SSLContext | None = None,
        timeout_s: float = SMTP_TIMEOUT_S,
    ) -> None:
        if security == "none" and not _is_loopback(host):
            raise ValueError(
                f"The channel “{name}” has security “none”, which is only allowed towards this machine, and its "
                f"host is {one_line(host)!r}. Use “starttls” (port 587) or “tls” (port 465)."
            )
        if not _is_host(host):
            raise ValueError(f"The channel “{name}” has the host {one_line(host)!r}, which cannot be one.")
        if not recipients:
            raise ValueError(f"The channel “{name}” has no recipients. Name at least one mail address.")
        if not f"{username or ''}{password or ''}".isascii():
            raise ValueError(
                f"The user name or password of the channel “{name}” holds letters beyond ASCII, which mail "
                "servers cannot be told. Choose another password."
            )
        self.name = name
        self._server = (host, port)
        self._security = security
        self._login = (username or "", password or "") if username or password else None
        self._from, self._sender = sender, _address(name, "sender", sender)
        self._recipients = tuple(_address(name, "recipient", each) for each in recipients)
        self._domain = self._sender.rpartition("@")[2]
        self._timeout_s = timeout_s
        self._tls = tls or ssl.create_default_context()
        self._secrets = (password or "", f"\0{username or ''}\0{password or ''}") if password else ()

    def __repr__(self) -> str:
        return f"EmailChannel({self.name!r})"

    def send(self, message: Message) -> Receipt:
        """Send one mail to all who have not got it yet.

        Whom the server refuses for now is named by a SendError together with those who have it; whom it refuses
        for good, while others have it, by the note.
        """
        mail = build_email(message, self._from, self._recipients, self._domain).as_bytes()
        left = [each for each in self._recipients if each not in message.delivered_to]
        deadline = _Deadline(self._timeout_s * _TIMEOUTS_IN_ALL)
        opened = False
        try:
            with deadline:
                smtp = self._open(deadline)
                opened = True
                refused = smtp.sendmail(self._sender, left, mail) if left else {}
                # The mail is accepted; how the server says goodbye cannot change that.
                with suppress(OSError):
                    smtp.quit()
        except smtplib.SMTPRecipientsRefused as error:
            if not message.delivered_to:
                raise self._nobody_accepted(error) from None
            refused = error.recipients
        except OSError as error:
            # Half a line, cut off by our own hanging up, could look like any answer.
            slow = smtplib.SMTPServerDisconnected("too slow")
            raise self._failure(slow if deadline.passed else error, opened=opened) from None
        if any(code not in _PERMANENT for code, _ in refused.values()):
            raise self._some_wait(message, refused)
        return Receipt(email_message_id(message.identity, self._domain), self._left_out(refused))

    def _some_wait(self, message: Message, refused: dict[str, tuple[int, bytes]]) -> SendError:
        accepted = tuple(each for each in self._recipients if each not in refused)
        return SendError(
            f"The mail server of the channel “{self.name}” does not take the mail yet for {self._who(refused)}; the "
            "others have it. sitewatch tries again by itself, for these alone.",
            accepted=accepted,
        )

    def _open(self, deadline: "_Deadline") -> smtplib.SMTP:
        host, port = self._server
        if self._security == "tls":
            smtp: smtplib.SMTP = _DeadlineTls(
                deadline, host, port, self._domain, timeout=self._timeout_s, context=self._tls
            )
        else:
            smtp = _DeadlineSmtp(deadline, host, port, self._domain, timeout=self._timeout_s)
        if self._security == "starttls":
            smtp.starttls(context=self._tls)
        if self._login:
            smtp.login(*self._login)
        return smtp

    def _left_out(self, refused: dict[str, tuple[int, bytes]]) -> str:
        if not refused:
            return ""
        return (
            f"The mail server of the channel “{self.name}” refused {self._who(refused)}; the others got the mail. "
            "Correct or remove these addresses in the channel's recipients."
        )

    def _who(self, refused: dict[str, tuple[int, bytes]]) -> str:
        return "; ".join(
            f"{address} ({code} {self._quote(words)})" for address, (code, words) in refused.items()
        )

    def _quote(self, words: bytes | str) -> str:
        text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
        return server_words(text, self._secrets)

    @property
    def _where(self) -> str:
        host, port = self._server
        return f"The mail server {one_line(host)}:{port} of the channel “{self.name}”"

    def _failure(self, error: OSError, *, opened: bool) -> SendError:
        """Say what failed, what is to blame and how to mend it.

        Before a server has begun to read the mail, whatever it refuses it would refuse of every mail.
        """
        if isinstance(error, smtplib.SMTPResponseException):
            return self._answer(error)
        if isinstance(error, smtplib.SMTPServerDisconnected) or not isinstance(error, smtplib.SMTPException):
            return SendError(
                f"{self._where} {self._no_answer(error)}", fault="message" if opened else "channel"
            )
        return SendError(self._not_supported(), fault="channel")

    def _no_answer(self, error: OSError) -> str:
        if isinstance(error, smtplib.SMTPServerDisconnected):
            return "hung up in the middle or was too slow. sitewatch tries again by itself."
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"{certificate_refused(error)}."
        if isinstance(error, ssl.SSLError):
            return (
                f"does not speak TLS as expected ({self._quote(error.reason or 'no reason given')}). Use security "
                "“tls” with port 465 and “starttls” with port 587."
            )
        return (
            f"cannot be reached: {self._quote(error.strerror or 'timed out')}. Check host, port and network; "
            "sitewatch tries again by itself."
        )

    def _nobody_accepted(self, error: smtplib.SMTPRecipientsRefused) -> SendError:
        for_good = all(code in _PERMANENT for code, _ in error.recipients.values())
        mend = (
            "Correct the channel's recipients; the messages wait until then."
            if for_good
            else "sitewatch tries again by itself."
        )
        return SendError(
            f"{self._where} refused every recipient: {self._who(error.recipients)}. {mend}", fault="channel"
        )

    def _not_supported(self) -> str:
        if self._security == "starttls" and not self._login:
            return (
                f"{self._where} offers no STARTTLS, and sitewatch sends no mail unencrypted. Use security “tls” with "
                "port 465, or another server."
            )
        return (
            f"{self._where} offers no STARTTLS or no log-in. sitewatch sends neither mail nor password unencrypted: use "
            "security “tls” with port 465, or leave user name and password out if the server wants none."
        )

    def _answer(self, error: smtplib.SMTPResponseException) -> SendError:
        # smtplib makes up a 500 of its own for a line without end; its words are text, a server's are bytes.
        if error.smtp_code not in _ANSWERS or isinstance(error.smtp_error, str):
            return SendError(
                f"{self._where} does not speak the mail protocol: {self._quote(error.smtp_error)}. Check host and port.",
                fault="message" if isinstance(error, smtplib.SMTPDataError) else "channel",
            )
        said = f"{self._where} answered {error.smtp_code} {self._quote(error.smtp_error)}."
        if _is_about_the_mail(error):
            return self._mail_refused(said, error)
        if isinstance(error, smtplib.SMTPAuthenticationError):
            mend = "Check the channel's user name and password; many providers want an app password."
        elif error.smtp_code in _PERMANENT:
            mend = "Check the channel's sender and log-in, and what its provider allows."
        else:
            mend = "sitewatch tries again by itself."
        return SendError(f"{said} {mend}", fault="channel")

    @staticmethod
    def _mail_refused(said: str, error: smtplib.SMTPResponseException) -> SendError:
        # 5.7.x is policy (RFC 3463): of the sender's standing as often as of the content, so it is tried again.
        policy = isinstance(error.smtp_error, bytes) and error.smtp_error.startswith(b"5.7.")
        if error.smtp_code in _PERMANENT and not policy:
            return SendError(f"{said} The server wants no mail like this one.", permanent=True)
        return SendError(f"{said} sitewatch tries again by itself.")


def _is_about_the_mail(error: smtplib.SMTPResponseException) -> bool:
    """Whether a server that was ready for any mail refuses this one: its content, or its size (RFC 1870)."""
    if isinstance(error, smtplib.SMTPDataError):
        return error.smtp_code != _CLOSING
    return isinstance(error, smtplib.SMTPSenderRefused) and error.smtp_code == _TOO_LARGE


class _Deadline:
    """Hangs up when a whole sending takes too long: a timeout alone starts anew with every byte that drips in."""

    def __init__(self, limit_s: float) -> None:
        self._timer = threading.Timer(limit_s, self._hang_up)
        self._timer.daemon = True
        self.passed = False
        self.watched: list[smtplib.SMTP] = []

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        for smtp in self.watched:
            smtp.close()

    def _hang_up(self) -> None:
        self.passed = True
        for connection in [smtp.sock for smtp in self.watched if smtp.sock is not None]:
            with suppress(OSError):
                # The plain socket's own method: that of TLS would wait for the other side.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _DeadlineSmtp(smtplib.SMTP):
    def __init__(self, deadline: _Deadline, *args: Any, **kwargs: Any) -> None:
        deadline.watched.append(self)
        super().__init__(*args, **kwargs)


class _DeadlineTls(smtplib.SMTP_SSL):
    def __init__(self, deadline: _Deadline, *args: Any, **kwargs: Any) -> None:
        deadline.watched.append(self)
        super().__init__(*args, **kwargs)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_host(host: str) -> bool:
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False


def _address(name: str, role: str, given: str) -> str:
    """The address without its display name, or ValueError; nothing gets through that a mail program could decode."""
    address = parseaddr(given)[1]
    # parseaddr would take the first of several and drop the rest in silence.
    alone = len(getaddresses([given])) == 1
    whole = alone and one_line(given) == given and len(address) <= _LONGEST_ADDRESS
    if not whole or not _ADDRESS.fullmatch(address) or "=?" in address:
        raise ValueError(
            f"The {role} {one_line(given)!r} of the channel “{name}” is not a mail address. Write it as name@example.org."
        )
    return address
