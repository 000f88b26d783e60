"""Mails as newer Pythons write them: 3.12.1, whose library writes a header out of a subject, 3.13 and 3.14.

The Pythons are CPython compiled to WebAssembly, from the npm registry; the sources of sitewatch are the same.
"""

import json
import subprocess
from base64 import b64decode, b64encode
from dataclasses import asdict
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path
from typing import Any

import babel
import pytest

from alerts.channels import Message
from alerts.channels.email_message import build_email
from tests.kit.channel_contract import HOSTILE, MESSAGE, poisoned
from tests.kit.real_servers import ROOT, in_their_venv, needed

FOLDER = Path(__file__).parent / "pythons"
PACKAGES = Path(babel.__file__).parents[1]
SENDER = '"평양 =?utf-8?q?x=0D=0ABcc=3A_a@example.org?=, night desk" <watch@example.org>'
RECIPIENTS = ["desk@example.org", "편집자 <editor@example.org>"]
WORDS = "=?utf-8?q?x=0D=0ABcc=3A_someone@example.org=0D=0A=0D=0A<b>body</b>?="
TEXTS = {
    **{name: text[:3000] for name, text in HOSTILE.items()},
    "encoded": WORDS,
    "foreign and encoded": f"평양 {WORDS} {WORDS}",
    "long": f"{WORDS} " * 20,
    "base 64": "평양 =?utf-8?b?eA0KQmNjOiBhQGV4YW1wbGUub3Jn?=",
    "nested": f"=?utf-8?q?{WORDS}?=",
}
FIELDS = {
    "Subject", "From", "To", "Date", "Message-ID", "References", "In-Reply-To", "Auto-Submitted",
    "X-Auto-Response-Suppress", "MIME-Version", "Content-Type",
}  # fmt: skip


def as_json(message: Message) -> dict[str, Any]:
    values = asdict(message)
    assert message.image_png is not None
    image = b64encode(message.image_png).decode()
    return {**values, "created_at": message.created_at.isoformat(), "image_png": image}


@pytest.mark.parametrize(
    ("python", "version", "trapped"),
    [("py312", "3.12.1", True), ("py313", "3.13.", False), ("py314", "3.14.", False)],
)
def test_each_python_writes_the_same_mails_and_no_header_but_ours(
    python: str, version: str, trapped: bool, tmp_path: Path
) -> None:
    node, package = in_their_venv("node"), FOLDER / "node_modules" / python
    needed(package.exists(), f"the Python of {package}")
    messages = [MESSAGE, *(poisoned(text) for text in TEXTS.values())]
    asked = {"sender": SENDER, "recipients": RECIPIENTS, "messages": [as_json(each) for each in messages]}
    given = tmp_path / "messages.json"
    given.write_text(json.dumps(asked))
    command = [node, str(FOLDER / "write_mails.mjs"), python, str(ROOT), str(PACKAGES), str(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["version"].startswith(version)
    # The trap is one: where the library falls into it, only our own fields keep the mail whole.
    assert answer["trapped"] == trapped
    for message, written in zip(messages, map(b64decode, answer["mails"]), strict=True):
        assert written == build_email(message, SENDER, RECIPIENTS, "example.org").as_bytes()
        lines = written.partition(b"\r\n\r\n")[0].split(b"\r\n")
        assert {line.partition(b":")[0].decode() for line in lines if line[:1] not in b" \t"} == FIELDS
        assert message_from_bytes(written, policy=SMTP).get_content_type() == "multipart/alternative"
