"""Answers as HTTP has them: `HEAD` is `GET` without the body, what a reader has already is not sent again."""

import hashlib
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STREAM = "text/event-stream"
_KEPT = ("cache-control", "content-location", "etag", "vary", "set-cookie")
"""What a 304 repeats (RFC 9110, section 15.4.5), and a cookie that goes along."""


class Head:
    """Answers `HEAD` wherever `GET` is answered, with the same status and headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask as `GET`, and keep the body back."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        ended = False

        async def without_body(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.body":
                if ended:
                    return
                # A stream would go on for ever.
                ended, message = True, {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, without_body)


class Tagged:
    """Gives each whole answer to `GET` a tag of its content, and answers 304 to whoever has it already."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold the head of the answer back until its body is there."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        known = Headers(scope=scope).get("if-none-match", "")
        await self._app(scope, receive, _Tagging(send, known))


class _Tagging:
    def __init__(self, send: Send, known: str) -> None:
        self._send, self._known = send, known
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            plain = message["status"] == HTTPStatus.OK and "etag" not in headers
            if plain and not headers.get("content-type", "").startswith(_STREAM):
                self._start = message
                return
        elif self._start is not None and message["type"] == "http.response.body":
            start, self._start = self._start, None
            if not message.get("more_body", False):
                await self._tag(start, message)
                return
            await self._send(start)
        await self._send(message)

    async def _tag(self, start: Message, body: Message) -> None:
        headers = MutableHeaders(raw=start["headers"])
        # Weak: packed and unpacked, it is the same content.
        headers["ETag"] = f'W/"{hashlib.sha256(body.get("body", b"")).hexdigest()[:32]}"'
        if not has_tag(self._known, headers["ETag"]):
            await self._send(start)
            await self._send(body)
            return
        kept = [(name, value) for name, value in start["headers"] if name.decode("latin-1").lower() in _KEPT]
        await self._send({**start, "status": HTTPStatus.NOT_MODIFIED, "headers": kept})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def has_tag(known: str, tag: str) -> bool:
    """Whether `If-None-Match` names this tag, weak or strong."""
    tags = {each.strip().removeprefix("W/") for each in known.split(",")}
    return "*" in tags or tag.removeprefix("W/") in tags
