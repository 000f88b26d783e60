"""Email: encrypted or not at all, threaded, readable everywhere, each refusal understood for what it is."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.channels import Link, Receipt, SendError
from alerts.channels.email import EmailChannel
from alerts.channels.email_message import SUBJECT_LIMIT, build_email, wrap_lines
from alerts.channels.mail_headers import address_field, plain_field
from alerts.channels.safe_text import cut_text, one_line
from monitor.feeds.authorities import trusting
from tests.kit.channel_contract import HOSTILE, MESSAGE, NOON, PNG, part_text, plain_part, poisoned
from tests.kit.fakes.smtp import HOST, Certificate, FakeSmtp, make_certificate

DESK, EDITOR = "desk@example.org", "editor@example.org"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def channel(port: int, **changes: Any) -> EmailChannel:
    settings: dict[str, Any] = {
        "security": "none",
        "username": None,
        "password": None,
        "sender": "sitewatch <watch@example.org>",
        "recipients": (DESK, EDITOR),
        "timeout_s": 5,
    }
    return EmailChannel("mail", changes.pop("host", HOST), port, **{**settings, **changes})


def failure(failing: EmailChannel) -> SendError:
    with pytest.raises(SendError) as caught:
        failing.send(MESSAGE)
    return caught.value


@pytest.fixture
def plain() -> Iterator[FakeSmtp]:
    with FakeSmtp() as server:
        yield server


def sent(server: FakeSmtp, count: int = 1) -> list[EmailMessage]:
    assert server.wait_for(count)
    return [mail.message for mail in server.accepted]


# --- the mail -----------------------------------------------------------------------------------


def test_the_mail_has_text_html_and_the_picture_inside(plain: FakeSmtp) -> None:
    channel(plain.port).send(MESSAGE)
    [mail] = sent(plain)
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
    ]
    picture = next(part for part in mail.walk() if part.get_content_type() == "image/png")
    assert picture.get_content() == PNG
    assert picture["Content-Disposition"].content_disposition == "inline"
    assert f"cid:{picture['Content-ID'].strip('<>')}" in part_text(mail, "html")
    assert f'alt="{MESSAGE.image_alt}"' in part_text(mail, "html")


def test_a_mail_without_a_picture_is_text_and_html(plain: FakeSmtp) -> None:
    channel(plain.port).send(replace(MESSAGE, image_png=None, image_alt=""))
    [mail] = sent(plain)
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert "<img" not in part_text(mail, "html")


def test_mails_of_one_incident_hang_below_a_root_that_is_never_sent(plain: FakeSmtp) -> None:
    resolved = replace(MESSAGE, identity="alert-1:2:x", status="Resolved", headline="No railcars any more")
    other = replace(MESSAGE, identity="alert-2:1:x", thread="incident-2")
    for message in (MESSAGE, resolved, other):
        channel(plain.port).send(message)
    first, second, third = sent(plain, 3)
    assert first["References"] == second["References"] == first["In-Reply-To"]
    assert third["References"] != first["References"]
    ids = {str(mail["Message-ID"]) for mail in (first, second, third)}
    assert len(ids) == 3
    assert str(first["References"]) not in ids
    assert first["Subject"] == second["Subject"] == MESSAGE.subject
    assert plain_part(second).startswith("Resolved: No railcars any more")


def test_a_repeat_is_the_same_mail_to_the_byte(plain: FakeSmtp) -> None:
    receipts = [channel(plain.port).send(MESSAGE) for _ in range(2)]
    first, second = plain.accepted
    assert first.raw == second.raw
    assert receipts == [Receipt(str(first.message["Message-ID"]))] * 2


def test_the_date_is_that_of_the_message(plain: FakeSmtp) -> None:
    zoned = NOON + timedelta(days=3)
    channel(plain.port).send(replace(MESSAGE, created_at=zoned))
    [mail] = sent(plain)
    assert parsedate_to_datetime(mail["Date"]) == zoned
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["From"] == "sitewatch <watch@example.org>"
    assert mail["To"] == f"{DESK}, {EDITOR}"


def test_plain_text_stays_narrow_and_keeps_links_whole() -> None:
    far = "https://x.example/" + "y" * 200
    message = replace(
        MESSAGE,
        paragraphs=("long words " * 40, f"See {far} for more", HOSTILE["wide"]),
        links=(Link("The page", far),),
        facts=(("Baseline", "at most 20 at once in five years " * 5),),
    )
    text = plain_part(build_email(message, "a@b.example", [DESK], "b.example"))
    assert not [line for line in text.splitlines() if len(line) > 78 and line != far]
    assert text.count(far) == 2
    assert "\n  " in text, "the second line of a fact is set in"


@given(st.text(), st.sampled_from(["", "  "]))
def test_wrapping_loses_no_word_and_no_letter(text: str, indent: str) -> None:
    wrapped = wrap_lines(text, indent)
    assert "".join(wrapped.split()) == "".join(text.split())
    assert all(len(line) <= 78 for line in wrapped.split("\n") if "://" not in line)


def test_a_message_that_is_too_long_is_cut_and_says_so() -> None:
    long = replace(MESSAGE, paragraphs=("word " * 20_000, "x" * 20_000))
    assert "the rest is on the page" in plain_part(build_email(long, "a@b.example", [DESK], "b.example"))
    lone = plain_part(build_email(replace(long, links=()), "a@b.example", [DESK], "b.example"))
    assert "“sitewatch alerts show”" in " ".join(lone.split())
    many = replace(MESSAGE, facts=(("fact", "value"),) * 201)
    assert "too long" in plain_part(build_email(many, "a@b.example", [DESK], "b.example"))
    assert "too long" not in plain_part(build_email(MESSAGE, "a@b.example", [DESK], "b.example"))


def test_a_message_of_a_headline_alone_is_a_whole_mail() -> None:
    bare = replace(
        MESSAGE, status="", subject="", paragraphs=(), facts=(), links=(), footer="", image_png=None
    )
    mail = build_email(replace(bare, image_alt=""), "a@b.example", [DESK], "b.example")
    assert plain_part(mail) == f"{MESSAGE.headline}\n"
    assert mail["Subject"] == "sitewatch"
    assert "<table" not in part_text(mail, "html")


def test_html_shows_hostile_words_as_words() -> None:
    html = part_text(build_email(poisoned(HOSTILE["html"]), "a@b.example", [DESK], "b.example"), "html")
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "javascript:" not in html


def test_html_leaves_colours_to_the_reader_so_that_dark_mode_works() -> None:
    html = part_text(build_email(MESSAGE, "a@b.example", [DESK], "b.example"), "html")
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "background" not in html
    assert " color:" not in html


def test_a_subject_of_any_length_and_letters_stays_one_header(plain: FakeSmtp) -> None:
    subject = "평양 순안 국제공항 " * 40
    channel(plain.port).send(replace(MESSAGE, subject=subject))
    [mail] = sent(plain)
    assert str(mail["Subject"]).startswith("평양 순안 국제공항 평양")
    assert str(mail["Subject"]).endswith("…")
    assert max(map(len, plain.accepted[0].raw.split(b"\r\n"))) <= 998


# --- header fields, as bytes at the server ---------------------------------------------------------

FIELDS = [
    b"Subject",
    b"From",
    b"To",
    b"Date",
    b"Message-ID",
    b"References",
    b"In-Reply-To",
    b"Auto-Submitted",
    b"X-Auto-Response-Suppress",
    b"MIME-Version",
    b"Content-Type",
]
WORDS = {
    "q": "=?utf-8?q?x=0D=0ABcc=3A_someone@example.org?=",
    "b": "=?utf-8?b?eA0KQmNjOiBzb21lb25lQGV4YW1wbGUub3Jn?=",
    "a new body": "=?utf-8?q?x=0D=0A=0D=0A<b>body</b>?=",
    "a bare line end": "=?utf-8?q?x=0ABcc=3A_someone@example.org?= =?iso-8859-1?q?=0DCc=3A_y@example.org?=",
    "language": "=?us-ascii*en?q?x=0D=0ABcc=3A_someone@example.org?=",
    "joined": "Quiet=?utf-8?Q?=0D=0ABcc:_someone@example.org?=Field =?utf-8?Q?=0D=0ABcc:_a@example.org?=",
    "in Korean": "순안 =?utf-8?q?x=0D=0ABcc=3A_someone@example.org?=",
    "UTF-7": "=?utf-7?q?x+AA0ACg-Bcc=3A_someone@example.org?=",
    "long": "Quiet Field " * 14 + "=?utf-8?q?x=0D=0ABcc=3A_someone@example.org?=",
    "torn": "=?utf-8?q?x=0D=0ABcc=3A_some one@example.org?= =?utf-8?q?",
    "quoted": '"=?utf-8?q?x=0D=0ABcc=3A_someone@example.org?="',
}


def head_of(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The header fields as they stand in the bytes, read by nothing but the rule of folding."""
    head, _, _ = raw.partition(b"\r\n\r\n")
    assert b"\r" not in head.replace(b"\r\n", b"")
    assert b"\n" not in head.replace(b"\r\n", b"")
    lines = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n")
    return [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]


