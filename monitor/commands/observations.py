"""`sitewatch observations`: bring counts in from files, or one by one."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.commands import JsonFlag, opened, print_json, print_table, say
from monitor.config.clock import utc_now
from monitor.errors import InputError, WorkFailed

if TYPE_CHECKING:
    from monitor.imports import ImportedRecord, ImportProgress, ImportReport, PlannedImport

observations_app = typer.Typer(no_args_is_help=True, help="Bring counts in, from files or one by one.")
_SHOWN_FAULTS = 50
CountsFile = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="CSV, GeoJSON (.geojson or .json), or an Excel workbook (.xlsx)."),
]
MapOption = Annotated[
    Path | None,
    typer.Option("--map", metavar="MAPPING", help="What the columns of somebody else's table mean (TOML)."),
]


@observations_app.callback()
def _observations() -> None:
    """Bring counts in, from files or one by one."""


@observations_app.command("add")
def add_count(
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")],
    metric: Annotated[str, typer.Argument(metavar="METRIC", help="What was counted or measured.")],
    value: Annotated[str, typer.Argument(metavar="[VALUE]", help="How many, or how much.")] = "",
    *,
    reviewer: Annotated[str, typer.Option("--reviewer", help="Who counted: you.")],
    scene: Annotated[str, typer.Option("--scene", help="The image; one on record gives the time.")] = "",
    start: Annotated[str, typer.Option("--start", help="The day, or the time with its zone.")] = "",
    end: Annotated[str, typer.Option("--end", help="The last day, where it is a longer period.")] = "",
    low: Annotated[str, typer.Option("--low", help="At least so many, for all that can be seen.")] = "",
    high: Annotated[str, typer.Option("--high", help="At most so many.")] = "",
    comparator: Annotated[str, typer.Option("--comparator", help="=, ~= (about), >= or <=.")] = "",
    area: Annotated[str, typer.Option("--area", help="The area's id; without it the whole site.")] = "",
    subject: Annotated[str, typer.Option("--subject", help="Which of them, such as type:Tu-160.")] = "",
    exposure: Annotated[str, typer.Option("--exposure", help="The share that could be seen, 0 to 1.")] = "",
    not_assessable: Annotated[
        bool, typer.Option("--not-assessable", help="Nothing could be counted; that is no zero.")
    ] = False,
    sensor: Annotated[str, typer.Option("--sensor", help="What took the image, such as S2.")] = "",
    certainty: Annotated[str, typer.Option("--certainty", help="high, medium or low.")] = "",
    url: Annotated[str, typer.Option("--url", help="Where it can be seen.")] = "",
    note: Annotated[str, typer.Option("--note", help="A sentence for the reader.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Add one count of your own; the same command with another value corrects it.

    Your count of a scene stays beside those that others make of it.
    """
    from db.engine import reading
    from db.imagery import scenes
    from monitor.imports import import_row
    from monitor.imports.analyst import AnalystCount, count_row

    said = AnalystCount(
        site_id=site,
        metric=metric,
        value=value,
        reviewer=reviewer,
        scene=scene,
        start=start,
        end=end,
        low=low,
        high=high,
        comparator=comparator,
        area=area,
        subject=subject,
        assessable="no" if not_assessable else "",
        exposure=exposure,
        sensor=sensor,
        certainty=certainty,
        url=url,
        note=note,
    )
    with opened(fresh=True) as app:
        app.known_site(site)
        now = utc_now()
        with reading(app.engine) as connection:
            known = scenes(connection, site_id=site) if scene else []
        report = import_row(
            app.engine, count_row(said, known, now, "sitewatch observations add"), app.sites, now
        )
    if as_json:
        print_json({"ok": not report.faults, **asdict(report)})
    elif report.faults:
        for fault in report.faults:
            typer.echo(f"{fault.column}: {fault.problem}. {fault.mend}.", err=True)
        typer.echo("Nothing was added.", err=True)
    else:
        say(_added(report))
    if report.faults:
        raise typer.Exit(2)


def _added(report: "ImportReport") -> str:
    if report.revised:
        return "Corrected: your earlier count of it stays on record as its first version."
    return "Known already: nothing was changed." if report.unchanged else "Added."


