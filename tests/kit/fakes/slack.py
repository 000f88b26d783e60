"""A Slack of our own on loopback: one incoming webhook with Slack's limits, errors, rate limit and Retry-After."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.kit.fakes.scripted import Answer, Post, ScriptedServer

SECRET = "xoxhook0123456789abcdef"
PATH = f"/services/T0CAST/B0CAST/{SECRET}"
ALL_BLOCKS_LIMIT = 13_200


class FakeSlack(ScriptedServer):
    """Use as a context manager; `wait_for` blocks until so many posts were accepted."""

    def __init__(self, *, rate_limited: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.rate_limited = rate_limited
        self.clock = clock
        self.accepted: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.changed = threading.Condition()
        self.on_accepted: Callable[[], None] = lambda: None
        self._last_post: float | None = None

    @property
    def url(self) -> str:
        return f"{self.root}{PATH}"

    @property
    def identities(self) -> list[str]:
        return [post["metadata"]["event_payload"]["identity"] for post in self.accepted]

    def wait_for(self, count: int, timeout_s: float = 30) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: len(self.accepted) >= count, timeout_s)

    def judged(self, post: Post) -> Answer:
        with self.changed:
            if self._too_fast():
                said = '{"retry_after":1,"ok":false,"error":"rate_limited"}'
                return 429, said, {"Retry-After": "1", "Content-Type": "application/json"}
            fault = fault_of(post.path, post.headers.get("content-type", ""), post.body)
            if fault:
                self.refused.append(fault[1])
                return (*fault, {})
            self.accepted.append(json.loads(post.body))
            self.changed.notify_all()
        self.on_accepted()
        return 200, "ok", {}

    def _too_fast(self) -> bool:
        now, last = self.clock(), self._last_post
        if self.rate_limited and last is not None and now - last < 1:
            return True
        self._last_post = now
        return False


def fault_of(path: str, content_type: str, body: bytes) -> tuple[int, str] | None:
    """What Slack would refuse the request for, if anything."""
    if urlsplit(path).path != PATH:
        return (404, "no_service") if path.startswith("/services/") else (403, "invalid_token")
    try:
        post = json.loads(body)
    except ValueError:
        return 400, "invalid_payload"
    well_formed = isinstance(post, dict) and isinstance(post.get("text", ""), str)
    if not well_formed or not content_type.startswith("application/json"):
        return 400, "invalid_payload"
    if not 1 <= len(post.get("text", "")) <= 4_000:
        return 400, "no_text"
    return fault_of_blocks(post.get("blocks", [])) or fault_of_metadata(post.get("metadata"))


def fault_of_metadata(metadata: Any) -> tuple[int, str] | None:
    if metadata is None:
        return None
    good = isinstance(metadata.get("event_type"), str) and isinstance(metadata.get("event_payload"), dict)
    return None if good else (400, "invalid_metadata_format")


def fault_of_blocks(blocks: Any) -> tuple[int, str] | None:
    if not isinstance(blocks, list) or len(blocks) > 50:
        return 400, "invalid_blocks"
    if not all(_good_block(block) for block in blocks):
        return 400, "invalid_blocks"
    if sum(_units(text) for text in strings(blocks)) > ALL_BLOCKS_LIMIT:
        return 400, "msg_blocks_too_long"
    return None


def strings(value: Any) -> Iterator[str]:
    """Every text and URL inside, but not the names of types and styles."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key in {"text", "url", "alt_text", "image_url"} and isinstance(each, str):
                yield each
            else:
                yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def _good_block(block: Any) -> bool:
    kind = str(block.get("type")) if isinstance(block, dict) else ""
    if kind not in CHECKS or len(block.get("block_id", "")) > 255:
        return False
    return CHECKS[kind](block)


def _good_context(block: dict[str, Any]) -> bool:
    elements = block.get("elements", [])
    return 1 <= len(elements) <= 10 and all(_good_text(each, 3_000) for each in elements)


def _good_actions(block: dict[str, Any]) -> bool:
    return 1 <= len(block.get("elements", [])) <= 25 and all(map(_good_button, block["elements"]))


def _good_image(block: dict[str, Any]) -> bool:
    return _units(block.get("image_url", "")) <= 3_000 and 1 <= _units(block.get("alt_text", "")) <= 2_000


def _good_section(block: dict[str, Any]) -> bool:
    fields = block.get("fields", [])
    if "text" not in block and not fields:
        return False
    text_good = "text" not in block or _good_text(block["text"], 3_000)
    return text_good and len(fields) <= 10 and all(_good_text(each, 2_000) for each in fields)


def _good_text(
    text: Any, limit: int, kinds: frozenset[str] | set[str] = frozenset({"plain_text", "mrkdwn"})
) -> bool:
    return isinstance(text, dict) and text.get("type") in kinds and 1 <= _units(text.get("text", "")) <= limit


def _good_button(button: dict[str, Any]) -> bool:
    return _good_text(button.get("text"), 75, {"plain_text"}) and _units(button.get("url", "")) <= 3_000


def _good_rich(section: dict[str, Any]) -> bool:
    parts = section.get("elements", [])
    return section.get("type") == "rich_text_section" and all(
        (part["type"] == "text" and part.get("text"))
        or (
            part["type"] == "link"
            and urlsplit(part["url"]).scheme in {"http", "https"}
            and len(part["url"]) <= 3_000
        )
        for part in parts
    )


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


CHECKS: Mapping[str, Callable[[dict[str, Any]], bool]] = {
    "header": lambda block: _good_text(block.get("text"), 150, {"plain_text"}),
    "section": _good_section,
    "context": _good_context,
    "divider": lambda _: True,
    "actions": _good_actions,
    "rich_text": lambda block: bool(block.get("elements")) and all(map(_good_rich, block["elements"])),
    "image": _good_image,
}
