"""Settings stop the start with every fault named, and never with a secret's value."""

import re
from datetime import time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from alerts.routing import Matcher, Route
from db.engine import open_engine
from monitor.config.channels import is_loopback
from monitor.config.settings import Settings, SettingsError, load_settings

WEBHOOK = "https://hooks.example/services/T000/B000/verysecretpart"


def faults(environment: dict[str, str], toml: str | None = None, folder: Path | None = None) -> str:
    config = None
    if toml is not None:
        assert folder is not None
        config = folder / "sitewatch.toml"
        config.write_text(toml, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(environment, config)
    return str(caught.value)


def from_toml(folder: Path, toml: str, environment: dict[str, str] | None = None) -> Settings:
    path = folder / "sitewatch.toml"
    path.write_text(toml, encoding="utf-8")
    return load_settings({"SITEWATCH_CONFIG": str(path), **(environment or {})})


def test_without_anything_set_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings({}) == Settings()
    assert load_settings({}).host == "127.0.0.1"


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    settings = from_toml(tmp_path, "port = 9000\nmax_attempts = 3\n", {"SITEWATCH_PORT": "9001"})
    assert (settings.port, settings.max_attempts, settings.lease_s) == (9001, 3, 15)


def test_what_is_typed_stands_over_all_else() -> None:
    there = {"SITEWATCH_PORT": "9001", "SITEWATCH_HOST": "127.0.0.2"}
    settings = load_settings(there, typed={"port": 9002, "host": None})
    assert (settings.port, settings.host) == (9002, "127.0.0.2")
    with pytest.raises(SettingsError, match="--port"):
        load_settings(there, typed={"port": 70_000})


def test_other_programs_variables_are_left_alone() -> None:
    assert load_settings({"PATH": "/bin", "SITE": "x"}).port == 8000


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load_settings({"SITEWATCH_SLACK_WEBHOOK_URL": "", "SITEWATCH_PORT": ""}) == Settings()


def test_an_unknown_variable_is_named() -> None:
    assert "SITEWATCH_PROT is not a setting" in faults({"SITEWATCH_PROT": "8000"})


@pytest.mark.parametrize("table", ["PROVIDERS", "CHANNELS", "WATCH"])
def test_tables_do_not_come_from_the_environment(table: str) -> None:
    assert "belong in sitewatch.toml" in faults({f"SITEWATCH_{table}": "{}"})


def test_an_unknown_key_in_the_file_is_named_with_its_place(tmp_path: Path) -> None:
    text = faults({}, '[providers."adsb.lol"]\nintervall_s = 60\n', tmp_path)
    assert "providers.adsb.lol.intervall_s" in text
    assert "is not a setting" in text


def test_a_bad_value_is_named_with_key_and_value() -> None:
    text = faults({"SITEWATCH_PORT": "eighty"})
    assert "SITEWATCH_PORT" in text
    assert "'eighty'" in text


def test_every_fault_is_told_at_once() -> None:
    text = faults({"SITEWATCH_PORT": "x", "SITEWATCH_NOPE": "1", "SITEWATCH_MAX_ATTEMPTS": "0"})
    assert all(key in text for key in ("SITEWATCH_PORT", "SITEWATCH_NOPE", "SITEWATCH_MAX_ATTEMPTS"))


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text(f"{WEBHOOK}\n")
    settings = load_settings({"SITEWATCH_SLACK_WEBHOOK_URL_FILE": str(tmp_path / "hook")})
    assert settings.slack_webhook_url == SecretStr(WEBHOOK)


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    text = faults({"SITEWATCH_API_TOKEN_FILE": str(tmp_path / "missing")})
    assert "SITEWATCH_API_TOKEN_FILE" in text
    assert "No such file" in text


def test_a_secret_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert "it is not text" in faults({"SITEWATCH_API_TOKEN_FILE": str(tmp_path / "binary")})


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text(WEBHOOK)
    text = faults(
        {"SITEWATCH_SLACK_WEBHOOK_URL": WEBHOOK, "SITEWATCH_SLACK_WEBHOOK_URL_FILE": str(tmp_path / "hook")}
    )
    assert "both set" in text
    assert "verysecretpart" not in text


def test_secrets_in_the_file_may_name_files_too(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text(WEBHOOK)
    (tmp_path / "key").write_text("Bearer abcdefgh")
    settings = from_toml(
        tmp_path,
        f'[channels.desk]\nkind = "slack"\nwebhook_url_file = "{tmp_path / "hook"}"\n'
        f'[providers.mine]\nkind = "readsb"\n[providers.mine.headers]\nAuthorization_file = "{tmp_path / "key"}"\n'
        f'[providers.mine.credentials]\nclient_secret_file = "{tmp_path / "key"}"\n',
    )
    assert settings.providers["mine"].credentials["client_secret"] == SecretStr("Bearer abcdefgh")
    assert {WEBHOOK, "Bearer abcdefgh"} <= set(settings.secrets)
    assert settings.providers["mine"].headers["Authorization"].get_secret_value() == "Bearer abcdefgh"


def test_a_secret_both_in_the_file_and_in_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text(WEBHOOK)
    text = faults(
        {},
        f'slack_webhook_url = "{WEBHOOK}"\nslack_webhook_url_file = "{tmp_path / "hook"}"\n',
        tmp_path,
    )
    assert "both set" in text


@pytest.mark.parametrize(
    "toml",
    [
        'slack_webhook_url = "ftp://verysecretpart"',
        'channels = "verysecretpart"',
        '[channels]\nops = "verysecretpart"',
        '[channels.ops]\nwebhook_url = "https://hooks.example/verysecretpart"',
        '[channels.ops]\nkind = "slack"\nwebhok_url = "https://hooks.example/verysecretpart"',
        '[channels.ops]\nkind = "slack"\nwebhook_url = "verysecretpart"',
        '[channels.ops]\nkind = "email"\npassword = ["verysecretpart"]\nhost = 3',
        '[providers.x]\nheaders = "verysecretpart"',
        '[providers.x.headers]\nAuthorization = ["verysecretpart"]',
        '[providers.x]\ncredentials = "verysecretpart"',
        '[providers.x]\nbase_url = "verysecretpart"',
        '[providers.x]\noptions = "verysecretpart"',
        'api_token = ["verysecretpart"]',
        'database_url = "mysql://user:verysecretpart@host/name"',
    ],
)
def test_no_fault_shows_a_secret(tmp_path: Path, toml: str) -> None:
    assert "verysecretpart" not in faults({}, toml, tmp_path)


def test_a_short_token_is_refused_without_showing_it() -> None:
    text = faults({"SITEWATCH_API_TOKEN": "hunter2"})
    assert "at least 16 characters" in text
    assert "hunter2" not in text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "watch.example"])
