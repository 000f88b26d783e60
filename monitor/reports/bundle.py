"""The evidence of one alert, gathered into files that an archive keeps and anybody can check without this database."""

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import TypeAdapter

from alerts.attribution import alert_attributions, each_once
from alerts.judging.recalibration import calibration_at
from alerts.metrics import meanings
from alerts.words import utc
from db.alerts import alert_events
from db.cutouts import picture_of
from db.declared import declared
from db.deliveries import deliveries
from db.engine import Connection
from db.evaluations import verdicts
from db.extracts import extracts_of, polls_behind
from db.imagery import scenes
from db.migrate import newest_revision
from db.observations import every_revision, looks
from db.polls import poll_by_id
from db.records import Alert, Evaluation, Extract, Fix, Observation, Scene
from db.sites import site_changes
from monitor.app import App
from monitor.feeds.providers import known_providers
from monitor.reports.bundle_replay import (
    AlertStory,
    JudgedLook,
    KnownScores,
    RuleWords,
    message_words,
    same_words,
    words_again,
)
from monitor.reports.tracks import nameable_visits, reports_around

CRATE = "ro-crate-metadata.json"
STORY, JUDGEMENTS, MESSAGE = "alert.json", "judgements.json", "message.txt"
STORY_FORM: TypeAdapter[AlertStory] = TypeAdapter(AlertStory)
JUDGEMENTS_FORM: TypeAdapter[tuple[JudgedLook, ...]] = TypeAdapter(tuple[JudgedLook, ...])
_LIBRARIES = ("sitewatch", "numpy", "scipy", "pydantic", "sqlalchemy", "shapely", "pyproj", "tzdata")
_SETTINGS = ("false_alarms_per_site_year", "lapse_after_days", "too_old_to_send_days", "watch", "metrics")
"""The settings on which a verdict can depend; no other is exported, and none of these is a secret."""
_BEFORE_AND_AFTER = timedelta(minutes=30)
_FORMS = {
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".txt": "text/plain",
    ".png": "image/png",
}
_SAID = {
    STORY: "The alert with its life, as records of sitewatch",
    JUDGEMENTS: "Each look in the alert with all that the rules were given, and what they said",
    MESSAGE: "The message about the newest event",
    "revisions.json": "Every revision of the looks in the alert",
    "deliveries.json": "Which channels were told of which event, and when",
    "answers.json": "The polls that it rests on: request, time, size and SHA-256 of each answer, and what may be passed on of it",
    "scenes.json": "The satellite scenes of the looks in the alert",
    "tracks.geojson": "Position reports of the watched aircraft in it, as far as they may be passed on",
    "versions.json": "Versions of the program and its libraries, and the settings on which verdicts depend",
    "README.txt": "What this is, and how to check it",
}
_README = """\
Evidence of the alert {alert}: {headline}

Exported by sitewatch {version} on {now}.

To check it: sitewatch alerts verify FILE. That compares every file with its SHA-256, judges each look again by what is
written down here, and compares the words. Without sitewatch: sha256sum --check {manifest}.

The list of sums does not say who wrote it. Keep the bundle's digest, which export and verify print, in another place.

What terms do not let us pass on is left out; of it stand here the request, the time, the size and the SHA-256.
Aircraft that nobody watches, and those whose operators asked not to be shown, are in no file.

{data}
"""


def gather_bundle(connection: Connection, app: App, alert: Alert, now: datetime) -> dict[str, bytes]:
    """Every file of the bundle, by name, without the list of sums."""
    return _Gathering(connection, app, alert, now).files()