@observations_app.command("import")
def import_counts(
    file: CountsFile,
    *,
    map_file: MapOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be stored, and store nothing.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Import the good rows although there are bad ones.")
    ] = False,
    zone: Annotated[
        str,
        typer.Option("--zone", help="Whose days bare dates are, such as UTC; without it the site's own."),
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Import counts, declared baselines and notes; docs/importing.md describes the columns.

    Importing a file again stores nothing twice. Bad rows are listed, and then no row is imported. A running service goes on
    beside it, and sees none of it until all is there; a kill in between leaves nothing.
    """
    from db.imports import ImportOvertakenError
    from monitor.imports import import_file, plan_import, read_mapping
    from monitor.imports.faults import BadCell
    from monitor.imports.values import zone as known_zone
    from monitor.sites.faults import as_sentence

    try:
        known_zone(zone)
    except BadCell as bad:
        raise InputError(f"--zone: {bad.problem}. {as_sentence(bad.mend)}") from None
    mapping = None if map_file is None else read_mapping(map_file)
    if dry_run:
        with opened(prepared=False) as app:
            planned = plan_import(file, app.sites, utc_now(), zone=zone, mapping=mapping)
        _tell_plan(file, planned, as_json=as_json)
        return
    with opened(fresh=True) as app:
        told = None if as_json else _progress()
        try:
            report = import_file(
                app.engine,
                file,
                app.sites,
                utc_now(),
                skip_bad=skip_bad,
                zone=zone,
                mapping=mapping,
                progress=told,
            )
        except ImportOvertakenError as error:
            raise WorkFailed(f"{error} Run the same command again.") from None
    refused = bool(report.faults) and not (skip_bad and _imported(report))
    if as_json:
        print_json({"file": str(file), "ok": not report.faults, **asdict(report)})
    else:
        _tell(file, report, refused=refused)
    if refused:
        raise typer.Exit(2)


@observations_app.command("map")
def map_columns(file: CountsFile) -> None:
    """Print a first mapping for somebody else's table: save it, complete it, and give it to “import --map”.

    It says what the header and the first rows show. What they do not show stands there as a question.
    """
    from monitor.imports import UnreadableFile, suggest_mapping

    with opened(prepared=False) as app:
        try:
            say(suggest_mapping(file, app.sites))
        except UnreadableFile as error:
            raise InputError(f"{file}: {error}") from None


@observations_app.command("check")
def check_counts(
    file: CountsFile,
    *,
    map_file: MapOption = None,
    zone: Annotated[
        str,
        typer.Option("--zone", help="Whose days bare dates are, such as UTC; without it the site's own."),
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Check a file of counts and store nothing: faults of form, and rows that cannot all be true.

    Such as a zero over a time that another row counts, a zero over weeks that nobody says were looked at, a time told more
    exactly than its zone is known, counts outside a published limit, and a publisher without address.
    """
    from monitor.imports import check_file, read_mapping

    mapping = None if map_file is None else read_mapping(map_file)
    with opened(prepared=False) as app:
        faults, findings = check_file(file, app.sites, utc_now(), zone, mapping)
    if as_json:
        print_json({"file": str(file), "faults": faults, "findings": findings})
    else:
        for line in (*map(str, faults), *findings):
            say(line)
        if not faults and not findings:
            say(f"Nothing in {file} contradicts itself, as far as that can be told from the file alone.")
    if faults or findings:
        raise typer.Exit(1)


def _tell_plan(file: Path, planned: "PlannedImport", *, as_json: bool) -> None:
    if as_json:
        document = {**asdict(planned), "first": [_planned_row(each) for each in planned.first]}
        print_json({"file": str(file), "ok": not planned.faults, **document})
    else:
        for fault in planned.faults[:_SHOWN_FAULTS]:
            typer.echo(str(fault), err=True)
        if len(planned.faults) > _SHOWN_FAULTS:
            typer.echo(f"and {len(planned.faults) - _SHOWN_FAULTS} more faults.", err=True)
        if planned.first:
            rows = [_planned_row(each) for each in planned.first]
            print_table(tuple(rows[0]), ([str(cell) for cell in row.values()] for row in rows))
            say("")
            print_table(
                ("site", "area", "metric", "subject", "rows", "from", "to", "lowest", "highest"),
                ([_shown(getattr(each, name)) for name in each.__slots__] for each in planned.series),
            )
        for notice in planned.notices:
            say(notice)
        more = ", the first of them shown above" if planned.rows > len(planned.first) else ""
        if planned.faults:
            say(
                f"A dry run: {_number(planned.rows, 'row')} of {file} are good{more}; with the faults above nothing would be "
                "imported, unless --skip-bad leaves them out."
            )
        else:
            say(f"A dry run: {_number(planned.rows, 'row')} of {file} would be stored{more}; nothing was.")
    if planned.faults:
        raise typer.Exit(2)


def _planned_row(record: "ImportedRecord") -> dict[str, str]:
    from db.records import DeclaredBaseline, Note, SeriesKey

    series: Note | SeriesKey = record if isinstance(record, Note) else record.series
    value, says = None, "note"
    if not isinstance(record, Note):
        value = record.value
        says = record.statistic if isinstance(record, DeclaredBaseline) else record.qualifier
    return {
        "site": series.site_id,
        "area": series.area,
        "metric": series.metric,
        "subject": series.subject,
        "from": record.written_start,
        "to": record.written_end,
        "says": says,
        "value": _shown(value),
        "publisher": record.publisher,
    }


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _imported(report: "ImportReport") -> int:
    return report.stored + report.revised + report.unchanged + report.declared + report.notes


def _progress() -> "ImportProgress":
    def told(stage: str, rows: int) -> None:
        if stage == "waiting":
            typer.echo("  Another import is under way, and is waited for …", err=True)
        # Small files are done before anybody can read this.
        if rows and rows % 10_000 == 0:
            typer.echo(f"  {rows:,} rows {stage} …", err=True)

    return told


def _tell(file: Path, report: "ImportReport", *, refused: bool) -> None:
    for fault in report.faults[:_SHOWN_FAULTS]:
        typer.echo(str(fault), err=True)
    if len(report.faults) > _SHOWN_FAULTS:
        typer.echo(f"and {len(report.faults) - _SHOWN_FAULTS} more faults.", err=True)
    if refused:
        typer.echo(
            f"Nothing was imported from {file}. Mend the rows above, or leave them out with --skip-bad.",
            err=True,
        )
        return
    say(
        f"Imported {file}: {_number(report.stored, 'new look')}, {report.revised} corrected, "
        f"{report.unchanged} known already, {_number(report.declared, 'declared baseline')}, "
        f"{_number(report.notes, 'note')}."
    )
    if report.zones:
        taken = ", ".join(f"{name} ({_number(rows, 'row')})" for name, rows in sorted(report.zones.items()))
        say(f"Bare dates were taken as days in {taken}. The column zone or --zone says otherwise.")
    for notice in report.notices:
        say(notice)


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