def test_a_host_beyond_this_machine_needs_a_token(tmp_path: Path, host: str) -> None:
    toml = f'host = "{host}"\n'
    assert "SITEWATCH_API_TOKEN" in faults({}, toml, tmp_path)
    assert from_toml(tmp_path, toml, {"SITEWATCH_API_TOKEN": "x" * 16}).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    assert load_settings({"SITEWATCH_HOST": host}).host == host


@pytest.mark.parametrize("url", ["ftp://x.example", "x.example", "https://", "javascript:alert(1)"])
def test_a_public_url_that_no_browser_opens_is_refused_and_shown(url: str) -> None:
    assert repr(url) in faults({"SITEWATCH_PUBLIC_URL": url})


def test_a_public_url_loses_its_last_slash() -> None:
    assert (
        load_settings({"SITEWATCH_PUBLIC_URL": "https://watch.example/"}).public_url
        == "https://watch.example"
    )


def test_half_an_email_setting_says_what_is_missing() -> None:
    text = faults({"SITEWATCH_SMTP_HOST": "mail.example", "SITEWATCH_EMAIL_FROM": "watch@mail.example"})
    assert "email_to must still be set" in text


EMAIL = {
    "SITEWATCH_SMTP_HOST": "mail.example",
    "SITEWATCH_EMAIL_FROM": "watch@mail.example",
    "SITEWATCH_EMAIL_TO": "ann@mail.example, bob@mail.example",
}


def test_email_from_the_environment_makes_one_channel() -> None:
    channel = load_settings(EMAIL).email_channel()
    assert channel is not None
    assert channel.recipients == ("ann@mail.example", "bob@mail.example")
    assert Settings().email_channel() is None


def test_a_user_name_without_password_is_refused() -> None:
    assert "belong together" in faults({**EMAIL, "SITEWATCH_SMTP_USERNAME": "watch"})


def test_mail_without_tls_stays_on_this_machine() -> None:
    assert "mail.example" in faults({**EMAIL, "SITEWATCH_SMTP_SECURITY": "none"})
    local = {**EMAIL, "SITEWATCH_SMTP_SECURITY": "none", "SITEWATCH_SMTP_HOST": "127.0.0.1"}
    assert load_settings(local).smtp_security == "none"


