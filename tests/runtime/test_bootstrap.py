"""Settings become a program, or a sentence that says what cannot be used; and the line runs on what was built."""

import json
import queue
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from alerts.words import every
from db.alerts import alerts
from db.deliveries import deliveries
from db.engine import reading, writing
from db.flights import fixes, insert_fixes
from db.leases import lease_holder
from db.polls import polls
from db.records import CoverageHour, Fix
from db.schema import lease
from db.sites import site_changes, site_names
from monitor import pipeline
from monitor.app import App
from monitor.bootstrap import CHANNELS, FEEDS, RULES, build_app
from monitor.config.channels import LogSettings, SlackSettings
from monitor.config.settings import ProviderSettings, Settings, SettingsError
from monitor.ops.database_health import describe_database
from monitor.reports.status import gather_status, watched_share
from monitor.runtime.service import Service, describe_service
from monitor.sites.faults import SitesError
from tests.kit.cast import write_cast
from tests.kit.program import PATIENCE_S, published

NOW = datetime.now(UTC)
Make = Callable[..., App]


@pytest.fixture
def make(tmp_path: Path, database_url: str) -> Iterator[Make]:
    """Put a program together over the cast and a database of each kind, without any network."""
    made: list[App] = []

    def program(answer: Callable[[httpx.Request], httpx.Response] | None = None, **values: object) -> App:
        (tmp_path / "published.csv").write_text(published(NOW), encoding="utf-8")
        settings = Settings.model_validate(
            {
                "database_url": database_url,
                "sites_file": write_cast(tmp_path),
                "history_file": tmp_path / "published.csv",
                "providers": {"earth-search": {"enabled": False}},
                **values,
            }
        )
        app = build_app(settings, transport=httpx.MockTransport(answer or _nobody))
        made.append(app)
        return app

    yield program
    for each in made:
        each.close()


