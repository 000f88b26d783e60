"""Mail through a real Postfix with a certificate of its own authority, read back from a real mailbox."""

from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest

from alerts.channels import Receipt, SendError
from alerts.channels.email import EmailChannel
from monitor.bootstrap import build_channels
from monitor.config.settings import Settings
from monitor.feeds.authorities import trusting
from monitor.feeds.http import GuardedClient
from tests.kit.authority import Authority
from tests.kit.channel_contract import HOSTILE, MESSAGE, part_text, plain_part, poisoned
from tests.kit.real_servers import HOST, Postfix, postfix

DESK, EDITOR = "desk@example.org", "editor@example.org"
OURS = {
    "Subject", "From", "To", "Date", "Message-ID", "References", "In-Reply-To", "Auto-Submitted",
    "X-Auto-Response-Suppress", "MIME-Version", "Content-Type",
}  # fmt: skip
LONGEST_LINE = 998
THEIRS = {"Return-Path", "X-Original-To", "Delivered-To", "Received"}
ENCODED = "=?utf-8?q?x=0D=0ABcc=3A_someone@example.org=0D=0A=0D=0A<b>body</b>?="


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("postfix"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[Postfix]:
    certificate = authority.certificate()
    with postfix(certificate.chain, certificate.key) as started:
        yield started


@pytest.fixture
def mail(server: Postfix) -> Iterator[Postfix]:
    server.empty()
    yield server
    server.empty()


def channel(port: int, authority: Authority | None, **changes: Any) -> EmailChannel:
    values: dict[str, Any] = {
        "security": "starttls",
        "username": None,
        "password": None,
        "sender": "sitewatch <watch@example.org>",
        "recipients": (DESK, EDITOR),
        "tls": trusting([authority.file] if authority else []),
        **changes,
    }
    return EmailChannel("mail", HOST, port, **values)


def failure(failing: EmailChannel, message: Any = MESSAGE) -> SendError:
    with pytest.raises(SendError) as caught:
        failing.send(message)
    return caught.value


def read(raw: bytes) -> EmailMessage:
    parsed = message_from_bytes(raw, policy=SMTP)
    assert isinstance(parsed, EmailMessage)
    return parsed


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_goes_through_to_the_mailbox_of_each(
    mail: Postfix, authority: Authority, security: str
) -> None:
    port = mail.starttls_port if security == "starttls" else mail.tls_port
    receipt = channel(port, authority, security=security).send(MESSAGE)
    mails = [read(raw) for raw in mail.arrived(2)]
    assert {each["Delivered-To"] for each in mails} == {DESK, EDITOR}
    assert {each["Message-ID"] for each in mails} == {receipt.provider_ref}
    assert mails[0]["Subject"] == MESSAGE.subject
    assert MESSAGE.headline in plain_part(mails[0])


@pytest.mark.parametrize("everywhere", [True, False])
def test_the_authority_may_be_named_for_all_or_for_one_channel(
    mail: Postfix, authority: Authority, everywhere: bool
) -> None:
    plain = {
        "smtp_host": HOST,
        "smtp_port": mail.starttls_port,
        "email_from": "watch@example.org",
        "email_to": DESK,
    }
    own = {
        "kind": "email", "host": HOST, "port": mail.starttls_port, "sender": "watch@example.org", "recipients": [DESK],
        "ca_file": authority.file,
    }  # fmt: skip
    values = {**plain, "ca_file": authority.file} if everywhere else {"channels": {"email": own}}
    clients: list[GuardedClient] = []
    build_channels(Settings.model_validate(values), clients)["email"].send(MESSAGE)
    for client in clients:
        client.close()
    assert read(mail.arrived()[0])["Subject"] == MESSAGE.subject


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_an_unknown_authority_is_told_with_the_way_to_mend_it(
    mail: Postfix, security: str
) -> None:
    error = failure(
        channel(mail.starttls_port if security == "starttls" else mail.tls_port, None, security=security)
    )
    assert error.fault == "channel"
    assert "certificate that cannot be trusted" in error.reason
    assert "set ca_file" in error.reason


def test_who_is_greylisted_gets_it_later_and_the_others_once(mail: Postfix, authority: Authority) -> None:
    mail.refuse(editor="450 4.2.0 greylisted, come back in five minutes")
    sending = channel(mail.starttls_port, authority)
    error = failure(sending)
    assert error.accepted == (DESK,)
    assert not error.permanent
    assert "greylisted, come back" in error.reason
    mail.refuse()
    sending.send(replace(MESSAGE, delivered_to=error.accepted))
    assert [read(raw)["Delivered-To"] for raw in mail.arrived(2)] == [DESK, EDITOR]


def test_who_is_refused_for_good_is_named_and_the_others_have_it(mail: Postfix, authority: Authority) -> None:
    mail.refuse(editor="550 5.1.1 nobody of that name")
    receipt: Receipt = channel(mail.starttls_port, authority).send(MESSAGE)
    assert f"{EDITOR} (550 5.1.1 " in receipt.note
    assert "nobody of that name" in receipt.note
    assert [read(raw)["Delivered-To"] for raw in mail.arrived()] == [DESK]


@pytest.mark.parametrize(
    ("answer", "mend"),
    [
        ("550 5.1.1 nobody of that name", "Correct the channel's recipients"),
        ("450 4.2.0 wait", "tries again"),
    ],
)
def test_where_nobody_is_accepted_the_channel_is_at_fault(
    mail: Postfix, authority: Authority, answer: str, mend: str
) -> None:
    mail.refuse(desk=answer, editor=answer)
    error = failure(channel(mail.starttls_port, authority))
    assert (error.fault, error.permanent) == ("channel", False)
    assert mend in error.reason


def test_a_blocked_sender_a_closed_door_and_a_missing_starttls_are_faults_of_the_channel(
    mail: Postfix, authority: Authority
) -> None:
    blocked = failure(channel(mail.starttls_port, authority, sender="blocked@example.org"))
    assert blocked.fault == "channel"
    assert "not wanted here" in blocked.reason
    closed = failure(channel(mail.refusing_port, authority))
    assert closed.fault == "channel"
    assert "554" in closed.reason
    plain = failure(channel(mail.starttls_port, authority, security="none"))
    assert plain.fault == "channel"
    assert "Must issue a STARTTLS command first" in plain.reason
    login = failure(channel(mail.starttls_port, authority, username="watcher", password="secret-word"))
    assert login.fault == "channel"
    assert "no log-in" in login.reason
    wrong = failure(channel(mail.starttls_port, authority, security="tls"))
    assert wrong.fault == "channel"
    assert "does not speak TLS as expected" in wrong.reason


def test_a_mail_that_is_too_large_or_unwanted_is_told_apart_from_one_that_policy_holds_back(
    mail: Postfix, authority: Authority
) -> None:
    sending = channel(mail.starttls_port, authority)
    large = failure(sending, replace(MESSAGE, image_png=b"\x89PNG" * 1_500_000))
    assert (large.fault, large.permanent) == ("message", True)
    assert "552" in large.reason
    unwanted = failure(sending, replace(MESSAGE, subject="no such mail"))
    assert (unwanted.fault, unwanted.permanent) == ("message", True)
    held = failure(sending, replace(MESSAGE, subject="not by policy"))
    assert (held.fault, held.permanent) == ("message", False)
    assert "refused by policy" in held.reason


def test_no_words_from_outside_add_a_header_or_a_body_in_a_real_mailbox(
    mail: Postfix, authority: Authority
) -> None:
    texts = {**HOSTILE, "encoded": ENCODED, "both": f"평양 {ENCODED}"}
    sending = channel(mail.starttls_port, authority, recipients=(DESK,))
    ids = {sending.send(poisoned(text)).provider_ref: name for name, text in texts.items()}
    assert len(ids) == len(texts)
    faults: dict[str, list[str]] = {}
    for raw in mail.arrived(len(texts)):
        parsed = read(raw)
        faults[ids.pop(str(parsed["Message-ID"]))] = _faults(raw, parsed)
    assert not ids
    assert not {name: found for name, found in faults.items() if found}


def _faults(raw: bytes, mail: EmailMessage) -> list[str]:
    """What is not ours or not whole in a mail as it lies in the mailbox."""
    head = raw.partition(b"\n\n")[0].split(b"\n")
    names = {line.partition(b":")[0].decode() for line in head if line[:1] not in b" \t"}
    shape = [part.get_content_type() for part in mail.walk()]
    whole = ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    return [
        *names.symmetric_difference(OURS | THEIRS),
        *([] if shape == whole else shape),
        *map(str, mail.defects),
        *(str(line) for line in raw.split(b"\n") if len(line) > LONGEST_LINE),
        *(["a script"] if "<script" in part_text(mail, "html") else []),
    ]


def test_a_long_foreign_subject_is_folded_beside_its_name_and_reads_as_written(
    mail: Postfix, authority: Authority, tmp_path: Path
) -> None:
    subject = "sitewatch: 평양 순안 국제공항, " * 6
    channel(mail.starttls_port, authority, recipients=(DESK,)).send(replace(MESSAGE, subject=subject))
    (raw,) = mail.arrived()
    lines = raw.partition(b"\n\n")[0].split(b"\n")
    first = next(index for index, line in enumerate(lines) if line.startswith(b"Subject:"))
    assert lines[first].startswith(b"Subject: =?utf-8?b?")
    assert lines[first + 1].startswith(b" =?utf-8?b?")
    assert read(raw)["Subject"] == subject.strip()
