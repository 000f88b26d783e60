"""Slack by incoming webhook: Block Kit sent through our own guarded client."""

import json
import math
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from alerts.channels import HttpAnswer, HttpPost, Message, Receipt, SendError
from alerts.channels.safe_text import safe_url, server_words
from alerts.channels.slack_blocks import payload

MIN_INTERVAL_S = 1.0
"""Slack allows one message a second for each channel, with short bursts."""

_WAIT_WITHOUT_RETRY_AFTER_S = 30.0
# Shorter parts of a path are words such as `services`, which may be shown.
_SECRET_LENGTH = 12
_TRY_AGAIN_STATUSES = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
_TRY_AGAIN_CODES = frozenset(
    {
        "rate_limited",
        "ratelimited",
        "rollup_error",
        "fatal_error",
        "internal_error",
        "service_unavailable",
        "request_timeout",
    }
)
_NEW_WEBHOOK = "Make a new incoming webhook in the Slack app's settings and put its address into {setting}."
_OUR_FAULT = (
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
    "invalid_payload": _OUR_FAULT,
    "invalid_blocks": _OUR_FAULT,
    "invalid_blocks_format": _OUR_FAULT,
    "msg_blocks_too_long": _OUR_FAULT,
    "no_text": _OUR_FAULT,
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
        self._secrets = _secrets(webhook_url)

    def __repr__(self) -> str:
        return f"SlackChannel({self.name!r})"

    def send(self, message: Message) -> Receipt:
        """Post once; only the body `ok` is success. A webhook gives no reference back."""
        body = json.dumps(payload(message)).encode()
        try:
            answer = self._post(self._url, body, {"Content-Type": "application/json; charset=utf-8"})
        except SendError as error:
            raise self._no_answer(error) from None
        if answer.status == HTTPStatus.OK and answer.body.strip() == "ok":
            return Receipt()
        raise self._refusal(answer)

    def _no_answer(self, error: SendError) -> SendError:
        words = server_words(error.reason, self._secrets).rstrip(".")
        return SendError(
            f"Slack could not be asked for the channel “{self.name}”: {words}. Check the network and {self._setting}; "
            "sitewatch tries again by itself.",
            permanent=error.permanent,
            retry_after_s=error.retry_after_s,
            counts=error.permanent,
        )

    def _refusal(self, answer: HttpAnswer) -> SendError:
        code = _code(answer.body)
        said = f"Slack answered HTTP {answer.status}"
        if words := server_words(code, self._secrets, 80):
            said += f", “{words}”"
        said += f", for the channel “{self.name}”."
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS or code in {"rate_limited", "ratelimited"}:
            wait_s = _retry_after_s(answer)
            return SendError(
                f"{said} It wants fewer messages a second; sitewatch waits and goes on by itself.",
                retry_after_s=_WAIT_WITHOUT_RETRY_AFTER_S if wait_s is None else wait_s,
                counts=False,
            )
        if self._worth_another_try(answer, code):
            return SendError(
                f"{said} sitewatch tries again by itself; status.slack.com tells of troubles at Slack.",
                retry_after_s=_retry_after_s(answer),
            )
        mend = _MEND.get(code, "Check that {setting} is an incoming webhook of Slack. " + _NEW_WEBHOOK)
        return SendError(f"{said} {mend.format(setting=self._setting)}", permanent=True)

    @staticmethod
    def _worth_another_try(answer: HttpAnswer, code: str) -> bool:
        if (
            answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            or answer.status in _TRY_AGAIN_STATUSES
            or code in _TRY_AGAIN_CODES
        ):
            return True
        # A page instead of `ok` comes from something between Slack and us, such as a hotel's log-in page.
        return HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES and not _is_refusal(answer.body)


def _secrets(url: str) -> tuple[str, ...]:
    """Whatever of the address could be used to post, whole and in parts."""
    parts = urlsplit(url)
    pieces = (parts.path, parts.path.strip("/"), parts.query, *parts.path.split("/"))
    return (url, *(piece for piece in pieces if len(piece) >= _SECRET_LENGTH))


def _json(body: str) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _is_refusal(body: str) -> bool:
    return _json(body).get("ok") is False


def _code(body: str) -> str:
    """Find Slack's error code: plain text for webhooks, `error` in JSON elsewhere."""
    return str(_json(body).get("error") or body).strip()


def _retry_after_s(answer: HttpAnswer) -> float | None:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    given = headers.get("retry-after", _json(answer.body).get("retry_after"))
    if given is None:
        return None
    seconds = _number(given)
    return _until(str(given), headers.get("date", "")) if seconds is None else seconds


def _number(given: object) -> float | None:
    try:
        seconds = float(str(given))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _until(moment: str, date: str) -> float | None:
    """Read the form of Retry-After that names a moment, by the server's own clock."""
    try:
        wait_s = (parsedate_to_datetime(moment) - parsedate_to_datetime(date)).total_seconds()
    except (ValueError, TypeError):
        return None
    return max(wait_s, 0.0)
