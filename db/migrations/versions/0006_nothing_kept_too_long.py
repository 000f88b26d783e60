"""Extracts in the place of raw answers, and keys under which aircraft that are not named are known for a while.

What earlier versions kept against their word is removed: raw answers, aircraft whose operators asked not to be shown
(PIA, LADD), ids of visits out of which the address could be found by trying all.
"""

import gzip
import json
import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import context, op

import db.schema.types
from db.records.aliases import alias_of

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


_UNNAMED = 4 | 8
_AT_ONCE = 400
_FIELDS = frozenset(
    {
        "hex", "type", "lat", "lon", "seen_pos", "alt_baro", "alt_geom", "gs", "track", "calc_track", "baro_rate", "geom_rate",
        "nic", "nac_p", "flight", "r", "t", "dbFlags", "timestamp", "alt", "gspeed", "vspeed", "source", "callsign", "reg",
        "icao24", "firstSeen", "lastSeen", "estDepartureAirport", "estArrivalAirport", "fr24_id", "operating_as",
        "orig_icao", "dest_icao", "dest_icao_actual", "datetime_takeoff", "datetime_landed", "first_seen", "last_seen",
        "flight_ended", "eta",
    }
)  # fmt: skip
"""The fields that reports and claims were made from, by every provider's names."""
_STATE = {
    0: "icao24", 1: "callsign", 3: "time_position", 5: "longitude", 6: "latitude", 7: "baro_altitude", 8: "on_ground",
    9: "velocity", 10: "true_track", 11: "vertical_rate", 13: "geo_altitude", 16: "position_source",
}  # fmt: skip
_WORD = re.compile(r"[A-Za-z0-9_~:+./-]{1,32}")
_ID = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{20}(?![0-9a-zA-Z])")


def upgrade() -> None:
    """Apply; what is removed is told to whoever migrates."""
    told: list[str] = context.config.attributes.setdefault("told", [])
    _build()
    connection = op.get_bind()
    told += _drop_answers(connection)
    asked = _veil_databases(connection)
    told += _forget_who_asked(connection, asked)
    told += _drop_half_read_archives(connection)
    told += _name_visits_anew(connection)