def test_networks_are_checked_one_by_one() -> None:
    assert load_settings({"SITEWATCH_ALLOWED_NETWORKS": "10.0.0.0/8, ::1/128"}).allowed_networks == (
        "10.0.0.0/8",
        "::1/128",
    )
    assert "'10.0.0.0/99'" in faults({"SITEWATCH_ALLOWED_NETWORKS": "10.0.0.0/99"})


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:secretpart@h/n",
        "postgresql://u:secretpart@h:port/n",
        "postgresql://u:secretpart@h",
        "postgresql://u:secretpart@[h/n",
        "sqlite:///",
        "sqlite://",
        "var/sitewatch.db",
    ],
)
def test_a_database_url_of_another_kind_is_refused_unseen(url: str) -> None:
    text = faults({"SITEWATCH_DATABASE_URL": url})
    assert "postgresql://USER:PASSWORD@HOST:PORT/NAME" in text
    assert "secretpart" not in text


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///var/x.db",
        "sqlite:////srv/x.db",
        "postgresql://u:p@h:5432/n",
        "postgresql+psycopg://u@/n?host=/run/pg",
        "postgres://u:p@h/n",
    ],
)
def test_both_kinds_of_database_are_taken(url: str) -> None:
    assert load_settings({"SITEWATCH_DATABASE_URL": url}).database_url.get_secret_value() == url


def test_the_short_name_of_postgresql_opens_the_same_database() -> None:
    short, long = (open_engine(f"{scheme}://u:p@h/n") for scheme in ("postgres", "postgresql"))
    assert short.url == long.url


def test_a_named_settings_file_must_exist(tmp_path: Path) -> None:
    text = faults({"SITEWATCH_CONFIG": str(tmp_path / "none.toml")})
    assert "none.toml does not exist" in text


def test_a_settings_file_that_is_a_folder_is_told(tmp_path: Path) -> None:
    assert "cannot be read" in faults({"SITEWATCH_CONFIG": str(tmp_path)})


def test_broken_toml_is_told_with_its_line(tmp_path: Path) -> None:
    text = faults({}, "port = \n", tmp_path)
    assert "is not valid TOML" in text
    assert "line 1" in text


def test_every_form_of_a_secret_is_known_for_redaction() -> None:
    settings = load_settings(
        {
            "SITEWATCH_DATABASE_URL": "postgresql://watch:p%40ssw0rd@db.example/watch",
            "SITEWATCH_SLACK_WEBHOOK_URL": WEBHOOK,
        }
    )
    assert {"p%40ssw0rd", "p@ssw0rd", WEBHOOK, "/services/T000/B000/verysecretpart"} <= set(settings.secrets)


def test_the_place_of_an_sqlite_file_is_no_secret() -> None:
    assert Settings().secrets == ()


@given(st.text(min_size=16, max_size=60))
def test_a_secret_never_prints(token: str) -> None:
    settings = Settings(api_token=SecretStr(token))
    # A token may happen to be a word that stands there anyway: the name of a setting, say.
    assert repr(settings) == repr(Settings(api_token=SecretStr("a token of another name")))
    assert token in settings.secrets


def test_a_rule_is_switched_off_with_false_because_toml_has_no_null(tmp_path: Path) -> None:
    settings = from_toml(
        tmp_path, "[watch.port.containers.rules]\nrecord = { min_looks = 5 }\nwatchlist = false\n"
    )
    assert settings.watch == {
        "port": {"containers": {"rules": {"record": {"min_looks": 5}, "watchlist": None}}}
    }


@pytest.mark.parametrize(
    "toml", ["watch = 3", "[watch]\nport = 3", "[watch.port]\ncontainers = 3", "[watch]\nport = [3]"]
)
def test_a_watch_that_is_no_table_is_refused(tmp_path: Path, toml: str) -> None:
    assert "watch" in faults({}, toml, tmp_path)


def test_the_examples_in_the_docs_are_sound(tmp_path: Path) -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"
    (tmp_path / "secrets").mkdir()
    for name in (
        "desk",
        "fr24",
        "rail",
        "bot",
        "hook",
        "topic",
        "apprise",
        "copernicus-id",
        "copernicus-secret",
        "earthdata-token",
    ):
        (tmp_path / "secrets" / name).write_text(WEBHOOK)
    examples = {
        page.name: re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for page in sorted(docs.glob("*.md"))
    }
    assert len(examples["settings.md"]) == 5
    assert sum(map(len, examples.values())) > 8
    for example in (each for page, found in examples.items() for each in found if page != "aircraft.md"):
        from_toml(tmp_path, example.replace('"secrets/', f'"{tmp_path}/secrets/'))


