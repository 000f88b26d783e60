"""Slack by bot token: one message an incident, amended; a thread; a picture; repeats spotted; refusals understood."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from slackblocks.blocks import ActionsBlock
from slackblocks.elements import Button, Element
from sqlalchemy import Engine

from alerts.channels import HttpAnswer, HttpPost, Link, Message, SendError
from alerts.channels.slack_bot import SlackBotChannel, bot_payload
from alerts.delivery.worker import deliver_due
from db.deliveries import deliveries
from db.engine import reading, writing
from db.records import Delivery
from tests.kit.channel_contract import MESSAGE, NOON
from tests.kit.fakes.http_post import LoopbackPost
from tests.kit.fakes.scripted import Scripted
from tests.kit.fakes.slack import fault_of_blocks
from tests.kit.fakes.slack_api import CHANNEL, TOKEN, SlackApi
from tests.kit.owing import owe_event, store_alert, store_event

ACKNOWLEDGE = Link("Acknowledge", "https://watch.example.org/alerts/1#acknowledge")
OPENED = replace(MESSAGE, image_png=None, image_alt="", actions=(ACKNOWLEDGE,))
RESOLVED = replace(OPENED, identity="alert-1:2:x", status="Resolved", headline="Back to 3", actions=())


@pytest.fixture
def api() -> Iterator[SlackApi]:
    opened = SlackApi()
    with opened.desk:
        yield opened


def bot(api: SlackApi) -> SlackBotChannel:
    return SlackBotChannel("bot", TOKEN, CHANNEL, LoopbackPost(5), api_url=api.root)


def headlines(messages: list[dict[str, object]]) -> list[object]:
    return [each["blocks"][0]["text"]["text"] for each in messages]  # type: ignore[index]


def test_an_incident_is_one_message_that_is_amended_with_the_story_in_its_thread(api: SlackApi) -> None:
    first = bot(api).send(OPENED)
    second = bot(api).send(replace(RESOLVED, thread_ref=first.provider_ref))
    assert second.provider_ref == first.provider_ref
    assert headlines(api.top) == ["Back to 3"]
    [root] = api.top
    assert headlines(api.thread(root["ts"])) == ["Back to 3"]


def test_a_message_that_was_deleted_is_posted_anew_and_goes_on_from_there(api: SlackApi) -> None:
    first = bot(api).send(OPENED)
    api.delete(api.top[0]["ts"])
    second = bot(api).send(replace(RESOLVED, thread_ref=first.provider_ref))
    assert second.provider_ref != first.provider_ref
    assert headlines(api.top) == ["Back to 3"]


def test_what_was_posted_in_another_slack_channel_is_not_amended(api: SlackApi) -> None:
    bot(api).send(replace(RESOLVED, thread_ref="C0OTHER:1.1"))
    assert api.updates == []
    assert len(api.top) == 1


def test_a_try_that_arrived_though_nobody_heard_so_is_not_posted_again(api: SlackApi) -> None:
    api.desk.script.append(Scripted(keep=True, drop=True))
    with pytest.raises(SendError):
        bot(api).send(OPENED)
    receipt = bot(api).send(replace(OPENED, repeated=True))
    assert len(api.messages) == 1
    assert receipt.provider_ref == f"{CHANNEL}:{api.top[0]['ts']}"


def test_so_it_is_in_a_thread(api: SlackApi) -> None:
    first = bot(api).send(OPENED)
    further = replace(RESOLVED, thread_ref=first.provider_ref)
    bot(api).send(further)
    bot(api).send(replace(further, repeated=True))
    assert len(api.thread(api.top[0]["ts"])) == 1


def test_so_it_is_in_a_long_thread_that_comes_page_by_page_the_oldest_first(api: SlackApi) -> None:
    first = bot(api).send(OPENED)
    [root] = api.top
    others = [
        {**root, "ts": f"1700000001.{n:06}", "thread_ts": root["ts"], "metadata": {}} for n in range(250)
    ]
    further = replace(RESOLVED, thread_ref=first.provider_ref)
    bot(api).send(further)
    api.messages[1:1] = others
    bot(api).send(replace(further, repeated=True))
    assert len(api.thread(root["ts"])) == len(others) + 1


def test_where_the_history_may_not_be_read_it_is_posted_rather_than_lost(api: SlackApi) -> None:
    api.may_read_history = False
    bot(api).send(replace(OPENED, repeated=True))
    assert len(api.messages) == 1


def test_the_picture_is_uploaded_into_the_thread(api: SlackApi) -> None:
    receipt = bot(api).send(replace(MESSAGE, actions=()))
    [shared] = api.files
    assert receipt.note == ""
    assert api.uploaded["F1"] == MESSAGE.image_png
    assert (shared["channel_id"], shared["thread_ts"]) == (CHANNEL, api.top[0]["ts"])


def test_a_picture_that_cannot_be_uploaded_is_told_and_costs_no_second_message(api: SlackApi) -> None:
    refusal = json.dumps({"ok": False, "error": "missing_scope"})
    # The message itself, and then the question where the file may go.
    api.desk.script.extend([Scripted(200, json.dumps({"ok": True, "ts": "1.1"})), Scripted(200, refusal)])
    receipt = bot(api).send(MESSAGE)
    assert "The message is there, its picture is not." in receipt.note
    assert "files:write" in receipt.note


@pytest.mark.parametrize(
    ("status", "error", "fault", "permanent", "words"),
    [
        (200, "invalid_auth", "channel", False, "Make a bot token"),
        (200, "not_in_channel", "channel", False, "Invite the bot"),
        (200, "channel_not_found", "channel", False, "the channel's id"),
        (200, "internal_error", "channel", False, "tries again by itself"),
        (200, "msg_too_long", "message", True, "please report it"),
        (200, "something_new", "channel", False, "docs.slack.dev"),
        (200, "ratelimited", "channel", False, "waits and goes on by itself"),
    ],
)
def test_each_refusal_is_understood(
    api: SlackApi, status: int, error: str, fault: str, words: str, *, permanent: bool
) -> None:
    api.desk.script.append(Scripted(status, json.dumps({"ok": False, "error": error})))
    with pytest.raises(SendError) as caught:
        bot(api).send(OPENED)
    assert (caught.value.fault, caught.value.permanent) == (fault, permanent)
    assert words in caught.value.reason


def test_a_rate_limit_while_amending_posts_nothing_and_waits_as_long_as_slack_says(api: SlackApi) -> None:
    first = bot(api).send(OPENED)
    api.desk.script.append(Scripted(429, "", {"Retry-After": "11"}))
    with pytest.raises(SendError) as caught:
        bot(api).send(replace(RESOLVED, thread_ref=first.provider_ref))
    assert caught.value.retry_after_s == 11
    assert len(api.messages) == 1


def test_buttons_lead_to_pages_and_keep_the_limits_by_an_independent_count() -> None:
    many = tuple(Link("x" * 200, f"https://watch.example.org/{number}") for number in range(9))
    hostile = Message(
        "i", "t", "s", "New", "h", ("p" * 9_000,) * 40, created_at=MESSAGE.created_at, actions=many
    )
    payload = bot_payload(hostile, buttons=True)
    assert fault_of_blocks(payload["blocks"]) is None
    assert len(payload["blocks"]) <= 50
    [actions] = [block for block in payload["blocks"] if block["type"] == "actions"]
    oracle: list[Element] = [
        Button(each["text"]["text"], action_id=each["action_id"], url=each["url"])
        for each in actions["elements"]
    ]
    assert len(ActionsBlock(oracle).elements or ()) == 5
    assert not [
        block for block in bot_payload(hostile, buttons=False)["blocks"] if block["type"] == "actions"
    ]


def test_over_a_kill_after_slack_took_it_an_incident_has_one_message_and_one_line_a_change(
    engine: Engine, api: SlackApi
) -> None:
    """The process dies when Slack has the message and nobody has noted it, at each of the story's messages."""
    with writing(engine) as connection:
        store_alert(connection, 1, NOON)
        owe_event(connection, 1, ["bot"], NOON)
        store_event(connection, 1, 2, "resolved", NOON)
        owe_event(connection, 1, ["bot"], NOON, seq=2)

    class KilledError(BaseException):
        pass

    class DyingPost:
        """Dies once Slack has answered a post with a message of its own."""

        def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
            answer = LoopbackPost(5)(url, body, headers)
            if url.endswith("chat.postMessage"):
                raise KilledError
            return answer

    def compose(row: Delivery) -> Message:
        return replace(OPENED if row.event_seq == 1 else RESOLVED, identity=row.identity)

    def standing(moment: datetime) -> Callable[[], datetime]:
        return lambda: moment

    def sender(post: HttpPost) -> SlackBotChannel:
        made = SlackBotChannel("bot", TOKEN, CHANNEL, post, api_url=api.root)
        made.min_interval_s = 0.0
        return made

    now = NOON
    for number in range(2):
        with pytest.raises(KilledError):
            deliver_due(
                engine, {"bot": sender(DyingPost())}, compose, standing(now), f"dies {number}", limit=1
            )
        now += timedelta(minutes=5)
        deliver_due(
            engine, {"bot": sender(LoopbackPost(5))}, compose, standing(now), f"next {number}", limit=1
        )
    [root] = api.top
    assert headlines(api.top) == ["Back to 3"]
    assert headlines(api.thread(root["ts"])) == ["Back to 3"]
    with reading(engine) as connection:
        assert [each.state for each in deliveries(connection)] == ["sent", "sent"]


def test_a_place_for_the_file_that_is_none_is_told(api: SlackApi) -> None:
    posted = json.dumps({"ok": True, "ts": "1.1"})
    nowhere = json.dumps({"ok": True, "upload_url": "ftp://x", "file_id": "F1"})
    api.desk.script.extend([Scripted(200, posted), Scripted(200, nowhere)])
    assert "named no address for the file" in bot(api).send(MESSAGE).note
    full = json.dumps({"ok": True, "upload_url": f"{api.desk.root}/upload/v1/F1", "file_id": "F1"})
    api.desk.script.extend([Scripted(200, posted), Scripted(200, full), Scripted(507, "full")])
    assert "answered HTTP 507" in bot(api).send(MESSAGE).note
