"""What is kept, where, why and until when: the one table of it, which docs/responsible-use.md repeats."""

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.config.settings import Settings

KEPT_TITLES = ("what", "where", "why", "until")


@dataclass(frozen=True, slots=True)
class KeptThing:
    """One thing that is kept; `tables` are those of the database that hold it."""

    what: str
    tables: tuple[str, ...]
    why: str
    until: str


def kept_things(settings: Settings) -> Iterator[KeptThing]:
    """Give every thing that is kept, with the times that are set."""
    hours = f"{settings.keep_identities_hours:g} hours"
    days = f"{settings.keep_payloads_days:g} days"
    records, verdicts = (
        f"{each:g} days" for each in (settings.keep_records_days, settings.keep_verdicts_days)
    )
    yield KeptThing(
        "position reports, claims and visits of watched aircraft (a watched class, or a watch list), with their names",
        ("fix", "flight_claim", "estimated_position", "visit", "visit_version"),
        "they are what the watch is for",
        f"as long as the database; {hours} once nobody watches them",
    )
    yield KeptThing(
        "position reports and claims of every other aircraft near a site, with its names",
        ("fix", "flight_claim", "estimated_position"),
        "a visit is read out of many reports",
        f"{hours} after each was received",
    )
    yield KeptThing(
        "names in visits of other aircraft",
        ("visit", "visit_version"),
        "a person may check a visit while it is new",
        f"{hours} after the visit began, though the aircraft be heard on; the visit itself stays, without name",
    )
    yield KeptThing(
        "aircraft whose operators asked not to be shown (PIA, LADD), and those of which nobody can tell whether they did: "
        "under an alias, without callsign, registration and type",
        ("fix", "flight_claim", "alias"),
        "they are counted and never named",
        f"reports and alias {hours}; the visit stays, without name",
    )
    yield KeptThing(
        "the keys of aliases and of the ids of visits without name; in no backup",
        ("visitor_key",),
        "a visit without name must end when its aircraft leaves",
        f"a key of ids {hours} after it was made, or after an aircraft that it names was last heard here; the key of "
        "aliases as long as the database",
    )
    yield KeptThing(
        "aircraft databases that you imported: address, registration, type, operator; of who asked not to be shown an alias alone",
        ("aircraft", "visitor_key"),
        "feeds leave out types, and who asked not to be shown",
        "as long as the database; what a newer import says of an aircraft replaces what an earlier one said",
    )
    yield KeptThing(
        "of each answer of a feed: time, scope, outcome, SHA-256 and size; of a refusal its words",
        ("poll",),
        "silence must be told from an outage, and an extract be checked",
        f"{records}; longer while an alert rests on it",
    )
    yield KeptThing(
        "where an own receiver heard anybody: places and heights of one answer an hour, without any name",
        ("receiver_hour",),
        "what is heard can refute where it is said to stand",
        "a day",
    )
    yield KeptThing(
        "extracts of answers: the used fields of the rows about watched aircraft",
        ("extract",),
        "an alert must be checkable",
        f"{days}; longer only while an alert rests on one that was not withdrawn, at a site that is watched",
    )
    yield KeptThing(
        "an archived day while it is loaded",
        ("backfill_part", "backfill_day"),
        "a kill must cost nothing",
        "its reports until the day is played, that it was loaded as long as the database",
    )
    yield KeptThing(
        "verdicts of rules on counts",
        ("evaluation", "rule_state"),
        "it is asked whether a rule was right, and it is calibrated on a year of them",
        f"{verdicts}; longer while an alert rests on one",
    )
    yield KeptThing(
        "counts, alerts and what was told of them; of aircraft they name watched ones alone",
        (
            "metric", "series", "observation", "declared_baseline", "note", "alert", "alert_event", "delivery",
            "shared_cause", "shared_cause_alert",
        ),
        "history is what is unusual measured against; nothing told is unsaid",
        f"as long as the database; of messages those about sitewatch itself for {records}",
    )  # fmt: skip
    yield KeptThing(
        "hours watched, reports that were not believed, silences that are over",
        ("coverage_hour", "rejection", "silence"),
        "a count needs to say how much was watched, and says so itself from then on",
        records,
    )
    yield KeptThing(
        "sites, their changes, how feeds, channels and this program fare",
        (
            "site_version", "change", "blind_period", "provider_state", "channel_state",
            "lease", "token",
        ),
        "what is counted is read by them",
        "as long as the database; a log-out for 31 days",
    )  # fmt: skip
    yield KeptThing(
        "answers to programs that name their request (Idempotency-Key)",
        ("api_request",),
        "a request that is sent again must not be done twice",
        "a week",
    )
    yield KeptThing(
        "scenes of satellites, objects found in them, pictures of sites",
        (
            "scene",
            "detection",
            "cutout",
            "cutout_failure",
            "pixel_look",
            "pixel_failure",
            "pixels_read",
            "measure_admission",
            "radar_look",
            "radar_admission",
            "units_spent",
        ),
        "what imagery shows is counted, and shown",
        "scenes as long as the database, pictures until newer ones come or their site is removed, pixels for four years",
    )
    yield KeptThing(
        "owners of aircraft, and whole answers of feeds", (), "nothing needs them", "never stored"
    )


def kept_rows(settings: Settings) -> list[tuple[str, str, str, str]]:
    """The rows of the table."""
    return [
        (each.what, ", ".join(each.tables) or "nowhere", each.why, each.until)
        for each in kept_things(settings)
    ]


def kept_markdown(settings: Settings) -> str:
    """The table as Markdown."""
    lines = [KEPT_TITLES, ("---",) * len(KEPT_TITLES), *kept_rows(settings)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines).replace("| --- |", "|---|")
