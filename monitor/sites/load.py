"""Loading sites.geojson: a set of checked sites, or an error that holds every fault."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.sites import Site
from monitor.sites.check import check_document
from monitor.sites.document import parse_json_object, read_bytes
from monitor.sites.faults import SitesError
from monitor.sites.listed_addresses import AddressTest, no_address
from monitor.sites.watching import NO_RULE_DEFAULTS, RuleDefaults


@dataclass(frozen=True, slots=True)
class SiteSet:
    """The watched sites of one file, in its order; `document` is the file as read, `digest` its SHA-256."""

    path: Path
    sites: tuple[Site, ...]
    digest: str
    document: Mapping[str, Any] = field(repr=False)

    def __iter__(self) -> Iterator[Site]:
        return iter(self.sites)

    def __len__(self) -> int:
        return len(self.sites)

    def __bool__(self) -> bool:
        # A file without sites is a file: that it is there must not hang on how many it holds.
        return True

    @property
    def by_id(self) -> dict[str, Site]:
        """Every site by its id."""
        return {site.id: site for site in self.sites}

    @property
    def features(self) -> dict[str, Mapping[str, Any]]:
        """Every GeoJSON feature as written, by site id: what the database keeps versions of."""
        return {site.id: site.feature for site in self.sites}


def load_sites(
    path: Path, rules: RuleDefaults = NO_RULE_DEFAULTS, in_watched_class: AddressTest = no_address
) -> SiteSet:
    """Load and check a sites file or raise SitesError with every fault.

    `rules` names the rules that may be watched, each with its default parameters where they are known;
    `in_watched_class` says which aircraft may be listed by their address without a written reason.
    """
    return sites_from_bytes(path, read_bytes(path), rules, in_watched_class)


def sites_from_bytes(
    path: Path,
    data: bytes,
    rules: RuleDefaults = NO_RULE_DEFAULTS,
    in_watched_class: AddressTest = no_address,
) -> SiteSet:
    """As `load_sites`, from the bytes of the file."""
    document = parse_json_object(path, data)
    sites, faults = check_document(document.value, rules, in_watched_class)
    if faults:
        raise SitesError(str(path), faults)
    return SiteSet(path, sites, document.digest, document.value)
