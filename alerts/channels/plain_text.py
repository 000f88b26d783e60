"""A message as plain text, for channels that have no form of their own."""

from collections.abc import Iterator

from alerts.channels import Message, own_words
from alerts.channels.safe_text import clean_text, one_line, safe_url
from db.said import phrase


def title_line(message: Message) -> str:
    """What it is about, on one line."""
    return one_line(f"{message.status}: {message.headline}")


def body_lines(message: Message) -> Iterator[str]:
    """Everything below the title: paragraphs, facts, links, what the picture shows, and the footer."""
    yield from filter(None, map(clean_text, message.paragraphs))
    for name, value in message.facts:
        if said := one_line(f"{name}: {value}").strip(": "):
            yield said
    for link in (*message.links, *message.actions):
        if url := safe_url(link.url):
            yield one_line(f"{link.text}: {url}")
    if shown := picture_line(message):
        yield shown
    if message.footer.strip():
        yield one_line(message.footer)


def picture_line(message: Message) -> str:
    """What the picture shows, as a line of text; '' where there is none."""
    alt = one_line(message.image_alt)
    return own_words(message, phrase("Picture: {alt}", alt=alt)) if alt.strip() else ""
