"""`sitewatch alerts`: read alerts, say that one was seen, keep a site quiet, try the channels."""

import getpass
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.commands import (
    JsonFlag,
    instant_words,
    opened,
    parse_duration,
    print_json,
    print_table,
    say,
    say_data,
)
from monitor.commands.asking import RegionOption, option_name
from monitor.config.clock import utc_now
from monitor.errors import InputError, WorkFailed

if TYPE_CHECKING:
    from db.engine import Connection
    from db.records import Alert, AlertEvent, Delivery
    from monitor.app import App

alerts_app = typer.Typer(
    no_args_is_help=True, help="Read alerts, acknowledge, silence, and test the channels."
)
AlertId = Annotated[str, typer.Argument(metavar="ALERT", help="The alert's id, or the beginning of it.")]
SiteOption = Annotated[str | None, typer.Option("--site", metavar="ID", help="Only this site.")]
ChannelOption = Annotated[str | None, typer.Option("--channel", metavar="NAME", help="Only this channel.")]
By = Annotated[
    str, typer.Option(metavar="NAME", help="Who does this; else your user name.", show_default=False)
]


@alerts_app.command("list")
def list_alerts(
    *,
    site: SiteOption = None,
    status: Annotated[
        str | None, typer.Option(help="Only these: open, resolved, withdrawn or lapsed.", metavar="STATUS")
    ] = None,
    region: RegionOption = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="METRIC", help="Only about this metric.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(metavar="SUBJECT", help="Only about this, as in class:bomber.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Open on this day, month or time, or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Opened before the end of this day or month.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many, the newest.")] = 100,
    as_json: JsonFlag = False,
) -> None:
    """List alerts, the newest first.

    WHEN is a day (2023-10-05), a month (2023-10), today, yesterday, or a time with its zone (2023-10-05T01:24Z).
    """
    from alerts.attribution import alert_attributions, each_once, one_cell
    from alerts.incidents.causes import cause_object
    from alerts.metrics import METRICS
    from db.alerts import alerts_asked
    from db.causes import causes_of
    from db.engine import reading
    from monitor.reports.asked import AlertWords, World
    from monitor.sites.faults import did_you_mean

    if metric is not None and metric not in METRICS:
        raise InputError(f"{metric!r} is not a metric. {did_you_mean(metric, METRICS)}")
    words = AlertWords(
        site=site, region=region, subject=subject, since=since, until=until, metric=metric, status=status
    )
    with opened() as app:
        if site is not None:
            app.known_site(site)
        asked = words.filter(World(app.sites, app.classes.labels, utc_now(), option_name))
        with reading(app.engine) as connection:
            found = alerts_asked(connection, asked, None, limit)
            causes = causes_of(connection, [each.id for each in found])
    data = each_once(said for each in found for said in alert_attributions(each))
    if as_json:
        items = [
            {
                **asdict(each),
                "cause": cause_object(causes[each.id]) if each.id in causes else None,
                "attribution": one_cell(alert_attributions(each)),
            }
            for each in found
        ]
        print_json({"items": items, "attribution": data})
    elif not found:
        say("No alerts. “sitewatch status” shows what is watched and whether the feeds answer.")
    else:
        print_table(
            ("alert", "status", "opened", "headline"),
            ((each.id, _status(each), instant_words(each.opened_at), each.headline) for each in found),
        )
        for cause in {each.id: each for each in causes.values()}.values():
            here = [each for each in cause.alert_ids if each in causes]
            say(f"Told as one: {cause.headline} ({', '.join(here)}).")
        say_data(data)


@alerts_app.command("show")
def show_alert(alert: AlertId, *, as_json: JsonFlag = False) -> None:
    """Show one alert: how it is known and who was told."""
    from alerts.attribution import alert_attributions, each_once
    from alerts.incidents.causes import cause_object, together_words
    from db.alerts import alert_events, others_of_incident
    from db.causes import causes_of
    from db.deliveries import deliveries
    from db.engine import reading
    from db.extracts import extracts_of, polls_behind

    with opened() as app, reading(app.engine) as connection:
        found = _find(connection, alert)
        life, owed = alert_events(connection, found.id), deliveries(connection, found.id)
        behind = polls_behind(connection, found)
        cause = causes_of(connection, [found.id]).get(found.id)
        near = others_of_incident(connection, found)
        extracts = extracts_of(connection, {number for numbers in behind.values() for number in numbers})
    if as_json:
        data = {
            "alert": found,
            "cause": None if cause is None else cause_object(cause),
            "incident": [each.id for each in near],
            "events": life,
            "deliveries": owed,
            "polls": behind,
            "extracts": extracts,
            "attribution": each_once(alert_attributions(found)),
        }
        print_json(data)
    else:
        if cause is not None:
            say(f"{cause.headline}. {together_words(cause)}\n")
        _print_alert(found, life, owed)
        if near:
            say("\nNear in time, here or at a linked site")
            print_table(
                ("alert", "state", "what"), ((each.id, _status(each), each.headline) for each in near)
            )


