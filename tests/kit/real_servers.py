"""Servers that others wrote, as the real other side of each wire: found on this machine, run on loopback, stopped.

The tests' own fakes say what we believe of a format; these say what it is.
"""

import json
import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
VENV_OF_SERVERS = ROOT / ".venv-servers"
PATIENCE_S = 90.0
HOST = "127.0.0.1"


def needed(found: object, what: str) -> None:
    """Skip the test where a server is missing; CI fails."""
    if found:
        return
    reason = f"{what} is not installed (“make servers” does it where Debian's packages can be had)"
    if os.environ.get("CI"):
        pytest.fail(f"CI must have the real other side, but {reason}")
    pytest.skip(reason)


def installed(name: str, *folders: str | Path) -> str:
    """The path of a server's program, also where only root looks for it."""
    path = os.pathsep.join(map(str, (*folders, os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))
    found = shutil.which(name, path=path)
    needed(found, name)
    assert found is not None
    return found


def in_their_venv(name: str) -> str:
    """A program of the servers that come from the Python registry, in their own environment."""
    found = VENV_OF_SERVERS / "bin" / name
    needed(found.exists(), name)
    return str(found)


def free_port() -> int:
    """A port of this machine that nobody listens on now, below those that the system gives out by itself."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as tried, suppress(OSError):
            tried.bind((HOST, port))
            return port


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as tried:
        tried.settimeout(1)
        return tried.connect_ex((HOST, port)) == 0


def wait_until(
    ready: Callable[[], bool], what: str, process: "subprocess.Popen[bytes] | None" = None
) -> None:
    """Wait for something that another program does."""
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        if process is not None and process.poll() is not None:
            raise AssertionError(f"it ended with {process.returncode} before {what}")
        if time.monotonic() > deadline:
            raise AssertionError(f"{PATIENCE_S} s are over, and still waiting: {what}")
        time.sleep(0.02)


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
) -> Iterator[Path]:
    """Run a server until the end of the block; gives the file that holds what it says."""
    said = folder / f"{Path(command[0]).name}.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**_plain_environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            # Postfix ends everything in its session with itself.
            start_new_session=True,
        )
        try:
            wait_until(lambda: listens(port), f"{command[0]} listens on {port}", process)
            yield said
        except BaseException:
            print(said.read_text(errors="replace")[-4000:])  # noqa: T201 - what a person needs when a test fails
            raise
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(PATIENCE_S)


def _plain_environment() -> dict[str, str]:
    """This process's environment without what would measure, warn or set up another program."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SITEWATCH_", "COVERAGE_", "COV_", "PYTEST_", "PYTHON"))
    }


# --- nginx --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Nginx:
    """A running nginx: its address, the folder that it serves, and what it was asked."""

    url: str
    port: int
    folder: Path

    @property
    def asked(self) -> list[str]:
        """Each request line with the status and the size of its answer, as nginx logged it."""
        return (self.folder / "access.log").read_text().splitlines()


