"""Adding sites to the file and removing them: checked before writing, in one step, with a backup."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monitor.errors import WorkFailed
from monitor.sites.check import feature_id
from monitor.sites.faults import SitesError, SitesFault, did_you_mean, printable_value
from monitor.sites.listed_addresses import AddressTest, no_address
from monitor.sites.load import SiteSet, load_sites, sites_from_bytes
from monitor.sites.shapes import GeoJsonFeature
from monitor.sites.watching import NO_RULE_DEFAULTS, RuleDefaults
from monitor.sites.write import dump_geojson, replace_file

_NEW_FILE: GeoJsonFeature = {"type": "FeatureCollection", "features": []}


def add_sites(
    path: Path,
    features: Sequence[Any],
    *,
    replace: bool = False,
    rules: RuleDefaults = NO_RULE_DEFAULTS,
    in_watched_class: AddressTest = no_address,
) -> SiteSet:
    """Add features to a sites file (made if it is missing) and give the sites now in it, or raise SitesError.

    Nothing is written unless the whole new file passes the check; the earlier version stays as `.bak`.
    """
    before = load_sites(path, rules, in_watched_class) if path.exists() else None
    return _save(path, _with(path, before, features, replace=replace), before, rules, in_watched_class)


def try_sites(
    path: Path,
    features: Sequence[Any],
    *,
    replace: bool = False,
    rules: RuleDefaults = NO_RULE_DEFAULTS,
    in_watched_class: AddressTest = no_address,
) -> SiteSet:
    """As `add_sites`, but write nothing: the sites that would then be in the file, or SitesError."""
    before = load_sites(path, rules, in_watched_class) if path.exists() else None
    text = _text(_with(path, before, features, replace=replace))
    return sites_from_bytes(path, text.encode("utf-8"), rules, in_watched_class)


def _with(path: Path, before: SiteSet | None, features: Sequence[Any], *, replace: bool) -> GeoJsonFeature:
    document = dict(_NEW_FILE if before is None else before.document)
    kept = list(document["features"])
    places = {feature_id(feature): index for index, feature in enumerate(kept)}
    for feature in features:
        place = places.get(feature_id(feature))
        if place is None:
            kept.append(feature)
        elif replace:
            kept[place] = feature
        else:
            mend = "Choose another id, or replace the site with --replace"
            fault = SitesFault(feature_id(feature), "id", "there is a site with this id already", mend)
            raise SitesError(str(path), [fault])
    return {**document, "features": kept}


def remove_site(
    path: Path,
    site_id: str,
    *,
    unlink: bool = False,
    rules: RuleDefaults = NO_RULE_DEFAULTS,
    in_watched_class: AddressTest = no_address,
) -> SiteSet:
    """Remove a site and give the sites that stay, or raise SitesError where it is unknown or still linked.

    `unlink` also takes it out of the links of the others.
    """
    before = load_sites(path, rules, in_watched_class)
    if site_id not in before.by_id:
        fault = SitesFault(
            "the file",
            "",
            f"no site has the id {printable_value(site_id)}",
            did_you_mean(site_id, before.by_id),
        )
        raise SitesError(str(path), [fault])
    kept = [feature for feature in before.document["features"] if feature_id(feature) != site_id]
    linking = [site.id for site in before if site_id in site.links and site.id != site_id]
    if linking and not unlink:
        fault = SitesFault(
            site_id,
            "",
            f"{', '.join(linking)} is linked with it",
            "Remove it with --unlink to drop the links",
        )
        raise SitesError(str(path), [fault])
    kept = [_without_link(feature, site_id) for feature in kept]
    return _save(path, {**before.document, "features": kept}, before, rules, in_watched_class)


def _without_link(feature: GeoJsonFeature, site_id: str) -> GeoJsonFeature:
    links = feature["properties"].get("links")
    if not links or site_id not in links:
        return feature
    rest = [link for link in links if link != site_id]
    return {**feature, "properties": {**feature["properties"], "links": rest}}


def _save(
    path: Path,
    document: GeoJsonFeature,
    before: SiteSet | None,
    rules: RuleDefaults,
    in_watched_class: AddressTest,
) -> SiteSet:
    text = _text(document)
    after = sites_from_bytes(path, text.encode("utf-8"), rules, in_watched_class)
    found = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
    if found != (None if before is None else before.digest):
        fault = SitesFault("the file", "", "somebody else changed it just now", "Try again")
        raise SitesError(str(path), [fault])
    try:
        replace_file(path, text)
    except OSError as error:
        raise WorkFailed(
            f"{path} cannot be written: {error.strerror}. It is as it was; check the disk and who may write there."
        ) from None
    return after


def _text(document: GeoJsonFeature) -> str:
    try:
        return dump_geojson(document)
    except ValueError:
        # Numbers that are not finite have no JSON; the check tells them by feature.
        return json.dumps(document)