def _print_alert(alert: "Alert", life: "list[AlertEvent]", owed: "list[Delivery]") -> None:
    from alerts.delivery.messages import compose_alert
    from db.records import Delivery
    from monitor.config.secrets import visible

    at = life[-1].recorded_at
    blank = Delivery(0, "", "alert", "", "queued", at, at)
    message = compose_alert(alert, life[0], blank, None)
    say(visible(f"{alert.id}  {_status(alert)}  {message.headline}"))
    for text in (*message.paragraphs, *(f"{name}: {value}" for name, value in message.facts)):
        say(visible(f"  {text}"))
    for link in message.links:
        say(visible(f"  {link.text}: {link.url}"))
    say("\nWhat happened")
    print_table(("when", "what", "why"), ((instant_words(each.at), each.kind, each.reason) for each in life))
    say("\nWho was told")
    print_table(
        ("when", "channel", "state", "tries", "why not"),
        (
            (
                instant_words(each.sent_at or each.not_before),
                each.channel,
                each.state,
                str(each.attempts),
                each.last_error or "",
            )
            for each in owed
        ),
    )


@alerts_app.command("explain")
def explain_alert(alert: AlertId, *, as_json: JsonFlag = False) -> None:
    """Say for every channel why it was told of an alert, or was not.

    Event by event: sent, waiting and until when, held for a daily digest, silenced, too old, given up, or by which route
    it went elsewhere.
    """
    from alerts.attribution import alert_attributions, each_once
    from alerts.delivery.explain import told_and_why
    from db.engine import reading
    from monitor.config.secrets import visible

    with opened() as app, reading(app.engine) as connection:
        found = _find(connection, alert)
        told = told_and_why(connection, found.id, tuple(app.channels), app.routing, utc_now())
    data = each_once(alert_attributions(found))
    if as_json:
        print_json({"alert": found.id, "items": told, "attribution": data})
        return
    say(visible(f"{found.id}  {_status(found)}  {found.headline}"))
    print_table(
        ("when", "what", "channel", "state", "why"),
        (
            (instant_words(each.at), each.event, each.channel, each.state, visible(each.words))
            for each in told
        ),
    )
    say_data(data)


