"""Webhooks, ntfy, Mattermost and Apprise: what goes over the wire, checked by libraries of others where there are any."""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as StandardWebhook
from standardwebhooks import WebhookVerificationError
from svix import Webhook as SvixWebhook
from svix import WebhookVerificationError as SvixError

from alerts.channels import HttpAnswer, Link
from alerts.channels.apprise_sink import apprise_notifier, harmless
from alerts.channels.mattermost import CHAT_LIMIT, MattermostChannel, mattermost_payload
from alerts.channels.ntfy import BODY_BYTES, MESSAGE_BYTES, NtfyChannel, ntfy_payload
from alerts.channels.webhook import WebhookChannel, webhook_payload
from tests.kit.channel_contract import MESSAGE, poisoned

SECRET = "whsec_b25seSBmb3IgdGVzdHMsIG5vIHNlY3JldA=="
PLAIN = "a secret of our own choosing"
Sent = tuple[str, bytes, dict[str, str]]


class Recorder:
    def __init__(self) -> None:
        self.sent: list[Sent] = []

    def __call__(self, url: str, body: bytes, headers: object) -> HttpAnswer:
        self.sent.append((url, body, dict(headers)))  # type: ignore[call-overload]
        return HttpAnswer(204, "")


def signed(secret: str, now: datetime) -> tuple[bytes, dict[str, str]]:
    recorder = Recorder()
    WebhookChannel("hook", "https://hook.example/x", secret, recorder, lambda: now).send(MESSAGE)
    _, body, headers = recorder.sent[-1]
    return body, headers


# --- webhooks ------------------------------------------------------------------------------------


def test_two_libraries_of_others_accept_the_signature() -> None:
    body, headers = signed(SECRET, datetime.now(UTC))
    assert StandardWebhook(SECRET).verify(body, headers) == json.loads(body)
    renamed = {name.replace("webhook-", "svix-"): value for name, value in headers.items()}
    SvixWebhook(SECRET).verify(body, renamed)


def test_so_does_a_receiver_with_a_secret_in_words() -> None:
    body, headers = signed(PLAIN, datetime.now(UTC))
    StandardWebhook(PLAIN.encode()).verify(body, headers)


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_nothing_of_it_can_be_changed(header: str) -> None:
    now = datetime.now(UTC)
    body, headers = signed(SECRET, now)
    changed = {"webhook-id": "msg_other", "webhook-timestamp": str(int(now.timestamp()) - 1)}
    wrong = {**headers, header: changed.get(header, headers[header][:-4] + "AAA=")}
    with pytest.raises(WebhookVerificationError):
        StandardWebhook(SECRET).verify(body, wrong)
    with pytest.raises(WebhookVerificationError):
        StandardWebhook(SECRET).verify(body.replace(b"73", b"37"), headers)


def test_it_cannot_be_sent_again_later() -> None:
    body, headers = signed(SECRET, datetime.now(UTC) - timedelta(minutes=6))
    with pytest.raises(WebhookVerificationError):
        StandardWebhook(SECRET).verify(body, headers)
    renamed = {name.replace("webhook-", "svix-"): value for name, value in headers.items()}
    with pytest.raises(SvixError):
        SvixWebhook(SECRET).verify(body, renamed)


def test_a_repeat_has_the_same_id_and_body() -> None:
    now = datetime.now(UTC)
    (body, headers), (again, later) = signed(SECRET, now), signed(SECRET, now + timedelta(minutes=3))
    assert (body, headers["webhook-id"]) == (again, later["webhook-id"])
    assert headers["webhook-signature"] != later["webhook-signature"]


def test_a_secret_that_is_no_base64_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="no base64") as caught:
        WebhookChannel(
            "hook", "https://hook.example/x", "whsec_*hidden*", Recorder(), lambda: MESSAGE.created_at
        )
    assert "hidden" not in str(caught.value)


def test_the_docs_show_the_body_as_it_is() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "channels.md").read_text(encoding="utf-8")
    shown = json.loads(page.partition("```json\n")[2].partition("```")[0])
    payload = webhook_payload(
        replace(MESSAGE, about={"alert": "al_1"}, actions=(Link("a", "https://x.example"),))
    )

    def keys(value: object) -> object:
        return {name: keys(each) for name, each in value.items()} if isinstance(value, dict) else None

    assert keys({**shown["data"], "alert": None}) == keys({**payload["data"], "alert": None})
    assert shown.keys() == payload.keys()


# --- ntfy ----------------------------------------------------------------------------------------


@given(st.text(max_size=6_000), st.integers(0, 40), st.booleans())
def test_ntfy_never_gets_more_than_its_server_reads(text: str, times: int, urgent: bool) -> None:
    message = replace(poisoned(text), paragraphs=(text,) * times, urgent=urgent)
    payload = ntfy_payload(message, "topic")
    assert 1 <= len(payload["message"].encode()) <= MESSAGE_BYTES
    assert len(json.dumps(payload, ensure_ascii=False).encode()) <= BODY_BYTES
    assert payload["priority"] == (5 if urgent else 3)


def test_the_topic_is_told_apart_from_the_server() -> None:
    recorder = Recorder()
    NtfyChannel("push", "https://ntfy.example/base/yard-alarm/", "tk_x", recorder).send(MESSAGE)
    [(url, body, headers)] = recorder.sent
    assert url == "https://ntfy.example/base/"
    assert json.loads(body)["topic"] == "yard-alarm"
    assert headers["Authorization"] == "Bearer tk_x"
    with pytest.raises(ValueError, match="names no topic"):
        NtfyChannel("push", "https://ntfy.example/", None, recorder)


# --- Mattermost and Apprise ----------------------------------------------------------------------


@given(st.text(max_size=6_000), st.integers(0, 40))
def test_a_chat_never_gets_more_than_it_takes_and_the_link_survives(text: str, times: int) -> None:
    message = replace(
        poisoned(text), paragraphs=(text,) * times, links=(Link(text, "https://watch.example.org/a"),)
    )
    said = mattermost_payload(message)["text"]
    assert len(said) <= CHAT_LIMIT
    assert "(https://watch.example.org/a)" in said


def test_addresses_stay_whole_and_nothing_else_is_markup() -> None:
    said = harmless("see https://watch.example.org/a_b?x=1 <!channel> @here *bold*")
    assert said.startswith("see https://watch.example.org/a_b?x=1 ")
    assert "<" not in said
    assert "@here" not in said


def test_an_address_that_apprise_does_not_know_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="knows no such address") as caught:
        apprise_notifier("pigeon://hidden-token")
    assert "hidden" not in str(caught.value)


def test_a_chat_server_whose_own_script_failed_is_told_of_and_gets_no_second_message() -> None:
    def failing(url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        return HttpAnswer(200, '{"success": false}')

    receipt = MattermostChannel("chat", "https://chat.example/hooks/x", failing).send(MESSAGE)
    assert "says that it failed" in receipt.note


def test_without_apprise_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ValueError, match=r"sitewatch\[apprise\]"):
        apprise_notifier("json://127.0.0.1")
