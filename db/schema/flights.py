"""Position reports, visits, and what is known and claimed of aircraft."""

from typing import Any

from sqlalchemy import Boolean, CheckConstraint, Column, Float, Index, Integer, Table, Text, text

from db.schema.base import metadata
from db.schema.types import BigId, Json, UtcDateTime

fix = Table(
    "fix",
    metadata,
    # In this order the key serves the commonest question: the track of one aircraft.
    Column("icao24", Text, primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("on_ground", Boolean),
    Column("altitude_ft", Float),
    Column("altitude_geom_ft", Float),
    Column("ground_speed_kt", Float),
    Column("track_deg", Float),
    Column("vertical_rate_fpm", Float),
    Column("source", Text, nullable=False, server_default=""),
    Column("nic", Integer),
    Column("nac_p", Integer),
    Column("callsign", Text, nullable=False, server_default=""),
    Column("registration", Text, nullable=False, server_default=""),
    Column("type_code", Text, nullable=False, server_default=""),
    Column("db_flags", Integer, nullable=False, server_default="0"),
    Column("poll_id", BigId),
    Index("ix_fix_at", "at"),
    Index("ix_fix_received_at", "received_at"),
    Index("ix_fix_poll_id", "poll_id"),
)

_VISIT_COLUMNS = ("arrived_at", "departed_at", "first_fix_at", "last_fix_at")


def _visit_columns() -> list[Column[Any]]:
    times: list[Column[Any]] = [Column(name, UtcDateTime) for name in _VISIT_COLUMNS]
    return [
        Column("site_id", Text, nullable=False),
        Column("icao24", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("confidence", Integer, nullable=False),
        *times,
        # The first that is known of it: what lists of visits go by.
        Column("began_at", UtcDateTime),
        Column("callsign", Text, nullable=False, server_default=""),
        Column("registration", Text, nullable=False, server_default=""),
        Column("type_code", Text, nullable=False, server_default=""),
        Column("subjects", Json, nullable=False),
        Column("candidates", Json, nullable=False),
        Column("evidence", Json, nullable=False),
        Column("recorded_at", UtcDateTime, nullable=False),
    ]


_VISIT_STATES = (
    "state in ('lost_toward', 'presumed', 'present', 'confirmed', 'departed', "
    "'through_flight', 'diverted', 'withdrawn')"
)

visit_version = Table(
    "visit_version",
    metadata,
    Column("visit_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    *_visit_columns(),
    Index("ix_visit_version_recorded_at", "recorded_at"),
    # The public sees the versions alone.
    Index("ix_visit_version_site_id", "site_id"),
    CheckConstraint(_VISIT_STATES, name="state"),
    CheckConstraint("confidence between 1 and 4", name="confidence"),
)

visit = Table(
    "visit",
    metadata,
    Column("visit_id", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    *_visit_columns(),
    Index("ix_visit_site_id_arrived_at", "site_id", "arrived_at"),
    Index("ix_visit_icao24_last_fix_at", "icao24", "last_fix_at"),
    Index("ix_visit_site_id_last_fix_at", "site_id", "last_fix_at"),
    Index("ix_visit_site_id_state", "site_id", "state"),
    Index("ix_visit_state", "state"),
    Index("ix_visit_began_at", "began_at", "visit_id"),
    Index("ix_visit_type_code_began_at", "type_code", "began_at"),
    Index("ix_visit_registration", "registration"),
    Index("ix_visit_callsign", "callsign"),
    # Those that may have to lose their names.
    Index(
        "ix_visit_named",
        "visit_id",
        sqlite_where=text("icao24 <> ''"),
        postgresql_where=text("icao24 <> ''"),
    ),
)

aircraft = Table(
    "aircraft",
    metadata,
    Column("icao24", Text, primary_key=True),
    # Several databases may speak of one aircraft; which is believed first is decided where they are read.
    Column("source", Text, primary_key=True),
    Column("registration", Text, nullable=False, server_default=""),
    Column("type_code", Text, nullable=False, server_default=""),
    Column("operator", Text, nullable=False, server_default=""),
    Column("flags", Integer, nullable=False, server_default="0"),
    Column("imported_at", UtcDateTime, nullable=False),
    Index("ix_aircraft_registration", "registration"),
    # PIA and LADD, or both: whether any list of them was imported.
    Index(
        "ix_aircraft_unnamed", "icao24", sqlite_where=text("flags >= 4"), postgresql_where=text("flags >= 4")
    ),
)

flight_claim = Table(
    "flight_claim",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("flight_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("icao24", Text, nullable=False, server_default=""),
    Column("callsign", Text, nullable=False, server_default=""),
    Column("registration", Text, nullable=False, server_default=""),
    Column("type_code", Text, nullable=False, server_default=""),
    Column("operator", Text, nullable=False, server_default=""),
    Column("origin", Text, nullable=False, server_default=""),
    Column("destination", Text, nullable=False, server_default=""),
    Column("actual_destination", Text, nullable=False, server_default=""),
    Column("took_off_at", UtcDateTime),
    Column("landed_at", UtcDateTime),
    Column("first_seen_at", UtcDateTime),
    Column("last_seen_at", UtcDateTime),
    Column("ended", Boolean),
    Column("estimated", Boolean, nullable=False),
    Column("quality", Json, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("poll_id", BigId),
    Index("ix_flight_claim_icao24_first_seen_at", "icao24", "first_seen_at"),
    Index("ix_flight_claim_received_at", "received_at"),
    Index("ix_flight_claim_origin", "origin"),
    Index("ix_flight_claim_destination", "destination"),
    Index("ix_flight_claim_actual_destination", "actual_destination"),
    Index("ix_flight_claim_poll_id", "poll_id"),
)

# Kept apart from `fix`, so that nothing extrapolated can be counted.
estimated_position = Table(
    "estimated_position",
    metadata,
    Column("icao24", Text, primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("altitude_ft", Float),
    Column("ground_speed_kt", Float),
    Column("track_deg", Float),
    Column("callsign", Text, nullable=False, server_default=""),
    Column("registration", Text, nullable=False, server_default=""),
    Column("type_code", Text, nullable=False, server_default=""),
    Column("origin", Text, nullable=False, server_default=""),
    Column("destination", Text, nullable=False, server_default=""),
    Column("eta", UtcDateTime),
    Column("poll_id", BigId),
    Index("ix_estimated_position_received_at", "received_at"),
)

# Aircraft that may not be named, and were heard of late: the reports of all providers are joined under the alias.
alias = Table(
    "alias",
    metadata,
    Column("alias", Text, primary_key=True),
    Column("heard_at", UtcDateTime, nullable=False),
    Index("ix_alias_heard_at", "heard_at"),
)

visitor_key = Table(
    "visitor_key",
    metadata,
    Column("name", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
)

# A day of an archive that is being loaded, part by part; emptied once its polls are recorded.
