"""`sitewatch sites`: list, show and check the watched sites, add one, remove one."""

import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from monitor.commands import JsonFlag, print_json, print_table, say, say_data
from monitor.errors import InputError

if TYPE_CHECKING:
    from alerts.watch import SiteWatch
    from monitor.config.settings import Settings
    from monitor.sites import Site
    from monitor.sites.choosing import Choice
    from monitor.sites.incoming import NewSites, Told
    from monitor.sites.load import SiteSet

sites_app = typer.Typer(no_args_is_help=True, help="List, show, check, add and remove watched sites.")
SitesFileOption = Annotated[
    Path | None,
    typer.Option("--file", metavar="PATH", help="Another sites file than the one in the settings."),
]
_SOUTHERN = re.compile(r"-\d+(?:[.,]\d+)?[°'\"\d.]*[\s,;/]+[-+\d]")
SiteId = Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")]


def _settings() -> "Settings":
    from monitor.config.settings import load_settings

    return load_settings()


def _path(file: Path | None) -> Path:
    return file if file is not None else _settings().sites_file


def _checks() -> dict[str, Any]:
    """What a sites file is checked against: the metrics and rules there are, and the watched classes of aircraft."""
    from alerts.metrics import declare_metrics
    from monitor.bootstrap import address_test, build_classes, rule_defaults

    settings = _settings()
    declare_metrics(settings.metrics)
    return {"rules": rule_defaults(), "in_watched_class": address_test(build_classes(settings))}


@sites_app.command("list")
def list_sites(*, file: SitesFileOption = None, as_json: JsonFlag = False) -> None:
    """List the watched sites."""
    from monitor.sites.load import load_sites

    sites = load_sites(_path(file), **_checks())
    if as_json:
        print_json({"items": [_row(site) for site in sites], "attribution": _data(sites)})
    elif not len(sites):
        say("No sites yet. “sitewatch sites add --airport ZKPY” adds an airport by its code.")
    else:
        print_table(
            ("site", "name", "kind", "time zone", "outline"),
            ((site.id, site.name, site.kind, site.timezone.key, site.precision) for site in sites),
        )
        say_data(_data(sites))


def _row(site: "Site") -> dict[str, Any]:
    from monitor.sites.geometry import area_km2

    return {
        "id": site.id,
        "name": site.name,
        "kind": site.kind,
        "timezone": site.timezone.key,
        "codes": dict(site.codes),
        "areas": [
            {"id": area.id, "name": area.name, "kind": area.kind, "located": area.geometry is not None}
            for area in site.areas
        ],
        "watchlist": list(site.watchlist),
        "watchlist_reasons": dict(site.watchlist_reasons),
        "links": list(site.links),
        "precision": site.precision,
        "area_km2": round(area_km2(site.geometry), 3),
    }


@sites_app.command("show")
def show_site(site: SiteId, *, file: SitesFileOption = None, as_json: JsonFlag = False) -> None:
    """Show one site: where it is, and what is watched there once kind, settings and site are merged."""
    from monitor.sites.faults import word_advice
    from monitor.sites.geometry import bounding_circle
    from monitor.sites.load import load_sites
    from monitor.sites.watching import site_watches

    settings = _settings()
    path = file or settings.sites_file
    sites = load_sites(path, **_checks())
    found = sites.by_id.get(site)
    if found is None:
        raise InputError(f"No site in {path} has the id {site!r}. {word_advice(site, sites.by_id)}")
    watch = site_watches([found], settings.watch, settings.lapse_after_days)[found.id]
    circle = bounding_circle(found.geometry)
    if as_json:
        document = {
            **_row(found),
            "circle": asdict(circle),
            "watch": _watch(watch),
            "feature": found.feature,
            "attribution": _data([found]),
        }
        print_json(document)
        return
    around = f"{circle.lat:.4f}, {circle.lon:.4f}, within {circle.radius_nm:.1f} NM"
    _print_site(found, [("middle", around)])
    say("\nWatched")
    print_table(
        ("metric", "subjects", "rules"),
        (
            (metric, ", ".join(each["subjects"] or ["all"]), ", ".join(map(_rule, each["rules"].items())))
            for metric, each in _watch(watch).items()
        ),
    )
    say_data(_data([found]))


def _data(sites: "Iterable[Site]") -> list[str]:
    from alerts.attribution import each_once
    from monitor.reports.sources import site_attributions

    return each_once(said for site in sites for said in site_attributions(site))


