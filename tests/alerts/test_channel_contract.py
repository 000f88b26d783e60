"""Every channel keeps the contract: errors of the right kind, no secrets anywhere, hostile strings harmless."""

import importlib
import pkgutil
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

import alerts.channels
from alerts.channels import SendError
from alerts.delivery.worker import deliver_due, send_test
from db.deliveries import deliveries, enqueue
from db.engine import reading, writing
from tests.kit.channel_contract import EXPECTED, HOSTILE, MESSAGE, NOON, RIGS, Fault, Rig, poisoned


def channel_classes() -> set[str]:
    """The public classes under alerts/channels that can send."""
    found: set[str] = set()
    for module_info in pkgutil.iter_modules(alerts.channels.__path__, "alerts.channels."):
        module = importlib.import_module(module_info.name)
        here = {name: each for name, each in vars(module).items() if isinstance(each, type)}
        found |= {
            name
            for name, each in here.items()
            if each.__module__ == module.__name__ and hasattr(each, "send") and not name.startswith("_")
        }
    return found


def test_every_channel_has_a_rig() -> None:
    assert channel_classes() == set(RIGS), "add the newcomer's rig to RIGS in tests/kit/channel_contract.py"


@pytest.fixture(params=sorted(RIGS))
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with RIGS[request.param].open(tmp_path) as opened:
        yield opened


_PAIRS = [(name, fault) for name, kind in sorted(RIGS.items()) for fault in Fault if fault in kind.faults]


@pytest.fixture(params=_PAIRS, ids=[f"{name}-{fault.name}" for name, fault in _PAIRS])
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Rig, Fault]]:
    name, fault = request.param
    with RIGS[name].open(tmp_path) as opened:
        opened.break_with(fault)
        yield opened, fault


def failure(rig: Rig) -> SendError:
    with pytest.raises(SendError) as caught:
        rig.channel().send(MESSAGE)
    return caught.value


def test_a_message_arrives_with_its_words(rig: Rig) -> None:
    rig.channel().send(MESSAGE)
    [arrival] = rig.arrivals()
    flowing = " ".join(arrival.text.split())
    for words in (MESSAGE.status, MESSAGE.headline, *MESSAGE.paragraphs, "Counted", MESSAGE.footer):
        assert words in flowing
    assert "https://watch.example.org/alerts/1?a=1&b=2" in arrival.text


def test_the_identity_is_the_same_at_every_try_and_never_shared(rig: Rig) -> None:
    channel = rig.channel()
    first, again = channel.send(MESSAGE), channel.send(replace(MESSAGE, headline="told anew"))
    other = channel.send(replace(MESSAGE, identity="alert-1:2:x"))
    identities = [arrival.identity for arrival in rig.arrivals()]
    assert identities[0] == identities[1] != identities[2]
    numbered = RIGS[type(channel).__name__].numbers
    assert numbered or first == again
    assert other.provider_ref is None or other != first


def test_a_failure_is_reported_for_what_it_is(broken: tuple[Rig, Fault]) -> None:
    rig, fault = broken
    error, expected = failure(rig), EXPECTED[fault]
    assert error.permanent == expected.permanent
    assert error.retry_after_s == expected.retry_after_s
    assert expected.fault in {None, error.fault}
    assert error.reason == str(error)
    assert error.reason.endswith(".")
    assert error.reason.isprintable()


def test_a_channel_works_again_after_a_failure(broken: tuple[Rig, Fault]) -> None:
    rig, fault = broken
    failure(rig)
    rig.mend()
    rig.channel().send(MESSAGE)
    identities = [arrival.identity for arrival in rig.arrivals()]
    assert len(set(identities)) == 1
    assert len(identities) == (2 if fault is Fault.ANSWER_LOST else 1)


def test_no_secret_in_errors_or_representations(broken: tuple[Rig, Fault]) -> None:
    rig, _ = broken
    error = failure(rig)
    shown = [repr(rig.channel()), repr(error), str(error), *traceback.format_exception(error)]
    assert not [text for secret in rig.secrets for text in shown if secret in text]


def test_no_secret_in_logs_or_in_the_outbox(broken: tuple[Rig, Fault], sqlite_engine: Engine) -> None:
    rig, fault = broken
    channel = rig.channel()
    with writing(sqlite_engine) as connection:
        enqueue(connection, identity="a", kind="alert", channel=channel.name, now=NOON)
    with capture_logs() as logs:
        deliver_due(
            sqlite_engine, {channel.name: channel}, lambda _: MESSAGE, lambda: NOON, "worker", limit=1
        )
    with reading(sqlite_engine) as connection:
        [row] = deliveries(connection)
    assert row.state == ("dead" if EXPECTED[fault].permanent else "queued")
    assert row.last_error == logs[0]["words"]
    assert not [secret for secret in rig.secrets if secret in f"{logs} {row}"]


def test_a_test_message_says_what_to_mend(broken: tuple[Rig, Fault]) -> None:
    rig, _ = broken
    channel = rig.channel()
    [trial] = send_test({channel.name: channel}, NOON)
    assert (trial.name, trial.ok) == (channel.name, False)
    assert len(trial.words) > 50
    assert not [secret for secret in rig.secrets if secret in trial.words]


def test_a_test_message_proves_a_channel_that_works(rig: Rig) -> None:
    channel = rig.channel()
    assert [trial.ok for trial in send_test({channel.name: channel}, NOON)] == [True]
    assert "test" in rig.arrivals()[0].text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_strings_are_harmless(rig: Rig, text: str) -> None:
    rig.channel().send(poisoned(text))
    assert rig.faults_of_last() == []
