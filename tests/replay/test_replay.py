"""Replay: scenarios on disk, recorded answers, timers, and the reference stories themselves."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.engine import reading
from db.flights import visits
from monitor.replay.report import differences, replay_report
from monitor.replay.run import run_scenario
from monitor.replay.scenario import RecordedResponse, ScenarioError, load_scenario, read_recordings
from monitor.replay.timeline import PollTimer, Wakes, slot_of
from monitor.replay.transport import RecordedTransport
from tests.kit.builders import at
from tests.kit.reading import visit_versions

pytestmark = [pytest.mark.long, pytest.mark.untraced]

SEEDS = Path(__file__).resolve().parents[2] / "scenarios" / "seeds"
MINIMAL = 'title = "t"\nstart = 2023-01-01T00:00:00Z\nend = 2023-01-02T00:00:00Z\nsites = "sites.geojson"\n'
HOUR = 3600
RECORDING = '[[recordings]]\nfile = "polls.ndjson"\nprovenance = "recorded"\norigin = "Made for a test."\n'


@pytest.fixture(scope="module")
def seeds(
    tmp_path_factory: pytest.TempPathFactory, story_url: Callable[[Path], str]
) -> Iterator[tuple[dict[str, Any], Any]]:
    """The reference stories, replayed once."""
    app = run_scenario(SEEDS, story_url(tmp_path_factory.mktemp("seeds")))
    yield replay_report(app.engine), app
    app.close()


def expected() -> dict[str, Any]:
    wanted: dict[str, Any] = json.loads((SEEDS / "expected.json").read_text())
    return wanted


class TestTheReferenceStories:
    def test_they_say_exactly_what_is_expected(self, seeds: tuple[dict[str, Any], Any]) -> None:
        assert differences(seeds[0], expected()) == []

    def test_the_report_can_tell_a_difference(self, seeds: tuple[dict[str, Any], Any]) -> None:
        found = json.loads(json.dumps(seeds[0]))
        found["alerts"][0]["subjects"] = []
        found["alerts"][6]["message"] = "nothing"
        del found["alerts"][-1]
        told = "\n".join(differences(found, expected()))
        for words in ("alert 1", "alert 7", "does not say '3.65'", "an alert is missing"):
            assert words in told

    def test_the_landing_of_the_il_62m_is_inferred(self, seeds: tuple[dict[str, Any], Any]) -> None:
        with reading(seeds[1].engine) as connection:
            (visit,) = visits(connection, icao24s=["15521f"])
            life = visit_versions(connection, visit.visit_id)
        lost = datetime.fromisoformat(visit.candidates["gap"]["lost_at"])
        # The second "presumed" says that it has been silent for longer than it can fly.
        assert [each.state for each in life] == ["lost_toward", "presumed", "presumed", "confirmed"]
        assert (visit.site_id, visit.confidence) == ("kp-sunan", 4)
        assert life[0].recorded_at - lost < timedelta(minutes=8)
        assert life[1].recorded_at > datetime.fromisoformat(visit.candidates["arrived_between"][1])
        assert visit.candidates["ground_h"] == pytest.approx(36, abs=0.5)
        told = seeds[0]["alerts"][0]
        assert [each["kind"] for each in told["events"]][:2] == ["opened", "amended"]
        assert told["opened_at"] == life[0].recorded_at.isoformat().replace("+00:00", "Z")
        assert "RA-86559 (Il-62, callsign RFF7091, ICAO address 15521F)" in told["message"]

    def test_what_nobody_recorded_settles_no_recorded_alert(self, seeds: tuple[dict[str, Any], Any]) -> None:
        found = {each["value"]: each for each in seeds[0]["alerts"] if each["metric"] == "railcars"}
        assert (found[258]["status"], found[300]["status"]) == ("open", "withdrawn")
        assert found[300]["headline"].startswith("Invented: 300 railcars")
        assert seeds[0]["alerts"][0]["headline"].startswith("Partly reconstructed: ")

    def test_a_day_of_publication_that_nobody_knows_is_said(self, seeds: tuple[dict[str, Any], Any]) -> None:
        (told,) = (each for each in seeds[0]["alerts"] if each["phenomenon_day"] == "2023-11-22")
        assert "date of publication not known, at the earliest 2023-11-23" in told["message"]
        assert seeds[0]["undated"] == 10

    def test_no_message_is_owed_twice_and_each_is_sent(self, seeds: tuple[dict[str, Any], Any]) -> None:
        owed = seeds[0]["deliveries"]
        assert len({each["identity"] for each in owed}) == len(owed)
        assert {each["state"] for each in owed} == {"sent"}


def write(folder: Path, text: str = MINIMAL, **files: str) -> Path:
    (folder / "scenario.toml").write_text(text)
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content)
    return folder


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = ", "not valid TOML"),
        (MINIMAL.replace("title", "titel"), "titel"),
        (MINIMAL.replace("2023-01-02", "2022-01-02"), "end must be later than start"),
        (MINIMAL.replace("T00:00:00Z\nend", "T00:00:00\nend"), "start"),
    ],
)
def test_a_bad_scenario_says_what_to_mend(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        load_scenario(write(tmp_path, text))


def test_a_folder_without_a_scenario_says_so(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"no scenario\.toml"):
        load_scenario(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"at": "x"}',
        '{"at":"2023-01-01T00:00:00Z","provider":"p","purpose":"data","status":200,"body_base64":"%"}',
    ],
)
def test_a_bad_recording_names_file_and_line(tmp_path: Path, line: str) -> None:
    folder = write(tmp_path, MINIMAL + RECORDING, polls_ndjson=line)
    with pytest.raises(ScenarioError, match=r"polls\.ndjson, line 1"):
        read_recordings(load_scenario(folder))


def test_bodies_may_be_text_json_or_base64(tmp_path: Path) -> None:
    base = {"provider": "p", "purpose": "data", "status": 200}
    lines = [
        {"at": "2023-01-01T00:00:00Z", **base, "body": "text"},
        {"at": "2023-01-01T01:00:00Z", **base, "body": {"a": 1}},
        {"at": "2023-01-01T02:00:00Z", **base, "body_base64": base64.b64encode(b"\x00\xff").decode()},
    ]
    text = "\n".join(json.dumps(line) for line in lines)
    folder = write(tmp_path, MINIMAL + RECORDING, polls_ndjson=text)
    assert [each.body for each in read_recordings(load_scenario(folder))] == [
        b"text",
        b'{"a": 1}',
        b"\x00\xff",
    ]


class TestRecordedTransport:
    def client(self, moment: datetime, *recorded: RecordedResponse) -> httpx.Client:
        transport = RecordedTransport(recorded, lambda _name, when: slot_of(when, HOUR), lambda: moment)
        return httpx.Client(transport=transport)

    def ask(self, client: httpx.Client, provider: str = "p", purpose: str = "data") -> bytes:
        tag = {"sitewatch": {"provider": provider, "purpose": purpose}}
        return client.get("https://feed.example/x", extensions=tag).content

    def test_it_answers_by_provider_purpose_and_order(self) -> None:
        moment = at("2023-01-01T05:30")
        with self.client(
            moment,
            RecordedResponse(at("2023-01-01T03:00"), "p", "data", 200, b"too old"),
            RecordedResponse(at("2023-01-01T05:01"), "p", "data", 200, b"first"),
            RecordedResponse(at("2023-01-01T05:02"), "p", "canary", 200, b"canary"),
            RecordedResponse(at("2023-01-01T05:03"), "p", "data", 200, b"second"),
            RecordedResponse(at("2023-01-01T05:03"), "q", "data", 200, b"other"),
        ) as client:
            assert self.ask(client) == b"first"
            assert self.ask(client, purpose="canary") == b"canary"
            assert self.ask(client) == b"second"
            assert self.ask(client, "q") == b"other"
            with pytest.raises(httpx.ConnectError, match="nothing was recorded"):
                self.ask(client)

    def test_the_future_does_not_answer(self) -> None:
        with (
            self.client(
                at("2023-01-01T05:30"), RecordedResponse(at("2023-01-01T06:00"), "p", "data", 200, b"later")
            ) as client,
            pytest.raises(httpx.ConnectError),
        ):
            self.ask(client)

    def test_a_recorded_silence_is_a_connection_error(self) -> None:
        with (
            self.client(
                at("2023-01-01T05:30"), RecordedResponse(at("2023-01-01T05:01"), "p", "data", None)
            ) as client,
            pytest.raises(httpx.ConnectError),
        ):
            self.ask(client)


WINDOWS = [(at("2023-01-01T06:30"), at("2023-01-01T09:30")), (at("2023-01-03T00:00"), at("2023-01-03T02:00"))]


def dues(timer: PollTimer, start: datetime) -> list[datetime]:
    found = []
    moment: datetime | None = start
    while moment is not None and (moment := timer.next_after(moment)) is not None:
        found.append(moment)
    return found


def test_a_timer_is_due_once_a_slot_inside_its_windows() -> None:
    timer = PollTimer("p", HOUR, WINDOWS, {slot_of(at("2023-01-01T08:00"), HOUR): at("2023-01-01T08:07")})
    assert dues(timer, at("2022-12-01")) == [
        at("2023-01-01T07:00"),
        at("2023-01-01T08:07"),
        at("2023-01-01T09:00"),
        at("2023-01-03T00:00"),
        at("2023-01-03T01:00"),
    ]


@given(seconds=st.integers(0, 4 * 86_400), interval=st.integers(10, 90_000))
def test_the_next_due_moment_is_later_and_due(seconds: int, interval: int) -> None:
    timer = PollTimer("p", interval, WINDOWS, {})
    moment = datetime(2022, 12, 31, tzinfo=UTC) + timedelta(seconds=seconds)
    due = timer.next_after(moment)
    if due is not None:
        assert due > moment
        assert timer.is_due(due)


def test_wakes_come_in_order_and_end() -> None:
    wakes = Wakes([at("2023-01-01"), at("2023-01-05")])
    assert wakes.next_after(at("2022-01-01")) == at("2023-01-01")
    assert wakes.next_after(at("2023-01-01")) == at("2023-01-05")
    assert wakes.next_after(at("2023-01-05")) is None
