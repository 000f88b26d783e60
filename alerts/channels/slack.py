"""Slack by incoming webhook: Block Kit sent through our own guarded client."""

import json
from http import HTTPStatus

from alerts.channels import HttpAnswer, HttpPost, Message, Receipt, SendError
from alerts.channels.posting import (
    OUR_STATUSES,
    PASSING_STATUSES,
    WAIT_WITHOUT_RETRY_AFTER_S,
    json_object,
    no_answer,
    said_code,
    secret_parts,
    wait_wished_s,
)
from alerts.channels.safe_text import safe_url, server_words
from alerts.channels.slack_blocks import slack_payload

MIN_INTERVAL_S = 1.0
"""Slack allows one message a second for each channel, with short bursts."""

OUR_CODES = frozenset(
    {
        "invalid_payload",
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_blocks_too_long",
        "msg_too_long",
        "too_many_attachments",
        "no_text",
    }
)
"""What Slack finds wrong with a message itself: any other refusal would meet every message."""
PASSING_CODES = frozenset(
    {"rollup_error", "fatal_error", "internal_error", "service_unavailable", "request_timeout"}
)
_NEW_WEBHOOK = "Make a new incoming webhook in the Slack app's settings and put its address into {setting}."
OUR_FAULT = (
    "That is a fault in sitewatch, not in your settings: “sitewatch alerts show” prints what could not be "
    "sent; please report it."
)
_MEND = {
    "invalid_token": "The webhook's address is wrong or was revoked. " + _NEW_WEBHOOK,
    "no_active_hooks": "The webhook was switched off. " + _NEW_WEBHOOK,
    "no_service": "The webhook was removed or switched off. " + _NEW_WEBHOOK,
    "no_team": "Slack knows no such workspace. " + _NEW_WEBHOOK,
    "team_disabled": "The Slack workspace is disabled; ask its owner.",
    "channel_not_found": "The Slack channel behind the webhook is gone. " + _NEW_WEBHOOK,
    "user_not_found": "The person behind the webhook is gone. " + _NEW_WEBHOOK,
    "channel_is_archived": "The Slack channel is archived: unarchive it, or choose another. " + _NEW_WEBHOOK,
    "action_prohibited": "A Slack administrator forbids this post; ask them to allow the app there.",
    "posting_to_general_channel_denied": "Only some may post to that channel; choose another. "
    + _NEW_WEBHOOK,
}


class SlackChannel:
    """Posts to one Slack channel; the webhook's address is a secret and appears nowhere."""

    def __init__(
        self, name: str, webhook_url: str, post: HttpPost, min_interval_s: float = MIN_INTERVAL_S
    ) -> None:
        self.name = name
        self.min_interval_s = min_interval_s
        self._setting = f"SITEWATCH_SLACK_WEBHOOK_URL (or webhook_url under [channels.{name}])"
        if safe_url(webhook_url) is None:
            raise ValueError(
                f"{self._setting} is not a web address. Copy it from the Slack app's settings, page "
                "“Incoming Webhooks”; it begins with https://."
            )
        self._url = webhook_url
        self._post = post
        self._secrets = secret_parts(webhook_url)

    def __repr__(self) -> str:
        return f"SlackChannel({self.name!r})"

    def send(self, message: Message) -> Receipt:
        """Post once; whatever Slack accepted is sent. A webhook gives no reference back."""
        body = json.dumps(slack_payload(message)).encode()
        try:
            answer = self._post(self._url, body, {"Content-Type": "application/json; charset=utf-8"})
        except SendError as error:
            raise no_answer("Slack", self.name, error, self._secrets, f" and {self._setting}") from None
        accepted = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
        if accepted and json_object(answer.body).get("ok") is not False:
            return Receipt(note=self._doubt(answer.body))
        raise self._refusal(answer)

    def _doubt(self, body: str) -> str:
        """Say that something else than Slack may have answered: posting again could tell people twice."""
        if "<" not in body:
            return ""
        words = server_words(body, self._secrets, 80)
        return (
            f"The address of the channel “{self.name}” took the message and answered with a page (“{words}”), as Slack "
            "never does. Look whether the message arrived; it is not posted again."
        )

    def _refusal(self, answer: HttpAnswer) -> SendError:
        code = said_code(answer.body)
        said = f"Slack answered HTTP {answer.status}"
        if words := server_words(code, self._secrets, 80):
            said += f", “{words}”"
        said += f", for the channel “{self.name}”."
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS or code in {"rate_limited", "ratelimited"}:
            wait_s = wait_wished_s(answer)
            return SendError(
                f"{said} It wants fewer messages a second; sitewatch waits and goes on by itself.",
                fault="channel",
                retry_after_s=WAIT_WITHOUT_RETRY_AFTER_S if wait_s is None else wait_s,
            )
        if (
            answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            or answer.status in PASSING_STATUSES
            or code in PASSING_CODES
        ):
            return SendError(
                f"{said} sitewatch tries again by itself; status.slack.com tells of troubles at Slack.",
                fault="channel",
                retry_after_s=wait_wished_s(answer),
            )
        if code in OUR_CODES or (answer.status in OUR_STATUSES and code not in _MEND):
            return SendError(f"{said} {OUR_FAULT}", permanent=True)
        mend = _MEND.get(code, "Check that {setting} is an incoming webhook of Slack. " + _NEW_WEBHOOK)
        return SendError(
            f"{said} {mend.format(setting=self._setting)} The messages wait until it works.", fault="channel"
        )