class _Gathering:
    def __init__(self, connection: Connection, app: App, alert: Alert, now: datetime) -> None:
        self._connection, self._app, self._alert, self._now = connection, app, alert, now
        self._passed_on = {each.name: each.redistribute for each in known_providers(app.settings)}
        self._visits = nameable_visits(connection, app, alert)
        self._revisions = [
            each
            for each in every_revision(connection, alert.site_id, alert.area, alert.metric)
            if _cited(each, alert)
        ]

    def files(self) -> dict[str, bytes]:
        meaning = next(each for each in meanings() if each.name == self._alert.metric)
        story = AlertStory(self._alert, tuple(alert_events(self._connection, self._alert.id)), meaning)
        found = self._scenes()
        shown = dict(self._pictures(found))
        files = {
            STORY: STORY_FORM.dump_json(story, indent=1),
            JUDGEMENTS: JUDGEMENTS_FORM.dump_json(tuple(self._judgements()), indent=1),
            MESSAGE: message_words(story).encode(),
            "revisions.json": _json([_plain(each) for each in self._revisions]),
            "deliveries.json": _json(list(self._told())),
            "answers.json": _json(list(self._answers(found))),
            "scenes.json": _json([_plain(each) for each in found]),
            "tracks.geojson": _json(self._tracks()),
            "versions.json": _json(self._versions()),
            **shown,
        }
        files["README.txt"] = self._readme().encode()
        return {**files, CRATE: _json(self._crate(files))}

    def _judgements(self) -> Iterator[JudgedLook]:
        newest = {
            (each.series, each.period_start, each.look_key, each.revision): each for each in self._revisions
        }
        told = verdicts(self._connection, [each.key for each in newest.values()])
        for look in newest.values():
            said = [each for each in told.get(look.key, ()) if each.rule]
            if said:
                yield self._judged(look, said)

    def _judged(self, look: Observation, said: Sequence[Evaluation]) -> JudgedLook:
        as_of, recorded_at = said[0].as_of, said[0].recorded_at
        series = look.series
        known = looks(
            self._connection,
            site_id=series.site_id,
            metric=series.metric,
            area=series.area,
            until=look.period_start,
            as_of=as_of,
            as_recorded=recorded_at,
        )
        stated = declared(self._connection, series.site_id, series.metric, as_of=as_of)
        scores = calibration_at(self._connection, as_of).scores
        judged = JudgedLook(
            look=look,
            as_of=as_of,
            recorded_at=recorded_at,
            site=self._app.watches.get(series.site_id),
            known=tuple(each for each in known if each.period_start < look.period_start),
            declared=tuple(
                each for each in stated if each.series.area == series.area and each.recorded_at <= recorded_at
            ),
            changes=tuple(site_changes(self._connection, [series.site_id])),
            scores=tuple(KnownScores(*key, each.n, each.top) for key, each in scores.items()),
            said=tuple(_words(each) for each in said),
        )
        # As a reader of the file will see it, not as it stands in memory.
        (judged,) = JUDGEMENTS_FORM.validate_json(JUDGEMENTS_FORM.dump_json((judged,)))
        again = words_again(judged, self._app.rules)
        return replace(
            judged, said=tuple(replace(each, replays=same_words(each, again)) for each in judged.said)
        )

    def _told(self) -> Iterator[dict[str, Any]]:
        for each in deliveries(self._connection, self._alert.id):
            yield {
                "channel": each.channel,
                "event": each.event_seq,
                "state": each.state,
                "sent_at": each.sent_at.isoformat() if each.sent_at else None,
            }

    def _answers(self, found: Sequence[Scene]) -> Iterator[dict[str, Any]]:
        behind = polls_behind(self._connection, self._alert)
        numbers = {number for some in behind.values() for number in some}
        numbers |= {each.poll_id for each in found if each.poll_id is not None}
        kept: dict[int | None, list[Extract]] = {}
        named = {each.icao24 for each in self._visits}
        for each in extracts_of(self._connection, numbers):
            # One answer tells of every watched aircraft in the air: the others are no evidence of this alert.
            if each.icao24 in named:
                kept.setdefault(each.poll_id, []).append(each)
        for number in sorted(numbers):
            poll = poll_by_id(self._connection, number)
            if poll is None:
                continue
            mine = kept.get(number, [])
            shown = [each for each in mine if each.redistribute]
            yield {
                **_plain(poll),
                "request": next((each.request for each in mine if each.request), ""),
                "rows": [dict(row) for each in shown for row in each.rows],
                "withheld": len(mine) - len(shown),
            }

    def _scenes(self) -> list[Scene]:
        keys = dict.fromkeys(each.look_key for each in self._revisions)
        return [
            each
            for key in keys
            for each in scenes(self._connection, site_id=self._alert.site_id, look_keys=[key])
        ]

    def _pictures(self, found: Sequence[Scene]) -> Iterator[tuple[str, bytes]]:
        for number, each in enumerate(found, start=1):
            made = picture_of(self._connection, each.site_id, each.item_id)
            if made is not None and self._passed_on.get(each.provider, False):
                facts = {name: value for name, value in _plain(made).items() if name != "png"}
                yield f"pictures/{number:03}.png", made.png
                yield f"pictures/{number:03}.json", _json(facts)

    def _tracks(self) -> dict[str, Any]:
        features: list[dict[str, Any]] = []
        withheld = 0
        for visit in self._visits:
            heard = reports_around(self._connection, visit, _BEFORE_AND_AFTER)
            shown = [each for each in heard if self._passed_on.get(each.provider, False)]
            withheld += len(heard) - len(shown)
            features += [_point(each, visit.visit_id) for each in shown]
        return {"type": "FeatureCollection", "features": features, "withheld": withheld}

    def _versions(self) -> dict[str, Any]:
        settings = self._app.settings.model_dump(mode="json", include=set(_SETTINGS))
        return {
            "exported_at": self._now.isoformat(),
            "python": platform.python_version(),
            "schema": newest_revision(),
            "libraries": {name: _version(name) for name in _LIBRARIES},
            "settings": settings,
        }

    def _readme(self) -> str:
        data = "\n".join(f"Data: {each}" for each in each_once(alert_attributions(self._alert)))
        return _README.format(
            alert=self._alert.id,
            headline=self._alert.headline,
            version=_version("sitewatch"),
            now=utc(self._now),
            manifest="manifest-sha256.txt",
            data=data,
        )

    def _crate(self, files: Mapping[str, bytes]) -> dict[str, Any]:
        """The description by which archives take the bundle in (RO-Crate 1.1)."""
        data = each_once(alert_attributions(self._alert))
        root = {
            "@id": "./",
            "@type": "Dataset",
            "name": f"Evidence of the alert {self._alert.id}",
            "description": self._alert.headline,
            "datePublished": self._now.isoformat(),
            "license": {"@id": "#terms"},
            "creator": {"@id": "#sitewatch"},
            "hasPart": [{"@id": name} for name in sorted(files)],
        }
        terms = {
            "@id": "#terms",
            "@type": "CreativeWork",
            "name": "Terms of the sources",
            "description": "; ".join(data),
        }
        program = {
            "@id": "#sitewatch",
            "@type": "SoftwareApplication",
            "name": "sitewatch",
            "softwareVersion": _version("sitewatch"),
        }
        descriptor = {
            "@id": CRATE,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        }
        parts = [_part(name, files[name]) for name in sorted(files)]
        return {
            "@context": "https://w3id.org/ro/crate/1.1/context",
            "@graph": [descriptor, root, terms, program, *parts],
        }


