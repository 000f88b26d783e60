"""A message as Slack's Block Kit, inside every limit, with nothing foreign that Slack could read as markup.

Foreign strings stand in plain_text objects, where `*`, `_`, `~` and backtick do nothing; `&`, `<` and `>`
are escaped there as Slack asks. Links stand in rich_text: a button would show a warning after each click,
because an incoming webhook has nobody who answers interactions. Limits: docs.slack.dev/reference/block-kit;
the limit over all blocks is not documented, Slack refuses a little more than 13,200 characters.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    HeaderBlock,
    PlainTextObject,
    RichTextBlock,
    RichTextElementParts,
    RichTextSectionElement,
    SectionBlock,
)
from slack_sdk.models.metadata import Metadata

from alerts.channels import Link, Message, own_words
from alerts.channels.plain_text import picture_line
from alerts.channels.safe_text import clean_text, cut_text, one_line, safe_url, total_cost
from db.said import phrase

EVENT_TYPE = "sitewatch_delivery"
HEADER_LIMIT = 150
SECTION_LIMIT = 3_000
FIELD_LIMIT = 2_000
URL_LIMIT = 3_000
LABEL_LIMIT = 150
FIELDS_PER_SECTION = 10
# Slack truncates the fallback text somewhere above 4,000 characters.
TEXT_LIMIT = 3_900
# Below the 13,200 at which Slack refuses, so that a difference in counting cannot matter.
BLOCKS_LIMIT = 12_000
_FACTS_SHARE = 4_000
_LINKS_SHARE = 4_000
_MOST_FACTS = 30
_MOST_PARAGRAPHS = 25
_MOST_LINKS = 10
_SHORT = 300
_FOOTER_LIMIT = 600
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LAST_BASIC = "\uffff"


def escape(text: str) -> str:
    """Escape the three characters that Slack reads as control characters."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def slack_cost(character: str) -> int:
    """What a character counts for: its escaped form, in the UTF-16 units of Slack's own counting."""
    return len(_ESCAPES.get(character, character)) + (character > _LAST_BASIC)