def assert_nothing_was_injected(raw: bytes) -> None:
    assert [name for name, _ in head_of(raw)] == FIELDS
    head = raw.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    ours = re.sub(rb"=\?utf-8\?b\?[A-Za-z0-9+/]+={0,2}\?=", b"", head)
    assert b"=?" not in ours, "every encoded word is one of ours"
    assert not [line for line in head.split(b"\r\n") if b"=?" in line and len(line) > 76]
    for part in message_from_bytes(raw).walk():
        assert not {"bcc", "cc"} & {name.lower() for name in part}
    assert message_from_bytes(raw).get_content_type() == "multipart/alternative"


@pytest.mark.parametrize("text", [*WORDS.values(), *HOSTILE.values()], ids=[*WORDS, *HOSTILE])
def test_no_foreign_string_reaches_the_header_but_as_its_own_words(plain: FakeSmtp, text: str) -> None:
    channel(plain.port).send(poisoned(text))
    assert plain.wait_for(1)
    raw = plain.accepted[0].raw
    assert_nothing_was_injected(raw)
    subject = dict(head_of(raw))[b"Subject"].decode()
    decoded = "".join(
        part if isinstance(part, str) else part.decode(charset or "ascii")
        for part, charset in decode_header(subject)
    )
    assert decoded == cut_text(one_line(text) or "sitewatch", SUBJECT_LIMIT)