def _cited(look: Observation, alert: Alert) -> bool:
    return any(
        each["subject"] == look.series.subject
        and each["procedure"] == look.series.procedure
        and each["period_start"] == look.period_start.isoformat()
        and each["look_key"] == look.look_key
        for each in (*alert.details["entries"], *alert.details.get("others", ()))
    )


def _words(said: Evaluation) -> RuleWords:
    figures = {name: value for name, value in said.details.items() if name != "reason"}
    return RuleWords(said.rule, said.status, said.exceeded, str(said.details.get("reason", "")), figures)


def _point(each: Fix, visit_id: str) -> dict[str, Any]:
    facts = {"visit": visit_id, "provider": each.provider, "icao24": each.icao24, "at": each.at.isoformat()}
    measured = {
        "altitude_ft": each.altitude_ft,
        "ground_speed_kt": each.ground_speed_kt,
        "track_deg": each.track_deg,
        "on_ground": each.on_ground,
    }
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [each.lon, each.lat]},
        "properties": {**facts, **measured},
    }


def _part(name: str, content: bytes) -> dict[str, Any]:
    ending = name[name.rfind(".") :]
    return {
        "@id": name,
        "@type": "File",
        "name": _SAID.get(name, "A picture of the site, and where it comes from"),
        "encodingFormat": _FORMS[ending],
        "contentSize": str(len(content)),
    }


def _plain(record: Any) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(record).items()
    }


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n").encode()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # pragma: no cover - each of them is a dependency
        return "unknown"