class _Allowance:
    """Characters that may still be spent, and whether anything had to be left out."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.cut = False

    def take(self, text: str, limit: int) -> str:
        """Spend on this text, shortened where it must be; empty where nothing is left."""
        fitting = cut_text(text, min(limit, self.left), slack_cost)
        self.cut = self.cut or fitting != text
        self.left -= total_cost(fitting, slack_cost)
        return fitting

    def split(self, share: int) -> "_Allowance":
        """Set a share aside; give it back with `join`."""
        share = min(share, self.left)
        self.left -= share
        return _Allowance(share)

    def join(self, other: "_Allowance") -> None:
        """Take back what was not spent."""
        self.left += other.left
        self.cut = self.cut or other.cut


def slack_payload(message: Message) -> dict[str, Any]:
    """Build the whole body of the POST; `metadata` carries the identity, so that a repeat can be told."""
    return {
        "text": fallback_text(message),
        "blocks": [block.to_dict() for block in blocks(message)],
        "metadata": Metadata(EVENT_TYPE, {"identity": one_line(message.identity)}).to_dict(),
        "mrkdwn": False,
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def fallback_text(message: Message) -> str:
    """Say the whole message as text, for notifications and screen readers."""
    facts = [f"{name}: {value}" for name, value in message.facts]
    links = [f"{link.text}: {url}" for link in message.links if (url := safe_url(link.url))]
    lines = [f"{message.status}: {message.headline}", *message.paragraphs, *facts, *links, message.footer]
    said = "\n".join(filter(None, map(clean_text, lines)))
    return escape(cut_text(said, TEXT_LIMIT, slack_cost))


def blocks(message: Message) -> list[Block]:
    """Lay the message out; what cannot be cut short is paid for first."""
    allowance = _Allowance(BLOCKS_LIMIT)
    top = list(_top(message, allowance))
    footer = _footer(message, allowance)
    note_room = allowance.split(_SHORT)
    links = _within(allowance, _LINKS_SHARE, message, _links)
    facts = _within(allowance, _FACTS_SHARE, message, _facts)
    body = list(_body(message, allowance))
    if allowance.cut:
        footer.append(note_room.take(_cut_note(message), _SHORT))
    bottom = [ContextBlock(elements=[_plain(text) for text in footer])] if footer else []
    return [*top, *body, *facts, *links, *bottom]


def _within(allowance: _Allowance, share: int, message: Message, build: Any) -> list[Block]:
    part = allowance.split(share)
    built = list(build(message, part))
    allowance.join(part)
    return built


def _plain(text: str) -> PlainTextObject:
    # Without emoji=False Slack would turn `:skull:` in a callsign into a picture.
    return PlainTextObject(text=escape(text), emoji=False)


def _top(message: Message, allowance: _Allowance) -> Iterator[Block]:
    headline = one_line(message.headline) or one_line(message.subject) or "sitewatch"
    yield HeaderBlock(text=_plain(cut_text(headline, HEADER_LIMIT, slack_cost)))
    allowance.left -= HEADER_LIMIT
    if total_cost(headline, slack_cost) > HEADER_LIMIT:
        yield SectionBlock(text=_plain(allowance.take(headline, SECTION_LIMIT)))
    about = [allowance.take(one_line(text), _SHORT) for text in (message.status, message.subject)]
    if any(about):
        yield ContextBlock(elements=[_plain(text) for text in about if text])


def _footer(message: Message, allowance: _Allowance) -> list[str]:
    texts = (
        allowance.take(one_line(text), _FOOTER_LIMIT) for text in (picture_line(message), message.footer)
    )
    return [text for text in texts if text]


def _cut_note(message: Message) -> str:
    on_page = any(safe_url(link.url) for link in message.links)
    said = (
        phrase("This message was too long for Slack and was cut; the rest is on the page.")
        if on_page
        else phrase(
            "This message was too long for Slack and was cut; “sitewatch alerts show” prints all of it."
        )
    )
    return own_words(message, said)


def _body(message: Message, allowance: _Allowance) -> Iterator[Block]:
    paragraphs = [text for text in map(clean_text, message.paragraphs) if text]
    for text in paragraphs[:_MOST_PARAGRAPHS]:
        if fitting := allowance.take(text, SECTION_LIMIT):
            yield SectionBlock(text=_plain(fitting))
    allowance.cut = allowance.cut or len(paragraphs) > _MOST_PARAGRAPHS


def _facts(message: Message, allowance: _Allowance) -> Iterator[Block]:
    pairs = [f"{one_line(name)}\n{clean_text(value)}".strip() for name, value in message.facts]
    pairs = [pair for pair in pairs if pair]
    allowance.cut = allowance.cut or len(pairs) > _MOST_FACTS
    fields = [_plain(text) for pair in pairs[:_MOST_FACTS] if (text := allowance.take(pair, FIELD_LIMIT))]
    for start in range(0, len(fields), FIELDS_PER_SECTION):
        yield SectionBlock(fields=fields[start : start + FIELDS_PER_SECTION])


def _links(message: Message, allowance: _Allowance) -> Iterator[Block]:
    parts = [*_link_parts(message.links, allowance)]
    if parts:
        yield RichTextBlock(elements=[RichTextSectionElement(elements=parts[:-1])])


def _link_parts(
    links: Iterable[Link], allowance: _Allowance
) -> Iterator[RichTextElementParts.Link | RichTextElementParts.Text]:
    for index, link in enumerate(links):
        url = safe_url(link.url)
        # A link cannot be shortened: half of it leads nowhere.
        if url is None or len(url) > min(URL_LIMIT, allowance.left - LABEL_LIMIT) or index >= _MOST_LINKS:
            allowance.cut = True
            continue
        allowance.left -= len(url)
        # rich_text knows no escapes, so the two brackets are replaced by their look-alikes.
        label = one_line(link.text).replace("<", "‹").replace(">", "›") or url
        yield RichTextElementParts.Link(url=url, text=allowance.take(label, LABEL_LIMIT))
        yield RichTextElementParts.Text(text="  ")