@pytest.mark.parametrize(
    ("given", "budget"),
    [
        ("1", {"notify": 1.0}),
        ("notify=1, urgent=0.1", {"notify": 1.0, "urgent": 0.1}),
        ("digest=8", {"digest": 8.0}),
    ],
)
def test_the_promise_is_a_number_or_one_for_each_severity(given: str, budget: dict[str, float]) -> None:
    promised = load_settings({"SITEWATCH_FALSE_ALARMS_PER_SITE_YEAR": given}).false_alarms_per_site_year
    defaults = Settings().false_alarms_per_site_year
    assert {name: promised[name] for name in budget} == budget
    assert promised.keys() == defaults.keys()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("few", "must be a number of false alarms a year"),
        ("0", "must be more than 0"),
        ("notify=-1", "must be more than 0"),
        ("urgent=inf", "must be more than 0"),
        ("loud=1", "not loud"),
    ],
)
def test_a_promise_that_cannot_be_is_refused(given: str, said: str) -> None:
    text = faults({"SITEWATCH_FALSE_ALARMS_PER_SITE_YEAR": given})
    assert "false_alarms_per_site_year" in text
    assert said in text


def test_a_promise_in_a_table_names_severities_that_there_are(tmp_path: Path) -> None:
    assert "not loud" in faults({}, "[false_alarms_per_site_year]\nloud = 1", tmp_path)


CHANNEL = '[channels.desk]\nkind = "log"\n'


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        (CHANNEL + 'timezone = "Berlin"', "channels.desk.log.timezone"),
        (CHANNEL + 'timezone = "Berlin"', "is no time zone; write one such as Europe/Berlin (got 'Berlin')"),
        (CHANNEL + 'quiet_hours = "22:00"', "must be two times of day such as 22:00-07:00"),
        (CHANNEL + 'quiet_hours = "22:00-22:00"', "must begin and end at different times"),
        (CHANNEL + 'quiet_hours = "22-7"', "must be a time of day such as 07:30"),
        (CHANNEL + 'daily_at = "25:00"', "must be a time of day from 00:00 to 23:59"),
        (CHANNEL + "one_by_one = false", "needs daily_at"),
        (CHANNEL + 'working_days = ["Monday"]', "must name some of mon, tue, wed, thu, fri, sat, sun"),
        (CHANNEL + "working_days = []", "must name some of mon"),
        (CHANNEL + "at_most_an_hour = 0", "channels.desk.log.at_most_an_hour"),
        (CHANNEL + "repeat_hours = 0", "channels.desk.log.repeat_hours"),
        (CHANNEL + "quiet = 1", "is not a setting"),
        ("[[routes]]\nname = 'x'", "routes.0.channels"),
        ("[[routes]]\nchannels = []", "routes.0.channels"),
        ("[[routes]]\nchannels = 'log'\nmatch = { kinds = 'port' }", "routes.0.match.kinds in"),
        ("[[routes]]\nchannels = 'log'\nmatch = { kind = [] }", "nothing would match"),
        ("[routes]\nchannels = 'log'", "routes in"),
    ],
)
def test_a_fault_in_hours_or_routes_is_named(tmp_path: Path, toml: str, words: str) -> None:
    assert words in faults({}, toml, tmp_path)


def test_hours_and_routes_are_read_as_written(tmp_path: Path) -> None:
    settings = from_toml(
        tmp_path,
        CHANNEL
        + """
timezone = "Europe/Berlin"
quiet_hours = "22:00-07:00"
working_days = ["mon", "fri"]
repeat_hours = 1.5
[[routes]]
match = { kind = "port", class = ["vip_military"] }
channels = "desk"
continue = true
""",
    )
    policy = settings.channels["desk"].policy
    assert (policy.quiet, policy.working_days) == ((time(22), time(7)), frozenset({0, 4}))
    assert (policy.zone.key, policy.repeat) == ("Europe/Berlin", timedelta(minutes=90))
    match = Matcher(kind=("port",), aircraft_class=("vip_military",))
    assert settings.routes[0].route(1) == Route("route 1", ("desk",), match, go_on=True)
