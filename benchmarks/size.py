"""How long questions take at any size, beside Datasette on the same file in the same run; writes docs/performance.md.

Run: python -m benchmarks.size [--rows 1000000 10000000] [--datasette PATH/TO/VENV/bin/datasette] > docs/performance.md
All rows are synthetic: a hundred invented sites with ten daily series each, as far back as the rows reach. Both programs
answer on loopback; what is printed is the processor time of the process that answers, out of /proc (Linux only), and the
ratio of the two. Where Datasette is missing its column says so. Ten million rows need 6 GB of disk and half an hour.
"""

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import httpx
import uvicorn
from pydantic import SecretStr

from db.engine import open_engine, reading
from db.migrate import migrate
from monitor.bootstrap import build_app
from monitor.config.settings import Settings
from monitor.imports import import_file
from monitor.poll.plan import in_turn
from monitor.web.app import create_app

END = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SITES, SERIES = 100, 10
SUBJECTS = ("", *(f"type:T{number}" for number in range(1, SERIES)))
REPEATS = 30
READERS, READ_FOR_S = 8, 10.0
IMPORTED = 10_000
_TICKS = os.sysconf("SC_CLK_TCK")
_START_WITHIN_S = 120
_YEAR = (END - 365 * DAY, END)
_SQL_YEAR = (
    "select * from observation where site_id = :site and metric = 'arrivals' and subject = '' "
    "and period_start >= :since and period_start < :until order by period_start"
)
_SQL_AS_OF = (
    "select * from (select *, row_number() over (partition by period_start, look_key order by result_time desc, "
    "revision desc) as place from observation where site_id = :site and metric = 'arrivals' and subject = '' and "
    "period_start >= :since and period_start < :until and result_time <= :as_of) where place = 1"
)