@alerts_app.command("export")
def export_evidence(
    alert: AlertId,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="PATH", help="Where to write; else ALERT.zip here.")
    ] = None,
    *,
    folder: Annotated[bool, typer.Option("--folder", help="Write a folder instead of a zip file.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write the evidence of an alert into one file that anybody can check.

    The alert, its looks in every revision, what the rules were given, answers and tracks as far as they may be passed on,
    scenes, pictures, versions, and the SHA-256 of each file, described as an RO-Crate. No secret and nobody who is not
    watched is in it.
    """
    from db.engine import reading
    from monitor.reports.bundle import gather_bundle
    from monitor.reports.bundle_file import bundle_digest, write_folder, write_zip

    at = utc_now()
    with opened() as app, reading(app.engine) as connection:
        found = _find(connection, alert)
        files = gather_bundle(connection, app, found, at)
    path = to or Path(found.id if folder else f"{found.id}.zip")
    try:
        if folder:
            write_folder(path, files)
        else:
            write_zip(path, files, at)
    except FileExistsError:
        raise InputError(f"{path} is there already. Name another place with --to, or remove it.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from None
    if as_json:
        print_json({"path": str(path), "files": len(files), "digest": bundle_digest(files)})
        return
    say(f"{path}: {len(files)} files. To check it: sitewatch alerts verify {path}")
    say(f"Digest, to be kept elsewhere: {bundle_digest(files)}")


@alerts_app.command("verify")
def verify_evidence(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The zip file or folder of an export.")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Check an export without any database: its sums, and that the rules say the same words again.

    Ends with 1 where something was changed, is missing or was added, or where a verdict does not come out again.
    """
    from monitor.reports.bundle_check import check_bundle
    from monitor.reports.bundle_file import BundleError

    if not file.exists():
        raise InputError(f"There is no {file}.")
    try:
        checked = check_bundle(file)
    except BundleError as error:
        raise WorkFailed(str(error)) from None
    if as_json:
        print_json(checked)
    else:
        for line in (*checked.faults, *checked.notes):
            say(line)
    if checked.faults:
        raise WorkFailed(f"{file} is not as it was exported; the reasons stand above.")
    if not as_json:
        say(
            f"{file} is as it was exported: {checked.files} files, {checked.verdicts} verdicts in the same words."
        )


@alerts_app.command()
def ack(alert: AlertId, *, by: By = "", as_json: JsonFlag = False) -> None:
    """Acknowledge an alert: somebody has seen it. It stays open until the facts close it."""
    from db.alerts import acknowledge
    from db.engine import writing

    with opened() as app, writing(app.engine) as connection:
        found = _find(connection, alert)
        seen = acknowledge(connection, found.id, by or _me(), utc_now())
    if as_json:
        print_json({"alert": seen})
    elif found.acknowledged_at is not None:
        say(
            f"{found.id} was acknowledged before, by {found.acknowledged_by} on {instant_words(found.acknowledged_at)}."
        )
    else:
        say(f"{found.id} is acknowledged: {found.headline}")


@alerts_app.command("silence")
def silence_site(
    site: Annotated[
        str | None,
        typer.Argument(metavar="SITE", help="The site's id; without it the silences are listed."),
    ] = None,
    metric: Annotated[
        str, typer.Argument(metavar="METRIC", help="Only this metric.", show_default=False)
    ] = "",
    *,
    length: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long: 30m, 12h, 2d or 1w.")
    ] = "1d",
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why, for those who wonder later.", show_default=False)
    ] = "",
    by: By = "",
    lift: Annotated[bool, typer.Option("--lift", help="End the silence now instead.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Send no messages about a site for a while. Alerts are still recorded and shown."""
    from alerts.metrics import METRICS
    from db.engine import writing
    from db.silences import add_silence, lift_silences, silences

    at, until = utc_now(), utc_now() + parse_duration(length)
    if metric and metric not in METRICS:
        raise InputError(f"{metric!r} is not a metric. Use one of {', '.join(METRICS)}.")
    with opened() as app, writing(app.engine) as connection:
        lifted = 0
        if site is not None:
            app.known_site(site)
            if lift:
                lifted = lift_silences(connection, site, metric, at)
            else:
                add_silence(connection, site, metric, at, until, reason=reason, by=by or _me())
        left = silences(connection, at)
    if as_json:
        print_json({"items": left, "lifted": lifted})
        return
    if lift:
        say(f"{lifted} {'silence was' if lifted == 1 else 'silences were'} lifted.")
    if not left:
        say("Nothing is silenced.")
    for each in left:
        why = f" ({each.reason})" if each.reason else ""
        say(
            f"{each.site_id} {each.metric or 'every metric'}: silent until {instant_words(each.ends_at)}, by {each.created_by}{why}"
        )


@alerts_app.command("test")
def try_channels(
    channel: ChannelOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Send a test message through every channel.

    Says what each channel answered; ends with 1 unless all took the message.
    """
    from alerts.delivery.worker import send_test

    with opened(prepared=False) as app:
        names = _channels(app, channel)
        results = send_test({name: app.channels[name] for name in names}, utc_now(), app.routing)
    if as_json:
        print_json({"items": [each._asdict() for each in results]})
    else:
        for each in results:
            say(f"{each.name}: {'' if each.ok else 'NOT sent. '}{each.words}")
    if not all(each.ok for each in results):
        raise WorkFailed("Not every channel took the test message; the reasons stand above.")


@alerts_app.command()
def resend(channel: ChannelOption = None, *, as_json: JsonFlag = False) -> None:
    """Owe again the messages that were given up.

    For when the cause is mended: a channel's address, its password. Messages older than too_old_to_send_days stay given up.
    """
    from datetime import timedelta

    from db.deliveries import dead_letters, requeue_dead
    from db.engine import writing

    with opened() as app, writing(app.engine) as connection:
        at, names = utc_now(), _channels(app, channel)
        since = at - timedelta(days=app.settings.too_old_to_send_days)
        again, left = requeue_dead(connection, names, since, at), dead_letters(connection, names)
    if as_json:
        print_json({"owed_again": again, "given_up": left})
        return
    say(f"{again} {'message is' if again == 1 else 'messages are'} owed again.")
    if again:
        say("A running service sends them within seconds; “sitewatch run --once” does without one.")
    if left:
        say(f"{left} {'stays' if left == 1 else 'stay'} given up: too old to be news.")


def _channels(app: "App", channel: str | None) -> list[str]:
    if channel is not None and channel not in app.channels:
        raise InputError(
            f"No channel is named {channel!r}. Configured: {', '.join(app.channels) or 'none'}. docs/settings.md "
            "says how to add one."
        )
    return [name for name in app.channels if channel in {None, name}]


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # pragma: no cover - a container may run as a user without a name
        return "somebody"


def _status(alert: "Alert") -> str:
    return f"{alert.status}, acknowledged" if alert.acknowledged_at else alert.status


def _find(connection: "Connection", text: str) -> "Alert":
    from db.alerts import alert_by_id, alerts

    if exact := alert_by_id(connection, text):
        return exact
    alike = [each for each in alerts(connection) if each.id.startswith((text, f"al_{text}"))]
    if len(alike) == 1:
        return alike[0]
    if alike:
        some = ", ".join(each.id for each in alike[:5])
        raise InputError(f"{text!r} fits {len(alike)} alerts ({some} …). Write more of the id.")
    raise InputError(f"No alert has the id {text!r}. “sitewatch alerts list” shows them.")
