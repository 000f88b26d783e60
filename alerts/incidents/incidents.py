"""Which alerts are one incident: near in time, at one site or at sites that belong together. Pure.

Nearness is all that an incident says; what its alerts have to do with each other is not known from it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from alerts.watch import SiteWatch
from db.records import Alert
from db.said import phrase, spaced

INCIDENT_WINDOW = timedelta(days=3)
"""How far from the alert that began an incident another may lie, in the time of what was seen.

The reference flight was gone for 36 hours, and its return is part of its story. A judgement, not measured.
"""


def neighbours(site: SiteWatch, watches: Mapping[str, SiteWatch]) -> frozenset[str]:
    """The site and those that it is linked with, whichever of them says so."""
    back = (each.site_id for each in watches.values() if site.site_id in each.links)
    return frozenset({site.site_id, *site.links, *back})


def joined_incident(opened: Alert, near: Iterable[Alert]) -> Alert:
    """A new alert as a part of the incident that began nearest to it in time, or as the first of its own.

    Only the alert that began an incident draws others in: else a busy place would make one incident of a whole year.
    """
    began = [
        each
        for each in near
        if _began_its_incident(each)
        and each.status != "withdrawn"
        and abs(each.phenomenon_time - opened.phenomenon_time) <= INCIDENT_WINDOW
    ]
    if not began:
        return opened
    nearest = min(
        began, key=lambda each: (abs(each.phenomenon_time - opened.phenomenon_time), each.opened_at, each.id)
    )
    return replace(opened, incident_id=nearest.incident_id)


def incident_begun_by(alert_id: str) -> str:
    """The name of the incident that an alert begins."""
    return f"in_{alert_id.removeprefix('al_')}"


def incident_words(others: Sequence[Alert]) -> list[str]:
    """A sentence for each of the other alerts of an incident, for a message; [] where there is none."""
    stands = {
        "resolved": phrase("It is over."),
        "lapsed": phrase("Its outcome is unknown."),
        "withdrawn": phrase("It was withdrawn."),
    }
    return [
        spaced(
            [
                phrase("Near in time, at {site}: {headline}.", site=each.site_name, headline=each.headline),
                stands.get(each.status, ""),
            ]
        )
        for each in others
    ]


def _began_its_incident(alert: Alert) -> bool:
    return alert.incident_id == incident_begun_by(alert.id)