@pytest.mark.parametrize(
    "field", ["identity", "thread", "subject", "status", "headline", "footer", "image_alt"]
)
@pytest.mark.parametrize("text", [WORDS["q"], WORDS["b"], "x\r\nBcc: someone@example.org\r\n\r\nbody"])
def test_each_field_alone_leaves_the_head_as_it_is(plain: FakeSmtp, field: str, text: str) -> None:
    change: dict[str, Any] = {field: text}
    channel(plain.port).send(replace(MESSAGE, **change))
    assert plain.wait_for(1)
    assert_nothing_was_injected(plain.accepted[0].raw)


@pytest.mark.parametrize("text", WORDS.values(), ids=WORDS)
def test_a_display_name_with_an_encoded_word_is_shown_and_not_obeyed(plain: FakeSmtp, text: str) -> None:
    quoted = text.replace('"', "")
    channel(plain.port, sender=f'"{quoted}" <watch@example.org>').send(MESSAGE)
    assert plain.wait_for(1)
    raw = plain.accepted[0].raw
    assert_nothing_was_injected(raw)
    sender = dict(head_of(raw))[b"From"]
    assert sender.endswith(b"<watch@example.org>")
    name = sender.removesuffix(b" <watch@example.org>").decode()
    assert str(make_header(decode_header(name))) == " ".join(quoted.split())


@pytest.mark.parametrize("role", ["sender", "recipients"])
@pytest.mark.parametrize(
    "address",
    ["=?utf-8?q?x=0D=0ABcc=3A_y?=@example.org", f"{'x' * 250}@example.org", "a@b.org\r\nBcc: c@d.org"],
)
def test_an_address_that_could_be_decoded_or_folded_is_refused(role: str, address: str) -> None:
    given: Any = address if role == "sender" else (address,)
    with pytest.raises(ValueError, match="is not a mail address"):
        channel(1, **{role: given})


def test_a_field_refuses_lines_that_would_be_two_or_be_decoded() -> None:
    for value in ("x\r\nBcc: y", "x\ny", WORDS["q"], "순안"):
        with pytest.raises(ValueError, match="must not stand in a header"):
            plain_field("X-Test", value)
    for address in (WORDS["q"] + "@example.org", "=?utf-8?q?x?=@example.org"):
        with pytest.raises(ValueError, match="cannot hold the address"):
            address_field("To", [address])


def test_plain_words_stay_readable_and_begin_beside_the_field_s_name(plain: FakeSmtp) -> None:
    subject = "sitewatch: Quiet Field, railcars " * 6
    channel(plain.port, sender='"Desk, the night shift" <watch@example.org>').send(
        replace(MESSAGE, subject=subject)
    )
    assert plain.wait_for(1)
    head = plain.accepted[0].raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert head[0] == b"Subject: sitewatch: Quiet Field, railcars sitewatch: Quiet Field, railcars"
    assert b'From: "Desk, the night shift" <watch@example.org>' in head
    assert not [line for line in head if len(line) > 78]


# --- encryption ---------------------------------------------------------------------------------


