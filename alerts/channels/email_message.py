"""A message as an email: plain text and HTML with the picture inside, the same bytes at every try.

The Message-ID comes from the identity, so a repeat can be dropped. `References` names a root for the thread
that is never sent: every mail of an incident hangs below it, whichever comes first, and whatever its subject says.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from alerts.channels import Message, own_words
from alerts.channels.mail_headers import address_field, plain_field, text_field
from alerts.channels.plain_text import picture_line
from alerts.channels.safe_text import clean_text, cut_text, one_line, safe_url
from db.said import phrase

WRAP_COLUMNS = 76
SUBJECT_LIMIT = 200
PARAGRAPHS_LIMIT = 60_000
_SHORT = 2_000
_MOST_FACTS = 200
_MOST_LINKS = 50
_CUT_ON_PAGE = phrase("This message was too long for an email and was cut; the rest is on the page.")
_CUT = phrase("This message was too long for an email and was cut; “sitewatch alerts show” prints all of it.")
_HEAD = """\
<!doctype html>
<html lang="{language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">
<title>{title}</title>
<style>:root {{ color-scheme: light dark; supported-color-schemes: light dark; }}</style></head>
<body style="font-family: sans-serif; line-height: 1.5; max-width: 42em">
"""


def build_email(message: Message, sender: str, recipients: Sequence[str], domain: str) -> EmailMessage:
    """Write the mail; `sender` and `recipients` must be checked addresses, all else may be hostile."""
    fitted = _Fitted(message)
    token = _token(message.identity)
    thread = f"<thread-{_token(message.thread)}@{domain}>"
    mail = EmailMessage(policy=SMTP)
    for field in (
        text_field("Subject", cut_text(one_line(message.subject) or "sitewatch", SUBJECT_LIMIT)),
        address_field("From", [sender]),
        address_field("To", recipients),
        plain_field("Date", format_datetime(message.created_at)),
        plain_field("Message-ID", f"<{token}@{domain}>"),
        plain_field("References", thread),
        plain_field("In-Reply-To", thread),
        plain_field("Auto-Submitted", "auto-generated"),
        # Exchange answers automatic mail with "out of office" unless this forbids it.
        plain_field("X-Auto-Response-Suppress", "All"),
    ):
        mail[field.name] = field
    mail.set_content(fitted.text(), cte="quoted-printable")
    picture = f"picture-{token}@{domain}" if message.image_png else ""
    mail.add_alternative(fitted.html(picture), subtype="html", cte="quoted-printable")
    if message.image_png:
        html_part = mail.get_body(("html",))
        assert isinstance(html_part, EmailMessage)
        html_part.add_related(
            message.image_png,
            "image",
            "png",
            cid=f"<{picture}>",
            filename="picture.png",
            disposition="inline",
        )
    _fix_boundaries(mail, token)
    return mail


def email_message_id(identity: str, domain: str) -> str:
    """The Message-ID of a delivery: always the same for the same identity."""
    return f"<{_token(identity)}@{domain}>"


def _token(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _fix_boundaries(mail: EmailMessage, token: str) -> None:
    # Random boundaries would make each try a different mail. `=_` cannot occur in quoted-printable or base64.
    for index, part in enumerate(part for part in mail.walk() if part.is_multipart()):
        part.set_boundary(f"=_{token}_{index}")


class _Fitted:
    """The message's words, cleaned and cut to a size that mail programs show whole."""

    def __init__(self, message: Message) -> None:
        self._was_cut = len(message.facts) > _MOST_FACTS or len(message.links) > _MOST_LINKS
        self.status = self._fit(one_line(message.status))
        self.headline = self._fit(one_line(message.headline))
        self.footer = self._fit(clean_text(message.footer))
        self.image_alt = self._fit(one_line(message.image_alt))
        self.image_line = self._fit(picture_line(message))
        self.language = message.language
        facts = message.facts[:_MOST_FACTS]
        self.facts = [(self._fit(one_line(name)), self._fit(clean_text(value))) for name, value in facts]
        links = [(one_line(link.text), safe_url(link.url)) for link in message.links[:_MOST_LINKS]]
        self.links = [(self._fit(text or url), url) for text, url in links if url]
        self.paragraphs: list[str] = []
        left = PARAGRAPHS_LIMIT
        for text in filter(None, map(clean_text, message.paragraphs)):
            self.paragraphs += filter(None, [self._fit(text, left)])
            left = max(left - len(text), 0)
        if self._was_cut:
            self.paragraphs.append(own_words(message, _CUT_ON_PAGE if self.links else _CUT))

    def _fit(self, text: str, limit: int = _SHORT) -> str:
        fitting = cut_text(text, limit)
        self._was_cut = self._was_cut or fitting != text
        return fitting

    def text(self) -> str:
        """The plain part: at most 76 columns, but for a URL, which stands whole on its own line."""
        blocks = [wrap_lines(f"{self.status}: {self.headline}" if self.status else self.headline)]
        blocks += [wrap_lines(paragraph) for paragraph in self.paragraphs]
        if self.facts:
            blocks.append(
                "\n".join(wrap_lines(f"{name}: {value}", indent="  ") for name, value in self.facts)
            )
        blocks += [f"{wrap_lines(text)}\n{url}" for text, url in self.links]
        if self.image_line:
            blocks.append(wrap_lines(self.image_line))
        if self.footer:
            blocks.append(f"-- \n{wrap_lines(self.footer)}")
        return "\n\n".join(blocks) + "\n"

    def html(self, picture: str) -> str:
        """The HTML part, without colours of its own, so that light and dark mail programs both stay readable."""
        return (
            _HEAD.format(title=escape(self.headline), language=escape(self.language))
            + "\n".join(self._html_lines(picture))
            + "\n</body></html>\n"
        )

    def _html_lines(self, picture: str) -> Iterator[str]:
        yield f'<p dir="auto"><strong>{escape(self.status)}</strong></p>'
        yield f'<h1 dir="auto" style="font-size: 1.3em">{escape(self.headline)}</h1>'
        for paragraph in self.paragraphs:
            yield f'<p dir="auto">{_lines(paragraph)}</p>'
        if picture:
            yield (
                f'<p><img src="cid:{escape(picture)}" alt="{escape(self.image_alt)}" '
                'style="max-width: 100%; height: auto"></p>'
            )
        yield from _html_facts(self.facts)
        for text, url in self.links:
            yield f'<p dir="auto"><a href="{escape(url)}">{escape(text)}</a></p>'
        if self.footer:
            yield f'<hr><p dir="auto"><small>{_lines(self.footer)}</small></p>'