def _nobody(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody is there", request=request)


def test_the_registries_name_each_kind_once() -> None:
    assert {"readsb", "opensky", "stac"} <= FEEDS.keys()
    assert {"slack", "slack_bot", "webhook", "email", "log"} <= CHANNELS.keys()
    assert all(rule.name == name for name, rule in RULES.items())


def test_default_providers_and_the_log_channel_need_no_setting(make: Make) -> None:
    app = make(providers={})
    assert set(app.feeds) == {"adsb.lol", "earth-search"}
    assert set(app.channels) == {"log"}


def test_channels_come_from_plain_settings_and_from_tables(make: Make) -> None:
    app = make(
        slack_webhook_url="https://hooks.example/services/T0/B0/secretpart",
        smtp_host="mail.example",
        email_from="watch@mail.example",
        email_to="desk@mail.example",
        log_channel=False,
        channels={"night": LogSettings(kind="log")},
    )
    assert set(app.channels) == {"slack", "email", "night"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {
                "slack_webhook_url": "https://hooks.example/x",
                "channels": {
                    "slack": SlackSettings(kind="slack", webhook_url=SecretStr("https://hooks.example/y"))
                },
            },
            "set twice",
        ),
        ({"providers": {"roof": ProviderSettings(kind="pigeon")}}, "roof"),
        (
            {"providers": {"adsb.lol": ProviderSettings(kind="pigeon")}},
            "which is no kind of feed",
        ),
        (
            {"providers": {"adsb.lol": ProviderSettings(options={"path_style": "spiral"})}},
            "spiral",
        ),
        (
            {
                "smtp_host": "mail.example",
                "email_from": "no address",
                "email_to": "desk@mail.example",
            },
            "'email'",
        ),
        ({"watch": {"harbour": {}}}, "harbour"),
        ({"watch": {"port": {"balloons": {}}}}, "balloons"),
        ({"watch": {"port": {"containers": {"rules": {"gut_feeling": {}}}}}}, "gut_feeling"),
        ({"watch": {"port": {"containers": {"rules": {"record": {"min_look": 3}}}}}}, "min_look"),
    ],
)
def test_what_cannot_be_used_is_named(make: Make, values: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make(**values)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ({"channels": "desc"}, "The route “route 1” names 'desc' under channels, which is none."),
        ({"channels": "log", "match": {"kind": "harbour"}}, "names 'harbour' under kind"),
        ({"channels": "log", "match": {"metric": "railcar"}}, 'Did you mean "railcars"?'),
        ({"channels": "log", "match": {"class": "militry"}}, "names 'militry' under class"),
        ({"channels": "log", "match": {"severity": "digest"}}, "Known are notify, urgent"),
    ],
)
def test_a_route_to_nowhere_stops_the_start(make: Make, route: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make(routes=[route])
    assert words in str(caught.value)


def test_two_routes_of_one_name_stop_the_start(make: Make) -> None:
    with pytest.raises(SettingsError, match="Two routes are called"):
        make(routes=[{"name": "a", "channels": "log"}, {"name": "a", "channels": "log"}])


def test_a_site_that_names_an_unknown_rule_stops_the_start(make: Make, tmp_path: Path) -> None:
    app = make()
    text = app.sites_file.path.read_text()
    app.sites_file.path.write_text(
        text.replace(
            '"kind": "port"', '"kind": "port", "watch": {"containers": {"rules": {"gut_feeling": {}}}}'
        )
    )
    with pytest.raises(SitesError):
        build_app(app.settings)


def test_where_the_database_is_holds_no_password() -> None:
    settings = Settings(database_url=SecretStr("postgresql://me:secretpart@db.example/watch"))
    assert describe_database(settings) == "PostgreSQL database watch on db.example"
    socket = Settings(database_url=SecretStr("postgresql://me:secretpart@/watch?host=/run/pg"))
    assert describe_database(socket) == "PostgreSQL database watch on /run/pg"


def test_settings_of_a_kind_lie_between_the_kind_and_the_site(make: Make) -> None:
    app = make(
        watch={"port": {"containers": {"rules": {"record": None, "first_since": {"min_gap_days": 9}}}}}
    )
    rules = app.watches["busy-port"].metrics["containers"].rules
    assert "record" not in rules
    assert rules["first_since"] == {"min_gap_days": 9}


# --- the line


def aircraft(request: httpx.Request) -> httpx.Response:
    """An answer by a readsb provider: one airliner high above, nothing at the sites."""
    seen = {
        "hex": "4ca123",
        "lat": -51.0,
        "lon": -70.0,
        "alt_baro": 35000,
        "gs": 450,
        "seen": 1,
        "seen_pos": 1,
    }
    body = {"ac": [seen], "now": NOW.timestamp() * 1000, "msg": "No error", "total": 1}
    return httpx.Response(200, content=json.dumps(body), headers={"Content-Type": "application/json"})


def test_starting_says_what_was_done_and_a_second_start_repeats_nothing(make: Make) -> None:
    app = make()
    first = pipeline.start(app, NOW)
    assert any("2 published facts loaded" in line for line in first)
    second = pipeline.start(app, NOW)
    assert any("loaded already" in line for line in second)
    assert any("up to date" in line for line in second)
    with reading(app.engine) as connection:
        assert site_names(connection)["quiet-field"] == "Quiet Field"


def test_a_missing_history_is_told_and_a_bad_row_is_left_out(make: Make) -> None:
    app = make()
    path = app.settings.history_file
    path.write_text(path.read_text() + "busy-port,someday,ships_present,,3,,,\n")
    with capture_logs() as logs:
        assert any("2 published facts loaded" in line for line in pipeline.start(app, NOW))
    assert [each["event"] for each in logs] == ["published fact left out"]
    path.write_text(path.read_text() + "elsewhere,2023-10-05,ships_present,,3,,,\n" * 2)
    with capture_logs() as logs:
        said = pipeline.start(app, NOW)
    assert [each["event"] for each in logs] == ["published fact left out"], (
        "one line for all that is elsewhere"
    )
    assert any("2 of its facts are about sites that are not in" in line for line in said)
    path.unlink()
    assert any("there is no file" in line for line in pipeline.start(app, NOW))


def test_one_round_polls_judges_and_delivers(make: Make) -> None:
    app = make(aircraft)
    pipeline.start(app, NOW)
    done = pipeline.tick(app, NOW)
    # Only one of the places lies where the airliner is; the others are believed because of it.
    assert {each.site_ids: each.outcome for each in done.polls}["quiet-field",] == "ok"
    assert {each.outcome for each in done.polls} == {"ok", "empty"}
    assert done.judged.changes == {"opened": 1}
    sent = pipeline.deliver(app, lambda: NOW, "test")
    assert sent.count("sent") == 1
    with reading(app.engine) as connection:
        (alert,) = alerts(connection)
        assert [each.state for each in deliveries(connection, alert_id=alert.id)] == ["sent"]
    assert pipeline.tick(app, NOW).polls == [], "one slot is asked once"


def test_a_provider_that_is_down_leaves_failed_polls_and_no_count(make: Make) -> None:
    app = make()
    pipeline.start(app, NOW)
    done = pipeline.tick(app, NOW)
    assert {each.outcome for each in done.polls} == {"failed"}
    with reading(app.engine) as connection:
        assert {each.outcome for each in polls(connection)} == {"failed"}
    status = gather_status(app, NOW)
    (provider,) = status.providers
    assert (provider.state.health, provider.last_outcome) == ("failing", "failed")
    assert provider.state.last_ok_at is None


def test_what_a_replay_knew_before_it_began_is_told_to_nobody(make: Make) -> None:
    app = make()
    pipeline.start(app, NOW)
    assert pipeline.judge(app, NOW, not_before=NOW).changes == {"opened": 1}
    with reading(app.engine) as connection:
        assert {each.state for each in deliveries(connection)} <= {"too_old"}


def test_an_edited_sites_file_is_recorded_a_bad_one_told_once_and_its_mending_too(make: Make) -> None:
    app = make()
    pipeline.start(app, NOW)
    path = app.sites_file.path
    good = path.read_text()
    path.write_text(good.replace("Busy Port", "Busier Port"))
    assert pipeline.reload_sites(app, NOW + timedelta(hours=1)).changed == ("busy-port",)
    with reading(app.engine) as connection:
        assert site_names(connection)["busy-port"] == "Busier Port"
    with capture_logs() as logs:
        path.write_text("{")
        pipeline.reload_sites(app, NOW)
        pipeline.reload_sites(app, NOW)
        path.write_text(good.replace("Busy Port", "Busier Port"))
        pipeline.reload_sites(app, NOW)
    assert [each["event"] for each in logs] == [
        "sites file refused, the old sites go on",
        "sites file mended",
    ]
    assert app.sites["busy-port"].name == "Busier Port"


def test_blind_sites_and_the_week_are_told_through_every_channel(make: Make) -> None:
    app = make()
    pipeline.start(app, NOW - timedelta(days=20))
    pipeline.tick(app, NOW - timedelta(days=8))
    report = pipeline.watch_self(app, NOW)
    assert {each.site_id for each in report.began} == {each.id for each in app.sites.values() if each.flies}
    with reading(app.engine) as connection:
        reasons = {each.reason for each in deliveries(connection) if each.kind == "notice"}
    assert "blind" in reasons
    assert pipeline.watch_self(app, NOW).began == (), "each is told once"


def test_the_digest_can_be_switched_off(make: Make) -> None:
    app = make(weekly_digest=False)
    pipeline.start(app, NOW - timedelta(days=20))
    pipeline.tick(app, NOW - timedelta(days=8))
    pipeline.watch_self(app, NOW)
    with reading(app.engine) as connection:
        assert "digest" not in {each.reason for each in deliveries(connection)}


def test_identities_are_forgotten_save_those_of_watched_classes_and_of_the_watchlist(make: Make) -> None:
    app = make()
    pipeline.start(app, NOW)
    old = NOW - timedelta(hours=49)
    reports = [
        Fix("adsb.lol", "4ca123", old, old, -51.9, -70.6, callsign="AER5", type_code="A320"),
        Fix("adsb.lol", "15521f", old, old, -51.9, -70.6, registration="RA-86559", type_code="IL62"),
        Fix("adsb.lol", "4ca124", NOW, NOW, -51.9, -70.6),
    ]
    with writing(app.engine) as connection:
        insert_fixes(connection, reports)
    assert pipeline.retain(app, NOW).fixes == 1
    with reading(app.engine) as connection:
        assert {each.icao24 for each in fixes(connection)} == {"15521f", "4ca124"}


def test_the_start_says_what_is_watched_told_and_worth_trying(make: Make) -> None:
    off = {"adsb.lol": {"enabled": False}, "earth-search": {"enabled": False}}
    app = make(providers=off, slack_webhook_url="https://hooks.example/services/T0/B0/secretpart")
    pipeline.start(app, NOW)
    providers, channels, next_steps = describe_service(app)
    assert "none is switched on" in providers
    assert channels == "Channels: slack, log. To try them: sitewatch alerts test."
    assert "sitewatch history " in next_steps
    assert "secretpart" not in providers + channels + next_steps


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "second"), (90, "90 seconds"), (60, "minute"), (21_600, "6 hours"), (86_400, "day")],
)
def test_a_cadence_is_said_in_its_largest_unit(seconds: int, words: str) -> None:
    assert every(seconds) == words