def _watch(watch: "SiteWatch") -> dict[str, Any]:
    return {
        name: {
            "subjects": None if metric.subjects is None else list(metric.subjects),
            "rules": {rule: dict(params) for rule, params in metric.rules.items()},
        }
        for name, metric in watch.metrics.items()
    }


def _rule(named: tuple[str, dict[str, Any]]) -> str:
    name, params = named
    given = ", ".join(f"{key} {value}" for key, value in params.items())
    return f"{name} ({given})" if given else name


def _print_site(site: "Site", more: list[tuple[str, str]]) -> None:
    row = _row(site)
    facts = [
        ("kind", site.kind),
        ("time zone", site.timezone.key),
        ("codes", ", ".join(f"{key} {code}" for key, code in site.codes.items())),
        ("outline", f"{row['area_km2']:g} km², {site.precision or 'precision not stated'}"),
        *more,
        ("elevation", f"{site.elevation_ft:g} ft" if site.elevation_ft is not None else ""),
        ("watch list", ", ".join(site.watchlist)),
        *((f"why {subject} is listed", reason) for subject, reason in site.watchlist_reasons.items()),
        ("belongs with", ", ".join(site.links)),
        ("areas", ", ".join(_area(area) for area in row["areas"])),
        ("notes", site.notes),
        ("source", site.source),
    ]
    say(f"{site.id}  {site.name}")
    for label, value in facts:
        if value:
            say(f"  {label}: {value}")


def _area(area: dict[str, Any]) -> str:
    return f"{area['name']} ({area['id']}{'' if area['located'] else ', not yet located'})"


@sites_app.command("check")
def check_command(*, file: SitesFileOption = None, as_json: JsonFlag = False) -> None:
    """Check the sites file and report every fault at once, by feature; exit code 2 if there is one.

    Sites that lie on the same ground are noted; that is no fault.
    """
    from monitor.sites.faults import SitesError
    from monitor.sites.load import load_sites
    from monitor.sites.overlaps import overlaps

    path = _path(file)
    try:
        sites = load_sites(path, **_checks())
    except SitesError as error:
        if not as_json:
            raise
        faults = [asdict(fault) for fault in error.faults]
        print_json({"file": str(path), "ok": False, "sites": None, "faults": faults, "notes": []})
        raise typer.Exit(2) from None
    notes = [*map(str, overlaps(sites.sites)), *_mute_entries(sites)]
    if as_json:
        print_json({"file": str(path), "ok": True, "sites": len(sites), "faults": [], "notes": notes})
    else:
        say(f"{path}: {_count(len(sites))}, no faults.")
        _say_notes(notes)


def _mute_entries(sites: "SiteSet") -> list[str]:
    from db.engine import SQLAlchemyError
    from monitor.aircraft.listed import cannot_fire_words, stored_entries_that_cannot_fire

    if not any(site.watchlist for site in sites):
        return []
    try:
        found = stored_entries_that_cannot_fire(_settings().database_url.get_secret_value(), sites)
    except SQLAlchemyError:
        return ["The database cannot be read, so it is not known whether entries of watch lists can fire."]
    return [cannot_fire_words(found)] if found else []


def _say_notes(notes: list[str]) -> None:
    for note in notes:
        say(f"Note: {note}")


def _count(sites: int) -> str:
    return "1 site" if sites == 1 else f"{sites} sites"


class _PlaceCommand(TyperCommand):
    """A command whose argument may be a place in the south: -51.9, -70.6 is no option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Hand a place that begins with a minus sign on as a word."""
        return super().parse_args(ctx, [f" {each}" if _SOUTHERN.match(each) else each for each in args])


