"""Servers with a certificate of a private authority: trusted where a ca_file says so, and refused in words where not."""

import io
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from alerts.channels import SendError
from monitor.bootstrap import build_app, build_channels, build_deadman, build_downloader, build_feed
from monitor.config.channels import SlackSettings
from monitor.config.clock import monotonic_s, utc_now
from monitor.config.settings import ProviderSettings, Settings, SettingsError, load_settings
from monitor.feeds import FeedError, Provider
from monitor.feeds.authorities import CaFileError, authorities, trusting
from monitor.feeds.http import GuardedClient
from monitor.feeds.providers import configured_providers
from monitor.ops.heartbeat import PingError
from tests.kit.authority import Authority, Certificate
from tests.kit.cast import write_cast
from tests.kit.channel_contract import MESSAGE
from tests.kit.fake_feeds import USER_AGENT, Asked, Loopback, Reply, loopback

LOOPBACK = ("127.0.0.0/8",)
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("authority")


@pytest.fixture(scope="module")
def ours(folder: Path) -> Authority:
    return Authority(folder)


def ok(_: Asked) -> Reply:
    return 200, {}, b"ok"


@contextmanager
def showing(certificate: Certificate) -> Iterator[Loopback]:
    with loopback(ok, certificate.context()) as server:
        yield server


@contextmanager
def asking(*ca_files: Path) -> Iterator[GuardedClient]:
    client = GuardedClient(
        name="roof",
        user_agent=USER_AGENT,
        monotonic=monotonic_s,
        clock=utc_now,
        allowed_networks=LOOPBACK,
        tls=trusting(ca_files),
    )
    with closing(client):
        yield client


@contextmanager
def every_client() -> Iterator[list[GuardedClient]]:
    """A list for clients, each of which is closed at the end."""
    clients: list[GuardedClient] = []
    yield clients
    for client in clients:
        client.close()


def refused(certificate: Certificate, *ca_files: Path, host: str = "127.0.0.1") -> str:
    with showing(certificate) as server, asking(*ca_files) as client, pytest.raises(FeedError) as caught:
        client.request("GET", f"https://{host}:{server.port}/", purpose="data")
    return caught.value.reason


def provider_of(settings: Settings, name: str) -> Provider:
    return next(each for each in configured_providers(settings) if each.name == name)


def test_a_server_of_a_private_authority_is_believed_where_its_file_is_named(ours: Authority) -> None:
    with showing(ours.certificate()) as server, asking(ours.file) as client:
        assert client.request("GET", server.url, purpose="data").body == b"ok"


def test_an_authority_below_another_and_a_server_s_own_certificate_may_be_named(
    ours: Authority, tmp_path: Path
) -> None:
    below = Authority(tmp_path, "Desk CA", above=ours)
    shown = below.certificate()
    with showing(shown) as server:
        for named in (ours.file, below.file, shown.chain):
            with asking(named) as client:
                assert client.request("GET", server.url, purpose="data").body == b"ok"
        with pytest.raises(FeedError, match="set ca_file"), asking() as client:
            client.request("GET", server.url, purpose="data")


def test_without_the_file_the_refusal_is_told_as_that_with_the_way_to_mend_it(ours: Authority) -> None:
    said = refused(ours.certificate())
    assert "showed a certificate that cannot be trusted: unable to get local issuer certificate" in said
    assert "set ca_file to a file (PEM) that holds it" in said
    assert "in time" not in said
    assert "_ssl.c" not in said


def test_another_authority_vouches_for_nobody_of_ours(ours: Authority, tmp_path: Path) -> None:
    assert "set ca_file" in refused(ours.certificate(), Authority(tmp_path, "Elsewhere CA").file)


def test_what_is_wrong_with_a_certificate_is_said(ours: Authority) -> None:
    old = ours.certificate(not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=2))
    assert "certificate has expired. Whoever runs the server must renew it" in refused(old, ours.file)
    early = ours.certificate(not_before=NOW + timedelta(days=2), not_after=NOW + timedelta(days=9))
    assert "is not yet valid. Set this machine's clock" in refused(early, ours.file)
    other = ours.certificate("tiles.example")
    assert "Check the host name" in refused(other, ours.file)
    assert "Check the host name" in refused(other, ours.file, host="localhost")


def test_a_server_without_tls_is_told_as_that() -> None:
    with loopback(ok) as server, asking() as client, pytest.raises(FeedError) as caught:
        client.request("GET", f"https://127.0.0.1:{server.port}/", purpose="data")
    assert "does not speak TLS as expected" in caught.value.reason
    assert "with http://" in caught.value.reason


# --- every way out of the program ---------------------------------------------------------------


def settings_of(ca_file: Path | None, **more: object) -> Settings:
    return Settings.model_validate({"allowed_networks": LOOPBACK, "ca_file": ca_file, **more})