def test_starttls_with_a_log_in(certificate: Certificate) -> None:
    with FakeSmtp(certificate, login=("watcher", "secret")) as server:
        channel(
            server.port,
            security="starttls",
            username="watcher",
            password="secret",
            tls=trusting([certificate.cert_file]),
        ).send(MESSAGE)
        assert len(sent(server)) == 1


def test_tls_from_the_first_byte(certificate: Certificate) -> None:
    with FakeSmtp(certificate, implicit_tls=True, login=("watcher", "secret")) as server:
        channel(
            server.port,
            security="tls",
            username="watcher",
            password="secret",
            tls=trusting([certificate.cert_file]),
        ).send(MESSAGE)
        assert len(sent(server)) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Certificate, security: str) -> None:
    with FakeSmtp(certificate, implicit_tls=security == "tls") as server:
        error = failure(channel(server.port, security=security))
        assert server.accepted == []
    assert "certificate that cannot be trusted" in error.reason
    assert "ca_file" in error.reason
    assert error.fault == "channel"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_for_another_host_is_refused(tmp_path: Path, security: str) -> None:
    elsewhere = make_certificate(tmp_path, "DNS:elsewhere.example.org")
    with FakeSmtp(elsewhere, implicit_tls=security == "tls") as server:
        error = failure(channel(server.port, security=security, tls=trusting([elsewhere.cert_file])))
    assert "Check the host name" in error.reason


def test_nothing_is_sent_where_no_starttls_is_offered(plain: FakeSmtp) -> None:
    error = failure(channel(plain.port, security="starttls"))
    assert error.fault == "channel"
    assert "offers no STARTTLS" in error.reason
    assert plain.accepted == []


def test_no_password_is_sent_where_no_starttls_is_offered() -> None:
    with FakeSmtp(login=("watcher", "secret")) as server:
        error = failure(channel(server.port, security="starttls", username="watcher", password="secret"))
    assert error.fault == "channel"
    assert "neither mail nor password unencrypted" in error.reason


def test_a_server_without_log_in_is_told_apart_from_a_wrong_password(plain: FakeSmtp) -> None:
    error = failure(channel(plain.port, username="watcher", password="secret"))
    assert error.fault == "channel"
    assert "no log-in" in error.reason


def test_tls_towards_a_server_without_it_says_which_port_is_which(plain: FakeSmtp) -> None:
    error = failure(channel(plain.port, security="tls"))
    assert "port 465" in error.reason
    assert not error.permanent


@pytest.mark.parametrize("host", ["mail.example.org", "192.0.2.1", "10.0.0.1", "0.0.0.0", "127.evil.example"])
def test_unencrypted_mail_only_goes_to_this_machine(host: str) -> None:
    with pytest.raises(ValueError, match="only allowed towards this machine"):
        channel(25, host=host)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_unencrypted_mail_may_go_to_this_machine(host: str) -> None:
    assert channel(25, host=host).name == "mail"


# --- what cannot work stops the start -----------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "",
        "desk",
        "desk@",
        "@example.org",
        "desk@example.org, b@example.org",
        "a@b.example\r\nBcc: c@d.example",
        "desk@exämple.org",
        "Desk desk@example.org",
        "desk@example.org\n",
        "a b@example.org",
        "-@-",
    ],
)
def test_a_wrong_address_is_named(address: str) -> None:
    with pytest.raises(ValueError, match="is not a mail address"):
        channel(25, recipients=(DESK, address))
    with pytest.raises(ValueError, match=r"The sender .* is not a mail address"):
        channel(25, sender=address)


def test_other_settings_that_can_never_work_are_named() -> None:
    with pytest.raises(ValueError, match="has no recipients"):
        channel(25, recipients=())
    for host in ("", "mail..example.org", "x" * 64 + ".example.org"):
        with pytest.raises(ValueError, match="which cannot be one"):
            channel(587, host=host, security="starttls")
    with pytest.raises(ValueError, match="beyond ASCII") as caught:
        channel(25, username="watcher", password="pässwörd")
    assert "pässwörd" not in str(caught.value)


# --- refusals -----------------------------------------------------------------------------------


def test_one_accepted_recipient_is_enough_and_the_others_are_named(plain: FakeSmtp) -> None:
    plain.refuse_recipients = {EDITOR: "550 5.1.1 no such user"}
    receipt = channel(plain.port).send(MESSAGE)
    assert plain.accepted[0].recipients == (DESK,)
    assert f"{EDITOR} (550 5.1.1 no such user)" in receipt.note
    assert DESK not in receipt.note


