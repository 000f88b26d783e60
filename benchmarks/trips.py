"""Which files and functions one flight alert and one published count enter, from the feed or file to the message.

Run: python -m benchmarks.trips
Both trips go through the program as `monitor.bootstrap` puts it together, on a fresh SQLite database. Counted are the
functions and methods of monitor/, alerts/ and db/, in any thread, that are entered during the trip itself, each once.
Not counted: what runs while a module is imported, while the program is put together, or while the history before the
trip is stored; what an earlier round worked out and kept; lambdas, comprehensions and methods that dataclasses write.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

from db.records import Fix
from monitor import pipeline
from monitor.app import App
from monitor.bootstrap import build_app
from monitor.config.settings import Settings
from monitor.imports import import_file
from monitor.ops.logs import configure
from monitor.sites import Site
from tests.kit.cast import BUSY_PORT, QUIET_FIELD
from tests.kit.fake_feeds import Asked, Reply, aircraft, loopback, v2_body
from tests.kit.fakes.slack import FakeSlack
from tests.kit.fakes.smtp import HOST, FakeSmtp
from tests.kit.flying import Pilot

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("monitor", "alerts", "db")
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
NOON = datetime(2023, 8, 1, 12, tzinfo=UTC)
WEEKS = 60
"""How many weekly counts were published before the one that is followed: enough for every rule."""
QUIET_COUNTS = (3, 5, 4, 6, 2)
UNUSUAL_COUNT = 73


@dataclass
class Trip:
    """What was entered, in the order of first entry: by step its files, and every function as `file:name`."""

    steps: dict[str, list[str]] = field(default_factory=dict)
    functions: list[str] = field(default_factory=list)
    message: str = ""

    @property
    def files(self) -> list[str]:
        """The files in the order in which they are first entered."""
        return list(dict.fromkeys(name for names in self.steps.values() for name in names))


class Tracer:
    """Notes every function of the program that is entered inside a `step`, in this thread and those begun in it."""

    def __init__(self) -> None:
        self._steps: dict[str, dict[str, None]] = {}
        self._functions: dict[str, None] = {}
        self._files: dict[str, str] = {}
        self._step = ""
        self._local = threading.local()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Follow what is done in here, as this step of the trip."""
        self._step = name
        self._steps[name] = {}
        before = sys.getprofile()
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(before)
            threading.setprofile(None)

    def trip(self, message: str) -> Trip:
        """What was followed so far, and the message that came of it."""
        steps = {name: list(files) for name, files in self._steps.items()}
        return Trip(steps, list(self._functions), message)

    def _note(self, frame: FrameType, event: str, _argument: object) -> None:
        if event not in {"call", "return"}:
            return
        code = frame.f_code
        importing = getattr(self._local, "importing", 0)
        if code.co_name == "<module>":
            self._local.importing = importing + (1 if event == "call" else -1)
            return
        written = event == "call" and not importing and not code.co_name.startswith("<")
        if written and (name := self._file(code.co_filename)):
            self._steps[self._step][name] = None
            self._functions[f"{name}:{code.co_qualname}"] = None

    def _file(self, path: str) -> str:
        """The file's path within the program, '' where it is no part of it."""
        if path not in self._files:
            inside = Path(path).is_relative_to(ROOT) and Path(path).relative_to(ROOT).parts[0] in PACKAGES
            self._files[path] = Path(path).relative_to(ROOT).as_posix() if inside else ""
        return self._files[path]


def flight_alert(folder: Path) -> Trip:
    """Follow the second report of an aircraft of a watched class on the ground, up to the post in Slack.

    The first is not enough for an arrival; its approach was heard before, minute by minute.
    """
    flown = Pilot(QUIET_FIELD).approach(from_nm=15).roll_out().taxi().park(120)
    landed = next(fix.at for fix in flown.fixes if fix.on_ground)
    now = NOON

    def answer(_asked: Asked) -> Reply:
        heard = [as_listed(fix, now) for fix in flown.fixes if fix.at <= now]
        return 200, {"Content-Type": "application/json"}, v2_body(*heard[-1:], now=now)

    with loopback(answer) as feed, FakeSlack() as slack:
        provider = {"adsb.lol": {"base_url": f"{feed.url}/v2/"}}
        with program(folder, QUIET_FIELD, provider, slack_webhook_url=slack.url) as app:
            pipeline.start(app, now)
            while now < landed:
                now += MINUTE
                pipeline.tick(app, now)
            now += MINUTE
            tracer = Tracer()
            with tracer.step("poll"):
                pipeline.poll(app, now, "adsb.lol")
            with tracer.step("derive"):
                pipeline.derive(app, now)
            judge_and_deliver(tracer, app, now)
        post = slack.accepted[0]
    return tracer.trip(post["text"].splitlines()[0])


