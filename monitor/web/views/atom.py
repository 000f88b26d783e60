"""What happened to alerts as an Atom feed (RFC 4287): one entry an event, so that a correction is read as one."""

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote, urlencode
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as ET

from alerts.attribution import alert_attributions, each_once, one_cell
from alerts.channels.safe_text import clean_text, one_line
from alerts.delivery.messages import certainty_words, event_words
from alerts.speech import ENGLISH, Speech
from db.records import Alert, AlertEvent
from db.said import chained, phrase

MEDIA_TYPE = "application/atom+xml"
_ATOM = "http://www.w3.org/2005/Atom"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ET.register_namespace("", _ATOM)


def atom_feed(
    root: str,
    told: Sequence[tuple[Alert, AlertEvent]],
    *,
    site: str = "",
    late_by: str = "",
    speech: Speech = ENGLISH,
) -> bytes:
    """The feed of these events, the newest first; `root` is the page's address, `late_by` says how late a public one is.

    That of one `site`, and that of each language, is a feed of its own.
    """
    asked = {"site": site, "language": "" if speech is ENGLISH else speech.language}
    query = urlencode({name: value for name, value in asked.items() if value}, quote_via=quote)
    own = f"{root}/alerts.atom{f'?{query}' if query else ''}"
    feed = ET.Element(f"{{{_ATOM}}}feed", {"xml:lang": speech.language})
    _text(feed, "id", f"urn:uuid:{uuid5(NAMESPACE_URL, own)}")
    title = (
        phrase("sitewatch: alerts, {late_by} late", late_by=late_by)
        if late_by
        else phrase("sitewatch: alerts")
    )
    _text(feed, "title", speech(title))
    _text(
        feed,
        "subtitle",
        speech(phrase("Counts above what history says is usual, how they went on, and corrections.")),
    )
    _text(feed, "updated", _time(max((event.at for _, event in told), default=_EPOCH)))
    _link(feed, "self", own)
    _link(feed, "alternate", f"{root}/alerts")
    _text(ET.SubElement(feed, f"{{{_ATOM}}}author"), "name", "sitewatch")
    if data := each_once(said for alert, _ in told for said in alert_attributions(alert)):
        _text(feed, "rights", speech(one_cell(data)))
    for alert, event in told:
        _entry(feed, root, (alert, event), speech)
    return bytes(ET.tostring(feed, encoding="utf-8", xml_declaration=True))


def _entry(feed: ET.Element, root: str, told: tuple[Alert, AlertEvent], speech: Speech) -> None:
    alert, event = told
    entry = ET.SubElement(feed, f"{{{_ATOM}}}entry")
    headline: str = event.details.get("headline", alert.headline)
    _text(entry, "id", f"urn:uuid:{uuid5(NAMESPACE_URL, f'sitewatch:{alert.id}:{event.seq}')}")
    _text(entry, "title", speech(chained(": ", [event_words(event), headline])))
    _text(entry, "updated", _time(event.at))
    _text(entry, "published", _time(event.at))
    _link(entry, "alternate", f"{root}/alerts/{quote(alert.id)}")
    for term, label in ((alert.site_id, alert.site_name), (alert.metric, alert.metric)):
        ET.SubElement(entry, f"{{{_ATOM}}}category", {"term": one_line(term), "label": one_line(label)})
    if data := alert_attributions(alert):
        _text(entry, "rights", speech(one_cell(data)))
    why = "" if event.kind == "opened" or event.reason == headline else event.reason
    certainty = phrase("Certainty: {certainty}.", certainty=certainty_words(alert.confidence))
    _text(entry, "content", "\n".join(filter(None, map(speech, (headline, why, certainty)))))


def _text(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, f"{{{_ATOM}}}{name}").text = clean_text(text)


def _link(parent: ET.Element, relation: str, address: str) -> None:
    ET.SubElement(parent, f"{{{_ATOM}}}link", {"rel": relation, "href": address})


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