def test_many_sites_are_named_in_part() -> None:
    assert pipeline._some(f"s{number}" for number in range(25)).endswith("s19 and 5 more")


def test_where_two_feeds_watched_an_hour_the_better_one_counts() -> None:
    hours = [
        CoverageHour(name, "quiet-field", NOW, 3600, seconds)
        for name, seconds in (("a", 900), ("b", 1800), ("c", 0))
    ]
    assert watched_share(hours, NOW, NOW + timedelta(hours=1)) == 0.5
    # Of half an hour no more was watched than has passed; an hour without a row was not watched.
    assert watched_share(hours, NOW, NOW + timedelta(minutes=30)) == 1.0
    assert watched_share(hours, NOW, NOW + timedelta(hours=2)) == 0.25


class Said:
    """Collects what a service says, and lets a test wait for it."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str] = queue.Queue()

    def __call__(self, line: str) -> None:
        self._lines.put(line)

    def until(self, text: str) -> None:
        while text not in self._lines.get(timeout=PATIENCE_S):
            pass


def test_a_service_that_loses_its_lease_stops_and_takes_over_again(make: Make) -> None:
    app = make(lease_s=1)
    pipeline.start(app, NOW)
    said = Said()
    service = Service(app, said)
    service.start()
    try:
        said.until("Watching.")
        with writing(app.engine) as connection:
            connection.execute(lease.update().values(owner="another", expires_at=NOW + timedelta(days=1)))
        said.until("Another sitewatch took over")
        said.until("(another)")
        with writing(app.engine) as connection:
            connection.execute(lease.update().values(expires_at=NOW))
        said.until("Taking over from another.")
    finally:
        service.stop()
    with reading(app.engine) as connection:
        assert lease_holder(connection) is None, "the lease is let go"


def test_a_site_that_no_feed_covered_has_no_watched_share() -> None:
    assert watched_share([], NOW, NOW + timedelta(hours=1)) is None


def test_a_feed_that_joins_others_is_registered_once_as_a_break(make: Make) -> None:
    alone = make()
    assert not [each for each in pipeline.start(alone, NOW) if "anew" in each]
    pipeline.poll(alone, NOW)
    both = make(providers={"earth-search": {"enabled": False}, "adsb.fi": {"enabled": True}})
    assert [each for each in pipeline.start(both, NOW) if "anew" in each] == [
        "Baselines begin anew: the feed adsb.fi was added."
    ]
    with reading(both.engine) as connection:
        (change,) = site_changes(connection, ["quiet-field"])
    assert (change.key, change.effect, change.starts_at) == ("feed:adsb:adsb.fi", "break", NOW)
    assert not [each for each in pipeline.start(both, NOW) if "anew" in each]