def _html_facts(facts: Iterable[tuple[str, str]]) -> Iterator[str]:
    rows = [
        f'<tr><th scope="row" dir="auto" style="text-align: left; vertical-align: top; padding-right: 1em">'
        f'{escape(name)}</th><td dir="auto">{_lines(value)}</td></tr>'
        for name, value in facts
    ]
    if rows:
        yield "<table>" + "\n".join(rows) + "</table>"


def _lines(text: str) -> str:
    return "<br>\n".join(escape(line) for line in text.split("\n"))


def wrap_lines(text: str, indent: str = "") -> str:
    """Wrap at 76 columns, counting wide characters (Korean, Chinese, emoji) as two; a URL stays whole."""
    return "\n".join(line for each in text.split("\n") for line in _wrap_line(each, indent))


def _wrap_line(text: str, indent: str) -> Iterator[str]:
    line, width = "", 0
    for word in _words(text, WRAP_COLUMNS - len(indent)):
        word_width = _width(word)
        if line and width + 1 + word_width > WRAP_COLUMNS:
            yield line
            line, width = indent + word, len(indent) + word_width
        else:
            line, width = (f"{line} {word}", width + 1 + word_width) if line else (word, word_width)
    yield line


def _words(text: str, columns: int) -> Iterator[str]:
    """Split at spaces, and words wider than a line also inside."""
    for word in text.split():
        if _width(word) <= columns or word.startswith(("http://", "https://")):
            yield word
            continue
        piece, width = "", 0
        for character in word:
            step = _width(character)
            if width + step > columns:
                yield piece
                piece, width = "", 0
            piece, width = piece + character, width + step
        yield piece


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