@contextmanager
def nginx(
    folder: Path,
    locations: str,
    *,
    chain: Path | None = None,
    key: Path | None = None,
    http: str = "",
) -> Iterator[Nginx]:
    """Run nginx over `folder`/www with these locations, with TLS where a certificate is given."""
    program, port = installed("nginx"), free_port()
    (folder / "www").mkdir(exist_ok=True)
    tls = f"ssl_certificate {chain}; ssl_certificate_key {key};" if chain else ""
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = " ".join(
        f"{each}_temp_path {folder}/{each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"""
        {user} pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; daemon off;
        events {{ worker_connections 64; }}
        http {{
            include /etc/nginx/mime.types; default_type application/octet-stream; {temporary}
            log_format lines '$request $status $body_bytes_sent';
            access_log {folder}/access.log lines;
            {http}
            server {{
                listen {HOST}:{port} {"ssl" if chain else ""}; {tls}
                root {folder}/www;
                {locations}
            }}
        }}
        """
    )
    command = [program, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf", "-p", str(folder)]
    with running(command, port, folder):
        yield Nginx(f"{'https' if chain else 'http'}://{HOST}:{port}", port, folder)


# --- Postfix ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Postfix:
    """A running Postfix with a mailbox for every address at example.org, whose refusals can be changed."""

    starttls_port: int
    tls_port: int
    refusing_port: int
    folder: Path

    def refuse(self, **answers: str) -> None:
        """Answer so to these recipients at example.org from the next connection on, and take all others."""
        lines = [f"{name}@example.org {answer}\n" for name, answer in answers.items()]
        path = self.folder / "recipients"
        path.write_text("".join(lines))
        # Postfix waits until a file has not been written to for two seconds.
        os.utime(path, (1, 1))

    def arrived(self, count: int = 1) -> list[bytes]:
        """Every mail in the mailbox, in the order of arrival, once there are so many."""
        box = self.folder / "boxes" / "all" / "new"
        wait_until(lambda: box.is_dir() and len(list(box.iterdir())) >= count, f"{count} mails in {box}")
        return [path.read_bytes() for path in sorted(box.iterdir(), key=lambda path: path.stat().st_mtime_ns)]

    def empty(self) -> None:
        """Throw the mails away, and refuse nobody."""
        shutil.rmtree(self.folder / "boxes" / "all", ignore_errors=True)
        self.refuse()


_SERVICES = """
127.0.0.1:STARTTLS inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o max_use=1
127.0.0.1:TLS inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
127.0.0.1:REFUSING inet n - n - - smtpd
  -o smtpd_delay_reject=no
  -o smtpd_client_restrictions=reject
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


@contextmanager
def postfix(chain: Path, key: Path) -> Iterator[Postfix]:
    """Run Postfix, and deliver what it takes into one mailbox; each connection reads anew whom to refuse."""
    program = installed("postfix")
    needed(os.geteuid() == 0, "root, as which alone Postfix starts,")
    folder = Path(tempfile.mkdtemp(prefix="sitewatch-postfix-"))
    try:
        folder.chmod(0o755)
        for name in ("conf", "queue", "data", "boxes"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        shutil.chown(folder / "boxes", "nobody")
        made = Postfix(free_port(), free_port(), free_port(), folder)
        ports = {"STARTTLS": made.starttls_port, "TLS": made.tls_port, "REFUSING": made.refusing_port}
        services = _SERVICES
        for name, port in ports.items():
            services = services.replace(f"127.0.0.1:{name} ", f"127.0.0.1:{port} ")
        (folder / "conf" / "master.cf").write_text(services)
        (folder / "conf" / "main.cf").write_text(_postfix_settings(folder, chain, key))
        made.refuse()
        subprocess.run([program, "-c", str(folder / "conf"), "check"], check=True, capture_output=True)
        daemons = Path("/usr/lib/postfix/sbin")
        master = installed("master", daemons)
        with running([master, "-c", str(folder / "conf"), "-d"], made.starttls_port, folder):
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _postfix_settings(folder: Path, chain: Path, key: Path) -> str:
    nobody = pwd.getpwnam("nobody")
    values = {
        "compatibility_level": "3.6",
        "queue_directory": folder / "queue",
        "data_directory": folder / "data",
        "command_directory": "/usr/sbin",
        "daemon_directory": "/usr/lib/postfix/sbin",
        "maillog_file": folder / "log",
        "maillog_file_prefixes": folder,
        "inet_interfaces": HOST,
        "inet_protocols": "ipv4",
        "myhostname": "mail.example.org",
        "mydestination": "",
        "mynetworks": "127.0.0.0/8",
        "alias_maps": "",
        "alias_database": "",
        "virtual_transport": "virtual",
        "virtual_mailbox_domains": "example.org",
        "virtual_mailbox_base": folder / "boxes",
        "virtual_mailbox_maps": "static:all/",
        "virtual_uid_maps": f"static:{nobody.pw_uid}",
        "virtual_gid_maps": f"static:{nobody.pw_gid}",
        "message_size_limit": 5_000_000,
        "in_flow_delay": 0,
        "smtpd_error_sleep_time": 0,
        "smtpd_tls_cert_file": chain,
        "smtpd_tls_key_file": key,
        "smtpd_sender_restrictions": "check_sender_access inline:{ { blocked@example.org = 550 5.7.1 not wanted here } }",
        "smtpd_recipient_restrictions": f"check_recipient_access texthash:{folder}/recipients, permit_mynetworks, reject",
        "header_checks": f"regexp:{folder}/conf/headers",
    }
    (folder / "conf" / "headers").write_text(
        "/^Subject: no such mail/ REJECT 5.6.0 we want no such mail\n"
        "/^Subject: not by policy/ REJECT 5.7.1 refused by policy\n"
    )
    return "".join(f"{name} = {value}\n" for name, value in values.items())


# --- PostgreSQL as Debian installs it -----------------------------------------------------------

_PASSWORD = "a-password-of-this-test"


@dataclass(frozen=True)
class Postgresql:
    """A running PostgreSQL that is reached over TCP, by password."""

    port: int
    folder: Path
    user: str = "watcher"
    password: str = _PASSWORD

    def url(self, database: str = "postgres", **options: object) -> str:
        """The URL of one of its databases; `options` are libpq's."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"postgresql://{self.user}:{self.password}@{HOST}:{self.port}/{database}?{query}"

    def variables(self, database: str) -> dict[str, str]:
        """The same for programs that read libpq's variables."""
        return {
            "PGHOST": HOST,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": database,
        }


@contextmanager
def postgresql(chain: Path | None = None, key: Path | None = None) -> Iterator[Postgresql]:
    """Run Debian's PostgreSQL on an empty cluster, with TLS where a certificate is given."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    server, initdb = (installed(name, *folders) for name in ("postgres", "initdb"))
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="sitewatch-debian-postgres-"))
    try:
        folder.chmod(0o755)
        made = Postgresql(free_port(), folder)
        secret, data = folder / "password", folder / "data"
        secret.write_text(made.password)
        data.mkdir()
        settings = [
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={folder}",
            "fsync=off",
            "full_page_writes=off",
        ]
        if chain and key:
            own_key = Path(shutil.copy(key, folder / "server.key"))
            own_key.chmod(0o600)
            certificate = shutil.copy(chain, folder / "server.pem")
            settings += ["ssl=on", f"ssl_cert_file={certificate}", f"ssl_key_file={own_key}"]
        if user:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, user)
        subprocess.run(
            [
                initdb, "-D", str(data), "-U", made.user, "-A", "scram-sha-256", "--pwfile", str(secret),
                "-E", "UTF8", "--locale=C", "--no-sync",
            ],
            check=True, capture_output=True, user=user, extra_groups=[] if user else None, cwd=folder,
        )  # fmt: skip
        options = [part for each in settings for part in ("-c", each)]
        with running([server, "-D", str(data), "-p", str(made.port), *options], made.port, folder, user=user):
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# --- a STAC API: stac-fastapi over pgstac -------------------------------------------------------


@dataclass(frozen=True)
class StacApi:
    """A running STAC API: its root, and the database behind it."""

    url: str
    port: int
    database: Postgresql

    def count_matches(self, *, on: bool) -> None:
        """Let it say how many items match in all (numberMatched), or not."""
        with psycopg.connect(self.database.url()) as connection:
            query = "update pgstac.pgstac_settings set value = %s where name = 'context'"
            connection.execute(query, ["on" if on else "off"])


@contextmanager
def stac_api(
    collections: Sequence[Mapping[str, Any]], items: Sequence[Mapping[str, Any]]
) -> Iterator[StacApi]:
    """Run stac-fastapi over pgstac with these collections and items."""
    loader, server = in_their_venv("pypgstac"), in_their_venv("uvicorn")
    with postgresql() as database:
        named = {**_plain_environment(), **database.variables("postgres")}
        subprocess.run([loader, "migrate"], check=True, capture_output=True, env=named)
        for kind, rows in (("collections", collections), ("items", items)):
            file = database.folder / f"{kind}.ndjson"
            file.write_text("\n".join(map(json.dumps, rows)))
            subprocess.run([loader, "load", kind, str(file)], check=True, capture_output=True, env=named)
        port = free_port()
        command = [
            server,
            "--factory",
            "stac_fastapi.pgstac.app:create_app",
            "--host",
            HOST,
            "--port",
            str(port),
        ]
        with running(command, port, database.folder, database.variables("postgres")):
            yield StacApi(f"http://{HOST}:{port}", port, database)


# --- OGC API Features: pygeoapi -----------------------------------------------------------------

_PYGEOAPI = """
server:
  bind: {{host: {host}, port: {port}}}
  url: http://{host}:{port}
  mimetype: application/json; charset=UTF-8
  encoding: utf-8
  gzip: true
  languages: [en-US]
  limits: {{default_items: 10, max_items: 1000}}
  map: {{url: "http://{host}/", attribution: none}}
logging: {{level: ERROR}}
metadata:
  identification: {{title: a test, description: a test, keywords: [a], keywords_type: theme, terms_of_service: none, url: "http://{host}"}}
  license: {{name: none, url: "http://{host}"}}
  provider: {{name: a test, url: "http://{host}"}}
  contact: {{name: a test, email: desk@example.org, url: "http://{host}"}}
resources:
"""
_PYGEOAPI_COLLECTION = """
  {name}:
    type: collection
    title: {name}
    description: {name}
    keywords: [a]
    links: []
    extents: {{spatial: {{bbox: [-180, -90, 180, 90], crs: "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}}}}
    providers: [{{type: feature, name: {store}, data: "{path}", id_field: id, time_field: datetime}}]
"""


@contextmanager
def pygeoapi(
    folder: Path,
    collections: Mapping[str, Sequence[Mapping[str, Any]]],
    store: Literal["GeoJSON", "TinyDB"] = "GeoJSON",
) -> Iterator[str]:
    """Run pygeoapi with these features by collection, ten a page, and give the address of its root.

    Kept as GeoJSON they are not filtered by time, whatever is asked; in a TinyDB they are.
    """
    program, port = in_their_venv("pygeoapi"), free_port()
    settings = _PYGEOAPI.format(host=HOST, port=port)
    for name, features in collections.items():
        path = folder / f"{name}.geojson"
        rows = {"_default": {str(number): each for number, each in enumerate(features, start=1)}}
        collection = {"type": "FeatureCollection", "features": features}
        path.write_text(json.dumps(rows if store == "TinyDB" else collection))
        settings += _PYGEOAPI_COLLECTION.format(name=name, path=path, store=store)
    config, described = folder / "pygeoapi.yml", folder / "openapi.yml"
    config.write_text(settings)
    named = {"PYGEOAPI_CONFIG": str(config), "PYGEOAPI_OPENAPI": str(described)}
    subprocess.run(
        [program, "openapi", "generate", str(config), "--output-file", str(described)],
        check=True, capture_output=True, env={**_plain_environment(), **named},
    )  # fmt: skip
    # The server of the command reads its address from the settings, but starts a second process to reload itself.
    command = [
        in_their_venv("uvicorn"), "--interface", "wsgi", "pygeoapi.flask_app:APP", "--host", HOST, "--port", str(port),
    ]  # fmt: skip
    with running(command, port, folder, named):
        yield f"http://{HOST}:{port}"


# --- a receiver: dump1090-mutability ------------------------------------------------------------


@dataclass(frozen=True)
class Dump1090:
    """A running decoder: where it takes frames, and the folder into which it writes aircraft.json."""

    port: int
    folder: Path

    def hear(self, *frames: str, lost: int = 0) -> None:
        """Hand it frames as an antenna would, and wait until it has written what it makes of them but for `lost`."""
        written = self.folder / "aircraft.json"
        before = self._messages(written)
        with socket.create_connection((HOST, self.port)) as wire:
            wire.sendall("".join(f"*{frame};\n" for frame in frames).encode())
            wait_until(
                lambda: self._messages(written) >= before + len(frames) - lost, f"{written} holds the frames"
            )

    @staticmethod
    def _messages(written: Path) -> int:
        return int(json.loads(written.read_text())["messages"])


@contextmanager
def dump1090(folder: Path, lat: float, lon: float) -> Iterator[Dump1090]:
    """Run Debian's decoder without a radio, for an antenna at this place."""
    program, port, written = installed("dump1090-mutability"), free_port(), folder / "www"
    written.mkdir(exist_ok=True)
    outputs = [
        part for name in ("ro", "sbs", "bi", "bo") for part in (f"--net-{name}-port", str(free_port()))
    ]
    command = [
        program, "--net", "--net-only", "--quiet", "--net-bind-address", HOST, "--net-ri-port", str(port), *outputs,
        "--write-json", str(written), "--write-json-every", "0.1", "--lat", str(lat), "--lon", str(lon),
    ]  # fmt: skip
    with running(command, port, folder):
        wait_until((written / "aircraft.json").exists, "the first aircraft.json")
        yield Dump1090(port, written)
