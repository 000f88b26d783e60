"""Slack's web API on loopback: posting, amending, threads, history and uploads, with its limits and refusals."""

import json
from typing import Any
from urllib.parse import parse_qs

from tests.kit.fakes.scripted import Answer, Post
from tests.kit.fakes.slack import fault_of_blocks, fault_of_metadata
from tests.kit.fakes.web_desk import WebDesk

TOKEN = "xoxb-fake-0123456789-abcdefghij"
CHANNEL = "C0CAST"
UPLOAD = "/upload/v1/F1"


class SlackApi:
    """What stands in the channel: messages in their order, each with `ts`, and files by thread."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.files: list[dict[str, Any]] = []
        self.uploaded: dict[str, bytes] = {}
        self.updates: list[str] = []
        self.may_read_history = True
        self._posted = 0
        self.desk = WebDesk(self._judge)

    @property
    def root(self) -> str:
        return f"{self.desk.root}/api"

    @property
    def top(self) -> list[dict[str, Any]]:
        return [each for each in self.messages if "thread_ts" not in each]

    def thread(self, ts: str) -> list[dict[str, Any]]:
        return [each for each in self.messages if each.get("thread_ts") == ts]

    def delete(self, ts: str) -> None:
        self.messages = [each for each in self.messages if each["ts"] != ts]

    def _judge(self, post: Post) -> Answer:
        if post.path == UPLOAD:
            self.uploaded["F1"] = post.body
            return 200, "OK - 1", {}
        if post.headers.get("authorization") != f"Bearer {TOKEN}":
            return _no("invalid_auth")
        form = post.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        told = (
            {name: values[0] for name, values in parse_qs(post.body.decode()).items()}
            if form
            else json.loads(post.body)
        )
        method = post.path.removeprefix("/api/")
        # Slack reads JSON in some methods alone.
        if (
            method in {"conversations.history", "conversations.replies", "files.getUploadURLExternal"}
            and not form
        ):
            return _no("invalid_arguments")
        return getattr(self, "_" + method.replace(".", "_").lower())(told)  # type: ignore[no-any-return]

    def _chat_postmessage(self, told: dict[str, Any]) -> Answer:
        if fault := _fault(told):
            return _no(fault)
        if "thread_ts" in told and not any(each["ts"] == told["thread_ts"] for each in self.messages):
            return _no("thread_not_found")
        self._posted += 1
        ts = f"1700000000.{self._posted:06}"
        self.messages.append({**told, "ts": ts})
        return _yes(channel=CHANNEL, ts=ts)

    def _chat_update(self, told: dict[str, Any]) -> Answer:
        if fault := _fault(told):
            return _no(fault)
        for place, each in enumerate(self.messages):
            if each["ts"] == told["ts"]:
                self.messages[place] = {**each, **told}
                self.updates.append(told["ts"])
                return _yes(channel=CHANNEL, ts=told["ts"])
        return _no("message_not_found")

    def _conversations_history(self, told: dict[str, Any]) -> Answer:
        return self._seen(told, self.top[::-1]) if self.may_read_history else _no("missing_scope")

    def _conversations_replies(self, told: dict[str, Any]) -> Answer:
        """The first message, then its replies, the oldest first; the first is there however old it is."""
        if not self.may_read_history:
            return _no("missing_scope")
        first = [each for each in self.messages if each["ts"] == told["ts"]]
        return self._seen(told, self.thread(told["ts"]), first)

    def _seen(
        self, told: dict[str, Any], found: list[dict[str, Any]], first: list[dict[str, Any]] | None = None
    ) -> Answer:
        """One page of what was found, with where the next begins."""
        oldest, start, limit = float(told.get("oldest", 0)), int(told.get("cursor", 0)), int(told["limit"])
        young = [*(first or ()), *(each for each in found if float(each["ts"]) > oldest)]
        page = young[start : start + limit]
        cursor = str(start + limit) if start + limit < len(young) else ""
        shown = [{"ts": each["ts"], "metadata": each["metadata"]} for each in page]
        return _yes(messages=shown, response_metadata={"next_cursor": cursor})

    def _files_getuploadurlexternal(self, told: dict[str, Any]) -> Answer:
        if int(told["length"]) < 1 or not told.get("filename"):
            return _no("invalid_arguments")
        return _yes(upload_url=f"{self.desk.root}{UPLOAD}", file_id="F1")

    def _files_completeuploadexternal(self, told: dict[str, Any]) -> Answer:
        if any(each["id"] not in self.uploaded for each in told["files"]):
            return _no("file_not_found")
        self.files.append(told)
        return _yes(files=told["files"])


def _fault(told: dict[str, Any]) -> str:
    if told.get("channel") != CHANNEL:
        return "channel_not_found"
    if not 1 <= len(told.get("text", "")) <= 4_000:
        return "no_text" if not told.get("text") else "msg_too_long"
    found = fault_of_blocks(told.get("blocks", [])) or fault_of_metadata(told.get("metadata"))
    return found[1] if found else ""


def _yes(**values: Any) -> Answer:
    return 200, json.dumps({"ok": True, **values}), {}


def _no(error: str) -> Answer:
    return 200, json.dumps({"ok": False, "error": error}), {}