def _build() -> None:
    op.create_table(
        "extract",
        sa.Column("poll_id", db.schema.types.BigId, autoincrement=False, nullable=False),
        sa.Column("icao24", sa.Text(), nullable=False),
        sa.Column("rows", db.schema.types.Json, nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("redistribute", sa.Boolean(), nullable=False),
        sa.Column("received_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("poll_id", "icao24", name=op.f("pk_extract")),
    )
    op.create_index("ix_extract_received_at", "extract", ["received_at"], unique=False)
    op.create_table(
        "alias",
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("heard_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("alias", name=op.f("pk_alias")),
    )
    op.create_index("ix_alias_heard_at", "alias", ["heard_at"], unique=False)
    op.create_table(
        "visitor_key",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("made_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_visitor_key")),
    )
    op.create_index(
        "ix_aircraft_unnamed",
        "aircraft",
        ["icao24"],
        unique=False,
        sqlite_where=sa.text("flags >= 4"),
        postgresql_where=sa.text("flags >= 4"),
    )
    # Not by copying the table: polls are many.
    op.execute("alter table poll rename column payload_sha256 to answer_sha256")
    op.execute("alter table poll add column answer_size integer")


def _drop_answers(connection: sa.Connection) -> Iterator[str]:
    """Put extracts about watched aircraft in the place of answers that an alert rests on, and drop all answers."""
    number = connection.execute(sa.text("select count(*) from payload")).scalar_one()
    kept = sum(_extracted(connection, *each) for each in _cited(connection))
    op.drop_index("ix_payload_received_at", table_name="payload")
    op.drop_table("payload")
    if number:
        yield f"{number} raw answers of feeds were removed, of which {kept} extracts about watched aircraft are kept"


def _cited(connection: sa.Connection) -> Iterator[tuple[int, str]]:
    """Give the polls, and the aircraft, that alerts rest on which were not withdrawn."""
    alert = sa.table("alert", sa.column("status"), sa.column("details", db.schema.types.Json))
    refs = {
        each["ref"]
        for details in connection.execute(sa.select(alert.c.details).where(alert.c.status != "withdrawn")).scalars()
        for entry in details.get("entries", ())
        for each in entry["evidence"]
        if each["kind"] == "visit"
    }
    for row in _visits(connection, "visit", refs):
        if row.icao24 and f"icao24:{row.icao24}" in row.subjects:
            yield from ((int(each["ref"]), row.icao24) for each in row.evidence if each["kind"] == "poll")


def _visits(connection: sa.Connection, name: str, ids: Collection[str]) -> Iterator[Any]:
    table = _visit_table(name)
    for some in _parts(sorted(ids)):
        yield from connection.execute(sa.select(table).where(table.c.visit_id.in_(some))).all()


def _visit_table(name: str) -> Any:
    texts = ("visit_id", "version", "icao24", "callsign", "registration", "type_code")
    documents = ("subjects", "candidates", "evidence")
    return sa.table(
        name,
        *(sa.column(each) for each in texts),
        *(sa.column(each, db.schema.types.Json) for each in documents),
    )


def _extracted(connection: sa.Connection, poll_id: int, icao24: str) -> bool:
    payload = sa.table("payload", *(sa.column(each) for each in ("sha256", "body", "redistribute")))
    received = sa.column("received_at", db.schema.types.UtcDateTime())
    poll = sa.table("poll", sa.column("id"), sa.column("answer_sha256"))
    query = (
        sa.select(payload.c.body, payload.c.redistribute, received)
        .select_from(payload)
        .where(payload.c.sha256 == sa.select(poll.c.answer_sha256).where(poll.c.id == poll_id).scalar_subquery())
    )
    found = connection.execute(query).one_or_none()
    rows = [] if found is None else [row for page in _pages(bytes(found.body)) for row in _rows(page, icao24)]
    if found is None or not rows:
        return False
    extract = sa.table(
        "extract",
        *(sa.column(each) for each in ("poll_id", "icao24", "request", "redistribute")),
        sa.column("rows", db.schema.types.Json),
        sa.column("received_at", db.schema.types.UtcDateTime()),
    )
    there = sa.select(extract.c.poll_id).where(extract.c.poll_id == poll_id, extract.c.icao24 == icao24)
    if connection.execute(there).first() is None:
        values = {"poll_id": poll_id, "icao24": icao24, "rows": rows, "request": ""}
        values |= {"redistribute": found.redistribute, "received_at": found.received_at}
        connection.execute(extract.insert().values(**values))
    return True


def _pages(body: bytes) -> Iterator[Any]:
    text = gzip.decompress(body)
    for page in (text, *text.split(b"\n")):
        try:
            yield json.loads(page)
        except ValueError:
            continue
        if page is text:
            return


def _rows(document: Any, icao24: str) -> Iterator[dict[str, Any]]:
    """Give the rows of an answer that are about one aircraft, of the fields that were used."""
    lists = document.values() if isinstance(document, dict) else [document]
    for row in (row for each in lists if isinstance(each, list) for row in each):
        if isinstance(row, list) and len(row) > max(_STATE):
            row = {name: row[index] for index, name in _STATE.items()}  # noqa: PLW2901 - by OpenSky's names
        if not isinstance(row, dict):
            continue
        whose = row.get("hex", row.get("icao24"))
        if isinstance(whose, str) and whose.strip().lower() == icao24:
            yield {name: value for name, value in row.items() if name in {*_FIELDS, *_STATE.values()} and _is_plain(value)}


def _is_plain(value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and bool(_WORD.fullmatch(value.strip())))


def _veil_databases(connection: sa.Connection) -> dict[str, str]:
    """Leave of those who asked not to be shown an alias in the aircraft databases; give address and alias of each."""
    names = ("icao24", "source", "registration", "type_code", "operator", "flags")
    aircraft = sa.table(
        "aircraft", *(sa.column(each) for each in names), sa.column("imported_at", db.schema.types.UtcDateTime())
    )
    rows = connection.execute(sa.select(aircraft).where(aircraft.c.flags >= _UNNAMED & -_UNNAMED)).mappings().all()
    if not rows:
        return {}
    key, made = secrets.token_hex(32), datetime.now(UTC)
    keys = sa.table(
        "visitor_key", sa.column("name"), sa.column("key"), sa.column("made_at", db.schema.types.UtcDateTime())
    )
    connection.execute(keys.insert().values(name="register", key=key, made_at=made))
    aliases = {row["icao24"]: alias_of(bytes.fromhex(key), row["icao24"]) for row in rows}
    for some in _parts(sorted(aliases)):
        connection.execute(sa.delete(aircraft).where(aircraft.c.icao24.in_(some)))
    nothing = {"registration": "", "type_code": "", "operator": ""}
    connection.execute(
        aircraft.insert(), [{**row, **nothing, "icao24": aliases[row["icao24"]]} for row in rows]
    )
    return aliases


def _forget_who_asked(connection: sa.Connection, asked: Mapping[str, str]) -> Iterator[str]:
    """Delete reports and claims of aircraft whose operators asked not to be shown, and take their names out of visits."""
    fix = sa.table("fix", sa.column("icao24"), sa.column("db_flags"))
    marked = sa.select(fix.c.icao24).where(fix.c.db_flags.op("&")(_UNNAMED) != 0).distinct()
    who = {*asked, *connection.execute(marked).scalars()}
    gone = 0
    for name in ("fix", "estimated_position", "flight_claim"):
        table = sa.table(name, sa.column("icao24"))
        for some in _parts(sorted(who)):
            gone += connection.execute(sa.delete(table).where(table.c.icao24.in_(some))).rowcount
    visits = sum(_unname(connection, name, who) for name in ("visit", "visit_version"))
    if gone or visits or asked:
        yield (
            f"{gone} reports and claims of aircraft whose operators asked not to be shown were removed, {visits} versions of "
            f"their visits lost the name, and {len(asked)} of them are known by an alias alone in the aircraft databases"
        )


def _unname(connection: sa.Connection, name: str, who: Collection[str]) -> int:
    table, changed = _visit_table(name), 0
    for some in _parts(sorted(who)):
        for row in connection.execute(sa.select(table).where(table.c.icao24.in_(some))).all():
            names = {row.icao24, row.callsign, row.registration} - {""}
            said = {each: json.dumps(getattr(row, each)) for each in ("candidates", "evidence")}
            for word in names:
                said = {each: text.replace(word, "(not kept)") for each, text in said.items()}
            values = {each: json.loads(text) for each, text in said.items()}
            values |= dict.fromkeys(("icao24", "callsign", "registration", "type_code"), "") | {"subjects": []}
            same = (table.c.visit_id == row.visit_id, table.c.version == row.version)
            connection.execute(sa.update(table).where(*same).values(**values))
            changed += 1
    return changed


def _drop_half_read_archives(connection: sa.Connection) -> Iterator[str]:
    parts = connection.execute(sa.text("delete from backfill_part")).rowcount
    connection.execute(sa.text("update backfill_day set state = 'reading' where state = 'recording'"))
    if parts:
        yield f"{parts} parts of archives that were read and not played were removed; the same command reads them again"


def _name_visits_anew(connection: sa.Connection) -> Iterator[str]:
    """Give each visit an id by chance, wherever it is named."""
    ids = {old: secrets.token_hex(10) for old in connection.execute(sa.text("select visit_id from visit")).scalars()}
    ids |= {
        old: secrets.token_hex(10)
        for old in connection.execute(sa.text("select distinct visit_id from visit_version")).scalars()
        if old not in ids
    }
    if not ids:
        return
    for table, columns in (
        ("visit", ("visit_id",)),
        ("visit_version", ("visit_id",)),
        ("observation", ("look_key", "evidence")),
        ("evaluation", ("look_key", "details")),
        ("alert", ("details", "baseline")),
        ("alert_event", ("visit_id", "look_key", "details")),
        ("delivery", ("payload",)),
        ("rule_state", ("state",)),
    ):
        for column in columns:
            _replace_ids(connection, table, column, ids)
    _forget_gap_ids(connection)
    yield (
        f"{len(ids)} visits have new ids, out of which nobody can find the aircraft; ids in earlier exports and "
        "messages still can be undone and lead nowhere now"
    )


def _replace_ids(connection: sa.Connection, name: str, column: str, ids: Mapping[str, str]) -> None:
    # By the row's place in its table, as what identifies it is what changes.
    place, text, new, same = "rowid", column, ":new", "rowid = :place"
    if connection.dialect.name == "postgresql":
        place, text, same = "ctid::text", f"{column}::text", "ctid = cast(:place as tid)"
        new = ":new" if column in {"visit_id", "look_key"} else "cast(:new as jsonb)"
    rows = connection.execute(sa.text(f"select {place}, {text} from {name} where {column} is not null"))  # noqa: S608
    changes = []
    for where, old in rows.all():
        changed = _ID.sub(lambda each: ids.get(each[0], each[0]), old)
        if changed != old:
            changes.append({"place": where, "new": changed})
    if changes:
        connection.execute(sa.text(f"update {name} set {column} = {new} where {same}"), changes)  # noqa: S608


def _forget_gap_ids(connection: sa.Connection) -> None:
    """Take the name of a loss of signal out of visits without name: it was made from the address."""
    for name in ("visit", "visit_version"):
        table = _visit_table(name)
        for row in connection.execute(sa.select(table).where(table.c.icao24 == "")).all():
            gap = row.candidates.get("gap")
            if isinstance(gap, dict) and "id" in gap:
                left = {**row.candidates, "gap": {key: value for key, value in gap.items() if key != "id"}}
                same = (table.c.visit_id == row.visit_id, table.c.version == row.version)
                connection.execute(sa.update(table).where(*same).values(candidates=left))


def _parts(names: list[str]) -> Iterable[list[str]]:
    return (names[at : at + _AT_ONCE] for at in range(0, len(names), _AT_ONCE))


def downgrade() -> None:
    """Take back; raw answers that were dropped do not come back."""
    op.create_table(
        "payload",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("encoding", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), server_default="", nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("redistribute", sa.Boolean(), nullable=False),
        sa.Column("received_at", db.schema.types.UtcDateTime(), nullable=False),
        sa.Column("cited", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_payload")),
    )
    op.create_index("ix_payload_received_at", "payload", ["received_at"], unique=False)
    op.execute("alter table poll drop column answer_size")
    op.execute("alter table poll rename column answer_sha256 to payload_sha256")
    op.drop_index("ix_aircraft_unnamed", table_name="aircraft")
    op.drop_table("visitor_key")
    op.drop_index("ix_alias_heard_at", table_name="alias")
    op.drop_table("alias")
    op.drop_index("ix_extract_received_at", table_name="extract")
    op.drop_table("extract")