@pytest.mark.parametrize(
    "replies", [("550 no", "554 no"), ("550 no", "451 later"), ("450 greylisted", "421 busy")]
)
def test_nobody_accepted_is_the_channels_fault(plain: FakeSmtp, replies: tuple[str, str]) -> None:
    plain.refuse_recipients = dict(zip((DESK, EDITOR), replies, strict=True))
    error = failure(channel(plain.port))
    assert (error.fault, error.permanent) == ("channel", False)
    assert DESK in error.reason


def test_who_is_refused_for_now_alone_gets_it_later(plain: FakeSmtp) -> None:
    plain.refuse_recipients = {EDITOR: "450 4.7.1 greylisted"}
    error = failure(channel(plain.port))
    assert (error.fault, error.permanent, error.accepted) == ("message", False, (DESK,))
    assert f"{EDITOR} (450 4.7.1 greylisted)" in error.reason
    assert "Correct" not in error.reason
    plain.refuse_recipients = {}
    receipt = channel(plain.port).send(replace(MESSAGE, delivered_to=error.accepted))
    assert [mail.recipients for mail in plain.accepted] == [(DESK,), (EDITOR,)]
    assert plain.accepted[0].message.as_bytes() == plain.accepted[1].message.as_bytes()
    assert receipt.note == ""


def test_who_is_refused_for_good_after_others_have_it_is_named(plain: FakeSmtp) -> None:
    plain.refuse_recipients = {EDITOR: "550 5.1.1 no such user"}
    receipt = channel(plain.port).send(replace(MESSAGE, delivered_to=(DESK,)))
    assert plain.accepted == []
    assert f"{EDITOR} (550 5.1.1 no such user)" in receipt.note


@pytest.mark.parametrize(
    ("stage", "reply", "fault", "permanent"),
    [
        ("refuse_sender", "451 later", "channel", False),
        ("refuse_sender", "530 log in first", "channel", False),
        ("refuse_sender", "553 not you", "channel", False),
        ("refuse_sender", "552 5.3.4 too large", "message", True),
        ("refuse_data", "452 disk full", "message", False),
        ("refuse_data", "421 closing", "channel", False),
        ("refuse_data", "554 spam", "message", True),
        ("refuse_data", "550 5.7.1 blocked", "message", False),
    ],
)
def test_an_answer_is_blamed_on_what_it_is_about(
    plain: FakeSmtp, stage: str, reply: str, fault: str, permanent: bool
) -> None:
    setattr(plain, stage, reply)
    error = failure(channel(plain.port))
    assert (error.fault, error.permanent) == (fault, permanent)
    assert reply.partition(" ")[2] in error.reason


def test_a_wrong_password_is_the_channels_fault_and_says_so(certificate: Certificate) -> None:
    with FakeSmtp(certificate, login=("watcher", "another")) as server:
        error = failure(
            channel(
                server.port,
                security="starttls",
                username="watcher",
                password="secret-word",
                tls=trusting([certificate.cert_file]),
            )
        )
    assert error.fault == "channel"
    assert "app password" in error.reason
    assert "secret-word" not in error.reason
    assert "***" in error.reason


@pytest.mark.parametrize("fault", ["drop_in_data", "drop_after_data"])
def test_a_connection_lost_in_the_middle_is_tried_again(plain: FakeSmtp, fault: str) -> None:
    setattr(plain, fault, True)
    error = failure(channel(plain.port))
    assert (error.fault, error.permanent) == ("message", False)
    assert "hung up" in error.reason


# --- servers that are none ----------------------------------------------------------------------


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A listener that lets `talk` misbehave with each connection."""
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        (b"554 5.7.1 you are on a list\r\n", "554 5.7.1 you are on a list"),
        (b"421 too busy\r\n", "421 too busy"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak the mail protocol: /1.1 400"),
        (b"220-hello\r\n" + b"x" * 20_000, "Line too long"),
        (b"", "hung up"),
    ],
)
def test_a_strange_greeting(greeting: bytes, words: str) -> None:
    with raw_server(lambda connection: connection.sendall(greeting)) as port:
        error = failure(channel(port, timeout_s=2))
    assert words in error.reason
    assert (error.fault, error.permanent) == ("channel", False)


def test_a_server_that_drips_is_hung_up_on() -> None:
    dripped = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.settimeout(0.05)
        for _ in range(1_000):
            try:
                connection.sendall(b"2")
                if not connection.recv(1):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        dripped.set()

    with raw_server(drip) as port:
        error = failure(channel(port, timeout_s=0.2))
    assert dripped.is_set()
    assert "too slow" in error.reason
    assert not error.permanent


def test_an_unreachable_server_is_not_the_messages_fault() -> None:
    error = failure(channel(1))
    assert "cannot be reached: Connection refused" in error.reason
    assert error.fault == "channel"