@pytest.mark.parametrize("trusted", [True, False])
def test_one_setting_serves_every_client(ours: Authority, trusted: bool) -> None:
    with showing(ours.certificate()) as server, every_client() as clients:
        hook = SecretStr(f"{server.url}/hook/secret")
        settings = settings_of(
            ours.file if trusted else None,
            providers={"roof": roof(server.url)},
            slack_webhook_url=hook,
            deadman_url=hook,
        )
        feed = build_feed(provider_of(settings, "roof"), settings, clients)
        channels = build_channels(settings, clients)
        deadman = build_deadman(settings, clients)
        clients.append(build_downloader(settings))
        assert feed.provider.name == "roof"
        assert deadman is not None
        for kind, ask in (
            (FeedError, lambda: clients[0].request("GET", server.url, purpose="data")),
            (SendError, lambda: channels["slack"].send(MESSAGE)),
            (PingError, deadman.ping),
            (FeedError, lambda: clients[-1].download(server.url, io.BytesIO())),
        ):
            if trusted:
                ask()
                continue
            with pytest.raises(kind, match="set ca_file"):
                ask()


def roof(url: str, ca_file: Path | None = None) -> ProviderSettings:
    return ProviderSettings(
        kind="readsb", base_url=url, interval_s=15, licence="own", attribution="our own", ca_file=ca_file
    )


def test_a_provider_and_a_channel_may_have_an_authority_of_their_own(ours: Authority) -> None:
    with showing(ours.certificate()) as server, every_client() as clients:
        hook = SecretStr(f"{server.url}/hook/secret")
        settings = settings_of(
            None,
            providers={"roof": roof(server.url, ours.file), "other": roof(server.url)},
            channels={
                "desk": SlackSettings(kind="slack", webhook_url=hook, ca_file=ours.file),
                "night": SlackSettings(kind="slack", webhook_url=hook),
            },
        )
        for name in ("roof", "other"):
            build_feed(provider_of(settings, name), settings, clients)
        channels = build_channels(settings, clients)
        assert clients[0].request("GET", server.url, purpose="data").status == 200
        channels["desk"].send(MESSAGE)
        with pytest.raises(FeedError, match=r"other: .*set ca_file"):
            clients[1].request("GET", server.url, purpose="data")
        with pytest.raises(SendError, match=r"night: .*set ca_file"):
            channels["night"].send(MESSAGE)


def test_a_catalogue_s_authority_goes_for_its_pictures_and_for_no_other_s(
    ours: Authority, tmp_path: Path
) -> None:
    settings = settings_of(
        None,
        database_url=f"sqlite:///{tmp_path}/x.db",
        sites_file=write_cast(tmp_path),
        providers={"earth-search": ProviderSettings(ca_file=ours.file)},
    )
    with showing(ours.certificate()) as server, closing(build_app(settings)) as app:
        assert app.picture_clients.keys() == {"earth-search"}
        reader = app.picture_clients["earth-search"]
        assert reader.request("GET", server.url, purpose="data").body == b"ok"
        with pytest.raises(FeedError, match="set ca_file"):
            app.pictures.request("GET", server.url, purpose="data")


def test_it_comes_from_the_environment_and_is_not_read_as_a_secret(ours: Authority) -> None:
    assert load_settings({"SITEWATCH_CA_FILE": str(ours.file)}).ca_file == ours.file


# --- files that cannot be used ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be used: No such file or directory"),
        (b"", "holds no certificate \\(PEM"),
        (b"no certificate", "holds no certificate \\(PEM"),
        (b"\x30\x82\x01\x0a\x02\x82", "openssl x509 -inform der"),
        (b"-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", "private key"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "is damaged"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start_with_its_name(
    content: bytes | None, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CaFileError, match=rf"ca\.pem.*{said}"):
        authorities(path)
    hook = SlackSettings(kind="slack", webhook_url=SecretStr("https://hooks.example/x"), ca_file=path)
    mail = {
        "kind": "email", "host": "mail.example.org", "sender": "watch@example.org",
        "recipients": ("desk@example.org",), "ca_file": path,
    }  # fmt: skip
    for settings in (
        settings_of(path),
        settings_of(None, channels={"desk": hook}),
        settings_of(None, channels={"desk": mail}),
    ):
        with every_client() as clients, pytest.raises(SettingsError, match=said):
            build_channels(settings, clients)
    offered = settings_of(None, providers={"roof": roof("https://roof.example/", path)})
    with pytest.raises(SettingsError, match=f"roof cannot be reached: .*{said}"):
        build_feed(provider_of(offered, "roof"), offered, [])


def test_a_folder_is_no_file_of_authorities(tmp_path: Path) -> None:
    with pytest.raises(CaFileError, match="Is a directory"):
        trusting([tmp_path])


def test_the_authorities_of_a_file_are_named(ours: Authority, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(ours.file.read_bytes() + Authority(tmp_path, "Second CA").file.read_bytes())
    assert sorted(each.name for each in authorities(both)) == ["Newsroom CA", "Second CA"]
    assert all(each.not_after > NOW for each in authorities(both))
    assert authorities(ours.certificate().chain) == []


def test_the_known_authorities_stay_trusted_beside_a_file(ours: Authority) -> None:
    assert len(trusting([ours.file]).get_ca_certs()) == len(trusting().get_ca_certs()) + 1
    assert trusting().verify_mode is ssl.CERT_REQUIRED
    assert trusting().check_hostname
