"""Slack: inside every limit, nothing foreign as markup, each answer understood for what it is."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slackblocks import Message as OracleMessage
from slackblocks.blocks import Block as OracleBlock
from slackblocks.rich_text.elements import RichTextLink

from alerts.channels import HttpAnswer, Link, Message, Receipt, SendError
from alerts.channels.slack import SlackChannel
from alerts.channels.slack_blocks import BLOCKS_LIMIT, slack_payload
from tests.kit.channel_contract import MESSAGE, NOON
from tests.kit.fakes.http_post import LoopbackPost
from tests.kit.fakes.slack import PATH, SECRET, FakeSlack, fault_of_blocks, strings

URL = f"https://hooks.slack.com{PATH}"
HEADER = {"type": "header", "text": {"type": "plain_text", "text": "x"}}


def section(length: int, kind: str = "plain_text") -> dict[str, Any]:
    return {"type": "section", "text": {"type": kind, "text": "x" * length}}


# --- the fake is as strict as Slack -------------------------------------------------------------


@pytest.mark.parametrize(
    "blocks",
    [
        [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
        [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}],
        [section(3_001)],
        [section(0)],
        [{"type": "section"}],
        [{"type": "section", "fields": [HEADER["text"]] * 11}],
        [{"type": "section", "fields": [{"type": "plain_text", "text": "x" * 2_001}]}],
        [{"type": "context", "elements": [HEADER["text"]] * 11}],
        [{"type": "context", "elements": []}],
        [HEADER] * 51,
        [{"type": "carrier_pigeon"}],
        [{"type": "divider", "block_id": "x" * 256}],
        [{"type": "rich_text", "elements": []}],
        [{"type": "actions", "elements": [{"text": {"type": "plain_text", "text": "x" * 76}}]}],
        [{"type": "image", "image_url": "https://x.example/" + "x" * 3_000, "alt_text": "x"}],
        [section(3_000)] * 5,
        "not a list",
    ],
)
def test_the_fake_refuses_what_slack_refuses(blocks: Any) -> None:
    assert fault_of_blocks(blocks) is not None


@pytest.mark.parametrize(
    "blocks",
    [
        [HEADER, section(3_000), {"type": "divider"}],
        [HEADER] * 50,
        [{"type": "section", "fields": [HEADER["text"]] * 10}],
        [section(3_000)] * 4,
    ],
)
def test_the_fake_takes_what_slack_takes(blocks: Any) -> None:
    assert fault_of_blocks(blocks) is None


# --- the blocks ---------------------------------------------------------------------------------

texts = st.one_of(
    st.text(max_size=40),
    st.text(st.sampled_from("<>&*_~`|!@: \n\r\x00\u202e🚂평")),
    st.builds(lambda text, times: text * times, st.text(min_size=1, max_size=8), st.integers(1, 2_000)),
)
links = st.builds(Link, texts, st.one_of(texts, texts.map(lambda text: f"https://watch.example.org/{text}")))
messages = st.builds(
    Message,
    identity=texts,
    thread=texts,
    subject=texts,
    status=texts,
    headline=texts,
    paragraphs=st.lists(texts, max_size=40).map(tuple),
    created_at=st.just(NOON),
    facts=st.lists(st.tuples(texts, texts), max_size=40).map(tuple),
    links=st.lists(links, max_size=15).map(tuple),
    footer=texts,
    image_alt=texts,
)


def oracle(blocks: list[dict[str, Any]]) -> None:
    """Let an independent library check the blocks; it cannot read rich text back, but it can build its links."""
    known = [block for block in blocks if block["type"] != "rich_text"]
    OracleMessage(channel="#cast", text="x", blocks=[OracleBlock.from_dict(block) for block in known])
    for block in blocks:
        if block["type"] == "rich_text":
            for part in block["elements"][0]["elements"]:
                if part["type"] == "link":
                    RichTextLink(url=part["url"], text=part["text"])


@settings(max_examples=50)
@given(messages)
def test_no_message_leaves_the_limits_or_speaks_slacks_markup(message: Message) -> None:
    body = json.loads(json.dumps(slack_payload(message)))
    assert fault_of_blocks(body["blocks"]) is None
    oracle(body["blocks"])
    said = [body["text"], *strings(body["blocks"])]
    assert not [text for text in said if "<" in text or ">" in text]
    assert "mrkdwn" not in json.dumps(body["blocks"])
    assert 1 <= len(body["text"]) <= 4_000
    assert sum(len(text) for text in strings(body["blocks"])) <= BLOCKS_LIMIT + 50


def spoken(message: Message) -> str:
    return "\n".join(strings(slack_payload(message)["blocks"]))


def test_whatever_is_cut_is_said_to_be_on_the_page() -> None:
    many = tuple(f"Paragraph {number}." for number in range(60))
    for longer in (
        replace(MESSAGE, paragraphs=("word " * 2_000,)),
        replace(MESSAGE, paragraphs=many),
        replace(MESSAGE, facts=tuple((f"fact {number}", "x") for number in range(31))),
        replace(MESSAGE, facts=(("fact", "x" * 2_001),)),
        replace(MESSAGE, links=(*MESSAGE.links, Link("far", "https://x.example/" + "x" * 3_000))),
        replace(MESSAGE, links=MESSAGE.links * 11),
        replace(MESSAGE, headline="long " * 1_000),
        replace(MESSAGE, footer="long " * 200),
    ):
        assert "the rest is on the page" in spoken(longer)
    assert "on the page" not in spoken(MESSAGE)
    assert "“sitewatch alerts show”" in spoken(replace(MESSAGE, links=(), paragraphs=many))


def test_a_cut_text_ends_in_an_ellipsis_and_never_inside_an_escape() -> None:
    blocks = slack_payload(replace(MESSAGE, paragraphs=("&" * 3_000,), headline="<" * 200))["blocks"]
    header, paragraph = blocks[0]["text"]["text"], blocks[3]["text"]["text"]
    assert header == "&lt;" * 37 + "…"
    assert paragraph == "&amp;" * 599 + "…"
    assert blocks[1]["text"]["text"] == "&lt;" * 200, "a headline that had to be cut is said in full below"


def test_the_first_link_survives_any_amount_of_text() -> None:
    longest = replace(MESSAGE, paragraphs=("x" * 50_000,) * 30, facts=(("y" * 5_000, "z" * 5_000),) * 50)
    assert MESSAGE.links[0].url in spoken(longest)


def test_links_without_words_show_their_address_within_the_limit() -> None:
    bare = tuple(Link(" ", f"https://x.example/{number}/" + "x" * 300) for number in range(10))
    body = slack_payload(replace(MESSAGE, links=bare, paragraphs=("x" * 3_000,) * 4))
    assert fault_of_blocks(body["blocks"]) is None
    assert "https://x.example/0/xxx" in spoken(replace(MESSAGE, links=bare))


def test_foreign_strings_ping_nobody_and_stay_readable() -> None:
    call = replace(MESSAGE, headline="<!channel> & <@U1> *callsign* :skull:", links=())
    body = slack_payload(call)
    assert body["blocks"][0]["text"] == {
        "type": "plain_text",
        "text": "&lt;!channel&gt; &amp; &lt;@U1&gt; *callsign* :skull:",
        "emoji": False,
    }
    assert body["text"].startswith("New: &lt;!channel&gt; &amp; &lt;@U1&gt;")
    assert body["link_names"] is False


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "ftp://x.example/", "//x.example", "https://", "http://[::1", "", "x y"]
)
def test_only_web_links_are_made(url: str) -> None:
    body = slack_payload(replace(MESSAGE, links=(Link("click", url),)))
    assert "rich_text" not in {block["type"] for block in body["blocks"]}


# --- the answers --------------------------------------------------------------------------------


class Answers:
    """Answers every post alike and keeps what was posted."""

    def __init__(self, status: int, body: str, headers: Mapping[str, str] | None = None) -> None:
        self.answer = HttpAnswer(status, body, headers or {})
        self.posts: list[tuple[str, bytes, Mapping[str, str]]] = []

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        self.posts.append((url, body, headers))
        return self.answer


def refusal(status: int, body: str, headers: Mapping[str, str] | None = None) -> SendError:
    with pytest.raises(SendError) as caught:
        SlackChannel("desk", URL, Answers(status, body, headers)).send(MESSAGE)
    return caught.value


def test_only_ok_is_success() -> None:
    post = Answers(200, "ok\n")
    assert SlackChannel("desk", URL, post).send(MESSAGE) == Receipt()
    [(url, body, headers)] = post.posts
    assert url == URL
    assert headers["Content-Type"].startswith("application/json")
    metadata = json.loads(body)["metadata"]
    assert metadata == {"event_type": "sitewatch_delivery", "event_payload": {"identity": MESSAGE.identity}}


OURS = [
    (400, "invalid_payload"),
    (400, "invalid_blocks"),
    (400, "msg_blocks_too_long"),
    (400, "what is this"),
    (413, ""),
    (200, '{"ok":false,"error":"invalid_blocks"}'),
]
THE_CHANNELS = [
    (400, "user_not_found"),
    (400, "invalid_token"),
    (403, "action_prohibited"),
    (403, "invalid_token"),
    (404, "channel_not_found"),
    (404, "no_service"),
    (404, "no_team"),
    (410, "channel_is_archived"),
    (302, ""),
    (401, "<html>who are you"),
    (418, "short and stout"),
    (500, "rollup_error"),
    (503, ""),
    (599, "x"),
    (408, ""),
    (200, '{"ok":false,"error":"fatal_error"}'),
    (200, '{"ok":false,"error":"internal_error"}'),
    (200, '{"ok":false,"error":"service_unavailable"}'),
    (200, '{"ok":false,"error":"request_timeout"}'),
]
ACCEPTED = [
    (200, "ok"),
    (200, "OK"),
    (200, "OK, thanks"),
    (200, ""),
    (200, '{"ok":true}'),
    (200, '"ok"'),
    (200, "[" * 100_000),
    (201, "created"),
    (202, ""),
    (204, ""),
]


@pytest.mark.parametrize(("status", "body"), OURS)
def test_what_slack_finds_wrong_with_a_message_is_the_messages_fault(status: int, body: str) -> None:
    error = refusal(status, body)
    assert (error.fault, error.permanent) == ("message", True)
    assert f"HTTP {status}" in error.reason
    assert "“desk”" in error.reason


@pytest.mark.parametrize(("status", "body"), THE_CHANNELS, ids=lambda value: str(value)[:20])
def test_what_would_meet_every_message_is_the_channels_fault(status: int, body: str) -> None:
    error = refusal(status, body)
    assert (error.fault, error.permanent) == ("channel", False)
    assert f"HTTP {status}" in error.reason
    assert len(error.reason) < 400


@pytest.mark.parametrize(("status", "body"), ACCEPTED, ids=lambda value: str(value)[:20])
def test_what_was_accepted_is_sent_whatever_the_words(status: int, body: str) -> None:
    assert SlackChannel("desk", URL, Answers(status, body)).send(MESSAGE) == Receipt()


def test_a_page_instead_of_slack_is_doubted_and_not_posted_again() -> None:
    receipt = SlackChannel("desk", URL, Answers(200, "<html>Please log in to the hotel.</html>")).send(
        MESSAGE
    )
    assert "Look whether the message arrived" in receipt.note


def test_a_lost_webhook_says_where_to_put_the_new_one() -> None:
    reason = refusal(404, "no_service").reason
    assert "removed or switched off" in reason
    assert "SITEWATCH_SLACK_WEBHOOK_URL (or webhook_url under [channels.desk])" in reason
    assert "fault in sitewatch" in refusal(400, "invalid_blocks").reason
    assert "archived" in refusal(410, "channel_is_archived").reason


@pytest.mark.parametrize(
    ("headers", "body", "wait_s"),
    [
        ({"Retry-After": "7"}, "", 7),
        ({"retry-after": "0.5"}, "", 0.5),
        ({}, '{"retry_after":3,"ok":false,"error":"rate_limited"}', 3),
        ({"Retry-After": "Thu, 05 Oct 2023 12:00:30 GMT", "Date": "Thu, 05 Oct 2023 12:00:00 GMT"}, "", 30),
        ({"Retry-After": "Thu, 05 Oct 2023 11:00:00 GMT", "Date": "Thu, 05 Oct 2023 12:00:00 GMT"}, "", 0),
        ({"Retry-After": "Thu, 05 Oct 2023 12:00:30 GMT"}, "", 30),
        ({"Retry-After": "Thu, 05 Oct 2023 12:00:30 GMT", "Date": "Thu, 05 Oct 2023 12:00:00"}, "", 30),
        ({"Retry-After": "-1"}, "", 30),
        ({"Retry-After": "inf"}, "", 30),
        ({"Retry-After": "nan"}, "", 30),
        ({"Retry-After": "soon"}, "", 30),
        ({}, "", 30),
    ],
)
def test_a_rate_limit_is_kept_as_slack_asks(headers: dict[str, str], body: str, wait_s: float) -> None:
    error = refusal(429, body, headers)
    assert (error.fault, error.permanent, error.retry_after_s) == ("channel", False, wait_s)


def test_a_server_error_may_also_say_when_to_come_back() -> None:
    assert refusal(503, "", {"Retry-After": "120"}).retry_after_s == 120
    assert refusal(503, "").retry_after_s is None


def test_an_address_that_the_guard_forbids_is_the_channels_fault() -> None:
    def guarded(url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        raise SendError(f"{url} lies in a network that is not allowed.", fault="channel")

    with pytest.raises(SendError) as caught:
        SlackChannel("desk", URL, guarded).send(MESSAGE)
    assert caught.value.fault == "channel"
    assert SECRET not in caught.value.reason
    assert "not allowed" in caught.value.reason


@pytest.mark.parametrize(
    "url", ["", "x.example/secret", "ftp://x.example/secret", "https://", "http://[::secret"]
)
def test_a_webhook_that_is_no_address_stops_the_start_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="SITEWATCH_SLACK_WEBHOOK_URL") as caught:
        SlackChannel("desk", url, Answers(200, "ok"))
    assert "secret" not in str(caught.value)


# --- against the fake ---------------------------------------------------------------------------


def test_slack_takes_one_message_a_second() -> None:
    now = 100.0
    with FakeSlack(rate_limited=True, clock=lambda: now) as server:
        channel = SlackChannel("desk", server.url, LoopbackPost())
        channel.send(MESSAGE)
        with pytest.raises(SendError) as caught:
            channel.send(MESSAGE)
        now += 1
        channel.send(MESSAGE)
        assert len(server.accepted) == 2
    assert caught.value.retry_after_s == 1


def test_a_wrong_webhook_is_told_apart_from_a_wrong_address() -> None:
    with FakeSlack() as server:
        root = server.url.removesuffix(PATH)
        for path, words in (("/services/T1/B1/gone", "removed"), ("/elsewhere", "wrong or was revoked")):
            with pytest.raises(SendError, match=words) as caught:
                SlackChannel("desk", root + path, LoopbackPost()).send(MESSAGE)
            assert caught.value.fault == "channel"