@dataclass
class Server:
    """A program that answers on loopback, with the processor time that it has spent."""

    name: str
    process: subprocess.Popen[bytes]
    address: str
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.address, timeout=300)

    def cpu_s(self) -> float:
        """Processor seconds of its main process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def wait(self) -> None:
        """Wait until it answers."""
        until = time.monotonic() + _START_WITHIN_S
        while time.monotonic() < until:
            with suppress(httpx.HTTPError):
                self.client.get("/-/versions.json" if self.name == "Datasette" else "/healthz")
                return
            time.sleep(0.2)
        raise SystemExit(f"{self.name} did not answer within {_START_WITHIN_S} s.")

    def ms(self, addresses: Sequence[str]) -> float:
        """Processor milliseconds that one answer takes, over these addresses."""
        before = self.cpu_s()
        for each in addresses:
            answer = self.client.get(each)
            if answer.is_error:
                raise SystemExit(f"{self.name}: {each}: {answer.status_code} {answer.text[:300]}")
        return (self.cpu_s() - before) * 1_000 / len(addresses)


def sites_document(number: int) -> str:
    """So many invented airfields, spread over the globe."""
    features = [
        {
            "type": "Feature",
            "id": f"site-{index:05}",
            "geometry": _square(_lon(index), -60 + (index * 3.17) % 120),
            "properties": {
                "name": f"Invented field {index}",
                "kind": "airport",
                "timezone": _zone(_lon(index)),
                "precision": "approximate",
                "source": "invented for a benchmark",
            },
        }
        for index in range(number)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def _lon(index: int) -> float:
    return -175 + (index * 7.31) % 350


def _zone(lon: float) -> str:
    """The zone of the sea there; its name counts hours westwards."""
    hours = round(lon / 15)
    return f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT"


def _square(lon: float, lat: float) -> dict[str, object]:
    ring = [
        [lon, lat],
        [lon + 0.02, lat],
        [lon + 0.02, lat + 0.02],
        [lon, lat + 0.02],
        [lon, lat],
    ]
    return {"type": "Polygon", "coordinates": [[[round(x, 5), round(y, 5)] for x, y in ring]]}


def fill(path: Path, rows: int) -> None:
    """Fill a migrated file with synthetic daily looks, judged and closed; by SQL alone, as no program would."""
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    days = rows // (SITES * SERIES)
    us = 1_000_000
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("pragma synchronous=off")
        raw.execute(
            f"insert into lease values ('synthetic', 'benchmarks.size', 1, {int(END.timestamp()) * us})"
        )
        raw.execute("create temp table subjects (subject text)")
        raw.executemany("insert into subjects values (?)", [(each,) for each in SUBJECTS])
        raw.execute(
            "create temp table sites as with recursive n(i) as (select 0 union all select i + 1 from n where i < ?) "
            "select printf('site-%05d', i) as site_id from n",
            (SITES - 1,),
        )
        raw.execute(
            "insert into series (site_id, area, metric, subject, procedure, kind, longest_us) select site_id, '', 'arrivals', "
            f"subject, 'synthetic', 'flow', {86_400 * us} from sites, subjects"
        )
        start = int((END - days * DAY).timestamp()) * us
        raw.execute(
            "insert into observation (site_id, area, metric, subject, procedure, period_start, look_key, revision, period_end, "
            "precision, value, exposure_parts, exposure, closed, result_time, recorded_at, evidence, waiting) "
            "with recursive d(i) as (select 0 union all select i + 1 from d where i < :last) "
            "select site_id, '', 'arrivals', subject, 'synthetic', :start + i * :day, "
            "strftime('%Y-%m-%d', (:start + i * :day) / 1000000, 'unixepoch'), 1, :start + (i + 1) * :day, 'day', "
            "abs(random()) % 4, '{}', 1.0, 1, :start + (i + 1) * :day, :start + (i + 1) * :day, '[]', 0 "
            "from sites, subjects, d",
            {"last": days - 1, "start": start, "day": 86_400 * us},
        )
        raw.commit()


def settings_of(folder: Path, database: Path, sites: int) -> Settings:
    """Settings at their defaults but for the files."""
    (folder / f"{sites}.geojson").write_text(sites_document(sites), encoding="utf-8")
    return Settings(
        database_url=SecretStr(f"sqlite:///{database}"),
        sites_file=folder / f"{sites}.geojson",
        history_file=folder / "none.csv",
    )


def serve(folder: str, database: str, sites: str, port: str) -> None:
    """Serve the page and the API as the service does, without its jobs; in a process of its own."""
    app = build_app(settings_of(Path(folder), Path(database), int(sites)))
    uvicorn.run(create_app(app, lambda: END + 12 * timedelta(hours=1)), port=int(port), log_level="error")


@contextmanager
def ours(folder: Path, database: Path, sites: int, port: int) -> Iterator[Server]:
    """Our own program over a file."""
    code = "import sys; from benchmarks.size import serve; serve(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(folder), str(database), str(sites), str(port)]
    with _running("sitewatch", command, f"http://127.0.0.1:{port}") as server:
        yield server


@contextmanager
def datasette(program: str | None, database: Path, port: int) -> Iterator[Server | None]:
    """Datasette over the same file, if there is one."""
    if program is None:
        yield None
        return
    options = ["--setting", "max_returned_rows", "50000", "--setting", "sql_time_limit_ms", "60000"]
    command = [program, "serve", str(database), "--host", "127.0.0.1", "--port", str(port), *options]
    with _running("Datasette", command, f"http://127.0.0.1:{port}") as server:
        yield server


@contextmanager
def _running(name: str, command: Sequence[str], address: str) -> Iterator[Server]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = Server(name, process, address)
    try:
        server.wait()
        yield server
    finally:
        server.client.close()
        process.terminate()
        process.wait(30)


def _api(site: str, since: datetime, until: datetime, **more: str) -> str:
    asked = {"since": f"{since:%Y-%m-%d}", "until": f"{until - DAY:%Y-%m-%d}", "limit": "1000", **more}
    return f"/api/v1/observations?{urlencode({'site': site, 'metric': 'arrivals', 'subject': '', **asked})}"


def _sql(database: Path, sql: str, site: str, **moments: datetime) -> str:
    asked = {name: str(int(each.timestamp()) * 1_000_000) for name, each in moments.items()}
    return f"/{database.stem}.json?{urlencode({'sql': sql, '_shape': 'array', 'site': site, **asked})}"


def questions(database: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each question with the addresses that answer it here, and in Datasette."""
    some = [f"site-{(index * 37) % SITES:05}" for index in range(REPEATS)]
    since, until = _YEAR
    yield (
        "a site-year, one series",
        [_api(each, since, until) for each in some],
        [_sql(database, _SQL_YEAR, each, since=since, until=until) for each in some],
    )
    known = since + 200 * DAY
    yield (
        "the same as of a day in it",
        [_api(each, since, until, as_of=f"{known:%Y-%m-%d}") for each in some],
        [_sql(database, _SQL_AS_OF, each, since=since, until=until, as_of=known) for each in some],
    )
    month = f"since={END - 30 * DAY:%Y-%m-%d}&until={END - DAY:%Y-%m-%d}"
    plain = (
        "select * from observation where period_start >= :since and period_start < :until and subject = ''"
    )
    yield (
        "a month of all sites, one series each",
        [f"/api/v1/observations?subject=&{month}&limit=1000"] * 3,
        [_sql(database, f"{plain} limit 1000", "", since=END - 30 * DAY, until=END)] * 3,
    )
    yield (
        "a site page, made anew",
        [f"/sites/{each}?fresh={number}" for number, each in enumerate(some[:5])],
        [],
    )
    yield "the first page, made anew", [f"/?fresh={number}" for number in range(3)], []
    yield (
        "the first page, kept (beside a page of a table)",
        ["/"] * REPEATS,
        [f"/{database.stem}/observation?_size=20&_facet_size=0"] * 5,
    )