def published_count(folder: Path) -> Trip:
    """Follow one count from a CSV file, far above those before it, up to the mail in the mailbox."""
    now = NOON + DAY
    days = [NOON - (WEEKS - number) * 7 * DAY for number in range(WEEKS)]
    quiet = [QUIET_COUNTS[number % len(QUIET_COUNTS)] for number in range(WEEKS)]
    mail = {
        "smtp_security": "none",
        "email_from": "watch@example.org",
        "email_to": ("desk@example.org",),
    }
    with FakeSmtp() as mailbox:
        with program(folder, BUSY_PORT, {}, smtp_host=HOST, smtp_port=mailbox.port, **mail) as app:
            pipeline.start(app, NOON)
            before = counts(folder / "before.csv", zip(days, quiet, strict=True))
            import_file(app.engine, before, app.sites, NOON)
            pipeline.judge(app, NOON)
            file = counts(folder / "counts.csv", [(NOON, UNUSUAL_COUNT)])
            tracer = Tracer()
            with tracer.step("import"):
                import_file(app.engine, file, app.sites, now)
            judge_and_deliver(tracer, app, now)
        (taken,) = mailbox.accepted
    return tracer.trip(str(taken.message["Subject"]))


TRIPS: Mapping[str, Callable[[Path], Trip]] = {"flight": flight_alert, "count": published_count}


def judge_and_deliver(tracer: Tracer, app: App, now: datetime) -> None:
    """Do the second half of the line, which both trips share."""
    with tracer.step("judge"):
        pipeline.judge(app, now)
    with tracer.step("deliver"):
        pipeline.deliver(app, lambda: now, "trips")


@contextmanager
def program(folder: Path, site: Site, providers: Mapping[str, Any], **values: Any) -> Iterator[App]:
    """The program over one site, with these providers alone and no channel but those of `values`."""
    alone = {**site.feature, "properties": {**site.feature["properties"], "links": []}}
    (folder / "sites.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [alone]}))
    off = {"adsb.lol": {"enabled": False}, "earth-search": {"enabled": False}}
    settings = {
        "database_url": f"sqlite:///{folder / 'trips.db'}",
        "sites_file": folder / "sites.geojson",
        "history_file": folder / "none.csv",
        "allowed_networks": ["127.0.0.0/8"],
        "log_channel": False,
        "providers": {**off, **providers},
        **values,
    }
    app = build_app(Settings.model_validate(settings))
    try:
        yield app
    finally:
        app.close()


def as_listed(fix: Fix, now: datetime) -> dict[str, Any]:
    """A position report as the feed lists it."""
    return aircraft(
        fix.icao24,
        fix.lat,
        fix.lon,
        alt_baro="ground" if fix.on_ground else round(fix.altitude_ft or 0),
        alt_geom=None,
        gs=fix.ground_speed_kt,
        track=fix.track_deg,
        baro_rate=fix.vertical_rate_fpm,
        seen_pos=(now - fix.at).total_seconds(),
    )


def counts(path: Path, looks: Iterable[tuple[datetime, int]]) -> Path:
    """A file of counts of ships at Busy Port, each published on the day after."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("site_id", "start", "metric", "value", "published", "publisher", "url"))
        for at, value in looks:
            told = ("Harbour Watch", "https://watch.example/1")
            rows.writerow(
                ("busy-port", f"{at:%Y-%m-%d}", "ships_present", value, f"{at + DAY:%Y-%m-%d}", *told)
            )
    return path


def follow(name: str) -> Trip:
    """Follow a trip in a process of its own, so that nothing is remembered from before."""
    command = [sys.executable, "-m", "benchmarks.trips", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return Trip(**json.loads(done.stdout))


def told(name: str, trip: Trip) -> Iterator[str]:
    """The trip for people."""
    yield f"{name}: {len(trip.files)} files, {len(trip.functions)} functions; “{trip.message}”"
    seen: set[str] = set()
    for step, files in trip.steps.items():
        new = [file for file in files if file not in seen]
        yield f"  {step}: {len(files)} files, {len(new)} of them new"
        yield from (f"    {file}" for file in new)
        seen.update(new)


def main() -> None:
    """Print both trips; with a name, that trip as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trip", nargs="?", choices=TRIPS, help="print this one as JSON")
    name = parser.parse_args().trip
    if name is None:
        print("\n".join(line for each in TRIPS for line in told(each, follow(each))))
        return
    configure("json", ())
    with tempfile.TemporaryDirectory(prefix="trips-") as folder:
        print(json.dumps(asdict(TRIPS[name](Path(folder)))))


if __name__ == "__main__":
    main()
