"""Links from one page of an answer to the next: followed on the host that was asked, and nowhere else."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

_PORTS = {"http": 80, "https": 443}


class ForeignLinkError(ValueError):
    """A link leads to another server; `host` is which."""

    def __init__(self, host: str | None) -> None:
        super().__init__(f"the next page is said to be on another server ({host!r}), which is not asked")
        self.host = host


def next_link(page: Mapping[str, Any]) -> dict[str, Any] | None:
    """The link to the next page, if there is one."""
    links = page.get("links")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == "next" and isinstance(link.get("href"), str):
            return link
    return None


def followed(href: str, asked: str) -> str:
    """A link as it is asked: behind a proxy a server often writes its own scheme or port, or none, into its links.

    What leads to the host that was asked is asked where that was; raises ForeignLinkError for any other, and ValueError
    for what is no address.
    """
    url = _outside(urljoin(asked, href), asked)
    if origin(url) != origin(asked):
        raise ForeignLinkError(urlsplit(url).hostname)
    return url


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of an address; raises ValueError where it has none."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _outside(url: str, asked: str) -> str:
    parts, known = urlsplit(url), urlsplit(asked)
    if parts.hostname == known.hostname and parts.scheme in _PORTS and parts.port != 0:
        return parts._replace(scheme=known.scheme, netloc=known.netloc).geturl()
    return url
