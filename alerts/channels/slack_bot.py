"""Slack by bot token: one message an incident, amended as it goes on, with what changed and the picture in its thread.

Methods: docs.slack.dev/reference/methods (chat.postMessage, chat.update, conversations.history, conversations.replies,
files.getUploadURLExternal, files.completeUploadExternal). Slack answers HTTP 200 to most refusals, with `ok` false.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from slack_sdk.models.blocks import ActionsBlock, ButtonElement

from alerts.channels import HttpAnswer, HttpPost, Message, Receipt, SendError, own_words
from alerts.channels.posting import WAIT_WITHOUT_RETRY_AFTER_S, json_object, no_answer, wait_wished_s
from alerts.channels.safe_text import cut_text, one_line, safe_url, server_words
from alerts.channels.slack import MIN_INTERVAL_S, OUR_CODES, OUR_FAULT, PASSING_CODES
from alerts.channels.slack_blocks import EVENT_TYPE, URL_LIMIT, slack_payload
from db.said import phrase

BUTTON_LIMIT = 75
MOST_BUTTONS = 5
_SEEN, _PAGES = 100, 10
"""Messages on a page, and pages, that are looked through for an earlier copy."""
_CLOCKS_APART = timedelta(hours=1)
"""So much earlier than the message was owed is looked from: Slack's clock and ours may differ."""
_GONE = frozenset(
    {"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found", "is_inactive"}
)
"""The message that was to be amended is not there any more, or cannot be amended."""
_RATE_CODES = frozenset({"ratelimited", "rate_limited"})
_NEW_ONE = "Make a bot token (xoxb-…) in the Slack app's settings, page “OAuth & Permissions”, and put it into token."
_MEND = {
    "not_authed": f"The token is missing. {_NEW_ONE}",
    "invalid_auth": f"The token is wrong. {_NEW_ONE}",
    "account_inactive": f"The token's app or workspace is gone. {_NEW_ONE}",
    "token_revoked": f"The token was revoked. {_NEW_ONE}",
    "token_expired": f"The token has expired. {_NEW_ONE}",
    "missing_scope": "The app lacks a permission: give it chat:write and files:write, and channels:history to spot repeats.",
    "channel_not_found": "There is no such Slack channel, or the bot may not see it: write the channel's id (C…) and invite the bot.",
    "not_in_channel": "Invite the bot into the Slack channel: /invite @its-name.",
    "is_archived": "The Slack channel is archived: unarchive it, or choose another.",
    "restricted_action": "A Slack administrator forbids this post; ask them to allow the app there.",
}
_MEND_ELSE = "Look the word up at docs.slack.dev; check token and channel."
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class SlackBotChannel:
    """Posts to one Slack channel as an app; the token is a secret and appears nowhere."""

    min_interval_s = MIN_INTERVAL_S

    def __init__(
        self, name: str, token: str, channel: str, post: HttpPost, *, api_url: str, buttons: bool = True
    ) -> None:
        self.name = name
        self._channel = channel
        self._buttons = buttons
        self._slack = _SlackApi(name, token, post, api_url.rstrip("/"))

    def __repr__(self) -> str:
        return f"SlackBotChannel({self.name!r}, {self._channel!r})"

    def send(self, message: Message) -> Receipt:
        """Post the first message of a thread; amend it with every further one, which goes into the thread as well."""
        root = _ts_of(message.thread_ref, self._channel)
        payload = bot_payload(message, buttons=self._buttons)
        if root is not None and not self._amended(root, payload):
            root = None
        there = self._earlier_copy(message, root) if message.repeated else None
        ts = there or self._posted({**payload, **({"thread_ts": root} if root else {})})
        note = "" if there else self._picture(message, root or ts)
        return Receipt(f"{self._channel}:{root or ts}", note)

    def _amended(self, root: str, payload: Mapping[str, Any]) -> bool:
        """Whether the first message now says the newest; False where it is gone, so that a new one is needed."""
        metadata = {"event_type": EVENT_TYPE, "event_payload": {"amended": True}}
        shown = {name: value for name, value in payload.items() if name in {"text", "blocks"}}
        answer = self._slack.ask(
            "chat.update", {"channel": self._channel, "ts": root, **shown, "metadata": metadata}
        )
        if answer.get("ok") is True:
            return True
        if answer.get("error") in _GONE:
            return False
        raise self._slack.refusal(answer)

    def _earlier_copy(self, message: Message, root: str | None) -> str | None:
        """The earlier try of this very message, if it arrived though nobody heard so; None where nobody can tell."""
        identity = one_line(message.identity)
        for each in self._since(message.created_at - _CLOCKS_APART, root):
            payload = (each.get("metadata") or {}).get("event_payload") or {}
            if payload.get("identity") == identity and isinstance(each.get("ts"), str):
                return str(each["ts"])
        return None

    def _since(self, oldest: datetime, root: str | None) -> Iterator[dict[str, Any]]:
        """What stands in the channel, or in a thread, since then: Slack gives a thread its oldest first, page by page."""
        method = "conversations.replies" if root else "conversations.history"
        query = {"channel": self._channel, "limit": str(_SEEN), "include_all_metadata": "true"}
        query |= {"oldest": f"{oldest.timestamp():.6f}", **({"ts": root} if root else {})}
        for _ in range(_PAGES):
            answer = self._slack.ask(method, query, form=True)
            yield from answer.get("messages") or ()
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return
            query = {**query, "cursor": str(cursor)}

    def _posted(self, payload: Mapping[str, Any]) -> str:
        answer = self._slack.ask("chat.postMessage", {"channel": self._channel, **payload})
        ts = answer.get("ts")
        if answer.get("ok") is True and isinstance(ts, str):
            return ts
        raise self._slack.refusal(answer)

    def _picture(self, message: Message, root: str) -> str:
        """Upload the picture into the thread; a failure of that is told and sends no message twice."""
        if message.image_png is None:
            return ""
        try:
            self._upload(
                message.image_png, one_line(message.image_alt) or own_words(message, phrase("Chart")), root
            )
        except SendError as error:
            return f"The message is there, its picture is not. {error.reason}"
        return ""

    def _upload(self, image: bytes, alt: str, root: str) -> None:
        alt = cut_text(alt, 1_000)
        query = {"filename": "sitewatch.png", "length": str(len(image)), "alt_txt": alt}
        place = self._slack.wanted("files.getUploadURLExternal", query, form=True)
        self._slack.upload(str(place.get("upload_url", "")), image)
        files = [{"id": str(place.get("file_id", "")), "title": cut_text(alt, 200)}]
        done = {"files": files, "channel_id": self._channel, "thread_ts": root}
        self._slack.wanted("files.completeUploadExternal", done)


