"""What channels that post to a web server have in common: what its answers mean, and what of its address is secret."""

import json
import math
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from alerts.channels import HttpAnswer, HttpPost, SendError
from alerts.channels.safe_text import server_words

WAIT_WITHOUT_RETRY_AFTER_S = 30.0
# Shorter parts of a path are words such as `services`, which may be shown.
_SECRET_LENGTH = 12
OUR_STATUSES = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
PASSING_STATUSES = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})


@dataclass(frozen=True, slots=True)
class WebPost:
    """Posts for one channel; every refusal becomes a SendError that says what to mend and holds no secret."""

    who: str
    channel: str
    post: HttpPost
    secrets: tuple[str, ...]
    mend: str
    """What to do where the server refuses any message: a sentence."""

    def __repr__(self) -> str:
        return f"WebPost({self.channel!r})"

    def post_once(self, url: str, body: bytes, headers: dict[str, str]) -> HttpAnswer:
        """Post once; give the answer where it is an acceptance, else raise SendError."""
        try:
            answer = self.post(url, body, headers)
        except SendError as error:
            raise no_answer(self.who, self.channel, error, self.secrets, " and the address") from None
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer
        raise self._refusal(answer)

    def _refusal(self, answer: HttpAnswer) -> SendError:
        said = f"{self.who} answered HTTP {answer.status}"
        if words := server_words(said_code(answer.body), self.secrets, 80):
            said += f", “{words}”"
        said += f", for the channel “{self.channel}”."
        wait_s = wait_wished_s(answer)
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            return SendError(
                f"{said} It wants fewer messages; sitewatch waits and goes on by itself.",
                fault="channel",
                retry_after_s=WAIT_WITHOUT_RETRY_AFTER_S if wait_s is None else wait_s,
            )
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in PASSING_STATUSES:
            return SendError(
                f"{said} sitewatch tries again by itself.", fault="channel", retry_after_s=wait_s
            )
        if answer.status in OUR_STATUSES:
            return SendError(
                f"{said} It does not take this message; “sitewatch alerts show” prints what could not be sent.",
                permanent=True,
            )
        return SendError(f"{said} {self.mend} The messages wait until it works.", fault="channel")


def secret_parts(url: str) -> tuple[str, ...]:
    """Whatever of the address could be used to post, whole and in parts."""
    parts = urlsplit(url)
    pieces = (parts.path, parts.path.strip("/"), parts.query, *parts.path.split("/"))
    own = (parts.password,) if parts.password else ()
    return (url, *own, *(piece for piece in pieces if len(piece) >= _SECRET_LENGTH))


def json_object(body: str) -> dict[str, Any]:
    """The answer's JSON object; an empty one where it is none."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def said_code(body: str) -> str:
    """What a server says is wrong: `error` of a JSON object, else its text."""
    return str(json_object(body).get("error") or body).strip()


def no_answer(
    who: str, channel: str, error: SendError, secrets: tuple[str, ...], beside: str = ""
) -> SendError:
    """What to say where a server could not be reached; `beside` is what to check beside the network."""
    words = server_words(error.reason, secrets).rstrip(".")
    return SendError(
        f"{who} could not be asked for the channel “{channel}”: {words}. Check the network{beside}; sitewatch tries again by itself.",
        fault="channel",
        retry_after_s=error.retry_after_s,
    )


def wait_wished_s(answer: HttpAnswer) -> float | None:
    """How long the server wants to be left alone, in seconds; None where it does not say."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    given = headers.get("retry-after", json_object(answer.body).get("retry_after"))
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