def answers_a_second(server: Server, path: str) -> float:
    """How many answers so many readers get in a second; they share this machine with the server."""
    until, counts = time.monotonic() + READ_FOR_S, [0] * READERS

    def read(number: int) -> None:
        with httpx.Client(base_url=server.address, timeout=60) as client:
            while time.monotonic() < until:
                client.get(path)
                counts[number] += 1

    threads = [threading.Thread(target=read, args=(number,)) for number in range(READERS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return sum(counts) / READ_FOR_S


def _cpu_ms(work: Callable[[], object], times: int = 5) -> float:
    spent = []
    for _ in range(times):
        before = time.process_time()
        work()
        spent.append(time.process_time() - before)
    return statistics.median(spent) * 1_000


def measure(folder: Path, rows: int, program: str | None) -> dict[str, tuple[float, float | None]]:
    """Processor milliseconds of each question, here and in Datasette."""
    database = folder / f"size{rows}.db"
    fill(database, rows)
    found: dict[str, tuple[float, float | None]] = {}
    with ours(folder, database, SITES, 8791) as mine, datasette(program, database, 8792) as other:
        mine.client.get("/")
        for what, here, there in questions(database):
            found[what] = (mine.ms(here), other.ms(there) if other is not None and there else None)
        table = f"/{database.stem}/observation?_size=20"
        found["answers a second at 8 readers"] = (
            answers_a_second(mine, "/"),
            answers_a_second(other, table) if other is not None else None,
        )
    database.unlink()
    return found


def plans(folder: Path) -> Iterator[str]:
    """What planning and the first page take with many sites and nothing counted."""
    yield "| sites | planned first, ms | planned again, ms | what is due, ms | first page made anew, ms |"
    yield "|---|---|---|---|---|"
    for number in (14, 1_000, 10_000):
        database = folder / f"plan{number}.db"
        engine = open_engine(f"sqlite:///{database}")
        migrate(engine)
        engine.dispose()
        app = build_app(settings_of(folder, database, number))
        feed, sites = app.feeds["adsb.lol"], list(app.sites.values())
        first = _cpu_ms(lambda: feed.scopes(sites), 1)  # noqa: B023 - called at once
        again = _cpu_ms(lambda: feed.scopes(sites))  # noqa: B023 - called at once
        with reading(app.engine) as connection:
            due = _cpu_ms(lambda: in_turn(connection, feed.provider, feed.scopes(sites), 0))  # noqa: B023 - called at once
        app.engine.dispose()
        with ours(folder, database, number, 8793) as mine:
            page = mine.ms([f"/?fresh={each}" for each in range(2)])
        yield f"| {number:,} | {first:,.1f} | {again:,.2f} | {due:,.1f} | {page:,.0f} |"


def imports(folder: Path) -> str:
    """Rows that are imported in a processor second, and how many a bare table takes."""
    database = folder / "import.db"
    app = build_app(settings_of(folder, database, SITES))
    migrate(app.engine)
    lines = ["site_id,start,metric,value,published,publisher,url"]
    lines += [
        f"site-{index % SITES:05},{END - (index // SITES + 1) * DAY:%Y-%m-%d},arrivals,{index % 5},2026-11-01,Desk,https://desk.example/{index}"
        for index in range(IMPORTED)
    ]
    (folder / "counts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    spent = _cpu_ms(lambda: import_file(app.engine, folder / "counts.csv", app.sites, END + DAY), 1) / 1_000
    app.engine.dispose()
    with closing(sqlite3.connect(folder / "bare.db")) as bare:
        bare.execute("create table counts (site, start, metric, value, published, publisher, url)")
        rows = [tuple(line.split(",")) for line in lines[1:]]
        plain = (
            _cpu_ms(lambda: bare.executemany("insert into counts values (?, ?, ?, ?, ?, ?, ?)", rows), 1)
            / 1_000
        )
    return (
        f"Import: {IMPORTED / spent:,.0f} rows a processor second (n = {IMPORTED:,}, checked, deduplicated, in short transactions); "
        f"a bare table without any check takes {IMPORTED / max(plain, 1e-3):,.0f}."
    )


def report(folder: Path, rows: Sequence[int], program: str | None) -> Iterator[str]:
    """The whole page of the docs."""
    yield "# How it performs at size"
    yield ""
    yield (
        "Written by `python -m benchmarks.size > docs/performance.md`; nothing here is typed by hand. All rows are synthetic: "
        f"{SITES} invented sites with {SERIES} daily series each. What is printed is processor time of the process that answers, in "
        f"milliseconds an answer (n = {REPEATS} addresses, 3 to 5 of the dear ones), beside Datasette on the same file in the same run; "
        "on a machine that others use too only such figures, and ratios of two of them, are worth anything."
    )
    yield ""
    if program is None:
        yield "Datasette was not at hand in this run, so its column is empty: install it in an environment of its own and name it with `--datasette`."
        yield ""
    found = {number: measure(folder, number, program) for number in rows}
    heads = [f"{number:,} rows: here | Datasette | ratio" for number in rows]
    growth = " | growth" if len(rows) > 1 else ""
    yield f"| question | {' | '.join(heads)}{growth} |"
    yield f"|---|{'---|' * (3 * len(rows) + bool(growth))}"
    for what in found[rows[0]]:
        cells = []
        for number in rows:
            here, there = found[number][what]
            cells += [
                f"{here:,.1f}",
                f"{there:,.1f}" if there else "–",
                f"{here / there:.2f}" if there else "–",
            ]
        first, last = found[rows[0]][what][0], found[rows[-1]][what][0]
        more = f" | {last / first if first else float('nan'):.2f}" if growth else ""
        yield f"| {what} | {' | '.join(cells)}{more} |"
    yield ""
    yield "With many sites and nothing counted (one provider of circles, processor time):"
    yield ""
    yield from plans(folder)
    yield ""
    yield imports(folder)


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--datasette", help="the program of an environment of its own")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sitewatch-size-") as folder:
        for line in report(Path(folder), asked.rows, asked.datasette):
            print(line, flush=True)


if __name__ == "__main__":
    main()