class _SlackApi:
    """Slack's web API for one token: asks, and says what a refusal means."""

    def __init__(self, name: str, token: str, post: HttpPost, api_url: str) -> None:
        self._name, self._post, self._url = name, post, api_url
        self._token = token

    def ask(self, method: str, arguments: Mapping[str, Any], *, form: bool = False) -> dict[str, Any]:
        """Call a method; give Slack's answer, good or not, or raise SendError where there was none."""
        body = urlencode(arguments) if form else json.dumps(arguments)
        headers = {**(_FORM if form else _JSON), "Authorization": f"Bearer {self._token}"}
        answer = self._send(f"{self._url}/{method}", body.encode(), headers)
        said = json_object(answer.body)
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS or said.get("error") in _RATE_CODES:
            wait_s = wait_wished_s(answer)
            raise SendError(
                f"Slack answered “ratelimited” to {method}, for the channel “{self._name}”. sitewatch waits and goes on by itself.",
                fault="channel",
                retry_after_s=WAIT_WITHOUT_RETRY_AFTER_S if wait_s is None else wait_s,
            )
        if "ok" not in said:
            raise self._no_sense(method, answer)
        return said

    def wanted(self, method: str, arguments: Mapping[str, Any], *, form: bool = False) -> dict[str, Any]:
        """Call a method that has to succeed."""
        answer = self.ask(method, arguments, form=form)
        if answer.get("ok") is True:
            return answer
        raise self.refusal(answer)

    def upload(self, url: str, content: bytes) -> None:
        """Post a file to where Slack said."""
        if safe_url(url) is None:
            raise SendError("Slack named no address for the file.", fault="channel")
        answer = self._send(url, content, {"Content-Type": "application/octet-stream"})
        if answer.status != HTTPStatus.OK:
            raise self._no_sense("the upload", answer)

    def refusal(self, answer: Mapping[str, Any]) -> SendError:
        """What a refusal with `ok` false means."""
        code = str(answer.get("error", "no reason"))
        words = server_words(code, (self._token,), 80)
        said = f"Slack answered “{words}”, for the channel “{self._name}”."
        if code in OUR_CODES or code == "invalid_metadata_format":
            return SendError(f"{said} {OUR_FAULT}", permanent=True)
        if code in PASSING_CODES:
            return SendError(f"{said} sitewatch tries again by itself.", fault="channel")
        mend = _MEND.get(code, _MEND_ELSE)
        return SendError(f"{said} {mend} The messages wait until it works.", fault="channel")

    def _send(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        try:
            return self._post(url, body, headers)
        except SendError as error:
            raise no_answer("Slack", self._name, error, (self._token,)) from None

    def _no_sense(self, what: str, answer: HttpAnswer) -> SendError:
        words = server_words(answer.body, (self._token,), 80)
        return SendError(
            f"Slack answered HTTP {answer.status}, “{words}”, to {what}, for the channel “{self._name}”. Check that nothing stands "
            "between this machine and Slack; sitewatch tries again by itself.",
            fault="channel",
            retry_after_s=wait_wished_s(answer),
        )


def bot_payload(message: Message, *, buttons: bool) -> dict[str, Any]:
    """The arguments of chat.postMessage, without channel and thread."""
    payload = slack_payload(message)
    shown = [*payload["blocks"], *(_buttons(message) if buttons else ())]
    return {name: value for name, value in {**payload, "blocks": shown}.items() if name != "mrkdwn"}


def _buttons(message: Message) -> list[dict[str, Any]]:
    found = [
        ButtonElement(
            text={
                "type": "plain_text",
                "text": cut_text(one_line(link.text), BUTTON_LIMIT) or own_words(message, phrase("Open")),
                "emoji": False,
            },
            url=url,
            action_id=f"open_{number}",
        )
        for number, link in enumerate(message.actions)
        if (url := safe_url(link.url)) and len(url) <= URL_LIMIT
    ]
    return [ActionsBlock(elements=found[:MOST_BUTTONS]).to_dict()] if found else []


def _ts_of(reference: str | None, channel: str) -> str | None:
    """The `ts` of a thread's first message, where it stands in this Slack channel."""
    there, colon, ts = (reference or "").partition(":")
    return ts if colon and there == channel and ts else None
