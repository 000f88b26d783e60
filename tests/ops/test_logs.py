"""One event is one line; no value shows a secret or forges a line."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.secrets import mask_secrets, secret_forms, visible
from monitor.ops.logs import LogFormat, Scrubber, configure

SECRET = "https://hooks.example/services/T000/B000/verysecretpart"
SECRETS = secret_forms([SECRET])


@pytest.fixture
def logged() -> Iterator[Callable[[LogFormat], io.StringIO]]:
    """Configure logging into a text buffer, and put everything back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level

    def start(log_format: LogFormat) -> io.StringIO:
        stream = io.StringIO()
        configure(log_format, SECRETS, stream)
        return stream

    yield start
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def fail(reason: str) -> None:
    raise ValueError(reason)


def ours() -> structlog.typing.FilteringBoundLogger:
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


@pytest.fixture(params=["json", "console"])
def log_format(request: pytest.FixtureRequest) -> LogFormat:
    return "json" if request.param == "json" else "console"


def test_json_is_one_document_a_line(logged: Callable[[LogFormat], io.StringIO]) -> None:
    stream = logged("auto")
    logging.getLogger("monitor").setLevel(logging.INFO)
    logging.getLogger("monitor.poll.rounds").warning("polled %s", "adsb.lol")
    (line,) = stream.getvalue().splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"]) == ("polled adsb.lol", "warning")
    assert event["timestamp"].endswith("Z")


def test_values_keep_their_types(logged: Callable[[LogFormat], io.StringIO]) -> None:
    stream = logged("json")
    at = datetime(2023, 10, 5, tzinfo=UTC)
    ours().warning("poll", items=3, share=0.5, error=None, sites=("a", "b"), where={"lat": 1}, at=at)
    event = json.loads(stream.getvalue())
    assert event["at"] == "2023-10-05T00:00:00+00:00"
    assert (event["items"], event["share"], event["error"]) == (3, 0.5, None)
    assert (event["sites"], event["where"]) == (["a", "b"], {"lat": 1})


def test_a_secret_is_masked_wherever_it_stands(
    logged: Callable[[LogFormat], io.StringIO], log_format: LogFormat
) -> None:
    stream = logged(log_format)
    ours().warning(f"sent to {SECRET}", url=SECRET, deep={"list": [f"at {SECRET}"]}, error=ValueError(SECRET))
    try:
        fail(f"no answer from {SECRET}")
    except ValueError:
        ours().exception("failed")
    logging.getLogger("httpx").warning("HTTP Request: POST %s", SECRET)
    assert "verysecretpart" not in stream.getvalue()
    assert stream.getvalue().count("***") >= 5


def test_no_value_forges_a_line(logged: Callable[[LogFormat], io.StringIO], log_format: LogFormat) -> None:
    stream = logged(log_format)
    ours().warning("poll", callsign="KOR1\n2023-10-05 [error] forged\x1b[2J\u2028\u202eabc")
    (line,) = stream.getvalue().splitlines()
    assert "\\n2023" in line
    assert not set("\x1b\u2028\u202e") & set(line)


def test_a_traceback_on_a_terminal_stays_behind_a_bar(
    logged: Callable[[LogFormat], io.StringIO],
) -> None:
    stream = logged("console")
    try:
        fail("first\n2023-10-05 [error] forged")
    except ValueError:
        ours().exception("failed")
    assert all(line.startswith("  | ") for line in stream.getvalue().splitlines()[1:])
    assert "forged" in stream.getvalue()


def test_other_libraries_speak_from_warning_on(logged: Callable[[LogFormat], io.StringIO]) -> None:
    stream = logged("json")
    logging.getLogger("httpx").info("HTTP Request")
    logging.getLogger("apscheduler.executors").error("Error running job")
    assert stream.getvalue() == ""


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists))
def test_cleaning_never_fails_and_leaves_no_control(value: object) -> None:
    cleaned = Scrubber(SECRETS)(None, "info", {"event": "x", "value": value})
    assert visible(str(cleaned["value"])) == str(cleaned["value"])


@given(st.text(min_size=4), st.text(), st.text())
def test_a_redacted_text_holds_no_secret(secret: str, before: str, after: str) -> None:
    shown = mask_secrets(before + secret + after, secret_forms([secret]))
    assert "***" in shown or secret.startswith("sqlite:")


def test_an_ordinary_word_is_left_alone() -> None:
    assert mask_secrets("a plain sentence", secret_forms(["abc"])) == "a plain sentence"
