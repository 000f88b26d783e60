"""Whatever Apprise can reach, behind our own outbox: text alone, in which nothing is markup or pings anybody.

Apprise says of a failure no more than that it was one, keeps no rate limit of the other side and connects wherever its
address says. It is for the long tail; Slack, mail, ntfy and webhooks have channels of their own.
"""

import re
from collections.abc import Callable

from alerts.channels import Message, Receipt, SendError
from alerts.channels.plain_text import body_lines, title_line
from alerts.channels.safe_text import cut_text, one_line

_TITLE_LIMIT = 250
_BODY_LIMIT = 3_500
INSTALL = "Apprise is not installed. Install it with sitewatch: pip install 'sitewatch[apprise]'."
_JOINER = "\u2060"
_LOOK_ALIKES = str.maketrans(
    {"<": "‹", ">": "›", "`": "'", "*": "∗", "_": "＿", "~": "∼", "|": "¦", "[": "(", "]": ")"}
)
_WEB = re.compile(r"https?://[^\s<>`|]+")
_IN_ADDRESSES = str.maketrans({"@": "%40", "*": "%2A"})
Notify = Callable[[str, str], bool]


class AppriseChannel:
    """Hands title and body to Apprise; `notify` gives whether it was taken."""

    min_interval_s = 1.0

    def __init__(self, name: str, notify: Notify) -> None:
        self.name = name
        self._notify = notify

    def __repr__(self) -> str:
        return f"AppriseChannel({self.name!r})"

    def send(self, message: Message) -> Receipt:
        """Send once. Apprise does not say why it failed, so every failure is the channel's."""
        body = cut_text("\n".join(map(harmless, body_lines(message))), _BODY_LIMIT)
        title = cut_text(harmless(title_line(message)), _TITLE_LIMIT)
        if not self._notify(title, f"{body}\n[{harmless(one_line(message.identity))}]"):
            raise SendError(
                f"Apprise could not send through the channel “{self.name}” and does not say why. Check its url with Apprise's own "
                "command, apprise -vvv; sitewatch tries again by itself.",
                fault="channel",
            )
        return Receipt()


def harmless(text: str) -> str:
    """Text that no service reads as markup or as a mention; addresses of the web stay whole."""
    said, end = [], 0
    for found in _WEB.finditer(text):
        said += [_plain(text[end : found.start()]), found.group().translate(_IN_ADDRESSES)]
        end = found.end()
    return "".join([*said, _plain(text[end:])])


def _plain(text: str) -> str:
    return text.translate(_LOOK_ALIKES).replace("@", f"@{_JOINER}")


def apprise_notifier(url: str) -> Notify:
    """A way to one Apprise address; raises ValueError where Apprise is missing or does not know the address."""
    try:
        import apprise  # noqa: PLC0415 - an extra that most do without
    except ImportError:
        raise ValueError(INSTALL) from None
    asset = apprise.AppriseAsset(async_mode=False, interpret_escapes=False, interpret_emojis=False)
    sender = apprise.Apprise(asset=asset)
    if not sender.add(url):
        raise ValueError(
            "Apprise knows no such address. Its documentation lists the form of each service's url."
        )

    def notify(title: str, body: str) -> bool:
        sent = sender.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT)
        return bool(sent)

    return notify
