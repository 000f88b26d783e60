"""Checking a whole sites file: every fault at once, each by feature id, and the sites where there is none."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from pyproj import CRS
from pyproj.exceptions import CRSError
from shapely import MultiPolygon, Polygon

from monitor.sites import REGION_KIND, Site
from monitor.sites.document import check_leaves
from monitor.sites.faults import SitesFault, Spot, did_you_mean, printable_value
from monitor.sites.fields import (
    ID_PATTERN,
    LONG_TEXT,
    choice,
    identifier,
    items,
    known_keys,
    mapping,
    number_within,
    required,
    required_text,
    text,
)
from monitor.sites.kinds import KINDS
from monitor.sites.listed_addresses import AddressTest, check_reasons, no_address, refuse_unexplained
from monitor.sites.placing import check_place, time_zones_at, zone_named
from monitor.sites.properties import (
    check_areas,
    check_changes,
    check_codes,
    check_declared_baselines,
    check_gates,
    check_links,
    check_runways,
)
from monitor.sites.shapes import MAX_AREA_KM2, MAX_REGION_KM2, outline
from monitor.sites.subjects import linked_site
from monitor.sites.watching import (
    NO_RULE_DEFAULTS,
    RuleDefaults,
    check_false_alarms,
    check_pictures,
    check_subjects,
    check_watch,
)

MAX_SITES = 20_000
SITE_PRECISIONS = ("good", "approximate", "coarse")
_TOP_KEYS = (
    *("type", "features", "name", "description", "crs", "bbox"),
    *("xy_coordinate_resolution", "z_coordinate_resolution", "m_coordinate_resolution"),
)
FEATURE_KEYS = ("type", "id", "geometry", "properties", "bbox")
PROPERTY_KEYS = (
    *(
        "id",
        "name",
        "kind",
        "timezone",
        "codes",
        "areas",
        "watch",
        "watchlist",
        "watchlist_reasons",
        "declared_baselines",
        "gates",
    ),
    *(
        "links",
        "elevation_ft",
        "runways",
        "changes",
        "false_alarms_per_site_year",
        "tell_clear_pictures",
        "precision",
        "notes",
        "source",
    ),
)
_WGS_84 = ("CRS84", "EPSG::4326", "EPSG:4326", "CRS84H", "WGS 84", "WGS84", "GCS_WGS_1984")
_EPSG_4326 = CRS.from_epsg(4326)
_LONGEST_CRS = 200
_MIN_ELEVATION_FT, _MAX_ELEVATION_FT = -1500.0, 30_000.0


def check_document(
    document: Mapping[str, Any],
    rules: RuleDefaults = NO_RULE_DEFAULTS,
    in_watched_class: AddressTest = no_address,
) -> tuple[tuple[Site, ...], tuple[SitesFault, ...]]:
    """All sites of a FeatureCollection, or all its faults; one of the two is empty (both, for an empty file).

    `in_watched_class` says which aircraft may be listed by their bare address without a written reason.
    """
    faults: list[SitesFault] = []
    spot = Spot(faults)
    check_leaves(spot, {key: value for key, value in document.items() if key != "features"})
    if document.get("type") != "FeatureCollection":
        spot.at("type").fault(
            f"{printable_value(document.get('type'))} is not a FeatureCollection", _COLLECTION_MEND
        )
        return (), tuple(faults)
    known_keys(spot, document, _TOP_KEYS)
    check_crs(spot.at("crs"), document.get("crs"))
    features = required(spot, document, "features", _COLLECTION_MEND)
    if features is None:
        return (), tuple(faults)
    if isinstance(features, list) and len(features) > MAX_SITES:
        spot.at("features").fault(f"there are {len(features)} features", f"Keep at most {MAX_SITES}")
        return (), tuple(faults)
    sites = []
    for index, (here, feature) in enumerate(items(spot.at("features"), features)):
        label = feature_id(feature) or f"feature {index}"
        site = _check_feature(here.of(label), feature, rules, in_watched_class)
        if site is not None:
            sites.append(site)
    _check_together(spot, features if isinstance(features, list) else [])
    return ((), tuple(faults)) if faults else (tuple(sites), ())


_COLLECTION_MEND = 'Write {"type": "FeatureCollection", "features": […]}'


def feature_id(feature: Any) -> str:
    """The id of a feature, from its own member or its properties, or '' where it has no sound one."""
    if not isinstance(feature, dict):
        return ""
    properties = feature.get("properties")
    inner = properties.get("id") if isinstance(properties, dict) else None
    found = feature["id"] if feature.get("id") is not None else inner
    return found if isinstance(found, str) and ID_PATTERN.fullmatch(found) else ""


def check_crs(spot: Spot, crs: Any) -> None:
    """Note a coordinate reference system, as QGIS or another program names it, that is not WGS 84."""
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str) or not _is_wgs_84(name):
        spot.fault(
            f"{printable_value(name if name is not None else crs)} is not WGS 84",
            "Export the file again in WGS 84 (EPSG:4326)",
        )


def _is_wgs_84(name: str) -> bool:
    if name.strip().upper().endswith(_WGS_84):
        return True
    if len(name) > _LONGEST_CRS:
        return False
    try:
        return CRS.from_user_input(name).equals(_EPSG_4326, ignore_axis_order=True)
    except CRSError:
        return False


def _check_feature(
    spot: Spot, feature: Any, rules: RuleDefaults, in_watched_class: AddressTest
) -> Site | None:
    entry = mapping(spot, feature)
    if not isinstance(feature, dict):
        return None
    check_leaves(spot, feature)
    known_keys(spot, entry, FEATURE_KEYS)
    if entry.get("type") != "Feature":
        spot.at("type").fault(
            f"{printable_value(entry.get('type'))} is not a Feature", 'Write "type": "Feature"'
        )
    here = spot.at("properties")
    # A trip through QGIS gives every feature every key, null where it had none.
    given = {key: value for key, value in mapping(here, entry.get("properties")).items() if value is not None}
    known_keys(here, given, PROPERTY_KEYS)
    most_km2 = MAX_REGION_KM2 if given.get("kind") == REGION_KIND else MAX_AREA_KM2
    shape = outline(spot.at("geometry"), entry.get("geometry"), most_km2)
    site_id = _check_id(spot, entry, given)
    zone = _check_timezone(here, given, shape)
    codes = check_codes(here.at("codes"), given.get("codes", {}))
    if shape is not None:
        check_place(spot, shape, zone, codes)
    kind = required(here, given, "kind", f"Write one of {', '.join(KINDS)}")
    values: dict[str, Any] = {
        "name": required_text(here, given, "name", "Name the site as people do"),
        "kind": choice(here.at("kind"), kind, KINDS) if kind is not None else "",
        "areas": check_areas(here.at("areas"), given.get("areas", []), shape),
        "links": check_links(here.at("links"), given.get("links", []), site_id),
        "runways": check_runways(here.at("runways"), given.get("runways", []), shape),
        **_check_watching(here, given, rules, in_watched_class),
        **_check_remarks(here, given),
    }
    if shape is None or zone is None:
        return None
    return Site(id=site_id, geometry=shape, timezone=zone, codes=codes, feature=entry, **values)


def _check_id(spot: Spot, feature: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    outer, inner = feature.get("id"), properties.get("id")
    if outer is None and inner is None:
        spot.at("id").fault("it is missing", "Give every feature an id, as in kp-sunan")
        return ""
    if outer is not None and inner is not None and outer != inner:
        spot.at("properties", "id").fault(
            f"{printable_value(inner)} is not the feature's id {printable_value(outer)}", "Keep one of them"
        )
    if outer is None:
        return identifier(spot.at("properties", "id"), inner)
    return identifier(spot.at("id"), outer)


def _check_timezone(
    spot: Spot, given: Mapping[str, Any], shape: Polygon | MultiPolygon | None
) -> ZoneInfo | None:
    name = given.get("timezone")
    zone = zone_named(name) if isinstance(name, str) else None
    if zone is None:
        problem = "it is missing" if name is None else f"{printable_value(name)} is not a time zone"
        spot.at("timezone").fault(problem, _zone_advice(shape))
    return zone


def _zone_advice(shape: Polygon | MultiPolygon | None) -> str:
    middle = shape.representative_point() if shape is not None else None
    names = time_zones_at(middle.y, middle.x) if middle is not None else ()
    return f"Write {names[0]}" if names else "Write an IANA name, as in Asia/Pyongyang"


def _check_watching(
    spot: Spot, given: Mapping[str, Any], rules: RuleDefaults, in_watched_class: AddressTest
) -> dict[str, Any]:
    budget = given.get("false_alarms_per_site_year")
    budget_spot = spot.at("false_alarms_per_site_year")
    watch = check_watch(spot.at("watch"), given.get("watch", {}), rules)
    watchlist = check_subjects(spot.at("watchlist"), given.get("watchlist", []))
    reasons = check_reasons(spot.at("watchlist_reasons"), given.get("watchlist_reasons", {}))
    named = {("watchlist",): given.get("watchlist"), **_subjects_of_metrics(given)}
    refuse_unexplained(spot, named, reasons, in_watched_class)
    return {
        "watch": watch,
        "watchlist": watchlist,
        "watchlist_reasons": reasons,
        "declared_baselines": check_declared_baselines(
            spot.at("declared_baselines"), given.get("declared_baselines", [])
        ),
        "gates": check_gates(spot.at("gates"), given.get("gates", [])),
        "changes": check_changes(spot.at("changes"), given.get("changes", [])),
        "false_alarms_per_site_year": None if budget is None else check_false_alarms(budget_spot, budget),
        "tell_clear_pictures": check_pictures(
            spot.at("tell_clear_pictures"), given.get("tell_clear_pictures")
        ),
    }


def _check_remarks(spot: Spot, given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"elevation_ft": None}
    if "elevation_ft" in given:
        found["elevation_ft"] = number_within(
            spot.at("elevation_ft"), given["elevation_ft"], _MIN_ELEVATION_FT, _MAX_ELEVATION_FT
        )
    if "precision" in given:
        found["precision"] = choice(spot.at("precision"), given["precision"], SITE_PRECISIONS)
    for key in ("notes", "source"):
        found[key] = text(spot.at(key), given.get(key, ""), longest=LONG_TEXT, blank=True)
    return found


def _check_together(spot: Spot, features: list[Any]) -> None:
    ids = Counter(filter(None, map(feature_id, features)))
    for site_id, count in ids.items():
        if count > 1:
            spot.of(site_id).at("id").fault(f"{count} features have this id", "Give each its own")
    for index, feature in enumerate(features):
        here = spot.of(feature_id(feature) or f"feature {index}").at("properties")
        for keys, linked in _linked(feature):
            if linked not in ids and ID_PATTERN.fullmatch(linked):
                here.at(*keys).fault(f"no site has the id {linked}", did_you_mean(linked, ids))


def _linked(feature: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every site that a feature names, with the keys where it does; shapes are checked elsewhere."""
    given = _object(_object(feature).get("properties"))
    for index, link in enumerate(_texts(given.get("links"))):
        yield ("links", index), link
    subjects = {("watchlist",): given.get("watchlist"), **_subjects_of_metrics(given)}
    for keys, found in subjects.items():
        for index, subject in enumerate(_texts(found)):
            linked = linked_site(subject)
            if linked:
                yield (*keys, index), linked


def _subjects_of_metrics(given: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
    return {
        ("watch", metric, "subjects"): _object(spec).get("subjects")
        for metric, spec in _object(given.get("watch")).items()
    }


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> list[str]:
    return [item if isinstance(item, str) else "" for item in value] if isinstance(value, list) else []
