"""Reloading sites.geojson while the program runs: a bad edit keeps the old sites and is told once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from alerts.baselines.budget import DEFAULT_BUDGET, FalseAlarmBudget
from alerts.watch import SiteWatch, WatchSpec
from monitor.sites.document import read_bytes
from monitor.sites.faults import SitesError, SitesFault
from monitor.sites.listed_addresses import AddressTest, no_address
from monitor.sites.load import SiteSet, load_sites, sites_from_bytes
from monitor.sites.watching import NO_RULE_DEFAULTS, RuleDefaults, site_watches

FileSignature = tuple[int, int, int, int] | None


@dataclass(frozen=True, slots=True)
class Reload:
    """What a look at the file gave; `mended` says that an earlier refusal is over."""

    outcome: Literal["unchanged", "changed", "refused"]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    faults: tuple[SitesFault, ...] = ()
    mended: bool = False


class SitesFile:
    """A sites file and the last good sites in it; the first load raises SitesError, a refresh never does."""

    def __init__(
        self, path: Path, rules: RuleDefaults = NO_RULE_DEFAULTS, in_watched_class: AddressTest = no_address
    ) -> None:
        self.path = path
        self._rules, self._in_watched_class = rules, in_watched_class
        self._signature = _signature(path)
        self._sites = load_sites(path, rules, in_watched_class)
        self._refused = ""
        self._faults: tuple[SitesFault, ...] = ()

    @property
    def faults(self) -> tuple[SitesFault, ...]:
        """What is wrong with the file as it stands now, so that the last good sites go on; () where nothing is."""
        return self._faults

    @property
    def sites(self) -> SiteSet:
        """The last good sites."""
        return self._sites

    def watches(
        self,
        layers: Mapping[str, WatchSpec],
        lapse_after_days: float = 90.0,
        budget: FalseAlarmBudget = DEFAULT_BUDGET,
    ) -> dict[str, SiteWatch]:
        """Every site's watch, with `layers` (settings by kind) between the kind's defaults and the site's own."""
        return site_watches(self._sites, layers, lapse_after_days, budget)

    def refresh(self) -> Reload:
        """Read the file again if it changed; the same bad content is refused with its faults only once."""
        signature = _signature(self.path)
        if signature == self._signature and signature is not None:
            return Reload("unchanged")
        # Taken before reading: an edit in between is seen next time.
        self._signature = signature
        try:
            data = read_bytes(self.path)
        except SitesError as error:
            return self._refuse(str(error), error)
        digest = hashlib.sha256(data).hexdigest()
        if digest == self._refused:
            return Reload("unchanged")
        if digest == self._sites.digest:
            return Reload("unchanged", mended=self._mend())
        try:
            fresh = sites_from_bytes(self.path, data, self._rules, self._in_watched_class)
        except SitesError as error:
            return self._refuse(digest, error)
        old, self._sites = self._sites, fresh
        return _compare(old, fresh, mended=self._mend())

    def _refuse(self, content: str, error: SitesError) -> Reload:
        if content == self._refused:
            return Reload("unchanged")
        self._refused, self._faults = content, error.faults
        return Reload("refused", faults=error.faults)

    def _mend(self) -> bool:
        was_refused, self._refused, self._faults = bool(self._refused), "", ()
        return was_refused


def _signature(path: Path) -> FileSignature:
    try:
        found = path.stat()
    except OSError:
        return None
    # The change time and inode catch an edit that keeps size and modification time (a tool that restores it).
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)


def _compare(old: SiteSet, new: SiteSet, *, mended: bool) -> Reload:
    before, after = old.features, new.features
    return Reload(
        "changed",
        added=tuple(site_id for site_id in after if site_id not in before),
        removed=tuple(site_id for site_id in before if site_id not in after),
        changed=tuple(
            site_id for site_id in after if site_id in before and after[site_id] != before[site_id]
        ),
        mended=mended,
    )