@sites_app.command("add", cls=_PlaceCommand)
def add_command(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="PLACE",
            help="A file (KML, KMZ, GeoPackage, zipped Shapefile, GPX, GeoJSON, WKT), or a place: degrees in any writing, MGRS, "
            "a link of a map service.",
        ),
    ] = None,
    *,
    airport: Annotated[
        str | None, typer.Option(metavar="CODE", help="An airport's ICAO or IATA code, as in ZKPY.")
    ] = None,
    lat: Annotated[float | None, typer.Option(help="Latitude of a round site's middle, degrees.")] = None,
    lon: Annotated[float | None, typer.Option(help="Longitude of a round site's middle, degrees.")] = None,
    radius: Annotated[
        float | None,
        typer.Option(
            "--radius",
            metavar="METRES",
            help="How far a site reaches round a point or along a line; an airport has 4000.",
        ),
    ] = None,
    place: Annotated[
        list[str] | None,
        typer.Option("--place", metavar="NAME", help="Which place of a file with several; again for more."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Add every place of a file with several.")] = False,
    site_id: Annotated[
        str | None,
        typer.Option(
            "--id", help="The site's id, as in kp-sunan; else it is made of the name.", metavar="ID"
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="airport, airbase, railhead, port … (docs/sites.md).")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="IANA time zone; else the one at the place.", metavar="ZONE")
    ] = None,
    as_written: Annotated[
        bool,
        typer.Option(
            "--as-written", help="Latitude and longitude are right, although the place lies in the open sea."
        ),
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a site that has this id.")] = False,
    file: SitesFileOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Add sites from a file of any usual format, a place as people write it, or an airport code.

    Nothing is written unless the whole file passes the check. The earlier version stays beside it as .bak.
    """
    from monitor.sites.add import add_sites
    from monitor.sites.check import feature_id
    from monitor.sites.choosing import Choice
    from monitor.sites.incoming import Told, kept_words, swap_questions
    from monitor.sites.overlaps import overlaps

    if sum([source is not None, airport is not None, lat is not None or lon is not None]) != 1:
        raise InputError(
            "Say one thing to add: a file or a place, or --airport CODE, or --lat, --lon and --radius with --name and --kind."
        )
    told = Told(site_id, name, kind, timezone)
    choice = Choice(tuple(place or ()), every, radius)
    path = _path(file)
    if source is not None:
        new = _from_source(source, told, choice)
    elif airport is not None:
        new = _from_airport(airport, told, radius)
    else:
        new = _round_site(told, lat, lon, radius)
    if not as_written and (questions := swap_questions(new.features)):
        raise InputError(f"{' '.join(questions)} If they are right, add --as-written.")
    sites = add_sites(path, new.features, replace=replace, **_checks())
    added = [feature_id(feature) for feature in new.features]
    notes = [*new.notes, *kept_words(new.features), *(str(each) for each in overlaps(sites.sites, added))]
    if as_json:
        print_json({"file": str(path), "added": added, "sites": len(sites), "notes": notes})
        return
    say(f"Added {', '.join(added) or 'nothing'} to {path}, which now has {_count(len(sites))}.")
    _say_notes(notes)


def _from_source(source: str, told: "Told", choice: "Choice") -> "NewSites":
    from monitor.sites.incoming import place_from_text, places_from_file

    path = Path(source)
    # A file may be called as a place is written; one that is there is meant.
    if _is_there(path) or (found := place_from_text(source, told, choice.radius_m)) is None:
        return places_from_file(path, told, choice)
    return found


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False  # a link can be longer than any name


def _from_airport(code: str, told: "Told", radius_m: float | None) -> "NewSites":
    from monitor.sites.incoming import NewSites, feature_from_airport

    feature = feature_from_airport(code, told, radius_m=radius_m)
    return NewSites([feature])


def _round_site(told: "Told", lat: float | None, lon: float | None, radius_m: float | None) -> "NewSites":
    from monitor.sites.choosing import with_names
    from monitor.sites.incoming import NewSites, feature_from_point

    if not (told.name and told.kind) or lat is None or lon is None or radius_m is None:
        given = {"--name": told.name, "--kind": told.kind, "--lat": lat, "--lon": lon, "--radius": radius_m}
        missing = [option for option, value in given.items() if value is None or value == ""]
        raise InputError(f"A round site also needs {', '.join(missing)}.")
    feature = feature_from_point(told, lat=lat, lon=lon, radius_m=radius_m)
    return NewSites(with_names([feature], {}))


@sites_app.command()
def remove(
    site: SiteId,
    *,
    unlink: Annotated[
        bool, typer.Option("--unlink", help="Also take it out of the links of other sites.")
    ] = False,
    file: SitesFileOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Stop watching a site. Its observations, visits and alerts stay in the database."""
    from monitor.sites.add import remove_site

    path = _path(file)
    sites = remove_site(path, site, unlink=unlink, **_checks())
    if as_json:
        print_json({"file": str(path), "removed": [site], "sites": len(sites)})
    else:
        say(f"Removed {site} from {path}, which now has {_count(len(sites))}.")
